"""The task "tls" of bench.py: TLS terminators that do the same work on the
kernel's sockets: bench_tls_term (our TLS room, bare), nginx stream, HAProxy,
hitch, stunnel. TLS in, clear out, TLS 1.3, X25519, AES-128-GCM, one worker
pinned to one processor; client and backend on the other.

Rates are per CPU second of the terminator, all of its processes (the key
process too). Idle memory is the growth of its resident memory.
"""

import os
import subprocess

from couplet_net import WORK, Failure, Proc, check, wait_for

BACKEND, FRONT = 7300, 7301
IDLE, IDLE_QUICK = 1000, 200
CLIENTS = 4
STORM = 4
IDLE_KINDS = ((0, "idle, KiB"), (65536, "idle after traffic, KiB"))
HOST = "127.0.0.1"


def children_of(pid):
    """`pid` and everything below it."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii",
                          errors="replace") as f:
                    parents[int(name)] = int(f.read().rpartition(")")[2]
                                             .split()[1])
            except OSError:     # it ended meanwhile
                continue
    found = [pid]
    for p in found:
        found += [c for c, parent in parents.items() if parent == p]
    return found


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            words = f.read().rpartition(")")[2].split()
        total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def rss_kib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            total += int(f.read().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") / 1024


def front_is_taken():
    """Does somebody listen on FRONT?"""
    with open("/proc/net/tcp", encoding="ascii") as f:
        return f":{FRONT:04X} 00000000:0000 0A" in f.read()


# ---- the terminators -------------------------------------------------------

class Terminator:
    """One program between FRONT and BACKEND. A subclass says its `kind`, its
    `program`, and by argv(pem) how it is started with the key file pem."""

    def __init__(self, build, pem):
        self.build, self.pem = build, pem

    def config(self, text):
        path = f"{WORK}/{self.kind}.conf"
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def __enter__(self):
        self.proc = Proc(["taskset", "-c", "0", *self.argv()],
                         name=self.kind)
        wait_for(self.listens, f"{self.kind} to listen on {FRONT}", 20)
        return self

    def __exit__(self, *_):
        self.proc.stop(5)
        # children may go later, and would take the next one's clients
        wait_for(lambda: not front_is_taken(), f"{self.kind} to end", 20)

    def listens(self):
        if not self.proc.alive():
            raise Failure(f"{self.kind} ended:\n{self.proc.tail()}")
        return front_is_taken()

    def pids(self):
        return children_of(self.proc.pid)


class Ours(Terminator):
    kind, program = "tls_term", None

    def argv(self):
        folder, name = os.path.split(self.pem)
        return [f"{self.build}/tests/bench/bench_tls_term", folder,
                name.removesuffix(".PEM"), HOST, str(FRONT), HOST,
                str(BACKEND)]


class Nginx(Terminator):
    kind, program = "nginx", "nginx"

    def argv(self):
        return ["nginx", "-c", self.config(f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
user root; daemon off; worker_processes 1; pid {WORK}/nginx.pid;
error_log {WORK}/nginx.log;
events {{ worker_connections 20000; }}
stream {{ server {{
  listen {HOST}:{FRONT} ssl backlog=4096;
  ssl_certificate {self.pem}; ssl_certificate_key {self.pem};
  ssl_protocols TLSv1.3; ssl_session_cache none; ssl_session_tickets on;
  proxy_pass {HOST}:{BACKEND}; proxy_buffer_size 64k; tcp_nodelay on;
}} }}
""")]


class Haproxy(Terminator):
    kind, program = "haproxy", "haproxy"

    def argv(self):
        return ["haproxy", "-db", "-f", self.config(f"""
global
  nbthread 1
  maxconn 9000
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
frontend f
  bind {HOST}:{FRONT} ssl crt {self.pem} ssl-min-ver TLSv1.3
  default_backend b
backend b
  server s {HOST}:{BACKEND}
""")]


class Hitch(Terminator):
    kind, program = "hitch", "hitch"

    def argv(self):
        return ["hitch", "--workers=1", "--user=root",
                f"--frontend=[{HOST}]:{FRONT}", f"--backend=[{HOST}]:{BACKEND}",
                "--tls-protos=TLSv1.3", "--quiet", self.pem]


class Stunnel(Terminator):
    kind, program = "stunnel", "stunnel4"

    def argv(self):
        return ["stunnel4", self.config(f"""
foreground = yes
pid =
debug = 3
setuid = root
[s]
accept = {HOST}:{FRONT}
connect = {HOST}:{BACKEND}
cert = {self.pem}
sslVersion = TLSv1.3
TIMEOUTclose = 0
""")]


TERMINATORS = (Ours, Nginx, Haproxy, Hitch, Stunnel)


# ---- keys ------------------------------------------------------------------

def make_keys():
    """{"ECDSA": path, "RSA-2048": path}"""
    found = {}
    for name, args in (("ECDSA", ["ec", "-pkeyopt",
                                  "ec_paramgen_curve:P-256"]),
                       ("RSA-2048", ["rsa:2048"])):
        base = f"{WORK}/{name}"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *args, "-nodes",
             "-keyout", base + ".key", "-out", base + ".crt", "-days", "30",
             "-subj", "/CN=bench.test", "-addext",
             "subjectAltName=DNS:bench.test"],
            check=True, capture_output=True)
        with open(base + ".PEM", "w", encoding="ascii") as out:
            for part in (".key", ".crt"):
                with open(base + part, encoding="ascii") as f:
                    out.write(f.read())
        found[name] = base + ".PEM"
    return found


# ---- what is measured --------------------------------------------------------

class TlsBench:
    n_idle = IDLE

    def __init__(self, args):
        self.args = args
        self.seconds = 2 if args.quick else 5
        self.load = f"{args.build}/tests/bench/bench_tls_load"
        self.out = {}

    def command(self, *words):
        """Arguments that start one load."""
        return ["taskset", "-c", "1", self.load, words[0], HOST, str(FRONT),
                *map(str, words[1:])]

    def ask(self, *words):
        done = subprocess.run(self.command(*words), capture_output=True,
                              text=True, timeout=120, check=False)
        check(done.returncode == 0, f"{words[0]}: {done.stderr.strip()}")
        return [int(w) for w in done.stdout.split()]

    def rate(self, term, *words):
        """(numbers, numbers[0] per CPU second) of one load."""
        pids = term.pids()
        before = cpu_seconds(pids)
        numbers = self.ask(*words)
        spent = cpu_seconds(pids) - before
        check(spent > 0, f"{term.kind}: no CPU time was counted")
        return numbers, numbers[0] / spent

    def handshakes(self, term, key):
        _, self.out[f"{key} full, /cpu-s"] = self.rate(
            term, "full", self.seconds, CLIENTS)
        if key != "ECDSA":
            return
        (all_of_them, resumed), rate = self.rate(
            term, "resumed", self.seconds, CLIENTS)
        check(resumed * 10 > all_of_them * 9,
              f"{term.kind}: {resumed} of {all_of_them} were resumed")
        self.out["resumed, /cpu-s"] = rate

    def bulk(self, term):
        for way in ("up", "down"):
            _, rate = self.rate(term, way, self.seconds)
            self.out[f"{way}, Gbit per cpu-s"] = rate * 8 / 1e9
        self.latency()

    def echoes(self, label):
        """Round trips of one byte on CLIENTS connections that stand, one
        after the other."""
        trips, p50, p99, longest = self.ask("echo", self.seconds, CLIENTS)
        check(trips > 100, f"only {trips} round trips")
        self.out[f"round trip{label}, p50 us"] = p50
        self.out[f"round trip{label}, p99 us"] = p99
        self.out[f"round trip{label}, longest us"] = longest

    def latency(self):
        """Of connections that stand, alone and beside STORM clients that do
        nothing but new handshakes; these want the client's processor too, so
        the second figure says something beside that of the others only."""
        self.echoes("")
        with subprocess.Popen(self.command("full", self.seconds + 1, STORM),
                              stdout=subprocess.PIPE, text=True) as storm:
            self.echoes(" in a storm")
            made = int(storm.communicate(timeout=120)[0].split()[0])
        check(storm.returncode == 0 and made > 0, "there was no storm")
        self.out["storm, handshakes/s"] = made / (self.seconds + 1)

    def idle(self, term, after, label):
        n = IDLE_QUICK if self.args.quick else self.n_idle
        self.ask("full", 1, 1)      # whatever is allocated once
        before = rss_kib(term.pids())
        r, w = os.pipe()
        p = Proc(self.command("idle", n, after), name="idle", stdin=r)
        os.close(r)
        try:
            p.says("ready", 120)
            self.out[label] = (rss_kib(term.pids()) - before) / n
        finally:
            os.close(w)
            p.stop(5)


def run_terminator(cls, args, keys):
    """{measure: value} of one round."""
    b = TlsBench(args)
    for key, pem in keys.items():
        with cls(args.build, pem) as term:
            b.handshakes(term, key)
            if key == "ECDSA":
                b.bulk(term)
    for after, label in IDLE_KINDS:
        with cls(args.build, keys["ECDSA"]) as term:
            b.idle(term, after, label)
    return b.out


def backend(args):
    return Proc(["taskset", "-c", "1",
                 f"{args.build}/tests/bench/bench_tls_load", "serve", HOST,
                 str(BACKEND)], name="backend").says("ready")
