"""Graphs of mixtures: one for all that do the same with different variables."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_dha.layers.branch import run

Tensor = Any
Apply = Callable[[int, Tensor, Tensor], Tensor]
Mix = Callable[[list[Tensor], Tensor, Apply], Tensor]
_REFERENCES = ("keras_history", "input_layers", "output_layers")


class SharedGraphs:
    """Has sparse mixtures of equal branches traced once, and called with the variables of each.

    A supernet holds the same few operations on dozens of edges. A graph that repeats all of them, with their gradients,
    takes a long time to make and much memory to hold; a call is one node.
    """

    def __init__(self) -> None:
        self._graphs: dict[str, SharedGraph] = {}

    def of(self, mix: Mix, branches: list[keras.layers.Layer], *details: Any) -> "SharedGraph | None":
        """The graph that mixtures like this one share; None if Keras cannot describe one of the branches.

        Args:
            mix: What the mixture computes.
            branches: Its built branches, which stand for all of equal configuration.
            *details: What else of `mix` mixtures must have in common to share its graph, as JSON knows it.
        """
        try:
            key = json.dumps([*details, *map(_anonymous, branches)])
        except (NotImplementedError, TypeError, ValueError):
            return None
        return self._graphs.setdefault(key, SharedGraph(mix, branches))


class SharedGraph:
    """What a mixture computes, as a function of its branches' variables too.

    Args:
        mix: From inputs, weights of options, and `apply(position, x, weight)`, the weighted output of a branch, to the
            output.
        branches: The branches whose code is traced.
    """

    def __init__(self, mix: Mix, branches: list[keras.layers.Layer]) -> None:
        import tensorflow as tf

        self._mix = mix
        self._branches = branches
        self._function = tf.function(self._call, autograph=False, experimental_attributes={"_noinline": True})

    def __call__(
        self, branches: list[keras.layers.Layer], inputs: list[Tensor], weights: Tensor, training: bool | None
    ) -> Tensor:
        """The mixture of these branches, whose configurations and input shapes are those of the traced ones."""
        variables = [[variable.value for variable in branch.variables] for branch in branches]
        return self._function(variables, inputs, weights, training)

    def _call(self, variables: list[list[Any]], inputs: list[Tensor], weights: Tensor, training: bool | None) -> Tensor:
        def apply(position: int, x: Tensor, weight: Tensor) -> Tensor:
            branch = self._branches[position]
            before = [ops.copy(variable) for variable in variables[position]]
            with keras.StatelessScope(zip(branch.variables, before, strict=True)) as scope:
                output = run(branch, x, weight, training)
            for own, given, value in zip(branch.variables, variables[position], before, strict=True):
                after = scope.get_current_value(own)
                if after is not value:
                    given.assign(after)
            return output

        return self._mix(inputs, weights, apply)


def in_plain_graph() -> bool:
    """Whether a graph is being traced, and variables are not spread over devices."""
    import tensorflow as tf

    return not tf.executing_eagerly() and not tf.distribute.has_strategy()


def reading_all(value: Tensor, outputs: Any) -> Tensor:
    """`value`, to the last bit, but computed from all outputs of a graph that is called more than once.

    For a call that leaves outputs unread, TensorFlow makes, optimizes and holds another copy of the graph.

    Args:
        value: A number of ordinary size, one of the outputs.
        outputs: The others, in any structure; None is skipped.
    """
    tensors = [output for output in keras.tree.flatten(outputs) if output is not None]
    read = [ops.sum(ops.cast(tensor, value.dtype)) for tensor in tensors]
    return value + 1e-30 * ops.sum(ops.stack(read)) if read else value


def _anonymous(layer: keras.layers.Layer) -> str:
    """A layer's configuration as JSON, with numbers in place of the names of layers."""
    config = keras.saving.serialize_keras_object(layer)
    numbers: dict[str, str] = {}
    for name in _names(config):
        numbers.setdefault(name, f"layer {len(numbers)}")
    return json.dumps(_renamed(config, numbers), sort_keys=True)


def _names(config: Any) -> Iterator[str]:
    """The names of layers, in the order of the configuration."""
    if isinstance(config, dict):
        if _is_of_a_layer(config):
            yield config["name"]
        for value in config.values():
            yield from _names(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _names(value)


def _renamed(config: Any, numbers: dict[str, str], refers: bool = False) -> Any:
    """The configuration with layers renamed, where they are named and where others refer to them."""
    if isinstance(config, dict):
        renamed = {key: _renamed(value, numbers, key in _REFERENCES) for key, value in config.items()}
        return {**renamed, "name": numbers[config["name"]]} if _is_of_a_layer(config) else renamed
    if isinstance(config, list | tuple):
        return [_renamed(value, numbers, refers) for value in config]
    return numbers.get(config, config) if refers and isinstance(config, str) else config


def _is_of_a_layer(config: dict[str, Any]) -> bool:
    """Told from a data type's policy, or an initializer, which may have names too."""
    return isinstance(config.get("name"), str) and bool({"dtype", "inbound_nodes"} & config.keys())
