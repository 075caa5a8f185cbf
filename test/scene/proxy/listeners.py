#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Listeners as addresses and as maps, from files and from flags; https never in the open."""

import os
import subprocess

import scene
from larder import PROGRAM, Larder, free_port
from origin import Origin, answer
from scene import check, equal


def run(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False)


def serve_both(larder, *ports):
    with larder:
        for port in ports:
            larder.port = port
            equal(larder.get().body, b"ok")


def test_both_forms():
    """An address alone and a map listen alike, and what dump makes of them serves the same."""
    second = int(os.environ.get("PORT3") or free_port())
    with Origin(answer(b"ok")) as origin:
        larder = Larder(origin)
        first = larder.port
        url = "http://127.0.0.1:{}".format
        larder.configure({"listen": [url(first), {"address": url(second), "proxy-protocol": []}]})
        dump = run("dump", "-c", str(larder.config_file))
        equal((dump.returncode, dump.stderr), (0, ""))
        serve_both(larder, first, second)
        again = Larder(origin)
        again.config_file.write_text(dump.stdout)
        serve_both(again, first, second)


def test_https_needs_a_certificate():
    """It does not start, says where and how to make a pair, and serves nothing in the open."""
    port = int(os.environ.get("PORT1") or free_port())
    https = ["--origin", "http://127.0.0.1:1", "--listen", f"https://127.0.0.1:{port}"]
    for verb in ("check", "run"):
        got = run(verb, *https)
        equal(got.returncode, 3)
        check("--listen: " in got.stderr and "openssl req -x509" in got.stderr, got.stderr)
        got = run(verb, *https, "--cert", "a.pem")
        equal(got.returncode, 2)
        check("1 --cert and 0 --key" in got.stderr, got.stderr)


scene.run()
