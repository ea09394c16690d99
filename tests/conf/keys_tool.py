#!/usr/bin/python3
"""couplet-keys as an operator uses it; what it makes is read by openssl and
certtool, and what they make is read by it.

    keys_tool.py COUPLET_KEYS [CASE]
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.realpath(sys.argv[1])


def run(*argv, status=0):
    r = subprocess.run(argv, text=True, capture_output=True, check=False,
                       timeout=60)
    if status is not None and r.returncode != status:
        raise AssertionError(f"{argv}: exit {r.returncode}, not {status}:\n"
                             f"{r.stdout}{r.stderr}")
    return r


def keys(*argv, status=0):
    return run(TOOL, *argv, status=status)


class Tool(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.chdir(self.folder.name)
        keys("ca", "--cn", "Shop CA", "--org", "Shop", "-o", "CA.PEM")

    def tearDown(self):
        os.chdir("/")

    def server(self, *more, out="SSL01.PEM"):
        keys("server", "--ca", "CA.PEM", "--san", "www.shop.test", "--san",
             "192.0.2.1", "--san", "2001:db8::1", "-o", out, *more)

    def secret(self, name="pass", text="secret\n"):
        with open(name, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(name, 0o600)
        return name

    def test_others_accept_what_it_makes(self):
        self.server()
        keys("client", "--ca", "CA.PEM", "--cn", "OPER1", "--san",
             "joe@shop.test", "--key", "RSA-2048", "-o", "CL.PEM")
        for purpose, name in (("sslserver", "SSL01.PEM"),
                              ("sslclient", "CL.PEM")):
            run("openssl", "verify", "-x509_strict", "-purpose", purpose,
                "-CAfile", "CA.PEM", name)
            run("certtool", "--verify", "--load-ca-certificate", "CA.PEM",
                "--infile", name)
        for host in ("www.shop.test", "192.0.2.1", "2001:db8::1"):
            word = "-verify_hostname" if "shop" in host else "-verify_ip"
            run("openssl", "verify", word, host, "-CAfile", "CA.PEM",
                "SSL01.PEM")
        self.assertEqual(os.stat("SSL01.PEM").st_mode & 0o777, 0o600)
        # the order of IPv6/VSE: key, certificate, root
        with open("SSL01.PEM", encoding="ascii") as f:
            words = [x.strip("-\n") for x in f if x.startswith("-----BEGIN")]
        self.assertEqual(words, ["BEGIN PRIVATE KEY", "BEGIN CERTIFICATE",
                                 "BEGIN CERTIFICATE"])

    def test_check_says_what_is_in_it(self):
        self.server()
        text = keys("check", "SSL01.PEM").stdout
        for word in ("SSL01.PEM: PEM", "EC, 256 bits", "CN=www.shop.test",
                     "2001:db8::1", "CA           O=Shop, CN=Shop CA"):
            self.assertIn(word, text)
        self.assertEqual(text.count("SSL01.PEM"), 1)
        both = json.loads(keys("check", "--json", "SSL01.PEM",
                               "CA.PEM").stdout)["files"]
        self.assertEqual([f["file"] for f in both], ["SSL01.PEM", "CA.PEM"])
        holds = both[0]["holds"]
        self.assertEqual(holds["key"], "EC")
        self.assertEqual(holds["chain"][0]["names"],
                         ["www.shop.test", "192.0.2.1", "2001:db8::1"])
        self.assertTrue(holds["complete"])
        self.assertTrue(both[1]["holds"]["chain"][0]["ca"])

    def test_check_says_what_is_wrong(self):
        with open("BAD.PEM", "w", encoding="ascii") as f:
            f.write("hello\n")
        r = keys("check", "BAD.PEM", "NONE.PEM", "CA.PEM", status=1)
        self.assertIn("BAD.PEM: neither PEM", r.stderr)
        self.assertIn("NONE.PEM: No such file", r.stderr)
        self.assertIn("CA.PEM: PEM", r.stdout)
        files = json.loads(keys("check", "--json", "BAD.PEM",
                                status=1).stdout)["files"]
        self.assertIn("neither PEM", files[0]["error"])

    def test_both_ways_between_pem_and_pkcs12(self):
        self.server()
        self.assertIn("--out-pass-file", keys(
            "convert", "--to", "p12", "-o", "A.P12", "SSL01.PEM",
            status=1).stderr)
        keys("convert", "--to", "p12", "--out-pass-file", self.secret(),
             "-o", "A.P12", "SSL01.PEM")
        run("openssl", "pkcs12", "-in", "A.P12", "-passin", "pass:secret",
            "-noout")
        keys("check", "--pass-file", "pass", "A.P12")
        self.assertIn("does not fit", keys(
            "check", "--pass-file", self.secret("other", "x"), "A.P12",
            status=1).stderr)
        keys("convert", "--to", "pem", "--pass-file", "pass", "-o", "B.PEM",
             "A.P12")
        run("openssl", "verify", "-CAfile", "CA.PEM", "B.PEM")
        with open("B.PEM", encoding="ascii") as b, \
                open("SSL01.PEM", encoding="ascii") as a:
            self.assertEqual(a.read(), b.read())

    def test_old_and_foreign_files(self):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
            "-keyout", "k", "-out", "c", "-subj", "/CN=old", "-days", "9")
        run("openssl", "pkcs12", "-export", "-legacy", "-inkey", "k", "-in",
            "c", "-passout", "pass:secret", "-out", "OLD.P12")
        text = keys("check", "--pass-file", self.secret(), "OLD.P12").stdout
        self.assertIn("RSA, 2048 bits", text)
        run("openssl", "rsa", "-traditional", "-aes128", "-in", "k",
            "-passout", "pass:secret", "-out", "k2")
        with open("SEALED.PEM", "w", encoding="ascii") as out:
            for name in ("c", "k2"):
                with open(name, encoding="ascii") as f:
                    out.write(f.read())
        keys("check", "--pass-file", "pass", "SEALED.PEM")

    def test_a_pass_phrase_seals_what_is_made(self):
        self.server("--out-pass-file", self.secret())
        with open("SSL01.PEM", encoding="ascii") as f:
            self.assertIn("ENCRYPTED PRIVATE KEY", f.read())
        run("openssl", "pkey", "-in", "SSL01.PEM", "-passin", "pass:secret",
            "-noout")
        os.chmod("pass", 0o644)
        self.assertIn("chmod 600", keys("check", "--pass-file", "pass",
                                        "SSL01.PEM", status=1).stderr)

    def test_the_key_of_the_ca_is_taken_out(self):
        self.server()
        with open("BOTH.PEM", "w", encoding="ascii") as out:
            for name in ("CA.PEM", "SSL01.PEM"):
                with open(name, encoding="ascii") as f:
                    out.write(f.read())
        self.assertIn("take it out", keys("check", "BOTH.PEM").stderr)
        keys("strip", "BOTH.PEM")
        r = keys("check", "BOTH.PEM")
        self.assertEqual(r.stderr, "")
        self.assertIn("CN=www.shop.test", r.stdout)
        run("openssl", "verify", "-CAfile", "CA.PEM", "BOTH.PEM")
        # of a CA's own file the certificate stays
        keys("strip", "-o", "ROOT.PEM", "CA.PEM")
        with open("ROOT.PEM", encoding="ascii") as f:
            self.assertNotIn("PRIVATE", f.read())

    def test_a_sealed_file_is_stripped_and_stays_sealed(self):
        self.server("--out-pass-file", self.secret())
        keys("strip", "--pass-file", "pass", "SSL01.PEM")
        with open("SSL01.PEM", encoding="ascii") as f:
            self.assertIn("ENCRYPTED PRIVATE KEY", f.read())

    def test_a_certificate_is_revoked(self):
        keys("client", "--ca", "CA.PEM", "--cn", "OPER1", "-o", "CL.PEM")
        keys("client", "--ca", "CA.PEM", "--cn", "OPER2", "-o", "CL2.PEM")
        keys("crl", "--ca", "CA.PEM", "-o", "CRL.PEM", "CL.PEM")
        check = ["openssl", "verify", "-crl_check", "-CAfile", "CA.PEM",
                 "-CRLfile", "CRL.PEM"]
        self.assertIn("revoked", run(*check, "CL.PEM", status=2).stderr)
        run(*check, "CL2.PEM")
        keys("ca", "--cn", "Other", "-o", "CA2.PEM")
        self.assertIn("not a certificate of this CA", keys(
            "crl", "--ca", "CA2.PEM", "-o", "X.PEM", "CL.PEM",
            status=1).stderr)

    def test_mistakes_of_the_command_line(self):
        for argv, word in (
                ([], "a word is expected"),
                (["melt"], "unknown word melt"),
                (["check"], "a file is expected"),
                (["ca", "--cn", "x"], "-o FILE is missing"),
                (["server", "-o", "x"], "--ca FILE is missing"),
                (["convert", "-o", "x", "a", "b"], "one operand too many: b"),
                (["ca", "--cn", "x", "--days", "0", "-o", "x"], "--days"),
                (["ca", "--cn", "x", "--days", "-1", "-o", "x"], "--days"),
                (["--frobnicate"], "frobnicate")):
            self.assertIn(word, keys(*argv, status=2).stderr)
        self.assertIn("--san NAME is missing", keys(
            "server", "--ca", "CA.PEM", "-o", "x", status=1).stderr)
        self.assertIn("kind of key", keys(
            "ca", "--cn", "x", "--key", "RSA-1024", "-o", "x",
            status=1).stderr)
        self.assertIn("1 to 64 bytes", keys(
            "ca", "--cn", "x" * 65, "-o", "x", status=1).stderr)
        self.assertIn("there already", keys(
            "ca", "--cn", "x", "-o", "CA.PEM", status=1).stderr)
        self.server()
        self.assertIn("not that of a CA", keys(
            "client", "--ca", "SSL01.PEM", "--cn", "x", "-o", "x",
            status=1).stderr)
        # nothing half is left behind
        self.assertEqual(sorted(os.listdir(".")), ["CA.PEM", "SSL01.PEM"])

    def test_help_and_version(self):
        self.assertIn("--out-pass-file", keys("--help").stdout)
        self.assertRegex(keys("--version").stdout,
                         r"^couplet-keys \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    names = ["Tool." + n for n in sys.argv[2:]]
    unittest.main(argv=sys.argv[:1] + names, verbosity=2)
