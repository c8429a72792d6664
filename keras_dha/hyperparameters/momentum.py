"""A learned momentum."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_dha.hyperparameters.hyperparameter import Hyperparameter


@keras.saving.register_keras_serializable(package="keras_dha")
class Momentum(Hyperparameter):
    """The momentum of `keras_dha.optimizers.MomentumSGD`, with or without Nesterov's look ahead.

    Keras's SGD folds the learning rate into its velocity, and reads its momentum when its graph is made: it cannot be
    learned there. One number for all weights.

    Args:
        initial: The momentum at the start. Defaults to 0.9; with an optimizer that has another one, that.
        bounds: Lowest and highest momentum, `0 < low < high < 1`. Defaults to (0.1, 0.99).
        space: `"logit"`, `"log"` or `"raw"`. Defaults to `"logit"`.
        max_step: The most that `theta` moves in a step. Defaults to 0.5.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`, or if there is a `where`.
    """

    is_one_for_all = True

    def __init__(
        self,
        initial: float = 0.9,
        bounds: Sequence[float] = (0.1, 0.99),
        *,
        space: str = "logit",
        max_step: float | None = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(initial, bounds, space=space, max_step=max_step, **kwargs)
