# SPDX-License-Identifier: MIT
"""Each kind of value: what is taken, what is refused and how it is told."""

from pathlib import Path

import pytest
from smisk.config import ConfigurationError
from smisk.config.parser import parse
from smisk.host_config.resolve import Draft, resolve


def settings(conf: str, folder: Path) -> tuple[dict[str, object], list[ConfigurationError]]:
    return resolve(Draft(*parse(conf, "smisk.conf", str(folder))))


RIGHT = [
    ("header_timeout: 1ms", 1),
    ("header_timeout: 250ms", 250),
    ("header_timeout: '250ms'", 250),
    ("header_timeout: 10S", 10000),
    ("header_timeout: 5m", 300000),
    ("header_timeout: 1h", 3600000),
    ("header_timeout: 1d", 86400000),
    ("header_timeout: 0.25s", 250),
    ("startup_timeout: 0", 0),
    ("startup_timeout: '0'", 0),
    ("startup_timeout: 0s", 0),
    ("max_body_size: 1", 1),
    ("max_body_size: 64k", 65536),
    ("max_body_size: '64K'", 65536),
    ("max_body_size: 1.5m", 1572864),
    ("max_body_size: 1t", 1099511627776),
    ("max_body_size: '65536'", 65536),
    ("max_header_size: 1k", 1024),
    ("max_header_size: 16m", 16777216),
    ("workers: 1024", 1024),
    ("max_multiplexed: 65535", 65535),
    ("log_level: error", "error"),
    ("log_level: 'Warning'", "warning"),
    ("log_level: 50", "critical"),
    ("log_level: FATAL", "critical"),
    ("umask: 0", "0"),
    ("umask: 0o22", "022"),
    ("umask: '0777'", "0777"),
    ("umask: '77'", "077"),
    ("app: 'a'", "a"),
    ("app: 'a.b:c.d'", "a.b:c.d"),
    ("app: 'modulé'", "modulé"),
    ("app: 'a:b.c()'", "a:b.c()"),
    ("app: 'a:b(\"x:y\", z=[1])'", 'a:b("x:y", z=[1])'),
    ("user: 'root'", "root"),
    ("user: 1000", "1000"),
    ("group: '1000'", "1000"),
    ("error_log: 'stderr'", "stderr"),
    ("error_log: '/var/log/../x'", "/var/x"),
    ("pythonpath: '/a'", ["/a"]),
    ("pythonpath: []", []),
    ("trusted_proxies: []", []),
    ("trusted_proxies: 'unix'", ["unix"]),
    ("trusted_proxies: '10.0.0.1'", ["10.0.0.1"]),
    ("trusted_proxies: ['10.0.0.0/8', '10.0.0.1/32', '0.0.0.0/0']", ["10.0.0.0/8", "10.0.0.1", "0.0.0.0/0"]),
    ("trusted_proxies: ['2001:DB8::/32', '::1/128', '0:0::2']", ["2001:db8::/32", "::1", "::2"]),
    ("trusted_proxies: ['::ffff:10.0.0.1', '::ffff:10.0.0.0/104', '::/0']", ["10.0.0.1", "10.0.0.0/8", "::/0"]),
]


@pytest.mark.parametrize(("conf", "value"), RIGHT)
def test_right_value_is_resolved(conf: str, value: object, tmp_path: Path) -> None:
    resolved, errors = settings(conf, tmp_path)
    assert [str(error) for error in errors] == []
    assert resolved[conf.partition(":")[0]] == value


WRONG = [
    ("trusted_proxies: 7", "trusted_proxies must be a list of addresses and networks, not 7"),
    ("trusted_proxies: ''", "trusted_proxies must not be empty"),
    (
        "trusted_proxies: 'localhost'",
        'trusted_proxies must be an address, a network such as 10.0.0.0/8, or "unix", not "localhost"',
    ),
    (
        "trusted_proxies: ['::1', 'UNIX']",
        'trusted_proxies[1] must be an address, a network such as 10.0.0.0/8, or "unix", not "UNIX"',
    ),
    (
        "trusted_proxies: '10.0.0.0/33'",
        'trusted_proxies must be an address, a network such as 10.0.0.0/8, or "unix", not "10.0.0.0/33"',
    ),
    (
        "trusted_proxies: '10.0.0.0/255.0.0.0'",
        'trusted_proxies must be an address, a network such as 10.0.0.0/8, or "unix", not "10.0.0.0/255.0.0.0"',
    ),
    (
        "trusted_proxies: '10.0.0.0/'",
        'trusted_proxies must be an address, a network such as 10.0.0.0/8, or "unix", not "10.0.0.0/"',
    ),
    (
        "trusted_proxies: 'fe80::1%eth0'",
        'trusted_proxies must be an address, a network such as 10.0.0.0/8, or "unix", not "fe80::1%eth0"',
    ),
    (
        "trusted_proxies: '10.0.0.1:80'",
        'trusted_proxies must be an address, a network such as 10.0.0.0/8, or "unix", not "10.0.0.1:80"',
    ),
    (
        "trusted_proxies: '010.0.0.1'",
        'trusted_proxies must be an address, a network such as 10.0.0.0/8, or "unix", not "010.0.0.1"',
    ),
    (
        "trusted_proxies: '10.0.0.1/8'",
        'trusted_proxies has "10.0.0.1/8", whose address is within the network: write 10.0.0.0/8',
    ),
    ("trusted_proxies: [1]", "trusted_proxies[0] must be a string, not 1"),
    ("workers: 0", "workers must be at least 1, not 0"),
    ("workers: -1", "workers must be at least 1, not -1"),
    ("workers: 1025", "workers must be at most 1024, not 1025"),
    ("workers: 1.5", 'workers must be a whole number or "auto", not 1.5'),
    ("workers: '2'", 'workers must be a whole number or "auto", not "2"'),
    ("workers: true", 'workers must be a whole number or "auto", not true'),
    ("workers: [1]", 'workers must be a whole number or "auto", not a list'),
    ("workers: 1" + "0" * 300, "workers must be at most 1024, not a huge number"),
    ("threads: 0", "threads must be at least 1, not 0"),
    ("threads: 'auto'", 'threads must be a whole number, not "auto"'),
    ("max_headers: 0", "max_headers must be at least 1, not 0"),
    ("max_connections: -5", "max_connections must be at least 1, not -5"),
    ("max_multiplexed: 65536", "max_multiplexed must be at most 65535, not 65536"),
    ("header_timeout: 10", "header_timeout needs a unit: 10ms, 10s, 10m or 10h"),
    ("header_timeout: 1.5", "header_timeout needs a unit: 1.5ms, 1.5s, 1.5m or 1.5h"),
    ("header_timeout: 0", "header_timeout must be at least 1ms, not 0s"),
    ("header_timeout: 2d", "header_timeout must be at most 1d, not 2d"),
    ("header_timeout: '10'", 'header_timeout must be a duration such as 250ms, 10s, 5m or 1h, not "10"'),
    ("header_timeout: '10 s'", 'header_timeout must be a duration such as 250ms, 10s, 5m or 1h, not "10 s"'),
    ("header_timeout: 10k", 'header_timeout must be a duration such as 250ms, 10s, 5m or 1h, not "10k"'),
    ("header_timeout: -1s", 'header_timeout must be a duration such as 250ms, 10s, 5m or 1h, not "-1s"'),
    ("header_timeout: 0.5ms", 'header_timeout must be a duration such as 250ms, 10s, 5m or 1h, not "0.5ms"'),
    ("header_timeout: true", "header_timeout must be a duration such as 250ms, 10s, 5m or 1h, not true"),
    ("header_timeout: '٣s'", 'header_timeout must be a duration such as 250ms, 10s, 5m or 1h, not "٣s"'),
    ("max_header_size: 512", "max_header_size must be at least 1k, not 512"),
    ("max_header_size: 1023", "max_header_size must be at least 1k, not 1023"),
    ("max_header_size: 1g", "max_header_size must be at most 16m, not 1g"),
    ("max_body_size: 0", "max_body_size must be at least 1, not 0"),
    ("max_body_size: -1", "max_body_size must be at least 1, not -1"),
    ("max_body_size: 1.5", "max_body_size must be a size such as 64k, 1m or 1g, or a number of bytes, not 1.5"),
    ("max_body_size: 10s", 'max_body_size must be a size such as 64k, 1m or 1g, or a number of bytes, not "10s"'),
    ("max_body_size: '1mb'", 'max_body_size must be a size such as 64k, 1m or 1g, or a number of bytes, not "1mb"'),
    ("max_body_size: false", "max_body_size must be a size such as 64k, 1m or 1g, or a number of bytes, not false"),
    ("show_traceback: 1", "show_traceback must be true or false, not 1"),
    ("daemonize: 'true'", 'daemonize must be true or false, not "true"'),
    ("interface: 'cgi'", 'interface must be "auto" or "native" or "smisk" or "wsgi" or "asgi", not "cgi"'),
    ("root_path: 'shop'", 'root_path must be a path such as /shop, not "shop"'),
    ("root_path: '/a?b'", 'root_path must be a path such as /shop, not "/a?b"'),
    ("loop: 'trio'", 'loop must be "engine" or "uvloop" or "asyncio", not "trio"'),
    ("log_level: 'loud'", 'log_level must be debug, info, warning, error or critical, not "loud"'),
    ("log_level: NOTSET", "log_level must be debug, info, warning, error or critical, not 0"),
    ("log_level: true", "log_level must be debug, info, warning, error or critical, not true"),
    ("log_level: [1]", "log_level must be debug, info, warning, error or critical, not a list"),
    ("umask: 22", 'umask must be octal: write 022, or "022" in TOML'),
    ("umask: 0x12", 'umask must be an octal number from 0 to 0777, not "0x12"'),
    ("umask: 18", 'umask must be an octal number from 0 to 0777, not "18"'),
    ("umask: '8'", 'umask must be an octal number from 0 to 0777, not "8"'),
    ("umask: 01000", 'umask must be an octal number from 0 to 0777, not "01000"'),
    ("umask: -022", 'umask must be an octal number from 0 to 0777, not "-022"'),
    ("umask: ''", 'umask must be an octal number from 0 to 0777, not ""'),
    ("umask: false", "umask must be an octal number from 0 to 0777, not false"),
    ("app: ''", "app must not be empty"),
    ("app: 5", "app must be a string, not 5"),
    ("app: 'examples/hello'", 'app must be a module or module:attribute, not "examples/hello"'),
    ("app: 'a:b:c'", 'app must be a module or module:attribute, not "a:b:c"'),
    ("app: 'a.'", 'app must be a module or module:attribute, not "a."'),
    ("app: 'a-b'", 'app must be a module or module:attribute, not "a-b"'),
    ("app: 'a:b()()'", "app gives arguments that cannot be used: one pair of parentheses ends the name"),
    ("app: 'a:b(**{})'", "app gives arguments that cannot be used: ** is not possible here"),
    ("app: 'a()'", 'app must be a module, module:attribute or module:factory(…), not "a()"'),
    ("app: 'a:'", 'app must be a module or module:attribute, not "a:"'),
    ("chdir: '/no/where'", 'chdir names "/no/where", which does not exist'),
    ("chdir: '/dev/null'", 'chdir names "/dev/null", which is not a folder'),
    ("venv: '/no/where'", 'venv names "/no/where", which does not exist'),
    ("temp_dir: '/no/where'", 'temp_dir names "/no/where", which does not exist'),
    ("pidfile: true", "pidfile must be a string, not true"),
    (r"pidfile: 'a\nb'", "pidfile must not contain control characters"),
    ("pythonpath: 5", "pythonpath must be a list of folders, not 5"),
    ("pythonpath: ['/a', 5]", "pythonpath[1] must be a string, not 5"),
    ("user: 'no-such-user'", 'user names the user "no-such-user", which does not exist'),
    ("group: 'no-such-group'", 'group names the group "no-such-group", which does not exist'),
    ("user: 4294967295", 'user must be a user name or number, not "4294967295"'),
    ("user: -1", "user must be a string, not -1"),
    ("logging: 'x'", 'logging must be a mapping, not "x"'),
    ("application: []", "application must be a mapping, not a list"),
    ("pidfile: '/x', error_log: '/x'", 'pidfile and error_log are the same file, "/x"'),
]


@pytest.mark.parametrize(("conf", "message"), WRONG)
def test_wrong_value_is_refused_with_what_would_be_right(conf: str, message: str, tmp_path: Path) -> None:
    errors = settings("\n\n" + conf, tmp_path)[1]
    assert [str(error) for error in errors] == ["smisk.conf:3: " + message]


def test_item_of_a_list_is_told_on_its_own_line(tmp_path: Path) -> None:
    errors = settings("pythonpath: [\n'/a',\n5,\n]", tmp_path)[1]
    assert [str(error) for error in errors] == ["smisk.conf:3: pythonpath[1] must be a string, not 5"]


def test_home_folder_is_written_as_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/x")
    assert settings("pidfile: '~/a.pid'", tmp_path)[0]["pidfile"] == "/home/x/a.pid"


def test_app_as_a_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("")
    for attribute in ("answer", "make('a:b')"):
        resolved, errors = settings(f'app: "hello.py:{attribute}"', tmp_path)
        assert errors == []
        assert resolved["app"] == f"{tmp_path}/hello.py:{attribute}"


def test_app_as_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    errors = settings("app: 'hello.py'", tmp_path)[1]
    assert len(errors) == 1
    assert str(errors[0]).startswith('smisk.conf:1: app names "/')
    assert str(errors[0]).endswith(", which is not a file")
