#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Clients' certificates: who may connect, what a route asks, what the origin learns (RFC 9440)."""

import base64
import signal
import ssl
from pathlib import Path

import scene
from origin import Origin, answer
from scene import case, check, equal, eventually
from secure import Authority, SecureLarder
from wire import head

NO_STORE = answer(b"ok", "Cache-Control: no-store")
FRESH = answer(b"ok", "Cache-Control: max-age=60")
LIES = ("Client-Cert: :bGll:", "client-cert-chain: :bGll:", "Client-Cert: :bGll:")


def der(pair):
    return ssl.PEM_cert_to_DER_cert(Path(pair[0]).read_text())


def told(origin):
    return origin.requests[-1].all("Client-Cert"), origin.requests[-1].all("Client-Cert-Chain")


def ask(larder, ca, *fields, pair=None, target="/"):
    with larder.secure(ca, pair=pair) as wire:
        wire.send(head(f"GET {target} HTTP/1.1", "Host: shop.example", *fields))
        return wire.read_answer()


def is_let_in(larder, ca, pair=None):
    try:
        return ask(larder, ca, pair=pair).status == 200
    except (ssl.SSLError, ConnectionError, EOFError):
        return False
    except Exception as cut:
        check(type(cut).__name__ == "Cut", repr(cut))
        return False


def test_required():
    with Authority() as ca, Authority("Another") as other, Origin() as origin:
        tls = {"client-certificate": "required", "client-ca": str(ca.file)}
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], tls=tls) as larder:
            check(is_let_in(larder, ca, ca.pair("client")), "a good one is refused")
            check(not is_let_in(larder, ca), "one without is let in")
            stranger = other.pair("client")
            check(not is_let_in(larder, ca, stranger), "another authority's is let in")
            expired = ca.pair("client", days=-1)
            check(not is_let_in(larder, ca, expired), "an expired one is let in")
            larder.wait_for_metric(3, "tls_failures_total", why="client-certificate")


def test_revoked():
    with Authority() as ca, Origin() as origin:
        good, bad = ca.pair("good"), ca.pair("bad")
        crl = ca.crl(bad[0])
        tls = {"client-certificate": "required", "client-ca": str(ca.file), "client-crl": crl}
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], tls=tls) as larder:
            check(is_let_in(larder, ca, good), "a good one is refused")
            check(not is_let_in(larder, ca, bad), "a revoked one is let in")
            # A list that is renewed counts for those who come then.
            ca.crl(good[0], bad[0])
            eventually(lambda: not is_let_in(larder, ca, good), "the new list is not looked at")


def test_optional_and_what_routes_ask():
    with Authority() as ca, Origin(NO_STORE) as origin:
        tls = {"client-certificate": "optional", "client-ca": str(ca.file)}
        routes = [
            {"path": "/", "origin": "default"},
            {"path": "/tell", "origin": "default", "security": {"client-certificate": "forward"}},
            {"path": "/need", "origin": "default", "security": {"client-certificate": "require"}},
        ]
        config, pairs = {"routes": routes}, [ca.pair("shop.example")]
        with SecureLarder(origin, pairs=pairs, tls=tls, config=config) as larder:
            client = ca.pair("client")
            member = f":{base64.b64encode(der(client)).decode()}:"
            for target, pair, status, wanted in (
                ("/", None, 200, []),
                ("/", client, 200, []),
                ("/tell", None, 200, []),
                ("/tell", client, 200, [member]),
                ("/need", client, 200, [member]),
                ("/need", None, 403, None),
            ):
                for lies in ((), LIES):
                    with case(f"{target} {bool(pair)} {bool(lies)}"):
                        count = len(origin.requests)
                        got = ask(larder, ca, *lies, pair=pair, target=target)
                        equal(got.status, status)
                        if wanted is None:
                            equal(len(origin.requests), count)
                            check("cert-required" in got.get("Cache-Status"), got.head)
                        else:
                            equal(told(origin), (wanted, []))
            # Plain http has no certificates, and nobody tells of one that he does not have.
            equal(larder.get("/need", *LIES).status, 403)
            equal(larder.get("/tell", *LIES).status, 200)
            equal(told(origin), ([], []))


def test_lies_do_not_choose_a_variant():
    """A field of a client's own is not in the request that is looked up."""
    vary = answer(b"ok", "Cache-Control: max-age=60", "Vary: Client-Cert")
    with Authority() as ca, Origin(vary) as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            ask(larder, ca)
            ask(larder, ca, *LIES)
            equal(len(origin.requests), 1)


def test_answers_to_a_certificate_are_private():
    """RFC 9111 3.5, as for Authorization: stored only where the answer says it is for all."""
    for control, count in (("max-age=60", 4), ("public, max-age=60", 1), ("s-maxage=60", 1)):
        reply = answer(b"ok", f"Cache-Control: {control}")
        with case(control), Authority() as ca, Origin(reply) as origin:
            tls = {"client-certificate": "optional", "client-ca": str(ca.file)}
            config = {"security": {"client-certificate": "forward"}}
            pairs = [ca.pair("shop.example")]
            with SecureLarder(origin, pairs=pairs, tls=tls, config=config) as larder:
                for number in range(4):
                    got = ask(larder, ca, pair=ca.pair(f"client{number}"))
                    equal(got.status, 200)
                equal(len(origin.requests), count)
                if count > 1:
                    # and a client without one is served and stored as ever
                    ask(larder, ca)
                    equal(ask(larder, ca).get("X-Cache"), "HIT")


scene.run()
