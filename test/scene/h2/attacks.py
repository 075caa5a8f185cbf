#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that make Larder work and want nothing (RFC 9113 10.5): each loses its connection, is
counted, costs the origin little and the process no memory, and nobody else notices."""

import itertools
import time

import h2raw
import scene
from h2raw import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    bare,
    literal,
    number,
    request,
    section,
    settings,
)
from h2stage import abuse, bounded, bystander, ended_for, fresh, stage
from scene import case, check, equal, eventually
from wire import Cut

LAST = END_HEADERS | END_STREAM
LARGEST = (1 << 31) - 1
MIB = 1 << 20
MANY = 50_000


def together(frames, count=100):
    """As many frames at a time as a fast client writes at once."""
    frames = iter(frames)
    while some := b"".join(itertools.islice(frames, count)):
        yield some


def flood(frame, count=MANY):
    return together(itertools.repeat(frame, count))


def streams(count):
    return range(1, 2 * count, 2)


def all_streams(client):
    """Whatever stream is named, the client has opened it."""
    client.next = 1 << 30


# ---- resets ----


def test_rapid_reset():
    """CVE-2023-44487: requests that are cancelled as they are made."""
    block = section(request("/reset"))
    with stage() as (larder, origin), bounded(larder, 16 * MIB), bystander(larder):
        with h2raw.connect(larder.port) as client:
            all_streams(client)
            frames = (
                bare(HEADERS, LAST, s, block) + bare(RST_STREAM, 0, s, number(8))
                for s in streams(10_000)
            )
            ended_for(larder, client, together(frames), "resets")
        got = sum(asked.target == "/reset" for asked in origin.requests)
        check(got <= 1100, f"{got} requests at the origin")
        fresh(larder)


def test_resets_as_configured():
    block = section(request("/hold"))
    with stage(h2_resets=20) as (larder, _):
        with h2raw.connect(larder.port) as client:
            for stream in streams(15):
                client.send(
                    bare(HEADERS, LAST, stream, block), bare(RST_STREAM, 0, stream, number(8))
                )
            client.next = 31
            client.ping()
            check(not client.goaway, "15 of 20 end the connection")
            frames = (
                bare(HEADERS, LAST, s, block) + bare(RST_STREAM, 0, s, number(8))
                for s in range(31, 71, 2)
            )
            all_streams(client)
            ended_for(larder, client, frames, "resets")
            check(client.goaway[0] <= 61, f"the last stream was {client.goaway[0]}")


# CVE-2025-8671: frames that make the server reset a stream which it has begun to serve.
PROVOKED = {
    "window overflow": lambda s: bare(HEADERS, LAST, s, section(request("/made")))
    + bare(WINDOW_UPDATE, 0, s, number(LARGEST)),
    "increment of 0": lambda s: bare(HEADERS, LAST, s, section(request("/made")))
    + bare(WINDOW_UPDATE, 0, s, number(0)),
    "DATA behind the end": lambda s: bare(HEADERS, LAST, s, section(request("/made")))
    + bare(DATA, END_STREAM, s, b"x"),
    "HEADERS behind the end": lambda s: bare(HEADERS, LAST, s, section(request("/made")))
    + bare(HEADERS, LAST, s, section([("x", "y")])),
    "PRIORITY too short": lambda s: bare(HEADERS, LAST, s, section(request("/made")))
    + bare(PRIORITY, 0, s, b"\0\0\0\0"),
    "more DATA than its length": lambda s: bare(
        HEADERS, END_HEADERS, s, section(request("/made", ("content-length", "1"), method="POST"))
    )
    + bare(DATA, 0, s, b"xx"),
    "DATA behind a length of 0": lambda s: bare(
        HEADERS, END_HEADERS, s, section(request("/made", ("content-length", "0"), method="POST"))
    )
    + bare(DATA, END_STREAM, s, b"x"),
    "broken trailers": lambda s: bare(
        HEADERS, END_HEADERS, s, section(request("/made", method="POST"))
    )
    + bare(HEADERS, LAST, s, section([("X", "y")])),
    "upper case": lambda s: bare(HEADERS, LAST, s, section(request("/made", ("X", "y")))),
    "no fields": lambda s: bare(HEADERS, LAST, s),
    "no path": lambda s: bare(HEADERS, LAST, s, section(request(None))),
    "two names": lambda s: bare(HEADERS, LAST, s, section(request("/made", ("host", "b")))),
}

FATAL = ("increment of 0", "DATA behind the end", "HEADERS behind the end", "PRIORITY too short")


def test_made_you_reset():
    """As fast as it goes: the connection ends, if not for that then for its too many streams."""
    for name, make in PROVOKED.items():
        with case(name), stage() as (larder, origin), h2raw.connect(larder.port) as client:
            all_streams(client)
            check(client.pump(together(map(make, streams(10_000)), 20)), "still open")
            check(client.goaway, "no GOAWAY")
            check(len(origin.requests) <= 1100, f"{len(origin.requests)} at the origin")
            fresh(larder)


def test_made_you_reset_slowly():
    """Whatever it is that provokes them, they are counted as the client's own; where nghttp2 ends
    the connection at the first that is enough."""
    for name, make in PROVOKED.items():
        with case(name), stage(h2_resets=200) as (larder, origin):
            with h2raw.connect(larder.port) as client:
                all_streams(client)
                try:
                    for begin in range(1, 1000, 40):
                        client.send(*(make(s) for s in range(begin, begin + 40, 2)))
                        client.ping()
                    raise AssertionError("still open after 500 resets")
                except (h2raw.Cut, OSError):
                    client.drain()
                code = client.goaway and client.goaway[1]
                if name not in FATAL:
                    equal((code, abuse(larder)), (ENHANCE_YOUR_CALM, {"resets": 1}))
                check(code, "no GOAWAY")
                check(len(origin.requests) <= 220, f"{len(origin.requests)} at the origin")


# ---- heads without end ----


def test_continuation_flood():
    """CVE-2024-27316 and its kin: a head that never ends."""
    table = {
        "fields": literal("x", "y"),
        "large fields": literal("x", "y" * 8000),
        "empty": b"",
        "a byte": b"\x82",
    }
    with stage() as (larder, origin):
        for name, part in table.items():
            with case(name), bounded(larder, 8 * MIB), h2raw.connect(larder.port) as client:
                client.ping()
                all_streams(client)
                begin = bare(HEADERS, END_STREAM, 1, section(request("/endless")))
                chunks = itertools.chain([begin], flood(bare(CONTINUATION, 0, 1, part), 9000))
                ended_for(larder, client, chunks, "endless-head")
        with case("a field without end"), bounded(larder, 8 * MIB):
            with h2raw.connect(larder.port) as client:
                client.ping()
                all_streams(client)
                begin = section(request("/endless")) + b"\x00\x01x" + h2raw.integer(1 << 24, 7)
                begin = bare(HEADERS, END_STREAM, 1, begin)
                more = bare(CONTINUATION, 0, 1, b"y" * 1000)
                check(client.pump(itertools.chain([begin], flood(more, 20_000))), "still open")
                check(
                    client.goaway
                    and client.goaway[1] in (ENHANCE_YOUR_CALM, h2raw.COMPRESSION_ERROR),
                    str(client.goaway),
                )
        check("/endless" not in [r.target for r in origin.requests], "it was served")
        fresh(larder)


def test_hpack_bomb():
    """RFC 7541 7.3: a byte on the wire is a field of 4 KiB, thousands of times; by 100 streams."""
    bomb = section(request("/bomb")) + literal("x", "y" * 4000, 0x40) + b"\xbe" * 4000
    again = section(request("/bomb")) + b"\xbe" * 8000
    with stage() as (larder, origin), bounded(larder, 16 * MIB), bystander(larder):
        with h2raw.connect(larder.port) as client:
            all_streams(client)
            frames = (bare(HEADERS, LAST, s, again if s > 1 else bomb) for s in streams(100))
            client.pump(frames, rest=2)
            served = [got for got in client.answers.values() if got.status == 200]
            equal(served, [])
        check("/bomb" not in [r.target for r in origin.requests], "it was served")


def test_crumbs_bomb():
    """RFC 9113 8.2.3 joins Cookies: each is a byte on the wire, but counts as a field."""
    block = section(request("/crumbs")) + literal("cookie", "a=b", 0x40) + b"\xbe" * 15000
    with stage() as (larder, _), bounded(larder, 8 * MIB), h2raw.connect(larder.port) as client:
        stream = client.new_stream()
        client.headers(stream, block)
        client.pump([], rest=2)
        got = client.answer_of(stream)
        check(got.status == 431 or client.goaway, f"{got}")


# ---- frames that ask for nothing ----

# What asks for an ACK may also end by how many of these wait for a client that is slow to take them.
ANSWERED = "controls acks"
FLOODS = {
    "PING": (bare(PING, 0, 0, b"12345678"), ANSWERED),
    "PING with ACK": (bare(PING, ACK, 0, b"12345678"), "controls"),
    "SETTINGS": (bare(SETTINGS), ANSWERED),
    "SETTINGS with entries": (
        bare(SETTINGS, 0, 0, settings(initial_window_size=1) * 10),
        ANSWERED,
    ),
    "SETTINGS of the table": (
        bare(SETTINGS, 0, 0, settings(header_table_size=0) + settings(header_table_size=4096)),
        ANSWERED,
    ),
    "PRIORITY": (bare(PRIORITY, 0, 1, b"\0\0\0\0\1"), "controls"),
    "PRIORITY of idle streams": (bare(PRIORITY, 0, 99999, b"\0\0\0\0\1"), "controls"),
    "PRIORITY_UPDATE": (bare(PRIORITY_UPDATE, 0, 0, number(1) + b"u=1,i"), "controls"),
    "unknown frames": (bare(0x77, 0, 0, b"x"), "controls"),
    "WINDOW_UPDATE": (bare(WINDOW_UPDATE, 0, 0, number(1)), "window-updates"),
    "WINDOW_UPDATE of a stream": (bare(WINDOW_UPDATE, 0, 1, number(1)), "window-updates"),
    "empty DATA": (bare(DATA, 0, 1), "empty-frames"),
    "DATA of padding": (bare(DATA, PADDED, 1, b"\x07" + b"\0" * 7), "empty-frames"),
    "DATA of a padding of none": (bare(DATA, PADDED, 1, b"\0"), "empty-frames"),
}


def test_floods():
    """Stream 1 is an upload that is under way."""
    with stage() as (larder, origin), bystander(larder):
        for name, (frame, why) in FLOODS.items():
            with case(name), bounded(larder, 8 * MIB), h2raw.connect(larder.port) as client:
                client.ask("/hold", method="POST", end=False)
                ended_for(larder, client, flood(frame), why)
        fresh(larder)


def test_resets_of_closed_streams():
    with stage() as (larder, _), h2raw.connect(larder.port) as client:
        client.expect_ok("/")
        ended_for(larder, client, flood(bare(RST_STREAM, 0, 1, number(8))), "resets")


def test_answers_that_are_not_read():
    """CVE-2019-9512, 9515: what is due to a client that reads nothing does not pile up."""
    table = {
        "PING": bare(PING, 0, 0, b"12345678"),
        "SETTINGS": bare(SETTINGS),
        "both": bare(PING, 0, 0, b"12345678") + bare(SETTINGS),
    }
    with stage() as (larder, _):
        for name, frame in table.items():
            with case(name), bounded(larder, 8 * MIB):
                with h2raw.connect(larder.port, receive_bytes=4096, polite=False) as client:
                    before = sum(abuse(larder).values())
                    client.pump(flood(frame, 4 * MANY), seconds=5, reads=False)
                    eventually(
                        lambda: sum(abuse(larder).values()) == before + 1, f"{abuse(larder)}", 5
                    )
                fresh(larder)


# ---- windows that stay shut ----


def test_stalled_windows():
    """A hundred answers that the client asks for and does not let come."""
    for path in ("/big", "/mine"):
        with case(path), stage(send_timeout="300ms") as (larder, _):
            equal(larder.get("/big").status, 200)
            with bounded(larder, 48 * MIB), bystander(larder):
                with h2raw.connect(larder.port, initial_window_size=0) as client:
                    for _ in range(100):
                        client.ask(path)
                    client.pump([], seconds=5, rest=5)
                    equal(client.goaway and client.goaway[1], ENHANCE_YOUR_CALM)
                    check(larder.metric("h2_stalled_total") >= 10, "not counted")
                    equal(abuse(larder), {"stalled-windows": 1})
                larder.wait_for_metric(1, "http_connections", state="open")


def test_a_few_stalled_streams():
    """They end by themselves, and the connection stays."""
    with stage(send_timeout="200ms") as (larder, _):
        with h2raw.connect(larder.port, initial_window_size=0) as client:
            stalled = [client.ask("/big") for _ in range(3)]
            for stream in stalled:
                got = client.expect_rst(stream, within=5)
                equal((got.status, len(got.body), got.ended), (200, 0, False))
            client.frame(SETTINGS, 0, 0, settings(initial_window_size=65535))
            client.expect_ok("/next")


def test_a_connection_window_that_stays_shut():
    with stage(send_timeout="300ms") as (larder, _), bounded(larder, 48 * MIB):
        with h2raw.connect(larder.port, credits=False, initial_window_size=LARGEST) as client:
            for _ in range(100):
                client.ask("/mine")
            client.pump([], seconds=5, rest=5)
            check(client.goaway, "the connection is still open")
            taken = sum(len(got.body) for got in client.answers.values())
            equal(taken, 65535, "bytes of DATA, by the connection's window")


def test_a_socket_that_is_not_read():
    """All windows are open, but the client takes nothing off its socket."""
    with stage(send_timeout="300ms") as (larder, _), bounded(larder, 48 * MIB):
        with h2raw.connect(
            larder.port, receive_bytes=4096, initial_window_size=LARGEST
        ) as client:
            client.frame(WINDOW_UPDATE, 0, 0, number(LARGEST - 65535))
            for _ in range(100):
                client.ask("/mine")
            larder.wait_for_metric(1, "http_closed_total", why="send-stalled")
            larder.wait_for_metric(0, "http_connections", state="open")


def test_a_window_of_one():
    """Opened byte by byte, as fast as it goes."""
    with stage() as (larder, _), bounded(larder, 16 * MIB), bystander(larder):
        with h2raw.connect(larder.port, credits=False, initial_window_size=1) as client:
            stream = client.ask("/big")
            updates = bare(WINDOW_UPDATE, 0, stream, number(1))
            ended_for(larder, client, flood(updates), "window-updates")


def test_a_window_of_one_opened_slowly():
    """No flood, but no answer comes to its end that way: others are served meanwhile."""
    with stage() as (larder, _), bystander(larder, at_least=20):
        with h2raw.connect(larder.port, credits=False, initial_window_size=1) as client:
            stream = client.ask("/big")
            got = client.answer_of(stream)
            for size in range(1, 50):
                client.read_until(lambda: len(got.body) >= size, f"byte {size}", 5)
                client.frame(WINDOW_UPDATE, 0, stream, number(1))
            check(not got.is_over, str(got))


# ---- too many, too slow ----


def test_too_many_streams():
    """RFC 9113 5.1.2: before it has heard of the limit, a client is told that it may try again;
    after that it should know better."""
    with stage(h2_streams=10) as (larder, origin):
        with case("at once"), h2raw.connect(larder.port, polite=False) as client:
            held = [client.ask("/hold") for _ in range(10)]
            for _ in range(5):
                client.expect_rst(client.ask("/one-more"), h2raw.REFUSED_STREAM, within=5)
            check(all(not client.answer_of(s).is_over for s in held), "one of the ten has ended")
        with case("knowing the limit"), h2raw.connect(larder.port) as client:
            client.ping()
            equal(client.settings[h2raw.MAX_CONCURRENT_STREAMS], 10)
            held = [client.ask("/hold") for _ in range(10)]
            got = client.answer_of(client.ask("/one-more"))
            client.read_until(lambda: got.is_over or client.goaway, "refusal", 5)
            check(
                client.goaway or got.reset in (h2raw.REFUSED_STREAM, h2raw.PROTOCOL_ERROR), str(got)
            )
        check("/one-more" not in [r.target for r in origin.requests], "it was served")
        with case("one after the other"), h2raw.connect(larder.port) as client:
            for _ in range(50):
                client.expect_ok("/")


def test_refused_streams_without_end():
    with stage(h2_streams=10, h2_resets=100) as (larder, origin):
        with h2raw.connect(larder.port, polite=False) as client:
            all_streams(client)
            block = section(request("/hold"))
            frames = (bare(HEADERS, LAST, s, block) for s in streams(MANY))
            ended_for(larder, client, together(frames), "resets")
            check(len(origin.requests) <= 10, f"{len(origin.requests)} at the origin")


BEGUN = bare(HEADERS, END_STREAM, 1, section(request("/"))[:10])

SLOW_HEADS = {
    "half a preface": (h2raw.PREFACE[:10], None),
    "a preface alone": (h2raw.PREFACE, None),
    "half of SETTINGS": (h2raw.PREFACE + bare(SETTINGS)[:5], None),
    "half of a block": (None, BEGUN),
    "half of a frame": (None, BEGUN[:15]),
    "a frame's head": (None, BEGUN[:9]),
    "half of a frame's head": (None, BEGUN[:4]),
}


def quiet(larder, preface=None):
    """A client that acknowledges nothing, so that what it sends is not followed by anything."""
    return h2raw.connect(larder.port, preface=preface, polite=False)


def test_slow_heads():
    """Whatever part of a head came, it has its time, and a stream beside it buys no more. Less than
    a frame's head is not yet known to be one: the connection is idle."""
    limits = {"head_timeout": "200ms", "idle_timeout": "600ms"}
    with stage(**limits) as (larder, _):
        for name, (preface, rest) in SLOW_HEADS.items():
            with case(name), quiet(larder, preface=preface) as client:
                client.send(rest or b"")
                check(client.read_to_end(3), "still open")
        with case("beside a stream"), quiet(larder) as client:
            client.ask("/hold")
            client.headers(client.new_stream(), section(request("/"))[:10], END_STREAM)
            check(client.read_to_end(3), "still open")
        counted = larder.metric("http_refused_total", why="head-timeout")
        check(counted >= 6, f"{counted} counted")


def dripped(client, drops, every=0.05):
    """Whether the connection ends while these come one after the other, within 2 s."""
    try:
        for drop in itertools.islice(drops, int(1.9 / every)):
            client.send(drop)
            time.sleep(every)
            while client.read_frame(0.001):
                pass
    except (Cut, OSError):
        return True
    return False


def test_slow_head_by_drops():
    """A byte now and then does not buy more time, nor does a CONTINUATION."""
    block = section(request("/"))
    with stage(head_timeout="300ms", idle_timeout="600ms") as (larder, _):
        table = {
            "of a field": itertools.chain(
                [bare(HEADERS, END_STREAM, 1, block + b"\x00\x01x\x7f\x10", length=400)],
                itertools.repeat(b"y"),
            ),
            "malformed": itertools.chain(
                [bare(HEADERS, END_STREAM, 1, b"", length=200)], itertools.repeat(b"\x82")
            ),
            "CONTINUATION": itertools.chain(
                [bare(HEADERS, END_STREAM, 1, block)], itertools.repeat(bare(CONTINUATION, 0, 1))
            ),
        }
        for name, drops in table.items():
            with case(name), h2raw.connect(larder.port) as client:
                client.ping()
                client.next = 3
                every = 0.2 if name == "CONTINUATION" else 0.05
                check(dripped(client, drops, every), "still patient after 2 s")


def test_pings_are_no_requests():
    """A connection without a request is idle, whatever else is said on it."""
    with stage(idle_timeout="300ms") as (larder, _), h2raw.connect(larder.port) as client:
        client.expect_ok("/")
        ping = itertools.repeat(bare(PING, 0, 0, b"12345678"))
        check(dripped(client, ping), "still open after 2 s")
        equal(client.goaway and client.goaway[1], h2raw.NO_ERROR)
        equal(larder.metric("http_closed_total", why="idle"), 1)


def test_slow_body():
    """It costs its stream, not the connection: 408, or a reset."""
    with stage(body_timeout="200ms") as (larder, _), h2raw.connect(larder.port) as client:
        for some in (b"", b"abc"):
            stream = client.ask("/", method="POST", body=some, end=False)
            got = client.read_answer(stream, 5)
            check(got.status == 408 or got.reset is not None, str(got))
        client.expect_ok("/next")
        equal(larder.metric("http_refused_total", why="body-timeout"), 2)


scene.run()
