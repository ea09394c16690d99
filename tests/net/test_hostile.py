#!/usr/bin/python3
"""Another user of the machine: what he may use, and what he must not reach.
The attacks talk to stackd in its own records, as a program written for the
purpose would.

    test_hostile.py --build DIR CASE...
"""

import errno
import os
import re
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from couplet_net import (ID, PYTHON, ROOT, V4_HOST, V4_STACK, WORK, Proc, check,
                         check_equal, main, options, wait_for)

VICTIM, ATTACKER = 5001, 5002


def as_user(net, uid, argv, mode="auto", on_stack=True, **kw):
    if on_stack:
        argv = net.stackrun(argv, mode=mode)
    return net.keep(Proc(net.p.argv(
        ["setpriv", "--reuid", str(uid), "--regid", str(uid),
         "--clear-groups", *argv]), name=f"user-{uid}", **kw))


SERVER = """
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("0.0.0.0", 7000))
s.listen()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("0.0.0.0", 7000))
print("ready", flush=True)
while True:
    c, peer = s.accept()
    print("peer", peer[0], flush=True)
    c.sendall(b"secret of the victim")
    c.recv(1)
"""

# struct proto_req and struct proto_hello of common/client/proto.h
ATTACK = r"""
import array, errno, os, socket, struct, sys
RUN, VICTIM = sys.argv[1], int(sys.argv[2])
BIND, GETNAME, COUPLE, TWIN, UNTWIN, TWINS = map(int, sys.argv[3:])

def say(*a):
    print(*a, flush=True)

def name(f, *a):
    try:
        f(*a)
        return "done"
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)

def request(op, fd=None, for_pid=0, family=0, port=0, addr=b"", value=0,
            text=b"", flags=2):
    c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    c.connect(RUN + "/control")
    r = struct.pack("=IHHBBHiqII", 0x43504c31, op, flags, 0, 0, len(text), 0,
                    value, 0, for_pid) + bytes(24) + \
        struct.pack("=BBHI", family, 0, port, 0) + addr.ljust(16, b"\0") + text
    anc = [] if fd is None else \
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
    c.sendmsg([r], anc)
    rep = c.recv(65536)
    if len(rep) < 88:
        return "ended"
    e = -struct.unpack_from("=i", rep, 4)[0]
    return errno.errorcode[e] if e else "done"

# the victim's listener: its directory, its names, its process
say("directory", name(os.listdir, RUN + "/l"))
for i in range(1, 20):
    s = socket.socket(socket.AF_UNIX)
    say("path", name(s.connect, f"{RUN}/l/{i}"))
for line in open("/proc/net/unix"):
    at = line.split()[-1]
    if at.startswith("@c/") or "/l/" in at:
        s = socket.socket(socket.AF_UNIX)
        say("abstract", name(s.connect, at.replace("@", "\0", 1)))
say("descriptors", name(os.listdir, f"/proc/{VICTIM}/fd"))
say("memory", name(open, f"/proc/{VICTIM}/mem", "rb"))
pidfd = os.pidfd_open(VICTIM)
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for fd in range(3, 8):
    r = libc.syscall(438, pidfd, fd, 0)
    say("getfd", "done" if r >= 0 else errno.errorcode[ctypes.get_errno()])

# a connected pair under the name of one of stackd's connections
for serial in list(range(0, 40)) + [1 << 24 | i for i in range(40)]:
    lis = socket.socket(socket.AF_UNIX)
    lis.bind("")
    lis.listen()
    fake = socket.socket(socket.AF_UNIX)
    forged = f"\0c/{serial:x}/10.77.0.2#7000-10.77.0.1#4000"
    if name(fake.bind, forged) != "done":
        continue
    fake.connect(lis.getsockname())
    mine, _ = lis.accept()
    say("forged", request(GETNAME, mine.fileno()))

# ports: reserved ones, and those that the victim may have
def bind(port, **kw):
    s = socket.socket(socket.AF_UNIX)
    return request(BIND, s.fileno(), family=4, port=port,
                   addr=socket.inet_aton("0.0.0.0"), **kw)
say("reserved", bind(80))
say("speaks_for_victim", bind(8443, for_pid=VICTIM))
say("speaks_for_init", bind(8443, for_pid=1))
say("taken", bind(7000))

# what only stacks say to each other
path = os.open("/tmp", os.O_PATH)
twin = struct.pack("=QIII4s", 99, VICTIM, 0, 0, b"77") + bytes(24)
for op in (COUPLE, TWIN, UNTWIN, TWINS):
    say("stacks_only", request(op, path, family=4, port=7005,
                               addr=bytes(4), text=twin, flags=4))
# the operator
c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
say("end")
"""


def operations(*names):
    """Their numbers, as proto.h counts them from 1."""
    with open(os.path.join(ROOT, "common", "client", "proto.h"),
              encoding="utf-8") as f:
        body = re.search(r"^enum proto_op \{(.*?)^\};", f.read(),
                         re.M | re.S).group(1)
    all_names = re.findall(r"^\tPROTO_(\w+)", body, re.M)
    return [str(all_names.index(n) + 1) for n in names]


@options(seconds=120, on_kernel=False,
         deck_extra=f"POLICY SHOP ALLOW BIND PORT 8443 USER {VICTIM}\n"
                    "POLICY OTHERS DENY BIND PORT 8443")
def test_other_user(net):
    for mode in ("auto", "seccomp"):
        victim = as_user(net, VICTIM, [PYTHON, "-c", SERVER], mode)
        victim.says("ready", 30)
        with net.h:
            peer = socket.create_connection((V4_STACK, 7000), 30)
        victim.says(f"peer {V4_HOST}", 30)
        out = as_user(net, ATTACKER, [
            PYTHON, "-c", ATTACK, f"{net.run_dir}/{ID}", str(victim.pid),
            *operations("BIND", "GETNAME", "COUPLE", "TWIN", "UNTWIN",
                        "TWINS")],
            on_stack=False).ok(90)
        got = {}
        for line in out.strip().split("\n"):
            got.setdefault(line.split()[0], set()).update(line.split()[1:])
        print(got)
        refused = {"EACCES", "EPERM"}
        for what in ("directory", "path", "descriptors", "memory", "getfd",
                     "reserved", "speaks_for_victim", "speaks_for_init",
                     "stacks_only"):
            check(got[what] <= refused, f"{what}: {got[what]}")
        check(got.get("abstract", refused) <= {"ECONNREFUSED"} | refused,
              f"abstract names: {got.get('abstract')}")
        check_equal(got["forged"], {"ENOTCONN"}, "forged peers")
        check_equal(got["taken"], {"EADDRINUSE"}, "the victim's port")
        check("end" in got, out)
        # the victim has seen its one peer only, and nobody read its data
        check_equal(peer.recv(100), b"secret of the victim", "data")
        peer.close()
        check_equal(victim.text().count("peer "), 1, "peers of the victim")
        victim.stop()


@options(seconds=60, on_kernel=False)
def test_operator_commands(net):
    """What another user may ask the console."""
    for words, may in ((["QUERY", "ID"], None), (["TRACE", "START",
                       WORK + "/x.pcapng"], False), (["SHUTDOWN"], False)):
        r = as_user(net, ATTACKER, [net.tool("stackctl"), "-i", ID, "--run",
                                    net.run_dir, *words], on_stack=False)
        status = r.wait(30)
        if may is False:
            check(status != 0, f"{words} was carried out: {r.text()}")
    check(not os.path.exists(WORK + "/x.pcapng"), "a trace was written")
    net.ctl("QUERY", "ID")


TRY = """
import errno, socket, sys
for what in sys.argv[1:]:
    try:
        s = socket.socket()
        if what == "use":
            s.connect(("10.77.0.1", 9))
        else:
            s.bind(("0.0.0.0", int(what)))
            s.listen()
        print(what, "done")
    except OSError as e:
        print(what, errno.errorcode[e.errno])
"""
REAL_PYTHON = os.path.realpath(PYTHON)


def tries(net, uid, mode, *what, python=PYTHON):
    out = as_user(net, uid, [python, "-c", TRY, *what], mode).ok(60)
    return dict(line.split() for line in out.strip().split("\n"))


@options(seconds=120, on_kernel=False, deck_extra=f"""\
POLICY PYTHON ALLOW BIND PORT 443 PROGRAM {REAL_PYTHON} USER {VICTIM}
POLICY SHOP ALLOW BIND PORT 8443-8444 USER {VICTIM}
POLICY NOSHOP DENY BIND PORT 8443-8444
POLICY GUESTS DENY USE USER {ATTACKER + 1}""")
def test_policy(net):
    for mode in ("preload", "seccomp", "auto"):
        check_equal(tries(net, VICTIM, mode, "443", "444", "8443", "9000",
                          "use"),
                    {"443": "done", "444": "EACCES", "8443": "done",
                     "9000": "done", "use": "ECONNREFUSED"},
                    f"the victim, {mode}")
        check_equal(tries(net, ATTACKER, mode, "443", "80", "8444", "9000"),
                    {"443": "EACCES", "80": "EACCES", "8444": "EACCES",
                     "9000": "done"}, f"the attacker, {mode}")
        p = as_user(net, ATTACKER + 1, [PYTHON, "-c", TRY, "use"], mode)
        check_equal(p.wait(30), 126, "status for a user without rights")
        check("may not use" in p.text(), p.text())
    for rule, port in (("RESERVE", 80), ("NOSHOP", 8444)):
        wait_for(lambda r=rule, q=port: any(
            f"user {ATTACKER}" in line and f"port {q}" in line and
            f"rule {r}" in line and REAL_PYTHON in line
            for line in net.stackd.text().split("\n")),
            f"the refusal by {rule} in the log", 30)
    wait_for(lambda: "CPLT340W" in net.stackd.text() and
             "rule GUESTS" in net.stackd.text(), "the refusal of use", 30)


@options(seconds=60, on_kernel=False, deck_extra=f"""\
POLICY ONLY ALLOW USE PROGRAM {REAL_PYTHON}
POLICY REST DENY USE""")
def test_policy_of_programs(net):
    """One program may use the stack, others may not, whatever runs them."""
    for mode in ("preload", "seccomp"):
        check_equal(tries(net, VICTIM, mode, "9000", "use"),
                    {"9000": "done", "use": "ECONNREFUSED"}, mode)
        p = as_user(net, VICTIM, ["curl", "-sS", f"http://{V4_HOST}:9/"],
                    mode)
        check_equal(p.wait(30), 7, f"curl's exit status, {mode}")
    wait_for(lambda: "curl) may not use the stack: rule REST" in
             net.stackd.text(), "the refusal in the log", 30)


@options(seconds=60, on_kernel=False)
def test_user_without_privileges(net):
    """Neither root nor capabilities: a user namespace does, and the program
    stays who it is."""
    with open("/proc/sys/user/max_user_namespaces", encoding="ascii") as f:
        check(int(f.read()) > 0, "user namespaces are switched off here")
    for mode in ("auto", "seccomp"):
        out = as_user(net, VICTIM, [
            "sh", "-c", "id -u; cat /proc/net/dev | wc -l; "
            "/bin/busybox wget -q -O - http://10.77.0.1:9/ 2>&1 | "
            "grep -o refused"], mode).ok(30)
        check_equal(out.split(), [str(VICTIM), "3", "refused"], mode)


if __name__ == "__main__":
    main(globals())
