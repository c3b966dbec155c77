"""The report of a run for a change ticket: complete, harmless, and readable on a phone and a wide screen."""
import html.parser
import json
import re
import sqlite3
import time
import unittest

import browser
import bucket
import test_left_behind
from bucket import until

WORKERS = [f"127.0.53.{number}" for number in range(1, 5)]
EVIL = "</pre></details><script>alert(1)</script><img src=x onerror=alert(1)> \\033[2J & \\342\\200\\256 | `x` ```"


class Texts(html.parser.HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.links = set(), "", []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("href", "src", "action", "data", "srcset", "xlink:href")]

    def handle_data(self, data):
        self.text += data


def rich(test):
    """A bucket whose run 2 has failed with hostile output, left a host behind, was paused, tried again, and is done."""
    b = bucket.Bucket(test)
    b.workers(*WORKERS)
    evil = f"if [ -e $(KNOBS)/fail/$(ME) ]; then printf '{EVIL}\\n' >&2; fi; mkdir -p data;"
    make = bucket.makefile(pause=0).replace("mkdir -p data;", evil)
    b.job("api", make=make)
    test.succeed(b.plan())
    test.succeed(b.apply())
    gate = {"health_check": {"checks": [{"type": "ssh", "command": "test ! -e sick"}], "timeout_seconds": 20,
                             "wait": {"attempts": 1, "interval_seconds": 0}}}
    b.job("api", "2.0.0", {"app.conf": "2"}, make, max_concurrent_upgrades=1, rollout={"max_unreachable": 1}, **gate)
    test.succeed(b.plan())
    test_left_behind.Absent.lose(b, WORKERS[3])
    b.fail("api", WORKERS[1])
    test.succeed(b.apply(), 1)
    test.succeed(b.run("maand-apply", "pause", "2", "--reason", "lunch <b>now</b>", "--bucket", b.path))
    b.mend("api", WORKERS[1])
    sick = b.job_dir(WORKERS[2], "api").parents[1] / "sick"
    sick.touch()
    test.succeed(b.apply("--retry-failed"), 1)
    sick.unlink()
    test.succeed(b.apply())
    return b


class Report(bucket.Case):
    def report(self, b, run=2, form="html", *more, code=0):
        return self.succeed(b.run("maand-apply", "report", run, "--format", form, "--bucket", b.path, *more), code)

    def test_the_page_says_everything_and_asks_for_nothing(self):
        b = rich(self)
        page = self.report(b).out
        found = Texts(page)
        for words in ("Run 2 has succeeded", "lunch <b>now</b>", "retry-failed", "Left behind", "no approval policy",
                      "exit status 2", "alert(1)", "upgrade 3 gate", "succeeded since"):
            self.assertIn(words, found.text)
        self.assertNotIn("script", found.tags)
        self.assertNotIn("img", found.tags)
        self.assertTrue(all(link.startswith("#") for link in found.links), found.links)
        self.assertIn("default-src 'none'", page)
        self.assertNotRegex(page, "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
        self.assertNotRegex(page, r"https?://")

    def test_markdown_and_json_say_the_same(self):
        b = rich(self)
        text = self.report(b, 2, "markdown").out
        self.assertLess(len(text.encode()), 65_536)
        for words in ("# Run 2 has succeeded", "## Failures", "## Gates", "## Left behind", "lunch <b>now</b>", "alert(1)"):
            self.assertIn(words, text)
        # Everything of the run is in code, so that nothing of it is markup.
        outside = re.sub(r"(`+).*?\1", "", re.sub(r"(?s)\n *(`{3,})text\n.*?\n *\1\n", "\n", text))
        self.assertNotIn("<", outside)
        self.assertNotIn("alert", outside)
        found = json.loads(self.report(b, 2, "json").out)
        self.assertEqual((found["version"], found["run"], found["state"]), (1, 2, "succeeded"))
        self.assertEqual([row["what"] for row in found["decisions"]], ["pause", "retry-failed"])
        self.assertEqual([row["worker"] for row in found["left_behind"]], [WORKERS[3]])
        self.assertEqual([part["state"] for part in found["parts"]], ["failed", "failed", "succeeded"])
        self.assertEqual({row["what"]: row["succeeded_since"] for row in found["failures"]},
                         {"api: restart": True, "api: gate": True})
        job = found["jobs"][0]
        self.assertEqual((job["allocations"], job["done"], job["failed"], job["left_behind"]), (3, 3, 0, 1))
        restart = next(row for row in found["steps"] if row["step"] == f"api/upgrade/2/{WORKERS[1]}/restart")
        self.assertEqual([attempt["state"] for attempt in restart["attempts"]], ["failed", "succeeded"])

    def test_a_way_back_and_an_unfinished_run(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS[:2])
        b.job("api", make=bucket.makefile(pause=0))
        self.succeed(b.plan())
        self.succeed(b.apply())
        bad = bucket.makefile(pause=0).replace("mkdir -p data;", "exit 3; mkdir -p data;")
        b.job("api", "2.0.0", {"app.conf": "2"}, bad)
        self.succeed(b.plan("--on-failure", "rollback"))
        self.succeed(b.apply(), 1)
        found = Texts(self.report(b).out)
        self.assertIn("Run 2 failed and was rolled back", found.text)
        self.assertIn("way back of api", found.text)
        b.job("api", "3.0.0", {"app.conf": "3"}, bucket.makefile(pause=0))
        self.succeed(b.plan())
        b.forget()
        b.hold("api", WORKERS[0])
        child = b.start_apply()
        until(lambda: ("api", WORKERS[0], "restart") in b.began(), "it runs")
        self.assertEqual(json.loads(self.report(b, 3, "json").out)["state"], "running")
        child.kill()
        child.communicate()
        self.assertIn("was interrupted", Texts(self.report(b, 3).out).text)
        b.release("api", WORKERS[0])
        self.succeed(b.apply())

    def test_files_and_errors(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS[:1])
        b.job("api", make=bucket.makefile(pause=0))
        self.refuse(self.report(b, 1, code=65), 65, "no run 1")
        self.succeed(b.plan())
        self.succeed(b.apply())
        file = b.top / "report.html"
        self.assertIn("report.html", self.report(b, 1, "html", "-o", file).err)
        self.assertTrue(file.read_text().startswith("<!doctype html>"))
        file.write_text("other\n")
        self.refuse(self.report(b, 1, "html", "-o", file, code=1), 1, "--overwrite")
        self.assertEqual(file.read_text(), "other\n")
        self.report(b, 1, "html", "-o", file, "--overwrite")
        self.assertTrue(file.read_text().startswith("<!doctype html>"))


def thousand(test, count=1000):
    """A bucket that has recorded a run on so many workers, some of them slow, failed or left behind; nothing was run."""
    b = bucket.Bucket(test)
    workers = [f"web-{number:04}" for number in range(1, count + 1)]
    b.workers(*workers)
    b.job("api", make=bucket.makefile(pause=0), max_concurrent_starts=50)
    test.succeed(b.plan())
    # It dies when the run has begun: its plan is kept, and nothing was asked of a worker.
    test.succeed(b.apply(env=b.environment(MAAND_FAULT_AT="3")), -9)
    now = int(time.time() * 1000) - 3_600_000
    with sqlite3.connect(b.path / "maand.db") as db:
        db.execute("UPDATE run SET state = 'failed', started_at = ?", [now])
        rows = []
        for index, worker in enumerate(workers):
            batch = index // 50
            if batch > 18:
                break
            start = now + batch * 60_000 + (1_800_000 if batch > 9 else 0)
            failed = batch == 18 and index % 10 == 0
            for verb, begin, end in (("push", 0, 900 + index % 7 * 100), ("start", 1_700, 9_000 + index * 37 % 9000)):
                is_failed = failed and verb == "start"
                rows.append((1, f"api/start/{batch + 1}/{worker}/{verb}", 1, "failed" if is_failed else "succeeded",
                             "0" * 64, f"n-{index}{verb}-1", start + begin, start + end, 3 if is_failed else 0,
                             "exit status 3" if is_failed else None))
            if not failed:
                rows.append((1, f"api/start/{batch + 1}/{worker}/promote", 1, "succeeded", "0" * 64, f"n-{index}p-1",
                             start + 19_000, start + 19_000, None, None))
        db.executemany("INSERT INTO attempt (run, step, attempt, state, digest, attempt_id, started_at, finished_at, "
                       "exit_status, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        db.executemany("INSERT INTO left_behind (run, job, worker, reason, decided_at) VALUES (1, 'api', ?, ?, ?)",
                       [(worker, f"{worker}: no answer within 10 s", now) for worker in workers[955:]])
    db.close()
    return b


@unittest.skipUnless(browser.PROGRAM, "chromium is not installed")
class Page(bucket.Case):
    def look(self, b, run, name, limit=10):
        file = b.top / "report.html"
        self.succeed(b.run("maand-apply", "report", run, "-o", file, "--overwrite", "--bucket", b.path))
        with browser.Browser() as chromium:
            for width in (390, 1280):
                for dark in (False, True):
                    with self.subTest(name, width=width, dark=dark):
                        self.assertLess(chromium.open(file, width, 900, dark), limit)
                        self.assertEqual(chromium.requests(), [f"file://{file}"])
                        wide = chromium.evaluate("document.documentElement.scrollWidth")
                        self.assertLessEqual(wide, width, "the page is wider than its window")
                        color = chromium.evaluate("getComputedStyle(document.body).backgroundColor")
                        self.assertEqual(color == "rgb(255, 255, 255)", not dark)
            problems = [event for event in chromium.events if event.get("method") == "Log.entryAdded"]
            self.assertEqual(problems, [])
        return file

    def test_a_run_with_all_that_can_happen(self):
        self.look(rich(self), 2, "rich")

    def test_a_thousand_workers(self):
        file = self.look(thousand(self), 1, "thousand")
        self.assertLess(file.stat().st_size, 2_000_000)
        self.assertIn("web-0950", file.read_text())
