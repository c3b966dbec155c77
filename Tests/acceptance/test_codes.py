"""What programs get in place of sentences: the codes of errors and events."""
import json
import unittest

import bucket

WORKERS = ["127.0.8.71", "127.0.8.72"]


class Codes(bucket.Case):
    def bucket(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api", files={"app.conf": "x\n"})
        self.succeed(b.plan())
        return b

    def error(self, result, code, exit_code):
        """The command failed, and standard output is one JSON document that has this code and the sentence."""
        self.assertEqual(result.code, exit_code, result.out + result.err)
        error = json.loads(result.out)["error"]
        self.assertEqual(error["code"], code)
        for line in error["message"].splitlines():
            self.assertIn(line, result.err)

    def events(self, b):
        return [json.loads(line) for line in (b.path / "events").read_text().splitlines()]

    def test_an_error_of_a_command_that_prints_json_is_json(self):
        b = self.bucket()
        self.succeed(b.apply())
        self.error(b.run("maand-apply", "status", "99", "--format", "json"), "no_such_run", 65)
        self.error(b.run("maand-apply", "health-check", "--jobs", "web", "--format", "json"), "not_deployed", 65)
        self.error(b.run("maand-plan", "show", "none.plan.yaml", "--format", "json"), "file_unreadable", 65)
        (b.path / "bad.plan.yaml").write_text("a: [\n")
        self.error(b.run("maand-plan", "show", "bad.plan.yaml", "--format", "json"), "invalid_input", 65)

    def test_an_error_of_a_command_that_prints_text_leaves_standard_output_empty(self):
        b = self.bucket()
        self.succeed(b.apply())
        result = b.run("maand-apply", "status", "99")
        self.assertEqual((result.code, result.out), (65, ""))

    def test_a_failed_step_has_its_code_in_the_events(self):
        b = self.bucket()
        b.fail("api", WORKERS[0])
        self.assertEqual(b.apply("--events", b.path / "events").code, 1)
        ended = {event["step"]: event for event in self.events(b) if event["event"] == "step_ended"}
        failed = [event for step, event in ended.items() if event["outcome"] == "failed"]
        self.assertEqual([event["code"] for event in failed], ["exit_status"])
        self.assertIn("exit status", failed[0]["detail"])
        self.assertTrue(all("code" not in event for event in ended.values() if event["outcome"] == "succeeded"))

    def test_a_refused_plan_has_its_code_in_the_events(self):
        b = self.bucket()
        b.fail("api", WORKERS[0])
        self.assertEqual(b.apply().code, 1)
        b.job("api", "1.1.0", files={"app.conf": "y\n"})
        self.succeed(b.plan(out="b.plan.yaml"))
        self.assertEqual(b.apply("--events", b.path / "events", plan="b.plan.yaml").code, 5)
        self.assertIsNone(json.loads(b.run("maand-apply", "status", "--format", "json").out).get("code"))
        refused = self.events(b)[-1]
        self.assertEqual((refused["event"], refused["code"]), ("refused", "unfinished_run"))
        self.assertIn("holds the bucket", refused["detail"])

    def test_a_paused_run_has_its_code(self):
        b = self.bucket()
        b.fail("api", WORKERS[0])
        self.assertEqual(b.apply().code, 1)
        self.succeed(b.run("maand-apply", "pause", "1", "--reason", "lunch"))
        for command in ("status", "history"):
            document = json.loads(b.run("maand-apply", command, "--format", "json").out)
            run = document if command == "status" else document[0]
            self.assertEqual((run["state"], run["code"]), ("parked", "paused"))
            self.assertIn("lunch", run["detail"])


if __name__ == "__main__":
    unittest.main()
