"""Variables, secrets and semaphores as hooks have them: what counts of what they write, what is refused, and that no
secret's value is anywhere but in the hook."""
import glob
import json
import os
import pathlib
import subprocess

import bucket
import hookbucket
from bucket import until
from hookbucket import Hook

WORKERS = [f"127.0.11.{number}" for number in range(1, 5)]

# Asks for things that it may not have, and notes the answers.
ASK = """\
import json
answers = {}
def ask(name, answer):
    answers[name] = (answer.status_code, answer.text.strip())
%s
with open(os.path.join(os.getcwd(), os.pardir, "knobs", "answers." + maand.command_event()), "w") as file:
    json.dump(answers, file)
"""


class Values(hookbucket.HookCase):
    def answers(self, b, event):
        return json.loads((b.knobs / f"answers.{event}").read_text())

    def test_what_a_hook_writes_counts_when_it_has_succeeded(self):
        b = self.bucket(*WORKERS[:1])
        b.hook_job("api", "1.0.0", {
            "command_one": Hook("pre_deploy", body='maand.put_job_variable("one", "1").raise_for_status()\n'
                                'maand.put_job_secret("pw", "secret one").raise_for_status()'),
            "command_two": Hook("pre_deploy", body="""\
assert maand.get_kv_value("vars/job/api", "one") == "1"
assert maand.get_kv_value("secrets/job/api", "pw") == "secret one"
maand.put_job_variable("one", "2").raise_for_status()
maand.put_job_variable("two", "2").raise_for_status()
maand.put_job_secret("pw", "secret two").raise_for_status()
assert maand.get_kv_value("vars/job/api", "two") == "2"
open(note.KNOBS + "/written", "w").close()
while os.path.exists(note.KNOBS + "/wait"): time.sleep(0.02)
if os.path.exists(note.KNOBS + "/broken"): raise SystemExit("broken")""")})
        for name in ("wait", "broken"):
            (b.knobs / name).touch()
        self.succeed(b.plan())
        child = b.start_apply()
        until((b.knobs / "written").exists, "the second hook has written")
        # People do not see what may yet be taken back.
        b.kv("get", "vars/job/api", "two", code=65)
        self.assertEqual(b.kv("get", "vars/job/api", "one"), "1\n")
        (b.knobs / "wait").unlink()
        self.ended(child, 1)
        self.assertEqual(b.kv("get", "vars/job/api", "one"), "1\n")
        b.kv("get", "vars/job/api", "two", code=65)
        self.assertEqual(b.kv("get", "--reveal", "secrets/job/api", "pw"), "secret one\n")
        (b.knobs / "broken").unlink()
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(b.kv("get", "vars/job/api", "two"), "2\n")
        self.assertEqual(b.kv("get", "--reveal", "secrets/job/api", "pw"), "secret two\n")

    def test_names_of_maands_documents(self):
        """Names that its documents have and its module has not; and what is said of a name that nobody has."""
        b = self.bucket(*WORKERS[:1])
        b.hook_job("api", hooks={"command_ask": Hook("pre_deploy", body="""\
assert maand.job() == "api" and maand.worker() == "%s"
assert maand.env("EVENT") == "pre_deploy" and maand.env()["JOB"] == "api" and maand.env("NOPE", "-") == "-"
maand.kv.put("one", "1")
maand.kv.put("vars/job/api", "two", "2")
maand.kv.put("secrets/job/api", "pw", "hidden value")
assert maand.kv.get("one") == "1" and maand.kv.get("secrets/job/api", "pw") == "hidden value"
assert maand.kv.keys() == ["one", "two"], maand.kv.keys()
maand.kv.delete("two")
try:
    maand.kv.put("vars/job/other", "k", "v")
    raise SystemExit("written")
except maand.HTTPError as error:
    assert "belongs to the job other" in str(error), error
for name, near in (("getKvValue", "get_kv_value"), ("put_job_varible", "put_job_variable"), ("zzzz", None)):
    try:
        getattr(maand, name)
        raise SystemExit(name)
    except AttributeError as error:
        assert ("did you mean %%s?" %% near in str(error)) if near else "did you mean" not in str(error), error
        assert "docs/hooks.md" in str(error), error
assert not hasattr(maand, "zzzz")""" % WORKERS[0])})
        b.hook_job("other")
        self.rollout(b)
        self.assertEqual(b.kv("get", "vars/job/api", "one"), "1\n")
        b.kv("get", "vars/job/api", "two", code=65)

    def test_rules(self):
        """What each event may write and read; a refusal names the job, the command, the event and the worker."""
        b = self.bucket(*WORKERS[:1])
        ask = """\
def put(namespace, key, path="/kv"):
    return maand._request("PUT", path, {"namespace": namespace, "key": key, "value": "12345"})
def get(namespace, key):
    return maand.get_store_value(namespace, key)
ask("own", put("vars/job/api", "k"))
ask("own secret", put("secrets/job/api", "k", "/kv/secret"))
ask("secret in the open", put("secrets/job/api", "k"))
ask("other", put("vars/job/other", "k"))
ask("other secret", put("secrets/job/other", "k", "/kv/secret"))
ask("bucket", put("vars/bucket", "k"))
ask("worker", put("maand/worker/%s", "k"))
ask("order", maand.put_rollout_order([maand.allocation_ip()]))
ask("read demanded", get("vars/job/base", "shared"))
ask("read demanded secret", get("secrets/job/base", "pw"))
ask("read other", get("vars/job/other", "k"))
ask("read other secret", get("secrets/job/other", "pw"))
ask("read nothing", get("vars/job/api", "nothing"))
ask("no namespace", put("nonsense", "k"))
ask("no path", maand._request("GET", "/nonsense"))
ask("no json", maand._request("PUT", "/kv", [1]))
ask("large", maand.put_job_variable("large", "x" * 70000))
ask("demands", maand.list_command_demands())
ask("keys", maand.list_job_keys())""" % WORKERS[0]
        events = ("pre_deploy", "after_allocation_started", "health_check", "post_deploy")
        b.hook_job("base", hooks={"command_base": Hook("cli")})
        b.hook_job("other")
        demand = {"job": "base", "command": "command_base", "config": {}}
        b.hook_job("api", hooks={
            "command_ask": Hook(*events, body=ASK % ask, demands=demand)})
        b.kv("put", "vars/job/base", "shared", "yes")
        b.kv("put", "secrets/job/base", "pw", stdin="secret of base")
        b.kv("put", "secrets/job/other", "pw", stdin="secret of other")
        done = self.rollout(b)
        where = f"job api, command command_ask, event {{}}, worker {WORKERS[0]}: refused: "
        for event in events:
            with self.subTest(event):
                answers = self.answers(b, event)
                reads = event == "health_check"
                orders = event == "pre_deploy"
                codes = {name: code for name, (code, _) in answers.items()}
                self.assertEqual(codes, {
                    "own": 400 if reads else 200, "own secret": 400 if reads else 200, "secret in the open": 400,
                    "other": 400, "other secret": 400, "bucket": 400, "worker": 400, "order": 200 if orders else 400,
                    "read demanded": 200, "read demanded secret": 200, "read other": 400, "read other secret": 400,
                    "read nothing": 404, "no namespace": 400, "no path": 404, "no json": 400, "large": 400,
                    "demands": 200, "keys": 200})
                for name, words in (("other", "belongs to the job other"), ("secret in the open", "put_job_secret"),
                                    ("bucket", "bucket.conf"), ("order", "in the event pre_deploy alone"),
                                    ("read other", "only those that its commands demand"), ("large", "64 KiB")):
                    if (reads and name in ("other", "secret in the open", "bucket", "order", "large")) or (
                            orders and name == "order"):
                        continue
                    self.assertIn(words, answers[name][1])
                if reads:
                    self.assertIn("health_check hooks only read", answers["own"][1])
                self.assertIn(where.format(event), done.out)
        for text in ("12345", "secret of"):
            self.assertNotIn(text, done.out + done.err)

    def test_tokens(self):
        """None, that of a hook that has ended, and that of another hook beside the own allocation."""
        b = self.bucket(*WORKERS[:2])
        b.hook_job("api", hooks={
            "command_first": Hook("pre_deploy"),
            "command_ask": Hook("post_deploy", body="""\
def ask(headers):
    connection, _ = maand._connect(60, "")
    connection.request("GET", "/kv", '{"namespace": "maand/bucket", "key": "bucket_id"}', headers)
    answer = connection.getresponse()
    return "%d %s" % (answer.status, answer.read().decode().strip())
lines = [dict(field.split("=", 1) for field in line.split("\\x1f")[1:] if "=" in field)
         for line in open(note.KNOBS + "/trace")]
own = os.environ["MAAND_API_TOKEN"]
ended = [line["MAAND_API_TOKEN"] for line in lines if line.get("COMMAND") == "command_first"]
token = lambda text: {"Authorization": "Bearer " + text}
print("none", ask({}))
print("own", ask(token(own)))
print("ended", ask(token(ended[0])))
print("made up", ask(token("a" * 43)))
print("other", ask({**token(own), "X-ALLOCATION-ID": "another"}))
sys.exit("look at the answers")""")})
        done = self.rollout(b, code=1)
        self.assertIn("none 401 this request has no token", done.err)
        self.assertIn('own 200 {"namespace": "maand/bucket"', done.err)
        self.assertIn("ended 401 the token is not that of a hook which runs now", done.err)
        self.assertIn("made up 401", done.err)
        self.assertIn("other 404 another is not the allocation that this hook runs for", done.err)

    def test_semaphores(self):
        """Two of four hooks at once, whoever ends without a word has released its slot, and a kill in between changes
        nothing of that."""
        b = self.bucket(*WORKERS)
        b.hook_job("api", hooks={"command_join": Hook("pre_deploy", body="""\
maand.acquire_semaphore("disk", capacity=2).raise_for_status()
note.say("in")
while os.path.exists(note.KNOBS + "/hold/disk"): time.sleep(0.02)
note.say("out")
if maand.allocation_index() != "0": maand.release_semaphore("disk").raise_for_status()
time.sleep(0.05)""")})
        self.succeed(b.plan())
        (b.knobs / "hold/disk").touch()
        child = b.start_apply()
        until(lambda: len(b.trace("in")) == 2, "two have it")
        until(lambda: len(b.trace("hook began")) == 4, "all run")
        child.kill()
        child.communicate()
        child = b.start_apply("--verbose")
        # The two that wait ask the new process, and those that hold are known to it.
        until(lambda: "asking what became of it" in child.stdout.readline(), "resumed")
        (b.knobs / "hold/disk").unlink()
        self.ended(child)
        inside, most = 0, 0
        for line in b.trace("in", "out"):
            inside += 1 if line.what == "in" else -1
            most = max(most, inside)
        self.assertEqual((inside, most, len(b.trace("in"))), (0, 2, 4))

    def test_the_module_needs_no_other_package(self):
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy")})
        self.rollout(b)
        done = subprocess.run(
            ["/usr/bin/python3", "-I", "-S", "-c",
             "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import maand\n"
             "outside = [m for m in set(sys.modules) - before - {'maand'}\n"
             "           if m.split('.')[0] not in sys.stdlib_module_names]\n"
             "print(outside, maand.__file__)", str(b.path / ".hooks/python")],
            capture_output=True, text=True, timeout=bucket.LIMIT)
        self.assertEqual(done.stdout, f"[] {b.path}/.hooks/python/maand.py\n", done.stderr)


class Secrets(hookbucket.HookCase):
    """A planted secret, and others that hooks make up."""

    PLANTED = "planted-" + os.urandom(9).hex()
    MADE = [f"made-{number}-" + os.urandom(9).hex() for number in range(3)]

    def setUp(self):
        # The places where hooks keep the made up ones, since a script is in the plan's files.
        self.b = b = self.bucket(*WORKERS[:2])
        (b.knobs / "made").write_text(" ".join(self.MADE))

    # Reads, replaces, prints and passes on.
    LEAK = """\
planted = maand.get_kv_value("secrets/job/api", "planted")
made = open(note.KNOBS + "/made").read().split()
me = maand.allocation_ip()
for text in made:
    maand.put_job_secret("made." + me, text).raise_for_status()
print("planted is", planted, "and made are", made)
print("error:", planted, *made, file=sys.stderr)
os.environ["PASSWORD"] = planted
import subprocess
subprocess.run(["sh", "-c", "while [ -e ../knobs/hold/leak ]; do sleep 0.05; done"])
maand.delete_job_secret("made." + me).raise_for_status()
print("deleted", made)
if os.path.exists(note.KNOBS + "/fail/leak"): raise SystemExit("it failed with " + planted + made[0])
"""
    PROBE = """\
planted = maand.get_kv_value("secrets/job/api", "planted")
if not os.path.exists(note.KNOBS + "/probed"):
    open(note.KNOBS + "/probed", "w").close()
    # Cut off in the middle of it.
    raise SystemExit("x" * 190 + planted)
"""

    def lay(self):
        b = self.b
        b.hook_job("api", "1.0.0", {
            "command_leak": Hook("pre_deploy", body=self.LEAK), "command_probe": Hook("health_check", body=self.PROBE),
            "command_rotate": Hook("post_deploy", body="""\
old = maand.get_kv_value("secrets/job/api", "planted")
if maand.allocation_index() == "0":
    maand.put_job_secret("planted", open(note.KNOBS + "/made").read().split()[2]).raise_for_status()
print("it was", old)""")},
            health_check={"checks": [{"type": "ssh", "command": "true"}], "timeout_seconds": 20,
                          "wait": {"attempts": 3, "interval_seconds": 0}})
        b.kv("put", "secrets/job/api", "planted", stdin=self.PLANTED)
        self.succeed(b.plan())

    def found(self, *texts):
        """Which secrets, or good parts of them, are in the texts."""
        return [secret for secret in [self.PLANTED, *self.MADE] for text in texts
                if any(secret[at:at + 9] in text for at in range(8, len(secret) - 9))]

    def assert_nowhere(self, *results):
        b = self.b
        for result in results:
            self.assertEqual(self.found(result.out, result.err), [])
        for argv in (["status"], ["status", "--format", "json"], ["history"]):
            done = b.run("maand-apply", *argv, "--bucket", b.path)
            self.assertEqual(self.found(done.out, done.err), [])
        for folder in (b.path, b.top / "looked-at"):
            for file in folder.rglob("*"):
                if file.is_file():
                    self.assertEqual(self.found(file.read_bytes().decode("latin-1")), [], file)

    def test_no_value_anywhere(self):
        b = self.b
        self.lay()
        (b.top / "looked-at").mkdir()
        bucket.shutil.copy(b.file(), b.top / "looked-at/plan")
        events = ["--events", str(b.top / "looked-at/events")]
        (b.knobs / "hold/leak").touch()
        (b.knobs / "fail/leak").touch()
        child = b.start_apply(*events)
        until(lambda: len(b.trace("hook began")) == 2, "the hooks begun")
        until(lambda: any("hold/leak" in text for text in self.commands()), "a program started by a hook")
        self.assertEqual(self.found(*self.commands()), [])
        (b.knobs / "hold/leak").unlink()
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 1, err)
        self.assertIn("stderr: it failed with ***", err)
        self.assertIn("planted is *** and made are", err)
        self.assert_nowhere(bucket.Result(1, out, err))
        (b.knobs / "fail/leak").unlink()
        done = self.succeed(b.apply("--retry-failed", "--verbose", *events))
        self.assertIn("command_probe exited 1", done.out)
        self.assert_nowhere(done)
        self.assertEqual(b.kv("get", "--reveal", "secrets/job/api", "planted").strip(), self.MADE[2])

    def test_a_process_that_dies_beside_the_record_leaves_none(self):
        b = self.b
        self.lay()
        log = b.top / "places"
        copy = b.copy(self)
        self.succeed(copy.apply(env=copy.environment(MAAND_FAULT_LOG=str(log))))
        if not log.exists():
            self.skipTest("only a build with test hooks can be told where to die")
        ended = f"after the checkpoint of api/pre_deploy/{WORKERS[1]}/command_leak"
        place = max(number for number, name in enumerate(log.read_text().splitlines(), 1) if name.endswith(ended))
        self.assertEqual(b.apply(env=b.environment(MAAND_FAULT_AT=str(place))).code, -9)
        left = [file for file in b.control().glob("*/*.out") if self.found(file.read_text())]
        self.assertTrue(left, "nothing was left to be removed")
        done = self.succeed(b.apply())
        self.assert_nowhere(done)

    @staticmethod
    def commands():
        found = []
        for file in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                found.append(pathlib.Path(file).read_bytes().decode("latin-1"))
            except OSError:
                pass
        return found
