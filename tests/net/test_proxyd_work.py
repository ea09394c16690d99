#!/usr/bin/python3
"""How proxyd shares its work: handshakes on worker threads that hold up nobody
else, and an end that waits for those who are still there.

    test_proxyd_work.py --build DIR [--kernel] [--verbose] CASE...

A handshake that takes long is made by stopping the process that signs: each
worker then waits for it, until it goes on.
"""

import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
from couplet_net import WORK, Failure, check, check_equal, main, options, \
    wait_for
from proxynet import Proxy, Server, descriptors, dial, echo, exactly, \
    make_keys, real_pid, tls

CLEAR = "PROXY TCP V4 9001 TXT * TO V4 7000 TXT * 10.77.0.1"
SECURE = "PROXY TCP V4 9992 SSL * TO V4 7000 TXT * 10.77.0.1"
BOTH = "PROXY TCP V6 9993 SSL * TO V4 9992 SSL * 10.77.0.2"


def stopped(pid):
    """Every thread of it."""
    for t in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{t}/stat", encoding="ascii") as f:
            if f.read().rpartition(")")[2].split()[0] != "T":
                return False
    return True


def nobody_signs(px):
    """Every handshake that begins in here lasts until the end of it."""
    return frozen(px.key_process())


@contextlib.contextmanager
def frozen(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: stopped(pid), f"process {pid} to stop", 60)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Shaker:
    """A client in the middle of a handshake, on a thread of its own."""

    def __init__(self, net, family=4, port=9992):
        self.raw = dial(net, family, port, timeout=90)
        self.error = None
        self.s = None
        self.thread = threading.Thread(target=self.shake, daemon=True)
        self.thread.start()

    def shake(self):
        try:
            self.s = tls(self.raw)
        except (OSError, ssl.SSLError) as e:
            self.error = e

    def pending(self):
        return self.s is None and self.error is None

    def close(self):
        (self.s or self.raw).close()

    def finished(self):
        self.thread.join(90)
        check(not self.thread.is_alive(), "a handshake without an end")
        return self.s


def hello():
    """The first words of a client."""
    out = ssl.MemoryBIO()
    s = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), out, server_hostname="vse.example")
    try:
        s.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 struct.pack("ii", 1, 0))
    s.close()


def talks(s, word, times=1):
    for _ in range(times):
        s.sendall(word)
        check_equal(exactly(s, len(word)), word, "echo")


def rows(px, *words):
    return json.loads(px.ctl("--json", "QUERY", "FLOWS", *words))


def in_handshake(px, n):
    """Waits until n clients have begun theirs."""
    try:
        wait_for(lambda: len(rows(px, "STATE", "client-tls")) >= n,
                 f"{n} connections in handshake", 60)
    except Failure as e:
        raise Failure(f"{e}: {rows(px)}") from None


# ---- handshakes ----------------------------------------------------------------

@options(seconds=180)
def test_a_storm_holds_up_nobody(net):
    """While every worker is busy and a hundred handshakes wait, clear
    connections begin and run, TLS connections run, names and the console
    answer; afterwards all hundred are served."""
    make_keys()
    Server(net, 4, 7000, echo)
    px = Proxy(net, [CLEAR, SECURE, "TIMEOUT HANDSHAKE 90S", SECURE.replace(
        "9992", "9994")])
    old = dial(net, 4, 9001)
    secure = tls(dial(net, 4, 9992))
    talks(old, b"before")
    talks(secure, b"before")
    slow = dial(net, 4, 9994)
    slow.sendall(hello()[:100])  # and no more of it
    with nobody_signs(px):
        storm = [Shaker(net, port=9994) for _ in range(100)]
        wait_for(lambda: px.counter("handshakes_waiting") > 50,
                 "handshakes that wait for a worker", 60)
        talks(old, b"x" * 1000, 200)
        talks(secure, b"y" * 1000, 200)
        for _ in range(50):
            with dial(net, 4, 9001) as s:
                talks(s, b"new")
        check_equal(sum(c.pending() for c in storm), 100,
                    "handshakes that nobody could have signed")
    for c in storm:
        check(c.finished(), f"no handshake: {c.error}")
        talks(c.s, b"served")
    check_equal(px.counter("handshakes_refused"), 0, "refused")
    # tickets or not, each was one handshake
    check_equal(px.counter("handshakes", "client"), 101, "handshakes")
    px.stop()


@options(seconds=180)
def test_limit_of_handshakes(net):
    """What comes when LIMIT HANDSHAKES wait is told so, by an alert and in the
    log; those that wait are served."""
    make_keys()
    Server(net, 4, 7000, echo)
    px = Proxy(net, ["LIMIT HANDSHAKES 4", "SUBTASK 1",
                     "TIMEOUT HANDSHAKE 90S", SECURE])
    with nobody_signs(px):
        # one with the worker, four in the queue
        some = [Shaker(net) for _ in range(12)]
        wait_for(lambda: sum(c.pending() for c in some) <= 5,
                 "the rest to be refused", 60)
        refused = [c for c in some if c.error]
        check(7 <= len(refused) <= 8, f"{len(refused)} were refused")
        for c in refused:
            check("INTERNAL_ERROR" in str(c.error),
                  f"another end: {c.error}")
        px.logged("CPLT611W", " 9992 ", "busy", "LIMIT HANDSHAKES")
    for c in some:
        check(c in refused or c.finished(), f"no handshake: {c.error}")
    check_equal(px.counter("handshakes_refused"), len(refused), "counter")
    check_equal(px.counter("ended", "busy"), len(refused), "ends")
    talks(tls(dial(net, 4, 9992)), b"again")
    for c in some:
        c.close()
    wait_for(lambda: px.counter("connections") == 0, "all to end", 60)
    # a higher limit holds without a new start
    px.reload(["LIMIT HANDSHAKES 100", "SUBTASK 1", "TIMEOUT HANDSHAKE 90S",
               SECURE])
    with nobody_signs(px):
        some = [Shaker(net) for _ in range(12)]
        wait_for(lambda: px.counter("handshakes_waiting") >= 11,
                 "all of them to wait", 60)
    for c in some:
        check(c.finished(), f"no handshake: {c.error}")
    px.stop()


@options(seconds=240)
def test_ends_in_mid_handshake(net):
    """Connections that die while a worker has them: by the client, the
    operator, a time-out. The worker's come back to nobody, and nothing of
    them is left."""
    make_keys()
    Server(net, 4, 7000, echo)
    def deck(time):
        return [CLEAR, "TIMEOUT HANDSHAKE 90S", SECURE,
                f"TIMEOUT HANDSHAKE {time}", BOTH]

    px = Proxy(net, deck("1S"))
    talks(tls(dial(net, 4, 9992)), b"warm")
    wait_for(lambda: px.counter("connections") == 0, "the first to end", 60)
    before = descriptors(real_pid(px))
    with nobody_signs(px):
        gone = [dial(net, 4, 9992) for _ in range(20)]
        for s in gone:
            s.sendall(hello())
        in_handshake(px, 20)
        for row in rows(px, "PORT", "9992")[:3]:
            px.ctl("RESET", "FLOW", str(row["id"]))
        for s in gone:
            reset(s)
        # time-outs come although no worker answers
        late = [Shaker(net, 6, 9993) for _ in range(20)]
        wait_for(lambda: px.counter("ended", "client-tls") == 20,
                 "time-outs of handshakes", 60)
        with dial(net, 4, 9001) as s:
            talks(s, b"clear")
    for c in late:
        check(not c.finished(), "a handshake that had timed out")
    px.logged("CPLT611W", " 9993 ", "client-tls", "time-out in the handshake")
    px.logged("CPLT611W", " 9992 ", "operator", "RESET")
    wait_for(lambda: px.counter("connections") == 0, "all to end", 60)
    wait_for(lambda: descriptors(real_pid(px)) <= before + 4,
             "descriptors of dead handshakes to be closed", 60)
    px.reload(deck("90S"))
    talks(tls(dial(net, 4, 9992)), b"after")
    talks(tls(dial(net, 6, 9993)), b"both sides")
    px.stop()


@options(seconds=120)
def test_an_end_inside_a_record(net):
    """A client that goes when a part of a record has come, handshake or not,
    is gone: no time-out is waited for."""
    make_keys()
    Server(net, 4, 7000, echo)
    px = Proxy(net, ["TIMEOUT HANDSHAKE 600S", SECURE])
    pieces = (1, 4, 5, 40)
    some = [dial(net, 4, 9992) for _ in pieces]
    open_ones = [tls(dial(net, 4, 9992)) for _ in pieces]
    for s in open_ones:
        talks(s, b"x")
    # piece and end are seen at once
    with frozen(real_pid(px)):
        for n, s in zip(pieces, some):
            s.sendall(hello()[:n])
            s.close()
        for n, s in zip(pieces, open_ones):
            raw = socket.socket(fileno=s.detach())
            raw.sendall((b"\x17\x03\x03\x00\xff" + bytes(50))[:n])
            raw.close()
    wait_for(lambda: px.counter("connections") == 0, "their ends", 60)
    check_equal((px.counter("ended", "client-tls"),
                 px.counter("ended", "client-reset")), (4, 4), "ends")
    px.stop()


@options(seconds=180)
def test_reload_and_drain_in_mid_handshake(net):
    """Handshakes that have begun end under the deck they began with, whether
    the PROXY has gone meanwhile or the daemon drains."""
    make_keys()
    Server(net, 4, 7000, echo)
    px = Proxy(net, ["TIMEOUT HANDSHAKE 90S", SECURE])
    with nobody_signs(px):
        a = Shaker(net)
        in_handshake(px, 1)
        # no key file is read again: only a clear PROXY is left
        px.reload([CLEAR])
        talks(dial(net, 4, 9001), b"the new deck")
    check(a.finished(), f"no handshake: {a.error}")
    talks(a.s, b"of a PROXY that is gone")
    a.s.close()
    px.reload(["TIMEOUT HANDSHAKE 90S", SECURE])
    with nobody_signs(px):
        b = Shaker(net)
        in_handshake(px, 1)
        px.ctl("DRAIN")
    check(b.finished(), f"no handshake: {b.error}")
    talks(b.s, b"of a proxyd that drains")
    check(px.proc.alive(), "proxyd ended before its connections")
    b.close()
    check_equal(px.proc.wait(60), 0, "exit status")


# ---- names ------------------------------------------------------------------

@options(seconds=180)
def test_names_while_the_deck_changes(net):
    """Decks come and go while the thread that asks for names is busy with
    those of an older one: its answers are for nobody, connections go on."""
    Server(net, 4, 7000, echo)

    def deck(n):
        names = " ".join(f"n{n}-{i}.test.invalid" for i in range(40))
        return [CLEAR, f"PROXY TCP V4 9005 TXT * TO V4 7000 TXT * {names}"]

    px = Proxy(net, deck(0), ring=False)
    old = dial(net, 4, 9001)
    for n in range(1, 21):
        px.reload(deck(n), ring=False)
        talks(old, b"old")
        with dial(net, 4, 9001) as s:
            talks(s, b"new")
    # and the last deck's are asked for to the end
    px.logged("CPLT612W", "n20-39.test.invalid")
    px.stop()


# ---- the end ------------------------------------------------------------------------

class Notify:
    """What systemd is told."""

    def __init__(self):
        self.path = WORK + "/systemd"
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind(self.path)
        os.chmod(self.path, 0o777)
        self.s.settimeout(60)
        self.env = {"NOTIFY_SOCKET": self.path}

    def expect(self, word):
        """The message that has a line which begins with the word."""
        while True:
            m = self.s.recv(4096).decode()
            if any(line.startswith(word) for line in m.split("\n")):
                return m


def refused(net, port):
    try:
        dial(net, 4, port)
    except ConnectionRefusedError:
        return
    raise Failure("a draining proxy takes connections")


@options(seconds=180)
def test_sigterm_waits(net):
    """SIGTERM, as systemctl stop sends it: nobody new, those who are there
    finish in peace, systemd knows how long it may take."""
    make_keys()
    Server(net, 4, 7000, echo)
    n = Notify()
    px = Proxy(net, ["DRAIN 300S 120S", CLEAR, SECURE], env=n.env)
    n.expect("READY=1")
    clear, secure = dial(net, 4, 9001), tls(dial(net, 4, 9992))
    talks(clear, b"a")
    talks(secure, b"a")
    px.proc.kill(signal.SIGHUP)
    n.expect("RELOADING=1")
    n.expect("READY=1")
    talks(clear, b"after a reload")
    px.proc.kill(signal.SIGTERM)
    m = n.expect("STOPPING=1")
    check("EXTEND_TIMEOUT_USEC=135000000" in m, m)
    px.logged("CPLT604I", "2 connections", "120S")
    refused(net, 9001)
    # a deck that is read now would listen again
    px.proc.kill(signal.SIGHUP)
    px.logged("CPLT001E", "drains")
    refused(net, 9001)
    talks(clear, b"b" * 1000, 50)
    talks(secure, b"b" * 1000, 50)
    clear.shutdown(socket.SHUT_WR)
    check_equal(clear.recv(1), b"", "an orderly end")
    check(px.proc.alive(), "it did not wait for the second")
    secure.close()
    check_equal(px.proc.wait(60), 0, "exit status")
    px.logged("CPLT003I", "drained")


@options(seconds=180)
def test_sigterm_twice_or_too_long(net):
    """The second SIGTERM, or the end of the time, resets what is left; without
    connections nothing is waited for."""
    make_keys()
    Server(net, 4, 7000, echo)
    for drain, again in (("300S 120S", True), ("300S 1S", False),
                         ("300S 0S", False)):
        px = Proxy(net, [f"DRAIN {drain}", CLEAR])
        s = dial(net, 4, 9001)
        talks(s, b"a")
        px.proc.kill(signal.SIGTERM)
        if drain != "300S 0S":
            px.logged("CPLT604I", "1 connections")
        if again:
            talks(s, b"b")
            px.proc.kill(signal.SIGTERM)
        check_equal(px.proc.wait(60), 0, "exit status")
        try:
            check_equal(s.recv(1), None, f"a reset ({drain})")
        except ConnectionResetError:
            pass
        px.logged("CPLT611W", "operator")
    px = Proxy(net, [CLEAR])
    px.proc.kill(signal.SIGTERM)
    check_equal(px.proc.wait(60), 0, "exit status")
    check("CPLT604I" not in px.proc.text(), "it drained without connections")


if __name__ == "__main__":
    main(globals())
