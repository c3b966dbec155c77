"""Templates are rendered when a plan is made, for each worker, and an approved plan pushes what was rendered."""
import re

import bucket

WORKERS = ["127.0.4.31", "127.0.4.32"]
TEMPLATE = """\
me={{ .WorkerIP }}
{{- range split (get "maand/job/api" "workers") "," }}
peer={{ . }}
{{- end }}
color={{ getOptional "vars/job/api" "color" }}
"""


class Templates(bucket.Case):
    def setUp(self):
        self.b = bucket.Bucket(self)
        self.b.workers(*WORKERS)
        self.job("1.0.0")

    def job(self, version, template=TEMPLATE):
        self.b.job("api", version, files={"conf/app.conf.tpl": template, "r.conf": "1\n"},
                   restart_policy="reload", restart_globs=["r.conf"])

    def texts(self):
        return [(self.b.job_dir(worker, "api") / "conf/app.conf").read_text() for worker in WORKERS]

    def expected(self, color=""):
        peers = "".join(f"peer={worker}\n" for worker in WORKERS)
        return [f"me={worker}\n{peers}color={color}\n" for worker in WORKERS]

    def test_workers_get_their_own_text(self):
        self.succeed(self.b.plan())
        shown = self.succeed(self.b.run("maand-plan", "show", self.b.file())).out
        self.assertIn("+ conf/app.conf", shown)
        self.succeed(self.b.apply())
        self.assertEqual(self.expected(), self.texts())
        self.assertFalse((self.b.job_dir(WORKERS[0], "api") / "conf/app.conf.tpl").exists())
        self.succeed(self.b.plan("--detailed-exitcode"))

    def test_a_review_tells_once_what_workers_share(self):
        workers = [f"127.0.4.{n}" for n in range(31, 37)]
        self.b.workers(*workers)
        self.succeed(self.b.plan())
        self.succeed(self.b.apply())
        self.succeed(self.b.run("maand-plan", "kv", "put", "vars/job/api", "color", "red", "--bucket", self.b.path))
        self.b.write("jobs/api/r.conf", "2\n")
        self.succeed(self.b.plan())
        shown = lambda form: self.succeed(
            self.b.run("maand-plan", "show", self.b.file(), "--bucket", self.b.path, "--format", form)).out
        for form in ("text", "markdown", "html"):
            text = shown(form)
            self.assertEqual(1, text.count("+color=red"))
            self.assertEqual(1, len(re.findall(r"(?m)(^|>)\s*\+2$", text)))
            self.assertIn("another content on each of 6 workers", text)
            self.assertIn("likewise on 5 more workers", text)
        self.assertIn("1–6. ~ restart 127.0.4.31, 127.0.4.32, ", shown("text"))
        # The rest is in the form for programs.
        self.assertEqual(6, shown("json").count('"+color=red"'))

    def test_an_approved_plan_pushes_what_was_rendered_when_it_was_made(self):
        self.succeed(self.b.run("maand-plan", "kv", "put", "vars/job/api", "color", "red", "--bucket", self.b.path))
        self.succeed(self.b.plan())
        self.succeed(self.b.run("maand-plan", "kv", "put", "vars/job/api", "color", "blue", "--bucket", self.b.path))
        self.job("1.0.0", "something else\n")
        self.succeed(self.b.apply())
        self.assertEqual(self.expected("red"), self.texts())
        # What the workspace says now comes with the next plan: a reload, since no glob matches the rendered file.
        self.job("1.0.0")
        self.succeed(self.b.plan())
        self.assertEqual({"api": {worker: ("reload", "content_changed") for worker in WORKERS}},
                         bucket.actions(self.b.read_plan()))
        self.succeed(self.b.apply())
        self.assertEqual(self.expected("blue"), self.texts())

    def test_errors_name_the_line_and_no_plan_is_written(self):
        self.job("1.0.0", 'a\n{{ get "vars/job/api" "nothing" }}\n')
        self.refuse(self.b.plan(), 65, "jobs/api/conf/app.conf.tpl:2:4:", "there is no key nothing", WORKERS[0])
        self.assertFalse(self.b.file().exists())
        self.job("1.0.0", '{{ getSecret "password" }}\n')
        self.refuse(self.b.plan(), 65, "there is no secret password of secrets/job/api")
