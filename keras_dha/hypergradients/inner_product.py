"""Gradients of all weights, some of which may be None."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


def dense(gradients: Sequence[Tensor | None], variables: Sequence[keras.Variable]) -> list[Tensor]:
    """Zeros for the gradients that are None."""
    return [ops.zeros(v.shape, v.dtype) if g is None else g for g, v in zip(gradients, variables, strict=True)]


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


def norm(tensors: Sequence[Tensor | None]) -> Tensor:
    """The Euclidean norm of all numbers of some tensors; None counts as zero."""
    return ops.sqrt(inner_product(tensors, tensors))


def _wide(x: Tensor) -> Tensor:
    """At least float32: half precision would overflow in a sum over all weights."""
    x = ops.convert_to_tensor(x)
    return x if x.dtype == "float64" else ops.cast(x, "float32")
