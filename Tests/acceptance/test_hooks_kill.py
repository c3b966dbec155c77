"""kill -9 while hooks run: what ran is known, nothing runs twice, and what hooks wrote is there once."""
import json
import os
import random
import signal
import socket

import bucket
import hookbucket
import test_crash
from bucket import until
from hookbucket import Hook

WORKERS = [f"127.0.10.{number}" for number in range(1, 4)]


def bind_for_nobody_else(listener):
    """Binds to a port that nobody is given when this one leaves it; returns it."""
    for port in random.sample(range(*bucket.FREE_PORTS), 100):
        try:
            listener.bind(("127.0.0.1", port))
            return port
        except OSError:
            pass
    raise AssertionError("there is no free port")


class Kill(hookbucket.HookCase):
    def held(self, hook, command="command_x", worker=WORKERS[0], conf="", **manifest):
        """A rollout whose hook waits on one worker. Returns the bucket and the process."""
        b = self.bucket(*WORKERS[:2])
        with (b.path / "maand.conf").open("a") as file:
            file.write(conf)
        b.hook_job("api", "1.0.0", {command: hook}, **manifest)
        self.succeed(b.plan())
        b.hold(command, worker)
        child = b.start_apply()
        until(lambda: b.trace("hook began", command=command, worker=worker), "the hook begun")
        return b, child

    def kill(self, child):
        child.kill()
        child.communicate()

    def kill_runner(self, b, worker=WORKERS[0], event="pre_deploy", command="command_x"):
        """Kills what waits for the hook on this host, and the hook."""
        steps = json.loads(self.succeed(b.status("--format", "json")).out)["steps"]
        self.assertIn(f"api/{event}/{worker}/{command}", [row["step"] for row in steps])
        def running():
            return [file for file in b.control().glob("*/*.run") if not list(file.parent.glob(file.name[:-4] + ".done.*"))]
        open_runs = until(lambda: running() if len(running()) == 1 else None, "the other hook ended")
        os.kill(int(open_runs[0].read_text().split()[1]), signal.SIGKILL)

    def test_a_hook_outlives_its_apply_and_is_adopted(self):
        """Once while it runs, once after its end; events of every kind have the same receipts."""
        for event in ("pre_deploy", "post_deploy"):
            for attached in (True, False):
                with self.subTest(event=event, attached=attached):
                    b, child = self.held(Hook(event, body='maand.put_job_variable("by", maand.allocation_ip())'))
                    self.kill(child)
                    if attached:
                        child = b.start_apply("--verbose")
                        until(lambda: "asking what became of it" in child.stdout.readline(), "resumed")
                        b.release("command_x", WORKERS[0])
                        self.ended(child)
                    else:
                        b.release("command_x", WORKERS[0])
                        # What it wants to write is answered by the next process.
                        self.succeed(b.apply())
                    self.assertEqual(b.runs(), {("command_x", worker): 1 for worker in WORKERS[:2]})
                    self.assertIn(b.kv("get", "vars/job/api", "by").strip(), WORKERS[:2])

    def test_a_hook_ends_while_nobody_looks(self):
        b, child = self.held(Hook("pre_deploy", language="sh"))
        self.kill(child)
        b.release("command_x", WORKERS[0])
        until(lambda: len(b.trace("hook ended")) == 2, "the hooks ended")
        self.succeed(b.apply())
        self.assertEqual(b.runs(), {("command_x", worker): 1 for worker in WORKERS[:2]})

    def test_somebody_else_has_the_port(self):
        """A hook that lives on must not ask whoever has it, so nothing begins before the port is free."""
        write = 'del os.environ["MAAND_API_SOCKET"]; maand.put_job_variable("by", "hook").raise_for_status()'
        b, child = self.held(Hook("pre_deploy", body=write), conf="hook_api_port = 0\n")
        until(lambda: len(b.trace("hook ended")) == 1, "the other hook ended")
        port = b.port()
        self.kill(child)
        stranger = socket.socket()
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        self.refuse(b.apply(), 75, f"port {port} of 127.0.0.1", f"api/pre_deploy/{WORKERS[0]}/command_x",
                    "Nothing new was begun")
        self.assertEqual(b.trace("target began"), [])
        stranger.close()
        child = b.start_apply()
        b.release("command_x", WORKERS[0])
        self.ended(child)
        self.assertEqual(b.runs(), {("command_x", worker): 1 for worker in WORKERS[:2]})
        self.assertEqual(b.kv("get", "vars/job/api", "by"), "hook\n")

    def test_somebody_else_has_the_port_of_hooks_that_ended(self):
        b, child = self.held(Hook("pre_deploy", language="sh"), conf="hook_api_port = 0\n")
        port = b.port()
        self.kill(child)
        b.release("command_x", WORKERS[0])
        until(lambda: len(b.trace("hook ended")) == 2, "the hooks ended")
        until(lambda: not b.processes(), "nothing of them lives")
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind(("127.0.0.1", port))
            stranger.listen()
            self.succeed(b.apply())
        self.assertEqual(b.runs(), {("command_x", worker): 1 for worker in WORKERS[:2]})

    def test_the_port_of_maand_conf_is_taken(self):
        with socket.socket() as stranger:
            port = bind_for_nobody_else(stranger)
            stranger.listen()
            b = self.bucket(WORKERS[0])
            with (b.path / "maand.conf").open("a") as file:
                file.write(f"hook_api_port = {port}\n")
            b.hook_job("api", hooks={"command_x": Hook("pre_deploy", body='del os.environ["MAAND_API_SOCKET"]\n'
                                                       'maand.put_job_variable("by", "port").raise_for_status()')})
            self.succeed(b.plan())
            self.refuse(b.apply(), 75, f"port {port} of 127.0.0.1", "`hook_api_port` of maand.conf")
            self.assertEqual(b.trace(), [])
        self.succeed(b.apply())
        self.assertEqual(b.port(), port)
        self.assertEqual(b.kv("get", "vars/job/api", "by"), "port\n")

    def test_what_an_ended_hook_left_asks_in_vain(self):
        """Its token ends with it, also where the apply was killed before it saw that, and the next one does not know yet."""
        left = """\
if not os.fork():
    os.setsid()
    for number in range(3): os.dup2(os.open(os.devnull, os.O_RDWR), number)
    while not os.path.exists(note.KNOBS + "/ask"): time.sleep(0.02)
    answer = maand.put_job_variable("late", "1")
    with open(note.KNOBS + "/answer.new", "w") as file: file.write(str(answer.status_code))
    os.rename(note.KNOBS + "/answer.new", note.KNOBS + "/answer")
    os._exit(0)
"""
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy", body=left), "command_y": Hook("pre_deploy", language="sh")})
        self.succeed(b.plan())
        for command in ("command_x", "command_y"):
            b.hold(command, WORKERS[0])
        child = b.start_apply()
        until(lambda: b.trace("hook began"), "the hook begun")
        self.kill(child)
        b.release("command_x", WORKERS[0])
        until(lambda: b.trace("hook ended"), "the hook ended")
        # Asks from now on, so the next process hears it from the first moment.
        (b.knobs / "ask").touch()
        child = b.start_apply()
        until((b.knobs / "answer").exists, "answered")
        self.assertEqual((b.knobs / "answer").read_text(), "401")
        b.release("command_y", WORKERS[0])
        self.ended(child)
        b.kv("get", "vars/job/api", "late", code=65)

    def test_a_path_longer_than_that_of_a_socket(self):
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy", body='maand.put_job_variable("k", "v")')})
        deep = b.top / ("deep" * 30)
        deep.mkdir()
        for name in ("bucket", "knobs"):
            (b.top / name).rename(deep / name)
        b.path, b.knobs, b.workspace = deep / "bucket", deep / "knobs", deep / "bucket/workspace"
        self.rollout(b)
        self.assertGreater(len(b.trace("hook began")[0].values["MAAND_API_SOCKET"]), 107)
        self.assertEqual(b.kv("get", "vars/job/api", "k"), "v\n")

    def test_a_killed_runner_is_unknown(self):
        """What a person says counts, for what the hook wrote as well, and also while a process of it lives."""
        write = 'maand.put_job_variable("who", "hook").raise_for_status()\nnote.say("written")\n' \
            'while os.path.exists(note.KNOBS + "/hold/late"): time.sleep(0.02)'
        for answer in ("succeeded", "failed"):
            with self.subTest(answer):
                b = self.bucket(WORKERS[0])
                b.hook_job("api", hooks={"command_x": Hook("pre_deploy", body=write),
                                         "command_y": Hook("pre_deploy", language="sh")})
                self.succeed(b.plan())
                (b.knobs / "hold/late").touch()
                child = b.start_apply()
                until(lambda: b.trace("written"), "the hook has written")
                self.kill_runner(b)
                self.ended(child, 4)
                step = f"api/pre_deploy/{WORKERS[0]}/command_x"
                self.assertEqual(b.steps()[step], "unknown")
                self.refuse(b.apply(), 4, step, "what ran it was killed on this host")
                self.succeed(b.run("maand-apply", "resolve", "1", step, answer, "--reason", "a test", "--bucket", b.path))
                self.assertEqual(b.trace("target began"), [])
                b.kv("get", "vars/job/api", "who", code=0 if answer == "succeeded" else 65)
                if answer == "failed":
                    (b.knobs / "hold/late").unlink()
                self.succeed(b.apply(*(["--retry-failed"] if answer == "failed" else [])))
                self.assertEqual(len(b.trace("hook began", command="command_x")), 1 if answer == "succeeded" else 2)
                self.assertEqual(len(b.trace("hook ended", command="command_y")), 1)
                self.assertEqual(len(b.trace("target ended")), 1)
                self.assertEqual(b.kv("get", "vars/job/api", "who"), "hook\n")
                (b.knobs / "hold/late").unlink(missing_ok=True)

    def test_a_repeatable_hook_is_repeated(self):
        b, child = self.held(Hook("pre_deploy", language="sh"), repeatable=["command_x"])
        self.kill_runner(b)
        b.release("command_x", WORKERS[0])
        done = self.ended(child)
        self.assertEqual(len(b.trace("hook began", worker=WORKERS[0])), 2, done.out)
        self.assertEqual(len(b.trace("target ended")), 2)

    def test_receipts_that_vanished_prove_nothing(self):
        b, child = self.held(Hook("pre_deploy", language="sh"))
        self.kill(child)
        # It runs from what is taken away.
        until(lambda: len(b.trace("hook ended")) == 1, "the other hook ended")
        (b.path / ".hooks").rename(b.top / "lost")
        b.release("command_x", WORKERS[0])
        until(lambda: len(b.trace("hook ended")) == 2, "the hooks ended")
        self.refuse(b.apply(), 4, f"api/pre_deploy/{WORKERS[0]}/command_x", "prove nothing")
        self.assertEqual(b.runs(), {("command_x", worker): 1 for worker in WORKERS[:2]})
        self.assertEqual(b.trace("target began"), [])

    def test_abandon_while_a_hook_runs(self):
        """It goes on to its end; what it writes is gone; and no hook of a later run is beside it."""
        b, child = self.held(Hook("pre_deploy", language="sh"))
        self.kill(child)
        abandoned = self.succeed(b.abandon(1))
        self.assertIn("still runs", abandoned.err)
        self.refuse(b.apply(), 3, "abandoned")
        b.hook_job("api", "1.1.0", {"command_x": Hook("pre_deploy", language="sh")})
        self.refuse(self.rollout(b, code=1), 1, f"api/pre_deploy/{WORKERS[0]}/command_x", "another attempt is at work")
        self.assertEqual(len(b.trace("hook began", worker=WORKERS[0])), 1)
        b.release("command_x", WORKERS[0])
        until(lambda: not b.processes(), "the hook ended")
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual([line.what for line in b.trace(worker=WORKERS[0], command="command_x")],
                         ["hook began", "hook ended"] * 2)

    def test_sigint_parks_after_the_hook(self):
        b, child = self.held(Hook("pre_deploy", language="sh"))
        child.send_signal(signal.SIGINT)
        until(lambda: "parking" in child.stdout.readline(), "parking")
        self.assertIsNone(child.poll())
        b.release("command_x", WORKERS[0])
        self.ended(child, 75)
        self.assertEqual(b.runs(), {("command_x", worker): 1 for worker in WORKERS[:2]})
        self.assertEqual(b.trace("target began"), [])
        self.succeed(b.apply())
        self.assertEqual(b.runs(), {("command_x", worker): 1 for worker in WORKERS[:2]})


class Crash(test_crash.Crash):
    """Every place around hooks that write variables and secrets, in a rollout whose order one of them has put."""

    sample = 6
    pairs = 1
    what = "a rollout with hooks of every event, 2 jobs, 3 workers"

    # Each allocation writes keys of its own, so that versions do not depend on who was faster.
    COUNT = """\
me = maand.allocation_ip()
name = maand.command_event() + "." + me
before = maand.get_store_value("vars/job/" + maand.job_name(), "count." + me)
count = before.json()["value"] if before.ok else "0"
maand.put_job_variable("count." + me, str(int(count) + 1)).raise_for_status()
maand.put_job_secret("secret." + me, "secret of " + name + " " + os.environ["NEW_VERSION"]).raise_for_status()
"""
    ORDER = 'if me == "%s": maand.put_rollout_order("%s").raise_for_status()\n' % (
        WORKERS[1], ",".join([WORKERS[1], WORKERS[0]]))

    def lay(self, b, version, workers):
        b.workers(*workers)
        b.hook_job("api", version, {
            "command_before": Hook("pre_deploy", body=self.COUNT + (self.ORDER if version == "2.0.0" else "")),
            "command_joined": Hook("after_allocation_started", body=self.COUNT),
            "command_left": Hook("after_allocation_stopped", body=self.COUNT),
            "command_well": Hook("health_check", language="sh"),
            "command_after": Hook(
                "post_deploy", body=self.COUNT + 'maand.delete_job_variable("count." + me).raise_for_status()')})
        b.hook_job("roll", version, {"command_roll": Hook("job_control", body=self.COUNT)}, make=None)

    def prepared(self):
        b = hookbucket.HookBucket(test_crash.Owner)
        self.lay(b, "1.0.0", WORKERS)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        self.lay(b, "2.0.0", WORKERS[:2])
        self.succeed(b.plan())
        return b

    def effects(self, b):
        """What hooks and targets have done: how often, in which order where that is decided, and the keys."""
        begun = sorted((line.what, line.job, line.event, line.worker, line.command or "")
                       for line in b.trace() if line.event != "health_check")
        order = [line.worker for line in b.trace("target ended", event="restart")]
        # A hook asks again where the answer was lost with its apply. A text that is there already gets no new version then; a
        # secret does, since nobody compares what is sealed.
        keys = [(row["namespace"], row["key"], row["value"],
                 None if row["namespace"].startswith("secrets/") else row["version"])
                for row in b.json_of("maand-plan", "kv", "list")]
        secrets = [b.kv("get", "--reveal", namespace, key) for namespace, key, *_ in keys
                   if namespace.startswith("secrets/")]
        return {"begun": begun, "order": order, "keys": keys, "secrets": secrets}

    def assert_same_rollout(self, b, undisturbed):
        mine, theirs = self.effects(b), self.effects(undisturbed)
        for what in theirs:
            self.assertEqual(mine[what], theirs[what], what)
        self.assertEqual(mine["order"], [WORKERS[1], WORKERS[0]])
        self.assertEqual(len(mine["secrets"]), 6)
        for what, flags in (("allocations", ["--format", "json"]), ("jobs", ["--format", "json"]), ("export", [])):
            ours, others = b.catalog(what, *flags), undisturbed.catalog(what, *flags)
            self.assertEqual(bucket.TIME.sub("then", ours.out), bucket.TIME.sub("then", others.out), f"catalog {what}")
        self.succeed(b.apply())
        self.assertEqual(self.effects(b), mine)
