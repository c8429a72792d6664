"""A functional model as a list of calls, and anew."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Call:
    """One use of a layer, or of an operation of `keras.ops`, in a functional model.

    Args:
        layer: The layer or operation.
        inputs: The symbolic tensors that it reads, in order.
        outputs: Those that it gives.
        node: Keras's own record, with the other arguments.
    """

    layer: Any
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    node: Any

    @property
    def constants(self) -> list[Any]:
        """The numbers and arrays among its arguments."""
        given = keras.tree.flatten((self.node.arguments.args, self.node.arguments.kwargs))
        return [value for value in given if not isinstance(value, (keras.KerasTensor, str, bool, type(None)))]


def functional(model: keras.Model) -> keras.Model:
    """A `Sequential` model as a functional one, of the same layers; others as they are."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model


def calls(model: keras.Model) -> list[Call]:
    """The calls of a functional model, each behind those whose outputs it reads."""
    by_depth = model._nodes_by_depth  # Keras has no public name for it
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]
    return [Call(node.operation, tuple(node.input_tensors), tuple(node.outputs), node) for node in nodes]


def called_anew(model: keras.Model, inputs: Sequence[Tensor], apply: Callable[..., Any]) -> Any:
    """The outputs of a functional model, each call of which is made by `apply(call, args, kwargs)`.

    Args:
        model: The model.
        inputs: What takes the place of its inputs, in order.
        apply: Gives the outputs of a call for its arguments, in which tensors are those that `apply` gave before.
    """
    known = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}
    for call in calls(model):
        args, kwargs = call.node.arguments.fill_in(known)
        outputs = keras.tree.flatten(apply(call, args, kwargs))
        known |= {id(tensor): value for tensor, value in zip(call.outputs, outputs, strict=True)}
    return keras.tree.map_structure(lambda tensor: known[id(tensor)], model.output)


def new_inputs(model: keras.Model) -> Any:
    """Symbolic inputs like those of a model, in its structure."""
    return keras.tree.map_structure(lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name), model.input)


def is_model(layer: Any) -> bool:
    """Whether a layer is a functional or `Sequential` model, whose calls can be looked at."""
    return isinstance(layer, keras.Model) and (isinstance(layer, keras.Sequential) or "_nodes_by_depth" in vars(layer))


def flattened(model: keras.Model, inputs: Any = None) -> keras.Model:
    """A clone of a model without models in it: their layers stand in their place.

    Args:
        model: Functional or `Sequential`, built.
        inputs: Symbolic inputs to build it on. None: new ones.
    """
    model = functional(model)
    inputs = new_inputs(model) if inputs is None else inputs
    clones: dict[int, Any] = {}
    names: set[str] = set()

    def clone_of(layer: Any, prefix: str) -> Any:
        if id(layer) not in clones:
            config = layer.get_config()
            name = config.get("name", layer.name)
            config["name"] = name if name not in names else f"{prefix}_{name}"
            names.add(config["name"])
            clones[id(layer)] = type(layer).from_config(config)
        return clones[id(layer)]

    def applied(prefix: str) -> Callable[..., Any]:
        def apply(call: Call, args: Any, kwargs: Any) -> Any:
            if is_model(call.layer):
                inner = functional(call.layer)
                return called_anew(inner, keras.tree.flatten(args[0]), applied(call.layer.name))
            return clone_of(call.layer, prefix)(*args, **kwargs)

        return apply

    outputs = called_anew(model, keras.tree.flatten(inputs), applied(model.name))
    clone = keras.Model(inputs, outputs, name=model.name)
    for layer, copy in _pairs(model, clones):
        copy.set_weights(layer.get_weights())
    return clone


def _pairs(model: keras.Model, clones: dict[int, Any]) -> list[tuple[Any, Any]]:
    """Layers with weights, also those of nested models, and their clones."""
    found = []
    for layer in functional(model).layers:
        if is_model(layer):
            found.extend(_pairs(layer, clones))
        elif layer.weights:
            found.append((layer, clones[id(layer)]))
    return found
