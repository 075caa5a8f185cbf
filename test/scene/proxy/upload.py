#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Request bodies stream to the origin as they come, and no faster than it takes them."""

import hashlib
import threading

import scene
from larder import Larder
from origin import Origin, answer, takes_body
from scene import check, equal, eventually
from wire import chunked, head

MIB = 1 << 20
SIZE = 256 * MIB
BLOCK = bytes(range(256)) * 4096  # 1 MiB
NO_LIMIT = {"limits": {"body-size": 0}}


def post(size):
    return head("POST / HTTP/1.1", "Host: a", f"Content-Length: {size}")


def test_passed_on_at_once():
    """The origin has the first bytes while the client still holds back the last."""
    heard = threading.Event()

    @takes_body
    def read(_, wire):
        first = wire.read_exactly(3)
        heard.set()
        return answer(first + wire.read_exactly(3))

    with Origin(read) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(post(6), b"abc")
        check(heard.wait(10), "nothing came")
        client.send(b"def")
        equal(client.read_answer().body, b"abcdef")


def test_chunks_are_passed_on_at_once():
    heard = threading.Event()

    @takes_body
    def read(request, wire):
        line = wire.read_until(b"\r\n")
        first = wire.read_exactly(int(line, 16) + 2)[:-2]
        heard.set()
        wire.read_chunks(request)
        return answer(first + request.body)

    with Origin(read) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))
        client.send(b"3\r\nabc\r\n")
        check(heard.wait(10), "nothing came")
        client.send(chunked(b"def"))
        equal(client.read_answer().body, b"abcdef")


def test_a_slow_origin_slows_the_client():
    """256 MiB to an origin that waits in the middle: what the client can send is bounded, and so is
    Larder's memory; every byte arrives."""
    go, digest = threading.Event(), hashlib.sha256()

    @takes_body
    def read(_, wire):
        wire.remembers = False
        go.wait(20)
        left = SIZE
        while left:
            some = wire.read_some()
            digest.update(some)
            left -= len(some)
        return answer(b"done")

    with Origin(read) as origin, Larder(origin, config=NO_LIMIT) as larder:
        before = larder.memory()
        with larder.connect() as client:
            client.send(post(SIZE))
            sent, fill = 0, threading.Event()

            def send():
                nonlocal sent
                for _ in range(SIZE // MIB):
                    client.send(BLOCK)
                    sent += MIB
                fill.set()

            sender = threading.Thread(target=send, daemon=True)
            sender.start()
            origin.wait_for(1)
            check(not fill.wait(0.7), "all was taken from the client while the origin took nothing")
            check(sent < 64 * MIB, f"{sent} bytes were taken while the origin took nothing")
            go.set()
            equal(client.read_answer().body, b"done")
            sender.join()
        larder.check_growth(before, 32 * MIB)
    wanted = hashlib.sha256()
    for _ in range(SIZE // MIB):
        wanted.update(BLOCK)
    equal(digest.hexdigest(), wanted.hexdigest(), "what the origin got")


def test_an_answer_before_the_end():
    """An origin that has seen enough answers; the rest of the body is not asked for."""

    @takes_body
    def refuse(_, wire):
        wire.read_exactly(1000)
        return answer(b"enough", status="413 Content Too Large")

    with Origin(refuse) as origin, Larder(origin, config=NO_LIMIT) as larder:
        with larder.connect() as client:
            client.send(post(SIZE), b"x" * 1000)
            got = client.read_answer()
            equal((got.status, got.body, got.get("Connection")), (413, b"enough", "close"))
            check(client.is_closed(), "still open")


def test_an_answer_while_both_send():
    """An origin may answer as it reads: echo, both ways at once."""

    @takes_body
    def echo(_, wire):
        wire.send(head("HTTP/1.1 200 OK", f"Content-Length: {8 * MIB}"))
        left = 8 * MIB
        while left:
            some = wire.read_some()
            wire.send(some)
            left -= len(some)

    with Origin(echo) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(post(8 * MIB))
        sender = threading.Thread(target=client.send, args=[BLOCK] * 8, daemon=True)
        sender.start()
        equal(client.read_answer().body, BLOCK * 8)
        sender.join()


def test_many_at_once():
    """Uploads on several connections keep to themselves."""

    def digest(request, _):
        return answer(hashlib.sha256(request.body).hexdigest().encode())

    bodies = [hashlib.sha256(b"%d" % i).digest() * 20000 for i in range(16)]
    with Origin(digest) as origin, Larder(origin, workers=2) as larder:
        clients = [larder.connect() for _ in bodies]
        senders = [
            threading.Thread(target=client.send, args=(post(len(body)), body))
            for client, body in zip(clients, bodies)
        ]
        for sender in senders:
            sender.start()
        for client, body in zip(clients, bodies):
            equal(client.read_answer().body.decode(), hashlib.sha256(body).hexdigest())
            client.close()
        eventually(lambda: larder.metric("http_requests_under_way") == 0, "requests left")


scene.run()
