"""After stops, the gate of a job that goes on: nothing else of the job runs, and what waits for the job waits for its gate."""
import json

import yaml

import bucket
import hookbucket
from hookbucket import Hook

WORKERS = [f"127.0.66.{number}" for number in range(1, 4)]


class StopGates(bucket.Case):
    def deployed(self, hooks=None, **manifest):
        """The job `api` with a gate and a hook of `post_deploy`, and `web`, which is deployed after it. Both run."""
        self.b = b = hookbucket.HookBucket(self)
        b.workers_with({worker: ["api", "web"] for worker in WORKERS})
        self.health = bucket.Health(self, *WORKERS)
        self.manifest = {"selectors": ["api"], **self.health.manifest(attempts=1, interval=0), **manifest}
        self.hooks = {"command_post": Hook("post_deploy"), "command_pre": Hook("pre_deploy"), **(hooks or {})}
        self.release()
        self.web("a\n")
        self.rollout()
        return b

    def release(self, version="1.0.0", text="a\n"):
        self.b.hook_job("api", version, self.hooks, {"app.conf": text}, **self.manifest)

    def web(self, text):
        self.b.hook_job("web", files={"web.conf": text}, selectors=["web"], after=["api"])

    def disable(self, *workers, job="api"):
        self.b.write("disabled.json", json.dumps({"jobs": {job: {"allocations": list(workers)}}}))

    def take_away(self, worker):
        """The worker has the label of `api` no more."""
        self.b.workers_with({host: ["web"] if host == worker else ["api", "web"] for host in WORKERS})

    def rollout(self, *flags, code=0, words=()):
        self.succeed(self.b.plan(*flags))
        return self.apply(code=code, words=words)

    def apply(self, code=0, words=()):
        """What ran, as (job, worker, target or command), in order."""
        before = len(self.b.trace("hook ended", "target ended"))
        self.health.probes.clear()
        self.refuse(self.b.apply(), code, *words)
        return [(line.job, line.worker, line.command or line.event) for line in self.b.trace("hook ended", "target ended")[before:]]

    def gate_first(self, job="api"):
        """What the plan says of a gate that comes first; the job is not in the plan: False."""
        for wave in self.b.read_plan()["waves"]:
            for entry in wave["jobs"]:
                if entry["job"] == job:
                    return entry["gate_first"]
        return False

    def asked(self):
        return {worker for _, worker in self.health.probes}

    def debts(self):
        export = yaml.safe_load(self.succeed(self.b.catalog("export")).out)
        return {row["worker"]: {key for key in ("failed_gate", "owes_gate") if row.get(key)}
                for row in export["allocations"] if row["job"] == "api" and row["standing"] == "active"}

    def nothing_is_left(self):
        self.succeed(self.b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    # -- what is asked, and what runs

    def test_those_that_go_on_are_asked_after_a_stop_and_nothing_else_runs(self):
        for what, how in (("disabled", lambda: self.disable(WORKERS[0])), ("removed", lambda: self.take_away(WORKERS[0]))):
            with self.subTest(what):
                self.deployed()
                how()
                self.assertEqual(self.rollout(), [("api", WORKERS[0], "stop")])
                self.assertEqual(self.gate_first(), "after_stops")
                self.assertEqual(self.asked(), set(WORKERS[1:]))
                self.assertEqual(self.debts(), {worker: set() for worker in WORKERS[1:]})
                self.nothing_is_left()

    def test_a_reviewer_sees_the_gate(self):
        b = self.deployed()
        self.disable(WORKERS[0])
        self.succeed(b.plan())
        self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))
        shown = self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path)).out
        self.assertIn("1 to stop, 1 gate to pass; 5 unchanged", shown)
        self.assertIn("gate first: other allocations of the job are stopped before", shown)
        self.assertNotIn("post_deploy", shown)
        for form in ("markdown", "html"):
            text = self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path, "--format", form)).out
            self.assertIn("other allocations of the job are stopped before", text)
        review = json.loads(self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path, "--format", "json")).out)
        job = review["waves"][0]["jobs"][0]
        self.assertEqual((job["job"], job["gate_first"], job["gate_after_stops"]), ("api", True, True))
        steps = self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path, "--steps")).out
        self.assertLess(steps.index(f"api/stop/1/{WORKERS[0]}/stop"), steps.index("api/gate"))

    def test_hooks_of_the_health_check_are_asked_too(self):
        self.deployed({"command_well": Hook("health_check")})
        self.disable(WORKERS[2])
        stop, *hooks = self.rollout()
        self.assertEqual(stop, ("api", WORKERS[2], "stop"))
        self.assertEqual(sorted(hooks), [("api", worker, "command_well") for worker in WORKERS[:2]])

    def test_a_job_whose_other_allocations_act_has_its_gate_there(self):
        self.deployed()
        self.disable(WORKERS[0])
        self.release("2.0.0", "b\n")
        self.rollout()
        self.assertIsNone(self.gate_first())
        self.assertEqual(self.asked(), set(WORKERS[1:]))

    def test_no_gate_where_nothing_goes_on_or_nothing_ran(self):
        b = self.deployed()
        self.succeed(b.run("maand-plan", "stop", "api", "--workers", WORKERS[0], "--bucket", b.path, "--overwrite",
                           "-o", b.file()))
        self.apply()
        self.take_away(WORKERS[0])
        self.rollout()
        self.assertEqual((self.gate_first(), self.asked()), (False, set()), "what a person has stopped is no loss")
        self.disable(*WORKERS)
        self.rollout()
        self.assertEqual((self.gate_first(), self.asked()), (False, set()), "nothing of the job is left")

    def test_with_stops_last_nothing_follows_them(self):
        self.deployed()
        self.disable(WORKERS[0])
        self.rollout("--stops", "last")
        self.assertEqual((self.gate_first(), self.asked()), (False, set()))

    # -- gates that do not pass, and what is left of them

    def test_a_gate_that_fails_ends_the_rollout_and_is_asked_again(self):
        b = self.deployed()
        self.disable(WORKERS[0])
        self.web("b\n")
        self.health.sick.add(WORKERS[1])
        self.assertEqual(self.rollout(code=1, words=["api/gate", WORKERS[1]]), [("api", WORKERS[0], "stop")])
        self.assertEqual(self.debts(), {WORKERS[1]: {"failed_gate", "owes_gate"}, WORKERS[2]: {"owes_gate"}})
        # The same command asks again.
        self.assertEqual(self.apply(code=1, words=["api/gate", WORKERS[1]]), [])
        self.succeed(b.abandon(json.loads(self.succeed(b.status("--format", "json")).out)["run"]))
        # And so does the next plan, which runs no other hook of the job.
        self.health.sick.clear()
        ran = self.rollout()
        self.assertEqual(self.gate_first(), "unfinished")
        self.assertEqual(ran, [("web", worker, "restart") for worker in WORKERS])
        self.assertEqual(self.asked(), set(WORKERS[1:]))
        self.nothing_is_left()

    def test_a_run_that_is_given_up_after_the_stop_owes_the_gate(self):
        b = self.deployed()
        self.disable(WORKERS[0])
        self.succeed(b.plan())
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: b.trace("target began", event="stop"), "the stop begun")
        child.terminate()
        b.release("api", WORKERS[0])
        child.communicate(timeout=bucket.LIMIT)
        self.succeed(b.abandon(json.loads(self.succeed(b.status("--format", "json")).out)["run"]))
        self.assertEqual(self.debts(), {worker: {"owes_gate"} for worker in WORKERS[1:]})
        self.assertEqual(self.rollout(), [])
        self.assertEqual(self.asked(), set(WORKERS[1:]))
        self.nothing_is_left()

    def test_killed_anywhere_the_stop_runs_once_and_the_gate_passes(self):
        b = self.deployed()
        self.disable(WORKERS[0])
        self.succeed(b.plan())
        log = b.top / "places"
        first = b.copy(self)
        self.succeed(first.apply(env=first.environment(MAAND_FAULT_LOG=str(log))))
        if not log.exists():
            self.skipTest("only a build with test hooks can be told where to die")
        for place in range(1, len(log.read_text().splitlines()) + 1):
            with self.subTest(place):
                other = b.copy(self)
                before = len(other.trace("target ended", "hook ended"))
                killed = other.apply(env=other.environment(MAAND_FAULT_AT=str(place)))
                self.assertIn(killed.code, (0, -9))
                self.health.probes.clear()
                self.succeed(other.apply())
                self.assertEqual(
                    [(line.job, line.worker, line.event) for line in other.trace("target ended", "hook ended")[before:]],
                    [("api", WORKERS[0], "stop")])
                self.b = other
                self.assertEqual(self.debts(), {worker: set() for worker in WORKERS[1:]})
                self.nothing_is_left()
