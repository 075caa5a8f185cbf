#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Messages damaged in all ways that chance finds, the same ones in each run: what comes out at the
other side is sound HTTP/1.1 or nothing, and means what a second reader took it to mean."""

import random
import socket

import scene
from larder import Larder
from origin import CLOSE, Origin
from scene import case, check, equal
from wire import Cut, Malformed, Wire, chunked, head

COUNT = 3000
REQUESTS = [
    head("GET /x?y HTTP/1.1", "Host: a", "X: y", "Cache-Control: no-cache"),
    head("POST /x HTTP/1.1", "Host: a", "Content-Length: 5") + b"hello",
    head("PUT /x HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
    + chunked(b"hello", b"world", trailers=["X: y"]),
    head("GET http://a/x HTTP/1.1", "Host: a", "Connection: keep-alive, x", "X: y"),
]
ANSWERS = [
    head("HTTP/1.1 200 OK", "Content-Length: 5", "X: y") + b"hello",
    head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Cache-Control: max-age=9")
    + chunked(b"hello", b"world", trailers=["X: y"]),
    head("HTTP/1.1 103 Early Hints", "Link: x") + head("HTTP/1.1 200 OK", "Content-Length: 0"),
    head("HTTP/1.1 304 Not Modified", 'ETag: "x"'),
]
PIECES = [
    *(b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b" ", b"\t", b"\0", b"\x0b", b"\x7f", b"\xff"),
    *(b":", b";", b",", b"=", b'"', b"0", b"5", b"-", b"+", b"0x", b"#", b"@", b"/", b"\\", b"%"),
    *(b"chunked", b"identity", b"close", b"HTTP/1.0", b"HTTP/2.0", b"99999999999999999999"),
    *(b"Host: b\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"X : y\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"\r\n folded", b"Connection: host\r\n"),
]


def damaged(chance, message):
    """The message with one to three pieces put in, taken out, or put in place of others."""
    message = bytearray(message)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(message) + 1)
        message[at : at + chance.choice((0, 0, 1, 2, 5))] = chance.choice(PIECES)
    return bytes(message)


def second_reader(message, read):
    """What our own reader makes of it: a message, Cut when it is not whole, or None when it will
    not read it, which may be for strictness."""
    near, far = socket.socketpair()
    with Wire(near), Wire(far) as wire:
        near.sendall(message)
        near.shutdown(socket.SHUT_WR)
        try:
            return read(wire)
        except Cut:
            return Cut
        except Malformed:
            return None


def agree(ours, theirs, what):
    check(ours is not Cut, f"{what} was taken as whole")
    if ours is not None:
        equal(theirs.body, ours.body, f"body of {what}")


def read_all(client):
    """Reads answers to the connection's end."""
    answers = []
    while True:
        try:
            answers.append(client.read_answer())
        except Cut:
            return answers


def test_requests():
    chance = random.Random(1)
    seen = set()
    with Origin() as origin, Larder(origin) as larder:
        for _ in range(COUNT):
            request = damaged(chance, chance.choice(REQUESTS))
            equal(larder.child.poll(), None, "larder has ended")
            with case(f"{request}"), larder.connect() as client:
                origin.forget()
                client.send(request)
                client.finish()
                answers = read_all(client)
                equal(origin.faults, [], "at the origin")
                check(len(origin.requests) <= len(answers), "more requests than answers")
                if origin.requests:
                    agree(second_reader(request, Wire.read_request), origin.requests[0], "request")
                seen.update(got.status for got in answers)
    check({200, 400} <= seen, f"only {seen}")


def test_answers():
    chance = random.Random(2)
    seen = set()
    with Origin() as origin, Larder(origin) as larder:
        for i in range(COUNT):
            reply = damaged(chance, chance.choice(ANSWERS))
            origin.reply = (reply, CLOSE)
            equal(larder.child.poll(), None, "larder has ended")
            with case(f"{reply}"), larder.connect() as client:
                client.send(head(f"GET /{i} HTTP/1.1", "Host: a", "Connection: close"))
                answers = read_all(client)
                check(len(answers) <= 1, f"{len(answers)} answers to one request")
                for got in answers:
                    seen.add(got.status)
                    if got.status < 500:
                        agree(second_reader(reply, Wire.read_answer), got, "answer")
    check({200, 502} <= seen, f"only {seen}")


scene.run()
