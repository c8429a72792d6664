"""What a step of the weights adds to the gradient of the architecture.

With `w' = w - rate * grad_w L_train(w, a)`, the held-out loss at w' has the total derivative

    d_a L_val(w'(a), a) = grad_a L_val(w', a) - rate * H,     H = grad_a <grad_w L_train(w, a), v>,
    v = grad_w' L_val(w', a)

Reference: Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search", https://arxiv.org/abs/1806.09055, equations
7 and 8.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hypergradients.inner_product import inner_product

Tensor = Any


def finite_difference_product(
    gradient: Callable[[], Sequence[Tensor]],
    variables: Sequence[keras.Variable],
    vector: Sequence[Tensor],
    *,
    radius: float = 0.01,
) -> list[Tensor]:
    """`H ~= (gradient(w + e * v) - gradient(w - e * v)) / (2 * e)`, with `e = radius / ||v||`; w is put back.

    Args:
        gradient: Gives `grad_a L_train` at the variables' present values.
        variables: w.
        vector: v, one tensor a variable.
        radius: How far w is moved, in its own units. Below float32 this is too small. Defaults to 0.01.

    Returns:
        One tensor for each that `gradient` gives; zeros if v is 0.
    """
    norm = ops.sqrt(inner_product(vector, vector))
    step = ops.where(norm > 0, radius / ops.maximum(norm, 1e-30), 0.0)
    start = [ops.copy(variable) for variable in variables]
    sides = []
    for sign in (1.0, -1.0):
        for variable, value, direction in zip(variables, start, vector, strict=True):
            variable.assign(value + ops.cast(sign * step, value.dtype) * direction)
        sides.append(gradient())
    for variable, value in zip(variables, start):
        variable.assign(value)
    factor = ops.where(step > 0, 0.5 / ops.maximum(step, 1e-30), 0.0)
    return [factor * (up - down) for up, down in zip(*sides, strict=True)]
