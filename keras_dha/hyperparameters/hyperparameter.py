"""A number of the training that is learned."""

import math
import re
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from keras_dha.hypergradients.inner_product import inner_product
from keras_dha.hyperparameters.weight_step import WeightStep
from keras_dha.roles import HYPERPARAMETER, tag

Tensor = Any

_SPACES = ("log", "logit", "raw")
_TYPICAL = 10.0  # how many times the usual size a hypergradient may have
_MEMORY = 0.9  # of the usual size


class Hyperparameter(keras.layers.Layer):
    """One number, learned as `theta = log(value)`, `log(value / (1 - value))` or `value`, and kept within bounds.

    It owns one trainable variable, `theta` (HYPERPARAMETER). A trainer asks an estimator of `keras_dha.hypergradients`
    for `d(held-out loss)/d(theta)`, lets its optimizer descend the `guarded` gradient, calls `limit` and `project`, and
    uses `value` in its next weight step.

    Args:
        initial: The value at the start, within the bounds.
        bounds: Lowest and highest value, `0 < low < high`, in logit space below 1; the value never leaves them.
        space: `"log"` or `"logit"`, where steps are relative, so that one step size suits all hyper-parameters;
            `"raw"`, as in the released code of DHA. Defaults to `"log"`.
        where: What it acts on: a regular expression that the paths of weights are searched for, a Keras layer, or
            several of them. None: everything, or what no other hyper-parameter of its kind is given for.
        max_step: How far one step may move `theta`; in log space 0.5 is from 0.6 to 1.6 times. None: as far as the
            optimizer does.
        **kwargs: Of `keras.layers.Layer`. `dtype` defaults to float32, whatever the global policy is.

    Raises:
        ValueError: If the bounds are not positive and rising, or not of the space, the initial value is outside, the
            space is unknown, `where` is no regular expression, or `max_step` not positive.
    """

    enters: ClassVar[str] = "update"  # or "loss": what of a training step depends on the value
    is_one_for_all: ClassVar[bool] = False  # whether it takes no `where`
    scales_step: ClassVar[bool] = False  # whether the weights' step is in proportion to the value
    has_closed_form: ClassVar[bool] = False  # whether `along` is all that an estimator needs for one step back

    def __init__(
        self,
        initial: float,
        bounds: Sequence[float],
        *,
        space: str = "log",
        where: Any = None,
        max_step: float | None = None,
        **kwargs: Any,
    ) -> None:
        kind = type(self).__name__
        if where and self.is_one_for_all:
            raise ValueError(f"{kind} must act on everything. Received: where={where!r}. Leave it out.")
        self.where = _patterns(where)
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()  # without Keras's running number
        if self.where:
            name = "_".join([name, *(re.sub(r"\W+", "_", pattern).strip("_") for pattern in self.where)])
        kwargs.setdefault("dtype", "float32")
        kwargs.setdefault("name", name)
        super().__init__(autocast=False, **kwargs)
        _check(kind, initial, bounds, space, max_step)
        self.bounds = (float(bounds[0]), float(bounds[1]))
        self.space = space
        self.initial = float(initial)
        self.max_step = None if max_step is None else float(max_step)
        self._others: frozenset[int] = frozenset()
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; called by the constructor, for no shape is needed."""
        start = keras.initializers.Constant(self._to_theta(self.initial))
        self.theta = tag(self.add_weight(shape=(), initializer=start, autocast=False, name="theta"), HYPERPARAMETER)
        self.usual = self.add_weight(shape=(), initializer="zeros", trainable=False, autocast=False, name="usual")

    @property
    def shrinks_weights(self) -> bool:
        """Whether weights lose a share of themselves, `shrinkage(learning_rate)`, in each step."""
        return False

    # The value.

    def _to_theta(self, value: float) -> float:
        if self.space == "raw":
            return value
        return math.log(value) if self.space == "log" else math.log(value / (1.0 - value))

    @property
    def _theta_bounds(self) -> tuple[float, float]:
        return self._to_theta(self.bounds[0]), self._to_theta(self.bounds[1])

    def value(self) -> Tensor:
        """The value in natural units, a scalar within the bounds; its gradient for `theta` does not end there."""
        theta = ops.convert_to_tensor(self.theta)
        value = {"log": ops.exp, "logit": ops.sigmoid, "raw": ops.copy}[self.space](theta)
        return ops.stop_gradient(ops.clip(value, *self.bounds)) + (value - ops.stop_gradient(value))

    def slope(self) -> Tensor:
        """`d(value)/d(theta)`, a scalar."""
        value = self.value()
        return {"log": value, "logit": value * (1.0 - value), "raw": ops.ones_like(value)}[self.space]

    def assign(self, value: float) -> None:
        """Moves the value, in natural units, to `value` or to the bound that is nearest to it."""
        self.theta.assign(self._to_theta(min(max(float(value), self.bounds[0]), self.bounds[1])))

    def call(self, inputs: Any = None) -> Tensor:
        """The value; the inputs are not used."""
        return self.value()

    # Its steps.

    def guarded(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """A hypergradient without a spike, and whether there is one: what is not finite counts for nothing.

        It is cut at ten times its usual size, a moving average over the hypergradients before it.
        """
        finite = ops.isfinite(gradient)
        gradient = ops.where(finite, gradient, ops.zeros_like(gradient))
        most = ops.where(self.usual > 0, _TYPICAL * self.usual, ops.abs(gradient))
        return ops.clip(gradient, -most, most), finite

    def remember(self, gradient: Tensor, counts: Tensor) -> None:
        """Takes a guarded hypergradient, if it counts, into the usual size; may stand in a graph, on every replica."""
        size = ops.abs(gradient)
        usual = ops.where(self.usual > 0, _MEMORY * self.usual + (1.0 - _MEMORY) * size, size)
        self.usual.assign(ops.where(counts, usual, self.usual))

    def limit(self, before: Tensor, factor: Tensor | float = 1.0) -> None:
        """Multiplies the step that `theta` made from `before`, and brings it back to within `max_step`."""
        step = factor * (ops.convert_to_tensor(self.theta) - before)
        if self.max_step is not None:
            step = ops.clip(step, -self.max_step, self.max_step)
        self.theta.assign(before + step)

    def multiply(self, ratio: Tensor) -> None:
        """Multiplies the value, as far as the bounds allow; may stand in a graph, on every replica."""
        value = ops.clip(ops.cast(ratio, self.dtype) * self.value(), *self.bounds)
        odds = value / (1.0 - value) if self.space == "logit" else value
        self.theta.assign(value if self.space == "raw" else ops.log(odds))

    def project(self) -> None:
        """Moves `theta` back into the bounds; may stand in a graph, on every replica."""
        self.theta.assign(ops.clip(ops.convert_to_tensor(self.theta), *self._theta_bounds))

    def at_bound(self) -> Tensor:
        """Whether the value is at one of its bounds, a boolean scalar."""
        low, high = self._theta_bounds
        theta, margin = ops.convert_to_tensor(self.theta), 1e-6 * (high - low)
        return ops.logical_or(theta <= low + margin, theta >= high - margin)

    # What it acts on.

    def acts_on(self, weight: keras.Variable) -> bool:
        """Whether the step, or the loss, depends on this weight through the value."""
        return self.names(weight.path) if self.where else id(weight) not in self._others

    def names(self, path: str) -> bool:
        """Whether `where` is found in a path."""
        return any(re.search(pattern, path) for pattern in self.where)

    def leave(self, others: Collection[keras.Variable]) -> None:
        """Leaves weights to other hyper-parameters of this kind."""
        self._others = frozenset(map(id, others))

    # Its closed form, for those that have one.

    def hypergradient(self, step: WeightStep) -> Tensor:
        """`d(held-out loss)/d(theta)` through a step of the weights, a scalar."""
        return ops.cast(self.log_gradient(step.seen_by(self)), self.dtype) * self.slope() / self.value()

    def log_gradient(self, step: WeightStep) -> Tensor:
        """`d(held-out loss)/d(log(value))` through a step of the weights that it acts on."""
        return inner_product(step.held_out_gradients, self.along(step))

    def along(self, step: WeightStep) -> list[Tensor]:
        """How the weights that it acts on move with log(value) where a step ends, its direction given, one a weight."""
        raise NotImplementedError(f"{type(self).__name__} has no closed form.")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        own = {"initial": self.initial, "bounds": list(self.bounds), "space": self.space, "max_step": self.max_step}
        return {**super().get_config(), **own, "where": list(self.where) or None}


def _check(kind: str, initial: float, bounds: Sequence[float], space: str, max_step: float | None) -> None:
    if space not in _SPACES:
        raise ValueError(f"space must be one of {_SPACES}. Received: space={space!r}. Give 'log'.")
    most = 1.0 if space == "logit" else math.inf
    if len(bounds) != 2 or not 0.0 < bounds[0] < bounds[1] < most:
        rule = "0 < low < high < 1" if space == "logit" else "0 < low < high"
        raise ValueError(
            f"The bounds of {kind} must be two finite numbers with {rule}. Received: bounds={bounds}. "
            "Give a small positive number instead of 0."
        )
    if not bounds[0] <= initial <= bounds[1]:
        raise ValueError(
            f"The initial value of {kind} must lie within its bounds. Received: initial={initial}, "
            f"bounds={bounds}. Move the value or widen the bounds."
        )
    if max_step is not None and not max_step > 0:
        raise ValueError(f"max_step of {kind} must be positive, or None. Received: max_step={max_step}. Give 0.5.")


def _patterns(where: Any) -> tuple[str, ...]:
    """What `where` was given as, as regular expressions."""
    several = where if isinstance(where, Sequence) and not isinstance(where, str) else [where]
    found = []
    for part in several:
        if isinstance(part, keras.layers.Layer):
            found.append(rf"(^|/){re.escape(part.name)}(/|$)")
        elif part is not None:
            try:
                re.compile(part)
            except (re.error, TypeError) as error:
                raise ValueError(
                    f"where must be a regular expression, a layer, or several. Received: where={where!r} ({error}). "
                    "For example where='dense', or where=model.layers[2]."
                ) from error
            found.append(part)
    return tuple(found)
