"""A learned learning rate."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hypergradients.inner_product import norm
from keras_dha.hyperparameters.hyperparameter import Hyperparameter, Tensor
from keras_dha.hyperparameters.weight_step import WeightStep


@keras.saving.register_keras_serializable(package="keras_dha")
class LearningRate(Hyperparameter):
    """The weight optimizer's learning rate, `d(held-out loss)/d(log(value)) = <g, w' - w>`.

    Exact if the whole step is in proportion to the learning rate: for SGD in the PyTorch form (`MomentumSGD`), Adam,
    and decoupled decay. Keras's SGD folds the rate into its velocity; then it is the derivative of a step whose
    velocity is scaled along with the rate, which is the step of the PyTorch form. Learning starts at the
    optimizer's own rate; if that is a Keras schedule, the value is what the schedule is multiplied with, and starts
    at 1. With `where`, it is the rate of those weights alone: their step is stretched by its ratio to the general one.

    Args:
        initial: The learning rate at the start. Defaults to 0.05.
        bounds: Lowest and highest learning rate, `0 < low < high`. Defaults to (1e-4, 1.0).
        space: `"log"` or `"raw"`. Defaults to `"log"`.
        where: The weights whose rate it is, as `Hyperparameter` has it. Defaults to all.
        max_step: The most that `theta` moves in a step. Defaults to 0.5.
        max_move: How far one step may move the weights, in units of the norm of all of them. A rate with which it would
            go farther is lowered to that at once, and the step is made with it: a rate that is far too high would
            leave a network that nothing can be learned from. Defaults to 0.2. None: any step.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: As `Hyperparameter`, or if `max_move` is not positive.

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
        max_move: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(initial, bounds, space=space, where=where, max_step=max_step, **kwargs)
        if max_move is not None and not max_move > 0:
            raise ValueError(f"max_move must be positive, or None. Received: max_move={max_move}. Give 0.2.")
        self.max_move = None if max_move is None else float(max_move)

    def along(self, step: WeightStep) -> list[Tensor]:
        """`w' - w`."""
        return step.displacement

    def restraint(self, step: WeightStep) -> Tensor:
        """What the rate, and the step of the weights that it acts on, is to be multiplied with: 1, or less.

        Args:
            step: Of all weights.
        """
        if self.max_move is None:
            return ops.ones(())
        way, reach = (norm(tensors) for tensors in (step.seen_by(self).displacement, step.before))
        allowed = self.max_move * reach
        is_far = ops.logical_and(way > allowed, ops.logical_and(allowed > 0, ops.isfinite(way)))
        return ops.where(is_far, allowed / ops.where(is_far, way, 1.0), 1.0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "max_move": self.max_move}
