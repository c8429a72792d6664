"""What a search model and its `fit` must be given; errors come before anything is built or trained."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_dha.data import DataSummary
from keras_dha.data.checks import DataError
from keras_dha.distributed_model import on_several_workers
from keras_dha.recipes import Recipe, dha
from keras_dha.spaces import SearchSpace


def check_kinds(space: Any, recipe: Any) -> None:
    """There is a space, and a recipe or None.

    Raises:
        TypeError: If one is something else.
    """
    for name, value, kind in (("space", space, SearchSpace), ("recipe", recipe or dha(), Recipe)):
        if not isinstance(value, kind):
            raise TypeError(
                f"{name} must be a {kind.__name__}. Received: {name}={value!r}. "
                "For example SearchModel(keras_dha.spaces.NASBench201Space((28, 28, 1), 10), keras_dha.recipes.dha())."
            )


def asked_of_model(
    model: keras.Model, recipe: Any, augmentation: Any, hyperparameters: Any, default: str
) -> tuple[Any, Any]:
    """What of a plain Keras model is searched: only what was asked for.

    Args:
        model: The model.
        recipe: As given, or None.
        augmentation: As given, or `default`.
        hyperparameters: As given, or `default`.
        default: Stands for what the recipe has.

    Returns:
        `augmentation` and `hyperparameters`, None where nothing asks for them.

    Raises:
        ValueError: If nothing was asked for, or augmentation of what are no images.
    """
    given = [not (isinstance(part, str) and part == default) for part in (augmentation, hyperparameters)]
    if recipe is not None:
        return augmentation, hyperparameters
    if not any(given):
        raise ValueError(
            "Something of a Keras model must be searched. Received: neither augmentation, nor hyperparameters, nor a "
            "recipe. For example SearchModel(model, augmentation=keras_dha.augmentation.PairPolicy())."
        )
    if given[0] and augmentation is not None and len(getattr(model.inputs[0], "shape", ())) != 4:
        raise ValueError(
            "Augmentation needs images of shape (batch, height, width, channels). Received: a model of inputs of shape "
            f"{[tuple(x.shape) for x in model.inputs]}. Leave augmentation out."
        )
    return (augmentation if given[0] else None), (hyperparameters if given[1] else None)


def check_augmentation(space: SearchSpace, augmentation: Any, default: str) -> None:
    """A policy that was asked for has images to work on; that of a recipe is left out where there are none.

    Raises:
        ValueError: If the space is of something else.
    """
    asked = augmentation is not None and not (isinstance(augmentation, str) and augmentation == default)
    if asked and len(space.input_shape) in (1, 2):
        raise ValueError(
            "Augmentation needs images of shape (batch, height, width, channels). Received: augmentation, and a space "
            f"of input_shape={space.input_shape}. Leave augmentation out."
        )


def check_dropout(parts: Sequence[Any], found: Sequence[str]) -> None:
    """Each learned rate is that of a layer.

    Args:
        parts: `DropoutRate`s.
        found: The names of the layers whose rate is learned.

    Raises:
        ValueError: If one is of none.
    """
    for part in parts:
        if not found or (part.where and not any(part.names(name) for name in found)):
            where = f"where={part.where}, " if part.where else ""
            raise ValueError(
                f"The network must have keras.layers.Dropout for {part.name} to be its rate. Received: {where}layers "
                f"{list(found)}. Put a Dropout into the model, of any rate, or leave DropoutRate out."
            )


def check_backend() -> None:
    """Keras runs on TensorFlow.

    Raises:
        RuntimeError: If it runs on something else.
    """
    if keras.config.backend() != "tensorflow":
        raise RuntimeError(
            f"A search must run on TensorFlow. Received: keras.config.backend()={keras.config.backend()!r}. Set the "
            "environment variable KERAS_BACKEND=tensorflow before keras is imported."
        )


def check_fit_arguments(
    epochs: int, time_budget: float | None, callbacks: Sequence[Any] | None, others: Mapping[str, Any]
) -> None:
    """What `fit` is told about its length and its callbacks can be done.

    Raises:
        ValueError: If not.
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1. Received: epochs={epochs}. A time_budget ends a fit earlier.")
    if time_budget is not None and not time_budget > 0:
        raise ValueError(
            f"time_budget must be positive seconds, or None. Received: time_budget={time_budget}. Leave it out."
        )
    movers = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
    if moving := [type(callback).__name__ for callback in callbacks or () if isinstance(callback, movers)]:
        raise ValueError(
            "Only the schedule, and what is learned, must move the learning rate. "
            f"Received: callbacks with {', '.join(moving)}. Give compile an optimizer with a LearningRateSchedule, and "
            "SearchModel hyperparameters without a LearningRate."
        )
    unusable = sorted({"class_weight", "steps_per_epoch", "validation_split"} & {k for k, v in others.items() if v})
    if unusable:
        raise ValueError(
            f"fit must split and count the data itself. Received: {', '.join(unusable)}. "
            "Give sample_weight for class_weight, validation_data for validation_split, and leave steps_per_epoch out."
        )


def check_workers(strategy: Any, seed: int | None, time_budget: float | None = None) -> None:
    """What several workers, if there are, are told makes them do the same.

    Raises:
        ValueError: If not.
    """
    if not on_several_workers(strategy):
        return
    if seed is None:
        raise ValueError(
            "A search of several workers must have a seed, for each draws the order of the data by itself. Received: "
            "seed=None. Give SearchModel a seed, the same to each worker."
        )
    if time_budget is not None:
        raise ValueError(
            "A search of several workers must be as long as its epochs, for each has a clock of its own. Received: "
            f"time_budget={time_budget}. Leave it out."
        )


def check_held_out(held_out: Any, *, needed: bool) -> None:
    """There are held-out examples where something learns from them.

    Raises:
        ValueError: If there are none.
    """
    if needed and held_out is None:
        raise ValueError(
            "Something must be held out for the hyper-parameters, or the architecture, to learn from. Received: "
            "held_out=None. Give a share such as 0.2, or data; or SearchModel(..., hyperparameters=None)."
        )


def check_inputs(summary: DataSummary, inputs: Any) -> None:
    """The examples have the names and shapes that the space was made for.

    Args:
        summary: Of the training data.
        inputs: The symbolic inputs of the network.

    Raises:
        DataError: If they have not.
    """
    if isinstance(inputs, dict):
        _check_named_inputs(summary.inputs, inputs)
    elif isinstance(inputs, keras.KerasTensor) and hasattr(summary.inputs, "shape"):
        _check_shape("x", tuple(inputs.shape[1:]), tuple(summary.inputs.shape))


def check_targets(summary: DataSummary, space: SearchSpace, output: Any) -> None:
    """Where a space is of numbers, examples have as many as its networks give.

    Args:
        summary: Of the training data.
        space: The space.
        output: The symbolic output of the network.

    Raises:
        DataError: If they have not; a loss would spread one number over several outputs.
    """
    if space.classifies or not hasattr(summary.labels, "shape") or isinstance(output, (list, tuple, dict)):
        return
    asked, received = tuple(output.shape[1:]), tuple(summary.labels.shape)
    fits = len(asked) == len(received) and all(a in (None, r) for a, r in zip(asked, received))
    if not fits and not (asked == (1,) and received == ()):
        raise DataError(
            f"Targets must have the shape of the networks' outputs, {asked}. Received: y with examples of shape "
            f"{received}. Reshape y, or make the space with as many outputs."
        )


def _check_named_inputs(received: Any, inputs: Mapping[str, Any]) -> None:
    if isinstance(received, (list, tuple)):
        return  # Keras takes them in the order of the inputs
    names = sorted(received) if isinstance(received, dict) else "one array"
    if names != sorted(inputs):
        raise DataError(
            f"Examples must be a dict with one array for each input of the space, {sorted(inputs)}. Received: x with "
            f"{names}. Give x as {{name: array}}, with no other names."
        )
    for name, tensor in inputs.items():
        _check_shape(f"x[{name!r}]", tuple(tensor.shape[1:]), tuple(received[name].shape))


def _check_shape(name: str, asked: tuple[int | None, ...], received: tuple[int, ...]) -> None:
    if len(asked) == len(received) and all(a in (None, r) for a, r in zip(asked, received)):
        return
    advice = "Reshape the examples, or make the space for theirs."
    if asked == (*received, 1):
        advice = f"Give {name}[..., None], which adds the axis of channels."
    raise DataError(
        f"Examples must have the shape that the space was made for, {asked}. Received: {name} with examples of shape "
        f"{received}. {advice}"
    )
