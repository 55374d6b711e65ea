"""What the package is made of: nothing that runs data as code, in Python, JavaScript or markup."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.tooling import ROOT

PACKAGE = ROOT / "channels_progress"
PYTHON = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(PACKAGE.rglob("static/**/*.js"))
TEMPLATES = sorted([*PACKAGE.rglob("templates/**/*.html"), *ROOT.glob("templates/**/*.html")])

UNSAFE_MODULES = frozenset({"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle"})
UNSAFE_CALLS = frozenset({"eval", "exec", "compile", "__import__"})
RUNS_TEXT = re.compile(r"\beval\s*\(|\bnew\s+Function\b|\bFunction\s*\(|\b(?:setTimeout|setInterval)\s*\(\s*[\"'`]")
RUNS_INLINE = re.compile(
    r"<style|<script(?![^>]*(?:src=|application/json))|[\s\"']style\s*=|[\s\"']on[a-z]+\s*=|javascript:", re.IGNORECASE
)
COMMENT = re.compile(r"\{#.*?#\}|\{% comment.*?endcomment %\}", re.DOTALL)


def find_unsafe_python(source: str) -> set[str]:
    """Names of modules that unpickle, and of builtins that run text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name.partition(".")[0] for alias in names} & UNSAFE_MODULES
            case ast.ImportFrom(module=str(module)):
                found |= {module.partition(".")[0]} & UNSAFE_MODULES
            case ast.Call(func=ast.Name(id=name)):
                found |= {name} & UNSAFE_CALLS
    return found


def test_there_is_something_to_look_at() -> None:
    assert len(PYTHON) > 100
    assert len(SCRIPTS) > 2
    assert len(TEMPLATES) > 30


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", {"pickle"}),
        ("from pickle import loads", {"pickle"}),
        ("eval('1')", {"eval"}),
        ("import json\nmodel.compile()\nre.compile('x')", set()),
    ],
)
def test_unsafe_python_would_be_found(source: str, found: set[str]) -> None:
    assert find_unsafe_python(source) == found


def test_no_module_unpickles_or_runs_text() -> None:
    assert {path.name: found for path in PYTHON if (found := find_unsafe_python(path.read_text()))} == {}


@pytest.mark.parametrize(
    "unsafe", ["eval(text)", "new Function('a')", "setTimeout('a()', 1)", "setInterval(`a()`)", "Function ('a')()"]
)
def test_unsafe_scripts_would_be_found(unsafe: str) -> None:
    assert RUNS_TEXT.search(unsafe)
    assert not RUNS_TEXT.search("setTimeout(() => retrieval(1)); anyFunction(2); function named() {}")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_runs_text(path: Path) -> None:
    assert RUNS_TEXT.findall(path.read_text()) == []


@pytest.mark.parametrize(
    "unsafe",
    [
        "<p onclick='a()'>",
        '<p class="a"onclick=a()>',
        "<a href='javascript:a()'>",
        "<style>",
        "<p style='a'>",
        "<script>a()</script>",
    ],
)
def test_inline_code_would_be_found(unsafe: str) -> None:
    assert RUNS_INLINE.search(unsafe)
    assert not RUNS_INLINE.search('<script type="module" src="a.js"></script><p class="styled" data-only="once">')


def test_no_template_holds_code_or_style() -> None:
    texts = {path: COMMENT.sub("", path.read_text()) for path in TEMPLATES}
    assert {path.name: found for path, text in texts.items() if (found := RUNS_INLINE.findall(text))} == {}


def test_no_template_switches_escaping_off() -> None:
    unescaped = re.compile(r"\|\s*safe\b|\bautoescape off\b|\bsafeseq\b")
    texts = {path: COMMENT.sub("", path.read_text()) for path in TEMPLATES}
    assert {path.name: found for path, text in texts.items() if (found := unescaped.findall(text))} == {}
