#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Sessions resume: on every worker, after a reload, and as long as a key that opens them is kept."""

import os
import secrets
import signal
import ssl

import scene
from origin import Origin
from scene import case, check, equal, eventually
from secure import Authority, SecureLarder
from wire import head

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def context_of(ca, version):
    context = ca.context()
    context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


def visit(larder, ca, context, session=None):
    """Whether it was resumed, and the session that the next visit may resume."""
    with larder.secure(ca, context=context, session=session) as wire:
        wire.send(head("GET / HTTP/1.1", "Host: shop.example"))
        equal(wire.read_answer().status, 200)
        return wire.sock.session_reused, wire.sock.session


def test_on_every_worker():
    with Authority() as ca, Origin() as origin:
        pairs = [ca.pair("shop.example")]
        for version in VERSIONS:
            with case(version), SecureLarder(origin, pairs=pairs, workers=4) as larder:
                context = context_of(ca, version)
                resumed, session = visit(larder, ca, context)
                check(not resumed, "resumed from nothing")
                for _ in range(20):  # the kernel spreads them
                    resumed, session = visit(larder, ca, context, session)
                    check(resumed, "not resumed")
                equal(larder.metric("tls_resumed_total"), 20)


def test_after_a_reload():
    with Authority() as ca, Origin() as origin:
        with SecureLarder(origin, pairs=[ca.pair("shop.example")]) as larder:
            context = context_of(ca, "1.3")
            _, session = visit(larder, ca, context)
            equal(larder.ctl("cert", "reload")[0], 0)
            larder.signal(signal.SIGHUP)
            larder.wait_for_metric(1, "config_reloads_total", result="ok")
            resumed, _ = visit(larder, ca, context, session)
            check(resumed, "not resumed")


def test_keys_of_a_file():
    """Two nodes with one file are one to a client; a key that is gone opens nothing."""
    old, new, newest = (secrets.token_hex(80) for _ in range(3))
    with Authority() as ca, Origin() as origin:
        file = ca.path / "tickets"
        file.write_text(f"{old}\n")
        more = {"pairs": [ca.pair("shop.example")], "tls": {"ticket-keys": str(file)}}
        context = context_of(ca, "1.3")
        with SecureLarder(origin, **more) as larder:
            _, session = visit(larder, ca, context)
        with SecureLarder(origin, **more) as larder:
            resumed, session = visit(larder, ca, context, session)
            check(resumed, "another node does not know it")
            replace(file, f"{new}\n{old}\n")
            # A ticket of the old key is opened, and one of the new key given for it.
            equal(larder.ctl("cert", "reload")[0], 0)
            resumed, fresh = visit(larder, ca, context, session)
            check(resumed, "the key before is not known")
            replace(file, f"{newest}\n{new}\n")
            eventually(
                lambda: not visit(larder, ca, context, session)[0], "the file is not read again"
            )
            check(visit(larder, ca, context, fresh)[0], "the ticket was not renewed")
            replace(file, "no key\n")
            equal(larder.ctl("cert", "reload")[0], 3)
            check(visit(larder, ca, context, fresh)[0], "a bad file took the keys away")


def replace(file, text):
    file.with_suffix(".new").write_text(text)
    os.rename(file.with_suffix(".new"), file)


def test_off():
    with Authority() as ca, Origin() as origin:
        tls = {"tickets": False}
        with SecureLarder(origin, pairs=[ca.pair("shop.example")], tls=tls) as larder:
            for version in VERSIONS:
                with case(version):
                    context = context_of(ca, version)
                    _, session = visit(larder, ca, context)
                    check(not (session and session.has_ticket), "a ticket was given")


scene.run()
