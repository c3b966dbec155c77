"""Maintenance windows: in plans, in reviews, and while a plan is executed."""
import calendar
import json
import math
import os
import re
import signal
import time

import bucket

WORKERS = ["127.0.9.1", "127.0.9.2", "127.0.9.3"]
THIRD_THURSDAY = "third thu 22:00 for 4h in Europe/Berlin cutoff 15m freeze 2026-12-20 to 2027-01-04"


class Planning(bucket.Case):
    def planned(self, *flags):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api")
        self.succeed(b.plan(*flags))
        return b

    def test_show_prints_the_next_three_openings(self):
        b = self.planned("--window", THIRD_THURSDAY, "--start-before", "2027-06-01T00:00Z")
        shown = self.succeed(b.run("maand-plan", "show", b.file(), "--at", "2026-03-01T00:00:00Z")).out
        self.assertIn("third thu at 22:00:00 for 4 h, in Europe/Berlin, everything ended 15 min before", shown)
        self.assertIn("begins before 2027-06-01T00:00:00Z", shown)
        for line in ("next opening: Thu 2026-03-19 22:00:00 +01:00 (2026-03-19T21:00:00Z)",
                     "then: Thu 2026-04-16 22:00:00 +02:00 (2026-04-16T20:00:00Z)",
                     "then: Thu 2026-05-21 22:00:00 +02:00"):
            self.assertIn(line, shown)
        for form in ("markdown", "html"):
            text = self.succeed(b.run("maand-plan", "show", b.file(), "--format", form, "--at", "2026-03-01T00:00Z")).out
            self.assertEqual(text.count("2026-05-21 22:00:00 +02:00"), 1)
        data = json.loads(self.succeed(
            b.run("maand-plan", "show", b.file(), "--format", "json", "--at", "2026-12-20T00:00:00Z")).out)
        self.assertEqual(data["next_openings"][0]["from"], "2027-01-21T21:00:00Z")
        self.assertEqual(data["window"]["cutoff_seconds"], 900)
        self.assertEqual(data["policy"]["start_before"], "2027-06-01T00:00:00Z")

    def test_the_buckets_freezes_are_taken_out(self):
        b = self.planned("--window", "daily 22:00 for 1h in UTC")
        b.write("freezes.yaml", 'zone: UTC\nfreezes:\n  - {from: "2026-05-01", until: "2026-05-04", reason: a fair}\n')
        shown = self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path, "--at", "2026-05-02T00:00:00Z")).out
        self.assertIn("frozen now, until Mon 2026-05-04 00:00:00 +00:00: a fair", shown)
        self.assertIn("next opening: Mon 2026-05-04 22:00", shown)
        b.write("freezes.yaml", "zone: UTC\nfreezes: nothing\n")
        self.refuse(b.run("maand-plan", "show", b.file(), "--bucket", b.path), 65, "freezes.yaml:2:")

    def test_freezes_alone_are_told_in_their_zone(self):
        b = self.planned()
        b.write("freezes.yaml", 'zone: Europe/Berlin\nfreezes:\n  - {from: "2026-05-01", until: "2026-05-04", reason: a fair}\n')
        for form in ("text", "markdown", "html"):
            shown = self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path, "--format", form,
                                       "--at", "2026-05-02T00:00:00Z")).out
            self.assertIn("frozen now, until Mon 2026-05-04 00:00:00 +02:00: ", shown)
            self.assertIn("may run again from Mon 2026-05-04 00:00:00 +02:00 (2026-05-03T22:00:00Z)", shown)
            self.assertNotIn("next opening", shown)
            self.assertIn("freezes of the bucket", shown.lower())

    def test_a_window_from_a_file_and_the_same_bytes(self):
        b = self.planned("--window", THIRD_THURSDAY)
        text = b.top / "window.txt"
        text.write_text("# agreed with the shop\nthird thu 22:00 for 4h\nin Europe/Berlin cutoff 15m\n"
                        "freeze 2026-12-20 to 2027-01-04  # year's end\n")
        self.succeed(b.plan("--window", text, out="b.plan.yaml"))
        self.assertEqual(b.file().read_bytes(), b.file("b.plan.yaml").read_bytes())
        self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))
        self.succeed(b.plan(out="c.plan.yaml"))
        diff = b.run("maand-plan", "diff", b.file(), b.file("c.plan.yaml"))
        self.assertEqual(diff.code, 2)
        self.assertIn("window: runs only in its window", diff.out)

    def test_bad_windows(self):
        b = self.planned()
        for flags, word in ((("--window", "thirsday 22:00 for 4h in UTC"), "thirsday"),
                            (("--window", "thu 22:00 for 4h in Atlantis"), "Atlantis"),
                            (("--window", "thu 22:00 for 4h"), "in ZONE"), (("--window", "no-such-file"), "no-such-file"),
                            (("--start-before", "tomorrow"), "tomorrow")):
            self.refuse(b.plan(*flags), 64, word)


FORM = "%Y-%m-%dT%H:%M:%SZ"


def utc(seconds):
    return time.strftime(FORM, time.gmtime(seconds))


def instant(text):
    return calendar.timegm(time.strptime(text, FORM))


class Executing(bucket.Case):
    """The targets take a second each; tests move the clock of maand-apply by MAAND_TIME_OFFSET."""

    def deployed(self, hosts=12, is_known=False, **manifest):
        """Runs everywhere, and records how long pushes take; with `is_known` how long restarts take, too."""
        b = bucket.Bucket(self)
        b.hosts = [f"127.0.9.{n}" for n in range(1, hosts + 1)]
        b.workers(*b.hosts)
        make = bucket.makefile(1)
        b.job("api", files={"app.conf": "old\n"}, **manifest)
        self.succeed(b.plan())
        self.succeed(b.apply())
        if is_known:
            b.job("api", "1.0.1", files={"app.conf": "old\n"}, make=make, **{**manifest, "max_concurrent_upgrades": 2})
            self.succeed(b.plan())
            self.succeed(b.apply())
        b.forget()
        b.job("api", "2.0.0", files={"app.conf": "new\n"}, make=make, **manifest)
        return b

    def apply_at(self, b, instant, *flags, **options):
        """As if it were this instant (seconds since 1970) now."""
        # Not a moment before it: the fraction of a second goes to the far side.
        offset = math.ceil(instant - time.time())
        return b.apply(*flags, env={**os.environ, "MAAND_TIME_OFFSET": str(offset)}, **options), offset

    def within(self, b, openings, offsets):
        """Each target ran once, and began and ended inside of one of these (from, until)."""
        rows = b.rows()
        self.assertEqual(sorted(row.worker for row in rows), sorted(b.hosts))
        self.assertEqual(len(b.began()), len(b.hosts))
        for row in rows:
            self.assertTrue(
                any(begin <= row.start + offset and row.end + offset <= end
                    for offset in offsets for begin, end in openings), row)

    @bucket.alone
    def test_twelve_batches_in_windows_of_four_seconds(self):
        b = self.deployed(is_known=True, timeouts={"action": 3})
        self.succeed(b.plan("--window", "third thu 22:00 for 4s in Europe/Berlin"))
        # 19 March 2026, 22:00 in Berlin; then April ... as the next runs say.
        opening, openings, offsets, parked, said = 1773954000, [], [], 0, ""
        outside, _ = self.apply_at(b, opening - 3600)
        self.refuse(outside, 75, "maintenance window is closed", "Thu 2026-03-19 22:00:00 +01:00 (2026-03-19T21:00:00Z)")
        self.assertEqual(b.began(), [])
        self.assertIn("run 2  succeeded", b.status().out, "no run was begun")
        for _ in range(30):
            result, offset = self.apply_at(b, opening)
            openings.append((opening, opening + 4))
            offsets.append(offset)
            # The last opening may have only what was begun in the one before.
            said += result.out
            if result.code == 0:
                break
            self.refuse(result, 75, "Next opening: Thu 20")
            parked += 1
            opening = instant(re.search(r"Next opening: .*\((.*?)\)", result.err).group(1))
        self.assertEqual(result.code, 0, result.err)
        self.assertGreaterEqual(parked, 2)
        self.assertRegex(said, r"expected to take \d+ s as before, until 20")
        self.within(b, openings, offsets)
        self.assertIn("2026-04-16", "".join(utc(begin) for begin, _ in openings), "the hour is that of summer time")
        self.assertEqual(openings[1][0], 1776369600)

    @bucket.alone
    def test_the_last_second_of_an_opening_is_no_failure(self):
        """Pushes and restarts of a moment fit in; the workers' clocks, which count whole seconds, say no."""
        b = self.deployed(hosts=2)
        b.job("api", "1.1.0", files={"app.conf": "new\n"})
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.job("api", "1.2.0", files={"app.conf": "newer\n"})
        self.succeed(b.plan("--window", "third thu 22:00 for 10s in Europe/Berlin"))
        for number in range(30):
            # The moved clock keeps the fraction of the second. On a busy machine the opening may be over before it counts.
            bucket.until(lambda: time.time() % 1 < 0.1, "the beginning of a second")
            result, _ = self.apply_at(b, 1773954000 + 9)
            self.refuse(result, 75, "Next opening: Thu 2026-04-16 22:00:00 +02:00")
            if number >= 2 and "too soon for a worker to begin anything" in result.err:
                break
        self.assertEqual(b.began(), [])
        self.assertIn("too soon for a worker to begin anything", result.err)
        again, _ = self.apply_at(b, instant("2026-04-16T20:00:00Z"))
        self.succeed(again)
        self.assertEqual(sorted(row.worker for row in b.rows()), b.hosts)

    @bucket.alone
    def test_the_same_in_real_time_with_wait(self):
        b = self.deployed(is_known=True, timeouts={"action": 3})
        first = int(time.time()) + 3
        openings = [(first + 7 * n, first + 7 * n + 4) for n in range(40)]
        self.succeed(b.plan("--window", " and ".join(f"{utc(begin)} to {utc(end)}" for begin, end in openings)))
        result = self.succeed(b.apply("--wait"))
        self.assertIn("Waiting for the next opening", result.out)
        self.assertIn("does not begin", result.out)
        self.within(b, openings, [0])
        history = self.succeed(b.status())
        self.assertIn("succeeded", history.out)

    def test_an_opening_that_comes_after_the_last_beginning(self):
        b = self.deployed(hosts=1)
        planned = self.succeed(b.plan("--window", f"{utc(time.time() + 3600)} for 1h", "--start-before",
                                      utc(time.time() + 1800)))
        self.assertIn("this plan can never begin", planned.err)
        for flags in ((), ("--wait",)):
            self.refuse(b.apply(*flags), 3, "`start_before`", "next opening comes later", "--start-before")
        self.assertEqual(b.began(), [])

    def test_waiting_for_who_holds_the_bucket(self):
        b = self.deployed(hosts=1)
        self.succeed(b.plan(out="urgent.plan.yaml"))
        b.hold("api", b.hosts[0])
        urgent = b.start_apply(plan="urgent.plan.yaml")
        bucket.until(b.began, "the urgent one at work")
        self.succeed(b.plan("--window", f"{utc(time.time() - 3600)} for 2h"))
        self.refuse(b.apply(), 75, "the bucket is locked by")
        child = b.start_apply("--wait")
        self.assertIn("Waiting for it", child.stdout.readline())
        b.release("api", b.hosts[0])
        self.assertEqual(urgent.wait(bucket.LIMIT), 0)
        out, err = child.communicate(timeout=bucket.LIMIT)
        # Its turn has come; what the urgent one has promoted is not what it was planned on.
        self.assertEqual(child.returncode, 3, out + err)
        self.assertIn("the plan is stale", err)

    def test_a_signal_ends_the_waiting(self):
        b = self.deployed(hosts=1)
        self.succeed(b.plan("--window", f"{utc(time.time() + 3600)} for 1h"))
        child = b.start_apply("--wait")
        self.assertTrue(any("Waiting" in line for line in child.stdout), "the wait is told")
        # While it waits, the bucket is free.
        self.succeed(b.plan(out="urgent.plan.yaml"))
        self.succeed(b.apply(plan="urgent.plan.yaml"))
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, err)
        self.assertIn("SIGTERM ended the waiting", err)

    def test_a_freeze_holds_plans_without_a_window(self):
        b = self.deployed(hosts=2)
        self.succeed(b.plan())
        b.write("freezes.yaml", f'zone: UTC\nfreezes:\n  - {{from: "2026-01-01", until: "{utc(time.time() + 99)}", reason: a fair}}\n')
        self.refuse(b.apply(), 75, "a freeze holds everything (a fair)", "Next opening")
        b.write("freezes.yaml", 'zone: UTC\nfreezes:\n  - {from: "2026-01-01", reason: until further notice}\n')
        self.refuse(b.apply(), 75, "until further notice", "Take the freeze out")
        b.write("freezes.yaml", "zone: UTC\nfreezes: soon\n")
        self.refuse(b.apply(), 65, "freezes.yaml:2:")
        self.assertEqual(b.began(), [])
        (b.workspace / "freezes.yaml").unlink()
        self.succeed(b.apply())

    def test_freezes_that_cannot_be_read_in_the_middle_hold_the_run(self):
        b = self.deployed(hosts=2)
        self.succeed(b.plan())
        b.hold("api", b.hosts[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        b.write("freezes.yaml", "")
        b.release("api", b.hosts[0])
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, out + err)
        self.assertIn("what is frozen cannot be found out", err)
        self.assertIn(f"api: 2.0.0 on {b.hosts[0]}; not yet on {b.hosts[1]}", err)
        self.assertEqual(len(b.targets()), 1, "what was in flight has ended")
        (b.workspace / "freezes.yaml").unlink()
        (b.workspace / "freezes.yaml").mkdir()
        self.refuse(b.apply(), 65, "what is frozen cannot be found out", "freezes.yaml")
        (b.workspace / "freezes.yaml").rmdir()
        self.succeed(b.apply())
        self.assertEqual(len(b.targets()), 2)

    def test_a_freeze_that_is_announced_in_the_middle(self):
        b = self.deployed(hosts=3)
        self.succeed(b.plan())
        b.hold("api", b.hosts[0])
        child = b.start_apply()
        bucket.until(lambda: b.began(), "the first target begun")
        b.write("freezes.yaml", f'zone: UTC\nfreezes:\n  - {{from: "2026-01-01", until: "{utc(time.time() + 999)}"}}\n')
        b.release("api", b.hosts[0])
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, out + err)
        self.assertIn(f"api: 2.0.0 on {b.hosts[0]}; not yet on {b.hosts[1]}, {b.hosts[2]}", err)
        self.assertEqual(len(b.targets()), 1)
        self.refuse(b.apply(), 75, "freeze", "not yet on")
        self.succeed(b.status())
        (b.workspace / "freezes.yaml").unlink()
        self.succeed(b.apply())
        self.assertEqual(len(b.targets()), 3)

    def test_what_cannot_be(self):
        b = self.deployed(hosts=1, timeouts={"action": 3000})
        for window, code, words in (
                ("daily 22:00 for 10m in UTC", 65, ["api/upgrade/1", "no opening of the window is so long"]),
                ("2020-01-01T00:00Z to 2020-01-02T00:00Z", 3, ["does not open any more"]),
                (f"{utc(time.time() - 5000)} for 2h", 3, ["does not open any more"])):
            self.succeed(b.plan("--window", window))
            self.refuse(b.apply(), code, *words)
        self.succeed(b.plan("--start-before", "2020-01-01T00:00:00Z"))
        self.refuse(b.apply(), 3, "2020-01-01T00:00:00Z", "Plan again")
        self.succeed(b.plan("--window", "2027-12-01T22:00 for 2h in Europe/Berlin"))
        plan = b.file().read_text()
        moved = plan.replace("2027-12-01T21:00:00Z", "2027-12-01T20:00:00Z")
        self.assertNotEqual(plan, moved)
        b.file().write_text(moved)
        self.refuse(b.apply(), 3, "time-zone data", "2027-12-01T21:00:00Z")
        self.assertEqual(b.began(), [])

    def test_killed_in_the_window_and_resumed_in_the_next(self):
        b = self.deployed(hosts=3, timeouts={"action": 3})
        first = int(time.time()) + 2
        openings = [(first + 24 * n, first + 24 * n + 20) for n in range(6)]
        self.succeed(b.plan("--window", " and ".join(f"{utc(begin)} to {utc(end)}" for begin, end in openings)))
        child = b.start_apply("--wait")
        bucket.until(lambda: b.began(), "the first target begun")
        child.kill()
        child.communicate()
        bucket.until(lambda: time.time() > openings[0][1], "the first opening over")
        self.refuse(b.apply(), 75, "Next opening", "not yet on")
        self.succeed(b.apply("--wait"))
        self.within(b, openings, [0])
