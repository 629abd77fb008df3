# SPDX-License-Identifier: MIT
"""The page that answers a request whose handler failed: one HTML document, nothing to load, light or dark.

`_smisk` comes in after it has logged the error. The exception is the application's, its text may be the client's:
everything is escaped and cut to a length, and whatever goes wrong while the page is made, there is a page.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType
    from typing import Any

__all__ = ["document", "render"]

_MAX_TEXT = 4000  # characters of any one piece of text
_MAX_FRAMES = 60  # of one exception; the middle of a longer stack is left out
_MAX_CHAIN = 10  # exceptions: causes, contexts and members of groups
_CONTEXT = 3  # source lines before and after the one that was running

_STYLE = """
:root{color-scheme:light dark;--bg:#fbfaf8;--fg:#23211f;--dim:#77716a;--line:#e4dfd8;--card:#fff;--hit:#fdeeda;
--accent:#b4451f}
@media (prefers-color-scheme:dark){:root{--bg:#191817;--fg:#e8e4de;--dim:#99928a;--line:#35322e;--card:#211f1d;
--hit:#43301c;--accent:#f08a5d}}
*{box-sizing:border-box}
body{margin:0;padding:3rem 1.25rem;background:var(--bg);color:var(--fg);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:58rem;margin:0 auto}
h1{margin:0 0 .75rem;font-size:1.75rem;line-height:1.25}
h2{margin:2.25rem 0 .5rem;font-size:1.2rem;overflow-wrap:anywhere}
p{margin:.5rem 0}
.dim{color:var(--dim)}
.kind{color:var(--accent)}
code,pre{font:13px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
code{overflow-wrap:anywhere}
pre{margin:0;overflow-x:auto}
.message{padding:.75rem 1rem;border-left:4px solid var(--accent);background:var(--card);white-space:pre-wrap;
overflow-wrap:anywhere}
.frame{margin:.75rem 0;border:1px solid var(--line);border-radius:8px;background:var(--card);overflow:hidden}
.frame>p{margin:0;padding:.5rem .9rem;border-bottom:1px solid var(--line)}
.frame>p:last-child{border-bottom:0}
.source{padding:.4rem 0}
.source span{display:block;padding:0 .9rem;min-width:max-content}
.source .hit{background:var(--hit)}
.source i{display:inline-block;width:3.5rem;font-style:normal;color:var(--dim);user-select:none}
footer{margin-top:2.5rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.875rem}
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{content}
</main>
</body>
</html>
"""

_FRIENDLY = """<h1>Something went wrong</h1>
<p>The server could not answer this request. The error has been logged.</p>
<p class="dim">If it happens again, tell whoever runs this site, and give this number:</p>
<p><code>{request_id}</code></p>"""

_FOOTER = """<footer class="dim">Request <code>{request_id}</code> · <code>show_traceback</code> is on</footer>"""

_LAST_RESORT = "<!DOCTYPE html>\n<title>500 Internal Server Error</title>\n<h1>500 Internal Server Error</h1>\n"

_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), "\ufffd")
_ESCAPES = {**_CONTROLS, ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&#39;"}


def render(exc: BaseException, *, method: str, url: str, request_id: str, show_traceback: bool) -> str:
    """Returns the HTML page of a 500 for `exc`, text that encodes as UTF-8. Never raises.

    With `show_traceback` the page has the exception, its causes and their frames with source lines; without it,
    nothing but the id of the request.
    """
    try:
        content = _describe(exc, method, url, request_id) if show_traceback else _apologise(request_id)
        title = _kind(exc) if show_traceback else "500 Internal Server Error"
        page = document(title, content)
        return page.encode("utf-8", "replace").decode("utf-8")
    except BaseException:
        return _LAST_RESORT


def document(title: str, content: str) -> str:
    """Returns a whole page in the look of these pages around `content`, which is HTML; `title` is text."""
    return _PAGE.format(title=_escape(title), style=_STYLE, content=content)


def _apologise(request_id: str) -> str:
    return _FRIENDLY.format(request_id=_escape(request_id))


def _describe(exc: BaseException, method: str, url: str, request_id: str) -> str:
    parts = [f'<p class="dim">{_escape(method)} <code>{_escape(url)}</code></p>']
    for number, (relation, error) in enumerate(_chain(exc)):
        heading = "h2" if number else "h1"
        parts.append(f'<{heading}><span class="kind">{_escape(_kind(error))}</span>{_escape(relation)}</{heading}>')
        parts += _body(error)
    parts.append(_FOOTER.format(request_id=_escape(request_id)))
    return "\n".join(parts)


def _body(exc: BaseException) -> Iterator[str]:
    text = _text(exc)
    if text:
        yield f'<pre class="message">{_escape(text)}</pre>'
    for note in _notes(exc):
        yield f'<pre class="message">{_escape(_text(note))}</pre>'
    stack = list(_stack(_slot(exc, "__traceback__")))
    left_out = len(stack) - _MAX_FRAMES
    if left_out > 0:
        head, tail = stack[: _MAX_FRAMES // 2], stack[-_MAX_FRAMES // 2 :]
        yield from (_frame(frame, line) for frame, line in head)
        yield f'<p class="dim">… {left_out} more frames …</p>'
        stack = tail
    yield from (_frame(frame, line) for frame, line in stack)
    filename, line = _attribute(exc, "filename"), _attribute(exc, "lineno")
    if issubclass(type(exc), SyntaxError) and type(filename) is str and type(line) is int:
        yield _place(filename, line, "", {})


def _frame(frame: FrameType, line: int) -> str:
    code = frame.f_code
    name = _escape(getattr(code, "co_qualname", code.co_name))
    return _place(code.co_filename, line, f' <span class="dim">in</span> <code>{name}</code>', frame.f_globals)


def _place(filename: str, line: int, suffix: str, namespace: dict[str, object]) -> str:
    source = _source(_lines(filename, namespace), line)
    return f'<div class="frame"><p><code>{_escape(filename)}:{line}</code>{suffix}</p>{source}</div>'


def _source(lines: list[str], line: int) -> str:
    first = max(1, line - _CONTEXT)
    shown = list(enumerate(lines[first - 1 : line + _CONTEXT], first)) if line > 0 else []
    if not shown:
        return ""
    rows = (
        f"<span{' class=hit' if number == line else ''}><i>{number}</i>{_escape(text.rstrip()) or ' '}</span>"
        for number, text in shown
    )
    return f'<pre class="source">{"".join(rows)}</pre>'


def _lines(filename: str, namespace: dict[str, object]) -> list[str]:
    try:
        import linecache

        linecache.checkcache(filename)
        return linecache.getlines(filename, namespace)
    except BaseException:
        return []


def _stack(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno or 0
        traceback = traceback.tb_next


def _chain(exc: BaseException) -> Iterator[tuple[str, BaseException]]:
    """Yields the exception, then its causes and contexts as they happened, then members of groups; each once."""
    queue: list[tuple[str, BaseException]] = [("", exc)]
    seen: set[int] = set()
    while queue and len(seen) < _MAX_CHAIN:
        relation, error = queue.pop(0)
        if id(error) in seen:
            continue
        seen.add(id(error))
        yield relation, error
        cause, context = _slot(error, "__cause__"), _slot(error, "__context__")
        if cause is not None:
            queue.append((" was the direct cause", cause))
        elif context is not None and not _slot(error, "__suppress_context__"):
            queue.append((" was being handled", context))
        queue += [(" was in the group", member) for member in _members(error)]


def _members(exc: BaseException) -> list[BaseException]:
    members = _attribute(exc, "exceptions")
    if type(members) is not tuple:
        return []
    return [member for member in members[:_MAX_CHAIN] if issubclass(type(member), BaseException)]


def _notes(exc: BaseException) -> list[object]:
    notes = _attribute(exc, "__notes__")
    return notes[:_MAX_CHAIN] if type(notes) is list else []


def _slot(exc: BaseException, name: str) -> Any:
    """An attribute of every exception, read past whatever a subclass puts in its place."""
    return BaseException.__dict__[name].__get__(exc)


def _attribute(obj: object, name: str) -> object:
    try:
        return getattr(obj, name, None)
    except BaseException:
        return None


def _kind(exc: BaseException) -> str:
    """The qualified name of the exception's class, read past whatever its metaclass would answer."""
    name: str = type.__dict__["__qualname__"].__get__(type(exc))
    module = type.__dict__["__module__"].__get__(type(exc))
    return name if module in ("builtins", "__main__") or not isinstance(module, str) else f"{module}.{name}"


def _text(obj: object) -> str:
    """`str(obj)`, cut to a length; says so if that raises."""
    try:
        text = str(obj)
        if len(text) > _MAX_TEXT:
            return str.__getitem__(text, slice(_MAX_TEXT)) + " …"
        return str.__getitem__(text, slice(None))  # an instance of str itself, whatever subclass came
    except BaseException:
        return "(its text cannot be made: __str__ failed)"


def _escape(text: str) -> str:
    return str.translate(text[:_MAX_TEXT], _ESCAPES)
