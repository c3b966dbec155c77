"""A bad release is a way forward: what is broken is repaired first, and nothing healthy is touched before it is well.

The service of a test is well or not by what last ran on its worker: `Sick` decides for each probe.
"""
import json

import yaml

import bucket
import hookbucket
from hookbucket import Hook

WORKERS = [f"127.0.13.{number}" for number in range(1, 5)]


class Sick:
    """What `bucket.Health` asks for each probe: whether the service of a worker is not well."""

    def __init__(self, b):
        self.bucket = b
        self.versions = set()  # releases that never come up
        self.workers = set()   # hosts that have crashed
        self.script = {}       # worker: how many more probes it answers well, then none

    def __contains__(self, worker):
        if worker in self.script:
            self.script[worker] -= 1
            return self.script[worker] < 0
        return worker in self.workers or self.running(worker) in self.versions

    def running(self, worker):
        """The release that the last target has brought there."""
        log = self.bucket.job_dir(worker, "api") / "data/lifecycle.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return lines[-1].split(" ")[2] if lines else None


def phases(plan, job="api"):
    """[(phase, [[worker]])] of one job of a plan."""
    for wave in plan["waves"]:
        for entry in wave["jobs"]:
            if entry["job"] == job:
                return [(phase["phase"], [[row["worker"] for row in batch] for batch in phase["batches"]])
                        for phase in entry["phases"]]
    return []


def entries(plan):
    """{worker: entry} of all batches."""
    return {row["worker"]: row for wave in plan["waves"] for job in wave["jobs"] for phase in job["phases"]
            for batch in phase["batches"] for row in batch}


class Case(bucket.Case):
    WORKERS = WORKERS  # every test file has addresses of its own
    Sick = Sick

    def lay(self, workers=None, **manifest):
        """A bucket whose job `api` has a gate, with nothing deployed. `release` writes other releases of it."""
        self.b = bucket.Bucket(self)
        self.b.workers(*(self.WORKERS if workers is None else workers))
        self.health = bucket.Health(self, *self.WORKERS)
        self.health.sick = self.sick = self.Sick(self.b)
        self.manifest = manifest
        self.release("1.0.0")
        return self.b

    def release(self, version, attempts=1, interval=0, wait=None, **manifest):
        gate = self.health.manifest(attempts=attempts, interval=interval)
        gate["health_check"]["wait"].update(wait or {})
        self.b.job("api", version, {"app.conf": version + "\n"}, **{**gate, **self.manifest, **manifest})

    def deployed(self, **manifest):
        """1.0.0 runs everywhere and is well."""
        b = self.lay(**manifest)
        self.rollout()
        return b

    def rollout(self, *flags, code=0, words=()):
        """Plans and applies. Returns the targets that ran, as [(worker, target)], in order."""
        self.succeed(self.b.plan(*flags))
        return self.apply(code=code, words=words)

    def apply(self, code=0, words=()):
        before = len(self.b.rows())
        self.health.probes.clear()
        self.refuse(self.b.apply(), code, *words)
        self.ran = self.b.rows()[before:]
        return [(row.worker, row.target) for row in self.ran]

    def abandon(self):
        run = json.loads(self.succeed(self.b.status("--format", "json")).out)["run"]
        self.succeed(self.b.abandon(run))

    def asked(self):
        """Who was probed after each target that ended and before the next began, those that asked nobody left out."""
        spans = [row.end for row in self.ran] + [float("inf")]
        starts = [row.start for row in self.ran][1:] + [float("inf")]
        found = [{worker for at, worker in self.health.probes if end < at < start} for end, start in zip(spans, starts)]
        return [sorted(workers) for workers in found if workers]

    def show(self):
        return self.succeed(self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path)).out

    def facts(self):
        """{worker: what the export says of its gate}."""
        export = yaml.safe_load(self.succeed(self.b.catalog("export")).out)
        return {row["worker"]: {key for key in ("failed_gate", "owes_gate") if row.get(key)}
                for row in export["allocations"] if row["job"] == "api"}


class Recover(Case):
    def test_a_host_that_crashed_after_it_had_passed_comes_first(self):
        b = self.deployed()
        self.release("2.0.0")
        self.succeed(b.plan())
        # The second one is well until the third is restarted.
        b.hold("api", WORKERS[2])
        child = b.start_apply()
        bucket.until(lambda: ("api", WORKERS[2], "restart") in b.began(), "the third batch begun")
        self.sick.workers.add(WORKERS[1])
        b.release("api", WORKERS[2])
        _, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 1, err)
        self.assertIn(WORKERS[1], err)
        self.assertEqual(self.facts(), {
            WORKERS[0]: set(), WORKERS[1]: {"failed_gate"}, WORKERS[2]: {"owes_gate"}, WORKERS[3]: set()})
        self.abandon()

        self.release("3.0.0")
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [
            ("recover", [[WORKERS[1]], [WORKERS[2]]]), ("upgrade", [[WORKERS[0]], [WORKERS[3]]])])
        self.assertEqual({worker: row.get("gate") for worker, row in entries(b.read_plan()).items()}, {
            WORKERS[0]: None, WORKERS[1]: "failed", WORKERS[2]: "owed", WORKERS[3]: None})
        self.assertIn("recovers 2 allocations that never passed their gate, then upgrades 2", self.show())
        self.sick.workers.clear()
        self.assertEqual(self.apply(), [(WORKERS[number], "restart") for number in (1, 2, 0, 3)])
        # Each batch alone, then all that runs; from there on as ever.
        self.assertEqual(self.asked(), [[WORKERS[1]], WORKERS, WORKERS, WORKERS])
        self.assertEqual(set().union(*self.facts().values()), set())
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def test_a_batch_with_a_failed_target_and_one_that_was_promoted(self):
        b = self.deployed(max_concurrent_upgrades=2)
        self.release("2.0.0")
        b.fail("api", WORKERS[0])
        self.assertEqual(self.rollout(code=1, words=[WORKERS[0]]), [(WORKERS[1], "restart")])
        self.assertEqual(self.health.probes, [], "a gate came although a target of its batch had failed")
        self.assertEqual(self.facts()[WORKERS[1]], {"owes_gate"})
        self.abandon()
        b.mend("api", WORKERS[0])
        self.release("3.0.0")
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [("recover", [WORKERS[:2]]), ("upgrade", [WORKERS[2:]])])
        rows = entries(b.read_plan())
        self.assertEqual((rows[WORKERS[0]]["reason"], rows[WORKERS[0]].get("gate")), ("unfinished", None))
        self.assertEqual((rows[WORKERS[1]]["reason"], rows[WORKERS[1]].get("gate")), ("content_changed", "owed"))
        shown = self.show()
        self.assertIn("recovers 1 allocation that never passed its gate and 1 unfinished allocation, then upgrades 2", shown)
        self.assertIn("a gate over the batch, then one over everything that runs", shown)
        ran = self.apply()
        self.assertEqual([set(ran[:2]), set(ran[2:])],
                         [{(worker, "restart") for worker in pair} for pair in (WORKERS[:2], WORKERS[2:])])

    def test_a_failed_first_deploy_with_hosts_that_are_new(self):
        b = self.lay(workers=WORKERS[:2])
        self.sick.versions.add("1.0.0")
        self.assertEqual(len(self.rollout(code=1, words=["api/start/gate"])), 2)
        self.abandon()
        b.workers(*WORKERS)
        self.release("1.0.1")
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [("recover", [[WORKERS[0]], [WORKERS[1]]]), ("start", [WORKERS[2:]])])
        self.assertIn("recovers 2 allocations that never passed their gate, then starts 2", self.show())
        ran = self.apply()
        self.assertEqual(ran[:2], [(worker, "restart") for worker in WORKERS[:2]])
        self.assertEqual(set(ran[2:]), {(worker, "start") for worker in WORKERS[2:]})
        # The hosts that only start later are not waited for.
        self.assertEqual(self.asked()[:2], [[WORKERS[0]], WORKERS[:2]])

    def test_a_first_start_that_failed_is_repaired_before_new_hosts_start(self):
        b = self.lay(workers=WORKERS[:2])
        b.fail("api", WORKERS[1])
        self.assertEqual(self.rollout(code=1, words=[WORKERS[1]]), [(WORKERS[0], "start")])
        self.abandon()
        b.mend("api", WORKERS[1])
        b.workers(*WORKERS)
        self.succeed(b.plan())
        # The first one is as it shall be: its gate comes first, and does not ask about what is to be repaired.
        self.assertEqual(phases(b.read_plan()), [("recover", [[WORKERS[1]]]), ("start", [WORKERS[2:]])])
        self.assertEqual(entries(b.read_plan())[WORKERS[1]]["action"], "start")
        self.assertIn("gate first", self.show())
        self.sick.script[WORKERS[1]] = 100
        ran = self.apply()
        self.assertEqual(ran[0], (WORKERS[1], "start"))
        first = {worker for at, worker in self.health.probes if at < self.ran[0].start}
        self.assertEqual(first, {WORKERS[0]})

    def test_a_fix_that_is_bad_too_touches_one_batch(self):
        b = self.deployed(rollout={"batches": [1, 2]})
        self.sick.versions |= {"2.0.0", "2.0.1", "2.0.2"}
        self.release("2.0.0")
        self.assertEqual(self.rollout(code=1, words=["api/upgrade/1/gate"]), [(WORKERS[0], "restart")])
        self.abandon()
        for version in ("2.0.1", "2.0.2"):
            with self.subTest(version):
                self.release(version)
                self.assertEqual(self.rollout(code=1, words=["api/recover/1/gate", WORKERS[0]]), [(WORKERS[0], "restart")])
                self.assertEqual(self.asked(), [[WORKERS[0]]])
                self.abandon()
        self.assertEqual([self.sick.running(worker) for worker in WORKERS[1:]], ["1.0.0"] * 3)
        self.release("2.0.3")
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [
            ("recover", [[WORKERS[0]]]), ("upgrade", [[WORKERS[1]], WORKERS[2:]])], "the batches begin again")
        self.assertEqual(self.apply()[:2], [(worker, "restart") for worker in WORKERS[:2]])

    def test_the_batches_of_the_manifest_count_in_each_phase(self):
        b = self.deployed(rollout={"batches": [2, 1]})
        self.sick.versions.add("2.0.0")
        self.release("2.0.0")
        self.assertEqual(len(self.rollout(code=1)), 2)
        self.abandon()
        self.release("3.0.0", rollout={"batches": [1, 2]})
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [
            ("recover", [[WORKERS[0]], [WORKERS[1]]]), ("upgrade", [[WORKERS[2]], [WORKERS[3]]])])

    def test_the_old_release_put_back(self):
        b = self.deployed(max_concurrent_upgrades=2)
        self.sick.versions.add("2.0.0")
        self.release("2.0.0")
        self.rollout(code=1)
        self.abandon()
        self.release("1.0.0")
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [("recover", [WORKERS[:2]])])
        self.assertIn("recovers 2 allocations that never passed their gate\n", self.show())
        self.assertEqual({worker for worker, _ in self.apply()}, set(WORKERS[:2]))
        self.assertEqual({worker for _, worker in self.health.probes}, set(WORKERS), "the whole gate comes after the phase")
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def test_the_whole_gate_after_the_repair_holds_up_the_upgrades(self):
        """A host that the repair does not touch, and that is not well, is found before a healthy one is touched."""
        b = self.deployed()
        self.sick.versions.add("2.0.0")
        self.release("2.0.0")
        self.rollout(code=1)
        self.abandon()
        self.sick.workers.add(WORKERS[3])
        self.release("3.0.0")
        self.assertEqual(self.rollout(code=1, words=["api/recover/gate", WORKERS[3]]), [(WORKERS[0], "restart")])
        self.assertEqual(self.facts(), {
            WORKERS[0]: set(), WORKERS[1]: set(), WORKERS[2]: set(), WORKERS[3]: {"failed_gate"}})
        self.abandon()
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [("recover", [[WORKERS[3]]]), ("upgrade", [[WORKERS[1]], [WORKERS[2]]])])
        self.sick.workers.clear()
        self.assertEqual(self.apply(), [(WORKERS[number], "restart") for number in (3, 1, 2)])

    # -- where the gate comes first

    def test_the_gate_comes_first_where_what_failed_it_is_unchanged(self):
        b = self.deployed()
        self.release("2.0.0")
        self.sick.workers.add(WORKERS[0])
        self.rollout(code=1)
        self.abandon()
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [("upgrade", [[worker] for worker in WORKERS[1:]])])
        self.assertIn("gate first", self.show())
        self.assertEqual(self.apply(code=1, words=["api/gate", WORKERS[0]]), [])
        self.sick.workers.clear()
        self.assertEqual(self.apply(), [(worker, "restart") for worker in WORKERS[1:]])

    def test_a_gate_alone_where_nothing_else_is_to_do(self):
        b = self.deployed()
        self.release("2.0.0", max_concurrent_upgrades=4)
        self.sick.workers.add(WORKERS[2])
        self.assertEqual(len(self.rollout(code=1)), 4)
        self.abandon()
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [])
        self.sick.workers.clear()
        self.assertEqual(self.apply(), [])
        self.assertEqual({worker for _, worker in self.health.probes}, set(WORKERS))
        self.assertEqual(set().union(*self.facts().values()), set())
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def test_no_gate_first_for_what_is_disabled(self):
        b = self.deployed()
        self.release("2.0.0")
        self.sick.workers.add(WORKERS[0])
        self.rollout(code=1)
        self.abandon()
        b.write("disabled.json", json.dumps({"workers": [WORKERS[0]]}))
        ran = self.rollout()
        self.assertEqual(ran, [(WORKERS[0], "stop")] + [(worker, "restart") for worker in WORKERS[1:]])
        self.assertNotIn(WORKERS[0], {worker for _, worker in self.health.probes})
        # When it is back it has to pass like any other.
        (b.workspace / "disabled.json").unlink()
        self.assertEqual(self.rollout(code=1, words=[WORKERS[0]]), [(WORKERS[0], "start")])

    # -- everything is down

    def test_recover_where_nothing_is_well(self):
        b = self.deployed(max_concurrent_upgrades=2)
        self.sick.versions.add("1.0.0")
        self.release("2.0.0")
        # The usual way asks about hosts that the plan has not reached yet.
        self.assertEqual(len(self.rollout(code=1, words=["api/upgrade/1/gate", *WORKERS[2:]])), 2)
        self.abandon()
        self.release("2.0.1")
        self.succeed(b.plan("--recover", "api"))
        self.assertEqual([kind for kind, _ in phases(b.read_plan())], ["recover"])
        self.assertEqual(b.read_plan()["options"]["recover"], ["api"])
        shown = self.show()
        self.assertIn("--recover api", shown)
        self.assertIn("recovers", shown)
        self.assertEqual(len(self.apply()), 4)
        self.assertEqual(set().union(*self.facts().values()), set())

    def test_recover_where_no_gate_has_failed(self):
        b = self.deployed(max_concurrent_upgrades=2)
        self.sick.versions.add("1.0.0")
        self.release("2.0.0")
        self.succeed(b.plan("--recover", "api"))
        self.assertEqual(phases(b.read_plan()), [("recover", [WORKERS[:2], WORKERS[2:]])])
        self.assertIn("recovers 4 allocations that are not known to be well", self.show())
        self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))
        self.assertEqual(len(self.apply()), 4)
        self.assertEqual({worker for _, worker in self.health.probes}, set(WORKERS))

    def test_recover_where_the_gate_would_come_first(self):
        """It failed on hosts that the plan does not change; still the others are repaired first."""
        b = self.deployed()
        self.release("2.0.0")
        self.sick.workers |= set(WORKERS)
        self.rollout(code=1)
        self.abandon()
        self.succeed(b.plan("--recover", "api"))
        self.assertEqual(sorted({worker for _, cut in phases(b.read_plan()) for batch in cut for worker in batch}),
                         WORKERS[1:])
        self.assertEqual([kind for kind, _ in phases(b.read_plan())], ["recover"])
        self.sick.workers.clear()
        self.assertEqual(self.apply(), [(worker, "restart") for worker in WORKERS[1:]])
        self.assertEqual(set().union(*self.facts().values()), set())

    def test_recover_names_jobs_that_exist_and_are_planned(self):
        b = self.deployed()
        b.job("web")
        self.refuse(b.plan("--recover", "nonsense"), 65, "nonsense")
        self.refuse(b.plan("--recover", "api", "--jobs", "web"), 65, "--recover", "api", "--jobs")
        self.succeed(b.plan("--recover", "web,api", "--jobs", "api,web"))
        self.assertEqual(b.read_plan()["options"]["recover"], ["api", "web"])

    # -- how often a gate asks

    def test_a_service_that_answers_once_and_then_fails(self):
        b = self.deployed()
        self.release("2.0.0", attempts=2, wait={"successes": 3})
        self.succeed(b.plan())
        self.assertIn("3 in a row have to pass", self.show())
        self.sick.script[WORKERS[0]] = 1
        self.assertEqual(self.apply(code=1, words=["api/upgrade/1/gate", WORKERS[0], "1 of 3"]), [(WORKERS[0], "restart")])
        self.assertIn("failed_gate", self.facts()[WORKERS[0]])
        # A try that fails in between begins the row anew.
        self.sick.script[WORKERS[0]] = 2
        self.assertEqual(self.apply(code=1, words=["2 of 3"]), [])
        self.sick.script.clear()
        self.assertEqual(len(self.apply()), 3)

    def test_the_passing_answers_are_one_interval_apart_on_every_allocation(self):
        b = self.lay(workers=WORKERS[:2])
        self.release("1.0.0", attempts=1, interval=1, wait={"successes": 2, "initial_delay_seconds": 1})
        self.rollout()
        times = {worker: [at for at, who in self.health.probes if who == worker] for worker in WORKERS[:2]}
        ended = max(row.end for row in self.ran)
        for worker, (first, second) in times.items():
            self.assertGreaterEqual(first - ended, 0.95, "the first probe came before the delay was over")
            self.assertGreaterEqual(second - first, 0.95, "the probes came faster than the interval")

    def test_a_gate_after_a_reload_is_warned_of(self):
        warning = "after a reload the old process may still answer this gate"
        self.deployed(restart_policy="reload")
        for manifest in ({"wait": {"successes": 2}}, {"wait": {"initial_delay_seconds": 1}},
                         {"rollout": {"bake_seconds": 1}}, {"restart_policy": "always"}):
            self.release("2.0.0", **manifest)
            self.succeed(self.b.plan())
            self.assertNotIn(warning, self.show(), manifest)
        self.release("2.0.0")
        self.succeed(self.b.plan())
        self.assertIn(warning, self.show())

    def test_a_first_start_that_failed_is_shown_as_unfinished(self):
        b = self.lay(workers=WORKERS[:2])
        b.fail("api", WORKERS[1])
        self.rollout(code=1)
        self.abandon()
        self.release("1.0.1")
        self.succeed(b.plan())
        self.assertIn("recovers 1 allocation that never passed its gate and 1 unfinished allocation", self.show())

    # -- who owes a gate

    def test_what_has_no_gate_owes_none(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", "1.0.0")
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.job("api", "2.0.0")
        self.succeed(b.plan())
        b.fail("api", WORKERS[1])
        self.succeed(b.apply(), 1)
        self.succeed(b.abandon(2))
        b.job("api", "3.0.0")
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [
            ("recover", [[WORKERS[1]]]), ("upgrade", [[WORKERS[0]], [WORKERS[2]], [WORKERS[3]]])])
        shown = self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path)).out
        self.assertIn("recovers 1 unfinished allocation, then upgrades 3", shown)

    def test_a_health_check_that_is_taken_out_takes_the_debt_with_it(self):
        b = self.deployed()
        self.sick.versions.add("2.0.0")
        self.release("2.0.0")
        self.rollout(code=1)
        self.abandon()
        b.job("api", "3.0.0")
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [("upgrade", [[worker] for worker in WORKERS])])
        self.assertEqual(len(self.apply()), 4)
        self.assertEqual(set().union(*self.facts().values()), set())
        self.release("4.0.0")
        self.succeed(b.plan())
        self.assertEqual([kind for kind, _ in phases(b.read_plan())], ["upgrade"])

    def test_files_alone_owe_no_gate_and_pay_none(self):
        b = self.deployed(restart_policy="never")
        self.release("2.0.0")
        self.assertEqual(self.rollout(), [])
        self.assertEqual(self.health.probes, [])
        self.assertEqual(set().union(*self.facts().values()), set())

    def test_sync_only_shows_no_gate_and_runs_none(self):
        b = self.deployed()
        self.sick.versions.add("2.0.0")
        self.release("2.0.0")
        self.rollout(code=1)
        self.abandon()
        self.release("3.0.0")
        self.succeed(b.plan("--sync-only"))
        shown = self.show()
        self.assertIn("no gate", shown)
        for word in ("a gate over", "a gate after", "gate: http"):
            self.assertNotIn(word, shown)
        self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))
        self.assertEqual(self.apply(), [])
        self.assertEqual(self.health.probes, [])
        self.assertTrue(all((b.job_dir(worker, "api") / "app.conf").read_text() == "3.0.0\n" for worker in WORKERS))
        # What is owed is owed still, since nothing was restarted.
        self.assertEqual(self.facts()[WORKERS[0]], {"owes_gate", "failed_gate"})
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [])
        self.assertEqual(self.apply(code=1, words=["api/gate", WORKERS[0]]), [])

    # -- planning elsewhere

    def test_an_export_carries_the_facts(self):
        b = self.deployed(max_concurrent_upgrades=2)
        self.release("2.0.0")
        self.sick.workers.add(WORKERS[1])
        self.rollout(code=1)
        self.abandon()
        self.assertEqual([self.facts()[worker] for worker in WORKERS], [{"owes_gate"}, {"owes_gate", "failed_gate"}, set(), set()])
        export = b.top / "catalog.yaml"
        export.write_text(self.succeed(b.catalog("export")).out)
        for number, flags in enumerate(([], ["--recover", "api"], ["--sync-only"], ["--max-unreachable", "50%"])):
            with self.subTest(flags):
                self.release(f"3.{number}.0")
                self.succeed(b.plan(*flags))
                self.succeed(b.plan(*flags, "--catalog", export, out="away.plan.yaml"))
                self.assertEqual(b.file("away.plan.yaml").read_bytes(), b.file().read_bytes())
                self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))
                self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path, "--catalog", export))
        self.release("4.0.0")
        self.succeed(b.plan("--catalog", export))
        self.assertEqual(phases(b.read_plan())[0], ("recover", [[WORKERS[1], WORKERS[0]]]), "the failing one first")
        self.sick.workers.clear()
        self.assertEqual(len(self.apply()), 4)


class Hooks(hookbucket.HookCase):
    """The same, as hooks see it."""

    WELL = 'import json\nbroken = open(note.KNOBS + "/broken").read().split() if os.path.exists(note.KNOBS + "/broken") ' \
           'else []\nif maand.allocation_ip() in broken: sys.exit("not well")'

    def gate(self):
        return {"command_well": Hook("health_check", body=self.WELL)}

    def broken(self, b, *workers):
        (b.knobs / "broken").write_text(" ".join(workers))

    def health(self):
        return {"health_check": {"checks": [{"type": "ssh", "command": "true"}], "timeout_seconds": 20,
                                 "wait": {"attempts": 1, "interval_seconds": 0}}}

    def failed(self, hooks, *workers, **manifest):
        """1.0.0 everywhere; 2.0.0 in batches of two, where the gate of the first batch names these workers. Given up."""
        b = self.bucket(*WORKERS)
        manifest = {"max_concurrent_upgrades": 2, **self.health(), **manifest}
        b.hook_job("api", "1.0.0", {**self.gate(), **hooks}, **manifest)
        self.rollout(b)
        b.hook_job("api", "2.0.0", {**self.gate(), **hooks}, **manifest)
        self.broken(b, *workers)
        self.rollout(b, code=1)
        self.broken(b)
        self.succeed(b.abandon(2))
        b.forget()
        return b, manifest

    NAMES = ("BATCH_INDEX", "BATCH_COUNT", "BATCH_ALLOCATIONS", "DEPLOY_PHASE")

    def told(self, b, event, *more):
        return {line.worker: tuple(line.values[name] for name in self.NAMES + more)
                for line in b.trace("hook began", event=event)}

    def test_hooks_of_a_repair_see_an_update(self):
        joined = {"command_joined": Hook("after_allocation_started", language="sh")}
        b, manifest = self.failed(joined, WORKERS[1])
        b.workers(*WORKERS, "127.0.13.5")
        b.hook_job("api", "3.0.0", {**self.gate(), **joined}, **{**manifest, "max_concurrent_upgrades": 1})
        self.rollout(b)
        told = self.told(b, "after_allocation_started")
        self.assertEqual(told, {
            WORKERS[1]: ("0", "2", WORKERS[1], "update"), WORKERS[0]: ("1", "2", WORKERS[0], "update"),
            "127.0.13.5": ("0", "1", "127.0.13.5", "new"),
            WORKERS[2]: ("0", "2", WORKERS[2], "update"), WORKERS[3]: ("1", "2", WORKERS[3], "update")})

    def test_a_first_start_that_is_repaired_is_new(self):
        joined = {"command_joined": Hook("after_allocation_started", language="sh")}
        b = self.bucket(*WORKERS[:2])
        b.hook_job("api", "1.0.0", joined)
        b.fail("api", WORKERS[0])
        self.rollout(b, code=1)
        self.succeed(b.abandon(1))
        b.mend("api", WORKERS[0])
        b.forget()
        b.hook_job("api", "1.0.1", joined)
        self.rollout(b)
        self.assertEqual(self.told(b, "after_allocation_started"), {
            WORKERS[0]: ("0", "1", WORKERS[0], "new"), WORKERS[1]: ("0", "1", WORKERS[1], "update")})
        self.assertEqual([line.worker for line in b.trace("target ended")], WORKERS[:2])

    def test_job_control_counts_the_batches_of_both_phases(self):
        roll = {"command_roll": Hook("job_control", language="sh")}
        b, manifest = self.failed(roll, WORKERS[1])
        b.hook_job("api", "3.0.0", {**self.gate(), **roll}, **{**manifest, "max_concurrent_upgrades": 1})
        self.succeed(b.plan())
        self.assertEqual(phases(b.read_plan()), [
            ("recover", [[WORKERS[1]], [WORKERS[0]]]), ("job_control", [[WORKERS[2]], [WORKERS[3]]])])
        shown = self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path)).out
        self.assertIn("recovers 2 allocations that never passed their gate, then rolls out 2", shown)
        self.succeed(b.apply())
        everything = ",".join(WORKERS)
        self.assertEqual(self.told(b, "job_control", "NEW_ALLOCATIONS", "UPDATED_ALLOCATIONS"), {
            worker: (str(index), "4", worker, "job_control", "", everything)
            for index, worker in enumerate([WORKERS[1], WORKERS[0], WORKERS[2], WORKERS[3]])})
        self.assertEqual(b.trace("target began"), [])

    def test_a_hook_that_reorders_keeps_the_failing_ones_first(self):
        reverse = Hook("pre_deploy", body="""\
if os.environ["ALLOCATION_INDEX"] == "0":
    workers = maand.get_kv_value("maand/job/" + maand.job_name(), "workers").split(",")
    maand.put_rollout_order(workers[::-1]).raise_for_status()""")
        b, manifest = self.failed({}, WORKERS[0])
        b.hook_job("api", "3.0.0", {**self.gate(), "command_order": reverse}, **{**manifest, "max_concurrent_upgrades": 1})
        self.rollout(b)
        # Reversed, the second would come before the first; but the first is the one that does not answer.
        self.assertEqual([line.worker for line in b.trace("target ended", event="restart")],
                         [WORKERS[0], WORKERS[1], WORKERS[3], WORKERS[2]])

    def test_an_order_in_the_store_sorts_within_the_repair(self):
        b, manifest = self.failed({}, *WORKERS[:2])
        b.kv("put", "vars/job/api", "rollout_order", ",".join(WORKERS[::-1]))
        b.hook_job("api", "3.0.0", self.gate(), **{**manifest, "max_concurrent_upgrades": 1})
        self.rollout(b)
        self.assertEqual([line.worker for line in b.trace("target ended", event="restart")],
                         [WORKERS[1], WORKERS[0], WORKERS[3], WORKERS[2]])


if __name__ == "__main__":
    import unittest
    unittest.main()
