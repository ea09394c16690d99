"""Printing: printd beside CUPS. Jobs are queued while the printer is stopped;
the clock runs from its start until the last byte is on the paper of a sink
that both share. So what is measured is a queue's delivery, not the start of N
client programs; acceptance is measured on its own, one client program a job
for both.
"""

import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "net"))
from couplet_net import WORK, Failure, Net, remove_namespaces, wait_for
from couplet_print import (EvePrinter, FakePrinter, Printd, cupsd, fresh,
                           read_all, vsftpd)
from test_printd_hard import lpd_of, resident_kib
from tn_printer import Clients

KINDS = ("printd", "cups")
PAGE = "".join(f"line {n:2} of a page that nobody reads\n" for n in range(60))
IDLE = 5000


class Paper:
    """What both print to: port 9100 and an LPD queue."""

    def __init__(self, net, address):
        self.raw = FakePrinter(net, address, 9100, lambda c, n: read_all(c))
        self.lpd = []
        FakePrinter(net, address, 5515, lpd_of(self.lpd))

    def count(self, way):
        return len(self.raw.jobs if way == "9100" else self.lpd)

    def clear(self):
        del self.raw.jobs[:], self.lpd[:]


def files(n, pages):
    path = f"{WORK}/job-{n}-{pages}"
    with open(path, "w", encoding="ascii") as f:
        f.write((PAGE + "\f") * pages)
    return path


class WithPrintd:
    def __init__(self, net, deck="DIRECT L9100 BSTTVNET {there} 9100 *\n"
                 "LPR LLPR BSTTVNET {there} 5515 * q\n"):
        self.p = Printd(net, deck)      # the LU of a way is L + its name

    def submit(self, way, path):
        self.p.ctl("SUBMIT", "L" + way, path)

    def pause(self, way):
        self.p.ctl("STOP", "L" + way)

    def go(self, way):
        self.p.ctl("START", "L" + way)

    def close(self):
        self.p.stop()


class WithCups:
    def __init__(self, net):
        class Place:
            there = here = "127.0.0.1"
        self.net = net
        self.sock = cupsd(net, Place, {"raw9100": "socket://127.0.0.1:9100",
                                       "lpd": "lpd://127.0.0.1:5515/q?"
                                       "reserve=none"}) + "/sock"
        self.queues = {"9100": "raw9100", "lpr": "lpd"}

    def lp(self, *argv):
        self.net.h.run(list(argv[:1]) + ["-h", self.sock] + list(argv[1:]))

    def submit(self, way, path):
        self.lp("lp", "-d", self.queues[way], "-o", "raw", path)

    def pause(self, way):
        self.lp("cupsdisable", self.queues[way])

    def go(self, way):
        self.lp("cupsenable", self.queues[way])

    def close(self):
        pass


def deliver(who, paper, way, path, n):
    """Jobs a second: (accepted, delivered)."""
    paper.clear()
    who.pause(way)
    start = time.monotonic()
    for _ in range(n):
        who.submit(way, path)
    accepted = n / (time.monotonic() - start)
    start = time.monotonic()
    who.go(way)
    wait_for(lambda: paper.count(way) >= n, f"{n} jobs", 300, step=0.002)
    return accepted, n / (time.monotonic() - start)


def one(kind, net, n, pages):
    paper = Paper(net, "127.0.0.1")
    who = WithPrintd(net) if kind == "printd" else WithCups(net)
    out = {}
    small, big = files(1, 1), files(2, pages)
    for way in ("9100", "lpr"):
        accepted, rate = deliver(who, paper, way, small, n)
        out[f"print {way}, jobs/s"] = rate
        out["print accepted, jobs/s"] = accepted
        _, rate = deliver(who, paper, way, big, 1)
        out[f"print {way}, pages/s"] = rate * pages
    who.close()
    return out


class Folders:
    """Paper that is files: the folder of each way."""

    def __init__(self, **folders):
        self.folders = folders

    def count(self, way):
        return sum(n[0] != "." for n in os.listdir(self.folders[way]))

    def clear(self):
        for d in self.folders.values():
            for n in os.listdir(d):
                os.unlink(f"{d}/{n}")


def documents(net, n, pages):
    """Sessions that end in files: here, at an FTP server, at an IPP Everywhere
    printer. That one answers a job only when it has printed it, so fewer."""
    who = WithPrintd(net, "FILE LFILE BSTTVNET {work}/out\n"
                     "PDF LPDF BSTTVNET {work}/pdf\n"
                     "FTPP LFTP BSTTVNET {there} 2121 * prtuser secret\n"
                     "IPP LIPP BSTTVNET ipp://{there}:8777/ipp/print\n"
                     "LU LIPP FORMAT TEXT\n")
    paper = Folders(file=fresh("out", folder=True),
                    pdf=fresh("pdf", folder=True), ftp=vsftpd(net, who.p),
                    ipp=EvePrinter(net, who.p).paper)
    small, big = files(1, 1), files(2, pages)
    out = {}
    for way in paper.folders:
        _, rate = deliver(who, paper, way, small, n // 5 if way == "ipp"
                          else n)
        out[f"print {way}, jobs/s"] = rate
        _, rate = deliver(who, paper, way, big, 1)
        out[f"print {way}, pages/s"] = rate * pages
    who.close()
    return out


def tn3270e(net, n, pages):
    """What CUPS does not do."""
    lus = [f"P{i:05d}" for i in range(IDLE)]
    few = Printd(net, "PRINTER P BSTTVNET SCS\n")
    alone = resident_kib(few.proc.pid)
    few.stop()
    p = Printd(net, "".join(f"PRINTER {lu} BSTTVNET SCS\n" for lu in lus)
               + "PRINTER LU3 BSTTVNET\n")
    before = resident_kib(p.proc.pid)
    clients = Clients(net, p.here, 5023, lus)
    wait_for(lambda: clients.ready() == IDLE, "the clients", 120, step=0.1)
    out = {"print idle LU, KiB": (before - alone) / IDLE,
           "print its client, KiB": (resident_kib(p.proc.pid) - before)
           / IDLE}
    lu3 = Clients(net, p.here, 5023, ["LU3"])
    for kind, lu, jobs in (("SCS", lus[7], clients.jobs[lus[7]]),
                           ("LU3", "LU3", lu3.jobs["LU3"])):
        for path, count, name, unit in (
                (files(1, 1), n, "jobs/s", 1),
                (files(2, pages), 1, "pages/s", pages)):
            del jobs[:]
            p.ctl("STOP", lu)
            for _ in range(count):
                p.ctl("SUBMIT", lu, path)
            start = time.monotonic()
            p.ctl("START", lu)
            wait_for(lambda j=jobs, c=count: len(j) >= c, "the jobs", 300,
                     step=0.002)
            out[f"print TN3270E {kind}, {name}"] = \
                count * unit / (time.monotonic() - start)
    lu3.stop()
    clients.stop()
    p.stop()
    return out


def one_round(args, results, errors):
    n, pages = (30, 500) if args.quick else (150, 3000)
    alone = {"tn3270e": tn3270e, "documents": documents}
    for kind in KINDS + tuple(alone):
        print(f"  {kind}", file=sys.stderr, flush=True)
        try:
            with Net(args.build, kernel=True, fd_limit=25000) as net:
                row = alone[kind](net, n, pages) if kind in alone \
                    else one(kind, net, n, pages)
            name = "printd" if kind in alone else kind
            for k, v in row.items():
                results.setdefault(k, {}).setdefault(name, []).append(v)
        except (Failure, OSError, subprocess.SubprocessError) as e:
            errors.append(f"{kind} print: {e}")
        finally:
            remove_namespaces()
