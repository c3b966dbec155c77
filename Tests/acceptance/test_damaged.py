"""A database that is damaged, or not ours: every command ends with an error that says where, and none with a signal."""
import os
import pathlib
import shutil
import sqlite3

import hookbucket
from hookbucket import Hook

WORKERS = ["127.0.10.1", "127.0.10.2"]

# What is put into a column, one after the other.
VALUES = [None, "\u001b]0;x\u0007 nothing", b"\xff\x00\xfe", (1 << 63) - 1, -(1 << 63), 1.5]

READERS = [["maand-apply", "status"], ["maand-apply", "history"], ["maand-plan", "catalog", "export"]]
# How a program ends that has decided to.
ORDINARY = {0, 1, 3, 4, 5, 65, 69, 75, 77}


class Damaged(hookbucket.HookCase):
    def used(self, unfinished):
        """A bucket with a run of hooks, secrets and a gate, and, where that is asked for, one that has failed."""
        b = self.bucket(*WORKERS)
        write = 'maand.put_job_variable("v", "1").raise_for_status()\nmaand.put_job_secret("s", "2").raise_for_status()\n' \
            'maand.acquire_semaphore("m").raise_for_status()\nif maand.job_name() == "api" and ' \
            'maand.allocation_index() == "0": maand.put_rollout_order("127.0.10.2,127.0.10.1").raise_for_status()'
        b.hook_job("api", "1.0.0", {"command_x": Hook("pre_deploy", body=write)},
                   resources={"ports": {"web": 7999}})
        self.rollout(b)
        if unfinished:
            b.hook_job("api", "2.0.0", {"command_x": Hook("pre_deploy", body=write),
                                        "command_y": Hook("pre_deploy", language="sh")})
            self.succeed(b.plan())
            b.fail("command_y", WORKERS[0])
            self.succeed(b.apply(), 1)
        return b

    def loose(self, b):
        """A copy of the database in which nothing keeps anybody from writing anything anywhere."""
        source = sqlite3.connect(b.path / "maand.db")
        copy = sqlite3.connect(b.top / "loose.db", isolation_level=None)
        source.backup(copy)
        source.close()
        copy.execute("PRAGMA writable_schema = ON")
        for name, sql in copy.execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall():
            loose = sql.replace("STRICT, ", "").replace(") STRICT", ")").replace(" NOT NULL", "")
            copy.execute("UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", (loose, name))
        copy.execute("DELETE FROM sqlite_schema WHERE type = 'trigger'")
        copy.execute("PRAGMA writable_schema = OFF")
        copy.close()
        return b.top / "loose.db"

    def assert_ends(self, b, argv, what):
        program, *rest = argv
        done = b.run(program, *rest, "--bucket", b.path)
        self.assertIn(done.code, ORDINARY, (what, argv, done.err[-2000:]))
        self.assertNotIn("Fatal error", done.err, (what, argv))
        self.assertNotRegex(done.out + done.err, "[\x00-\x08\x0b-\x1f]", (what, argv))
        return done

    def test_every_column(self):
        """Each column with one value, of a finished and with another of an unfinished run: the programs end by themselves.
        Which error it is, the unit tests look at for all values."""
        for first, unfinished in enumerate((False, True)):
            with self.subTest(unfinished=unfinished):
                self.every_column(self.used(unfinished), first)

    def every_column(self, b, first):
        loose, database = self.loose(b), b.path / "maand.db"
        reader = sqlite3.connect(loose)
        columns = [(table, row[1]) for table, in reader.execute(
                       "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
                   if reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                   for row in reader.execute(f"PRAGMA table_info({table})").fetchall()]
        reader.close()
        self.assertGreater(len(columns), 50)
        tried = refused = 0
        for number, (table, column) in enumerate(columns):
            value = VALUES[(first + number) % len(VALUES)]
            if not self.damage(loose, database, table, column, value):
                continue
            tried += 1
            # A change here never stops a worker: what was damaged comes back with the next copy.
            for argv in READERS[number % 3:number % 3 + 1] + [
                    ["maand-plan", "deploy", "--overwrite", "-o", b.top / "new.plan.yaml"], ["maand-apply", b.file()]]:
                done = self.assert_ends(b, argv, f"{table}.{column} = {value!r}")
                if "is damaged: the table" in done.err:
                    # Of two that are NULL together or not at all, the other one may be named.
                    refused += f"in the column `{column}`" in done.err
                    self.assertIn(f"the table `{table}`", done.err)
                    self.assertIn("catalog refresh", done.err)
        self.assertGreater(tried, 50)
        self.assertGreater(refused, 30)

    def damage(self, loose, database, table, column, value):
        """Whether the column can hold the value at all."""
        for ending in ("-wal", "-shm"):
            pathlib.Path(f"{database}{ending}").unlink(missing_ok=True)
        shutil.copyfile(loose, database)
        writer = sqlite3.connect(database, isolation_level=None)
        writer.execute("PRAGMA ignore_check_constraints = ON")
        try:
            return writer.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,)).rowcount
        except sqlite3.Error:
            return 0
        finally:
            writer.close()

    def test_no_database(self):
        """What lies in the place of the database is none of ours."""
        b = self.used(False)
        database = b.path / "maand.db"
        whole = database.read_bytes()

        def foreign():
            other = sqlite3.connect(database)
            other.execute("CREATE TABLE run (id TEXT, nonce TEXT)")
            other.execute("CREATE TABLE bucket (id TEXT)")
            other.commit()
            return other

        def claiming():
            other = foreign()
            other.execute("PRAGMA application_id = 0x6d61616e")
            other.execute("PRAGMA user_version = 9")
            other.execute("INSERT INTO bucket (id) VALUES (?)", (b.id,))
            other.commit()
            other.close()

        def newer():
            database.write_bytes(whole)
            other = sqlite3.connect(database)
            other.execute("PRAGMA user_version = 2000000000")
            other.close()

        def negative():
            database.write_bytes(whole)
            other = sqlite3.connect(database)
            other.execute("PRAGMA user_version = -7")
            other.close()

        kinds = {
            "another program's": (lambda: foreign().close(), "is not a catalog of maand-plan"),
            "one that claims to be ours": (claiming, "is damaged: no such"),
            "of a newer release": (newer, "schema version 2000000000"),
            "of a negative version": (negative, "is not a catalog of maand-plan"),
            "the first half": (lambda: database.write_bytes(whole[:len(whole) // 2]), ""),
            "the header alone": (lambda: database.write_bytes(whole[:100]), ""),
            "random bytes": (lambda: database.write_bytes(bytes(os.urandom(70000))), "is not a catalog of maand-plan"),
            "text": (lambda: database.write_text("hello\n" * 100), "is not a catalog of maand-plan"),
            "a folder": (database.mkdir, "a folder, and no file"),
            "a pipe": (lambda: os.mkfifo(database), "a named pipe, and no file"),
            "a device": (lambda: database.symlink_to("/dev/zero"), "a device, and no file"),
            "its log a pipe": (lambda: (database.write_bytes(whole), os.mkfifo(f"{database}-wal")),
                               "a named pipe, and no file"),
        }
        for kind, (lay, words) in kinds.items():
            with self.subTest(kind):
                for path in (database, pathlib.Path(f"{database}-wal"), pathlib.Path(f"{database}-shm")):
                    if path.is_dir() and not path.is_symlink():
                        path.rmdir()
                    else:
                        path.unlink(missing_ok=True)
                lay()
                for argv in READERS + [["maand-plan", "deploy", "--overwrite", "-o", b.top / "new.plan.yaml"],
                                       ["maand-apply", b.file()]]:
                    done = self.assert_ends(b, argv, kind)
                    if words:
                        self.assertNotEqual(done.code, 0, argv)
                        self.assertIn(words, done.err, argv)
