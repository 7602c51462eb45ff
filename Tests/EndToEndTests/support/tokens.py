"""JSON Web Tokens made by PyJWT."""

from __future__ import annotations

import time
from typing import Any

import jwt

from .process import JWT_SECRET


def token(sub: str = "user-1", *, secret: str = JWT_SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token that is good for ten minutes, unless the claims say otherwise. A claim of None is left out."""
    payload = {"sub": sub, "exp": int(time.time()) + 600, **claims}
    return jwt.encode({name: value for name, value in payload.items() if value is not None}, secret, algorithm)
