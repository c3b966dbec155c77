"""`after` in a manifest: an order of jobs without commands on both sides."""
import json

import bucket


class After(bucket.Case):
    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers("w1", "w2")

    def manifest(self, job, **fields):
        """Neither side needs a version."""
        content = {"selectors": ["worker"], **fields}
        self.b.job(job)
        self.b.write(f"jobs/{job}/manifest.json", json.dumps(content, indent=1) + "\n")

    def apply(self, *flags, code=0):
        return self.succeed(self.b.apply(*flags), code)

    def test_waves_and_blocked_jobs(self):
        self.manifest("a-proxy", after=["web", "db"])
        self.manifest("web", after=["db"])
        self.manifest("db", after=[])
        self.succeed(self.b.plan("--on-failure", "continue"))
        plan = self.b.read_plan()
        self.assertEqual(
            [(wave["deployment_seq"], [job["job"] for job in wave["jobs"]]) for wave in plan["waves"]],
            [(0, ["db"]), (1, ["web"]), (2, ["a-proxy"])])
        self.assertEqual(plan["waves"][2]["jobs"][0]["demands"], ["db", "web"])
        shown = self.succeed(self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path)).out
        self.assertIn("demands db, web", " ".join(shown.split()))
        self.b.fail("web", "w2")
        self.apply(code=1)
        states = {row["job"]: row["state"] for row in json.loads(self.b.status("--format", "json").out)["jobs"]}
        self.assertEqual(states, {"db": "done", "web": "failed", "a-proxy": "blocked"})
        self.assertFalse([row for row in self.b.began() if row[0] == "a-proxy"])
        self.b.mend("web", "w2")
        self.apply("--retry-failed")
        self.assertEqual([job for job, _, _ in self.b.targets()][-2:], ["a-proxy"] * 2)
        # Nothing but the order: a further plan has nothing to do, and stops come in reverse.
        self.succeed(self.b.plan())
        self.assertEqual(self.b.read_plan()["waves"], [])
        self.b.write("disabled.json", json.dumps({"workers": ["w1", "w2"]}))
        self.succeed(self.b.plan())
        self.assertEqual([stop["job"] for stop in self.b.read_plan()["reconcile"]],
                         ["a-proxy", "a-proxy", "web", "web", "db", "db"])

    def test_an_order_that_is_added_changes_the_manifest_alone(self):
        for job in ("db", "web"):
            self.manifest(job, restart_policy="reload")
        self.succeed(self.b.plan())
        self.apply()
        self.manifest("db", restart_policy="reload", after=["web"])
        self.succeed(self.b.plan())
        self.assertEqual(bucket.actions(self.b.read_plan()), {
            "db": {worker: ("reload", "content_changed") for worker in ("w1", "w2")}})

    def test_it_gives_no_right_to_read(self):
        self.manifest("web")
        self.manifest("front", after=["web"])
        self.b.write("jobs/web/vars.toml", 'color = "blue"\n')
        self.b.write("jobs/front/colors.tpl", '{{ get "vars/job/web" "color" }}\n')
        self.refuse(self.b.plan(), 65, "colors.tpl:1", "vars/job/web")

    def test_errors(self):
        self.manifest("web")
        for after, words in [
                (["wep"], ["manifest.json:6:3", 'after names the unknown job "wep"', 'did you mean "web"?']),
                (["front"], ["manifest.json:6:3", "after names the job itself"]),
                (["web", "web"], ["manifest.json:7:3", 'after names the job "web" twice']),
                ("web", ["manifest.json:5:11"]), ([1], ["manifest.json:6:3"])]:
            with self.subTest(after):
                self.manifest("front", after=after)
                self.refuse(self.b.plan(), 65, *words)
        self.manifest("front", after=["web"])
        self.manifest("web", after=["front"])
        self.refuse(self.b.plan(), 65, "manifest.json:6:3", "after closes a circle of demands: front -> web -> front")
