"""What fails, and how: the errno that Linux gives."""

import errno
import os
import select
import socket
import time

from contract import LIMIT

TCP_SYNCNT = 7


class ConnectCases:
    def closed_port(self):
        """A port of the peer where nobody listens."""
        k = self.remote()
        k.bind((self.peer_addr, 0))
        port = k.getsockname()[1]
        k.close()
        return (self.peer_addr, port)

    def test_connect_refused(self):
        self.assertEqual(self.errno_of(self.sock().connect,
                                       self.closed_port()),
                         errno.ECONNREFUSED)

    def test_connect_unreachable(self):
        self.assertEqual(self.errno_of(self.sock().connect,
                                       (self.unreachable, 80)),
                         self.unreachable_errno)

    def test_connect_times_out(self):
        s = self.sock()
        s.settimeout(None)
        s.setsockopt(socket.IPPROTO_TCP, TCP_SYNCNT, 1)
        start = time.monotonic()
        self.assertEqual(self.errno_of(s.connect, (self.blackhole, 80)),
                         errno.ETIMEDOUT)
        self.assertTrue(0.5 < time.monotonic() - start < 12)

    def test_nonblocking_connect(self):
        k, addr = self.remote_listener()
        s = self.sock()
        s.setblocking(False)
        self.assertIn(s.connect_ex(addr), (0, errno.EINPROGRESS))
        self.assertEqual(select.select([], [s], [], LIMIT)[1], [s])
        self.assertEqual(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        self.assertEqual(s.getpeername()[:2], addr)
        k.accept()
        # Linux tells of success once more, then that it is connected
        self.assertIn(s.connect_ex(addr), (0, errno.EISCONN))
        self.assertEqual(s.connect_ex(addr), errno.EISCONN)

    def test_nonblocking_connect_refused(self):
        s = self.sock()
        s.setblocking(False)
        self.assertIn(s.connect_ex(self.closed_port()),
                      (errno.EINPROGRESS, errno.ECONNREFUSED))
        p = select.poll()
        p.register(s, select.POLLOUT)
        ev = p.poll(LIMIT * 1000)
        self.assertTrue(ev and ev[0][1] & select.POLLOUT)
        self.assertEqual(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
                         errno.ECONNREFUSED)
        self.assertEqual(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)

    def test_nonblocking_connect_waits(self):
        s = self.sock()
        s.setblocking(False)
        self.assertEqual(s.connect_ex((self.blackhole, 80)),
                         errno.EINPROGRESS)
        self.assertEqual(select.select([], [s], [], 0.3)[1], [])
        self.assertIn(s.connect_ex((self.blackhole, 80)), (errno.EALREADY,))

    def test_connect_while_connected(self):
        s, _k = self.outgoing()
        self.assertIn(s.connect_ex(s.getpeername()), (0, errno.EISCONN))
        self.assertEqual(s.connect_ex(s.getpeername()), errno.EISCONN)

    def test_connect_wrong_family(self):
        other = socket.AF_INET6 if self.family == socket.AF_INET \
            else socket.AF_INET
        s = self.keep(socket.socket(other, socket.SOCK_STREAM))
        addr = ("::1", 80) if other == socket.AF_INET6 else ("127.0.0.1", 80)
        self.assertNotEqual(s.connect_ex(addr), 0)


class ListenerCases:
    def test_closed_listener_refuses(self):
        lis, addr = self.listener()
        k = self.remote()
        k.connect(addr)
        lis.accept()[0].close()
        lis.close()
        start = time.monotonic()
        self.assertEqual(self.errno_of(self.remote().connect, addr),
                         errno.ECONNREFUSED)
        self.assertLess(time.monotonic() - start, 1)

    def test_bound_but_not_listening_refuses(self):
        s = self.sock()
        s.bind((self.local, 0))
        self.assertEqual(self.errno_of(self.remote().connect,
                                       (self.local, s.getsockname()[1])),
                         errno.ECONNREFUSED)

    def test_closing_a_listener_resets_what_waits(self):
        lis, addr = self.listener()
        k = self.remote()
        k.connect(addr)
        lis.close()
        err = None
        try:
            got = k.recv(1)
        except OSError as e:
            got, err = None, e.errno
        self.assertEqual((got, err), (None, errno.ECONNRESET))

    def test_address_in_use(self):
        lis, addr = self.listener()
        self.assertEqual(self.errno_of(self.sock().bind, addr),
                         errno.EADDRINUSE)
        lis.close()

    def test_rebind_at_once_with_reuseaddr(self):
        """A server that is started again: its old connections linger."""
        lis, addr = self.listener(SO_REUSEADDR=True)
        k = self.remote()
        k.connect(addr)
        conn, _ = lis.accept()
        conn.close()
        lis.close()
        self.assertEqual(k.recv(1), b"")
        k.close()
        again = self.sock()
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(addr)
        again.listen(5)
        k2 = self.remote()
        k2.connect(addr)
        again.accept()[0].close()

    def test_foreign_address(self):
        self.assertEqual(self.errno_of(self.sock().bind, (self.foreign, 0)),
                         errno.EADDRNOTAVAIL)

    def test_reuseport(self):
        a, addr = self.listener(SO_REUSEPORT=True)
        b = self.sock()
        b.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        b.bind(addr)
        b.listen(64)
        counts = {a: 0, b: 0}
        ks = []
        for _ in range(40):
            k = self.remote()
            k.connect(addr)
            ks.append(k)
            for lis in select.select([a, b], [], [], LIMIT)[0]:
                lis.accept()[0].close()
                counts[lis] += 1
        self.assertEqual(sum(counts.values()), 40)
        self.assertTrue(all(counts.values()), f"one-sided: {counts}")
        c = self.sock()
        self.assertEqual(self.errno_of(c.bind, addr), errno.EADDRINUSE)


class StateCases:
    def test_unconnected(self):
        s = self.sock()
        self.assertEqual(self.errno_of(s.getpeername), errno.ENOTCONN)
        # seccomp alone does not stop calls that only move bytes: AF_UNIX
        # names the error
        native = os.environ.get("STACKRUN_MODE") == "seccomp"
        self.assertEqual(self.errno_of(s.recv, 1),
                         errno.EINVAL if native else errno.ENOTCONN)
        self.assertEqual(self.errno_of(s.send, b"x"),
                         errno.ENOTCONN if native else errno.EPIPE)
        self.assertEqual(self.errno_of(s.shutdown, socket.SHUT_WR),
                         errno.ENOTCONN)
        self.assertEqual(self.errno_of(s.accept), errno.EINVAL)

    def test_unbound_name(self):
        s = self.sock()
        self.assertEqual(s.getsockname()[:2], (self.wildcard, 0))

    def test_bad_options(self):
        s = self.sock()
        self.assertEqual(self.errno_of(s.setsockopt, socket.IPPROTO_TCP, 250,
                                       1), errno.ENOPROTOOPT)
        self.assertEqual(self.errno_of(s.getsockopt, socket.IPPROTO_TCP,
                                       250), errno.ENOPROTOOPT)
        self.assertEqual(self.errno_of(
            s.setsockopt, socket.IPPROTO_TCP, socket.TCP_CONGESTION,
            b"no-such-algorithm"), errno.ENOENT)

    def test_unsupported_kinds(self):
        for kind, proto, want in (
                (socket.SOCK_STREAM, socket.IPPROTO_UDP,
                 errno.EPROTONOSUPPORT),
                (socket.SOCK_DGRAM, socket.IPPROTO_TCP,
                 errno.EPROTONOSUPPORT)):
            self.assertEqual(self.errno_of(socket.socket, self.family, kind,
                                           proto), want)
