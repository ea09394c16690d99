"""tn_printer: a TN3270E printer client in a few lines, for what pr3287 is not
made for: thousands of clients in one process, and clients that are back at
once after a crash. It answers every record; SCS is kept as text (code page
037), 3270 data as it comes, one entry for each PRINT-EOJ.
"""

import selectors
import socket
import threading

IAC, EOR, SB, SE, DO, WILL = 0xff, 0xef, 0xfa, 0xf0, 0xfd, 0xfb
TN3270E, TIMING_MARK = 0x28, 0x06


class Client:
    """One connection's state; feed() takes bytes and returns the answer."""

    def __init__(self, lu, jobs, eoj_flags):
        self.lu, self.jobs, self.eoj_flags = lu.encode(), jobs, eoj_flags
        self.buf, self.text, self.ready = bytearray(), bytearray(), False

    def feed(self, data):
        self.buf += data
        out = b""
        while True:
            n, answer = self.step()
            if not n:
                return out
            out += answer
            del self.buf[:n]

    def step(self):
        """(bytes used, answer) of what stands first, (0, b"") if that is not
        complete."""
        b = self.buf
        if len(b) >= 3 and b[0] == IAC and b[1] in (DO, WILL):
            if b[2] == TN3270E:
                return 3, bytes((IAC, WILL, TN3270E))
            return 3, bytes((IAC, WILL if b[2] == TIMING_MARK else 0xfc, b[2]))
        if len(b) >= 3 and b[0] == IAC and b[1] == SB:
            end = b.find(bytes((IAC, SE)))
            return (end + 2, self.subneg(bytes(b[3:end]))) if end > 0 \
                else (0, b"")
        end = self.record_end()
        return (end, self.record(bytes(b[:end - 2]).replace(
            b"\xff\xff", b"\xff"))) if end else (0, b"")

    def record_end(self):
        i = 0
        while True:
            i = self.buf.find(IAC, i)
            if i < 0 or i + 1 >= len(self.buf):
                return 0
            if self.buf[i + 1] == EOR:
                return i + 2
            i += 2

    def subneg(self, s):
        if s[:2] == b"\x08\x02":                    # SEND DEVICE-TYPE
            return b"\xff\xfa\x28\x02\x07IBM-3287-1\x01" + self.lu + \
                b"\xff\xf0"
        if s[:2] == b"\x02\x04":                    # DEVICE-TYPE IS
            return b"\xff\xfa\x28\x03\x07\x00\x01\x02\x03\xff\xf0"
        if s[:2] in (b"\x03\x04", b"\x03\x07"):     # FUNCTIONS IS, REQUEST
            self.ready = True
        if s[:2] == b"\x03\x07":                    # fewer: agreed
            return b"\xff\xfa\x28\x03\x04" + s[2:] + b"\xff\xf0"
        return b""

    def record(self, r):
        kind, flag, seq = r[0], r[2], r[3:5]
        if kind in (0, 1):
            self.text += r[5:]
        elif kind == 8:
            self.eoj_flags.append(flag)
            self.end_job()
        if flag == 2:
            return b"\x02\x00\x00" + seq.replace(b"\xff", b"\xff\xff") + \
                b"\x00\xff\xef"
        return b""

    def end_job(self):
        if self.text:
            self.jobs.append(bytes(self.text).decode("cp037")
                             .replace("\x85", "\n"))
        self.text = bytearray()


class Clients:
    """Many of them on one thread; `jobs[lu]` is the paper. reconnect: a
    connection that ends is made again at once, what it had printed so far
    being on paper."""

    def __init__(self, net, address, port, lus, reconnect=False):
        self.net, self.where = net, (address, port)
        self.jobs = {lu: [] for lu in lus}
        self.eoj_flags = {lu: [] for lu in lus}    # of each PRINT-EOJ
        self.reconnect, self.stopped = reconnect, False
        self.sel = selectors.DefaultSelector()
        self.live = {}
        self.waiting = list(lus)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def ready(self):
        return sum(c.ready for c in list(self.live.values()))

    def connect(self, lu):
        s = socket.socket()
        try:
            s.connect(self.where)
        except OSError:
            s.close()
            return False
        s.setblocking(False)
        c = Client(lu, self.jobs[lu], self.eoj_flags[lu])
        self.live[s] = c
        self.sel.register(s, selectors.EVENT_READ)
        return True

    def run(self):
        with self.net.h:
            while not self.stopped:
                for _ in range(min(50, len(self.waiting))):
                    if not self.connect(self.waiting[0]):
                        break
                    self.waiting.pop(0)
                for key, _ in self.sel.select(0.02):
                    self.serve(key.fileobj)

    def serve(self, s):
        c = self.live[s]
        try:
            data = s.recv(262144)
            if data:
                out = c.feed(data)
                if out:
                    s.sendall(out)
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        c.end_job()
        self.sel.unregister(s)
        s.close()
        del self.live[s]
        if self.reconnect:
            self.waiting.append(c.lu.decode())

    def stop(self):
        self.stopped = True
        self.thread.join(10)
        for s in list(self.live):
            s.close()
