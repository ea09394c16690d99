"""proxynet: a proxyd in namespace p, clients and servers in namespace h.

The same deck runs on stackd (Net) and, with --kernel, on the kernel's sockets
over a veth pair: ID is filled in here. Clients connect to V4_STACK and
V6_STACK, servers listen on V4_HOST and V6_HOST.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import threading

from couplet_net import (ID, WORK, Failure, Proc, check, check_equal, run,
                         wait_for)

RING = WORK + "/keys"
NAME = "px"


class Proxy:
    """One running proxyd; its log is `proc.text()`."""

    def __init__(self, net, lines, ring=True, wait=True, on_host=False,
                 env=None):
        self.net = net
        self.on_kernel = net.kernel or on_host
        self.path = f"{WORK}/proxyd-{len(net.procs)}.deck"
        self.write(lines, ring)
        env = dict(net.stackd_env("-proxyd"), **(env or {}))
        os.makedirs(net.run_dir, exist_ok=True)
        self.proc = net.keep(Proc(net.p.argv(
            [tool(net, "proxyd"), "-f", self.path, "--run", net.run_dir]),
            name="proxyd", env=env))
        if wait:
            self.proc.says("CPLT002I", 60)

    def write(self, lines, ring=True):
        head = [f"ID {'*' if self.on_kernel else ID}", f"NAME {NAME}"]
        if ring:
            head += [f"KEYRING {RING}", "KEYFILE SSL01"]
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("\n".join(head + lines) + "\n")

    def reload(self, lines, ring=True, word="CPLT603I"):
        n = self.proc.text().count(word)
        self.write(lines, ring)
        self.proc.kill(1)
        wait_for(lambda: self.proc.text().count(word) > n,
                 f"{word} in the log", 60)

    def ctl(self, *words, check_status=True):
        r = subprocess.run([tool(self.net, "proxyctl"), "-i", NAME, "--run",
                            self.net.run_dir] + list(words), text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=60, check=False)
        if check_status and r.returncode:
            raise Failure(f"proxyctl {' '.join(words)}: exit "
                          f"{r.returncode}: {r.stdout}")
        return r.stdout

    def logged(self, *words, seconds=60):
        """Waits for a line of the log that has all the words; that line."""
        def found():
            for line in self.proc.text().split("\n"):
                if all(w in line for w in words):
                    return line
            return None
        try:
            return wait_for(found, f"{words} in the log", seconds)
        except Failure as e:
            raise Failure(f"{e}\n{self.proc.tail()}") from None

    def counter(self, name, of=None):
        """A value of QUERY COUNTERS; 0 when there is none."""
        for row in json.loads(self.ctl("--json", "QUERY", "COUNTERS", "ALL")):
            if row["name"] == name and row["of"] == of:
                return row["value"]
        return 0

    def key_process(self):
        """The process number of the one that signs."""
        pid = self.proc.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return int(f.read().split()[0])

    def stop(self):
        """At once, what is open is reset."""
        self.proc.kill(signal.SIGINT)
        check_equal(self.proc.wait(60), 0,
                    "exit status of proxyd:\n" + self.proc.tail())


def tool(net, name):
    path = os.path.join(net.build, "proxyd", name)
    check(os.access(path, os.X_OK), f"{name} is not built in {net.build}")
    return path


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def real_pid(proxy):
    """Of proxyd itself: nsenter execs, so it is the process we started."""
    return proxy.proc.pid


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


# ---- keys ------------------------------------------------------------------

def make_keys():
    """RING/CA.PEM and RING/SSL01.PEM (key, certificate, root) for localhost
    and the addresses of the test."""
    os.makedirs(RING, exist_ok=True)
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-keyout", RING + "/ca.key",
         "-out", RING + "/CA.PEM", "-subj", "/CN=test root", "-days", "2"])
    make_key("SSL01", "DNS:localhost,DNS:vse.example,IP:10.77.0.1,"
             "IP:10.77.0.2,IP:fd77::1,IP:fd77::2,IP:127.0.0.1")
    os.chmod(RING, 0o755)


def make_key(name, san):
    base = f"{RING}/{name}"
    run(["openssl", "req", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-keyout", base + ".key",
         "-out", base + ".csr", "-subj", f"/CN={name}"])
    with open(base + ".ext", "w", encoding="ascii") as f:
        f.write(f"subjectAltName={san}\n")
    run(["openssl", "x509", "-req", "-in", base + ".csr", "-CA",
         RING + "/CA.PEM", "-CAkey", RING + "/ca.key", "-CAcreateserial",
         "-days", "2", "-extfile", base + ".ext", "-out", base + ".crt"])
    with open(base + ".PEM", "wb") as out:
        for part in (base + ".key", base + ".crt", RING + "/CA.PEM"):
            with open(part, "rb") as f:
                out.write(f.read())
    os.chmod(base + ".PEM", 0o600)


# ---- small peers in this process --------------------------------------------

def dial(net, family, port, timeout=60):
    with net.h:
        s = socket.socket(socket.AF_INET if family == 4 else
                          socket.AF_INET6, socket.SOCK_STREAM)
    s.settimeout(timeout)
    s.connect((net.address("p", family), port))
    return s


def tls(sock, name="vse.example"):
    c = ssl.create_default_context(cafile=RING + "/CA.PEM")
    return c.wrap_socket(sock, server_hostname=name,
                         suppress_ragged_eofs=False)


class Server:
    """A listener in namespace h; serve(sock) runs for each connection."""

    def __init__(self, net, family, port, serve, backlog=512):
        with net.h:
            self.s = socket.socket(socket.AF_INET if family == 4 else
                                   socket.AF_INET6, socket.SOCK_STREAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind((net.address("h", family), port))
        self.s.listen(backlog)
        self.serve = serve
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            c.settimeout(120)
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        try:
            self.serve(c)
        except OSError:
            pass
        finally:
            c.close()

    def close(self):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()


def echo(c):
    while data := c.recv(65536):
        c.sendall(data)


def read_all(s):
    data = b""
    while part := s.recv(65536):
        data += part
    return data


def exactly(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            break
        data += part
    return data
