# SPDX-License-Identifier: MIT
"""The walls of the house, measured on the sources and on what is built from them.

Every measure is also shown something that breaks its rule, so that none of them can be blind.
"""

import re
from pathlib import Path

import pytest

from lib.walls import calls, floors, sizes, symbols
from lib.walls.source import ROOT, c_files

HOST = c_files()
PYLIB = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / "pylib").rglob("*.py"))}
LOWER_FLOORS = ("base", "net", "proto", "engine")


def test_host_has_every_floor():
    assert {path.split("/")[1] for path in HOST} == set(floors.BELOW)


# --- includes ---


def test_includes_go_down_only():
    assert [line for path, text in HOST.items() for line in floors.wrong_includes(path, text)] == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("host/base/log.c", '#include "net/loop.h"'),
        ("host/net/conn.c", '#include "proto/http1.h"'),
        ("host/proto/http1.c", '#include "net/conn.h"'),
        ("host/engine/engine.c", '#include "py/module.h"'),
        ("host/engine/engine.c", "#include <Python.h>"),
        ("host/main.c", "  #  include <Python.h>"),
        ("host/net/conn.c", '#include "../engine/app.h"'),
        ("host/net/conn.c", '#include "loop.h"'),
    ],
)
def test_includes_upward_or_sideways_are_found(path, line):
    assert len(floors.wrong_includes(path, f"{line}\n")) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("host/engine/engine.c", '#include "net/loop.h"'),
        ("host/py/module.c", "#include <Python.h>"),
        ("host/main.c", '#include "config.h"'),
        ("host/base/log.c", '// #include "net/loop.h"'),
    ],
)
def test_includes_downward_are_fine(path, line):
    assert floors.wrong_includes(path, f"{line}\n") == []


# --- rooms of calls ---


@pytest.mark.parametrize("room", calls.ROOMS, ids=lambda room: room.what)
def test_calls_stay_in_their_room(room):
    assert [line for path, text in HOST.items() for line in calls.calls_outside(room, path, text)] == []


@pytest.mark.parametrize("room", calls.ROOMS, ids=lambda room: room.what)
def test_rooms_are_all_in_use(room):
    assert calls.places_without_use(room, HOST) == []


VIOLATIONS = {
    "epoll": "int n = epoll_wait(fd, events, 64, -1);",
    "processes": "pid_t pid = fork();",
    "interpreter": "Py_FinalizeEx();",
    "client bytes": "n = recv(fd, data, len, 0);",
    "new clients": "fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);",
    "sockets": "fd = socket(AF_INET, SOCK_STREAM, 0);",
    "standard error": 'fprintf(stderr, "%s", text);',
    "standard output": 'printf("%s", text);',
    "reads and writes": "n = write(fd, data, len);",
}


@pytest.mark.parametrize("room", calls.ROOMS, ids=lambda room: room.what)
def test_calls_outside_their_room_are_found(room):
    assert calls.calls_outside(room, "host/engine/elsewhere.c", f"{VIOLATIONS[room.what]}\n") != []


@pytest.mark.parametrize(
    ("function", "call", "found"),
    [
        ("sm_master_report", "write(fd, data, len);", 0),
        ("sm_worker_answer", "write(fd, data, len);", 1),
        ("sm_master_report", "send(fd, data, len, 0);", 1),
        ("sm_master_report", "readv(fd, iov, 2);", 1),
        ("sm_master_report", "accept(fd, NULL, NULL);", 1),
    ],
)
def test_calls_that_belong_to_a_function_are_found_elsewhere_in_its_file(function, call, found):
    text = f"static int {function}(int fd) {{\n    {call}\n}}\n"
    assert sum(len(calls.calls_outside(room, "host/engine/master.c", text)) for room in calls.ROOMS) == found


def test_places_without_use_are_found():
    room = calls.Room("processes", "fork", ("engine/master.c", "net/old.c", "engine/master.c:sm_gone"))
    files = {"host/engine/master.c": "int sm_start(void) {\n    return fork();\n}\n"}
    assert calls.places_without_use(room, files) == ["net/old.c", "engine/master.c:sm_gone"]


@pytest.mark.parametrize(
    "line",
    ["protocol->send(exchange);", "app.fork();", "// fork() is the master's", 'log("stderr");', "sm_epoll_wait();"],
)
def test_calls_that_only_look_alike_are_fine(line):
    assert [
        found for room in calls.ROOMS for found in calls.calls_outside(room, "host/engine/x.c", f"{line}\n")
    ] == []


# --- the engine knows no interface ---


def test_engine_names_no_interface():
    engine = {path: text for path, text in HOST.items() if path.startswith("host/engine/")}
    assert [line for path, text in engine.items() for line in floors.interface_names(path, text)] == []
    assert [path for path in engine if re.search("wsgi|asgi|python", path)] == []


@pytest.mark.parametrize(
    "code", ["if (is_wsgi) {", "struct sm_asgi_scope *scope;", "start_python();", "smpy_call(x);"]
)
def test_engine_naming_an_interface_is_found(code):
    assert len(floors.interface_names("host/engine/x.c", code)) == 1


def test_engine_may_pass_the_pythonpath_on():
    assert floors.interface_names("host/engine/x.c", "settings->pythonpath; // for wsgi") == []


# --- the protocols are pure ---


def test_proto_takes_nothing_but_bytes(tmp_path):
    objects = {}
    for floor in ("base", "proto"):
        for source in sorted((ROOT / "host" / floor).glob("*.c")):
            objects[f"{floor}/{source.name}"] = symbols.read_symbols(
                symbols.compile_object(source, tmp_path, [ROOT / "host"])
            )
    roots = [key for key in objects if key.startswith("proto/")]
    assert roots
    assert symbols.impurities(roots, objects) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("#include <stdlib.h>\nvoid *f(void) { return malloc(8); }", "needs malloc"),
        ("#include <errno.h>\nint f(void) { return errno; }", "needs __errno_location"),
        ("#include <time.h>\nlong f(void) { return time(NULL); }", "needs time"),
        ("int count; int f(void) { return ++count; }", "writable count"),
        ("int f(void) { static int n = 7; return ++n; }", "writable n."),
    ],
)
def test_proto_impurities_are_found(tmp_path, code, found):
    source = tmp_path / "snippet.c"
    source.write_text(code)
    objects = {"snippet": symbols.read_symbols(symbols.compile_object(source, tmp_path))}
    assert any(found in line for line in symbols.impurities(["snippet"], objects))


def test_proto_impurity_behind_a_lower_floor_is_found():
    objects = {
        "proto/a.c": symbols.Symbols(frozenset({"a"}), frozenset({"b", "memcpy"}), frozenset()),
        "base/b.c": symbols.Symbols(frozenset({"b"}), frozenset({"write"}), frozenset()),
    }
    assert symbols.impurities(["proto/a.c"], objects) == ["base/b.c: needs write"]


# --- tests of the lower floors know no Python ---


@pytest.mark.parametrize("floor", LOWER_FLOORS)
def test_c_tests_of_the_lower_floors_link_without_libpython(floor):
    folder = ROOT / "build" / "debug" / "tests" / "c" / floor
    programs = [path for path in folder.glob("test_*") if path.is_file() and not path.suffix]
    assert programs, f"nothing in {folder}: run scripts/setup"
    libraries = {name for program in programs for name in symbols.needed_libraries(program)}
    assert [name for name in libraries if "python" in name] == []


def test_libpython_in_a_program_is_found():
    assert any("python" in name for name in symbols.needed_libraries(ROOT / "build" / "debug" / "host" / "smiskd"))


# --- sizes ---


def test_files_and_functions_are_short():
    assert [line for path, text in {**HOST, **PYLIB}.items() for line in sizes.too_long(path, text)] == []


def test_main_is_at_most_150_lines():
    assert HOST["host/main.c"].count("\n") <= 150


def test_c_functions_are_measured():
    text = (
        "// one\nint short_one(int a) {\n    return a;\n}\n\nstruct s {\n    int x;\n};\n\n"
        'static const char *\nlong_one(const char *text,\n         int n) {\n    if (n) { puts("}"); }\n    return text;\n}\n'
    )
    assert sizes.c_functions(text) == [("short_one", 2, 3), ("long_one", 10, 6)]


@pytest.mark.parametrize("lines", [sizes.FUNCTION_LINES, sizes.FUNCTION_LINES + 1])
def test_functions_over_the_limit_are_found(lines):
    c = "int f(void) {\n" + "    g();\n" * (lines - 2) + "}\n"
    python = "def f():\n" + "    g()\n" * (lines - 1)
    expected = int(lines > sizes.FUNCTION_LINES)
    assert len(sizes.too_long("host/base/x.c", c)) == expected
    assert len(sizes.too_long("pylib/smisk/x.py", python)) == expected


def test_files_over_the_limit_are_found():
    assert sizes.too_long("host/base/x.c", "int x;\n" * (sizes.FILE_LINES + 1)) == ["host/base/x.c: 601 lines"]


# --- what is installed ---


def listed(build: str) -> set[str]:
    return set(re.findall(r"'((?:smisk|_smisk)[\w/]*\.(?:pyi?|typed))'", build))


def test_pylib_is_installed_whole():
    folder = ROOT / "pylib"
    files = {
        str(path.relative_to(folder))
        for suffix in ("py", "pyi", "typed")
        for path in Path(folder).rglob(f"*.{suffix}")
    }
    assert listed((folder / "meson.build").read_text()) == files


def test_pylib_files_that_are_not_listed_are_found():
    assert listed("py.install_sources('smisk/__init__.py', 'smisk/py.typed')") == {
        "smisk/__init__.py",
        "smisk/py.typed",
    }
