"""Hooks around a batch and around its allocations: their order, what a failure leaves, and what is said of it."""
import os
import signal

import hookbucket
from bucket import until
from hookbucket import Hook

WORKERS = [f"127.0.12.{number}" for number in range(1, 5)]
AROUND = {
    "command_open": Hook("before_batch", language="sh"),
    "command_drain": Hook("before_allocation", language="sh"),
    "command_fill": Hook("after_allocation_healthy", language="sh"),
    "command_close": Hook("after_allocation", language="sh"),
}
HEALTH = {"health_check": {
    "checks": [{"type": "ssh", "command": "test ! -e sick"}], "timeout_seconds": 20,
    "wait": {"attempts": 1, "interval_seconds": 0}}}


class Around(hookbucket.HookCase):
    def deployed(self, batch=2, workers=WORKERS, hooks=AROUND, **manifest):
        """`api` in version 1.0.0, with a plan to 2.0.0."""
        b = self.bucket(*workers)
        self.batch = batch
        self.manifest = {**HEALTH, "max_concurrent_upgrades": batch, **manifest}
        b.hook_job("api", "1.0.0", hooks, **self.manifest)
        self.rollout(b)
        b.forget()
        b.hook_job("api", "2.0.0", hooks, **self.manifest)
        self.succeed(b.plan())
        return b

    def of(self, b, worker):
        """What happened to one allocation, in short words and in order."""
        words = {"command_open": "open", "command_drain": "drain", "command_fill": "fill", "command_close": "close"}
        return [words.get(line.command, "target") for line in b.trace("hook ended", "target ended", worker=worker)
                if line.command != "command_open"]

    def make_sick(self, b, worker, sick=True):
        file = b.job_dir(worker, "api").parent.parent / "sick"
        file.touch() if sick else file.unlink()

    def drained(self, b):
        return sorted(row["worker"] for row in b.json_of("maand-plan", "catalog", "allocations") if row["drained"])

    def test_the_order_and_the_input(self):
        b = self.deployed()
        self.succeed(b.apply())
        for worker in WORKERS:
            self.assertEqual(self.of(b, worker), ["drain", "target", "fill", "close"])
        opened = b.trace("hook began", command="command_open")
        self.assertEqual([(line.worker, line.values["BATCH_ALLOCATIONS"], line.values["BATCH_INDEX"],
                           line.values["BATCH_COUNT"]) for line in opened],
                         [(WORKERS[0], ",".join(WORKERS[:2]), "0", "2"), (WORKERS[2], ",".join(WORKERS[2:]), "1", "2")])
        # The second batch begins when the first is at its end.
        self.assert_order(b, lambda line: line.command and line.values["BATCH_INDEX"] == "0",
                          lambda line: line.command and line.values["BATCH_INDEX"] == "1")
        for line in b.trace("hook began", worker=WORKERS[3]):
            self.assertEqual(line.values["BATCH_ALLOCATIONS"], ",".join(WORKERS[2:]), line.event)
            self.assertEqual(line.values["NEW_VERSION"], "2.0.0")
            self.assertEqual(line.values["CURRENT_VERSION"],
                             "2.0.0" if line.event == "after_allocation_healthy" else "1.0.0")
            self.assertEqual(line.values["DEPLOY_PHASE"], "update")
        self.assertEqual(self.drained(b), [])

    def test_a_plan_says_them_and_a_dry_run_has_their_steps(self):
        b = self.deployed(batch=1, workers=WORKERS[:1])
        shown = b.run("maand-plan", "show", b.file()).out
        for event in ("before_batch", "before_allocation", "after_allocation_healthy", "after_allocation"):
            self.assertIn(event, shown)
        worker = WORKERS[0]
        steps = [line for line in b.apply("--dry-run").out.splitlines() if line.startswith("api/")]
        self.assertEqual(steps, [
            "api/upgrade/1/before_batch/command_open", f"api/upgrade/1/{worker}/before_allocation/command_drain",
            f"api/upgrade/1/{worker}/push", f"api/upgrade/1/{worker}/restart", f"api/upgrade/1/{worker}/promote",
            "api/upgrade/1/gate", f"api/upgrade/1/{worker}/after_allocation_healthy/command_fill",
            f"api/upgrade/1/{worker}/after_allocation/command_close", "api/complete"])
        self.assertEqual(b.trace(), [])

    def test_files_alone_drain_nothing(self):
        b = self.deployed(restart_policy="never")
        self.succeed(b.apply())
        self.assertEqual(b.trace(), [])
        self.assertNotIn("hooks", b.read_plan()["waves"][0]["jobs"][0])

    def test_a_batch_that_may_not_begin_is_untouched(self):
        b = self.deployed()
        b.fail("command_open", WORKERS[0])
        self.succeed(b.apply(), 1)
        self.assertEqual([line.command for line in b.trace("hook began")], ["command_open"])
        self.assertEqual(self.drained(b), [])
        rows = b.allocations()
        self.assertTrue(all(rows["api", worker]["unfinished"] is None for worker in WORKERS))
        b.mend("command_open", WORKERS[0])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(self.of(b, WORKERS[3]), ["drain", "target", "fill", "close"])

    def test_an_allocation_that_may_not_begin_is_untouched(self):
        b = self.deployed()
        b.fail("command_drain", WORKERS[1])
        ended = self.succeed(b.apply(), 1)
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "target", "fill", "close"])
        self.assertEqual(self.of(b, WORKERS[1]), ["close"])
        self.assertEqual(b.trace(worker=WORKERS[2]), [])
        row = b.allocations()["api", WORKERS[1]]
        self.assertEqual((row["promoted"]["version"], row["unfinished"]), ("1.0.0", None))
        # It may have been drained in part.
        self.assertEqual(self.drained(b), [WORKERS[1]])
        self.assertIn(f"1 still drained: api on {WORKERS[1]}", ended.out + ended.err)
        self.assertIn(f"api on {WORKERS[1]} is drained", b.status().out)
        self.assertEqual(b.json_of("maand-apply", "status")["drained"], [{"job": "api", "worker": WORKERS[1]}])
        # The next plan has it as a change, and names it as long as it does nothing for it.
        self.succeed(b.abandon(2))
        self.succeed(b.plan("--exclude", WORKERS[1]))
        self.assertEqual(b.read_plan()["drained"], {"api": [WORKERS[1]]})
        self.assertIn("Drained by an earlier run", b.run("maand-plan", "show", b.file()).out)
        b.mend("command_drain", WORKERS[1])
        self.rollout(b)
        self.assertNotIn("drained", b.read_plan())
        self.assertEqual(self.drained(b), [])

    def test_a_failed_target_keeps_its_allocation_drained(self):
        b = self.deployed()
        b.fail("api", WORKERS[0])
        self.succeed(b.apply(), 1)
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "close"])
        self.assertEqual(self.of(b, WORKERS[1]), ["drain", "target", "fill", "close"], "its own gate has passed")
        self.assertEqual(self.drained(b), [WORKERS[0]])
        before = len(b.trace())
        self.succeed(b.apply(), 1)
        self.assertEqual(len(b.trace()), before, "the same command touches nothing")
        # What is tried again is drained again first: its last hook has run.
        b.mend("api", WORKERS[0])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "close", "drain", "target", "fill", "close"])
        self.assertEqual(self.of(b, WORKERS[1]), ["drain", "target", "fill", "close"])
        self.assertEqual(self.of(b, WORKERS[3]), ["drain", "target", "fill", "close"])
        self.assertEqual(self.drained(b), [])

    def test_a_failed_gate_keeps_drained_what_failed_it(self):
        b = self.deployed()
        self.make_sick(b, WORKERS[1])
        ended = self.succeed(b.apply(), 1)
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "target", "fill", "close"])
        self.assertEqual(self.of(b, WORKERS[1]), ["drain", "target", "close"])
        self.assertIn(f"1 still drained: api on {WORKERS[1]}", ended.out + ended.err)
        self.assertEqual(b.trace(worker=WORKERS[2]), [])
        # The gate alone is asked again; then it gets its load, and its last hook comes last.
        self.make_sick(b, WORKERS[1], False)
        self.succeed(b.apply())
        self.assertEqual(self.of(b, WORKERS[1]), ["drain", "target", "close", "fill", "close"])
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "target", "fill", "close"])
        self.assertEqual(self.drained(b), [])

    def test_a_last_hook_that_fails_hides_no_other_failure(self):
        b = self.deployed()
        b.fail("api", WORKERS[0])
        b.fail("command_close", WORKERS[0])
        ended = self.succeed(b.apply(), 1)
        for step in (f"api/upgrade/1/{WORKERS[0]}/restart has failed",
                     f"api/upgrade/1/{WORKERS[0]}/after_allocation/command_close has failed"):
            self.assertIn(step, ended.err)
        b.mend("api", WORKERS[0])
        b.mend("command_close", WORKERS[0])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(self.drained(b), [])

    def test_a_killed_run_goes_on_to_the_last_hooks(self):
        for moment in ("command_drain", "api", "command_fill", "command_close"):
            with self.subTest(moment):
                b = self.deployed(batch=1, workers=WORKERS[:2])
                b.hold(moment, WORKERS[0])
                child = b.start_apply()
                what = "target began" if moment == "api" else "hook began"
                command = None if moment == "api" else moment
                until(lambda: b.trace(what, worker=WORKERS[0], command=command), moment)
                child.kill()
                child.communicate()
                b.release(moment, WORKERS[0])
                self.succeed(b.apply())
                for worker in WORKERS[:2]:
                    self.assertEqual(self.of(b, worker), ["drain", "target", "fill", "close"])
                self.assertEqual(self.drained(b), [])

    def test_after_a_kill_a_failure_has_its_last_hook(self):
        b = self.deployed(batch=1, workers=WORKERS[:2])
        b.fail("api", WORKERS[0])
        b.hold("command_close", WORKERS[0])
        child = b.start_apply()
        until(lambda: b.trace("hook began", command="command_close"), "the last hook")
        child.kill()
        child.communicate()
        b.release("command_close", WORKERS[0])
        self.succeed(b.apply(), 1)
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "close"])
        self.assertEqual(b.trace(worker=WORKERS[1]), [])

    def test_a_drained_allocation_comes_to_its_end_before_the_run_parks(self):
        b = self.deployed(batch=1, workers=WORKERS[:2])
        b.hold("command_drain", WORKERS[0])
        child = b.start_apply()
        until(lambda: b.trace("hook began", command="command_drain"), "the drain")
        self.succeed(b.run("maand-apply", "pause", "2", "--reason", "the night", "--bucket", b.path))
        b.release("command_drain", WORKERS[0])
        self.ended(child, 75)
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "target", "fill", "close"])
        self.assertEqual(b.trace(worker=WORKERS[1]), [])
        self.assertEqual(self.drained(b), [])

    def test_new_allocations_wait_for_the_gate_of_their_phase(self):
        b = self.bucket(*WORKERS)
        b.hook_job("api", "1.0.0", AROUND, max_concurrent_starts=2, **HEALTH)
        self.rollout(b)
        self.assert_order(b, lambda line: line.what == "target began", lambda line: line.command == "command_fill")
        for worker in WORKERS:
            self.assertEqual(self.of(b, worker), ["drain", "target", "fill", "close"])

    def test_without_a_health_check_what_is_promoted_is_put_back(self):
        b = self.deployed(batch=4, health_check=None)
        b.fail("api", WORKERS[2])
        self.succeed(b.apply(), 1)
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "target", "fill", "close"])
        self.assertEqual(self.of(b, WORKERS[2]), ["drain", "close"])

    def test_operations_drain_too(self):
        b = self.deployed(batch=2)
        self.succeed(b.apply())
        for kind, last in (("restart", ["drain", "target", "fill", "close"]), ("stop", ["drain", "target", "close"]),
                           ("start", ["drain", "target", "fill", "close"])):
            with self.subTest(kind):
                b.forget()
                self.succeed(b.run("maand-plan", kind, "api", "-o", b.file(f"{kind}.plan.yaml"), "--bucket", b.path))
                self.succeed(b.apply(plan=f"{kind}.plan.yaml"))
                for worker in WORKERS:
                    self.assertEqual(self.of(b, worker), last)
                self.assertEqual({line.values["TARGET"] for line in b.trace("hook ended")}, {kind})
                self.assertEqual(self.drained(b), [])

    def test_stops_are_drained_first(self):
        b = self.bucket(*WORKERS)
        b.hook_job("api", "1.0.0", AROUND, **HEALTH)
        self.rollout(b)
        b.forget()
        b.write("disabled.json", '{"jobs": {"api": {"allocations": ["%s"]}}}\n' % WORKERS[1])
        b.workers(*WORKERS[:3])
        self.rollout(b)
        for worker in (WORKERS[1], WORKERS[3]):
            self.assertEqual(self.of(b, worker), ["drain", "target", "close"])
        drains = b.trace("hook began", command="command_drain")
        self.assertEqual({(line.worker, line.values["DISABLED"], line.values["DEPLOY_PHASE"]) for line in drains},
                         {(WORKERS[1], "1", "stop"), (WORKERS[3], "0", "stop")})
        opened = b.trace("hook began", command="command_open")
        self.assertEqual([line.values["BATCH_ALLOCATIONS"] for line in opened], [f"{WORKERS[1]},{WORKERS[3]}"])
        self.assertEqual(self.drained(b), [])
        # Enabled again, it is put back.
        b.forget()
        b.write("disabled.json", "{}\n")
        self.rollout(b)
        self.assertEqual(self.of(b, WORKERS[1]), ["drain", "target", "fill", "close"])

    def test_a_stop_that_may_not_begin_is_untouched(self):
        b = self.bucket(*WORKERS[:2])
        b.hook_job("api", "1.0.0", AROUND, **HEALTH)
        self.rollout(b)
        b.forget()
        b.write("disabled.json", '{"jobs": {"api": {"allocations": ["%s"]}}}\n' % WORKERS[1])
        b.fail("command_drain", WORKERS[1])
        self.rollout(b, code=1)
        self.assertEqual(self.of(b, WORKERS[1]), ["close"])
        self.assertEqual(b.allocations()["api", WORKERS[1]]["standing"], "active")
        # It may be without its load, and is named until it has stopped.
        self.assertEqual(self.drained(b), [WORKERS[1]])
        self.assertIn(f"api on {WORKERS[1]} is drained", b.status().out)
        b.mend("command_drain", WORKERS[1])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(self.of(b, WORKERS[1]), ["close", "drain", "target", "close"])
        self.assertEqual(self.drained(b), [])

    def test_a_release_without_the_hooks_names_what_it_leaves_drained(self):
        b = self.deployed(batch=1)
        b.fail("api", WORKERS[0])
        self.succeed(b.apply(), 1)
        self.succeed(b.abandon(2))
        b.mend("api", WORKERS[0])
        b.hook_job("api", "3.0.0", {}, **self.manifest)
        self.succeed(b.plan())
        self.assertEqual(b.read_plan()["drained"], {"api": [WORKERS[0]]})
        ended = self.succeed(b.apply())
        self.assertIn(f"1 still drained: api on {WORKERS[0]}", ended.out + ended.err)
        self.assertIn(f"api on {WORKERS[0]} is drained", b.status().out)

    def test_a_hook_before_a_batch_is_settled_although_the_batch_was_left_behind(self):
        b = self.deployed(batch=1, workers=WORKERS[:2], rollout={"max_unreachable": 1})
        b.hold("command_open", WORKERS[0])
        child = b.start_apply()
        until(lambda: b.trace("hook began", command="command_open", worker=WORKERS[0]), "the hook before the batch")
        child.kill()
        child.communicate()
        place = b.path / "workers" / WORKERS[0]
        place.rename(b.top / "away")
        place.write_text("no folder")
        child = b.start_apply()
        until(lambda: "left behind" in b.status().out, "it left behind")
        self.assertEqual(b.trace("hook began", worker=WORKERS[1]), [], "the next batch waits for the hook")
        b.release("command_open", WORKERS[0])
        out, err = child.communicate(timeout=300)
        self.assertEqual(child.returncode, 0, out + err)
        self.assertNotIn("under way", b.status().out)
        place.unlink()
        (b.top / "away").rename(place)

    def test_a_job_control_command_comes_between(self):
        roll = {"command_roll": Hook("job_control", language="sh")}
        b = self.deployed(hooks={**AROUND, **roll})
        b.fail("command_roll", WORKERS[1])
        self.succeed(b.apply(), 1)
        # Its failure keeps the whole batch from being promoted, so nobody of it is put back.
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "target", "close"])
        self.assertEqual(self.of(b, WORKERS[1]), ["drain", "close"])
        self.assertEqual(self.drained(b), WORKERS[:2])
        b.mend("command_roll", WORKERS[1])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "target", "close", "fill", "close"])
        self.assertEqual(self.of(b, WORKERS[1]), ["drain", "close", "drain", "target", "fill", "close"])
        self.assertEqual(self.of(b, WORKERS[3]), ["drain", "target", "fill", "close"])
        self.assertEqual(self.drained(b), [])

    def test_an_unknown_outcome_keeps_all_waiting_for_a_person(self):
        b = self.deployed(batch=1, workers=WORKERS[:2])
        b.hold("command_fill", WORKERS[0])
        child = b.start_apply()
        until(lambda: b.trace("hook began", command="command_fill"), "the hook")
        # What waits for the hook on the controller dies with it, so that nobody knows how far it came.
        running = [file for file in b.control().glob("*/*.run") if not list(file.parent.glob(file.name[:-4] + ".done.*"))]
        self.assertEqual(len(running), 1)
        os.kill(int(running[0].read_text().split()[1]), signal.SIGKILL)
        self.ended(child, 4)
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "target"])
        step = f"api/upgrade/1/{WORKERS[0]}/after_allocation_healthy/command_fill"
        self.assertEqual(b.steps(), {step: "unknown"})
        b.end_processes()
        self.succeed(b.run("maand-apply", "resolve", "2", step, "succeeded", "--reason", "seen", "--bucket", b.path))
        self.succeed(b.apply())
        self.assertEqual(self.of(b, WORKERS[0]), ["drain", "target", "close"])
        self.assertEqual(self.of(b, WORKERS[1]), ["drain", "target", "fill", "close"])
        self.assertEqual(self.drained(b), [])
