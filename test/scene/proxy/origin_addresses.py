#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Several addresses of one origin: each in its turn, and one that takes no connection costs the
client nothing."""

import socket
from contextlib import ExitStack

import scene
from larder import Larder, free_port
from origin import Origin, answer
from scene import case, check, equal

FRESH = "Cache-Control: no-store"


def named(count, stack):
    return [stack.enter_context(Origin(answer(b"%d" % i, FRESH))) for i in range(count)]


def dead():
    """A URL where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"


def test_round_robin():
    with ExitStack() as stack:
        origins = named(3, stack)
        with Larder(*origins) as larder:
            for i in range(30):
                larder.get(f"/{i}")
        equal([len(origin.requests) for origin in origins], [10, 10, 10])


def test_by_flags():
    """The same without a configuration file's group."""
    with ExitStack() as stack:
        origins = named(2, stack)
        flags = [word for origin in origins for word in ("--origin", origin.url)]
        with Larder(*origins, flags=flags) as larder:
            for i in range(10):
                larder.get(f"/{i}")
        equal([len(origin.requests) for origin in origins], [5, 5])


def test_one_refuses():
    """The next one is asked, also for what must not be asked twice: it was not asked at all."""
    with ExitStack() as stack:
        origins = named(2, stack)
        with Larder(origins[0], dead(), origins[1]) as larder:
            for i in range(30):
                method = ("GET", "POST", "DELETE")[i % 3]
                body = b"x" * 100000 if method == "POST" else b""
                got = larder.ask(
                    f"{method} /{i} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", body=body
                )
                equal(got.status, 200, f"request {i}")
        equal(sum(len(origin.requests) for origin in origins), 30)
        check(all(origin.requests for origin in origins), "one was never asked")


def test_one_goes_down_and_comes_back():
    with ExitStack() as stack:
        first, second = named(2, stack)
        with Larder(first, second) as larder:
            for i in range(4):
                larder.get(f"/a{i}")
            second.close()
            for i in range(10):
                equal(larder.get(f"/b{i}").status, 200)
            with Origin(answer(b"back", FRESH), second.port) as again:
                def asked(i=iter(range(10**6))):
                    larder.get(f"/c{next(i)}")
                    return again.requests
                scene.eventually(asked, "it is never asked again", 15)


def test_all_are_down():
    table = {"one": 1, "three": 3}
    for name, count in table.items():
        with case(name), Larder(*(dead() for _ in range(count))) as larder:
            equal(larder.get().status, 502)
            post = ("POST / HTTP/1.1", "Host: a", "Content-Length: 2")
            equal(larder.ask(*post, body=b"hi").status, 502)


def test_one_takes_no_connection_in_time():
    """An address whose queue of connections is full answers nothing; the next one is asked."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        (origin,) = named(1, stack)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        with Larder(url, origin, config={"origin": {"connect-timeout": "200ms"}}) as larder:
            for i in range(4):
                equal(larder.get(f"/{i}").status, 200)
        with Larder(url, config={"origin": {"connect-timeout": "200ms"}}) as larder:
            equal(larder.get().status, 504)


def test_by_name():
    with Origin() as origin, Larder(f"http://localhost:{origin.port}") as larder:
        equal(larder.get().status, 200)


def test_a_name_without_address():
    config = {"origin": {"connect-timeout": "500ms"}}
    with Larder("http://nowhere.invalid:80", config=config) as larder:
        equal(larder.get().status, 502)


scene.run()
