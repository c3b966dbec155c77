"""maand-plan schedule: what systemd makes of the units, and what they do."""
import json
import math
import os
import re
import shutil
import subprocess
import time
import unittest

import bucket

HAS_ANALYZE = shutil.which("systemd-analyze")
UTC = {**os.environ, "TZ": "UTC", "SYSTEMD_COLORS": "0"}


def words(line):
    """A command line as systemd.syntax(7) splits it, with specifiers as systemd.unit(5) has them."""
    found, word, quote, at, begun = [], "", None, 0, False
    while at < len(line):
        char = line[at]
        if char == "\\":
            at += 1
            word += line[at]
        elif char == "%":
            at += 1
            assert line[at] == "%", line
            word += "%"
        elif quote:
            if char == quote:
                quote = None
            else:
                word += char
        elif char in "\"'":
            quote, begun = char, True
        elif char == " ":
            found, word, begun = (found + [word] if word or begun else found), "", False
        else:
            word += char
        at += 1
    return found + [word] if word or begun else found


class Scheduled(bucket.Case):
    def planned(self, window, hosts=1, **options):
        b = bucket.Bucket(self)
        b.hosts = [f"127.0.11.{n}" for n in range(1, hosts + 1)]
        b.workers(*b.hosts)
        b.job("api", **options)
        self.succeed(b.plan("--window", window))
        return b

    def schedule(self, b, *flags, **options):
        return b.run("maand-plan", "schedule", b.file(), "--bucket", b.path, *flags, **options)

    def units(self, b, *flags, **options):
        folder = b.top / "units"
        folder.mkdir(exist_ok=True)
        self.succeed(self.schedule(b, "--output", folder, *flags, **options))
        service, = folder.glob("*.service")
        timer, = folder.glob("*.timer")
        return service, timer

    @staticmethod
    def values(path, key):
        return [line.split("=", 1)[1] for line in path.read_text().splitlines() if line.startswith(key + "=")]

    def analyze(self, *arguments):
        done = subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, env=UTC, timeout=bucket.LIMIT)
        # It warns and exits 0 where it ignores a setting.
        self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        return done.stdout

    def elapses(self, event, base, count=12):
        out = self.analyze("calendar", f"--iterations={count}", f"--base-time={base}", event)
        return [f"{day}T{clock}Z" for day, clock in re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+) (\S+) UTC", out)]


class Units(Scheduled):
    def test_what_is_printed(self):
        b = self.planned("tue,thu 22:00 for 4h in Europe/Berlin")
        out = self.succeed(self.schedule(b)).out
        name = "maand-" + re.search(r"# /etc/systemd/system/maand-(\w{12})\.service", out).group(1)
        self.assertIn(f"# /etc/systemd/system/{name}.timer", out)
        for line in ("Type=oneshot", "SuccessExitStatus=75", "Restart=on-abnormal", f"Unit={name}.service", "Persistent=true",
                     "AccuracySec=1s", "OnCalendar=Tue,Thu *-*-* 22:00:00 Europe/Berlin", "WantedBy=timers.target"):
            self.assertIn(line, out.splitlines())
        # The same again.
        self.assertEqual(out, self.succeed(self.schedule(b)).out)
        service, timer = self.units(b, "--name", "api-rollout", "--user", "deploy", env={
            **os.environ, "MAAND_POLICY": str(b.top / "100% sure.toml")})
        self.assertEqual((service.name, timer.name), ("api-rollout.service", "api-rollout.timer"))
        self.assertEqual(self.values(service, "User"), ["deploy"])
        self.assertEqual(self.values(service, "Environment"), [f'"MAAND_POLICY={b.top}/100%% sure.toml"'])

    @unittest.skipUnless(HAS_ANALYZE, "systemd-analyze is not installed (Debian: systemd)")
    def test_systemd_reads_them(self):
        b = self.planned("third thu 22:00 for 4h and last fri of mar,sep 02:30 for 1h and last day 01:00 for 1h and "
                         "2099-12-01T22:00 to 2099-12-02T02:00 in Europe/Berlin cutoff 15m freeze 2098-12-20 to 2099-01-04")
        service, timer = self.units(b)
        self.analyze("verify", timer)
        self.analyze("verify", service)

    def test_odd_paths(self):
        b = self.planned("2099-12-01T22:00 for 1h in UTC")
        odd = b.top / "a \"b' $HOME ${X} %h %% \\ ; #é"
        odd.mkdir()
        home = b.top / "a $HOME ${X} %h %% é"
        home.mkdir()
        program = home / "maand-apply"
        program.symlink_to(os.path.join(bucket.BIN, "maand-apply"))
        shutil.copy(b.file(), odd / "p.yaml")
        folder = b.top / "units"
        folder.mkdir()
        self.succeed(b.run("maand-plan", "schedule", odd / "p.yaml", "--bucket", b.path, "--apply", program,
                           "--signatures", odd, "--output", folder))
        service, = folder.glob("*.service")
        line, = self.values(service, "ExecStart")
        self.assertTrue(line.startswith(":"), "no `$` is replaced")
        self.assertEqual(words(line[1:]), [str(program), str(odd / "p.yaml"), "--bucket", str(b.path), "--signatures", str(odd)])
        if HAS_ANALYZE:
            self.analyze("verify", service)
            # It looks whether the program is there, and so says how it has read the path.
            program.unlink()
            done = subprocess.run(["systemd-analyze", "verify", service], capture_output=True, text=True, env=UTC)
            self.assertIn(f"Command {program} is not executable", done.stderr)
        quoted = b.top / "it's"
        quoted.mkdir()
        (quoted / "maand-apply").symlink_to(os.path.join(bucket.BIN, "maand-apply"))
        self.refuse(self.schedule(b, "--apply", quoted / "maand-apply"), 65, "quotes or backslashes")
        broken = b.top / "new\nline"
        broken.mkdir()
        shutil.copy(b.file(), broken / "p.yaml")
        self.refuse(b.run("maand-plan", "schedule", broken / "p.yaml", "--bucket", b.path), 65, "control character")

    def test_what_cannot_be(self):
        b = self.planned("2020-12-01T22:00 for 1h in UTC")
        self.refuse(self.schedule(b), 3, "does not open any more")
        shown = self.succeed(self.schedule(b, "--at", "2020-01-01T00:00Z"))
        self.assertNotIn("open now", shown.err)
        shown = self.succeed(self.schedule(b, "--at", "2020-12-01T22:30Z"))
        self.assertIn("The window is open now: `systemctl start maand-", shown.err)
        self.refuse(self.schedule(b, "--name", "../x", "--at", "2020-01-01T00:00Z"), 64, "no name for units")
        self.refuse(b.run("maand-plan", "schedule", "-", "--bucket", b.path), 64, "file that stays")
        self.succeed(b.plan())
        self.refuse(self.schedule(b), 65, "has no window")

    @unittest.skipUnless(HAS_ANALYZE, "systemd-analyze is not installed (Debian: systemd)")
    def test_the_timer_fires_when_the_window_opens(self):
        for window, at in (
                ("daily 22:00 for 1h in Europe/Berlin", "2026-03-27T00:00:00Z"),
                # Clocks are set forward over it, and back to it.
                ("daily 02:30 for 30m in Europe/Berlin", "2026-03-27T12:00:00Z"),
                ("daily 02:30 for 30m in Europe/Berlin", "2026-10-24T12:00:00Z"),
                ("sun 02:15 for 1h in America/New_York", "2026-03-01T00:00:00Z"),
                ("daily 02:10 for 1h in Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
                ("daily 01:45 for 1h in Australia/Lord_Howe", "2026-04-03T00:00:00Z"),
                ("tue,thu 22:00 for 4h in Asia/Kathmandu", "2026-01-01T00:00:00Z"),
                ("first mon 03:00 for 2h in UTC", "2026-01-31T00:00:00Z"),
                ("third thu 22:00 for 4h in Europe/Berlin", "2026-02-21T00:00:00Z"),
                ("fifth sat 22:00 for 4h in Asia/Kolkata", "2026-01-01T00:00:00Z"),
                ("last fri 22:00 for 4h in Europe/Berlin", "2026-02-01T00:00:00Z"),
                ("last day 23:00 for 30m in America/St_Johns", "2028-01-31T00:00:00Z"),
                ("day 1,15,31 00:00 for 1h in Europe/Berlin", "2026-04-02T00:00:00Z"),
                ("day 29 of feb 12:00 for 1h in UTC", "2026-01-01T00:00:00Z"),
                ("second sat of mar,sep 22:00 for 4h in Europe/Berlin", "2026-01-01T00:00:00Z"),
                ("FREQ=MONTHLY;BYDAY=-1SU 04:00 for 2h in Europe/Berlin", "2026-01-01T00:00:00Z"),
                ("cron 30 1 1-7 jan,jul mon for 2h in Europe/Berlin", "2026-06-20T00:00:00Z"),
                ("mon 01:00 for 1h and last day 05:00 for 1h in Europe/Berlin", "2026-01-20T00:00:00Z"),
                ("2027-03-28T02:30 for 1h and 2026-12-01T22:00 for 1h in Europe/Berlin", "2026-01-01T00:00:00Z"),
                ("2026-10-25T02:30 to 2026-10-25T04:00 in Europe/Berlin", "2026-01-01T00:00:00Z"),
                # A freeze that ends in the middle of an opening.
                ("daily 22:00 for 4h in UTC freeze 2026-05-01 to 2026-05-03T23:00", "2026-04-29T03:00:00Z"),
        ):
            b = self.planned(window)
            _, timer = self.units(b, "--at", at)
            data = json.loads(self.succeed(b.run("maand-plan", "show", b.file(), "--format", "json", "--at", at)).out)
            openings = [opening["from"] for opening in data["next_openings"]]
            base = at.replace("T", " ").replace("Z", " UTC")
            fired = sorted({elapse for event in self.values(timer, "OnCalendar") for elapse in self.elapses(event, base)})
            self.assertTrue(openings)
            for opening in openings:
                self.assertIn(opening, fired, f"{window}: {timer.read_text()}")
            # ... and no oftener, but where a rule's beginning is frozen.
            if "freeze" not in window:
                self.assertEqual(fired[:len(openings)], openings, window)
            timer.unlink()

    def test_the_buckets_freezes(self):
        b = self.planned("daily 22:00 for 4h in UTC")
        b.write("freezes.yaml", 'zone: UTC\nfreezes:\n  - {from: "2026-05-01", until: "2026-05-03T23:00"}\n')
        _, timer = self.units(b, "--at", "2026-04-29T00:00:00Z")
        self.assertEqual(self.values(timer, "OnCalendar"), ["*-*-* 22:00:00 UTC", "2026-05-03 23:00:00 UTC"])


class Fired(Scheduled):
    """What the service does when the timer fires: its commands, as systemd would run them."""

    def fire(self, b, service, at):
        offset = math.ceil(at - time.time())
        line, = self.values(service, "ExecStart")
        done = subprocess.run(words(line[1:]), stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/",
                              env={**os.environ, "MAAND_TIME_OFFSET": str(offset)}, timeout=bucket.LIMIT)
        return bucket.Result(done.returncode, done.stdout, done.stderr)

    def stop(self, b, service, status):
        """What ExecStopPost runs, with a systemctl that tells."""
        tools = b.top / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "systemctl").write_text(f'#!/bin/sh\necho "$*" >> {b.top}/systemctl.log\n')
        (tools / "systemctl").chmod(0o755)
        line, = self.values(service, "ExecStopPost")
        self.assertTrue(line.startswith("+:"))
        done = subprocess.run(words(line[2:]), env={"PATH": f"{tools}:/usr/bin:/bin", "EXIT_STATUS": status}, timeout=10)
        self.assertEqual(done.returncode, 0)
        log = b.top / "systemctl.log"
        return log.read_text().split() if log.exists() else []

    def test_until_it_is_done(self):
        b = self.planned("2099-12-01T22:00 for 1h in UTC")
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.workers(*[f"127.0.11.{n}" for n in range(1, 7)])
        b.job("api", "2.0.0", make=bucket.makefile(4), max_concurrent_starts=1, timeouts={"action": 6, "push": 1})
        self.succeed(b.plan("--window", "daily 22:00 for 20s in UTC"))
        service, timer = self.units(b)
        # 22:00 on some day of 2099, and on the days after.
        opening, codes = 4076000000 // 86400 * 86400 + 22 * 3600, []
        for _ in range(12):
            result = self.fire(b, service, opening)
            codes.append(result.code)
            stopped = self.stop(b, service, str(result.code))
            if result.code == 0:
                break
            self.assertEqual(stopped, [], "the timer goes on")
            opening += 86400
        self.assertEqual(set(codes[:-1]), {75}, result.err)
        self.assertEqual(codes[-1], 0, result.err)
        self.assertEqual(sorted(row.worker for row in b.rows()), [f"127.0.11.{n}" for n in range(1, 7)])
        self.assertEqual(stopped, ["disable", "--now", timer.name])

    def test_a_failure_is_for_a_person(self):
        b = self.planned("daily 00:00 for 1d in UTC")
        service, _ = self.units(b)
        b.fail("api", b.hosts[0])
        self.assertEqual(self.fire(b, service, time.time()).code, 1)
        b.mend("api", b.hosts[0])
        # A timer makes no new attempt.
        self.assertEqual(self.fire(b, service, time.time()).code, 1)
        for status in ("1", "3", "4", "75", "77", "KILL"):
            self.assertEqual(self.stop(b, service, status), [])
        self.assertNotIn("--retry-failed", service.read_text())
