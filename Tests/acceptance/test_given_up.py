"""Runs that are given up in the middle, or that never came to anything: what the next plan and the next command do."""
import json
import signal
import time

import bucket

WORKERS = ["127.0.8.1", "127.0.8.2"]


class GivenUp(bucket.Case):
    def deployed(self, **manifest):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", make=bucket.makefile(0), **manifest)
        self.succeed(b.plan())
        return b

    def applied(self, **manifest):
        b = self.deployed(**manifest)
        self.succeed(b.apply())
        b.forget()
        return b

    def disable(self, b, *jobs):
        b.write("disabled.json", json.dumps({"jobs": {job: {} for job in jobs}, "workers": []}))

    def leave(self, b):
        """Only another job is left in the workspace."""
        bucket.shutil.rmtree(b.workspace / "jobs/api")
        b.job("other", make=bucket.makefile(0))

    def die(self, b, place):
        """Applies a copy to find the place, and dies there; the copy is gone then."""
        twin = b.copy(self)
        log = twin.top / "places"
        twin.apply(env=b.environment(MAAND_FAULT_LOG=str(log)))
        if not log.exists():
            self.skipTest("only a build with test hooks can be told where to die")
        places = log.read_text().splitlines()
        twin.remove()
        number = next(number for number, line in enumerate(places, 1) if place in line)
        self.assertEqual(b.apply(env=b.environment(MAAND_FAULT_AT=str(number))).code, -9)

    # -- stops

    def test_a_stop_that_ended_is_known(self):
        """The target ends while nobody looks; the job comes back, and has to be started."""
        for policy in ("never", "reload", "always"):
            b = self.applied(restart_policy=policy)
            self.disable(b, "api")
            self.succeed(b.plan())
            b.hold("api", WORKERS[0])
            child = b.start_apply()
            bucket.until(lambda: len(b.targets()) == 1 and len(b.began()) == 2, "one stop ended and the other under way")
            child.kill()
            child.wait()
            b.release("api", WORKERS[0])
            bucket.until(lambda: len(b.targets()) == 2, "both have ended")
            self.succeed(b.abandon(2))
            (b.workspace / "disabled.json").unlink()
            self.succeed(b.plan())
            self.assertEqual(bucket.actions(b.read_plan())["api"], {w: ("start", "re_enabled") for w in WORKERS})
            self.succeed(b.apply())
            self.assertEqual([row.target for row in b.rows()], ["stop", "stop", "start", "start"])

    def test_a_removal_dies_behind_its_last_word(self):
        """The files are gone, and the catalog does not know it: the next plan finishes all the same."""
        b = self.applied()
        self.leave(b)
        self.succeed(b.plan())
        self.die(b, f"after api/stop/1/{WORKERS[0]}/remove did its work")
        self.succeed(b.abandon(2))
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertEqual({row.job for row in b.rows() if row.target == "start"}, {"other"})
        self.succeed(b.plan("--detailed-exitcode"))

    def test_a_first_start_that_never_came_there(self):
        """Its intent is recorded and nothing is there: then nothing has to be stopped."""
        for change in (self.leave, lambda b: self.disable(b, "api")):
            b = self.deployed()
            self.die(b, f"after the checkpoint of api/start/1/{WORKERS[0]}/push")
            self.succeed(b.abandon(1))
            change(b)
            self.succeed(b.plan())
            self.succeed(b.apply())
            self.succeed(b.plan("--detailed-exitcode"))

    # -- runs of which nothing had begun

    def not_ready(self, b):
        """A second plan, whose run finds a worker not ready."""
        b.job("api", "2.0.0", make=bucket.makefile(0))
        self.succeed(b.plan(out="b.plan.yaml"))
        root = b.path / "workers" / WORKERS[1]
        root.rename(root.with_suffix(".away"))
        root.write_text("no folder")
        self.refuse(b.apply(plan="b.plan.yaml"), 69, WORKERS[1])

        def mend():
            root.unlink()
            root.with_suffix(".away").rename(root)
        return mend

    def test_what_does_nothing_gives_nobody_up(self):
        b = self.applied()
        self.succeed(b.plan(out="empty.plan.yaml"))
        mend = self.not_ready(b)
        self.assertIn("Done already", self.succeed(b.apply()).out)
        self.assertIn("Nothing to do", self.succeed(b.apply(plan="empty.plan.yaml")).out)
        mend()
        self.succeed(b.apply(plan="b.plan.yaml"))
        self.assertEqual([row.new for row in b.rows()], ["2.0.0"] * 2)

    def test_what_never_began_has_to_begin_in_time(self):
        b = self.applied()
        b.job("api", "2.0.0", make=bucket.makefile(0))
        limit = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3000))
        self.succeed(b.plan("--start-before", limit, out="b.plan.yaml"))
        root = b.path / "workers" / WORKERS[1]
        root.rename(root.with_suffix(".away"))
        root.write_text("no folder")
        self.refuse(b.apply(plan="b.plan.yaml"), 69, WORKERS[1])
        root.unlink()
        root.with_suffix(".away").rename(root)
        self.refuse(b.apply(plan="b.plan.yaml", env=b.environment(MAAND_TIME_OFFSET="3600")), 3, "start_before")
        self.assertEqual(b.began(), [])

    # -- while nobody executes

    def test_pause_means_who_waits_too(self):
        b = self.applied()
        b.job("api", "2.0.0", make=bucket.makefile(1), timeouts={"action": 2, "push": 1})
        opening = time.gmtime(time.time() - 60)
        self.succeed(b.plan("--window", time.strftime("daily %H:%M for 3h in UTC", opening)))
        b.hold("api", WORKERS[0])
        child = b.start_apply("--wait")
        bucket.until(lambda: b.began(), "the first target begun")
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        b.write("freezes.yaml", f'zone: UTC\nfreezes:\n  - {{from: "{now}", until: "2099-01-01T00:00", reason: a test}}\n')
        b.release("api", WORKERS[0])
        bucket.until(lambda: "parked" in b.status().out, "parked")
        self.succeed(b.run("maand-apply", "pause", "2", "--reason", "enough", "--bucket", b.path))
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, out + err)
        self.assertIn("enough", out + err)
        (b.workspace / "freezes.yaml").unlink()
        self.succeed(b.apply())

    def test_a_signal_before_the_waiting_counts(self):
        b = self.applied()
        b.job("api", "2.0.0", make=bucket.makefile(0))
        later = time.gmtime(time.time() + 7200)
        self.succeed(b.plan("--window", time.strftime("daily %H:%M for 3h in UTC", later)))
        # Whenever it comes, the process ends with it.
        for delay in (0.05, 0.15, 0.3):
            child = b.start_apply("--wait")
            time.sleep(delay)
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=bucket.LIMIT)
            self.assertIn(child.returncode, (75, -signal.SIGTERM), "it has no handler yet, or parks")

    # -- receipts

    def test_receipts_that_vanish_under_a_command(self):
        """The lock of the job still says how it ended, and nothing runs it again."""
        b = bucket.Bucket(self)
        b.workers(WORKERS[0])
        b.job("api", make="start:\n\t@mkdir -p data; echo ran >> data/log; rm -rf ../../receipts/[0-9a-f]*[0-9a-f]\n")
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual((b.job_dir(WORKERS[0], "api") / "data/log").read_text(), "ran\n")
