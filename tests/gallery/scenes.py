"""The catalogue: every state that a person may find a task in, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels_progress.records import TaskState
from tests.gallery.inboxes import Kept
from tests.gallery.lives import NOW_MS, Life

CITIES: Mapping[str, Any] = {
    "title": "Import cities", "message": "Saving cities15000.txt", "unit": "rows", "current": 12_345, "total": 32_000,
    "fraction": 0.3858, "rate": 294.3, "eta_s": 66.8, "counters": {"skipped": 3, "errors": 1},
}  # fmt: skip
LOG = (
    (41.0, "info", "Read 32,000 rows"),
    (30.0, "warning", "Skipped Ngerulmud (PW): no population"),
    (12.0, "error", "Row 9,127 has no name"),
    (3.0, "success", "All of Africa is in"),
)
UNBREAKABLE = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c" * 3
LONG_BODY: Mapping[str, Any] = {
    "title": "Import of the yearly report on cities, towns, villages and hamlets, with their populations and "
    "https://example.com/" + UNBREAKABLE,
    "message": f"Saving /srv/uploads/{UNBREAKABLE}.csv",
    "stage": {"name": "Save what has been read and checked, and index it", "index": 12, "count": 24, "declared": True},
    "unit": "Grundstücksverkehrsgenehmigung", "current": 1_234_567_890, "total": 9_007_199_254_740_991,
    "fraction": 0.5, "rate": 1_234_567, "eta_s": 901_234, "counters": {UNBREAKABLE[:30]: 123_456_789, "skipped": 3},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is on a page, and how the page is connected.

    Attributes:
        name: That of its picture.
        lives: Tasks, by uid.
        page: Template: the built-in page of a task, or one of ``PAGES``.
        options: Of the tag.
        connection: The attribute of the element to wait for; without one nothing on the page follows anything.
        said: What is broadcast to the page: (level, text, more fields of the frame).
        kept: What is in the inbox, the newest first.
    """

    name: str
    lives: Mapping[str, Life] = field(default_factory=dict)
    page: str = "task"
    options: Mapping[str, Any] = field(default_factory=dict)
    language: str = "en"
    connection: str = "open"
    said: tuple[tuple[str, str, Mapping[str, Any]], ...] = ()
    kept: tuple[Kept, ...] = ()

    def __str__(self) -> str:
        return self.name


def _one(name: str, *, connection: str = "open", language: str = "en", **life: Any) -> Scene:
    return Scene(name=name, lives={"a": Life(**life)}, connection=connection, language=language)


def _running(name: str, *, connection: str = "open", **life: Any) -> Scene:
    return _one(name, connection=connection, **{"body": CITIES, "messages": LOG, **life})


TITLE = {"title": "Import cities"}
DONE = {**CITIES, "current": 32_000, "fraction": 1, "counters": {"skipped": 3}, "redirect": "/cities/"}
STAGES = {
    **CITIES, "stage": {"name": "Save", "index": 2, "count": 3, "declared": True}, "fraction": 0.462,
}  # fmt: skip
BYTES = {
    "title": "Upload photos.zip", "message": "Storing photos.zip", "unit": "byte", "current": 1_258_291,
    "total": 8_388_608, "fraction": 0.15, "rate": 190_000, "eta_s": 37.5,
}  # fmt: skip
SEVERAL = {
    "a": Life(body=CITIES),
    "b": Life(name="files.tasks.store_upload", body=BYTES, began_s=7, created_s=8),
    "c": Life(
        name="mail.tasks.send_newsletter", state=TaskState.PENDING, body={"title": "Send the newsletter"}, created_s=4
    ),
    "d": Life(
        name="shop.tasks.export_orders", state=TaskState.SUCCESS, body={**DONE, "title": "Export orders"},
        created_s=61, began_s=60, heard_s=9,
    ),
    "e": Life(
        name="search.tasks.rebuild_index", state=TaskState.FAILURE,
        body={"title": "Rebuild the index", "current": 210, "total": 900, "fraction": 0.2333},
        created_s=90, began_s=80, heard_s=30, reason="The search server did not answer.",
    ),
}  # fmt: skip
MINE = {
    "f": Life(
        name="files.tasks.back_up", state=TaskState.SUCCESS, body={"title": "Back up the photos"},
        created_s=86_000, began_s=85_990, heard_s=84_000, seen=True,
    ),
    "g": Life(
        name="files.tasks.convert", state=TaskState.REVOKED, body={"title": "Convert the videos", "fraction": 0.4},
        created_s=9_000, began_s=8_900, heard_s=7_000, reason="Wrong folder", seen=True,
    ),
    **{uid: SEVERAL[uid] for uid in "edcba"},
}  # fmt: skip
POLISH = {
    **CITIES, "title": "Import miast", "message": "Zapisywanie cities15000.txt", "unit": "wierszy",
    "counters": {"pominięte": 3, "błędy": 1}, "stage": {"name": "Zapis", "index": 2, "count": 3, "declared": True},
}  # fmt: skip
ARABIC = {
    "title": "استيراد المدن", "message": "حفظ cities15000.txt", "unit": "صف", "current": 12_345, "total": 32_000,
    "fraction": 0.3858, "rate": 294.3, "eta_s": 66.8, "counters": {"تم تخطيها": 3},
    "stage": {"name": "الحفظ", "index": 2, "count": 3, "declared": True},
}  # fmt: skip
HEBREW = {
    "title": "ייבוא ערים", "message": "שומר את cities15000.txt", "unit": "שורות", "current": 12_345, "total": 32_000,
    "fraction": 0.3858, "rate": 294.3, "eta_s": 66.8, "counters": {"דולגו": 3},
}  # fmt: skip

SAID: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("info", "Grace has joined this page.", {}),
    ("success", "Your import finished: 31,997 cities.", {"clickURL": "/cities/"}),
    ("warning", "Back in 5 minutes: the server is restarted at 18:00. Save what you are writing.", {}),
    ("error", "The export failed: there is no space left on the disk.", {"hideCloseOption": True}),
)
SAID_LATER = tuple(("warning", f"The disk is {percent}% full.", {}) for percent in (90, 95, 99))
SAID_IN_ARABIC: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("success", "انتهى استيراد المدن: cities15000.txt", {"clickURL": "/cities/"}),
    ("warning", "سنعود بعد 5 دقائق", {}),
)
KEPT = (
    Kept("Your import has finished: 31,997 cities, 3 rows were skipped.", "success", url="/cities/", age_s=140),
    Kept("Grace Hopper has invited you to “Maps of the north”.", url="/maps/7/", age_s=2_700),
    Kept("The nightly export failed: the disk is full.", "error", url="/exports/", age_s=29_000),
    Kept("Your storage is 95% full.", "warning", age_s=90_000, is_read=True),
    Kept("Ada Lovelace has answered: “Looks good to me, ship it!”", url="/maps/3/", age_s=180_000, is_read=True),
    Kept("Your report for February is ready.", "success", url="/reports/", age_s=900_000, is_read=True),
)  # fmt: skip
KEPT_IN_ARABIC = (
    Kept("انتهى استيراد المدن: cities15000.txt", "success", url="/cities/", age_s=140),
    Kept("سنعود بعد 5 دقائق", "warning", age_s=2_700),
    Kept("دعتك غريس إلى «خرائط الشمال»", url="/maps/7/", age_s=90_000, is_read=True),
)
KEPT_IN_POLISH = (
    Kept("Import zakończony: 31 997 miast, pominięto 3 wiersze.", "success", url="/cities/", age_s=140),
    Kept("Dysk jest pełny w 95%.", "warning", age_s=90_000, is_read=True),
)

#: On the first screen of the README.
HERO = _one(
    "hero",
    body={
        "title": "Import cities", "message": "Saving the cities", "unit": "rows", "current": 19_500, "total": 34_003,
        "fraction": 0.7006, "rate": 1_297, "eta_s": 11.6, "counters": {"skipped": 3},
        "stage": {"name": "Save", "index": 3, "count": 3, "declared": True},
    },
    messages=tuple(
        (age_s, "warning", f"Skipped {place}: no population")
        for age_s, place in [(14.0, "Thomas Magena home (KE)"), (9.0, "Plymouth (MS)"), (2.0, "Ngerulmud (PW)")]
    ),
    began_s=27, created_s=28,
)  # fmt: skip
SCENES = (
    _one("waiting", state=TaskState.PENDING, body=TITLE, created_s=3),
    _one("waiting-long", state=TaskState.PENDING, body=TITLE, created_s=95),
    _one("scheduled", state=TaskState.PENDING, body={**TITLE, "starts_at": NOW_MS + 754_000}, created_s=3),
    _running("running"),
    _one("running-indeterminate", body={"title": "Import cities", "message": "Looking for files"}, began_s=9),
    _one("running-bytes", body=BYTES, began_s=7, created_s=8),
    _running("running-stages", body=STAGES),
    _running(
        "retrying", state=TaskState.RETRY, retry_in_s=25, attempts=1, messages=LOG[:2],
        reason="The server of the provider did not answer.",
    ),
    _running("running-again", attempts=2, began_s=12, messages=()),
    _running("reconnecting", connection="waiting"),
    _running("polling", connection="polling"),
    _running("refused", connection="closed"),
    _running("stalled", heard_s=31, messages=LOG[:2]),
    _running("lost", heard_s=200, began_s=300, created_s=301, messages=()),
    _running("cancelling", cancelling=True, reason="Wrong file"),
    _running("cancelled", state=TaskState.REVOKED, reason="Wrong file", heard_s=1),
    _running("succeeded", state=TaskState.SUCCESS, body=DONE, heard_s=1),
    _running("failed", state=TaskState.FAILURE, reason="The file is not a list of cities: column “name” is missing.",
             heard_s=1),
    _running("failed-unexplained", state=TaskState.FAILURE, heard_s=1, messages=()),
    _one("ignored", state=TaskState.IGNORED, body=TITLE, heard_s=1),
    _one(
        "long-texts", body=LONG_BODY, began_s=80_000, created_s=80_001, reason=f"{UNBREAKABLE} " * 2,
        messages=((5.0, "warning", f"Skipped {UNBREAKABLE}"), (4.0, "info", "First line\nSecond line " + "word " * 60)),
    ),
    _one("polish", language="pl", body=POLISH,
         messages=((30.0, "warning", "Pominięto Ngerulmud (PW): brak ludności"), (9.0, "info", "Afryka gotowa"))),
    _one("arabic", language="ar", body=ARABIC,
         messages=((30.0, "warning", "تم تخطي Ngerulmud (PW)"), (9.0, "success", "انتهت أفريقيا"))),
    _one("hebrew", language="he", body=HEBREW,
         messages=((30.0, "warning", "דולג Ngerulmud (PW)"), (9.0, "success", "אפריקה הסתיימה"))),
    Scene(name="compact", lives=SEVERAL, page="list", options={"compact": True}),
    Scene(name="several", lives={uid: SEVERAL[uid] for uid in "abd"}, page="list"),
    Scene(name="my-tasks", lives=MINE, page="menu"),
    Scene(name="my-tasks-empty", page="menu"),
    Scene(name="my-tasks-list", lives=MINE, page="my-tasks"),
    Scene(name="messages", page="messages", said=SAID),
    Scene(name="messages-folded", page="messages", said=(*SAID, *SAID_LATER)),
    Scene(name="messages-arabic", page="messages", said=SAID_IN_ARABIC, language="ar"),
    Scene(name="bell", page="bell", kept=KEPT),
    Scene(name="bell-empty", page="bell"),
    Scene(name="bell-arabic", page="bell", kept=KEPT_IN_ARABIC, language="ar"),
    Scene(name="inbox", page="inbox", kept=KEPT),
    Scene(name="inbox-polish", page="inbox", kept=KEPT_IN_POLISH, language="pl"),
    Scene(name="unknown", page="unknown", connection="waiting"),
    Scene(name="unavailable", page="unavailable", connection=""),
    Scene(name="not-yours", page="not-yours", connection=""),
)  # fmt: skip
#: For pictures alone: they need a database.
STAFF = (
    Scene(name="admin-list", lives=MINE, page="admin-list"),
    Scene(name="admin-task", lives={"a": Life(body=STAGES, messages=LOG)}, page="admin-task"),
)
BY_NAME = {scene.name: scene for scene in SCENES}
#: Those that are connected as soon as they are open: what the server drew and what the client draws can be compared.
CALM = tuple(scene for scene in SCENES if scene.connection == "open" and scene.page not in {"bell", "menu", "messages"})
