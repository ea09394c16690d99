#!/usr/bin/python3
"""The other end of a program that says when TLS begins (attls.c), with
OpenSSL by way of Python. Does what its arguments say, in their order.

    attlspeer.py connect ADDRESS PORT CERTS WORD...
    attlspeer.py listen ADDRESS PORT CERTS WORD...      (one connection)

    send TEXT    bulk N BYTE      send N bytes BYTE
    expect TEXT  reads exactly that     take N BYTE  reads exactly those
    tls          handshake: connect as client, listen as server
    tls-with NAME    the same with the certificate NAME
    stop         close_notify, and waits for the other's
    notify       close_notify alone    raw TEXT  clear bytes behind it
    eof          the end of the stream     any-end  however it ends
    until FILE   goes on when it is there    close   reset
"""

import errno
import os
import socket
import ssl
import struct
import sys
import time


class Peer:
    def __init__(self, role, sock, certs):
        self.role, self.sock, self.certs = role, sock, certs
        self.tls = None     # SSLObject
        self.inc = self.out = None
        self.rest = b""     # clear bytes that came with those of TLS

    # bytes: the session reads from memory, so what is behind close_notify is
    # seen
    def flush(self):
        if data := self.out.read():
            self.sock.sendall(data)

    def more(self):
        data = self.sock.recv(1 << 16)
        if data:
            self.inc.write(data)
        else:
            self.inc.write_eof()

    def run(self, call, *args):
        while True:
            try:
                r = call(*args)
                self.flush()
                return r
            except ssl.SSLWantReadError:
                self.flush()
                self.more()

    def handshake(self, name=None):
        server = self.role == "listen"
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server
                           else ssl.PROTOCOL_TLS_CLIENT)
        if name or server:
            c.load_cert_chain(f"{self.certs}/{name or 'SERVER'}.PEM")
        if not server:
            c.load_verify_locations(self.certs + "/root.crt")
        self.inc, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.inc.write(self.rest)
        self.rest = b""
        self.tls = c.wrap_bio(self.inc, self.out, server_side=server,
                              server_hostname=None if server
                              else "server.test")
        try:
            self.run(self.tls.do_handshake)
        except ssl.SSLError:
            self.flush()
            raise
        print("tls", self.tls.version(), flush=True)

    def stop(self):
        self.run(self.tls.unwrap)
        self.clear()

    def clear(self):
        self.rest = self.inc.read()
        self.tls = None

    def notify(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()

    def send(self, data):
        if self.tls is None:
            self.sock.sendall(data)
            return
        while data:
            n = self.run(self.tls.write, data[:16384])
            data = data[n:]

    def recv(self, n):
        if self.tls is None:
            part, self.rest = self.rest[:n], self.rest[n:]
            return part or self.sock.recv(n)
        try:
            return self.run(self.tls.read, n)
        except ssl.SSLZeroReturnError:
            return b""

    def take(self, n):
        got = b""
        while len(got) < n:
            part = self.recv(n - len(got))
            if not part:
                sys.exit(f"end after {len(got)} of {n}: {got[:200]!r}")
            got += part
        return got

    def word(self, w, args):
        if w == "send":
            self.send(args.pop(0).encode())
        elif w == "bulk":
            n, byte = int(args.pop(0)), args.pop(0).encode()
            self.send(byte * n)
        elif w == "expect":
            text = args.pop(0).encode()
            got = self.take(len(text))
            if got != text:
                sys.exit(f"expected {text!r}: {got!r}")
            print("got", text.decode().strip(), flush=True)
        elif w == "take":
            n, byte = int(args.pop(0)), args.pop(0).encode()
            if self.take(n) != byte * n:
                sys.exit("other bytes")
            print("taken", n, flush=True)
        elif w == "tls":
            self.handshake()
        elif w == "tls-with":
            self.handshake(args.pop(0))
        elif w == "stop":
            self.stop()
        elif w == "notify":
            self.notify()
        elif w == "raw":
            self.sock.sendall(args.pop(0).encode())
        elif w == "eof":
            if more := self.recv(100):
                sys.exit(f"expected the end: {more!r}")
        elif w == "any-end":
            try:
                while self.recv(1 << 16):
                    pass
            except (OSError, ssl.SSLError) as e:
                print("end", type(e).__name__, flush=True)
        elif w == "until":
            path = args.pop(0)
            while not os.path.exists(path):
                time.sleep(0.01)
        elif w == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            self.sock.close()
        elif w == "close":
            self.sock.close()
        else:
            sys.exit("unknown word " + w)


def main():
    role, address, port, certs, *words = sys.argv[1:]
    if role == "listen":
        lst = socket.create_server((address, int(port)))
        print("ready", flush=True)
        sock = lst.accept()[0]
        lst.close()
    else:
        sock = socket.create_connection((address, int(port)))
    peer = Peer(role, sock, certs)
    while words:
        w = words.pop(0)
        try:
            peer.word(w, words)
        except ssl.SSLError as e:
            sys.exit(f"{w}: {e}")
        except OSError as e:
            sys.exit(f"{w}: {errno.errorcode.get(e.errno, e)}")
    print("done", flush=True)


if __name__ == "__main__":
    main()
