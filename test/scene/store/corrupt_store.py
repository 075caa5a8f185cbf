#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""A store whose files are broken so that it cannot be opened, or cannot be read: nothing wrong is ever
served; one that stays broken is begun anew while Larder runs; what is no store of Larder's is left
alone, whatever is in it."""

import scene
from caching import with_store
from faults import SMALL, broken, empty, overwrite, reply, traffic, wait_for_state
from origin import Origin
from scene import check, equal


def test_current():
    said = broken("CURRENT", empty)
    check("store: off" in said and "(corrupt: " in said, said)
    check("it begins anew" in said, said)


def test_the_manifest():
    said = broken("MANIFEST-*", overwrite)
    check("it begins anew" in said, said)


def test_what_is_not_ours():
    with Origin(reply) as origin:
        larder = with_store(origin, **SMALL)
        store = larder.path / "store"
        store.mkdir()
        files = {"CURRENT": b"this is no database\n", "MANIFEST-000001": b"?", "letters.txt": b"!"}
        for name, text in files.items():
            (store / name).write_bytes(text)
        with larder, traffic(larder):
            wait_for_state(larder, "off", "foreign")
            larder.wait_for_word(r"store: off: .*\(foreign: .*to do: ")
            equal({file.name: file.read_bytes() for file in store.iterdir()}, files)


scene.run()
