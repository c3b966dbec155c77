"""`maand-plan adopt`: a bucket that the real Maand has left, over real sshd workers restored from what lay on them."""
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tarfile

import bucket
from test_ssh import Fleet, sshd

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures/maand"
HOSTS = [f"127.0.1.{number}" for number in range(1, 5)]


class Adoption(bucket.Case):
    state = "settled"

    def setUp(self):
        if not sshd():
            self.skipTest("sshd is not installed")
        self.fleet = Fleet(self, 4)
        self.b = bucket.Bucket(self)
        self.expected = json.loads((FIXTURES / self.state / "expect.json").read_text())
        shutil.rmtree(self.b.path)
        self.lay(self.b.path)
        for number, host in enumerate(HOSTS, 1):
            with tarfile.open(FIXTURES / self.state / f"workers/{host}.tar.gz") as tar:
                tar.extractall(self.fleet.root(number))

    def lay(self, path):
        path.mkdir()
        for name in ("maand.conf", "workspace", "secrets", "data"):
            source = FIXTURES / self.state / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, path / name)
        # Maand ignores keys of ours.
        conf = (path / "maand.conf").read_text().replace("use_sudo = true", "use_sudo = false")
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        conf = conf.replace("ssh_user = 'agent'", f"ssh_user = '{user}'")
        conf = conf.replace("ssh_port = 0", f"ssh_port = {self.fleet.port}")
        (path / "maand.conf").write_text(conf + f"worker_root = '{self.fleet.dir / 'root'}'\n")
        shutil.copy(self.fleet.dir / "id_ed25519", path / "secrets/worker.key")
        shutil.copy(self.fleet.dir / "known_hosts", path / "secrets/known_hosts")
        for key in (path / "secrets").glob("*.key"):
            key.chmod(0o600)

    def adopt(self, *words, path=None):
        return self.b.run("maand-plan", "adopt", *words, "--bucket", path or self.b.path)

    def calls(self, number, job):
        file = self.fleet.root(number) / self.expected["bucket_id"] / "jobs" / job / "data/calls"
        return file.read_text().splitlines() if file.exists() else []

    def sums(self, folder, *left_out):
        return {
            str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(folder.rglob("*")) if file.is_file() and file.relative_to(folder).parts[0] not in left_out}

    def pass_the_gate(self):
        """The check of ledger is `test -d /opt/worker`. An empty folder harms nobody, and other tests may need it, too."""
        try:
            os.makedirs("/opt/worker", exist_ok=True)
        except PermissionError:
            self.skipTest("only root can make /opt/worker, which the job's check looks for")

    def workers_files(self):
        return {number: self.sums(self.fleet.root(number)) for number in range(1, 5)}


class Settled(Adoption):
    def test_nothing_is_to_be_done(self):
        before, there = self.sums(self.b.path), self.workers_files()
        told = self.succeed(self.adopt())
        after = self.sums(self.b.path, "maand.db", "store", ".gitignore", ".gitattributes", "apply.lock")
        changed = {name for name in before if before[name] != after.get(name)}
        self.assertEqual({"maand.conf"}, changed)
        self.assertEqual(set(before), {name for name in after if not name.startswith("maand.db")})
        self.assertEqual(there, self.workers_files())
        line = f'bucket_id = "{self.expected["bucket_id"]}"\n'
        self.assertTrue((self.b.path / "maand.conf").read_text().startswith(line))
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do; 6 unchanged", planned.out + planned.err)
        status = self.succeed(self.b.run("maand-apply", "status", "--bucket", self.b.path)).out
        self.assertIn("taken over from Maand", status)
        self.assertNotIn("waiting", status)
        rows = {(row["job"], row["worker"]): row
                for row in json.loads(self.succeed(self.b.catalog("allocations", "--format", "json")).out)}
        for entry in self.expected["allocations"]:
            row = rows.get((entry["job"], entry["worker"]))
            if entry["state"] == "removed":
                self.assertIsNone(row)
                self.assertIn(entry["job"], told.out)
                continue
            self.assertEqual(entry["catalog_version"], row["promoted"]["version"])
            self.assertEqual("stopped" if entry["state"] == "disabled" else "active", row["standing"])

    def test_values_ports_and_certificates(self):
        self.succeed(self.adopt())
        for place, value in self.expected["kv_to_take_over"].items():
            namespace, key = place.split(" ")
            words = ["--reveal"] if namespace.startswith("secrets") else []
            shown = self.succeed(self.b.run("maand-plan", "kv", "get", namespace, key, *words, "--bucket", self.b.path))
            self.assertEqual(value.removesuffix(" (decrypted)"), shown.out.strip())
        with sqlite3.connect(self.b.path / "maand.db") as db:
            self.assertEqual(self.expected["ports"], dict(db.execute("SELECT name, number FROM port")))
            found = {print for (print,) in db.execute("SELECT upper(fingerprint) FROM certificate")}
        self.assertEqual(
            {text.replace(":", "") for text in self.expected["certificates_sha256"].values()}, found)
        self.assertEqual(
            (FIXTURES / "settled/secrets/kv.key").read_bytes(), (self.b.path / "secrets/kv.key").read_bytes())

    def test_again_changes_nothing(self):
        self.succeed(self.adopt())
        export = self.succeed(self.b.catalog("export")).out
        conf = (self.b.path / "maand.conf").read_bytes()
        told = self.succeed(self.adopt())
        self.assertIn("7 allocations were recorded before", told.out)
        self.assertEqual(export, self.succeed(self.b.catalog("export")).out)
        self.assertEqual(conf, (self.b.path / "maand.conf").read_bytes())
        # Also with a key that cannot open Maand's secrets.
        self.succeed(self.b.run("maand-plan", "kv", "rotate-key", "--bucket", self.b.path))
        self.succeed(self.adopt())
        self.assertEqual(export, self.succeed(self.b.catalog("export")).out)

    def test_links_and_odd_names_are_as_maand_has_pushed_them(self):
        """Maand pushes what a link leads to; versions may have blanks around them, and fields any case of letters."""
        job = self.b.path / "workspace/jobs/edgecache"
        (job / "sub").mkdir()
        (job / "sub/a b\\c.txt").write_text("text\n")
        (job / "sub/link").symlink_to("a b\\c.txt")
        (job / "link").symlink_to("sub/link")
        (job / "manifest.json").write_text(json.dumps({**json.loads((job / "manifest.json").read_text()), "Version": " 1.0 "}))
        with sqlite3.connect(self.b.path / "data/maand.db") as db:
            (text,) = db.execute("SELECT current_files FROM hash WHERE namespace = 'edgecache_allocation'").fetchone()
            files = json.loads(text)
            for name in ("sub/a b\\c.txt", "sub/link", "link", "manifest.json"):
                files[name] = hashlib.md5((job / name).read_bytes()).hexdigest()
                there = self.on_worker(4, "edgecache") / name
                there.parent.mkdir(exist_ok=True)
                there.write_bytes((job / name).read_bytes())
            db.execute(
                "UPDATE hash SET current_files = ?1, previous_files = ?1, current_version = '1.0'"
                " WHERE namespace = 'edgecache_allocation'", [json.dumps(files)])
        self.succeed(self.adopt())
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do; 6 unchanged", planned.out + planned.err)
        (job / "sub/a b\\c.txt").write_text("other\n")
        self.change("edgecache", Version=" 1.1 ")
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.assertEqual("other\n", self.on_worker(4, "edgecache/link").read_text())
        self.assertEqual({HOSTS[3]: "1.1"}, self.promoted("edgecache"))

    def test_a_copy_leaves_the_original(self):
        before = self.sums(self.b.path)
        copy = self.b.top / "copy"
        self.succeed(self.adopt("--from", self.b.path, path=copy))
        self.assertEqual(before, self.sums(self.b.path))
        planned = self.succeed(
            self.b.run("maand-plan", "deploy", "-o", copy / "p.yaml", "--bucket", copy))
        self.assertIn("nothing to do", planned.out + planned.err)
        self.succeed(self.adopt("--from", self.b.path, path=copy))

    def test_a_copy_is_not_made_into_the_original(self):
        before = self.sums(self.b.path)
        for place in (self.b.path, self.b.path / "copy"):
            self.refuse(self.adopt("--from", self.b.path, path=place), 65, "which --from leaves as it is")
        self.assertEqual(before, self.sums(self.b.path))

    def test_a_dry_run_writes_nothing(self):
        before, there = self.sums(self.b.path), self.workers_files()
        told = self.succeed(self.adopt("--dry-run"))
        self.assertIn("would be", told.out)
        self.assertEqual(before, self.sums(self.b.path))
        self.assertEqual(there, self.workers_files())

    def change(self, job, **fields):
        file = self.b.path / f"workspace/jobs/{job}/manifest.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **fields}, indent=2) + "\n")

    def test_a_new_version_acts_on_its_job_alone(self):
        self.succeed(self.adopt())
        before = {(number, job): self.calls(number, job) for number in range(1, 5) for job in ("ledger", "edgecache")}
        self.change("front", version="1.3")
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        for number in (1, 2, 4):
            self.assertEqual("reload 1.2 1.3", self.calls(number, "front")[-1])
        self.assertEqual("stop  ", self.calls(3, "front")[-1])
        self.assertEqual(before, {key: self.calls(*key) for key in before})
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do", planned.out + planned.err)

    def test_a_changed_hook_restarts_its_job(self):
        self.pass_the_gate()
        self.succeed(self.adopt())
        (self.b.path / "workspace/jobs/ledger/_modules/helper.py").write_text("def marker():\n    return 'one'\n\n")
        planned = self.succeed(self.b.plan())
        self.assertIn("2 to restart; 4 unchanged", planned.out + planned.err)
        self.succeed(self.b.apply())
        for number in (1, 2):
            self.assertEqual("restart v2 v2", self.calls(number, "ledger")[-1])
            self.assertFalse((self.fleet.root(number) / self.expected["bucket_id"] / "jobs/ledger/_modules").exists())

    def test_files_keep_their_modes(self):
        self.pass_the_gate()
        self.succeed(self.adopt())
        script = self.b.path / "workspace/jobs/ledger/schema/002.sql"
        script.write_text("select 1;\n")
        script.chmod(0o644)
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        pushed = self.fleet.root(1) / self.expected["bucket_id"] / "jobs/ledger/schema/002.sql"
        self.assertEqual("select 1;\n", pushed.read_text())
        self.assertEqual(0o755, pushed.stat().st_mode & 0o777)

    def test_an_enabled_allocation_is_started_with_its_version(self):
        self.succeed(self.adopt())
        (self.b.path / "workspace/disabled.json").unlink()
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.assertEqual("start 1.2 1.2", self.calls(3, "front")[-1])

    def test_a_removed_job_is_stopped_and_its_files_go(self):
        self.succeed(self.adopt())
        shutil.rmtree(self.b.path / "workspace/jobs/edgecache")
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.assertEqual("stop 0.0.0 0.0.0", self.calls(4, "edgecache")[-1])
        folder = self.fleet.root(4) / self.expected["bucket_id"] / "jobs/edgecache"
        self.assertFalse((folder / "Makefile").exists())
        self.assertTrue((folder / "logs/out.log").exists())

    def test_what_somebody_changed_on_a_worker_is_unfinished(self):
        (self.fleet.root(1) / self.expected["bucket_id"] / "jobs/ledger/schema/001.sql").write_text("other\n")
        told = self.succeed(self.adopt())
        self.assertRegex(told.out, r"ledger +127\.0\.1\.1 +unfinished +v2 +the worker has other files than were promoted")
        planned = self.succeed(self.b.plan())
        self.assertIn("1 to restart; 5 unchanged", planned.out + planned.err)

    def test_without_host_keys_nothing_is_recorded(self):
        (self.b.path / "secrets/known_hosts").unlink()
        before = self.sums(self.b.path)
        refused = self.refuse(self.adopt(), 65, "ssh-keyscan", HOSTS[0], HOSTS[3])
        self.assertEqual(before, self.sums(self.b.path))
        self.assertIn(f"-p {self.fleet.port}", refused.err)

    def test_without_a_word_on_sudo_it_asks_for_one(self):
        conf = self.b.path / "maand.conf"
        conf.write_text(conf.read_text().replace("use_sudo = false\n", ""))
        self.refuse(self.adopt(), 65, "use_sudo = false")

    def test_a_silent_worker_is_taken_over_later(self):
        self.fleet("kill", 2)
        self.refuse(self.adopt(), 69, HOSTS[1], "repeat the command")
        self.refuse(self.b.plan(), 65, "maand-plan adopt")
        self.fleet("start", 2)
        self.succeed(self.adopt())
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do; 6 unchanged", planned.out + planned.err)

    def test_without_the_database_the_workers_say_what_lies_there(self):
        shutil.rmtree(self.b.path / "data")
        told = self.succeed(self.adopt())
        self.assertIn("maand.db is lost", told.out)
        self.assertTrue((self.b.path / "maand.conf").read_text().startswith(f'bucket_id = "{self.expected["bucket_id"]}"'))
        # Of ledger the files cannot be made without its secret and certificates.
        self.succeed(self.b.run("maand-plan", "kv", "put", "vars/job/ledger", "seeded", "one", "--bucket", self.b.path))
        planned = self.succeed(self.b.plan("--jobs", "edgecache,front"))
        self.assertIn("to reload", planned.out + planned.err)
        for job in ("front", "edgecache"):
            self.assertRegex(told.out, rf"{job} +127\.0\.1\.4 +unfinished")

    def test_a_refresh_keeps_what_was_taken_over(self):
        self.pass_the_gate()
        self.succeed(self.adopt())
        self.succeed(self.b.catalog("refresh"))
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do; 6 unchanged", planned.out + planned.err)
        # Also what has run a target since, and has no list of its files.
        restart = self.b.file("restart.yaml")
        self.succeed(self.b.run("maand-plan", "restart", "ledger", "-o", restart, "--bucket", self.b.path))
        self.succeed(self.b.apply(plan="restart.yaml"))
        self.change("front", version="1.3")
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.succeed(self.b.catalog("refresh"))
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do; 6 unchanged", planned.out + planned.err)

    def test_health_is_known_at_once(self):
        self.change("front", health_check={"checks": [{"type": "ssh", "command": "test -f jobs/front/Makefile && $SHELL -c 'exit 0'"}]})
        self.change("edgecache", health_check={"checks": [{"type": "ssh", "command": "echo not well; exit 3"}]})
        there = self.workers_files()
        self.succeed(self.adopt())
        health = lambda job: self.b.run("maand-apply", "health-check", "--jobs", job, "--bucket", self.b.path)
        self.assertIn("front 1.2", self.succeed(health("front")).out)
        self.assertIn("the check exited 3: not well", self.succeed(health("edgecache"), 1).out)
        self.assertEqual(there, self.workers_files())

    def go_back(self):
        self.succeed(self.b.run("maand-plan", "rollback", "2", "--overwrite", "-o", self.b.file(), "--bucket", self.b.path))
        self.succeed(self.b.apply())

    def on_worker(self, number, path):
        return self.fleet.root(number) / self.expected["bucket_id"] / "jobs" / path

    def test_the_first_rollout_can_be_taken_back(self):
        # What the template was is in Maand's database, and what it became is on the workers alone.
        template = self.b.path / "workspace/jobs/front/front.json.tpl"
        template.write_text(template.read_text() + "{}\n")
        self.change("front", version="1.3")
        file = self.on_worker(1, "front/front.json")
        before = file.read_bytes()
        self.succeed(self.adopt())
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.assertEqual("reload 1.2 1.3", self.calls(1, "front")[-1])
        self.assertNotEqual(before, file.read_bytes())
        self.go_back()
        self.assertEqual("reload 1.3 1.2", self.calls(1, "front")[-1])
        self.assertEqual(before, file.read_bytes())

    def password_is_kept_nowhere(self):
        # (The hook that writes it has it in its source.)
        for file in [*(self.b.path / "store").rglob("*"), *self.b.path.glob("maand.db*")]:
            if file.is_file():
                self.assertNotIn(b"password=throw-away-Pa55", file.read_bytes(), file)

    def test_a_file_with_a_secret_is_kept_without_its_value(self):
        self.pass_the_gate()
        template = self.b.path / "workspace/jobs/ledger/ledger.conf.tpl"
        template.write_text(template.read_text() + "more=1\n")
        before = [self.on_worker(number, "ledger/ledger.conf").read_bytes() for number in (1, 2)]
        self.assertIn(b"throw-away-Pa55", before[0])
        self.succeed(self.adopt())
        self.password_is_kept_nowhere()
        self.succeed(self.b.plan())
        self.assertNotIn("throw-away-Pa55", pathlib.Path(self.b.file()).read_text())
        self.succeed(self.b.apply())
        self.assertIn(b"more=1", self.on_worker(1, "ledger/ledger.conf").read_bytes())
        self.go_back()
        self.assertEqual(before, [self.on_worker(number, "ledger/ledger.conf").read_bytes() for number in (1, 2)])

    def test_a_secret_that_has_changed_since_is_in_no_file_of_the_bucket(self):
        with sqlite3.connect(self.b.path / "data/maand.db") as db:
            db.execute(
                "INSERT INTO key_value SELECT key, 'another one', namespace, 99, ttl, created_date, 0 FROM key_value"
                " WHERE key = 'password' LIMIT 1")
        self.succeed(self.adopt())
        self.password_is_kept_nowhere()
        planned = self.succeed(self.b.plan())
        self.assertIn("2 to restart; 4 unchanged", planned.out + planned.err)

    def test_what_is_no_file_of_a_job_costs_nothing(self):
        # To read it would take hours.
        for place in ("front/cache", "front/data", "front/static"):
            folder = self.on_worker(1, place)
            folder.mkdir(exist_ok=True)
            with open(folder / "large", "wb") as file:
                file.truncate(1 << 42)
            os.mkfifo(folder / "pipe")
        self.succeed(self.adopt())
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do; 6 unchanged", planned.out + planned.err)

    def deploy_by_maand(self, path=None, version="2.0"):
        """What Maand would have left after one more deploy of edgecache."""
        makefile = self.on_worker(4, "edgecache/Makefile")
        makefile.write_text(makefile.read_text() + f"# {version}\n")
        md5 = hashlib.md5(makefile.read_bytes()).hexdigest()
        with sqlite3.connect((path or self.b.path) / "data/maand.db") as db:
            (text,) = db.execute("SELECT current_files FROM hash WHERE namespace = 'edgecache_allocation'").fetchone()
            files = json.dumps({**json.loads(text), "Makefile": md5})
            db.execute(
                "UPDATE hash SET current_files = ?1, previous_files = ?1, current_hash = ?2, previous_hash = ?2,"
                " current_version = ?3 WHERE namespace = 'edgecache_allocation'", [files, md5, version])
            db.execute("UPDATE bucket SET update_seq = update_seq + 1")
            db.execute("UPDATE key_value SET value = 'two' WHERE key IN ('seeded', 'level')")

    def promoted(self, job, path=None):
        rows = json.loads(self.succeed(self.b.run(
            "maand-plan", "catalog", "allocations", "--format", "json", "--bucket", path or self.b.path)).out)
        return {row["worker"]: row["promoted"]["version"] for row in rows if row["job"] == job and row["promoted"]}

    def test_what_maand_has_deployed_since_is_taken_over_again(self):
        with sqlite3.connect(self.b.path / "data/maand.db") as db:
            db.execute("INSERT INTO key_value VALUES ('level', 'low', 'vars/job/ledger', 1, '0', '1795838041', 0)")
        self.succeed(self.adopt())
        self.succeed(self.b.run("maand-plan", "kv", "put", "vars/job/ledger", "level", "mine", "--bucket", self.b.path))
        self.deploy_by_maand()
        told = self.succeed(self.adopt())
        self.assertRegex(told.out, r"edgecache +127\.0\.1\.4 +promoted +2\.0 +Maand has deployed it since")
        self.assertIn("6 allocations were recorded before", told.out)
        self.assertEqual({HOSTS[3]: "2.0"}, self.promoted("edgecache"))
        shown = lambda key: self.succeed(
            self.b.run("maand-plan", "kv", "get", "vars/job/ledger", key, "--bucket", self.b.path)).out.strip()
        self.assertEqual("two", shown("seeded"))
        self.assertEqual("mine", shown("level"))
        export = self.succeed(self.b.catalog("export")).out
        self.succeed(self.adopt())
        self.assertEqual(export, self.succeed(self.b.catalog("export")).out)

    def test_a_deploy_of_maand_that_has_failed_since(self):
        """The same bucket one failed deploy of Maand later: with another worker, and so with new certificates."""
        self.pass_the_gate()
        self.succeed(self.adopt())
        shutil.copy(FIXTURES / "interrupted/data/maand.db", self.b.path / "data/maand.db")
        shutil.rmtree(self.b.path / "workspace")
        shutil.copytree(FIXTURES / "interrupted/workspace", self.b.path / "workspace")
        for number, host in enumerate(HOSTS, 1):
            shutil.rmtree(self.fleet.root(number) / self.expected["bucket_id"])
            with tarfile.open(FIXTURES / f"interrupted/workers/{host}.tar.gz") as tar:
                tar.extractall(self.fleet.root(number))
        told = self.succeed(self.adopt())
        self.assertEqual(2, told.out.count("Maand has deployed it since: a deploy pushed newer files and did not end"))
        self.assertIn("certificates: 4 taken over", told.out)
        planned = self.succeed(self.b.plan())
        self.assertIn("1 to start, 2 to restart; 4 unchanged", planned.out + planned.err)
        self.succeed(self.b.apply())
        self.assertEqual("start 0.0.0 v2", self.calls(3, "ledger")[-1])
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do", planned.out + planned.err)

    def test_what_both_have_deployed_since_is_named(self):
        self.succeed(self.adopt())
        self.change("edgecache", version="1.0")
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.assertNotIn("Maand has deployed", self.succeed(self.adopt()).err)
        self.deploy_by_maand()
        told = self.succeed(self.adopt())
        self.assertIn("Maand has deployed since, and these programs, too: edgecache on 127.0.1.4.", told.err)
        self.assertIn("maand-plan deploy --force --jobs edgecache", told.err)
        self.assertEqual({HOSTS[3]: "1.0"}, self.promoted("edgecache"))

    def test_a_copy_sees_what_maand_does_in_the_original(self):
        copy = self.b.top / "copy"
        self.succeed(self.adopt("--from", self.b.path, path=copy))
        self.deploy_by_maand()
        before = self.sums(self.b.path)
        told = self.succeed(self.adopt("--from", self.b.path, path=copy))
        self.assertIn("Maand has deployed it since", told.out)
        self.assertIn("The workspace is not copied again", told.err)
        self.assertEqual({HOSTS[3]: "2.0"}, self.promoted("edgecache", copy))
        self.assertEqual(before, self.sums(self.b.path))

    def test_with_another_key_only_new_secrets_need_the_old_one(self):
        self.succeed(self.adopt())
        self.succeed(self.b.run("maand-plan", "kv", "rotate-key", "--bucket", self.b.path))
        self.deploy_by_maand()
        self.succeed(self.adopt())
        self.assertEqual({HOSTS[3]: "2.0"}, self.promoted("edgecache"))
        with sqlite3.connect(self.b.path / "data/maand.db") as db:
            db.execute("UPDATE key_value SET key = 'token' WHERE namespace = 'secrets/job/ledger'")
        self.refuse(self.adopt(), 65, "token of secrets/job/ledger cannot be decrypted", "rotate-key")

    def test_empty_values_are_values(self):
        with sqlite3.connect(self.b.path / "data/maand.db") as db:
            db.executemany(
                "INSERT INTO key_value (key, value, namespace, version, ttl, created_date, deleted)"
                " VALUES (?, '', ?, 1, '0', '1795838041', 0)",
                [("suffix", "vars/job/ledger"), ("nothing", "secrets/job/ledger")])
        told = self.succeed(self.adopt())
        self.assertIn("nothing of secrets/job/ledger: it is empty, and no secret can be", told.out)
        self.assertNotIn("suffix", told.out)
        shown = self.succeed(self.b.run("maand-plan", "kv", "get", "vars/job/ledger", "suffix", "--bucket", self.b.path))
        self.assertEqual("\n", shown.out)
        self.succeed(self.b.plan())
        self.succeed(self.b.catalog("export"))

    def test_what_cannot_be_read_is_not_what_is_not_there(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        jobs = self.fleet.root(4) / self.expected["bucket_id"] / "jobs"
        jobs.chmod(0)
        self.addCleanup(jobs.chmod, 0o755)
        self.refuse(self.adopt(), 69, "cannot be listed there")

    def test_a_worker_without_the_bucket_is_not_taken_over(self):
        shutil.move(self.fleet.root(4) / self.expected["bucket_id"], self.b.top / "away")
        self.refuse(self.adopt(), 69, "127.0.1.4", "cannot be listed there")

    def test_what_was_disabled_after_the_last_deploy_is_still_to_be_stopped(self):
        with sqlite3.connect(self.b.path / "data/maand.db") as db:
            db.execute("UPDATE allocations SET disabled = 1 WHERE job = 'edgecache'")
        disabled = self.b.path / "workspace/disabled.json"
        disabled.write_text('{"jobs": {"edgecache": {}, "front": {"allocations": ["127.0.1.3"]}}}')
        self.succeed(self.adopt())
        planned = self.succeed(self.b.plan())
        self.assertIn("1 to stop", planned.out + planned.err)

    def test_a_template_that_cannot_be_rendered_now(self):
        template = self.b.path / "workspace/jobs/front/front.json.tpl"
        text = template.read_text()
        template.write_text(text + '{{ get "vars/job/ledger" "nope" }}')
        told = self.succeed(self.adopt())
        self.assertIn("there is no key nope in vars/job/ledger", told.out)
        template.write_text(text)
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do; 6 unchanged", planned.out + planned.err)

    def test_certificates_stay_as_long_as_nothing_is_due(self):
        self.succeed(self.adopt())
        self.succeed(self.b.run("maand-plan", "certs", "renew", "--bucket", self.b.path))
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do; 6 unchanged", planned.out + planned.err)

    def test_the_authority_stays_where_no_job_has_certificates_yet(self):
        manifest = self.b.path / "workspace/jobs/ledger/manifest.json"
        fields = json.loads(manifest.read_text())
        asked = fields.pop("certs")
        manifest.write_text(json.dumps(fields))
        self.succeed(self.adopt())
        self.change("ledger", certs=asked)
        self.succeed(self.b.run("maand-plan", "certs", "issue", "--bucket", self.b.path))
        shown = self.succeed(self.b.run("maand-plan", "certs", "ca", "show", "--bucket", self.b.path)).out
        self.assertIn((self.b.path / "secrets/ca.crt").read_text().strip(), shown)

    def test_an_empty_catalog_of_an_adoption_that_was_killed(self):
        (self.b.path / "maand.db").write_bytes(b"")
        self.succeed(self.adopt())

    def test_values_of_other_types_and_ids_that_are_none(self):
        with sqlite3.connect(self.b.path / "data/maand.db") as db:
            db.execute("UPDATE allocations SET disabled = 'yes' WHERE job = 'edgecache'")
            db.execute("UPDATE hash SET current_version = x'ff00ff' WHERE namespace = 'edgecache_allocation'")
        self.succeed(self.adopt("--dry-run"))
        for name in ("../../etc", "a\nb", ""):
            with sqlite3.connect(self.b.path / "data/maand.db") as db:
                db.execute("UPDATE bucket SET bucket_id = ?", [name])
            self.refuse(self.adopt(), 65, "names no bucket")

    def test_numbers_of_ports_are_those_of_maand(self):
        with sqlite3.connect(self.b.path / "data/maand.db") as db:
            db.execute("UPDATE job_ports SET port = 31077 WHERE name = 'ledger_port'")
        self.succeed(self.adopt())
        self.succeed(self.b.plan())
        ports = {job["job"]: job["ports"] for wave in self.b.read_plan()["waves"] for job in wave["jobs"]}
        self.assertEqual(31077, ports["ledger"]["ledger_port"])

    def test_a_bucket_of_ours_has_nothing_to_take_over(self):
        self.succeed(self.adopt())
        shutil.rmtree(self.b.path / "data")
        export = self.succeed(self.b.catalog("export")).out
        self.assertIn("nothing is left to take over", self.succeed(self.adopt()).err)
        self.assertEqual(export, self.succeed(self.b.catalog("export")).out)

    def test_what_is_no_bucket_of_maand(self):
        shutil.rmtree(self.b.path / "data")
        for number in range(1, 5):
            shutil.rmtree(self.fleet.root(number) / self.expected["bucket_id"])
        self.refuse(self.adopt(), 65, "no worker has a folder of a bucket of Maand", "bucket_id = ")

    def test_init_leaves_a_bucket_of_maand_alone(self):
        self.refuse(self.b.run("maand-plan", "init", self.b.path), 65, "maand-plan adopt")


class Interrupted(Adoption):
    state = "interrupted"

    def test_goes_on_where_maand_stopped(self):
        self.pass_the_gate()
        told = self.succeed(self.adopt())
        self.assertEqual(3, told.out.count("unfinished"))
        planned = self.succeed(self.b.plan())
        self.assertIn("1 to start, 2 to restart; 4 unchanged", planned.out + planned.err)
        self.succeed(self.b.apply())
        self.assertEqual("start 0.0.0 v2", self.calls(3, "ledger")[-1])
        for number in (1, 2):
            self.assertEqual("restart v2 v2", self.calls(number, "ledger")[-1])
        planned = self.succeed(self.b.plan())
        self.assertIn("nothing to do", planned.out + planned.err)
