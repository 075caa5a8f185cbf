#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol: a balancer that we know says who the client is, and nobody else does."""

import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import time

import scene
from larder import free_port
from origin import Origin, answer
from scene import case, check, equal, eventually
from secure import Authority, SecureLarder
from wire import Wire, head

GET = head("GET / HTTP/1.1", "Host: shop.example", "Connection: close")
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V2 = SIGNATURE + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 198, 51, 100, 1]) + struct.pack(">HH", 1, 2)
V2_6 = SIGNATURE + b"\x21\x21\0\x24" + socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(20)
LOCAL = SIGNATURE + b"\x20\0\0\0"
NO_STORE = answer(b"ok", "Cache-Control: no-store")


class Balanced(SecureLarder):
    """Both listeners ask for a header of 127.0.0.1, unless `heralds` says otherwise."""

    def __init__(self, origin, ca, heralds=("127.0.0.1",), config=None, **more):
        self.heralds = list(heralds)
        pairs = [ca.pair("shop.example")]
        super().__init__(origin, pairs=pairs, config=config, **more)

    def configure(self, config):
        self.listen = {"proxy-protocol": self.heralds}
        super().configure(config)
        plain = {"address": self.base["listen"][0], "proxy-protocol": self.heralds}
        super(SecureLarder, self).configure(config | {"listen": [plain, self.base["listen"][1]]})

    def lines(self):
        return [json.loads(line) for line in (self.path / "access").read_text().splitlines()]

    def logged(self, count):
        return eventually(lambda: len(self.lines()) >= count and self.lines(), "no access line")

    def start(self):
        self.base["log"] = {"access": str(self.path / "access")}
        self.configure({})
        super().start()


def send_slowly(wire, data):
    for at in range(len(data)):
        wire.send(data[at : at + 1])
        time.sleep(0.002)


def receive(sock):
    data = sock.recv(65536)
    check(data, "closed")
    return data


def test_the_client_is_who_is_told_of():
    table = {
        "v1": (V1, "192.0.2.7"),
        "v1, 6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", "2001:db8::7"),
        "v1, unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        "v2": (V2, "192.0.2.7"),
        "v2, 6": (V2_6, "2001:db8::7"),
        "v2, local": (LOCAL, "127.0.0.1"),
    }
    with Authority() as ca, Origin(NO_STORE) as origin, Balanced(origin, ca) as larder:
        count = 0
        for name, (header, client) in table.items():
            for how in ("at once", "apart", "byte by byte"):
                with case(f"{name}, {how}"):
                    with larder.connect() as wire:
                        if how == "byte by byte":
                            send_slowly(wire, header + GET)
                        elif how == "apart":
                            wire.send(header)
                            time.sleep(0.01)
                            wire.send(GET)
                        else:
                            wire.send(header + GET)
                        equal(wire.read_answer().status, 200)
                    count += 1
                    equal(larder.logged(count)[-1]["client"], client)
                    equal(origin.requests[-1].get("X-Forwarded-For"), client)


def test_tls_behind_the_header():
    """What follows the header's last byte is TLS, also when it came in the same packet."""
    with Authority() as ca, Origin(NO_STORE) as origin, Balanced(origin, ca) as larder:
        context = ca.context()
        for name, header in (("v1", V1), ("v2", V2)):
            for how in ("at once", "byte by byte"):
                with case(f"{name}, {how}"):
                    raw = socket.create_connection(("127.0.0.1", larder.tls_port), 20)
                    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
                    tls = context.wrap_bio(into, out, server_hostname="shop.example")
                    try:
                        tls.do_handshake()
                    except ssl.SSLWantReadError:
                        pass
                    first = header + out.read()
                    if how == "at once":
                        raw.sendall(first)
                    else:
                        send_slowly(Wire(raw), first)
                    while True:
                        into.write(receive(raw))
                        try:
                            tls.do_handshake()
                            break
                        except ssl.SSLWantReadError:
                            pass
                    tls.write(GET)
                    raw.sendall(out.read())
                    got = b""
                    while b"ok" not in got:
                        into.write(receive(raw))
                        try:
                            got += tls.read()
                        except ssl.SSLWantReadError:
                            pass
                    check(got.startswith(b"HTTP/1.1 200"), got)
                    raw.close()
        equal({line["client"] for line in larder.logged(4)}, {"192.0.2.7"})


def test_a_bad_header_ends_the_connection():
    """Without an answer, and without an origin."""
    with Authority() as ca, Origin(NO_STORE) as origin, Balanced(origin, ca) as larder:
        bad = {
            "none": GET,
            "none, TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            "a zero": V1.replace(b"56324", b"056324"),
            "no CR": V1.replace(b"\r", b"") + GET,
            "too long": b"PROXY UNKNOWN " + b"a" * 200,
            "version 3": SIGNATURE + b"\x31\x11\0\x0c",
            "checksum": SIGNATURE + b"\x21\x11\0\x13" + V2[16:] + b"\x03\0\x04abcd",
        }
        for count, (name, header) in enumerate(bad.items(), 1):
            with case(name), larder.connect() as wire:
                wire.send(header)
                equal(wire.read_rest(), b"")
                larder.wait_for_metric(count, "http_closed_total", why="proxy-header")
        with case("the end, half way"), larder.connect() as wire:
            wire.send(V1[:20])
            wire.finish()
            equal(wire.read_rest(), b"")
        equal(len(origin.requests), 0)
        larder.wait_for_metric(0, "http_connections", state="open")


def test_a_slow_header():
    with Authority() as ca, Origin() as origin:
        tls = {"handshake-timeout": "300ms"}
        with Balanced(origin, ca, tls=tls) as larder:
            raw = socket.create_connection(("127.0.0.1", larder.tls_port))
            with Wire(raw) as wire:
                wire.send(V1[:20])
                begin = time.monotonic()
                check(wire.is_closed(8), "it is open")
                check(time.monotonic() - begin < 5, "it took long")
            larder.wait_for_metric(1, "http_closed_total", why="proxy-header")


def test_strangers_are_not_asked():
    """Who is not in the list talks HTTP from the first byte; a header of his is no request."""
    with Authority() as ca, Origin(NO_STORE) as origin:
        with Balanced(origin, ca, heralds=["192.0.2.0/24", "2001:db8::/32"]) as larder:
            for header in (V1, V2):
                with larder.connect() as wire:
                    wire.send(header + GET)
                    equal(wire.read_answer().status, 400)
            equal(larder.get().status, 200)
            equal(larder.fetch(ca).status, 200)
            equal(larder.logged(4)[-1]["client"], "127.0.0.1")


HAPROXY = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
listen v1
    bind 127.0.0.1:{v1}
    server larder 127.0.0.1:{http} send-proxy
listen v2
    bind 127.0.0.1:{v2}
    server larder 127.0.0.1:{http} send-proxy-v2
listen v2-tls
    bind 127.0.0.1:{v2_tls}
    server larder 127.0.0.1:{https} send-proxy-v2 proxy-v2-options crc32c,unique-id
"""


def test_behind_haproxy():
    if not shutil.which("haproxy") and not os.path.exists("/usr/sbin/haproxy"):
        scene.skip("no haproxy")
    with Authority() as ca, Origin(NO_STORE) as origin, Balanced(origin, ca) as larder:
        ports = {"v1": free_port(), "v2": free_port(), "v2_tls": free_port()}
        conf = larder.path / "haproxy.cfg"
        conf.write_text(HAPROXY.format(http=larder.port, https=larder.tls_port, **ports))
        balancer = subprocess.Popen([shutil.which("haproxy") or "/usr/sbin/haproxy", "-f", conf])
        try:
            for count, (name, port) in enumerate(ports.items(), 1):
                with case(name):
                    sock = eventually(lambda: try_connect(port), "haproxy does not listen")
                    if name == "v2_tls":
                        sock = ca.context().wrap_socket(sock, server_hostname="shop.example")
                    with Wire(sock) as wire:
                        wire.send(GET)
                        equal(wire.read_answer().status, 200)
                    equal(larder.logged(count)[-1]["client"], "127.0.0.77")
        finally:
            balancer.terminate()
            balancer.wait()


def try_connect(port):
    """From an address that is not the balancer's."""
    try:
        return socket.create_connection(("127.0.0.1", port), 5, source_address=("127.0.0.77", 0))
    except ConnectionRefusedError:
        return None


scene.run()
