"""A scale that grows while the search lasts."""

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class AnnealedScale(keras.optimizers.schedules.LearningRateSchedule):
    """`1 / temperature`, with a temperature that goes from one number to another over the search.

    Other schedules that a relaxation may take for its `scale` count search steps, whose number is not known before a
    fit. This one is a function of the share of the search that is done.

    Args:
        start: The first temperature, positive.
        end: The last one, positive.
        geometric: Whether the temperature moves by equal factors; by equal differences otherwise, the default.

    Call arguments:
        share: How much of the search is done, in [0, 1].

    Raises:
        ValueError: If a temperature is not positive.

    Example:

    >>> float(AnnealedScale(10.0, 0.1)(1.0))
    10.0
    """

    def __init__(self, start: float, end: float, *, geometric: bool = False) -> None:
        super().__init__()
        if not min(start, end) > 0:
            raise ValueError(
                f"start and end must be positive temperatures. Received: start={start}, end={end}. GDAS: 10.0 and 0.1."
            )
        self.start, self.end, self.geometric = float(start), float(end), geometric

    def __call__(self, share: Tensor) -> Tensor:
        """The scale at this share of the search."""
        share = ops.cast(share, "float32")
        if self.geometric:
            return (1.0 / self.start) * ops.power(self.start / self.end, share)
        return 1.0 / (self.start * (1.0 - share) + self.end * share)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"start": self.start, "end": self.end, "geometric": self.geometric}
