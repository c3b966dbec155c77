"""The worked example in plans/ci: what its scripts do, and that its jobs call them as they are."""
import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest

import yaml

import bucket

CI = pathlib.Path(__file__).resolve().parents[2] / "plans/ci"
WORKERS = ["127.0.12.1", "127.0.12.2"]


class Scripts(bucket.Case):
    """One repository as a checkout, and the bucket on the host that applies."""

    def setUp(self):
        self.b = b = bucket.Bucket(self)
        b.workers(*WORKERS)
        b.job("api")
        self.checkout = b.top / "checkout"
        self.out = b.top / "out"
        self.catalog = b.top / "catalog.yaml"
        self.environment = {**os.environ, "PATH": f"{bucket.BIN}:{os.environ['PATH']}"}
        self.clone()

    def clone(self):
        """The workspace as it is now becomes the branch's; the bucket's own is what was merged before."""
        shutil.rmtree(self.checkout, ignore_errors=True)
        self.checkout.mkdir()
        shutil.copy(self.b.path / "maand.conf", self.checkout)
        shutil.copytree(self.b.workspace, self.checkout / "workspace")

    def plan(self, *flags):
        return self.b.run_program(CI / "plan.sh", self.checkout, self.out, self.catalog, *flags, env=self.environment)

    def apply(self, *flags, **env):
        result = self.b.run_program(CI / "apply.sh", self.checkout, self.b.path, self.out / "rollout.plan.yaml", *flags,
                                    env={**self.environment, **env})
        if (self.b.path / "catalog.yaml").exists():
            shutil.copy(self.b.path / "catalog.yaml", self.catalog)
        return result

    def test_plan_review_merge(self):
        self.succeed(self.plan())
        self.assertEqual((self.out / "changes").read_text(), "true\n")
        self.assertIn("api", (self.out / "rollout.md").read_text())
        self.assertFalse((self.b.path / "workers").exists())
        self.succeed(self.apply())
        self.assertEqual(len(self.b.targets()), 2)
        # The next branch plans against what the last rollout has left.
        before = (self.b.workspace / "jobs/api/manifest.json").read_text()
        self.b.job("api", "2.0.0")
        self.clone()
        self.b.write("jobs/api/manifest.json", before)
        self.succeed(self.plan())
        plan = yaml.safe_load((self.out / "rollout.plan.yaml").read_text())
        self.assertEqual(plan["summary"]["restart"], 2)
        self.succeed(self.apply())
        self.assertEqual({row.new for row in self.b.rows()}, {"1.0.0", "2.0.0"})
        self.assertEqual(len(self.b.targets()), 4)
        # The job run again touches nothing; a branch without changes says so.
        self.assertIn("Done already", self.succeed(self.apply()).out)
        self.succeed(self.plan())
        self.assertEqual((self.out / "changes").read_text(), "false\n")

    def test_something_else_was_rolled_out_meanwhile(self):
        self.succeed(self.plan())
        reviewed = (self.out / "rollout.plan.yaml").read_bytes()
        self.b.job("api", "3.0.0")
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.b.forget()
        result = self.apply()
        self.assertEqual(result.code, 3, result.err)
        self.assertEqual(self.b.began(), [])
        self.assertEqual((self.out / "rollout.plan.yaml").read_bytes(), reviewed)
        self.assertIn("Stale", result.out)
        # What was merged is not the bucket's, and nothing is left over.
        self.assertIn("3.0.0", (self.b.workspace / "jobs/api/manifest.json").read_text())
        self.assertEqual(sorted(path.name for path in self.b.path.glob("*work*")), ["workers", "workspace"])

    def test_killed_between_the_workspaces(self):
        self.succeed(self.plan())
        before = (self.b.workspace / "jobs/api/manifest.json").read_text()
        shutil.move(self.b.workspace, self.b.path / "workspace.old")
        for leftover in (False, True):
            if leftover:
                shutil.copytree(self.checkout / "workspace", self.b.workspace)
                self.b.write("jobs/api/manifest.json", "{}")
            self.succeed(self.apply())
            self.assertEqual((self.b.workspace / "jobs/api/manifest.json").read_text(), before)
            self.assertEqual(list(self.b.path.glob("workspace.*")), [])
            shutil.copytree(self.b.workspace, self.b.path / "workspace.old")
            shutil.rmtree(self.b.workspace)

    def test_bad_workspace(self):
        (self.checkout / "workspace/workers.json").write_text("[")
        self.refuse(self.plan(), 65, "workers.json:1:")
        self.assertFalse((self.out / "rollout.md").exists())

    def test_parked_and_continued_when_the_workspace_has_moved_on(self):
        self.succeed(self.plan("--window", "2099-12-01T22:00 for 1h in UTC"))
        result = self.apply()
        self.assertEqual(result.code, 75, result.err)
        self.assertIn("maand-plan schedule", result.out)
        shutil.rmtree(self.b.workspace / "jobs/api")
        shutil.rmtree(self.checkout / "workspace")
        inside = str(4099845600 - int(time.time()))
        self.succeed(self.apply(MAAND_TIME_OFFSET=inside))
        self.assertEqual(len(self.b.targets()), 2)

    def test_approvals_are_committed(self):
        etc = self.b.top / "etc"
        etc.mkdir(mode=0o755)
        for name in ("anna", "ben"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", etc / name], check=True)
        (etc / "signers").write_text("".join(f"{name} {(etc / f'{name}.pub').read_text()}" for name in ("anna", "ben")))
        (etc / "policy.toml").write_text('approvals_required = 2\nallowed_signers = "signers"\nmax_age = "7d"\n')
        for name in ("signers", "policy.toml"):
            (etc / name).chmod(0o644)
        policy = {"MAAND_POLICY": str(etc / "policy.toml")}
        # The branch is planned as the worked example does it.
        (self.checkout / "ci").symlink_to(CI)
        jobs = yaml.safe_load((CI / "github-actions.yml").read_text())["jobs"]
        script = next(step["run"] for step in jobs["plan"]["steps"] if step.get("name") == "Plan")

        def commit(age=0):
            when = f"@{int(time.time()) - age} +0000"
            person = {"NAME": "anna", "EMAIL": "anna@example.org", "DATE": when}
            who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
            subprocess.run(["git", "add", "."], cwd=self.checkout, check=True)
            subprocess.run(["git", "commit", "-qm", "x"], cwd=self.checkout, check=True, env={**self.environment, **who})

        def plan():
            self.succeed(self.b.run_program("bash", "-euc", script, cwd=self.checkout, env=self.environment))
            shutil.rmtree(self.out, ignore_errors=True)
            shutil.move(self.checkout / "out", self.out)

        subprocess.run(["git", "init", "-q"], cwd=self.checkout, check=True)
        commit(age=86400)
        plan()
        self.refuse(self.apply(**policy), 77, "asks for 2 approvals")
        # As the README of the example says it.
        block = re.search(r"   ```\n(.*?)   ```", (CI / "README.md").read_text(), re.S).group(1)
        for name in ("anna", "ben"):
            commands = block.replace("~/.ssh/id_ed25519", str(etc / name)).replace("anna.sig", f"{name}.sig")
            subprocess.run(["bash", "-euc", commands.replace("rollout.plan.yaml", str(self.out / "rollout.plan.yaml"))],
                           cwd=self.checkout, check=True, capture_output=True)
        # The plan of the branch with the approvals is the same.
        reviewed = (self.out / "rollout.plan.yaml").read_bytes()
        commit()
        plan()
        self.assertEqual((self.out / "rollout.plan.yaml").read_bytes(), reviewed)
        self.succeed(self.apply(**policy))
        self.assertEqual(len(self.b.targets()), 2)


class Repository(bucket.Case):
    """A bucket as `init` makes it is a repository from which another machine can plan."""

    def git(self, *arguments):
        return subprocess.run(["git", "-C", str(self.folder), *arguments], check=True, capture_output=True, text=True).stdout

    def setUp(self):
        self.b = bucket.Bucket(self)
        shutil.rmtree(self.b.path)
        self.folder = self.b.path

    def init(self, transport="local"):
        return self.b.run_in(self.b.top, "maand-plan", "init", self.folder, "--transport", transport)

    def test_secrets_and_what_is_recorded_stay_out(self):
        self.folder.mkdir()
        self.git("init", "-q")
        self.succeed(self.init())
        self.succeed(self.b.run("maand-plan", "kv", "put", "vars/job/hello", "color", "blue"))
        value = self.b.top / "value"
        value.write_text("hidden")
        with value.open() as file:
            done = subprocess.run(
                [os.path.join(bucket.BIN, "maand-plan"), "kv", "put", "secrets/job/hello", "password"], stdin=file,
                cwd=self.folder, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.succeed(self.b.run("maand-plan", "deploy", "-o", "first.plan.yaml"))
        self.succeed(self.b.run("maand-apply", "first.plan.yaml"))
        (self.folder / "secrets/worker.key").write_text("private\n")
        (self.folder / "secrets/known_hosts").write_text("host ssh-ed25519 AAAA\n")
        self.succeed(self.b.run("maand-plan", "catalog", "backup", "maand.db.monday"))
        for path in (".hooks/x", "workspace/jobs/hello/_modules/.venv/x"):
            (self.folder / path).parent.mkdir(parents=True)
            (self.folder / path).write_text("x")
        self.git("add", ".")
        self.assertEqual(
            [path for path in self.git("ls-files").splitlines() if not path.startswith("workspace/")],
            [".gitattributes", ".gitignore", "first.plan.yaml", "maand.conf", "secrets/known_hosts"])
        self.assertEqual(
            [path for path in self.git("ls-files", "workspace").splitlines() if "_modules" in path], [])
        # A checkout that converts line endings wherever it may plans the same.
        self.git("-c", "user.name=anna", "-c", "user.email=anna@example.org", "commit", "-qm", "x")
        self.succeed(self.b.run("maand-plan", "catalog", "export"))
        catalog = self.b.top / "catalog.yaml"
        catalog.write_text(self.b.run("maand-plan", "catalog", "export").out)
        self.succeed(self.b.run("maand-plan", "deploy", "--force", "-o", self.b.top / "here.plan.yaml"))
        clone = self.b.top / "clone"
        subprocess.run(["git", "-c", "core.autocrlf=true", "clone", "-q", self.folder, clone], check=True)
        self.succeed(self.b.run_in(
            clone, "maand-plan", "deploy", "--force", "--catalog", catalog, "-o", self.b.top / "there.plan.yaml"))
        self.assertEqual(
            (self.b.top / "there.plan.yaml").read_bytes(), (self.b.top / "here.plan.yaml").read_bytes())

    def test_what_is_there_stays(self):
        self.succeed(self.init())
        ours = (self.folder / ".gitattributes").read_text()
        (self.folder / ".gitignore").write_text("mine\n")
        (self.folder / ".gitattributes").unlink()
        self.succeed(self.init())
        self.assertEqual((self.folder / ".gitignore").read_text(), "mine\n")
        self.assertEqual((self.folder / ".gitattributes").read_text(), ours)
        (self.folder / "maand.conf").unlink()
        self.refuse(self.init(), 65, "it has lost its maand.conf")

    def test_a_workspace_becomes_a_bucket(self):
        self.folder.mkdir(exist_ok=True)
        workspace = self.folder / "workspace"
        (workspace / "jobs").mkdir(parents=True)
        (workspace / "workers.json").write_text("[]\n")
        self.succeed(self.init())
        self.assertEqual("[]\n", (workspace / "workers.json").read_text())
        self.assertEqual([], list((workspace / "jobs").iterdir()))
        self.assertIn("nothing to do", self.succeed(
            self.b.run("maand-plan", "deploy", "--bucket", self.folder, "-o", self.b.top / "p.yaml")).err)

    def test_what_is_no_bucket_stays(self):
        self.folder.mkdir(exist_ok=True)
        (self.folder / "notes").write_text("mine\n")
        self.refuse(self.init(), 65, "neither empty nor a bucket")


class Jobs(unittest.TestCase):
    def scripts(self, text):
        return re.findall(r"\bci/(\w+\.sh)", text)

    def test_github(self):
        text = (CI / "github-actions.yml").read_text()
        jobs = yaml.safe_load(text)["jobs"]
        self.assertEqual(list(jobs), ["plan", "apply"])
        steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
        self.assertEqual(sum((self.scripts(step) for step in steps), []), ["plan.sh", "apply.sh"])
        for step in steps:
            subprocess.run(["bash", "-n"], input=re.sub(r"\$\{\{.*?\}\}", "x", step), text=True, check=True)
        self.assertNotIn("self-hosted", str(jobs["plan"]["runs-on"]), "branches run nowhere near the hosts")

    def test_gitlab(self):
        text = (CI / "gitlab-ci.yml").read_text()
        jobs = yaml.safe_load(text)
        steps = [step for name in ("plan", "apply") for step in jobs[name]["script"]]
        self.assertTrue(all(isinstance(step, str) for step in steps), steps)
        self.assertEqual(sum((self.scripts(step) for step in steps), []), ["plan.sh", "apply.sh"])
        for step in steps:
            subprocess.run(["bash", "-n"], input=step, text=True, check=True)
        self.assertEqual(jobs["apply"]["allow_failure"], {"exit_codes": [75]})

    def test_the_scripts_are_there(self):
        for name in ("plan.sh", "apply.sh"):
            self.assertTrue(os.access(CI / name, os.X_OK))
            subprocess.run(["sh", "-n", CI / name], check=True)
