"""Without Django REST framework all else works, and what needs it says what to install."""

from __future__ import annotations

import subprocess
import sys

from tests.tooling import ROOT

WITHOUT_IT = """
import os, sys
sys.modules["rest_framework"] = None
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
import channels_progress.urls
from django.core.management import call_command
call_command("check")
try:
    import channels_progress.rest.urls
except ImportError as error:
    print(error)
"""


def test_all_else_works_without_it_and_what_needs_it_names_the_extra() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_IT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == (
        "channels_progress.rest needs Django REST framework, which is not installed: "
        "pip install 'channels-progress[rest]'\n"
    )


def test_sockets_with_tokens_name_their_extra() -> None:
    without = "import sys\nsys.modules['rest_framework_simplejwt'] = None\nimport channels_progress.rest.sockets"
    done = subprocess.run([sys.executable, "-c", without], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: channels_progress.rest.sockets needs djangorestframework-simplejwt, which is not installed: "
        "pip install 'channels-progress[jwt]'"
    )
