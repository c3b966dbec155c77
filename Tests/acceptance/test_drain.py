"""Real servers behind a real HAProxy, under load: with hooks that drain them an upgrade loses no request, also through a
kill; without them it does."""
import pathlib
import re
import shutil
import subprocess
import unittest

import bucket

DEMO = pathlib.Path(__file__).resolve().parents[2] / "plans/drain/demo.py"
HAPROXY = shutil.which("haproxy", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


@unittest.skipUnless(HAPROXY, "haproxy is not installed")
class Drain(bucket.Case):
    def failures(self, *flags):
        """How many requests failed, and what was printed."""
        done = subprocess.run(["/usr/bin/python3", str(DEMO), "--bin", bucket.BIN, *flags], capture_output=True, text=True,
                              timeout=bucket.LIMIT)
        counts = re.search(r"(\d+) requests, (\d+) failed", done.stdout)
        self.assertTrue(counts, done.stdout[-3000:] + done.stderr[-3000:])
        requests, failed = map(int, counts.groups())
        self.assertEqual(done.returncode, 1 if failed else 0, done.stderr[-3000:])
        self.assertGreater(requests, 500)
        return failed, done.stdout

    # One after the other: both have the same ports.
    def test_an_upgrade_loses_no_request_because_of_its_hooks(self):
        failed, out = self.failures()
        self.assertEqual(failed, 0, out[-3000:])
        self.assertIn("run 2 goes on", out)
        failed, _ = self.failures("--without-hooks")
        self.assertGreater(failed, 0, "the load would not have seen it")
        # Disabled servers that stop after the proxy has learnt of it lose none.
        failed, out = self.failures("--disable", "last")
        self.assertEqual(failed, 0, out[-3000:])
        self.assertLess(out.index("proxy/upgrade/1"), out.index("web/stop/1"))
        failed, _ = self.failures("--disable", "first")
        self.assertGreater(failed, 0, "the load would not have seen it")
