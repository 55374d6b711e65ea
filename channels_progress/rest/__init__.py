"""The inbox over HTTP, with Django REST framework: the only place that imports it.

``path("api/v1/me/notifications", include("channels_progress.rest.urls"))`` is all that a project writes; whom a request
comes from is found by the authentication classes of the project.
"""

from __future__ import annotations

try:
    import rest_framework  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "rest_framework":
        raise
    raise ImportError(
        "channels_progress.rest needs Django REST framework, which is not installed: "
        "pip install 'channels-progress[rest]'",
        name="rest_framework",
    ) from error
