# SPDX-License-Identifier: MIT
"""Python's logging, as the key `logging` of a configuration says.

Everything is made and checked before anything is changed: settings that are wrong leave logging as it was.
"""

from __future__ import annotations

import logging
import sys
from logging.handlers import SYSLOG_UDP_PORT, SysLogHandler, WatchedFileHandler

from .error import LoggingSettingError, quoted

__all__ = ["LOGGING_DATEFMT", "LOGGING_FORMAT", "configure_logging"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LOGGING_FORMAT = "%(asctime)s.%(msecs)03d [%(process)d] %(name)s %(levelname)s: %(message)s"
LOGGING_DATEFMT = "%Y-%m-%d %H:%M:%S"

KEYS = ("filename", "filemode", "syslog", "stream", "format", "datefmt", "levels")
_OF_HANDLERS = ("filename", "syslog", "stream", "format", "datefmt")
_SYSLOG_KEYS = ("host", "port", "socket", "facility")

log = logging.getLogger("smisk.config")
_made: list[logging.Handler] = []  # the root's handlers that came from here


def configure_logging(conf: Mapping[str, Any]) -> None:
    """Sets logging up. `conf`: `filename filemode syslog stream format datefmt levels`, all optional.

    The root's handlers are made anew when it has none yet, or when one of `filename`, `syslog`, `stream`, `format` and
    `datefmt` is given. Raises LoggingSettingError (also a KeyError) when a value is wrong or a file cannot be opened;
    an unknown key or level only causes a warning.
    """
    levels = _mapping("levels", conf.get("levels"))
    if not logging.root.handlers or any(key in conf for key in _OF_HANDLERS):
        _replace_handlers(_handlers(conf))
    if "levels" in conf:
        _set_levels(levels)
    for key in conf:
        if key not in KEYS:
            log.warning("unknown logging key %r; there are %s", key, ", ".join(KEYS))


def _mapping(key: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LoggingSettingError(key, f"must be a mapping, not {quoted(value)}")
    return value


# Handlers


def _handlers(conf: Mapping[str, Any]) -> list[logging.Handler]:
    """The handlers that `conf` asks for; standard error when it asks for none."""
    formatter = _formatter(conf)
    stream = _stream(conf.get("stream"))
    handlers: list[logging.Handler] = []
    try:
        if conf.get("filename"):
            handlers.append(_file_handler(conf["filename"], conf.get("filemode", "a")))
        if conf.get("syslog"):
            handlers.append(_syslog_handler(conf["syslog"]))
    except LoggingSettingError:
        _close(handlers)
        raise
    if stream is not None or not handlers:
        handlers.append(logging.StreamHandler(stream))
    for handler in handlers:
        handler.setFormatter(formatter)
    return handlers


def _formatter(conf: Mapping[str, Any]) -> logging.Formatter:
    form = _text("format", conf.get("format", LOGGING_FORMAT))
    date = _text("datefmt", conf.get("datefmt", LOGGING_DATEFMT))
    try:
        return logging.Formatter(form, date)
    except ValueError as error:
        raise LoggingSettingError("format", f"cannot be used: {error}") from None


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise LoggingSettingError(key, f"must be a string, not {quoted(value)}")
    return value


def _stream(value: Any) -> Any:
    """The stream that `value` names or is; None where there is no value."""
    if value is None or hasattr(value, "write"):
        return value
    if value == "stdout":
        return sys.stdout
    if value == "stderr":
        return sys.stderr
    raise LoggingSettingError("stream", f'must be "stdout", "stderr" or an object with write(), not {quoted(value)}')


def _file_handler(filename: Any, mode: Any) -> logging.Handler:
    """A handler that opens its file again when it was moved away or removed, as logrotate does."""
    if mode not in ("a", "w"):
        raise LoggingSettingError("filemode", f'must be "a" or "w", not {quoted(mode)}')
    path = _text("filename", filename)
    try:
        return WatchedFileHandler(path, mode, encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LoggingSettingError("filename", f"names {quoted(path)}, which cannot be opened: {reason}") from None


def _syslog_handler(value: Any) -> logging.Handler:
    conf = {} if value is True else _mapping("syslog", value)
    for key in conf:
        if key not in _SYSLOG_KEYS:
            raise LoggingSettingError(
                "syslog", f"has the unknown key {quoted(key)}; there are {', '.join(_SYSLOG_KEYS)}"
            )
    address, facility = _syslog_address(conf), _facility(conf.get("facility", "user"))
    try:
        return SysLogHandler(address, facility)
    except (OSError, ValueError) as error:
        raise LoggingSettingError("syslog", f"cannot be reached: {error}") from None


def _syslog_address(conf: Mapping[str, Any]) -> tuple[str, int] | str:
    if conf.get("socket"):
        return _text("syslog.socket", conf["socket"])
    port = conf.get("port", SYSLOG_UDP_PORT)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
        raise LoggingSettingError("syslog.port", f"must be a number from 1 to 65535, not {quoted(port)}")
    return _text("syslog.host", conf.get("host", "localhost")), port


def _facility(value: Any) -> int:
    names = SysLogHandler.facility_names
    number = names.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 24:
        raise LoggingSettingError("syslog.facility", f"must be one of {', '.join(names)}, not {quoted(value)}")
    return number


def _replace_handlers(fresh: list[logging.Handler]) -> None:
    """Gives the root these handlers alone. The new ones come first, so that no record is lost in between."""
    old = list(logging.root.handlers)
    for handler in fresh:
        logging.root.addHandler(handler)
    for handler in old:
        logging.root.removeHandler(handler)
    _close([handler for handler in old if handler in _made])
    _made[:] = fresh


def _close(handlers: list[logging.Handler]) -> None:
    for handler in handlers:
        handler.close()


# Levels


def _set_levels(levels: Mapping[str, Any]) -> None:
    """Gives each named logger its level and takes it from all others but the root."""
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.setLevel(logging.NOTSET)
    for name, written in levels.items():
        level = _level(written)
        if level is None:
            log.warning("unknown logging level %r for the logger %r", written, name)
        else:
            logging.getLogger(str(name)).setLevel(level)


def _level(written: Any) -> int | None:
    if isinstance(written, str):
        written = logging.getLevelName(written.upper())
    return written if isinstance(written, int) and not isinstance(written, bool) else None
