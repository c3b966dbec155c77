"""Lists of the catalog beside what the workspace wants: their columns and states, filters, and a workspace that is broken."""
import json

import bucket
import hookbucket
from hookbucket import Hook


class Lists(hookbucket.HookCase):
    def rows(self, b, what, *flags):
        return json.loads(self.succeed(b.catalog(what, "--format", "json", *flags)).out)

    def table(self, b, what, *flags):
        """The rows of a table as words; cells of these lists are set apart by two spaces."""
        lines = self.succeed(b.catalog(what, *flags)).out.splitlines()
        return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[1:]]

    def states(self, b, *flags):
        return {(row["job"], row["worker"]): row["state"] for row in self.rows(b, "allocations", *flags)}

    def fleet(self):
        """Two jobs on three workers, of which one demands the other."""
        b = self.bucket()
        b.workers_with({"w1": ["front"], "w2": ["front"], "w3": []})
        b.write("bucket.conf", 'port_min = "31000"\nport_max = "31009"\n')
        b.write("bucket.jobs.conf", '[base]\nmemory = "96 mb"\n')
        b.hook_job("base", "1.0.0", {"command_base": Hook("cli", "post_deploy")},
                   resources={"memory": {"min": "64 mb", "max": "128 mb"}, "cpu": {"max": "100 mhz"},
                              "ports": {"base_port": {}, "fixed_port": 4711}})
        demand = {"job": "base", "command": "command_base", "config": {"min_version": "1.0.0", "size": 3}}
        b.hook_job("web", "v2", {"command_web": Hook("pre_deploy", demands=demand)}, selectors=["front"])
        return b

    def test_states_of_allocations(self):
        b = self.fleet()
        self.assertEqual(set(self.states(b).values()), {"new"})
        self.rollout(b)
        self.assertEqual(set(self.states(b).values()), {"promoted"})
        row = self.rows(b, "allocations", "--jobs", "web", "--workers", "w1")[0]
        self.assertEqual((row["promoted"]["version"], row["target_version"], row["standing"]), ("v2", "v2", "active"))

        # A worker more, one job changed, one allocation disabled, one stopped by a person.
        b.workers_with({"w1": ["front"], "w2": ["front"], "w3": [], "w4": []})
        b.write("jobs/web/app.conf", "changed\n")
        b.write("disabled.json", json.dumps({"jobs": {"base": {"allocations": ["w2"]}}}))
        self.succeed(b.run("maand-plan", "stop", "base", "--workers", "w3", "--bucket", b.path, "-o", b.top / "s.yaml"))
        self.succeed(b.apply(plan="s.yaml"))
        self.assertEqual(self.states(b), {
            ("base", "w1"): "promoted", ("base", "w2"): "disabled", ("base", "w3"): "stopped", ("base", "w4"): "new",
            ("web", "w1"): "restart", ("web", "w2"): "restart"})
        self.assertEqual(set(self.states(b, "--active")), {
            ("base", "w1"), ("base", "w4"), ("web", "w1"), ("web", "w2")})
        self.assertEqual(set(self.states(b, "--workers", "w2,w3")), {("base", "w2"), ("base", "w3"), ("web", "w2")})
        self.assertEqual(set(self.states(b, "--workers", "w2,w3", "--active", "--jobs", "web")), {("web", "w2")})

        # What has left the workspace, and what its next deploy brings to the end.
        b.workers_with({"w1": ["front"], "w2": [], "w3": []})
        self.assertEqual(self.states(b, "--jobs", "web"), {("web", "w1"): "restart", ("web", "w2"): "removed"})
        self.rollout(b)
        self.assertEqual(self.states(b), {
            ("base", "w1"): "promoted", ("base", "w2"): "disabled", ("base", "w3"): "stopped",
            ("web", "w1"): "promoted", ("web", "w2"): "removed"})
        self.assertIn(["web", "w2", "removed"], [row[:3] for row in self.table(b, "allocations")])

    def test_a_failed_gate_and_what_is_left_behind(self):
        b = self.bucket("w1", "w2")
        gate = {"health_check": {"checks": [{"type": "ssh", "command": "test ! -e sick"}],
                                 "wait": {"attempts": 1, "interval_seconds": 0}}}
        b.job("api", rollout={"max_unreachable": 1}, **gate)
        self.rollout(b)
        # A file lies in the place of the worker's folder.
        away = b.path / "workers/w2.away"
        (b.path / "workers/w2").rename(away)
        (b.path / "workers/w2").touch()
        b.job("api", "2.0.0", rollout={"max_unreachable": 1}, **gate)
        (b.path / "workers/w1/opt/worker" / b.id / "sick").touch()
        self.rollout(b, code=1)
        self.assertEqual(self.states(b), {("api", "w1"): "health_failed", ("api", "w2"): "left_behind"})
        self.assertIn(["api", "w2", "left behind"], [row[:3] for row in self.table(b, "allocations")])
        (b.path / "workers/w2").unlink()
        away.rename(b.path / "workers/w2")
        (b.path / "workers/w1/opt/worker" / b.id / "sick").unlink()
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(set(self.states(b).values()), {"promoted"})

    def test_columns_of_jobs(self):
        b = self.fleet()
        rows = {row["job"]: row for row in self.rows(b, "jobs")}
        self.assertEqual({job: row["deployment_seq"] for job, row in rows.items()}, {"base": 0, "web": 1})
        self.assertEqual(rows["base"]["selectors"], ["worker"])
        self.assertEqual(rows["base"]["memory"], {"amount": "96 mb", "source": "bucket.jobs.conf"})
        self.assertEqual(rows["base"]["cpu"], {"amount": "100 mhz", "source": "manifest"})
        self.assertEqual((rows["web"]["memory"], rows["web"]["target_version"], rows["web"]["versions"]), (None, "v2", {}))
        self.assertEqual([(row[0], row[-1]) for row in self.table(b, "jobs")], [("base", "new"), ("web", "new")])
        self.rollout(b)
        b.hook_job("web", "v3", selectors=["front"])
        row = next(row for row in self.table(b, "jobs") if row[0] == "web")
        self.assertEqual(row, ["web", "2", "0", "0", "v2 (2)", "v3", "0", "front", "-", "-", "complete"])
        self.assertEqual([row["job"] for row in self.rows(b, "jobs", "--workers", "w3")], ["base"])

    def test_ports_hooks_and_deployments(self):
        b = self.fleet()
        self.assertEqual(self.table(b, "ports"),
                         [["base", "base_port", "31000", "range"], ["base", "fixed_port", "4711", "manifest"]])
        self.assertEqual(self.rows(b, "ports", "--jobs", "web"), [])
        hooks = {row["command"]: row for row in self.rows(b, "hooks")}
        self.assertEqual(hooks["command_base"], {
            "job": "base", "command": "command_base", "executed_on": ["cli", "post_deploy"], "demands": None})
        self.assertEqual(hooks["command_web"]["demands"]["job"], "base")
        self.assertEqual(json.loads(hooks["command_web"]["demands"]["config"]), {"min_version": "1.0.0", "size": 3})
        self.assertEqual([row["command"] for row in self.rows(b, "hooks", "--workers", "w3")], ["command_base"])
        self.rollout(b)
        b.write("jobs/web/app.conf", "changed\n")
        self.rollout(b)
        self.assertEqual([row["job"] for row in self.rows(b, "deployments")], ["web", "base", "web"])
        self.assertEqual([row["run"] for row in self.rows(b, "deployments", "--jobs", "web")], [2, 1])
        self.assertEqual([row["run"] for row in self.rows(b, "deployments", "--jobs", "web", "--active")], [2])
        self.assertEqual([row["job"] for row in self.rows(b, "deployments", "--workers", "w3")], ["base"])

    def test_unknown_names(self):
        b = self.fleet()
        for what in ("jobs", "allocations", "deployments", "ports", "hooks", "kv"):
            self.refuse(b.catalog(what, "--jobs", "base,wep"), 65, 'wep', "did you mean web?")
            self.refuse(b.catalog(what, "--workers", "w9"), 65, "w9")
            self.refuse(b.catalog(what, "--jobs", "a/b"), 64, "--jobs")
        self.refuse(b.run("maand-plan", "kv", "list", "--jobs", "wep", "--bucket", b.path), 65, "did you mean web?")

    def test_a_broken_workspace(self):
        """What is recorded is shown, and a warning says why the rest is not."""
        b = self.fleet()
        self.rollout(b)
        b.write("jobs/web/manifest.json", "{")
        for what in ("jobs", "allocations", "ports"):
            done = self.succeed(b.catalog(what))
            self.assertIn("warning: the workspace cannot be read", done.err)
            self.assertIn("jobs/web/manifest.json", done.err)
            self.assertIn("base", done.out)
        rows = self.rows(b, "allocations")
        self.assertEqual({(row["state"], row["target_version"]) for row in rows}, {("promoted", None)})
        self.assertEqual({row["deployment_seq"] for row in self.rows(b, "jobs")}, {None})
        self.assertIn(["base", "base_port", "31000", "recorded"], self.table(b, "ports"))
        # Nothing of hooks is recorded.
        self.refuse(b.catalog("hooks"), 65, "jobs/web/manifest.json")

    def test_states_without_a_plan(self):
        """A deploy that cannot be planned: what changed is seen by the versions alone."""
        b = self.fleet()
        self.rollout(b)
        b.hook_job("web", "v3", selectors=["front"], files={"app.conf.tpl": '{{ get "vars/job/web" "missing" }}\n'})
        done = self.succeed(b.catalog("allocations", "--jobs", "web"))
        self.assertIn("warning: no deploy can be planned", done.err)
        self.assertEqual([line.split()[2] for line in done.out.splitlines()[1:]], ["restart", "restart"])


class Keys(hookbucket.HookCase):
    def fleet(self):
        return Lists.fleet(self)

    def rows(self, b, *flags):
        return {(row["namespace"], row["key"]): row for row in b.json_of("maand-plan", "kv", "list", *flags)}

    def test_what_a_job_may_read(self):
        b = self.fleet()
        b.write("jobs/web/vars.toml", 'color = "blue"\n')
        b.kv("put", "secrets/job/web", "password", stdin="hunter2 of web\n")
        b.kv("put", "secrets/job/base", "password", stdin="hunter2 of base\n")
        rows = self.rows(b, "--jobs", "web")
        self.assertEqual({namespace for namespace, _ in rows}, {
            "maand/bucket", "maand/worker", "maand/worker/w1", "maand/worker/w2", "maand/job/web", "maand/job/base",
            "maand/job/web/worker/w1", "maand/job/web/worker/w2", "vars/bucket", "vars/job/web", "secrets/job/web",
            "secrets/job/base"})
        self.assertEqual(rows["maand/bucket", "active_jobs"]["value"], "base,web")
        self.assertEqual(rows["maand/bucket", "activejobs"]["value"], "base,web")
        self.assertEqual(rows["vars/job/web", "color"]["value"], "blue")
        for job in ("web", "base"):
            row = rows[f"secrets/job/{job}", "password"]
            self.assertEqual((row["secret"], row["value"]), (True, None))
        # The other job demands nobody.
        names = {namespace for namespace, _ in self.rows(b, "--jobs", "base")}
        self.assertFalse({name for name in names if "web" in name}, names)
        self.assertIn("maand/worker/w3", names)
        # Fewer workers.
        names = {namespace for namespace, _ in self.rows(b, "--jobs", "web", "--workers", "w1")}
        self.assertIn("maand/worker/w1", names)
        self.assertNotIn("maand/worker/w2", names)

    def test_everything(self):
        b = self.fleet()
        plain, derived = self.rows(b), self.rows(b, "--derived")
        self.assertFalse([namespace for namespace, _ in plain if namespace.startswith("maand/")])
        self.assertLessEqual(set(plain), set(derived))
        for key in (("maand/bucket", "bucket_id"), ("maand/worker/w3", "worker_ip"), ("maand/job/web/worker/w2", "version"),
                    ("vars/bucket/job/base", "memory"), ("vars/bucket", "port_min")):
            self.assertIn(key, derived)
        catalog = b.json_of("maand-plan", "catalog", "kv")
        self.assertEqual({(row["namespace"], row["key"]) for row in catalog}, set(derived))
        # No allocation of the job runs there.
        b.write("disabled.json", json.dumps({"jobs": {"web": {}}}))
        active = {namespace for namespace, _ in self.rows(b, "--derived", "--active")}
        self.assertFalse({name for name in active if "web" in name}, active)
        self.refuse(b.run("maand-plan", "kv", "list", "vars/bucket", "--derived", "--bucket", b.path), 64, "namespace")

    def test_certificates_are_named_and_not_shown(self):
        b = self.bucket("w1")
        b.hook_job("api", certs={"tls": {"subject": {"common_name": "api"}}})
        self.succeed(b.run("maand-plan", "certs", "issue", "--bucket", b.path))
        rows = self.rows(b, "--jobs", "api")
        for key in (("maand/job/api/worker/w1", "certs/tls.crt"), ("maand/job/api/worker/w1", "certs/tls.key"),
                    ("maand/worker", "certs/ca.crt")):
            self.assertEqual((rows[key]["secret"], rows[key]["value"]), (True, None), key)
