#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Ranges (RFC 9110 14) of what is stored whole: in RAM, on disk, and while it still comes in."""

import re
import threading

import scene
from caching import Pages, asked, date, is_hit, lasting, says
from larder import Larder
from origin import Origin
from scene import case, check, equal
from wire import head

BODY = bytes((i * 7 + i // 251) % 256 for i in range(300_000))
SIZE = len(BODY)
TAG = '"x"'
MODIFIED = date(-3600)
REPLY = lasting(
    "max-age=600",
    BODY,
    f"ETag: {TAG}",
    f"Last-Modified: {MODIFIED}",
    "Content-Type: a/b",
    "X-Own: 1",
)

# Range -> the parts of a 206; None = the whole, with 200; [] = 416
SETS = {
    "bytes=0-0": [(0, 0)],
    "bytes=0-99": [(0, 99)],
    "bytes=100-70000": [(100, 70000)],
    "bytes=65535-65536": [(65535, 65536)],
    f"bytes={SIZE - 1}-": [(SIZE - 1, SIZE - 1)],
    "bytes=299000-": [(299000, SIZE - 1)],
    "bytes=-1": [(SIZE - 1, SIZE - 1)],
    "bytes=-1000": [(SIZE - 1000, SIZE - 1)],
    f"bytes=-{SIZE * 2}": [(0, SIZE - 1)],
    "bytes=0-": [(0, SIZE - 1)],
    f"bytes=10-{SIZE * 9}": [(10, SIZE - 1)],
    "bytes=10-99999999999999999999999": [(10, SIZE - 1)],
    "Bytes=5-6": [(5, 6)],
    # RFC 9110 15.3.7.2: several
    "bytes=0-9,100-109": [(0, 9), (100, 109)],
    "bytes=0-9, 100000-100009 ,-5": [(0, 9), (100000, 100009), (SIZE - 5, SIZE - 1)],
    "bytes=0-9,,100-109": [(0, 9), (100, 109)],
    # RFC 9110 14.2: what overlaps is sent once; what cannot be satisfied is left out
    "bytes=0-99,50-149": [(0, 149)],
    "bytes=0-9,10-19": [(0, 19)],
    "bytes=0-9,500000-500009": [(0, 9)],
    # RFC 9110 15.5.17
    f"bytes={SIZE}-": [],
    "bytes=500000-600000": [],
    "bytes=500000-600000,700000-": [],
    "bytes=-0": [],
    # RFC 9110 14.2: what is no range of bytes counts as none
    "bytes=9-0": None,
    "bytes=a-b": None,
    "bytes=": None,
    "lines=0-9": None,
    "bytes 0-9": None,
    "bytes=0-9,9-0": None,
    "bytes=" + ",".join(f"{i * 10}-{i * 10 + 1}" for i in range(100)): None,
}


def parts_of(got):
    """The parts of a multipart/byteranges body, held against RFC 9110 14.6 and RFC 2046 5.1.1."""
    boundary = re.fullmatch(r'multipart/byteranges; boundary="?([^"]+)"?', got.get("Content-Type"))
    check(boundary, f"Content-Type {got.get('Content-Type')!r}")
    mark = b"--" + boundary[1].encode()
    check((b"\r\n" + got.body).endswith(b"\r\n" + mark + b"--\r\n"), "no end")
    found = []
    rest = (b"\r\n" + got.body)[: -len(mark) - 6]
    for piece in rest.split(b"\r\n" + mark + b"\r\n")[1:]:
        fields, body = piece.split(b"\r\n\r\n", 1)
        check(b"Content-Type: a/b" in fields, fields)
        found.append((fields.decode(), body))
    return found


def check_range(got, parts):
    """Whether an answer is what the set asks for, to the byte."""
    equal(got.status, 200 if parts is None else 206 if parts else 416)
    if parts is None:
        equal((got.get("Content-Range"), len(got.body)), (None, SIZE))
        check(got.body == BODY, "other bytes")
    elif not parts:
        equal(got.get("Content-Range"), f"bytes */{SIZE}")
    elif len(parts) == 1:
        [(first, last)] = parts
        equal(got.get("Content-Range"), f"bytes {first}-{last}/{SIZE}")
        equal(got.get("Content-Type"), "a/b")
        check(got.body == BODY[first : last + 1], f"other bytes: {len(got.body)}")
    else:
        equal(got.get("Content-Range"), None)
        for (fields, body), (first, last) in zip(parts_of(got), parts, strict=True):
            check(f"Content-Range: bytes {first}-{last}/{SIZE}" in fields, fields)
            check(body == BODY[first : last + 1], f"other bytes: {len(body)}")
    if parts:
        equal((got.get("ETag"), got.get("X-Own")), (TAG, "1"))


def check_all(larder, target):
    for said, parts in SETS.items():
        with case(f"{target} {said[:60]}"):
            got = larder.get(target, f"Range: {said}")
            check_range(got, parts)
            check(is_hit(got), f"{says(got)}")


def test_from_ram():
    with Origin(REPLY) as origin, Larder(origin) as larder:
        larder.get("/ram")
        check_all(larder, "/ram")
        equal(len(origin.requests), 1)


def test_chunked():
    """Its length was not announced, but is known now."""
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part)
        for part in (BODY[:1000], BODY[1000:77777], BODY[77777:])
    )
    fields = REPLY[: REPLY.index(b"Content-Length")] + b"Transfer-Encoding: chunked\r\n\r\n"
    with Origin(fields + chunks + b"0\r\n\r\n") as origin, Larder(origin) as larder:
        larder.get("/chunks")
        check_all(larder, "/chunks")


def test_from_disk():
    config = {"store": {"path": "", "admission": "always"}}
    with Origin(REPLY) as origin:
        larder = Larder(origin)
        config["store"]["path"] = str(larder.path / "store")
        larder.configure(config)
        with larder:
            larder.get("/disk")
            for said, parts in SETS.items():
                if parts is None or len(said) > 40:
                    continue
                restart(larder)
                with case(f"disk: {said}"):
                    got = larder.get("/disk", f"Range: {said}")
                    check_range(got, parts)
                    check(is_hit(got), f"{says(got)}")
            check_all(larder, "/disk")
            equal(len(origin.requests), 1)


def restart(larder):
    larder.child.terminate()
    equal(larder.wait(), 0)
    larder.child.stdout.close()
    larder.start()


def test_while_it_fills():
    """A range is sent as soon as its bytes are there, before the last ones are; one that is not
    there yet waits for them and for nothing else."""
    half = SIZE // 2
    gate = threading.Event()

    def slow(_, wire):
        at = REPLY.index(b"\r\n\r\n") + 4
        wire.send(REPLY[: at + half])
        gate.wait(15)
        return REPLY[at + half :]

    with Origin(slow) as origin, Larder(origin) as larder, larder.connect() as first:
        first.send(head("GET /x HTTP/1.1", "Host: a"))
        first.read_until(BODY[half - 100 : half])
        for said in ("bytes=0-0", "bytes=100-70000", "bytes=0-9,100-109"):
            with case(said):
                got = larder.get("/x", f"Range: {said}")
                check_range(got, SETS[said])
        with larder.connect() as late, larder.connect() as both:
            late.send(head("GET /x HTTP/1.1", "Host: a", "Range: bytes=-1000"))
            both.send(head("GET /x HTTP/1.1", "Host: a", f"Range: bytes=0-9,{half + 5}-{half + 9}"))
            got = late.read_head()
            equal(
                (got.status, got.get("Content-Length")), (206, "1000"), "its head is known already"
            )
            both.read_until(BODY[:10])
            check(late.is_quiet(), "bytes that are not there yet")
            gate.set()
            check(late.read_body(got, "close").body == BODY[-1000:], "the suffix")
            both.read_until(BODY[half + 5 : half + 10])
        equal(len(origin.requests), 1)


def test_if_range():
    """RFC 9110 13.1.5: strong comparison; when it fails the whole is sent."""
    table = {
        TAG: 206,
        '"y"': 200,
        f"W/{TAG}": 200,
        MODIFIED: 206,
        date(-7200): 200,
        date(-60): 200,
        "nonsense": 200,
    }
    with Origin(REPLY) as origin, Larder(origin) as larder:
        larder.get("/x")
        for value, code in table.items():
            with case(value):
                got = larder.get("/x", "Range: bytes=5-9", f"If-Range: {value}")
                equal((got.status, len(got.body)), (code, 5 if code == 206 else SIZE))
                check(is_hit(got), f"{says(got)}")
        with case("If-Range alone"):
            equal(larder.get("/x", f"If-Range: {TAG}").status, 200)


def test_if_range_with_a_weak_tag():
    said = lasting("max-age=600", BODY, f"ETag: W/{TAG}")
    with Origin(said) as origin, Larder(origin) as larder:
        larder.get("/x")
        equal(larder.get("/x", "Range: bytes=5-9", f"If-Range: W/{TAG}").status, 200)


def test_if_range_with_a_weak_date():
    """RFC 9110 8.8.2.2: modified in the second in which it was sent: it may have changed again."""
    now = date()
    said = lasting("max-age=600", BODY, f"Last-Modified: {now}", f"Date: {now}")
    with Origin(said) as origin, Larder(origin) as larder:
        larder.get("/x")
        equal(larder.get("/x", "Range: bytes=5-9", f"If-Range: {now}").status, 200)


def test_of_nothing():
    with Origin(lasting("max-age=600", b"")) as origin, Larder(origin) as larder:
        larder.get("/x")
        for said, code in {"bytes=0-0": 416, "bytes=-1": 200, "bytes=0-": 416}.items():
            with case(said):
                equal(larder.get("/x", f"Range: {said}").status, code)


def test_only_get_and_only_200():
    """RFC 9110 14.2: Range means nothing to other methods; nor does what is no 200 have ranges."""
    table = {
        "/x": lasting("max-age=600", BODY),
        "/gone": lasting("max-age=600", b"gone", status="404 Not"),
    }
    with Origin(Pages(table)) as origin, Larder(origin) as larder:
        for target in table:
            larder.get(target)
        got = larder.ask("HEAD /x HTTP/1.1", "Host: a", "Range: bytes=0-0")
        equal((got.status, got.get("Content-Length")), (200, str(SIZE)))
        equal(larder.get("/gone", "Range: bytes=0-0").body, b"gone")


def test_of_what_is_stale():
    """The whole is validated, or fetched anew, and the range taken from it."""
    stale = lasting("max-age=10", BODY, "Age: 20", f"ETag: {TAG}")
    new = lasting("max-age=600", BODY[::-1], 'ETag: "y"')
    pages = Pages(
        {
            "/304": [stale, head("HTTP/1.1 304 Not Modified", "Cache-Control: max-age=60")],
            "/200": [stale, new],
        }
    )
    with Origin(pages) as origin, Larder(origin) as larder:
        for target, body in {"/304": BODY, "/200": BODY[::-1]}.items():
            with case(target):
                larder.get(target)
                got = larder.get(target, "Range: bytes=5-9")
                equal((got.status, got.body), (206, body[5:10]))
                equal(asked(origin, target)[1].get("Range"), None)
                got = larder.get(target)
                check(got.body == body and is_hit(got), "stored whole")


def test_on_a_miss():
    """RFC 9111 3.3: the origin's own 206 is passed on and not stored."""

    def reply(request, _):
        if request.get("Range"):
            return lasting(
                "max-age=600",
                BODY[5:10],
                f"Content-Range: bytes 5-9/{SIZE}",
                status="206 Partial Content",
            )
        return REPLY

    with Origin(reply) as origin, Larder(origin) as larder:
        for _ in range(2):
            got = larder.get("/x", "Range: bytes=5-9")
            equal(
                (got.status, got.body, got.get("Content-Range")),
                (206, BODY[5:10], f"bytes 5-9/{SIZE}"),
            )
            says(got, fwd="uri-miss", fwd_status=206, stored=None, detail="range")
        got = larder.get("/x")
        check(got.body == BODY and not is_hit(got), "the whole is another matter")
        check(is_hit(larder.get("/x", "Range: bytes=5-9")), "now it is stored")


scene.run()
