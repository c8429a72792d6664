"""Second derivatives of a training loss, as products with vectors."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_dha.hypergradients.inner_product import dense

Tensor = Any


class Curvature:
    """The second derivatives of a loss at the present values of its weights.

    The loss and its gradient are computed once; each product goes back through both. Every operation must have a second
    derivative.

    Args:
        loss: Gives a scalar.
        weights: w.
    """

    def __init__(self, loss: Callable[[], Tensor], weights: Sequence[keras.Variable]) -> None:
        self._weights = list(weights)
        with tf.GradientTape(persistent=True) as self._tape:
            with tf.GradientTape() as inner:
                value = loss()
            slopes = inner.gradient(value, self._weights)
        self._known = [(i, slope) for i, slope in enumerate(slopes) if slope is not None]

    def times(self, vector: Sequence[Tensor]) -> list[Tensor]:
        """`H v`, with `H = d2 loss/dw2`: one tensor a weight."""
        return self._product(vector, self._weights)

    def mixed(self, vector: Sequence[Tensor], parameters: Sequence[keras.Variable]) -> list[Tensor]:
        """`d<d loss/dw, v>/da`: one tensor a parameter a, zeros where it does not reach."""
        return self._product(vector, parameters)

    def _product(self, vector: Sequence[Tensor], sources: Sequence[keras.Variable]) -> list[Tensor]:
        targets = [slope for _, slope in self._known]
        directions = [ops.cast(vector[i], slope.dtype) for i, slope in self._known]
        found = self._tape.gradient(targets, list(sources), output_gradients=directions) if targets else []
        return dense(found or [None] * len(sources), sources)


def mixed_product(
    loss: Callable[[], Tensor],
    weights: Sequence[keras.Variable],
    vector: Sequence[Tensor],
    parameters: Sequence[keras.Variable],
) -> list[Tensor]:
    """`d<d loss/dw, v>/da` by differentiating twice.

    It costs about as much as a finite difference, more memory, and no choice of a radius: with ReLUs a difference
    crosses kinks, which its limit does not.

    Args:
        loss: Gives a scalar at the weights' present values.
        weights: w.
        vector: v, one tensor a weight; constant here.
        parameters: a.

    Returns:
        One tensor a parameter; zeros where nothing reaches it.
    """
    if len(weights) != len(vector):
        raise ValueError(
            f"There must be one direction a weight. Received: {len(vector)} directions, {len(weights)} weights. "
            "Give zeros where there is none."
        )
    return Curvature(loss, weights).mixed(vector, parameters)
