#!/usr/bin/python3
"""Mistakes and accidents: the message names the cause, the exit status is not
zero where it ends, and nothing half-configured stays behind.

    test_faults.py --build DIR CASE...
"""

import errno
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (ID, PROGS, PYTHON, V4_HOST, V4_STACK, WORK,
                         Failure, Namespace, Proc, check, check_equal, main, options,
                         run, wait_for)


def fault(fn=None, seconds=60, **net_args):
    """These cases start stackd themselves and need no baseline."""
    def mark(f):
        return options(seconds=seconds, on_kernel=False, **net_args)(f)
    return mark(fn) if fn else mark


def refuses(net, deck, *words, run_dir=None, prefix=()):
    """stackd ends by itself, not with 0, names every one of `words`, and
    leaves neither interface nor file."""
    path = WORK + "/deck2"
    with open(path, "w", encoding="utf-8") as f:
        f.write(deck)
    folder = run_dir or WORK + "/run2"
    os.makedirs(folder, exist_ok=True)
    p = net.keep(Proc(net.h.argv([*prefix, net.tool("stackd"), "-f", path,
                                  "--run", folder]), name="stackd-bad",
                      env=net.stackd_env("-bad")))
    status = p.wait(20)
    check(status > 0, f"exit status {status}:\n{p.tail()}")
    for word in words:
        check(word in p.text(), f"{word!r} is not in:\n{p.text()}")
    left = [n for _, n in interfaces(net) if n.startswith("bad")]
    check(not left, f"interfaces left behind: {left}")
    if run_dir is None:
        files = [f for _, _, names in os.walk(folder) for f in names]
        check(not files, f"files left behind: {files}")
    return p.text()


def interfaces(net):
    with net.h:
        return socket.if_nameindex()


GOOD = f"""ID 55
DEVICE OSA0 OSAX D10 PORTA D12
ADAPTER OSA0 IFNAME bad0 HOSTADDR 10.55.0.1/24
LINK OSA0 0 10.55.0.2 255.255.255.0 1500
ROUTE OSA0 10.55.0.0 255.255.255.0 0.0.0.0 0
ATTACH TCP/IP
"""


@fault
def test_bad_deck(net):
    """Every error is listed, with line and operand; nothing is started."""
    bad = GOOD.replace("10.55.0.2", "10.55.0.300").replace(
        "ROUTE OSA0 10", "ROUTE OSA7 10")
    text = refuses(net, bad, "10.55.0.300", "OSA7", ":4:", ":5:")
    check(text.count("10.55.0.300") >= 1, text)


@fault
def test_no_such_deck(net):
    p = net.keep(Proc([net.tool("stackd"), "-f", WORK + "/nowhere"],
                      name="stackd-bad", env=net.stackd_env("-bad")))
    check(p.wait(20) > 0, "it ended with 0")
    check("nowhere" in p.text() and "No such file" in p.text(), p.text())


@fault
def test_missing_tun_device(net):
    """/dev without net/tun, as in many containers."""
    os.mkdir(WORK + "/dev")
    prefix = ["unshare", "--mount", "sh", "-c",
              f"mount --bind {WORK}/dev /dev/net && exec \"$@\"", "sh"]
    refuses(net, GOOD, "/dev/net/tun", "OSA0", prefix=prefix)


@fault
def test_duplicate_id(net):
    """A second stackd with the ID of one that lives; the first goes on."""
    refuses(net, GOOD.replace("ID 55", f"ID {ID}"), ID,
            str(net.stackd.pid), run_dir=net.run_dir)
    net.h.run(["ping", "-c", "1", "-W", "2", V4_STACK])
    check("OSA4" in net.ctl("QUERY", "LINKS"), "the console is gone")


@fault
def test_id_of_a_dead_stackd(net):
    """What a killed stackd left is cleared away by the next one."""
    net.stackd.kill(signal.SIGKILL)
    net.stackd.wait(5)
    net.start_stackd()
    net.h.run(["ping", "-c", "1", "-W", "2", V4_STACK])
    check("OSA4" in net.ctl("QUERY", "LINKS"), "the console does not answer")


@fault
def test_interface_in_use(net):
    net.h.run(["ip", "link", "add", "bad0", "type", "bridge"])
    path = WORK + "/deck2"
    with open(path, "w", encoding="utf-8") as f:
        f.write(GOOD)
    os.mkdir(WORK + "/run2")
    p = net.keep(Proc(net.h.argv([net.tool("stackd"), "-f", path, "--run",
                                  WORK + "/run2"]), name="stackd-bad",
                      env=net.stackd_env("-bad")))
    check(p.wait(20) > 0, "it ended with 0")
    check("bad0" in p.text() and "OSA0" in p.text(), p.text())
    net.h.run(["ip", "link", "del", "bad0"])


@fault
def test_no_permission(net):
    """Without the right to make interfaces."""
    text = refuses(net, GOOD, "OSA0",
                   prefix=["setpriv", "--bounding-set=-net_admin",
                           "--inh-caps=-net_admin"])
    check("permitted" in text or "denied" in text, text)


@fault
def test_console_of_a_stack_that_is_down(net):
    p = net.keep(Proc([net.tool("stackctl"), "-i", "66", "--run",
                       net.run_dir, "QUERY", "LINKS"], name="stackctl"))
    check(p.wait(20) > 0, "it ended with 0")
    check("66" in p.text(), p.text())
    check(any(w in p.text().lower() for w in ("not running", "no stackd",
                                              "is down", "no such")),
          p.text())


@fault
def test_program_of_a_stack_that_is_down(net):
    """The program gets an error at once and nothing leaks to the host."""
    p = net.keep(Proc(net.h.argv(
        [net.tool("stackrun"), "-i", "66", "--run", net.run_dir, "curl",
         "-sS", "--max-time", "10", f"http://{V4_HOST}:1/"]), name="curl"))
    start = time.monotonic()
    check(p.wait(20) != 0, "curl ended with 0")
    check(time.monotonic() - start < 5, "it hung")
    check("66" in p.text() or "etwork" in p.text(), p.text())


@fault
def test_bad_console_command(net):
    out = net.ctl("QUERY", "NONSENSE", check_status=False)
    check("NONSENSE" in out, out)
    p = net.keep(Proc([net.tool("stackctl"), "-i", ID, "--run", net.run_dir,
                       "PORT", "99999", "SUSPEND"], name="stackctl"))
    check(p.wait(10) > 0, "a bad command ended with 0")
    check("99999" in p.text(), p.text())
    net.ctl("QUERY", "LINKS")


BRIDGED = """ID 66
DEVICE OSA0 OSAX D10 PORTA D12 LAYER2 02005E660002
ADAPTER OSA0 MEDIUM TAP IFNAME bad0 BRIDGE br0
LINK OSA0 0 10.66.0.2 255.255.255.0 1500
LINK OSA0 1 fd66::2 /64 1500
ATTACH TCP/IP
"""


@fault
def test_address_of_the_host(net):
    """The host has the address on the bridge that the stack joins."""
    net.h.run(["ip", "link", "add", "br0", "type", "bridge"])
    net.h.run(["ip", "link", "set", "br0", "up"])
    net.h.run(["ip", "addr", "add", "10.66.0.2/24", "dev", "br0"])
    refuses(net, BRIDGED, "OSA0", "10.66.0.2", "br0")


@fault(seconds=90)
def test_second_owner_of_the_address(net):
    """Another machine on the link holds the addresses: the stack does not
    use them, says who has them, and leaves that machine alone."""
    x = Namespace("x")
    run(["ip", "link", "add", "wire", "netns", "h", "type", "veth", "peer",
         "eth0", "netns", "x"])
    net.h.run(["ip", "link", "add", "br0", "type", "bridge"])
    net.h.run(["ip", "link", "set", "wire", "master", "br0"])
    for name in ("br0", "wire"):
        net.h.run(["ip", "link", "set", name, "up"])
    x.run(["ip", "link", "set", "eth0", "up", "address",
           "02:00:00:00:00:99"])
    x.run(["ip", "addr", "add", "10.66.0.2/24", "dev", "eth0"])
    x.run(["ip", "addr", "add", "fd66::2/64", "dev", "eth0", "nodad"])
    net.h.run(["ip", "addr", "add", "10.66.0.1/24", "dev", "br0"])
    net.h.run(["ping", "-c", "1", "-W", "5", "10.66.0.2"])
    net.stop_stackd()
    net.start_stackd(BRIDGED, wait=False)

    def named():
        text = net.stackd.text().lower()
        check(net.stackd.alive(), "stackd ended:\n" + text)
        return "10.66.0.2" in text and "fd66::2" in text and \
            "02:00:00:00:00:99" in text
    try:
        wait_for(named, "a message that names both addresses and the owner",
                 15)
    except Failure as e:
        raise Failure(f"{e}\n{net.stackd.text()}") from None
    net.h.run(["ping", "-c", "1", "-W", "2", "10.66.0.2"])
    out = net.h.run(["ip", "neigh", "show", "10.66.0.2"])
    check("02:00:00:00:00:99" in out, f"the owner lost its address: {out}")


@fault
def test_full_disk_for_the_trace(net):
    """The trace ends with a reason, the stack goes on."""
    os.mkdir(WORK + "/disk")
    run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs",
         WORK + "/disk"])
    net.ctl("TRACE", "START", WORK + "/disk/t.pcapng")
    text = ""
    for _ in range(20):
        net.h.run(["ping", "-c", "20", "-i", "0.002", "-s", "1400", "-q",
                   V4_STACK])
        text = net.ctl("TRACE", "STATUS", check_status=False) + \
            net.stackd.text()
        if "No space" in text:
            break
    check("No space left" in text, "no word of the full disk:\n" + text)
    net.ctl("TRACE", "STOP", check_status=False)
    net.h.run(["ping", "-c", "1", "-W", "2", V4_STACK])
    run(["umount", WORK + "/disk"])


@fault
def test_trace_is_readable(net):
    """tcpdump reads what was traced, while it runs and afterwards."""
    net.ctl("TRACE", "START", WORK + "/t.pcapng")
    net.h.run(["ping", "-c", "3", "-i", "0.01", V4_STACK])

    def seen():
        out = run(["tcpdump", "-nr", WORK + "/t.pcapng", "icmp"])
        return out.count("ICMP echo request") == 3 and \
            out.count("ICMP echo reply") == 3
    wait_for(seen, "six ICMP packets in the trace", 5)
    net.ctl("TRACE", "STOP")
    check(seen(), "the trace broke when it was stopped")


@fault
def test_stackd_killed(net):
    """kill -9 in mid-transfer: programs see a reset, never an end of file,
    in both directions, as client and as server. A program that only writes
    sees what AF_UNIX gives a writer: EPIPE, with its signal."""
    progs = []
    for role, way in (("connect", "recv"), ("connect", "send"),
                      ("listen", "recv"), ("listen", "send")):
        progs += killed_pair(net, role, way)
    time.sleep(0.3)         # the transfers are under way
    net.stackd.kill(signal.SIGKILL)
    net.stackd.wait(5)
    net.stackd = None
    for p in progs:
        status = p.wait(20)
        check(status == -signal.SIGPIPE or "Connection reset" in p.text() or
              "Broken pipe" in p.text(),
              f"{p.argv}: exit {status}: {p.text()}")
        check(status != 0, f"{p.argv} ended with 0")
        if "recv" in p.argv:
            check("Connection reset" in p.text(), p.text())
    run(["rm", "-rf", net.run_dir])


def killed_pair(net, role, way):
    """A program on the stack in a transfer that does not end; a kernel peer
    for it."""
    tool = os.path.join(net.build, "tests", "bench", "bench_stream")
    other = {"recv": "send", "send": "recv"}[way]
    port = 7000 + len(net.procs)
    size = str(1 << 50)
    if role == "listen":
        p = net.prog([tool, "listen", way, V4_STACK, str(port), size],
                     name="stream").says("ready")
        net.host([tool, "connect", other, V4_STACK, str(port), size])
    else:
        net.host([tool, "listen", other, V4_HOST, str(port), size],
                 name="peer").says("ready")
        p = net.prog([tool, "connect", way, V4_HOST, str(port), size],
                     name="stream")
    return [p]


@fault
def test_restart_under_a_program(net):
    """A program that outlives its stackd can use the next one."""
    code = ("import socket, sys\n"
            "def once():\n"
            "    s = socket.create_connection((sys.argv[1], 7000), 10)\n"
            "    s.sendall(b'x'); s.recv(1)\n"
            "once(); print('first', flush=True); input()\n"
            "once(); print('second', flush=True)\n")
    net.host(["socat", f"TCP4-LISTEN:7000,bind={V4_HOST},reuseaddr,fork",
              "PIPE"], name="socat")
    net.wait_port("h", 4, 7000)
    r, w = os.pipe()
    p = net.prog([PYTHON, "-c", code, V4_HOST], name="python3", stdin=r)
    p.says("first")
    net.stackd.kill(signal.SIGKILL)
    net.stackd.wait(5)
    net.start_stackd()
    os.write(w, b"\n")
    p.ok(20)
    check("second" in p.text(), p.text())


@fault
def test_port_suspended(net):
    """PORT n SUSPEND refuses new connections, keeps the old ones."""
    p = net.prog([PYTHON, "-u", PROGS + "/dnsd.py", V4_STACK, "5300"],
                 name="dnsd").says("ready")

    def connect():
        with net.h:
            s = socket.socket()
        s.settimeout(3)
        try:
            return s.connect_ex((V4_STACK, 5300)), s
        except socket.timeout:
            return errno.ETIMEDOUT, s
    status, old = connect()
    check_equal(status, 0, "connect before")
    net.ctl("PORT", "5300", "SUSPEND")
    check_equal(connect()[0], errno.ECONNREFUSED, "connect while suspended")
    net.ctl("PORT", "5300", "RESUME")
    check_equal(connect()[0], 0, "connect after")
    old.close()
    p.stop()


@fault
def test_no_leak_to_the_host(net):
    """A program that runs in the host's own namespace reaches the stack's
    peers through the stack only."""
    code = ("import socket, sys\n"
            "s = socket.create_connection((sys.argv[1], 7000), 10)\n"
            "print(s.getsockname()[0])\n"
            "try:\n"
            "    socket.create_connection(('127.0.0.1', 7000), 5)\n"
            "except OSError as e: print('loopback', e.errno)\n")
    net.host(["socat", "TCP4-LISTEN:7000,reuseaddr,fork", "PIPE"],
             name="socat")
    net.wait_port("h", 4, 7000)
    p = net.keep(Proc(net.h.argv(net.stackrun([PYTHON, "-c", code,
                                               V4_HOST])), name="python3"))
    lines = p.ok(20).split("\n")
    check_equal(lines[:2], [V4_STACK, f"loopback {errno.ECONNREFUSED}"],
                "local address, and loopback which is the stack's own")


if __name__ == "__main__":
    main(globals())
