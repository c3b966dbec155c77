"""A new release changes nothing by itself: what earlier releases left goes on as if they were still there.

Tests/fixtures has a folder for each release, with what that release wrote (see make.py there). The programs at hand have
nothing to do where nothing has changed, apply the plan that was approved, and end the run that was killed.
"""
import collections
import gzip
import hashlib
import json
import lzma
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess

import bucket
import hookbucket

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures"
RELEASES = sorted(folder.name for folder in FIXTURES.iterdir() if list(folder.glob("*.tar.*")))
# The parts of a plan's summary that touch workers.
ACTIONS = ("start", "restart", "reload", "sync", "stop")


class Restored(hookbucket.HookBucket):
    """A bucket as it came out of an archive, made this host's again."""

    def __init__(self, test, archive, folder="."):
        super().__init__(test)
        shutil.rmtree(self.path)
        # Not by tar, which starts `xz` for it: that program may be missing.
        content = {".gz": gzip, ".xz": lzma}[archive.suffix].open(archive).read()
        subprocess.run(["tar", "-xpf", "-", "--no-same-owner", "-C", self.top], input=content, check=True)
        self.top_of_all, self.top = self.top, self.top / folder
        self.path = self.top / "bucket"
        self.workspace = self.path / "workspace"
        if self.path.exists():
            conf = (self.path / "maand.conf").read_text()
            self.id = conf.split('bucket_id = "')[1].split('"')[0]
            for owner in self.path.glob(f"workers/*/opt/worker/{self.id}/owner"):
                # The first word is the controller, which is another one than that of the archive.
                owner.write_text(" ".join([controller(), *owner.read_text().split()[1:]]) + "\n")

    def remove(self):
        # All of what was unpacked.
        self.top = self.top_of_all
        super().remove()

    def hooks(self):
        """{(job, event, command, worker): how often it ended}."""
        file = self.path / "hooks.log"
        return collections.Counter(
            tuple(line.split(" ")) for line in file.read_text().splitlines()) if file.exists() else collections.Counter()

    def log(self):
        """All that targets and hooks have done."""
        return sorted(self.began()), self.targets(), self.hooks()

    def recognise_receipts(self, run):
        """Makes the run know the receipts folders that were unpacked.

        A worker's receipts folder is known by the random text in its file `generation`, and by that file's inode and the
        time of its last change. Nobody can set the latter two, and unpacking gives others: for the run the folders would
        be copies that somebody put back, of which it rightly believes nothing. Here they stand for the very folders that
        the killed run has seen, so the record is brought to what they are now. The text stays what it was.
        """
        folders = {path.parts[-6]: path for path in self.path.glob(f"workers/*/opt/worker/{self.id}/receipts/generation")}
        folders["@control"] = self.control() / "generation"
        with sqlite3.connect(self.path / "maand.db") as db:
            rows = db.execute("SELECT * FROM attempt WHERE run = ? AND step LIKE '@preflight/%'", (run,))
            names = [column[0] for column in rows.description]
            for row in rows.fetchall():
                values = dict(zip(names, row))
                generation = folders[values["step"].split("/")[1]]
                text, stat = generation.read_text().strip(), generation.stat()
                assert values["detail"].split(".")[0] == text, values
                values["detail"] = f"{text}.{stat.st_ino}.{int(stat.st_ctime)}"
                # Not by an update: outcomes are final.
                db.execute("DELETE FROM attempt WHERE run = ? AND step = ?", (run, values["step"]))
                marks = ", ".join("?" for _ in names)
                db.execute(f"INSERT INTO attempt ({', '.join(names)}) VALUES ({marks})", list(values.values()))
        db.close()


def controller():
    """How workers know this host since release 0.1.0: a release that goes by another name loses them."""
    try:
        name = pathlib.Path("/etc/machine-id").read_bytes()
    except FileNotFoundError:
        name = b""
    return hashlib.sha256(b"maand-apply\n" + (name or socket.gethostname().encode())).hexdigest()[:16]


def planned_hooks(plan):
    """{(job, event, command, worker): 1} of a plan whose active workers all act."""
    return collections.Counter({
        (job["job"], event, hook["command"], worker): 1
        for wave in plan["waves"] for job in wave["jobs"]
        for event, hooks in job.get("hooks", {}).items() if event != "modules"
        for hook in hooks for worker in job["active"]})


def planned_targets(plan):
    return collections.Counter({
        (job, worker, action): 1 for job, workers in bucket.actions(plan).items()
        for worker, (action, _) in workers.items() if action != "sync"})


class Fixtures:
    """The tests of one release; `release` is its folder."""

    def restore(self, name, folder="."):
        archives = list((FIXTURES / self.release).glob(f"{name}.tar.*"))
        if not archives:
            self.skipTest(f"release {self.release} has no {name}")
        return Restored(self, archives[0], folder)

    def nothing_to_do(self, b, *flags):
        self.succeed(b.plan("--detailed-exitcode", *flags, out="now.plan.yaml"))
        plan = b.read_plan("now.plan.yaml")
        self.assertEqual({name: plan["summary"][name] for name in ACTIONS}, dict.fromkeys(ACTIONS, 0))
        self.assertEqual((plan["reconcile"], plan["waves"]), ([], []))

    def assert_each_once(self, b, plan):
        """That each target of the plan has begun and ended once, and nothing else."""
        self.assertEqual(collections.Counter(b.targets()), planned_targets(plan))
        self.assertEqual(collections.Counter(b.began()), planned_targets(plan))

    def test_an_unchanged_bucket_does_nothing(self):
        b = self.restore("promoted")
        before = b.log()
        self.assertTrue(all(before), "the fixture has no logs")
        self.nothing_to_do(b)
        for plan in ("idle.plan.yaml", "now.plan.yaml"):
            self.succeed(b.apply(plan=plan))
        self.assertEqual(b.log(), before)
        # What that release had planned is what this one plans.
        self.succeed(b.run("maand-plan", "verify", b.file("idle.plan.yaml"), "--bucket", b.path))
        # The runs of that time are done.
        for plan in ("first.plan.yaml", "second.plan.yaml"):
            self.succeed(b.apply(plan=plan))
        self.assertEqual(b.log(), before)
        # What a hook and what a person has put.
        self.assertEqual(b.kv("get", "secrets/job/base", "password", "--reveal"), "hunter2 of base\n")
        self.assertEqual(b.kv("get", "secrets/job/front", "key", "--reveal"), "a secret of front\n")
        self.assertEqual(b.kv("get", "vars/job/base", "color"), "blue\n")

    def test_an_approved_plan_is_applied(self):
        b = self.restore("approved-plan")
        environment = b.environment(MAAND_POLICY=str(b.top / "etc/policy.toml"))
        self.assertEqual((b.began(), b.hooks()), ([], {}))
        # The policy counts.
        signature = b.file("a.plan.yaml.sig.d") / "ben.sig"
        signature.rename(b.top / "ben.sig")
        self.refuse(b.apply(env=environment), 77, "there is 1, by anna")
        (b.top / "ben.sig").rename(signature)
        self.assertEqual(b.began(), [])
        self.succeed(b.apply(env=environment))
        self.assert_each_once(b, b.read_plan())
        self.assertEqual(b.hooks(), planned_hooks(b.read_plan()))
        self.nothing_to_do(b)

    def test_an_unfinished_run_is_continued(self):
        b = self.restore("unfinished-run")
        plan, before = b.read_plan(), (collections.Counter(b.targets()), b.hooks())
        b.recognise_receipts(2)
        states = {row["step"]: row["state"] for row in b.json_of("maand-apply", "status")["steps"]}
        for step, ended in (("api/upgrade/2/w2/restart", ("api", "w2", "restart") in before[0]),
                            ("web/post_deploy/w1/command_web", ("web", "post_deploy", "command_web", "w1") in before[1])):
            self.assertEqual((states[step], ended), ("started", True), f"{step} has to have ended unseen")
        for done, wanted in zip(before, (planned_targets(plan), planned_hooks(plan))):
            self.assertTrue(done < wanted, "something has to be left to do, and nothing was done twice")

        self.succeed(b.apply())
        self.assert_each_once(b, plan)
        self.assertEqual(b.hooks(), planned_hooks(plan))
        # Of those whose files alone were pushed.
        self.assertEqual({(b.job_dir(worker, "quiet") / "app.conf").read_text() for worker in ("w1", "w2", "w3", "w4")},
                         {"1.1.0\n"})
        # The hook that ended unseen had written before; of that nothing counted yet.
        for worker in ("w1", "w2", "w3", "w4"):
            self.assertEqual(b.kv("get", "vars/job/web", "release." + worker), "1.1.0\n")
            self.assertEqual(
                b.kv("get", "secrets/job/web", "password." + worker, "--reveal"), f"the secret of {worker}\n")
        # A hook has set another order than the plan's, before the kill.
        restarts = [worker for job, worker, target in b.targets() if job == "api"]
        self.assertEqual((restarts[0], set(restarts[1:3]), restarts[3]), ("w3", {"w2", "w1"}, "w4"))
        self.nothing_to_do(b)
        self.succeed(b.apply())
        self.assert_each_once(b, plan)

    def test_what_a_person_has_stopped_is_left_alone(self):
        b = self.restore("promoted")
        if not (b.workspace / "jobs/spare").exists():
            self.skipTest(f"release {self.release} knew no such stops")
        self.nothing_to_do(b)
        self.assertEqual(b.read_plan("now.plan.yaml")["stopped_by_hand"], {"spare": ["w2"]})
        self.succeed(b.apply(plan="now.plan.yaml"))
        self.assertEqual({place for place, row in b.allocations().items() if row["standing"] == "stopped_by_hand"},
                         {("spare", "w2")})
        before = collections.Counter(b.targets())
        self.assertEqual(before["spare", "w2", "stop"], 1)
        # Its plan came through a pipe, so the bucket alone has it; the run is done.
        self.succeed(b.run("maand-apply", "run:3", "--bucket", b.path))
        self.assertEqual(collections.Counter(b.targets()), before)

        self.succeed(b.run("maand-plan", "start", "spare", "--bucket", b.path, "-o", b.file("start.plan.yaml")))
        self.succeed(b.apply(plan="start.plan.yaml"))
        # The job has no health check, so `start` runs everywhere.
        self.assertEqual(collections.Counter(b.targets()) - before,
                         {("spare", worker, "start"): 1 for worker in ("w1", "w2", "w3")})
        self.nothing_to_do(b)
        self.assertNotIn("stopped_by_hand", b.read_plan("now.plan.yaml"))

    def test_an_unfinished_restart_is_continued(self):
        b = self.restore("unfinished-restart")
        wanted = {("api", worker, "restart"): 1 for worker in ("w1", "w2", "w3", "w4")}
        b.recognise_receipts(2)
        states = {row["step"]: row["state"] for row in b.json_of("maand-apply", "status")["steps"]}
        self.assertEqual(states["api/operation/2/w3/restart"], "started")
        self.assertEqual({worker for _, worker, _ in b.targets()}, {"w1", "w2", "w3"}, "one has to have ended unseen")

        self.succeed(b.apply())
        self.assertEqual(collections.Counter(b.targets()), wanted)
        self.assertEqual(collections.Counter(b.began()), wanted)
        self.nothing_to_do(b)
        # The same plan again, as the bucket has kept it.
        for plan in (b.file(), "run:2"):
            self.succeed(b.run("maand-apply", plan, "--bucket", b.path))
        self.assertEqual(collections.Counter(b.began()), wanted)

    def test_a_run_that_was_killed_on_its_way_back_goes_on(self):
        b = self.restore("unfinished-way-back")
        # Nothing has begun on the fourth worker of api.
        forth = [("api", worker, "restart", "1.0.0", "1.1.0") for worker in ("w1", "w2", "w3")]
        forth += [("base", worker, "restart", "1.0.0", "1.1.0") for worker in ("w1", "w2")]
        back = [(job, worker, target, new, current) for job, worker, target, current, new in forth]
        both = {*forth, *back, ("fresh", "w4", "start", "0.0.0", "1.1.0"), ("fresh", "w4", "stop", "1.1.0", "1.1.0")}

        def ran():
            return {row[:5]: number for row, number in collections.Counter(row[:5] for row in b.rows()).items()}

        b.recognise_receipts(2)
        states = {row["step"]: row["state"] for row in b.json_of("maand-apply", "status")["steps"]}
        self.assertEqual(states["rollback/api/recover/1/w3/restart"], "started")
        self.assertEqual(set(ran()) & set(back), {("api", "w3", "restart", "1.1.0", "1.0.0")}, "it has to have ended unseen")

        self.refuse(b.apply(), 1, "was rolled back")
        self.assertEqual(ran(), dict.fromkeys(both, 1))
        self.assertEqual(len(b.began()), len(both))
        self.assertEqual(b.json_of("maand-apply", "status", 2)["state"], "rolled_back")
        # What is broken goes back first, a job before what it demands, and what was new goes last.
        self.assertEqual([(row.job, row.worker) for row in b.rows()][6:9], [("api", "w3"), ("api", "w2"), ("api", "w1")])
        self.assertEqual([row.job for row in b.rows()][9:], ["base", "base", "fresh"])

        # The catalog says what is on the workers.
        found = {}
        for (job, worker), row in b.allocations().items():
            file = b.job_dir(worker, job) / "app.conf"
            found[job, worker] = (row["standing"], row["promoted"] and row["promoted"]["version"],
                                  file.read_text().strip() if file.exists() else None)
            self.assertEqual((row["unfinished"], row["drained"]), (None, False), (job, worker))
        there = ("active", "1.0.0", "1.0.0")
        self.assertEqual(found, {
            **{("api", worker): there for worker in ("w1", "w2", "w3", "w4")}, ("base", "w1"): there, ("base", "w2"): there,
            ("fresh", "w4"): ("removed", None, None)})

        # Each has its hooks around it on both ways. On the way forth the sick one was not put back.
        hooks = collections.Counter((job, command, worker) for (job, _, command, worker), number in b.hooks().items()
                                    for _ in range(number) if command in ("command_drain", "command_fill", "command_close"))
        acting = [("api", "w1"), ("api", "w2"), ("api", "w3"), ("fresh", "w4")]
        self.assertEqual(hooks, {
            **{(job, command, worker): 2 for job, worker in acting for command in ("command_drain", "command_close")},
            ("api", "command_fill", "w1"): 2, ("api", "command_fill", "w2"): 2,
            ("api", "command_fill", "w3"): 1, ("fresh", "command_fill", "w4"): 1})

        # The run is over.
        log = b.log()
        self.refuse(b.apply(), 1, "was rolled back")
        self.refuse(b.apply("--retry-failed"), 1, "was rolled back")
        self.refuse(b.run("maand-apply", "run:2", "--bucket", b.path), 1, "was rolled back")
        self.succeed(b.plan())
        self.assertEqual(
            b.read_plan()["failed_before"], {"api": ["w1", "w2", "w3"], "base": ["w1", "w2"], "fresh": ["w4"]})
        shutil.rmtree(b.workspace)
        (b.top / "before").rename(b.workspace)
        self.nothing_to_do(b)
        self.assertEqual(b.log(), log)

    def test_files_with_secrets_are_known(self):
        b = self.restore("promoted")
        if not (b.workspace / "secrets.toml").exists():
            self.skipTest(f"release {self.release} wrote no secrets into files")
        before = b.log()
        self.assertIn("Nothing has changed", self.succeed(b.run("maand-plan", "prepare", "--bucket", b.path)).err)
        self.succeed(b.run("maand-plan", "kv", "rotate-key", "--bucket", b.path))
        self.nothing_to_do(b)
        self.assertEqual(b.log(), before)
        # The files are compared with what was recorded of them, and sent with the same values.
        b.write("jobs/sealed/plain.conf", "another\n")
        self.succeed(b.plan("--jobs", "sealed"))
        self.succeed(b.apply())
        text = (b.job_dir("w1", "sealed") / "conf/app.conf").read_text()
        self.assertEqual('key="a secret of sealed" a token of a file\nmade=made here\n', text)

    def test_certificates_are_known(self):
        b = self.restore("promoted")
        if not (b.workspace / "jobs/signed").exists():
            self.skipTest(f"release {self.release} made no certificates")
        before = b.log()
        rows = b.json_of("maand-plan", "certs", "list")
        self.assertEqual({"ca", "job"}, {row["scope"] for row in rows})
        # They are valid for ten years, so that this holds as long.
        self.assertEqual({("ok", None), ("ok", True)}, {(row["status"], row["deployed"]) for row in rows})
        self.assertIn("All certificates are there", self.succeed(b.run("maand-plan", "certs", "issue", "--bucket", b.path)).err)
        self.assertEqual(b.log(), before)
        self.succeed(b.run("maand-plan", "certs", "renew", "--all", "--bucket", b.path))
        self.succeed(b.plan("--jobs", "signed"))
        self.succeed(b.apply())
        self.assertEqual({None, True}, {row["deployed"] for row in b.json_of("maand-plan", "certs", "list")})

    def test_what_was_taken_back_is_known(self):
        b = self.restore("promoted")
        template = b.workspace / "jobs/tried/health.tpl"
        if not template.exists():
            self.skipTest(f"release {self.release} took nothing back")
        before = b.log()
        self.nothing_to_do(b)
        run = next(row["run"] for row in b.json_of("maand-apply", "history") if row["code"] == "rolled_back")
        self.refuse(b.run("maand-apply", f"run:{run}", "--bucket", b.path), 1, "was rolled back")
        self.assertEqual(b.log(), before)
        # The files that failed come again.
        template.write_text(template.read_text().replace('"nowhere"', '"w1"'))
        for flags in ((), ("--catalog", b.file("catalog.yaml"))):
            if flags:
                flags[1].write_text(self.succeed(b.catalog("export")).out)
            self.succeed(b.plan(*flags, out="again.plan.yaml"))
            self.assertEqual(b.read_plan("again.plan.yaml")["failed_before"], {"tried": ["w1"]})
        # The hooks around its allocation.
        template.write_text(template.read_text().replace('"w1"', '"nowhere"'))
        self.succeed(b.plan("--force", "--jobs", "tried", out="forced.plan.yaml"))
        self.succeed(b.apply(plan="forced.plan.yaml"))
        self.assertEqual(b.hooks() - before[2], {
            ("tried", event, command, "w1"): 1 for event, command in (
                ("before_batch", "command_open"), ("before_allocation", "command_drain"),
                ("after_allocation_healthy", "command_fill"), ("after_allocation", "command_close"))})
        self.nothing_to_do(b)

    def test_planning_against_an_export_gives_nothing_to_do(self):
        b = self.restore("catalog-export", "promoted")
        catalog = b.top / "catalog.yaml"
        self.nothing_to_do(b, "--catalog", catalog)
        self.succeed(
            b.run("maand-plan", "verify", b.file("idle.plan.yaml"), "--bucket", b.path, "--catalog", catalog))

    def test_a_failed_gate_can_be_planned_away(self):
        b = self.restore("gate-failed")
        self.succeed(b.plan("--detailed-exitcode"), 2)
        self.assertEqual({worker for worker in bucket.actions(b.read_plan())["api"]}, {"w1", "w2", "w3"})
        # The first release knew of no allocation whether it had passed its gate, so that any may be the one that failed.
        phases = {job["job"]: [phase["phase"] for phase in job["phases"]]
                  for wave in b.read_plan()["waves"] for job in wave["jobs"]}
        self.assertEqual(phases["api"], ["recover"] if self.release == "0.1.0" else ["recover", "upgrade"])
        exported = self.restore("catalog-export", "gate-failed")
        self.assertIn("{job: api, gate_pending: true,", (exported.top / "catalog.yaml").read_text())
        self.succeed(exported.plan("--catalog", exported.top / "catalog.yaml"))
        self.assertEqual(exported.file().read_bytes(), b.file().read_bytes())
        before = collections.Counter(b.targets())
        self.succeed(b.apply())
        self.assertEqual(collections.Counter(b.targets()) - before, planned_targets(b.read_plan()))
        self.nothing_to_do(b)

    def test_all_plans_are_read(self):
        b = self.restore("plans")
        plans = sorted((b.top / "plans").iterdir())
        self.assertTrue(plans)
        for plan in plans:
            with self.subTest(plan.name):
                # A plan is taken only where it is, byte for byte, what would be written for it.
                self.succeed(b.run_in(b.top, "maand-plan", "show", plan))
                shown = json.loads(
                    self.succeed(b.run_in(b.top, "maand-plan", "show", plan, "--steps", "--format", "json")).out)
                self.assertIn(hashlib.sha256(plan.read_bytes()).hexdigest(), json.dumps(shown))


for _release in RELEASES:
    _name = "Release_" + "".join(c if c.isalnum() else "_" for c in _release)
    globals()[_name] = type(_name, (Fixtures, hookbucket.HookCase), {"release": _release, "__module__": __name__})


class Releases(bucket.Case):
    def test_there_is_one(self):
        self.assertTrue(RELEASES, f"{FIXTURES} is empty")
