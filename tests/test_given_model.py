"""A plain Keras model in place of a space: only what is asked for is searched."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import NUM_CLASSES, TwoInputSpace, images, recipe

from keras_dha import SearchModel
from keras_dha.augmentation import AugmentationPolicy, PairPolicy, TrivialAugment, load
from keras_dha.derivation import FixedChooser
from keras_dha.hyperparameters import LearningRate
from keras_dha.spaces import Decisions

X, Y = images()
POLICY = {"operations": ("Identity", "Brightness", "Invert"), "search_magnitude": 8.0}


def users_model(last: str | None = "softmax", *, compiled: bool = False) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((8, 8, 1), dtype="uint8"),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, use_bias=False),  # whose gradient would be rounding errors
        keras.layers.BatchNormalization(),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(NUM_CLASSES, activation=last),
    ]
    model = keras.Sequential(layers, name="users")
    if compiled:
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model: SearchModel, x: Any = X, y: Any = Y, **arguments: Any) -> dict[str, list[float]]:
    return model.fit(x, y, **{"batch_size": 16, "epochs": 2, "verbose": 0, **arguments}).history


def test_a_policy_is_learned_for_a_model_that_is_handed_back_as_it_was_written() -> None:
    own = users_model(compiled=True)
    before = own.get_weights()
    model = SearchModel(own, augmentation=PairPolicy(**POLICY), seed=0)
    history = fit(model, epochs=4)
    assert "weight_decay" not in history
    probabilities = np.asarray(model.policy()["probabilities"])
    assert np.abs(probabilities - 1 / 9).max() > 1e-4
    derived = model.derive()
    assert [layer.name for layer in derived.layers[1:]] == [layer.name for layer in own.layers]
    assert isinstance(derived.optimizer, keras.optimizers.Adam)
    np.testing.assert_allclose(derived.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5)
    np.testing.assert_allclose(derived.predict(X, verbose=0).sum(1), 1.0, rtol=1e-5)
    for one, other in zip(before, own.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_it_trains_from_the_models_weights() -> None:
    own = users_model()
    model = SearchModel(own, augmentation=None, hyperparameters=[LearningRate(0.05)], seed=0)
    model.scaling.keep(0.0, 255.0)
    np.testing.assert_allclose(model.predict(X, verbose=0), own.predict(X, verbose=0), atol=1e-5)


@pytest.mark.parametrize("last", ["softmax", None])
def test_the_loss_knows_whether_outputs_are_logits(last: str | None) -> None:
    model = SearchModel(users_model(last), augmentation=TrivialAugment(("Identity",)), seed=0)
    model.compile(keras.optimizers.SGD(0.0))
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=last is None)
    model.scaling.keep(0.0, 255.0)
    loss = model.evaluate(X, Y, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(float(expected(Y, model.predict(X, verbose=0))), rel=1e-4)


def test_without_anything_that_acts_a_fit_is_that_of_plain_keras() -> None:
    plain = users_model()
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    plain.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model = SearchModel(plain, augmentation=TrivialAugment(("Identity",)), seed=0)
    fit(model, shuffle=False)
    plain.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(model.derive().get_weights(), plain.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_users_own_loss_metric_and_optimizer_need_no_registering() -> None:
    class Own(keras.optimizers.Adam):
        pass

    def loss(y: Any, y_pred: Any) -> Any:
        return 2 * keras.losses.sparse_categorical_crossentropy(y, y_pred)

    def right(y: Any, y_pred: Any) -> Any:
        return keras.metrics.sparse_categorical_accuracy(y, y_pred)

    own, counted = users_model(), keras.metrics.MeanMetricWrapper(right, name="counted")
    own.compile(Own(0.01), loss, metrics=[right, counted])
    model = SearchModel(own, augmentation=PairPolicy(**POLICY), seed=0)
    history = fit(model)
    assert {"right", "counted"} <= set(history)
    assert isinstance(model.optimizer, Own)
    assert float(counted.count) == 0.0, "The metric of the user's model is left alone."


def test_hyperparameters_alone_start_at_the_models_optimizer() -> None:
    model = SearchModel(users_model(compiled=True), hyperparameters=[LearningRate(0.02, bounds=(1e-3, 0.1))], seed=0)
    assert model.augmentation is None
    model.compile(hyperparameter_optimizer=keras.optimizers.SGD(0.0))
    fit(model)
    assert model.hyperparameters()["learning_rate"] == pytest.approx(0.01)
    assert model.policy() is None
    assert model.recipe.name == "tune"


def test_a_recipe_asks_for_its_parts() -> None:
    model = SearchModel(users_model(), recipe(), seed=0)
    assert model.augmentation is not None
    assert len(model.learned) == 2
    assert model.decisions() == Decisions({})


def test_saved_and_loaded_it_goes_on(tmp_path: Path) -> None:
    model = SearchModel(users_model(), augmentation=PairPolicy(**POLICY), seed=0)
    fit(model)
    model.save(tmp_path / "search.keras")
    loaded = keras.models.load_model(tmp_path / "search.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)
    np.testing.assert_allclose(loaded.derive().predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5)


@pytest.mark.parametrize(("last", "names"), [("softmax", {"outputs"}), (None, {"logits", "probabilities"})])
def test_the_export_takes_bytes_and_has_no_policy(last: str | None, names: set[str], tmp_path: Path) -> None:
    model = SearchModel(users_model(last), augmentation=PairPolicy(**POLICY), seed=0)
    fit(model)
    model.export(tmp_path / "served")
    loaded = tf.saved_model.load(tmp_path / "served")
    served = loaded.serve(tf.constant(X))
    assert set(served) == names
    first = served["outputs" if last else "logits"]
    np.testing.assert_allclose(first, model.predict(X, verbose=0), atol=1e-5)


def test_nothing_asked_for() -> None:
    with pytest.raises(ValueError, match="Something of a Keras model must be searched"):
        SearchModel(users_model())


def test_augmentation_of_no_images() -> None:
    tables = TwoInputSpace((3,), 3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    for own in (model, tables.build(FixedChooser(tables.random_decisions(seed=0)))):
        with pytest.raises(ValueError, match="Augmentation needs images"):
            SearchModel(own, augmentation=PairPolicy())


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")  # it has not been used
def test_a_policy_goes_into_the_model_only_if_one_puts_it_there(tmp_path: Any) -> None:
    model = SearchModel(users_model(compiled=True), augmentation=PairPolicy(**POLICY), seed=0)
    fit(model)
    trained = model.derive()
    assert not [layer for layer in trained.layers if isinstance(layer, AugmentationPolicy)]
    policy = load(model.policy(), seed=0)
    both = keras.Sequential([keras.Input((8, 8, 1), dtype="uint8"), policy, trained])
    np.testing.assert_allclose(both.predict(X, verbose=0), trained.predict(X, verbose=0), atol=1e-6)
    assert np.abs(np.asarray(both(X, training=True)) - np.asarray(trained(X, training=True))).max() > 1e-3
    both.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), trained.predict(X, verbose=0), atol=1e-6)
