"""Workers that lose what they knew of a run: what has run is never run again unseen, and nothing is forgotten."""
import os
import shutil
import signal

import bucket
from bucket import until

WORKER = "127.0.26.1"


class LostState(bucket.Case):
    def killed(self):
        """A bucket in which apply was killed while a restart runs, held by its knob."""
        b = bucket.Bucket(self)
        b.workers(WORKER)
        b.job("api")
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.job("api", "2.0.0")
        self.succeed(b.plan())
        b.hold("api", WORKER)
        apply = b.start_apply()
        until(lambda: b.began(), "the restart began")
        apply.send_signal(signal.SIGKILL)
        apply.wait()
        return b

    def lose(self, b):
        """The receipts of all runs are gone, `generation` and the locks are there."""
        receipts = b.path / "workers" / WORKER / "opt/worker" / b.id / "receipts"
        for folder in receipts.iterdir():
            if folder.is_dir() and not folder.name.startswith("."):
                shutil.rmtree(folder)
        return receipts

    def test_the_lock_of_a_job_proves_how_its_target_ended(self):
        b = self.killed()
        b.release("api", WORKER)
        receipts = b.path / "workers" / WORKER / "opt/worker" / b.id / "receipts"
        until(lambda: "exit.0" in (receipts / ".lock/api").read_text(), "the restart ended")
        self.lose(b)
        self.succeed(b.apply())
        self.assertEqual(b.began(), [("api", WORKER, "restart")])
        self.assertIn("2.0.0", self.succeed(b.catalog("allocations")).out)

    def test_without_any_proof_a_person_decides(self):
        b = self.killed()
        for process in b.processes():
            os.kill(process, signal.SIGKILL)
        until(lambda: not b.processes(), "the restart is dead")
        self.lose(b)
        b.release("api", WORKER)
        step = f"api/upgrade/1/{WORKER}/restart"
        self.refuse(b.apply(), 4, step, "resolve")
        self.assertEqual(b.began(), [("api", WORKER, "restart")])
        self.succeed(b.run("maand-apply", "resolve", "2", step, "failed", "--reason", "it is dead", "--bucket", b.path))
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(b.began(), [("api", WORKER, "restart")] * 2)
