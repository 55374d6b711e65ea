"""The lists of tasks: one for each person, and one of everybody's, for staff. The Redis store follows the same rules.

A list only names tasks. Whose a task is, how it goes and how it is marked is in its record, which every reader looks
at: what a list says wrongly shows nothing wrong. A uid on a list is

    absent ──create, begin (a finish that makes the record)──► listed, with a *note*
       ▲                                                          │
       ├── list_for found no record, or another owner's ◄─────────┤
       └── more are listed than are kept: the oldest go ◄─────────┘

The note is what was last announced of the task: its epoch, and its marks (*seen*, *dismissed*). A list changes its
version, and announces it, exactly when a note changes. So it changes for a new record, a new epoch and a mark, and not
for a begin after its create, nor for either of them repeated. An epoch of its own, random, tells a list from the one
before it that expired, or that a restarted Redis lost.

The races:

- *Version and records.* ``list_for`` reads the version first. What is added after that has a newer version, and a
  page that is told of it reads again. A note changes only after its record: who hears of it finds it.
- *Create and begin.* Both list the task, whoever comes first. What one of them could not do (Redis away, the list
  lost or expired, the task pushed off it) the next begin does; a worker begins again after each ``RECORD_TTL_S``.
- *Create and begin are repeated*, their answer lost. The note is there, or it is not: then they leave it.
- *A mark and a republish.* Only a record that has ended takes marks, and a new epoch has none. A mark may name the
  epoch it is meant for. A begin or create that comes late may put an older note in the place of a mark's: the version
  changes once more, no mark is lost, since those are in the record.
- *A mark is repeated*, its answer lost. If the record has it and the list has no note of it, then it is announced now.
- *A record expires* while its list is read, and comes back at once: only a uid with the same note is dropped.
- *Begin of a dismissed task.* It is refused as the record is latched; the task may be named again, and stays hidden.

A list lives ``LIFETIMES`` times as long as a record: one until its worker begins again, one from the task's end, and
one to spare. In Redis the list and the task live under different hash tags, so no script sees both, and create and
begin cannot know the epoch before they list a task: they *guess* that theirs, random, has become the record's, and a
guess gives way to any note. Where the answer to their first script shows another epoch than the note, which is rare, a
second round trip corrects the note.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from channels_progress.records import ListVersion, TaskRecord

#: A list is kept for so many times ``RECORD_TTL_S`` after the last create or begin of a task on it.
LIFETIMES = 3
#: The list of everybody's tasks, in the place of a ``records.list_id``.
EVERYBODY = "everybody"


class TaskList:
    """One list. ``note`` and ``drop`` are its only changes.

    Attributes:
        version: Its version.
        notes: What was last announced of each uid, those listed last at the end.
    """

    def __init__(self) -> None:
        self.version = ListVersion(secrets.token_hex(8), 0)
        self.notes: dict[str, str] = {}

    def note(self, uid: str, note: str, kept: int) -> bool:
        """List a task, or take note of its new epoch; whether that is news. The oldest beyond ``kept`` go."""
        if self.notes.get(uid) == note:
            return False
        self.notes.pop(uid, None)
        self.notes[uid] = note
        for oldest in list(self.notes)[: max(0, len(self.notes) - kept)]:
            del self.notes[oldest]
        self._change()
        return True

    def mark(self, uid: str, note: str, *, is_new: bool) -> bool:
        """Take note of a mark, at the task's place, if it has one; whether that is news."""
        if uid in self.notes:
            is_new = self.notes[uid] != note
            self.notes[uid] = note
        if is_new:
            self._change()
        return is_new

    def drop(self, uid: str) -> None:
        """The task does not belong here any more. No news: nobody was shown it."""
        self.notes.pop(uid, None)

    def _change(self) -> None:
        self.version = ListVersion(self.version.epoch, self.version.seq + 1)


def make_note(epoch: str, *, seen: bool = False, dismissed: bool = False) -> str:
    """What a list notes of a task."""
    return f"{epoch}/{'seen ' * seen}{'dismissed' * dismissed}"


def has_epoch(note: str, epoch: str) -> bool:
    """Whether this note is of that epoch, marked or not."""
    return note.startswith(f"{epoch}/")


def is_on(record: TaskRecord | None, owner: str | None) -> bool:
    """Whether a task belongs on this owner's list (None: everybody's), shown or dismissed."""
    return record is not None and owner in (None, record.owner)


def arrange(records: Iterable[TaskRecord], owner: str | None, limit: int) -> tuple[TaskRecord, ...]:
    """Those that a list shows, newest first; ``records`` begin with the one listed last."""
    shown = [record for record in records if owner is None or not record.dismissed]
    return tuple(sorted(shown, key=lambda record: record.created_at, reverse=True)[:limit])
