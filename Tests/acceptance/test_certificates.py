"""Certificates of jobs: made by commands of their own, brought to workers by plans, renewed and their authority replaced while a
service answers."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import time
import unittest

import jsonschema

import bucket
import test_drain

WORKERS = ["127.0.5.11", "127.0.5.12"]
DAY = 24 * 3600


def later(days):
    return bucket.Bucket.environment(MAAND_TIME_OFFSET=str(int(days * DAY)))


class CertificateCase(bucket.Case):
    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)

    def certs(self, *words, code=0, **options):
        result = self.b.run("maand-plan", "certs", *words, "--bucket", self.b.path, **options)
        self.succeed(result, code)
        return result

    def job(self, name="web", certs=None, **manifest):
        certs = {"tls": {"subject": {"common_name": "web.example"}}} if certs is None else certs
        self.b.job(name, certs=certs, **manifest)

    def deploy(self, *flags, **options):
        self.succeed(self.b.plan(*flags, **options))
        return self.succeed(self.b.apply(**options))

    def acting(self):
        return bucket.actions(self.b.read_plan())

    def file(self, name, worker=WORKERS[0], job="web"):
        return self.b.job_dir(worker, job) / "certs" / name

    def nothing_to_do(self):
        self.succeed(self.b.plan("--detailed-exitcode", out="none.plan.yaml"))

    def openssl(self, *words):
        done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def check_pair(self, worker=WORKERS[0], name="tls"):
        """The certificate is of its key, and an authority of ca.crt has signed it."""
        crt, key = self.file(f"{name}.crt", worker), self.file(f"{name}.key", worker)
        self.assertEqual(self.openssl("x509", "-in", crt, "-noout", "-pubkey"), self.openssl("pkey", "-in", key, "-pubout"))
        self.openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", self.file("ca.crt", worker), crt)

    def names(self, worker=WORKERS[0], name="tls"):
        text = self.openssl("x509", "-in", self.file(f"{name}.crt", worker), "-noout", "-ext", "subjectAltName")
        return re.findall(r"(?:DNS|IP Address):([^,\s]+)", text)


class Issue(CertificateCase):
    def test_they_reach_the_workers_and_their_keys_nothing_else(self):
        self.job(certs={"tls": {"subject": {"common_name": "web.example"}, "names": ["10.9.8.7"]},
                        "all": {"one": True, "pkcs8": True}}, make=bucket.makefile() + "\t@cat certs/tls.key certs/ca.crt\n")
        self.b.job("client", ca=True)
        self.b.job("other")
        self.refuse(self.b.plan(), 65, "job client", "the certificate tls for 127.0.5.11 is missing", "certs issue")
        made = self.certs("issue")
        self.assertIn("web: tls for 127.0.5.12, valid until", made.err)
        self.assertIn("All certificates are there", self.certs("issue").err)
        self.deploy()
        for worker in WORKERS:
            for name in ("tls", "all"):
                self.check_pair(worker, name)
            modes = {name: stat.S_IMODE(self.file(name, worker).stat().st_mode)
                     for name in ("ca.crt", "tls.crt", "tls.key", "all.key")}
            self.assertEqual({"ca.crt": 0o644, "tls.crt": 0o644, "tls.key": 0o600, "all.key": 0o600}, modes)
            self.assertEqual(["localhost", "127.0.0.1", "web.example", "10.9.8.7", worker], self.names(worker))
            self.assertEqual(["localhost", "127.0.0.1", *WORKERS], self.names(worker, "all"))
            self.assertTrue(self.file("tls.key", worker).read_text().startswith("-----BEGIN RSA PRIVATE KEY-----"))
            self.assertTrue(self.file("all.key", worker).read_text().startswith("-----BEGIN PRIVATE KEY-----"))
            self.assertEqual(["ca.crt"], [path.name for path in self.file("", worker, "client").iterdir()])
            self.assertFalse(self.file("", worker, "other").exists())
        self.nothing_to_do()
        output = self.succeed(self.b.run("maand-apply", "output", "1", "--bucket", self.b.path)).out
        self.assertIn("BEGIN CERTIFICATE", output, "what is no secret is shown")
        for name in ("tls.key", "all.key"):
            line = self.file(name).read_text().split("\n")[5]
            self.assertNotIn(line, output)
            for folder, _, files in os.walk(self.b.path):
                if "workers" in pathlib.Path(folder).relative_to(self.b.path).parts:
                    continue
                for path in files:
                    self.assertNotIn(line.encode(), pathlib.Path(folder, path).read_bytes(), path)

    def test_a_plan_shows_them(self):
        self.job()
        self.certs("issue")
        self.succeed(self.b.plan())
        job = self.b.read_plan()["waves"][0]["jobs"][0]
        listed = json.loads(self.certs("list", "--format", "json").out)
        self.assertEqual(["ca", "job", "job"], [row["scope"] for row in listed])
        self.assertEqual({"certs/ca.crt", "certs/tls.crt"}, {c["file"] for c in job["certificates"]})
        leaf = next(c for c in job["certificates"] if c.get("worker") == WORKERS[1])
        self.assertEqual(("web.example", listed[2]["not_after"], listed[2]["fingerprint"]),
                         (leaf["common_name"], leaf["ends"], leaf["fingerprint"]))
        for form in ("text", "markdown", "html", "json"):
            shown = self.succeed(self.b.run("maand-plan", "show", self.b.file(), "--format", form, "--bucket", self.b.path)).out
            for word in ("web.example", WORKERS[1], leaf["ends"], leaf["fingerprint"].split(":")[1][:16]):
                self.assertIn(word, shown, form)
        schema = json.loads((pathlib.Path(__file__).parents[2] / "plans/schema/review.schema.json").read_text())
        jsonschema.validate(json.loads(shown), schema)
        self.assertEqual(job["certificates"][0]["fingerprint"],
                         json.loads(shown)["waves"][0]["jobs"][0]["certificates"][0]["fingerprint"])
        self.deploy()
        crt = self.openssl("x509", "-in", self.file("tls.crt", WORKERS[1]), "-noout", "-fingerprint", "-sha256")
        self.assertEqual(leaf["fingerprint"].split(":")[1], crt.split("=")[1].strip().replace(":", "").lower())
        # What a reviewer sees is what is sent.
        self.certs("renew", "--all")
        self.succeed(self.b.plan())
        shown = self.succeed(self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path)).out
        self.assertRegex(shown, r"-\[tls/127.0.5.11.key of certs/job/web, [0-9a-f]{8}\]\n +\+\[tls/127.0.5.11.key of certs/job/web, ")
        text = self.b.file().read_text()
        self.b.file().write_text(text.replace("common_name: web.example", "common_name: bank.example"))
        self.refuse(self.b.apply(), 65, "`certificates` does not list the certificates")

    def test_two_machines_make_the_same_plan(self):
        self.job()
        self.b.job("client", ca=True)
        self.certs("issue")
        self.succeed(self.b.plan())
        export = self.b.top / "catalog.yaml"
        export.write_text(self.succeed(self.b.catalog("export")).out)
        self.assertNotIn("PRIVATE KEY", export.read_text())
        elsewhere = self.b.copy(self)
        shutil.rmtree(elsewhere.path / "secrets")
        (elsewhere.path / "maand.db").unlink()
        self.succeed(elsewhere.plan("--catalog", export))
        self.assertEqual(self.b.file().read_bytes(), elsewhere.file().read_bytes())

    def test_a_new_worker_renews_nobody_elses(self):
        self.job()
        self.certs("issue")
        self.deploy()
        before = {worker: self.file("tls.crt", worker).read_bytes() for worker in WORKERS}
        self.b.workers(*WORKERS, "127.0.5.13")
        made = self.certs("issue").err
        self.assertNotIn(WORKERS[0], made)
        self.succeed(self.b.plan())
        self.assertEqual({"web": {"127.0.5.13": ("start", "first_deploy")}}, self.acting())
        self.succeed(self.b.apply())
        self.assertEqual(before, {worker: self.file("tls.crt", worker).read_bytes() for worker in WORKERS})
        self.b.workers(WORKERS[0])
        self.assertIn("All certificates are there", self.certs("issue").err)

    def test_a_name_is_a_dns_name(self):
        (self.b.workspace / "workers.json").write_text(json.dumps(
            [{"host": "db1.example.com"}, {"host": "fd00::17"}]))
        self.job()
        self.certs("issue")
        self.deploy()
        self.assertIn("db1.example.com", self.names("db1.example.com"))
        self.assertIn("FD00:0:0:0:0:0:0:17", self.names("fd00::17"))

    def test_what_the_manifest_says_now(self):
        self.job()
        self.certs("issue")
        self.deploy()
        self.job(certs={"tls": {"subject": {"common_name": "shop.example"}}})
        self.refuse(self.b.plan(), 65, "the certificate tls for 127.0.5.11 has another common name than the manifest")
        self.assertIn("outdated", self.certs("list").out)
        self.succeed(self.b.plan("--issue-certs"))
        self.assertEqual({"web": {worker: ("restart", "content_changed") for worker in WORKERS}}, self.acting())
        self.succeed(self.b.apply())
        self.assertIn("shop.example", self.names())

    def test_wrong_manifests(self):
        for certs, word in (({"ca": {}}, "not `ca`"), ({"a/b": {}}, "letters, digits"), ({"tls": {"subjekt": {}}}, "did you mean `subject`?"),
                            ({"tls": {"names": ["a b"]}}, "neither the name of a host"),
                            ({"tls": {"subject": {"common_name": "x" * 65}}}, "64 characters"),
                            ({"tls": {"one": "yes"}}, "true or false"), ([], "")):
            self.job(certs=certs)
            self.refuse(self.b.plan(), 65, "manifest.json:", word)
        self.job(certs={"tls": None, "b": {}})
        self.job(name="third", certs={}, files={"certs/own.pem": "mine\n"})
        self.succeed(self.b.plan("--issue-certs"))
        for path in ("certs/tls.crt", "certs/tls.key/x", "certs/ca.crt.tpl"):
            self.job(files={path: "mine\n"})
            self.refuse(self.b.plan(), 65, f"web/{path.removesuffix('.tpl')}", "cannot be the job's, too")
        for path in ("certs", "certs.tpl"):
            self.job(files={path: "mine\n"})
            self.refuse(self.b.plan(), 65, "`certs` is no folder")
        self.job()
        (self.b.workspace / "jobs/web/certs").mkdir()
        self.deploy("--issue-certs")
        self.check_pair()
        self.job(files={"a.tpl": '{{ get "maand/job/web/worker/127.0.5.11" "certs/tsl.crt" }}'})
        self.b.workers(WORKERS[0])
        self.refuse(self.b.plan(), 65, "certs/tsl.crt", "is no certificate of the job", "did you mean `certs/tls.crt`?")
        self.job("other", certs={}, files={"a.tpl": '{{ get "maand/worker" "certs/ca.crt" }}'})
        self.refuse(self.b.plan(), 65, "the job has no certs/ca.crt", '`"ca": true`')

    def test_their_keys_are_nobodys_to_write(self):
        self.job()
        self.certs("issue")
        key = ("certs/job/web", "tls/127.0.5.11.key", "--bucket", self.b.path)
        self.refuse(self.b.run("maand-plan", "kv", "put", *key, input="x"), 64, "cannot be written")
        self.refuse(self.b.run("maand-plan", "kv", "get", *key), 64, "--reveal")
        self.assertIn("PRIVATE KEY", self.succeed(self.b.run("maand-plan", "kv", "get", *key, "--reveal")).out)

    def test_the_bucket_s_key(self):
        self.job()
        self.certs("issue")
        self.deploy()
        self.succeed(self.b.run("maand-plan", "kv", "rotate-key", "--bucket", self.b.path))
        self.nothing_to_do()
        self.certs("renew", "--all")
        self.deploy()
        self.check_pair()
        (self.b.path / "secrets/kv.key").unlink()
        self.refuse(self.b.run("maand-plan", "certs", "renew", "--all", "--bucket", self.b.path), 65, "certs forget")
        self.certs("forget")
        self.succeed(self.b.plan("--issue-certs"))
        self.succeed(self.b.apply())
        self.check_pair()
        self.refuse(self.b.run("maand-plan", "certs", "forget", "--bucket", self.b.path), 65, "nothing is lost")

    def test_a_run_that_has_begun_keeps_its_certificates(self):
        self.job(max_concurrent_starts=1)
        self.certs("issue")
        self.b.fail("web", WORKERS[1])
        self.succeed(self.b.plan())
        self.succeed(self.b.apply(), 1)
        self.b.mend("web", WORKERS[1])
        self.b.hold("web", WORKERS[1])
        child = self.b.start_apply("--retry-failed")
        bucket.until(lambda: len(self.b.began()) > 2, "the second attempt has begun")
        child.kill()
        child.communicate()
        self.refuse(self.b.run("maand-plan", "certs", "renew", "--all", "--bucket", self.b.path), 75, "run 1 is not over")
        self.b.release("web", WORKERS[1])
        self.succeed(self.b.apply())
        self.certs("renew", "--all")


class Content(CertificateCase):
    def test_a_renewal_is_a_change_that_globs_see(self):
        self.job(restart_policy="reload", restart_globs=["certs/tls.*"])
        self.job("lazy", restart_policy="reload", restart_globs=["bin/*"])
        self.certs("issue")
        self.deploy()
        self.assertIn("No certificate is missing or due", self.certs("renew").err)
        self.certs("renew", "--all")
        self.succeed(self.b.plan())
        self.assertEqual({"web": {worker: ("restart", "glob_matched") for worker in WORKERS},
                          "lazy": {worker: ("reload", "content_changed") for worker in WORKERS}}, self.acting())
        self.succeed(self.b.apply())
        self.check_pair()
        self.nothing_to_do()

    def test_a_plan_from_before_a_renewal_is_stale(self):
        self.job()
        self.certs("issue")
        self.succeed(self.b.plan())
        self.certs("renew", "--all")
        self.refuse(self.b.apply(), 3, "tls/127.0.5.11.crt of certs/job/web", "another value")

    def test_a_rollback_keeps_what_is_valid(self):
        self.job(certs={"tls": {}}, files={"app.conf": "1\n"})
        self.certs("issue")
        self.deploy()
        self.certs("renew", "--all")
        self.job(certs={"tls": {}}, files={"app.conf": "2\n"})
        self.deploy()
        now = self.file("tls.crt").read_bytes()
        self.certs("renew", "--all")
        self.succeed(self.b.run("maand-plan", "rollback", "2", "--overwrite", "-o", self.b.file(), "--bucket", self.b.path))
        self.assertIn("certificates", self.b.file().read_text())
        self.succeed(self.b.apply())
        self.assertEqual("1\n", (self.b.job_dir(WORKERS[0], "web") / "app.conf").read_text())
        self.assertNotEqual(now, self.file("tls.crt").read_bytes())
        self.check_pair()

    def test_templates_find_them_where_maand_has_them(self):
        both = ('{{ get (printf "maand/job/%s/worker/%s" .Job .WorkerIP) "certs/tls.crt" }}'
                '{{ get (printf "maand/job/%s/worker/%s" .Job .WorkerIP) "certs/tls.key" }}'
                '{{ get "maand/worker" "certs/ca.crt" }}')
        self.job(files={"both.pem.tpl": both})
        self.certs("issue")
        self.deploy()
        parts = [self.file(name).read_text() for name in ("tls.crt", "tls.key", "ca.crt")]
        path = self.b.job_dir(WORKERS[0], "web") / "both.pem"
        self.assertEqual("".join(parts), path.read_text())
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))

    def test_hooks_find_them_where_maand_has_them(self):
        self.job(commands={"command_look": {"executed_on": ["post_deploy"]}})
        self.b.write("jobs/web/_modules/command_look.py", """\
import hashlib, os, sys
import maand
worker = os.environ["ALLOCATION_IP"]
for namespace, key in ((f"maand/job/web/worker/{worker}", "certs/tls.crt"), (f"maand/job/web/worker/{worker}", "certs/tls.key"),
                       ("maand/worker", "certs/ca.crt")):
    text = maand.kv_get(namespace, key).json()["value"]
    print(key, hashlib.sha256(text.encode()).hexdigest())
    print(text)
""")
        self.certs("issue")
        self.deploy()
        output = self.succeed(self.b.run("maand-apply", "output", "1", "--bucket", self.b.path)).out

        for name in ("tls.crt", "tls.key", "ca.crt"):
            self.assertIn(hashlib.sha256(self.file(name).read_bytes()).hexdigest(), output)
        self.assertIn(self.file("tls.crt").read_text().split("\n")[3], output)
        self.assertNotIn(self.file("tls.key").read_text().split("\n")[3], output)

    def test_modes_of_the_manifest(self):
        self.job(file_modes={"certs/*.key": "0640"})
        self.certs("issue")
        self.deploy()
        self.assertEqual(0o640, stat.S_IMODE(self.file("tls.key").stat().st_mode))


class Ends(CertificateCase):
    def setUp(self):
        super().setUp()
        self.job()
        self.certs("issue")
        self.deploy()

    def test_a_certificate_that_ends(self):
        self.nothing_to_do()
        warned = self.succeed(self.b.plan(env=later(45)))
        self.assertIn("certificates end soon: web: tls for 127.0.5.11", warned.err)
        self.assertIn("expiring", self.certs("list", env=later(45)).out)
        # What is not sent is only told, so that other work can be planned.
        self.assertIn("certificates are over", self.succeed(self.b.plan("--detailed-exitcode", env=later(61))).err)
        self.refuse(self.b.plan("--force", env=later(61)), 65, "certificates are over", "--issue-certs")
        self.succeed(self.b.plan("--force"))
        self.refuse(self.b.apply(env=later(61)), 65, "nothing was touched", "tls.crt for 127.0.5.11 is valid until")
        self.succeed(self.b.plan("--issue-certs", env=later(61)))
        self.succeed(self.b.apply(env=later(61)))
        self.nothing_to_do()

    def test_days_of_the_configuration(self):
        with open(self.b.path / "maand.conf", "a") as conf:
            conf.write("certs_ttl = 10\ncerts_renewal_buffer = 9\n")
        self.certs("renew", "--all")
        row = json.loads(self.certs("list", "--format", "json").out)[1]
        self.assertEqual((9, "ok"), (row["days_left"], row["status"]))
        self.assertIn("No certificate is missing or due", self.certs("renew").err)
        self.assertIn("127.0.5.11", self.certs("renew", env=later(1.1)).err)
        with open(self.b.path / "maand.conf", "a") as conf:
            conf.write("")
        text = (self.b.path / "maand.conf").read_text().replace("buffer = 9", "buffer = 10")
        (self.b.path / "maand.conf").write_text(text)
        self.refuse(self.b.plan(), 65, "certs_renewal_buffer")

    def test_an_authority_that_ends(self):
        old = self.file("ca.crt").read_bytes()
        near, over = later(3600), later(3651)
        self.certs("renew", env=near)
        self.deploy(env=near)
        self.assertIn("ends in 49 days", self.succeed(self.b.plan(env=near)).err)
        self.assertIn("is over", self.succeed(self.b.plan(env=over)).err)
        self.refuse(self.b.plan("--force", env=over), 65, "the certificate authority", "is over", "certs ca new")
        self.refuse(self.b.run("maand-plan", "certs", "renew", "--bucket", self.b.path, env=over), 65, "certs ca new")
        self.assertIn("--issue-certs", self.certs("ca", "new", env=over).err)
        self.succeed(self.b.plan("--issue-certs", env=over))
        self.succeed(self.b.apply(env=over))
        self.assertNotEqual(old, self.file("ca.crt").read_bytes())

    def test_steps_of_a_replacement_wait_for_the_workers(self):
        ca = ("maand-plan", "certs", "ca")
        self.refuse(self.b.run(*ca, "use", "--bucket", self.b.path), 65, "certs ca new")
        self.certs("ca", "new")
        self.refuse(self.b.run(*ca, "new", "--bucket", self.b.path), 65, "certs ca use")
        self.refuse(self.b.run(*ca, "use", "--bucket", self.b.path), 65, "web on 127.0.5.11", "do not trust the new authority yet", "deploy first")
        self.deploy()
        self.assertEqual(2, self.file("ca.crt").read_text().count("BEGIN CERTIFICATE"))
        self.certs("ca", "use")
        self.nothing_to_do()
        self.refuse(self.b.run(*ca, "drop", "--bucket", self.b.path), 65, "certs renew")
        self.certs("renew")
        self.refuse(self.b.run(*ca, "drop", "--bucket", self.b.path), 65, "web on 127.0.5.11")
        self.deploy()
        self.certs("ca", "drop")
        self.deploy()
        self.assertEqual(self.certs("ca", "show").out, self.file("ca.crt").read_text())
        self.check_pair()
        self.refuse(self.b.run(*ca, "drop", "--bucket", self.b.path), 65, "certs ca new")


    def test_a_job_that_comes_back_trusts_what_is_trusted_now(self):
        self.b.job("client", ca=True)
        self.certs("issue")
        self.deploy()
        shutil.rmtree(self.b.workspace / "jobs/client")
        self.deploy()
        self.certs("ca", "new")
        self.b.job("client", ca=True)
        self.deploy()
        self.assertEqual(self.certs("ca", "show").out, self.file("ca.crt", job="client").read_text())
        self.certs("ca", "use")

    def test_an_authority_that_ends_while_it_is_replaced(self):
        near, over = later(3600), later(3652)
        self.certs("renew", env=near)
        self.deploy(env=near)
        self.certs("ca", "new", env=near)
        # Nothing of the new one is deployed, and the old one is over: the advice leads on.
        self.refuse(self.b.plan("--force", env=over), 65, "is over", "certs ca use")
        self.certs("ca", "use", env=over)
        self.deploy("--issue-certs", env=over)
        self.check_with_date(over)
        self.certs("ca", "drop", env=over)
        self.deploy(env=over)

    def check_with_date(self, env):
        at = str(int(time.time()) + int(env["MAAND_TIME_OFFSET"]))
        self.openssl("verify", "-attime", at, "-CAfile", self.file("ca.crt"), self.file("tls.crt"))

    def test_a_former_authority_that_ends_is_in_nobodys_way(self):
        near, over = later(3600), later(3651)
        self.certs("renew", env=near)
        self.deploy(env=near)
        self.certs("ca", "new", env=near)
        self.deploy(env=near)
        self.certs("ca", "use", env=near)
        self.certs("renew", env=near)
        self.deploy(env=near)
        # A renewal that is not deployed yet is of the new authority as well.
        self.certs("renew", "--all", env=near)
        self.certs("ca", "show", env=near)
        self.deploy("--force", env=over)
        self.check_with_date(over)
        self.certs("ca", "drop", env=over)

    def test_certificates_of_before_are_renewed_as_long_as_they_can_come_back(self):
        self.job(certs={"other": {}})
        self.deploy("--issue-certs")
        back = ("maand-plan", "rollback", "2", "--overwrite", "-o", self.b.file(), "--bucket", self.b.path)
        self.refuse(self.b.run(*back, env=later(61)), 65, "certs/tls.crt for 127.0.5.11", "certs renew")
        self.assertIn("tls for 127.0.5.11", self.certs("renew", env=later(61)).err)
        self.succeed(self.b.run(*back, env=later(61)))
        self.succeed(self.b.apply(env=later(61)))
        self.check_with_date(later(61))

    def test_hooks_of_before_find_the_certificates_of_their_files(self):
        def release(certs, name):
            self.job(certs=certs, commands={"command_look": {"executed_on": ["pre_deploy", "post_deploy"]}})
            self.b.write("jobs/web/_modules/command_look.py", f"""\
import hashlib, os
import maand
text = maand.get_kv_value("maand/job/web/worker/" + os.environ["ALLOCATION_IP"], "certs/{name}.crt")
print(os.environ["ALLOCATION_IP"], hashlib.sha256(text.encode()).hexdigest())
""")
            self.certs("issue")
            self.deploy()
        release({"tls": {}}, "tls")
        release({"tls": {"one": True}}, "tls")
        release({"new": {}}, "new")
        for run in (4, 3):
            self.succeed(self.b.run("maand-plan", "rollback", run, "--overwrite", "-o", self.b.file(), "--bucket", self.b.path))
            self.succeed(self.b.apply())
            output = self.succeed(self.b.run("maand-apply", "output", "--bucket", self.b.path)).out
            for worker in WORKERS:
                digest = hashlib.sha256(self.file("tls.crt", worker).read_bytes()).hexdigest()
                self.assertIn(f"{worker} {digest}", output)
            self.check_pair()

    def test_kept_certificates_are_renewed_where_no_manifest_asks_for_any(self):
        self.job(certs={})
        self.refuse(self.b.plan("--on-failure", "rollback", env=later(61)), 65, "certs renew")
        self.assertIn("tls for 127.0.5.11", self.certs("renew", env=later(61)).err)
        self.succeed(self.b.plan("--on-failure", "rollback", env=later(61)))

    def test_near_the_end_of_the_authority_nothing_is_renewed_again_and_again(self):
        near = later(3634)
        self.certs("renew", env=near)
        self.assertIn("No certificate is missing or due", self.certs("renew", env=near).err)
        self.assertIn("ends in 15 days", self.succeed(self.b.plan(env=near)).err)

    def test_a_way_back_has_certificates_that_are_trusted(self):
        self.job(certs={"other": {}})
        self.certs("issue")
        self.refuse(self.b.plan("--on-failure", "rollback", env=later(61)), 65, "certs/", "certs renew")
        self.succeed(self.b.plan("--on-failure", "rollback", "--issue-certs", env=later(61)))

    def test_one_for_all_in_the_place_of_one_for_each(self):
        both = ('{{ get (printf "maand/job/%s/worker/%s" .Job .WorkerIP) "certs/tls.crt" }}')
        self.job(files={"both.pem.tpl": both})
        self.deploy()
        self.job(certs={"tls": {"one": True}}, files={"both.pem.tpl": both})
        self.deploy("--issue-certs")
        path = self.b.job_dir(WORKERS[0], "web") / "both.pem"
        self.assertEqual(self.file("tls.crt").read_text(), path.read_text())
        self.assertEqual(self.file("tls.crt").read_bytes(), self.file("tls.crt", WORKERS[1]).read_bytes())
        for step in (["ca", "new"], ["ca", "use"], ["renew"], ["ca", "drop"]):
            self.certs(*step)
            self.succeed(self.b.plan())
            self.succeed(self.b.apply())
        self.check_pair()

    def test_what_cannot_be_planned_changes_nothing(self):
        export = self.b.top / "catalog.yaml"
        export.write_text(self.succeed(self.b.catalog("export")).out)
        before = self.certs("list").out
        self.refuse(self.b.plan("--issue-certs", "--catalog", export, env=later(61)), 64, "--catalog")
        self.refuse(self.b.run("maand-plan", "deploy", "--issue-certs", "-o", export, "--bucket", self.b.path, env=later(61)),
                    64, "is there already")
        self.assertEqual(before, self.certs("list").out)

    def test_short_lives(self):
        with open(self.b.path / "maand.conf", "a") as conf:
            conf.write("certs_ttl = 1\n")
        self.certs("renew", "--all")
        self.assertIn("No certificate is missing or due", self.certs("renew", env=later(0.5)).err)
        self.assertIn("tls for 127.0.5.11", self.certs("renew", env=later(0.7)).err)

    def test_what_does_not_run_holds_no_replacement_up(self):
        self.b.job("late", ca=True)
        self.certs("issue")
        self.deploy()
        self.b.write("disabled.json", json.dumps({"jobs": {"web": {"allocations": [WORKERS[1]]}}}))
        shutil.rmtree(self.b.workspace / "jobs/late")
        self.deploy()
        for step in (["ca", "new"], ["ca", "use"], ["renew"], ["ca", "drop"]):
            self.certs(*step)
            self.succeed(self.b.plan())
            self.succeed(self.b.apply())
        (self.b.workspace / "disabled.json").unlink()
        self.b.job("late", ca=True)
        self.deploy()
        self.check_pair(WORKERS[1])
        self.assertEqual(self.certs("ca", "show").out, self.file("ca.crt", WORKERS[0], "late").read_text())


SERVER = """\
global
  ssl-load-extra-del-ext
  stats socket unix@haproxy.sock mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend web
  bind {{ .WorkerIP }}:%(port)d ssl crt certs/tls.crt
  http-request return status 200 content-type text/plain string "ok"
"""
MAKE = """\
.PHONY: start stop restart reload
start restart: ; test -e haproxy.pid && kill -TERM $$(cat haproxy.pid); %(haproxy)s -W -D -f haproxy.cfg -p haproxy.pid
reload: ; %(haproxy)s -c -q -f haproxy.cfg && kill -USR2 $$(cat haproxy.pid)
stop: ; kill -TERM $$(cat haproxy.pid); rm -f haproxy.pid
"""


class Load:
    """Clients that verify: a connection and a request after the other, each with the authorities that its worker's job has now."""

    def __init__(self, port, authorities):
        self.port, self.authorities = port, authorities
        self.done, self.failed, self.over = 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(worker,)) for worker in WORKERS for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def ask(self, worker):
        while not self.over.is_set():
            try:
                assert self.request(worker, self.authorities(worker)) == b"ok"
                self.done += 1
            except (OSError, AssertionError) as error:
                self.failed.append((time.time(), worker, repr(error)))
            time.sleep(0.005)

    def request(self, worker, authorities):
        context = ssl.create_default_context(cafile=authorities)
        with socket.create_connection((worker, self.port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname=worker) as secure:
                secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b""
                while more := secure.recv(4096):
                    answer += more
        return answer.split(b"\r\n\r\n", 1)[1]

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


@unittest.skipUnless(test_drain.HAPROXY, "haproxy is not installed")
class UnderLoad(CertificateCase):
    @bucket.alone
    def test_no_request_fails_while_certificates_and_their_authority_are_replaced(self):
        port = 21443
        check = (f"curl -fsS --max-time 2 --cacert jobs/web/certs/ca.crt https://$(cat jobs/web/address):{port}/")
        self.job(make=MAKE % {"haproxy": test_drain.HAPROXY}, restart_policy="reload", max_concurrent_upgrades=1,
                 files={"haproxy.cfg.tpl": SERVER % {"port": port}, "address.tpl": "{{ .WorkerIP }}"},
                 health_check={"checks": [{"type": "ssh", "command": check}], "wait": {"attempts": 30, "interval_seconds": 1}})
        self.b.job("client", ca=True, restart_policy="never")
        self.certs("issue")
        self.deploy()
        self.addCleanup(self.b.end_processes)
        first = self.b.top / "first.crt"
        shutil.copy(self.file("ca.crt"), first)
        load = Load(port, lambda worker: str(self.file("ca.crt", worker, "client")))
        try:
            for step in (["renew", "--all"], ["ca", "new"], ["ca", "use"], ["renew"], ["ca", "drop"]):
                self.certs(*step)
                if step != ["ca", "use"]:
                    self.deploy()
            count = load.done
            bucket.until(lambda: load.done > count + 50, "more requests")
        finally:
            load.end()
        self.assertEqual([], load.failed[:5])
        self.assertGreater(load.done, 200)
        with self.assertRaises(ssl.SSLError):  # The clients do look.
            load.request(WORKERS[0], str(first))
        self.assertEqual(1, self.file("ca.crt").read_text().count("BEGIN"))
        print(f"{load.done} requests over https, none failed")


if __name__ == "__main__":
    unittest.main()
