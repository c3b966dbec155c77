"""Workers that are in other hands, and whoever answers at a worker's address: what they send must not cost the program more
than a bounded time and memory, must not reach the terminal or the catalog, and must not keep the other worker waiting."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

import bucket
import test_ssh

PEERS = pathlib.Path(__file__).resolve().parent / "peers"
sys.path.insert(0, str(PEERS))
import liar
import raw

# What a command may take while a peer does its worst: MB, and seconds on a loaded machine.
MEMORY = 200
TIME = 180
FORCED = 'ForceCommand if [ -s ~/lie ]; then exec {python} {liar}; fi; exec sh -c "$SSH_ORIGINAL_COMMAND"'
# Anything that does something to a terminal; lines end with a line feed.
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]")


def system_python():
    """The one for which the packages are."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import asyncssh"], capture_output=True).returncode == 0:
            return python
    raise unittest.SkipTest("there is no python3-asyncssh")


class HostileCase(test_ssh.SSHCase):
    """Two workers, of which the second one is hostile; it may be left behind."""

    def begin(self, *lines, width=2, **manifest):
        self.fleet = test_ssh.Fleet(self, 2, *lines)
        self.honest, self.hostile = self.fleet.address(1), self.fleet.address(2)
        self.b = test_ssh.SSHBucket(self, self.fleet)
        self.b.workers(self.honest, self.hostile)
        self.number = 0
        self.manifest = {"max_concurrent_upgrades": width, "timeouts": {"action": 4},
                         "rollout": {"max_unreachable": 1}, **manifest}
        self.release()
        self.succeed(self.b.apply())

    def release(self):
        """A plan for a new version of the job."""
        self.number += 1
        self.version = f"1.{self.number}.0"
        self.b.job("app", self.version, {"app.conf": f"{self.version}\n"}, pause=0, **self.manifest)
        self.succeed(self.b.plan())

    def measured(self, program, *arguments):
        """Runs a program; what it takes and prints has to be within bounds."""
        began = time.monotonic()
        out, err = (open(self.b.top / name, "w+b") for name in ("out", "err"))
        with out, err:
            child = subprocess.Popen(
                [os.path.join(bucket.BIN, program), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                cwd=self.b.path)
            self.b.children.append(child)
            pid, status, usage = 0, 0, None
            while not pid:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if not pid and time.monotonic() > began + TIME:
                    child.kill()
                    pid, status, usage = os.wait4(child.pid, 0)
                time.sleep(0.01)
            child.returncode = os.waitstatus_to_exitcode(status)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        result = bucket.Result(child.returncode, *texts)
        text = result.out + result.err
        self.assertIn(result.code, {0, 1, 3, 4, 65, 69}, text[-2000:])
        self.assertLess(usage.ru_maxrss / 1024, MEMORY, text[-2000:])
        self.assertLess(len(text), 100_000)
        self.assertIsNone(CONTROLS.search(text), repr(text[-2000:]))
        return result

    def apply(self):
        return self.measured("maand-apply", self.b.file(), "--bucket", self.b.path)

    def promoted(self, worker):
        rows = json.loads(self.b.catalog("allocations", "--format", "json").out)
        return next(row["promoted"]["version"] for row in rows if row["worker"] == worker)

    def recover(self):
        """The worker is honest again: the next plan brings it where it belongs."""
        status = self.b.status().out
        unfinished = re.search(r"abandon (\d+)", status)
        if unfinished:
            self.b.abandon(unfinished[1])
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.assertEqual([self.promoted(self.honest), self.promoted(self.hostile)], [self.version] * 2)


class Lies(HostileCase):
    """A worker on which somebody answers in the worker script's place."""

    def lies(self, verb, kinds, **manifest):
        self.begin(FORCED.format(python=sys.executable, liar=PEERS / "liar.py"), **manifest)
        for kind in kinds:
            with self.subTest(verb=verb, lie=kind):
                self.release()
                lie = self.fleet.root(2) / "lie"
                lie.write_text(f"{verb} {kind}\n")
                before = self.promoted(self.hostile)
                result = self.apply()
                # Nothing of what it says has happened.
                self.assertEqual(self.promoted(self.hostile), before, result)
                self.assertEqual(self.promoted(self.honest), self.version, result)
                lie.unlink()
                self.recover()

    def test_preflight(self):
        self.lies("preflight", [*liar.LIES["preflight"], *liar.COMMON])

    def test_run(self):
        self.lies("run", [*liar.LIES["run"], *liar.COMMON])

    def test_push(self):
        self.lies("push", [*liar.LIES["push"], *liar.COMMON])

    def test_proof(self):
        # A gate, after which each worker of the batch proves what it did.
        gate = {"checks": [{"type": "ssh", "command": "true"}], "wait": {"attempts": 1, "interval_seconds": 1}}
        self.lies("prove", [*liar.LIES["prove"], *liar.COMMON], health_check=gate)

    def test_inventory(self):
        self.begin(FORCED.format(python=sys.executable, liar=PEERS / "liar.py"))
        lie = self.fleet.root(2) / "lie"
        before = self.b.catalog("export").out
        for kind in [*liar.LIES["inventory"], *liar.COMMON]:
            with self.subTest(lie=kind):
                lie.write_text(f"inventory {kind}\n")
                result = self.measured("maand-plan", "catalog", "refresh", "--bucket", self.b.path)
                self.assertEqual(result.code, 69, result)
                self.assertIn(f"{self.hostile}: ", result.err)
                self.assertEqual(self.b.catalog("export").out, before)
        # These a worker may have, so they are compared; that must not cost much either.
        for kind in liar.STRANGE:
            with self.subTest(lie=kind):
                lie.write_text(f"inventory {kind}\n")
                result = self.measured("maand-plan", "catalog", "refresh", "--dry-run", "--bucket", self.b.path)
                self.succeed(result)
        lie.unlink()
        self.succeed(self.b.catalog("refresh"))
        self.release()
        self.succeed(self.b.apply())


class Peers(HostileCase):
    """Somebody else answers at a worker's address."""

    def listen(self, program, *arguments, python=sys.executable):
        """Starts a peer in the worker's place."""
        # The address may be in use for a moment after the last one has gone.
        child = subprocess.Popen(
            [python, "-W", "ignore", str(PEERS / program), self.hostile, str(self.fleet.port), *map(str, arguments)],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, child)
        self.assertEqual(child.stdout.readline(), "ready\n")
        return child

    def end(self, child):
        child.kill()
        child.wait()
        child.stdout.close()

    def leaves_behind(self, child):
        """A rollout beside this peer, which is ended then."""
        result = self.apply()
        self.end(child)
        self.assertEqual(result.code, 0, result)
        self.assertIn(f"left behind: app on {self.hostile}: ", result.out)
        self.assertEqual(self.promoted(self.honest), self.version)

    def test_before_the_login(self):
        self.begin()
        self.fleet("stop", 2)
        for kind in raw.KINDS:
            with self.subTest(peer=kind):
                self.release()
                child = self.listen("raw.py", kind)
                began = time.monotonic()
                self.leaves_behind(child)
                # One connection timeout, and the rollout of the other worker.
                self.assertLess(time.monotonic() - began, 4 * test_ssh.CONNECT_TIMEOUT + 60)
        self.fleet("start", 2)
        self.recover()

    def test_floods_after_the_login(self):
        python = system_python()
        self.begin()
        self.fleet("stop", 2)
        key = self.fleet.dir / "worker-2/host_key"
        for kind in ("silence", "answers", "ignored", "unknown", "debug", "requests", "channels", "agents", "banners", "data",
                     "windows"):
            with self.subTest(flood=kind):
                self.release()
                self.leaves_behind(self.listen("flood.py", key, kind, python=python))
        self.fleet("start", 2)
        self.recover()

    def test_weak_algorithms(self):
        python = system_python()
        self.begin()
        self.fleet("stop", 2)
        key = self.fleet.dir / "worker-2/host_key"
        good = ("curve25519-sha256", "aes256-ctr", "hmac-sha2-256")
        for place, weak in enumerate(("diffie-hellman-group1-sha1", "3des-cbc", "hmac-md5")):
            with self.subTest(algorithm=weak):
                self.release()
                self.b.configure()
                names = [weak if index == place else name for index, name in enumerate(good)]
                child = self.listen("flood.py", key, *names, python=python)
                result = self.apply()
                self.assertEqual(result.code, 0, result)
                advice = f'weak_ssh_algorithms = ["{self.hostile} {weak}"]'
                self.assertIn(advice, result.out)
                # The advice works: with it, the login comes about.
                self.release()
                self.b.configure(advice)
                self.succeed(self.b.plan())
                self.apply()
                self.assertEqual(child.stdout.readline(), "in\n")
                self.end(child)
