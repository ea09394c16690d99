#!/usr/bin/python3
"""TLS in front of printd on a stack: tlsd's rule, not a line of printd.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import V6_STACK, WORK, check, check_equal, main, needs, options, wait_for
from couplet_print import PATIENCE, Printd, fresh, pr3287, wait_paper
from tls_net import CERTS, Tlsd, Wire, standard_certs

TEXT = "hello world\n\n  third line, with  blanks\nGr\u00fc\u00dfe, \u00e5\n"
SECRET = "not to be read on the wire\n"
PAGE = "".join(f"{n}: {SECRET}" for n in range(500))


def secure_pr3287(net, p, lu, out, ca):
    """A pr3287 that speaks TLS from the first byte to port 992."""
    return net.host(["pr3287", "-cafile", f"{CERTS}/{ca}.crt",
                     "-accepthostname", "server.test", "-command",
                     f"cat >>{out}", f"L:{lu}@{p.here}:992"], name="pr3287",
                    env=dict(os.environ, LC_ALL="C.UTF-8"))


@options(seconds=240)
def test_tlsd_in_front(net):
    """ATTLS 23 AS 992 SSL: pr3287 over TLS, SCS and LU3, byte for byte; in
    clear on 23 beside it; nothing of a job on the wire in clear."""
    needs("pr3287", "openssl")
    standard_certs()
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER",
                      "ATTLS 23 AS 992 SSL"])
    p = Printd(net, "OPEN {here} 23\nPRINTER PS BSTTVNET SCS\n"
               "PRINTER PL BSTTVNET\nPRINTER PC BSTTVNET SCS\n")
    wait_for(lambda: "992" in net.ctl("QUERY", "PORTS"), "the secure port",
             PATIENCE)
    paper = {lu: fresh(lu) for lu in ("PS", "PL", "PC")}
    # the trace finds what does go in clear, or it would prove nothing
    pr3287(net, p, "PC", paper["PC"], port=23)
    p.wait_lu("PC", "IDLE")
    ebcdic = SECRET.rstrip("\n").encode("cp037")
    for lus, seen in ((("PC",), True), (("PS", "PL"), False)):
        for lu in lus:
            if not seen:
                secure_pr3287(net, p, lu, paper[lu], "root")
            p.wait_lu(lu, "IDLE")
        with Wire(net) as wire:
            for lu in lus:
                p.wait_gone(p.submit(lu, TEXT))
                p.wait_gone(p.submit(lu, PAGE))
                wait_paper(paper[lu], TEXT + PAGE)
        with open(wire.path, "rb") as f:
            check_equal(ebcdic in f.read(), seen, f"{lus} in clear")
    last = tlsd.last()
    check_equal(last["result"], "ok", "the handshake")
    check(last["version"].startswith("TLS 1."), last["version"])
    tlsd.stop()
    p.stop()


@options(seconds=240)
def test_tlsd_goes_and_comes(net):
    """A client whose TLS ends under a job: the job waits, marked, and is
    whole for the client that comes back; a client that trusts another CA
    never has the LU."""
    needs("pr3287", "openssl")
    standard_certs()
    from tls_net import make_ca
    make_ca("other")
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER",
                      "ATTLS 23 AS 992 SSL"])
    p = Printd(net, "OPEN {here} 23\nPRINTER PS BSTTVNET SCS\n")
    wait_for(lambda: "992" in net.ctl("QUERY", "PORTS"), "the secure port",
             PATIENCE)
    c = secure_pr3287(net, p, "PS", fresh("no"), "other")
    check(c.wait(PATIENCE) != 0, "pr3287 believed a strange certificate")
    first = secure_pr3287(net, p, "PS", fresh("first"), "root")
    p.wait_lu("PS", "IDLE")
    first.kill(19)                       # SIGSTOP: what it holds is not paper
    big = "".join(f"line {n}\n" for n in range(200000))
    job = p.submit("PS", big)
    p.wait_state(job, "ACTIVE")
    first.kill(9)
    p.wait_lu("PS", "NOCLIENT")
    check(p.wait_state(job, "READY")["repeat"], "the job is not marked")
    out = fresh("second")
    secure_pr3287(net, p, "PS", out, "root")
    p.wait_gone(job)
    wait_paper(out, big)
    tlsd.stop()
    p.stop()


@options(seconds=240)
def test_start_tls(net):
    """ATTLS 23 AS 23 SSL STARTTLS TELNET: pr3287 is offered START_TLS
    (option 46) and takes it, over both families; nothing in clear."""
    needs("pr3287", "openssl")
    standard_certs()
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER",
                      "ATTLS 23 AS 23 SSL STARTTLS TELNET"])
    p = Printd(net, f"OPEN {{here}} 23\nOPEN {V6_STACK} 23\n"
               "PRINTER LUPRINT4 BSTTVNET SCS\nPRINTER LUPRINT6 BSTTVNET\n")
    wait_for(lambda: net.ctl("QUERY", "PORTS").count(" 23 ") >= 2,
             "both secure ports", PATIENCE)
    with Wire(net) as wire:
        for lu, where in (("LUPRINT4", p.here),
                          ("LUPRINT6", f"[{V6_STACK}]")):
            paper = fresh(lu)
            net.host(["pr3287", "-cafile", f"{CERTS}/root.crt",
                      "-accepthostname", "server.test", "-command",
                      f"cat >>{paper}", f"{lu}@{where}:23"], name="pr3287",
                     env=dict(os.environ, LC_ALL="C.UTF-8"))
            p.wait_lu(lu, "IDLE")
            p.wait_gone(p.submit(lu, TEXT + PAGE))
            wait_paper(paper, TEXT + PAGE)
    check(wire.has(b"\xff\xfb\x2e"), "WILL START_TLS is in clear")
    # nothing short: two bytes of cipher text are soon any two bytes
    for what in (SECRET.rstrip("\n").encode("cp037"), b"IBM-3287",
                 b"LUPRINT6"):
        check(not wire.has(what), f"{what} was on the wire in clear")
    check_equal([h["result"] for h in tlsd.handshakes()], ["ok", "ok"],
                "handshakes")
    tlsd.stop()
    p.stop()


if __name__ == "__main__":
    main(globals())
