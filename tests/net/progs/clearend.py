#!/usr/bin/python3
"""A program that knows nothing of TLS: sends, reads to the end, and says how
the end came.

    clearend.py serve ADDRESS PORT [echo]    each connection: reads to the end
                                             (echo: sends it back)
    clearend.py call ADDRESS PORT TEXT       sends TEXT and a FIN, reads

For each connection a line: "PEER end N SHA256" (an end of file after N bytes),
"PEER reset N" or, for call, "failed ERRNO".
"""

import errno
import hashlib
import socket
import struct
import sys
import threading


def read_all(s, peer, echo=False):
    n, h = 0, hashlib.sha256()
    try:
        while part := s.recv(1 << 16):
            n += len(part)
            h.update(part)
            if echo:
                s.sendall(part)
        how = f"end {n} {h.hexdigest()}"
    except ConnectionError as e:
        how = f"reset {n} {errno.errorcode[e.errno]}"
    s.close()
    print(f"{peer} {how}", flush=True)


def ask(s):
    """What an aware program hears of its connection: SOL_ATTLS."""
    try:
        info = s.getsockopt(0x41544c53, 1, 248)
    except OSError as e:
        print("attls", errno.errorcode[e.errno], flush=True)
        return
    policy, state, role, _, version, suite = struct.unpack("4B2H", info[:8])
    subject = info[120:248].split(b"\0")[0].decode()
    print(f"attls policy {policy} state {state} role {role} "
          f"version {version:04x} suite {suite:04x} {subject}", flush=True)


def serve(address, port, echo):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(128)
    print("ready", flush=True)
    while True:
        s, peer = listener.accept()
        threading.Thread(target=read_all, args=(s, peer[0], echo),
                         daemon=True).start()


def call(address, port, text):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    try:
        s.connect((address, port))
    except OSError as e:
        print(f"failed {errno.errorcode[e.errno]}", flush=True)
        sys.exit(1)
    try:
        print("connected", s.getpeername()[1], flush=True)
    except OSError:             # reset since
        print("connected", flush=True)
    ask(s)
    try:
        s.sendall(text.encode())
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    read_all(s, address)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]), "echo" in sys.argv[4:])
    else:
        call(sys.argv[2], int(sys.argv[3]), sys.argv[4])
