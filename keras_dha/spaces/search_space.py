"""What may be searched."""

import abc
import dataclasses
import math
from collections.abc import Hashable, Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.channels import ChannelGraph, ChannelMask, all_layers, remove_closed
from keras_dha.spaces.choice import Choice
from keras_dha.spaces.chooser import Chooser
from keras_dha.spaces.decisions import Decisions


class SearchSpace(abc.ABC):
    """A family of networks, written once as `build(choose)`.

    Args:
        input_shape: Shape of one example, such as `(height, width, channels)`.
        num_classes: Number of outputs of the networks, be they classes or numbers.

    Attributes:
        standardizes: Whether networks take images of zero mean and unit variance; else as the user has them.
        from_logits: Whether networks give logits; else probabilities, or numbers.
        classifies: Whether outputs are one a class; else numbers, of which a search minimizes the mean squared error.
        exclude: Regular expressions for the names of layers whose channels are kept whole; see `ChannelGraph`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    ```python
    @keras.saving.register_keras_serializable()
    class TinySpace(keras_dha.SearchSpace):
        def build(self, choose):
            inputs = keras.Input(self.input_shape)
            x = inputs
            for stage in range(3):
                kernels = {
                    f"conv{k}": lambda k=k: keras.layers.Conv2D(16, k, padding="same", activation="relu")
                    for k in (1, 3, 5)
                }
                x = choose.op(f"stage_{stage}", kernels)(x)
            x = keras.layers.GlobalAveragePooling2D()(x)
            return keras.Model(inputs, keras.layers.Dense(self.num_classes)(x))
    ```
    """

    standardizes: bool = True
    from_logits: bool = True
    classifies: bool = True
    exclude: tuple[str, ...] = ()
    _choices: tuple[Choice, ...] | None = None

    def __init__(self, input_shape: Sequence[int], num_classes: int) -> None:
        sizes = list(input_shape) if isinstance(input_shape, Sequence) else [None]
        if not all(isinstance(size, (int, np.integer)) and size > 0 for size in [*sizes, num_classes]):
            raise ValueError(
                "input_shape must be a sequence of positive integers, and num_classes a positive integer. "
                f"Received: input_shape={input_shape}, num_classes={num_classes}. Leave the batch size out."
            )
        self.input_shape = tuple(int(size) for size in input_shape)
        self.num_classes = int(num_classes)

    @abc.abstractmethod
    def build(self, choose: Chooser) -> keras.Model:
        """The network, from `keras.Input(self.input_shape)` to logits, asking `choose` what is open."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; a subclass adds its own."""
        return {"input_shape": list(self.input_shape), "num_classes": self.num_classes}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SearchSpace":
        """A space from what `get_config` returned."""
        return cls(**config)

    def compile_arguments(self) -> dict[str, Any]:
        """Optimizer, loss and metrics of a search that is given none, if the space knows better than a recipe."""
        return {}

    def choices(self) -> tuple[Choice, ...]:
        """The questions that `build` asks, in order; a space is built once to know them."""
        if self._choices is None:
            chooser = _FirstChooser()
            self.build(chooser)
            self._choices = tuple(chooser.choices.values())
        return self._choices

    def cost_blocks(self) -> tuple[tuple[str, ...], ...]:
        """Names of choices whose costs depend on each other, together; each alone, unless overridden.

        What a network costs is then a sum over blocks, each a function of the options of its choices.
        """
        return tuple((choice.name,) for choice in self.choices())

    def block_model(self, block: Sequence[str], choose: Chooser) -> keras.Model | None:
        """A block alone, on an input like the one that it has in the network; None where it cannot be told apart.

        Costs of blocks are then known from small models; otherwise from differences of whole ones.
        """
        return None

    def block_key(self, block: Sequence[str]) -> Hashable:
        """Equal for blocks that are alike in all but the names of their choices, and cost the same."""
        return tuple(block)

    def without_closed(self, network: keras.Model) -> keras.Model:
        """A network of fixed decisions, without the channels that these have closed."""
        has_masks = any(isinstance(layer, ChannelMask) for layer in all_layers(network))
        return remove_closed(network, exclude=self.exclude) if has_masks else network

    def channel_graph(self, network: keras.Model) -> ChannelGraph:
        """Which channels of a network of the space go together."""
        return ChannelGraph.of(network, self.exclude)

    def random_decisions(self, *, seed: int | None = None) -> Decisions:
        """One network, drawn uniformly: the inputs of each choice first, then the option of each.

        Where a choice leaves the number of its inputs open, all sets of inputs are equally likely.
        """
        rng = np.random.default_rng(seed)
        kept: dict[str, tuple[str, ...]] = {}
        for choice in self.choices():
            groups = np.array(choice.group_numbers)
            scores = rng.random(len(groups)) + rng.permutation(groups.max() + 1)[groups]
            drawn = dataclasses.replace(choice, keep=_random_number(choice, rng))
            kept[choice.name] = tuple(choice.options[i] for i in drawn.top(scores))
        return Decisions(kept)


def _random_number(choice: Choice, rng: np.random.Generator) -> int:
    """How many options to keep, in proportion to the number of sets of so many groups."""
    if choice.fewest == choice.keep:
        return choice.keep
    groups = {group for group, allowed in zip(choice.group_numbers, choice.allowed) if allowed}
    numbers, most = choice.numbers, len(groups)
    logs = np.array([-math.lgamma(number + 1) - math.lgamma(most - number + 1) for number in numbers])  # of many sets
    sets = np.exp(logs - logs.max())
    return int(rng.choice(numbers, p=sets / sets.sum()))


class _FirstChooser(Chooser):
    """Answers every question with its first options: enough to list the questions."""

    def _answer_op(self, choice: Choice, options: Any, x: Any) -> Any:
        return options[choice.options[choice.top(np.zeros(len(choice.options)))[0]]]()(x)

    def _answer_node(self, choice: Choice, options: Any, inputs: list[Any]) -> Any:
        kept = [choice.options[i].split("/", 1) for i in choice.top(np.zeros(len(choice.options)))]
        outputs = [options[op](int(i))(inputs[int(i)]) for i, op in kept]
        return keras.layers.Add()(outputs) if len(outputs) > 1 else outputs[0]
