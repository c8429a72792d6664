"""Every option runs, each weighted on its own."""

import keras
from keras import ops

from keras_dha.relaxations.relaxation import Relaxation, Tensor


@keras.saving.register_keras_serializable(package="keras_dha")
class Sigmoid(Relaxation):
    """Dense weights, `sigmoid(scale * logits)`: options do not compete, so that none wins at the others' cost.

    Nothing makes the weights decide; add `keras_dha.penalties.ZeroOne` for that.

    Args:
        **kwargs: Of `Relaxation`.

    Call arguments:
        logits: `(num_options,)`, any real numbers; they start at 0.
        training: Makes no difference.

    Output:
        `(num_options,)` in (0, 1), whatever their sum.

    Example:

    >>> relaxation = Sigmoid().for_choice(Choice("stage_0", ("conv", "skip")))
    >>> relaxation.build()
    >>> relaxation(relaxation.logits).numpy()
    array([0.5, 0.5], dtype=float32)

    Reference: Chu et al., "Fair DARTS: Eliminating Unfair Advantages in Differentiable Architecture Search",
    https://arxiv.org/abs/1911.12126. There a node keeps those of its two best options whose weight is at least 0.85;
    here it keeps as many as the choice says.
    """

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """A sigmoid an option."""
        return ops.sigmoid(self._scaled(self._live(logits)))

    def probabilities(self, logits: Tensor) -> Tensor:
        """The share of each weight in their sum."""
        weights = self(logits)
        return weights / ops.sum(weights)
