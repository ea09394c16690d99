#!/usr/bin/python3
"""A server in clear that begins TLS when it is asked, one thread for each
client (client/attls.h); and forty clients at once.

    attlsmany.py PORT                  under stackrun
    attlsmany.py PORT ADDRESS CAFILE   the clients
"""

import socket
import ssl
import sys
import threading

SOL_ATTLS, ATTLS_CONTROL, ATTLS_START = 0x41544c53, 4, 1
CLIENTS = 40


def exactly(s, n):
    got = b""
    while len(got) < n and (part := s.recv(n - len(got))):
        got += part
    return got


def serve_one(s):
    with s:
        if exactly(s, 8) != b"STARTTLS":
            return
        s.sendall(b"OK")
        s.setsockopt(SOL_ATTLS, ATTLS_CONTROL, ATTLS_START)
        s.sendall(exactly(s, 6)[::-1])
        exactly(s, 1)


def serve(port):
    lst = socket.create_server(("0.0.0.0", port), backlog=64)
    print("ready", flush=True)
    while True:
        threading.Thread(target=serve_one, args=(lst.accept()[0],),
                         daemon=True).start()


def call(port, address, cafile, results):
    c = ssl.create_default_context(cafile=cafile)
    s = socket.create_connection((address, port))
    s.sendall(b"STARTTLS")
    if exactly(s, 2) == b"OK":
        t = c.wrap_socket(s, server_hostname="server.test")
        t.sendall(b"abcdef")
        results.append(exactly(t, 6) == b"fedcba")
        t.unwrap()


def main():
    port = int(sys.argv[1])
    if len(sys.argv) == 2:
        serve(port)
    results = []
    threads = [threading.Thread(target=call, args=(port, *sys.argv[2:4],
                                                   results))
               for _ in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"{sum(results)} of {CLIENTS}", flush=True)


main()
