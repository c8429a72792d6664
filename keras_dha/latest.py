"""A metric that shows what a number is."""

from typing import Any

import keras

Tensor = Any


class Latest(keras.metrics.Metric):
    """The last value that it was given; 0 before.

    Args:
        **kwargs: Of `keras.metrics.Metric`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.last = self.add_variable(shape=(), initializer="zeros", name="last")

    def update_state(self, value: Tensor) -> None:
        """Takes a scalar."""
        self.last.assign(value)

    def result(self) -> Tensor:
        """The last one."""
        return self.last
