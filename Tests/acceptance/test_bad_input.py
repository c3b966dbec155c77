"""Files and targets as they are on a bad day: a clear error that says where, nothing half-written, and a way on."""
import os
import re
import shutil
import sys
import time

import bucket

WORKERS = ["127.0.7.1", "127.0.7.2"]

# file:line:column
POSITION = r":\d+:\d+"


class Links(bucket.Case):
    """Whoever writes the workspace, or names a plan, learns nothing of what only the applying user may read."""

    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)
        self.b.job("api")
        self.succeed(self.b.plan())
        (self.b.path / "secrets").mkdir()
        self.key = self.b.path / "secrets" / "kv.key"
        self.key.write_text("TOPSECRET = {TOPSECRET\n")

    def link(self, path):
        path.unlink(missing_ok=True)
        path.symlink_to(self.key)

    def silent(self, result, code, *words):
        self.refuse(result, code, *words)
        self.assertNotIn("TOPSECRET", result.out + result.err)

    def test_files_of_the_workspace(self):
        for name in ("workers.json", "disabled.json", "bucket.conf", "bucket.jobs.conf", "jobs/api/manifest.json",
                     "jobs/api/vars.toml"):
            path = self.b.workspace / name
            before = path.read_text() if path.exists() else None
            self.link(path)
            for command in (("deploy",), ("verify", self.b.file()), ("kv", "list")):
                self.silent(self.b.run("maand-plan", *command, "--bucket", self.b.path), 65, name, "symbolic link")
            path.unlink()
            if before is not None:
                path.write_text(before)
        self.succeed(self.b.apply(), 0)

    def test_freezes(self):
        self.link(self.b.workspace / "freezes.yaml")
        self.silent(self.b.apply(), 65, "freezes.yaml", "symbolic link")
        self.silent(
            self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path), 65, "freezes.yaml", "symbolic link")
        self.assertEqual(self.b.began(), [])

    def test_a_plan_that_is_no_plan(self):
        plan = self.b.file("linked.plan.yaml")
        self.link(plan)
        for command in ("show", "verify", "approvals"):
            self.silent(
                self.b.run("maand-plan", command, plan, "--bucket", self.b.path), 65, "linked.plan.yaml:1:1",
                "this is not a plan")
        self.silent(self.b.run("maand-plan", "diff", plan, self.b.file()), 65, "this is not a plan")
        self.silent(self.b.apply(plan="linked.plan.yaml"), 65, "this is not a plan")
        self.silent(
            self.b.run("maand-plan", "deploy", "--catalog", plan, "--bucket", self.b.path), 65,
            "this is not an export of a catalog")

    def test_content_from_the_workspace(self):
        """Where the store has lost it; the folders on the way are no links either."""
        shutil.rmtree(self.b.path / "store")
        jobs = self.b.workspace / "jobs"
        jobs.rename(self.b.path / "moved")
        jobs.symlink_to(self.b.path / "moved")
        self.refuse(self.b.apply(), 65, "is not in the store")
        jobs.unlink()
        (self.b.path / "moved").rename(jobs)
        self.succeed(self.b.apply(), 0)


class BadPlans(bucket.Case):
    """Each refused with exit 65, and nothing has run."""

    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)
        self.b.job("api", max_concurrent_starts=1)
        self.succeed(self.b.plan())
        self.text = self.b.file().read_text()

    def refused(self, content, *words, position=True, code=65):
        file = self.b.file("bad.plan.yaml")
        if content is not None:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        result = self.refuse(self.b.apply(plan="bad.plan.yaml"), code, "bad.plan.yaml", *words)
        if position:
            self.assertRegex(result.err, r"bad\.plan\.yaml" + POSITION)
        self.assertEqual(self.b.began(), [])
        self.assertLess(len(result.err), 4000, "an error is for a person to read")
        self.succeed(self.b.apply(), 0)
        return result

    def edited(self, old, new):
        self.assertIn(old, self.text)
        return self.text.replace(old, new, 1)

    def test_missing(self):
        self.refused(None, position=False)

    def test_version_of_another_release(self):
        text = self.edited('version: "1.0.0"', 'version: "9.9.9"')
        self.refused(text, "api: the plan says 9.9.9, and its manifest.json 1.0.0", "Plan again", position=False)

    def test_changes_that_are_hidden(self):
        line = next(line for line in self.text.splitlines(True) if "{path: Makefile, change: added" in line)
        self.refused(self.edited(line, ""), "api, changes of the state", "not what its trees differ in: Makefile", position=False)

    def test_a_whole_list_of_changes_that_is_hidden(self):
        """Of a first deploy, and of a later one."""
        hidden = lambda text: re.sub(r"( +changes:)\n(?:\1 .*\n|        +[a-z]+:\n|          +- .*\n)+?(?= +rollout_order)", r"\1 {}\n", text)
        for version in ("1.0.0", "2.0.0"):
            self.b.job("api", version, max_concurrent_starts=1)
            self.succeed(self.b.plan("--overwrite"))
            text = self.b.file().read_text()
            self.assertIn("changes: {}", hidden(text))
            began = self.b.began()
            self.b.file("bad.plan.yaml").write_text(hidden(text))
            self.refuse(self.b.apply(plan="bad.plan.yaml"), 65, "not what its trees differ in",
                        "Makefile" if version == "1.0.0" else "manifest.json")
            self.assertEqual(self.b.began(), began)
            self.succeed(self.b.apply())

    def test_worker_that_is_removed_and_acts(self):
        text = self.edited('address: "127.0.7.1"}', 'address: "127.0.7.1", removed: true}')
        self.refused(text, "api on 127.0.7.1: the worker is `removed`, and only stops belong there")

    def test_hooks_of_a_rollout_that_is_only_completed(self):
        b = self.b
        job = lambda body: (b.job("api", "2.0.0", commands={"command_x": {"executed_on": ["post_deploy"]}}),
                            b.write("jobs/api/_modules/command_x.py", body))
        job("raise SystemExit(1)\n")
        self.succeed(b.plan("--overwrite"))
        self.refuse(b.apply(), 1, "command_x")
        self.succeed(b.run("maand-apply", "abandon", "1", "--reason", "x", "--bucket", b.path))
        self.succeed(b.plan(out="honest.plan.yaml"))
        self.assertIn("content: {}", b.file("honest.plan.yaml").read_text())
        shown = self.succeed(b.run("maand-plan", "show", b.file("honest.plan.yaml"), "--bucket", b.path)).out
        self.assertIn("files from which they run", shown)
        self.assertIn("raise SystemExit(1)", shown)
        job("open('EVIL', 'w')\n")
        self.succeed(b.plan(out="other.plan.yaml"))
        hooks_of = lambda name: b.read_plan(name)["waves"][0]["jobs"][0]["hooks"]
        (honest, other), text = map(hooks_of, ("honest.plan.yaml", "other.plan.yaml")), b.file("honest.plan.yaml").read_text()
        for old, new in ((honest["modules"], other["modules"]),
                         (honest["post_deploy"][0]["digest"], other["post_deploy"][0]["digest"])):
            self.assertIn(old, text)
            text = text.replace(old, new)
        b.file("bad.plan.yaml").write_text(text)
        self.assertIn("open('EVIL', 'w')",
                      self.succeed(b.run("maand-plan", "show", b.file("bad.plan.yaml"), "--bucket", b.path)).out)
        self.refuse(b.apply(plan="bad.plan.yaml"), 65, "api: its hooks run from other files than those that were deployed")

    def test_worker_root_of_another(self):
        text = self.edited('worker_root: "/opt/worker"', 'worker_root: "/tmp/w2"')
        self.refused(text, "/tmp/w2", "`worker_root` in `maand.conf` is /opt/worker", position=False)

    def test_hooks_from_other_files(self):
        b = self.b
        hooks = {"command_x": {"executed_on": ["pre_deploy"]}}
        b.job("api", "2.0.0", commands=hooks)
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.succeed(b.plan("--force"))
        hooks_of = lambda plan: plan["waves"][0]["jobs"][0]["hooks"]
        honest, text = hooks_of(b.read_plan()), b.file().read_text()
        b.write("jobs/api/_modules/command_x.py", "open('EVIL', 'w')\n")
        self.succeed(b.plan(out="other.plan.yaml"))
        other = hooks_of(b.read_plan("other.plan.yaml"))
        text = text.replace(honest["modules"], other["modules"])
        text = text.replace(honest["pre_deploy"][0]["digest"], other["pre_deploy"][0]["digest"])
        b.file("bad.plan.yaml").write_text(text)
        self.refuse(b.apply(plan="bad.plan.yaml"), 65, "its hooks run from other files than those of the job")
        # Also where only the workspace has them.
        digest = other["modules"].removeprefix("sha256:")
        (b.path / "store/objects" / digest[:2] / digest[2:]).unlink()
        self.refuse(b.apply(plan="bad.plan.yaml"), 65, "its hooks run from other files than those of the job")

    def test_version_that_is_none(self):
        text = self.edited('version: "1.0.0"', 'version: "1.0.0+$(touch x)"')
        self.refused(text, "a version has one to three numbers", "letters, digits")

    def test_address_that_is_none(self):
        text = self.edited('address: "127.0.7.1"', 'address: "$(touch x)"')
        self.refused(text, "an address consists of")

    def test_folder(self):
        self.b.file("bad.plan.yaml").mkdir()
        self.refused(None, position=False)

    def test_empty(self):
        self.refused("", position=False)

    def test_unreadable(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        self.b.file("bad.plan.yaml").touch(mode=0)
        self.refused(None, position=False)

    def test_not_text(self):
        self.refused(bytes(range(256)) * 10, position=False)

    def test_not_yaml(self):
        self.refused("waves: [1, 2\n")

    def test_truncated(self):
        self.refused(self.text[: len(self.text) // 2], position=False)

    def test_first_line_only(self):
        self.refused("plan_format: 1\n", position=False)

    def test_a_list(self):
        self.refused("- 1\n")

    def test_another_bucket(self):
        other = "11111111-2222-4333-8444-555555555555"
        self.refused(self.edited(self.b.id, other), other, self.b.id, position=False)

    def test_unknown_format(self):
        self.refused(self.edited("plan_format: 1\n", "plan_format: 2\n"), "plan_format", "2")

    def test_unknown_kind(self):
        self.refused(self.edited("kind: deploy\n", "kind: deplyo\n"), "deplyo")

    def test_comment_added(self):
        self.refused("# looks good\n" + self.text)

    def test_comment_at_a_line(self):
        self.refused(self.edited("kind: deploy\n", "kind: deploy  # ok\n"))

    def test_trailing_space(self):
        self.refused(self.edited("kind: deploy\n", "kind: deploy \n"))

    def test_trailing_line(self):
        self.refused(self.text + "\n")

    def test_no_last_newline(self):
        self.refused(self.text[:-1])

    def test_windows_lines(self):
        self.refused(self.text.replace("\n", "\r\n"))

    def test_byte_order_mark(self):
        self.refused("\ufeff" + self.text)

    def test_quotes_added(self):
        self.refused(self.edited("kind: deploy\n", 'kind: "deploy"\n'))

    def test_number_in_another_spelling(self):
        self.refused(self.edited("plan_format: 1\n", "plan_format: 01\n"))

    def test_number_changed(self):
        self.refused(self.edited("start: 2", "start: 3"), position=False)

    def test_keys_in_another_order(self):
        lines = self.text.splitlines(keepends=True)
        self.assertTrue(lines[0].startswith("plan_format") and lines[1].startswith("kind"))
        self.refused("".join([lines[1], lines[0], *lines[2:]]))

    def test_unknown_key(self):
        self.refused(self.edited("kind: deploy\n", "kind: deploy\nkinds: deploy\n"), "kinds")

    def test_misspelled_key(self):
        self.refused(self.edited("\nbase:", "\nbsae:"), "bsae", "base")

    def test_double_key(self):
        self.refused(self.edited("kind: deploy\n", "kind: deploy\nkind: deploy\n"), "kind")

    def test_anchor(self):
        self.refused(self.edited("kind: deploy\n", "kind: &a deploy\n"))

    def test_alias(self):
        self.refused(self.edited("kind: deploy\n", "kind: *a\n"))

    def test_tag(self):
        self.refused(self.edited("kind: deploy\n", "kind: !!str deploy\n"))

    def test_second_document(self):
        self.refused(self.text + "---\nplan_format: 1\n")

    def test_very_deep(self):
        self.refused("waves: " + "[" * 100_000 + "\n", position=False)

    def test_digest_of_the_content_changed(self):
        digest = re.search(r"sha256:([0-9a-f]{64}): ", self.text).group(1)
        other = ("0" if digest[0] != "0" else "1") + digest[1:]
        self.refused(self.text.replace(digest, other), position=False)


class BadStore(bucket.Case):
    """The contents that a plan was approved with are gone or altered, and the workspace has moved on."""

    def damaged(self, damage):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files={"app.conf": "approved\n"})
        self.succeed(b.plan())
        objects = [file for file in (b.path / "store").rglob("*") if file.is_file()]
        self.assertTrue(objects)
        saved = {file: file.read_bytes() for file in objects}
        for file in objects:
            damage(file)
        b.write("jobs/api/app.conf", "something else\n")
        self.refuse(b.apply(), 65, "app.conf")
        self.assertEqual(b.began(), [])
        for file, content in saved.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        self.succeed(b.apply())
        self.assertEqual((b.job_dir(WORKERS[0], "api") / "app.conf").read_text(), "approved\n")

    def test_missing(self):
        self.damaged(lambda file: file.unlink())

    def test_altered(self):
        def flip(file):
            file.chmod(0o600)
            file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))

        self.damaged(flip)

    def test_truncated(self):
        def cut(file):
            file.chmod(0o600)
            file.write_bytes(file.read_bytes()[:-1])

        self.damaged(cut)

    def test_the_workspace_moved_on(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files={"app.conf": "approved\n"})
        self.succeed(b.plan())
        b.job("api", "9.0.0", files={"app.conf": "later\n"})
        self.succeed(b.apply())
        self.assertEqual((b.job_dir(WORKERS[1], "api") / "app.conf").read_text(), "approved\n")

    def test_the_workspace_serves_where_the_store_is_empty(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api")
        self.succeed(b.plan())
        shutil.rmtree(b.path / "store")
        self.succeed(b.apply())


class LostStore(bucket.Case):
    """The store with what was deployed is gone: what is said leads out of it."""

    def setUp(self):
        self.b = b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files={"app.conf": "one\n"})
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()

    def test_planning_leads_to_refresh(self):
        b = self.b
        shutil.rmtree(b.path / "store")
        b.job("api", "2.0.0", files={"app.conf": "two\n"})
        self.refuse(b.plan(), 1, "files that are deployed now", "is missing in the bucket's `store/`",
                    "`maand-plan catalog refresh`")
        self.succeed(b.catalog("refresh", "--dry-run"))
        self.refuse(b.plan(), 1, "catalog refresh")
        self.assertIn("0 differ", self.succeed(b.catalog("refresh")).err)
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])

    def test_what_a_push_compares_with(self):
        b = self.b
        b.job("api", "2.0.0", files={"app.conf": "two\n"})
        self.succeed(b.plan())
        shutil.rmtree(b.path / "store")
        self.refuse(b.apply(), 65, "nothing was touched", "the list of the files that run there now",
                    "`maand-plan catalog refresh`")
        self.succeed(b.catalog("refresh"))
        self.succeed(b.apply())
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])

    def test_status_history_and_abandon(self):
        b = self.b
        b.job("api", "2.0.0", files={"app.conf": "two\n"})
        b.fail("api", WORKERS[1])
        self.succeed(b.plan())
        self.succeed(b.apply(), 1)
        shutil.rmtree(b.path / "store")
        shown = self.succeed(b.status()).out
        self.assertIn("its plan cannot be read, and only what is recorded is shown", shown)
        self.assertRegex(shown, rf"api/upgrade/\d/{WORKERS[1]}/restart \(attempt 1\) has failed")
        self.assertIn('"plan_problem":', self.succeed(b.status("--format", "json")).out.replace(" :", ":"))
        self.refuse(b.catalog("refresh"), 5, "run 2")
        self.succeed(b.abandon("2"))
        self.succeed(b.catalog("refresh"))
        b.mend("api", WORKERS[1])
        self.succeed(b.plan())
        self.succeed(b.apply())


class EventFiles(bucket.Case):
    def test_a_log_is_a_file_of_its_own(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api")
        self.succeed(b.plan())
        link = b.top / "link"
        link.symlink_to(b.path / "maand.db")
        for events, words in ((b.file(), "is the plan"), (b.path / "maand.conf", "bucket's own files"),
                              (b.path / "maand.db", "bucket's own files"), (link, "leads nowhere"),
                              (b.path / "workspace/jobs/api/new", "bucket's own files"),
                              (b.path / "store/x", "bucket's own files")):
            before = events.read_bytes() if events.exists() else None
            result = self.refuse(b.apply("--events", events), 65, words)
            if events.suffix != ".db" and events != link:
                self.assertEqual(events.read_bytes() if events.exists() else None, before, result.err)
        self.assertEqual(b.began(), [])
        self.succeed(b.apply("--events", b.path / "events.jsonl"))


class BadWorkspace(bucket.Case):
    """Each refused with exit 65, at a place in a file where there is one, and no plan is written."""

    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)
        self.b.job("api")

    def refused(self, *words):
        result = self.refuse(self.b.plan(), 65, *words)
        self.assertFalse(self.b.file().exists(), "a plan was written")
        self.assertEqual(sorted(p.name for p in self.b.top.iterdir()), ["bucket", "knobs"], "something half-written")
        return result

    def malformed(self, path, text, *words):
        self.b.write(path, text)
        result = self.refused(*words)
        self.assertRegex(result.err, re.escape(path) + POSITION)

    def test_no_bucket(self):
        (self.b.path / "maand.conf").unlink()
        self.refused("maand.conf")

    def test_malformed_configuration(self):
        (self.b.path / "maand.conf").write_text('bucket_id = "x\n')
        self.assertRegex(self.refused("maand.conf").err, r"maand\.conf" + POSITION)

    def test_configuration_without_bucket_id(self):
        (self.b.path / "maand.conf").write_text('transport = "local"\n')
        self.refused("maand.conf", "bucket_id")

    def test_a_catalog_of_another_bucket(self):
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.b.file().unlink()
        conf = self.b.path / "maand.conf"
        conf.write_text(conf.read_text().replace(self.b.id, "11111111-2222-4333-8444-555555555555"))
        result = self.b.plan()
        self.succeed(result, 65)
        self.assertIn(f"belongs to bucket {self.b.id}", result.err)
        self.assertFalse(self.b.file().exists())

    def test_no_workers(self):
        (self.b.workspace / "workers.json").unlink()
        self.refused("workers.json")

    def test_empty_workers(self):
        self.b.write("workers.json", "")
        self.refused("workers.json")

    def test_malformed_workers(self):
        self.malformed("workers.json", '[{"host": "127.0.7.1"\n]\n')

    def test_comma_at_the_end(self):
        self.malformed("workers.json", '[{"host": "127.0.7.1"},]\n')

    def test_comment_in_json(self):
        self.malformed("workers.json", '# ours\n[{"host": "127.0.7.1"}]\n')

    def test_double_key(self):
        self.malformed("workers.json", '[{"host": "127.0.7.1", "host": "127.0.7.2"}]\n', "host")

    def test_wrong_type(self):
        self.malformed("jobs/api/manifest.json", '{"version": "1", "selectors": "worker"}\n', "selectors")

    def test_malformed_manifest(self):
        self.malformed("jobs/api/manifest.json", '{"version": }\n')

    def test_no_manifest(self):
        (self.b.workspace / "jobs/api/manifest.json").unlink()
        self.refused("api", "manifest.json")

    def test_job_name_that_leads_elsewhere(self):
        self.b.job("api;reboot")
        self.refused("api;reboot")


class BadTargets(bucket.Case):
    """What a Makefile can do to the program that calls it."""

    def job(self, recipe, timeout=None):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        self.lay(b, recipe, "1.0.0", timeout)
        return b

    def lay(self, b, recipe, version, timeout=None):
        extra = {"timeouts": {"action": timeout}} if timeout else {}
        b.job("api", version, make=recipe, files={"app.conf": "a\n"}, **extra)
        self.succeed(b.plan())

    def goes_on(self, b, run=1):
        """After the error the checkpoint is good: abandoned, mended and planned again, the rollout works."""
        self.succeed(b.abandon(run))
        self.lay(b, bucket.makefile(), "1.0.1")
        self.succeed(b.apply())
        self.assertEqual(sorted(worker for _, worker, _ in b.targets()), WORKERS)

    def test_target_is_missing(self):
        b = self.job("stop:\n\t@true\n")
        self.refuse(b.apply(), 1, WORKERS[0], "api", "start")
        self.goes_on(b)

    def test_target_fails(self):
        b = self.job("start restart:\n\t@echo the disk is on fire >&2; exit 42\n")
        self.refuse(b.apply(), 1, WORKERS[0], "api", "start", "the disk is on fire")
        self.goes_on(b)

    def test_output_cannot_steer_the_terminal(self):
        b = self.job("start restart:\n\t@printf 'a\\033[2Jb\\302\\233c\\342\\200\\256d\\n' >&2; exit 1\n")
        failed = self.refuse(b.apply(), 1, WORKERS[0])
        for result in (failed, b.status()):
            for character in ("\x1b", "\x9b", "\u202e"):
                self.assertNotIn(character, result.out + result.err)

    def test_target_hangs(self):
        # A child of make and a child that ignores TERM: both have to go.
        b = self.job("start restart:\n\t@trap '' TERM; sleep 3000 & sleep 3001\n", timeout=1)
        self.refuse(b.apply(), 1, WORKERS[0], "api", "start", "1 s")
        bucket.until(lambda: not b.processes(), "the target's processes ended")
        self.goes_on(b)

    def test_daemon_holds_standard_output(self):
        # The target ends when the daemon is what it will be: a process that was just forked still has its parent's name.
        b = self.job(
            "start restart:\n\t@mkdir -p data; sleep 3000 & echo $$! > data/daemon.pid; "
            'until [ "$$(cat /proc/$$!/comm)" = sleep ]; do :; done; echo started\n')
        try:
            told = self.succeed(b.apply()).out
            daemons = [int(file.read_text()) for file in b.path.glob("workers/*/opt/worker/*/jobs/*/data/daemon.pid")]
            self.assertEqual(len(daemons), 2)
            for daemon in daemons:
                os.kill(daemon, 0)  # It lives, so apply has not waited for it.
                self.assertIn(f"process {daemon} sleep has the output of the target still open", told)
        finally:
            for file in b.path.glob("workers/*/opt/worker/*/jobs/*/data/daemon.pid"):
                os.kill(int(file.read_text()), 15)

    def test_hundred_megabytes_of_output(self):
        b = self.job("start restart:\n\t@head -c 100000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1\n")
        program = os.path.join(bucket.BIN, "maand-apply")
        measure = ("import os, sys; pid = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:]); "
                   "_, status, usage = os.wait4(pid, 0); print('peak', usage.ru_maxrss); "
                   "sys.exit(os.waitstatus_to_exitcode(status))")
        result = self.refuse(
            b.run_program(sys.executable, "-c", measure, program, b.file(), "--bucket", b.path),
            1, WORKERS[0], "api", "start", "the end")
        peak = int(re.search(r"peak (\d+)", result.out).group(1))
        self.assertLess(peak, 250_000, "KB of memory")
        self.assertLess(len(result.err), 20_000)
        self.assertLess(sum(f.stat().st_size for f in b.path.glob("maand.db*")), 10_000_000)
        full = sum(f.stat().st_size for f in (b.path / "workers").rglob("*.out"))
        self.assertGreater(full, 200_000_000, "the whole output stays on the workers until it is cleaned up")
        self.goes_on(b)

    def test_worker_lost_its_files(self):
        b = self.job(bucket.makefile())
        self.succeed(b.apply())
        self.lay(b, bucket.makefile(), "1.1.0")
        shutil.rmtree(b.path / "workers" / WORKERS[0])
        lost = b.apply()
        self.assertIn(lost.code, (1, 3, 4, 69), lost)
        self.assertIn(WORKERS[0], lost.err)


class BadUsage(bucket.Case):
    def test_no_arguments(self):
        b = bucket.Bucket(self)
        self.succeed(b.run("maand-apply"), 64)
        self.succeed(b.run("maand-plan", "deploy", "--no-such-flag"), 64)

    def test_unknown_job(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api")
        self.refuse(b.plan("--jobs", "apo"), 65, "apo")

    def test_unknown_run(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api")
        self.refuse(b.abandon(7), 65, "7")
