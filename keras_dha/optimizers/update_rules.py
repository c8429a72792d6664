"""The steps of optimizers as functions, to be differentiated: Keras's own assign to variables."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_dha.optimizers.momentum_sgd import MomentumSGD

Tensor = Any
Slots = tuple[Tensor, ...]


class Settings(NamedTuple):
    """What a step depends on besides weights, gradients and slots.

    Args:
        learning_rate: Of the step.
        momentum: Of the step, where the optimizer has one number of this name that can be learned.
        step: Which step of the optimizer it is, the first is 1.
    """

    learning_rate: Tensor
    momentum: Tensor
    step: Tensor


class UpdateRule(NamedTuple):
    """An optimizer's step of one tensor.

    Args:
        slots: The names of the lists of slots that it reads and moves.
        apply: From an optimizer, weights, slots, gradients and settings to new weights and slots.
    """

    slots: tuple[str, ...]
    apply: Callable[[Any, Tensor, Slots, Tensor, Settings], tuple[Tensor, Slots]]


def _sgd(optimizer: Any, w: Tensor, slots: Slots, g: Tensor, at: Settings) -> tuple[Tensor, Slots]:
    if not optimizer.momentum:
        return w - at.learning_rate * g, ()
    velocity = at.momentum * slots[0] - at.learning_rate * g
    ahead = at.momentum * velocity - at.learning_rate * g if optimizer.nesterov else velocity
    return w + ahead, (velocity,)


def _momentum_sgd(optimizer: Any, w: Tensor, slots: Slots, g: Tensor, at: Settings) -> tuple[Tensor, Slots]:
    velocity = at.momentum * slots[0] + g
    ahead = g + at.momentum * velocity if optimizer.nesterov else velocity
    return w - at.learning_rate * ahead, (velocity,)


def _adam(optimizer: Any, w: Tensor, slots: Slots, g: Tensor, at: Settings) -> tuple[Tensor, Slots]:
    mean, square = slots
    mean = optimizer.beta_1 * mean + (1.0 - optimizer.beta_1) * g
    square = optimizer.beta_2 * square + (1.0 - optimizer.beta_2) * g * g
    rate = at.learning_rate * ops.sqrt(1.0 - optimizer.beta_2**at.step) / (1.0 - optimizer.beta_1**at.step)
    return w - rate * mean / (_root(square) + optimizer.epsilon), (mean, square)


def _rmsprop(optimizer: Any, w: Tensor, slots: Slots, g: Tensor, at: Settings) -> tuple[Tensor, Slots]:
    square = optimizer.rho * slots[0] + (1.0 - optimizer.rho) * g * g
    return w - at.learning_rate * g / ops.sqrt(square + optimizer.epsilon), (square,)


def _root(x: Tensor) -> Tensor:
    """The square root, with a gradient of 0 where x is 0: a gradient that is 0 moves nothing."""
    positive = x > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, x, 1.0)), 0.0)


def rule_of(optimizer: keras.optimizers.Optimizer) -> UpdateRule | None:
    """The step of an optimizer as a function, without clipping and decay; None if it is not known, or not smooth.

    Known are SGD, MomentumSGD, Adam and AdamW without AMSGrad, RMSprop without momentum and centering. Lion, which
    takes the sign of the gradient, has a derivative of 0 with respect to it.
    """
    kind = type(optimizer)
    if kind is keras.optimizers.SGD:
        return UpdateRule(("momentums",) if optimizer.momentum else (), _sgd)
    if kind is MomentumSGD:
        return UpdateRule(("velocities",), _momentum_sgd)
    if kind in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
        return UpdateRule(("_momentums", "_velocities"), _adam)
    if kind is keras.optimizers.RMSprop and not optimizer.momentum and not optimizer.centered:
        return UpdateRule(("_velocities",), _rmsprop)
    return None


def slots_of(optimizer: keras.optimizers.Optimizer, rule: UpdateRule) -> list[Slots]:
    """For each variable of the optimizer what its slots hold now."""
    lists: list[Sequence[keras.Variable]] = [getattr(optimizer, name) for name in rule.slots]
    count = len(optimizer._trainable_variables)
    return [tuple(ops.copy(slots[i]) for slots in lists) for i in range(count)]
