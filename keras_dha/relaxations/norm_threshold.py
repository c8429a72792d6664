"""A part of a kernel is kept while it is larger than a threshold that learns."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.relaxations.relaxation import Tensor
from keras_dha.relaxations.softmax import Softmax


@keras.saving.register_keras_serializable(package="keras_dha")
class NormThreshold(Softmax):
    """`d_j = 1 if |part j| >= t_j else 0`: each part of nested options but the first has a threshold, from 0 on.

    An option's weight is 1 if all parts up to its own are there, and that of the next is not. Backward, `d_j` has the
    slope of `sigmoid(|part j| - t_j)`. Parts are measured by the root of the mean square of their weights, in units of
    where it starts, so that sizes and initializers do not matter. What is kept is what a majority of the last steps
    had.

    Choices whose options are not nested have no parts to measure: they are made soft as by `Softmax`.

    Args:
        noise: The share of the search, at its start, in which a part is left out at random. Defaults to 0.0.
        keep_rate: How often it then stays, in (0, 1]. Defaults to 0.6.
        memory: The share of the steps so far that a majority is of, in (0, 1]. Defaults to 0.1.
        margin: How far a threshold may be from what it is compared with, in units of where that starts; positive.
            Defaults to 2.0. So what was left out can come back.
        **kwargs: Of `Relaxation`; `scale` and `capacity_prior` are for choices that are not nested.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> relaxation = NormThreshold(seed=0).for_choice(Choice("kernel", ("3", "5", "7"), nested=True))
    >>> relaxation.watch(lambda: np.array([1.0, 0.5], "float32"))
    >>> relaxation.build()
    >>> _ = relaxation.logits.assign([0.5, 1.5])
    >>> relaxation(relaxation.logits).numpy()
    array([0., 1., 0.], dtype=float32)

    Reference: Stamoulis et al., Single-Path NAS, https://arxiv.org/abs/1904.02877, and its released code. There sizes
    are L2 norms as they are, noise is divided by `keep_rate`, nothing bounds a threshold, and the last step decides.
    """

    def __init__(
        self, *, noise: float = 0.0, keep_rate: float = 0.6, memory: float = 0.1, margin: float = 2.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not (0.0 <= noise <= 1.0 and 0.0 < keep_rate <= 1.0 and 0.0 < memory <= 1.0 and margin > 0.0):
            raise ValueError(
                "noise must be in [0, 1], keep_rate and memory in (0, 1], and margin positive. Received: "
                f"noise={noise}, keep_rate={keep_rate}, memory={memory}, margin={margin}. Leave them out for defaults."
            )
        self.noise, self.keep_rate = float(noise), float(keep_rate)
        self.memory, self.margin = float(memory), float(margin)
        self._part_sizes: Callable[[], Tensor] | None = None

    def watch(self, part_sizes: Callable[[], Tensor]) -> None:
        """As in `Relaxation`; the first that is told stays."""
        self._part_sizes = self._part_sizes or part_sizes

    def build(self, input_shape: Any = None) -> None:
        """Makes the thresholds, and what the majority is counted in."""
        super().build(input_shape)
        if self.choice.nested:
            count = len(self.choice.options) - 1
            self.start_sizes = self._constant("start_sizes", np.zeros(count))
            self.votes = self._constant("votes", np.ones(count))

    def _initial_scores(self) -> np.ndarray:
        return np.zeros(len(self.choice.options) - 1) if self.choice.nested else super()._initial_scores()

    def _measured(self) -> tuple[Tensor, Tensor]:
        """How large each part is but the first, in units of where it starts; and these units."""
        if self._part_sizes is None:
            raise ValueError(
                f"The parts of the choice {self.choice.name!r} must be known. Received: nothing to measure. Ask for it "
                "by choose.kernel, choose.width(sizes=...), choose.repeat or choose.squeeze_excite."
            )
        sizes = ops.cast(self._part_sizes(), "float32")
        unit = ops.where(self.start_sizes > 0.0, self.start_sizes, ops.stop_gradient(sizes))
        return sizes / ops.maximum(unit, 1e-12), unit

    def _sizes(self) -> Tensor:
        return self._measured()[0]

    def _above(self, logits: Tensor) -> Tensor:
        """`d`, `(num_options - 1,)`."""
        distance = self._sizes() - self._live(logits)
        slope = ops.sigmoid(distance)
        return ops.cast(ops.stop_gradient(distance) >= 0.0, "float32") + (slope - ops.stop_gradient(slope))

    def _weights(self, parts: Tensor) -> Tensor:
        """From parts that are there, but for the first, to weights of options."""
        there = [ops.ones(())]
        for part in ops.unstack(parts, len(self.choice.options) - 1):
            there.append(there[-1] * part)
        return ops.stack([own - after for own, after in zip(there, [*there[1:], ops.zeros(())])])

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """0 and 1, with the slope of sigmoids."""
        if not self.choice.nested:
            return super().call(logits, training=training)
        parts = self._above(logits)
        if training and self.noise:
            drawn = keras.random.uniform(ops.shape(parts), seed=self.seed_generator) < self.keep_rate
            quiet = ops.convert_to_tensor(self.search_share) >= self.noise
            parts = parts * ops.cast(ops.logical_or(drawn, quiet), parts.dtype)
        return self._weights(parts)

    def probabilities(self, logits: Tensor) -> Tensor:
        """As if each part were there with the probability `sigmoid(4 * (size - threshold))`."""
        if not self.choice.nested:
            return super().probabilities(logits)
        return self._weights(ops.sigmoid(4.0 * (self._sizes() - self._live(logits))))

    def shares(self, logits: Tensor) -> Tensor:
        """What is there now, 0 and 1, with the slope of sigmoids."""
        return self._weights(self._above(logits)) if self.choice.nested else super().shares(logits)

    def harden(self, logits: Tensor) -> Tensor:
        """What a majority of the last steps had."""
        if not self.choice.nested:
            return super().harden(logits)
        return self._weights(ops.cast(ops.convert_to_tensor(self.votes) > 0.5, "float32"))

    def step(self, share: Tensor = 0.0) -> None:
        """Counts the votes of this step."""
        if self.choice.nested:
            parts = ops.stop_gradient(self._above(self.logits))
            counted = 1.0 + self.memory * ops.cast(self.search_step, "float32")
            self.votes.assign(self.votes + (parts - self.votes) / counted)
        super().step(share)

    def project(self) -> None:
        """Keeps thresholds within the margin."""
        if self.choice.nested:
            sizes, unit = self._measured()
            self.start_sizes.assign(unit)
            self.logits.assign(ops.clip(ops.convert_to_tensor(self.logits), sizes - self.margin, sizes + self.margin))

    def decide(self, kept: Sequence[int]) -> None:
        """As in `Relaxation`."""
        if not self.choice.nested:
            return super().decide(kept)
        there = self.choice.parts(kept)[1:]
        self.votes.assign(there.astype("float32"))
        sizes = ops.convert_to_numpy(self._sizes())
        self.logits.assign(np.where(there, sizes - self.margin, sizes + self.margin))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        own = {name: getattr(self, name) for name in ("noise", "keep_rate", "memory", "margin")}
        return {**super().get_config(), **own}
