"""The order that a `pre_deploy` hook puts, and rollouts that a job's own command carries out, through kills."""
import json

import bucket
import hookbucket
from bucket import until
from hookbucket import Hook

WORKERS = [f"127.0.9.{number}" for number in range(1, 5)]
REVERSED = WORKERS[::-1]

# The leader comes last: here simply whoever stands first.
LEADER_LAST = """\
if os.environ["ALLOCATION_INDEX"] == "0":
    workers = maand.get_kv_value("maand/job/" + maand.job_name(), "workers").split(",")
    maand.put_rollout_order(workers[::-1]).raise_for_status()
"""


class Order(hookbucket.HookCase):
    def deployed(self, hooks, body=LEADER_LAST, tags=None, **manifest):
        """`api` on all workers in version 1.0.0, with a plan to 2.0.0 and a hook that chooses the order."""
        b = self.bucket()
        rows = [{"host": host, "memory": "1024 mb", "cpu": "1000 mhz", **({"tags": {"zone": tags[host]}} if tags else {})}
                for host in WORKERS]
        b.write("workers.json", json.dumps(rows))
        b.hook_job("api", "1.0.0", **manifest)
        self.rollout(b)
        b.forget()
        b.hook_job("api", "2.0.0", {"command_order": Hook("pre_deploy", body=body), **hooks}, **manifest)
        self.succeed(b.plan())
        return b

    def batches(self, b):
        """The batches that ran, each sorted, by what hooks of the batch were told."""
        found = []
        for line in b.trace("hook began", event="after_allocation_started"):
            workers = line.values["BATCH_ALLOCATIONS"].split(",")
            self.assertIn(line.worker, workers)
            self.assertEqual(line.values["ROLLOUT_ORDER_SOURCE"], "kv")
            if workers not in found:
                found.append(workers)
        return found

    def test_leader_last_through_a_kill(self):
        b = self.deployed({"command_join": Hook("after_allocation_started", language="sh")})
        planned = b.read_plan()["waves"][0]["jobs"][0]
        self.assertEqual(planned["rollout_order"], {"source": "workers", "may_be_replaced_by": ["command_order"]})
        b.hold("api", REVERSED[1])
        child = b.start_apply("--events", str(b.top / "events"))
        until(lambda: b.trace("target began", worker=REVERSED[1]), "the second batch begun")
        row = b.json_of("maand-apply", "status")["jobs"][0]["rollout_order"]
        self.assertEqual((row["source"], row["workers"]), ("hook", REVERSED))
        self.assertIn("rollout order, put by a hook: " + ", ".join(REVERSED), b.status().out)
        child.kill()
        child.communicate()
        begun = {event["step"] for event in b.events() if event["event"] == "step_started"}
        self.assertEqual(b.json_of("maand-apply", "status")["jobs"][0]["rollout_order"]["workers"], REVERSED)
        b.release("api", REVERSED[1])
        self.succeed(b.apply("--events", str(b.top / "later")))
        # The steps keep their names, and what had begun is asked about and not begun again.
        later = [event for event in b.events("later") if event["event"] in ("step_started", "step_resumed")]
        self.assertEqual([event["step"] for event in later if event["event"] == "step_resumed"],
                         [f"api/upgrade/2/{REVERSED[1]}/restart"])
        self.assertFalse(begun & {event["step"] for event in later if event["event"] == "step_started"})
        self.assertEqual([line.worker for line in b.trace("target ended")], REVERSED)
        self.assertEqual(self.batches(b), [[worker] for worker in REVERSED])
        self.assertEqual(b.runs()["command_order", WORKERS[0]], 1)
        self.assertEqual(b.json_of("maand-apply", "status")["jobs"][0]["rollout_order"]["source"], "hook")
        # The order was of that run: the next one has its own.
        b.hook_job("api", "3.0.0")
        b.forget()
        self.rollout(b)
        self.assertEqual([line.worker for line in b.trace("target ended")], WORKERS)
        row = b.json_of("maand-apply", "status")["jobs"][0]["rollout_order"]
        self.assertEqual((row["source"], row["workers"]), ("workers", WORKERS))

    def test_batches_of_two_and_of_one_zone(self):
        """The new order is cut by the same rule as the plan's."""
        zones = dict(zip(WORKERS, "abba"))
        b = self.deployed({"command_join": Hook("after_allocation_started", language="sh")}, tags=zones,
                          max_concurrent_upgrades=2)
        again = b.copy(self)
        self.succeed(b.apply())
        self.assertEqual(self.batches(b), [REVERSED[:2], REVERSED[2:]])
        b = again
        b.hook_job("api", "2.0.0", {"command_order": Hook("pre_deploy", body=LEADER_LAST),
                                    "command_join": Hook("after_allocation_started", language="sh")},
                   max_concurrent_upgrades=2, rollout={"spread": "zone"})
        self.succeed(b.plan())
        b.hold("api", REVERSED[1])
        child = b.start_apply()
        until(lambda: b.trace("target began", worker=REVERSED[1]), "the second batch begun")
        child.kill()
        child.communicate()
        b.release("api", REVERSED[1])
        self.succeed(b.apply())
        # Whoever comes first, and the next one of the same zone.
        self.assertEqual(self.batches(b), [[REVERSED[0], REVERSED[3]], [REVERSED[1], REVERSED[2]]])
        self.assertEqual(sorted(line.worker for line in b.trace("target began")), WORKERS)

    def test_a_stale_list_falls_back(self):
        body = 'if maand.allocation_index() == "0": maand.put_rollout_order("%s").raise_for_status()'
        b = self.deployed({}, body=body % ",".join(REVERSED[1:]))
        lists = {"lacks": REVERSED[1:], "unknown": [*REVERSED, "10.9.9.9"], "double": [*REVERSED, REVERSED[0]]}
        for number, (what, order) in enumerate(lists.items()):
            with self.subTest(what):
                b.forget()
                b.hook_job("api", f"2.{number}.0", {"command_order": Hook("pre_deploy", body=body % ",".join(order))})
                done = self.rollout(b)
                self.assertRegex(done.out, "warning.*api/rollout_order: as planned, since the order that a hook has put")
                self.assertEqual([line.worker for line in b.trace("target ended")], WORKERS)
                row = b.json_of("maand-apply", "status")["jobs"][0]["rollout_order"]
                self.assertEqual(row["source"], "workers")
                self.assertIn("since the order that a hook has put", row["detail"])
                self.assertIn("since the order that a hook has put", b.status().out)


class JobControl(hookbucket.HookCase):
    CANARY = {"command_roll": Hook("job_control", body="""\
file = os.path.join(os.getcwd(), os.pardir, "knobs", "rolled")
with open(file, "a") as log:
    log.write("%s %s\\n" % (os.environ["ALLOCATION_IP"], os.environ["BATCH_INDEX"]))
"""), "command_well": Hook("health_check", language="sh"), "command_end": Hook("post_deploy", language="sh")}

    def told(self, b):
        names = ("BATCH_INDEX", "BATCH_COUNT", "BATCH_ALLOCATIONS", "NEW_ALLOCATIONS", "UPDATED_ALLOCATIONS",
                 "CURRENT_VERSION", "NEW_VERSION", "DEPLOY_PHASE")
        return {line.worker: tuple(line.values[name] for name in names)
                for line in b.trace("hook began", event="job_control")}

    def test_a_canary_without_makefile_through_a_kill(self):
        b = self.bucket(*WORKERS[:3])
        b.hook_job("api", "1.0.0", self.CANARY, make=None, max_concurrent_upgrades=2)
        self.rollout(b)
        new = ",".join(WORKERS[:3])
        self.assertEqual(self.told(b), {
            WORKERS[0]: ("0", "2", ",".join(WORKERS[:2]), new, "", "0.0.0", "1.0.0", "job_control"),
            WORKERS[1]: ("0", "2", ",".join(WORKERS[:2]), new, "", "0.0.0", "1.0.0", "job_control"),
            WORKERS[2]: ("1", "2", WORKERS[2], new, "", "0.0.0", "1.0.0", "job_control")})
        b.forget()

        b.workers(*WORKERS)
        b.hook_job("api", "2.0.0", self.CANARY, make=None, max_concurrent_upgrades=2)
        self.succeed(b.plan())
        second = WORKERS[3]
        b.hold("command_roll", second)
        child = b.start_apply()
        until(lambda: b.trace("hook began", command="command_roll", worker=second), "the second batch begun")
        child.kill()
        child.communicate()
        b.release("command_roll", second)
        self.succeed(b.apply())
        self.assertEqual({key: count for key, count in b.runs().items() if key[0] == "command_roll"},
                         {("command_roll", worker): 1 for worker in WORKERS})
        told = self.told(b)
        self.assertEqual({worker: row[3:7] for worker, row in told.items()}, {
            worker: (WORKERS[3], ",".join(WORKERS[:3]), "0.0.0" if worker == WORKERS[3] else "1.0.0", "2.0.0")
            for worker in WORKERS})
        batches = sorted({(row[0], row[1], row[2]) for row in told.values()})
        self.assertEqual([row[:2] for row in batches], [("0", "2"), ("1", "2")])
        self.assertEqual(sorted(worker for row in batches for worker in row[2].split(",")), WORKERS)
        self.assert_order(
            b, lambda line: line.command == "command_roll" and line.worker in batches[0][2].split(","),
            lambda line: line.command == "command_roll" and line.worker in batches[1][2].split(","),
            lambda line: line.command == "command_end")
        versions = {row["promoted"]["version"] for row in b.allocations().values()}
        self.assertEqual(versions, {"2.0.0"})

        # Disabled and removed allocations have nothing to stop, and their files go with them.
        b.write("disabled.json", json.dumps({"jobs": {"api": {"allocations": [WORKERS[0]]}}}))
        self.rollout(b)
        self.assertEqual(b.allocations()["api", WORKERS[0]]["standing"], "stopped")
        b.workers(*WORKERS[:3])
        self.rollout(b)
        self.assertFalse((b.job_dir(WORKERS[3], "api") / "app.conf").exists())
        (b.workspace / "disabled.json").unlink()
        b.forget()
        self.rollout(b)
        self.assertEqual(self.told(b)[WORKERS[0]][3:7], (WORKERS[0], "", "2.0.0", "2.0.0"))
        bucket.shutil.rmtree(b.workspace / "jobs/api")
        self.rollout(b)
        self.assertEqual({row["standing"] for row in b.allocations().values()}, {"removed"})
        self.assertEqual(self.succeed(b.plan("--detailed-exitcode")).code, 0)

    def test_a_failed_command_promotes_nothing_of_its_batch(self):
        b = self.bucket(*WORKERS[:3])
        b.hook_job("api", "1.0.0", self.CANARY, make=None)
        b.fail("command_roll", WORKERS[1])
        self.refuse(self.rollout(b, code=1), 1, f"api/job_control/2/{WORKERS[1]}/command_roll")
        self.assertEqual({worker: bool(row["promoted"]) for (_, worker), row in b.allocations().items()},
                         {WORKERS[0]: True, WORKERS[1]: False})
        b.mend("command_roll", WORKERS[1])
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual([len(b.trace("hook began", command="command_roll", worker=worker)) for worker in WORKERS[:3]],
                         [1, 2, 1])
