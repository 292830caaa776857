"""Values that JSON can say."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def finite(value: Any) -> Any:
    """``value`` with every NaN and infinity replaced by None, which JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def is_jsonable(value: Any) -> bool:
    """Whether JSON can say it, NaN and infinity included, which :func:`finite` takes out."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
