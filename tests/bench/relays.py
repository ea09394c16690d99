"""relays: proxyd and Debian's relays as programs to measure, and the two
places where they stand. proxy.py measures them.

Client -> relay (`place.front`, FRONT) -> server (`place.back`, BACK), each side
of family 4 or 6, the client's side clear or TLS.
"""

import os

from couplet_net import (ID, V4_HOST, V4_STACK, WORK, Namespace, Net, Proc,
                         check, run, wait_for)

FRONT, BACK = 7100, 7200
KEYS = WORK + "/proxykeys"


# ---- places ----------------------------------------------------------------

class Loopback:
    """Kernel sockets: everything on the loopback of one namespace; the relay
    has a processor, its clients and servers have the others. Without that, who
    runs beside whom decides about how much is done at once, and the figures
    of a run differ by half."""
    stack = "*"
    label = ""
    share = 1       # bulk is divided by it
    address = {4: "127.0.0.1", 6: "::1"}
    front = back = address

    def __init__(self, build):
        self.build = build
        self.run_dir = WORK + "/run"

    def __enter__(self):
        self.ns = Namespace("h")
        self.cubic()
        os.makedirs(self.run_dir, exist_ok=True)
        return self

    def __exit__(self, *_):
        pass

    def cubic(self):
        """Kernel senders are on CUBIC, the relays' too. The kernel's own
        routes to 127.0.0.1 and ::1 go before what is added beside them."""
        for to in ("127.0.0.1", "127.0.0.0/8"):
            self.ns.run(["ip", "route", "replace", "table", "local", "local",
                         to, "dev", "lo", "proto", "kernel", "scope", "host",
                         "src", "127.0.0.1", "congctl", "cubic"])
        v6 = ["table", "local", "local", "::1", "dev", "lo"]
        self.ns.run(["ip", "-6", "route", "del", *v6])
        self.ns.run(["ip", "-6", "route", "add", *v6, "congctl", "cubic"])

    @staticmethod
    def processors():
        """The relay's, the others'."""
        *others, last = sorted(os.sched_getaffinity(0))
        return [last], others or [last]

    def on(self, processors, argv, name, **kw):
        words = ["taskset", "-c", ",".join(map(str, processors)), *argv]
        return Proc(self.ns.argv(words), name=name, **kw)

    def peer(self, argv, name, **kw):
        """A client or server."""
        return self.on(self.processors()[1], argv, name, **kw)

    def relay(self, argv, name, native):
        _ = native
        return self.on(self.processors()[0], argv, name)

    def wait(self, relay):
        def up():
            check(relay.proc.alive(), f"{relay.name}:\n{relay.proc.tail()}")
            return self.ns.run(["ss", "-Hltn", f"sport = :{FRONT}"]).strip()
        wait_for(up, f"{relay.name} to listen", 30, step=0.05)


class OnStackd:
    """The relay on stackd, a native program or under stackrun; clients and
    servers on the kernel's side of the TUN."""
    stack = ID
    label = "stackd: "
    share = 4
    front, back = {4: V4_STACK}, {4: V4_HOST}

    def __init__(self, build):
        self.build = build

    def __enter__(self):
        self.net = Net(self.build, families="4")
        self.net.__enter__()
        self.run_dir = self.net.run_dir
        return self

    def __exit__(self, *error):
        self.net.__exit__(*error)

    def peer(self, argv, name, **kw):
        return self.net.host(argv, name=name, **kw)

    def relay(self, argv, name, native):
        if native:
            return self.net.keep(Proc(self.net.p.argv(argv), name=name))
        return self.net.prog(argv, name=name)

    def wait(self, relay):
        self.net.wait_port("p", 4, FRONT, relay.proc, 30)


# ---- programs --------------------------------------------------------------

def write(name, text):
    path = f"{WORK}/{name}"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


class Relay:
    """One program. A subclass says its `name`, by argv() how it is started,
    whether its threads and processes live as long as it (`steady`), and
    whether it uses libcouplet itself (`native`)."""
    steady = True
    native = False

    def __init__(self, place, front, to, secure):
        self.place, self.front, self.to = place, front, to
        self.secure = secure

    def start(self):
        self.proc = self.place.relay(self.argv(), self.name, self.native)
        self.place.wait(self)
        return self

    @property
    def families(self):
        return f"v{self.front}-v{self.to}"

    @staticmethod
    def bracket(host):
        return f"[{host}]" if ":" in host else host

    def listen(self):
        return self.place.front[self.front]

    def target(self):
        return f"{self.bracket(self.place.back[self.to])}:{BACK}"

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
            except OSError:     # it ended meanwhile
                pass
        return out

    def cpu(self):
        """Seconds of all its processes: to the nanosecond of threads that
        live, to the clock tick where some have ended."""
        count = self.cpu_of_threads if self.steady else self.cpu_of_process
        total = 0
        for pid in self.pids():
            try:
                total += count(pid)
            except OSError:     # it ended meanwhile
                pass
        return total

    @staticmethod
    def cpu_of_threads(pid):
        ns = 0
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/schedstat",
                      encoding="ascii") as f:
                ns += int(f.read().split()[0])
        return ns / 1e9

    @staticmethod
    def cpu_of_process(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            words = f.read().rpartition(")")[2].split()
        return sum(int(w) for w in words[11:15]) / os.sysconf("SC_CLK_TCK")

    def pss_kib(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup",
                          encoding="ascii") as f:
                    total += sum(int(line.split()[1]) for line in f
                                 if line.startswith("Pss:"))
            except OSError:     # it ended meanwhile
                pass
        return total


class Proxyd(Relay):
    name = "proxyd"
    native = True

    def argv(self):
        mode = "SSL" if self.secure else "TXT"
        deck = write("bench.deck", f"""ID {self.place.stack}
NAME bench
KEYRING {KEYS}
KEYFILE SSL01
LOG NONE
LIMIT CONNECTIONS 100000
PROXY TCP V{self.front} {FRONT} {mode} * TO V{self.to} {BACK} TXT * {self.place.back[self.to]}
""")
        return [os.path.join(self.place.build, "proxyd", "proxyd"), "-f",
                deck, "--run", self.place.run_dir]


class Haproxy(Relay):
    name = "haproxy"
    splice = ""

    def argv(self):
        bind = (f"bind {self.listen()}:{FRONT}" +
                (f" ssl crt {KEYS}/SSL01.PEM" if self.secure else ""))
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
    # not splice-auto, which leaves it to a guess and does not splice here
    splice = "option splice-request\n  option splice-response"


class Nginx(Relay):
    name = "nginx"

    def argv(self):
        os.makedirs(WORK + "/ngx", exist_ok=True)
        secure = ("ssl_protocols TLSv1.2 TLSv1.3; "
                  f"ssl_certificate {KEYS}/SSL01.PEM; ssl_certificate_key "
                  f"{KEYS}/SSL01.PEM;" if self.secure else "")
        conf = write("nginx.conf", f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; user root; worker_processes 1; pid {WORK}/ngx/pid;
error_log {WORK}/ngx/log; worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
stream {{ server {{
  listen {self.bracket(self.listen())}:{FRONT} {'ssl' if self.secure else ''} backlog=4096;
  proxy_pass {self.target()}; {secure}
}} }}
""")
        return ["nginx", "-c", conf]


class Socat(Relay):
    name = "socat"
    steady = False

    def argv(self):
        return ["socat", "-b65536",
                f"TCP{self.front}-LISTEN:{FRONT},"
                f"bind={self.bracket(self.listen())},fork,reuseaddr,"
                "backlog=1024", f"TCP{self.to}:{self.target()}"]


class Sixtunnel(Relay):
    name = "6tunnel"
    steady = False

    def argv(self):
        return ["6tunnel", "-d", "-4" if self.to == 4 else "-6", "-l",
                self.listen(), str(FRONT), self.place.back[self.to],
                str(BACK)]


class Stunnel(Relay):
    name = "stunnel"
    steady = False      # a thread for each connection

    def argv(self):
        conf = write("stunnel.conf", f"""
foreground = yes
pid =
debug = 3
[l]
accept = {self.listen()}:{FRONT}
connect = {self.target()}
cert = {KEYS}/SSL01.PEM
""")
        return ["stunnel", conf]


CLEAR = (Proxyd, HaproxySplice, Haproxy, Nginx, Socat, Sixtunnel)
SECURE = (Proxyd, Haproxy, Nginx, Stunnel)
SCARCE = (Socat, Sixtunnel, Stunnel)  # a process or thread per connection


def make_keys():
    os.makedirs(KEYS, exist_ok=True)
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-keyout", KEYS + "/key", "-out",
         KEYS + "/crt", "-subj", "/CN=localhost", "-days", "2"])
    with open(KEYS + "/SSL01.PEM", "wb") as out:
        for part in ("key", "crt"):
            with open(f"{KEYS}/{part}", "rb") as f:
                out.write(f.read())
