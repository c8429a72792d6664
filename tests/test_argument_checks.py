"""What cannot be searched is refused before anything is built or trained, in words that say what to do."""

from typing import Any

import keras
import numpy as np
import pytest
from tiny_space import TwoInputSpace, images, search_model

from keras_dha.augmentation import PairPolicy
from keras_dha.data import DataError

X, Y = images(24)


def test_another_backend(monkeypatch: Any) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"must run on TensorFlow\. Received: .*'jax'\. Set .*KERAS_BACKEND"):
        search_model()


def test_a_layer_that_is_no_policy() -> None:
    with pytest.raises(TypeError, match=r"A policy must have augment, loss.* without augment, loss.*PairPolicy"):
        search_model(augmentation=keras.layers.RandomFlip("horizontal"))


@pytest.mark.parametrize(
    "callback", [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), keras.callbacks.ReduceLROnPlateau()]
)
def test_callbacks_that_move_the_rate(callback: Any) -> None:
    name = type(callback).__name__
    with pytest.raises(ValueError, match=f"must move the learning rate. Received: callbacks with {name}"):
        search_model().fit(X, Y, callbacks=[callback])


def test_nothing_held_out_to_learn_from() -> None:
    with pytest.raises(ValueError, match=r"Received: held_out=None\. Give a share such as 0\.2"):
        search_model().fit(X, Y, held_out=None)
    search_model(hyperparameters=None, augmentation=None).fit(X, Y, held_out=None, epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[..., 0], r"made for, \(8, 8, 1\)\. Received: x with examples of shape \(8, 8\)\. Give x\[\.\.\., None\]"),
        (np.repeat(X, 3, -1), r"Received: x with examples of shape \(8, 8, 3\)\. Reshape the examples"),
        (X[:, :4], r"examples of shape \(4, 8, 1\)"),
    ],
)
def test_examples_of_another_shape_than_the_space(x: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        search_model().fit(x, Y)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((X[:, :4], Y), r"validation_data's inputs: shape=\(4, 8, 1\)"),
        ((X / 255.0, Y), "validation_data's inputs must have the same dtype"),
        ((X, Y + 1), "validation_data y"),
        ((X[:5], Y), "'validation_data x': 5"),
        ((np.where(X > 100, np.nan, X / 1.0), Y), "validation_data x"),
    ],
)
def test_validation_data_unlike_the_training_data(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        search_model().fit(X, Y, validation_data=given)


NAMED = {"wide": np.random.default_rng(0).random((24, 3)), "narrow": np.ones((24, 1))}


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({"wide": NAMED["wide"]}, r"for each input of the space, \['narrow', 'wide'\]. Received: x with \['wide'\]"),
        ({**NAMED, "more": NAMED["wide"]}, r"Received: x with \['more', 'narrow', 'wide'\]. .* no other names"),
        (NAMED["wide"], "Received: x with one array"),
        ({**NAMED, "wide": NAMED["wide"].repeat(2, 1)}, r"for, \(3,\). Received: x\['wide'\] with .* shape \(6,\)"),
        ({**NAMED, "narrow": np.ones(24)}, r"Give x\['narrow'\]\[..., None\]"),
    ],
)
def test_named_inputs_must_be_those_of_the_space(x: Any, message: str) -> None:
    model = search_model(space=TwoInputSpace((4,), 3))
    with pytest.raises(DataError, match=message):
        model.fit(x, Y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": keras.optimizers.Adam}, r"learning_rate=0\.001, bounds=\(0\.005, 0\.5\)\. Give SearchModel"),
        ({"optimizer": lambda: keras.optimizers.SGD(0.05, weight_decay=0.05)}, r"weight_decay=0\.05, bounds="),
        ({"optimizer": lambda: keras.optimizers.SGD(0.05, use_ema=True)}, r"use_ema=True in \['optimizer'\]"),
        (
            {"architecture_optimizer": lambda: keras.optimizers.Adam(0.05, loss_scale_factor=2.0)},
            r"loss scaling in \['architecture_optimizer'\]",
        ),
        (
            {"optimizer": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05))},
            r"loss scaling in \['optimizer'\]",
        ),
    ],
)
def test_optimizers_that_a_search_cannot_use(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search_model(augmentation=PairPolicy(("Identity",))).compile(**{k: make() for k, make in arguments.items()})
