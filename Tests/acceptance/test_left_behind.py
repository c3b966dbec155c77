"""Hosts that are down: what a run goes on without, what it never goes on without, and who is told.

The first half is on real OpenSSH servers. In the second half a worker of the local transport is unusable while a file
lies in the place of its folder.
"""
import json
import os
import pathlib
import shutil

import bucket
import hookbucket
import test_ssh
from bucket import until
from hookbucket import Hook

WORKERS = [f"127.0.14.{number}" for number in range(1, 5)]
GATE = {"health_check": {"checks": [{"type": "ssh", "command": "mkdir -p gates && echo asked >> gates/log"}],
                         "timeout_seconds": 20, "wait": {"attempts": 1, "interval_seconds": 0}}}


class Told:
    """What a user is told of hosts that were left behind, wherever that is."""

    def status_of(self, b):
        return json.loads(self.succeed(b.status("--format", "json")).out)

    def left(self, b):
        return [(row["job"], row["worker"]) for row in self.status_of(b)["left_behind"]]

    def assert_named(self, b, done, workers, job="app", events=None):
        """That the run that has just ended names these everywhere."""
        summary = [line for line in done.out.splitlines() if line.startswith(f"{len(workers)} left behind: ")]
        self.assertEqual(len(summary), 1, done.out[-2000:])
        history = self.succeed(b.run("maand-apply", "history", "--bucket", b.path)).out
        status = self.succeed(b.status()).out
        for worker in workers:
            for text in (summary[0], history, status):
                self.assertIn(f"{job} on {worker}", text)
            self.assertIn(f"left behind: {job} on {worker}: ", done.out)
        self.assertIn(f"{len(workers)} left behind", history)
        self.assertEqual(self.left(b), [(job, worker) for worker in workers])
        self.assertTrue(all(row["reason"] for row in self.status_of(b)["left_behind"]))
        if events:
            rows = [json.loads(line) for line in events.read_text().splitlines()]
            named = [name for row in rows if row["event"] == "left_behind" for name in row["allocations"]]
            self.assertEqual(named, [f"{job} on {worker}" for worker in workers])


class OverSSH(test_ssh.SSHCase, Told):
    def addresses(self, fleet, *indices):
        return [fleet.address(index) for index in indices]

    def test_two_of_eight_are_down(self):
        """Then three, with a limit of two; then one that the run has upgraded. One fleet for all of it."""
        manifest = {"max_concurrent_upgrades": 3, "rollout": {"max_unreachable": "25%"}, **GATE}
        fleet, b = self.deployed(8, pause=0, **manifest)
        self.assertIn("goes on without up to 2 allocations", self.succeed(
            b.run("maand-plan", "show", b.file(), "--bucket", b.path)).out)
        self.assertEqual(b.read_plan()["waves"][0]["jobs"][0]["batching"]["max_unreachable"], 2)
        down = self.addresses(fleet, 2, 8)
        up = self.addresses(fleet, 1, 3, 4, 5, 6, 7)
        gates = lambda worker: len((b.root(worker) / "gates/log").read_text().splitlines())
        before = {worker: gates(worker) for worker in up + down}
        for index in (2, 8):
            fleet("kill", index)
        events = b.top / "events"
        done = self.succeed(b.apply("--events", events))
        self.assert_named(b, done, down, events=events)
        self.once_each(b, "restart", up)
        self.assertTrue(all(gates(worker) > before[worker] for worker in up))
        # No later host moved up into the place of one that is down.
        steps = {line["step"] for line in map(json.loads, events.read_text().splitlines()) if line["event"] == "step_ended"}
        self.assertIn(f"app/upgrade/2/{up[2]}/push", steps)
        self.assertNotIn(f"app/upgrade/1/{up[2]}/push", steps)
        for index in (2, 8):
            fleet("start", index)
        self.assertIn("Done already", self.succeed(b.apply()).out)
        self.assertEqual([gates(worker) for worker in down], [before[worker] for worker in down])
        versions = {row["worker"]: row["promoted"]["version"] for row in self.allocations(b)}
        self.assertEqual(versions, {**dict.fromkeys(up, "2.0.0"), **dict.fromkeys(down, "1.0.0")})
        self.succeed(b.plan())
        self.assertEqual(sorted(bucket.actions(b.read_plan())["app"]), down)
        self.assertNotIn("left behind", self.succeed(b.apply()).out)
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

        with self.subTest("above the limit nothing begins"):
            b.forget()
            b.job("app", "3.0.0", pause=0, **manifest)
            self.succeed(b.plan())
            fleet("kill", 2)
            fleet("freeze", 7)
            fleet("kill", 8)
            refused = self.refuse(b.apply(), 69, "nothing was begun", *self.addresses(fleet, 2, 7, 8),
                                  "app: 3 of 8 allocations", "max_unreachable is 2", "--max-unreachable")
            self.assertNotIn("abandon", refused.err)
            self.assertEqual(b.began(), [])
            # Nothing holds the bucket.
            self.succeed(b.plan("--max-unreachable", "3", out="other.plan.yaml"))
            self.assertIn("max_unreachable is 2", self.refuse(b.apply(), 69).err)
            fleet("thaw", 7)
            self.assert_named(b, self.succeed(b.apply()), down)
            self.once_each(b, "restart", up)
            for index in (2, 8):
                fleet("start", index)
            self.succeed(b.plan())
            self.succeed(b.apply())

        with self.subTest("a host that the run has upgraded is not excused"):
            b.forget()
            b.job("app", "4.0.0", pause=0, **{**manifest, "max_concurrent_upgrades": 1})
            self.succeed(b.plan())
            workers = self.addresses(fleet, *range(1, 9))
            b.hold("app", workers[1])
            child = b.start_apply()
            until(lambda: ("app", workers[1], "restart") in b.began(), "the second batch begun")
            child.kill()
            child.wait()
            fleet("kill", 1)
            b.release("app", workers[1])
            self.refuse(b.apply(), 1, "app/upgrade/2/gate", workers[0])
            self.assertEqual(self.left(b), [])
            self.assertEqual(sorted(b.began()), [("app", worker, "restart") for worker in workers[:2]])
            fleet("start", 1)
            self.succeed(b.apply())
            self.once_each(b, "restart", workers)

    def test_a_host_that_dies_before_its_turn(self):
        """And one whose command runs when it dies, which no limit excuses."""
        fleet, b = self.deployed(4, pause=0, rollout={"max_unreachable": 2}, **GATE)
        workers = self.addresses(fleet, 1, 2, 3, 4)
        b.hold("app", workers[0])
        child = b.start_apply()
        until(lambda: b.began(), "the first batch begun")
        fleet("kill", 3)
        b.release("app", workers[0])
        done = self.end(child)
        self.assert_named(b, done, [workers[2]])
        self.once_each(b, "restart", [workers[0], workers[1], workers[3]])
        fleet("start", 3)

        with self.subTest("its command was running"):
            b.forget()
            b.job("app", "3.0.0", pause=0, rollout={"max_unreachable": 2}, **GATE)
            self.succeed(b.plan())
            b.hold("app", workers[2])
            child = b.start_apply()
            until(lambda: ("app", workers[2], "restart") in b.began(), "the restart begun")
            child.kill()
            child.wait()
            fleet("kill", 3)
            step = f"app/upgrade/3/{workers[2]}/restart"
            self.refuse(b.apply(), 1, step)
            self.assertEqual(self.left(b), [])
            self.assertNotIn(workers[3], [worker for _, worker, _ in b.began()])
            b.release("app", workers[2])
            fleet("start", 3)
            self.refuse(b.apply(), 4, step)

    def test_what_no_limit_excuses(self):
        """Another host key, another controller, a newer run."""
        fleet, b = self.deployed(3, pause=0)
        self.succeed(b.plan("--max-unreachable", "100%"))
        workers = self.addresses(fleet, 1, 2, 3)
        owner = b.root(workers[1]) / "owner"
        kept = owner.read_text()
        owner.write_text("someoneelse 7 abcdef\n")
        self.refuse(b.apply(), 69, workers[1], "someoneelse")
        words = kept.split()
        owner.write_text(" ".join([words[0], str(int(words[1]) + 50), "abcdef"]) + "\n")
        self.refuse(b.apply(), 69, workers[1])
        owner.write_text(kept)
        fleet("kill", 3)
        key = fleet.dir / "worker-3/host_key"
        copies = {file: file.read_bytes() for file in (key, key.with_suffix(".pub"))}
        self.new_host_key(fleet, 3)
        fleet("start", 3)
        self.refuse(b.apply(), 69, f"{workers[2]}: host key changed")
        self.assertEqual(b.began(), [])
        # Nor where it has died and another one answers when its turn comes.
        fleet("kill", 3)
        for file, content in copies.items():
            file.write_bytes(content)
        fleet("start", 3)
        b.hold("app", workers[0])
        child = b.start_apply()
        until(lambda: b.began(), "the first batch begun")
        fleet("kill", 3)
        self.new_host_key(fleet, 3)
        fleet("start", 3)
        b.release("app", workers[0])
        self.refuse(self.end(child, 1), 1, "host key changed", workers[2])
        self.assertEqual(self.left(b), [])

    def test_a_machine_on_which_nothing_can_be_run(self):
        if os.getuid():
            self.skipTest("only root can change what a worker sees")
        fleet, b = self.deployed(3, pause=0, **GATE)
        self.succeed(b.plan("--max-unreachable", "2"))
        nothing = pathlib.Path(fleet.top) / "nothing"
        nothing.write_text("")
        make = os.path.realpath(shutil.which("make", path="/usr/bin:/bin"))
        fleet("exec", 1, "mount", "--bind", nothing, make)
        fleet("exec", 2, "mount", "-t", "tmpfs", "-o", "size=4m", "none", fleet.dir / "root")
        done = self.succeed(b.apply())
        self.assert_named(b, done, self.addresses(fleet, 1, 2))
        self.assertRegex(done.out, f"{fleet.address(1)}.*make is not installed")
        self.assertRegex(done.out, f"{fleet.address(2)}.*KiB of disk are free")
        self.once_each(b, "restart", [fleet.address(3)])

    def test_a_dead_host_whose_job_moves(self):
        """A stop holds nobody up; but where the same plan starts the job elsewhere, two copies of it would run."""
        fleet = test_ssh.Fleet(self, 3)
        b = test_ssh.SSHBucket(self, fleet)
        workers = self.addresses(fleet, 1, 2, 3)
        labels = lambda *on: {worker: ["one"] if worker in on else [] for worker in workers}
        b.workers_with(labels(workers[2]))
        b.job("app", pause=0)
        b.job("one", pause=0, selectors=["one"])
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        fleet("kill", 3)
        b.workers_with(labels(workers[1]))
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan())["one"],
                         {workers[2]: ("stop", "removed"), workers[1]: ("start", "first_deploy")})
        self.refuse(b.apply(), 69, workers[2], "one: 1 of", "max_unreachable is 0")
        self.assertEqual(b.began(), [])
        with self.subTest("one that is disabled does not count"):
            b.workers_with(labels(workers[2]))
            b.write("disabled.json", json.dumps({"workers": [workers[2]]}))
            b.job("app", "2.0.0", pause=0)
            for attempt in ("first", "again"):
                self.succeed(b.plan())
                stops = {job: rows[workers[2]] for job, rows in bucket.actions(b.read_plan()).items() if workers[2] in rows}
                self.assertEqual(stops, {"app": ("stop", "disabled"), "one": ("stop", "disabled")}, attempt)
                done = self.succeed(b.apply())
                self.assertIn("2 left behind: ", done.out)
                self.assertEqual(self.left(b), [("app", workers[2]), ("one", workers[2])])
            fleet("start", 3)
            self.succeed(b.plan())
            self.assertNotIn("left behind", self.succeed(b.apply()).out)
            self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))
            self.assertIn(("one", workers[2], "stop"), b.began())
        with self.subTest("one that was removed is given up"):
            fleet("kill", 3)
            (b.workspace / "disabled.json").unlink()
            b.workers_with({worker: ["one"] for worker in workers[:2]})
            self.succeed(b.plan())
            done = self.succeed(b.apply())
            self.assertEqual(self.left(b), [])
            self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))


class Absent:
    """Workers of the local transport on which nothing can be run."""

    @staticmethod
    def lose(b, *workers):
        for worker in workers:
            place = b.path / "workers" / worker
            if place.exists():
                place.rename(b.top / f"away.{worker}")
            place.parent.mkdir(exist_ok=True)
            place.write_text("no folder\n")

    @staticmethod
    def find(b, *workers):
        for worker in workers:
            place = b.path / "workers" / worker
            place.unlink()
            kept = b.top / f"away.{worker}"
            if kept.exists():
                kept.rename(place)


class Unusable(bucket.Case, Told, Absent):
    def deployed(self, limit=1, **manifest):
        """`app` in version 1.0.0 everywhere, with the plan of an upgrade that goes on without so many."""
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("app", make=bucket.makefile(pause=0), **manifest)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.job("app", "2.0.0", {"app.conf": "b\n"}, bucket.makefile(pause=0), rollout={"max_unreachable": limit}, **manifest)
        self.succeed(b.plan())
        return b

    def begun(self, b, worker):
        """A rollout that waits in the batch of this worker."""
        b.hold("app", worker)
        child = b.start_apply()
        until(lambda: ("app", worker) in [row[:2] for row in b.began()], f"{worker} begun")
        return child

    def ended(self, child, code=0):
        out, err = child.communicate(timeout=bucket.LIMIT)
        return self.succeed(bucket.Result(child.returncode, out, err), code)

    def restarted(self, b):
        return [worker for job, worker, target in b.targets() if (job, target) == ("app", "restart")]

    def test_a_host_that_comes_back_within_the_run_is_left_all_the_same(self):
        b = self.deployed()
        self.lose(b, WORKERS[3])
        child = self.begun(b, WORKERS[0])
        self.find(b, WORKERS[3])
        b.release("app", WORKERS[0])
        self.assert_named(b, self.ended(child), [WORKERS[3]])
        self.assertEqual(self.restarted(b), WORKERS[:3])

    def test_a_host_that_comes_back_before_the_run_is_continued_is_left_all_the_same(self):
        b = self.deployed()
        self.lose(b, WORKERS[3])
        child = self.begun(b, WORKERS[0])
        child.kill()
        child.communicate()
        self.find(b, WORKERS[3])
        b.release("app", WORKERS[0])
        done = self.succeed(b.apply())
        self.assertIn(f"1 left behind: app on {WORKERS[3]}", done.out)
        self.assertEqual(self.restarted(b), WORKERS[:3])

    def test_a_continued_run_counts_what_it_has_left_behind(self):
        b = self.deployed()
        self.lose(b, WORKERS[3])
        child = self.begun(b, WORKERS[0])
        child.kill()
        child.communicate()
        b.release("app", WORKERS[0])
        self.lose(b, WORKERS[2])
        refused = b.apply()
        self.assertIn(refused.code, (1, 69), refused)
        self.assertIn(WORKERS[2], refused.err)
        self.assertEqual(self.left(b), [("app", WORKERS[3])])
        self.find(b, WORKERS[2])
        done = self.succeed(b.apply(*["--retry-failed"] * (refused.code == 1)))
        self.assertEqual(len(self.left(b)), 1)
        self.assertEqual(sorted(self.restarted(b)), WORKERS[:3])

    def test_above_the_limit_when_its_turn_comes(self):
        """It is unreachable then, and the run can be brought to its end."""
        b = self.deployed()
        child = self.begun(b, WORKERS[0])
        self.lose(b, *WORKERS[1:3])
        b.release("app", WORKERS[0])
        failed = self.ended(child, 1)
        self.assertIn(f"app/upgrade/3/{WORKERS[2]}/push is unreachable", failed.err)
        self.assertIn(f"1 left behind: app on {WORKERS[1]}", failed.out + failed.err)
        self.assertNotIn(WORKERS[3], self.restarted(b))
        self.assertIn(b.apply().code, (1, 69))
        self.assertNotIn(WORKERS[3], self.restarted(b))
        self.find(b, *WORKERS[1:3])
        self.refuse(b.apply(), 1, "--retry-failed")
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(sorted(self.restarted(b)), WORKERS)
        self.assertEqual(self.left(b), [])
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def test_a_host_that_dies_before_its_gate(self):
        """The gate goes on without one that the run has not touched, and never without one that it has."""
        health = bucket.Health(self, *WORKERS)
        for touched in (False, True):
            with self.subTest(touched=touched):
                health.sick.clear()
                b = self.deployed(**health.manifest(attempts=1, interval=0))
                lost = WORKERS[0 if touched else 3]
                child = self.begun(b, WORKERS[1])
                self.lose(b, lost)
                health.sick.add(lost)
                b.release("app", WORKERS[1])
                if touched:
                    self.refuse(self.ended(child, 1), 1, "app/upgrade/2/gate", lost)
                    self.assertEqual(self.left(b), [])
                else:
                    self.assert_named(b, self.ended(child), [lost])

    def test_a_host_that_is_sick_and_answers_is_not_excused(self):
        health = bucket.Health(self, *WORKERS)
        b = self.deployed(limit=4, **health.manifest(attempts=1, interval=0))
        health.sick.add(WORKERS[3])
        self.refuse(b.apply(), 1, "app/upgrade/1/gate", WORKERS[3])
        self.assertEqual(self.left(b), [])
        self.assertEqual(self.restarted(b), WORKERS[:1])

    def two_jobs(self, conf="", gate={}, web=WORKERS[:2]):
        """`app` with a host that is left behind, and `web` whose target fails on the second worker."""
        b = bucket.Bucket(self)
        b.workers(*WORKERS[:3])
        if conf:
            (b.path / "maand.conf").write_text((b.path / "maand.conf").read_text() + conf)
        for version in ("1.0.0", "2.0.0"):
            b.job("app", version, {"app.conf": version}, bucket.makefile(pause=0), rollout={"max_unreachable": 1},
                  commands={"command_app": {"executed_on": ["cli"]}}, **gate)
            b.job("web", version, {"app.conf": version}, bucket.makefile(pause=0), selectors=["web"], commands={
                "command_web": {"executed_on": ["cli"], "demands": {"job": "app", "command": "command_app", "config": {}}}})
            b.workers_with({worker: ["web"] if worker in web else [] for worker in WORKERS[:3]})
            self.succeed(b.plan())
            if version == "1.0.0":
                self.succeed(b.apply())
        b.forget()
        return b

    def test_retry_failed_takes_it_in_and_the_gate_asks_again(self):
        health = bucket.Health(self, *WORKERS)
        b = self.two_jobs(gate=health.manifest(attempts=1, interval=0))
        self.lose(b, WORKERS[2])
        b.fail("web", WORKERS[1])
        health.probes.clear()
        failed = self.refuse(b.apply(), 1, "web", WORKERS[1])
        self.assertIn(f"1 left behind: app on {WORKERS[2]}", failed.out + failed.err)
        self.assertNotIn(WORKERS[2], {worker for _, worker in health.probes})
        # The same command does not ask for it.
        self.find(b, WORKERS[2])
        self.refuse(b.apply(), 1, "--retry-failed")
        self.assertEqual(self.left(b), [("app", WORKERS[2])])
        self.assertNotIn(("app", WORKERS[2], "restart"), b.began())
        b.mend("web", WORKERS[1])
        health.sick.add(WORKERS[2])
        health.probes.clear()
        self.refuse(b.apply("--retry-failed"), 1, "app/", "gate", WORKERS[2])
        self.assertIn(("app", WORKERS[2], "restart"), b.targets())
        health.sick.clear()
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(self.left(b), [])
        self.assertEqual(sorted(b.targets()), sorted(
            [("app", worker, "restart") for worker in WORKERS[:3]] + [("web", worker, "restart") for worker in WORKERS[:2]]))
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def ready_to_take_in(self, **options):
        """The third host was left behind, another job failed, and all is well again."""
        b = self.two_jobs(**options)
        self.lose(b, WORKERS[2])
        b.fail("web", WORKERS[1])
        self.refuse(b.apply(), 1, "web", WORKERS[1])
        self.find(b, WORKERS[2])
        b.mend("web", WORKERS[1])
        return b

    def test_the_gate_asks_on_workers_that_were_done(self):
        """Also where its check runs there, and nothing else was left to do for them."""
        b = self.ready_to_take_in(gate=GATE, web=WORKERS[1:2])
        asked = lambda worker: len((b.job_dir(worker, "app").parent.parent / "gates/log").read_text().splitlines())
        before = {worker: asked(worker) for worker in WORKERS[:3]}
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual([worker for worker in WORKERS[:3] if asked(worker) <= before[worker]], [])

    def test_what_is_taken_in_acts_before_what_demands_it(self):
        b = self.ready_to_take_in()
        self.succeed(b.apply("--retry-failed"))
        rows = {(row.job, row.worker): row for row in b.rows()}
        self.assertLess(rows["app", WORKERS[2]].end, rows["web", WORKERS[1]].start)

    def test_a_stop_that_is_taken_in_comes_before_the_start_elsewhere(self):
        b = bucket.Bucket(self)
        on = lambda place: b.workers_with({worker: ["one"] if worker == place else [] for worker in WORKERS[:2]})
        on(WORKERS[0])
        b.job("one", make=bucket.makefile(pause=0), selectors=["one"])
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        on(WORKERS[1])
        self.lose(b, WORKERS[0])
        b.fail("one", WORKERS[1])
        self.succeed(b.plan("--max-unreachable", "1"))
        self.refuse(b.apply(), 1, f"one/start/1/{WORKERS[1]}/start")
        self.assertEqual(self.left(b), [("one", WORKERS[0])])
        self.find(b, WORKERS[0])
        b.mend("one", WORKERS[1])
        self.succeed(b.apply("--retry-failed"))
        rows = {row.worker: row for row in b.rows()}
        self.assertLess(rows[WORKERS[0]].end, rows[WORKERS[1]].start, "two copies ran at the same time")

    def test_a_dry_run_of_what_takes_it_in(self):
        """It lists the steps that the command then does, and takes in nothing."""
        b = self.ready_to_take_in()
        lines = self.succeed(b.apply("--dry-run", "--retry-failed")).out.splitlines()
        self.assertEqual(self.left(b), [("app", WORKERS[2])])
        for step in ("push", "restart", "promote"):
            self.assertIn(f"app/upgrade/3/{WORKERS[2]}/{step}", lines)
        self.assertNotIn(f"app/upgrade/3/{WORKERS[2]}/push", self.succeed(b.apply("--dry-run")).out.splitlines())

    def test_with_on_failure_continue_one_job_alone_fails(self):
        b = self.two_jobs('on_failure = "continue"\n')
        b.job("zeta", "1.0.0", make=bucket.makefile(pause=0), selectors=["zeta"])
        b.workers_with({WORKERS[0]: ["web", "zeta"], WORKERS[1]: ["web"], WORKERS[2]: []})
        self.succeed(b.plan())
        child = self.begun(b, WORKERS[0])
        self.lose(b, *WORKERS[1:3])
        b.release("app", WORKERS[0])
        failed = self.ended(child, 1)
        self.assertIn("app/upgrade/3", failed.err)
        state = {row["job"]: row["state"] for row in self.status_of(b)["jobs"]}
        self.assertEqual(state, {"app": "failed", "web": "blocked", "zeta": "done"})
        self.find(b, *WORKERS[1:3])
        self.succeed(b.apply("--retry-failed"))

    def test_a_stop_on_a_host_that_dies_before_its_turn(self):
        b = self.stops()
        self.assert_stops_hold_nobody_up(b)

    def test_a_stop_of_what_is_unfinished_on_a_host_that_dies_before_its_turn(self):
        b = self.stops()
        b.fail("app", WORKERS[0])
        self.succeed(b.apply(), 1)
        self.succeed(b.abandon(self.status_of(b)["run"]))
        b.mend("app", WORKERS[0])
        self.assert_stops_hold_nobody_up(b)

    def stops(self):
        """`web` runs on the second worker alone, which stops it before `app` is stopped on the first."""
        b = self.two_jobs()
        b.write("disabled.json", json.dumps({"workers": [], "jobs": {"web": {"allocations": [WORKERS[0]]}}}))
        self.succeed(b.plan("--jobs", "web"))
        self.succeed(b.apply())
        self.succeed(b.plan("--jobs", "app"))
        return b

    def assert_stops_hold_nobody_up(self, b):
        b.write("disabled.json", json.dumps({"workers": [], "jobs": {
            "app": {"allocations": [WORKERS[0]]}, "web": {"allocations": WORKERS[:2]}}}))
        self.succeed(b.plan())
        b.forget()
        b.hold("web", WORKERS[1])
        child = b.start_apply()
        until(lambda: ("web", WORKERS[1], "stop") in b.began(), "the first stop begun")
        self.lose(b, WORKERS[0])
        b.release("web", WORKERS[1])
        done = self.ended(child)
        self.assertIn(f"1 left behind: app on {WORKERS[0]}", done.out)
        self.assertEqual(self.left(b), [("app", WORKERS[0])])
        self.assertEqual(self.restarted(b), WORKERS[1:3])
        self.find(b, WORKERS[0])
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan())["app"], {WORKERS[0]: ("stop", "disabled")})
        self.succeed(b.apply())

    def test_the_limit_in_the_plan_and_in_the_review(self):
        b = self.deployed(limit="49%")
        job = lambda: b.read_plan()["waves"][0]["jobs"][0]
        show = lambda *more: self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path, *more)).out
        self.assertEqual(job()["batching"]["max_unreachable"], 1, "a share is rounded down")
        self.assertIn("goes on without up to 1 allocation", show())
        self.succeed(b.plan("--max-unreachable", "3"))
        self.assertEqual(job()["batching"]["max_unreachable"], 3)
        self.assertIn("--max-unreachable 3", show())
        self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))
        self.succeed(b.plan("--max-unreachable", "0"))
        self.assertNotIn("goes on without", show())
        self.succeed(b.plan("--max-unreachable", "24%"))
        self.assertNotIn("max_unreachable", job()["batching"])
        for wrong in ("101%", "-1", "2.5", "%", "many"):
            self.refuse(b.plan(f"--max-unreachable={wrong}"), 64, "--max-unreachable", wrong)
        for wrong in ("101%", -1, 2.5, True, "2"):
            b.job("app", "2.0.0", rollout={"max_unreachable": wrong})
            self.refuse(b.plan(), 65, "manifest.json", "max_unreachable")

    def test_what_is_left_behind_in_a_repair(self):
        """The others are repaired, and the host that failed the gate stays the first of the next repair."""
        health = bucket.Health(self, *WORKERS)
        b = self.deployed(max_concurrent_upgrades=2, **health.manifest(attempts=1, interval=0))
        health.sick.add(WORKERS[1])
        self.refuse(b.apply(), 1, "app/upgrade/1/gate")
        self.succeed(b.abandon(2))
        self.lose(b, WORKERS[1])
        b.job("app", "3.0.0", {"app.conf": "c\n"}, rollout={"max_unreachable": 1},
              **health.manifest(attempts=1, interval=0))
        self.succeed(b.plan())
        b.forget()
        self.assert_named(b, self.succeed(b.apply()), [WORKERS[1]])
        self.assertEqual(self.restarted(b), [WORKERS[0], *WORKERS[2:]])
        self.find(b, WORKERS[1])
        health.sick.clear()
        self.succeed(b.plan())
        phases = b.read_plan()["waves"][0]["jobs"][0]["phases"]
        self.assertEqual([(phase["phase"], phase["batches"][0][0]["gate"]) for phase in phases], [("recover", "failed")])
        self.succeed(b.apply())
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))


class Lists(hookbucket.HookCase, Told, Absent):
    def test_hooks_do_not_see_what_is_left_behind(self):
        b = self.bucket(*WORKERS)
        hooks = {"command_before": Hook("pre_deploy", language="sh"),
                 "command_joined": Hook("after_allocation_started", language="sh"),
                 "command_after": Hook("post_deploy", language="sh")}
        manifest = {"max_concurrent_upgrades": 2, "rollout": {"max_unreachable": 1}}
        b.hook_job("app", "1.0.0", hooks, **manifest)
        b.hook_job("roll", "1.0.0", {"command_roll": Hook("job_control", language="sh")}, **manifest)
        self.rollout(b)
        b.forget()
        b.hook_job("app", "2.0.0", hooks, **manifest)
        b.hook_job("roll", "2.0.0", {"command_roll": Hook("job_control", language="sh")}, **manifest)
        self.succeed(b.plan())
        self.lose(b, WORKERS[1])
        done = self.succeed(b.apply())
        rest = [WORKERS[0], *WORKERS[2:]]
        self.assertEqual(self.left(b), [("app", WORKERS[1]), ("roll", WORKERS[1])])
        for event in ("pre_deploy", "after_allocation_started", "post_deploy", "job_control"):
            lines = b.trace("hook ended", event=event)
            self.assertEqual(sorted(line.worker for line in lines), rest, event)
            for line in lines:
                for name in ("BATCH_ALLOCATIONS", "ROLLOUT_ORDER", "UPDATED_ALLOCATIONS", "NEW_ALLOCATIONS"):
                    self.assertNotIn(WORKERS[1], line.values.get(name, "").split(","), (event, name))
        self.assertEqual({line.worker: line.values["BATCH_ALLOCATIONS"] for line in b.trace("hook ended", event="job_control")},
                         {WORKERS[0]: WORKERS[0], **dict.fromkeys(WORKERS[2:], ",".join(WORKERS[2:]))})
        self.assertEqual(sorted(line.worker for line in b.trace("target ended", job="app")), rest)
        self.assertIn("2 left behind: ", done.out)


    def test_a_hook_that_is_under_way_does_not_take_the_limit_away(self):
        b = self.bucket(*WORKERS[:3])
        manifest = {"rollout": {"max_unreachable": 1}}
        b.hook_job("app", "1.0.0", **manifest)
        self.rollout(b)
        b.forget()
        b.hook_job("app", "2.0.0", {"command_before": Hook("pre_deploy", language="sh")}, **manifest)
        self.succeed(b.plan())
        b.hold("command_before", WORKERS[0])
        child = b.start_apply()
        until(lambda: len(b.trace("hook began")) == 3 and len(b.trace("hook ended")) == 2, "one hook under way")
        child.kill()
        child.communicate()
        self.lose(b, WORKERS[2])
        b.release("command_before", WORKERS[0])
        until(lambda: len(b.trace("hook ended")) == 3, "the hook ended")
        self.succeed(b.apply())
        self.assertEqual(self.left(b), [("app", WORKERS[2])])
        self.assertEqual(sorted(line.worker for line in b.trace("target ended")), WORKERS[:2])


if __name__ == "__main__":
    import unittest
    unittest.main()
