#!/usr/bin/python3
"""Much data through tlsd over stackd: every byte arrives, in order, and what
the daemons hold does not grow with it.

    test_tlsd_transfer.py --build DIR CASE...

COUPLET_TRANSFER_MIB is how much goes each way: 10240 for the 10 GiB that a
release is shown with. Without it, TRANSFER_MIB, in a build with sanitizers
TRANSFER_SANITIZED_MIB: both take seconds.
"""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (PROGS, PYTHON, check, check_equal, main, options,
                         sanitized, wait_for)
from tls_net import CERTS, Tlsd, standard_certs

TRANSFER_MIB = 1024
TRANSFER_SANITIZED_MIB = 512
GROWTH_KIB = 48 << 10   # of a daemon: its buffers, and not the data
SECONDS = 3000          # for all of it, however busy the machine


def memory_kib(proc, which):
    with open(f"/proc/{proc.pid}/status", encoding="ascii") as f:
        return int(re.search(which + r":\s+(\d+)", f.read()).group(1))


def megabytes(net):
    """MiB to move."""
    asked = os.environ.get("COUPLET_TRANSFER_MIB")
    if asked:
        return int(asked)
    return TRANSFER_SANITIZED_MIB if sanitized(net.build) else TRANSFER_MIB


def transfer(net, way):
    mib = megabytes(net)
    size = (mib << 20) + 12345      # the end of a block is nothing special
    standard_certs()
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER",
                      "ATTLS 7000 AS 7443 SSL"])
    program = [PYTHON, PROGS + "/transfer.py"]
    server = net.prog(program + ["serve", "0.0.0.0", "7000", way, str(size)],
                      name="program").says("ready")
    wait_for(lambda: "7443" in net.ctl("QUERY", "PORTS"), "the secure port",
             30)
    daemons = {"stackd": net.stackd, "tlsd": tlsd.proc}
    before = {k: memory_kib(p, "VmRSS") for k, p in daemons.items()}
    began = time.monotonic()
    client = net.host(program + ["call", net.address("p", 4), "7443", way,
                                 str(size), CERTS + "/root.crt"],
                      name="client")
    sums = [p.ok(SECONDS).split()[-3:] for p in (client, server)]
    took = time.monotonic() - began
    check_equal(sums[0], ["bytes", str(size), sums[0][2]], "the client")
    check_equal(sums[0], sums[1], "what the two saw")
    check_equal(tlsd.last()["version"], "TLS 1.3", "version")
    for name, p in daemons.items():
        grown = memory_kib(p, "VmHWM") - before[name]
        print(f"{name}: {before[name]} KiB before, at most {grown} more")
        check(grown < GROWTH_KIB, f"{name} grew by {grown} KiB")
    tlsd.idle()
    tlsd.stop()
    print(f"{way}: {mib} MiB in {took:.1f} s, {size * 8 / took / 1e9:.2f} "
          f"Gbit/s, sha256 {sums[0][2]}")


@options(seconds=SECONDS + 200, families="4")
def test_up(net):
    """A TLS client of the kernel's sends, a clear program on the stack takes
    it."""
    transfer(net, "up")


@options(seconds=SECONDS + 200, families="4")
def test_down(net):
    """The program sends."""
    transfer(net, "down")


if __name__ == "__main__":
    main(globals())
