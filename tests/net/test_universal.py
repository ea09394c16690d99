#!/usr/bin/python3
"""Programs that a preload library does not reach: static ones, other
runtimes, children of shells, set-user-ID files; their names; and that none of
them finds another network than the stack's.

    test_universal.py --build DIR CASE...
"""

import os
import shutil
import signal
import socket
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from couplet_net import (PROGS, PYTHON, ROOT, V4_HOST, V4_STACK, V6_HOST,
                         V6_STACK, WORK, Proc, check, check_equal, main,
                         needs, options, run, wait_for)

BUSYBOX = "/bin/busybox"
WEB_BYTES = 1 << 18     # web.go sends these behind its first line
V4_NOBODY = V4_HOST.rpartition(".")[0] + ".99"
NAMES = f"""DNS {V4_HOST}
DNS {V6_HOST}
HOST TABLEHOST {V4_HOST}
HOST TABLEHOST {V6_HOST}
HOST LOCALHOST 127.0.0.1
HOST LOCALHOST ::1"""


def built(net, name, source, argv, env=None):
    """A program of progs/, built once for a build directory by argv(output,
    source)."""
    out = os.path.join(net.build, "tests", "net", name)
    src = os.path.join(PROGS, source)
    if not os.path.exists(out) or os.path.getmtime(out) < \
            os.path.getmtime(src):
        # cases that run at once have the same pid, each in its namespace
        with tempfile.TemporaryDirectory(dir=os.path.dirname(out)) as d:
            run(argv(f"{d}/{name}", src), env=env, timeout=400)
            os.rename(f"{d}/{name}", out)
    return out


def web(net):
    """The Go program, static."""
    needs("go")
    return built(net, "web", "web.go",
                 lambda out, src: ["go", "build", "-o", out, src],
                 dict(os.environ, CGO_ENABLED="0", GO111MODULE="off",
                      GOFLAGS="-trimpath",
                      GOCACHE=os.path.join(ROOT, "build", "go-cache")))


def rust(net, static):
    """The Rust program, with libc inside or outside."""
    rustc = shutil.which("rustc", path="/usr/bin:/bin")     # Debian's
    if not rustc:
        needs("rustc")
    more = ["-C", "target-feature=+crt-static"] if static else []
    return built(net, "netrs-static" if static else "netrs", "net.rs",
                 lambda out, src: [rustc, "-O", *more, "-o", out, src])


def java_classes():
    needs("java", "javac")
    run(["javac", "-d", WORK, PROGS + "/Web.java"], timeout=200)
    return WORK


def on_stack(net, mode, argv, **kw):
    return net.keep(Proc(net.p.argv(net.stackrun(argv, mode=mode)),
                         name=f"{mode}-{os.path.basename(argv[0])}", **kw))


def dnsmasq(net):
    """A name server on the host with a name for either family and one whose
    answer does not fit into a datagram."""
    needs("dnsmasq")
    many = [f"--host-record=many.example.test,192.0.2.{i}"
            for i in range(1, 60)]
    p = net.host(["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts",
                  "--log-queries", "--log-facility=-", "--local-ttl=60",
                  "--local=/test/",
                  "--bind-interfaces", f"--listen-address={V4_HOST}",
                  f"--listen-address={V6_HOST}", "--user=root",
                  "--pid-file=",
                  f"--host-record=web.example.test,{V4_HOST},{V6_HOST}",
                  *many])
    p.says("started")
    return p


def host_page(net, port=8000):
    os.makedirs(WORK + "/www", exist_ok=True)
    with open(WORK + "/www/page", "w", encoding="ascii") as f:
        f.write("the page\n" * 1000)
    p = net.host([PYTHON, "-u", "-m", "http.server", str(port), "--bind",
                  "::", "--directory", WORK + "/www"], name="page")
    net.wait_port("h", 6, port, p)
    return WORK + "/www/page"


def both_families(address4, address6, port):
    return (f"http://{address4}:{port}/", f"http://[{address6}]:{port}/")


# ---- Go --------------------------------------------------------------------

def go_server(net, mode):
    p = on_stack(net, mode, [web(net), "serve", "8080"])
    p.says("serving")
    for url, peer in zip(both_families(V4_STACK, V6_STACK, 8080),
                         (V4_HOST, f"[{V6_HOST}]")):
        out = net.host([web(net), "get", url, url, url]).ok()
        lines = out.strip().split("\n")
        check_equal(len(lines), 3, "answers")
        for line in lines:
            check(line.startswith("200 ") and f"from {peer}:" in line,
                  f"{url}: {line}")
            check(int(line.split()[1]) > WEB_BYTES, line)
    p.stop()


def go_client(net, mode):
    p = net.host([web(net), "serve", "8081"])
    p.says("serving")
    urls = both_families(V4_HOST, V6_HOST, 8081)
    out = on_stack(net, mode, [web(net), "get", *urls, *urls]).ok()
    lines = out.strip().split("\n")
    check_equal(len(lines), 4, "answers")
    check(f"from {V4_STACK}:" in lines[0], out)
    check(f"from [{V6_STACK}]:" in lines[1], out)
    p.stop()


@options(seconds=600, on_kernel=False)
def test_static_go_server(net):
    for mode in ("auto", "seccomp"):
        go_server(net, mode)


@options(seconds=600, on_kernel=False)
def test_static_go_client(net):
    for mode in ("auto", "seccomp"):
        go_client(net, mode)


@options(seconds=600, on_kernel=False)
def test_static_go_udp(net):
    server = on_stack(net, "seccomp", [web(net), "echo", "7007"])
    server.says("echoing")
    peer = net.host([web(net), "echo", "7008"])
    peer.says("echoing")
    for address in (V4_STACK, f"[{V6_STACK}]"):
        check("300 answers" in net.host(
            [web(net), "ask", f"{address}:7007", "300"]).ok(), address)
    for address in (V4_HOST, f"[{V6_HOST}]"):
        check("300 answers" in on_stack(
            net, "seccomp", [web(net), "ask", f"{address}:7008",
                             "300"]).ok(), address)


@options(seconds=600, on_kernel=False, deck_extra=NAMES)
def test_static_go_names(net):
    """Go's own resolver: the stack's servers and its HOST table."""
    log = dnsmasq(net)
    out = on_stack(net, "auto", [web(net), "lookup",
                                 "web.example.test"]).ok()
    check_equal(sorted(out.strip().strip("[]").split()),
                sorted([V4_HOST, V6_HOST]), "addresses")
    out = on_stack(net, "auto", [web(net), "lookup", "tablehost"]).ok()
    check_equal(sorted(out.strip().strip("[]").split()),
                sorted([V4_HOST, V6_HOST]), "addresses of the HOST table")
    check("tablehost" not in log.text().lower(), "the server was asked")
    out = on_stack(net, "auto", [web(net), "lookup",
                                 "many.example.test"]).ok()
    check_equal(len(out.strip().strip("[]").split()), 59,
                "addresses that came over TCP")


# ---- Rust ------------------------------------------------------------------

def rust_server(net, mode, program):
    p = on_stack(net, mode, [program, "serve", "5005"])
    p.says("serving")
    u = on_stack(net, mode, [program, "echo", "5006"])
    u.says("echoing")
    for address, peer in ((V4_STACK, f"[::ffff:{V4_HOST}]"),
                          (V6_STACK, f"[{V6_HOST}]")):
        out = net.host([program, "send", address, "5005", "3000000"]).ok()
        check("same true" in out, out)
        p.says(f"from {peer}:")
        at = f"[{address}]" if ":" in address else address
        check("100 answers" in
              net.host([program, "ask", f"{at}:5006", "100"]).ok(), at)
    p.stop()
    u.stop()


def rust_client(net, mode, program):
    p = net.host([program, "serve", "5005"])
    p.says("serving")
    u = net.host([program, "echo", "5006"])
    u.says("echoing")
    for host, own in ((V4_HOST, V4_STACK), (V6_HOST, V6_STACK)):
        out = on_stack(net, mode, [program, "send", host, "5005",
                                   "3000000"]).ok()
        check(f"local {own} " in out and "nodelay true same true" in out, out)
        at = f"[{host}]" if ":" in host else host
        out = on_stack(net, mode, [program, "ask", f"{at}:5006", "100"]).ok()
        check(f"100 answers to {own}" in out, out)
        check_equal(on_stack(net, mode, [program, "refused", host,
                                         "5009"]).ok().strip(),
                    "ConnectionRefused", host)
    # an address of the link that nobody has: no answer, whoever gives up
    out = on_stack(net, mode, [program, "silent", f"{V4_NOBODY}:80",
                               "300"]).ok().strip()
    check_equal(out, "TimedOut", "nobody")
    p.stop()
    u.stop()


@options(seconds=600, on_kernel=False)
def test_rust_server(net):
    for mode, static in (("preload", False), ("seccomp", False),
                         ("auto", True)):
        rust_server(net, mode, rust(net, static))


@options(seconds=600, on_kernel=False)
def test_rust_client(net):
    for mode, static in (("preload", False), ("seccomp", False),
                         ("auto", True)):
        rust_client(net, mode, rust(net, static))


# ---- busybox, shells, set-user-ID ------------------------------------------

@options(seconds=120, on_kernel=False, deck_extra=NAMES)
def test_static_busybox_wget(net):
    needs("busybox")
    page = host_page(net)
    dnsmasq(net)
    for host in (V4_HOST, f"[{V6_HOST}]", "web.example.test", "tablehost"):
        out = WORK + "/got"
        on_stack(net, "auto", [BUSYBOX, "wget", "-q", "-O", out,
                               f"http://{host}:8000/page"]).ok()
        with open(out, "rb") as got, open(page, "rb") as want:
            check_equal(got.read(), want.read(), f"page from {host}")
        os.unlink(out)


@options(seconds=120, on_kernel=False)
def test_shell_with_children(net):
    """A dynamic shell, a static child, a pipe, a child of a child."""
    needs("busybox", "curl")
    host_page(net)
    url = f"http://{V4_HOST}:8000/page"
    for mode in ("auto", "seccomp"):
        out = on_stack(
            net, mode, ["sh", "-c",
                        f"{BUSYBOX} wget -q -O - {url} | head -c 8; "
                        f"(curl -sS {url} | tail -n 1) & wait; "
                        f"{BUSYBOX} sh -c '{BUSYBOX} wget -q -O - {url}' "
                        "| wc -l"]).ok()
        check_equal(out.split("\n")[:2], ["the pagethe page", "1000"],
                    "what the shell printed")


@options(seconds=120, on_kernel=False)
def test_setuid_program_of_root(net):
    """The loader ignores a preload library for these; root's supervisor does
    not mind, and stackd sees the user that the program became."""
    needs("busybox")
    copy = "/run/busybox"   # /run of the test is mounted without nosuid
    shutil.copy(BUSYBOX, copy)
    os.chown(copy, 65534, 65534)
    os.chmod(copy, 0o4755)
    p = on_stack(net, "auto", [copy, "nc", "-l", "-p", "7100"])

    def listener():
        return [r.split() for r in net.ctl("QUERY", "SOCKETS").split("\n")
                if "LISTEN" in r]
    wait_for(listener, "the listener of the program")
    pid, uid = listener()[0][-2:]
    check_equal(uid, "65534", "user of the listener")
    check_equal(pid, str(p.pid), "process of the listener")
    p.stop()


DROPPED = """
import errno, os, socket
def mark():
    s = socket.socket()
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 7)
        return "done"
    except OSError as e:
        return errno.errorcode[e.errno]
def bind(port):
    s = socket.socket()
    try:
        s.bind(("0.0.0.0", port))
        return "done"
    except OSError as e:
        return errno.errorcode[e.errno]
print(mark(), bind(80))
if os.fork() == 0:
    os.setgroups([])
    os.setresgid(5001, 5001, 5001)
    os.setresuid(5001, 5001, 5001)
    print(mark(), bind(81), bind(8081), flush=True)
    os._exit(0)
os.wait()
print(mark(), bind(82))
"""


@options(seconds=60, on_kernel=False)
def test_root_gives_its_rights_up(net):
    """The supervisor is root; what it does for a program that is not, is what
    that program may do."""
    out = on_stack(net, "seccomp", [PYTHON, "-u", "-c", DROPPED]).ok()
    check_equal(out.strip().split("\n"),
                ["done done", "EPERM EACCES done", "done done"],
                "SO_MARK and ports: as root, as a user, as root")


# ---- Java ------------------------------------------------------------------

@options(seconds=500, on_kernel=False, deck_extra=NAMES)
def test_java(net):
    classes = java_classes()
    host_page(net)
    dnsmasq(net)
    for port, mode in ((8090, "auto"), (8091, "seccomp")):
        p = on_stack(net, mode, ["java", "-Xint", "-cp", classes, "Web",
                                 "serve", str(port)])
        p.says("serving", 100)
        for url in both_families(V4_STACK, V6_STACK, port):
            out = net.host(["curl", "-sS", "-g", "--max-time", "60",
                            url]).ok()
            check(f"from /{V4_HOST}:" in out or "fd77" in out, out)
        p.stop()
        out = on_stack(net, mode, ["java", "-Xint", "-cp", classes, "Web",
                                   "get", "web.example.test", "8000"]).ok(200)
        check(f"/{V4_HOST}" in out and "HTTP/1.0 200" in out, out)


# ---- names through libc ----------------------------------------------------

@options(seconds=200, on_kernel=False, deck_extra=NAMES)
def test_curl_by_host_name(net):
    needs("curl")
    host_page(net)
    dnsmasq(net)
    for mode in ("preload", "auto", "seccomp"):
        for name in ("web.example.test", "tablehost"):
            for family in ("-4", "-6"):
                out = on_stack(net, mode, [
                    "curl", "-sS", "-f", "--max-time", "60", family, "-o",
                    "/dev/null", "-w", "%{remote_ip} %{http_code}",
                    f"http://{name}:8000/page"]).ok()
                want = V4_HOST if family == "-4" else V6_HOST
                check_equal(out.strip(), f"{want} 200",
                            f"curl {family} {name}, {mode}")


RESOLVE = """
import ctypes, socket, sys
libc = ctypes.CDLL(None)
b = ctypes.create_string_buffer(65536)
for name, kind in (("web.example.test", 1), ("web.example.test", 28),
                   ("many.example.test", 1), ("no.example.test", 1)):
    print(name, kind, libc.res_query(name.encode(), 1, kind, b, len(b)))
    if name.startswith("web"):
        print(b.raw.find(socket.inet_pton(
            socket.AF_INET if kind == 1 else socket.AF_INET6,
            sys.argv[1 + kind // 28])) > 0)
print("search", libc.res_search(b"web", 1, 1, b, len(b)) > 0)
for name in ("web", "web.example.test", "WEB.example.test", "many"):
    a = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    print(name, len(a), a[0][4][0])
print(socket.gethostbyname("tablehost"), socket.gethostbyname("web"))
print(socket.getfqdn(sys.argv[1]))
try:
    socket.getaddrinfo("no.example.test", 80)
except socket.gaierror as e:
    print("EAI", e.errno)
"""


@options(seconds=200, on_kernel=False, deck_extra=NAMES +
         "\nSEARCH none.test example.test")
def test_resolver_of_libc(net):
    """getaddrinfo(), gethostbyname() and res_query(): by the library, and
    libc's own under the supervisor."""
    log = dnsmasq(net)
    for mode in ("preload", "auto", "seccomp"):
        before = log.text().count("query[A] web.example.test")
        out = on_stack(net, mode, [PYTHON, "-c", RESOLVE, V4_HOST,
                                   V6_HOST]).ok()
        lines = out.strip().split("\n")
        lengths = [int(x.split()[2]) for x in
                   (lines[0], lines[2], lines[4], lines[5])]
        check(lengths[0] > 30 and lengths[1] > 40, out)
        check(lengths[2] > 512, f"the answer over TCP: {out}")
        check_equal(lengths[3], -1, "a name that does not exist")
        check_equal([lines[1], lines[3]], ["True", "True"], "addresses")
        check_equal(lines[6], "search True", "search list")
        # fd77:: is unique local: IPv4 has precedence (RFC 6724 2.1); libc's
        # table is that of RFC 3484
        first = V4_HOST if mode != "seccomp" else V6_HOST
        check_equal(lines[7:10], [f"web 2 {first}",
                                  f"web.example.test 2 {first}",
                                  f"WEB.example.test 2 {first}"], mode)
        check(lines[10].startswith("many 59 "), out)
        check_equal(lines[11], f"{V4_HOST} {V4_HOST}", "gethostbyname()")
        check(lines[12].lower() == "tablehost", lines[12])
        check_equal(lines[13], "EAI -2", "EAI_NONAME")
        asked = log.text().count("query[A] web.example.test") - before
        if mode != "seccomp":
            # res_query, res_search, "web", "web.example.test"; then the
            # cache answers, gethostbyname() asks for IPv4 alone
            check(asked <= 5, f"{mode}: asked {asked} times")


# ---- no other network ------------------------------------------------------

ESCAPE = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(*a):
    r = libc.syscall(*a)
    return errno.errorcode[ctypes.get_errno()] if r < 0 else "done"
print("io_uring_setup", call(425, 8, ctypes.create_string_buffer(120)))
print("AF_PACKET", call(41, 17, 3, 0))
print("AF_VSOCK", call(41, 40, 1, 0))
print("AF_INET raw", call(41, 2, 3, 1))
s = libc.syscall(41, 2, 1, 0)
def connect(ip, port):
    sa = socket.AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + \\
        socket.inet_aton(ip) + bytes(8)
    return call(42, s, sa, 16)
print("connect", connect("127.0.0.1", int(sys.argv[1])))
print("interfaces", [n for _, n in socket.if_nameindex()])
print("proc", open("/proc/net/dev").read().count(":"))
"""


@options(seconds=60, on_kernel=False)
def test_no_other_network(net):
    """System calls made past libc reach the stack or fail: the listener on
    the loopback of the namespace that stackrun was started in is not seen."""
    with net.p:
        lis = socket.socket()
    lis.bind(("127.0.0.1", 0))
    lis.listen()
    for mode in ("auto", "seccomp"):
        out = on_stack(net, mode, [PYTHON, "-c", ESCAPE,
                                   str(lis.getsockname()[1])]).ok()
        got = dict(line.split(" ", 1) for line in
                   out.replace("AF_INET raw", "AF_INET_raw").strip()
                   .split("\n"))
        check_equal(got["io_uring_setup"], "ENOSYS", "io_uring")
        check_equal(got["AF_PACKET"], "EPERM", "packet sockets")
        check_equal(got["AF_VSOCK"], "EAFNOSUPPORT", "vsock")
        check_equal(got["AF_INET_raw"], "EPERM", "raw sockets")
        check_equal(got["connect"], "ECONNREFUSED", "the stack's loopback")
        check_equal(got["proc"], "1", "interfaces in /proc/net/dev (lo)")
    # the same without a namespace of its own: only the filter is left
    p = net.keep(Proc(net.p.argv(
        [net.tool("stackrun"), "-n", "-i", "77", "--run", net.run_dir,
         "--mode", "seccomp", PYTHON, "-c", ESCAPE,
         str(lis.getsockname()[1])]), name="host-network"))
    check("connect ECONNREFUSED" in p.ok(), p.text())


# ---- signals, threads, vfork ------------------------------------------------

def storm():
    needs("gcc")
    out = WORK + "/storm"
    run(["gcc", "-O2", "-static", "-pthread", "-D_GNU_SOURCE", "-o", out,
         PROGS + "/storm.c"], timeout=200)
    return out


@options(seconds=120, on_kernel=False)
def test_signals_threads_vfork(net):
    """Six threads wait on one listener under a storm of signals; what they
    accept is served by children of vfork()."""
    p = on_stack(net, "seccomp", [storm(), "serve", "7300"])
    p.says("ready")
    for i in range(20):
        peers = []
        for _ in range(4):
            with net.h:
                peers.append(socket.create_connection((V4_STACK, 7300), 60))
        for k, s in enumerate(peers):
            text = f"connection {i} {k} ".encode() * 500
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            got = b""
            while part := s.recv(65536):
                got += part
            check_equal(got, text, f"echo {i} {k}")
            s.close()
    check(p.alive(), p.tail())
    p.kill(signal.SIGKILL)
    p.wait()

    def refused():
        with net.h:
            s = socket.socket()
        with s:
            s.settimeout(30)
            return s.connect_ex((V4_STACK, 7300)) == 111
    check(refused(), "threads that waited kept the port open")


@options(seconds=60, on_kernel=False)
def test_interrupted_calls(net):
    out = on_stack(net, "seccomp", [storm(), "eintr", "7301"]).ok()
    check_equal(out.strip().split("\n"),
                ["accept EINTR", "recvfrom EINTR", "recv EINTR",
                 "accept_timeout EINTR",
                 "accept_short Resource temporarily unavailable"],
                "interrupted calls")


# ---- which stack -----------------------------------------------------------

SECOND = """ID 04
DEVICE OSA9 OSAX D10 PORTZ D12
ADAPTER OSA9 MEDIUM SEQPACKET {dir}/osa9 LISTEN
LINK OSA9 0 192.0.2.4 255.255.255.0 1500
ATTACH TCP/IP
"""
WHICH = """
import socket
for _, name in socket.if_nameindex():
    print(name)
"""


@options(seconds=120, on_kernel=False)
def test_which_stack(net):
    """-i, a deck, COUPLET_ID, SYSPARM, the default deck, the only one: in
    this order."""
    def names(*args, **env):
        full = {k: v for k, v in os.environ.items()
                if k not in ("COUPLET_ID", "SYSPARM")}
        p = net.keep(Proc(net.p.argv(
            [net.tool("stackrun"), "--run", net.run_dir, *args, PYTHON, "-c",
             WHICH]), name="which", env=dict(full, **env)))
        status = p.wait(30)
        return "04" if "OSA9" in p.text() else \
            "77" if "OSA4" in p.text() else (status, p.text())

    check_equal(names(), "77", "the only stack")
    with open(WORK + "/deck04", "w", encoding="ascii") as f:
        f.write(SECOND.format(dir=WORK))
    second = net.keep(Proc(net.h.argv(
        [net.tool("stackd"), "-f", WORK + "/deck04", "--run", net.run_dir]),
        name="stackd-04", env=net.stackd_env("-04")))
    second.says("ready, ID 04", 30)
    status, text = names()
    check(status == 126 and "several stacks" in text, text)
    job = WORK + "/job.deck"
    with open(job, "w", encoding="ascii") as f:
        f.write("// JOB CLIENT\n// OPTION SYSPARM='04'\n"
                "// EXEC BSTTINET\nID 77\n/*\n/&\n")
    with open(WORK + "/none.deck", "w", encoding="ascii") as f:
        f.write("INTERVAL 120\n")
    check_equal(names("-i", "77"), "77", "-i")
    check_equal(names("--id=04"), "04", "--id")
    check_equal(names("--deck", job), "04", "SYSPARM of a job")
    check_equal(names("--deck", WORK + "/deck04"), "04", "ID of a deck")
    check_equal(names(COUPLET_ID="04"), "04", "COUPLET_ID")
    check_equal(names(SYSPARM="04"), "04", "SYSPARM")
    check_equal(names(SYSPARM="04", COUPLET_ID="77"), "77", "both")
    check_equal(names("--deck", job, COUPLET_ID="77"), "04", "deck first")
    check_equal(names("-i", "77", "--deck", job), "77", "-i first")
    for args, env, word in (((), {"SYSPARM": "x"}, "two digits"),
                            (("--deck", WORK + "/none.deck"), {},
                             "names no stack"),
                            (("--deck", WORK + "/missing"), {}, "missing"),
                            (("-i", "05"), {}, "05 is not running"),
                            (("--mode", "both"), {}, "auto, preload or"),
                            (("--mod", "auto"), {}, "--mod: no such option"),
                            (("--version",), {}, "stackrun 0.")):
        status, text = names(*args, **env)
        check(status in (0, 2, 126) and word in text, f"{args} {env}: {text}")
    # the default of the machine: in an /etc of the test's own
    for d in ("up", "work"):
        os.mkdir(f"{WORK}/{d}")
    run(["mount", "-t", "overlay", "overlay", "-o",
         f"lowerdir=/etc,upperdir={WORK}/up,workdir={WORK}/work", "/etc"])
    os.makedirs("/etc/couplet", exist_ok=True)
    with open("/etc/couplet/stackrun.deck", "w", encoding="ascii") as f:
        f.write("ID 04\n")
    check_equal(names(), "04", "the default deck")
    check_equal(names(SYSPARM="77"), "77", "SYSPARM before the default")
    second.kill()
    check_equal(second.wait(30), 0, "exit status of stack 04")


# ---- the supervisor --------------------------------------------------------

def supervisors():
    found = []
    for pid in os.listdir("/proc"):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                if f.read() == "stackrun-trap\n":
                    found.append(int(pid))
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            pass
    return found


SURVIVE = """
import errno, os, socket, sys
s = socket.create_connection((sys.argv[1], 8000))
print("connected", flush=True)
sys.stdin.readline()
s.sendall(b"GET /page HTTP/1.0\\r\\n\\r\\n")
n = 0
while b := s.recv(65536):
    n += len(b)
print("received", n > 9000)
for what in (lambda: socket.socket(), s.getpeername,
             lambda: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)):
    try:
        what()
        print("no error")
    except OSError as e:
        print(errno.errorcode[e.errno])
u = socket.socket(socket.AF_UNIX)
print("unix", u.fileno() >= 0)
"""


@options(seconds=60, on_kernel=False)
def test_supervisor_dies(net):
    """A connection goes on, new calls fail at once, and fail cleanly."""
    host_page(net)
    r, w = os.pipe()
    p = on_stack(net, "seccomp", [PYTHON, "-c", SURVIVE, V4_HOST], stdin=r)
    p.says("connected")
    os.kill(supervisors()[0], signal.SIGKILL)
    wait_for(lambda: not supervisors(), "the end of the supervisor")
    os.write(w, b"\n")
    check_equal(p.ok().split("\n")[1:-1],
                ["received True", "ENOSYS", "ENOSYS", "ENOSYS", "unix True"],
                "what the program saw")


@options(seconds=60, on_kernel=False)
def test_supervisor_ends(net):
    """With the last process of the tree, and not before."""
    r, w = os.pipe()
    p = on_stack(net, "auto", ["sh", "-c", f"{BUSYBOX} cat & exit 7"],
                 stdin=r)
    os.close(r)
    check_equal(p.wait(), 7, "exit status of the shell")
    os.close(w)
    wait_for(lambda: not supervisors(), "the end of the supervisor")


@options(seconds=60, on_kernel=False)
def test_inside_another(net):
    """stackrun within stackrun: one supervisor is all the kernel allows."""
    page = host_page(net)
    # a sanitized stackrun can be run, not preloaded
    out = on_stack(net, "seccomp", net.stackrun(
        ["curl", "-sS", f"http://{V4_HOST}:8000/page"])).ok()
    with open(page, encoding="ascii") as f:
        check_equal(out, f.read(), "page")
    p = on_stack(net, "seccomp", net.stackrun([BUSYBOX, "true"],
                                           mode="seccomp"))
    check_equal(p.wait(), 126, "exit status")
    check("this process has one already" in p.text(), p.text())


if __name__ == "__main__":
    main(globals())
