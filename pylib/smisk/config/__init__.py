# SPDX-License-Identifier: MIT
"""Configuration in Smisk's own dialect, or in TOML: read, never evaluated.

For applications: `config`, the one that all parts of an application share, and what it is made of. For the host, which
pays for every import: the modules below, from text to tokens (`scanner`), to values (`parser`, `toml`), to files and
what they include (`source`). Every error is a `ConfigurationError` and names file and line.
"""

from .error import (
    ConfigurationError,
    ConfigurationFileError,
    ConfigurationSyntaxError,
    IncludeDepthError,
    LoggingSettingError,
)

__all__ = [
    "GLOB_RE",
    "LOGGING_DATEFMT",
    "LOGGING_FORMAT",
    "Configuration",
    "ConfigurationError",
    "ConfigurationFileError",
    "ConfigurationSyntaxError",
    "IncludeDepthError",
    "LoggingSettingError",
    "config",
    "config_locations",
    "configure_logging",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .configuration import Configuration
    from .logs import LOGGING_DATEFMT, LOGGING_FORMAT, configure_logging
    from .lookup import GLOB_RE, config_locations
    from .shared import config

# Where the names are that are imported when they are first asked for.
_ROOMS = {
    "GLOB_RE": "lookup",
    "LOGGING_DATEFMT": "logs",
    "LOGGING_FORMAT": "logs",
    "Configuration": "configuration",
    "config": "shared",
    "config_locations": "lookup",
    "configure_logging": "logs",
}


def __getattr__(name: str) -> object:
    """Imports an exported name when it is first asked for; the host needs only the reader."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
