#!/usr/bin/python3
"""printd with the printers of Debian and with printers that misbehave. Each
case checks bytes on paper. With --kernel printd has the host's network (ID *),
without it is the guest of a stack.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (WORK, check, check_equal, main, needs, options, run,
                         wait_for)
from couplet_print import (PATIENCE, FakePrinter, Printd, cupsd, fresh, lprng,
                           needs_lprng,
                           p910nd, pr3287, read, read_all, reset, vsftpd,
                           wait_paper)

TEXT = "hello world\n\n  third line, with  blanks\nGr\u00fc\u00dfe, \u00e5\n"
PAGES = "".join(f"page {n}\nline two of {n}\n\f" for n in range(1, 6))
DIRECT = "DIRECT PRT1 BSTTVNET {there} 9100 *\n"
QUICK = "LU PRT1 RETRY 200MS CONNECT 5S\n"


# ---- TN3270E and TN3270 clients --------------------------------------------

@options(seconds=150)
def test_pr3287_scs(net):
    """LU1: text byte for byte; a job of no bytes prints nothing; SCS passes
    as it is."""
    needs("pr3287")
    p = Printd(net, "PRINTER P003 BSTTVNET SCS\n")
    out = fresh("paper")
    pr3287(net, p, "P003", out)
    p.wait_lu("P003", "IDLE")
    job = p.submit("P003", TEXT)
    wait_paper(out, TEXT)
    p.wait_gone(job)
    p.wait_gone(p.submit("P003", ""))
    scs = b"\xc8\xc9\x15\x35\x05\x1bABC\x1b\x4a\x15"   # HI, TRN, cent
    p.wait_gone(p.submit("P003", scs, "--form", "SCS"))
    wait_paper(out, TEXT.encode() + b"HI\n\x1bABC\x1b\xc2\xa2\n")
    p.stop()


@options(seconds=150)
def test_pr3287_lu3(net):
    """The 3270 data stream: text, and records of a host."""
    needs("pr3287")
    p = Printd(net, "PRINTER P001 BSTTVNET\n")
    out = fresh("paper")
    pr3287(net, p, "P001", out)
    p.wait_lu("P001", "IDLE")
    p.wait_gone(p.submit("P001", TEXT))
    wait_paper(out, TEXT)
    record = b"\xf1\xc8" + b"\xc8\xc5\xd3\xd3\xd6\x15\x19" + b"\xff\xef"
    p.wait_gone(p.submit("P001", record * 3, "--form", "LU3"))
    wait_paper(out, TEXT + "HELLO\n" * 3)
    p.stop()


@options(seconds=150)
def test_pr3287_names(net):
    """A LU that is in use, one that is not defined, the next name of a list,
    any LU, and the partner of a terminal."""
    needs("pr3287")
    p = Printd(net, "TERMINAL T001 GENERIC\nPRINTER PA BSTTVNET SCS\n"
               "PRINTER PB BSTTVNET SCS\nPRINTER PC BSTTVNET SCS\n"
               "LU PC TERMINAL T001 GENERIC OFF\n")
    pr3287(net, p, "PA", fresh("a"))
    p.wait_lu("PA", "IDLE")
    c = pr3287(net, p, "PA", fresh("b"))
    check(c.wait(PATIENCE) != 0, "a LU was given twice")
    check("DEVICE-IN-USE" in c.text().upper().replace("_", "-"), c.text())
    c = pr3287(net, p, "NOSUCH", fresh("b"))
    check(c.wait(PATIENCE) != 0, "a LU that is not defined was given")
    check("INV-NAME" in c.text().upper().replace("_", "-"), c.text())
    p.proc.says("BSTT075E LUNAME NOT AVAIL PA", PATIENCE)
    pr3287(net, p, "PA,PB", fresh("b"))
    p.wait_lu("PB", "IDLE")
    pr3287(net, p, "", fresh("c"), "-assoc", "T001", lu_first=False)
    p.wait_lu("PC", "IDLE")
    # what the operator does about a client that holds a LU
    p.ctl("REACT", "PB")
    p.wait_lu("PB", "NOCLIENT")
    pr3287(net, p, "", fresh("b"), lu_first=False)
    p.wait_lu("PB", "IDLE")
    p.ctl("KILL", "PB")
    p.wait_lu("PB", "NOCLIENT")
    p.stop()


@options(seconds=150)
def test_pr3287_code_pages(net):
    """The printer's code page, by its name and by a name of SBCS."""
    needs("pr3287")
    p = Printd(net, "SBCS DN_03 IBM-277\nPRINTER PD BSTTVNET SCS\n"
               "PRINTER PE BSTTVNET\nLU PD CODEPAGE DN_03\n"
               "LU PE CODEPAGE IBM-1141\n")
    d, e = fresh("d"), fresh("e")
    pr3287(net, p, "PD", d, "-codepage", "cp277")
    pr3287(net, p, "PE", e, "-codepage", "cp1141")
    for lu in ("PD", "PE"):
        p.wait_lu(lu, "IDLE")
    text = "\u00c6\u00d8\u00c5 \u00e6\u00f8\u00e5 [#]\n"
    p.wait_gone(p.submit("PD", text))
    wait_paper(d, text)
    text = "\u20ac \u00c4\u00d6\u00dc \u00df \u00a7 {}\n"
    p.wait_gone(p.submit("PE", text))
    wait_paper(e, text)
    p.stop()


PAGES_OF_CLIENT = ("037", "273", "277", "278", "280", "284", "285", "297",
                   "500", "1140", "1141", "1142", "1143", "1144", "1145",
                   "1146", "1147", "1148", "1149")


def random_text(page, rng):
    """Lines of characters that the page has; no blank at the end of a line,
    for SCS printers cut those."""
    have = [c for c in map(chr, list(range(33, 127)) + list(range(161, 256)))
            if c != "\u00ad"]
    r = subprocess.run(["iconv", "-c", "-f", "UTF-8", "-t", f"IBM{page}"],
                       input="".join(have).encode(), capture_output=True,
                       check=False)
    back = subprocess.run(["iconv", "-f", f"IBM{page}", "-t", "UTF-8"],
                          input=bytes(b for b in r.stdout if b not in
                                      (0xca, 0xff)), capture_output=True,
                          check=True)
    chars = back.stdout.decode() + "     "
    lines = []
    for _ in range(rng.randrange(1, 60)):
        line = "".join(rng.choice(chars)
                       for _ in range(rng.randrange(0, 132))).rstrip()
        lines.append(line)
    return "\n".join(lines + ["end"]) + "\n"


@options(seconds=300)
def test_pr3287_random_text(net):
    """Random text in every code page that pr3287 and we share, as SCS and as
    3270 data, comes out as it went in."""
    needs("pr3287")
    rng = random.Random(int(os.environ.get("COUPLET_SEED", "1")))
    lus = [(f"S{page}", page, " SCS") for page in PAGES_OF_CLIENT] + \
        [(f"L{page}", page, "") for page in PAGES_OF_CLIENT]
    p = Printd(net, "".join(f"PRINTER {lu} BSTTVNET{scs}\nLU {lu} CODEPAGE "
                            f"IBM-{page}\n" for lu, page, scs in lus))
    for lu, page, _ in lus:
        pr3287(net, p, lu, fresh("paper-" + lu), "-codepage", "cp" + page)
    texts = {lu: random_text(page, rng) for lu, page, _ in lus}
    jobs = [p.submit(lu, texts[lu]) for lu in texts]
    for job in jobs:
        p.wait_gone(job)
    for lu, text in texts.items():
        wait_paper(f"{WORK}/paper-{lu}", text)
    p.stop()


@options(seconds=150)
def test_pr3287_tls(net):
    """TLS from the first byte in front of printd."""
    needs("pr3287", "stunnel4", "openssl")
    p = Printd(net, "PRINTER P003 BSTTVNET SCS\n")
    key, conf = WORK + "/key.pem", WORK + "/stunnel.conf"
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", "/CN=printd", "-addext",
         "subjectAltName=DNS:printd", "-keyout", key, "-out",
         WORK + "/cert.pem"])
    with open(conf, "w", encoding="ascii") as f:
        f.write(f"foreground=yes\npid=\n[tn]\naccept={p.there}:5992\n"
                f"connect={p.here}:5023\ncert={WORK}/cert.pem\nkey={key}\n")
    s = net.host(["stunnel4", conf], name="stunnel")
    net.wait_port("h", 4, 5992, s)
    out = fresh("paper")
    net.host(["pr3287", "-cafile", WORK + "/cert.pem", "-accepthostname",
              "printd", "-command",
              f"cat >>{out}", f"L:P003@{p.there}:5992"], name="pr3287",
             env=dict(os.environ, LC_ALL="C.UTF-8"))
    p.wait_lu("P003", "IDLE")
    p.wait_gone(p.submit("P003", TEXT))
    wait_paper(out, TEXT)
    p.stop()


@options(seconds=200)
def test_client_vanishes(net):
    """A client that dies in mid-job: the job waits, marked, and the next
    client gets it whole."""
    p = Printd(net, "PRINTER PV BSTTVNET SCS\n")
    big = "".join(f"line {n}\n" for n in range(200000))
    c = pr3287(net, p, "PV", fresh("first"))
    p.wait_lu("PV", "IDLE")
    c.kill(signal.SIGSTOP)     # it takes what the kernel takes for it
    job = p.submit("PV", big)
    p.wait_state(job, "ACTIVE")
    c.kill(signal.SIGKILL)
    p.wait_lu("PV", "NOCLIENT")
    check(p.wait_state(job, "READY")["repeat"], "the job is not marked")
    out = fresh("second")
    pr3287(net, p, "PV", out)
    p.wait_gone(job)
    wait_paper(out, big)
    check("MAY HAVE BEEN PRINTED BEFORE" in p.proc.text(), "no mark in the log")
    p.stop()


@options(seconds=120)
def test_client_intervention(net):
    """A printer whose paper is out says so, and prints when it can."""
    needs("pr3287")
    p = Printd(net, "PRINTER PI BSTTVNET SCS\nLU PI RETRY 300MS\n")
    out, gate = fresh("paper"), fresh("gate")
    env = dict(os.environ, LC_ALL="C.UTF-8")
    net.host(["pr3287", "-command", f"test -e {gate} && cat >>{out}",
              f"PI@{p.here}:5023"], name="pr3287", env=env)
    p.wait_lu("PI", "IDLE")
    job = p.submit("PI", TEXT)
    p.proc.says("intervention required", PATIENCE)
    wait_for(lambda: (p.job(job) or {}).get("attempts", 0) >= 2,
             "two attempts", PATIENCE)
    open(gate, "w", encoding="ascii").close()
    p.wait_gone(job)
    wait_paper(out, TEXT)
    p.stop()


@options(seconds=120)
def test_client_garbage(net):
    """What is no TN3270 is cut off and disturbs nobody."""
    needs("pr3287")
    p = Printd(net, "PRINTER PG BSTTVNET SCS\n")
    out = fresh("paper")
    pr3287(net, p, "PG", out)
    p.wait_lu("PG", "IDLE")
    for data in (b"GET / HTTP/1.0\r\n\r\n" * 100,
                 b"\xff\xfb\x28\xff\xfa\x28" + b"A" * 5000,
                 os.urandom(20000), b"\xff" * 9999, b""):
        with net.h:
            s = socket.create_connection((p.here, 5023), PATIENCE)
        s.sendall(data)
        s.close()
    p.wait_gone(p.submit("PG", TEXT))
    wait_paper(out, TEXT)
    wait_for(lambda: p.query("ID")["clients"] == 1, "strangers to be gone",
             PATIENCE)
    p.stop()


# ---- DIRECT ----------------------------------------------------------------

@options(seconds=120)
def test_direct_p910nd(net):
    """Port 9100 of Debian's p910nd, byte for byte."""
    needs("p910nd")
    p = Printd(net, DIRECT + QUICK)
    paper = fresh("paper")
    p910nd(net, p, paper)
    data = TEXT.encode() + os.urandom(1 << 20)
    p.wait_gone(p.submit("PRT1", data, "--form", "RAW"))
    wait_paper(paper, data)
    check_equal(p.lu("PRT1")["printed"], 1, "jobs printed")
    p.stop()


@options(seconds=150)
def test_direct_set_up(net):
    """Set-up strings, line ends, code page of the printer, form feed, copies,
    separator; pages of SCS and LU3 as text."""
    p = Printd(net, DIRECT + QUICK
               + "LU PRT1 SETUP \\eE\\e(s0P TEARDOWN X'1B45' EOL CRLF "
               "OUTPAGE CP850 FEED ON\n")
    f = FakePrinter(net, p.there, 9100, lambda c, n: read_all(c))
    p.wait_gone(p.submit("PRT1", "a\u00fc\nb\n"))
    p.wait_gone(p.submit("PRT1", b"\xc8\xc9\x15\xc8\xd6\x15", "--form",
                         "SCS", "--copies", "2"))
    start, end = b"\x1bE\x1b(s0P", b"\x0c\x1bE"
    check_equal(f.jobs[0], start + b"a\x81\r\nb\r\n" + end, "text")
    check_equal(f.jobs[1], (start + b"HI\r\nHO\r\n" + end) * 2, "SCS")
    p.stop()


@options(seconds=200)
def test_direct_three_states(net):
    """No printer, then one that accepts and takes nothing, then one that
    prints: each is told, and the other LU is not held up."""
    p = Printd(net, DIRECT + QUICK + "LU PRT1 STALL 300MS DRAIN 60S\n"
               "DIRECT PRT9 BSTTVNET {there} 9109 *\n")
    other = FakePrinter(net, p.there, 9109, lambda c, n: read_all(c))
    big = os.urandom(8 << 20)
    job = p.submit("PRT1", big, "--form", "RAW")
    p.wait_lu("PRT1", "WAITING")
    check("refuses" in p.lu("PRT1")["reason"], p.lu("PRT1")["reason"])
    check(not p.job(job)["repeat"], "nothing was sent, and it is marked")
    go = threading.Event()

    def slow(conn, _n):
        go.wait(PATIENCE * 2)
        return read_all(conn)
    f = FakePrinter(net, p.there, 9100, slow)
    p.wait_lu("PRT1", "STALLED")
    p.wait_gone(p.submit("PRT9", TEXT))
    check_equal(other.jobs, [TEXT.encode()], "the other printer")
    check_equal(p.lu("PRT1")["state"], "STALLED", "state")
    go.set()
    p.wait_gone(job)
    check(f.jobs == [big], "the job is not whole")
    p.stop()


@options(seconds=150)
def test_direct_breaks(net):
    """A printer that resets in mid-job, and comes back: whole, and marked."""
    p = Printd(net, DIRECT + QUICK)
    big = os.urandom(4 << 20)

    def breaks(conn, n):
        if n < 2:
            conn.recv(1000)
            reset(conn)
            return None
        return read_all(conn)
    f = FakePrinter(net, p.there, 9100, breaks)
    p.wait_gone(p.submit("PRT1", big, "--form", "RAW"))
    check(f.jobs == [big], "the job is not whole")
    check_equal(p.lu("PRT1")["repeated"], 1, "marked jobs")
    p.stop()


@options(seconds=150)
def test_direct_gives_up(net):
    """After ATTEMPTS the job is held with the reason and the next has its
    turn; released, it prints. BACKUP takes it instead if there is one."""
    p = Printd(net, DIRECT + QUICK + "LU PRT1 ATTEMPTS 2\n"
               "DIRECT PRT2 BSTTVNET {there} 9101 *\n"
               "LU PRT2 ATTEMPTS 1 RETRY 100MS BACKUP PRT3\n"
               "FILE PRT3 BSTTVNET {work}/out\n")
    out = fresh("out", folder=True)
    job = p.submit("PRT1", TEXT)
    held = p.wait_state(job, "HELD")
    check("refuses" in held["reason"], held["reason"])
    check_equal(held["attempts"], 2, "attempts")
    f = FakePrinter(net, p.there, 9100, lambda c, n: read_all(c))
    p.wait_gone(p.submit("PRT1", "next\n"))
    p.ctl("RELEASE", job)
    p.wait_gone(job)
    check_equal(f.jobs, [b"next\n", TEXT.encode()], "paper")
    job = p.submit("PRT2", TEXT)
    p.wait_gone(job)
    check_equal(read(f"{out}/PRT3-{job:08d}.txt").decode(), TEXT, "backup")
    p.stop()


@options(seconds=150)
def test_direct_no_close(net):
    """A printer that takes all and never closes has proved nothing: the job
    is held, unless the deck says WEAKPROOF."""
    p = Printd(net, DIRECT + QUICK + "LU PRT1 DRAIN 300MS\n"
               "DIRECT PRT2 BSTTVNET {there} 9101 *\n"
               "LU PRT2 DRAIN 300MS WEAKPROOF ON\n")
    end = threading.Event()

    def keeps(conn, _n):
        data = read_all(conn)
        end.wait(PATIENCE)
        return data
    FakePrinter(net, p.there, 9100, keeps)
    FakePrinter(net, p.there, 9101, keeps)
    job = p.submit("PRT1", TEXT)
    held = p.wait_state(job, "HELD")
    check(held["repeat"], "it may be on paper, and is not marked")
    p.wait_gone(p.submit("PRT2", TEXT))
    end.set()
    p.stop()


@options(seconds=150)
def test_direct_pjl(net):
    """A printer that speaks PJL: its word ends the job, with its pages; its
    panel's cancel holds it."""
    p = Printd(net, DIRECT + QUICK + "LU PRT1 PJL ON\n")

    def speaks(conn, n):
        data = b""
        while b"@PJL EOJ" not in data:
            piece = conn.recv(65536)
            if not piece:
                return data
            data += piece
        name = data.split(b'@PJL JOB NAME')[1].split(b'"')[1]
        result = b"RESULT=USER_CANCELED\r\n" if n else b""
        conn.sendall(b'@PJL USTATUS JOB\r\nEND\r\nNAME="' + name
                     + b'"\r\nPAGES=7\r\n' + result + b"\x0c")
        return data + read_all(conn)
    f = FakePrinter(net, p.there, 9100, speaks)
    p.wait_gone(p.submit("PRT1", TEXT))
    check(TEXT.encode() in f.jobs[0], "text")
    check_equal(p.lu("PRT1")["pages"], 7, "pages by the printer's word")
    check("cancel" in p.wait_state(p.submit("PRT1", TEXT), "HELD")["reason"],
          "reason")
    p.stop()


# ---- LPR -------------------------------------------------------------------

@options(seconds=150)
def test_lpr_lprng(net):
    """LPRng's lpd, both orders of files, byte for byte; a queue it does not
    have."""
    needs_lprng()
    p = Printd(net, "LPR PRT2 BSTTVNET {there} 5515 * hp2505\n"
               "LPR PRT3 BSTTVNET {there} 5515 * hp2505\n"
               "LU PRT3 ORDER DATA\n"
               "LPR PRT4 BSTTVNET {there} 5515 * nosuch\n"
               "LU PRT4 ATTEMPTS 1\n")
    paper = lprng(net, p, "hp2505")
    data = TEXT.encode() + os.urandom(300000)
    p.wait_gone(p.submit("PRT2", data, "--form", "RAW"))
    wait_paper(paper, data)
    p.wait_gone(p.submit("PRT3", TEXT))
    wait_paper(paper, data + TEXT.encode())
    held = p.wait_state(p.submit("PRT4", TEXT), "HELD")
    check("queue" in held["reason"], held["reason"])
    check(not held["repeat"], "a refused job is marked as printed")
    p.stop()


@options(seconds=150)
def test_lpr_source_port(net):
    """SOURCEPORT RESERVED comes from a port below 1024 [RFC1179 3.1]."""
    p = Printd(net, "LPR PRT2 BSTTVNET {there} 5515 * q\n"
               "LU PRT2 SOURCEPORT RESERVED\n")
    ports = []

    def lpd(conn, _n):
        ports.append(conn.getpeername()[1])
        data = b""
        conn.settimeout(PATIENCE)
        conn.recv(100)
        for _ in range(2):
            conn.sendall(b"\0")
            head = b""
            while not head.endswith(b"\n"):
                head += conn.recv(1)
            size = int(head[1:].split()[0])
            conn.sendall(b"\0")
            data = b""
            while len(data) < size + 1:
                data += conn.recv(size + 1 - len(data))
        conn.sendall(b"\0")
        return data[:-1]
    f = FakePrinter(net, p.there, 5515, lpd)
    p.wait_gone(p.submit("PRT2", TEXT))
    check_equal(f.jobs, [TEXT.encode()], "paper")
    check(ports[0] < 1024, f"source port {ports[0]}")
    p.stop()


@options(seconds=120)
def test_lpr_refuses(net):
    """A daemon that refuses the data is asked again; its words are kept."""
    p = Printd(net, "LPR PRT2 BSTTVNET {there} 5515 * q\n"
               "LU PRT2 RETRY 200MS ATTEMPTS 3\n")

    def lpd(conn, _n):
        conn.recv(100)
        conn.sendall(b"\x01spool disk is full\n")
    f = FakePrinter(net, p.there, 5515, lpd)
    held = p.wait_state(p.submit("PRT2", TEXT), "HELD")
    check_equal(f.n, 3, "attempts")
    check("spool disk is full" in held["reason"], held["reason"])
    p.stop()


# ---- FTP, files -------------------------------------------------------

@options(seconds=150)
def test_ftp_vsftpd(net):
    """Active and passive mode to Debian's vsftpd; a wrong password holds; the
    password is in no display and no log."""
    needs("vsftpd")
    secret = WORK + "/secret"
    with open(secret, "w", encoding="ascii") as f:
        f.write("secret\n")
    os.chmod(secret, 0o600)
    p = Printd(net, "FTP PRT3 BSTTVNET {there} 2121 * prtuser secret\n"
               "FTPP PRT4 BSTTVNET {there} 2121 * prtuser FILE:" + secret
               + "\nFTPP PRT5 BSTTVNET {there} 2121 * prtuser wr0ng\n",
               start=False)
    home = vsftpd(net, p)
    p.start()
    data = TEXT.encode() + os.urandom(300000)
    for lu in ("PRT3", "PRT4"):
        job = p.submit(lu, data, "--form", "RAW")
        p.wait_gone(job)
        wait_paper(f"{home}/{lu}-{job:08d}.prn", data)
    held = p.wait_state(p.submit("PRT5", TEXT), "HELD")
    check("prtuser" in held["reason"], held["reason"])
    shown = p.ctl("QUERY", "DECK") + p.proc.text() + p.ctl("QUERY", "LU")
    check("secret" not in shown.replace(secret, ""), "password shown")
    check("wr0ng" not in shown, "password shown")
    check_equal(sorted(os.listdir(home)), sorted(
        n for n in os.listdir(home) if not n.startswith(".")), "left files")
    p.stop()


@options(seconds=120)
def test_files(net):
    """FILE and PDF: whole files under their names; a folder that is not
    there."""
    p = Printd(net, "FILE PF BSTTVNET {work}/out\nPDF PP BSTTVNET {work}/out\n"
               "LU PF NAME %t-%j\nFILE PX BSTTVNET {work}/none\n"
               "LU PX ATTEMPTS 1\n")
    out = fresh("out", folder=True)
    job = p.submit("PF", TEXT, "--title", "../../etc/pass wd")
    p.wait_gone(job)
    check_equal(os.listdir(out), [f"_._.._etc_pass_wd-{job:08d}.txt"], "name")
    check_equal(read(f"{out}/{os.listdir(out)[0]}").decode(), TEXT, "file")
    job = p.submit("PP", TEXT)
    p.wait_gone(job)
    pdf = read(f"{out}/PP-{job:08d}.pdf")
    check(pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF"),
          "not a PDF")
    held = p.wait_state(p.submit("PX", TEXT), "HELD")
    check("No such file" in held["reason"], held["reason"])
    check(not held["repeat"], "marked")
    p.stop()


@options(seconds=120)
def test_each_job_has_a_line(net):
    """The log holds repeats back; a printed job is none, however many come at
    once."""
    p = Printd(net, "FILE PF BSTTVNET {work}/out\n")
    fresh("out", folder=True)
    jobs = [p.submit("PF", f"job {i}\n") for i in range(70)]
    for job in jobs:
        p.wait_gone(job)
    text = p.proc.text()
    missing = [j for j in jobs if f"CPLT710I job {j} printed on PF" not in text]
    check(not missing, f"no line for {missing}")
    p.stop()


@options(seconds=150)
def test_lpr_cups_lpd(net):
    """CUPS's own LPD server, started for each connection as inetd does."""
    lpd = "/usr/lib/cups/daemon/cups-lpd"
    check(os.path.exists(lpd), "cups-lpd is not installed; ./dev setup")
    p = Printd(net, "LPR PRT2 BSTTVNET {there} 5516 * q\n"
               "LU PRT2 RETRY 500MS\n")
    f = FakePrinter(net, p.there, 9100, lambda c, n: read_all(c))
    cupsd(net, p, {"q": f"socket://{p.there}:9100"})

    def inetd(conn, _n):
        subprocess.run(net.h.argv([lpd, "-h", f"{p.there}:8631", "-o", "raw"]),
                       stdin=conn.fileno(), stdout=conn.fileno(),
                       stderr=subprocess.DEVNULL, check=False)
    FakePrinter(net, p.there, 5516, inetd)
    data = TEXT.encode() + os.urandom(100000)
    p.wait_gone(p.submit("PRT2", data, "--form", "RAW"))
    wait_for(lambda: f.jobs, "CUPS to print", PATIENCE)
    check(f.jobs == [data], "not byte for byte")
    p.stop()


# ---- inputs ----------------------------------------------------------------

@options(seconds=150)
def test_lpd_receiver(net):
    """rlpr prints to a LU; text, copies, PDF, a LU that is not there, and
    nonsense."""
    needs("rlpr")
    p = Printd(net, "LPD {here} 5515\nFILE PF BSTTVNET {work}/out\n")
    out = fresh("out", folder=True)
    with open(WORK + "/t.txt", "w", encoding="utf-8") as f:
        f.write(TEXT)

    def rlpr(queue, *more):
        return net.host(["rlpr", "-N", "-q", "-H", p.here, "-P", queue,
                         "--port=5515", *more, WORK + "/t.txt"], name="rlpr")
    rlpr("PF").ok(PATIENCE)
    wait_for(lambda: len(os.listdir(out)) == 1, "the job", PATIENCE)
    check_equal(read(f"{out}/{os.listdir(out)[0]}").decode(), TEXT, "text")
    rlpr("PF", "-#3").ok(PATIENCE)
    wait_for(lambda: any(read(f"{out}/{n}").decode() == TEXT * 3
                         for n in os.listdir(out)), "three copies", PATIENCE)
    check(rlpr("NOSUCH").wait(PATIENCE) != 0, "a LU that is not there")
    for data in (b"\x02PF\n\x02999999999999 cfA001x\n", b"\x02PF\n\x05 x\n",
                 b"\x02" + b"Q" * 5000, b"\x01\n\x03PF\n", os.urandom(3000)):
        with net.h:
            s = socket.create_connection((p.here, 5515), PATIENCE)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        s.settimeout(PATIENCE)
        while s.recv(4096):
            pass
        s.close()
    with net.h:
        s = socket.create_connection((p.here, 5515), PATIENCE)
    s.sendall(b"\x04PF\n")
    s.settimeout(PATIENCE)
    check(b"PF: IDLE" in s.recv(4096), "lpq")
    rlpr("PF").ok(PATIENCE)
    wait_for(lambda: len(os.listdir(out)) == 3, "the last job", PATIENCE)
    p.stop()


@options(seconds=120)
def test_cups_backend(net):
    """The backend `couplet:` as CUPS runs it."""
    p = Printd(net, "FILE PF BSTTVNET {work}/out\n")
    out = fresh("out", folder=True)
    env = dict(os.environ, COUPLET_RUN=p.run_dir,
               DEVICE_URI=f"couplet://{p.id}/PF?form=text")
    with open(WORK + "/t.txt", "w", encoding="utf-8") as f:
        f.write(TEXT)
    net.host([p.tool("couplet"), "7", "jane", "A title", "2", "",
              WORK + "/t.txt"], name="backend", env=env).ok(PATIENCE)
    with open(WORK + "/t.txt", "rb") as f:
        net.host([p.tool("couplet"), "8", "jane", "A title", "1", ""],
                 name="backend", env=env, stdin=f).ok(PATIENCE)
    wait_for(lambda: len(os.listdir(out)) == 2, "two files", PATIENCE)
    check_equal(sorted(read(f"{out}/{n}").decode() for n in os.listdir(out)),
                sorted([TEXT, TEXT * 2]), "files")
    env["DEVICE_URI"] = f"couplet://{p.id}/NONE"
    check_equal(net.host([p.tool("couplet"), "9", "jane", "T", "1", "",
                          WORK + "/t.txt"], name="backend", env=env)
                .wait(PATIENCE), 6, "exit status for a LU that is not there")
    p.stop()


@options(seconds=150)
def test_acquire(net):
    """The other direction: printd is the client of a host's printer LU (the
    host is printd too) and delivers to a file: SCS and 3270 data."""
    p = Printd(net, "PRINTER HOST1 BSTTVNET SCS\nPRINTER HOST3 BSTTVNET\n"
               "FILE PF BSTTVNET {work}/out\nFILE PG BSTTVNET {work}/out\n"
               "ACQUIRE PF {here} 5023 HOST1\nACQUIRE PG {here} 5023 HOST3\n")
    out = fresh("out", folder=True)
    for lu in ("HOST1", "HOST3"):
        p.wait_lu(lu, "IDLE")
    check_equal([a["state"].split(",")[0] for a in p.query("ACQUIRE")],
                ["has HOST1", "has HOST3"], "states")
    for lu in ("HOST1", "HOST3"):
        p.wait_gone(p.submit(lu, TEXT))
    wait_for(lambda: len(os.listdir(out)) == 2, "two files", PATIENCE)
    for n in os.listdir(out):
        check_equal(read(f"{out}/{n}").decode(), TEXT, n)
    p.stop()


# ---- the operator ----------------------------------------------------------

@options(seconds=200)
def test_operator(net):
    """hold, release, cancel, requeue, move, reprint, restart at a page, back,
    redirect, stop, start; what is wrong is refused with a sentence."""
    p = Printd(net, "FILE PF BSTTVNET {work}/out\nFILE PG BSTTVNET {work}/out\n"
               "LU PF RETAIN 3600S\nLU PG RETAIN 3600S\n")
    out = fresh("out", folder=True)

    def file_of(lu, job):
        return read(f"{out}/{lu}-{job:08d}.txt").decode()
    p.ctl("STOP", "PF")
    a, b, c = (p.submit("PF", f"{x}\n") for x in "abc")
    p.ctl("HOLD", a)
    check_equal(p.job(a)["state"], "HELD", "state")
    p.ctl("HOLD", a, status=1)
    p.ctl("REQUEUE", c, "FRONT")
    p.ctl("MOVE", b, "PG")
    p.wait_state(b, "DONE")
    check_equal(file_of("PG", b), "b\n", "moved job")
    p.ctl("START", "PF")
    p.wait_state(c, "DONE")
    check_equal(p.job(a)["state"], "HELD", "state")
    p.ctl("RELEASE", a)
    p.wait_state(a, "DONE")
    check_equal(file_of("PF", a), "a\n", "released job")
    d = p.submit("PF", PAGES)
    p.wait_state(d, "DONE")
    p.ctl("REPRINT", d, "PAGE", "4", "LU", "PG")
    wait_for(lambda: (p.job(d) or {}).get("prints") == 2, "a reprint", PATIENCE)
    want = "page 4\nline two of 4\n\fpage 5\nline two of 5\n\f"
    check_equal(file_of("PG", d), want, "reprint from page 4")
    e = p.submit("PF", PAGES, "--hold")
    p.ctl("RESTART", e, "PAGE", "5")
    p.wait_state(e, "DONE")
    check_equal(file_of("PF", e), "page 5\nline two of 5\n\f", "page 5")
    g = p.submit("PF", PAGES, "--hold")
    p.ctl("RESTART", g, "PAGE", "9", status=0)
    p.wait_state(g, "DONE")
    h = p.submit("PF", PAGES, "--hold")
    p.ctl("BACK", h, "2")
    p.wait_state(h, "DONE")
    check_equal(file_of("PF", h), PAGES, "back beyond the beginning")
    p.ctl("CANCEL", h)
    check(p.job(h) is None, "cancelled")
    p.ctl("CANCEL", h, status=2)
    p.ctl("REDIRECT", "PF", "TO", "PG")
    i = p.submit("PF", "redirected\n")
    p.wait_state(i, "DONE")
    check_equal(file_of("PG", i), "redirected\n", "redirected job")
    p.ctl("REDIRECT", "PF", "OFF")
    for words in (["MOVE", a, "NOLU"], ["STOP"], ["RESTART", a, "PAGE", "x"],
                  ["QUERY", "NONSENSE"], ["REDIRECT", "PF", "PG"]):
        p.ctl(*words, status=2)
    check("couplet_printd_printed_total" in p.ctl("METRICS"), "metrics")
    for words in (["QUERY", "LU"], ["QUERY", "JOBS"], ["QUERY", "JOB", a],
                  ["QUERY", "ID"], ["QUERY", "DECK"], ["HELP"]):
        check(p.ctl(*words), f"{words} shows nothing")
    p.stop()


@options(seconds=120)
def test_limits(net):
    """Limits of a LU refuse with their name; who waits is told."""
    p = Printd(net, "FILE PF BSTTVNET {work}/out\n"
               "LU PF MAXJOBS 2 MAXBYTES 10000 MAXJOB 6000\n")
    fresh("out", folder=True)
    p.ctl("STOP", "PF")
    p.submit("PF", "x" * 5000)
    path = WORK + "/big"
    for size, word in ((7000, "MAXJOB"), (5500, "MAXBYTES")):
        with open(path, "wb") as f:
            f.write(b"y" * size)
        out = p.ctl("SUBMIT", "PF", path, status=1)
        check(word in out, out)
    job = p.submit("PF", "z")
    out = p.ctl("SUBMIT", "PF", path, status=1)
    check("MAXJOBS" in out, out)
    check("no such LU" in p.ctl("SUBMIT", "NOLU", path, status=1), "LU")
    with open(path, "wb") as f:
        f.write(b"z")
    p.ctl("CANCEL", job)
    w = net.host([p.tool("printctl"), "-i", p.id, "--run", p.run_dir, "SUBMIT",
                  "PF", "--wait", path], name="wait")
    wait_for(lambda: len(p.query("JOBS")) == 2, "the job", PATIENCE)
    p.ctl("START", "PF")
    w.ok(PATIENCE)
    p.stop()


@options(seconds=120)
def test_alert(net):
    """ALERT runs its command with the event; METRICS serves Prometheus."""
    script = WORK + "/alert.sh"
    log = fresh("alerts")
    with open(script, "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\necho "$@" >> {log}\n')
    os.chmod(script, 0o755)
    open(log, "w", encoding="ascii").close()
    os.chmod(log, 0o666)
    p = Printd(net, f"FILE PX BSTTVNET {WORK}/none\nLU PX ATTEMPTS 1\n"
               f"ALERT {script}\nMETRICS {net.run_dir}/printd-"
               f"{'host' if net.kernel else '77'}/metrics\n")
    job = p.submit("PX", TEXT)
    wait_for(lambda: f"HELD PX {job} " in read(log).decode(), "the alert",
             PATIENCE)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{net.run_dir}/printd-{p.id}/metrics")
        s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        s.settimeout(PATIENCE)
        text = read_all(s).decode()
    check('couplet_printd_lu_held_total{lu="PX"} 1' in text, text)
    p.stop()


if __name__ == "__main__":
    main(globals())
