#!/usr/bin/python3
"""Greps that hold the house rules. One argument: the name of a lint, or
"all", or "selftest", which shows each lint a tree with one mistake in it and
fails unless the lint complains.

A finding is one line "file:line: sentence". Exit 1 when there is any.
"""

import os
import re
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))

# Room -> rooms whose headers it may include. A room may always include its
# own headers; what stands in ANYWHERE may be included by every room.
ANYWHERE = {"base", "addr"}
ARROWS = {
    # common/: nothing here knows a daemon
    "base": set(),
    "addr": {"base"},
    "deck": set(),
    "msg": set(),
    "ev": {"msg"},
    "pool": {"ev"},
    "lookup": {"client"},
    "ipc": {"ev", "msg"},
    "console": {"ev", "ipc", "msg", "deck"},
    "daemon": {"ev", "ipc", "msg", "console", "deck"},
    "client": {"ipc", "msg", "deck"},
    "divert": {"client"},
    "eza": {"client"},
    "keys": {"daemon"},
    "tls": {"keys"},
    "ocsp": {"client"},
    "upgrade": set(),
    "relay": {"ev", "pool", "client", "tls"},
    "tlsdeck": {"deck", "tls", "keys", "ocsp"},
    "ftp": set(),
    "tn3270": set(),
    # proxyd/
    "head": set(),
    "target": set(),
    # stackd/
    "wire": set(),
    "pkt": {"wire"},
    "ip": {"wire", "pkt"},
    "udp": {"wire", "pkt", "ip"},
    "tcp": {"wire", "pkt", "ip"},
    "sock": {"wire", "pkt", "ip", "tcp", "udp"},
    "core": {"wire", "pkt", "ip", "tcp", "udp", "sock"},
    "osa": {"wire", "pkt", "ip"},
    "api": {"core", "ip", "tcp", "client", "divert", "msg", "ev"},
    # printd/
    "render": set(),
    "lpr": set(),
    "pjl": set(),
    "spool": set(),
    "source": {"spool", "render"},
    "helper": {"daemon", "ev", "ipc"},
    "appl": {"ipc"},
    "session": {"source", "spool", "render", "helper", "lpr", "pjl", "tn3270",
                "client", "lookup", "ev", "tls"},
}
# The engine's face: its types (events, options, struct udp_meta) are spoken
# in the rooms below it too.
FACE = {"core/stack.h": {"sock", "udp"}}
COMMON = {"base", "addr", "deck", "msg", "ev", "ipc", "console", "daemon",
          "client", "eza", "divert", "keys", "tls", "ocsp", "upgrade", "pool",
          "lookup", "relay", "tlsdeck", "ftp", "tn3270"}
# Headers that lie beside main.c and that rooms above the engine may see.
DAEMON_HEADERS = {"deck.h": {"api", "osa", "session"}, "loop.h": set(),
                  "display.h": set()}

PURE = {"base", "addr", "deck", "wire", "pkt", "ip", "udp", "tcp", "sock",
        "core", "upgrade", "ftp", "tn3270", "head", "target", "render",
        "lpr", "pjl", "source"}
# What a pure room may take from the system: language, memory, numbers.
PURE_SYSTEM = {
    "assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "stdalign.h",
    "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h",
    "string.h", "strings.h", "endian.h", "math.h", "sys/types.h",
    "sys/uio.h", "sys/param.h", "byteswap.h",
}
# One exception each, with its reason.
PURE_EXCEPTIONS = {
    ("common/base/mono.c", "time.h"): "the only reader of the clock",
    ("common/addr/addr.c", "arpa/inet.h"): "inet_ntop, text only",
    ("common/deck/file.c", "fcntl.h"): "the one function that loads decks",
    ("common/deck/file.c", "unistd.h"): "the one function that loads decks",
    ("stackd/tcp/info.c", "linux/tcp.h"): "struct tcp_info, a layout",
    ("common/addr/addr.h", "netinet/in.h"): "struct sockaddr_in6, a value",
    ("common/addr/addr.h", "sys/socket.h"): "struct sockaddr, a value",
    ("common/addr/addr.c", "sys/socket.h"): "struct sockaddr, a value",
    ("common/addr/addr.c", "netinet/in.h"): "struct sockaddr_in6, a value",
    ("printd/render/codepage.c", "iconv.h"): "tables, built at the start",
    ("printd/render/codepage.c", "wchar.h"): "wcwidth, a table",
    ("printd/render/pdf.c", "hpdf.h"): "PDF in memory",
}
# Libraries and the rooms that may use them ("" is the daemon's own folder).
LIBRARIES = [
    (re.compile(r"^event2?/|^event\.h"), {"ev", "console", "daemon", ""}),
    (re.compile(r"^netlink/"), {"osa"}),
    (re.compile(r"^gnutls/"), {"tls"}),
    (re.compile(r"^openssl/"), {"keys", "ocsp"}),
    (re.compile(r"^systemd/"), {"msg", "daemon", "ev", ""}),
    (re.compile(r"^seccomp\.h"), {"daemon", "client", "keys"}),
    (re.compile(r"^cap-ng\.h"), {"daemon"}),
    (re.compile(r"^ares"), {"client", "ev", ""}),
    (re.compile(r"^json"), {"console", "msg", "keys", ""}),
    (re.compile(r"^curl/"), {"session"}),
    (re.compile(r"^cups/"), {""}),
    (re.compile(r"^zlib"), {"spool"}),
]

FILE_MAX_LINES = 800
DOC_MIN_PERCENT = 95

SKIP_DIRS = {".git", "build", "__pycache__", ".cache"}


class Tree:
    """The files of one source tree, as {relative path: text}."""

    def __init__(self, root):
        self.root = root
        self.files = {}
        for top, dirs, names in os.walk(root):
            dirs[:] = sorted(d for d in dirs if d not in SKIP_DIRS)
            for name in sorted(names):
                path = os.path.join(top, name)
                rel = os.path.relpath(path, root)
                # .git is a file in a work tree beside the first one
                if os.path.islink(path) or "/corpus/" in rel or name == ".git":
                    continue
                try:
                    with open(path, encoding="utf-8") as f:
                        self.files[rel] = f.read()
                except UnicodeDecodeError:
                    continue
                except FileNotFoundError:   # an editor's temporary file
                    continue

    def sources(self, *suffixes):
        for rel, text in self.files.items():
            if rel.endswith(suffixes or (".c", ".h")):
                yield rel, text

    def code(self):
        """The product's own C files."""
        for rel, text in self.sources(".c", ".h"):
            # etc/examples is written for others, who have libcouplet alone
            if not rel.startswith(("tests/", "etc/")):
                yield rel, text


def line_of(text, pos):
    return text.count("\n", 0, pos) + 1


def strip(text, strings=True):
    """Comments, and strings if asked for, become blanks; lines stay."""
    def blank(m):
        s = m.group(0)
        if s[0] in "\"'" and not strings:
            return s
        return re.sub(r"[^\n]", " ", s)
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
                  r"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S)


def place(rel):
    """(daemon or common, room) of a file; room "" beside main.c."""
    parts = rel.split("/")
    if len(parts) == 2:
        return parts[0], ""
    return parts[0], parts[1]


def includes(text):
    for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]',
                         strip(text, strings=False), re.M):
        yield line_of(text, m.start()), m.group(1) == "<", m.group(2)


def lint_arrows(tree):
    """Includes run one way; pure rooms stay away from the system."""
    for rel, text in tree.code():
        top, room = place(rel)
        if room and room not in ARROWS:
            yield rel, 1, f"room {room} is not in the table of arrows"
            continue
        for line, system, name in includes(text):
            if system:
                yield from system_include(rel, room, line, name)
            else:
                yield from own_include(rel, top, room, line, name)


def own_include(rel, top, room, line, name):
    if name.startswith(".."):
        yield rel, line, f"{name}: include it from the root of the rooms"
        return
    target = name.split("/")[0] if "/" in name else None
    if top == "common" and target and target not in COMMON:
        yield rel, line, f"common knows no daemon, but includes {name}"
    elif target is None:
        if room and name in DAEMON_HEADERS and \
                room not in DAEMON_HEADERS[name]:
            yield rel, line, f"{room} may not include {name}"
    elif target not in ARROWS:
        yield rel, line, f"{name}: no such room"
    elif room and target != room and target not in ANYWHERE and \
            target not in ARROWS[room] and room not in FACE.get(name, ()):
        yield rel, line, f"{room} may not include {name}"
    elif room == "base" and target == "addr":
        yield rel, line, f"{room} may not include {name}"


def system_include(rel, room, line, name):
    if room in PURE and name not in PURE_SYSTEM and \
            (rel, name) not in PURE_EXCEPTIONS:
        yield rel, line, f"pure room {room} may not include <{name}>"
    for pattern, rooms in LIBRARIES:
        if pattern.search(name) and room not in rooms:
            yield rel, line, f"<{name}> does not belong in {rel}"


MACHINE_PATH = re.compile(
    r"(?<![\w.{}$])/(work|home/\w+|root|tmp/[a-z]+\w*|workspace|Users)/\w")
MACHINE_PATH_OK = re.compile(r"/root/\.|/home/(user|operator)")


def lint_paths(tree):
    """No path of the machine that somebody happened to work on."""
    for rel, text in tree.files.items():
        for n, line in enumerate(text.split("\n"), 1):
            m = MACHINE_PATH.search(line)
            if m and not MACHINE_PATH_OK.search(line):
                yield rel, n, f"a path of one machine: {m.group(0)}..."


def prototypes(text):
    """(line, name, documented) of each prototype of a header. A comment
    counts for the prototypes that follow it without an empty line; one
    behind the prototype counts, and one that calls it by name."""
    bare = strip(text)
    comments = set(re.findall(r"\w+", " ".join(
        re.findall(r"/\*.*?\*/|//[^\n]*", text, re.S))))
    orig = text.split("\n")
    lines = bare.split("\n")
    depth, start, open_doc = 0, None, False
    buf = ""
    for i, line in enumerate(lines):
        if line.lstrip().startswith("#") or \
                (i and lines[i - 1].rstrip().endswith("\\")):
            continue
        if not orig[i].strip():
            open_doc, buf, start = False, "", None
            continue
        if depth == 0 and not line.strip():      # a line of comment
            open_doc = True
            continue
        depth += line.count("{") - line.count("}")
        if depth > 0 or "{" in line or "}" in line:
            buf, start = "", None
            continue
        if start is None:
            start = i
        buf += " " + line
        if ";" in line:
            m = re.search(r"(\w+)\s*\((?!\*)[^;]*\)[^;=]*;", buf)
            if m and not re.match(r"\s*(typedef|static_assert|_Static_assert"
                                  r"|struct \w+ \w+;)", buf):
                behind = any("/*" in o or "//" in o
                             for o in orig[start:i + 1])
                named = m.group(1) in comments
                yield start + 1, m.group(1), open_doc or behind or named
            buf, start = "", None


# Names that say everything: no more than "makes one" and "frees one".
PLAIN = re.compile(r"_(free|fini)$")


def lint_docs(tree):
    """Public prototypes carry a comment."""
    total, missing = 0, []
    for rel, text in tree.code():
        if not rel.endswith(".h"):
            continue
        for line, name, documented in prototypes(text):
            total += 1
            if not documented and not PLAIN.search(name):
                missing.append((rel, line, f"{name}() has no comment"))
    percent = 100 * (total - len(missing)) / total if total else 100
    if percent < DOC_MIN_PERCENT:
        yield from missing
        yield ("headers", 0, f"{percent:.1f} % of {total} prototypes are "
               f"documented, {DOC_MIN_PERCENT} % are asked for")


def lint_length(tree):
    """A file owns one mechanism and stays short."""
    for rel, text in tree.sources(".c", ".h", ".py", ".sh"):
        n = text.count("\n")
        if n > FILE_MAX_LINES:
            yield rel, n, f"{n} lines; split it by mechanism"


UNSAFE = {
    "strcpy": "snprintf or memcpy with a length",
    "strcat": "snprintf",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "atoi": "strtol with a check",
    "atol": "strtol with a check",
    "atof": "strtod with a check",
    "strtok": "strsep or a cursor",
    "alloca": "a bounded buffer",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
}
CLOCKS = ("gettimeofday", "clock_gettime", "time", "clock", "usleep",
          "sleep", "nanosleep")
# The clock is read in mono.c and by what talks to the world.
CLOCK_FILES = re.compile(r"^common/(base/mono\.c|client/|daemon/|msg/|ev/)|"
                         r"^\w+/(main|console|display)\w*\.c|"
                         r"^stackd/(osa|api)/|"
                         r"^common/(tls/wall\.h|keys/(server|tool)\w*\.c)")
RANDOMS = ("rand", "random", "srand", "getrandom", "arc4random")
# One packet, no allocation: the pool and the buffers exist already.
FAST_FILES = re.compile(
    r"^stackd/(wire/.*|pkt/pkt_use\w*|ip/ip_(in|out)\w*|ip/(input|output)\w*"
    r"|tcp/(tcp_)?(in|out|opt|ack|rtt|cc\w*|rack|fsm)\w*)\.c$")
ALLOCATORS = ("malloc", "calloc", "realloc", "strdup", "free")
TEST_SLEEPS = ("sleep", "usleep", "nanosleep")


def calls(bare, names):
    for m in re.finditer(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(", bare):
        yield line_of(bare, m.start()), m.group(1)


def lint_mistakes(tree):
    """Functions that are never right, or not right in that place."""
    for rel, text in tree.sources(".c", ".h"):
        bare = strip(text)
        for line, name in calls(bare, UNSAFE):
            yield rel, line, f"{name}(): use {UNSAFE[name]}"
        if rel.startswith(("tests/unit/", "tests/sim/")):
            for line, name in calls(bare, TEST_SLEEPS):
                yield rel, line, f"{name}(): tests run in virtual time"
        if rel.startswith("tests/"):
            continue
        if not CLOCK_FILES.search(rel):
            for line, name in calls(bare, CLOCKS):
                yield rel, line, f"{name}(): `now` comes in as an argument"
        if place(rel)[1] in PURE:
            for line, name in calls(bare, RANDOMS):
                yield rel, line, f"{name}(): random numbers come in"
        if FAST_FILES.search(rel):
            for line, name in calls(bare, ALLOCATORS):
                yield rel, line, f"{name}() on the fast path"


TODO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def lint_todo(tree):
    """Work that is not done is not left in the source."""
    for rel, text in tree.sources(".c", ".h", ".py", ".sh", ".txt"):
        if rel == "tests/lint/lint.py":
            continue
        for n, line in enumerate(text.split("\n"), 1):
            if TODO.search(line):
                yield rel, n, "finish it or write it down as a limit"


LINTS = {n[5:]: f for n, f in list(globals().items())
         if n.startswith("lint_")}

# lint -> trees that must make it complain
MISTAKES = {
    "arrows": [
        {"stackd/wire/x.c": '#include "tcp/tcp.h"\n'},
        {"stackd/tcp/x.c": "#include <sys/socket.h>\n"},
        {"stackd/core/x.c": "#include <event2/event.h>\n"},
        {"stackd/api/x.c": "#include <netlink/netlink.h>\n"},
        {"common/base/x.c": '#include "tcp/tcp.h"\n'},
        {"common/base/x.c": '#include "addr/addr.h"\n'},
        {"stackd/ip/x.c": '#include "loop.h"\n'},
        {"stackd/ip/x.c": '#include "core/stack.h"\n'},
        {"stackd/ip/x.c": '#include "../tcp/tcp.h"\n'},
        {"stackd/cellar/x.c": "int x;\n"},
    ],
    "paths": [
        {"stackd/x.c": 'char *p = "/' + 'work/main/x";\n'},
        {"README.md": "see /" + "home/jane/couplet\n"},
    ],
    "docs": [{"common/base/x.h": "int x_get(int a);\n"},
             {"common/base/x.h": "/* documented */\nint x_get(int a);\n\n"
                                 "int x_put(int a,\n\t  int b) MUST_USE;\n"}],
    "length": [{"stackd/ip/x.c": "int x;\n" * (FILE_MAX_LINES + 1)}],
    "mistakes": [
        {"stackd/ip/x.c": "void f(void)\n{\n\tstrcpy(a, b);\n}\n"},
        {"stackd/ip/x.c": "t = clock_gettime(CLOCK_MONOTONIC, &ts);\n"},
        {"stackd/wire/x.c": "p = malloc(3);\n"},
        {"stackd/tcp/x.c": "p = getrandom(b, 3, 0);\n"},
        {"tests/unit/x.c": "\tsleep(1);\n"},
    ],
    "todo": [{"stackd/x.c": "/* TO" + "DO later */\n"}],
}
# and one that must please all of them
GOOD = {
    "stackd/tcp/x.c": '#include "ip/ip.h"\n#include <string.h>\n'
                      "/* strcpy() and malloc() in a comment */\n"
                      'const char *s = "atoi(";\n',
    "common/base/x.h": "/* gets one */\nint x_get(int a);\n"
                       "int x_put(int a); /* puts one */\n"
                       "static inline int x_in(void)\n{\n\treturn f(1);\n}\n",
}


def make_tree(files):
    tree = Tree("/nonexistent")
    tree.files = dict(files)
    return tree


def selftest():
    bad = []
    for name in LINTS:
        for findings in [list(LINTS[name](make_tree(GOOD)))]:
            if findings:
                bad.append(f"{name}: complains about good code: {findings}")
        if not MISTAKES.get(name):
            bad.append(f"{name}: no mistake to show it")
    for name, trees in MISTAKES.items():
        for files in trees:
            if not list(LINTS[name](make_tree(files))):
                bad.append(f"{name}: does not see the mistake in {files}")
    with tempfile.TemporaryDirectory() as d:
        os.makedirs(os.path.join(d, "stackd/wire"))
        with open(os.path.join(d, "stackd/wire/x.c"), "w",
                  encoding="utf-8") as f:
            f.write('#include "tcp/tcp.h"\n')
        if not list(lint_arrows(Tree(d))):
            bad.append("files on disk are not read")
    print("\n".join(bad) or f"{len(LINTS)} lints complain when they should")
    return 1 if bad else 0


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    if what == "selftest":
        return selftest()
    if what != "all" and what not in LINTS:
        print(f"no such lint: {what}; there are: all selftest "
              + " ".join(LINTS), file=sys.stderr)
        return 2
    tree = Tree(ROOT)
    n = 0
    for name in LINTS if what == "all" else [what]:
        for rel, line, text in LINTS[name](tree):
            print(f"{rel}:{line}: {text}")
            n += 1
    return 1 if n else 0


if __name__ == "__main__":
    sys.exit(main())
