#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What Age tells (RFC 9111 5.1), and what it is counted from (4.2.3)."""

import time

import scene
from caching import date, is_hit, lasting
from larder import Larder
from origin import Origin
from scene import check, equal


def test_age():
    """RFC 9111 5.1: a hit tells its age, which grows; RFC 9110 6.6.1: and its own Date."""
    then = date(-300)
    with Origin(lasting("max-age=1000", b"ok", "Age: 200", f"Date: {then}")) as origin, Larder(
        origin
    ) as larder:
        larder.get("/")
        first = larder.get("/")
        check(299 <= int(first.get("Age")) <= 301, first.get("Age"))
        equal(first.get("Date"), then)
        time.sleep(1)
        second = larder.get("/")
        check(is_hit(second), "no hit")
        grown = int(second.get("Age")) - int(first.get("Age"))
        check(1 <= grown <= 2, f"Age grew by {grown}")


def test_delay_counts():
    """RFC 9111 4.2.3: the time that the origin took is added to its Age."""

    def late(_, wire):
        time.sleep(1)
        return lasting("max-age=100", b"ok", "Age: 10")

    with Origin(late) as origin, Larder(origin) as larder:
        larder.get("/")
        age = int(larder.get("/").get("Age"))
        check(11 <= age <= 12, f"Age {age}")


scene.run()
