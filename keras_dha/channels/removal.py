"""Closed channels, taken out of a model for good."""

from typing import Any

import keras
import numpy as np

from keras_dha.channels.calls import Call, called_anew, new_inputs
from keras_dha.channels.channel_graph import ChannelGraph
from keras_dha.channels.gate import Gate
from keras_dha.channels.rule import Kept, Rule

Tensor = Any


def remove_closed(model: keras.Model, *, exclude: Any = ()) -> keras.Model:
    """The model without the channels that its gates have closed: smaller kernels, the same outputs.

    A channel goes where nothing can tell: it is closed wherever it is read together with others. Where channels go
    together, as in a residual sum, they stay until all are closed. What must stay though it is closed is multiplied
    with 0, by a stock `Rescaling`.

    Args:
        model: A functional or `Sequential` model with `ChannelGate`, or `ChannelMask`, layers in it. It stays as it is.
        exclude: As `ChannelGraph` has it.

    Returns:
        A functional model of stock layers, if the model's others are; models in it are taken apart.

    Raises:
        ValueError: If a layer is of an unknown kind, and is not excluded.
    """
    graph = ChannelGraph.of(model, exclude)
    gone = _gone(graph)

    def of(tensors: tuple[Tensor, ...]) -> list[np.ndarray]:
        return [np.array([number not in gone for number in graph.channels(t).tolist()], dtype=bool) for t in tensors]

    rules = {id(call.node): rule for call, rule in zip(graph.calls, graph.rules)}
    layers: dict[int, dict[tuple[bytes, ...], Any]] = {}
    zeros: set[int] = set()  # tensors all of whose channels are closed
    weights: list[tuple[Any, list[np.ndarray]]] = []

    def apply(call: Call, args: Any, kwargs: Any) -> Any:
        kinds, rule = Kept(of(call.inputs), of(call.outputs)), rules[id(call.node)]
        has_weights = isinstance(call.layer, keras.layers.Layer) and bool(call.layer.weights)
        seen = layers.setdefault(id(call.layer), {})
        key = () if has_weights else tuple(kept.tobytes() for kept in (*kinds.inputs, *kinds.outputs))
        if key not in seen:  # without weights, a layer that is called twice may be narrowed in two ways
            seen[key] = _narrow(call.layer, rule, kinds, f"_{len(seen)}" if seen else "")
            if has_weights and seen[key] is not None:
                weights.append((seen[key], rule.weights(call.layer, kinds)))
        return _called(seen[key], args, kwargs, zeros)

    inputs = new_inputs(graph.model)
    outputs = called_anew(graph.model, keras.tree.flatten(inputs), apply)
    smaller = keras.Model(inputs, outputs, name=model.name)
    for layer, values in weights:
        layer.set_weights(values)
    return smaller


def _called(layer: Any, args: Any, kwargs: Any, zeros: set[int]) -> Any:
    """The outputs of a layer; sums leave out what is 0 throughout, and with it all that nothing else reads."""
    if layer is None:
        return args[0]
    if type(layer) is keras.layers.Add:
        alike = len({tensor.shape for tensor in args[0]}) == 1
        added = [tensor for tensor in args[0] if id(tensor) not in zeros or not alike]
        if len(added) < 2:
            return added[0] if added else args[0][0]
        return layer(added, **kwargs)
    output = layer(*args, **kwargs)
    if isinstance(layer, keras.layers.Rescaling) and not np.any(layer.scale) and not np.any(layer.offset):
        zeros.add(id(output))
    return output


def _narrow(layer: Any, rule: Rule, kept: Kept, suffix: str) -> Any:
    """A layer of the kept channels; None for a gate behind which all are open."""
    if isinstance(layer, Gate):
        is_open = layer.open_channels()[kept.inputs[0]]
        name = layer.name + suffix
        return None if is_open.all() else keras.layers.Rescaling(is_open.astype(float).tolist(), name=name)
    config = {**layer.get_config(), **rule.config(layer, kept)}
    return type(layer).from_config({**config, "name": layer.name + suffix} if suffix else config)


def _gone(graph: ChannelGraph) -> set[int]:
    """The channels that go."""
    closed: set[int] = set()
    open_: set[int] = set()
    for call in graph.calls:
        if isinstance(call.layer, Gate):
            is_open, free = call.layer.open_channels(), graph.free(call.outputs[0])
            for number, shows, may_go in zip(graph.channels(call.outputs[0]).tolist(), is_open.tolist(), free.tolist()):
                (closed if may_go and not shows else open_).add(number)
    gone = closed - open_ - _seen_closed(graph, closed)
    for call, rule in zip(graph.calls, graph.rules):
        numbers = graph.channels(call.outputs[0]).tolist()
        if rule.makes and gone.issuperset(numbers):
            gone.discard(numbers[0])  # a layer has one channel at least
    return gone


def _seen_closed(graph: ChannelGraph, closed: set[int]) -> set[int]:
    """Closed channels that are read together with others where they are not zero."""
    zeros: dict[int, np.ndarray] = {id(t): np.zeros(len(graph.channels(t)), dtype=bool) for t in graph.model.inputs}
    seen: set[int] = set()
    for call, rule in zip(graph.calls, graph.rules):
        mine = [zeros[id(tensor)] for tensor in call.inputs]
        if rule.mixes:
            for tensor, zero in zip(call.inputs, mine):
                seen.update(graph.channels(tensor)[~zero].tolist())
        outputs = [~call.layer.open_channels()] if isinstance(call.layer, Gate) else rule.zero(call, mine)
        if isinstance(call.layer, Gate):
            outputs = [outputs[0] | mine[0]]
        zeros |= {id(tensor): zero for tensor, zero in zip(call.outputs, outputs, strict=True)}
    return seen & closed
