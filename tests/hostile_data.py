"""Files as an attacker, a full disk or a bad copy leaves them, from a good one."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

VALUES = (
    *(None, True, -1, 0, 1e308, float("inf"), float("nan"), 10**400, -1.5),
    *("", "../../etc/passwd", "\x00", "a" * 1000, "1e9", "<script>"),
    *([], {}, [[[]]], [None], {"a": None}, {"class_name": "Lambda", "module": "os"}),
)
DEEP = 100_000


def places(data: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of each value in plain data, as keys from the outside inwards."""
    yield above
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield from places(value, (*above, key))


def changed(data: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The data with another value at one place."""
    if not place:
        return value
    data = copy.deepcopy(data)
    inner = data
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return data


def spoilt_json(data: Any, *, most: int, seed: int = 0) -> Iterator[str]:
    """Texts in place of the JSON of `data`: cut off, of wrong types and sizes, nested too deeply.

    Args:
        data: Plain data.
        most: How many of each kind.
        seed: Of those that are drawn.
    """
    rng, text = random.Random(seed), json.dumps(data)
    yield from (text[:i] for i in range(0, len(text), -(-len(text) // most)))
    pairs = [(place, value) for place in places(data) for value in VALUES]
    for place, value in rng.sample(pairs, min(most, len(pairs))):
        yield json.dumps(changed(data, place, value))
    yield from ("[" * DEEP, '{"a":' * DEEP, "\ufeff" + text, "9" * 10_000)


def spoilt_bytes(data: bytes, *, most: int, seed: int = 0) -> Iterator[bytes]:
    """Bytes in place of others: cut off, and with some of them changed."""
    rng = random.Random(seed)
    yield from (data[:i] for i in range(0, len(data), -(-len(data) // most)))
    for _ in range(most):
        changed_bytes = bytearray(data)
        for _ in range(rng.randint(1, 5)):
            changed_bytes[rng.randrange(len(data))] = rng.randrange(256)
        yield bytes(changed_bytes)
