"""What the held-out loss says about numbers of the training, one weight step back.

With `g = d(held-out loss)/dw` at the new weights `w'`, the derivatives for the logarithms of learning rate and
decoupled decay are inner products, `<g, w' - w>` and `-rate * decay * <g, w>`: no second derivative is needed, because
both enter the step linearly. The past is held constant: these are gradients through one step, and they favour smaller
learning rates than gradients through many would.

Reference: the released code of DHA (Zhou et al., https://arxiv.org/abs/2109.05765), in raw units; here the derivatives
are with respect to logarithms.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hypergradients.curvature import mixed_product
from keras_dha.hypergradients.hypergradient import Hypergradient, WeightMove
from keras_dha.hypergradients.inner_product import inner_product

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class OneStep(Hypergradient):
    """The gradient through the last step of the weights; what was before it is held constant.

    Exact for all that follows, if the step is a smooth function of it. For a learning rate, and a decay, an inner
    product with what the optimizer did, whatever that is. For a momentum and a bound of the gradients, through the
    optimizer's step as a function (SGD, MomentumSGD, Adam, AdamW, RMSprop). For what enters the loss, through that and
    a second derivative of the training loss at the weights before the step, with the same draws.

    One step back favours small learning rates: it sees what a step does to noise and to steep directions at once, and
    not what many of them do along flat ones. `WholePath` does not.

    Args:
        **kwargs: Of `keras.layers.Layer`.
    """

    def replays(self, parts: Sequence[Any]) -> bool:
        """Where there is one without a closed form."""
        return not all(part.has_closed_form for part in parts)

    def sees(self, part: Any, *, has_rule: bool) -> bool:
        """All, if the optimizer's step is known as a function; else those with a closed form."""
        return part.has_closed_form or has_rule

    def gradients(self, parts: Sequence[Any], move: WeightMove) -> list[Tensor]:
        """As `Hypergradient` has it."""
        import tensorflow as tf

        found = {id(part): part.hypergradient(move.step) for part in parts if part.has_closed_form}
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
