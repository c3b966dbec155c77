"""maand-plan drift: what on the workers differs from what was promoted. Nothing is changed by looking."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import unittest

import browser
import bucket
from bucket import until
from test_adopt import Adoption
from test_ssh import SSHCase
from test_schemas import validator

WORKERS = ["127.0.8.1", "127.0.8.2", "127.0.8.3"]
FILES = {"app.conf": "one\ntwo\nthree\n", "conf/deep/x.yml": "x\n", "tool.sh": "true\n"}


class DriftCase(bucket.Case):
    def deployed(self, **manifest):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files=FILES, **manifest)
        (b.workspace / "jobs/api/current").symlink_to("conf/deep")
        (b.workspace / "jobs/api/empty").mkdir()
        self.succeed(b.plan())
        self.succeed(b.apply())
        return b

    def drift(self, b, *flags, **options):
        return b.run("maand-plan", "drift", "--bucket", b.path, *flags, **options)

    def report(self, b, *flags, code=0):
        """The report as JSON, which fits its schema, and says the same as the exit code."""
        result = self.succeed(self.drift(b, "--format", "json", "--detailed-exitcode", *flags), code)
        report = json.loads(result.out)
        validator("drift").validate(report)
        self.assertEqual(report["differs"], code == 2)
        return report

    @staticmethod
    def files(report):
        """{path: [(change, workers)]}"""
        found = {}
        for row in report["files"]:
            found.setdefault(row["path"], []).append((row["change"], row["workers"]))
        return found

    @staticmethod
    def kinds(report):
        return {(row["job"], row["worker"]): row["what"] for row in report["differing"]}

    @staticmethod
    def traces(*folders):
        """What any write would change: names, sizes, modes and times of all files and folders, and what is in the database."""
        found = {}
        for top in folders:
            for folder, _, names in os.walk(top):
                for path in [folder, *(os.path.join(folder, name) for name in names)]:
                    status = os.lstat(path)
                    # SQLite's shared memory is no state; a reader may touch it.
                    if not path.endswith("-shm"):
                        found[path] = (status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        return found


class Local(DriftCase):
    def test_nothing_differs_and_nothing_is_written(self):
        b = self.deployed()
        # Looking makes SQLite's files beside the database, if a killed process has left none.
        self.succeed(self.drift(b))
        before = self.traces(b.path / "workers", b.path / "store", b.workspace), self.succeed(b.catalog("export")).out
        for form in ("text", "markdown", "html", "json"):
            told = self.succeed(self.drift(b, "--detailed-exitcode", "--format", form))
            if form != "json":
                self.assertIn("3 allocations on 3 workers compared: nothing differs.", told.out)
        report = self.report(b)
        self.assertEqual((report["workers"], report["allocations"], report["differing"]), (3, 3, []))
        self.assertEqual([row["state"] for row in report["services"]], ["unchecked"])
        self.assertEqual(before, (self.traces(b.path / "workers", b.path / "store", b.workspace),
                                  self.succeed(b.catalog("export")).out))

    def test_before_the_first_run(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api")
        self.assertIn("Nothing is deployed", self.succeed(self.drift(b, "--detailed-exitcode")).out)
        self.assertFalse((b.path / "maand.db").exists())

    def test_what_somebody_has_done(self):
        b = self.deployed()
        jobs = [b.job_dir(worker, "api") for worker in WORKERS]
        for job in jobs[:2]:
            (job / "app.conf").write_text("one\n2\nthree\n")
        (jobs[2] / "app.conf").write_text("other\n")
        (jobs[1] / "tool.sh").unlink()
        shutil.rmtree(jobs[2] / "conf/deep")
        (jobs[2] / "tool.sh").unlink()
        (jobs[2] / "tool.sh").mkdir()
        (jobs[0] / "current").unlink()
        (jobs[0] / "current").symlink_to("/etc")
        # None of this is drift.
        (jobs[0] / "tool.sh").chmod(0o700)
        (jobs[0] / "of the service").write_text("x")
        (jobs[0] / "data/db").write_text("x")
        shutil.rmtree(jobs[0] / "empty")
        report = self.report(b, code=2)
        self.assertEqual(self.files(report), {
            "app.conf": [("changed", WORKERS[:2]), ("changed", WORKERS[2:])],
            "conf/deep/x.yml": [("missing", WORKERS[2:])],
            "current": [("changed", WORKERS[:1])],
            "tool.sh": [("missing", [WORKERS[1]]), ("replaced", [WORKERS[2]])]})
        self.assertEqual(report["files"][0]["diff"], ["@@ -1,3 +1,3 @@", " one", "-two", "+2", " three"])
        self.assertEqual(set(map(tuple, self.kinds(report).values())), {("files",)})
        text = self.succeed(self.drift(b)).out
        for line in (f"  ~ app.conf has other content on {WORKERS[0]}, {WORKERS[1]}", "      -two", "      +2",
                     f"  - tool.sh is missing on {WORKERS[1]}",
                     f"  ~ tool.sh is a folder on {WORKERS[2]}, and something else was promoted",
                     "3 allocations on 3 workers compared: 3 differ."):
            self.assertIn(line, text.splitlines())
        self.assertIn("```diff\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n```",
                      self.succeed(self.drift(b, "--format", "markdown")).out)
        # What a run would say is the same.
        b.job("api", "2.0.0", files=FILES)
        (b.workspace / "jobs/api/current").symlink_to("conf/deep")
        self.succeed(b.plan())
        stale = self.refuse(b.apply(), 3)
        for path in self.files(report):
            self.assertIn(f"{path} on the worker", stale.out + stale.err)

    def test_only_what_was_asked_for(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        for job in ("api", "web"):
            b.job(job, files=FILES)
        self.succeed(b.plan())
        self.succeed(b.apply())
        for job in ("api", "web"):
            for worker in WORKERS[:2]:
                (b.job_dir(worker, job) / "app.conf").write_text("other\n")
        report = self.report(b, "--jobs", "web", code=2)
        self.assertEqual({job for job, _ in self.kinds(report)}, {"web"})
        report = self.report(b, "--workers", WORKERS[1], code=2)
        self.assertEqual(set(self.kinds(report)), {("api", WORKERS[1]), ("web", WORKERS[1])})
        self.assertEqual((report["workers"], report["allocations"]), (1, 2))
        self.report(b, "--workers", WORKERS[2])
        self.refuse(self.drift(b, "--jobs", "wbe"), 65, "wbe")
        self.refuse(self.drift(b, "--workers", "127.0.8.9"), 65, "127.0.8.9")
        self.refuse(self.drift(b, "--jobs", "a b"), 64)

    def test_what_targets_and_services_change_is_no_drift(self):
        b = bucket.Bucket(self)
        b.workers(WORKERS[0])
        b.job("api", files={"app.conf": "one\n", "users.json": "[]\n"}, changed_by_service=["users.json"],
              make=bucket.makefile(pause=0) + "\t@sed -i s/one/made/ app.conf; sed -i s/1.0.0/1.0.0-built/ manifest.json\n")
        self.succeed(b.plan())
        self.succeed(b.apply())
        (b.job_dir(WORKERS[0], "api") / "users.json").write_text('["a"]\n')
        self.report(b)
        (b.job_dir(WORKERS[0], "api") / "app.conf").write_text("one\n\n")
        self.assertEqual(list(self.files(self.report(b, code=2))), ["app.conf"])

    def test_what_is_not_as_the_catalog_says(self):
        b = self.deployed()
        kept = b.top / "kept.db"
        self.succeed(b.run("maand-plan", "catalog", "backup", kept, "--bucket", b.path))
        b.job("api", "2.0.0", files={**FILES, "new.conf": "new\n"}, max_concurrent_upgrades=3)
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.report(b)
        for name in ("maand.db", "maand.db-wal", "maand.db-shm"):
            (b.path / name).unlink(missing_ok=True)
        shutil.copy(kept, b.path / "maand.db")
        report = self.report(b, code=2)
        self.assertEqual({tuple(kinds) for kinds in self.kinds(report).values()}, {("files", "version")})
        self.assertEqual({(row["promoted"], row["found"]) for row in report["differing"]}, {("1.0.0", "2.0.0")})
        self.assertEqual(self.files(report)["new.conf"], [("extra", WORKERS)])
        self.assertEqual([row["worker"] for row in report["foreign"]], WORKERS)
        text = self.succeed(self.drift(b)).out
        self.assertIn("version 2.0.0 is on", text)
        self.assertIn("this may be an old copy of it", text)

    def test_unfinished_gone_and_unexpected(self):
        b = self.deployed(max_concurrent_upgrades=3)
        kept = b.top / "kept"
        shutil.copytree(b.path / "workers" / WORKERS[2], kept, symlinks=True)
        b.job("api", "2.0.0", files=FILES, max_concurrent_upgrades=3)
        b.workers(*WORKERS[:2])
        b.fail("api", WORKERS[0])
        self.succeed(b.plan())
        self.succeed(b.apply(), 1)
        self.succeed(b.abandon(2))
        # The machine of the removed worker came back from a copy, together with another job.
        b.job("web", selectors=["none"])
        shutil.rmtree(b.path / "workers" / WORKERS[1])
        shutil.rmtree(b.path / "workers" / WORKERS[2])
        report = self.report(b, code=2)
        self.assertEqual(self.kinds(report), {("api", WORKERS[0]): ["unfinished"], ("api", WORKERS[1]): ["gone"]})
        text = self.succeed(self.drift(b)).out
        self.assertIn(f"! version 2.0.0 was begun on {WORKERS[0]} and neither promoted nor stopped", text)
        self.assertIn(f"- nothing of the job is on {WORKERS[1]}, where 2.0.0 was promoted", text)

        b.mend("api", WORKERS[0])
        b.workers(*WORKERS)
        b.job("other", files={"x": "x\n"})
        shutil.copytree(kept, b.path / "workers" / WORKERS[2], symlinks=True)
        self.succeed(b.plan("--jobs", "other"))
        self.succeed(b.apply())
        report = self.report(b, code=2)
        self.assertEqual(self.kinds(report)[("api", WORKERS[2])], ["unexpected"])
        self.assertIn(f"+ version 1.0.0 is on {WORKERS[2]}, where it was removed", self.succeed(self.drift(b)).out)

    def test_a_lost_content_hides_nothing(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files=FILES)
        b.job("web", files={**FILES, "web.conf": "x\n"})
        self.succeed(b.plan())
        self.succeed(b.apply())
        (b.job_dir(WORKERS[0], "web") / "app.conf").write_text("other\n")
        rows = json.loads(self.succeed(b.catalog("allocations", "--format", "json")).out)
        content = next(row["promoted"]["content"] for row in rows if row["job"] == "api").removeprefix("sha256:")
        (b.path / "store/objects" / content[:2] / content[2:]).unlink()
        report = self.report(b, code=2)
        self.assertEqual({(row["job"], row["why"]) for row in report["not_compared"]}, {("api", "lost")})
        self.assertEqual(self.files(report), {"app.conf": [("changed", WORKERS[:1])]})

    def test_a_large_and_a_binary_file_are_told_by_digest(self):
        b = bucket.Bucket(self)
        b.workers(WORKERS[0])
        b.job("api", files={"large": "x" * 100_000, "binary": "text\n"})
        self.succeed(b.plan())
        self.succeed(b.apply())
        (b.job_dir(WORKERS[0], "api") / "large").write_text("y" * 100_000)
        (b.job_dir(WORKERS[0], "api") / "binary").write_bytes(b"\0\1")
        rows = {row["path"]: row for row in self.report(b, code=2)["files"]}
        for row in rows.values():
            self.assertNotIn("diff", row)
            self.assertRegex(row["found"], "^sha256:")
        self.assertIn("too large", rows["large"]["diff_note"])
        self.assertIn("binary", rows["binary"]["diff_note"])

    def test_many_workers_in_one_go(self):
        b = bucket.Bucket(self)
        hosts = [f"w{number:03}" for number in range(1, 61)]
        b.workers(*hosts)
        b.job("api", files=FILES, make=bucket.makefile(pause=0), max_concurrent_starts=0)
        self.succeed(b.plan())
        self.succeed(b.apply())
        for host in hosts[10:50]:
            (b.job_dir(host, "api") / "app.conf").write_text("one\n2\nthree\n")
        report = self.report(b, code=2)
        self.assertEqual(self.files(report), {"app.conf": [("changed", hosts[10:50])]})
        text = self.succeed(self.drift(b)).out
        self.assertIn("60 allocations on 60 workers compared: 40 differ.", text)
        self.assertLess(len(text.splitlines()), 15)


class BesideRuns(DriftCase):
    def test_a_run_that_is_under_way(self):
        b = self.deployed()
        b.job("api", "2.0.0", files=FILES)
        self.succeed(b.plan())
        b.hold("api", WORKERS[0])
        apply = b.start_apply()
        until(lambda: ("api", WORKERS[0], "restart") in b.began(), "the target has begun")
        report = self.report(b, code=2)
        self.assertEqual(report["under_way"], {"run": 2, "state": "running", "at_work": True})
        self.assertEqual(self.kinds(report), {("api", WORKERS[0]): ["unfinished"]})
        self.assertIn("Run 2 is under way", self.succeed(self.drift(b)).out)
        b.release("api", WORKERS[0])
        self.assertEqual(apply.wait(bucket.LIMIT), 0)
        self.assertNotIn("under_way", self.report(b))

    def test_a_run_begins_and_ends_meanwhile(self):
        """While a check is being asked, nothing keeps a rollout from its work."""
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        knob = b.top / "knobs/check"
        b.job("slow", health_check={
            "checks": [{"type": "ssh", "command": f"touch {b.top}/asked; while [ -e {knob} ]; do sleep 0.05; done"}],
            "timeout_seconds": 120, "wait": {"attempts": 1, "interval_seconds": 0}})
        b.job("api", files=FILES)
        self.succeed(b.plan())
        self.succeed(b.apply())
        (b.top / "asked").unlink()
        knob.touch()
        found = []
        looking = threading.Thread(target=lambda: found.append(self.drift(b, "--detailed-exitcode")))
        looking.start()
        try:
            until((b.top / "asked").exists, "the check is asked")
            b.job("api", "2.0.0", files=FILES, max_concurrent_upgrades=3)
            self.succeed(b.plan("--jobs", "api"))
            self.succeed(b.apply())
        finally:
            knob.unlink()
            looking.join()
        self.succeed(found[0])


class Services(DriftCase):
    def test_checks_that_do_not_pass(self):
        health = bucket.Health(self, *WORKERS)
        b = self.deployed(**health.manifest(attempts=50))
        self.assertEqual(self.report(b)["services"], [
            {"job": "api", "version": "1.0.0", "allocations": 3, "state": "healthy"}])
        health.sick.add(WORKERS[1])
        health.probes.clear()
        report = self.report(b, code=2)
        service, = report["services"]
        self.assertEqual((service["state"], [row["worker"] for row in service["failing"]]), ("unhealthy", [WORKERS[1]]))
        self.assertIn("503", service["failing"][0]["text"])
        self.assertEqual(len(health.probes), 3, "each is asked once")
        text = self.succeed(self.drift(b)).out
        self.assertRegex(text, rf"✗ the health check does not pass: {WORKERS[1]}: .*503")
        self.assertIn("1 does not pass the health check", text)
        # It is no gate.
        export = self.succeed(b.catalog("export")).out
        self.succeed(b.plan("--detailed-exitcode"))
        self.assertEqual(export, self.succeed(b.catalog("export")).out)

    def test_hooks_are_not_run(self):
        b = bucket.Bucket(self)
        mark = b.top / "hook has run"
        b.workers(*WORKERS)
        b.job("api", commands={"command_check": {"executed_on": ["health_check"]}}, health_check={
            "checks": [{"type": "ssh", "command": "test -e jobs/api/app.conf"}], "timeout_seconds": 20,
            "wait": {"attempts": 1, "interval_seconds": 0}})
        b.write("jobs/api/_modules/command_check.py", f"open({str(mark)!r}, 'a').write('x')\n")
        self.succeed(b.plan())
        self.succeed(b.apply())
        mark.unlink()
        before = sorted(path.name for path in (b.path / "workers").rglob("*"))
        report = self.report(b)
        self.assertFalse(mark.exists())
        self.assertEqual([(row["state"], row["skips_hooks"]) for row in report["services"]], [("healthy", True)])
        self.assertEqual(before, sorted(path.name for path in (b.path / "workers").rglob("*")), "a probe leaves nothing")
        self.assertIn("`maand-apply health-check` runs them", self.succeed(self.drift(b)).out)
        (b.job_dir(WORKERS[2], "api") / "app.conf").unlink()
        service, = self.report(b, code=2)["services"]
        self.assertEqual([row["worker"] for row in service["failing"]], [WORKERS[2]])

    def test_a_release_that_was_never_on_the_worker_is_not_put_there(self):
        b = self.deployed(health_check={
            "checks": [{"type": "ssh", "command": "true"}], "timeout_seconds": 20,
            "wait": {"attempts": 1, "interval_seconds": 0}})
        for worker in WORKERS:
            for script in (b.path / "workers" / worker / "opt/worker" / b.id / ".bin").iterdir():
                script.rename(script.with_name("worker-of-another-release"))
        (b.job_dir(WORKERS[0], "api") / "app.conf").write_text("one\n2\nthree\n")
        before = self.traces(b.path / "workers")
        report = self.report(b, code=2)
        self.assertEqual(before, self.traces(b.path / "workers"))
        self.assertEqual(report["files"][0]["diff"][2:4], ["-two", "+2"])
        self.assertEqual([(row["state"], row["unasked"]) for row in report["services"]], [("unasked", WORKERS)])
        self.assertIn("this release has not been there yet", self.succeed(self.drift(b)).out)


class Secrets(DriftCase):
    SECRET = "Xk29-planted-Qz71"
    BY_HAND = "hand-made-Zz55"

    def test_no_value_is_told(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS[:2])
        b.job("api", files={"conf/app.conf.tpl": 'password={{ getSecret "password" }}\n', "plain.conf": "a\nb\n"})
        self.succeed(b.run("maand-plan", "kv", "put", "secrets/job/api", "password", "--bucket", b.path, input=self.SECRET))
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.report(b)
        job = b.job_dir(WORKERS[0], "api")
        (job / "conf/app.conf").write_text(f"password={self.BY_HAND}\n")
        (job / "plain.conf").write_text(f"a\nb\n# {self.SECRET}\n")
        for form in ("text", "markdown", "html", "json"):
            result = self.succeed(self.drift(b, "--format", form))
            for value in (self.SECRET, self.BY_HAND):
                self.assertNotIn(value, result.out + result.err, form)
        rows = {row["path"]: row for row in self.report(b, code=2)["files"]}
        self.assertEqual({path for path, row in rows.items() if row.get("secrets")}, {"conf/app.conf", "plain.conf"})
        for row in rows.values():
            self.assertNotIn("found", row, "a digest lets anybody try values")
            self.assertNotIn("diff", row)


HOSTILE = "\u001b[2J<script>alert(1)</script>\n```\n# heading @everyone\n\u202ebidi\n"


class Shown(DriftCase):
    def hostile(self):
        b = self.deployed()
        (b.job_dir(WORKERS[0], "api") / "app.conf").write_text(HOSTILE)
        return b

    def test_files_of_workers_are_escaped(self):
        b = self.hostile()
        text = self.succeed(self.drift(b, "--color", "never")).out
        self.assertNotIn("\u001b", text)
        self.assertNotIn("\u202e", text)
        page = self.succeed(self.drift(b, "--format", "html")).out
        self.assertNotIn("<script", page)
        self.assertIn("&lt;script&gt;", page)
        markdown = self.succeed(self.drift(b, "--format", "markdown")).out
        self.assertIn("````diff", markdown)

    def test_into_a_file(self):
        b = self.hostile()
        file = b.top / "drift.html"
        told = self.succeed(self.drift(b, "--format", "html", "-o", file, "--detailed-exitcode"), 2)
        self.assertEqual(told.out, "")
        self.assertIn("1 differs", told.err)
        self.assertTrue(file.read_text().endswith("</html>\n"))

    @unittest.skipUnless(browser.PROGRAM, "chromium is not installed")
    def test_the_page_in_a_browser(self):
        b = self.hostile()
        (b.job_dir(WORKERS[1], "api") / "app.conf").write_text("x" * 3000 + "\n")
        file = b.top / "drift.html"
        self.succeed(self.drift(b, "--format", "html", "-o", file))
        with browser.Browser() as chromium:
            for width in (390, 1280):
                chromium.open(file, width=width)
                self.assertEqual(chromium.requests(), [f"file://{file}"])
                wide = chromium.evaluate("document.documentElement.scrollWidth")
                self.assertLessEqual(wide, width, "the page is as wide as the window")
                self.assertEqual(chromium.evaluate("document.querySelectorAll('details[open] pre').length"), 2)
                if os.environ.get("MAAND_PICTURES"):
                    chromium.screenshot(f"{os.environ['MAAND_PICTURES']}/drift-{width}.png", whole=True)


class OverSSH(SSHCase, DriftCase):
    def test_workers_that_do_not_answer_do_not_hide_the_others(self):
        fleet, b = self.lay(3, pause=0)
        self.succeed(b.apply())
        hosts = [fleet.address(number) for number in (1, 2, 3)]
        (b.job_dir(hosts[0], "app") / "app.conf").write_text("by hand\n")
        fleet("kill", 2)
        before = fleet.logins()
        result = self.succeed(self.drift(b, "--format", "json"), 69)
        report = json.loads(result.out)
        self.assertEqual([row["worker"] for row in report["silent"]], [hosts[1]])
        self.assertEqual(self.files(report), {"app.conf": [("changed", [hosts[0]])]})
        self.assertEqual(report["files"][0]["diff"], ["@@ -1,1 +1,1 @@", "-a", "+by hand"])
        self.assertEqual(fleet.logins() - before, 2, "one connection a worker")
        text = self.succeed(self.drift(b, "--detailed-exitcode"), 2).out
        self.assertIn("1 differs, 1 worker does not answer", text)
        self.assertIn(f"✗ {hosts[1]}: ", text)
        fleet("start", 2)
        (b.job_dir(hosts[0], "app") / "app.conf").write_text("a\n")
        self.report(b)

    def test_a_new_key_of_a_host_in_known_hosts(self):
        fleet, b = self.lay(1, pause=0)
        self.succeed(b.apply())
        self.new_host_key(fleet, 1)
        fleet("kill", 1)
        fleet("start", 1)
        self.assertIn("host key", self.succeed(self.drift(b), 69).out)
        known = pathlib.Path(b.settings["known"])
        name = known.read_text().split()[0]
        kind, key = (fleet.dir / "worker-1/host_key.pub").read_text().split()[:2]
        known.write_text(f"{name} {kind} {key}\n")
        self.report(b)


class Adopted(Adoption, DriftCase):
    def test_what_maand_has_deployed(self):
        self.succeed(self.adopt())
        before = self.workers_files()
        report = self.report(self.b)
        self.assertGreater(report["allocations"], 0)
        row = next(row for row in json.loads(self.succeed(self.b.catalog("allocations", "--format", "json")).out)
                   if row["standing"] == "active")
        number = int(row["worker"].rsplit(".", 1)[1])
        makefile = self.fleet.root(number) / self.expected["bucket_id"] / "jobs" / row["job"] / "Makefile"
        makefile.write_text("by hand\n")
        report = self.report(self.b, code=2)
        self.assertEqual(self.files(report), {"Makefile": [("changed", [row["worker"]])]})
        after = self.workers_files()
        changed = [(host, name) for host in after for name in after[host] if before[host].get(name) != after[host][name]]
        self.assertEqual(changed, [(number, str(makefile.relative_to(self.fleet.root(number))))])


class Timer(DriftCase):
    def units(self, *flags):
        b = self.deployed()
        folder = b.top / "units"
        folder.mkdir()
        self.succeed(b.run("maand-plan", "schedule", "--drift", "--bucket", b.path, "--output", folder, *flags))
        return b, folder

    def test_the_units_run_it(self):
        b, folder = self.units("--name", "look", "--calendar", "Mon..Fri 06:00")
        service, timer = (folder / "look.service").read_text(), (folder / "look.timer").read_text()
        self.assertIn("OnCalendar=Mon..Fri 06:00\n", timer)
        self.assertIn("Unit=look.service\n", timer)
        command = re.search(r"^ExecStart=:(.*)$", service, re.M).group(1).split()
        self.assertEqual(command[1:], ["drift", "--bucket", str(b.path), "--detailed-exitcode"])
        self.succeed(b.run_program(*command))
        (b.job_dir(WORKERS[0], "api") / "app.conf").write_text("other\n")
        self.succeed(b.run_program(*command), 2)
        if shutil.which("systemd-analyze"):
            for file in folder.iterdir():
                done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=bucket.LIMIT)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_what_cannot_be(self):
        b, folder = self.units()
        self.assertEqual(sorted(path.name for path in folder.iterdir()),
                         [f"maand-drift-{b.id[:8]}.service", f"maand-drift-{b.id[:8]}.timer"])
        for flags in ((), ("--drift", "a.plan.yaml"), ("--drift", "--calendar", "%h"), ("--calendar", "daily", b.file())):
            self.refuse(b.run("maand-plan", "schedule", "--bucket", b.path, *flags), 64)
