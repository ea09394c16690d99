#!/usr/bin/python3
"""proxyd between Debian's clients and servers: all ways of TLS and families,
what has to pass unchanged, what may fail and how that looks.

    test_proxyd.py --build DIR [--kernel] [--verbose] CASE...

With --kernel proxyd runs on the kernel's sockets (ID *), otherwise on stackd.
"""

import os
import resource
import socket
import ssl
import struct
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "print")]
import peer
from couplet_net import (PYTHON, WORK, Failure, Proc, check, check_equal, main,
                         needs, options, wait_for)
from proxynet import (RING, Proxy, Server, descriptors, dial, echo, exactly,
                      make_keys, read_all, real_pid, resident_kib, tls)

MODES = ("TXT", "SSL")

NGINX = """
daemon off; user root; worker_processes 1; pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{
    listen 10.77.0.1:8080; listen [fd77::1]:8080;
    listen 10.77.0.1:8443 ssl; listen [fd77::1]:8443 ssl;
    ssl_certificate {ring}/SSL01.crt; ssl_certificate_key {ring}/SSL01.key;
    root {dir}/www;
  }}
}}
"""


def nginx(net):
    folder = WORK + "/nginx"
    os.makedirs(folder + "/www")
    body = os.urandom(700000)
    with open(folder + "/www/file", "wb") as f:
        f.write(body)
    os.chmod(folder, 0o755)
    with open(folder + "/conf", "w", encoding="ascii") as f:
        f.write(NGINX.format(dir=folder, ring=RING))
    p = net.host(["nginx", "-c", folder + "/conf"])
    net.wait_port("h", 4, 8080, p)
    return body


def v(family):
    return f"V{family}"


def lines_of_all():
    """A PROXY for each way: client family and mode, server family and mode;
    (line, port, client family, client mode)."""
    port = 9000
    for cf in (4, 6):
        for cm in MODES:
            for sf in (4, 6):
                for sm in MODES:
                    host = "10.77.0.1" if sf == 4 else "fd77::1"
                    to = 8443 if sm == "SSL" else 8080
                    yield (f"PROXY TCP {v(cf)} {port} {cm} * TO {v(sf)} {to} "
                           f"{sm} * {host}", port, cf, cm)
                    port += 1


@options(seconds=240)
def test_combinations(net):
    """Four ways of TLS, two families on each side, curl and nginx."""
    needs("curl", "nginx", "openssl")
    make_keys()
    body = nginx(net)
    ways = list(lines_of_all())
    px = Proxy(net, ["HANDSHAKE_CLIENT 0"] + [w[0] for w in ways])
    for line, port, family, mode in ways:
        scheme = "https" if mode == "SSL" else "http"
        address = net.address("p", family)
        url = f"{scheme}://vse.example:{port}/file"
        out = f"{WORK}/got"
        c = net.host(["curl", "-sS", "--max-time", "60", "--cacert",
                      RING + "/CA.PEM", "-o", out, "--connect-to",
                      f"vse.example:{port}:[{address}]:{port}"
                      if family == 6 else
                      f"vse.example:{port}:{address}:{port}", url])
        c.ok(90)
        with open(out, "rb") as f:
            check(f.read() == body, f"{line}: other bytes came")
        px.logged("CPLT610I", f" {port} ")
    px.stop()


@options(seconds=120)
def test_openssl_clients(net):
    """TLS 1.2 and 1.3, ALPN and the certificate's name, as s_client sees
    them."""
    needs("openssl")
    make_keys()
    Server(net, 4, 7000, echo)
    px = Proxy(net, ["PROXY TCP V4 9992 SSL * TO V4 7000 TXT * 10.77.0.1"])
    for version in ("-tls1_2", "-tls1_3"):
        c = net.host(["sh", "-c", "(echo hello; sleep 1; echo Q) | openssl "
                      f"s_client {version} -connect 10.77.0.2:9992 -CAfile "
                      f"{RING}/CA.PEM -verify_return_error "
                      "-verify_hostname vse.example -crlf"], name="s_client")
        out = c.ok(60)
        check("hello" in out, f"no echo:\n{out}")
        check("Verify return code: 0 (ok)" in out, out)
    out = net.host(["sh", "-c", "openssl s_client -tls1_1 -cipher "
                    "DEFAULT@SECLEVEL=0 -connect 10.77.0.2:9992 </dev/null"])
    check(out.wait(60) != 0, "TLS 1.1 was taken")
    px.logged("CPLT611W", "client-tls")
    px.stop()


# ---- the redbook's case -------------------------------------------------------

def display_session(net, address, server):
    """s3270 comes to a TN3270E server through the proxy: gets a screen, types,
    presses Enter."""
    script = WORK + "/s3270"
    with open(script, "w", encoding="ascii") as f:
        f.write('Wait(60,InputField)\nString("HI")\nEnter()\n'
                "Wait(60,Output)\nQuit()\n")
    with open(script, "rb") as f:
        p = net.keep(Proc(net.p.argv(["s3270", "-noverifycert", address]),
                          stdin=f, env=dict(os.environ, LC_ALL="C.UTF-8")))
    device = server.expect("device", 60)
    check(device.startswith("device IBM-3278-"), device)
    ready = server.accept("T001", offer=peer.BIND | peer.RESP | peer.SYSREQ)
    check(ready.startswith("ready"), ready)
    server.say("bind", 2, "CICS", peer.NONE)
    server.expect("sent")
    server.send(peer.T_3270, b"\xf5\xc3\x11\x40\x40\x1d\x40\x13")
    data = server.expect("data 0 ", 60)
    check(data.endswith("c8c9"), f"s3270 sent {data!r}")
    server.say("close")
    p.wait(60)
    server.p.wait(60)


@options(seconds=180)
def test_tn3270_through_the_proxy(net):
    """PROXY TCP V6 9992 SSL * TO V4 23 TXT * 127.0.0.1: s3270 with TLS over
    IPv6, and in the clear over IPv4, to a TN3270E server on IPv4."""
    needs("s3270", "openssl")
    make_keys()
    tool = os.path.join(net.build, "tests", "net", "print", "tnserver")
    for line, address in (
            ("PROXY TCP V6 9992 SSL * TO V4 {} TXT * 127.0.0.1",
             "L:[::1]:9992"),
            ("PROXY TCP V4 9023 TXT * TO V4 {} TXT * 127.0.0.1",
             "127.0.0.1:9023")):
        with net.p:
            server = peer.Server(tool, "displays")
        px = Proxy(net, [line.format(server.port)], on_host=True)
        display_session(net, address, server)
        px.logged("CPLT61", line.split()[3])
        px.stop()


# ---- what passes unchanged ---------------------------------------------------

def half_close_server(c):
    data = read_all(c)
    c.sendall(b"got %d" % len(data))


def clear_and_tls(net, server, extra=()):
    """Proxies of every way with a test server behind; yields a function that
    connects a client."""
    make_keys()
    Server(net, 4, 7000, server)
    Server(net, 6, 7000, server)
    px = Proxy(net, list(extra) + [
        "PROXY TCP V4 9001 TXT * TO V6 7000 TXT * fd77::1",
        "PROXY TCP V6 9002 TXT * TO V4 7000 TXT * 10.77.0.1",
        "PROXY TCP V4 9003 SSL * TO V4 7000 TXT * 10.77.0.1"])
    return px, (lambda: dial(net, 4, 9001), lambda: dial(net, 6, 9002),
                lambda: tls(dial(net, 4, 9003)))


@options(seconds=120)
def test_half_close(net):
    px, clients = clear_and_tls(net, half_close_server)
    for connect in clients[:2]:
        s = connect()
        s.sendall(b"x" * 300000)
        s.shutdown(socket.SHUT_WR)
        check_equal(read_all(s), b"got 300000", "answer after half-close")
        s.close()
    # with TLS the end of what we say is a close_notify; Python can only
    # close both ways, OpenSSL's own client says it and goes on reading
    c = net.host(["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x | "
                  "openssl s_client -quiet -no_ign_eof -connect "
                  "10.77.0.2:9003 -CAfile " + RING + "/CA.PEM"],
                 name="s_client")
    c.wait(60)
    px.logged("CPLT61", " 9003 ", "300000 bytes in, 10 out")
    px.stop()


def reset_server(c):
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@options(seconds=120)
def test_reset_of_the_server(net):
    px, clients = clear_and_tls(net, reset_server)
    for connect in clients:
        s = connect()
        s.sendall(b"x")
        try:
            got = s.recv(10)
            raise Failure(f"a reset became {got!r}")
        except (ConnectionResetError, ssl.SSLError) as e:
            print("seen by the client:", e)
        s.close()
    px.logged("CPLT611W", "server-reset")
    px.stop()


@options(seconds=120)
def test_reset_of_the_client(net):
    served, seen = [], []

    def serve(c):
        try:
            while c.recv(1000):
                served.append(1)
            seen.append("FIN")
        except ConnectionResetError:
            seen.append("RST")

    px, clients = clear_and_tls(net, serve)
    for i, connect in enumerate(clients):
        s = connect()
        s.sendall(b"hello")
        # a client of TLS 1.3 may write before its handshake is over here
        wait_for(lambda n=i: len(served) > n, "its bytes at the server", 60)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
        s.close()
        wait_for(lambda n=i: len(seen) > n, "the server to notice", 60)
        check_equal(seen[i], "RST", "what the server saw")
    px.logged("CPLT611W", "client-reset")
    px.stop()


@options(seconds=120)
def test_truncated_tls_is_a_reset(net):
    """A client that goes without close_notify: its FIN is no end of file."""
    seen = []

    def serve(c):
        try:
            while c.recv(1000):
                pass
            seen.append("FIN")
        except ConnectionResetError:
            seen.append("RST")

    px, clients = clear_and_tls(net, serve)
    s = clients[2]()
    s.sendall(b"hello")
    raw = socket.socket(fileno=s.detach())   # no close_notify from here on
    raw.shutdown(socket.SHUT_WR)
    wait_for(lambda: seen, "the server to notice", 60)
    check_equal(seen, ["RST"], "what the server saw")
    raw.close()
    # and with one it is
    s = clients[2]()
    s.sendall(b"hello")
    s.unwrap().close()
    wait_for(lambda: len(seen) == 2, "the server to notice", 60)
    check_equal(seen[1], "FIN", "what the server saw")
    px.stop()


@options(seconds=240)
def test_slow_reader(net):
    """Back pressure: the writer stops, proxyd's memory does not grow, and in
    the end every byte is there."""
    total = 48 << 20
    go = []

    def serve(c):
        c.recv(1)
        wait_for(lambda: go, "the word to read", 200)
        n = 0
        while part := c.recv(1 << 16):
            n += len(part)
        c.sendall(b"%d" % n)

    px, clients = clear_and_tls(net, serve)
    for connect in (clients[0], clients[2]):
        go.clear()
        s = connect()
        s.sendall(b"!")
        before = resident_kib(real_pid(px))
        s.settimeout(2)
        sent = 0
        chunk = b"y" * 65536
        try:
            while sent < total:
                sent += s.send(chunk)
        except (TimeoutError, socket.timeout, ssl.SSLError):
            pass
        check(sent < total, "nothing stopped the writer")
        grown = resident_kib(real_pid(px)) - before
        print(f"the writer stopped after {sent} bytes, proxyd grew by "
              f"{grown} KiB", flush=True)
        check(grown < 8192, f"proxyd grew by {grown} KiB")
        if connect is clients[0]:
            go.append(1)
            s.settimeout(120)
            while sent < total:
                sent += s.send(chunk)
            s.shutdown(socket.SHUT_WR)
            check_equal(read_all(s), b"%d" % sent, "bytes that arrived")
        else:
            go.append(1)
        s.close()
    px.stop()


# ---- what may fail -------------------------------------------------------------

def ends(s):
    """How the connection ends for a client: 'reset' or 'eof'; also of one
    that is reset before connect() has returned."""
    try:
        if callable(s):
            s = s()
        while s.recv(1000):
            pass
        return "eof"
    except ConnectionResetError:
        return "reset"


@options(seconds=180)
def test_failures_say_why(net):
    make_keys()
    Server(net, 4, 7001, lambda c: c.sendall(b"this is no TLS\n" * 50))
    px = Proxy(net, [
        "TIMEOUT CONNECT 2S",
        "PROXY TCP V4 9001 TXT * TO V4 7999 TXT * 10.77.0.1",
        "PROXY TCP V4 9002 TXT * TO V4 7999 TXT * no.such.name.invalid",
        "PROXY TCP V4 9003 TXT * TO V4 7001 SSL * 10.77.0.1",
        "PROXY TCP V4 9004 SSL * TO V4 7999 TXT * 10.77.0.1",
        "PROXY TCP V4 9005 SSL * TO V4 7001 TXT * 10.77.0.1"])
    for port, words in ((9001, ("connect", "10.77.0.1:7999",
                                "Connection refused")),
                        (9002, ("name", "no.such.name.invalid")),
                        (9003, ("server-tls",))):
        check_equal(ends(lambda p=port: dial(net, 4, p)), "reset",
                    f"end at {port}")
        print(px.logged("CPLT611W", f" {port} ", *words))
    # a client with TLS gets an alert
    s = tls(dial(net, 4, 9004))
    try:
        check_equal(s.recv(10), None, "an alert")
    except ssl.SSLError as e:
        check("INTERNAL_ERROR" in str(e), f"another alert: {e}")
    px.logged("CPLT611W", " 9004 ", "connect", "Connection refused")
    # a client that speaks no TLS
    s = dial(net, 4, 9005)
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    ends(s)
    print(px.logged("CPLT611W", " 9005 ", "client-tls"))
    px.stop()


@options(seconds=120)
def test_bad_starts(net):
    make_keys()
    for lines, words in (
            (["PROXY TCP V4 9001 SSL NOSUCH TO V4 1 TXT * 10.77.0.1"],
             ("CPLT601E", "NOSUCH")),
            (["PROXY TCP V4 9001 TXT 192.0.2.99 TO V4 1 TXT * 10.77.0.1"],
             ("CPLT601E", "listen"))):
        px = Proxy(net, lines, wait=False)
        check_equal(px.proc.wait(60), 1, "exit status")
        px.logged(*words)


@options(seconds=120)
def test_idle_timeout(net):
    make_keys()
    Server(net, 4, 7000, echo)
    px = Proxy(net, ["TIMEOUT IDLE 1S",
                     "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1"])
    s = dial(net, 4, 9001)
    for _ in range(6):          # as long as it talks it lives
        s.sendall(b"x")
        check_equal(s.recv(1), b"x", "echo")
        time.sleep(0.3)
    check_equal(ends(s), "reset", "end of an idle connection")
    px.logged("CPLT611W", "idle")
    px.stop()


# ---- targets --------------------------------------------------------------------

def who(n):
    return lambda c: c.sendall(b"%d" % n)


@options(seconds=180)
def test_balance_and_health(net):
    servers = [Server(net, 4, 7000 + i, who(i)) for i in range(3)]
    px = Proxy(net, ["HEALTH 300MS 2S 2 2",
                     "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1 "
                     "10.77.0.1:7001 10.77.0.1:7002"], ring=False)
    got = [read_all(dial(net, 4, 9001)) for _ in range(9)]
    check_equal(sorted(got), [b"0"] * 3 + [b"1"] * 3 + [b"2"] * 3,
                "round robin")
    servers[1].close()
    # before the check notices, another target answers
    got = {read_all(dial(net, 4, 9001)) for _ in range(4)}
    check(got <= {b"0", b"2"}, f"who answered: {got}")
    px.logged("CPLT616W", "10.77.0.1:7001 is down")
    servers[1] = Server(net, 4, 7001, who(1))
    px.logged("CPLT617I", "10.77.0.1:7001 is up")
    got = {read_all(dial(net, 4, 9001)) for _ in range(6)}
    check_equal(got, {b"0", b"1", b"2"}, "who answers")
    px.stop()


@options(seconds=120)
def test_names(net):
    """HOST of the deck; a name with an address that does not answer first."""
    Server(net, 4, 7000, who(4))
    Server(net, 6, 7000, who(6))
    px = Proxy(net, ["HOST vse 10.77.0.1", "HOST VSE fd77::1",
                     "PROXY TCP V4 9004 TXT * TO V4 7000 TXT * vse",
                     "PROXY TCP V4 9006 TXT * TO V6 7000 TXT * Vse",
                     "PROXY TCP V4 9008 TXT * TO ANY 7000 TXT * vse",
                     "PROXY TCP V4 9009 TXT * TO ANY 7001 TXT * vse"],
               ring=False)
    Server(net, 4, 7001, who(1))     # not on IPv6: refused there
    for port, want in ((9004, b"4"), (9006, b"6"), (9008, b"6"),
                       (9009, b"1")):
        check_equal(read_all(dial(net, 4, port)), want, f"answer at {port}")
    px.stop()


@options(seconds=120)
def test_sni(net):
    """Names decide where TLS goes that we do not decrypt."""
    needs("nginx", "openssl")
    make_keys()
    body = nginx(net)
    Server(net, 4, 7001, lambda c: c.sendall(b"default"))
    px = Proxy(net, ["PROXY TCP V4 9001 TXT * TO V4 7001 TXT * 10.77.0.1",
                     "SNI *.example 10.77.0.1:8443"], ring=False)
    s = tls(dial(net, 4, 9001))
    s.sendall(b"GET /file HTTP/1.0\r\n\r\n")
    check(read_all(s).endswith(body), "other bytes")
    raw = dial(net, 4, 9001)
    try:
        tls(raw, name="other.test")
        raise Failure("TLS with a server that has none")
    except ssl.SSLError:
        pass
    s = dial(net, 4, 9001)
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    check_equal(ends(s), "reset", "end of a client without TLS")
    px.logged("CPLT611W", "header", "no TLS ClientHello")
    px.stop()


@options(seconds=120)
def test_proxy_header(net):
    """In and out, both versions; the client is who the header says."""
    Server(net, 4, 7000, lambda c: c.sendall(b"%s" % c.recv(300)))
    px = Proxy(net, ["PROXYHEADER OUT V1",
                     "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1",
                     "PROXYHEADER IN ANY", "PROXYHEADER OUT V2",
                     "PROXY TCP V4 9002 TXT * TO V4 7000 TXT * 10.77.0.1"],
               ring=False)
    s = dial(net, 4, 9001)
    port = s.getsockname()[1]
    check_equal(read_all(s), b"PROXY TCP4 10.77.0.1 10.77.0.2 %d 9001\r\n"
                % port, "header of version 1")
    s = dial(net, 4, 9002)
    s.sendall(b"PROXY TCP6 2001:db8::1 2001:db8::2 11 22\r\n")
    v2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" +
          socket.inet_pton(socket.AF_INET6, "2001:db8::1") +
          socket.inet_pton(socket.AF_INET6, "2001:db8::2") +
          struct.pack(">HH", 11, 22))
    check_equal(read_all(s), v2, "header of version 2")
    s.close()
    px.logged("CPLT610I", "[2001:db8::1]:11")
    s = dial(net, 4, 9002)
    s.sendall(b"HELO you\r\n")
    check_equal(ends(s), "reset", "end without a header")
    px.logged("CPLT611W", "no PROXY protocol header")
    px.stop()


# ---- limits -----------------------------------------------------------------------

@options(seconds=120)
def test_access_and_limits(net):
    Server(net, 4, 7000, echo)
    px = Proxy(net, ["DENY FROM 10.77.0.1/32",
                     "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1",
                     "ALLOW FROM *", "ALLOW FROM 10.77.0.0/24",
                     "DENY FROM ANY", "LIMIT CLIENT 2",
                     "PROXY TCP V4 9002 TXT * TO V4 7000 TXT * 10.77.0.1"],
               ring=False)
    check_equal(ends(lambda: dial(net, 4, 9001)), "reset",
                "denied")
    px.logged("CPLT613W", "denied")
    kept = []
    for _ in range(2):
        s = dial(net, 4, 9002)
        s.sendall(b"x")
        check_equal(s.recv(1), b"x", "echo")
        kept.append(s)
    check_equal(ends(lambda: dial(net, 4, 9002)), "reset",
                "one too many")
    px.logged("CPLT613W", "LIMIT CLIENT")
    kept.pop().close()

    def again():
        try:
            with dial(net, 4, 9002) as s:   # may be reset at once
                s.sendall(b"x")
                return s.recv(1) == b"x"
        except ConnectionError:
            return False
    wait_for(again, "a place to be free again", 60)
    px.stop()


# ---- reload, drain ------------------------------------------------------------------

@options(seconds=180)
def test_reload_without_a_drop(net):
    """Connections that are open go on, the new deck holds for new ones, and
    nobody is refused in between."""
    Server(net, 4, 7001, lambda c: (c.sendall(b"1"), echo(c)))
    Server(net, 4, 7002, lambda c: (c.sendall(b"2"), echo(c)))
    line = "PROXY TCP V4 9001 TXT * TO V4 {} TXT * 10.77.0.1"
    px = Proxy(net, [line.format(7001)], ring=False)
    old = dial(net, 4, 9001)
    check_equal(old.recv(1), b"1", "who answers")
    for i in range(6):
        port = 7002 if i % 2 == 0 else 7001
        px.reload([line.format(port)], ring=False)
        s = dial(net, 4, 9001)
        check_equal(s.recv(1), b"%d" % (port - 7000), "who answers")
        s.close()
    px.reload(["PROXY TCP V4 9009 TXT * TO V4 7002 TXT * 10.77.0.1"],
              ring=False)
    old.sendall(b"still here")
    check_equal(exactly(old, 10), b"still here", "echo after all that")
    try:
        dial(net, 4, 9001)
        raise Failure("a PROXY that is gone still listens")
    except ConnectionRefusedError:
        pass
    # a deck with a mistake changes nothing
    px.reload(["PROXY TCP V4 9001 NONSENSE"], ring=False, word="CPLT013E")
    s = dial(net, 4, 9009)
    check_equal(s.recv(1), b"2", "who answers")
    px.stop()


@options(seconds=180)
def test_drain(net):
    """New connections are refused, the open ones end in peace, and so does
    proxyd."""
    Server(net, 4, 7000, echo)
    px = Proxy(net, ["PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1"],
               ring=False)
    s = dial(net, 4, 9001)
    s.sendall(b"a")
    check_equal(s.recv(1), b"a", "echo")
    px.ctl("DRAIN")
    try:
        dial(net, 4, 9001)
        raise Failure("a draining proxy takes connections")
    except ConnectionRefusedError:
        pass
    s.sendall(b"b")
    check_equal(s.recv(1), b"b", "echo while draining")
    s.close()
    check_equal(px.proc.wait(60), 0, "exit status")


# ---- UDP ------------------------------------------------------------------------------

@options(seconds=120)
def test_udp(net):
    """Each client has its own flow, IPv4 to IPv6 and back; a flow that is
    quiet ends."""
    server = net.host([PYTHON, "-c", """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("fd77::1", 7000))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(65536)
    s.sendto(b"%d:" % peer[1] + data, peer)
"""], name="udp-server").says("ready")
    px = Proxy(net, ["TIMEOUT UDP 1S",
                     "PROXY UDP V4 7053 TXT * TO V6 7000 TXT * fd77::1"],
               ring=False)
    ports = set()
    for i in range(5):
        with net.h:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(60)
        s.connect(("10.77.0.2", 7053))
        for n in (1, 1000, 8000):
            s.send(b"%d" % i * n)
            port, _, data = s.recv(65536).partition(b":")
            check_equal(data, b"%d" % i * n, "the answer")
            ports.add(port)
        s.close()
    check_equal(len(ports), 5, "flows")
    px.logged("CPLT618I", "3 datagrams")
    check(server.alive(), "the server ended")
    px.stop()


# ---- many ---------------------------------------------------------------------------------

@options(seconds=600, fd_limit=30000)
def test_many_open(net):
    """10,000 connections at once, or as many as the limit of descriptors lets
    proxyd have (two each), and each of them alive."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    n = min(10000, limit // 2 - 60) if net.kernel else 2000
    tool = os.path.join(net.build, "tests", "bench", "bench_idle")
    px = Proxy(net, ["LOG NONE", "LIMIT CONNECTIONS 20000",
                     "PROXY TCP V4 9001 TXT * TO V4 7300 TXT * 10.77.0.1"],
               ring=False)
    before = resident_kib(real_pid(px))
    s = net.host([tool, "serve", "10.77.0.1", "7300", str(n)],
                 name="server").says("ready")
    r, w = os.pipe()
    c = net.host([tool, "open", "10.77.0.2", "9001", str(n)], name="client",
                 stdin=r)
    os.close(r)
    c.says(f"have {n}", 400)
    s.says(f"have {n}", 120)
    each = (resident_kib(real_pid(px)) - before) / n
    print(f"{n} connections, {each:.2f} KiB each", flush=True)
    os.write(w, b"\n")
    c.says(f"done {n}", 400)
    os.close(w)
    px.stop()


@options(seconds=600)
def test_a_day_of_connections(net):
    """As many connections as a quiet day has, in half a minute: nothing leaks; of
    those that end well, have TLS, find no server, or break off."""
    make_keys()
    Server(net, 4, 7000, lambda c: c.sendall(b"ok"), backlog=1024)
    px = Proxy(net, ["LOG NONE", "HANDSHAKE_CLIENT 0",
                     "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1",
                     "PROXY TCP V4 9002 TXT * TO V4 7999 TXT * 10.77.0.1",
                     "PROXY TCP V4 9003 SSL * TO V4 9004 SSL * 10.77.0.2",
                     "PROXY TCP V4 9004 SSL * TO V4 7000 TXT * 10.77.0.1"]
               if net.kernel else
               ["LOG NONE",
                "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1",
                "PROXY TCP V4 9002 TXT * TO V4 7999 TXT * 10.77.0.1",
                "PROXY TCP V4 9003 SSL * TO V4 7000 TXT * 10.77.0.1"])
    pid = real_pid(px)
    marks = []
    end = time.monotonic() + 25
    total = 0
    while time.monotonic() < end:
        for _ in range(500):
            s = dial(net, 4, 9001)
            check_equal(read_all(s), b"ok", "answer")
            s.close()
        for _ in range(10):
            with tls(dial(net, 4, 9003)) as s:
                check_equal(exactly(s, 2), b"ok", "answer")
            check_equal(ends(lambda: dial(net, 4, 9002)), "reset", "no server")
            with dial(net, 4, 9003) as s:
                s.sendall(b"\x16\x03\x01\x02")   # a hello's first bytes
        total += 530
        marks.append((descriptors(pid), resident_kib(pid)))
    print(f"{total} connections; descriptors and KiB: {marks[0]} to "
          f"{marks[-1]}", flush=True)
    check(marks[-1][0] <= marks[0][0] + 4, f"descriptors grow: {marks}")
    # the heap may settle in the first rounds
    settled = marks[len(marks) // 3][1]
    check(marks[-1][1] <= settled + 4096, f"memory grows: {marks}")
    px.stop()


if __name__ == "__main__":
    main(globals())
