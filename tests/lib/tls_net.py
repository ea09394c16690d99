"""tls_net: certificates made with openssl, and a tlsd beside the stack of
couplet_net, for the tests of TLS. Python's standard library only."""

import json
import os
import subprocess

from couplet_net import ID, WORK, Failure, Proc, check, run, wait_for

CERTS = WORK + "/certs"


# ---- certificates ----------------------------------------------------------

def _openssl(*args):
    return run(["openssl"] + list(args))


def _write(name, text):
    path = f"{CERTS}/{name}"
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def _read(name):
    with open(f"{CERTS}/{name}", encoding="ascii") as f:
        return f.read()


def make_ca(name, subject=None):
    """NAME.key and NAME.crt, a CA of its own."""
    os.makedirs(CERTS, exist_ok=True)
    conf = _write(name + ".cnf", "[req]\ndistinguished_name=d\n[d]\n")
    _openssl("req", "-x509", "-config", conf, "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes",
             "-days", "30", "-keyout", f"{CERTS}/{name}.key", "-out",
             f"{CERTS}/{name}.crt", "-subj", subject or f"/CN={name}",
             "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _write(name + ".idx", "")
    _write(name + ".srl", "1000\n")
    return f"{CERTS}/{name}.crt"


def make_cert(ca, name, san, server=True, key="ec", start=None, end=None,
              ocsp=None):
    """NAME.PEM: key, certificate and root, as the decks want them; also
    NAME.key and NAME.crt. start and end are YYMMDDHHMMSSZ; `ocsp` is the URL
    of a responder."""
    conf = _write(name + ".cnf", f"""
[req]
distinguished_name=d
[d]
[ca]
default_ca=c
[c]
new_certs_dir={CERTS}
database={CERTS}/{ca}.idx
serial={CERTS}/{ca}.srl
certificate={CERTS}/{ca}.crt
private_key={CERTS}/{ca}.key
default_md=sha256
default_crl_days=30
policy=p
unique_subject=no
[p]
commonName=supplied
[x]
basicConstraints=CA:FALSE
keyUsage=digitalSignature,keyEncipherment
extendedKeyUsage={"serverAuth" if server else "clientAuth"}
subjectAltName={san}
{"authorityInfoAccess=OCSP;URI:" + ocsp if ocsp else ""}
""")
    kind = ["-newkey", "rsa:2048"] if key == "rsa" else \
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    _openssl("req", "-new", "-config", conf, "-nodes", *kind,
             "-keyout", f"{CERTS}/{name}.key", "-out", f"{CERTS}/{name}.csr",
             "-subj", f"/CN={name}")
    when = ["-startdate", start, "-enddate", end] if start else ["-days", "20"]
    _openssl("ca", "-batch", "-notext", "-config", conf, "-extensions", "x",
             "-in", f"{CERTS}/{name}.csr", "-out", f"{CERTS}/{name}.crt",
             *when)
    bundle(name, ca)
    return f"{CERTS}/{name}.PEM"


def bundle(name, root):
    path = _write(name + ".PEM", _read(name + ".key") + _read(name + ".crt") +
                  (_read(root + ".crt") if root else ""))
    os.chmod(path, 0o600)


def revoke(ca, name):
    """CA.crl: a list of revoked certificates with NAME on it."""
    _openssl("ca", "-config", f"{CERTS}/{name}.cnf", "-revoke",
             f"{CERTS}/{name}.crt")
    _openssl("ca", "-config", f"{CERTS}/{name}.cnf", "-gencrl", "-out",
             f"{CERTS}/{ca}.crl")
    return f"{CERTS}/{ca}.crl"


def standard_certs():
    """A CA, a server and a client certificate, and their strangers."""
    make_ca("root")
    san = ("IP:10.77.0.1,IP:10.77.0.2,IP:fd77::1,IP:fd77::2,"
           "DNS:server.test,DNS:localhost")
    make_cert("root", "SERVER", san)
    make_cert("root", "CLIENT", "email:client@server.test", server=False)
    os.chmod(CERTS, 0o755)


# ---- tlsd ------------------------------------------------------------------

class Tlsd:
    """A tlsd of stack ID whose deck is `lines` behind KEYRING."""

    def __init__(self, net, lines, ring=CERTS, wait=True, args=(), stack=ID):
        self.net = net
        self.stack = stack
        self.path = f"{WORK}/tlsd-{stack}.deck"
        self.ring = ring
        self.deck(lines)
        self.log = None
        self.proc = None
        self.start(wait, args)

    def deck(self, lines):
        with open(self.path, "w", encoding="ascii") as f:
            f.write("\n".join([f"ID {self.stack}", f"KEYRING {self.ring}",
                               *lines, ""]))

    def start(self, wait=True, args=()):
        self.proc = self.net.keep(Proc(
            [self.net.tool("tlsd"), "-f", self.path, "--run",
             self.net.run_dir] + list(args), name="tlsd",
            env=self.net.stackd_env("tlsd")))
        if wait:
            self.proc.says("rules are in force", 30)
        return self

    def stop(self):
        """SIGTERM; it must end by itself, with 0."""
        self.proc.kill()
        status = self.proc.wait(30)
        check(status == 0, f"tlsd: exit {status}:\n{self.proc.tail()}")

    def ctl(self, *words, status=0):
        r = subprocess.run(
            [self.net.tool("tlsctl"), "-i", self.stack, "--run",
             self.net.run_dir, *words], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=30, check=False)
        if r.returncode != status:
            raise Failure(f"tlsctl {' '.join(words)}: exit {r.returncode}: "
                          f"{r.stdout}")
        return r.stdout

    def query(self, *words):
        return json.loads(self.ctl("--json", "QUERY", *words))

    def handshakes(self):
        return self.query("HANDSHAKES")

    def last(self, seconds=30):
        """The newest handshake, once there is one."""
        wait_for(self.handshakes, "a handshake", seconds)
        return self.handshakes()[-1]

    def idle(self, seconds=30):
        """Until no connection is left."""
        wait_for(lambda: not self.query("CONNECTIONS"),
                 "the connections of tlsd to end", seconds)


# ---- the wire --------------------------------------------------------------

class Wire:
    """The packet trace of the stack while it is open; has() looks for bytes
    that should not be there, or should."""

    def __init__(self, net):
        self.net = net
        self.path = WORK + "/wire.pcapng"

    def __enter__(self):
        self.net.ctl("TRACE", "START", self.path, "SNAPLEN", "65535")
        return self

    def __exit__(self, *_):
        self.net.ctl("TRACE", "STOP", check_status=False)

    def has(self, what):
        """Text or bytes."""
        if isinstance(what, str):
            what = what.encode()
        with open(self.path, "rb") as f:
            return what in f.read()
