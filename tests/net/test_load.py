#!/usr/bin/python3
"""Many connections and many bytes. In a build with sanitizers the amounts
are smaller; COUPLET_GBYTES and COUPLET_CONNS set them by hand.

    test_load.py --build DIR [--kernel] CASE...
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import check, check_equal, main, options, sanitized


def tool(net, name):
    return os.path.join(net.build, "tests", "bench", "bench_" + name)


def gbytes(net):
    default = "1" if sanitized(net.build) else "10"
    return int(float(os.environ.get("COUPLET_GBYTES", default)) * 10**9)


def transfer(net, server, client, way, family, n):
    """One stream of n bytes; both checksums are the same."""
    other = {"send": "recv", "recv": "send"}[way]
    address, port = net.address(server, family), "7200"
    s = net.side(server)([tool(net, "stream"), "listen", other, address,
                          port, str(n), "hash"], name="server").says("ready")
    c = net.side(client)([tool(net, "stream"), "connect", way, address, port,
                          str(n), "hash"], name="client")
    a = c.ok(400).split()
    b = s.ok(60).split()[1:]
    check_equal((a[0], b[0]), (str(n), str(n)), "bytes at both ends")
    check_equal(a[2], b[2], "checksums")
    seconds = max(float(a[1]), float(b[1]))
    print(f"server {server}, client {way}s, IPv{family}: {n} bytes, "
          f"{n * 8 / 1e9 / seconds:.2f} Gbit/s, checksum {a[2]}", flush=True)


@options(seconds=900)
def test_bulk_to_the_stack(net):
    """10 GB from the kernel to a server on the stack."""
    transfer(net, "p", "h", "send", 4, gbytes(net))
    transfer(net, "p", "h", "send", 6, gbytes(net) // 10)


@options(seconds=900)
def test_bulk_from_the_stack(net):
    """10 GB from a server on the stack to the kernel."""
    transfer(net, "p", "h", "recv", 4, gbytes(net))
    transfer(net, "p", "h", "recv", 6, gbytes(net) // 10)


@options(seconds=300)
def test_bulk_as_client(net):
    for way in ("send", "recv"):
        for family in (4, 6):
            transfer(net, "h", "p", way, family, gbytes(net) // 10)


def many(net, server, client, family, n):
    """n connections open at once, a message over each, twice."""
    address, port = net.address(server, family), "7300"
    s = net.side(server)([tool(net, "idle"), "serve", address, port,
                          str(n)], name="server").says("ready")
    r, w = os.pipe()
    argv = [tool(net, "idle"), "open", address, port, str(n)]
    c = net.side(client)(argv, name="client", stdin=r)
    os.close(r)
    c.says(f"have {n}", 200)
    s.says(f"have {n}", 30)
    os.write(w, b"\n")
    c.says(f"done {n}", 200)
    if not net.kernel:
        out = net.ctl("QUERY", "SOCKETS", "STATE", "ESTABLISHED",
                      check_status=False)
        print(out[:300])
    os.close(w)
    c.ok(60)
    s.stop()


@options(seconds=200)
def test_1000_connections(net):
    for family in (4, 6):
        many(net, "p", "h", family, 1000)
        many(net, "h", "p", family, 1000)


@options(seconds=500, fd_limit=40000)
def test_15000_connections(net):
    """Open at once; descriptors of stackd and of each program are below
    20,000."""
    n = int(os.environ.get("COUPLET_CONNS", "15000"))
    many(net, "p", "h", 4, n)


@options(seconds=120)
def test_connection_storm(net):
    """Eight clients connect, say one byte and close, as fast as they can;
    nobody is refused or left hanging."""
    address = net.address("p", 4)
    s = net.side("p")([tool(net, "connrate"), "serve-byte", address, "7400"],
                      name="server").says("ready")
    c = net.side("h")([tool(net, "connrate"), "call", address, "7400", "8",
                       "5", "byte"], name="client")
    rate = float(c.ok(60).split()[0])
    print(f"{rate:.0f} connections a second")
    check(rate > 100, f"{rate} connections a second")
    s.stop()


if __name__ == "__main__":
    main(globals())
