"""Variables and secrets: set and shown by people, read by the planner, and secrets nowhere but encrypted."""
import json
import os
import pty
import subprocess
import threading

import bucket

SECRET = "hunter2-%s" % os.urandom(8).hex()


class KeyValues(bucket.Case):
    def setUp(self):
        self.b = bucket.Bucket(self)

    def kv(self, *argv, code=0, stdin=None):
        result = subprocess.run(
            [os.path.join(bucket.BIN, "maand-plan"), "kv", *argv, "--bucket", str(self.b.path)],
            capture_output=True, text=True, input=stdin or "", timeout=bucket.LIMIT)
        self.assertEqual(code, result.returncode, result.stderr)
        return result

    def deploy(self):
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())

    def test_a_variable_is_put_shown_listed_and_deleted(self):
        self.b.workers("w1")
        self.b.job("api")
        self.assertIn("version 1", self.kv("put", "vars/job/api", "color", "blue").stderr)
        self.assertIn("version 2", self.kv("put", "vars/job/api", "color", stdin="dark\ngreen\n").stderr)
        self.assertEqual("dark\ngreen\n", self.kv("get", "vars/job/api", "color").stdout)
        rows = json.loads(self.kv("list", "--format", "json").stdout)
        self.assertEqual(
            [("vars/job/api", "color", "dark\ngreen", False, 2)],
            [(r["namespace"], r["key"], r["value"], r["secret"], r["version"]) for r in rows])
        self.kv("delete", "vars/job/api", "color")
        result = self.kv("get", "vars/job/api", "color", code=65)
        self.assertIn("there is no key color in vars/job/api", result.stderr)
        self.kv("delete", "vars/job/api", "color", code=65)
        self.assertIn("version 4", self.kv("put", "vars/job/api", "color", "red").stderr)

    def test_what_follows_from_the_workspace_is_shown_and_not_written(self):
        self.b.workers("w1", "w2")
        self.b.job("api")
        self.b.write("bucket.conf", 'environment = "test"\n')
        self.b.write("jobs/api/vars.toml", 'flag = "on"\n')
        self.assertEqual("test\n", self.kv("get", "vars/bucket", "environment").stdout)
        self.assertEqual("w1,w2\n", self.kv("get", "maand/job/api", "workers").stdout)
        self.assertEqual("on\n", self.kv("get", "vars/job/api", "flag").stdout)
        for namespace, key, words in [
                ("vars/bucket", "environment", "workspace/bucket.conf"), ("maand/job/api", "workers", "manifest.json"),
                ("maand/job/api", "rollout_order", "vars/job/api"), ("maand/worker", "x", "workers.json"),
                ("vars/job/api", "flag", "vars.toml")]:
            self.assertIn(words, self.kv("put", namespace, key, "x", code=64).stderr)
            self.assertIn(words, self.kv("delete", namespace, key, code=64).stderr)
        self.kv("put", "vars/jobs/api", "k", "v", code=64)
        self.kv("put", "vars/job/api", "k", "x" * 70000, code=65)
        self.assertIn("larger than 64 KiB", self.kv("put", "vars/job/api", "k", stdin="x" * 70000, code=65).stderr)
        self.assertIn("no job ap ", self.kv("put", "vars/job/ap", "k", "v").stderr + " ")

    def test_the_order_of_a_rollout_is_set_and_falls_back(self):
        self.b.workers("w1", "w2", "w3")
        self.b.job("api")
        self.deploy()
        self.b.job("api", files={"app.conf": "b\n"})
        self.kv("put", "vars/job/api", "rollout_order", "w3,w1,w2")
        self.assertEqual("w3,w1,w2\n", self.kv("get", "maand/job/api", "rollout_order").stdout)
        self.succeed(self.b.plan(out="one.yaml"))
        plan = self.b.read_plan("one.yaml")
        job = plan["waves"][0]["jobs"][0]
        self.assertEqual("kv", job["rollout_order"]["source"])
        self.assertEqual(["w3", "w1", "w2"], [b[0]["worker"] for b in job["phases"][0]["batches"]])
        # Elsewhere the export says the same.
        self.b.file("catalog.yaml").write_text(self.succeed(self.b.catalog("export")).out)
        (self.b.path / "maand.db").rename(self.b.top / "maand.db")
        self.succeed(self.b.plan("--catalog", self.b.file("catalog.yaml"), out="two.yaml"))
        (self.b.top / "maand.db").rename(self.b.path / "maand.db")
        self.assertEqual(self.b.file("one.yaml").read_text(), self.b.file("two.yaml").read_text())
        self.kv("put", "vars/job/api", "rollout_order", "w3,w1")
        result = self.succeed(self.b.plan(out="three.yaml"))
        self.assertIn("`rollout_order` lacks w2, so the order of workers.json is used", result.err)

    def test_secrets_are_encrypted_and_shown_when_asked_for(self):
        self.b.workers("w1")
        self.b.job("api")
        result = self.kv("put", "secrets/job/api", "password", SECRET, code=64)
        self.assertIn("standard input", result.stderr)
        results = [result]
        results.append(self.kv("put", "secrets/job/api", "password", stdin=SECRET + "\n"))
        key = self.b.path / "secrets/kv.key"
        self.assertEqual(0o600, key.stat().st_mode & 0o777)
        results.append(self.kv("get", "secrets/job/api", "password", code=64))
        results.append(self.kv("list"))
        self.assertIn("(secret)", results[-1].stdout)
        self.assertEqual(SECRET + "\n", self.kv("get", "--reveal", "secrets/job/api", "password").stdout)
        results.append(self.kv("list", "--format", "json", "secrets/job/api"))
        results.append(self.succeed(self.b.plan()))
        results.append(self.succeed(self.b.apply()))
        for result in results[1:]:
            self.assertNotIn(SECRET, "".join(str(part) for part in vars(result).values())
                             if isinstance(result, subprocess.CompletedProcess) else result.out + result.err)
        # The fingerprint alone.
        export = self.succeed(self.b.catalog("export")).out
        self.assertRegex(export, r'secrets: \{password: "hmac:[0-9a-f]{64}"\}')
        self.assertNotIn(SECRET, export)
        for path in self.b.path.rglob("*"):
            if path.is_file():
                self.assertNotIn(SECRET.encode(), path.read_bytes(), str(path))

    def test_a_key_that_is_lost_exposed_or_another_is_an_error(self):
        self.b.workers("w1")
        self.b.job("api")
        self.kv("put", "secrets/job/api", "password", stdin=SECRET)
        key = self.b.path / "secrets/kv.key"
        text = key.read_text()
        key.chmod(0o644)
        self.assertIn("chmod 600", self.kv("get", "--reveal", "secrets/job/api", "password", code=65).stderr)
        key.unlink()
        error = self.kv("get", "--reveal", "secrets/job/api", "password", code=65).stderr
        self.assertIn("kv.key is missing", error)
        error = self.kv("put", "secrets/job/api", "p", stdin="x", code=65).stderr
        self.assertIn("kv.key is missing, and password of secrets/job/api is encrypted with it", error)
        self.assertIn("password", self.kv("list").stdout)
        other = text[:12] + ("A" if text[12] != "A" else "B") + text[13:]
        key.touch(0o600)
        key.write_text(other)
        self.assertIn("is not the key", self.kv("get", "--reveal", "secrets/job/api", "password", code=65).stderr)
        key.write_text("nonsense\n")
        self.assertIn("is not a key", self.kv("put", "secrets/job/api", "p", stdin="x", code=65).stderr)
        key.write_text(text)
        self.assertEqual(SECRET + "\n", self.kv("get", "--reveal", "secrets/job/api", "password").stdout)

    def test_what_is_said_about_a_lost_key_helps(self):
        self.b.workers("w1")
        self.b.job("api")
        for key in ("password", "token"):
            self.kv("put", "secrets/job/api", key, stdin=SECRET)
        (self.b.path / "secrets/kv.key").unlink()
        error = self.kv("put", "secrets/job/api", "password", stdin="another", code=65).stderr
        self.assertIn("delete each with `maand-plan kv delete`, then put them again", error)
        for row in json.loads(self.kv("list", "--format", "json").stdout):
            self.kv("delete", row["namespace"], row["key"])
        self.kv("put", "secrets/job/api", "password", stdin="another")
        self.assertEqual("another\n", self.kv("get", "--reveal", "secrets/job/api", "password").stdout)
        self.kv("get", "--reveal", "secrets/job/api", "token", code=65)

    def test_a_terminal_does_not_echo_a_secret(self):
        self.b.workers("w1")
        self.b.job("api")
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [os.path.join(bucket.BIN, "maand-plan"), "kv", "put", "secrets/job/api", "password", "--bucket",
             str(self.b.path)], stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
        os.close(follower)
        seen = b""
        while b": " not in seen:
            seen += os.read(leader, 1000)
        os.write(leader, SECRET.encode() + b"\n")
        while True:
            try:
                part = os.read(leader, 1000)
            except OSError:
                break
            if not part:
                break
            seen += part
        os.close(leader)
        self.assertEqual(0, process.wait(timeout=bucket.LIMIT), seen)
        self.assertNotIn(SECRET.encode(), seen)
        self.assertEqual(SECRET + "\n", self.kv("get", "--reveal", "secrets/job/api", "password").stdout)

    def test_a_value_does_nothing_to_a_terminal(self):
        """Hooks write values; a pipe gets the bytes, a terminal shows what is in them."""
        self.b.workers("w1")
        self.b.job("api")
        self.kv("put", "vars/job/api", "k", stdin="one\ttab\n\x1b]0;owned\x07two")
        self.assertEqual("one\ttab\n\x1b]0;owned\x07two\n", self.kv("get", "vars/job/api", "k").stdout)
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [os.path.join(bucket.BIN, "maand-plan"), "kv", "get", "vars/job/api", "k", "--bucket", str(self.b.path)],
            stdin=follower, stdout=follower, stderr=follower, start_new_session=True)
        os.close(follower)
        self.assertEqual(0, process.wait(timeout=bucket.LIMIT))
        seen = os.read(leader, 10_000).decode()
        os.close(leader)
        self.assertEqual(["one     tab", "\\u{1b}]0;owned\\u{7}two"], seen.expandtabs().split("\r\n")[:2])

    def test_processes_that_write_at_once_lose_nothing(self):
        self.b.workers("w1")
        self.b.job("api")
        failures = []

        def put(number):
            result = subprocess.run(
                [os.path.join(bucket.BIN, "maand-plan"), "kv", "put", "secrets/job/api", f"k{number}", "--bucket",
                 str(self.b.path)], input=f"v{number}", capture_output=True, text=True, timeout=bucket.LIMIT)
            if result.returncode:
                failures.append(result.stderr)

        threads = [threading.Thread(target=put, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], failures)
        for number in range(6):
            self.assertEqual(f"v{number}\n", self.kv("get", "--reveal", "secrets/job/api", f"k{number}").stdout)
