"""Searches whose targets are numbers: vectors in, vectors out, no images and no classes."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import LineSpace

from keras_dha import SearchModel
from keras_dha.augmentation import PairPolicy
from keras_dha.data import PairedData
from keras_dha.data.checks import DataError
from keras_dha.diagnostics import WiringEvolution
from keras_dha.hyperparameters import LabelSmoothing
from keras_dha.recipes import darts, gdas
from keras_dha.spaces import DenseSpace

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 3)).astype("float32")
Y = (X @ np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])).astype("float32")


def dense(num_outputs: int = 2, **changes: Any) -> DenseSpace:
    return DenseSpace((3,), num_outputs, widths=(4, 8), depths=(1,), **{"activations": ("tanh", "relu"), **changes})


def fitted(model: SearchModel, y: Any = Y, **arguments: Any) -> dict[str, list[float]]:
    return model.fit(X, y, batch_size=16, epochs=2, verbose=0, **arguments).history


@pytest.fixture(scope="module")
def searched() -> tuple[SearchModel, dict[str, list[float]]]:
    """The recipe of all defaults, which has a policy of images."""
    model = SearchModel(dense(), seed=0)
    return model, fitted(model, validation_data=(X, Y))


def test_the_default_is_the_squared_error_and_no_augmentation(searched: Any) -> None:
    model, history = searched
    assert model.augmentation is None
    assert model.policy() is None
    assert isinstance(model._compile_arguments["loss"], keras.losses.MeanSquaredError)
    assert {"mean_absolute_error", "val_mean_absolute_error", "weight_decay"} <= set(history)
    assert "accuracy" not in history
    assert history["loss"][-1] < history["loss"][0]


def test_what_is_derived_computes_the_same_and_has_loss_and_metrics(searched: Any) -> None:
    model, _ = searched
    final = model.derive()
    np.testing.assert_allclose(final.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)
    error = np.mean((final.predict(X, verbose=0) - Y) ** 2)
    assert final.evaluate(X, Y, verbose=0)[0] == pytest.approx(error, rel=1e-4)


def test_an_exported_network_serves_numbers_not_probabilities(searched: Any, tmp_path: Path) -> None:
    model, _ = searched
    model.export(tmp_path / "served")
    loaded = tf.saved_model.load(str(tmp_path / "served"))
    served = loaded.serve(tf.constant(X))
    assert list(served) == ["outputs"]
    np.testing.assert_allclose(served["outputs"], model.predict(X, verbose=0), atol=1e-6)


def test_a_search_is_saved_and_goes_on(searched: Any, tmp_path: Path) -> None:
    model, _ = searched
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert not loaded.space.classifies
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)
    assert loaded.evaluate(X, Y, verbose=0, return_dict=True)["mean_absolute_error"] > 0.0


def test_targets_that_look_like_classes_are_numbers_in_a_space_of_numbers() -> None:
    assert PairedData(X, np.arange(64) % 3, num_classes=0).summary.label_kind == "other"
    assert PairedData(X, np.arange(64) % 3, num_classes=3).summary.label_kind == "integer"
    shares = np.tile(np.array([[0.9, 0.1]], "float32"), (64, 1))  # non-negative, of sum 1, all of one class
    assert PairedData(X, shares, num_classes=0).summary.label_kind == "other"
    with pytest.raises(DataError, match="at least two classes"):
        PairedData(X, shares, num_classes=2)


def test_targets_that_are_no_classes_are_numbers_in_any_space() -> None:
    model = SearchModel(LineSpace((3,), 2), gdas(), seed=0)
    history = fitted(model)
    assert isinstance(model._compile_arguments["loss"], keras.losses.MeanSquaredError)
    assert "mean_absolute_error" in history
    assert not model._gives_logits


def test_classes_of_a_dense_space() -> None:
    model = SearchModel(dense(classifies=True), gdas(), seed=0)
    assert "accuracy" in fitted(model, (X[:, 0] > 0).astype("int32"))
    assert model._gives_logits


def test_a_loss_and_metrics_that_are_given_stay() -> None:
    model = SearchModel(dense(1), darts(), seed=0)
    model.compile(loss="huber", metrics=["mae"])
    history = fitted(model, Y[:, 0], held_out=0.5)  # cut without classes
    assert np.isfinite(history["mae"] + history["held_out_loss"]).all()


def test_a_model_compiled_with_a_loss_of_numbers_is_one_of_numbers() -> None:
    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    plain.compile("sgd", "mse")
    model = SearchModel(plain, gdas(), seed=0)
    shares = np.tile(np.array([[0.9, 0.1]], "float32"), (64, 1))
    assert np.isfinite(fitted(model, shares)["loss"]).all()
    assert not model._gives_logits


@pytest.mark.parametrize(("y", "received"), [(Y[:, :1], r"\(1,\)"), (Y[:, 0], r"\(\)"), (np.ones((64, 3)), r"\(3,\)")])
def test_targets_must_have_the_shape_of_the_outputs(y: Any, received: str) -> None:
    with pytest.raises(DataError, match=rf"outputs, \(2,\). Received: y with examples of shape {received}"):
        fitted(SearchModel(dense(), gdas(), seed=0), y)


def test_augmentation_that_is_asked_for_needs_images() -> None:
    with pytest.raises(ValueError, match=r"needs images .* input_shape=\(3,\). Leave augmentation out"):
        SearchModel(dense(), augmentation=PairPolicy())
    assert SearchModel(dense(), gdas(), augmentation=None).augmentation is None


def test_labels_that_are_none_cannot_be_smoothed() -> None:
    model = SearchModel(dense(), gdas(), hyperparameters=[LabelSmoothing()], seed=0)
    with pytest.raises(ValueError, match=r"Received: loss=meansquarederror\. Leave LabelSmoothing out"):
        fitted(model)


def test_the_diagnosis_of_wiring_needs_classes() -> None:
    watch = WiringEvolution((X, Y))
    watch.set_model(SearchModel(dense(), darts(), seed=0))
    watch.model.compile()
    with pytest.raises(ValueError, match="labels integers"):
        watch.on_epoch_end(0)
