# SPDX-License-Identifier: MIT
"""Real web servers in front of smiskd, started from the very files in examples/deploy.

Each file is used as it stands, except that its addresses and folders are replaced by the test's; a replacement that finds
nothing to replace is an error, so that file and test cannot drift apart. What belongs to the machine and not to the
site (pid files, logs, temporary folders) is written here around it. Owns: the processes, which are ended by their ids.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lib import process
from lib.daemon import Address, environment
from lib.log import Log
from lib.wait import until

__all__ = ["Front", "cgi_fcgi", "example", "free_port", "program", "start_example", "start_front"]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DEPLOY = EXAMPLES / "deploy"
START_SECONDS = 15.0
SITE_SOCKET = "/run/smisk/site.sock"


def program(name: str) -> str:
    """Path of an installed program; skips the test, saying so, when there is none."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def example(name: str, replace: Mapping[str, str], folder: Path = DEPLOY) -> str:
    """Text of a file below examples/deploy, or `folder`, with the test's values in place of the example's."""
    text = (folder / name).read_text()
    for old, new in replace.items():
        assert old in text, f"{name} has no {old!r} to replace"
        text = text.replace(old, new)
    return text


@dataclass
class Front:
    """A running front server, in a folder of its own, listening at `port` of 127.0.0.1."""

    name: str
    folder: Path
    port: int = field(default_factory=free_port)
    running: "subprocess.Popen[bytes] | None" = None
    log: Log | None = None
    public: Path | None = None  # a folder that everybody may enter, removed at the end

    @property
    def files(self) -> Path:
        """The folder whose files one of the kinds `…-files` may send; not made by it."""
        return (self.public or self.folder) / "files"

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect."""
        return "127.0.0.1", self.port

    def url(self, path: str) -> str:
        """An http:// URL of this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def write(self, name: str, text: str) -> Path:
        """Writes a file into the server's folder."""
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, *command: str) -> None:
        """Starts the server's program and waits until it accepts connections."""
        self.running = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment({"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.running.stderr is not None
        self.log = Log(self.running.stderr)
        until(self._accepts, f"{self.name} accepts connections", START_SECONDS)

    def _accepts(self) -> bool:
        assert self.running is not None
        assert self.running.poll() is None, f"{self.name} ended at its start:\n{self.everything()}"
        try:
            socket.create_connection(self.address, 1.0).close()
        except OSError:
            return False
        return True

    def everything(self) -> str:
        """Its stderr and its log files, for a failure's report."""
        said = [f"--- {self.name}: stderr\n{self.log}"]
        said += [f"--- {path.name}\n{path.read_text(errors='replace')}" for path in self.folder.glob("*.log")]
        return "\n".join(said)

    def stop(self) -> None:
        """Ends the server and everything it started. Does nothing to one that never ran."""
        if self.public is not None:
            shutil.rmtree(self.public)
        if self.running is None:
            return
        self.running.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.running.wait(10.0)
        for pid in process.in_session(self.running.pid):
            os.kill(pid, signal.SIGKILL)
        self.running.wait(10.0)
        until(lambda: not process.in_session(self.running.pid if self.running else 0), f"{self.name} has ended")


def start_front(kind: str, folder: Path, upstream: Address) -> Front:
    """Starts one of STARTERS in `folder` (made if needed) before the smiskd that listens at `upstream`."""
    folder.mkdir(parents=True, exist_ok=True)
    front = Front(kind, folder)
    try:
        STARTERS[kind](front, upstream)
    except BaseException:
        front.stop()
        raise
    return front


def cgi_fcgi(upstream: Address) -> list[str]:
    """The command that makes one CGI request of a FastCGI application (libfcgi's bridge)."""
    target = upstream if isinstance(upstream, str) else f"{upstream[0]}:{upstream[1]}"
    return [program("cgi-fcgi"), "-bind", "-connect", target]


def _where(upstream: Address) -> str:
    return upstream if isinstance(upstream, str) else f"{upstream[0]}:{upstream[1]}"


# --- nginx ---


def _nginx_folders(front: Front) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"    {kind}_temp_path {front.folder}/{kind};\n" for kind in kinds)


def _nginx(front: Front, site: str) -> None:
    front.write("site.conf", site)
    main = (
        f"daemon off;\npid {front.folder}/nginx.pid;\nworker_processes 1;\nerror_log stderr info;\n"
        + ("user root;\n" if os.geteuid() == 0 else "")
        + "events { worker_connections 256; }\n"
        + f"http {{\n    access_log off;\n{_nginx_folders(front)}    include site.conf;\n}}\n"
    )
    config = front.write("nginx.conf", main)
    front.run(program("nginx"), "-p", str(front.folder), "-e", "stderr", "-c", str(config))


def _nginx_fastcgi(front: Front, upstream: Address) -> None:
    where = f"unix:{upstream}" if isinstance(upstream, str) else _where(upstream)
    listen = {"listen 80;": f"listen 127.0.0.1:{front.port};"}
    _nginx(front, example("nginx/fastcgi.conf", {f"unix:{SITE_SOCKET}": where, **listen}))


def _nginx_fastcgi_close(front: Front, upstream: Address) -> None:
    where = f"unix:{upstream}" if isinstance(upstream, str) else _where(upstream)
    listen = {"listen 80;": f"listen 127.0.0.1:{front.port};"}
    without = {"fastcgi_keep_conn on;": "fastcgi_keep_conn off;", "    keepalive 32;": "    "}
    _nginx(front, example("nginx/fastcgi.conf", {f"unix:{SITE_SOCKET}": where, **listen, **without}))


def _nginx_proxy(front: Front, upstream: Address) -> None:
    listen = {"listen 80;": f"listen 127.0.0.1:{front.port};"}
    _nginx(front, example("nginx/proxy.conf", {"127.0.0.1:8080": _where(upstream), **listen}))


def _nginx_stock(front: Front, upstream: Address, more: str = "") -> None:
    """As nginx ships it: its own fastcgi_params, in which SCRIPT_NAME is the whole path."""
    where = f"unix:{upstream}" if isinstance(upstream, str) else _where(upstream)
    own = Path("/etc/nginx/fastcgi_params")
    if not own.exists():
        pytest.skip(f"no {own}")
    location = f"location / {{ fastcgi_pass {where}; include {own}; {more} }}"
    _nginx(front, f"server {{ listen 127.0.0.1:{front.port}; {location} }}\n")


def _nginx_both(front: Front, upstream: Address) -> None:
    _nginx_stock(front, upstream, "fastcgi_param PATH_INFO $fastcgi_script_name;")


def _nginx_files(front: Front, upstream: Address) -> None:
    """As in examples/deploy, and a folder that X-Accel-Redirect may lead to."""
    where = f"unix:{upstream}" if isinstance(upstream, str) else _where(upstream)
    listen = {"listen 80;": f"listen 127.0.0.1:{front.port}; location /files/ {{ internal; root {front.folder}; }}"}
    _nginx(front, example("nginx/fastcgi.conf", {f"unix:{SITE_SOCKET}": where, **listen}))


# --- lighttpd ---


def _lighttpd(front: Front, name: str, upstream: Address, replace: Mapping[str, str]) -> None:
    if isinstance(upstream, str):
        where = {SITE_SOCKET: upstream}
    else:
        where = {f'"socket" => "{SITE_SOCKET}"': f'"host" => "{upstream[0]}", "port" => {upstream[1]}'}
    front.write("site.conf", example(name, {**where, **replace}))
    (front.folder / "uploads").mkdir()
    (front.folder / "html").mkdir()
    main = front.write(
        "lighttpd.conf",
        f'server.bind = "127.0.0.1"\nserver.port = {front.port}\n'
        f'server.document-root = "{front.folder}/html"\nserver.upload-dirs = ( "{front.folder}/uploads" )\n'
        'include "site.conf"\n',
    )
    front.run(program("lighttpd"), "-D", "-f", str(main))


def _lighttpd_fastcgi(front: Front, upstream: Address) -> None:
    _lighttpd(front, "lighttpd/fastcgi.conf", upstream, {})


def _lighttpd_files(front: Front, upstream: Address) -> None:
    line = '        "fix-root-scriptname" => "enable",'
    files = f'        "x-sendfile" => "enable", "x-sendfile-docroot" => ( "{front.folder}/files" ),\n'
    _lighttpd(front, "lighttpd/fastcgi.conf", upstream, {line: files + line})


def _lighttpd_stock(front: Front, upstream: Address) -> None:
    line = '        "fix-root-scriptname" => "enable",      # no SCRIPT_NAME, the whole path in PATH_INFO\n'
    _lighttpd(front, "lighttpd/fastcgi.conf", upstream, {line: ""})


def _lighttpd_authorizer(front: Front, upstream: Address) -> None:
    _lighttpd(front, "lighttpd/authorizer.conf", upstream, {"/var/www/html": f"{front.folder}/html"})
    (front.folder / "html" / "page.txt").write_text("a file that lighttpd serves\n")


# --- examples that bring a whole configuration ---


def start_example(kind: str, folder: Path, name: str, ports: Sequence[int]) -> Front:
    """Starts lighttpd or nginx by the configuration of examples/`name`, before smiskds on these ports of 127.0.0.1."""
    folder.mkdir(parents=True, exist_ok=True)
    front = Front(kind, folder)
    try:
        _example_lighttpd(front, name, ports) if kind == "lighttpd" else _example_nginx(front, name, ports)
    except BaseException:
        front.stop()
        raise
    return front


def _example_lighttpd(front: Front, name: str, ports: Sequence[int]) -> None:
    common = {"server.port = 8000": f"server.port = {front.port}", "= var.CWD": f'= "{EXAMPLES / name}"'}
    front.write("common.conf", example("lighttpd.conf", common, EXAMPLES))
    values = {'"../lighttpd.conf"': '"common.conf"'}
    values |= {f'"port" => {5000 + i}': f'"port" => {port}' for i, port in enumerate(ports)}
    text = example(f"{name}/lighttpd.conf", values, EXAMPLES).replace("var.CWD", f'"{EXAMPLES / name}"')
    (front.folder / "uploads").mkdir()
    main = front.write("lighttpd.conf", f'server.upload-dirs = ( "{front.folder}/uploads" )\n{text}')
    front.run(program("lighttpd"), "-D", "-f", str(main))


def _example_nginx(front: Front, name: str, ports: Sequence[int]) -> None:
    values = {
        "../nginx-fastcgi.conf": str(EXAMPLES / "nginx-fastcgi.conf"),
        "listen 127.0.0.1:8000;": f"listen 127.0.0.1:{front.port};",
        "    access_log off;\n": f"    access_log off;\n{_nginx_folders(front)}",
    }
    values |= {f"127.0.0.1:{5000 + i};": f"127.0.0.1:{port};" for i, port in enumerate(ports)}
    text = example(f"{name}/nginx.conf", values, EXAMPLES).replace(f"/srv/{name}", str(EXAMPLES / name))
    main = front.write("nginx.conf", text)
    options = "daemon off; pid nginx.pid;" + (" user root;" if os.geteuid() == 0 else "")
    front.run(program("nginx"), "-p", str(front.folder), "-e", "stderr", "-c", str(main), "-g", options)


# --- Apache httpd ---


def _apache(front: Front, upstream: Address, replace: Mapping[str, str]) -> None:
    where = f"unix:{upstream}|fcgi://localhost/" if isinstance(upstream, str) else f"fcgi://{_where(upstream)}/"
    values = {"*:80": f"127.0.0.1:{front.port}", '"fcgi://127.0.0.1:9000/"': f'"{where}"', **replace}
    front.write("site.conf", example("apache/fastcgi.conf", values))
    modules = Path("/usr/lib/apache2/modules")
    names = ("mpm_event", "authz_core", "proxy", "proxy_fcgi")
    load = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in names)
    main = front.write(
        "httpd.conf",
        f"{load}ServerRoot {front.folder}\nServerName 127.0.0.1\nListen 127.0.0.1:{front.port}\n"
        + f"PidFile {front.folder}/httpd.pid\nDefaultRuntimeDir {front.folder}\nMutex posixsem\n"
        + "ErrorLog /dev/stderr\nStartServers 1\nServerLimit 1\nThreadsPerChild 16\nMaxRequestWorkers 16\n"
        + "MinSpareThreads 1\nMaxSpareThreads 16\n"
        + ("User www-data\nGroup www-data\n" if os.geteuid() == 0 else "")
        + "Include site.conf\n",
    )
    front.run(program("apache2"), "-D", "FOREGROUND", "-f", str(main))


def _apache_reuse(front: Front, upstream: Address) -> None:
    _apache(front, upstream, {})


def _apache_close(front: Front, upstream: Address) -> None:
    _apache(front, upstream, {" enablereuse=on\n": "\n"})


def _apache_files(front: Front, upstream: Address) -> None:
    """With mod_xsendfile, which may send what is in one folder, as the user that Apache becomes."""
    module = Path("/usr/lib/apache2/modules/mod_xsendfile.so")
    if not module.exists():
        pytest.skip(f"no {module}")
    front.public = Path(tempfile.mkdtemp(prefix="smisk-files-"))
    front.public.chmod(0o755)
    lines = f"LoadModule xsendfile_module {module}\nXSendFile on\nXSendFilePath {front.files}\n"
    front.write("files.conf", lines)
    _apache(front, upstream, {"<VirtualHost ": f"Include {front.folder}/files.conf\n<VirtualHost "})


def _apache_stock(front: Front, upstream: Address) -> None:
    lines = (
        "    ProxyFCGIBackendType GENERIC\n",
        '    ProxyFCGISetEnvIf "true" PATH_INFO "%{reqenv:SCRIPT_NAME}"\n',
        '    ProxyFCGISetEnvIf "true" SCRIPT_NAME ""\n',
    )
    _apache(front, upstream, dict.fromkeys(lines, ""))


# --- Caddy, HAProxy ---


def _caddy(front: Front, upstream: Address, replace: Mapping[str, str] | None = None) -> None:
    where = f"unix/{upstream}" if isinstance(upstream, str) else _where(upstream)
    site = example(
        "caddy/Caddyfile",
        {f"unix/{SITE_SOCKET}": where, "example.com {": f"http://127.0.0.1:{front.port} {{\n\tbind 127.0.0.1\n"}
        | dict(replace or {}),
    )
    front.write("site", site)
    main = front.write("Caddyfile", "{\n\tadmin off\n}\nimport site\n")
    front.run(program("caddy"), "run", "--adapter", "caddyfile", "--config", str(main))


def _caddy_stock(front: Front, upstream: Address) -> None:
    _caddy(front, upstream, {'\t\t\tenv SCRIPT_NAME ""\n': "", "\t\t\tenv PATH_INFO {http.request.uri.path}\n": ""})


HAPROXY_MAIN = """global
    maxconn 256
    nbthread 1
    log stderr format raw local0
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    log global
"""


def _haproxy_site(front: Front, site: str) -> None:
    main = front.write("main.cfg", HAPROXY_MAIN)
    path = front.write("site.cfg", site)
    front.run(program("haproxy"), "-db", "-f", str(main), "-f", str(path))


def _haproxy(front: Front, upstream: Address, replace: Mapping[str, str] | None = None) -> None:
    values = {SITE_SOCKET: _where(upstream), "bind :80": f"bind 127.0.0.1:{front.port}", **(replace or {})}
    _haproxy_site(front, example("haproxy/haproxy.cfg", values))


def _haproxy_passing(front: Front, upstream: Address, mode: str, server: str, *rules: str, bind: str = "") -> None:
    """Connections (tcp) or requests (http) passed on to a smiskd that speaks HTTP."""
    listener = f"bind 127.0.0.1:{front.port} {bind}".rstrip()
    lines = [f"mode {mode}", listener, *rules, f"server one {_where(upstream)} {server}"]
    _haproxy_site(front, "listen web\n" + "".join(f"    {line}\n" for line in lines))


def _haproxy_send_proxy(front: Front, upstream: Address) -> None:
    _haproxy_passing(front, upstream, "tcp", "send-proxy")


def _haproxy_send_proxy_v2(front: Front, upstream: Address) -> None:
    _haproxy_passing(
        front, upstream, "tcp", "send-proxy-v2 proxy-v2-options unique-id,crc32c", "unique-id-format %rt"
    )


def _haproxy_tls(front: Front, upstream: Address) -> None:
    """TLS ends here, with a certificate of its own making."""
    pem = front.write("front.pem", "")
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "1", "-subj", "/CN=test.example", "-keyout", str(pem), "-out", f"{pem}.crt"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    pem.write_bytes(pem.read_bytes() + Path(f"{pem}.crt").read_bytes())
    _haproxy_passing(front, upstream, "tcp", "send-proxy-v2-ssl", bind=f"ssl crt {pem}")


def _haproxy_forwarded(front: Front, upstream: Address) -> None:
    forwarded = "http-request set-header Forwarded for=%[src];proto=https;host=%[req.hdr(host)]"
    others = [f"http-request del-header X-Forwarded-{name}" for name in ("For", "Proto", "Host", "Port")]
    _haproxy_passing(front, upstream, "http", "", *others, forwarded)


def _haproxy_stock(front: Front, upstream: Address) -> None:
    _haproxy(front, upstream, {"    path-info ^()(/.*)$\n": ""})


STARTERS = {
    "nginx-keep": _nginx_fastcgi,
    "nginx-close": _nginx_fastcgi_close,
    "nginx-proxy": _nginx_proxy,
    "lighttpd": _lighttpd_fastcgi,
    "lighttpd-authorizer": _lighttpd_authorizer,
    # They send files that the application names.
    "nginx-files": _nginx_files,
    "lighttpd-files": _lighttpd_files,
    "apache-files": _apache_files,
    "apache-keep": _apache_reuse,
    "apache-close": _apache_close,
    "caddy": _caddy,
    "haproxy": _haproxy,
    # The same as somebody configures them who never heard of smiskd.
    "nginx-stock": _nginx_stock,
    "nginx-both": _nginx_both,
    "lighttpd-stock": _lighttpd_stock,
    "apache-stock": _apache_stock,
    "caddy-stock": _caddy_stock,
    "haproxy-stock": _haproxy_stock,
    "haproxy-send-proxy": _haproxy_send_proxy,
    "haproxy-send-proxy-v2": _haproxy_send_proxy_v2,
    "haproxy-tls": _haproxy_tls,
    "haproxy-forwarded": _haproxy_forwarded,
}
