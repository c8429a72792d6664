"""Channel gates on the inputs of a linear Keras model, as a selector of features."""

import numpy as np

from keras_dha.evaluation.gated_tables import GatedTables
from keras_dha.evaluation.selector import Selector


class GateSelector(Selector):
    """Features whose gate stays open: `y = sum_j sigmoid(scale s_j) w_j x_j + b`, with a scale from 1 to 10,000.

    The order is that of the recipe `dnal`: weights first, with all gates open, and then gates, with weights at rest.
    The weights are those to which full batches converge, in closed form; the logits s of a
    `keras_dha.layers.ChannelGate` are trained by Adam, with full batches, on the mean squared error and `weight * sum
    sigmoid(s)`. The larger the weight, the larger `w_j^2` times the mean square of its feature must be for a gate to
    stay open. For tables with more rows than features, and without columns that are nearly constant: least squares
    gives these the largest weights, so that a few rows suffice to open their gates.

    Poisoned tables are trained side by side, one gate for each feature of each of them, from `x' x` and `x' y`; a
    feature is closed or open in one of them as if it were alone.

    Args:
        weight: Of open gates; positive, in units of the variance of y. Defaults to 0.02.
        num_steps: Of the gates, at least 10. Defaults to 100.
        ridge: Added to the diagonal of `x' x`, positive. Defaults to 1e-3.
        copies: How many tables are trained at once, at least 1. Defaults to 100.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> x = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> GateSelector(copies=1).support(x, x @ np.array([1.0, 0.1]))
    array([ True, False])

    Reference: gates and their scale are those of DNAL, https://arxiv.org/abs/2103.02126.
    """

    def __init__(self, *, weight: float = 0.02, num_steps: int = 100, ridge: float = 1e-3, copies: int = 100) -> None:
        if not 0.0 < weight < float("inf") or num_steps < 10 or not 0.0 < ridge < float("inf") or copies < 1:
            raise ValueError(
                "weight and ridge must be positive, num_steps at least 10, and copies at least 1. Received: "
                f"weight={weight}, num_steps={num_steps}, ridge={ridge}, copies={copies}. Give 0.02, 1e-3, 100 and 100."
            )
        self.weight, self.num_steps, self.ridge, self.copies = float(weight), int(num_steps), float(ridge), int(copies)
        self._tables: dict[int, GatedTables] = {}  # by number of features

    def support(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which features are taken: bool, `(num_features,)`."""
        nothing = np.zeros(1, int)
        return self._open(x, y, nothing, nothing, 0.0)[0]

    def poisoned(
        self, x: np.ndarray, y: np.ndarray, *, targets: np.ndarray, rows: np.ndarray, label: float
    ) -> np.ndarray:
        """Whether each target is taken, `(num_tables,)`; trained `copies` tables at a time."""
        gates = self._open(x, y, targets, rows, label)
        return gates[np.arange(len(targets)), targets]

    def _open(self, x: np.ndarray, y: np.ndarray, targets: np.ndarray, rows: np.ndarray, label: float) -> np.ndarray:
        """Open gates, bool `(num_tables, num_features)`."""
        size = x.shape[1]
        if size not in self._tables:
            self._tables[size] = GatedTables(self.copies, size, num_steps=self.num_steps, weight=self.weight)
        found = []
        for start in range(0, len(targets), self.copies):
            own = [values[start : start + self.copies] for values in (targets, rows)]
            count = len(own[0])
            filled = (np.pad(values, (0, self.copies - count)) for values in own)  # one shape: one graph
            found.append(self._tables[size].train(x, y, *filled, label=label, ridge=self.ridge)[:count])
        return np.concatenate(found)
