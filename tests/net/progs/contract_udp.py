"""Datagrams."""

import ctypes
import errno
import select
import socket
import struct

from contract import LIMIT

IP_PKTINFO = 8


class DatagramCases:
    def pair(self):
        """Our socket and the peer's, both bound; the addresses."""
        u, k = self.sock(socket.SOCK_DGRAM), self.remote(socket.SOCK_DGRAM)
        u.bind((self.local, 0))
        k.bind((self.peer_addr, 0))
        return (u, k, (self.local, u.getsockname()[1]),
                (self.peer_addr, k.getsockname()[1]))

    def test_udp_echo(self):
        u, k, ua, ka = self.pair()
        for n in (0, 1, 100, 1400):
            u.sendto(b"u" * n, ka)
            data, who = k.recvfrom(2000)
            self.assertEqual((data, who[:2]), (b"u" * n, ua))
            k.sendto(b"k" * n, ua)
            data, who = u.recvfrom(2000)
            self.assertEqual((data, who[:2]), (b"k" * n, ka))

    def test_udp_no_messages(self):
        """A vector of none is sent and received at once, and is none."""
        libc = ctypes.CDLL(None, use_errno=True)
        u, _k, _ua, ka = self.pair()
        u.connect(ka)
        for fd in (u.fileno(), self.sock(socket.SOCK_DGRAM).fileno()):
            self.assertEqual(libc.sendmmsg(fd, None, 0, 0), 0)
            self.assertEqual(libc.recvmmsg(fd, None, 0, 0, None), 0)

    def test_udp_fragments(self):
        u, k, ua, ka = self.pair()
        for n in (1473, 4000, 20000, 60000):
            data = bytes(i % 251 for i in range(n))
            u.sendto(data, ka)
            self.assertEqual(k.recvfrom(65535)[0], data)
            k.sendto(data, ua)
            self.assertEqual(u.recvfrom(65535)[0], data)

    def test_udp_too_long(self):
        u, _k, _ua, ka = self.pair()
        self.assertEqual(self.errno_of(u.sendto, b"x" * 65530, ka),
                         errno.EMSGSIZE)

    def test_udp_connected(self):
        u, k, ua, ka = self.pair()
        stranger = self.remote(socket.SOCK_DGRAM)
        u.connect(ka)
        self.assertEqual(u.getpeername()[:2], ka)
        u.send(b"to the peer")
        self.assertEqual(k.recvfrom(100)[0], b"to the peer")
        stranger.sendto(b"not for you", ua)
        k.sendto(b"for you", ua)
        self.assertEqual(u.recv(100), b"for you")
        u.settimeout(None)
        self.assertEqual(self.errno_of(u.recv, 100, socket.MSG_DONTWAIT),
                         errno.EAGAIN)

    def test_udp_connect_keeps_what_waits(self):
        """As socat's UDP-LISTEN does: look who sends, connect to him, read
        what he had sent already; the next server binds the same port."""
        u, k, ua, ka = self.pair()
        for i in range(3):
            k.sendto(b"early %d" % i, ua)
        data, who = u.recvfrom(100, socket.MSG_PEEK)
        self.assertEqual((data, who[:2]), (b"early 0", ka))
        u.connect(who)
        for i in range(3):
            self.assertEqual(u.recv(100), b"early %d" % i)
        k.sendto(b"late", ua)
        self.assertEqual(u.recv(100), b"late")
        u.send(b"answer")
        self.assertEqual(k.recvfrom(100)[0], b"answer")

    def test_udp_listener_beside_a_connected_socket(self):
        """The connected socket gets its peer's datagrams, the other one
        everybody else's."""
        u = self.sock(socket.SOCK_DGRAM)
        u.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        u.bind((self.local, 0))
        ua = (self.local, u.getsockname()[1])
        k, k2 = (self.remote(socket.SOCK_DGRAM) for _ in range(2))
        for x in (k, k2):
            x.bind((self.peer_addr, 0))
        u.connect((self.peer_addr, k.getsockname()[1]))
        v = self.sock(socket.SOCK_DGRAM)
        v.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        v.bind(ua)
        k2.sendto(b"second", ua)
        self.assertEqual(v.recv(100), b"second")
        k.sendto(b"first", ua)
        self.assertEqual(u.recv(100), b"first")

    def test_udp_refused(self):
        u, k, _ua, ka = self.pair()
        k.close()
        u.connect(ka)
        u.send(b"anybody?")
        self.assertTrue(select.select([u], [], [], LIMIT)[0])
        u.settimeout(None)
        self.assertEqual(self.errno_of(u.recv, 1), errno.ECONNREFUSED)

    def test_udp_nobody_listens_here(self):
        """A stack hears of close() a moment later than a kernel does."""
        u, k, ua, _ka = self.pair()
        u.close()
        k.connect(ua)
        k.settimeout(1)
        for _ in range(LIMIT):
            e = self.errno_of(k.send, b"anybody?") or \
                self.errno_of(k.recv, 1)
            if e:
                break
        self.assertEqual(e, errno.ECONNREFUSED)

    def test_udp_peek_and_truncate(self):
        u, k, ua, _ka = self.pair()
        k.sendto(b"0123456789", ua)
        self.assertEqual(u.recv(4, socket.MSG_PEEK), b"0123")
        self.assertEqual(u.recv(100, socket.MSG_PEEK), b"0123456789")
        data, _anc, flags, _who = u.recvmsg(4)
        self.assertEqual(data, b"0123")
        self.assertTrue(flags & socket.MSG_TRUNC)
        u.settimeout(None)
        self.assertEqual(self.errno_of(u.recv, 1, socket.MSG_DONTWAIT),
                         errno.EAGAIN)

    def test_udp_truncate_tells_length(self):
        u, k, ua, _ka = self.pair()
        k.sendto(b"0123456789", ua)
        buf = bytearray(10)
        self.assertEqual(u.recv_into(buf, 4, socket.MSG_TRUNC), 10)
        self.assertEqual(bytes(buf[:4]), b"0123")

    def test_udp_unconnected_send(self):
        u = self.sock(socket.SOCK_DGRAM)
        self.assertEqual(self.errno_of(u.send, b"x"), errno.EDESTADDRREQ)

    def test_udp_ephemeral_port(self):
        u, k = self.sock(socket.SOCK_DGRAM), self.remote(socket.SOCK_DGRAM)
        k.bind((self.peer_addr, 0))
        u.sendto(b"x", (self.peer_addr, k.getsockname()[1]))
        who = k.recvfrom(9)[1]
        self.assertEqual(u.getsockname()[1], who[1])
        self.assertGreater(who[1], 1023)

    def test_udp_packet_info(self):
        u, k = self.sock(socket.SOCK_DGRAM), self.remote(socket.SOCK_DGRAM)
        u.bind((self.wildcard, 0))
        if self.family == socket.AF_INET:
            u.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        else:
            u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        k.sendto(b"where to?", (self.local, u.getsockname()[1]))
        data, anc, _, _ = u.recvmsg(100, 200)
        self.assertEqual(data, b"where to?")
        raw = anc[0][2]
        addr = raw[8:12] if self.family == socket.AF_INET else raw[:16]
        self.assertEqual(socket.inet_ntop(self.family, addr), self.local)

    def test_udp_burst(self):
        """Nothing is lost between a program that reads and a peer that
        waits for answers."""
        u, k, ua, ka = self.pair()
        for i in range(500):
            k.sendto(struct.pack("!I", i), ua)
            data, who = u.recvfrom(100)
            self.assertEqual(data, struct.pack("!I", i))
            u.sendto(data, who)
            self.assertEqual(k.recvfrom(100)[0], data)

    def test_udp_messages_of_several_parts(self):
        u, k, _ua, ka = self.pair()
        u.sendmsg([b"one", b"two", b"three"], [], 0, ka)
        self.assertEqual(k.recvfrom(100)[0], b"onetwothree")

    def test_udp_loopback(self):
        a, b = self.sock(socket.SOCK_DGRAM), self.sock(socket.SOCK_DGRAM)
        a.bind((self.loopback, 0))
        b.sendto(b"round", (self.loopback, a.getsockname()[1]))
        data, who = a.recvfrom(100)
        self.assertEqual(data, b"round")
        self.assertEqual(who[0], self.loopback)

    def test_udp_poll(self):
        u, k, ua, _ka = self.pair()
        self.assertEqual(select.select([u], [], [], 0.05)[0], [])
        self.assertEqual(select.select([], [u], [], LIMIT)[1], [u])
        k.sendto(b"x", ua)
        self.assertEqual(select.select([u], [], [], LIMIT)[0], [u])
