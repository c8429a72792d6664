"""A functional model as a list of calls, and anew."""

import dataclasses
import functools
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


def producer(tensor: Tensor) -> tuple[Any, list[Tensor]]:
    """The layer that gives a symbolic tensor, and what it reads."""
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index].input_tensors


def new_inputs(model: keras.Model) -> Any:
    """Symbolic inputs like those of a model, in its structure."""
    return keras.tree.map_structure(lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name), model.input)


@functools.cache
def functional_class() -> type[keras.Model]:
    """The class of functional models, which Keras has no public name for."""
    inputs = keras.Input(())
    return type(keras.Model(inputs, inputs))


def is_model(layer: Any) -> bool:
    """Whether a layer is a functional or `Sequential` model, with no call of its own: what it computes is its graph."""
    kinds = (keras.Sequential, functional_class())
    return any(isinstance(layer, kind) and type(layer).call is kind.call for kind in kinds)


def all_layers(model: Any) -> list[Any]:
    """The layers of a model that are no models, and those of the models in it, each once."""
    found: dict[int, Any] = {}
    for layer in model.layers:
        inner = all_layers(layer) if is_model(layer) else [layer]
        found |= {id(part): part for part in inner if id(part) not in found}
    return list(found.values())


def flat_names(model: keras.Model) -> dict[int, str]:
    """The name of each layer in `flattened(model)`, by its identity: its own, or one that no other has."""
    names = {tensor.name for tensor in functional(model).inputs}
    found: dict[int, str] = {}
    own = {layer.name for layer in functional(model).layers}

    def walk(outer: keras.Model, prefix: str) -> None:
        for call in calls(functional(outer)):
            layer = call.layer
            if is_model(layer):
                walk(layer, f"{prefix}{layer.name}_")
            elif id(layer) not in found:
                name, number = layer.name, 0
                while name in names or (prefix and name in own):
                    name, number = f"{prefix}{layer.name}" + (f"_{number}" if number else ""), number + 1
                names.add(name)
                found[id(layer)] = name

    walk(model, "")
    return found


def flattened(model: keras.Model, inputs: Any = None) -> keras.Model:
    """A clone of a model without models in it: their layers stand in their place.

    Args:
        model: Functional or `Sequential`, built.
        inputs: Symbolic inputs to build it on. None: new ones.

    Raises:
        ValueError: If a model in it is called with other arguments than tensors.
    """
    model = functional(model)
    inputs = new_inputs(model) if inputs is None else inputs
    names, clones = flat_names(model), dict[int, Any]()

    def apply(call: Call, args: Any, kwargs: Any) -> Any:
        if is_model(call.layer):
            return called_anew(functional(call.layer), _tensors(call, args, kwargs), apply)
        if id(call.layer) not in clones:
            config = {**call.layer.get_config(), "name": names[id(call.layer)]}
            clones[id(call.layer)] = type(call.layer).from_config(config)
        return clones[id(call.layer)](*args, **kwargs)

    clone = keras.Model(inputs, called_anew(model, keras.tree.flatten(inputs), apply), name=model.name)
    for layer in all_layers(model):
        if layer.weights:
            clones[id(layer)].set_weights(layer.get_weights())
    return clone


def _tensors(call: Call, args: Any, kwargs: Any) -> list[Tensor]:
    """What a model in a model is called on."""
    given = keras.tree.flatten((args, kwargs))
    if kwargs.get("training") or any(isinstance(value, (int, float)) and value is not False for value in given):
        raise ValueError(
            f"Models in a model must be called on tensors alone. Received: {kwargs} for {call.layer.name!r}. "
            "Call it without other arguments."
        )
    return [value for value in given if isinstance(value, keras.KerasTensor)]
