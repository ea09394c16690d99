"""couplet_print: a printd and its printers for tests/net, tests/bench and the
demo. The printers are Debian's own programs (pr3287, LPRng, p910nd, cups-lpd,
cupsd, vsftpd) or, for what no honest program does, sockets of the test.

    net.kernel: printd has ID * and everything is on the loopback of namespace
    h. Otherwise printd has the stack's ID, is the stack's guest, and the
    printers are the kernel's, in namespace h.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading

from couplet_net import (ID, ROOT, V4_HOST, V4_STACK, V6_HOST, WORK, Failure, Proc, check,
                         run, skip, wait_for)

# LPRng and CUPS cannot both be installed: `./dev setup` unpacks LPRng here
LPRNG = os.path.join(ROOT, "build/peers/lprng/usr/sbin/lpd")
PATIENCE = 60     # seconds that a condition may take on a busy machine


class Printd:
    """One printd in namespace h; its deck is `lines`."""

    def __init__(self, net, lines, spool=None, start=True):
        self.net = net
        self.run_dir = net.run_dir
        self.stack = getattr(net, "ids", {4: ID})[4]
        self.id = "host" if net.kernel else self.stack
        self.spool = spool or WORK + "/spool"
        self.here = "127.0.0.1" if net.kernel else V4_STACK
        self.there = "127.0.0.1" if net.kernel else V4_HOST
        self.deck = WORK + "/printd.deck"
        self.proc, self.prefix, self.port = None, [], 5023
        os.makedirs(self.run_dir, exist_ok=True)
        if not spool:
            shutil.rmtree(self.spool, ignore_errors=True)
        self.lines = lines
        if start:
            self.start()

    def text(self):
        head = "ID *" if self.net.kernel else f"ID {self.stack}"
        body = self.lines.format(here=self.here, there=self.there, work=WORK)
        return f"{head}\nOPEN {self.here} {self.port}\n{body}\n" \
               f"SPOOL {self.spool}\nATTACH TN3270E\n"

    def tool(self, name):
        return os.path.join(self.net.build, "printd", name)

    def start(self, wait=True):
        with open(self.deck, "w", encoding="utf-8") as f:
            f.write(self.text())
        self.proc = self.net.keep(Proc(self.net.h.argv(
            self.prefix + [self.tool("printd"), "-f", self.deck, "--run", self.run_dir]),
            name="printd", env=self.net.stackd_env("p")))
        if wait:
            self.proc.says("CPLT002I", PATIENCE)
        return self.proc

    def write_deck(self, lines):
        """The deck that a reload finds; at once, as editors do."""
        self.lines = lines
        with open(self.deck + ".new", "w", encoding="utf-8") as f:
            f.write(self.text())
        os.rename(self.deck + ".new", self.deck)

    def reload(self, lines, status=0):
        """The deck read again; what printctl says."""
        self.write_deck(lines)
        return self.ctl("RELOAD", status=status)

    def kill(self):
        """kill -9, as a power switch would."""
        self.proc.kill(signal.SIGKILL)
        self.proc.wait()

    def stop(self):
        """SIGTERM; it must end by itself, with 0."""
        self.proc.kill()
        status = self.proc.wait(PATIENCE)
        check(status == 0, f"exit status of printd {status}:\n"
              + self.proc.tail())

    def ctl(self, *words, status=0, text=None):
        """One operator command; what it prints."""
        r = subprocess.run(
            [self.tool("printctl"), "-i", self.id, "--run", self.run_dir]
            + [str(w) for w in words], input=text, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=PATIENCE * 2, check=False)
        if r.returncode != status:
            raise Failure(f"printctl {' '.join(map(str, words))}: exit "
                          f"{r.returncode}: {r.stdout}\n{self.proc.tail(20)}")
        return r.stdout

    def submit(self, lu, data, *options):
        """Submits bytes; the job's number once printd has them."""
        path = f"{WORK}/job-{threading.get_ident()}"
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        out = self.ctl("--json", "SUBMIT", lu, *options, path)
        return json.loads(out.strip().split("\n")[-1])["job"]

    def query(self, *words):
        return json.loads(self.ctl("--json", "QUERY", *words) or "[]")

    def job(self, number):
        for j in self.query("JOBS"):
            if j["job"] == number:
                return j
        return None

    def lu(self, name):
        return self.query("LU", name)[0]

    def wait_gone(self, number):
        """Printed, and not retained."""
        wait_for(lambda: self.job(number) is None, f"job {number} to be "
                 "printed", PATIENCE)

    def wait_state(self, number, state):
        def there():
            j = self.job(number)
            return j if j and j["state"] == state else None
        try:
            return wait_for(there, f"job {number} to be {state}", PATIENCE)
        except Failure as e:
            raise Failure(f"{e}: {self.job(number)}\n{self.proc.tail(20)}") \
                from None

    def wait_lu(self, name, state):
        try:
            return wait_for(lambda: self.lu(name)["state"] == state,
                            f"{name} to be {state}", PATIENCE)
        except Failure as e:
            raise Failure(f"{e}: {self.lu(name)}\n{self.proc.tail(20)}") \
                from None


# ---- Debian's printers -----------------------------------------------------

def pr3287(net, printd, lu, out, *options, port=5023, lu_first=True):
    """A TN3270E printer client whose paper is the file `out`."""
    env = dict(os.environ, LC_ALL="C.UTF-8")
    where = f"{printd.here}:{port}"
    return net.host(["pr3287", *options, "-command", f"cat >>{out}",
                     f"{lu}@{where}" if lu_first else where],
                    name="pr3287", env=env)


def fresh(name, folder=False):
    """A path for output, with nothing there."""
    path = f"{WORK}/{name}"
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)
    if folder:
        os.mkdir(path)
        os.chmod(path, 0o777)
    return path


def read(path):
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as f:
        return f.read()


def wait_paper(path, data):
    """Until the paper has exactly these bytes."""
    want = data if isinstance(data, bytes) else data.encode()
    try:
        wait_for(lambda: read(path) == want, f"{len(want)} bytes in {path}",
                 PATIENCE)
    except Failure as e:
        got = read(path)
        raise Failure(f"{e}: got {len(got)} bytes {got[:200]!r}, want "
                      f"{want[:200]!r}") from None


def p910nd(net, printd, paper, number=0):
    """Debian's port 9100 server, port 9100 + number."""
    os.makedirs("/run/lock/p910nd", exist_ok=True)
    open(paper, "ab").close()
    p = net.host(["p910nd", "-d", "-b", "-f", paper, "-i", printd.there,
                  str(number)], name="p910nd")
    net.wait_port("h", 4, 9100 + number, p)
    return p


def needs_lprng():
    if not os.access(LPRNG, os.X_OK):
        skip("LPRng is not unpacked; ./dev setup")


def lprng(net, printd, queue, port=5515):
    """LPRng's lpd with one queue; the file its jobs are appended to."""
    d = WORK + "/lprng"
    paper = d + "/printed"
    for sub in ("", "/etc", "/spool", "/spool/" + queue):
        os.makedirs(d + sub, exist_ok=True)
    with open(d + "/etc/lpd.conf", "w", encoding="ascii") as f:
        f.write(f"lpd_listen_port={printd.there}%{port}\n"
                f"lpd_port={printd.there}%{port}\n"
                "user=daemon\ngroup=daemon\n"
                f"printcap_path={d}/etc/printcap\n"
                f"printer_perms_path={d}/etc/lpd.perms\n"
                f"lockfile={d}/lpd.lock\nunix_socket_path={d}/lpd.sock\n"
                "force_localhost@\n")
    with open(d + "/etc/printcap", "w", encoding="ascii") as f:
        f.write(f"{queue}:lp={paper}:sd={d}/spool/{queue}:sh:mx=0\n")
    with open(d + "/etc/lpd.perms", "w", encoding="ascii") as f:
        f.write("DEFAULT ACCEPT\n")
    open(paper, "ab").close()
    os.chmod(paper, 0o666)
    run(["chown", "-R", "daemon:daemon", d])
    # its place is fixed; the machine's /etc stays as it is
    for sub in ("/up", "/work"):
        os.makedirs(d + sub, exist_ok=True)
    run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/etc,upperdir="
         f"{d}/up,workdir={d}/work", "/etc"])
    shutil.rmtree("/etc/lprng", ignore_errors=True)
    shutil.copytree(d + "/etc", "/etc/lprng")
    p = net.host([LPRNG, "-F"], name="lpd")
    net.wait_port("h", 4, port, p)
    return paper


def vsftpd(net, printd, port=2121):
    """A Debian FTP server; the folder where files appear. User and password
    are those of an account made for this namespace only."""
    d = WORK + "/ftp"
    os.makedirs(d + "/home", exist_ok=True)
    os.makedirs("/run/vsftpd/empty", exist_ok=True)
    for name, line in (("passwd", "prtuser:x:4711:4711::" + d + "/home:"
                        "/bin/sh\n"),
                       ("group", "prtuser:x:4711:\n"),
                       ("shadow", None)):
        if line is None:
            crypt = run(["openssl", "passwd", "-6", "secret"]).strip()
            line = f"prtuser:{crypt}:19000:0:99999:7:::\n"
        copy = f"{d}/{name}"
        shutil.copy("/etc/" + name, copy)
        with open(copy, "a", encoding="ascii") as f:
            f.write(line)
        run(["mount", "--bind", copy, "/etc/" + name])
    os.chown(d + "/home", 4711, 4711)
    with open(d + "/conf", "w", encoding="ascii") as f:
        f.write("listen=YES\nlisten_ipv6=NO\nanonymous_enable=NO\n"
                "local_enable=YES\nwrite_enable=YES\n"
                f"listen_address={printd.there}\nlisten_port={port}\n"
                "secure_chroot_dir=/run/vsftpd/empty\n"
                "pam_service_name=vsftpd\nseccomp_sandbox=NO\n"
                "connect_from_port_20=NO\n")
    p = net.host(["vsftpd", d + "/conf"], name="vsftpd")
    net.wait_port("h", 4, port, p)
    return d + "/home"


CUPSD = """LogLevel debug
Listen {there}:{port}
Listen {d}/sock
ServerAlias *
WebInterface No
Browsing No
DefaultAuthType None
<Location />
  Allow all
</Location>
<Policy default>
  JobPrivateAccess all
  JobPrivateValues none
  <Limit All>
    Order deny,allow
    Allow all
  </Limit>
</Policy>
"""


ADD_QUEUE = """{{
  OPERATION CUPS-Add-Modify-Printer
  GROUP operation-attributes-tag
  ATTR charset attributes-charset utf-8
  ATTR language attributes-natural-language en
  ATTR uri printer-uri ipp://localhost/printers/{name}
  GROUP printer-attributes-tag
  ATTR uri device-uri {uri}
  ATTR enum printer-state 3
  ATTR boolean printer-is-accepting-jobs true
  STATUS successful-ok
}}
"""


def cups_programs(d, printd):
    """The programs of Debian's CUPS and our backend, as an installation has
    them; returns what cups-files.conf says of them."""
    os.makedirs(d + "/bin/backend")
    for sub in os.listdir("/usr/lib/cups"):
        if sub != "backend":
            os.symlink("/usr/lib/cups/" + sub, f"{d}/bin/{sub}")
    shutil.copy(printd.tool("couplet"), d + "/bin/backend/couplet")
    os.chmod(d + "/bin/backend/couplet", 0o700)
    return f"ServerBin {d}/bin\nSetEnv COUPLET_RUN {printd.run_dir}\n"


def cupsd(net, printd, queues, port=8631, backend=False):
    """A CUPS scheduler of our own; queues: {name: device URI}. With `backend`
    it has ours, and no other."""
    d = fresh("cups", folder=True)
    for sub in ("", "/etc", "/spool", "/cache", "/log", "/tmp", "/run"):
        os.makedirs(d + sub, exist_ok=True)
        os.chmod(d + sub, 0o777)
    with open(d + "/etc/cupsd.conf", "w", encoding="ascii") as f:
        f.write(CUPSD.format(there=printd.there, port=port, d=d))
    with open(d + "/etc/cups-files.conf", "w", encoding="ascii") as f:
        f.write(f"ServerRoot {d}/etc\nRequestRoot {d}/spool\n"
                f"CacheDir {d}/cache\nStateDir {d}/run\nTempDir {d}/tmp\n"
                f"ErrorLog {d}/log/error\nAccessLog {d}/log/access\n"
                f"PageLog {d}/log/page\nFileDevice Yes\nSandboxing relaxed\n"
                "SystemGroup root\nUser lp\nGroup lp\nLogFileGroup root\n"
                + (cups_programs(d, printd) if backend else ""))
    p = net.host(["cupsd", "-f", "-c", d + "/etc/cupsd.conf", "-s",
                  d + "/etc/cups-files.conf"], name="cupsd")
    net.wait_port("h", 4, port, p)
    for name, uri in queues.items():
        test = f"{d}/{name}.test"
        with open(test, "w", encoding="ascii") as f:
            f.write(ADD_QUEUE.format(name=name, uri=uri))
        net.h.run(["ipptool", "-t", f"ipp://{printd.there}:{port}/", test])
    return d


BUS = """<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen>
<auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>
<allow user="*"/></policy></busconfig>
"""


class EvePrinter:
    """Debian's IPP Everywhere printer. Each document it prints is a file in
    `paper`, and the type it took it for stands in `types`; start() after
    stop() is the same printer with the same paper."""

    def __init__(self, net, printd, port=8777):
        self.net, self.there, self.port = net, printd.there, port
        self.dir = fresh("eve", folder=True)
        self.paper, self.types = self.dir + "/paper", self.dir + "/types"
        os.mkdir(self.paper)
        self.uri = f"ipp://{self.there}:{port}/ipp/print"
        self.bus, self.proc = self.dir + "/bus", None
        with open(self.dir + "/print", "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n"
                    f"t=$(mktemp {self.paper}/.XXXXXX) && cat \"$1\" >\"$t\" &&"
                    f" echo \"$CONTENT_TYPE\" >>{self.types} &&"
                    f" mv \"$t\" \"$(mktemp -u {self.paper}/XXXXXXXX)\"\n")
        os.chmod(self.dir + "/print", 0o755)
        self.name_host()
        self.start_bus()
        self.start()

    def name_host(self):
        """It listens at a name that has addresses of both families, or not
        at all."""
        names = self.dir + "/hosts"
        six = "::1" if self.net.kernel else V6_HOST
        with open(names, "w", encoding="ascii") as f:
            f.write(f"{self.there} eve.test\n{six} eve.test\n")
        run(["mount", "--bind", names, "/etc/hosts"])

    def start_bus(self):
        """It ends where it finds no bus to tell of itself, even with that
        switched off."""
        conf = self.dir + "/bus.conf"
        with open(conf, "w", encoding="ascii") as f:
            f.write(BUS.format(path=self.bus))
        self.net.host(["dbus-daemon", "--nofork", "--config-file", conf],
                      name="bus")
        wait_for(lambda: os.path.exists(self.bus), "the bus", PATIENCE)

    def start(self):
        self.proc = self.net.host(
            ["ippeveprinter", "-v", "-r", "off", "-p", str(self.port), "-n",
             "eve.test", "-f", "text/plain,application/pdf,image/pwg-raster",
             "-d", fresh("eve/spool", folder=True), "-c", self.dir + "/print",
             "eve"], name="eve", env=dict(
                 os.environ, DBUS_SYSTEM_BUS_ADDRESS="unix:path=" + self.bus))
        self.net.wait_port("h", 4, self.port, self.proc)

    def stop(self):
        self.proc.kill(signal.SIGKILL)
        self.proc.wait()

    def papers(self):
        """What it has printed, a document each."""
        return [read(f"{self.paper}/{n}") for n in os.listdir(self.paper)
                if n[0] != "."]


# ---- printers that no honest program is ------------------------------------

class FakePrinter:
    """A port that answers as `handler(conn, n)` says, in a thread for each
    connection; n counts connections from 0."""

    def __init__(self, net, address, port, handler):
        self.handler, self.n = handler, 0
        self.jobs, self.lock = [], threading.Lock()
        with net.h:
            self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind((address, port))
        self.s.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.s.accept()
            except OSError:
                return
            n, self.n = self.n, self.n + 1
            threading.Thread(target=self.one, args=(conn, n),
                             daemon=True).start()

    def one(self, conn, n):
        try:
            data = self.handler(conn, n)
            if data is not None:
                with self.lock:
                    self.jobs.append(data)
        except OSError:
            pass
        finally:
            conn.close()

    def close(self):
        self.s.shutdown(socket.SHUT_RDWR)     # serve() holds it in accept()
        self.s.close()


def read_all(conn):
    data = b""
    while True:
        piece = conn.recv(65536)
        if not piece:
            return data
        data += piece


def reset(conn):
    """Closes with a reset."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    b"\x01\0\0\0\0\0\0\0")
    conn.close()
