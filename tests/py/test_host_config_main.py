# SPDX-License-Identifier: MIT
"""What the host gets and what the operator reads: smisk.host_config.main from arguments to output."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from smisk.host_config import main

Run = Callable[..., dict[str, str]]
Fail = Callable[..., list[str]]


def call(arguments: list[str]) -> tuple[int, dict[str, str]]:
    reading, writing = os.pipe()
    try:
        status = main(arguments, writing)
        os.close(writing)
        with os.fdopen(os.dup(reading), "rb") as pipe:
            data = pipe.read()
    finally:
        os.close(reading)
    text = data.decode("utf-8", "surrogateescape")
    if status != 0:
        return status, {"error": text}
    fields = text.split("\0")
    assert fields.pop() == ""
    return status, dict(zip(fields[::2], fields[1::2], strict=True))


def arguments(conf: str | None, overrides: tuple[tuple[str, str, str], ...], name: str) -> list[str]:
    if conf is not None:
        Path(name).write_text(conf, encoding="utf-8")
    first = [] if conf is None else ["conf=" + str(Path(name).resolve())]
    return first + ["\0".join(override) for override in overrides]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(conf: str | None, *overrides: tuple[str, str, str], name: str = "smisk.conf") -> dict[str, str]:
        status, settings = call(arguments(conf, overrides, name))
        assert status == 0
        return settings

    return run


@pytest.fixture
def fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Fail:
    monkeypatch.chdir(tmp_path)

    def fail(conf: str | None, *overrides: tuple[str, str, str], name: str = "smisk.conf") -> list[str]:
        status, settings = call(arguments(conf, overrides, name))
        out, err = capfd.readouterr()
        assert (status, settings, out) == (2, {"error": err}, "")
        return err.splitlines()

    return fail


DEFAULTS = {
    "interface": "auto",
    "loop": "engine",
    "lifespan": "auto",
    "show_traceback": "false",
    "autoreload": "false",
    "listen.0.protocol": "http",
    "listen.0.address": "127.0.0.1:8080",
    "listen.0.backlog": "1024",
    "workers": str(len(os.sched_getaffinity(0))),
    "threads": "8",
    "handoff_after": "1",
    "max_connections": "10000",
    "max_multiplexed": "64",
    "max_header_size": "65536",
    "max_headers": "100",
    "max_body_size": "1073741824",
    "request_body_memory": "1048576",
    "max_form_fields": "1000",
    "max_form_parts": "1000",
    "write_buffer": "262144",
    "ws_max_size": "16777216",
    "ws_ping_interval": "20000",
    "ws_ping_timeout": "20000",
    "ws_compression": "true",
    "header_timeout": "10000",
    "body_timeout": "30000",
    "write_timeout": "30000",
    "keepalive_timeout": "75000",
    "linger_timeout": "30000",
    "shutdown_timeout": "30000",
    "startup_timeout": "0",
    "drain_delay": "0",
    "drain_idle_timeout": "1000",
    "max_requests": "0",
    "max_requests_jitter": "0",
    "max_memory": "0",
    "daemonize": "false",
    "error_log": "stderr",
    "log_level": "info",
}


def test_nothing_given_gives_every_default(run: Run) -> None:
    assert run(None) == DEFAULTS


def test_empty_file_and_null_give_every_default(run: Run) -> None:
    named = {**DEFAULTS, "config_file": str(Path("smisk.conf").resolve())}
    assert run("") == named
    assert run("workers: null, app: null, listen: null, logging: null") == named


def test_everything_given_is_handed_over_in_plain_units(run: Run, tmp_path: Path) -> None:
    conf = """
        app: "shop.web:make.app", interface: "native", root_path: "/shop/",
        loop: "uvloop", lifespan: "off", ws_max_size: 1m, ws_ping_interval: 1s, ws_ping_timeout: 0,
        ws_compression: false, chdir: ".", venv: "/usr", pythonpath: ["lib", "/opt/x"],
        show_traceback: true, workers: 3, threads: 4, handoff_after: "2ms", max_connections: 5, max_multiplexed: 6,
        max_header_size: 2k, max_headers: 7, max_body_size: "10m", request_body_memory: 4096, max_form_fields: 8,
        max_form_parts: 9, write_buffer: 1m, temp_dir: "/tmp", header_timeout: 1s, body_timeout: "2s",
        write_timeout: 1.5s, keepalive_timeout: 1m, linger_timeout: 1h, shutdown_timeout: 250ms, startup_timeout: 1d,
        drain_delay: 2s, drain_idle_timeout: 0, max_requests: 10, max_requests_jitter: 3, max_memory: 512m,
        user: "root", group: 0, umask: 027, pidfile: "run/x.pid", daemonize: true, error_log: "e.log",
        trusted_proxies: ["10.0.0.0/8", "unix"],
        log_level: DEBUG, autoreload: true, autoreload_paths: ["data/*.json", "/x"], autoreload_timeout: 3s,
        logging: {levels: {'': INFO}}, application: {a: 1}, shop.mail: "x",
        listen: {address: "[::1]:0", protocol: "fastcgi", backlog: 5, allow: ["::1", "127.0.0.1"]},
    """
    assert run(conf) == {
        "app": "shop.web:make.app",
        "interface": "native",
        "root_path": "/shop",
        "loop": "uvloop",
        "lifespan": "off",
        "ws_max_size": "1048576",
        "ws_ping_interval": "1000",
        "ws_ping_timeout": "0",
        "ws_compression": "false",
        "chdir": str(tmp_path),
        "venv": "/usr",
        "pythonpath.0": str(tmp_path / "lib"),
        "pythonpath.1": "/opt/x",
        "show_traceback": "true",
        "autoreload": "true",
        "autoreload_paths.0": str(tmp_path / "data/*.json"),
        "autoreload_paths.1": "/x",
        "config_file": str(tmp_path / "smisk.conf"),
        "config_files.0": str(tmp_path / "smisk.conf"),
        "logging": "true",
        "listen.0.protocol": "fastcgi",
        "listen.0.address": "[::1]:0",
        "listen.0.backlog": "5",
        "listen.0.allow.0": "::1",
        "listen.0.allow.1": "127.0.0.1",
        "trusted_proxies.0": "10.0.0.0/8",
        "trusted_proxies.1": "unix",
        "workers": "3",
        "threads": "4",
        "handoff_after": "2",
        "max_connections": "5",
        "max_multiplexed": "6",
        "max_header_size": "2048",
        "max_headers": "7",
        "max_body_size": "10485760",
        "request_body_memory": "4096",
        "max_form_fields": "8",
        "max_form_parts": "9",
        "write_buffer": "1048576",
        "temp_dir": "/tmp",
        "header_timeout": "1000",
        "body_timeout": "2000",
        "write_timeout": "1500",
        "keepalive_timeout": "60000",
        "linger_timeout": "3600000",
        "shutdown_timeout": "250",
        "startup_timeout": "86400000",
        "drain_delay": "2000",
        "drain_idle_timeout": "0",
        "max_requests": "10",
        "max_requests_jitter": "3",
        "max_memory": "536870912",
        "user": "root",
        "group": "0",
        "umask": "027",
        "pidfile": str(tmp_path / "run/x.pid"),
        "daemonize": "true",
        "error_log": str(tmp_path / "e.log"),
        "log_level": "debug",
    }


def test_command_line_wins_over_the_file(run: Run) -> None:
    settings = run(
        'app: "a", workers: 1, listen: "http://:1", log_level: error',
        ("APP", "app", "b:c"),
        ("--workers", "workers", "99"),
        ("--http", "listen", "http://:2"),
        ("--fastcgi", "listen", "fastcgi:///run/x"),
        ("--set", "log_level", "debug"),
    )
    assert {k: v for k, v in settings.items() if DEFAULTS.get(k) != v and k != "config_file"} == {
        "app": "b:c",
        "workers": "99",
        "listen.0.address": "0.0.0.0:2",
        "listen.1.protocol": "fastcgi",
        "listen.1.address": "unix:/run/x",
        "listen.1.backlog": "1024",
        "log_level": "debug",
    }


SET = [
    ("workers", "auto", "workers", DEFAULTS["workers"]),
    ("workers", '"auto"', "workers", DEFAULTS["workers"]),
    ("max_body_size", "10m", "max_body_size", "10485760"),
    ("max_body_size", "4096", "max_body_size", "4096"),
    ("header_timeout", "0.5s", "header_timeout", "500"),
    ("show_traceback", "true", "show_traceback", "true"),
    ("umask", "022", "umask", "022"),
    ("umask", "22", "umask", "022"),
    ("umask", "0o77", "umask", "077"),
    ("umask", "0", "umask", "0"),
    ("log_level", "WARN", "log_level", "warning"),
    ("app", "true", "app", "true"),
    ("app", '"x:y"', "app", "x:y"),
    ("error_log", "/v/e", "error_log", "/v/e"),
    ("pythonpath", "/a", "pythonpath.0", "/a"),
    ("pythonpath", '["/a", "/b"]', "pythonpath.1", "/b"),
    ("listen", "fastcgi://fd:0", "listen.0.address", "fd:0"),
    ("listen", "{address: 'unix:/x', protocol: 'http', mode: 0660}", "listen.0.mode", "0660"),
]


@pytest.mark.parametrize(("key", "written", "output", "value"), SET)
def test_set_takes_text_and_values_of_the_dialect(run: Run, key: str, written: str, output: str, value: str) -> None:
    assert run(None, ("--set", key, written))[output] == value


def test_paths_of_the_command_line_start_at_the_current_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    settings = run(
        'pidfile: "a.pid", pythonpath: ["lib"], listen: "http+unix:x.sock"',
        ("--pidfile", "pidfile", "b.pid"),
        name="conf/smisk.conf",
    )
    assert settings["pidfile"] == str(tmp_path / "b.pid")
    assert settings["pythonpath.0"] == str(tmp_path / "conf/lib")
    assert settings["listen.0.address"] == f"unix:{tmp_path}/conf/x.sock"


def test_autoreload_brings_defaults_for_development(run: Run) -> None:
    changed = {k: v for k, v in run(None, ("--reload", "autoreload", "true")).items() if DEFAULTS[k] != v}
    assert changed == {"autoreload": "true", "workers": "1", "show_traceback": "true", "shutdown_timeout": "100"}


def test_autoreload_keeps_what_is_said_but_no_long_shutdown(run: Run) -> None:
    settings = run("autoreload: true, workers: 3, show_traceback: false, shutdown_timeout: 20s")
    assert (settings["workers"], settings["show_traceback"], settings["shutdown_timeout"]) == ("3", "false", "100")
    assert run("autoreload: true, shutdown_timeout: 20ms")["shutdown_timeout"] == "20"
    assert run("autoreload: true, autoreload_timeout: 1h")["shutdown_timeout"] == "30000"


def test_autoreload_names_the_configuration_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.conf").write_text("workers: 2")
    settings = run('@include "sub/*.conf", autoreload: true')
    assert [settings["config_files.0"], settings["config_files.1"]] == [
        str(tmp_path / "smisk.conf"),
        str(tmp_path / "sub/b.conf"),
    ]


def test_file_of_1_1_is_handed_over_whatever_its_application_keeps_there(run: Run, tmp_path: Path) -> None:
    conf = """
    /* As it was in 2009. */
    'smisk.autoreload': true,
    'smisk.emergency_logfile': '/var/log/app/error.log',
    'smisk.mvc.model': {'url': 'sqlite://'},
    'shop.prices': [1, (2, 3)],
    'logging': {'levels': {'': WARN, 'shop': debug}},
    """
    settings = run(conf, name="app.conf")
    assert {key: value for key, value in settings.items() if DEFAULTS.get(key) != value} == {
        "config_file": str(tmp_path / "app.conf"),
        "logging": "true",
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("smisk.autorelod", "smisk.autoreload"),
        ("smisk.autoreload.module", "smisk.autoreload.modules"),
        ("smisk.mvc.show-traceback", "smisk.mvc.show_traceback"),
        ("smisk.emergency_logfiles", "smisk.emergency_logfile"),
    ],
)
def test_slip_in_a_key_of_smisk_is_told_with_the_nearest(fail: Fail, written: str, meant: str) -> None:
    assert fail(f"app: 'x',\n{written}: true") == [f'smisk.conf:2: unknown key "{written}"; did you mean "{meant}"?']


def test_other_keys_with_a_dot_are_never_slips(run: Run) -> None:
    assert run("smisk.shop.autoreload: 1, smiskautoreload.x: 2, shop.autorelod: 3")["interface"] == "auto"


def test_repeated_pythonpath_options_make_one_list(run: Run) -> None:
    settings = run('pythonpath: "/f"', ("--pythonpath", "pythonpath", "/a"), ("--pythonpath", "pythonpath", "/[b"))
    assert [settings["pythonpath.0"], settings["pythonpath.1"]] == ["/a", "/[b"]
    assert "pythonpath.2" not in settings


def test_bytes_that_are_not_utf8_come_back_as_they_came(run: Run) -> None:
    assert run(None, ("--pidfile", "pidfile", "/\udcff"))["pidfile"] == "/\udcff"


def test_included_paths_start_at_the_file_that_names_them(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.conf").write_text('pidfile: "x"')
    assert run('@include "sub/b.conf"')["pidfile"] == str(tmp_path / "sub/x")


def test_unknown_key_is_told_with_line_and_nearest(fail: Fail) -> None:
    conf = "\n" * 11 + "worker: 2,"
    assert fail(conf) == ['smisk.conf:12: unknown key "worker"; did you mean "workers"?']


UNKNOWN = [
    ("Workers: 1", 'unknown key "Workers"; did you mean "workers"?'),
    ("keep-alive-timeout: 1s", 'unknown key "keep-alive-timeout"; did you mean "keepalive_timeout"?'),
    (
        "zzz: 1",
        'unknown key "zzz"; an application\'s own keys have a dot in their name or stand in "application"',
    ),
    (
        "mail: {from: 1}",
        'unknown key "mail"; an application\'s own keys have a dot in their name (quoted as a whole)'
        ' or stand in "application"',
    ),
    ("access_log: 'x'", "access_log is not available in this version"),
    ("request_timeout: 1s", "request_timeout is not available in this version"),
]


@pytest.mark.parametrize(("conf", "message"), UNKNOWN)
def test_key_that_does_not_exist_is_refused(fail: Fail, conf: str, message: str) -> None:
    assert fail(conf) == ["smisk.conf:1: " + message]


def test_all_mistakes_are_told_in_the_order_of_their_lines(fail: Fail) -> None:
    assert fail("threads: 0,\nwrkers: 1,\nlisten: [],\nworkers: 0", ("--threads", "threads", "x")) == [
        '--threads: threads must be a whole number, not "x"',
        'smisk.conf:2: unknown key "wrkers"; did you mean "workers"?',
        "smisk.conf:3: listen must name at least one address",
        "smisk.conf:4: workers must be at least 1, not 0",
    ]


def test_syntax_error_and_missing_file_are_told(fail: Fail) -> None:
    assert fail("workers 2") == ['smisk.conf:1: expected ":" after "workers", not "2"']
    status, said = call(["conf=/nowhere/smisk.conf"])
    assert status == 2
    assert said["error"].startswith('cannot read "/nowhere/smisk.conf"')


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (("--set", "workrs", "1"), '--set: unknown key "workrs"; did you mean "workers"?'),
        (("--set", "a.b", "1"), '--set: "a.b" belongs to the application; it is set in the configuration file'),
        (
            ("--set", "logging", "{}"),
            '--set: "logging" belongs to the application; it is set in the configuration file',
        ),
        (("--set", "listen", '["x"'), '--set: listen: "[" is not closed; "]" is missing'),
        (("--workers", "workers", "0"), "--workers: workers must be at least 1, not 0"),
        (("--workers", "workers", "two"), '--workers: workers must be a whole number or "auto", not "two"'),
        (("--http", "listen", "http://a:x"), '--http: listen[0] has the port "x", which is not a number'),
    ],
)
def test_mistake_on_the_command_line_names_the_option(
    fail: Fail, override: tuple[str, str, str], message: str
) -> None:
    assert fail(None, override) == [message]


def test_right_value_on_the_command_line_hides_a_wrong_one_in_the_file(run: Run) -> None:
    assert run("workers: 0", ("--workers", "workers", "2"))["workers"] == "2"


def test_value_cannot_smuggle_a_setting_or_a_line(fail: Fail) -> None:
    assert fail(r'pidfile: "x\0workers\0009"') == ["smisk.conf:1: pidfile must not contain control characters"]
    assert fail(r'"a\nb": 1')[0].startswith(r'smisk.conf:1: unknown key "a\nb"; ')


def test_toml_gives_the_same_and_names_lines(run: Run, fail: Fail, tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    text = 'workers = 2\n"x.y" = 1\nheader_timeout = "5s"\n[[listen]]\naddress = "http+unix:x"\nmode = "0600"\n'
    settings = run(text, name="smisk.toml")
    assert settings["header_timeout"] == "5000"
    assert settings["listen.0.address"] == f"unix:{tmp_path}/x"
    assert settings["listen.0.mode"] == "0600"
    assert fail("\n[[listen]]\naddress = 'http+unix:x'\n\nmode = 600", name="smisk.toml") == [
        'smisk.toml:5: listen[0].mode must be octal: write 0600, or "0600" in TOML'
    ]
    assert fail("app = 'x'\nsmisk.autoreload = true", name="smisk.toml")[0].startswith("smisk.toml:2: unknown key")


def test_large_output_reaches_a_pipe_whole(run: Run) -> None:
    folders = [f"/{'x' * 200}/{i}" for i in range(300)]
    Path("smisk.conf").write_text(f"pythonpath: {folders!r}")
    program = "import sys; from smisk.host_config import main; sys.exit(main(sys.argv[1:], 1))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program, "conf=smisk.conf"]
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    assert done.stdout.count(b"pythonpath.") == 300


def test_import_brings_no_heavy_modules_along() -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]; before = set(sys.modules); import smisk.host_config;"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('smisk')))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, *filter(None, sys.path)], capture_output=True, check=True, text=True
    )
    light = {"__future__", "_collections_abc", "_stat", "genericpath", "os", "os.path", "posixpath", "stat"}
    assert set(done.stdout.split()) <= light
