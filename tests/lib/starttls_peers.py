"""starttls_peers: servers of Debian, unprivileged and in directories of their
own, in clear or with TLS required, for the tests of TLS that begins in the
middle of a connection. Python's standard library only.

Each function takes `side`, net.prog or net.host, and `tls`: the name of a
certificate of tls_net, or None for a server that knows nothing of TLS. What a
server is given to keep secret is PASSWORD."""

import glob
import os
import pwd
import shutil
import socket
import ssl

from couplet_net import WORK, Failure, run
from proxynet import Server, exactly, read_all
from tls_net import CERTS

PASSWORD = "correct-horse-battery"
USER = "jane"
CA = CERTS + "/root.crt"


def as_user(user, argv):
    p = pwd.getpwnam(user)
    return ["setpriv", "--reuid", str(p.pw_uid), "--regid", str(p.pw_gid),
            "--clear-groups", "--"] + argv


def folder(name, user):
    """An empty directory that `user` owns; nobody else may look into it."""
    path = f"{WORK}/{name}"
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path, 0o700)
    shutil.chown(path, user)
    return path


def write(path, text, user):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o600)
    shutil.chown(path, user)
    return path


def key_files(tls, d, user):
    """Certificate and key where `user` may read them."""
    out = []
    for end in ("crt", "key"):
        with open(f"{CERTS}/{tls}.{end}", encoding="ascii") as f:
            out.append(write(f"{d}/tls.{end}", f.read(), user))
    return out


# ---- IMAP and POP3 ---------------------------------------------------------

MAIL_USER = "nobody"
IMAP_PORT, POP3_PORT = 1143, 1110

DOVECOT = """
base_dir = {d}/run
state_dir = {d}/state
log_path = /dev/stderr
protocols = imap pop3
listen = *, ::
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
mail_location = maildir:{d}/mail
auth_mechanisms = plain login
disable_plaintext_auth = no
{tls}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={d}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""

MESSAGE = "From: jane@server.test\nSubject: hello\n\nthe-letter-itself\n"


def dovecot(side, tls=None):
    """IMAP and POP3 for USER, with one message."""
    d = folder("dovecot", MAIL_USER)
    words = "ssl = no"
    if tls:
        crt, key = key_files(tls, d, MAIL_USER)
        words = f"ssl = required\nssl_cert = <{crt}\nssl_key = <{key}\n"
    user = pwd.getpwnam(MAIL_USER)
    for part in ("mail", "mail/new", "mail/cur", "mail/tmp"):
        os.mkdir(f"{d}/{part}", 0o700)
        shutil.chown(f"{d}/{part}", MAIL_USER)
    write(d + "/mail/new/1.1.server", MESSAGE, MAIL_USER)
    conf = write(d + "/dovecot.conf", DOVECOT.format(
        d=d, tls=words, password=PASSWORD, uid=user.pw_uid, gid=user.pw_gid,
        imap=IMAP_PORT, pop3=POP3_PORT), MAIL_USER)
    return side(as_user(MAIL_USER, ["dovecot", "-F", "-c", conf]),
                name="dovecot")


# ---- LDAP ------------------------------------------------------------------

LDAP_USER = "openldap"
LDAP_PORT = 1389
BASE = "dc=server,dc=test"
BIND_DN = f"cn={USER},{BASE}"

SLAPD = """
include /etc/ldap/schema/core.schema
pidfile {d}/slapd.pid
modulepath /usr/lib/ldap
{tls}
database ldif
directory {d}/db
suffix "{base}"
rootdn "{dn}"
rootpw {password}
"""

LDIF = f"""dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: server
o: the-organization-itself
"""


def slapd(side, tls=None):
    """A directory whose one entry is BASE; `tls`: nothing without TLS."""
    d = folder("slapd", LDAP_USER)
    os.mkdir(d + "/db", 0o700)
    shutil.chown(d + "/db", LDAP_USER)
    words = ""
    if tls:
        crt, key = key_files(tls, d, LDAP_USER)
        words = (f"TLSCACertificateFile {CA}\nTLSCertificateFile {crt}\n"
                 f"TLSCertificateKeyFile {key}\nsecurity tls=128\n")
    conf = write(d + "/slapd.conf", SLAPD.format(
        d=d, tls=words, base=BASE, dn=BIND_DN, password=PASSWORD), LDAP_USER)
    ldif = write(d + "/entry.ldif", LDIF, LDAP_USER)
    run(as_user(LDAP_USER, ["slapadd", "-f", conf, "-l", ldif]))
    return side(as_user(LDAP_USER, ["slapd", "-d", "stats", "-f", conf, "-h",
                                    f"ldap://:{LDAP_PORT}/"]), name="slapd")


# ---- PostgreSQL ------------------------------------------------------------

PG_USER = "postgres"
PG_PORT = 5432


def pg_tool(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    if not found:
        raise Failure(f"no {name} below /usr/lib/postgresql")
    return found[-1]


def postgres(side, tls=None):
    """A cluster of USER's; with `tls` its pg_hba.conf has hostssl alone."""
    d = folder("postgres", PG_USER)
    word = write(f"{WORK}/pg.password", PASSWORD + "\n", PG_USER)
    run(as_user(PG_USER, [
        pg_tool("initdb"), "-D", d, "-U", USER, "--pwfile", word, "-A",
        "scram-sha-256", "--locale", "C", "--no-sync"]))
    conf = ["listen_addresses = '*'", f"port = {PG_PORT}",
            "unix_socket_directories = ''", "fsync = off",
            "log_connections = on"]
    host = "hostssl" if tls else "host"
    if tls:
        crt, key = key_files(tls, d, PG_USER)
        conf += ["ssl = on", f"ssl_cert_file = '{crt}'",
                 f"ssl_key_file = '{key}'"]
    with open(d + "/postgresql.conf", "a", encoding="ascii") as f:
        f.write("\n".join(conf + [""]))
    write(d + "/pg_hba.conf", f"{host} all all all scram-sha-256\n", PG_USER)
    return side(as_user(PG_USER, [pg_tool("postgres"), "-D", d]),
                name="postgres")


# ---- TELNET ----------------------------------------------------------------

CONSOLE_PORT = 3270


def hercules(side):
    """A mainframe with one 3270 display, in clear."""
    d = folder("hercules", "nobody")
    conf = write(d + "/conf", "CPUSERIAL 002623\nCPUMODEL 3090\nMAINSIZE 16\n"
                 f"NUMCPU 1\nCNSLPORT {CONSOLE_PORT}\n00C0 3270\n", "nobody")
    return side(as_user("nobody", ["hercules", "-d", "-f", conf]),
                name="hercules", cwd=d)


class StartTls:
    """A TELNET server that offers START_TLS (option 46), for which Debian has
    none: it asks for a name, greets, and ends when it is said "bye". `tls` is
    the name of its certificate; None: it offers nothing."""

    IAC_DO = b"\xff\xfd\x2e"
    IAC_WILL = b"\xff\xfb\x2e"
    FOLLOWS = b"\xff\xfa\x2e\x01\xff\xf0"
    ECHO = b"\xff\xfb\x01"       # WILL ECHO: an option, behind TLS

    def __init__(self, net, family, port, tls):
        self.heard = []
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(f"{CERTS}/{tls}.PEM")
        self.server = Server(net, family, port, self.serve)

    def serve(self, c):
        if self.context:
            c.sendall(self.IAC_DO)
            agreed = exactly(c, 9)
            if agreed != self.IAC_WILL + self.FOLLOWS:
                self.heard.append(agreed)
                return
            c.sendall(self.FOLLOWS)
            c = self.context.wrap_socket(c, server_side=True)
        c.sendall(self.ECHO + b"who are you? ")
        self.talk(c)
        if self.context:
            c.unwrap()
        else:
            c.shutdown(socket.SHUT_WR)
            read_all(c)

    def talk(self, c):
        """A line ends with CR LF, or CR NUL [RFC1123 3.3.1]."""
        line = b""
        while byte := c.recv(1):
            if byte != b"\r":
                line += byte
                continue
            said = line.replace(b"\xff\xfd\x01", b"").strip(b"\n\0")
            line = b""
            self.heard.append(said)
            c.sendall(b"welcome, " + said + b"\r\n")
            if said.endswith(b"bye"):
                return

    def close(self):
        self.server.close()


# ---- SMTP ------------------------------------------------------------------

POSTFIX = """
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
maillog_file = /dev/stdout
myhostname = server.test
mydestination =
mynetworks = 0.0.0.0/0 [::]/0
inet_protocols = all
smtpd_tls_security_level = {level}
smtpd_tls_chain_files = {tls}
alias_maps =
alias_database =
"""


def postfix(net, side, tls=None):
    """postfix on port 25; its master is root, as it has to be."""
    d = WORK + "/postfix"
    argv = ["postfix", "-c", d]
    if os.path.isdir(d):
        net.h.run(argv + ["stop"])
    os.makedirs(d + "/queue", exist_ok=True)
    os.makedirs(d + "/data", exist_ok=True)
    run(["chown", "postfix", d + "/data"])
    with open("/usr/share/postfix/master.cf.dist", encoding="ascii") as f:
        master = f.read().replace("  y  ", "  n  ")
    with open(d + "/master.cf", "w", encoding="ascii") as f:
        f.write(master)
    with open(d + "/main.cf", "w", encoding="ascii") as f:
        f.write(POSTFIX.format(d=d, level="may" if tls else "none",
                               tls=f"{CERTS}/{tls}.PEM" if tls else ""))
    return side(argv + ["start-fg"], name="postfix")
