#!/usr/bin/env python3
"""demo.py [--bin DIR] [--without-hooks] [--disable first|last] [--keep]

Upgrades eight web servers behind HAProxy while requests come all the time, kills maand-apply with SIGKILL in the middle, and
runs the same command again. It prints how many requests failed, and exits with 1 if any did. It needs `haproxy`.

--bin DIR        where maand-plan and maand-apply are (else .build/release of this checkout)
--without-hooks  take the hooks out of the job first: then requests fail
--disable ORDER  instead, disable two servers without hooks; they are stopped before the first wave or after the last one
--keep           leave the bucket behind, to look at it
"""
import argparse
import collections
import glob
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PROXY = ("127.0.20.1", 18480)


class Load:
    """Sixteen clients, each with a new connection for each request."""

    def __init__(self):
        self.answers = collections.Counter()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._client) for _ in range(16)]
        for client in self._clients:
            client.start()

    def _client(self):
        while not self._over.wait(0.03):
            answer = ask()
            with self._lock:
                self.answers[answer] += 1

    def end(self):
        self._over.set()
        for client in self._clients:
            client.join()


def ask():
    """The version that answers, or what is wrong."""
    try:
        connection = http.client.HTTPConnection(*PROXY, timeout=5)
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return body if answer.status == 200 else f"status {answer.status}"
    except OSError as error:
        return type(error).__name__
    except http.client.HTTPException as error:
        return type(error).__name__


class Demo:
    def __init__(self, arguments):
        self.bin = pathlib.Path(arguments.bin).resolve()
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="maand-drain."))
        self.bucket = self.top / "bucket"
        shutil.copytree(HERE, self.bucket)
        (self.bucket / "demo.py").unlink()
        self.manifest = self.bucket / "workspace/jobs/web/manifest.json"
        if arguments.without_hooks:
            fields = json.loads(self.manifest.read_text())
            for command in fields["commands"].values():
                command["executed_on"] = ["cli"]
            self.manifest.write_text(json.dumps(fields, indent=2))

        if arguments.disable:
            self.let_the_proxy_ask()

    def let_the_proxy_ask(self):
        """Takes the hooks out, and lets the proxy's configuration name the servers that are not disabled: for that the proxy
        demands them, and is rolled out after them."""
        jobs = self.bucket / "workspace/jobs"
        fields = json.loads(self.manifest.read_text())
        fields["commands"] = {"command_drain": {"executed_on": ["cli"]}}
        del fields["repeatable"]
        self.manifest.write_text(json.dumps(fields, indent=2))
        proxy = jobs / "proxy/manifest.json"
        fields = json.loads(proxy.read_text())
        fields["commands"]["command_ready"]["demands"] = {"job": "web", "command": "command_drain", "config": {}}
        proxy.write_text(json.dumps(fields, indent=2))
        template = jobs / "proxy/haproxy.cfg.tpl"
        template.write_text(template.read_text().replace('"maand/worker" "web_workers"', '"maand/job/web" "workers"'))

    def program(self, name, *arguments):
        return [str(self.bin / name), *arguments, "--bucket", str(self.bucket)]

    def run(self, name, *arguments):
        print("$", name, *arguments, flush=True)
        subprocess.run(self.program(name, *arguments), cwd=self.bucket, check=True)

    def restarts(self):
        """How many web servers the upgrade has restarted."""
        logs = glob.glob(f"{self.bucket}/workers/*/opt/worker/*/jobs/web/data/lifecycle.log")
        return sum("restart 1.0.0 2.0.0\n" in pathlib.Path(log).read_text() for log in logs)

    def start(self):
        self.run("maand-plan", "deploy", "-o", "first.plan.yaml")
        self.run("maand-apply", "first.plan.yaml")

    def disable(self, order):
        """HAProxy's configuration leaves disabled servers out: it has to learn of it before they stop."""
        self.start()
        workers = [row["host"] for row in json.loads((self.bucket / "workspace/workers.json").read_text())
                   if "web" in row.get("labels", [])]
        disabled = {"jobs": {"web": {"allocations": workers[:2]}}}
        load = Load()
        try:
            (self.bucket / "workspace/disabled.json").write_text(json.dumps(disabled))
            self.run("maand-plan", "deploy", "--stops", order, "-o", "second.plan.yaml")
            self.run("maand-apply", "second.plan.yaml")
            # What comes after the stop counts, too.
            before = load.answers.total()
            while load.answers.total() < before + 500:
                time.sleep(0.02)
        finally:
            load.end()
        return self.judge(load)

    @staticmethod
    def judge(load):
        failed = {answer: count for answer, count in load.answers.items() if answer not in ("1.0.0", "2.0.0")}
        print(f"{load.answers.total()} requests, {sum(failed.values())} failed {failed or ''}")
        return not failed

    def upgrade(self):
        self.start()
        load = Load()
        try:
            self.manifest.write_text(self.manifest.read_text().replace('"version": "1.0.0"', '"version": "2.0.0"'))
            self.run("maand-plan", "deploy", "-o", "second.plan.yaml")
            print("$ maand-apply second.plan.yaml, killed in the third batch", flush=True)
            child = subprocess.Popen(self.program("maand-apply", "second.plan.yaml"), cwd=self.bucket,
                                     stdout=subprocess.DEVNULL)
            while self.restarts() < 5 and child.poll() is None:
                time.sleep(0.02)
            child.kill()
            child.wait()
            self.run("maand-apply", "second.plan.yaml")
        finally:
            load.end()
        is_well = self.judge(load)
        if self.restarts() != 8 or any(ask() != "2.0.0" for _ in range(16)):
            raise SystemExit("the upgrade has not reached all servers")
        return is_well

    def close(self, keep):
        """Ends what runs in the bucket's workers."""
        for path in glob.glob(f"{self.bucket}/workers/*/opt/worker/*/jobs/*/data/*.pid"):
            try:
                os.kill(int(pathlib.Path(path).read_text()), signal.SIGTERM)
            except (OSError, ValueError):
                pass
        if keep:
            print("The bucket is still there:", self.bucket)
        else:
            shutil.rmtree(self.top)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bin", default=HERE / "../../.build/release")
    parser.add_argument("--without-hooks", action="store_true")
    parser.add_argument("--disable", choices=("first", "last"))
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    demo = Demo(arguments)
    try:
        is_well = demo.disable(arguments.disable) if arguments.disable else demo.upgrade()
    finally:
        demo.close(arguments.keep)
    sys.exit(0 if is_well else 1)


main()
