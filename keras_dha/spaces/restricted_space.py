"""A space with some of its options left out."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.channels import ChannelGraph
from keras_dha.spaces.choice import Choice
from keras_dha.spaces.chooser import Chooser, NodeFactory, OpFactory, Tensor
from keras_dha.spaces.search_space import SearchSpace


@keras.saving.register_keras_serializable(package="keras_dha")
class RestrictedSpace(SearchSpace):
    """The networks of another space that keep only options which are alive.

    The supernet of a restricted space is built without the other options, so that they take no memory: options that are
    only masked would. Its decisions are decisions of the whole space, and build the same networks there.

    Only questions for operations (`choose.op`) and for nodes (`choose.node`) are restricted. Sizes and widths are left
    as they are: a supernet has one layer of the largest, of which the smaller ones are parts, and would win nothing.

    Args:
        space: The whole space.
        alive: For some of its choices, the names of the options that are left. Choices that are not named keep all.

    Raises:
        TypeError: If `space` is no space.
        ValueError: If a choice or an option is unknown, a choice is one of sizes or widths, or too few options are
            left for it to be answered.

    Example:

    >>> from keras_dha.spaces import NASBench201Space, RestrictedSpace
    >>> whole = NASBench201Space((8, 8, 1), 10, channels=4, cells_per_stage=1)
    >>> space = RestrictedSpace(whole, {"edge_1_from_0": ["skip_connect", "nor_conv_3x3"]})
    >>> [len(choice.options) for choice in space.choices()]
    [2, 5, 5, 5, 5, 5]
    """

    def __init__(self, space: SearchSpace, alive: Mapping[str, Sequence[str]]) -> None:
        if not isinstance(space, SearchSpace):
            raise TypeError(
                "The space that options are left out of must be a SearchSpace. "
                f"Received: space={space!r}. For example NASBench201Space((28, 28, 1), 10)."
            )
        # Without super().__init__: sizes of a user's own model may be unknown.
        self.space = space
        self.input_shape, self.num_classes = space.input_shape, space.num_classes
        self.standardizes, self.from_logits, self.exclude = space.standardizes, space.from_logits, space.exclude
        by_name = {choice.name: choice for choice in space.choices()}
        if unknown := sorted(set(alive) - set(by_name)):
            raise ValueError(
                f"Choices whose options are left out must be choices of the space. Received: {unknown}, "
                f"choices={list(by_name)}. Were they of another space?"
            )
        given = {name: [options] if isinstance(options, str) else list(options) for name, options in alive.items()}
        restricted = {name: restrict(by_name[name], options) for name, options in given.items()}
        self.alive = {name: choice.options for name, choice in restricted.items()}
        self._choices = tuple(restricted.get(name, choice) for name, choice in by_name.items())

    def build(self, choose: Chooser) -> keras.Model:
        """The network of the whole space, whose questions offer what is alive."""
        return self.space.build(_RestrictedChooser(choose, self.alive))

    def compile_arguments(self) -> dict[str, Any]:
        """Those of the whole space."""
        return self.space.compile_arguments()

    def cost_blocks(self) -> tuple[tuple[str, ...], ...]:
        """Those of the whole space."""
        return self.space.cost_blocks()

    def block_model(self, block: Sequence[str], choose: Chooser) -> keras.Model | None:
        """That of the whole space, of what is alive."""
        return self.space.block_model(block, _RestrictedChooser(choose, self.alive))

    def block_key(self, block: Sequence[str]) -> Hashable:
        """Blocks are alike if they are so in the whole space, and the same options are alive."""
        return self.space.block_key(block), tuple(self.alive.get(name) for name in block)

    def without_closed(self, network: keras.Model) -> keras.Model:
        """As in the whole space."""
        return self.space.without_closed(network)

    def channel_graph(self, network: keras.Model) -> ChannelGraph:
        """As in the whole space."""
        return self.space.channel_graph(network)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data."""
        alive = {name: list(options) for name, options in self.alive.items()}
        return {"space": keras.saving.serialize_keras_object(self.space), "alive": alive}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RestrictedSpace":
        """A space from what `get_config` returned."""
        return cls(keras.saving.deserialize_keras_object(config["space"]), config["alive"])


def restrict(choice: Choice, alive: Sequence[str]) -> Choice:
    """The choice between the options that are alive, in the order of the choice.

    Args:
        choice: One of operations, or of a node's candidates.
        alive: Names of its options.

    Raises:
        ValueError: If an option is unknown, too few are left, or the choice is one of sizes or of channels.
    """
    if unknown := sorted(set(alive) - set(choice.options)):
        raise ValueError(
            f"Options of the choice {choice.name!r} that are left must be its options. Received: {unknown}, "
            f"options={choice.options}. Correct their names."
        )
    kept = [i for i, option in enumerate(choice.options) if option in set(alive)]
    if len(kept) == len(choice.options):
        return choice
    if not is_restrictable(choice):
        raise ValueError(
            f"Only choices of operations and of nodes can have options left out. Received: {choice.name!r}, a choice "
            f"of sizes or channels, with {list(alive)} alive of {choice.options}. Leave it out of alive."
        )
    groups = None if choice.groups is None else tuple(choice.groups[i] for i in kept)
    capacities = None if choice.capacities is None else tuple(choice.capacities[i] for i in kept)
    left = {choice.group_numbers[i] for i in kept if choice.allowed[i]}
    if len(left) < choice.keep:
        raise ValueError(
            f"The choice {choice.name!r} must have {choice.keep} options left that can be kept, at most one an input. "
            f"Received: alive={list(alive)}, of which {len(left)} can be kept together. Leave more."
        )
    options = tuple(choice.options[i] for i in kept)
    excluded = tuple(option for option in choice.excluded if option in options)
    return dataclasses.replace(choice, options=options, groups=groups, excluded=excluded, capacities=capacities)


def is_restrictable(choice: Choice) -> bool:
    """Whether a choice is between layers of their own, so that leaving an option out leaves out its layers."""
    is_width = choice.groups is None and choice.keep > 1  # an option a channel
    return not choice.nested and not is_width


class _RestrictedChooser(Chooser):
    """Hands each question on to another chooser, with the options that are alive."""

    def __init__(self, chooser: Chooser, alive: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._chooser = chooser
        self._alive = alive

    def _restricted(self, choice: Choice) -> Choice:
        alive = self._alive.get(choice.name)
        return self._chooser._ask(choice if alive is None else restrict(choice, alive))

    def _answer_op(self, choice: Choice, options: Mapping[str, OpFactory], x: Tensor) -> Tensor:
        return self._chooser._answer_op(self._restricted(choice), options, x)

    def _answer_node(self, choice: Choice, options: Mapping[str, NodeFactory], inputs: list[Tensor]) -> Tensor:
        return self._chooser._answer_node(self._restricted(choice), options, inputs)

    def _answer_widths(self, choices: list[Choice], index: np.ndarray, x: Tensor) -> Tensor:
        return self._chooser.widths(choices, index, x)

    def _answer_kernel(self, choice: Choice, sizes: tuple[int, ...], strides: int, x: Tensor) -> Tensor:
        return self._chooser._answer_kernel(self._chooser._ask(choice), sizes, strides, x)

    def _answer_squeeze_excite(self, choice: Choice, sizes: tuple[int, ...], x: Tensor) -> Tensor:
        return self._chooser._answer_squeeze_excite(self._chooser._ask(choice), sizes, x)
