#!/usr/bin/python3
"""Speed beside a peer: the same programs on the same machine, in one run,
over the kernel (veth), stackd, pasta and slirp4netns.

    bench.py --build DIR [--json] [--quick] [--rounds N] [TASK...]

Task "tlsd" is about tlsd over stackd (tlsd_bench.py).
Task "tls" is about TLS terminators on the kernel's sockets (tls_bench.py).

A kernel client in namespace h talks to an unmodified server in namespace p.
"up": the client sends to the stack; "down": the stack sends. Every kernel
sender is on CUBIC. Peers take turns in each round; medians are printed.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from couplet_net import (WORK, Failure, Namespace, Net, Proc, check, inside,
                         remove_namespaces, run, wait_for)

import print_bench
import proxy
import tls_bench
import tlsd_bench

TASKS = ("stream", "rr", "conn", "idle")
PORT = 7100
IDLE = {"kernel": 15000, "stackd": 15000, "pasta": 1000, "slirp4netns": 1000}
IDLE_QUICK = 1000
CLIENTS = 8


# ---- the peers -------------------------------------------------------------

class Kernel(Net):
    """The kernel on both sides of a veth pair."""
    kind = "kernel"

    def __init__(self, build):
        super().__init__(build, kernel=True, mtu=1500)

    daemon_pid = None

    def listen_address(self, family=4):
        return self.address("p", family)

    def call_address(self, family=4):
        return self.address("p", family)

    def forward(self, port):
        pass


class Stackd(Kernel):
    kind = "stackd"

    def __init__(self, build):
        Net.__init__(self, build, mtu=1500)

    @property
    def daemon_pid(self):
        return self.stackd.pid


class Relay:
    """pasta and slirp4netns: namespace p hangs on a user-space stack that
    ends the connections with sockets in namespace h."""

    def __init__(self, build):
        self.build = build
        self.procs = []
        self.forwarded = set()

    def __enter__(self):
        self.h, self.p, self.x = (Namespace(n) for n in "hpx")
        run(["ip", "link", "add", "uplink", "netns", "h", "type", "veth", "peer",
             "upx", "netns", "x"])
        self.h.run(["ip", "addr", "add", "10.88.0.1/24", "dev", "uplink"])
        self.x.run(["ip", "link", "set", "upx", "up"])
        self.h.run(["ip", "link", "set", "uplink", "up"])
        self.h.run(["ip", "route", "add", "default", "via", "10.88.0.2"])
        self.start()
        return self

    def __exit__(self, *_):
        for p in reversed(self.procs):
            p.stop(3)

    def keep(self, argv, ns):
        p = Proc(ns.argv(argv), name=os.path.basename(argv[0]))
        self.procs.append(p)
        return p

    def host(self, argv, **_):
        return self.keep(argv, self.h)

    def prog(self, argv, **_):
        return self.keep(argv, self.p)

    @property
    def daemon_pid(self):
        return self.daemon.pid

    def wait_tap(self):
        def up():
            out = self.p.run(["ip", "-4", "route", "show", "default"])
            return "default" in out
        wait_for(up, f"{self.kind} to configure the namespace")
        # programs in the namespace send with CUBIC as well
        for line in self.p.run(["ip", "route"]).strip().split("\n"):
            self.p.run(["ip", "route", "change"] + line.split() +
                       ["congctl", "cubic"])


class Pasta(Relay):
    kind = "pasta"

    def start(self):
        self.daemon = self.host(
            ["pasta", "-f", "--config-net", "-4", "--runas", "0", "-t",
             f"{PORT}-{PORT + 50}", "-u", "none", "-T", "none", "-U", "none",
             "--netns", "/run/netns/p"])
        self.wait_tap()

    def listen_address(self, _family=4):
        return "0.0.0.0"

    def call_address(self, _family=4):
        return "10.88.0.1"      # not loopback, which pasta would splice

    def forward(self, port):
        pass


class Slirp(Relay):
    kind = "slirp4netns"

    def start(self):
        self.api = WORK + "/slirp.sock"
        if os.path.exists(self.api):
            os.unlink(self.api)
        self.daemon = self.host(
            ["slirp4netns", "--configure", "--mtu=65520", "--netns-type=path",
             f"--api-socket={self.api}", "/run/netns/p", "tap0"])
        self.wait_tap()

    def listen_address(self, _family=4):
        return "0.0.0.0"

    def call_address(self, _family=4):
        return "127.0.0.1"

    def forward(self, port):
        if port in self.forwarded:
            return
        self.forwarded.add(port)
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.api)
        s.sendall(json.dumps({"execute": "add_hostfwd", "arguments": {
            "proto": "tcp", "host_addr": "127.0.0.1", "host_port": port,
            "guest_addr": "10.0.2.100", "guest_port": port}}).encode())
        s.shutdown(socket.SHUT_WR)
        answer = s.recv(1000)
        s.close()
        check(b"return" in answer, answer.decode())


class ByPreload(Stackd):
    """Programs on the stack by the preload library alone."""
    kind = "preload"
    mode = "preload"

    def __init__(self, build):
        Net.__init__(self, build, mtu=1500, mode=self.mode)


class BySeccomp(ByPreload):
    kind = "seccomp"
    mode = "seccomp"


class ByBoth(ByPreload):
    kind = "both"
    mode = "auto"


PEERS = (Kernel, Stackd, Pasta, Slirp)
WAYS = (Kernel, ByPreload, ByBoth, BySeccomp)


# ---- the tasks -------------------------------------------------------------

class Bench:
    def __init__(self, rig, args):
        self.rig, self.args = rig, args
        self.port = PORT
        self.seconds = 1 if args.quick else 3
        self.out = {}

    def tool(self, name):
        return os.path.join(self.args.build, "tests", "bench",
                            "bench_" + name)

    def serve(self, *argv, family=4):
        self.port += 1
        self.rig.forward(self.port)
        return self.rig.prog([self.tool(argv[0]), *argv[1:-1],
                              self.rig.listen_address(family),
                              str(self.port)] + list(argv[-1])).says("ready")

    def call(self, *argv, family=4):
        return self.rig.host([self.tool(argv[0]), *argv[1:-1],
                              self.rig.call_address(family), str(self.port)]
                             + list(argv[-1]))

    # streams
    def stream(self):
        families = (4, 6) if self.rig.kind in ("kernel", "stackd") else (4,)
        for family in families:
            for way in ("up", "down"):
                name = f"{way} v{family} Gbit/s"
                rate = self.stream_once(way, 200 << 20, family)[0]
                n = int(min(max(rate * 1e9 / 8 * self.seconds, 100 << 20),
                            40 << 30))
                rate, cpu = self.stream_once(way, n, family)
                self.out[name] = rate
                if cpu is not None:
                    self.out[f"{way} v{family} Gbit/cpu-s"] = cpu

    def stream_once(self, way, n, family):
        """Gbit/s and Gbit per CPU second of the daemon."""
        server, client = ("recv", "send") if way == "up" else ("send", "recv")
        s = self.serve("stream", "listen", server, [str(n)], family=family)
        before = cpu_seconds(self.rig.daemon_pid)
        c = self.call("stream", "connect", client, [str(n)], family=family)
        got, seconds = c.ok(120).split()[:2]
        words = s.ok(30).split()
        check(int(words[1]) == n and int(got) == n,
              f"{words[1]} and {got} of {n} bytes")
        if way == "up":
            seconds = words[2]      # as the receiver saw it
        used = cpu_seconds(self.rig.daemon_pid) - before
        gbit = n * 8 / 1e9
        return gbit / float(seconds), gbit / used if used > 0 else None

    # request and response
    def rr(self):
        for where, server, client in (("one core", 0, 0), ("apart", 0, 1)):
            if self.rig.daemon_pid:
                os.sched_setaffinity(self.rig.daemon_pid, {server})
            self.out[f"rr {where} /s"] = self.rr_once(
                f"rr {where} p50 us", server, client)
        if self.rig.daemon_pid:
            os.sched_setaffinity(self.rig.daemon_pid,
                                 range(os.cpu_count()))

    def rr_once(self, p50, server, client):
        s = self.serve("rr", "serve", [str(server)])
        c = self.call("rr", "call", [str(client), str(self.seconds)])
        words = c.ok(30).split()
        s.stop()
        if p50:
            self.out[p50] = float(words[1])
        return float(words[0])

    # connections per second
    def conn(self):
        if self.rig.kind not in ("pasta", "slirp4netns"):
            self.conn_once("connections /s", "serve", [])
        self.conn_once("with one byte /s", "serve-byte", ["byte"])

    def conn_once(self, name, server, extra):
        s = self.serve("connrate", server, [])
        c = self.call("connrate", "call", [str(CLIENTS), str(self.seconds)]
                      + extra)
        self.out[name] = float(c.ok(60).split()[0])
        s.stop()

    # idle connections
    def idle(self):
        n = IDLE_QUICK if self.args.quick else IDLE[self.rig.kind]
        alone = self.rr_once(None, 0, 0)
        settle()
        machine, daemon = available_kib(), rss_kib(self.rig.daemon_pid)
        s = self.serve("idle", "serve", [str(n)])
        r, w = os.pipe()
        self.port_idle = self.port
        c = Proc(self.rig.h.argv([self.tool("idle"), "open",
                                  self.rig.call_address(), str(self.port),
                                  str(n)]), name="idle", stdin=r)
        os.close(r)
        try:
            c.says(f"have {n}", 60)
            s.says(f"have {n}", 60)
            settle()
            self.out["idle connections"] = n
            self.out["idle machine KiB"] = (machine - available_kib()) / n
            if self.rig.daemon_pid:
                self.out["idle daemon KiB"] = (
                    rss_kib(self.rig.daemon_pid) - daemon) / n
            busy = self.rr_once(None, 0, 0)
            self.out["rr beside idle, ratio"] = busy / alone
            start = time.monotonic()
            os.write(w, b"\n")
            c.says(f"done {n}", 60)
            self.out["one message each, us"] = \
                (time.monotonic() - start) * 1e6 / n
        finally:
            os.close(w)
            c.stop()
            s.stop()

    # the ways into a program: cost of a call, connections per second

    def trap(self):
        c = self.rig.prog([self.tool("trap"), self.rig.address("p", 4), "7050",
                           str(self.seconds / 10)])
        for line in c.ok(120).strip().split("\n"):
            name, ns = line.split()
            self.out[f"{name.replace('_', ' ')} us"] = int(ns) / 1000
        self.conn()                 # the server is the program on the stack
        self.calls()

    def calls(self):
        """The client is the program on the stack."""
        s = self.rig.host([self.tool("connrate"), "serve",
                           self.rig.address("h", 4), "7060"]).says("ready")
        c = self.rig.prog([self.tool("connrate"), "call",
                           self.rig.address("h", 4), "7060", str(CLIENTS),
                           str(self.seconds)])
        self.out["connects /s"] = float(c.ok(60).split()[0])
        s.stop()


def settle():
    time.sleep(0.5)     # caches of the kernel's allocators come to rest


def cpu_seconds(pid):
    if not pid:
        return 0
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid):
    if not pid:
        return 0
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        for line in f:
            if line.startswith("Rss:"):
                return int(line.split()[1])
    return 0


def available_kib():
    with open("/proc/meminfo", encoding="ascii") as f:
        for line in f:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1])
    return 0


# ---- rounds and the tables --------------------------------------------------

def keep(results, kind, out):
    for k, v in out.items():
        results.setdefault(k, {}).setdefault(kind, []).append(v)


def failed(kind, task, e, errors):
    errors.append(f"{kind} {task}: {e}")
    note(f"  {kind} {task} failed: "
         f"{str(e).strip().splitlines()[0][:200]}")


class Group:
    """One table: peers that do the same tasks, in turns.

    tasks: words of the command line; kinds: columns, the peers; ours and
    others: the ratios printed; round(): every peer once, values into
    `results` by keep(), what went wrong into `errors` by failed().
    """
    tasks = ()
    kinds = ()
    ours, others = "", ()
    by_default = True

    def round(self, args, tasks, results, errors):
        raise NotImplementedError

    def tell(self, table):
        """What the table does not show by itself, printed below it."""


class Rigs(Group):
    """Peers that are networks: one rig per task."""

    def __init__(self, classes, tasks, ours, others, by_default=True):
        self.classes, self.tasks, self.by_default = classes, tasks, by_default
        self.kinds = [c.kind for c in classes]
        self.ours, self.others = ours, others

    def round(self, args, tasks, results, errors):
        for cls in self.classes:
            if cls.kind not in args.peers:
                continue
            note(f"  {cls.kind}")
            for task in tasks:
                self.run(cls, args, task, results, errors)

    def run(self, cls, args, task, results, errors):
        try:
            with cls(args.build) as rig:
                b = Bench(rig, args)
                try:
                    getattr(b, task)()
                finally:
                    keep(results, cls.kind, b.out)
        except (Failure, OSError, subprocess.SubprocessError) as e:
            failed(cls.kind, task, e, errors)
        finally:
            remove_namespaces()


class Terminators(Group):
    """TLS in, clear out, on the kernel's loopback."""
    tasks = ("tls",)
    kinds = [c.kind for c in tls_bench.TERMINATORS]
    ours, others = "tls_term", ("nginx", "haproxy")

    def round(self, args, tasks, results, errors):
        run(["ip", "link", "set", "lo", "up"])
        keys = tls_bench.make_keys()
        server = tls_bench.backend(args)
        for cls in tls_bench.TERMINATORS:
            if cls.kind not in args.peers:
                continue
            note(f"  {cls.kind}")
            try:
                keep(results, cls.kind,
                     tls_bench.run_terminator(cls, args, keys))
            except (Failure, OSError, subprocess.SubprocessError) as e:
                failed(cls.kind, "tls", e, errors)
        server.stop(3)


class Tlsd(Group):
    """tlsd over stackd."""
    tasks = ("tlsd",)
    kinds = ["tlsd"]
    ours = "tlsd"

    def round(self, args, tasks, results, errors):
        try:
            keep(results, "tlsd", tlsd_bench.run(args))
        except (Failure, OSError, subprocess.SubprocessError) as e:
            failed("tlsd", "tlsd", e, errors)
        finally:
            remove_namespaces()


class Relays(Group):
    """proxyd beside other relays, on kernel sockets and on a stack."""
    tasks = ("proxy",)
    kinds = proxy.KINDS
    ours, others = "proxyd", ("haproxy-splice", "nginx")

    def round(self, args, tasks, results, errors):
        proxy.one_round(args, results, errors)

    def tell(self, table):
        proxy.print_goals(table)


class Printing(Group):
    """printd beside CUPS: the same jobs to the same printers."""
    tasks = ("print",)
    kinds = print_bench.KINDS
    ours, others = "printd", ("cups",)

    def round(self, args, tasks, results, errors):
        print_bench.one_round(args, results, errors)


GROUPS = (
    Rigs(PEERS, TASKS, "stackd", ("kernel", "pasta")),
    Rigs(WAYS, ("trap",), "seccomp", ("preload",), by_default=False),
    Terminators(),
    Tlsd(),
    Relays(),
    Printing(),
)


def note(text):
    print(text, file=sys.stderr, flush=True)


def median_table(results):
    return {k: {peer: statistics.median(v) for peer, v in row.items()}
            for k, row in results.items()}


def show(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def print_table(table, group):
    head = ["", *group.kinds, *(f"{group.ours}/{o}" for o in group.others)]
    width = max(14, *(len(h) + 2 for h in head))
    form = ("{:<26}" + f"{{:>{width}}}" * (len(head) - 1)).format
    print(form(*head))
    for k, row in table.items():
        cells = [show(row.get(x)) for x in group.kinds]
        for other in group.others:
            mine, base = row.get(group.ours), row.get(other)
            cells.append(f"{mine / base:.2f}" if mine and base else "-")
        print(form(k, *cells))
    print()


def arguments():
    words = [t for g in GROUPS for t in g.tasks]
    a = argparse.ArgumentParser()
    a.add_argument("--build", required=True)
    a.add_argument("--json", action="store_true")
    a.add_argument("--quick", action="store_true")
    a.add_argument("--rounds", type=int, default=0)
    a.add_argument("--peers", default="", help="only these, apart by commas")
    a.add_argument("task", nargs="*", metavar="TASK",
                   help="of: " + " ".join(words))
    args = a.parse_args()
    args.build = os.path.realpath(args.build)
    for t in args.task:
        if t not in words:
            a.error(f"no such task: {t}; there are {' '.join(words)}")
    kinds = [k for g in GROUPS if chosen(g, args) for k in g.kinds]
    args.peers = [x for x in args.peers.split(",") if x] or kinds
    for x in args.peers:
        if x not in kinds:
            a.error(f"no such peer: {x}; there are "
                    + " ".join(dict.fromkeys(kinds)))
    return args


def chosen(group, args):
    return [t for t in group.tasks
            if t in args.task or (group.by_default and not args.task)]


def main():
    args = arguments()
    inside(3000)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    rounds = args.rounds or (1 if args.quick else 3)
    errors, tables = [], []
    for g in GROUPS:
        tasks = chosen(g, args)
        results = {}
        for i in range(rounds if tasks else 0):
            note(f"{' '.join(tasks)}: round {i + 1} of {rounds}")
            g.round(args, tasks, results, errors)
        if results:
            tables.append((g, results))
    if args.json:
        print(json.dumps({"cpus": os.cpu_count(),
                          "kernel": os.uname().release, "rounds": rounds,
                          "tables": [{"tasks": g.tasks,
                                      "median": median_table(r), "all": r}
                                     for g, r in tables],
                          "errors": errors}, indent=1))
    else:
        for g, r in tables:
            print_table(median_table(r), g)
            g.tell(median_table(r))
        print("\n".join(errors))
    sys.stdout.flush()
    mine = {"kernel", *(g.ours for g in GROUPS)}
    os._exit(1 if any(e.split()[0] in mine for e in errors) else 0)


if __name__ == "__main__":
    main()
