"""A plan that comes through a pipe has been seen by nobody: on a terminal a person is asked."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import bucket

WORKERS = ["127.0.9.1", "127.0.9.2"]


class Confirmation(bucket.Case):
    def deployed(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", make=bucket.makefile(0))
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        self.succeed(b.run("maand-plan", "restart", "api", "-o", b.file("restart.plan.yaml"), "--bucket", b.path))
        return b

    def on_terminal(self, b, *flags, answer=None, rows=24):
        """Applies the plan through a pipe with output on a terminal. Returns the exit status and what was shown."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))

        def control():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        child = subprocess.Popen(
            [os.path.join(b.bin, "maand-apply"), "-", "--bucket", str(b.path), *flags], cwd=b.path,
            stdin=subprocess.PIPE, stdout=slave, stderr=slave, preexec_fn=control)
        b.children.append(child)
        os.close(slave)
        child.stdin.write(b.file("restart.plan.yaml").read_bytes())
        child.stdin.close()
        child.stdin = None
        shown = b""
        end = time.monotonic() + bucket.LIMIT
        while time.monotonic() < end:
            if not select.select([master], [], [], 1)[0]:
                continue
            try:
                part = os.read(master, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
            if answer is not None and b"[y/N]" in shown:
                os.write(master, answer.encode() + b"\n")
                answer = None
        os.close(master)
        return child.wait(bucket.LIMIT), shown.decode(errors="replace")

    def test_yes_runs_the_plan(self):
        b = self.deployed()
        code, shown = self.on_terminal(b, answer="y")
        self.assertEqual(code, 0, shown)
        self.assertIn("restart 2 allocations of 1 job, in 2 batches", shown)
        self.assertEqual([target for _, _, target in b.targets()], ["restart", "restart"])

    def test_any_other_answer_runs_nothing(self):
        for answer in ("n", ""):
            b = self.deployed()
            code, shown = self.on_terminal(b, answer=answer)
            self.assertEqual(code, 1, shown)
            self.assertIn("was not run", shown)
            self.assertEqual(b.began(), [])

    def test_the_summary_fits_the_screen(self):
        b = self.deployed()
        code, shown = self.on_terminal(b, answer="n", rows=10)
        self.assertEqual(code, 1, shown)
        before = shown.split("[y/N]")[0]
        self.assertLess(len(before.splitlines()), 10, before)
        self.assertIn("more lines, which `maand-plan show` shows", before)

    def test_yes_as_an_option_does_not_ask(self):
        b = self.deployed()
        code, shown = self.on_terminal(b, "--yes")
        self.assertEqual(code, 0, shown)
        self.assertNotIn("[y/N]", shown)
        self.assertEqual(len(b.targets()), 2)

    def test_a_run_that_somebody_has_begun_is_not_asked_about_again(self):
        b = self.deployed()
        b.fail("api", WORKERS[1])
        code, shown = self.on_terminal(b, answer="y")
        self.assertEqual(code, 1, shown)
        b.mend("api", WORKERS[1])
        code, shown = self.on_terminal(b, "--retry-failed")
        self.assertEqual(code, 0, shown)
        self.assertNotIn("[y/N]", shown)

    def test_a_failed_run_from_a_pipe_names_the_command_that_continues_it(self):
        b = self.deployed()
        b.fail("api", WORKERS[1])
        with b.file("restart.plan.yaml").open() as plan:
            done = subprocess.run(
                [os.path.join(b.bin, "maand-apply"), "-", "--bucket", str(b.path)], stdin=plan, capture_output=True,
                text=True, timeout=bucket.LIMIT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("run `maand-apply run:2` with --retry-failed", done.stderr)
        b.mend("api", WORKERS[1])
        self.succeed(b.run("maand-apply", "run:2", "--retry-failed", "--bucket", b.path))
        self.assertEqual(b.targets().count(("api", WORKERS[1], "restart")), 1)
        self.refuse(b.run("maand-apply", "run:9", "--bucket", b.path), 65, "there is no run 9")
