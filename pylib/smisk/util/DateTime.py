# SPDX-License-Identifier: MIT
"""Points in time that know their zone: UTC, fixed offsets, and XML Schema's dateTime."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["DateTime", "OffsetTimeZone", "UTCTimeZone"]

_ZERO = timedelta(0)
_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})", re.ASCII)
_MINUTES_OF_DAY = 24 * 60


class UTCTimeZone(tzinfo):
    """Coordinated Universal Time. There is one instance."""

    _instance: UTCTimeZone | None = None

    def __new__(cls) -> UTCTimeZone:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def utcoffset(self, dt: datetime | None, /) -> timedelta:
        return _ZERO

    def tzname(self, dt: datetime | None, /) -> str:
        return "UTC"

    def dst(self, dt: datetime | None, /) -> timedelta:
        return _ZERO

    def __repr__(self) -> str:
        return "UTCTimeZone()"


class OffsetTimeZone(tzinfo):
    """A fixed offset from UTC: `+02:00`, or minutes to the east. ValueError for what is less than a day from neither."""

    def __init__(self, tzstr_or_minutes: str | int) -> None:
        minutes = tzstr_or_minutes
        if isinstance(minutes, str):
            match = _OFFSET.fullmatch(minutes)
            if not match:
                raise ValueError(f"no offset like +02:00: {minutes!r}")
            minutes = int(f"{match[1]}1") * (int(match[2]) * 60 + int(match[3]))
        if abs(minutes) >= _MINUTES_OF_DAY:
            raise ValueError(f"an offset is less than a day: {tzstr_or_minutes!r}")
        self._minutes = minutes

    def utcoffset(self, dt: datetime | None, /) -> timedelta:
        return timedelta(minutes=self._minutes)

    def tzname(self, dt: datetime | None, /) -> str:
        sign = "-" if self._minutes < 0 else "+"
        return "UTC{}{:02}:{:02}".format(sign, *divmod(abs(self._minutes), 60))

    def dst(self, dt: datetime | None, /) -> timedelta:
        return _ZERO

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OffsetTimeZone):
            return NotImplemented
        return self._minutes == other._minutes

    def __hash__(self) -> int:
        return hash(self._minutes)

    def __repr__(self) -> str:
        return f"OffsetTimeZone({self._minutes})"

    def __getinitargs__(self) -> tuple[int]:
        # What tzinfo pickles and copies by.
        return (self._minutes,)


class DateTime(datetime):
    """A datetime that can be made of another one, `DateTime(dt)`, and of text."""

    XML_SCHEMA_DATETIME_RE = re.compile(
        r"(-?\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?([+-]\d{2}:\d{2}|Z)?", re.ASCII
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> DateTime:
        if len(args) == 1 and not kwargs and isinstance(args[0], datetime):
            dt = args[0]
            if type(dt) is cls:
                return dt
            parts = (dt.year, dt.month, dt.day, dt.hour, dt.minute, dt.second, dt.microsecond, dt.tzinfo)
            return super().__new__(cls, *parts, fold=dt.fold)
        return super().__new__(cls, *args, **kwargs)

    def as_utc(self) -> DateTime:
        """The same point in time in UTC. One without a zone is taken to be in UTC already."""
        if self.tzinfo is UTCTimeZone():
            return self
        offset = self.utcoffset()
        return DateTime((self - offset if offset else self).replace(tzinfo=UTCTimeZone()))

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> DateTime:
        """Now, with the offset that holds here today, summer time included; or in the zone `tz`."""
        return cls(datetime.now(tz) if tz else datetime.now().astimezone())

    @classmethod
    def parse_xml_schema_dateTime(cls, string: str) -> DateTime:
        """Parses `2009-02-22T15:46:39Z` (XML Schema, part 2, 3.2.7); no zone means UTC.

        Digits after the microseconds are cut off. ValueError for everything else, years before 1 among it.
        """
        match = cls.XML_SCHEMA_DATETIME_RE.fullmatch(string)
        if not match:
            raise ValueError(f"no XML Schema dateTime: {string!r}")
        *parts, fraction, zone = match.groups()
        microsecond = int((fraction or "")[:6].ljust(6, "0"))
        tz: tzinfo = UTCTimeZone() if zone in (None, "Z") else OffsetTimeZone(zone)
        year, month, day, hour, minute, second = map(int, parts)
        return cls(year, month, day, hour, minute, second, microsecond, tz)
