#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 as others speak it: curl, nghttp, h2load, Python's h2 and Node, over TCP by prior
knowledge."""

import hashlib
import json
import re
import signal
import socket
import threading
from contextlib import contextmanager

import h2.config
import h2.connection
import h2.events
import h2raw
import scene
from h2peers import LARGE, need, node, reply, run
from larder import Larder
from origin import Origin, answer, takes_body
from scene import check, equal
from wire import PATIENCE


@contextmanager
def stage(said=reply, config=None):
    with Origin(said) as origin, Larder(origin, config=config) as larder:
        larder.url = f"http://127.0.0.1:{larder.port}"
        yield larder, origin


# ---- curl ----


def curl(larder, path, *flags, code=0):
    return run("curl", "-sS", "--http2-prior-knowledge", *flags, larder.url + path, code=code)


def test_curl():
    with stage() as (larder, origin):
        said = curl(larder, "/", "-i").decode()
        check(said.startswith("HTTP/2 200 \r\n"), said)
        check(said.endswith("\r\n\r\nhello"), said)
        names = re.findall(r"^([^:\r]+):", said, re.M)
        check(all(name == name.lower() for name in names), f"{names}")
        check(not {"connection", "transfer-encoding", "keep-alive"} & set(names), f"{names}")
        equal(origin.request.get("Host"), f"127.0.0.1:{larder.port}")
        equal(curl(larder, "/large"), LARGE)
        equal(curl(larder, "/", "-I").decode().split("\r\n")[0], "HTTP/2 200 ")
        curl(larder, "/cut", code=92)  # HTTP/2 stream error
        curl(larder, "/cut-chunks", code=92)
        equal(curl(larder, "/trailers"), b"behind")


def test_curl_uploads():
    with stage() as (larder, _):
        file = larder.path / "upload"
        file.write_bytes(LARGE)
        digest = hashlib.sha256(LARGE).hexdigest().encode()
        equal(curl(larder, "/digest", "-T", str(file)), digest)
        equal(curl(larder, "/digest", "--data-binary", f"@{file}"), digest)
        equal(curl(larder, "/digest", "-H", "Expect: 100-continue", "-T", str(file)), digest)
        equal(curl(larder, "/echo", "-d", "", "-X", "POST"), b"")
        cookies = curl(larder, "/echo", "-H", "Cookie: a=b; c=d", "-i").decode()
        check('["Cookie", "a=b; c=d"]' in cookies, cookies)


def test_curl_does_not_upgrade():
    """RFC 9113 3.1: Upgrade: h2c is history; --http2 over TCP gets HTTP/1.1."""
    with stage() as (larder, _):
        said = run("curl", "-sS", "-i", "--http2", larder.url + "/").decode()
        check(said.startswith("HTTP/1.1 200 OK\r\n"), said)


# ---- nghttp, h2load ----


def test_nghttp():
    need("nghttp")
    with stage() as (larder, _):
        said = run("nghttp", "-v", "-n", larder.url + "/hints").decode()
        check("recv (stream_id=13) :status: 103" in said, said)
        check("recv (stream_id=13) :status: 200" in said, said)
        check("send RST_STREAM" not in said and "recv RST_STREAM" not in said, said)
        said = run("nghttp", "-v", "-n", larder.url + "/trailers").decode()
        check("x-sum: 42" in said, said)
        check(said.index("recv DATA") < said.index("x-sum: 42"), "trailers before the body")
        equal(run("nghttp", larder.url + "/trailers"), b"behind")
        equal(run("nghttp", "--no-dep", larder.url + "/large"), LARGE)
        equal(run("nghttp", "-w", "17", "-W", "17", larder.url + "/large"), LARGE)
        equal(run("nghttp", "-p", "256", "-H", "priority: u=0", larder.url + "/"), b"hello")
        equal(run("nghttp", "--max-concurrent-streams=0", larder.url + "/"), b"hello")


def test_nghttp_uploads():
    need("nghttp")
    with stage() as (larder, _):
        file = larder.path / "upload"
        file.write_bytes(LARGE)
        equal(
            run("nghttp", "-d", str(file), larder.url + "/digest").decode(),
            hashlib.sha256(LARGE).hexdigest(),
        )
        trailer = ("-H", "trailer: x-sum", "--trailer", "x-sum: 7")
        flags = ("--no-content-length", *trailer, "-d", str(file))
        equal(json.loads(run("nghttp", *flags, larder.url + "/sum")), [["x-sum", "7"]])


def test_nghttp_of_many():
    """One connection, 50 of the same and some others, with priorities of RFC 7540."""
    need("nghttp")
    with stage() as (larder, _):
        said = run("nghttp", "-n", "-s", "-m", "50", larder.url + "/numbered/1").decode()
        equal(len(re.findall(r" 200 +\d+ /numbered/1", said)), 50, said)


def test_h2load():
    need("h2load")
    with stage() as (larder, _):
        url = larder.url + "/numbered/1"
        said = run("h2load", "-n", "2000", "-c", "10", "-m", "32", url).decode()
        check("2000 succeeded, 0 failed, 0 errored, 0 timeout" in said, said)
        file = larder.path / "upload"
        file.write_bytes(b"x" * 50_000)
        url = larder.url + "/digest"
        said = run("h2load", "-n", "200", "-c", "4", "-m", "10", "-d", str(file), url).decode()
        check("200 succeeded, 0 failed" in said, said)


# ---- Python's h2 ----


class Peer:
    """h2 keeps the state machine of RFC 9113 5.1 and refuses what a server may not do."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.events = []
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def ask(self, path, method="GET", *fields, end=True):
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "a")]
        self.h2.send_headers(stream, [*pseudo, *fields], end_stream=end)
        self.flush()
        return stream

    def read(self):
        some = self.sock.recv(1 << 16)
        check(some, "the connection ended")
        for event in self.h2.receive_data(some):
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            self.events.append(event)
        self.flush()

    def wait(self, kind, stream):
        while not (found := self.of(kind, stream)):
            self.read()
        return found[0]

    def of(self, kind, stream):
        return [e for e in self.events if isinstance(e, kind) and e.stream_id == stream]

    def body(self, stream):
        self.wait(h2.events.StreamEnded, stream)
        return b"".join(e.data for e in self.of(h2.events.DataReceived, stream))

    def send(self, stream, body):
        """In the windows that it is given."""
        at = 0
        while at < len(body):
            room = min(self.h2.local_flow_control_window(stream), 16384, len(body) - at)
            if room == 0:
                self.read()
                continue
            self.h2.send_data(stream, body[at : at + room])
            at += room
            self.flush()


def test_python_h2():
    with stage() as (larder, _):
        peer = Peer(larder.port)
        equal(peer.body(peer.ask("/large")), LARGE)
        stream = peer.ask("/trailers")
        equal(peer.body(stream), b"behind")
        equal(peer.of(h2.events.TrailersReceived, stream)[0].headers, [("x-sum", "42")])
        stream = peer.ask("/hints")
        equal(peer.body(stream), b"after the hints")
        hints = peer.of(h2.events.InformationalResponseReceived, stream)
        equal([dict(e.headers)[":status"] for e in hints], ["103"])
        equal(peer.of(h2.events.ResponseReceived, stream)[0].headers[0], (":status", "200"))
        equal(peer.wait(h2.events.StreamReset, peer.ask("/cut")).error_code, 2, "INTERNAL_ERROR")


def test_python_h2_uploads():
    with stage() as (larder, _):
        peer = Peer(larder.port)
        body = LARGE[: 5 << 20]
        stream = peer.ask("/digest", "POST", ("content-length", str(len(body))), end=False)
        peer.send(stream, body)
        peer.h2.end_stream(stream)
        peer.flush()
        equal(peer.body(stream).decode(), hashlib.sha256(body).hexdigest())
        stream = peer.ask("/sum", "POST", end=False)
        peer.send(stream, b"x" * 100_000)
        peer.h2.send_headers(stream, [("x-sum", "9")], end_stream=True)
        peer.flush()
        equal(json.loads(peer.body(stream)), [["x-sum", "9"]])


# ---- Node ----


def test_node():
    with stage() as (larder, _):
        node(larder.url)


# ---- streams do not stop each other ----


def test_a_stuck_upload_stops_no_other():
    """RFC 9113 5.2: an origin that does not read one body holds back that body alone, though it
    shares its connection; and what waits is bounded."""
    go = threading.Event()

    @takes_body
    def said(asked, wire):
        if asked.target != "/stuck":
            return reply(wire.read_body(asked, "none"), wire)
        go.wait(20)
        return answer(b"%d" % len(wire.read_body(asked, "none").body))

    with stage(said) as (larder, _):
        with h2raw.connect(larder.port) as client:
            client.expect_ok("/")
            before = larder.memory("VmHWM")
            window = 65535
            stuck = client.ask("/stuck", method="POST", end=False)
            client.ping()
            window = client.settings.get(h2raw.INITIAL_WINDOW_SIZE, 65535)
            client.data(stuck, b"x" * window)
            for _ in range(20):
                client.expect_ok("/")
            other = client.ask("/digest", method="POST", body=b"y" * 50_000)
            equal(client.read_answer(other).status, 200)
            check(not client.answer_of(stuck).is_over, "the stuck one is over")
            larder.check_growth(before, 16 << 20)
            go.set()
            client.data(stuck, b"", end=True)
            got = client.read_answer(stuck)
            equal((got.status, bytes(got.body)), (200, b"%d" % window))


def test_a_stuck_answer_stops_no_other():
    """A stream whose window is shut lets the others pass."""
    with stage() as (larder, _):
        with h2raw.connect(larder.port, credits=False, initial_window_size=1000) as client:
            stuck = [client.ask("/large") for _ in range(5)]
            for stream in stuck:
                got = client.answer_of(stream)
                client.read_until(lambda: len(got.body) == 1000, "the window's bytes")
            for _ in range(20):
                client.expect_ok("/")
            check(not any(client.answer_of(s).is_over for s in stuck), "a stuck one is over")


def test_a_slow_origin_stops_no_other():
    go = threading.Event()

    def said(asked, wire):
        if asked.target == "/slow":
            go.wait(20)
        return reply(asked, wire)

    with stage(said) as (larder, _), h2raw.connect(larder.port) as client:
        slow = client.ask("/slow")
        for _ in range(10):
            client.expect_ok("/")
        go.set()
        equal(client.read_answer(slow).status, 200)


def test_stop():
    """RFC 9113 6.8: a stop lets what was asked for come, and refuses what comes later."""
    go = threading.Event()

    def said(asked, wire):
        if asked.target == "/slow":
            go.wait(20)
        return reply(asked, wire)

    with stage(said) as (larder, origin), h2raw.connect(larder.port) as client:
        slow = client.ask("/slow")
        origin.wait_for(1)
        larder.signal(signal.SIGQUIT)
        client.read_until(lambda: client.goaway, "GOAWAY", 5)
        equal(client.goaway[1], h2raw.NO_ERROR)
        go.set()
        equal(client.read_answer(slow).status, 200)
        check(client.read_to_end(5), "the connection stays open")
        equal(client.goaway[:2], (slow, h2raw.NO_ERROR), "the last GOAWAY")


scene.run()
