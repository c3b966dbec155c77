"""Facts of Maand that hold here, too: the rows `same` of docs/moving-from-maand.md about files, both generations of names,
templates and values. A row is a fragment of a workspace, and what the plan says to it."""
import json

import bucket

HOSTS = ["127.0.62.1", "127.0.62.2"]
MAKE = "start stop restart reload: ; @:\n"
SCRIPT = "print('ok')\n"
# In templates: the namespaces of the allocation, and of its worker.
OWN = {"allocation": '(printf "maand/job/j/worker/%s" .WorkerIP)', "worker": '(printf "maand/worker/%s" .WorkerIP)'}


def hosts(**fields):
    """workers.json: two workers with the label `a`, the first one with further fields."""
    rows = [{"host": host, "labels": ["a"], "memory": "4 gb", "cpu": "4 ghz"} for host in HOSTS]
    rows[0].update(fields)
    return {"workers.json": rows}


def job(name="j", **fields):
    return {f"jobs/{name}/manifest.json": {"selectors": ["a"], **fields}, f"jobs/{name}/Makefile": MAKE}


def command(events=("cli",), **fields):
    """A job `j` with a command, and `k`, which it may demand."""
    return {**job(version="1", commands={"command_x": {"executed_on": list(events), **fields}}),
            "jobs/j/_modules/command_x.py": SCRIPT,
            **job("k", version="v2", commands={"command_r": {"executed_on": ["cli"]}}),
            "jobs/k/_modules/command_r.py": SCRIPT}


def demands(**fields):
    return command(demands={"job": "k", "command": "command_r", **fields})


def hook(**fields):
    """The same job with the names of the second generation."""
    return {**job(version="1", hooks={"hook_x": {"executed_on": ["cli"], **fields}}), "jobs/j/_hooks/hook_x.py": SCRIPT,
            **job("k", version="v2", hooks={"hook_r": {"executed_on": ["cli"]}}), "jobs/k/_hooks/hook_r.py": SCRIPT}


def memory(**bounds):
    return job(resources={"memory": bounds})


def ports(**ports):
    return job(resources={"ports": ports})


def check(**fields):
    return job(resources={"ports": {"web": 8080}}, health_check={"checks": [fields]})


WEB = {"type": "http", "port": "web"}

ACCEPTED = {
    "an empty manifest": {"jobs/j/manifest.json": "{}", **hosts(labels=["j"])},
    "fields in any case": {"jobs/j/manifest.json": '{"SELECTORS": ["a"], "Version": "v2"}'},
    "null is no field": job(version=None, resources=None, commands=None, hooks=None, certs=None, health_check=None,
                            max_concurrent_upgrades=None, min_allocations_count=None, restart_policy=None,
                            restart_globs=None),
    "no policy is always": job(restart_policy=""),
    "no resources": job(resources={"memory": None, "cpu": {}, "ports": {}}),
    "a port with a blank between braces": {
        "jobs/j/manifest.json": '{"selectors": ["a"], "resources": {"ports": {"web": { }}}}'},
    "0 upgrades at a time are 1": job(max_concurrent_upgrades=0, max_concurrent_starts=0),
    "disabled ones count": {**job(min_allocations_count=2), "disabled.json": {"workers": [HOSTS[0]]}},
    "demands of nothing": command(demands={}),
    "demands that are null": command(demands=None),
    "a bound as text and one as number": demands(config={"min_version": "1.5", "max_version": 2}),
    "config with further keys": demands(config={"database": "x", "list": [1]}),
    "hooks with a runtime": hook(runtime="python"),
    "demands of a hook": hook(demands={"job": "k", "hook": "hook_r"}),
    "demands across the generations": {**hook(demands={"job": "m", "hook": "command_y"}),
                                       **job("m", version="1", commands={"command_y": {"executed_on": ["cli"]}}),
                                       "jobs/m/_modules/command_y.py": SCRIPT},
    "an empty list of the other generation": {**command(), **job(version="1", hooks={}, commands={
        "command_x": {"executed_on": ["cli"]}})},
    "types of checks in any case": check(type="TCP", port="web"),
    "0 is the default of a check": job(resources={"ports": {"web": 80}}, health_check={
        "checks": [WEB], "timeout_seconds": 0, "wait": {"attempts": 0, "interval_seconds": 0}}),
    "both kinds of variables": {"jobs/j/vars.toml": 'a = "1"\n', "jobs/j/vars.conf": 'a = "2"\n'},
    "a Makefile that is a template": {"jobs/j/Makefile": None, "jobs/j/Makefile.tpl": MAKE},
    "reserved names deeper": {"jobs/j/x/data/f": "x", "jobs/j/x/bin/f": "x", "jobs/j/x/logs": "x"},
    "a name with a point": job("a.b"),
    "labels in any case, with blanks": hosts(labels=[" A ", "worker"]),
    "a host with blanks": hosts(host=f" {HOSTS[0]} "),
    "null in workers.json": hosts(hostname=None, tags=None, position=None),
    "no range of ports": {**ports(web={}), "bucket.conf": 'port_min = ""\nport_max = " 39999 "\n'},
    "a worker that has just enough": {**memory(max="4096 mb"), **hosts()},
    "disabled.json of the whole job": {"disabled.json": {"jobs": {"j": {}}}},
    "disabled.json with null": {"disabled.json": {"jobs": {"j": None}}},
    "maand.conf of `maand init`": {"maand.conf": "use_sudo = true\nssh_user = 'agent'\nssh_key = 'worker.key'\nssh_port = 0\n"
                                   "certs_ttl = 0\ncerts_renewal_buffer = 0\njob_config_selector = ''\nlog_format = 'kv'\n"},
}
for text in ("1.0.0", "v2", "V2", "1.2", "3", "01.2", "2.0.0-rc1", " 1.0 ", ""):
    ACCEPTED[f"the version {text!r}"] = job(version=text)
for text in ("4096 mb", "4 gb", "1tb", "128", "1.5 GB"):
    ACCEPTED[f"the size {text!r}"] = {**memory(max=text), "workers.json": [{"host": HOSTS[0], "labels": ["a"], "memory": "2 tb"}]}

# What is taken with a warning: the words of the warning.
WARNED = {
    "an unknown field of a manifest": (job(owner="me"), 'unknown field "owner"'),
    "an unknown field of a worker": (hosts(rack="r1"), 'unknown field "rack"'),
    "an unknown field of a job in disabled.json": (
        {"disabled.json": {"jobs": {"j": {"reason": "x"}}}}, 'unknown field "reason"'),
    "an unknown name in disabled.json": ({"disabled.json": {"workers": ["10.9.9.9"]}}, 'no worker "10.9.9.9"'),
    "an unknown key of maand.conf": ({"maand.conf": "notes = 'x'\n"}, "maand.conf:3:1: warning: `notes` is not a known key"),
    "a section of an unknown job": ({"bucket.jobs.conf": '[zz]\nmemory = "1 gb"\n'}, 'no job "zz"'),
    "a folder that is no job": ({"jobs/notes/README": "x"}, "jobs/notes"),
    "a port's name twice": (
        {**ports(web={}), **job("k", resources={"ports": {"web": {}}})}, "one key of this name"),
    "no checks": (job(health_check={"wait": {"attempts": 3}}), "no gate"),
    "selectors that match no worker": (job(selectors=["aa"]), "match no worker: no worker has the label aa\n"),
    "labels that no worker has together": ({**hosts(labels=["b"]), **job(selectors=["a", "b"])}, "no worker has all of the labels a, b"),
    "the oldest names": (job(update_parallel_count=2, deploy_parallel_count=3), "max_concurrent_upgrades"),
}

# What is an error in Maand, too: the words of the error.
REFUSED = {
    "a byte order mark": ({"jobs/j/manifest.json": "\ufeff{}"}, "byte order mark"),
    "a comment": ({"jobs/j/manifest.json": "{} // x"}, "manifest.json:1:4"),
    "a comma at the end": ({"jobs/j/manifest.json": '{"selectors": ["a"],}'}, "comma"),
    "a version that is a number": (job(version=2), "expected a text"),
    "max below min": (memory(min="2 gb", max="1 gb"), "above its max"),
    "an unknown unit": (memory(max="1 kb"), "mb, gb, tb"),
    "a port in quotes": (ports(web="8080"), "whole number"),
    "a port with a fraction": (ports(web=80.5), "whole number"),
    "a port with fields": (ports(web={"x": 1}), "{} to have one assigned"),
    "a port's name": (ports(Web={}), "lower-case letters"),
    "a number twice": (ports(a=80, b=80), "every port is used once"),
    "no event": (command(events=()), "names no event"),
    "an unknown event": (command(events=("nope",)), 'unknown event "nope"'),
    "a command without its prefix": (job(commands={"x": {"executed_on": ["cli"]}}), "command_<name>"),
    "no script": (job(commands={"command_x": {"executed_on": ["cli"]}}), "_modules/command_x"),
    "no script of a hook": (job(hooks={"hook_x": {"executed_on": ["cli"]}}), "_hooks/hook_x"),
    "two scripts": ({**command(), "jobs/j/_modules/command_x.js": ""}, "several scripts"),
    "both generations in a job": (
        {**hook(), **job(commands={"command_y": {"executed_on": ["cli"]}}, hooks={"hook_x": {"executed_on": ["cli"]}}),
         "jobs/j/_modules/command_y.py": SCRIPT}, "rename each command_<name> to hook_<name>"),
    "half a demand": (command(demands={"job": "k"}), "both or not at all"),
    "a demand of the own job": (command(demands={"job": "j", "command": "command_x"}), "its own job"),
    "a demand of an unknown job": (command(demands={"job": "zz", "command": "command_x"}), 'unknown job "zz"'),
    "a demand of an unknown command": (command(demands={"job": "k", "command": "command_z"}), "does not declare"),
    "a circle": ({**demands(), **job("k", version="1", commands={
        "command_r": {"executed_on": ["cli"], "demands": {"job": "j", "command": "command_x"}}})}, "circle"),
    "a demand without a version": ({**demands(), **job("k", commands={"command_r": {"executed_on": ["cli"]}})}, "declare a version"),
    "a bound with a fraction": (demands(config={"max_version": 2.5}), "whole number"),
    "bounds in the wrong order": (demands(config={"min_version": "3", "max_version": "1"}), "above max_version"),
    "a bound that does not hold": (demands(config={"min_version": 3}), "below min_version"),
    "a certificate with a slash": (job(certs={"a/b": {}}), "name of a certificate"),
    "a path of a check": (check(**WEB, path="x"), "begins with `/`"),
    "an unknown port of a check": (check(type="tcp", port="zz"), 'no port "zz"'),
    "an unknown type of a check": (check(type="exec", command="x"), "tcp, http or ssh"),
    "upgrades in quotes": (job(max_concurrent_upgrades="2"), "whole number"),
    "upgrades with a fraction": (job(max_concurrent_upgrades=2.5), "whole number"),
    "too few allocations": (job(min_allocations_count=3), "needs 3 allocations, and has 2"),
    "a policy in upper case": (job(restart_policy="Reload"), 'did you mean "reload"'),
    "globs without reload": (job(restart_globs=["x"]), "needs `\"restart_policy\": \"reload\"`"),
    "a bad glob": (job(restart_policy="reload", restart_globs=["[a"]), "without `]`"),
    "no Makefile": ({"jobs/j/Makefile": None}, "has no Makefile"),
    "a file data": ({"jobs/j/data": "x"}, "reserved"),
    "a file logs": ({"jobs/j/logs": "x"}, "reserved"),
    "a folder bin": ({"jobs/j/bin/f": "x"}, "reserved"),
    "a host twice": ({"workers.json": [{"host": HOSTS[0]}, {"host": HOSTS[0]}]}, "twice"),
    "no host": ({"workers.json": [{"labels": ["a"]}]}, "`host` is missing"),
    "a tag that is a number": (hosts(tags={"zone": 1}), "expected a text"),
    "no capacity": ({**memory(max="1 gb"), "workers.json": [{"host": host, "labels": ["a"]} for host in HOSTS]}, HOSTS[1]),
    "too little capacity": (
        {**memory(max="3 gb"), **job("k", resources={"memory": {"max": "2 gb"}}), **hosts()}, "its jobs reserve 5120 mb"),
    "an empty disabled.json": ({"disabled.json": ""}, "the file is empty"),
    "a list in disabled.json": ({"disabled.json": []}, "expected a mapping"),
    "a range in the wrong order": ({"bucket.conf": 'port_min = "5"\nport_max = "2"\n'}, "above `port_max`"),
    "a range from 0": ({"bucket.conf": 'port_min = "0"\n'}, "1 to 65535"),
    "a range too high": ({"bucket.conf": 'port_max = "70000"\n'}, "1 to 65535"),
    "a list as setting": ({"bucket.conf": "x = [1]\n"}, "bucket.conf:1:1"),
    "a table as setting": ({"jobs/j/vars.toml": '[t]\na = "1"\n'}, "vars.toml:1:2"),
    "a dotted key": ({"jobs/j/vars.toml": 'a.b = "1"\n'}, "vars.toml:1:1"),
    "a key outside of a section": ({"bucket.jobs.conf": 'x = "1"\n'}, "has to be a section"),
    "a reservation outside of the bounds": (
        {**memory(min="1 gb", max="2 gb"), **hosts(), "bucket.jobs.conf": '[j]\nmemory = "3 gb"\n'}, "1024 mb to 2048 mb"),
    # Nearly a known name: an error here, since Maand would ignore what somebody wrote.
    "nearly a field": (job(restart_polcy="x"), "did you mean `restart_policy`"),
    "nearly a key of maand.conf": ({"maand.conf": "use_sudoo = true\n"}, "did you mean `use_sudo`"),
    "nearly the list of a job's workers": (
        {"disabled.json": {"jobs": {"j": {"allocation": [HOSTS[0]]}}}}, "`allocations` is the list"),
    "a hook's name with the other prefix": (
        {**job(hooks={"command_x": {"executed_on": ["cli"]}}), "jobs/j/_hooks/command_x.py": SCRIPT}, "_hooks/hook_<name>.py"),
}
for text in ("1.2.3.4", "1.x", "-1", "2-", "unknown"):
    REFUSED[f"the version {text!r}"] = (job(version=text), "is not a version")

# A template, and what it becomes on the first worker; with "65:" the words of the error.
RENDERED = {
    '{{ get "maand/job/j" "version" }} {{ .NewVersion }} {{ .CurrentVersion }}': "v2 v2 0.0.0",
    '{{ keys "maand/job/j" }}': "[cpu job_id job_name max_cpu_mhz max_memory_mb memory min_cpu_mhz min_memory_mb name "
                                "rollout_order selectors version worker_0 worker_1 workers workers_length]",
    '{{ get "maand/job/j" "job_id" }}': "363b122c-528f-34df-8a04-46b6bab05515",
    '{{ get "maand/job/j" "memory" }} {{ get "maand/job/j" "min_memory_mb" }} {{ get "maand/job/j" "max_cpu_mhz" }}': "256 64 2000",
    f'{{{{ get {OWN["allocation"]} "peer_workers" }}}} {{{{ get {OWN["allocation"]} "j_allocation_index" }}}}': f"{HOSTS[1]} 0",
    f'{{{{ keys {OWN["worker"]} }}}}': "[a_allocation_index a_peers hostname jobs labels position worker_allocation_index "
                                         "worker_cpu_mhz worker_id worker_ip worker_memory_mb worker_peers]",
    f'{{{{ getWorkerOptional "hostname" }}}} {{{{ get {OWN["worker"]} "labels" }}}}': "first a,worker",
    '{{ getOptional (printf "maand/worker/%s/tags" .WorkerIP) "zone" }}': "east-1",
    '{{ get "maand/worker" "a_workers" }} {{ get "maand/worker" "a_workers_length" }} {{ get "maand/worker" "a_1" }} '
    '{{ get "maand/worker" "a_label_id" }}': f"{','.join(HOSTS)} 2 {HOSTS[1]} 0cc175b9-c0f1-36a8-b1c3-99e269772661",
    '{{ get "maand/bucket" "bucket_id" }} {{ get "maand/bucket" "jobs" }} {{ get "maand/bucket" "activejobs" }}':
        f"{bucket.BUCKET_ID} j,off,up j,up",
    '{{ get "maand/bucket" "web" }} {{ get "maand/bucket" "api" }}': "31001 31000",
    '{{ getOptional "maand/bucket" "hidden" }}.': ".",
    '{{ get "vars/bucket" "domain" }} {{ get "vars/bucket" "port_min" }}': "example.com 31000",
    '{{ get "vars/bucket/job/j" "memory" }} {{ get "vars/bucket/job/j" "heap" }} {{ get "vars/bucket/job/j" "own" }}': "256 mb 2g 1",
    '{{ get "vars/job/j" "a/b c" }}|{{ get "vars/job/j" "lines" }}|{{ get "vars/job/j" "empty" }}': "x|one\ntwo|",
    '{{ get "maand/job/up" "version" }} {{ get "vars/job/up" "c" }} {{ getOptional "secrets/job/up" "s" }}': "3 1 ",
    '{{ getJob "version" }} {{ getJob "up" "version" }} {{ getJobOptional "x" }}{{ getJobWorker "version" }} '
    '{{ getJobWorkerOptional "x" }}{{ getWorker "worker_ip" }}{{ getWorkerOptional "x" }}': f"v2 3 v2 {HOSTS[0]}",
    '{{ .Job }} {{ .WorkerIP }} {{ .Labels }} {{ .JobPath }} {{ .WorkerData.WorkerIP }}':
        f"j {HOSTS[0]} [a worker] /opt/worker/{bucket.BUCKET_ID}/jobs/j {HOSTS[0]}",
    '{{ keys "secrets/job/j" }}': "[]",
    '{{ get "vars/job/off" "x" }}': "65:may read",
    '{{ getOptional "vars/job/off" "x" }}': "65:may read",
    f'{{{{ getOptional "maand/worker/{HOSTS[1]}" "x" }}}}': "65:may read",
    '{{ getOptional "maand/job/up/worker/x" "y" }}': "65:may read",
    '{{ get "a" }}': "65:takes 2 arguments",
    '{{ getSecret "a" "b" }}': "65:takes 1 argument",
    '{{ add 1 "2" }}': "65:takes a number",
    '{{ div 1 0 }}': "65:divides by zero",
    '{{ int "x" }}': "65:takes a whole number",
    '{{ .Nothing }}': "65:no field `.Nothing`",
    # Who sets what is missing.
    '{{ get "vars/job/j" "k" }}': "65:vars.toml of the job j sets it",
    '{{ get "vars/bucket" "k" }}': "65:workspace/bucket.conf sets it",
    '{{ get "vars/bucket/job/j" "k" }}': "65:the section [j] of workspace/bucket.jobs.conf sets it",
    '{{ get "secrets/job/up" "k" }}': "65:`maand-plan kv put secrets/job/up k` sets it",
    '{{ getSecret "k" }}': "65:`maand-plan kv put secrets/job/j k` sets it; planning runs no hook: if command_x sets it, add `post_build`",
    '{{ get "maand/job/j" "deploy_order" }}': "65:it is now called `rollout_order`",
}

# The workspace of the templates.
TEMPLATES = {
    **hosts(hostname="first", tags={"Zone": " East-1 "}),
    **command(events=("pre_deploy",), demands={"job": "up", "command": "command_r"}),
    **job(version="v2", resources={"memory": {"min": "64 mb", "max": "1 gb"}, "cpu": {"max": "2 ghz"}, "ports": {"web": {}, "api": {}}},
          commands={"command_x": {"executed_on": ["pre_deploy"], "demands": {"job": "up", "command": "command_r"}}}),
    "jobs/k": None,
    **job("up", version="3", commands={"command_r": {"executed_on": ["cli"]}}), "jobs/up/_modules/command_r.py": SCRIPT,
    "jobs/up/vars.toml": 'c = " 1 "\n',
    **job("off", resources={"ports": {"hidden": {}}}), "disabled.json": {"jobs": {"off": {}}},
    "bucket.conf": 'domain = " example.com "\nport_min = "31000"\n',
    "bucket.jobs.conf": '[j]\nmemory = "256 mb"\nheap = "2g"\n',
    "jobs/j/vars.conf": 'heap = "1g"\nown = "1"\n',
    "jobs/j/vars.toml": '"a/b c" = "x"\nlines = """\none\ntwo\n"""\nempty = ""\n',
}

# What changes -> what happens to the job: a restart, or nothing.
CHANGES = {
    "a hook": ({"jobs/j/_modules/command_x.py": "print(2)\n"}, "restart"),
    "a module of hooks": ({"jobs/j/_modules/lib.py": ""}, "restart"),
    "a hook's folder of the second generation": ({"jobs/j/_hooks/lib.py": ""}, "restart"),
    "vars.toml": ({"jobs/j/vars.toml": 'a = "2"\n'}, "restart"),
    "vars.conf": ({"jobs/j/vars.conf": 'a = "2"\n'}, "restart"),
    "what a template prints": ({"bucket.conf": 'color = "red"\n'}, "restart"),
    "a setting that nothing prints": ({"bucket.conf": 'color = "blue"\nother = "1"\n'}, None),
    "a tag": (hosts(tags={"zone": "b"}), None),
    "_prometheus": ({"jobs/j/_prometheus/scrape.yaml": "[]\n"}, None),
    "an empty folder": ({"jobs/j/empty/": ""}, None),
    "__pycache__": ({"jobs/j/__pycache__/x.pyc": "x"}, None),
}


class Facts(bucket.Case):
    def bucket(self, *fragments):
        b = bucket.Bucket(self)
        for fragment in ({**hosts(), **job()}, *fragments):
            self.lay(b, fragment)
        return b

    def lay(self, b, fragment):
        for path, content in fragment.items():
            if path == "maand.conf":
                (b.path / path).write_text(bucket.CONF.format(id=b.id).splitlines()[0] + '\ntransport = "local"\n' + content)
            elif path.endswith("/"):
                (b.workspace / path).mkdir()
            elif content is None:
                self.remove(b.workspace / path)
            else:
                b.write(path, content if isinstance(content, str) else json.dumps(content))

    @staticmethod
    def remove(path):
        for file in path.iterdir() if path.is_dir() else [path]:
            Facts.remove(file) if file.is_dir() else file.unlink()
        if path.is_dir():
            path.rmdir()

    def test_what_maand_accepts_is_accepted(self):
        for name, fragment in ACCEPTED.items():
            with self.subTest(name):
                told = self.succeed(self.bucket(fragment).plan())
                self.assertNotIn("warning", told.err)

    def test_a_job_that_has_lost_its_workers_is_at_the_top_of_the_review(self):
        b = self.bucket()
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.lay(b, job(selectors=["aa"]))
        told = self.succeed(b.plan())
        self.assertIn("did you mean `a`?", told.err)
        shown = self.succeed(b.run("maand-plan", "show", b.file(), "--bucket", b.path)).out.splitlines()
        self.assertEqual(shown[2:4], [
            "Look here first",
            "  ! Selectors that match no worker: j needs aa (did you mean a?): its selectors match no worker any more, and 2 allocations are stopped and removed"])
        self.assertEqual(b.read_plan()["unmatched"], [{"job": "j", "selectors": ["aa"], "nearest": {"aa": "a"}}])
        self.assertEqual({stop["reason"] for stop in b.read_plan()["reconcile"]}, {"no_worker_matches"})
        self.succeed(b.apply())
        self.assertFalse(b.job_dir(HOSTS[0], "j").joinpath("Makefile").exists())
        self.succeed(b.plan("--detailed-exitcode"))

    def test_what_maand_ignores_is_a_warning(self):
        for name, (fragment, words) in WARNED.items():
            with self.subTest(name):
                told = self.succeed(self.bucket(fragment).plan())
                self.assertIn(words, told.err)
                self.assertIn("warning: ", told.err)

    def test_what_maand_refuses_is_refused(self):
        for name, (fragment, words) in REFUSED.items():
            with self.subTest(name):
                b = self.bucket(fragment)
                self.refuse(b.plan(), 65, words)
                self.assertFalse(b.file().exists())

    def test_a_misnamed_command_is_one_error(self):
        told = self.bucket(REFUSED["a hook's name with the other prefix"][0]).plan()
        self.assertEqual(told.err.count("error: "), 1, told.err)

    def test_templates(self):
        b = self.bucket(TEMPLATES)
        good = [(text, value) for text, value in RENDERED.items() if not value.startswith("65:")]
        for number, (text, _) in enumerate(good):
            b.write(f"jobs/j/t{number}.tpl", text)
        plan = self.succeed(b.plan()).out
        self.succeed(b.apply())
        for number, (text, value) in enumerate(good):
            with self.subTest(text):
                self.assertEqual((b.job_dir(HOSTS[0], "j") / f"t{number}").read_text(), value, plan)

    def test_templates_that_are_refused(self):
        b = self.bucket(TEMPLATES)
        for text, value in RENDERED.items():
            if value.startswith("65:"):
                with self.subTest(text):
                    b.write("jobs/j/t.tpl", text)
                    self.refuse(b.plan(), 65, value.removeprefix("65:"), "jobs/j/t.tpl:1:4:")

    def test_what_counts_as_a_change(self):
        first = self.bucket(command(), {"bucket.conf": 'color = "blue"\n', "jobs/j/vars.toml": 'a = "1"\n',
                                        "jobs/j/vars.conf": 'a = "1"\n', "jobs/j/t.tpl": '{{ get "vars/bucket" "color" }}'})
        self.succeed(first.plan())
        self.succeed(first.apply())
        for name, (fragment, action) in CHANGES.items():
            with self.subTest(name):
                b = first.copy(self)
                self.lay(b, fragment)
                self.succeed(b.plan())
                wanted = {"j": {host: (action, "content_changed") for host in HOSTS}} if action else {}
                self.assertEqual(bucket.actions(b.read_plan()), wanted)

    def test_files_that_stay_on_the_controller(self):
        b = self.bucket({**command(), "jobs/j/_prometheus/scrape.yaml.tpl": "{{ broken", "jobs/j/a/deep.conf.tpl": "{{ .Job }}",
                         "jobs/j/data/seed": "x", "jobs/j/.venv/x": "x", "jobs/j/x/node_modules/y": "x"})
        self.succeed(b.plan())
        self.succeed(b.apply())
        folder = b.job_dir(HOSTS[0], "j")
        there = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
        self.assertEqual(there, ["Makefile", "a/deep.conf", "manifest.json"])

    def test_ports_are_given_by_name_and_kept(self):
        b = self.bucket(ports(q={}), job("b", resources={"ports": {"z": {}, "a": {}}}), {"bucket.conf": 'port_range = " 31000 , 31009 "\n'})

        def given():
            self.succeed(b.plan())
            self.succeed(b.apply())
            return {name: number for wave in b.read_plan()["waves"] for job in wave["jobs"]
                    for name, number in (job.get("ports") or {}).items()}

        self.assertEqual(given(), {"a": 31000, "z": 31001, "q": 31002})
        self.lay(b, job("a", resources={"ports": {"b": {}}}))
        self.assertEqual(given(), {"b": 31003})
        self.lay(b, {"jobs/b": None})
        self.assertEqual(given(), {})
        self.lay(b, job("c", resources={"ports": {"n": {}}}))
        self.assertEqual(given(), {"n": 31000})

    def test_workers_are_ordered_by_position(self):
        b = self.bucket(hosts(position=9), job(max_concurrent_starts=1))
        self.succeed(b.plan())
        self.assertEqual(bucket.batches(b.read_plan()), [("j", [HOSTS[1]]), ("j", [HOSTS[0]])])

    def test_a_selector_chooses_the_file_of_settings(self):
        b = self.bucket({"maand.conf": "job_config_selector = 'prod'\n", "bucket.jobs.conf": '[j]\nx = "no"\n',
                         "bucket.jobs.prod.conf": '[j]\nx = "yes"\n', "jobs/j/t.tpl": '{{ get "vars/bucket/job/j" "x" }}'})
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertEqual((b.job_dir(HOSTS[0], "j") / "t").read_text(), "yes")
