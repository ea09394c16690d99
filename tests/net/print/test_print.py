#!/usr/bin/python3
"""TN3270E and the data streams against Debian's pr3287 and s3270, on the
loopback of a namespace, without a daemon: what a printer LU prints, byte for
byte, and every corner of negotiation.

    test_print.py --build DIR CASE...
"""

import argparse
import glob
import os
import random
import subprocess
import sys
import time
import unicodedata

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "lib"), HERE]
from couplet_net import (ROOT, WORK, Failure, Proc, Timeout, check, check_equal,
                         inside, needs, run, wait_for)
from peer import (ALWAYS, BIND, DSC, ERROR, NONE, RESP, SCS, SYSREQ, T_3270,
                  T_BIND, T_EOJ, T_SCS, T_UNBIND,
                  Printer, Server, records, stream)


class Tools:
    def __init__(self, build):
        self.build = build
        self.tnserver = os.path.join(build, "tests/net/print/tnserver")
        self.streams = os.path.join(build, "tests/net/print/streams")
        self.tnclient = os.path.join(build, "tests/net/print/tnclient")

    def server(self, *options):
        return Server(self.tnserver, *options)

    def stream(self, *words, data):
        return stream(self.streams, *words, data=data)[0]


def session(t, *options, lu_type=1, lu="P001", printer=(), prefix=""):
    """A pr3287 at a server, bound, ready for jobs."""
    needs("pr3287")
    s = t.server(*options)
    p = Printer(s.port, lu, printer, prefix)
    check_equal(s.expect("device"), "device IBM-3287-1 connect P001",
                "what pr3287 asks for")
    check_equal(s.accept(), "ready 0f e P001", "functions")
    s.bind(lu_type)
    return s, p


def print_scs(s, data):
    """One job; long ones in several records."""
    for at in range(0, len(data), 3000):
        s.send(T_SCS, data[at:at + 3000])
    s.send(T_EOJ)


def print_lu3(s, data):
    for r in records(data):
        s.send(T_3270, r)
    s.send(T_EOJ)


# ---- what is printed --------------------------------------------------------

PAGES = ["037", "273", "277", "278", "280", "284", "285", "297", "500", "871",
         "1047", "1140", "1141", "1142", "1143", "1144", "1145", "1146",
         "1147", "1148", "1149", "870", "875", "880", "1026", "1160"]
# pr3287 4.1 has these the other way round, or as another (measured: all other
# characters of all pages are as the C library has them)
ODD = {"285": "\u203e", "875": "\u03ca\u03cb\u0390\u03b0"}


def iconv(data, *words):
    r = subprocess.run(["iconv", *words], input=data, capture_output=True,
                       check=False)
    return r.stdout


def repertoire(page):
    """Graphic characters of a page that take one column, as the C library
    has them."""
    # each followed by EBCDIC's line feed; what is no character is left out
    text = iconv(b"".join(bytes([b, 0x25]) for b in range(0x41, 0xff)),
                 "-c", "-f", f"IBM{int(page):03d}", "-t", "UTF-8")
    return [c for c in text.decode().split("\n")
            if len(c) == 1 and c not in ODD.get(page, "") and
            c != "\u00a0" and unicodedata.category(c)[0] not in "CM"]


def random_text(rnd, letters, lost=""):
    """Lines of at most 132 columns, some empty, some of blanks inside."""
    lines = []
    for _ in range(rnd.randrange(1, 30)):
        n = rnd.choice((0, 1, 7, 40, 80, 131, 132))
        lines.append("".join(
            rnd.choice(letters) if rnd.randrange(6) else
            rnd.choice(" " + lost) for _ in range(n)))
    return lines


def same(got, want, what):
    if got != want:
        g, w = got.split(b"\n"), want.split(b"\n")
        for i in range(max(len(g), len(w))):
            a = g[i] if i < len(g) else None
            b = w[i] if i < len(w) else None
            if a != b:
                raise Failure(f"{what}: line {i + 1}: {a!r}, not {b!r}")


def check_page(t, page, rnd):
    letters = repertoire(page)
    check(len(letters) > 80, f"page {page}: {len(letters)} characters")
    s, p = session(t, printer=("-codepage", f"cp{int(page):03d}"))
    for n in range(0, 8, 2):
        # what no Latin page has becomes one '?'
        lines = random_text(rnd, letters, "\u4e00" if n else "")
        text = ("\n".join(lines) + "\n").encode()
        known = text.replace("\u4e00".encode(), b"?")
        # SCS: pr3287 cuts blanks at the ends of lines
        scs = t.stream("encode-scs", page, data=text)
        print_scs(s, scs)
        want = b"".join(line.rstrip(b" ") + b"\n"
                        for line in known.split(b"\n")[:-1])
        if not want.strip():
            want = b"\n" * want.count(b"\n")
        same(p.job(n), want, f"page {page}, SCS, pr3287")
        same(t.stream("scs", page, "pr3287", data=scs), want,
             f"page {page}, SCS, our interpreter")
        # LU3, unformatted: it keeps them
        lu3 = t.stream("encode-lu3", page, data=text)
        print_lu3(s, lu3)
        same(p.job(n + 1), known, f"page {page}, LU3, pr3287")
        same(t.stream("lu3", page, "pr3287", "trailing", data=lu3), known,
             f"page {page}, LU3, our interpreter")
    s.finish()
    p.p.stop()


def code_pages(t, pages):
    needs("pr3287")
    seed = int(os.environ.get("COUPLET_SEED", "1"))
    print(f"COUPLET_SEED={seed}")
    for page in pages:
        check_page(t, page, random.Random(f"{seed} {page}"))


def test_code_pages_latin(t):
    """Random text in each page, SCS and LU3, comes out of pr3287 as it
    was."""
    code_pages(t, PAGES[:11])


def test_code_pages_euro(t):
    code_pages(t, PAGES[11:21])


def test_code_pages_others(t):
    code_pages(t, PAGES[21:])


def test_double_bytes_as_iconv(t):
    """pr3287 prints double bytes wrong; the C library knows them. Each line
    of our SCS is what it makes of that line, SO and SI too."""
    rnd = random.Random(int(os.environ.get("COUPLET_SEED", "1")))
    for page, wide in (("930", "\u65e5\u672c\u8a9e\u30c6\u30b9\u30c8"),
                       ("939", "\u5370\u5237\u3042\u3044"),
                       ("933", "\ud55c\uad6d\uc5b4"),
                       ("935", "\u6c49\u5b57\u6253\u5370"),
                       ("937", "\u6f22\u5b57\u5217\u5370")):
        lines = ["".join(rnd.choice(wide * 3 + "ABC 123") for _ in range(n))
                 for n in (1, 2, 5, 20, 60)]
        got = t.stream("encode-scs", page, data="\n".join(lines).encode())
        want = b"".join(iconv(line.encode(), "-f", "UTF-8", "-t",
                              f"IBM{page}") + b"\x15" for line in lines)
        same(got, want, f"page {page}")
        back = t.stream("scs", page, "trailing", data=got)
        check_equal(back.decode(), "\n".join(lines) + "\n", "and back")


def differ(t, make, kind, seconds):
    """Random streams through pr3287 and through our interpreter in its
    profile: the same bytes."""
    seed = int(os.environ.get("COUPLET_SEED", "1"))
    print(f"COUPLET_SEED={seed}")
    rnd = random.Random(seed)
    s, p = session(t, printer=("-codepage", "cp1047"))
    end = time.monotonic() + seconds
    jobs = 0
    while jobs < 40 or (jobs < 400 and time.monotonic() < end):
        s.send(T_UNBIND, b"\x01", flag=NONE)
        s.bind()
        parts = make(rnd)
        before = p.jobs()
        for part in parts:
            s.send(T_SCS if kind == "scs" else T_3270, part)
        s.send(T_EOJ)
        data = b"".join(parts) if kind == "scs" else b"".join(
            len(r).to_bytes(4, "big") + r for r in parts)
        extra = () if kind == "scs" else ("trailing",)
        want = t.stream(kind, "1047", "pr3287", "overstrike=last", *extra,
                        data=data)
        got = p.job(before) if p.jobs() > before else b""
        same(got, want, f"job {jobs}, {data.hex()}")
        jobs += 1
    print(f"{jobs} jobs")
    s.finish()
    p.p.stop()


LETTERS = bytes([0x40, 0xc1, 0x81, 0xf1, 0x6d, 0x5a, 0x4b] +
                list(range(0x81, 0x89)))


def letters(rnd, n):
    return bytes(rnd.choice(LETTERS) for _ in range(rnd.randrange(n)))


def scs_job(rnd):
    out = b""
    for _ in range(rnd.randrange(1, 25)):
        out += rnd.choice((lambda: letters(rnd, 20), lambda: letters(rnd, 20),
                           lambda: b"\x15", lambda: b"\x0d", lambda: b"\x25",
                           lambda: b"\x0c", lambda: b"\x16", lambda: b"\x05",
                           lambda: b"\x1e"))()
    cut = rnd.randrange(len(out) + 1)
    return [part for part in (out[:cut], out[cut:]) if part] or [b"\xc1"]


def lu3_job(rnd):
    out = []
    for _ in range(rnd.randrange(1, 4)):
        r = bytes([rnd.choice((0xf1, 0xf5)), 0xc8])
        for _ in range(rnd.randrange(1, 20)):
            r += rnd.choice((lambda: letters(rnd, 20),
                             lambda: letters(rnd, 150), lambda: b"\x15",
                             lambda: b"\x0d", lambda: b"\x0c",
                             lambda: b"\0"))()
        out.append(r + b"\x19")
    return out


def test_random_scs_is_printed_alike(t):
    differ(t, scs_job, "scs", 20)


def test_random_lu3_is_printed_alike(t):
    differ(t, lu3_job, "lu3", 20)


def test_formats_and_transparency(t):
    """SHF, SVF, form feeds made of lines, TRN."""
    s, p = session(t)
    text = b"".join(b"line %d\n" % i for i in range(25)) + b"\x0cnext\n"
    scs = t.stream("encode-scs", "037", "mpl=20", "mpp=80", data=text)
    print_scs(s, scs)
    got = p.job(0)
    check_equal(got.split(b"\n")[20], b"line 20", "line 21 of pr3287")
    check_equal(got.split(b"\n").index(b"next"), 40, "line of 'next'")
    same(t.stream("scs", "037", "pr3287", data=scs), got, "our interpreter")
    raw = bytes(range(256)) * 3
    trn = b"".join(b"\x35" + bytes([len(raw[i:i + 255])]) + raw[i:i + 255]
                   for i in range(0, len(raw), 255))
    print_scs(s, trn)
    same(p.job(1), raw, "transparent bytes")
    same(t.stream("scs", "037", data=trn), raw, "our interpreter")
    s.finish()
    p.p.stop()


def test_a_screen_copy(t):
    """A formatted record as a screen is: fields, rows, blanks, nulls."""
    s, p = session(t, lu_type=3)
    rows = {0: "COUPLET", 2: "  indented", 5: "last row"}
    rec = b"\xf5\xf8"
    for row, text in rows.items():
        at = row * 80
        rec += bytes([0x11, at >> 8, at & 255]) + text.encode("cp037")
    s.send(T_3270, rec)
    s.send(T_EOJ)
    want = b"COUPLET\n  indented\nlast row\n"
    check_equal(p.job(0), want, "pr3287")
    data = len(rec).to_bytes(4, "big") + rec
    check_equal(t.stream("lu3", "037", "pr3287", data=data), want, "ours")
    check_equal(t.stream("lu3", "037", data=data), want, "ours, as IBM")
    s.finish()
    p.p.stop()


def test_a_big_job(t):
    """A megabyte in one record, and in many."""
    s, p = session(t)
    text = b"".join(b"%07d %s\n" % (i, b"x" * 100) for i in range(9000))
    scs = t.stream("encode-scs", "037", data=text)
    s.send(T_SCS, scs)
    s.send(T_EOJ)
    same(p.job(0), text, "one record")
    text = text[:109 * 2000]
    print_lu3(s, t.stream("encode-lu3", "037", data=text))
    same(p.job(1), text, "many records")
    s.finish()
    p.p.stop()


def test_pdf_says_the_text(t):
    needs("pdftotext")
    text = "Rechnung Nr. 17\n\nSumme: 1.234,50 \u20ac\n\fSeite zwei\n"
    scs = t.stream("encode-scs", "1141", data=text.encode())
    pdf = t.stream("scs", "1141", "pdf", data=scs)
    r = subprocess.run(["pdftotext", "-layout", "-", "-"], input=pdf,
                       capture_output=True, check=False)
    check_equal(r.returncode, 0, "pdftotext's exit status")
    pages = r.stdout.decode().split("\f")
    check_equal(len(pages), 3, "pages and the end")
    for word in ("Rechnung Nr. 17", "Summe: 1.234,50 \u20ac"):
        check(word in pages[0], f"{word!r} is not in {pages[0]!r}")
    check("Seite zwei" in pages[1], f"{pages[1]!r}")


# ---- negotiation ------------------------------------------------------------

REASONS = ["CONN-PARTNER", "DEVICE-IN-USE", "INV-ASSOCIATE", "INV-NAME",
           "INV-DEVICE-TYPE", "TYPE-NAME-ERROR", "UNKNOWN-ERROR",
           "UNSUPPORTED-REQ"]


def test_reject_reasons(t):
    """Each reason reaches pr3287, which names it and ends."""
    needs("pr3287")
    for code, name in enumerate(REASONS):
        s = t.server()
        p = Printer(s.port)
        s.expect("device")
        s.say("reject", code)
        p.p.wait(60)
        check(name.replace("-", " ").lower() in
              p.p.text().replace("-", " ").lower(),
              f"reason {name}: pr3287 says {p.p.text()!r}")
        s.expect("eof")
        s.finish()


def test_list_of_names(t):
    """DEVICE-IN-USE: pr3287 asks for its next LU."""
    needs("pr3287")
    s = t.server()
    p = Printer(s.port, "P001,P002")
    check_equal(s.expect("device"), "device IBM-3287-1 connect P001", "first")
    s.say("reject", 1)
    check_equal(s.expect("device"), "device IBM-3287-1 connect P002", "next")
    check_equal(s.accept("P002"), "ready 0f e P002", "ready")
    s.bind()
    print_scs(s, b"\xc1\x15")
    check_equal(p.job(0), b"A\n", "its job")
    s.finish()
    p.p.stop()


def test_generic_and_associated(t):
    """No name at all, and the printer of a terminal."""
    needs("pr3287")
    s = t.server()
    p = Printer(s.port, "")
    check_equal(s.expect("device"), "device IBM-3287-1 generic -", "generic")
    check_equal(s.accept("ANY7"), "ready 0f e ANY7", "ready")
    s.finish()
    p.p.stop()
    s = t.server()
    p = Printer(s.port, "", options=("-assoc", "T001"))
    check_equal(s.expect("device"), "device IBM-3287-1 associate T001",
                "associated")
    check_equal(s.accept("T001P"), "ready 0f e T001P", "ready")
    s.finish()
    p.p.stop()


def test_fewer_functions(t):
    """SCS only, 3270 data only, no BIND: pr3287 agrees to each and prints."""
    needs("pr3287")
    for offer, kind, data in ((SCS | RESP, T_SCS, b"\xc1\x15"),
                              (DSC | RESP, T_3270, b"\xf1\xc8\xc1\x15\x19")):
        s = t.server()
        p = Printer(s.port)
        s.expect("device")
        check_equal(s.accept(offer=offer), f"ready {offer:02x} e P001",
                    "functions")
        s.say("send", T_BIND, NONE, "-")
        s.expect("error send 95")        # ENOTSUP: it was not agreed to
        s.send(kind, data)
        s.send(T_EOJ)
        check_equal(p.job(0), b"A\n", "job")
        s.finish()
        p.p.stop()


def test_bind_and_unbind(t):
    """Data only inside a BIND; UNBIND resets formats; BIND again."""
    s, p = session(t)
    s.send(T_SCS, b"\x2b\xc1\x03\x14\x05\x15\xc1\x15")
    s.send(T_EOJ)
    check_equal(p.job(0), b"\n    A\n", "left margin 5")
    s.send(T_SCS, b"\x15\xc1\x15")
    s.send(T_EOJ)
    check_equal(p.job(1), b"\n    A\n", "margins outlive a job")
    s.send(T_UNBIND, b"\x01", flag=NONE)
    s.say("send", T_SCS, ALWAYS, "-")
    s.expect("error send 71")            # EPROTO: no BIND
    s.bind()
    s.send(T_SCS, b"\x15\xc1\x15")
    s.send(T_EOJ)
    check_equal(p.job(2), b"\nA\n", "after UNBIND")
    s.finish()
    p.p.stop()


def test_flagged_bind_and_eoj_are_answered(t):
    """The answer to a flagged PRINT-EOJ comes after the print command."""
    s, p = session(t)
    s.say("bind", 1, "APPL", ALWAYS)
    s.expect("sent")
    check_equal(s.expect("response"), "response 0 device end expected",
                "answer to BIND")
    s.send(T_SCS, b"\xc1\x15")
    s.send(T_EOJ)
    check_equal(p.jobs(), 1, "jobs on paper when PRINT-EOJ is answered")
    s.finish()
    p.p.stop()


def test_print_command_fails(t):
    """Intervention required, and pr3287's odd "cleared"."""
    needs("pr3287")
    s = t.server()
    p = Printer(s.port, command="false")
    s.expect("device")
    s.accept()
    s.bind()
    s.send(T_SCS, b"\xc1\x15", answer=None)
    s.expect("response")
    s.send(T_EOJ, answer="intervention required")
    s.expect("cleared")
    s.finish()
    p.p.stop()


def test_unknown_command_is_rejected(t):
    s, p = session(t, lu_type=3)
    s.send(T_3270, b"\x99", answer="command reject")
    s.send(T_3270, b"\xf1\xc8\xc1\x15\x19")
    s.send(T_EOJ)
    check_equal(p.job(0), b"A\n", "the next record")
    s.send(T_3270, b"\x99", flag=ERROR)
    check_equal(s.expect("response").split()[2], "command", "ERROR-RESPONSE")
    s.finish()
    p.p.stop()


def test_sequence_numbers_wrap(t):
    """Over 255 and 511, where a byte of the number is FF."""
    s, p = session(t)
    for i in range(520):
        s.send(T_SCS, b"\xc1")
    s.send(T_EOJ)
    check_equal(p.job(0).replace(b"\n", b""), b"A" * 520, "520 records")
    s.finish()
    p.p.stop()


def test_keepalive(t):
    """pr3287 answers TIMING-MARK again and again, s3270 too; a stopped one
    does not."""
    needs("pr3287")
    s, p = session(t, "keepalive=100", "reply=20000")
    time.sleep(1)                      # ten of them; none is asserted
    s.send(T_SCS, b"\xc1\x15")
    s.send(T_EOJ)
    check_equal(p.job(0), b"A\n", "job after keepalives")
    s.finish()
    p.p.stop()
    s, p = session(t, "keepalive=3000", "reply=3000")
    p.p.kill(19)                       # SIGSTOP
    check_equal(s.expect("end"), "end peer does not answer the keepalive",
                "the end")
    s.finish()
    p.p.kill(18)
    p.p.stop()


def test_late_answer(t):
    """A printer that is busy with a job is late, not dead, though it answers
    no TIMING-MARK: pr3287 waits for its print command."""
    needs("pr3287")
    gate = f"{WORK}/gate"
    s = t.server("response=6000", "keepalive=1000", "reply=4000")
    p = Printer(s.port, command="cat >/dev/null; "
                f"while [ ! -e {gate} ]; do sleep 0.1; done")
    s.expect("device")
    s.accept()
    s.bind()
    s.send(T_SCS, b"\xc1\x15")
    s.send(T_EOJ, answer=None)
    # a second after the keepalive would have found it dead
    check_equal(s.expect("late"), "late 0", "told once")
    with open(gate, "w", encoding="ascii"):
        pass
    check_equal(s.expect("response"), "response 0 device end expected",
                "and then")
    s.finish()
    p.p.stop()


def test_plain_tn3270(t):
    """RFC 1646: the LU behind the terminal type, status records, AO."""
    needs("pr3287")
    s = t.server("no-tn3270e")
    p = Printer(s.port, "P001,P002")
    check_equal(s.expect("device"), "device IBM-3287-1 connect P001", "name")
    s.say("reject", 1)
    check_equal(s.expect("device"), "device IBM-3287-1 connect P002", "next")
    check_equal(s.accept("P002"), "ready 00 plain P002", "ready")
    lu3 = t.stream("encode-lu3", "037", data=b"plain\ntext\n")
    for r in records(lu3):
        s.say("send", T_3270, ALWAYS, write(r))
        s.expect("sent")
        check_equal(s.expect("response"), "response 0 device end expected",
                    "status record")
    s.say("send", T_EOJ, ALWAYS, "-")
    s.expect("sent")
    check_equal(p.job(0), b"plain\ntext\n", "job")
    s.say("send", T_3270, ALWAYS, write(b"\x99"))
    s.expect("sent")
    check_equal(s.expect("response"), "response 0 command reject expected",
                "unit check")
    s.finish()
    p.p.stop()


def write(data):
    path = f"{WORK}/rec"
    with open(path, "wb") as f:
        f.write(data)
    return path


def s3270(port, *commands, lu=""):
    """An s3270 that carries out commands; its process."""
    path = f"{WORK}/script"
    with open(path, "w", encoding="ascii") as script:
        script.write("\n".join(commands) + "\n")
    name = f"{lu}@" if lu else ""
    with open(path, "rb") as script:
        return Proc(["s3270", f"{name}127.0.0.1:{port}"], stdin=script,
                    env=dict(os.environ, LC_ALL="C.UTF-8"))


def test_a_display_at_the_same_machine(t):
    """A terminal server will stand on the same rooms: s3270 comes in, is
    bound, gets a screen and sends Enter."""
    needs("s3270")
    s = t.server("displays")
    p = s3270(s.port, "Wait(30,InputField)", 'String("HI")', "Enter()",
              "Wait(30,Output)", "Quit()", lu="T001")
    device = s.expect("device")
    check(device.startswith("device IBM-3278-") and
          device.endswith("connect T001"), f"s3270 asks for {device!r}")
    ready = s.accept("T001", offer=BIND | RESP | SYSREQ)
    check_equal(ready, "ready 15 e T001", "functions")
    s.say("bind", 2, "CICS", NONE)
    s.expect("sent")
    s.send(T_3270, b"\xf5\xc3\x11\x40\x40\x1d\x40\x13")
    # what Enter sends: AID 7D, cursor, SBA, HI
    data = s.expect("data 0 ")
    check(data.startswith("data 0 7d") and data.endswith("c8c9"),
          f"s3270 sent {data!r}")
    s.say("close")
    p.wait(60)
    s.p.wait(30)


def test_displays_where_only_printers_are(t):
    """INV-DEVICE-TYPE; s3270 then tries plain TN3270 and is refused."""
    needs("s3270")
    s = t.server("no-plain")
    p = s3270(s.port, "Wait(30,Disconnect)", "Quit()")
    check_equal(s.expect("end"),
                "end peer speaks neither TN3270E nor TN3270", "the end")
    s.finish()
    p.wait(60)


def test_start_tls_is_agreed(t):
    """Option 46: pr3287 agrees, says FOLLOWS, and begins TLS; from then on
    its bytes are not the machine's."""
    needs("pr3287")
    for how in ("tls-offer", "tls-require"):
        s = t.server(how)
        p = Printer(s.port)
        s.expect("tls")
        hello = ""

        def came():
            nonlocal hello
            s.say("peek")
            hello = s.expect("unused").split()[-1]
            return hello.startswith("1603")    # a TLS handshake record
        wait_for(came, "a ClientHello", 60)
        s.finish()
        p.p.stop()


def test_start_tls_is_refused(t):
    """s3270 told to do without: REQUIRE ends it, OFFER goes on in clear."""
    needs("s3270")
    s = t.server("tls-require", "displays")
    p = Proc(["s3270", "-set", "startTls=false", f"127.0.0.1:{s.port}"])
    check_equal(s.expect("end"), "end peer refuses TLS, which is required",
                "REQUIRE")
    s.finish()
    p.stop()
    s = t.server("tls-offer", "displays")
    p = Proc(["s3270", "-set", "startTls=false", f"127.0.0.1:{s.port}"])
    s.expect("device IBM-3278-")
    s.finish()
    p.stop()


# ---- the other end ----------------------------------------------------------

def test_client_takes_a_printer(t):
    """Our client at our server: names, functions, BIND, records, EOJ,
    UNBIND."""
    s = t.server()
    c = Proc([t.tnclient, str(s.port), "P001,P002"])
    s.expect("device IBM-3287-1 connect P001")
    s.say("reject", 1)
    s.expect("device IBM-3287-1 connect P002")
    check_equal(s.accept("P002"), "ready 0f e P002", "functions")
    s.say("bind", 1, "APPL", ALWAYS)
    s.expect("sent")
    s.expect("response 0 device end expected")
    s.send(T_SCS, b"\xc1\xff\xff\x15")
    s.send(T_3270, b"\xf1\xc8\x19")
    s.send(T_EOJ)
    s.send(T_UNBIND, b"\x02", flag=NONE)
    s.finish()
    said = c.ok(30).split("\n")
    check_equal(said[:2], ["rejected DEVICE-IN-USE", "ready 0f e P002"],
                "negotiation")
    check(said[2].startswith("bind 31010303b1"), said[2])
    check_equal(said[3:], ["data 1 c1ffff15", "data 0 f1c819", "eoj",
                           "unbind 2", "eof", ""], "what came")


def test_client_at_a_host(t):
    """Hercules speaks plain TN3270 to printers (RFC 1576, 1646): any, one by
    its name; one that is taken is refused, in words that are no record."""
    needs("hercules")
    conf = f"{WORK}/hercules.cnf"
    with open(conf, "w", encoding="ascii") as f:
        f.write("CPUSERIAL 002623\nCPUMODEL 3090\nMAINSIZE 16\nNUMCPU 1\n"
                "CNSLPORT 32710\n00C0 3270\n00C1 3287\n00C2 3287\n")
    host = Proc(["hercules", "-d", "-f", conf], stdin=subprocess.DEVNULL)
    host.says("Waiting for console connection", 60)
    c = Proc([t.tnclient, "32710", "00C2"])
    c.says("ready 00 plain 00C2", 60)
    host.says("connected to 3287 device 0:00C2", 60)
    taken = Proc([t.tnclient, "32710", "00C2"])
    check(taken.wait(60) in (0, 1), "it ends")
    check("data" not in taken.text(), taken.text())
    generic = Proc([t.tnclient, "32710", "-"])
    generic.says("ready 00 plain", 60)
    host.says("connected to 3287 device 0:00C1", 60)
    host.kill(9)                       # it takes its time to shut down
    for p in (c, generic, host):
        p.stop()


# ---- running ----------------------------------------------------------------

def main():
    cases = {n: f for n, f in globals().items() if n.startswith("test_")}
    a = argparse.ArgumentParser()
    a.add_argument("--build", default=os.path.join(ROOT, "build", "dev"))
    a.add_argument("case", nargs="+", choices=sorted(cases) + ["all"])
    args = a.parse_args()
    names = sorted(cases) if args.case == ["all"] else args.case
    inside(240 * len(names))
    run(["ip", "link", "set", "lo", "up"])
    tools = Tools(os.path.realpath(args.build))
    failed = 0
    for n in names:
        start = time.monotonic()
        try:
            cases[n](tools)
            print(f"ok {n} ({time.monotonic() - start:.1f} s)", flush=True)
        except (Failure, Timeout, OSError, subprocess.SubprocessError) as e:
            print(f"FAIL {n}: {type(e).__name__}: {e}", flush=True)
            failed += 1
            for f in sorted(glob.glob("/run/t/*.out"))[-2:]:
                with open(f, encoding="utf-8", errors="replace") as out:
                    print(f"--- {f}\n{out.read()[-2000:]}")
    sys.stdout.flush()
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main()
