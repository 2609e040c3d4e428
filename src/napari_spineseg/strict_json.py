"""What is written as JSON can be read by everybody: no NaN, no infinity, no character that UTF-8 lacks."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any


def strict(value: Any) -> Any:
    """`value` with what strict JSON cannot say put another way: NaN and infinities as null, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [strict(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, os.PathLike):
        return as_text(value)
    # numpy scalars know how to become Python's own.
    return strict(value.item()) if hasattr(value, "item") else str(value)


def as_text(path: os.PathLike[str]) -> str:
    """A path whatever its bytes; what is no UTF-8 is spelt out."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
