"""The programs that users get hold no test hooks: variables that move the clock or end the process do nothing there."""
import time

import bucket

WORKERS = ["127.0.22.1", "127.0.22.2"]


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class UsersPrograms(bucket.Case):
    def planned(self, *flags):
        b = bucket.Bucket(self)
        b.as_users()
        b.workers(*WORKERS)
        b.job("api", make=bucket.makefile(0))
        self.succeed(b.plan(*flags))
        return b

    def with_hooks(self, b):
        """What the other programs make of the same: so the test names the right variables."""
        b.bin = bucket.BIN
        return b

    def test_a_moved_clock_opens_no_window(self):
        b = self.planned("--window", f"{utc(time.time() + 3600)} for 2h")
        moved = b.environment(MAAND_TIME_OFFSET="4000")
        self.refuse(b.apply(env=moved), 75, "maintenance window is closed")
        self.assertEqual(b.began(), [])
        self.succeed(self.with_hooks(b).apply(env=moved))
        self.assertEqual(len(b.targets()), len(WORKERS))

    def test_a_moved_clock_changes_no_time_limit_of_a_plan(self):
        b = self.planned("--start-before", utc(time.time() + 3600))
        late = b.environment(MAAND_TIME_OFFSET="4000")
        self.refuse(self.with_hooks(b).apply(env=late), 3, "start_before")
        b.as_users()
        self.succeed(b.apply(env=late))
        self.assertEqual(len(b.targets()), len(WORKERS))

    def test_no_place_to_die_is_reached(self):
        b = self.planned()
        log = b.top / "places"
        told = b.environment(MAAND_FAULT_LOG=str(log), MAAND_FAULT_AT="1")
        self.succeed(b.apply(env=told))
        self.assertFalse(log.exists())
        b.job("api", "2.0.0", make=bucket.makefile(0))
        self.succeed(b.plan())
        self.assertEqual(self.with_hooks(b).apply(env=told).code, -9)
        self.assertTrue(log.exists())

    def test_they_name_none_of_these_variables(self):
        b = self.planned()
        for program in ("maand-plan", "maand-apply"):
            with open(f"{b.bin}/{program}", "rb") as file:
                content = file.read()
            for word in (b"MAAND_FAULT", b"MAAND_TIME_OFFSET"):
                self.assertNotIn(word, content, program)
        with open(f"{bucket.BIN}/maand-apply", "rb") as file:
            self.assertIn(b"MAAND_TIME_OFFSET", file.read(), "the search finds such a word")
