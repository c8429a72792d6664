"""Hyper-parameters of a plain Keras model, learned while it trains."""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import NUM_CLASSES, TinySpace, images, search_model

import keras_dha
from keras_dha import SearchModel
from keras_dha.hypergradients import T1T2, ForwardMode, HypergradientDescent, Neumann, OneStep, WholePath
from keras_dha.hyperparameters import (
    L2,
    DropoutRate,
    GradientClip,
    LabelSmoothing,
    LearningRate,
    LossWeight,
    Momentum,
    WeightDecay,
)
from keras_dha.optimizers import MomentumSGD
from keras_dha.recipes import Recipe
from keras_dha.schedules import Schedule

X, Y = images()
SEARCH = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1)


def network(*, normalize: bool = False, drops: bool = True) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, name="first", kernel_regularizer=keras.regularizers.L2(1e-3)),
        *([keras.layers.BatchNormalization()] if normalize else [keras.layers.ReLU()]),
        keras.layers.Dropout(0.5 if drops else 0.0, name="early"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.0, name="late"),
        keras.layers.Dense(NUM_CLASSES, name="head"),
    ]
    return keras.Sequential(layers)


def model_of(
    *parts: Any, optimizer: Any = None, normalize: bool = False, drops: bool = True, **arguments: Any
) -> SearchModel:
    arguments = {"schedule": SEARCH, "seed": 0, **arguments}
    model = SearchModel(network(normalize=normalize, drops=drops), hyperparameters=parts, **arguments)
    model.compile(optimizer or MomentumSGD(0.05))
    return model


def fit(model: SearchModel, **arguments: Any) -> dict[str, list[float]]:
    return model.fit(X, Y, **{"batch_size": 16, "epochs": 2, "verbose": 0, **arguments}).history


ALL = (LearningRate, WeightDecay, Momentum, GradientClip, L2, LabelSmoothing, DropoutRate, LossWeight)
ESTIMATORS = {
    "default": (WholePath(), OneStep(), T1T2()),
    "neumann": (Neumann(1), OneStep()),
    "forward": (ForwardMode(),),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_all_of_them_in_one_fit(name: str, tmp_path: Path) -> None:
    parts = [GradientClip(0.1) if kind is GradientClip else kind() for kind in ALL]
    model = model_of(*parts, hypergradients=ESTIMATORS[name])
    steps: list[dict[str, float]] = []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(dict(logs)))
    history = fit(model, callbacks=[watch])
    names = [part.name for part in model.learned]
    for part in model.learned:  # logged in every step, and moved
        seen = [logs[part.name] for logs in steps]
        assert len(set(seen)) > 2, part.name
        assert part.name in history
    assert np.isfinite(history["loss"]).all()
    assert list(model.hyperparameters()) == names

    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert [line.split(":")[0] for line in lines[-len(names) :]] == names

    derived = model.derive()
    rate = model.hyperparameters()["dropout_rate"]
    assert derived.get_layer("early").rate == derived.get_layer("late").rate == pytest.approx(rate)
    assert all(type(layer).__module__.startswith("keras.") for layer in derived.layers)
    assert np.asarray(derived(X, training=True)).std() > 0
    np.testing.assert_allclose(derived.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5)

    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.hyperparameters() == pytest.approx(model.hyperparameters())
    assert [type(part) for part in again.estimators] == [type(part) for part in model.estimators]
    for one, other in zip(model.estimators, again.estimators, strict=True):
        for a, b in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    fit(again, epochs=1)


def test_a_rate_of_its_own_moves_some_weights_more() -> None:
    steps = []
    for parts in ((LearningRate(0.05),), (LearningRate(0.05), LearningRate(0.2, where="head"))):
        schedule = Schedule(search_fraction=1.0, warmup_fraction=0.0, anneal=None)
        model = model_of(*parts, schedule=schedule, hypergradients=OneStep())
        before = {v.path: v.numpy() for v in model.network.trainable_variables}
        model.train_step({"train": (X[:16], Y[:16]), "held_out": (X[16:32], Y[16:32])})
        steps.append({v.path: v.numpy() - before[v.path] for v in model.network.trainable_variables})
    for path, step in steps[0].items():
        np.testing.assert_allclose(steps[1][path], step * (4.0 if "head" in path else 1.0), rtol=1e-4, atol=1e-7)


def test_decays_by_layer() -> None:
    model = model_of(WeightDecay(1e-2), WeightDecay(1e-3, where=network().get_layer("head")), LearningRate(0.05))
    fit(model)
    assert set(model.hyperparameters()) == {"weight_decay", "weight_decay_head", "learning_rate"}
    general, head = model.learned[:2]
    for weight in model.network.trainable_variables:
        kernel = weight.path.endswith("kernel")
        assert (general.acts_on(weight), head.acts_on(weight)) == (
            kernel and "head" not in weight.path,
            "head" in weight.path,
        )


@pytest.mark.parametrize("statistics", ["training", "inference"])
def test_how_held_out_examples_are_normalized(statistics: str) -> None:
    model = model_of(LearningRate(0.05), normalize=True, held_out_pass=statistics)
    bright = np.full((16, 8, 8, 1), 255, "uint8")
    mean = next(v for v in model.network.non_trainable_variables if "moving_mean" in v.path)
    means = []
    for held_out in (X[16:32], bright):
        mean.assign(np.zeros(4))
        keras.utils.set_random_seed(0)
        model.train_step({"train": (X[:16], Y[:16]), "held_out": (held_out, Y[:16])})
        means.append(mean.numpy())
    assert (np.abs(means[0] - means[1]).max() > 1e-4) == (statistics == "training")


def test_nothing_is_dropped_of_held_out_examples() -> None:
    model = model_of(DropoutRate(0.5))
    model.optimizer.learning_rate.assign(0.0)
    model.base_learning_rate.assign(0.0)
    losses = []
    for _ in range(3):
        model.reset_metrics()
        logs = model.train_step({"train": (X[:16], Y[:16]), "held_out": (X[16:32], Y[16:32])})
        losses.append(float(logs["held_out_loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0] == pytest.approx(losses[2], rel=1e-6)


def test_one_rate_of_several_layers() -> None:
    model = model_of(DropoutRate(0.3, where="late"))
    fit(model)
    derived = model.derive()
    assert derived.get_layer("early").rate == 0.5
    assert derived.get_layer("late").rate == pytest.approx(model.hyperparameters()["dropout_rate_late"])


def test_mixed_labels_and_one_hot_ones() -> None:
    policy = keras_dha.augmentation.RandAugment(("Identity",), num_layers=1, mixing=keras_dha.augmentation.MixUp(0.3))
    parts = (LabelSmoothing(), LossWeight(0.1, loss="sparse_categorical_crossentropy"), LearningRate(0.05))
    model = model_of(*parts, augmentation=policy)
    assert np.isfinite(fit(model)["loss"]).all()
    named = SearchModel(network(), hyperparameters=[LabelSmoothing()], schedule=SEARCH, seed=0)
    named.compile(MomentumSGD(0.05), "sparse_categorical_crossentropy")
    assert np.isfinite(fit(named)["loss"]).all()
    one_hot = SearchModel(network(), hyperparameters=[LabelSmoothing()], schedule=SEARCH, seed=0)
    history = one_hot.fit(X, np.eye(NUM_CLASSES)[Y], batch_size=16, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(("kind", "loss"), [("sparse", None), ("binary", keras.losses.BinaryCrossentropy(True))])
def test_smoothed_labels_are_those_of_keras(kind: str, loss: Any) -> None:
    """With a smoothing of 0.2 the loss is Keras's own with `label_smoothing=0.2`."""
    inputs = keras.Input((4,))
    plain = keras.Model(inputs, keras.layers.Dense(3 if kind == "sparse" else 1)(inputs))
    x = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
    y = np.arange(12) % 3 if kind == "sparse" else (np.arange(12) % 2).astype("float32")[:, None]
    model = SearchModel(plain, hyperparameters=[LabelSmoothing(0.2)], schedule=SEARCH, seed=0)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=[])
    found = float(model._loss_of(x, tf.constant(y), None)[0])
    if kind == "sparse":
        expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)(np.eye(3)[y], plain(x))
    else:
        expected = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)(y, plain(x))
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_the_bound_that_is_in_the_way_is_named() -> None:
    model = model_of(LearningRate(0.05, bounds=(0.0499, 0.0501)))
    with pytest.warns(UserWarning, match=r"learning_rate sits at its bound 0\.0\d+.*bounds=\(0\.0499, 0\.0501\)"):
        fit(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(model_of(LearningRate(0.05)))


def test_a_spike_in_the_held_out_batch_moves_little() -> None:
    model = model_of(LearningRate(0.05, max_step=0.02), WeightDecay())
    batch = (X[:16], Y[:16])
    for _ in range(3):
        model.train_step({"train": batch, "held_out": batch})
    before = model.hyperparameters()
    model.train_step({"train": batch, "held_out": (X[:16].astype("float32") * 1e30, Y[:16])})
    after = model.hyperparameters()
    assert np.isfinite(list(after.values())).all()
    assert abs(np.log(after["learning_rate"] / before["learning_rate"])) <= 0.0201


def strategy() -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())


def test_second_derivatives_on_two_replicas() -> None:
    with strategy().scope():
        model = model_of(L2())
        with pytest.raises(ValueError, match=r"learned on one replica\. Received: 2 replicas, and \['l2'\]"):
            fit(model)


def test_two_replicas_learn_what_one_learns() -> None:
    found = []
    for scope in (None, strategy().scope()):
        with scope or warnings.catch_warnings():
            estimators = [HypergradientDescent(), OneStep()]
            model = model_of(LearningRate(0.05), WeightDecay(), hypergradients=estimators, drops=False)
            fit(model, held_out=(X[:32], Y[:32]))
        found.append(model.hyperparameters())
    assert found[0] == pytest.approx(found[1], rel=1e-3)


@pytest.mark.parametrize(
    ("parts", "optimizer", "message"),
    [
        ((Momentum(),), keras.optimizers.SGD, r"with keras_dha\.optimizers\.MomentumSGD\. Received: optimizer=SGD"),
        ((LearningRate(where="tail"),), MomentumSGD, r"found in the path of a weight\. Received: where=\('tail',\)"),
        (
            (LearningRate(where="head"), LearningRate(where="kernel")),
            MomentumSGD,
            r"act on a weight\. Received: learning_rate_head and learning_rate_kernel, both on",
        ),
        (
            (L2(), L2(name="other")),
            MomentumSGD,
            r"At most one L2 may be that of all weights\. Received: \['l2', 'other'\]",
        ),
        ((LearningRate(0.02, bounds=(0.01, 0.04)),), MomentumSGD, r"its bounds\. Received: learning_rate=0\.05"),
    ],
)
def test_what_cannot_be_learned_together(parts: Any, optimizer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_of(*parts, optimizer=optimizer(0.05))


def test_a_rate_of_no_layer() -> None:
    bare = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(NUM_CLASSES)])
    with pytest.raises(ValueError, match=r"must have keras\.layers\.Dropout for dropout_rate .* layers \[\]"):
        SearchModel(bare, hyperparameters=[DropoutRate()])
    with pytest.raises(ValueError, match=r"Received: where=\('tail',\), layers \['early', 'late'\]"):
        SearchModel(network(), hyperparameters=[DropoutRate(), DropoutRate(where="tail")])


def test_losses_that_cannot_be_weighed_or_smoothed() -> None:
    model = SearchModel(network(), hyperparameters=[LabelSmoothing()], schedule=SEARCH)
    model.compile(MomentumSGD(0.05), keras.losses.SquaredHinge(), metrics=[])
    with pytest.raises(ValueError, match=r"must be a cross-entropy .* Received: loss=squaredhinge"):
        model.fit(X, np.eye(NUM_CLASSES)[Y], batch_size=16, verbose=0)
    plain = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(NUM_CLASSES)])
    model = SearchModel(plain, hyperparameters=[LossWeight()], schedule=SEARCH)
    with pytest.raises(ValueError, match=r"Received: a network without add_loss and regularizers"):
        fit(model)


@pytest.mark.parametrize("kind", [Momentum, LabelSmoothing, LossWeight])
def test_what_acts_everywhere(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"Received: where='head'\. Leave it out"):
        kind(where="head")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"hypergradients": []}, TypeError, r"Received: hypergradients=\(\)"),
        ({"hypergradients": OneStep}, TypeError, r"as objects\. Received: hypergradients=<class"),
        ({"held_out_pass": "none"}, ValueError, "Received: held_out_pass='none'"),
    ],
)
def test_wrong_parts(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SearchModel(network(), hyperparameters=[LearningRate()], **arguments)


@keras.saving.register_keras_serializable(package="tests")
class DroppingSpace(TinySpace):
    """With dropout before its head."""

    def build(self, choose: Any) -> keras.Model:
        inputs = keras.Input(self.input_shape)
        x = choose.op("edge", {"conv": lambda: self.convolution(3), "point": lambda: self.convolution(1)})(inputs)
        x = keras.layers.Dropout(0.5, name="dropout")(keras.layers.GlobalAveragePooling2D()(x))
        return keras.Model(inputs, keras.layers.Dense(NUM_CLASSES)(x))


def test_a_rate_of_dropout_in_a_space() -> None:
    model = search_model(space=DroppingSpace(), hyperparameters=(DropoutRate(0.3),))
    fit(model)
    rate = model.hyperparameters()["dropout_rate"]
    assert rate != pytest.approx(0.3, rel=1e-6)
    derived = model.derive()
    assert derived.layers[-1].get_layer("dropout").rate == pytest.approx(rate)
    np.testing.assert_allclose(derived.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5)


def test_a_space_learns_them_too() -> None:
    parts = (LearningRate(0.05, bounds=(0.005, 0.5)), LabelSmoothing(), L2())
    model = search_model(hyperparameters=parts)
    fit(model)
    for part in model.learned:
        assert abs(np.log(float(part.value()) / part.initial)) > 1e-4
    assert isinstance(model.recipe, Recipe)
