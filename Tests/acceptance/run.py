#!/usr/bin/env python3
"""run.py [--jobs N] [-v] [-k TEXT] [MODULE...]: the acceptance tests of this folder, N side by side.

MAAND_BIN names the folder with maand-plan and maand-apply; MAAND_KEEP=1 leaves the buckets behind.
-k runs only the tests whose name contains the text.
"""
import argparse
import concurrent.futures
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("-v", dest="verbose", action="store_true")
    parser.add_argument("-k", dest="pattern", default="")
    parser.add_argument("module", nargs="*")
    options = parser.parse_args()

    import bucket
    for program in ("maand-plan", "maand-apply"):
        if not os.access(os.path.join(bucket.BIN, program), os.X_OK):
            sys.exit(f"there is no {program} in {bucket.BIN}: build first, or set MAAND_BIN")

    loader = unittest.TestLoader()
    names = options.module or sorted(f[:-3] for f in os.listdir(HERE) if f.startswith("test_") and f.endswith(".py"))
    tests = [test for test in tests_of(loader.loadTestsFromNames(names)) if options.pattern in test.id()]

    def one(test):
        result = unittest.TestResult()
        begin = time.monotonic()
        test.run(result)
        return test, result, time.monotonic() - begin

    def results():
        quiet = [test for test in tests if getattr(getattr(test, test._testMethodName, None), "alone", False)]
        with concurrent.futures.ThreadPoolExecutor(max_workers=options.jobs) as pool:
            rest = [pool.submit(one, test) for test in tests if test not in quiet]
            yield from (done.result() for done in concurrent.futures.as_completed(rest))
        yield from map(one, quiet)

    failed, skipped, began = [], [], time.monotonic()
    for test, result, seconds in results():
        problems = result.failures + result.errors
        for part, text in problems:
            # A part of a test names what it was about.
            print(f"FAILED   {part.id()}\n{text}", flush=True)
        if problems:
            failed.append(test.id())
        elif result.skipped:
            skipped.append((test.id(), result.skipped[0][1]))
        elif options.verbose:
            print(f"ok       {test.id()} ({seconds:.1f} s)", flush=True)

    for name, reason in sorted(skipped):
        print(f"skipped  {name}: {reason}")
    for name in sorted(failed):
        print(f"failed   {name}")
    print(f"{len(tests) - len(failed) - len(skipped)} passed, {len(failed)} failed, {len(skipped)} skipped, "
          f"{time.monotonic() - began:.0f} s")
    sys.exit(1 if failed or not tests else 0)


main()
