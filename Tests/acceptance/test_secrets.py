"""Secrets in rendered files: their values reach the workers, and nothing else of what a rollout leaves behind."""
import hashlib
import http.server
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import threading

import bucket

WORKERS = ["127.0.4.41", "127.0.4.42"]
SECRET = "Xk29-planted-Qz71"
OTHER = "Lm40-planted-Vv88"
TEMPLATE = """\
user=app
password={{ getSecret "password" }}
quoted={{ printf "%q" (getSecret "password") }}
"""


class SecretCase(bucket.Case):
    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)

    def job(self, version="1.0.0", template=TEMPLATE, **manifest):
        self.b.job("api", version, files={"conf/app.conf.tpl": template}, **manifest)

    def put(self, value, key="password", job="api"):
        return self.succeed(self.b.run("maand-plan", "kv", "put", f"secrets/job/{job}", key, "--bucket", self.b.path,
                                       input=value))

    def text(self, worker=WORKERS[0], path="conf/app.conf"):
        return (self.b.job_dir(worker, "api") / path).read_text()

    def expected(self, value):
        return f'user=app\npassword={value}\nquoted="{value}"\n'

    def rollout(self, *flags, code=0):
        self.succeed(self.b.plan(*flags))
        result = self.b.apply()
        self.succeed(result, code)
        return result

    def nothing_to_do(self):
        self.succeed(self.b.plan("--detailed-exitcode", out="none.plan.yaml"))

    def places(self, *values):
        """Files that hold one of the values, in any form that a glance or a script would find."""
        found = []
        for folder, _, names in os.walk(self.b.path):
            # What the workers have is theirs.
            if os.path.relpath(folder, self.b.path).split(os.sep)[0] == "workers":
                continue
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and any(value.encode() in open(path, "rb").read() for value in values):
                    found.append(os.path.relpath(path, self.b.path))
        return found


class Secrets(SecretCase):
    def test_the_value_reaches_the_worker_and_nothing_else(self):
        self.job()
        self.put(SECRET)
        planned = self.succeed(self.b.plan())
        applied = self.succeed(self.b.apply("--events", self.b.path / "events.jsonl"))
        for worker in WORKERS:
            self.assertEqual(self.expected(SECRET), self.text(worker))
            mode = stat.S_IMODE(os.stat(self.b.job_dir(worker, "api") / "conf/app.conf").st_mode)
            self.assertEqual(0o600, mode)
        self.nothing_to_do()
        shown = [self.succeed(self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path, "--format", form,
                                         "--diff", "auto")).out for form in ("text", "markdown", "html", "json")]
        for text in [planned.out, planned.err, applied.out, applied.err, *shown]:
            self.assertNotIn(SECRET, text)
        self.assertEqual([], self.places(SECRET))
        job = self.b.read_plan()["waves"][0]["jobs"][0]
        self.assertEqual([("api", "password", ["conf/app.conf"])],
                         [(s["job"], s["key"], s["files"]) for s in job["secrets"]])
        self.assertIn("the secret password of secrets/job/api is written into conf/app.conf", shown[0])

    def test_the_digest_of_the_file_is_nowhere(self):
        """Whoever has it could try values."""
        self.job()
        self.put("123")
        self.rollout()
        digest = hashlib.sha256(self.expected("123").encode())
        self.assertEqual(self.text(), self.expected("123"))
        self.assertEqual([], self.places(digest.hexdigest(), digest.hexdigest()[:12]))
        database = (self.b.path / "maand.db").read_bytes()
        self.assertNotIn(digest.digest(), database)

    def test_a_new_value_is_a_change_of_the_file(self):
        self.job(restart_policy="reload", restart_globs=["other.conf"])
        self.put(SECRET)
        self.rollout()
        self.put(SECRET)
        self.nothing_to_do()
        self.put(OTHER)
        self.succeed(self.b.plan())
        self.assertEqual({"api": {worker: ("reload", "content_changed") for worker in WORKERS}},
                         bucket.actions(self.b.read_plan()))
        for form in ("text", "markdown", "html"):
            shown = self.succeed(self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path, "--format", form))
            lines = re.findall(r"([-+]) ?(?:</[a-z]+>)?(?:<[^>]*>)?password=\[password of secrets/job/api, ([0-9a-f]{8})\]", shown.out)
            self.assertEqual(["-", "+"], [sign for sign, _ in lines], shown.out)
            self.assertNotEqual(lines[0][1], lines[1][1])
        self.succeed(self.b.apply())
        self.assertEqual(self.expected(OTHER), self.text())
        self.nothing_to_do()
        self.assertEqual([], self.places(SECRET, OTHER))

    def test_a_plan_of_another_value_is_stale(self):
        self.job()
        self.put(SECRET)
        self.succeed(self.b.plan())
        self.put(OTHER)
        self.refuse(self.b.apply(), 3, "the secret password of secrets/job/api", "another value")
        self.assertFalse(self.b.job_dir(WORKERS[0], "api").exists())
        self.succeed(self.b.run("maand-plan", "kv", "delete", "secrets/job/api", "password", "--bucket", self.b.path))
        self.refuse(self.b.apply(), 3, "the secret password of secrets/job/api", "no value")
        self.refuse(self.b.plan(out="b.plan.yaml"), 65, "conf/app.conf.tpl:2:13:",
                    "there is no secret password of secrets/job/api", "maand-plan kv put secrets/job/api password")

    def test_drift_of_the_file_is_seen_and_its_digest_is_not_told(self):
        self.job()
        self.put(SECRET)
        self.rollout()
        path = self.b.job_dir(WORKERS[1], "api") / "conf/app.conf"
        path.write_text(f"password={SECRET} # edited\n")
        self.job("2.0.0", max_concurrent_upgrades=2)
        self.succeed(self.b.plan())
        result = self.b.apply()
        self.refuse(result, 3, "conf/app.conf on the worker", "the file with its secrets", "another content")
        self.assertNotIn(SECRET, result.out + result.err)
        self.assertEqual([], self.places(SECRET))
        path.write_text(self.expected(SECRET))
        self.succeed(self.b.apply())
        self.nothing_to_do()

    def test_refresh_knows_the_file(self):
        self.job()
        self.put(SECRET)
        self.rollout()
        refresh = lambda: self.succeed(self.b.run("maand-plan", "catalog", "refresh", "--bucket", self.b.path)).out
        refresh()
        self.nothing_to_do()
        (self.b.job_dir(WORKERS[0], "api") / "conf/app.conf").write_text(f"{SECRET} again\n")
        refresh()
        self.assertEqual([], self.places(SECRET))
        self.succeed(self.b.plan())
        self.assertEqual({"api": {WORKERS[0]: ("restart", "unfinished")}}, bucket.actions(self.b.read_plan()))
        self.succeed(self.b.apply())
        self.assertEqual(self.expected(SECRET), self.text())

    def test_a_rollback_takes_the_value_of_today(self):
        self.job()
        self.put(SECRET)
        self.rollout()
        self.job("2.0.0", "v2 " + TEMPLATE)
        self.rollout()
        self.assertTrue(self.text().startswith("v2 "))
        self.put(OTHER)
        self.succeed(self.b.run("maand-plan", "rollback", "2", "--overwrite", "-o", self.b.file(), "--bucket", self.b.path))
        shown = self.succeed(self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path)).out
        self.assertIn("the values that these secrets have now", shown)
        self.succeed(self.b.apply())
        self.assertEqual(self.expected(OTHER), self.text())
        self.job()
        self.nothing_to_do()
        self.assertEqual([], self.places(SECRET, OTHER))

    def test_a_run_goes_back_with_the_value_of_today(self):
        self.job(max_concurrent_upgrades=1)
        self.put(SECRET)
        self.rollout()
        gate, begun = self.b.knobs / "gate", self.b.knobs / "begun"
        gate.touch()
        self.b.job("api", "2.0.0", files={"conf/app.conf.tpl": "v2 " + TEMPLATE}, max_concurrent_upgrades=1, make=f"""\
restart:
\t@case $(CURDIR) in *{WORKERS[1]}*) touch {begun}; while [ -e {gate} ]; do sleep 0.05; done; exit 3;; esac
""")
        self.succeed(self.b.plan("--on-failure", "rollback"))
        child = self.b.start_apply()
        bucket.until(begun.exists, "the target of the second worker runs")
        # As a hook of the new release may do it.
        self.put(OTHER)
        gate.unlink()
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(1, child.returncode, out + err)
        self.assertIn("rolled back", out + err)
        for worker in WORKERS:
            self.assertEqual(self.expected(OTHER), self.text(worker))
        self.job(max_concurrent_upgrades=1)
        self.nothing_to_do()
        self.assertEqual([], self.places(SECRET, OTHER))

    def test_a_new_key_changes_nothing(self):
        self.job()
        self.put(SECRET)
        self.rollout()
        before = (self.b.path / "secrets/kv.key").read_text()
        self.succeed(self.b.run("maand-plan", "kv", "rotate-key", "--bucket", self.b.path))
        self.assertNotEqual(before, (self.b.path / "secrets/kv.key").read_text())
        self.nothing_to_do()
        get = self.b.run("maand-plan", "kv", "get", "secrets/job/api", "password", "--reveal", "--bucket", self.b.path)
        self.assertEqual(SECRET + "\n", self.succeed(get).out)
        self.job("2.0.0")
        self.rollout()
        self.assertEqual(self.expected(SECRET), self.text())
        (self.b.path / "secrets/kv.key").write_text(before)
        self.job("3.0.0")
        self.succeed(self.b.plan())
        self.refuse(self.b.apply(), 65, "secrets/kv.key", "is not the key")

    def test_two_machines_plan_the_same(self):
        self.job()
        self.put(SECRET)
        self.rollout()
        self.job("2.0.0", TEMPLATE + "more\n")
        self.succeed(self.b.plan("--on-failure", "rollback"))
        export = self.succeed(self.b.run("maand-plan", "catalog", "export", "--bucket", self.b.path)).out
        self.assertNotIn(SECRET, export)
        other = self.b.copy(self)
        for name in ("secrets", "store", "maand.db", "maand.db-wal", "maand.db-shm"):
            path = other.path / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        (other.path / "catalog.yaml").write_text(export)
        self.succeed(other.plan("--on-failure", "rollback", "--catalog", other.path / "catalog.yaml"))
        self.assertEqual(self.b.file().read_bytes(), other.file().read_bytes())

    def test_secrets_of_an_earlier_release_are_prepared(self):
        self.job()
        self.put(SECRET)
        with sqlite3.connect(self.b.path / "maand.db") as database:
            database.execute("UPDATE kv SET fingerprint = NULL")
        self.refuse(self.b.plan(), 65, "an earlier release has stored the secret password", "maand-plan prepare")
        self.assertIn("password of secrets/job/api",
                      self.succeed(self.b.run("maand-plan", "prepare", "--bucket", self.b.path)).err)
        self.rollout()
        self.assertEqual(self.expected(SECRET), self.text())

    def test_a_rollback_that_ends_half_way_is_planned_again(self):
        self.job(max_concurrent_upgrades=1)
        self.put(SECRET)
        self.rollout()
        self.job("2.0.0", "v2 " + TEMPLATE, max_concurrent_upgrades=1)
        self.rollout()
        self.put(OTHER)
        back = lambda: self.succeed(
            self.b.run("maand-plan", "rollback", "2", "--overwrite", "-o", self.b.file(), "--bucket", self.b.path))
        back()
        self.b.fail("api", WORKERS[1])
        self.succeed(self.b.apply(), 1)
        self.assertEqual(self.expected(OTHER), self.text())
        self.succeed(self.b.abandon(3))
        self.b.mend("api", WORKERS[1])
        back()
        self.succeed(self.b.apply())
        self.assertEqual([self.expected(OTHER)] * 2, [self.text(worker) for worker in WORKERS])

    def test_no_other_process_of_the_user_can_read_the_memory(self):
        if os.geteuid() != 0:
            self.skipTest("a process of root belongs to root anyway")
        self.job()
        for path in [self.b.top, *self.b.top.rglob("*")]:
            os.chown(path, 65534, 65534)
        os.chmod(self.b.top, 0o755)
        # Others may have no access to the folder of the build.
        programs = self.b.top / "programs"
        programs.mkdir()
        for name in ("maand-plan", "maand-apply"):
            shutil.copy(os.path.join(self.b.bin, name), programs)
        child = subprocess.Popen(
            [programs / "maand-plan", "kv", "put", "secrets/job/api", "password", "--bucket", self.b.path],
            user=65534, group=65534, extra_groups=[], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Before it reads, the file belongs to root if the process is not dumpable.
        bucket.until(lambda: os.stat(f"/proc/{child.pid}/environ").st_uid == 0, "the process has hidden its memory", 20)
        out, err = child.communicate(SECRET.encode(), timeout=bucket.LIMIT)
        self.assertEqual(0, child.returncode, out + err)
        # The programs do all that they do as an ordinary user.
        for program, *words in (("maand-plan", "deploy", "--overwrite", "-o", self.b.path / "a.plan.yaml"),
                                ("maand-apply", self.b.path / "a.plan.yaml")):
            done = subprocess.run([programs / program, *words, "--bucket", self.b.path], user=65534,
                                  group=65534, extra_groups=[], stdin=subprocess.DEVNULL, capture_output=True, cwd=self.b.path)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual(self.expected(SECRET), self.text())

    def test_what_a_target_prints_of_it_is_struck_out(self):
        make = "start restart stop:\n\t@cat conf/app.conf; cat conf/app.conf >&2\n"
        self.b.job("api", "1.0.0", files={"conf/app.conf.tpl": TEMPLATE}, make=make)
        self.put(SECRET)
        applied = self.rollout("--jobs", "api")
        shown = self.succeed(self.b.run("maand-apply", "output", "1", "--bucket", self.b.path))
        self.assertIn("user=app", shown.out)
        for text in (applied.out, applied.err, shown.out, shown.err):
            self.assertNotIn(SECRET, text)
        self.assertEqual([], self.places(SECRET))

    def test_modes_of_files(self):
        self.b.job("api", "1.0.0", files={"conf/app.conf.tpl": TEMPLATE, "conf/plain.conf": "x\n", "run.sh.tpl": "#!/bin/sh\n"},
                   file_modes={"*.conf": "0640", "conf/plain.conf": "664", "run.sh": "750"})
        self.put(SECRET)
        self.rollout()
        mode = lambda path: oct(stat.S_IMODE(os.stat(self.b.job_dir(WORKERS[0], "api") / path).st_mode))
        self.assertEqual(["0o640", "0o664", "0o750"], [mode(p) for p in ("conf/app.conf", "conf/plain.conf", "run.sh")])
        self.nothing_to_do()
        # Another mode alone is a change.
        self.b.job("api", "1.0.0", files={"conf/app.conf.tpl": TEMPLATE, "conf/plain.conf": "x\n", "run.sh.tpl": "#!/bin/sh\n"},
                   file_modes={"*.conf": "0600"})
        self.succeed(self.b.plan())
        changes = self.b.read_plan()["waves"][0]["jobs"][0]["changes"]["a"]
        self.assertEqual({"conf/app.conf": "mode", "conf/plain.conf": "mode", "run.sh": "mode", "manifest.json": "modified"},
                         {c["path"]: c["change"] for c in changes})
        self.succeed(self.b.apply())
        self.assertEqual(["0o600", "0o600", "0o644"], [mode(p) for p in ("conf/app.conf", "conf/plain.conf", "run.sh")])
        self.nothing_to_do()
        self.b.job("api", "1.0.0", files={"a.conf": "x\n"}, file_modes={"[": "0640", "*.conf": "999", "x": "0040"})
        self.refuse(self.b.plan(), 65, "has a `[` without `]`", "\"999\" is not a mode", "could not read the file")


class Attacks(SecretCase):
    """What authors of plans and of workspaces, and unlucky moments, cannot bring about."""

    def demanding(self, make=""):
        """The job `api` demands `db`, and its file has a secret of it."""
        command = lambda **more: {"executed_on": ["cli"], **more}
        self.b.job("db", "1.0.0", commands={"command_db": command()})
        self.b.job("api", "1.0.0", files={"conf/app.conf.tpl": 'root={{ get "secrets/job/db" "root" }}\n'}, make=make,
                   commands={"command_api": command(demands={"job": "db", "command": "command_db"})})
        self.put(SECRET, "root", "db")

    def show(self, form="text"):
        return self.succeed(self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path, "--format", form)).out

    def test_a_plan_names_each_secret_that_it_sends(self):
        self.job()
        self.put(SECRET)
        self.succeed(self.b.plan())
        text = self.b.file().read_text()
        block = re.search(r"        secrets:\n(          .*\n)+", text).group(0)
        for edited in (text.replace(block, ""), text.replace("files: [conf/app.conf]", "files: [Makefile, conf/app.conf]")):
            self.assertNotEqual(text, edited)
            self.b.file().write_text(edited)
            self.refuse(self.b.apply(), 65, "`secrets` does not list the secrets of the files that the plan sends")
            self.assertFalse(self.b.job_dir(WORKERS[0], "api").exists())

    def test_a_secret_of_a_job_that_is_not_demanded_is_not_sent(self):
        self.demanding("restart start stop:\n\t@true\n")
        self.succeed(self.b.plan())
        text = self.b.file().read_text()
        self.b.file().write_text(text.replace("demands: [db]", "demands: []"))
        self.refuse(self.b.apply(), 65, "a secret of a job that it does not demand")

    def test_a_file_that_looks_like_one_with_secrets_is_shown_as_it_is(self):
        crafted = "maand-sealed-file 1\ntext 6\nhello\n\n"
        self.b.job("api", "1.0.0", files={"run.sh": crafted})
        self.rollout()
        self.b.job("api", "1.0.0", files={"run.sh": "hello\n"})
        self.succeed(self.b.plan())
        for form in ("text", "markdown", "html"):
            self.assertIn("maand-sealed-file 1", self.show(form))
        # Damaged ones, too.
        for text in ("maand-sealed-file 1\ncall print 399\n" + "call print 0\n" * 2 + "text 0\n\n" * 397, "maand-sealed-file 1\n"):
            self.b.job("api", "1.0.0", files={"run.sh": text})
            self.succeed(self.b.plan())
            self.show()

    def test_what_functions_add_to_a_secret_is_shown(self):
        self.put(SECRET)
        self.job(template='{{ printf "https://app:%s@db" (getSecret "password") }}\n')
        self.rollout()
        self.job(template='{{ printf "https://evil/?%s\\nrm -r /" (getSecret "password") }}\n')
        self.succeed(self.b.plan())
        for form in ("text", "markdown", "json"):
            self.assertIn("evil", self.show(form))
            self.assertIn("rm -r /", self.show(form))

    def test_without_the_key_nothing_is_compared_and_nothing_runs(self):
        make = "restart start stop:\n\t@echo ran >>data.log\n"
        self.b.job("api", "1.0.0", files={"conf/app.conf.tpl": TEMPLATE}, make=make)
        self.put(SECRET)
        self.rollout()
        path = self.b.job_dir(WORKERS[0], "api") / "Makefile"
        path.write_text("restart start stop:\n\t@touch hacked\n")
        key = self.b.path / "secrets/kv.key"
        saved = key.read_bytes()
        key.unlink()
        self.succeed(self.b.run("maand-plan", "restart", "api", "--overwrite", "-o", self.b.file(), "--bucket", self.b.path))
        self.refuse(self.b.apply(), 65, "kv.key is missing")
        # What takes the secrets out of the job compares with what is there, too.
        self.b.job("api", "2.0.0", files={"conf/app.conf": "plain\n"}, make=make)
        self.succeed(self.b.plan())
        self.refuse(self.b.apply(), 65, "kv.key is missing")
        self.assertFalse((path.parent / "hacked").exists())
        key.touch(0o600)
        key.write_bytes(saved)
        self.refuse(self.b.apply(), 3, "Makefile on the worker")

    def test_stops_print_no_secret_of_another_job(self):
        self.demanding("restart start:\n\t@true\nstop:\n\t@cat conf/app.conf\n")
        self.rollout()
        self.b.workers(WORKERS[0])
        self.rollout()
        shown = self.succeed(self.b.run("maand-apply", "output", "2", "--bucket", self.b.path)).out
        self.assertIn("root=", shown)
        self.assertNotIn(SECRET, shown)
        self.assertEqual([], self.places(SECRET))

    def test_a_value_that_is_deployed_is_struck_out_however_old_it_is(self):
        make = "start stop:\n\t@true\nrestart:\n\t@cat conf/app.conf\n"
        self.b.job("api", "1.0.0", files={"conf/app.conf.tpl": TEMPLATE}, make=make)
        self.put(SECRET)
        self.rollout()
        for count in range(12):
            self.put(f"other value {count}")
        self.succeed(self.b.run("maand-plan", "restart", "api", "--overwrite", "-o", self.b.file(), "--bucket", self.b.path))
        self.succeed(self.b.apply())
        shown = self.succeed(self.b.run("maand-apply", "output", "2", "--bucket", self.b.path)).out
        self.assertIn("password=", shown)
        self.assertNotIn(SECRET, shown)

    def test_a_drift_with_a_secret_in_it_is_not_shown(self):
        self.job()
        self.put(SECRET)
        self.rollout()
        before = self.text()
        self.b.job("api", "2.0.0", files={"conf/app.conf": "plain\n"})
        self.rollout()
        (self.b.job_dir(WORKERS[0], "api") / "conf/app.conf").write_text(before)
        self.b.job("api", "3.0.0", files={"conf/app.conf": "plain 3\n"})
        self.succeed(self.b.plan())
        result = self.refuse(self.b.apply(), 3, "conf/app.conf on the worker", "another content")
        digest = hashlib.sha256(before.encode()).hexdigest()[:12]
        for word in (SECRET, digest):
            self.assertNotIn(word, result.out + result.err)
        self.assertEqual([], self.places(SECRET, digest))

    def test_a_rollback_is_planned_again_after_the_value_has_changed_again(self):
        self.job(max_concurrent_upgrades=1)
        self.put(SECRET)
        self.rollout()
        self.job("2.0.0", "v2 " + TEMPLATE, max_concurrent_upgrades=1)
        self.rollout()
        back = lambda: self.succeed(
            self.b.run("maand-plan", "rollback", "2", "--overwrite", "-o", self.b.file(), "--bucket", self.b.path))
        self.put(OTHER)
        back()
        self.b.fail("api", WORKERS[1])
        self.succeed(self.b.apply(), 1)
        self.succeed(self.b.abandon(3))
        self.b.mend("api", WORKERS[1])
        self.put("a third value")
        back()
        self.succeed(self.b.apply())
        self.assertEqual([self.expected("a third value")] * 2, [self.text(worker) for worker in WORKERS])

    def test_a_way_back_is_tried_again_with_the_value_of_then(self):
        self.job(max_concurrent_upgrades=1)
        self.put(SECRET)
        self.rollout()
        broken = f"start stop:\n\t@true\nrestart:\n\t@exit 3\n"
        self.b.job("api", "2.0.0", files={"conf/app.conf.tpl": "v2 " + TEMPLATE}, max_concurrent_upgrades=1, make=broken)
        self.succeed(self.b.plan("--on-failure", "rollback"))
        self.b.fail("api", WORKERS[0])
        self.succeed(self.b.apply(), 1)
        self.put(OTHER)
        self.b.mend("api", WORKERS[0])
        result = self.b.apply("--retry-failed")
        self.assertIn("rolled back", result.out + result.err)
        self.assertEqual(self.expected(OTHER), self.text())

    def test_refresh_of_an_old_copy_of_the_catalog(self):
        self.job()
        self.put(SECRET)
        self.rollout()
        old = self.b.top / "old.db"
        self.succeed(self.b.run("maand-plan", "catalog", "backup", old, "--bucket", self.b.path))
        self.job("2.0.0", "v2 " + TEMPLATE)
        self.rollout()
        for name in ("maand.db", "maand.db-wal", "maand.db-shm"):
            (self.b.path / name).unlink(missing_ok=True)
        shutil.copy(old, self.b.path / "maand.db")
        self.succeed(self.b.run("maand-plan", "catalog", "refresh", "--bucket", self.b.path))
        self.job("3.0.0", "v3 " + TEMPLATE)
        self.succeed(self.b.plan("--on-failure", "rollback"))
        self.succeed(self.b.apply())
        self.assertEqual("v3 " + self.expected(SECRET), self.text())
        self.nothing_to_do()
        # The catalog is lost as a whole.
        for name in ("maand.db", "maand.db-wal", "maand.db-shm"):
            (self.b.path / name).unlink(missing_ok=True)
        digest = hashlib.sha256(self.text().encode()).hexdigest()
        shutil.rmtree(self.b.path / "store")
        self.succeed(self.b.run("maand-plan", "catalog", "refresh", "--bucket", self.b.path))
        self.assertEqual([], self.places(digest))

    def test_what_only_the_value_can_tell_is_told_before_anything_is_touched(self):
        self.job(template='{{ range 80 }}{{ getSecret "password" }}{{ end }}\n')
        self.put("x" * 60_000)
        self.succeed(self.b.plan())
        self.refuse(self.b.apply(), 65, "conf/app.conf: with its secrets it is larger than 4 MiB")
        self.assertFalse(self.b.job_dir(WORKERS[0], "api").exists())

    def test_a_lost_key_is_forgotten_with_the_last_secret(self):
        self.job()
        self.put(SECRET)
        self.rollout()
        (self.b.path / "secrets/kv.key").unlink()
        self.succeed(self.b.run("maand-plan", "kv", "delete", "secrets/job/api", "password", "--bucket", self.b.path))
        self.put(OTHER)
        self.rollout()
        self.assertEqual(self.expected(OTHER), self.text())
        self.nothing_to_do()


class VaultStub:
    """Vault's KV version 2 as its documentation has it: what it answers, and nothing that it does."""

    def __init__(self, test):
        self.values, self.tokens, stub = {}, [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                stub.tokens.append(self.headers.get("X-Vault-Token"))
                if self.headers.get("X-Vault-Token") != "t0ken":
                    return self.answer(403, {"errors": ["permission denied"]})
                found = stub.values.get(self.path.removeprefix("/v1/"))
                if found is None:
                    return self.answer(404, {"errors": []})
                self.answer(200, {"data": {"data": found, "metadata": {"version": 1}}})

            def answer(self, status, body):
                body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        test.addCleanup(thread.join)
        test.addCleanup(self.server.server_close)
        test.addCleanup(self.server.shutdown)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"


class Providers(SecretCase):
    """Secrets that somebody else keeps: `workspace/secrets.toml`."""

    def setUp(self):
        super().setUp()
        self.vault = VaultStub(self)
        self.environment = {**os.environ, "VAULT_ADDR": self.vault.address, "VAULT_TOKEN": "t0ken"}
        self.kept = self.b.top / "kept"
        self.kept.write_text(SECRET + "\n")

    def provide(self, text):
        self.b.write("secrets.toml", text)

    def prepare(self, code=0):
        return self.succeed(self.b.run("maand-plan", "prepare", "--bucket", self.b.path, env=self.environment), code)

    def apply(self, code=0):
        return self.succeed(self.b.apply(env=self.environment), code)

    def test_values_come_from_whoever_keeps_them(self):
        self.vault.values["secret/data/api"] = {"token": OTHER}
        self.job(template='{{ getSecret "password" }} {{ getSecret "token" }} {{ getSecret "shared" }}\n')
        self.provide(f'shared = {{ command = ["cat", "{self.kept}"] }}\n'
                     f'[api]\npassword = {{ file = "{self.kept}" }}\ntoken = {{ vault = "secret/data/api", key = "token" }}\n')
        self.refuse(self.b.plan(), 65, "nobody has asked for the secret password of secrets/job/api yet", "maand-plan prepare")
        self.assertIn("token of secrets/job/api", self.prepare().err)
        self.assertIn("Nothing has changed", self.prepare().err)
        self.succeed(self.b.plan())
        secrets = self.b.read_plan()["waves"][0]["jobs"][0]["secrets"]
        self.assertEqual({"password": ["file", str(self.kept)], "shared": ["command", "cat", str(self.kept)],
                          "token": ["vault", "secret/data/api", "token"]}, {s["key"]: s["provider"] for s in secrets})
        shown = self.succeed(self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path)).out
        self.assertIn(f"the secret shared of secrets/job/api is written into conf/app.conf, given by the command `cat {self.kept}`",
                      " ".join(shown.split()))
        # Planning asks nobody.
        asked = len(self.vault.tokens)
        self.succeed(self.b.plan())
        self.assertEqual(asked, len(self.vault.tokens))
        self.apply()
        self.assertEqual(f"{SECRET} {OTHER} {SECRET}\n", self.text())
        self.assertEqual(asked + 1, len(self.vault.tokens), "a run asks once")
        self.nothing_to_do()
        self.assertEqual([], self.places(SECRET, OTHER))

    def test_a_new_value_is_a_change_once_it_is_prepared(self):
        self.job()
        self.provide(f'[api]\npassword = {{ file = "{self.kept}" }}\n')
        self.prepare()
        self.succeed(self.b.plan())
        self.kept.write_text(OTHER)
        self.refuse(self.b.apply(), 3, "the secret password of secrets/job/api", "another value")
        self.assertFalse(self.b.job_dir(WORKERS[0], "api").exists())
        self.assertIn("password of secrets/job/api", self.prepare().err)
        self.rollout()
        self.assertEqual(self.expected(OTHER), self.text())
        self.nothing_to_do()

    def test_whoever_gives_nothing_is_named_before_anything_is_touched(self):
        self.job()
        self.provide(f'[api]\npassword = {{ command = ["cat", "{self.kept}"] }}\n')
        self.prepare()
        self.succeed(self.b.plan())
        self.kept.unlink()
        refused = self.b.apply()
        self.refuse(refused, 1, "the secret password of secrets/job/api", "the command `cat", "ended with exit code 1")
        self.assertFalse(self.b.job_dir(WORKERS[0], "api").exists())
        self.refuse(self.b.run("maand-plan", "prepare", "--bucket", self.b.path), 1, "the command `cat")
        self.provide('[api]\npassword = { command = ["date", "+%N"] }\n')
        self.refuse(self.b.run("maand-plan", "prepare", "--bucket", self.b.path), 1, "another value each time")
        self.provide('[api]\npassword = { vault = "secret/data/nothing", key = "k" }\n')
        self.refuse(self.b.run("maand-plan", "prepare", "--bucket", self.b.path, env=self.environment), 1, "answers 404")

    def test_what_the_others_give_is_recorded_if_one_gives_nothing(self):
        self.job(template='{{ getSecret "password" }} {{ getSecret "token" }} {{ getSecret "other" }}\n')
        gone = self.b.top / "gone"
        self.provide(f'[api]\npassword = {{ file = "{self.kept}" }}\ntoken = {{ file = "{gone}" }}\n'
                     'other = { command = ["false"] }\n')
        refused = self.refuse(
            self.b.run("maand-plan", "prepare", "--bucket", self.b.path), 1, "2 of 3 secrets were not given",
            f"the secret token of secrets/job/api: the file {gone} cannot be read",
            "the secret other of secrets/job/api: the command `false` ended with exit code 1")
        self.assertIn("Recorded new fingerprints:\n  password of secrets/job/api\n", refused.err)
        # What was known of a secret stays known.
        gone.write_text(OTHER)
        self.provide(f'[api]\npassword = {{ file = "{self.kept}" }}\ntoken = {{ file = "{gone}" }}\n'
                     'other = { command = ["echo", "yes"] }\n')
        self.prepare()
        gone.unlink()
        self.refuse(self.b.run("maand-plan", "prepare", "--bucket", self.b.path), 1, "the secret token of")
        self.succeed(self.b.plan())

    def test_mistakes_are_named_with_their_place(self):
        self.job()
        self.provide('a = "x"\nb = { commnd = ["x"] }\n[apj]\nc = { vault = "x" }\nd = 3\n')
        refused = self.refuse(
            self.b.plan(), 65, "secrets.toml:1:1:", "secrets.toml:2:1:", "secrets.toml:4:1:", "secrets.toml:5:1:")
        self.assertIn("say who gives the value", refused.err)

    def test_an_edited_provider_is_another_plan(self):
        self.job()
        self.provide(f'[api]\npassword = {{ file = "{self.kept}" }}\n')
        self.prepare()
        self.succeed(self.b.plan())
        # What apply asks is what was reviewed, whatever the workspace says by now.
        self.provide('[api]\npassword = { command = ["sh", "-c", "touch /tmp/never; echo x"] }\n')
        self.succeed(self.b.apply())
        self.assertEqual(self.expected(SECRET), self.text())

    def printing(self, version="1.0.0", **manifest):
        """Every target prints the file."""
        self.b.job("api", version, files={"conf/app.conf.tpl": TEMPLATE}, make="start restart stop:\n\t@cat conf/app.conf\n",
                   **manifest)

    def assert_struck(self, *runs):
        for run in runs:
            shown = self.succeed(self.b.run("maand-apply", "output", run, "--bucket", self.b.path)).out
            self.assertIn("password=", shown)
            self.assertNotIn(SECRET, shown)
        self.assertEqual([], self.places(SECRET))

    def test_values_are_struck_out_of_outputs_by_every_process(self):
        self.printing()
        self.provide(f'[api]\npassword = {{ file = "{self.kept}" }}\n')
        self.prepare()
        self.rollout()
        # Another process, which asks nobody; and then the value is another one.
        self.succeed(self.b.run("maand-plan", "restart", "api", "--overwrite", "-o", self.b.file(), "--bucket", self.b.path))
        self.succeed(self.b.apply())
        self.kept.write_text(OTHER)
        self.prepare()
        self.b.workers(WORKERS[0])
        self.rollout()
        self.assert_struck(1, 2, 3)

    def test_a_run_that_goes_on_asks_before_it_does_anything(self):
        self.job(max_concurrent_upgrades=1)
        self.provide(f'[api]\npassword = {{ file = "{self.kept}" }}\n')
        self.prepare()
        self.rollout()
        self.job("2.0.0", max_concurrent_upgrades=1)
        self.b.hold("api", WORKERS[0])
        self.succeed(self.b.plan("--on-failure", "rollback"))
        child = self.b.start_apply()
        bucket.until(lambda: len(self.b.began()) == 3, "the first target runs")
        child.kill()
        child.communicate(timeout=bucket.LIMIT)
        self.b.release("api", WORKERS[0])
        away = self.b.top / "away"
        self.kept.rename(away)
        refused = self.refuse(self.b.apply(), 1, "the secret password of secrets/job/api", "the file", "No such file")
        self.assertNotIn("rolled back", refused.out + refused.err)
        away.rename(self.kept)
        self.succeed(self.b.apply())
        self.assertEqual(["start", "restart"], [row.target for row in self.b.rows() if row.worker == WORKERS[1]])
        self.nothing_to_do()

    def test_where_plans_are_approved_nothing_of_the_workspace_runs_unseen(self):
        (self.b.top / "policy.toml").write_text(f'approvals_required = 1\nallowed_signers = "{self.b.top}/signers"\n')
        (self.b.top / "signers").write_text("")
        environment = {**self.environment, "MAAND_POLICY": str(self.b.top / "policy.toml")}
        self.b.job("api", "1.0.0", commands={"command_make": {"executed_on": ["post_build"]}})
        prepare = lambda *flags: self.b.run("maand-plan", "prepare", *flags, "--bucket", self.b.path, env=environment)
        self.refuse(prepare(), 77, "command_make of post_build", "maand-plan job-command api command_make")
        self.provide(f'password = {{ command = ["touch", "{self.b.top}/ran"] }}\n')
        self.refuse(prepare(), 77, "the command `touch", "--run-commands")
        self.assertFalse((self.b.top / "ran").exists())
        self.provide(f'password = {{ command = ["cat", "{self.kept}"] }}\n')
        self.refuse(prepare("--run-commands"), 77, "command_make of post_build")
        # A plan that is approved counts as prepared; here it is applied without the policy.
        self.succeed(self.b.run("maand-plan", "job-command", "api", "command_make", "--overwrite", "-o", self.b.file(),
                                "--bucket", self.b.path))
        self.succeed(self.b.apply())
        self.succeed(prepare("--run-commands"))
