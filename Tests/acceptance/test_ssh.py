"""Rollouts over ssh, on real OpenSSH servers (Tests/fleet): what they do, and what happens when connections, keys,
workers or the program itself break. Runs as root or as any user; what needs several workers is skipped where the system
gives an ordinary user no mount namespace."""
import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import bucket
from bucket import until

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "fleet/fleet"
CONNECT_TIMEOUT = 5
# What the program promises: silence is noticed within 1.5 times the timeout (at least 4 s), then connecting is tried for
# fifteen seconds. The rest is for a loaded machine.
GIVE_UP = 120

CONF = """\
bucket_id = "{id}"
transport = "ssh"
worker_root = "{root}"
ssh_user = "{user}"
ssh_key = "{key}"
ssh_port = {port}
known_hosts = "{known}"
connect_timeout = {timeout}
use_sudo = {sudo}
"""

MAKEFILE = """\
ME := $(notdir $(CURDIR)).$(ALLOCATION_IP)

start stop restart reload:
\t@mkdir -p data; s=$$(date +%s.%N); \\
\techo "$@ $$CURRENT_VERSION $$NEW_VERSION $$s" >> data/began.log; \\
\tn=0; while [ -e KNOBS/hold/$(ME) ] && [ $$n -lt 1200 ]; do sleep 0.05; n=$$((n+1)); done; \\
\tif [ -e KNOBS/fail/$(ME) ]; then echo "$@ fails on purpose" >&2; exit 3; fi; \\
\tsleep PAUSE; \\
\techo "$@ $$CURRENT_VERSION $$NEW_VERSION $$s $$(date +%s.%N)" >> data/lifecycle.log
"""

# A worker on which words get stuck: while `hold` is there, a command of the worker script with this verb waits.
STUCK = """\
#!/bin/sh
case $SSH_ORIGINAL_COMMAND in
*' VERB '* | *"'VERB'"*)
    cat >{place}/input.$$
    : >{place}/arrived
    while [ -e {place}/hold ]; do sleep 0.05; done
    sh -c "$SSH_ORIGINAL_COMMAND" <{place}/input.$$
    status=$?
    : >{place}/went
    exit $status ;;
*) exec sh -c "$SSH_ORIGINAL_COMMAND" ;;
esac
"""


@functools.cache
def sshd():
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    return shutil.which("sshd", path=path)


class Fleet:
    def __init__(self, test, count, *lines):
        self.top = tempfile.mkdtemp(prefix="maand-fleet-")
        self.dir = pathlib.Path(self.top) / "f"
        # Kept open: as long as it has the port, nobody else is given it. The servers have addresses of their own.
        self.place = socket.socket()
        self.place.bind(("127.0.0.1", 0))
        self.port = self.place.getsockname()[1]
        test.addCleanup(self.remove)
        self("up", count, *lines)
        if count > 1 and (self.dir / "shared").exists():
            test.skipTest("this system gives an ordinary user no mount namespace, so that workers would share their files")

    def __call__(self, *arguments):
        words = [str(word) for word in (SCRIPT, "-d", self.dir, "-p", self.port, *arguments)]
        # No pipe for what lives on.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=bucket.LIMIT)
            output.seek(0)
            text = output.read()
        if done.returncode:
            raise AssertionError(f"fleet {arguments}: {text}")
        return text

    def remove(self):
        try:
            self("down")
        finally:
            self.place.close()
        bucket.nothing_runs(self.top)
        shutil.rmtree(self.top, ignore_errors=True)

    @staticmethod
    def address(index):
        return f"127.0.1.{index}"

    def logins(self, index=""):
        return int(self("counts", *([index] if index else [])).split()[0])

    def root(self, index):
        shared = self.dir / "root"
        return shared if (self.dir / "shared").exists() else self.dir / f"worker-{index}/root"


class SSHBucket(bucket.Bucket):
    """A bucket whose workers are those of a fleet."""

    def __init__(self, test, fleet, **changes):
        super().__init__(test)
        self.fleet = fleet
        self.settings = {
            "id": self.id, "root": fleet.dir / "root", "user": os.environ.get("USER") or subprocess.check_output(
                ["id", "-un"], text=True).strip(), "key": fleet.dir / "id_ed25519", "port": fleet.port,
            "known": fleet.dir / "known_hosts", "timeout": CONNECT_TIMEOUT, "sudo": "false"}
        self.configure(**changes)

    def configure(self, *lines, **changes):
        self.settings.update(changes)
        (self.path / "maand.conf").write_text(CONF.format(**self.settings) + "".join(line + "\n" for line in lines))

    def makefile(self, pause=0.1):
        return MAKEFILE.replace("KNOBS", str(self.knobs)).replace("PAUSE", str(pause))

    def job(self, name, version="1.0.0", files=None, make=None, pause=0.1, **manifest):
        super().job(name, version, files, self.makefile(pause) if make is None else make, **manifest)

    def job_dir(self, worker, job):
        return self.root(worker) / "jobs" / job

    def root(self, worker):
        return self.fleet.root(int(worker.split(".")[-1])) / self.id

    def receipts(self, worker):
        return self.root(worker) / "receipts"

    def _lines(self, name):
        hosts = [row["host"] for row in json.loads((self.workspace / "workers.json").read_text())]
        for host in hosts:
            for file in sorted(self.root(host).glob(f"jobs/*/data/{name}")):
                for line in file.read_text().splitlines():
                    yield file.parent.parent.name, host, line.split(" ")

    def forget(self):
        for file in self.fleet.dir.glob(f"**/{self.id}/jobs/*/data/*.log"):
            file.unlink()


@unittest.skipUnless(sshd(), "there is no sshd: install the package openssh-server")
class SSHCase(bucket.Case):
    def lay(self, count, *lines, pause=0.1, **manifest):
        """A fleet, and a bucket with one job that runs on all of its workers in version 1.0.0."""
        fleet = Fleet(self, count, *lines)
        b = SSHBucket(self, fleet)
        b.workers(*map(fleet.address, range(1, count + 1)))
        b.job("app", "1.0.0", pause=pause, **manifest)
        self.succeed(b.plan())
        return fleet, b

    def deployed(self, count, *lines, pause=0.1, **manifest):
        """The same, deployed, with the plan of an upgrade."""
        fleet, b = self.lay(count, *lines, pause=0, **manifest)
        self.succeed(b.apply())
        b.forget()
        b.job("app", "2.0.0", pause=pause, **manifest)
        self.succeed(b.plan())
        return fleet, b

    def end(self, child, code=0):
        out, err = child.communicate(timeout=bucket.LIMIT)
        return self.succeed(bucket.Result(child.returncode, out, err), code)

    def new_host_key(self, fleet, index):
        key = fleet.dir / f"worker-{index}/host_key"
        key.unlink()
        key.with_suffix(".pub").unlink()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)

    def once_each(self, b, target, workers):
        wanted = sorted(("app", worker, target) for worker in workers)
        self.assertEqual(sorted(b.began()), wanted)
        self.assertEqual(sorted(b.targets()), wanted)

    def allocations(self, b):
        return json.loads(self.succeed(b.catalog("allocations", "--format", "json")).out)


class Rollouts(SSHCase):
    def test_as_local(self):
        """Two jobs on eight workers, deployed and upgraded: the plans, effects and catalog of the local transport, over
        one connection a worker and run."""
        fleet = Fleet(self, 8)
        workers = [fleet.address(index) for index in range(1, 9)]
        remote, local = SSHBucket(self, fleet), bucket.Bucket(self)
        buckets = {"ssh": remote, "local": local}
        gate = {"health_check": {
            "checks": [{"type": "ssh", "command": "true"}], "timeout_seconds": 20,
            "wait": {"attempts": 2, "interval_seconds": 0}}}
        for version, policy in (("1.0.0", "always"), ("1.1.0", "reload")):
            before = fleet.logins()
            plans = {}
            for name, b in buckets.items():
                b.workers_with({worker: ["front"] if worker in workers[:4] else [] for worker in workers})
                b.job("base", version, make=remote.makefile(), max_concurrent_upgrades=3,
                      commands={"command_base": {"executed_on": ["cli"]}}, **gate)
                demand = {"job": "base", "command": "command_base", "config": {"min_version": "1.0.0"}}
                b.job("front", version, make=remote.makefile(), selectors=["front"], restart_policy=policy,
                      max_concurrent_upgrades=2, commands={"command_front": {"executed_on": ["cli"], "demands": demand}},
                      **gate)
                self.succeed(b.plan())
                self.succeed(b.apply())
                plans[name] = b.read_plan()
            self.assertEqual(fleet.logins() - before, len(workers), "one connection a worker and run")
            for part in ("reconcile", "waves", "summary", "policy"):
                self.assertEqual(plans["ssh"].get(part), plans["local"].get(part), part)
            # A plan of ssh names the keys by which the workers are known.
            self.assertTrue(all(w["ssh"]["host_keys"] if "ssh" in w else w["host_keys"] for w in plans["ssh"]["workers"]))
        for what in ([], ["--format", "json"]):
            texts = [bucket.TIME.sub("then", b.catalog("allocations", *what).out) for b in buckets.values()]
            self.assertEqual(*texts)
        # Local workers are found by their folder's name.
        self.assertEqual(sorted(remote.targets()), sorted(local.targets()))
        self.assertEqual({row[:5] for row in remote.rows()}, {row[:5] for row in local.rows()})
        self.assertIn("Done already", self.succeed(remote.apply()).out)

    def test_sudo(self):
        if subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode if shutil.which("sudo") else True:
            self.skipTest("`sudo -n` is not possible here")
        fleet, b = self.lay(1)
        b.configure(sudo="true")
        self.succeed(b.apply())
        self.once_each(b, "start", [fleet.address(1)])

    def test_sudo_that_is_not_allowed(self):
        if shutil.which("sudo") and not subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode:
            self.skipTest("`sudo -n` is possible here")
        _, b = self.lay(1)
        b.configure(sudo="true")
        self.refuse(b.apply(), 69, "sudo -n", "use_sudo = false")
        b.configure(sudo="false")
        self.succeed(b.apply())

    def test_failure_shows_the_last_output(self):
        fleet, b = self.lay(1)
        b.fail("app", fleet.address(1))
        self.refuse(b.apply(), 1, "exit status 2", "stderr: start fails on purpose")
        b.mend("app", fleet.address(1))
        self.succeed(b.apply("--retry-failed"))

    def test_much_output_and_a_daemon(self):
        """100 MB of stdout, 10 MB of stderr, and a process that keeps both open: no stall, and only the end is kept."""
        fleet, b = self.lay(1)
        b.job("app", make="start:\n\t@sleep 6000 & \\\n\tyes 0123456 | head -c 100000000; yes 0123456 | head -c 10000000 >&2\n"
              "stop restart:\n\t@true\n")
        self.succeed(b.plan())
        self.succeed(b.apply())
        sizes = {kind: max(file.stat().st_size for file in b.receipts(fleet.address(1)).glob(f"*/*.{kind}"))
                 for kind in ("out", "err")}
        self.assertEqual(sizes, {"out": 100_000_000, "err": 10_000_000})
        self.assertLess(sum(file.stat().st_size for file in b.path.glob("maand.db*")), 8_000_000)

    def test_removed_worker_that_is_gone(self):
        fleet, b = self.lay(3)
        self.succeed(b.apply())
        fleet("kill", 3)
        b.workers(fleet.address(1), fleet.address(2))
        b.job("app", "2.0.0")
        self.succeed(b.plan())
        self.assertEqual(bucket.actions(b.read_plan())["app"][fleet.address(3)], ("stop", "removed"))
        done = self.succeed(b.apply())
        self.assertIn("warning", done.out + done.err)
        self.assertIn(fleet.address(3), done.out + done.err)
        self.assertRegex(b.catalog("allocations").out, fleet.address(3) + " +removed")
        self.assertEqual(self.succeed(b.plan("--detailed-exitcode")).code, 0)

    def test_removed_worker_whose_address_is_anothers(self):
        """Another host key there, or no account any more: who answers is not the worker, and holds nobody up."""
        fleet, b = self.lay(3)
        self.succeed(b.apply())
        fleet("kill", 2)
        fleet("kill", 3)
        self.new_host_key(fleet, 2)
        config = fleet.dir / "worker-3/sshd_config"
        config.write_text("AuthorizedKeysFile /nonexistent\n" + config.read_text())
        fleet("start", 2)
        fleet("start", 3)
        b.workers(fleet.address(1))
        b.job("app", "2.0.0")
        self.succeed(b.plan())
        done = self.succeed(b.apply())
        self.assertRegex(done.out + done.err, f"warning.*{fleet.address(2)}.*host key changed")
        self.assertRegex(done.out + done.err, f"warning.*{fleet.address(3)}.*authentication failed")
        for index in (2, 3):
            self.assertRegex(b.catalog("allocations").out, fleet.address(index) + " +removed")
        self.assertEqual(self.succeed(b.plan("--detailed-exitcode")).code, 0)

    def test_receipts_of_older_runs_go(self):
        """Those of the last three runs stay whole, of each older one a mark that it was there."""
        fleet, b = self.lay(1, pause=0)
        receipts = b.receipts(fleet.address(1))
        for version in range(2, 7):
            self.succeed(b.apply())
            b.job("app", f"{version}.0.0", pause=0)
            self.succeed(b.plan())
        self.succeed(b.apply())
        names = sorted(path.name for path in receipts.iterdir() if not path.name.startswith("."))
        runs = [name for name in names if (receipts / name).is_dir()]
        marks = [name for name in names if name.endswith(".settled")]
        self.assertEqual((len(runs), len(marks)), (3, 3), names)
        self.assertEqual(sorted(names), sorted(runs + marks + ["generation"]))
        self.assertTrue(all(list((receipts / run).glob("*.done.exit.0.*")) for run in runs))


class Connections(SSHCase):
    def test_cut_during_restart(self):
        """Half of the connections die in the middle of a restart: it is adopted, nothing runs twice."""
        fleet, b = self.deployed(8, pause=3, max_concurrent_upgrades=8)
        before = fleet.logins()
        cut = [fleet.address(index) for index in range(1, 5)]
        for worker in cut:
            b.hold("app", worker)
        child = b.start_apply()
        until(lambda: len(b.began()) == 8, "all restarts had begun")
        for index, worker in enumerate(cut, 1):
            fleet("cut", index)
            b.release("app", worker)
        self.end(child)
        self.once_each(b, "restart", map(fleet.address, range(1, 9)))
        self.assertEqual(fleet.logins() - before, 8 + 4)

    def test_cut_during_push(self):
        place, wrapper = self.stuck_words("push")
        fleet, b = self.deployed(1, f"ForceCommand {wrapper}")
        (place / "hold").touch()
        (place / "arrived").unlink(missing_ok=True)
        child = b.start_apply()
        until((place / "arrived").exists, "a push had arrived")
        fleet("cut", 1)
        (place / "hold").unlink()
        self.end(child)
        self.once_each(b, "restart", [fleet.address(1)])

    def test_push_that_takes_too_long(self):
        """It is a failure that names its limit, and not a worker that is unreachable."""
        fleet, b = self.lay(1, timeouts={"push": 1})
        folder = pathlib.Path(fleet.top) / "sbin"
        folder.mkdir()
        slow = folder / "tar"
        slow.write_text('#!/bin/sh\nsleep 3\nexec /usr/bin/tar "$@"\n')
        slow.chmod(0o755)
        fleet("exec", 1, "mount", "--bind", folder, "/usr/local/sbin")
        done = b.apply()
        self.refuse(done, 1, "push has failed", "timed out", "within 1 s", "`timeouts.push`")
        slow.unlink()
        self.succeed(b.apply("--retry-failed"))

    def test_program_killed_during_restart(self):
        fleet, b = self.deployed(2, max_concurrent_upgrades=2)
        workers = [fleet.address(1), fleet.address(2)]
        for worker in workers:
            b.hold("app", worker)
        child = b.start_apply()
        until(lambda: len(b.began()) == 2, "both restarts had begun")
        child.kill()
        child.wait()
        for worker in workers:
            b.release("app", worker)
        until(lambda: len(b.targets()) == 2, "the restarts ended without the program")
        resumed = self.succeed(b.apply("--verbose"))
        self.assertIn("asking what became of it", resumed.out)
        self.once_each(b, "restart", workers)

    def test_worker_frozen_before_its_batch(self):
        """Only its batch fails, in the configured time; after the thaw the same plan is brought to its end."""
        fleet, b = self.deployed(4, max_concurrent_upgrades=2)
        workers = [fleet.address(index) for index in range(1, 5)]
        b.hold("app", workers[0])
        child = b.start_apply()
        until(lambda: len(b.began()) == 2, "the first batch had begun")
        fleet("freeze", 4)
        frozen = time.monotonic()
        b.release("app", workers[0])
        self.refuse(self.end(child, 1), 1, workers[3], "is unreachable")
        self.assertLess(time.monotonic() - frozen, GIVE_UP)
        self.assertEqual(sorted({row.worker for row in b.rows()}), workers[:3])
        recorded = {row["worker"]: row["promoted"]["version"] for row in self.allocations(b)}
        self.assertEqual(recorded, dict(zip(workers, ["2.0.0", "2.0.0", "2.0.0", "1.0.0"])))
        fleet("thaw", 4)
        self.succeed(b.apply("--retry-failed"))
        self.once_each(b, "restart", workers)

    def test_worker_frozen_at_a_resume(self):
        """A worker that does not answer when a run is continued holds up only what is to be done there."""
        fleet, b = self.deployed(4, max_concurrent_upgrades=2)
        workers = [fleet.address(index) for index in range(1, 5)]
        b.hold("app", workers[0])
        child = b.start_apply()
        until(lambda: len(b.began()) == 2, "the first batch had begun")
        child.kill()
        child.wait()
        fleet("freeze", 4)
        b.release("app", workers[0])
        self.refuse(b.apply(), 1, f"{workers[3]}/push is unreachable", "--retry-failed")
        self.assertEqual(sorted({row.worker for row in b.rows()}), workers[:3])
        fleet("thaw", 4)
        self.succeed(b.apply("--retry-failed"))
        self.once_each(b, "restart", workers)

    def test_no_worker_answers_at_a_resume(self):
        """Then it is this machine's network, and nothing is recorded as failed."""
        fleet, b = self.deployed(2, max_concurrent_upgrades=1)
        workers = [fleet.address(1), fleet.address(2)]
        b.hold("app", workers[0])
        child = b.start_apply()
        until(lambda: len(b.began()) == 1, "the first batch had begun")
        child.kill()
        child.wait()
        for index in (1, 2):
            fleet("freeze", index)
        b.release("app", workers[0])
        self.refuse(b.apply(), 69, *workers)
        for index in (1, 2):
            fleet("thaw", index)
        self.succeed(b.apply())
        self.once_each(b, "restart", workers)

    def test_stuck_command_does_not_run_when_given_up(self):
        """The command has arrived on a worker that freezes; when it thaws, its time is over."""
        place, wrapper = self.stuck_words("run")
        fleet, b = self.deployed(1, f"ForceCommand {wrapper}")
        (place / "hold").touch()
        (place / "arrived").unlink(missing_ok=True)
        child = b.start_apply()
        until((place / "arrived").exists, "the command had arrived")
        fleet("freeze", 1)
        self.refuse(self.end(child, 1), 1, "unreachable", "may be running")
        (place / "went").unlink(missing_ok=True)
        (place / "hold").unlink()
        fleet("thaw", 1)
        until((place / "went").exists, "the stuck command went on")
        self.assertEqual(b.began(), [])
        self.succeed(b.apply("--retry-failed"))
        self.once_each(b, "restart", [fleet.address(1)])

    def test_rebooted_worker(self):
        """A worker that is rebooted during a restart: nobody knows how it ended, and a person says so."""
        for decision in ("succeeded", "failed"):
            with self.subTest(decision=decision):
                fleet, b = self.deployed(2, max_concurrent_upgrades=2)
                workers = [fleet.address(1), fleet.address(2)]
                b.hold("app", workers[1])
                child = b.start_apply()
                until(lambda: len(b.began()) == 2, "both restarts had begun")
                # So that it does not look in the middle of the reboot.
                child.send_signal(signal.SIGSTOP)
                fleet("kill", 2)
                b.release("app", workers[1])
                fleet("start", 2)
                rebooted = os.getuid() == 0
                if rebooted:
                    boot = fleet.dir / "boot"
                    boot.write_text("another-boot\n")
                    fleet("exec", 2, "mount", "--bind", boot, "/proc/sys/kernel/random/boot_id")
                child.send_signal(signal.SIGCONT)
                step = f"app/upgrade/1/{workers[1]}/restart"
                ended = self.refuse(
                    self.end(child, 4), 4, step, "was rebooted while it ran" if rebooted else "was killed", "resolve")
                run = re.search(r"Run (\d+) needs a decision", ended.err)[1]
                self.succeed(b.apply(), 4)
                self.succeed(b.run("maand-apply", "resolve", run, step, decision, "--reason", "looked at it",
                                   "--bucket", b.path))
                self.succeed(b.apply(*["--retry-failed"] * (decision == "failed")))
                again = [("app", workers[1], "restart")] * (2 if decision == "failed" else 1)
                self.assertEqual(sorted(b.began()), [("app", workers[0], "restart")] + again)

    def test_receipts_gone_or_restored(self):
        """Receipts that are not those that the run saw prove nothing by their silence, also when they are a true copy."""
        fleet, b = self.deployed(2, max_concurrent_upgrades=2)
        workers = [fleet.address(1), fleet.address(2)]
        copy = pathlib.Path(fleet.top) / "copy"
        shutil.copytree(b.receipts(workers[1]), copy)
        for worker in workers:
            b.hold("app", worker)
        child = b.start_apply()
        until(lambda: len(b.began()) == 2, "both restarts had begun")
        child.kill()
        child.wait()
        for worker in workers:
            shutil.rmtree(b.receipts(worker))
            b.release("app", worker)
        shutil.copytree(copy, b.receipts(workers[1]))
        until(lambda: len(b.targets()) == 2, "the restarts had ended")
        # On the second one the target has ended since, and left its word in the lock of the job.
        said = self.refuse(b.apply(), 4, f"{workers[0]}/restart is unknown", "receipts")
        self.assertNotIn(f"{workers[1]}/restart is unknown", said.err)
        self.refuse(b.apply("--retry-failed"), 4)
        self.once_each(b, "restart", workers)

    def test_jump_host(self):
        fleet = Fleet(self, 3)
        b = SSHBucket(self, fleet)
        # What a worker says of itself comes before what the bucket says of all.
        user = b.settings["user"]
        b.configure(f'jump_host = "{user}@{fleet.address(1)}:{fleet.port}"', port=1, user="nobody-of-this-name")
        workers = ["10.9.9.2", "10.9.9.3"]
        b.write("workers.json", json.dumps([
            {"host": worker, "address": fleet.address(index), "port": fleet.port, "user": user, "memory": "1 gb",
             "cpu": "1 ghz"} for index, worker in enumerate(workers, 2)]))
        b.job("app", max_concurrent_upgrades=2)
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertEqual([fleet.logins(index) for index in (1, 2, 3)], [1, 1, 1])
        # The way there breaks in the middle.
        b.forget()
        b.job("app", "2.0.0", max_concurrent_upgrades=2)
        self.succeed(b.plan())
        b.hold("app", fleet.address(2))
        child = b.start_apply()
        until(lambda: len(b.began()) == 2, "both restarts had begun")
        fleet("cut", 1)
        b.release("app", fleet.address(2))
        self.end(child)
        self.once_each(b, "restart", workers)
        self.assertEqual(fleet.logins(1), 1 + 2)

    def stuck_words(self, verb):
        place = pathlib.Path(tempfile.mkdtemp(prefix="maand-stuck-"))
        self.addCleanup(shutil.rmtree, place, True)
        wrapper = place / "wrapper"
        wrapper.write_text(STUCK.replace("VERB", verb).format(place=place))
        wrapper.chmod(0o755)
        return place, wrapper


class Hosts(SSHCase):
    """What workers may be like. Each sees its own files, so that one can be given another shell, disk or tool."""

    def setUp(self):
        super().setUp()
        if os.getuid():
            self.skipTest("only root can change what a worker sees")

    def give(self, fleet, index, source, place):
        """Puts a file or folder in the place of another, for this worker alone."""
        fleet("exec", index, "mount", "--bind", source, place)

    def program(self, name):
        path = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
        return path and os.path.realpath(path)

    def log_in_with(self, fleet, index, shell, startup, text):
        """Gives the user another login shell, with this as what it reads when it starts."""
        users = fleet.dir / f"worker-{index}/passwd"
        lines = pathlib.Path("/etc/passwd").read_text().splitlines()
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        users.write_text("".join(
            line.rsplit(":", 1)[0] + f":{shell}\n" if line.startswith(user + ":") else line + "\n" for line in lines))
        self.give(fleet, index, users, "/etc/passwd")
        file = fleet.root(index) / startup
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def test_login_shells_and_shells(self):
        """Login shells of every kind, whose start-up files print and set what they should not; and what `sh` may be."""
        # Bash reads .bashrc where it is the login shell of an sshd.
        posix = """\
            : >"$HOME/was-read"
            echo welcome; echo complaint >&2
            yes 'much to say' | head -c 1000000; yes 'more to say' | head -c 200000 >&2
            umask 077; cd /; export MAKEFLAGS=-n CDPATH=/tmp NEW_VERSION=wrong; alias sh=false tar=false
            sh() { false; }
        """
        csh = ": > ~/was-read\necho welcome\nsetenv MAKEFLAGS -n\nalias sh false\nyes much | head -c 100000\n"
        fish = ": >~/was-read\necho welcome; echo complaint >&2\nset -x MAKEFLAGS -n\nfunction sh; false; end\n"
        shells = [
            ("bash", ".bashrc", posix), ("tcsh", ".cshrc", csh.replace(": >", "touch").replace("touch ~", "touch ~")),
            ("fish", ".config/fish/config.fish", fish), ("dash", ".profile", "exit 1\n"),
        ]
        shells = [row for row in shells if self.program(row[0])]
        sh = [self.program(name) for name in ("busybox", "bash") if self.program(name)]
        count = len(shells) + len(sh)
        fleet, b = self.lay(count, max_concurrent_upgrades=count)
        for index, (shell, startup, text) in enumerate(shells, 1):
            self.log_in_with(fleet, index, self.program(shell), startup, text)
        for index, program in enumerate(sh, len(shells) + 1):
            self.give(fleet, index, program, self.program("sh"))
        workers = [fleet.address(index) for index in range(1, count + 1)]
        self.succeed(b.apply())
        self.once_each(b, "start", workers)
        for index, (shell, _, _) in enumerate(shells, 1):
            if shell != "dash":
                self.assertTrue((fleet.root(index) / "was-read").exists(), f"{shell} read its start-up file")
        b.forget()
        b.job("app", "2.0.0", max_concurrent_upgrades=count)
        self.succeed(b.plan())
        for worker in workers:
            b.hold("app", worker)
        child = b.start_apply()
        until(lambda: len(b.began()) == count, "all restarts had begun")
        for index, worker in enumerate(workers, 1):
            fleet("cut", index)
            b.release("app", worker)
        self.end(child)
        self.once_each(b, "restart", workers)
        self.assertEqual({(row.current, row.new) for row in b.rows()}, {("1.0.0", "2.0.0")})

    def test_the_environment_of_the_login(self):
        """Targets have the folders of the login after the usual ones, and its XDG_RUNTIME_DIR."""
        bash = self.program("bash")
        if not bash:
            self.skipTest("there is no bash")
        make = "start restart:\n\t@mkdir -p data; id >/dev/null; printf '%s\\n' \"$$PATH\" \"$${XDG_RUNTIME_DIR-none}\" > data/seen; own-tool\n"
        fleet = Fleet(self, 2)
        b = SSHBucket(self, fleet)
        b.workers(fleet.address(1), fleet.address(2))
        b.job("app", make=make)
        self.log_in_with(fleet, 1, bash, ".bashrc", """\
            mkdir -p "$HOME/own bin"; printf '#!/bin/sh\\n: > data/tool\\n' > "$HOME/own bin/own-tool"
            printf '#!/bin/sh\\nexit 9\\n' > "$HOME/own bin/id"
            chmod +x "$HOME/own bin/"*
            export PATH="$HOME/own bin:.::/usr/bin:/snap/bin" XDG_RUNTIME_DIR=/run/user/7
        """)
        self.succeed(b.plan())
        self.refuse(b.apply(), 1, "own-tool")
        path, runtime = (b.job_dir(fleet.address(1), "app") / "data/seen").read_text().splitlines()
        self.assertTrue((b.job_dir(fleet.address(1), "app") / "data/tool").exists())
        usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.assertRegex(path, "^" + usual + ":/[^:]*/own bin:/snap/bin$")
        self.assertEqual(runtime, "/run/user/7")
        path, runtime = (b.job_dir(fleet.address(2), "app") / "data/seen").read_text().splitlines()
        self.assertTrue(path.startswith(usual), path)
        self.assertEqual(runtime, "none")

    def test_everything_that_is_missing_is_listed_at_once(self):
        fleet, b = self.lay(5, max_concurrent_upgrades=5)
        root = fleet.dir / "root"
        nothing = pathlib.Path(fleet.top) / "nothing"
        nothing.write_text("")
        for tool in ("make", "flock"):
            self.give(fleet, 1, nothing, self.program(tool))
        fleet("exec", 2, "mount", "-t", "tmpfs", "-o", "size=4m", "none", root)
        fleet("exec", 3, "mount", "-o", "remount,bind,ro", root)
        fleet("kill", 4)
        said = self.refuse(
            b.apply(), 69, f"{fleet.address(1)}: make is not installed", "flock is not installed",
            f"{fleet.address(2)}: only", "KiB of disk are free", f"{fleet.address(3)}: ", "Read-only file system",
            f"{fleet.address(4)}: connection refused")
        self.assertNotIn(f"{fleet.address(5)}:", said.err)
        self.assertEqual(b.began(), [])

    def test_a_clock_that_is_wrong(self):
        """Nothing depends on it, so it is only said."""
        fleet, b = self.lay(1)
        wrong = pathlib.Path(fleet.top) / "stat"
        real = self.program("stat")
        copy = pathlib.Path(fleet.top) / "real-stat"
        shutil.copy(real, copy)
        wrong.write_text(f"""#!/bin/sh
case "$*" in *"/proc/self/status") {copy} "$@" | sed '$s/^[^.]*\\.[0-9]*/0.1000/' ;; *) exec {copy} "$@" ;; esac
""")
        wrong.chmod(0o755)
        self.give(fleet, 1, wrong, real)
        done = self.succeed(b.apply())
        self.assertRegex(done.out + done.err, f"{fleet.address(1)}: its clock is [0-9]+ s behind")
        self.once_each(b, "start", [fleet.address(1)])

    def test_a_clock_that_shows_no_time(self):
        """One worker that answers nonsense is named, and the program lives on."""
        fleet, b = self.lay(2)
        real = self.program("stat")
        copy = pathlib.Path(fleet.top) / "real-stat"
        shutil.copy(real, copy)
        wrong = pathlib.Path(fleet.top) / "stat"
        wrong.write_text(f"""#!/bin/sh
case "$*" in *"/proc/self/status") {copy} "$@" | sed '$s/.*/1.9223372036854775807/' ;; *) exec {copy} "$@" ;; esac
""")
        wrong.chmod(0o755)
        self.give(fleet, 2, wrong, real)
        self.refuse(b.apply(), 69, f"{fleet.address(2)}: its clock shows 9223372036854775807 seconds")
        self.assertEqual(b.began(), [])

    def test_logind_that_ends_what_a_session_started(self):
        group = next((path for path in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
                      if os.access(f"{path}/cgroup.procs", os.W_OK)), None)
        if group is None:
            self.skipTest("this system has no writable control groups")
        fleet, b = self.lay(1)
        folder = pathlib.Path(fleet.top) / "sbin"
        folder.mkdir()
        answer = pathlib.Path(fleet.top) / "logind"
        busctl = folder / "busctl"
        busctl.write_text(f"#!/bin/sh\ncat {answer}\n")
        busctl.chmod(0o755)
        self.give(fleet, 1, folder, "/usr/local/sbin")
        # What is in a session of logind can only be told by its control group.
        session = pathlib.Path(group) / "user.slice" / "user-1000.slice" / f"session-{os.getpid()}.scope"
        made = [path for path in (session.parent.parent, session.parent, session) if not path.exists()]
        for path in made:
            path.mkdir()

        def is_gone(path):
            # As long as a process of it ends, it is busy.
            with contextlib.suppress(OSError):
                path.rmdir()
            return not path.exists()
        self.addCleanup(lambda: [until(lambda: is_gone(path), f"{path} is gone") for path in reversed(made)])
        self.addCleanup(fleet, "kill", 1)
        (session / "cgroup.procs").write_text(fleet("list").split()[3])
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        refused = ['b true\nas 0\nas 1 "somebody"\n', f'b true\nas 1 "{user}"\nas 0\n']
        for text in refused:
            answer.write_text(text)
            self.refuse(b.apply(), 69, f"{fleet.address(1)}: logind", "KillUserProcesses", "KillExcludeUsers")
            self.assertEqual(b.began(), [])
        for version, text in enumerate(
                ["b false\nas 0\nas 0\n", f'b true\nas 0\nas 2 "a" "{user}"\n', 'b true\nas 1 "other"\nas 0\n']):
            answer.write_text(text)
            b.forget()
            b.job("app", f"1.{version}.0")
            self.succeed(b.plan())
            self.succeed(b.apply())
            self.assertEqual(len(b.targets()), 1)


class Refusals(SSHCase):
    """What is refused before anything was touched; the same plan works once the cause is gone."""

    def nothing_touched(self, b, fleet):
        self.assertFalse(list(fleet.root(1).glob("*")), "something was done on the worker")

    def test_host_keys(self):
        fleet, b = self.lay(1)
        right = (fleet.dir / "known_hosts").read_text()
        own = pathlib.Path(fleet.top) / "known_hosts"
        own.write_text("")
        b.configure(known=own)
        self.succeed(b.plan(out="b.plan.yaml"))
        fingerprint = self.fingerprint(fleet.dir / "worker-1/host_key.pub")
        self.refuse(b.apply(plan="b.plan.yaml"), 69, "unknown host key", fleet.address(1), fingerprint)
        self.nothing_touched(b, fleet)
        accepted = self.succeed(b.apply("--accept-new", plan="b.plan.yaml"))
        self.assertIn(fingerprint, accepted.out + accepted.err)
        self.assertIn(right.split()[2], own.read_text())
        # The host is set up anew, or somebody is in between.
        fleet("kill", 1)
        self.new_host_key(fleet, 1)
        fleet("start", 1)
        other = self.fingerprint(fleet.dir / "worker-1/host_key.pub")
        b.job("app", "2.0.0")
        self.succeed(b.plan())
        for flags in ([], ["--accept-new"]):
            self.refuse(b.apply(*flags), 69, "host key changed", fingerprint, other, f"{own}:1")
        self.assertEqual(len(own.read_text().splitlines()), 1)

    def test_known_hosts_that_changed_since_the_plan(self):
        """A key counts as long as known_hosts has it, whatever the plan says."""
        fleet, b = self.lay(1)
        line = (fleet.dir / "known_hosts").read_text()
        name, kind, key = line.split()
        own = pathlib.Path(fleet.top) / "known_hosts"
        own.write_text(line)
        b.configure(known=own)
        self.succeed(b.plan())
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", own.with_name("other")], check=True)
        other = own.with_name("other.pub").read_text().split()[1]
        own.write_bytes(f"{line}foo {kind} {other}\r\n@revoked {name} {kind} {key}\n".encode())
        self.refuse(b.apply(), 69, "host key changed", f"revoked by {own}:3")
        own.write_text(f"{name} {kind} {other}\n")
        self.refuse(b.apply(), 69, "host key changed", f"{own}:1")
        own.write_text("")
        self.refuse(b.apply(), 69, "unknown host key", "the plan has it")
        self.nothing_touched(b, fleet)
        own.write_bytes(line.replace("\n", "\r\n").encode())
        self.succeed(b.apply())

    def test_files_that_are_none(self):
        fleet, b = self.lay(1)
        b.configure(known=fleet.top)
        for result in (b.plan(out="other.plan.yaml"), b.apply()):
            self.refuse(result, 65, fleet.top, "is a directory", "`known_hosts` in maand.conf")
        b.configure(known=fleet.dir / "known_hosts", key=fleet.top)
        self.refuse(b.apply(), 65, fleet.top, "is a directory", "`ssh_key` in maand.conf")

    def test_jump_host_that_fails(self):
        fleet, b = self.lay(1)
        b.configure(f'jump_host = "127.0.9.9:{fleet.port}"')
        self.refuse(b.apply(), 69, "connection refused: jump host ", "127.0.9.9")

    def fingerprint(self, public):
        return subprocess.check_output(["ssh-keygen", "-lf", public], text=True).split()[1]

    def test_keys(self):
        fleet, b = self.lay(1)
        keys = pathlib.Path(fleet.top)
        free = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}

        def key(name, *options, passphrase=""):
            subprocess.run(["ssh-keygen", "-q", *options, "-N", passphrase, "-f", keys / name], check=True)
            return keys / name

        def authorise(path):
            with open(fleet.dir / "authorized_keys", "a") as file:
                file.write(path.with_suffix(".pub").read_text())

        b.configure(key=keys / "missing")
        self.refuse(b.apply(env=free), 65, "missing")
        stranger = key("stranger", "-t", "ed25519")
        b.configure(key=stranger)
        self.refuse(b.apply(env=free), 69, "authentication failed", fleet.address(1))
        self.nothing_touched(b, fleet)

        encrypted = key("encrypted", "-t", "ed25519", passphrase="open sesame")
        authorise(encrypted)
        b.configure(key=encrypted)
        self.refuse(b.apply(env=free), 65, "encrypted", "passphrase")
        word = keys / "passphrase"
        word.write_text("wrong\n")
        b.configure(f'ssh_passphrase_file = "{word}"')
        refused = self.refuse(b.apply(env=free), 65, "passphrase is not the one")
        self.assertNotIn("wrong", refused.err)

        rsa = key("rsa", "-t", "rsa", "-b", "2048")
        authorise(rsa)
        b.configure(key=rsa)
        result = b.apply(env=free)
        if result.code != 0:
            # Since libssh2 1.11 it works.
            self.refuse(result, 69 if "authentication" in result.err else 65, "RSA", "1.11")
            self.nothing_touched(b, fleet)

        b.job("app", "1.1.0")
        word.write_bytes(b"open sesame\r\n")
        b.configure(f'ssh_passphrase_file = "{word}"', key=encrypted)
        self.succeed(b.apply(env=free))

        # The agent holds the key; there is no file.
        b.job("app", "1.2.0")
        self.succeed(b.plan())
        b.configure(key=keys / "missing")
        agent = subprocess.check_output(["ssh-agent", "-s"], text=True)
        names = dict(re.findall(r"(SSH_\w+)=([^;]+);", agent))
        self.addCleanup(os.kill, int(names["SSH_AGENT_PID"]), signal.SIGTERM)
        held = {**os.environ, **names}
        self.refuse(b.apply(env=held), 65, "holds no key")
        # More keys than the server looks at; the right one is chosen by its public half.
        many = [key(f"k{index}", "-t", "ed25519") for index in range(8)]
        for one in [*many, fleet.dir / "id_ed25519"]:
            subprocess.run(["ssh-add", "-q", one], env=held, check=True)
        refused = self.refuse(b.apply(env=held), 69, "refused 6 of 9 keys", "3 more of the keys", "`ssh_key`")
        self.assertNotIn(f"{self.fingerprint(many[7].with_suffix('.pub'))}", refused.err)
        b.configure(key=f"{fleet.dir}/id_ed25519.pub")
        self.refuse(b.apply(env=free), 65, "this is a public key", "SSH_AUTH_SOCK")
        self.succeed(b.apply(env=held))

    def test_all_faults_at_once(self):
        """Each worker that is not ready is named with its own reason, in one go."""
        fleet, b = self.lay(4)
        fleet("kill", 2)
        fleet("freeze", 3)
        known = fleet.dir / "known_hosts"
        lines = known.read_text().splitlines()
        lines[3] = " ".join([lines[3].split()[0]] + lines[0].split()[1:])
        known.write_text("\n".join(lines) + "\n")
        self.succeed(b.plan())
        began = time.monotonic()
        self.refuse(
            b.apply(), 69, f"{fleet.address(2)}: connection refused", f"{fleet.address(3)}: unreachable",
            f"{fleet.address(4)}: host key changed")
        self.assertLess(time.monotonic() - began, GIVE_UP)
        for index in (2, 3, 4):
            self.assertFalse(list(fleet.root(index).glob("*")))
        # What has not begun holds nobody up: without these workers another plan goes on.
        b.workers(fleet.address(1))
        self.succeed(b.plan(out="b.plan.yaml"))
        self.succeed(b.apply(plan="b.plan.yaml"))
        self.once_each(b, "start", [fleet.address(1)])


if __name__ == "__main__":
    unittest.main()
