#!/usr/bin/python3
"""The socket contract as seen by a program: every case runs once over IPv4
and once over IPv6, on the kernel's stack (which proves the case) and on ours.

    contract.py CASE...     or "list"

Environment: PEER_PATH (see peer.py), V4_LOCAL V4_PEER V6_LOCAL V6_PEER.
"""

import errno
import os
import socket
import struct
import sys
import threading
import time
import unittest

from peer import Peer

LINGER_RST = struct.pack("ii", 1, 0)
LIMIT = 20      # seconds that any single wait may take


class Contract:
    """What the cases share; V4 and V6 below add the family."""

    family = local = peer_addr = None

    def setUp(self):
        self.began = time.monotonic()
        self.peers = []
        self.peer = self.new_peer()
        self.open = []

    def tearDown(self):
        print(f"{time.monotonic() - self.began:.2f} s ", end="", flush=True)
        for s in self.open:
            s.close()
        for p in self.peers:
            p.close()

    def new_peer(self):
        """Another peer: what blocks on one does not block the other."""
        p = Peer(os.environ["PEER_PATH"])
        self.peers.append(p)
        return p

    def keep(self, s):
        self.open.append(s)
        return s

    def sock(self, kind=socket.SOCK_STREAM):
        s = self.keep(socket.socket(self.family, kind))
        s.settimeout(LIMIT)
        return s

    def remote(self, kind=socket.SOCK_STREAM, peer=None):
        s = (peer or self.peer).socket(self.family, kind)
        s.settimeout(LIMIT)
        return s

    def listener(self, backlog=64, **options):
        """A listener of ours; its address."""
        s = self.sock()
        for name in options:
            s.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
        s.bind((self.local, 0))
        s.listen(backlog)
        return s, (self.local, s.getsockname()[1])

    def remote_listener(self, peer=None):
        k = self.remote(peer=peer)
        k.bind((self.peer_addr, 0))
        k.listen(64)
        return k, (self.peer_addr, k.getsockname()[1])

    def outgoing(self):
        """Connected by us: our socket, the peer's."""
        k, addr = self.remote_listener()
        s = self.sock()
        s.connect(addr)
        conn, _ = k.accept()
        conn.settimeout(LIMIT)
        k.close()
        return s, conn

    def incoming(self):
        """Connected by the peer: our socket, the peer's."""
        s, addr = self.listener()
        k = self.remote()
        k.connect(addr)
        conn, _ = s.accept()
        conn.settimeout(LIMIT)
        s.close()
        return self.keep(conn), k

    def both(self):
        """The same case for both ways to get a connection."""
        for make in (self.outgoing, self.incoming):
            with self.subTest(make.__name__):
                yield make()

    def thread(self, fn, *args):
        """Goes on beside the case; what it raises fails the case in
        join()."""
        def run():
            try:
                fn(*args)
            except Exception as e:      # told by join()
                t.raised = e

        t = threading.Thread(target=run, daemon=True)
        t.raised = None
        t.start()
        return t

    def join(self, *threads, seconds=LIMIT):
        end = time.monotonic() + seconds
        for t in threads:
            t.join(max(0, end - time.monotonic()))
        raised = [t.raised for t in threads if t.raised]
        if raised:
            raise raised[0]
        hung = sum(t.is_alive() for t in threads)
        self.assertEqual(hung, 0, f"of {len(threads)} threads after "
                         f"{seconds} s")

    def errno_of(self, fn, *args):
        try:
            fn(*args)
        except OSError as e:
            return e.errno
        return 0

    def read_exact(self, s, n):
        data = b""
        while len(data) < n:
            part = s.recv(n - len(data))
            self.assertTrue(part, f"end of stream after {len(data)} of {n}")
            data += part
        return data

    def read_all(self, s):
        data = bytearray()
        while True:
            part = s.recv(1 << 18)
            if not part:
                return bytes(data)
            data += part


class V4(Contract):
    family = socket.AF_INET
    local = os.environ.get("V4_LOCAL")
    peer_addr = os.environ.get("V4_PEER")
    loopback, wildcard = "127.0.0.1", "0.0.0.0"
    unreachable_errno = errno.EHOSTUNREACH
    unreachable, blackhole, foreign = ("198.51.100.1", "203.0.113.1",
                                       "192.0.2.99")


class V6(Contract):
    family = socket.AF_INET6
    local = os.environ.get("V6_LOCAL")
    peer_addr = os.environ.get("V6_PEER")
    loopback, wildcard = "::1", "::"
    unreachable_errno = errno.ENETUNREACH     # ICMPv6 says: no route
    unreachable, blackhole, foreign = ("2001:db8:1::1", "2001:db8:2::1",
                                       "2001:db8:3::1")


def on_stack():
    return os.environ.get("ON_STACK") == "1"


def load():
    """{case: [TestCase class for v4, for v6]}"""
    import contract_tcp
    import contract_errors
    import contract_process
    import contract_options
    import contract_udp
    found = {}
    for mod in (contract_tcp, contract_errors, contract_process,
                contract_options, contract_udp):
        for name, cls in vars(mod).items():
            if not isinstance(cls, type) or not name.endswith("Cases"):
                continue
            for fam in (V4, V6):
                tc = type(f"{name}_{fam.__name__}",
                          (cls, fam, unittest.TestCase), {})
                for case in unittest.TestLoader().getTestCaseNames(tc):
                    found.setdefault(case, []).append(tc)
    return found


def main():
    sys.modules["contract"] = sys.modules["__main__"]
    found = load()
    if sys.argv[1:] == ["list"]:
        print("\n".join(sorted(found)))
        return 0
    names = sorted(found) if sys.argv[1:] == ["all"] else sys.argv[1:]
    suite = unittest.TestSuite()
    for name in names:
        for tc in found[name]:
            suite.addTest(tc(name))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)        # not waiting for threads of a case that failed
