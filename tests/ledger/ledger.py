#!/usr/bin/python3
"""The requirements ledger: every requirement of the RFCs in *.txt has a tag in
the code and a tag in a test, or says why it is not met.

    ledger.py check     complain about holes and about tags that name nothing
    ledger.py page      the page for users, as a manual page (mdoc)
    ledger.py table     one line each: requirement, code, test
    ledger.py selftest  make a mistake of each kind and see the complaint

A line of a list: id | section | what, in our own words [| not: why]. An id is
the RFC's own number (MUST-10) or a section, perhaps with a word behind it
(2.4 e). A tag is [RFC9293 3.5 MUST-10] in a comment of a source, of a test or
of a packet script; several ids may stand in one tag, behind commas.
"""

import contextlib
import io
import os
import re
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
LISTS = os.path.dirname(os.path.realpath(__file__))
PAGE = os.path.join(ROOT, "man", "couplet-rfc.7")
CODE, TESTS = ("stackd", "common"), ("tests",)
SUFFIXES = (".c", ".h", ".pkt", ".py")
TAG = re.compile(r"\[RFC(\d+) ([^\]]*)\]", re.S)
NUMBERED = re.compile(r"\b(?:MUST|SHLD|MAY|REC)-\d+\b")


class Requirement:
    def __init__(self, rfc, key, section, what, why_not):
        self.rfc, self.key, self.section = rfc, key, section
        self.what, self.why_not = what, why_not
        self.code, self.tests = [], []

    def name(self):
        return f"RFC {self.rfc} {self.key}"


def read_lists(folder):
    """{rfc: (title, [Requirement])}, in the order of the files."""
    lists = {}
    for name in sorted(os.listdir(folder)):
        if not re.match(r"rfc\d+\.txt$", name):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            lines = [x.rstrip("\n") for x in f]
        head = re.match(r"RFC (\d+) (.+)", lines[0])
        if not head:
            raise SystemExit(f"{name}:1: no title: RFC number words")
        rfc, title = head.groups()
        reqs = []
        for at, line in enumerate(lines[1:], 2):
            if not line or line.startswith("#"):
                continue
            parts = [p.strip() for p in line.split("|")]
            why = None
            if len(parts) == 4 and parts[3].startswith("not: "):
                why = parts[3][5:]
            elif len(parts) != 3:
                raise SystemExit(f"{name}:{at}: id | section | what "
                                 "[| not: why]")
            reqs.append(Requirement(rfc, parts[0], parts[1], parts[2], why))
        lists[rfc] = (title, reqs)
    return lists


def find_tags(root, folders):
    """(rfc, words, file:line) of every tag."""
    for folder in folders:
        for top, dirs, names in os.walk(os.path.join(root, folder)):
            dirs[:] = sorted(d for d in dirs
                             if d not in ("corpus", "__pycache__", "ledger",
                                          "lint"))
            for name in sorted(names):
                if not name.endswith(SUFFIXES):
                    continue
                path = os.path.join(top, name)
                with open(path, encoding="utf-8") as f:
                    text = f.read()
                for m in TAG.finditer(text):
                    line = text.count("\n", 0, m.start()) + 1
                    words = re.sub(r"[\s*#]+", " ", m.group(2))
                    yield (m.group(1), words,
                           f"{os.path.relpath(path, root)}:{line}")


def keys_of(words):
    """What a tag names: numbers, or sections with the word behind them."""
    numbered = NUMBERED.findall(words)
    sections = []
    for part in words.split(","):
        m = re.match(r"(\d+(?:\.\d+)*|[A-Z]\b)((?: \S+)*)", part.strip())
        if m:
            sections.append(m.group(1))
            more = m.group(2).split()
            for n in range(1, len(more) + 1):
                sections.append(m.group(1) + " " + " ".join(more[:n]))
    return numbered, sections


def match(lists, root):
    strays = []
    for attr, folders in (("code", CODE), ("tests", TESTS)):
        for rfc, words, where in find_tags(root, folders):
            if rfc not in lists:
                continue
            numbered, sections = keys_of(words)
            hit = False
            known = {r.key: r for r in lists[rfc][1]}
            for key in numbered + sections:
                if key in known:
                    getattr(known[key], attr).append(where)
                    hit = True
            for n in numbered:
                if n not in known:
                    strays.append(f"{where}: [RFC{rfc} {words}]: no "
                                  f"requirement {n}")
            if not hit and not numbered and not sections:
                strays.append(f"{where}: [RFC{rfc} {words}] names nothing")
            for n in numbered:
                if n in known and not words.startswith(known[n].section):
                    strays.append(f"{where}: [RFC{rfc} {words}]: {n} is in "
                                  f"section {known[n].section}")
    return strays


def holes(lists):
    out = []
    for _title, reqs in lists.values():
        for r in reqs:
            if r.why_not is not None:
                if not r.why_not:
                    out.append(f"{r.name()}: not met, and no reason")
                continue
            if not r.code:
                out.append(f"{r.name()}: no tag in the code ({r.what})")
            if not r.tests:
                out.append(f"{r.name()}: no tag in a test ({r.what})")
    return out


def check(root=ROOT, folder=LISTS):
    lists = read_lists(folder)
    found = match(lists, root) + holes(lists)
    if root == ROOT:
        found += stale_page()
    for line in found:
        print(line)
    n = sum(len(reqs) for _t, reqs in lists.values())
    out = sum(r.why_not is not None for _t, reqs in lists.values()
              for r in reqs)
    print(f"{n} requirements of {len(lists)} RFCs, {out} not met with a "
          f"reason, {len(found)} holes")
    return 1 if found else 0


def table():
    lists = read_lists(LISTS)
    match(lists, ROOT)
    for _title, reqs in lists.values():
        for r in reqs:
            print(r.name(), "|", r.what, "|", r.why_not or
                  f"{(r.code + ['-'])[0]} | {(r.tests + ['-'])[0]}")
    return 0


# ---- the page -----------------------------------------------------------------

def mdoc(text):
    """Text that begins no macro and holds no escape."""
    text = text.replace("\\", "\\e")
    return "\\&" + text if text[:1] in (".", "'") else text


PAGE_HEAD = """\
.\\" Made by tests/ledger/ledger.py page; do not edit.
.Dd November 26, 2026
.Dt COUPLET-RFC 7
.Os
.Sh NAME
.Nm couplet-rfc
.Nd what Couplet's stack does of the RFCs, and what it does not
.Sh DESCRIPTION
Each requirement stands here in a few words of our own, with its number or
section.
What is implemented has code and at least one test; the check of the source
tree fails where one of the two is missing.
What is not implemented has a reason.
"""


def section(title, rfc, reqs):
    done = [r for r in reqs if r.why_not is None]
    left = [r for r in reqs if r.why_not is not None]
    print(f".Sh RFC {rfc}\n{mdoc(title)}.")
    for head, rows in (("Implemented", done), ("Not implemented", left)):
        if not rows:
            continue
        print(f".Ss {head}, RFC {rfc}\n.Bl -tag -width SHLD-10 -compact")
        for r in rows:
            print(f".It {r.key}\n{mdoc(r.what)}")
            if r.why_not is not None:
                print(f".br\nWhy: {mdoc(r.why_not)}.")
        print(".El")


def page_text():
    lists = read_lists(LISTS)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        print(PAGE_HEAD, end="")
        for rfc in sorted(lists, key=int):
            section(lists[rfc][0], rfc, lists[rfc][1])
        print(".Sh SEE ALSO\n.Xr stackd.deck 5 ,\n.Xr couplet 7 ,\n"
              ".Xr stackd 8")
    return said.getvalue()


def page():
    print(page_text(), end="")
    return 0


def stale_page():
    """The page in git must be what the lists say now."""
    with open(PAGE, encoding="utf-8") as f:
        if f.read() == page_text():
            return []
    return ["man/couplet-rfc.7 is old: tests/ledger/ledger.py page "
            "> man/couplet-rfc.7"]


# ---- selftest -------------------------------------------------------------------

def selftest():
    def complains(lists, code, tests, word):
        with tempfile.TemporaryDirectory() as root:
            for rel, text in (("lists/rfc1.txt", lists),
                              ("stackd/a.c", code), ("tests/a.c", tests)):
                path = os.path.join(root, rel)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                status = check(root, os.path.join(root, "lists"))
        return word in said.getvalue() and status == (word != "0 holes")

    req = "RFC 1 Test\nMUST-1 | 2.1 | something\n"
    tag = "/* [RFC1 2.1 MUST-1] */\n"
    cases = [
        ("all is well", req, tag, tag, "0 holes"),
        ("no code", req, "", tag, "no tag in the code"),
        ("no test", req, tag, "", "no tag in a test"),
        ("no such number", req, tag + "/* [RFC1 2.1 MUST-9] */", tag,
         "no requirement MUST-9"),
        ("wrong section", req, tag + "/* [RFC1 3 MUST-1] */", tag,
         "is in section 2.1"),
        ("a reason", req + "MUST-2 | 2.2 | more | not: why\n", tag, tag,
         "0 holes"),
        ("no reason", req + "MUST-2 | 2.2 | more | not: \n", tag, tag,
         "id | section"),
        ("a section", "RFC 1 Test\n2.4 e | 2.4 | words\n",
         "/* [RFC1 2.4 e] */", "/* [RFC1 2.4 e] */", "0 holes"),
        ("another letter", "RFC 1 Test\n2.4 e | 2.4 | words\n",
         "/* [RFC1 2.4 f] */", "/* [RFC1 2.4 e] */", "no tag in the code"),
    ]
    failed = 0
    for name, lists, code, tests, word in cases:
        try:
            good = complains(lists, code, tests, word)
        except SystemExit as e:
            good = word in str(e)
        if not good:
            print(f"selftest: {name}: no complaint")
            failed = 1
    if not failed:
        print(f"{len(cases)} cases are judged as they should be")
    return failed


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    jobs = {"check": check, "page": page, "table": table,
            "selftest": selftest}
    if what not in jobs:
        print(__doc__)
        return 2
    return jobs[what]()


if __name__ == "__main__":
    sys.exit(main())
