#!/usr/bin/python3
"""tlsd and TLS that begins in the middle of a connection, with Debian's
servers and clients: one side in clear on the stack, TLS on the wire.

    test_tlsd_upgrade.py --build DIR CASE...
"""

import base64
import os
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (WORK, check, check_equal, main, needs, options, run,
                         wait_for)
from proxynet import dial
from starttls_peers import (BASE, BIND_DN, CA, CONSOLE_PORT, IMAP_PORT,
                            LDAP_PORT, PASSWORD, PG_PORT, POP3_PORT, USER,
                            StartTls, dovecot, hercules, postfix, postgres,
                            slapd)
from test_programs import host_in_url
from tls_net import (CERTS, Tlsd, Wire, make_ca, make_cert, standard_certs)

FAMILIES = (4, 6)
LETTER = "the-letter-itself"
ORGANIZATION = "the-organization-itself"

# What of a sign-on must not be on the wire: as it is, and as AUTH PLAIN and
# AUTH LOGIN say it.
SECRETS = (PASSWORD.encode(),
           base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()),
           base64.b64encode(PASSWORD.encode()))


# ---- both roles ------------------------------------------------------------

def server_rule(net, *rules):
    """Certificates and a tlsd for servers on the stack."""
    standard_certs()
    return Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER", *rules])


CLIENT_DECK = ["OPTION CLIENT", "HANDSHAKE_CLIENT 0", f"CAFILE {CA}"]


def client_rule(net, *rules):
    """Certificates, good and bad, and a tlsd for clients on the stack."""
    standard_certs()
    make_ca("other")
    make_cert("other", "ALIEN", "IP:10.77.0.1,IP:fd77::1")
    make_cert("root", "NAMED", "DNS:elsewhere.test")
    make_cert("root", "OLD", "IP:10.77.0.1,IP:fd77::1", start="200101000000Z",
              end="200201000000Z")
    return Tlsd(net, CLIENT_DECK + list(rules))


# Certificates of servers, and what tlsd says of them.
BAD_SERVERS = {"ALIEN": "not issued by a CA that is trusted", "NAMED": "name", "OLD": "expired"}


def secure_port(net, port, n=2):
    """Until stackd listens on the secure port, in n families."""
    wait_for(lambda: sum(line.split()[:1] == [str(port)] for line in
                         net.ctl("QUERY", "PORTS").split("\n")) >= n,
             f"the secure port {port}", 60)


def failure(tlsd, act, reason):
    """`act` leads to one failed handshake more, for `reason`."""
    before = tlsd.query("COUNTERS")["failed"]
    result = act()
    wait_for(lambda: tlsd.query("COUNTERS")["failed"] > before,
             f"a failure because of {reason}", 60)
    h = tlsd.last()
    print(f"refused: {h['reason']}", flush=True)
    check_equal(h["result"], "failed", "result")
    check(reason in h["reason"], f"{h['reason']!r} does not say {reason!r}")
    check(h["reason"] in tlsd.proc.text(), "the reason is logged")
    return result


def nothing_in_clear(wire, *contents):
    """After the `with` of the wire: no password, no content."""
    for what in SECRETS + contents:
        check(not wire.has(what), f"{what} was on the wire in clear")


def answer(s, end):
    """What the peer says up to `end`, or until it hangs up."""
    data = b""
    try:
        while end not in data:
            part = s.recv(4096)
            if not part:
                break
            data += part
    except ConnectionResetError:
        pass
    return data


def dialogue(net, family, port, *steps):
    """In clear: each step is (what we say, what the answer ends with); all
    answers."""
    said = b""
    with dial(net, family, port) as s:
        for say, end in steps:
            s.sendall(say)
            said += answer(s, end)
    return said


def injected(tlsd, net, port, clear, agreed):
    """Clear bytes behind the command that starts TLS (CVE-2011-0411): the
    connection ends, they reach nobody."""
    said = failure(tlsd, lambda: dialogue(net, 4, port, (clear, b"\0never")),
                   "clear bytes")
    # (the reset may overtake what was agreed)
    behind = said.partition(agreed)[2]
    check(not behind, f"answered behind STARTTLS: {said!r}")


def closed(net, port):
    """A clear port of a rule with CLOSED is none for the world."""
    try:
        dial(net, 4, port).close()
    except ConnectionRefusedError:
        return
    check(False, f"port {port} is open")


def named(net, family):
    """server.test is the stack's address of this family, for programs of the
    host."""
    with open(WORK + "/hosts", "w", encoding="ascii") as f:
        f.write(f"127.0.0.1 localhost\n{net.address('p', family)} "
                "server.test\n")
    if not os.path.ismount("/etc/hosts"):
        run(["mount", "--bind", WORK + "/hosts", "/etc/hosts"])


def s_client(net, proto, port, family, send, *words):
    """openssl s_client -starttls says what it is given; its output."""
    path = WORK + "/s_client.in"
    with open(path, "w", encoding="ascii") as f:
        f.write(send)
    with open(path, "rb") as f:
        p = net.host(["openssl", "s_client", "-starttls", proto, "-connect",
                      f"{host_in_url(net.address('p', family))}:{port}",
                      "-CAfile", CA, "-verify_return_error", "-quiet",
                      "-crlf", "-ign_eof", *words], name="s_client", stdin=f)
    p.wait(60)
    return p.text()


def refuses_our_certificate(tlsd, start):
    """A client that trusts another CA, made by start(its CA), goes away."""
    make_ca("other")

    def act():
        p = start(CERTS + "/other.crt")
        check(p.wait(60) != 0, f"it went on: {p.text()}")
    # the client's word; OpenSSL says it in clear
    failure(tlsd, act, "CA is unknown")


# ---- IMAP and POP3 ---------------------------------------------------------

def curl_mail(side, url, *words):
    return side(["curl", "-sS", "--max-time", "50", "-u",
                 f"{USER}:{PASSWORD}", *words, url], name="curl")


@options(seconds=150)
def test_imap_server(net):
    """dovecot in clear, which never hears of STARTTLS; curl and openssl."""
    needs("dovecot", "curl", "openssl")
    tlsd = server_rule(
        net, f"ATTLS {IMAP_PORT} AS 143 SSL STARTTLS IMAP CLOSED")
    p = dovecot(net.prog)
    secure_port(net, 143)
    with Wire(net) as wire:
        for family in FAMILIES:
            c = curl_mail(net.host,
                          f"imap://{host_in_url(net.address('p', family))}"
                          "/INBOX;UID=1", "--ssl-reqd", "--cacert", CA)
            check(LETTER in c.ok(60), c.text())
    nothing_in_clear(wire, LETTER)
    check(wire.has("A002 STARTTLS"), "the trace shows what is in clear")
    out = s_client(net, "imap", 143, 6, "x CAPABILITY\nx LOGOUT\n")
    check("x OK" in out and "IMAP4rev1" in out, out)
    check("STARTTLS" not in out and "LOGINDISABLED" not in out,
          f"offered again behind TLS: {out}")
    signed_on = p.text().count("Login:")
    said = dialogue(net, 6, 143, (b"", b"\n"),
                    (b"a LOGIN jane x\r\n", b"\n"), (b"b LOGOUT\r\n", b"b OK"))
    check(b"[CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED]" in said, f"{said!r}")
    check(b"a NO [PRIVACYREQUIRED]" in said, f"{said!r}")
    injected(tlsd, net, 143, b"a STARTTLS\r\nb LOGIN jane x\r\n",
             b"a OK Begin TLS negotiation now\r\n")
    closed(net, IMAP_PORT)
    check_equal(p.text().count("Login:"), signed_on, "sign-ons in clear")
    refuses_our_certificate(tlsd, lambda ca: curl_mail(
        net.host, f"imap://{net.address('p', 4)}/", "--ssl-reqd", "--cacert",
        ca))
    tlsd.idle()
    tlsd.stop()


@options(seconds=150)
def test_pop3_server(net):
    """The same for POP3, on the program's own port; and clear clients with
    OPTIONAL, for both protocols."""
    needs("dovecot", "curl", "openssl")
    rules = [f"ATTLS {port} AS {port} SSL STARTTLS {proto}"
             for port, proto in ((POP3_PORT, "POP3"), (IMAP_PORT, "IMAP"))]
    tlsd = server_rule(net, *rules)
    p = dovecot(net.prog)
    secure_port(net, POP3_PORT)
    base = f"{net.address('p', 4)}:"
    with Wire(net) as wire:
        for family in FAMILIES:
            where = f"{host_in_url(net.address('p', family))}:{POP3_PORT}"
            c = curl_mail(net.host, f"pop3://{where}/1", "--ssl-reqd",
                          "--cacert", CA)
            check(LETTER in c.ok(60), c.text())
    nothing_in_clear(wire, LETTER)
    check(wire.has("STLS\r\n"), "the trace shows what is in clear")
    out = s_client(net, "pop3", POP3_PORT, 4, "CAPA\nQUIT\n")
    check("UIDL" in out and "STLS" not in out, out)
    said = dialogue(net, 4, POP3_PORT, (b"", b"\n"), (b"CAPA\r\n", b".\r\n"),
                    (b"USER jane\r\n", b"first"), (b"QUIT\r\n", b"never"))
    check(b"\r\nSTLS\r\n.\r\n" in said and b"USER" not in said, f"{said!r}")
    check(b"-ERR STLS first" in said, f"{said!r}")
    injected(tlsd, net, POP3_PORT, b"STLS\r\nUSER jane\r\n",
             b"+OK Begin TLS negotiation\r\n")
    refuses_our_certificate(tlsd, lambda ca: curl_mail(
        net.host, f"pop3://{base}{POP3_PORT}/1", "--ssl-reqd", "--cacert",
        ca))
    for url in (f"pop3://{base}{POP3_PORT}/1",
                f"imap://{base}{IMAP_PORT}/INBOX;UID=1"):
        c = curl_mail(net.host, url)
        check(c.wait(60) != 0 and LETTER not in c.text(), f"{url} in clear")
    tlsd.deck(["KEYFILE SERVER", "OPTION SERVER"] +
              [r + " OPTIONAL" for r in rules])
    tlsd.ctl("RELOAD")
    for url in (f"pop3://{base}{POP3_PORT}/1",
                f"imap://{base}{IMAP_PORT}/INBOX;UID=1"):
        for words in ((), ("--ssl-reqd", "--cacert", CA)):
            c = curl_mail(net.host, url, *words)
            check(LETTER in c.ok(60), f"{url} {words}: {c.text()}")
    check(p.alive(), "dovecot lives")
    tlsd.idle()
    tlsd.stop()


MAIL_RULES = [f"ATTLS 143 TO ANY AS {IMAP_PORT} SSL STARTTLS IMAP",
              f"ATTLS 110 TO ANY AS {POP3_PORT} SSL STARTTLS POP3"]


@options(seconds=200)
def test_mail_clients(net):
    """curl in clear reads mail of a dovecot that insists on TLS; what it is
    shown is not what it would believe, and what is no TLS is nothing."""
    needs("dovecot", "curl", "openssl")
    tlsd = client_rule(net, *MAIL_RULES)

    def urls(family=4):
        base = host_in_url(net.address("h", family))
        return f"imap://{base}/INBOX;UID=1", f"pop3://{base}/1"

    def served(tls):
        p = dovecot(net.host, tls)
        net.wait_port("h", 4, IMAP_PORT, p)
        return p

    def refused(url, reason):
        c = failure(tlsd, lambda: curl_mail(net.prog, url), reason)
        check(c.wait(60) != 0 and LETTER not in c.text(), c.text())

    def ended(p):
        p.stop()
        wait_for(lambda: not net.h.run(
            ["ss", "-Hltn", f"sport = :{IMAP_PORT}"]).strip(),
            "dovecot to end", 60)

    p = served("SERVER")
    with Wire(net) as wire:
        for family in FAMILIES:
            for url in urls(family):
                c = curl_mail(net.prog, url, "-v")
                check(LETTER in c.ok(60), c.text())
                check("STARTTLS" not in c.text() and "STLS" not in c.text(),
                      f"offered to the program: {c.text()}")
    nothing_in_clear(wire, LETTER)
    check(wire.has("CPLT1 STARTTLS") and wire.has("STLS\r\n"),
          "the trace shows what is in clear")
    check_equal(tlsd.last()["certificate"], "CN=SERVER", "certificate")
    ended(p)
    for name, reason in BAD_SERVERS.items():
        p = served(name)
        for url in urls():
            refused(url, reason)
        check("Login:" not in p.text(), f"{name}: {p.text()}")
        ended(p)
    p = served(None)
    for url in urls():
        refused(url, "refuses ST")
    check("Login:" not in p.text(), "in clear: " + p.text())
    tlsd.deck(CLIENT_DECK + [r + " OPTIONAL" for r in MAIL_RULES])
    tlsd.ctl("RELOAD")
    for url in urls():
        c = curl_mail(net.prog, url)
        check(LETTER in c.ok(60), c.text())
    tlsd.idle()
    tlsd.stop()


# ---- LDAP ------------------------------------------------------------------

def ldapsearch(side, host, *words, ca=CA):
    return side(["ldapsearch", "-x", "-LLL", "-H", f"ldap://{host}", "-D",
                 BIND_DN, "-w", PASSWORD, "-b", BASE, "-o",
                 "nettimeout=50", *words], name="ldapsearch",
                env=dict(os.environ, LDAPTLS_CACERT=ca))


# message 1, ExtendedRequest [RFC4511 4.14.1]
LDAP_STARTTLS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" \
    b"1.3.6.1.4.1.1466.20037"
LDAP_STARTED = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0"
LDAP_ANONYMOUS = b"\x30\x0c\x02\x01\x02\x60\x07\x02\x01\x03\x04\0\x80\0"


@options(seconds=150)
def test_ldap_server(net):
    """slapd in clear behind ldapsearch -ZZ. (Which names an IPv6 address in
    SNI, where GnuTLS has none of it: so it gets a name.)"""
    needs("slapd", "ldapsearch", "openssl")
    tlsd = server_rule(net,
                       f"ATTLS {LDAP_PORT} AS 389 SSL STARTTLS LDAP CLOSED")
    p = slapd(net.prog)
    secure_port(net, 389)
    with Wire(net) as wire:
        for family in FAMILIES:
            named(net, family)
            c = ldapsearch(net.host, "server.test", "-ZZ")
            check(ORGANIZATION in c.ok(60), c.text())
    nothing_in_clear(wire, ORGANIZATION, BIND_DN)
    check(wire.has(LDAP_STARTTLS), "the trace shows what is in clear")
    check_equal(p.text().count("oid=1.3.6.1.4.1.1466.20037"), 0,
                "what slapd heard of StartTLS")
    binds = p.text().count("BIND dn=")
    c = ldapsearch(net.host, "server.test")
    check_equal(c.wait(60), 13, f"confidentialityRequired: {c.text()}")
    injected(tlsd, net, 389, LDAP_STARTTLS + LDAP_ANONYMOUS, LDAP_STARTED)
    closed(net, LDAP_PORT)
    check_equal(p.text().count("BIND dn="), binds, "binds in clear")
    # GnuTLS tells the server nothing: ldapsearch looks behind the handshake
    make_ca("other")
    c = ldapsearch(net.host, "server.test", "-ZZ", ca=CERTS + "/other.crt")
    check(c.wait(60) != 0 and ORGANIZATION not in c.text(), c.text())
    check_equal(p.text().count("BIND dn="), binds, "binds at a stranger")
    tlsd.idle()
    tlsd.stop()


@options(seconds=150)
def test_ldap_client(net):
    """ldapsearch in clear, a slapd that does nothing without TLS."""
    needs("slapd", "ldapsearch", "openssl")
    tlsd = client_rule(net,
                       f"ATTLS 389 TO ANY AS {LDAP_PORT} SSL STARTTLS LDAP")

    def served(tls):
        p = slapd(net.host, tls)
        net.wait_port("h", 4, LDAP_PORT, p)
        return p

    def search(family=4):
        return ldapsearch(net.prog, host_in_url(net.address("h", family)))

    p = served("SERVER")
    with Wire(net) as wire:
        for family in FAMILIES:
            c = search(family)
            check(ORGANIZATION in c.ok(60), c.text())
    nothing_in_clear(wire, ORGANIZATION, BIND_DN)
    check(wire.has(LDAP_STARTTLS), "the trace shows what is in clear")
    p.stop()
    for tls, reason in (*BAD_SERVERS.items(), (None, "refuses StartTLS")):
        p = served(tls)
        c = failure(tlsd, search, reason)
        check(c.wait(60) != 0 and ORGANIZATION not in c.text(), c.text())
        check("BIND dn=" not in p.text(), f"{tls}: {p.text()}")
        p.stop()
    tlsd.idle()
    tlsd.stop()


# ---- PostgreSQL ------------------------------------------------------------

QUERY = "select 'the-question-itself', 6 * 7"


def psql(side, host, words, password=PASSWORD):
    return side(["psql", "-At", "-c", QUERY,
                 f"host={host} port={PG_PORT} user={USER} dbname=postgres "
                 f"connect_timeout=50 {words}"], name="psql",
                env=dict(os.environ, PGPASSWORD=password))


PG_SSL = b"\0\0\0\x08\x04\xd2\x16\x2f"
PG_START = b"\0\0\0\x13\0\x03\0\0user\0jane\0\0"


@options(seconds=150)
def test_postgres_server(net):
    """A cluster in clear, psql that insists on TLS; SCRAM passes through."""
    needs("psql", "openssl")
    tlsd = server_rule(
        net, f"ATTLS {PG_PORT} AS {PG_PORT} SSL STARTTLS POSTGRES")
    p = postgres(net.prog)
    secure_port(net, PG_PORT)
    p.says("ready to accept connections", 60)
    verify = f"sslmode=verify-full sslrootcert={CA}"
    with Wire(net) as wire:
        for family in FAMILIES:
            for words in ("sslmode=require", verify):
                c = psql(net.host, net.address("p", family), words)
                check_equal(c.ok(60).strip(), "the-question-itself|42",
                            "answer")
    nothing_in_clear(wire, "the-question-itself", "SCRAM-SHA-256")
    check(wire.has(PG_SSL), "the trace shows what is in clear")
    heard = p.text().count("connection authorized")
    c = psql(net.host, net.address("p", 4), "sslmode=disable")
    check(c.wait(60) != 0 and "SSL connections only" in c.text(), c.text())
    c = psql(net.host, net.address("p", 4), verify, password="wrong")
    check(c.wait(60) != 0 and "password authentication failed" in c.text(),
          c.text())
    injected(tlsd, net, PG_PORT, PG_SSL + PG_START, b"S")
    check_equal(p.text().count("connection authorized"), heard,
                "clients that were let in")
    refuses_our_certificate(tlsd, lambda ca: psql(
        net.host, net.address("p", 4),
        f"sslmode=verify-full sslrootcert={ca}"))
    client_certificates(net, tlsd, verify)
    tlsd.idle()
    tlsd.stop()


def client_certificates(net, tlsd, verify):
    """tlsd wants one, of a cluster that knows of none."""
    make_cert("other", "STRANGER", "email:x@other.test", server=False)
    tlsd.deck(["KEYFILE SERVER", "HANDSHAKE_SERVER 2", "CA_AUTH YES",
               "OPTION SERVER",
               f"ATTLS {PG_PORT} AS {PG_PORT} SSL STARTTLS POSTGRES"])
    tlsd.ctl("RELOAD")

    def ask(name):
        words = f"sslcert={CERTS}/{name}.crt sslkey={CERTS}/{name}.key"
        return psql(net.host, net.address("p", 6),
                    f"{verify} {words if name else ''}")
    check("42" in ask("CLIENT").ok(60), "with a certificate")
    check_equal(tlsd.last()["certificate"], "CN=CLIENT", "certificate")
    for name, reason in (("", "no certificate"),
                         ("STRANGER", BAD_SERVERS["ALIEN"])):
        c = failure(tlsd, lambda n=name: ask(n), reason)
        check(c.wait(60) != 0 and "42" not in c.text(), c.text())


@options(seconds=200)
def test_postgres_client(net):
    """psql in clear, a server with hostssl alone. The offer of SCRAM with
    channel binding, which libpq takes for an attack, is not passed on."""
    needs("psql", "openssl")
    tlsd = client_rule(
        net, f"ATTLS {PG_PORT} TO ANY AS {PG_PORT} SSL STARTTLS POSTGRES")

    def served(tls):
        p = postgres(net.host, tls)
        p.says("ready to accept connections", 60)
        return p

    p = served("SERVER")
    with Wire(net) as wire:
        for family in FAMILIES:
            for words in ("sslmode=disable", "sslmode=prefer"):
                c = psql(net.prog, net.address("h", family), words)
                check_equal(c.ok(60).strip(), "the-question-itself|42",
                            "answer")
    nothing_in_clear(wire, "the-question-itself", "SCRAM-SHA-256")
    check_equal(p.text().count("SSL enabled"), 4, "connections with TLS")
    c = psql(net.prog, net.address("h", 4), "sslmode=disable", "wrong")
    check(c.wait(60) != 0 and "password authentication failed" in c.text(),
          c.text())
    c = psql(net.prog, net.address("h", 4),
             "sslmode=disable channel_binding=require")
    check(c.wait(60) != 0 and "channel binding" in c.text(), c.text())
    p.stop()
    for tls, reason in (("ALIEN", BAD_SERVERS["ALIEN"]),
                        (None, "refuses SSL")):
        p = served(tls)
        c = failure(tlsd, lambda: psql(net.prog, net.address("h", 4),
                                       "sslmode=disable"), reason)
        check(c.wait(60) != 0, c.text())
        check("authorized" not in p.text(), f"{tls}: {p.text()}")
        p.stop()
    tlsd.idle()
    tlsd.stop()


# ---- TELNET ----------------------------------------------------------------

LOGO = "My PC thinks it's a MAINFRAME"


def s3270(side, *words, script):
    """s3270 does what the lines say."""
    path = WORK + "/s3270.in"
    with open(path, "w", encoding="ascii") as f:
        f.write("\n".join(script + ("Disconnect()", "Quit()", "")))
    with open(path, "rb") as f:
        return side(["s3270", *words], stdin=f,
                    env=dict(os.environ, LC_ALL="C.UTF-8"))


def eager_telnet(net):
    """A client whose own FOLLOWS was under way when it heard that of the
    server: it comes in one piece with the handshake. What Hercules says
    first."""
    context = ssl.create_default_context(cafile=CA)
    come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(come, go, server_hostname="server.test")
    with dial(net, 4, 23) as s:
        check_equal(answer(s, StartTls.IAC_DO), StartTls.IAC_DO, "offer")
        s.sendall(StartTls.IAC_WILL)
        check_equal(answer(s, StartTls.FOLLOWS), StartTls.FOLLOWS, "answer")
        say = StartTls.FOLLOWS
        for step in (tls.do_handshake, lambda: tls.read(3)):
            while True:
                try:
                    got = step()
                    break
                except ssl.SSLWantReadError:
                    s.sendall(say + go.read())
                    say = b""
                    part = s.recv(16384)
                    check(part, "it hung up")
                    come.write(part)
            s.sendall(go.read())
        return got


@options(seconds=150)
def test_telnet_server(net):
    """Hercules in clear; s3270 is offered START_TLS and takes it, one that
    will not is refused, and so is what is said in clear."""
    needs("hercules", "s3270", "openssl")
    tlsd = server_rule(
        net, f"ATTLS {CONSOLE_PORT} AS 23 SSL STARTTLS TELNET CLOSED")
    p = hercules(net.prog)
    secure_port(net, 23, 1)
    named(net, 4)
    look = ('Connect("server.test:23")', "Wait(50,Output)", "Query(Tls)",
            "Ascii()")
    with Wire(net) as wire:
        c = s3270(net.host, "-cafile", CA, script=look)
        c.wait(60)
        check(LOGO in c.text(), c.text())
        check("secure host-verified" in c.text(), c.text())
    check(wire.has(StartTls.IAC_DO), "the trace shows what is in clear")
    nothing_in_clear(wire, LOGO.encode("cp037"), b"IBM-3278")
    check("connected to 3270 device" in p.text(), p.text())
    check_equal(eager_telnet(net), b"\xff\xfd\x18", "DO TERMINAL-TYPE")
    heard = p.text().count("connected to 3270")
    c = failure(tlsd, lambda: s3270(net.host, "-set", "startTls=false",
                                    script=look), "refuses START_TLS")
    c.wait(60)
    check(LOGO not in c.text(), c.text())
    injected(tlsd, net, 23, StartTls.IAC_WILL + StartTls.FOLLOWS + b"jane\r\n",
             StartTls.IAC_DO + StartTls.FOLLOWS)
    closed(net, CONSOLE_PORT)
    check_equal(p.text().count("connected to 3270"), heard, "displays")

    make_ca("other")
    c = failure(tlsd, lambda: s3270(net.host, "-cafile", CERTS + "/other.crt",
                                    script=look), "CA is unknown")
    c.wait(60)
    check(LOGO not in c.text(), c.text())
    tlsd.idle()
    tlsd.stop()


TELNET_RULE = "ATTLS 23 TO ANY AS 2323 SSL STARTTLS TELNET"


@options(seconds=150)
def test_telnet_client(net):
    """s3270 and busybox's telnet in clear to a server that wants START_TLS;
    and to Hercules, which speaks of every option but that."""
    needs("s3270", "busybox", "hercules", "openssl")
    tlsd = client_rule(net, TELNET_RULE)

    def telnet(family=4):
        return net.prog(["sh", "-c", "(echo jane; echo bye; sleep 50) | exec "
                         "busybox telnet "
                         f"{net.address('h', family)} 23"], name="telnet")

    with Wire(net) as wire:
        for family in FAMILIES:
            server = StartTls(net, family, 2323, "SERVER")
            c = telnet(family)
            wait_for(lambda c=c: "welcome, bye" in c.text(), "the server", 60)
            check("welcome, jane" in c.text(), c.text())
            c = s3270(net.prog, script=(
                f"Connect(\"A:{host_in_url(net.address('h', family))}:23\")",
                "Expect(\"who are you\",50)", "String(\"jane bye\")",
                "Enter()", "Wait(50,Disconnect)"))
            wait_for(lambda s=server: b"jane bye" in s.heard,
                     "s3270 to say who it is", 60)
            server.close()
    nothing_in_clear(wire, "jane", "who are you")
    check(wire.has(StartTls.FOLLOWS), "the trace shows what is in clear")
    for tls, reason in (*BAD_SERVERS.items(),
                        (None, "data instead of START_TLS")):
        server = StartTls(net, 4, 2323, tls)
        c = failure(tlsd, telnet, reason)
        check("who are you" not in c.text(), c.text())
        check_equal(server.heard, [], "what the server heard")
        server.close()
    tlsd.deck(CLIENT_DECK + [f"ATTLS 23 TO ANY AS {CONSOLE_PORT} SSL STARTTLS "
                             "TELNET TIMEOUT 2"])
    tlsd.ctl("RELOAD")
    p = hercules(net.host)
    net.wait_port("h", 4, CONSOLE_PORT, p)
    failure(tlsd, telnet, "did not go on to TLS")
    check_equal(tlsd.query("COUNTERS")["timeouts"], 1, "time-outs")
    check("connected to 3270" not in p.text(), p.text())
    tlsd.deck(CLIENT_DECK + [TELNET_RULE + " OPTIONAL"])
    tlsd.ctl("RELOAD")
    server = StartTls(net, 4, 2323, None)
    c = telnet()
    wait_for(lambda: "welcome, bye" in c.text(), "the server in clear", 60)
    server.close()
    tlsd.idle()
    tlsd.stop()


# ---- SMTP ------------------------------------------------------------------

@options(seconds=150)
def test_smtp_server(net):
    """postfix in clear; what is said behind STARTTLS in clear is not heard."""
    needs("postfix", "openssl")
    tlsd = server_rule(net, "ATTLS 25 AS 25 SSL STARTTLS SMTP")
    p = postfix(net, net.prog)
    secure_port(net, 25)
    with Wire(net) as wire:
        for family in FAMILIES:
            out = s_client(net, "smtp", 25, family,
                           "EHLO me.test\nQUIT\n", "-name", "me.test")
            check("250-PIPELINING" in out and "221 2" in out, out)
            # one answer is ours, in clear; s_client shows its last line
            check(out.count("STARTTLS") == 1, f"offered behind TLS: {out}")
    check(wire.has("250 STARTTLS\r\n"), "the trace shows what is in clear")
    check(not wire.has("PIPELINING"), "an answer of postfix was in clear")
    said = dialogue(net, 6, 25, (b"", b"\n"), (b"EHLO me.test\r\n", b"TLS\r\n"),
                    (b"MAIL FROM:<jane@server.test>\r\n", b"first\r\n"),
                    (b"QUIT\r\n", b"\n"))
    check(b"530 5.7.0" in said, f"{said!r}")
    injected(tlsd, net, 25, b"STARTTLS\r\nMAIL FROM:<jane@server.test>\r\n",
             b"220 2.0.0 Ready to start TLS\r\n")
    check("jane" not in p.text(), p.text())
    tlsd.idle()
    tlsd.stop()


if __name__ == "__main__":
    main(globals())
