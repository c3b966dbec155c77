"""Maintenance windows: in plans, in reviews, and while a plan is executed."""
import json
import os
import re

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
