#!/usr/bin/python3
"""stackd and stackctl as an operator meets them: two stacks joined by a
socket, so no privilege is needed. Arguments: stackd, stackctl, and perhaps
the name of one test. Everything lives in a temporary directory and ends with
the test."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

STACKD, STACKCTL = sys.argv[1], sys.argv[2]
DEADLINE = 20  # seconds for anything that should take a moment

DECK = """* {role}
ID {id}
INTERVAL 1
DEVICE OSA0 OSAX E00 PAIR E02
ADAPTER OSA0 MEDIUM SEQPACKET {dir}/pair.sock {listen}
LINK  OSA0 0 203.0.113.{own} 255.255.255.0 9000
LINK  OSA0 0 2001:db8:70::{own} /64 9000
ROUTE OSA0 203.0.113.0 255.255.255.0 0.0.0.0 0
ROUTE OSA0 2001:db8:70:: /64 ::0 0
HOST SELF 203.0.113.{own}
HOST PEER 203.0.113.{other}
{more}ATTACH TCP/IP
"""


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.01)


class Stack:
    """One stackd with its deck in `directory`."""

    def __init__(self, directory, ident, own, other, listen, more=""):
        self.dir, self.ident = directory, ident
        self.deck = f"{directory}/{ident}.deck"
        self.values = dict(dir=directory, id=ident, own=own, other=other,
                           listen="LISTEN" if listen else "", role="test")
        self.log_path = f"{directory}/{ident}.log"
        self.write_deck(more)
        self.process = None

    def write_deck(self, more="", **values):
        with open(self.deck, "w", encoding="ascii") as f:
            f.write(DECK.format(more=more, **{**self.values, **values}))

    def start(self):
        # closed when the process has it
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [STACKD, "-d", "-f", self.deck, "--run", self.dir + "/run"],
                stdout=log, stderr=log)
        wait_for("ready", lambda: "CPLT002I" in self.log() or
                 self.process.poll() is not None)
        if self.process.poll() is not None:
            raise AssertionError(self.log())
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def ctl(self, *words, options=()):
        return subprocess.run(
            [STACKCTL, "-i", self.ident, "--run", self.dir + "/run",
             *options, *words], capture_output=True, text=True, check=False,
            timeout=DEADLINE)

    def ask(self, *words):
        """The answer in JSON."""
        done = self.ctl(*words, options=("--json",))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def end(self, signo=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signo)
            self.process.wait(DEADLINE)
        return self.process.returncode if self.process else None


class Fixture(unittest.TestCase):
    more_a = ""

    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="couplet-")
        self.addCleanup(self.tmp.cleanup)
        # the daemon gives up root and must still reach its directory
        os.chmod(self.tmp.name, 0o777)
        more = self.more_a.format(dir=self.tmp.name)
        self.a = Stack(self.tmp.name, "71", 1, 2, True, more)
        self.b = Stack(self.tmp.name, "72", 2, 1, False)
        for s in (self.a, self.b):
            self.addCleanup(s.end, signal.SIGKILL)
        self.a.start()

    def end_cleanly(self, *stacks):
        for s in stacks:
            self.assertEqual(s.end(), 0, s.log())
            log = s.log()
            self.assertIn("BSTT001I TERMINATED stackd", log)
            self.assertNotIn("ERROR: ", log)        # sanitizers
            self.assertNotIn("runtime error", log)
            self.assertNotIn("system call stopped", log)


class Pair(Fixture):
    def test_ping_both_families(self):
        self.b.start()
        for target in ("PEER", "203.0.113.2", "2001:db8:70::2", "SELF"):
            done = self.a.ctl("ping", target, "count", "3", "interval", "20")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("3 packets transmitted, 3 received, 0% packet loss",
                          done.stdout)
            self.assertEqual(done.stdout.count("icmp_seq="), 3)
        done = self.a.ctl("ping", "PEER", "count", "2", "size", "20000",
                          "interval", "20", options=("--json",))
        lines = [json.loads(x) for x in done.stdout.splitlines()]
        self.assertEqual([x["event"] for x in lines],
                         ["reply", "reply", "summary"])
        self.assertEqual(lines[0]["bytes"], 20008)
        self.end_cleanly(self.a, self.b)

    def test_ping_without_answer(self):
        done = self.a.ctl("ping", "203.0.113.77", "count", "2", "interval",
                          "20", "wait", "50")
        self.assertEqual(done.returncode, 1)
        self.assertIn("2 packets transmitted, 0 received", done.stdout)
        done = self.a.ctl("ping", "nosuchhost")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nosuchhost: unknown host", done.stderr)

    def test_interrupted_ping_tells_its_figures(self):
        self.b.start()
        with subprocess.Popen(
                [STACKCTL, "-i", "71", "--run", self.tmp.name + "/run",
                 "ping", "PEER", "count", "0", "interval", "20"],
                stdout=subprocess.PIPE, text=True) as ping:
            for _ in range(4):
                ping.stdout.readline()
            ping.send_signal(signal.SIGINT)
            rest = ping.stdout.read()
        self.assertIn("0% packet loss", rest)
        self.assertEqual(ping.returncode, 0)

    def test_connect_tells_the_cases_apart(self):
        self.b.start()
        done = self.a.ctl("connect", "PEER", "7")
        self.assertEqual(done.returncode, 1)
        self.assertIn("connection refused", done.stdout)
        self.assertIn("RC=4", done.stdout)
        done = self.a.ctl("connect", "192.0.2.1", "7")
        self.assertIn("no route to host", done.stdout)
        done = self.a.ctl("connect", "203.0.113.77", "7", "wait", "100")
        self.assertIn("no answer", done.stdout)
        self.a.ctl("out", "tcp", "deny", "port", "9")
        done = self.a.ctl("connect", "PEER", "9", "wait", "100",
                          options=("--json",))
        self.assertIn(json.loads(done.stdout)["result"],
                      ("denied", "timeout"))
        self.assertEqual(self.a.ask("query", "rules")[0]["direction"], "OUT")
        self.end_cleanly(self.a, self.b)

    def test_displays_agree_in_both_forms(self):
        self.b.start()
        self.a.ctl("ping", "PEER", "count", "1")
        links = self.a.ask("query", "links")
        self.assertEqual([x["name"] for x in links], ["LOOPBACK", "OSA0"])
        self.assertEqual(links[1]["mtu"], 9000)
        self.assertGreaterEqual(links[1]["tx_packets"], 1)
        self.assertIn("OSA0", self.a.ctl("q", "links").stdout)
        self.assertEqual(
            {x["address"] for x in self.a.ask("query", "addresses")
             if x["origin"] == "deck"}, {"203.0.113.1", "2001:db8:70::1"})
        self.assertEqual(self.a.ask("query", "osa")[0]["medium"], "SEQPACKET")
        self.assertEqual(self.a.ask("query", "id")["id"], "71")
        self.assertEqual(self.a.ask("query", "hosts")[1],
                         {"name": "PEER", "address": "203.0.113.2"})
        counters = {(x["group"], x["counter"], x["detail"]): x["value"]
                    for x in self.a.ask("query", "counters")}
        self.assertGreaterEqual(counters["osa", "tx_frames", "OSA0"], 1)
        self.assertGreater(
            len(self.a.ask("query", "counters", "all")), len(counters))
        self.assertGreater(self.a.ask("query", "memory")["resident_bytes"], 0)
        for word in ("routes", "neighbours", "sockets", "ports", "dns",
                     "rules"):
            self.assertIsInstance(self.a.ask("query", word), list)
        deck = self.a.ctl("query", "deck").stdout
        with open(self.tmp.name + "/again.deck", "w", encoding="ascii") as f:
            f.write(deck)
        done = subprocess.run([STACKD, "-nv", "-f", f.name],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout, deck)
        self.assertEqual([x["record"] for x in self.a.ask("query", "deck")],
                         deck.splitlines())

    def test_changes_at_run_time(self):
        for line, word, key, value in (
                ("host NEW 192.0.2.9", "hosts", "name", "NEW"),
                ("dns 192.0.2.53 pri", "dns", "server", "192.0.2.53"),
                ("in tcp deny port 23", "rules", "ports", "23"),
                ("route OSA0 198.51.100.0 255.255.255.0 203.0.113.9 1",
                 "routes", "gateway", "203.0.113.9")):
            done = self.a.ctl(*line.split())
            self.assertEqual((done.returncode, done.stderr), (0, ""), line)
            self.assertIn(value, [x[key] for x in self.a.ask("query", word)])
        for line in ("delete host NEW", "delete dns 192.0.2.53",
                     "delete rules", "delete route OSA0 198.51.100.0 "
                     "255.255.255.0 203.0.113.9 1"):
            done = self.a.ctl(*line.split())
            self.assertEqual((done.returncode, done.stderr), (0, ""), line)
        self.assertEqual(self.a.ask("query", "rules"), [])
        self.assertNotIn("203.0.113.9", self.a.ctl("q", "routes").stdout)
        for line, complaint in (("in tcp maybe", "expected ALLOW or DENY"),
                                ("delete host NEW", "not there"),
                                ("tcp foo 1", "expected RTO_INITIAL"),
                                ("port 99999 suspend", "1..65535"),
                                ("port 80 hold", "SUSPEND or RESUME"),
                                ("reset socket 5", "no TCP connection"),
                                ("bogus", "expected QUERY")):
            done = self.a.ctl(*line.split())
            self.assertIn(done.returncode, (1, 2))
            self.assertIn(complaint, done.stderr, line)
        self.a.ctl("port", "80", "suspend")
        self.assertEqual(self.a.ask("query", "ports")[0]["state"],
                         "SUSPENDED")
        self.assertEqual(
            self.a.ctl("MSG", "STACK71,D=PORT", "80", "RESUME").stdout,
            "port 80 resumed\n")
        done = self.a.ctl("host", "A" * 5000, "192.0.2.1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("the line is too long", done.stderr)
        self.assertEqual(self.a.ask("query", "ports"), [])
        self.assertIn("CPLT050I", self.a.log())
        self.end_cleanly(self.a)

    def test_trace_is_a_pcapng_file(self):
        self.b.start()
        path = self.tmp.name + "/t.pcapng"
        done = self.a.ctl("trace", "start", path, "proto", "icmp")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("a trace is running",
                      self.a.ctl("trace", "start", path).stderr)
        self.a.ctl("ping", "PEER", "count", "2", "interval", "20")
        self.assertEqual(self.a.ask("trace", "status")["packets"], 4)
        done = self.a.ctl("trace", "stop")
        self.assertIn("4 packets, 0 dropped", done.stdout)
        with open(path, "rb") as f:
            self.assertEqual(f.read(4), b"\n\r\r\n")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        done = self.a.ctl("trace", "start", "/dev/null")
        self.assertIn("regular file", done.stderr)
        done = self.a.ctl("trace", "start", self.tmp.name + "/no/where")
        self.assertIn("No such file", done.stderr)
        self.end_cleanly(self.a, self.b)

    def test_trace_ends_at_its_limit(self):
        self.b.start()
        path = self.tmp.name + "/t.pcapng"
        self.a.ctl("trace", "start", path, "limit", "4K")
        self.a.ctl("ping", "PEER", "count", "20", "size", "1000", "interval",
                   "10")
        wait_for("the end of the trace", lambda: "CPLT401E" in self.a.log())
        self.assertLessEqual(os.stat(path).st_size, 4096)
        self.assertFalse(self.a.ask("trace", "status")["running"])
        self.assertEqual(self.a.ctl("ping", "PEER", "count", "1").returncode,
                         0)

    def test_second_stack_with_the_id_is_refused(self):
        done = subprocess.run(
            [STACKD, "-f", self.a.deck, "--run", self.tmp.name + "/run"],
            capture_output=True, text=True, check=False, timeout=DEADLINE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("CPLT007E ID 71 is in use by process "
                      f"{self.a.process.pid}", done.stderr)
        self.assertEqual(self.a.ask("query", "id")["id"], "71")

    def test_killed_stack_starts_again(self):
        self.a.end(signal.SIGKILL)
        done = self.a.ctl("query", "id")
        self.assertEqual(done.returncode, 3)
        self.assertIn("is not running", done.stderr)
        self.a.start()
        self.assertEqual(self.a.ask("query", "id")["id"], "71")
        self.end_cleanly(self.a)
        self.assertFalse(os.path.exists(self.tmp.name + "/run/71"))

    def test_shutdown_ends_it(self):
        done = self.a.ctl("shutdown")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "stack 71 ends\n"))
        self.assertEqual(self.a.process.wait(DEADLINE), 0)
        self.assertIn("CPLT003I stackd ends: SHUTDOWN", self.a.log())

    def test_hangup_takes_over_what_may_change(self):
        self.a.write_deck("HOST LATER 192.0.2.1\nIN UDP DENY PORT 9\n")
        self.a.process.send_signal(signal.SIGHUP)
        wait_for("the new deck", lambda: "CPLT009I" in self.a.log())
        self.assertIn("LATER", self.a.ctl("q", "hosts").stdout)
        self.assertEqual(self.a.ask("query", "rules")[0]["protocol"], "UDP")
        self.a.write_deck("HOST WRONG nowhere\n")
        self.a.process.send_signal(signal.SIGHUP)
        wait_for("the complaint", lambda: "CPLT013E" in self.a.log())
        self.assertIn("LATER", self.a.ctl("q", "hosts").stdout)
        self.a.write_deck(own=3)
        self.a.process.send_signal(signal.SIGHUP)
        wait_for("the refusal", lambda: "CPLT103E" in self.a.log())
        self.assertIn("203.0.113.1", self.a.ctl("q", "addresses").stdout)
        self.end_cleanly(self.a)

    def test_commands_from_a_pipe(self):
        done = subprocess.run(
            [STACKCTL, "--run", self.tmp.name + "/run"],
            input="* comment\n\nquery id\nbogus\nquery dns\n",
            capture_output=True, text=True, check=False, timeout=DEADLINE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("ID         71", done.stdout)
        self.assertIn("SERVER", done.stdout)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_several_stacks_need_a_choice(self):
        self.b.start()
        done = subprocess.run(
            [STACKCTL, "--run", self.tmp.name + "/run", "query", "id"],
            capture_output=True, text=True, check=False, timeout=DEADLINE)
        self.assertEqual(done.returncode, 3)
        self.assertIn("choose by -i", done.stderr)
        self.assertIn("71", done.stderr)
        self.assertIn("72", done.stderr)


class Metrics(Fixture):
    more_a = "METRICS {dir}/metrics.sock\n"

    def talk(self, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(DEADLINE)
            s.connect(self.tmp.name + "/metrics.sock")
            s.sendall(request)
            text = b""
            while part := s.recv(65536):
                text += part
        return text.decode()

    def test_export(self):
        plain = self.talk(b"")
        self.assertTrue(plain.startswith(
            "# HELP couplet_stack_info this stack\n"
            "# TYPE couplet_stack_info gauge\n"))
        self.assertIn('couplet_osa_tx_frames_total{id="71",device="OSA0"} ',
                      plain)
        for line in plain.splitlines():
            if not line.startswith("#"):
                float(line.rsplit(" ", 1)[1])
        http = self.talk(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = http.partition("\r\n\r\n")
        self.assertTrue(head.startswith("HTTP/1.0 200 OK\r\n"))
        self.assertIn("text/plain; version=0.0.4", head)
        self.assertIn("couplet_tcp_segs_in_total", body)
        self.assertIn("405", self.talk(b"POST / HTTP/1.1\r\n\r\n"))
        families = [x.split()[2] for x in plain.splitlines()
                    if x.startswith("# TYPE")]
        self.assertEqual(len(families), len(set(families)))
        helps = [x.split()[2] for x in plain.splitlines()
                 if x.startswith("# HELP") and len(x.split()) > 3]
        self.assertEqual(families, helps)
        self.end_cleanly(self.a)
        self.assertFalse(os.path.exists(self.tmp.name + "/metrics.sock"))


class Start(unittest.TestCase):
    """Starts that fail leave nothing behind and name the cause."""

    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="couplet-")
        self.addCleanup(self.tmp.cleanup)
        os.chmod(self.tmp.name, 0o777)

    def run_deck(self, deck, *options):
        path = self.tmp.name + "/x.deck"
        with open(path, "w", encoding="ascii") as f:
            f.write(deck)
        return subprocess.run(
            [STACKD, "-f", path, "--run", self.tmp.name + "/run", *options],
            capture_output=True, text=True, check=False, timeout=DEADLINE)

    def check_nothing_left(self):
        run = self.tmp.name + "/run"
        left = os.listdir(run) if os.path.isdir(run) else []
        for name in left:
            self.assertEqual(os.listdir(f"{run}/{name}"), [])

    def test_all_errors_of_a_deck(self):
        done = self.run_deck("ID 7\nDEVICE\nFOO\nATTACH TCP/IP\n")
        self.assertEqual(done.returncode, 1)
        self.assertGreaterEqual(done.stderr.count("CPLT012E"), 3)
        self.assertIn("x.deck:3:1", done.stderr)
        self.check_nothing_left()

    def test_missing_deck(self):
        done = subprocess.run([STACKD, "-n", "-f", "/nonexistent/x"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/x", done.stderr)
        self.assertIn("No such file", done.stderr)

    def test_device_that_cannot_be_opened(self):
        # the second device fails: the first must be closed again
        deck = DECK.format(dir=self.tmp.name, id="73", own=1, other=2,
                           listen="LISTEN", role="x", more="""\
DEVICE OSA1 OSAX F00 GONE F02
ADAPTER OSA1 MEDIUM FD 63
LINK OSA1 0 192.0.2.1 255.255.255.0 1500
""")
        done = self.run_deck(deck)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("CPLT101E DEVICE OSA1: ", done.stderr)
        self.assertFalse(os.path.exists(self.tmp.name + "/pair.sock"))
        self.check_nothing_left()

    def test_run_directory_that_cannot_be_made(self):
        path = self.tmp.name + "/file"
        with open(path, "w", encoding="ascii"):
            pass
        deck = DECK.format(dir=self.tmp.name, id="73", own=1, other=2,
                           listen="LISTEN", role="x", more="")
        done = self.run_deck(deck, "--run", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Not a directory", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
