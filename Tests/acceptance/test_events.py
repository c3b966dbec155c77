"""The lines of `--events`: each fits its schema, and all of them tell what `status` shows."""
import json
import os

import bucket
import test_left_behind
import test_schemas
from bucket import until

WORKERS = [f"127.0.52.{number}" for number in range(1, 5)]


def fold(lines):
    """What `status --format json` shows, from the lines alone."""
    run, jobs, steps, left, drained = None, {}, {}, {}, set()
    for line in lines:
        fields = {key: value for key, value in line.items() if key not in ("v", "at", "event", "run")}
        event, subject = line["event"], (line.get("job"), line.get("worker"))
        if event == "opened":
            run, jobs, steps, left, drained = None, {}, {}, {}, set()
        elif event == "run_state":
            run = {"run": line["run"], **fields}
        elif event == "job_state":
            jobs[line["job"], line.get("way_back")] = fields
        elif event == "step_state":
            steps.pop(line["step"], None)
            if line["state"] not in ("pending", "succeeded"):
                steps[line["step"]] = fields
        elif event == "left_behind":
            left[subject] = line["detail"]
        elif event == "taken_in":
            del left[subject]
        elif event == "drained":
            drained.add(subject)
        elif event == "put_back":
            drained.remove(subject)
    if run and "pid" in run and not os.path.exists(f"/proc/{run['pid']}"):
        del run["pid"]
        run["state"] = "interrupted"
    return run and {**run, "jobs": list(jobs.values()), "steps": sorted(steps.values(), key=lambda row: row["step"]),
                    "left_behind": {key: reason for key, reason in left.items()}, "drained": drained}


class Events(bucket.Case, test_left_behind.Absent):
    def setUp(self):
        self.schema = test_schemas.validator("event")
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)
        self.log = self.b.top / "events"

    def release(self, version, make=None, **manifest):
        for job in ("api", "web"):
            self.b.job(job, version, {"app.conf": version}, make or bucket.makefile(pause=0), **manifest)

    def lines(self):
        """Those that are written whole."""
        return [json.loads(line) for line in self.log.read_text().split("\n")[:-1]] if self.log.exists() else []

    def status(self):
        found = json.loads(self.succeed(self.b.status("--format", "json")).out)
        found["steps"].sort(key=lambda row: row["step"])
        found["left_behind"] = {(row.get("job"), row.get("worker")): row["reason"] for row in found["left_behind"]}
        found["drained"] = {(row["job"], row["worker"]) for row in found["drained"]}
        return found

    def assert_told(self, state):
        """That the lines tell what `status` shows, and fit their schema."""
        lines = self.lines()
        for line in lines:
            self.schema.validate(line)
        status = self.status()
        self.assertEqual(status["state"], state)
        self.assertEqual(fold(lines), status)

    def test_failures_hosts_left_behind_a_resume_a_kill_and_a_way_back_are_rebuilt(self):
        b, events = self.b, ("--events", str(self.log))
        self.release("1.0.0")
        self.succeed(b.plan())
        self.succeed(b.apply(*events))
        self.assert_told("succeeded")

        self.release("2.0.0", rollout={"max_unreachable": 1})
        self.succeed(b.plan())
        b.forget()
        self.lose(b, WORKERS[3])
        b.fail("web", WORKERS[1])
        self.succeed(b.apply(*events), 1)
        self.assert_told("failed")
        status = self.status()
        self.assertEqual(len(status["left_behind"]), 2)
        self.assertEqual([row["state"] for row in status["steps"]], ["failed"])

        self.find(b, WORKERS[3])
        b.mend("web", WORKERS[1])
        b.forget()
        b.hold("web", WORKERS[1])
        child = b.start_apply("--retry-failed", *events)
        until(lambda: ("web", WORKERS[1], "restart") in b.began(), "the held target begun")
        until(lambda: fold(self.lines()) == self.status(), "told while it runs")
        self.assertEqual(self.status()["pid"], child.pid)
        child.kill()
        child.communicate()
        self.assert_told("interrupted")
        b.release("web", WORKERS[1])
        self.succeed(b.apply(*events))
        self.assert_told("succeeded")
        self.assertEqual(self.status()["left_behind"], {})

        bad = bucket.makefile(pause=0).replace("mkdir -p data;", f"[ $(WORKER) != {WORKERS[2]} ] || exit 3; mkdir -p data;")
        self.release("3.0.0", make=bad)
        self.succeed(b.plan("--on-failure", "rollback"))
        self.succeed(b.apply(*events), 1)
        self.assert_told("rolled_back")
        self.assertEqual({row.get("way_back") for row in self.status()["jobs"]}, {None, True})

    def test_only_json_on_standard_output(self):
        self.release("1.0.0")
        self.succeed(self.b.plan())
        done = self.succeed(self.b.apply("--events", "-"))
        lines = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual(fold(lines), self.status())
        self.assertIn("Run 1 succeeded.", done.err)

    def test_a_command_that_is_refused_says_so_last(self):
        self.release("1.0.0")
        self.succeed(self.b.plan())
        self.b.fail("api", WORKERS[0])
        self.succeed(self.b.apply(), 1)
        self.release("2.0.0")
        self.succeed(self.b.plan(out="b.plan.yaml"))
        self.succeed(self.b.apply("--events", str(self.log), plan="b.plan.yaml"), 5)
        self.assertEqual([line["event"] for line in self.lines()], ["opened", "refused"])
        for line in self.lines():
            self.schema.validate(line)
