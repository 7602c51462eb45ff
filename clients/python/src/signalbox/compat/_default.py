"""The gateway that the shims use unless they are given one."""

from __future__ import annotations

import threading
from typing import Optional

from ..gateway import Gateway

_lock = threading.Lock()
_default: Optional[Gateway] = None


def default_gateway() -> Gateway:
    """``Gateway.from_env()``, made at the first use, so that importing a shim reads no environment."""
    global _default
    with _lock:
        if _default is None:
            _default = Gateway.from_env()
        return _default


def set_default_gateway(gateway: Optional[Gateway]) -> None:
    """Uses ``gateway`` from now on; None: the environment's again."""
    global _default
    with _lock:
        _default = gateway
