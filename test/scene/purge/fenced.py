#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""An answer whose fetch began before a purge is never stored as fresh, however late it ends: the
origin is held at every step while a purge of each scope, soft and hard, comes in between. Who
asks after the purge gets what the origin says then, and waits for nothing that was asked for
before."""

import threading

import scene
from caching import crash, restart, status, wait_until_written, with_store
from origin import Origin, answer
from purging import get, purged
from scene import case, check, equal, eventually
from wire import chunked, head

SMALL, LARGE = 50_000, 3 << 20  # more than RAM keeps

# what the origin has sent when it is held: the head, so many bytes of the body, its form
STEPS = {
    "before the head": (False, 0, "length", SMALL),
    "before the head, large": (False, 0, "length", LARGE),
    "before the head, chunked": (False, 0, "chunked", SMALL),
    "after the head": (True, 0, "length", SMALL),
    "in the body": (True, SMALL // 2, "length", SMALL),
    "in the body, chunked": (True, SMALL // 2, "chunked", SMALL),
    "before the last byte": (True, SMALL - 1, "length", SMALL),
    "before the last chunk": (True, SMALL, "chunked", SMALL),
    "in a large body": (True, LARGE // 2, "length", LARGE),
    "in a large body, chunked": (True, LARGE // 2, "chunked", LARGE),
    "before a large body's last chunk": (True, LARGE, "chunked", LARGE),
}
SCOPES = {
    "url": {"files": ["http://{h}/x"]},
    "tag": {"tags": ["one-{h}"]},
    "prefix": {"prefixes": ["{h}/x"]},
    "host": {"hosts": ["{h}"]},
    "everything": {"everything": True},
    "expression": {"expression": "one-{h} AND NOT two-{h}"},
    "regex": {"regex": "//{h}/x$"},
}


def body_of(version, size):
    return (b"v%d " % version).ljust(size, b"x")


class Held:
    """Version 1 up to a step, and the rest when the door is opened; to all others version 2."""

    def __init__(self, host, step):
        self.host, self.step = host, step
        self.is_first, self.lock = True, threading.Lock()
        self.reached, self.door = threading.Event(), threading.Event()
        self.status, self.conditions = "200 OK", []
        self.window = ""

    def fields(self, version):
        name = self.host
        return [
            f"Cache-Control: max-age=900{self.window}",
            f"Surrogate-Key: one-{name}",
            f'ETag: "{version}"',
            "Content-Location: /x",
        ]

    def hold(self):
        self.reached.set()
        check(self.door.wait(20), "nobody opened")

    def __call__(self, request, wire):
        with self.lock:
            first, self.is_first = self.is_first, False
        has_head, sent, form, size = self.step
        if not first:
            self.conditions.append(request.get("If-None-Match"))
            return answer(body_of(2, size), *self.fields(2))
        if not has_head:
            self.hold()
        if self.status.startswith("304"):
            return answer(b"", *self.fields(1), status=self.status)
        body = body_of(1, size)
        if form == "length":
            wire.send(head("HTTP/1.1 200 OK", *self.fields(1), f"Content-Length: {size}"))
            wire.send(body[:sent])
            if has_head:
                self.hold()
            wire.send(body[sent:])
        else:
            wire.send(head("HTTP/1.1 200 OK", *self.fields(1), "Transfer-Encoding: chunked"))
            if sent:
                wire.send(b"%x\r\n%s\r\n" % (sent, body[:sent]))
            if has_head:
                self.hold()
            wire.send(chunked(*([body[sent:]] if sent < size else [])))
        return None


class Hosts:
    """An origin with a reply for each host."""

    def __init__(self):
        self.replies = {}

    def __call__(self, request, wire):
        return self.replies[request.get("Host")](request, wire)


def own(what, host):
    return {
        key: [item.replace("{h}", host) for item in value]
        if isinstance(value, list)
        else value.replace("{h}", host)
        if isinstance(value, str)
        else value
        for key, value in what.items()
    }


def ask_behind(larder, host, lines):
    """A client that has asked, and what it got once it has."""
    wire = larder.connect()
    wire.send(head(*(lines or ("GET /x HTTP/1.1",)), f"Host: {host}"))
    return wire


def check_new(larder, host, size, why):
    got = get(larder, f"{host}/x")
    equal(got.status, 200)
    equal(got.body[:3], b"v2 ", f"{why} {status(got)}")
    check(got.body == body_of(2, size), "its body is not whole")
    return got


def check_case(larder, hosts, host, step, what, mode, lines=None):
    """The held fetch, the purge, those who come after it, and the late end."""
    held = hosts.replies.setdefault(host, Held(host, step))
    size = step[3]
    first = ask_behind(larder, host, lines)
    check(held.reached.wait(10), "the origin was not asked")
    joined = None if lines else ask_behind(larder, host, None)
    try:
        purged(larder, mode=mode, **own(what, host))
        # A tag is known when the head is there: who asks before that waits for it.
        if not ("tags" in what and not step[0]):
            check_new(larder, host, size, "asked while the old fetch is under way:")
        held.door.set()
        if "tags" in what and not step[0]:
            check_new(larder, host, size, "asked behind the purge:")
        for wire in (first, joined):
            got = wire and wire.read_answer()
            check(not got or got.body in (body_of(1, size), body_of(2, size)), "it is neither")
        for _ in range(3):
            got = check_new(larder, host, size, "after the late end:")
        check(status(got).get("hit") is True, f"version 2 is not stored: {status(got)}")
        if mode == "hard" and not lines:
            equal([one for one in held.conditions if one], [], "conditions of what is gone")
    finally:
        held.door.set()
        first.close()
        if joined:
            joined.close()


def every_case(steps):
    number = 0
    for name, step in steps.items():
        for scope, what in SCOPES.items():
            for mode in ("soft", "hard"):
                number += 1
                yield f"{name}, {scope}, {mode}", f"h{number}.example", step, what, mode


def test_fetches():
    hosts = Hosts()
    with Origin(hosts) as origin, with_store(origin, **{"hot-size": "8m"}) as larder:
        for name, host, step, what, mode in every_case(STEPS):
            with case(name):
                check_case(larder, hosts, host, step, what, mode)
        # What was late is not on disk, either.
        for how in (restart, crash):
            eventually(lambda: not larder.metric("store_queue_bytes"), "it is not written")
            how(larder)
            for name, host, step, _, _ in every_case(STEPS):
                with case(f"{name}, {how.__name__}"):
                    check_new(larder, host, step[3], "from the disk:")


def test_late_and_stale():
    """Nor does it take the place of what was fetched after a soft purge, to be served as stale."""
    hosts = Hosts()
    steps = {name: STEPS[name] for name in list(STEPS)[:3]}
    with Origin(hosts) as origin, with_store(origin, **{"hot-size": "8m"}) as larder:
        for name, host, step, what, mode in every_case(steps):
            with case(name):
                hosts.replies[host] = Held(host, step)
                hosts.replies[host].window = ", stale-while-revalidate=900"
                check_case(larder, hosts, host, step, what, mode)


def test_validations():
    """A 304 to what was asked before the purge confirms nothing."""
    hosts = Hosts()
    with Origin(hosts) as origin, with_store(origin) as larder:
        steps = {"a 304": (False, 0, "length", SMALL)}
        for name, host, step, what, mode in every_case(steps):
            with case(name):
                held = Held(host, step)
                # stale when it comes
                hosts.replies[host] = lambda *_: answer(
                    body_of(1, SMALL), *held.fields(1), "Age: 9000"
                )
                get(larder, f"{host}/x")
                held.status = "304 Not Modified"
                hosts.replies[host] = held
                check_case(larder, hosts, host, step, what, mode)


def test_writes():
    """A POST's answer that says what the resource is now, overtaken on its way."""
    hosts = Hosts()
    steps = {name: STEPS[name] for name in ("before the head", "in the body", "in a large body")}
    with Origin(hosts) as origin, with_store(origin, **{"hot-size": "8m"}) as larder:
        for name, host, step, what, mode in every_case(steps):
            with case(name):
                lines = ("POST /x HTTP/1.1", "Content-Length: 0")
                check_case(larder, hosts, host, step, what, mode, lines)


def test_loads():
    """What was purged while it is on disk alone is not brought back by those who wait for it."""
    with Origin(Held("a", STEPS["after the head"])) as origin:
        origin.reply.door.set()
        with with_store(origin, **{"hot-size": "1m"}) as larder:
            equal(get(larder, "a/x").body[:2], b"v1")
            wait_until_written(larder, 1)
            restart(larder)
            purged(larder, tags=["one-a"], mode="hard")
            stop, faults = threading.Event(), []

            def ask():
                while not stop.is_set():
                    if get(larder, "a/x").body[:2] != b"v2":
                        faults.append(1)

            crew = [threading.Thread(target=ask) for _ in range(4)]
            for one in crew:
                one.start()
            stop.wait(0.3)
            stop.set()
            for one in crew:
                one.join()
            equal(faults, [])


scene.run()
