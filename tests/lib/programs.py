#!/usr/bin/python3
"""Reads `ctest --show-only=json-v1` and prints the command of each cmocka
program of the labels given, once, without the name of the case.
"""

import json
import sys


def main():
    seen = set()
    for test in json.load(sys.stdin)["tests"]:
        labels = []
        for prop in test.get("properties", []):
            if prop["name"] == "LABELS":
                labels = prop["value"]
        command = test.get("command", [])
        if not command or not set(labels) & set(sys.argv[1:]):
            continue
        # a case is NAME.case run as NAME case; anything else is a script
        program, _, case = test["name"].partition(".")
        if command[1:] == [case] and command[0].endswith("/" + program):
            seen.add(command[0])
    print("\n".join(sorted(seen)))


if __name__ == "__main__":
    main()
