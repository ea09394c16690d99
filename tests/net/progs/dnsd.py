#!/usr/bin/python3
"""A name server that knows one answer for A and one for AAAA, over UDP and
TCP: enough to be asked by dig.

    dnsd.py ADDRESS PORT
"""

import socket
import struct
import sys
import threading

ANSWERS = {1: socket.inet_pton(socket.AF_INET, "192.0.2.1"),
           28: socket.inet_pton(socket.AF_INET6, "2001:db8::1")}


def answer(query):
    at = 12
    while query[at]:
        at += query[at] + 1
    kind = struct.unpack("!H", query[at + 1:at + 3])[0]
    question = query[12:at + 5]
    data = ANSWERS.get(kind)
    record = b"" if data is None else struct.pack(
        "!HHHIH", 0xc00c, kind, 1, 60, len(data)) + data
    return query[:2] + struct.pack("!HHHHH", 0x8400, 1, bool(record), 0, 0) \
        + question + record


def serve_tcp(lis):
    while True:
        c, _ = lis.accept()
        with c:
            n, = struct.unpack("!H", c.recv(2, socket.MSG_WAITALL))
            out = answer(c.recv(n, socket.MSG_WAITALL))
            c.sendall(struct.pack("!H", len(out)) + out)


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    lis = socket.socket(family, socket.SOCK_STREAM)
    lis.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    lis.bind((address, port))
    lis.listen(16)
    u = socket.socket(family, socket.SOCK_DGRAM)
    u.bind((address, port))
    threading.Thread(target=serve_tcp, args=(lis,), daemon=True).start()
    print("ready", flush=True)
    while True:
        query, who = u.recvfrom(4096)
        u.sendto(answer(query), who)


if __name__ == "__main__":
    main()
