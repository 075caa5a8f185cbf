# SPDX-License-Identifier: Apache-2.0
"""What HTTP/2 scenes with other people's clients share: an origin that answers each path in its own
way, and how those clients are run."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import scene
from h2raw import CANCEL, INTERNAL_ERROR
from origin import CLOSE, answer
from scene import case, equal
from wire import chunked, head

NODE = Path(__file__).resolve().parents[1] / "h2/node.mjs"
LARGE = bytes(range(256)) * (20 << 12)  # 20 MiB
HINTS = head("HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload")


def reply(asked, wire):
    """The body of a request has been read, but for /stuck, whose body nobody reads."""
    path = asked.target
    if path.startswith("/numbered/"):
        return answer(path.encode(), "Cache-Control: max-age=60")
    if path == "/large":
        return answer(LARGE, "Cache-Control: no-store")
    if path == "/digest":
        return answer(hashlib.sha256(asked.body).hexdigest().encode())
    if path == "/echo":
        return answer(asked.body, f"X-Fields: {json.dumps(asked.fields)}")
    if path == "/sum":
        return answer(json.dumps(asked.trailers).encode())
    if path == "/trailers":
        lines = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum")
        return lines + chunked(b"be", b"hind", trailers=("X-Sum: 42",))
    if path == "/hints":
        return HINTS + answer(b"after the hints", "Cache-Control: no-store")
    if path == "/cut":
        whole = head("HTTP/1.1 200 OK", "Content-Length: 100000") + b"x" * 500
        return whole, CLOSE
    if path == "/cut-chunks":
        return head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n", CLOSE
    return answer(b"hello", "Cache-Control: no-store")


def run(*command, code=0):
    """What it prints; bytes that it reads are none."""
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=50)
    equal(done.returncode, code, f"{done.stderr[-500:]} of {command[:3]}")
    return done.stdout


def need(program):
    if not shutil.which(program):
        scene.skip(f"no {program}")


def node(url):
    """Runs node.mjs and checks all that it found."""
    need("node")
    lines = run("node", str(NODE), url).decode().splitlines()
    found = {said.pop("test"): said for said in map(json.loads, lines)}
    wanted = {
        "parallel": {"good": 100},
        "upload": {"status": 200, "same": True},
        "abort": {"status": 200, "code": CANCEL, "some": True},
        "abort-upload": {"status": None, "code": CANCEL},
        "trailers": {"body": "behind", "trailers": {"x-sum": "42"}},
        "hints": {"interim": [[103, "</a.css>; rel=preload"]], "status": 200},
        "head": {"status": 200, "length": str(len(LARGE)), "body": 0},
        "cut": {"status": 200, "error": "ERR_HTTP2_STREAM_ERROR", "code": INTERNAL_ERROR},
        "ping": {"error": None, "ms": True},
        "end": {},
    }
    for name, value in wanted.items():
        with case(name):
            equal(found.get(name), value)
    equal(set(found), set(wanted))
