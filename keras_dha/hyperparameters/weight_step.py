"""A step of the weights, as hyper-parameters see it."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from keras_dha.hyperparameters.hyperparameter import Hyperparameter

Tensor = Any


@dataclasses.dataclass(frozen=True)
class WeightStep:
    """A step that has been made, and the gradient of the held-out loss where it led.

    Args:
        weights: Variables. Each may stand for several on which the same hyper-parameters act.
        held_out_gradients: For each of them `d(held-out loss)/dw` at the new values; None counts as zero. Where it
            stands for several, this, like what follows, is one vector of all their numbers.
        before: The values before the step, and before the decay.
        after: The values after it.
        learning_rate: Of the step, a scalar.
        stretch: What it was multiplied with for each of the weights, or None: with 1.
    """

    weights: Sequence[keras.Variable]
    held_out_gradients: Sequence[Tensor | None]
    before: Sequence[Tensor]
    after: Sequence[Tensor]
    learning_rate: Tensor
    stretch: Sequence[Tensor | None] = ()

    def seen_by(self, part: "Hyperparameter") -> "WeightStep":
        """The step of those weights alone that depend on a hyper-parameter."""
        mine = [position for position, weight in enumerate(self.weights) if part.acts_on(weight)]
        names = ("weights", "held_out_gradients", "before", "after")
        chosen: dict[str, Any] = {name: [getattr(self, name)[position] for position in mine] for name in names}
        stretch = [self.stretch[position] for position in mine] if self.stretch else ()
        return dataclasses.replace(self, **chosen, stretch=stretch)

    @property
    def displacement(self) -> list[Tensor]:
        """New values minus old ones, decay included."""
        return [ops.subtract(new, old) for new, old in zip(self.after, self.before, strict=True)]

    @property
    def decayed(self) -> list[Tensor]:
        """The values before the step, times `stretch`; 0 where nothing moved: a branch that rested did not decay."""
        took_part = [
            ops.where(ops.not_equal(new, old), old, ops.zeros_like(old)) for new, old in zip(self.after, self.before)
        ]
        factors = self.stretch or [None] * len(took_part)
        return [w if factor is None else factor * w for w, factor in zip(took_part, factors, strict=True)]
