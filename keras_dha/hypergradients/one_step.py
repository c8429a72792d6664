"""What the held-out loss says about numbers of the update rule, one weight step back.

All functions take lists of tensors, one tensor a weight, and return a scalar. A gradient of None counts as zero. With
`g = d(held-out loss)/dw` at the new weights `w'`, both derivatives are inner products: no second derivative is needed,
because the learning rate and the weight decay enter the step linearly. The past is held constant: these are gradients
through one step, and they favour smaller learning rates than gradients through many would.

Reference: the released code of DHA (Zhou et al., https://arxiv.org/abs/2109.05765), in raw units; here the derivatives
are with respect to logarithms.
"""

from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def inner_product(a: Sequence[Tensor | None], b: Sequence[Tensor | None]) -> Tensor:
    """`<a, b>`, summed over all pairs of tensors; in float32, or in float64 if the tensors are.

    Args:
        a: Tensors; None counts as zero.
        b: As many tensors of the same shapes.

    Raises:
        ValueError: If the lists have different lengths.
    """
    if len(a) != len(b):
        raise ValueError(
            f"The two lists of an inner product must be equally long. Received: len(a)={len(a)}, len(b)={len(b)}. "
            "Give one tensor, or None, for each weight."
        )
    pairs = [(_wide(x), _wide(y)) for x, y in zip(a, b) if x is not None and y is not None]
    return sum((ops.sum(x * y) for x, y in pairs), ops.zeros((), dtype=pairs[0][0].dtype if pairs else "float32"))


def learning_rate_gradient(held_out_gradients: Sequence[Tensor | None], displacement: Sequence[Tensor]) -> Tensor:
    """`d(held-out loss)/d(log(learning_rate)) = <g, w' - w>`.

    Exact if the whole step `w' - w` is in proportion to the learning rate: for SGD in the PyTorch form (`MomentumSGD`),
    Adam, and decoupled weight decay. Keras's SGD folds the learning rate into its velocity; then it is the derivative
    of a step whose velocity is scaled along with the learning rate, which is the step of the PyTorch form.

    Args:
        held_out_gradients: Of the held-out loss, at the new weights.
        displacement: New weights minus old ones.
    """
    return inner_product(held_out_gradients, displacement)


def weight_decay_gradient(
    held_out_gradients: Sequence[Tensor | None], weights: Sequence[Tensor], learning_rate: Tensor, weight_decay: Tensor
) -> Tensor:
    """`d(held-out loss)/d(log(weight_decay)) = -learning_rate * weight_decay * <g, w>`.

    Exact for decoupled decay, `w' = w - learning_rate * weight_decay * w + ...`, with any optimizer; for coupled decay
    (`weight_decay * w` added to the gradient) with SGD in either form, if nothing clips the sum.

    Args:
        held_out_gradients: Of the held-out loss, at the new weights.
        weights: The old weights; only those that decay.
        learning_rate: Of the step.
        weight_decay: Of the step.
    """
    product = inner_product(held_out_gradients, weights)
    factors = [ops.convert_to_tensor(factor, dtype=product.dtype) for factor in (learning_rate, weight_decay)]
    return -factors[0] * factors[1] * product


def _wide(x: Tensor) -> Tensor:
    """At least float32: half precision would overflow in a sum over all weights."""
    x = ops.convert_to_tensor(x)
    return x if x.dtype == "float64" else ops.cast(x, "float32")
