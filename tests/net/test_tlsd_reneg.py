#!/usr/bin/python3
"""tlsd and peers that ask for renegotiation again and again (TLS 1.2).

    test_tlsd_reneg.py --build DIR CASE...
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import check, check_equal, main, needs, options, wait_for
from test_tlsd import CA, SERVER_RULE, echo_server, tlsend
from tls_net import Tlsd, standard_certs

FLOODERS = 10
# openssl takes one R at a time; it ends when the connection does
OPENSSL = ("(while echo R; do sleep 0.1; done) 2>/dev/null | "
           "openssl s_client -tls1_2 -connect {at}:7443 -CAfile {ca} "
           "-no_ign_eof")
GNUTLS = ("gnutls-cli --rehandshake --priority NORMAL:-VERS-ALL:+VERS-TLS1.2 "
          "--x509cafile {ca} -p 7443 {at} </dev/null")


def flood(net, tlsd, server, what, n):
    """n clients at once; each is cut off at its first wish."""
    before = tlsd.query("COUNTERS")
    resets = server.text().count("reset ")
    at = net.address("p", 4)
    clients = [net.host(["sh", "-c", what.format(at=at, ca=CA)], name="flood")
               for _ in range(n)]
    tlsend(net, "call", "notify", "bytes=1000", "version=1.2").ok(60)
    for c in clients:
        c.wait(90)
    tlsd.idle()
    wait_for(lambda: server.text().count("reset ") == resets + n,
             f"{n} resets of the program: {server.text()}", 30)
    after = tlsd.query("COUNTERS")
    # one handshake for each connection and none more
    check_equal(after["opened"] - before["opened"], n + 1, "handshakes")
    check_equal(after["failed"], before["failed"], "failed handshakes")
    check_equal(len(tlsd.handshakes()), after["opened"], "lines of history")
    return clients


@options(seconds=200)
def test_renegotiation_flood(net):
    """Each connection is reset at the first ClientHello in it, before any key
    is touched; others are served meanwhile."""
    needs("openssl", "gnutls-cli")
    standard_certs()
    tlsd = Tlsd(net, SERVER_RULE + ["ATTLS 7000 AS 7443 SSL"])
    server = echo_server(net, "echo")
    for c in flood(net, tlsd, server, OPENSSL, FLOODERS):
        asked = c.text().count("RENEGOTIATING")
        check(1 <= asked <= 2, f"asked {asked} times: {c.text()}")
    for c in flood(net, tlsd, server, GNUTLS, 2):
        check("ReHandshake" in c.text() or "rehandshake" in c.text(), c.text())
    tlsd.stop()


if __name__ == "__main__":
    main(globals())
