#!/usr/bin/python3
"""TLS of printd's own: START_TLS (option 46) and TLS from the first byte, for
clients that come (Debian's pr3287) and for hosts that printers are taken from.
"""

import os
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (WORK, check, check_equal, main, needs, options,
                         wait_for)
from couplet_print import PATIENCE, Printd, fresh, pr3287, read, wait_paper
from tls_net import CERTS, make_ca, make_cert, standard_certs
from tn_printer import Clients

TEXT = "hello world\n\n  third line, with  blanks\nGr\u00fc\u00dfe, \u00e5\n"
BIG = "".join(f"line {n}\n" for n in range(50000))
# 5023 of every deck stays in clear
HEAD = f"KEYRING {CERTS}\nKEYFILE SERVER\n"
ALLOWED = HEAD + "OPEN {here} 6023 STARTTLS\n"
REQUIRED = HEAD + "OPEN {here} 6023 STARTTLS REQUIRED\n"
FIRST = HEAD + "OPEN {here} 6023 TLS\n"
LUS = "PRINTER PS BSTTVNET SCS\nPRINTER PL BSTTVNET\n"


def certs():
    """Those of tls_net, readable for printd, which is not root here."""
    standard_certs()
    make_cert("root", "SERVER", "IP:127.0.0.1,IP:10.77.0.1,IP:10.77.0.2,"
              "DNS:server.test")


def secure_pr3287(net, p, lu, out, *options, ca="root", prefix="", port=6023):
    return net.host(["pr3287", "-cafile", f"{CERTS}/{ca}.crt",
                     "-accepthostname", "server.test", *options, "-command",
                     f"cat >>{out}", f"{prefix}{lu}@{p.here}:{port}"],
                    name="pr3287", env=dict(os.environ, LC_ALL="C.UTF-8"))


def one_session(net, lines, lu, *options):
    """A printd and one pr3287 over START_TLS at its `lu`: (printd, the file
    that it prints to, pr3287)."""
    needs("pr3287", "openssl")
    certs()
    p = Printd(net, lines)
    out = fresh(lu)
    c = secure_pr3287(net, p, lu, out, *options)
    p.wait_lu(lu, "IDLE")
    return p, out, c


def prints(p, paper, *more):
    """Text, a long job, and one with records beyond what pr3287 reads at
    once, on each LU: byte for byte."""
    for lu, out in paper.items():
        p.wait_lu(lu, "IDLE")
        check("TLS 1." in p.lu(lu)["printer"], p.lu(lu)["printer"])
        for text in (TEXT, BIG) + more:
            p.wait_gone(p.submit(lu, text))
        wait_paper(out, TEXT + BIG + "".join(more))


def talk(net, p, what, listen=True):
    """Says that to port 6023; what comes back until the end."""
    with net.h:
        s = socket.create_connection((p.here, 6023), timeout=PATIENCE)
    s.sendall(what)
    got = b""
    try:
        while listen:
            piece = s.recv(4096)
            if not piece:
                break
            got += piece
    except ConnectionResetError:
        pass
    s.close()
    return got


# ---- clients ---------------------------------------------------------------

@options(seconds=240)
def test_start_tls_allowed(net):
    """pr3287 is offered START_TLS and takes it, SCS and 3270 data; a client
    that does not want it prints in clear at the same port."""
    needs("pr3287", "openssl")
    certs()
    p = Printd(net, ALLOWED + LUS + "PRINTER PC BSTTVNET SCS\n")
    paper = {lu: fresh(lu) for lu in ("PS", "PL")}
    for lu, out in paper.items():
        secure_pr3287(net, p, lu, out)
    prints(p, paper)
    clear = Clients(net, p.here, 6023, ["PC"])
    p.wait_lu("PC", "IDLE")
    check("TLS" not in p.lu("PC")["printer"], p.lu("PC")["printer"])
    p.wait_gone(p.submit("PC", "in clear\n"))
    check_equal(clear.jobs["PC"], ["in clear\n"], "the job in clear")
    clear.stop()
    p.proc.says("CPLT720I LU PS", PATIENCE)
    check(", TLS 1.3 TLS_AES" in p.proc.text(), "TLS is not in the log")
    p.stop()


@options(seconds=240)
def test_start_tls_required(net):
    """A client that refuses START_TLS has no LU, and the log says why; pr3287
    prints."""
    needs("pr3287", "openssl")
    certs()
    p = Printd(net, REQUIRED + LUS)
    clear = Clients(net, p.here, 6023, ["PS"])
    p.proc.says("peer refuses TLS, which is required", PATIENCE)
    check_equal(p.lu("PS")["state"], "NOCLIENT", "the state of its LU")
    clear.stop()
    paper = {lu: fresh(lu) for lu in ("PS", "PL")}
    for lu, out in paper.items():
        secure_pr3287(net, p, lu, out)
    prints(p, paper)
    p.stop()


@options(seconds=240)
def test_tls_first(net):
    """TLS from the first byte; a client in clear gets nowhere, in words."""
    needs("pr3287", "openssl")
    certs()
    p = Printd(net, FIRST + LUS)
    paper = {lu: fresh(lu) for lu in ("PS", "PL")}
    for lu, out in paper.items():
        secure_pr3287(net, p, lu, out, prefix="L:")
    prints(p, paper)
    talk(net, p, b"hello, this is no handshake\r\n")
    p.proc.says("cut off: TLS: what came is not TLS", PATIENCE)
    p.stop()


@options(seconds=240)
def test_wrong_certificates(net):
    """A pr3287 that trusts another CA, or means another host, never has the
    LU; HANDSHAKE_SERVER 2 wants the client's certificate."""
    needs("pr3287", "openssl")
    certs()
    make_ca("other")
    p = Printd(net, REQUIRED + LUS)
    c = secure_pr3287(net, p, "PS", fresh("no"), ca="other")
    check(c.wait(PATIENCE) != 0, "pr3287 believed a strange certificate")
    wait_for(lambda: "cut off: TLS:" in p.proc.text(), "a line in the log",
             PATIENCE)
    c = net.host(["pr3287", "-cafile", f"{CERTS}/root.crt", "-accepthostname",
                  "elsewhere.test", f"PS@{p.here}:6023"], name="pr3287")
    check(c.wait(PATIENCE) != 0, "pr3287 believed another host's certificate")
    check_equal(p.lu("PS")["state"], "NOCLIENT", "the state of the LU")
    p.reload(HEAD + f"CAFILE {CERTS}/root.crt\nHANDSHAKE_SERVER 2\n"
             "CA_AUTH YES\nOPEN {here} 6023 STARTTLS REQUIRED\n" + LUS)
    c = secure_pr3287(net, p, "PS", fresh("no"))
    c.wait(PATIENCE)
    p.proc.says("the peer sent no certificate", PATIENCE)
    check_equal(p.lu("PS")["state"], "NOCLIENT", "the state of the LU")
    out = fresh("yes")
    secure_pr3287(net, p, "PS", out, "-certfile", f"{CERTS}/CLIENT.crt",
                  "-keyfile", f"{CERTS}/CLIENT.key")
    p.wait_lu("PS", "IDLE")
    p.wait_gone(p.submit("PS", TEXT))
    wait_paper(out, TEXT)
    p.stop()


@options(seconds=240)
def test_long_records(net):
    """Records of a program that are longer than pr3287 reads at once over TLS
    arrive all the same: TLS records of ours are shorter."""
    p, out, _ = one_session(net, ALLOWED + LUS, "PL")
    line = "0123456789" * 7
    record = b"\xf1\xc8" + (line.encode("cp037") + b"\x15") * 150 + b"\x19"
    check(len(record) > 2 * 4096, "the record is not long")
    p.wait_gone(p.submit("PL", record, "--form", "LU3"))
    wait_paper(out, (line + "\n") * 150)
    p.stop()


@options(seconds=240)
def test_client_goes(net):
    """A client that dies under a job over TLS: the job is marked and whole for
    the client that follows; one that is slow gets all of it."""
    p, _, first = one_session(net, REQUIRED + LUS, "PS")
    first.kill(signal.SIGSTOP)
    job = p.submit("PS", BIG * 4)
    p.wait_state(job, "ACTIVE")
    first.kill(signal.SIGKILL)
    p.wait_lu("PS", "NOCLIENT")
    check(p.wait_state(job, "READY")["repeat"], "the job is not marked")
    out = fresh("second")
    secure_pr3287(net, p, "PS", out)
    p.wait_gone(job)
    wait_paper(out, BIG * 4)
    p.stop()


@options(seconds=240)
def test_reload(net):
    """A new certificate is in force for those who come after the reload; who
    is there stays. A key file with a mistake changes nothing."""
    p, paper, _ = one_session(net, REQUIRED + LUS, "PS")
    make_ca("next")
    make_cert("next", "SERVER", "DNS:server.test")
    p.reload(REQUIRED + LUS)
    out = fresh("PL")
    c = secure_pr3287(net, p, "PL", fresh("no"))
    check(c.wait(PATIENCE) != 0, "the old certificate is still in force")
    secure_pr3287(net, p, "PL", out, ca="next")
    p.wait_lu("PL", "IDLE")
    for lu, path in (("PS", paper), ("PL", out)):
        p.wait_gone(p.submit(lu, TEXT))
        wait_paper(path, TEXT)
    with open(f"{CERTS}/SERVER.PEM", "w", encoding="ascii") as f:
        f.write("no key\n")
    before = p.ctl("QUERY", "DECK")
    check("nothing was changed" in p.reload(
        REQUIRED + LUS + "PRINTER PN BSTTVNET\n", status=1), "the bad key file")
    p.proc.says("CPLT001E OPEN", PATIENCE)
    check_equal(p.ctl("QUERY", "DECK"), before, "the deck")
    c = secure_pr3287(net, p, "PL", fresh("no"), ca="next")
    check(c.wait(PATIENCE) != 0, "PL was given twice")
    check("in use" in c.text().lower().replace("-", " ").replace("_", " "),
          c.text())
    p.stop()


@options(seconds=240)
def test_attacks(net):
    """What TLS does not let in: clear text behind FOLLOWS, garbage, a client
    that never begins; sessions beside it go on."""
    p, out, _ = one_session(net, REQUIRED + LUS, "PS")
    follows = b"\xff\xfb\x2e\xff\xfa\x2e\x01\xff\xf0"
    tn3270e = b"\xff\xfb\x28\xff\xfa\x28\x02\x07IBM-3287-1\x01PL\xff\xf0"
    for what in (follows + tn3270e, follows + bytes(5000),
                 b"\xff\xfb\x2e" + tn3270e, follows):
        got = talk(net, p, what, what != follows)
        check(b"\xff\xfd\x28" not in got, f"TN3270E in clear: {got!r}")
    check_equal(p.lu("PL")["state"], "NOCLIENT", "the state of PL")
    p.wait_gone(p.submit("PS", TEXT))
    wait_paper(out, TEXT)
    p.stop()


@options(seconds=240)
def test_key_process_dies(net):
    """Sessions that stand go on without the key process; new ones are refused
    with a reason."""
    p, out, _ = one_session(net, REQUIRED + LUS, "PS")
    kids = subprocess.run(["pgrep", "-P", str(p.proc.pid)],
                          capture_output=True, text=True, check=False)
    keys = [int(k) for k in kids.stdout.split() if "keys" in read(
        f"/proc/{k}/comm").decode() + read(f"/proc/{k}/cmdline").decode()]
    check(keys, f"no key process among {kids.stdout!r}")
    os.kill(keys[0], signal.SIGKILL)
    p.proc.says("CPLT728E", PATIENCE)
    p.wait_gone(p.submit("PS", TEXT))
    wait_paper(out, TEXT)
    c = secure_pr3287(net, p, "PL", fresh("no"))
    check(c.wait(PATIENCE) != 0, "a handshake without a key")
    p.stop()


# ---- hosts -----------------------------------------------------------------

@options(seconds=240)
def test_acquire(net):
    """printd as the client: a LU of a host (printd too) that requires
    START_TLS, one with TLS from the first byte, and the host's certificate
    checked; a host in clear is refused where TLS is required."""
    needs("openssl")
    certs()
    make_ca("other")
    lus = ("PRINTER H1 BSTTVNET SCS\nPRINTER H2 BSTTVNET SCS\n"
           "PRINTER H3 BSTTVNET SCS\nFILE PF BSTTVNET {work}/out\n"
           "FILE PG BSTTVNET {work}/out\n")
    check_ca = f"CAFILE {CERTS}/root.crt\nHANDSHAKE_CLIENT 0\n"
    p = Printd(net, REQUIRED + "OPEN {here} 7023 TLS\n" + lus + check_ca +
               "ACQUIRE PF {here} 6023 H1 STARTTLS REQUIRED\n"
               "ACQUIRE PG {here} 7023 H2 TLS\n"
               "ACQUIRE PG {here} 5023 H3 STARTTLS REQUIRED\n")
    out = fresh("out", folder=True)
    for lu in ("H1", "H2"):
        p.wait_lu(lu, "IDLE")
        p.wait_gone(p.submit(lu, TEXT))
    wait_for(lambda: len(os.listdir(out)) == 2, "two files", PATIENCE)
    for n in os.listdir(out):
        check_equal(read(f"{out}/{n}").decode(), TEXT, n)
    states = {a["name"]: a["state"] for a in p.query("ACQUIRE")}
    check("over TLS 1.3" in states["H1"], states)
    wait_for(lambda: "refuses TLS" in [
        a["state"] for a in p.query("ACQUIRE") if a["name"] == "H3"][0],
        "the host in clear to be refused", PATIENCE)
    # a host whose CA is another one is not believed
    p.reload(REQUIRED + lus + f"CAFILE {CERTS}/other.crt\nHANDSHAKE_CLIENT 0\n"
             "ACQUIRE PF {here} 6023 H2 STARTTLS REQUIRED\n")
    wait_for(lambda: "TLS:" in p.query("ACQUIRE")[0]["state"],
             "the certificate to be refused", PATIENCE)
    check_equal(p.lu("H2")["state"], "NOCLIENT", "the host's LU")
    p.stop()


if __name__ == "__main__":
    main(globals())
