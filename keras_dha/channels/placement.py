"""Where gates must stand, so that a closed channel can be taken out."""

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import keras
import numpy as np

from keras_dha.channels.calls import Call, called_anew
from keras_dha.channels.channel_graph import ChannelGraph
from keras_dha.channels.passing_rules import BatchNormalization

Tensor = Any


def gate_places(graph: ChannelGraph) -> list[Tensor]:
    """The tensors behind which a gate must stand, in the order of the calls.

    Behind each batch normalization, whose shift would leave a closed channel at another constant than 0; and where a
    channel that can go would be read together with others, and is not 0 yet.
    """
    places = {
        id(call.outputs[0]): call.outputs[0]
        for call, rule in zip(graph.calls, graph.rules)
        if isinstance(rule, BatchNormalization) and graph.free(call.outputs[0]).any()
    }
    while missing := _first_missing(graph, set(places)):
        places |= missing
    order = {id(tensor): i for i, call in enumerate(graph.calls) for tensor in call.outputs}
    return sorted(places.values(), key=lambda tensor: order[id(tensor)])


def _first_missing(graph: ChannelGraph, places: set[int]) -> dict[int, Tensor]:
    """What is read where closed channels would not be zero; a place changes all that comes after it."""
    zeros = {id(t): np.zeros(len(graph.channels(t)), dtype=bool) for t in graph.model.inputs}
    missing: dict[int, Tensor] = {}
    derived: Counter[int] = Counter()
    for call, rule in zip(graph.calls, graph.rules):
        mine = [zeros[id(tensor)] for tensor in call.inputs]
        late = any(derived[id(tensor)] for tensor in call.inputs)  # behind a place that has just been found
        if rule.mixes and not late:
            for tensor, zero in zip(call.inputs, mine):
                if np.any(graph.free(tensor) & ~zero):
                    missing[id(tensor)] = tensor
        outputs = rule.zero(call, mine)
        for tensor, zero in zip(call.outputs, outputs, strict=True):
            derived[id(tensor)] += late or any(id(t) in missing for t in call.inputs)
            zeros[id(tensor)] = zero | graph.free(tensor) if id(tensor) in places else zero
    return missing


def with_gates(
    model: keras.Model, inputs: Any, places: Collection[int], gated: Callable[[Tensor, Tensor], Tensor]
) -> keras.Model:
    """A functional model, of the same layers, with something behind some of its tensors.

    Args:
        model: The model.
        inputs: Symbolic inputs to build on, in the structure of the model's.
        places: The identities of the tensors.
        gated: From a tensor of the model and what takes its place, to what goes on from there.
    """

    def apply(call: Call, args: Any, kwargs: Any) -> Any:
        outputs = call.layer(*args, **kwargs)
        if not any(id(tensor) in places for tensor in call.outputs):
            return outputs
        values = keras.tree.flatten(outputs)
        return [gated(t, value) if id(t) in places else value for t, value in zip(call.outputs, values, strict=True)]

    outputs = called_anew(model, keras.tree.flatten(inputs), apply)
    return keras.Model(inputs, outputs, name=model.name)
