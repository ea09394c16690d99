#!/usr/bin/python3
"""tlsd and OCSP: what responders say about peers' certificates, asked over the
stack of `openssl ocsp` and of one that misbehaves, and what we staple.

    test_tlsd_ocsp.py --build DIR CASE...
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (PROGS, PYTHON, check, check_equal, main, needs,
                         options, wait_for)
from test_tlsd import CA, SERVER_RULE, cert, echo_server, fetched, \
    https_nginx, s_client
from tls_net import CERTS, Tlsd, make_cert, run, standard_certs, revoke

PORT = 2560
CHECKED = SERVER_RULE + ["HANDSHAKE_SERVER 2", "CA_AUTH YES"]
RULE = ["ATTLS 7000 AS 7443 SSL"]


def url(net, path="", port=PORT):
    return f"http://{net.address('h', 4)}:{port}/{path}"


def responder(net, index="root.idx"):
    """openssl's own, answering from the CA's list of certificates."""
    p = net.host(["openssl", "ocsp", "-port", str(PORT), "-index",
                  f"{CERTS}/{index}", "-CA", CA, "-rsigner", CA, "-rkey",
                  f"{CERTS}/root.key", "-ndays", "1"], name="responder")
    net.wait_port("h", 4, PORT, p)
    return p


def client_certs(net):
    for name in ("GOOD", "BAD", "LATER"):
        make_cert("root", name, "email:x@server.test", server=False,
                  ocsp=url(net))
    revoke("root", "BAD")


def handshake(net, tlsd, name, ok, reason=""):
    """The client NAME comes; it is let in, or refused for `reason`."""
    before = len(tlsd.handshakes())
    s_client(net, *cert(name), wait=not ok)
    wait_for(lambda: len(tlsd.handshakes()) > before,
             f"the handshake of {name}", 60)
    h = tlsd.last()
    print(f"{name}: {h['result']} {h['reason']}", flush=True)
    check_equal(h["result"], "ok" if ok else "failed", f"{name}: {h}")
    check(reason in h["reason"], f"{name}: {h['reason']}")


@options(seconds=250)
def test_answers(net):
    """Good, revoked and unknown, by the responder that a certificate names;
    an answer is remembered when the responder is gone."""
    needs("openssl")
    standard_certs()
    client_certs(net)
    with open(CERTS + "/empty.idx", "w", encoding="ascii"):
        pass
    p = responder(net)
    tlsd = Tlsd(net, CHECKED + ["OCSP YES"] + RULE)
    echo_server(net, "echo")
    handshake(net, tlsd, "GOOD", True)
    handshake(net, tlsd, "BAD", False, "revoked (OCSP)")
    p.stop()
    handshake(net, tlsd, "BAD", False, "revoked (OCSP)")
    # nobody is there for LATER: YES lets it in, REQUIRED does not
    handshake(net, tlsd, "LATER", True)
    tlsd.deck(CHECKED + ["OCSP REQUIRED"] + RULE)
    tlsd.ctl("RELOAD")
    handshake(net, tlsd, "LATER", False, "nobody says by OCSP")
    # a certificate that names no responder
    handshake(net, tlsd, "CLIENT", False, "nobody says by OCSP")
    responder(net, "empty.idx")
    for word, ok in (("YES", True), ("REQUIRED", False)):
        tlsd.deck(CHECKED + ["OCSP " + word] + RULE)
        tlsd.ctl("RELOAD")
        handshake(net, tlsd, "GOOD", ok, "" if ok else "nobody says by OCSP")
    tlsd.idle()
    tlsd.stop()


@options(seconds=250, deck_extra="HOST ocsp.server.test 10.77.0.1")
def test_responder_of_the_deck(net):
    """The URL of the deck, with a name that the stack knows, is asked in
    place of the certificate's; servers are checked as clients are."""
    needs("openssl", "nginx")
    standard_certs()
    client_certs(net)
    make_cert("root", "GONE", "IP:10.77.0.1")
    revoke("root", "GONE")
    responder(net)
    ask = f"OCSP REQUIRED http://ocsp.server.test:{PORT}/"
    tlsd = Tlsd(net, CHECKED + [ask] + RULE)
    echo_server(net, "echo")
    handshake(net, tlsd, "CLIENT", True)
    handshake(net, tlsd, "BAD", False, "revoked (OCSP)")
    out = ["OPTION CLIENT", "HANDSHAKE_CLIENT 0", f"CAFILE {CA}", ask,
           "ATTLS 80 TO ANY AS 8443 SSL"]
    tlsd.deck(out)
    tlsd.ctl("RELOAD")
    web = https_nginx(net)[0]
    fetched(net)
    web.stop()
    wait_for(lambda: not net.h.run(["ss", "-Hltn", "sport = :8443"]).strip(),
             "nginx to end")
    https_nginx(net, "GONE")
    call = net.prog([PYTHON, PROGS + "/clearend.py", "call",
                     net.address("h", 4), "80", "GET / HTTP/1.0\r\n\r\n"],
                    name="call")
    check_equal(call.wait(60), 1, f"revoked server: {call.text()}")
    check("revoked (OCSP)" in tlsd.last()["reason"], tlsd.last()["reason"])
    tlsd.idle()
    tlsd.stop()


@options(seconds=280)
def test_bad_responders(net):
    """Whatever a responder does, the handshake ends in time, with YES it
    succeeds and with REQUIRED it fails; nothing is read without end."""
    needs("openssl")
    standard_certs()
    client_certs(net)
    bad = net.host([PYTHON, PROGS + "/badocsp.py", "0.0.0.0", "2561"],
                   name="badocsp").says("ready")
    tlsd = Tlsd(net, CHECKED + RULE)
    echo_server(net, "echo")
    for way in ("garbage", "html", "missing", "nothing", "big", "headers",
                "drip", "silent"):
        for word, ok in (("REQUIRED", False), ("YES", True)):
            tlsd.deck(CHECKED + [f"OCSP {word} {url(net, way, 2561)}",
                                 "TIMEOUT 60"] + RULE)
            tlsd.ctl("RELOAD")
            handshake(net, tlsd, "GOOD", ok,
                      "" if ok else "nobody says by OCSP")
        check(f"asked {way}" in bad.text(), f"{way}: {bad.text()}")
    # each question has ended at the responder too
    wait_for(lambda: bad.text().count("over") == bad.text().count("asked"),
             "the last question to end", 60)
    tlsd.idle()
    tlsd.stop()


@options(seconds=200)
def test_staple(net):
    """OCSPFILE: a client that asks for the status sees it; a file of another certificate is refused."""
    needs("openssl")
    standard_certs()
    make_cert("root", "OTHER", "DNS:other.test")
    for name in ("SERVER", "OTHER"):
        run(["openssl", "ocsp", "-index", f"{CERTS}/root.idx", "-CA", CA,
             "-rsigner", CA, "-rkey", f"{CERTS}/root.key", "-issuer", CA,
             "-cert", f"{CERTS}/{name}.crt", "-ndays", "1", "-no_nonce",
             "-respout", f"{CERTS}/{name}.der"])
    tlsd = Tlsd(net, SERVER_RULE + RULE)
    echo_server(net, "echo")

    def status(version):
        p = net.host(["sh", "-c", "echo hello | openssl s_client -status "
                      f"{version} -connect {net.address('p', 4)}:7443 "
                      f"-CAfile {CA}"], name="s_client")
        p.wait(60)
        return p.text()

    check("OCSP response: no response sent" in status("-tls1_3"), "none yet")
    tlsd.deck(SERVER_RULE + [f"OCSPFILE {CERTS}/SERVER.der"] + RULE)
    tlsd.ctl("RELOAD")
    for version in ("-tls1_2", "-tls1_3"):
        out = status(version)
        check("OCSP Response Status: successful" in out and
              "Cert Status: good" in out, f"{version}: {out}")
    # what is stapled for another certificate does not come into force
    tlsd.deck(SERVER_RULE + [f"OCSPFILE {CERTS}/OTHER.der"] + RULE)
    tlsd.ctl("RELOAD", status=1)
    check("Cert Status: good" in status("-tls1_3"), "the old one stays")
    tlsd.idle()
    tlsd.stop()


if __name__ == "__main__":
    main(globals())
