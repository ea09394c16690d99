#!/usr/bin/python3
"""Runs Python's own socket tests in this process, without those of a list.

    pysocket_run.py MODULE LEFT_OUT

LEFT_OUT has lines "Class.method  reason" or "Class  reason" ("*" at the end
of the name stands for anything); a line that matches nothing is an error, so
that the list stays true. Ends with a line "N run, N failed, N skipped,
N left out".
"""

import fnmatch
import sys
import unittest


def read_list(path, module):
    """{pattern: reason} of the lines for this module."""
    out, here = {}, False
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.strip()
            if line.startswith("["):
                here = line == f"[{module}]"
            elif here and line and not line.startswith("#"):
                pattern, _, reason = line.partition(" ")
                if not reason.strip():
                    raise SystemExit(f"{path}: {pattern} has no reason")
                out[pattern] = reason.strip()
    return out


def flatten(suite):
    for t in suite:
        if isinstance(t, unittest.TestSuite):
            yield from flatten(t)
        else:
            yield t


def select(tests, left_out):
    keep, dropped, used = [], 0, set()
    for t in tests:
        name = ".".join(t.id().split(".")[-2:])
        hits = [p for p in left_out
                if fnmatch.fnmatchcase(name, p) or
                fnmatch.fnmatchcase(name, p + ".*")]
        used.update(hits)
        if hits:
            dropped += 1
        else:
            keep.append(t)
    stale = set(left_out) - used
    if stale:
        raise SystemExit(f"left out, but there is no such test: {stale}")
    return keep, dropped


def main():
    module, path = sys.argv[1:3]
    only = sys.argv[3:]
    tests = list(flatten(
        unittest.defaultTestLoader.loadTestsFromName("test." + module)))
    keep, dropped = select(tests, read_list(path, module))
    if only:
        keep = [t for t in keep if any(o in t.id() for o in only)]
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(
        unittest.TestSuite(keep))
    bad = len(result.failures) + len(result.errors) + \
        len(result.unexpectedSuccesses)
    print(f"{result.testsRun} run, {bad} failed, {len(result.skipped)} "
          f"skipped, {dropped} left out", flush=True)
    return 1 if bad or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
