#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of the store: larderctl object get, list, top and export, and stat store,
against objects in RAM, on disk, in both, before and after a restart."""

import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from urllib.parse import quote

import scene
from caching import bytes_of, lasting, restart, start_again, wait_until_written, with_store
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal, eventually
from wire import head

LARDERCTL = os.environ.get("LARDERCTL") or str(Path(__file__).parents[3] / "build/larderctl")
MIB = 1024 * 1024
LARGE = bytes_of("large", 20 * MIB)


def page(request, _):
    path = request.target.split("?")[0]
    if request.method != "GET":
        return answer(b"")
    if path == "/vary":
        value = (request.get("Foo") or "none").encode()
        return lasting("max-age=900", value, "Vary: Foo, Accept-Language", 'ETag: "x"')
    if path == "/large":
        return lasting("max-age=900", LARGE, "X-Own: a")
    if path == "/stale":
        return lasting("max-age=10, stale-while-revalidate=900", b"old", "Age: 20")
    if path == "/private":
        return lasting("private", b"mine")
    if path == "/404":
        return lasting("max-age=900", b"none", status="404 Not Found")
    return lasting("max-age=900", b"at " + request.target.encode())


def run(larder, *args):
    """larderctl: its exit code, what it says on stdout, and on stderr."""
    address = f"127.0.0.1:{larder.admin_port}"
    done = subprocess.run(
        [LARDERCTL, "--admin", address, *args], capture_output=True, timeout=20, check=False
    )
    return done.returncode, done.stdout, done.stderr.decode()


def ask(larder, *args):
    """larderctl -o json, which must succeed."""
    code, out, errors = run(larder, "-o", "json", *args)
    equal(code, 0, errors)
    return json.loads(out)


def same(got, wanted, about=""):
    """As equal, for long lists: says what is missing and what is too much."""
    got, wanted = sorted(got), sorted(wanted)
    if got != wanted:
        left, over = list(wanted), []
        for one in got:
            left.remove(one) if one in left else over.append(one)
        raise AssertionError(f"{about}: {len(left)} missing {left[:3]}, {len(over)} over {over[:3]}")


def url(target, host="a"):
    return f"http://{host}{target}"


def objects_at(larder, target, *args):
    return ask(larder, "object", "get", url(target), *args)["objects"]


def the_object(larder, target, *args):
    found = objects_at(larder, target, *args)
    equal(len(found), 1, f"objects at {target}")
    return found[0]


def small_store(origin, **settings):
    return with_store(origin, **({"max-object-size": "32m", "size": "1g"} | settings))


# ---- get ----


def test_get():
    """Where it is, what it is, how long it counts: in RAM alone, on disk too, on disk alone."""
    with Origin(page) as origin, small_store(origin) as larder:
        larder.get("/x")
        larder.get("/x")
        larder.get("/404")
        wait_until_written(larder, 2)
        got = the_object(larder, "/x")
        equal(got["tiers"], ["hot", "cold"])
        equal((got["kind"], got["status"], got["state"]), ("answer", 200, "fresh"))
        equal((got["body_bytes"], got["is_complete"], got["hits"]), (5, True, 1))
        check(got["born"] < got["fresh_until"] <= got["keep_until"], f"times {got}")
        check(int(got["disk_place"], 16) > 0, "its place on disk")
        equal(the_object(larder, "/404")["status"], 404)
        restart(larder)
        after = the_object(larder, "/x")
        equal(after["tiers"], ["cold"])
        for name in ("url", "status", "born", "fresh_until", "keep_until", "body_bytes", "seq"):
            equal(after[name], got[name], name)
        code, text, _ = run(larder, "object", "get", url("/x"))
        text = text.decode()
        equal(code, 0)
        for word in (url("/x"), "disk", "200, fresh", "5 B", "fresh until", "from chunk"):
            check(word in text, f"no {word!r} in {text}")
        equal(larder.metric("store_reads_total", result="found"), 0, "it was read for a look")


def test_get_of_a_normal_url():
    """The URL is made the key as a request's is."""
    with Origin(page) as origin, small_store(origin) as larder:
        larder.get("/a%7eb/../c?y=1&x=2")
        equal(objects_at(larder, "/a~b/../c?y=1&x=2")[0]["url"], url("/c?y=1&x=2"))
        equal(the_object(larder, "/c?y=1&x=2#part")["body_bytes"], len("at /c?y=1&x=2"))


def test_get_variants():
    """All of them by their marker, in RAM and after a restart; a header selects."""
    with Origin(page) as origin, small_store(origin) as larder:
        larder.get("/vary", "Foo: a")
        larder.get("/vary", "Foo: b", "Accept-Language: de, en;q=0.5")
        wait_until_written(larder, 3)
        for when in ("at once", "after a restart"):
            with case(when):
                found = objects_at(larder, "/vary")
                kinds = sorted(one["kind"] for one in found)
                equal(kinds, ["answer", "answer", "vary"])
                marker = next(one for one in found if one["kind"] == "vary")
                equal((marker["vary"], marker["variants"]), ("accept-language,foo", 2))
                values = [one["values"] for one in found if one["kind"] == "answer"]
                check({"accept-language": None, "foo": "a"} in values, f"{values}")
                got = the_object(
                    larder, "/vary", "-H", "Foo: b", "-H", "accept-language: en;q=0.5,DE"
                )
                equal(got["values"]["foo"], "b")
                code, _, errors = run(larder, "object", "get", url("/vary"), "-H", "Foo: c")
                equal((code, "nothing is stored" in errors), (1, True))
            restart(larder)
        larder.get("/vary", "Foo: a")
        tiers = {(one["values"] or {}).get("foo"): one["tiers"]
                 for one in objects_at(larder, "/vary") if one["kind"] == "answer"}  # fmt: skip
        equal(tiers, {"a": ["hot", "cold"], "b": ["cold"]}, "one of two in RAM")


def test_get_states():
    """Stale, uncacheable, invalidated: as a request would find it."""
    with Origin(page) as origin, small_store(origin) as larder:
        for target in ("/stale", "/private", "/written"):
            larder.get(target)
        equal(the_object(larder, "/stale")["state"], "stale-while-revalidate")
        got = the_object(larder, "/private")
        equal((got["kind"], got["reason"], got["tiers"]), ("uncacheable", "private", ["hot"]))
        check(not the_object(larder, "/written")["is_overtaken"], "before the write")
        larder.ask("PUT /written HTTP/1.1", "Host: a", "Content-Length: 0")
        eventually(
            lambda: run(larder, "object", "get", url("/written"))[0] == 1, "invalidated, not gone"
        )


def test_get_errors():
    with Origin(page) as origin, small_store(origin) as larder:
        table = {
            ("object", "get", url("/none")): (1, "nothing is stored"),
            ("object", "get", "/x"): (2, "whole URL"),
            ("object", "get", "ftp://a/x"): (2, "whole URL"),
            ("object", "get", "http:///x"): (2, "whole URL"),
            ("object", "get"): (2, "one URL"),
            ("object", "get", url("/x"), url("/y")): (2, "one URL"),
            ("object", "get", url("/x"), "-H", "no field"): (2, "must be a field"),
            ("object", "get", url("/x"), "--tier", "hot"): (2, "takes no --tier"),
            ("object", "list", "--tier", "warm"): (2, "hot or cold"),
            ("object", "list", "--limit", "0"): (2, "--limit 0"),
            ("object", "list", "word"): (2, "takes no `word`"),
            ("object", "top", "--limit", "1001"): (2, "from 1 to 1000"),
            ("object", "lsit"): (2, "did you mean `object list`"),
            ("object", "export", url("/none")): (1, "nothing is stored"),
            ("cert", "list", "--body"): (2, "takes no --body"),
        }
        for args, (code, words) in table.items():
            with case(" ".join(args)):
                got, _, errors = run(larder, *args)
                equal(got, code, errors)
                check(words in errors, errors)
        for target in (
            "/v1/objects?cursor=x",
            "/v1/objects?cursor=h" + "-" * 32,
            "/v1/objects?limit=1001",
            "/v1/objects?limit=x",
            "/v1/object",
            "/v1/object?url=%zz",
            "/v1/object/export?url=http://a/&header=",
        ):
            with case(target):
                equal(larder.admin(target).status, 400)
        # a cursor from anywhere is no harm
        for cursor in ("h" + "f" * 32, "c" + "f" * 32, "h" + "0" * 24 + "ffffffff"):
            with case(cursor):
                got = json.loads(larder.admin("/v1/objects?cursor=" + cursor).body)
                equal((got["objects"], got["cursor"]), ([], None))
        nowhere = subprocess.run(
            [LARDERCTL, "--admin", "127.0.0.1:1", "object", "list"], capture_output=True, check=False
        )
        equal(nowhere.returncode, 4)


# ---- list and top ----


def fill(larder, count):
    """So many small objects, a third of them of another host; returns their URLs."""
    urls = []
    with larder.connect() as wire:
        for number in range(count):
            host = "b.example" if number % 3 == 0 else "a"
            target = f"/{'img' if number % 2 else 'txt'}/{number}"
            wire.send(head(f"GET {target} HTTP/1.1", f"Host: {host}"))
            wire.read_answer()
            urls.append(url(target, host))
    wait_until_written(larder, count, seconds=20)
    return urls


def pages(larder, query, limit):
    """All pages by hand. Returns the objects, and how many pages there were."""
    objects, cursor, count = [], "", 0
    while cursor is not None:
        got = larder.admin(f"/v1/objects?limit={limit}&{query}&cursor={cursor}")
        equal(got.status, 200)
        page_now = json.loads(got.body)
        check(len(page_now["objects"]) <= limit + 10, "a page is too long")
        objects += page_now["objects"]
        cursor, count = page_now["cursor"], count + 1
    return objects, count


def check_list(larder, urls):
    """Every object once, whatever the page's size; and the filters."""
    wanted = sorted(urls)
    for limit in (7, 100, 1000):
        with case(f"pages of {limit}"):
            got, count = pages(larder, "", limit)
            same((one["url"] for one in got), wanted)
            check(count >= len(urls) / limit, f"{count} pages")
    table = {
        ("--host", "b.example"): lambda u: u.startswith("http://b.example/"),
        ("--host", "b.exam"): lambda u: False,
        ("--prefix", "/img/"): lambda u: "/img/" in u,
        ("--prefix", "http://a/txt/1"): lambda u: u.startswith("http://a/txt/1"),
        ("--host", "B.Example", "--prefix", "/txt/"): lambda u: u.startswith("http://b.example/txt/"),
    }
    for args, fits in table.items():
        with case(" ".join(args)):
            got = ask(larder, "object", "list", "--limit", "5000", *args)
            same((one["url"] for one in got["objects"]), filter(fits, wanted))
            equal(got["has_more"], False)


def test_list():
    """Over a thousand objects: in both tiers, then on disk alone, then half of them in both."""
    with Origin(page) as origin, small_store(origin) as larder:
        urls = fill(larder, 1200)
        check_list(larder, urls)
        both, _ = pages(larder, "tier=hot", 1000)
        equal({tuple(one["tiers"]) for one in both}, {("hot", "cold")})
        restart(larder)
        check_list(larder, urls)
        equal(pages(larder, "tier=hot", 100)[0], [])
        for one in urls[:600]:
            host, target = one.removeprefix("http://").split("/", 1)
            larder.ask(f"GET /{target} HTTP/1.1", f"Host: {host}")
        check_list(larder, urls)
        equal(len(pages(larder, "tier=hot", 100)[0]), 600)
        equal(len(pages(larder, "tier=cold", 100)[0]), 1200)
        code, out, errors = run(larder, "object", "list", "--limit", "30")
        lines = out.decode().splitlines()
        equal((code, len(lines), lines[0].split()), (0, 31, "HITS SIZE AGE STATUS WHERE STATE URL".split()))
        check("more than 30" in errors, errors)


def test_list_in_ram():
    """Without a disk."""
    with Origin(page) as origin, Larder(origin) as larder:
        for number in range(50):
            larder.get(f"/{number}")
        got = ask(larder, "object", "list")["objects"]
        same((one["url"] for one in got), (url(f"/{n}") for n in range(50)))
        equal({tuple(one["tiers"]) for one in got}, {("hot",)})
        equal(the_object(larder, "/7")["tiers"], ["hot"])
        code, out, _ = run(larder, "stat", "store")
        check(code == 0 and b"none: no path is set" in out, f"{out}")


def test_top():
    with Origin(page) as origin, small_store(origin) as larder:
        for number in range(60):
            for _ in range(number + 1 if number < 5 else 1):
                larder.get(f"/{number}")
        for _ in range(2):  # looking is no hit
            got = ask(larder, "object", "top", "--limit", "4")["objects"]
            equal([(one["url"], one["hits"]) for one in got],
                  [(url(f"/{n}"), n) for n in (4, 3, 2, 1)])  # fmt: skip
            ask(larder, "object", "get", url("/3"))
            run(larder, "object", "export", url("/3"))
        equal(len(ask(larder, "object", "top")["objects"]), 20, "without --limit")


# ---- export ----


def split(message):
    start, _, body = message.partition(b"\r\n\r\n")
    return start.decode().split("\r\n"), body


def test_export():
    """As a message, and the body alone; from RAM, and from disk; a variant; a large one."""
    with Origin(page) as origin, small_store(origin) as larder:
        larder.get("/x")
        larder.get("/vary", "Foo: a")
        larder.get("/large")
        wait_until_written(larder, 3)
        for when in ("from RAM", "from disk"):
            with case(when):
                code, out, _ = run(larder, "object", "export", url("/x"))
                lines, body = split(out)
                equal((code, lines[0], body), (0, "HTTP/1.1 200 OK", b"at /x"))
                check({"Cache-Control: max-age=900", "Content-Length: 5"} <= set(lines), f"{lines}")
                equal(run(larder, "object", "export", url("/x"), "--body")[1], b"at /x")
                got = run(larder, "object", "export", url("/vary"), "-H", "Foo: a", "--body")
                equal(got[:2], (0, b"a"))
                code, out, errors = run(larder, "object", "export", url("/vary"), "-H", "Foo: z")
                equal((code, out, "no stored variant" in errors), (1, b"", True))
                file = larder.path / "large"
                code, out, errors = run(
                    larder, "object", "export", url("/large"), "--body", "-o", str(file)
                )
                equal((code, out), (0, b""), errors)
                check(file.read_bytes() == LARGE, "other bytes")
                lines, body = split(run(larder, "object", "export", url("/large"), "-o", "-")[1])
                check("X-Own: a" in lines and body == LARGE, f"{lines}")
            restart(larder)
        equal(the_object(larder, "/large")["tiers"], ["cold"], "an export brings nothing to RAM")
        # a HEAD has the length, and no body
        with socket.create_connection(("127.0.0.1", larder.admin_port)) as sock:
            target = "/v1/object/export?body=1&url=" + quote(url("/large"), safe="")
            sock.sendall(head(f"HEAD {target} HTTP/1.1", "Host: x", "Connection: close"))
            got = b"".join(iter(lambda: sock.recv(65536), b""))
        check(f"Content-Length: {len(LARGE)}\r\n".encode() in got, f"{got}")
        check(got.endswith(b"\r\n\r\n"), "a HEAD with a body")


def test_large_on_disk_only():
    """What RAM does not take is shown as whole as the rest, and an export of it needs no RAM, also
    when its client does not take it."""
    with Origin(page) as origin, small_store(origin, **{"hot-size": "16m"}) as larder:
        check(larder.get("/large").body == LARGE, "other bytes")
        wait_until_written(larder, 1)
        for when in ("at once", "after a restart"):
            with case(when):
                got = the_object(larder, "/large")
                equal((got["body_bytes"], got["is_complete"]), (len(LARGE), True))
                check("cold" in got["tiers"], f"{got}")
                before = larder.memory("VmHWM")
                with socket.create_connection(("127.0.0.1", larder.admin_port)) as slow:
                    target = "/v1/object/export?url=" + quote(url("/large"), safe="")
                    slow.sendall(head(f"GET {target} HTTP/1.1", "Host: x"))
                    check(slow.recv(100).startswith(b"HTTP/1.1 200"), "no answer")
                    out = run(larder, "object", "export", url("/large"), "--body")[1]
                check(out == LARGE, "other bytes")
                larder.check_growth(before, 8 * MIB)
            restart(larder)


def test_export_that_is_cut():
    """What did not come whole is no file."""
    door = socket.create_server(("127.0.0.1", 0))

    def serve():
        sock, _ = door.accept()
        with sock:
            sock.recv(65536)
            sock.sendall(head("HTTP/1.1 200 OK", "Content-Length: 1000") + b"x" * 999)

    threading.Thread(target=serve, daemon=True).start()
    file = Path(f"/tmp/larder-scene-cut-{os.getpid()}")
    address = "127.0.0.1:%d" % door.getsockname()[1]
    done = subprocess.run(
        [LARDERCTL, "--admin", address, "object", "export", url("/x"), "-o", str(file)],
        capture_output=True,
        check=False,
    )
    equal((done.returncode, file.exists()), (1, False), done.stderr.decode())
    check(b"1 bytes are missing" in done.stderr, done.stderr.decode())


# ---- those who go away ----

ERRANDS = (
    "/v1/objects?limit=1000",
    "/v1/objects?tier=cold&prefix=/none",
    "/v1/objects/top?limit=1000",
    "/v1/object?url=http://a/vary",
    "/v1/object/export?url=http://a/large",
    "/v1/object/export?url=http://a/1",
)


def send_errands(larder, read=0):
    """Asks for all of that, and does not wait for the end of it."""
    socks = []
    for target in ERRANDS:
        sock = socket.create_connection(("127.0.0.1", larder.admin_port))
        sock.sendall(head(f"GET {target} HTTP/1.1", "Host: x"))
        socks.append(sock)
    for sock in socks:
        if read:
            sock.recv(read)
    return socks


def test_clients_that_go_away():
    """Before the disk has answered, and in the middle of the answer."""
    with Origin(page) as origin, small_store(origin) as larder:
        for target in ("/1", "/2", "/large"):
            larder.get(target)
        larder.get("/vary", "Foo: a")
        wait_until_written(larder, 5)
        restart(larder)
        for turn in range(20):
            for sock in send_errands(larder, read=100 if turn % 2 else 0):
                sock.close()
        equal(larder.admin("/healthz").status, 200)
        equal(len(ask(larder, "object", "list")["objects"]), 5)


def test_stop_while_they_wait():
    """Larder ends while the disk is asked: nothing is left of it. (It is a sanitizer that sees the
    difference.)"""
    with Origin(page) as origin, small_store(origin) as larder:
        for target in ("/1", "/large"):
            larder.get(target)
        wait_until_written(larder, 2)
        for read in (0, 100):
            restart(larder)
            socks = send_errands(larder, read)
            larder.signal(signal.SIGTERM)
            equal(larder.wait(), 0)
            for sock in socks:
                sock.close()
            start_again(larder)


# ---- stat store and the metrics ----


def test_stat_store():
    with Origin(page) as origin, small_store(origin, admission="second-sighting") as larder:
        for target in ("/1", "/2", "/2"):
            larder.get(target)
        larder.get("/2", "Cache-Control: no-cache")
        wait_until_written(larder, 1)
        equal(
            {
                (verdict, rule): larder.metric("store_admissions_total", verdict=verdict, rule=rule)
                for verdict, rule in (
                    ("refused", "second-sighting"),
                    ("admitted", "second-sighting"),
                    ("admitted", "always"),
                )
            },
            {
                ("refused", "second-sighting"): 2,
                ("admitted", "second-sighting"): 1,
                ("admitted", "always"): 0,
            },
        )
        restart(larder)
        larder.get("/2")
        eventually(lambda: larder.metric("cache_objects", tier="cold") >= 1, "objects on disk")
        check(larder.metric("store_read_seconds_count") >= 1, "reads are not timed")
        equal(larder.metric("cache_budget_bytes", tier="cold"), 1024 * MIB)
        equal(larder.metric("store_queue_reads"), 0)
        check(larder.metric("store_memory_bytes", what="block-cache") > 0, "block cache")
        got = ask(larder, "stat", "store")
        equal((got["store"]["state"], got["store"]["why"]), ("ok", None))
        equal(got["store"]["size_bytes"], 1024 * MIB)
        code, out, errors = run(larder, "stat", "store")
        text = out.decode()
        equal(code, 0, errors)
        for words in (
            "ok: reads and writes",
            "of 1 GiB",
            "100.0 % from disk",
            "second-sighting: ",
            "p50 ",
            "[---",
        ):
            check(words in text, f"no {words!r} in\n{text}")


def test_stat_store_that_is_off():
    """Why there is no disk."""
    with Origin(page) as origin, with_store(origin, path="/proc/larder") as larder:
        got = ask(larder, "stat", "store")["store"]
        equal(got["state"], "off")
        equal((got["why"], got["path"]), ("missing", "/proc/larder"))
        code, out, _ = run(larder, "stat", "store")
        check(code == 0 and b"because missing" in out, f"{out}")


def test_written_bytes():
    """What was given to the database to be written, and how long that took."""
    with Origin(page) as origin, small_store(origin) as larder:
        larder.get("/large")
        wait_until_written(larder, 1)
        given = larder.metric("store_given_bytes_total", what="bodies")
        check(len(LARGE) <= given <= 1.01 * len(LARGE), f"{given} bytes given")
        check(larder.metric("store_given_bytes_total", what="records") > 0, "records")
        check(larder.metric("store_write_seconds_count") >= 2, "writes are not timed")
        equal(larder.metric("store_admissions_total", verdict="admitted", rule="always"), 1)


scene.run()
