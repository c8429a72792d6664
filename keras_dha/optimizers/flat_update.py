"""An optimizer's step on its variables as a few vectors, leaving some of their numbers alone."""

import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import keras
from keras import ops

from keras_dha.optimizers.momentum_sgd import MomentumSGD
from keras_dha.optimizers.selective_update import Known, SelectiveUpdate

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
    """`SelectiveUpdate` for optimizers that treat each number by itself: their slots are those of a few long vectors.

    A supernet has hundreds of small variables, of which a step moves some. To update each by itself, and to put back
    those that stay, takes a graph longer than that of the network, which must be made before the first step.

    Args:
        optimizer: An optimizer that has not been built yet, and that `suits` the variables.
        variables: All variables that it will ever train.
        kind: What variables that share a vector, a unit, have in common; by default all do.

    Raises:
        ValueError: If the optimizer is in use already.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: Sequence[keras.Variable],
        kind: Callable[[keras.Variable], Hashable] = lambda _: None,
    ) -> None:
        kinds: dict[Hashable, list[keras.Variable]] = {}
        for variable in variables:
            kinds.setdefault(kind(variable), []).append(variable)
        self._groups = list(kinds.values())
        vectors = [
            keras.Variable(ops.zeros(sum(map(_size, group)), group[0].dtype), name="weights") for group in self._groups
        ]
        super().__init__(optimizer, vectors)
        self.representatives = [group[0] for group in self._groups]

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

    def read(self, variables: Sequence[keras.Variable]) -> list[Tensor]:
        """As `SelectiveUpdate.read`; 0 stands for all other variables."""
        values = self.joined(variables, variables)
        for vector, value in zip(self.units, values):
            vector.assign(value)
        return values

    def _by_unit(self, known: Sequence[Known]) -> Sequence[Known]:
        gradients, variables, active = zip(*known)
        gates = {id(variable): gate for variable, gate in zip(variables, active)}
        moves = [self._spread([gates.get(id(v), False) for v in group], group) for group in self._groups]
        return list(zip(self.joined(gradients, variables), self.units, moves))

    def _write(self, variables: Sequence[keras.Variable]) -> None:
        known = {id(variable) for variable in variables}
        for variable, value in self._pieces(self.units):
            if id(variable) in known:
                variable.assign(value)

    def joined(self, tensors: Sequence[Tensor | None], variables: Sequence[keras.Variable]) -> list[Tensor]:
        """As `SelectiveUpdate.joined`: one vector a unit."""
        known = {id(v): _reshaped(t, (_size(v),)) for t, v in zip(tensors, variables, strict=True) if t is not None}
        return [
            ops.concatenate([known[id(v)] if id(v) in known else ops.zeros(_size(v), v.dtype) for v in group])
            for group in self._groups
        ]

    def _spread(self, gates: Sequence[Tensor | bool], group: Sequence[keras.Variable]) -> Tensor | bool:
        """The gate of each number of a vector, or True if all are."""
        if all(gate is True for gate in gates):
            return True
        runs = [list(run) for _, run in itertools.groupby(zip(gates, map(_size, group)), key=lambda pair: id(pair[0]))]
        return ops.concatenate([ops.broadcast_to(run[0][0], (sum(size for _, size in run),)) for run in runs])

    def by_variable(self, slots: Sequence[keras.Variable]) -> dict[int, Tensor]:
        """As `SelectiveUpdate.by_variable`."""
        return {id(variable): value for variable, value in self._pieces(slots)}

    def _pieces(self, vectors: Sequence[keras.Variable]) -> Iterator[tuple[keras.Variable, Tensor]]:
        """Each variable, and its part of the vector of its unit."""
        for group, vector in zip(self._groups, vectors, strict=True):
            ends = list(itertools.accumulate(map(_size, group)))
            value = ops.convert_to_tensor(vector)
            parts = ops.split(value, ends[:-1]) if len(group) > 1 else [value]
            yield from ((variable, _reshaped(part, variable.shape)) for variable, part in zip(group, parts))


def _reshaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Without a node of the graph where there is nothing to do: most variables are vectors."""
    tensor = ops.convert_to_tensor(tensor)
    return tensor if tensor.shape == shape else ops.reshape(tensor, shape)


def _size(variable: keras.Variable) -> int:
    return math.prod(variable.shape)
