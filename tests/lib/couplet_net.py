"""couplet_net: two network namespaces, a stackd between them, and what the
tests in tests/net and tests/bench need around that. Python's standard library
only.

    with Net(case) as net:              # or Net(case, kernel=True)
        net.host(["nginx", ...])        # in the host's namespace, on the kernel
        net.prog(["curl", ...])         # under stackrun (on the kernel: plain)

Layout ("stack" mode; the kernel mode replaces stackd by a veth pair, so that
a test can be tried on a stack that is known to be good):

    namespace h               stackd          namespace p (no network at all)
    kernel peers -- TUN/TAP -- engines -- AF_UNIX -- programs under stackrun
    V4_HOST, V6_HOST           V4_STACK, V6_STACK

Isolation: inside() runs the test again in pid, mount and network namespaces
of its own. When the test ends, in whatever way, the kernel ends every process
in them and drops interfaces, mounts and files. Nothing of the machine is
touched, and nothing has to be cleaned up by hand.
"""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "..", ".."))
PROGS = os.path.join(ROOT, "tests", "net", "progs")
PYTHON = "/usr/bin/python3"

V4_HOST, V4_STACK = "10.77.0.1", "10.77.0.2"
V6_HOST, V6_STACK = "fd77::1", "fd77::2"
ID = "77"

WORK = "/run/t"             # on a tmpfs of the test's own
SKIPPED = 77
CLONE_NEWNET = 0x40000000


class Failure(Exception):
    """The test failed; the text says why."""


class Timeout(BaseException):
    """The time of the whole test is over."""


def skip(reason):
    print(f"SKIP: {reason}", flush=True)
    sys.exit(SKIPPED)


def check(condition, text):
    if not condition:
        raise Failure(text)


def check_equal(got, want, what):
    if got != want:
        raise Failure(f"{what}: got {got!r}, want {want!r}")


def wait_for(predicate, what, seconds=15, step=0.02):
    """Polls until predicate() is true; its value. Failure when it stays
    false."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s for {what}")
        time.sleep(step)


# ---- isolation -------------------------------------------------------------

def inside(seconds):
    """Runs this program again in namespaces of its own and returns there.
    After `seconds` Timeout is raised in the test; soon after that, the
    namespaces are killed."""
    if os.environ.get("COUPLET_INSIDE") != str(os.getppid()) and \
            os.getpid() != 1:
        if os.geteuid() != 0:
            skip("needs root: namespaces and /dev/net/tun")
        if not os.path.exists("/dev/net/tun"):
            skip("no /dev/net/tun on this machine")
        os.environ["COUPLET_INSIDE"] = str(os.getpid())
        sys.exit(subprocess.call(
            ["timeout", "--kill-after=5", str(seconds + 15),
             "unshare", "--net", "--mount", "--pid", "--uts", "--ipc",
             "--fork", "--kill-child=KILL", "--mount-proc",
             PYTHON, "-u"] + sys.argv))
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])
    for folder in ("/run/netns", "/run/sshd", "/run/lock", WORK):
        os.mkdir(folder)
    os.chmod(WORK, 0o755)
    os.mkdir(WORK + "/san")
    os.chmod(WORK + "/san", 0o1777)
    os.chdir(WORK)
    # no name server of the machine is asked, and none is waited for
    with open(WORK + "/resolv.conf", "w", encoding="ascii") as f:
        f.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    if os.path.exists("/etc/resolv.conf"):
        run(["mount", "--bind", WORK + "/resolv.conf", "/etc/resolv.conf"])

    def on_alarm(_sig, _frame):
        raise Timeout(f"not finished after {seconds} s")
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=reap, daemon=True).start()


def reap():
    """This process is the first of its pid namespace: orphans of daemons
    come to it, and somebody has to take their exit status."""
    seen = set()
    while True:
        time.sleep(0.5)
        try:
            dead = {int(name) for name in os.listdir("/proc")
                    if name.isdigit() and int(name) not in subprocess_pids
                    and zombie_of_ours(int(name))}
            # the second time: a child just begun may not be known yet
            for pid in dead & seen:
                os.waitpid(pid, os.WNOHANG)
            seen = dead
        except (ChildProcessError, FileNotFoundError, ProcessLookupError):
            pass


# children that subprocess waits for: whoever else takes the exit status makes
# it 0 there
subprocess_pids = set()


class KnownPopen(subprocess.Popen):
    """A child that reap() leaves alone, subprocess.run()'s too."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        subprocess_pids.add(self.pid)


subprocess.Popen = KnownPopen


def zombie_of_ours(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        state, ppid = f.read().rpartition(")")[2].split()[:2]
    return state == "Z" and int(ppid) == os.getpid()


def run(argv, **kw):
    """A short command of the test itself; Failure when it fails."""
    kw.setdefault("timeout", 60)
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       check=False, text=True, **kw)
    if r.returncode:
        raise Failure(f"{' '.join(argv)}: exit {r.returncode}: {r.stdout}")
    return r.stdout


class Namespace:
    def __init__(self, name):
        self.name = name
        run(["ip", "netns", "add", name])
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self.here = threading.local()    # several threads may be inside
        self.run(["ip", "link", "set", "lo", "up"])

    def argv(self, argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", "--"] + argv

    def run(self, argv, **kw):
        return run(self.argv(argv), **kw)

    def sysctl(self, name, value):
        with self:
            path = "/proc/sys/" + name.replace(".", "/")
            with open(path, "w", encoding="ascii") as f:
                f.write(str(value))

    def __enter__(self):
        """This thread's new sockets belong to the namespace."""
        self.here.back = os.open("/proc/thread-self/ns/net",
                                 os.O_RDONLY | os.O_CLOEXEC)
        setns(self.fd)

    def __exit__(self, *_):
        setns(self.here.back)
        os.close(self.here.back)


libc = ctypes.CDLL(None, use_errno=True)


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


# ---- processes -------------------------------------------------------------

class Proc:
    """A process with its output in a file; `text()` is what it wrote."""

    count = 0

    def __init__(self, argv, name=None, env=None, stdin=None, output=None,
                 cwd=None, preexec=None):
        Proc.count += 1
        self.name = name or os.path.basename(argv[0])
        self.argv = argv
        self.path = output or f"{WORK}/{Proc.count:03d}-{self.name}.out"
        self.file = open(self.path, "wb")
        self.p = subprocess.Popen(argv, stdin=stdin or subprocess.DEVNULL,
                                  stdout=self.file, stderr=subprocess.STDOUT,
                                  start_new_session=True, cwd=cwd,
                                  preexec_fn=preexec, env=env)

    @property
    def pid(self):
        return self.p.pid

    def text(self):
        with open(self.path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def alive(self):
        return self.p.poll() is None

    def wait(self, seconds=60):
        """Exit status; a signal counts negative, as subprocess does."""
        try:
            return self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds} s:\n"
                          f"{self.tail()}") from None

    def ok(self, seconds=60):
        """Waits; Failure unless it ended with 0. What it wrote."""
        status = self.wait(seconds)
        if status != 0:
            raise Failure(f"{' '.join(self.argv)}: exit {status}:\n"
                          f"{self.tail()}")
        return self.text()

    def says(self, word, seconds=15):
        """Waits until its output has `word`."""
        def seen():
            if word in self.text():
                return True
            if not self.alive() and word not in self.text():
                raise Failure(f"{self.name} ended with {self.p.returncode} "
                              f"before it said {word!r}:\n{self.tail()}")
            return False
        try:
            wait_for(seen, f"{word!r} from {self.name}", seconds)
        except Failure as e:
            raise Failure(f"{e}\n{self.tail()}") from None
        return self

    def tail(self, lines=60):
        return "\n".join(self.text().split("\n")[-lines:])

    def kill(self, sig=signal.SIGTERM):
        if self.alive():
            self.p.send_signal(sig)

    def stop(self, seconds=10):
        """SIGTERM to its group, SIGKILL if that is not enough."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.p.pid, sig)
            except ProcessLookupError:
                pass
            try:
                return self.p.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        return None


def needs(*programs):
    """Skips the test when one of the programs is not installed."""
    for p in programs:
        for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
            if os.access(os.path.join(folder, p), os.X_OK):
                break
        else:
            skip(f"{p} is not installed; ./dev setup")


# ---- the pair of namespaces with the stack between them --------------------

class Net:
    v4 = (V4_HOST, V4_STACK)
    v6 = (V6_HOST, V6_STACK)

    def __init__(self, build, kernel=False, families="46", deck_extra="",
                 fd_limit=20000, mtu=1500, mode="auto", couple=""):
        self.build = build
        self.kernel = kernel
        self.families = families
        self.deck_extra = deck_extra
        self.mtu = mtu
        self.mode = mode
        self.couple = couple
        self.procs = []
        self.stackd = None
        self.run_dir = WORK + "/run"
        raise_fd_limit(fd_limit)

    # where things are
    def tool(self, name):
        for rel in ("stackd", "tlsd", "proxyd", "common/client",
                    "common/console", "common/keys", "common",
                    "."):
            path = os.path.join(self.build, rel, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        raise Failure(f"{name} is not built in {self.build}")

    def __enter__(self):
        try:
            self.h = Namespace("h")
            self.p = Namespace("p")
            for ns in (self.h, self.p):
                ns.sysctl("net.ipv6.conf.default.accept_dad", 0)
                ns.sysctl("net.ipv6.conf.all.accept_dad", 0)
                ns.sysctl("net.ipv4.ping_group_range", "0 2147483647")
            if self.kernel:
                self.make_veth()
            else:
                os.mkdir(self.run_dir)
                self.start_stackd()
            self.cubic()
        except BaseException:
            self.finish(failed=True)
            raise
        return self

    def __exit__(self, kind, _value, _tb):
        self.finish(failed=kind is not None)

    def make_veth(self):
        run(["ip", "link", "add", "vh", "mtu", str(self.mtu), "netns", "h",
             "type", "veth", "peer", "vp", "mtu", str(self.mtu), "netns",
             "p"])
        for ns, dev, a4, a6 in ((self.h, "vh", V4_HOST, V6_HOST),
                                (self.p, "vp", V4_STACK, V6_STACK)):
            ns.run(["ip", "addr", "add", a4 + "/24", "dev", dev])
            ns.run(["ip", "addr", "add", a6 + "/64", "dev", dev, "nodad"])
            ns.run(["ip", "link", "set", dev, "up"])
        self.p.run(["ip", "route", "add", "default", "via", V4_HOST])
        self.p.run(["ip", "-6", "route", "add", "default", "via", V6_HOST])

    def cubic(self):
        """Kernel senders use CUBIC, whatever the machine's default is: bbr
        paces, and its sysctl cannot be changed in a namespace."""
        for ns in (self.h, self.p):
            for fam in ("-4", "-6"):
                for line in ns.run(["ip", fam, "route", "show", "proto",
                                    "kernel"]).split("\n"):
                    # a state, which `change` does not take
                    words = [w for w in line.split() if w != "linkdown"]
                    if len(words) > 2 and words[1] == "dev":
                        ns.run(["ip", fam, "route", "change"] + words +
                               ["congctl", "cubic"])

    def deck(self):
        """v4 on a layer 3 port (TUN), v6 on a layer 2 port (TAP)."""
        d = [f"ID {ID}"]
        if self.couple:
            d.append(f"COUPLE {self.couple}")
        if "4" in self.families:
            d += ["DEVICE OSA4 OSAX D10 PORTA D12",
                  f"ADAPTER OSA4 IFNAME cpl4 HOSTADDR {V4_HOST}/24",
                  f"LINK OSA4 0 {V4_STACK} 255.255.255.0 {self.mtu}",
                  "ROUTE OSA4 10.77.0.0 255.255.255.0 0.0.0.0 0",
                  f"ROUTE OSA4 0.0.0.0 0.0.0.0 {V4_HOST} 1"]
        if "6" in self.families:
            d += ["DEVICE OSA6 OSAX D60 PORTB D62 LAYER2 02005E770002",
                  f"ADAPTER OSA6 IFNAME cpl6 HOSTADDR {V6_HOST}/64",
                  f"LINK OSA6 0 {V6_STACK} /64 {self.mtu}",
                  "ROUTE OSA6 fd77::2 /64 ::0 0",
                  f"ROUTE OSA6 ::0 ::0 {V6_HOST} 1"]
        if self.deck_extra:
            d.append(self.deck_extra)
        return "\n".join(d + ["ATTACH TCP/IP", ""])

    def stackd_env(self, n=""):
        env = dict(os.environ)
        log = f"{WORK}/san/report{n}"
        # A small quarantine: what is freed and kept there for the sanitizer
        # would look like a leak to tests that watch the daemon's memory.
        env["ASAN_OPTIONS"] = (f"log_path={log}:detect_leaks=1:exitcode=99:"
                               "abort_on_error=0:handle_abort=1:"
                               "quarantine_size_mb=2")
        env["UBSAN_OPTIONS"] = f"log_path={log}:print_stacktrace=1"
        env["LSAN_OPTIONS"] = f"log_path={log}"
        return env

    def start_stackd(self, deck=None, wait=True, args=()):
        """Starts stackd in namespace h and waits until it says READY=1."""
        path = WORK + "/deck"
        with open(path, "w", encoding="utf-8") as f:
            f.write(deck or self.deck())
        env = self.stackd_env()
        env["NOTIFY_SOCKET"] = WORK + "/notify"
        note = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if os.path.exists(WORK + "/notify"):
            os.unlink(WORK + "/notify")
        note.bind(WORK + "/notify")
        os.chmod(WORK + "/notify", 0o777)
        note.settimeout(0.05)
        self.stackd = Proc(self.h.argv(
            [self.tool("stackd"), "-f", path, "--run", self.run_dir]
            + list(args)), name="stackd", env=env)
        self.stackd_real_pid = self.stackd.pid
        if wait:
            def ready():
                check(self.stackd.alive(), "stackd ended at once:\n"
                      + self.stackd.tail())
                try:
                    return b"READY=1" in note.recv(4096)
                except socket.timeout:
                    return False
            try:
                wait_for(ready, "stackd to be ready", 20, step=0)
            except Failure as e:
                raise Failure(f"{e}\n{self.stackd.tail()}") from None
            if "6" in self.families:
                self.wait_v6()
        note.close()
        return self.stackd

    def wait_v6(self):
        """The v6 address answers once duplicate detection is over."""
        def reachable():
            with self.h:
                s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            s.settimeout(1)
            try:
                s.connect((V6_STACK, 9))
            except ConnectionRefusedError:
                return True
            except OSError:
                return False
            finally:
                s.close()
            return True
        wait_for(reachable, "the stack's IPv6 address", 15)

    def ctl(self, *words, check_status=True):
        """One operator command; what the console answers."""
        return self.ctl_of(ID, *words, check_status=check_status)

    def ctl_of(self, stack, *words, check_status=True):
        r = subprocess.run([self.tool("stackctl"), "-i", stack, "--run",
                            self.run_dir] + list(words), text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=30, check=False)
        if check_status and r.returncode:
            raise Failure(f"stackctl {' '.join(words)}: exit "
                          f"{r.returncode}: {r.stdout}")
        return r.stdout

    def stackrun(self, argv, mode=None, stack=ID):
        return [self.tool("stackrun"), "-i", stack, "--run", self.run_dir,
                "--mode", mode or self.mode] + argv

    # processes
    def keep(self, proc):
        self.procs.append(proc)
        return proc

    def host(self, argv, **kw):
        """A program on the kernel's stack, in namespace h."""
        kw.setdefault("name", os.path.basename(argv[0]))
        return self.keep(Proc(self.h.argv(argv), **kw))

    def prog(self, argv, **kw):
        """A program on the stack under test, in namespace p."""
        kw.setdefault("name", os.path.basename(argv[0]))
        if not self.kernel:
            argv = self.stackrun(argv)
        return self.keep(Proc(self.p.argv(argv), **kw))

    def side(self, which):
        return self.host if which == "h" else self.prog

    def address(self, which, family):
        pair = self.v4 if family == 4 else self.v6
        return pair[0] if which == "h" else pair[1]

    def wait_port(self, which, family, port, proc=None, seconds=20):
        """Until somebody accepts connections on the port: for the host's
        side by the kernel's table of listeners, for the stack's side by
        connecting from the host."""
        def listening_kernel(ns):
            out = ns.run(["ss", "-Hltn", f"sport = :{port}"])
            return bool(out.strip())

        def connects():
            fam = socket.AF_INET if family == 4 else socket.AF_INET6
            with self.h:
                s = socket.socket(fam, socket.SOCK_STREAM)
            s.settimeout(2)
            try:
                s.connect((self.address(which, family), port))
                return True
            except OSError:
                return False
            finally:
                s.close()

        def up():
            if proc is not None and not proc.alive():
                raise Failure(f"{proc.name} ended with {proc.p.returncode}:"
                              f"\n{proc.tail()}")
            if which == "h":
                return listening_kernel(self.h)
            if self.kernel:
                return listening_kernel(self.p)
            return connects()
        wait_for(up, f"port {port} on side {which}", seconds, step=0.05)

    # the end
    def stop_stackd(self):
        """SIGTERM; it must end by itself, with 0 and without a report."""
        if self.stackd is None:
            return
        d, self.stackd = self.stackd, None
        d.kill()
        status = d.wait(20)
        check_equal(status, 0, "exit status of stackd:\n" + d.tail())

    def reports(self):
        out = ""
        for name in sorted(os.listdir(WORK + "/san")):
            with open(f"{WORK}/san/{name}", encoding="utf-8",
                      errors="replace") as f:
                out += f"{name}:\n{f.read()[:8000]}\n"
        return out

    def left_behind(self):
        with self.h:
            names = [n for _, n in socket.if_nameindex()]
        left = [n for n in names if n.startswith("cpl")]
        if not self.kernel and os.path.isdir(self.run_dir):
            for top, _, files in os.walk(self.run_dir):
                # the link of a couple stays for the other stack
                left += [os.path.join(top, f) for f in files
                         if f != "couple"]
        return left

    def finish(self, failed):
        problems = []
        for p in reversed(self.procs):
            if p.alive():
                p.stop(3)
        d = self.stackd
        try:
            self.stop_stackd()
            if not self.kernel and not failed:
                left = self.left_behind()
                check(not left, f"stackd left behind: {left}")
        except Failure as e:
            problems.append(str(e))
            if d:
                d.stop(2)
        reports = self.reports()
        if reports:
            problems.append("sanitizer:\n" + reports)
        if failed or problems:
            self.dump(d)
        if problems and not failed:
            raise Failure("\n".join(problems))
        for text in problems:
            print(text, flush=True)

    def dump(self, stackd):
        for p in ([stackd] if stackd else []) + self.procs:
            status = p.p.poll()
            print(f"---- {p.name} (exit {status}): {' '.join(p.argv)}\n"
                  f"{p.tail(40)}", flush=True)


def raise_fd_limit(wanted):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        hard = max(wanted, 1 << 20)
    # more would make select() of old programs unhappy for no gain
    limit = min(hard, max(wanted, 20000))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


# ---- running cases ---------------------------------------------------------

def main(namespace):
    """Command line of every test file:
    FILE --build DIR [--kernel] [--verbose] CASE...

    A case is a function test_x(net) of the file. Attributes set by
    options() give Net's arguments, the time limit and whether the case makes
    sense on the kernel."""
    import argparse
    cases = {n: f for n, f in namespace.items() if n.startswith("test_")}
    a = argparse.ArgumentParser()
    a.add_argument("--build", default=os.path.join(ROOT, "build", "dev"))
    a.add_argument("--kernel", action="store_true",
                   help="run on the kernel's stack: proves the test")
    a.add_argument("--mode", default="auto",
                   help="of stackrun: preload, seccomp or both (auto)")
    a.add_argument("--seconds", type=int, default=0)
    a.add_argument("case", nargs="+", choices=sorted(cases) + ["all"])
    args = a.parse_args()
    args.build = os.path.realpath(args.build)
    names = sorted(cases) if args.case == ["all"] else args.case
    limit = args.seconds or sum(getattr(cases[n], "seconds", 60)
                                for n in names)
    inside(limit)
    failed = 0
    for n in names:
        failed += run_case(n, cases[n], args)
    sys.stdout.flush()
    # threads of a case may hang in a system call: do not wait for them
    os._exit(1 if failed else 0)


def run_case(name, fn, args):
    start = time.monotonic()
    if args.kernel and not getattr(fn, "on_kernel", True):
        print(f"{name}: not for the kernel")
        return 0
    try:
        with Net(args.build, kernel=args.kernel,
                 **{"mode": args.mode, **getattr(fn, "net_args", {})}) as net:
            fn(net)
    except (Failure, Timeout, OSError, subprocess.SubprocessError) as e:
        print(f"FAIL {name}: {type(e).__name__}: {e}", flush=True)
        return 1
    finally:
        remove_namespaces()
    print(f"ok {name} ({time.monotonic() - start:.1f} s)", flush=True)
    return 0


def remove_namespaces():
    for name in sorted(os.listdir("/run/netns")):
        for pid in run(["ip", "netns", "pids", name]).split():
            if int(pid) > 1:
                os.kill(int(pid), signal.SIGKILL)
        run(["ip", "netns", "del", name])
    subprocess.run(["rm", "-rf", WORK + "/run"], check=False)
    for f in os.listdir(WORK + "/san"):
        os.unlink(f"{WORK}/san/{f}")


def options(seconds=60, on_kernel=True, **net_args):
    def mark(fn):
        fn.seconds, fn.on_kernel, fn.net_args = seconds, on_kernel, net_args
        return fn
    return mark


def sanitized(build):
    """Is this a build with the address sanitizer?"""
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as f:
        return any(line.startswith("COUPLET_SANITIZE") and
                   "address" in line for line in f)
