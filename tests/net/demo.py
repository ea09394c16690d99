#!/usr/bin/python3
"""./dev demo: what Couplet does, in a minute. Two stacks in network
namespaces of their own, IPv4 on a TUN port and IPv6 on a TAP port, under
programs exactly as Debian ships them. Everything is gone afterwards.

    demo.py --build DIR
"""

import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)
from couplet_net import (V4_HOST, V4_STACK, V6_HOST, V6_STACK, WORK, Failure,
                         Net, Proc, check, check_equal, inside)
import couplet_print as prn
from tls_net import CERTS, Tlsd, standard_certs
import test_programs as programs
import test_tlsd


class TwoStacks(Net):
    """Stack 41 has IPv4 on a layer 3 port, stack 61 IPv6 on a layer 2 port;
    each runs in the namespace h, where the kernel's side of its port is."""

    decks = {
        4: f"""ID 41
* layer 3: IP packets through a TUN device
DEVICE OSA0 OSAX D10 PORTA D12
ADAPTER OSA0 IFNAME cpl4 HOSTADDR {V4_HOST}/24
LINK OSA0 0 {V4_STACK} 255.255.255.0 1500
ROUTE OSA0 10.77.0.0 255.255.255.0 0.0.0.0 0
HOST demo {V4_HOST}
ATTACH TCP/IP
""",
        6: f"""ID 61
* layer 2: Ethernet frames through a TAP device
DEVICE OSA1 OSAX D60 PORTB D62 LAYER2 02005E610002
ADAPTER OSA1 IFNAME cpl6 HOSTADDR {V6_HOST}/64
LINK OSA1 0 {V6_STACK} /64 1500
ROUTE OSA1 fd77::2 /64 ::0 0
HOST demo {V6_HOST}
ATTACH TCP/IP
"""}
    ids = {4: "41", 6: "61"}

    def start_stackd(self, deck=None, wait=True, args=()):
        self.daemons = []
        for family in (4, 6):
            self.families = str(family)
            self.daemons.append(super().start_stackd(self.decks[family]))
            self.stackd = None
        self.families = "46"

    def on(self, family, argv, **kw):
        """A program on the stack of that family."""
        argv = [self.tool("stackrun"), "-i", self.ids[family], "--run",
                self.run_dir] + argv
        return self.keep(Proc(self.p.argv(argv), **kw))

    def finish(self, failed):
        for p in reversed(self.procs):
            p.stop(3)
        for d in getattr(self, "daemons", []):
            d.kill()
            status = d.wait(20)
            if status:
                print(f"stackd ended with {status}:\n{d.tail()}")


def say(text):
    print(f"  {text}", flush=True)


def title(text):
    print(f"\n{text}", flush=True)


def curl(net, start, address, sha, size):
    out = start(["curl", "-sS", "-g", "-o", WORK + "/got", "-w",
                 "%{http_code} %{speed_download}",
                 f"http://{programs.host_in_url(address)}:8080/big"],
                name="curl").ok(60)
    code, speed = out.split()
    check_equal(code, "200", "status of the answer")
    check_equal(os.path.getsize(WORK + "/got"), size, "length")
    check_equal(programs.sha_of(WORK + "/got"), sha, "sha256")
    return f"{size >> 20} MiB, checksum right, {float(speed) / 1e6:.0f} MB/s"


def nginx_conf(address):
    d = f"{WORK}/nginx"
    os.makedirs(d + "/www/up", exist_ok=True)
    size = 64 << 20
    sha = programs.make_file(d + "/www/big", size) \
        if not os.path.exists(d + "/www/big") \
        else programs.sha_of(d + "/www/big")
    conf = programs.NGINX.format(dir=d, sendfile="on", workers=2, reuse="",
                                 multi="")
    listen = f"listen {programs.host_in_url(address)}:8080;"
    conf = conf.replace("listen 0.0.0.0:8080 ;", listen).replace(
        "listen [::]:8080 ;", "")
    path = f"{WORK}/nginx-{address.replace(':', '_')}.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write(conf)
    return ["nginx", "-e", "stderr", "-p", d, "-c", path], sha, size


def demo_web(net):
    title("nginx on the stack, the kernel's curl fetches")
    for family, address in ((4, V4_STACK), (6, V6_STACK)):
        argv, sha, size = nginx_conf(address)
        p = net.on(family, argv, name="nginx")
        net.wait_port("p", family, 8080, p)
        say(f"IPv{family} {address}: "
            + curl(net, net.host, address, sha, size))
        p.stop()
    title("nginx on the kernel, curl on the stack fetches")
    for family, address in ((4, V4_HOST), (6, V6_HOST)):
        argv, sha, size = nginx_conf(address)
        p = net.host(argv, name="nginx")
        net.wait_port("h", family, 8080, p)
        say(f"IPv{family} {address}: " + curl(
            net, lambda a, f=family, **kw: net.on(f, a, **kw), address, sha,
            size))
        p.stop()


def demo_ssh(net):
    title("sshd on the stack, ssh from the kernel logs in")
    for family, address in ((4, V4_STACK), (6, V6_STACK)):
        d = programs.ssh_keys()
        p = net.on(family, [
            "/usr/sbin/sshd", "-D", "-e", "-f", d + "/sshd_config", "-o",
            f"ListenAddress={programs.host_in_url(address)}:2222"],
            name="sshd").says("Server listening")
        start = time.monotonic()
        out = net.host(programs.ssh_argv("ssh") + [
            f"root@{address}", "echo login of $USER; echo from "
            "$SSH_CONNECTION"], name="ssh").ok(40)
        check("login of root" in out, out)
        say(f"IPv{family}: " + ", ".join(out.split("\n")[:2])
            + f", {time.monotonic() - start:.2f} s")
        p.stop()


def demo_iperf(net):
    title("iperf3, one stream each way, server on the stack")
    for family, address in ((4, V4_STACK), (6, V6_STACK)):
        p = net.on(family, ["iperf3", "-s", "--forceflush", "-B", address],
                   name="iperf3-s").says("Server listening")
        for name, extra in (("up", []), ("down", ["-R"])):
            end = json.loads(net.host(
                ["iperf3", "-c", address, "-J", "-t", "3", "-C", "cubic",
                 *extra], name="iperf3").ok(30))["end"]
            rate = end["sum_received"]["bits_per_second"] / 1e9
            say(f"IPv{family} {name:<4} {rate:6.2f} Gbit/s, "
                f"{end['sum_sent']['retransmits']} retransmits")
        p.stop()


def https_conf():
    d = f"{WORK}/nginx"
    path = WORK + "/nginx-tls.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write(test_tlsd.NGINX_TLS.format(
            dir=d, certs=CERTS, name="SERVER",
            extra=f"ssl_client_certificate {CERTS}/root.crt; "
                  "ssl_verify_client on;"))
    return ["nginx", "-e", "stderr", "-p", d, "-c", path]


def fetch_tls(net, start, url, sha, *words):
    start(["curl", "-sS", "-f", "-o", WORK + "/got", *words, url],
          name="curl").ok(60)
    check_equal(programs.sha_of(WORK + "/got"), sha, "sha256")


def demo_tls(net):
    title("tlsd: TLS for programs that know nothing of it")
    standard_certs()
    argv, sha, _ = nginx_conf(V4_STACK)
    ca = CERTS + "/root.crt"
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER",
                      "HANDSHAKE_SERVER 2", "CA_AUTH YES",
                      "ATTLS 8080 AS 443 SSL CLOSED",
                      "KEYFILE CLIENT", "OPTION CLIENT",
                      "HANDSHAKE_CLIENT 0",
                      "ATTLS 80 TO ANY AS 8443 SSL"], stack=net.ids[4])
    clear = net.on(4, argv, name="nginx")
    tlsd.proc.says("Listening on port 443", 30)
    fetch_tls(net, net.host, f"https://{V4_STACK}/big", sha, "--cacert", ca,
              "--cert", CERTS + "/CLIENT.PEM")
    say(f"clear-text nginx is https://{V4_STACK}/ for the host's curl: "
        + shake(tlsd))
    refused = net.host(["curl", "-sS", "--cacert", ca,
                        f"https://{V4_STACK}/"], name="curl")
    check(refused.wait(30) != 0, "a client without a certificate got in")
    say("without a certificate: " + shake(tlsd))
    https = net.host(https_conf(), name="nginx-tls")
    net.wait_port("h", 4, 8443, https)
    fetch_tls(net, lambda a, **kw: net.on(4, a, **kw),
              f"http://{V4_HOST}/big", sha)
    say("clear-text curl fetches from an HTTPS server that wants a "
        "certificate: " + shake(tlsd))
    for p in (clear, https, tlsd.proc):
        p.stop()


def shake(tlsd):
    h = tlsd.last()
    if h["result"] != "ok":
        return f"refused, {h['reason']}"
    return f"{h['version']}, {h['suite']}, {h['group']}, {h['certificate']}"


def demo_print(net):
    title("printd on the stack; printers of Debian on the kernel")
    with open(os.path.join(HERE, "demo.py"), encoding="utf-8") as f:
        text = f.read()
    out = prn.fresh("print-out", folder=True)
    p = prn.Printd(net, "PRINTER P003 BSTTVNET SCS\n"
                   "LPR PRT2 BSTTVNET {there} 5515 * hp2505\n"
                   "DIRECT PRT1 BSTTVNET {there} 9100 *\n"
                   f"PDF ARCHIVE BSTTVNET {out}\nLU ARCHIVE LINES 66\n")
    papers = {"P003": out + "/pr3287", "PRT1": out + "/p910nd"}
    prn.pr3287(net, p, "P003", papers["P003"])
    prn.p910nd(net, p, papers["PRT1"])
    papers["PRT2"] = prn.lprng(net, p, "hp2505")
    p.wait_lu("P003", "IDLE")
    for lu, what in (("P003", "TN3270E, SCS: pr3287"), ("PRT2", "LPR: LPRng"),
                     ("PRT1", "port 9100: p910nd")):
        start = time.monotonic()
        p.submit(lu, text)
        prn.wait_paper(papers[lu], text)
        say(f"{what:<22} {len(text)} bytes, byte for byte, "
            f"{time.monotonic() - start:.2f} s")
    job = p.submit("ARCHIVE", text)
    p.wait_gone(job)
    pdf = f"{out}/ARCHIVE-{job:08d}.pdf"
    check("def demo_print" in net.h.run(["pdftotext", "-layout", pdf, "-"]),
          "the text is not in the PDF")
    say(f"PDF                    {os.path.getsize(pdf)} bytes, its text reads "
        "back")
    print("\n".join("  " + x for x in p.ctl("QUERY", "LU").rstrip()
                    .split("\n")))
    p.stop()


def demo_console(net):
    title("what the operator sees")
    for family in (4, 6):
        out = net.ctl_of(net.ids[family], "QUERY", "OSA")
        print("\n".join("  " + x for x in out.rstrip().split("\n")))


def run_demo(build):
    with TwoStacks(build) as net:
        title("two stacks: ID 41, IPv4 on TUN; ID 61, IPv6 on TAP")
        for family, address in ((4, V4_STACK), (6, V6_STACK)):
            out = net.h.run(["ping", "-c", "3", "-i", "0.2", address])
            say(f"ping {address}: " + out.strip().split("\n")[-1])
        demo_web(net)
        demo_ssh(net)
        demo_iperf(net)
        demo_tls(net)
        demo_print(net)
        demo_console(net)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--build", required=True)
    args = a.parse_args()
    args.build = os.path.realpath(args.build)
    inside(240)
    start = time.monotonic()
    status = 0
    try:
        run_demo(args.build)
        print(f"\nThe demo ran in {time.monotonic() - start:.0f} s; nothing "
              "is left of it.")
    except Failure as e:
        print(f"\nThe demo failed: {e}")
        status = 1
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
