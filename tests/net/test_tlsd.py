#!/usr/bin/python3
"""tlsd with Debian's programs: clear-text servers and clients on the stack,
TLS on the wire.

    test_tlsd.py --build DIR CASE...
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)),
                                "..", "lib"))
from couplet_net import (WORK, check, check_equal, main, needs, options,
                         wait_for)
from test_programs import fetch, host_in_url, make_file, nginx, sha_of
from tls_net import CERTS, Tlsd, standard_certs

CA = CERTS + "/root.crt"

NGINX_TLS = """
daemon off;
user root;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log {dir}/access;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen 0.0.0.0:8443 ssl;
        listen [::]:8443 ssl;
        ssl_certificate {certs}/{name}.PEM;
        ssl_certificate_key {certs}/{name}.PEM;
        {extra}
        root {dir}/www;
    }}
}}
"""


def https_nginx(net, name="SERVER", extra=""):
    """An HTTPS nginx on the host; {name: sha256} of what it serves."""
    d = f"{WORK}/nginx-tls-{name}"
    os.makedirs(d + "/www")
    files = {"small": make_file(d + "/www/small", 1000),
             "middle": make_file(d + "/www/middle", 300000),
             "big": make_file(d + "/www/big", 30 << 20)}
    with open(d + "/nginx.conf", "w", encoding="ascii") as f:
        f.write(NGINX_TLS.format(dir=d, certs=CERTS, name=name, extra=extra))
    p = net.host(["nginx", "-e", "stderr", "-p", d, "-c", d + "/nginx.conf"],
                 name="nginx-tls")
    net.wait_port("h", 4, 8443, p)
    return p, d, files


# ---- the two ways ----------------------------------------------------------

@options(seconds=200)
def test_nginx_becomes_https(net):
    """An unmodified clear-text nginx, the host's curl over HTTPS."""
    needs("nginx", "curl", "openssl")
    standard_certs()
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION SERVER",
                      "ATTLS 8080 AS 8443 SSL CLOSED"])
    files = nginx_clear(net)
    for family in (4, 6):
        base = f"https://{host_in_url(net.address('p', family))}:8443"
        for name, sha in files.items():
            fetch(net, "h", f"{base}/{name}", sha, "--cacert", CA)
    last = tlsd.last()
    check_equal(last["version"], "TLS 1.3", "version")
    check_equal(last["result"], "ok", "result")
    check(tlsd.query("COUNTERS")["bytes_out"] > 60 << 20, "bytes are counted")
    tlsd.idle()
    tlsd.stop()


def nginx_clear(net):
    """nginx in clear on the stack's 8080; it is started without a connection
    that would try the port, since the port is closed to the world."""
    d = f"{WORK}/nginx-clear"
    os.makedirs(d + "/www")
    files = {"small": make_file(d + "/www/small", 1000),
             "middle": make_file(d + "/www/middle", 300000),
             "big": make_file(d + "/www/big", 30 << 20)}
    from test_programs import NGINX
    with open(d + "/nginx.conf", "w", encoding="ascii") as f:
        f.write(NGINX.format(dir=d, sendfile="on", workers=2, reuse="",
                             multi=""))
    net.prog(["nginx", "-e", "stderr", "-p", d, "-c", d + "/nginx.conf"],
             name="nginx")
    wait_for(lambda: net.ctl("QUERY", "PORTS").count("8443") == 2,
             "both secure ports", 30)
    return files


@options(seconds=200)
def test_curl_becomes_https(net):
    """An unmodified clear-text curl, an HTTPS server on the host."""
    needs("nginx", "curl", "openssl")
    standard_certs()
    _, d, files = https_nginx(net)
    tlsd = Tlsd(net, ["KEYFILE SERVER", "OPTION CLIENT", "HANDSHAKE_CLIENT 0",
                      f"CAFILE {CA}", "ATTLS 80 TO ANY AS 8443 SSL"])
    for family in (4, 6):
        base = f"http://{host_in_url(net.address('h', family))}"
        for name, sha in files.items():
            fetch(net, "p", f"{base}/{name}", sha)
    check_equal(tlsd.last()["result"], "ok", "result")
    tlsd.idle()
    tlsd.stop()


if __name__ == "__main__":
    main(globals())
