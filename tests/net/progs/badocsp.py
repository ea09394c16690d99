#!/usr/bin/python3
"""An OCSP responder that does what none should; the path says what.

    badocsp.py ADDRESS PORT

garbage, html, missing, big, headers, drip, silent, nothing. `ready` when it
listens; one line with the path for each question.
"""

import socket
import sys
import threading

HEAD = (b"HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n"
        b"Content-Length: %d\r\n\r\n")


def flood(c, head, piece):
    """Sends without an end, until the other side has had enough."""
    c.sendall(head)
    while True:
        c.sendall(piece)


def drip(c, _):
    """Always a little, never all: no time-out between two bytes ends it."""
    c.sendall(HEAD % 1000)
    c.settimeout(0.2)
    while True:
        c.sendall(b"0")
        try:
            if not c.recv(1):
                return
        except TimeoutError:
            pass


def silent(c, _):
    while c.recv(4096):
        pass


WAYS = {
    "garbage": lambda c, _: c.sendall(HEAD % 5 + b"\x30\x03abc"),
    "html": lambda c, _: c.sendall(
        b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>hello"),
    "missing": lambda c, _: c.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n"),
    # a length in DER that is more than anybody should believe
    "big": lambda c, _: flood(c, HEAD % (1 << 30) + b"\x30\x84\x3f\xff\xff\xff",
                              b"x" * 65536),
    "headers": lambda c, _: flood(c, b"HTTP/1.0 200 OK\r\n",
                                  b"X-More: of the same\r\n" * 100),
    "drip": drip,
    "silent": silent,
    "nothing": lambda c, _: None,
}


def serve(c):
    with c:
        try:
            request = c.recv(65536)
            way = request.split()[1].decode().strip("/")
            print("asked", way, flush=True)
            WAYS[way](c, request)
        except OSError:
            pass
    print("over", flush=True)


def main():
    with socket.create_server((sys.argv[1], int(sys.argv[2]))) as s:
        print("ready", flush=True)
        while True:
            c, _ = s.accept()
            threading.Thread(target=serve, args=(c,), daemon=True).start()


main()
