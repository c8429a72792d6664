"""Every option runs, weighted by a softmax."""

import keras
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.relaxations.relaxation import Relaxation, Tensor


@keras.saving.register_keras_serializable(package="keras_dha")
class Softmax(Relaxation):
    """Dense weights, `softmax(scale * logits)`; a softmax per group for a choice with groups, so per edge of a cell.

    All branches run in every step, so memory grows with the number of options; for large networks take `OneHotSample`
    or `SparseCode`. As the scale grows, a choice of one option tends to `harden`; in a choice with groups each
    group tends to its own best option, and `harden` keeps the `keep` groups of largest probability.

    Args:
        scale: The inverse of a temperature; a positive number or a schedule of the search step. Defaults to 1.0.
        seed: Not used, for nothing is drawn.
        **kwargs: Of `Relaxation`.

    Call arguments:
        logits: `(num_options,)`, any real numbers; they start at 0.
        training: Makes no difference.

    Output:
        `(num_options,)` in [0, 1]; sum 1 over each group, over all options if the choice has no groups.

    Example:

    >>> relaxation = Softmax(scale=2.0).for_choice(Choice("stage_0", ("conv", "skip")))
    >>> relaxation.build()
    >>> relaxation(np.array([0.0, np.log(3) / 2], "float32")).numpy()
    array([0.25, 0.75], dtype=float32)

    Reference: Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search", https://arxiv.org/abs/1806.09055. There
    logits start at `1e-3 * N(0, 1)`, here at 0; there the option `none`, which is never kept, is known by name, here by
    `Choice.excluded`, or by an output that is always 0.
    """

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """A softmax per group."""
        return subsets.softmax(self._scaled(self._live(logits)), self.choice)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The weights, divided by the number of groups."""
        return self(logits) / subsets.num_groups(self.choice)

    def scores(self, logits: Tensor) -> Tensor:
        """The log-odds of each option in its group: ranks like the probability, and never rounds to a tie at 1."""
        return subsets.log_odds(ops.convert_to_tensor(logits), self.choice)
