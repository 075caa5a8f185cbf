# SPDX-License-Identifier: Apache-2.0
"""What scenes of HTTP/2 share: an origin and Larder before it, and what a broken request or frame
may end in."""

import threading
from contextlib import contextmanager

import h2raw
from h2raw import NO_ERROR, PROTOCOL_ERROR
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal


@contextmanager
def stage(**limits):
    """An origin, and Larder before it. `/hold` is answered when the scene is over."""
    over = threading.Event()

    def reply(asked, _):
        if asked.target == "/hold":
            over.wait(20)
        return answer(b"ok", "Cache-Control: no-store")

    config = {"limits": limits} if limits else {}
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
