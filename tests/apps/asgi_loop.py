# SPDX-License-Identifier: MIT
"""An ASGI application that uses asyncio, and what is built on it, as applications do; each path checks one thing.

A handler returns what is answered, as JSON, or raises; AssertionError is a 500 that names the line.
"""

import asyncio
import contextvars
import gc
import json
import os
import signal
import socket
import sys
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Handler = Callable[[], Awaitable[object]]
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
gates: dict[str, asyncio.Event] = {}
waiting: set[str] = set()
background: set[asyncio.Task[Any]] = set()
seen_signals: list[int] = []
warnings.simplefilter("error", ResourceWarning)


def say(text: str) -> None:
    print(f"note: {text}", flush=True)


def this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


# --- context variables ---


async def context_set() -> object:
    before = variable.get()
    variable.set("one")
    return [before, variable.get()]


async def context_set_late() -> object:
    before = variable.get()
    variable.set("two")
    await asyncio.sleep(0.001)
    inner = await asyncio.create_task(context_inner())
    thread = await asyncio.to_thread(variable.get)
    called = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: called.set_result(variable.get()))
    return [before, variable.get(), inner, thread, await called]


async def context_inner() -> str:
    before = variable.get()
    variable.set("inner")
    await asyncio.sleep(0)
    return before


# --- the task ---


async def task_is_real() -> object:
    task = this_task()
    assert isinstance(task, asyncio.Task)
    assert task in asyncio.all_tasks()
    assert not task.done()
    assert task.get_loop() is asyncio.get_running_loop()
    assert asyncio.current_task() is task
    await asyncio.sleep(0)
    assert asyncio.current_task() is task
    assert task in asyncio.all_tasks()
    assert task.get_coro() is not None
    assert "Task" in repr(task)
    task.get_stack()
    return "real"


async def task_name() -> object:
    before = this_task().get_name()
    this_task().set_name("mine")
    assert this_task().get_name() == "mine"
    return before


async def task_done_callback() -> object:
    this_task().add_done_callback(lambda done: say(f"done {done.done()} {done.cancelled()}"))
    return "added"


async def task_done_callback_late() -> object:
    await asyncio.sleep(0)
    return await task_done_callback()


async def task_attributes() -> object:
    """What hangs on the task by a weak reference is not there for the next request."""
    import weakref

    kept = weakref_of.setdefault("tasks", weakref.WeakKeyDictionary())
    before = kept.get(this_task())
    kept[this_task()] = "mine"
    return before


async def cancel_and_catch() -> object:
    task = this_task()
    task.cancel("enough")
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        if hasattr(task, "uncancel"):
            assert task.uncancel() == 0
        return str(error.args)
    return "not cancelled"


async def cancel_and_catch_late() -> object:
    await asyncio.sleep(0)
    return await cancel_and_catch()


async def cancelled_by_another() -> object:
    task = this_task()
    asyncio.get_running_loop().call_soon(task.cancel)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if hasattr(task, "uncancel"):
            task.uncancel()
        await asyncio.sleep(0.001)
        return "cancelled"
    return "not"


async def cancelled_while_receiving(receive: Receive) -> object:
    assert (await receive())["type"] == "http.request"
    task = this_task()
    asyncio.get_running_loop().call_soon(task.cancel)
    try:
        await receive()
    except asyncio.CancelledError:
        return "cancelled"
    return "not"


# --- waiting ---


async def wait_for() -> object:
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.005)
    except asyncio.TimeoutError:
        return [await asyncio.wait_for(give(3), 5), await asyncio.wait_for(asyncio.shield(give(4)), 5)]
    return "no timeout"


async def wait_for_receive(receive: Receive) -> object:
    assert (await asyncio.wait_for(receive(), 5))["type"] == "http.request"  # type: ignore[arg-type]
    try:
        await asyncio.wait_for(receive(), 0.005)  # type: ignore[arg-type]
    except asyncio.TimeoutError:
        return "timeout"
    return "no timeout"


async def timeout_first() -> object:
    if sys.version_info < (3, 11):
        return "timeout"
    try:
        async with asyncio.timeout(0.005):
            await asyncio.sleep(10)
    except TimeoutError:
        assert this_task().cancelling() == 0
        return "timeout"
    return "no timeout"


async def timeout_late() -> object:
    await asyncio.sleep(0)
    return await timeout_first()


async def give(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def gather() -> object:
    return await asyncio.gather(give(1), give(2), *(asyncio.to_thread(int, str(n)) for n in range(3, 6)))


async def task_group() -> object:
    if sys.version_info < (3, 11):
        return [1, 2, "failed"]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(give(1)), group.create_task(give(2))]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.sleep(10)
    except Exception as group_failure:  # an ExceptionGroup, which Python 3.10 has not
        failure = group_failure
    kinds = [type(each) for each in getattr(failure, "exceptions", ())]
    if kinds != [LookupError] or this_task().cancelling():
        raise AssertionError(kinds)
    return [*(task.result() for task in tasks), "failed"]


async def fail() -> None:
    raise LookupError("in a task")


async def timers() -> object:
    loop = asyncio.get_running_loop()
    order: list[int] = []
    done = loop.create_future()
    loop.call_later(0.01, order.append, 3)
    loop.call_later(0.015, done.set_result, None)
    loop.call_later(0.005, order.append, 2)
    loop.call_later(0.001, order.append, 9).cancel()
    loop.call_at(loop.time(), order.append, 1)
    before = loop.time()
    await done
    assert 0.01 < loop.time() - before < 5
    return order


async def sleeps() -> object:
    """Bare yields and short sleeps in a row."""
    for number in range(50):
        await asyncio.sleep(0 if number % 5 else 0.0001)
    return "slept"


# --- anyio ---


async def anyio_groups() -> object:
    import anyio

    found: list[int] = []

    async def add(number: int) -> None:
        await anyio.sleep(0.001)
        found.append(number)

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(add, number)
    return sorted(found)


async def anyio_scopes() -> object:
    import anyio

    with anyio.move_on_after(0.005) as scope:
        await anyio.sleep(10)
    assert scope.cancel_called
    with anyio.CancelScope() as inner:
        inner.cancel()
        await anyio.sleep(10)
    try:
        with anyio.fail_after(0.005):
            await anyio.sleep(10)
    except TimeoutError:
        return await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(give, "thread"))
    return "no timeout"


async def anyio_listener(receive: Receive) -> object:
    """As Starlette streams: one task sends, one waits for the disconnect and is cancelled."""
    import anyio

    assert (await receive())["type"] == "http.request"
    async with anyio.create_task_group() as group:

        async def listen() -> None:
            await receive()

        group.start_soon(listen)
        await anyio.sleep(0)
        group.cancel_scope.cancel()
    return "cancelled"


# --- threads, processes, signals, descriptors ---


async def threadsafe() -> object:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(done.set_result, "called"))
    thread.start()
    result = await done
    thread.join()
    coroutine = asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(give("run"), loop).result(5))
    return [result, await coroutine]


async def executor() -> object:
    return await asyncio.get_running_loop().run_in_executor(None, sum, range(10))


async def subprocess() -> object:
    process = await asyncio.create_subprocess_exec(
        "tr", "a-z", "A-Z", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(b"hello" * 40000)
    return [process.returncode, out == b"HELLO" * 40000]


async def signals() -> object:
    """Two signals of the process's own, by the loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGUSR2, signal.SIGWINCH):
        arrived = asyncio.Event()
        loop.add_signal_handler(number, arrived.set)
        os.kill(os.getpid(), number)
        await asyncio.wait_for(arrived.wait(), 5)
        assert loop.remove_signal_handler(number)
    return "arrived"


async def pipes() -> object:
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        writable, readable = asyncio.Event(), asyncio.Event()
        loop.add_writer(writing, writable.set)
        await asyncio.wait_for(writable.wait(), 5)
        loop.remove_writer(writing)
        assert not loop.remove_writer(writing)
        loop.add_reader(reading, readable.set)
        os.write(writing, b"x")
        await asyncio.wait_for(readable.wait(), 5)
        assert os.read(reading, 1) == b"x"
        readable.clear()
        os.close(writing)  # its end is readable too
        writing = -1
        await asyncio.wait_for(readable.wait(), 5)
        loop.remove_reader(reading)
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    return "piped"


async def sockets() -> object:
    """A server and its client in the same loop."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"z" * 3000000)
        writer.write_eof()
        data = await reader.read()
        writer.close()
        await writer.wait_closed()
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        other.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(one, b"pair")
        return [len(data), (await asyncio.get_running_loop().sock_recv(other, 10)).decode()]


# --- many, and at the end ---


async def stop_loop() -> object:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)  # it stops now, not when it has something else to do
    return os.getpid()


async def forgotten_receive(receive: Receive) -> object:
    """Whether a task that waits for the client, and that nobody else has, outlives a collection, as its wake-up may come."""
    await receive()
    task = asyncio.create_task(receive())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    seen = weakref.ref(task)
    del task
    gc.collect()
    return "waits" if seen() else "collected"


async def sleep_long() -> object:
    """Waits until `opened` was asked for."""
    waiting.add(this_task().get_name())
    await gates.setdefault("many", asyncio.Event()).wait()
    return "woken"


async def count() -> object:
    return len(waiting)


async def opened() -> object:
    for each in gates.values():
        each.set()
    return len(waiting)


async def collect() -> object:
    """How many tasks there are when all garbage is gone."""
    gc.collect()
    return len(asyncio.all_tasks())


async def work_after() -> None:
    say("works on")
    await gates.setdefault("work", asyncio.Event()).wait()
    say("worked")


async def work_slowly() -> None:
    say("begins")
    await asyncio.sleep(0.3)
    say("finished after the response")


async def work_for_ever() -> None:
    say("works for ever")
    try:
        await asyncio.Event().wait()
    finally:
        say("was cancelled")


weakref_of: dict[str, Any] = {}
AFTER: dict[str, Callable[[], Awaitable[None]]] = {
    "/work-after": work_after,
    "/work-slowly": work_slowly,
    "/work-for-ever": work_for_ever,
}
WITH_RECEIVE = (forgotten_receive, wait_for_receive, cancelled_while_receiving, anyio_listener)
HANDLERS: dict[str, Handler] = {
    f"/{name}": handler
    for name, handler in list(globals().items())
    if asyncio.iscoroutinefunction(handler) and handler not in (*WITH_RECEIVE, *AFTER.values(), give)
}


async def application(scope: Any, receive: Receive, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    path = scope["path"]
    by_name = {f"/{handler.__name__}": handler for handler in WITH_RECEIVE}
    if path in by_name:
        value = await by_name[path](receive)
    else:
        value = await HANDLERS[path]() if path in HANDLERS else "begun"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})
    if path in AFTER:
        await AFTER[path]()
