"""Secrets in rendered files over ssh: a rollout that is killed and resumed, and taken back, leaves the value nowhere but on the
workers. MAAND_KILLS sets how often it is killed."""
import glob
import os
import random
import stat
import subprocess
import threading
import time

import bucket
import test_ssh

KILLS = int(os.environ.get("MAAND_KILLS", "6"))
SECRET = "Hq55-planted-Jd03"
TEMPLATE = 'token={{ getSecret "token" }}\nencoded={{ printf "%q" (getSecret "token") }}\n'
# As the job's own targets may do it.
MAKE = test_ssh.MAKEFILE.replace("\t@mkdir -p data;", "\t@cat conf/app.conf; mkdir -p data;")


class Onlookers:
    """What other processes of this machine can see meanwhile: command lines and environments of all processes."""

    def __init__(self, value):
        self.value, self.seen, self.over = value.encode(), set(), threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self):
        while not self.over.is_set():
            for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
                try:
                    with open(path, "rb") as file:
                        if self.value in file.read():
                            self.seen.add(path.rsplit("/", 1)[1])
                except OSError:
                    pass
            time.sleep(0.02)

    def end(self):
        self.over.set()
        self.thread.join()
        return self.seen


class SecretsOverSSH(test_ssh.SSHCase):
    def app(self, b, version, template=TEMPLATE):
        b.job("app", version, files={"conf/app.conf.tpl": template}, make=MAKE, pause=0.05, max_concurrent_upgrades=1)

    def planted(self, b):
        found = []
        for path in b.path.rglob("*"):
            if path.is_file() and SECRET.encode() in path.read_bytes():
                found.append(str(path.relative_to(b.path)))
        return found

    def texts(self, b, workers):
        paths = [b.job_dir(worker, "app") / "conf/app.conf" for worker in workers]
        self.assertEqual({0o600}, {stat.S_IMODE(path.stat().st_mode) for path in paths})
        return {path.read_text() for path in paths}

    def killed(self, b, dice):
        """Applies the plan, killed at random moments and resumed; returns all that it printed."""
        printed = ""
        for kill in range(KILLS + 1):
            child = b.start_apply()
            try:
                out, err = child.communicate(timeout=dice.uniform(0, 0.6) if kill < KILLS else bucket.LIMIT)
            except subprocess.TimeoutExpired:
                child.kill()
                out, err = child.communicate(timeout=bucket.LIMIT)
            printed += out + err
            if child.returncode == 0:
                return printed
        self.fail(printed)

    def test_the_value_is_only_on_the_workers(self):
        dice = random.Random(5)
        fleet, b = self.lay(3)
        workers = [fleet.address(index) for index in (1, 2, 3)]
        self.app(b, "1.0.0")
        onlookers = Onlookers(SECRET)
        try:
            printed = b.run("maand-plan", "kv", "put", "secrets/job/app", "token", "--bucket", b.path, input=SECRET).err
            self.succeed(b.plan())
            printed += self.killed(b, dice)
            self.assertEqual({f'token={SECRET}\nencoded="{SECRET}"\n'}, self.texts(b, workers))
            self.app(b, "2.0.0", "second\n" + TEMPLATE)
            self.succeed(b.plan("--on-failure", "rollback"))
            printed += self.killed(b, dice)
            self.assertEqual({f'second\ntoken={SECRET}\nencoded="{SECRET}"\n'}, self.texts(b, workers))
            self.succeed(b.run("maand-plan", "rollback", "2", "--overwrite", "-o", b.file(), "--bucket", b.path))
            printed += self.killed(b, dice)
            self.assertEqual({f'token={SECRET}\nencoded="{SECRET}"\n'}, self.texts(b, workers))
            for run in (1, 2, 3):
                printed += self.succeed(b.run("maand-apply", "output", run, "--bucket", b.path)).out
        finally:
            seen = onlookers.end()
        self.assertEqual(set(), seen)
        self.assertNotIn(SECRET, printed)
        self.assertIn("token=", printed)
        self.assertEqual([], self.planted(b))
        self.app(b, "1.0.0")
        self.succeed(b.plan("--detailed-exitcode"))
        # Each target has run once, whatever was killed.
        for worker in workers:
            self.assertEqual(["start", "restart", "restart"], [row.target for row in b.rows() if row.worker == worker])
