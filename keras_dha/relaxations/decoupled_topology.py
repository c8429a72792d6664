"""First the operations are searched, in groups that do not compete; then the inputs, with two operations each."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.relaxations.annealed_scale import AnnealedScale
from keras_dha.relaxations.relaxation import Tensor
from keras_dha.relaxations.topology import Topology
from keras_dha.spaces.choice import Choice

SIMPLE = ("none", "skip", "skip_connect", "max_pool_3x3", "avg_pool_3x3")
_BALANCE_SCALE = 1e3  # over that of the sets of inputs


@keras.saving.register_keras_serializable(package="keras_dha")
class DecoupledTopology(Topology):
    """DOTS: group softmax, pruning, then a softmax over sets of inputs that gets colder.

    While operations are searched, each input's options form two groups, simple ones and the others, with a softmax of
    their own: `w_{m,o} = softmax(alpha_{m,group(o)})_o`, so the weights of an input sum to 2, or 1 where it has one
    group. Then only the best of each group is kept, for good, and runs:
    `w_{m,o} = q_m * softmax(balance_m / (1e-3 * T))_o` over these, with `q = softmax(beta / T) B` as in `Topology`.
    T is 1 until sets of inputs are searched, and falls from 10 to 0.02 by equal factors then. What is kept in the end
    are the inputs of the likeliest set, each with the better of its two operations.

    Args:
        phases: Shares of the search at which operations are pruned, and at which the search of sets begins.
        simple: Names of the simple operations, those without parameters.
        **kwargs: Of `Relaxation`. `scale` is not used.

    Call arguments:
        logits: alpha, balance, beta: `(2 * num_options + num_sets,)`, of a single set without beta. They start at 0.
        training: Makes no difference.

    Output:
        `(num_options,)` in [0, 1].

    Raises:
        ValueError: If `phases` are not two shares in order, or a choice has too many sets of inputs.

    Reference: Gu et al., "DOTS: Decoupling Operation and Topology in Differentiable Architecture Search",
    https://arxiv.org/abs/2010.00969, and its released code.
    """

    sparse = True
    exact = False

    def __init__(
        self, *, phases: Sequence[float] = (3 / 7, 5 / 7), simple: Sequence[str] = SIMPLE, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if len(phases) != 2 or not 0.0 < phases[0] <= phases[1] < 1.0:
            raise ValueError(
                f"phases must be two shares of the search, in order, between 0 and 1. Received: phases={phases}. "
                "DOTS: 3/7 and 5/7."
            )
        self.phases, self.simple = tuple(map(float, phases)), tuple(simple)
        self._temperature = AnnealedScale(10.0, 0.02, geometric=True)

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables."""
        names = [option.rpartition("/")[2] in self.simple for option in self.choice.options]
        pairs = [2 * group + simple for group, simple in zip(self._inputs(), names)]
        numbers = sorted(set(pairs))
        groups = tuple(numbers.index(pair) for pair in pairs)
        self._in_groups = Choice(self.choice.name, self.choice.options, keep=len(numbers), groups=groups)
        super().build(input_shape)
        self.pruned = self._constant("pruned", np.array(False), dtype="bool")
        self.left = self._constant("left", np.ones(len(groups), bool), dtype="bool")

    def _initial_logits(self) -> np.ndarray:
        alpha_and_beta, number = super()._initial_logits(), len(self.choice.options)
        return np.concatenate([alpha_and_beta[:number], np.zeros(number), alpha_and_beta[number:]])

    def _parts(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        number = len(self.choice.options)
        return logits[:number], logits[2 * number :]

    def _balance(self, logits: Tensor) -> Tensor:
        """One number an option; that of a pruned one is very small."""
        number = len(self.choice.options)
        return ops.where(self.left, logits[number : 2 * number], -1e9)

    def _scaled(self, scores: Tensor) -> Tensor:
        start = self.phases[1]
        share = ops.convert_to_tensor(self.search_share)
        cold = self._temperature(ops.clip((share - start) / (1.0 - start), 0.0, 1.0))
        return scores * ops.where(share < start, 1.0, cold)

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """Weights of the present phase."""
        live = self._live(logits)
        alpha, _ = self._parts(live)
        balance = self._scaled(_BALANCE_SCALE * self._balance(live))
        later = subsets.softmax(balance, self.choice) * self.edge_probabilities(logits)
        return ops.where(self.pruned, later, subsets.softmax(alpha, self._in_groups))

    def scores(self, logits: Tensor) -> Tensor:
        """Options of the likeliest set's inputs first; of an input those that are left, by their balance."""
        logits = ops.convert_to_tensor(logits)
        alpha, _ = self._parts(logits)
        of_operations = ops.where(self.pruned, self._balance(logits), alpha)
        return ops.clip(of_operations, -100.0, 100.0) + 1000.0 * self._likeliest_set(logits)

    def step(self, share: Tensor = 0.0) -> None:
        """Counts a search step; prunes when the first phase is over."""
        super().step(share)
        alpha, _ = self._parts(ops.convert_to_tensor(self.logits))
        over = ops.convert_to_tensor(share) >= self.phases[0]
        prunes = ops.logical_and(over, ops.logical_not(self.pruned))
        self.left.assign(ops.where(prunes, subsets.top(alpha, self._in_groups) > 0, self.left))
        self.pruned.assign(ops.logical_or(self.pruned, over))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        return {**super().get_config(), "phases": list(self.phases), "simple": list(self.simple)}
