"""A softmax of perturbed logits: a soft draw, or a hard one with a soft gradient."""

from typing import Any

import keras
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.relaxations.relaxation import Relaxation, Tensor


@keras.saving.register_keras_serializable(package="keras_dha")
class GumbelSoftmax(Relaxation):
    """`s = softmax(scale * (logits + G))`, with fresh Gumbel noise G in each training call.

    The largest entry of s is option k with probability `softmax(logits)_k`, whatever the scale; as the scale grows s
    tends to that one-hot draw. Without training the noise is left out: `softmax(scale * logits)`.

    Soft (SNAS), all branches run. With `hard=True` (GDAS) the weights are 1 at the `keep` largest perturbed logits, and
    only these branches run: `z * (1 + s - stop_gradient(s))`, so that the gradient goes through s.

    Args:
        hard: Whether the weights are 0 and 1. Defaults to False.
        scale: As in `Relaxation`; it acts on s, not on what is drawn. Usually it grows: `AnnealedScale`.
        **kwargs: Of `Relaxation`.

    Call arguments:
        logits: `(num_options,)`, any real numbers; they start at 0.
        training: Whether noise is drawn. Defaults to False.

    Output:
        `(num_options,)` in [0, 1]; soft: sum 1 over each group, over all options if the choice has no groups; hard:
        `keep` ones and zeros.

    Example:

    >>> relaxation = GumbelSoftmax(hard=True, seed=0).for_choice(Choice("stage_0", ("conv", "skip")))
    >>> relaxation.build()
    >>> float(keras.ops.sum(relaxation(relaxation.logits, training=True)))
    1.0

    Reference: Xie et al., "SNAS: Stochastic Neural Architecture Search", https://arxiv.org/abs/1812.09926; hard: Dong,
    Yang, "Searching for a Robust Neural Architecture in Four GPU Hours" (GDAS), https://arxiv.org/abs/1910.04465, whose
    code also adds the scalars `s_j - stop_gradient(s_j)` of the options that were not drawn to the output; here they
    reach the logits through the normalisation of s alone.
    """

    def __init__(self, *, hard: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hard = hard

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        """Whether only the drawn branches run."""
        return self.hard

    @property
    def unit(self) -> bool:  # type: ignore[override]
        """Whether the weights are 0 and 1."""
        return self.hard

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """A soft or a hard draw in training; without noise otherwise."""
        logits = self._live(logits)
        if training:
            noise = subsets.gumbel(ops.shape(logits), dtype=logits.dtype, seed=self.seed_generator)
            logits = logits + ops.where(self.frozen, ops.zeros_like(noise), noise)
        soft = subsets.softmax(self._scaled(logits), self.choice)
        if not self.hard:
            return soft
        return subsets.top(ops.stop_gradient(self.ranked(logits)), self.choice) * (1 + (soft - ops.stop_gradient(soft)))

    def ranked(self, logits: Tensor) -> Tensor:
        """What decides which options are kept, `(num_options,)`: of soft draws the log-odds in their groups."""
        return logits if self.hard else subsets.log_odds(logits, self.choice)

    def scores(self, logits: Tensor) -> Tensor:
        """As `ranked`, without noise."""
        return self.ranked(ops.convert_to_tensor(logits))

    def probabilities(self, logits: Tensor) -> Tensor:
        """How often each option is largest in its group, divided by the number of groups; hard: of the first draw."""
        logits = self._live(logits)
        if self.hard:
            return ops.exp(subsets.log_distribution(logits, self.choice))
        return subsets.softmax(logits, self.choice) / subsets.num_groups(self.choice)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "hard": self.hard}
