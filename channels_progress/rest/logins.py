"""Logins by JSON web token, for sockets. Imports simplejwt, and so needs Django to be set up."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.utils import aware_utcnow

from channels_progress.exceptions import TokenRefused
from channels_progress.rest.sockets import INACTIVE

#: In the words of django-notifications-websocket.
INVALID = "Token is invalid or expired"
NOBODY = "User not found"


class TokenLogin:
    """Somebody who has shown a token.

    Attributes:
        user: Whose it is.
        expires_at: UTC seconds from which it counts no more, leeway included.
        offer: The token, where it was all that the client has offered, and has to be the answer; else empty.
    """

    def __init__(self, token: Any, user: Any) -> None:
        self._token = token
        self.user = user
        self.offer = ""
        self.expires_at: float = token["exp"] + token.get_token_backend().get_leeway().total_seconds()

    def reload(self) -> Any:
        """See ``consumers.logins.Login``: the token may have been revoked, too."""
        try:
            self._token.current_time = aware_utcnow()
            self._token.verify()
            return _find_user(self._token)
        except (TokenError, TokenRefused):
            return None


def log_in(token: str) -> TokenLogin:
    """Whose token this is, by the settings of simplejwt. Asks the database.

    Raises:
        TokenRefused: It is not valid, or of nobody who may log in; with a text to show.
    """
    try:
        found = JWTAuthentication().get_validated_token(token.encode("utf-8", "surrogatepass"))
        return TokenLogin(found, _find_user(found))
    except (TokenError, AuthenticationFailed, ValueError, TypeError, OverflowError, OSError):
        # Not chained: what the libraries say of a token is not for a log. Dates that are none raise as they like.
        raise TokenRefused(INVALID) from None


def _find_user(token: Any) -> Any:
    try:
        user = JWTAuthentication().get_user(token)
    except AuthenticationFailed as error:
        is_inactive = isinstance(error.detail, dict) and error.detail.get("code") == "user_inactive"
        raise TokenRefused(INACTIVE if is_inactive else NOBODY) from None
    except (ValueError, TypeError, OverflowError, ValidationError):
        raise TokenRefused(NOBODY) from None
    # Whatever CHECK_USER_IS_ACTIVE says.
    if not getattr(user, "is_active", False):
        raise TokenRefused(INACTIVE)
    return user
