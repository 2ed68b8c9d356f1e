"""Passwords in addresses never leave the config: what is written or told shows them as asterisks."""

from __future__ import annotations

import re
from typing import Final

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s\"'<>]*@")


def masked(text: str) -> str:
    """Return *text* with user and password of every address in it replaced by ``***``."""
    return _CREDENTIALS.sub("***@", text)
