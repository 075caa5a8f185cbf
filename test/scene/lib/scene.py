# SPDX-License-Identifier: Apache-2.0
"""A scene in Python: an executable file of functions test_..., each one behaviour, in the order in
which they run, with scene.run() as its last line.

    test/run test/scene/proxy/keep_alive.py          as make check runs it
    test/scene/proxy/keep_alive.py test_http_1_0     from the top of the checkout, one test of it
"""

import os
import sys
import time
import traceback
from contextlib import contextmanager

faults = []


def equal(got, wanted, about=""):
    if got != wanted:
        raise AssertionError(f"{about + ': ' if about else ''}{got!r} instead of {wanted!r}")


def check(truth, why):
    if not truth:
        raise AssertionError(why)


@contextmanager
def case(name):
    """One row of a table: when it fails the others still run."""
    try:
        yield
    except Exception as fault:
        faults.append(name)
        print(f"    {name}: {type(fault).__name__}: {fault}", flush=True)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def eventually(truth, why, seconds=10):
    """Waits until a function returns something true, and returns that."""
    end = time.monotonic() + seconds
    while not (found := truth()):
        if time.monotonic() > end:
            raise AssertionError(why)
        time.sleep(0.01)
    return found


def run():
    scene = vars(sys.modules["__main__"])
    names = sys.argv[1:] or [name for name in scene if name.startswith("test_")]
    failed = 0
    for name in names:
        begin = time.monotonic()
        faults.clear()
        try:
            scene[name]()
        except Exception:
            traceback.print_exc(file=sys.stdout)
            faults.append(name)
        failed += bool(faults)
        verdict = "FAILED" if faults else "ok"
        print(f"{verdict:7} {name}  {time.monotonic() - begin:.1f} s", flush=True)
    # Threads of origins may still run: an interpreter that takes itself apart under them crashes.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(failed > 0)
