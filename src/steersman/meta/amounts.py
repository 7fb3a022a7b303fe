"""Amounts that are a number or a percentage of something (`maxUnavailable: 1`, `maxSurge: 25%`)."""

import math
from typing import Any


def scaled(amount: Any, total: int, *, up: bool) -> int:
    """As a number; a percentage of `total` is rounded up or down."""
    if isinstance(amount, str):
        part = int(amount.removesuffix("%")) * total / 100
        return math.ceil(part) if up else math.floor(part)
    return int(amount)
