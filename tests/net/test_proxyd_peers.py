#!/usr/bin/python3
"""proxyd and who stands around it: name servers, HAProxy and nginx with the
PROXY protocol, targets that do not answer, limits, and what an operator sees
and may do.

    test_proxyd_peers.py --build DIR [--kernel] [--verbose] CASE...
"""

import contextlib
import json
import os
import socket
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
from couplet_net import V4_HOST, V6_HOST, WORK, Failure, check, check_equal, \
    main, needs, options, wait_for
from proxynet import RING, Proxy, Server, dial, echo, exactly, make_keys, \
    read_all

NAMES = f"DNS {V4_HOST}"


def who(n):
    return lambda c: c.sendall(b"%d" % n)


def held(n):
    """Says who it is and stays."""
    def serve(c):
        c.sendall(b"%d" % n)
        echo(c)
    return serve


def refused(net, port):
    """Whether a connection is reset before it gets a byte."""
    try:
        with dial(net, 4, port) as s:
            return s.recv(1) == b"?"
    except ConnectionError:
        return True


# ---- names and addresses ------------------------------------------------------

@options(seconds=180, deck_extra=NAMES)
def test_names_of_dns(net):
    """Debian's dnsmasq knows the targets: of one family, of both, of the
    wrong one, not at all."""
    needs("dnsmasq")
    with open(WORK + "/resolv.conf", "w", encoding="ascii") as f:
        f.write(f"nameserver {V4_HOST}\n")
    net.host(["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts",
              "--local=/test/", "--bind-interfaces", "--user=root",
              "--pid-file=", f"--listen-address={V4_HOST}",
              f"--host-record=four.example.test,{V4_HOST}",
              f"--host-record=six.example.test,{V6_HOST}",
              f"--host-record=both.example.test,{V4_HOST},{V6_HOST}"],
             name="dnsmasq").says("started")
    Server(net, 4, 7000, who(4))
    Server(net, 6, 7000, who(6))
    px = Proxy(net, [
        "PROXY TCP V4 9004 TXT * TO V4 7000 TXT * four.example.test",
        "PROXY TCP V4 9006 TXT * TO V6 7000 TXT * six.example.test",
        "PROXY TCP V4 9008 TXT * TO ANY 7000 TXT * both.example.test",
        "PROXY TCP V4 9009 TXT * TO V4 7000 TXT * both.example.test",
        "PROXY TCP V4 9010 TXT * TO V6 7000 TXT * four.example.test",
        "PROXY TCP V4 9011 TXT * TO ANY 7000 TXT * none.example.test",
        # one that is unknown beside one that is not
        "PROXY TCP V4 9012 TXT * TO ANY 7000 TXT * none.example.test "
        "four.example.test"], ring=False)
    for port, want in ((9004, b"4"), (9006, b"6"), (9008, b"6"),
                       (9009, b"4"), (9012, b"4")):
        check_equal(read_all(dial(net, 4, port)), want, f"answer at {port}")
    for port, name in ((9010, "four.example.test"),
                       (9011, "none.example.test")):
        check(refused(net, port), f"{port} goes somewhere")
        print(px.logged("CPLT611W", f" {port} ", ": name: ", name))
    px.stop()


@contextlib.contextmanager
def deaf(net, family, port):
    """A listener whose queue is full: who connects hears nothing at all."""
    with net.h:
        s = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET)
        s.bind((net.address("h", family), port))
        s.listen(0)
        callers = [socket.socket(s.family) for _ in range(8)]
    for c in callers:
        c.setblocking(False)
        c.connect_ex(s.getsockname())
    try:
        yield
    finally:
        for c in callers:
            c.close()
        s.close()


@options(seconds=180)
def test_happy_eyeballs(net):
    """[RFC8305 5] The first address says neither yes nor no: the second is
    not kept waiting for that."""
    Server(net, 4, 7000, who(4))
    px = Proxy(net, ["HOST vse 10.77.0.1", "HOST VSE fd77::1",
                     "TIMEOUT CONNECT 100S",
                     "PROXY TCP V4 9001 TXT * TO ANY 7000 TXT * vse"],
               ring=False)
    with deaf(net, 6, 7000):
        for _ in range(3):
            check_equal(read_all(dial(net, 4, 9001)), b"4", "who answers")
        px.logged("CPLT610I", "10.77.0.1:7000")
        check_equal(px.counter("connections"), 0, "connections left")
    px.stop()


@options(seconds=120)
def test_least_connections(net):
    """LEASTCONN: the next one goes to whoever has the fewest."""
    for i in range(2):
        Server(net, 4, 7000 + i, held(i))
    px = Proxy(net, ["BALANCE LEASTCONN",
                     "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1 "
                     "10.77.0.1:7001"], ring=False)

    def more(n):
        new = [dial(net, 4, 9001) for _ in range(n)]
        return [(s, exactly(s, 1)) for s in new]

    first = more(4)
    check_equal(sorted(w for _, w in first), [b"0", b"0", b"1", b"1"],
                "evenly")
    for s, w in first:
        if w == b"1":
            s.close()
    wait_for(lambda: px.counter("connections") == 2, "two to end", 60)
    check_equal([w for _, w in more(2)], [b"1", b"1"], "who had none")
    px.stop()


# ---- the PROXY protocol between real peers ----------------------------------------

NGINX = """
daemon off; user root; worker_processes 1; pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{
    listen 10.77.0.1:8081 proxy_protocol;
    listen 10.77.0.1:8444 ssl proxy_protocol;
    ssl_certificate {ring}/SSL01.crt; ssl_certificate_key {ring}/SSL01.key;
    return 200 "$proxy_protocol_addr $proxy_protocol_port\\n";
  }}
}}
"""

HAPROXY = """
defaults
  mode tcp
  timeout connect 60s
  timeout client 60s
  timeout server 60s
listen v1
  bind 10.77.0.1:8101
  server s 10.77.0.2:9001 send-proxy
listen v2
  bind 10.77.0.1:8102
  server s 10.77.0.2:9002 send-proxy-v2
"""


@options(seconds=180)
def test_proxy_header_peers(net):
    """HAProxy before and nginx behind: who the client is comes through, in
    both versions, changed from one into the other, and before TLS."""
    needs("haproxy", "nginx", "curl")
    make_keys()
    folder = WORK + "/nginx"
    os.makedirs(folder)
    for name, text in (("nginx", NGINX), ("haproxy", HAPROXY)):
        with open(f"{folder}/{name}", "w", encoding="ascii") as f:
            f.write(text.format(dir=folder, ring=RING))
    net.wait_port("h", 4, 8081, net.host(["nginx", "-c", folder + "/nginx"]))
    px = Proxy(net, ["HANDSHAKE_CLIENT 0",
                     "PROXYHEADER IN V1", "PROXYHEADER OUT V2",
                     "PROXY TCP V4 9001 TXT * TO V4 8081 TXT * 10.77.0.1",
                     "PROXYHEADER IN V2", "PROXYHEADER OUT V1",
                     "PROXY TCP V4 9002 TXT * TO V4 8444 SSL * 10.77.0.1",
                     "PROXYHEADER IN ANY", "PROXYHEADER OUT V2",
                     "PROXY TCP V4 9003 SSL * TO V4 8444 SSL * 10.77.0.1"])
    ha = net.host(["haproxy", "-db", "-f", folder + "/haproxy"])
    net.wait_port("h", 4, 8101, ha)
    for url, extra in (("http://10.77.0.1:8101/", []),
                       ("http://10.77.0.1:8102/", []),
                       ("https://10.77.0.2:9003/",
                        ["--haproxy-protocol", "--cacert",
                         RING + "/CA.PEM"])):
        out = net.host(["curl", "-sS", "--max-time", "60", "-w",
                        "%{local_port}"] + extra + [url]).ok(90)
        address, port = out.split("\n")[0].split()
        check_equal((address, port), ("10.77.0.1", out.split("\n")[1]),
                    f"the client of {url}")
    px.stop()


# ---- limits -----------------------------------------------------------------------

@options(seconds=120)
def test_limit_of_connections(net):
    """LIMIT CONNECTIONS holds for the whole daemon, LIMIT UDPFLOWS too."""
    Server(net, 4, 7000, held(1))
    with net.h:
        u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        u.bind(("fd77::1", 7053))
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                   for _ in range(5)]
    u.settimeout(60)
    px = Proxy(net, ["LIMIT CONNECTIONS 3", "LIMIT UDPFLOWS 2",
                     "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1",
                     "PROXY TCP V4 9002 TXT * TO V4 7000 TXT * 10.77.0.1",
                     "PROXY UDP V4 7053 TXT * TO V6 7053 TXT * fd77::1"],
               ring=False)
    kept = [dial(net, 4, 9001 + i % 2) for i in range(3)]
    for s in kept:
        check_equal(exactly(s, 1), b"1", "who answers")
    check(refused(net, 9001), "the fourth was taken")
    px.logged("CPLT613W", "LIMIT CONNECTIONS")
    kept.pop().close()
    wait_for(lambda: not refused(net, 9002), "a place to be free again", 60)
    check(px.counter("limited", "connections") >= 1, "counter")
    for c in clients:
        c.sendto(b"x", ("10.77.0.2", 7053))
    wait_for(lambda: px.counter("udp_limited") == 3, "flows above the limit",
             60)
    check_equal(px.counter("udp_flows"), 2, "flows")
    check_equal({u.recvfrom(10)[0] for _ in range(2)}, {b"x"}, "datagrams")
    px.stop()


@options(seconds=120)
def test_udp_ways(net):
    """Between all families; answers come from where they were sent to."""
    px = Proxy(net, [f"PROXY UDP V{c} 70{c}{s} TXT * TO V{s} 7100 TXT * "
                     f"{'10.77.0.1' if s == 4 else 'fd77::1'}"
                     for c in (4, 6) for s in (4, 6)], ring=False)
    for server in (4, 6):
        with net.h:
            u = socket.socket(socket.AF_INET if server == 4
                              else socket.AF_INET6, socket.SOCK_DGRAM)
        u.settimeout(60)
        u.bind((net.address("h", server), 7100))
        for client in (4, 6):
            with net.h:
                c = socket.socket(socket.AF_INET if client == 4
                                  else socket.AF_INET6, socket.SOCK_DGRAM)
            c.settimeout(60)
            c.connect((net.address("p", client), 7000 + client * 10 + server))
            c.send(b"there")
            data, peer = u.recvfrom(100)
            check_equal(data, b"there", "what the server got")
            u.sendto(b"and back", peer)
            check_equal(c.recv(100), b"and back", "what the client got")
        u.close()
    px.stop()


# ---- the operator -----------------------------------------------------------------

def rows(px, *words):
    return json.loads(px.ctl("--json", *words))


@options(seconds=180)
def test_displays(net):
    """Both ends, bytes and age of each connection, the PROXYs, the targets,
    counters, Prometheus; what may be done; who may look."""
    needs("curl")
    Server(net, 4, 7000, held(1))
    Server(net, 6, 7001, held(2))
    metrics = f"{net.run_dir}/proxyd-px/metrics"
    px = Proxy(net, [f"METRICS {metrics}", "LOG ALL",
                     "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1",
                     "PROXY TCP V6 9002 TXT * TO V6 7001 TXT * fd77::1",
                     "PROXY UDP V4 7053 TXT * TO V4 7054 TXT * 10.77.0.1"],
               ring=False)
    a, b = dial(net, 4, 9001), dial(net, 6, 9002)
    for s, n in ((a, 10), (b, 2000)):
        exactly(s, 1)
        s.sendall(b"x" * n)
        exactly(s, n)
    flows = {f["proxy"]: f for f in rows(px, "QUERY", "FLOWS")}
    f = flows["TCP V4 9001"]
    check_equal((f["state"], f["client"], f["server"], f["bytes_in"],
                 f["bytes_out"]),
                ("relay", f"10.77.0.1:{a.getsockname()[1]}",
                 "10.77.0.1:7000", 10, 11), "the flow of IPv4")
    f = flows["TCP V6 9002"]
    check_equal((f["client"], f["server"], f["bytes_in"]),
                (f"[fd77::1]:{b.getsockname()[1]}", "[fd77::1]:7001", 2000),
                "the flow of IPv6")
    wait_for(lambda: rows(px, "QUERY", "FLOWS")[0]["age_s"] > 0, "an age", 60)
    for words, n in ((("PORT", "9002"), 1), (("ADDRESS", "10.77.0.0/24"), 1),
                     (("STATE", "connect"), 0)):
        check_equal(len(rows(px, "QUERY", "FLOWS", *words)), n,
                    f"flows of {words}")
    p = {r["port"]: r for r in rows(px, "QUERY", "PROXIES")}
    check_equal((p[9001]["state"], p[9001]["connections"],
                 p[9002]["server_family"]), ("listening", 1, "V6"), "PROXYs")
    check_equal([t["host"] for t in rows(px, "QUERY", "TARGETS")][:2],
                ["10.77.0.1", "fd77::1"], "targets")
    check("PROXY TCP V4 9001" in px.ctl("QUERY", "DECK"), "deck")
    check("px" in px.ctl("QUERY", "ID"), "name")
    told = net.host(["curl", "-sS", "--max-time", "60", "--unix-socket",
                     metrics, "http://x/metrics"]).ok(90)
    for line in ('couplet_proxy_connections{name="px"} 2',
                 'couplet_proxy_accepted_total{name="px"} 2',
                 'proxy="TCP V4 9001"} 1'):
        check(line in told, f"{line} is missing:\n{told}")
    operate(net, px, a)
    px.stop()


def operate(net, px, a):
    # a port out of service, and back
    px.ctl("PORT", "9001", "SUSPEND")
    try:
        dial(net, 4, 9001)
        raise Failure("a port that is suspended takes connections")
    except ConnectionRefusedError:
        pass
    a.sendall(b"still")
    check_equal(exactly(a, 5), b"still", "echo of an open one")
    px.ctl("PORT", "9001", "RESUME")
    with dial(net, 4, 9001) as s:
        check_equal(exactly(s, 1), b"1", "who answers")
    # a target out of service, and back
    px.ctl("TARGET", "10.77.0.1", "OFF")
    check(refused(net, 9001), "a target that is off was connected to")
    px.logged("CPLT611W", "no-target", "operator")
    px.ctl("TARGET", "10.77.0.1", "ON")
    with dial(net, 4, 9001) as s:
        check_equal(exactly(s, 1), b"1", "who answers")
    # one connection
    me = [f["id"] for f in rows(px, "QUERY", "FLOWS", "PORT", "9001")
          if f["client"].endswith(f":{a.getsockname()[1]}")]
    px.ctl("RESET", "FLOW", str(me[0]))
    try:
        check_equal(a.recv(1), None, "a reset")
    except ConnectionResetError:
        pass
    # mistakes cost nothing and say what was expected
    for words, told in ((("PORT", "9"), "SUSPEND or RESUME"),
                        (("PORT", "9", "SUSPEND"), "no PROXY TCP"),
                        (("TARGET", "nobody", "OFF"), "no PROXY has"),
                        (("RESET", "FLOW", "99999"), "no connection"),
                        (("QUERY", "FLOWS", "STATE", "x"), "expected head"),
                        (("FLY",), "no such command")):
        out = px.ctl(*words, check_status=False)
        check(told in out, f"{words}: {out}")


if __name__ == "__main__":
    main(globals())
