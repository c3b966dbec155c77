"""Hooks of every event, in Python, shell and as bare executables, on both transports: what they are told, in which order
they come, and what happens when one fails."""
import json

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
          "NEW_VERSION"}
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
            around = event in ("after_allocation_started", "after_allocation_stopped")
            self.assertEqual(told, ALWAYS | (BATCH if around else set()), (event, line.command))
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
            elif around:
                self.assertEqual(values["BATCH_ALLOCATIONS"], line.worker)
                self.assertEqual(values["DEPLOY_PHASE"], "stop")
        self.assertEqual(len(tokens), len(b.trace("hook began")), "a token served two hooks")
        ids = {(line.worker, line.values["ALLOCATION_ID"]) for line in b.trace("hook began")}
        self.assertEqual(len(ids), 5)
        self.assertEqual(len({id for _, id in ids}), 5)


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
        self.assertIn("try 1 of 2", failed.out)
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
