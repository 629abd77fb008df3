# SPDX-License-Identifier: MIT
"""Points in time, zones, and how long something takes."""

import copy
import gc
import io
import pickle
import re
import time
from datetime import datetime, timedelta, timezone

import pytest
from smisk.util.benchmark import benchmark
from smisk.util.DateTime import DateTime, OffsetTimeZone, UTCTimeZone
from smisk.util.timing import Timer

UTC = UTCTimeZone()


@pytest.mark.parametrize(
    ("text", "in_utc"),
    [
        ("2009-02-22T15:46:39Z", (2009, 2, 22, 15, 46, 39)),
        ("2009-02-22T15:46:39", (2009, 2, 22, 15, 46, 39)),
        ("2009-02-22T15:46:39.5Z", (2009, 2, 22, 15, 46, 39, 500000)),
        ("2009-02-22T15:46:39.123456789Z", (2009, 2, 22, 15, 46, 39, 123456)),
        ("2009-02-22T15:46:39+02:00", (2009, 2, 22, 13, 46, 39)),
        ("2009-02-22T15:46:39-05:30", (2009, 2, 22, 21, 16, 39)),
    ],
)
def test_xml_schema_datetime_is_parsed(text, in_utc):
    parsed = DateTime.parse_xml_schema_dateTime(text).as_utc()
    assert type(parsed) is DateTime and parsed.tzinfo is UTC
    assert parsed == datetime(*in_utc, tzinfo=timezone.utc)


def test_parsed_datetime_keeps_its_zone():
    assert DateTime.parse_xml_schema_dateTime("2009-02-22T15:46:39+02:00").tzinfo == OffsetTimeZone(120)


@pytest.mark.parametrize(
    "text",
    ["", "today", "2009-02-22", "2009-02-22T15:46:39Zulu", "2009-02-22T15:46:39+99:00", "2009-02-30T15:46:39Z",
     "-0009-02-22T15:46:39Z", "٢٠٠٩-02-22T15:46:39Z"],
)  # fmt: skip
def test_text_that_is_no_xml_schema_datetime_is_an_error(text):
    with pytest.raises(ValueError, match=r"\S"):
        DateTime.parse_xml_schema_dateTime(text)


def test_datetime_is_made_of_a_datetime():
    plain = datetime(2009, 2, 22, 15, 46, 39, 7, tzinfo=UTC, fold=1)
    made = DateTime(plain)
    assert (type(made), made, made.fold) == (DateTime, plain, 1)
    assert DateTime(made) is made
    assert DateTime(2009, month=2, day=22) == datetime(2009, 2, 22)


def test_datetime_stays_one_through_arithmetic_pickle_and_copies():
    made = DateTime(2009, 2, 22, tzinfo=OffsetTimeZone("+02:00"))
    for again in (made + timedelta(0), made.replace(hour=0), pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert (type(again), again, again.tzinfo) == (DateTime, made, made.tzinfo)


def test_datetime_without_a_zone_is_in_utc_already():
    naive = DateTime(2009, 2, 22, 15)
    assert naive.as_utc() == datetime(2009, 2, 22, 15, tzinfo=timezone.utc)
    assert naive.as_utc().as_utc() == naive.as_utc()


def test_now_has_the_offset_that_holds_today(monkeypatch):
    # The rule has summer time in every month of the year, and standard time for a moment.
    monkeypatch.setenv("TZ", "XST-1XDT-3,0/0,J365/25")
    time.tzset()
    try:
        now = DateTime.now()
        assert type(now) is DateTime and now.utcoffset() == timedelta(hours=3)
        assert abs(now - datetime.now(timezone.utc)) < timedelta(minutes=1)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_now_in_a_zone_has_that_zone():
    assert DateTime.now(UTC).tzinfo is UTC


def test_utc_is_one_object_with_a_name():
    assert UTCTimeZone() is UTC is pickle.loads(pickle.dumps(UTC)) is copy.copy(UTC)
    assert (UTC.tzname(None), UTC.utcoffset(None), UTC.dst(None)) == ("UTC", timedelta(0), timedelta(0))
    assert repr(UTC) == "UTCTimeZone()"


@pytest.mark.parametrize(
    ("given", "minutes", "name"),
    [("+02:00", 120, "UTC+02:00"), ("-05:30", -330, "UTC-05:30"), (90, 90, "UTC+01:30"), (0, 0, "UTC+00:00")],
)
def test_offset_time_zone_has_offset_and_name(given, minutes, name):
    zone = OffsetTimeZone(given)
    assert (zone.utcoffset(None), zone.tzname(None), zone.dst(None)) == (
        timedelta(minutes=minutes),
        name,
        timedelta(0),
    )
    assert zone == OffsetTimeZone(minutes) == pickle.loads(pickle.dumps(zone)) == copy.deepcopy(zone)
    assert zone != UTC and hash(zone) == hash(OffsetTimeZone(minutes))
    assert datetime(2009, 2, 22, tzinfo=zone).strftime("%Z") == name


@pytest.mark.parametrize("given", ["", "02:00", "+2:00", "+0200", "+24:00", 1440, -1440])
def test_offset_that_is_none_is_an_error(given):
    with pytest.raises(ValueError, match="offset"):
        OffsetTimeZone(given)


# --- timing ---


def test_timer_says_how_long_it_took(monkeypatch):
    clock = iter([10.0, 12.003141])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    timer = Timer()
    assert timer.finish() == "2s 3ms 141us"
    assert timer.time() == timer.seconds() == pytest.approx(2.003141)
    assert (timer.milli(), timer.micro()) == (pytest.approx(3.141), pytest.approx(141))


def test_timer_carries_parts_over(monkeypatch):
    clock = iter([0.0, 0.9999999])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert Timer().stop() == "1s 0ms 0us"


def test_timer_begins_when_told(monkeypatch):
    clock = iter([5.0, 6.0, 7.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    timer = Timer(start=False)
    assert timer.time() == 0.0
    timer.start()
    assert timer.time() == 1.0
    assert timer.finish() == "2s 0ms 0us"


# --- benchmark ---


def test_benchmark_loops_and_reports():
    out = io.StringIO()
    assert sum(1 for _ in benchmark("nothing", 10, out)) == 10
    lines = out.getvalue().splitlines()
    assert re.fullmatch(r"nothing: +[0-9.]+ calls/sec", lines[1])
    parts = r" +\d+ sec +\d+ ms +\d+ us"
    for line, heading in zip((lines[3], *lines[5:]), ("avg. call", "real", "user", "system"), strict=True):
        assert re.fullmatch(heading + parts, line)


def test_benchmark_writes_to_standard_error_by_default(capsys):
    for _ in benchmark(iterations=1):
        pass
    assert "benchmark:" in capsys.readouterr().err


def test_benchmark_stops_garbage_collection_meanwhile():
    assert gc.isenabled()
    for _ in benchmark("x", 2, io.StringIO()):
        assert not gc.isenabled()
    assert gc.isenabled()
    for _ in benchmark("x", 2, io.StringIO()):
        break
    assert gc.isenabled()


def test_benchmark_raises_again_after_printing():
    out = io.StringIO()
    loop = benchmark("broken", 10, out)
    next(loop)
    with pytest.raises(KeyError):
        loop.throw(KeyError("x"))
    assert "broken:" in out.getvalue() and gc.isenabled()
