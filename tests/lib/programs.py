#!/usr/bin/python3
"""Reads `ctest --show-only=json-v1` and prints a command for each test program
of the labels given, one a line: a cmocka program without the name of a case
runs all of them; of a simulation that is cut into several entries the first
is enough. Scripts are left out: they run other programs.
"""

import json
import os
import sys

# memcheck cannot run these; the sanitizers do
LEFT_OUT = {
    "test_daemon": "valgrind 3.19 does not know seccomp(2)",
    "test_sandbox": "the same",
}


def main():
    commands = {}
    for test in json.load(sys.stdin)["tests"]:
        labels = []
        for prop in test.get("properties", []):
            if prop["name"] == "LABELS":
                labels = prop["value"]
        command = test.get("command", [])
        if not command or not set(labels) & set(sys.argv[1:]):
            continue
        program, _, case = test["name"].partition(".")
        if os.path.basename(command[0]) != program or program in LEFT_OUT:
            continue
        if command[1:] == [case]:
            command = command[:1]
        commands.setdefault(program, " ".join(command))
    print("\n".join(sorted(commands.values())))


if __name__ == "__main__":
    main()
