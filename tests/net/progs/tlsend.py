#!/usr/bin/python3
"""A TLS peer (OpenSSL by way of Python) that ends as it is told.

    tlsend.py call ADDRESS PORT CA END [option=value]...
    tlsend.py serve ADDRESS PORT KEYFILE END [option=value]...

END: notify  sends everything, close_notify, reads to the end
     cut     sends everything, then a FIN without close_notify
     reset   sends everything, then a reset
     silent  never says anything, not even a ClientHello
     stop    stops in the middle of the handshake
     stand   says "standing", waits for the file wait=FILE or a reset, and
             goes on as notify
Options: bytes=N to send, cert=FILE, name=NAME (SNI and verified), ca=FILE,
version=1.2|1.3, count=N connections one after the other.
Prints "ok N SHA256 VERSION PEER" or "failed WHY" for each connection.
"""

import hashlib
import os
import socket
import ssl
import struct
import sys

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def context(server, file, opt):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server
                       else ssl.PROTOCOL_TLS_CLIENT)
    if "version" in opt:
        c.minimum_version = c.maximum_version = VERSIONS[opt["version"]]
    if server:
        c.load_cert_chain(file)
        if "ca" in opt:
            c.load_verify_locations(opt["ca"])
            c.verify_mode = ssl.CERT_REQUIRED
        return c
    c.load_verify_locations(file)
    c.check_hostname = "name" in opt
    if "cert" in opt:
        c.load_cert_chain(opt["cert"])
    return c


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def stand(t, opt):
    """False: the connection was reset while it waited."""
    print("standing", flush=True)
    t.settimeout(0.1)
    while not os.path.exists(opt.get("wait", "/nonexistent")):
        try:
            t.recv(1)
        except TimeoutError:
            continue
        except ConnectionError:
            return False
        return False
    t.settimeout(None)
    return True


def end(t, how, opt):
    if how == "notify" and t.server_side:
        while t.recv(1 << 16):  # what it does not read would be a reset
            pass
    if how == "stand":
        if not stand(t, opt):
            return "reset"
        how = "notify"
    left = int(opt.get("bytes", "0"))
    sent = hashlib.sha256()
    while left:
        part = os.urandom(min(left, 1 << 16))
        t.sendall(part)
        sent.update(part)
        left -= len(part)
    if how == "cut":
        raw = socket.socket(fileno=os.dup(t.fileno()))
        raw.shutdown(socket.SHUT_WR)
    elif how == "reset":
        reset(t)
        return "ok 0 - - -"
    n, h = 0, hashlib.sha256()
    if how == "notify":
        # close_notify goes out, what comes until the peer's is read
        t.settimeout(60)
        try:
            t.unwrap()
        except (ssl.SSLError, OSError):
            pass
    else:
        while part := t.recv(1 << 16):
            n += len(part)
            h.update(part)
    cert = t.getpeercert() or {} if how != "notify" else {}
    return f"ok {n} {h.hexdigest()} {t.version()} {cert.get('subject', '-')}"


def one(s, how, server, file, opt):
    if how in ("silent", "stop"):
        if how == "stop":   # the head of a ClientHello that never comes
            s.sendall(b"\x16\x03\x01\x02\x00\x01")
        try:
            s.recv(1)
        except ConnectionError:
            pass
        return "ok"
    try:
        t = context(server, file, opt).wrap_socket(
            s, server_side=server, server_hostname=opt.get("name"))
        return end(t, how, opt)
    except (OSError, ssl.SSLError) as e:
        return f"failed {e}"


def main():
    way, address, port, file, how = sys.argv[1:6]
    opt = dict(a.split("=", 1) for a in sys.argv[6:])
    if way == "call":
        for _ in range(int(opt.get("count", "1"))):
            s = socket.socket(family_of(address), socket.SOCK_STREAM)
            try:
                s.connect((address, int(port)))
            except OSError as e:
                print("failed", e, flush=True)
                continue
            print(one(s, how, False, file, opt), flush=True)
            s.close()
        return
    listener = socket.socket(family_of(address), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.listen(64)
    print("ready", flush=True)
    while True:
        s = listener.accept()[0]
        print(one(s, how, True, file, opt), flush=True)
        s.close()


if __name__ == "__main__":
    main()
