"""How heavy CSS selectors are (https://www.w3.org/TR/selectors-4/#specificity-rules)."""

from __future__ import annotations

import re

NESTED = re.compile(r":(is|not|has|where)\(([^()]*)\)")


def list_selectors(css: str) -> list[str]:
    """The selectors of a sheet, one of each list at a time; those of ``@keyframes`` are none."""
    css = re.sub(r"/\*.*?\*/|@keyframes[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", css, flags=re.DOTALL)
    preludes = re.findall(r"([^{};]+)\{", css)
    return [selector for prelude in preludes if "@" not in prelude for selector in split_list(prelude)]


def split_list(selectors: str) -> list[str]:
    """At the commas outside brackets."""
    return [part.strip() for part in re.split(r",(?![^(]*\)|[^\[]*\])", _flatten(selectors))]


def weigh(selector: str) -> tuple[int, int]:
    """How many ids, and how many classes, attributes and pseudo-classes count."""
    flat = _flatten(selector)
    return len(re.findall(r"#[\w-]", flat)), len(re.findall(r"\.[\w-]|\[|(?<!:):(?=\w)", flat))


def _flatten(selector: str) -> str:
    """The selector with its heaviest alternative in the place of each ``:is()``, and nothing for ``:where()``."""
    while match := NESTED.search(selector):
        name, inner = match.groups()
        heaviest = "" if name == "where" else max(inner.split(","), key=weigh).strip()
        selector = selector[: match.start()] + " " * bool(heaviest) + heaviest + selector[match.end() :]
    return selector
