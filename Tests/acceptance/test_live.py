"""What maand-apply shows while a run goes on: a view on a terminal, lines with the time elsewhere."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading

import bucket

WORKERS = [f"127.0.9.{index}" for index in range(1, 5)]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "
SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


class Screen:
    """As much of a terminal as the view uses: the lines from the first on, those that have scrolled away too."""

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column = columns, [""], 0, 0
        self.has_cursor, self.text = True, ""

    def feed(self, text):
        self.text += text
        rest = text
        while rest:
            found = SEQUENCE.match(rest)
            if found:
                rest = rest[found.end():]
                self.obey(found[2], found[1])
                continue
            character, rest = rest[0], rest[1:]
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self.down()
            else:
                self.put(character)

    def down(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    def put(self, character):
        if self.column == self.columns:
            self.down()
            self.column = 0
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[:self.column] + character + line[self.column + 1:]
        self.column += 1

    def obey(self, letter, parameter):
        if letter == "A":
            self.row = max(0, self.row - int(parameter or 1))
        elif letter == "B":
            self.row = min(len(self.lines) - 1, self.row + int(parameter or 1))
        elif letter in "KJ":
            self.lines[self.row] = self.lines[self.row][:self.column]
            if letter == "J":
                del self.lines[self.row + 1:]
        elif parameter == "?25":
            self.has_cursor = letter == "h"

    def shows(self, *words):
        return any(all(word in line for word in words) for line in self.lines)


class Terminal:
    """maand-apply on a terminal of its own."""

    def __init__(self, test, b, *flags, columns=80, rows=24, **environment):
        self.test, self.screen, self.lock = test, Screen(columns), threading.Lock()
        self.master, self.slave = pty.openpty()
        self.size(columns, rows)

        def control():
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

        self.child = subprocess.Popen(
            [os.path.join(b.bin, "maand-apply"), str(b.file()), "--bucket", str(b.path), *flags], cwd=b.path,
            stdin=self.slave, stdout=self.slave, stderr=self.slave, preexec_fn=control,
            env={**b.environment(TERM="xterm"), **environment})
        b.children.append(self.child)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        test.addCleanup(self.close)

    def close(self):
        self.child.kill()
        self.child.wait()
        self.reader.join(bucket.LIMIT)
        os.close(self.master)
        os.close(self.slave)

    def read(self):
        data = b""
        while self.child.poll() is None or select.select([self.master], [], [], 0)[0]:
            if select.select([self.master], [], [], 0.05)[0]:
                data += os.read(self.master, 65536)
                text = data.decode(errors="ignore")
                if text.encode() == data:
                    with self.lock:
                        self.screen.feed(text)
                    data = b""

    def size(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, *words):
        def found():
            with self.lock:
                return self.screen.shows(*words)
        try:
            bucket.until(found, f"shown: {words}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(self.screen.lines)) from None

    def end(self):
        """The exit status, when all is read that was written."""
        code = self.child.wait(bucket.LIMIT)
        self.reader.join(bucket.LIMIT)
        return code

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)


class Live(bucket.Case):
    def laid(self, workers=WORKERS, **manifest):
        """A deployed job with the plan of an upgrade, two workers at a time."""
        b = bucket.Bucket(self)
        b.workers(*workers)
        b.job("app", "1.0.0", make=bucket.makefile(0))
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.job("app", "2.0.0", make=bucket.makefile(0), max_concurrent_upgrades=2, **manifest)
        self.succeed(b.plan())
        return b

    def test_the_view_shows_workers_and_goes_at_the_end(self):
        b = self.laid()
        b.hold("app", WORKERS[1])
        b.fail("app", WORKERS[0])
        terminal = Terminal(self, b)
        terminal.until("▸", WORKERS[1], "restart")
        terminal.until("upgrade 1/2", "1 failed")
        terminal.until(f"✗ app/upgrade/1/{WORKERS[0]}/restart: exit status 2: restart fails on purpose")
        self.assertFalse(terminal.echoes(), "what is typed would stand in the view")
        self.assertFalse(terminal.screen.has_cursor)
        b.release("app", WORKERS[1])
        self.assertEqual(terminal.end(), 1)
        screen = terminal.screen
        self.assertFalse(screen.shows("▸"), screen.lines)
        self.assertFalse(screen.shows("░"), screen.lines)
        self.assertTrue(screen.shows("batch app/upgrade/1 of 2: 1 of 2 promoted, 1 failed"), screen.lines)
        self.assertTrue(screen.shows("app  failed  1 promoted, 1 failed, 2 not begun"), screen.lines)
        self.assertTrue(screen.shows("Run 2 failed."), screen.lines)
        self.assertFalse(screen.shows("allocation app"), "what is well is told by the batch")
        self.assertTrue(screen.has_cursor and terminal.echoes(), "the terminal is given back")

    def test_a_second_signal_gives_the_terminal_back(self):
        b = self.laid()
        b.hold("app", WORKERS[0])
        terminal = Terminal(self, b)
        terminal.until("▸", WORKERS[0], "restart")
        os.write(terminal.master, b"\x03")
        terminal.until("parking after SIGINT")
        os.write(terminal.master, b"\x03")
        self.assertEqual(terminal.end(), 75)
        self.assertTrue(terminal.screen.has_cursor and terminal.echoes())
        b.release("app", WORKERS[0])

    def test_a_crash_gives_the_terminal_back(self):
        b = self.laid()
        b.hold("app", WORKERS[0])
        terminal = Terminal(self, b)
        terminal.until("▸", WORKERS[0], "restart")
        terminal.child.send_signal(signal.SIGSEGV)
        self.assertEqual(terminal.end(), -signal.SIGSEGV)
        self.assertTrue(terminal.screen.has_cursor and terminal.echoes())
        b.release("app", WORKERS[0])

    def test_a_run_that_was_stopped_goes_on_with_its_view(self):
        b = self.laid()
        b.hold("app", WORKERS[0])
        terminal = Terminal(self, b)
        terminal.until("▸", WORKERS[0], "restart")
        terminal.child.send_signal(signal.SIGTSTP)
        bucket.until(terminal.echoes, "the terminal given back while the process is stopped")
        terminal.child.send_signal(signal.SIGCONT)
        bucket.until(lambda: not terminal.echoes(), "the view again")
        b.release("app", WORKERS[0])
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(terminal.screen.has_cursor and terminal.echoes())

    def test_without_colors_there_is_a_view_and_a_dumb_terminal_has_none(self):
        b = self.laid()
        terminal = Terminal(self, b, NO_COLOR="1")
        self.assertEqual(terminal.end(), 0)
        self.assertIn("\x1b[?2026h", terminal.screen.text)
        self.assertIsNone(re.search(r"\x1b\[\d+m", terminal.screen.text))
        b.job("app", "3.0.0", make=bucket.makefile(0))
        self.succeed(b.plan())
        terminal = Terminal(self, b, TERM="dumb")
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn("\x1b", terminal.screen.text)
        self.assertRegex(terminal.screen.text, TIME + "allocation app on 127.0.9.1: restart, promoted to 3.0.0")

    def test_the_view_follows_the_size_of_the_terminal(self):
        b = self.laid()
        b.hold("app", WORKERS[0])
        terminal = Terminal(self, b, columns=120, rows=40)
        terminal.until("▸", WORKERS[0], "restart")
        with terminal.lock:
            terminal.screen = Screen(40)
        terminal.size(40, 10)
        terminal.until("run 2 deploy, plan", "…")
        with terminal.lock:
            self.assertLessEqual(max(map(len, terminal.screen.lines)), 40)
        b.release("app", WORKERS[0])
        self.assertEqual(terminal.end(), 0)


class Lines(bucket.Case):
    """Where standard output is no terminal."""

    laid = Live.laid

    def lines(self, result):
        """Those with a time, without it."""
        return [re.sub(TIME, "", line) for line in result.out.splitlines() if re.match(TIME, line)]

    def test_one_line_for_each_thing_that_ends(self):
        b = self.laid(health_check={"checks": [{"type": "ssh", "command": "true"}]})
        lines = self.lines(self.succeed(b.apply()))
        kinds = [re.sub(r"[:\d].*", "", line).split(" on ")[0].strip() for line in lines]
        self.assertEqual(kinds, ["run"] + (["allocation app"] * 2 + ["batch app/upgrade/", "gate app/upgrade/"]) * 2 + ["job app done"])
        self.assertRegex(lines[1], r"^allocation app on 127\.0\.9\.\d: restart, promoted to 2\.0\.0 \(\d+\.\d s\)$")
        self.assertRegex(lines[3], r"^batch app/upgrade/1 of 2: 2 of 2 promoted \(")
        self.assertRegex(lines[4], r"^gate app/upgrade/1 passed after 1 try \(")
        self.assertRegex(lines[-1], r"^job app done: 4 of 4 promoted \(")

    def test_verbose_has_each_step_and_quiet_has_failures(self):
        b = self.laid()
        b.fail("app", WORKERS[3])
        done = self.succeed(b.apply("-v"), 1)
        self.assertIn(f"▸ app/upgrade/1/{WORKERS[0]}/push", done.out)
        self.assertIn(f"✓ app/upgrade/1/{WORKERS[0]}/restart", done.out)
        again = self.lines(self.succeed(b.apply("--retry-failed", "--quiet"), 1))
        self.assertEqual(len(again), 2, again)
        self.assertRegex(again[0], f"^failed app/upgrade/2/{WORKERS[3]}/restart after .*: restart fails on purpose")
        self.assertRegex(again[1], "^job app failed: 3 of 4 promoted, 1 failed")
        self.refuse(b.apply("-q", "-v"), 64, "exclude each other")
        b.mend("app", WORKERS[3])
        done = self.succeed(b.apply("--retry-failed", "-q"))
        self.assertEqual(self.lines(done), [])
        self.assertIn("Run 2 succeeded.", done.out)

    def test_a_gate_that_does_not_pass_is_one_line_that_counts(self):
        gate = {"checks": [{"type": "ssh", "command": "false"}], "wait": {"attempts": 5, "interval_seconds": 0}}
        b = self.laid(health_check=gate)
        lines = self.lines(self.succeed(b.apply(), 1))
        told = [line for line in lines if "gate" in line]
        self.assertEqual(len(told), 1, lines)
        self.assertRegex(told[0], r"^failed app/upgrade/1/gate after 5 tries, .*: 4 of 4 allocations do not pass")

    def test_nothing_is_silent_for_long(self):
        b = self.laid()
        b.hold("app", WORKERS[0])
        child = b.start_apply()
        bucket.until(lambda: re.match(TIME + f"waiting: app/upgrade/1/{WORKERS[0]}/restart for \\d", child.stdout.readline()),
                     "what is waited for is told")
        b.release("app", WORKERS[0])
        self.assertEqual(child.wait(bucket.LIMIT), 0)
