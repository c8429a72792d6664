"""The learning rate from the training loss, without held-out examples."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hypergradients.hypergradient import Hypergradient, WeightMove
from keras_dha.hypergradients.inner_product import inner_product

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class HypergradientDescent(Hypergradient):
    """`<g_t, w_t - w_(t-1)>` with the gradient of the *training* loss of this batch, and the last step of the weights.

    Of a learning rate, for the logarithm: the rule is multiplicative, and one number for all weights. One inner product
    a step and one copy of the weights; nothing is held out for it. No method for what keeps from overfitting: it looks
    at the training loss alone.

    Args:
        **kwargs: Of `keras.layers.Layer`.

    Reference: Baydin, Cornish, Martinez Rubio, Schmidt, Wood, "Online Learning Rate Adaptation with Hypergradient
    Descent", arXiv 1703.04782.
    """

    learns_from = "training"

    def sees(self, part: Any, *, has_rule: bool) -> bool:
        """A learning rate: what the whole step is in proportion to."""
        return part.scales_step

    def prepare(self, parts: Sequence[Any], units: Sequence[keras.Variable], num_slots: int) -> None:
        """Makes the last step, zeros."""
        self.last = [
            self.add_weight(shape=unit.shape, dtype=unit.dtype, initializer="zeros", trainable=False, name=f"last_{i}")
            for i, unit in enumerate(units)
        ]
        self.built = True

    def after_step(self, parts: Sequence[Any], step: Any) -> None:
        """Remembers the step that was made."""
        for variable, way in zip(self.last, step.displacement, strict=True):
            variable.assign(way)

    def gradients(self, parts: Sequence[Any], move: WeightMove) -> list[Tensor]:
        """As `Hypergradient` has it, before the step."""
        last = [ops.convert_to_tensor(variable) for variable in self.last]
        return [
            inner_product(
                [way if part.acts_on(weight) else None for way, weight in zip(last, move.representatives)],
                move.gradients,
            )
            for part in parts
        ]
