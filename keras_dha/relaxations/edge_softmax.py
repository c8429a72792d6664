"""A softmax over operations times a softmax over inputs."""

import keras
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.relaxations.relaxation import Tensor
from keras_dha.relaxations.topology import Topology


@keras.saving.register_keras_serializable(package="keras_dha")
class EdgeSoftmax(Topology):
    """Dense weights, `w_{m,o} = softmax(scale * beta)_m * softmax(alpha_m)_o`: PC-DARTS' edge normalization.

    alpha has one logit for each option (operation o on input m), beta one for each input. What is kept are the options
    of largest weight, one an input. A choice without groups has one input: then this is `Softmax` with scale 1.

    Args:
        **kwargs: Of `Relaxation`; `scale` acts on beta only.

    Call arguments:
        logits: alpha, then beta: `(num_options + num_inputs,)`; of a single input there is no beta. They start at 0.
        training: Makes no difference.

    Output:
        `(num_options,)` in [0, 1], with sum 1.

    Example:

    >>> choice = Choice("node", ("0/a", "0/b", "1/a", "1/b"), keep=2, groups=(0, 0, 1, 1))
    >>> relaxation = EdgeSoftmax().for_choice(choice)
    >>> relaxation.build()
    >>> relaxation(relaxation.logits).numpy()
    array([0.25, 0.25, 0.25, 0.25], dtype=float32)

    Reference: Xu et al., "PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search",
    https://arxiv.org/abs/1907.05737. There logits start at `1e-3 * N(0, 1)`, here at 0.
    """

    def _sizes_of_sets(self) -> range:
        return range(1, 2)

    def scores(self, logits: Tensor) -> Tensor:
        """The logarithms of the weights."""
        alpha, beta = self._parts(ops.convert_to_tensor(logits))
        of_operations = ops.log_sigmoid(subsets.log_odds(alpha, self.choice))
        if len(self._members) == 1:
            return of_operations
        return of_operations + ops.matmul(ops.log_softmax(self._scaled(beta)), self._members)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The weights."""
        return self(logits)
