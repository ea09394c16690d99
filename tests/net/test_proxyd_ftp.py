#!/usr/bin/python3
"""OPTION FTP: lftp and curl through proxyd to vsftpd, active and passive,
across families, with TLS on either side, implicit and explicit.

    test_proxyd_ftp.py --build DIR [--kernel] CASE...
"""

import ftplib
import os
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (WORK, Failure, check, check_equal, main, needs,
                         options, wait_for)
from proxynet import RING, Proxy, dial, exactly, make_keys

ROOT = WORK + "/ftp"

# The server's own port is 2121 for clear and AUTH TLS, 2990 for implicit.
VSFTPD = """
background=NO
listen_ipv6=YES
listen_port={port}
anonymous_enable=NO
local_enable=YES
write_enable=YES
anon_root={root}
guest_enable=NO
seccomp_sandbox=NO
isolate_network=NO
secure_chroot_dir={empty}
pam_service_name=couplet-ftp
check_shell=NO
local_root={root}
allow_writeable_chroot=YES
port_promiscuous=YES
connect_from_port_20=NO
xferlog_enable=NO
ssl_enable={ssl}
implicit_ssl={implicit}
allow_anon_ssl=YES
force_local_data_ssl={ssl}
force_local_logins_ssl={ssl}
require_ssl_reuse={reuse}
ssl_tlsv1=YES
rsa_cert_file={ring}/SSL01.crt
rsa_private_key_file={ring}/SSL01.key
"""
SERVERS = {"clear": (2121, "NO", "NO"), "explicit": (2122, "YES", "NO"),
           "implicit": (2990, "YES", "YES")}


def ftp_user():
    """Anybody may log in as root: PAM says yes in this mount namespace."""
    with open(WORK + "/pam", "w", encoding="ascii") as f:
        f.write("auth sufficient pam_permit.so\n"
                "account sufficient pam_permit.so\n"
                "session sufficient pam_permit.so\n")
    os.makedirs(WORK + "/pam.d", exist_ok=True)
    os.system("cp -r /etc/pam.d/. " + WORK + "/pam.d/")
    os.replace(WORK + "/pam", WORK + "/pam.d/couplet-ftp")
    check_equal(os.system(f"mount --bind {WORK}/pam.d /etc/pam.d"), 0,
                "mount")


def vsftpd(net, kind, reuse="YES"):
    port, use_ssl, implicit = SERVERS[kind]
    path = f"{WORK}/vsftpd-{kind}.conf"
    os.makedirs(ROOT, exist_ok=True)
    os.makedirs(WORK + "/empty", exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(VSFTPD.format(port=port, root=ROOT, ring=RING, ssl=use_ssl,
                              implicit=implicit, empty=WORK + "/empty",
                              reuse=reuse))
    p = net.host(["vsftpd", path], name="vsftpd-" + kind)
    net.wait_port("h", 6, port, p)
    return port


def start(net, servers=("clear", "explicit", "implicit")):
    needs("vsftpd", "openssl")
    make_keys()
    ftp_user()
    for kind in servers:
        vsftpd(net, kind)
    with open(ROOT + "/down", "wb") as f:
        f.write(os.urandom(300000))
    os.chmod(ROOT, 0o777)


def same(got, name="down"):
    with open(f"{ROOT}/{name}", "rb") as f:
        want = f.read()
    check(got == want, f"{len(got)} bytes came, {len(want)} are right")


def transfers(f):
    """A listing, a file down, a file up."""
    check("down" in f.nlst(), "the listing has no 'down'")
    parts = []
    f.retrbinary("RETR down", parts.append)
    same(b"".join(parts))
    body = os.urandom(200000)
    with open(WORK + "/up", "wb") as out:
        out.write(body)
    with open(WORK + "/up", "rb") as up:
        f.storbinary("STOR up", up)
    same(body, "up")


class Implicit(ftplib.FTP_TLS):
    """TLS from the first byte: ftplib has no such class."""

    @property
    def sock(self):
        return self._sock

    @sock.setter
    def sock(self, value):
        if value is not None and not isinstance(value, ssl.SSLSocket):
            value = self.context.wrap_socket(value, server_hostname="vse."
                                             "example")
        self._sock = value


def context():
    c = ssl.create_default_context(cafile=RING + "/CA.PEM")
    c.check_hostname = False
    # ftplib closes data connections without waiting for close_notify
    return c


def client(net, mode, family, port):
    """A session of Python's own client; the caller is in namespace h."""
    if mode == "clear":
        f = ftplib.FTP(timeout=60)
    elif mode == "explicit":
        f = ftplib.FTP_TLS(timeout=60, context=context())
    else:
        f = Implicit(timeout=60, context=context())
    f.connect(net.address("p", family), port)
    f.login("root", "secret")
    if mode != "clear":
        f.prot_p()
    return f


def ways():
    """client mode, client family, server mode, server family, port here"""
    port = 9000
    for cm in ("clear", "explicit", "implicit"):
        for sm in ("clear", "explicit", "implicit"):
            for cf, sf in ((4, 4), (4, 6), (6, 4), (6, 6)):
                yield cm, cf, sm, sf, port
                port += 1


def line(cm, cf, sm, sf, port):
    """The commands of one PROXY."""
    how = " ".join("IMPLICIT" if m == "implicit" else "EXPLICIT"
                   for m in (cm, sm))
    host = "10.77.0.1" if sf == 4 else "fd77::1"
    return [f"OPTION FTP {how}",
            f"PROXY TCP V{cf} {port} {'TXT' if cm == 'clear' else 'SSL'} * "
            f"TO V{sf} {SERVERS[sm][0]} {'TXT' if sm == 'clear' else 'SSL'} "
            f"* {host}"]


def in_thread(net):
    """Data connections of a client made here begin in namespace h too."""
    return net.h


def all_ways(net):
    """A proxyd for every mode and family on each side."""
    start(net)
    todo = list(ways())
    return Proxy(net, ["HANDSHAKE_CLIENT 0"] + [
        text for w in todo for text in line(*w)]), todo


def told(cm, cf, sm, sf, passive):
    return (f"{cm} V{cf} to {sm} V{sf}, "
            f"{'passive' if passive else 'active'}")


@options(seconds=420)
def test_all_ways(net):
    """Every mode and family on each side, passive and active."""
    px, todo = all_ways(net)
    for cm, cf, sm, sf, port in todo:
        for passive in (True, False):
            try:
                with in_thread(net):
                    f = client(net, cm, cf, port)
                    f.set_pasv(passive)
                    transfers(f)
                    f.quit()
            except (OSError, ftplib.Error, Failure, EOFError) as e:
                raise Failure(f"{told(cm, cf, sm, sf, passive)}: "
                              f"{type(e).__name__}: {e}") from None
    print(f"{2 * len(todo)} ways", flush=True)
    px.stop()


@options(seconds=420)
def test_all_ways_of_curl(net):
    """The same with curl, active where it has no TLS: Debian's is not able to
    do both, with vsftpd alone either."""
    needs("curl")
    px, todo = all_ways(net)
    for cm, cf, sm, sf, port in todo:
        for passive in (True, False) if cm == "clear" else (True,):
            scheme = "ftps" if cm == "implicit" else "ftp"
            address = "10.77.0.2" if cf == 4 else "[fd77::2]"
            out = WORK + "/curl.got"
            argv = ["curl", "-sS", "-u", "root:secret", "--max-time", "60",
                    "--cacert", RING + "/CA.PEM", "-o", out,
                    f"{scheme}://{address}:{port}/down"]
            argv += ["--ssl-reqd"] if cm == "explicit" else []
            argv += [] if passive else ["-P", "-"]
            try:
                net.host(argv).ok(90)
                with open(out, "rb") as f:
                    same(f.read())
            except Failure as e:
                raise Failure(f"{told(cm, cf, sm, sf, passive)}: "
                              f"{e}") from None
            os.unlink(out)
    px.stop()


@options(seconds=600)
def test_all_ways_of_lftp(net):
    """The same with lftp, up and down; with TLS over IPv4 alone, since lftp
    sends an address as SNI, which GnuTLS refuses for IPv6."""
    needs("lftp")
    px, todo = all_ways(net)
    with open(WORK + "/lftp.up", "wb") as f:
        f.write(os.urandom(100000))
    for cm, cf, sm, sf, port in todo:
        if cm != "clear" and cf == 6:
            continue
        for passive in (True, False):
            try:
                lftp(net, cm, cf, port, passive)
            except Failure as e:
                raise Failure(f"{told(cm, cf, sm, sf, passive)}: "
                              f"{e}") from None
    px.stop()


def lftp(net, mode, family, port, passive):
    scheme = "ftps" if mode == "implicit" else "ftp"
    address = "10.77.0.2" if family == 4 else "[fd77::2]"
    secure = "no" if mode == "clear" else "yes"
    script = (f"set ssl:ca-file {RING}/CA.PEM; set ssl:check-hostname no; "
              "set net:max-retries 1; set net:timeout 60; "
              f"set ftp:passive-mode {'yes' if passive else 'no'}; "
              "set ftp:ssl-protect-data yes; "
              f"set ftp:ssl-force {secure}; set ftp:ssl-allow {secure}; "
              f"open -u root,secret -p {port} {scheme}://{address}; "
              f"get down -o {WORK}/lftp.down; "
              f"put {WORK}/lftp.up -o up2; ls; quit")
    net.host(["lftp", "-c", script], env=dict(os.environ, HOME=WORK)).ok(120)
    for got, name in (("down", "down"), ("up", "up2")):
        with open(f"{WORK}/lftp.{got}", "rb") as f:
            same(f.read(), name)
    os.unlink(WORK + "/lftp.down")
    os.unlink(ROOT + "/up2")


@options(seconds=120)
def test_mixed_by_port(net):
    """Explicit here and implicit there, as ports 21 and 990 say it."""
    if not net.kernel:
        print("ports below 1024 of a stack are root's")
    start(net, ("implicit",))
    px = Proxy(net, ["HANDSHAKE_CLIENT 0", "OPTION FTP",
                     "PROXY TCP V4 21 SSL * TO V6 2990 SSL * fd77::1"])
    with in_thread(net):
        f = client(net, "explicit", 4, 21)
        transfers(f)
        f.quit()
    px.stop()


test_mixed_by_port.net_args = {"deck_extra": "RESERVE 0"}


@options(seconds=180)
def test_drain_waits_for_transfers(net):
    """SIGTERM while a file is on its way: every byte arrives, the client says
    goodbye, proxyd ends."""
    start(net, ("clear",))
    with open(ROOT + "/big", "wb") as f:
        f.write(os.urandom(1 << 16) * 256)
    px = Proxy(net, ["DRAIN 300S 120S", "OPTION FTP EXPLICIT",
                     "PROXY TCP V4 9021 SSL * TO V4 2121 TXT * 10.77.0.1"])
    with in_thread(net):
        f = client(net, "explicit", 4, 9021)
        f.voidcmd("TYPE I")
        data = f.transfercmd("RETR big")
        got = [data.recv(1000)]
        px.proc.kill()
        px.logged("CPLT604I")
        while part := data.recv(65536):
            got.append(part)
        data.close()
        same(b"".join(got), "big")
        f.voidresp()
        check("down" in f.nlst(), "another transfer while it drains")
        check(px.proc.alive(), "proxyd ended before the client")
        f.quit()
    check_equal(px.proc.wait(60), 0, "exit status")


# ---- by hand: what clients do not do -------------------------------------------

def lines_of(s):
    return s.makefile("rb")


def reply(f):
    """Code of the next reply, all its lines read."""
    first = f.readline().decode()
    text = first
    while text[3:4] == "-":
        text = f.readline().decode()
        if text[:3] != first[:3]:
            text = first
    return text[:3], text.strip()


@options(seconds=120)
def test_refusals(net):
    """PORT to somebody else, commands before AUTH, clear text behind it."""
    start(net, ("clear",))
    px = Proxy(net, ["OPTION FTP EXPLICIT",
                     "PROXY TCP V4 9021 SSL * TO V4 2121 TXT * 10.77.0.1",
                     "OPTION NOFTP", "OPTION FTP",
                     "PROXY TCP V4 9022 TXT * TO V4 2121 TXT * 10.77.0.1"])
    s = dial(net, 4, 9022)
    f = lines_of(s)
    check_equal(reply(f)[0], "220", "greeting")
    for command, code in ((b"PORT 10,77,0,99,8,1", "504"),
                          (b"PORT 10,77,0,1,0,25", "504"),
                          (b"EPRT |2|fd77::1|5000|", "504"),
                          (b"LPRT 1", "502"), (b"REIN", "502")):
        s.sendall(command + b"\r\n")
        check_equal(reply(f)[0], code, command.decode())
    s.close()
    s = dial(net, 4, 9021)
    f = lines_of(s)
    check_equal(reply(f)[0], "220", "greeting")
    s.sendall(b"USER root\r\n")
    check_equal(reply(f)[0], "530", "USER before AUTH")
    # the attack on STARTTLS: a command in the clear behind AUTH
    s.sendall(b"AUTH TLS\r\nUSER evil\r\n")
    check_equal(reply(f)[0], "234", "AUTH")
    try:
        rest = s.recv(100)
    except ConnectionResetError:
        rest = b""
    check_equal(rest, b"", "what comes behind")
    px.logged("CPLT611W", "ftp", "clear text behind AUTH")
    px.stop()


@options(seconds=120)
def test_somebody_else_connects(net):
    """A data connection from another address than the client's is closed."""
    start(net, ("clear",))
    net.h.run(["ip", "address", "add", "10.77.0.3/24", "dev",
               "vh" if net.kernel else "cpl4"])
    px = Proxy(net, ["FTPPORTS 45000-45009", "OPTION FTP",
                     "PROXY TCP V4 9021 TXT * TO V4 2121 TXT * 10.77.0.1"],
               ring=False)
    with in_thread(net):
        f = client(net, "clear", 4, 9021)
        host, port = ftplib.parse227(f.sendcmd("PASV"))
    check_equal(host, "10.77.0.2", "address of the listener")
    check(45000 <= port <= 45009, f"port {port} is none of FTPPORTS")
    with net.h:
        thief = socket.socket()
    thief.bind(("10.77.0.3", 0))
    thief.settimeout(60)
    thief.connect(("10.77.0.2", port))
    try:
        got = thief.recv(100)
    except ConnectionResetError:
        got = b""
    check_equal(got, b"", "what the thief got")
    px.logged("CPLT613W", "10.77.0.3", "a data connection of somebody else")
    # and the client's own still works
    with net.h:
        data = socket.create_connection(("10.77.0.2", port), 60)
    f.putcmd("RETR down")
    check_equal(f.getresp()[:3], "150", "reply to RETR")
    got = b""
    while part := data.recv(65536):
        got += part
    same(got)
    check_equal(f.getresp()[:3], "226", "end of RETR")
    f.quit()
    px.stop()


@options(seconds=120)
def test_a_server_that_refuses_tls(net):
    start(net, ("clear",))
    px = Proxy(net, ["OPTION FTP EXPLICIT",
                     "PROXY TCP V4 9021 TXT * TO V4 2121 SSL * 10.77.0.1"])
    s = dial(net, 4, 9021)
    f = lines_of(s)
    check_equal(reply(f)[0], "220", "greeting")
    check_equal(reply(f), ("421", "421 The server refuses TLS."), "the end")
    px.logged("CPLT611W", "ftp", "The server refuses TLS.")
    s.close()
    px.stop()


if __name__ == "__main__":
    main(globals())
