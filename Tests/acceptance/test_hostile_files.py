"""What lies where a file should be: a pipe that nobody writes to, a socket, a folder, an endless device, 10 GB. Each is
refused at once, with its path and the reason, in little memory."""
import os
import re
import shutil
import socket
import subprocess
import sys

import bucket

WORKERS = ["127.0.8.31", "127.0.8.32"]
# More than enough for one refusal, in seconds and KB, also on a busy machine.
TIME, MEMORY = 30, 200_000

REASON = r"not a regular file|is larger than|is a folder|[Ii]s a directory|[Nn]ot a directory|named pipes cannot be deployed" \
         r"|symbolic link|the link's target is absolute|is not a file"

MEASURE = ("import os, sys; pid = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:]); "
           "_, status, usage = os.wait4(pid, 0); print('peak', usage.ru_maxrss); "
           "code = os.waitstatus_to_exitcode(status); sys.exit(code if code >= 0 else 99)")


def pipe(path):
    os.mkfifo(path)


def listener(path):
    # Addresses of sockets are short, so the socket is made where it is.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def directory(path):
    path.mkdir()


def huge(path):
    with open(path, "wb") as file:
        file.truncate(10 << 30)
    path.chmod(0o600)


def endless(path):
    path.symlink_to("/dev/zero")


KINDS = {"pipe": pipe, "socket": listener, "folder": directory, "10 GB": huge, "device": endless}


class HostileFiles(bucket.Case):
    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)
        self.b.job("api")
        self.succeed(self.b.plan())

    def measured(self, *command, stdin=None, **options):
        """A command that has to end soon and stay small."""
        program = os.path.join(bucket.BIN, command[0])
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, program, *(str(word) for word in command[1:])], timeout=TIME,
            stdin=stdin or subprocess.DEVNULL, capture_output=True, text=True, errors="replace", cwd=self.b.path, **options)
        self.assertLess(int(re.search(r"peak (\d+)", done.stdout).group(1)), MEMORY, f"KB of memory: {command}")
        return bucket.Result(done.returncode, done.stdout, done.stderr)

    def refused(self, name, *command, **options):
        result = self.measured(*command, **options)
        self.assertNotIn(result.code, (0, 99, 132, 133, 134, 139), f"{command}: {result}")
        self.assertIn(name, result.err, command)
        self.assertRegex(result.err, REASON, command)

    def each(self, path, *commands, kinds=KINDS):
        """Puts each kind in the place of a file of the bucket, and runs the commands."""
        before = path.read_bytes() if path.is_file() else None
        mode = path.stat().st_mode if path.is_file() else None
        for kind in kinds:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            KINDS[kind](path)
            for command in commands:
                with self.subTest(path=path.name, kind=kind, command=command[:2]):
                    self.refused(path.name, *command)
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if before is not None:
            path.write_bytes(before)
            path.chmod(mode)

    def test_files_of_the_workspace(self):
        plan = ("maand-plan", "deploy", "--bucket", self.b.path, "-o", "/dev/null")
        for name in ("workers.json", "disabled.json", "bucket.conf", "bucket.jobs.conf", "jobs/api/vars.toml",
                     "jobs/api/manifest.json", "jobs/api/app.conf.tpl"):
            kinds = [kind for kind in KINDS if not (kind == "folder" and name.endswith(".tpl"))]
            self.each(self.b.workspace / name, plan, kinds=kinds)
        # A folder is a part of the job, and so is a link that stays in it.
        self.each(self.b.workspace / "jobs/api/data.bin", plan, kinds=["pipe", "socket", "10 GB"])

    def test_freezes(self):
        self.each(self.b.workspace / "freezes.yaml", ("maand-plan", "show", self.b.file(), "--bucket", self.b.path),
                  ("maand-apply", self.b.file(), "--bucket", self.b.path))

    def test_configuration(self):
        self.each(self.b.path / "maand.conf", ("maand-plan", "deploy", "--bucket", self.b.path, "-o", "/dev/null"),
                  ("maand-apply", "status", "--bucket", self.b.path))
        for command in (("maand-plan", "deploy"), ("maand-apply", "status")):
            self.refused("/dev/zero", *command, "--bucket", "/dev/zero")

    def test_files_that_are_named(self):
        named = self.b.top / "named"
        self.each(named, ("maand-plan", "show", named), ("maand-plan", "verify", named, "--bucket", self.b.path),
                  ("maand-apply", named, "--bucket", self.b.path),
                  ("maand-plan", "diff", self.b.file(), named), ("maand-plan", "approvals", named),
                  ("maand-plan", "deploy", "--bucket", self.b.path, "--catalog", named, "-o", "/dev/null"),
                  ("maand-plan", "deploy", "--bucket", self.b.path, "--window", named, "-o", "/dev/null"))

    def test_a_pipe_that_nobody_reads(self):
        os.mkfifo(self.b.top / "pipe")
        for flag in ((), ("--overwrite",)):
            result = self.measured("maand-plan", "deploy", "--bucket", self.b.path, "-o", self.b.top / "pipe", *flag)
            self.assertEqual(result.code, 1)
            self.assertIn("it is a pipe that nobody reads", result.err)

    def test_a_link_of_another_user(self):
        """In a folder that others may write, it could lead a plan over any file of whoever makes it."""
        if os.geteuid() != 0:
            self.skipTest("only root makes links of others")
        mine = self.b.top / "mine"
        mine.write_text("precious\n")
        link = self.b.top / "linked.plan.yaml"
        link.symlink_to(mine)
        os.lchown(link, 12345, 12345)
        for flag in ((), ("--overwrite",)):
            self.refuse(self.b.plan(*flag, out="linked.plan.yaml"), 1, "linked.plan.yaml is a symbolic link of another user")
            self.assertEqual(mine.read_text(), "precious\n")
        os.lchown(link, 0, 0)
        self.succeed(self.b.plan("--overwrite", out="linked.plan.yaml"))
        self.assertNotEqual(mine.read_text(), "precious\n")

    def test_standard_input_without_an_end(self):
        for command in (("maand-plan", "show", "-"), ("maand-apply", "-", "--bucket", self.b.path),
                        ("maand-plan", "kv", "put", "vars/job/api", "k", "--bucket", self.b.path)):
            with open("/dev/zero", "rb") as zero:
                self.refused("is larger than", *command, stdin=zero)

    def test_a_plan_from_a_pipe_of_the_shell(self):
        shown = subprocess.run(
            ["bash", "-c", f'"$0" show <(cat "$1")', os.path.join(bucket.BIN, "maand-plan"), str(self.b.file())],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIME)
        self.succeed(bucket.Result(shown.returncode, shown.stdout, shown.stderr))

    def test_approvals(self):
        etc = self.b.top / "etc"
        etc.mkdir()
        key = etc / "signers"
        key.write_text("")
        policy = etc / "policy.toml"
        policy.write_text('approvals_required = 1\nallowed_signers = "signers"\n')
        environment = {**os.environ, "MAAND_POLICY": str(policy)}
        apply = ("maand-apply", self.b.file(), "--bucket", self.b.path)
        for path in (policy, key):
            before = path.read_text()
            for kind, make in KINDS.items():
                path.unlink() if not path.is_dir() else path.rmdir()
                make(path)
                with self.subTest(path=path.name, kind=kind):
                    self.refused(path.name, *apply, env=environment)
            path.unlink()
            path.write_text(before)

    def test_key_of_secrets(self):
        secrets = self.b.path / "secrets"
        secrets.mkdir(mode=0o700)
        subprocess.run(
            [os.path.join(bucket.BIN, "maand-plan"), "kv", "put", "secrets/job/api", "k", "--bucket", str(self.b.path)],
            input="value", capture_output=True, text=True, check=True)
        for kind, make in KINDS.items():
            path = secrets / "kv.key"
            path.unlink() if path.is_symlink() or not path.is_dir() else path.rmdir()
            make(path)
            with self.subTest(kind=kind):
                result = self.measured("maand-plan", "kv", "get", "secrets/job/api", "k", "--reveal", "--bucket", self.b.path)
                self.assertNotIn(result.code, (0, 99))
                self.assertIn("kv.key", result.err)

    def test_log_of_events_that_nobody_reads(self):
        log = self.b.top / "events"
        for make in (pipe, directory, listener):
            make(log)
            result = self.measured("maand-apply", self.b.file(), "--bucket", self.b.path, "--events", log)
            self.refuse(result, 65, "events", "cannot be written")
            log.rmdir() if log.is_dir() else log.unlink()
        self.assertEqual(self.b.began(), [])
