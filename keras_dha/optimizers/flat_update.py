"""An optimizer's step on all of its variables as one vector, leaving some of them alone."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.optimizers.momentum_sgd import MomentumSGD
from keras_dha.optimizers.selective_update import SelectiveUpdate, any_of

Tensor = Any

_ELEMENTWISE = (
    MomentumSGD,
    keras.optimizers.SGD,
    keras.optimizers.Adam,
    keras.optimizers.AdamW,
    keras.optimizers.RMSprop,
    keras.optimizers.Adagrad,
    keras.optimizers.Lion,
)


class FlatUpdate(SelectiveUpdate):
    """`SelectiveUpdate` for optimizers that treat each number by itself: their slots are those of one long vector.

    A supernet has hundreds of small variables, of which a step moves some. To update each by itself, and to put back
    those that stay, takes a graph longer than that of the network, which must be made before the first step.

    Args:
        optimizer: An optimizer that has not been built yet, and that `suits` the variables.
        variables: All variables that it will ever train.

    Raises:
        ValueError: If the optimizer is in use already.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> None:
        self._variables = list(variables)
        self._sizes = [math.prod(variable.shape) for variable in variables]
        self._vector = keras.Variable(ops.zeros(sum(self._sizes), variables[0].dtype), name="weights")
        super().__init__(optimizer, [self._vector])

    @staticmethod
    def suits(optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> bool:
        """Whether the step of one vector is the step of these variables."""
        return (
            len(variables) > 1
            and type(optimizer) in _ELEMENTWISE
            and optimizer.clipnorm is None
            and not optimizer.use_ema  # the averages are written back by variable
            and (not optimizer.weight_decay or all(map(optimizer._use_weight_decay, variables)))
            and len({variable.dtype for variable in variables}) == 1
            and all(variable.constraint is None and not variable.overwrite_with_gradient for variable in variables)
        )

    def apply(
        self, gradients: Sequence[Tensor | None], variables: Sequence[keras.Variable], active: Sequence[Tensor | bool]
    ) -> None:
        """As `SelectiveUpdate.apply`."""
        known = {id(v): (g, a) for g, v, a in zip(gradients, variables, active) if g is not None}
        if not known:
            return
        values, slopes, gates = [], [], []
        for variable, size in zip(self._variables, self._sizes):
            if id(variable) in known:
                gradient, gate = known[id(variable)]
                value, slope = ops.reshape(variable, (size,)), ops.reshape(gradient, (size,))
            else:  # it stays as it is, whatever stands here
                value = slope = ops.zeros(size, variable.dtype)
                gate = False
            values.append(value)
            slopes.append(slope)
            gates.append(gate)
        self._vector.assign(ops.concatenate(values))
        step = (ops.concatenate(slopes), self._vector, self._spread(gates))
        self._apply([step], any_of([gate for _, gate in known.values()]))
        for variable, value in zip(self._variables, self._pieces(self._vector)):
            if id(variable) in known:
                variable.assign(ops.reshape(value, variable.shape))

    def _spread(self, gates: Sequence[Tensor | bool]) -> Tensor | bool:
        """The gate of each number of the vector, or True if all are."""
        if all(gate is True for gate in gates):
            return True
        runs = [list(run) for _, run in itertools.groupby(zip(gates, self._sizes), key=lambda pair: id(pair[0]))]
        return ops.concatenate([ops.broadcast_to(run[0][0], (sum(size for _, size in run),)) for run in runs])

    def by_variable(self, slots: Sequence[keras.Variable]) -> dict[int, Tensor]:
        """As `SelectiveUpdate.by_variable`."""
        return {id(v): ops.reshape(part, v.shape) for v, part in zip(self._variables, self._pieces(slots[0]))}

    def _pieces(self, vector: keras.Variable) -> list[Tensor]:
        return ops.split(ops.convert_to_tensor(vector), list(itertools.accumulate(self._sizes))[:-1])
