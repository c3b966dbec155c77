"""kill -9 of maand-apply at random moments of rollouts over ssh: every target runs exactly once all the same.

MAAND_SSH_KILLS sets the number of kills, MAAND_SEED another seed.
"""
import os
import random
import time

import bucket
import test_ssh

KILLS = int(os.environ.get("MAAND_SSH_KILLS", "8"))
SEED = int(os.environ.get("MAAND_SEED", "20"))
WORKERS = 8
# Of one rollout: further than any takes here without a kill.
LONGEST = 1.5


class KillOverSSH(test_ssh.SSHCase):
    def test_random_kills(self):
        dice = random.Random(SEED)
        fleet, b = self.deployed(WORKERS, max_concurrent_upgrades=3)
        workers = [fleet.address(index) for index in range(1, WORKERS + 1)]
        kills = rounds = 0
        moments = []
        while kills < KILLS:
            rounds += 1
            version = f"2.0.{rounds}"
            b.forget()
            b.job("app", version, pause=0.05, max_concurrent_upgrades=3)
            self.succeed(b.plan())
            for _ in range(dice.randint(1, 6)):
                child = b.start_apply()
                time.sleep(dice.uniform(0, LONGEST))
                child.kill()
                out, err = child.communicate(timeout=bucket.LIMIT)
                # One that had ended by itself is no kill.
                if child.returncode == 0:
                    break
                self.assertEqual(child.returncode, -9, out + err)
                kills += 1
                moments.append(len(b.began()))
            with self.subTest(round=rounds):
                self.succeed(b.apply())
                self.once_each(b, "restart", workers)
                promoted = {row["worker"]: row["promoted"]["version"] for row in self.allocations(b)}
                self.assertEqual(promoted, dict.fromkeys(workers, version))
        print(f"{kills} kills in {rounds} rollouts of {WORKERS} restarts; targets begun at the kills: {moments}")
