"""``make demo``: the example site until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType

from example_project.embedded_redis import RedisServerNotFound, find_free_port
from example_project.stack import HOST, ROOT, StackFailed, run_stack

LOOK_AGAIN_S = 0.5
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def choose_port(wanted: int) -> int:
    """``wanted`` where it is free, else another one."""
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, wanted))
        return wanted
    return find_free_port()


def run(folder: Path, port: int) -> None:
    """Run the site with its data in ``folder`` until a signal comes, or ``make`` is gone.

    Raises:
        StackFailed: a process did not start, or ended by itself.
    """
    started_by = os.getppid()
    print("Starting Redis, database, worker and site …", flush=True)
    with run_stack(folder, port=choose_port(port)) as stack:
        print(f"\n    {stack.url}/\n\nLogs: {folder / 'logs'}. Ctrl-C ends everything.", flush=True)
        pause = threading.Event()
        while "MAKELEVEL" not in os.environ or os.getppid() == started_by:
            stack.check()
            pause.wait(LOOK_AGAIN_S)


def main() -> int:
    """Exit status: 0 after a signal, 1 with the reason where something failed."""
    parser = argparse.ArgumentParser(description="Run the example site.")
    parser.add_argument("--port", type=int, default=8000, help="another one is taken where it is in use")
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo", help="for database, static files and logs")
    options = parser.parse_args()
    quit_on_signals()
    try:
        run(options.folder, options.port)
    except KeyboardInterrupt:
        print("\nStopped.")
    except (StackFailed, RedisServerNotFound) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def quit_on_signals() -> None:
    """Have Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt, once."""
    for number in STOPPING:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # One way down for all signals. A second one must not break off the first.
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
