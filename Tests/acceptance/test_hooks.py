"""Hooks of every event, in Python, shell and as bare executables, on both transports: what they are told, in which order
they come, and what happens when one fails."""
import json
import shutil
import subprocess

import bucket
import hookbucket
import test_ssh
from hookbucket import Hook

WORKERS = [f"127.0.1.{number}" for number in range(1, 6)]

# What every hook may have from the process that runs it, and from its shell.
GENERAL = {"HOME", "USER", "LOGNAME", "LANG", "PATH", "SHELL", "PWD", "OLDPWD", "SHLVL", "_", "TMPDIR", "TZ", "SSH_AUTH_SOCK",
           "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PYTHONDONTWRITEBYTECODE"}
API = {"MAAND_API_SOCKET", "MAAND_API_TOKEN", "PYTHONPATH"}
ALWAYS = {"ALLOCATION_ID", "ALLOCATION_IP", "ALLOCATION_INDEX", "JOB", "EVENT", "COMMAND", "DISABLED", "CURRENT_VERSION",
          "NEW_VERSION", "BUCKET_ROOT"}
BATCH = {"BATCH_ALLOCATIONS", "BATCH_INDEX", "BATCH_COUNT", "DEPLOY_PHASE", "ROLLOUT_ORDER", "ROLLOUT_ORDER_SOURCE"}

# In another order than that of the alphabet. The events of one command come one after the other in its job, too.
HOOKS = {
    "command_z": Hook("pre_deploy"),
    "command_a": Hook("pre_deploy", language="sh"),
    "command_joined": Hook("after_allocation_started", language="sh"),
    "command_both": Hook("after_allocation_started", "post_deploy", language="",
                         body='assert "pong" in maand.run_make_target("ping").stdout'),
    "command_well": Hook("health_check"),
    "command_left": Hook("after_allocation_stopped", language="sh"),
    "command_end": Hook("post_deploy", language="sh"),
}


class Events(test_ssh.SSHCase, hookbucket.HookCase):
    def test_on_the_local_transport(self):
        self.every_event(self.bucket())

    def test_over_ssh(self):
        b = hookbucket.SSHHookBucket(self, test_ssh.Fleet(self, 5))
        self.every_event(b)

    def every_event(self, b):
        """Four workers, upgraded in batches of two while a fifth joins and the first leaves."""
        b.workers(*WORKERS[:4])
        b.hook_job("api", "1.0.0", HOOKS, max_concurrent_upgrades=2)
        self.rollout(b)
        for line in b.trace("hook began"):
            self.assertEqual((line.values["CURRENT_VERSION"], line.values["NEW_VERSION"]), {
                "pre_deploy": ("0.0.0", "1.0.0"), "after_allocation_started": ("0.0.0", "1.0.0"),
                "health_check": ("1.0.0", "1.0.0"), "post_deploy": ("1.0.0", "1.0.0")}[line.event])
        b.forget()

        b.workers(*WORKERS[1:])
        b.hook_job("api", "2.0.0", HOOKS, max_concurrent_upgrades=2)
        self.rollout(b, "--events", str(b.top / "events"))
        joined, updated = WORKERS[4], WORKERS[1:4]

        def of(event=None, command=None, workers=None, what=None):
            return lambda line: ((event is None or line.event == event) and (command is None or line.command == command)
                                 and (workers is None or line.worker in workers) and (what is None or line.what == what))
        started = "after_allocation_started"
        order = [of("stop", workers=[WORKERS[0]]), of("after_allocation_stopped"),
                 of("pre_deploy", "command_z"), of("pre_deploy", "command_a")]
        for batch in ([joined], updated[:2], updated[2:]):
            order += [of("start" if batch == [joined] else "restart", workers=batch),
                      of(started, "command_joined", batch), of(started, "command_both", batch)]
        order += [of("post_deploy", "command_both"), of("post_deploy", "command_end")]
        self.assert_order(b, *order)
        self.assertEqual(b.runs(), {
            **{(command, worker): 1 for command in ("command_z", "command_a", "command_joined", "command_end")
               for worker in WORKERS[1:]},
            **{("command_both", worker): 2 for worker in WORKERS[1:]},
            ("command_left", WORKERS[0]): 1,
            **{("command_well", worker): 3 for worker in WORKERS[1:]}})
        # Within what is recorded: hooks of a batch before its promotion, and that before its gate.
        names = [event["event"] if event["event"] == "promoted" else event.get("step", "") for event in b.events()
                 if event["event"] in ("promoted", "step_ended")]
        places = {name: index for index, name in enumerate(names)}
        for gate, prefix in (("api/start/gate", "api/start/"), ("api/upgrade/1/gate", "api/upgrade/1/"),
                             ("api/upgrade/2/gate", "api/upgrade/2/")):
            last = max(place for name, place in places.items() if name.startswith(prefix) and started in name)
            promoted = [index for index, name in enumerate(names) if name == "promoted" and last < index < places[gate]]
            self.assertEqual(len(promoted), 1, names)

        self.environments(b, joined, updated)

    def environments(self, b, joined, updated):
        batches = {joined: ("0", "1", "new", [joined]), updated[0]: ("0", "2", "update", updated[:2]),
                   updated[1]: ("0", "2", "update", updated[:2]), updated[2]: ("1", "2", "update", updated[2:])}
        tokens = set()
        for line in b.trace("hook began"):
            values, event = line.values, line.event
            told = {name for name in values if name not in GENERAL and not name.startswith("LC_")} - API
            self.assertEqual(told, ALWAYS | BATCH, (event, line.command))
            self.assertEqual(values["BUCKET_ROOT"], str(b.path))
            self.assertEqual({name for name in API if values.get(name)}, API)
            tokens.add(values["MAAND_API_TOKEN"])
            self.assertEqual(values["PWD"], str(b.path))
            self.assertEqual((values["JOB"], values["DISABLED"]), ("api", "0"))
            self.assertIn(event, HOOKS[values["COMMAND"]].fields["executed_on"])
            active = WORKERS[1:]
            if event == "after_allocation_stopped":
                index, versions = "-1", ("1.0.0", "1.0.0")
            else:
                index = str(active.index(line.worker))
                versions = ("0.0.0" if line.worker == joined else "1.0.0", "2.0.0")
                if event == "post_deploy":
                    versions = ("2.0.0", "2.0.0")
                elif event == "health_check":
                    # Of the batches that are still to come, what is there until then.
                    self.assertIn(values["CURRENT_VERSION"], {versions[0], "2.0.0"})
                    versions = (values["CURRENT_VERSION"], "2.0.0")
            self.assertEqual(values["ALLOCATION_INDEX"], index)
            self.assertEqual((values["CURRENT_VERSION"], values["NEW_VERSION"]), versions, (event, line.worker))
            if event == "after_allocation_started":
                number, count, phase, workers = batches[line.worker]
                self.assertEqual(
                    [values[name] for name in sorted(BATCH)],
                    [",".join(workers), count, number, phase, ",".join(active), "default"])
            elif event == "after_allocation_stopped":
                self.assertEqual(values["BATCH_ALLOCATIONS"], line.worker)
                self.assertEqual(values["DEPLOY_PHASE"], "stop")
            else:
                asked = values["BATCH_ALLOCATIONS"].split(",")
                if event == "health_check":
                    # What is still to be started is not asked.
                    self.assertLessEqual(set(asked), set(active))
                else:
                    self.assertEqual(asked, active)
                self.assertIn(line.worker, asked)
                self.assertEqual(
                    [values[name] for name in sorted(BATCH - {"BATCH_ALLOCATIONS"})],
                    ["1", "0", "new" if line.worker == joined else "update", ",".join(active), "default"], event)
        self.assertEqual(len(tokens), len(b.trace("hook began")), "a token served two hooks")
        ids = {(line.worker, line.values["ALLOCATION_ID"]) for line in b.trace("hook began")}
        self.assertEqual(len(ids), 5)
        self.assertEqual(len({id for _, id in ids}), 5)


RUN_SSH = """\
import subprocess
me, other = maand.allocation_ip(), "%s"
assert maand.run_ssh(me, "id -un; id -un").stdout.split() == [USER, USER]
assert maand.run_ssh(me, "cd /tmp && pwd").stdout == "/tmp\\n"
assert maand.run_ssh(me, "f() { echo $1; }; f 'it\\'\\\\'\\'s'; exit 3", 20, False).returncode == 3
assert maand.run_ssh(me, "cat; echo err >&2", input="a\\n'b' $HOME\\n\\n").stdout == "a\\n'b' $HOME\\n\\n"
assert maand.run_ssh(me, "echo err >&2").stderr == "err\\n"
# In the worker's own folder, which is not that of the other.
maand.run_ssh(me, "echo $BASH_VERSION %%s >run-ssh" %% me)
assert maand.run_ssh(other, "cat run-ssh 2>/dev/null", check=False).stdout.find(me) == -1 or me == other
big = maand.run_ssh(me, "head -c 300000 /dev/zero | tr '\\\\0' x; echo end")
assert len(big.stdout) == 256 << 10 and big.stdout.endswith("xend\\n"), len(big.stdout)
for line, error in (("false", subprocess.CalledProcessError), ("sleep 100 & sleep 100", subprocess.TimeoutExpired)):
    try:
        maand.run_ssh(me, line, timeout=1 if "sleep" in line else 60)
    except error:
        pass
    else:
        sys.exit(line)
try:
    maand.run_ssh("10.9.9.9", "true")
except maand.HTTPError as error:
    assert "10.9.9.9 is no worker of this bucket" in str(error), error
else:
    sys.exit("a stranger was reached")
"""


class CommandsOnWorkers(test_ssh.SSHCase, hookbucket.HookCase):
    def hook(self, other, user, *events):
        return Hook(*events, body=RUN_SSH.replace("USER", repr(user)) % other)

    def test_run_ssh_on_the_local_transport(self):
        b = self.bucket(*WORKERS[:2])
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        # Before the first deploy, no run has been on the workers.
        b.hook_job("api", hooks={
            "command_look": self.hook(WORKERS[1], user, "post_build", "pre_deploy", "health_check"),
            "command_ask": self.hook(WORKERS[1], user, "cli")})
        self.succeed(b.run("maand-plan", "prepare", "--bucket", b.path))
        self.assertTrue((b.path / "workers" / WORKERS[0] / "run-ssh").exists())
        self.rollout(b)
        self.succeed(b.run("maand-plan", "job-command", "api", "command_ask", "--bucket", b.path, "-o", b.top / "c.yaml"))
        self.succeed(b.apply(plan="c.yaml"))
        self.succeed(b.run("maand-apply", "health-check", "--bucket", b.path))
        self.assertEqual({line.event for line in b.trace("hook ended")}, {"post_build", "pre_deploy", "cli", "health_check"})

    def test_run_ssh_over_ssh(self):
        """Over the connection of the run; also to a worker that is not in the plan."""
        fleet = test_ssh.Fleet(self, 2)
        b = hookbucket.SSHHookBucket(self, fleet)
        mine, other = fleet.address(1), fleet.address(2)
        b.workers_with({mine: ["one"], other: []})
        b.hook_job("base")
        b.hook_job("api", hooks={"command_look": self.hook(other, b.settings["user"], "pre_deploy", "post_deploy")},
                   selectors=["one"])
        before = fleet.logins()
        self.rollout(b)
        self.assertEqual(fleet.logins() - before, 2, "one connection a worker and run")
        b.hook_job("api", "2.0.0", {"command_look": self.hook(other, b.settings["user"], "pre_deploy")}, selectors=["one"])
        self.succeed(b.plan())
        self.assertEqual([row["worker"] for row in b.read_plan()["workers"]], [mine])
        self.succeed(b.apply())
        # One that is gone.
        gone = 'done = maand.run_ssh("%s", "true", check=False)\nassert done.returncode == 255 and done.stderr, done' % other
        b.hook_job("api", "3.0.0", {"command_look": Hook("pre_deploy", body=gone)}, selectors=["one"])
        self.succeed(b.plan())
        fleet("kill", 2)
        self.succeed(b.apply())

    def test_run_ssh_through_sudo(self):
        if subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode if shutil.which("sudo") else True:
            self.skipTest("`sudo -n` is not possible here")
        fleet = test_ssh.Fleet(self, 1)
        b = hookbucket.SSHHookBucket(self, fleet, sudo="true")
        b.workers(fleet.address(1))
        b.hook_job("api", hooks={"command_look": self.hook(fleet.address(1), "root", "pre_deploy")})
        self.rollout(b)


class Disabled(hookbucket.HookCase):
    def test_hooks_for_disabled_allocations(self):
        """They run where the job acts, are told so, and make nothing act."""
        b = self.bucket(*WORKERS[:3])
        events = ("pre_deploy", "post_deploy", "cli", "health_check", "after_allocation_started")
        hooks = {"command_tell": Hook(*events)}
        b.hook_job("api", "1.0.0", hooks)
        self.rollout(b)
        b.write("disabled.json", json.dumps({"jobs": {"api": {"allocations": [WORKERS[1]]}}}))
        b.forget()
        # Nothing but its stop, and the gate of those that go on.
        self.rollout(b)
        self.assertEqual(
            {(line.event, line.worker) for line in b.trace("hook began")},
            {("health_check", WORKERS[0]), ("health_check", WORKERS[2])})
        self.succeed(b.plan())
        self.assertEqual((b.read_plan()["waves"], b.read_plan()["reconcile"]), ([], []))
        b.forget()
        b.hook_job("api", "2.0.0", hooks)
        self.succeed(b.plan())
        job = b.read_plan()["waves"][0]["jobs"][0]
        self.assertEqual((job["active"], job["disabled"]), ([WORKERS[0], WORKERS[2]], [WORKERS[1]]))
        self.assertIn("for 2 active allocations and 1 disabled one", " ".join(
            self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path)).out.split()))
        self.succeed(b.apply())
        told = {(line.event, line.worker): line.values for line in b.trace("hook ended")}
        self.assertEqual({key for key in told if key[1] == WORKERS[1]},
                         {("pre_deploy", WORKERS[1]), ("post_deploy", WORKERS[1])})
        for (event, worker), values in told.items():
            is_disabled = worker == WORKERS[1]
            self.assertEqual(values["DISABLED"], "1" if is_disabled else "0", (event, worker))
            if is_disabled:
                self.assertEqual((values["CURRENT_VERSION"], values["NEW_VERSION"]), ("1.0.0", "2.0.0"))
                self.assertEqual(values["BATCH_ALLOCATIONS"], ",".join([WORKERS[0], WORKERS[2], WORKERS[1]]))
                self.assertEqual(values["ALLOCATION_INDEX"], "1")
        self.assertEqual({line.worker for line in b.trace("target began")}, {WORKERS[0], WORKERS[2]})
        b.forget()
        self.succeed(b.run("maand-plan", "job-command", "api", "command_tell", "--bucket", b.path, "-o", b.top / "c.yaml"))
        self.succeed(b.apply(plan="c.yaml"))
        self.assertEqual({line.worker: line.values["DISABLED"] for line in b.trace("hook ended")},
                         {WORKERS[0]: "0", WORKERS[1]: "1", WORKERS[2]: "0"})
        self.succeed(b.plan())
        self.assertEqual(b.read_plan()["waves"], [])


class Failures(hookbucket.HookCase):
    def deployed(self, hooks, workers=WORKERS[:3], make=hookbucket.MAKEFILE, **manifest):
        """`api` in version 1.0.0 on all workers, and a plan to 2.0.0."""
        b = self.bucket(*workers)
        manifest = {"max_concurrent_upgrades": 2, **manifest}
        b.hook_job("api", "1.0.0", hooks, make=make, **manifest)
        self.rollout(b)
        b.forget()
        b.hook_job("api", "2.0.0", hooks, make=make, **manifest)
        self.succeed(b.plan())
        return b

    def versions(self, b, job="api"):
        return [row["promoted"]["version"] for (name, _), row in sorted(b.allocations().items()) if name == job]

    def test_pre_deploy_fails(self):
        """Nothing of the job is touched, what demands it does not begin, and the catalog stays as it is."""
        b = self.bucket(*WORKERS[:2])
        hooks = {"command_ready": Hook("pre_deploy", language="sh"), "command_serve": Hook("cli")}
        demand = {"job": "api", "command": "command_serve", "config": {}}
        for version in ("1.0.0", "2.0.0"):
            b.hook_job("api", version, hooks)
            b.hook_job("web", version, {"command_web": Hook("cli", demands=demand)})
            if version == "1.0.0":
                self.rollout(b)
        before = b.json_of("maand-plan", "catalog", "allocations")
        b.forget()
        self.succeed(b.plan())
        b.fail("command_ready", WORKERS[1])
        self.refuse(b.apply(), 1, f"api/pre_deploy/{WORKERS[1]}/command_ready", "exit status 3",
                    f"stderr: command_ready.{WORKERS[1]} fails on purpose")
        self.assertEqual(b.trace("target began"), [])
        self.assertEqual(self.versions(b), ["1.0.0", "1.0.0"])
        self.assertEqual(b.json_of("maand-plan", "catalog", "allocations"), before)
        status = {row["job"]: row["state"] for row in b.json_of("maand-apply", "status")["jobs"]}
        self.assertEqual(status, {"api": "failed", "web": "blocked"})
        # Without the word of a person a hook is not run again.
        self.succeed(b.apply(), 1)
        self.assertEqual(len(b.trace("hook began", worker=WORKERS[1])), 1)
        b.mend("command_ready", WORKERS[1])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual([len(b.trace("hook began", worker=worker)) for worker in WORKERS[:2]], [1, 2])
        self.assertEqual(len(b.trace("target ended")), 4)

    def test_after_allocation_started_fails(self):
        """The batch is not promoted and no further one begins; the hook alone is run again."""
        b = self.deployed({"command_join": Hook("after_allocation_started"),
                           "command_then": Hook("after_allocation_started", language="sh")})
        b.fail("command_join", WORKERS[1])
        self.refuse(b.apply(), 1, f"api/upgrade/1/{WORKERS[1]}/after_allocation_started/command_join",
                    "fails on purpose")
        self.assertEqual({line.worker for line in b.trace("target began")}, set(WORKERS[:2]))
        self.assertEqual(self.versions(b), ["1.0.0"] * 3)
        self.assertEqual(b.trace(command="command_then"), [], "a hook ran after one that had failed")
        b.mend("command_join", WORKERS[1])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(self.versions(b), ["2.0.0"] * 3)
        self.assertEqual(len(b.trace("target began")), 3, "a target was repeated")
        self.assertEqual([len(b.trace("hook began", command="command_join", worker=worker)) for worker in WORKERS[:3]],
                         [1, 2, 1])

    def test_a_target_fails(self):
        """The others of its batch go through their hooks and are promoted."""
        b = self.deployed({"command_join": Hook("after_allocation_started", language="sh")})
        b.fail("api", WORKERS[0])
        self.refuse(b.apply(), 1, f"api/upgrade/1/{WORKERS[0]}/restart")
        self.assertEqual([line.worker for line in b.trace("hook ended")], [WORKERS[1]])
        self.assertEqual(self.versions(b), ["1.0.0", "2.0.0", "1.0.0"])
        b.mend("api", WORKERS[0])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(b.runs(), {("command_join", worker): 1 for worker in WORKERS[:3]})
        self.assertEqual(self.versions(b), ["2.0.0"] * 3)

    def test_health_check_fails(self):
        """Promotions stay, no further batch begins, and the same command asks again."""
        b = self.deployed({"command_well": Hook("health_check", language="sh")},
                          health_check={"checks": [{"type": "ssh", "command": "true"}], "wait": {"attempts": 2, "interval_seconds": 0}})
        b.fail("command_well", WORKERS[2])
        failed = self.refuse(b.apply(), 1, "api/upgrade/1/gate", WORKERS[2], "command_well", "fails on purpose")
        self.assertIn("after 2 tries", failed.out)
        self.assertEqual(self.versions(b), ["2.0.0", "2.0.0", "1.0.0"])
        self.succeed(b.apply(), 1)
        b.mend("command_well", WORKERS[2])
        self.succeed(b.apply())
        self.assertEqual(self.versions(b), ["2.0.0"] * 3)
        self.assertEqual(len(b.trace("target began")), 3)

    def test_health_check_on_demand(self):
        """The hooks of what runs, whatever the workspace says by now."""
        b = self.deployed({"command_well": Hook("health_check"), "command_look": Hook("cli")}, workers=WORKERS[:2],
                          health_check={"checks": [{"type": "ssh", "command": "true"}]})
        # A plan that touches no worker leaves them to the run that did.
        self.succeed(b.run("maand-plan", "job-command", "api", "command_look", "--bucket", b.path, "-o", b.top / "look.yaml"))
        self.succeed(b.apply(plan="look.yaml"))
        b.forget()
        self.succeed(b.run("maand-apply", "health-check", "--bucket", b.path))
        self.assertEqual({(line.values["CURRENT_VERSION"], line.values["NEW_VERSION"]) for line in b.trace("hook ended")},
                         {("1.0.0", "1.0.0")})
        for jobs in (",", "", "api,"):
            self.succeed(b.run("maand-apply", "health-check", "--jobs", jobs, "--bucket", b.path), 65)
        b.fail("command_well", WORKERS[1])
        failed = b.run("maand-apply", "health-check", "--bucket", b.path)
        self.succeed(failed, 1)
        for word in ("api", WORKERS[1], "command_well", "fails on purpose"):
            self.assertIn(word, failed.out + failed.err)
        self.assertEqual(len(b.trace("hook began", worker=WORKERS[1])), 2)

    def test_post_deploy_fails(self):
        """The job stays incomplete; that hook alone is tried again, by the same run, and by the next plan."""
        b = self.deployed({"command_end": Hook("post_deploy"), "command_ready": Hook("pre_deploy", language="sh")},
                          workers=WORKERS[:2])
        b.fail("command_end", WORKERS[0])
        self.refuse(b.apply(), 1, f"api/post_deploy/{WORKERS[0]}/command_end")
        self.assertEqual(self.versions(b), ["2.0.0"] * 2)
        self.assertEqual({line.worker for line in b.trace("target began")}, set(WORKERS[:2]))
        self.succeed(b.apply("--retry-failed"), 1)
        self.assertEqual([len(b.trace("hook began", command="command_end", worker=worker)) for worker in WORKERS[:2]],
                         [2, 1])
        self.succeed(b.abandon(2))
        b.mend("command_end", WORKERS[0])
        b.forget()
        self.succeed(b.plan())
        plan = b.read_plan()["waves"][0]["jobs"][0]
        self.assertEqual((plan["phases"], list(plan["hooks"])), ([], ["modules", "post_deploy"]))
        self.succeed(b.apply())
        self.assertEqual(b.trace("target began"), [])
        self.assertEqual(b.runs(), {("command_end", worker): 1 for worker in WORKERS[:2]})
        self.assertEqual(self.succeed(b.plan("--detailed-exitcode")).code, 0)

    def test_after_allocation_stopped(self):
        """Of a disabled allocation: told so; where it fails, the stop is not repeated."""
        hooks = {"command_left": Hook("after_allocation_stopped")}
        b = self.bucket(*WORKERS[:2])
        b.hook_job("api", "1.0.0", hooks)
        self.rollout(b)
        b.forget()
        b.write("disabled.json", json.dumps({"jobs": {"api": {"allocations": [WORKERS[0]]}}}))
        b.fail("command_left", WORKERS[0])
        self.refuse(self.rollout(b, code=1), 1, f"api/stop/1/{WORKERS[0]}/after_allocation_stopped/command_left")
        b.mend("command_left", WORKERS[0])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual([line.event for line in b.trace("target began")], ["stop"])
        began = b.trace("hook began")
        self.assertEqual([(line.worker, line.values["DISABLED"]) for line in began], [(WORKERS[0], "1")] * 2)
        self.assertEqual(self.succeed(b.plan("--detailed-exitcode")).code, 0)
        # One that is removed keeps its files until its hook has succeeded.
        b.workers(WORKERS[0])
        b.fail("command_left", WORKERS[1])
        self.rollout(b, code=1)
        self.assertTrue((b.job_dir(WORKERS[1], "api") / "Makefile").exists())
        b.mend("command_left", WORKERS[1])
        self.succeed(b.apply("--retry-failed"))
        self.assertFalse((b.job_dir(WORKERS[1], "api") / "Makefile").exists())
        self.assertEqual(len(b.trace("target began", worker=WORKERS[1])), 1)
