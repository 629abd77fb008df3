# SPDX-License-Identifier: MIT
"""Configuration in Smisk's own dialect, or in TOML: read, never evaluated.

For applications: `Configuration`. For the host, which pays for every import: the modules below, from text to tokens
(`scanner`), to values (`parser`, `toml`), to files and what they include (`source`). Every error is a
`ConfigurationError` and names file and line.
"""

from .error import ConfigurationError, ConfigurationFileError, ConfigurationSyntaxError, IncludeDepthError

__all__ = [
    "Configuration",
    "ConfigurationError",
    "ConfigurationFileError",
    "ConfigurationSyntaxError",
    "IncludeDepthError",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .configuration import Configuration


def __getattr__(name: str) -> object:
    """Imports `Configuration` when it is first asked for; the host needs only the reader."""
    if name != "Configuration":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .configuration import Configuration

    globals()[name] = Configuration
    return Configuration
