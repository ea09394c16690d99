#!/usr/bin/python3
"""Programs that say themselves when TLS begins and ends (client/attls.h):
progs/attls.c on the stack, OpenSSL on the host.

    test_tlsd_control.py --build DIR CASE...
"""

import os
import signal
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (ID, PYTHON, WORK, Proc, check, check_equal, main, needs,
                         options, run, wait_for)
from tls_net import CERTS, Tlsd, Wire, make_ca, make_cert, standard_certs

HERE = os.path.dirname(os.path.realpath(__file__))
PROGS = HERE + "/progs"
CA = CERTS + "/root.crt"
CLIENT = ["OPTION CLIENT", "HANDSHAKE_CLIENT 0", f"CAFILE {CA}",
          "ATTLS 7001 TO ANY AS 7001 SSL * NAME server.test CONTROLLED"]
SERVER = ["KEYFILE SERVER", "OPTION SERVER",
          "ATTLS 7000 AS 7000 SSL CONTROLLED"]
MODES = ("preload", "seccomp")


def program(static=False):
    """attls.c; static, so that only seccomp can reach it."""
    needs("gcc")
    out = WORK + ("/attls-static" if static else "/attls")
    if not os.path.exists(out):
        run(["gcc", "-O1", "-D_GNU_SOURCE", "-I" + HERE + "/../../common",
             *(["-static"] if static else []), "-o", out,
             PROGS + "/attls.c"], timeout=200)
    return out


def aware(net, mode, *words):
    """attls.c on the stack, by one way."""
    argv = [program(mode == "seccomp"), *words]
    return net.keep(Proc(net.p.argv(net.stackrun(argv, mode=mode)),
                         name="attls-" + mode))


def client(net, mode, *words):
    return aware(net, mode, "connect", net.address("h", 4), "7001", *words)


def server(net, mode, *words):
    return aware(net, mode, "listen", "7000", *words).says("ready", 60)


def peer(net, role, *words):
    """attlspeer.py on the host."""
    at = [net.address("h", 4), "7001"] if role == "listen" else \
        [net.address("p", 4), "7000"]
    p = net.host([PYTHON, PROGS + "/attlspeer.py", role, *at, CERTS, *words],
                 name="peer")
    return p.says("ready", 60) if role == "listen" else p


def until_state(tlsd, state):
    wait_for(lambda: any(c["state"] == state
                         for c in tlsd.query("CONNECTIONS")),
             f"a connection in state {state}", 60)


def flag(name):
    return f"{WORK}/flag-{name}"


def raise_flag(name):
    with open(flag(name), "w", encoding="ascii"):
        pass


def lower_flags():
    for f in os.listdir(WORK):
        if f.startswith("flag-"):
            os.unlink(f"{WORK}/{f}")


# ---- the wire --------------------------------------------------------------

def packets(path):
    """The IP packets of a trace, which has an Ethernet header before each."""
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at + 12 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 6:                           # enhanced packet block
            caught, = struct.unpack_from("<I", data, at + 20)
            yield data[at + 42:at + 28 + caught]
        at += size


def stream(path, port, from_port):
    """What one side of the connection said, in order."""
    first, parts = None, {}
    for p in packets(path):
        if len(p) < 40 or p[0] >> 4 != 4 or p[9] != 6:
            continue
        head = (p[0] & 15) * 4
        src, dst, seq, _, off, flags = struct.unpack_from("!HHIIBB", p, head)
        if (src if from_port else dst) != port:
            continue
        if flags & 2:
            first = seq + 1
        body = p[head + (off >> 4) * 4:]
        if body:
            parts.setdefault(seq, b"")
            parts[seq] = max(parts[seq], body, key=len)
    out = b""
    for seq in sorted(parts, key=lambda s: (s - first) & 0xffffffff):
        at = (seq - first) & 0xffffffff
        check(at <= len(out), f"a hole in the trace at {len(out)}")
        out = out[:at] + parts[seq] if at + len(parts[seq]) > len(out) \
            else out
    return out


def records(data):
    """The TLS records that `data` begins with: their kinds, and what is
    behind the last of them."""
    kinds = []
    while len(data) >= 5 and 20 <= data[0] <= 23 and data[1] == 3:
        size = 5 + struct.unpack_from("!H", data, 3)[0]
        check(size <= 5 + 16384 + 256, f"a record of {size} bytes")
        check(size <= len(data), "a record is cut off")
        kinds.append(data[0])
        data = data[size:]
    return kinds, data


# ---- START and STOP --------------------------------------------------------

@options(seconds=250)
def test_client(net):
    """Clear, TLS, clear again, and TLS once more, the program as client; what
    it is told meanwhile."""
    standard_certs()
    tlsd = Tlsd(net, CLIENT)
    for mode in MODES:
        srv = peer(net, "listen", "expect", "HELLO", "send", "GO", "tls",
                   "expect", "secret", "send", "answer", "stop", "send",
                   "CLEAR", "expect", "AGAIN", "tls", "expect", "more", "eof")
        p = client(net, mode, "ask", "send", "HELLO", "expect", "GO", "start",
                   "ask", "send", "secret", "expect", "answer", "stop", "ask",
                   "expect", "CLEAR", "send", "AGAIN", "start", "send", "more")
        out = p.ok(120)
        srv.ok(60)
        asked = [line for line in out.split("\n") if line.startswith("ask")]
        check("policy 3 state 1 role 1" in asked[0], out)
        check("policy 3 state 3 role 1 version 0304 in 2 out 5" in asked[1] and
              "subject 'CN=SERVER'" in asked[1], out)
        check("policy 3 state 1" in asked[2] and "in 8 out 11" in asked[2],
              out)
        check("start ok" in out and "stop ok" in out, out)
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_server(net):
    """The same as server. The client speaks TLS as soon as it may, long before
    the program calls: its bytes are not the program's."""
    standard_certs()
    tlsd = Tlsd(net, SERVER)
    for mode in MODES:
        lower_flags()
        p = server(net, mode, "send", "WELCOME", "expect", "STARTTLS", "send",
                   "OK", "until", flag("hello"), "start", "ask", "expect",
                   "secret", "send", "answer", "stop", "send", "CLEAR",
                   "expect", "AGAIN", "start", "send", "more")
        c = peer(net, "connect", "expect", "WELCOME", "send", "STARTTLS",
                 "expect", "OK", "tls", "send", "secret", "expect", "answer",
                 "stop", "expect", "CLEAR", "send", "AGAIN", "tls", "expect",
                 "more", "eof")
        # its ClientHello lies in the program's queue
        wait_for(lambda: any(int(c["bytes_in"]) > 100
                             for c in tlsd.query("CONNECTIONS")),
                 "the ClientHello", 60)
        raise_flag("hello")
        c.ok(120)
        out = p.ok(60)
        check("policy 3 state 3 role 2 version 0304 in 8 out 9" in out, out)
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_not_one_byte(net):
    """START and STOP while much is under way: on the wire is what was written
    before, then records and nothing else, then what was written behind."""
    standard_certs()
    many = "3000000"
    tlsd = Tlsd(net, CLIENT + SERVER)
    ours = ["bulk", many, "c", "start", "bulk", many, "s", "stop", "bulk",
            many, "d", "expect", "bye"]
    theirs = ["take", many, "c", "tls", "take", many, "s", "stop", "take",
              many, "d", "send", "bye"]
    for role in ("client", "server"):
        with Wire(net) as wire:
            if role == "client":
                other = peer(net, "listen", *theirs)
                p = client(net, "preload", *ours)
            else:
                p = server(net, "preload", *ours)
                other = peer(net, "connect", *theirs)
            p.ok(200)
            other.ok(60)
        said = stream(wire.path, 7001 if role == "client" else 7000,
                      role == "server")
        n = int(many)
        check(said[:n] == b"c" * n, f"{role}: the first clear bytes: "
              f"{len(said)} {said[:60]!r}")
        kinds, rest = records(said[n:])
        check(len(kinds) > n // 16384 and kinds[0] == 22 and 23 in kinds,
              f"{role}: records {kinds[:9]}")
        check(rest == b"d" * n, f"{role}: the last clear bytes: {len(rest)} "
              f"{rest[:60]!r}")
        check(b"ssssssss" not in said, "a secret byte in clear")
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_in_flight(net):
    """Both write all the time; START and STOP in the middle. Without waiting:
    what is written behind START goes through TLS or not at all."""
    standard_certs()
    tlsd = Tlsd(net, CLIENT)
    for mode in MODES:
        srv = peer(net, "listen", "take", "200000", "c", "send", "GO", "tls",
                   "bulk", "2000000", "p", "take", "700000", "s", "notify",
                   "eof")
        with Wire(net) as wire:
            p = client(net, mode, "bulk", "200000", "c", "expect", "GO",
                       "nonblock", "start", "bulk", "400000", "s", "take",
                       "2000000", "p", "wait", "bulk", "300000", "s", "start",
                       "wait", "shutdown", "eof")
            out = p.ok(150)
            srv.ok(60)
        check("start EINPROGRESS" in out, out)
        check("start EALREADY" in out, out)
        check_equal(out.count("wait ok"), 2, out)
        said = stream(wire.path, 7001, False)
        check(said[:200000] == b"c" * 200000, "the clear bytes")
        kinds, rest = records(said[200000:])
        check(kinds.count(23) > 700000 // 16384 and rest == b"",
              f"behind START: {kinds[:9]} {rest[:60]!r}")
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_many_times(net):
    """START and STOP over and over on one connection, and on many at once."""
    standard_certs()
    tlsd = Tlsd(net, CLIENT + SERVER)
    turns = 30
    srv = peer(net, "listen", *["expect", "in clear", "tls", "expect",
                                "through tls", "send", "answer", "stop"] *
               turns)
    p = client(net, "preload", *["send", "in clear", "start", "send",
                                 "through tls", "expect", "answer", "stop"] *
               turns)
    out = p.ok(200)
    srv.ok(60)
    check_equal((out.count("start ok"), out.count("stop ok")),
                (turns, turns), "turns")
    check_equal(tlsd.query("COUNTERS")["opened"], turns, "handshakes")
    p = net.prog([PYTHON, PROGS + "/attlsmany.py", "7000"],
                 name="many").says("ready", 60)
    c = net.host([PYTHON, PROGS + "/attlsmany.py", "7000",
                  net.address("p", 4), CA], name="many")
    check("40 of 40" in c.ok(200), c.text())
    p.kill()
    p.wait(30)
    tlsd.idle()
    tlsd.stop()


# ---- OpenSSL's own programs ------------------------------------------------

@options(seconds=250)
def test_openssl(net):
    """s_client with STARTTLS of SMTP against the program, s_server; new keys
    on request are on the wire."""
    needs("openssl")
    standard_certs()
    tlsd = Tlsd(net, CLIENT + SERVER)
    p = server(net, "preload", "send", "220 here\r\n", "expect",
               "EHLO us\r\n", "send", "250-here\r\n250 STARTTLS\r\n",
               "expect", "STARTTLS\r\n", "send", "220 go\r\n",
               "start", "reset-cipher", "ask", "expect", "secret", "send",
               "answer", "eof")
    c = net.host(["sh", "-c", "(printf secret; sleep 100) | exec "
                  f"openssl s_client -starttls smtp -name us -msg -CAfile {CA} "
                  "-verify_return_error "
                  f"-connect {net.address('p', 4)}:7000"], name="s_client")
    c.says("answer", 60)
    c.kill()
    check("KeyUpdate" in c.text(), "no KeyUpdate:\n" + c.text())
    check("reset-cipher ok" in p.text(), p.text())
    for version, result in (("-tls1_3", "ok"), ("-tls1_2",
                                                "EPROTONOSUPPORT")):
        s = net.host(["openssl", "s_server", "-accept", "7001", "-msg",
                      "-rev", version, "-cert", CERTS + "/SERVER.crt", "-key",
                      CERTS + "/SERVER.key"], name="s_server")
        s.says("ACCEPT", 60)
        out = client(net, "seccomp", "start", "reset-cipher", "send",
                     "abc\n", "expect", "cba\n", "reset-cipher", "send",
                     "def\n", "expect", "fed\n").ok(100)
        check_equal(out.count("reset-cipher " + result), 2, out)
        check(("KeyUpdate" in s.text()) == (result == "ok"), s.text())
        s.kill()
        s.wait(30)
    tlsd.stop()


@options(seconds=250)
def test_reset_session(net):
    """A session that was reset is not resumed."""
    standard_certs()
    tlsd = Tlsd(net, CLIENT + SERVER)
    srv = net.host(["openssl", "s_server", "-accept", "7001", "-rev", "-cert",
                    CERTS + "/SERVER.crt", "-key", CERTS + "/SERVER.key"],
                   name="s_server").says("ACCEPT", 60)
    # its tickets come before its answer
    for what, resumed in (([], False), ([], True), (["reset-session"], True),
                          ([], False), ([], True)):
        out = client(net, "preload", "start", "send", "abc\n", "expect",
                     "cba\n", *what).ok(100)
        check_equal(tlsd.last()["resumed"], resumed, str(what))
        check(not what or "reset-session ok" in out, out)
    srv.kill()
    p = server(net, "preload", "start", "reset-session", "expect", "x")
    peer(net, "connect", "tls", "send", "x", "notify", "eof").ok(100)
    check("reset-session EOPNOTSUPP" in p.ok(60), "a server's tickets")
    tlsd.stop()


# ---- certificates ----------------------------------------------------------

def der_of(name):
    run(["openssl", "x509", "-in", f"{CERTS}/{name}.crt", "-outform", "DER",
         "-out", f"{WORK}/{name}.der"])
    with open(f"{WORK}/{name}.der", "rb") as f:
        return f.read()


def content(path):
    with open(path, "rb") as f:
        return f.read()


@options(seconds=250)
def test_certificates(net):
    """The peer's certificate and chain as DER, both roles; errors by name."""
    standard_certs()
    # larger than ATTLS_CERT_MAX, with its chain less than ATTLS_CHAIN_MAX
    make_cert("root", "HUGE", "DNS:server.test," + ",".join(
        f"DNS:a-rather-long-name-{i}.server.test" for i in range(500)))
    tlsd = Tlsd(net, CLIENT + SERVER[:2] +
                ["CA_AUTH YES", "CA_AUTH_TYPE 3", "MAPUSER CN", SERVER[2]])
    for mode in MODES:
        srv = peer(net, "listen", "tls", "send", "x", "eof")
        out = client(net, mode, "cert", WORK + "/none", "start", "expect", "x",
                     "ask", "cert", WORK + "/cert", "chain", WORK + "/chain",
                     "room", "100", "room", "0").ok(100)
        srv.ok(60)
        want = der_of("SERVER")
        check("cert EBADFD" in out, out)
        check_equal(content(WORK + "/cert"), want, "the certificate")
        check_equal(content(WORK + "/chain"), want + der_of("root"), "chain")
        check_equal(out.count("room ERANGE"), 2, out)
        check(f"cert {len(want)} chain {len(want + der_of('root'))}" in out,
              out)
        for word, lines in (("tls", ("cert ENODATA", "cert 0 chain 0")),
                            ("tls-with CLIENT", ("user 'CLIENT'",
                                                 "subject 'CN=CLIENT'"))):
            p = server(net, mode, "start", "ask", "cert", WORK + "/cert",
                       "expect", "x")
            peer(net, "connect", *word.split(), "send", "x", "eof").ok(100)
            out = p.ok(60)
            for line in lines:
                check(line in out, out)
        check_equal(content(WORK + "/cert"), der_of("CLIENT"), "the client's")
        srv = peer(net, "listen", "tls-with", "HUGE", "send", "x", "eof")
        out = client(net, mode, "start", "expect", "x", "cert", WORK + "/cert",
                     "chain", WORK + "/chain").ok(100)
        srv.ok(60)
        check("cert EMSGSIZE" in out, out)
        check_equal(content(WORK + "/chain"), der_of("HUGE") + der_of("root"),
                    "the chain")
    tlsd.idle()
    tlsd.stop()


# ---- errors ----------------------------------------------------------------

@options(seconds=250)
def test_refused(net):
    """What cannot be done is refused by name, and nothing happens."""
    standard_certs()
    tlsd = Tlsd(net, CLIENT + ["ATTLS 7002 TO ANY AS 7001 SSL * NAME "
                               "server.test"])
    words = ["stop", "reset-cipher", "reset-session", "wait"]
    for n in (0, 6, -1, 2147483647):
        words += ["request", str(n)]
    for n in (0, 1, 3, 5, 8, 65536):
        words += ["length", str(n)]
    for n in (2147483647, 2147483648, 4294967295):
        words += ["length", str(n)]
    for mode in MODES:
        lower_flags()
        srv = peer(net, "listen", "expect", "clear", "send", "still", "tls",
                   "expect", "secret", "until", flag("end"), "notify", "eof")
        p = client(net, mode, *words, "send", "clear", "expect", "still",
                   "ask", "start", "start", "send", "secret", "shutdown",
                   "start", "stop", "say", "asked", "eof").says("asked", 60)
        raise_flag("end")
        out = p.ok(100)
        srv.ok(60)
        lines = [line for line in out.split("\n") if line]
        check_equal(lines[:4], ["stop EBADFD", "reset-cipher EBADFD",
                                "reset-session EBADFD", "wait ok"], out)
        check_equal(lines[4:17], ["request EINVAL"] * 4 +
                    ["length EINVAL"] * 9, out)
        check_equal(out.count("start ok"), 1, out)
        check_equal(out.count("start EALREADY"), 2, out)
        check("stop EPIPE" in out, out)
        out = aware(net, mode, "fresh", "0", "start", "ask", "cert",
                    WORK + "/x").ok(60)
        check_equal(out.split("\n")[:3], ["start ENOTCONN", "ask ENOTCONN",
                                          "cert ENOTCONN"]
                    if "ask ENOTCONN" in out else
                    ["start ENOTCONN", out.split("\n")[1], "cert ENOTCONN"],
                    out)
        # a rule that leaves nothing to the program
        srv = peer(net, "listen", "tls", "expect", "x", "eof")
        out = aware(net, mode, "connect", net.address("h", 4), "7002", "start",
                    "stop", "reset-cipher", "ask", "cert", WORK + "/cert",
                    "send", "x").ok(60)
        srv.ok(60)
        check("start EPERM" in out and "stop EPERM" in out and
              "reset-cipher EPERM" in out, out)
        check_equal(content(WORK + "/cert"), der_of("SERVER"), "certificate")
        # none at all
        p = net.host([PYTHON, PROGS + "/clearend.py", "serve", "0.0.0.0",
                      "7003"], name="clear").says("ready", 60)
        out = aware(net, mode, "connect", net.address("h", 4), "7003", "start",
                    "ask", "cert", WORK + "/x").ok(60)
        check("start ENOENT" in out and "policy 1 state 1" in out and
              "cert ENOENT" in out, out)
        p.kill()
        p.wait(30)
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_failed(net):
    """Handshakes that fail: START says so, ask says why, and nothing gets
    through any more."""
    standard_certs()
    make_ca("other")
    make_cert("other", "STRANGER", "DNS:server.test")
    tlsd = Tlsd(net, CLIENT[:3] + [CLIENT[3] + " TIMEOUT 30"])
    shaking = ["until", flag("shaking")]
    cases = ((["tls-with", "STRANGER"], "EPROTO", "certificate"),
             (["send", "no TLS at all, but many words", "any-end"], "EPROTO",
              "not TLS"),
             ([*shaking, "close"], "ECONNRESET", ""),
             ([*shaking, "reset"], "ECONNRESET", ""),
             (["until", flag("over")], "ETIMEDOUT", "time"))
    for words, error, why in cases:
        if error == "ETIMEDOUT":
            tlsd.deck(CLIENT[:3] + [CLIENT[3] + " TIMEOUT 2"])
            tlsd.ctl("RELOAD")
        for mode in MODES:
            print(mode, words, flush=True)
            lower_flags()
            srv = peer(net, "listen", "expect", "clear", *words)
            p = client(net, mode, "send", "clear", "start", "ask", "reset",
                       "wait", "start")
            if words[:2] == shaking:
                until_state(tlsd, "HANDSHAKE")
                raise_flag("shaking")
            out = p.ok(100)
            check("start " + error in out, out)
            asked = [x for x in out.split("\n") if x.startswith("ask")][0]
            check("state 6" in asked and "error " + error in asked and
                  why in asked, out)
            check("wait " + error in out and "start ENOTCONN" in out, out)
            raise_flag("over")
            srv.wait(60)
    for mode in MODES:
        lower_flags()
        # left unread: these bytes were meant for the program, not for TLS
        srv = peer(net, "listen", "send", "unread and clear", "expect", "go",
                   "any-end")
        p = client(net, mode, "until", flag("sent"), "send", "go", "start",
                   "ask")
        wait_for(lambda: any(int(c["bytes_in"]) == 16
                             for c in tlsd.query("CONNECTIONS")),
                 "the unread bytes", 60)
        raise_flag("sent")
        out = p.ok(100)
        check("start EPROTO" in out and "not TLS" in out, out)
        srv.ok(60)
    check_equal(tlsd.last()["result"], "failed", "result")
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_peer_reads_nothing(net):
    """START and STOP wait for what was written before to go out: a peer who
    never reads ends that after TIMEOUT, and the connection is no more."""
    standard_certs()
    net.h.sysctl("net.ipv4.tcp_rmem", "4096 8192 8192")
    tlsd = Tlsd(net, CLIENT[:3] + [CLIENT[3] + " TIMEOUT 3"])
    for mode in MODES:
        for before, then, why in (
                ([], "start", "does not read what is to go before TLS"),
                (["start"], "stop", "did not end TLS in time")):
            lower_flags()
            srv = peer(net, "listen", *(["tls"] if before else []), "until",
                       flag("over"), "any-end")
            p = client(net, mode, *before, "fill", then, "ask", "reset",
                       "start")
            out = p.ok(100)
            check(f"{then} ETIMEDOUT" in out and "state 6" in out and
                  "error ETIMEDOUT" in out and why in out and
                  "start ENOTCONN" in out, out)
            raise_flag("over")
            srv.ok(60)
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_unread(net):
    """More unread than can be given back: refused, and clear goes on."""
    standard_certs()
    tlsd = Tlsd(net, CLIENT)
    for mode in MODES:
        lower_flags()
        srv = peer(net, "listen", "bulk", "200000", "u", "tls", "send",
                   "secret", "eof")
        p = client(net, mode, "until", flag("sent"), "start", "ask", "take",
                   "200000", "u", "start", "expect", "secret")
        wait_for(lambda: any(int(c["bytes_in"]) > 70000
                             for c in tlsd.query("CONNECTIONS")),
                 "the unread bytes", 60)
        raise_flag("sent")
        out = p.ok(100)
        check("start ENOBUFS" in out and "policy 3 state 1" in out and
              "start ok" in out, out)
        srv.ok(60)
    tlsd.idle()
    tlsd.stop()


# ---- ends ------------------------------------------------------------------

@options(seconds=250)
def test_deaths(net):
    """The program, its peer and tlsd die in the middle."""
    standard_certs()
    tlsd = Tlsd(net, CLIENT + SERVER)
    for mode in MODES:
        lower_flags()
        # the program in its handshake: an end of file or a reset for the peer
        srv = peer(net, "listen", "expect", "go", "until", flag("dead"),
                   "any-end")
        p = client(net, mode, "send", "go", "nonblock", "start", "die")
        check(p.wait(60) != 0, "it did not die")
        raise_flag("dead")
        srv.ok(60)
        tlsd.idle()
        # while it waits for the handshake
        lower_flags()
        srv = peer(net, "listen", "expect", "go", "until", flag("dead"),
                   "any-end")
        p = client(net, mode, "send", "go", "start")
        until_state(tlsd, "HANDSHAKE")
        p.p.kill()
        p.wait(60)
        raise_flag("dead")
        srv.ok(60)
        tlsd.idle()
        # START and STOP while the handshake is not over
        lower_flags()
        srv = peer(net, "listen", "expect", "go", "until", flag("tls"), "tls",
                   "expect", "secret", "notify", "eof")
        p = client(net, mode, "send", "go", "nonblock", "start", "start",
                   "stop", "reset-cipher", "cert", WORK + "/x", "wait", "say",
                   "asked", "block", "send", "secret", "wait", "shutdown",
                   "eof").says("asked", 60)
        raise_flag("tls")
        check_equal(p.ok(100).split("\n")[:6],
                    ["start EINPROGRESS", "start EALREADY", "stop EBADFD",
                     "reset-cipher EBADFD", "cert EBADFD",
                     "wait EINPROGRESS"], p.text())
        srv.ok(60)
        # the peer while it stops
        srv = peer(net, "listen", "tls", "expect", "secret", "until",
                   flag("stopping"), "reset")
        p = client(net, mode, "start", "send", "secret", "stop")
        until_state(tlsd, "STOPPING")
        raise_flag("stopping")
        out = p.ok(100)
        check("stop ECONNRESET" in out, out)
        srv.ok(60)
    lower_flags()
    srv = peer(net, "listen", "expect", "go", "until", flag("dead"), "any-end")
    p = client(net, "preload", "send", "go", "start", "ask", "reset")
    until_state(tlsd, "HANDSHAKE")
    tlsd.proc.kill(9)
    tlsd.proc.wait(30)
    out = p.ok(100)
    check("start ECONNRESET" in out, out)
    raise_flag("dead")
    srv.ok(60)
    tlsd.start()
    tlsd.stop()


@options(seconds=250)
def test_frozen(net):
    """tlsd does not answer: nobody knows where the border is, so it is the
    end of the connection."""
    standard_certs()
    tlsd = Tlsd(net, CLIENT)
    lower_flags()
    srv = peer(net, "listen", "expect", "go", "any-end")
    p = client(net, "preload", "send", "go", "say", "sent", "until",
               flag("frozen"), "start", "say", "asked", "reset")
    p.says("sent", 60)
    srv.says("got go", 60)
    until_state(tlsd, "CLEAR")
    tlsd.proc.kill(signal.SIGSTOP)
    raise_flag("frozen")
    p.says("asked", 60)
    tlsd.proc.kill(signal.SIGCONT)
    check("start ETIMEDOUT" in p.ok(60), p.text())
    srv.ok(60)
    check("end ConnectionResetError" in srv.text(), srv.text())
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_peer_stops(net):
    """The peer ends TLS first: the program may follow, and no byte is lost;
    or it does not, and sees an end of file."""
    standard_certs()
    tlsd = Tlsd(net, CLIENT[:3] + [CLIENT[3] + " TIMEOUT 60"])
    for mode in MODES:
        lower_flags()
        # clear bytes right behind its close_notify, and a FIN
        srv = peer(net, "listen", "tls", "send", "secret", "notify", "raw",
                   "BEHIND", "until", flag("stop"), "expect", "bye", "stop",
                   "expect", "CLEAR")
        p = client(net, mode, "start", "expect", "secret", "until",
                   flag("stop"), "ask", "send", "bye", "stop", "ask", "send",
                   "CLEAR", "expect", "BEHIND", "eof")
        until_state(tlsd, "PEERSTOP")
        raise_flag("stop")
        out = p.ok(100)
        check("policy 3 state 4" in out and "stop ok" in out and
              "policy 3 state 1" in out, out)
        srv.ok(60)
        # nobody follows: at once with a FIN
        srv = peer(net, "listen", "tls", "send", "secret", "notify", "close")
        client(net, mode, "start", "expect", "secret", "eof").ok(50)
        srv.ok(60)
    # and by its time
    tlsd.deck(CLIENT[:3] + [CLIENT[3] + " TIMEOUT 2"])
    tlsd.ctl("RELOAD")
    srv = peer(net, "listen", "tls", "send", "secret", "notify", "any-end")
    client(net, "preload", "start", "expect", "secret", "eof").ok(100)
    srv.ok(60)
    # the program says STOP, and the peer says nothing
    for mode in MODES:
        lower_flags()
        srv = peer(net, "listen", "tls", "send", "secret", "until",
                   flag("over"), "any-end")
        out = client(net, mode, "start", "expect", "secret", "stop", "ask",
                     "reset").ok(100)
        check("stop ETIMEDOUT" in out and "state 6" in out and
              "did not end TLS in time" in out, out)
        raise_flag("over")
        srv.ok(60)
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_example(net):
    """etc/examples/attls-smtp.c, with the library as it is installed."""
    needs("gcc")
    standard_certs()
    for name, header in (("couplet", "couplet"), ("couplet_attls", "attls")):
        os.symlink(f"{HERE}/../../common/client/{header}.h",
                   f"{WORK}/{name}.h")
    lib = net.build + "/common/client"
    run(["gcc", "-Wall", "-Wextra", "-Werror", "-I" + WORK, "-o",
         WORK + "/attls-smtp", HERE + "/../../etc/examples/attls-smtp.c",
         "-L" + lib, "-lcouplet", "-Wl,-rpath," + lib], timeout=200)
    make_ca("other")
    make_cert("other", "STRANGER", "DNS:server.test")
    tlsd = Tlsd(net, CLIENT)
    for word in ("tls", "tls-with STRANGER"):
        srv = peer(net, "listen", "send", "220 here\r\n", "expect",
                   "EHLO client.example\r\n", "send",
                   "250-here\r\n250 STARTTLS\r\n", "expect", "STARTTLS\r\n",
                   "send", "220 go\r\n", *word.split(), "expect",
                   "EHLO client.example\r\n", "send", "250 here\r\n",
                   "expect", "QUIT\r\n", "send", "221 bye\r\n", "notify")
        p = net.keep(Proc(net.p.argv([WORK + "/attls-smtp",
                                      net.address("h", 4), "7001"]),
                          name="attls-smtp",
                          env={"COUPLET_ID": ID, "COUPLET_RUN": net.run_dir}))
        if word == "tls":
            check("TLS 3.4, suite 13" in p.ok(60) and "221 bye" in p.text(),
                  p.text())
            srv.ok(60)
        else:
            check(p.wait(60) == 1 and "TLS: the certificate of CN=STRANGER"
                  in p.text(), p.text())
    tlsd.stop()


if __name__ == "__main__":
    main(globals())
