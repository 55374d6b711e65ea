"""React and Vue, with the code of docs/front-ends.md: compiled, bundled, and run in a real browser."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from channels_progress.pages import task_context
from channels_progress.records import TaskState
from tests.js.stage import ORIGIN, Stage, make_record
from tests.tooling import ROOT
from tests.types.conftest import MODULE, Compile, compile_types  # noqa: F401  a fixture

pytestmark = pytest.mark.browser

BLOCK = re.compile(r"^```tsx?\n// frontend/(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SOURCES: dict[str, str] = dict(BLOCK.findall((ROOT / "docs" / "front-ends.md").read_text()))

REACT_PAGE = """
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import type { TaskContext } from "channels_progress";
import { TaskBar } from "./TaskBar";
import { TaskElement } from "./TaskElement";

const [first, second]: [TaskContext, TaskContext] = JSON.parse(document.getElementById("contexts")!.textContent!);

function Page() {
  const [context, setContext] = useState<TaskContext | null>(first);
  return (
    <>
      {context && <TaskBar context={context} />}
      <TaskElement context={second} />
      <button onClick={() => setContext(second)}>Next</button>
      <button onClick={() => setContext(null)}>None</button>
    </>
  );
}

createRoot(document.querySelector("main")!).render(<StrictMode><Page /></StrictMode>);
"""
VUE_PAGE = """
import { createApp, h, ref } from "vue";
import type { TaskContext } from "channels_progress";
import { useTask } from "./useTask.vue";

const [first, second]: [TaskContext, TaskContext] = JSON.parse(document.getElementById("contexts")!.textContent!);

createApp({
  setup() {
    const context = ref(first);
    const known = useTask(context);
    return () => [
      h("section", [h("p", { role: "status" }, String(known.value.fraction))]),
      h("button", { onClick: () => { context.value = second; } }, "Next"),
    ];
  },
}).mount("main");
"""


def write_sources(folder: Path, **pages: str) -> list[str]:
    files = {**SOURCES, **{f"{name}.tsx": text for name, text in pages.items()}}
    for name, text in files.items():
        (folder / name).write_text(text)
    return list(files)


def bundle(folder: Path, npm_packages: Path, page: str, *options: str) -> str:
    """One script of this page, with the framework's development build: it mounts twice and warns."""
    (folder / "node_modules").unlink(missing_ok=True)
    (folder / "node_modules").symlink_to(npm_packages)
    define = '--define:process.env.NODE_ENV="development"'
    fixed = ["--bundle", "--format=esm", "--jsx=automatic", define, "--define:__VUE_OPTIONS_API__=true"]
    fixed += ["--define:__VUE_PROD_DEVTOOLS__=false", "--define:__VUE_PROD_HYDRATION_MISMATCH_DETAILS__=false"]
    command = [npm_packages / ".bin" / "esbuild", f"{page}.tsx", *fixed, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def open_app(stage: Stage, script: str, *, imports: dict[str, str] | None = None) -> None:
    contexts: list[dict[str, Any] | None] = []
    for uid in ("a", "b"):
        stage.render(uid)
        contexts.append(task_context(uid, stage.make_request()))
    import_map = f'<script type="importmap">{json.dumps({"imports": imports})}</script>' if imports else ""
    data = f'<script type="application/json" id="contexts">{json.dumps(contexts)}</script>'
    stage.served["/app.js"] = script
    app = '<main></main><script type="module" src="/app.js"></script>'
    stage.html = f'<!doctype html><meta charset="utf-8">{import_map}{data}{app}'
    stage.page.goto(f"{ORIGIN}/page/")


def channels(stage: Stage) -> dict[str, int]:
    """How many subscriptions each channel has now."""
    counts: dict[str, int] = {}
    for frame in stage.heard:
        step = {"subscribe": 1, "unsubscribe": -1}.get(frame["type"], 0)
        counts[frame.get("channel", "")] = counts.get(frame.get("channel", ""), 0) + step
    return {channel: count for channel, count in counts.items() if count}


@pytest.mark.same_everywhere
def test_the_documented_code_compiles(compile_types: Compile, tmp_path: Path) -> None:  # noqa: F811
    names = write_sources(tmp_path, react=REACT_PAGE, vue=VUE_PAGE)
    assert len(SOURCES) == 4
    assert compile_types(*names, jsx="react-jsx", skipLibCheck=True) == []


def test_react_follows_a_task_mounted_twice(stage: Stage, npm_packages: Path, tmp_path: Path) -> None:
    write_sources(tmp_path, react=REACT_PAGE)
    open_app(stage, bundle(tmp_path, npm_packages, "react", f"--alias:channels_progress={MODULE}"))
    bar = stage.page.locator("section")
    expect(bar.get_by_role("status")).to_have_text("Waiting to start")
    stage.wait_until(lambda: channels(stage) == {"task:a": 1, "task:b": 1})
    stage.hint(make_record(seq=2, body={"fraction": 0.25}))
    expect(bar.locator("span")).to_have_text("25%")
    stage.hint(make_record("b", epoch="e2", seq=2, body={"fraction": 0.75}))
    expect(stage.hook("percent", "b")).to_have_text("75%")
    stage.page.get_by_role("button", name="Next").click()
    expect(bar.locator("span")).to_have_text("75%")
    stage.wait_until(lambda: channels(stage) == {"task:b": 1})
    stage.hint(make_record("b", epoch="e2", seq=3, state=TaskState.SUCCESS))
    expect(bar.get_by_role("status")).to_have_text("Done")
    stage.page.get_by_role("button", name="None").click()
    expect(bar).to_have_count(0)
    assert (channels(stage), len(stage.sockets)) == ({"task:b": 1}, 1)


def test_vue_follows_a_task_with_the_module_of_the_page(stage: Stage, npm_packages: Path, tmp_path: Path) -> None:
    write_sources(tmp_path, vue=VUE_PAGE)
    script = bundle(tmp_path, npm_packages, "vue", "--external:channels_progress")
    open_app(stage, script, imports={"channels_progress": "/static/channels_progress/channels_progress.js"})
    status = stage.page.get_by_role("status")
    stage.wait_until(lambda: channels(stage) == {"task:a": 1})
    stage.hint(make_record(seq=2, body={"fraction": 0.25}))
    expect(status).to_have_text("0.25")
    stage.set_reading(make_record("b", epoch="e2", body={"fraction": 0.75}))
    stage.page.get_by_role("button", name="Next").click()
    expect(status).to_have_text("0.75")
    stage.wait_until(lambda: channels(stage) == {"task:b": 1})
    assert len(stage.sockets) == 1
