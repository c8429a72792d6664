"""What keeps gradients of float16 from vanishing."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any

START = 2.0**15
_PATIENCE = 2000  # steps until a larger scale is tried
_MOST = 2.0**24


class LossScale:
    """A factor of the loss on its way back through a network of half precision, taken out of the gradients in float32.

    The smallest number of float16 is 6e-8, and many gradients are less. The factor is halved when a gradient overflows,
    and doubled after 2,000 steps in which none did. A step with an overflow moves nothing.

    Args:
        scale: A float32 scalar; starts at `START`.
        steps: Steps since the factor last changed, an int64 scalar.

    Reference: Micikevicius et al., "Mixed Precision Training", arXiv 1710.03740, section 3.2; how the factor is found
    is that of `keras.optimizers.LossScaleOptimizer`.
    """

    def __init__(self, scale: keras.Variable, steps: keras.Variable) -> None:
        self.scale = scale
        self.steps = steps

    def gradient(self, tape: Any, target: Tensor, sources: Sequence[Any]) -> list[Tensor | None]:
        """As `tape.gradient`, in float32; not finite where float16 overflows.

        Args:
            tape: A `tf.GradientTape` that has seen `target`.
            target: A scalar.
            sources: Variables and tensors.
        """
        factor = ops.convert_to_tensor(self.scale)
        gradients = tape.gradient(target, list(sources), output_gradients=ops.cast(factor, target.dtype))
        return [None if g is None else ops.cast(ops.convert_to_tensor(g), "float32") / factor for g in gradients]

    def follow(self, finite: Tensor) -> None:
        """Moves the factor after a step.

        Args:
            finite: Whether all gradients of the step, of all replicas, were.
        """
        scale, seen = ops.convert_to_tensor(self.scale), ops.convert_to_tensor(self.steps) + 1
        grows = ops.logical_and(finite, seen >= _PATIENCE)
        larger = ops.where(grows, ops.minimum(2.0 * scale, _MOST), scale)
        self.scale.assign(ops.where(finite, larger, ops.maximum(0.5 * scale, 1.0)))
        self.steps.assign(ops.where(ops.logical_or(grows, ops.logical_not(finite)), 0, seen))


def all_finite(tensors: Sequence[Tensor | None]) -> Tensor:
    """Whether all numbers are finite, a boolean scalar; None is skipped."""
    known = [ops.all(ops.isfinite(tensor)) for tensor in tensors if tensor is not None]
    return ops.all(ops.stack(known)) if known else ops.convert_to_tensor(True)


def both(one: Tensor | bool, other: Tensor | bool) -> Tensor | bool:
    """Whether two boolean scalars are True; the other one itself, if one is known to be before the graph runs."""
    if one is True:
        return other
    return one if other is True else ops.logical_and(one, other)
