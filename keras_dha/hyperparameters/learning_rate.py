"""A learned learning rate."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_dha.hypergradients.one_step import learning_rate_gradient
from keras_dha.hyperparameters.hyperparameter import Hyperparameter, Tensor
from keras_dha.hyperparameters.weight_step import WeightStep


@keras.saving.register_keras_serializable(package="keras_dha")
class LearningRate(Hyperparameter):
    """The weight optimizer's learning rate, `d(held-out loss)/d(log(value)) = <g, w' - w>`.

    See `hypergradients.learning_rate_gradient` for the optimizers with which this is exact. Learning starts at the
    optimizer's own rate; if that is a Keras schedule, the value is what the schedule is multiplied with, and starts
    at 1. With `where`, it is the rate of those weights alone: their step is stretched by its ratio to the general one.

    Args:
        initial: The learning rate at the start. Defaults to 0.05.
        bounds: Lowest and highest learning rate, `0 < low < high`. Defaults to (1e-4, 1.0).
        space: `"log"` or `"raw"`. Defaults to `"log"`.
        where: The weights whose rate it is, as `Hyperparameter` has it. Defaults to all.
        max_step: The most that `theta` moves in a step. Defaults to 0.5.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`.

    Example:

    >>> rate, weight = LearningRate(0.5, bounds=(0.1, 1.0)), keras.Variable([1.0])
    >>> step = WeightStep([weight], held_out_gradients=[[2.0]], before=[[1.0]], after=[[0.75]], learning_rate=0.5)
    >>> float(rate.hypergradient(step))
    -0.5

    Reference: the released code of DHA (https://arxiv.org/abs/2109.05765) learns the raw value, within (1e-3, 0.05) for
    CIFAR-100, from the middle of the bounds; here the logarithm, by default.
    """

    scales_step = True
    has_closed_form = True

    def __init__(
        self,
        initial: float = 0.05,
        bounds: Sequence[float] = (1e-4, 1.0),
        *,
        space: str = "log",
        where: Any = None,
        max_step: float | None = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(initial, bounds, space=space, where=where, max_step=max_step, **kwargs)

    def log_gradient(self, step: WeightStep) -> Tensor:
        """`<g, w' - w>`."""
        return learning_rate_gradient(step.held_out_gradients, step.displacement)
