"""Each check fires where its trap is set, and is silent where the configuration is sound."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from channels_redis.core import RedisChannelLayer
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import checks, mail
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test import override_settings

from channels_progress.checks import TAG, people, run_checks, versions
from channels_progress.checks.annotations import get_annotations, matches
from channels_progress.conf import KNOWN_KEYS, Settings, redis_channel_layers
from tests.celery_apps import own_celery_apps

ROOT = Path(__file__).parent.parent
REDIS = "redis://:s3cret@127.0.0.1:6379/0"
CORE = "channels_redis.core.RedisChannelLayer"
PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"
# What the core layer meets with redis-py's own defaults.
OF_REDIS_8 = ["W013", "W014"] if redis.VERSION >= (8,) else []
SOUND_CORE = {
    "hosts": [{"address": REDIS, "socket_timeout": None, "max_connections": 10_000}],
    "capacity": 10_000,
}
SOUND: dict[str, Any] = {
    "CHANNELS_PROGRESS": {"STORE": REDIS},
    "CHANNEL_LAYERS": redis_channel_layers(REDIS),
    "ASGI_APPLICATION": "mysite.asgi.application",
    "ALLOWED_HOSTS": [".example.com"],
}


def allow(user: object, channel: str) -> bool:
    return True


class MySessionMiddleware(SessionMiddleware):
    """A project's own."""


class MyLayer(RedisChannelLayer):
    """A project's own."""


def core_layers(**config: Any) -> dict[str, Any]:
    return {"default": {"BACKEND": CORE, "CONFIG": {**SOUND_CORE, **config}}}


def core_host(**options: Any) -> dict[str, Any]:
    return core_layers(hosts=[{**SOUND_CORE["hosts"][0], **options}])


def run(**overrides: Any) -> list[checks.CheckMessage]:
    with override_settings(**{**SOUND, **overrides}):
        return run_checks()


def run_with(**options: Any) -> list[checks.CheckMessage]:
    return run(CHANNELS_PROGRESS={**SOUND["CHANNELS_PROGRESS"], **options})


def get_ids(messages: list[checks.CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix("channels_progress.") for message in messages]


@pytest.fixture
def in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mail, "outbox")


@pytest.fixture(autouse=True)
def celery_app() -> Iterator[Callable[..., Celery]]:
    with own_celery_apps() as make:
        yield make


def test_sound_configuration_is_silent(in_production: None) -> None:
    assert run() == []


def test_defaults_are_silent() -> None:
    assert run(CHANNELS_PROGRESS=None) == []
    assert run(CHANNELS_PROGRESS={key: getattr(Settings(), key) for key in KNOWN_KEYS}) == []


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (["STORE"], ["E001"]),
        ("redis://", ["E001"]),
        ({"STORE": REDIS, "RESYNC": 3}, ["E002"]),
        ({"STORE": REDIS, 7: 3}, ["E002"]),
        ({"RESYNC": 3, "RESYNC_S": "3", "MESSAGES_KEPT": 0}, ["E002", "E004", "E003"]),
    ],
)
def test_shape_of_the_dict_is_checked(given: object, ids: list[str]) -> None:
    assert get_ids(run(CHANNELS_PROGRESS=given)) == ids


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("RESYNC", 'Did you mean "RESYNC_S"?'),
        ("namespace", 'Did you mean "NAMESPACE"?'),
        ("ALLOWED_ORIGIN", 'Did you mean "ALLOWED_ORIGINS"?'),
    ],
)
def test_unknown_key_is_told_what_was_meant(key: str, hint: str) -> None:
    [message] = run_with(**{key: 1})
    assert message.hint == hint


def test_unknown_key_like_no_other_is_told_all_known_ones() -> None:
    [message] = run_with(XYZ=1)
    assert message.hint == f"Known keys are: {', '.join(sorted(KNOWN_KEYS))}."


@pytest.mark.parametrize("key", sorted(KNOWN_KEYS))
def test_every_key_refuses_a_wrong_type(key: str) -> None:
    [message] = run_with(**{key: {"a": b"dict"}})
    assert (message.id, message.msg.startswith(f'CHANNELS_PROGRESS["{key}"] is dict; ')) == (
        "channels_progress.E003",
        True,
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ENABLE_ANONYMOUS", 1),
        ("ENABLE_ANONYMOUS", None),
        ("RESYNC_S", True),
        ("RESYNC_S", "15"),
        ("RESYNC_S", timedelta(seconds=15)),
        ("MESSAGES_KEPT", 1.5),
        ("ALLOWED_ORIGINS", "https://app.example.com"),
        ("ALLOWED_ORIGINS", [b"https://app.example.com"]),
        ("NAMESPACE", None),
        ("SOCKET_PATH", None),
        ("STORE", 7),
    ],
)
def test_value_of_a_wrong_type_fires(key: str, value: object) -> None:
    assert get_ids(run_with(**{key: value})) == ["E003"]


@pytest.mark.parametrize("key", [key for key, annotation in get_annotations().items() if annotation in (int, float)])
@pytest.mark.parametrize("value", [0, -1])
def test_every_number_must_be_positive(key: str, value: int) -> None:
    assert get_ids(run_with(**{key: value})) == ["E004"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_must_be_finite(value: float) -> None:
    assert get_ids(run_with(LOST_AFTER_S=value)) == ["E004"]


def test_every_annotation_has_a_rule_and_takes_its_default() -> None:
    refused = [key for key, hint in get_annotations().items() if not matches(getattr(Settings(), key), hint)]
    assert refused == []


def name_options(options: dict[str, Any], *more: str) -> str:
    """A test's name: the same in every process, so without the address of a function."""
    return "-".join([*more, re.sub(r" at 0x\w+", "", str(options))])


FIRING = [
    ({"NAMESPACE": ""}, "E005"),
    ({"NAMESPACE": "a b"}, "E005"),
    ({"NAMESPACE": "a{b}"}, "E005"),
    ({"NAMESPACE": "tenant\n"}, "E005"),
    ({"NAMESPACE": "grün"}, "E005"),
    ({"NAMESPACE": "n" * 51}, "E005"),
    ({"STORE": "mysql://somewhere"}, "E006"),
    ({"STORE": "redis"}, "E006"),
    ({"STORE": "nowhere.to.be_found"}, "E006"),
    ({"STORE": "redis://127.0.0.1:99999999/0"}, "E006"),
    ({"STORE": lambda: 7}, "E006"),
    ({"STORE": lambda: 1 / 0}, "E006"),
    ({"SUBSCRIPTION_AUTHORIZER": "nowhere.to.be_found"}, "E007"),
    ({"SUBSCRIPTION_AUTHORIZER": f"{__name__}.missing"}, "E007"),
    ({"SUBSCRIPTION_AUTHORIZER": f"{__name__}.REDIS"}, "E007"),
    ({"SUBSCRIPTION_AUTHORIZER": "allow"}, "E007"),
    ({"SUBSCRIPTION_AUTHORIZER": lambda user: True}, "E007"),
    ({"ALLOWED_ORIGINS": ["*"]}, "E008"),
    ({"ALLOWED_ORIGINS": ["https://*.example.com"]}, "E008"),
    ({"ALLOWED_ORIGINS": ["app.example.com"]}, "E009"),
    ({"ALLOWED_ORIGINS": ["https://app.example.com/"]}, "E009"),
    ({"ALLOWED_ORIGINS": ["https://app.example.com/path"]}, "E009"),
    ({"ALLOWED_ORIGINS": ["http://["]}, "E009"),
    ({"ALLOWED_ORIGINS": ["null"]}, "E009"),
    ({"ALLOWED_ORIGINS": [""]}, "E009"),
    ({"ALLOWED_REDIRECT_HOSTS": ["https://example.com"]}, "E010"),
    ({"ALLOWED_REDIRECT_HOSTS": ["example.com/path"]}, "E010"),
    ({"ALLOWED_REDIRECT_HOSTS": ["*"]}, "E010"),
    ({"ALLOWED_REDIRECT_HOSTS": ["user@example.com"]}, "E010"),
    ({"SOCKET_PATH": "/asgi/notifications/"}, "E011"),
    ({"SOCKET_PATH": ""}, "E011"),
    ({"SOCKET_PATH": "asgi/?a=b"}, "E011"),
    ({"SOCKET_PATH": "as gi/"}, "E011"),
    ({"STALLED_AFTER_S": 5, "HEARTBEAT_S": 5}, "E012"),
    ({"LOST_AFTER_S": 20}, "E013"),
    ({"MAX_FRAME_BYTES": 1_023}, "E014"),
    ({"INBOX_USER_SERIALIZER": "nowhere.to.be_found"}, "E015"),
    ({"INBOX_USER_SERIALIZER": f"{__name__}.REDIS"}, "E015"),
    ({"INBOX_USER_SELECT_RELATED": ["profile"]}, "E016"),
    ({"INBOX_USER_SELECT_RELATED": ["username"]}, "E016"),
    ({"INBOX_USER_SELECT_RELATED": ["groups"]}, "E016"),
    ({"INBOX_USER_PREFETCH_RELATED": ["profile__city"]}, "E016"),
    ({"DELIVERIES": {"sms": "nowhere.to.be.Found"}}, "E017"),
    ({"DELIVERIES": {"sms": {}}}, "E017"),
    ({"DELIVERIES": {"SMS": "tests.deliveries.ways.Recorder"}}, "E017"),
    ({"DELIVERIES": {"webhook": {}}}, "E017"),
    ({"DELIVERIES": {"email": {"digest": 5}}}, "E017"),
    ({"DELIVERY_DISPATCHER": "nowhere.to.be_found"}, "E018"),
    ({"DELIVERY_DISPATCHER": "tests.deliveries.ways.sent"}, "E018"),
    ({"SITE_URL": "example.com"}, "E019"),
    ({"SITE_URL": "https://"}, "E019"),
    ({"SITE_URL": "http://[example.com"}, "E019"),
    ({"REPORT_INTERVAL_S": 0.019}, "W001"),
    ({"RECORD_TTL_S": 120}, "W002"),
]


@pytest.mark.parametrize(("options", "expected"), FIRING, ids=[name_options(options, id_) for options, id_ in FIRING])
def test_option_fires(options: dict[str, Any], expected: str) -> None:
    assert get_ids(run_with(**options)) == [expected]


@pytest.mark.parametrize(
    "options",
    [
        {"NAMESPACE": "a.B-c_9"},
        {"NAMESPACE": lambda: 1 / 0},
        {"STORE": "memory"},
        {"STORE": None},
        {"STORE": "rediss://127.0.0.1/1"},
        {"STORE": "unix:///run/redis.sock?db=3"},
        {"STORE": redis.Redis},
        {"STORE": "redis.Redis"},
        {"SUBSCRIPTION_AUTHORIZER": allow},
        {"SUBSCRIPTION_AUTHORIZER": f"{__name__}.allow"},
        {"SUBSCRIPTION_AUTHORIZER": lambda *args: True},
        {"ALLOWED_ORIGINS": ["https://app.example.com", "http://localhost:5173", "https://[::1]:8000"]},
        {"ALLOWED_ORIGINS": ("capacitor://localhost",)},
        {"ALLOWED_REDIRECT_HOSTS": ["example.com", "reports.example.com:8443", "[::1]:80", "localhost"]},
        {"SOCKET_PATH": "ws"},
        {"INBOX_USER_SERIALIZER": "channels_progress.rest.serializers.UserSerializer"},
        {"INBOX_USER_SERIALIZER": f"{__name__}.allow"},
        {"INBOX_USER_PREFETCH_RELATED": ["groups__permissions", "logentry_set"]},
        {"STALLED_AFTER_S": 6, "HEARTBEAT_S": 5},
        {"LOST_AFTER_S": 20.5},
        {"MAX_FRAME_BYTES": 1_024},
        {"REPORT_INTERVAL_S": 0.02},
        {"RECORD_TTL_S": 121},
        {"RESYNC_S": 3},
    ],
    ids=name_options,
)
def test_sound_option_is_silent(options: dict[str, Any]) -> None:
    assert run_with(**options) == []


def test_relations_of_the_user_model_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "get_user_model", lambda: LogEntry)
    related = {"INBOX_USER_SELECT_RELATED": ["user", "content_type"], "INBOX_USER_PREFETCH_RELATED": ["user__groups"]}
    assert run_with(**related) == []
    assert get_ids(run_with(INBOX_USER_SELECT_RELATED=["user__groups", "user__boss"])) == ["E016", "E016"]


MEMORY_LAYER = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


def sqlite(name: str) -> dict[str, Any]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name}


@pytest.fixture
def databases(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets ``DATABASES``; nothing connects."""

    def set_databases(**databases: Any) -> None:
        monkeypatch.setattr(connections, "settings", databases)

    return set_databases


@pytest.mark.parametrize("store", ["database:other", "database: default"])
def test_store_in_an_unknown_database_fires(store: str) -> None:
    assert get_ids(run_with(STORE=store)) == ["E006"]


@pytest.mark.parametrize(
    ("store", "named", "ids"),
    [
        (None, {"default": sqlite("/a")}, ["W004"]),
        ("database", {"default": sqlite("/a")}, ["W004"]),
        ("database:progress", {"default": sqlite("/a"), "progress": sqlite("/a")}, ["W004"]),
        ("database:progress", {"default": sqlite("/a"), "progress": sqlite("/b")}, []),
        ("database:progress", {"default": sqlite("/a"), "progress": sqlite(":memory:")}, ["W003"]),
        ("database", {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "a"}}, []),
    ],
)
def test_sqlite_file_of_the_store_is_its_own(
    store: Any, named: Any, ids: list[str], databases: Any, in_production: None
) -> None:
    databases(**named)
    messages = run(CHANNELS_PROGRESS={"STORE": store}, CHANNEL_LAYERS=MEMORY_LAYER)
    assert sorted(get_ids(messages)) == sorted(["W011", *ids, "W005"])


def test_database_store_with_a_shared_layer_is_silent(databases: Any, in_production: None) -> None:
    databases(default={"ENGINE": "django.db.backends.postgresql", "NAME": "a"})
    assert run_with(STORE="database") == []


@pytest.mark.parametrize("debug", [True, False])
def test_database_store_without_a_layer_is_told_of_once_and_in_production(
    debug: bool, databases: Any, in_production: None, settings: Any
) -> None:
    settings.INSTALLED_APPS = ["daphne", *settings.INSTALLED_APPS] if debug else settings.INSTALLED_APPS
    databases(default={"ENGINE": "django.db.backends.postgresql", "NAME": "a"})
    without = {"CHANNELS_PROGRESS": {"STORE": "database"}, "CHANNEL_LAYERS": {}}
    assert get_ids(run(DEBUG=debug, **without)) == ([] if debug else ["W005"])


def test_missing_redis_is_answered_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(host: object) -> None:
        raise ImproperlyConfigured("A Redis store needs redis.")

    monkeypatch.setattr("channels_progress.store.selection.make_redis_store", fail)
    [message] = run()
    assert (message.id, message.msg) == ("channels_progress.E006", "A Redis store needs redis.")
    assert 'pip install "channels-progress[redis]"' in str(message.hint)


@pytest.mark.parametrize("debug", [True, False])
def test_process_local_parts_fire_in_production_only(debug: bool, in_production: None, settings: Any) -> None:
    settings.INSTALLED_APPS = ["daphne", *settings.INSTALLED_APPS] if debug else settings.INSTALLED_APPS
    local = {"CHANNELS_PROGRESS": {"STORE": "memory"},
             "CHANNEL_LAYERS": {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}}  # fmt: skip
    assert get_ids(run(DEBUG=debug, **local)) == ([] if debug else ["W003", "W011"])


@pytest.mark.parametrize(
    ("layers", "ids"),
    [
        ({}, ["W010"]),
        (None, ["W010"]),
        ({"other": {"BACKEND": PUBSUB}}, ["W010"]),
        ({"default": {"BACKEND": "nowhere.to.be.Found"}}, ["W012"]),
        ({"default": {"CONFIG": {}}}, ["W012"]),
        ({"default": {"BACKEND": PUBSUB, "CONFIG": {"hosts": REDIS}}}, ["W012"]),
        ({"default": {"BACKEND": PUBSUB, "CONFIG": {"hosts": ["redis://:s3cret@h:99999999"]}}}, ["W012"]),
        ({"default": {"BACKEND": PUBSUB, "CONFIG": {"hosts": [REDIS]}}}, []),
        ({"default": {"BACKEND": CORE, "CONFIG": {"hosts": [REDIS]}}}, [*OF_REDIS_8, "W015"]),
        ({"default": {"BACKEND": CORE}}, [*OF_REDIS_8, "W015"]),
        (core_layers(), []),
        (core_host(socket_timeout=5), ["W013"]),
        (core_host(socket_timeout=30), []),
        (core_host(address=f"{REDIS}?socket_timeout=3", socket_timeout=None), ["W013"]),
        (core_layers(hosts=[{"host": "h", "socket_timeout": None}]), OF_REDIS_8[1:]),
        (core_host(max_connections=50), []),
        (core_layers(capacity=100), ["W015"]),
        (core_layers(capacity=101), []),
    ],
)
def test_channel_layer_is_checked(layers: Any, ids: list[str]) -> None:
    assert get_ids(run(CHANNEL_LAYERS=layers)) == ids


def test_what_a_project_makes_of_the_core_layer_is_checked_too() -> None:
    layers = core_layers(capacity=100)
    layers["default"]["BACKEND"] = f"{__name__}.MyLayer"
    assert get_ids(run(CHANNEL_LAYERS=layers)) == ["W015"]


def without(setting: list[str], ending: str) -> list[str]:
    return [path for path in setting if not path.endswith(ending)]


def test_site_around_us_is_checked(settings: Any) -> None:
    middleware, apps = settings.MIDDLEWARE, settings.INSTALLED_APPS
    assert get_ids(run(ASGI_APPLICATION=None)) == ["W020"]
    assert get_ids(run(ROOT_URLCONF="tests.test_checks")) == ["W022"]
    assert get_ids(run(MIDDLEWARE=without(middleware, "SessionMiddleware"))) == ["W023"]
    assert get_ids(run(MIDDLEWARE=without(middleware, "AuthenticationMiddleware"))) == ["W024"]
    assert get_ids(run(INSTALLED_APPS=without(apps, "staticfiles"))) == ["W025"]
    assert get_ids(run(STATIC_URL=None)) == ["W025"]


def test_middleware_of_a_project_counts_as_what_it_derives_from(settings: Any) -> None:
    others = without(settings.MIDDLEWARE, "SessionMiddleware")
    assert (
        run(MIDDLEWARE=[f"{__name__}.MySessionMiddleware", "nowhere.to.be_found", f"{__name__}.allow", *others]) == []
    )


urlpatterns: list[object] = []


@pytest.mark.parametrize(
    ("first", "last", "debug", "ids"),
    [
        (["daphne"], [], True, []),
        ([], [], True, ["W021"]),
        ([], ["daphne"], True, ["W021"]),
        ([], [], False, []),
    ],
)
def test_runserver_without_websockets_fires_in_development(
    first: list[str], last: list[str], debug: bool, ids: list[str], settings: Any
) -> None:
    assert get_ids(run(DEBUG=debug, INSTALLED_APPS=[*first, *settings.INSTALLED_APPS, *last])) == ids


@pytest.mark.parametrize(
    ("overrides", "ids"),
    [
        ({}, ["W026"]),
        ({"CSRF_TRUSTED_ORIGINS": ["https://*.example.com"]}, ["W026"]),
        ({"CSRF_TRUSTED_ORIGINS": ["http://www.example.com"]}, []),
        ({"CSRF_TRUSTED_ORIGINS": ["https://elsewhere.org"]}, []),
        ({"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}, []),
        ({"ALLOWED_HOSTS": ["*"]}, []),
        ({"CHANNELS_PROGRESS": {"STORE": REDIS, "ALLOWED_ORIGINS": ["https://www.example.com"]}}, []),
    ],
)
def test_unknown_tls_proxy_fires(overrides: dict[str, Any], ids: list[str]) -> None:
    assert get_ids(run(**{"CSRF_TRUSTED_ORIGINS": ["https://www.example.com"], **overrides})) == ids


@pytest.mark.parametrize(
    ("conf", "ids"),
    [
        ({}, []),
        ({"accept_content": ["json", "pickle"]}, ["W030"]),
        ({"accept_content": ["application/x-python-serialize"]}, ["W030"]),
        ({"result_accept_content": ["json", "pickle"]}, ["W030"]),
        ({"task_serializer": "pickle"}, ["W033"]),
        ({"result_serializer": "pickle"}, ["W033"]),
        ({"event_serializer": "pickle"}, ["W033"]),
        ({"result_backend": "django-db"}, ["W031"]),
        ({"result_backend": "django-db", "result_extended": True}, []),
        ({"result_backend": "redis://127.0.0.1"}, []),
    ],
)
def test_celery_configuration_is_checked(
    conf: dict[str, Any], ids: list[str], celery_app: Callable[..., Celery]
) -> None:
    celery_app(REDIS, **conf)
    assert get_ids(run()) == ids


def test_project_without_celery_app_is_not_checked_for_celery() -> None:
    assert run() == []


@pytest.mark.parametrize(
    ("installed", "fires"), [("4.3.1", True), ("4.2.9", True), ("4.3.2", False), ("4.10", False), (None, False)]
)
def test_old_release_fires(installed: str | None, fires: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    real = versions._find_version
    monkeypatch.setattr(versions, "_find_version", lambda name: installed if name == "channels" else real(name))
    messages = run()
    assert get_ids(messages) == (["E020"] if fires else [])
    assert [message.hint for message in messages] == (['pip install "channels>=4.3.2"'] if fires else [])


@pytest.mark.parametrize(
    ("installed", "fires"), [("6.0.8", True), ("6.1", True), ("6.1.2", False), ("6.2", False), ("5.2.19", False)]
)
def test_release_with_a_hole_fires(installed: str, fires: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    real = versions._find_version
    monkeypatch.setattr(versions, "_find_version", lambda name: installed if name == "Django" else real(name))
    assert get_ids(run()) == (["W032"] if fires else [])


def test_minimum_versions_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for extra in extras.values() for line in extra)]
    assert dict(line.split(">=") for line in lines) == versions.MINIMUM_VERSIONS


def test_no_message_shows_a_password() -> None:
    def fail() -> None:
        raise ValueError(REDIS)

    shown = [
        *run(CHANNELS_PROGRESS={"STORE": fail}),
        *run(CHANNELS_PROGRESS={"STORE": [REDIS]}),
        *run(CHANNELS_PROGRESS={"STORE": REDIS.replace("redis:", "mysql:")}),
        *run(CHANNELS_PROGRESS={"STORE": REDIS.replace("6379", "s3cret")}),
        *run(CHANNEL_LAYERS={"default": {"BACKEND": PUBSUB, "CONFIG": {"hosts": [REDIS.replace("6379", "s3cret")]}}}),
        *run(CHANNEL_LAYERS={"default": {"BACKEND": CORE, "CONFIG": {"hosts": [REDIS]}}}),
    ]
    assert len(shown) == 6 + len(OF_REDIS_8)
    assert "s3cret" not in repr(shown)


def test_every_message_says_what_to_write() -> None:
    messages = [message for options, _ in FIRING for message in run_with(**options)]
    assert [message for message in messages if len(message.hint or "") < 20] == []


def test_checks_run_with_django_and_by_tag() -> None:
    with override_settings(**SOUND | {"CHANNELS_PROGRESS": {"XYZ": 1}}):
        assert get_ids(checks.run_checks(tags=[TAG])) == ["E002"]


def test_every_id_is_used_once_and_documented() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "channels_progress" / "checks").glob("*.py"))
    used = Counter(re.findall(r'id="channels_progress\.([EW]\d{3})"', sources))
    documented = re.findall(
        r"^\| `channels_progress\.([EW]\d{3})` \|", (ROOT / "docs/checks.md").read_text(), re.MULTILINE
    )
    assert used == Counter(documented)
    assert set(used.values()) == {1}
