"""How one choice is made soft."""

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.relaxations.annealed_scale import AnnealedScale
from keras_dha.roles import ARCHITECTURE, tag
from keras_dha.spaces.choice import Choice

Tensor = Any
_SCHEDULE = keras.optimizers.schedules.LearningRateSchedule


class Relaxation(keras.layers.Layer, abc.ABC):
    """From logits, which a search learns, to weights of options, which multiply branches.

    A relaxation without a choice is a template: `for_choice` clones it for each choice of a space. A clone owns its
    logits and everything else that it remembers, all of it in Keras variables: `logits` (ARCHITECTURE), `frozen` (if
    true the logits get no gradient, and their update is to be masked), `search_step`, `search_share`, the state of
    `seed_generator`.
    Subclasses give `call` and `probabilities`; what they draw must come from `seed_generator`, and only in training.

    Args:
        scale: What logits are multiplied by, the inverse of a temperature: a positive number, or a
            `keras.optimizers.schedules.LearningRateSchedule` of the search step, or an `AnnealedScale` of the share of
            the search that is done. Defaults to 1.0.
        seed: Non-negative integer. None: drawn from Keras's global seed when the template is made.
        capacity_prior: How much more the largest option of a choice weighs at the start, in units of scaled logits:
            an option starts at `capacity_prior * its parameters / most parameters`, or so by the capacities of the
            choice. At least 0. Defaults to 0.0, all equal. Options without parameters need no training and lead early
            on; this is the counterweight (ours).
        choice: A `Choice`; given by `for_choice`.
        start: Where the scaled logits start, one number an option; given by `for_choice`. None: all at 0.
        **kwargs: Of `keras.layers.Layer`. `dtype` defaults to float32, whatever the global policy is.

    Call arguments:
        logits: Tensor like the variable `logits`; `(num_options,)` unless the subclass says otherwise.
        training: Whether to draw noise. Defaults to False.

    Output:
        Weights of options, `(num_options,)`.

    Raises:
        ValueError: If the scale is not positive, the seed is negative, or a template is built.

    Example:

    >>> relaxation = Softmax().for_choice(Choice("stage_0", ("conv", "skip")))
    >>> relaxation.build()
    >>> relaxation(relaxation.logits).numpy()
    array([0.5, 0.5], dtype=float32)
    """

    sparse: ClassVar[bool] = False
    """Whether only the branches of non-zero weight run; otherwise all run, and no weight need be zero."""

    exact: ClassVar[bool] = True
    """Whether, if `sparse`, exactly `choice.keep` weights are non-zero in every call."""

    unit: ClassVar[bool] = False
    """Whether, if `sparse`, weights that are not 0 are exactly 1, so that nothing need be multiplied by them."""

    def __init__(
        self,
        *,
        scale: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        seed: int | None = None,
        capacity_prior: float = 0.0,
        choice: Choice | None = None,
        start: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)
        if not isinstance(scale, _SCHEDULE) and not (math.isfinite(scale) and scale > 0):
            raise ValueError(
                f"scale must be a positive number or a LearningRateSchedule. Received: scale={scale}. "
                "Give 1.0, or a schedule that grows with the search step."
            )
        if seed is not None and seed < 0:
            raise ValueError(f"seed must be None or at least 0. Received: seed={seed}. Give a non-negative integer.")
        if not (math.isfinite(capacity_prior) and capacity_prior >= 0):
            raise ValueError(
                f"capacity_prior must be at least 0. Received: capacity_prior={capacity_prior}. Give 0.0 for none."
            )
        self.scale = scale
        self.capacity_prior = float(capacity_prior)
        self._choice = choice
        self._start = None if start is None else [float(value) for value in start]
        self.seed = int(keras.random.randint((), 0, 2**31 - 1)) if seed is None else int(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def keeps_zero(self, choice: Choice) -> bool:
        """Whether options of `choice` whose output is always 0 may be kept.

        Not where options learn by the gradient of their weights, which is 0 for such an option's own: nothing speaks
        against it but its share in what the others lose. DARTS lets it take weight, and never keeps it. But where every
        input must have an answer, it is how an input is left out. Overridden where the loss itself says what an option
        is worth.
        """
        return 1 < choice.keep == subsets.num_groups(choice)

    @property
    def choice(self) -> Choice:
        """The choice that is made soft; a template has none, and raises."""
        if self._choice is None:
            raise ValueError(
                f"A relaxation must have a choice to be built or called. Received: choice=None in {self.name!r}. "
                "Use the clone that for_choice(choice) returns."
            )
        return self._choice

    def for_choice(self, choice: Choice, sizes: Sequence[float] | None = None) -> Self:
        """A new relaxation like this one for `choice`, with a seed made of this one's seed and the choice's name.

        Args:
            choice: The choice.
            sizes: How large each option is, for `capacity_prior`: the number of its parameters, or the capacities of
                the choice. None: all alike.
        """
        start = None
        if sizes is not None and self.capacity_prior and max(sizes) > 0:
            start = [self.capacity_prior * size / max(sizes) for size in sizes]
        entropy = [self.seed, *choice.name.encode()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0]) >> 1  # below 2**31, as Keras's own seeds
        name = "relaxation_" + choice.name.replace("/", ".")  # Keras allows no slash in a layer's name
        return type(self).from_config(
            {**self.get_config(), "seed": seed, "choice": asdict(choice), "start": start, "name": name}
        )

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; needs no shape, for the choice gives it."""
        self.logits = tag(self._constant("logits", self._initial_logits(), trainable=True), ARCHITECTURE)
        self.frozen = self._constant("frozen", np.array(False), dtype="bool")
        self.search_step = self._constant("search_step", np.array(0), dtype="int64")
        self.search_share = self._constant("search_share", np.array(0.0))

    def _constant(
        self, name: str, value: np.ndarray, *, trainable: bool = False, dtype: str | None = None
    ) -> keras.Variable:
        """A variable that starts at `value`. No autocast: an outer layer's mixed precision must not round logits."""
        return self.add_weight(
            shape=value.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(value, dtype=dtype),
            dtype=dtype,
            trainable=trainable,
            autocast=False,
            name=name,
        )

    def _initial_logits(self) -> np.ndarray:
        """Where the logits start."""
        return self._initial_scores() / float(ops.convert_to_numpy(self._initial_scale()))

    def _initial_scores(self) -> np.ndarray:
        """Where the scaled logits start, one number an option."""
        return np.zeros(len(self.choice.options)) if self._start is None else np.array(self._start)

    def _initial_scale(self) -> Any:
        return self.scale(0) if isinstance(self.scale, _SCHEDULE) else self.scale

    def _scaled(self, scores: Tensor) -> Tensor:
        """The scores, multiplied by the scale of this search step."""
        return scores * ops.cast(self.present_scale(), scores.dtype)

    def present_scale(self) -> Tensor | float:
        """The scale of this search step."""
        if not isinstance(self.scale, _SCHEDULE):
            return self.scale
        time = self._share_of_scale() if isinstance(self.scale, AnnealedScale) else self.search_step
        return self.scale(ops.convert_to_tensor(time))

    def _share_of_scale(self) -> Tensor:
        """The share of the search that an `AnnealedScale` is a function of."""
        return self.search_share

    def _live(self, logits: Tensor) -> Tensor:
        """The logits, without a gradient if frozen."""
        logits = ops.convert_to_tensor(logits)
        return ops.where(self.frozen, ops.stop_gradient(logits), logits)

    @abc.abstractmethod
    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """Weights of options, `(num_options,)`."""

    @abc.abstractmethod
    def probabilities(self, logits: Tensor) -> Tensor:
        """A distribution over options, `(num_options,)`, for entropies and reports: positive, with sum 1."""

    def expected_number(self, logits: Tensor) -> Tensor:
        """How many options are kept on average, a scalar: `keep`, unless their number is learned."""
        return ops.full((), float(self.choice.keep))

    def scores(self, logits: Tensor) -> Tensor:
        """What `harden` ranks, `(num_options,)`: the logits, unless a subclass ranks something else."""
        return ops.convert_to_tensor(logits)

    def harden(self, logits: Tensor) -> Tensor:
        """0/1 weights, `(num_options,)`: one for the `keep` options of largest score that the choice can keep."""
        return subsets.top(self.scores(logits), self.choice)

    def settled_weights(self, logits: Tensor) -> Tensor:
        """The weights of options after the search, without noise or gradient: `harden`, unless overridden."""
        return self.harden(logits)

    def watch(self, part_sizes: Callable[[], Tensor]) -> None:
        """Told what says how large the weights of the parts of nested options are, but for the first one's.

        Args:
            part_sizes: Gives root mean squares, `(num_options - 1,)`. Does nothing, unless overridden.
        """

    def shares(self, logits: Tensor) -> Tensor:
        """How much each option counts in an expected cost, `(num_options,)`: its probability, unless overridden."""
        return self.probabilities(logits)

    def decide(self, kept: Sequence[int]) -> None:
        """Moves the logits so that the options at these positions are what `harden` keeps; outside of graphs.

        Raises:
            ValueError: If the logits are not one number an option.
        """
        logits = ops.convert_to_numpy(self.logits).copy()
        if logits.shape != (len(self.choice.options),):
            raise ValueError(
                "Decisions can be given to relaxations with a logit an option only. "
                f"Received: {type(self).__name__}. Use Softmax, or NormThreshold."
            )
        best = logits.max()
        for position in kept:
            logits[position] = best + 1.0
        self.logits.assign(logits)

    def log_probability(self, logits: Tensor, weights: Tensor) -> Tensor:
        """Log of the probability with which `call` drew these weights, a scalar; 0.0 if there is nothing to add."""
        return ops.zeros((), dtype=ops.convert_to_tensor(logits).dtype)

    def step(self, share: Tensor = 0.0) -> None:
        """Counts a search step, after which `share` of the search is done; may stand in a graph, on every replica."""
        self.search_step.assign_add(1)
        self.search_share.assign(share)

    def project(self) -> None:
        """Called after each update of the logits, inside the graph. Does nothing, unless overridden."""

    def on_epoch_end(self) -> None:
        """Called once after each search epoch, outside of graphs. Does nothing, unless overridden."""

    def freeze(self) -> None:
        """Ends the search of this choice: from now on the logits get no gradient."""
        self.frozen.assign(True)

    @property
    def settled(self) -> bool:
        """Whether nothing moves any more."""
        return self.built and bool(self.frozen.numpy())

    def compute_output_shape(self, input_shape: Any) -> tuple[int, ...]:
        """`(num_options,)`."""
        return (len(self.choice.options),)

    def save_own_variables(self, store: Any) -> None:
        """Saves the variables and, unlike Keras, the state of the seed generator, so that a resumed search is exact."""
        for i, variable in enumerate([*self.weights, self.seed_generator.state]):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved."""
        variables = [*self.weights, self.seed_generator.state]
        if len(store.keys()) != len(variables):
            raise ValueError(
                f"The relaxation {self.name!r} must be loaded from a file of {len(variables)} variables. "
                f"Received: {len(store.keys())} variables. Build it before loading, with the class that was saved."
            )
        for i, variable in enumerate(variables):
            variable.assign(store[str(i)])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        schedule = isinstance(self.scale, _SCHEDULE)
        return {
            **super().get_config(),
            "scale": keras.optimizers.schedules.serialize(self.scale) if schedule else self.scale,
            "seed": self.seed,
            "capacity_prior": self.capacity_prior,
            "start": self._start,
            "choice": None if self._choice is None else asdict(self._choice),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A relaxation from what `get_config` returned."""
        config = dict(config)
        if isinstance(config.get("scale"), Mapping):
            config["scale"] = keras.optimizers.schedules.deserialize(config["scale"])
        if isinstance(config.get("choice"), Mapping):
            # JSON knows no tuples.
            values: dict[str, Any] = {
                key: tuple(v) if isinstance(v, list) else v for key, v in config["choice"].items()
            }
            config["choice"] = Choice(**values)
        return super().from_config(config)
