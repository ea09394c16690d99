#!/usr/bin/python3
"""printd's IPP sessions with the printers of Debian: CUPS, and the IPP
Everywhere printer of its tools.
"""

import os
import pwd
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (WORK, check, check_equal, main, needs, options,
                         wait_for)
from couplet_print import (PATIENCE, EvePrinter, FakePrinter, Printd, cupsd,
                           fresh, read, read_all)

TEXT = "hello world\n\n  third line, with  blanks\nGr\u00fc\u00dfe, \u00e5\n"


@options(seconds=200)
def test_ipp_cupsd(net):
    """IPP to Debian's CUPS, which prints to a port of ours: PDF and text."""
    needs("cupsd")
    p = Printd(net, "IPP PRT6 BSTTVNET ipp://{there}:8631/printers/q\n"
               "LU PRT6 RETRY 500MS\n"
               "IPP PRT7 BSTTVNET ipp://{there}:8631/printers/q\n"
               "LU PRT7 FORMAT TEXT\n"
               "IPP PRT8 BSTTVNET ipp://{there}:8631/printers/none\n"
               "LU PRT8 ATTEMPTS 1\n")
    job = p.submit("PRT6", TEXT)
    p.wait_lu("PRT6", "WAITING")
    f = FakePrinter(net, p.there, 9100, lambda c, n: read_all(c))
    p.ctl("STOP", "PRT6")     # CUPS is there a while before its queue is
    cupsd(net, p, {"q": f"socket://{p.there}:9100"})
    p.ctl("START", "PRT6")
    p.wait_gone(job)
    check(f.jobs[0].startswith(b"%PDF-"), f"{f.jobs[0][:20]}")
    p.wait_gone(p.submit("PRT7", TEXT))
    check_equal(f.jobs[1], TEXT.encode(), "text")
    held = p.wait_state(p.submit("PRT8", TEXT), "HELD")
    check("refuses" in held["reason"], held["reason"])
    p.stop()


@options(seconds=200)
def test_cups_prints_to_a_lu(net):
    """lp of Debian through Debian's CUPS and our backend: whose and what
    the job was; a LU that is not there is a job that waits, with the reason."""
    needs("cupsd")
    p = Printd(net, "FILE PF BSTTVNET {work}/out\n")
    out = fresh("out", folder=True)
    where = f"couplet://{p.id}/"
    sock = cupsd(net, p, {"forms": where + "PF?form=text",
                          "any": where + "PF", "none": where + "NONE"},
                 backend=True) + "/sock"
    path = WORK + "/t.txt"
    with open(path, "w", encoding="utf-8") as f:
        f.write(TEXT)

    def lp(*argv):
        return net.h.run(["lp", "-h", sock, *argv, path])

    def papers():
        return sorted(read(f"{out}/{n}").decode() for n in os.listdir(out))
    p.ctl("STOP", "PF")
    lp("-d", "forms", "-t", "A title", "-U", "jane")
    job = wait_for(lambda: p.query("JOBS"), "the job", PATIENCE)[0]
    check_equal((job["user"], job["title"], job["lu"]),
                ("jane", "A title", "PF"), "job")
    p.ctl("START", "PF")
    lp("-d", "any", "-n", "2", "-o", "raw")
    wait_for(lambda: len(os.listdir(out)) == 2, "two files", PATIENCE)
    check_equal(papers(), sorted([TEXT, TEXT * 2]), "files")
    lp("-d", "none")
    wait_for(lambda: "NONE" in net.h.run(["lpstat", "-h", sock, "-p", "none"]),
             "the reason", PATIENCE)
    p.stop()


def rights(pid):
    """User, group and groups of a process; None if it has several users."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        ids = {w[0]: w[1:] for w in map(str.split, f) if w}
    user, group = set(ids["Uid:"]), set(ids["Gid:"])
    if len(user) > 1 or len(group) > 1:
        return None
    return int(user.pop()), int(group.pop()), ids["Groups:"]


@options(seconds=100)
def test_backend_gives_up_root(net):
    """Started as root, it names the job's user, and is lp when it reads."""
    p = Printd(net, "FILE PF BSTTVNET {work}/out\n")
    lp = pwd.getpwnam("lp")
    r, w = os.pipe()
    b = net.host([p.tool("couplet"), "8", "jane", "T", "1", ""],
                 name="backend", stdin=r,
                 env=dict(os.environ, COUPLET_RUN=p.run_dir,
                          DEVICE_URI=f"couplet://{p.id}/PF"))
    os.close(r)
    wait_for(lambda: rights(b.pid) == (lp.pw_uid, lp.pw_gid, []),
             "the backend to be lp", PATIENCE)
    p.ctl("STOP", "PF")
    os.write(w, TEXT.encode())
    os.close(w)
    b.ok(PATIENCE)
    check_equal([j["user"] for j in p.query("JOBS")], ["jane"], "users")
    p.stop()


def pwg_raster(width, height):
    """One page of 8 bits grey, as PWG 5102.4 has it: the header, then lines
    that are each one literal run."""
    head = bytearray(1796)
    head[:10] = b"PwgRaster\0"

    def put(at, *values):
        for i, v in enumerate(values):
            head[at + 4 * i:at + 4 * i + 4] = v.to_bytes(4, "big")
    put(276, 300, 300)                              # dots per inch
    put(372, width, height)
    put(384, 8, 8, width, 0, 18)                    # grey, chunky, sGray
    put(420, 1)                                     # colours
    lines = b"".join(b"\0" + bytes([257 - width]) + os.urandom(width)
                     for _ in range(height))
    return b"RaS2" + bytes(head) + lines


@options(seconds=200)
def test_ipp_eve(net):
    """IPP to Debian's IPP Everywhere printer: text byte for byte, raster as
    it comes; the printer goes, also with a job in its hands, and comes back."""
    needs("ippeveprinter", "dbus-daemon")
    p = Printd(net, "IPP PE BSTTVNET ipp://{there}:8777/ipp/print\n"
               "LU PE FORMAT TEXT RETRY 200MS\n")
    raster = pwg_raster(120, 2000)
    eve = EvePrinter(net, p)
    p.wait_gone(p.submit("PE", TEXT))
    check_equal(eve.papers(), [TEXT.encode()], "text")
    p.wait_gone(p.submit("PE", raster, "--form", "RAW"))
    check_equal(sorted(eve.papers()), sorted([TEXT.encode(), raster]),
                "raster")
    check_equal(read(eve.types), b"text/plain\nimage/pwg-raster\n", "types")
    eve.stop()
    later = [f"later {n}\n" for n in range(3)]
    jobs = [p.submit("PE", text) for text in later]
    p.wait_lu("PE", "WAITING")
    check("connect" in p.lu("PE")["reason"], p.lu("PE")["reason"])
    eve.start()
    for job in jobs:
        p.wait_gone(job)
    # it dies with the connection in its hands, before it read anything
    eve.proc.kill(signal.SIGSTOP)
    jobs.append(p.submit("PE", "in its hands\n"))
    wait_for(lambda: p.job(jobs[-1])["state"] in ("ACTIVE", "SENT"),
             "the job to be on its way", PATIENCE)
    eve.stop()
    p.wait_lu("PE", "WAITING")
    eve.start()
    p.wait_gone(jobs[-1])
    check_equal(sorted(eve.papers()), sorted(
        [t.encode() for t in (TEXT, *later, "in its hands\n")] + [raster]),
        "all of it, each once")
    p.stop()


if __name__ == "__main__":
    main(globals())
