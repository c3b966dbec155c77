"""What targets and hooks printed, for people and programs, while a run goes on and after it."""
import json
import os
import re
import subprocess

import bucket
import hookbucket
from bucket import until
from hookbucket import Hook

WORKERS = [f"127.0.51.{number}" for number in range(1, 4)]
# Says who it is, waits while the test holds it, and fails if the test wants it.
MAKE = """\
WORKER := $(notdir $(abspath $(CURDIR)/../../../../..))
KNOBS := $(abspath $(CURDIR)/../../../../../../../../knobs)
start restart stop:
\t@echo "$@ of $$JOB says hello"; echo "and to stderr" >&2; %s
\t@n=0; while [ -e $(KNOBS)/hold/$$JOB.$(WORKER) ] && [ $$n -lt 1200 ]; do sleep 0.05; n=$$((n+1)); done
\t@if [ -e $(KNOBS)/fail/$$JOB.$(WORKER) ]; then echo "no room on $(WORKER)" >&2; exit 3; fi
"""


class Logs(bucket.Case):
    def bucket(self, more=":", **manifest):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        for job in ("api", "web"):
            b.job(job, make=MAKE % more, **manifest)
        self.succeed(b.plan())
        return b

    def logs(self, b, *arguments, code=0):
        return self.succeed(b.run("maand-apply", "logs", *arguments, "--bucket", b.path), code)

    def test_successes_are_shown_once_with_their_workers(self):
        b = self.bucket()
        self.succeed(b.apply())
        out = self.logs(b).out
        self.assertEqual(out.count("start of api says hello"), 1)
        self.assertEqual(out.count("stderr: and to stderr"), 2)
        self.assertIn(f"── api: start on {', '.join(WORKERS)} (3 workers), exit status 0", out)
        # The name of before.
        self.assertEqual(self.succeed(b.run("maand-apply", "output", "1", "--bucket", b.path)).out, out)

    def test_one_job_one_worker_one_step(self):
        b = self.bucket()
        self.succeed(b.apply())
        self.assertNotIn("── web", self.logs(b, "--job", "api").out)
        out = self.logs(b, "1", "--worker", WORKERS[1]).out
        self.assertEqual(re.findall("── (.*)", out),
                         [f"{job}: start on {WORKERS[1]}, exit status 0" for job in ("api", "web")])
        out = self.logs(b, "1", f"api/start/1/{WORKERS[2]}/start").out
        self.assertEqual(re.findall("── (.*)", out), [f"api: start on {WORKERS[2]}, exit status 0"])
        for asked in (["--job", "apo"], ["--worker", "127.0.51.9"], ["1", "api/start/9/x/start"]):
            refused = self.logs(b, *asked, code=65)
            self.assertEqual(refused.out, "")
            self.assertIn(asked[-1], refused.err)
        self.assertEqual(self.logs(b, "--job", "a b", code=64).out, "")

    def test_all_attempts_of_a_step(self):
        b = self.bucket()
        b.fail("api", WORKERS[0])
        self.assertEqual(b.apply().code, 1)
        b.mend("api", WORKERS[0])
        self.succeed(b.apply("--retry-failed"))
        out = self.logs(b, "1", f"api/start/1/{WORKERS[0]}/start").out
        self.assertEqual(re.findall("── (.*)", out), [
            f"api: start on {WORKERS[0]}, exit status 2", f"api: start on {WORKERS[0]}, attempt 2, exit status 0"])
        self.assertEqual(out.count("no room on"), 1)

    def test_where_the_whole_of_a_long_output_is(self):
        b = self.bucket(more="seq 20000")
        self.succeed(b.apply())
        out = self.logs(b, "--worker", WORKERS[0], "--job", "api").out
        size = len("start of api says hello\n") + sum(len(f"{number}\n") for number in range(1, 20001))
        note = re.search(rf"\(the last 65536 bytes of {size} of standard output are kept; until a later run removes it, "
                         r"the whole is in (\S+)\)", out)
        self.assertIsNotNone(note, out[-500:])
        self.assertEqual(os.path.getsize(note[1]), size)
        self.assertIn("\n20000\n", out)
        row = json.loads(self.logs(b, "--worker", WORKERS[0], "--job", "api", "--format", "json").out)[0]
        self.assertEqual((row["stdout_bytes"], len(row["stdout"])), (size, 65536))

    def test_following_a_run_of_another_process(self):
        b = self.bucket(max_concurrent_starts=1)
        b.hold("api", WORKERS[1])
        child = b.start_apply()
        until(lambda: f"api/start/2/{WORKERS[1]}/start" in b.status().out, "the second started")
        follower = subprocess.Popen(
            [os.path.join(b.bin, "maand-apply"), "logs", "--follow", "--job", "api", "--bucket", str(b.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        b.children.append(follower)
        seen = []
        while WORKERS[0] not in "".join(seen):
            seen.append(follower.stdout.readline())
        self.assertNotIn(WORKERS[1], "".join(seen))
        b.release("api", WORKERS[1])
        rest = follower.stdout.read()
        self.assertEqual(follower.wait(bucket.LIMIT), 0)
        self.assertEqual(re.findall("── (.*)", "".join(seen) + rest),
                         [f"api: start on {worker}, exit status 0" for worker in WORKERS])
        self.assertEqual(rest.splitlines()[-1], "Run 1 has succeeded.")
        child.communicate(timeout=bucket.LIMIT)
        # Of a run that is over, all at once.
        self.assertEqual(len(re.findall("── ", self.logs(b, "1", "--follow").out)), 6)


class Hooks(hookbucket.HookCase):
    def test_what_hooks_print_is_shown_and_cannot_move_the_cursor(self):
        b = hookbucket.HookBucket(self)
        b.workers(*WORKERS[:2])
        b.hook_job("api", hooks={"command_tell": Hook("pre_deploy", body="print('told\\x1b[2J to', os.environ['ALLOCATION_IP'])")})
        self.rollout(b)
        out = self.succeed(b.run("maand-apply", "logs", "--bucket", b.path)).out
        self.assertIn(f"api: command_tell on {WORKERS[0]}, exit status 0", out)
        self.assertIn(f"to {WORKERS[1]}", out)
        self.assertNotIn("\x1b", out)
