#!/usr/bin/python3
"""printd under hard conditions: killed at any moment, thousands of clients,
a full disk.
"""

import os
import random
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (WORK, Failure, check, check_equal, main, needs,
                         options, run, sanitized, wait_for)
from couplet_print import (PATIENCE, EvePrinter, FakePrinter, Printd, cupsd, fresh, read,
                           read_all, vsftpd)
from tn_printer import Clients

# kills of each kind of session; tests/README has the command for a thousand
KILLS = int(os.environ.get("COUPLET_KILLS", "40"))
LONG = max(260, KILLS * 5)    # seconds that a kind may take on a busy machine
AHEAD = 20                    # jobs that may wait in the spool


# ---- kill -9 ---------------------------------------------------------------

def lpd_of(paper):
    """A line printer daemon that acknowledges as RFC 1179 says, and keeps the
    data file when it has acknowledged it."""
    def serve(conn, _n):
        conn.settimeout(PATIENCE)
        data, got = b"", b""

        def line():
            text = b""
            while not text.endswith(b"\n"):
                c = conn.recv(1)
                if not c:
                    return b""
                text += c
            return text
        if not line():
            return
        conn.sendall(b"\0")
        while True:
            head = line()
            if not head:
                break
            size = int(head[1:].split()[0])
            conn.sendall(b"\0")
            data = b""
            while len(data) < size + 1:
                piece = conn.recv(size + 1 - len(data))
                if not piece:
                    return
                data += piece
            if head[0] == 3:
                got = data[:-1]
                paper.append(got.decode())
            conn.sendall(b"\0")
    return serve


class Sender(threading.Thread):
    """Submits jobs to one LU without end; `accepted` are those that printd
    said it has. `ahead` of them wait in the spool, so that at every kill
    there are jobs on their way in and out, and few are left at the end."""

    def __init__(self, printd, lu, ahead=AHEAD):
        super().__init__(daemon=True)
        self.p, self.lu, self.ahead = printd, lu, ahead
        self.accepted, self.tried, self.stopped = {}, 0, False

    def waiting(self):
        return sum(n.endswith(".job") for n in os.listdir(self.p.spool))

    def run(self):
        path = f"{WORK}/send-{self.lu}"
        while not self.stopped:
            if self.waiting() >= self.ahead:
                time.sleep(0.02)      # enough to do; the kills go on
                continue
            self.tried += 1
            body = f"<{self.lu} {self.tried}>\n" + "".join(
                f"{self.lu} {self.tried} line {n}\n"
                for n in range(random.choice((1, 20, 2000)))) + \
                f"<end {self.lu} {self.tried}>\n"
            with open(path, "w", encoding="ascii") as f:
                f.write(body)
            r = subprocess.run(
                [self.p.tool("printctl"), "-i", self.p.id, "--run",
                 self.p.run_dir, "SUBMIT", self.lu, path],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                check=False)
            m = re.match(r"job (\d+) ", r.stdout)
            if r.returncode == 0 and m:
                self.accepted[int(m.group(1))] = body


def wait_gate(p):
    p.proc.says("CPLT002I", PATIENCE)


def crash_loop(p, senders):
    """Kills printd at random moments and starts it again: KILLS times, and on
    until so many jobs came that there was a stream to break. How often."""
    kills = 0
    while kills < KILLS or \
            sum(len(s.accepted) for s in senders) <= KILLS // 2:
        kills += 1
        time.sleep(random.random() ** 2 * 0.4)     # the moment is the test
        p.kill()
        p.logs.append(p.proc.path)
        p.start(wait=False)
        if random.random() < 0.8:                  # some die while starting
            wait_gate(p)
    return kills


def by_head(paper):
    """What is on paper, by the first lines of the jobs in it: there may be
    tens of thousands of both."""
    found = {}
    for x in paper:
        for head in set(re.findall(r"<\w+ \d+>", x)):
            found.setdefault(head, []).append(x)
    return found


def deliveries(found, body):
    """(whole, in part) of one job among what is on paper."""
    head = body.split("\n", 1)[0]
    mine = found.get(head, [])
    whole = sum(x.count(body) for x in mine)
    rest = "".join(x.replace(body, "") for x in mine)
    return whole, rest.count(head)


def judge(p, senders, papers):
    log = ""
    for path in p.logs + [p.proc.path]:
        log += read(path).decode(errors="replace")
    marked = {int(n) for n in re.findall(
        r"CPLT710I job (\d+) printed on .*MAY HAVE BEEN", log)}
    jobs = twice = 0
    for s in senders:
        found = by_head(papers[s.lu])
        for number, body in s.accepted.items():
            jobs += 1
            whole, part = deliveries(found, body)
            check(whole >= 1, f"job {number} of {s.lu} is lost or cut "
                  f"(whole {whole}, in part {part})")
            if whole + part > 1:
                twice += 1
                check(number in marked, f"job {number} of {s.lu} came "
                      f"{whole} times whole and {part} in part, and is not "
                      "marked")
    return jobs, twice, len(marked)


def run_crashes(net, lines, lus, papers, prepare=None, host=None):
    """host: another printd, not killed, that has the jobs."""
    p = Printd(net, lines, start=False)
    p.logs = []
    if prepare:
        prepare(p)
    p.start()
    asked = host or p
    senders = [Sender(asked, lu) for lu in lus]
    for s in senders:
        s.start()
    kills = crash_loop(p, senders)
    for s in senders:
        s.stopped = True
    for s in senders:
        s.join(PATIENCE)
    wait_gate(p)
    for who in {asked, p}:
        wait_for(lambda w=who: not w.query("JOBS"), "the spool to be empty",
                 PATIENCE * 3)
    jobs, twice, marked = judge(asked, senders, papers)
    print(f"{kills} kills, {jobs} jobs, {twice} of them came again, {marked} "
          "marked", flush=True)
    p.stop()


@options(seconds=LONG)
def test_crash_printer(net):
    """A TN3270E client."""
    papers = {}
    clients = []

    def prepare(p):
        clients.append(Clients(net, p.here, 5023, ["PC"], reconnect=True))
        papers["PC"] = clients[0].jobs["PC"]
    run_crashes(net, "PRINTER PC BSTTVNET SCS\n", ["PC"], papers, prepare)
    clients[0].stop()


@options(seconds=LONG)
def test_crash_direct(net):
    """Port 9100."""
    papers = {"PD": []}

    def prepare(p):
        def keep(conn, _n):
            papers["PD"].append("")
            at = len(papers["PD"]) - 1
            while True:
                piece = conn.recv(65536)
                if not piece:
                    return
                papers["PD"][at] += piece.decode()
        FakePrinter(net, p.there, 9100, keep)
    run_crashes(net, "DIRECT PD BSTTVNET {there} 9100 *\nLU PD RETRY 100MS\n",
                ["PD"], papers, prepare)


@options(seconds=LONG)
def test_crash_lpr(net):
    """A line printer daemon."""
    papers = {"PL": []}
    run_crashes(net, "LPR PL BSTTVNET {there} 5515 * q\nLU PL RETRY 100MS\n",
                ["PL"], papers,
                lambda p: FakePrinter(net, p.there, 5515,
                                      lpd_of(papers["PL"])))


class Folder:
    """Files of a folder as paper, read when looked at."""

    def __init__(self, path):
        self.path = path

    def __iter__(self):
        return iter([read(f"{self.path}/{n}").decode()
                     for n in os.listdir(self.path) if n[0] != "."])


@options(seconds=LONG)
def test_crash_file(net):
    """Files."""
    run_crashes(net, "FILE PF BSTTVNET {work}/out\n", ["PF"],
                {"PF": Folder(fresh("out", folder=True))})


@options(seconds=LONG)
def test_crash_ftp(net):
    """Debian's FTP server."""
    needs("vsftpd")
    papers = {}

    def prepare(p):
        papers["PT"] = Folder(vsftpd(net, p))
    run_crashes(net, "FTPP PT BSTTVNET {there} 2121 * prtuser secret\n"
                "LU PT RETRY 100MS\n", ["PT"], papers, prepare)


@options(seconds=LONG)
def test_crash_ipp(net):
    """Debian's CUPS, by IPP; its own printer is a port of ours. What CUPS has
    of a job that broke off is thrown away."""
    needs("cupsd")
    papers = {"PI": []}

    def prepare(p):
        def keep(conn, _n):
            papers["PI"].append(read_all(conn).decode())
        FakePrinter(net, p.there, 9100, keep)
        cupsd(net, p, {"q": f"socket://{p.there}:9100"})
    run_crashes(net, "IPP PI BSTTVNET ipp://{there}:8631/printers/q\n"
                "LU PI RETRY 100MS FORMAT TEXT\n", ["PI"], papers, prepare)


@options(seconds=LONG)
def test_crash_ipp_eve(net):
    """Debian's IPP Everywhere printer."""
    needs("ippeveprinter", "dbus-daemon")
    papers = {}

    def prepare(p):
        papers["PE"] = Folder(EvePrinter(net, p).paper)
    run_crashes(net, "IPP PE BSTTVNET ipp://{there}:8777/ipp/print\n"
                "LU PE RETRY 100MS FORMAT TEXT\n", ["PE"], papers, prepare)


def host_of(net):
    """A printd of its own with one printer LU for programs like ours."""
    host = Printd(net, "PRINTER H1 BSTTVNET SCS\nLU H1 RETRY 100MS\n",
                  spool=fresh("hostspool", folder=True), start=False)
    host.run_dir, host.port = WORK + "/hostrun", 5024
    host.deck, host.logs = WORK + "/host.deck", []
    os.makedirs(host.run_dir, exist_ok=True)
    if not net.kernel:      # its consoles lie apart, the stack is the same
        os.symlink(f"{net.run_dir}/{host.stack}",
                   f"{host.run_dir}/{host.stack}")
    host.start()
    return host


@options(seconds=LONG)
def test_crash_acquire(net):
    """The other direction: what is killed is the client of a host; the host
    has the jobs, and marks what it sent twice."""
    host = host_of(net)
    run_crashes(net, "FILE PF BSTTVNET {work}/out\nACQUIRE PF {here} 5024 H1\n",
                ["H1"], {"H1": Folder(fresh("out", folder=True))}, host=host)
    host.stop()


# ---- many ------------------------------------------------------------------

def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


@options(seconds=600, fd_limit=25000)
def test_many_clients(net):
    """2000 LUs with a client each (10,000 in a release build), at once; jobs
    to the first, the last and some between; what an idle LU costs."""
    n = 2000 if sanitized(net.build) else 10000
    lus = [f"P{i:05d}" for i in range(n)]
    p = Printd(net, "".join(f"PRINTER {lu} BSTTVNET SCS\n" for lu in lus))
    before = resident_kib(p.proc.pid)
    clients = Clients(net, p.here, 5023, lus)
    wait_for(lambda: clients.ready() == n, f"{n} clients", PATIENCE * 5,
             step=0.2)
    check_equal(p.query("ID")["clients"], n, "clients that printd sees")
    each = (resident_kib(p.proc.pid) - before) / n
    some = [lus[0], lus[-1]] + random.sample(lus, 30)
    for lu in some:
        p.submit(lu, f"for {lu}\n")
    wait_for(lambda: all(clients.jobs[lu] for lu in some), "the jobs",
             PATIENCE * 2)
    for lu in some:
        check_equal(set(clients.jobs[lu]), {f"for {lu}\n"}, lu)
    check(not any(clients.jobs[lu] for lu in lus if lu not in some),
          "a job came out of the wrong printer")
    print(f"{n} clients, {each:.1f} KiB each", flush=True)
    clients.stop()
    p.stop()


@options(seconds=240)
def test_disk_full(net):
    """A spool without room refuses jobs and keeps those it has."""
    small = fresh("small", folder=True)
    run(["mount", "-t", "tmpfs", "-o", "size=80m,mode=777", "tmpfs", small])
    p = Printd(net, "FILE PF BSTTVNET {work}/out\n", spool=small + "/spool")
    out = fresh("out", folder=True)
    p.ctl("STOP", "PF")
    job = p.submit("PF", "kept\n")
    path = WORK + "/big"
    with open(path, "wb") as f:
        f.write(b"x" * (40 << 20))
    text = p.ctl("SUBMIT", "PF", path, status=1)
    check("full" in text, text)
    p.kill()
    p.start()
    p.wait_gone(job)
    check_equal(read(f"{out}/PF-{job:08d}.txt"), b"kept\n", "the job")
    p.stop()


if __name__ == "__main__":
    main(globals())
