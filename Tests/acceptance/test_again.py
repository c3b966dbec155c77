"""What the same command does again, and what people decide: a row of the table in the design for each test."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

import bucket

WORKERS = ["127.0.8.1", "127.0.8.2", "127.0.8.3"]


class Again(bucket.Case):
    def deployed(self, version="1.1.0", **manifest):
        """A bucket on whose workers `api` runs, with a plan to restart it."""
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files={"app.conf": "old\n"}, **manifest)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.job("api", version, files={"app.conf": "new\n"}, **manifest)
        self.succeed(b.plan())
        return b

    def two_waves(self, **manifest):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("db", commands={"command_db": {"executed_on": ["cli"]}}, **manifest)
        b.job("api", commands={"command_api": {
            "executed_on": ["cli"], "demands": {"job": "db", "command": "command_db", "config": {}}}}, **manifest)
        self.succeed(b.plan())
        return b

    def receipts(self, b, worker):
        return b.path / "workers" / worker / "opt/worker" / b.id / "receipts"

    def ended(self, child, code):
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, code, out + err)
        return out + err

    def finished(self, b):
        """Each target ran to its end once, and nothing is left to do."""
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def pending(self, child):
        """Whether a signal waits for the process."""
        with open(f"/proc/{child.pid}/status") as file:
            return any(int(line.split()[1], 16) for line in file if line.startswith(("SigPnd", "ShdPnd")))

    # -- interrupted, parked, paused

    def park(self, *signals):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        for number in signals:
            child.send_signal(number)
        self.assertTrue(any("parking" in line for line in child.stdout), "it is told")
        bucket.until(lambda: not self.pending(child), "all signals taken")
        b.release("api", WORKERS[0])
        text = self.ended(child, 75)
        self.assertIn("parked", text)
        self.assertNotIn("left to its worker", text, "it did not wait for what is in flight")
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")])
        self.succeed(b.apply())
        self.finished(b)

    def test_sigint_parks(self):
        self.park(signal.SIGINT)

    def test_sigterm_parks(self):
        self.park(signal.SIGTERM)

    def test_a_closed_terminal_parks(self):
        self.park(signal.SIGHUP, signal.SIGHUP)

    def test_second_sigint_leaves_at_once(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        child.send_signal(signal.SIGINT)
        self.assertTrue(any("parking" in line for line in child.stdout), "it is told")
        child.send_signal(signal.SIGINT)
        self.ended(child, 75)
        self.assertEqual(b.targets(), [], "the target on the worker goes on, and nobody waits for it")
        b.release("api", WORKERS[0])
        self.succeed(b.apply())
        self.finished(b)

    def test_one_sigint_leaves_what_does_not_end(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        child.send_signal(signal.SIGINT)
        self.assertIn("left to its worker", self.ended(child, 75))
        self.assertEqual(b.targets(), [])
        b.release("api", WORKERS[0])
        self.succeed(b.apply())
        self.finished(b)

    def test_stopped_and_continued(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        child.send_signal(signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{child.pid}/stat")
        bucket.until(lambda: stat.read_text().rsplit(") ", 1)[1].startswith("T"), "stopped")
        b.release("api", WORKERS[0])
        bucket.until(lambda: b.targets(), "the first target ended")
        self.assertEqual(len(b.began()), 1)
        child.send_signal(signal.SIGCONT)
        self.ended(child, 0)
        self.finished(b)

    def test_nobody_reads_the_output(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        child.stdout.close()
        child.stderr.close()
        b.release("api", WORKERS[0])
        self.assertEqual(child.wait(timeout=bucket.LIMIT), 0)
        self.finished(b)
        b.children.remove(child)

    def test_output_to_a_full_disk(self):
        b = self.deployed()
        with open("/dev/full", "w") as full:
            child = subprocess.run([os.path.join(bucket.BIN, "maand-apply"), str(b.file()), "--bucket", str(b.path)],
                                   stdout=full, stderr=full, timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 0)
        self.finished(b)

    def test_closed_standard_streams(self):
        b = self.deployed()
        child = subprocess.run(["sh", "-c", f"exec '{bucket.BIN}/maand-apply' '{b.file()}' --bucket '{b.path}' <&- >&- 2>&-"],
                               timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 0)
        self.finished(b)

    def test_pause_from_another_terminal(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        self.succeed(b.run("maand-apply", "pause", "2", "--reason", "lunch", "--bucket", b.path))
        self.assertTrue(any("parking after pause by" in line for line in child.stdout), "it is told")
        b.release("api", WORKERS[0])
        self.assertIn("lunch", self.ended(child, 75))
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")])
        self.assertIn("lunch", self.succeed(b.status()).out)
        self.assertRegex(self.succeed(b.run("maand-apply", "history", "--bucket", b.path)).out, r"pause.*lunch")
        rows = json.loads(self.succeed(b.run("maand-apply", "history", "--format", "json", "--bucket", b.path)).out)
        self.assertEqual([row["run"] for row in rows], [2, 1])
        self.assertEqual(rows[0]["decisions"][0]["reason"], "lunch")
        self.succeed(b.apply())
        self.finished(b)

    def test_pause_of_an_interrupted_run(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        child.kill()
        child.communicate()
        b.release("api", WORKERS[0])
        self.succeed(b.run("maand-apply", "pause", "2", "--reason", "lunch", "--bucket", b.path))
        self.assertIn("parked", self.succeed(b.status()).out)
        self.succeed(b.apply())
        self.finished(b)
        self.refuse(b.run("maand-apply", "pause", "2", "--reason", "late", "--bucket", b.path), 65, "succeeded")

    def test_until_a_wave(self):
        b = self.two_waves()
        reached = self.succeed(b.apply("--until", "wave:0"))
        self.assertIn("as far as --until says", reached.out)
        self.assertIn("without --until", reached.out)
        self.assertIn("as far as --until says", self.succeed(b.status()).out)
        self.assertEqual({job for job, _, _ in b.targets()}, {"db"})
        self.succeed(b.apply("--until", "wave:0"))
        self.succeed(b.apply())
        self.assertEqual(len(b.targets()), 6)
        self.refuse(b.apply("--until", "soon"), 64)

    def test_status_from_another_terminal(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        watch = subprocess.Popen([os.path.join(bucket.BIN, "maand-apply"), "status", "--watch", "--bucket", b.path],
                                 stdout=subprocess.PIPE, text=True)
        b.children.append(watch)
        status = json.loads(self.succeed(b.status("--format", "json")).out)
        self.assertEqual((status["state"], status["pid"]), ("running", child.pid))
        self.assertIn(f"{WORKERS[0]}/restart", json.dumps(status["steps"]))
        b.release("api", WORKERS[0])
        self.ended(child, 0)
        out, _ = watch.communicate(timeout=bucket.LIMIT)
        self.assertEqual(watch.returncode, 0)
        self.assertIn("succeeded", out)

    # -- failures

    def test_retry_is_recorded(self):
        b = self.deployed()
        b.fail("api", WORKERS[1])
        self.refuse(b.apply(), 1)
        b.mend("api", WORKERS[1])
        self.succeed(b.apply("--retry-failed"))
        history = self.succeed(b.run("maand-apply", "history", "--bucket", b.path)).out
        self.assertRegex(history, rf"retry-failed.*{re.escape(WORKERS[1])}")
        self.finished(b)

    def test_continue_lets_independent_jobs_go_on(self):
        b = self.two_waves()
        conf = b.path / "maand.conf"
        conf.write_text(conf.read_text() + 'on_failure = "continue"\n')
        b.job("web")
        self.succeed(b.plan())
        b.fail("db", WORKERS[0])
        self.refuse(b.apply(), 1, "db", WORKERS[0])
        self.assertEqual({(job, w) for job, w, _ in b.targets()},
                         {("db", w) for w in WORKERS[1:]} | {("web", w) for w in WORKERS})
        b.mend("db", WORKERS[0])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(len(b.targets()), 9)

    # -- unknown

    def kill_runner(self, b, worker):
        """Kills what runs the target on the worker, and the target."""
        runs = bucket.until(lambda: list(self.receipts(b, worker).glob("*/*.run")), "a runner")
        pid = int(max(runs, key=lambda f: f.stat().st_mtime).read_text().split()[1])
        for victim in [pid, *b.processes()]:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def unknown(self, **manifest):
        b = self.deployed(**manifest)
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        self.kill_runner(b, WORKERS[0])
        b.release("api", WORKERS[0])
        return b, child

    def test_a_killed_runner_is_unknown_until_resolved(self):
        for verdict, rest in (("succeeded", WORKERS[1:]), ("failed", WORKERS)):
            with self.subTest(verdict):
                b, child = self.unknown()
                text = self.ended(child, 4)
                step = f"api/upgrade/1/{WORKERS[0]}/restart"
                self.assertIn(step, text)
                self.assertIn("resolve", text)
                self.refuse(b.apply(), 4, step)
                self.refuse(b.apply("--retry-failed"), 4, step)
                self.assertEqual(len(b.began()), 1)
                self.refuse(b.run("maand-apply", "resolve", "2", "api/nonsense", "failed", "--reason", "r", "--bucket",
                                  b.path), 65, "has no step api/nonsense", f"Unknown is: {step}")
                self.refuse(b.run("maand-apply", "resolve", "2", "api/complete", "failed", "--reason", "r", "--bucket",
                                  b.path), 65, "has not begun")
                self.succeed(b.run("maand-apply", "resolve", "2", step, verdict, "--reason", "looked", "--bucket", b.path))
                if verdict == "failed":
                    self.refuse(b.apply(), 1, step)
                self.succeed(b.apply("--retry-failed"))
                self.assertEqual(b.targets(), [("api", worker, "restart") for worker in rest])
                history = self.succeed(b.run("maand-apply", "history", "--bucket", b.path)).out
                self.assertRegex(history, rf"resolve.*{verdict}.*looked")
                self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def test_a_repeatable_target_is_repeated(self):
        b, child = self.unknown(repeatable=["restart"])
        self.ended(child, 0)
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])

    def test_receipts_that_vanished_prove_nothing(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        child.kill()
        child.communicate()
        b.release("api", WORKERS[0])
        bucket.until(lambda: not b.processes(), "the target ended")
        shutil.rmtree(self.receipts(b, WORKERS[0]))
        self.refuse(b.apply(), 4, f"{WORKERS[0]}/restart")
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")])
        step = f"api/upgrade/1/{WORKERS[0]}/restart"
        self.succeed(b.run("maand-apply", "resolve", "2", step, "succeeded", "--reason", "its log", "--bucket", b.path))
        self.succeed(b.apply())
        self.finished(b)

    # -- stale

    def test_drift_on_a_worker(self):
        b = self.deployed(max_concurrent_upgrades=2)
        file = b.job_dir(WORKERS[1], "api") / "app.conf"
        file.write_text("edited by hand\n")
        self.refuse(b.apply(), 3, WORKERS[1], "app.conf", "expected", "found", "-old", "+edited by hand")
        self.assertEqual(b.began(), [], "something of the stale batch has run")
        self.assertEqual((b.job_dir(WORKERS[0], "api") / "app.conf").read_text(), "old\n")
        self.refuse(b.apply(), 3, "app.conf")
        file.write_text("old\n")
        self.succeed(b.apply())
        self.assertEqual(sorted(b.targets()), [("api", worker, "restart") for worker in WORKERS])

    def test_drift_in_the_middle(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        (b.job_dir(WORKERS[2], "api") / "app.conf").unlink()
        b.release("api", WORKERS[0])
        text = self.ended(child, 3)
        self.assertIn(WORKERS[2], text)
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS[:2]])
        # What the plan shall bring is as good as what it found.
        (b.job_dir(WORKERS[2], "api") / "app.conf").write_text("new\n")
        self.succeed(b.apply())
        self.finished(b)

    def test_catalog_changed_behind_the_run(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        import sqlite3
        with sqlite3.connect(b.path / "maand.db", timeout=20) as db:
            db.execute("UPDATE allocation SET promoted_version = '0.9.9' WHERE worker = ?", (WORKERS[1],))
        b.release("api", WORKERS[0])
        text = self.ended(child, 3)
        for word in (WORKERS[1], "1.0.0", "0.9.9"):
            self.assertIn(word, text)
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")])

    def test_a_dry_run_says_what_the_command_would_do(self):
        b = self.deployed()
        def foreseen(*flags, code=0):
            result = self.succeed(b.apply("--dry-run", *flags), code)
            return [line for line in result.out.splitlines() if "/" in line]
        first = f"api/upgrade/1/{WORKERS[0]}"
        self.assertEqual(foreseen()[:3], [f"{first}/push", f"{first}/restart", f"{first}/promote"])
        self.assertEqual(len(foreseen()), 10)
        b.fail("api", WORKERS[1])
        self.succeed(b.apply(), 1)
        self.assertEqual(foreseen(), [], "the same command does nothing")
        self.assertIn(f"api/upgrade/2/{WORKERS[1]}/restart", foreseen("--retry-failed"))
        self.succeed(b.abandon(2))
        foreseen(code=3)
        self.assertEqual(len(b.began()), 2)

    def test_a_changed_makefile_does_not_stop_a_job(self):
        b = self.deployed()
        b.write("disabled.json", json.dumps({"jobs": {"api": {}}, "workers": []}))
        self.succeed(b.plan())
        makefile = b.job_dir(WORKERS[1], "api") / "Makefile"
        before = makefile.read_text()
        makefile.write_text("stop:\n\ttouch hacked\n")
        self.refuse(b.apply(), 3, WORKERS[1], "Makefile on the worker")
        self.assertFalse((b.job_dir(WORKERS[1], "api") / "hacked").exists())
        makefile.write_text(before)
        self.succeed(b.apply())

    # -- abandon, take over

    def test_abandon_lets_the_next_plan_replace_what_somebody_changed(self):
        b = self.deployed()
        file = b.job_dir(WORKERS[1], "api") / "app.conf"
        file.write_text("by hand\n")
        self.refuse(b.apply(), 3, WORKERS[1], "app.conf on the worker", "abandon")
        status = self.succeed(b.status()).out
        self.assertIn("app.conf on the worker", status)
        self.assertIn("Restore the expected state", status)
        self.succeed(b.abandon(2, "it shall go"))
        self.succeed(b.plan())
        planned = bucket.actions(b.read_plan())["api"]
        self.assertEqual(planned[WORKERS[1]], ("restart", "unfinished"))
        self.succeed(b.apply())
        self.assertEqual(file.read_text(), "new\n")

    def test_drift_of_a_run_that_was_given_up_is_nothing_that_was_begun(self):
        b = self.deployed()
        (b.job_dir(WORKERS[0], "api") / "app.conf").write_text("by hand\n")
        self.refuse(b.apply(), 3)
        self.succeed(b.abandon(2))
        b.write("disabled.json", json.dumps({"jobs": {"api": {}}, "workers": []}))
        self.succeed(b.plan())
        self.succeed(b.apply())
        rows = json.loads(self.succeed(b.catalog("allocations", "--format", "json")).out)
        self.assertEqual({(row["standing"], row["promoted"]["version"]) for row in rows}, {("stopped", "1.0.0")})
        # Once more: a stopped one is stopped, whatever is found there.
        (b.workspace / "disabled.json").unlink()
        self.succeed(b.plan())
        (b.job_dir(WORKERS[1], "api") / "app.conf").write_text("by hand\n")
        self.refuse(b.apply(), 3)
        self.succeed(b.abandon(4))
        b.write("disabled.json", json.dumps({"jobs": {"api": {}}, "workers": []}))
        self.succeed(b.plan("--detailed-exitcode"))
        (b.workspace / "disabled.json").unlink()
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertEqual(sorted(b.targets()),
                         sorted([("api", worker, action) for worker in WORKERS for action in ("start", "stop")]))
        self.assertEqual({row[3:5] for row in b.rows() if row.target == "start"}, {("1.0.0", "1.1.0")})

    def test_a_foreign_folder_is_never_stopped(self):
        b = bucket.Bucket(self)
        b.workers(WORKERS[0])
        b.job("api")
        folder = b.job_dir(WORKERS[0], "api")
        folder.mkdir(parents=True)
        (folder / "Makefile").write_text("stop:\n\ttouch stopped\n")
        self.succeed(b.plan())
        self.refuse(b.apply(), 3, "Makefile")
        self.succeed(b.abandon(1))
        b.write("disabled.json", json.dumps({"jobs": {"api": {}}, "workers": []}))
        self.succeed(b.plan("--detailed-exitcode"))
        (b.workspace / "disabled.json").unlink()
        shutil.rmtree(b.workspace / "jobs/api")
        self.succeed(b.plan("--detailed-exitcode"))
        self.assertFalse((folder / "stopped").exists())
        # But the next deployment replaces it.
        b.job("api")
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan())["api"][WORKERS[0]], ("start", "first_deploy"))
        self.succeed(b.apply())

    def test_abandon_closes_what_has_not_begun(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        child.kill()
        child.communicate()
        abandoned = self.succeed(b.abandon(2, "enough"))
        self.assertIn("still runs", abandoned.err)
        b.release("api", WORKERS[0])
        bucket.until(lambda: not b.processes(), "the target ended")
        self.refuse(b.apply(), 3, "abandoned")
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan())["api"][WORKERS[0]], ("restart", "unfinished"))
        self.succeed(b.apply())
        self.assertEqual(b.targets()[1:], [("api", worker, "restart") for worker in WORKERS])

    def test_what_a_dead_attempt_left_does_not_hold_up_the_next_plan(self):
        make = bucket.makefile() + "\t@if [ -e ../../../../../../../../knobs/fork ]; then sleep 60 & echo $$! > data/left; sleep 60; fi\n"
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", make=make)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.job("api", "1.1.0", make=make)
        self.succeed(b.plan())
        (b.knobs / "fork").touch()
        child = b.start_apply()
        left = b.job_dir(WORKERS[0], "api") / "data/left"
        bucket.until(lambda: left.exists() and left.read_text(), "the target forked")
        runs = list(self.receipts(b, WORKERS[0]).glob("*/*.run"))
        os.kill(int(max(runs, key=lambda f: f.stat().st_mtime).read_text().split()[1]), signal.SIGKILL)
        self.ended(child, 4)
        (b.knobs / "fork").unlink()
        told = self.succeed(b.abandon(2, "enough"))
        self.assertIn(f"processes of it still live: ", told.err)
        self.assertIn(left.read_text().strip(), told.err)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.end_processes()

    def test_a_repeatable_target_is_not_repeated_beside_what_lives(self):
        make = bucket.makefile() + "\t@if [ -e ../../../../../../../../knobs/fork ]; then sleep 60 & echo $$! > data/left; sleep 60; fi\n"
        b = bucket.Bucket(self)
        b.workers(WORKERS[0])
        for version in ("1.0.0", "1.1.0"):
            b.job("api", version, make=make, repeatable=["restart"])
            self.succeed(b.plan())
            if version == "1.0.0":
                self.succeed(b.apply())
        (b.knobs / "fork").touch()
        b.forget()
        child = b.start_apply()
        left = b.job_dir(WORKERS[0], "api") / "data/left"
        bucket.until(lambda: left.exists() and left.read_text(), "the target forked")
        runs = list(self.receipts(b, WORKERS[0]).glob("*/*.run"))
        os.kill(int(max(runs, key=lambda f: f.stat().st_mtime).read_text().split()[1]), signal.SIGKILL)
        (b.knobs / "fork").unlink()
        # Time enough to repeat it at once, as it was done where nothing lives.
        time.sleep(2)
        self.assertEqual(len(b.began()), 1)
        b.end_processes()
        self.ended(child, 0)
        self.assertEqual(len(b.began()), 2)

    def test_another_controller_is_refused_until_it_takes_over(self):
        b = self.deployed()
        owner = b.path / "workers" / WORKERS[1] / "opt/worker" / b.id / "owner"
        owner.write_text("someoneelse 7 abcdef\n")
        self.refuse(b.apply(), 69, WORKERS[1], "someoneelse", "--take-over")
        self.assertEqual(b.began(), [])
        self.succeed(b.apply("--take-over"))
        self.finished(b)
        self.assertIn("take-over", self.succeed(b.run("maand-apply", "history", "--bucket", b.path)).out)

    def test_an_old_copy_of_the_database_is_refused(self):
        b = self.deployed()
        copies = {f: f.read_bytes() for f in b.path.glob("maand.db*")}
        self.succeed(b.apply())
        for file in b.path.glob("maand.db*"):
            file.unlink()
        for file, content in copies.items():
            file.write_bytes(content)
        b.job("api", "1.2.0", files={"app.conf": "newer\n"})
        self.succeed(b.plan())
        begun = b.began()
        self.assertNotEqual(b.apply().code, 0)
        self.assertEqual(b.began(), begun, "an old copy of the database acted")

    # -- plans and processes

    def test_the_plan_file_is_read_once(self):
        b = self.deployed()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        kept = b.file().read_bytes()
        b.file().write_text("nonsense\n")
        b.release("api", WORKERS[0])
        self.ended(child, 0)
        b.file().write_bytes(kept)
        self.finished(b)

    def test_targets_inherit_nothing(self):
        make = (".PHONY: start restart\nstart restart:\n\t@mkdir -p data; grep Sig /proc/self/status > data/signals; "
                "ls -l /proc/self/fd > data/fds; env | sort > data/env\n")
        b = bucket.Bucket(self)
        b.workers(WORKERS[0])
        b.job("api", make=make)
        self.succeed(b.plan())
        with open("/dev/null") as extra:
            os.set_inheritable(extra.fileno(), True)
            self.succeed(b.apply(pass_fds=[extra.fileno()]))
        data = b.job_dir(WORKERS[0], "api") / "data"
        masks = dict(line.split(":\t") for line in (data / "signals").read_text().splitlines())
        for field in ("SigBlk", "SigIgn"):
            # 32 and 33 belong to the C library.
            self.assertEqual(int(masks[field], 16) & ~(3 << 31), 0, f"{field}: {masks[field]}")
        fds = [line.split(" -> ")[1] for line in (data / "fds").read_text().splitlines() if " -> " in line]
        for target in fds:
            self.assertNotIn(str(b.path) + "/maand", target)
            self.assertNotIn("socket:", target)
        self.assertLessEqual(len(fds), 4, fds)
        names = {line.split("=")[0] for line in (data / "env").read_text().splitlines()}
        self.assertLessEqual(names, {
            "ALLOCATION_IP", "CURRENT_VERSION", "JOB", "NEW_VERSION", "HOME", "USER", "LOGNAME", "LANG", "PATH", "SHELL",
            "PWD", "OLDPWD", "SHLVL", "_", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKE_TERMOUT", "MAKE_TERMERR"})

    def test_old_receipts_are_removed(self):
        b = self.deployed()
        for number in range(6):
            b.job("api", f"2.{number}.0", files={"app.conf": f"{number}\n"})
            self.succeed(b.plan())
            result = self.succeed(b.apply())
            self.assertNotIn("warning", result.out)
        kept = [f for f in self.receipts(b, WORKERS[0]).iterdir() if f.is_dir() and f.name != ".lock"]
        self.assertLessEqual(len(kept), 4, kept)

    # -- the database

    def test_a_locked_database(self):
        import sqlite3
        b = self.deployed()
        db = sqlite3.connect(b.path / "maand.db", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        self.refuse(b.apply(), 1, "locked", "fuser")
        db.execute("ROLLBACK")
        db.close()
        self.succeed(b.apply())
        self.finished(b)

    def test_a_damaged_database(self):
        b = self.deployed()
        file = b.path / "maand.db"
        kept = file.read_bytes()
        size = len(kept)
        with open(file, "r+b") as f:
            for at in range(4096, size, 4096):
                f.seek(at)
                f.write(b"\xff" * 512)
        for wal in b.path.glob("maand.db-*"):
            wal.unlink()
        self.refuse(b.apply(), 1, "maand.db", "backup")
        self.assertEqual(b.began(), [])
