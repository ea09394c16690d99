#!/usr/bin/python3
"""The EZASOKET interface from COBOL: programs compiled by GnuCOBOL, linked
with libcouplet-eza, on a stack. And programs as an assembler makes them, which
bring nothing but system calls.

    test_eza.py --build DIR CASE...
"""

import ipaddress
import os
import platform
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from couplet_net import (ID, PROGS, V4_HOST, V4_STACK, V6_HOST, V6_STACK,
                         WORK, Proc, check, check_equal, main, needs, options,
                         run, skip)

NAMES = f"HOST VSE77 {V4_STACK}\nHOST PEER6 {V6_HOST}\nHOST PEER4 {V4_HOST}"


HEADERS = os.path.join(HERE, "..", "..", "common", "eza")
IN_C = {"ezasel": ["ezatask.c"]}    # what else the programs consist of


def compiled(net, name):
    needs("cobc")
    out = f"{WORK}/{name}"
    lib = os.path.join(net.build, "common", "eza")
    if not os.path.exists(out):
        run(["cobc", "-x", "-fstatic-call", "-A", f"-I{HEADERS}",
             "-I", PROGS, "-o", out,
             "-L", lib, "-l", "couplet-eza", f"{PROGS}/{name}.cob",
             *(f"{PROGS}/{c}" for c in IN_C.get(name, []))], cwd=WORK,
            timeout=200,
            # its names of files in /tmp are made of its process number
            env=dict(os.environ, TMPDIR=WORK))
    return out


def cobol(net, name, *args, stdin=None):
    """Linked with the library, so that no stackrun is needed: the
    environment names the stack."""
    libs = [os.path.join(net.build, "common", d) for d in ("eza", "client")]
    env = dict(os.environ, LD_LIBRARY_PATH=":".join(libs),
               COUPLET_RUN=net.run_dir, SYSPARM=ID,
               XDG_RUNTIME_DIR=WORK)
    env.pop("COUPLET_ID", None)
    return net.keep(Proc(net.p.argv([compiled(net, name), *args]), name=name,
                         env=env, stdin=stdin))


def call(net, address, port=7100):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with net.h:
        s = socket.socket(family)
    s.settimeout(60)
    s.connect((address, port))
    return s


@options(seconds=300, on_kernel=False, deck_extra=NAMES)
def test_cobol_server(net):
    for address, seen in ((V4_STACK, f"::ffff:{V4_HOST}"),
                          (V6_STACK, V6_HOST)):
        p = cobol(net, "ezaserv")
        p.says("READY", 30)
        with call(net, address) as s:
            s.sendall(b"Hello, cobol")
            check_equal(s.recv(100), b"HELLO, COBOL", "answer")
            check_equal(s.recv(100), b"", "end")
        out = p.ok(30)
        for line in ("MAXSNO       99", "HOST VSE77", f"PEER {seen}",
                     "EBCDIC H", "CLOSED AGAIN        9"):
            check(line in out, f"{line!r} is not in:\n{out}")


@options(seconds=300, on_kernel=False, deck_extra=NAMES)
def test_cobol_client(net):
    with net.h:
        lis = socket.create_server(("::", 7100), family=socket.AF_INET6,
                                   dualstack_ipv6=True)
    lis.settimeout(60)
    for name, family in (("PEER4", 2), ("PEER6", 19)):
        p = cobol(net, "ezacli", name, "a text of COBOL")
        c, _ = lis.accept()
        with c:
            text = c.recv(100)
            check_equal(text, b"a text of COBOL".ljust(40), "request")
            c.sendall(text.upper())
        out = p.ok(30)
        check(f"FAMILY {family:8}" in out and "GOT A TEXT OF COBOL" in out,
              out)
    lis.close()
    p = cobol(net, "ezacli", "PEER4", "nobody listens")
    check_equal(p.wait(30), 1, "exit status")
    check("ERRNO       61" in p.text(), p.text())     # ECONNREFUSED
    p = cobol(net, "ezacli", "NO.SUCH.HOST", "x")
    check_equal(p.wait(60), 1, "exit status")
    check("ERRNO        1" in p.text(), p.text())     # EAI_NONAME


@options(seconds=300, on_kernel=False, deck_extra=NAMES)
def test_give_and_take(net):
    """Between two processes, each a COBOL program."""
    p = cobol(net, "ezaserv", "GIVE")
    p.says("READY", 30)
    with call(net, V4_STACK) as s:
        p.says("GIVE ", 30)
        _, name, number = [line for line in p.text().split("\n")
                           if line.startswith("GIVE")][0].split()
        wrong = cobol(net, "ezacli", name, "49", "TAKE")
        check_equal(wrong.wait(30), 1, "exit status for a socket not given")
        check("ERRNO       22" in wrong.text(), wrong.text())
        check("TOOK" in cobol(net, "ezacli", name, number, "TAKE").ok(30),
              "the taker")
        check_equal(s.recv(100), b"FROM THE TAKER", "data")
        check("TAKEN" in p.ok(30), p.text())
        check_equal(s.recv(100), b"", "end")
    stranger = cobol(net, "ezacli", "P9999999", "0", "TAKE")
    check_equal(stranger.wait(30), 1, "exit status without a giver")
    check("ERRNO        2" in stranger.text(), stranger.text())


@options(seconds=300, on_kernel=False, deck_extra=NAMES)
def test_post_and_cancel(net):
    """SELECTEX of a COBOL program is ended by connections and by the post of
    its subtask, ACCEPT by CANCEL of the subtask."""
    p = cobol(net, "ezasel", stdin=subprocess.PIPE)
    p.says("READY", 30)
    for address in (V4_STACK, V6_STACK):
        with call(net, address) as s:
            s.sendall(b"over and over")
            check_equal(s.recv(100), b"over and over", "answer")
            check_equal(s.recv(100), b"", "end")
    check("POSTED" not in p.text(), p.text())
    p.p.stdin.write(b"post\n")
    p.p.stdin.flush()
    p.says("POSTED", 60)
    p.p.stdin.write(b"cancel\n")
    p.p.stdin.close()
    out = p.ok(60)
    for line in ("IMAGES        1", f"ACTIVE STACK{ID}", "TIME IS OVER",
                 "ACCEPT       -1", "ERRNO     1009"):
        check(line in out, f"{line!r} is not in:\n{out}")


# ---- without a C library ----------------------------------------------------

def raw():
    """A static program without libc: nothing in it can be preloaded or
    wrapped."""
    needs("gcc")
    if platform.machine() != "x86_64":
        skip(f"raw.c has no system calls for {platform.machine()}")
    out = WORK + "/raw"
    run(["gcc", "-O2", "-static", "-nostdlib", "-ffreestanding",
         "-fno-stack-protector", "-fno-pie", "-no-pie", "-o", out,
         PROGS + "/raw.c"], timeout=200)
    return out


def on_stack(net, mode, *argv):
    return net.keep(Proc(net.p.argv(net.stackrun(list(argv), mode=mode)),
                         name=f"{mode}-raw"))


def packed(address):
    return ipaddress.ip_address(address).packed.hex()


@options(seconds=120, on_kernel=False)
def test_raw_calls_connect(net):
    for host, stack in ((V4_HOST, V4_STACK), (V6_HOST, V6_STACK)):
        with net.h:
            lis = socket.create_server(
                (host, 7200), family=socket.AF_INET6 if ":" in host
                else socket.AF_INET)
        lis.settimeout(60)
        with lis:
            for mode in ("auto", "seccomp"):
                p = on_stack(net, mode, raw(), "connect", packed(host),
                             f"{7200:04x}", "no library")
                c, peer = lis.accept()
                with c:
                    c.settimeout(60)
                    check_equal(peer[0], stack, "the stack's address")
                    check_equal(c.recv(100), b"no library", "text")
                    c.sendall(b"is needed")
                check_equal(p.ok(60), "is needed", "answer")
        p = on_stack(net, "auto", raw(), "connect", packed(host),
                     f"{7200:04x}", "x")
        check_equal(p.wait(60), 2, "the step that fails: connect")


@options(seconds=120, on_kernel=False)
def test_raw_calls_serve(net):
    port = 7200
    for address, peer in ((V4_STACK, V4_HOST), (V6_STACK, V6_HOST)):
        for mode in ("auto", "seccomp"):
            port += 1   # the last one's is in TIME-WAIT
            p = on_stack(net, mode, raw(), "serve", packed(address),
                         f"{port:04x}")
            p.says("serving", 60)
            with call(net, address, port) as s:
                s.sendall(b"a line")
                own = s.getsockname()[1]
                check_equal(s.recv(200).decode(),
                            f"{packed(peer)} {own:04x} a line", "answer")
            p.ok(60)


if __name__ == "__main__":
    main(globals())
