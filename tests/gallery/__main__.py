"""``make pictures``: takes the pictures in ``docs/images`` of what the gallery shows.

python -m tests.gallery            # all of them
python -m tests.gallery running    # those whose name begins so
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
# Playwright has a running event loop in this thread; nothing here is asynchronous.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
django.setup()
# Users are models, which Django lets nobody import before this.
import_module("tests.gallery.pictures").take_all(sys.argv[1:])
