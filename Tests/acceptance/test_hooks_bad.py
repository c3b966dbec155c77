"""Hooks that misbehave, and scripts that are not what was planned."""
import json
import os
import re
import shutil
import subprocess

import bucket
import hookbucket
from bucket import until
from hookbucket import Hook

WORKERS = ["127.0.12.1", "127.0.12.2"]


class Misbehaviour(hookbucket.HookCase):
    def failing(self, hook, *words, event="pre_deploy", **manifest):
        """A rollout that such a hook fails. The error names job, event, worker and command."""
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_bad": hook}, **manifest)
        done = self.rollout(b, code=1)
        self.refuse(done, 1, f"api/{event}/{WORKERS[0]}/command_bad has failed: ", *words)
        return b, done

    def test_one_that_hangs(self):
        """It is ended with what it started."""
        text = "sleep 300 & (sleep 301; sleep 302) & sleep 303\n"
        b, _ = self.failing(Hook("pre_deploy", language="sh", text=text), "ended on this host, its limit of 1 s was up",
                            timeouts={"hook": 1})
        self.assertEqual(b.processes(), [])

    def test_one_that_leaves_a_daemon(self):
        """It holds nobody up, and what it asks after its hook's end is refused."""
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_bad": Hook("pre_deploy", body="""\
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    while True:
        answer = maand.get_store_value("maand/bucket", "bucket_id")
        if not answer.ok: break
        time.sleep(0.02)
    late = maand.put_job_variable("late", "1")
    with open(note.KNOBS + "/late", "w") as file: file.write("%d %s" % (late.status_code, late.text))
    # Goes on with the hook's standard output open.
    while os.path.exists(note.KNOBS + "/hold/daemon"): time.sleep(0.02)
    os._exit(0)""")})
        (b.knobs / "hold/daemon").touch()
        b.hold("api", WORKERS[0])
        self.succeed(b.plan())
        child = b.start_apply()
        until(lambda: (b.knobs / "late").exists() and (b.knobs / "late").read_text(), "the daemon was refused")
        self.assertIn("401 the token is not that of a hook which runs now", (b.knobs / "late").read_text())
        b.release("api", WORKERS[0])
        self.ended(child)
        b.kv("get", "vars/job/api", "late", code=65)
        (b.knobs / "hold/daemon").unlink()

    def test_much_output_that_is_no_text(self):
        b = self.bucket(WORKERS[0])
        text = ("head -c 200000000 /dev/zero\nhead -c 10000000 /dev/urandom >&2\n"
                "printf '\\n\\033[31mred\\007\\n' >&2\nprintf '\\n\\033]0;title\\n'\nexit 1\n")
        b.hook_job("api", hooks={"command_bad": Hook("pre_deploy", language="sh", text=text)})
        self.succeed(b.plan())
        out = b.top / "output"
        with open(out, "wb") as file:
            child = subprocess.Popen([os.path.join(bucket.BIN, "maand-apply"), str(b.file()), "--bucket", str(b.path)],
                                     stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=b.environment())
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(child.returncode, 1)
        self.assertLess(usage.ru_maxrss, 200_000, "kB of memory")
        self.assertLess(sum(file.stat().st_size for file in b.path.glob("maand.db*")), 8_000_000)
        self.assertEqual([file.stat().st_size for file in b.control().glob("*/*.out")], [64 << 10])
        self.assertEqual([file.stat().st_size for file in b.control().glob("*/*.err")], [64 << 10])
        shown = out.read_bytes()
        self.assertLess(len(shown), 1_000_000)
        self.assertNotRegex(shown, rb"[\x00-\x08\x0b-\x1f\x7f]")
        lines = [line for line in shown.decode().splitlines() if line.startswith("  std")]
        self.assertEqual(sum(line.endswith("]0;title") and line.startswith("  stdout: \\u{") for line in lines), 1)
        self.assertEqual(sum("[31mred" in line and line.startswith("  stderr: \\u{") for line in lines), 1)

    def test_one_that_a_signal_ends(self):
        self.failing(Hook("post_deploy", language="sh", text="kill -9 $$\n"), "exit status 137, as of signal 9",
                     event="post_deploy")

    def test_no_interpreter(self):
        b = self.bucket(WORKERS[0])
        for name, text, words in (("command_bad.ts", "console.log(1)\n", "bun"),
                                  ("command_bad", "#!/no/such/interpreter\n", "exit status 12")):
            with self.subTest(name):
                b.hook_job("api", hooks={"command_bad": Hook("pre_deploy", language="")})
                (b.workspace / "jobs/api/_modules/command_bad").unlink()
                b.write(f"jobs/api/_modules/{name}", text, executable=name == "command_bad")
                self.succeed(b.plan())
                done = b.apply()
                if name.endswith(".ts") and done.code == 0:
                    self.skipTest("bun is installed here")
                self.refuse(done, 1, f"api/pre_deploy/{WORKERS[0]}/command_bad has failed", "not found", words)
                self.succeed(b.abandon(json.loads(b.status("--format", "json").out)["run"]))


class Scripts(hookbucket.HookCase):
    def test_a_hook_that_alters_its_own_folder(self):
        """The next one runs what was approved all the same."""
        for what, deed in {
                "altered": 'open(os.path.join(os.path.dirname(__file__), "command_then.py"), "a").write("sys.exit(9)")',
                "compiled": 'import py_compile; open("evil.py", "w").write("raise SystemExit(9)")\n'
                            'py_compile.compile("evil.py", os.path.dirname(os.path.abspath(__file__)) + "/__pycache__/note."'
                            ' + sys.implementation.cache_tag + ".pyc",'
                            ' invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)',
                "shadowed": 'for folder in (".hooks", ".hooks/python"):\n'
                            '    for name in ("json", "sitecustomize"):\n'
                            '        open(f"{folder}/{name}.py", "w").write("import os; os._exit(9)")',
                "added": 'open(os.path.join(os.path.dirname(__file__), "json.py"), "w").write("raise SystemExit(9)")',
                "gone": "import shutil; shutil.rmtree(os.path.dirname(__file__))"}.items():
            with self.subTest(what):
                b = self.bucket(WORKERS[0])
                b.hook_job("api", hooks={"command_bad": Hook("pre_deploy", body=deed), "command_then": Hook("pre_deploy"),
                                         "command_end": Hook("post_deploy", language="sh")})
                self.rollout(b)
                self.assertEqual(b.runs(), {(command, WORKERS[0]): 1
                                            for command in ("command_bad", "command_then", "command_end")})
                left = [path.name for path in (b.path / ".hooks/modules").iterdir()]
                self.assertEqual(len(left), 1, left)

    def test_a_folder_that_cannot_be_laid_out(self):
        """The message is a sentence, and the same command goes on when it is put in order."""
        for name in ("modules", "environments"):
            with self.subTest(name):
                b = self.bucket(WORKERS[0])
                deed = f"rm -rf .hooks/{name}; : >.hooks/{name}"
                b.hook_job("api", hooks={"command_bad": Hook("pre_deploy", language="sh", body=deed),
                                         "command_then": Hook("post_deploy", language="sh")})
                done = self.rollout(b, code=1)
                self.refuse(done, 1, f"api/post_deploy/{WORKERS[0]}/command_then", f".hooks/{name}",
                            "cannot be written for hooks: ")
                self.assertNotIn("Domain", done.err)
                (b.path / ".hooks" / name).unlink()
                self.succeed(b.apply("--retry-failed"))

    def test_scripts_that_were_edited_after_planning(self):
        """The planned bytes run: what a script imports, too."""
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy", body="import helper; helper.say()")})
        b.write("jobs/api/_modules/helper.py", 'import note\ndef say(): note.say("approved")\n')
        self.succeed(b.plan())
        b.write("jobs/api/_modules/helper.py", 'import note\ndef say(): note.say("edited")\n')
        b.write("jobs/api/_modules/command_x.py", "raise SystemExit('edited')\n")
        self.succeed(b.apply())
        self.assertEqual(len(b.trace("approved")), 1)
        self.assertEqual(b.trace("edited"), [])

    def test_a_script_that_was_altered_in_the_store(self):
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy", language="sh")})
        self.succeed(b.plan())
        script = b.read_plan()["waves"][0]["jobs"][0]["hooks"]["pre_deploy"][0]
        digest = script["digest"].removeprefix("sha256:")
        stored, = [file for file in (b.path / "store").rglob("*") if file.name in (digest, digest[2:])]
        original = (b.workspace / "jobs/api/_modules/command_x.sh").read_text()
        stored.chmod(0o600)
        stored.write_text(original + "touch ../knobs/altered\n")
        b.write("jobs/api/_modules/command_x.sh", "exit 1\n")
        self.refuse(b.apply(), 65, "_modules/command_x.sh")
        self.assertEqual(b.trace(), [])
        # Where the workspace still has the planned script, that is as good.
        b.write("jobs/api/_modules/command_x.sh", original)
        self.succeed(b.apply())
        self.assertFalse((b.knobs / "altered").exists())
        self.assertEqual(b.runs(), {("command_x", WORKERS[0]): 1})

    PYTHON = '#!/bin/sh\nFROM_VENV=%s exec /usr/bin/python3 "$@"\n'

    def venv_bucket(self):
        b = self.bucket(WORKERS[0])
        body = 'open(note.KNOBS + "/with", "a").write(os.environ.get("FROM_VENV", "no") + "\\n")'
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy", body=body)})
        return b

    def venv(self, b, name="venv"):
        python = b.top / name / "bin/python3"
        python.parent.mkdir(parents=True)
        python.write_text(self.PYTHON % name)
        python.chmod(0o755)
        return python.parent.parent

    def line(self, result):
        """The line for maand.conf, as the message gives it, with a folder of the test."""
        line, = set(re.findall(r"maand\.conf: (hook_venvs = \{.*\})", result.err))
        return line

    def conf(self, b, line):
        with open(b.path / "maand.conf", "a") as file:
            file.write(line + "\n")

    def test_a_virtual_environment_of_the_workspace_is_never_run(self):
        """The plan that was made before is refused as well, and the advice leads on."""
        for name in (".venv", "venv"):
            with self.subTest(name):
                b = self.venv_bucket()
                self.succeed(b.plan())
                plan = b.file().read_text()
                b.write(f"jobs/api/_modules/{name}/bin/python3", self.PYTHON % "workspace", True)
                planning = self.refuse(b.plan(), 65, f"jobs/api/_modules/{name}", "never run")
                applying = self.refuse(b.apply(), 65, f"jobs/api/_modules/{name}", "never run", "Nothing was touched")
                self.assertEqual(self.line(planning), self.line(applying))
                self.assertEqual(b.began(), [])
                self.assertFalse((b.path / "workers").exists())
                self.conf(b, self.line(planning).replace("/opt/maand/venvs/api", str(self.venv(b))))
                self.succeed(b.plan())
                self.assertEqual(b.file().read_text(), plan)
                self.succeed(b.apply())
                self.assertEqual((b.knobs / "with").read_text(), "venv\n")

    def test_hooks_that_are_not_in_python_need_none(self):
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy", language="sh")})
        b.write("jobs/api/_modules/.venv/bin/python3", "x", True)
        self.rollout(b)

    def test_a_virtual_environment_that_others_may_write(self):
        """Each folder on the way, and the interpreter; also where links lead."""
        b = self.venv_bucket()
        venv = self.venv(b)
        self.succeed(b.plan())
        conf = (b.path / "maand.conf").read_text()

        def refused(path, *words):
            (b.path / "maand.conf").write_text(f'{conf}hook_venvs = {{api = "{path}"}}\n')
            self.refuse(b.apply(), 65, "hook_venvs", *words)
            self.assertEqual(b.began(), [])

        for path in (venv, venv / "bin", venv / "bin/python3"):
            path.chmod(0o775)
            refused(venv, "others may write", str(path))
            path.chmod(0o755)
        if os.geteuid() == 0:
            for path in (venv, venv / "bin/python3"):
                os.chown(path, 12345, -1)
                refused(venv, str(path), "belongs to the user 12345")
                os.chown(path, 0, -1)
        refused(b.top / "none", str(b.top / "none"), "does not exist")
        (b.top / "link").symlink_to(b.workspace / "jobs/api/_modules")
        inside = b.workspace / "jobs/api/_modules/bin/python3"
        inside.parent.mkdir()
        inside.write_text(self.PYTHON % "workspace")
        inside.chmod(0o755)
        for path in (b.top / "link", b.workspace / "jobs/api/_modules"):
            refused(path, "on the way", "authors of plans may write")
        (venv / "bin/python3").rename(venv / "bin/python")
        (venv / "bin/python3").symlink_to(inside)
        refused(venv, "on the way", "authors of plans may write")
        (venv / "bin/python3").unlink()
        (venv / "bin/python3").symlink_to("python")
        (b.path / "maand.conf").write_text(f'{conf}hook_venvs = {{api = "{venv}"}}\n')
        shutil.rmtree(inside.parent)
        self.succeed(b.apply())
        self.assertEqual((b.knobs / "with").read_text(), "venv\n")

    def test_a_real_virtual_environment(self):
        b = self.bucket(WORKERS[0])
        venv = b.top / "real"
        made = subprocess.run(
            ["/usr/bin/python3", "-m", "venv", "--without-pip", venv], capture_output=True, text=True, check=False)
        self.assertEqual(made.returncode, 0, made.stderr)
        body = 'import sys; open(note.KNOBS + "/with", "a").write(sys.prefix)'
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy", body=body)})
        self.conf(b, f'hook_venvs = {{api = "{venv}"}}')
        self.rollout(b)
        self.assertEqual((b.knobs / "with").read_text(), str(venv))

    def test_bun_reads_no_files_of_the_bucket(self):
        """It is told so; where there is a real one (MAAND_BUN names it), nothing of such files has an effect."""
        real = os.environ.get("MAAND_BUN")
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy", language="sh")})
        (b.workspace / "jobs/api/_modules/command_x.sh").unlink()
        b.write("jobs/api/_modules/lib.ts", "export const who = 'bound';\n")
        b.write("jobs/api/_modules/command_x.ts",
                'import { who } from "./lib";\nimport { appendFileSync } from "fs";\n'
                'appendFileSync("../knobs/told", [who, process.env.EVIL, (globalThis as any).evil].join(" ") + "\\n");\n')
        tool = b.top / "tools/bun"
        tool.parent.mkdir()
        run = f'exec {real} "$@"' if real else 'for last; do :; done; [ -f "$last" ]'
        tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{b.knobs}/options\n{run}\n')
        tool.chmod(0o755)
        (b.path / "bunfig.toml").write_text('preload = ["./evil.ts"]\n')
        (b.path / ".env").write_text("EVIL=env\n")
        (b.path / "evil.ts").write_text("globalThis.evil = 1;\nexport const who = 'evil';\n")
        (b.path / "tsconfig.json").write_text('{"compilerOptions": {"paths": {"*": ["./evil.ts"]}}}\n')
        self.succeed(b.plan())
        path = f"{tool.parent}:{hookbucket.PATH}"
        self.succeed(b.run_program(os.path.join(bucket.BIN, "maand-apply"), b.file(), "--bucket", b.path, env=b.environment(PATH=path)))
        told = (b.knobs / "options").read_text().splitlines()
        self.assertEqual(
            told[:4], ["--config=/dev/null", "--env-file=/dev/null", "--tsconfig-override=/dev/null", "run"])
        if real:
            self.assertEqual((b.knobs / "told").read_text(), "bound  \n")

    def test_a_digest_of_another_script(self):
        b = self.bucket(WORKERS[0])
        b.hook_job("api", hooks={"command_x": Hook("pre_deploy", language="sh")})
        self.succeed(b.plan())
        script = b.read_plan()["waves"][0]["jobs"][0]["hooks"]["pre_deploy"][0]
        b.file().write_text(b.file().read_text().replace(
            f"digest: {script['digest']}", "digest: sha256:" + "0" * 64))
        self.refuse(b.apply(), 65, "api: the plan has another digest of _modules/command_x.sh than its files", "Plan again")
        self.assertEqual(b.trace(), [])
