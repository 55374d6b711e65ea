"""Settings of the example site. The environment says where things are; ``example_project.stack`` fills it in.

``REDIS_URL``: broker, channel layer and store. ``EXAMPLE_FOLDER``: database and collected static files.
``EXAMPLE_NAMESPACE``: keeps several sites on one Redis apart. ``EXAMPLE_SECRET_KEY``. ``EXAMPLE_LOG_LEVEL``.
``EXAMPLE_URL``: the site's own address, for links in e-mails.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key

from channels_progress.conf import redis_channel_layers

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = Path(os.environ.get("EXAMPLE_FOLDER", ROOT / ".demo"))
FOLDER.mkdir(parents=True, exist_ok=True)  # SQLite makes the file, not its folder
NAMESPACE = os.environ.get("EXAMPLE_NAMESPACE", "example")
REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

# Servers and worker of one site must agree on it; a random one serves single commands.
SECRET_KEY = os.environ.get("EXAMPLE_SECRET_KEY") or get_random_secret_key()
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ROOT_URLCONF = "example_project.config.urls"
ASGI_APPLICATION = "example_project.config.asgi.application"

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_celery_results",
    "channels_progress",
    "example_project.accounts",
    "example_project.broadcasts",
    "example_project.cities",
    "example_project.files",
    "example_project.jobs",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "example_project.config.security.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "db.sqlite3",
        "OPTIONS": {
            # The site and several worker processes write: they wait for each other instead of failing.
            "timeout": 30,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

STATIC_URL = "static/"
STATIC_ROOT = FOLDER / "static"
STATICFILES_DIRS = [ROOT / "example_project" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
# Cookies do not know ports: two sites on 127.0.0.1 would log each other out.
SESSION_COOKIE_NAME = f"sessionid_{NAMESPACE}"
CSRF_COOKIE_NAME = f"csrftoken_{NAMESPACE}"

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_DEFAULT_QUEUE = NAMESPACE
CELERY_TASK_TRACK_STARTED = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

CHANNEL_LAYERS = redis_channel_layers(REDIS_URL, prefix=NAMESPACE)
CHANNELS_PROGRESS = {
    "NAMESPACE": NAMESPACE,
    "SITE_URL": os.environ.get("EXAMPLE_URL"),
    "ENABLE_ANONYMOUS": True,
    "SUBSCRIPTION_AUTHORIZER": "example_project.broadcasts.authorization.may_subscribe",
}

# E-mails are printed by whoever sends them: see the worker's log.
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": os.environ.get("EXAMPLE_LOG_LEVEL", "INFO")},
}
