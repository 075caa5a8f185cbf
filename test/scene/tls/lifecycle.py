#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Stops and reloads with clients over TLS: answers under way end whole, the rest ends at once."""

import signal
import socket
import threading
import time

import scene
from origin import Origin, answer
from scene import check, equal
from secure import Authority, SecureLarder
from wire import Wire, head

GET = head("GET / HTTP/1.1", "Host: shop.example")
FIRST = head("HTTP/1.1 200 OK", "Content-Length: 10", "Cache-Control: no-store") + b"hello"


class Halves(Origin):
    def __init__(self):
        self.go = threading.Event()
        super().__init__(self.halves)

    def halves(self, _, wire):
        wire.send(FIRST)
        self.go.wait(20)
        return b"world"


def test_graceful_stop():
    with Authority() as ca, Halves() as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], workers=2) as larder:
            busy, idle = larder.secure(ca), larder.secure(ca)
            fresh = Wire(socket.create_connection(("127.0.0.1", larder.tls_port)))
            half = Wire(socket.create_connection(("127.0.0.1", larder.tls_port)))
            half.send(b"\x16\x03\x01\x02\x00\x01")
            busy.send(GET)
            busy.read_until(b"hello")
            larder.wait_for_metric(4, "http_connections", state="open")
            larder.signal(signal.SIGQUIT)
            for name, wire in (("idle", idle), ("fresh", fresh), ("half", half)):
                check(wire.is_closed(5), f"{name} is open")
                wire.close()
            origin.go.set()
            equal(busy.read_exactly(5), b"world")
            check(busy.is_closed(5), "the answered one is open")
            busy.close()
            equal(larder.wait(20), 0)


def test_stop_at_once():
    with Authority() as ca, Halves() as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            wires = [larder.secure(ca) for _ in range(3)]
            wires.append(Wire(socket.create_connection(("127.0.0.1", larder.tls_port))))
            wires[0].send(GET)
            wires[0].read_until(b"hello")
            now = time.monotonic()
            larder.signal(signal.SIGTERM)
            equal(larder.wait(20), 0)
            check(time.monotonic() - now < 5, "it took long")
            for wire in wires:
                wire.close()


def test_reloads_under_load():
    """Certificates and configuration are renewed while clients come and go: none is turned away."""
    with Authority() as ca, Origin(answer(b"ok", "Cache-Control: no-store")) as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], workers=2) as larder:
            stop, faults, counts = threading.Event(), [], []

            def come_and_go(stays):
                count = 0
                try:
                    context = ca.context()
                    wire = larder.secure(ca, context=context)
                    while not stop.is_set():
                        wire.send(GET)
                        equal(wire.read_answer().body, b"ok")
                        count += 1
                        if not stays:
                            wire.close()
                            wire = larder.secure(ca, context=context)
                    wire.close()
                except Exception as fault:
                    faults.append(fault)
                counts.append(count)

            clients = [threading.Thread(target=come_and_go, args=(i % 2,)) for i in range(4)]
            for client in clients:
                client.start()
            for i in range(20):
                if i % 2:
                    equal(larder.ctl("cert", "reload")[0], 0)
                else:
                    larder.signal(signal.SIGHUP)
                    larder.wait_for_metric(i // 2 + 1, "config_reloads_total", result="ok")
            stop.set()
            for client in clients:
                client.join()
            equal(faults, [])
            check(all(counts), counts)
            larder.wait_for_metric(0, "http_connections", state="open")


scene.run()
