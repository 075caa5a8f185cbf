#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Frames that break HTTP/2's rules: a stream's end, or, where no common ground is left, that of the
connection, with the code that RFC 9113 names."""

import threading

import h2raw
import scene
from h2raw import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    bare,
    literal,
    number,
    request,
    section,
    settings,
)
from h2stage import attempt, closed_again, ended_by, refusal, stage, targets
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal

LAST = END_HEADERS | END_STREAM
LARGEST = (1 << 31) - 1

# ---- stream errors of single frames ----


def test_stream_errors():
    """RFC 9113 5.4.2: these may cost the connection too; then by the same code."""
    table = {
        "increment of 0": (WINDOW_UPDATE, number(0), [PROTOCOL_ERROR]),
        "window overflow": (WINDOW_UPDATE, number(LARGEST), [FLOW_CONTROL_ERROR]),
        "PRIORITY too short": (PRIORITY, b"\0\0\0\0", [FRAME_SIZE_ERROR]),
    }
    with stage() as (larder, origin):
        for name, (kind, payload, codes) in table.items():
            with attempt(name, larder, origin) as client:
                stream = client.ask("/hold")
                client.ping()
                client.frame(kind, 0, stream, payload)
                ended_by(client, stream, codes)


def test_a_window_too_large_by_settings():
    """RFC 9113 6.9.2: the new size may push a window over its largest. The stream may end instead
    of the connection: that is all that is beyond repair."""
    with stage() as (larder, origin), h2raw.connect(larder.port) as client:
        stream = client.ask("/hold")
        client.frame(WINDOW_UPDATE, 0, stream, number(LARGEST - 65535))
        client.frame(SETTINGS, 0, 0, settings(initial_window_size=65536))
        ended_by(client, stream, [FLOW_CONTROL_ERROR])


def test_data_on_a_closed_stream():
    """RFC 9113 5.1: DATA behind END_STREAM is nobody's."""
    with stage() as (larder, origin):
        for path in ("/", "/hold"):
            with attempt(path, larder, origin) as client:
                stream = client.ask(path)
                if path == "/":
                    client.read_answer(stream)
                else:
                    origin.wait_for(1)
                client.data(stream, b"SMUGGLED", end=True)
                closed_again(client, stream, {STREAM_CLOSED, PROTOCOL_ERROR})
                check(b"SMUGGLED" not in origin.heard, "it is at the origin")
                origin.forget()


def test_headers_on_a_closed_stream():
    """RFC 9113 5.1, RFC 9113 5.1.1: the second request of a stream is never served."""
    with stage() as (larder, origin):
        for name, flags in {"request": LAST, "trailers": END_HEADERS}.items():
            with attempt(name, larder, origin) as client:
                stream = client.ask("/first")
                client.read_answer(stream)
                client.headers(stream, request("/second"), flags)
                closed_again(client, stream, {STREAM_CLOSED, PROTOCOL_ERROR})
                check("/second" not in targets(origin), "it was served")
        with attempt("half closed", larder, origin) as client:
            stream = client.ask("/hold")
            client.headers(stream, request("/second"))
            client.read_until(
                lambda: client.goaway or client.answer_of(stream).reset is not None, "error", 5
            )
            code = client.goaway[1] if client.goaway else client.answer_of(stream).reset
            check(code in (STREAM_CLOSED, PROTOCOL_ERROR), f"code {code}")
            check("/second" not in targets(origin), "it was served")


def test_stream_ids_go_up():
    """RFC 9113 5.1.1: a lower one is closed, whether it was used or not."""
    with stage() as (larder, origin), h2raw.connect(larder.port) as client:
        client.next = 9
        client.expect_ok("/nine")
        client.headers(3, request("/three"))
        closed_again(client, 3, {PROTOCOL_ERROR, STREAM_CLOSED})
        check("/three" not in targets(origin), "it was served")


# ---- connection errors ----


def opened(what, path="/hold"):
    """What is sent on a stream that is open, or half closed."""
    return lambda client: client.send(what(client.ask(path)))


def uploading(what):
    return lambda client: client.send(what(client.ask("/hold", method="POST", end=False)))


def begun(*frames):
    """A header block that is not over, and then that."""
    block = section(request("/hold"))
    return (bare(HEADERS, END_STREAM, 1, block[:5]), *frames)


BLOCK = section(request("/hold"))
TOO_LONG = b"\0" * 16385

# RFC 9113 4.1, 4.2, 4.3, 5.1, 6.1 to 6.10: name -> (frames, codes)
CONNECTION = {
    # DATA
    "DATA on stream 0": (bare(DATA, 0, 0, b"x"), [PROTOCOL_ERROR]),
    "DATA on an idle stream": (bare(DATA, 0, 1, b"x"), [PROTOCOL_ERROR]),
    "DATA on an even stream": (bare(DATA, 0, 2, b"x"), [PROTOCOL_ERROR, STREAM_CLOSED]),
    "DATA padded beyond its end": (
        uploading(lambda s: bare(DATA, PADDED, s, b"\x09abcdefgh")),
        [PROTOCOL_ERROR],
    ),
    "DATA padded by all of it": (
        uploading(lambda s: bare(DATA, PADDED, s, b"\xff" + b"\0" * 200)),
        [PROTOCOL_ERROR],
    ),
    "DATA padded without a length": (
        uploading(lambda s: bare(DATA, PADDED, s)),
        [PROTOCOL_ERROR, FRAME_SIZE_ERROR],
    ),
    # HEADERS
    "HEADERS on stream 0": (bare(HEADERS, LAST, 0, BLOCK), [PROTOCOL_ERROR]),
    "HEADERS on an even stream": (bare(HEADERS, LAST, 2, BLOCK), [PROTOCOL_ERROR]),
    "HEADERS padded beyond its end": (
        bare(HEADERS, LAST | PADDED, 1, b"\xff" + BLOCK),
        [PROTOCOL_ERROR],
    ),
    "HEADERS padded without a length": (
        bare(HEADERS, LAST | PADDED, 1),
        [PROTOCOL_ERROR, FRAME_SIZE_ERROR],
    ),
    "HEADERS with half a priority": (
        bare(HEADERS, LAST | WITH_PRIORITY, 1, b"\0\0"),
        [PROTOCOL_ERROR, FRAME_SIZE_ERROR],
    ),
    "HEADERS too long": (bare(HEADERS, LAST, 1, TOO_LONG), [FRAME_SIZE_ERROR]),
    # PRIORITY, RST_STREAM
    "PRIORITY on stream 0": (bare(PRIORITY, 0, 0, b"\0\0\0\1\1"), [PROTOCOL_ERROR]),
    "RST_STREAM on stream 0": (bare(RST_STREAM, 0, 0, number(8)), [PROTOCOL_ERROR]),
    "RST_STREAM on an idle stream": (bare(RST_STREAM, 0, 1, number(8)), [PROTOCOL_ERROR]),
    "RST_STREAM too short": (
        opened(lambda s: bare(RST_STREAM, 0, s, b"\0\0\0")),
        [FRAME_SIZE_ERROR],
    ),
    "RST_STREAM too long": (
        opened(lambda s: bare(RST_STREAM, 0, s, b"\0\0\0\0\0")),
        [FRAME_SIZE_ERROR],
    ),
    # SETTINGS
    "SETTINGS of 5 bytes": (bare(SETTINGS, 0, 0, b"\0\1\0\0\0"), [FRAME_SIZE_ERROR]),
    "SETTINGS on a stream": (bare(SETTINGS, 0, 1), [PROTOCOL_ERROR]),
    "SETTINGS, ACK with payload": (
        bare(SETTINGS, ACK, 0, settings(enable_push=0)),
        [FRAME_SIZE_ERROR],
    ),
    "SETTINGS, ACK of 1 byte": (bare(SETTINGS, ACK, 0, b"\0"), [FRAME_SIZE_ERROR]),
    "ENABLE_PUSH 2": (bare(SETTINGS, 0, 0, settings(enable_push=2)), [PROTOCOL_ERROR]),
    "INITIAL_WINDOW_SIZE 2^31": (
        bare(SETTINGS, 0, 0, settings(initial_window_size=1 << 31)),
        [FLOW_CONTROL_ERROR],
    ),
    "MAX_FRAME_SIZE 16383": (
        bare(SETTINGS, 0, 0, settings(max_frame_size=16383)),
        [PROTOCOL_ERROR],
    ),
    "MAX_FRAME_SIZE 0": (bare(SETTINGS, 0, 0, settings(max_frame_size=0)), [PROTOCOL_ERROR]),
    "MAX_FRAME_SIZE 2^24": (
        bare(SETTINGS, 0, 0, settings(max_frame_size=1 << 24)),
        [PROTOCOL_ERROR],
    ),
    "SETTINGS too long": (bare(SETTINGS, 0, 0, b"\0" * 16386), [FRAME_SIZE_ERROR]),
    # PUSH_PROMISE, PING, GOAWAY
    "PUSH_PROMISE": (
        opened(lambda s: bare(PUSH_PROMISE, END_HEADERS, s, number(2) + BLOCK)),
        [PROTOCOL_ERROR],
    ),
    "PUSH_PROMISE on stream 0": (
        bare(PUSH_PROMISE, END_HEADERS, 0, number(2) + BLOCK),
        [PROTOCOL_ERROR],
    ),
    "PING of 7 bytes": (bare(PING, 0, 0, b"1234567"), [FRAME_SIZE_ERROR]),
    "PING of 9 bytes": (bare(PING, 0, 0, b"123456789"), [FRAME_SIZE_ERROR]),
    "PING of none": (bare(PING), [FRAME_SIZE_ERROR]),
    "PING on a stream": (bare(PING, 0, 1, b"12345678"), [PROTOCOL_ERROR]),
    "PING too long": (bare(PING, 0, 0, TOO_LONG), [FRAME_SIZE_ERROR]),
    "GOAWAY on a stream": (bare(GOAWAY, 0, 1, number(0) * 2), [PROTOCOL_ERROR]),
    "GOAWAY of 7 bytes": (bare(GOAWAY, 0, 0, b"\0" * 7), [FRAME_SIZE_ERROR]),
    # WINDOW_UPDATE
    "increment of 0": (bare(WINDOW_UPDATE, 0, 0, number(0)), [PROTOCOL_ERROR]),
    "window overflow": (bare(WINDOW_UPDATE, 0, 0, number(LARGEST)), [FLOW_CONTROL_ERROR]),
    "WINDOW_UPDATE on an idle stream": (
        bare(WINDOW_UPDATE, 0, 1, number(1)),
        [PROTOCOL_ERROR],
    ),
    "WINDOW_UPDATE of 3 bytes": (bare(WINDOW_UPDATE, 0, 0, b"\0\0\1"), [FRAME_SIZE_ERROR]),
    "WINDOW_UPDATE of 5 bytes": (bare(WINDOW_UPDATE, 0, 0, b"\0\0\0\0\1"), [FRAME_SIZE_ERROR]),
    # CONTINUATION
    "CONTINUATION of nothing": (
        bare(CONTINUATION, END_HEADERS, 1, BLOCK),
        [PROTOCOL_ERROR],
    ),
    "CONTINUATION on stream 0": (
        begun(bare(CONTINUATION, END_HEADERS, 0, BLOCK[5:])),
        [PROTOCOL_ERROR],
    ),
    "CONTINUATION behind the end": (
        opened(lambda s: bare(CONTINUATION, END_HEADERS, s, literal("x", "y"))),
        [PROTOCOL_ERROR],
    ),
    "CONTINUATION of another stream": (
        begun(bare(CONTINUATION, END_HEADERS, 3, BLOCK[5:])),
        [PROTOCOL_ERROR],
    ),
    "PING within a block": (begun(bare(PING, 0, 0, b"12345678")), [PROTOCOL_ERROR]),
    "DATA within a block": (begun(bare(DATA, END_STREAM, 1, b"x")), [PROTOCOL_ERROR]),
    "HEADERS within a block": (begun(bare(HEADERS, LAST, 3, BLOCK)), [PROTOCOL_ERROR]),
    "HEADERS twice": (begun(bare(HEADERS, LAST, 1, BLOCK[5:])), [PROTOCOL_ERROR]),
    "SETTINGS within a block": (begun(bare(SETTINGS)), [PROTOCOL_ERROR]),
    "RST_STREAM within a block": (begun(bare(RST_STREAM, 0, 1, number(8))), [PROTOCOL_ERROR]),
    "WINDOW_UPDATE within a block": (
        begun(bare(WINDOW_UPDATE, 0, 0, number(1))),
        [PROTOCOL_ERROR],
    ),
    "an unknown frame within a block": (begun(bare(0x77, 0, 0, b"x")), [PROTOCOL_ERROR]),
    # any kind
    "an unknown frame too long": (bare(0x77, 0, 0, TOO_LONG), [FRAME_SIZE_ERROR]),
}


def test_connection_errors():
    with stage() as (larder, origin):
        for name, (what, codes) in CONNECTION.items():
            with attempt(name, larder, origin) as client:
                if callable(what):
                    what(client)
                else:
                    client.next = 5  # it stands for streams 1 and 3
                    client.send(*what) if isinstance(what, tuple) else client.send(what)
                client.expect_goaway(*codes, within=5)
        with h2raw.connect(larder.port) as client:
            client.expect_ok("/next")
        check(set(targets(origin)) <= {"/hold", "/next"}, f"{targets(origin)}")


def test_data_too_long():
    """RFC 9113 4.2: of the stream or of the connection."""
    with stage() as (larder, _), h2raw.connect(larder.port) as client:
        stream = client.ask("/hold", method="POST", end=False)
        client.frame(DATA, 0, stream, TOO_LONG)
        ended_by(client, stream, [FRAME_SIZE_ERROR])


def test_more_than_the_window():
    """RFC 9113 6.9.1: an origin that takes nothing opens no window; who sends all the same is cut
    off, and costs no memory."""
    over = threading.Event()

    def deaf(*_):
        over.wait(20)
        return answer()

    deaf.takes_body = True
    with Origin(deaf) as origin, Larder(origin) as larder:
        try:
            with h2raw.connect(larder.port) as client:
                before = larder.memory()
                stream = client.ask("/", method="POST", end=False)
                chunk = bare(DATA, 0, stream, b"x" * 16384)
                client.pump((chunk for _ in range(4096)), rest=2)
                got = client.answer_of(stream)
                code = client.goaway[1] if client.goaway else got.reset
                equal(code, FLOW_CONTROL_ERROR, f"{got}")
                larder.check_growth(before, 16 << 20)
        finally:
            over.set()


# ---- HPACK (RFC 7541) ----

HPACK = {
    "index 0": b"\x80",
    "index beyond the tables": b"\xbe",
    "name beyond the tables": b"\x7f\x20\x01x",
    "an index without end": b"\xff" * 20,
    "an index over 32 bits": b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    "a length over 32 bits": b"\x00\x7f\xff\xff\xff\xff\xff\xff\xff\x7f",
    "Huffman: EOS": b"\x00\x01x\x84\xff\xff\xff\xff",
    "Huffman: padded by more than 7 bits": b"\x00\x01x\x82\x1f\xff",
    "Huffman: padded by zeros": b"\x00\x01x\x81\x18",
    "size update behind a field": literal("x", "y") + b"\x20",
    "a string beyond the block": b"\x00\x01x\x7f\x00abc",
    "no value": b"\x00\x01x",
    "no name": b"\x40",
    "half a length": b"\x00\x7f",
}


def test_hpack():
    """RFC 9113 4.3: both sides' tables are no longer the same, so nothing can follow."""
    with stage() as (larder, origin):
        for name, block in HPACK.items():
            with attempt(name, larder, origin) as client:
                client.ping()
                client.headers(1, BLOCK + block if "update" not in name else block)
                client.next = 3
                client.expect_goaway(COMPRESSION_ERROR, within=5)
        with attempt("size update over the limit", larder, origin) as client:
            client.ping()
            limit = client.settings.get(h2raw.HEADER_TABLE_SIZE, 4096)
            client.headers(1, h2raw.integer(limit + 1, 5, 0x20) + BLOCK)
            client.expect_goaway(COMPRESSION_ERROR, within=5)
        equal(targets(origin), [])


def test_hpack_of_a_broken_request():
    """A refused section is unpacked all the same: what it put into the table is there for the next
    request (RFC 9113 4.3)."""
    broken = {
        "malformed": section(request("/", ("x", "a\nb"))),
        "too large": section(request("/", *((f"x-{i}", "y" * 60) for i in range(20)))),
        "too many": section(request("/", *((f"x-{i}", "y") for i in range(40)))),
    }
    with stage(head_size="1k", head_fields=30) as (larder, origin):
        for name, block in broken.items():
            with attempt(name, larder, origin) as client:
                stream = client.new_stream()
                client.headers(stream, block + literal("x-kept", "in the table", 0x40))
                refusal(client.read_answer(stream, 5))
                stream = client.new_stream()
                client.headers(stream, section(request("/next")) + b"\xbe")
                equal(client.read_answer(stream, 5).status, 200)
                equal(origin.request.get("X-Kept"), "in the table")
                origin.forget()


# ---- the preface (RFC 9113 3.4) ----


def test_preface():
    table = {
        "broken behind its head": b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "broken at its end": PREFACE[:-1] + b"X",
        "another version": b"PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n",
        "with a field": b"PRI * HTTP/2.0\r\nHost: a\r\n\r\nSM\r\n\r\n",
        "another method": b"PRJ * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "PING first": PREFACE + bare(PING, 0, 0, b"12345678"),
        "HEADERS first": PREFACE + bare(HEADERS, LAST, 1, BLOCK),
        "ACK first": PREFACE + bare(SETTINGS, ACK),
        "WINDOW_UPDATE first": PREFACE + bare(WINDOW_UPDATE, 0, 0, number(1)),
    }
    with stage() as (larder, origin):
        for name, said in table.items():
            with case(name), larder.connect() as wire:
                wire.send(said, bare(SETTINGS), bare(HEADERS, LAST, 3, BLOCK))
                wire.sock.settimeout(5)
                rest = wire.read_rest()
                check(b"ok" not in rest, f"served: {rest}")
        equal(origin.heard, b"")


def test_preface_in_pieces():
    with stage() as (larder, origin):
        for size in (1, 3, 17):
            with case(f"{size} bytes at a time"), larder.connect() as wire:
                whole = PREFACE + bare(SETTINGS)
                for at in range(0, len(whole), size):
                    wire.send(whole[at : at + size])
                client = h2raw.Client(wire.sock, preface=b"")
                client.expect_ok("/")


scene.run()
