"""A Keras schedule times a number that is learned."""

from collections.abc import Callable
from typing import Any

import keras

Tensor = Any


class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """`factor() * schedule(step)`.

    A search model puts it in the place of its optimizer's schedule while the factor is learned; it is part of no file.

    Args:
        schedule: The schedule.
        factor: Gives a scalar.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, factor: Callable[[], Tensor]) -> None:
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step: Any) -> Tensor:
        """The learning rate of a step."""
        return self.factor() * self.schedule(step)

    def get_config(self) -> dict[str, Any]:
        """Of the schedule alone."""
        return self.schedule.get_config()
