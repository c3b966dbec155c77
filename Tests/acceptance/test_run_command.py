"""`maand-plan run-command`: one execution for each worker, never repeated without a person.

The first part is on the local transport, the second on real OpenSSH servers. MAAND_KILLS sets the number of kills,
MAAND_SEED another seed.
"""
import collections
import json
import os
import pathlib
import random
import signal
import time

import bucket
import test_ssh
from bucket import until

KILLS = int(os.environ.get("MAAND_KILLS", "3"))
SEED = int(os.environ.get("MAAND_SEED", "11"))
WORKERS = [f"127.0.21.{number}" for number in range(1, 5)]
# The log is in the bucket's folder of the worker, where commands run.
LOG = 'echo "begin $(date +%s.%N)" >>command.log; '


class Commands:
    def command(self, b, *words, out="a.plan.yaml"):
        return b.run("maand-plan", "run-command", "--bucket", b.path, "--overwrite", *words, "-o", b.file(out))

    def root(self, b, worker):
        return b.job_dir(worker, "any").parent.parent

    def log(self, b, worker, name="command.log"):
        file = self.root(b, worker) / name
        return file.read_text().splitlines() if file.exists() else []

    def counts(self, b, workers):
        return [len([line for line in self.log(b, worker) if line.startswith("begin")]) for worker in workers]

    def status_of(self, b):
        return json.loads(self.succeed(b.status("--format", "json")).out)

    def step(self, b, worker):
        return next(row for row in self.status_of(b)["steps"] if f"/{worker}/" in row["step"])


class Local(bucket.Case, Commands):
    def prepared(self, *labels):
        b = bucket.Bucket(self)
        b.workers_with({worker: ["first"] if worker in WORKERS[:2] else [] for worker in WORKERS})
        return b

    def test_once_on_each_in_order(self):
        b = self.prepared()
        self.succeed(self.command(b, LOG + 'echo "$BUCKET_ID $WORKER $WORKER_IP $PWD"', "--concurrency", "50%"))
        plan = b.read_plan()
        self.assertEqual(plan["batches"], [WORKERS[:2], WORKERS[2:]])
        for flags in ([], ["--format", "markdown"], ["--format", "html"], ["--format", "json", "--steps"], ["--steps"]):
            self.assertIn(WORKERS[3], self.succeed(b.run("maand-plan", "show", b.file(), *flags)).out, flags)
        self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))
        self.succeed(b.run("maand-plan", "approvals", b.file(), "--bucket", b.path))
        events = b.top / "events"
        self.succeed(b.apply("--events", events))
        self.assertIn("Done already", self.succeed(b.apply()).out)
        self.assertEqual(self.counts(b, WORKERS), [1] * 4)
        times = [float(self.log(b, worker)[0].split()[1]) for worker in WORKERS]
        self.assertLess(max(times[:2]), min(times[2:]))
        history = json.loads(self.succeed(b.run("maand-apply", "history", "--format", "json", "--bucket", b.path)).out)
        self.assertEqual(history[0]["state"], "succeeded")
        told = [json.loads(line) for line in events.read_text().splitlines()]
        ended = [row["step"] for row in told if row["event"] == "step_ended"]
        self.assertEqual(sorted(ended), sorted(
            f"@workers/{1 + index // 2}/{worker}/command" for index, worker in enumerate(WORKERS)))
        self.succeed(self.command(b, "true", out="other.plan.yaml"))
        self.succeed(b.run("maand-plan", "diff", b.file(), b.file("other.plan.yaml")), 2)

    def test_environment_and_folder(self):
        b = self.prepared()
        self.succeed(self.command(b, 'echo "$BUCKET_ID $WORKER $WORKER_IP" >here; test -n "$BASH_VERSION"', "--workers", WORKERS[2]))
        self.succeed(b.apply())
        self.assertEqual(self.log(b, WORKERS[2], "here"), [f"{b.id} {WORKERS[2]} {WORKERS[2]}"])
        self.assertEqual([worker for worker in WORKERS if self.log(b, worker, "here")], [WORKERS[2]])

    def test_whom_it_is_for(self):
        b = self.prepared()
        for flags, workers in ((["--labels", "first"], WORKERS[:2]), (["--exclude", WORKERS[0]], WORKERS[1:]),
                               (["--labels", "first", "--exclude", WORKERS[1]], WORKERS[:1])):
            self.succeed(self.command(b, "true", *flags))
            self.assertEqual([worker for batch in b.read_plan()["batches"] for worker in batch], workers)
        self.refuse(self.command(b, "true", "--workers", "127.0.99.1"), 65, "127.0.99.1")
        for flags in (["--concurrency", "0"], ["--concurrency", "0%"], ["--timeout", "0"], ["--file", b.top / "none"]):
            self.assertNotEqual(self.command(b, *(["true"] if flags[0] != "--file" else []), *flags).code, 0)
        self.refuse(self.command(b), 64)
        self.refuse(b.apply("--until", "wave:0"), 64, "--until")
        self.refuse(self.command(b, ""), 64)

    def test_a_failure_ends_the_run_after_its_batch(self):
        b = self.prepared()
        self.succeed(self.command(b, LOG + f"test $WORKER != {WORKERS[0]}", "--concurrency", 2))
        self.refuse(b.apply(), 1, WORKERS[0])
        self.assertEqual(self.counts(b, WORKERS), [1, 1, 0, 0])
        self.refuse(b.apply(), 1, WORKERS[0])
        self.assertEqual(self.counts(b, WORKERS), [1, 1, 0, 0], "the same command repeats nothing")
        self.refuse(b.apply("--retry-failed"), 1, WORKERS[0])
        self.assertEqual(self.counts(b, WORKERS), [2, 1, 0, 0])

    def test_failures_that_are_ignored_fail_the_run_at_its_end(self):
        b = self.prepared()
        self.succeed(self.command(b, LOG + f"test $WORKER != {WORKERS[0]} || exit 7", "--ignore-failure"))
        self.refuse(b.apply(), 1, WORKERS[0], "7")
        self.assertEqual(self.counts(b, WORKERS), [1] * 4)
        self.assertEqual(self.status_of(b)["state"], "failed")
        self.refuse(b.apply(), 1)
        self.assertEqual(self.counts(b, WORKERS), [1] * 4)

    def test_time_is_up(self):
        b = self.prepared()
        self.succeed(self.command(b, LOG + "sleep 60", "--timeout", 1, "--workers", WORKERS[0]))
        self.refuse(b.apply(), 1, WORKERS[0])
        self.assertEqual(self.step(b, WORKERS[0])["code"], "timed_out")

    def test_gates_after_each_batch(self):
        b = self.prepared()
        check = {"checks": [{"type": "ssh", "command": "echo asked >>gates.log; test ! -e sick"}], "timeout_seconds": 20,
                 "wait": {"attempts": 1, "interval_seconds": 0}}
        b.job("app", health_check=check)
        self.succeed(b.plan(out="deploy.plan.yaml"))
        self.succeed(b.apply(plan="deploy.plan.yaml"))
        asked = len(self.log(b, WORKERS[0], "gates.log"))
        self.succeed(self.command(b, LOG + f"test $WORKER != {WORKERS[1]} || touch sick"))
        self.succeed(b.apply())
        self.assertEqual(len(self.log(b, WORKERS[0], "gates.log")), asked, "gates are asked for")
        (self.root(b, WORKERS[1]) / "sick").unlink()
        self.succeed(self.command(b, LOG + f"test $WORKER != {WORKERS[1]} || touch sick", "--health-check"))
        self.assertTrue(b.read_plan()["gates"])
        self.refuse(b.apply(), 1, WORKERS[1])
        self.assertEqual(self.counts(b, WORKERS), [2, 2, 1, 1])
        (self.root(b, WORKERS[1]) / "sick").unlink()
        self.succeed(b.apply())
        self.assertEqual(self.counts(b, WORKERS), [2, 2, 2, 2])

    def test_a_script_is_bound_by_its_digest(self):
        b = self.prepared()
        script = b.top / "script.sh"
        script.write_text(LOG + "\n" + "# '" * 20000 + "\necho 'ok' \"$WORKER\" >>script.log\n")
        self.succeed(self.command(b, "--file", script))
        script.unlink()
        plan = b.read_plan()
        self.assertEqual(plan["command"]["file"], "script.sh")
        digest = plan["command"]["digest"].removeprefix("sha256:")
        self.assertIn("script.sh", self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path)).out)
        stored = next(path for path in (b.path / "store").rglob("*") if path.is_file() and digest.endswith(path.name))
        content = stored.read_bytes()
        with self.subTest("missing"):
            stored.unlink()
            self.refuse(b.apply(), 65, "script.sh", "nothing was touched")
            self.refuse(b.apply("--dry-run"), 65, "script.sh")
        with self.subTest("altered"):
            stored.write_bytes(content.replace(b"ok", b"no"))
            self.refuse(b.apply(), 65, "script.sh")
        self.assertEqual(self.counts(b, WORKERS), [0] * 4)
        self.assertEqual(json.loads(self.succeed(
            b.run("maand-apply", "history", "--format", "json", "--bucket", b.path)).out), [])
        stored.chmod(0o644)
        stored.write_bytes(content)
        self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))
        with self.subTest("a collection keeps it while the run needs it"):
            fail = b.top / "fail"
            fail.touch()
            script.write_text(LOG + f"test ! -e {fail}\n")
            self.succeed(self.command(b, "--file", script, out="failing.plan.yaml"))
            self.refuse(b.apply(plan="failing.plan.yaml"), 1)
            self.succeed(b.catalog("gc", "--older-than", "0"))
            fail.unlink()
            self.succeed(b.apply("--retry-failed", plan="failing.plan.yaml"))
            self.assertEqual(self.counts(b, WORKERS), [2, 1, 1, 1])
        for text in (b"echo \xff\n", b"echo \0\n", b"", b"#" * (65 << 10)):
            script.write_bytes(text)
            self.assertIn(self.command(b, "--file", script).code, (64, 65), text[:10])

    def test_a_plan_with_a_script_runs_the_script(self):
        b = self.prepared()
        script = b.top / "script.sh"
        script.write_text("echo 'ok' \"$WORKER\" >>script.log\n")
        self.succeed(self.command(b, "--file", script))
        self.succeed(b.apply())
        self.assertEqual([self.log(b, worker, "script.log") for worker in WORKERS], [[f"ok {worker}"] for worker in WORKERS])

    def test_unknown_until_somebody_says(self):
        b = self.prepared()
        self.succeed(self.command(b, LOG + "sleep 300", "--workers", ",".join(WORKERS[:2])))
        child = b.start_apply()
        until(lambda: self.log(b, WORKERS[0]), "the command begun")
        child.kill()
        child.communicate()
        # What runs it dies as well: nobody can say how it ended.
        for pid in bucket.running_in(self.root(b, WORKERS[0])):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        step = f"@workers/1/{WORKERS[0]}/command"
        for _ in range(2):
            self.refuse(b.apply(), 4, step)
            self.assertEqual(self.counts(b, WORKERS[:2]), [1, 0])
        run = self.status_of(b)["run"]
        self.assertEqual(self.succeed(b.apply("--retry-failed"), 4).code, 4)
        self.succeed(b.run("maand-apply", "resolve", run, step, "failed", "--reason", "looked", "--bucket", b.path))
        self.refuse(b.apply(), 1, step)
        self.assertEqual(self.counts(b, WORKERS[:2]), [1, 0])
        b.end_processes()

    def test_killed_at_random_moments(self):
        dice = random.Random(SEED)
        b = self.prepared()
        kills = rounds = 0
        while kills < KILLS:
            rounds += 1
            self.succeed(self.command(b, LOG + f"echo {rounds} >round; sleep 0.3; echo end >>command.log", "--concurrency", 2))
            for _ in range(dice.randint(1, 5)):
                child = b.start_apply()
                time.sleep(dice.uniform(0, 1.5))
                child.kill()
                child.communicate()
                if child.returncode == 0:
                    break
                kills += 1
            self.succeed(b.apply())
            self.assertEqual(self.counts(b, WORKERS), [rounds] * 4)
            self.assertTrue(all(self.log(b, worker).count("end") == rounds for worker in WORKERS))

    def test_paused_between_batches(self):
        b = self.prepared()
        go = b.top / "go"
        self.succeed(self.command(b, LOG + f"while [ ! -e {go} ]; do sleep 0.05; done"))
        child = b.start_apply()
        until(lambda: self.log(b, WORKERS[0]), "the first one begun")
        self.succeed(b.run("maand-apply", "pause", self.status_of(b)["run"], "--reason", "lunch", "--bucket", b.path))
        self.assertTrue(any("parking" in line for line in child.stdout), "it is told")
        go.touch()
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, out + err)
        self.assertEqual(self.counts(b, WORKERS), [1, 0, 0, 0])
        self.succeed(b.apply())
        self.assertEqual(self.counts(b, WORKERS), [1] * 4)


class OverSSH(test_ssh.SSHCase, Commands):
    def prepared(self, count, **changes):
        fleet = test_ssh.Fleet(self, count)
        b = test_ssh.SSHBucket(self, fleet, **changes)
        self.addresses = [fleet.address(index) for index in range(1, count + 1)]
        b.workers(*self.addresses)
        return fleet, b

    def test_killed_and_cut_at_random_moments(self):
        dice = random.Random(SEED)
        fleet, b = self.prepared(3)
        kills = rounds = 0
        while kills < KILLS:
            rounds += 1
            self.succeed(self.command(b, LOG + "sleep 0.3; echo end >>command.log", "--concurrency", 2))
            for _ in range(dice.randint(1, 4)):
                child = b.start_apply()
                time.sleep(dice.uniform(0, 1.5))
                fleet("cut", dice.randint(1, 3))
                time.sleep(dice.uniform(0, 0.5))
                child.kill()
                child.communicate()
                if child.returncode == 0:
                    break
                kills += 1
            self.succeed(b.apply())
            self.assertEqual(self.counts(b, self.addresses), [rounds] * 3)
            self.assertTrue(all(self.log(b, worker).count("end") == rounds for worker in self.addresses))

    def test_some_workers_cannot_be_used(self):
        fleet, b = self.prepared(3)
        one, two, three = self.addresses
        fleet("kill", 2)
        self.succeed(self.command(b, LOG))
        self.refuse(b.apply(), 69, two, "1 of 3 workers", "max_unreachable is 0")
        self.assertEqual(self.counts(b, self.addresses), [0, 0, 0])
        self.succeed(self.command(b, LOG, "--max-unreachable", "34%"))
        self.assertEqual(b.read_plan()["max_unreachable"], 1)
        done = self.succeed(b.apply())
        self.assertIn(f"1 left behind: {two}", done.out)
        self.assertEqual(self.counts(b, self.addresses), [1, 0, 1])
        fleet("start", 2)
        self.assertIn("Done already", self.succeed(b.apply()).out)
        with self.subTest("one that dies before its turn"):
            hold = b.top / "hold"
            hold.touch()
            self.succeed(self.command(b, LOG + f"while [ -e {hold} ]; do sleep 0.05; done", "--max-unreachable", 1))
            child = b.start_apply()
            until(lambda: self.counts(b, [one]) == [2], "the first one begun")
            fleet("kill", 3)
            hold.unlink()
            done = self.end(child)
            self.assertIn(f"1 left behind: {three}", done.out)
            self.assertEqual(self.counts(b, self.addresses), [2, 1, 1])

    def test_one_dies_while_it_runs(self):
        fleet, b = self.prepared(2)
        one, two = self.addresses
        hold = b.top / "hold"
        hold.touch()
        self.succeed(self.command(b, LOG + f"while [ -e {hold} ]; do sleep 0.05; done", "--max-unreachable", 2))
        child = b.start_apply()
        until(lambda: self.counts(b, [one]) == [1], "the first one begun")
        fleet("kill", 1)
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 1, out + err)
        hold.unlink()
        fleet("start", 1)
        self.refuse(b.apply(), 4, one)
        self.assertEqual(self.counts(b, self.addresses), [1, 0])

    def test_with_and_without_the_rights_of_targets(self):
        fleet, b = self.prepared(1)
        self.succeed(self.command(b, 'pwd; echo "$WORKER" >seen'))
        self.succeed(b.apply())
        self.assertTrue((self.root(b, self.addresses[0]) / "seen").exists())
        self.succeed(self.command(b, 'echo "$WORKER $WORKER_IP $BUCKET_ID $(id -un) it'"'"'s" >seen', "--no-sudo"))
        self.succeed(b.apply())
        # HOME of the fleet's logins.
        self.assertEqual((fleet.root(1) / "seen").read_text().split(),
                         [self.addresses[0], self.addresses[0], b.id, b.settings["user"], "it's"])
