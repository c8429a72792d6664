"""DNAL's scaled sigmoid: each option open or closed by itself, ever more decidedly."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.relaxations.annealed_scale import AnnealedScale
from keras_dha.relaxations.relaxation import Relaxation, Tensor


@keras.saving.register_keras_serializable(package="keras_dha")
class ScaledSigmoid(Relaxation):
    """`sigmoid(scale * logits)` in [0, 1] an option, with a scale that grows geometrically over the search.

    What is kept is `sigmoid(last scale * logits) > threshold`, and at least as many options as the choice says. Made
    for channels, which `choose.width` asks about: options do not compete, and their number is learned.

    Args:
        scale: As `Relaxation` has it. Defaults to `AnnealedScale(1.0, 1e-4, geometric=True)`, from 1 to 1e4.
        rest: The share of the search, at its start, in which all weights are 1, and after which the share that the
            scale is a function of is counted; in [0, 1). Defaults to 0.0.
        threshold: Weight above which an option is kept, at the last scale, in (0, 1). Defaults to 0.9.
        **kwargs: Of `Relaxation`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> relaxation = ScaledSigmoid(scale=10.0).for_choice(Choice("width", ("0", "1"), keep=2, at_least=1))
    >>> relaxation.build()
    >>> _ = relaxation.logits.assign([0.1, -0.1])
    >>> relaxation(relaxation.logits).numpy().round(3)
    array([0.731, 0.269], dtype=float32)
    >>> relaxation.harden(relaxation.logits).numpy()
    array([1., 0.], dtype=float32)

    Reference: Guo, Wu, Kittler, Feng, "Differentiable Neural Architecture Learning for Efficient Neural Network
    Design", https://arxiv.org/abs/2103.02126, and its released code, where the scale (there `delta`) grows at the start
    of each of ten epochs; here in each step. That at least one option stays is ours.
    """

    def __init__(self, *, scale: Any = None, rest: float = 0.0, threshold: float = 0.9, **kwargs: Any) -> None:
        super().__init__(scale=AnnealedScale(1.0, 1e-4, geometric=True) if scale is None else scale, **kwargs)
        if not 0.0 <= rest < 1.0 or not 0.0 < threshold < 1.0:
            raise ValueError(
                "rest must be in [0, 1), and threshold in (0, 1). "
                f"Received: rest={rest}, threshold={threshold}. Give 0.0 and 0.9."
            )
        self.rest, self.threshold = float(rest), float(threshold)

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """A sigmoid an option; 1 while the search rests."""
        weights = ops.sigmoid(self._scaled(self._live(logits)))
        return ops.where(self.rests(), ops.ones_like(weights), weights) if self.rest else weights

    def rests(self) -> Tensor:
        """Whether all weights are 1 at this share of the search, a boolean scalar."""
        return ops.convert_to_tensor(self.search_share) < self.rest

    def _share_of_scale(self) -> Tensor:
        return ops.maximum((ops.convert_to_tensor(self.search_share) - self.rest) / (1.0 - self.rest), 0.0)

    def last_scale(self) -> Tensor | float:
        """The scale at the end of the search; of a schedule of steps, as it is now."""
        return 1.0 / self.scale.end if isinstance(self.scale, AnnealedScale) else self.present_scale()

    def probabilities(self, logits: Tensor) -> Tensor:
        """The share of each weight in their sum."""
        weights = self(logits) + 1e-12
        return weights / ops.sum(weights)

    def expected_number(self, logits: Tensor) -> Tensor:
        """The sum of the weights."""
        return ops.sum(self(logits))

    def harden(self, logits: Tensor) -> Tensor:
        """0/1 weights, `(num_options,)`: one above the threshold, and for the best ones if these are too few.

        Where their number must be a multiple, it is the nearest one, of two the larger, and the best ones are kept.
        """
        logits, choice = ops.convert_to_tensor(logits), self.choice
        if choice.fewest == choice.keep:
            return subsets.top(logits, choice)
        may_stay = np.ones(len(choice.options)) if choice.keep == len(choice.options) else subsets.top(logits, choice)
        is_open = ops.cast(logits > self.least_logit(), logits.dtype) * ops.cast(may_stay, logits.dtype)
        if choice.multiple_of > 1:
            numbers = ops.convert_to_tensor(np.array(choice.numbers[::-1]), dtype=logits.dtype)
            number = ops.take(numbers, ops.argmin(ops.abs(numbers - ops.sum(is_open))))
            return ops.cast(ops.cast(ops.argsort(ops.argsort(-logits)), logits.dtype) < number, logits.dtype)
        best = subsets.top(logits, dataclasses.replace(choice, keep=choice.fewest, at_least=None))
        return ops.maximum(is_open, best)

    def least_logit(self) -> Tensor | float:
        """Above which logit an option is kept."""
        return math.log(self.threshold / (1.0 - self.threshold)) / self.last_scale()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "rest": self.rest, "threshold": self.threshold}
