#!/usr/bin/python3
"""printd's TN3270E corners with pr3287 and s3270: each reason to reject from
the deck that causes it, partner printers, plain TN3270, the keepalive and who
takes over from a dead holder, the BIND that a client sees.
"""

import glob
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (WORK, Proc, check, main, needs, options, wait_for)
from couplet_print import PATIENCE, Printd, fresh, pr3287, wait_paper

TEXT = "Gr\u00fc\u00dfe\n\n  two blanks  and more\n"
DECK = """TERMINAL T001 GENERIC
TERMINAL T002 GENERIC
PRINTER PA BSTTVNET SCS
PRINTER PT BSTTVNET
LU PT TERMINAL T001 GENERIC OFF
DIRECT PX BSTTVNET {there} 9100 *
"""


def refused(net, p, lu, reason, *words):
    """A pr3287 that must end with this reason."""
    c = pr3287(net, p, lu, fresh("no"), *words, lu_first=bool(lu))
    check(c.wait(PATIENCE) != 0, f"{lu} {words} was let in")
    said = c.text().upper().replace("_", "-").replace(" ", "-")
    check(reason in said, f"{lu} {words}: {c.text()!r}, not {reason}")


@options(seconds=200)
def test_reasons(net):
    """RFC 2355 7.1.5, each from the deck that causes it."""
    needs("pr3287")
    p = Printd(net, DECK)
    refused(net, p, "NOSUCH", "INV-NAME")
    refused(net, p, "T001", "TYPE-NAME-ERROR")     # a terminal
    refused(net, p, "PX", "TYPE-NAME-ERROR")       # no printer of TN3270E
    refused(net, p, "PT", "CONN-PARTNER")          # its terminal's only
    refused(net, p, "", "INV-NAME", "-assoc", "NOSUCH")
    refused(net, p, "", "INV-ASSOCIATE", "-assoc", "T002")  # no partner
    pr3287(net, p, "", fresh("t"), "-assoc", "T001", lu_first=False)
    p.wait_lu("PT", "IDLE")
    refused(net, p, "", "DEVICE-IN-USE", "-assoc", "T001")
    pr3287(net, p, "", fresh("a"), lu_first=False)
    p.wait_lu("PA", "IDLE")
    refused(net, p, "", "DEVICE-IN-USE")           # no free one is left
    p.wait_gone(p.submit("PT", TEXT))
    wait_paper(f"{WORK}/t", TEXT)
    p.stop()


@options(seconds=120)
def test_displays_are_refused(net):
    """A terminal that comes to the printers' port goes away, and disturbs
    nobody."""
    needs("pr3287", "s3270")
    p = Printd(net, DECK)
    pr3287(net, p, "PA", fresh("a"))
    p.wait_lu("PA", "IDLE")
    script = f"{WORK}/script"
    with open(script, "w", encoding="ascii") as f:
        f.write(f"Connect(T001@{p.here}:5023)\nWait(60,Disconnect)\nQuit()\n")
    with open(script, "rb") as f:
        c = net.keep(Proc(net.h.argv(["s3270"]), stdin=f))
    c.wait(PATIENCE)
    p.wait_gone(p.submit("PA", TEXT))
    wait_paper(f"{WORK}/a", "\n".join(line.rstrip() for line in
                                      TEXT.split("\n")))
    wait_for(lambda: p.query("ID")["clients"] == 1, "s3270 to be gone",
             PATIENCE)
    p.stop()


class PlainPrinter:
    """A printer that refuses TN3270E: pr3287 4.1 cannot be told to, and
    other clients (RFC 1646) do. Its own few lines of Telnet."""

    IAC, DONT, DO, WONT, WILL, SB, SE, EOR, AO = \
        b"\xff", 254, 253, 252, 251, 250, 240, 239, 245

    def __init__(self, net, address, lu):
        with net.h:
            self.s = socket.create_connection((address, 5023), PATIENCE)
        self.lu, self.records, self.jobs = lu, [], 0
        self.record = b""
        threading.Thread(target=self.run, daemon=True).start()

    def send(self, *b):
        self.s.sendall(b"".join(x if isinstance(x, bytes) else bytes([x])
                                for x in b))

    def run(self):
        f = self.s.makefile("rb")
        try:
            while (c := f.read(1)):
                if c != self.IAC:
                    self.record += c
                else:
                    self.command(f.read(1)[0], f)
        except OSError:
            pass

    def command(self, c, f):
        if c == 255:
            self.record += self.IAC
        elif c in (self.DO, self.WILL):
            option = f.read(1)[0]
            ours = c == self.DO
            yes = option in (0, 25) or (ours and option == 24)
            self.send(self.IAC, (self.WILL if yes else self.WONT) if ours
                      else (self.DO if yes else self.DONT), option)
        elif c in (self.DONT, self.WONT):
            f.read(1)
        elif c == self.SB:
            while f.read(1) != self.IAC:
                pass
            f.read(1)
            self.send(self.IAC, self.SB, 24, 0, b"IBM-3287-1@" +
                      self.lu.encode(), self.IAC, self.SE)
        elif c == self.EOR:
            self.records.append(self.record)
            self.record = b""
            self.send(b"\x01\x6c\xd9\x02\x00", self.IAC, self.EOR)
        elif c == self.AO:
            self.jobs += 1


@options(seconds=120)
def test_plain_tn3270(net):
    """RFC 1646: no TN3270E; the LU comes with the terminal type, records have
    no header, each is answered by a status, AO ends a job."""
    p = Printd(net, "PRINTER PP BSTTVNET\nLU PP CODEPAGE IBM-037\n")
    c = PlainPrinter(net, p.here, "PP")
    p.wait_lu("PP", "IDLE")
    p.wait_gone(p.submit("PP", "HI\n"))
    p.wait_gone(p.submit("PP", "HO\n"))
    wait_for(lambda: c.jobs == 2, "two ends of jobs", PATIENCE)
    check(c.records == [b"\xf1\xc8\xc8\xc9\x15\x19",
                        b"\xf1\xc8\xc8\xd6\x15\x19"], f"{c.records}")
    PlainPrinter(net, p.here, "PP")
    p.proc.says("BSTT075E LUNAME NOT AVAIL PP", PATIENCE)
    p.stop()


@options(seconds=200)
def test_a_dead_holder_is_taken_over(net):
    """A client that answers no TIMING-MARK loses its LU to the next."""
    needs("pr3287")
    p = Printd(net, "PRINTER PK BSTTVNET SCS\nLU PK KEEPALIVE 1S\n")
    dead = pr3287(net, p, "PK", fresh("dead"))
    p.wait_lu("PK", "IDLE")
    dead.kill(signal.SIGSTOP)
    p.wait_lu("PK", "NOCLIENT")
    out = fresh("alive")
    pr3287(net, p, "PK", out)
    p.wait_lu("PK", "IDLE")
    p.wait_gone(p.submit("PK", "alive\n"))
    wait_paper(out, "alive\n")
    dead.kill(signal.SIGKILL)
    p.stop()


@options(seconds=200)
def test_a_request_probes_the_holder(net):
    """With the keepalive far away, who asks for a LU makes printd ask its
    holder for life: one that answers keeps it, one that does not loses it."""
    needs("pr3287")
    p = Printd(net, "PRINTER PK BSTTVNET SCS\nLU PK KEEPALIVE 10000S\n")
    first, out = pr3287(net, p, "PK", fresh("first")), fresh("alive")
    p.wait_lu("PK", "IDLE")
    refused(net, p, "PK", "DEVICE-IN-USE")
    p.wait_gone(p.submit("PK", "still mine\n"))
    wait_paper(f"{WORK}/first", "still mine\n")
    first.kill(signal.SIGSTOP)
    pr3287(net, p, "PK", out)
    p.proc.says("does not answer the keepalive", PATIENCE)
    p.wait_lu("PK", "IDLE")
    p.wait_gone(p.submit("PK", "alive\n"))
    wait_paper(out, "alive\n")
    first.kill(signal.SIGKILL)
    # the operator is faster; who asked and left again is forgotten
    p.ctl("REACT", "PK")
    last = fresh("last")
    second = pr3287(net, p, "PK", last)
    p.wait_lu("PK", "IDLE")
    second.kill(signal.SIGSTOP)
    hasty = pr3287(net, p, "PK", fresh("hasty"))
    wait_for(lambda: p.query("ID")["clients"] == 2, "who asks", PATIENCE)
    hasty.kill(signal.SIGKILL)
    wait_for(lambda: p.query("ID")["clients"] == 1, "it to be gone", PATIENCE)
    pr3287(net, p, "PK", last)
    wait_for(lambda: p.query("ID")["clients"] == 2, "who asks", PATIENCE)
    p.ctl("REACT", "PK")
    p.wait_gone(p.submit("PK", "last\n"))
    wait_paper(last, "last\n")
    second.kill(signal.SIGKILL)
    p.stop()


def trace(folder):
    """What pr3287 has traced so far."""
    text = ""
    for name in glob.glob(folder + "/*"):
        with open(name, encoding="utf-8", errors="replace") as f:
            text += f.read()
    return text


@options(seconds=120)
def test_bind_names_the_application(net):
    """The BIND image has LU type and application; UNBIND follows a job."""
    needs("pr3287")
    p = Printd(net, "PRINTER PN CICSPRT SCS\nPRINTER PL CICSPRT\n")
    for lu in ("PN", "PL"):
        folder = fresh("trace" + lu, folder=True)
        out = fresh(lu)
        net.host(["pr3287", "-trace", "-tracedir", folder, "-command",
                  f"cat >>{out}", f"{lu}@{p.here}:5023"], name="pr3287")
        p.wait_lu(lu, "IDLE")
        p.wait_gone(p.submit(lu, "x\n"))
        wait_paper(out, "x\n")
        wait_for(lambda: "(UNBIND" in trace(folder) or lu == "PL",
                 "UNBIND after a job of SCS", PATIENCE)
        text = trace(folder)
        check("BIND-IMAGE NO-RESPONSE" in text,
              f"no BIND in the trace of {lu}: {text[-500:]}")
        check("c3c9c3e2d7d9e3" in "".join(text.lower().split()),
              f"{lu}: the PLU name is not CICSPRT")
    # LU3 has no formats that would outlive a job: it stays bound
    p.wait_gone(p.submit("PL", "y\n"))
    wait_paper(out, "x\ny\n")
    check("(UNBIND" not in trace(folder), "UNBIND of a LU3")
    p.stop()


if __name__ == "__main__":
    main(globals())
