"""Promises that a user relies on when something goes wrong, or is done twice, or by two people."""
import json
import os
import shutil
import pathlib
import re
import subprocess

import bucket

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKERS = ["127.0.6.1", "127.0.6.2", "127.0.6.3"]


class Promises(bucket.Case):
    def deployed(self, files=None, **manifest):
        """A bucket whose job `api` runs on three workers in version 1.0.0, with empty logs."""
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files=files or {"app.conf": "old\n"}, **manifest)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        return b

    def conf(self, b):
        return [(b.job_dir(worker, "api") / "app.conf").read_text() for worker in WORKERS]

    # -- failures

    def test_failed_restart_then_change_reverted(self):
        b = self.deployed()
        b.job("api", "1.1.0", files={"app.conf": "new\n"})
        self.succeed(b.plan())
        b.fail("api", WORKERS[1])
        self.refuse(b.apply(), 1, WORKERS[1], "restart")
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")], "no batch may start after the failed one")
        self.assertEqual(self.conf(b), ["new\n", "new\n", "old\n"])

        b.job("api", files={"app.conf": "old\n"})
        b.mend("api", WORKERS[1])
        self.succeed(b.plan(out="back.plan.yaml"))
        self.assertEqual(bucket.actions(b.read_plan("back.plan.yaml")), {"api": {
            WORKERS[0]: ("restart", "content_changed"), WORKERS[1]: ("restart", "unfinished")}})
        self.refuse(b.apply(plan="back.plan.yaml"), 5, "2", "abandon")
        self.succeed(b.abandon(2))
        self.succeed(b.plan(out="back.plan.yaml"))
        self.succeed(b.apply(plan="back.plan.yaml"))
        self.assertEqual(self.conf(b), ["old\n"] * 3)
        self.assertEqual(b.targets()[1:], [("api", WORKERS[1], "restart"), ("api", WORKERS[0], "restart")],
                         "what was unfinished comes first")
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def test_a_broken_host_is_taken_out_and_comes_back_with_the_fix(self):
        for how in ("enabled", "removed"):
            with self.subTest(how):
                b = self.deployed()
                b.job("api", "1.1.0", files={"app.conf": "new\n"})
                self.succeed(b.plan())
                b.fail("api", WORKERS[0])
                self.refuse(b.apply(), 1, WORKERS[0])
                self.succeed(b.abandon(2))
                b.mend("api", WORKERS[0])
                b.write("disabled.json", json.dumps({"workers": [WORKERS[0]]}))
                self.succeed(b.plan(out="out.plan.yaml"))
                self.succeed(b.apply(plan="out.plan.yaml"))
                # The files of a rollout that did not end are on that host, and nobody has edited any.
                b.job("api", "1.2.0", files={"app.conf": "fixed\n"})
                (b.workspace / "disabled.json").unlink()
                if how == "removed":
                    b.workers(*WORKERS[1:])
                self.succeed(b.plan(out="back.plan.yaml"))
                self.succeed(b.apply(plan="back.plan.yaml"))
                if how == "enabled":
                    self.assertEqual(self.conf(b), ["fixed\n"] * 3)
                self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def test_a_dry_run_says_why_nothing_would_be_done(self):
        b = self.deployed()
        b.job("api", "1.1.0")
        self.succeed(b.plan())
        b.fail("api", WORKERS[0])
        self.refuse(b.apply(), 1)
        said = self.succeed(b.apply("--dry-run")).out
        self.assertIn("0 steps", said)
        self.assertIn("--retry-failed", said)

    def test_failed_action_says_so_again_and_goes_on_only_when_told(self):
        b = self.deployed()
        b.job("api", "1.1.0")
        self.succeed(b.plan())
        b.fail("api", WORKERS[0])
        self.refuse(b.apply(), 1, WORKERS[0], "restart", "fails on purpose")
        begun = b.began()
        self.refuse(b.apply(), 1, WORKERS[0], "restart", "--retry-failed")
        self.assertEqual(b.began(), begun, "the failed target was repeated without --retry-failed")
        b.mend("api", WORKERS[0])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def test_failed_push(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api")
        blocker = b.job_dir(WORKERS[1], "api")
        blocker.parent.mkdir(parents=True)
        blocker.write_text("a file where the job's folder belongs\n")
        self.succeed(b.plan())
        self.refuse(b.apply(), 1, WORKERS[1], "api")
        self.assertNotIn(("api", WORKERS[1], "start"), b.began())
        blocker.unlink()
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(sorted(b.targets()), [("api", worker, "start") for worker in WORKERS])

    def test_failed_push_then_change_reverted(self):
        b = self.deployed(files={"app.conf": "old\n", "conf/a.yml": "old\n"})
        b.job("api", files={"app.conf": "new\n", "conf/a.yml": "old\n", "extra/b.yml": "b\n"},
              max_concurrent_upgrades=3)
        self.succeed(b.plan())
        blocker = b.job_dir(WORKERS[1], "api") / "extra"
        blocker.write_text("a file where a folder belongs\n")
        failed = b.apply()
        self.assertIn(failed.code, (1, 3), failed)
        self.assertIn(WORKERS[1], failed.err)
        self.assertEqual((b.job_dir(WORKERS[1], "api") / "app.conf").read_text(), "old\n", "half of a push was applied")
        blocker.unlink()
        b.job("api", files={"app.conf": "old\n", "conf/a.yml": "old\n"})
        self.succeed(b.abandon(2))
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertEqual(self.conf(b), ["old\n"] * 3)
        self.assertFalse([w for w in WORKERS if (b.job_dir(w, "api") / "extra").exists()])

    def test_dependents_of_a_failed_job_are_blocked(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("db", commands={"command_db": {"executed_on": ["cli"]}})
        b.job("api", commands={"command_api": {
            "executed_on": ["cli"], "demands": {"job": "db", "command": "command_db", "config": {}}}})
        self.succeed(b.plan())
        b.fail("db", WORKERS[1])
        self.refuse(b.apply(), 1, WORKERS[1], "db", "start")
        self.assertEqual({job for job, _, _ in b.began()}, {"db"})
        status = self.succeed(b.status("--format", "json"))
        self.assertIn("blocked", status.out)
        b.mend("db", WORKERS[1])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(sorted(b.targets()), [(job, w, "start") for job in ("api", "db") for w in WORKERS])

    # -- planning elsewhere

    def test_planning_against_an_export_gives_the_same_bytes(self):
        b = self.deployed(files={"app.conf": "old\n"})
        b.job("api", "2.0.0", files={"app.conf": "new\n"})
        self.succeed(b.plan())
        export = b.top / "catalog.yaml"
        export.write_text(self.succeed(b.catalog("export")).out)
        elsewhere = bucket.Bucket(self)
        shutil.rmtree(elsewhere.workspace)
        shutil.copytree(b.workspace, elsewhere.workspace)
        self.succeed(elsewhere.plan("--catalog", export))
        self.assertEqual(elsewhere.file().read_bytes(), b.file().read_bytes())
        self.succeed(elsewhere.run("maand-plan", "verify", b.file(), "--catalog", export))
        shutil.copy(elsewhere.file(), b.file())
        self.succeed(b.apply())

    # -- care

    def test_a_backup_put_back(self):
        """Nothing is done on workers that know better, until the catalog was brought to what they say."""
        b = self.deployed(files={"app.conf": "one\n"})
        copy = b.top / "copy.db"
        self.succeed(b.catalog("backup", copy))
        self.refuse(b.catalog("backup", copy), 1, "copy.db")
        b.job("api", "2.0.0", files={"app.conf": "two\n"})
        self.succeed(b.plan(out="two.plan.yaml"))
        self.succeed(b.apply(plan="two.plan.yaml"))
        for name in ("maand.db", "maand.db-wal", "maand.db-shm"):
            (b.path / name).unlink(missing_ok=True)
        shutil.copy(copy, b.path / "maand.db")
        b.forget()
        b.job("api", "3.0.0", files={"app.conf": "three\n"})
        self.succeed(b.plan())
        self.refuse(b.apply(), 69, "--take-over", "catalog refresh")
        self.assertIn("abandoned", self.succeed(b.status()).out, "a run of which nothing began remains")
        # Nor does another plan come by, whose run has a number that the workers have not seen.
        b.job("api", "3.1.0", files={"app.conf": "three\n"})
        self.succeed(b.plan())
        self.refuse(b.apply(), 69, "--take-over", "catalog refresh")
        self.refuse(b.apply("--take-over"), 3, "app.conf on the worker")
        self.assertEqual(b.began(), [])
        self.succeed(b.abandon(4))
        self.succeed(b.catalog("refresh"))
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertEqual(self.conf(b), ["three\n"] * 3)

    def test_gc_keeps_what_is_needed(self):
        b = self.deployed(files={"app.conf": "one\n"})
        for version, text in (("2.0.0", "two\n"), ("3.0.0", "three\n")):
            b.job("api", version, files={"app.conf": text})
            self.succeed(b.plan(out=f"{version}.plan.yaml"))
            self.succeed(b.apply(plan=f"{version}.plan.yaml"))
        b.job("api", "4.0.0", files={"app.conf": "four\n"})
        self.succeed(b.plan())
        objects = lambda: {path for path in (b.path / "store").rglob("*") if path.is_file()}
        before = objects()
        self.assertIn("0 objects (0 bytes)", self.succeed(b.catalog("gc")).err)
        self.assertIn("Would remove", self.succeed(b.catalog("gc", "--older-than", "0", "--dry-run")).err)
        self.assertEqual(objects(), before)
        self.succeed(b.catalog("gc", "--older-than", "0"))
        self.assertLess(len(objects()), len(before))
        self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path))
        self.succeed(b.status())
        # The contents of the plan that was not applied are in the workspace still.
        self.succeed(b.apply())
        self.assertEqual(self.conf(b), ["four\n"] * 3)

    def test_the_file_that_a_plan_is_written_to(self):
        b = self.deployed()
        link, pipe = b.top / "link.yaml", b.top / "pipe"
        link.symlink_to("target.yaml")
        self.succeed(b.plan(out="link.yaml"))
        self.assertTrue(link.is_symlink())
        self.assertEqual((b.top / "target.yaml").read_bytes(), link.read_bytes())
        # What is no file is written to, and never replaced: as root, /dev/null would be gone.
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
        self.succeed(b.plan(out="pipe"))
        self.assertEqual(reader.communicate(timeout=bucket.LIMIT)[0], link.read_bytes())
        self.assertTrue(pipe.is_fifo())
        self.refuse(b.plan(out="."), 1, "Is a directory")

    def test_an_export_that_is_not_what_was_exported(self):
        b = self.deployed()
        text = self.succeed(b.catalog("export")).out
        export = b.top / "catalog.yaml"
        for change, words in (((b.id, "another"), ("is not in the form",)),
                              ((f'"{b.id}"', "another"), ("is of the bucket another",)),
                              (("catalog_format: 1", "catalog_format: 2"), ("catalog.yaml:1:17", "format 2")),
                              (("standing: active", "standing: gone"), ("active, stopped, stopped_by_hand or removed",)),
                              (("content: sha256:", "content: sha256:0"), ("64 hexadecimal digits",))):
            self.assertIn(change[0], text)
            export.write_text(text.replace(*change))
            self.refuse(b.plan("--catalog", export), 65, *words)
        self.refuse(b.plan("--catalog", b.top / "none"), 65, "cannot be read", "catalog export")

    # -- gates

    def gated(self):
        """Version 2 was restarted on the first worker, where the gate then failed."""
        health = bucket.Health(self, *WORKERS)
        b = self.deployed(**health.manifest(attempts=2, interval=0))
        b.job("api", "2.0.0", files={"app.conf": "old\n"}, **health.manifest(attempts=2, interval=0))
        self.succeed(b.plan())
        health.sick.add(WORKERS[0])
        self.refuse(b.apply(), 1, "api", WORKERS[0], "503")
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")])
        health.probes.clear()
        return b, health

    def test_failed_gate_runs_alone_then_goes_on(self):
        b, health = self.gated()
        self.refuse(b.apply(), 1, "api", WORKERS[0], "503")
        self.assertTrue(health.probes, "the gate was not asked again")
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")])
        health.sick.clear()
        self.succeed(b.apply())
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])

    def test_failed_gate_abandoned_and_planned_again_comes_first(self):
        b, health = self.gated()
        self.succeed(b.abandon(2, "the gate fails"))
        self.succeed(b.plan(out="again.plan.yaml"))
        self.assertEqual(bucket.actions(b.read_plan("again.plan.yaml")), {"api": {
            worker: ("restart", "version_changed") for worker in WORKERS[1:]}})
        self.refuse(b.apply(plan="again.plan.yaml"), 1, "api", WORKERS[0])
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")], "a batch came before the pending gate")
        health.sick.clear()
        health.probes.clear()
        self.succeed(b.apply(plan="again.plan.yaml"))
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])
        self.assertLess(health.probes[0][0], b.rows()[1].start, "the gate came after a batch")

    def test_pending_gate_survives_even_when_nothing_else_is_to_do(self):
        b, health = self.gated()
        self.succeed(b.abandon(2, "the gate fails"))
        b.job("api", "2.0.0", files={"app.conf": "old\n"}, **health.manifest(attempts=2, interval=0))
        b.write("disabled.json", json.dumps({"workers": list(WORKERS[1:])}))
        self.succeed(b.plan())
        self.assertEqual({action for workers in bucket.actions(b.read_plan()).values() for action, _ in workers.values()},
                         {"stop"})
        self.refuse(b.apply(), 1, "api/gate", WORKERS[0])
        self.assertEqual(b.targets()[0], ("api", WORKERS[0], "restart"))

    def test_the_old_version_put_back_is_a_way_forward(self):
        b, health = self.gated()
        self.succeed(b.abandon(2, "the gate fails"))
        b.job("api", files={"app.conf": "old\n"}, **health.manifest(attempts=2, interval=0))
        health.sick.clear()
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan()), {"api": {WORKERS[0]: ("restart", "version_changed")}})
        self.succeed(b.apply())
        self.assertEqual([phase["phase"] for phase in b.read_plan()["waves"][0]["jobs"][0]["phases"]], ["recover"])
        self.assertLess(b.rows()[1].end, health.probes[0][0], "a gate came before what mends it")
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    # -- plans

    def test_same_inputs_give_the_same_bytes(self):
        files = {"app.conf": "a\n", "bin.d/tool.sh": "#!/bin/sh\n", "conf/ä.yml": "ä: 1\n", "conf/z.yml": "z: 1\n"}
        plans = []
        for umask in (0o022, 0o077):
            source = bucket.Bucket(self)
            source.workers(*WORKERS)
            source.job("api", files=files)
            source.job("web", files=files, restart_policy="reload")
            source.write("jobs/api/bin.d/tool.sh", files["bin.d/tool.sh"], executable=True)
            b = bucket.Bucket(self)
            # cp writes with the umask, as git does at a checkout.
            subprocess.run(["sh", "-c", f"umask {umask:o}; rm -r bucket; cp -R {source.path} bucket"],
                           cwd=b.top, check=True, timeout=bucket.LIMIT)
            self.succeed(b.plan(umask=umask))
            plans.append(b.file().read_bytes())
            if len(plans) == 2:
                self.succeed(b.plan(out="again.plan.yaml", umask=umask))
                plans.append(b.file("again.plan.yaml").read_bytes())
        self.assertEqual(plans[0], plans[1])
        self.assertEqual(plans[1], plans[2])

    def test_quickstart_gives_its_committed_plan(self):
        quickstart = ROOT / "plans/quickstart"
        b = bucket.Bucket(self)
        subprocess.run(["sh", "-c", f"rm -r bucket; cp -R {quickstart} bucket"], cwd=b.top, check=True, timeout=bucket.LIMIT)
        self.succeed(b.plan())
        self.assertEqual(b.file().read_text(), (quickstart / "first-deploy.plan.yaml").read_text())
        # Its commands need no rollout.
        for job, command in (("shop", "command_page"), ("stock", "command_items")):
            self.succeed(b.run("maand-plan", "job-command", job, command, "-o", b.file(f"{job}.yaml"), "--bucket", b.path))
            self.succeed(b.run("maand-apply", b.file(f"{job}.yaml"), "--bucket", b.path))

    def test_planning_writes_nothing_but_the_plan_and_the_store(self):
        b = self.deployed()
        before = self.succeed(b.catalog("export")).out
        b.job("api", "1.1.0")
        first = self.succeed(b.run("maand-plan", "deploy", "--bucket", b.path))
        second = self.succeed(b.run("maand-plan", "deploy", "--bucket", b.path))
        self.assertEqual(first.out, second.out)
        self.assertEqual(self.succeed(b.catalog("export")).out, before)
        self.assertEqual(b.began(), [])

    def test_stale_plan_is_refused_at_its_first_start(self):
        b = self.deployed()
        b.job("api", "1.1.0")
        self.succeed(b.plan(out="old.plan.yaml"))
        b.job("api", "1.2.0")
        self.succeed(b.plan())
        self.succeed(b.apply())
        begun = b.began()
        self.refuse(b.apply(plan="old.plan.yaml"), 3, "api", WORKERS[0], "1.0.0", "1.2.0")
        self.assertEqual(b.began(), begun)

    # -- two at once, and once more

    def test_second_apply_is_refused_with_the_holder(self):
        b = self.deployed()
        b.job("api", "1.1.0")
        self.succeed(b.plan())
        b.hold("api", WORKERS[0])
        first = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        for _ in range(2):
            second = self.refuse(b.apply(), 75, first.pid)
            self.assertRegex(second.err, r"\d\d\d\d-\d\d-\d\d[ T]\d\d:\d\d", "since when")
        self.succeed(b.status())
        self.succeed(b.plan(out="other.plan.yaml"))
        b.release("api", WORKERS[0])
        out, err = first.communicate(timeout=bucket.LIMIT)
        self.assertEqual(first.returncode, 0, out + err)
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])

    def test_another_plan_waits_for_the_unfinished_run(self):
        b = self.deployed()
        b.job("api", "1.1.0")
        self.succeed(b.plan())
        b.fail("api", WORKERS[0])
        self.refuse(b.apply(), 1)
        b.job("api", "1.2.0")
        self.succeed(b.plan(out="other.plan.yaml"))
        begun = b.began()
        self.refuse(b.apply(plan="other.plan.yaml"), 5, "2", "abandon")
        self.assertEqual(b.began(), begun)

    def test_a_daemon_of_a_target_does_not_keep_the_lock(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        # Everything that it inherits stays open: exactly what a careless Makefile does.
        make = bucket.makefile() + "\t@if [ $@ = start ]; then sleep 3000 & echo $$! > data/daemon.pid; fi\n"
        b.job("api", make=make)
        self.succeed(b.plan())
        self.succeed(b.apply())
        pids = [int((b.job_dir(worker, "api") / "data/daemon.pid").read_text()) for worker in WORKERS]
        try:
            for pid in pids:
                self.assertIn("sleep", pathlib.Path(f"/proc/{pid}/cmdline").read_text(), "the daemon did not live on")
            b.job("api", "1.1.0", make=make)
            self.succeed(b.plan())
            self.succeed(b.apply())
        finally:
            for pid in pids:
                os.kill(pid, 15)

    def test_finished_plan_says_so_and_touches_nothing(self):
        b = self.deployed()
        b.job("api", "1.1.0", files={"app.conf": "new\n"})
        self.succeed(b.plan())
        self.succeed(b.apply())

        def picture():
            files = {str(f.relative_to(b.path)): (f.lstat().st_mtime_ns, f.lstat().st_ino)
                     for f in (b.path / "workers").rglob("*")}
            return files, self.succeed(b.catalog("export")).out, b.began()

        before = picture()
        again = self.succeed(b.apply())
        self.assertRegex(again.out + again.err, r"(?i)\b(done|finished|complete|succeeded)\b")
        self.assertEqual(picture(), before)

    def test_empty_plan_can_be_applied(self):
        b = self.deployed()
        self.succeed(b.plan("--detailed-exitcode"))
        self.succeed(b.apply())
        self.assertEqual(b.began(), [])

    def test_plan_is_not_written_over_another_one(self):
        b = self.deployed()
        self.succeed(b.plan())
        before = b.file().read_bytes()
        b.job("api", "1.1.0")
        plain = ["maand-plan", "deploy", "--bucket", b.path, "-o", b.file()]
        self.refuse(b.run(*plain), 64, b.file().name, "--overwrite")
        self.assertEqual(b.file().read_bytes(), before)
        self.succeed(b.plan())
        self.succeed(b.run(*plain))
        self.assertNotEqual(b.file().read_bytes(), before)

    def test_versions_reach_the_targets_and_the_environment_is_clean(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS[:1])
        make = ".PHONY: start restart\nstart restart:\n\t@mkdir -p data; env | sort > data/$@.env; umask >> data/$@.env\n"
        b.job("api", make=make)
        self.succeed(b.plan())
        self.succeed(b.apply(env={**os.environ, "MAKEFLAGS": "-n", "SECRET": "x", "CURRENT_VERSION": "wrong"}))
        text = (b.job_dir(WORKERS[0], "api") / "data/start.env").read_text()
        lines = text.splitlines()
        for line in ("CURRENT_VERSION=0.0.0", "NEW_VERSION=1.0.0", "JOB=api", f"ALLOCATION_IP={WORKERS[0]}"):
            self.assertIn(line, lines)
        self.assertFalse(re.search(r"^(SECRET=|MAKEFLAGS=\w*n)", text, re.M), text)

    def test_a_file_named_like_a_target_changes_nothing(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS[:1])
        make = "start restart:\n\t@mkdir -p data; echo ran > data/$@.ran\n"
        b.job("api", make=make, files={"start": "x\n", "restart": "x\n"})
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertEqual((b.job_dir(WORKERS[0], "api") / "data/start.ran").read_text(), "ran\n")

    def test_machine_readable_output_is_json_alone(self):
        b = self.deployed()
        for result in (b.catalog("jobs", "--format", "json"), b.catalog("allocations", "--format", "json"),
                       b.catalog("deployments", "--format", "json"), b.catalog("workers", "--format", "json"),
                       b.status("--format", "json")):
            self.succeed(result)
            json.loads(result.out)
