# SPDX-License-Identifier: Apache-2.0
"""What scenes of HTTP/2 share: an origin and Larder before it, and what a broken request or frame
may end in."""

import re
import threading
import time
from contextlib import contextmanager

import h2raw
from h2raw import ENHANCE_YOUR_CALM, NO_ERROR, PROTOCOL_ERROR
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal


@contextmanager
def stage(**limits):
    """An origin, and Larder before it. `/hold` is answered when the scene is over, `/big` is 1 MiB
    that is kept, `/mine` 1 MiB that is not."""
    over = threading.Event()
    table = {"/big": "max-age=600", "/mine": "no-store"}

    def reply(asked, _):
        if asked.target == "/hold":
            over.wait(20)
        if asked.target in table:
            return answer(b"x" * (1 << 20), f"Cache-Control: {table[asked.target]}")
        return answer(b"ok", "Cache-Control: no-store")

    config = {"limits": {k.replace("_", "-"): v for k, v in limits.items()}} if limits else {}
    with Origin(reply) as origin, Larder(origin, config=config) as larder:
        try:
            yield larder, origin
        finally:
            over.set()


def targets(origin):
    """What was asked for at the origin; also what it could not understand must not be there."""
    with origin.changed:
        equal(origin.faults, [], "what the origin heard")
        return [asked.target for asked in origin.requests]


def lives(client, origin):
    """The connection serves the next request, and the origin heard of no other."""
    client.expect_ok("/next")
    equal(targets(origin), ["/next"], "at the origin")
    origin.forget()


@contextmanager
def attempt(name, larder, origin):
    """A case with a connection of its own, and an origin that has heard nothing yet."""
    with case(name):
        origin.forget()
        with h2raw.connect(larder.port) as client:
            yield client


def refusal(got):
    """RFC 9113 8.1.1: reset, or answered by an error before that."""
    told = 400 <= got.status < 500
    check(got.reset == PROTOCOL_ERROR or (told and got.ended), f"{got}, no refusal")


def ended_by(client, stream, codes):
    got = client.answer_of(stream)
    client.read_until(lambda: got.is_over or client.goaway, "error", 5)
    if client.goaway:
        client.expect_goaway(*codes, within=5)
        return
    check(got.reset in codes, f"{got} instead of {codes}")
    client.expect_ok("/next")


def closed_again(client, stream, codes):
    """RFC 9113 5.1: the connection ends, or the stream does; or, where it was already gone, its
    frames are not heard."""
    next_stream = client.ask("/next")
    got, was = client.answer_of(next_stream), client.answer_of(stream)
    client.read_until(lambda: got.is_over or client.goaway, "what follows", 5)
    if client.goaway:
        client.expect_goaway(*codes, within=5)
        return
    equal(got.status, 200)
    check(was.reset in codes | {NO_ERROR, None}, f"{was}")


# ---- attacks ----


def fresh(larder):
    """Who comes now is served at once, by either protocol."""
    with h2raw.connect(larder.port) as client:
        client.expect_ok("/fresh", within=5)
    equal(larder.get("/fresh").status, 200)


def abuse(larder):
    """The connections that were ended for abuse, by its kind."""
    lines = larder.admin("/metrics").body.decode().splitlines()
    found = (re.fullmatch(r'larder_h2_abuse_total\{why="(.*)"\} (\d+)', line) for line in lines)
    return {f[1]: int(f[2]) for f in found if f and f[2] != "0"}


@contextmanager
def bounded(larder, limit):
    """Memory does not grow by more than that, at any moment."""
    fresh(larder)
    before = larder.memory("VmHWM")
    yield
    larder.check_growth(before, limit)


@contextmanager
def bystander(larder, at_least=3, slowest=1):
    """Somebody else's requests, one after the other, all the while."""
    over, times, faults = threading.Event(), [], []

    def ask():
        try:
            with h2raw.connect(larder.port) as client:
                while not over.is_set() or len(times) < at_least:
                    begin = time.monotonic()
                    client.expect_ok("/bystander")
                    times.append(time.monotonic() - begin)
        except Exception as fault:
            faults.append(fault)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(20)
    equal(faults, [], "the bystander")
    check(max(times) < slowest, f"the bystander waited for {max(times):.2f} s")


def ended_for(larder, client, chunks, why, **pump):
    """The connection ends while it floods, with the right word, and is counted. why: several words,
    where the pace decides."""
    counted = lambda: sum(abuse(larder).get(word, 0) for word in why.split())
    before = counted()
    check(client.pump(chunks, **pump), "the connection is still open")
    equal(client.goaway and client.goaway[1], ENHANCE_YOUR_CALM, "GOAWAY")
    equal(counted(), before + 1, f"counted as {why}, of {abuse(larder)}")
