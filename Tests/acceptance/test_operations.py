"""Plans of the day: restart, start, stop and run-target on what is deployed, and deploys for some workers."""
import collections
import json
import os
import random
import shutil
import time

import bucket
import hookbucket
import test_ssh
from bucket import until
from hookbucket import Hook

WORKERS = [f"127.0.31.{number}" for number in range(1, 5)]
ROUNDS = int(os.environ.get("MAAND_KILLS", "3"))
SEED = int(os.environ.get("MAAND_SEED", "31"))
PLAN = "o.plan.yaml"


def makefile(pause=0, more=""):
    """With the target `backup`, which leaves the same lines as the others."""
    return bucket.makefile(pause).replace("start stop restart reload", "start stop restart reload backup") + more


class OperationCase(bucket.Case):
    def operate(self, b, verb, *arguments, code=0, out=PLAN):
        """Plans; the plan is read again where there is one."""
        return self.succeed(
            b.run("maand-plan", verb, *arguments, "--bucket", b.path, "--overwrite", "-o", b.file(out)), code)

    def do(self, b, verb, *arguments, code=0, flags=()):
        """Plans and applies."""
        self.operate(b, verb, *arguments)
        return self.succeed(b.apply(*flags, plan=PLAN), code)

    def laid(self, *workers, **manifest):
        b = bucket.Bucket(self)
        b.workers(*(workers or WORKERS[:3]))
        b.job("api", make=makefile(), **manifest)
        return b

    def deployed(self, *workers, **manifest):
        b = self.laid(*workers, **manifest)
        self.deploy(b)
        b.forget()
        return b

    def deploy(self, b, *flags, code=0):
        self.succeed(b.plan(*flags))
        return self.succeed(b.apply(), code)

    def rows(self, b):
        return json.loads(self.succeed(b.catalog("allocations", "--format", "json")).out)

    def standings(self, b, job="api"):
        """{worker: standing} of a job, with `unfinished` for those that are."""
        return {row["worker"]: "unfinished" if row["unfinished"] else row["standing"]
                for row in self.rows(b) if row["job"] == job}

    def ran(self, b, job="api"):
        """[(worker, target)] that ran to their end, in the order in which they began; then forgets them."""
        found = [(worker, target) for name, worker, target in b.targets() if name == job]
        self.assertEqual(collections.Counter(b.began()), collections.Counter(b.targets()))
        b.forget()
        return found

    def job_of(self, b, name="api", out=PLAN):
        return next(job for wave in b.read_plan(out)["waves"] for job in wave["jobs"] if job["job"] == name)

    def planned(self, b, name="api", out=PLAN):
        """The batches of a job in a plan of an operation, each as its workers."""
        return [[entry["worker"] for entry in batch] for batch in self.job_of(b, name, out)["batches"]]

    def show(self, b, out=PLAN, form="text"):
        return self.succeed(b.run("maand-plan", "show", b.file(out), "--bucket", b.path, "--format", form)).out

    def verify(self, b, code=0, out=PLAN):
        return self.succeed(b.run("maand-plan", "verify", b.file(out), "--bucket", b.path), code)

    def demanding(self, **front):
        """`base`, and `front` that demands it; both run on two workers."""
        b = bucket.Bucket(self)
        b.workers(*WORKERS[:2])
        b.job("base", make=makefile(), commands={"command_base": {"executed_on": ["cli"]}})
        demand = {"job": "base", "command": "command_base", "config": {"min_version": "1.0.0"}}
        b.job("front", make=makefile(), commands={"command_front": {"executed_on": ["cli"], "demands": demand}}, **front)
        self.deploy(b)
        b.forget()
        return b


class Order(OperationCase):
    def test_batches_are_those_of_an_upgrade(self):
        b = self.deployed(*WORKERS, max_concurrent_upgrades=3)
        self.operate(b, "restart", "api")
        self.assertEqual(self.planned(b), [WORKERS[:3], WORKERS[3:]])
        b.job("api", make=makefile(), rollout={"batches": [1, 2, 3]})
        self.deploy(b)
        b.forget()
        self.operate(b, "restart", "api")
        self.assertEqual(self.planned(b), [WORKERS[:1], WORKERS[1:3], WORKERS[3:]])
        self.succeed(b.apply(plan=PLAN))
        self.assertEqual([worker for worker, _ in self.ran(b)][0], WORKERS[0])
        for size, wanted in (("2", [WORKERS[:2], WORKERS[2:]]), ("100%", [WORKERS]), ("1%", [[w] for w in WORKERS])):
            self.operate(b, "stop", "api", "--batch", size)
            self.assertEqual(self.planned(b), wanted)

    def test_a_batch_has_at_least_one_host(self):
        b = self.deployed()
        for size in ("0", "0%", "101%", "-1", "", "two", "1.5"):
            wrong = b.run("maand-plan", "restart", "api", f"--batch={size}", "--bucket", b.path, "-o", b.file(PLAN))
            self.refuse(wrong, 64, "--batch")
        self.assertFalse(b.file(PLAN).exists())

    def test_the_order_that_somebody_has_chosen(self):
        b = self.deployed()
        self.succeed(b.run("maand-plan", "kv", "put", "vars/job/api", "rollout_order", ",".join(WORKERS[2::-1]),
                           "--bucket", b.path))
        self.do(b, "restart", "api")
        self.assertEqual(self.job_of(b)["rollout_order"], "kv")
        self.assertEqual(self.ran(b), [(worker, "restart") for worker in WORKERS[2::-1]])

    def test_no_batch_holds_two_zones(self):
        b = bucket.Bucket(self)
        b.write("workers.json", json.dumps([
            {"host": host, "memory": "1024 mb", "cpu": "1000 mhz", "tags": {"zone": zone}}
            for host, zone in zip(WORKERS, "abab")]))
        b.job("api", make=makefile(), max_concurrent_upgrades=3, rollout={"spread": "zone"})
        self.deploy(b)
        self.operate(b, "restart", "api", "--batch", "4")
        self.assertEqual(self.planned(b), [WORKERS[::2], WORKERS[1::2]])

    def test_both_versions_are_the_one_that_runs(self):
        b = self.deployed(version="1.4.2")
        b.job("api", "2.0.0", make=makefile())
        self.do(b, "restart", "api")
        self.do(b, "run-target", "api", "--target", "backup")
        self.assertEqual({(row.target, row.current, row.new) for row in b.rows()},
                         {("restart", "1.4.2", "1.4.2"), ("backup", "1.4.2", "1.4.2")})

    def test_allocations_with_two_versions_each_get_their_own(self):
        b = self.deployed(WORKERS[0], WORKERS[1], version="1.0.0")
        b.job("api", "2.0.0", make=makefile())
        self.deploy(b, "--workers", WORKERS[0])
        b.forget()
        self.do(b, "restart", "api")
        self.assertEqual({(row.worker, row.current, row.new) for row in b.rows()},
                         {(WORKERS[0], "2.0.0", "2.0.0"), (WORKERS[1], "1.0.0", "1.0.0")})
        for form in ("text", "markdown", "html", "json"):
            text = self.show(b, form=form)
            self.assertIn("1.0.0", text)
            self.assertIn("2.0.0", text)

    def test_a_gate_follows_each_batch(self):
        health = bucket.Health(self, *WORKERS[:3])
        b = self.deployed(**health.manifest())
        health.probes.clear()
        self.do(b, "restart", "api")
        self.assertEqual(self.job_of(b)["gate"], "after_each_batch")
        # After each of three batches all three are asked.
        self.assertGreaterEqual(len(health.probes), 9)
        ends = [row.end for row in b.rows()]
        for first, second in zip(ends, [row.start for row in b.rows()][1:]):
            self.assertEqual({worker for at, worker in health.probes if first < at < second}, set(WORKERS[:3]))

    def test_a_gate_that_fails_ends_the_run_and_is_owed(self):
        health = bucket.Health(self, *WORKERS[:3])
        b = self.deployed(**health.manifest(attempts=1, interval=0))
        health.sick.add(WORKERS[0])
        self.do(b, "restart", "api", code=1)
        self.assertEqual(self.ran(b), [(WORKERS[0], "restart")])
        self.assertEqual({row["worker"]: row["not_passed_gate"] for row in self.rows(b)}[WORKERS[0]], "failed")
        health.sick.clear()
        self.succeed(b.apply(plan=PLAN))
        self.assertEqual(self.ran(b), [(WORKERS[1], "restart"), (WORKERS[2], "restart")])
        self.assertEqual({row["not_passed_gate"] for row in self.rows(b)}, {None})

    def test_without_a_gate_nothing_is_asked(self):
        health = bucket.Health(self, *WORKERS[:3])
        b = self.deployed(**health.manifest())
        health.probes.clear()
        self.do(b, "restart", "api", "--no-gate")
        self.do(b, "stop", "api")
        self.assertEqual(health.probes, [])
        self.assertIn("--no-gate", self.succeed(b.run("maand-plan", "restart", "--help")).out)
        self.assertNotIn("--no-gate", self.show(b), "stop has no such option")

    def test_what_failed_within_max_failures_is_asked_at_the_end(self):
        health = bucket.Health(self, *WORKERS[:3])
        b = self.deployed(rollout={"max_failures": 1}, **health.manifest(attempts=1, interval=0))
        b.fail("api", WORKERS[0])
        self.do(b, "restart", "api", code=1)
        self.assertEqual([row.worker for row in b.rows()], WORKERS[1:3])
        b.mend("api", WORKERS[0])
        health.sick.add(WORKERS[0])
        self.succeed(b.apply("--retry-failed", plan=PLAN), 1)
        health.sick.clear()
        self.succeed(b.apply("--retry-failed", plan=PLAN))
        self.assertEqual(sorted(row.worker for row in b.rows()), WORKERS[:3])

    def test_jobs_in_waves_and_stops_in_reverse(self):
        b = self.demanding()
        self.do(b, "restart", "front", "base")
        rows = b.rows()
        self.assertEqual([row.job for row in rows], ["base"] * 2 + ["front"] * 2)
        b.forget()
        self.do(b, "stop", "base", "front")
        self.assertEqual([wave["deployment_seq"] for wave in b.read_plan(PLAN)["waves"]], [1, 0])
        self.assertEqual([row.job for row in b.rows()], ["front"] * 2 + ["base"] * 2)

    def test_a_failed_stop_blocks_the_stop_of_what_is_demanded(self):
        for conf in ("", 'on_failure = "continue"\n'):
            b = self.demanding()
            (b.path / "maand.conf").write_text((b.path / "maand.conf").read_text() + conf)
            b.fail("front", WORKERS[0])
            self.do(b, "stop", "base", "front", code=1)
            self.assertEqual({job for job, _, _ in b.began()}, {"front"})
            self.assertEqual(set(self.standings(b, "base").values()), {"active"})
            b.mend("front", WORKERS[0])
            self.succeed(b.apply("--retry-failed", plan=PLAN))
            self.assertEqual(set(self.standings(b, "base").values()), {"stopped_by_hand"})

    def test_until_a_wave_in_both_directions(self):
        b = self.demanding()
        for verb, first, until_wave in (("restart", "base", "0"), ("stop", "front", "1")):
            self.do(b, verb, "base", "front", flags=["--until", f"wave:{until_wave}"])
            self.assertEqual({job for job, _, _ in b.targets()}, {first})
            self.succeed(b.apply(plan=PLAN))
            self.assertEqual({job for job, _, _ in b.targets()}, {"base", "front"})
            b.forget()

    def test_a_job_that_is_named_twice_is_meant_once(self):
        b = self.deployed()
        self.do(b, "restart", "api", "api")
        self.assertEqual(sorted(self.ran(b)), [(worker, "restart") for worker in WORKERS[:3]])


class Selections(OperationCase):
    def labelled(self):
        b = bucket.Bucket(self)
        b.workers_with({WORKERS[0]: ["blue"], WORKERS[1]: ["green"], WORKERS[2]: ["blue", "green"]})
        b.job("api", make=makefile())
        self.deploy(b)
        b.forget()
        return b

    def test_workers_labels_and_exclusions(self):
        b = self.labelled()
        for flags, wanted in ((["--workers", ",".join(WORKERS[1:3])], WORKERS[1:3]),
                              (["--allocations", WORKERS[0]], WORKERS[:1]),
                              (["--labels", "blue"], [WORKERS[0], WORKERS[2]]),
                              (["--labels", "blue,green", "--exclude", WORKERS[0]], WORKERS[1:3])):
            self.do(b, "restart", "api", *flags)
            self.assertEqual(self.ran(b), [(worker, "restart") for worker in wanted])

    def test_unknown_names_are_errors_with_suggestions(self):
        b = self.labelled()
        for flags, words in ((["--workers", "127.0.31.9"], ["worker 127.0.31.9", "did you mean"]),
                             (["--exclude", "127.0.31.9"], ["worker 127.0.31.9", "did you mean"]),
                             (["--labels", "blu"], ["label blu", "blue"])):
            for command in (["restart", "api"], ["deploy"]):
                wrong = b.run("maand-plan", *command, *flags, "--bucket", b.path, "-o", b.file("n.yaml"))
                self.refuse(wrong, 65, *words)
        self.refuse(b.run("maand-plan", "restart", "apo", "--bucket", b.path), 65, "did you mean api?")
        self.refuse(b.run("maand-plan", "deploy", "--jobs", "apo", "--bucket", b.path), 65, "did you mean api?")
        for command in (["restart", "api"], ["deploy"], ["stop", "api"]):
            self.refuse(b.run("maand-plan", *command, "--workers", WORKERS[0], "--labels", "blue", "--bucket", b.path), 64,
                        "--workers", "--labels")
            self.refuse(b.run("maand-plan", *command, "--workers", f"{WORKERS[0]},,", "--bucket", b.path), 64, "--workers")
            self.refuse(b.run("maand-plan", *command, "--labels", "blue,", "--bucket", b.path), 64, "--labels")

    def test_a_worker_on_which_the_job_is_not(self):
        b = self.labelled()
        b.job("web", make=makefile(), selectors=["green"])
        self.deploy(b)
        self.refuse(b.run("maand-plan", "restart", "web", "--workers", WORKERS[0], "--bucket", b.path), 65,
                    f"web has no allocation on {WORKERS[0]}")

    def test_a_deploy_says_what_it_leaves_out(self):
        b = self.labelled()
        b.job("api", "2.0.0", make=makefile())
        self.succeed(b.plan("--labels", "green"))
        self.assertEqual(b.read_plan()["excluded"], {"api": [WORKERS[0]]})
        for form in ("text", "markdown", "html"):
            self.assertIn("Excluded by the options, and not brought up to date", self.show(b, "a.plan.yaml", form))
        self.assertEqual(json.loads(self.show(b, "a.plan.yaml", "json"))["excluded"], {"api": [WORKERS[0]]})
        self.verify(b, out="a.plan.yaml")
        self.succeed(b.apply())
        self.assertEqual({worker for worker, _ in self.ran(b)}, set(WORKERS[1:3]))
        self.deploy(b)
        self.assertEqual({worker for worker, _ in self.ran(b)}, {WORKERS[0]})
        self.assertIn("nothing to do", self.succeed(b.plan()).err)

    def test_gates_ask_no_worker_that_was_left_out_and_runs_nothing(self):
        """Nothing listens there: neither a first deploy nor a restart of the others waits for it."""
        health = bucket.Health(self, *WORKERS[:2])
        b = self.laid(**health.manifest(attempts=1, interval=0))
        self.deploy(b, "--workers", ",".join(WORKERS[:2]))
        self.assertEqual({worker for worker, _ in self.ran(b)}, set(WORKERS[:2]))
        self.do(b, "restart", "api", "--exclude", WORKERS[2])
        self.assertEqual({worker for worker, _ in self.ran(b)}, set(WORKERS[:2]))

    def test_what_left_the_workspace_can_be_selected(self):
        b = self.labelled()
        b.workers_with({WORKERS[0]: ["blue"], WORKERS[1]: ["green"]})
        self.succeed(b.plan("--workers", WORKERS[2]))
        self.assertEqual(bucket.actions(b.read_plan()), {"api": {WORKERS[2]: ("stop", "removed")}})
        self.succeed(b.plan("--workers", WORKERS[0]))
        self.assertEqual(b.read_plan()["excluded"], {"api": [WORKERS[2]]})


class Files(OperationCase):
    def test_drift_on_any_worker_stops_all_before_anything_runs(self):
        b = self.deployed()
        (b.job_dir(WORKERS[2], "api") / "app.conf").write_text("mine\n")
        for verb, *more in (("restart",), ("stop",), ("start",), ("run-target", "--target", "backup")):
            stale = self.do(b, verb, "api", *more, code=3)
            for word in ("app.conf", WORKERS[2], "maand-plan deploy", "--allow-drift", "abandon"):
                self.assertIn(word, stale.out + stale.err)
            self.assertEqual(b.began(), [])
            self.succeed(b.abandon(json.loads(b.status("--format", "json").out)["run"]))
            # What was changed is known from here on, and a deploy replaces it.
            self.refuse(b.run("maand-plan", "restart", "api", "--bucket", b.path), 65, WORKERS[2], "changed files", "`deploy`")
            self.deploy(b)
            (b.job_dir(WORKERS[2], "api") / "app.conf").write_text("mine\n")
            b.forget()

    def test_the_remedy_for_drift(self):
        """Stale, abandoned, deployed, and then restarted."""
        b = self.deployed()
        (b.job_dir(WORKERS[1], "api") / "app.conf").write_text("mine\n")
        self.do(b, "restart", "api", code=3)
        self.succeed(b.abandon(2))
        self.deploy(b)
        self.assertEqual((b.job_dir(WORKERS[1], "api") / "app.conf").read_text(), "a\n")
        b.forget()
        self.do(b, "restart", "api")
        self.assertEqual(self.ran(b), [(worker, "restart") for worker in WORKERS[:3]])

    def test_the_same_command_goes_on_when_the_files_are_back(self):
        b = self.deployed()
        file = b.job_dir(WORKERS[1], "api") / "app.conf"
        file.write_text("mine\n")
        self.do(b, "restart", "api", code=3)
        file.write_text("a\n")
        self.succeed(b.apply(plan=PLAN))
        self.assertEqual(len(self.ran(b)), 3)

    def test_drift_may_be_allowed_and_the_plan_says_so(self):
        b = self.deployed()
        file = b.job_dir(WORKERS[1], "api") / "app.conf"
        file.write_text("mine\n")
        self.do(b, "restart", "api", code=3)
        self.succeed(b.abandon(2))
        self.do(b, "restart", "api", "--allow-drift")
        self.assertTrue(b.read_plan(PLAN)["options"]["allow_drift"])
        self.assertIn("--allow-drift", self.show(b))
        self.assertEqual(len(self.ran(b)), 3)
        self.assertEqual(file.read_text(), "mine\n")

    def test_what_the_service_may_rewrite_is_no_drift(self):
        b = self.deployed(changed_by_service=["*.conf"])
        (b.job_dir(WORKERS[1], "api") / "app.conf").write_text("written by the service\n")
        self.do(b, "restart", "api")
        self.assertEqual(self.job_of(b)["changed_by_service"], ["app.conf"])
        self.assertEqual(len(self.ran(b)), 3)
        (b.job_dir(WORKERS[1], "api") / "Makefile").write_text("restart: ;\n")
        self.do(b, "restart", "api", code=3)

    def test_what_is_not_deployed_is_refused_with_a_remedy_that_works(self):
        b = self.laid()
        self.refuse(b.run("maand-plan", "restart", "api", "--bucket", b.path), 65, "deploy", "--exclude")
        self.deploy(b)
        b.workers(*WORKERS)
        b.forget()
        self.refuse(b.run("maand-plan", "restart", "api", "--bucket", b.path), 65, WORKERS[3])
        self.do(b, "restart", "api", "--exclude", WORKERS[3])
        self.assertEqual(len(self.ran(b)), 3)
        self.deploy(b)
        b.forget()
        self.do(b, "restart", "api")
        self.assertEqual(len(self.ran(b)), 4)

    def test_what_is_unfinished_is_refused_with_a_remedy_that_works(self):
        for verb in ("restart", "stop", "start"):
            b = self.deployed()
            b.fail("api", WORKERS[1])
            self.do(b, verb, "api", code=1)
            self.assertEqual(self.standings(b)[WORKERS[1]], "unfinished")
            self.succeed(b.abandon(2))
            b.mend("api", WORKERS[1])
            b.forget()
            self.refuse(b.run("maand-plan", "restart", "api", "--bucket", b.path), 65, WORKERS[1], "`deploy`")
            self.deploy(b)
            self.assertEqual(self.ran(b), [(WORKERS[1], "start")])
            self.assertEqual(self.standings(b)[WORKERS[1]], "active")
            self.assertNotIn("unfinished", self.standings(b).values())
            self.do(b, "restart", "api", "--workers", WORKERS[1])

    def test_a_target_that_is_missing_is_found_before_anything_runs(self):
        b = self.deployed(*WORKERS)
        b.job("api", "2.0.0", make=makefile(more="\nextra:\n\t@true\n"))
        self.deploy(b, "--exclude", WORKERS[3])
        b.forget()
        before = self.rows(b)
        missing = self.do(b, "run-target", "api", "--target", "extra", code=65)
        self.assertIn(f"api on {WORKERS[3]}", missing.err)
        self.assertNotIn(f"api on {WORKERS[0]}", missing.err)
        coded = b.run("maand-apply", b.file(PLAN), "--bucket", b.path, "--events", b.top / "events")
        self.succeed(coded, 65)
        self.assertEqual(self.rows(b), before)
        self.assertEqual(b.began(), [])
        # Nothing keeps the next plan from running.
        self.do(b, "run-target", "api", "--target", "extra", "--exclude", WORKERS[3])
        self.do(b, "restart", "api")

    def test_no_line_of_a_makefile_runs_for_the_search(self):
        """Not those with a plus, and not those that make a part of the Makefile."""
        lines = "".join(f"\n{name}:\n\t+@touch data/{name}\n" for name in ("always", "all"))
        b = bucket.Bucket(self)
        b.workers(WORKERS[0])
        b.job("api", make=makefile(more=lines))
        b.job("made", make=makefile(
            more="\n-include data/part.mk\ndata/part.mk:\n\t+@mkdir -p data; echo x >> data/count; touch $@\n"))
        self.deploy(b)
        for job in ("api", "made"):
            data = b.job_dir(WORKERS[0], job) / "data"
            shutil.rmtree(data)
            data.mkdir()
        self.do(b, "run-target", "api", "--target", "nothing", code=65)
        self.assertEqual(os.listdir(b.job_dir(WORKERS[0], "api") / "data"), [])
        # It may be in the part that is made first: make itself makes it, once, and says that it is not.
        self.do(b, "run-target", "made", "--target", "nothing", code=1)
        self.assertEqual((b.job_dir(WORKERS[0], "made") / "data/count").read_text(), "x\n")

    def test_names_and_makefiles_of_every_kind(self):
        """(target, what the Makefile has, exit status)"""
        cases = [
            ("a.b-c_d", "a.b-c_d: ; @touch x\n", 0),
            ("axb", "a.b: ; @true\n", 65),
            ("both", "one both two: ; @true\n", 0),
            ("double", "double:: ; @true\n", 0),
            ("valued", "valued: X = 1\n", 65),
            ("demanded", "all: demanded\n", 65),
            ("app.conf", "all: app.conf\n", 65),
            ("any", "%: ; @true\n", 0),
            ("any", ".DEFAULT: ; @true\n", 0),
            ("obj.o", "%.o: %.c ; @true\n", 1),
            ("listed", "V = $(A:%.c=%.o) $(B:%.c=%.o)\n", 65),
            ("there", "include more.mk\n", 0),
            ("mine", "$(ALLOCATION_IP).x: ; @true\nifneq ($(JOB),)\nmine: ; @true\nendif\n", 0),
        ]
        b = bucket.Bucket(self)
        b.workers(WORKERS[0])
        for number, (target, text, _) in enumerate(cases):
            b.job(f"job{number}", files={"app.conf": "a\n", "more.mk": "there: ; @true\n"},
                  make=f"start restart stop reload: ; @true\n{text}")
        self.deploy(b)
        for number, (target, text, code) in enumerate(cases):
            with self.subTest(makefile=text):
                self.operate(b, "run-target", f"job{number}", "--target", target)
                done = b.apply(plan=PLAN)
                if done.code == 1:
                    self.succeed(b.abandon(json.loads(b.status("--format", "json").out)["run"]))
                self.assertEqual(done.code, code, done.out + done.err)

    def test_what_is_no_name_of_a_target(self):
        b = self.deployed()
        for name in ("-n", ".PHONY", "a b", "a;b", "$(x)", "", "a/b", "é", "x" * 129, "a=b", "a%"):
            self.refuse(b.run("maand-plan", "run-target", "api", f"--target={name}", "--bucket", b.path), 64, "--target")
        for name in ("restart", "start", "stop"):
            self.refuse(b.run("maand-plan", "run-target", "api", "--target", name, "--bucket", b.path), 64,
                        f"maand-plan {name} api")


class Stopped(OperationCase):
    def stopped(self, *workers, **manifest):
        b = self.deployed(**manifest)
        self.do(b, "stop", "api", "--workers", ",".join(workers))
        b.forget()
        return b

    def test_it_is_shown(self):
        b = self.stopped(WORKERS[0])
        self.assertEqual(self.standings(b)[WORKERS[0]], "stopped_by_hand")
        self.assertIn("  stopped   ", self.succeed(b.catalog("allocations")).out)
        jobs = json.loads(self.succeed(b.catalog("jobs", "--format", "json")).out)
        self.assertEqual([(row["active"], row["stopped"]) for row in jobs], [(2, 1)])
        for plan, flags in ((PLAN, ["restart", "api"]), ("a.plan.yaml", ["deploy"])):
            self.operate(b, *flags, out=plan)
            self.assertEqual(b.read_plan(plan)["stopped_by_hand"], {"api": [WORKERS[0]]})
            for form in ("text", "markdown", "html"):
                self.assertRegex(self.show(b, plan, form), r"Stopped by a person")
            self.assertEqual(json.loads(self.show(b, plan, "json"))["stopped_by_hand"], {"api": [WORKERS[0]]})
        self.assertIn("--include-stopped", self.show(b, "a.plan.yaml"))

    def test_everything_but_start_leaves_it_alone(self):
        b = self.stopped(WORKERS[0])
        self.do(b, "restart", "api")
        self.do(b, "run-target", "api", "--target", "backup")
        b.job("api", "2.0.0", make=makefile())
        self.deploy(b)
        self.do(b, "stop", "api")
        self.assertNotIn(WORKERS[0], {row.worker for row in b.rows()})
        b.forget()
        self.operate(b, "stop", "api")
        self.assertEqual(b.read_plan(PLAN)["waves"], [])
        self.succeed(b.apply(plan=PLAN))
        self.assertEqual(b.began(), [])

    def test_gates_leave_it_out(self):
        health = bucket.Health(self, *WORKERS[:3])
        b = self.stopped(WORKERS[0], **health.manifest(attempts=1, interval=0))
        health.sick.add(WORKERS[0])
        self.do(b, "restart", "api")
        self.do(b, "restart", "api", "--workers", WORKERS[1])
        self.do(b, "start", "api", "--workers", WORKERS[1])
        b.job("api", "2.0.0", make=makefile(), **health.manifest(attempts=1, interval=0))
        self.deploy(b, "--workers", WORKERS[2])
        self.deploy(b, "--workers", WORKERS[1], "--include-stopped")
        self.succeed(b.run("maand-apply", "health-check", "--bucket", b.path))
        self.assertNotIn(WORKERS[0], {row.worker for row in b.rows()})

    def test_the_health_check_when_all_are_stopped(self):
        health = bucket.Health(self, *WORKERS[:3])
        b = self.stopped(*WORKERS[:3], **health.manifest())
        health.probes.clear()
        self.refuse(b.run("maand-apply", "health-check", "--jobs", "api", "--bucket", b.path), 65, "api")
        self.assertEqual(health.probes, [])

    def test_start_starts_it_without_asking(self):
        health = bucket.Health(self, *WORKERS[:3])
        b = self.stopped(WORKERS[0], **health.manifest())
        started = self.do(b, "start", "api")
        self.assertEqual(self.ran(b), [(WORKERS[0], "start")])
        self.assertIn("runs already", started.out)
        self.assertEqual(self.standings(b), {worker: "active" for worker in WORKERS[:3]})
        self.assertIn("nothing to do", self.succeed(b.plan()).err)

    def test_start_starts_what_does_not_pass(self):
        health = bucket.Health(self, *WORKERS[:3])
        b = self.deployed(**health.manifest(attempts=60, interval=1))
        health.sick.add(WORKERS[1])
        self.operate(b, "start", "api")
        child = b.start_apply(plan=PLAN)
        until(lambda: b.rows(), "the sick one started")
        health.sick.clear()
        child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 0)
        self.assertEqual(self.ran(b), [(WORKERS[1], "start")])

    def test_without_a_health_check_start_runs_everywhere(self):
        b = self.deployed()
        self.do(b, "start", "api")
        self.assertEqual(sorted(self.ran(b)), [(worker, "start") for worker in WORKERS[:3]])

    def test_a_deploy_can_include_it(self):
        b = self.stopped(*WORKERS[:2])
        b.job("api", "2.0.0", make=makefile())
        self.deploy(b, "--include-stopped", "--workers", ",".join(WORKERS[1:3]))
        self.assertEqual(bucket.actions(b.read_plan())["api"], {
            WORKERS[1]: ("start", "stopped_by_hand"), WORKERS[2]: ("restart", "version_changed")})
        self.assertEqual(b.read_plan()["excluded"], {"api": [WORKERS[0]]})
        self.assertEqual(sorted(self.ran(b)), [(WORKERS[1], "start"), (WORKERS[2], "restart")])
        self.assertEqual(self.standings(b)[WORKERS[0]], "stopped_by_hand")

    def test_the_workspace_changes_while_it_is_stopped(self):
        """`start` brings back what was deployed; the deploy after it brings the rest."""
        b = self.stopped(WORKERS[0])
        b.job("api", "2.0.0", make=makefile())
        self.deploy(b)
        b.forget()
        self.do(b, "start", "api", "--workers", WORKERS[0])
        self.assertEqual([(row.worker, row.target, row.new) for row in b.rows()], [(WORKERS[0], "start", "1.0.0")])
        b.forget()
        self.deploy(b)
        self.assertEqual([(row.worker, row.target, row.new) for row in b.rows()], [(WORKERS[0], "restart", "2.0.0")])

    def test_removing_the_job_or_the_worker_removes_it(self):
        for what in ("job", "worker"):
            b = self.stopped(WORKERS[0])
            if what == "job":
                shutil.rmtree(b.workspace / "jobs/api")
                b.job("other", make=makefile())
            else:
                b.workers(*WORKERS[1:3])
            self.deploy(b)
            self.assertEqual(self.standings(b)[WORKERS[0]], "removed")
            self.assertFalse((b.job_dir(WORKERS[0], "api") / "Makefile").exists())
            self.assertIn("nothing to do", self.succeed(b.plan()).err)

    def test_disabled_and_enabled_again_it_stays_stopped(self):
        b = self.stopped(WORKERS[0])
        b.write("disabled.json", json.dumps({"jobs": {"api": {"allocations": [WORKERS[0]]}}, "workers": []}))
        self.deploy(b)
        self.refuse(b.run("maand-plan", "start", "api", "--workers", WORKERS[0], "--bucket", b.path), 65, "disabled")
        self.do(b, "start", "api")
        self.assertNotIn(WORKERS[0], {row.worker for row in b.rows()})
        b.forget()
        (b.workspace / "disabled.json").unlink()
        self.deploy(b)
        self.assertEqual((self.ran(b), self.standings(b)[WORKERS[0]]), ([], "stopped_by_hand"))
        self.do(b, "start", "api", "--workers", WORKERS[0])
        self.assertEqual(self.ran(b), [(WORKERS[0], "start")])

    def test_what_was_disabled_stays_so_until_a_deploy(self):
        b = self.deployed()
        b.write("disabled.json", json.dumps({"jobs": {}, "workers": [WORKERS[0]]}))
        self.deploy(b)
        b.forget()
        self.do(b, "start", "api")
        self.assertNotIn(WORKERS[0], {row.worker for row in b.rows()})
        (b.workspace / "disabled.json").unlink()
        self.refuse(b.run("maand-plan", "start", "api", "--bucket", b.path), 65, WORKERS[0], "deploy")

    def test_a_refresh_agrees_with_what_was_done(self):
        b = self.stopped(WORKERS[0])
        self.do(b, "run-target", "api", "--target", "backup")
        before = [(row["worker"], row["standing"], row["promoted"], row["unfinished"]) for row in self.rows(b)]
        b.fail("api", WORKERS[1])
        self.do(b, "run-target", "api", "--target", "backup", code=1)
        self.succeed(b.abandon(json.loads(b.status("--format", "json").out)["run"]))
        self.succeed(b.catalog("refresh"))
        self.assertEqual(
            [(row["worker"], row["standing"], row["promoted"], row["unfinished"]) for row in self.rows(b)], before)

    def test_plans_from_an_export_are_those_of_the_bucket(self):
        b = self.stopped(WORKERS[0])
        export = b.top / "catalog.yaml"
        export.write_text(self.succeed(b.catalog("export")).out)
        for command in (["restart", "api"], ["start", "api"], ["stop", "api"], ["run-target", "api", "--target", "backup"],
                        ["deploy"]):
            self.operate(b, *command)
            self.operate(b, *command, "--catalog", str(export), out="e.plan.yaml")
            self.assertEqual(b.file(PLAN).read_bytes(), b.file("e.plan.yaml").read_bytes())


class JobControl(hookbucket.HookCase, OperationCase):
    def controlled(self, commands=("command_control",), body="", **manifest):
        b = self.bucket(*WORKERS[:2])
        self.lay(b, commands, body, **manifest)
        self.rollout(b)
        hookbucket.HookBucket.forget(b)
        return b

    def lay(self, b, commands, body="", **manifest):
        b.hook_job("api", hooks={name: Hook("job_control", body=body) for name in commands}, make=None, **manifest)

    def test_the_command_runs_in_place_of_make(self):
        b = self.controlled()
        for verb, *more in (("restart",), ("stop",), ("start",), ("run-target", "--target", "backup")):
            self.do(b, verb, "api", *more)
            lines = b.trace("hook began")
            self.assertEqual([(line.worker, line.command) for line in lines],
                             [(worker, "command_control") for worker in WORKERS[:2]])
            self.assertEqual({line.values["TARGET"] for line in lines}, {more[-1] if more else verb})
            self.assertEqual({(line.values["CURRENT_VERSION"], line.values["NEW_VERSION"]) for line in lines},
                             {("1.0.0", "1.0.0")})
            wanted = "stopped_by_hand" if verb == "stop" else "active"
            self.assertEqual(set(self.standings(b).values()), {wanted})
            b.forget()

    def test_commands_that_were_changed_are_refused(self):
        b = self.controlled()
        self.lay(b, ["command_control"], body="print('other')")
        self.refuse(b.run("maand-plan", "restart", "api", "--bucket", b.path), 65, "commands of job api", "deploy")
        self.rollout(b)
        self.do(b, "restart", "api")

    def test_it_is_unfinished_until_its_last_command_has_ended(self):
        b = self.controlled(["command_control", "command_second"])
        b.fail("command_second", WORKERS[0])
        for verb in ("stop", "restart"):
            self.do(b, verb, "api", "--workers", WORKERS[0], code=1)
            self.assertEqual(self.standings(b)[WORKERS[0]], "unfinished")
            if verb == "stop":
                b.mend("command_second", WORKERS[0])
                self.succeed(b.apply("--retry-failed", plan=PLAN))
                self.assertEqual(self.standings(b)[WORKERS[0]], "stopped_by_hand")
                self.do(b, "start", "api")
                b.fail("command_second", WORKERS[0])

    def test_between_two_commands_it_is_unfinished(self):
        b = self.controlled(["command_control", "command_second"])
        b.hold("command_second", WORKERS[0])
        self.operate(b, "stop", "api")
        child = b.start_apply(plan=PLAN)
        until(lambda: b.trace("hook began", command="command_second"), "the second command")
        child.kill()
        child.communicate()
        self.assertEqual(self.standings(b)[WORKERS[0]], "unfinished")
        b.release("command_second", WORKERS[0])
        self.succeed(b.apply(plan=PLAN))
        self.assertEqual(set(self.standings(b).values()), {"stopped_by_hand"})
        self.assertEqual(set(b.runs().values()), {1})


class Machinery(OperationCase):
    def test_verify_until_something_changes(self):
        b = self.deployed()
        for command in (["restart", "api"], ["start", "api", "--batch", "2"], ["stop", "api", "--exclude", WORKERS[0]],
                        ["run-target", "api", "--target", "backup", "--no-gate", "--allow-drift"]):
            self.operate(b, *command)
            self.assertIn("Valid", self.verify(b).out)
        self.operate(b, "restart", "api")
        self.do(b, "stop", "api", "--workers", WORKERS[0])
        self.operate(b, "restart", "api", out="old.plan.yaml")
        self.do(b, "start", "api", "--workers", WORKERS[0])
        changed = b.run("maand-plan", "verify", b.file("old.plan.yaml"), "--bucket", b.path)
        self.assertNotEqual(changed.code, 0, changed.out)

    def test_a_plan_is_stale_when_somebody_stopped_it_meanwhile(self):
        b = self.deployed()
        self.operate(b, "restart", "api", out="old.plan.yaml")
        self.do(b, "stop", "api", "--workers", WORKERS[1])
        b.forget()
        stale = b.apply(plan="old.plan.yaml")
        self.assertNotEqual(stale.code, 0)
        self.assertIn("stopped by a person", stale.out + stale.err)
        self.assertEqual(b.began(), [])

    def test_reviews_differences_status_and_history(self):
        b = self.deployed()
        for verb, *more in (("restart",), ("start",), ("stop",), ("run-target", "--target", "backup")):
            self.operate(b, verb, "api", *more, out="one.plan.yaml")
            self.operate(b, verb, "api", *more, "--exclude", WORKERS[0], out="two.plan.yaml")
            for form in ("text", "markdown", "html", "json"):
                text = self.show(b, "two.plan.yaml", form)
                self.assertIn(more[-1] if more else verb, text)
                self.assertIn(WORKERS[0], text)
            differences = b.run("maand-plan", "diff", b.file("one.plan.yaml"), b.file("two.plan.yaml"))
            self.assertIn(differences.code, (0, 1, 2), differences.err)
            self.assertIn(WORKERS[0], differences.out)
            steps = self.succeed(b.run("maand-plan", "show", b.file("one.plan.yaml"), "--steps", "--format", "json")).out
            self.assertIn(f"api/operation/1/{WORKERS[0]}/{more[-1] if more else verb}", steps)
            self.succeed(b.apply("--dry-run", plan="one.plan.yaml"))
            self.assertEqual(b.began(), [])
        different = b.run("maand-plan", "diff", b.file("a.plan.yaml"), b.file("two.plan.yaml"))
        self.assertIn("run_target", different.out)
        b.fail("api", WORKERS[0])
        self.do(b, "restart", "api", code=1, flags=["--events", str(b.top / "events")])
        events = [json.loads(line) for line in (b.top / "events").read_text().splitlines()]
        self.assertIn(f"api/operation/1/{WORKERS[0]}/restart", {event.get("step") for event in events})
        status = json.loads(b.status("--format", "json").out)
        self.assertEqual([(row["step"], row["state"]) for row in status["steps"] if row["state"] == "failed"],
                         [(f"api/operation/1/{WORKERS[0]}/restart", "failed")])
        self.assertIn("failed", self.succeed(b.run("maand-apply", "history", "--bucket", b.path)).out)

    def test_outside_its_window_nothing_begins(self):
        b = self.deployed()
        self.operate(b, "restart", "api", "--window", "2020-01-01T00:00 to 2020-01-01T01:00 in UTC")
        self.assertNotEqual(b.apply(plan=PLAN).code, 0)
        self.assertEqual(b.began(), [])
        self.do(b, "restart", "api", "--window", "daily 00:00 for 24h in UTC")
        self.assertEqual(len(self.ran(b)), 3)

    def test_a_run_that_was_killed_and_given_up_is_for_the_next_deploy(self):
        for policy in ("always", "reload", "never"):
            b = self.deployed(restart_policy=policy)
            b.hold("api", WORKERS[0])
            self.operate(b, "restart", "api")
            child = b.start_apply(plan=PLAN)
            until(b.began, "the first begun")
            child.kill()
            child.communicate()
            self.assertEqual(self.standings(b)[WORKERS[0]], "unfinished")
            b.fail("api", WORKERS[0])
            b.release("api", WORKERS[0])
            self.succeed(b.abandon(2))
            b.mend("api", WORKERS[0])
            self.succeed(b.plan())
            self.assertEqual({worker: reason for worker, (_, reason) in bucket.actions(b.read_plan())["api"].items()},
                             {WORKERS[0]: "unfinished"})
            self.succeed(b.apply())
            self.assertEqual(set(self.standings(b).values()), {"active"})

    def test_an_approval_is_asked_for(self):
        b = self.deployed()
        b.top.joinpath("policy.toml").write_text('approvals_required = 1\nallowed_signers = "signers"\n')
        b.top.joinpath("signers").write_text("")
        self.operate(b, "stop", "api")
        refused = b.apply(plan=PLAN, env=b.environment(MAAND_POLICY=str(b.top / "policy.toml")))
        self.assertIn(refused.code, (77, 78, 65), refused.err)
        self.assertEqual(b.began(), [])


class Kills(OperationCase):
    def round(self, number):
        """Kills at random moments, and the same command: each target once, in the plan's order."""
        dice = random.Random(SEED * 1000 + number)
        health = bucket.Health(self, *WORKERS)
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        gate = health.manifest()
        b.job("base", make=makefile(0.1), max_concurrent_upgrades=2,
              commands={"command_base": {"executed_on": ["cli"]}}, **gate)
        demand = {"job": "base", "command": "command_base", "config": {"min_version": "1.0.0"}}
        b.job("front", make=makefile(0.1), commands={"command_front": {"executed_on": ["cli"], "demands": demand}})
        self.deploy(b)
        for verb, *more in (("restart",), ("stop",), ("start",), ("run-target", "--target", "backup")):
            b.forget()
            target = more[-1] if more else verb
            self.operate(b, verb, "front", "base", *more)
            waves = b.read_plan(PLAN)["waves"]
            total, story = 8, []
            for _ in range(dice.randint(1, 3)):
                wanted = dice.randint(len(b.began()), total)
                pause = dice.uniform(0, 0.15)
                child = b.start_apply(plan=PLAN)
                until(lambda: len(b.began()) >= wanted or child.poll() is not None, "the moment of the kill")
                time.sleep(pause)
                child.kill()
                child.communicate()
                story.append((len(b.began()), len(b.rows())))
            with self.subTest(verb=verb, killed_at=story):
                self.succeed(b.apply(plan=PLAN))
                all_of_them = collections.Counter((job, w, target) for job in ("base", "front") for w in WORKERS)
                self.assertEqual(collections.Counter(b.began()), all_of_them)
                self.assertEqual(collections.Counter(b.targets()), all_of_them)
                rows = {(row.job, row.worker): row for row in b.rows()}
                spans = [(min(rows[job["job"], e["worker"]].start for e in batch),
                          max(rows[job["job"], e["worker"]].end for e in batch))
                         for wave in waves for job in wave["jobs"] for batch in job["batches"]]
                for (_, end), (start, _) in zip(spans, spans[1:]):
                    self.assertLess(end, start, "batches ran in another order than the plan's")
                standing = "stopped_by_hand" if verb == "stop" else "active"
                for job in ("base", "front"):
                    self.assertEqual(set(self.standings(b, job).values()), {standing})
                self.succeed(b.apply(plan=PLAN))
                self.assertEqual(collections.Counter(b.began()), all_of_them, "the same command touches nothing")


def _add(number):
    setattr(Kills, f"test_round_{number:02}", lambda self: self.round(number))


for _number in range(ROUNDS):
    _add(_number)


class OverSSH(test_ssh.SSHCase, OperationCase):
    GATE = {"health_check": {"checks": [{"type": "ssh", "command": "true"}], "timeout_seconds": 20,
                             "wait": {"attempts": 2, "interval_seconds": 0}}}

    def fleet_with(self, count, **manifest):
        fleet, b = self.lay(count, pause=0, **manifest)
        self.succeed(b.apply())
        b.forget()
        return fleet, b, [fleet.address(index) for index in range(1, count + 1)]

    def test_every_kind_over_ssh(self):
        fleet, b, workers = self.fleet_with(2, **self.GATE)
        self.do(b, "restart", "app")
        self.once_each(b, "restart", workers)
        b.forget()
        self.do(b, "stop", "app", "--workers", workers[0])
        self.once_each(b, "stop", workers[:1])
        b.forget()
        self.assertIn("runs already", self.do(b, "start", "app").out)
        self.once_each(b, "start", workers[:1])
        b.forget()
        self.assertIn(f"app on {workers[0]}", self.do(b, "run-target", "app", "--target", "none", code=65).err)
        (b.job_dir(workers[1], "app") / "app.conf").write_text("mine\n")
        self.do(b, "restart", "app", code=3)
        self.assertEqual(b.began(), [])

    def test_hosts_that_are_down_are_left_behind(self):
        fleet, b, workers = self.fleet_with(3, **self.GATE)
        fleet("stop", 2)
        self.operate(b, "restart", "app")
        self.refuse(b.apply(plan=PLAN), 69, workers[1], "max_unreachable")
        if json.loads(b.status("--format", "json").out)["state"] not in ("succeeded", "abandoned"):
            self.succeed(b.abandon(json.loads(b.status("--format", "json").out)["run"]))
        for verb in ("restart", "stop"):
            b.forget()
            self.do(b, verb, "app", "--max-unreachable", "1")
            self.once_each(b, verb, [workers[0], workers[2]])
        rows = {row["worker"]: row["standing"] for row in self.allocations(b)}
        self.assertEqual(rows, {workers[0]: "stopped_by_hand", workers[1]: "active", workers[2]: "stopped_by_hand"})
