"""What is on disk when a worker is contacted, and disks that are full."""
import os
import re
import shutil
import subprocess
import unittest

import bucket

WORKERS = ["127.0.8.1", "127.0.8.2", "127.0.8.3"]
# One line of strace: thread, call, file behind the descriptor.
CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>pwrite64|pwritev|write|fdatasync|fsync|execve)\((?:\d+<(?P<file>[^>]*)>)?")


class Durability(bucket.Case):
    def deployed(self):
        """A bucket on whose workers `api` runs, with a plan to restart it."""
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files={"app.conf": "old\n"})
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.job("api", "1.1.0", files={"app.conf": "new\n"})
        self.succeed(b.plan())
        return b

    def finished(self, b):
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])
        self.assertEqual(len(b.began()), len(WORKERS), "a target ran twice")
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_intent_is_on_disk_before_a_worker_is_contacted(self):
        """Of each target: its id is written to the database, that is synced, and only then the worker hears of it."""
        b = self.deployed()
        trace = b.top / "trace"
        done = b.run_program(
            "strace", "-f", "-y", "-s", "100000", "-o", trace, "-e",
            "trace=pwrite64,pwritev,write,fdatasync,fsync,execve", os.path.join(bucket.BIN, "maand-apply"),
            b.file(), "--bucket", b.path)
        if "PTRACE" in done.err:
            self.skipTest("nothing can be traced here")
        self.succeed(done)
        calls = [(match, line) for line in trace.read_text(errors="replace").splitlines()
                 if (match := CALL.match(line))]
        # The words to a worker begin with the script, its verb and the id.
        runs = {}
        for at, (match, line) in enumerate(calls):
            word = re.search(r'"run", "([0-9a-f]+-[0-9a-f]+-\d+)"', line)
            if match["name"] == "execve" and word:
                runs.setdefault(word[1], at)
        self.assertEqual(len(runs), len(WORKERS))
        for attempt, at in runs.items():
            before = list(enumerate(calls[:at]))
            written = [place for place, (match, line) in before
                       if (match["file"] or "").endswith("maand.db-wal") and "write" in match["name"] and attempt in line]
            self.assertTrue(written, f"{attempt} was not written before its worker heard of it")
            synced = [place for place, (match, _) in before
                      if (match["file"] or "").endswith("maand.db-wal") and "sync" in match["name"]]
            self.assertGreater(max(synced, default=-1), written[0], f"{attempt} was not synced before")

    # -- full disks

    def small_disk(self, b):
        """The bucket moves to a disk of 3 MB; its workers stay where they are."""
        if os.geteuid() != 0:
            self.skipTest("only root may mount a small disk")
        real = b.top / "real"
        b.path.rename(real)
        b.path.mkdir()
        self.mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", b.path)
        subprocess.run(["sh", "-c", f"cd {real} && tar c --exclude=./workers . | tar x -C {b.path}"], check=True, timeout=bucket.LIMIT)
        (b.path / "workers").mkdir()
        self.mount("--bind", real / "workers", b.path / "workers")
        return b.path / "ballast"

    def mount(self, *arguments):
        if subprocess.run(["mount", *map(str, arguments)], capture_output=True, timeout=bucket.LIMIT).returncode:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(arguments[-1])], timeout=bucket.LIMIT)

    def fill(self, ballast, free=0):
        """Fills the disk but for so many bytes."""
        with open(ballast, "wb", buffering=0) as file:
            for size in (65536, 4096, 512):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass
            file.truncate(max(0, file.tell() - free))

    def test_the_disk_fills_while_targets_run(self):
        b = self.deployed()
        ballast = self.small_disk(b)
        begun = []
        for worker in [None, *WORKERS]:
            if worker:
                b.hold("api", worker)
                child = b.start_apply()
                bucket.until(lambda: len(b.began()) > len(begun), f"the target on {worker} begun")
            self.fill(ballast)
            if worker:
                b.release("api", worker)
                out, err = child.communicate(timeout=bucket.LIMIT)
                self.assertEqual(child.returncode, 1, out + err)
                text = out + err
            else:
                text = self.refuse(b.apply(), 1).err
            self.assertIn("disk is full", text)
            self.assertIn("run the same command again", text)
            self.fill(ballast)
            self.assertIn("run 1", self.succeed(b.status("1")).out)
            self.assertIn("run 1", self.succeed(b.run("maand-apply", "history", "--bucket", b.path)).out)
            ballast.unlink()
            begun = b.began()
        self.succeed(b.apply())
        self.finished(b)

    def test_the_disk_is_full_at_every_write(self):
        """With a page more each time, so that another write is the one that fails, until the rollout fits."""
        b = self.deployed()
        again = b.copy(self)
        ballast = self.small_disk(again)
        stopped = free = 0
        while True:
            self.fill(ballast, free)
            done = again.apply()
            ballast.unlink()
            if done.code == 0:
                break
            self.assertEqual(done.code, 1, done)
            self.assertIn("disk is full", done.err)
            stopped += 1
            free += 4096 * (1 if stopped < 12 else 4)
            # What was recorded before stays recorded, whatever could not be written.
            self.assertLess(stopped, 80, "it never fits")
        self.assertGreater(stopped, 3)
        self.succeed(again.apply())
        self.finished(again)
