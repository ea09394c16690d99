#!/usr/bin/python3
"""tlsd and protocols whose conversation it follows: FTP with its data
connections, STARTTLS.

    test_tlsd_talk.py --build DIR CASE...
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (PYTHON, ROOT, WORK, Failure, check, check_equal,
                         main, needs, options, run, skip, wait_for)
from starttls_peers import postfix
from test_programs import host_in_url, make_file, sha_of
from tls_net import CERTS, Tlsd, Wire, standard_certs

CA = CERTS + "/root.crt"
CONTENT = "the-text-of-the-file-in-clear"


# ---- FTP servers in clear on the stack -------------------------------------

VSFTPD = """
listen=YES
listen_port=21
anonymous_enable=NO
local_enable=YES
local_root={root}
check_shell=NO
chroot_local_user=NO
write_enable=YES
background=NO
seccomp_sandbox=NO
isolate_network=NO
one_process_model=NO
secure_chroot_dir={empty}
connect_from_port_20=NO
pasv_min_port=30000
pasv_max_port=30010
xferlog_enable=NO
run_as_launching_user=NO
port_promiscuous=NO
{extra}
"""


# Local users without a password: an anonymous one is put into a chroot, from
# where a program under stackrun does not reach the stack.
PAM = "auth required pam_permit.so\naccount required pam_permit.so\n" \
    "session required pam_permit.so\n"
USER = "daemon:x"


def pam_permits(service):
    """In the mount namespace of this test only."""
    with open(WORK + "/pam", "w", encoding="ascii") as f:
        f.write(PAM)
    run(["mount", "--bind", WORK + "/pam", "/etc/pam.d/" + service])


def ftp_tree():
    root = WORK + "/ftp"
    os.makedirs(root + "/up", exist_ok=True)
    os.chmod(root, 0o755)
    os.chmod(root + "/up", 0o777)
    with open(root + "/hello", "w", encoding="ascii") as f:
        f.write(CONTENT + "\n")
    return root, {"big": make_file(root + "/big", 5 << 20)}


def vsftpd(side, port=21, extra=""):
    root, files = ftp_tree()
    os.makedirs(WORK + "/empty", exist_ok=True)
    pam_permits("vsftpd")
    path = WORK + "/vsftpd.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write(VSFTPD.format(root=root, empty=WORK + "/empty", extra=extra)
                .replace("listen_port=21", f"listen_port={port}"))
    p = side(["vsftpd", path], name="vsftpd")
    return p, root, files


def get_put(net, side, argv_get, argv_put, root, files):
    """Fetches big and puts it back under another name."""
    side(argv_get, name="get").ok(90)
    check_equal(sha_of(WORK + "/got"), files["big"], "what was fetched")
    side(argv_put, name="put").ok(90)
    check_equal(sha_of(root + "/up/put"), files["big"], "what was put")
    os.unlink(root + "/up/put")
    os.unlink(WORK + "/got")


def curl_ftp(url, *extra):
    base = ["curl", "-sS", "-u", USER, "--max-time", "40", "--cacert", CA,
            *extra]
    return (base + ["-o", WORK + "/got", url + "/big"],
            base + ["-T", WORK + "/ftp/big", url + "/up/put"])


@options(seconds=250)
def test_ftp_server_implicit(net):
    """vsftpd in clear becomes an FTPS server on 990, for the host's curl and
    lftp; data connections are TLS, passive ones."""
    needs("vsftpd", "curl", "lftp", "openssl")
    standard_certs()
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER", "OPTION FTP",
                      "ATTLS 21 AS 990 SSL CLOSED"])
    p, root, files = vsftpd(net.prog)
    wait_for(lambda: "990" in net.ctl("QUERY", "PORTS") or not p.alive(),
             "the secure port", 60)
    url = f"ftps://{net.address('p', 4)}:990"
    with Wire(net) as wire:
        get_put(net, net.host, *curl_ftp(url), root, files)
        # the server writes, closes and is gone before tlsd has looked
        for _ in range(8):
            net.host(["curl", "-sS", "-u", USER, "--cacert", CA,
                      url + "/hello"], name="hello").ok(60)
        check(not wire.has(CONTENT), "a file was on the wire in clear")
        check(not wire.has("RETR big"), "a command was on the wire in clear")
    lftp(net.host, url, "get big -o " + WORK + "/got")
    check_equal(sha_of(WORK + "/got"), files["big"], "lftp fetched")
    tlsd.idle()
    tlsd.stop()


def lftp(side, url, command, *sets):
    sets = "".join(f"set {s}; " for s in (f"ssl:ca-file {CA}",
                                          "net:max-retries 2",
                                          "net:timeout 20", *sets))
    side(["lftp", "-c", f"{sets}open -u daemon,x {url}; {command}"],
             name="lftp").ok(90)


@options(seconds=250)
def test_ftp_server_explicit(net):
    """The same on the port itself: AUTH TLS, PROT P."""
    needs("vsftpd", "curl", "lftp", "openssl")
    standard_certs()
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER", "OPTION FTP",
                      "ATTLS 21 AS 21 SSL"])
    p, root, files = vsftpd(net.prog)
    net.wait_port("p", 4, 21, p)
    url = f"ftp://{net.address('p', 4)}"
    with Wire(net) as wire:
        get_put(net, net.host, *curl_ftp(url, "--ssl-reqd"), root, files)
        get_put(net, net.host,
                *curl_ftp(url, "--ssl-reqd", "--disable-epsv"), root, files)
        check(not wire.has("RETR big"), "a command was on the wire in clear")
    lftp(net.host, url, f"get big -o {WORK}/got", "ftp:ssl-force true",
         "ftp:ssl-protect-data true")
    check_equal(sha_of(WORK + "/got"), files["big"], "lftp fetched")
    # one that does not ask for TLS gets nothing
    r = net.host(["curl", "-v", "-sS", "--max-time", "30", url + "/hello"],
                 name="plain")
    check(r.wait(60) != 0 and CONTENT not in r.text(), "in clear: " + r.text())
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_ftp_server_both(net):
    """pyftpdlib in clear, both ways at once: implicit on 990, AUTH TLS on 21;
    passive and active."""
    needs("curl", "lftp", "openssl")
    standard_certs()
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER", "OPTION FTP",
                      "ATTLS 21 AS 990 SSL", "ATTLS 21 AS 21 SSL"])
    root, files = ftp_tree()
    p = net.prog([PYTHON, "-m", "pyftpdlib", "-i", "0.0.0.0", "-p", "21",
                  "-d", root, "-r", "30000-30010", "-u", "daemon", "-P", "x"],
                 name="pyftpdlib")
    net.wait_port("p", 4, 21, p)
    for url, sets in ((f"ftps://{net.address('p', 4)}:990", ()),
                      (f"ftp://{net.address('p', 4)}",
                       ("ftp:ssl-force true",))):
        for passive in ("true", "false"):
            # (curl 7.88 cannot do active mode any more)
            lftp(net.host, url, f"get big -o {WORK}/got-{passive}",
                 "ftp:ssl-protect-data true", "ftp:passive-mode " + passive,
                 *sets)
            check_equal(sha_of(f"{WORK}/got-{passive}"), files["big"],
                        f"{url}, passive {passive}")
            os.unlink(f"{WORK}/got-{passive}")
    tlsd.idle()
    tlsd.stop()


# pure-ftpd cannot be installed beside vsftpd: `./dev setup` unpacks it here
PURE = os.path.join(ROOT, "build/peers/pure-ftpd/usr")


def pure_ftpd(side):
    """With a user of its own, who is in no chroot, on port 21."""
    root, files = ftp_tree()
    users, db = WORK + "/pure.users", WORK + "/pure.db"
    # pure-pw's own hash takes seconds to check
    word = run(["openssl", "passwd", "-5", "x"]).strip()
    with open(users, "w", encoding="ascii") as f:
        f.write(f"daemon:{word}:1:1::{root}{':' * 13}\n")
    run([PURE + "/bin/pure-pw", "mkdb", db, "-f", users])
    p = side([PURE + "/sbin/pure-ftpd", "-S", "21", "-l", f"puredb:{db}", "-E",
              "-H", "-u", "1", "-p", "30000:30010", "-g",
              WORK + "/pure.pid"], name="pure-ftpd")
    return p, root, files


@options(seconds=250)
def test_ftp_server_pure(net):
    """pure-ftpd in clear, which has TLS of its own switched off: implicit on
    990 and AUTH TLS on 21, both families; passive and active."""
    if not os.access(PURE + "/sbin/pure-ftpd", os.X_OK):
        skip("pure-ftpd is not unpacked; ./dev setup")
    needs("curl", "lftp", "openssl")
    standard_certs()
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER", "OPTION FTP",
                      "ATTLS 21 AS 990 SSL", "ATTLS 21 AS 21 SSL"])
    p, root, files = pure_ftpd(net.prog)
    net.wait_port("p", 4, 21, p)
    with Wire(net) as wire:
        for family in (4, 6):
            host = host_in_url(net.address("p", family))
            get_put(net, net.host, *curl_ftp(f"ftps://{host}:990"), root,
                    files)
            get_put(net, net.host, *curl_ftp(f"ftp://{host}", "--ssl-reqd"),
                    root, files)
    for what in ("RETR big", "STOR put", "PASS x\r\n"):
        check(not wire.has(what), f"{what} was on the wire in clear")
    check(wire.has("AUTH "), "the trace shows what is in clear")
    for url, sets in ((f"ftps://{net.address('p', 4)}:990", ()),
                      (f"ftp://{net.address('p', 4)}",
                       ("ftp:ssl-force true",))):
        for passive in ("true", "false"):
            lftp(net.host, url, f"get big -o {WORK}/got-{passive}",
                 "ftp:ssl-protect-data true", "ftp:passive-mode " + passive,
                 *sets)
            check_equal(sha_of(f"{WORK}/got-{passive}"), files["big"],
                        f"{url}, passive {passive}")
            os.unlink(f"{WORK}/got-{passive}")
    r = net.host(["curl", "-sS", "-u", USER, "--max-time", "30",
                  f"ftp://{net.address('p', 4)}/hello"], name="plain")
    check(r.wait(60) != 0 and CONTENT not in r.text(), "in clear: " + r.text())
    tlsd.idle()
    tlsd.stop()


# ---- FTP clients in clear on the stack -------------------------------------

TLS_VSFTPD = f"""
ssl_enable=YES
force_local_data_ssl=YES
force_local_logins_ssl=YES
rsa_cert_file={CERTS}/FTPD.PEM
rsa_private_key_file={CERTS}/FTPD.PEM
require_ssl_reuse=YES
ssl_ciphers=HIGH
"""


def inetutils_ftp(net, mode):
    """As get_put() wants them: ftp, which knows no TLS, reads its lines."""
    def argv(name, line):
        path = f"{WORK}/ftp-{name}.in"
        with open(path, "w", encoding="ascii") as f:
            f.write(f"user daemon x\nbinary\n{line}\nbye\n")
        return ["sh", "-c", f"exec inetutils-ftp -n {mode} "
                f"{net.address('h', 4)} <{path}"]
    return (argv("get", f"get big {WORK}/got"),
            argv("put", f"put {WORK}/ftp/big up/put"))


def ftp_client(net, port, extra, deck):
    from tls_net import make_cert
    standard_certs()
    make_cert("root", "FTPD", "IP:10.77.0.1", key="rsa")
    p, root, files = vsftpd(net.host, port, TLS_VSFTPD + extra)
    net.wait_port("h", 4, port, p)
    tlsd = Tlsd(net, ["OPTION CLIENT", "OPTION FTP", "HANDSHAKE_CLIENT 0",
                      f"CAFILE {CA}", deck])
    url = f"ftp://{net.address('h', 4)}"
    with Wire(net) as wire:
        for words in ((), ("--disable-epsv",)):
            print("curl", *words, flush=True)
            get_put(net, net.prog, *curl_ftp(url, *words), root, files)
        for passive in ("true", "false"):
            lftp(net.prog, url, f"get big -o {WORK}/got-{passive}",
                 "ftp:ssl-allow false", "ftp:passive-mode " + passive)
            check_equal(sha_of(f"{WORK}/got-{passive}"), files["big"],
                        f"lftp fetched, passive {passive}")
        for mode in ("-p", "-A"):
            get_put(net, net.prog, *inetutils_ftp(net, mode), root, files)
        check(not wire.has("RETR big"), "a command was on the wire in clear")
        check(not wire.has("PASS x\r\n"), "a password was on the wire in clear")
    check(tlsd.query("COUNTERS")["resumed"] > 0,
          "data connections resume the session of the control connection")
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_ftp_client_implicit(net):
    """curl, lftp and ftp in clear against vsftpd with implicit TLS, which
    insists on resumption; passive, extended passive and active."""
    needs("vsftpd", "curl", "lftp", "inetutils-ftp", "openssl")
    ftp_client(net, 990, "implicit_ssl=YES\n", "ATTLS 21 TO ANY AS 990 SSL")


@options(seconds=250)
def test_ftp_client_explicit(net):
    """The same with AUTH TLS, which tlsd says for the client."""
    needs("vsftpd", "curl", "lftp", "inetutils-ftp", "openssl")
    ftp_client(net, 21, "", "ATTLS 21 TO ANY AS 21 SSL")


# ---- STARTTLS --------------------------------------------------------------

@options(seconds=200)
def test_starttls_smtp_server(net):
    """A server in clear offers STARTTLS and never hears of it; Python's
    smtplib as client."""
    standard_certs()
    server = net.prog([PYTHON, "-c", SMTP_SERVER], name="smtpd").says("ready")
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER",
                      "ATTLS 2525 AS 2525 SSL STARTTLS SMTP"])
    p = net.host([PYTHON, "-c", SMTP_CLIENT, net.address("p", 4), CA],
                 name="smtp")
    p.ok(60)
    check("FROM:<a@server.test>" in server.text(), server.text())
    check("STARTTLS" not in server.text(), "the program heard STARTTLS")
    tlsd.idle()
    tlsd.stop()


@options(seconds=250)
def test_starttls_smtp_client_and_postfix(net):
    """Python's smtplib in clear on the stack, postfix with STARTTLS on the
    host; and without it: then nothing gets through."""
    needs("postfix", "openssl")
    standard_certs()
    postfix(net, net.host, "SERVER")
    net.wait_port("h", 4, 25)
    deck = ["OPTION CLIENT", "HANDSHAKE_CLIENT 0", f"CAFILE {CA}",
            "ATTLS 25 TO ANY AS 25 SSL STARTTLS SMTP"]
    tlsd = Tlsd(net, deck)
    with Wire(net) as wire:
        for family in (4, 6):
            p = net.prog([PYTHON, "-c", SMTP_PLAIN, net.address("h", family)],
                         name="smtp")
            check("done" in p.ok(60), p.text())
            check("STARTTLS" not in p.text(), "it was offered STARTTLS")
        check(not wire.has("secret-sender"), "the sender was in clear")
    check_equal(tlsd.last()["certificate"], "CN=SERVER", "certificate")
    postfix(net, net.host)
    net.wait_port("h", 4, 25)
    before = len(tlsd.handshakes())
    p = net.prog([PYTHON, "-c", SMTP_PLAIN, net.address("h", 4)], name="smtp")
    check(p.wait(60) != 0, "it got through without TLS: " + p.text())
    h = wait_for(lambda: tlsd.handshakes()[before:], "a word on why", 30)[-1]
    check_equal(h["result"], "failed", "result")
    tlsd.deck([deck[0], deck[1], deck[2], deck[3] + " OPTIONAL"])
    tlsd.ctl("RELOAD")
    p = net.prog([PYTHON, "-c", SMTP_PLAIN, net.address("h", 4)], name="smtp")
    check("done" in p.ok(60), p.text())
    tlsd.idle()
    tlsd.stop()


SMTP_PLAIN = r'''
import smtplib, sys
s = smtplib.SMTP(sys.argv[1], 25, timeout=30)
print(s.ehlo())
print(s.mail("secret-sender@server.test"))
s.quit()
print("done", flush=True)
'''

SMTP_CLIENT = r'''
import smtplib, ssl, sys
s = smtplib.SMTP(sys.argv[1], 2525, timeout=30)
s.starttls(context=ssl.create_default_context(cafile=sys.argv[2]))
s.ehlo()
s.mail("a@server.test")
s.quit()
print("done", flush=True)
'''

SMTP_SERVER = r'''
import socket, threading
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("0.0.0.0", 2525)); l.listen(8); print("ready", flush=True)
def one(s):
    f = s.makefile("rw", newline="")
    f.write("220 clear.test ESMTP\r\n"); f.flush()
    for line in f:
        print(line.strip(), flush=True)
        w = line.strip().upper()
        if w.startswith("EHLO"):
            f.write("250-clear.test\r\n250 SIZE 1000000\r\n")
        elif w == "QUIT":
            f.write("221 bye\r\n"); f.flush(); break
        else:
            f.write("250 ok\r\n")
        f.flush()
    f.close(); s.close()
while True:
    threading.Thread(target=one, args=(l.accept()[0],), daemon=True).start()
'''


if __name__ == "__main__":
    main(globals())
