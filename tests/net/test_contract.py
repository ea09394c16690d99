#!/usr/bin/python3
"""Cases of progs/contract*.py, one test each: a program under stackrun
against kernel sockets driven by progs/peer.py.

    test_contract.py --build DIR [--kernel] CASE...
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (PROGS, PYTHON, WORK, V4_HOST, V4_STACK, V6_HOST,
                         V6_STACK, main, options)

DECK = f"HOST peerhost {V4_HOST}\nHOST peerhost {V6_HOST}"


def nowhere(net):
    """Destinations that are unreachable, or swallow what is sent there."""
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        net.h.sysctl(name, 1)
    for kind, v4, v6 in (("unreachable", "198.51.100.0/24",
                          "2001:db8:1::/48"),
                         ("blackhole", "203.0.113.0/24", "2001:db8:2::/48")):
        net.h.run(["ip", "route", "add", kind, v4])
        net.h.run(["ip", "-6", "route", "add", kind, v6])


def contract(net, *cases):
    nowhere(net)
    path = WORK + "/peer"
    if os.path.exists(path):
        os.unlink(path)
    net.host([PYTHON, "-u", PROGS + "/peer.py", path],
             name="peer").says("ready")
    env = dict(os.environ, PEER_PATH=path, V4_LOCAL=V4_STACK,
               V4_PEER=V4_HOST, V6_LOCAL=V6_STACK, V6_PEER=V6_HOST,
               ON_STACK="0" if net.kernel else "1", STACKRUN_MODE=net.mode,
               PYTHONDONTWRITEBYTECODE="1")
    print(net.prog([PYTHON, "-u", PROGS + "/contract.py", *cases],
                   env=env).ok(600))


def make(case):
    @options(seconds=100, deck_extra=DECK)
    def test(net):
        contract(net, case)
    return test


def all_cases():
    for name in sorted(os.listdir(PROGS)):
        if name.startswith("contract_"):
            with open(os.path.join(PROGS, name), encoding="utf-8") as f:
                yield from re.findall(r"^    def (test_\w+)\(self", f.read(),
                                      re.M)


@options(seconds=900, deck_extra=DECK)
def test_everything(net):
    """All cases in one stackd: what is left of one does not harm the
    next."""
    contract(net, "all")


CASES = {case: make(case) for case in all_cases()}
CASES["test_everything"] = test_everything

if __name__ == "__main__":
    main(CASES)
