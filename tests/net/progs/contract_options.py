"""Options and what they tell."""

import errno
import socket
import struct
import threading
import time

from contract import LIMIT, on_stack

TCP_CC_INFO = 26
SO_MEMINFO = 55
IP_RECVTTL = 12


class OptionCases:
    def get(self, s, level, name):
        return s.getsockopt(getattr(socket, level), getattr(socket, name))

    def test_truth_about_itself(self):
        for s, _k in self.both():
            self.assertEqual(self.get(s, "SOL_SOCKET", "SO_DOMAIN"),
                             self.family)
            self.assertEqual(self.get(s, "SOL_SOCKET", "SO_TYPE"),
                             socket.SOCK_STREAM)
            self.assertEqual(self.get(s, "SOL_SOCKET", "SO_PROTOCOL"),
                             socket.IPPROTO_TCP)
            self.assertEqual(self.get(s, "SOL_SOCKET", "SO_ACCEPTCONN"), 0)
        lis, _ = self.listener()
        self.assertEqual(self.get(lis, "SOL_SOCKET", "SO_ACCEPTCONN"), 1)
        u = self.sock(socket.SOCK_DGRAM)
        self.assertEqual(self.get(u, "SOL_SOCKET", "SO_TYPE"),
                         socket.SOCK_DGRAM)
        self.assertEqual(self.get(u, "SOL_SOCKET", "SO_PROTOCOL"),
                         socket.IPPROTO_UDP)

    def test_set_and_get(self):
        tcp = [("TCP_NODELAY", 1), ("TCP_CORK", 1), ("TCP_KEEPIDLE", 77),
               ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3),
               ("TCP_USER_TIMEOUT", 12345), ("TCP_SYNCNT", 4),
               ("TCP_DEFER_ACCEPT", 0), ("TCP_LINGER2", 20),
               ("TCP_NOTSENT_LOWAT", 100000)]
        for make in (self.sock, lambda: self.outgoing()[0]):
            s = make()
            for name, value in tcp:
                with self.subTest(name):
                    s.setsockopt(socket.IPPROTO_TCP, getattr(socket, name),
                                 value)
                    self.assertEqual(self.get(s, "IPPROTO_TCP", name), value)
            for name, value in (("SO_KEEPALIVE", 1), ("SO_REUSEADDR", 1),
                                ("SO_BROADCAST", 1), ("SO_OOBINLINE", 1),
                                ("SO_PRIORITY", 3), ("SO_MARK", 7)):
                with self.subTest(name):
                    s.setsockopt(socket.SOL_SOCKET, getattr(socket, name),
                                 value)
                    self.assertEqual(self.get(s, "SOL_SOCKET", name), value)

    def test_congestion_control(self):
        s = self.sock()
        for name in (b"reno", b"bbr", b"cubic"):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name)
            got = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
            self.assertEqual(got.rstrip(b"\0"), name)

    def test_buffer_sizes(self):
        s = self.sock()
        for name in ("SO_SNDBUF", "SO_RCVBUF"):
            s.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 50000)
            self.assertEqual(self.get(s, "SOL_SOCKET", name), 100000)

    def test_linger(self):
        s = self.sock()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 9))
        self.assertEqual(s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8),
                         struct.pack("ii", 1, 9))

    def test_maxseg(self):
        k, addr = self.remote_listener()
        s = self.sock()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 600)
        s.connect(addr)
        conn, _ = k.accept()
        self.assertLessEqual(self.get(s, "IPPROTO_TCP", "TCP_MAXSEG"), 600)
        self.assertLessEqual(conn.getsockopt(socket.IPPROTO_TCP,
                                             socket.TCP_MAXSEG), 600)
        s.sendall(b"m" * 5000)
        self.assertEqual(conn.recv_exact(5000), b"m" * 5000)

    def test_option_before_connect_counts(self):
        """Whatever other threads ask meanwhile: what is set before connect()
        is in force when the handshake begins."""
        over = threading.Event()
        asker = self.sock()

        def ask():
            while not over.is_set():
                self.get(asker, "IPPROTO_TCP", "TCP_MAXSEG")

        threads = [self.thread(ask) for _ in range(3)]
        try:
            k, addr = self.remote_listener()
            for _ in range(20):
                s = self.sock()
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 600)
                s.connect(addr)
                self.assertLessEqual(
                    self.get(s, "IPPROTO_TCP", "TCP_MAXSEG"), 600)
                s.close()
                k.accept()[0].close()
        finally:
            over.set()
        self.join(*threads)

    def test_accepted_inherits(self):
        lis, addr = self.listener()
        lis.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lis.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        k = self.remote()
        k.connect(addr)
        conn, _ = lis.accept()
        self.keep(conn)
        self.assertEqual(self.get(conn, "IPPROTO_TCP", "TCP_NODELAY"), 1)
        self.assertEqual(self.get(conn, "SOL_SOCKET", "SO_KEEPALIVE"), 1)

    def test_tcp_info(self):
        for s, k in self.both():
            s.sendall(b"i" * 100000)
            k.recv_exact(100000)
            k.sendall(b"j" * 5000)
            self.read_exact(s, 5000)
            end = time.monotonic() + LIMIT
            while time.monotonic() < end:
                raw = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                self.assertGreaterEqual(len(raw), 168)
                acked, received = struct.unpack_from("QQ", raw, 120)
                if acked >= 100000 and received >= 5000:
                    break
            state = raw[0]
            rto, _ato, snd_mss, rcv_mss = struct.unpack_from("4I", raw, 8)
            pmtu, _ssthresh, rtt, rttvar, _sst, cwnd, advmss = \
                struct.unpack_from("7I", raw, 60)
            self.assertEqual(state, 1)          # TCP_ESTABLISHED
            self.assertTrue(0 < rto <= 3000000, rto)
            self.assertTrue(500 <= snd_mss <= 65535, snd_mss)
            self.assertTrue(0 < rcv_mss <= 65535, rcv_mss)
            self.assertTrue(1280 <= pmtu <= 65535, pmtu)
            self.assertTrue(0 < rtt < 1000000, rtt)
            self.assertLess(rttvar, 2000000)
            self.assertGreater(cwnd, 1)
            self.assertTrue(500 <= advmss <= 65535, advmss)
            # tcpi_bytes_acked counts the SYN
            self.assertTrue(100000 <= acked <= 100001, acked)
            self.assertTrue(5000 <= received <= 5001, received)

    def test_cc_info_and_meminfo(self):
        s, _k = self.outgoing()
        s.getsockopt(socket.IPPROTO_TCP, TCP_CC_INFO, 64)
        raw = s.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64)
        self.assertGreaterEqual(len(raw), 32)

    def test_ttl_and_tos(self):
        s = self.sock()
        if self.family == socket.AF_INET:
            pairs = [(socket.IPPROTO_IP, socket.IP_TTL, 33),
                     (socket.IPPROTO_IP, socket.IP_TOS, 0x10)]
        else:
            pairs = [(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 33),
                     (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x10),
                     (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)]
        for level, name, value in pairs:
            s.setsockopt(level, name, value)
            self.assertEqual(s.getsockopt(level, name), value)

    def test_hop_limit_is_obeyed(self):
        """The peer sees the hop limit that was asked for."""
        u, k = self.sock(socket.SOCK_DGRAM), self.remote(socket.SOCK_DGRAM)
        k.bind((self.peer_addr, 0))
        if self.family == socket.AF_INET:
            k.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            u.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 42)
        else:
            k.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 42)
        u.sendto(b"x", (self.peer_addr, k.getsockname()[1]))
        _, anc, _, _ = k.recvmsg(10, 100)
        self.assertEqual(struct.unpack("i", anc[0][2][:4])[0], 42)

    def test_keepalive_finds_a_dead_peer(self):
        """The peer answers nothing: an address that leads nowhere after
        the connection stood. Only the setting is seen here; the mechanism
        has its unit tests."""
        s, k = self.outgoing()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        s.settimeout(2.5)
        with self.assertRaises(TimeoutError):
            s.recv(1)                       # probes are answered: it lives
        k.sendall(b"alive")
        s.settimeout(LIMIT)
        self.assertEqual(self.read_exact(s, 5), b"alive")


class DualCases:
    """A v6 socket serves v4 too, unless told otherwise. The cases run once:
    for the family of the v4 class both sides differ."""

    def test_dual_listener(self):
        s = self.keep(socket.socket(socket.AF_INET6))
        s.settimeout(LIMIT)
        s.bind(("::", 0))
        s.listen(5)
        port = s.getsockname()[1]
        k = self.remote()
        k.connect((self.local, port))
        conn, addr = s.accept()
        self.keep(conn)
        want = self.peer_addr if self.family == socket.AF_INET6 else \
            "::ffff:" + self.peer_addr
        self.assertEqual(addr[0], want)
        self.assertEqual(conn.family, socket.AF_INET6)

    def v6only_listener(self):
        s = self.keep(socket.socket(socket.AF_INET6))
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind(("::", 0))
        s.listen(5)
        return s.getsockname()[1]

    def test_v6only_listener(self):
        port = self.v6only_listener()
        k = self.remote()
        want = 0 if self.family == socket.AF_INET6 else errno.ECONNREFUSED
        self.assertEqual(self.errno_of(k.connect, (self.local, port)), want)
        # the v4 port is free for somebody else, unless a connection of an
        # earlier case still waits there
        for _ in range(5):
            s4 = self.keep(socket.socket(socket.AF_INET))
            e = self.errno_of(s4.bind, ("0.0.0.0", port))
            if not e:
                break
            port = self.v6only_listener()
        self.assertEqual(e, 0)
        s4.listen(1)

    def test_mapped_connect(self):
        k, addr = self.remote_listener()
        s = self.keep(socket.socket(socket.AF_INET6))
        s.settimeout(LIMIT)
        mapped = addr[0] if self.family == socket.AF_INET6 else \
            "::ffff:" + addr[0]
        s.connect((mapped, addr[1]))
        conn, seen = k.accept()
        self.assertEqual(seen[0], self.local)
        self.assertEqual(s.getpeername()[0], mapped)
        conn.sendall(b"ok")
        self.assertEqual(self.read_exact(s, 2), b"ok")


class LoopbackCases:
    def test_loopback_stream(self):
        for addr in (self.loopback, self.local):
            with self.subTest(addr):
                lis = self.sock()
                lis.bind((addr, 0))
                lis.listen(5)
                c = self.sock()
                c.connect((addr, lis.getsockname()[1]))
                d, who = lis.accept()
                self.keep(d)
                d.settimeout(LIMIT)
                self.assertEqual(who[:2], c.getsockname()[:2])
                self.assertEqual(who[0], addr)
                c.sendall(b"self")
                self.assertEqual(self.read_exact(d, 4), b"self")
                d.close()
                self.assertEqual(c.recv(1), b"")

    def test_loopback_refused(self):
        lis = self.sock()
        lis.bind((self.loopback, 0))
        port = lis.getsockname()[1]
        lis.close()
        self.assertEqual(self.sock().connect_ex((self.loopback, port)),
                         errno.ECONNREFUSED)


class NameCases:
    def test_numeric_names(self):
        got = socket.getaddrinfo(self.peer_addr, 80, type=socket.SOCK_STREAM)
        self.assertEqual(got[0][4][:2], (self.peer_addr, 80))

    def test_names_of_the_deck(self):
        if not on_stack():
            self.skipTest("the kernel has no deck")
        got = socket.getaddrinfo("peerhost", 80, family=self.family,
                                 type=socket.SOCK_STREAM)
        self.assertEqual(got[0][4][0], self.peer_addr)

    def test_unknown_name(self):
        with self.assertRaises(socket.gaierror):
            socket.getaddrinfo("no-such-host.invalid", 80)

    def test_interfaces_are_the_stacks(self):
        self.assertNotIn("eth0", [n for _, n in socket.if_nameindex()])
