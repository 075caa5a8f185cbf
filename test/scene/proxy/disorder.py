#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Everything at once: clients that ask, stop, leave and send noise, an origin that stalls, lies and
dies, a store on disk and reloads in between. What is read is sound, and in the end nothing is left.
It finds little by itself and much with a sanitizer."""

import random
import signal
import threading
import time

import scene
from larder import Larder
from origin import CLOSE, Origin, answer
from scene import equal
from wire import Cut, Malformed, chunked, head

SECONDS, CLIENTS = 4, 24
SIZES = (0, 10, 5000, 200000, 1500000)
CONTROLS = (
    "no-store",
    "max-age=1",
    "max-age=0, stale-while-revalidate=2",
    "max-age=1, stale-if-error=5",
)
CONFIG = {
    "limits": {"body-timeout": "300ms", "idle-timeout": "500ms", "send-timeout": "500ms"},
    "origin": {"first-byte-timeout": "200ms", "between-bytes-timeout": "200ms"},
}


# ---- an origin of many moods ----


def pieces(chance):
    return chunked(*(b"y" * chance.randint(1, 70000) for _ in range(5)), trailers=["T: 1"])


def reply(request, wire):
    chance = random.Random()
    fields = [f"Cache-Control: {chance.choice(CONTROLS)}"]
    fields += chance.choice(([], ["Vary: X-V"], ['ETag: "a"']))
    size = chance.choice(SIZES)
    early = head("HTTP/1.1 103 Early Hints", "Link: x")
    in_chunks = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", *fields)
    too_long = head("HTTP/1.1 200 OK", f"Content-Length: {size + 5}", *fields)
    mood = chance.randrange(12)
    if mood == 0:
        wire.reset()
    if mood == 1:
        time.sleep(0.3)
    if request.get("If-None-Match") and chance.random() < 0.5:
        return head("HTTP/1.1 304 Not Modified", 'ETag: "a"', *fields)
    moods = {
        2: (too_long + b"x" * size, CLOSE),
        3: answer(b"sorry", status="503 Service Unavailable"),
        4: (b"HTTP/1.1 noise\r\n\r\n", CLOSE),
        5: early + in_chunks + pieces(chance),
        6: in_chunks + pieces(chance),
        7: (head("HTTP/1.1 200 OK", *fields) + b"z" * size, CLOSE),
    }
    return moods.get(mood) or answer(b"w" * size, *fields)


# ---- clients of all manners ----


def requests(chance):
    """One request as (method, bytes)."""
    target = f"/{chance.randrange(10)}"
    extra = chance.choice(
        ([], ["X-V: 1"], ["Range: bytes=0-99"], ["Cache-Control: no-cache"], ['If-None-Match: "a"'])
    )
    sized = head(f"POST {target} HTTP/1.1", "Host: a", "Content-Length: 300000")
    coded = head(f"PUT {target} HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
    get = head(f"GET {target} HTTP/1.1", "Host: a", *extra)
    kinds = [("GET", get)] * 6 + [
        ("HEAD", head(f"HEAD {target} HTTP/1.1", "Host: a", *extra)),
        ("GET", head(f"GET {target} HTTP/1.0")),
        ("POST", sized + b"p" * 300000),
        ("POST", sized + b"p" * 1000),
        ("PUT", coded + chunked(b"a" * 70000, b"b")),
        ("GET", chance.randbytes(50) + b"\r\n\r\n"),
    ]
    return chance.choice(kinds)


def behave(larder, chance):
    with larder.connect() as client:
        client.sock.settimeout(5)
        for _ in range(chance.randint(1, 6)):
            method, sent = requests(chance)
            client.send(sent)
            manner = chance.randrange(10)
            if manner == 0:
                return client.reset()
            if manner == 1:
                return client.close()
            if manner == 2:
                client.sock.recv(1000)
                return client.reset()
            if client.read_answer(method).get("Connection") == "close":
                return None


def keep_on(larder, number, stop, faults):
    chance = random.Random(number)
    while not stop.is_set():
        try:
            behave(larder, chance)
        except (Cut, OSError):
            pass  # a connection may end; it is what comes over it that must be sound
        except Malformed as fault:
            faults.append(fault)


def crowd(larder, faults):
    """Lets the clients go at it for a while, with a reload now and then."""
    stop = threading.Event()
    clients = [
        threading.Thread(target=keep_on, args=(larder, i, stop, faults)) for i in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    try:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(0.3)
            equal(larder.child.poll(), None, "larder has ended")
            larder.signal(signal.SIGHUP)
    finally:
        stop.set()
        for client in clients:
            client.join()


def test_nothing_is_left():
    faults = []
    with Origin(reply) as one, Origin(reply) as two:
        larder = Larder(one, two, workers=2)
        larder.configure(CONFIG | {"store": {"hot-size": "2m", "path": str(larder.path / "store")}})
        with larder:
            crowd(larder, faults)
            equal(faults, [], "what clients read")
            larder.wait_for_metric(0, "http_requests_under_way")
            larder.wait_for_metric(0, "http_connections", state="open")
            larder.wait_for_metric(0, "cache_fetches_under_way")
            larder.wait_for_metric(0, "origin_connections", state="busy")


scene.run()
