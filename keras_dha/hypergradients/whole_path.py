"""Learning rate and decay by the whole way of the weights, which follows them."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hypergradients.hypergradient import Hypergradient, WeightMove
from keras_dha.hypergradients.inner_product import inner_product

Tensor = Any


@keras.saving.register_keras_serializable(package="keras_dha")
class WholePath(Hypergradient):
    """`<g, Z>` with the held-out gradient g and `Z = dw/dlog(value)`, all gradients of the way to w taken as given.

    With a share `s = rate * decay` that weights lose in a step, `Z' = (1 - s) Z + (w' - w)` for a learning rate, and
    `Z' = (1 - s) Z - s w` for a decoupled decay: forward mode without the Hessian. Without decay the Z of the rate is
    the whole way of the weights since the search began. When a value has become f times itself, the weights follow,
    `w + (f - 1) Z`, and so does `f Z`, as if it had been so from the start.

    A rate that was much too high is so taken back along with most of the harm that it did. And the noise of single
    batches, which a lower rate takes away at once, and which makes `OneStep` lower it for ever, is small beside the
    whole way. One copy of the weights for each value; no second derivative, any optimizer, any number of replicas.

    Args:
        **kwargs: Of `keras.layers.Layer`.

    Reference: a learned scale of the whole way, instead of the next step, is the idea of Cutkosky, Defazio, Mehta,
    "Mechanic: A Learning Rate Tuner", NeurIPS 2023, arXiv 2306.00144. There the gradient of the training loss and a
    parameter-free learner set it; here that of the held-out loss, and the optimizer of the hyper-parameters. The decay
    is ours.
    """

    def sees(self, part: Any, *, has_rule: bool) -> bool:
        """A learning rate, and a decoupled decay."""
        return part.scales_step or part.shrinks_weights

    def prepare(self, parts: Sequence[Any], units: Sequence[keras.Variable], num_slots: int) -> None:
        """Makes Z of each hyper-parameter, zeros."""

        def like(unit: keras.Variable, name: str) -> keras.Variable:
            return self.add_weight(shape=unit.shape, dtype="float32", initializer="zeros", trainable=False, name=name)

        self.ways = [[like(unit, f"{part.name}_{i}") for i, unit in enumerate(units)] for part in parts]
        self.built = True

    def after_step(self, parts: Sequence[Any], step: Any) -> None:
        """Moves Z along with the weights."""
        lost = [self._lost(parts, step, position) for position in range(len(step.weights))]
        for part, ways in zip(parts, self.ways, strict=True):
            mine = [position for position, weight in enumerate(step.weights) if part.acts_on(weight)]
            for position, along in zip(mine, part.along(step.seen_by(part)), strict=True):
                way = ops.convert_to_tensor(ways[position])
                if (share := lost[position]) is not None:
                    way = way - share * way
                ways[position].assign(way + ops.cast(along, "float32"))

    def _lost(self, parts: Sequence[Any], step: Any, position: int) -> Tensor | None:
        """The share that each number of a weight lost in a step; None: nothing."""
        for part in parts:
            if part.shrinks_weights and part.acts_on(step.weights[position]):
                stretch = step.stretch[position] if step.stretch else None
                share = part.shrinkage(step.learning_rate) * (1.0 if stretch is None else stretch)
                moved = ops.not_equal(step.after[position], step.before[position])
                return ops.where(moved, ops.cast(share, "float32"), 0.0)
        return None

    def gradients(self, parts: Sequence[Any], move: WeightMove) -> list[Tensor]:
        """As `Hypergradient` has it."""
        slopes = move.step.held_out_gradients
        products = [inner_product(slopes, [way.value for way in ways]) for ways in self.ways]
        return [product * part.slope() / part.value() for part, product in zip(parts, products, strict=True)]

    def follow(self, parts: Sequence[Any], ratios: Sequence[Tensor], units: Sequence[Tensor]) -> list[Tensor]:
        """The units with Z added as far as the values have moved."""
        reached = list(units)
        for ratio, ways in zip(ratios, self.ways, strict=True):
            for position, way in enumerate(ways):
                reached[position] = reached[position] + ops.cast((ratio - 1.0) * way, reached[position].dtype)
                way.assign(ratio * way)
        return reached
