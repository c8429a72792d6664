"""Hypergradients through all steps of the weights so far."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_dha.hypergradients.hypergradient import Hypergradient, WeightMove
from keras_dha.hypergradients.inner_product import inner_product, norm

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class ForwardMode(Hypergradient):
    """`<g, Z>` with the held-out gradient g and `Z = dw/dtheta`, which follows the weights from step to step.

    `Z' = (dw'/dw) Z + (dw'/ds) C + dw'/dtheta`, and alike for C, that of what the optimizer remembers: one product with
    the Hessian for each hyper-parameter in each step, and as much memory as the weights and the optimizer take. It sees
    what a change would do in the long run, and needs an optimizer whose step is known as a function.

    Args:
        memory: What Z and C are multiplied with in each step: below 1, what lies long ago counts less, which it must
            where the training is unstable. Defaults to 1.
        max_norm: The most that the norm of Z may be, in units of that of the weights; longer ones are shortened.
            Defaults to 10.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If `memory` is not in (0, 1], or `max_norm` not positive.

    Reference: Franceschi, Donini, Frasconi, Pontil, "Forward and Reverse Gradient-Based Hyperparameter Optimization",
    arXiv 1703.01785. `memory` and `max_norm` are ours.
    """

    def replays(self, parts: Sequence[Any]) -> bool:
        """Always."""
        return bool(parts)

    def __init__(self, memory: float = 1.0, max_norm: float = 10.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 < memory <= 1.0 or not max_norm > 0:
            raise ValueError(
                "memory must be in (0, 1], and max_norm positive. "
                f"Received: memory={memory}, max_norm={max_norm}. Give 1.0 and 10.0."
            )
        self.memory = float(memory)
        self.max_norm = float(max_norm)

    def sees(self, part: Any, *, has_rule: bool) -> bool:
        """All, if the optimizer's step is known as a function."""
        return has_rule

    def prepare(self, parts: Sequence[Any], units: Sequence[keras.Variable], num_slots: int) -> None:
        """Makes Z and C of each hyper-parameter, zeros."""

        def like(unit: keras.Variable, name: str) -> keras.Variable:
            return self.add_weight(shape=unit.shape, dtype="float32", initializer="zeros", trainable=False, name=name)

        self.tangents = [
            [[like(u, f"{part.name}_{i}_{slot}") for slot in range(1 + num_slots)] for i, u in enumerate(units)]
            for part in parts
        ]
        self.built = True

    def before_step(self, parts: Sequence[Any], move: WeightMove) -> None:
        """Moves Z and C along with the weights."""
        for part, tangents in zip(parts, self.tangents, strict=True):
            ways = [ops.convert_to_tensor(unit[0]) for unit in tangents]
            memories = [tuple(map(ops.convert_to_tensor, unit[1:])) for unit in tangents]
            turn = move.joined(self._gradient_along(part, move, move.split(ways)))
            with tf.autodiff.ForwardAccumulator(
                primals=(list(move.before), list(move.slots), list(move.gradients), part.theta.value),
                tangents=(ways, memories, turn, ops.ones(())),
            ) as along:
                after, slots = move.moved(move.before, move.slots, move.gradients)
            ways, memories = along.jvp((after, slots), unconnected_gradients=tf.UnconnectedGradients.ZERO)
            limit = self.max_norm * norm(move.before)
            length = norm(ways)
            share = self.memory * ops.minimum(1.0, limit / ops.maximum(length, 1e-30))
            share = ops.where(ops.isfinite(length), share, 0.0)
            for unit, way, memory in zip(tangents, ways, memories, strict=True):
                for variable, value in zip(unit, (way, *memory), strict=True):
                    variable.assign(ops.where(ops.isfinite(length), share * value, 0.0))

    def _gradient_along(self, part: Any, move: WeightMove, ways: Sequence[Tensor]) -> list[Tensor]:
        """How the gradient of the training loss changes along Z, and with theta: `H Z + M`."""
        theta = part.theta
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = move.training_loss()
            slopes = inner.gradient(loss, [*move.weights, theta])
            along = inner_product(slopes[:-1], [ops.stop_gradient(way) for way in ways])
            if slopes[-1] is not None:
                along = along + slopes[-1]
        return outer.gradient(along, list(move.weights))

    def gradients(self, parts: Sequence[Any], move: WeightMove) -> list[Tensor]:
        """As `Hypergradient` has it."""
        slopes = move.step.held_out_gradients
        return [inner_product(slopes, [unit[0].value for unit in tangents]) for tangents in self.tangents]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "memory": self.memory, "max_norm": self.max_norm}
