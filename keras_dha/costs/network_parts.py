"""A network as the parts that a runtime runs each as one."""

import dataclasses
import functools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_dha.channels.calls import Call, Tensor, calls, flattened, functional, is_model

_KINDS = {  # of layers, when parts are made
    "free": (
        "ActivityRegularization AlphaDropout Dropout Flatten GaussianDropout GaussianNoise Identity InputLayer Reshape "
        "SpatialDropout1D SpatialDropout2D SpatialDropout3D"
    ),
    "padding": "ZeroPadding1D ZeroPadding2D ZeroPadding3D",
    "product": (
        "Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose DepthwiseConv1D DepthwiseConv2D "
        "SeparableConv1D SeparableConv2D Dense"
    ),
    "normalization": "BatchNormalization",
    "activation": "Activation ReLU LeakyReLU PReLU ELU",
    "sum": "Add Multiply Maximum Minimum",  # of n tensors: n - 1 steps of two
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names.split()}
_FUSES = {  # what may follow what in one part
    "padding": {"product"},
    "product": {"normalization", "activation"},
    "normalization": {"activation"},
    "sum": {"activation"},
}
_NO_COST = {"name", "trainable", "dtype", "seed", "momentum", "epsilon", "data_format", "synchronized"}
_NO_COST_ENDINGS = ("_initializer", "_regularizer", "_constraint")
_NUMBERS = {
    "Rescaling": ("scale", "offset"),
    "Normalization": ("mean", "variance"),
}  # their size costs, not their value


@dataclasses.dataclass(frozen=True)
class Part:
    """Some calls of a network, one behind another, that a runtime runs as one: convolution, normalization, ReLU.

    Args:
        steps: The calls, each of which reads the one before.
        inputs: The symbolic tensors that the first one reads, each once.

    Attributes:
        key: What the cost depends on: kinds and arguments of the layers, shapes of the inputs. Equal keys, equal cost.
        name: In short, for people.

    Example:

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> [part.model().output_shape for part in keras_dha.costs.parts(model)]
    [(None, 2)]
    """

    steps: tuple[Call, ...]
    inputs: tuple[Tensor, ...]

    @functools.cached_property
    def key(self) -> str:
        """What the cost depends on, as JSON."""
        order = {id(tensor): number for number, tensor in enumerate(self.inputs)}
        read = [order[id(tensor)] for tensor in self.steps[0].inputs if id(tensor) in order]
        shapes = [list(tensor.shape[1:]) for tensor in self.inputs]
        which = {} if read == list(range(len(read))) else {"reads": read}
        layers = [_described(call) for call in self.steps]
        return json.dumps({"layers": layers, "inputs": shapes, **which}, sort_keys=True, default=repr)

    @property
    def name(self) -> str:
        """Such as `Conv2D + ReLU on (8, 8, 3)`."""
        shapes = ", ".join(str(tuple(tensor.shape[1:])) for tensor in self.inputs)
        return f"{' + '.join(type(call.layer).__name__ for call in self.steps)} on {shapes}"

    def model(self) -> keras.Model:
        """The part alone, with random weights."""
        inputs = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype) for tensor in self.inputs]
        known = {id(tensor): value for tensor, value in zip(self.inputs, inputs)}
        for before, call in zip((None, *self.steps), self.steps):
            if before is not None:  # what it reads may have passed a layer that costs nothing
                known[id(call.inputs[0])] = known[id(before.outputs[0])]
            layer = call.layer
            if isinstance(layer, keras.layers.Layer):
                layer = type(layer).from_config({**layer.get_config(), "name": None})
            if _kind(call) == "sum":
                outputs = layer([known[id(tensor)] for tensor in call.inputs if id(tensor) in known])
            else:
                args, kwargs = call.node.arguments.fill_in(known)
                outputs = layer(*args, **kwargs)
            known |= {id(old): new for old, new in zip(call.outputs, keras.tree.flatten(outputs))}
        outputs = [known[id(tensor)] for tensor in self.steps[-1].outputs]
        given, made = (values if len(values) > 1 else values[0] for values in (inputs, outputs))
        return with_random_weights(keras.Model(given, made))

    def split(self) -> "tuple[Part, ...]":
        """The part in pieces as they come where others read what is between: its activation is by itself."""
        if len(self.steps) == 1 or _kind(self.steps[-1]) != "activation":
            return (self,)
        return Part(self.steps[:-1], self.inputs), Part(self.steps[-1:], self.steps[-1].inputs)


def parts(model: keras.Model) -> list[Part]:
    """A network as fused parts: what it costs on a device is about the sum of what they cost.

    `[padding] + convolution or dense layer + [batch normalization] + [activation]` is one part, along chains where
    nothing else reads what is between, as are a sum and its activation; all other layers are parts by themselves. A sum
    of n tensors is n - 1 sums of two. What is the same computed twice, such as ReLU of one tensor for two readers,
    counts once. Dropout, reshaping and the like are no parts.

    Args:
        model: A functional or `Sequential` model, built on inputs of a fixed size. Models in it are taken apart.

    Example:

    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.ReLU(), keras.layers.Flatten(), keras.layers.Dense(2)]
    >>> [part.name for part in parts(keras.Sequential([keras.Input((8, 8, 3)), *layers]))]
    ['Conv2D + ReLU on (8, 8, 3)', 'Dense on (144,)']
    """
    model = functional(model)
    model = flattened(model) if any(is_model(layer) for layer in model.layers) else model
    own, same = _distinct(model)
    readers: dict[int, list[Call]] = {}
    for call in own:
        for tensor in call.inputs:
            readers.setdefault(same.get(id(tensor), id(tensor)), []).append(call)
    read_outside = {same.get(id(tensor), id(tensor)) for tensor in model.outputs}
    taken: set[int] = set()
    found: list[Part] = []
    for call in own:
        if id(call) in taken:
            continue
        chain = [call]
        while follower := _follower(chain[-1], readers, read_outside):
            chain.append(follower)
        taken.update(id(step) for step in chain)
        found.extend(_steps_of_two(chain))
    return found


def _distinct(model: keras.Model) -> tuple[list[Call], dict[int, int]]:
    """Calls that cost something, each computation once; and which tensors are others, by identity."""
    same: dict[int, int] = {}
    first: dict[Any, Call] = {}
    own: list[Call] = []
    for call in calls(model):
        if _kind(call) == "free" and len(call.inputs) == 1 == len(call.outputs):
            same[id(call.outputs[0])] = same.get(id(call.inputs[0]), id(call.inputs[0]))
            continue
        weights = id(call.layer) if getattr(call.layer, "weights", ()) else None
        what = json.dumps(_described(call, exact=True), sort_keys=True, default=repr)
        computed = (weights, what, tuple(same.get(id(tensor), id(tensor)) for tensor in call.inputs))
        if computed in first:
            same |= {id(new): id(old) for new, old in zip(call.outputs, first[computed].outputs)}
        else:
            first[computed] = call
            own.append(call)
    return own, same


def _follower(call: Call, readers: dict[int, list[Call]], read_outside: set[int]) -> Call | None:
    """The only call that reads this one, if both are one part."""
    if len(call.outputs) != 1 or id(call.outputs[0]) in read_outside:
        return None
    found = readers.get(id(call.outputs[0]), [])
    if len(found) != 1 or [tensor.shape for tensor in found[0].inputs] != [call.outputs[0].shape]:
        return None
    return found[0] if _kind(found[0]) in _FUSES.get(_kind(call), ()) else None


def _steps_of_two(chain: Sequence[Call]) -> Iterator[Part]:
    """A part, but a sum of n tensors as n - 1 of two."""
    head = chain[0]
    inputs = tuple({id(tensor): tensor for tensor in head.inputs}.values())
    if _kind(head) == "sum" and len(inputs) > 2 and len({tensor.shape for tensor in inputs}) == 1:
        for number in range(len(inputs) - 2):
            pair = inputs[number : number + 2]
            yield Part((dataclasses.replace(head, inputs=pair),), pair)
        inputs = inputs[-2:]
        chain = [dataclasses.replace(head, inputs=inputs), *chain[1:]]
    yield Part(tuple(chain), inputs)


def _kind(call: Call) -> str:
    """What a call is when parts are made."""
    is_layer = isinstance(call.layer, keras.layers.Layer)
    return _KIND_OF.get(type(call.layer).__name__, "other") if is_layer else "other"


def _described(call: Call, *, exact: bool = False) -> dict[str, Any]:
    """A layer's kind and arguments, without those that change no cost (unless `exact`)."""
    layer, name = call.layer, type(call.layer).__name__
    if not isinstance(layer, keras.layers.Layer):
        given = keras.tree.flatten((call.node.arguments.args, call.node.arguments.kwargs))
        plain = {key: value for key, value in sorted(vars(layer).items()) if isinstance(value, (bool, int, float, str))}
        others = [value for value in given if not isinstance(value, keras.KerasTensor)]
        return {"operation": name, **plain, "name": None, "arguments": others}
    config = {
        key: value
        for key, value in layer.get_config().items()
        if key not in _NO_COST and not key.endswith(_NO_COST_ENDINGS)
    }
    for key in () if exact else _NUMBERS.get(name, ()):
        config[key] = _size(config.get(key))
    kind = {} if type(layer).__module__.startswith("keras.") else {"module": type(layer).__module__}
    dtype = {} if layer.compute_dtype in ("float32", None) else {"dtype": layer.compute_dtype}
    return {"layer": name, **kind, **dtype, **config}


def _size(values: Any) -> Any:
    """What factors cost: how many they are, and whether they are all 0 or 1, which may cost nothing."""
    numbers = np.asarray(0.0 if values is None else values, dtype="float64")
    alike = next((value for value in (0.0, 1.0) if np.all(numbers == value)), "any")
    return [list(numbers.shape), alike]


def with_random_weights(model: keras.Model, *, seed: int = 0) -> keras.Model:
    """The model, whose weights are changed in place where all are equal, as zeros and ones are when a layer is new.

    Runtimes leave out an addition of 0, which a trained network does not have.
    """
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        values = keras.ops.convert_to_numpy(weight)
        if np.issubdtype(values.dtype, np.floating) and values.size and np.all(values == values.flat[0]):
            weight.assign(values + rng.uniform(0.01, 0.1, values.shape).astype(values.dtype))
    return model
