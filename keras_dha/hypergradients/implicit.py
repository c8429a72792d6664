"""Hypergradients of what enters the loss, from where training would come to rest."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hypergradients.curvature import Curvature
from keras_dha.hypergradients.hypergradient import Hypergradient, WeightMove
from keras_dha.hypergradients.inner_product import inner_product, norm

Tensor = Any


class _OfTheLoss(Hypergradient):
    """Sees what enters the loss: at rest, the learning rate and the momentum do not matter."""

    def replays(self, parts: Sequence[Any]) -> bool:
        """Always."""
        return bool(parts)

    def sees(self, part: Any, *, has_rule: bool) -> bool:
        """What enters the loss."""
        return part.enters == "loss"


@keras.saving.register_keras_serializable(package="keras_dha")
class T1T2(_OfTheLoss):
    """`-<g, M>` with the held-out gradient g and `M = d2 L_train/(dw dtheta)`, at the weights that were reached.

    `Neumann` without terms, and without its factor: the Hessian counts as the identity. One more backward pass, of the
    training batch's gradient.

    Args:
        **kwargs: Of `keras.layers.Layer`.

    Reference: Luketina, Berglund, Greff, Raiko, "Scalable Gradient-Based Tuning of Continuous Regularization
    Hyperparameters", arXiv 1511.06727.
    """

    def gradients(self, parts: Sequence[Any], move: WeightMove) -> list[Tensor]:
        """As `Hypergradient` has it."""
        curvature = Curvature(move.training_loss, move.weights)
        return [-found for found in curvature.mixed(move.slopes, [part.theta for part in parts])]


@keras.saving.register_keras_serializable(package="keras_dha")
class Neumann(_OfTheLoss):
    """`-<p, M>` with p near `H^-1 g`: `v = p = a g`, then `terms` times `v = v - a H v`, `p = p + v`.

    g is the held-out gradient, H the Hessian of the training loss, M its mixed derivative, all at the weights that were
    reached. The series converges for `0 < a < 2 / (largest eigenvalue of H)`, if none is negative. Where v grows in
    place of getting smaller, its terms are left out, and `trouble` says so.

    Args:
        terms: How many terms after the first one, at least 0; each takes a product with H, about as much as a step.
            Defaults to 3.
        damping: a; or `"power_iteration"`: 1 over the largest eigenvalue, followed by one product with H more in each
            hyper-parameter step. Defaults to `"power_iteration"`.
        **kwargs: Of `keras.layers.Layer`.

    Raises:
        ValueError: If `terms` is negative, or `damping` neither positive nor "power_iteration".

    Reference: Lorraine, Vicol, Duvenaud, "Optimizing Millions of Hyperparameters by Implicit Differentiation", arXiv
    1911.02590. The choice of a by power iteration is ours.
    """

    def __init__(self, terms: int = 3, damping: float | str = "power_iteration", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if terms < 0:
            raise ValueError(f"terms must be at least 0. Received: terms={terms}. Give 3.")
        if damping != "power_iteration" and (isinstance(damping, str) or not damping > 0):
            raise ValueError(
                "damping must be a positive number, or 'power_iteration'. "
                f"Received: damping={damping!r}. Give 'power_iteration'."
            )
        self.terms = int(terms)
        self.damping = damping

    def prepare(self, parts: Sequence[Any], units: Sequence[keras.Variable], num_slots: int) -> None:
        """Makes the state: a direction of large curvature, and how often the series grew."""
        if self.damping == "power_iteration":
            self.direction = [
                self.add_weight(shape=unit.shape, initializer="random_normal", trainable=False, name=f"direction_{i}")
                for i, unit in enumerate(units)
            ]
        self.divergences = self.add_weight(shape=(), initializer="zeros", trainable=False, name="divergences")
        self.series = self.add_weight(shape=(), initializer="zeros", trainable=False, name="series")
        self.built = True

    def gradients(self, parts: Sequence[Any], move: WeightMove) -> list[Tensor]:
        """As `Hypergradient` has it."""
        curvature = Curvature(move.training_loss, move.weights)
        factor = self._factor(curvature, move)
        first = [factor * ops.cast(slope, "float32") for slope in move.slopes]
        v = total = first
        for _ in range(self.terms):
            v = [a - factor * ops.cast(b, "float32") for a, b in zip(v, curvature.times(v), strict=True)]
            total = [a + b for a, b in zip(total, v, strict=True)]
        length = inner_product(v, v)
        grew = ops.logical_not(length <= inner_product(first, first))  # also where it is not a number
        self.divergences.assign_add(ops.cast(grew, "float32"))
        self.series.assign_add(1.0)
        total = [ops.where(grew, a, b) for a, b in zip(first, total, strict=True)]
        return [-found for found in curvature.mixed(total, [part.theta for part in parts])]

    def _factor(self, curvature: Curvature, move: WeightMove) -> Tensor:
        if self.damping != "power_iteration":
            return ops.convert_to_tensor(self.damping, dtype="float32")
        before = [ops.convert_to_tensor(part) for part in self.direction]
        size = norm(before)
        after = move.joined(curvature.times(move.split([part / size for part in before])))
        largest = norm(after)
        for part, value in zip(self.direction, after, strict=True):
            part.assign(ops.where(largest > 1e-12, value, part))
        return 1.0 / ops.maximum(largest, 1e-12)

    def trouble(self) -> str | None:
        """How often the series grew, if it did in a tenth of the steps or more, and not at the start alone."""
        if not self.built:
            return None
        grew, all_of_them = float(self.divergences.numpy()), float(self.series.numpy())
        if grew <= max(2.0, 0.1 * all_of_them):
            return None
        return (
            f"The Neumann series grew in {grew:.0f} of {all_of_them:.0f} steps, and its terms were left out there. "
            "Give a smaller damping, or 'power_iteration'; where the Hessian has negative eigenvalues, T1T2()."
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "terms": self.terms, "damping": self.damping}
