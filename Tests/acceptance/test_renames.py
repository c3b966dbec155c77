"""Workers that go by another name, over ssh on real OpenSSH servers: their machines are recognised by address, port, host key
and receipts, and nothing is stopped or started for a name."""
import json
import random
import shutil
import sqlite3

import bucket
import test_crash
from test_ssh import Fleet, SSHBucket, SSHCase

OTHER = "another machine has this address"


class Named(SSHBucket):
    """Its workers have names of their own; `places` has the number of each one's machine."""

    def __init__(self, test, fleet, **changes):
        super().__init__(test, fleet, **changes)
        self.places = {}

    def name(self, places, labels=None):
        self.places.update(places)
        rows = [{"host": name, "address": self.fleet.address(index), "labels": (labels or {}).get(name, [])}
                for name, index in places.items()]
        self.write("workers.json", json.dumps(rows, indent=1) + "\n")

    def root(self, worker):
        return self.fleet.root(self.places[worker]) / self.id


class Renames(SSHCase):
    def named(self, names, **manifest):
        """A fleet with a machine for each name, on which the job `app` 1.0.0 runs."""
        fleet = Fleet(self, len(names))
        b = Named(self, fleet)
        b.name({name: index for index, name in enumerate(names, 1)})
        b.job("app", "1.0.0", pause=0, **manifest)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        return fleet, b

    def renames(self, b):
        return [(row["from"], row["to"]) for row in b.read_plan().get("renames", [])]

    def there(self, b):
        """(job, worker) of what the catalog has somewhere."""
        return sorted((row["job"], row["worker"]) for row in self.allocations(b) if row["standing"] != "removed")

    def show(self, b, *flags):
        return self.succeed(b.run("maand-plan", "show", b.file(), *flags, "--bucket", b.path)).out

    def sql(self, b, *words):
        with sqlite3.connect(b.path / "maand.db") as database:
            return database.execute(*words).fetchall()

    # -- what is renamed

    def test_a_name_is_no_reason_to_act(self):
        _, b = self.named(["a", "b"])
        b.name({"db1": 1, "b": 2})
        done = self.succeed(b.plan("--detailed-exitcode"), 2)
        self.assertIn("Plan: 1 worker renamed; 2 unchanged.", done.err)
        plan = b.read_plan()
        self.assertEqual((plan["reconcile"], plan["waves"]), ([], []))
        self.assertEqual(self.renames(b), [("a", "db1")])
        self.assertIn("renamed a -> db1", self.show(b))
        self.assertIn("renamed `a` -> `db1`", self.show(b, "--format", "markdown"))
        self.assertIn("renamed <code>a</code> -&gt; <code>db1</code>", self.show(b, "--format", "html"))
        seen = json.loads(self.show(b, "--format", "json", "--steps"))
        self.assertEqual(seen["renames"], plan["renames"])
        self.assertTrue(seen["changes_something"])
        self.assertEqual([row["id"] for row in seen["steps"]], ["renames"])
        self.assertIn("renames", self.show(b, "--steps"))
        self.assertIn("renames\n1 steps", self.succeed(b.apply("--dry-run")).out)
        # Elsewhere the same plan comes of what is exported.
        export = b.top / "catalog.yaml"
        export.write_text(self.succeed(b.catalog("export")).out)
        self.succeed(b.plan("--catalog", export, out="other.plan.yaml"))
        self.assertEqual(b.file().read_bytes(), b.file("other.plan.yaml").read_bytes())
        self.succeed(b.run("maand-plan", "verify", b.file(), "--bucket", b.path))

        self.assertIn("renamed a -> db1", self.succeed(b.apply()).out)
        self.assertEqual(b.began(), [])
        self.assertEqual(self.there(b), [("app", "b"), ("app", "db1")])
        self.assertIn("Done already", self.succeed(b.apply()).out)
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))
        self.refuse(b.run("maand-plan", "verify", b.file(), "--bucket", b.path), 3)
        # It is the worker that it was: an upgrade there is one.
        b.job("app", "2.0.0", pause=0)
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan())["app"], {
            worker: ("restart", "version_changed") for worker in ("db1", "b")})
        self.succeed(b.apply())
        self.once_each(b, "restart", ["db1", "b"])

    def test_a_name_that_is_taken_over_from_a_machine_that_is_gone(self):
        _, b = self.named(["a", "b"])
        b.name({"b": 1})
        self.refuse(b.plan(), 65, "a goes by the name b now", "take b out of workers.json")
        # As it says.
        b.name({"a": 1})
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.name({"b": 1})
        self.succeed(b.plan())
        self.assertEqual(self.renames(b), [("a", "b")])
        self.succeed(b.apply())
        self.assertEqual(self.there(b), [("app", "b")])
        self.assertEqual([row[2] for row in b.began()], [], "what runs on the machine runs on")
        self.succeed(b.plan("--detailed-exitcode"))

    def test_a_plan_from_before_other_names(self):
        _, b = self.named(["a", "b"])
        b.job("app", "2.0.0", pause=0)
        self.succeed(b.plan(out="old.plan.yaml"))
        b.job("app", "1.0.0", pause=0)
        b.name({"a": 2, "b": 1})
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.refuse(b.apply(plan="old.plan.yaml"), 3, "workers got other names since it was made")
        self.assertEqual(b.began(), [])

    def test_names_that_are_swapped(self):
        fleet = Fleet(self, 3)
        b = Named(self, fleet)
        labels = {"a": ["left"], "b": ["right"], "c": []}
        b.name({"a": 1, "b": 2, "c": 3}, labels)
        for job in ("left", "right"):
            b.job(job, "1.0.0", pause=0, selectors=[job])
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        # What is on the machines stays there.
        b.name({"b": 1, "a": 2, "c": 3}, {"b": ["left"], "a": ["right"]})
        self.succeed(b.plan("--detailed-exitcode"), 2)
        self.assertEqual(self.renames(b), [("a", "b"), ("b", "a")])
        self.assertEqual(bucket.actions(b.read_plan()), {})
        self.succeed(b.apply())
        self.assertEqual(b.began(), [])
        self.assertEqual(self.there(b), [("left", "b"), ("right", "a")])
        # And back, while one of the jobs is upgraded.
        b.name({"a": 1, "b": 2, "c": 3}, labels)
        b.job("left", "2.0.0", pause=0, selectors=["left"])
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan()), {"left": {"a": ("restart", "version_changed")}})
        self.succeed(b.apply())
        self.assertEqual(b.began(), [("left", "a", "restart")])
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))

    def test_a_name_that_goes_to_a_new_machine(self):
        """The machine keeps what it runs under its new name, and the old name begins again elsewhere."""
        fleet = Fleet(self, 2)
        b = Named(self, fleet)
        b.name({"a": 1})
        b.job("app", "1.0.0", pause=0)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.name({"old": 1, "a": 2})
        self.succeed(b.plan())
        self.assertEqual(self.renames(b), [("a", "old")])
        self.assertEqual(bucket.actions(b.read_plan()), {"app": {"a": ("start", "first_deploy")}})
        self.succeed(b.apply())
        self.assertEqual(b.began(), [("app", "a", "start")])
        self.assertEqual(self.there(b), [("app", "a"), ("app", "old")])

    def test_what_is_owed_and_unfinished_comes_along(self):
        gate = {"health_check": {"checks": [{"type": "ssh", "command": "test ! -e sick"}], "timeout_seconds": 20,
                                 "wait": {"attempts": 1, "interval_seconds": 0}}}
        fleet, b = self.named(["a", "b"], **gate)
        b.job("app", "2.0.0", pause=0, **gate)
        b.fail("app", fleet.address(1))
        self.succeed(b.plan())
        self.succeed(b.apply(), 1)
        self.succeed(b.abandon(2))
        b.mend("app", fleet.address(1))
        b.forget()
        b.name({"c": 1, "b": 2})
        self.succeed(b.plan())
        self.assertEqual(self.renames(b), [("a", "c")])
        self.assertEqual(bucket.actions(b.read_plan())["app"], {
            "c": ("restart", "unfinished"), "b": ("restart", "version_changed")})
        self.succeed(b.apply())
        self.once_each(b, "restart", ["c", "b"])

    # -- what is not

    def test_before_anything_is_recorded(self):
        """As with a catalog of an earlier release: stopped and started."""
        _, b = self.named(["a"])
        self.sql(b, "DELETE FROM machine")
        b.name({"db1": 1})
        self.succeed(b.plan())
        self.assertEqual(self.renames(b), [])
        self.succeed(b.apply())
        b.name({"a": 1, "db1": 1})
        self.assertEqual(self.there(b), [("app", "db1")])
        self.assertEqual([row[2] for row in self.lines(b)], ["stop", "start"])

    def lines(self, b):
        """What has run on the first machine, in order."""
        b.name({"db1": 1})
        return sorted(b.rows(), key=lambda row: row.start)

    def test_a_fresh_host_at_an_old_address(self):
        """Its key is another: what ran under the old name is given up, and it begins again."""
        fleet, b = self.named(["a"])
        fleet("kill", 1)
        shutil.rmtree(b.root("a"))
        old = (fleet.dir / "worker-1/host_key.pub").read_text().split()[1]
        self.new_host_key(fleet, 1)
        new = (fleet.dir / "worker-1/host_key.pub").read_text().split()[1]
        known = fleet.dir / "known_hosts"
        known.write_text(known.read_text().replace(old, new))
        fleet("start", 1)
        b.name({"fresh": 1})
        self.succeed(b.plan())
        self.assertEqual(self.renames(b), [])
        self.assertEqual(bucket.actions(b.read_plan())["app"], {
            "a": ("stop", "removed"), "fresh": ("start", "first_deploy")})
        done = self.succeed(b.apply())
        self.assertRegex(done.out + done.err, "warning.*a: abandoned.*another machine")
        self.assertEqual(b.began(), [("app", "fresh", "start")])
        self.assertEqual(self.there(b), [("app", "fresh")])

    def renew(self, b, how):
        """Another machine with the address and the key of the first: emptied, or with a copy of its folder."""
        root = b.root("a")
        if how == "copied":
            shutil.copytree(root, root.with_suffix(".copy"), symlinks=True)
        shutil.rmtree(root)
        if how == "copied":
            root.with_suffix(".copy").rename(root)

    def test_another_machine_with_the_same_key(self):
        for how in ("emptied", "copied"):
            with self.subTest(how):
                _, b = self.named(["a", "b"])
                before = b.catalog("export").out
                self.renew(b, how)
                b.name({"db1": 1, "b": 2})
                b.job("app", "2.0.0", pause=0)
                self.succeed(b.plan())
                self.assertEqual(self.renames(b), [("a", "db1")])
                for _ in range(2):
                    self.refuse(b.apply(), 3, OTHER, "a -> db1", "take db1 out of workers.json")
                self.assertEqual(b.began(), [])
                self.assertEqual(self.there(b), [("app", "a"), ("app", "b")])
                cut = lambda text: text[text.index("machines:"):]
                self.assertEqual(cut(b.catalog("export").out), cut(before))
                # Nobody is held up, and what the message says works.
                b.name({"b": 2})
                self.succeed(b.plan())
                done = self.succeed(b.apply())
                self.assertRegex(done.out + done.err, "warning.*a: abandoned.*another machine")
                self.assertEqual(b.began(), [("app", "b", "restart")])
                b.name({"db1": 1, "b": 2})
                self.succeed(b.plan())
                self.assertEqual(bucket.actions(b.read_plan())["app"], {"db1": ("start", "first_deploy")})
                if how == "emptied":
                    self.succeed(b.apply())
                    self.assertEqual(self.there(b), [("app", "b"), ("app", "db1")])

    def test_a_swap_of_which_one_is_another_machine(self):
        """All or none."""
        _, b = self.named(["a", "b", "c"])
        self.renew(b, "copied")
        b.name({"b": 1, "c": 2, "a": 3})
        self.succeed(b.plan())
        self.assertEqual(self.renames(b), [("a", "b"), ("b", "c"), ("c", "a")])
        done = self.refuse(b.apply(), 3, OTHER, "a -> b")
        self.assertNotIn("b -> c", done.err)
        b.name({"a": 1, "b": 2, "c": 3})
        self.succeed(b.plan("--detailed-exitcode"))

    def test_a_plan_of_names_that_came_otherwise(self):
        _, b = self.named(["a"])
        b.name({"db1": 1})
        self.succeed(b.plan())
        b.name({"db2": 1})
        self.succeed(b.plan(out="other.plan.yaml"))
        self.succeed(b.apply(plan="other.plan.yaml"))
        self.refuse(b.apply(), 3, "stale", "a -> db1", "Plan again")
        self.assertEqual(self.there(b), [("app", "db2")])
        self.assertEqual(b.began(), [])

    def test_what_somebody_has_changed_there_meanwhile(self):
        """Found under the new name: put back, and the same command goes on; or given up, and the next plan has it."""
        for gives_up in (False, True):
            _, b = self.named(["a"])
            b.name({"db1": 1})
            b.job("app", "2.0.0", pause=0)
            self.succeed(b.plan())
            file = b.job_dir("db1", "app") / "app.conf"
            text = file.read_text()
            file.write_text("changed\n")
            self.refuse(b.apply(), 3, "app on db1")
            if gives_up:
                self.succeed(b.abandon(2))
                self.succeed(b.plan())
                self.assertEqual(self.renames(b), [])
                self.assertEqual(bucket.actions(b.read_plan()), {"app": {"db1": ("restart", "unfinished")}})
            else:
                file.write_text(text)
            self.succeed(b.apply())
            self.once_each(b, "restart", ["db1"])
            self.assertEqual(self.there(b), [("app", "db1")])

    def test_one_that_does_not_answer(self):
        """It cannot show who it is, so nothing begins; the same command goes on when it can."""
        fleet, b = self.named(["a", "b"], rollout={"max_unreachable": 1})
        fleet("kill", 1)
        b.name({"db1": 1, "b": 2})
        b.job("app", "2.0.0", pause=0, rollout={"max_unreachable": 1})
        self.succeed(b.plan())
        self.refuse(b.apply(), 69, "db1: it was a and has to show")
        self.assertEqual(b.began(), [])
        self.assertEqual(self.there(b), [("app", "a"), ("app", "b")])
        fleet("start", 1)
        self.succeed(b.apply())
        self.once_each(b, "restart", ["db1", "b"])

    # -- killed

    def test_places_where_it_may_die(self):
        """Names are swapped while the job is upgraded: killed anywhere, the same command goes on."""
        fleet, b = self.named(["a", "b"])
        log = b.top / "places"
        names = [{"b": 1, "a": 2}, {"a": 1, "b": 2}]
        dice = random.Random(test_crash.SEED)

        def lay(version):
            b.name(names[version % 2])
            b.forget()
            b.job("app", f"{version + 2}.0.0", pause=0)
            self.succeed(b.plan())
            self.assertEqual(self.renames(b), [("a", "b"), ("b", "a")])

        lay(0)
        self.succeed(b.apply(env=b.environment(MAAND_FAULT_LOG=str(log))))
        if not log.exists():
            self.skipTest("only a build with test hooks can be told where to die")
        places = log.read_text().splitlines()
        # Where the names change hands, and some of what comes after.
        chosen = {number for number, line in enumerate(places, 1) if "@preflight" in line or "the run" in line}
        rest = sorted(set(range(1, len(places) + 1)) - chosen)
        count = len(rest) if test_crash.CRASH == "all" else min(int(test_crash.CRASH or 6), len(rest))
        for version, place in enumerate(sorted(chosen | set(dice.sample(rest, count))), 1):
            with self.subTest(died_at=places[place - 1]):
                lay(version)
                # Where two things happen at once, there may be a place less.
                died = b.apply(env=b.environment(MAAND_FAULT_AT=str(place)))
                self.assertIn(died.code, (-9, 0), died)
                self.succeed(b.apply())
                self.once_each(b, "restart", ["a", "b"])
                self.assertEqual(self.there(b), [("app", "a"), ("app", "b")])
                self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))


if __name__ == "__main__":
    import unittest
    unittest.main()
