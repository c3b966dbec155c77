#!/usr/bin/env python3
"""ssh.py [--bin DIR] [--workers N] [--many N] [--rounds N]

What rollouts over ssh cost, on real OpenSSH servers of this machine (Tests/fleet), beside the other ways to run a
command on many hosts, in the same run. Times depend on the machine, the ratios hardly. Exit 1 when a budget is missed.
--many is the size of the large fleet (0 for none); each of its servers takes about 10 MB.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

# Maand's `deploy` of the same upgrade: 32 workers, 8 at a time, real OpenSSH servers on loopback, 2 cores, median of 3.
# It is another day's time; what is measured beside ours in the same run is below.
MAAND_UPGRADE = {32: 5.3}

HERE = pathlib.Path(__file__).resolve().parent
FLEET = HERE.parent / "Tests/fleet/fleet"


class Fleet:
    def __init__(self, top, count, port, fleets):
        self.dir, self.port, self.count = pathlib.Path(top) / f"fleet{count}", port, count
        fleets.append(self)
        self("up", count)

    def __call__(self, *arguments):
        with tempfile.TemporaryFile("w+") as output:
            words = [str(word) for word in (FLEET, "-d", self.dir, "-p", self.port, *arguments)]
            status = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode
            output.seek(0)
            if status:
                sys.exit(f"fleet: {output.read()}")
            return output.read()

    def addresses(self):
        return [line.split()[1] for line in self("list").splitlines()]

    def counts(self):
        return [int(word) for word in self("counts").split()]


def run(argv, **options):
    """(seconds, seconds of client CPU with children, peak MB, output) of one command that must succeed."""
    with tempfile.TemporaryFile("w+") as output:
        begin = time.monotonic()
        child = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                 **options)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begin
        output.seek(0)
        text = output.read()
    if status:
        sys.exit(f"{' '.join(map(str, argv))}: exit {child.returncode}\n{text[-3000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000, text


def make_bucket(path, fleet, user, bucket_id):
    (path / "workspace/jobs/app").mkdir(parents=True)
    (path / "maand.conf").write_text(f"""\
bucket_id = "{bucket_id}"
transport = "ssh"
worker_root = "{fleet.dir}/root"
ssh_user = "{user}"
ssh_key = "{fleet.dir}/id_ed25519"
ssh_port = {fleet.port}
known_hosts = "{fleet.dir}/known_hosts"
connect_timeout = 60
use_sudo = false
""")
    rows = [{"host": address, "memory": "1024 mb", "cpu": "1000 mhz"} for address in fleet.addresses()]
    (path / "workspace/workers.json").write_text(json.dumps(rows))
    write_job(path, "1.0.0")
    return path


def write_job(path, version):
    job = path / "workspace/jobs/app"
    manifest = {"version": version, "selectors": ["worker"], "max_concurrent_upgrades": 8}
    (job / "manifest.json").write_text(json.dumps(manifest))
    (job / "Makefile").write_text("start stop restart reload:\n\t@true\n")
    for name in range(5):
        (job / f"file{name}.conf").write_text(f"{version} {name}\n" * 20)


def rollout(options, path):
    plan = path / "plan.yaml"
    run([options.plan, "deploy", "--bucket", path, "--overwrite", "-o", plan])
    return run([options.apply, plan, "--bucket", path])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=".build/release")
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--many", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for name in ("plan", "apply", "bench"):
        program = "ssh-bench" if name == "bench" else f"maand-{name}"
        setattr(options, name, os.path.abspath(os.path.join(options.bin, program)))
    top = pathlib.Path(tempfile.mkdtemp(prefix="maand-bench-"))
    fleets = []
    missed = []

    def budget(name, value, limit, unit=""):
        holds = value <= limit
        print(f"  {'ok    ' if holds else 'MISSED'} {name}: {value:.2f}{unit} (budget {limit:.3g}{unit})")
        if not holds:
            missed.append(name)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        fleet = Fleet(top, options.workers, 21022, fleets)
        if (fleet.dir / "shared").exists():
            sys.exit("this needs root, or mount namespaces for ordinary users: workers must not share their files")
        compare(options, top, fleet, budget)
        if options.many:
            large = Fleet(top, options.many, 21023, fleets)
            many(options, top, large, budget)
    finally:
        for fleet in fleets:
            fleet("down")
        shutil.rmtree(top, ignore_errors=True)
    sys.exit(1 if missed else 0)


def compare(options, top, fleet, budget):
    user = subprocess.check_output(["id", "-un"], text=True).strip()
    hosts = fleet.addresses()
    ssh_options = ["-p", str(fleet.port), "-l", user, "-i", str(fleet.dir / "id_ed25519"), "-o", "BatchMode=yes",
                   "-o", f"UserKnownHostsFile={fleet.dir}/known_hosts"]

    print(f"rollouts on {len(hosts)} workers, 5 small files and a Makefile")
    bucket = make_bucket(top / "rollout", fleet, user, "0d9a1f52-6f0e-4a58-8f0b-6f7f1d3b2c11")
    first, cpu, _, _ = rollout(options, bucket)
    print(f"  first deployment, all at once: {first:.2f} s, {cpu:.2f} s of client CPU")
    times, connections = [], set()
    for round in range(options.rounds):
        write_job(bucket, f"1.0.{round + 1}")
        logins = fleet.counts()[0]
        times.append(rollout(options, bucket)[:2])
        connections.add(fleet.counts()[0] - logins)
    upgrade, upgrade_cpu = (statistics.median(column) for column in zip(*times))
    commands = fleet.counts()[1]
    print(f"  upgrade, 8 at a time: {upgrade:.2f} s, {upgrade_cpu:.2f} s of client CPU")
    budget("connections a worker and run", max(connections) / len(hosts), 1)
    if len(hosts) in MAAND_UPGRADE:
        budget("upgrade to Maand's recorded time", upgrade / MAAND_UPGRADE[len(hosts)], 1 / 3)

    # The same steps in the plainest way with OpenSSH: a connection each, files by tar, then make; no receipts, no digests.
    job = bucket / "workspace/jobs/app"
    script = (f'tar -C "{job}" -cf - . | ssh "$@" "mkdir -p {fleet.dir}/root/plain && tar -C {fleet.dir}/root/plain -xf -" '
              f'&& ssh "$@" "make -C {fleet.dir}/root/plain restart"')
    def by_hand():
        total = cpu = 0.0
        for start in range(0, len(hosts), 8):
            batch = "\n".join(hosts[start:start + 8])
            lines = f"printf '%s\\n' '{batch}' | xargs -P 8 -I HOST sh -c '{script}' ssh {' '.join(ssh_options)} HOST"
            seconds, used, _, _ = run(["sh", "-c", lines])
            total, cpu = total + seconds, cpu + used
        return total, cpu
    hand, hand_cpu = (statistics.median(column) for column in zip(*(by_hand() for _ in range(3))))
    print(f"  the same by ssh, tar and make, 8 at a time, without receipts: {hand:.2f} s, {hand_cpu:.2f} s of client CPU")
    print(f"  ratio to it: {upgrade / hand:.2f} of the time, {upgrade_cpu / hand_cpu:.2f} of the CPU")

    print(f"`true` on {len(hosts)} workers")
    plan = bucket / "plan.yaml"
    bench_bucket = make_bucket(top / "alone", fleet, user, "2b1c7f52-6f0e-4a58-8f0b-6f7f1d3b2c22")
    run([options.plan, "deploy", "--bucket", bench_bucket, "-o", bench_bucket / "plan.yaml"])
    numbers = json.loads(run([options.bench, bench_bucket, bench_bucket / "plan.yaml", options.rounds])[3])
    xargs = ["xargs", "-P", str(len(hosts)), "-I", "HOST", "ssh"]
    listing = top / "hosts"
    listing.write_text("".join(f"{host}\n" for host in hosts))

    def by_xargs(*more):
        return run(["sh", "-c", '"$@" <"$0"', listing, *xargs, *ssh_options, *more, "HOST", "true"])
    fresh, fresh_cpu = (statistics.median(column) for column in zip(*(by_xargs()[:2] for _ in range(options.rounds))))
    control = ["-o", f"ControlPath={top}/c-%h"]
    by_xargs("-o", "ControlMaster=yes", "-o", "ControlPersist=300", *control)
    reused = statistics.median(by_xargs(*control)[0] for _ in range(options.rounds))
    for host in hosts:
        subprocess.run(["ssh", *ssh_options, *control, "-O", "exit", host], capture_output=True)
    print(f"  connections made anew: {numbers['connect']:.3f} s ({1000 * numbers['connect_cpu'] / len(hosts):.1f} ms of client "
          f"CPU each); ssh: {fresh:.3f} s")
    print(f"  connections open: {numbers['true']:.3f} s, with receipts {numbers['receipted']:.3f} s; "
          f"ssh ControlMaster without: {reused:.3f} s")
    # Maand starts `ssh` at least once for each worker, so this is the least that it can take.
    budget("client CPU of an upgrade to one `ssh` a worker", upgrade_cpu / fresh_cpu, 1 / 5)
    # Without receipts on either side: what a receipt may cost has a budget of its own, which alone is more than this.
    budget("`true` to ControlMaster", numbers["true"] / reused, 1.5)
    print(f"  with receipts to ControlMaster without: {numbers['receipted'] / reused:.2f}")
    parallel = shutil.which("parallel-ssh") or shutil.which("pssh")
    if parallel:
        words = [parallel, "-h", listing, "-p", len(hosts), "-l", user]
        for name in ssh_options[6:]:
            words += ["-O", name] if name != "-o" else []
        words += ["-x", f"-p {fleet.port} -i {fleet.dir}/id_ed25519", "true"]
        theirs = statistics.median(run(words)[0] for _ in range(options.rounds))
        budget("with receipts to parallel-ssh", numbers["receipted"] / theirs, 1)
    else:
        print("  parallel-ssh is not installed (package pssh): not compared")
    cost = 1000 * (numbers["single_receipted"] - numbers["single"])
    print(f"  one worker, one at a time: {1000 * numbers['single']:.1f} ms, with a receipt "
          f"{1000 * numbers['single_receipted']:.1f} ms")
    budget("receipt's cost a step", cost, 15, " ms")
    print(f"  {commands} commands were run for {options.rounds + 1} rollouts: "
          f"{commands / len(hosts) / (options.rounds + 1):.1f} a worker and rollout")


def many(options, top, fleet, budget):
    user = subprocess.check_output(["id", "-un"], text=True).strip()
    print(f"{fleet.count} workers connected at once")
    bucket = make_bucket(top / "many", fleet, user, "3c1c7f52-6f0e-4a58-8f0b-6f7f1d3b2c33")
    run([options.plan, "deploy", "--bucket", bucket, "-o", bucket / "plan.yaml"])
    numbers = json.loads(run([options.bench, bucket, bucket / "plan.yaml", 3])[3])
    print(f"  connected in {numbers['connect']:.1f} s, {1000 * numbers['connect_cpu'] / fleet.count:.1f} ms of client CPU "
          f"each; `true` on all {numbers['true']:.2f} s, with receipts {numbers['receipted']:.2f} s")
    budget("resident memory", numbers["peak_memory"], 300, " MB")
    budget("threads", numbers["threads"], 32)


if __name__ == "__main__":
    main()
