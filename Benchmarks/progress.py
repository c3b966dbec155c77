#!/usr/bin/env python3
"""progress.py [--bin DIR] [--workers N] [--jobs N] [--pairs N]

What the view of maand-apply costs: rollouts on simulated workers, in pairs with and without it. The workers answer at once, so
that everything that is measured is work of the controller. Exit 1 if the view costs more than its budget.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import planning

# Percent of the processor's time of a rollout.
BUDGET = 2.0


def rollout(programs, top, template, plan, seed, *words):
    bucket = top / "bucket"
    shutil.copytree(template, bucket)
    done = subprocess.run(
        [programs / "rollout-bench", bucket, plan, str(seed), "0", "0", "0", *words], check=True, capture_output=True, text=True)
    shutil.rmtree(bucket)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=".build/release")
    parser.add_argument("--workers", type=int, default=256)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=15)
    options = parser.parse_args()
    programs = pathlib.Path(options.bin).resolve()
    top = pathlib.Path(tempfile.mkdtemp(prefix="maand-bench-"))
    try:
        template, plan = top / "template", top / "plan.yaml"
        planning.build(template, options.workers, options.jobs)
        subprocess.run([programs / "maand-plan", "deploy", "--bucket", template, "-o", plan], check=True,
                       stderr=subprocess.DEVNULL)
        plain, shown, shares = [], [], []
        for pair in range(options.pairs):
            # Which one comes first changes, so that a machine that gets slower is no advantage.
            runs = {}
            for words in [(), ("view",)][::1 if pair % 2 else -1]:
                runs[words] = rollout(programs, top, template, plan, pair, *words)
            plain.append(runs[()]["cpu"])
            shown.append(runs[("view",)]["cpu"])
            shares.append((shown[-1] / plain[-1] - 1) * 100)
        told = runs[("view",)]
        share = statistics.median(shares)
        print(f"{told['steps']} steps on {options.workers} workers, {options.pairs} pairs: {statistics.median(plain):.2f} s of the "
              f"processor without the view, {statistics.median(shown):.2f} s with it ({told['drawings']} drawings in "
              f"{told['seconds']:.1f} s): {share:+.1f} % (median of the pairs; budget {BUDGET} %)")
    finally:
        shutil.rmtree(top)
    if share > BUDGET:
        sys.exit("missed: the view costs too much")


main()
