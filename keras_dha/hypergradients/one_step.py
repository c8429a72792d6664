"""What the held-out loss says about numbers of the training, one weight step back.

The functions take lists of tensors, one tensor a weight, and return a scalar. A gradient of None counts as zero. With
`g = d(held-out loss)/dw` at the new weights `w'`, both derivatives are inner products: no second derivative is needed,
because the learning rate and the weight decay enter the step linearly. The past is held constant: these are gradients
through one step, and they favour smaller learning rates than gradients through many would.

Reference: the released code of DHA (Zhou et al., https://arxiv.org/abs/2109.05765), in raw units; here the derivatives
are with respect to logarithms.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hypergradients.curvature import mixed_product
from keras_dha.hypergradients.hypergradient import Hypergradient, WeightMove
from keras_dha.hypergradients.inner_product import inner_product

Tensor = Any


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


@keras.saving.register_keras_serializable(package="keras_dha")
class OneStep(Hypergradient):
    """The gradient through the last step of the weights; what was before it is held constant.

    Exact for all that follows, if the step is a smooth function of it. For a learning rate, and a decay, an inner
    product with what the optimizer did, whatever that is. For a momentum and a bound of the gradients, through the
    optimizer's step as a function (SGD, MomentumSGD, Adam, AdamW, RMSprop). For what enters the loss, through that and
    a second derivative of the training loss at the weights before the step, with the same draws.

    One step back favours small learning rates: it sees what a step does to noise and to steep directions at once, and
    not what many of them do along flat ones. With `lookback`, a learning rate is judged by where the last steps led
    together, `<g, Z>` with `Z' = (1 - 1/n) Z + (w' - w)`: forward mode without its products with the Hessian.

    Args:
        lookback: The share of the steps so far that count in n, in `[0, 1)`. Defaults to 0.0, the last one alone.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If `lookback` is not in `[0, 1)`.

    `lookback` is ours.
    """

    def __init__(self, lookback: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= lookback < 1.0:
            raise ValueError(f"lookback must be in [0, 1). Received: lookback={lookback}. Give 0.1, or 0.0 for none.")
        self.lookback = float(lookback)

    def prepare(self, parts: Sequence[Any], units: Sequence[keras.Variable], num_slots: int) -> None:
        """Makes Z, zeros, if there is a learning rate to look back for."""

        def zeros(shape: Sequence[int], name: str) -> keras.Variable:
            return self.add_weight(shape=shape, dtype="float32", initializer="zeros", trainable=False, name=name)

        self.reach: list[keras.Variable] = []
        if self.lookback > 0.0 and any(part.scales_step for part in parts):
            self.reach = [zeros(unit.shape, f"reach_{i}") for i, unit in enumerate(units)]
            self.num_steps = zeros((), "num_steps")
        self.built = True

    def after_step(self, before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
        """Moves Z along with the weights."""
        if not self.reach:
            return
        counted = 1.0 + self.lookback * self.num_steps
        for reach, old, new in zip(self.reach, before, after):
            reach.assign((1.0 - 1.0 / counted) * reach + ops.cast(new - old, "float32"))
        self.num_steps.assign_add(1.0)

    def replays(self, parts: Sequence[Any]) -> bool:
        """Where there is one without a closed form."""
        return not all(part.has_closed_form for part in parts)

    def sees(self, part: Any, *, has_rule: bool) -> bool:
        """All, if the optimizer's step is known as a function; else those with a closed form."""
        return part.has_closed_form or has_rule

    def gradients(self, parts: Sequence[Any], move: WeightMove) -> list[Tensor]:
        """As `Hypergradient` has it."""
        import tensorflow as tf

        reached = move.step
        if self.reach:
            before = [new - ops.cast(reach, new.dtype) for new, reach in zip(move.step.after, self.reach, strict=True)]
            reached = dataclasses.replace(move.step, before=before)
        found = {
            id(part): part.hypergradient(reached if part.scales_step else move.step)
            for part in parts
            if part.has_closed_form
        }
        rest = [part for part in parts if not part.has_closed_form]
        if not rest:
            return [found[id(part)] for part in parts]
        thetas, gradients = [part.theta for part in rest], list(move.gradients)
        vector = [
            ops.where(ops.not_equal(new, old), slope, ops.zeros_like(slope))  # what rested does not reach the loss
            for slope, old, new in zip(move.step.held_out_gradients, move.before, move.step.after, strict=True)
        ]
        with tf.GradientTape() as tape:
            tape.watch(gradients)
            after, _ = move.moved(move.before, move.slots, gradients)
            product = inner_product(vector, after)
        sources = [theta.value for theta in thetas]
        direct, back = tape.gradient(product, (sources, gradients), unconnected_gradients=tf.UnconnectedGradients.ZERO)
        if any(part.enters == "loss" for part in rest):
            after_step = [ops.copy(weight) for weight in move.weights]
            for weight, value in zip(move.weights, move.split(move.before), strict=True):
                weight.assign(value)
            through_loss = mixed_product(move.training_loss, move.weights, move.split(back), thetas)
            for weight, value in zip(move.weights, after_step, strict=True):
                weight.assign(value)
            direct = [ops.add(a, b) for a, b in zip(direct, through_loss)]
        found |= {id(part): gradient for part, gradient in zip(rest, direct)}
        return [found[id(part)] for part in parts]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "lookback": self.lookback}
