"""Which losses are of numbers rather than of classes."""

from typing import Any

import keras

_OF_NUMBERS = frozenset(
    kind.__name__
    for kind in (
        keras.losses.Huber,
        keras.losses.LogCosh,
        keras.losses.MeanAbsoluteError,
        keras.losses.MeanAbsolutePercentageError,
        keras.losses.MeanSquaredError,
        keras.losses.MeanSquaredLogarithmicError,
    )
)
_FUNCTIONS = frozenset(keras.losses.get(name).__name__ for name in ("huber", "log_cosh", "mae", "mape", "mse", "msle"))


def is_of_numbers(loss: Any) -> bool:
    """Whether a loss compares numbers, as squared errors do: outputs are then no logits of classes.

    Args:
        loss: A Keras loss, a function, or the name of one. What is not Keras's own counts as one of classes.

    Example:

    >>> is_of_numbers("mse"), is_of_numbers(keras.losses.CategoricalCrossentropy())
    (True, False)
    """
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    return type(loss).__name__ in _OF_NUMBERS or getattr(loss, "__name__", None) in _FUNCTIONS
