#!/usr/bin/env -S PYTHONPATH=test/scene/lib /usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 over TLS, chosen by ALPN (RFC 9113 3.2), as others speak it; and the worst of what may be
said on it, since TLS has buffers of its own."""

import hashlib
import re
import ssl
from contextlib import contextmanager

import h2raw
import scene
from h2peers import LARGE, need, node, reply, run
from h2raw import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PROTOCOL_ERROR,
    RST_STREAM,
    WINDOW_UPDATE,
    bare,
    number,
    request,
    section,
)
from h2stage import abuse, ended_for
from origin import Origin
from scene import check, equal
from secure import Authority, SecureLarder

NAME = "shop.example"
LARGEST = (1 << 31) - 1


@contextmanager
def stage(**limits):
    config = {"limits": {k.replace("_", "-"): v for k, v in limits.items()}} if limits else {}
    with Authority() as ca, Origin(reply) as origin:
        pairs = [ca.pair(NAME, "127.0.0.1")]
        with SecureLarder(origin, pairs=pairs, config=config) as larder:
            larder.ca = ca
            larder.url = f"https://127.0.0.1:{larder.tls_port}"
            yield larder, origin


def client(larder, **more):
    return h2raw.connect(larder.tls_port, tls=NAME, **more)


def curl(larder, *words, code=0):
    return run("curl", "-sS", "--cacert", str(larder.ca.file), *words, code=code)


def test_alpn():
    """What both speak is chosen, HTTP/2 first; whoever offers nothing gets HTTP/1.1."""
    table = {
        ("h2", "http/1.1"): "h2",
        ("http/1.1", "h2"): "h2",
        ("http/1.1",): "http/1.1",
        (): None,
    }
    with stage() as (larder, _):
        for offered, chosen in table.items():
            with larder.secure(larder.ca, NAME, alpn=offered) as wire:
                equal(wire.sock.selected_alpn_protocol(), chosen, f"{offered}")
        equal(larder.fetch(larder.ca, "/").status, 200)


def test_switched_off():
    """By `limits: h2: false`, which is said to hold for TLS too: no ALPN offers it."""
    with stage(h2=False) as (larder, _):
        with larder.secure(larder.ca, NAME, alpn=("h2", "http/1.1")) as wire:
            equal(wire.sock.selected_alpn_protocol(), "http/1.1")


def test_curl():
    with stage() as (larder, _):
        said = curl(larder, "-i", "--http2", larder.url + "/").decode()
        check(said.startswith("HTTP/2 200 \r\n"), said)
        said = curl(larder, "-i", "--http1.1", larder.url + "/").decode()
        check(said.startswith("HTTP/1.1 200 OK\r\n"), said)
        equal(curl(larder, "--http2", larder.url + "/large"), LARGE)
        curl(larder, "--http2", larder.url + "/cut", code=92)
        file = larder.path / "upload"
        file.write_bytes(LARGE)
        digest = hashlib.sha256(LARGE).hexdigest().encode()
        equal(curl(larder, "--http2", "-T", str(file), larder.url + "/digest"), digest)


def test_curl_in_parallel():
    """100 at a time, on one connection."""
    with stage() as (larder, origin):
        urls = [f"{larder.url}/numbered/{i}" for i in range(100)]
        out = [word for i in range(100) for word in ("-o", str(larder.path / f"out-{i}"))]
        curl(larder, "--http2", "--parallel", "--parallel-max", "100", *out, *urls)
        for i in range(100):
            equal((larder.path / f"out-{i}").read_text(), f"/numbered/{i}")
        equal(len(origin.requests), 100)


def test_nghttp():
    need("nghttp")
    with stage() as (larder, _):
        equal(run("nghttp", larder.url + "/large"), LARGE)
        said = run("nghttp", "-v", "-n", larder.url + "/trailers").decode()
        check("The negotiated protocol: h2" in said, said)
        check("x-sum: 42" in said, said)
        said = run("nghttp", "-n", "-s", "-m", "50", larder.url + "/numbered/1").decode()
        equal(len(re.findall(r" 200 +\d+ /numbered/1", said)), 50, said)


def test_h2load():
    need("h2load")
    with stage(requests=0) as (larder, _):
        url = larder.url + "/numbered/1"
        said = run("h2load", "-n", "20000", "-c", "4", "-m", "100", url).decode()
        check("20000 succeeded, 0 failed, 0 errored, 0 timeout" in said, said)
        check("Application protocol: h2" in said, said)
        equal(abuse(larder), {})


def test_node():
    with stage() as (larder, _):
        node(larder.url)


# ---- what may be said on it ----


def test_a_broken_request():
    with stage() as (larder, origin), client(larder) as broken:
        stream = broken.new_stream()
        broken.headers(stream, request("/", ("X", "y"), scheme="https"))
        broken.expect_rst(stream, PROTOCOL_ERROR)
        broken.expect_ok("/next", scheme="https", authority=NAME)
        equal([r.target for r in origin.requests], ["/next"])


def test_floods():
    block = section(request("/", scheme="https", authority=NAME))
    table = {
        "resets": [
            bare(HEADERS, END_HEADERS | END_STREAM, s, block) + bare(RST_STREAM, 0, s, number(8))
            for s in range(1, 10_000, 2)
        ],
        "controls": [bare(PING, 0, 0, b"12345678")] * 20_000,
        "window-updates": [bare(WINDOW_UPDATE, 0, 0, number(1))] * 20_000,
    }
    with stage() as (larder, _):
        before = larder.memory("VmHWM")
        for why, frames in table.items():
            with client(larder) as attacker:
                attacker.next = 1 << 30
                chunks = (b"".join(frames[at : at + 50]) for at in range(0, len(frames), 50))
                ended_for(larder, attacker, chunks, why)
        larder.check_growth(before, 16 << 20)
        with client(larder) as fresh:
            fresh.expect_ok("/", scheme="https", authority=NAME)


def test_a_socket_that_is_not_read():
    """All windows are open, but nothing is taken: what TLS has made of it does not pile up."""
    with stage(send_timeout="300ms") as (larder, _):
        with client(larder) as warm:
            warm.expect_ok("/", scheme="https", authority=NAME)
        before = larder.memory("VmHWM")
        with client(larder, receive_bytes=4096, initial_window_size=LARGEST) as deaf:
            deaf.frame(WINDOW_UPDATE, 0, 0, number(LARGEST - 65535))
            for _ in range(20):
                deaf.ask("/large", scheme="https", authority=NAME)
            larder.wait_for_metric(1, "http_closed_total", why="send-stalled")
            larder.wait_for_metric(0, "http_connections", state="open")
        larder.check_growth(before, 64 << 20)


def test_records_of_a_byte():
    """However TLS cuts it."""
    with stage() as (larder, _):
        with larder.secure(larder.ca, NAME, alpn=("h2",)) as wire:
            block = section(request("/digest", method="POST", authority=NAME))
            whole = h2raw.PREFACE + bare(4) + bare(HEADERS, END_HEADERS, 1, block)
            whole += bare(DATA, END_STREAM, 1, b"abc")
            for byte in whole:
                wire.send(bytes([byte]))
            raw = h2raw.Client(wire.sock, preface=b"")
            raw.next = 3
            got = raw.read_answer(1, 5)
            equal((got.status, bytes(got.body).decode()), (200, hashlib.sha256(b"abc").hexdigest()))


def test_it_ends_with_close_notify():
    """RFC 9113 9.2, RFC 8446 6.1: nobody can cut it short unseen."""
    with stage() as (larder, _), client(larder) as one:
        one.expect_ok("/", scheme="https", authority=NAME)
        one.frame(h2raw.GOAWAY, 0, 0, number(0) * 2)
        one.sock.suppress_ragged_eofs = False
        try:
            check(one.read_to_end(5), "still open")
        except ssl.SSLEOFError:
            raise AssertionError("no close_notify") from None


scene.run()
