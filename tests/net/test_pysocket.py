#!/usr/bin/python3
"""Strangers' tests of the socket contract: Python's own, as Debian ships
them in libpython3.11-testsuite, run by Debian's python3 on the stack. The
cases that are left out stand in pysocket.left_out, each with its reason; the
same runner with --kernel gives the baseline.

    test_pysocket.py --build DIR [--kernel] CASE...
"""

import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from couplet_net import PROGS, PYTHON, main, options, skip

HOSTS = "HOST localhost 127.0.0.1\nHOST localhost ::1"
TESTS = "/usr/lib/python3.11/test/test_socket.py"


def module(net, name):
    if not os.path.exists(TESTS):
        skip("libpython3.11-testsuite is not installed; ./dev setup")
    only = os.environ.get("PYSOCKET_ONLY", "").split()
    p = net.prog([PYTHON, "-u", PROGS + "/pysocket_run.py", name,
                  HERE + "/pysocket.left_out", *only], name=name)
    text = p.ok(600)
    print(text.strip().split("\n")[-1])


@options(seconds=600, deck_extra=HOSTS)
def test_python_socket(net):
    module(net, "test_socket")


@options(seconds=200, deck_extra=HOSTS)
def test_python_selectors(net):
    module(net, "test_selectors")


@options(seconds=200, deck_extra=HOSTS)
def test_python_asyncio_streams(net):
    module(net, "test_asyncio.test_streams")


if __name__ == "__main__":
    main(globals())
