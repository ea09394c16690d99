"""The task "tlsd" of bench.py: tlsd over stackd. The load of tls_bench, from
the kernel's side of a TUN; the backend in clear on the stack, which knows
nothing of TLS. Everything shares the machine's processors, as it would.

Rates are per second and per CPU second of tlsd with its key process; idle
memory is the growth of their resident memory.
"""

import contextlib

import tls_bench
from couplet_net import V4_STACK, WORK, Net, remove_namespaces
from tls_net import Tlsd

CLEAR, WIRE = 7300, 7301


class Pair:
    """A tlsd and the programs around it, as tls_bench wants a terminator."""

    kind = "tlsd"

    def __init__(self, net, tlsd):
        self.net, self.tlsd = net, tlsd

    def pids(self):
        return tls_bench.children_of(self.tlsd.proc.pid)


class TlsdBench(tls_bench.TlsBench):
    n_idle = 3000

    def __init__(self, args, net):
        super().__init__(args)
        self.net = net

    def command(self, *words):
        return self.net.h.argv([self.load, words[0], V4_STACK, str(WIRE),
                                *map(str, words[1:])])

    def bulk(self, term):
        for way in ("up", "down"):
            numbers, rate = self.rate(term, way, self.seconds)
            self.out[f"{way}, Gbit/s"] = \
                numbers[0] * 8 / 1e9 / self.seconds
            self.out[f"{way}, Gbit per cpu-s"] = rate * 8 / 1e9
        self.latency()


@contextlib.contextmanager
def pair(args, pem):
    """A stack, a backend in clear on it, a tlsd with the key file pem."""
    with Net(args.build, families="4") as net:
        backend = net.prog([f"{args.build}/tests/bench/bench_tls_load",
                            "serve", "0.0.0.0", str(CLEAR)], name="backend")
        net.wait_port("p", 4, CLEAR, backend)
        name = pem[len(WORK) + 1:-len(".PEM")]
        tlsd = Tlsd(net, [f"KEYFILE {name}", "OPTION SERVER",
                          f"ATTLS {CLEAR} AS {WIRE} SSL"], ring=WORK)
        yield TlsdBench(args, net), Pair(net, tlsd)
        tlsd.stop()
    remove_namespaces()


def run(args):
    """{measure: value}"""
    out = {}
    for key, pem in tls_bench.make_keys().items():
        with pair(args, pem) as (b, term):
            b.handshakes(term, key)
            if key == "ECDSA":
                b.bulk(term)
            out.update(b.out)
        if key != "ECDSA":
            continue
        for after, label in tls_bench.IDLE_KINDS:
            with pair(args, pem) as (b, term):
                b.idle(term, after, label)
                out.update(b.out)
    return out
