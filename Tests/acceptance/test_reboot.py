"""Rolling reboots over ssh, of workers that really go away (Tests/fleet).

The command of these plans leaves a file on its worker. A thread of the test sees it and plays the machine: it kills every
process of the worker, waits, starts its sshd again, and binds another boot id over the kernel's in the worker's mount
namespace. MAAND_KILLS sets the number of kills, MAAND_SEED another seed.
"""
import collections
import json
import os
import random
import shutil
import signal
import threading
import time
import uuid

import bucket
import test_ssh
from bucket import until

KILLS = int(os.environ.get("MAAND_KILLS", "3"))
SEED = int(os.environ.get("MAAND_SEED", "7"))
BOOT_ID = "/proc/sys/kernel/random/boot_id"

# In the bucket's folder of the worker. A machine that goes away ends what it runs.
COMMAND = 'echo "$WORKER $(date +%s.%N)" >>commands.log; sync; : >going-down; sleep 30'
REFUSAL = 'echo "$WORKER $(date +%s.%N)" >>commands.log; true'
# An application that is up from its start to its stop.
SERVICE = ("stop:\n\t@rm -f data/up; echo \"$@ - - $$(date +%s.%N)\" >>data/began.log\n"
           "start restart reload:\n\t@mkdir -p data; echo \"$@ - - $$(date +%s.%N)\" >>data/began.log; "
           "n=0; while [ -e KNOBS/hold/$(notdir $(CURDIR)).$(ALLOCATION_IP) ] && [ $$n -lt 1200 ]; do sleep 0.05; n=$$((n+1)); done; "
           "echo 1 >data/up\n")


def gate(job, check=None):
    command = (check or f"test -e jobs/{job}/data/up") + f' && echo "{job} $(date +%s.%N)" >>gates.log'
    return {"checks": [{"type": "ssh", "command": command}], "timeout_seconds": 20,
            "wait": {"attempts": 2, "interval_seconds": 1}}


class Machines(threading.Thread):
    """Lets the workers of a fleet go down and come back as another boot, when they are told to."""

    def __init__(self, test, b, count, seconds=0.3):
        super().__init__(daemon=True)
        self.b, self.fleet, self.seconds = b, b.fleet, seconds
        self.indices = range(1, count + 1)
        self.stay_down = set()  # until they leave this set
        self.down = set()
        self.boots = collections.Counter()
        self.most_down = 0
        self._end = threading.Event()
        test.addCleanup(self.close)
        self.start()

    def close(self):
        self._end.set()
        self.stay_down.clear()
        self.join()

    def run(self):
        back = {}
        while not self._end.wait(0.02):
            for index in self.indices:
                order = self.fleet.root(index) / self.b.id / "going-down"
                if index not in self.down and order.exists():
                    # Once more for a session that the listener has begun meanwhile.
                    self.fleet("kill", index)
                    self.fleet("kill", index)
                    order.unlink()
                    back[index] = time.monotonic() + self.seconds
                    self.down.add(index)
                    self.most_down = max(self.most_down, len(self.down))
                elif index in self.down and index not in self.stay_down and time.monotonic() >= back[index]:
                    self.come_back(index)

    def come_back(self, index, boots=True):
        """As another boot, or as the one that it was."""
        boot = self.fleet.dir / f"worker-{index}/boot_id"
        if boots:
            boot.write_text(f"{uuid.uuid4()}\n")
        self.fleet("start", index)
        self.fleet("exec", index, "mount", "--bind", boot, BOOT_ID)
        self.boots[index] += boots
        self.down.discard(index)


class RebootCase(test_ssh.SSHCase):
    def setUp(self):
        if os.getuid():
            self.skipTest("only root can change what a worker sees")

    def prepared(self, count, jobs=("db", "app"), seconds=0.3, rows=None, lay=None):
        """A fleet whose machines can go away, with db and app, which demands db, deployed on all of them."""
        fleet = test_ssh.Fleet(self, count)
        b = test_ssh.SSHBucket(self, fleet)
        self.addresses = [fleet.address(index) for index in range(1, count + 1)]
        b.write("workers.json", json.dumps(rows(self.addresses) if rows else [{"host": host} for host in self.addresses]))
        for job in jobs:
            (lay or self.lay)(b, job)
        self.succeed(b.plan(out="deploy.plan.yaml"))
        self.succeed(b.apply(plan="deploy.plan.yaml"))
        b.forget()
        for index in range(1, count + 1):
            (b.root(fleet.address(index)) / "gates.log").unlink(missing_ok=True)
        return b, Machines(self, b, count, seconds)

    def lay(self, b, job, version="1.0.0", **manifest):
        command = {f"command_{job}": {"executed_on": ["cli"]}}
        if job == "app":
            command["command_app"]["demands"] = {"job": "db", "command": "command_db", "config": {}}
        b.job(job, version, make=SERVICE.replace("KNOBS", str(b.knobs)),
              **{"health_check": gate(job), "commands": command, **manifest})

    def reboot(self, b, *flags, command=COMMAND, timeout=60):
        return b.run("maand-plan", "reboot", "--bucket", b.path, "--overwrite", "--command", command, "--timeout", timeout,
                     *flags, "-o", b.file())

    def rows(self, b, name):
        """[(word, worker, time)] of a log in the workers' bucket folders."""
        found = []
        for worker in self.addresses:
            file = b.root(worker) / name
            for line in file.read_text().splitlines() if file.exists() else []:
                word, when = line.split()
                found.append((word, worker, float(when)))
        return found

    def events(self, b):
        """[(what, worker)] in the order in which it began: "stop app", "command", "start app"."""
        found = [(float(fields[3]), f"{fields[0]} {job}", worker) for job, worker, fields in b._lines("began.log")]
        found += [(when, "command", worker) for _, worker, when in self.rows(b, "commands.log")]
        return [(what, worker) for _, what, worker in sorted(found)]

    def whole(self, worker):
        return [(what, worker) for what in ("stop app", "stop db", "command", "start db", "start app")]

    def assert_in_order(self, b, *batches):
        """Each worker's chain once and in its order, batch after batch, and the gates between them."""
        events = self.events(b)
        self.assertEqual(len(events), 5 * sum(map(len, batches)), events)
        for batch in batches:
            part, events = events[:5 * len(batch)], events[5 * len(batch):]
            for worker in batch:
                self.assertEqual([event for event in part if event[1] == worker], self.whole(worker))

    def step(self, b, part):
        rows = [row for row in json.loads(self.succeed(b.status("--format", "json")).out)["steps"] if part in row["step"]]
        self.assertEqual(len(rows), 1, part)
        return rows[0]

    def unfinished(self, b):
        return [(row["job"], row["worker"]) for row in self.allocations(b) if row["unfinished"]]

    def at_rest(self, b):
        self.assertEqual(self.unfinished(b), [])
        self.assertIn("Done already", self.succeed(b.apply()).out)
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))


class Reboots(RebootCase):
    def test_workers_reboot_one_after_the_other(self):
        b, machines = self.prepared(3, seconds=3)
        self.succeed(self.reboot(b))
        for flags in ([], ["--format", "markdown"], ["--format", "html"], ["--format", "json", "--steps"], ["--steps"]):
            self.assertIn(self.addresses[2], self.succeed(b.run("maand-plan", "show", b.file(), *flags)).out, flags)
        self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))
        self.succeed(b.run("maand-plan", "approvals", b.file(), "--bucket", b.path))
        events = b.top / "events"
        self.succeed(b.apply("--events", events))
        self.assert_in_order(b, *[[worker] for worker in self.addresses])
        self.assertEqual((dict(machines.boots), machines.most_down), ({1: 1, 2: 1, 3: 1}, 1))
        # All gates of a batch have passed before the next one begins.
        commands = {worker: when for _, worker, when in self.rows(b, "commands.log")}
        gates = [(job, when) for job, _, when in self.rows(b, "gates.log")]
        for earlier, later in zip(self.addresses, self.addresses[1:]):
            between = {job for job, when in gates if commands[earlier] < when < commands[later]}
            self.assertEqual(between, {"db", "app"})
        told = [json.loads(line) for line in events.read_text().splitlines()]
        self.assertTrue(any(row.get("step", "").endswith("/reboot") for row in told))
        self.assertIn("run 2  succeeded", self.succeed(b.run("maand-apply", "history", "--bucket", b.path)).out)
        self.assertIn("workers", self.succeed(b.status()).out)
        self.at_rest(b)
        self.assert_in_order(b, *[[worker] for worker in self.addresses])
        self.succeed(b.run("maand-plan", "diff", b.file(), b.file()))
        self.succeed(self.reboot(b, "--pause", 1))
        self.succeed(b.run("maand-plan", "diff", b.file(), b.file("deploy.plan.yaml")), 2)

    def test_two_in_one_batch_by_a_tag(self):
        rows = lambda hosts: [{"host": host, "tags": {"rack": rack}} for host, rack in zip(hosts, "abab")]
        b, machines = self.prepared(4, seconds=1.5, rows=rows)
        self.succeed(self.reboot(b, "--concurrency", 2, "--spread", "rack"))
        one, two, three, four = self.addresses
        self.assertEqual(b.read_plan()["batches"], [[one, three], [two, four]])
        self.succeed(b.apply())
        self.assert_in_order(b, [one, three], [two, four])
        self.assertEqual(machines.most_down, 2)
        self.at_rest(b)

    def test_one_that_stays_down(self):
        b, machines = self.prepared(3)
        machines.stay_down.add(1)
        one, two, three = self.addresses
        self.succeed(self.reboot(b, "--concurrency", 2, timeout=8))
        self.refuse(b.apply(), 1, one, "it did not come back within 8 s")
        step = self.step(b, f"{one}/reboot")
        self.assertEqual((step["state"], step["code"]), ("failed", "not_back"))
        self.assertEqual([event for event in self.events(b) if event[1] == two], self.whole(two))
        self.assertEqual([event for event in self.events(b) if event[1] == three], [])
        self.assertEqual(self.unfinished(b), [("app", one), ("db", one)])
        self.assertEqual({row["standing"] for row in self.allocations(b)}, {"active"})
        machines.stay_down.clear()
        until(lambda: machines.boots[1], "the worker is back")
        # Without a person nothing goes on.
        self.refuse(b.apply(), 1, one)
        self.succeed(b.apply("--retry-failed"))
        for worker in self.addresses:
            self.assertEqual([event for event in self.events(b) if event[1] == worker], self.whole(worker))
        self.at_rest(b)

    def test_one_that_does_not_reboot(self):
        b, _ = self.prepared(2)
        one, two = self.addresses
        self.succeed(self.reboot(b, command=REFUSAL, timeout=2))
        self.refuse(b.apply(), 1, one, "it did not reboot")
        self.assertEqual(self.step(b, f"{one}/reboot")["code"], "not_rebooted")
        self.assertEqual(self.events(b), self.whole(one)[:3])
        with self.subTest("a command that fails is told at once"):
            self.succeed(b.abandon(self.run_of(b)))
            self.succeed(b.plan(out="deploy.plan.yaml"))
            self.assertEqual(bucket.actions(b.read_plan("deploy.plan.yaml"))["db"][one][0], "start")
            self.succeed(b.apply(plan="deploy.plan.yaml"))
            self.assertEqual(self.unfinished(b), [])
            self.assertTrue(all((b.job_dir(one, job) / "data/up").exists() for job in ("db", "app")))
            self.succeed(self.reboot(b, command="echo no such thing >&2; exit 9", timeout=120))
            began = time.monotonic()
            self.refuse(b.apply(), 1, one, "no such thing")
            self.assertLess(time.monotonic() - began, 100)
            self.assertEqual(self.step(b, f"{one}/reboot")["code"], "exit_status")

    def run_of(self, b):
        return json.loads(self.succeed(b.status("--format", "json")).out)["run"]

    def test_only_those_that_need_it(self):
        """Worker 1 needs no reboot, 2 does; 3 cannot be asked. After the first one nothing is waited for."""
        b, machines = self.prepared(3)
        one, two, three = self.addresses
        for worker, status in ((one, 1), (two, 0), (three, 126)):
            (b.root(worker) / "needed").write_text(str(status))
        self.succeed(self.reboot(b, "--only-if", "exit $(cat needed)", "--workers", f"{one},{two}", "--pause", 3600))
        self.succeed(b.apply())
        self.assertEqual(self.events(b), self.whole(two))
        self.assertEqual(self.step(b, f"{one}/only-if")["state"], "skipped")
        self.assertEqual(self.step(b, f"{one}/only-if")["code"], "not_needed")
        self.assertEqual(dict(machines.boots), {2: 1})
        self.at_rest(b)
        self.succeed(self.reboot(b, "--only-if", "exit $(cat needed)", "--workers", f"{three},{one}", "--concurrency", 2))
        self.refuse(b.apply(), 1, three)
        self.assertEqual(self.step(b, f"{three}/only-if")["state"], "failed")
        self.assertEqual(self.events(b), self.whole(two))

    def test_drift_is_found_before_anything_stops(self):
        b, _ = self.prepared(2)
        (b.job_dir(self.addresses[1], "app") / "app.conf").write_text("mine\n")
        self.succeed(self.reboot(b))
        self.refuse(b.apply(), 3, self.addresses[1], "app.conf")
        self.assertEqual(self.events(b), [])
        self.assertEqual(self.unfinished(b), [])

    def test_what_has_come_to_run_since_the_plan_was_made(self):
        b, _ = self.prepared(2, jobs=("db",))
        self.succeed(self.reboot(b, "--workers", self.addresses[0]))
        self.lay(b, "app")
        self.succeed(b.plan(out="deploy.plan.yaml"))
        self.succeed(b.apply(plan="deploy.plan.yaml"))
        b.forget()
        self.refuse(b.apply(), 3, f"app on {self.addresses[0]}", "nothing that runs there")
        self.assertEqual(self.events(b), [])

    def test_commands_in_the_place_of_targets(self):
        def lay(b, job):
            b.job(job, make=SERVICE.replace("KNOBS", str(b.knobs)), commands={"command_run": {"executed_on": ["job_control"]}})
            shutil.rmtree(b.workspace / f"jobs/{job}/_modules")
            b.write(f"jobs/{job}/_modules/command_run.sh", f'echo "${{TARGET:-deploy}} $ALLOCATION_IP" >>{b.knobs}/hooks.log\n')
        b, machines = self.prepared(2, jobs=("app",), lay=lay)
        log = b.knobs / "hooks.log"
        log.write_text("")
        machines.stay_down.add(1)
        self.succeed(self.reboot(b))
        child = b.start_apply()
        until(lambda: 1 in machines.down, "the first worker is away")
        child.kill()
        child.communicate()
        machines.stay_down.clear()
        self.succeed(b.apply())
        self.assertEqual(log.read_text().split("\n")[:-1], [f"{target} {worker}" for worker in self.addresses
                                                          for target in ("stop", "start")])
        self.at_rest(b)

    def test_a_job_is_started_whatever_its_check_says(self):
        b, _ = self.prepared(1, jobs=("db",), lay=lambda b, job: self.lay(b, job, health_check=gate(job, "true")))
        self.succeed(self.reboot(b))
        self.succeed(b.apply())
        self.assertEqual([what for what, _ in self.events(b)], ["stop db", "command", "start db"])
        self.at_rest(b)

    def test_what_keeps_its_state_and_what_is_refused(self):
        b, _ = self.prepared(3, lay=lambda b, job: self.lay(b, job, rollout={"max_unavailable": 1}))
        one, two, three = self.addresses
        refused = self.refuse(self.reboot(b, "--concurrency", 2), 65)
        self.assertIn("max_unavailable", refused.err)
        self.succeed(b.run("maand-plan", "stop", "app", "--workers", one, "--bucket", b.path, "-o", b.file("stop.plan.yaml")))
        self.succeed(b.apply(plan="stop.plan.yaml"))
        b.forget()
        self.refuse(self.reboot(b), 65, "max_unavailable", two)
        with self.subTest("what a person has stopped stays so"):
            self.succeed(self.reboot(b, "--workers", one))
            self.succeed(b.apply())
            self.assertEqual(self.events(b), [event for event in self.whole(one) if "app" not in event[0]])
            self.assertEqual({row["standing"] for row in self.allocations(b) if (row["job"], row["worker"]) == ("app", one)},
                             {"stopped_by_hand"})
        self.succeed(b.run("maand-plan", "start", "app", "--workers", one, "--bucket", b.path, "-o", b.file("start.plan.yaml")))
        self.succeed(b.apply(plan="start.plan.yaml"))
        with self.subTest("what runs although it is disabled"):
            b.write("disabled.json", json.dumps({"jobs": {"db": {"allocations": [two]}}}))
            self.refuse(self.reboot(b, "--workers", two), 65, "db", two)
            self.succeed(self.reboot(b, "--workers", three))
            (b.workspace / "disabled.json").unlink()
        with self.subTest("what is unfinished"):
            b.job("db", "2.0.0", make="start restart stop reload:\n\t@exit 3\n", commands={"command_db": {"executed_on": ["cli"]}})
            self.succeed(b.plan("--jobs", "db", out="deploy.plan.yaml"))
            self.refuse(b.apply(plan="deploy.plan.yaml"), 1)
            self.succeed(b.abandon(self.run_of(b)))
            broken = self.unfinished(b)[0][1]
            self.refuse(self.reboot(b, "--workers", broken), 65, "db", broken)

    def test_some_workers_cannot_be_used(self):
        b, machines = self.prepared(3, jobs=())
        one, two, three = self.addresses
        b.fleet("kill", 2)
        self.succeed(self.reboot(b))
        self.refuse(b.apply(), 69, two, "max_unreachable")
        self.assertEqual(self.events(b), [])
        self.succeed(self.reboot(b, "--max-unreachable", 1))
        done = self.succeed(b.apply())
        self.assertIn(f"1 left behind: {two}", done.out)
        self.assertEqual(self.events(b), [("command", one), ("command", three)])
        status = json.loads(self.succeed(b.status("--format", "json")).out)
        self.assertEqual([row["worker"] for row in status["left_behind"]], [two])
        self.assertEqual(dict(machines.boots), {1: 1, 3: 1})


class Interrupted(RebootCase):
    """A worker's chain goes on to its end once it has begun."""

    def away(self, **changes):
        """A run whose first worker is away, and stays so until it may come back."""
        b, machines = self.prepared(2, **changes)
        machines.stay_down.add(1)
        self.succeed(self.reboot(b))
        child = b.start_apply()
        until(lambda: 1 in machines.down or child.poll() is not None, "the first worker is away")
        return b, machines, child

    def assert_only_the_first(self, b):
        self.assertEqual(self.events(b), self.whole(self.addresses[0]))
        self.assertEqual(self.unfinished(b), [])

    def go_on(self, b):
        self.succeed(b.apply())
        self.assert_in_order(b, *[[worker] for worker in self.addresses])
        self.at_rest(b)

    def test_a_pause(self):
        b, machines, child = self.away()
        run = json.loads(self.succeed(b.status("--format", "json")).out)["run"]
        self.succeed(b.run("maand-apply", "pause", run, "--reason", "lunch", "--bucket", b.path))
        self.assertTrue(any("parking" in line for line in child.stdout), "it is told")
        machines.stay_down.clear()
        self.end(child, 75)
        self.assert_only_the_first(b)
        self.go_on(b)

    def test_a_signal_waits_longer_than_for_anything_else(self):
        b, machines, child = self.away()
        child.send_signal(signal.SIGINT)
        self.assertTrue(any("parking" in line for line in child.stdout), "it is told")
        # What else is in flight is left to its worker after 5 s.
        with self.assertRaises(Exception):
            child.wait(timeout=8)
        machines.stay_down.clear()
        self.end(child, 75)
        self.assert_only_the_first(b)
        self.go_on(b)

    def test_a_freeze(self):
        b, machines, child = self.away()
        b.write("freezes.yaml", 'zone: UTC\nfreezes:\n  - {from: "2000-01-01", until: "2200-01-01", reason: a fair}\n')
        machines.stay_down.clear()
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, out + err)
        self.assert_only_the_first(b)
        self.succeed(b.apply(), 75)
        (b.workspace / "freezes.yaml").unlink()
        self.go_on(b)

    def test_a_process_that_finds_its_last_worker_away(self):
        b, machines = self.prepared(1)
        machines.stay_down.add(1)
        self.succeed(self.reboot(b))
        child = b.start_apply()
        until(lambda: 1 in machines.down, "the worker is away")
        child.kill()
        child.communicate()
        child = b.start_apply()
        self.assertTrue(any("settl" in line or "again" in line or "reboot" in line for line in child.stdout))
        machines.stay_down.clear()
        self.end(child)
        self.assert_in_order(b, self.addresses)
        self.at_rest(b)

    def test_a_command_that_was_never_sent(self):
        """The process dies between its intent and its first word, and its successor finds nobody there at first."""
        b, machines = self.prepared(1)
        place = f"before @workers/1/{self.addresses[0]}/reboot does its work"
        logs = [b.top / "places", b.top / "places again"]
        self.succeed(self.reboot(b))
        self.succeed(b.apply(env=b.environment(MAAND_FAULT_LOG=str(logs[0]))))
        if not logs[0].exists():
            self.skipTest("only a build with test hooks can be told where to die")
        places = [line.split(" ", 1)[1] for line in logs[0].read_text().splitlines()]
        self.succeed(self.reboot(b))
        # The same machine again, whose boot stays what it is now.
        self.succeed(b.apply(env=b.environment(MAAND_FAULT_AT=str(places.index(place) + 1), MAAND_FAULT_LOG=str(logs[1]))), -9)
        self.assertTrue(logs[1].read_text().endswith(f"{place}\n"))
        self.assertEqual([what for what, _ in self.events(b)].count("command"), 1)
        b.fleet("stop", 1)
        child = b.start_apply("--verbose")
        self.assertTrue(any("asking what became of it" in line for line in child.stdout), "it goes on")
        machines.come_back(1, boots=False)
        self.end(child)
        self.assertEqual([what for what, _ in self.events(b)].count("command"), 2)
        self.at_rest(b)

    def test_somebody_else_has_rebooted_it(self):
        """The command was not sent, or nobody knows whether it was: it is not sent to a worker that is another boot already."""
        b, machines = self.prepared(1)
        machines.stay_down.add(1)
        self.succeed(self.reboot(b, timeout=5))
        self.refuse(b.apply(), 1, "did not come back")
        machines.stay_down.clear()
        until(lambda: machines.boots[1] == 1, "it is back")
        b.fleet("freeze", 1)
        self.refuse(b.apply("--retry-failed"), 69)
        b.fleet("thaw", 1)
        self.succeed(b.apply("--retry-failed"))
        self.assert_in_order(b, self.addresses)

    def test_random_kills(self):
        dice = random.Random(SEED)
        b, machines = self.prepared(3)
        kills, rounds, moments = 0, 0, []
        while kills < KILLS:
            rounds += 1
            b.forget()
            for worker in self.addresses:
                (b.root(worker) / "commands.log").unlink(missing_ok=True)
            boots = collections.Counter(machines.boots)
            self.succeed(self.reboot(b, "--concurrency", 1 + rounds % 2))
            batches = b.read_plan()["batches"]
            for _ in range(dice.randint(1, 5)):
                child = b.start_apply()
                time.sleep(dice.uniform(0, 4))
                child.kill()
                out, err = child.communicate(timeout=bucket.LIMIT)
                if child.returncode == 0:
                    break
                self.assertEqual(child.returncode, -9, out + err)
                kills += 1
                moments.append(len(self.events(b)))
            with self.subTest(round=rounds):
                self.succeed(b.apply())
                self.assert_in_order(b, *batches)
                self.assertEqual(machines.boots - boots, collections.Counter({1: 1, 2: 1, 3: 1}))
                self.at_rest(b)
        print(f"{kills} kills in {rounds} rollouts of 3 reboots; events at the kills: {moments}")
