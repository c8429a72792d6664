"""A number of the update rule that is learned."""

import abc
import math
import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.hyperparameters.weight_step import WeightStep
from keras_dha.roles import HYPERPARAMETER, tag

Tensor = Any

_SPACES = ("log", "raw")


class Hyperparameter(keras.layers.Layer, abc.ABC):
    """One positive number, learned as `theta = log(value)` or `theta = value`, and kept within bounds.

    It owns one variable, `theta` (HYPERPARAMETER). A trainer descends `hypergradient`, calls `project`, and uses
    `value` in its next weight step. Subclasses give `log_gradient`.

    Args:
        initial: The value at the start, within the bounds.
        bounds: Lowest and highest value, `0 < low < high`; the value never leaves them.
        space: `"log"`, where steps are relative, so that one step size suits all hyper-parameters; `"raw"`, as in the
            released code of DHA. Defaults to `"log"`.
        **kwargs: Of `keras.layers.Layer`. `dtype` defaults to float32, whatever the global policy is.

    Raises:
        ValueError: If the bounds are not positive and rising, the initial value is outside, or the space is unknown.
    """

    def __init__(self, initial: float, bounds: Sequence[float], *, space: str = "log", **kwargs: Any) -> None:
        name = type(self).__name__
        kwargs.setdefault("dtype", "float32")
        kwargs.setdefault("name", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())  # without Keras's running number
        super().__init__(autocast=False, **kwargs)
        if len(bounds) != 2 or not 0 < bounds[0] < bounds[1] or not math.isfinite(bounds[1]):
            raise ValueError(
                f"The bounds of {name} must be two finite numbers with 0 < low < high. Received: bounds={bounds}. "
                "Give a small positive number instead of 0."
            )
        if not bounds[0] <= initial <= bounds[1]:
            raise ValueError(
                f"The initial value of {name} must lie within its bounds. Received: initial={initial}, "
                f"bounds={bounds}. Move the value or widen the bounds."
            )
        if space not in _SPACES:
            raise ValueError(f"space must be one of {_SPACES}. Received: space={space!r}. Give 'log'.")
        self.bounds = (float(bounds[0]), float(bounds[1]))
        self.space = space
        self.initial = float(initial)
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Makes `theta`; called by the constructor, for no shape is needed."""
        start = keras.initializers.Constant(self._to_theta(self.initial))
        self.theta = tag(self.add_weight(shape=(), initializer=start, autocast=False, name="theta"), HYPERPARAMETER)

    def _to_theta(self, value: float) -> float:
        return math.log(value) if self.space == "log" else value

    @property
    def _theta_bounds(self) -> tuple[float, float]:
        return self._to_theta(self.bounds[0]), self._to_theta(self.bounds[1])

    def value(self) -> Tensor:
        """The value in natural units, a scalar within the bounds."""
        theta = ops.convert_to_tensor(self.theta)
        return ops.clip(ops.exp(theta) if self.space == "log" else theta, *self.bounds)

    def assign(self, value: float) -> None:
        """Moves the value, in natural units, to `value` or to the bound that is nearest to it."""
        self.theta.assign(self._to_theta(min(max(float(value), self.bounds[0]), self.bounds[1])))

    def call(self, inputs: Any = None) -> Tensor:
        """The value; the inputs are not used."""
        return self.value()

    def project(self) -> None:
        """Moves `theta` back into the bounds; may stand in a graph, on every replica."""
        self.theta.assign(ops.clip(ops.convert_to_tensor(self.theta), *self._theta_bounds))

    def at_bound(self) -> Tensor:
        """Whether the value is at one of its bounds, a boolean scalar."""
        low, high = self._theta_bounds
        theta, margin = ops.convert_to_tensor(self.theta), 1e-6 * (high - low)
        return ops.logical_or(theta <= low + margin, theta >= high - margin)

    def acts_on(self, weight: keras.Variable) -> bool:
        """Whether the step of this weight depends on the value; by default that of every weight does."""
        return True

    def hypergradient(self, step: WeightStep) -> Tensor:
        """`d(held-out loss)/d(theta)` through a step of the weights, a scalar."""
        gradient = ops.cast(self.log_gradient(step.seen_by(self)), self.dtype)
        return gradient if self.space == "log" else gradient / self.value()  # d/dv = d/d(log v) / v

    @abc.abstractmethod
    def log_gradient(self, step: WeightStep) -> Tensor:
        """`d(held-out loss)/d(log(value))` through a step of the weights that it acts on."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "initial": self.initial, "bounds": list(self.bounds), "space": self.space}
