#!/usr/bin/python3
"""tlsd and proxyd, and their key files, as an administrator meets them: what
they say about each mistake, and that they start when there is none. No stack
runs: tlsd waits for one. Arguments: tlsd, proxyd, couplet-keys, and perhaps
the name of one test."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TLSD, PROXYD, KEYS = sys.argv[1:4]
DEADLINE = 60  # seconds for anything that should take a moment


class KeyFiles(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="couplet-")
        self.addCleanup(self.tmp.cleanup)
        self.dir = self.tmp.name
        # the daemon gives up root and must still reach its directory
        os.chmod(self.dir, 0o777)
        os.mkdir(self.dir + "/ring")
        self.write("pass", "open sesame\n")
        self.keys("ca", "--cn", "Test CA", "-o", self.dir + "/ca.pem")
        self.keys("server", "--ca", self.dir + "/ca.pem", "--san", "a.example",
                  "--out-pass-file", self.dir + "/pass",
                  "-o", self.dir + "/ring/SSL01.PEM")

    def write(self, name, text, mode=0o600):
        path = f"{self.dir}/{name}"
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def keys(self, *words):
        subprocess.run([KEYS, *words], check=True, timeout=DEADLINE)

    def start(self, lines):
        """What tlsd says with these lines and one rule, see run()."""
        return self.run_daemon(TLSD, f"ID 73\nKEYRING {self.dir}/ring\n"
                               f"{lines}ATTLS 80 AS 443 SSL\n")

    def run_daemon(self, program, lines, **user):
        """What it says until it is ready or has ended; its exit status, or
        None if it got ready."""
        deck, log = self.write("deck", lines, 0o644), self.dir + "/log"
        with open(log, "w", encoding="ascii") as f:
            p = subprocess.Popen([program, "-f", deck, "--run",
                                  self.dir + "/run"], stdout=f, stderr=f,
                                 **user)
        try:
            end = time.monotonic() + DEADLINE
            while p.poll() is None and time.monotonic() < end:
                if "CPLT002I" in self.read(log):
                    p.send_signal(signal.SIGTERM)
                    self.assertEqual(p.wait(DEADLINE), 0, self.read(log))
                    return self.read(log), None
                time.sleep(0.01)
            return self.read(log), p.poll()
        finally:
            if p.poll() is None:
                p.kill()
            p.wait()

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as f:
            return f.read()

    def refused(self, lines, *parts):
        log, status = self.start(lines)
        self.assertEqual(status, 1, log)
        for part in ("CPLT506E rule 1",) + parts:
            self.assertIn(part, log)
        self.assertNotIn("sesame", log)

    def test_protected_key(self):
        log, status = self.start(f"KEYFILE SSL01\nPASSFILE {self.dir}/pass\n")
        self.assertIsNone(status, log)
        self.assertNotIn("sesame", log)

    def test_protected_key_by_path(self):
        os.rename(self.dir + "/ring/SSL01.PEM", self.dir + "/other.pem")
        log, status = self.start(f"KEYFILE {self.dir}/other.pem\n"
                                 f"PASSFILE {self.dir}/pass\n")
        self.assertIsNone(status, log)

    def test_pkcs12(self):
        self.keys("convert", "--to", "p12", "--pass-file", self.dir + "/pass",
                  "--out-pass-file", self.dir + "/pass",
                  "-o", self.dir + "/ring/TWO.P12",
                  self.dir + "/ring/SSL01.PEM")
        log, status = self.start(f"KEYFILE TWO\nPASSFILE {self.dir}/pass\n")
        self.assertIsNone(status, log)

    def test_no_pass_phrase(self):
        self.refused("KEYFILE SSL01\n", "SSL01.PEM", "is protected",
                     "PASSFILE")

    def test_wrong_pass_phrase(self):
        wrong = self.write("wrong", "sesame, close\n")
        self.refused(f"KEYFILE SSL01\nPASSFILE {wrong}\n", "SSL01.PEM",
                     "does not fit")

    def test_pass_phrase_for_everybody(self):
        wide = self.write("wide", "open sesame\n", 0o644)
        self.refused(f"KEYFILE SSL01\nPASSFILE {wide}\n", wide, "chmod 600")

    def test_no_pass_file(self):
        self.refused(f"KEYFILE SSL01\nPASSFILE {self.dir}/none\n",
                     self.dir + "/none", "No such file")

    def test_no_key_file(self):
        self.refused("KEYFILE NONE\n", "NONE", self.dir + "/ring",
                     "No such file")
        self.refused("KEYFILE /nonexistent/key.pem\n",
                     "/nonexistent/key.pem: No such file")

    def test_proxyd_of_an_ordinary_user(self):
        user = {"user": 65534, "group": 65534, "extra_groups": []} \
            if os.geteuid() == 0 else {}
        deck = "ID *\nNAME T73\nPROXY TCP V4 {} TXT * TO V4 1 TXT * " \
               "127.0.0.1\n"
        log, status = self.run_daemon(PROXYD, deck.format(free_port()), **user)
        self.assertIsNone(status, log)
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start",
                  encoding="ascii") as f:
            first = int(f.read())
        if first > 7:       # not so in some containers
            log, _ = self.run_daemon(PROXYD, deck.format(7), **user)
            self.assertIn("Permission denied", log)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[4:]])
