"""A few numbers stand for many options; what they are the measurements of says which options run."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.relaxations.lasso import lasso
from keras_dha.relaxations.relaxation import Relaxation, Tensor
from keras_dha.spaces.choice import Choice

_RECOVERIES = ("ista", "released")
_EXPLORED = ("all", "lone")
_NOISE = 1e-3


@keras.saving.register_keras_serializable(package="keras_dha")
class SparseCode(Relaxation):
    """A learned code `b` (the `logits`, `(num_measurements,)`) is read as measurements `b = A z` of a sparse vector.

    A is fixed and random, uniform in (0, 1). Before the first step and at the end of each epoch the sparse vector is
    recovered, `z = argmin 1/2 ||A z - b||^2 + l1 ||z||_1`, and the support S is the `keep` options of largest `|z|`
    that the choice can keep together. During the epoch z is constant, only the branches of S run, and their weights are

        w_S = A_S^T b - E_SS z_S,   E = A^T A - I,   so   dL/db = A_S dL/dw_S

    and 0 elsewhere. The weights are not normalised and may be negative. When a recovery moves z by at most `tolerance`,
    the choice is frozen: b gets no more gradient, and nothing is recovered any more. `harden` is S; `settled_weights`
    are w_S as constants, for the weights of branches matter here as much as their choice.

    With `exploration > 0` (ours), S is drawn anew in each training call until the choice is frozen: without replacement
    in proportion to `softmax(scale * A^T b / exploration)` (`subsets.draw`), so `exploration` is the temperature of the
    draw, in units of a branch's weight. The weights are then 1, with the gradient of the formula above for that S and
    the last z, and `log_probability` is exact: b gets both gradients. Other calls take the options of largest `A^T b`,
    the likeliest S, and so does, with `exploration_rate < 1`, each choice in the rest of the training calls: what is
    learned by the weights of a branch is not disturbed in every step by what the other choices try. With
    `exploration = 0` all calls take the recovered S.

    Where a choice keeps one option, the formula compares it with no other: the code moves along a single column of A,
    and what runs goes on running. `explored="lone"` draws for such choices only.

    Args:
        num_measurements: Length of the code. Defaults to 7.
        l1: Weight of the l1 norm, positive. Defaults to 1e-5.
        tolerance: Where a choice is frozen, at least 0. Defaults to 1e-3.
        exploration: Temperature of the draw of S; 0.0, the default, draws nothing.
        exploration_rate: The share of training calls that draw S, in (0, 1]. Defaults to 1.0.
        explored: Which choices `exploration` is for: `"all"`, or `"lone"` for those that keep one option. Defaults to
            `"all"`.
        recovery: `"ista"`, or `"released"` for what the released code of DHA does instead: a Lasso with an intercept,
            with 1/(2 num_measurements) before the square, and S by the largest z, not `|z|`.
        initial_weight: The code starts at the least-squares solution of `A^T b = initial_weight` (ours), plus the
            released start, `1e-3 * N(0, 1)`; None: only there. Then all weights are about 1e-3, which a batch
            normalisation before them does not undo. Defaults to 1.0.
        normalize: Whether the columns of A have unit norm (ours), so that no option is favoured by a long column.
            Defaults to True.
        **kwargs: Of `Relaxation`; `scale` acts on the draw only.

    Call arguments:
        logits: The code, `(num_measurements,)`.
        training: Whether S is drawn, if `exploration > 0`. Defaults to False.

    Output:
        `(num_options,)`, real numbers, `keep` of them non-zero.

    Raises:
        ValueError: If an argument is out of its range, or the choice keeps too many options to draw them.

    Example:

    >>> relaxation = SparseCode(seed=0).for_choice(Choice("node", ("a", "b", "c", "d"), keep=2))
    >>> relaxation.build()
    >>> int(np.count_nonzero(relaxation(relaxation.logits)))
    2

    Reference: Yang et al., "ISTA-NAS: Efficient and Consistent Neural Architecture Search by Sparse Coding",
    https://arxiv.org/abs/2010.06176, and its released code. That code may keep two operations on one input; here S
    respects the choice's groups.
    """

    sparse = True

    def __init__(
        self,
        *,
        num_measurements: int = 7,
        l1: float = 1e-5,
        tolerance: float = 1e-3,
        exploration: float = 0.0,
        exploration_rate: float = 1.0,
        explored: str = "all",
        recovery: str = "ista",
        initial_weight: float | None = 1.0,
        normalize: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_measurements < 1 or not l1 > 0 or not tolerance >= 0:
            raise ValueError(
                "num_measurements must be at least 1, l1 positive, and tolerance at least 0. Received: "
                f"num_measurements={num_measurements}, l1={l1}, tolerance={tolerance}. Released: 7, 1e-5, 1e-3."
            )
        if not (math.isfinite(exploration) and exploration >= 0):
            raise ValueError(f"exploration must be at least 0. Received: exploration={exploration}. Give 0.0 for none.")
        if not 0.0 < exploration_rate <= 1.0:
            raise ValueError(
                "exploration_rate must lie in (0, 1]. "
                f"Received: exploration_rate={exploration_rate}. For no draws give exploration=0.0."
            )
        if explored not in _EXPLORED:
            raise ValueError(f"explored must be one of {_EXPLORED}. Received: explored={explored!r}. Give 'all'.")
        if recovery not in _RECOVERIES:
            raise ValueError(f"recovery must be one of {_RECOVERIES}. Received: recovery={recovery!r}. Give 'ista'.")
        self.num_measurements = num_measurements
        self.l1 = l1
        self.tolerance = tolerance
        self.exploration = exploration
        self.exploration_rate = exploration_rate
        self.explored = explored
        self.recovery = recovery
        self.initial_weight = initial_weight
        self.normalize = normalize

    def build(self, input_shape: Any = None) -> None:
        """Makes A, the code, and the first recovery."""
        if self._temperature:
            subsets.check_drawable(self.choice)
        super().build(input_shape)
        self.measurements = self._constant("measurements", self._initial_measurements())
        self.recovered = self._constant("recovered", self.recover())

    def keeps_zero(self, choice: Choice) -> bool:
        """Only if S is drawn everywhere: a branch whose output is 0 has no gradient of its weight to leave it by."""
        return self.exploration > 0.0 and self.explored == "all"

    @property
    def _temperature(self) -> float:
        """Of the draw of S; 0.0 if nothing is drawn."""
        return self.exploration if self.explored == "all" or self.choice.keep == 1 else 0.0

    def _initial_measurements(self) -> np.ndarray:
        shape = (self.num_measurements, len(self.choice.options))
        matrix = np.random.default_rng([self.seed, 0]).uniform(size=shape)
        return matrix / np.linalg.norm(matrix, axis=0) if self.normalize else matrix

    def _initial_logits(self) -> np.ndarray:
        code = _NOISE * np.random.default_rng([self.seed, 1]).standard_normal(self.num_measurements)
        if self.initial_weight is None:
            return code
        lead = self._initial_scores() * self._temperature / float(ops.convert_to_numpy(self._initial_scale()))
        weights = self.initial_weight + lead
        return code + np.linalg.lstsq(self._initial_measurements().T, weights, rcond=None)[0]

    def recover(self) -> np.ndarray:
        """The sparse vector behind the code as it is now, `(num_options,)`; changes nothing."""
        matrix, code = self.measurements.numpy(), self.logits.numpy()
        if self.recovery == "ista":
            return lasso(matrix, code, self.l1)
        # An intercept is the same as centred data; 1/(2m) before the square the same as m times the l1.
        return lasso(matrix - matrix.mean(axis=0), code - code.mean(), self.l1 * len(code))

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """The weights of the support's options."""
        logits = self._live(logits)
        kept = self.harden(logits)
        if training and self._temperature:
            drawn = subsets.draw(self._log_distribution(logits), self.choice, seed=self.seed_generator)
            explores = keras.random.uniform((), seed=self.seed_generator) < self.exploration_rate
            kept = ops.where(ops.logical_and(explores, ops.logical_not(self.frozen)), drawn, kept)
        return self._weights(logits, kept)

    def _weights(self, logits: Tensor, kept: Tensor) -> Tensor:
        """`w_S = z_S + A_S^T (b - A_S z_S)`, which is the formula of the paper's code without E."""
        matrix = ops.cast(self.measurements, logits.dtype)
        z = ops.cast(self.recovered, logits.dtype) * kept
        weights = z + ops.matmul(logits - ops.matmul(matrix, z), matrix)
        if self._temperature:
            weights = 1.0 + (weights - ops.stop_gradient(weights))  # the code's size says how likely, not how loud
        return kept * weights

    def _log_distribution(self, logits: Tensor) -> Tensor:
        return subsets.log_distribution(self._scaled(self._measured(logits)) / self._temperature, self.choice)

    def _measured(self, logits: Tensor) -> Tensor:
        """`A^T b`: the weight of each option, were it alone."""
        return ops.matmul(logits, ops.cast(self.measurements, logits.dtype))

    def scores(self, logits: Tensor) -> Tensor:
        """The magnitudes of the last recovered vector; the vector itself for the released rule; what is drawn from."""
        if self._temperature:
            return self._measured(ops.convert_to_tensor(logits))
        z = ops.cast(self.recovered, ops.convert_to_tensor(logits).dtype)
        return ops.abs(z) if self.recovery == "ista" else z

    def settled_weights(self, logits: Tensor) -> Tensor:
        """The weights of the recovered support's options, as constants."""
        return ops.stop_gradient(self._weights(ops.convert_to_tensor(logits), self.harden(logits)))

    def probabilities(self, logits: Tensor) -> Tensor:
        """The distribution of the first draw; if nothing is drawn, each option's share of `||z||_1`; S when frozen."""
        logits = self._live(logits)
        kept = self.harden(logits) / self.choice.keep
        if self._temperature:
            return ops.where(self.frozen, kept, ops.exp(self._log_distribution(logits)))
        magnitude = ops.abs(ops.cast(self.recovered, logits.dtype))
        total = ops.sum(magnitude)
        return ops.where(ops.logical_or(self.frozen, total == 0), kept, magnitude / ops.maximum(total, 1e-30))

    def log_probability(self, logits: Tensor, weights: Tensor) -> Tensor:
        """Exact for the set drawn, whatever its order; 0.0 if nothing is drawn."""
        logits = self._live(logits)
        zero = super().log_probability(logits, weights)
        if not self._temperature:
            return zero
        log_p = subsets.log_probability(self._log_distribution(logits), weights, self.choice)
        if self.exploration_rate < 1.0:
            likeliest = ops.all(ops.equal(ops.cast(weights != 0.0, logits.dtype), self.harden(logits)))
            rest = ops.where(likeliest, math.log1p(-self.exploration_rate), -1e9)
            log_p = ops.logaddexp(log_p + math.log(self.exploration_rate), rest)
        return ops.where(self.frozen, zero, log_p)

    def on_epoch_end(self) -> None:
        """Recovers the sparse vector, and freezes the choice if it hardly moved; a frozen choice stays as it is."""
        if self.settled:
            return
        new = self.recover()
        distance = np.linalg.norm(new - self.recovered.numpy())
        self.recovered.assign(new)
        if distance <= self.tolerance:
            self.freeze()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        draws = ("exploration", "exploration_rate", "explored")
        names = ("num_measurements", "l1", "tolerance", *draws, "recovery", "initial_weight", "normalize")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
