#!/usr/bin/python3
"""Programs exactly as Debian ships them: once as server on the stack with the
kernel's clients, once as client on the stack with the kernel's servers, over
IPv4 and IPv6; byte counts and checksums are compared.

    test_programs.py --build DIR [--kernel] CASE...
"""

import hashlib
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (PROGS, PYTHON, WORK, Failure, check, check_equal,
                         main, needs, options, run)

WAYS = (("p", "h"), ("h", "p"))     # (server's side, client's side)
BIG = 30 << 20


def make_file(path, n):
    """n bytes that compress badly; their SHA-256."""
    h = hashlib.sha256()
    with open(path, "wb") as f:
        left = n
        while left:
            part = os.urandom(min(left, 1 << 20))
            h.update(part)
            f.write(part)
            left -= len(part)
    return h.hexdigest()


def sha_of(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def host_in_url(address):
    return f"[{address}]" if ":" in address else address


def all_ways(net):
    for server, client in WAYS:
        for family in (4, 6):
            print(f"server {server}, client {client}, IPv{family}",
                  flush=True)
            yield server, client, family, net.address(server, family)


# ---- nginx and curl --------------------------------------------------------

NGINX = """
daemon off;
user root;
worker_processes {workers};
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; {multi} }}
http {{
    access_log off;
    sendfile {sendfile};
    tcp_nopush on;
    keepalive_requests 100000;
    client_max_body_size 1g;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 0.0.0.0:8080 {reuse};
        listen [::]:8080 {reuse};
        root {dir}/www;
        location /up/ {{ dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""


def nginx(net, side, sendfile="on", workers=2, reuse=False):
    """A running nginx on one side; {name: sha256} of what it serves."""
    needs("nginx", "curl")
    d = f"{WORK}/nginx-{side}-{sendfile}-{workers}"
    os.makedirs(d + "/www/up")
    files = {"small": make_file(d + "/www/small", 1000),
             "middle": make_file(d + "/www/middle", 300000),
             "big": make_file(d + "/www/big", BIG)}
    with open(d + "/nginx.conf", "w", encoding="ascii") as f:
        f.write(NGINX.format(dir=d, sendfile=sendfile, workers=workers,
                             reuse="reuseport" if reuse else "",
                             multi="multi_accept on;" if reuse else ""))
    p = net.side(side)(["nginx", "-e", "stderr", "-p", d, "-c",
                        d + "/nginx.conf"], name=f"nginx-{side}")
    for family in (4, 6):
        net.wait_port(side, family, 8080, p)
    return p, d, files


def fetch(net, client, url, want, *extra):
    out = f"{WORK}/got"
    net.side(client)(["curl", "-sS", "-f", "-g", "--max-time", "60", "-o",
                      out, *extra, url], name="curl").ok(70)
    check_equal(sha_of(out), want, f"sha256 of {url}")


def web(net, **nginx_args):
    for server, client in WAYS:
        p, d, files = nginx(net, server, **nginx_args)
        for family in (4, 6):
            base = f"http://{host_in_url(net.address(server, family))}:8080"
            print(f"server {server}, IPv{family}", flush=True)
            for name, sha in files.items():
                fetch(net, client, f"{base}/{name}", sha)
            upload(net, client, base, d)
            keepalive(net, client, base)
        check_equal(p.stop(), 0, "exit status of nginx:\n" + p.tail())


def upload(net, client, base, d):
    src = f"{WORK}/upload"
    sha = make_file(src, BIG // 2)
    net.side(client)(["curl", "-sS", "-f", "-g", "--max-time", "60", "-T",
                      src, f"{base}/up/file"], name="curl").ok(70)
    check_equal(sha_of(d + "/www/up/file"), sha, "sha256 of the upload")
    os.unlink(d + "/www/up/file")


def keepalive(net, client, base):
    """Ten requests over one connection."""
    out = net.side(client)(
        ["curl", "-sS", "-f", "-g", "--max-time", "30", "-w",
         "%{num_connects} %{size_download} %{remote_ip}\n", "-o",
         "/dev/null", f"{base}/small"] +
        ["-o", "/dev/null", f"{base}/small"] * 9, name="curl").ok(40)
    lines = [line.split()[:2] for line in out.strip().split("\n")]
    check_equal(lines, [["1", "1000"]] + [["0", "1000"]] * 9,
                "connections and sizes of ten requests")


@options(seconds=180)
def test_nginx_sendfile(net):
    web(net, sendfile="on")


@options(seconds=180)
def test_nginx_without_sendfile(net):
    web(net, sendfile="off", workers=1)


@options(seconds=180)
def test_nginx_reuseport_workers(net):
    web(net, sendfile="on", workers=4, reuse=True)


@options(seconds=120)
def test_curl_parallel(net):
    """200 requests, 50 at a time, every answer compared."""
    for server, client in WAYS:
        _, _, files = nginx(net, server)
        for family in (4, 6):
            base = f"http://{host_in_url(net.address(server, family))}:8080"
            d = f"{WORK}/par-{server}{family}"
            os.mkdir(d)
            net.side(client)(
                ["curl", "-sS", "-f", "--max-time", "90", "--parallel",
                 "--parallel-immediate", "--parallel-max", "50", "-o",
                 d + "/#1", f"{base}/middle?n=[1-200]"],
                name="curl").ok(100)
            got = os.listdir(d)
            check_equal(len(got), 200, "number of answers")
            for name in got:
                check_equal(sha_of(f"{d}/{name}"), files["middle"], name)


# ---- iperf3 ----------------------------------------------------------------

def iperf(net, client, address, *extra):
    out = net.side(client)(["iperf3", "-c", address, "-J", "-t", "1",
                            *extra], name="iperf3").ok(30)
    r = json.loads(out)
    if "error" in r:
        raise Failure(r["error"])
    return r["end"]


@options(seconds=120)
def test_iperf3(net):
    needs("iperf3")
    for server, client, _family, address in all_ways(net):
        p = net.side(server)(["iperf3", "-s", "--forceflush", "-B",
                                address], name="iperf3-s")
        p.says("Server listening")
        for extra in ((), ("-R",), ("-P", "4"), ("-P", "4", "-R")):
            end = iperf(net, client, address, "-C", "cubic", *extra)
            sent = end["sum_sent"]["bytes"]
            got = end["sum_received"]["bytes"]
            print(f"  {extra}: {got * 8 / 1e9:.2f} Gbit/s")
            check(got > 1 << 20, f"{extra}: {got} bytes in a second")
            check(got <= sent, f"{extra}: {got} received, {sent} sent")
        for extra in (("-u", "-b", "50M"), ("-u", "-b", "50M", "-R"),):
            end = iperf(net, client, address, *extra)["sum"]
            check(end["packets"] > 1000, f"{extra}: {end['packets']} packets")
            check(end["lost_percent"] < 20,
                  f"{extra}: {end['lost_percent']} % lost")
        p.stop()


# ---- ssh -------------------------------------------------------------------

SSHD = """
HostKey {dir}/host
PidFile none
AuthorizedKeysFile {dir}/user.pub
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
UseDNS no
Subsystem sftp internal-sftp
"""


def ssh_keys():
    d = WORK + "/ssh"
    if not os.path.isdir(d):
        os.mkdir(d)
        for name in ("host", "user"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                 f"{d}/{name}"])
        with open(d + "/sshd_config", "w", encoding="ascii") as f:
            f.write(SSHD.format(dir=d))
    return d


def sshd(net, side, address, port=2222):
    needs("sshd", "ssh", "ssh-keygen")
    d = ssh_keys()
    p = net.side(side)(["/usr/sbin/sshd", "-D", "-e", "-f",
                        d + "/sshd_config", "-o",
                        f"ListenAddress={host_in_url(address)}:{port}"],
                       name="sshd")
    return p.says("Server listening")


def ssh_argv(program, port_option="-p", port=2222):
    d = ssh_keys()
    return [program, "-F", "none", "-i", d + "/user", port_option, str(port),
            "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o",
            "ConnectTimeout=20", "-o", "LogLevel=ERROR"]


@options(seconds=180)
def test_ssh(net):
    sha = make_file(WORK + "/file", BIG)
    for server, client, _family, address in all_ways(net):
        p = sshd(net, server, address)
        login = ssh_argv("ssh") + [f"root@{address}"]
        out = net.side(client)(login + ["echo", "user is $USER"],
                               name="ssh").ok(40)
        check("user is root" in out, out)
        for name in ("there", "back"):
            if os.path.exists(f"{WORK}/{name}"):
                os.unlink(f"{WORK}/{name}")
        with open(WORK + "/file", "rb") as f:
            net.side(client)(login + [f"cat > {WORK}/there"], name="ssh",
                             stdin=f).ok(60)
        check_equal(sha_of(WORK + "/there"), sha, "what ssh wrote")
        net.side(client)(login + [f"cat {WORK}/there"], name="ssh",
                         output=WORK + "/back").ok(60)
        check_equal(sha_of(WORK + "/back"), sha, "what ssh read")
        sftp(net, client, address, sha)
        status = net.side(client)(login + ["exit 42"], name="ssh").wait(40)
        check_equal(status, 42, "exit status through ssh")
        p.stop()


def sftp(net, client, address, sha):
    with open(WORK + "/batch", "w", encoding="ascii") as f:
        f.write(f"put {WORK}/file {WORK}/there2\n"
                f"get {WORK}/there2 {WORK}/back2\nrm {WORK}/there2\n")
    net.side(client)(ssh_argv("sftp", "-P") + ["-b", WORK + "/batch",
                     f"root@{host_in_url(address)}"], name="sftp").ok(60)
    check_equal(sha_of(WORK + "/back2"), sha, "what sftp read")
    os.unlink(WORK + "/back2")


@options(seconds=60)
def test_ssh_terminal(net):
    """A login with a terminal, as a person does it."""
    for server, client, _family, address in all_ways(net):
        p = sshd(net, server, address)
        with open(WORK + "/typed", "w", encoding="ascii") as f:
            f.write("test -t 0 && echo terminal-$((6 * 7))\nexit 3\n")
        with open(WORK + "/typed", "rb") as f:
            c = net.side(client)(ssh_argv("ssh") + ["-tt",
                                 f"root@{address}"], name="ssh", stdin=f)
            check_equal(c.wait(40), 3, "exit status of the login:\n"
                        + c.tail())
        check("terminal-42" in c.text(), c.tail())
        p.stop()


# ---- redis -----------------------------------------------------------------

@options(seconds=120)
def test_redis(net):
    needs("redis-server", "redis-cli", "redis-benchmark")
    value = os.urandom(1000000).hex()
    with open(WORK + "/value", "w", encoding="ascii") as f:
        f.write(value)
    for server, client, _family, address in all_ways(net):
        p = net.side(server)(["redis-server", "--port", "6379", "--bind",
                              address, "--save", "", "--protected-mode",
                              "no", "--dir", WORK], name="redis")
        p.says("Ready to accept")
        cli = ["redis-cli", "-h", address]
        with open(WORK + "/value", "rb") as f:
            out = net.side(client)(cli + ["-x", "set", "k"],
                                   name="redis-cli", stdin=f).ok(30)
        check("OK" in out, out)
        out = net.side(client)(cli + ["get", "k"], name="redis-cli").ok(30)
        check_equal(out.strip(), value, "value of k")
        out = net.side(client)(["redis-benchmark", "-h", address, "-n",
                                "5000", "-c", "50", "-P", "4", "-q", "-t",
                                "set,get,lpush,lrange_100"],
                               name="redis-benchmark").ok(60)
        check(out.count("requests per second") >= 4, out)
        print(out.replace("\r", "\n")[-300:])
        p.stop()


# ---- socat -----------------------------------------------------------------

@options(seconds=120)
def test_socat_tcp(net):
    """Half-close: the client ends its side and still gets the answer."""
    needs("socat")
    sha = make_file(WORK + "/in", 5 << 20)
    for server, client, family, address in all_ways(net):
        where = host_in_url(address)
        p = net.side(server)(["socat", f"TCP{family}-LISTEN:7000,bind={where}"
                              ",reuseaddr,fork", "EXEC:sha256sum"],
                             name="socat-s")
        net.wait_port(server, family, 7000, p)
        with open(WORK + "/in", "rb") as f:
            out = net.side(client)(["socat", "-t30", "-",
                                    f"TCP{family}:{where}:7000"],
                                   name="socat", stdin=f).ok(40)
        check_equal(out.split()[0], sha, "sha256 as the server saw it")
        p.stop()


@options(seconds=60)
def test_socat_udp(net):
    needs("socat")
    for server, client, family, address in all_ways(net):
        where = host_in_url(address)
        p = net.side(server)(["socat", f"UDP{family}-LISTEN:7001,bind={where}"
                              ",fork", "PIPE"], name="socat-u")
        with open(WORK + "/q", "wb") as f:
            f.write(b"datagram")

        def ask():
            with open(WORK + "/q", "rb") as f:
                return net.side(client)(
                    ["socat", "-t0.5", "-", f"UDP{family}:{where}:7001"],
                    name="socat", stdin=f)
        for _ in range(20):     # until the server is there
            c = ask()
            c.wait(20)
            if c.text() == "datagram":
                break
            time.sleep(0.1)
        check_equal(c.text(), "datagram", "the echo")
        p.stop()


# ---- python, dns -----------------------------------------------------------

@options(seconds=90)
def test_http_server(net):
    needs("curl")
    d = WORK + "/py"
    os.mkdir(d)
    sha = make_file(d + "/file", 5 << 20)
    for server, client, family, address in all_ways(net):
        p = net.side(server)([PYTHON, "-u", "-m", "http.server", "--bind",
                              address, "--directory", d, "8000"],
                             name="http.server")
        net.wait_port(server, family, 8000, p)
        fetch(net, client, f"http://{host_in_url(address)}:8000/file", sha)
        fetch(net, client, f"http://{host_in_url(address)}:8000/file", sha,
              "--limit-rate", "20M")
        p.stop()


def dig(net, client, address, port, *extra):
    return net.side(client)(["dig", f"@{address}", "-p", str(port), "+short",
                             "+tries=3", "+time=3", "+nocookie", *extra],
                            name="dig").ok(30).strip()


@options(seconds=60)
def test_dig(net):
    """Names from a server of ours on either side, over UDP and TCP."""
    needs("dig")
    for server, client, _family, address in all_ways(net):
        p = net.side(server)([PYTHON, "-u", PROGS + "/dnsd.py", address,
                              "5300"], name="dnsd").says("ready")
        check_equal(dig(net, client, address, 5300, "a.test", "A"),
                    "192.0.2.1", "A record")
        check_equal(dig(net, client, address, 5300, "a.test", "AAAA"),
                    "2001:db8::1", "AAAA record")
        check_equal(dig(net, client, address, 5300, "+tcp", "a.test", "A"),
                    "192.0.2.1", "A record over TCP")
        p.stop()


@options(seconds=60)
def test_dnsmasq(net):
    """Debian's dnsmasq on the kernel, dig on the stack."""
    needs("dig", "dnsmasq")
    for family in (4, 6):
        address = net.address("h", family)
        p = net.host(["dnsmasq", "-k", "--log-facility=-", "--conf-file=",
                      "--no-resolv", "--no-hosts", "--port=5353",
                      f"--listen-address={address}", "--bind-interfaces",
                      "--user=root", "--pid-file=",
                      "--address=/x.test/192.0.2.7"], name="dnsmasq")
        net.wait_port("h", family, 5353, p)
        for extra in ((), ("+tcp",)):
            check_equal(dig(net, "p", address, 5353, "x.test", "A", *extra),
                        "192.0.2.7", "address of x.test")
        p.stop()


if __name__ == "__main__":
    main(globals())
