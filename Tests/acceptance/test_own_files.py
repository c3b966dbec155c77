"""Targets that change the job's own files, services that rewrite them, and people who edit them by hand.

What a target of ours leaves behind is the state: the next push puts the planned bytes back before a target runs. What
others change is drift, and is found on all workers before anything begins.
"""
import os
import shutil
import unittest

import bucket
import test_crash

WORKERS = [f"127.0.14.{number}" for number in range(1, 5)]

# Three pushed files are changed: the mode of one, the bytes of one by another file in its place, the bytes of one as they are.
# A target that fails on purpose does so after the first of them.
OWN = """\
\t@chmod 0755 init.sh; sed -i 's/@@/$(WORKER)/' own.conf conf/deep.yml; \\
\tif [ -e $(KNOBS)/fail/$(ME).late ]; then exit 4; fi; \\
\tgrep -q '$(WORKER) $(NEW_VERSION)$$' own.conf
"""


def files(version):
    return {"init.sh": "exit 0\n", "own.conf": f"address = @@ {version}\n", "conf/deep.yml": "at: @@\n",
            "app.conf": version + "\n"}


class Own(bucket.Case):
    def lay(self, b, version, workers=None, **manifest):
        """The files that a target changes are not those of which the plan changes most: `conf/deep.yml` stays."""
        if workers:
            b.workers(*workers)
        b.job("api", version, files(version), bucket.makefile(pause=0) + OWN, **manifest)

    def deployed(self, **manifest):
        b = bucket.Bucket(self)
        self.lay(b, "1.0.0", WORKERS, **manifest)
        self.succeed(b.plan())
        self.succeed(b.apply())
        return b

    def file(self, b, worker, path):
        return b.job_dir(worker, "api") / path

    def assert_left(self, b, version, workers=WORKERS):
        """Each worker's files are as the target leaves what was pushed."""
        for worker in workers:
            self.assertEqual(self.file(b, worker, "own.conf").read_text(), f"address = {worker} {version}\n")
            self.assertEqual(self.file(b, worker, "conf/deep.yml").read_text(), f"at: {worker}\n")
            self.assertTrue(os.access(self.file(b, worker, "init.sh"), os.X_OK))
            self.assertEqual(self.file(b, worker, "app.conf").read_text(), version + "\n")

    def upgrade(self, b, version, *flags, code=0, **manifest):
        self.lay(b, version, **manifest)
        self.succeed(b.plan(*flags))
        return self.succeed(b.apply(), code)

    def service(self):
        """One worker, on which the target runs the line and `gen.txt` was pushed."""
        b = bucket.Bucket(self)
        b.workers(WORKERS[0])
        return b, lambda version, files, line="", **manifest: b.job(
            "api", version, files, bucket.makefile(pause=0) + (f"\t@{line}\n" if line else ""), **manifest)

    def test_what_the_service_rewrote_goes_with_its_release(self):
        b, lay = self.service()
        lay("1.0.0", {"gen.txt": "x\n"}, changed_by_service=["gen.txt"])
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.file(b, WORKERS[0], "gen.txt").write_text("by the service\n")
        lay("2.0.0", {"app.conf": "a\n"}, changed_by_service=["gen.txt"])
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertFalse(self.file(b, WORKERS[0], "gen.txt").exists())

    def test_what_a_target_left_is_kept_in_mind_while_the_service_may_rewrite_it(self):
        b, lay = self.service()
        lay("1.0.0", {"gen.txt": "x\n"}, "sed -i 's/x/by the target/' gen.txt")
        for version, manifest in (("1.0.0", {}), ("2.0.0", {"changed_by_service": ["gen.txt"]}), ("3.0.0", {})):
            if version != "1.0.0":
                lay(version, {"gen.txt": "x\n"}, **manifest)
            self.succeed(b.plan())
            self.succeed(b.apply())
        self.assertEqual(self.file(b, WORKERS[0], "gen.txt").read_text(), "x\n")

    def test_five_upgrades(self):
        b = self.deployed()
        self.assert_left(b, "1.0.0")
        for number in range(2, 7):
            version = f"{number}.0.0"
            if number != 4:
                self.upgrade(b, version)
            else:
                (b.knobs / "fail" / f"api.{WORKERS[2]}.late").touch()
                self.upgrade(b, version, code=1)
                (b.knobs / "fail" / f"api.{WORKERS[2]}.late").unlink()
                self.succeed(b.apply("--retry-failed"))
            self.assert_left(b, version)
            agreed = self.succeed(b.catalog("refresh", "--dry-run"))
            self.assertIn("4 allocations are as recorded, 0 differ", agreed.err)
        # Nothing differs for the planner, either.
        self.succeed(b.plan("--detailed-exitcode"))

    def test_a_target_that_failed_and_another_plan(self):
        b = self.deployed()
        (b.knobs / "fail" / f"api.{WORKERS[0]}.late").touch()
        self.upgrade(b, "2.0.0", code=1)
        (b.knobs / "fail" / f"api.{WORKERS[0]}.late").unlink()
        self.succeed(b.abandon(2))
        self.upgrade(b, "3.0.0")
        self.assert_left(b, "3.0.0")

    def test_what_is_edited_between_the_push_and_the_target_is_found_by_the_next_process(self):
        b = self.deployed()
        self.lay(b, "2.0.0")
        self.succeed(b.plan())
        log = b.top / "places"
        twin = b.copy(self)
        self.succeed(twin.apply(env=b.environment(MAAND_FAULT_LOG=str(log))))
        if not log.exists():
            self.skipTest("only a build with test hooks can be told where to die")
        places = log.read_text().splitlines()
        place = max(index for index, name in enumerate(places, 1)
                    if name.partition(" ")[2] == f"after the checkpoint of api/upgrade/1/{WORKERS[0]}/push")
        self.assertEqual(b.apply(env=b.environment(MAAND_FAULT_AT=str(place))).code, -9)
        pushed = self.file(b, WORKERS[0], "Makefile")
        text = pushed.read_text()
        pushed.write_text("restart:\n\t@touch data/unapproved\n")
        found = self.refuse(b.apply(), 3, "are not as the plan has them")
        self.assertIn("Makefile", found.out)
        self.assertFalse(self.file(b, WORKERS[0], "data/unapproved").exists())
        pushed.write_text(text)
        self.succeed(b.apply())

    def test_sync_leaves_what_a_target_has_left(self):
        b = self.deployed(restart_policy="never")
        self.upgrade(b, "2.0.0", restart_policy="never")
        worker = WORKERS[1]
        self.assertEqual(self.file(b, worker, "own.conf").read_text(), "address = @@ 2.0.0\n")
        self.assertEqual(self.file(b, worker, "conf/deep.yml").read_text(), f"at: {worker}\n")
        self.upgrade(b, "3.0.0")
        self.assert_left(b, "3.0.0")

    # -- what others change

    def test_edits_on_all_workers_are_found_before_anything_begins(self):
        b = self.deployed(commands={"command_p": {"executed_on": ["pre_deploy"]}})
        self.lay(b, "2.0.0", commands={"command_p": {"executed_on": ["pre_deploy"]}})
        b.write("jobs/api/_modules/command_p.py", f"open({str(b.top / 'hook')!r}, 'a').write('ran')\n")
        self.succeed(b.plan())
        began = len(b.began())
        own = self.file(b, WORKERS[1], "own.conf")
        left = own.read_text()
        own.write_text("address = 10.0.0.9 1.0.0\n")
        self.file(b, WORKERS[3], "app.conf").write_text("1.0.0\n\x1b[2Jmore\n")
        # A mode alone is no drift.
        self.file(b, WORKERS[2], "app.conf").chmod(0o600)
        told = self.refuse(
            b.apply(), 3, f"api on {WORKERS[1]}: own.conf on the worker: expected content", ", found content",
            "-address = @@ 1.0.0", "+address = 10.0.0.9 1.0.0", f"api on {WORKERS[3]}: app.conf on the worker",
            " 1.0.0", "more")
        self.assertNotIn("\x1b[2J", told.err)
        self.assertNotIn(WORKERS[2], told.err)
        self.assertEqual(len(b.began()), began)
        self.assertFalse((b.top / "hook").exists(), "a hook has run")
        self.assertEqual(self.file(b, WORKERS[0], "app.conf").read_text(), "1.0.0\n")

        # One is put back, as the target has left it; the other still stands in the way. Then the same command goes on.
        own.write_text(left)
        told = self.refuse(b.apply(), 3, f"api on {WORKERS[3]}: app.conf on the worker")
        self.assertNotIn("own.conf", told.err)
        self.file(b, WORKERS[3], "app.conf").write_text("1.0.0\n")
        self.succeed(b.apply())
        self.assert_left(b, "2.0.0")

    def test_the_next_plan_replaces_what_somebody_has_edited(self):
        b = self.deployed()
        self.file(b, WORKERS[2], "own.conf").write_text("edited\n")
        self.upgrade(b, "2.0.0", code=3)
        self.succeed(b.abandon(2))
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assert_left(b, "2.0.0")

    def test_files_that_the_service_rewrites(self):
        manifest = {"changed_by_service": ["conf/", "*.state"]}
        b = self.deployed(**manifest)
        for worker in WORKERS:
            self.file(b, worker, "conf/deep.yml").write_text("by the service\n")
        self.lay(b, "2.0.0", **manifest)
        self.succeed(b.plan())
        self.assertEqual(b.read_plan()["waves"][0]["jobs"][0]["changed_by_service"], ["conf/deep.yml"])
        shown = self.succeed(b.run("maand-plan", "show", b.file()))
        self.assertIn("its service may rewrite conf/deep.yml", shown.out)
        self.succeed(b.apply())
        for worker in WORKERS:
            self.assertEqual(self.file(b, worker, "conf/deep.yml").read_text(), "by the service\n")
        agreed = self.succeed(b.catalog("refresh", "--dry-run"))
        self.assertIn("4 allocations are as recorded, 0 differ", agreed.err)
        # Without the field it is drift again.
        self.file(b, WORKERS[0], "conf/deep.yml").write_text("by the service, later\n")
        self.upgrade(b, "3.0.0", code=3)

    # -- the first deploy

    def test_a_first_deploy_over_files_of_others(self):
        b = bucket.Bucket(self)
        self.lay(b, "1.0.0", WORKERS)
        for worker, path, text in ((WORKERS[0], "app.conf", "1.0.0\n"), (WORKERS[1], "app.conf", "foreign\n"),
                                   (WORKERS[3], "init.sh", "exit 1\n")):
            self.file(b, worker, path).parent.mkdir(parents=True)
            self.file(b, worker, path).write_text(text)
        self.file(b, WORKERS[0], "app.conf").chmod(0o755)
        self.succeed(b.plan())
        told = self.refuse(b.apply(), 3, f"api on {WORKERS[1]}: app.conf", f"api on {WORKERS[3]}: init.sh", "nothing")
        self.assertNotIn(f"api on {WORKERS[0]}", told.err)
        self.assertEqual(b.began(), [])
        self.file(b, WORKERS[1], "app.conf").unlink()
        self.file(b, WORKERS[3], "init.sh").unlink()
        self.succeed(b.apply())
        self.assert_left(b, "1.0.0")
        # By the plan, whatever it was before.
        self.assertFalse(os.access(self.file(b, WORKERS[0], "app.conf"), os.X_OK))

    def test_a_worker_that_is_taken_out_and_put_back(self):
        b = self.deployed()
        # As where it could not be reached when it was taken out: all of ours is still there.
        root = b.path / "workers" / WORKERS[3]
        shutil.copytree(root, b.top / "aside", symlinks=True)
        b.workers(*WORKERS[:3])
        self.succeed(b.plan())
        self.succeed(b.apply())
        shutil.rmtree(root)
        shutil.copytree(b.top / "aside", root, symlinks=True)
        b.workers(*WORKERS)
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan())["api"], {WORKERS[3]: ("start", "first_deploy")})
        self.succeed(b.apply())
        self.assert_left(b, "1.0.0")


class OwnCrash(test_crash.Crash):
    """Killed at each place of an upgrade whose targets change their files."""
    sample = 8
    pairs = 1
    what = "an upgrade of 2 workers whose targets change pushed files"
    bucket = bucket.Bucket

    def prepared(self):
        first = self.bucket(test_crash.Owner)
        for version in ("1.0.0", "2.0.0"):
            first.workers(*WORKERS[:2])
            first.job("api", version, files(version), bucket.makefile(pause=0) + OWN)
            self.succeed(first.plan())
            if version == "1.0.0":
                self.succeed(first.apply())
                first.forget()
        return first

    def assert_same_rollout(self, b, undisturbed):
        self.assert_same_run(b, undisturbed)
        for worker in WORKERS[:2]:
            for path in ("own.conf", "conf/deep.yml", "init.sh", "app.conf"):
                mine, theirs = b.job_dir(worker, "api") / path, undisturbed.job_dir(worker, "api") / path
                self.assertEqual(mine.read_bytes(), theirs.read_bytes(), f"{worker} {path}")
                self.assertEqual(mine.stat().st_mode, theirs.stat().st_mode, f"{worker} {path}")
        # Nor does the next plan find anything that differs.
        b.job("api", "3.0.0", files("3.0.0"), bucket.makefile(pause=0) + OWN)
        self.succeed(b.plan(out="next.plan.yaml"))
        self.succeed(b.apply(plan="next.plan.yaml"))

    def assert_same_run(self, b, undisturbed):
        super().assert_same_rollout(b, undisturbed)


class Retrying(bucket.Bucket):
    """Each copy has seen a target fail that had changed its files. Not the first one: receipts that are copied prove
    nothing."""

    def copy(self, test):
        other = super().copy(test)
        knob = other.knobs / "fail" / f"api.{WORKERS[0]}.late"
        knob.touch()
        failed = bucket.Bucket.apply(other)
        assert failed.code == 1, failed
        knob.unlink()
        other.forget()
        return other

    def apply(self, *flags, **options):
        return super().apply("--retry-failed", *flags, **options)


class RetryCrash(OwnCrash):
    """The same, of the retry of a target that failed when it had changed its files."""
    what = "the retry of a target that had changed pushed files"
    bucket = Retrying

    def assert_same_run(self, b, undisturbed):
        self.assertEqual(sorted(b.targets()), sorted(undisturbed.targets()))
        for what in ("allocations", "jobs"):
            mine, theirs = b.catalog(what, "--format", "json"), undisturbed.catalog(what, "--format", "json")
            self.assertEqual(bucket.TIME.sub("then", mine.out), bucket.TIME.sub("then", theirs.out))


if __name__ == "__main__":
    unittest.main()
