"""proxy: proxyd beside Debian's relays, in one run: clear bulk, connections
per second and the memory of an idle connection on kernel sockets, what
translation between the families costs, bulk and connections over stackd, TLS
to clear. bench.py calls it for the task "proxy"; relays.py has the programs.

Relays take turns within a round. CPU seconds are the relay's own, all of its
processes; over stackd without stackd's. Goals are told below the table.
"""

import math
import os
import subprocess
import sys

from couplet_net import Failure, remove_namespaces
from relays import (BACK, CLEAR, FRONT, SCARCE, SECURE, Haproxy, HaproxySplice,
                    Loopback, Nginx, OnStackd, Proxyd, Stunnel, make_keys)

IDLE, IDLE_QUICK, IDLE_SCARCE = 4000, 500, 400
CLIENTS = 8
TRANSLATORS = (Proxyd, HaproxySplice, Haproxy, Nginx)
PAIRS = ((4, 4), (4, 6), (6, 6))    # client's family, server's family
KINDS = [c.name for c in CLEAR] + [Stunnel.name]


class Round:
    def __init__(self, args, place, results):
        self.place, self.results = place, results
        self.build = args.build
        self.seconds = 1 if args.quick else 3
        self.bytes = ((1 << 30) if args.quick else (6 << 30)) // place.share
        self.idle_n = IDLE_QUICK if args.quick else IDLE

    def tool(self, name, *words):
        return [os.path.join(self.build, "tests", "bench", "bench_" + name),
                *map(str, words)]

    def put(self, what, who, value):
        self.results.setdefault(self.place.label + what, {}).setdefault(
            who, []).append(value)

    def rates(self, what, unit, relay, amount, seconds, used):
        """Puts `amount` by the clock and by CPU second; both."""
        by_clock, by_cpu = amount / seconds, amount / max(used, 1e-9)
        self.put(f"{what} {unit}/s", relay.name, by_clock)
        self.put(f"{what} {unit}/cpu-s", relay.name, by_cpu)
        return by_clock, by_cpu

    def bulk(self, relay, way):
        """Gbit by the clock and by CPU second."""
        server, client = ("recv", "send") if way == "up" else ("send", "recv")
        s = self.place.peer(self.tool(
            "stream", "listen", server, self.place.back[relay.to], BACK,
            self.bytes), "server").says("ready")
        before = relay.cpu()
        c = self.place.peer(self.tool(
            "stream", "connect", client, relay.listen(), FRONT, self.bytes),
            "client")
        seconds = c.ok(240).split()[1]
        words = s.ok(60).split()
        if way == "up":
            seconds = words[2]
        return self.rates(f"{way} {relay.families}", "Gbit", relay,
                          self.bytes * 8 / 1e9, float(seconds),
                          relay.cpu() - before)

    def up(self, relay):
        return self.bulk(relay, "up")

    def down(self, relay):
        return self.bulk(relay, "down")

    def conn(self, relay):
        """Connections by the clock and by CPU second."""
        s = self.place.peer(self.tool(
            "connrate", "serve-byte", self.place.back[relay.to], BACK),
            "server").says("ready")
        before = relay.cpu()
        c = self.place.peer(self.tool(
            "connrate", "call", relay.listen(), FRONT, CLIENTS, self.seconds,
            "byte"), "client")
        rate = float(c.ok(120).split()[0])
        used = relay.cpu() - before
        s.stop()
        return self.rates(f"connections {relay.families}", "", relay,
                          rate * self.seconds, self.seconds, used)

    def idle(self, relay):
        n = self.idle_n
        if isinstance(relay, SCARCE):
            n = min(n, IDLE_SCARCE)
        s = self.place.peer(self.tool(
            "idle", "serve", self.place.back[relay.to], BACK, n),
            "server").says("ready")
        before = relay.pss_kib()
        r, w = os.pipe()
        c = self.place.peer(self.tool("idle", "open", relay.listen(), FRONT,
                                      n), "idle", stdin=r)
        os.close(r)
        try:
            c.says(f"have {n}", 120)
            s.says(f"have {n}", 120)
            self.put("KiB per idle connection", relay.name,
                     (relay.pss_kib() - before) / n)
        finally:
            os.close(w)
            c.stop()
            s.stop()

    def load(self, relay, *words):
        """What tls_load prints, as numbers, and the CPU seconds spent."""
        before = relay.cpu()
        done = self.place.peer(self.tool(
            "tls_load", words[0], relay.listen(), FRONT, self.seconds,
            *words[1:]), "tls_load").ok(120)
        return int(done.split()[0]), relay.cpu() - before

    def secure(self, relay):
        """The client speaks TLS, the server does not."""
        s = self.place.peer(self.tool("tls_load", "serve",
                                      self.place.back[relay.to], BACK),
                            "backend").says("ready")
        try:
            n, used = self.load(relay, "full", CLIENTS)
            self.rates("TLS to clear, handshakes", "", relay, n, self.seconds,
                       used)
            for way in ("up", "down"):
                n, used = self.load(relay, way)
                self.rates(f"TLS to clear, {way}", "Gbit", relay, n * 8 / 1e9,
                           self.seconds, used)
        finally:
            s.stop()

    # ---- what one relay does

    def one(self, cls, families, secure, tasks):
        """What the tasks said."""
        print(f"  {self.place.label}{cls.name} v{families[0]}-v{families[1]}"
              f"{' TLS' if secure else ''}", file=sys.stderr, flush=True)
        relay = cls(self.place, *families, secure).start()
        try:
            return [t(relay) for t in tasks]
        finally:
            relay.proc.stop(5)

    def translation(self, cls, said):
        """What v4 to v6 reaches, beside the mean of v4 to v4 and v6 to v6: of
        one connection of each family there is half as much in either. 1 means
        that translating itself costs nothing. `said`: of up and conn, for
        PAIRS."""
        for i, what in enumerate(("bulk", "connections")):
            for k, per in enumerate(("s", "cpu-s")):
                v44, v46, v66 = (s[i][k] for s in said)
                self.put(f"translation, {what} /{per}", cls.name,
                         v46 / math.sqrt(v44 * v66))

    def clear(self, cls):
        said = [self.one(cls, PAIRS[0], False,
                         (self.up, self.conn, self.down, self.idle))]
        if cls in TRANSLATORS:
            said += [self.one(cls, p, False, (self.up, self.conn))
                     for p in PAIRS[1:]]
            self.translation(cls, said)

    def on_stack(self, cls):
        self.one(cls, PAIRS[0], False, (self.up, self.down, self.conn))

    def tls(self, cls):
        self.one(cls, PAIRS[0], True, (self.secure,))


def one_round(args, results, errors):
    for place, classes, task in ((Loopback, CLEAR, Round.clear),
                                 (Loopback, SECURE, Round.tls),
                                 (OnStackd, CLEAR, Round.on_stack)):
        for cls in classes:
            if cls.name not in args.peers:
                continue
            try:
                make_keys()
                with place(args.build) as p:
                    task(Round(args, p, results), cls)
            except (Failure, OSError, subprocess.SubprocessError) as e:
                errors.append(f"{cls.name} proxy: {e}")
            finally:
                remove_namespaces()


BULK = ("up v4-v4 Gbit/s", "down v4-v4 Gbit/s", "up v4-v4 Gbit/cpu-s",
        "down v4-v4 Gbit/cpu-s")
CONN = ("connections v4-v4 /s", "connections v4-v4 /cpu-s")
TRANSLATION = ("translation, bulk /s", "translation, bulk /cpu-s",
               "translation, connections /s",
               "translation, connections /cpu-s")
# rows; whom proxyd is divided by, None for itself; the goal
GOALS = ((BULK, "haproxy-splice", "at least 0.95"),
         (CONN, "nginx", "at least 1"),
         (TRANSLATION, None, "at least 0.95"),
         (("KiB per idle connection",), None, "at most 3"))


def print_goals(table):
    for rows, other, goal in GOALS:
        for row in rows:
            mine = table.get(row, {}).get("proxyd")
            base = table.get(row, {}).get(other) if other else 1
            if mine and base:
                beside = f", proxyd / {other}" if other else ", proxyd"
                print(f"{row}{beside}: {mine / base:.2f} ({goal})")
