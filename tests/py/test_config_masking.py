# SPDX-License-Identifier: MIT
"""Secrets stay out of the log."""

import logging

import pytest
from smisk.config import Configuration
from smisk.config.masking import masked

SECRET_KEYS = [
    "password", "db_password", "smtp.passwd", "DB_PASS", "pwd", "passphrase", "secret", "clientSecret", "SECRET_KEY",
    "api_key", "apikey", "apiKey", "auth-token", "access_token", "accessTokens", "credentials", "private", "salt", "auth",
    "cookie", "dsn", "site.signature",
]  # fmt: skip


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("value", ["hunter2", 2222, ["hunter2"], {"a": "hunter2"}, ("x",), ""])
def test_value_is_hidden_when_its_key_says_so(key: str, value: object) -> None:
    assert masked({"a": [{key: value}]}) == {"a": [{key: "***"}]}


@pytest.mark.parametrize(
    "key", ["keyboard", "monkey", "author", "passenger", "spinner", "compass", "smisk.mvc.etag", ""]
)
def test_value_is_shown_when_its_key_only_looks_alike(key: str) -> None:
    assert masked({key: "shown"}) == {key: "shown"}


def test_flags_are_shown() -> None:
    assert masked({"auth": True, "token": None}) == {"auth": True, "token": None}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql://user:hunter2@host/db", "mysql://user:***@host/db"),
        ("mysql://user:a/b@c:d@host/db?x=1", "mysql://user:***@host/db?x=1"),
        ("redis://:hunter2@host", "redis://:***@host"),
        ("http://host:80/a", "http://host:80/a"),
        ("host=a password=hunter2 port=5", "host=a password=*** port=5"),
        ("Server=a;Pwd=hunter2;Port=5", "Server=a;Pwd=***;Port=5"),
        ("http://host/?a=1&access_token=hunter2&b=2", "http://host/?a=1&access_token=***&b=2"),
        ("plain", "plain"),
    ],
)
def test_password_within_text_is_hidden(text: str, shown: str) -> None:
    assert masked(["x", (text,)]) == ["x", (shown,)]


@pytest.mark.parametrize("text", ["://a:" * 50_000, "token" * 50_000, "a" * 250_000, "://" + "a:" * 100_000])
def test_long_text_is_no_burden(text: str) -> None:
    # Patterns that read to the end from each place would not come back for minutes.
    assert masked(text) == text


def test_original_is_not_changed() -> None:
    values = {"password": "a", "d": {"token": "b"}, "l": ["http://u:p@h"]}
    masked(values)
    assert values == {"password": "a", "d": {"token": "b"}, "l": ["http://u:p@h"]}


def test_active_configuration_is_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    conf = Configuration()
    conf.loads("smisk.mvc.model: {url: 'mysql://me:hunter2@db/x'}, mail: {password: 'hunter2'}, x: 1")
    assert "hunter2" not in caplog.text
    (record,) = [record for record in caplog.records if "active configuration" in record.getMessage()]
    assert record.levelname == "INFO"
    assert "'x': 1" in record.getMessage() and "mysql://me:***@db/x" in record.getMessage()
    assert conf["mail"]["password"] == "hunter2"


def test_application_can_name_more_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    conf = Configuration()
    conf.secret_names = {*Configuration.secret_names, "ssn"}
    conf.loads("customer_ssn: '123', age: 5")
    assert "'customer_ssn': '***', 'age': 5" in caplog.text
