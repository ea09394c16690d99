#!/usr/bin/python3
"""COUPLE: an IPv6 stack (77) and an IPv4 stack (03) that act as one for
programs of ID 77; and one stack with both families, which must look the same.

    test_couple.py --build DIR CASE...
"""

import os
import signal
import socket
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from couplet_net import (ID, PYTHON, V4_HOST, V4_STACK, V6_HOST, V6_STACK,
                         WORK, Failure, Proc, check, check_equal, main,
                         needs, options, wait_for)

OTHER = "03"
DECK4 = f"""ID {OTHER}
DEVICE OSA4 OSAX D10 PORTA D12
ADAPTER OSA4 IFNAME cpl4 HOSTADDR {V4_HOST}/24
LINK OSA4 0 {V4_STACK} 255.255.255.0 1500
ROUTE OSA4 10.77.0.0 255.255.255.0 0.0.0.0 0
ROUTE OSA4 0.0.0.0 0.0.0.0 {V4_HOST} 1
HOST VSE04 {V4_HOST}
ATTACH TCP/IP
"""
EXTRA6 = f"HOST VSE06 {V6_HOST}"

ECHO = """
import selectors, socket, sys
def log(*a): print(*a, flush=True)
t = socket.socket(socket.AF_INET6)
t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
t.bind(("::", int(sys.argv[1])))
t.listen(16)
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(("::", int(sys.argv[1])))
log("ready")
s = selectors.DefaultSelector()
s.register(t, selectors.EVENT_READ)
s.register(u, selectors.EVENT_READ)
while True:
    for key, _ in s.select():
        if key.fileobj is t:
            c, peer = t.accept()
            log("tcp", peer[0], c.getsockname()[0], c.getpeername()[0])
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.register(c, selectors.EVENT_READ)
        elif key.fileobj is u:
            try:
                b, peer = u.recvfrom(65536)
                log("udp", peer[0])
                u.sendto(b, peer)
            except OSError as e:
                log("udp ended", e)
                s.unregister(u)
        else:
            try:
                b = key.fileobj.recv(65536)
            except OSError:
                b = b""
            if b:
                key.fileobj.sendall(b)
            else:
                s.unregister(key.fileobj)
                key.fileobj.close()
"""

CLIENT = """
import socket, sys
for host in sys.argv[2:]:
    s = socket.create_connection((host, int(sys.argv[1])), 60)
    s.sendall(b"hello")
    print(s.recv(5).decode(), s.family.name, s.getpeername()[0])
    u = socket.socket(s.family, socket.SOCK_DGRAM)
    u.settimeout(60)
    u.sendto(b"datagram", (host, int(sys.argv[1])))
    print(u.recvfrom(100)[0].decode())
# one IPv6 socket to an IPv4 address, TCP and UDP
s = socket.socket(socket.AF_INET6)
s.settimeout(60)
s.connect(("::ffff:%s" % sys.argv[2], int(sys.argv[1])))
s.sendall(b"mapped")
print(s.recv(6).decode(), s.getpeername()[0])
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.settimeout(60)
for host in ("::ffff:%s" % sys.argv[2], sys.argv[3]):
    u.sendto(b"both", (host, int(sys.argv[1])))
    b, peer = u.recvfrom(100)
    print(b.decode(), peer[0])
"""


class Other:
    """The IPv4 stack."""

    def __init__(self, net):
        self.net = net
        self.n = 0
        self.start()

    def start(self):
        self.n += 1
        path = WORK + "/deck4"
        with open(path, "w", encoding="ascii") as f:
            f.write(DECK4)
        self.proc = self.net.keep(Proc(self.net.h.argv(
            [self.net.tool("stackd"), "-f", path, "--run",
             self.net.run_dir]), name="stackd-03",
            env=self.net.stackd_env(f"-03-{self.n}")))
        self.proc.says("ready, ID 03", 30)

    def stop(self):
        self.proc.kill()
        check_equal(self.proc.wait(30), 0, "exit status of stack 03:\n" +
                    self.proc.tail())

    def kill(self):
        self.proc.kill(signal.SIGKILL)
        self.proc.wait(30)


def coupled(net):
    wait_for(lambda: "up" in net.ctl("QUERY", "ID"), "the couple", 30)


def ask_tcp(net, address, port, seconds=30):
    """One echo from the host; 0 or an errno."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with net.h:
        s = socket.socket(family)
    with s:
        s.settimeout(seconds)
        try:
            s.connect((address, port))
            s.sendall(b"abc")
            check_equal(s.recv(10), b"abc", "echo")
            return 0
        except socket.timeout as e:
            raise Failure(f"{address} does not answer") from e
        except OSError as e:
            return e.errno


def ask_udp(net, address, port, seconds=60):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with net.h:
        s = socket.socket(family, socket.SOCK_DGRAM)
    with s:
        s.settimeout(seconds)
        s.sendto(b"abc", (address, port))
        try:
            return s.recvfrom(100)[0] == b"abc"
        except OSError:
            return False


def server(net, mode="auto", port=7000):
    p = net.keep(Proc(net.p.argv(net.stackrun(
        [PYTHON, "-c", ECHO, str(port)], mode=mode)), name="echo"))
    return p.says("ready", 30)


def both_serve(net, port=7000):
    for address in (V4_STACK, V6_STACK):
        check_equal(ask_tcp(net, address, port), 0, f"TCP at {address}")
        check(ask_udp(net, address, port), f"UDP at {address}")


def as_server(net):
    for mode in ("auto", "seccomp"):
        p = server(net, mode)
        both_serve(net)
        text = p.text()
        check(f"tcp ::ffff:{V4_HOST} ::ffff:{V4_STACK} ::ffff:{V4_HOST}"
              in text, text)
        check(f"tcp {V6_HOST} {V6_STACK} {V6_HOST}" in text, text)
        check(f"udp ::ffff:{V4_HOST}" in text and f"udp {V6_HOST}" in text,
              text)
        p.stop()
        # nobody listens any more, on either stack
        for address in (V4_STACK, V6_STACK):
            wait_for(lambda a=address: ask_tcp(net, a, 7000) == 111,
                     f"a refusal from {address}", 30)


def as_client(net):
    host = net.host([PYTHON, "-c", ECHO, "7001"], name="peer")
    host.says("ready")
    for mode in ("auto", "seccomp"):
        out = net.keep(Proc(net.p.argv(net.stackrun(
            [PYTHON, "-c", CLIENT, "7001", V4_HOST, V6_HOST], mode=mode)),
            name="client")).ok()
        check_equal(out.strip().split("\n"), [
            f"hello AF_INET {V4_HOST}", "datagram",
            f"hello AF_INET6 {V6_HOST}", "datagram",
            f"mapped ::ffff:{V4_HOST}",
            f"both ::ffff:{V4_HOST}", f"both {V6_HOST}"], "client")


@options(seconds=120, on_kernel=False)
def test_one_stack_serves_both(net):
    as_server(net)


@options(seconds=120, on_kernel=False)
def test_one_stack_calls_both(net):
    as_client(net)


@options(seconds=180, on_kernel=False, families="6", couple=OTHER,
         deck_extra=EXTRA6)
def test_couple_serves_both(net):
    other = Other(net)
    coupled(net)
    as_server(net)
    other.stop()


@options(seconds=180, on_kernel=False, families="6", couple=OTHER,
         deck_extra=EXTRA6)
def test_couple_calls_both(net):
    other = Other(net)
    coupled(net)
    as_client(net)
    for name in ("vse04", "vse06"):
        out = net.keep(Proc(net.p.argv(net.stackrun(
            ["getent", "ahosts", name])), name="getent")).ok()
        check({"vse04": V4_HOST, "vse06": V6_HOST}[name] in out, out)
    out = net.keep(Proc(net.p.argv(net.stackrun(
        [PYTHON, "-c", "import socket\nprint(sorted(n for _, n in "
         "socket.if_nameindex()))"])), name="interfaces")).ok()
    check("OSA4" in out and "OSA6" in out and out.count("'") == 6, out)
    other.stop()


@options(seconds=180, on_kernel=False, families="6", couple=OTHER)
def test_couple_is_shown(net):
    check("down" in net.ctl("QUERY", "ID"), net.ctl("QUERY", "ID"))
    other = Other(net)
    coupled(net)
    check(f"{OTHER} up" in net.ctl("QUERY", "ID"), net.ctl("QUERY", "ID"))
    text = net.ctl_of(OTHER, "QUERY", "ID")
    check(f"with {ID}" in text, text)
    check("CPLT016I" in net.stackd.text(), net.stackd.text())
    p = server(net)
    rows = [net.ctl("QUERY", "SOCKETS"),
            net.ctl_of(OTHER, "QUERY", "SOCKETS")]
    for text in rows:
        check(str(p.pid) in text and "LISTEN" in text, text)
    p.stop()
    other.stop()
    wait_for(lambda: "down" in net.ctl("QUERY", "ID"), "the loss", 30)
    wait_for(lambda: "CPLT060W" in net.stackd.text(), "the message", 30)


@options(seconds=240, on_kernel=False, families="6", couple=OTHER)
def test_ipv4_stack_restarts(net):
    """By order and by force; IPv6 goes on, IPv4 comes back with the same
    listener and the same UDP socket."""
    other = Other(net)
    coupled(net)
    server(net)
    both_serve(net)
    for end in (other.stop, other.kill):
        end()
        check_equal(ask_tcp(net, V6_STACK, 7000), 0, "TCP over IPv6")
        check(ask_udp(net, V6_STACK, 7000), "UDP over IPv6")
        other.start()
        wait_for(lambda: ask_tcp(net, V4_STACK, 7000) == 0,
                 "TCP over IPv4 again", 60)
        wait_for(lambda: ask_udp(net, V4_STACK, 7000, 2),
                 "UDP over IPv4 again", 60)
    other.stop()


@options(seconds=240, on_kernel=False, families="6", couple=OTHER)
def test_ipv6_stack_restarts(net):
    """The stack whose ID programs use; IPv4 goes on, also for programs that
    begin meanwhile, and TCP listeners come back."""
    other = Other(net)
    coupled(net)
    p = server(net)
    both_serve(net)
    net.stop_stackd()
    check_equal(ask_tcp(net, V4_STACK, 7000), 0, "TCP over IPv4")
    host = net.host([PYTHON, "-c", ECHO, "7001"], name="peer")
    host.says("ready")
    net.start_stackd()
    wait_for(lambda: ask_tcp(net, V6_STACK, 7000) == 0,
             "TCP over IPv6 again", 60)
    check_equal(ask_tcp(net, V4_STACK, 7000), 0, "TCP over IPv4")
    p.kill(signal.SIGKILL)
    p.wait()
    for address in (V4_STACK, V6_STACK):
        wait_for(lambda a=address: ask_tcp(net, a, 7000) == 111,
                 f"a refusal from {address}", 30)
    other.stop()


@options(seconds=120, on_kernel=False, families="6", couple=OTHER)
def test_port_is_taken_on_the_other(net):
    """A port that IPv4 has given away already: listen() says so."""
    other = Other(net)
    coupled(net)
    holder = net.keep(Proc(net.p.argv(net.stackrun(
        ["socat", "TCP4-LISTEN:7002,fork", "EXEC:cat"])), name="holder"))
    wait_for(lambda: "LISTEN" in net.ctl_of(OTHER, "QUERY", "SOCKETS"),
             "the holder", 30)
    p = net.keep(Proc(net.p.argv(net.stackrun(
        [PYTHON, "-c", "import socket; s = socket.socket(socket.AF_INET6); "
         "s.bind(('::', 7002)); s.listen()"])), name="second"))
    check_equal(p.wait(), 1, "exit status")
    check("Address already in use" in p.text(), p.text())
    holder.stop()
    other.stop()


# ---- snmpd -----------------------------------------------------------------

def snmp(net):
    needs("snmpd", "snmpget")
    conf = WORK + "/snmpd.conf"
    with open(conf, "w", encoding="ascii") as f:
        f.write("rocommunity public\nrocommunity6 public\n"
                "sysLocation in the couple\n"
                "agentaddress udp:161,udp6:161\n")
    env = dict(os.environ, SNMP_PERSISTENT_DIR=WORK + "/snmp")
    p = net.keep(Proc(net.p.argv(net.stackrun(
        ["snmpd", "-f", "-Lo", "-C", "-c", conf, "-I", "-smux"])),
        name="snmpd", env=env))
    for address in (V4_STACK, f"udp6:[{V6_STACK}]"):
        out = net.host(["snmpget", "-v2c", "-c", "public", "-r", "20", "-t",
                        "2", "-On", address, ".1.3.6.1.2.1.1.6.0"],
                       env=dict(env, MIBS="")).ok(90)
        check('"in the couple"' in out or "in the couple" in out, out)
    p.stop()


@options(seconds=200, on_kernel=False, families="6", couple=OTHER)
def test_snmpd_on_a_couple(net):
    """Debian's snmpd, one process, both families of two stacks."""
    other = Other(net)
    coupled(net)
    snmp(net)
    other.stop()


@options(seconds=200, on_kernel=False)
def test_snmpd_on_one_stack(net):
    snmp(net)


if __name__ == "__main__":
    main(globals())
