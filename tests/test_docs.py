"""What is public is documented: settings with their defaults, checks, commands, names."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from channels_progress.conf import Settings

ROOT = Path(__file__).parent.parent
PATHS = [ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/*.md")]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in PATHS}
ALL_TEXT = "\n".join(PAGES.values())
# Those that all commands of Django have.
SHARED_OPTIONS = {
    option for action in BaseCommand().create_parser("manage.py", "any")._actions for option in action.option_strings
}

PUBLIC_MODULES = (
    "channels_progress",
    "channels_progress.asgi",
    "channels_progress.audiences",
    "channels_progress.bell",
    "channels_progress.broadcasts",
    "channels_progress.conf",
    "channels_progress.exceptions",
    "channels_progress.consumers.mixins",
    "channels_progress.mine",
    "channels_progress.notifications.deliveries",
    "channels_progress.page_messages",
    "channels_progress.mixins",
    "channels_progress.notifications",
    "channels_progress.page_ids",
    "channels_progress.pages",
    "channels_progress.rest.routing",
    "channels_progress.rest.serializers",
    "channels_progress.rest.sockets",
    "channels_progress.tasks",
    "channels_progress.testing",
    "channels_progress.testing.broadcasts",
    "channels_progress.tokens",
)


def default_as_text(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def test_every_setting_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| [^|]+ \| `([^`]+)` \|", PAGES["docs/settings.md"], re.MULTILINE))
    assert rows == {field.name: default_as_text(field.default) for field in fields(Settings)}


def test_every_command_is_documented() -> None:
    ours = [name for name, app in get_commands().items() if app == "channels_progress"]
    assert ours
    assert [name for name in ours if f"manage.py {name}" not in ALL_TEXT] == []


def test_every_option_of_a_command_is_documented() -> None:
    chapters = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGES["docs/commands.md"], re.MULTILINE | re.DOTALL))
    ours = [name for name, app in get_commands().items() if app == "channels_progress"]
    assert sorted(chapters) == sorted(ours)
    missing = []
    for name in ours:
        parser = load_command_class("channels_progress", name).create_parser("manage.py", name)
        options = {option for action in parser._actions for option in (action.option_strings or [action.dest])}
        missing += [(name, option) for option in options - SHARED_OPTIONS if f"`{option}" not in chapters[name]]
    assert missing == []


@pytest.mark.parametrize("module_name", PUBLIC_MODULES)
def test_every_public_name_is_documented(module_name: str) -> None:
    module = import_module(module_name)
    assert [name for name in module.__all__ if not re.search(rf"`[^`\n]*\b{name}\b", ALL_TEXT)] == []


def find_anchors(path: Path) -> set[str]:
    """As GitHub names its headings: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE) if path.suffix == ".md" else []
    return {"", *(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)}


def test_every_relative_link_leads_somewhere() -> None:
    links = [(page, link) for page, text in PAGES.items() for link in re.findall(r"\]\(([^):]+)\)", text)]
    broken = []
    for page, link in links:
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        if not target.exists() or anchor not in find_anchors(target):
            broken.append((page, link))
    assert broken == []


def test_every_page_is_listed_in_the_index() -> None:
    listed = re.findall(r"^- \[[^]]+\]\(([^)]+)\): ", PAGES["docs/README.md"], re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in ROOT.glob("docs/*.md") if path.name != "README.md")


def test_every_test_that_a_document_names_exists() -> None:
    named = {found for text in PAGES.values() for found in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)}
    assert len(named) > 50
    sources = {path: (ROOT / path).read_text() if (ROOT / path).exists() else "" for path, _ in named}
    missing = [
        (path, name) for path, name in named if not re.search(rf"^(async )?def {name}\(", sources[path], re.MULTILINE)
    ]
    assert sorted(missing) == []


def test_every_limit_of_a_page_is_in_the_table_of_limits() -> None:
    [table] = re.findall(r"^## What one page may do\n(.*?)^## ", PAGES["docs/security.md"], re.MULTILINE | re.DOTALL)
    limits = {field.name for field in fields(Settings) if re.match(r"MAX_|OUTBOX_|S(ILENCE|LOW_SOCKET)_S", field.name)}
    assert limits
    assert [name for name in sorted(limits) if f"`{name}`" not in table] == []
