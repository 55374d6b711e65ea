"""``channels_progress.d.ts``: that it says what the module and the server do."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from channels_progress.events import BODY_KEYS
from channels_progress.pages import task_context
from channels_progress.records import Message
from tests.services import lack
from tests.tooling import find_node
from tests.types.conftest import HERE, MODULE, Compile
from tests.web.conftest import MakeRequest, MakeTask, make_request, make_task, store  # noqa: F401  fixtures
from tests.web.test_pages import handle

pytestmark = pytest.mark.same_everywhere

MARK = "// @ts-expect-error"


def write(folder: Path, name: str, source: str) -> str:
    (folder / name).write_text(source)
    return name


def test_sound_code_compiles(compile_types: Compile, tmp_path: Path) -> None:
    assert compile_types(write(tmp_path, "good.ts", (HERE / "good.ts").read_text())) == []


def test_each_mistake_is_an_error(compile_types: Compile, tmp_path: Path) -> None:
    source = (HERE / "bad.ts").read_text()
    assert compile_types(write(tmp_path, "bad.ts", source)) == []
    errors = compile_types(write(tmp_path, "bad.ts", source.replace(MARK, "//")))
    lines = {int(match[1]) for error in errors if (match := re.match(r"bad\.ts\((\d+),", error))}
    assert lines == {number for number, line in enumerate(source.splitlines(), 2) if MARK in line}


def test_the_names_are_those_of_the_module() -> None:
    node = find_node()
    if not node:
        lack("No Node.")
    script = f"import({json.dumps(MODULE.as_uri())}).then((module) => console.log(JSON.stringify(Object.keys(module))))"
    names = json.loads(subprocess.run([node, "-e", script], capture_output=True, text=True, check=True).stdout)
    declared = re.findall(
        r"^export (?:function|const|class) (\w+)", MODULE.with_suffix(".d.ts").read_text(), re.MULTILINE
    )
    assert sorted(declared) == sorted(names)


def test_the_module_can_stand_for_its_types(compile_types: Compile, tmp_path: Path) -> None:
    (tmp_path / "module.js").write_text(MODULE.read_text())
    options = {"allowJs": True, "checkJs": False, "exactOptionalPropertyTypes": False}
    assert compile_types(write(tmp_path, "same.ts", (HERE / "same.ts").read_text()), **options) == []


def test_a_body_has_the_keys_of_the_server(compile_types: Compile, tmp_path: Path) -> None:
    keys = json.dumps(dict.fromkeys(sorted(BODY_KEYS), True))
    source = (
        'import type { TaskBody } from "channels_progress";\n'
        f"export const keys: Record<keyof TaskBody, true> = {keys};\n"
    )
    assert compile_types(write(tmp_path, "body.ts", source)) == []


def test_what_the_server_sends_is_of_its_type(
    compile_types: Compile,
    tmp_path: Path,
    make_task: MakeTask,  # noqa: F811
    make_request: MakeRequest,  # noqa: F811
    store: object,  # noqa: F811
) -> None:
    stage = {"name": "Save", "index": 1, "count": None, "declared": False}
    body = {"title": "Import", "fraction": 0.5, "counters": {"skipped": 1}, "stage": stage}
    make_task(body=body, messages=(Message("warning", "No name"),))
    context = task_context(handle(), make_request())
    assert context
    keys = {"TaskContext": context, "TaskTexts": context["display"], "TaskFrame": context["frame"]}
    source = f'import type {{ {", ".join(keys)} }} from "channels_progress";\n'
    source += f"export const context: TaskContext = {json.dumps(context)};\n"
    for name, value in keys.items():
        source += f"export const of{name}: Record<keyof {name}, true> = {json.dumps(dict.fromkeys(value, True))};\n"
    assert compile_types(write(tmp_path, "sent.ts", source)) == []
