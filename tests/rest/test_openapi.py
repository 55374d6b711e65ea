"""Schema generators describe the API as it is, without a warning."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.urls import include, path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework.schemas.openapi import SchemaGenerator as OldSchemaGenerator

from channels_progress.notifications import notify
from tests.rest.front_end import FrontEnd

OPERATIONS = {
    ("/notifications", "get"): "inbox_list",
    ("/notifications", "patch"): "inbox_mark",
    ("/notifications/preferences", "get"): "inbox_preferences_list",
    ("/notifications/preferences", "patch"): "inbox_preferences_change",
    ("/notifications/{uid}", "get"): "inbox_retrieve",
    ("/notifications/{uid}", "patch"): "inbox_change",
}


def describe_person(user: Any) -> dict[str, Any]:
    return {"nick": user.username}


@pytest.fixture
def schema(settings: Any) -> dict[str, Any]:
    return generate(settings)


def generate(settings: Any, **options: Any) -> dict[str, Any]:
    """As ``manage.py spectacular --validate --fail-on-warn`` does."""
    use(settings, "drf_spectacular.openapi.AutoSchema")
    settings.CHANNELS_PROGRESS = options
    GENERATOR_STATS.reset()
    schema = SchemaGenerator(patterns=make_patterns()).get_schema(request=None, public=True)
    validate_schema(schema)
    assert (dict(GENERATOR_STATS._warn_cache), dict(GENERATOR_STATS._error_cache)) == ({}, {})
    return schema


def use(settings: Any, schema_class: str) -> None:
    settings.REST_FRAMEWORK = {**django_settings.REST_FRAMEWORK, "DEFAULT_SCHEMA_CLASS": schema_class}


def make_patterns() -> list[Any]:
    return [path("notifications", include("channels_progress.rest.urls"))]


def name_operations(schema: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (route, method): operation["operationId"]
        for route, methods in schema["paths"].items()
        for method, operation in methods.items()
    }


def find_request(schema: dict[str, Any], route: str) -> str:
    content = schema["paths"][route]["patch"]["requestBody"]["content"]
    return str(content["application/json"]["schema"]["$ref"].rpartition("/")[2])


def test_every_operation_has_a_name_of_its_own(schema: dict[str, Any]) -> None:
    assert name_operations(schema) == OPERATIONS


def test_queries_are_described(schema: dict[str, Any]) -> None:
    shown = {each["name"]: each["schema"] for each in schema["paths"]["/notifications"]["get"]["parameters"]}
    assert shown == {
        "page": {"type": "integer", "minimum": 1, "default": 1},
        "page_size": {"type": "integer", "minimum": 1, "maximum": 100, "default": 25},
        "is_read": {"type": "boolean"},
    }


def test_what_can_be_sent_is_described(schema: dict[str, Any]) -> None:
    components = schema["components"]["schemas"]
    sent = {
        route: {
            name
            for name, field in components[find_request(schema, route)]["properties"].items()
            if not field.get("readOnly")
        }
        for route in schema["paths"]
    }
    assert sent == {
        "/notifications": {"action_choice", "notification_uids"},
        "/notifications/preferences": {"delivery", "kind", "is_enabled"},
        "/notifications/{uid}": {"status"},
    }


def test_answers_have_what_is_described(front_end: FrontEnd, alice: User, settings: Any) -> None:
    notify(alice, "a", actor=alice)
    components = generate(settings)["components"]["schemas"]
    page = front_end.get().body
    [item] = page["notifications"]
    marked = front_end.patch(action_choice="UNDEFINED").body
    described = {
        name: sorted(component["required"]) for name, component in components.items() if "required" in component
    }
    assert described == {
        "PaginatedInboxNotificationList": sorted(page),
        "InboxNotification": sorted(item),
        "InboxContent": sorted(item["notification"]),
        "InboxPerson": sorted(item["user"]),
        "InboxAction": sorted(["action_choice", *marked]),
        "InboxPreference": ["is_enabled"],
    }


def test_people_are_described_by_the_serializer_that_shows_them(settings: Any) -> None:
    schema = generate(settings, INBOX_USER_SERIALIZER="channels_progress.rest.serializers.UserSerializer")
    shown = schema["components"]["schemas"]["User"]["properties"]
    assert list(shown) == ["id", "first_name", "last_name", "email"]
    assert "InboxPerson" not in schema["components"]["schemas"]


def test_people_of_a_function_may_be_anything(settings: Any) -> None:
    schema = generate(settings, INBOX_USER_SERIALIZER=f"{__name__}.{describe_person.__name__}")
    item = schema["components"]["schemas"]["InboxNotification"]["properties"]
    assert (item["user"], item["created_by"]) == ({"readOnly": True, "nullable": True},) * 2


def test_rest_frameworks_own_generator_describes_it(settings: Any) -> None:
    use(settings, "rest_framework.schemas.openapi.AutoSchema")
    schema = OldSchemaGenerator(title="Mine", patterns=make_patterns()).get_schema(request=None, public=True)
    assert name_operations(schema) == OPERATIONS
    assert [find_request(schema, route) for route in schema["paths"]] == [
        "InboxAction", "InboxPreference", "InboxNotification",
    ]  # fmt: skip
    assert len(schema["paths"]["/notifications"]["get"]["parameters"]) == 3
