"""Where a run stands, on one screen, whatever the number of workers."""
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios

import bucket
import test_report

WORKERS = [f"127.0.54.{number}" for number in range(1, 5)]


class Status(bucket.Case):
    def test_a_thousand_workers_are_one_screen(self):
        b = test_report.thousand(self)
        lines = self.succeed(b.status()).out.splitlines()
        self.assertLessEqual(len(lines), 40)
        text = "\n".join(lines)
        self.assertRegex(text, r"api +failed +945 promoted, 5 failed, 45 left behind, 5 not begun")
        self.assertIn("api/start/19/web-0901/start (attempt 1) has failed: exit status 3", text)
        self.assertIn("more left behind", text)
        self.assertIn("--retry-failed", lines[-1])
        everything = self.succeed(b.status("--workers")).out
        for worker in ("web-0001", "web-0950", "web-0951", "web-1000"):
            self.assertIn(f"api on {worker}  ", everything)

    def test_every_failure_is_shown_if_there_is_room(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", make=bucket.makefile(pause=0))
        self.succeed(b.plan())
        for worker in WORKERS:
            b.fail("api", worker)
        self.succeed(b.apply(), 1)
        shown = self.succeed(b.status()).out
        for worker in WORKERS:
            self.assertIn(f"{worker}/start (attempt 1) has failed", shown)

    def read(self, reader, until):
        """What the program draws, until that holds a word."""
        text = b""
        while until.encode() not in text:
            ready, _, _ = select.select([reader], [], [], bucket.LIMIT)
            self.assertTrue(ready, text[-500:])
            try:
                data = os.read(reader, 1 << 16)
            except OSError:
                break
            if not data:
                break
            text += data
        return text.decode()

    def test_watch_draws_in_place_and_never_more_than_the_terminal_has(self):
        b = test_report.thousand(self, 200)
        for rows, columns in ((24, 80), (10, 60)):
            with self.subTest(rows=rows):
                reader, writer = pty.openpty()
                fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                child = subprocess.Popen([os.path.join(b.bin, "maand-apply"), "status", "--watch", "--bucket", str(b.path)],
                                         stdin=writer, stdout=writer, stderr=writer, env=b.environment(TERM="xterm"))
                b.children.append(child)
                os.close(writer)
                frame = self.read(reader, "\x1b[J")
                child.wait(bucket.LIMIT)
                os.close(reader)
                self.assertTrue(frame.startswith("\x1b[2J\x1b[H"))
                shown = frame.removeprefix("\x1b[2J\x1b[H").split("\x1b[J")[0].replace("\x1b[K", "").split("\r\n")
                self.assertLessEqual(sum(max(1, -(-len(line) // columns)) for line in shown), rows - 1, shown)
                self.assertIn("run 1  failed", shown[0])

    def test_watch_shows_each_change_and_ends_with_the_run(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", make=bucket.makefile(pause=0), max_concurrent_starts=1)
        self.succeed(b.plan())
        b.hold("api", WORKERS[1])
        child = b.start_apply()
        bucket.until(lambda: ("api", WORKERS[1], "start") in b.began(), "the second begun")
        watch = subprocess.Popen(
            [os.path.join(b.bin, "maand-apply"), "status", "--watch", "--format", "json", "--bucket", str(b.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        b.children.append(watch)
        first = watch.stdout.readline()
        b.release("api", WORKERS[1])
        rest = watch.stdout.read()
        watch.wait(bucket.LIMIT)
        child.communicate(timeout=bucket.LIMIT)
        decoder, text, documents = json.JSONDecoder(), first + rest, []
        while text.strip():
            document, end = decoder.raw_decode(text.lstrip())
            documents.append(document)
            text = text.lstrip()[end:]
        self.assertEqual((documents[0]["state"], documents[-1]["state"]), ("running", "succeeded"))
