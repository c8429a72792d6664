"""Weights between 0 and 1 that can close for good."""

import keras
import numpy as np
from keras import ops

from keras_dha.relaxations.relaxation import Relaxation, Tensor


@keras.saving.register_keras_serializable(package="keras_dha")
class Clipped(Relaxation):
    """`weights = clip(logits, 0, 1)`: options do not compete, and one that reaches 0 is dead.

    After each update, `alive <- alive and logits > 0` and `logits <- max(logits, 0) * alive`. A dead option's branch is
    never run again. The best option stays alive, so that a choice always has an answer (ours).

    Args:
        **kwargs: Of `Relaxation`. `scale` is not used.

    Call arguments:
        logits: `(num_options,)`; they start at `1 / num_options + 1e-4 * N(0, 1)`.
        training: Makes no difference.

    Output:
        `(num_options,)` in [0, 1], whatever their sum.

    Example:

    >>> relaxation = Clipped(seed=0).for_choice(Choice("stage_0", ("conv", "skip")))
    >>> relaxation.build()
    >>> _ = relaxation.logits.assign([0.25, -0.5])
    >>> relaxation.project()
    >>> relaxation(relaxation.logits).numpy()
    array([0.25, 0.  ], dtype=float32)

    Reference: the activation "CRB" of the released code of Maile et al., "DARTS-PRIME: Regularization and Scheduling
    Improve Constrained Optimization in Differentiable NAS", https://arxiv.org/abs/2106.11655. That code normalises the
    sum at each node; here only the branches are.
    """

    sparse = True
    exact = False

    def build(self, input_shape: object = None) -> None:
        """Makes the variables."""
        super().build(input_shape)
        self.alive = self._constant("alive", np.ones(len(self.choice.options), bool), dtype="bool")

    def _initial_logits(self) -> np.ndarray:
        noise = np.random.default_rng(self.seed).standard_normal(len(self.choice.options))
        return 1.0 / len(noise) + 1e-4 * noise + self._initial_scores() / len(noise)

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """The clipped logits of options that are alive."""
        return ops.clip(self._live(logits), 0.0, 1.0) * ops.cast(self.alive, "float32")

    def scores(self, logits: Tensor) -> Tensor:
        """The logits; dead options last."""
        return ops.where(self.alive, ops.convert_to_tensor(logits), -1e9)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The share of each weight in their sum; what is kept, if that is 0."""
        weights = self(logits)
        total = ops.sum(weights)
        return ops.where(total > 0, weights / ops.maximum(total, 1e-30), self.harden(logits) / self.choice.keep)

    def project(self) -> None:
        """Lets options that reached 0 die; the ones that would be kept stay, at 1e-3 or more."""
        logits = ops.convert_to_tensor(self.logits)
        kept = self.harden(logits) > 0
        logits = ops.where(kept, ops.maximum(logits, 1e-3), logits)
        self.alive.assign(ops.logical_and(self.alive, logits > 0))
        self.logits.assign(ops.where(self.alive, logits, 0.0))
