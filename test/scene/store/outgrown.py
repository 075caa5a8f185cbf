#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A body that does not say how long it will be, and turns out to be larger than may be stored:
those who get it from the disk go on from RAM, at whatever speed, to its end. It is not kept."""

import threading
import time

import scene
from caching import bytes_of, is_hit, with_store
from origin import CLOSE, Origin
from scene import check, equal, eventually
from wire import Cut, chunked, head

MIB = 1024 * 1024
MOST = 4 * MIB
LARGE = bytes_of("large", 14 * MIB + 12345)
PARTS = [LARGE[at : at + 100_000] for at in range(0, len(LARGE), 100_000)]
START = head("HTTP/1.1 200 OK", "Cache-Control: max-age=900", "Transfer-Encoding: chunked")


def store(origin, most=MOST):
    sizes = {"hot-size": "16m", "max-object-size": f"{most}"}
    return with_store(origin, size="1g", **sizes)


def ask(larder, *fields, pause=0):
    """A client that takes what is there, and a rest after each time."""
    wire = larder.connect(receive_bytes=16 * 1024 if pause else None)
    if pause:
        quick = wire.read_some

        def slow():
            time.sleep(pause)
            return quick()

        wire.read_some = slow
    wire.send(head("GET /large HTTP/1.1", "Host: a", *fields))
    return wire


def equal_body(got):
    check(got.body == LARGE, f"{len(got.body)} bytes, or others")


class Readers:
    """Clients that read at the same time."""

    def __init__(self):
        self.threads, self.answers, self.faults = [], [], []

    def add(self, wire):
        def read():
            try:
                self.answers.append(wire.read_answer())
            except Exception as fault:  # told by join
                self.faults.append(fault)

        self.threads.append(threading.Thread(target=read))
        self.threads[-1].start()

    def wait(self):
        for thread in self.threads:
            thread.join(30)
            check(not thread.is_alive(), "one never comes to the end")

    def join(self):
        self.wait()
        equal(self.faults, [])
        return self.answers


def test_one():
    for name, pause, most in (
        ("quick", 0, MOST),
        ("slow", 0.0002, MOST),
        ("slow, no more than RAM keeps", 0.0002, MIB // 4),
    ):
        with scene.case(name):
            with Origin(START + chunked(*PARTS, trailers=("X-Sum: 7",))) as origin:
                with store(origin, most) as larder:
                    with ask(larder, pause=pause) as wire:
                        got = wire.read_answer()
                    equal_body(got)
                    equal(got.trailers, [("X-Sum", "7")])
                    equal(larder.metric("store_writes_total", kind="object"), 0)
                    check(not is_hit(larder.get("/large")), "it was kept")


def wait_until_held_up(larder):
    """Until nothing more comes from the origin; returns how much came."""
    last = -1
    while (now := larder.metric("origin_received_bytes_total")) != last:
        last = now
        time.sleep(0.3)
    return now


def test_who_stops():
    """One takes a beginning and waits: the rest is there when he goes on."""
    with Origin(START + chunked(*PARTS)) as origin, store(origin) as larder:
        with ask(larder, pause=0.0001) as wire:
            got = wire.read_head()
            check(wait_until_held_up(larder) < len(LARGE), "all came though nobody took it")
            equal_body(wire.read_body(got, "close"))


def test_end_meanwhile():
    """Larder ends while one has stopped, and cleanly."""
    with Origin(START + chunked(*PARTS)) as origin:
        with store(origin) as larder:
            wire = ask(larder, pause=0.0001)
            wire.read_head()
            wait_until_held_up(larder)
        wire.close()


def test_many():
    """All at once, and who comes later."""
    with Origin(START + chunked(*PARTS)) as origin, store(origin) as larder:
        readers = Readers()
        for pause in (0.0003, 0.0001, 0):
            readers.add(ask(larder, pause=pause))
        eventually(lambda: larder.metric("origin_received_bytes_total") > MIB, "nothing comes")
        readers.add(ask(larder, pause=0.0002))
        readers.add(ask(larder))
        for got in readers.join():
            equal_body(got)
        equal(larder.metric("store_writes_total", kind="object"), 0)


def test_nobody_is_waited_for():
    """Beside one who has stopped, a quick one comes to the end of a body that fits, but just."""
    parts = PARTS[: MOST // 100_000]
    body = b"".join(parts)
    with Origin(START + chunked(*parts)) as origin, store(origin) as larder:
        with ask(larder, pause=0.0001) as stopped:
            got = stopped.read_head()
            readers = Readers()
            readers.add(ask(larder))
            check(readers.join()[0].body == body, "other bytes")
            eventually(lambda: larder.metric("store_writes_total", kind="object") == 1, "not kept")
            check(stopped.read_body(got, "close").body == body, "other bytes")


def test_cut():
    """What the origin cuts behind the end of what is stored is cut for all."""
    sent = threading.Event()

    def reply(_, wire):
        wire.send(START)
        for part in PARTS[:80]:
            wire.send(b"%x\r\n%s\r\n" % (len(part), part))
        sent.set()
        return CLOSE

    with Origin(reply) as origin, store(origin) as larder:
        readers = Readers()
        for pause in (0.0002, 0):
            readers.add(ask(larder, pause=pause))
        readers.wait()
        equal([type(fault) for fault in readers.faults], [Cut, Cut])
        check(sent.is_set(), "the origin was held up for ever")


scene.run()
