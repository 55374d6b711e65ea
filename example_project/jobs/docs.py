"""The package's documentation, as it lies beside the example: Markdown, as plain text."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from example_project.files.trees import CHECKOUT

DOCS = {path.stem: path for path in sorted((CHECKOUT / "docs").glob("*.md"))}


def read_doc(request: HttpRequest, name: str) -> HttpResponse:
    """One document."""
    if name not in DOCS:
        raise Http404
    return HttpResponse(DOCS[name].read_bytes(), content_type="text/plain; charset=utf-8")
