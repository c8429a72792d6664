"""Sizes of memory, as people write them."""

import re

import numpy as np

_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def bytes_of(size: str | float, name: str = "memory_budget") -> int:
    """A size in bytes.

    Args:
        size: A positive number of bytes, or a text such as `"2GiB"`, `"1.5 GiB"`, `"512MiB"`.
        name: What messages call it.

    Raises:
        ValueError: If it is neither.

    Example:

    >>> bytes_of("1.5KiB")
    1536
    """
    value = None
    if isinstance(size, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(\w+)\s*", size)
        if found and found[2] in _UNITS:
            value = float(found[1]) * _UNITS[found[2]]
    elif isinstance(size, (int, float, np.integer, np.floating)) and not isinstance(size, bool) and np.isfinite(size):
        value = float(size)
    if value is None or value < 1:
        raise ValueError(
            f"{name} must be a positive number of bytes, or a text with one of the units {', '.join(_UNITS)}. "
            f"Received: {name}={size!r}. For example '2GiB'."
        )
    return int(value)


def readable(size: float) -> str:
    """A number of bytes for people: in MiB from one MiB on, else in KiB or bytes."""
    unit = next((unit for unit in ("MiB", "KiB") if abs(size) >= _UNITS[unit]), None)
    return f"{size:,.0f} bytes" if unit is None else f"{size / _UNITS[unit]:,.1f} {unit}"
