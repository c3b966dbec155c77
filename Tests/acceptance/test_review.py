"""What reviewers read, where they read it: a terminal, a pull request's comment, a browser."""
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import browser
import bucket

EVIL = [
    "\x1b]0;owned\x07 \x1b[2J\x1b[1;1H", "\u202egnp.exe\u2066", "a\u2028Wave 9", "`x` ``` y", "</script><script>alert(1)<",
    "<!-- --> -->", "@torvalds #1 www.evil.example http:--evil.example", "[x](evil.example) ![y](z)", "a | b",
    "</summary></details>", "\" onload='x' ", "pad" + " " * 90 + "Plan: nothing to do", "e" + "\u0301" * 40,
]
# Control characters cannot be in the name of a file of a job; in its content they can.
NAMES = [name.replace("/", "-") for name in EVIL if not re.search("[\x00-\x1f]", name)]
CONTENT = "same\n" + "\n".join(EVIL) + "\n" + "long" * 2000 + "\n```\n~~~\n</pre></details>\n# Wave 9\n"


def hostile(test):
    """A bucket whose plan changes files with hostile names and contents."""
    b = bucket.Bucket(test)
    b.workers("w1", "w2")
    b.job("api", files={"app.conf": "a\n", "page": "same\nbefore\n"})
    test.succeed(b.plan())
    test.succeed(b.apply())
    b.write("jobs/api/page", CONTENT)
    for name in NAMES:
        b.write(f"jobs/api/{name}", CONTENT)
    test.succeed(b.plan())
    return b


class Formats(bucket.Case):
    def show(self, b, *flags):
        return self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path, *flags)).out

    def test_text_is_inert_and_shows_the_change(self):
        text = self.show(hostile(self), "--color", "always")
        self.assertRegex(text, r"(?m)^ {12}.*-before")
        plain = re.sub("\x1b\\[[0-9]*m", "", text)
        self.assertNotRegex(plain, "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
        self.assertEqual([line for line in plain.split("\n") if line.startswith("Wave")], ["Wave 0"])

    def test_steps_are_those_that_are_recorded(self):
        b = bucket.Bucket(self)
        b.workers("w1", "w2")
        b.job("api")
        self.succeed(b.plan())
        listed = re.findall(r"(?m)^ *\d+  (\S+)$", self.show(b, "--steps"))
        self.succeed(b.apply())
        status = json.loads(self.succeed(b.status("--format", "json")).out)
        recorded = re.findall(r'"(api/[^"]+)"', json.dumps(status))
        self.assertEqual(listed[0], "api/start/1/w1/push")
        self.assertLessEqual(set(recorded), set(listed))
        self.assertEqual(listed, [step["id"] for step in json.loads(self.show(b, "--format", "json", "--steps"))["steps"]])

    def test_steps_of_hooks_are_those_that_are_recorded(self):
        b = bucket.Bucket(self)
        b.workers("w1", "w2")
        b.job("api", commands={
            "command_a": {"executed_on": ["pre_deploy", "after_allocation_started"]},
            "command_b": {"executed_on": ["post_deploy", "after_allocation_started"]}})
        self.succeed(b.plan())
        listed = re.findall(r"(?m)^ *\d+  (\S+)$", self.show(b, "--steps"))
        self.assertEqual(listed, [
            "api/pre_deploy/w1/command_a", "api/pre_deploy/w2/command_a", "api/rollout_order",
            "api/start/1/w1/push", "api/start/1/w1/start", "api/start/1/w2/push", "api/start/1/w2/start",
            "api/start/1/w1/after_allocation_started/command_a", "api/start/1/w2/after_allocation_started/command_a",
            "api/start/1/w1/after_allocation_started/command_b", "api/start/1/w2/after_allocation_started/command_b",
            "api/start/1/w1/promote", "api/start/1/w2/promote",
            "api/post_deploy/w1/command_b", "api/post_deploy/w2/command_b", "api/complete"])
        self.succeed(b.apply("--events", b.top / "events"))
        events = [json.loads(line) for line in (b.top / "events").read_text().splitlines()]
        begun = {event["step"] for event in events if event["event"] == "step_started"}
        # These are records alone.
        self.assertEqual(begun, {step for step in listed if not step.endswith(("/promote", "/complete"))})

    def test_without_a_store_the_plan_is_shown_all_the_same(self):
        b = hostile(self)
        alone = self.succeed(b.run_in(b.top, "maand-plan", "show", b.file(), "--diff", "auto")).out
        self.assertNotIn("-before", alone)
        self.assertIn("~ page", alone)
        self.assertNotIn("-before", self.show(b, "--diff", "none"))

    def test_a_new_script_is_shown_whole(self):
        b = bucket.Bucket(self)
        b.workers("w1")
        b.job("api", commands={"command_report": {"executed_on": ["pre_deploy"]}})
        b.write("jobs/api/_modules/command_report.sh", "echo what it does\n")
        (b.workspace / "jobs/api/_modules/command_report.py").unlink(missing_ok=True)
        self.succeed(b.plan())
        for form in ("text", "markdown", "html"):
            shown = self.show(b, "--format", form)
            self.assertEqual(shown.count("+echo what it does"), 1)

    def test_files_of_a_first_deployment_are_shown_as_new_text(self):
        b = bucket.Bucket(self)
        b.workers("w1")
        b.job("api", files={"app.conf.tpl": "color={{ get \"vars/job/api\" \"color\" }}\n"})
        self.succeed(b.run("maand-plan", "kv", "put", "vars/job/api", "color", "red", "--bucket", b.path))
        self.succeed(b.plan())
        for form in ("markdown", "html"):
            shown = self.show(b, "--format", form)
            for line in ("+.PHONY: start stop restart reload", "+color=red"):
                self.assertEqual(shown.count(line), 1, form)
        # Folded: what is dangerous stays in sight.
        markdown = self.show(b, "--format", "markdown")
        fold = markdown.index("<details><summary>Text of 3 files")
        self.assertLess(fold, markdown.index("+color=red"))
        # On a terminal nothing can be folded: the Makefile alone is text.
        self.assertIn("+.PHONY", self.show(b))
        self.assertNotIn("+color=red", self.show(b))

    def test_a_damaged_store_shows_no_diff(self):
        b = hostile(self)
        for file in b.path.glob("store/objects/*/*"):
            file.chmod(0o600)
            file.write_bytes(b"forged\n")
        self.assertNotIn("forged", self.show(b) + self.show(b, "--format", "html"))

    @unittest.skipUnless(shutil.which("cmark-gfm"), "cmark-gfm is not installed")
    def test_markdown_renders_as_code_only(self):
        b = hostile(self)
        markdown = self.show(b, "--format", "markdown", "--steps")
        self.assertLessEqual(len(markdown), 65_000)
        page = subprocess.run(
            ["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "tagfilter"],
            input=markdown, capture_output=True, text=True, check=True).stdout

        class Page(html.parser.HTMLParser):
            stack, prose, tags, balance = [], "", set(), 0

            def handle_starttag(self, tag, attrs):
                self.tags.add(tag)
                if tag not in ("br", "hr"):
                    self.stack.append(tag)

            def handle_endtag(self, tag):
                if not self.stack or self.stack.pop() != tag:
                    self.balance += 1

            def handle_data(self, data):
                if "code" not in self.stack:
                    self.prose += data

            def handle_comment(self, data):
                self.tags.add("comment")

        parsed = Page()
        parsed.feed(page)
        self.assertEqual((parsed.stack, parsed.balance), ([], 0))
        self.assertLessEqual(parsed.tags, {
            "h3", "h4", "p", "code", "ul", "li", "strong", "details", "summary", "pre", "table", "thead", "tbody", "tr",
            "th", "td"})
        for word in ("evil", "torvalds", "Wave 9", "onload", "alert", "nothing to do", "gnp"):
            self.assertNotIn(word, parsed.prose)
            self.assertIn(word, page)

    @unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
    def test_a_real_terminal_is_not_moved(self):
        b = hostile(self)
        name, done = f"maand-{os.getpid()}-{id(self)}", b.top / "done"
        program = pathlib.Path(bucket.BIN) / "maand-plan"
        environment = {**os.environ, "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        tmux = lambda *words: subprocess.run(
            ["tmux", "-L", name, *words], capture_output=True, text=True, check=True, env=environment).stdout
        tmux("-u", "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "500",
             f"{program} show {b.file()} --bucket {b.path} --color always; touch {done}; sleep 60")
        try:
            bucket.until(done.exists, "the plan was shown")
            screen = tmux("capture-pane", "-p")
            title = tmux("display-message", "-p", "#{pane_title}")
        finally:
            tmux("kill-server")
        rows = screen.rstrip("\n").split("\n")
        self.assertTrue(rows[0].startswith("Plan sha256:"), rows[0])
        self.assertTrue(rows[-1].startswith("Plan: 2 to restart"), rows[-1])
        self.assertNotIn("owned", title)
        # Every row that begins at the left edge is the program's own.
        own = ("Plan", "Look here first", "What happens", "Order: ", "After a failure: ", "When: ", "Expected time: ",
               "How to stop it: ", "Wave 0", "About this plan", "Not pinned", "Not in this plan")
        for row in rows:
            self.assertTrue(not row or row.startswith(" ") or row.startswith(own), row)
        self.assertEqual([row for row in rows if row.startswith("Wave")], ["Wave 0"])


class Verdicts(bucket.Case):
    """What a review begins with."""

    def show(self, b, *flags, out="a.plan.yaml"):
        return self.succeed(b.run("maand-plan", "show", b.file(out), "--bucket", b.path, *flags)).out

    def test_dangers_come_first_and_what_holds_for_every_plan_last(self):
        b = bucket.Bucket(self)
        b.workers(*[f"w{n}" for n in range(1, 9)])
        for name in ("api", "web", "old"):
            b.job(name, max_concurrent_starts=8)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.job("api", "2.0.0", rollout={"batches": [1, "100%"], "max_unreachable": 2})
        shutil.rmtree(b.workspace / "jobs/old")
        b.write("disabled.json", json.dumps({"jobs": {"web": {"allocations": ["w3"]}}}))
        self.succeed(b.plan("--force", "--exclude", "w8"))
        words = ["Look here first", "Removes 7 allocations", "Stops 1 allocation", "Forced", "Without a gate",
                 "Many hosts at the same time", "max_unreachable", "not brought up to date: 3 allocations", "largest batch",
                 "How to stop it", "Wave 0", "Not pinned by this plan"]
        for form in ("text", "markdown", "html"):
            shown = self.show(b, "--format", form)
            body = shown[shown.find("<body>") + 1:]
            body = re.sub(r"(?s)<nav.*?</nav>", "", body)
            places = [body.find(word) for word in words]
            self.assertNotIn(-1, places, form)
            self.assertEqual(places, sorted(places), form)
            self.assertIn("6 of 8 active allocations, in batch 2 of 2", body)

    def test_recorded_runs_give_expected_times(self):
        b = bucket.Bucket(self)
        b.workers("w1", "w2")
        b.job("api")
        self.succeed(b.plan())
        self.assertIn("Expected time: not known", self.show(b))
        self.succeed(b.apply())
        b.write("jobs/api/app.conf", "b\n")
        self.succeed(b.plan())
        self.assertRegex(self.show(b), r"Expected time: about \d+ s")
        # Elsewhere, nothing is known of the bucket's runs.
        alone = self.succeed(b.run_in(b.top, "maand-plan", "show", b.file())).out
        self.assertIn("Expected time: not known", alone)

    def test_long_lists_have_a_digest_and_a_way_to_see_all(self):
        b = bucket.Bucket(self)
        hosts = [f"n{n}" for n in range(1, 80, 2)]
        b.workers(*hosts)
        b.job("api")
        self.succeed(b.plan())
        text = self.show(b)
        digest = re.search(r"start 40 hosts \(n1 … n79\), list ([0-9a-f]{12})", text)[1]
        self.assertNotIn("[1,3,5,", text)
        every = self.show(b, "--hosts")
        self.assertRegex(every, rf"(?s)list {digest}, 40 hosts:\n.*n\[1,3,5,.*,79\]")
        for form in ("markdown", "html"):
            shown = self.show(b, "--format", form)
            self.assertIn(digest, shown)
            self.assertIn("n[1,3,5,", shown)

    def test_since_an_approved_plan(self):
        b = bucket.Bucket(self)
        b.workers("w1", "w2")
        for name in ("api", "web"):
            b.job(name, files={"app.conf": "a\n", "rest": "r\n"})
        self.succeed(b.plan())
        self.succeed(b.apply())
        for name in ("api", "web"):
            b.write(f"jobs/{name}/app.conf", "b\n")
        self.succeed(b.plan(out="approved"))
        b.write("jobs/api/app.conf", "c\n")
        self.succeed(b.plan(out="again"))
        for form in ("text", "markdown", "html"):
            shown = self.show(b, "--since", b.file("approved"), "--format", form, out="again")
            self.assertIn("What is different from the plan", shown)
            self.assertIn("other content", shown)
            self.assertRegex(shown, r"unchanged since then, and not shown: 1 job \(\W*(<code>)?web")
            # The job that differs has all of its details; of the other one there are none.
            self.assertEqual(len(re.findall(r"(?i)upgrade in 2 batches", shown)), 1)
        self.assertIn("nothing: both plans do the same", self.show(b, "--since", b.file("again"), out="again"))
        self.refuse(b.run("maand-plan", "show", "-", "--since", "-"), 64, "standard input")

    def test_plans_of_every_kind_begin_alike(self):
        b = bucket.Bucket(self)
        b.workers("w1", "w2")
        b.job("api", commands={"command_tell": {"executed_on": ["cli"]}})
        self.succeed(b.plan())
        self.succeed(b.apply())
        for arguments, words in (
                (["restart", "api"], ["wave 0", "restart 2"]),
                (["stop", "api"], ["Stops these allocations"]),
                (["start", "api", "--no-gate"], ["--no-gate"]),
                (["run-target", "api", "--target", "reload-all"], ["Runs a target", "reload-all"]),
                (["run-command", "uptime"], ["Runs a command on 2 hosts", "run the command", "uptime"])):
            made = b.run("maand-plan", *arguments, "--bucket", b.path, "--overwrite", "-o", b.file("kind"))
            self.assertIn(made.code, (0, 2), (arguments, made.err))
            for form in ("text", "markdown", "html"):
                shown = self.show(b, "--format", form, out="kind")
                for word in ["How to stop it", *words] if "nothing to do" not in shown else []:
                    self.assertIn(word, shown, (arguments, form))


@unittest.skipUnless(browser.PROGRAM, "chromium is not installed")
class Pages(bucket.Case):
    def page(self, b, *flags):
        file = b.top / "page.html"
        file.write_text(self.succeed(
            b.run("maand-plan", "show", b.file(), "--bucket", b.path, "--format", "html", *flags)).out)
        return file

    def test_a_hostile_plan(self):
        b = hostile(self)
        page = self.page(b, "--steps")
        with browser.Browser() as chromium:
            for width in (1280, 390):
                for dark in (False, True):
                    chromium.open(page, width, dark=dark)
                    self.assertEqual(chromium.requests(), [f"file://{page}"])
                    self.assertLessEqual(chromium.evaluate("document.documentElement.scrollWidth"), width)
                    light = chromium.evaluate("getComputedStyle(document.body).backgroundColor")
                    self.assertEqual(light == "rgb(255, 255, 255)", not dark)
            self.assertEqual(chromium.evaluate("document.scripts.length"), 0)
            self.assertEqual(chromium.evaluate("document.querySelectorAll('img, link, iframe, object').length"), 0)
            # Links lead to places of the page alone.
            self.assertTrue(chromium.evaluate(
                "[...document.querySelectorAll('a')].every(a => document.getElementById(a.getAttribute('href').slice(1)))"))
            self.assertEqual(chromium.evaluate(
                "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on')).length"), 0)
            self.assertEqual(chromium.evaluate("[...document.querySelectorAll('h2')].map(e => e.textContent)"), [
                "Look here first", "What happens", "Order of batches", "Which host when", "Wave 0", "About this plan",
                "Not pinned by this plan", "Steps"])
            # Texts arrive as they are in the file, with what nobody can see made visible.
            shown = chromium.evaluate("[...document.querySelectorAll('.files code')].map(e => e.textContent)")
            self.assertIn("</script><script>alert(1)<".replace("/", "-"), shown)
            self.assertIn("\\u{202e}gnp.exe\\u{2066}", shown)
            # No line of a diff covers another one.
            self.assertTrue(chromium.evaluate("""
                [...document.querySelectorAll('details')].forEach(d => d.open = true);
                [...document.querySelectorAll('pre > span')].every((line, index, lines) => index == 0 ||
                  line.parentNode != lines[index - 1].parentNode ||
                  line.getBoundingClientRect().top >= lines[index - 1].getBoundingClientRect().bottom - 1)"""))

    def test_three_thousand_workers(self):
        b = bucket.Bucket(self)
        b.workers(*[f"10.{n // 62500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(3000)])
        for n in range(3):
            b.job(f"job{n}", max_concurrent_starts=100)
        self.succeed(b.plan())
        page = self.page(b)
        self.assertLess(page.stat().st_size, 500_000)
        with browser.Browser() as chromium:
            seconds = min(chromium.open(page) for _ in range(3))
            self.assertLess(seconds, 2)
            # Hosts to which the same happens share a row, and all of them are there.
            self.assertEqual(chromium.evaluate("document.querySelectorAll('.hosts tbody tr').length"), 30)
            self.assertEqual(chromium.evaluate(
                "[...document.querySelectorAll('.hosts tbody td:nth-child(2)')].reduce((n, e) => n + +e.textContent, 0)"), 3000)
            # Jobs of one wave begin at the same place.
            self.assertEqual(chromium.evaluate(
                "new Set([...document.querySelectorAll('.lane ol')].map(e => e.getBoundingClientRect().left)).size"), 1)
            for dark in (False, True):
                chromium.open(page, 390, dark=dark)
                self.assertLessEqual(chromium.evaluate("document.documentElement.scrollWidth"), 390)
            # The names and the head of the table stay in sight.
            self.assertTrue(chromium.evaluate("""
                (() => { const t = document.querySelector('#who .wide'); t.scrollTo(300, 600);
                  const box = t.getBoundingClientRect(), row = t.querySelector('tbody th').getBoundingClientRect(),
                    head = t.querySelector('thead th').getBoundingClientRect();
                  return Math.abs(row.left - box.left) < 3 && Math.abs(head.top - box.top) < 3 })()"""))


class Comparing(bucket.Case):
    def bucket(self):
        b = bucket.Bucket(self)
        b.workers("w1", "w2")
        b.job("api")
        b.job("web")
        self.succeed(b.plan())
        self.succeed(b.apply())
        return b

    def diff(self, b, *files):
        return b.run("maand-plan", "diff", *(b.file(name) for name in files), "--bucket", b.path)

    def verify(self, b, name="a.plan.yaml"):
        return b.run("maand-plan", "verify", b.file(name), "--bucket", b.path)

    def test_diff(self):
        b = self.bucket()
        b.write("jobs/api/app.conf", "b\n")
        self.succeed(b.plan(out="one"))
        b.write("jobs/api/app.conf", "c\n")
        self.succeed(b.plan(out="two"))
        self.assertEqual(self.succeed(self.diff(b, "one", "one")).out, "The plans do the same.\n")
        differs = self.succeed(self.diff(b, "one", "two"), 2).out
        self.assertTrue(differs.startswith(
            "+ new: only in the second plan. - gone: only in the first plan. ~ changed: from the first plan to the second plan.\n"),
            differs)
        self.assertNotIn("web", differs)
        # From what the first plan brings to what the second one does; without the store only that it differs.
        self.assertRegex(differs, r"(?m)^  ~ changed: app.conf: other content, .*\n      @@ .*\n      -b\n      \+c$")
        self.assertNotIn("-b", b.run("maand-plan", "diff", b.file("one"), b.file("two"), "--diff", "none").out)
        b.file("none").write_text("x\n")
        self.refuse(self.diff(b, "one", "none"), 65, "none:1:1")

    def test_what_differs_alike_in_several_jobs_is_told_once(self):
        b = self.bucket()
        for name in ("api", "web"):
            b.write(f"jobs/{name}/app.conf", "b\n")
        self.succeed(b.plan(out="one"))
        for name in ("api", "web"):
            b.write(f"jobs/{name}/app.conf", "c\n")
        self.succeed(b.plan(out="two"))
        differs = self.succeed(self.diff(b, "one", "two"), 2).out
        self.assertRegex(differs, r"(?m)^api, web \(2 jobs\)\n  ~ changed: app.conf: other content")
        self.assertEqual(differs.count("-b\n"), 1)

    def test_an_unrelated_job_leaves_a_plan_valid(self):
        b = self.bucket()
        b.write("jobs/api/app.conf", "b\n")
        self.succeed(b.plan("--jobs", "api", out="one"))
        self.succeed(b.plan(out="all"))
        b.write("jobs/web/app.conf", "b\n")
        self.assertIn("Valid", self.succeed(self.verify(b, "one")).out)
        stale = self.succeed(self.verify(b, "all"), 3).out
        self.assertIn("web\n  + new: in wave 0", stale)
        self.assertIn("What the file does is unchanged", stale)

    def test_a_related_file_is_named(self):
        b = self.bucket()
        b.write("jobs/api/app.conf", "b\n")
        self.succeed(b.plan("--jobs", "api"))
        self.succeed(self.verify(b))
        b.write("jobs/api/app.conf", "c\n")
        b.write("jobs/api/more.conf", "c\n")
        stale = self.succeed(self.verify(b), 3).out
        self.assertRegex(stale, r"(?m)^api\n  ~ changed: app.conf: other content, sha256:\w{12} -> sha256:\w{12}\n  \+ new: adds more.conf$")
        self.assertIn("on w1, w2", stale)
        b.write("jobs/api/app.conf", "b\n")
        (b.workspace / "jobs/api/more.conf").unlink()
        self.succeed(self.verify(b))

    def test_a_helper_of_a_hook_is_bound(self):
        b = self.bucket()
        b.job("api", commands={"command_a": {"executed_on": ["pre_deploy"]}})
        b.write("jobs/api/_modules/helper.py", "a\n")
        self.succeed(b.plan())
        self.succeed(self.verify(b))
        # What Python compiles is no part of the job.
        b.write("jobs/api/_modules/__pycache__/helper.pyc", "x\n")
        self.succeed(self.verify(b))
        b.write("jobs/api/_modules/helper.py", "b\n")
        self.assertRegex(self.succeed(self.verify(b), 3).out, r"~ changed: _modules of the hooks: sha256:\w{12} -> sha256:\w{12}")

    def test_a_plan_that_was_applied_is_stale(self):
        b = self.bucket()
        b.write("jobs/api/app.conf", "b\n")
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertIn("- gone: in wave 0", self.succeed(self.verify(b), 3).out)

    def test_only_the_catalog_revision_differs(self):
        b = self.bucket()
        b.write("jobs/api/app.conf", "b\n")
        b.write("jobs/web/app.conf", "b\n")
        self.succeed(b.plan("--jobs", "api", out="api"))
        self.succeed(b.plan("--jobs", "web", out="web"))
        self.succeed(b.apply(plan="web"))
        self.succeed(self.verify(b, "api"))

    def test_what_cannot_be_planned_any_more(self):
        b = self.bucket()
        b.job("late")
        self.succeed(b.plan("--jobs", "late"))
        shutil.rmtree(b.workspace / "jobs/late")
        result = self.succeed(self.verify(b), 3)
        self.assertIn("there is no job late", result.err)
        self.assertIn("Stale", result.out)

    def test_another_bucket(self):
        b = self.bucket()
        other = bucket.Bucket(self, "another")
        other.workers("w1")
        result = other.run("maand-plan", "verify", b.file(), "--bucket", other.path)
        self.refuse(result, 65, b.id, "another")

    def test_verify_writes_nothing(self):
        b = self.bucket()
        b.write("jobs/api/app.conf", "b\n")
        self.succeed(b.plan())
        b.write("jobs/api/app.conf", "c\n")
        # A reader of the catalog touches SQLite's own files beside it.
        state = lambda: {path: path.read_bytes() for path in b.path.rglob("*")
                         if path.is_file() and path.name not in ("maand.db-shm", "maand.db-wal")}
        before = state()
        self.succeed(self.verify(b), 3)
        self.assertEqual(state().keys(), before.keys())
        self.assertTrue(state() == before)
