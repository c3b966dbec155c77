"""What the programs write has its mode from the first byte on, whatever the umask of whoever runs them."""
import os
import pathlib
import re
import stat
import subprocess

import bucket
import hookbucket
from bucket import until
from hookbucket import Hook

WORKERS = ["127.0.10.1", "127.0.10.2"]


def strace():
    """Whether this machine lets it look."""
    try:
        return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


class Modes(hookbucket.HookCase):
    def rolled_out(self, mask):
        """A bucket made, planned, applied and looked after under this umask."""
        b = self.bucket(*WORKERS)
        b.hook_job("api", "1.0.0", {
            "command_x": Hook("pre_deploy", body='maand.put_job_secret("s", "1").raise_for_status()\n'
                              'open(note.KNOBS + "/of-hook", "w").close(); os.mkdir(note.KNOBS + "/folder-of-hook")'),
            "command_y": Hook("post_deploy", language="sh")})
        (b.workspace / "jobs/api/run.sh").write_text("#!/bin/sh\n")
        (b.workspace / "jobs/api/run.sh").chmod(0o755)
        for folder, _, files in os.walk(b.top):
            for name in files:
                path = pathlib.Path(folder, name)
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
            os.chmod(folder, 0o755)
        self.before = {path for path in b.top.rglob("*")}
        b.workers(WORKERS[0])
        options = {"umask": mask}
        self.succeed(b.plan(**options))
        self.succeed(b.apply("--events", b.top / "events", **options))
        self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path, **options))
        self.succeed(b.run("maand-plan", "catalog", "backup", b.top / "backup.db", "--bucket", b.path, **options))
        self.succeed(b.run("maand-plan", "init", b.top / "fresh", **options))
        return b

    def modes(self, b):
        """{path below the test's folder: mode} of what was made since, but for what hooks and targets made."""
        found = {}
        for path in b.top.rglob("*"):
            if path in self.before or path.is_symlink():
                continue
            name = str(path.relative_to(b.top))
            if not name.startswith("knobs/"):
                found[name] = stat.S_IMODE(path.lstat().st_mode)
        return found

    # What others may read, as far as the user's umask lets them: what people hand on, and what Makefiles and services use.
    SHARED = re.compile(r"a\.plan\.yaml|fresh(/(maand\.conf|\.git\w+|workspace(/.*)?))?|bucket/workers(/[^/]+(/opt(/worker(/[^/]+"
                        r"(/\.bin(/.*)?|/jobs(/.*)?)?)?)?)?)?|bucket/\.hooks/control(/[^/]+(/\.bin(/.*)?|/jobs)?)?")

    def test_no_file_is_wider_than_meant(self):
        for mask in (0o000, 0o022, 0o077):
            with self.subTest(umask=oct(mask)):
                b = self.rolled_out(mask)
                modes = self.modes(b)
                self.assertGreater(len(modes), 60)
                wide = {name: oct(mode) for name, mode in modes.items()
                        if mode & (0o022 if self.SHARED.fullmatch(name) else 0o077)}
                self.assertEqual(wide, {})
                for name, mode in modes.items():
                    self.assertEqual(mode & 0o400, 0o400, name)
                plan = 0o644 & ~mask
                self.assertEqual({name: modes[name] for name in (
                    "a.plan.yaml", "fresh/maand.conf", "fresh/workspace", "fresh/secrets", "events", "backup.db",
                    "bucket/maand.db", "bucket/secrets/kv.key", "bucket/.hooks", "bucket/.hooks/api",
                    "bucket/.hooks/python/maand.py", "bucket/apply.lock")}, {
                    "a.plan.yaml": plan, "fresh/maand.conf": plan, "fresh/workspace": 0o755 & ~mask, "fresh/secrets": 0o700,
                    "events": 0o600, "backup.db": 0o600, "bucket/maand.db": 0o600, "bucket/secrets/kv.key": 0o600,
                    "bucket/.hooks": 0o700, "bucket/.hooks/api": 0o700, "bucket/.hooks/python/maand.py": 0o600,
                    "bucket/apply.lock": 0o600})
                # As the plan says, on the worker.
                job = b.job_dir(WORKERS[0], "api")
                self.assertEqual({name: stat.S_IMODE((job / name).stat().st_mode) for name in ("Makefile", "run.sh", ".")},
                                 {"Makefile": 0o644, "run.sh": 0o755, ".": 0o755})
                # A hook makes its files as a command of the user does.
                self.assertEqual(stat.S_IMODE((b.knobs / "of-hook").stat().st_mode), 0o666 & ~mask)
                self.assertEqual(stat.S_IMODE((b.knobs / "folder-of-hook").stat().st_mode), 0o777 & ~mask)

    def test_while_it_runs(self):
        """The database's log, the socket and the hook's environment, which are gone afterwards."""
        b = self.bucket(WORKERS[0])
        b.hook_job("api", "1.0.0", {"command_x": Hook("pre_deploy")})
        self.succeed(b.plan(umask=0))
        b.hold("command_x", WORKERS[0])
        child = subprocess.Popen(
            [os.path.join(bucket.BIN, "maand-apply"), b.file(), "--bucket", b.path], cwd=b.path, umask=0, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=b.environment())
        b.children.append(child)
        until(lambda: b.trace("hook began"), "the hook begun")
        socket = b.trace("hook began")[0].values["MAAND_API_SOCKET"]
        for path in (b.path / "maand.db-wal", b.path / "maand.db-shm", socket):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, path)
        b.release("command_x", WORKERS[0])
        self.ended(child)
        self.assertFalse(os.path.exists(socket))

    def test_from_the_first_byte(self):
        """Before anything else the programs see to it that what they make is for nobody else."""
        if not strace():
            self.skipTest("strace cannot look here")
        b = self.bucket(WORKERS[0])
        b.hook_job("api", "1.0.0", {"command_x": Hook("pre_deploy")})
        trace = b.top / "calls"
        for argv in (["maand-plan", "deploy", "--bucket", b.path, "-o", b.file()],
                     ["maand-apply", b.file(), "--bucket", b.path]):
            program, *rest = argv
            self.succeed(b.run_program(
                "strace", "-qq", "-e", "trace=openat,mkdir,umask", "-o", trace, os.path.join(bucket.BIN, program), *rest,
                umask=0))
            calls = trace.read_text(errors="replace").splitlines()
            masks = [index for index, call in enumerate(calls) if call.startswith("umask(")]
            self.assertEqual([calls[index].split(")")[0] for index in masks], ["umask(077"])
            made = [index for index, call in enumerate(calls) if "O_CREAT" in call or call.startswith("mkdir(")]
            self.assertLess(masks[0], min(made, default=len(calls)))
