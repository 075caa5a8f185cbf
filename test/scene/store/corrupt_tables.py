#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Tables of a store that are cut or overwritten while Larder is away."""

import scene
from faults import broken, cut, overwrite
from scene import case


def test_tables():
    """RocksDB may open it all the same, and find out later."""
    for how in (cut, overwrite):
        with case(how.__name__):
            broken("*.sst", how)


scene.run()
