"""The way back: `on_failure: rollback`, and plans of `maand-plan rollback`.

The service of a test is well or not by what last ran on its worker: `Sick` of test_recover decides for each probe.
"""
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import time

import bucket
import test_approvals
import test_recover
import test_ssh
from bucket import until

WORKERS = [f"127.0.41.{number}" for number in range(1, 6)]
ROUNDS = int(os.environ.get("MAAND_KILLS", "3"))
SEED = int(os.environ.get("MAAND_SEED", "41"))
BACK = "back.plan.yaml"


class Sick(test_recover.Sick):
    """Releases that do not come up on some hosts, too."""

    def __init__(self, b):
        super().__init__(b)
        self.on = {}  # worker: releases that are not well there

    def __contains__(self, worker):
        return self.running(worker) in self.on.get(worker, ()) or super().__contains__(worker)


class RollbackCase(test_recover.Case):
    WORKERS = WORKERS
    Sick = Sick

    def upgrade(self, *flags, code=1, words=(), sick=True):
        """2.0.0 comes, which is well nowhere unless it is told so. Returns what ran, as [(worker, target)]."""
        if sick:
            self.sick.versions.add("2.0.0")
        self.release("2.0.0")
        return self.rollout(*flags, code=code, words=words)

    def versions(self, job="api"):
        """{worker: version} of what is promoted, with `unfinished` or the state where there is more to say."""
        rows = json.loads(self.succeed(self.b.catalog("allocations", "--format", "json")).out)
        found = {}
        for row in rows:
            if row["job"] == job:
                version = row["promoted"]["version"] if row["promoted"] else None
                words = [version] + (["unfinished"] if row["unfinished"] else [])
                found[row["worker"]] = " ".join(filter(None, words + ([] if row["standing"] == "active" else [row["standing"]])))
        return found

    def files(self, job="api", workers=WORKERS):
        """{worker: what app.conf holds there}."""
        found = {}
        for worker in workers:
            file = self.b.job_dir(worker, job) / "app.conf"
            found[worker] = file.read_text().strip() if file.exists() else None
        return found

    def state(self, run=None):
        return json.loads(self.succeed(self.b.status(*([run] if run else []), "--format", "json")).out)

    def all_back(self, version="1.0.0", workers=WORKERS):
        self.assertEqual(self.versions(), {worker: version for worker in workers})
        self.assertEqual(self.files(workers=workers), {worker: version for worker in workers})

    def nothing_to_do(self, *flags):
        """That the workspace of 1.0.0 has nothing to do."""
        self.release("1.0.0")
        self.succeed(self.b.plan("--detailed-exitcode", *flags, out="rest.plan.yaml"))

    def plan_back(self, run=2, *flags, code=0, out=BACK):
        return self.succeed(
            self.b.run("maand-plan", "rollback", run, "--bucket", self.b.path, "--overwrite", *flags, "-o", self.b.file(out)),
            code)


class WithinTheRun(RollbackCase):
    def test_a_gate_that_fails_in_batch_3_of_5_brings_workers_1_to_3_back_and_touches_no_other(self):
        b = self.deployed()
        b.forget()
        self.sick.on[WORKERS[2]] = {"2.0.0"}
        self.upgrade("--on-failure", "rollback", sick=False, words=["was rolled back"])
        self.assertEqual([(row.worker, row.target, row.current, row.new) for row in b.rows()], [
            (WORKERS[0], "restart", "1.0.0", "2.0.0"), (WORKERS[1], "restart", "1.0.0", "2.0.0"),
            (WORKERS[2], "restart", "1.0.0", "2.0.0"),
            # What is broken goes first.
            (WORKERS[2], "restart", "2.0.0", "1.0.0"),
            (WORKERS[0], "restart", "2.0.0", "1.0.0"), (WORKERS[1], "restart", "2.0.0", "1.0.0")])
        self.all_back()
        self.assertEqual(self.state()["state"], "rolled_back")
        # The same command says so, and touches nothing.
        before = len(b.rows())
        self.refuse(b.apply(), 1, "was rolled back")
        self.refuse(b.apply("--retry-failed"), 1, "was rolled back", "plan again")
        self.assertEqual(len(b.rows()), before)
        self.nothing_to_do()


    def test_the_plan_shows_the_way_back_and_verify_and_diff_know_it(self):
        b = self.deployed()
        self.release("2.0.0")
        self.succeed(b.plan("--on-failure", "rollback"))
        plan = b.read_plan()
        self.assertEqual(plan["policy"]["on_failure"], "rollback")
        back = plan["rollback"]["waves"][0]["jobs"][0]
        self.assertEqual((back["version"], back["active"]), ("1.0.0", WORKERS))
        self.assertEqual({row["reason"] for row in test_recover.entries(plan["rollback"]).values()}, {"rolled_back"})
        text = self.show()
        for words in ("Way back", "If a job fails", "Way back, wave 0", "rolled back"):
            self.assertIn(words, text)
        for form in ("markdown", "html", "json"):
            shown = self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path, "--format", form)).out
            self.assertIn("way_back" if form == "json" else "Way back", shown)
        self.assertIn("Valid", self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path)).out)
        # Elsewhere, against an export: the same bytes.
        b.file("c.yaml").write_text(self.succeed(b.catalog("export")).out)
        there = b.top / "elsewhere"
        there.mkdir()
        shutil.copy(b.path / "maand.conf", there)
        shutil.copytree(b.workspace, there / "workspace")
        self.succeed(b.run("maand-plan", "deploy", "--bucket", there, "--catalog", b.file("c.yaml"), "--on-failure", "rollback",
                           "-o", b.file("d.plan.yaml")))
        self.assertEqual(b.file("d.plan.yaml").read_bytes(), b.file().read_bytes())
        # The same way forth without a way back is another plan.
        self.succeed(b.plan(out="b.plan.yaml"))
        self.assertNotIn("rollback", b.read_plan("b.plan.yaml"))
        shown = b.run("maand-plan", "diff", b.file(), b.file("b.plan.yaml"))
        self.assertEqual(shown.code, 2, shown.err)
        self.assertIn("the plan goes back if a job fails", shown.out)
        # What goes well has no use for it.
        self.succeed(b.apply())
        self.assertEqual(set(self.versions().values()), {"2.0.0"})

    def test_a_section_that_was_edited_is_refused(self):
        b = self.deployed()
        self.release("2.0.0")
        self.succeed(b.plan("--on-failure", "rollback"))
        text = b.file().read_text()
        head, _, section = text.partition("\nrollback:")
        for old, new, words in (("version: \"1.0.0\"", "version: \"1.5.0\"", "1.5.0"), ("action: restart", "action: sync", "")):
            self.assertIn(old, section)
            b.file("bad.plan.yaml").write_text(head + "\nrollback:" + section.replace(old, new, 1))
            if words:
                self.refuse(b.apply(plan="bad.plan.yaml"), 65, words)
            refused = b.run("maand-plan", "verify", b.file("bad.plan.yaml"), "--bucket", b.path)
            self.assertEqual(refused.code, 3, refused.out)
        b.file("bad.plan.yaml").write_text(head + "\n")
        self.refuse(b.apply(plan="bad.plan.yaml"), 65, "there is no section of it")

    def test_a_failed_target_is_put_back_and_retried_targets_are_not_the_way(self):
        b = self.deployed()
        b.fail("api", WORKERS[1])
        self.release("2.0.0")
        self.succeed(b.plan("--on-failure", "rollback"))
        child = b.start_apply()
        until(lambda: (b.knobs / "fail" / f"api.{WORKERS[1]}").exists() and
              ("api", WORKERS[1], "restart") in b.began()[-2:] or child.poll() is not None, "the second fails")
        until(lambda: "rollback/api/recover/1" in str(self.state()) or child.poll() is not None, "the way back")
        out, err = child.communicate(timeout=bucket.LIMIT)
        # The target of before fails, too: the way back stops, and says what runs where.
        self.assertEqual(child.returncode, 1, out + err)
        for words in ("The way back of run 2 has failed", "--retry-failed", f"api on {WORKERS[1]}: its way back to 1.0.0 began",
                      f"api on {WORKERS[0]}: runs 2.0.0"):
            self.assertIn(words, err)
        self.refuse(b.status(), 0, *[])
        self.assertIn("way back of api", b.status().out)
        # Nothing else is accepted meanwhile, and the same command without more changes nothing.
        self.release("3.0.0")
        self.succeed(b.plan(out="c.plan.yaml"))
        self.refuse(b.apply(plan="c.plan.yaml"), 5)
        self.refuse(b.apply(), 1, "The way back of run 2 has failed")
        b.mend("api", WORKERS[1])
        self.refuse(b.apply("--retry-failed"), 1, "was rolled back")
        self.all_back()
        self.nothing_to_do()

    def test_a_way_back_that_failed_is_given_up_and_planned_again(self):
        b = self.deployed()
        b.fail("api", WORKERS[1])
        self.upgrade("--on-failure", "rollback", sick=False, words=["The way back of run 2 has failed"])
        self.abandon()
        b.mend("api", WORKERS[1])
        self.plan_back()
        plan = b.read_plan(BACK)
        self.assertEqual(plan["origin"]["rollback"], 2)
        self.assertEqual(test_recover.phases(plan), [("recover", [[WORKERS[1]]]), ("upgrade", [[WORKERS[0]]])])
        self.succeed(b.apply(plan=BACK))
        self.all_back()
        self.nothing_to_do()

    def test_a_first_deployment_is_stopped_and_removed(self):
        b = self.lay()
        self.sick.versions.add("1.0.0")
        self.rollout("--on-failure", "rollback", code=1, words=["was rolled back"])
        # All start before the gate.
        self.assertEqual(self.versions(), {worker: "removed" for worker in WORKERS})
        self.assertEqual(set(self.files().values()), {None})
        self.assertEqual(collections.Counter(row.target for row in self.ran), {"start": 5, "stop": 5})
        self.sick.versions.clear()
        self.rollout()
        self.assertEqual(set(self.versions().values()), {"1.0.0"})

    def test_a_new_host_beside_old_ones_goes_and_the_old_ones_stay(self):
        b = self.lay(workers=WORKERS[:3])
        self.rollout()
        b.workers(*WORKERS)
        self.sick.on[WORKERS[4]] = {"2.0.0"}
        self.upgrade("--on-failure", "rollback", sick=False, words=["was rolled back"])
        self.assertEqual(self.versions(), {
            **{worker: "1.0.0" for worker in WORKERS[:3]}, WORKERS[3]: "removed", WORKERS[4]: "removed"})

    def test_wave_1_goes_back_after_wave_2_has_failed_and_gone_back(self):
        b = self.two_waves("1.0.0")
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        self.two_waves("2.0.0", b)
        b.fail("front", WORKERS[1])
        self.succeed(b.plan("--on-failure", "rollback"))
        self.refuse(b.apply(), 1, "has failed")
        b.mend("front", WORKERS[1])
        self.refuse(b.apply("--retry-failed"), 1, "was rolled back")
        ran = [(row.job, row.worker, row.new) for row in b.rows()]
        base = [("base", worker) for worker in WORKERS[:2]]
        self.assertEqual(ran, [
            (*base[0], "2.0.0"), (*base[1], "2.0.0"), ("front", WORKERS[0], "2.0.0"),
            # front was broken on the second worker; base waits until all of front is back.
            ("front", WORKERS[1], "1.0.0"), ("front", WORKERS[0], "1.0.0"),
            (*base[0], "1.0.0"), (*base[1], "1.0.0")])
        for job in ("base", "front"):
            self.assertEqual(self.versions(job), {worker: "1.0.0" for worker in WORKERS[:2]})

    def two_waves(self, version, b=None):
        if b is None:
            b = self.b = bucket.Bucket(self)
            b.workers(*WORKERS[:2])
        make = bucket.makefile(pause=0)
        b.job("base", version, {"app.conf": version + "\n"}, make, commands={"command_base": {"executed_on": ["cli"]}})
        demand = {"job": "base", "command": "command_base", "config": {"min_version": "1.0.0"}}
        b.job("front", version, {"app.conf": version + "\n"}, make,
              commands={"command_front": {"executed_on": ["cli"], "demands": demand}})
        return b

    def test_a_hook_that_fails_before_anything_has_begun_ends_the_run_as_rolled_back(self):
        b = self.deployed()
        self.release("2.0.0", commands={"command_check": {"executed_on": ["pre_deploy"]}})
        b.write("jobs/api/_modules/command_check.py", "raise SystemExit(3)\n")
        self.succeed(b.plan("--on-failure", "rollback"))
        self.refuse(b.apply(), 1, "was rolled back")
        self.all_back()

    def test_maand_conf_may_say_it_and_plans_without_a_way_back_take_it_for_stop(self):
        b = self.deployed()
        conf = b.path / "maand.conf"
        conf.write_text(conf.read_text() + 'on_failure = "rollback"\n')
        self.release("2.0.0")
        self.succeed(b.plan())
        self.assertIn("rollback", b.read_plan())
        self.succeed(b.plan("--on-failure", "stop"))
        self.assertNotIn("rollback", b.read_plan())
        self.succeed(b.run("maand-plan", "restart", "api", "--bucket", b.path, "-o", b.file("r.plan.yaml")))
        self.assertEqual(b.read_plan("r.plan.yaml")["policy"]["on_failure"], "stop")
        self.succeed(b.apply(plan="r.plan.yaml"))

    def test_hooks_manifest_and_checks_are_those_of_before(self):
        b = self.lay()
        log = b.top / "hooks.log"

        def hooked(version):
            self.release(version, commands={"command_note": {"executed_on": ["pre_deploy", "post_deploy"]}})
            b.write("jobs/api/_modules/command_note.py", hook_text(log, version))
        hooked("1.0.0")
        self.rollout()
        log.unlink()
        self.sick.on[WORKERS[1]] = {"2.0.0"}
        hooked("2.0.0")
        self.rollout("--on-failure", "rollback", code=1, words=["was rolled back"])
        ran = collections.Counter(log.read_text().split("\n")[:-1])
        self.assertEqual(ran, {"2.0.0 pre_deploy 1.0.0 2.0.0": 5, "1.0.0 pre_deploy 2.0.0 1.0.0": 2,
                               "1.0.0 pre_deploy 1.0.0 1.0.0": 3, "1.0.0 post_deploy 1.0.0 1.0.0": 5})

    def test_the_next_plan_says_that_it_leads_back_to_what_failed(self):
        b = self.deployed()
        self.sick.on[WORKERS[1]] = {"2.0.0"}
        self.upgrade("--on-failure", "rollback", sick=False)
        self.succeed(b.plan())
        self.assertEqual(b.read_plan()["failed_before"], {"api": WORKERS[:2]})
        self.assertIn("Leads back to what failed", self.show())
        self.release("2.0.1")
        self.succeed(b.plan())
        self.assertNotIn("failed_before", b.read_plan())

    def test_a_stopped_allocation_that_was_enabled_again_is_stopped_again(self):
        b = self.deployed()
        disabled = json.dumps({"jobs": {"api": {"allocations": [WORKERS[0]]}}})
        b.write("disabled.json", disabled)
        self.rollout()
        (b.workspace / "disabled.json").unlink()
        self.sick.on[WORKERS[1]] = {"2.0.0"}
        self.upgrade("--on-failure", "rollback", sick=False, words=["was rolled back"])
        found = self.versions()
        self.assertIn("stopped", found.pop(WORKERS[0]))
        self.assertEqual(found, {worker: "1.0.0" for worker in WORKERS[1:]})

    def test_a_stop_that_fails_takes_no_job_back(self):
        for order in ("first", "last"):
            with self.subTest(order):
                b = self.deployed()
                b.job("old", "1.0.0", {"app.conf": "1\n"}, bucket.makefile(pause=0))
                self.rollout()
                shutil.rmtree(b.workspace / "jobs/old")
                b.fail("old", WORKERS[1])
                self.upgrade("--on-failure", "rollback", "--stops", order, sick=False, words=["--retry-failed"])
                self.assertEqual(self.state()["state"], "failed")
                b.mend("old", WORKERS[1])
                self.succeed(b.apply("--retry-failed"))
                self.assertEqual(self.versions(), {worker: "2.0.0" for worker in WORKERS})
                self.assertEqual(set(self.versions("old").values()), {"removed"})

    def test_what_a_person_had_stopped_keeps_the_release_of_before(self):
        b = self.deployed()
        self.succeed(b.run("maand-plan", "stop", "api", "--workers", WORKERS[4], "--bucket", b.path, "-o",
                           b.file("s.plan.yaml")))
        self.succeed(b.apply(plan="s.plan.yaml"))
        self.sick.on[WORKERS[1]] = {"2.0.0"}
        self.release("2.0.0")
        self.refuse(self.rolled("--include-stopped", "--on-failure", "rollback"), 1, "was rolled back")
        self.assertEqual(self.versions()[WORKERS[4]], "1.0.0 unfinished stopped_by_hand")
        # The bad release is not started by mistake; the deploy that the refusal names starts the one of before.
        refused = b.run("maand-plan", "start", "api", "--workers", WORKERS[4], "--bucket", b.path)
        self.refuse(refused, 65, "--include-stopped")
        self.release("1.0.0")
        self.succeed(b.plan("--include-stopped"))
        self.succeed(b.apply())
        self.all_back()

    def rolled(self, *flags):
        self.succeed(self.b.plan(*flags))
        return self.b.apply()

    def test_a_job_of_the_name_rollback_is_refused_when_it_is_planned(self):
        b = self.deployed()
        b.job("rollback", "1.0.0", {"app.conf": "1\n"})
        self.refuse(b.plan("--on-failure", "rollback"), 65, "a job cannot have this name")
        self.succeed(b.plan())


class Interrupted(RollbackCase):
    def going_back(self, *flags, **manifest):
        """A run whose third batch is not well, and whose way back waits on that worker."""
        b = self.deployed(**manifest)
        b.forget()
        self.sick.on[WORKERS[2]] = {"2.0.0"}
        self.release("2.0.0", **manifest)
        self.succeed(b.plan("--on-failure", "rollback", *flags))
        b.hold("api", WORKERS[2])
        child = b.start_apply()
        until(lambda: ("api", WORKERS[2], "restart") in b.began(), "the third restarted")
        # Held as soon as it goes back: the gate that fails comes between.
        b.release("api", WORKERS[2])
        until(lambda: ("api", WORKERS[2], "restart") in b.targets(), "its end")
        b.hold("api", WORKERS[2])
        until(lambda: b.began().count(("api", WORKERS[2], "restart")) == 2, "its way back begun")
        return b, child

    def test_a_signal_parks_the_way_back_and_the_same_command_goes_on(self):
        b, child = self.going_back()
        child.send_signal(signal.SIGINT)
        b.release("api", WORKERS[2])
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, out + err)
        self.assertIn("The way back of run 2 is parked", err)
        self.assertEqual(self.state()["state"], "parked")
        self.refuse(b.apply(), 1, "was rolled back")
        self.all_back()
        self.assertEqual(len(b.targets()), 6)

    def test_a_kill_in_the_way_back_repeats_and_forgets_nothing(self):
        b, child = self.going_back()
        child.kill()
        child.communicate()
        b.release("api", WORKERS[2])
        self.assertIn("interrupted", b.status().out)
        self.refuse(b.apply(), 1, "was rolled back")
        self.all_back()
        self.assertEqual(collections.Counter(b.began()), {("api", worker, "restart"): 2 for worker in WORKERS[:3]})

    def test_a_freeze_does_not_stop_it_and_is_told(self):
        b, child = self.going_back()
        child.kill()
        child.communicate()
        b.release("api", WORKERS[2])
        b.write("freezes.yaml", 'zone: UTC\nfreezes:\n  - {from: "2020-01-01", until: "2099-01-01", reason: a fair}\n')
        result = self.refuse(b.apply(), 1, "was rolled back")
        self.assertIn("the way back goes on in spite of this", result.out)
        self.all_back()

    def kill_all_in(self, folder):
        """The end of one process may end others."""
        for pid in bucket.running_in(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def test_an_unknown_step_waits_for_a_person_and_then_the_run_goes_back(self):
        b = self.deployed()
        b.forget()
        self.release("2.0.0")
        self.succeed(b.plan("--on-failure", "rollback"))
        b.hold("api", WORKERS[1])
        child = b.start_apply()
        until(lambda: ("api", WORKERS[1], "restart") in b.began(), "the second target begun")
        self.kill_all_in(b.job_dir(WORKERS[1], "api").parent.parent)
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 4, out + err)
        b.release("api", WORKERS[1])
        step = f"api/upgrade/2/{WORKERS[1]}/restart"
        self.refuse(b.apply(), 4, step)
        self.succeed(b.run("maand-apply", "resolve", "2", step, "failed", "--reason", "looked", "--bucket", b.path))
        self.refuse(b.apply(), 1, "was rolled back")
        self.all_back()

    def test_a_step_of_the_way_back_is_resolved_too(self):
        b, child = self.going_back()
        self.kill_all_in(b.job_dir(WORKERS[2], "api").parent.parent)
        out, err = child.communicate(timeout=bucket.LIMIT)
        b.release("api", WORKERS[2])
        step = f"rollback/api/recover/1/{WORKERS[2]}/restart"
        self.assertEqual(child.returncode, 4, out + err)
        self.assertIn(f"maand-apply resolve 2 {step}", err)
        self.succeed(b.run("maand-apply", "resolve", "2", step, "succeeded", "--reason", "looked", "--bucket", b.path))
        self.sick.on.clear()
        self.refuse(b.apply(), 1, "was rolled back")
        self.all_back()

    def test_what_somebody_changes_before_its_turn_is_named_and_stays(self):
        b, child = self.going_back()
        changed = b.job_dir(WORKERS[1], "api") / "app.conf"
        changed.write_text("by hand\n")
        b.release("api", WORKERS[2])
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 3, out + err)
        for words in (f"api on {WORKERS[1]}: app.conf on the worker", "Restore the expected state", "+by hand"):
            self.assertIn(words, err)
        self.assertIn("Restore the expected state", b.status().out)
        changed.write_text("2.0.0\n")
        self.refuse(b.apply(), 1, "was rolled back")
        self.all_back()

    def test_the_outputs_of_the_way_back_are_shown(self):
        b, child = self.going_back()
        b.release("api", WORKERS[2])
        child.communicate(timeout=bucket.LIMIT)
        rows = json.loads(self.succeed(
            b.run("maand-apply", "output", "2", "--format", "json", "--bucket", b.path)).out)
        self.assertIn("rollback/api/recover/1", json.dumps(rows))

    def test_a_worker_that_is_dead_keeps_no_other_from_going_back(self):
        b = self.deployed()
        b.forget()
        self.sick.on[WORKERS[2]] = {"2.0.0"}
        self.release("2.0.0")
        self.succeed(b.plan("--on-failure", "rollback"))
        b.hold("api", WORKERS[2])
        child = b.start_apply()
        until(lambda: ("api", WORKERS[2], "restart") in b.began(), "the third restarted")
        away = self.take_away(b, WORKERS[0])
        b.release("api", WORKERS[2])
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 1, out + err)
        self.assertIn("left behind", err)
        self.assertIn(f"api on {WORKERS[0]}: runs 2.0.0", err)
        found = self.versions()
        self.assertEqual(found, {**{worker: "1.0.0" for worker in WORKERS}, WORKERS[0]: "2.0.0"})
        self.refuse(b.apply(), 1, "left behind")
        away()
        self.refuse(b.apply("--retry-failed"), 1, "was rolled back")
        self.all_back()

    def take_away(self, b, worker):
        """Makes a worker unusable; the function that is returned brings it back."""
        place = b.path / "workers" / worker
        place.rename(b.top / "away")
        place.write_text("no folder")

        def back():
            place.unlink()
            (b.top / "away").rename(place)
        return back


class Approved(test_approvals.Approved):
    def test_an_approval_that_lapses_does_not_stop_the_way_back(self):
        b = self.b
        self.sign("alice")
        self.sign("bob")
        self.succeed(self.apply())
        b.job("api", "2.0.0", {"app.conf": "2\n"})
        b.fail("api", test_approvals.WORKERS[0])
        self.succeed(b.plan("--on-failure", "rollback"))
        self.sign("alice")
        self.sign("bob")
        self.succeed(self.apply(), 1)
        b.mend("api", test_approvals.WORKERS[0])
        self.policy(3)
        result = self.succeed(self.apply("--retry-failed"), 1)
        self.assertIn("was rolled back", result.err)
        self.assertIn("the way back goes on in spite of this", result.out)


class OverSSH(test_ssh.SSHCase):
    """Real servers: 8 workers, of which the third is not well with 2.0.0."""

    def lay_back(self):
        gate = {"health_check": {
            "checks": [{"type": "ssh", "command": "test ! -e sick || ! grep -q 2.0. jobs/app/app.conf"}],
            "timeout_seconds": 20, "wait": {"attempts": 1, "interval_seconds": 0}}}
        fleet = test_ssh.Fleet(self, 8)
        b = test_ssh.SSHBucket(self, fleet)
        workers = [fleet.address(index) for index in range(1, 9)]
        b.workers(*workers)

        def release(version, pause=0.05):
            b.job("app", version, {"app.conf": version + "\n"}, pause=pause, **gate)
        release("1.0.0", 0)
        self.succeed(b.plan())
        self.succeed(b.apply())
        (b.root(workers[2]) / "sick").touch()
        return b, workers, release

    def test_kills_at_random_moments_of_the_way_back(self):
        dice = random.Random(SEED)
        b, workers, release = self.lay_back()
        kills = rounds = 0
        while kills < ROUNDS:
            rounds += 1
            b.forget()
            release(f"2.0.{rounds}")
            self.succeed(b.plan("--on-failure", "rollback"))
            child = b.start_apply()
            until(lambda: len(b.began()) > 3 or child.poll() is not None, "the way back")
            for _ in range(dice.randint(1, 4)):
                time.sleep(dice.uniform(0, 0.6))
                child.kill()
                child.communicate(timeout=bucket.LIMIT)
                if child.returncode == 1:
                    break
                kills += 1
                child = b.start_apply()
            out, err = child.communicate(timeout=bucket.LIMIT)
            self.assertEqual(child.returncode, 1, out + err)
            self.refuse(b.apply(), 1, "was rolled back")
            with self.subTest(round=rounds):
                self.assertEqual(collections.Counter(b.began()), {("app", worker, "restart"): 2 for worker in workers[:3]})
                self.assertEqual({row["worker"]: row["promoted"]["version"] for row in self.allocations(b)},
                                 dict.fromkeys(workers, "1.0.0"))
                for worker in workers:
                    self.assertEqual((b.job_dir(worker, "app") / "app.conf").read_text(), "1.0.0\n")
        print(f"{kills} kills in {rounds} ways back")


def hook_text(log, version):
    return ("import os\n"
            f"line = ' '.join(['{version}', os.environ.get('EVENT', ''), os.environ['CURRENT_VERSION'],"
            " os.environ['NEW_VERSION']])\n"
            f"open({str(log)!r}, 'a').write(line + '\\n')\n")


class OfARun(RollbackCase):
    def test_a_rollout_that_ended_well_is_taken_back_in_batches_with_gates(self):
        b = self.deployed()
        self.upgrade(code=0, sick=False)
        b.forget()
        self.plan_back()
        plan = b.read_plan(BACK)
        self.assertEqual(plan["origin"], {"rollback": 2})
        self.assertEqual(test_recover.phases(plan), [("upgrade", [[worker] for worker in WORKERS])])
        text = self.succeed(b.run("maand-plan", "show", b.file(BACK), "--bucket", b.path)).out
        self.assertIn("rolls run 2 back", text)
        self.assertIn("Valid", self.succeed(b.run("maand-plan", "verify", b.file(BACK), "--bucket", b.path)).out)
        self.succeed(b.apply(plan=BACK))
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])
        self.all_back()
        self.nothing_to_do()
        # And forth again by a rollback of the rollback.
        self.plan_back(3)
        self.succeed(b.apply(plan=BACK))
        self.assertEqual(set(self.versions().values()), {"2.0.0"})

    def test_an_unfinished_run_is_refused_and_the_advice_works(self):
        b = self.deployed()
        self.sick.on[WORKERS[2]] = {"2.0.0"}
        self.upgrade(sick=False)
        refused = self.plan_back(code=65)
        self.assertIn("maand-apply abandon 2 --reason", refused.err)
        self.abandon()
        self.plan_back()
        plan = b.read_plan(BACK)
        self.assertEqual(test_recover.phases(plan), [("recover", [[WORKERS[2]]]), ("upgrade", [[WORKERS[0]], [WORKERS[1]]])])
        b.forget()
        self.succeed(b.apply(plan=BACK))
        self.assertEqual([worker for _, worker, _ in b.targets()], [WORKERS[2], WORKERS[0], WORKERS[1]])
        self.all_back()

    def test_a_run_after_it_is_named_and_other_jobs_can_be_taken_back(self):
        b = self.deployed()
        b.job("other", "1.0.0", {"app.conf": "1\n"}, bucket.makefile(pause=0))
        self.rollout()
        b.job("other", "2.0.0", {"app.conf": "2\n"}, bucket.makefile(pause=0))
        self.upgrade(code=0, sick=False)
        self.release("3.0.0")
        self.rollout()
        self.assertIn("run 4 has changed api on", self.plan_back(3, code=65).err)
        self.assertIn("--jobs", self.plan_back(3, code=65).err)
        self.plan_back(3, "--jobs", "other")
        self.succeed(b.apply(plan=BACK))
        self.assertEqual(set(self.versions("other").values()), {"1.0.0"})
        self.assertEqual(set(self.versions().values()), {"3.0.0"})

    def test_what_cannot_be_rolled_back_is_refused_with_a_reason(self):
        b = self.deployed()
        self.assertIn("there is no run 9", self.plan_back(9, code=65).err)
        self.assertIn("there is no job nope", self.plan_back(1, "--jobs", "nope", code=65).err)
        self.succeed(b.run("maand-plan", "restart", "api", "--bucket", b.path, "-o", b.file("r.plan.yaml")))
        self.succeed(b.apply(plan="r.plan.yaml"))
        self.assertIn("only deploys are rolled back", self.plan_back(2, code=65).err)
        b.file("c.yaml").write_text(self.succeed(b.catalog("export")).out)
        self.refuse(b.run("maand-plan", "rollback", "1", "--catalog", b.file("c.yaml"), "--bucket", b.path), 64, "no runs")

    def test_content_that_is_gone_is_named(self):
        b = self.deployed()
        self.upgrade(code=0, sick=False)
        # Two releases of each allocation stay, however young.
        self.succeed(b.catalog("gc", "--older-than", "0"))
        self.plan_back()
        wanted = b.read_plan(BACK)["waves"][0]["jobs"][0]["content"]
        for digest in wanted:
            name = digest.removeprefix("sha256:")
            (b.path / "store/objects" / name[:2] / name[2:]).unlink()
        self.assertIn(next(iter(wanted)), self.plan_back(code=1).err)

    def test_the_way_back_of_a_run_is_no_plan_of_its_own(self):
        b = self.deployed()
        self.sick.on[WORKERS[1]] = {"2.0.0"}
        self.upgrade("--on-failure", "rollback", sick=False)
        kept = [path for path in (b.path / "store/objects").glob("*/*") if b"part_of_run: true" in path.read_bytes()]
        self.assertEqual(len(kept), 1)
        b.file("part.plan.yaml").write_bytes(kept[0].read_bytes())
        self.refuse(b.apply(plan="part.plan.yaml"), 65, "the way back of run 2", "maand-plan rollback 2")

    def test_a_refresh_of_the_catalog_finds_no_difference_after_it(self):
        b = self.deployed()
        self.sick.on[WORKERS[1]] = {"2.0.0"}
        self.upgrade("--on-failure", "rollback", sick=False)
        self.assertIn("0 differ", self.succeed(b.catalog("refresh")).err)
        self.succeed(b.plan())
        self.assertEqual(b.read_plan()["failed_before"], {"api": WORKERS[:2]})

    def test_a_restart_by_hand_since_does_not_stand_in_the_way(self):
        b = self.deployed()
        self.upgrade(code=0, sick=False)
        self.succeed(b.run("maand-plan", "restart", "api", "--bucket", b.path, "-o", b.file("r.plan.yaml")))
        self.succeed(b.apply(plan="r.plan.yaml"))
        self.plan_back()
        self.succeed(b.apply(plan=BACK))
        self.all_back()

    def test_what_a_later_run_has_stopped_or_removed_is_left_out(self):
        b = self.deployed()
        self.upgrade(code=0, sick=False)
        self.succeed(b.run("maand-plan", "stop", "api", "--workers", WORKERS[0], "--bucket", b.path, "-o",
                           b.file("s.plan.yaml")))
        self.succeed(b.apply(plan="s.plan.yaml"))
        b.workers(*WORKERS[:4])
        self.rollout()
        self.plan_back()
        job = b.read_plan(BACK)["waves"][0]["jobs"][0]
        self.assertEqual(job["active"], WORKERS[1:4])
        self.succeed(b.apply(plan=BACK))
        self.assertEqual(self.versions(), {
            WORKERS[0]: "2.0.0 stopped_by_hand", **{worker: "1.0.0" for worker in WORKERS[1:4]}, WORKERS[4]: "removed"})

    def test_what_the_run_stopped_stays_stopped_and_is_listed(self):
        b = self.deployed()
        b.write("disabled.json", json.dumps({"jobs": {"api": {"allocations": [WORKERS[0]]}}}))
        self.upgrade(code=0, sick=False)
        self.plan_back()
        self.assertEqual(b.read_plan(BACK)["origin"]["stays_stopped"], {"api": [WORKERS[0]]})
        text = self.succeed(b.run("maand-plan", "show", b.file(BACK), "--bucket", b.path)).out
        self.assertIn("stays stopped", text)
        self.succeed(b.apply(plan=BACK))
        self.assertEqual(self.versions(), {WORKERS[0]: "1.0.0 stopped", **{worker: "1.0.0" for worker in WORKERS[1:]}})

    def test_several_releases_of_before_are_put_back(self):
        b = self.deployed()
        self.release("1.1.0")
        self.rollout("--workers", ",".join(WORKERS[3:]))
        self.upgrade(code=0, sick=False)
        self.plan_back(3)
        self.succeed(b.apply(plan=BACK))
        self.assertEqual(self.versions(), {**{worker: "1.0.0" for worker in WORKERS[:3]},
                                           **{worker: "1.1.0" for worker in WORKERS[3:]}})
        self.assertEqual(self.files(), {**{worker: "1.0.0" for worker in WORKERS[:3]},
                                        **{worker: "1.1.0" for worker in WORKERS[3:]}})


class StopsLast(RollbackCase):
    def test_stops_come_after_the_waves_if_the_plan_says_so(self):
        b = self.deployed()
        b.job("old", "1.0.0", {"app.conf": "1\n"}, bucket.makefile(pause=0))
        self.rollout()
        shutil.rmtree(b.workspace / "jobs/old")
        self.release("2.0.0")
        b.forget()
        self.succeed(b.plan("--stops", "last"))
        self.assertEqual(b.read_plan()["options"]["stops"], "last")
        self.assertIn("Stops, after the last wave", self.show())
        self.succeed(b.apply())
        jobs = [row.job for row in b.rows()]
        self.assertEqual(jobs, ["api"] * 5 + ["old"] * 5)
        # Without it nothing is said, and they come first.
        self.succeed(b.plan("--stops", "first"))
        self.assertNotIn("stops", b.read_plan()["options"])

    def test_nothing_is_stopped_after_a_failure(self):
        b = self.deployed()
        b.job("old", "1.0.0", {"app.conf": "1\n"}, bucket.makefile(pause=0))
        self.rollout()
        shutil.rmtree(b.workspace / "jobs/old")
        self.upgrade("--stops", "last")
        self.assertNotIn("stop", [row.target for row in self.ran])
        self.assertEqual(next(row for row in self.state()["jobs"] if row["job"] == "stops")["state"], "blocked")


if __name__ == "__main__":
    import unittest
    unittest.main()
