#!/usr/bin/python3
"""Much data one way, with a checksum at both ends.

    transfer.py serve ADDRESS PORT WAY BYTES      one connection, in clear
    transfer.py call ADDRESS PORT WAY BYTES CA    the same, TLS (OpenSSL)

WAY: up: the caller sends, down: the server does. Each MiB begins with its
number, so nothing may be lost, come twice or change places. An end without
close_notify is an error. Prints "bytes N SHA256", what was sent or received.
"""

import hashlib
import os
import socket
import ssl
import sys

BLOCK = 1 << 20


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def send(s, size):
    block, h = bytearray(os.urandom(BLOCK)), hashlib.sha256()
    for at in range(0, size, BLOCK):
        block[:8] = at.to_bytes(8, "big")
        part = memoryview(block)[:min(BLOCK, size - at)]
        s.sendall(part)
        h.update(part)
    return size, h


def take(s):
    block, n, h = memoryview(bytearray(BLOCK)), 0, hashlib.sha256()
    while got := s.recv_into(block):
        n += got
        h.update(block[:got])
    return n, h


def finish(s):
    """Our direction ends; waits until the peer ends his."""
    if isinstance(s, ssl.SSLSocket):
        s = s.unwrap()
    else:
        s.shutdown(socket.SHUT_WR)
    while s.recv(BLOCK):
        pass


def main():
    role, address, port, way, size = sys.argv[1:6]
    s = socket.socket(family_of(address), socket.SOCK_STREAM)
    if role == "serve":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, int(port)))
        s.listen(1)
        print("ready", flush=True)
        s = s.accept()[0]
    else:
        s.connect((address, int(port)))
        s = ssl.create_default_context(cafile=sys.argv[6]).wrap_socket(
            s, server_hostname=address, suppress_ragged_eofs=False)
    sends = (role == "call") == (way == "up")
    n, h = send(s, int(size)) if sends else take(s)
    print("bytes", n, h.hexdigest(), flush=True)
    if sends:
        finish(s)
    elif role == "call":
        s.unwrap()              # going without a word is a reset
    s.close()


if __name__ == "__main__":
    main()
