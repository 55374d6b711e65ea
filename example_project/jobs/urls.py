"""The pages at the root of the site."""

from __future__ import annotations

from django.urls import path

from example_project.jobs.docs import read_doc
from example_project.jobs.views import home, ready, several, start, start_several

urlpatterns = [
    path("", home, name="home"),
    path("jobs/<slug:job>/", start, name="start"),
    path("several/", several, name="several"),
    path("several/start/", start_several, name="start_several"),
    path("docs/<slug:name>/", read_doc, name="doc"),
    path("ready/", ready, name="ready"),
]
