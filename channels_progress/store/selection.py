"""Which store the settings mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import load_backend
from django.utils.module_loading import import_string

from channels_progress.conf import get_settings
from channels_progress.store.contract import Store
from channels_progress.store.memory import MemoryStore

REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
#: Databases that can be the store, as Django calls them; ``mysql`` is MariaDB, too.
VENDORS = ("postgresql", "mysql", "sqlite")
WHAT_TO_WRITE = 'Write CHANNELS_PROGRESS = {"STORE": "redis://localhost:6379/0"}.'
#: The engine of a database that is not configured.
DUMMY = "django.db.backends.dummy"
# What makes a host of a channel layer more than an address.
NOT_PLAIN = frozenset({"master_name", "sentinels", "connection_class", "connection_pool"})
REDIS_BACKENDS = ("channels_redis.core.RedisChannelLayer", "channels_redis.pubsub.RedisPubSubChannelLayer")


def make_store() -> Store:
    """A new store, as ``CHANNELS_PROGRESS["STORE"]`` says; else on the Redis of ``CHANNEL_LAYERS["default"]``, where
    that is one plain host; else in the database ``"default"``.

    Connects to nothing yet.

    Raises:
        ImproperlyConfigured: The settings name no usable store. The message never contains the value, which may
            hold a password.
    """
    wanted = get_settings().STORE
    if alias := find_database():
        return make_database_store(alias)
    if wanted is None:
        return make_redis_store(find_layer_host() or {})
    if isinstance(wanted, str):
        return _make_named(wanted)
    if callable(wanted):
        return _make_from(wanted, "The callable")
    raise ImproperlyConfigured(f'CHANNELS_PROGRESS["STORE"] is {type(wanted).__name__}. {WHAT_TO_WRITE}')


def _make_named(wanted: str) -> Store:
    if wanted == "memory":
        return MemoryStore()
    if wanted.startswith(REDIS_SCHEMES):
        return make_redis_store({"address": wanted})
    if "://" in wanted or "." not in wanted:
        raise ImproperlyConfigured(
            'CHANNELS_PROGRESS["STORE"] is none of: a redis://, rediss:// or unix:// URL, "database", '
            '"database:alias", "memory", a dotted path. ' + WHAT_TO_WRITE
        )
    try:
        factory = import_string(wanted)
    except ImportError as error:
        raise ImproperlyConfigured(f'CHANNELS_PROGRESS["STORE"] cannot be imported: {error}') from error
    return _make_from(factory, wanted)


def _make_from(factory: Any, name: str) -> Store:
    made = factory() if callable(factory) else factory
    if hasattr(made, "request_cancel"):
        return cast("Store", made)
    if hasattr(made, "connection_pool"):
        return cast("Store", _redis_module().RedisStore(made))
    raise ImproperlyConfigured(
        f'{name} in CHANNELS_PROGRESS["STORE"] gives a {type(made).__name__}; a redis.Redis or a store is expected.'
    )


def make_redis_store(host: Mapping[str, Any]) -> Store:
    """A store on a host as ``channels_redis`` describes one: ``{"address": url, …}`` or ``{"host":, "port":, …}``."""
    module = _redis_module()
    return cast("Store", module.RedisStore(module.make_client(host)))


def _redis_module() -> Any:
    try:
        return import_module("channels_progress.store.redis")
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise ImproperlyConfigured("A Redis store needs redis: pip install 'channels-progress[redis]'.") from error


def find_database() -> str | None:
    """The name in ``DATABASES`` of the database that the settings make the store; None where it is something else."""
    wanted = get_settings().STORE
    if wanted is None:
        return None if find_layer_host() else DEFAULT_DB_ALIAS
    kind, _, alias = wanted.partition(":") if isinstance(wanted, str) else ("", "", "")
    return (alias or DEFAULT_DB_ALIAS) if kind == "database" else None


def make_database_store(alias: str) -> Store:
    """A store in the database of this name."""
    engine = connections.settings.get(alias, {}).get("ENGINE", DUMMY)
    if engine == DUMMY:
        raise ImproperlyConfigured(
            f'The store is to be the database "{alias}", which DATABASES does not have. {WHAT_TO_WRITE}'
        )
    if (vendor := load_backend(engine).DatabaseWrapper.vendor) not in VENDORS:
        raise ImproperlyConfigured(
            f'The store is to be the database "{alias}". It is {vendor}, and {", ".join(VENDORS)} can be stores. '
            + WHAT_TO_WRITE
        )
    if not apps.is_installed("channels_progress"):
        raise ImproperlyConfigured('The database store needs "channels_progress" in INSTALLED_APPS.')
    return cast("Store", import_module("channels_progress.store.database").DatabaseStore(alias))


def find_layer_host() -> dict[str, Any] | None:
    """The Redis of ``CHANNEL_LAYERS["default"]``, as ``channels_redis`` describes hosts; None where it is not one plain
    host."""
    layer = (getattr(django_settings, "CHANNEL_LAYERS", None) or {}).get("default") or {}
    if layer.get("BACKEND") not in REDIS_BACKENDS:
        return None
    hosts = layer.get("CONFIG", {}).get("hosts") or ["redis://localhost:6379"]
    described = [] if isinstance(hosts, str | bytes) else [_describe_host(host) for host in hosts]
    if len(described) != 1 or NOT_PLAIN & described[0].keys():
        return None
    return described[0]


def _describe_host(host: str | Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(host, Mapping):
        address = host.get("address")
        rest = {key: value for key, value in host.items() if key != "address"}
        return {**rest, **_describe_host(address)} if address is not None else rest
    if isinstance(host, str):
        return {"address": host}
    return {"host": host[0], "port": host[1]}
