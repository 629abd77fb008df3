# SPDX-License-Identifier: MIT
"""WebSockets, as far as they happen once for each connection: the opening handshake and the start of compression.

The host imports this for the first WebSocket; frames and messages are its own work. `wsproto` is needed here, and
nowhere else.
"""

from .deflate import Deflate, InflateError, TooBigError
from .handshake import Handshake, HandshakeError

__all__ = ["Deflate", "Handshake", "HandshakeError", "InflateError", "TooBigError"]
