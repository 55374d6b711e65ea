"""Serves the collected static files, so that the demo needs no web server in front."""

from __future__ import annotations

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.views.static import serve

YEAR_S = 31_536_000


def serve_static(request: HttpRequest, path: str) -> HttpResponseBase:
    """One collected file. A deployment leaves this to its web server."""
    response = serve(request, path, document_root=settings.STATIC_ROOT)
    if not isinstance(response, FileResponse):
        return response
    # In one piece: under ASGI Django warns about every synchronous stream.
    whole = HttpResponse(response.getvalue(), headers=dict(response.headers))
    response.close()
    whole.headers["Cache-Control"] = f"max-age={YEAR_S}, immutable"
    return whole
