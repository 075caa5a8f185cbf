#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A purge that was answered is on disk: kill -9 right behind the answer, again and again, never
brings back what was purged. Nor does a store that opens late."""

import json
import signal
import socket

import scene
from caching import start_again
from faults import wait_for_state
from origin import Origin
from purging import (
    ONE_PAGE,
    NumberedShop,
    check_gone,
    check_hit,
    for_page,
    get,
    log_of,
    order,
    stored,
)
from scene import case, check, equal, eventually
from wire import head

ROUNDS = 50
def purge_and_kill(larder, what):
    """The answer's first byte is the signal."""
    body = json.dumps(what).encode()
    with socket.create_connection(("127.0.0.1", larder.admin_port)) as sock:
        sock.sendall(head("POST /v1/purge HTTP/1.1", "Host: a", f"Content-Length: {len(body)}"))
        sock.sendall(body)
        first = sock.recv(64)
        larder.child.send_signal(signal.SIGKILL)
    check(first.startswith(b"HTTP/1.1 200"), f"{first}")
    larder.wait()
    start_again(larder)


def test_killed_behind_the_answer():
    with Origin(NumberedShop()) as origin:
        larder = stored(origin, ROUNDS)
        try:
            for number in range(ROUNDS):
                what = for_page(ONE_PAGE[number % len(ONE_PAGE)], number)
                purge_and_kill(larder, what | {"mode": "hard"})
                with case(f"round {number}, {what}"):
                    check_gone(origin, larder, f"a/{number}", b"1")
                if number + 1 < ROUNDS:
                    with case(f"round {number}, another"):
                        check_hit(larder, f"a/{number + 1}", b"1")
                equal(log_of(larder)[-1]["seq"], number + 1)
            for number in range(ROUNDS):
                with case(f"in the end, {number}"):
                    check(get(larder, f"a/{number}").body != b"1", "it came back")
        finally:
            larder.__exit__(None)


def test_the_store_is_off():
    """Before it opens: refused as not durable, in force, and of what it has nothing comes back."""
    with Origin(NumberedShop()) as origin:
        larder = stored(origin, 3)
        try:
            larder.signal(signal.SIGTERM)
            larder.wait()
            folder = larder.path / "store"
            folder.rename(larder.path / "away")
            folder.write_text("no folder")
            start_again(larder)
            code, said = order(larder, {"tags": ["t0"], "mode": "hard"})
            equal(code, 503, f"{said}")
            folder.unlink()
            (larder.path / "away").rename(folder)
            wait_for_state(larder, "ok")
            check(get(larder, "a/0").body != b"1", "it came back with the store")
            eventually(lambda: len(log_of(larder)) == 1, "it is not written")
            larder.child.kill()
            larder.wait()
            start_again(larder)
            check(get(larder, "a/0").body != b"1", "it came back")
        finally:
            larder.__exit__(None)


scene.run()
