"""Approvals: real keys, real signatures, real policies; everything that is not approved is refused with 77."""
import json
import os
import pathlib
import shutil
import subprocess
import time

import jsonschema

import bucket

SCHEMA = jsonschema.Draft202012Validator(json.loads(
    (pathlib.Path(__file__).resolve().parents[2] / "plans/schema/approvals.schema.json").read_text()))

WORKERS = ["127.0.10.1", "127.0.10.2", "127.0.10.3"]


def keygen(*arguments, stdin=None):
    return subprocess.run(["ssh-keygen", *map(str, arguments)], input=stdin, check=True, capture_output=True).stdout


class Approved(bucket.Case):
    """A bucket with a plan, and beside it (not in it) a policy with the keys of four people."""

    def setUp(self):
        self.b = b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api")
        self.keys = b.top / "keys"
        self.etc = b.top / "etc"
        self.keys.mkdir()
        self.etc.mkdir(mode=0o755)
        for name in ("alice", "bob", "carol", "dave"):
            keygen("-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.keys / name)
        self.signers(alice="alice", bob="bob", carol="carol")
        self.policy()
        self.environment = {**os.environ, "MAAND_POLICY": str(self.etc / "policy.toml")}
        self.succeed(b.plan())

    def public(self, key):
        return " ".join((self.keys / f"{key}.pub").read_text().split()[:2])

    def etc_file(self, name, text):
        (self.etc / name).write_text(text)
        (self.etc / name).chmod(0o644)

    def signers(self, *lines, **people):
        rows = [f"{name} {self.public(key)}" for name, key in people.items()]
        self.etc_file("allowed_signers", "\n".join([*lines, *rows]) + "\n")

    def policy(self, number=2, more=""):
        self.etc_file("policy.toml", f'approvals_required = {number}\nallowed_signers = "allowed_signers"\n{more}')

    def sign(self, key, file=None, plan="a.plan.yaml", namespace="maand-plan", content=None):
        folder = self.b.file(plan + ".sig.d")
        folder.mkdir(exist_ok=True)
        content = self.b.file(plan).read_bytes() if content is None else content
        signature = keygen("-Y", "sign", "-q", "-n", namespace, "-f", self.keys / key, stdin=content)
        path = folder / f"{file or key}.sig"
        path.write_bytes(signature)
        return path

    def apply(self, *flags, env=None, **options):
        return self.b.apply(*flags, env={**self.environment, **(env or {})}, **options)

    def approvals(self, *flags):
        return self.b.run("maand-plan", "approvals", self.b.file(), "--bucket", self.b.path, *flags, env=self.environment)

    def not_approved(self, *words, flags=(), **options):
        """Refused by maand-apply, with nothing touched."""
        before = self.b.began()
        result = self.refuse(self.apply(*flags, **options), 77, *words)
        self.assertEqual(self.b.began(), before)
        return result


class Attacks(Approved):
    def test_two_people_approve(self):
        result = self.not_approved("asks for 2 approvals", "none that counts", "ssh-keygen -Y sign")
        self.assertIn("nothing was touched", result.err)
        self.assertFalse((self.b.path / "workers").exists())
        self.sign("alice")
        self.not_approved("there is 1, by alice")
        shown = self.succeed(self.approvals(), 77).out
        self.assertRegex(shown, r"✓\s+alice\s+\d{4}-\d\d-\d\dT.*Z\s+SHA256:\S+\s+alice.sig")
        self.assertIn("1 of 2 approvals: 1 missing.", shown)
        self.sign("bob")
        shown = self.succeed(self.approvals()).out
        self.assertIn("2 of 2 approvals.", shown)
        data = json.loads(self.succeed(self.approvals("--format", "json")).out)
        self.assertEqual(([a["principal"] for a in data["approvals"]], data["approved"]), (["alice", "bob"], True))
        self.assertEqual([error.message for error in SCHEMA.iter_errors(data)], [])
        self.assertNotIn("Nobody's approval", self.succeed(self.apply()).out)
        history = self.succeed(self.b.run("maand-apply", "history", "--bucket", self.b.path)).out
        self.assertIn("approved by alice (SHA256:", history)
        self.assertIn("bob (SHA256:", history)
        self.assertIn("policy sha256:", history)
        # Done: nothing is touched, so nothing has to be approved.
        shutil.rmtree(self.b.file("a.plan.yaml.sig.d"))
        self.succeed(self.apply())

    def test_without_a_policy_nothing_is_asked(self):
        self.sign("dave")
        shown = self.succeed(self.b.run("maand-plan", "approvals", self.b.file()))
        self.assertIn("dave.sig: signed by SHA256:", shown.out)
        self.assertIn("no approval policy", shown.out)
        data = json.loads(self.b.run("maand-plan", "approvals", self.b.file(), "--format", "json").out)
        self.assertEqual([error.message for error in SCHEMA.iter_errors(data)], [])
        line = "Nobody's approval was asked for: this host has no approval policy."
        self.assertEqual(self.succeed(self.b.apply()).out.splitlines().count(line), 1)

    def test_an_edit_after_approval(self):
        self.sign("alice")
        self.sign("bob")
        plan = self.b.file().read_text()
        self.b.file().write_text(plan.replace("on_failure: stop", "on_failure: continue"))
        self.assertNotEqual(plan, self.b.file().read_text())
        self.not_approved("alice.sig: it is no signature of this plan", "bob.sig: it is no signature of this plan")

    def test_a_signature_over_another_plan(self):
        self.succeed(self.b.plan("--force", "--start-before", "2100-01-01T00:00Z", out="b.plan.yaml"))
        self.sign("alice", content=self.b.file("b.plan.yaml").read_bytes())
        self.sign("bob")
        self.not_approved("alice.sig: it is no signature of this plan")

    def test_a_signature_for_another_purpose(self):
        self.sign("alice", namespace="git")
        self.sign("bob")
        self.not_approved("alice.sig: it is no signature of this plan for `maand-plan`")

    def test_what_is_no_signature(self):
        # Larger than a pipe holds, so that ssh-keygen ends before it has read all of the plan.
        self.b.job("api", files={f"conf/{n:04}.conf": f"{n}\n" for n in range(1500)})
        self.succeed(self.b.plan())
        self.assertGreater(self.b.file().stat().st_size, 1 << 17)
        self.sign("bob")
        folder = self.b.file("a.plan.yaml.sig.d")
        (folder / "\x1b[2Jalice.sig").write_bytes(b"-----BEGIN SSH SIGNATURE-----\nAAAA\n")
        (folder / "huge.sig").write_bytes(bytes(1 << 17))
        os.mkfifo(folder / "pipe.sig")
        (folder / "README").write_text("no signature\n")
        result = self.not_approved("\\u{1b}[2Jalice.sig", "huge.sig: it is larger", "pipe.sig: it is not a regular file")
        self.assertNotIn("\x1b", result.err)
        self.assertNotIn("README", result.err)
        self.sign("alice")
        self.succeed(self.apply())

    def test_an_expired_key_and_one_that_is_not_valid_yet(self):
        self.signers(f'alice valid-before="20200101" {self.public("alice")}',
                     f'bob valid-after="21000101" {self.public("bob")}', carol="carol")
        for name in ("alice", "bob", "carol"):
            self.sign(name)
        self.not_approved("alice.sig: the key SHA256:", "is not valid now", "bob.sig: the key SHA256:", "by carol")

    def test_a_key_that_expires(self):
        """The time that counts is that of maand-apply, and not that of ssh-keygen."""
        end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 3600))
        self.signers(f'alice valid-before="{end}" {self.public("alice")}', bob="bob")
        self.sign("alice")
        self.sign("bob")
        self.not_approved("alice.sig: the key SHA256:", "is not valid now", env={"MAAND_TIME_OFFSET": "7200", "TZ": "Asia/Tokyo"})
        self.succeed(self.apply(env={"TZ": "Asia/Tokyo"}))

    def test_no_moved_clock_brings_an_expired_key_back_for_users(self):
        self.b.as_users()
        begin, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + away)) for away in (-9000, -3600))
        self.signers(f'alice valid-after="{begin}",valid-before="{end}" {self.public("alice")}', bob="bob")
        self.sign("alice")
        self.sign("bob")
        moved = {"MAAND_TIME_OFFSET": "-7200"}
        self.not_approved("alice.sig: the key SHA256:", "is not valid now", env=moved)
        # The same words to a program with test hooks count: the variable is the right one.
        self.b.bin = bucket.BIN
        self.succeed(self.apply(env=moved))

    def test_a_key_for_another_purpose_only(self):
        self.signers(f'alice namespaces="git" {self.public("alice")}', bob="bob")
        self.sign("alice")
        self.sign("bob")
        self.not_approved("alice.sig: ", "by bob")

    def test_a_revoked_key(self):
        self.sign("alice")
        self.sign("bob")
        self.policy(more='revocations = "revoked"\n')
        for kind in ("list", "krl"):
            if kind == "krl":
                keygen("-q", "-k", "-f", self.etc / "revoked", self.keys / "bob.pub")
                (self.etc / "revoked").chmod(0o644)
            else:
                self.etc_file("revoked", self.public("bob") + "\n")
            self.not_approved("bob.sig: the key SHA256:", "of bob is revoked", "by alice")
        krl = (self.etc / "revoked").read_bytes()
        self.etc_file("revoked", self.public("carol") + "\n")
        self.succeed(self.apply())
        self.b.job("api", "2.0.0")
        self.succeed(self.b.plan())
        self.sign("alice")
        self.sign("bob")
        for content, words in (
                (b"# old\n" + self.public("carol").encode() + b"\nwhat\n", "revoked:3: the line is no public key"),
                (b"# old\r" + self.public("bob").encode() + b"\r", "revoked:1: the line has a control character"),
                (b"\0" + self.public("bob").encode(), "revoked:1: the line has a control character"),
                (krl[:60], "revoked is a KRL that was cut off"),
                (krl[:-70] + bytes(70), "revoked is a KRL")):
            (self.etc / "revoked").write_bytes(content)
            result = self.not_approved(words, "no approval counts")
            self.assertNotIn("alice.sig", result.err)

    def test_a_key_that_stands_for_another_purpose_first(self):
        git = f'alice-git namespaces="git" {self.public("alice")}'
        self.sign("alice")
        self.sign("bob")
        self.signers(git, bob="bob")
        result = self.not_approved("alice.sig: the key SHA256:", "of alice-git is not allowed for this", "by bob")
        self.assertNotIn("\\u{d}", result.err)
        self.signers(git, alice="alice", bob="bob")
        self.succeed(self.apply())

    def test_the_same_person_twice(self):
        self.signers(f"alice {self.public('carol')}", f"Alice {self.public('dave')}", alice="alice")
        for name in ("alice", "carol", "dave"):
            self.sign(name)
        self.not_approved("carol.sig: the same person as alice.sig (alice)", "dave.sig: the same person")

    def test_the_same_key_under_two_names(self):
        self.signers(alice="alice", bob="alice")
        self.sign("alice", "first")
        self.sign("alice", "second")
        self.not_approved("second.sig: the same key as first.sig (alice)", "there is 1, by alice")

    def test_a_pattern_stands_for_nobody(self):
        self.signers(f"*@example.org {self.public('bob')}", f"carol,dave {self.public('carol')}",
                     f"d?ve {self.public('dave')}", alice="alice")
        for name in ("alice", "bob", "carol", "dave"):
            self.sign(name)
        self.not_approved("bob.sig: the key SHA256:", "under a pattern or several names", "carol.sig", "dave.sig", "by alice")

    def test_an_unknown_key(self):
        self.sign("alice")
        self.sign("dave")
        self.not_approved("dave.sig: the key SHA256:", "is not in allowed_signers")

    def test_symbolic_links(self):
        self.sign("alice")
        bob = self.sign("bob")
        folder = self.b.file("a.plan.yaml.sig.d")
        # a signature
        bob.rename(self.b.top / "bob.sig")
        bob.symlink_to(self.b.top / "bob.sig")
        self.not_approved("bob.sig: it is a symbolic link")
        bob.unlink()
        (self.b.top / "bob.sig").rename(bob)
        # the folder of signatures
        folder.rename(self.b.top / "elsewhere")
        folder.symlink_to(self.b.top / "elsewhere")
        self.not_approved("is a symbolic link. Name the folder itself")
        # ... and named as it is, it serves
        folder.unlink()
        self.not_approved("none that counts")
        # the plan
        self.b.file().rename(self.b.top / "real.plan.yaml")
        self.b.file().symlink_to(self.b.top / "real.plan.yaml")
        self.not_approved("is a symbolic link. Name the plan itself", flags=("--signatures", self.b.top / "elsewhere"))
        # the policy, its folder, its lists
        policy = self.etc / "policy.toml"
        policy.rename(self.etc / "real.toml")
        policy.symlink_to(self.etc / "real.toml")
        options = {"plan": "real.plan.yaml", "flags": ("--signatures", self.b.top / "elsewhere")}
        self.not_approved("policy.toml is a symbolic link", **options)
        policy.unlink()
        (self.etc / "real.toml").rename(policy)
        (self.b.top / "link").symlink_to(self.etc)
        self.not_approved("symbolic link", env={"MAAND_POLICY": str(self.b.top / "link/policy.toml")}, **options)
        signers = self.etc / "allowed_signers"
        signers.rename(self.etc / "real")
        signers.symlink_to(self.etc / "real")
        self.not_approved("allowed_signers is a symbolic link", **options)
        signers.unlink()
        (self.etc / "real").rename(signers)
        self.succeed(self.apply("--signatures", self.b.top / "elsewhere", plan="real.plan.yaml"))

    def test_standard_input_needs_named_signatures(self):
        self.sign("alice")
        self.sign("bob")
        def piped(*flags):
            with open(self.b.file()) as plan:
                done = subprocess.run([os.path.join(bucket.BIN, "maand-apply"), "-", "--bucket", self.b.path, *flags],
                                      stdin=plan, capture_output=True, text=True, env=self.environment, timeout=bucket.LIMIT)
            return bucket.Result(done.returncode, done.stdout, done.stderr)
        self.refuse(piped(), 77, "none that counts")
        self.succeed(piped("--signatures", self.b.file("a.plan.yaml.sig.d")))


class Policies(Approved):
    def test_bad_policies(self):
        self.sign("alice")
        self.sign("bob")
        path = self.etc / "policy.toml"
        for text, words in (
                ("approvals_required = 2\n", ["policy.toml:1:1: error: `allowed_signers` is missing"]),
                ('allowed_signers = "allowed_signers"\n', ["`approvals_required` is missing"]),
                ('approvals_required = 2\nallowed_signers = "allowed_signers"\n\n  approval_required = 1\n',
                 ["policy.toml:4:3: error: `approval_required` is not a known key", "did you mean `approvals_required`"]),
                ('approvals_required = -1\nallowed_signers = "a"\n', ["policy.toml:1:1", "whole number from 0 to 32"]),
                ('approvals_required = 2\nallowed_signers = "a"\nmax_age = "soon"\n', ["policy.toml:3:1", "`max_age`"]),
                ('approvals_required = 2\nallowed_signers = "a"\nmay_override = "root"\n', ["policy.toml:3:1", "list of texts"]),
                ('approvals_required = 2\nallowed_signers = "a"\n[jobs]\napi = 2\n', ["policy.toml:4:1: error: `api`", "from 3"]),
                ('approvals_required = 2\nallowed_signers = "a"\n[jobs]\nx = 3\n[tags]\nproduction = 3\n',
                 ["policy.toml:6:1: error: `production` is no tag"]),
                ('approvals_required = 2\nallowed_signers = "a"\njobs = 3\n', ["policy.toml:3:1", "table, `[jobs]`"]),
                ('approvals_required = 2\nallowed_signers = "nowhere"\n', ["nowhere is missing"]),
                ('approvals_required = 2\napprovals_required = 1\nallowed_signers = "a"\n', ["policy.toml:2:", "not TOML"]),
                ("# " + "x" * 70000 + "\n", ["policy.toml is larger than 64 KiB"])):
            path.write_text(text)
            self.not_approved(*words)
            self.refuse(self.approvals(), 77, *words)
        path.unlink()
        self.not_approved("policy.toml is missing")

    def test_who_may_write_the_policy(self):
        self.sign("alice")
        self.sign("bob")
        for path, mode in ((self.etc / "policy.toml", 0o664), (self.etc / "allowed_signers", 0o646), (self.etc, 0o777)):
            usual = path.stat().st_mode & 0o7777
            path.chmod(mode)
            self.not_approved("others" if path != self.etc else "where others may write")
            path.chmod(usual)
        inside = self.b.path / "policy.toml"
        shutil.copy(self.etc / "policy.toml", inside)
        inside.chmod(0o644)
        self.not_approved("lies in the bucket", env={"MAAND_POLICY": str(inside)})
        repository = self.b.top / "repository"
        repository.mkdir()
        self.b.workspace.rename(repository / "workspace")
        self.b.workspace.symlink_to(repository / "workspace")
        for name in ("policy.toml", "allowed_signers"):
            shutil.copy(self.etc / name, repository / "workspace" / name)
            (repository / "workspace" / name).chmod(0o644)
        self.not_approved("lies in the bucket's workspace",
                          env={"MAAND_POLICY": str(repository / "workspace/policy.toml")})
        self.not_approved("absolute path", env={"MAAND_POLICY": "../etc/policy.toml"})
        if os.geteuid() == 0:
            os.chown(self.etc / "policy.toml", 12345, 12345)
            self.not_approved("belongs to the user 12345")
            os.chown(self.etc / "policy.toml", 0, 0)
        self.succeed(self.apply())

    def test_higher_numbers(self):
        self.b.write("workers.json", json.dumps([
            {"host": host, "tags": {"zone": zone, "environment": "production" if zone == "b" else "test"}}
            for host, zone in zip(WORKERS, "aab")]))
        self.succeed(self.b.plan())
        self.sign("alice")
        self.sign("bob")
        for more, why in (("[jobs]\napi = 3\n", "job api"), ('[tags]\n"zone=b" = 3\n', f"worker {WORKERS[2]} (zone=b)"),
                          ('[tags]\n"environment=production" = 3\n', f"worker {WORKERS[2]} (environment=production)")):
            self.policy(more=more)
            self.not_approved("asks for 3 approvals", why)
            self.assertIn(why, self.succeed(self.approvals(), 77).out)
        self.policy(more='[jobs]\nother = 3\n[tags]\n"zone=c" = 4\n')
        self.not_approved("asks for 4 approvals", "new to the catalog and not in `untagged_hosts`")
        self.policy(more='untagged_hosts = ["127.*"]\n[jobs]\nother = 3\n[tags]\n"zone=c" = 4\n')
        self.succeed(self.apply())
        # A worker that has left takes its tags with it, and counts as having all.
        self.b.write("workers.json", json.dumps([{"host": host} for host in WORKERS[:2]]))
        self.succeed(self.b.plan())
        self.sign("alice")
        self.sign("bob")
        self.not_approved("asks for 4 approvals", "its tags are unknown")

    def tagged(self, **tags):
        self.b.write("workers.json", json.dumps(
            [{"host": host, **({"tags": tags} if tags and host == WORKERS[2] else {})} for host in WORKERS]))

    def test_a_tag_that_is_left_out(self):
        """What the plan, the workspace and the catalog say counts together."""
        more = 'untagged_hosts = ["127.*"]\n[tags]\n"environment=production" = 3\n'
        why = ("asks for 3 approvals", f"worker {WORKERS[2]} (environment=production)")
        self.policy(more=more)
        self.tagged(environment="production")
        self.succeed(self.b.plan())
        for name in ("alice", "bob"):
            self.sign(name)
        self.not_approved(*why)
        # Left out of the plan, and not of the workspace.
        plan = self.b.file().read_text()
        self.assertIn("environment: production", plan)
        self.tagged()
        self.succeed(self.b.plan())
        self.assertNotIn("production", self.b.file().read_text())
        for name in ("alice", "bob"):
            self.sign(name)
        self.tagged(environment="production")
        self.not_approved(*why)
        self.assertIn(why[1], self.succeed(self.approvals(), 77).out)
        self.b.file().write_text(plan)
        for name in ("alice", "bob", "carol"):
            self.sign(name)
        self.succeed(self.apply())
        # Left out of both: the catalog remembers it until a plan without it was approved by as many.
        self.tagged(environment="test")
        self.b.job("api", "2.0.0")
        self.succeed(self.b.plan())
        for name in ("alice", "bob"):
            self.sign(name)
        self.b.file("a.plan.yaml.sig.d/carol.sig").unlink()
        self.not_approved(*why)
        self.assertIn(why[1], self.succeed(self.approvals(), 77).out)
        self.sign("carol")
        self.b.fail("api", WORKERS[0])
        self.succeed(self.apply(), 1)
        # The run that goes on needs what it needed when it began.
        self.b.file("a.plan.yaml.sig.d/carol.sig").unlink()
        self.not_approved(*why, flags=("--retry-failed",))
        self.sign("carol")
        (self.b.knobs / f"fail/api.{WORKERS[0]}").unlink()
        self.succeed(self.apply("--retry-failed"))
        self.b.job("api", "3.0.0")
        self.succeed(self.b.plan())
        for name in ("alice", "bob"):
            self.sign(name)
        self.b.file("a.plan.yaml.sig.d/carol.sig").unlink()
        self.succeed(self.apply())

    def test_workers_json_that_cannot_be_read(self):
        self.policy(more='untagged_hosts = ["127.*"]\n[tags]\n"a=b" = 3\n')
        self.sign("alice")
        self.sign("bob")
        file = self.b.workspace / "workers.json"
        text = file.read_text()
        file.write_text("[")
        self.not_approved("workers.json:1:", "tags of workers")
        file.write_text(text)
        self.succeed(self.apply())

    def test_age(self):
        self.policy(more='max_age = "1h"\n')
        self.sign("alice")
        self.sign("bob")
        self.not_approved("plan again with --start-before")
        def planned(begin):
            self.succeed(self.b.plan("--start-before", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin))))
            self.sign("alice")
            return self.sign("bob")
        planned(time.time() + 7200)
        self.not_approved("further away than the policy's `max_age`")
        bob = planned(time.time() + 1800)
        os.utime(bob, (time.time() - 3700, time.time() - 3700))
        self.not_approved("bob.sig: of ", "older than the policy's `max_age`")
        os.utime(bob, (time.time() + 4000, time.time() + 4000))
        self.not_approved("bob.sig: its file is dated", "in the future")
        self.sign("bob")
        self.succeed(self.apply())

    def test_override(self):
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.succeed(self.apply("--override-approval"), 64)
        self.succeed(self.apply("--reason", "why"), 64)
        self.refuse(self.apply("--override-approval", "--reason", "  "), 64, "--reason is empty")
        flags = ("--override-approval", "--reason", "the shop is down")
        self.not_approved("--override-approval is up to whom `may_override`", f"That is not {user}", flags=flags)
        self.not_approved("--take-over is up to whom", flags=("--take-over",))
        self.not_approved("--accept-new is up to whom", flags=("--accept-new",))
        self.policy(more=f'may_override = ["nobody-else", "{user}"]\n')
        self.sign("alice")
        self.not_approved("by alice")
        self.succeed(self.apply(*flags))
        history = self.succeed(self.b.run("maand-apply", "history", "--bucket", self.b.path)).out
        self.assertRegex(history, rf"{user}@\S+: override-approval: 1 of 2 approvals, by alice: the shop is down")

    def test_an_override_was_not_needed(self):
        self.sign("alice")
        self.sign("bob")
        self.succeed(self.apply("--override-approval", "--reason", "to be sure"))
        history = self.succeed(self.b.run("maand-apply", "history", "--bucket", self.b.path)).out
        self.assertNotIn("override", history)


class InTheMiddle(Approved):
    """A run that was begun with two approvals, and parked after its first host."""

    def setUp(self):
        super().setUp()
        self.succeed(self.b.apply())
        self.b.forget()
        self.b.job("api", "2.0.0")
        self.succeed(self.b.plan())
        self.sign("alice")
        self.bob = self.sign("bob")

    def begin(self, then=lambda: None):
        """Starts the run, holds it in its first target, does something and lets it park."""
        self.b.hold("api", WORKERS[0])
        child = subprocess.Popen(
            [os.path.join(bucket.BIN, "maand-apply"), str(self.b.file()), "--bucket", str(self.b.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.b.children.append(child)
        bucket.until(self.b.began, "the first target begun")
        then()
        self.succeed(self.b.run("maand-apply", "pause", "2", "--reason", "a test", "--bucket", self.b.path))
        bucket.until(lambda: "parking" in child.stdout.readline(), "parking")
        self.b.release("api", WORKERS[0])
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, out + err)
        self.assertEqual(len(self.b.targets()), 1)

    def mixed(self, *words, **options):
        self.not_approved(*words, f"api: 2.0.0 on {WORKERS[0]}; not yet on {WORKERS[1]}, {WORKERS[2]}", **options)

    def test_a_lapsed_approval(self):
        self.begin()
        self.signers(f'bob valid-before="20200101" {self.public("bob")}', alice="alice", carol="carol")
        self.mixed("bob.sig: the key SHA256:", "is not valid now")
        # Looking and giving up need no approval.
        self.succeed(self.b.status())
        # A new reviewer counts.
        self.sign("carol")
        self.succeed(self.apply())
        self.assertEqual(len(self.b.targets()), 3)
        history = self.succeed(self.b.run("maand-apply", "history", "--bucket", self.b.path)).out
        self.assertIn("carol (SHA256:", history)

    def test_a_policy_that_was_loosened(self):
        self.begin()
        self.bob.unlink()
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        for number, more in ((1, ""), (0, ""), (1, f'may_override = ["{user}"]\n')):
            self.policy(number, more)
            self.mixed("asks for 2 approvals", "by alice")
        self.mixed("named when the run began", flags=("--override-approval", "--reason", "loosened"))
        (self.etc / "policy.toml").unlink()
        self.mixed("policy.toml is missing")
        self.mixed("this host has none any more", env={"MAAND_POLICY": ""})
        self.policy(2)
        self.sign("bob")
        self.succeed(self.apply())

    def test_an_override_counts_for_one_command(self):
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.policy(more=f'may_override = ["{user}"]\n')
        self.begin()
        self.bob.unlink()
        flags = ("--override-approval", "--reason", "bob is on a boat")
        self.b.hold("api", WORKERS[1])
        child = subprocess.Popen(
            [os.path.join(bucket.BIN, "maand-apply"), str(self.b.file()), "--bucket", str(self.b.path), *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.b.children.append(child)
        bucket.until(lambda: len(self.b.began()) == 2, "the second target begun")
        child.kill()
        child.communicate()
        self.b.release("api", WORKERS[1])
        bucket.until(lambda: len(self.b.targets()) == 2, "the second target ended")
        self.not_approved("by alice")
        self.succeed(self.apply(*flags))
        history = self.succeed(self.b.run("maand-apply", "history", "--bucket", self.b.path)).out
        self.assertEqual(history.count("override-approval: 1 of 2 approvals, by alice: bob is on a boat"), 2)

    def test_a_policy_that_was_tightened(self):
        self.begin()
        self.policy(3)
        self.mixed("asks for 3 approvals")
        self.sign("carol")
        self.succeed(self.apply())

    def test_the_plan_is_swapped(self):
        approved = self.b.file().read_bytes()
        def swap():
            self.b.job("api", "3.0.0")
            self.succeed(self.b.plan())
            self.assertNotEqual(approved, self.b.file().read_bytes())
        self.begin(swap)
        # What ran is what was approved, and the other plan does not run.
        self.assertEqual({row.new for row in self.b.rows()}, {"2.0.0"})
        self.not_approved("alice.sig: it is no signature of this plan")
        self.b.file().write_bytes(approved)
        self.succeed(self.apply())
        self.assertEqual({row.new for row in self.b.rows()}, {"2.0.0"})

    def test_swapped_while_it_goes_on(self):
        """The process that checked goes on with the bytes that it checked."""
        approved = self.b.file().read_bytes()
        self.b.hold("api", WORKERS[0])
        child = subprocess.Popen(
            [os.path.join(bucket.BIN, "maand-apply"), str(self.b.file()), "--bucket", str(self.b.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.b.children.append(child)
        bucket.until(self.b.began, "the first target begun")
        self.b.file().write_bytes(approved.replace(b"2.0.0", b"6.6.6"))
        self.b.release("api", WORKERS[0])
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 0, out + err)
        self.assertEqual([row.new for row in self.b.rows()], ["2.0.0"] * 3)

    def test_resolve_needs_the_right_to_override(self):
        self.begin()
        answer = self.b.run("maand-apply", "resolve", "2", "api/upgrade/2/" + WORKERS[1] + "/restart", "succeeded",
                            "--reason", "seen", "--bucket", self.b.path, env=self.environment)
        self.refuse(answer, 77, "`resolve` is up to whom `may_override`")
        self.succeed(self.b.run("maand-apply", "abandon", "2", "--reason", "x", "--bucket", self.b.path, env=self.environment))
