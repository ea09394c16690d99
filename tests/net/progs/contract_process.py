"""Descriptors travel: dup, fork, exec, SCM_RIGHTS, threads, death."""

import array
import errno
import os
import signal
import socket
import subprocess
import tempfile
import time

from contract import LIMIT
from peer import Peer

PYTHON = "/usr/bin/python3"


def in_child(fn):
    """Runs fn in a forked child; its pid."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            fn()
            status = 0
        finally:
            os._exit(status)
    return pid


class DescriptorCases:
    def test_dup(self):
        for s, k in self.both():
            d = self.keep(s.dup())
            d.settimeout(LIMIT)
            name = s.getpeername()
            s.close()
            self.assertEqual(d.getpeername(), name)
            d.sendall(b"through the copy")
            self.assertEqual(k.recv_exact(16), b"through the copy")
            d.close()
            self.assertEqual(k.recv(1), b"")

    def test_dup2_over_standard_input(self):
        s, k = self.outgoing()
        s.settimeout(None)      # cat expects to be blocked
        k.sendall(b"line for cat\n")
        k.shutdown(socket.SHUT_WR)
        out = subprocess.run(["/bin/cat"], stdin=s.fileno(), timeout=LIMIT,
                             stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(out, b"line for cat\n")

    def test_fork_inherits(self):
        for s, k in self.both():
            pid = in_child(lambda c=s: c.sendall(b"child " +
                           str(c.getpeername()[1]).encode()))
            want = b"child " + str(s.getpeername()[1]).encode()
            self.assertEqual(k.recv_exact(len(want)), want)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            s.sendall(b"parent")
            self.assertEqual(k.recv_exact(6), b"parent")
            s.close()
            self.assertEqual(k.recv(1), b"")

    def test_end_of_file_waits_for_the_last_owner(self):
        for s, k in self.both():
            r, w = os.pipe()

            def child(c=s, rd=r):
                os.read(rd, 1)
                c.sendall(b"last")
            pid = in_child(child)
            s.close()
            k.settimeout(0.2)
            self.assertNotEqual(self.errno_of(k.recv, 1), 0)
            k.settimeout(LIMIT)
            os.write(w, b"x")
            self.assertEqual(k.recv_all(), b"last")
            os.waitpid(pid, 0)
            os.close(r)
            os.close(w)

    def test_exec_inherits(self):
        code = ("import socket,sys\n"
                "s = socket.socket(fileno=int(sys.argv[1]))\n"
                "assert s.family == int(sys.argv[3]), s.family\n"
                "assert s.type == socket.SOCK_STREAM\n"
                "assert s.getpeername()[1] == int(sys.argv[2])\n"
                "s.sendall(b'from exec')\n")
        for s, k in self.both():
            subprocess.run([PYTHON, "-c", code, str(s.fileno()),
                            str(s.getpeername()[1]), str(int(self.family))],
                           pass_fds=[s.fileno()], timeout=LIMIT, check=True)
            self.assertEqual(k.recv_exact(9), b"from exec")

    def test_exec_inherits_a_listener(self):
        code = ("import socket,sys\n"
                "l = socket.socket(fileno=int(sys.argv[1]))\n"
                "c, a = l.accept()\n"
                "c.sendall(str(a[1]).encode())\n")
        lis, addr = self.listener()
        p = subprocess.Popen([PYTHON, "-c", code, str(lis.fileno())],
                             pass_fds=[lis.fileno()])
        k = self.remote()
        k.connect(addr)
        self.assertEqual(k.recv_all().decode(), str(k.getsockname()[1]))
        self.assertEqual(p.wait(LIMIT), 0)

    def test_close_on_exec(self):
        s, k = self.outgoing()
        p = subprocess.Popen([PYTHON, "-c", "input()"],
                             stdin=subprocess.PIPE, close_fds=False)
        s.close()
        self.assertEqual(k.recv(1), b"")
        p.stdin.write(b"\n")
        p.stdin.close()
        p.wait(LIMIT)

    def test_scm_rights(self):
        for s, k in self.both():
            a, b = socket.socketpair()

            def child(end=b):
                _, anc, _, _ = end.recvmsg(
                    1, socket.CMSG_SPACE(4))
                fds = array.array("i")
                fds.frombytes(anc[0][2][:4])
                c = socket.socket(fileno=fds[0])
                c.sendall(str(c.getpeername()[1]).encode())
            pid = in_child(child)
            want = str(s.getpeername()[1]).encode()
            a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                array.array("i", [s.fileno()]))])
            s.close()
            self.assertEqual(k.recv_all(), want)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            a.close()
            b.close()

    def test_accepted_descriptor_flags(self):
        lis, addr = self.listener()
        k = self.remote()
        k.connect(addr)
        conn, _ = lis.accept()
        self.assertFalse(os.get_inheritable(conn.fileno()))
        self.assertEqual(conn.family, self.family)
        conn.close()

    def test_local_sockets_stay_local(self):
        """AF_UNIX of the program itself is none of our business."""
        path = tempfile.mktemp(prefix="couplet-")
        lis = self.keep(socket.socket(socket.AF_UNIX))
        lis.bind(path)
        lis.listen(1)
        c = self.keep(socket.socket(socket.AF_UNIX))
        c.connect(path)
        d, _ = lis.accept()
        os.unlink(path)
        c.sendall(b"unix")
        self.assertEqual(d.recv(4), b"unix")
        self.assertEqual(d.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN),
                         socket.AF_UNIX)
        d.close()


class DeathCases:
    def test_killed_client(self):
        k, addr = self.remote_listener()

        def child():
            s = self.sock()
            s.connect(addr)
            s.sendall(b"before the end")
            time.sleep(LIMIT)
        pid = in_child(child)
        conn, _ = k.accept()
        self.assertEqual(conn.recv_exact(14), b"before the end")
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(conn.recv(1), b"")
        os.waitpid(pid, 0)

    def test_killed_listener_refuses(self):
        r, w = os.pipe()

        def child():
            _lis, addr = self.listener()
            os.write(w, str(addr[1]).encode())
            time.sleep(LIMIT)
        pid = in_child(child)
        port = int(os.read(r, 10))
        k = self.remote()
        k.connect((self.local, port))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.assertEqual(self.errno_of(k.recv, 1), errno.ECONNRESET)
        start = time.monotonic()
        self.assertEqual(self.errno_of(self.remote().connect,
                                       (self.local, port)),
                         errno.ECONNREFUSED)
        self.assertLess(time.monotonic() - start, 1)
        os.close(r)
        os.close(w)

    def test_prefork_server(self):
        lis, addr = self.listener()

        def child():
            while True:
                c, _ = lis.accept()
                c.sendall(str(os.getpid()).encode())
                c.close()
        lis.settimeout(None)
        pids = [in_child(child) for _ in range(4)]
        lis.close()
        served = set()
        for _ in range(60):
            k = self.remote()
            k.connect(addr)
            served.add(int(k.recv_all()))
            k.close()
        self.assertTrue(served <= set(pids))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.assertEqual(self.errno_of(self.remote().connect, addr),
                         errno.ECONNREFUSED)

    def test_forking_server(self):
        lis, addr = self.listener()

        def server():
            lis.settimeout(None)
            for _ in range(30):
                c, _ = lis.accept()
                c.settimeout(None)

                def child(conn=c):
                    while True:
                        part = conn.recv(4096)
                        if not part:
                            return
                        conn.sendall(part.upper())
                pid = in_child(child)
                c.close()
                os.waitpid(pid, 0)
        t = self.thread(server)
        for i in range(30):
            k = self.remote()
            k.connect(addr)
            k.sendall(b"abc%d" % i)
            k.shutdown(socket.SHUT_WR)
            self.assertEqual(k.recv_all(), b"ABC%d" % i)
        self.join(t)


class ThreadCases:
    def test_threads_connect(self):
        k, addr = self.remote_listener(self.new_peer())

        def acceptor():
            for _ in range(100):
                conn, _ = k.accept()
                conn.sendall(conn.recv(100))
                conn.close()

        def client(i):
            for j in range(10):
                s = socket.socket(self.family)
                s.settimeout(LIMIT)
                s.connect(addr)
                s.sendall(b"%d.%d" % (i, j))
                self.assertEqual(self.read_all(s), b"%d.%d" % (i, j))
                s.close()
        self.join(self.thread(acceptor),
                  *[self.thread(client, i) for i in range(10)],
                  seconds=3 * LIMIT)

    def test_threaded_server(self):
        lis, addr = self.listener()

        def work(c):
            while True:
                part = c.recv(65536)
                if not part:
                    break
                c.sendall(part)
            c.close()

        def server():
            for _ in range(20):
                c, _ = lis.accept()
                c.settimeout(LIMIT)
                workers.append(self.thread(work, c))
        workers = []

        def client(i):
            p = Peer(os.environ["PEER_PATH"])
            k = self.remote(peer=p)
            k.connect(addr)
            data = bytes([i]) * 100000
            k.sendall(data)
            self.assertEqual(k.recv_exact(len(data)), data)
            p.close()
        self.join(self.thread(server),
                  *[self.thread(client, i) for i in range(20)],
                  seconds=3 * LIMIT)
        self.join(*workers)

    def test_asyncio_server(self):
        import asyncio

        async def handle(reader, writer):
            data = await reader.read()
            writer.write(data[::-1])
            await writer.drain()
            writer.close()

        async def main():
            server = await asyncio.start_server(handle, self.local, 0)
            port = server.sockets[0].getsockname()[1]
            loop = asyncio.get_running_loop()

            def client(i):
                p = Peer(os.environ["PEER_PATH"])
                k = self.remote(peer=p)
                k.connect((self.local, port))
                k.sendall(b"abc%d" % i)
                k.shutdown(socket.SHUT_WR)
                got = k.recv_all()
                p.close()
                return got
            got = await asyncio.gather(*[
                loop.run_in_executor(None, client, i) for i in range(20)])
            self.assertEqual(got, [(b"abc%d" % i)[::-1] for i in range(20)])
            server.close()
            await server.wait_closed()
        asyncio.run(asyncio.wait_for(main(), LIMIT))

    def test_close_wakes_no_stranger(self):
        """A descriptor number that is used again belongs to the new
        socket."""
        k, addr = self.remote_listener()
        for i in range(50):
            s = socket.socket(self.family)
            s.settimeout(LIMIT)
            s.connect(addr)
            conn, _ = k.accept()
            conn.sendall(b"%02d" % i)
            self.assertEqual(self.read_exact(s, 2), b"%02d" % i)
            self.assertEqual(s.getsockopt(socket.SOL_SOCKET,
                                          socket.SO_ERROR), 0)
            s.close()
            conn.close()
