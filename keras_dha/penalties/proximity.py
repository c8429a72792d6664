"""A pull towards what would be kept."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_dha.penalties.penalty import Penalty, Tensor, norm, soft_and_kept
from keras_dha.relaxations import Relaxation


@keras.saving.register_keras_serializable(package="keras_dha")
class Proximity(Penalty):
    """`u * weight / 2 * ||w - D(w)||`, with w all weights of options, D(w) the hard ones, and u the share searched.

    The closer the end, the stronger the pull, so that deriving changes little.

    Args:
        weight: rho, at least 0. Defaults to 0.1.
        squared: Whether the norm is squared, as a textbook would; the released code does not. Then the pull does not
            fade near D(w). Defaults to False.
        **kwargs: Of `keras.layers.Layer`.

    Example:

    >>> relaxation = Softmax().for_choice(Choice("edge", ("conv", "skip")))
    >>> relaxation.build()
    >>> round(float(Proximity(2.0, squared=True).value({"edge": relaxation}, 1.0)), 4)  # (1/2 - 1)^2 + (1/2)^2
    0.5

    Reference: the released code of Maile et al., "DARTS-PRIME: Regularization and Scheduling Improve Constrained
    Optimization in Differentiable NAS", https://arxiv.org/abs/2106.11655. There one norm for the normal and one for the
    reduction cell; here one over all choices.
    """

    def __init__(self, weight: float = 0.1, *, squared: bool = False, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)
        self.squared = squared

    def value(self, relaxations: Mapping[str, Relaxation], share: Tensor) -> Tensor:
        """The penalty."""
        pairs = [soft_and_kept(relaxation) for relaxation in relaxations.values()]
        distance = norm([soft - kept for soft, kept in pairs], squared=self.squared)
        return ops.cast(share, "float32") * (self.weight / 2) * distance

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "squared": self.squared}
