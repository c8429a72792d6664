"""Who answers a space's questions."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.spaces.choice import Choice

Tensor = Any
Apply = Callable[[Tensor], Tensor]
OpFactory = Callable[[], Apply]
NodeFactory = Callable[[int], Apply]


class Chooser(abc.ABC):
    """Answers the questions of `SearchSpace.build`, and remembers them in `choices`.

    Subclasses say what an answer is: a soft mixture (`RelaxedChooser`), plain layers (`FixedChooser`).
    """

    def __init__(self) -> None:
        self.choices: dict[str, Choice] = {}

    def op(self, name: str, options: Mapping[str, OpFactory], *, excluded: Sequence[str] = ()) -> Apply:
        """One of several operations.

        Args:
            name: The decision's name; the same name at another place is the same decision.
            options: Option name to a factory without arguments, which returns a layer, or a function of a tensor.
            excluded: Options that are never kept.

        Returns:
            A function of a tensor.
        """
        choice = self._ask(Choice(name, tuple(options), excluded=tuple(excluded)))
        return lambda x: self._answer_op(choice, options, x)

    def node(
        self,
        name: str,
        options: Mapping[str, NodeFactory],
        *,
        keep: int = 2,
        excluded: Sequence[str] = (),
        at_least: int | None = None,
    ) -> Callable[[Sequence[Tensor]], Tensor]:
        """A sum of `keep` candidates, each an operation on one of the inputs, at most one per input.

        Args:
            name: The decision's name.
            options: Operation name to a factory that takes the index of its input.
            keep: How many candidates the node keeps; all inputs if there are fewer.
            excluded: Operations that are never kept.
            at_least: How few candidates may be kept, where the search learns their number. None: as many as `keep`.

        Returns:
            A function of a list of tensors. The option for input `i` is named `"i/operation"`.
        """
        unknown = sorted(set(excluded) - set(options))
        if unknown:
            raise ValueError(
                f"The excluded operations of the choice {name!r} must be operations. "
                f"Received: excluded={tuple(excluded)}, operations={tuple(options)}. Remove {unknown}."
            )

        def apply(inputs: Sequence[Tensor]) -> Tensor:
            candidates = {f"{i}/{op}": (i, op) for i in range(len(inputs)) for op in options}
            choice = self._ask(
                Choice(
                    name,
                    tuple(candidates),
                    keep=min(keep, len(inputs)),
                    groups=tuple(i for i, _ in candidates.values()),
                    excluded=tuple(key for key, (_, op) in candidates.items() if op in excluded),
                    at_least=None if at_least is None else min(at_least, len(inputs)),
                )
            )
            return self._answer_node(choice, options, list(inputs))

        return apply

    def width(self, name: str, *, at_least: int = 1) -> Apply:
        """How many channels a tensor has, and which: those of its last axis that are kept.

        In the network that is derived, closed channels are taken out of the layers that make and read them; see
        `keras_dha.channels.remove_closed`. A batch normalization belongs before it, not behind it.

        Args:
            name: The decision's name; the same name at another place keeps the same channels there.
            at_least: How few channels may be kept.

        Returns:
            A function of a tensor. The option for channel `i` is named `"i"`.
        """

        def apply(x: Tensor) -> Tensor:
            options = tuple(str(i) for i in range(x.shape[-1]))
            choice = Choice(name, options, keep=len(options), at_least=min(at_least, len(options)))
            return self.widths([choice], np.arange(len(options)), x)

        return apply

    def widths(self, choices: Sequence[Choice], index: np.ndarray, x: Tensor) -> Tensor:
        """A tensor whose channels belong to several choices of channels.

        Args:
            choices: Each with an option a channel.
            index: For each channel the number of its option, counted through all choices; -1 where it always stays.
            x: The tensor, channels on its last axis.
        """
        return self._answer_widths([self._ask(choice) for choice in choices], np.asarray(index), x)

    def _ask(self, choice: Choice) -> Choice:
        known = self.choices.setdefault(choice.name, choice)
        if known != choice:
            raise ValueError(
                f"A choice asked twice must have the same options both times. Received: {choice}, first {known}. "
                "Give the second one a name of its own."
            )
        return known

    @abc.abstractmethod
    def _answer_op(self, choice: Choice, options: Mapping[str, OpFactory], x: Tensor) -> Tensor:
        """The output of the question `op` at `x`."""

    @abc.abstractmethod
    def _answer_node(self, choice: Choice, options: Mapping[str, NodeFactory], inputs: list[Tensor]) -> Tensor:
        """The output of the question `node` at `inputs`."""

    def _answer_widths(self, choices: list[Choice], index: np.ndarray, x: Tensor) -> Tensor:
        """The output of the question `widths` at `x`: all channels, unless overridden."""
        return x


def as_layer(apply: Apply, x: Tensor) -> keras.layers.Layer:
    """A branch as one layer: itself if it is one, else a functional model of it on inputs like `x`."""
    if isinstance(apply, keras.layers.Layer):
        return apply
    inputs = keras.Input(batch_shape=x.shape, dtype=x.dtype)
    return keras.Model(inputs, apply(inputs))
