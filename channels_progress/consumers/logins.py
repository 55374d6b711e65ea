"""Logins of sockets that are not those of cookies: what a middleware puts into the scope, and what is asked of it."""

from __future__ import annotations

from typing import Any, Protocol

#: Where it is in the scope; ``scope["user"]`` is the user then.
LOGIN_KEY = "channels_progress.login"


class Login(Protocol):
    """What somebody has shown who they are by, such as a JSON web token."""

    def reload(self) -> Any:
        """The user as things are now, or None where the login has ended. Asks the database."""
