"""`maand-plan prepare`: commands of `post_build` run before planning, when what they see has changed, and never by planning."""
import os
import signal
import subprocess

import bucket
import hookbucket
from bucket import until
from hookbucket import Hook

WORKERS = ["127.0.11.51", "127.0.11.52"]
BODY = """\
maand.put_job_variable("color", "red-" + maand.allocation_ip()).raise_for_status()
maand.put_job_secret("pw", "built " + maand.allocation_ip()).raise_for_status()"""
BUILD = Hook("post_build", body=BODY)
TEMPLATE = {"conf.tpl": '{{ getOptional "vars/job/api" "color" }} {{ getSecret "pw" }}\n'}


class Prepare(hookbucket.HookCase):
    def setUp(self):
        self.b = self.bucket(*WORKERS)

    def job(self, version="1.0.0", hooks=None, **more):
        self.b.hook_job("api", version, hooks or {"command_build": BUILD}, files=TEMPLATE, **more)

    def prepare(self, code=0):
        return self.succeed(self.b.run("maand-plan", "prepare", "--bucket", self.b.path), code)

    def builds(self):
        return [(line.job, line.worker) for line in self.b.trace("hook began", event="post_build")]

    def test_commands_run_one_after_the_other_and_write_what_templates_read(self):
        self.job()
        self.refuse(self.b.plan(), 65, "there is no secret pw of secrets/job/api")
        self.assertEqual([], self.builds(), "planning runs nothing")
        self.prepare()
        self.assertEqual([("api", worker) for worker in WORKERS], self.builds())
        # One after the other.
        self.assertEqual(["hook began", "hook ended"] * 2, [line.what for line in self.b.trace(event="post_build")])
        planned = self.succeed(self.b.plan())
        self.assertNotIn("post_build", planned.err)
        self.succeed(self.b.apply())
        text = (self.b.job_dir(WORKERS[0], "api") / "conf").read_text()
        self.assertEqual(f"red-{WORKERS[1]} built {WORKERS[1]}\n", text)
        self.succeed(self.b.plan("--detailed-exitcode"))

    def test_they_run_again_only_when_what_they_see_has_changed(self):
        self.job()
        self.prepare()
        self.b.forget()
        self.assertIn("Nothing has changed", self.prepare().err)
        self.assertEqual([], self.builds())
        for change in (lambda: self.job("2.0.0"), lambda: self.b.workers(*WORKERS, "127.0.11.53"),
                       lambda: self.b.write("bucket.conf", 'size = "3"\n'),
                       lambda: self.job("2.0.0", {"command_build": Hook("post_build", body="pass\n" + BODY)})):
            self.b.forget()
            change()
            warned = self.succeed(self.b.plan("--overwrite"))
            self.assertIn("job api: command_build of post_build has not run for what the workspace says now", warned.err)
            self.assertEqual([], self.builds())
            self.prepare()
            self.assertNotEqual([], self.builds())
            self.assertNotIn("post_build", self.succeed(self.b.plan("--overwrite")).err)

    def test_demanded_jobs_come_first(self):
        self.b.hook_job("zoo", "1.0.0", {"command_build": Hook("post_build", body=""), "command_zoo": Hook("pre_deploy", body="")})
        self.job(hooks={"command_build": BUILD,
                        "command_need": Hook("pre_deploy", body="", demands={"job": "zoo", "command": "command_zoo"})})
        self.prepare()
        self.assertEqual(["zoo"] * 2 + ["api"] * 2, [job for job, _ in self.builds()])

    def test_a_failure_ends_it_and_names_job_and_command(self):
        self.job()
        self.b.fail("command_build", WORKERS[1])
        refused = self.prepare(1)
        for words in ("job api: command_build of post_build has failed", f"command_build.{WORKERS[1]} fails on purpose"):
            self.assertIn(words, refused.err)
        # Nothing is left that would keep another plan from running.
        self.b.hook_job("web", "1.0.0", {})
        self.succeed(self.b.plan("--jobs", "web"))
        self.succeed(self.b.apply())
        self.b.mend("command_build", WORKERS[1])
        self.prepare()
        self.succeed(self.b.plan())

    def test_killed_in_the_middle_it_can_be_run_again(self):
        self.job()
        self.b.hold("command_build", WORKERS[0])
        child = subprocess.Popen(
            [os.path.join(self.b.bin, "maand-plan"), "prepare", "--bucket", self.b.path], cwd=self.b.path,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.b.environment())
        until(lambda: self.builds(), "the command runs")
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=bucket.LIMIT)
        self.b.release("command_build", WORKERS[0])
        self.prepare()
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())

    def test_what_was_held_in_the_middle_is_due(self):
        self.job()
        self.b.hold("command_build", WORKERS[0])
        child = subprocess.Popen(
            [os.path.join(self.b.bin, "maand-plan"), "prepare", "--bucket", self.b.path], cwd=self.b.path,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.b.environment(), text=True)
        until(lambda: self.builds(), "the command runs")
        self.b.write("freezes.yaml", 'freezes:\n  - {from: "2020-01-01T00:00", until: "2099-01-01T00:00", in: UTC, reason: held}\n')
        self.b.release("command_build", WORKERS[0])
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(75, child.returncode, out + err)
        self.assertIn("command_build of post_build was held", err)
        (self.b.workspace / "freezes.yaml").unlink()
        self.prepare()
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())

    def test_a_hook_prints_no_value_of_a_provider(self):
        kept = self.b.top / "kept"
        kept.write_text("planted-in-a-file-77")
        self.b.write("secrets.toml", f'token = {{ file = "{kept}" }}\n')
        body = f"print(open({str(kept)!r}).read()); sys.exit(3)"
        self.job(hooks={"command_build": Hook("post_build", body=body)})
        refused = self.prepare(1)
        self.assertNotIn("planted-in-a-file-77", refused.out + refused.err)
        self.assertIn("***", refused.err)

    def test_deploy_prepares_on_request(self):
        self.job()
        self.succeed(self.b.plan("--prepare"))
        self.assertEqual([("api", worker) for worker in WORKERS], self.builds())
        self.succeed(self.b.apply())
