#!/usr/bin/python3
"""Looks at an installed tree (DESTDIR): are programs, manual pages, units and
examples where they belong, and do they fit each other?

    installed.py DESTDIR
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

WANTED = {
    "programs": r"/s?bin/(stackd|stackctl|stackrun|couplet-keys)$",
    "libraries": r"/lib/.*lib(couplet|couplet-preload)\.so",
    "manual pages": r"/share/man/man[1-9]/[\w.-]+\.[1-9](\.gz)?$",
    "units": r"lib/systemd/system/[\w@.-]+\.service$",
    "sysusers": r"lib/sysusers\.d/\w+\.conf$",
    "tmpfiles": r"lib/tmpfiles\.d/\w+\.conf$",
    "printing": r"/s?bin/(printd|printctl)$|cups/backend/couplet$|"
                r"couplet/couplet-ipp$|libcouplet-print\.so",
    "example decks": r"/share/doc/couplet/.*\.deck$",
}
PAGES = ["printd.8", "printctl.8", "printd.deck.5", "libcouplet-print.3",
         "stackd.8", "stackctl.8", "stackrun.1", "stackd.deck.5",
         "couplet-deck.5", "couplet-messages.7", "couplet.7",
         "couplet-keys.1", "couplet-backend.8"]
# of each library: what a program of a user's includes and calls
PROGRAMS = {
    "couplet": """
        #include <couplet.h>
        #include <couplet_attls.h>
        int main(void) {
            struct attls_info info;
            char id[8];
            return couplet_is_ours(0, id) != 0 ||
                   couplet_attls_query(0, &info) >= 0;
        }""",
    "couplet-eza": """
        #include <couplet-eza.h>
        #include <string.h>
        int main(void) {
            char text[] = "\\xc3\\xd6", len[4] = {0};
            eza_put32(len, 2);
            EZACIC04(text, len);
            return memcmp(text, "CO", 2) != 0;
        }""",
    "couplet-print": """
        #include <couplet-print.h>
        int main(void) {
            struct couplet_print *p;
            int r = couplet_print_open("99", "NONE", &p);
            couplet_print_close(p);
            return r >= 0;
        }""",
}
EXPOSURE_MAX = 30       # tenths, as systemd-analyze counts

problems = []


def problem(text):
    problems.append(text)
    print(text)


def files(root):
    for top, _, names in os.walk(root):
        for n in names:
            yield os.path.relpath(os.path.join(top, n), root)


def check_places(found):
    for what, pattern in WANTED.items():
        hits = [f for f in found if re.search(pattern, f)]
        print(f"{what}: {len(hits)}")
        if not hits:
            problem(f"no {what} in the installed tree")


def check_pages(root, found):
    pages = [f for f in found if "/man/man" in f]
    names = {os.path.basename(f) for f in pages}
    for want in PAGES:
        if want not in names:
            problem(f"manual page {want} is not installed")
    for page in pages:
        r = subprocess.run(["mandoc", "-Tlint", "-Wwarning",
                            os.path.join(root, page)], text=True,
                           stdout=subprocess.PIPE, check=False)
        if r.returncode:
            problem(f"mandoc: {r.stdout}")
        section = page.rpartition(".")[2]
        if f"/man{section}/" not in page:
            problem(f"{page} lies in the wrong section")


def check_backend(root, found):
    """CUPS starts it as root, for whom alone printd believes a user's name,
    if nobody else may run it."""
    for f in found:
        mode = os.stat(os.path.join(root, f)).st_mode & 0o777
        if f.endswith("cups/backend/couplet") and mode != 0o700:
            problem(f"{f} has mode {mode:o}, and needs 700")


def check_units(root, found):
    analyze = shutil.which("systemd-analyze")
    units = [f for f in found if f.endswith(".service")]
    for unit in units:
        path = os.path.join(root, unit)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for program in re.findall(r"^Exec\w+=[-@:+!|]*(\S+)", text, re.M):
            if program.startswith("/usr/") and "couplet" not in program and \
                    not os.path.exists(root + program) and \
                    not os.path.exists(program):
                problem(f"{unit} starts {program}, which is not installed")
        if not analyze:
            problem("systemd-analyze is missing")
            continue
        r = subprocess.run([analyze, "security", "--offline=yes",
                            f"--threshold={EXPOSURE_MAX}", "--no-pager",
                            path], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False)
        print(r.stdout.strip().split("\n")[-1])
        if r.returncode:
            problem(f"{unit}: exposure above {EXPOSURE_MAX / 10}")


def check_library(root, found, name, source):
    """A program of a user's finds the library by pkg-config, and runs."""
    pc = [f for f in found if f.endswith(f"/pkgconfig/{name}.pc")]
    if not pc:
        problem(f"no {name}.pc in the installed tree")
        return
    folder = os.path.dirname(os.path.join(root, pc[0]))
    env = dict(os.environ, PKG_CONFIG_LIBDIR=folder,
               PKG_CONFIG_SYSROOT_DIR=root,
               LD_LIBRARY_PATH=os.path.dirname(folder))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", name],
                           env=env, text=True, stdout=subprocess.PIPE,
                           check=True).stdout.split()
    with tempfile.TemporaryDirectory() as work:
        exe = os.path.join(work, "user")
        for argv in (["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-o",
                      exe, "-x", "c", "-", "-x", "none", *flags], [exe]):
            r = subprocess.run(argv, env=env, input=source, text=True,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
            if r.returncode:
                problem(f"a program with {name}: {' '.join(argv[:1])} gave "
                        f"{r.returncode}: {r.stdout}")
                return
    print(f"a program with {name} runs: {' '.join(flags)}")


def main():
    root = sys.argv[1]
    found = sorted(files(root))
    check_places(found)
    check_pages(root, found)
    check_backend(root, found)
    check_units(root, found)
    for name, source in PROGRAMS.items():
        check_library(root, found, name, source)
    if not problems:
        print("the installed tree is complete")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
