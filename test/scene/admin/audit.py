#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""The audit log: each purge that took force is in it before it is answered, through restarts, and
what is wrong with the log is said in the receipt."""

import hashlib
import json
import os
import signal
import socket
import subprocess

import scene
from caching import lasting
from larder import TOP, Larder
from origin import Origin
from scene import check, equal, eventually
from wire import Wire, head

CTL = os.environ.get("LARDERCTL", str(TOP / "build/larderctl"))


class Audited(Larder):
    def __init__(self, *origins):
        super().__init__(*origins)
        self.log = self.path / "audit.log"
        self.configure({
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "purge": {"audit": str(self.log)},
            "store": {"path": str(self.path / "store"), "size": "64m"},
        })

    def purge(self, order):
        text = json.dumps(order).encode()
        with self.wire() as wire:
            fields = ["Content-Type: application/json", f"Content-Length: {len(text)}"]
            wire.send(head("POST /v1/purge HTTP/1.1", "Host: admin", *fields), text)
            answer = wire.read_answer("POST")
        equal(answer.status, 200, answer.body)
        return json.loads(answer.body)

    def wire(self):
        return Wire(socket.create_connection(("127.0.0.1", self.admin_port)))

    def lines(self):
        """Of the purges; what they matched comes later, in lines of its own."""
        return [line for line in self.all_lines() if "order" in line]

    def all_lines(self):
        """Whole ones: another may just be on its way into the file."""
        return [json.loads(line) for line in self.log.read_text().split("\n")[:-1]]

    def matched(self):
        return {line["seq"]: line["matched"] for line in self.all_lines() if "matched" in line}

    def verify(self, *more):
        done = subprocess.run([CTL, "audit", "verify", self.log, *more], capture_output=True, timeout=20)
        return done.returncode, (done.stdout + done.stderr).decode()


def test_each_purge_has_its_line():
    with Origin() as origin, Audited(origin) as larder:
        receipt = larder.purge({"tags": ["ä", 'q"'], "reason": "ticket 7", "deploy_id": "d1"})
        equal(receipt["audited"], True)
        line = larder.lines()[0]
        equal((line["who"], line["seq"], line["durable"]), ("tcp:127.0.0.1", receipt["seq"], True))
        order = line["order"]
        equal((order["tags"], order["reason"], order["deploy_id"]), (["ä", 'q"'], "ticket 7", "d1"))
        larder.purge({"everything": True, "mode": "hard"})
        equal(larder.lines()[1]["order"], {"everything": True, "mode": "hard"})
        many = [f"http://shop.example/{number}/{'x' * 60}" for number in range(10000)]
        larder.purge({"files": many})
        equal(larder.lines()[2]["order"]["files"], many)
        equal(larder.verify()[0], 0)
        eventually(lambda: len(larder.matched()) == 3, "not all were counted")
        # Counted once the disk has it, which is after whoever reads the file can see it.
        eventually(lambda: larder.metric("audit_lines_total") == 6, "lines are not counted")
        # A sha256sum by hand: the chain is what it is said to be.
        raw = larder.log.read_bytes().splitlines()
        equal(json.loads(raw[1])["prev"], hashlib.sha256(raw[0]).hexdigest())


def test_what_it_matched():
    """A purge does not wait for the count: that is a line of its own, in the same chain."""
    page = lasting("max-age=600", b"four", "Surrogate-Key: pages")
    with Origin(page) as origin, Audited(origin) as larder:
        for number in range(3):
            equal(larder.get(f"/{number}").status, 200)
        receipt = larder.purge({"tags": ["pages"], "wait": True})
        eventually(larder.matched, "it was not counted")
        line = larder.matched()[receipt["seq"]]
        equal((line["state"], line["objects"]), ("done", 3))
        check(line["bytes"] >= 12, line)
        equal(larder.verify()[0], 0)


def test_it_goes_on_after_a_crash():
    with Origin() as origin, Audited(origin) as larder:
        for number in range(3):
            larder.purge({"tags": [f"t{number}"]})
        eventually(lambda: len(larder.matched()) == 3, "not all were counted")
        larder.signal(signal.SIGKILL)
        larder.child.wait()
        with open(larder.log, "ab") as log:
            log.write(b'{"prev":"0123')  # as a crash within the next line would leave
        code, said = larder.verify()
        equal(code, 1)
        check(":7: " in said, said)
        larder.start()
        larder.wait_for_word("13 bytes of a line that a crash had torn were cut off; line 6")
        equal(larder.purge({"tags": ["t3"]})["seq"], 4)
        equal([line["seq"] for line in larder.lines()], [1, 2, 3, 4])
        code, said = larder.verify()
        equal(code, 0, said)


def test_a_log_that_takes_no_line():
    with Origin() as origin, Audited(origin) as larder:
        larder.purge({"tags": ["a"]})
        eventually(larder.matched, "it was not counted")
        larder.log.rename(larder.path / "moved")
        receipt = larder.purge({"tags": ["b"]})
        equal((receipt["audited"], receipt["durable"]), (False, True))
        larder.wait_for_metric(2, "audit_failures_total")  # its own line, and what it matched
        larder.wait_for_word("audit: .*a line is missing")
        (larder.path / "moved").rename(larder.log)
        equal(larder.purge({"tags": ["c"]})["audited"], True)
        equal([line["seq"] for line in larder.lines()], [1, 3])
        equal(larder.verify()[0], 0)


def test_a_file_that_is_no_log():
    with Origin() as origin:
        larder = Audited(origin)
        larder.log.write_text("127.0.0.1 localhost\n")
        try:
            larder.start()
            raise AssertionError("it started")
        except AssertionError as fault:
            check("none of an audit log's" in str(fault), fault)
        equal(larder.log.read_text(), "127.0.0.1 localhost\n")
        larder.child.stdout.close()
        larder.folder.cleanup()


scene.run()
