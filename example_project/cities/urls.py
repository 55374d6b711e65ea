"""``cities/``."""

from __future__ import annotations

from django.urls import path

from example_project.cities.views import CityList, CityPage, start_import, start_import_later, start_strict_import

app_name = "cities"
urlpatterns = [
    path("", CityList.as_view(), name="list"),
    path("<int:pk>/", CityPage.as_view(), name="page"),
    path("import/", start_import, name="import"),
    path("import-later/", start_import_later, name="import_later"),
    path("import-strictly/", start_strict_import, name="import_strictly"),
]
