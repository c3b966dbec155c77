"""The documents: their commands run, their links lead somewhere, their references are complete, their words are plain."""
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import jsonschema
import yaml

import bucket

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "plans/ci/README.md")]
PAGES += sorted(DOCS.glob("*.md"))
# What the programs print, on a page; a test of its own says when it differs.
COMMANDS = DOCS / "commands.md"
# `sh` runs here; `shell` needs hosts, keys, root or a build; the others are no commands.
FENCES = {"sh", "shell", "text", "json", "yaml", "toml", "ini", "make", "python", "html", "swift", "mermaid"}

Block = collections.namedtuple("Block", "line fence text note")


def blocks(page):
    """The fenced blocks of a page, each with the comment before it."""
    found, fence, note = [], None, ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        mark = re.match(r"( *)```(.*)$", line)
        if fence is None and mark:
            fence, indent, start, lines = mark[2], len(mark[1]), number, []
        elif fence is not None and mark:
            found.append(Block(start, fence, "\n".join(lines) + "\n", note))
            fence, note = None, ""
        elif fence is not None:
            lines.append(line[indent:])
        elif line.strip():
            comment = re.fullmatch(r" *<!-- (.*) -->", line)
            note = comment[1] if comment else ""
    return found


def prose(page):
    """The lines of a page outside of its blocks."""
    inside = False
    for line in page.read_text().splitlines():
        if re.match(r" *```", line):
            inside = not inside
        elif not inside:
            yield line


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    seen, found = collections.Counter(), set()
    for line in prose(page):
        heading = re.match(r"#+ (.*)", line)
        if heading:
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
    return found


def name(page):
    return str(page.relative_to(ROOT))


class Texts(bucket.Case):
    def test_the_readme_is_short(self):
        self.assertLessEqual((ROOT / "README.md").stat().st_size, 8192)

    def test_links_lead_somewhere(self):
        missing = []
        for page in PAGES:
            for line in prose(page):
                for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                    if re.match(r"https?://", link):
                        continue
                    path, _, anchor = link.partition("#")
                    target = (page.parent / path).resolve() if path else page
                    if not target.exists() or anchor and anchor not in anchors(target):
                        missing.append(f"{name(page)}: {link}")
        self.assertEqual(missing, [])

    def test_every_page_is_in_the_index(self):
        index = (DOCS / "index.md").read_text()
        pages = {page.name for page in DOCS.glob("*.md")} - {"index.md"}
        self.assertEqual(sorted(page for page in pages if f"({page}" not in index), [])

    def test_every_block_says_what_it_is(self):
        for page in PAGES:
            if page.parent == ROOT / "plans/ci":
                continue
            for block in blocks(page):
                with self.subTest(page=name(page), line=block.line):
                    self.assertIn(block.fence, FENCES)
                    self.assertNotRegex(block.text, r"(?m)^\$ ", "a prompt cannot be pasted")
                    if block.fence in ("json", "yaml"):
                        {"json": json.loads, "yaml": yaml.safe_load}[block.fence](block.text)

    def assert_plain(self, pages):
        lines = (pathlib.Path(__file__).parent / "words.txt").read_text().splitlines()
        words = [line.partition(" => ")[0] for line in lines if not line.startswith("#")]
        found = []
        for page in pages:
            text = " ".join(page.read_text().split())
            found += [f"{name(page)}: {word}" for word in words
                      if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)]
        self.assertEqual(found, [])

    def test_documents_use_plain_words(self):
        self.assert_plain([page for page in PAGES if page != COMMANDS])

    def test_sources_use_plain_words(self):
        """As whole words, of the part of the list that is not for the documents alone."""
        lines = (pathlib.Path(__file__).parent / "words.txt").read_text().partition("# In documents alone:")[0].splitlines()
        words = [line.partition(" => ")[0] for line in lines if not line.startswith("#")]
        pattern = re.compile(r"\b(" + "|".join(map(re.escape, words)) + r")\b", re.IGNORECASE)
        found = []
        for path in sorted(path for folder in ("Sources", "plans/schema", "scripts") for path in (ROOT / folder).rglob("*")):
            if path.is_file():
                found += [f"{path.relative_to(ROOT)}:{number}: {match.group()}"
                          for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
                          for match in pattern.finditer(line)]
        self.assertEqual(found, [])

    def test_help_uses_plain_words(self):
        self.assert_plain([COMMANDS])

    def test_the_glossary_defines_each_term_once(self):
        terms = re.findall(r"(?m)^\| \*\*(.*?)\*\* \|", (DOCS / "glossary.md").read_text())
        self.assertEqual(terms, sorted(set(terms), key=str.lower))


class References(bucket.Case):
    def test_commands_are_those_of_the_programs(self):
        made = subprocess.run([sys.executable, ROOT / "scripts/commands-reference", bucket.BIN], capture_output=True,
                              text=True, check=True, timeout=60)
        self.assertEqual(COMMANDS.read_text(), made.stdout,
                         "run scripts/commands-reference .build/debug > docs/commands.md")

    def test_examples_of_files_fit_their_schemas(self):
        examples = [block for block in blocks(DOCS / "workspace.md") if block.note.startswith("schema: ")]
        self.assertEqual(len(examples), 3)
        for block in examples:
            schema = json.loads((ROOT / f"plans/schema/{block.note.split()[1]}.schema.json").read_text())
            jsonschema.validate(json.loads(block.text), schema)

    def test_every_field_of_maand_conf_is_described(self):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(bucket.BIN, "maand-plan")
            subprocess.run([program, "init", f"{folder}/b"], check=True, capture_output=True, timeout=60)
            keys = re.findall(r"(?m)^(?:# )?(\w+) = ", (pathlib.Path(folder) / "b/maand.conf").read_text())
        self.assertGreater(len(keys), 10)
        text = (DOCS / "workspace.md").read_text() + (DOCS / "workers.md").read_text()
        self.assertEqual([key for key in keys if f"`{key}`" not in text], [])

    def test_functions_of_templates_give_what_the_table_says(self):
        rows = []
        for line in prose(DOCS / "templates.md"):
            cells = [cell.strip() for cell in line.strip("|").split(" |")]
            if len(cells) == 5 and re.fullmatch(r"`\w+`", cells[0]):
                rows.append([cell.strip("`") for cell in (cells[0], cells[3], cells[4])])
        b = bucket.Bucket(self)
        b.workers("127.0.24.1")
        b.write("workers.json", json.dumps([{"host": "127.0.24.1", "labels": ["web"]}]))
        examples = [(function, example, result) for function, example, result in rows if example]
        b.job("web", "1.2.0", selectors=["web"], files={
            "vars.toml": 'color = "blue"\n',
            "t.tpl": "".join(f"{function}={{{{ {example} }}}}\n" for function, example, _ in examples)})
        self.succeed(b.plan())
        self.succeed(b.apply())
        self.assertEqual((b.job_dir("127.0.24.1", "web") / "t").read_text().splitlines(),
                         [f"{function}={result}" for function, _, result in examples])
        for function, example, _ in examples:
            self.assertRegex(example, rf"\b{function}\b")

        # A name that is like no other one: the error lists all functions.
        b.job("web", "1.2.1", selectors=["web"], files={"t.tpl": "{{ qqqqqqqqqqqqqqqq }}\n"})
        error = self.refuse(b.plan(), 65, "qqqqqqqqqqqqqqqq").err
        known = re.search(r"there are ((?:\w+, )+\w+)", error)[1].split(", ")
        self.assertEqual(sorted(row[0] for row in rows), sorted(known))


class Commands(bucket.Case):
    """The blocks of a page with the fence `sh`, in one shell, in a clean folder."""

    def run_page(self, page):
        top = pathlib.Path(tempfile.mkdtemp(prefix="maand-docs."))
        self.addCleanup(shutil.rmtree, top, ignore_errors=True)
        self.addCleanup(end_processes_below, top)
        folder = top / "folder"
        folder.mkdir()
        (folder / "plans").symlink_to(ROOT / "plans")
        lines = ["set -E", f"trap 'printf \"%s\\t%s\\n\" \"$?\" \"$BASH_COMMAND\" >> {top}/failures' ERR"]
        expected, outputs, count = [], [], 0
        for number, block in enumerate(blocks(page)):
            what, _, value = block.note.partition(": ")
            if what == "file":
                (top / f"file{number}").write_text(block.text)
                lines.append(f'mkdir -p "$(dirname {value})"; cp {top}/file{number} {value}')
            elif what == "output of":
                lines.append(f"{value} > {top}/output{number} 2>&1")
                outputs.append((block, value, top / f"output{number}"))
            elif block.fence == "sh":
                count += 1
                lines.append(block.text)
                expected += [(int(status), command) for command, status in
                             re.findall(r"(?m)^(.*?) +# exit (\d+)$", block.text)]
        if not count:
            return
        lines.append(f"touch {top}/end")
        (top / "script").write_text("\n".join(lines) + "\n")
        environment = {"PATH": f"{bucket.BIN}:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8",
                       "USER": "user", "TMPDIR": tempfile.gettempdir()}
        done = subprocess.run(["bash", top / "script"], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=bucket.LIMIT)
        said = f"\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        failures = (top / "failures").read_text().splitlines() if (top / "failures").exists() else []
        failed = [(int(status), command) for status, _, command in (line.partition("\t") for line in failures)]
        # How far the run is when the time is over depends on the machine.
        failed, expected = ([row for row in rows if row != (137, row[1]) or not row[1].startswith("timeout ")]
                            for rows in (failed, expected))
        self.assertEqual(failed, expected, said)
        self.assertTrue((top / "end").exists(), said)
        for block, command, file in outputs:
            self.assert_output(block.text, file.read_text(), command)

    def assert_output(self, shown, output, command):
        """That the lines are those of the output; `…` stands for any others."""
        pattern = "".join("(?:.*\n)*?" if line == "…" else re.escape(line.rstrip()) + " *\n"
                          for line in shown.splitlines())
        self.assertIsNotNone(re.fullmatch(pattern, output), f"{command} prints\n{output}")

    @bucket.alone
    def test_commands_of_the_pages_run(self):
        ran = 0
        for page in PAGES:
            with self.subTest(page=name(page)):
                self.run_page(page)
                ran += any(block.fence == "sh" for block in blocks(page))
        self.assertGreaterEqual(ran, 5)


def end_processes_below(folder):
    """Ends the services that a page has started, and that it did not stop because it failed."""
    for link in pathlib.Path("/proc").glob("[0-9]*/cwd"):
        try:
            if os.readlink(link).startswith(f"{folder}/"):
                os.kill(int(link.parent.name), signal.SIGKILL)
        except OSError:
            pass
