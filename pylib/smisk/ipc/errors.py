# SPDX-License-Identifier: MIT
"""What can go wrong with a shared dict, beside what goes wrong with every dict (KeyError, TypeError)."""

__all__ = ["CodecError", "SharedDictError", "SharedDictFullError", "SharedDictUnavailableError"]


class SharedDictError(Exception):
    """A shared dict cannot do what was asked; the message says what is in the way."""


class SharedDictFullError(SharedDictError):
    """There is no room for a value, within `max_size` or on the server."""


class SharedDictUnavailableError(SharedDictError, ConnectionError):
    """The server that holds the dict does not answer, or not in time. The next call tries anew."""


class CodecError(SharedDictError, ValueError):
    """What is stored under a key was not written by the codec that reads it."""
