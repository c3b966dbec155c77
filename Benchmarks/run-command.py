#!/usr/bin/env python3
"""run-command.py [--bin DIR] [--workers N] [--rounds N]

How long one command takes on many hosts: `maand-plan run-command` with `maand-apply`, beside clush (package clustershell) and
parallel-ssh (package pssh), on real OpenSSH servers of this machine (Tests/fleet). The three take turns in one run, the best
round of each counts, and nobody has an open connection when a round begins. Connections and commands are counted by the servers.
"""
import argparse
import collections
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import ssh

COMMAND = "uptime"


def ways(options, top, fleet):
    """{name: command lines, one after the other} of all that are compared."""
    user = subprocess.check_output(["id", "-un"], text=True).strip()
    hosts = fleet.addresses()
    bucket = ssh.make_bucket(top / "bucket", fleet, user, "4d2c7f52-6f0e-4a58-8f0b-6f7f1d3b2c44")
    plan, listing = top / "plan.yaml", top / "hosts"
    listing.write_text("".join(f"{host}\n" for host in hosts))
    # No configuration of the user, and a connection for each host.
    words = (f"-F /dev/null -p {fleet.port} -i {fleet.dir}/id_ed25519 -o UserKnownHostsFile={fleet.dir}/known_hosts "
             "-o BatchMode=yes -o ControlMaster=no -o ControlPath=none")
    programs = [os.path.abspath(os.path.join(options.bin, f"maand-{name}")) for name in ("plan", "apply")]
    return {
        "maand-plan, maand-apply": [
            [programs[0], "run-command", COMMAND, "--concurrency", len(hosts), "--bucket", bucket, "--overwrite", "-o", plan],
            [programs[1], plan, "--bucket", bucket]],
        "clush": [["clush", "-w", ",".join(hosts), "-f", len(hosts), "-l", user, "-o", words, "-b", COMMAND]],
        "parallel-ssh": [[shutil.which("parallel-ssh") or "pssh", "-h", listing, "-p", len(hosts), "-l", user, "-x", words,
                          "-i", COMMAND]]}


def measure(options, top, fleet):
    seconds, cpu, counts = (collections.defaultdict(list) for _ in range(3))
    commands = ways(options, top, fleet)
    for _ in range(options.rounds):
        for name, lines in commands.items():
            before = fleet.counts()
            done = [ssh.run(line) for line in lines]
            seconds[name].append(sum(row[0] for row in done))
            cpu[name].append(sum(row[1] for row in done))
            logins, sessions = (after - earlier for earlier, after in zip(before, fleet.counts()))
            counts[name].append((logins, sessions))
            # clush leaves out a host that it did not reach, and ends with 0.
            if logins < fleet.count or "load average" not in done[-1][3]:
                sys.exit(f"{name}: {logins} logins on {fleet.count} workers\n{done[-1][3][-3000:]}")
    return seconds, cpu, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=".build/release")
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    missing = [names[0] for names in (("clush",), ("parallel-ssh", "pssh")) if not any(map(shutil.which, names))]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)} (packages clustershell, pssh)")
    top = pathlib.Path(tempfile.mkdtemp(prefix="maand-bench-"))
    fleets = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        fleet = ssh.Fleet(top, options.workers, 21024, fleets)
        if (fleet.dir / "shared").exists():
            sys.exit("this needs root, or mount namespaces for ordinary users: workers must not share their files")
        seconds, cpu, counts = measure(options, top, fleet)
    finally:
        for fleet in fleets:
            fleet("down")
        shutil.rmtree(top, ignore_errors=True)

    print(f"`{COMMAND}` on {options.workers} workers, all at once; best of {options.rounds}")
    print(f"{'':24}{'seconds':>9}{'to clush':>10}{'client CPU':>12}{'connections':>13}{'commands':>10}")
    for name, times in seconds.items():
        logins, sessions = max(counts[name])
        print(f"{name:24}{min(times):9.2f}{min(times) / min(seconds['clush']):10.2f}{min(cpu[name]):10.2f} s"
              f"{logins:13}{sessions:10}")


main()
