"""What the keys and channels of tasks and lists are called in Redis."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from typing import NamedTuple

from channels_progress.events import FRAME_VERSION, LIST_CHANNEL_PREFIX, task_channel
from channels_progress.store.lists import EVERYBODY

# What is before the colon of our channels.
_KINDS = frozenset({"task", "tasks"})
_plain = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)


class TaskNames(NamedTuple):
    """Everything about a task's place in Redis that depends on nothing but its uid.

    Attributes:
        task: Key of the hash that holds the record.
        log: Key of the stream that holds its messages; in the same cluster slot.
        hint: The pub/sub channel of its hints.
        head: A task frame's text up to the epoch.
    """

    task: bytes
    log: bytes
    hint: bytes
    head: bytes


class ListNames(NamedTuple):
    """The same of a list of tasks.

    Attributes:
        tasks: Key of the sorted set that holds the uids.
        notes: Key of the hash that holds its version and its notes; in the same cluster slot.
        hint: The pub/sub channel of its hints; empty for the list of everybody, which has none.
        head: A list frame's text up to the epoch.
    """

    tasks: bytes
    notes: bytes
    hint: bytes
    head: bytes


def name_part(text: str) -> str:
    """``text`` where it is plainly legal in a name, else a hash of it that no legal text equals."""
    if _plain.fullmatch(text):
        return text
    return "~" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=4096)
def name_task(namespace: str, uid: str) -> TaskNames:
    """The names for a task. No two namespaces share one, nor do two uids."""
    space, part, channel = name_part(namespace), name_part(uid), task_channel(uid)
    return TaskNames(
        f"{space}:{{{part}}}:task".encode(),
        f"{space}:{{{part}}}:log".encode(),
        name_hints(namespace, channel),
        _open_frame("task", channel),
    )


@lru_cache(maxsize=4096)
def name_list(namespace: str, list_id: str) -> ListNames:
    """The names for a list: ``records.list_id``, or ``lists.EVERYBODY``."""
    space, part, channel = name_part(namespace), name_part(list_id), LIST_CHANNEL_PREFIX + list_id
    return ListNames(
        f"{space}:{{{part}}}:list".encode(),
        f"{space}:{{{part}}}:notes".encode(),
        b"" if list_id == EVERYBODY else name_hints(namespace, channel),
        _open_frame("tasks", channel),
    )


def name_hints(namespace: str, channel: str) -> bytes:
    """The pub/sub channel that carries the hints of ``channel``."""
    kind, _, part = channel.partition(":")
    if kind not in _KINDS:
        kind, part = "other", channel
    return f"{name_part(namespace)}:hint:{kind}:{name_part(part)}".encode()


def _open_frame(kind: str, channel: str) -> bytes:
    frame = json.dumps({"type": kind, "v": FRAME_VERSION, "channel": channel}, separators=(",", ":"))
    return f'{frame[:-1]},"epoch":"'.encode()
