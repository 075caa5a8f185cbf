#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Early data may come again (RFC 8470): what is stored answers it, an origin never sees it."""

import re

import scene
from origin import Origin, answer
from scene import case, check, equal
from secure import Authority, SecureLarder
from wire import head

EARLY = {"early-data": True}


def request(target, *fields, method="GET"):
    fields = ("Host: shop.example", "Connection: close", *fields)
    return head(f"{method} {target} HTTP/1.1", *fields)


class Resumer:
    """Asks by openssl s_client, which can send early data. A session serves once."""

    def __init__(self, larder, ca):
        self.larder, self.ca = larder, ca

    def begin(self):
        session = self.ca.path / "session"
        self.larder.openssl_client("-tls1_3", "-sess_out", session, "-ign_eof", send=request("/"))
        return session

    def early(self, data):
        """Returns what was said to early data, and whether it was taken."""
        session, file = self.begin(), self.ca.path / "early"
        file.write_bytes(data)
        said = self.larder.openssl_client(
            "-tls1_3", "-sess_in", session, "-early_data", file, "-ign_eof"
        )
        check("Early data was" in said, said)
        return said, "Early data was accepted" in said


def status(said):
    found = re.findall(r"^HTTP/1\.1 (\d+)", said, re.M)
    equal(len(found), 1, said)
    return int(found[0])


def test_a_hit_is_served_and_a_miss_is_not():
    with Authority() as ca, Origin(answer(b"ok", "Cache-Control: max-age=60")) as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], tls=EARLY) as larder:
            client = Resumer(larder, ca)
            table = [
                ("hit", request("/"), 200),
                ("hit, HEAD", request("/", method="HEAD"), 200),
                ("hit, conditional", request("/", "If-Modified-Since: Tue, 29 Oct 2030 00:00:00 GMT"), 304),
                ("miss", request("/new"), 425),
                ("miss, HEAD", request("/new", method="HEAD"), 425),
                ("no-cache", request("/", "Cache-Control: no-cache"), 425),
                ("range of a miss", request("/new", "Range: bytes=0-1"), 425),
                ("POST", request("/", "Content-Length: 0", method="POST"), 425),
                ("DELETE", request("/", method="DELETE"), 425),
                ("a word of the client's", request("/new", "Early-Data: 1"), 425),
            ]
            larder.fetch(ca)
            for name, data, wanted in table:
                with case(name):
                    count = len(origin.requests)
                    said, taken = client.early(data)
                    check(taken, "it was not taken as early data")
                    equal(status(said), wanted)
                    equal(len(origin.requests), count, "the origin was asked")
            equal(larder.metric("tls_early_data_total"), len(table))


def test_what_is_stale_is_not_asked_for():
    """Stale while revalidate: served, but a replay starts no refresh."""
    reply = answer(b"ok", "Cache-Control: max-age=0, stale-while-revalidate=600", "ETag: \"1\"")
    with Authority() as ca, Origin(reply) as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], tls=EARLY) as larder:
            client = Resumer(larder, ca)
            client.begin()
            said, taken = client.early(request("/s"))
            equal((taken, status(said)), (True, 425))
            larder.fetch(ca, "/s")
            before = [r.target for r in origin.requests].count("/s")
            said, taken = client.early(request("/s"))
            equal((taken, status(said)), (True, 200))
            equal([r.target for r in origin.requests].count("/s"), before)


def test_early_data_from_a_proxy_before_us():
    """Over a connection that is not early the field is the origin's to heed; it goes through."""
    with Authority() as ca, Origin(answer(b"ok", "Cache-Control: no-store")) as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            equal(larder.fetch(ca, "/", "Early-Data: 1").status, 200)
            equal(origin.requests[-1].get("Early-Data"), "1")
            larder.fetch(ca)
            equal(origin.requests[-1].get("Early-Data"), None)


def test_off_by_default():
    with Authority() as ca, Origin(answer(b"ok", "Cache-Control: max-age=60")) as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            session = Resumer(larder, ca).begin()
            said = larder.openssl_client("-tls1_3", "-sess_in", session, "-ign_eof", send=request("/"))
            check("Max Early Data: 0" in said, said)


scene.run()
