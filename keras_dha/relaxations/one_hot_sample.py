"""One option runs, drawn anew in each call."""

from typing import Any

import keras
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.relaxations.relaxation import Relaxation, Tensor
from keras_dha.spaces.choice import Choice

_ESTIMATORS = ("score", "credit", "straight_through")


@keras.saving.register_keras_serializable(package="keras_dha")
class OneHotSample(Relaxation):
    """Draws `keep` options in training, takes the best otherwise; the weights are 0 and 1, so only these branches run.

    An option is drawn with `p = (1 - exploration) * softmax(scale * logits) + exploration * uniform` over the options
    that are not excluded; `keep` of them without replacement, at most one per group (`subsets.draw`). The weights are
    `z = 1` at what was drawn. Their gradient is one of:

    - `"score"`: none. `log_probability` is exact, and a trainer adds its product with
      `stop_gradient(loss - baseline)`. Unbiased for every loss; noisy, so a baseline is needed.
    - `"credit"`: `z * (1 + log p(z) - stop_gradient(log p(z)))`. The logits get `sum(z * dL/dz) * d(log p(z))`: the
      loss is replaced by its first-order share due to the option. Unbiased for losses linear in `z`, and quiet. It is
      zero if the branch's output is only normalised (`conv`, then batch statistics): there use `"score"`.
    - `"straight_through"`: `z * (1 + p - stop_gradient(p))`: the credit, times p; rare options learn slowly.

    For the last two `log_probability` is 0, for the weights already carry the gradient.

    Args:
        scale: The inverse of a temperature; a positive number or a schedule of the search step. Defaults to 1.0.
        estimator: `"score"`, `"credit"` or `"straight_through"`. Defaults to `"score"`.
        exploration: The share of draws that is uniform, in [0, 1). Defaults to 0.0.
        freeze_margin: A number in (0, 1): a choice of one option is frozen at its best, at the end of an epoch, if `p`
            of the best minus `p` of the second best is at least this. None, the default: never.
        **kwargs: Of `Relaxation`.

    Call arguments:
        logits: `(num_options,)`, any real numbers; they start at 0.
        training: Whether to draw. Defaults to False.

    Output:
        `(num_options,)`, `keep` ones and zeros.

    Raises:
        ValueError: If an argument is out of its range, or the choice keeps more than `subsets.MAX_DRAWN` options.

    Example:

    >>> relaxation = OneHotSample(seed=0).for_choice(Choice("stage_0", ("conv", "skip")))
    >>> relaxation.build()
    >>> relaxation(np.array([0.0, 1.0], "float32")).numpy()
    array([0., 1.], dtype=float32)

    Reference: "credit" is the estimator of Hu et al., "DSNAS: Direct Neural Architecture Search without Parameter
    Retraining", https://arxiv.org/abs/2002.09128, and `freeze_margin` its progressive early stop; their logits start at
    N(1, 0.01), here at 0. "straight_through" follows Dong, Yang, "Searching for a Robust Neural Architecture in Four
    GPU Hours" (GDAS), https://arxiv.org/abs/1910.04465; there p is the softmax of the perturbed logits, here it is the
    probability of the draw. Draws of several options: Kool et al., https://arxiv.org/abs/1903.06059.
    """

    sparse = True
    unit = True

    def __init__(
        self,
        *,
        scale: Any = 1.0,
        estimator: str = "score",
        exploration: float = 0.0,
        freeze_margin: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(scale=scale, **kwargs)
        if estimator not in _ESTIMATORS:
            raise ValueError(f"estimator must be one of {_ESTIMATORS}. Received: estimator={estimator!r}. Choose one.")
        if not 0 <= exploration < 1:
            raise ValueError(f"exploration must be in [0, 1). Received: exploration={exploration}. Give 0.0 for none.")
        if freeze_margin is not None and not 0 < freeze_margin < 1:
            raise ValueError(
                f"freeze_margin must be None or in (0, 1). Received: freeze_margin={freeze_margin}. DSNAS uses 0.3."
            )
        self.estimator = estimator
        self.exploration = float(exploration)
        self.freeze_margin = freeze_margin

    def keeps_zero(self, choice: Choice) -> bool:
        """Always with the score function, which sees what the loss is without any branch."""
        return self.estimator == "score" or super().keeps_zero(choice)

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables."""
        subsets.check_drawable(self.choice)
        super().build(input_shape)

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """Draws in training; the best options otherwise."""
        logits = self._live(logits)
        best = self.harden(logits)
        if not training:
            return best
        log_p = self._log_distribution(logits)
        kept = ops.where(self.frozen, best, subsets.draw(log_p, self.choice, seed=self.seed_generator))
        if self.estimator == "score":
            return ops.stop_gradient(kept)
        credit = self.estimator == "credit"
        carrier = subsets.log_probability(log_p, kept, self.choice) if credit else ops.exp(log_p)
        return kept * (1 + (carrier - ops.stop_gradient(carrier)))  # the inner parentheses make it exactly 1

    def probabilities(self, logits: Tensor) -> Tensor:
        """The distribution of a draw, of the first one if several options are kept."""
        return ops.exp(self._log_distribution(self._live(logits)))

    def log_probability(self, logits: Tensor, weights: Tensor) -> Tensor:
        """Exact, for the set drawn, whatever its order; 0.0 unless the estimator is "score", and when frozen."""
        logits = self._live(logits)
        zero = super().log_probability(logits, weights)
        if self.estimator != "score":
            return zero
        drawn = subsets.log_probability(self._log_distribution(logits), weights, self.choice)
        return ops.where(self.frozen, zero, drawn)

    def on_epoch_end(self) -> None:
        """Freezes the choice if the best option leads by `freeze_margin`."""
        if self.freeze_margin is not None and self.choice.keep == 1 and len(self.choice.options) > 1:
            second, first = ops.sort(self.probabilities(self.logits))[-2:]
            if first - second >= self.freeze_margin:
                self.freeze()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {
            **super().get_config(),
            "estimator": self.estimator,
            "exploration": self.exploration,
            "freeze_margin": self.freeze_margin,
        }

    def _log_distribution(self, logits: Tensor) -> Tensor:
        return subsets.log_distribution(self._scaled(logits), self.choice, exploration=self.exploration)
