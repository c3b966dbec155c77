"""kill -9 at any moment, then the same command: it ends as if nothing had happened.

Each round kills maand-apply one to three times, at moments drawn from a seeded generator: before anything has begun,
while the n-th target runs, right after it, or while a gate is probed. MAAND_KILLS sets the number of rounds,
MAAND_SEED another seed.
"""
import os
import random
import time

import bucket

ROUNDS = int(os.environ.get("MAAND_KILLS", "4"))
SEED = int(os.environ.get("MAAND_SEED", "20"))
WORKERS = ["127.0.5.1", "127.0.5.2", "127.0.5.3", "127.0.5.4"]


class Kill(bucket.Case):
    def prepare(self):
        """A bucket on which everything runs in version 1, with a plan to version 2."""
        health = bucket.Health(self, *WORKERS)
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        self.lay(b, health, "1.0.0")
        return b, health

    def lay(self, b, health, version):
        gate = health.manifest()
        b.job("base", version, files={"app.conf": version + "\n", "conf/a.yml": version + "\n"},
              max_concurrent_starts=3, max_concurrent_upgrades=2,
              commands={"command_base": {"executed_on": ["cli"]}}, **gate)
        demand = {"job": "base", "command": "command_base", "config": {"min_version": "1.0.0"}}
        gate = {**gate, "resources": {"ports": {"other_port": health.port + 1}}}
        gate["health_check"] = {**gate["health_check"], "checks": [{"type": "ssh", "command": "true"}]}
        b.job("front", version, files={"app.conf": version + "\n"}, restart_policy="reload", max_concurrent_upgrades=1,
              commands={"command_front": {"executed_on": ["cli"], "demands": demand}}, **gate)

    def rollout(self, first):
        """Two equal buckets with the plan to make: the first deployment, or the upgrade after it."""
        b, health = self.prepare()
        if not first:
            self.succeed(b.plan())
            self.succeed(b.apply())
            b.forget()
            self.lay(b, health, "2.0.0")
        self.succeed(b.plan())
        undisturbed = b.copy(self)
        self.succeed(undisturbed.apply())
        health.probes.clear()
        return b, undisturbed, health

    def moment(self, dice, b, health, probes):
        """What to wait for, and how long to wait after it, in seconds."""
        total = sum(len(workers) for _, workers in bucket.batches(b.read_plan()))
        done = len(b.began())
        kind = dice.choice(["early", "running", "running", "after", "gate"])
        if kind == "early" or done >= total:
            return lambda: True, dice.uniform(0, 0.25)
        if kind == "running":
            wanted = dice.randint(done + 1, total)
            return lambda: len(b.began()) >= wanted, dice.uniform(0, 0.1)
        if kind == "after":
            wanted = dice.randint(done + 1, total)
            return lambda: len(b.rows()) >= wanted, dice.uniform(0, 0.05)
        wanted = len(health.probes) + dice.randint(1, max(1, probes // 2))
        return lambda: len(health.probes) >= wanted, dice.uniform(0, 0.02)

    def round(self, number):
        dice = random.Random(SEED * 1000 + number)
        b, undisturbed, health = self.rollout(first=number % 2 == 0)
        story = []
        for _ in range(dice.randint(1, 3)):
            reached, pause = self.moment(dice, b, health, probes=8)
            child = b.start_apply()
            bucket.until(lambda: reached() or child.poll() is not None, "the moment of the kill")
            time.sleep(pause)
            story.append((f"{len(b.began())} begun", f"{len(b.rows())} ended", f"{len(health.probes)} probes"))
            child.kill()
            child.communicate()
        with self.subTest(killed_at=story):
            self.succeed(b.apply())
            self.assert_same_rollout(b, undisturbed)


def _add(number):
    setattr(Kill, f"test_round_{number:02}", lambda self: self.round(number))


for _number in range(ROUNDS):
    _add(_number)
