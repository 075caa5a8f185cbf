#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a client may make us do without asking for anything is bounded: past the bound its connection
ends with ENHANCE_YOUR_CALM, is counted, and leaves nothing behind. Far below it nothing happens."""

import sys

sys.path.insert(0, "test/scene/lib")
import scene
from h2wire import (
    CANCEL,
    ENHANCE_YOUR_CALM,
    H2,
    REFUSED_STREAM,
    ContinuationFrame,
    DataFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
    get,
    request,
)
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal

POST = request("POST", "/x")


def keep_pace(h2, i):
    """No more streams at a time than may be under way."""
    if i % 50 == 49:
        h2.answer(2 * i - 1)


def cancel(h2, i):
    return h2.head(2 * i + 1, get(f"/{i}")), RstStreamFrame(2 * i + 1, CANCEL)


def provoke(h2, i):
    """CVE-2025-8671: a window update that overflows makes us reset the stream."""
    keep_pace(h2, i)
    return h2.head(2 * i + 1, POST, False), WindowUpdateFrame(2 * i + 1, 2**31 - 1)


def malform(h2, i):
    keep_pace(h2, i)
    return (h2.head(2 * i + 1, [*get("/"), ("connection", "close")]),)


def empty(h2, i):
    return ([h2.head(1, POST, False)] if i == 0 else []) + [DataFrame(1, b"")]


def padded(h2, i):
    pad = DataFrame(1, b"", pad_length=9, flags=["PADDED"])
    return ([h2.head(1, POST, False)] if i == 0 else []) + [pad]


def endless(h2, i):
    return (h2.head(1, get("/"), whole=False) if i == 0 else ContinuationFrame(1, b""),)


def unknown(h2, i):
    return (b"\0\0\0\xbb\0\0\0\0\0",)


# What is sent again and again, how often it does no harm, how often it is too much.
FLOODS = {
    "streams cancelled": ("resets", cancel, 200, 1500),
    "resets provoked": ("resets", provoke, 200, 1500),
    "malformed heads": ("resets", malform, 200, 1500),
    "PING": ("controls", lambda h2, i: (PingFrame(0),), 500, 3000),
    "SETTINGS": ("controls", lambda h2, i: (SettingsFrame(0),), 500, 3000),
    "unknown frames": ("controls", unknown, 500, 3000),
    "PRIORITY": ("controls", lambda h2, i: (b"\0\0\5\2\0\0\0\0\1" + b"\0" * 5,), 500, 3000),
    "window updates": ("window-updates", lambda h2, i: (WindowUpdateFrame(0, 1),), 1000, 5000),
    "empty DATA": ("empty-frames", empty, 50, 400),
    "padding": ("empty-frames", padded, 50, 400),
    "CONTINUATION": ("endless-head", endless, 0, 50),
}


def flood(h2, frames, count):
    h2.until(lambda: h2.settings)
    for i in range(count):
        if not h2.send(*frames(h2, i)):
            return


def test_floods():
    with Origin(answer(b"x", "Cache-Control: no-store")) as origin, Larder(origin) as larder:
        for name, (why, frames, harmless, too_much) in FLOODS.items():
            before = larder.metric("h2_abuse_total", why=why)
            with case(f"{name}: too much"), H2(larder, window=0) as h2:
                flood(h2, frames, too_much)
                equal(h2.ending(), ENHANCE_YOUR_CALM)
                equal(larder.metric("h2_abuse_total", why=why), before + 1)
            if not harmless:
                continue
            with case(f"{name}: harmless"), H2(larder, window=0) as h2:
                flood(h2, frames, harmless)
                h2.ask(9001, get("/after"))
                equal(h2.verdict(9001), "200")
        larder.wait_for_metric(0, "http_requests_under_way")
        larder.wait_for_metric(0, "cache_fetches_under_way")


def test_a_head_that_unpacks_to_much():
    """One byte of HPACK for each 4000 of a field."""
    with Origin() as origin, Larder(origin) as larder, H2(larder) as h2:
        h2.ask(1, [*get("/x"), ("x", "y" * 3000)])
        equal(h2.answer(1).status, 200)
        head = h2.encoder.encode(get("/x")) + b"\xbe" * 9000
        at = h2.encoder.encode([("x", "y" * 3000)])
        check(len(at) == 1, "the field is not in the table")
        frame = h2.head(3, get("/x"))
        block = frame[9:] + at * 9000
        h2.send(len(block).to_bytes(3, "big") + frame[3:9] + block)
        equal(h2.ending(), ENHANCE_YOUR_CALM)
        equal(larder.metric("h2_abuse_total", why="endless-head"), 1)


def test_too_many_streams():
    with Origin(lambda request, wire: wire.read_some() and None) as origin:
        with Larder(origin, config={"limits": {"h2-streams": 10}}) as larder, H2(larder) as h2:
            h2.send(*(h2.head(stream, request("POST", "/x")) for stream in range(1, 50, 2)))
            equal(h2.answer(49).reset, REFUSED_STREAM)
            refused = [s for s, one in h2.answers.items() if one.reset == REFUSED_STREAM]
            equal(len(refused), 15)
            equal(h2.settings[3], 10)


scene.run()
