"""The JSON Schemas of plans/schema hold for every example that the programs accept, and refuse what these refuse."""
import copy
import json
import pathlib
import shutil

import jsonschema
import yaml

import bucket

HERE = pathlib.Path(__file__).parent
TOP = HERE.parent.parent
CASES = json.loads((HERE / "maand-cases.json").read_text())


def validator(name):
    schema = json.loads((TOP / f"plans/schema/{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


MANIFEST = {"version": "1.0.0", "selectors": ["worker"]}
CHECK = {"type": "tcp", "port": 80}

# What to write into a sound workspace, and the file that it is in.
BAD_MANIFESTS = {
    "a version of another type": {"version": 1},
    "a version that is none": {"version": "1 0"},
    "a selector that is empty": {"selectors": [""]},
    "a count below zero": {"max_concurrent_upgrades": -1},
    "a count that is text": {"max_concurrent_starts": "2"},
    "both names of a count": {"max_concurrent_starts": 1, "deploy_parallel_count": 1},
    "an unknown policy": {"restart_policy": "sometimes"},
    "globs without the policy": {"restart_globs": ["*"]},
    "globs with another policy": {"restart_globs": ["*"], "restart_policy": "always"},
    "no size of a batch": {"rollout": {"batches": []}},
    "a batch of no host": {"rollout": {"batches": [0]}},
    "a share above all": {"rollout": {"batches": ["101%"]}},
    "two sizes of a batch": {"rollout": {"batches": [1]}, "max_concurrent_upgrades": 2},
    "another time of new hosts": {"rollout": {"new_hosts": "middle"}},
    "an unknown key of the rollout": {"rollout": {"batch": [1]}},
    "memory in feet": {"resources": {"memory": {"min": "3 feet"}}},
    "a port out of range": {"resources": {"ports": {"web": 70000}}},
    "a port with settings": {"resources": {"ports": {"web": {"from": 1}}}},
    "the name of a port in capitals": {"resources": {"ports": {"Web": 80}}},
    "a command of another name": {"commands": {"page": {"executed_on": ["cli"]}}},
    "a command without events": {"commands": {"command_page": {"executed_on": []}}},
    "an unknown event": {"commands": {"command_page": {"executed_on": ["sometimes"]}}},
    "half a demand": {"commands": {"command_page": {"executed_on": ["cli"], "demands": {"job": "other"}}}},
    "an unknown check": {"health_check": {"checks": [{"type": "smtp", "port": 25}]}},
    "a path without a slash": {"health_check": {"checks": [{"type": "http", "port": 80, "path": "x"}]}},
    "https": {"health_check": {"checks": [{"type": "http", "port": 80, "scheme": "https"}]}},
    "attempts below zero": {"health_check": {"checks": [CHECK], "wait": {"attempts": -1}}},
    "a timeout of nothing": {"timeouts": {"action": 0}},
    "a target that nobody knows": {"repeatable": ["sync"]},
    "a glob of nothing": {"changed_by_service": [""]},
    "a mode that is none": {"file_modes": {"*.conf": "0999"}},
    "a mode with too many digits": {"file_modes": {"*.conf": "06400"}},
    "a mode that its owner cannot read": {"file_modes": {"*.conf": "0040"}},
    "a mode that is a number": {"file_modes": {"*.conf": 640}},
    "an event twice": {"commands": {"command_page": {"executed_on": ["cli", "cli"]}}},
    "a certificate named ca": {"certs": {"ca": {}}},
    "a certificate with a field that nobody knows": {"certs": {"a": {"subjekt": {}}}},
}
# What Maand's bundles may have: the programs and the schema take it.
MAAND_MANIFESTS = {
    "a health check without checks": {"health_check": {"checks": []}},
    "a health check that only waits": {"health_check": {"wait": {"attempts": 3}}},
    "null is no field": {"rollout": None, "restart_globs": None, "timeouts": None, "file_modes": None, "ca": None},
    "a share with a zero before it": {"rollout": {"max_unreachable": "02%"}},
    "one count by its old name, none by the new one": {"deploy_parallel_count": 2, "max_concurrent_starts": None},
    "0 is the default": {"health_check": {"checks": [CHECK], "timeout_seconds": 0, "wait": {"attempts": 0}}},
}
MAAND_DISABLED = {
    "no allocation": {"jobs": {"api": {"allocations": []}}},
    "nothing of a job": {"jobs": {"api": None}},
}
# The programs warn, and an editor with the schema shows it.
UNKNOWN_FIELDS = {"owner": "me", "description": "x"}
BAD_WORKERS = {
    "no list": {"host": "a"},
    "no host": [{}],
    "a host with a space": [{"host": "a b"}],
    "a host that is an option": [{"host": "-x"}],
    "an unknown key": [{"host": "a", "lables": []}],
    "a label twice": [{"host": "a", "labels": ["x", "x"]}],
    "a port out of range": [{"host": "a", "port": 0}],
    "a tag that is a number": [{"host": "a", "tags": {"zone": 1}}],
    "memory in feet": [{"host": "a", "memory": "1 foot"}],
}
BAD_DISABLED = {
    "an unknown key": {"job": {}},
    "a list of jobs": {"jobs": ["a"]},
    "a worker twice": {"workers": ["a", "a"]},
    "an unknown key of a job": {"jobs": {"a": {"allocation": ["w1"]}}},
}


class Schemas(bucket.Case):
    def hold(self, name, value, where):
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in validator(name).iter_errors(value)]
        self.assertEqual(errors, [], where)

    def hold_workspace(self, workspace):
        self.hold("workers", json.loads((workspace / "workers.json").read_text()), workspace)
        if (workspace / "disabled.json").exists():
            self.hold("disabled", json.loads((workspace / "disabled.json").read_text()), workspace)
        for file in workspace.glob("jobs/*/manifest.json"):
            self.hold("manifest", json.loads(file.read_text()), file)

    def hold_plan(self, b):
        self.hold("plan", b.read_plan(), b.file())
        shown = self.succeed(b.run("maand-plan", "show", b.file(), "--format", "json", "--steps"))
        self.hold("review", json.loads(shown.out), b.file())

    def test_the_quickstart_and_a_new_bucket(self):
        b = bucket.Bucket(self)
        shutil.rmtree(b.path)
        shutil.copytree(TOP / "plans/quickstart", b.path)
        self.hold_workspace(b.workspace)
        self.succeed(b.plan())
        self.hold_plan(b)
        for transport in ("local", "ssh"):
            folder = b.top / transport
            self.succeed(b.run_in(b.top, "maand-plan", "init", folder, "--transport", transport))
            self.hold_workspace(folder / "workspace")

    def test_every_situation_of_maand(self):
        b = bucket.Bucket(self)
        planned = 0
        for case in CASES:
            for state in case["states"]:
                shutil.rmtree(b.workspace)
                for path, text in state.items():
                    b.write(path, text)
                result = b.plan()
                if result.code == 0:
                    self.hold_workspace(b.workspace)
                    self.hold_plan(b)
                    planned += 1
        self.assertGreater(planned, 100)

    def test_a_plan_with_everything(self):
        b = bucket.Bucket(self)
        b.write("workers.json", json.dumps([{"host": f"w{n}", "tags": {"zone": f"z{n}", "environment": "test"}} for n in range(1, 4)]))
        b.job("gone", version="0.1.0")
        b.job("api", restart_policy="reload", restart_globs=["*.conf"], repeatable=["reload"],
              changed_by_service=["app.conf", "state/"], file_modes={"*.conf": "0640", "secret/**": "400"},
              rollout={"batches": [1, "50%", "100%"], "spread": "zone", "bake_seconds": 30, "max_failures": 2, "new_hosts": "last",
                       "max_unreachable": "50%"},
              health_check={"checks": [{"type": "tcp", "port": 1}],
                            "wait": {"attempts": 1, "initial_delay_seconds": 1, "successes": 2}})
        self.succeed(b.plan("--max-unreachable", "1"))
        self.hold_plan(b)
        self.succeed(b.apply(), 1)
        self.succeed(b.abandon(1))
        self.hold_plan(b)
        shutil.rmtree(b.workspace / "jobs/gone")
        b.write("jobs/api/app.conf", "b\n")
        b.write("workers.json", json.dumps([{"host": f"w{n}", "tags": {"zone": f"z{n}"}} for n in range(1, 3)]))
        b.write("disabled.json", json.dumps({"jobs": {"api": {"allocations": ["w2"]}}, "workers": []}))
        self.succeed(b.plan(
            "--recover", "api", "--window", "third thu of mar 22:00 for 4h and 2026-12-01T22:00 to 2026-12-02T02:00 in Europe/Berlin "
            "cutoff 15m freeze 2026-12-20 to 2027-01-04", "--start-before", "2030-01-01T00:00Z"))
        plan = b.read_plan()
        self.assertEqual({stop["reason"] for stop in plan["reconcile"]}, {"removed", "disabled"})
        self.assertTrue(any(worker.get("removed") for worker in plan["workers"]))
        self.hold_workspace(b.workspace)
        self.hold_plan(b)

    def test_plans_that_go_back(self):
        b = self.hooked({"command_a": ["pre_deploy", "after_allocation_stopped"]})
        b.job("gone", version="0.1.0")
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.write("disabled.json", json.dumps({"jobs": {"api": {"allocations": ["w2"]}}}))
        self.succeed(b.plan())
        self.succeed(b.apply())
        shutil.rmtree(b.workspace / "jobs/gone")
        b.workers("w1", "w2", "w3")
        (b.workspace / "disabled.json").unlink()
        b.write("jobs/api/app.conf", "b\n")
        self.succeed(b.plan("--on-failure", "rollback", "--stops", "last"))
        plan = b.read_plan()
        self.assertEqual({stop.get("before") for stop in plan["rollback"]["stops"]}, {"stopped", None})
        self.hold_plan(b)
        shown = json.loads(self.succeed(b.run("maand-plan", "show", b.file(), "--format", "json")).out)
        self.assertEqual({stop["leaves"] for stop in shown["way_back"]["stops"]}, {"stopped", "removed"})
        self.assertEqual(shown["way_back"]["hooks_stay"], [{"job": "api", "commands": ["command_a"]}])
        self.assertEqual(shown["way_back"]["stays_stopped"], {"gone": ["w1", "w2"]})
        self.assertTrue(shown["way_back"]["waves"][0]["jobs"])
        # It ends well, and is taken back by a plan of its own.
        self.succeed(b.apply())
        self.succeed(b.run("maand-plan", "rollback", 3, "--bucket", b.path, "--overwrite", "-o", b.file()))
        self.hold_plan(b)
        shown = json.loads(self.succeed(b.run("maand-plan", "show", b.file(), "--format", "json")).out)
        self.assertEqual(shown["rolls_back"], {
            "run": 3, "stays_stopped": {"gone": ["w1", "w2"]}, "hooks_stay": [{"job": "api", "commands": ["command_a"]}]})
        self.assertEqual({stop["leaves"] for stop in shown["stops"]}, {"stopped", "removed"})

    def test_a_plan_that_leads_back_to_what_failed(self):
        b = self.hooked({})
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.write("jobs/api/Makefile", "restart:\n\t@exit 3\nstart stop:\n\t@true\n")
        self.succeed(b.plan("--on-failure", "rollback"))
        self.succeed(b.apply(), 1)
        self.succeed(b.plan("--on-failure", "rollback"))
        shown = json.loads(self.succeed(b.run("maand-plan", "show", b.file(), "--format", "json")).out)
        self.assertEqual(shown["failed_before"], {"api": ["w1"]})
        self.hold_plan(b)

    def hooked(self, commands, **manifest):
        """A bucket with a job whose commands run on these events."""
        b = bucket.Bucket(self)
        b.workers("w1", "w2")
        b.job("api", commands={command: {"executed_on": events} for command, events in commands.items()}, **manifest)
        return b

    def test_a_plan_with_every_hook(self):
        b = self.hooked({
            "command_a": ["pre_deploy", "post_deploy", "after_allocation_started"],
            "command_b": ["after_allocation_stopped", "health_check", "pre_deploy", "cli"],
        }, repeatable=["command_a", "start"])
        # Of each kind of script one.
        (b.workspace / "jobs/api/_modules/command_b.py").unlink()
        b.write("jobs/api/_modules/command_b", "#!/bin/sh\n", executable=True)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.write("jobs/api/app.conf", "b\n")
        b.write("disabled.json", json.dumps({"jobs": {"api": {"allocations": ["w2"]}}}))
        self.succeed(b.plan())
        plan = b.read_plan()
        job = plan["waves"][0]["jobs"][0]
        self.assertEqual(set(job["hooks"]) - {"modules"},
                         {"pre_deploy", "post_deploy", "after_allocation_started", "health_check"})
        self.assertEqual(job["rollout_order"]["may_be_replaced_by"], ["command_a", "command_b"])
        self.assertEqual(job["health_check"]["checks"], [])
        self.assertEqual([hooks["job"] for hooks in plan["stop_hooks"]], ["api"])
        self.assertEqual([worker["worker"] for worker in plan["facts"]["workers"]], ["w1", "w2"])
        self.hold_workspace(b.workspace)
        self.hold_plan(b)

    def test_hooks_of_the_second_generation(self):
        b = self.hooked({})
        b.job("db", commands={"command_ready": {"executed_on": ["cli"]}})
        demand = {"job": "db", "hook": "command_ready", "config": {"min_version": "0.1", "why": None}}
        b.job("api", hooks={"hook_a": {"executed_on": ["pre_deploy", "after_allocation_healthy"], "demands": demand}},
              repeatable=["hook_a"])
        b.write("jobs/api/_hooks/hook_a.py", "pass\n")
        self.succeed(b.plan())
        self.hold_workspace(b.workspace)
        self.hold_plan(b)

    def test_job_control(self):
        b = self.hooked({"command_canary": ["job_control"]})
        (b.workspace / "jobs/api/Makefile").unlink()
        (b.workspace / "jobs/api/_modules/command_canary.py").rename(
            b.workspace / "jobs/api/_modules/command_canary.sh")
        b.write("jobs/api/_modules/command_canary.sh", "exit 0\n")
        self.succeed(b.plan())
        self.assertEqual([phase["phase"] for phase in b.read_plan()["waves"][0]["jobs"][0]["phases"]], ["job_control"])
        self.hold_plan(b)
        self.succeed(b.apply())
        b.write("disabled.json", json.dumps({"jobs": {"api": {}}}))
        self.succeed(b.plan())
        self.assertEqual({stop["makefile"] for stop in b.read_plan()["reconcile"]}, {"optional"})
        self.hold_workspace(b.workspace)
        self.hold_plan(b)

    def test_a_plan_of_a_command(self):
        b = self.hooked({"command_a": ["cli"]})
        self.succeed(b.run("maand-plan", "job-command", "api", "command_a", "--bucket", b.path, "-o", b.file()))
        self.assertEqual(b.read_plan()["kind"], "job_command")
        self.hold_plan(b)

    def test_a_job_that_is_only_completed(self):
        b = self.hooked({"command_a": ["pre_deploy"], "command_b": ["post_deploy"]})
        b.write("jobs/api/_modules/command_b.py", "raise SystemExit(1)\n")
        self.succeed(b.plan())
        self.refuse(b.apply(), 1, "command_b")
        self.succeed(b.abandon(1))
        self.succeed(b.plan())
        job = b.read_plan()["waves"][0]["jobs"][0]
        self.assertEqual((job["phases"], set(job["hooks"])), ([], {"modules", "post_deploy"}))
        self.hold_plan(b)

    def refuse_both(self, name, path, examples, make):
        for what, value in examples.items():
            with self.subTest(what):
                b = bucket.Bucket(self)
                b.workers("w1")
                b.job("api")
                value = make(value)
                b.write(path, json.dumps(value))
                self.refuse(b.plan(), 65, path)
                self.assertTrue(list(validator(name).iter_errors(value)), "the schema accepts it")

    def take_both(self, name, path, value):
        b = bucket.Bucket(self)
        b.workers("w1")
        b.job("api")
        b.write(path, json.dumps(value))
        self.hold(name, value, path)
        self.succeed(b.plan())

    def test_what_bundles_of_maand_have(self):
        for what, change in MAAND_MANIFESTS.items():
            with self.subTest(what):
                self.take_both("manifest", "jobs/api/manifest.json", {**MANIFEST, **change})
        for what, value in MAAND_DISABLED.items():
            with self.subTest(what):
                self.take_both("disabled", "disabled.json", value)

    def test_unknown_fields(self):
        b = bucket.Bucket(self)
        b.workers("w1")
        b.job("api", **UNKNOWN_FIELDS)
        self.assertIn('unknown field "owner"', self.succeed(b.plan()).err)
        self.assertTrue(list(validator("manifest").iter_errors({**MANIFEST, **UNKNOWN_FIELDS})))

    def test_bad_manifests(self):
        self.refuse_both("manifest", "jobs/api/manifest.json", BAD_MANIFESTS, lambda change: {**MANIFEST, **change})

    def test_bad_workers(self):
        self.refuse_both("workers", "workers.json", BAD_WORKERS, lambda value: value)

    def test_bad_disabled(self):
        self.refuse_both("disabled", "disabled.json", BAD_DISABLED, lambda value: value)

    def test_bad_plans(self):
        b = bucket.Bucket(self)
        b.workers("w1")
        b.job("api")
        self.succeed(b.plan())
        sound = b.read_plan()
        schema = validator("plan")

        def bad(change):
            plan = copy.deepcopy(sound)
            change(plan)
            b.file().write_text(yaml.safe_dump(plan, sort_keys=False))
            self.refuse(b.run("maand-plan", "show", b.file()), 65)
            self.assertTrue(list(schema.iter_errors(plan)), "the schema accepts it")

        job = lambda plan: plan["waves"][0]["jobs"][0]
        bad(lambda plan: plan.update(plan_format=2))
        bad(lambda plan: plan.update(extra=1))
        bad(lambda plan: plan.pop("workers"))
        bad(lambda plan: plan["policy"].update(job_parallelism=65))
        bad(lambda plan: plan["policy"].update(start_before="2030-01-01"))
        bad(lambda plan: plan.update(window={}))
        bad(lambda plan: plan.update(window={"zone": "UTC", "openings": [], "cutoff_seconds": 0, "freezes": []}))
        bad(lambda plan: plan["workers"][0].update(worker="a b"))
        bad(lambda plan: job(plan).update(health_check={}))
        bad(lambda plan: job(plan)["phases"][0].update(gate="never"))
        hook = {"command": "command_a", "script": "command_a.py", "digest": "sha256:" + "0" * 64}
        modules = {"modules": "sha256:" + "0" * 64}
        bad(lambda plan: job(plan).update(hooks={"post_deploy": [hook]}))
        bad(lambda plan: job(plan).update(hooks=modules))
        bad(lambda plan: job(plan).update(hooks={**modules, "post_deploy": []}))
        bad(lambda plan: job(plan).update(hooks={**modules, "deploy": [hook]}))
        bad(lambda plan: job(plan).update(hooks={**modules, "after_allocation_stopped": [hook]}))
        bad(lambda plan: job(plan).update(hooks={**modules, "post_deploy": [{**hook, "command": "a"}]}))
        bad(lambda plan: job(plan).update(hooks={**modules, "post_deploy": [{**hook, "script": "../a.py"}]}))
        bad(lambda plan: job(plan).update(hooks={**modules, "post_deploy": [{**hook, "repeatable": False}]}))
        bad(lambda plan: job(plan)["rollout_order"].update(may_be_replaced_by=["order"]))
        bad(lambda plan: plan.update(stop_hooks=[{"job": "api", "timeout": 0, **modules, "commands": [hook]}]))
        bad(lambda plan: plan.update(stop_hooks=[{"job": "api", "timeout": 1, **modules, "commands": []}]))
        bad(lambda plan: job(plan)["phases"][0]["batches"][0][0].update(action="stop"))
        bad(lambda plan: job(plan)["changes"]["new"][0].update(to="sha256:12"))
