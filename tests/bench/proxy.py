"""proxy: proxyd beside Debian's relays, in one run over the loopback of a
namespace: bulk, connections per second, memory of an idle connection, TLS to
clear, IPv4 to IPv6. bench.py calls it for the task "proxy".

Client -> relay (127.0.0.1 or ::1, FRONT) -> server (BACK). Relays take turns
within a round. CPU seconds are the relay's own, all of its processes.
"""

import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from couplet_net import (WORK, Failure, Namespace, Proc, check,
                         remove_namespaces, run, wait_for)

FRONT, BACK = 7100, 7200
IDLE, IDLE_QUICK = 4000, 500
CLIENTS = 8
KEYS = WORK + "/proxykeys"


def write(name, text):
    path = f"{WORK}/{name}"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def listen4(to):
    return "127.0.0.1" if to == 4 else "::1"


class Relay:
    """One program between 127.0.0.1:FRONT and BACK of family `to`."""
    tls = False
    forks = False

    def __init__(self, build, to, tls):
        self.build, self.to, self.secure = build, to, tls

    def start(self, ns):
        self.proc = Proc(ns.argv(self.argv()), name=self.name)

        def up():
            check(self.proc.alive(), f"{self.name}:\n{self.proc.tail()}")
            return ns.run(["ss", "-Hltn", f"sport = :{FRONT}"]).strip()
        wait_for(up, f"{self.name} to listen", 30, step=0.05)
        return self

    def target(self):
        return f"[::1]:{BACK}" if self.to == 6 else f"127.0.0.1:{BACK}"

    def pids(self):
        """The process and its descendants."""
        out, todo = [], [self.proc.pid]
        while todo:
            pid = todo.pop()
            out.append(pid)
            try:
                with open(f"/proc/{pid}/task/{pid}/children",
                          encoding="ascii") as f:
                    todo += [int(x) for x in f.read().split()]
            except OSError:
                pass
        return out

    def cpu(self):
        """Of living and ended processes."""
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                    words = f.read().rpartition(")")[2].split()
                total += sum(int(w) for w in words[11:15])
            except OSError:
                pass
        return total / os.sysconf("SC_CLK_TCK")

    def rss_kib(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup",
                          encoding="ascii") as f:
                    total += sum(int(line.split()[1]) for line in f
                                 if line.startswith("Pss:"))
            except OSError:
                pass
        return total


class Proxyd(Relay):
    name = "proxyd"
    tls = True

    def argv(self):
        deck = write("bench.deck", f"""ID *
NAME bench
KEYRING {KEYS}
KEYFILE SSL01
LOG NONE
LIMIT CONNECTIONS 100000
PROXY TCP V4 {FRONT} {'SSL' if self.secure else 'TXT'} * TO V{self.to} {BACK} TXT * {listen4(self.to)}
""")
        return [os.path.join(self.build, "proxyd", "proxyd"), "-f", deck,
                "--run", WORK + "/run"]


class Haproxy(Relay):
    name = "haproxy"
    tls = True
    splice = ""

    def argv(self):
        bind = (f"bind 127.0.0.1:{FRONT}" +
                (f" ssl crt {KEYS}/haproxy.pem" if self.secure else ""))
        conf = write("haproxy.cfg", f"""
global
  maxconn 9000
  maxpipes 100
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  {self.splice}
listen l
  {bind}
  server s {self.target()}
""")
        return ["haproxy", "-db", "-q", "-f", conf]


class HaproxySplice(Haproxy):
    name = "haproxy-splice"
    tls = False
    # not splice-auto, which leaves it to a guess and does not splice here
    splice = "option splice-request\n  option splice-response"


class Nginx(Relay):
    name = "nginx"
    tls = True

    def argv(self):
        os.makedirs(WORK + "/ngx", exist_ok=True)
        secure = ("ssl_protocols TLSv1.2 TLSv1.3; "
                  f"ssl_certificate {KEYS}/SSL01.crt; ssl_certificate_key "
                  f"{KEYS}/SSL01.key;" if self.secure else "")
        conf = write("nginx.conf", f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; user root; worker_processes 1; pid {WORK}/ngx/pid;
error_log {WORK}/ngx/log; worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
stream {{ server {{
  listen 127.0.0.1:{FRONT} {'ssl' if self.secure else ''} backlog=4096;
  proxy_pass {self.target()}; {secure}
}} }}
""")
        return ["nginx", "-c", conf]


class Socat(Relay):
    name = "socat"

    def argv(self):
        return ["socat", "-b65536",
                f"TCP4-LISTEN:{FRONT},bind=127.0.0.1,fork,reuseaddr,"
                "backlog=1024", f"TCP{self.to}:{self.target()}"]


class Sixtunnel(Relay):
    name = "6tunnel"

    def argv(self):
        return ["6tunnel", "-d", "-4" if self.to == 4 else "-6", "-l",
                "127.0.0.1", str(FRONT), listen4(self.to), str(BACK)]


class Stunnel(Relay):
    name = "stunnel"
    tls = True

    def argv(self):
        conf = write("stunnel.conf", f"""
foreground = yes
pid =
debug = 3
[l]
accept = 127.0.0.1:{FRONT}
connect = {listen4(self.to)}:{BACK}
cert = {KEYS}/haproxy.pem
""")
        return ["stunnel", conf]


CLEAR = (Proxyd, HaproxySplice, Haproxy, Nginx, Socat, Sixtunnel)
SECURE = (Proxyd, Haproxy, Nginx, Stunnel)
KINDS = [c.name for c in CLEAR] + ["stunnel"]


def make_keys():
    os.makedirs(KEYS, exist_ok=True)
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
         KEYS + "/SSL01.key", "-out", KEYS + "/SSL01.crt", "-subj",
         "/CN=localhost", "-days", "2"])
    for name in ("SSL01.PEM", "haproxy.pem"):
        with open(f"{KEYS}/{name}", "wb") as out:
            for part in ("key", "crt"):
                with open(f"{KEYS}/SSL01.{part}", "rb") as f:
                    out.write(f.read())


class Round:
    def __init__(self, build, quick, ns, results):
        self.build, self.ns, self.results = build, ns, results
        self.seconds = 1 if quick else 3
        self.bytes = (1 << 30) if quick else (6 << 30)
        self.idle_n = IDLE_QUICK if quick else IDLE

    def tool(self, name):
        return os.path.join(self.build, "tests", "bench", "bench_" + name)

    def put(self, what, who, value):
        self.results.setdefault(what, {}).setdefault(who, []).append(value)

    def run(self, argv, name):
        return Proc(self.ns.argv(argv), name=name)

    def bulk(self, relay, way):
        server, client = ("recv", "send") if way == "up" else ("send", "recv")
        s = self.run([self.tool("stream"), "listen", server,
                      listen4(relay.to), str(BACK), str(self.bytes)],
                     "server").says("ready")
        before = relay.cpu()
        c = self.run([self.tool("stream"), "connect", client, "127.0.0.1",
                      str(FRONT), str(self.bytes)], "client")
        seconds = c.ok(240).split()[1]
        words = s.ok(60).split()
        if way == "up":
            seconds = words[2]
        used = relay.cpu() - before
        gbit = self.bytes * 8 / 1e9
        name = f"{way} v4-v{relay.to} Gbit/s"
        self.put(name, relay.name, gbit / float(seconds))
        if used > 0:
            self.put(name.replace("/s", "/cpu-s"), relay.name, gbit / used)

    def conn(self, relay):
        s = self.run([self.tool("connrate"), "serve-byte", listen4(relay.to),
                      str(BACK)], "server").says("ready")
        before = relay.cpu()
        c = self.run([self.tool("connrate"), "call", "127.0.0.1", str(FRONT),
                      str(CLIENTS), str(self.seconds), "byte"], "client")
        rate = float(c.ok(120).split()[0])
        used = relay.cpu() - before
        s.stop()
        self.put(f"connections v4-v{relay.to} /s", relay.name, rate)
        if used > 0:
            self.put(f"connections v4-v{relay.to} /cpu-s", relay.name,
                     rate * self.seconds / used)

    def idle(self, relay):
        n = min(self.idle_n, 400 if relay.name in ("socat", "6tunnel",
                                                   "stunnel") else 10**6)
        s = self.run([self.tool("idle"), "serve", listen4(relay.to),
                      str(BACK), str(n)], "server").says("ready")
        before = relay.rss_kib()
        r, w = os.pipe()
        c = Proc(self.ns.argv([self.tool("idle"), "open", "127.0.0.1",
                               str(FRONT), str(n)]), name="idle", stdin=r)
        os.close(r)
        try:
            c.says(f"have {n}", 120)
            s.says(f"have {n}", 120)
            self.put("KiB per idle connection", relay.name,
                     (relay.rss_kib() - before) / n)
        finally:
            os.close(w)
            c.stop()
            s.stop()

    def secure(self, relay):
        """Server sends clear, the relay seals, s_client opens."""
        n = self.bytes // 4
        s = self.run([self.tool("stream"), "listen", "send", "127.0.0.1",
                      str(BACK), str(n)], "server").says("ready")
        before = relay.cpu()
        start = time.monotonic()
        c = self.run(["sh", "-c", "(printf x; sleep 600) | openssl s_client "
                      "-quiet -no_ign_eof -tls1_3 -ciphersuites "
                      "TLS_AES_128_GCM_SHA256 -connect "
                      f"127.0.0.1:{FRONT} >/dev/null"], "s_client")
        try:
            s.ok(120)
            seconds = time.monotonic() - start
            used = relay.cpu() - before
        finally:
            c.stop()
            s.stop()
        gbit = n * 8 / 1e9
        self.put("TLS to clear, down Gbit/s", relay.name, gbit / seconds)
        if used > 0:
            self.put("TLS to clear, down Gbit/cpu-s", relay.name, gbit / used)

    def one(self, cls, to, secure, tasks):
        relay = cls(self.build, to, secure)
        relay.start(self.ns)
        try:
            for t in tasks:
                t(relay)
        finally:
            relay.proc.stop(5)


def cubic(ns):
    """Kernel senders are on CUBIC, the relays' too."""
    ns.run(["ip", "route", "change", "table", "local", "local",
            "127.0.0.0/8", "dev", "lo", "proto", "kernel", "scope", "host",
            "src", "127.0.0.1", "congctl", "cubic"])
    ns.run(["ip", "-6", "route", "replace", "table", "local", "local", "::1",
            "dev", "lo", "proto", "kernel", "congctl", "cubic"])


def one_round(args, results, errors):
    names = args.peers.split(",") if args.peers else ()
    with_ns = Namespace("h")
    cubic(with_ns)
    os.makedirs(WORK + "/run", exist_ok=True)
    make_keys()
    r = Round(args.build, args.quick, with_ns, results)
    todo = [(c, 4, False, (lambda x: r.bulk(x, "up"),
                           lambda x: r.bulk(x, "down"), r.conn, r.idle))
            for c in CLEAR]
    todo += [(c, 6, False, (lambda x: r.bulk(x, "up"), r.conn))
             for c in CLEAR[:4]]
    todo += [(c, 4, True, (r.secure,)) for c in SECURE]
    for cls, to, secure, tasks in todo:
        if names and cls.name not in names:
            continue
        print(f"  {cls.name} v{to}{' TLS' if secure else ''}",
              file=sys.stderr, flush=True)
        try:
            r.one(cls, to, secure, tasks)
        except (Failure, OSError, subprocess.SubprocessError) as e:
            errors.append(f"{cls.name} proxy: {e}")
    remove_namespaces()


def print_ratios(table):
    def ratio(name, what, of, other):
        a, b = table.get(what, {}).get(of), table.get(what, {}).get(other)
        if a and b:
            print(f"{name}: {a / b:.2f}")
    for way in ("up", "down"):
        ratio(f"bulk {way}, proxyd / haproxy with splice",
              f"{way} v4-v4 Gbit/s", "proxyd", "haproxy-splice")
        ratio(f"bulk {way} per CPU second, the same",
              f"{way} v4-v4 Gbit/cpu-s", "proxyd", "haproxy-splice")
    ratio("connections, proxyd / nginx", "connections v4-v4 /s", "proxyd",
          "nginx")
    ratio("connections per CPU second, the same", "connections v4-v4 /cpu-s",
          "proxyd", "nginx")
    for what in ("up {} Gbit/s", "connections {} /s"):
        a = table.get(what.format("v4-v6"), {}).get("proxyd")
        b = table.get(what.format("v4-v4"), {}).get("proxyd")
        if a and b:
            print(f"translation, {what.format('').strip()}: {a / b:.2f}")
