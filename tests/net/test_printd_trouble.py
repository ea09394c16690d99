#!/usr/bin/python3
"""printd when things go wrong: printers that take nothing, files that vanish,
users with odd names, jobs that are too long, a helper that is killed, an
operator who mistypes.
"""

import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (V4_HOST, WORK, check, check_equal, main, needs, options, run,
                         wait_for)
from couplet_print import PATIENCE, FakePrinter, Printd, fresh, read_all

TEXT = "hello world\n"
BIG = b"x" * (16 << 20)      # more than the sockets between hold


# ---- printers that take nothing --------------------------------------------

def lines_of(conn):
    """Lines of a client, one at a time."""
    data = b""
    while True:
        c = conn.recv(1)
        if not c:
            return
        data += c
        if c == b"\n":
            yield data.decode()
            data = b""


def lpd_without_room(stuck):
    """A line printer daemon that takes everything but the data; whoever
    sends on is told by `stuck`."""
    def serve(conn, _n):
        lines = lines_of(conn)
        next(lines)
        conn.sendall(b"\0")
        size = int(next(lines)[1:].split()[0])
        conn.sendall(b"\0")
        while size + 1 > 0:
            size -= len(conn.recv(size + 1))
        conn.sendall(b"\0")
        next(lines)
        conn.sendall(b"\0")
        # a LF is no answer; it must not make the sender read on
        while not stuck.wait(0.01):
            conn.sendall(b"\n")
    return serve


def ftp_without_room(net, address, stuck):
    """An FTP server whose data connection takes nothing."""
    with net.h:
        data = socket.socket()
    data.bind((address, 0))
    data.listen(8)
    port = data.getsockname()[1]

    def serve(conn, _n):
        def say(text):
            conn.sendall(text.encode() + b"\r\n")
        say("220 ready")
        for line in lines_of(conn):
            word = line.split()[0].upper()
            if word == "EPSV":
                say(f"229 here (|||{port}|)")
            elif word == "STOR":
                held, _ = data.accept()
                say("150 go on")
                stuck.wait()
                held.close()
                return
            else:
                say({"USER": "331 and", "PASS": "230 in", "PWD":
                     '257 "/"'}.get(word, "200 well"))
    return serve


class Stuck:
    """An event that a test ends with."""

    def __init__(self):
        self.over = False

    def wait(self, seconds=None):
        end = time.monotonic() + (seconds or 3600)
        while not self.over and time.monotonic() < end:
            time.sleep(0.005)
        return self.over


def takes_nothing(net, line, port, make, more=""):
    """A printer that is there and takes nothing is told as stalled, and after
    GIVEUP tried again; other LUs print meanwhile."""
    stuck = Stuck()
    p = Printd(net, f"{line}\nLU PS STALL 300MS GIVEUP 3S RETRY 200MS "
               f"{more}\nFILE PF BSTTVNET {{work}}/out\n", start=False)
    fresh("out", folder=True)
    f = FakePrinter(net, p.there, port, make(p, stuck))
    p.start()
    job = p.submit("PS", BIG, "--form", "RAW")
    p.wait_lu("PS", "STALLED")
    check_equal(p.lu("PS")["reason"], "takes no bytes", "reason")
    p.wait_gone(p.submit("PF", TEXT))
    wait_for(lambda: p.job(job)["attempts"] >= 1, "an end of the attempt",
             PATIENCE)
    check(p.job(job)["reason"], "no reason")
    check(p.proc.text().count("takes no bytes") >= 1, "not in the log")
    stuck.over = True
    p.ctl("CANCEL", job)
    p.stop()
    f.close()
    return f


@options(seconds=200)
def test_lpr_takes_nothing(net):
    """A line printer daemon that stops reading in the data file, and sends
    line feeds all the while."""
    takes_nothing(net, "LPR PS BSTTVNET {there} 5515 * q", 5515,
                  lambda p, stuck: lpd_without_room(stuck))


@options(seconds=200)
def test_ipp_takes_nothing(net):
    """An IPP printer that accepts and reads nothing."""
    takes_nothing(net, "IPP PS BSTTVNET ipp://{there}:8777/ipp/print", 8777,
                  lambda p, stuck: lambda conn, n: stuck.wait() and None,
                  "FORMAT TEXT")


@options(seconds=200)
def test_ftp_takes_nothing(net):
    """An FTP server that stops reading the file."""
    takes_nothing(net, "FTPP PS BSTTVNET {there} 2121 * u secret", 2121,
                  lambda p, stuck: ftp_without_room(net, p.there, stuck))


@options(seconds=150)
def test_pjl_noise(net):
    """A printer that says nonsense without end, and no END: the job is held
    after DRAIN, and the LU is free again."""
    stuck = Stuck()

    def serve(conn, _n):
        conn.settimeout(0.01)
        while not stuck.over:
            try:
                if not conn.recv(65536):
                    stuck.wait(0.01)
            except TimeoutError:
                pass
            conn.send(os.urandom(40).replace(b"@", b"x"),
                      socket.MSG_DONTWAIT)
    p = Printd(net, "DIRECT PD BSTTVNET {there} 9100 *\n"
               "LU PD PJL ON DRAIN 1S\n", start=False)
    FakePrinter(net, p.there, 9100, serve)
    p.start()
    held = p.wait_state(p.submit("PD", TEXT), "HELD")
    check("printed or not" in held["reason"] and held["repeat"],
          str(held))
    stuck.over = True
    p.stop()


# ---- odd jobs --------------------------------------------------------------

@options(seconds=150)
def test_lpr_odd_users(net):
    """Users whose names a control file cannot have, and more copies than one
    has print lines for."""
    got = []

    def serve(conn, _n):
        conn.settimeout(PATIENCE)
        lines = lines_of(conn)
        next(lines)
        conn.sendall(b"\0")
        files = []
        for head in lines:
            size = int(head[1:].split()[0])
            conn.sendall(b"\0")
            data = b""
            while len(data) < size + 1:
                data += conn.recv(size + 1 - len(data))
            files.append(data[:-1].decode())
            conn.sendall(b"\0")
        got.append(files)
    p = Printd(net, "LPR PL BSTTVNET {there} 5515 * q\n", start=False)
    FakePrinter(net, p.there, 5515, serve)
    p.start()
    for user, want in (("4711", "P_4711\n"), ("a b\tc", "P" + "a_b_c\n"),
                       ("jane", "Pjane\n")):
        p.wait_gone(p.submit("PL", TEXT, "--user", user))
        wait_for(lambda: got, "the daemon", PATIENCE)
        control, data = got.pop()
        check(want in control, control)
        check_equal(data, TEXT, "data")
    for copies, lines, times in ((99, 99, 1), (100, 1, 100)):
        p.wait_gone(p.submit("PL", TEXT, "--copies", copies))
        wait_for(lambda: got, "the daemon", PATIENCE)
        control, data = got.pop()
        check_equal(control.count("\nldfA"), lines, "print lines")
        check_equal(data, TEXT * times, "copies in the data")
    p.stop()


@options(seconds=120)
def test_titles_are_harmless(net):
    """What a title or user could do to a terminal or to paper is gone."""
    p = Printd(net, "FILE PF BSTTVNET {work}/out\nLU PF SEPARATOR ON NAME "
               "%j\n")
    out = fresh("out", folder=True)
    p.ctl("STOP", "PF")
    job = p.submit("PF", TEXT, "--title", "a\033[2J\fb", "--user", "x\x7fy")
    check_equal((p.job(job)["title"], p.job(job)["user"]),
                ("a [2J b", "x_y"), "title and user")
    p.ctl("START", "PF")
    p.wait_gone(job)
    with open(f"{out}/{job:08d}.txt", encoding="utf-8") as f:
        text = f.read()
    check(text.count("\f") == 1 and "\033" not in text, repr(text))
    p.stop()


@options(seconds=150)
def test_acquired_job_too_long(net):
    """A host's job that breaks a limit in the middle gives the LU back: the
    rest of it never prints as a job of its own."""
    p = Printd(net, "PRINTER HOST1 BSTTVNET SCS\nLU HOST1 RETRY 200MS\n"
               "FILE PF BSTTVNET {work}/out\nLU PF MAXJOB 5000\n"
               "ACQUIRE PF {here} 5023 HOST1\n")
    out = fresh("out", folder=True)
    p.wait_lu("HOST1", "IDLE")
    job = p.submit("HOST1", "a line of the host's\n" * 400)
    wait_for(lambda: p.job(job)["attempts"] >= 1, "the refusal", PATIENCE)
    check(p.job(job)["repeat"], "not marked")
    check("send it again" in p.query("ACQUIRE")[0]["state"],
          p.query("ACQUIRE")[0]["state"])
    check("MAXJOB" in p.proc.text(), "the limit has no name")
    p.ctl("CANCEL", job)
    p.wait_lu("HOST1", "IDLE")          # the LU is taken again
    p.wait_gone(p.submit("HOST1", TEXT))
    wait_for(lambda: os.listdir(out), "the next job", PATIENCE)
    check_equal(len(os.listdir(out)), 1, "files")
    with open(f"{out}/{os.listdir(out)[0]}", encoding="utf-8") as f:
        check_equal(f.read(), TEXT, "the next job")
    p.stop()


@options(seconds=150)
def test_lpd_takes_all_or_nothing(net):
    """A job of two files of which the second finds the disk full: the client
    is refused, and the first is not printed either, for it comes again."""
    small = fresh("small", folder=True)
    run(["mount", "-t", "tmpfs", "-o", "size=80m,mode=777", "tmpfs", small])
    p = Printd(net, "LPD {here} 5515\nFILE PF BSTTVNET {work}/out\n",
               spool=small + "/spool")
    out = fresh("out", folder=True)
    p.wait_gone(p.submit("PF", TEXT))   # job numbers are reserved now
    n = len(os.listdir(out))
    with net.h:
        s = socket.create_connection((p.here, 5515), PATIENCE)
    s.settimeout(PATIENCE)

    def ask(data, answer=b"\0"):
        s.sendall(data)
        check_equal(s.recv(1), answer, f"answer to {data[:20]}")
    control = b"Hh\nPu\nfdfA001h\nfdfB001h\n"
    ask(b"\x02PF\n")
    ask(b"\x02%d cfA001h\n" % len(control))
    ask(control + b"\0")
    ask(b"\x03%d dfA001h\n" % len(TEXT))
    ask(TEXT.encode() + b"\0")
    ask(b"\x0330000 dfB001h\n")
    s.sendall(b"y" * 30000)
    # room for the first file with its head, not for the second
    st = os.statvfs(small)
    with open(small + "/fill", "wb") as f:
        f.write(b"z" * (st.f_bavail * st.f_frsize))
        f.truncate(f.tell() - 4 * st.f_frsize)
    s.sendall(b"\0")
    check(s.recv(1) != b"\0", "accepted")
    s.close()
    check_equal(p.query("JOBS"), [], "jobs")
    check("No space left" in p.proc.text(), p.proc.tail())
    os.unlink(small + "/fill")
    p.wait_gone(p.submit("PF", "last\n"))
    check_equal(len(os.listdir(out)), n + 1, "files")
    p.stop()


# ---- the spool -------------------------------------------------------------

@options(seconds=150)
def test_spooled_file_vanishes(net):
    """Somebody removes the file of a job that is being sent: HOLD says that it
    failed, the job does not hang, the LU goes on."""
    stuck = Stuck()
    p = Printd(net, "DIRECT PD BSTTVNET {there} 9100 *\nLU PD RETRY 200MS\n",
               start=False)
    papers = []

    def serve(conn, n):
        if n == 0:
            stuck.wait()
        else:
            papers.append(read_all(conn))
    FakePrinter(net, p.there, 9100, serve)
    p.start()
    job = p.submit("PD", BIG, "--form", "RAW")
    p.wait_state(job, "ACTIVE")
    os.unlink(f"{p.spool}/{job:08d}.job")
    check("No such file" in p.ctl("HOLD", job, status=1), "no reason")
    held = p.wait_state(job, "HELD")
    check("No such file" in held["reason"] and held["repeat"], str(held))
    p.wait_gone(p.submit("PD", TEXT))
    check_equal(papers, [TEXT.encode()], "the next job")
    p.ctl("CANCEL", job)
    check_equal(p.query("JOBS"), [], "jobs")
    stuck.over = True
    p.stop()


# ---- processes -------------------------------------------------------------

def helper_of(p):
    """The helper process of a printd."""
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                name, rest = f.read().split(" (", 1)[1].rsplit(") ", 1)
        except OSError:
            continue
        if name == "printd-helper" and int(rest.split()[1]) == p.proc.pid:
            return int(pid)
    return 0


# ---- printers by name ---------------------------------------------------------

def dnsmasq(net, *records):
    return net.host(
        ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts",
         "--local=/test/", "--bind-interfaces", "--user=root", "--pid-file=",
         f"--listen-address={V4_HOST}",
         *[f"--host-record={r}" for r in records]],
        name="dnsmasq").says("started")


def silent_dns(net):
    with net.h:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((V4_HOST, 53))
    return s


@options(seconds=240, deck_extra=f"DNS {V4_HOST}", on_kernel=False)
def test_printers_by_name(net):
    """A name server that is silent holds up the jobs of the printers that are
    named, and nothing else; they go when it speaks, and follow the name to
    another address."""
    needs("dnsmasq")
    silent = silent_dns(net)
    p = Printd(net, "DIRECT PD BSTTVNET printer.example.test 9100 *\n"
               "LPR PL BSTTVNET lpd.example.test 515 * lp\n"
               "FTP PT BSTTVNET ftp.example.test 21 * me you\n"
               "FILE PF BSTTVNET {work}/out\n"
               "LU PD RETRY 200MS CONNECT 2S\nLU PL RETRY 200MS CONNECT 2S\n"
               "LU PT RETRY 200MS\n"
               "ACQUIRE PF host.example.test 23\n", start=False)
    fresh("out", folder=True)
    p.start()
    jobs = [p.submit(lu, TEXT) for lu in ("PD", "PL", "PT")]
    p.wait_gone(p.submit("PF", TEXT))
    check("printer.example.test:9100" in p.ctl("QUERY", "LUS"), "no name")
    for job in jobs[:2]:
        wait_for(lambda j=job: "no such host name" in p.job(j)["reason"],
                 f"the reason of {job}", PATIENCE)
    silent.close()
    server = dnsmasq(net, f"printer.example.test,{V4_HOST}")
    f = FakePrinter(net, V4_HOST, 9100, lambda c, n: read_all(c))
    p.wait_gone(jobs[0])
    check_equal(f.jobs[0], TEXT.encode(), "on paper")
    for job, lu in zip(jobs[1:], ("PL", "PT")):
        wait_for(lambda j=job: "no such host name" in p.job(j)["reason"],
                 f"the reason of {lu}", PATIENCE)
    p.proc.says("host.example.test: no such host name", PATIENCE)
    # it is off and on again while the name server is silent
    f.close()
    server.kill()
    server.wait(PATIENCE)
    silent = silent_dns(net)
    job = p.submit("PD", TEXT)
    wait_for(lambda: p.job(job)["attempts"] >= 1, "an attempt", PATIENCE)
    f = FakePrinter(net, V4_HOST, 9100, lambda c, n: read_all(c))
    p.wait_gone(job)
    check_equal(len(f.jobs), 1, "jobs at the address known")
    silent.close()
    # the printer moves
    f.close()
    moved = V4_HOST[:-1] + "9"
    net.h.run(["ip", "addr", "add", moved + "/32", "dev", "lo"])
    f = FakePrinter(net, moved, 9100, lambda c, n: read_all(c))
    job = p.submit("PD", TEXT)
    wait_for(lambda: p.job(job)["attempts"] >= 1, "an attempt", PATIENCE)
    dnsmasq(net, f"printer.example.test,{moved}")
    p.wait_gone(job)
    check_equal(len(f.jobs), 1, "jobs at the new address")
    check(f"{moved}:9100" in p.ctl("QUERY", "LUS"), "the new address")
    p.stop()


@options(seconds=120)
def test_helper_is_killed(net):
    """Without its helper printd ends with a word and not with 0, so that its
    supervisor starts it again; the job is there."""
    p = Printd(net, "IPP PI BSTTVNET ipp://{there}:8631/ipp/print\n"
               "LU PI RETRY 3600S\n")
    job = p.submit("PI", TEXT)
    os.kill(helper_of(p), signal.SIGKILL)
    check_equal(p.proc.wait(PATIENCE), 1, "exit status")
    check("helper process" in p.proc.text(), p.proc.tail())
    p.start()
    wait_for(lambda: p.job(job)["state"] == "READY",
             "the job to wait for its printer again", PATIENCE)
    check(helper_of(p), "no helper")
    p.stop()


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        words = f.read().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@options(seconds=120)
def test_out_of_descriptors(net):
    """Programs and clients that come when printd has no descriptor left wait,
    and cost nothing; then they are served."""
    p = Printd(net, "FILE PF BSTTVNET {work}/out\n", start=False)
    fresh("out", folder=True)
    p.prefix = ["prlimit", "--nofile=64:64"]
    p.start()
    with net.h:
        clients = [socket.create_connection((p.here, 5023), PATIENCE)
                   for _ in range(64)]
    wait_for(lambda: "CPLT723W" in p.proc.text(), "printd to be full",
             PATIENCE)
    w = net.host([p.tool("printctl"), "-i", p.id, "--run", p.run_dir,
                  "SUBMIT", "PF", "/etc/hostname"], name="waiter")
    q = net.host([p.tool("printctl"), "-i", p.id, "--run", p.run_dir,
                  "QUERY", "ID"], name="operator")
    before = cpu_s(p.proc.pid)
    time.sleep(3)                      # the time is what is measured
    check(cpu_s(p.proc.pid) - before < 0.3, "printd spins")
    check(w.alive() and q.alive(), "a program did not wait")
    for c in clients:
        c.close()
    w.ok(PATIENCE)
    q.ok(PATIENCE)
    p.stop()


# ---- the operator ----------------------------------------------------------

@options(seconds=150)
def test_operator_mistakes(net):
    """Every command says what it did; what is wrong is refused with what was
    expected, and changes nothing."""
    p = Printd(net, "FILE PF BSTTVNET {work}/out\nFILE PG BSTTVNET {work}/out\n"
               "LU PF RETAIN 3600S\n")
    fresh("out", folder=True)
    job = p.submit("PF", b"%PDF-1.4\n%%EOF\n")
    p.wait_state(job, "DONE")
    for words, status, text in (
            (["QUERY", "JOBS", "STATE", "PRINTED"], 2, "READY, ACTIVE"),
            (["QUERY", "JOBS", "STATE"], 2, "READY, ACTIVE"),
            (["QUERY", "JOB", "4711"], 2, "a job of QUERY JOBS"),
            (["REPRINT", job, "PAGE", "2"], 1, "pages of a PDF"),
            (["RESTART", job], 1, "REPRINT"),
            (["RELEASE", job], 1, "not held"),
            (["HOLD", job], 1, "printed already"),
            (["BACK", job, "-1"], 2, "a number of pages"),
            (["MOVE", job, "PG"], 1, "REPRINT"),
            (["REDIRECT", "PF", "TO", "PF"], 1, "another LU"),
            (["HOLD", "x"], 2, "a job number"),
            (["STOP", "NOLU"], 2, "a LU of QUERY LU"),
            (["RELEASE", "LU"], 2, "name of a LU"),
            (["FROB"], 2, "FROB"),
            (["SUBMIT", "PF", "/no/such/file"], 1, "No such file"),
            (["SUBMIT", "PF", "/etc"], 1, "Is a directory"),
            (["SUBMIT", "PF", "--copies", "0", "/etc/hostname"], 2, "1..9999"),
            (["SUBMIT", "PF", "--form", "RTF", "/etc/hostname"], 2, "TEXT"),
            (["SUBMIT", "PF", "--codepage", "IBM-1", "/etc/hostname"], 1,
             "no such code page"),
            (["SUBMIT"], 2, "usage")):
        out = p.ctl(*words, status=status)
        check(text in out, f"{words}: {out}")
    check_equal(p.job(job)["state"], "DONE", "state")
    p.ctl("STOP", "PF")
    other = p.submit("PF", TEXT)
    for words, text in (
            (["HOLD", other], f"job {other} held"),
            (["RELEASE", other], f"job {other} released"),
            (["REQUEUE", other, "FRONT"], f"job {other} in front of PF"),
            (["RESTART", other], f"job {other} begun again on PF"),
            (["BACK", other, "1"], f"job {other} begun again on PF"),
            (["REDIRECT", "PF", "TO", "PG"], "LU PF: redirected to PG"),
            (["REDIRECT", "PF", "OFF"], "LU PF: no longer redirected"),
            (["REPRINT", job, "LU", "PG"], f"job {job} printed again on PG")):
        out = p.ctl(*words)
        check_equal(out.strip(), text, str(words))
    p.stop()


if __name__ == "__main__":
    main(globals())
