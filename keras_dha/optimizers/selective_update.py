"""An optimizer's step that leaves some of its variables alone."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any
Known = tuple[Tensor, keras.Variable, Tensor | bool]  # a gradient, what it is of, and whether that moves


class SelectiveUpdate:
    """Applies gradients to the active variables only: the others keep their value, and so do their slots.

    A gradient of zero is not enough for that: momentum and decay go on moving a variable whose gradient is zero. A step
    in which no variable is active does not count in `optimizer.iterations` either, or Adam would take its averages,
    still near zero, for those of a long history, and start with steps many times too large.

    Args:
        optimizer: An optimizer that has not been built yet.
        variables: All variables that it will ever train.

    Attributes:
        units: What the optimizer steps: here the variables, one by one.
        representatives: For each unit one of the variables in it.

    Raises:
        ValueError: If the optimizer is in use already.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> None:
        if optimizer.built:
            raise ValueError(
                f"The optimizer must be new. Received: optimizer={optimizer.name!r}, built. "
                "Make another one with the same settings."
            )
        self.optimizer = optimizer
        self.units = list(variables)
        self.representatives = list(variables)
        self._slots: dict[int, list[keras.Variable]] = {id(variable): [] for variable in variables}
        make_slot = optimizer.add_variable_from_reference

        def recording(reference_variable: keras.Variable, *args: Any, **kwargs: Any) -> keras.Variable:
            slot = make_slot(reference_variable, *args, **kwargs)
            self._slots[id(reference_variable)].append(slot)
            return slot

        optimizer.add_variable_from_reference = recording
        try:
            optimizer.build(list(variables))
        finally:
            del optimizer.add_variable_from_reference

    def apply(
        self,
        gradients: Sequence[Tensor | None],
        variables: Sequence[keras.Variable],
        active: Sequence[Tensor | bool],
        shrinkage: Sequence[Tensor | None] | None = None,
        stretch: Sequence[Tensor | None] | None = None,
    ) -> list[Tensor]:
        """One step of the optimizer.

        Args:
            gradients: One a variable; a variable whose gradient is None is left out.
            variables: Variables, all among those given at construction.
            active: For each variable True, or a boolean scalar tensor: whether it moves in this step.
            shrinkage: For each unit the share of itself that it loses before the step, a scalar tensor, or None; None:
                no unit does. What is not active loses nothing.
            stretch: For each unit what its way in this step, the loss included, is multiplied with, a scalar tensor, or
                None; None: no unit's is.

        Returns:
            What the units were before.
        """
        known = [(g, v, a) for g, v, a in zip(gradients, variables, active) if g is not None]
        before = self.read([variable for _, variable, _ in known])
        if known:
            by_unit = self._by_unit(known)
            starts = self._starts(by_unit, stretch)
            self._apply(by_unit, any_of([moves for _, _, moves in known]), shrinkage)
            for unit, start, factor in starts:
                unit.assign(start + ops.cast(factor, unit.dtype) * (unit - start))
            self._write([variable for _, variable, _ in known])
        return before

    def _starts(
        self, known: Sequence[Known], stretch: Sequence[Tensor | None] | None
    ) -> list[tuple[keras.Variable, Tensor, Tensor]]:
        """Each unit of `known` that is stretched, what it is now, and how much."""
        factors = {id(unit): factor for unit, factor in zip(self.units, stretch or [])}
        stretched = [(unit, factors.get(id(unit))) for _, unit, _ in known]
        return [(unit, ops.copy(unit), factor) for unit, factor in stretched if factor is not None]

    def read(self, variables: Sequence[keras.Variable]) -> list[Tensor]:
        """Brings the units up to the variables; returns what they are."""
        return [ops.copy(unit) for unit in self.units]

    def write(self, values: Sequence[Tensor], variables: Sequence[keras.Variable]) -> None:
        """Moves the units to some values, and the variables along.

        Args:
            values: One a unit.
            variables: All variables that are to move.
        """
        for unit, value in zip(self.units, values, strict=True):
            unit.assign(value)
        self._write(variables)

    def _by_unit(self, known: Sequence[Known]) -> Sequence[Known]:
        """Gradient, unit, and whether it moves, from those of the variables."""
        return known

    def _write(self, variables: Sequence[keras.Variable]) -> None:
        """Brings the variables up to the units."""

    def joined(self, tensors: Sequence[Tensor | None], variables: Sequence[keras.Variable]) -> list[Tensor]:
        """One tensor a variable, put together as the units are; None, or no tensor, stands for zeros."""
        known = {id(variable): tensor for tensor, variable in zip(tensors, variables, strict=True)}
        found = [known.get(id(unit)) for unit in self.units]
        return [ops.zeros(u.shape, u.dtype) if tensor is None else tensor for tensor, u in zip(found, self.units)]

    def _apply(
        self,
        known: Sequence[Known],
        counts: Tensor | bool,
        shrinkage: Sequence[Tensor | None] | None,
    ) -> None:
        """One step, with gradient, unit, and whether it moves, as a scalar or for each number of it.

        Args:
            known: These three of each unit that has a gradient.
            counts: Whether any number of any unit moves.
            shrinkage: As `apply` has it.
        """
        lost = {id(unit): share for unit, share in zip(self.units, shrinkage or [])}
        gated: dict[int, tuple[Tensor, list[keras.Variable]]] = {}
        for _, variable, moves in known:
            if moves is not True:
                _, held = gated.setdefault(id(moves), (moves, []))
                held.extend([variable, *self._slots[id(variable)]])
        if counts is not True:
            gated[id(counts)] = (counts, [self.optimizer._iterations])
        before = {key: [ops.copy(variable) for variable in group] for key, (_, group) in gated.items()}
        for _, variable, _ in known:
            if (share := lost.get(id(variable))) is not None:
                variable.assign_sub(ops.cast(share, variable.dtype) * variable)
        self.optimizer.apply([g for g, _, _ in known], [v for _, v, _ in known])
        for key, (moves, group) in gated.items():
            for variable, value in zip(group, before[key]):
                variable.assign(ops.where(moves, variable, value))

    def by_variable(self, slots: Sequence[keras.Variable]) -> dict[int, Tensor]:
        """The values of one kind of slots, by the identity of the variables that they belong to.

        Args:
            slots: One of the optimizer's lists, such as `optimizer.momentums`, in the order of the variables.
        """
        return {of: ops.convert_to_tensor(slot) for of, slot in zip(self._slots, slots, strict=True)}


def any_of(gates: Sequence[Tensor | bool]) -> Tensor | bool:
    """Whether one of some boolean scalars is True; True itself if that is known before the graph runs."""
    if any(gate is True for gate in gates):
        return True
    return ops.any(ops.stack(list({id(gate): gate for gate in gates}.values())))
