# SPDX-License-Identifier: MIT
"""An Application whose pages do what one can do with a session; its store is a dict of this worker."""

from typing import Any

from smisk.core import Application, InvalidSessionError

__all__ = ["Sessions"]


class Store:
    """The protocol of Smisk 1.1, which says what it is asked."""

    ttl = 900
    name = "SID"

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def read(self, sid: str) -> Any:
        if sid not in self.kept:
            raise InvalidSessionError("no data")
        return self.kept[sid]

    def write(self, sid: str, data: Any) -> None:
        if data == "broken":
            raise OSError("the store is broken")
        self.kept[sid] = data

    def refresh(self, sid: str) -> None:
        pass

    def destroy(self, sid: str) -> None:
        self.kept.pop(sid, None)


class Sessions(Application):
    sessions_class = Store

    def service(self) -> None:
        getattr(self, "do_" + self.request.path.strip("/"))()

    def do_untouched(self) -> None:
        self.response("untouched")

    def do_read(self) -> None:
        self.response(repr(self.request.session))

    def do_set(self) -> None:
        self.request.session = self.request.query
        self.response("set")

    def do_end(self) -> None:
        self.request.session = None
        self.response("ended")

    def do_change(self) -> None:
        before = self.request.session_id
        self.request.session_id = "0123456789abcdefghijklmnopqrstuv"
        self.response(before != self.request.session_id)

    def do_late(self) -> None:
        self.response.begin()
        try:
            self.request.session = "too late"
        except OSError as error:
            self.response(error)

    def do_kept(self) -> None:
        self.response(repr(sorted(self.sessions.kept.values())))


def handle(request: Any) -> str:
    """The same for a native handler, with the store of the process."""
    request.session = (request.session or 0) + 1
    return str(request.session)
