#!/usr/bin/python3
"""A hostile network: floods, scanners, forged packets, garbage beside a
transfer. The stack must live, serve who is legitimate, hold its memory, and
answer nothing that the RFCs forbid.

    test_hostile_net.py --build DIR CASE...
"""

import hashlib
import os
import re
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (PYTHON, V4_HOST, V4_STACK, V6_STACK, WORK, check,
                         check_equal, main, needs, options, sanitized, skip,
                         wait_for)

PORT = 8080

SERVER = """
import socket, sys, threading
def serve(c):
    try:
        while c.recv(65536):
            pass
        c.sendall(b'seen')
    except OSError:
        pass
    c.close()
l = socket.socket(socket.AF_INET6)
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(('::', %d)); l.listen(128)
print('up', flush=True)
while True:
    c, _ = l.accept()
    threading.Thread(target=serve, args=(c,), daemon=True).start()
"""


def server(net):
    p = net.prog([PYTHON, "-u", "-c", SERVER % PORT], name="server")
    p.says("up", 60)
    net.wait_port("p", 4, PORT, p, 60)
    return p


def hostile(net, *words):
    return net.host([os.path.join(net.build, "tests/net/hostile/hostile")] +
                    [str(w) for w in words], name="hostile")


def rss_kib(net):
    with open(f"/proc/{net.stackd_real_pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def talk(net, family, seconds):
    """One connection, a word each way; True when it worked."""
    fam = socket.AF_INET if family == 4 else socket.AF_INET6
    with net.h:
        s = socket.socket(fam, socket.SOCK_STREAM)
    s.settimeout(seconds)
    try:
        s.connect((net.address("p", family), PORT))
        s.sendall(b"hello")
        s.shutdown(socket.SHUT_WR)
        return s.recv(10) == b"seen"
    except OSError as e:
        print(f"IPv{family}: {e}")
        return False
    finally:
        s.close()


def alive(net, what):
    """The stack serves both families, still."""
    for family in (4, 6):
        check(talk(net, family, 30), f"IPv{family} is not served {what}")


# ---- flood --------------------------------------------------------------------

def cookies_sent(net):
    """What was never counted is not shown."""
    found = re.search(r"cookies_sent\s+\S+\s+(\d+)",
                      net.ctl("QUERY", "COUNTERS"))
    return int(found.group(1)) if found else 0


@options(seconds=240, on_kernel=False)
def test_syn_flood(net):
    """100,000 SYNs a second from spoofed addresses, or as many as this
    machine can send: at least 99 % of the connects of a client succeed, and
    memory stays bounded. A sanitized stackd is too slow for that rate: what
    would be tested is the kernel's queue in front of it."""
    rate, connects = (20000, 100) if sanitized(net.build) else (100000, 200)
    server(net)
    check(talk(net, 4, 30), "no service before the flood")
    before = rss_kib(net)
    flood = hostile(net, "syn", "cpl4", V4_STACK, PORT, rate, 200)
    wait_for(lambda: cookies_sent(net), "the flood to be answered by cookies",
             30)
    good, peak, start = 0, 0, time.monotonic()
    cookies = cookies_sent(net)
    for i in range(connects):
        good += talk(net, 4, 30)
        if i % 20 == 0:
            peak = max(peak, rss_kib(net))
    check(flood.alive(), "the flood ended before the connects did")
    took = time.monotonic() - start
    answered = (cookies_sent(net) - cookies) / took
    flood.kill()
    print(f"{good} of {connects} connects in {took:.1f} s, "
          f"{peak - before} KiB more, {answered:.0f} SYNs/s answered by cookies")
    check(good >= connects * 99 // 100,
          f"only {good} of {connects} connects succeeded")
    check(peak - before < 64 * 1024,
          f"memory grew by {peak - before} KiB during the flood")
    alive(net, "after the flood")


# ---- numbers --------------------------------------------------------------------

def capture_socket(net, ifname):
    with net.h:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                          socket.htons(3))
    s.bind((ifname, 0))
    s.settimeout(0.2)
    return s


def ones_sum(data):
    if len(data) % 2:
        data += b"\0"
    v = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while v >> 16:
        v = (v & 0xffff) + (v >> 16)
    return ~v & 0xffff


def syn_packet(sport, dport, seq):
    src, dst = socket.inet_aton(V4_HOST), socket.inet_aton(V4_STACK)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, 0, 5 << 4, 2, 65535,
                      0, 0)
    csum = ones_sum(src + dst + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", csum) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + src + dst
    return ip[:10] + struct.pack("!H", ones_sum(ip)) + ip[12:] + tcp


def collect_isns(net, count):
    """The ISNs of SYN-ACKs to `count` ports of ours."""
    s = capture_socket(net, "cpl4")
    isns, port = {}, 2000
    end = time.monotonic() + 60
    while len(isns) < count and time.monotonic() < end:
        for _ in range(50):
            port = 2000 + (port - 1999) % 60000
            s.send(syn_packet(port, PORT, port * 7919))
        while True:
            try:
                p = s.recv(2000)
            except socket.timeout:
                break
            if len(p) >= 40 and p[9] == 6 and p[33] & 0x3f == 0x12 and \
                    p[12:16] == socket.inet_aton(V4_STACK):
                isns[struct.unpack("!H", p[22:24])[0]] = \
                    struct.unpack("!I", p[24:28])[0]
    check(len(isns) >= count, f"only {len(isns)} SYN-ACKs came")
    return [isns[k] for k in sorted(isns)]


def spread(values, bits, what):
    """Chi-square of `values` over 16 bins by their highest bits. For 15
    degrees of freedom more than 60 comes once in two million times."""
    bins = [0] * 16
    for v in values:
        bins[v >> (bits - 4) & 15] += 1
    mean = len(values) / 16
    chi = sum((b - mean) ** 2 / mean for b in bins)
    check(chi < 60, f"{what} are not spread evenly: chi-square {chi:.1f}, "
                    f"{bins}")
    return chi


@options(seconds=200, on_kernel=False)
def test_isn_unpredictable(net):
    """[RFC9293 3.4.1 SHLD-1] [RFC6528 3] ISNs of different connections have
    nothing to do with each other: their differences are spread evenly."""
    server(net)
    isns = collect_isns(net, 1500)
    deltas = [(b - a) & 0xffffffff for a, b in zip(isns, isns[1:])]
    chi = spread(deltas, 32, "differences of ISNs")
    low = spread([(d << 16) & 0xffffffff for d in deltas], 32,
                 "low halves of the differences")
    common = max(deltas.count(d) for d in set(deltas))
    print(f"{len(isns)} ISNs, chi-square {chi:.1f} and {low:.1f}")
    check(common < 5, f"{common} times the same difference")


PORTS = """
import socket, sys
for i in range(%d):
    s = socket.socket()
    s.setblocking(False)
    try:
        s.connect(('10.77.%%d.%%d' %% (1 + i // 250, 1 + i %% 250), 9))
    except BlockingIOError:
        pass
    print(s.getsockname()[1])
    s.close()
"""


@options(seconds=200, on_kernel=False)
def test_ports_unpredictable(net):
    """[RFC6056 3.3.4] source ports towards different hosts do not follow
    from each other."""
    p = net.prog([PYTHON, "-c", PORTS % 1000], name="ports")
    ports = [int(x) for x in p.ok(120).split()]
    check_equal(len(ports), 1000, "ports seen")
    check(min(ports) >= 32768 and max(ports) <= 60999, "ports out of range")
    span = 60999 - 32768 + 1
    deltas = [((b - a) % span) * 65536 // span
              for a, b in zip(ports, ports[1:])]
    chi = spread(deltas, 16, "differences of ports")
    common = max(deltas.count(d) for d in set(deltas))
    print(f"chi-square {chi:.1f}")
    check(common < 10, f"{common} times the same difference")


# ---- scanners --------------------------------------------------------------------

@options(seconds=300, on_kernel=False)
def test_nmap(net):
    """nmap -O finds numbers it cannot foretell, and nothing that crashes."""
    needs("nmap")
    server(net)
    p = net.host(["nmap", "-n", "-Pn", "-O", "-v", "-p", f"1-50,{PORT}",
                  "--max-retries", "2", V4_STACK])
    text = p.ok(250)
    check(f"{PORT}/tcp open" in text, f"the open port is not found:\n{text}")
    found = re.search(r"TCP Sequence Prediction: Difficulty=(\d+)", text)
    check(found and int(found.group(1)) > 200,
          f"sequence numbers look predictable:\n{text}")
    check("Incremental" not in text.split("IP ID", 1)[-1].split("\n")[0] or
          "All zeros" in text, f"IP identifications count:\n{text}")
    alive(net, "after nmap -O")


@options(seconds=300, on_kernel=False)
def test_nmap_odd_scans(net):
    """Segments with odd flags: whatever they get, no port is opened by
    them, and the stack lives."""
    needs("nmap")
    server(net)
    for how in ("-sF", "-sX", "-sN", "-sM", "-sA", "-sU"):
        net.host(["nmap", "-n", "-Pn", how, "-p", f"20-30,{PORT}",
                  "--max-retries", "1", "--host-timeout", "60s",
                  V4_STACK]).ok(120)
    net.host(["nmap", "-6", "-n", "-Pn", "-sO", "--max-retries", "1",
              "--host-timeout", "60s", "-p", "0-70", V6_STACK]).ok(120)
    alive(net, "after nmap's odd scans")


THC = (("thcping6", "cpl6", "SRC", "DST"),
       ("implementation6", "cpl6", "DST"),
       ("fragmentation6", "cpl6", "DST"),
       ("exploit6", "cpl6", "DST"),
       ("denial6", "cpl6", "DST", "1"),
       ("denial6", "cpl6", "DST", "2"),
       ("randicmp6", "cpl6", "DST"),
       ("toobig6", "cpl6", "DST", "SRC", "48"),
       ("flood_router26", "cpl6"),
       ("flood_advertise6", "cpl6"),
       ("flood_solicitate6", "cpl6", "DST"),
       ("flood_redir6", "cpl6"),
       ("flood_mld6", "cpl6"),
       ("ndpexhaust26", "cpl6", "fd77::/64"),
       ("smurf6", "cpl6", "DST"),
       ("fuzz_ip6", "-x", "-1", "-t", "1", "-n", "1", "cpl6", "DST"))


@options(seconds=400, on_kernel=False)
def test_thc_ipv6(net):
    """The attack tools of thc-ipv6, a few seconds each: afterwards the stack
    serves, and its memory has not run away."""
    needs("atk6-thcping6")
    server(net)
    src = net.address("h", 6)
    before = rss_kib(net)
    for name, *words in THC:
        words = [{"SRC": src, "DST": V6_STACK}.get(w, w) for w in words]
        net.host(["timeout", "-s", "KILL", "5", f"/usr/bin/atk6-{name}"] +
                 words, name=name).wait(60)
        check(net.stackd.alive(), f"{name} ended stackd")
    grown = rss_kib(net) - before
    print(f"{grown} KiB more after {len(THC)} attacks")
    check(grown < 64 * 1024, f"memory grew by {grown} KiB")
    # a router said many things: what the deck says still holds
    wait_for(lambda: talk(net, 6, 10), "IPv6 to be served again", 60)
    check(talk(net, 4, 30), "IPv4 is not served")


SCAPY = """
import sys
from scapy.all import (AsyncSniffer, IP, TCP, UDP, ICMP, IPv6, conf, Raw,
                       ICMPv6EchoRequest, IPv6ExtHdrFragment, fragment,
                       IPOption_LSRR, send, sendp, Ether)
import time
dst, src, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
conf.verb = 0
# (name, packets, what may not come back)
tcp = lambda **k: IP(dst=dst) / TCP(dport=port, sport=4444, **k)
cases = [
  ("rst", [tcp(flags="R", seq=1), IP(dst=dst)/TCP(dport=1, flags="R")],
   lambda p: TCP in p),
  ("land", [IP(src=dst, dst=dst) / TCP(dport=port, sport=port, flags="S")],
   lambda p: TCP in p),
  ("loopback", [IP(src="127.0.0.1", dst=dst) / ICMP()], lambda p: True),
  ("broadcast source", [IP(src="255.255.255.255", dst=dst)
                        / UDP(dport=9) / b"x"], lambda p: True),
  ("error about an error", [IP(dst=dst) / ICMP(type=3, code=3) / IP(proto=99)],
   lambda p: ICMP in p),
  ("source route", [IP(dst=dst, options=IPOption_LSRR(routers=[src]))
                    / ICMP()], lambda p: True),
  ("redirect", [IP(dst=dst) / ICMP(type=5, code=1, gw="10.77.0.9")
                / IP(src=dst, dst="10.99.0.1") / UDP()], lambda p: True),
  ("overlap", [IP(dst=dst, id=7, flags="MF", proto=17) / Raw(b"a" * 32),
               IP(dst=dst, id=7, frag=2, proto=17) / Raw(b"b" * 32)],
   lambda p: UDP in p or ICMP in p),
  ("bad checksum", [IP(dst=dst) / TCP(dport=port, flags="S", chksum=1)],
   lambda p: TCP in p),
  ("multicast", [IP(dst="224.0.0.1") / TCP(dport=port, flags="S")],
   lambda p: TCP in p),
  ("timestamp", [IP(dst=dst) / ICMP(type=13)], lambda p: ICMP in p),
  ("mask", [IP(dst=dst) / ICMP(type=17)], lambda p: ICMP in p),
]
for name, packets, forbidden in cases:
    s = AsyncSniffer(iface="cpl4", store=True,
                     lfilter=lambda p: IP in p and p[IP].src == dst)
    s.start()
    time.sleep(0.3)
    for p in packets:
        send(p, iface="cpl4")
    time.sleep(0.5)
    got = s.stop() or []
    # what we sent with its own address as the source is no answer
    got = [p for p in got if not (name == "land" and p[IP].dst == dst)]
    bad = [p for p in got if forbidden(p)]
    print(name, "ok" if not bad else "FORBIDDEN " + bad[0].summary(),
          flush=True)
# and one that must come, or the silence above proves nothing
s = AsyncSniffer(iface="cpl4", store=True,
                 lfilter=lambda p: IP in p and p[IP].src == dst)
s.start()
time.sleep(0.3)
send(IP(dst=dst) / ICMP(id=5) / b"ping", iface="cpl4")
time.sleep(1)
print("echo", "ok" if any(ICMP in p for p in s.stop()) else "SILENT")
"""


@options(seconds=200, on_kernel=False)
def test_scapy(net):
    """Forged packets by scapy: none is answered that must not be."""
    server(net)
    with open(WORK + "/forge.py", "w", encoding="ascii") as f:
        f.write(SCAPY)
    p = net.host([PYTHON, WORK + "/forge.py", V4_STACK, V4_HOST, str(PORT)],
                 name="scapy")
    status = p.wait(150)
    text = p.text()
    if "No module named 'scapy'" in text:
        skip("python3-scapy is not installed; ./dev setup")
    check_equal(status, 0, f"scapy: {text}")
    check("FORBIDDEN" not in text and "SILENT" not in text, text)
    check("echo ok" in text, text)
    alive(net, "after scapy")


# ---- beside a transfer -------------------------------------------------------------

RECEIVER = """
import hashlib, socket
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(('0.0.0.0', 7777)); l.listen(1)
print('up', flush=True)
c, _ = l.accept()
h, n = hashlib.sha256(), 0
while True:
    b = c.recv(1 << 16)
    if not b:
        break
    h.update(b)
    n += len(b)
    c.sendall(b[:len(b) // 8])
print(n, h.hexdigest(), flush=True)
"""


def transfer(net, seconds, noise):
    """Bytes in both directions for as long as the noise lasts: intact."""
    r = net.prog([PYTHON, "-u", "-c", RECEIVER], name="receiver")
    r.says("up", 60)
    with net.h:
        s = socket.socket()
    s.settimeout(120)
    for _ in range(50):
        try:
            s.connect((V4_STACK, 7777))
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    back = [0]

    def drain():
        while True:
            b = s.recv(1 << 16)
            if not b:
                return
            back[0] += len(b)
    t = threading.Thread(target=drain, daemon=True)
    t.start()
    procs = [hostile(net, *words) for words in noise]
    h, n, end = hashlib.sha256(), 0, time.monotonic() + seconds
    block = hashlib.sha256(b"block").digest() * 512
    while time.monotonic() < end or any(p.alive() for p in procs):
        s.sendall(block)
        h.update(block)
        n += len(block)
    s.shutdown(socket.SHUT_WR)
    wait_for(lambda: len(r.text().split()) >= 3 or not r.alive(),
             "the receiver's sum", 120)
    got = r.text().split()
    check_equal(got[1:], [str(n), h.hexdigest()], "bytes and their sum")
    for p in procs:
        text = p.ok(60).strip()
        print(text)
        check(not text.startswith("sent 0 "), "nothing was thrown at it")
    t.join(60)
    print(f"{n >> 20} MiB there, {back[0] >> 20} MiB back, intact")


@options(seconds=200, on_kernel=False)
def test_garbage_beside_a_transfer(net):
    """Raw garbage at a stack that moves data: intact, no leak, no crash."""
    server(net)
    before = rss_kib(net)
    transfer(net, 12, [("garbage", "cpl4", V4_STACK, 12)])
    check(rss_kib(net) - before < 96 * 1024, "memory ran away")
    alive(net, "after garbage")


@options(seconds=200, on_kernel=False, deck_extra="ADAPTER OSA4 OFFLOAD OFF")
def test_mutants_beside_a_transfer(net):
    """Each fourth packet of the transfer comes again, damaged."""
    server(net)
    transfer(net, 12, [("mutate", "cpl4", 12), ("mutate", "cpl4", 12)])
    alive(net, "after mutants")


if __name__ == "__main__":
    main(globals())
