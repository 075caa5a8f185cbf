#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""One request to the origin for each key, however workers race for it (RFC 9111 4): a fetch that
ends between another worker's look into the cache and its claim is seen by a second look. Many
clients ask on 4 workers for the same keys in the same order, as fast as they can, of an origin that
answers at once."""

import os
import subprocess
import threading

import scene
from larder import TOP, Larder, free_port
from scene import equal, skip
from wire import head

PROGRAM = os.environ.get("ORIGIN", str(TOP / "build/origin"))
KEYS, CLIENTS, GROUP = 12_000, 10, 50


def ask_all(larder):
    """All keys on one connection, many requests ahead of the answers."""
    with larder.connect() as wire:

        def send():
            for first in range(0, KEYS, GROUP):
                lines = (
                    head(f"GET /products/{n}?size=64 HTTP/1.1", "Host: a")
                    for n in range(first, first + GROUP)
                )
                wire.send(*lines)

        sender = threading.Thread(target=send)
        sender.start()
        got, rest = 0, b""
        while got < KEYS:
            rest += wire.read_some()
            *whole, rest = rest.split(b"HTTP/1.1 200")
            got += len(whole)
        sender.join()


def test_each_key_once():
    if not os.path.exists(PROGRAM):
        skip("no sample origin")
    port = free_port()
    origin = subprocess.Popen(
        [PROGRAM, "--quiet", "--listen", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL
    )
    try:
        config = {"limits": {"requests": 0}}
        with Larder(f"http://127.0.0.1:{port}", config=config, workers=4) as larder:
            larder.get("/-/stats", "Cache-Control: no-store")
            crew = [threading.Thread(target=ask_all, args=(larder,)) for _ in range(CLIENTS)]
            for one in crew:
                one.start()
            for one in crew:
                one.join()
            equal(larder.metric("origin_requests_total") - 1, KEYS, "requests at the origin")
            equal(larder.metric("cache_results_total", result="miss"), KEYS, "misses")
    finally:
        origin.terminate()
        origin.wait()


scene.run()
