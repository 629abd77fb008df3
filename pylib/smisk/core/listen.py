# SPDX-License-Identifier: MIT
"""The FastCGI listener of this process: `bind()`, `unbind()`, `listening()`.

`bind()` opens the socket at once, so that an address that is taken is an error where the program can say so;
`launch` hands it to `smiskd` as a descriptor. In a worker of a program that did this, `bind()` finds it open.
"""

from __future__ import annotations

import errno
import os
import socket
import stat

from .handover import is_hosted, received

__all__ = ["bind", "descriptor", "listening", "split_address", "unbind"]

_BACKLOG = socket.SOMAXCONN

_address: str | None = None
_socket: socket.socket | None = None


def bind(path: str, backlog: int = 0, /) -> None:
    """Opens the FastCGI listener of this process.

    `path`: `host:port`, `:port` or `*:port` for all of IPv4, `[::1]:port`; or the path of a UNIX socket, which is
    anything without a colon or with a slash, `unix:` before it or not. `backlog`: connections that may wait; 0 or less:
    the system's limit. A UNIX socket that nobody serves any more is replaced; its mode comes from the umask.

    Raises TypeError for what is no string or no int, OSError for everything else; "already bound" after a first call.
    """
    global _address, _socket
    if not isinstance(path, str):
        raise TypeError(f"path must be a string, not {type(path).__name__}")
    if not isinstance(backlog, int):
        raise TypeError(f"backlog must be an int, not {type(backlog).__name__}")
    if _address is not None:
        raise OSError("already bound")
    handover = received()
    if handover is not None:
        _address = handover.listening or path
    elif is_hosted():
        _warn_of(path)
    else:
        _socket = _open(path, backlog if backlog > 0 else _BACKLOG)
        _address = path.removeprefix("unix:") if _socket.family == socket.AF_UNIX else _format(_socket)


def unbind() -> None:
    """Closes the listener, so that FastCGI is on descriptor 0 again. The file of a UNIX socket stays in place."""
    global _address, _socket
    if _socket is not None:
        _socket.close()
    _address = _socket = None


def listening() -> str | None:
    """The address that is bound, with the port that the system chose for port 0; None: FastCGI is on descriptor 0."""
    return _address


def descriptor() -> int | None:
    """The descriptor of the open listener, which stays this module's; None when there is none."""
    return None if _socket is None else _socket.fileno()


def split_address(path: str) -> tuple[str, int] | None:
    """Returns host and port of a TCP address, the host without brackets; None for the path of a UNIX socket.

    Raises OSError (EINVAL) for what is neither.
    """
    if not path or "\0" in path:
        raise _invalid(path, "this is no address")
    if "/" in path or ":" not in path or path.startswith("unix:"):
        return None
    host, _, digits = path.rpartition(":")
    if not (digits.isascii() and digits.isdigit() and int(digits[:6]) <= 65535 and len(digits) < 6):
        raise _invalid(path, "a port is a number from 0 to 65535")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], int(digits)
    if ":" in host or "[" in host:
        raise _invalid(path, "an IPv6 address stands in brackets, as in [::1]:5000")
    return host, int(digits)


def _invalid(path: str, message: str) -> OSError:
    return OSError(errno.EINVAL, message, path)


def _warn_of(path: str) -> None:
    from .launch import warn

    warn(f"bind({path!r}) does nothing within smiskd: where to listen is said as `smiskd --fastcgi {path}`")


# --- sockets ---


def _open(path: str, backlog: int) -> socket.socket:
    where = split_address(path)
    try:
        return _open_unix(path.removeprefix("unix:"), backlog) if where is None else _open_inet(*where, backlog)
    except UnicodeError:
        raise _invalid(path, "this is no name of a host") from None
    except OSError as error:
        # Which address it was; a name that is not known has no errno of the system.
        number = errno.EADDRNOTAVAIL if isinstance(error, socket.gaierror) else error.errno
        raise OSError(number or errno.ENAMETOOLONG, error.strerror or str(error), path) from None


def _open_inet(host: str, port: int, backlog: int) -> socket.socket:
    family, address = _resolve("" if host == "*" else host, port)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The first address of a host. IPv4 goes first, because `localhost` always meant that here."""
    if not host:
        return socket.AF_INET, ("0.0.0.0", port)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address  # type: ignore[return-value]  # IPv6 has two more, as bind() wants them


def _open_unix(path: str, backlog: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_room(path)
        sock.bind(path)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _make_room(path: str) -> None:
    """Removes a socket that nobody serves any more. Raises OSError for one that is served, and for other files."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "a file that is no socket is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            pass  # its backlog is full
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(errno.EADDRINUSE, "another program listens there")


def _format(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    if sock.family == socket.AF_INET6:
        return f"[{host}]:{port}"
    return f"{'*' if host == '0.0.0.0' else host}:{port}"
