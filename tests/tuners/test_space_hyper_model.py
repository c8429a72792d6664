from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import TinySpace, TwoInputSpace, images

from keras_dha.augmentation import MixUp, PairPolicy, RandAugment, TrivialAugment
from keras_dha.spaces import Decisions, GatedSpace
from keras_dha.tuners import SpaceHyperModel


def values_of(hypermodel: SpaceHyperModel) -> dict[str, Any]:
    hp = keras_tuner.HyperParameters()
    hypermodel.declare_hyperparameters(hp)
    return {known.name: known for known in hp.space}


def searched(tuner_class: Any, hypermodel: SpaceHyperModel, folder: Path, **kwargs: Any) -> Any:
    """A tuner that has searched on noise with bright rows."""
    x, y = images(48)
    arguments = {"objective": "val_accuracy", "seed": 1, "directory": folder, "project_name": "p", **kwargs}
    tuner = tuner_class(hypermodel, **arguments)
    fit = {"epochs": 1} if tuner_class is not keras_tuner.Hyperband else {}
    tuner.search(x[:32], y[:32], batch_size=16, validation_data=(x[32:], y[32:]), verbose=0, **fit)
    return tuner


@pytest.mark.slow
def test_random_search_end_to_end(tmp_path: Path) -> None:
    hypermodel = SpaceHyperModel(TinySpace(), seed=0)
    tuner = searched(keras_tuner.RandomSearch, hypermodel, tmp_path, max_trials=3)
    assert [trial.status for trial in tuner.oracle.trials.values()] == ["COMPLETED"] * 3
    best = tuner.get_best_hyperparameters()[0]
    decisions = hypermodel.decisions(best)
    assert isinstance(decisions.validate(TinySpace().choices()), Decisions)
    model = tuner.get_best_models()[0]
    x, y = images(48)
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    _, accuracy = model.evaluate(x[32:], y[32:], verbose=0)  # raw bytes, integer labels
    assert accuracy == pytest.approx(tuner.oracle.get_best_trials()[0].score, abs=1e-6)

    # Another process, which has seen no data, finds the standardization among the weights.
    again = keras_tuner.RandomSearch(
        SpaceHyperModel(TinySpace()), objective="val_accuracy", directory=tmp_path, project_name="p"
    )
    np.testing.assert_allclose(again.get_best_models()[0](x), model(x), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tuner_class", "kwargs"),
    [(keras_tuner.Hyperband, {"max_epochs": 2, "factor": 2}), (keras_tuner.BayesianOptimization, {"max_trials": 2})],
)
def test_other_tuners(tuner_class: Any, kwargs: dict[str, Any], tmp_path: Path) -> None:
    hypermodel = SpaceHyperModel(TinySpace(normalize=False), augmentation=None, label_smoothing=None)
    tuner = searched(tuner_class, hypermodel, tmp_path, **kwargs)
    assert {trial.status for trial in tuner.oracle.trials.values()} == {"COMPLETED"}
    assert set(hypermodel.decisions(tuner.get_best_hyperparameters()[0])) == {"edge", "node"}


def test_what_is_searched_fixed_and_left_out() -> None:
    known = values_of(SpaceHyperModel(TinySpace()))
    assert list(known) == [
        *("learning_rate", "weight_decay", "label_smoothing"),
        *("augmentation", "rand_augment_layers", "rand_augment_strength"),
    ]
    assert (known["learning_rate"].sampling, known["learning_rate"].max_value) == ("log", 0.5)
    fixed = SpaceHyperModel(
        TinySpace(), learning_rate=0.1, weight_decay=None, label_smoothing=0.1, batch_size=[16, 32], epochs=3,
        augmentation="trivial_augment",
    )  # fmt: skip
    assert list(values_of(fixed)) == ["batch_size", "augmentation"]
    model = fixed.build(keras_tuner.HyperParameters())
    assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(0.1)
    assert model.optimizer.weight_decay is None


def test_the_optimizer_is_the_users_with_the_trials_numbers() -> None:
    hypermodel = SpaceHyperModel(TinySpace(), optimizer=keras.optimizers.AdamW, learning_rate=(1e-4, 1e-2))
    hp = keras_tuner.HyperParameters()
    optimizer = hypermodel.build(hp).optimizer
    assert isinstance(optimizer, keras.optimizers.AdamW)
    assert float(optimizer.learning_rate.numpy()) == pytest.approx(1e-3)  # the middle of the range
    assert optimizer.weight_decay == pytest.approx(hp.get("weight_decay"))


def test_a_tuner_knows_the_whole_space_before_the_first_trial(tmp_path: Path) -> None:
    hypermodel = SpaceHyperModel(TinySpace())
    tuner = keras_tuner.RandomSearch(hypermodel, objective="val_loss", directory=tmp_path)
    assert {known.name for known in tuner.oracle.get_space().space} == {*values_of(hypermodel), "edge", "node"}


def history(hypermodel: SpaceHyperModel, *args: Any, **kwargs: Any) -> tuple[keras.Model, dict[str, list[float]]]:
    hp = keras_tuner.HyperParameters()
    model = hypermodel.build(hp)
    return model, hypermodel.fit(hp, model, *args, verbose=0, **kwargs).history


def plain(**parts: Any) -> SpaceHyperModel:
    """No augmentation, no smoothing, nothing random."""
    left_out = {"augmentation": None, "label_smoothing": None, "learning_rate": 0.01, "weight_decay": None}
    return SpaceHyperModel(TinySpace(normalize=False), **{"seed": 0, **left_out, **parts})


def test_images_are_standardized_by_the_training_data() -> None:
    x, y = images(32)
    model, _ = history(plain(), x, y, batch_size=32)
    standardized = model.get_layer("scaling")(x.astype("float32"))
    assert float(np.mean(standardized)) == pytest.approx(0.0, abs=1e-4)
    assert float(np.std(standardized)) == pytest.approx(1.0, abs=1e-4)


def test_validation_loss_is_that_of_labels_as_they_are() -> None:
    x, y = images(32)
    given = {"batch_size": 32, "validation_data": (x, y)}
    model, smoothed = history(plain(label_smoothing=0.2), x, y, **given)
    assert smoothed["val_loss"][0] == pytest.approx(
        float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, model(x))), rel=1e-4
    )


def test_smoothing_by_formula() -> None:
    x, y = images(32)
    hypermodel = plain(label_smoothing=0.3)
    before = hypermodel.build(keras_tuner.HyperParameters())
    hypermodel._summary = None
    _, found = history(hypermodel, x, y, batch_size=32)  # one step: the loss is that of the start
    scaled = (x - x.mean()) / x.std()
    logits = before.layers[-1](scaled.astype("float32"))
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)(np.eye(3)[y], logits)
    assert found["loss"][0] == pytest.approx(float(expected), rel=1e-4)


def test_augmentation_acts_on_training_images_only() -> None:
    x, y = images(32)
    inverted = RandAugment(("Invert",), num_layers=1, strength=1.0)
    _, found = history(plain(augmentation=inverted, learning_rate=0.0), x, y, batch_size=32, validation_data=(x, y))
    assert found["loss"][0] != pytest.approx(found["val_loss"][0], rel=1e-3)
    _, same = history(plain(learning_rate=0.0), x, y, batch_size=32, validation_data=(x, y))
    assert same["loss"][0] == pytest.approx(same["val_loss"][0], rel=1e-4)


def test_floats_of_any_range_are_augmented_as_bytes_are() -> None:
    x, y = images(32)
    inverted = RandAugment(("Invert",), num_layers=1, strength=1.0)
    bytes_, floats = (
        history(plain(augmentation=inverted, learning_rate=0.0), data, y, batch_size=32)[1]["loss"][0]
        for data in (x, (x / 255.0 * 2.0 - 0.5).astype("float32"))
    )
    assert floats != bytes_  # the observed range is inverted, not that of bytes
    assert np.isfinite(floats)


def test_mixed_images_have_mixed_labels() -> None:
    x, y = images(32)
    mixing = TrivialAugment(("Identity",), mixing=MixUp(0.5), seed=0)
    _, found = history(plain(augmentation=mixing), x, y, batch_size=16, validation_data=(x, y))
    assert np.isfinite(found["val_loss"]).all()


@pytest.mark.parametrize("kind", ["one_hot", "dataset", "dataset of one-hot"])
def test_data_as_keras_takes_it(kind: str) -> None:
    x, y = images(32)
    labels = np.eye(3, dtype="float32")[y] if "hot" in kind else y
    given = {"x": x, "y": labels, "batch_size": 16, "validation_data": (x, labels)}
    if "dataset" in kind:
        batches = tf.data.Dataset.from_tensor_slices((x, labels)).batch(16)
        given = {"x": batches, "validation_data": batches}
    _, found = history(plain(label_smoothing=0.1, augmentation="trivial_augment"), **given)
    assert np.isfinite([found["loss"][0], found["val_loss"][0]]).all()


def test_numbers_of_a_trial_reach_the_fit() -> None:
    x, y = images(32)
    _, found = history(plain(epochs=2, batch_size=[8]), x, y, batch_size=32)
    assert len(found["loss"]) == 2


def test_the_same_seed_gives_the_same_trial() -> None:
    x, y = images(32)
    first, second = (history(plain(augmentation="trivial_augment"), x, y, batch_size=8)[1] for _ in range(2))
    assert first == second


def test_a_users_model_keeps_its_loss_and_its_weights() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, name="hidden"), keras.layers.Dense(1)])
    model.compile("adam", loss="mse", metrics=["mae"])
    hypermodel = SpaceHyperModel(GatedSpace(model), learning_rate=0.0)
    assert list(values_of(hypermodel)) == ["weight_decay"]  # no pictures, and a loss of its own
    network = hypermodel.build(keras_tuner.HyperParameters())
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(network(x), model(x), rtol=1e-5)
    assert (network.loss, type(network.optimizer)) == ("mse", keras.optimizers.Adam)
    assert list(values_of(SpaceHyperModel(model))) == ["learning_rate", "weight_decay"]


def test_labels_cannot_be_smoothed_for_any_loss() -> None:
    x, y = images(32)
    hypermodel = plain(label_smoothing=0.1)
    model = hypermodel.build(keras_tuner.HyperParameters())
    model.compile("sgd", loss="sparse_categorical_crossentropy")  # as a tuner does that was given a loss
    with pytest.raises(keras_tuner.errors.FatalValueError, match=r"Received: loss='sparse_categorical_crossentropy'"):
        hypermodel.fit(keras_tuner.HyperParameters(), model, x, y)


def test_a_learned_policy_comes_with_what_it_learned() -> None:
    policy = PairPolicy(("Identity", "Brightness"))
    policy.build((None, 8, 8, 1))
    policy.set_weights([np.full(weight.shape, 0.5) for weight in policy.get_weights()])
    copy = plain(augmentation=policy)._policy(keras_tuner.HyperParameters())
    assert copy is not policy
    for old, new in zip(policy.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_several_inputs() -> None:
    rng = np.random.default_rng(0)
    x = {"wide": rng.random((16, 3)), "narrow": rng.random((16, 1))}
    hypermodel = SpaceHyperModel(TwoInputSpace((1,), 2), label_smoothing=None)
    _, found = history(hypermodel, x, np.arange(16) % 2, batch_size=8)
    assert np.isfinite(found["loss"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"learning_rate": (0.1, 0.01)},
            r"learning_rate must be a pair \(low, high\).*Received: learning_rate=\(0.1, 0",
        ),
        ({"weight_decay": (0.0, 0.1)}, r"low > 0; a number; or None. Received: weight_decay=\(0.0, 0.1\)"),
        ({"label_smoothing": 2.0}, r"Received: label_smoothing=2.0"),
        ({"batch_size": 0}, r"batch_size must be a positive integer.*Received: batch_size=0"),
        ({"epochs": [1.5]}, r"Received: epochs=\[1.5\]"),
        ({"augmentation": ["auto"]}, r"Received: augmentation=\['auto'\]"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpaceHyperModel(TinySpace(), **arguments)


class ClashingSpace(TinySpace):
    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        x = choose.op("learning_rate", self.skip())(inputs)
        return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))


def test_a_choice_named_as_a_number_of_the_training() -> None:
    with pytest.raises(ValueError, match=r"Received: \['learning_rate'\] in both"):
        SpaceHyperModel(ClashingSpace())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"validation_split": 0.2}, r"Received: validation_split=0.2"),
        ({"y": np.zeros(3)}, r"same number of examples. Received"),
    ],
)
def test_what_no_trial_can_do_ends_the_search(given: dict[str, Any], message: str) -> None:
    x, y = images(32)
    with pytest.raises(keras_tuner.errors.FatalValueError, match=message):
        history(plain(), **{"x": x, "y": y, **given})
