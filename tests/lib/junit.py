#!/usr/bin/python3
"""Counts a JUnit file of CTest: "passed failed skipped" on the first line,
then one line for each test that did not pass: "failed|skipped NAME reason".
"""

import re
import sys
import xml.etree.ElementTree as ET


TELLING = re.compile(r"(FAIL|ERROR)\b|\w*(Error|Failure)\b:?|SKIP|"
                     r"\[  FAILED  \]")


def reason(case):
    """The lines that say what went wrong, or the last one that the test
    wrote; skips say why there."""
    out = case.findtext("system-out") or ""
    lines = [x.strip()[:200] for x in out.split("\n") if x.strip()]
    for line in reversed(lines):
        if line.startswith("SKIP"):
            return line
    telling = list(dict.fromkeys(x for x in lines if TELLING.match(x)))
    return " | ".join(telling[:4] or lines[-1:])


def main():
    n = {"passed": 0, "failed": 0, "skipped": 0}
    bad = []
    for case in ET.parse(sys.argv[1]).getroot().iter("testcase"):
        status = case.get("status")
        if status == "run" and case.find("failure") is None:
            n["passed"] += 1
            continue
        word = "skipped" if case.find("skipped") is not None or \
            status in ("notrun", "disabled") else "failed"
        n[word] += 1
        bad.append(f"{word} {case.get('name')} {reason(case)}")
    print(n["passed"], n["failed"], n["skipped"])
    print("\n".join(bad))


if __name__ == "__main__":
    main()
