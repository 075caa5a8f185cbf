#!/usr/bin/env -S PYTHONPATH=test/scene/lib python3
# SPDX-License-Identifier: Apache-2.0
"""Where a lifetime comes from and which word counts first (RFC 9111 4.2.1), and how old an answer
is (4.2.3). The `ttl` of Cache-Status is lifetime less age."""

import time

import scene
from caching import asked, date, is_hit, lasting, status
from larder import Larder
from origin import Origin, answer
from scene import case, check, equal

HOUR, DAY = 3600, 86400
CDN, OWN = "CDN-Cache-Control", "Larder-CDN-Cache-Control"

# name: status, field lines, the ttl right after it was stored
LIFETIMES = {
    # RFC 9111 4.2.1, RFC 9111 5.2.2.10, RFC 9111 5.2.2.1, RFC 9111 5.3: targeted field, s-maxage, max-age, Expires - Date
    "max-age": (200, ["Cache-Control: max-age=100"], 100),
    "s-maxage before max-age": (200, ["Cache-Control: max-age=100, s-maxage=200"], 200),
    "s-maxage behind, and shorter": (
        200,
        ["Cache-Control: s-maxage=50", "Cache-Control: max-age=100"],
        50,
    ),
    "max-age before Expires": (200, ["Cache-Control: max-age=100", f"Expires: {date(HOUR)}"], 100),
    "max-age before an Expires past": (
        200,
        ["Cache-Control: max-age=100", f"Expires: {date(-HOUR)}"],
        100,
    ),
    "s-maxage before all": (
        200,
        ["Cache-Control: max-age=0, s-maxage=70", f"Expires: {date(-HOUR)}"],
        70,
    ),
    "Expires": (200, [f"Expires: {date(HOUR)}"], HOUR),
    "Expires counts from Date": (200, [f"Expires: {date(HOUR)}", f"Date: {date(-HOUR)}"], HOUR),
    "Expires before heuristics": (
        200,
        [f"Expires: {date(HOUR)}", f"Last-Modified: {date(-DAY)}"],
        HOUR,
    ),
    "targeted before s-maxage": (200, [f"{CDN}: max-age=300", "Cache-Control: s-maxage=100"], 300),
    "targeted, shorter": (
        200,
        [f"{CDN}: max-age=30", "Cache-Control: s-maxage=100, max-age=50"],
        30,
    ),
    "the first targeted field": (200, [f"{CDN}: max-age=300", f"{OWN}: max-age=400"], 400),
    # RFC 9111 4.2.2: a tenth of the time since it was modified, a day at most
    "heuristic": (200, [f"Last-Modified: {date(-10 * HOUR)}"], HOUR),
    "heuristic counts from Date": (
        200,
        [f"Last-Modified: {date(-21 * HOUR)}", f"Date: {date(-HOUR)}"],
        HOUR,
    ),
    "heuristic, capped": (200, [f"Last-Modified: {date(-100 * DAY)}"], DAY),
    "heuristic beside other directives": (
        200,
        ["Cache-Control: public", f"Last-Modified: {date(-10 * HOUR)}"],
        HOUR,
    ),
    "heuristic of a future": (200, [f"Last-Modified: {date(HOUR)}"], 0),
    # RFC 9111 4.2.1: what is invalid makes it stale, what is said twice counts in its shorter form
    "max-age twice": (200, ["Cache-Control: max-age=100, max-age=10"], 10),
    "max-age that is no number": (200, ["Cache-Control: max-age=1h", f"Expires: {date(HOUR)}"], 0),
    "max-age, quoted": (200, ['Cache-Control: max-age="100"'], 100),
    "max-age within an extension": (200, ['Cache-Control: x="max-age=100", max-age=10'], 10),
    "Max-Age": (200, ["Cache-Control: Max-Age=100"], 100),
    "Expires: 0": (200, ["Expires: 0", f"Last-Modified: {date(-DAY)}"], 0),
    "Expires twice": (200, [f"Expires: {date(HOUR)}", f"Expires: {date(HOUR)}"], 0),
    # RFC 9110 5.6.7: the obsolete forms of a date are read, too
    "Expires in RFC 850 form": (
        200,
        ["Expires: " + time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(time.time() + HOUR))],
        HOUR,
    ),
    "Expires as asctime": (
        200,
        ["Expires: " + time.asctime(time.gmtime(time.time() + HOUR))],
        HOUR,
    ),
    # RFC 9111 1.2.2: what no clock reaches counts as 2^31
    "max-age of 2^31 and more": (200, ["Cache-Control: max-age=99999999999999999999"], 2**31),
    "max-age of 2^31": (200, ["Cache-Control: max-age=2147483648"], 2**31),
    # RFC 9111 4.2.3: Age and Date both count, the larger one
    "Age": (200, ["Cache-Control: max-age=100", "Age: 30"], 70),
    "Date": (200, ["Cache-Control: max-age=100", f"Date: {date(-40)}"], 60),
    "Age over Date": (200, ["Cache-Control: max-age=100", f"Date: {date(-20)}", "Age: 30"], 70),
    "Date over Age": (200, ["Cache-Control: max-age=100", f"Date: {date(-50)}", "Age: 30"], 50),
    "Date in the future": (200, ["Cache-Control: max-age=100", f"Date: {date(HOUR)}"], 100),
    "Date that is none": (200, [f"Expires: {date(HOUR)}", "Date: yesterday"], HOUR),
    "Age that is no number": (200, ["Cache-Control: max-age=100", "Age: x"], 0),
    "Age twice": (200, ["Cache-Control: max-age=100", "Age: 0", "Age: 0"], 0),
    "Age, huge": (200, ["Cache-Control: max-age=100", "Age: 99999999999999999999"], 100 - 2**31),
    # what the house grants: negative caching by status
    "404": (404, [], 10),
    "410": (410, [], 10),
    "404 with a lifetime": (404, ["Cache-Control: max-age=100"], 100),
    "404 before heuristics": (404, [f"Last-Modified: {date(-10 * DAY)}"], 10),
    "404, no lifetime": (404, ["Cache-Control: max-age=0"], 0),
}


BEGIN = time.time()  # the dates above were made about then


def near(told, ttl, since):
    """Dates have no parts of a second, and the clock goes on."""
    late = time.time() - since
    check(ttl - 2 - late <= told <= ttl + 1 + late, f"ttl {told}, not {ttl}")


def test_lifetimes():
    """Each lifetime as it is told, and whether the next request believes it."""

    def reply(request, _):
        code, fields, _ = list(LIFETIMES.values())[int(request.target[1:])]
        return answer(b"ok", *fields, 'ETag: "x"', status=f"{code} Some")

    with Origin(reply) as origin, Larder(origin) as larder:
        for number, (name, (code, _, ttl)) in enumerate(LIFETIMES.items()):
            with case(name):
                first = larder.get(f"/{number}")
                equal(first.status, code)
                told = status(first)["ttl"]
                near(told, ttl, BEGIN)
                if ttl <= 0:
                    check(told <= 0, f"ttl {told}")
                larder.get(f"/{number}")
                equal(len(asked(origin, f"/{number}")), 1 if ttl > 0 else 2, "asked")


def test_settings():
    """What the operator grants where the origin is silent."""
    table = {
        "default-ttl": ({"default-ttl": "5m"}, [], 300),
        "default-ttl behind heuristics": (
            {"default-ttl": "5m"},
            [f"Last-Modified: {date(-HOUR)}"],
            360,
        ),
        "default-ttl behind max-age": ({"default-ttl": "5m"}, ["Cache-Control: max-age=7"], 7),
        "heuristic-factor": ({"heuristic-factor": 0.5}, [f"Last-Modified: {date(-HOUR)}"], 1800),
        "no heuristics": (
            {"heuristic-factor": 0, "default-ttl": "5m"},
            [f"Last-Modified: {date(-HOUR)}"],
            300,
        ),
        "heuristic-max": ({"heuristic-max": "1m"}, [f"Last-Modified: {date(-HOUR)}"], 60),
        "ttl-by-status": ({"ttl-by-status": {"200": "30s"}}, [], 30),
        "ttl-by-status behind Expires": (
            {"ttl-by-status": {"200": "30s"}},
            [f"Expires: {date(90)}"],
            90,
        ),
    }
    begin = time.time()
    for name, (settings, fields, ttl) in table.items():
        with case(name), Origin(answer(b"ok", *fields)) as origin:
            with Larder(origin, config={"cache": settings}) as larder:
                near(status(larder.get("/"))["ttl"], ttl, begin)
                check(is_hit(larder.get("/")), "no hit")


def test_negative_caching():
    """By status, as configured: neither more statuses nor fewer."""
    config = {"cache": {"ttl-by-status": {"404": "20s", "503": "5s"}}}

    def reply(request, _):
        return answer(b"ok", status=f"{request.target[1:4]} Some")

    with Origin(reply) as origin, Larder(origin, config=config) as larder:
        for code, ttl in ((404, 20), (503, 5), (410, None), (500, None)):
            with case(str(code)):
                first, second = larder.get(f"/{code}"), larder.get(f"/{code}")
                equal((first.status, second.status), (code, code))
                equal(is_hit(second), ttl is not None)
                if ttl:
                    check(ttl - 1 <= status(second)["ttl"] <= ttl, f"{status(second)}")


def test_a_second_is_a_second():
    """Fresh for as long as it says, though Date has no parts of a second; then not any more."""
    count = iter((b"1", b"2"))
    with Origin(lambda *_: lasting("max-age=1", next(count), f"Date: {date()}")) as origin, Larder(
        origin
    ) as larder:
        equal(larder.get("/").body, b"1")
        equal(larder.get("/").body, b"1", "at once")
        time.sleep(1.1)
        equal(larder.get("/").body, b"2", "when it is over")


scene.run()
