#!/usr/bin/python3
"""printd's deck read again while it works: LUs that come, change and go,
listeners, mistakes, and that no job is lost or printed twice over it.
"""

import os
import random
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import WORK, check, check_equal, main, needs, options, wait_for
from couplet_print import (PATIENCE, EvePrinter, FakePrinter, Printd, fresh,
                           p910nd, pr3287, read, read_all, vsftpd, wait_paper)
from test_printd_hard import Folder, Sender, judge, lpd_of

SCS = "PRINTER PA BSTTVNET SCS\n"
FILE = "FILE PF BSTTVNET {work}/out\n"
BIG = "".join(f"line {n}\n" for n in range(200000))
RELOADS = int(os.environ.get("COUPLET_RELOADS", "50"))


def times(p, word):
    return p.proc.text().count(word)


def names(p):
    return [lu["lu"] for lu in p.query("LU")]


def stopped_in_a_job(net, p, out, *texts):
    """A pr3287 for PA that is stopped with the first of these jobs in hand:
    (it, the jobs)."""
    needs("pr3287")
    fresh("out", folder=True)
    c = pr3287(net, p, "PA", out)
    p.wait_lu("PA", "IDLE")
    c.kill(signal.SIGSTOP)
    jobs = [p.submit("PA", text) for text in texts]
    p.wait_state(jobs[0], "ACTIVE")
    return c, jobs


def settle(p, senders, papers):
    """No more jobs; judge() when all are out."""
    for s in senders:
        s.stopped = True
    for s in senders:
        s.join(PATIENCE)
    wait_for(lambda: not p.query("JOBS"), "the spool to be empty",
             PATIENCE * 3)
    return judge(p, senders, papers)


# ---- sessions --------------------------------------------------------------

@options(seconds=240)
def test_session_stays(net):
    """A pr3287 in the middle of a job, stopped so that the job is in hand:
    LUs come and go around it, and it has the job once, whole, in the session
    that it began."""
    p = Printd(net, SCS)
    out = fresh("paper")
    c, (job,) = stopped_in_a_job(net, p, out, BIG)
    check("2 LUs" in p.reload("PRINTER PZ BSTTVNET\n" + SCS), "what it says")
    check_equal(names(p), ["PZ", "PA"], "the LUs")
    p.write_deck(SCS + FILE)
    p.proc.kill(signal.SIGHUP)
    wait_for(lambda: names(p) == ["PA", "PF"], "the LUs after SIGHUP",
             PATIENCE)
    check("FILE PF BSTTVNET" in p.ctl("QUERY", "DECK"), "QUERY DECK")
    check_equal(p.lu("PA")["job"], job, "the job in hand")
    c.kill(signal.SIGCONT)
    p.wait_gone(job)
    wait_paper(out, BIG)
    check_equal(times(p, "CPLT720I LU PA"), 1, "sessions of PA")
    check(c.alive(), "pr3287 has ended")
    p.stop()


@options(seconds=240)
def test_gone_and_back(net):
    """A LU that the deck no longer has ends the job in hand; what waits behind
    it is held with the reason, over an end of printd too, and comes out when
    the LU is back; a client of it is told to go."""
    p = Printd(net, SCS + FILE)
    out = fresh("paper")
    c, jobs = stopped_in_a_job(net, p, out, BIG, "second\n", "third\n")
    p.reload(FILE)
    check_equal(p.lu("PA")["state"], "LEAVING", "the state of PA")
    for job in jobs[1:]:
        j = p.job(job)
        check_equal((j["state"], j["reason"]),
                    ("HELD", "LU PA is not in the deck"), "a job that waits")
    check_equal(len(p.query("JOBS", "STATE", "HELD")), 2, "jobs held")
    text = p.ctl("RELEASE", jobs[1], status=1)
    check("not in the deck" in text, text)
    check("no such LU" in p.ctl("SUBMIT", "PA", "/etc/hostname", status=1),
          "a new job for PA")
    c.kill(signal.SIGCONT)
    p.wait_gone(jobs[0])
    p.proc.says("CPLT709I LU PA", PATIENCE)
    check_equal(names(p), ["PF"], "the LUs")
    wait_paper(out, BIG)
    wait_for(lambda: not c.alive(), "pr3287 to end", PATIENCE)
    p.kill()
    p.start()
    check_equal(p.job(jobs[1])["state"], "HELD", "a job after a start")
    p.ctl("MOVE", jobs[2], "PF")
    p.wait_gone(jobs[2])
    p.reload(SCS + FILE)
    p.wait_lu("PA", "NOCLIENT")
    check_equal(p.job(jobs[1])["state"], "READY", "a job whose LU is back")
    back = fresh("back")
    pr3287(net, p, "PA", back)
    p.wait_gone(jobs[1])
    wait_paper(back, "second\n")
    p.stop()


@options(seconds=240)
def test_comes_back_at_once(net):
    """A LU that is back in the deck before its last job is over never went."""
    p = Printd(net, SCS + FILE)
    out = fresh("paper")
    c, jobs = stopped_in_a_job(net, p, out, BIG, "second\n")
    for _ in range(3):
        p.reload(FILE)
        p.reload(FILE + SCS)
    check_equal(p.lu("PA")["state"], "SENDING", "the state of PA")
    check_equal(p.lu("PA")["queued"], 2, "its jobs")
    c.kill(signal.SIGCONT)
    for job in jobs:
        p.wait_gone(job)
    wait_paper(out, BIG + "second\n")
    check_equal(times(p, "CPLT720I LU PA"), 1, "sessions of PA")
    # the operator does not wait for a last job that never ends
    c.kill(signal.SIGSTOP)
    job = p.submit("PA", BIG)
    p.wait_state(job, "ACTIVE")
    p.reload(FILE)
    p.ctl("KILL", "PA")
    p.proc.says("CPLT709I LU PA", PATIENCE)
    check_equal(p.job(job)["repeat"], True, "the mark")
    check_equal(p.job(job)["state"], "HELD", "the state of its job")
    p.stop()


# ---- definitions that change -----------------------------------------------

@options(seconds=240)
def test_address_changes(net):
    """A printer that does not answer gets its right address: the job goes
    there at once. One in hand that may be on paper is ended where it is."""
    needs("p910nd")
    paper = fresh("paper")
    gate = []

    def slow(conn, _n):
        first = conn.recv(1)
        wait_for(lambda: gate, "the gate", PATIENCE * 2)
        return first + read_all(conn)
    p = Printd(net, "DIRECT PD BSTTVNET {there} 9109 *\nLU PD RETRY 3600S\n")
    p910nd(net, p, paper)
    job = p.submit("PD", "moved\n")
    p.wait_lu("PD", "WAITING")
    p.reload("DIRECT PD BSTTVNET {there} 9100 *\nLU PD RETRY 3600S\n")
    p.wait_gone(job)
    wait_paper(paper, "moved\n")
    old = FakePrinter(net, p.there, 9105, slow)
    p.reload("DIRECT PD BSTTVNET {there} 9105 *\n")
    first = p.submit("PD", "to the old one\n")
    p.wait_state(first, "SENT")
    second = p.submit("PD", "to the new one\n")
    p.reload("DIRECT PD BSTTVNET {there} 9100 *\nLU PD CONNECT 20S\n")
    lu = p.lu("PD")
    check("9105" in lu["printer"] and lu["reason"].startswith("changes after"),
          str(lu))
    gate.append(True)
    for job in (first, second):
        p.wait_gone(job)
    check_equal(old.jobs, [b"to the old one\n"], "what the old one has")
    wait_paper(paper, "moved\nto the new one\n")
    check("9100" in p.lu("PD")["printer"], "where it goes now")
    p.stop()


@options(seconds=240)
def test_settings_change(net):
    """Options take force with the next job and the client stays; another data
    stream, or another kind, is another session."""
    needs("pr3287")
    p = Printd(net, SCS + "LU PA SEPARATOR OFF\n")
    out = fresh("paper")
    pr3287(net, p, "PA", out)
    p.wait_lu("PA", "IDLE")
    p.wait_gone(p.submit("PA", "plain\n"))
    wait_paper(out, "plain\n")
    p.reload(SCS + "LU PA SEPARATOR ON KEEPALIVE 30S\n")
    p.wait_gone(p.submit("PA", "again\n"))
    wait_for(lambda: b"again" in read(out), "the second job", PATIENCE)
    check(b"LU      PA" in read(out), "a separator page")
    check_equal(times(p, "CPLT720I LU PA"), 1, "sessions of PA")
    p.reload("PRINTER PA BSTTVNET\n")
    p.wait_lu("PA", "NOCLIENT")
    check_equal(p.lu("PA")["stream"], "LU3", "its data stream")
    fresh("out", folder=True)
    p.reload("FILE PA BSTTVNET {work}/out\n")
    job = p.submit("PA", "a file\n")
    p.wait_gone(job)
    check_equal(read(f"{WORK}/out/PA-{job:08d}.txt"), b"a file\n", "the file")
    p.stop()


@options(seconds=240)
def test_redirect_and_backup(net):
    """A redirection ends with its target."""
    p = Printd(net, FILE + "FILE PG BSTTVNET {work}/out\n")
    out = fresh("out", folder=True)
    p.ctl("REDIRECT", "PF", "TO", "PG")
    p.wait_gone(p.submit("PF", "there\n"))
    check(any(n.startswith("PG-") for n in os.listdir(out)), "redirected")
    p.reload(FILE)
    check_equal(p.lu("PF")["redirect"], None, "the redirection")
    p.proc.says("LU PF: its redirection has ended", PATIENCE)
    p.wait_gone(p.submit("PF", "here\n"))
    check(any(n.startswith("PF-") for n in os.listdir(out)), "not redirected")
    p.stop()


@options(seconds=240)
def test_job_comes_in(net):
    """A LU goes while a job for it is half received: the sender is told that
    it was accepted, and it is held like the others."""
    deck = FILE + "LPD {here} 5515\n"
    p = Printd(net, deck + "FILE PG BSTTVNET {work}/out\n")
    fresh("out", folder=True)
    with net.h:
        s = socket.create_connection((p.here, 5515), timeout=PATIENCE)
    data = b"first half\nsecond half\n"
    control = b"Hhost\nPuser\nldfA001host\n"

    def say(what):
        s.sendall(what)
        check_equal(s.recv(1), b"\0", f"the answer to {what!r}")
    say(b"\2PG\n")
    say(b"\3%d dfA001host\n" % len(data))
    s.sendall(data[:10])
    p.reload(deck)
    say(data[10:] + b"\0")
    say(b"\2%d cfA001host\n" % len(control))
    say(control + b"\0")
    s.close()
    job, = p.query("JOBS")
    check_equal((job["lu"], job["state"], job["reason"]),
                ("PG", "HELD", "LU PG is not in the deck"), "the job")
    p.proc.says(f"CPLT711A job {job['job']} of PG", PATIENCE)
    p.reload(deck + "FILE PG BSTTVNET {work}/out\n")
    p.wait_gone(job["job"])
    check_equal(read(f"{WORK}/out/PG-{job['job']:08d}.txt"), data, "the file")
    p.stop()


@options(seconds=240)
def test_acquire(net):
    """ACQUIRE that is the same keeps its connection; one that is gone leaves
    its host, one that is new takes a LU there."""
    lus = ("PRINTER HOST1 BSTTVNET SCS\nPRINTER HOST2 BSTTVNET SCS\n"
           "FILE PF BSTTVNET {work}/out\n")
    first = "ACQUIRE PF {here} 5023 HOST1\n"
    second = "ACQUIRE PF {here} 5023 HOST2\n"
    p = Printd(net, lus + first)
    out = fresh("out", folder=True)
    p.wait_lu("HOST1", "IDLE")
    p.reload(lus + second + first)
    p.wait_lu("HOST2", "IDLE")
    check_equal(times(p, "CPLT720I LU HOST1"), 1, "sessions of HOST1")
    p.reload(lus + second)
    p.wait_lu("HOST1", "NOCLIENT")
    check_equal([a["name"] for a in p.query("ACQUIRE")], ["HOST2"],
                "what is acquired")
    p.wait_gone(p.submit("HOST2", "from the host\n"))
    wait_for(lambda: any(read(f"{out}/{n}") == b"from the host\n"
                         for n in os.listdir(out)), "the job", PATIENCE)
    p.stop()


# ---- places ----------------------------------------------------------------

@options(seconds=240)
def test_listeners(net):
    """OPEN, LPD and METRICS open and close with the deck; a client that came
    by a place that is gone stays."""
    needs("pr3287")
    p = Printd(net, SCS + FILE + "OPEN {here} 6023\n")
    fresh("out", folder=True)

    def listens(port):
        r = net.h.run(["ss", "-Hltn", f"sport = :{port}"])
        return str(port) in r
    metrics = f"{p.run_dir}/printd-{p.id}/metrics"
    out = fresh("paper")
    pr3287(net, p, "PA", out, port=6023)
    p.wait_lu("PA", "IDLE")
    p.reload(SCS + FILE + "OPEN {here} 7023\nLPD {here} 5515\n"
             f"METRICS {metrics}\n")
    check_equal([listens(n) for n in (5023, 6023, 7023, 5515)],
                [True, False, True, True], "ports")
    check_equal(times(p, "CPLT726I listening at " + p.here + ":5023"), 1,
                "times that 5023 was opened")
    wait_for(lambda: os.path.exists(metrics), "METRICS", PATIENCE)
    p.wait_gone(p.submit("PA", "still here\n"))
    wait_paper(out, "still here\n")
    p.reload(SCS + FILE)
    check_equal([listens(n) for n in (5023, 7023, 5515)],
                [True, False, False], "ports")
    check(not os.path.exists(metrics), "METRICS stays")
    p.stop()


# ---- mistakes --------------------------------------------------------------

@options(seconds=240)
def test_bad_deck(net):
    """A mistake anywhere leaves the deck in force as it is, whole, and is told
    with line and operand."""
    p = Printd(net, SCS + FILE)
    fresh("out", folder=True)
    before = p.ctl("QUERY", "DECK")
    good = SCS + "FILE PN BSTTVNET {work}/out\nOPEN {here} 6023\n"
    bad = {
        "LINES 700\n": ("LU PN LINES 700\n", "printd.deck:6:13"),
        "an unknown command": ("PRONTER PX BSTTVNET\n", "PRONTER"),
        "no address": ("LPD nosuch.lpd.invalid 5515\n", "nosuch.lpd.invalid"),
        "no such password": ("FTP PT BSTTVNET {there} 21 * me "
                             "FILE:{work}/nosuch\n", "nosuch"),
        "no such folder": ("METRICS {work}/nosuch/m2\n", "nosuch/m2"),
    }
    for what, (line, told) in bad.items():
        text = p.reload(good + line, status=1)
        check("nothing was changed" in text, f"{what}: {text}")
        p.proc.says(told, PATIENCE)
        check_equal(p.ctl("QUERY", "DECK"), before, f"the deck after {what}")
        check_equal(names(p), ["PA", "PF"], f"the LUs after {what}")
    check("6023" not in net.h.run(["ss", "-Hltn"]), "a listener of a bad deck")
    spool, p.spool = p.spool, p.spool + "2"
    p.reload(good, status=1)
    p.proc.says("SPOOL", PATIENCE)
    p.spool = spool
    text = p.text().replace("ID *", "ID 42")
    with open(p.deck, "w", encoding="utf-8") as f:
        f.write(text)
    p.ctl("RELOAD", status=1)
    p.proc.says("CPLT001E ID", PATIENCE)
    os.unlink(p.deck)
    p.ctl("RELOAD", status=1)
    check_equal(p.ctl("QUERY", "DECK"), before, "the deck after all")
    p.wait_gone(p.submit("PF", "works\n"))
    p.reload(good)
    check_equal(names(p), ["PA", "PN"], "the LUs of a good deck")
    p.stop()


# ---- under load ------------------------------------------------------------

def decks(rng):
    """Decks without end: PF stays and changes, PG and PH come and go."""
    while True:
        yield ("LU * RETRY 100MS\n" + FILE
               + rng.choice(("", "LU PF COLUMNS 80\n", "LU PF LINES 60\n"))
               + rng.choice(("", "FILE PG BSTTVNET {work}/out\n"))
               + rng.choice(("", "FILE PH BSTTVNET {work}/out\n"
                             "OPEN {here} 6023\n")))


@options(seconds=1200)
def test_many_reloads(net):
    """A stream of jobs to LUs that change, go and come back: each comes out
    once."""
    papers = Folder(fresh("out", folder=True))
    rng = random.Random(os.environ.get("COUPLET_SEED", "1"))
    deck = decks(rng)
    whole = FILE + "FILE PG BSTTVNET {work}/out\nFILE PH BSTTVNET {work}/out\n"
    p = Printd(net, whole)
    p.logs = []
    senders = [Sender(p, lu, 400) for lu in ("PF", "PG", "PH")]
    for s in senders:
        s.start()
    for _ in range(RELOADS):
        p.reload(next(deck))
        time.sleep(rng.random() * 0.2)      # jobs in between
    p.reload(whole)
    jobs, twice, marked = settle(p, senders, dict.fromkeys(
        ("PF", "PG", "PH"), papers))
    check(jobs >= RELOADS // 2, f"only {jobs} jobs")
    check_equal((twice, marked), (0, 0), "jobs that came twice, marks")
    print(f"{RELOADS} reloads, {jobs} jobs", flush=True)
    p.stop()


@options(seconds=1200)
def test_many_reloads_of_all_kinds(net):
    """The same with a printer of each kind behind: what a session holds of
    its definition is the new deck's, or a copy."""
    needs("vsftpd", "ippeveprinter", "dbus-daemon")
    direct, lpr = [], []
    p = Printd(net, FILE, start=False)
    p.logs = []
    ftp = vsftpd(net, p)
    eve = EvePrinter(net, p)

    def keep(conn, _n):
        direct.append(read_all(conn).decode())
    FakePrinter(net, p.there, 9100, keep)
    FakePrinter(net, p.there, 5515, lpd_of(lpr))
    papers = {"PD": direct, "PL": lpr, "PT": Folder(ftp),
              "PI": Folder(eve.paper)}
    lus = ("DIRECT PD BSTTVNET {there} 9100 *\n"
           "LPR PL BSTTVNET {there} 5515 * q\n"
           "FTPP PT BSTTVNET {there} 2121 * prtuser secret\n"
           "IPP PI BSTTVNET ipp://{there}:8777/ipp/print\n"
           "LU PI FORMAT TEXT\n")
    p.lines = lus
    p.start()
    senders = [Sender(p, lu, 60) for lu in papers]
    for s in senders:
        s.start()
    rng = random.Random(os.environ.get("COUPLET_SEED", "3"))
    for _ in range(RELOADS):
        p.reload(rng.choice(("", "PRINTER PX BSTTVNET\n")) + lus + "".join(
            f"LU {lu} COLUMNS 255\n" for lu in papers if rng.random() < 0.3))
        time.sleep(rng.random() * 0.2)      # jobs in between
    jobs, twice, marked = settle(p, senders, papers)
    check(jobs >= RELOADS // 2, f"only {jobs} jobs")
    check_equal((twice, marked), (0, 0), "jobs that came twice, marks")
    print(f"{RELOADS} reloads, {jobs} jobs", flush=True)
    p.stop()


@options(seconds=1200)
def test_killed_in_reload(net):
    """kill -9 around the moment of a reload: what is on disk is whole, and
    each job comes out once, or marked."""
    papers = Folder(fresh("out", folder=True))
    rng = random.Random(os.environ.get("COUPLET_SEED", "2"))
    deck = decks(rng)
    p = Printd(net, FILE)
    p.logs = []
    senders = [Sender(p, lu, 400) for lu in ("PF", "PG")]
    for s in senders:
        s.start()
    for _ in range(max(RELOADS // 3, 10)):
        p.write_deck(next(deck))
        p.proc.kill(signal.SIGHUP)
        time.sleep(rng.random() * 0.03)     # the moment is the test
        p.kill()
        p.logs.append(p.proc.path)
        p.start()
    p.reload(FILE + "FILE PG BSTTVNET {work}/out\n")
    jobs, twice, marked = settle(p, senders, dict.fromkeys(("PF", "PG"),
                                                           papers))
    print(f"{len(p.logs)} kills, {jobs} jobs, {twice} of them came again, "
          f"{marked} marked", flush=True)
    p.stop()


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        w = f.read().rsplit(")", 1)[1].split()
    return (int(w[11]) + int(w[12])) / os.sysconf("SC_CLK_TCK")


@options(seconds=300)
def test_ten_thousand(net):
    """10,000 LUs: one more, one less and one that changed cost no second of
    the processor; all of them gone and back neither."""
    lus = [f"PRINTER P{n:05d} BSTTVNET SCS\n" if n % 2 else
           f"DIRECT P{n:05d} BSTTVNET {{there}} 9100 *\n"
           for n in range(10000)]
    p = Printd(net, "".join(lus))
    figures = []
    for deck in (lus, lus[1:] + ["PRINTER PNEW BSTTVNET\n"],
                 ["LU * COLUMNS 80\n"] + lus, lus[:1], lus):
        before, start = cpu_s(p.proc.pid), time.monotonic()
        p.reload("".join(deck))
        figures.append((cpu_s(p.proc.pid) - before,
                        time.monotonic() - start))
        check_equal(p.query("ID")["lus"],
                    sum(d[:2] != "LU" for d in deck), "LUs")
    print("10,000 LUs: " + ", ".join(f"{cpu:.2f} s ({wall:.2f})"
                                     for cpu, wall in figures), flush=True)
    check(max(cpu for cpu, _ in figures) < 4, f"seconds: {figures}")
    p.stop()


if __name__ == "__main__":
    main(globals())
