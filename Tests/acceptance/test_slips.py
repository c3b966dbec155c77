"""Slips of people: names with a typing error, options in another place, keys that others can read. Each is named, and nothing
is done that was not meant."""
import pathlib
import subprocess

import bucket
from test_ssh import SSHCase

WORKERS = ["127.0.7.1", "127.0.7.2"]


class Names(bucket.Case):
    """A file with a slip in its name is not read, so a guard in it would not hold."""

    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)
        self.b.job("api")

    def test_files_of_the_workspace(self):
        for name, meant in (("disabeld.json", "disabled.json"), ("disable.json", "disabled.json"),
                            ("disabled.yaml", "disabled.json"), ("Disabled.json", "disabled.json"),
                            ("freezes.yml", "freezes.yaml"), ("freeze.yaml", "freezes.yaml"),
                            ("bucket.cnf", "bucket.conf"), ("bucket.job.conf", "bucket.jobs.conf"),
                            ("secrets.tml", "secrets.toml")):
            with self.subTest(name):
                self.b.write(name, "{}")
                self.refuse(self.b.plan(), 65, f"workspace/{name}: error: did you mean {meant}?", "rename it")
                (self.b.workspace / name).unlink()
        self.succeed(self.b.plan())

    def test_a_freeze_with_a_slip_in_its_name_holds_a_plan_that_is_ready(self):
        self.succeed(self.b.plan())
        self.b.write("freezes.yml", "freezes: []\n")
        self.refuse(self.b.apply(), 65, "freezes.yaml", "Did you mean it by freezes.yml?")
        self.assertEqual(self.b.began(), [])
        (self.b.workspace / "freezes.yml").unlink()
        self.succeed(self.b.apply())

    def test_files_of_a_job(self):
        job = self.b.workspace / "jobs/api"
        for name, meant in (("Makefil", "Makefile"), ("MakeFile", "Makefile"), ("Makefile.tlp", "Makefile.tpl")):
            with self.subTest(name):
                (job / "Makefile").rename(job / name)
                self.refuse(self.b.plan(), 65, f"jobs/api/{name}: error: did you mean {meant}?")
                (job / name).rename(job / "Makefile")
        (job / "manifest.json").rename(job / "manifets.json")
        self.refuse(self.b.plan(), 65, "jobs/api/manifets.json: error: did you mean manifest.json?")

    def test_a_job_of_which_all_names_are_wrong_is_not_left_out(self):
        self.b.write("jobs/web/manifest.yaml", "{}")
        self.refuse(self.b.plan(), 65, "jobs/web/manifest.yaml: error: did you mean manifest.json?")

    def test_a_folder_with_hooks(self):
        for name, meant in (("modules", "_modules"), ("_module", "_modules"), ("_hook", "_hooks"), ("hooks", "_hooks")):
            with self.subTest(name):
                self.b.write(f"jobs/api/{name}/command_check.py", "print(1)\n")
                self.refuse(self.b.plan(), 65, f"jobs/api/{name}: error: did you mean {meant}?", "do not run")
                (self.b.workspace / f"jobs/api/{name}/command_check.py").unlink()
                (self.b.workspace / f"jobs/api/{name}").rmdir()
        # A folder of this name with anything else in it is a folder of the job.
        self.b.write("jobs/api/modules/app.js", "1\n")
        self.succeed(self.b.plan())

    def test_the_folder_of_all_jobs(self):
        (self.b.workspace / "jobs").rename(self.b.workspace / "job")
        self.refuse(self.b.plan(), 65, "workspace/job: error: did you mean jobs?")

    def test_copies_of_people_and_editors_are_left_alone(self):
        for name in ("disabled.json~", "disabled.json.bak", "workers.json.orig", ".disabled.json.swp", "freezes.yaml.example"):
            self.b.write(name, "{}")
        # The right one is there.
        self.b.write("workers.jso", "")
        self.b.write("jobs/api/Makefile2", "")
        self.succeed(self.b.plan())

    def test_the_configuration_of_the_bucket(self):
        (self.b.path / "maand.conf").rename(self.b.path / "mand.conf")
        for command in (("maand-plan", "deploy"), ("maand-apply", "status")):
            self.refuse(self.b.run(*command, "--bucket", self.b.path), 65, "did you mean it by", "mand.conf")


class Makefiles(bucket.Case):
    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS[:1])

    def test_a_second_one_is_an_error(self):
        for name in ("GNUmakefile", "makefile", "GNUmakefile.tpl"):
            with self.subTest(name):
                self.b.job("api", files={name: "start:\n\t@false\n"})
                self.refuse(self.b.plan(), 65, "job api has two makefiles", "remove")

    def test_the_one_that_was_reviewed_runs(self):
        """Also if a service has put another one beside it."""
        self.b.job("api", make="start:\n\t@mkdir -p data; echo reviewed >>data/log\nrestart: start\nstop:\n\t@true\n")
        self.succeed(self.b.plan())
        folder = self.b.job_dir(WORKERS[0], "api")
        folder.mkdir(parents=True)
        (folder / "GNUmakefile").write_text("start:\n\t@mkdir -p data; echo other >>data/log\n")
        self.succeed(self.b.apply())
        self.assertEqual((folder / "data/log").read_text(), "reviewed\n")


class CommandLine(bucket.Case):
    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)
        self.b.job("api")
        self.succeed(self.b.plan())

    def failed(self):
        self.b.fail("api", WORKERS[0])
        self.succeed(self.b.apply(), 1)

    def test_options_before_the_command(self):
        self.succeed(self.b.apply())

        for words in (("maand-apply", "--bucket", self.b.path, "status"), ("maand-apply", f"--bucket={self.b.path}", "history"),
                      ("maand-plan", "--bucket", self.b.path, "catalog", "jobs")):
            self.succeed(self.b.run_in(self.b.top, *words))
        done = self.b.run_in(self.b.top, "maand-plan", "--bucket", self.b.path, "deploy", "-o", "b.plan.yaml")
        self.succeed(done)

    def test_a_reason_that_begins_with_a_dash(self):
        self.failed()
        self.succeed(self.b.run("maand-apply", "abandon", "1", "--reason", "-5 hosts", "--bucket", self.b.path))
        self.assertIn("-5 hosts", self.b.run("maand-apply", "history", "--bucket", self.b.path).out)

    def test_a_file_that_begins_with_a_dash(self):
        (self.b.path / "-dash.yaml").write_bytes(self.b.file().read_bytes())
        self.refuse(self.b.run("maand-apply", "-dash.yaml", "--bucket", self.b.path), 64, "./-dash.yaml")
        self.refuse(self.b.run("maand-plan", "show", "-dash.yaml"), 64, "./-dash.yaml")
        self.assertEqual(self.b.began(), [])
        self.succeed(self.b.run("maand-apply", "./-dash.yaml", "--bucket", self.b.path))

    def test_help_shows_what_people_mostly_want(self):
        for words in (["--help"], ["-h"]):
            text = self.b.run("maand-apply", *words).out
            for part in ("maand-apply [<options>] <plan>", "--retry-failed", "--dry-run", "status", "SUBCOMMANDS"):
                self.assertIn(part, text)

    def test_the_number_of_the_run_may_be_left_out(self):
        self.refuse(self.b.run("maand-apply", "abandon", "--reason", "x", "--bucket", self.b.path), 65, "nothing to decide")
        self.failed()
        self.succeed(self.b.run("maand-apply", "pause", "--reason", "x", "--bucket", self.b.path))
        self.refuse(
            self.b.run("maand-apply", "resolve", "api/upgrade/1", "succeeded", "--reason", "x", "--bucket", self.b.path), 65)
        self.refuse(self.b.run("maand-apply", "resolve", "api", "--reason", "x", "--bucket", self.b.path), 64, "succeeded or failed")
        self.succeed(self.b.run("maand-apply", "abandon", "--reason", "x", "--bucket", self.b.path))

    def test_what_is_copied_is_quoted(self):
        self.refuse(self.b.run("maand-apply", "my plan.yaml", "--bucket", self.b.path), 65, "-o 'my plan.yaml'")
        folder = self.b.top / "it's new"
        done = self.b.run("maand-plan", "init", folder, "--transport", "local")
        self.succeed(done)
        line = done.err.split("`")[1] if "`" in done.err else done.out.split("`")[1]
        shown = subprocess.run(
            ["sh", "-c", f"set -- {line}; printf '%s\\n' \"$4\""], capture_output=True, text=True, check=True).stdout
        self.assertEqual(shown.strip(), str(folder))

    def test_init_says_whose_fault_it_is(self):
        full = self.b.top / "full"
        full.mkdir()
        (full / "x").write_text("")
        self.refuse(self.b.run("maand-plan", "init", full), 65, "neither empty nor a bucket")
        self.refuse(self.b.run("maand-plan", "init", self.b.top / "no" / "where"), 1, "No such file")


class Windows(bucket.Case):
    def test_a_window_without_a_gap_is_shown_as_such(self):
        b = bucket.Bucket(self)
        b.workers(*WORKERS[:1])
        b.job("api")
        self.succeed(b.plan("--window", "daily 06:00 for 24h in Europe/Berlin cutoff 1h"))
        text = b.run("maand-plan", "show", b.file(), "--bucket", b.path).out
        self.assertIn("always open", text)
        self.assertNotIn("next opening", text)
        self.succeed(b.apply())


class Accounts(SSHCase):
    """A login that runs something else says so, and what it printed is shown."""

    def test_a_login_that_runs_no_commands(self):
        for force, said in (("/usr/sbin/nologin", "This account is currently not available."),
                            ("echo This account may only deploy; exit 1", "This account may only deploy"),
                            ("internal-sftp", "sftp")):
            with self.subTest(force):
                fleet, b = self.lay(1, f"ForceCommand {force}")
                done = b.apply()
                self.refuse(done, 69, said, "a shell that runs commands")
                fleet.remove()

    def test_a_key_that_others_may_read(self):
        fleet, b = self.lay(1)
        key = pathlib.Path(fleet.dir / "id_ed25519")
        key.chmod(0o644)
        done = b.apply()
        self.refuse(done, 65, "other users of this host may read it (mode 644)", "chmod 600")
        command = (done.out + done.err).split("run: ")[1].split(". `ssh_key`")[0]
        subprocess.run(["sh", "-c", command], check=True)
        self.succeed(b.apply())
