#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""`larderctl purge` as CI uses it: orders from options, URLs from a file, receipts for people and as
JSON, and an exit code for each way it can end."""

import json
import os
import pty
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import scene
from caching import is_hit, lasting, numbered, with_store
from larder import Larder, free_port
from origin import CLOSE, Origin, answer, takes_body
from purging import purged
from scene import case, check, equal
from secure import Authority

LARDERCTL = os.environ.get("LARDERCTL") or str(Path(__file__).parents[3] / "build/larderctl")


def run(larder, *args, stdin="", token=None):
    """larderctl: its exit code, what it says on stdout, and on stderr."""
    env = os.environ | ({"LARDER_TOKEN": token} if token else {})
    done = subprocess.run(
        [LARDERCTL, "--admin", f"127.0.0.1:{larder.admin_port}", *args],
        input=stdin.encode(), capture_output=True, timeout=30, check=False, env=env,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def reply():
    return numbered("max-age=600", "Surrogate-Key: all")


def test_what():
    table = {
        "a URL": ("http://a/1",),
        "--url": ("--url", "http://a/1"),
        "tags": ("--tag", "other, all", "--hard"),
        "a prefix": ("--prefix", "a/1", "--hard"),
        "a host": ("--host", "a", "--hard"),
        "all": ("--all", "--hard"),
        "an expression": ("--expr", "all AND NOT x", "--hard"),
        "a regular expression": ("--regex", "/1$", "--hard"),
    }
    with Origin(reply()) as origin, Larder(origin) as larder:
        for number, (name, words) in enumerate(table.items(), 1):
            with case(name):
                larder.get("/1")
                check(is_hit(larder.get("/1")), "stored")
                code, out, errors = run(larder, "-o", "json", "purge", *words, "--wait")
                equal(code, 0, errors)
                receipt = json.loads(out)
                equal((receipt["seq"], receipt["mode"]), (number, "hard"))
                equal(receipt["matched"]["objects"], 1)
                check(not is_hit(larder.get("/1")), "it was not purged")


def test_how_it_ends():
    with Origin(reply()) as origin, with_store(origin) as larder:
        for target in ("/1", "/2", "/3"):
            larder.get(target)
        table = [
            (0, ("--tag", "all", "--dry-run"), "3 objects"),
            (7, ("--tag", "none", "--fail-if-empty"), "nothing matches"),
            (5, ("--tag", "all", "--max-objects", "2"), "3 objects match"),
            (0, ("--tag", "all", "--max-objects", "2", "--confirm", "--wait"), "3 objects"),
            (2, (), "says not what to purge"),
            (2, ("--expr", "a AND",), "expression at byte 5"),
            (2, ("--max-objects", "x", "--all"), "whole number"),
            (2, ("--soft", "--refresh=0", "--all"), "whole number"),
            (1, ("receipt", "99"), "no purge has this number"),
        ]  # fmt: skip
        for code, words, said in table:
            with case(" ".join(words)):
                got, out, errors = run(larder, "purge", *words)
                equal(got, code, errors)
                check(said in out + errors, f"no {said!r} in {out + errors!r}")
        equal(run(larder, "stat", "--tag", "x")[0], 2)
        gone = Larder(origin)
        gone.admin_port = free_port()
        equal(run(gone, "purge", "--all")[0], 4)


def test_many_urls():
    with Origin(lambda *_: lasting("max-age=600", b"x")) as origin, Larder(origin) as larder:
        larder.get("/17")
        urls = "".join(f"http://a/{n}\n" for n in range(10050))
        code, out, errors = run(larder, "-o", "json", "purge", "--from", "-", stdin=urls + "\n\n")
        equal(code, 0, errors)
        first, second = (json.loads(line) for line in out.splitlines())
        equal((first["scopes"], second["scopes"]), (20000, 100))
        check(not is_hit(larder.get("/17")), "it was among them")
        equal(run(larder, "purge", "--from", "/nowhere")[0], 2)


def test_receipts_and_log():
    with Origin(reply()) as origin, with_store(origin) as larder:
        larder.get("/1")
        why = ("--reason", "price change", "--deploy-id", "d-17")
        equal(run(larder, "purge", "--tag", "all", *why)[0], 0)
        code, out, _ = run(larder, "purge", "receipt", "1", "--wait")
        equal(code, 0)
        for said in ("1 objects", "price change", "d-17", "http://a/1"):
            check(said in out, f"no {said!r} in {out!r}")
        code, out, _ = run(larder, "purge", "log")
        equal(code, 0)
        check('{"tags":["all"]' in out and "price change" in out, out)
        code, out, _ = run(larder, "-o", "json", "purge", "log", "--since", "1")
        equal(json.loads(out)["purges"], [])
        # The same order under the same key is done once.
        for _ in range(2):
            code, out, _ = run(larder, "-o", "json", "purge", "--all", "--idempotency-key", "k")
            equal(json.loads(out)["seq"], 2)
        equal(run(larder, "purge", "--tag", "b", "--idempotency-key", "k")[0], 5)


def test_wait_needs_no_scope_but_the_purges():
    command = [LARDERCTL, "token", "new", "ci", "--scope", "purge:select"]
    made = subprocess.run(command, capture_output=True, timeout=30, check=True)
    token = made.stdout.decode().strip()
    with Origin(reply()) as origin:
        larder = Larder(origin)
        (larder.path / "tokens").write_bytes(made.stderr)
        listen = {"listen": f"127.0.0.1:{larder.admin_port}", "tokens": str(larder.path / "tokens")}
        larder.configure({"store": {"path": str(larder.path / "store")}, "admin": listen})
        check_waits(larder, token)


def check_waits(larder, token):
    with larder:
        for target in ("/1", "/2", "/3"):
            larder.get(target)
        code, out, errors = run(larder, "purge", "--tag", "all", "--wait", token=token)
        equal(code, 0, out + errors)
        check("3 objects" in out, out)


class Stub:
    """What stands where the admin listener should. `said`: what a POST gets, and then each GET."""

    def __init__(self, *said):
        self.left, self.heard = list(said), []
        self.origin = Origin(takes_body(lambda *came: self.reply(*came)))
        self.admin_port = self.origin.port

    def reply(self, request, wire):
        wire.read_body(request, "none")
        self.heard.append((request.target, request.body))
        return self.left.pop(0), CLOSE


def receipt_said(state, status="200 OK"):
    receipt = {"seq": 7, "mode": "soft", "matched": {"state": state}, "detail": "not for you"}
    if state == "complete":
        receipt["matched"] |= {"objects": 3, "variants": 0, "bytes": 100}
    return answer(json.dumps(receipt).encode(), status=status)


def test_wait():
    full, open_still = receipt_said("complete"), receipt_said("counting")
    refused = receipt_said("", "403 Forbidden")
    table = [
        ("the answer is the receipt", (full,), 0, "3 objects", 1),
        ("it took too long for one answer", (open_still, open_still, full), 0, "3 objects", 3),
        ("and may not be asked for", (open_still, refused), 6, "purge receipt 7", 2),
        ("cut before an answer", (b"",), 6, "may be in force", 1),
        ("cut in an answer", (full[:-5],), 6, "larderctl purge log", 1),
        ("no Larder", (b"220 mail.example\r\n",), 1, "does not answer as Larder does", 1),
    ]
    for name, said, wanted, word, questions in table:
        with case(name):
            stub = Stub(*said)
            with stub.origin:
                code, out, errors = run(stub, "purge", "--tag", "a", "--wait")
            equal(code, wanted, out + errors)
            check(word in out + errors, out + errors)
            equal(len(stub.heard), questions)
            equal(json.loads(stub.heard[0][1]), {"tags": ["a"], "wait": True})
    with case("a dry run has nothing to wait for"):
        stub = Stub(b"")
        with stub.origin:
            equal(run(stub, "purge", "--tag", "a", "--wait", "--dry-run")[0], 1)


def screen(terminal):
    """All that came to a terminal whose other end is closed."""
    said = b""
    with suppress(OSError):
        while some := os.read(terminal, 4096):
            said += some
    os.close(terminal)
    return said.decode()


def test_progress():
    """Who looks at a terminal is told of a wait that is long; a program is not."""

    def later(request, wire):
        wire.read_body(request, "none")
        time.sleep(2.4)
        return receipt_said("complete"), CLOSE

    with Origin(takes_body(later)) as origin:
        theirs, ours = pty.openpty()
        command = [LARDERCTL, "--admin", f"127.0.0.1:{origin.port}", "purge", "--all", "--wait"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=ours, timeout=30, check=False)
        os.close(ours)
        told = screen(theirs)
        equal(done.returncode, 0)
        check("waiting until it is counted" in told, told)
        check(told.endswith("\r\x1b[K"), f"{told!r} is left on the screen")
        origin.admin_port = origin.port
        code, _, errors = run(origin, "purge", "--all", "--wait")
        equal((code, errors), (0, ""))


def test_cut_over_tls():
    """Without close_notify, after a wait that is longer than one look at the link."""

    def accept_one(door, context):
        sock, _ = door.accept()
        with context.wrap_socket(sock, server_side=True) as link:
            link.recv(4096)
            time.sleep(2.4)
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")

    with Authority() as ca, socket.create_server(("127.0.0.1", 0)) as door:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*ca.pair("127.0.0.1"))
        server = threading.Thread(target=accept_one, args=(door, context))
        server.start()
        command = [LARDERCTL, "--admin", f"https://127.0.0.1:{door.getsockname()[1]}",
                   "--cacert", ca.file, "purge", "--all", "--wait"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
        server.join()
        equal(done.returncode, 6, done.stderr.decode())
        check(b"may be in force" in done.stderr, done.stderr.decode())


def test_log_shows_the_latest():
    def shown(*words):
        code, out, errors = run(larder, "-o", "json", "purge", "log", *words)
        equal(code, 0, errors)
        return [purge["seq"] for purge in json.loads(out)["purges"]]

    with Origin(reply()) as origin, with_store(origin) as larder:
        equal(shown(), [])
        for number in range(1, 106):
            equal(purged(larder, tags=[f"t{number}"])["seq"], number)
        equal(shown(), list(range(6, 106)))
        equal(shown("-n", "2"), [104, 105])
        equal(shown("-n", "1000"), list(range(1, 106)))
        equal(shown("--since", "0", "-n", "3"), [1, 2, 3])
        equal(shown("--since", "0"), list(range(1, 101)))
        equal(shown("--since", "103"), [104, 105])
        equal(shown("--since", "105"), [])
        equal(run(larder, "purge", "log", "--since", "x")[0], 2)
        equal(run(larder, "purge", "log", "-n", "10001")[0], 2)
        code, out, _ = run(larder, "purge", "log", "-n", "1")
        check('"t105"' in out and '"t104"' not in out, out)


scene.run()
