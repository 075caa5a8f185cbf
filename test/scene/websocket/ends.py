#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How tunnels end: by either side, half-way, by silence, by a stop; and what does not end them."""

import signal
import threading
import time

import scene
import websockets
from caching import access_lines
from larder import Larder
from origin import Origin
from scene import case, check, equal, eventually
from tunnels import (
    HANDSHAKE,
    Echo,
    agreed,
    check_nothing_is_left,
    echo,
    run,
    switched,
    talk,
    tunnelled,
)

MIB = 1 << 20


def speaks(wire, text=b"still"):
    wire.send(text)
    return wire.read_exactly(len(text)) == text


# ---- either side ----


def test_the_origin_goes():
    """What it said before it went arrives, then the end."""
    for name, end in {"closes": "close", "resets": "reset"}.items():
        go = threading.Event()

        def last_words(wire):
            wire.send(b"last words")
            go.wait(20)
            getattr(wire, end)()

        with case(name), Origin(tunnelled(last_words)) as origin, Larder(origin) as larder:
            with switched(larder) as client:
                equal(client.read_exactly(10), b"last words")
                go.set()
                check(client.is_closed(), "still open")
            check_nothing_is_left(larder)


def test_a_real_origin_is_killed():
    async def go():
        async with talk(larder) as socket:
            await socket.send("hello")
            await socket.recv()
            peer = next(iter(origin.open))
            origin.loop.call_soon_threadsafe(peer.transport.abort)
            try:
                await socket.recv()
                check(False, "a message came")
            except websockets.ConnectionClosedError as closed:
                equal(closed.rcvd, None)

    with Echo() as origin, Larder(origin) as larder:
        run(go)
        check_nothing_is_left(larder)


def test_the_origin_goes_while_the_client_speaks():
    """What comes for it then is dropped; what it said before still arrives."""

    read = threading.Event()

    def flood(wire):
        wire.send(b"x" * 320000)
        wire.finish()
        read.wait(20)

    with Origin(tunnelled(flood)) as origin, Larder(origin) as larder:
        with switched(larder, receive_bytes=4096) as client:
            larder.wait_for_metric(0, "origin_connections", state="busy")
            equal(larder.metric("http_tunnels", state="open"), 1)
            client.send(b"y" * MIB)
            equal(len(client.read_rest()), 320000)
            read.set()
            equal(larder.metric("http_refused_total", why="other"), 0)


def test_the_client_goes():
    for end in ("close", "reset"):
        ended = threading.Event()

        def listen(wire):
            wire.send(wire.read_exactly(5))
            wire.read_rest()
            ended.set()

        with case(end), Origin(tunnelled(listen)) as origin, Larder(origin) as larder:
            client = switched(larder, b"hello")
            equal(client.read_exactly(5), b"hello")
            getattr(client, end)()
            check(ended.wait(10), "the origin saw no end")
            check_nothing_is_left(larder)


def test_the_client_goes_before_the_answer():
    door = threading.Event()

    def late(request, wire):
        door.wait(20)
        wire.send(agreed(request))
        echo(wire)

    with Origin(late) as origin, Larder(origin) as larder:
        for end in ("close", "reset"):
            with case(end):
                door.clear()
                client = larder.connect()
                client.send(HANDSHAKE)
                origin.wait_for(1)
                getattr(client, end)()
                door.set()
                check_nothing_is_left(larder)
                origin.forget()


def test_half_closed():
    """Each direction ends by itself: what the origin still says after the client's end arrives."""

    def after_the_end(wire):
        heard = wire.read_rest()
        wire.send(b"heard %d" % len(heard))
        time.sleep(0.3)
        wire.send(b" bytes")

    with Origin(tunnelled(after_the_end)) as origin, Larder(origin) as larder:
        with switched(larder, b"x" * 300000) as client:
            client.finish()
            equal(client.read_rest(), b"heard 300000 bytes")
        check_nothing_is_left(larder)


# ---- silence ----


def test_idle():
    """Neither direction moved a byte: closed on both sides, counted, logged."""
    ended = threading.Event()

    def listen(wire):
        wire.read_rest()
        ended.set()

    with Origin(tunnelled(listen)) as origin:
        larder = Larder(origin)
        log = larder.path / "access"
        larder.configure({"limits": {"tunnel-idle": "300ms"}, "log": {"access": str(log)}})
        with larder, switched(larder) as client:
            begin = time.monotonic()
            check(client.is_closed(), "still open")
            took = time.monotonic() - begin
            check(0.25 < took < 5, f"it took {took:.1f} s")
            check(ended.wait(10), "the origin saw no end")
            check_nothing_is_left(larder)
            equal(larder.metric("http_closed_total", why="tunnel-idle"), 1)
            equal(access_lines(log, 1)[0]["failure"], "tunnel-idle")


def test_not_idle():
    """Bytes of either direction keep both alive; HTTP's own limits do not matter here."""

    def drip(wire):
        for _ in range(12):
            wire.send(b".")
            time.sleep(0.1)

    def listen(wire):
        wire.send(b"%d" % len(wire.read_exactly(12)))

    short = {"body-timeout": "200ms", "send-timeout": "200ms", "idle-timeout": "200ms"}
    config = {
        "limits": {"tunnel-idle": "500ms"} | short,
        "origin": {f"{name}-timeout": "300ms" for name in ("between-bytes", "send", "total")},
    }
    with Origin(tunnelled(drip)) as origin, Larder(origin, config=config) as larder:
        with switched(larder) as client:
            equal(client.read_rest(), b"." * 12)
    with Origin(tunnelled(listen)) as origin, Larder(origin, config=config) as larder:
        with switched(larder) as client:
            for _ in range(12):
                client.send(b".")
                time.sleep(0.1)
            equal(client.read_rest(), b"12")


def test_no_answer():
    """The handshake itself is a request like any other: the origin has first-byte-timeout."""
    door = threading.Event()

    def never(request, wire):
        door.wait(20)

    config = {"origin": {"first-byte-timeout": "200ms"}}
    with Origin(never) as origin, Larder(origin, config=config) as larder:
        with larder.connect() as client:
            client.send(HANDSHAKE)
            equal(client.read_answer().status, 504)
        door.set()


# ---- what the operator does ----


def test_reload():
    """A tunnel stays as it began; new ones go the new way."""

    def named(name):
        def serve(wire):
            while wire.read_some():
                wire.send(name)

        return tunnelled(serve)

    with Origin(named(b"old")) as old, Origin(named(b"new")) as new, Larder(old) as larder:
        with switched(larder) as before:
            before.send(b"?")
            equal(before.read_exactly(3), b"old")
            larder.urls = [new.url]
            larder.configure({})
            larder.signal(signal.SIGHUP)
            larder.wait_for_metric(1, "config_reloads_total", result="ok")
            new_one = eventually(lambda: asks(larder, b"new"), "the old origin is asked")
            check(new_one, "no new tunnel")
            before.send(b"?")
            equal(before.read_exactly(3), b"old")
            larder.wait_for_metric(1, "http_tunnels", state="open")
        check_nothing_is_left(larder)


def asks(larder, wanted):
    with switched(larder, b"?") as wire:
        return wire.read_exactly(3) == wanted


def test_stopped_at_once():
    with Origin(tunnelled(echo)) as origin, Larder(origin, workers=2) as larder:
        with switched(larder) as client:
            check(speaks(client), "no echo")
            begin = time.monotonic()
            larder.signal(signal.SIGTERM)
            equal(larder.wait(20), 0, "exit code")
            check(time.monotonic() - begin < 5, "it took long")
            check(client.is_closed(), "still open")


def test_stopped_gracefully():
    """A tunnel goes on until it ends by itself, or the deadline comes."""
    with Origin(tunnelled(echo)) as origin, Larder(origin) as larder:
        with switched(larder) as client:
            larder.signal(signal.SIGQUIT)
            eventually(larder.refuses, "new connections are taken")
            check(speaks(client), "no echo")
            check(larder.child.poll() is None, "it did not wait")
        equal(larder.wait(20), 0, "exit code")


def test_stopped_by_the_deadline():
    config = {"stop-timeout": "400ms"}
    with Origin(tunnelled(echo)) as origin, Larder(origin, config=config) as larder:
        with switched(larder) as client:
            begin = time.monotonic()
            larder.signal(signal.SIGQUIT)
            check(speaks(client), "no echo")
            equal(larder.wait(20), 0, "exit code")
            took = time.monotonic() - begin
            check(0.3 < took < 5, f"it took {took:.1f} s")
            check(client.is_closed(), "still open")


# ---- one side is slow ----


def test_the_client_reads_slowly():
    """The origin is held back, and memory is bounded."""
    sent = [0]

    def flood(wire):
        for _ in range(64):
            wire.send(b"x" * MIB)
            sent[0] += MIB

    with Origin(tunnelled(flood)) as origin, Larder(origin) as larder:
        before = larder.memory()
        with switched(larder, receive_bytes=65536) as client:
            settled(sent)
            check(sent[0] < 32 * MIB, f"{sent[0]} bytes were taken")
            larder.check_growth(before, 3 * MIB)
            equal(len(client.read_rest()), 64 * MIB)
        check_nothing_is_left(larder)


def settled(counter):
    """Waits until it grows no more."""
    last = -1
    while counter[0] != last:
        last = counter[0]
        time.sleep(0.3)


def test_the_origin_reads_slowly():
    sent, go = [0], threading.Event()

    def sleepy(wire):
        wire.remembers = False
        go.wait(20)
        count = 0
        while some := wire.read_some():
            count += len(some)
        wire.send(b"%d" % count)

    def flood(client):
        for _ in range(64):
            client.send(b"x" * MIB)
            sent[0] += MIB
        client.finish()

    with Origin(tunnelled(sleepy)) as origin, Larder(origin) as larder:
        before = larder.memory()
        with switched(larder) as client:
            thread = threading.Thread(target=flood, args=(client,))
            thread.start()
            settled(sent)
            check(sent[0] < 32 * MIB, f"{sent[0]} bytes were taken")
            larder.check_growth(before, 3 * MIB)
            go.set()
            equal(client.read_rest(), b"%d" % (64 * MIB))
            thread.join()
        check_nothing_is_left(larder)


def test_both_flood_and_read():
    """Neither direction waits for the other."""

    def flood(wire):
        wire.remembers = False
        sender = threading.Thread(target=wire.send, args=(b"o" * (16 * MIB),))
        sender.start()
        count = len(wire.read_exactly(16 * MIB))
        sender.join()
        wire.send(b"%d" % count)

    with Origin(tunnelled(flood)) as origin, Larder(origin) as larder:
        with switched(larder) as client:
            sender = threading.Thread(target=client.send, args=(b"c" * (16 * MIB),))
            sender.start()
            equal(len(client.read_rest()), 16 * MIB + 8)
            sender.join()


scene.run()
