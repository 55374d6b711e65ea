"""Many tasks on one page: how smooth it stays, beside the same page while nothing happens.

``python -m benchmarks.page [--tasks 50] [--rate 10] [--throttle 4] [--seconds 10]``; needs Chromium.

One server on loopback gives the page, which our templates rendered, and feeds its one socket. Every task gets ``rate``
updates a second, out of step with the others, and a message a second. Chromium's CPU is throttled by DevTools.
The two conditions take turns on one page: nothing sent, and everything sent.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import django
from playwright.sync_api import Page, sync_playwright
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.tooling import ROOT, find_chromium

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402  after setup()
from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: E402
from django.template.loader import render_to_string  # noqa: E402
from django.test import RequestFactory  # noqa: E402

from channels_progress.events import task_channel, task_frame  # noqa: E402
from channels_progress.pages import assets_context, task_context  # noqa: E402
from channels_progress.records import Liveness, Message, Snapshot, TaskRecord, TaskState  # noqa: E402
from channels_progress.store import get_store  # noqa: E402

STATIC = ROOT / "channels_progress" / "static"
TYPES = {".js": "text/javascript", ".css": "text/css"}
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
TOTAL = 2000
# A screen of 60 Hz shows a frame every 16.7 ms. The browser itself calls a task of more than this a long one.
HITCH_MS = 50
MAX_LAG_S = 0.05

OBSERVE = """
window.longTasks = [];
new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => longTasks.push(duration)))
    .observe({ type: "longtask" });
window.measure = (ms) => new Promise((done) => {
    const gaps = [], begun = performance.now();
    let last = begun;
    longTasks.length = 0;
    const step = (now) => {
        gaps.push(now - last);
        last = now;
        if (now - begun < ms) requestAnimationFrame(step);
        else done({ gaps: gaps.slice(1), longTasks: [...longTasks] });
    };
    requestAnimationFrame(step);
});
"""


def make_frame(number: int, step: int) -> str:
    """Update ``step`` of one task, as a hint of the store."""
    now = int(time.time() * 1000)
    current = step % TOTAL
    body = {
        "title": f"Import {number}", "message": f"Row {current}", "unit": "row", "current": current, "total": TOTAL,
        "fraction": current / TOTAL, "rate": 9.5 + step % 3, "eta_s": (TOTAL - current) / 10,
        "counters": {"skipped": step // 7}, "stage": {"name": "Saving", "index": 2, "count": 3, "declared": True},
    }  # fmt: skip
    record = TaskRecord(
        uid=str(number), epoch="e", attempt=1, seq=step, state=TaskState.PROGRESS, body=body, began_at=now - step * 100
    )
    messages = (Message("info", f"Row {current} has no name", step // 10, now),) if step % 10 == 0 else ()
    return json.dumps(task_frame(Snapshot(record, messages, True, now), Liveness.LIVE))


def render_page(tasks: int) -> str:
    """The page with so many waiting tasks."""
    request: Any = RequestFactory().get("/")
    request.user, request.session = User(pk=7), SessionStore()
    elements = []
    for number in range(tasks):
        get_store().create(str(number), owner="user:7", body="{}")
        elements.append(render_to_string("channels_progress/task_progress.html", task_context(str(number), request)))
    assets = render_to_string("channels_progress/assets.html", assets_context())
    head = f'<!doctype html><html lang="en"><head><title>Tasks</title>{assets}</head>'
    return f"{head}<body>{''.join(elements)}</body></html>"


class Site:
    """The server behind the page. ``is_feeding`` turns the updates on."""

    def __init__(self, tasks: int, rate: float) -> None:
        self.is_feeding = False
        self.sent = 0
        self.sockets = 0
        self._tasks = tasks
        self._rate = rate
        self._html = render_page(tasks).encode()

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path.startswith("/asgi/"):
            return None
        if path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            return self._respond(file.read_bytes(), TYPES[file.suffix])
        return self._respond(self._html if path == "/" else b"", "text/html")

    def _respond(self, body: bytes, kind: str) -> Response:
        headers = Headers({"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))})
        return Response(HTTPStatus.OK, "OK", headers, body)

    async def serve(self, connection: ServerConnection) -> None:
        self.sockets += 1
        feed = asyncio.create_task(self._feed(connection))
        try:
            async for text in connection:
                frame = json.loads(text)
                if frame["type"] == "subscribe":
                    await connection.send(json.dumps({"type": "subscribed", "v": 1, "channel": frame["channel"]}))
                    await connection.send(make_frame(int(frame["channel"].removeprefix(task_channel(""))), 1))
                elif frame["type"] == "ping":
                    await connection.send('{"type":"pong","v":1}')
        except ConnectionClosed:
            pass
        finally:
            feed.cancel()

    async def _feed(self, connection: ServerConnection) -> None:
        due = time.perf_counter()
        for turn in itertools.count(2 * self._tasks):
            while not self.is_feeding:
                await asyncio.sleep(0.01)
                due = time.perf_counter()
            step, number = divmod(turn, self._tasks)
            await connection.send(make_frame(number, step))
            self.sent += 1
            # What a busy machine has missed is not made up for in one burst.
            due = max(due, time.perf_counter() - MAX_LAG_S) + 1 / (self._rate * self._tasks)
            await asyncio.sleep(max(0, due - time.perf_counter()))


@contextmanager
def running(site: Site) -> Iterator[int]:
    """The site on a free port, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> Server:
        return await serve(
            site.serve,
            "127.0.0.1",
            0,
            process_request=site.answer,
            compression=None,
            subprotocols=[Subprotocol("channels-progress")],
        )

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    yield next(iter(server.sockets)).getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def read_metrics(cdp: Any) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in cdp.send("Performance.getMetrics")["metrics"]}


def measure(page: Page, cdp: Any, site: Site, seconds: float) -> dict[str, float]:
    """One turn of one condition."""
    sent, before, begun = site.sent, read_metrics(cdp), time.perf_counter()
    seen = page.evaluate("(ms) => measure(ms)", seconds * 1000)
    after = read_metrics(cdp)
    seconds = time.perf_counter() - begun
    gaps = sorted(seen["gaps"])
    share = {
        name: 100 * (after[key] - before[key]) / seconds
        for name, key in {
            "main thread %": "TaskDuration",
            "of it script %": "ScriptDuration",
            "of it style %": "RecalcStyleDuration",
            "of it layout %": "LayoutDuration",
        }.items()
    }
    return {
        "updates/s": (site.sent - sent) / seconds,
        "frames/s": len(gaps) / seconds,
        "gap median ms": statistics.median(gaps),
        "gap p99 ms": gaps[int(len(gaps) * 0.99) - 1],
        "gap max ms": gaps[-1],
        f"gaps > {HITCH_MS} ms": sum(gap > HITCH_MS for gap in gaps),
        "long tasks": len(seen["longTasks"]),
        "longest ms": max(seen["longTasks"], default=0),
        **share,
        "layouts/frame": (after["LayoutCount"] - before["LayoutCount"]) / len(gaps),
    }


def take_medians(turns: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}


def report(rows: dict[str, dict[str, float]]) -> None:
    names = next(iter(rows.values()))
    print(f"{'':16}" + "".join(f"{condition:>12}" for condition in rows))
    for name in names:
        print(f"{name:16}" + "".join(f"{row[name]:12.1f}" for row in rows.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--throttle", type=float, default=4)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    site = Site(options.tasks, options.rate)
    with running(site) as port, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
        page = chromium.new_page()
        page.add_init_script(OBSERVE)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator('task-progress[state="PROGRESS"]').nth(options.tasks - 1).wait_for(state="attached")
        cdp = page.context.new_cdp_session(page)
        # CPU time: a machine that does other things as well would count against the page.
        cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
        cdp.send("Emulation.setCPUThrottlingRate", {"rate": options.throttle})
        turns: dict[str, list[dict[str, float]]] = {"idle": [], "busy": []}
        for _ in range(options.turns):
            for condition, results in turns.items():
                site.is_feeding = condition == "busy"
                page.wait_for_timeout(1000)
                results.append(measure(page, cdp, site, options.seconds))
        chromium.close()
    report({condition: take_medians(results) for condition, results in turns.items()})
    print(f"{options.tasks} tasks, {options.rate:g} updates a second each; CPU throttled {options.throttle:g} times")
    print(f"sockets: {site.sockets}")


if __name__ == "__main__":
    main()
