# `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BUILD_PACKAGES := make pkg-config libsqlite3-dev libyaml-dev libssh2-1-dev python3
TEST_PACKAGES := $(BUILD_PACKAGES) python3-yaml python3-jsonschema cmark-gfm tmux openssh-client openssh-server curl strace \
    systemd busybox tcsh fish python3-asyncssh haproxy

# SwiftPM drops -warnings-as-errors for dependencies, so this holds for our own code only.
STRICT := -Xswiftc -warnings-as-errors --explicit-target-dependency-import-check error

# The system's Python is the one that the packages serve; another one is used only where it has the modules.
PYTHON = $$(if python3 -c 'import jsonschema, yaml' 2>/dev/null; then echo python3; else echo /usr/bin/python3; fi)

# The release build with test hooks: places to die, and a clock that can be moved. Nobody but tests gets it.
HOOKED := -c release --traits TestHooks $(STRICT)
SWIFT_TEST := swift test --skip-build $(HOOKED)
# Acceptance tests run those programs, and some of them those that users get.
ACCEPTANCE = MAAND_BIN=.build/hooks MAAND_USERS_BIN=.build/users "$(PYTHON)" Tests/acceptance/run.py --jobs $(JOBS)

# How many acceptance tests run side by side: they mostly wait for what they have started.
JOBS ?= 8

# How long `make fuzz` looks for crashes, over all targets: each folder of a corpus is one. FUZZ_JOBS of them side by
# side, so that an hour of fuzzing takes half of one on two processors.
SECONDS ?= 3600
FUZZ_JOBS ?= $(shell nproc)
FUZZ_TARGETS := $(sort $(notdir $(wildcard Tests/fuzz/corpus/*)))

.PHONY: help demo build users hooked test unit lint acceptance generated kill crash storm fuzz fuzz-short sanitize bench bench-rollout bench-ssh bench-run-command bench-progress packages test-packages bench-packages toolchain clean

# They build in the same folder.
.NOTPARALLEL:

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

demo: packages toolchain ## build, then a rollout of real services: plan, review, apply, kill, resume
	swift build
	@plans/quickstart/demo.sh --bin .build/debug

build: packages toolchain ## release build; the programs are in .build/release
	swift build -c release

test: lint unit acceptance ## everything that CI checks

users: packages toolchain # the programs that users get, kept in .build/users
	swift build -c release $(STRICT) --product maand-plan
	swift build -c release $(STRICT) --product maand-apply
	@mkdir -p .build/users && cp --remove-destination .build/release/maand-{plan,apply} .build/users/

hooked: users test-packages # programs with test hooks, in .build/hooks, and the unit tests
	@# What others wrote is built once for both. In .build/release there are the users' programs again, whatever happens.
	@trap 'cp --remove-destination .build/users/maand-{plan,apply} .build/release/' EXIT; set -x; swift build --build-tests $(HOOKED); \
	    mkdir -p .build/hooks && cp --remove-destination .build/release/maand-{plan,apply} .build/hooks/

unit: hooked ## release build with test hooks and warnings as errors, then the unit tests
	$(SWIFT_TEST) --skip SSHTests --skip HookAPITests --skip OwnFilesConformanceTests --skip OutputConformanceTests
	@# By themselves: silent servers are waited for, a server of this process is asked, both processors are kept busy.
	$(SWIFT_TEST) --filter SSHTests
	$(SWIFT_TEST) --filter HookAPITests
	$(SWIFT_TEST) --filter 'OwnFilesConformanceTests|OutputConformanceTests'

lint: toolchain ## formatting and lint rules of .swift-format
	swift format lint --strict --recursive Sources Tests Benchmarks Package.swift
	@! grep -rn --include='*.swift' '#if.*DEBUG' Sources || { echo 'what only tests need is under `#if TestHooks`' >&2; exit 1; }

acceptance: hooked ## the programs as a user runs them; JOBS=N side by side
	@$(ACCEPTANCE)

generated: packages toolchain ## write anew what is made from code: the schemas, the tables of fields, the list of commands
	MAAND_WRITE_GENERATED=1 swift test --filter GeneratedFilesTests
	scripts/commands-reference .build/debug >docs/commands.md

kill: build test-packages ## 20 rollouts, reboots and commands killed at different moments and resumed, and 200 kills over ssh
	@MAAND_BIN=.build/release MAAND_KILLS=20 MAAND_SSH_KILLS=200 "$(PYTHON)" \
	    Tests/acceptance/run.py --jobs $(JOBS) -k kill test_kill test_kill_ssh test_reboot test_run_command

crash: hooked ## a rollout killed at every place around checkpoints and words to workers, and resumed
	@MAAND_CRASH=all $(ACCEPTANCE) test_crash test_left_behind_kill test_own_files

storm: build test-packages ## 200 random faults in 40 rollouts over ssh, against an undisturbed twin; MAAND_SEED=N for others
	@MAAND_BIN=.build/release MAAND_STORM_FAULTS=200 MAAND_STORM_ROLLOUTS=40 "$(PYTHON)" \
	    Tests/acceptance/run.py --jobs 1 test_storm

fuzz: packages toolchain ## damaged inputs for every reader, SECONDS (an hour) in all, in libFuzzer; stops at the first crash
	MAAND_FUZZ=1 swift build -c release --scratch-path .build/fuzz --product fuzz
	@mkdir -p $(FUZZ_TARGETS:%=.build/fuzz/corpus/%)
	@# With 255, xargs begins no other one.
	@printf '%s\n' $(FUZZ_TARGETS) | xargs -P $(FUZZ_JOBS) -I {} env MAAND_FUZZ_TARGET={} sh -c 'echo "fuzz: {}"; \
	    .build/fuzz/release/fuzz -max_total_time=$$(($(SECONDS) / $(words $(FUZZ_TARGETS)))) \
	        -rss_limit_mb=500 -timeout=10 -max_len=16384 -verbosity=0 -print_final_stats=1 \
	        -artifact_prefix=.build/fuzz/{}- .build/fuzz/corpus/{} Tests/fuzz/corpus/{} \
	        >.build/fuzz/{}.log 2>&1 || { cat .build/fuzz/{}.log; exit 255; }; \
	    grep -H number_of_executed_units .build/fuzz/{}.log'

fuzz-short: packages toolchain ## the same for 3 minutes
	@$(MAKE) --no-print-directory fuzz SECONDS=180

sanitize: test-packages toolchain ## the unit tests under AddressSanitizer and under ThreadSanitizer; takes long
	@# XCTest itself keeps a few objects to the end, so leaks are not looked for. Tests with a limit of time may fail.
	@for sanitizer in address thread; do \
	    ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=suppressions=Tests/thread-sanitizer.txt \
	    swift test --scratch-path .build/$$sanitizer --sanitize $$sanitizer --skip OutputConformanceTests; \
	done

bench: build test-packages ## time, memory and size of planning at 1,000, 10,000 and 100,000 allocations
	@"$(PYTHON)" Benchmarks/planning.py --bin .build/release

bench-rollout: build test-packages ## 120,000 steps on 10,000 simulated workers, with broken connections, failures and kills
	@"$(PYTHON)" -B Benchmarks/rollout.py --bin .build/release

bench-ssh: build bench-packages ## rollouts over ssh on 32 workers, 512 connections, beside ssh and parallel-ssh; wants root
	@"$(PYTHON)" Benchmarks/ssh.py --bin .build/release

bench-run-command: build bench-packages ## one command on 32 workers over ssh, beside clush and parallel-ssh; wants root
	@"$(PYTHON)" -B Benchmarks/run-command.py --bin .build/release

bench-progress: build test-packages ## what the view of a rollout costs, on 256 simulated workers
	@"$(PYTHON)" -B Benchmarks/progress.py --bin .build/release

packages:
	@scripts/install-packages $(BUILD_PACKAGES)

bench-bench-progress: build test-packages ## what the view of a rollout costs, on 256 simulated workers
	@"$(PYTHON)" -B Benchmarks/progress.py --bin .build/release

packages:
	@scripts/install-packages $(TEST_PACKAGES) pssh clustershell

test-bench-progress: build test-packages ## what the view of a rollout costs, on 256 simulated workers
	@"$(PYTHON)" -B Benchmarks/progress.py --bin .build/release

packages:
	@scripts/install-packages $(TEST_PACKAGES)

toolchain:
	@command -v swift >/dev/null || { \
	    echo 'There is no `swift` in PATH. Install Swift 6.1 or later from https://www.swift.org/install/linux/'; \
	    echo 'and open a new shell (or add the directory of `swift` to PATH), then run make again.'; exit 1; } >&2

clean: ## remove what was built
	rm -rf .build
