#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What testssl.sh, which looks with an auditor's eyes, has to say of the defaults."""

import json
import shutil
import subprocess

import scene
from origin import Origin, answer
from scene import check, equal
from secure import Authority, SecureLarder

GRAVE = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
SECURITY = {"headers": True, "hsts": "365d", "hsts-subdomains": True}
# Where revocation would be told of is for an authority to say, and the scene's own says nothing.
OURS = ("cert_revocation",)


def look(larder, ca, *what):
    report = larder.path / "testssl.json"
    command = ["testssl", "--quiet", "--color", "0", "--nodns", "none", "--ip", "127.0.0.1"]
    command += ["--add-ca", str(ca.file), "--jsonfile", str(report), "--warnings", "off", *what]
    command.append(f"shop.example:{larder.tls_port}")
    done = subprocess.run(command, capture_output=True, timeout=110, stdin=subprocess.DEVNULL)
    check(report.exists(), f"testssl ended with {done.returncode}: {done.stdout[-2000:].decode()}")
    return json.loads(report.read_text())


def test_defaults():
    if not shutil.which("testssl"):
        scene.skip("no testssl")
    reply = answer(b"ok", "Cache-Control: max-age=60")
    with Authority() as ca, Origin(reply) as origin:
        config = {"security": SECURITY}
        pairs = [ca.pair("shop.example"), ca.pair("shop.example", kind="rsa")]
        with SecureLarder(origin, pairs=pairs, config=config) as larder:
            found = look(larder, ca, "-p", "-s", "-S", "-h", "-R", "-C")
            told = {one["id"]: one["finding"] for one in found}
            check("offered" in told["TLS1_3"] and "not" not in told["TLS1_3"], told["TLS1_3"])
            for old in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
                check("not offered" in told[old], f"{old}: {told[old]}")
            grave = [
                f"{one['severity']} {one['id']}: {one['finding']}"
                for one in found
                if one["severity"] in GRAVE and not one["id"].startswith(OURS)
            ]
            equal(grave, [])


scene.run()
