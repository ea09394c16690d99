#!/usr/bin/python3
"""The other end of a contract test: sockets of the kernel's stack, driven
over an AF_UNIX socket by a program that runs on the stack under test.

    peer.py PATH        serve; one thread for each control connection

Peer(PATH) in the program gives sockets that look like Python's:

    k = peer.socket(AF_INET, SOCK_STREAM); k.connect(addr); k.recv(5)
    wait = peer.start(k, "accept")      # goes on there while we do something
    conn, addr = wait()
"""

import pickle
import socket
import struct
import sys
import threading


def send_msg(s, value):
    data = pickle.dumps(value)
    s.sendall(struct.pack("!I", len(data)) + data)


def recv_exact(s, n):
    data = bytearray()
    while len(data) < n:
        part = s.recv(min(n - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def recv_msg(s):
    n, = struct.unpack("!I", recv_exact(s, 4))
    return pickle.loads(recv_exact(s, n))


# ---- serving side ----------------------------------------------------------

# Stands for a socket of the peer inside a message, with its number.
HANDLE = "socket of the peer"


def recv_all(s):
    """Everything until the end of the stream."""
    out = bytearray()
    while True:
        part = s.recv(1 << 20)
        if not part:
            return bytes(out)
        out += part


def echo(s):
    """Sends back what comes, until the other side stops. Bytes echoed."""
    n = 0
    while True:
        part = s.recv(1 << 20)
        if not part:
            s.shutdown(socket.SHUT_WR)
            return n
        s.sendall(part)
        n += len(part)


EXTRA = {"recv_all": recv_all, "recv_exact": recv_exact, "echo": echo}


def serve_one(control):
    socks = {}

    def wrap(value):
        if isinstance(value, socket.socket):
            socks[value.fileno()] = value
            return [HANDLE, value.fileno()]
        if isinstance(value, tuple):
            return tuple(wrap(x) for x in value)
        return value

    try:
        while True:
            number, method, args = recv_msg(control)
            try:
                if number is None:
                    value = socket.socket(*args)
                elif method in EXTRA:
                    value = EXTRA[method](socks[number], *args)
                else:
                    value = getattr(socks[number], method)(*args)
                send_msg(control, (wrap(value), None))
            except OSError as e:
                send_msg(control, (None, (e.errno, str(e))))
    except (EOFError, ConnectionError):
        pass
    finally:
        for s in socks.values():
            s.close()
        control.close()


def serve(path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        control = listener.accept()[0]
        threading.Thread(target=serve_one, args=(control,),
                         daemon=True).start()


# ---- calling side ----------------------------------------------------------

class RemoteSocket:
    def __init__(self, peer, number):
        self.peer, self.number = peer, number

    def __getattr__(self, method):
        return lambda *args: self.peer.start(self, method, *args)()


class Peer:
    def __init__(self, path):
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control.settimeout(60)
        self.control.connect(path)

    def close(self):
        self.control.close()

    def unwrap(self, value):
        if isinstance(value, list) and value and value[0] == HANDLE:
            return RemoteSocket(self, value[1])
        if isinstance(value, tuple):
            return tuple(self.unwrap(x) for x in value)
        return value

    def request(self, number, method, args):
        send_msg(self.control, (number, method, args))

        def result():
            value, error = recv_msg(self.control)
            if error:
                raise OSError(*error)
            return self.unwrap(value)
        return result

    def socket(self, *args):
        return self.request(None, None, args)()

    def start(self, sock, method, *args):
        return self.request(sock.number, method, args)


if __name__ == "__main__":
    serve(sys.argv[1])
