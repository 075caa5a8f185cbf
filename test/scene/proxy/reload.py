#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""HUP reads the configuration again: all of it or, when it is broken, none; no request is lost."""

import signal
import threading

import scene
from larder import Larder
from origin import Origin, answer
from scene import check, equal, eventually
from wire import head

FRESH = "Cache-Control: no-store"


def long_line(larder):
    return larder.get(f"/{'x' * 500}").status


def reload(larder, config, success=1):
    """Loads another configuration and waits for the verdict."""
    before = larder.metric("config_reloads_total", result="ok" if success else "refused")
    larder.configure(config)
    larder.signal(signal.SIGHUP)
    larder.wait_for_metric(
        before + 1, "config_reloads_total", result="ok" if success else "refused"
    )
    equal(larder.metric("config_last_reload_success"), success)


def test_new_limits():
    with Origin() as origin, Larder(origin, workers=2) as larder, larder.connect() as client:
        equal(long_line(larder), 200)
        client.send(head("GET / HTTP/1.1", "Host: a"))
        equal(client.read_answer().status, 200)
        reload(larder, {"limits": {"line-size": 256}})
        eventually(lambda: long_line(larder) == 414, "the old limit holds")
        client.send(head("GET / HTTP/1.1", "Host: a"))
        equal(client.read_answer().status, 200, "a connection from before")
        reload(larder, {})
        eventually(lambda: long_line(larder) == 200, "the new limit holds")


def test_new_origin():
    with Origin(answer(b"old", FRESH)) as old, Origin(answer(b"new", FRESH)) as new:
        with Larder(old) as larder:
            equal(larder.get().body, b"old")
            larder.urls = [new.url]
            reload(larder, {})
            eventually(lambda: larder.get().body == b"new", "the old origin is asked")
            scene.eventually(lambda: larder.metric("origin_connections", state="idle") == 1, "kept")


def test_same_origin():
    """What the new configuration says of an origin in the same words goes on, connections and all."""
    with Origin(answer(b"ok", FRESH)) as origin, Larder(origin) as larder:
        larder.get()
        for i in range(3):
            reload(larder, {"limits": {"line-size": 256 + i}})
            eventually(lambda: long_line(larder) == 414, "the old limit holds")
            equal(larder.get().status, 200)
        equal(larder.metric("origin_connects_total"), 1)
        reload(larder, {"origin": {"idle-connections": 7}})
        larder.get()
        equal(larder.metric("origin_connects_total"), 2)


def test_answers_under_way_end_as_they_began():
    go = threading.Event()

    def halves(_, wire):
        wire.send(head("HTTP/1.1 200 OK", "Content-Length: 10", FRESH) + b"hello")
        go.wait(20)
        return b"world"

    with Origin(halves) as old, Origin(answer(b"new", FRESH)) as new, Larder(old) as larder:
        with larder.connect() as client:
            client.send(head("GET / HTTP/1.1", "Host: a"))
            client.read_until(b"hello")
            larder.urls = [new.url]
            reload(larder, {})
            eventually(lambda: larder.get("/2").body == b"new", "the old origin is asked")
            go.set()
            equal(client.read_exactly(5), b"world")
            client.send(head("GET / HTTP/1.1", "Host: a"))
            equal(client.read_answer().body, b"new")


def test_broken():
    """Nothing of a broken configuration is taken; what is wrong is said, with its place."""
    with Origin() as origin, Larder(origin) as larder:
        broken = {"line-size": 256, "head-fieldz": 3, "requests": "many"}
        reload(larder, {"limits": broken}, success=0)
        larder.wait_for_word("stays in force")
        for word in ("larder.yaml", "head-fieldz", "head-fields", "many"):
            check(word in larder.said(), f"{word} is not in: {larder.said()}")
        equal(long_line(larder), 200)
        larder.config_file.write_text("limits: [\n")
        larder.signal(signal.SIGHUP)
        larder.wait_for_word("stays in force", 2)
        larder.config_file.unlink()
        larder.signal(signal.SIGHUP)
        larder.wait_for_word("stays in force", 3)
        equal(long_line(larder), 200)
        reload(larder, {"limits": {"line-size": 256}})
        eventually(lambda: long_line(larder) == 414, "the good one is not taken")


def test_what_is_stored_stays():
    with Origin(answer(b"ok", "Cache-Control: max-age=60")) as origin, Larder(origin) as larder:
        larder.get()
        reload(larder, {"limits": {"line-size": 256}})
        larder.get()
        equal(len(origin.requests), 1)


def test_under_load():
    """50 reloads while clients ask: each request gets its answer."""
    stop, faults, counts = threading.Event(), [], []

    def ask(larder, number):
        try:
            with larder.connect() as client:
                count = 0
                while not stop.is_set():
                    client.send(head(f"GET /{number}/{count % 7} HTTP/1.1", "Host: a"))
                    got = client.read_answer()
                    equal((got.status, got.body), (200, b"ok"))
                    count += 1
                counts.append(count)
        except Exception as fault:
            faults.append(fault)

    with Origin(answer(b"ok", FRESH)) as origin, Larder(origin, workers=2) as larder:
        clients = [threading.Thread(target=ask, args=(larder, i)) for i in range(6)]
        for client in clients:
            client.start()
        for i in range(50):
            reload(larder, {"limits": {"line-size": 256 + i}})
        stop.set()
        for client in clients:
            client.join()
        equal(faults, [])
        check(all(counts), "a client got nothing")


scene.run()
