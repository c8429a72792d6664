"""Training on images with a part of another one in them."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import images, search_model

from keras_dha import SearchModel
from keras_dha.augmentation import CutMix, Mixing, MixUp, PairPolicy, RelaxedPolicy
from keras_dha.schedules import Schedule

X, Y = images(24, dtype="float32")
ONE_HOT = np.eye(3, dtype="float32")[Y]
SEARCH = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1)


def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(6, activation="tanh")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.1))(x))


def given(policy: Any, loss: Any = None) -> SearchModel:
    model = SearchModel(network(), augmentation=policy, hyperparameters=None, schedule=SEARCH, seed=0)
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, augmentation_optimizer=keras.optimizers.SGD(1.0))
    return model


def soft_loss(model: SearchModel, drawn: Any, sample_weight: Any = 1.0) -> Any:
    """The cross-entropy with mixed one-hot labels, and what regularizers add."""
    pictures, draws = drawn
    share = draws["share"][:, None]
    labels = share * ONE_HOT + (1 - share) * tf.gather(ONE_HOT, draws["partner"])
    logits = model.network(model.scaling.standardize(pictures))[0]
    losses = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
    return tf.reduce_mean(losses * sample_weight) + sum(model.network.losses)


@pytest.mark.parametrize("mixing", [MixUp(), CutMix()])
@pytest.mark.parametrize("sample_weight", [None, np.linspace(0.1, 2.0, 24).astype("float32")])
def test_the_loss_is_that_of_mixed_labels(mixing: Mixing, sample_weight: Any) -> None:
    model = given(PairPolicy(("Identity",), mixing=mixing))
    twin = given(PairPolicy(("Identity",), mixing=mixing))
    logs = model.train_on_batch(X, Y, sample_weight=sample_weight, return_dict=True)
    drawn = twin.augmentation.augment(twin.scaling.unit(X))
    weight = 1.0 if sample_weight is None else sample_weight
    assert logs["loss"] == pytest.approx(float(soft_loss(twin, drawn, weight)), rel=1e-4)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", keras.losses.sparse_categorical_crossentropy])
def test_a_loss_may_be_a_name_or_a_function(loss: Any) -> None:
    named, plain = (given(PairPolicy(("Identity",), mixing=MixUp(strength)), loss) for strength in (1.0, 0.0))
    without = given(PairPolicy(("Identity",)), loss)
    found = [model.train_on_batch(X, Y, return_dict=True)["loss"] for model in (named, plain, without)]
    assert np.isfinite(found).all()
    assert found[1] == pytest.approx(found[2], rel=1e-5)
    assert found[0] != pytest.approx(found[2], rel=1e-3)


@pytest.mark.parametrize("kind", [MixUp, CutMix])
@pytest.mark.parametrize("policy", [PairPolicy, RelaxedPolicy])
@pytest.mark.parametrize(("direction", "sign"), [("adversarial", 1.0), ("cooperative", -1.0)])
def test_a_learned_strength_follows_the_loss(kind: Any, policy: Any, direction: str, sign: float) -> None:
    models = [given(policy(("Identity",), mixing=kind(0.5, learned=True), direction=direction)) for _ in range(2)]
    models[0].train_on_batch(X, Y)
    strength = models[1].augmentation.mixing.logit
    with tf.GradientTape() as tape:
        loss = soft_loss(models[1], models[1].augmentation.augment(models[1].scaling.unit(X)))
    slope = float(tape.gradient(loss, strength))
    moved = float(models[0].augmentation.mixing.logit - strength)
    assert abs(slope) > 1e-4
    assert moved == pytest.approx(sign * slope, rel=1e-2)


def test_a_learned_strength_follows_held_out_examples() -> None:
    own = RelaxedPolicy(("Identity",), mixing=MixUp(0.5, learned=True))
    models = [given(own) for _ in range(2)]
    held_out = images(16, dtype="float32", seed=5)
    batch = {"train": (X, Y), "held_out": held_out}
    models[0].train_step(tf.nest.map_structure(tf.constant, batch))
    twin = models[1]
    strength, weights = twin.augmentation.mixing.logit, twin.network.trainable_variables
    with tf.GradientTape() as tape:
        scores = twin.network(twin.scaling(held_out[0]))[0]
        loss = twin.loss(held_out[1], scores) + sum(twin.network.losses)
    wanted = tape.gradient(loss, weights)
    with tf.GradientTape() as outer:
        drawn = twin.augmentation.augment(twin.scaling.unit(X))
        with tf.GradientTape() as tape:
            loss = soft_loss(twin, drawn)
        gradients = tape.gradient(loss, weights)
        product = sum(tf.reduce_sum(g * v) for g, v in zip(gradients, wanted))
        square = sum(tf.reduce_sum(g * g) for g in gradients)
        cosine = product / tf.sqrt(square * sum(tf.reduce_sum(v * v) for v in wanted))
    slope, moved = float(outer.gradient(cosine, strength)), float(models[0].augmentation.mixing.logit - strength)
    assert slope * moved > 0
    assert abs(slope) > 1e-6


def test_a_search_of_everything_with_mixed_images() -> None:
    policy = PairPolicy(("Identity", "Brightness"), mixing=CutMix(0.5, learned=True))
    model = search_model(augmentation=policy)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert 0.0 < float(model.augmentation.mixing.strength()) < 1.0
    assert model.policy()["mixing"]["name"] == "keras_dha>CutMix"
