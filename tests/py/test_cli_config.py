# SPDX-License-Identifier: MIT
"""`smisk config`: what holds, where it comes from, nothing secret."""

import os

import pytest
from smisk.cli import main
from smisk.cli.dialect import written
from smisk.config.masking import MASK
from smisk.config.parser import Parser, parse
from smisk.config.source import read_string
from smisk.host_config.resolve import Draft, resolve
from smisk.host_config.schema import SETTINGS

CONF = """
// a comment
app: "shop:create_app('s3cret', debug=True)",
pythonpath: ["lib"],
listen: [
    "http://127.0.0.1:8000",
    {address: "unix:run/site.sock", protocol: "fastcgi", mode: 0660, backlog: 5},
],
workers: 3,
body_timeout: 1.5s,
max_body_size: 1536k,
log_level: WARNING,
umask: 022,
trusted_proxies: ["10.0.0.0/8"],
"shop.currency": "€",
"shop.api_key": "k123",
application: {
    database: {"url": "redis://user:hunter2@db:6379/0", "password": "hunter2", "pool.size": 5},
    names: ["a", "b"],
    tokens: ["t1", "t2"],
    empty: {},
},
"""


@pytest.fixture
def say(tmp_path, monkeypatch, capsys):
    """Runs `smisk config` beside the given smisk.conf; (status, output, errors)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, conf=None, name="smisk.conf"):
        if conf is not None:
            (tmp_path / name).write_text(conf)
        status = main(["config", *arguments])
        done = capsys.readouterr()
        return status, done.out, done.err

    return run


def lines_of(output):
    """{key: (value, origin)} of top-level lines."""
    found = {}
    for line in output.splitlines():
        text, _, origin = line.rpartition("# ")
        key, _, value = text.partition(": ")
        if not line.startswith((" ", "}")):
            found[key] = (value.strip().rstrip(","), origin)
    return found


def test_every_setting_that_holds_is_printed_with_its_origin(say):
    status, out, err = say(conf=CONF)
    assert (status, err) == (0, "")
    lines = lines_of(out)
    assert lines["workers"] == ("3", "smisk.conf:9")
    assert lines["body_timeout"] == ("1500ms", "smisk.conf:10")
    assert lines["max_body_size"] == ("1536k", "smisk.conf:11")
    assert lines["log_level"] == ("warning", "smisk.conf:12")
    assert lines["umask"] == ("022", "smisk.conf:13")
    assert lines["threads"] == ("8", "default")
    assert lines["header_timeout"] == ("10s", "default")
    assert lines["keepalive_timeout"] == ("75s", "default")
    assert lines["ws_max_size"] == ("16m", "default")
    assert lines['"shop.currency"'] == ('"€"', "smisk.conf:15")
    assert "user" not in lines
    assert out.index("workers") < out.index('"shop.currency"')


def test_paths_and_listeners_are_resolved(say, tmp_path):
    lines = lines_of(say(conf=CONF)[1])
    assert lines["pythonpath"][0] == f'["{tmp_path}/lib"]'
    assert lines["listen"][0] == (
        f'["http://127.0.0.1:8000", {{address: "unix:{tmp_path}/run/site.sock", protocol: "fastcgi", '
        "backlog: 5, mode: 0660}]"
    )


def test_output_can_be_read_as_configuration_again(say, tmp_path):
    out = say("--show-secrets", conf=CONF)[1]
    values = read_string(out, "again", str(tmp_path)).values
    first = resolve(Draft(*parse(CONF, "smisk.conf", str(tmp_path))))[0]
    again, errors = resolve(Draft(*parse(out, "again", str(tmp_path))))
    assert errors == []
    assert {key: value for key, value in again.items() if key != "listen"} == {
        key: value for key, value in first.items() if key != "listen"
    }
    assert [list(each.pairs()) for each in again["listen"]] == [list(each.pairs()) for each in first["listen"]]
    assert values["application"]["database"]["pool.size"] == 5


def test_all_defaults_can_be_read_again(say, tmp_path):
    out = say()[1]
    settings, errors = resolve(Draft(*parse(out, "", str(tmp_path))))
    plain = resolve(Draft({}, {}))[0]
    assert errors == []
    del settings["listen"], plain["listen"]
    assert settings == plain


def test_workers_that_were_counted_say_so(say):
    cpus = len(os.sched_getaffinity(0))
    assert lines_of(say()[1])["workers"] == (str(cpus), "default (auto)")
    assert lines_of(say(conf='workers: "auto",')[1])["workers"] == (str(cpus), "smisk.conf:1 (auto)")


def test_what_autoreload_changes_says_so(say):
    lines = lines_of(say(conf="autoreload: true,\nworkers: 2,\nshutdown_timeout: 9s,\n")[1])
    assert lines["show_traceback"] == ("true", "default (autoreload)")
    assert lines["workers"] == ("2", "smisk.conf:2")
    assert lines["shutdown_timeout"] == ("100ms", "smisk.conf:3 (autoreload)")


def test_given_leaves_defaults_out(say):
    lines = lines_of(say("--given", conf="workers: 2,")[1])
    assert lines == {"workers": ("2", "smisk.conf:1")}
    assert say("--given", conf="")[1] == ""


def test_included_file_is_the_origin(say, tmp_path):
    (tmp_path / "more.conf").write_text("\nworkers: 5,\n")
    lines = lines_of(say(conf='workers: 2,\n@include "more.conf",\n')[1])
    assert lines["workers"] == ("5", "more.conf:2")


def test_toml_is_read_by_its_name(say):
    lines = lines_of(say("-c", "smisk.toml", conf="\nworkers = 5\n", name="smisk.toml")[1])
    assert lines["workers"] == ("5", "smisk.toml:2")


def test_command_line_wins(say):
    lines = lines_of(say("--set", "workers=7", conf="workers: 2,")[1])
    assert lines["workers"] == ("7", "--set")


# --- one key ---


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("workers", "3"),
        ("body_timeout", "1500ms"),
        ("shop.currency", "€"),
        ("interface", "auto"),
        ("application.database.pool.size", "5"),
        ("application.names", '["a", "b"]'),
        ("application.empty", "{}"),
        ("user", "null"),
        ("show_traceback", "false"),
    ],
)
def test_value_of_a_key_is_for_scripts(say, key, value):
    assert say("--value", key, conf=CONF) == (0, f"{value}\n", "")


def test_key_is_printed_with_its_origin(say):
    assert lines_of(say("application.names", conf=CONF)[1]) == {
        '"application.names"': ('["a", "b"]', "smisk.conf:19")
    }
    assert lines_of(say("workers", conf=CONF)[1]) == {"workers": ("3", "smisk.conf:9")}


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("worker", '; did you mean "workers"?'),
        ("application.nothing", '; did you mean "application"?'),
        ("shop.curency", '; did you mean "shop.currency"?'),
        ("zzz", ""),
    ],
)
def test_unknown_key_is_an_error(say, key, hint):
    status, out, err = say(key, conf=CONF)
    assert (status, out, err) == (1, "", f'smisk: there is no setting "{key}"{hint}\n')


def test_value_wants_a_key(say):
    assert say("--value")[0] == 2


# --- what is wrong ---


def test_everything_that_is_wrong_is_said_as_by_smiskd(say):
    status, out, err = say(conf="workes: 2,\nthreads: 0,\n")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "smisk: the configuration is wrong",
        'smisk.conf:1: unknown key "workes"; did you mean "workers"?',
        "smisk.conf:2: threads must be at least 1, not 0",
    ]


@pytest.mark.parametrize(
    ("arguments", "conf", "words"),
    [
        ([], "workers 2", "smisk.conf:1: "),
        (["-c", "nowhere.conf"], None, 'cannot read "nowhere.conf": No such file'),
        (["--set", "workers"], None, "--set wants KEY=VALUE"),
        (["--set", "workers=x"], None, "--set: workers must be"),
    ],
)
def test_wrong_configuration_is_explained(say, arguments, conf, words):
    status, out, err = say(*arguments, conf=conf)
    assert (status, out) == (2, "")
    assert words in err


# --- secrets ---


def test_secrets_are_masked_unless_asked_for(say):
    out = say(conf=CONF)[1]
    for secret in ("s3cret", "hunter2", "k123", "t1"):
        assert secret not in out
    assert 'app: "shop:create_app(…)"' in out
    assert f"redis://user:{MASK}@db:6379/0" in out
    shown = say("--show-secrets", conf=CONF)[1]
    for secret in ("s3cret", "hunter2", "k123", "t1"):
        assert secret in shown
    assert say("--value", "application.database.password", conf=CONF)[1] == f"{MASK}\n"


@pytest.mark.parametrize("app", ["shop", "shop:app", "shop:create_app()", "shop:create_app", "shop:site.app"])
def test_app_without_arguments_is_shown(say, app):
    assert say("--value", "app", conf=f'app: "{app}",')[1] == f"{app}\n"


def test_what_is_below_a_secret_name_is_secret_too(say):
    conf = 'application: {secrets: {"name": "n1"}, "plain": {"name": "n2"}},'
    assert say("--value", "application.secrets.name", conf=conf)[1] == f"{MASK}\n"
    assert say("--value", "application.plain.name", conf=conf)[1] == "n2\n"


# --- the dialect ---


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -5, 1.5, "", 'a "b" \\ \n\t\x00 \x7f € \U0001f600'),
        *([], [1, [2]], (), (1,), (1, 2), {}, {"a": {"b": [None]}}),
    ],
)
def test_values_are_written_as_they_are_read(value):
    text = written(value)
    assert "\n" not in text
    assert Parser(text).value() == value


def test_every_default_is_written_as_it_was(say):
    lines = lines_of(say()[1])
    for key, setting in SETTINGS.items():
        if isinstance(setting.default, str) and key in lines and key != "workers":
            assert lines[key][0].strip('"') == setting.default, key
