"""Who may subscribe to what by name: the site's ``SUBSCRIPTION_AUTHORIZER``."""

from __future__ import annotations

from typing import Any

from channels_progress import get_obj_from_channel_name
from example_project.cities.models import City
from example_project.files.models import TreeHash


def may_subscribe(user: Any, channel_name: str) -> bool:
    """Cities are for everybody, a checksum for the person who asked for it; whatever else there is: no.

    What ``get_obj_from_channel_name`` raises is a no, too.
    """
    obj = get_obj_from_channel_name(channel_name)
    return isinstance(obj, City) or (isinstance(obj, TreeHash) and obj.owner_id == user.pk)
