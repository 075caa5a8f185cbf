#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""More purges than RAM remembers: the disk is asked about a hit, each time that may be needed, and
what nobody purged stays a hit."""

import scene
from caching import is_hit, lasting, wait_until_written, with_store
from origin import Origin
from purging import get, purged
from scene import check

ORDERS, FILES = 20, 10_000  # 200,000 URLs at a time


def crowd(larder, which):
    for number in range(ORDERS):
        urls = [f"http://other/{which}/{number}/{file}" for file in range(FILES)]
        purged(larder, files=urls, mode="hard")


def test_hits_stay_hits():
    with Origin(lasting("max-age=600", b"body")) as origin:
        with with_store(origin, workers=1) as larder:
            get(larder, "a/1")
            wait_until_written(larder, 1)
            for which in range(3):
                crowd(larder, which)
                check(is_hit(get(larder, "a/1")), f"after {which + 1} times {ORDERS * FILES:,}")
            purged(larder, files=["http://a/1"], mode="hard")
            check(not is_hit(get(larder, "a/1")), "it was purged")


scene.run()
