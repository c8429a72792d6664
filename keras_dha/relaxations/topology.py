"""Which inputs a node reads is learned apart from what it does with them."""

import itertools
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.relaxations.relaxation import Relaxation, Tensor

MAX_SETS = 10_000


@keras.saving.register_keras_serializable(package="keras_dha")
class Topology(Relaxation):
    """Dense weights, `w_{m,o} = q_m * softmax(alpha_m)_o`, with `q = softmax(scale * beta) B`.

    alpha has one logit for each option (operation o on input m), beta one for each set of inputs that the choice may
    keep: of `keep` inputs, or of any number from `at_least` to `keep`. B holds in row t a 1 for each input in set t. So
    q_m, the probability that input m is read, is at most 1, and all q sum to the expected size of the set. What is kept
    are the inputs of the likeliest set, each with its best operation. A choice without groups has one input, which is
    always read: then this is `Softmax` with scale 1.

    Args:
        **kwargs: Of `Relaxation`; `scale` acts on beta only.

    Call arguments:
        logits: alpha, then beta: `(num_options + num_sets,)`, smaller sets first, of equal size in lexicographic order;
            of a single set, which is sure, there is no beta. They start at 0.
        training: Makes no difference.

    Output:
        `(num_options,)` in [0, 1].

    Raises:
        ValueError: If a choice has more than `MAX_SETS` sets of inputs.

    Example:

    >>> choice = Choice("node", ("0/a", "0/b", "1/a", "1/b", "2/a", "2/b"), keep=2, groups=(0, 0, 1, 1, 2, 2))
    >>> relaxation = Topology().for_choice(choice)
    >>> relaxation.build()
    >>> relaxation(relaxation.logits).numpy().round(4)
    array([0.3333, 0.3333, 0.3333, 0.3333, 0.3333, 0.3333], dtype=float32)

    Reference: after the abstract of Huang et al., "Explicitly Learning Topology for Differentiable Neural Architecture
    Search" (TopoNAS), https://arxiv.org/abs/2011.09300: "topological variables and a combinatorial probabilistic
    distribution". Its code is not public, and which sets it has is not known to us; sets of exactly `keep`
    inputs are those of Gu et al., "DOTS: Decoupling Operation and Topology in Differentiable Architecture Search",
    https://arxiv.org/abs/2010.00969.
    """

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables."""
        inputs = sorted({g for g, ok in zip(self._inputs(), self.choice.allowed) if ok})
        sizes = self._sizes_of_sets()
        number = sum(math.comb(len(inputs), size) for size in sizes)
        if number > MAX_SETS:
            size = " or ".join(map(str, sizes))
            raise ValueError(
                f"A choice must have at most {MAX_SETS} sets of inputs to learn its topology. Received: "
                f"{number} sets of {size} of {len(inputs)} inputs in {self.choice.name!r}. "
                "Use Softmax, or fewer inputs."
            )
        sets = [chosen for size in sizes for chosen in itertools.combinations(inputs, size)]
        self._members = np.array([[g in chosen for g in self._inputs()] for chosen in sets], "float32")
        self._sizes = np.array([len(chosen) for chosen in sets], "float32")
        super().build(input_shape)

    def _sizes_of_sets(self) -> range:
        """How many inputs may be read together."""
        return range(self.choice.fewest, self.choice.keep + 1) if self.choice.groups else range(1, 2)

    def _inputs(self) -> tuple[int, ...]:
        """The input that each option reads; options of a choice without groups read the same."""
        return self.choice.groups or (0,) * len(self.choice.options)

    def _initial_logits(self) -> np.ndarray:
        num_sets = len(self._members)
        return np.concatenate([self._initial_scores(), np.zeros(num_sets if num_sets > 1 else 0)])

    def _parts(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """alpha, and beta."""
        return logits[: len(self.choice.options)], logits[len(self.choice.options) :]

    def call(self, logits: Tensor, training: bool = False) -> Tensor:
        """Probability of the input times share of the operation."""
        alpha, _ = self._parts(self._live(logits))
        return subsets.softmax(alpha, self.choice) * self.edge_probabilities(logits)

    def edge_probabilities(self, logits: Tensor) -> Tensor:
        """The probability q of the input that each option reads, `(num_options,)`."""
        return ops.matmul(self._set_probabilities(logits), self._members)

    def _set_probabilities(self, logits: Tensor) -> Tensor:
        """Of each set, `(num_sets,)`; of a single one it is 1."""
        if len(self._members) == 1:
            return ops.ones((1,))
        _, beta = self._parts(self._live(logits))
        return ops.softmax(self._scaled(beta))

    def scores(self, logits: Tensor) -> Tensor:
        """Options of the likeliest set's inputs first, by their log-odds among the operations on that input."""
        alpha, _ = self._parts(ops.convert_to_tensor(logits))
        # Small enough that float32 still tells the operations apart.
        return ops.clip(subsets.log_odds(alpha, self.choice), -100.0, 100.0) + 1000.0 * self._likeliest_set(logits)

    def harden(self, logits: Tensor) -> Tensor:
        """0/1 weights, `(num_options,)`: one for the best operation on each input of the likeliest set."""
        kept = super().harden(logits)
        return kept * self._likeliest_set(logits) if self._number_is_learned else kept

    def _likeliest_set(self, logits: Tensor) -> Tensor:
        """1 for the options on inputs of the likeliest set, else 0."""
        alpha, beta = self._parts(ops.convert_to_tensor(logits))
        best = ops.argmax(beta) if len(self._members) > 1 else 0
        return ops.cast(ops.take(self._members, best, axis=0), alpha.dtype)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The weights, divided by their sum, which is the expected number of inputs."""
        weights = self(logits)
        return weights / ops.sum(weights)

    def expected_number(self, logits: Tensor) -> Tensor:
        """How many inputs are kept on average, a scalar."""
        if not self._number_is_learned:
            return super().expected_number(logits)
        return ops.sum(self._set_probabilities(logits) * self._sizes)

    @property
    def _number_is_learned(self) -> bool:
        return len(self._sizes_of_sets()) > 1
