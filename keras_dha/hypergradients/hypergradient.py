"""How the held-out loss reaches a number of the training."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import keras

from keras_dha.hypergradients.inner_product import dense

Tensor = Any


@dataclasses.dataclass(frozen=True)
class WeightMove:
    """A step of the weights, made or about to be, and what an estimator may ask about it.

    *Units* are what the optimizer steps: weights, or long vectors of many of them.

    Args:
        weights: The weights.
        representatives: For each unit one of the weights in it.
        gradients: Of the training loss, by unit, as they came.
        before: The units before the step.
        slots: What the optimizer remembered of each unit before the step; empty if nobody `replays`.
        moved: From units, slots and gradients to those after a step: a function that can be differentiated, also for
            hyper-parameters of the update rule.
        training_loss: The loss of the training batch, a scalar, at the weights' present values, with the draws of the
            step.
        split: From one tensor a unit to one a weight.
        joined: The other way round; None counts as zeros.
        rate: The learning rate of the step; None before it.
        step: What has been made of it, with the held-out gradients; None before the step.
        slopes: The held-out gradients for the weights; empty before the step.
    """

    weights: Sequence[keras.Variable]
    representatives: Sequence[keras.Variable]
    gradients: Sequence[Tensor]
    before: Sequence[Tensor]
    slots: Sequence[tuple[Tensor, ...]]
    moved: Callable[..., tuple[list[Tensor], list[tuple[Tensor, ...]]]]
    training_loss: Callable[[], Tensor]
    split: Callable[[Sequence[Tensor]], list[Tensor]]
    joined: Callable[[Sequence[Tensor | None]], list[Tensor]]
    rate: Tensor | None = None
    step: Any = None
    slopes: Sequence[Tensor] = ()

    def seen(self, step: Any, slopes: Sequence[Tensor | None]) -> "WeightMove":
        """The same, with what held-out examples say where it led.

        Args:
            step: What has been made, a `keras_dha.hyperparameters.WeightStep`.
            slopes: The gradients of the held-out loss for the weights.
        """
        return dataclasses.replace(self, step=step, slopes=dense(slopes, self.weights))


class Hypergradient(keras.layers.Layer):
    """An estimator of `d(held-out loss)/d(theta)` for hyper-parameters that it sees; state is kept in variables.

    Args:
        **kwargs: Of `keras.layers.Layer`.
    """

    learns_from: ClassVar[str] = "held_out"  # or "training": at the gradients of the next batch

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        kwargs.setdefault("name", type(self).__name__.lower())
        super().__init__(autocast=False, **kwargs)

    def sees(self, part: Any, *, has_rule: bool) -> bool:
        """Whether it gives the gradient of a hyper-parameter.

        Args:
            part: A `keras_dha.hyperparameters.Hyperparameter`.
            has_rule: Whether the step of the optimizer is known as a smooth function.
        """
        raise NotImplementedError

    def replays(self, parts: Sequence[Any]) -> bool:
        """Whether it asks for slots and for the training loss of the step."""
        return False

    def prepare(self, parts: Sequence[Any], units: Sequence[keras.Variable], num_slots: int) -> None:
        """Makes the state for hyper-parameters that it is to estimate; none, unless overridden."""
        self.built = True

    def before_step(self, parts: Sequence[Any], move: WeightMove) -> None:
        """Called in every step, before the weights move; does nothing, unless overridden."""

    def after_step(self, parts: Sequence[Any], step: Any) -> None:
        """Called in every step, when the units have moved; does nothing, unless overridden.

        Args:
            parts: The hyper-parameters.
            step: What has been made, a `keras_dha.hyperparameters.WeightStep` without held-out gradients.
        """

    def gradients(self, parts: Sequence[Any], move: WeightMove) -> list[Tensor]:
        """`d(held-out loss)/d(theta)` of each hyper-parameter, a scalar each."""
        raise NotImplementedError

    def follow(self, parts: Sequence[Any], ratios: Sequence[Tensor], units: Sequence[Tensor]) -> Sequence[Tensor]:
        """Where the units go when hyper-parameters have moved; empty, they stay, unless overridden.

        Args:
            parts: The hyper-parameters.
            ratios: What the value of each was multiplied with, a scalar each.
            units: Where they are.
        """
        return ()

    def trouble(self) -> str | None:
        """What went wrong since the search began, in words; None: nothing."""
        return None
