#!/usr/bin/python3
"""tlsd with Debian's programs: clear-text servers and clients on the stack,
TLS on the wire.

    test_tlsd.py --build DIR CASE...
"""

import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (PROGS, PYTHON, WORK, check, check_equal, main,
                         needs, options, sanitized, wait_for)
from test_programs import fetch, host_in_url, make_file, nginx, sha_of
from tls_net import (CERTS, Tlsd, Wire, make_ca, make_cert, revoke,
                     standard_certs)

CA = CERTS + "/root.crt"

NGINX_TLS = """
daemon off;
user root;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log {dir}/access;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 0.0.0.0:8443 ssl;
        listen [::]:8443 ssl;
        ssl_certificate {certs}/{name}.PEM;
        ssl_certificate_key {certs}/{name}.PEM;
        {extra}
        root {dir}/www;
    }}
}}
"""


def https_nginx(net, name="SERVER", extra=""):
    """An HTTPS nginx on the host; {name: sha256} of what it serves."""
    d = f"{WORK}/nginx-tls-{name}"
    os.makedirs(d + "/www")
    files = {"small": make_file(d + "/www/small", 1000),
             "middle": make_file(d + "/www/middle", 300000),
             "big": make_file(d + "/www/big", 30 << 20)}
    with open(d + "/nginx.conf", "w", encoding="ascii") as f:
        f.write(NGINX_TLS.format(dir=d, certs=CERTS, name=name, extra=extra))
    p = net.host(["nginx", "-e", "stderr", "-p", d, "-c", d + "/nginx.conf"],
                 name="nginx-tls")
    net.wait_port("h", 4, 8443, p)
    return p, d, files


# ---- the two ways ----------------------------------------------------------

@options(seconds=200)
def test_nginx_becomes_https(net):
    """An unmodified clear-text nginx, the host's curl over HTTPS."""
    needs("nginx", "curl", "openssl")
    standard_certs()
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER",
                      "ATTLS 8080 AS 8443 SSL CLOSED"])
    files = nginx_clear(net)
    for family in (4, 6):
        base = f"https://{host_in_url(net.address('p', family))}:8443"
        for name, sha in files.items():
            fetch(net, "h", f"{base}/{name}", sha, "--cacert", CA)
    last = tlsd.last()
    check_equal(last["version"], "TLS 1.3", "version")
    check_equal(last["result"], "ok", "result")
    check(tlsd.query("COUNTERS")["bytes_out"] > 60 << 20, "bytes are counted")
    tlsd.idle()
    tlsd.stop()


def nginx_clear(net):
    """nginx in clear on the stack's 8080; it is started without a connection
    that would try the port, since the port is closed to the world."""
    d = f"{WORK}/nginx-clear"
    os.makedirs(d + "/www")
    files = {"small": make_file(d + "/www/small", 1000),
             "middle": make_file(d + "/www/middle", 300000),
             "big": make_file(d + "/www/big", 30 << 20)}
    from test_programs import NGINX
    with open(d + "/nginx.conf", "w", encoding="ascii") as f:
        f.write(NGINX.format(dir=d, sendfile="on", workers=2, reuse="",
                             multi=""))
    net.prog(["nginx", "-e", "stderr", "-p", d, "-c", d + "/nginx.conf"],
             name="nginx")
    wait_for(lambda: net.ctl("QUERY", "PORTS").count("8443") == 2,
             "both secure ports", 30)
    return files


@options(seconds=200)
def test_curl_becomes_https(net):
    """An unmodified clear-text curl, an HTTPS server on the host."""
    needs("nginx", "curl", "openssl")
    standard_certs()
    _, d, files = https_nginx(net)
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION CLIENT", "HANDSHAKE_CLIENT 0",
                      f"CAFILE {CA}", "ATTLS 80 TO ANY AS 8443 SSL"])
    for family in (4, 6):
        base = f"http://{host_in_url(net.address('h', family))}"
        for name, sha in files.items():
            fetch(net, "p", f"{base}/{name}", sha)
    check_equal(tlsd.last()["result"], "ok", "result")
    tlsd.idle()
    tlsd.stop()


# ---- certificates ----------------------------------------------------------

def echo_server(net, *words):
    """clearend.py on the stack's port 7000 with TLS on 7443."""
    p = net.prog([PYTHON, PROGS + "/clearend.py", "serve", "0.0.0.0", "7000",
                  *words], name="server").says("ready")
    wait_for(lambda: "7443" in net.ctl("QUERY", "PORTS"), "the secure port",
             30)
    return p


def s_client(net, *words, send="hello", address=None, wait=False):
    """openssl s_client of the host; (exit status, output). `wait`: until the
    server ends it, e.g. by an alert."""
    where = address or net.address("p", 4)
    text = WORK + "/s_client.in"
    with open(text, "w", encoding="ascii") as f:
        f.write(send)
    with open(text, "rb") as f:
        p = net.host(["openssl", "s_client", "-connect", f"{where}:7443",
                      "-CAfile", CA, "-verify_return_error", "-quiet",
                      "-ign_eof" if wait else "-no_ign_eof", *words],
                     name="s_client", stdin=f)
    return p.wait(60), p.text()


NO_CA = "not issued by a CA that is trusted"


def cert(name):
    return ["-cert", f"{CERTS}/{name}.crt", "-key", f"{CERTS}/{name}.key"]


SERVER_RULE = ["KEYFILE SERVER", "OPTION SERVER"]


@options(seconds=200)
def test_client_certificates(net):
    """Required ones: a good one comes through, every other is refused, and
    the reason is told."""
    needs("openssl")
    standard_certs()
    make_ca("other")
    make_cert("other", "STRANGER", "email:x@other.test", server=False)
    make_cert("root", "OLD", "email:old@server.test", server=False,
              start="200101000000Z", end="200201000000Z")
    make_cert("root", "EARLY", "email:early@server.test", server=False,
              start="400101000000Z", end="400201000000Z")
    make_cert("root", "REVOKED", "email:gone@server.test", server=False)
    crl = revoke("root", "REVOKED")
    tlsd = Tlsd(net, SERVER_RULE + ["HANDSHAKE_SERVER 2", "CA_AUTH YES",
                                    f"CRLFILE {crl}", "MAPUSER EMAILUSER",
                                    "ATTLS 7000 AS 7443 SSL"])
    p = echo_server(net, "echo")
    p2 = net.host([PYTHON, PROGS + "/tlsend.py", "call", net.address("p", 4),
                   "7443", CA, "notify", "bytes=1000",
                   f"cert={CERTS}/CLIENT.PEM"], name="tlsend")
    check("ok" in p2.ok(), p2.text())
    h = tlsd.last()
    check_equal(h["certificate"], "CN=CLIENT", "certificate of the client")
    check_equal(h["user"], "client", "user that it is mapped to")
    for version in ("-tls1_2", "-tls1_3"):
        for name, reason in ((None, "no certificate"), ("STRANGER", NO_CA),
                             ("OLD", "expired"), ("EARLY", "not valid yet"),
                             ("REVOKED", "revoked")):
            before = tlsd.query("COUNTERS")["failed"]
            words = cert(name) if name else []
            _, out = s_client(net, *words, version, wait=True)
            wait_for(lambda b=before:
                     tlsd.query("COUNTERS")["failed"] == b + 1,
                     f"{name} to be refused", 30)
            h = tlsd.last()
            print(f"{version} {name}: {h['reason']}", flush=True)
            check_equal(h["result"], "failed", f"{name} {version}")
            check(reason in h["reason"],
                  f"{name}: {h['reason']!r} does not say {reason!r}")
            check("alert" in out, f"{name}: the client saw no alert: {out}")
            check("handshake failed" in tlsd.proc.text(), "it is logged")
    check_equal(p.text().count("end 1000 "), 1,
                "connections that the program saw")
    tlsd.idle()
    tlsd.stop()


@options(seconds=200)
def test_servers_are_verified(net):
    """HANDSHAKE_CLIENT 0: expired, wrong name, unknown CA and revoked are
    refused, and the program's connect() fails."""
    needs("nginx", "openssl")
    standard_certs()
    make_ca("other")
    make_cert("other", "ALIEN", "IP:10.77.0.1")
    make_cert("root", "OLD", "IP:10.77.0.1", start="200101000000Z",
              end="200201000000Z")
    make_cert("root", "NAMED", "DNS:elsewhere.test")
    make_cert("root", "REVOKED", "IP:10.77.0.1")
    crl = revoke("root", "REVOKED")
    deck = ["OPTION CLIENT", "HANDSHAKE_CLIENT 0", f"CAFILE {CA}",
            f"CRLFILE {crl}", "ATTLS 80 TO ANY AS 8443 SSL"]
    tlsd = Tlsd(net, deck)
    for name, reason in (("ALIEN", NO_CA), ("OLD", "expired"),
                         ("NAMED", "name"), ("REVOKED", "revoked")):
        web = https_nginx(net, name)[0]
        p = net.prog([PYTHON, PROGS + "/clearend.py", "call",
                      net.address("h", 4), "80", "GET / HTTP/1.0\r\n\r\n"],
                     name="call")
        check_equal(p.wait(60), 1, f"{name}: exit status; {p.text()}")
        check("failed EPROTO" in p.text(), f"{name}: {p.text()}")
        h = tlsd.last()
        print(f"{name}: {h['reason']}", flush=True)
        check_equal(h["result"], "failed", name)
        check(reason in h["reason"],
              f"{name}: {h['reason']!r} does not say {reason!r}")
        web.stop()
        wait_for(lambda: not net.h.run(["ss", "-Hltn", "sport = :8443"])
                 .strip(), "nginx to end")
    # a name of the rule's own, and HANDSHAKE_CLIENT 3
    https_nginx(net)
    tlsd.deck(deck[:-1] + ["ATTLS 80 TO ANY AS 8443 SSL * NAME server.test"])
    tlsd.ctl("RELOAD")
    fetched(net)
    tlsd.deck(["OPTION CLIENT", "ATTLS 80 TO ANY AS 8443 SSL"])
    tlsd.ctl("RELOAD")
    wait_for(lambda: "CPLT507W" in tlsd.proc.text(),
             "a warning that nobody is checked")
    fetched(net)
    tlsd.idle()
    tlsd.stop()


# ---- ends ------------------------------------------------------------------

def tlsend(net, way, how, *words, port="7443", side="h"):
    file = CA if way == "call" else f"{CERTS}/SERVER.PEM"
    where = net.address("p", 4) if way == "call" else "0.0.0.0"
    return net.side(side)([PYTHON, PROGS + "/tlsend.py", way, where, port,
                           file, how, *words], name="tlsend-" + how)


@options(seconds=200)
def test_no_silent_truncation_inbound(net):
    """A client's close_notify is an end of file for the program; a FIN without
    one, and a reset, are a reset."""
    standard_certs()
    tlsd = Tlsd(net, SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"])
    p = echo_server(net)
    for version in ("1.2", "1.3"):
        for how, end in (("notify", "end 100000 "), ("cut", "reset"),
                         ("reset", None)):
            before = len(p.text())
            tlsend(net, "call", how, "bytes=100000",
                   f"version={version}").ok(60)
            if how == "reset":
                # it may come before the program was told of the connection
                tlsd.idle()
                check("end" not in p.text()[before:], p.text())
                continue
            wait_for(lambda b=before: p.text()[b:].strip(),
                     f"the program to see {how}", 60)
            seen = p.text()[before:]
            check(end in seen, f"{how}, TLS {version}: program saw {seen}")
            if how == "cut":
                check("reset 100000 ECONNRESET" in seen,
                      f"what was sent is delivered before: {seen}")
    tlsd.idle()
    tlsd.stop()


@options(seconds=200)
def test_no_silent_truncation_outbound(net):
    """The same for a server's answer."""
    standard_certs()
    tlsd = Tlsd(net, ["OPTION CLIENT", "HANDSHAKE_CLIENT 0", f"CAFILE {CA}",
                      "ATTLS 7001 TO ANY AS 7444 SSL"])
    for version in ("1.2", "1.3"):
        for how, end in (("notify", "end 100000 "),
                         ("cut", "reset 100000 ECONNRESET"),
                         ("reset", "reset")):
            server = tlsend(net, "serve", how, "bytes=100000",
                            f"version={version}", port="7444"
                            ).says("ready")
            p = net.prog([PYTHON, PROGS + "/clearend.py", "call",
                          net.address("h", 4), "7001", "hello"], name="call")
            status = p.wait(90)
            if how == "reset" and "failed ECONNRESET" in p.text():
                server.stop()   # it came before the handshake was over
                continue
            check_equal(status, 0, p.text())
            # (one that is reset may be gone before it asks)
            check(how != "notify" or
                  ("attls policy 2 state 3 role 1 version 030" in p.text()
                   and "CN=SERVER" in p.text()), f"SOL_ATTLS: {p.text()}")
            check(how != "notify" or "connected 7001" in p.text(),
                  f"getpeername tells the program's port: {p.text()}")
            check(end in p.text(), f"{how}, {version}: {p.text()}")
            server.stop()
    tlsd.idle()
    tlsd.stop()


@options(seconds=200)
def test_silent_peers_do_not_block(net):
    """Many clients that say nothing, or half a hello, time out; others are
    served meanwhile."""
    standard_certs()
    tlsd = Tlsd(net, SERVER_RULE + ["TIMEOUT 5",
                                    "ATTLS 7000 AS 7443 SSL"])
    p = echo_server(net)
    quiet = [tlsend(net, "call", how) for how in ("silent", "stop") * 20]
    wait_for(lambda: len(tlsd.query("CONNECTIONS")) == 40,
             "forty silent connections", 60)
    tlsend(net, "call", "notify", "bytes=1000").ok(60)
    wait_for(lambda: "end 1000 " in p.text(), "the one that speaks")
    for q in quiet:
        q.ok(60)
    check_equal(tlsd.query("COUNTERS")["timeouts"], 40, "time-outs")
    tlsd.idle()
    tlsd.stop()


@options(seconds=150)
def test_each_handshake_has_a_line(net):
    """Even seventy at once, where repeats of other messages are held back;
    LOG says whether."""
    standard_certs()
    rule = SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"]
    for word, lines in (("ALL", 70), ("FAILURES", 0)):
        tlsd = Tlsd(net, [f"LOG {word}"] + rule)
        p = echo_server(net)
        tlsend(net, "call", "notify", "bytes=10", "count=70").ok(100)
        wait_for(lambda s=p: s.text().count("end 10 ") == 70, "all", 60)
        check_equal(tlsd.proc.text().count("CPLT510I"), lines, word)
        tlsd.idle()
        tlsd.stop()
        p.stop()


# ---- tlsd comes and goes ---------------------------------------------------

SECRET = "attack-at-dawn"


def call_out(net, seconds=60):
    """A program that sends SECRET to the host's port 7001, which a rule
    covers; its output."""
    p = net.prog([PYTHON, PROGS + "/clearend.py", "call",
                  net.address("h", 4), "7001", SECRET], name="call")
    return p.wait(seconds), p.text()


OUT_DECK = ["OPTION CLIENT", "HANDSHAKE_CLIENT 0", f"CAFILE {CA}",
            "ATTLS 7001 TO ANY AS 7444 SSL"]


@options(seconds=250, deck_extra="TLS WAIT 2")
def test_outbound_never_in_clear(net):
    """tlsd killed, started again, ended, reloaded: a connection that a rule
    covers is TLS or fails. A clear-text server on the clear port, and the
    packet trace, would see a byte in clear."""
    standard_certs()
    clear = net.host([PYTHON, PROGS + "/clearend.py", "serve", "0.0.0.0",
                      "7001"], name="in-clear").says("ready")
    tlsend(net, "serve", "notify", "bytes=1000", port="7444").says("ready")
    with Wire(net) as wire:
        tlsd = Tlsd(net, OUT_DECK)
        check("end 1000 " in call_out(net)[1], "with tlsd")
        tlsd.proc.kill(signal.SIGKILL)
        tlsd.proc.wait(30)
        status, out = call_out(net)
        check("failed ECONNREFUSED" in out, f"tlsd was killed: {out}")
        # held, not refused, when it comes back in time
        p = net.prog([PYTHON, PROGS + "/clearend.py", "call",
                      net.address("h", 4), "7001", SECRET], name="held")
        wait_for(lambda: '"held":1' in net.ctl("--json", "QUERY", "TLS")
                 .replace(" ", "") or not p.alive(), "the call to be held")
        tlsd.start()
        p.wait(60)
        check("end 1000 " in p.text() or "failed ECONNREFUSED" in p.text(),
              p.text())
        check("end 1000 " in call_out(net)[1], "started again")
        tlsd.ctl("RELOAD")
        check("end 1000 " in call_out(net)[1], "after a reload")
        tlsd.stop()
        status, out = call_out(net)
        check("failed ECONNREFUSED" in out, f"tlsd has ended: {out}")
        check_equal(clear.text().strip(), "ready", "the clear port")
        check(not wire.has(SECRET), "a clear byte was on the wire")
        # the operator may give the rules up; then it is clear, and the trace
        # shows that it would have been seen
        net.ctl("TLS", "RELEASE")
        status, out = call_out(net)
        check_equal(status, 0, "in clear")
        check("attls ENOTSUP" in out, f"nobody is there to ask: {out}")
        wait_for(lambda: wire.has(SECRET), "the trace to show it", 30)


@options(seconds=200,
         deck_extra="TLS HOLD OUT 7001\nTLS HOLD IN 7000\nTLS WAIT 60")
def test_no_gap_at_boot(net):
    """Before tlsd has ever run the deck's HOLD covers its ports: the call
    waits, the server's clear port is closed."""
    standard_certs()
    clear = net.host([PYTHON, PROGS + "/clearend.py", "serve", "0.0.0.0",
                      "7001"], name="in-clear").says("ready")
    tlsend(net, "serve", "notify", "bytes=1000", port="7444").says("ready")
    server = net.prog([PYTHON, PROGS + "/clearend.py", "serve", "0.0.0.0",
                       "7000"], name="server").says("ready")
    refused = net.host([PYTHON, PROGS + "/clearend.py", "call",
                        net.address("p", 4), "7000", SECRET], name="from-h")
    check_equal(refused.wait(60), 1, refused.text())
    check("failed ECONNREFUSED" in refused.text(), refused.text())
    with Wire(net) as wire:
        p = net.prog([PYTHON, PROGS + "/clearend.py", "call",
                      net.address("h", 4), "7001", SECRET], name="held")
        wait_for(lambda: '"held":1' in net.ctl("--json", "QUERY", "TLS")
                 .replace(" ", ""), "the call to be held", 30)
        tlsd = Tlsd(net, OUT_DECK + ["KEYFILE SERVER", "OPTION SERVER",
                                     "ATTLS 7000 AS 7443 SSL CLOSED"])
        check_equal(p.wait(60), 0, p.text())
        check("end 1000 " in p.text(), p.text())
        tlsend(net, "call", "notify", "bytes=1000").ok(60)
        wait_for(lambda: "end 1000 " in server.text(), "the program", 30)
        check(not wire.has(SECRET), "a clear byte was on the wire")
    check_equal(clear.text().strip(), "ready", "the clear port")
    again = net.host([PYTHON, PROGS + "/clearend.py", "call",
                      net.address("p", 4), "7000", SECRET], name="from-h")
    check_equal(again.wait(60), 1, "CLOSED: " + again.text())
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_inbound_listener_is_not_lost(net):
    """A listener that was there before tlsd is picked up, whatever becomes of
    tlsd; while it is away the secure port refuses; a connection that stood
    ends with a reset."""
    standard_certs()
    deck = SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"]
    p = net.prog([PYTHON, PROGS + "/clearend.py", "serve", "0.0.0.0", "7000"],
                 name="server").says("ready")
    tlsd = Tlsd(net, deck)

    def served(n):
        tlsend(net, "call", "notify", "bytes=1000").ok(60)
        wait_for(lambda: p.text().count("end 1000 ") == n,
                 f"connection {n} to be served", 60)
    served(1)
    # one that stands while tlsd is killed
    stand = tlsend(net, "call", "stand")
    stand.says("standing")
    wait_for(lambda: any(c["state"] == "OPEN"
                         for c in tlsd.query("CONNECTIONS")),
             "the connection to stand", 60)
    tlsd.proc.kill(signal.SIGKILL)
    tlsd.proc.wait(30)
    wait_for(lambda: "reset" in p.text(), "the program to see the reset", 60)
    check("reset" in stand.ok(60), stand.text())
    check("refused" in tlsend(net, "call", "notify").ok(60),
          "the secure port without tlsd")
    tlsd.start()
    served(2)
    opened = tlsd.query("COUNTERS")["opened"]
    tlsd.ctl("RELOAD")
    check_equal(tlsd.query("COUNTERS")["opened"], opened,
                "a reload forgets no counter")
    served(3)
    # SUSPEND of the clear port does not cut TLS off
    net.ctl("PORT", "7000", "SUSPEND")
    served(4)
    net.ctl("PORT", "7000", "RESUME")
    tlsd.stop()
    check("refused" in tlsend(net, "call", "notify").ok(60),
          "the secure port after tlsd")
    tlsd.start()
    served(5)
    p.stop()
    wait_for(lambda: "refused" in tlsend(net, "call", "notify").ok(60),
             "the secure port to follow its listener", 60)
    check("CPLT505W" in tlsd.proc.text(), "the open clear port is told")
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_stack_comes_later(net):
    """tlsd before its stack, and a stack that is killed and started again
    under it: tlsd finds it and serves; what stood is reset."""
    standard_certs()
    net.stop_stackd()
    tlsd = Tlsd(net, SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"], wait=False)
    tlsd.proc.says("CPLT500W", 60)
    for i in (1, 2):
        net.start_stackd()
        wait_for(lambda n=i: tlsd.proc.text().count("CPLT501I") == n,
                 "the rules to be in force", 60)
        p = echo_server(net)
        tlsend(net, "call", "notify", "bytes=1000").ok(60)
        wait_for(lambda q=p: "end 1000 " in q.text(), "the program", 60)
        if i == 2:
            break
        stand = tlsend(net, "call", "stand")
        stand.says("standing", 60)
        wait_for(lambda: any(c["state"] == "OPEN"
                             for c in tlsd.query("CONNECTIONS")),
                 "the connection to stand", 60)
        net.stackd.kill(signal.SIGKILL)
        net.stackd.wait(30)
        wait_for(lambda q=p: "reset" in q.text(), "the program's reset", 60)
        p.stop()
        tlsd.proc.says("CPLT502W", 60)
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_reload_keeps_connections(net):
    """A connection lives through a reload of deck and key files; new ones get
    the new certificate."""
    standard_certs()
    make_cert("root", "NEWER", "IP:10.77.0.2")
    tlsd = Tlsd(net, SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"])
    p = echo_server(net)
    stand = tlsend(net, "call", "stand", "wait=" + WORK + "/go",
                   "bytes=100000")
    stand.says("standing")
    tlsd.deck(["KEYFILE NEWER", "OPTION SERVER", "ATTLS 7000 AS 7443 SSL"])
    tlsd.proc.kill(signal.SIGHUP)
    tlsd.proc.says("CPLT009I", 30)
    _, out = s_client(net, "-showcerts")
    check("CN = NEWER" in out, out)
    with open(WORK + "/go", "w", encoding="ascii"):
        pass
    stand.ok(60)
    wait_for(lambda: "end 100000 " in p.text(), "the old connection", 60)
    check(tlsd.query("COUNTERS")["opened"] >= 1, "counters")
    # a deck that cannot be used changes nothing
    tlsd.deck(["KEYFILE NOBODY", "OPTION SERVER", "ATTLS 7000 AS 7443 SSL"])
    tlsd.ctl("RELOAD", status=1)
    check("CPLT506E" in tlsd.proc.text(), "the reason is told")
    _, out = s_client(net, "-showcerts")
    check("CN = NEWER" in out, out)
    tlsd.idle()
    tlsd.stop()


# ---- which connections -----------------------------------------------------

@options(seconds=200, deck_extra="HOST server.test 10.77.0.1")
def test_rules_choose(net):
    """Host names, programs, users, exceptions; several key files by SNI."""
    needs("nginx", "curl", "openssl")
    standard_certs()
    make_cert("root", "NEWER", "DNS:newer.test")
    https_nginx(net)
    clear = net.host([PYTHON, PROGS + "/clearend.py", "serve", "0.0.0.0",
                      "80"], name="in-clear").says("ready")
    tlsd = Tlsd(net, [
        "OPTION CLIENT", "HANDSHAKE_CLIENT 0", f"CAFILE {CA}",
        "ATTLS 80 TO 10.77.0.1 CLEAR PROGRAM clearend.py USER 0",
        "ATTLS 80 TO 10.77.0.1 CLEAR PROGRAM python3 USER 0",
        "ATTLS 80 TO 10.77.0.1 AS 1 SSL * USER 65534",
        "ATTLS 80 TO server.test AS 8443 SSL",
        "OPTION SERVER", "ATTLS 7000 AS 7443 SSL SERVER NEWER"])
    # curl is covered, by the host's name, which is verified
    p = net.prog(["curl", "-sS", "-f", "--max-time", "60", "-o", "/dev/null",
                  "http://server.test/small"], name="curl")
    p.ok(90)
    check_equal(tlsd.last()["certificate"], "CN=SERVER", "certificate")
    # python3 is not
    p = net.prog([PYTHON, PROGS + "/clearend.py", "call", "10.77.0.1", "80",
                  "in-clear"], name="call")
    p.ok(60)
    wait_for(lambda: "end 8 " in clear.text(), "the clear connection", 30)
    server = echo_server(net, "echo")
    for name, cn in (("newer.test", "NEWER"), ("server.test", "SERVER"),
                     ("unknown.test", "SERVER")):
        _, out = s_client(net, "-servername", name)
        check(f"CN = {cn}" in out, f"SNI {name}: {out}")
    check(server.alive(), "the server lives")
    rules = net.ctl("--json", "QUERY", "TLSRULES")
    check('"10.77.0.1/32"' in rules.replace(" ", ""), rules)
    tlsd.idle()
    tlsd.stop()


# ---- other TLS programs ----------------------------------------------------

@options(seconds=200)
def test_gnutls_cli(net):
    """gnutls-cli, which resumes on a second connection."""
    needs("gnutls-cli", "openssl")
    standard_certs()
    tlsd = Tlsd(net, SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"])
    p = echo_server(net)
    for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL"):
        with open("/dev/null", "rb") as f:
            c = net.host(["gnutls-cli", "--resume", "--waitresumption",
                          "--x509cafile", CA, "--priority", priority,
                          "-p", "7443", net.address("p", 4)],
                         name="gnutls-cli", stdin=f)
        c.ok(60)
        check("*** This is a resumed session" in c.text(), c.text())
    check(tlsd.query("COUNTERS")["resumed"] >= 2, "resumptions are counted")
    check(p.text().count(" end 0 ") >= 1, p.text())
    tlsd.idle()
    tlsd.stop()


@options(seconds=200)
def test_sslscan(net):
    """Only TLS 1.2 and 1.3, only suites with forward secrecy; legacy suites
    when the deck asks for them, with a warning."""
    needs("sslscan", "openssl")
    standard_certs()
    deck = SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"]
    tlsd = Tlsd(net, deck)
    echo_server(net)

    def scan():
        return net.host(["sslscan", "--no-colour",
                         f"{net.address('p', 4)}:7443"],
                        name="sslscan").ok(120)
    out = scan()
    for name in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
        check(f"{name}     disabled" in out or f"{name}   disabled" in out,
              f"{name}: {out}")
    for word in ("RC4", "NULL", "DES", "EXP", "-CBC", "AES128-SHA",
                 "AES256-SHA"):
        lines = [x for x in out.split("\n")
                 if ("Accepted" in x or "Preferred" in x) and word in x]
        check(not lines, f"{word}: {lines}")
    check("heartbleed" not in out or "not vulnerable to heartbleed" in out,
          out)
    check("Session renegotiation not supported" in out, out)
    tlsd.idle()
    tlsd.stop()


@options(seconds=700)
def test_testssl(net):
    """testssl.sh finds nothing that costs a grade."""
    needs("testssl", "openssl")
    standard_certs()
    tlsd = Tlsd(net, SERVER_RULE + ["ATTLS 8080 AS 8443 SSL"])
    nginx_clear(net)
    report = WORK + "/testssl.json"
    net.host(["testssl", "--quiet", "--color", "0", "--warnings", "batch",
              "--add-ca", CA, "--jsonfile", report, "-p", "-s", "-U",
              "--nodns", "none",
              f"https://{net.address('p', 4)}:8443"],
             name="testssl").wait(600)
    with open(report, encoding="utf-8") as f:
        findings = json.load(f)
    check(len(findings) > 20, f"only {len(findings)} findings")
    bad = [f"{x['id']}: {x['finding']}" for x in findings
           if x["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL")
           and not x["id"].startswith(TESTSSL_OTHERS)]
    check(not bad, "\n".join(bad))
    tlsd.idle()
    tlsd.stop()


# What the program answers, not TLS; and the test's own CA.
TESTSSL_OTHERS = ("BREACH", "scan", "engine", "old_fart", "clientsimulation",
                  "DNS", "cert_", "OCSP", "HSTS")


@options(seconds=200)
def test_renegotiation_is_refused(net):
    """A client that renegotiates is cut off or ignored."""
    needs("openssl")
    standard_certs()
    tlsd = Tlsd(net, SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"])
    server = echo_server(net, "echo")
    text = WORK + "/r.in"
    with open(text, "w", encoding="ascii") as f:
        f.write("R\n")
    with open(text, "rb") as f:
        p = net.host(["openssl", "s_client", "-connect",
                      f"{net.address('p', 4)}:7443", "-CAfile", CA, "-tls1_2",
                      "-no_ign_eof"], name="s_client", stdin=f)
    p.wait(60)
    check("RENEGOTIATING" in p.text(), p.text())
    check("no renegotiation" in p.text() or "errno" in p.text() or
          "alert" in p.text(), p.text())
    wait_for(lambda: "reset" in server.text() or
             "no renegotiation" in p.text(), "the program's reset", 30)
    tlsd.idle()
    tlsd.stop()


@options(seconds=300)
def test_large_transfer(net):
    """Many bytes with a checksum, both ways at once."""
    needs("openssl")
    standard_certs()
    n = (64 << 20) if sanitized(net.build) else (1 << 30)
    tlsd = Tlsd(net, SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"])
    p = echo_server(net)
    ends = [tlsend(net, "call", "notify", f"bytes={n}") for _ in range(2)]
    for e in ends:
        e.ok(250)
    wait_for(lambda: p.text().count(f"end {n} ") == 2, "both ends", 60)
    check_equal(tlsd.query("RULES")[0]["bytes_in"], 2 * n, "bytes counted")
    tlsd.idle()
    tlsd.stop()


@options(seconds=300)
def test_storm(net):
    """Many connections both ways at once that end in every way: tlsd serves
    all, nothing is left, and who connects in order is served in order."""
    standard_certs()
    tlsd = Tlsd(net, SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"] + OUT_DECK)
    p = echo_server(net)
    tlsend(net, "serve", "notify", "bytes=2000", port="7444").says("ready")
    n = 30
    ends = [tlsend(net, "call", how, "bytes=20000", f"count={n}",
                   f"version={version}")
            for how in ("notify", "cut", "reset")
            for version in ("1.2", "1.3")]
    out = [net.prog([PYTHON, PROGS + "/clearend.py", "call",
                     net.address("h", 4), "7001", "hello"], name="call")
           for _ in range(12)]
    while any(e.alive() for e in ends):
        tlsd.ctl("RELOAD")      # in the middle of it
        time.sleep(0.05)
    for e in ends:
        e.ok(200)
    for o in out:
        check("end 2000 " in o.ok(200), o.text())
    wait_for(lambda: p.text().count("end 20000 ") == 2 * n,
             "those that end in order", 100)
    tlsd.idle(100)
    check(p.text().count(" end ") == 2 * n,
          "some other one looked like an end of file")
    tlsd.stop()


def fetched(net, status=0):
    """curl on the stack gets something by http:// from port 80 of the host."""
    p = net.prog(["curl", "-sS", "-f", "--max-time", "60", "-o", "/dev/null",
                  f"http://{net.address('h', 4)}/small"], name="curl")
    check_equal(p.wait(90), status, f"curl: {p.text()}")


if __name__ == "__main__":
    main(globals())
