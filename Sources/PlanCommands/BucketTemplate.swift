import Model

/// The files of a new bucket.
struct BucketTemplate {
    let transport: TransportKind

    /// Paths below `workspace/` with their texts.
    var workspace: [(String, String)] {
        [
            ("workers.json", workers), ("jobs/hello/manifest.json", Self.manifest),
            ("jobs/hello/Makefile", Self.makefile), ("jobs/hello/hello.conf", Self.greeting),
        ]
    }

    /// What git has to know of a bucket, with their texts.
    var git: [(String, String)] { [(".gitignore", Self.ignored), (".gitattributes", Self.attributes)] }

    /// What planning elsewhere needs stays in: maand.conf, workspace/ and the workers' host keys.
    private static let ignored = """
        # What only the controller may have: keys, what is recorded of the workers, the contents of plans.
        # Host keys are no secret, and planning for ssh needs them.
        /secrets/*
        !/secrets/known_hosts
        /maand.db*
        /apply.lock
        /store/
        /.hooks/

        # Workers that are folders of this machine (transport = "local").
        /workers/

        # What tools leave behind in a job's folder; no part of it.
        venv/
        .venv/
        node_modules/
        __pycache__/

        """

    private static let attributes = """
        # Plans, signatures and the files of jobs count byte for byte: line endings stay as they are on every machine.
        * -text

        """

    func configuration(bucketID: String) -> String {
        """
        # This file makes the directory a bucket: workspace/ is what you edit, maand.db is what is known of the workers,
        # store/ holds the file contents of plans, secrets/ is for keys.

        # Told apart from every other bucket by this, on the workers too. Never change it.
        bucket_id = "\(bucketID)"

        # "ssh": workers are hosts.
        # "local": each worker is the directory workers/<host>/ beside this file, standing for the worker's root directory.
        transport = "\(transport.rawValue)"

        # Where jobs live on a worker: <worker_root>/<bucket_id>/jobs/<job>/
        worker_root = "/opt/worker"

        # How workers are reached over ssh; `port` and `user` of a worker in workspace/workers.json come before these.
        # A relative ssh_key or known_hosts is below secrets/. Without a key file, ssh-agent is asked. Host keys have to be known:
        #   ssh-keyscan -t ed25519 HOST >> secrets/known_hosts      (and compare the fingerprints with the hosts' own)
        ssh_user = "agent"
        ssh_key = "worker.key"
        ssh_port = 22
        known_hosts = "known_hosts"
        connect_timeout = 10
        use_sudo = true
        # jump_host = "user@bastion.example:22"
        # ssh_passphrase_file = "worker.passphrase"

        # After a failure: "stop" starts no batch anywhere, "continue" lets jobs go on that do not demand the failed one,
        # "rollback" takes back what the run has begun.
        on_failure = "stop"

        # Jobs of one wave that run side by side, 1 to 64.
        job_parallelism = 4

        # Variables of the applying process that hooks get, beside PATH, HOME and what else every program needs.
        # hook_environment = ["VAULT_ADDR"]

        # Virtual environments for hooks in Python, by job: where only root or the user who applies may write.
        # hook_venvs = {hello = "/opt/maand/venvs/hello"}

        # workspace/bucket.jobs.conf says what jobs reserve in memory and cpu; "prod" here means bucket.jobs.prod.conf.
        job_config_selector = ""

        """
    }

    private var workers: String {
        """
        [
          {
            "host": "127.0.0.1",
            "labels": ["hello"],
            "memory": "1024 mb",
            "cpu": "1000 mhz"
          }
        ]

        """
    }

    private static let manifest = """
        {
          "version": "1.0.0",
          "selectors": ["hello"],
          "resources": {
            "memory": {"min": "16 mb", "max": "64 mb"}
          },
          "max_concurrent_upgrades": 1,
          "restart_policy": "reload",
          "restart_globs": ["Makefile"],
          "health_check": {
            "checks": [{"type": "ssh", "command": "test -s jobs/hello/data/version"}],
            "wait": {"attempts": 10, "interval_seconds": 1, "successes": 2}
          }
        }

        """

    private static let makefile = """
        # The targets of a job. A rollout calls them in the job's folder on the worker, with CURRENT_VERSION and
        # NEW_VERSION in the environment. data/ and logs/ belong to the job and are never replaced.

        .PHONY: start stop restart reload status

        start restart reload:
        \t@mkdir -p data
        \t@cat hello.conf
        \t@echo "$@ $$CURRENT_VERSION -> $$NEW_VERSION" >> data/history
        \t@echo "$$NEW_VERSION" > data/version

        stop:
        \t@rm -f data/version

        status:
        \t@cat data/version

        """

    private static let greeting = """
        Hello from this worker. Change this line, plan, and look at the plan.

        """
}
