"""What the real Maand does with the same workspaces.

maand-cases.json holds histories of workspaces: each state but the last was deployed with Maand, the last one was
planned and deployed; `expected` is what Maand planned and what its workers then did. maand-differences.json says where
this program means to differ, and why.
"""
import glob
import json
import os
import pathlib
import shutil

import bucket

HERE = pathlib.Path(__file__).parent
CASES = {case["case"]: case for case in json.loads((HERE / "maand-cases.json").read_text())}
DIFFERENCES = json.loads((HERE / "maand-differences.json").read_text())

# The recorded Makefiles write to /tmp of their worker; our workers share one, so each job logs beside its own data.
WORKER_LOG, OWN_LOG = "/tmp/oracle.log", "data/oracle.log"

# And they sleep for a moment, so that targets of a batch overlap. Ours wait until all of their batch have begun, however
# busy this machine is: where those do not run side by side, it shows after a minute.
MOMENT = "sleep 0.2;"
MEET = """\
k=$(abspath $(CURDIR)/../../../../../../../../knobs); me=$(notdir $(CURDIR)).$@; \\
\tw=$(notdir $(abspath $(CURDIR)/../../../../..)); : > $$k/here/$$me.$$w; n=0; \\
\tfor other in $$(cat $$k/with/$$me.$$w 2>/dev/null); do \\
\twhile [ ! -e $$k/here/$$me.$$other ] && [ $$n -lt 1200 ]; do sleep 0.05; n=$$((n+1)); done; done; \\
\t"""


class MaandCases(bucket.Case):
    def hold_case(self, name):
        case = CASES[name]
        ours = DIFFERENCES.get(name, {})
        want = {**case["expected"], **{key: value for key, value in ours.items() if key != "why"}}
        *before, last = case["states"]

        b = bucket.Bucket(self)
        shutil.rmtree(b.path)
        self.succeed(b.run_in(b.top, "maand-plan", "init", b.path, "--transport", "local"))
        for name in ("here", "with"):
            (b.knobs / name).mkdir()
        for state in before:
            self.lay(b, state)
            self.succeed(b.plan())
            self.succeed(b.apply())
        for file in [*self.logs(b), *(b.knobs / "here").iterdir()]:
            os.remove(file)
        for job, target, *_, workers in want.get("effects") or []:
            for worker in workers if target != "stop" else []:
                (b.knobs / "with" / f"{job}.{target}.{worker}").write_text(" ".join(workers))
        self.lay(b, last)
        b.file().unlink(missing_ok=True)

        planned = b.plan(*case["flags"])
        if want.get("build_error") or want.get("plan_error"):
            self.refuse(planned, 65, *want.get("error_names", []))
            self.assertFalse(b.file().exists(), "a plan was written in spite of the error")
            return
        self.succeed(planned)
        plan = b.read_plan()
        self.assertEqual(self.worker_actions(plan), self.wanted_actions(want["jobs"]))
        levels = {job["job"]: wave["deployment_seq"] for wave in plan["waves"] for job in wave["jobs"]}
        acting = [job for job in self.worker_actions(plan) if job in levels and job in want["seq"]]
        self.assertEqual({job: levels[job] for job in acting}, {job: want["seq"][job] for job in acting})
        self.assertEqual(self.matched(plan), want.get("matched") or {})

        self.succeed(b.apply(), 0 if want["deploy_exit"] == 0 else 1)
        self.check_effects(self.effects(b), want["effects"], want["seq"])

        if want.get("after_jobs") is not None:
            self.succeed(b.plan())
            self.assertEqual(self.worker_actions(b.read_plan()), self.wanted_actions(want["after_jobs"]), "next plan")

    def lay(self, b, state):
        shutil.rmtree(b.workspace, ignore_errors=True)
        for path, text in state.items():
            if WORKER_LOG in text:
                text = text.replace(WORKER_LOG, OWN_LOG).replace("\t@s=", "\t@mkdir -p data; s=")
                text = text.replace(MOMENT, MEET)
            b.write(path, text)

    # -- plans

    def worker_actions(self, plan):
        return {job: {worker: action for worker, (action, _) in workers.items()}
                for job, workers in bucket.actions(plan).items()}

    def wanted_actions(self, jobs):
        """Maand's own plan also lists what it leaves alone or only records."""
        renamed = {"stop+promote": "stop"}
        acting = {job: {worker: renamed.get(action, action) for worker, action in workers.items()
                        if action not in ("skip", "promote")} for job, workers in jobs.items()}
        return {job: workers for job, workers in acting.items() if workers}

    def matched(self, plan):
        found = {}
        for wave in plan["waves"]:
            for job in wave["jobs"]:
                for entry in (e for phase in job["phases"] for batch in phase["batches"] for e in batch):
                    if entry.get("matched"):
                        paths = sorted({path for paths in entry["matched"].values() for path in paths})
                        found.setdefault(job["job"], {})[entry["worker"]] = paths
        return found

    # -- effects

    def logs(self, b):
        return glob.glob(f"{b.path}/workers/*/opt/worker/*/jobs/*/{OWN_LOG}")

    def effects(self, b):
        rows = []
        for file in self.logs(b):
            worker = pathlib.Path(file).relative_to(b.path / "workers").parts[0]
            for line in pathlib.Path(file).read_text().splitlines():
                job, target, current, new, start, end = line.split(" ")
                rows.append(bucket.Row(job, worker, target, current, new, float(start), float(end)))
        return sorted(rows, key=lambda row: row.start)

    def check_effects(self, rows, wanted, levels):
        """Every target ran once; batches came one after the other, each in parallel; lower waves ended first."""
        def key(job, target, current, new):
            # A stop has no new version.
            return (job, target) if target == "stop" else (job, target, current, new)

        ran = sorted((key(r.job, r.target, r.current, r.new), r.worker) for r in rows)
        self.assertEqual(ran, sorted((key(*entry[:4]), w) for entry in wanted for w in entry[4]), "targets that ran")

        for job in {row.job for row in rows}:
            mine = [row for row in rows if row.job == job and row.target != "stop"]
            spans = []
            for entry in (entry for entry in wanted if entry[0] == job and entry[1] != "stop"):
                batch = [row for row in mine if key(*entry[:4]) == key(row.job, row.target, row.current, row.new)
                         and row.worker in entry[4]]
                reach = batch[0].end
                for row in batch[1:]:
                    self.assertLess(row.start, reach, f"{job}: the batch {entry[4]} did not run in parallel")
                    reach = max(reach, row.end)
                spans.append((batch[0].start, reach, entry[4]))
            for (_, end, first), (start, _, second) in zip(spans, spans[1:]):
                self.assertLess(end, start, f"{job}: batch {second} began before batch {first} ended")

        acting = [row for row in rows if row.target != "stop"]
        for stop in (row for row in rows if row.target == "stop"):
            self.assertTrue(all(stop.end < row.start for row in acting), f"{stop} came after the first wave had begun")
        for low in acting:
            for high in acting:
                if levels.get(low.job, 0) < levels.get(high.job, 0):
                    self.assertLess(low.end, high.start, f"{high.job} ran before {low.job} was done")


def _add(name):
    def test(self):
        self.hold_case(name)

    setattr(MaandCases, "test_" + name.replace("-", "_"), test)


for _name in CASES:
    _add(_name)
