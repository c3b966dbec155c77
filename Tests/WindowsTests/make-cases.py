#!/usr/bin/env python3
"""Writes cases.json beside itself: what windows open when, computed with Python's zoneinfo and not with our code.

Each case has a window in the words of the command line, the same window as Python values, and an instant; expected are
the next openings. Written again whenever a case is added: Tests/WindowsTests/make-cases.py
"""
import calendar
import datetime as dt
import json
import pathlib
import random
import zoneinfo

UTC = dt.timezone.utc
MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
CASES = []


def instant(text):
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def show(value):
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_utc(local, zone):
    """The first instant at which clocks show this, or the one at which they were set forward over it."""
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == local:
        return early, False
    # In a gap fold=0 gives an instant after it and fold=1 one before; between them lies the change.
    low = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    high = early
    assert low < high
    before = low.astimezone(zone).utcoffset()
    while high - low > dt.timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high, True


def length(text):
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    total, number = 0, ""
    for character in text:
        if character.isdigit():
            number += character
        else:
            total += int(number) * units[character]
            number = ""
    return dt.timedelta(seconds=total)


def nth(count, weekday):
    return lambda day: day.weekday() == weekday and (day.day - 1) // 7 + 1 == count


def last(weekday):
    return lambda day: day.weekday() == weekday and (day + dt.timedelta(days=7)).month != day.month


def on(*weekdays):
    return lambda day: day.weekday() in weekdays


def dates(*days):
    return lambda day: day.day in days


def last_day(day):
    return day.day == calendar.monthrange(day.year, day.month)[1]


def within(months, rule):
    return lambda day: day.month in months and rule(day)


def every(day):
    return True


def openings(zone, rules, fixed, freezes, at, count=3):
    """The next `count` openings that end after `at`, as (from, until, shifted)."""
    spans = []
    start = at.astimezone(zone).date() - dt.timedelta(days=12)
    for number in range(17 * 366):
        day = start + dt.timedelta(days=number)
        for rule, time, duration in rules:
            if rule(day):
                begin, shifted = to_utc(dt.datetime.combine(day, dt.time.fromisoformat(time)), zone)
                spans.append([begin, begin + length(duration), shifted])
        if len([span for span in spans if span[1] > at]) > count * max(1, len(rules)) + 6:
            break
    spans += [[begin, until, False] for begin, until in fixed]
    spans = sorted(span for span in spans if span[1] > at)
    merged = []
    for span in spans:
        if merged and span[0] <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], span[1])
        else:
            merged.append(list(span))
    pieces = []
    for begin, until, shifted in merged:
        cursor = begin
        for cold, warm in sorted(freezes):
            if warm <= cursor or cold >= until:
                continue
            if cold > cursor:
                pieces.append((cursor, cold, shifted and cursor == begin))
            cursor = max(cursor, warm)
        if cursor < until:
            pieces.append((cursor, until, shifted and cursor == begin))
    return [piece for piece in pieces if piece[1] > at][:count]


def case(name, zone, text, at, *rules, fixed=(), freezes=()):
    """`rules`: (selects, time, duration); `fixed` and `freezes`: pairs of local times, or of UTC with a Z."""
    data = zoneinfo.ZoneInfo(zone)

    def moment(value):
        return instant(value) if value.endswith("Z") else to_utc(dt.datetime.fromisoformat(value), data)[0]

    found = openings(
        data, rules, [(moment(a), moment(b)) for a, b in fixed], [(moment(a), moment(b)) for a, b in freezes],
        instant(at))
    CASES.append({
        "name": name, "window": f"{text} in {zone}" if " freeze " not in text else text.replace(
            " freeze ", f" in {zone} freeze ", 1), "at": at,
        "openings": [{"from": show(a), "until": show(b), "shifted": shifted} for a, b, shifted in found],
    })


BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"

# -- Europe/Berlin: forward 2026-03-29 02:00 -> 03:00, back 2026-10-25 03:00 -> 02:00
case("a plain evening", BERLIN, "tue,thu 22:00 for 4h", "2026-06-01T12:00:00Z", (on(TUE, THU), "22:00", "4h"))
case("inside an opening", BERLIN, "tue 22:00 for 4h", "2026-06-02T21:00:00Z", (on(TUE), "22:00", "4h"))
case("at the first instant", BERLIN, "tue 22:00 for 4h", "2026-06-02T20:00:00Z", (on(TUE), "22:00", "4h"))
case("at the last instant", BERLIN, "tue 22:00 for 4h", "2026-06-03T00:00:00Z", (on(TUE), "22:00", "4h"))
case("one second before the end", BERLIN, "tue 22:00 for 4h", "2026-06-02T23:59:59Z", (on(TUE), "22:00", "4h"))
case("in the gap", BERLIN, "sun 02:30 for 2h", "2026-03-28T12:00:00Z", (on(SUN), "02:30", "2h"))
case("at the begin of the gap", BERLIN, "sun 02:00 for 1h", "2026-03-28T12:00:00Z", (on(SUN), "02:00", "1h"))
case("at the end of the gap", BERLIN, "sun 03:00 for 1h", "2026-03-28T12:00:00Z", (on(SUN), "03:00", "1h"))
case("over the gap", BERLIN, "sat 22:00 for 6h", "2026-03-28T12:00:00Z", (on(SAT), "22:00", "6h"))
case("a repeated time opens once", BERLIN, "sun 02:30 for 2h", "2026-10-24T12:00:00Z", (on(SUN), "02:30", "2h"))
case("between the two", BERLIN, "sun 02:30 for 15m", "2026-10-25T01:00:00Z", (on(SUN), "02:30", "15m"))
case("over the overlap", BERLIN, "sat 22:00 for 6h", "2026-10-24T12:00:00Z", (on(SAT), "22:00", "6h"))
case("daily over both", BERLIN, "daily 02:15 for 30m", "2026-03-27T12:00:00Z", (every, "02:15", "30m"))
case("daily at the change back", BERLIN, "daily 02:15 for 30m", "2026-10-24T12:00:00Z", (every, "02:15", "30m"))
case("third Thursday", BERLIN, "third thu 21:00 for 3h", "2026-01-01T00:00:00Z", (nth(3, THU), "21:00", "3h"))
case("last Friday", BERLIN, "last fri 21:00 for 3h", "2026-01-30T21:00:00Z", (last(FRI), "21:00", "3h"))
case("fifth Monday", BERLIN, "fifth mon 06:00 for 1h", "2026-01-01T00:00:00Z", (nth(5, MON), "06:00", "1h"))
case("the 31st", BERLIN, "day 31 01:00 for 2h", "2026-02-01T00:00:00Z", (dates(31), "01:00", "2h"))
case("the last day", BERLIN, "last day 23:30 for 2h", "2028-01-31T23:59:00Z", (last_day, "23:30", "2h"))
case("quarterly", BERLIN, "second sat of mar,jun,sep,dec 04:00 for 8h", "2026-03-14T12:00:00Z",
     (within({3, 6, 9, 12}, nth(2, SAT)), "04:00", "8h"))
case("29 February", BERLIN, "day 29 of feb 12:00 for 1h", "2026-03-01T00:00:00Z",
     (within({2}, dates(29)), "12:00", "1h"))
case("a day of 23 hours", BERLIN, "sun 00:00 for 1d", "2026-03-28T12:00:00Z", (on(SUN), "00:00", "1d"))
case("a day of 25 hours", BERLIN, "sun 00:00 for 1d", "2026-10-24T12:00:00Z", (on(SUN), "00:00", "1d"))
case("a weekend", BERLIN, "fri 20:00 for 2d10h", "2026-10-22T12:00:00Z", (on(FRI), "20:00", "58h"))
case("two that overlap", BERLIN, "mon 20:00 for 4h and mon 22:00 for 4h", "2026-06-01T00:00:00Z",
     (on(MON), "20:00", "4h"), (on(MON), "22:00", "4h"))
case("two that touch", BERLIN, "mon 20:00 for 2h and mon 22:00 for 2h", "2026-06-01T00:00:00Z",
     (on(MON), "20:00", "2h"), (on(MON), "22:00", "2h"))
case("one inside another", BERLIN, "mon 20:00 for 6h and mon 22:00 for 1h", "2026-06-01T00:00:00Z",
     (on(MON), "20:00", "6h"), (on(MON), "22:00", "1h"))
case("a fixed one", BERLIN, "2026-12-01T22:00 to 2026-12-02T02:00", "2026-06-01T00:00:00Z",
     fixed=[("2026-12-01T22:00", "2026-12-02T02:00")])
case("a fixed one in the gap", BERLIN, "2026-03-29T02:30 to 2026-03-29T05:00", "2026-03-01T00:00:00Z",
     fixed=[("2026-03-29T02:30", "2026-03-29T05:00")])
case("a fixed one that is over", BERLIN, "2026-01-01T22:00 to 2026-01-02T02:00", "2026-06-01T00:00:00Z",
     fixed=[("2026-01-01T22:00", "2026-01-02T02:00")])
case("fixed and recurring", BERLIN, "2026-06-03T22:00 to 2026-06-04T02:00 and tue 22:00 for 4h",
     "2026-06-01T00:00:00Z", (on(TUE), "22:00", "4h"), fixed=[("2026-06-03T22:00", "2026-06-04T02:00")])
case("a freeze takes one out", BERLIN, "thu 22:00 for 2h freeze 2026-12-20 to 2027-01-04", "2026-12-16T00:00:00Z",
     (on(THU), "22:00", "2h"), freezes=[("2026-12-20", "2027-01-04")])
case("a freeze cuts the end", BERLIN, "thu 22:00 for 4h freeze 2026-12-18T00:00 to 2026-12-24T12:00",
     "2026-12-16T00:00:00Z", (on(THU), "22:00", "4h"), freezes=[("2026-12-18T00:00", "2026-12-24T12:00")])
case("a freeze cuts the begin", BERLIN, "thu 22:00 for 4h freeze 2026-12-17T12:00 to 2026-12-17T23:00",
     "2026-12-16T00:00:00Z", (on(THU), "22:00", "4h"), freezes=[("2026-12-17T12:00", "2026-12-17T23:00")])
case("a freeze in the middle", BERLIN, "thu 22:00 for 4h freeze 2026-12-17T23:00 to 2026-12-18T00:30",
     "2026-12-16T00:00:00Z", (on(THU), "22:00", "4h"), freezes=[("2026-12-17T23:00", "2026-12-18T00:30")])
case("a freeze that ends with the opening", BERLIN, "thu 22:00 for 4h freeze 2026-12-17T23:00 to 2026-12-18T02:00",
     "2026-12-17T21:30:00Z", (on(THU), "22:00", "4h"), freezes=[("2026-12-17T23:00", "2026-12-18T02:00")])
case("two freezes", BERLIN, "daily 00:00 for 1h freeze 2026-12-02 to 2026-12-03 freeze 2026-12-04 to 2026-12-05",
     "2026-12-01T12:00:00Z", (every, "00:00", "1h"), freezes=[("2026-12-02", "2026-12-03"), ("2026-12-04", "2026-12-05")])

# -- America/New_York: forward 2026-03-08, back 2026-11-01
case("in the gap", NEW_YORK, "second sun 02:30 for 1h", "2026-03-01T00:00:00Z", (nth(2, SUN), "02:30", "1h"))
case("a repeated time opens once", NEW_YORK, "first sun 01:30 for 1h", "2026-10-31T00:00:00Z",
     (nth(1, SUN), "01:30", "1h"))
case("between the two", NEW_YORK, "sun 01:30 for 30m", "2026-11-01T06:15:00Z", (on(SUN), "01:30", "30m"))
case("over the gap", NEW_YORK, "sat 23:00 for 5h", "2026-03-07T12:00:00Z", (on(SAT), "23:00", "5h"))
case("over the overlap", NEW_YORK, "sat 23:00 for 5h", "2026-10-31T12:00:00Z", (on(SAT), "23:00", "5h"))
case("another day than in UTC", NEW_YORK, "fri 21:00 for 2h", "2026-07-04T02:00:00Z", (on(FRI), "21:00", "2h"))
case("end of the year", NEW_YORK, "last day of dec 23:00 for 2h", "2026-06-01T00:00:00Z",
     (within({12}, last_day), "23:00", "2h"))
case("28, 29 or 30", NEW_YORK, "day 28,29,30 03:00 for 1h", "2026-02-27T00:00:00Z", (dates(28, 29, 30), "03:00", "1h"))
case("leap day", NEW_YORK, "day 29 03:00 for 1h", "2028-02-01T00:00:00Z", (dates(29), "03:00", "1h"))
case("no leap day in 2100", NEW_YORK, "day 29 of feb 03:00 for 1h", "2096-03-01T00:00:00Z",
     (within({2}, dates(29)), "03:00", "1h"))

# -- Australia/Lord_Howe: half an hour, forward 2026-10-04 02:00 -> 02:30, back 2026-04-05 02:00 -> 01:30
case("in the gap of half an hour", LORD_HOWE, "sun 02:15 for 1h", "2026-10-03T00:00:00Z", (on(SUN), "02:15", "1h"))
case("at its end", LORD_HOWE, "sun 02:30 for 1h", "2026-10-03T00:00:00Z", (on(SUN), "02:30", "1h"))
case("a repeated half hour", LORD_HOWE, "sun 01:45 for 1h", "2026-04-04T00:00:00Z", (on(SUN), "01:45", "1h"))
case("before the repeated half hour", LORD_HOWE, "sun 01:15 for 30m", "2026-04-04T00:00:00Z", (on(SUN), "01:15", "30m"))
case("over the gap", LORD_HOWE, "sat 22:00 for 6h", "2026-10-03T00:00:00Z", (on(SAT), "22:00", "6h"))
case("third Thursday", LORD_HOWE, "third thu 10:00 for 2h", "2026-03-20T00:00:00Z", (nth(3, THU), "10:00", "2h"))
case("far ahead", LORD_HOWE, "sun 02:15 for 1h", "2040-10-06T00:00:00Z", (on(SUN), "02:15", "1h"))

# -- zones without summer time, and odd offsets
case("no summer time", "Asia/Tokyo", "wed 03:00 for 2h", "2026-03-29T00:00:00Z", (on(WED), "03:00", "2h"))
case("no summer time in October", "Asia/Tokyo", "sun 02:30 for 2h", "2026-10-24T00:00:00Z", (on(SUN), "02:30", "2h"))
case("half an hour", "Asia/Kolkata", "sat 00:15 for 45m", "2026-02-27T12:00:00Z", (on(SAT), "00:15", "45m"))
case("three quarters", "Asia/Kathmandu", "day 1 00:00 for 1h", "2026-02-27T12:00:00Z", (dates(1), "00:00", "1h"))
case("three quarters and summer time", "Pacific/Chatham", "sun 02:50 for 1h", "2026-09-26T00:00:00Z",
     (on(SUN), "02:50", "1h"))
case("Newfoundland", "America/St_Johns", "sun 02:10 for 1h", "2026-03-07T00:00:00Z", (on(SUN), "02:10", "1h"))
case("14 hours ahead", "Pacific/Kiritimati", "last day 23:00 for 2h", "2026-01-30T00:00:00Z", (last_day, "23:00", "2h"))
case("11 hours behind", "Pacific/Pago_Pago", "day 1 00:30 for 1h", "2026-03-01T11:00:00Z", (dates(1), "00:30", "1h"))
case("a day that was left out", "Pacific/Apia", "daily 12:00 for 2h", "2011-12-29T12:00:00Z", (every, "12:00", "2h"))
case("a Friday that was left out", "Pacific/Apia", "fri 12:00 for 2h", "2011-12-29T12:00:00Z", (on(FRI), "12:00", "2h"))
case("winter time that goes back", "Europe/Dublin", "last sun 01:30 for 1h", "2026-03-01T00:00:00Z",
     (last(SUN), "01:30", "1h"))
case("two hours of summer time", "Antarctica/Troll", "last sun 02:00 for 1h", "2026-03-01T00:00:00Z",
     (last(SUN), "02:00", "1h"))
case("a gap at midnight", "Asia/Beirut", "last sun 00:00 for 1h", "2026-03-01T00:00:00Z", (last(SUN), "00:00", "1h"))
case("another gap at midnight", "Africa/Cairo", "last fri of apr 00:30 for 1h", "2026-01-01T00:00:00Z",
     (within({4}, last(FRI)), "00:30", "1h"))
case("back at midnight", "America/Havana", "first sun of nov 00:30 for 1h", "2026-01-01T00:00:00Z",
     (within({11}, nth(1, SUN)), "00:30", "1h"))
case("the day before", "America/Nuuk", "last sat 23:00 for 2h", "2026-03-01T00:00:00Z", (last(SAT), "23:00", "2h"))
case("UTC", "UTC", "daily 23:59:30 for 1m", "2026-12-31T23:59:59Z", (every, "23:59:30", "1m"))
case("seconds", "UTC", "2026-12-31T23:59:59 for 2s", "2026-12-31T00:00:00Z",
     fixed=[("2026-12-31T23:59:59", "2027-01-01T00:00:01")])


def conversions():
    """Local times around each change of many zones, and at random."""
    chance = random.Random(20260101)
    rows = []
    for name in sorted({
            BERLIN, NEW_YORK, LORD_HOWE, "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham",
            "America/St_Johns", "Pacific/Kiritimati", "Pacific/Apia", "Europe/Dublin", "Antarctica/Troll",
            "Asia/Beirut", "Africa/Cairo", "America/Havana", "America/Nuuk", "Africa/Casablanca", "Europe/London",
            "America/Santiago", "Asia/Tehran", "Africa/Monrovia", "Europe/Moscow", "America/Caracas", "UTC"}):
        zone = zoneinfo.ZoneInfo(name)
        locals_ = [dt.datetime(1970, 1, 2) + dt.timedelta(seconds=chance.randrange(86400 * 365 * 120))
                   for _ in range(12)]
        day = dt.datetime(2005, 1, 1, tzinfo=UTC)
        changes = []
        while day.year < 2045:
            following = day + dt.timedelta(days=1)
            if day.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
                changes.append(day)
            day = following
        for change in chance.sample(changes, min(8, len(changes))):
            base = change.astimezone(zone).replace(tzinfo=None)
            locals_ += [base.replace(microsecond=0) + dt.timedelta(minutes=chance.randrange(1500)) for _ in range(4)]
            locals_ += [base.replace(hour=2, minute=30) + dt.timedelta(days=days) for days in (0, 1)]
        for local in locals_:
            utc, shifted = to_utc(local, zone)
            rows.append({"zone": name, "local": local.strftime("%Y-%m-%dT%H:%M:%S"), "utc": show(utc),
                         "shifted": shifted})
    return rows


def main():
    data = {"cases": CASES, "conversions": conversions()}
    text = "{\n" + ",\n".join(
        f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]" for key, rows in data.items()) + "\n}\n"
    pathlib.Path(__file__).with_name("cases.json").write_text(text)
    print(f"{len(CASES)} cases, {len(data['conversions'])} conversions")


main()
