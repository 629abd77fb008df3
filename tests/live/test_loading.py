# SPDX-License-Identifier: MIT
"""From the text of `app` to what is served, as `smiskd -t` tells it: every form of naming, factories, interfaces, the
frameworks that people use, and the words for what cannot be served. More forms of callables: tests/py/test_host_app_choice.py.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.daemon import Smiskd, run_smiskd
from lib.http import RawHTTP, get

EXIT_OK, EXIT_APP, EXIT_CONFIG = 0, 1, 2
HTTP = ("--workers", "1", "--http", "127.0.0.1:0")

# What the plan of -t, or the refusal of an interface that this version lacks, calls each kind.
SAID = {
    "native": r"\(interface native\)",
    "async": r"\(interface (native|async)\)|is an asynchronous handler",
    "wsgi": r"\(interface wsgi\)|is a WSGI application \(a callable",
    "asgi": r"\(interface asgi\)|is an ASGI application \(an async def",
}


def check(folder: Path, text: str, app: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`smiskd -t` on the module `shop` of this text."""
    (folder / "shop.py").write_text(text, encoding="utf-8")
    return run_smiskd("-t", *options, app, cwd=folder)


def is_found(done: subprocess.CompletedProcess[str], kind: str) -> bool:
    """Whether it says that the application is of this kind."""
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "served as" not in line]
    return re.search(SAID[kind], "\n".join(lines)) is not None


SHOP = """
import functools

def native(request): return "native"
async def anative(request): return "anative"
def wsgi(environ, start_response): return []
async def asgi(scope, receive, send): pass
def passed_on(scope, receive, send): return asgi(scope, receive, send)
def optional(request, database=None): return "optional"
def anything(*args): return []

def passing(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

decorated = passing(wsgi)

class Native:
    def method(self, request): return "method"
    def __call__(self, request): return "instance"

class Asgi:
    async def __call__(self, scope, receive, send): pass

class Site:
    app = Asgi()
    handler = Native()

site = Site()
instance = Native()
constant = 5

def create_app(name="plain", *, debug=False):
    print(f"made {name} {debug}")
    return wsgi if name == "wsgi" else native

def build(): return wsgi
def build_asgi(): return Asgi()
def make_app(config): return wsgi
def nothing(): pass
def number(): return 5
async def later(): return wsgi
def broken(): return {}["no such setting"]
def again(): return build
"""

# --- every form of a name ---

NAMED = {
    "shop:native": "native",
    "shop:anative": "async",
    "shop:wsgi": "wsgi",
    "shop:asgi": "asgi",
    "shop:passed_on": "asgi",
    "shop:optional": "native",
    "shop:anything": "wsgi",
    "shop:decorated": "wsgi",
    "shop:instance": "native",
    "shop:instance.method": "native",
    "shop:site.app": "asgi",
    "shop:Site.handler.method": "native",
    "shop:Native()": "native",
    "shop:Asgi()": "asgi",
    "shop:build": "wsgi",
    "shop:build()": "wsgi",
    "shop:build_asgi": "asgi",
    "shop:create_app": "native",
    "shop:create_app()": "native",
    'shop:create_app("wsgi")': "wsgi",
    'shop:create_app("a:b(c).py")': "native",
    "shop:make_app({'a': [1, 2.5, None]})": "wsgi",
    "shop.py:native": "native",
    "./shop.py:create_app('wsgi', debug=True)": "wsgi",
}


@pytest.mark.parametrize("app", NAMED)
def test_named_application_is_found_with_its_interface(tmp_path: Path, app: str) -> None:
    done = check(tmp_path, SHOP, app)
    assert is_found(done, NAMED[app]), done.stderr


def test_file_in_folder_with_colon_and_parentheses_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "a:b" / "c(d)"
    folder.mkdir(parents=True)
    done = check(folder, SHOP, "shop.py:create_app('wsgi')")
    assert is_found(done, "wsgi"), done.stderr


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("def application(environ, start_response): pass\ndef app(request): pass\n", "wsgi"),
        ("async def app(scope, receive, send): pass\ndef handle(request): pass\n", "asgi"),
        ("application = 5\ndef handle(request): pass\n", "native"),
        ("def handle(*args, **kwargs): pass\n", "native"),
    ],
)
def test_usual_names_come_in_their_order(tmp_path: Path, text: str, kind: str) -> None:
    assert is_found(check(tmp_path, text, "shop"), kind)


def test_class_under_a_usual_name_says_how_to_name_its_instance(tmp_path: Path) -> None:
    done = check(tmp_path, "class app:\n    async def __call__(self, scope, receive, send): pass\n", "shop")
    assert done.returncode == EXIT_APP
    assert "app: shop:app is a class: to serve an instance of it, name it as shop:app()" in done.stderr


# --- factories ---


def test_factory_gets_its_arguments_and_they_are_not_shown(tmp_path: Path) -> None:
    done = check(tmp_path, SHOP, 'shop:create_app("s3cret", debug=True)')
    assert done.returncode == EXIT_OK
    assert "made s3cret True" in done.stdout + done.stderr
    assert "app: shop:create_app(…) (interface native)" in done.stdout + done.stderr


def test_factory_without_parentheses_is_called_and_told(tmp_path: Path) -> None:
    done = check(tmp_path, SHOP, "shop:create_app")
    assert done.returncode == EXIT_OK
    assert (
        "info: app: shop:create_app needs no arguments: it is called as a factory, shop:create_app()" in done.stderr
    )
    assert "app: shop:create_app() (interface native)" in done.stdout + done.stderr


def test_factory_serves_what_it_makes(smiskd: Callable[..., Smiskd], tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "smisk.conf").write_text("app: 'shop.py:create_app(\"x\")', listen: 'http://127.0.0.1:0', workers: 1")
    daemon = smiskd("-c", "smisk.conf", cwd=tmp_path)
    with RawHTTP(daemon.http) as raw:
        assert raw.request(get("/")).body == b"native"


WRONG_FACTORIES = {
    "shop:nothing()": "app: shop:nothing() returned None, not an application; does it end with `return app`?",
    "shop:nothing": "app: shop:nothing() returned None, not an application; does it end with `return app`?",
    "shop:number()": "app: shop:number() returned int, which cannot be called and so is no application",
    "shop:later": "app: shop:later is an async def that takes no arguments: a factory is called before",
    "shop:later()": "app: shop:later() is an async def: a factory is called before",
    "shop:broken()": "app: shop:broken() failed: KeyError: 'no such setting'",
    "shop:broken": "app: shop:broken() failed: KeyError: 'no such setting'",
    "shop:make_app": "name it with its arguments, as shop:make_app(…)",
    "shop:make_app()": "app: shop:make_app() failed: TypeError: make_app() missing 1 required positional argument",
    "shop:again()": "app: shop:again() is not an application: it takes ()",
    "shop:again": "app: shop:again() is not an application: it takes ()",
    "shop:constant": "app: shop:constant is int, which cannot be called and so is no application",
    "shop:constant()": "app: shop:constant is int, which cannot be called and so is no application",
    "shop:created_app()": '(did you mean "create_app"?)',
}


@pytest.mark.parametrize("app", WRONG_FACTORIES)
def test_factory_that_makes_nothing_is_refused_with_reason(tmp_path: Path, app: str) -> None:
    done = check(tmp_path, SHOP, app)
    assert done.returncode == EXIT_APP
    assert WRONG_FACTORIES[app] in done.stderr
    assert ("Traceback" in done.stderr) == ("broken" in app), done.stderr


def test_async_factory_leaves_no_warning(tmp_path: Path) -> None:
    assert "never awaited" not in check(tmp_path, SHOP, "shop:later()").stderr


@pytest.mark.parametrize(
    ("app", "word"),
    [
        ("shop:create_app(os.getpid())", "argument 1 is not a literal"),
        ("shop:create_app(", "cannot be read as Python"),
        ("shop:create_app().app", "one pair of parentheses"),
        ("shop:()", 'must be a module, module:attribute or module:factory(…), not "shop:()"'),
        ("shop()", "must be a module, module:attribute or module:factory(…)"),
    ],
)
def test_call_that_is_none_is_an_error_of_the_configuration(tmp_path: Path, app: str, word: str) -> None:
    done = check(tmp_path, "print('imported')\n" + SHOP, app)
    assert done.returncode == EXIT_CONFIG
    assert word in done.stderr
    assert "imported" not in done.stdout + done.stderr


def test_module_with_only_a_factory_says_how_to_name_it(tmp_path: Path) -> None:
    done = check(tmp_path, "def create_app(): pass\n", "shop")
    assert done.returncode == EXIT_APP
    assert "none of application, app, handle: name its factory as shop:create_app()" in done.stderr


# --- interfaces ---


@pytest.mark.parametrize(
    ("interface", "app", "kind"),
    [
        ("native", "shop:native", "native"),
        ("native", "shop:anative", "async"),
        ("native", "shop:anything", "native"),
        ("wsgi", "shop:wsgi", "wsgi"),
        ("wsgi", "shop:anything", "wsgi"),
        ("asgi", "shop:anything", "asgi"),
        ("asgi", "shop:passed_on", "asgi"),
        ("wsgi", "shop:create_app('wsgi')", "wsgi"),
        ("wsgi", "shop:build", "wsgi"),
    ],
)
def test_configured_interface_is_believed(tmp_path: Path, interface: str, app: str, kind: str) -> None:
    assert is_found(check(tmp_path, SHOP, app, "--interface", interface), kind)


@pytest.mark.parametrize(
    ("interface", "app", "words"),
    [
        (
            "wsgi",
            "shop:asgi",
            "is an async def that takes (scope, receive, send), so it can never be called as a WSGI",
        ),
        ("wsgi", "shop:asgi", "it looks like an ASGI application: set interface to asgi or auto"),
        ("asgi", "shop:build()", "it looks like a WSGI application: set interface to wsgi or auto"),
        ("native", "shop:wsgi", "it looks like a WSGI application: set interface to wsgi or auto"),
    ],
)
def test_configured_interface_that_can_never_work_is_refused(
    tmp_path: Path, interface: str, app: str, words: str
) -> None:
    done = check(tmp_path, SHOP, app, "--interface", interface)
    assert done.returncode == EXIT_APP
    assert words in done.stderr


def test_what_could_be_both_is_told(tmp_path: Path) -> None:
    told = "served as a WSGI application (found by its signature; set interface to override)"
    assert told in check(tmp_path, SHOP, "shop:anything").stderr
    assert "found by its signature" not in check(tmp_path, SHOP, "shop:wsgi").stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "def app(a, b, c, d): pass\n",
            "takes (a, b, c, d), which fits no interface: a native handler takes (request)",
        ),
        ("def app(scope): pass\n", "as ASGI 2 applications do; ASGI 3 is served"),
        ("async def app(environ, start_response): pass\n", "a WSGI application cannot be asynchronous"),
    ],
)
def test_what_fits_nothing_is_refused_with_advice(tmp_path: Path, text: str, words: str) -> None:
    done = check(tmp_path, text, "shop")
    assert done.returncode == EXIT_APP
    assert words in done.stderr


def test_plain_handler_costs_no_import(tmp_path: Path) -> None:
    text = "import sys\ndef handle(request): pass\n"
    text += "def application_will_start(): print('imported', 'inspect' in sys.modules, 'ast' in sys.modules)\n"
    done = check(tmp_path, text, "shop")
    assert "imported False False" in done.stdout + done.stderr


# --- frameworks ---

DJANGO = (
    "from django.conf import settings\nsettings.configure(ROOT_URLCONF=__name__, SECRET_KEY='x')\nurlpatterns = []\n"
)
FRAMEWORKS = {
    "flask": ("from flask import Flask\napp = Flask(__name__)\n", "app", "wsgi"),
    "flask's method": ("from flask import Flask\napp = Flask(__name__)\n", "app.wsgi_app", "wsgi"),
    "flask's factory": ("from flask import Flask\ndef create_app(config=None): return Flask(__name__)\n", "create_app", "wsgi"),
    "django": (DJANGO + "from django.core.wsgi import get_wsgi_application as get\napp = get()\n", "app", "wsgi"),
    "django's factory": (DJANGO + "from django.core.wsgi import get_wsgi_application as get\n", "get", "wsgi"),
    "django asgi": (DJANGO + "from django.core.asgi import get_asgi_application as get\napp = get()\n", "app", "asgi"),
    "channels": (DJANGO + "from channels.routing import ProtocolTypeRouter\napp = ProtocolTypeRouter({})\n", "app", "asgi"),
    "fastapi": ("from fastapi import FastAPI\napp = FastAPI()\n", "app", "asgi"),
    "starlette": ("from starlette.applications import Starlette\napp = Starlette()\n", "app", "asgi"),
    "starlette's middleware": (
        "from starlette.applications import Starlette\nfrom starlette.middleware.gzip import GZipMiddleware\n"
        "app = GZipMiddleware(Starlette())\n",
        "app",
        "asgi",
    ),
    "starlette's endpoint": (
        "from starlette.endpoints import HTTPEndpoint\nclass Page(HTTPEndpoint): pass\n", "Page", "asgi",
    ),
    "litestar": ("from litestar import Litestar\napp = Litestar()\n", "app", "asgi"),
    "falcon": ("import falcon\napp = falcon.App()\n", "app", "wsgi"),
    "falcon asgi": ("import falcon.asgi\napp = falcon.asgi.App()\n", "app", "asgi"),
    "bottle": ("import bottle\napp = bottle.Bottle()\n", "app", "wsgi"),
    "bottle's default": ("import bottle\napp = bottle.default_app\n", "app", "wsgi"),
    "pyramid": ("from pyramid.config import Configurator\napp = Configurator().make_wsgi_app()\n", "app", "wsgi"),
    "quart": ("from quart import Quart\napp = Quart(__name__)\n", "app", "asgi"),
    "blacksheep": ("from blacksheep import Application\napp = Application()\n", "app", "asgi"),
    "connexion": ("import connexion\napp = connexion.AsyncApp(__name__)\n", "app", "asgi"),
    "asgiref": ("from asgiref.wsgi import WsgiToAsgi\napp = WsgiToAsgi(lambda environ, start_response: [])\n", "app", "asgi"),
    "a2wsgi": ("import a2wsgi\nasync def asgi(s, r, d): pass\napp = a2wsgi.ASGIMiddleware(asgi)\n", "app", "wsgi"),
    "a2wsgi reversed": ("import a2wsgi\napp = a2wsgi.WSGIMiddleware(lambda e, s: [])\n", "app", "asgi"),
    "werkzeug's decorator": (
        "from werkzeug.wrappers import Request\n@Request.application\ndef app(request): pass\n", "app", "wsgi",
    ),
    "webob's decorator": ("from webob.dec import wsgify\n@wsgify\ndef app(request): pass\n", "app", "wsgi"),
    "wsgiref": ("from wsgiref.validate import validator\napp = validator(lambda e, s: [])\n", "app", "wsgi"),
}  # fmt: skip


def framework_of(text: str) -> list[str]:
    """The packages that a module imports."""
    return re.findall(r"^(?:from|import) ([\w.]+)", text, re.MULTILINE)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_application_of_framework_is_found_with_its_interface(tmp_path: Path, name: str) -> None:
    text, attribute, kind = FRAMEWORKS[name]
    for package in framework_of(text):
        pytest.importorskip(package.partition(".")[0])
    done = check(tmp_path, text, f"shop:{attribute}")
    assert is_found(done, kind), done.stderr
