from typing import Any

import numpy as np
import pytest

from keras_dha.tuners import bytes_of
from keras_dha.tuners.byte_sizes import readable


@pytest.mark.parametrize(
    ("size", "expected"),
    [("2GiB", 2 * 2**30), (" 1.5 MiB ", 1.5 * 2**20), ("3KiB", 3072), ("7B", 7), (7, 7), (7.9, 7), (np.int64(9), 9)],
)
def test_texts_with_units_and_numbers_of_bytes(size: Any, expected: float) -> None:
    assert bytes_of(size) == expected


@pytest.mark.parametrize("size", ["2GB", "2", "GiB", "-1GiB", "", 0, -3, float("nan"), float("inf"), True, None, [1]])
def test_anything_else_is_refused_with_what_was_received(size: Any) -> None:
    with pytest.raises(ValueError, match="memory_budget must be a positive number of bytes") as error:
        bytes_of(size)
    assert f"Received: memory_budget={size!r}. For example '2GiB'." in str(error.value)


def test_the_name_in_the_message_is_the_callers() -> None:
    with pytest.raises(ValueError, match="Received: limit='much'"):
        bytes_of("much", "limit")


@pytest.mark.parametrize(
    ("size", "text"), [(12, "12 bytes"), (2048, "2.0 KiB"), (3 * 2**29, "1,536.0 MiB"), (2**20, "1.0 MiB")]
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert readable(size) == text
