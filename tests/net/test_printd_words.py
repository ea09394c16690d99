#!/usr/bin/python3
"""What the words of printd's deck do that no other file of tests asks for:
limits, who may submit, holding and keeping, alerts, options of LPR and of
TN3270E printers, and hosts' jobs to each kind of printer.
"""

import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (WORK, check, check_equal, main, needs, options,
                         wait_for)
from couplet_print import (PATIENCE, EvePrinter, FakePrinter, Printd, fresh,
                           read, read_all)
from tn_printer import Clients

TEXT = "hello world\n\n  third line\nGr\u00fc\u00dfe\n"
FILE = "FILE PF BSTTVNET {work}/out\n"


def file_with(data):
    path = WORK + "/input"
    with open(path, "wb") as f:
        f.write(data)
    return path


def taking_lpd(got):
    """A line printer daemon; (control file, data file) of each job."""
    def serve(conn, _n):
        f = conn.makefile("rb")
        conn.settimeout(PATIENCE)
        f.readline()
        conn.sendall(b"\0")
        files = {}
        for head in iter(f.readline, b""):
            conn.sendall(b"\0")
            files[head[0]] = f.read(int(head[1:].split()[0]) + 1)[:-1]
            conn.sendall(b"\0")
        got.append((files[2].decode(), files[3].decode()))
    return serve


# ---- limits ----------------------------------------------------------------

@options(seconds=120)
def test_limit_clients(net):
    """LIMIT CLIENTS: one more is closed and told; who waits for room gets
    it."""
    p = Printd(net, "PRINTER PA BSTTVNET SCS\nLIMIT CLIENTS 3\n")

    def connect():
        with net.h:
            s = socket.create_connection((p.here, 5023), PATIENCE)
        s.settimeout(PATIENCE)
        return s
    held = [connect() for _ in range(3)]
    for s in held:
        check(s.recv(3), "not welcome")
    more = connect()
    check_equal(more.recv(3), b"", "the fourth")
    check("LIMIT CLIENTS" in p.proc.text(), p.proc.tail())
    check_equal(p.query("ID")["clients"], 3, "clients")
    held[0].close()
    wait_for(lambda: p.query("ID")["clients"] == 2, "a client to go", PATIENCE)
    check(connect().recv(3), "no room again")
    p.stop()


@options(seconds=120)
def test_limits_of_the_spool(net):
    """LIMIT JOBS, BYTES and RECEIVING refuse with their name, and take jobs
    again when there is room."""
    p = Printd(net, FILE + "LIMIT JOBS 2\nLIMIT BYTES 20K\n"
               "LIMIT RECEIVING 1\n")
    fresh("out", folder=True)
    p.ctl("STOP", "PF")

    def refused(data, word):
        text = p.ctl("SUBMIT", "PF", file_with(data), status=1)
        check(word in text, text)
    # a program that has begun a job and says no more
    slow = subprocess.Popen(
        [p.tool("printctl"), "-i", p.id, "--run", p.run_dir, "SUBMIT", "PF"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    slow.stdin.write(b"first half, ")
    slow.stdin.flush()
    wait_for(lambda: any(n.endswith(".tmp") for n in os.listdir(p.spool)),
             "the slow job", PATIENCE)
    refused(b"x", "LIMIT RECEIVING")
    slow.stdin.write(b"second half\n")
    slow.stdin.close()
    check_equal(slow.wait(PATIENCE), 0, "the slow job")
    refused(b"x" * 20480, "LIMIT BYTES")
    second = p.submit("PF", "x\n")
    refused(b"y\n", "LIMIT JOBS")
    p.ctl("CANCEL", second)
    p.submit("PF", "y\n")
    check_equal(p.query("ID")["refused"], 3, "refused")
    p.stop()


@options(seconds=120)
def test_submit_group(net):
    """SUBMIT GROUP: who is in printd's group may print, others may not; no
    user but root prints in another's name."""
    p = Printd(net, FILE + "SUBMIT GROUP\n")
    fresh("out", folder=True)
    p.ctl("STOP", "PF")
    path = file_with(TEXT.encode())
    os.chmod(path, 0o644)

    def as_user(gid):
        return subprocess.run(
            ["setpriv", "--reuid", "4711", "--regid", str(gid),
             "--clear-groups", p.tool("printctl"), "-i", p.id, "--run",
             p.run_dir, "SUBMIT", "PF", "--user", "root", "--host", "mars",
             path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False)
    r = as_user(4711)
    check(r.returncode and "SUBMIT GROUP" in r.stdout, r.stdout)
    r = as_user(os.stat(p.spool).st_gid)
    check_equal(r.returncode, 0, r.stdout)
    job = p.query("JOBS")[0]
    check_equal((job["user"], job["host"]), ("uid4711", ""), "in whose name")
    job = p.job(p.submit("PF", "x", "--user", "jane", "--host", "mars"))
    check_equal((job["user"], job["host"]), ("jane", "mars"), "root's word")
    p.stop()


# ---- holding and keeping ---------------------------------------------------

@options(seconds=120)
def test_hold_and_retain(net):
    """HOLD ON: jobs arrive held, RELEASE LU sends them; RETAIN keeps a printed
    one so long and no longer."""
    p = Printd(net, FILE + "LU PF HOLD ON RETAIN 2S\n")
    fresh("out", folder=True)
    jobs = [p.submit("PF", TEXT) for _ in range(3)]
    for job in jobs:
        check_equal(p.job(job)["state"], "HELD", "state")
        check("as submitted" in p.job(job)["reason"], p.job(job)["reason"])
    check("3 jobs" in p.ctl("RELEASE", "LU", "PF"), "RELEASE LU")
    for job in jobs:
        p.wait_state(job, "DONE")
    for job in jobs:
        p.wait_gone(job)
    check_equal(len(os.listdir(WORK + "/out")), 3, "files")
    p.stop()


@options(seconds=120)
def test_shutdown(net):
    """SHUTDOWN ends printd in order; jobs are there at the next start."""
    p = Printd(net, FILE)
    out = fresh("out", folder=True)
    p.ctl("STOP", "PF")
    job = p.submit("PF", TEXT)
    check("ends" in p.ctl("SHUTDOWN"), "SHUTDOWN")
    check_equal(p.proc.wait(PATIENCE), 0, "exit status")
    p.start()
    p.wait_gone(job)
    check_equal(read(f"{out}/PF-{job:08d}.txt").decode(), TEXT, "job")
    p.stop()


# ---- alerts ----------------------------------------------------------------

def alerting(net, lines, script):
    path = WORK + "/alert.sh"
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n" + script)
    os.chmod(path, 0o755)
    return Printd(net, f"{lines}ALERT {path}\n")


@options(seconds=150)
def test_alert_kinds(net):
    """TROUBLE once for a printer that is not there, MOVED to its backup,
    STALLED for one that takes nothing."""
    log = fresh("alerts")
    with open(log, "w", encoding="ascii"):
        os.chmod(log, 0o666)
    stuck = FakePrinter(net, "127.0.0.1", 9101,
                        lambda conn, n: wait_for(lambda: done, "", 3600))
    done = []
    p = alerting(net, "DIRECT PD BSTTVNET {there} 9100 *\n"
                 "LU PD RETRY 100MS ATTEMPTS 3 BACKUP PF\n" + FILE +
                 "DIRECT PS BSTTVNET {there} 9101 *\nLU PS STALL 200MS\n",
                 f'echo "$@" >>{log}\n')
    fresh("out", folder=True)
    moved = p.submit("PD", TEXT)
    stalled = p.submit("PS", b"x" * (16 << 20), "--form", "RAW")
    for want in (f"TROUBLE PD {moved} ", f"MOVED PF {moved} ",
                 f"STALLED PS {stalled} takes no bytes\n"):
        wait_for(lambda w=want: w in read(log).decode(), want, PATIENCE)
    check_equal(read(log).decode().count("TROUBLE"), 1, "TROUBLE told")
    p.wait_gone(moved)
    p.stop()
    done.append(1)
    stuck.close()


@options(seconds=150)
def test_alerts_are_bounded(net):
    """Not more than 16 alert programs at once: the others are dropped, and
    told."""
    go = fresh("go")
    lus = [f"PX{i:02}" for i in range(24)]
    p = alerting(net, "".join(f"FILE {lu} BSTTVNET {{work}}/none\n"
                              f"LU {lu} ATTEMPTS 1\n" for lu in lus),
                 f"while [ ! -e {go} ]; do sleep 0.1; done\n")
    jobs = [p.submit(lu, TEXT) for lu in lus]
    for job in jobs:
        p.wait_state(job, "HELD")
    check("CPLT750W" in p.proc.text(), p.proc.tail())
    running = subprocess.run(["pgrep", "-fc", WORK + "/alert.sh"], text=True,
                             stdout=subprocess.PIPE, check=False).stdout
    check_equal(int(running), 16, "alert programs")
    with open(go, "w", encoding="ascii"):
        pass
    p.stop()


# ---- options of printers ---------------------------------------------------

@options(seconds=120)
def test_lpr_options(net):
    """BANNER, LPFORMAT and the order of files as the daemon sees them."""
    got = []
    p = Printd(net, "LPR PL BSTTVNET {there} 5515 * q\n"
               "LU PL BANNER ON LPFORMAT f ORDER DATA\n"
               "LPR PM BSTTVNET {there} 5515 * q\n", start=False)
    FakePrinter(net, p.there, 5515, taking_lpd(got))
    p.start()
    for lu, banner, letter in (("PL", True, "f"), ("PM", False, "l")):
        p.wait_gone(p.submit(lu, TEXT, "--title", "A title", "--user", "jane"))
        wait_for(lambda: got, "the daemon", PATIENCE)
        control, data = got.pop()
        check_equal("\nLjane\n" in control, banner, f"banner in {control}")
        check(f"\n{letter}dfA" in control and "\nJA title\n" in control,
              control)
        check_equal(data, TEXT, "data")
        check_equal(p.lu(lu)["pages"], 1, "pages")
    p.wait_gone(p.submit("PM", "1\f2\f3"))
    check_equal(p.lu("PM")["pages"], 4, "pages of two jobs")
    p.stop()


@options(seconds=120)
def test_confirm_data(net):
    """CONFIRM DATA: the answers to the data are the proof; PRINT-EOJ asks for
    none."""
    p = Printd(net, "PRINTER PA BSTTVNET SCS\nPRINTER PB BSTTVNET SCS\n"
               "LU PB CONFIRM DATA\n")
    clients = Clients(net, p.here, 5023, ["PA", "PB"])
    wait_for(lambda: clients.ready() == 2, "the clients", PATIENCE)
    for lu, flag in (("PA", 2), ("PB", 0)):
        p.wait_gone(p.submit(lu, "x\n"))
        wait_for(lambda n=lu: clients.jobs[n], "the job", PATIENCE)
        check_equal(clients.eoj_flags[lu], [flag], f"response flag of {lu}")
    clients.stop()
    p.stop()


# ---- jobs of hosts ---------------------------------------------------------

@options(seconds=200)
def test_acquire_to_every_printer(net):
    """What a host prints to a LU of its own comes out of a port 9100, a line
    printer daemon and an IPP printer, byte for byte."""
    needs("ippeveprinter", "dbus-daemon")
    kinds = {"PD": "DIRECT PD BSTTVNET {there} 9100 *",
             "PL": "LPR PL BSTTVNET {there} 5515 * q",
             "PI": "IPP PI BSTTVNET ipp://{there}:8777/ipp/print\n"
                   "LU PI FORMAT TEXT"}
    deck = "".join(f"PRINTER H{lu} BSTTVNET SCS\n{line}\n"
                   f"ACQUIRE {lu} {{here}} 5023 H{lu}\n"
                   for lu, line in kinds.items())
    p = Printd(net, deck, start=False)
    got, eve = [], EvePrinter(net, p)
    raw = FakePrinter(net, p.there, 9100, lambda c, n: read_all(c))
    FakePrinter(net, p.there, 5515, taking_lpd(got))
    p.start()
    for lu in kinds:
        p.wait_lu("H" + lu, "IDLE")
        p.wait_gone(p.submit("H" + lu, TEXT))
    wait_for(lambda: raw.jobs and got and eve.papers(), "all three", PATIENCE)
    check_equal((raw.jobs, got[0][1], eve.papers()),
                ([TEXT.encode()], TEXT, [TEXT.encode()]), "papers")
    check_equal([p.lu(lu)["pages"] for lu in kinds], [1, 1, 1], "pages")
    p.stop()


@options(seconds=150)
def test_double_bytes(net):
    """Japanese text to a printer LU of a double-byte page, and from there
    through a host's eyes back: the same text."""
    text = "\u65e5\u672c\u8a9e abc\n\u8acb\u6c42\u66f8 123\n"
    p = Printd(net, "PRINTER HJ BSTTVNET SCS\nLU HJ CODEPAGE IBM-939\n" + FILE +
               "LU PF CODEPAGE IBM-939\nACQUIRE PF {here} 5023 HJ\n")
    out = fresh("out", folder=True)
    p.wait_lu("HJ", "IDLE")
    p.wait_gone(p.submit("HJ", text))
    wait_for(lambda: os.listdir(out), "the job", PATIENCE)
    check_equal(read(f"{out}/{os.listdir(out)[0]}").decode(), text, "text")
    p.stop()


if __name__ == "__main__":
    main(globals())
