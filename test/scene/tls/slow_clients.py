#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that take their time over TLS: the end of an answer waits for them, also when the
connection is to end, and no part of a record makes them look busy."""

import signal
import socket
import ssl
import time

import scene
from origin import Origin, answer
from scene import case, check, equal
from secure import Authority, SecureLarder
from wire import head

BODY = b"x" * 120_000
ASK = head("GET /x HTTP/1.1", "Host: shop.example")


class Client:
    """TLS by hand, so that its records can be sent in parts; its kernel holds little for it."""

    def __init__(self, ca, larder):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(10)
        self.sock.connect(("127.0.0.1", larder.tls_port))
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = ca.context().wrap_bio(self.into, self.out, server_hostname="shop.example")
        while not self.step(self.tls.do_handshake):
            pass

    def step(self, action):
        """True when the action was done; else what it waits for was brought."""
        try:
            action()
            return True
        except ssl.SSLWantReadError:
            self.sock.sendall(self.out.read())
            self.bring()
            return False
        finally:
            self.sock.sendall(self.out.read())

    def bring(self):
        some = self.sock.recv(65536)
        self.into.write(some) if some else self.into.write_eof()

    def send(self, what):
        self.tls.write(what)
        self.sock.sendall(self.out.read())

    def read_all(self):
        """All bytes, and whether close_notify ended them."""
        got = b""
        while True:
            try:
                some = self.tls.read(65536)
                if not some:
                    return got, True
                got += some
            except ssl.SSLWantReadError:
                self.bring()
            except ssl.SSLEOFError:
                return got, False

    def trickle_until_closed(self, record, limit_s):
        """Sends a byte now and then; how long it was borne."""
        began = time.monotonic()
        for byte in record:
            try:
                self.sock.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.2)
            if time.monotonic() - began > limit_s:
                break
        return time.monotonic() - began

    def record(self, what):
        """What sending would put on the wire."""
        self.tls.write(what)
        return self.out.read()


def stage(ca, **limits):
    limits = {"idle-timeout": "60s"} | {key.replace("_", "-"): value for key, value in limits.items()}
    origin = Origin(answer(BODY, "Cache-Control: max-age=60"))
    return origin, {"pairs": [ca.pair("shop.example")], "config": {"limits": limits}}


def check_whole(client):
    got, is_ended = client.read_all()
    _, _, body = got.partition(b"\r\n\r\n")
    equal(len(body), len(BODY), "bytes of the body")
    check(is_ended, "it does not end with close_notify")


def test_the_end_of_an_answer_waits():
    for name, limits in {"a graceful stop": {}, "an idle timeout": {"idle_timeout": "1s"}}.items():
        with case(name), Authority() as ca:
            origin, how = stage(ca, **limits)
            with origin, SecureLarder(origin, **how) as larder:
                client = Client(ca, larder)
                client.send(ASK)
                time.sleep(0.5)  # as much has gone as may go
                if not limits:
                    larder.child.send_signal(signal.SIGQUIT)
                time.sleep(1.5)
                check_whole(client)


def test_part_of_a_record_is_no_progress():
    with Authority() as ca:
        origin, how = stage(ca, idle_timeout="1s", send_timeout="1s")
        with origin, SecureLarder(origin, **how) as larder:
            with case("idle"):
                client = Client(ca, larder)
                check(client.trickle_until_closed(client.record(b"G" * 16000), 6) < 4, "it is borne")
                equal(larder.metric("http_closed_total", why="idle"), 1)


scene.run()
