from typing import Any

import keras
import pytest

from keras_dha.spaces.number_losses import is_of_numbers


@pytest.mark.parametrize(
    "loss",
    ["mse", "mean_absolute_error", "huber", keras.losses.LogCosh(), keras.losses.mean_squared_error],
    ids=["mse", "mae", "huber", "log_cosh", "function"],
)
def test_losses_of_numbers(loss: Any) -> None:
    assert is_of_numbers(loss)


@pytest.mark.parametrize(
    "loss",
    ["binary_crossentropy", keras.losses.SparseCategoricalCrossentropy(), lambda y, p: (y - p) ** 2, None],
    ids=["binary", "sparse", "lambda", "none"],
)
def test_what_may_be_of_classes(loss: Any) -> None:
    assert not is_of_numbers(loss)
