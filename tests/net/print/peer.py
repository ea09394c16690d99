"""peer: a tnserver of ours with one of Debian's clients at it, for the tests
of this folder. Python's standard library only."""

import os
import queue
import subprocess
import threading

from couplet_net import WORK, Failure, Proc, check_equal, wait_for

# sets of functions, as tnserver takes them
BIND, DSC, RESP, SCS, SYSREQ = 1, 2, 4, 8, 16
PRINTER = BIND | DSC | RESP | SCS
# types of record
T_3270, T_SCS, T_RESPONSE, T_BIND, T_UNBIND, T_NVT, T_REQUEST, T_SSCP, \
    T_EOJ = range(9)
NONE, ERROR, ALWAYS = range(3)


class Server:
    """A tnserver; lines it says can be waited for in order."""

    def __init__(self, tool, *options):
        self.p = subprocess.Popen([tool, *options], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.port = int(self.expect("port").split()[1])

    def read(self):
        for line in self.p.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def next(self, seconds=60):
        """The next line; Failure when none comes."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise Failure("tnserver says nothing more") from None
        if line is None:
            raise Failure(f"tnserver ended with {self.p.wait(10)}")
        return line

    def expect(self, start, seconds=60):
        """The next line, which begins with `start`."""
        line = self.next(seconds)
        if not line.startswith(start):
            raise Failure(f"tnserver said {line!r}, not {start!r}")
        return line

    def say(self, *words):
        self.p.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.p.stdin.flush()

    count = 0

    def send(self, kind, data=b"", flag=ALWAYS, answer="device end"):
        """One record; its answer when it asks for one."""
        path = "-"
        if data:
            Server.count += 1
            path = f"{WORK}/rec{Server.count}"
            with open(path, "wb") as f:
                f.write(data)
        self.say("send", kind, flag, path)
        seq = self.expect("sent").split()[1]
        if path != "-":
            os.unlink(path)
        if flag == ALWAYS and answer:
            want_seq = seq if kind in (T_3270, T_SCS) else "0"
            check_equal(self.expect("response"),
                        f"response {want_seq} {answer} expected",
                        f"answer to a record of type {kind}")
        return seq

    def bind(self, lu_type=1, plu="PRTAPPL"):
        self.say("bind", lu_type, plu, NONE)
        self.expect("sent")

    def accept(self, name="P001", offer=PRINTER, need=0):
        """DEVICE is there: lets it in, waits for READY."""
        self.say("accept", name, f"{offer:x}", f"{need:x}")
        return self.expect("ready")

    def finish(self):
        self.p.stdin.close()
        status = self.p.wait(30)
        check_equal(status, 0, "exit status of tnserver")


class Printer:
    """A pr3287 whose jobs come out as files, one each."""

    def __init__(self, port, lu="P001", options=(), prefix="", command=None):
        Printer.count += 1
        self.folder = f"{WORK}/pr{Printer.count}"
        os.mkdir(self.folder)
        script = self.folder + "/take"
        with open(script, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\nset -e\ncd {self.folder}\n"
                    "n=$(ls | grep -c '^job' || true)\n"
                    "cat >tmp\nmv tmp job$n\n")
        os.chmod(script, 0o755)
        env = dict(os.environ, LC_ALL="C.UTF-8")
        name = f"{lu}@" if lu else ""
        self.p = Proc(["pr3287", "-command", command or script, *options,
                       f"{prefix}{name}127.0.0.1:{port}"], env=env)

    count = 0

    def job(self, n):
        path = f"{self.folder}/job{n}"
        wait_for(lambda: os.path.exists(path), f"job {n} of pr3287", 60)
        with open(path, "rb") as f:
            return f.read()

    def jobs(self):
        return len([n for n in os.listdir(self.folder)
                    if n.startswith("job")])


def stream(tool, *words, data=b""):
    """What tests/net/print/streams makes of data: (stdout, stderr)."""
    r = subprocess.run([tool, *words], input=data, capture_output=True,
                       check=False, timeout=60)
    if r.returncode:
        raise Failure(f"streams {words}: {r.stderr.decode()}")
    return r.stdout, r.stderr.decode()


def records(data):
    """The records of a file of `streams encode-lu3`."""
    out = []
    while data:
        n = int.from_bytes(data[:4], "big")
        out.append(data[4:4 + n])
        data = data[4 + n:]
    return out
