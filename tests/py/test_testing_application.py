# SPDX-License-Identifier: MIT
"""The client of smisk.testing with an Application: sessions, cookies, streams, files, errors, in this process."""

from pathlib import Path

import pytest
from smisk.core import Application, FileSessionStore, request, response
from smisk.testing import Client


class App(Application):
    def service(self):
        getattr(self, request.url.path.strip("/"))()

    def count(self):
        request.session = {"n": (request.session or {}).get("n", 0) + 1}
        response(f"n={request.session['n']}")

    def forget(self):
        request.session = None

    def cookie(self):
        response.set_cookie("flavour", "oat")

    def stream(self):
        response.begin()
        for number in range(3):
            response.write(f"part {number}\n")

    def lines(self):
        response.headers.append("X-Kind: lines")
        response.writelines(["a", "b"])

    def file(self):
        response.send_file(__file__)

    def missing(self):
        response.headers = ["Status: 404 Not Found"]
        response("no such thing")

    def echo(self):
        response(f"{request.method} {request.post['a']} {request.cookies.get('flavour')}")

    def fail(self):
        raise LookupError("as the application says")


@pytest.fixture
def application(tmp_path):
    application = App()
    application.sessions = FileSessionStore(f"{tmp_path}/sessions/")
    return application


@pytest.fixture
def client(application):
    return Client(application)


def test_session_lives_from_request_to_request_and_ends(client):
    assert [client.get("/count").text for _ in range(3)] == ["n=1", "n=2", "n=3"]
    assert len(client.cookies["SID"]) == 32
    client.get("/forget")
    assert "SID" not in client.cookies
    assert client.get("/count").text == "n=1"


def test_sessions_of_two_clients_are_two(application):
    one, other = Client(application), Client(application)
    assert [client.get("/count").text for client in (one, other, one)] == ["n=1", "n=1", "n=2"]


def test_cookie_is_kept_and_sent(client):
    assert "flavour=oat" in client.get("/cookie").headers["set-cookie"]
    assert client.post("/echo", data={"a": "b"}).text == "POST b oat"


def test_what_is_written_piece_by_piece_is_one_body(client):
    assert client.get("/stream").text == "part 0\npart 1\npart 2\n"
    answer = client.get("/lines")
    assert (answer.text, answer.headers["x-kind"]) == ("ab", "lines")


def test_sent_file_is_the_body(client):
    answer = client.get("/file")
    assert answer.body == Path(__file__).read_bytes()
    assert answer.headers["content-length"] == str(len(answer.body))


def test_status_header_is_the_status(client):
    answer = client.get("/missing")
    assert (answer.status, answer.text) == (404, "no such thing")


def test_error_of_service_is_an_answer_as_the_daemon_gives_it(client):
    answer = client.get("/fail")
    assert answer.status == 500
