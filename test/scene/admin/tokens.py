#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what on the admin listener: tokens with their scopes and rates, replaced without a
restart; addresses; the unix socket; certificates. And larderctl, which makes the tokens."""

import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess

import scene
from larder import Larder, TOP
from origin import Origin
from scene import case, check, equal, eventually
from secure import Authority
from wire import Wire, head

CTL = os.environ.get("LARDERCTL", str(TOP / "build/larderctl"))
READS = ["/v1/stat", "/v1/store", "/v1/config", "/v1/certs", "/v1/objects", "/v1/purges"]
OPEN = ["/healthz", "/readyz", "/metrics"]


def ctl(address, *words, token=None, **env):
    """larderctl: its exit code, and what it says."""
    env = os.environ | ({"LARDER_TOKEN": token} if token else {}) | env
    command = [CTL, "--admin", address, *map(str, words)]
    done = subprocess.run(command, capture_output=True, timeout=30, env=env)
    return done.returncode, (done.stdout + done.stderr).decode()


def make_token(name, scopes, *more):
    """As an operator does: the token, and the line of the file."""
    command = [CTL, "token", "new", name, "--scope", scopes, *more]
    done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    return done.stdout.decode().strip(), done.stderr.decode()


class Guarded(Larder):
    """`lines`: of the token file; `admin`: more keys of admin."""

    def __init__(self, *origins, lines=(), admin=None, **more):
        super().__init__(*origins, **more)
        self.tokens = self.path / "tokens"
        self.write("".join(lines))
        self.guard(admin or {})

    def guard(self, admin):
        listen = {"listen": f"127.0.0.1:{self.admin_port}", "tokens": str(self.tokens)}
        self.configure({"admin": listen | admin})

    def write(self, text):
        new = self.path / "tokens.new"
        new.write_text(text)
        new.rename(self.tokens)

    def wire(self):
        return Wire(socket.create_connection(("127.0.0.1", self.admin_port)))

    def call(self, method, target, token=None, body=None, *fields):
        fields = [*fields, *([f"Authorization: Bearer {token}"] if token else [])]
        text = json.dumps(body).encode() if body is not None else b""
        if body is not None:
            fields += ["Content-Type: application/json", f"Content-Length: {len(text)}"]
        with self.wire() as wire:
            wire.send(head(f"{method} {target} HTTP/1.1", "Host: admin", "Connection: close", *fields), text)
            return wire.read_answer(method)

    def status(self, *what):
        return self.call(*what).status

    @property
    def address(self):
        return f"127.0.0.1:{self.admin_port}"


def problem(answer, status):
    equal(answer.status, status)
    equal(answer.get("Content-Type"), "application/problem+json")
    told = json.loads(answer.body)
    equal(told["status"], status)
    return told["detail"]


def test_without_tokens_all_is_open():
    with Origin() as origin, Larder(origin) as larder:
        for target in OPEN + READS:
            with case(target):
                equal(larder.admin(target).status, 200)
        equal(ctl(f"127.0.0.1:{larder.admin_port}", "config", "reload")[0], 0)


def test_a_token_is_needed():
    token, line = make_token("ci", "read")
    with Origin() as origin, Guarded(origin, lines=[line]) as larder:
        for target in OPEN:
            with case(target):
                equal(larder.status("GET", target), 200)
        for target in READS:
            with case(target):
                answer = larder.call("GET", target)
                check("token" in problem(answer, 401), "it is not said what is needed")
                equal(answer.get("WWW-Authenticate"), 'Bearer realm="larder"')  # RFC 6750 3
                equal(larder.status("GET", target, token), 200)
                equal(larder.status("HEAD", target, token), 200)
                equal(larder.status("HEAD", target), 401)
        for wrong in [token[:-1], token + "x", "larder_", hashlib.sha256(token.encode()).hexdigest()]:
            answer = larder.call("GET", "/v1/stat", wrong)
            problem(answer, 401)
            check('error="invalid_token"' in answer.get("WWW-Authenticate"), "RFC 6750 3.1")
        for field in [f"Authorization: {token}", f"Authorization: Basic {token}", "Authorization:"]:
            equal(larder.status("GET", "/v1/stat", None, None, field), 401, field)
        equal(larder.status("GET", "/v1/stat", None, None, f"Authorization: bearer  {token}"), 200)
        check(larder.metric("admin_refused_total", why="token") > 10, "not counted")
        check(token not in larder.said(), "the log has a token")


def test_scopes():
    tokens = {scopes: make_token(scopes.replace(":", "-").replace(",", "-"), scopes) for scopes in
              ["read", "purge:select", "purge:all", "purge:select,read", "admin"]}
    select, wide, regex = {"tags": ["a"]}, {"everything": True}, {"regex": "^http://a/x"}
    root = {"prefixes": ["/"]}  # in other words, everything
    rows = [
        ("read", "GET", "/v1/stat", None, 200),
        ("read", "POST", "/v1/purge", select, 403),
        ("read", "POST", "/v1/config/reload", None, 403),
        ("purge:select", "GET", "/v1/stat", None, 403),
        ("purge:select", "POST", "/v1/purge", select, 200),
        ("purge:select", "POST", "/v1/purge", wide, 403),
        ("purge:select", "POST", "/v1/purge", regex, 403),
        ("purge:select", "POST", "/v1/purge", root, 403),
        ("purge:select", "POST", "/v1/purge", {"prefixes": ["a", "/a"]}, 200),
        ("purge:select", "POST", "/v1/certs/reload", None, 403),
        ("purge:all", "POST", "/v1/purge", select, 200),
        ("purge:all", "POST", "/v1/purge", wide, 200),
        ("purge:all", "POST", "/v1/purge", root, 200),
        ("purge:all", "GET", "/v1/purges", None, 403),
        ("purge:select,read", "GET", "/v1/purges", None, 200),
        ("purge:select,read", "POST", "/v1/purge", wide, 403),
        ("admin", "POST", "/v1/purge", wide, 200),
        ("admin", "POST", "/v1/config/reload", None, 200),
        ("admin", "GET", "/v1/config", None, 200),
    ]
    with Origin() as origin, Guarded(origin, lines=[line for _, line in tokens.values()]) as larder:
        for scopes, method, target, body, wanted in rows:
            with case(f"{scopes} {method} {target} {body}"):
                answer = larder.call(method, target, tokens[scopes][0], body)
                equal(answer.status, wanted, answer.body)
                if wanted == 403:
                    needed = "purge:all" if body in (wide, regex, root) and scopes != "read" else (
                        "read" if method == "GET" else "purge:select" if body else "admin")
                    check(f'"{needed}"' in problem(answer, 403), "the scope is not named")
                    check(f'scope="{needed}"' in answer.get("WWW-Authenticate"), "RFC 6750 3.1")
        # What was refused was not done, and what was done is told of whoever did it.
        actors = []
        while (answer := larder.call("GET", f"/v1/purge/{len(actors) + 1}", tokens["admin"][0])).status == 200:
            actors.append(json.loads(answer.body)["actor"])
        equal(actors, ["purge-select", "purge-select", "purge-all", "purge-all", "purge-all", "admin"])


def test_a_file_is_replaced():
    """The old token counts until its line goes; a bad file changes nothing."""
    (old, old_line), (new, new_line) = make_token("ci", "read"), make_token("ci", "read")
    with Origin() as origin, Guarded(origin, lines=[old_line]) as larder:
        equal((larder.status("GET", "/v1/stat", old), larder.status("GET", "/v1/stat", new)), (200, 401))
        larder.write(old_line + new_line)
        eventually(lambda: larder.status("GET", "/v1/stat", new) == 200, "the new one is not known")
        equal(larder.status("GET", "/v1/stat", old), 200)
        larder.write(new_line)
        eventually(lambda: larder.status("GET", "/v1/stat", old) == 401, "the old one is known still")
        larder.write(new_line + "\nci everything 12\n" + old_line)
        larder.wait_for_word(r"what was in force stays: .*tokens:4: .*has no scopes")
        equal((larder.status("GET", "/v1/stat", new), larder.status("GET", "/v1/stat", old)), (200, 401))
        larder.tokens.unlink()
        larder.wait_for_word(r"what was in force stays: .*No such file")
        equal(larder.status("GET", "/v1/stat", new), 200)
        # A reload reads it, too: all of it is good, or nothing changes.
        admin, admin_line = make_token("ops", "admin")
        larder.write(admin_line)
        larder.signal(signal.SIGHUP)
        eventually(lambda: larder.status("GET", "/v1/stat", admin) == 200, "a reload does not read it")
        larder.write("bad\n")
        code, said = ctl(larder.address, "config", "reload", token=admin)
        equal(code, 3, said)
        check("tokens:1: " in said, said)
        equal(larder.status("GET", "/v1/stat", admin), 200)


def test_a_bad_file_at_the_start():
    with Origin() as origin:
        larder = Guarded(origin, lines=["ci read\n"])
        done = subprocess.run(
            [os.environ.get("LARDER", str(TOP / "build/larder")), "check", str(larder.config_file)],
            capture_output=True, timeout=20)
        equal(done.returncode, 3)
        check(b"tokens:1: " in done.stderr, done.stderr)
        larder.folder.cleanup()


def test_rates():
    slow, slow_line = make_token("slow", "purge:select,read", "--rate", "2/s")
    fast, fast_line = make_token("fast", "purge:select")
    order = {"tags": ["a"]}
    with Origin() as origin, Guarded(origin, lines=[slow_line, fast_line]) as larder:
        answers = [larder.call("POST", "/v1/purge", slow, order) for _ in range(4)]
        statuses = [answer.status for answer in answers]
        equal(statuses[:2], [200, 200])
        refused = [answer for answer in answers if answer.status == 429]
        check(refused, f"{statuses}: none of four at once was refused")
        problem(refused[0], 429)
        equal(refused[0].get("Retry-After"), "1")
        equal(larder.status("GET", "/v1/stat", slow), 200, "to look costs nothing")
        equal(larder.status("POST", "/v1/purge", fast, order), 200, "another token's rate is its own")
        eventually(lambda: larder.status("POST", "/v1/purge", slow, order) == 200, "it waits for ever")
        check(larder.metric("admin_refused_total", why="rate") > 0, "not counted")


def test_addresses():
    token, line = make_token("ci", "admin")
    with Origin() as origin, Guarded(origin, lines=[line], admin={"allow": ["192.0.2.0/24"]}) as larder:
        for target in [*OPEN, "/v1/stat"]:
            with case(target):
                problem(larder.call("GET", target, token), 403)
        larder.guard({"allow": ["192.0.2.0/24", "127.0.0.0/8"]})
        larder.signal(signal.SIGHUP)
        eventually(lambda: larder.status("GET", "/v1/stat", token) == 200, "the list was not loaded")
        equal(larder.status("GET", "/healthz"), 200)


def test_unix_socket():
    """Its file's mode has decided; the purger is who the kernel says."""
    with Origin() as origin:
        larder = Guarded(origin, lines=[make_token("ci", "read")[1]])
        path = larder.path / "admin.sock"
        larder.guard({"listen": f"unix:{path}"})
        larder.wire = lambda: Wire(unix(path))
        with larder:
            equal(path.stat().st_mode & 0o777, 0o660)
            equal(larder.status("GET", "/v1/stat"), 200)
            equal(larder.status("POST", "/v1/config/reload"), 200)
            answer = larder.call("POST", "/v1/purge", None, {"everything": True})
            equal(answer.status, 200, answer.body)
            equal(json.loads(answer.body)["actor"], f"unix:uid={os.getuid()}")
            equal(ctl(f"unix:{path}", "stat", "admin_")[0], 0)


def unix(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    return sock


def test_certificates():
    """Over TLS: a client's certificate is needed, and says who he is when no token does."""
    token, line = make_token("ci", "admin")
    with Authority() as ca, Authority("Other") as strange, Origin() as origin:
        cert, key = ca.pair("localhost", "127.0.0.1")
        mine, others = ca.pair("deploy"), strange.pair("deploy")
        larder = Guarded(origin, lines=[line])
        safe = {
            "listen": f"https://127.0.0.1:{larder.admin_port}",
            "cert": cert,
            "key": key,
            "client-ca": str(ca.file),
            "client-scopes": ["purge:select", "read"],
        }
        larder.guard(safe)

        def secure(pair):
            raw = socket.create_connection(("127.0.0.1", larder.admin_port), 20)
            return Wire(ca.context(pair=pair).wrap_socket(raw, server_hostname="127.0.0.1"))

        larder.wire = lambda: secure(mine)
        with larder:
            equal(larder.status("GET", "/v1/stat"), 200)
            answer = larder.call("POST", "/v1/purge", None, {"tags": ["a"]})
            equal((answer.status, json.loads(answer.body)["actor"]), (200, "cert:deploy"))
            problem(larder.call("POST", "/v1/purge", None, {"everything": True}), 403)
            problem(larder.call("POST", "/v1/config/reload"), 403)
            equal(larder.status("POST", "/v1/config/reload", token), 200, "a token's scopes count first")
            equal(larder.status("GET", "/v1/stat", "larder_x"), 401, "a wrong token is no certificate")
            for pair in [None, others]:
                with case(f"a client with {pair}"):
                    larder.wire = lambda: secure(pair)
                    try:
                        answer = larder.call("GET", "/healthz")
                        raise AssertionError(f"it was served: {answer}")
                    except (OSError, EOFError, ssl.SSLError, ConnectionError):
                        pass
            larder.wire = lambda: secure(mine)
            check_ctl(f"https://{larder.address}", ca, mine, others, token)
            # A certificate is renewed without a restart, as the traffic's are.
            before = serial(larder)
            for old, new in zip((cert, key), ca.pair("localhost", "127.0.0.1", to="renewed")):
                os.rename(new, old)
            eventually(lambda: serial(larder) != before, "the old certificate is shown")


def serial(larder):
    with larder.wire() as wire:
        return wire.sock.getpeercert()["serialNumber"]


def check_ctl(address, ca, mine, others, token):
    ours = ["--cacert", ca.file, "--cert", mine[0], "--key", mine[1]]
    for words, env, wanted in [
        ([*ours, "ready"], {}, 0),
        ([*ours, "stat", "admin_"], {}, 0),
        ([*ours, "config", "reload"], {}, 5),
        ([*ours, "config", "reload"], {"token": token}, 0),
        ([*ours, "--token", token, "config", "reload"], {}, 0),
        ([*ours, "--token", "wrong", "stat"], {}, 5),
        (["--cert", mine[0], "--key", mine[1], "stat"], {}, 4),  # who is that?
        (["--cacert", ca.file, "stat"], {}, 4),
        (["--cacert", ca.file, "--cert", others[0], "--key", others[1], "stat"], {}, 4),
        (["--cacert", "/nonexistent", "stat"], {}, 1),
        (["--cacert", ca.file, "--cert", mine[0], "stat"], {}, 2),
    ]:
        with case(f"larderctl {words} {env}"):
            code, said = ctl(address, *words, **env)
            equal(code, wanted, said)


def test_https_without_clients_certificates():
    token, line = make_token("ci", "read")
    with Authority() as ca, Origin() as origin:
        cert, key = ca.pair("localhost")
        larder = Guarded(origin, lines=[line])
        larder.guard({"listen": f"https://127.0.0.1:{larder.admin_port}", "cert": cert, "key": key})
        with larder:
            address = f"https://localhost:{larder.admin_port}"
            ours = ["--cacert", ca.file]
            equal(ctl(address, *ours, "stat", token=token)[0], 0)
            equal(ctl(address, *ours, "stat")[0], 5)
            equal(ctl(f"https://127.0.0.1:{larder.admin_port}", *ours, "stat")[0], 4, "another name")
            equal(ctl(larder.address, "stat")[0] != 0, True, "plain")


def test_settings_that_make_no_sense():
    with Origin() as origin:
        larder = Guarded(origin)
        port = f"127.0.0.1:{larder.admin_port}"
        for admin, said in [
            ({"listen": f"https://{port}"}, "needs a certificate"),
            ({"listen": port, "cert": "/c", "key": "/k"}, "no https:// in front"),
            ({"listen": port, "client-ca": "/c"}, "https:// in front"),
            ({"listen": port, "allow": ["nonsense"]}, "no address or block"),
            ({"listen": port, "client-scopes": ["root"]}, "is no scope"),
            ({"listen": f"http://{port}"}, "not an admin address"),
            ({"listen": port, "token": "x"}, 'did you mean "tokens"'),
        ]:
            with case(f"{admin}"):
                larder.configure({"admin": admin})
                done = subprocess.run(
                    [os.environ.get("LARDER", str(TOP / "build/larder")), "check", str(larder.config_file)],
                    capture_output=True, timeout=20)
                equal(done.returncode, 3)
                check(said in done.stderr.decode(), done.stderr)
        larder.folder.cleanup()


def test_keys_are_their_actors():
    """One Idempotency-Key, several who send it: none sees what another did, or is kept from his own."""
    key = "Idempotency-Key: deploy-1"
    some, more = {"tags": ["a"]}, {"tags": ["b"]}
    (one, line), (other, other_line) = (make_token(name, "purge:select") for name in ("one", "other"))
    renewed, new_line = make_token("one", "purge:select")
    with Origin() as origin, Guarded(origin, lines=[line, other_line, new_line]) as larder:
        for token, what, wanted in [
            (one, some, (200, 1, "one")),
            (other, some, (200, 2, "other")),
            (one, some, (200, 1, "one")),
            (other, some, (200, 2, "other")),
            (other, more, (409, None, None)),
            # Who has a new token is who he was.
            (renewed, some, (200, 1, "one")),
            (renewed, more, (409, None, None)),
        ]:
            with case(f"{wanted}"):
                answer = larder.call("POST", "/v1/purge", token, what, key)
                told = json.loads(answer.body)
                equal((answer.status, told.get("seq"), told.get("actor")), wanted)
        # What one may not do takes no key of another's, and ends none.
        equal(larder.status("POST", "/v1/purge", other, {"everything": True}, key), 403)
        equal(json.loads(larder.call("POST", "/v1/purge", other, some, key).body)["seq"], 2)
        equal(larder.metric("purges_total", mode="soft"), 2)


def test_audit_verify():
    """What larderctl says of a log, whoever wrote it."""
    zeros = "0" * 64

    def lines(*names):
        prev = zeros
        for number, name in enumerate(names, 1):
            line = f'{{"prev":"{prev}","line":{number},"at":"2026-11-21T10:00:00.000Z","who":"{name}"}}'
            prev = hashlib.sha256(line.encode()).hexdigest()
            yield line + "\n"

    with Origin() as origin:
        larder = Guarded(origin)
        file = larder.path / "audit"
        good = list(lines("a", "b", "c"))
        anchor = hashlib.sha256(good[1].strip().encode()).hexdigest()
        for name, text, words, wanted, said in [
            ("whole", good, [], 0, "3 lines"),
            ("with its anchor", good, [anchor], 0, "3 lines"),
            ("cut short", good[:1], [anchor], 1, "cut short"),
            ("changed", [good[0].replace('"a"', '"x"'), *good[1:]], [], 1, "audit:2: "),
            ("removed", [good[0], good[2]], [], 1, "audit:2: "),
            ("torn", [*good[:2], good[2][:40]], [], 1, "audit:3: "),
        ]:
            with case(name):
                file.write_text("".join(text))
                code, told = ctl(larder.address, "audit", "verify", file, *words)
                equal(code, wanted, told)
                check(said in told, told)
                code, told = ctl(larder.address, "-o", "json", "audit", "verify", file, *words)
                equal((code, json.loads(told)["ok"]), (wanted, wanted == 0))
        equal(ctl(larder.address, "audit", "verify", "/nonexistent")[0], 1)
        equal(ctl(larder.address, "audit", "verify")[0], 2)
        larder.folder.cleanup()


def test_token_new():
    token, line = make_token("ci", "purge:select,read", "--rate", "5/s")
    check(token.startswith("larder_") and len(token) == 7 + 43, token)
    last = line.splitlines()[-1]
    equal(last, f"ci purge:select,read {hashlib.sha256(token.encode()).hexdigest()} 5/s")
    check(token != make_token("ci", "read")[0], "twice the same")
    for words in [["ci"], ["--scope", "read"], ["ci", "--scope", "all"], ["c:i", "--scope", "read"],
                  ["ci", "--scope", "read", "--rate", "5"]]:
        with case(f"{words}"):
            equal(ctl("", "token", "new", *words)[0], 2)


scene.run()
