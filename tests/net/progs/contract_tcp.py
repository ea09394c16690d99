"""Byte streams: data, ends of streams, flags, readiness."""

import array
import errno
import fcntl
import hashlib
import os
import select
import socket
import struct
import tempfile
import termios
import time

from contract import LIMIT, LINGER_RST

SIOCOUTQ = termios.TIOCOUTQ


def pattern(n, seed=1):
    """n bytes that differ everywhere."""
    block = b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest()
                     for i in range(2048))
    return (block * (n // len(block) + 1))[:n]


def ioctl_int(s, what):
    buf = array.array("i", [0])
    fcntl.ioctl(s.fileno(), what, buf)
    return buf[0]


class StreamCases:
    def test_echo(self):
        for s, k in self.both():
            s.sendall(b"hello")
            self.assertEqual(k.recv_exact(5), b"hello")
            k.sendall(b"world!")
            self.assertEqual(self.read_exact(s, 6), b"world!")

    def test_addresses(self):
        k, addr = self.remote_listener()
        s = self.sock()
        s.connect(addr)
        _conn, seen = k.accept()
        self.assertEqual(s.getpeername()[:2], addr)
        self.assertEqual(s.getsockname()[:2], seen[:2])
        self.assertEqual(seen[0], self.local)
        lis, laddr = self.listener()
        k2 = self.remote()
        k2.connect(laddr)
        conn, got = lis.accept()
        self.keep(conn)
        self.assertEqual(got[:2], k2.getsockname()[:2])
        self.assertEqual(got[0], self.peer_addr)
        self.assertEqual(conn.getpeername()[:2], got[:2])
        self.assertEqual(conn.getsockname()[:2], laddr)

    def test_fin_is_end_of_file(self):
        for s, k in self.both():
            k.sendall(b"last words")
            k.close()
            self.assertEqual(self.read_all(s), b"last words")
            self.assertEqual(s.recv(1), b"")

    def test_half_close_ours(self):
        for s, k in self.both():
            s.sendall(b"question")
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(k.recv_all(), b"question")
            k.sendall(b"answer" * 10000)
            k.close()
            self.assertEqual(self.read_all(s), b"answer" * 10000)
            self.assertIn(self.errno_of(s.sendall, b"x"), (errno.EPIPE,))

    def test_half_close_theirs(self):
        for s, k in self.both():
            k.sendall(b"question")
            k.shutdown(socket.SHUT_WR)
            self.assertEqual(self.read_all(s), b"question")
            data = pattern(300000)
            wait = self.peer.start(k, "recv_all")
            s.sendall(data)
            s.close()
            self.assertEqual(wait(), data)

    def test_close_delivers_what_was_written(self):
        data = pattern(5000000)
        for s, k in self.both():
            wait = self.peer.start(k, "recv_all")
            s.sendall(data)
            s.close()
            self.assertEqual(hashlib.sha256(wait()).digest(),
                             hashlib.sha256(data).digest())

    def test_large_both_ways_at_once(self):
        data = pattern(20000000, 2)
        for s, k in self.both():
            wait = self.peer.start(k, "echo")
            got = hashlib.sha256()
            n = [0]

            def reader():
                while n[0] < len(data):
                    part = s.recv(1 << 18)
                    if not part:
                        return
                    got.update(part)
                    n[0] += len(part)
            t = self.thread(reader)
            s.sendall(data)
            self.join(t, seconds=60)
            self.assertEqual(n[0], len(data))
            self.assertEqual(got.digest(), hashlib.sha256(data).digest())
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(wait(), len(data))

    def test_many_small_messages(self):
        for s, k in self.both():
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wait = self.peer.start(k, "echo")
            sent = pattern(200000, 3)
            at = got = 0
            size = 1
            while at < len(sent):
                n = s.send(sent[at:at + size])
                back = self.read_exact(s, n)
                self.assertEqual(back, sent[at:at + n])
                at += n
                got += n
                size = size % 257 + 1
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(wait(), got)

    def test_backlog_before_accept(self):
        lis, addr = self.listener()
        ks = []
        for i in range(20):
            k = self.remote()
            k.connect(addr)
            k.sendall(b"%03d" % i)
            ks.append(k)
        seen = set()
        for _ in range(20):
            conn, _ = lis.accept()
            conn.settimeout(LIMIT)
            seen.add(self.read_exact(conn, 3))
            conn.close()
        self.assertEqual(len(seen), 20)

    def test_back_pressure_of_the_peer(self):
        for s, k in self.both():
            s.setblocking(False)
            data = pattern(1 << 20, 4)
            sent = 0
            end = time.monotonic() + LIMIT
            idle = None
            while time.monotonic() < end:
                try:
                    sent += s.send(data[sent % len(data):])
                    idle = None
                except BlockingIOError:
                    now = time.monotonic()
                    idle = idle or now
                    if now - idle > 0.3:
                        break
                    select.select([], [s], [], 0.05)
                self.assertLess(sent, 64 << 20, "nobody pushes back")
            self.assertGreater(sent, 1000)
            self.assertEqual(select.select([], [s], [], 0)[1], [])
            wait = self.peer.start(k, "recv_exact", sent)
            got = wait()
            want = (data * (sent // len(data) + 1))[:sent]
            self.assertEqual(hashlib.sha256(got).digest(),
                             hashlib.sha256(want).digest())
            self.assertEqual(select.select([], [s], [], LIMIT)[1], [s])
            k.close()

    def test_back_pressure_of_the_program(self):
        for s, k in self.both():
            k.settimeout(0.5)
            data = pattern(1 << 20, 5)
            sent = 0
            while sent < 256 << 20:
                try:
                    sent += k.send(data)
                except OSError:
                    break
            self.assertLess(sent, 64 << 20, "the window never closed")
            k.settimeout(LIMIT)
            k.shutdown(socket.SHUT_WR)
            self.assertEqual(len(self.read_all(s)), sent)

    def test_sendfile_and_splice(self):
        data = pattern(3000000, 6)
        with tempfile.TemporaryFile() as f:
            f.write(data)
            f.flush()
            for s, k in self.both():
                s.settimeout(None)
                wait = self.peer.start(k, "recv_all")
                at = 0
                while at < 2000000:
                    at += os.sendfile(s.fileno(), f.fileno(), at,
                                      2000000 - at)
                r, w = os.pipe()
                while at < len(data):
                    n = os.splice(f.fileno(), w, min(65536, len(data) - at),
                                  offset_src=at)
                    at += n
                    while n:
                        n -= os.splice(r, s.fileno(), n)
                os.close(r)
                os.close(w)
                s.close()
                self.assertEqual(hashlib.sha256(wait()).digest(),
                                 hashlib.sha256(data).digest())

    def test_sendfile_after_a_silent_connect(self):
        """All that a program did was to wait until it was writable: no
        SO_ERROR, no second connect(), no getpeername()."""
        data = pattern(3000000, 7)
        k, addr = self.remote_listener()
        s = self.sock()
        s.setblocking(False)
        self.assertIn(s.connect_ex(addr), (0, errno.EINPROGRESS))
        p = select.poll()
        p.register(s, select.POLLOUT)
        self.assertTrue(p.poll(LIMIT * 1000))
        conn, _ = k.accept()
        conn.settimeout(LIMIT)
        wait = self.peer.start(conn, "recv_all")
        at = 0
        with tempfile.TemporaryFile() as f:
            f.write(data)
            f.flush()
            while at < len(data):
                try:
                    at += os.sendfile(s.fileno(), f.fileno(), at,
                                      len(data) - at)
                except BlockingIOError:
                    self.assertTrue(p.poll(LIMIT * 1000),
                                    f"never writable again after {at}")
        s.close()
        self.assertEqual(hashlib.sha256(wait()).digest(),
                         hashlib.sha256(data).digest())

    def test_scatter_gather(self):
        parts = [pattern(n, n) for n in (1, 100, 5000, 3, 70000)]
        want = b"".join(parts)
        for s, k in self.both():
            sent = s.sendmsg(parts)
            s.sendall(want[sent:])
            self.assertEqual(k.recv_exact(len(want)), want)
            k.sendall(want[:50])
            a, b = bytearray(10), bytearray(100)
            n = 0
            while n < 50:
                got = s.recvmsg_into([a, b] if n == 0 else
                                     [memoryview(b)[n - 10:]])[0]
                self.assertGreater(got, 0)
                if n == 0:
                    self.assertGreaterEqual(got, 10)
                n += got
            self.assertEqual(bytes(a) + bytes(b[:40]), want[:50])


class FlagCases:
    def test_peek_leaves_data(self):
        for s, k in self.both():
            k.sendall(b"0123456789")
            self.assertEqual(s.recv(10, socket.MSG_PEEK |
                                    socket.MSG_WAITALL), b"0123456789")
            self.assertEqual(s.recv(4, socket.MSG_PEEK), b"0123")
            self.assertEqual(self.read_exact(s, 10), b"0123456789")
            k.close()
            self.assertEqual(s.recv(1, socket.MSG_PEEK), b"")

    def test_waitall(self):
        for s, k in self.both():
            k.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            got = []
            s.settimeout(None)
            t = self.thread(
                lambda c=s, to=got: to.append(c.recv(3000,
                                                     socket.MSG_WAITALL)))
            for _ in range(30):
                k.sendall(b"x" * 100)
            self.join(t)
            self.assertEqual(got, [b"x" * 3000])

    def test_dontwait(self):
        for s, k in self.both():
            s.settimeout(None)
            self.assertEqual(self.errno_of(s.recv, 1, socket.MSG_DONTWAIT),
                             errno.EAGAIN)
            k.sendall(b"y")
            self.assertTrue(select.select([s], [], [], LIMIT)[0])
            self.assertEqual(s.recv(9, socket.MSG_DONTWAIT), b"y")

    def test_unread_and_unsent_counts(self):
        for s, k in self.both():
            k.sendall(b"z" * 1234)
            end = time.monotonic() + LIMIT
            while ioctl_int(s, termios.FIONREAD) < 1234 and \
                    time.monotonic() < end:
                select.select([], [], [], 0.01)
            self.assertEqual(ioctl_int(s, termios.FIONREAD), 1234)
            self.read_exact(s, 1234)
            self.assertEqual(ioctl_int(s, termios.FIONREAD), 0)
            s.sendall(b"q" * 1000)
            k.recv_exact(1000)
            end = time.monotonic() + LIMIT
            while ioctl_int(s, SIOCOUTQ) and time.monotonic() < end:
                select.select([], [], [], 0.01)
            self.assertEqual(ioctl_int(s, SIOCOUTQ), 0)


class ReadinessCases:
    def test_poll(self):
        for s, k in self.both():
            p = select.poll()
            p.register(s, select.POLLIN | select.POLLOUT | select.POLLRDHUP)
            self.assertEqual(p.poll(LIMIT * 1000),
                             [(s.fileno(), select.POLLOUT)])
            k.sendall(b"a")
            p.modify(s, select.POLLIN | select.POLLRDHUP)
            self.assertEqual(p.poll(LIMIT * 1000),
                             [(s.fileno(), select.POLLIN)])
            k.shutdown(socket.SHUT_WR)
            self.wait_bits(p, select.POLLIN | select.POLLRDHUP)
            self.assertEqual(s.recv(9), b"a")
            self.assertEqual(s.recv(9), b"")

    def wait_bits(self, p, bits):
        end = time.monotonic() + LIMIT
        got = 0
        while time.monotonic() < end:
            ev = p.poll(100)
            got = ev[0][1] if ev else 0
            if got & bits == bits:
                return got
            select.select([], [], [], 0.01)
        self.fail(f"poll shows {got:#x}, never {bits:#x}")

    def test_epoll_level(self):
        for s, k in self.both():
            ep = select.epoll()
            ep.register(s, select.EPOLLIN)
            self.assertEqual(ep.poll(0.05), [])
            k.sendall(b"ab")
            for _ in range(2):
                self.assertEqual(ep.poll(LIMIT),
                                 [(s.fileno(), select.EPOLLIN)])
            self.read_exact(s, 2)
            self.assertEqual(ep.poll(0), [])
            ep.close()

    def test_epoll_edge(self):
        for s, k in self.both():
            ep = select.epoll()
            ep.register(s, select.EPOLLIN | select.EPOLLET)
            k.sendall(b"ab")
            self.assertEqual(ep.poll(LIMIT), [(s.fileno(), select.EPOLLIN)])
            self.assertEqual(ep.poll(0.05), [])
            k.sendall(b"c")
            self.assertEqual(ep.poll(LIMIT), [(s.fileno(), select.EPOLLIN)])
            self.assertEqual(self.read_exact(s, 3), b"abc")
            ep.close()

    def test_epoll_sees_the_end(self):
        for s, k in self.both():
            ep = select.epoll()
            ep.register(s, select.EPOLLIN | select.EPOLLRDHUP |
                        select.EPOLLET)
            k.close()
            bits = 0
            end = time.monotonic() + LIMIT
            while not bits & select.EPOLLRDHUP and time.monotonic() < end:
                for _, b in ep.poll(0.1):
                    bits |= b
            self.assertTrue(bits & select.EPOLLRDHUP)
            self.assertTrue(bits & select.EPOLLIN)
            ep.close()

    def test_epoll_on_listener(self):
        for trigger in (0, select.EPOLLET):
            with self.subTest(trigger=trigger):
                lis = self.sock()
                lis.bind((self.local, 0))
                lis.setblocking(False)
                lis.listen(16)
                ep = select.epoll()
                ep.register(lis, select.EPOLLIN | trigger)
                self.assertEqual(self.errno_of(lis.accept), errno.EAGAIN)
                k = self.remote()
                k.connect((self.local, lis.getsockname()[1]))
                self.assertEqual(ep.poll(LIMIT),
                                 [(lis.fileno(), select.EPOLLIN)])
                conn, _ = lis.accept()
                conn.close()
                self.assertEqual(self.errno_of(lis.accept), errno.EAGAIN)
                ep.close()

    def test_epoll_registered_before_listen(self):
        lis = self.sock()
        lis.bind((self.local, 0))
        ep = select.epoll()
        ep.register(lis, select.EPOLLIN)
        lis.listen(16)
        k = self.remote()
        k.connect((self.local, lis.getsockname()[1]))
        end = time.monotonic() + LIMIT
        bits = 0
        while not bits & select.EPOLLIN and time.monotonic() < end:
            for _, b in ep.poll(0.2):
                bits = b
        self.assertTrue(bits & select.EPOLLIN)
        lis.accept()[0].close()
        ep.close()

    def test_epoll_registered_before_connect(self):
        k, addr = self.remote_listener()
        s = self.sock()
        s.setblocking(False)
        ep = select.epoll()
        ep.register(s, select.EPOLLOUT | select.EPOLLET)
        self.assertIn(s.connect_ex(addr), (0, errno.EINPROGRESS))
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            ev = ep.poll(1)
            if ev and ev[0][1] == select.EPOLLOUT:
                break
        self.assertEqual(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        conn, _ = k.accept()
        s.setblocking(True)
        s.sendall(b"on")
        self.assertEqual(conn.recv_exact(2), b"on")
        ep.close()

    def test_receive_timeout(self):
        for s, _k in self.both():
            s.settimeout(None)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                         struct.pack("@qq", 0, 200000))
            start = time.monotonic()
            self.assertEqual(self.errno_of(s.recv, 1), errno.EAGAIN)
            self.assertGreater(time.monotonic() - start, 0.15)


class ResetCases:
    def reset(self, k):
        k.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RST)
        k.close()

    def test_reset_is_no_end_of_file(self):
        for s, k in self.both():
            self.reset(k)
            self.assertEqual(self.errno_of(s.recv, 1), errno.ECONNRESET)

    def test_reset_after_data(self):
        """What was delivered may be read or lost, as on Linux; an end of
        file is wrong in any case."""
        for s, k in self.both():
            k.sendall(b"some data")
            self.assertTrue(select.select([s], [], [], LIMIT)[0])
            self.reset(k)
            err = 0
            try:
                while True:
                    got = s.recv(100)
                    self.assertNotEqual(got, b"", "reset looks like EOF")
            except OSError as e:
                err = e.errno
            self.assertEqual(err, errno.ECONNRESET)

    def test_write_after_reset(self):
        for s, k in self.both():
            self.reset(k)
            p = select.poll()
            p.register(s, select.POLLIN)
            ev = p.poll(LIMIT * 1000)
            self.assertTrue(ev and ev[0][1] & (select.POLLERR |
                                               select.POLLHUP))
            self.assertIn(self.errno_of(s.sendall, b"x" * 1000),
                          (errno.ECONNRESET, errno.EPIPE))

    def test_so_error_after_reset(self):
        for s, k in self.both():
            self.reset(k)
            p = select.poll()
            p.register(s, select.POLLIN)
            p.poll(LIMIT * 1000)
            self.assertEqual(s.getsockopt(socket.SOL_SOCKET,
                                          socket.SO_ERROR),
                             errno.ECONNRESET)

    def test_linger_zero_resets_the_peer(self):
        for s, k in self.both():
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RST)
            s.close()
            self.assertEqual(self.errno_of(k.recv, 1), errno.ECONNRESET)

    def test_close_with_unread_data_resets_the_peer(self):
        for s, k in self.both():
            k.sendall(b"nobody reads this")
            self.assertTrue(select.select([s], [], [], LIMIT)[0])
            s.close()
            self.assertEqual(self.errno_of(k.recv, 1), errno.ECONNRESET)

    def test_data_to_a_closed_socket_resets_the_peer(self):
        for s, k in self.both():
            s.close()
            self.assertEqual(k.recv(1), b"")
            k.send(b"too late")
            end = time.monotonic() + LIMIT
            err = 0
            while not err and time.monotonic() < end:
                err = self.errno_of(k.send, b"still too late")
            self.assertIn(err, (errno.EPIPE, errno.ECONNRESET))
