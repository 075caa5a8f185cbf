#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Answers flow through as they come: first byte out as soon as it is in, also while they are
stored, and with memory that does not grow by their size."""

import os
import subprocess
import threading

import scene
from larder import Larder, free_port
from origin import CLOSE, Origin
from scene import case, check, equal, eventually
from wire import head

MIB = 1 << 20
GIB = 1 << 30


def said(framing, control):
    return head("HTTP/1.1 200 OK", framing, f"Cache-Control: {control}")


HEADS = {
    "stored, length": said("Content-Length: 6", "max-age=60"),
    "stored, chunks": said("Transfer-Encoding: chunked", "max-age=60"),
    "passed, length": said("Content-Length: 6", "no-store"),
    "passed, chunks": said("Transfer-Encoding: chunked", "no-store"),
    "until it closes": head("HTTP/1.1 200 OK", "Cache-Control: no-store"),
}
WHOLE = (b"abc", b"def")
IN_CHUNKS = (b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n")


def test_first_byte_at_once():
    for name, begin in HEADS.items():
        go = threading.Event()
        parts = IN_CHUNKS if "chunks" in name else WHOLE

        def reply(_, wire, begin=begin, parts=parts, go=go):
            wire.send(begin + parts[0])
            go.wait(10)
            wire.send(parts[1])
            return CLOSE

        with case(name), Origin(reply) as origin, Larder(origin) as larder:
            with larder.connect() as client:
                client.send(head("GET / HTTP/1.1", "Host: a"))
                got = client.read_head()
                equal(got.status, 200)
                chunks = got.get("Transfer-Encoding")
                first = client.read_exactly(8 if chunks else 3)
                check(b"abc" in first, f"{first}")
                go.set()
                rest = client.read_until(b"def")
                equal(rest[-3:], b"def")


def test_head_before_its_body():
    """A head without a byte of body is passed on too."""
    go = threading.Event()

    def reply(_, wire):
        wire.send(HEADS["stored, length"])
        go.wait(10)
        wire.send(b"abcdef")

    with Origin(reply) as origin, Larder(origin) as larder, larder.connect() as client:
        client.send(head("GET / HTTP/1.1", "Host: a"))
        equal(client.read_head().status, 200)
        go.set()
        equal(client.read_exactly(6), b"abcdef")


def sample_origin():
    program = os.environ.get("ORIGIN", "build/origin")
    port = free_port()
    command = [program, "--quiet", "--listen", f"127.0.0.1:{port}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    child.stdout.readline()
    return child, f"http://127.0.0.1:{port}"


def take(client, size):
    """Takes and counts a body."""
    room, took = bytearray(4 * MIB), len(client.kept)
    while took < size:
        some = client.sock.recv_into(room)
        check(some, f"cut after {took} bytes")
        took += some
    equal(took, size)


def test_a_gibibyte():
    """Stored or not, 1 GiB passes, and memory grows by less than 64 MiB."""
    child, url = sample_origin()
    try:
        with Larder(url) as larder:
            for query in ("cc=no-store", "cc=max-age%3D60"):
                before = larder.memory()
                with larder.connect() as client:
                    client.send(head(f"GET /images/{query}?size=1g&{query} HTTP/1.1", "Host: a"))
                    equal(client.read_head().get("Content-Length"), str(GIB))
                    take(client, GIB)
                larder.check_growth(before, 64 * MIB)
    finally:
        child.kill()
        child.wait()


def test_a_slow_client_slows_the_origin():
    """What one client does not take is not read from the origin without bound."""
    child, url = sample_origin()
    try:
        with Larder(url) as larder:
            before = larder.memory()
            with larder.connect(receive_bytes=4096) as client:
                client.send(head("GET /images/1?size=1g&cc=no-store HTTP/1.1", "Host: a"))
                client.read_head()
                took = 0

                def settled():
                    nonlocal took
                    last, took = took, larder.metric("origin_received_bytes_total")
                    return took == last
                eventually(settled, "the origin is read on and on")
                check(took < 32 * MIB, f"{took} bytes were read for a client that takes nothing")
            larder.check_growth(before, 32 * MIB)
    finally:
        child.kill()
        child.wait()


scene.run()
