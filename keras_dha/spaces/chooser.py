"""Who answers a space's questions."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.spaces.choice import Choice
from keras_dha.spaces.sized_layers import depthwise, squeeze_excite, squeezed_and_excited

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

    def tensor(
        self, name: str, tensors: Mapping[str, Tensor], *, capacities: Mapping[str, float] | None = None
    ) -> Tensor:
        """One of several tensors of the same shape; what only the others need is not in the network that is derived.

        Args:
            name: The decision's name.
            tensors: Names of options, and what each is.
            capacities: How large what makes each tensor is, in a unit of yours, for the prior of recipes that begin
                with large options (`capacity_prior`); an option has no parameters of its own here. None: all alike.

        Returns:
            A tensor. The option of the first tensor, if it is called `"early"`, is named `"0/early"`, and so on: a
            `node` that keeps one input, each with the one operation of its name.

        Raises:
            ValueError: If capacities are of other options.
        """
        if capacities is not None and set(capacities) != set(tensors):
            raise ValueError(
                f"The capacities of the choice {name!r} must be those of its options. "
                f"Received: capacities of {list(capacities)}, options {list(tensors)}. Correct the names."
            )
        options = tuple(f"{i}/{key}" for i, key in enumerate(tensors))
        sizes = None if capacities is None else tuple(float(capacities[key]) for key in tensors)
        # Without groups: each tensor is weighed against the others.
        choice = self._ask(Choice(name, options, capacities=sizes))
        identities: dict[str, NodeFactory] = {key: lambda _: keras.layers.Identity() for key in tensors}
        return self._answer_node(choice, identities, list(tensors.values()))

    def width(
        self, name: str, *, at_least: int = 1, multiple_of: int = 1, sizes: Mapping[str, int] | None = None
    ) -> Apply:
        """How many channels a tensor has, and which: those of its last axis that are kept.

        In the network that is derived, closed channels are taken out of the layers that make and read them; see
        `keras_dha.channels.remove_closed`. A batch normalization belongs before it, not behind it.

        Args:
            name: The decision's name; the same name at another place keeps the same channels there.
            at_least: How few channels may be kept.
            multiple_of: Their number is a multiple of it, or all.
            sizes: Names of options, and how many channels each keeps, the first ones; rising, the last one all. None:
                each channel by itself.

        Returns:
            A function of a tensor. Without `sizes`, the option for channel `i` is named `"i"`.

        Raises:
            ValueError: When the function is called, if sizes do not rise to the number of channels.
        """

        def apply(x: Tensor) -> Tensor:
            if sizes is not None:
                choice = _nested(name, sizes, least=1)
                if max(sizes.values()) != x.shape[-1]:
                    raise ValueError(
                        f"The last size of the width {name!r} must be all channels. "
                        f"Received: sizes={dict(sizes)}, {x.shape[-1]} channels. Correct it."
                    )
                part = np.searchsorted(list(sizes.values()), np.arange(x.shape[-1]), side="right")
                return self.widths([choice], np.where(part == 0, -1, part), x)
            options = tuple(str(i) for i in range(x.shape[-1]))
            least = min(at_least, len(options))
            choice = Choice(name, options, keep=len(options), at_least=least, multiple_of=multiple_of)
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

    def kernel(self, name: str, sizes: Sequence[int] = (3, 5, 7), *, strides: int = 1) -> Apply:
        """A depthwise convolution of one of several sizes, the middles of one another: a smaller kernel is a part.

        Args:
            name: The decision's name.
            sizes: Heights and widths of the kernel, odd, rising.
            strides: 1 or 2. Padding is alike on both sides.

        Returns:
            A function of a tensor. The option for size `k` is named `"k"`.
        """
        if not sizes or not all(size % 2 for size in sizes):
            raise ValueError(
                f"The kernel {name!r} must have odd sizes. Received: sizes={tuple(sizes)}. Give (3, 5, 7)."
            )
        choice = self._ask(_nested(name, {str(size): size for size in sizes}, least=1))
        return lambda x: self._answer_kernel(choice, tuple(sizes), strides, x)

    def repeat(self, name: str, block: Callable[[int], Apply], *, times: int = 1, at_least: int = 0) -> Apply:
        """How often a residual block is repeated: `x = x + block(i)(x)`, for the first ones.

        Args:
            name: The decision's name.
            block: From a number, from 0, to what is added, a function that keeps the shape. A batch normalization at
                its end makes its gate cost nothing.
            times: How often at most.
            at_least: How often at least.

        Returns:
            A function of a tensor. The option for `n` times is named `"n"`.
        """
        counts = range(at_least, times + 1)
        choice = _nested(name, {str(count): count for count in counts}, least=0)

        def apply(x: Tensor) -> Tensor:
            for number in range(times):
                added = block(number)(x)
                if number >= at_least:
                    added = self.widths([choice], np.full(x.shape[-1], number - at_least + 1), added)
                x = keras.layers.Add()([x, added])
            return x

        return apply

    def squeeze_excite(self, name: str, sizes: Sequence[int]) -> Apply:
        """Squeeze-and-excitation, `x * sigmoid(expand(relu(reduce(mean of x))))`, of one of several sizes, or none.

        Args:
            name: The decision's name.
            sizes: Numbers of channels between the two products, rising; 0 is none at all.

        Returns:
            A function of pictures. The option for a size `n` is named `"n"`.

        Reference: Hu, Shen, Sun, https://arxiv.org/abs/1709.01507.
        """
        choice = self._ask(_nested(name, {str(size): size for size in sizes}, least=0))
        return lambda x: self._answer_squeeze_excite(choice, tuple(sizes), x)

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

    def _answer_kernel(self, choice: Choice, sizes: tuple[int, ...], strides: int, x: Tensor) -> Tensor:
        """The output of the question `kernel` at `x`: that of the largest, unless overridden."""
        for layer in depthwise(sizes[-1], strides):
            x = layer(x)
        return x

    def _answer_squeeze_excite(self, choice: Choice, sizes: tuple[int, ...], x: Tensor) -> Tensor:
        """The output of the question `squeeze_excite` at `x`: that of the largest, unless overridden."""
        return squeezed_and_excited(squeeze_excite(sizes[-1], x.shape[-1]), x) if sizes[-1] else x


def _nested(name: str, sizes: Mapping[str, int], *, least: int) -> Choice:
    """A choice of sizes."""
    numbers = list(sizes.values())
    rises = all(low < high for low, high in zip([least - 1, *numbers], numbers))
    if not numbers or not rises or not all(isinstance(number, (int, np.integer)) for number in numbers):
        raise ValueError(
            f"The sizes of {name!r} must be integers that rise, from {least} on. Received: {numbers}. Sort them."
        )
    return Choice(name, tuple(sizes), nested=True)


def as_layer(apply: Apply, x: Tensor) -> keras.layers.Layer:
    """A branch as one layer: itself if it is one, else a functional model of it on inputs like `x`."""
    if isinstance(apply, keras.layers.Layer):
        return apply
    inputs = keras.Input(batch_shape=x.shape, dtype=x.dtype)
    return keras.Model(inputs, apply(inputs))
