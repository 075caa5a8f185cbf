#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that ask for much, and mean it: none of them is taken for an attack. Each is the honest
neighbour of one in attacks.py."""

import hashlib
import re
import subprocess
import time

import h2raw
import scene
from h2raw import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    bare,
    number,
    request,
    section,
    settings,
)
from h2stage import abuse, stage
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal

LAST = END_HEADERS | END_STREAM
LARGEST = (1 << 31) - 1
MIB = 1 << 20


def test_h2load():
    """100,000 answers out of the cache over 4 connections, 100 at a time on each."""
    with Origin(answer(b"x" * 100, "Cache-Control: max-age=600")) as origin:
        with Larder(origin, config={"limits": {"requests": 0}}) as larder:
            said = h2load(larder, "-n", "100000", "-c", "4", "-m", "100")
            equal(succeeded(said), 100_000, said)
            equal(abuse(larder), {})
            equal(len(origin.requests), 1, "requests at the origin")


def test_h2load_of_large_answers():
    with stage() as (larder, _):
        equal(larder.get("/big").status, 200)
        equal(succeeded(h2load(larder, "-n", "500", "-c", "4", "-m", "100", path="/big")), 500)
        equal(abuse(larder), {})


def h2load(larder, *flags, path="/"):
    url = f"http://127.0.0.1:{larder.port}{path}"
    done = subprocess.run(["h2load", *flags, url], capture_output=True, text=True, timeout=50)
    equal(done.returncode, 0, done.stderr)
    return done.stdout


def succeeded(said):
    counts = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored", said)
    check(counts, said)
    equal((counts[2], counts[3]), ("0", "0"), said)
    return int(counts[1])


def test_over_the_limit_of_requests():
    """`requests` ends connections now and then: each request that is refused by that may be tried
    again, and the last stream of GOAWAY says so."""
    with stage(requests=10) as (larder, origin), h2raw.connect(larder.port) as client:
        asked = [client.ask("/") for _ in range(15)]
        client.pump([], seconds=5, rest=5)
        last, code, _ = client.goaway
        equal(code, h2raw.NO_ERROR)
        for stream in asked:
            got = client.answer_of(stream)
            if stream <= last:
                equal((got.status, got.ended), (200, True), str(got))
            else:
                equal(got.status, 0, str(got))
        equal(len(origin.requests), sum(s <= last for s in asked), "at the origin")


def test_a_browser_that_leaves_a_page():
    """It cancels half of what it waits for, again and again, and asks for the next page."""
    with stage() as (larder, _), h2raw.connect(larder.port) as client:
        for page in range(5):
            streams = [client.ask("/mine" if i % 10 == 0 else "/") for i in range(100)]
            for stream in streams[::2]:
                client.reset(stream)
            for stream in streams[1::2]:
                equal(client.read_answer(stream).status, 200, f"page {page}")
        client.expect_ok("/next")
        equal((abuse(larder), client.goaway), ({}, None))


def test_pings_of_grpc():
    """One each few milliseconds, for 2 s, while a stream is open."""
    with stage() as (larder, _), h2raw.connect(larder.port) as client:
        client.ask("/hold")
        end, count = time.monotonic() + 1.9, 0
        while time.monotonic() < end:
            client.ping(b"%08d" % count, 1)
            count += 1
            time.sleep(0.003)
        check(count > 100, f"{count} PINGs")
        equal((abuse(larder), client.goaway), ({}, None))


def test_small_messages_of_grpc():
    """An upload in 20,000 frames of a few bytes; every tenth is padded."""
    heard = hashlib.sha256()

    def sink(asked, _):
        heard.update(asked.body)
        return answer(b"%d" % len(asked.body), "Cache-Control: no-store")

    with Origin(sink) as origin, Larder(origin) as larder, h2raw.connect(larder.port) as client:
        stream = client.ask("/", method="POST", end=False)
        sent, frames = hashlib.sha256(), []
        for i in range(20_000):
            part = b"%d" % i
            sent.update(part)
            padded = i % 10 == 0
            payload = b"\4" + part + b"\0" * 4 if padded else part
            frames.append(bare(DATA, h2raw.PADDED if padded else 0, stream, payload))
        chunks = [b"".join(frames[at : at + 200]) for at in range(0, len(frames), 200)]
        still = [*chunks, bare(DATA, END_STREAM, stream)]
        check(not client.pump(still, rest=0.5), str(client.goaway))
        equal(client.read_answer(stream).status, 200)
        equal(heard.digest(), sent.digest(), "the body")
        equal(abuse(larder), {})


def opens_windows(client, step, at_once):
    """Takes 1 MiB, and gives each step back by itself, so many bytes together."""
    stream, back = client.ask("/big"), 0
    got = client.answer_of(stream)
    update = number(step)
    pair = bare(WINDOW_UPDATE, 0, stream, update) + bare(WINDOW_UPDATE, 0, 0, update)
    while not got.is_over:
        check(client.read_frame(), "silence")
        while back + at_once <= len(got.body):
            back += at_once
            client.send(pair * (at_once // step))
    equal((len(got.body), got.reset), (MIB, None))


def test_windows_opened_in_small_steps():
    """A client that gives back each 1 KiB it has taken, for its stream and its connection: as it
    comes, or as it does where Larder or the way to it is slower than the client."""
    for at_once in (1024, 16384):
        with case(f"{at_once} at once"), stage() as (larder, _):
            with h2raw.connect(larder.port, credits=False) as client:
                for _ in range(4):
                    opens_windows(client, 1024, at_once)
                equal((abuse(larder), client.goaway), ({}, None))


def test_windows_that_wait():
    """A player that lets its answers wait, for shorter than the limit, many times."""
    with stage(send_timeout="500ms") as (larder, _):
        with h2raw.connect(larder.port, credits=False, initial_window_size=65536) as client:
            client.frame(WINDOW_UPDATE, 0, 0, number(LARGEST - 65535))
            stream = client.ask("/big")
            got = client.answer_of(stream)
            for part in range(1, 17):
                client.read_until(lambda: len(got.body) >= part * 65536, f"part {part}")
                if part < 16:
                    time.sleep(0.1)
                    client.frame(WINDOW_UPDATE, 0, stream, number(65536))
            equal((len(client.read_answer(stream).body), got.reset), (MIB, None))
            equal((abuse(larder), larder.metric("h2_stalled_total")), ({}, 0))


def test_settings_that_change():
    """Windows that grow and shrink with each page; a table that is emptied."""
    with stage() as (larder, _), h2raw.connect(larder.port) as client:
        for size in (1, 100_000, 0, 65535, LARGEST, 16384) * 5:
            client.frame(SETTINGS, 0, 0, settings(initial_window_size=size))
            if size > 1:
                client.expect_ok("/")
        client.read_until(lambda: client.settings_acks == 31, "acknowledgements")
        equal((abuse(larder), client.goaway), ({}, None))


def test_mistakes_now_and_then():
    """300 broken requests beside 300 good ones."""
    with stage() as (larder, _), h2raw.connect(larder.port) as client:
        for _ in range(300):
            broken = client.new_stream()
            client.headers(broken, request("/", ("X", "y")))
            good = client.ask("/")
            equal(client.read_answer(good).status, 200)
            client.expect_rst(broken, h2raw.PROTOCOL_ERROR)
        equal((abuse(larder), client.goaway), ({}, None))


def test_many_streams_at_once():
    """As many as SETTINGS allow, each time it has the answers; and 10 such clients."""
    with stage() as (larder, _):
        clients = [h2raw.connect(larder.port) for _ in range(10)]
        for client in clients:
            client.ping()
            most = client.settings[h2raw.MAX_CONCURRENT_STREAMS]
            check(most >= 100, f"RFC 9113 6.5.2 recommends 100, not {most}")
        for client in clients:
            block = section(request("/"))
            streams = [client.new_stream() for _ in range(most)]
            client.send(*(bare(HEADERS, LAST, s, block) for s in streams))
        for client in clients:
            with case("client"), client:
                for stream in streams:
                    equal(client.read_answer(stream).status, 200)
                client.send(bare(RST_STREAM, 0, streams[0], number(8)))
                client.send(bare(PING, 0, 0, b"12345678"))
        equal(abuse(larder), {})


scene.run()
