"""`maand-plan catalog refresh`: a lost, old or wrong catalog is brought to what the workers say."""
import json
import os

import bucket

WORKERS = ["127.0.6.1", "127.0.6.2", "127.0.6.3"]


class Refresh(bucket.Case):
    def deployed(self, **manifest):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files={"app.conf": "one\n", "conf/deep/x.yml": "x\n"}, **manifest)
        (b.workspace / "jobs/api/current").symlink_to("conf/deep")
        b.write("jobs/api/tool.sh", "true\n", executable=True)
        (b.workspace / "jobs/api/empty").mkdir()
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        return b

    def lose(self, b):
        for name in ("maand.db", "maand.db-wal", "maand.db-shm"):
            (b.path / name).unlink(missing_ok=True)

    def records(self, b):
        """What is recorded, without what differs from run to run."""
        rows = [row for row in json.loads(self.succeed(b.catalog("allocations", "--format", "json")).out) if row["standing"]]
        for row in rows:
            for key in ("run", "changed_at", "not_passed_gate"):
                del row[key]
        return rows

    def test_what_agrees_stays(self):
        b = self.deployed()
        before = (b.path / "maand.db").stat().st_mtime_ns, self.succeed(b.catalog("export")).out
        told = self.succeed(b.catalog("refresh"))
        self.assertEqual(told.out, "")
        self.assertIn("3 allocations are as recorded, 0 differ.", told.err)
        self.assertEqual(self.succeed(b.catalog("export")).out, before[1])

    def test_from_within_the_bucket(self):
        b = self.deployed()
        for folder, flags in ((b.path, ()), (b.top, ("--bucket", b.path.name))):
            told = self.succeed(b.run_in(folder, "maand-plan", "catalog", "refresh", "--dry-run", *flags))
            self.assertRegex(told.err, r"\b[1-9]\d* allocations are as recorded, 0 differ")

    def test_a_lost_database(self):
        b = self.deployed()
        b.job("api", "2.0.0")
        self.succeed(b.plan())
        self.succeed(b.apply())
        before = self.records(b)
        self.lose(b)
        self.succeed(b.plan(out="blind.plan.yaml"))
        self.assertEqual(bucket.actions(b.read_plan("blind.plan.yaml"))["api"][WORKERS[0]], ("start", "first_deploy"))
        told = self.succeed(b.catalog("refresh", "--dry-run"))
        self.assertEqual(len([line for line in told.out.splitlines() if "promoted 2.0.0" in line]), 3)
        self.assertIn("Nothing was recorded", told.err)
        self.assertEqual(self.records(b), [])
        b.forget()
        self.succeed(b.catalog("refresh"))
        self.assertEqual(self.records(b), before)
        self.assertIn("0 differ", self.succeed(b.catalog("refresh")).err)
        self.assertEqual(b.began(), [], "workers are only asked")
        # The run's number is past what the workers have seen, so that nobody has to take them over.
        b.job("api", "3.0.0")
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan())["api"][WORKERS[0]], ("restart", "version_changed"))
        self.succeed(b.apply())
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])
        self.assertIn("refresh", self.succeed(b.run("maand-apply", "history", "--bucket", b.path)).out)
        for run in ("3", "4"):
            self.succeed(b.status(run))

    def test_a_comparison_leaves_the_last_word_alone(self):
        b = self.deployed()
        b.job("api", "2.0.0", files={"app.conf": "two\n"})
        self.succeed(b.plan())
        (b.job_dir(WORKERS[2], "api") / "app.conf").write_text("by hand\n")
        self.refuse(b.apply(), 3)
        self.succeed(b.abandon(2))
        (b.job_dir(WORKERS[2], "api") / "app.conf").write_text("one\n")
        self.lose(b)
        told = self.succeed(b.catalog("refresh"))
        self.assertEqual(len([line for line in told.out.splitlines() if "promoted 1.0.0" in line]), 3, told.out)

    def test_what_a_target_has_changed_is_as_recorded(self):
        for line in ("rm -rf conf", "sed -i 's/1.0.0/1.0.0-built/' manifest.json", "rm manifest.json"):
            b = bucket.Bucket(self)
            b.workers(WORKERS[0])
            b.job("api", files={"conf/x.yml": "x\n"}, make=bucket.makefile(pause=0) + f"\t@{line}\n")
            self.succeed(b.plan())
            self.succeed(b.apply())
            self.assertIn("1 allocation", self.succeed(b.catalog("refresh")).err)
            self.succeed(b.plan("--detailed-exitcode"))

    def test_the_gate_of_a_lost_database_comes_first(self):
        health = bucket.Health(self, *WORKERS)
        b = self.deployed(**health.manifest())
        self.lose(b)
        self.succeed(b.catalog("refresh"))
        self.succeed(b.plan("--detailed-exitcode"), 2)
        health.probes.clear()
        self.succeed(b.apply())
        self.assertEqual(b.began(), [])
        self.assertEqual({worker for _, worker in health.probes}, set(WORKERS))
        self.succeed(b.plan("--detailed-exitcode"))

    def test_what_failed_or_was_stopped_is_not_taken_for_running(self):
        b = self.deployed()
        b.job("api", "2.0.0", max_concurrent_upgrades=3)
        b.write("disabled.json", json.dumps({"jobs": {"api": {"allocations": [WORKERS[2]]}}}))
        b.fail("api", WORKERS[1])
        self.succeed(b.plan())
        self.succeed(b.apply(), 1)
        self.succeed(b.abandon(2))
        self.lose(b)
        told = self.succeed(b.catalog("refresh")).out.splitlines()
        self.assertIn("promoted 2.0.0", told[1])
        self.assertIn("unfinished 2.0.0", told[2])
        self.assertIn("stopped 1.0.0", told[3])
        b.mend("api", WORKERS[1])
        b.forget()
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan()), {"api": {WORKERS[1]: ("start", "first_deploy")}})
        self.succeed(b.apply())
        (b.workspace / "disabled.json").unlink()
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan()), {"api": {WORKERS[2]: ("start", "re_enabled")}})
        self.succeed(b.apply())

    def test_edited_files_and_lost_workers(self):
        b = self.deployed()
        with open(b.job_dir(WORKERS[0], "api") / "app.conf", "a") as file:
            file.write("by hand\n")
        b.run_program("rm", "-r", b.path / "workers" / WORKERS[1])
        told = self.succeed(b.catalog("refresh")).out.splitlines()
        self.assertIn("unfinished 1.0.0", told[1])
        self.assertRegex(told[2], "removed$")
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan()), {"api": {
            WORKERS[0]: ("restart", "unfinished"), WORKERS[1]: ("start", "first_deploy")}})
        self.succeed(b.apply())
        self.assertEqual((b.job_dir(WORKERS[0], "api") / "app.conf").read_text(), "one\n")

    def test_a_link_that_somebody_changed(self):
        """Whatever its text is, only that job is another one then."""
        b = self.deployed()
        link = b.job_dir(WORKERS[1], "api") / "current"
        for text in (b"x\ny", b"x\n", b"\xff\xfe"):
            link.unlink()
            os.symlink(text, os.fsencode(link))
            told = self.succeed(b.catalog("refresh", "--dry-run")).out.splitlines()
            self.assertEqual(len(told), 2, told)
            self.assertIn(WORKERS[1], told[1])
            self.assertIn("unfinished 1.0.0", told[1])

    def test_an_owner_that_is_no_run(self):
        b = self.deployed()
        owner = b.path / "workers" / WORKERS[0] / "opt/worker" / b.id / "owner"
        owner.write_text(owner.read_text().split()[0] + " 9223372036854775807 abc\n")
        before = b.catalog("export").out
        self.refuse(b.catalog("refresh"), 69, f"{WORKERS[0]}: the worker's answer is invalid: ", "--take-over")
        self.assertEqual(b.catalog("export").out, before)
        # The advice works.
        b.job("api", "2.0.0")
        self.succeed(b.plan())
        self.succeed(b.apply("--take-over"))
        self.succeed(b.catalog("refresh"))

    def test_jobs_and_workers_that_left_the_workspace(self):
        b = self.deployed()
        b.workers(*WORKERS[:2])
        b.job("other")
        self.succeed(b.plan("--jobs", "other"))
        self.succeed(b.apply())
        b.run_program("rm", "-r", b.workspace / "jobs/other")
        self.lose(b)
        self.succeed(b.catalog("refresh"))
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan())["other"], {
            WORKERS[0]: ("stop", "removed"), WORKERS[1]: ("stop", "removed")})

    def test_while_a_run_is_unfinished(self):
        b = self.deployed()
        b.job("api", "2.0.0")
        b.hold("api", WORKERS[0])
        self.succeed(b.plan())
        child = b.start_apply()
        bucket.until(b.began, "the first target begun")
        self.refuse(b.catalog("refresh"), 75, str(child.pid))
        child.kill()
        child.communicate()
        self.refuse(b.catalog("refresh"), 5, "run 2")
        b.release("api", WORKERS[0])
        self.succeed(b.apply())
        self.assertIn("0 differ", self.succeed(b.catalog("refresh")).err)
