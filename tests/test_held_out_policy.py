"""A policy that learns from what training on its images does to held-out examples."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_space import TinySpace, assert_same, images, search_model, weights_of

from keras_dha import SearchModel
from keras_dha.augmentation import PairPolicy, RelaxedPolicy
from keras_dha.hyperparameters import LearningRate
from keras_dha.policy_step import Augmented
from keras_dha.relaxations import OneHotSample
from keras_dha.schedules import Schedule

X, Y = images()
HELD_OUT = images(20, seed=1)
SEARCH = Schedule(search_fraction=1.0, warmup_fraction=0.0, hyperparameters_every=1)


def policy(operations: tuple[str, ...] = ("Identity", "Brightness"), **arguments: Any) -> PairPolicy:
    own = {"direction": "held_out", "score": "log_probability", "temperature": None, "search_magnitude": 8.0}
    return PairPolicy(operations, **{**own, **arguments})


def fit(model: SearchModel, x: Any = X, y: Any = Y, **arguments: Any) -> dict[str, list[float]]:
    return model.fit(x, y, **{"batch_size": 16, "epochs": 2, "held_out": HELD_OUT, "verbose": 0, **arguments}).history


def users_model(shape: tuple[int, ...] = (8, 8, 1)) -> keras.Model:
    keras.utils.set_random_seed(2)
    inputs = keras.Input(shape)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, activation="tanh")(inputs))
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def test_agreement_is_the_inner_product_of_gradients_and_changes_nothing() -> None:
    model = SearchModel(users_model(), augmentation=policy(), schedule=SEARCH, seed=0)
    model.compile()
    x, y, weights = X[:5].astype("float32") / 255, Y[:5], model.network.trainable_variables
    model.network.layers[-2].rate = 0.0  # that of one example must be known without the others' masks
    vector = [np.random.default_rng(i).normal(size=w.shape).astype("float32") for i, w in enumerate(weights)]
    before = [np.array(variable) for variable in model.network.variables]
    found = tf.function(
        lambda: model._agreement(Augmented(tf.constant(x), y), [tf.constant(v) for v in vector], weights)[0][0]
    )()
    for variable, value in zip(model.network.variables, before):
        np.testing.assert_array_equal(variable, value)
    with tf.GradientTape() as tape:
        losses = model._per_example_losses(y, model.network(x, training=True)[0])[0]
    rows = tape.jacobian(losses, [w.value for w in weights])
    exact = sum(np.sum(np.asarray(row) * v, axis=tuple(range(1, v.ndim + 1))) for row, v in zip(rows, vector))
    np.testing.assert_allclose(found, exact, rtol=2e-2, atol=2e-2 * np.abs(exact).max())


def test_agreement_is_that_of_directions() -> None:
    # Along the gradient of the batch itself nothing is gained: only its length would change.
    model = SearchModel(users_model(), augmentation=policy(), schedule=SEARCH, seed=0)
    model.compile()
    model.network.layers[-2].rate = 0.0
    x, y, weights = X[:6].astype("float32") / 255, Y[:6], model.network.trainable_variables
    with tf.GradientTape() as tape:
        losses = model._per_example_losses(y, model.network(x, training=True)[0])[0]
    rows = tape.jacobian(losses, [w.value for w in weights])
    rows = np.concatenate([np.reshape(row, (6, -1)) for row in rows], axis=1)
    rng = np.random.default_rng(0)
    held_out = [tf.constant(rng.normal(size=w.shape), "float32") for w in weights]
    mean = tf.split(rows.mean(axis=0), [int(np.prod(w.shape)) for w in weights])
    batch = Augmented(x, y, gradients=[tf.reshape(part, w.shape) for part, w in zip(mean, weights)])
    (found,), _ = model._agreement(batch, held_out, weights)
    flat = np.concatenate([np.ravel(v) for v in held_out])
    own = rows.mean(axis=0)
    exact = rows @ (flat - own * (flat @ own) / (own @ own))
    np.testing.assert_allclose(found, exact, rtol=2e-2, atol=2e-2 * np.abs(exact).max())
    assert abs(np.mean(found)) < 2e-2 * np.abs(exact).max()


def test_agreement_has_a_gradient_through_the_images() -> None:
    model = SearchModel(users_model(), augmentation=RelaxedPolicy(("Brightness",)), schedule=SEARCH, seed=0)
    model.compile()
    model.network.layers[-2].rate = 0.0
    x, y, weights = tf.constant(X[:5].astype("float32") / 255), Y[:5], model.network.trainable_variables
    vector = [np.random.default_rng(i).normal(size=w.shape).astype("float32") for i, w in enumerate(weights)]
    batch = Augmented(x, y, draws={}, tape=tf.GradientTape())
    (values,), slopes = model._agreement(batch, [tf.constant(v) for v in vector], weights)
    assert values.shape == (5,)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model._per_example_losses(y, model.network(x, training=True)[0])[0])
        product = sum(tf.reduce_sum(g * v) for g, v in zip(tape.gradient(loss, weights), vector))
    exact = np.asarray(outer.gradient(product, x))
    np.testing.assert_allclose(slopes, exact, rtol=5e-2, atol=2e-2 * np.abs(exact).max())
    assert float(product) == pytest.approx(float(np.mean(values)), rel=2e-2)


@pytest.mark.parametrize("direction", ["held_out", "adversarial"])
def test_a_policy_learns_through_its_images_until_it_is_settled(direction: str) -> None:
    own = RelaxedPolicy(("Brightness", "TranslateXRel", "Invert"), direction=direction, seed=0)
    schedule = Schedule(search_fraction=0.5, warmup_fraction=0.0, hyperparameters_every=1)
    model = SearchModel(users_model(), augmentation=own, schedule=schedule, seed=0)
    model.compile(keras.optimizers.SGD(0.05), augmentation_optimizer=keras.optimizers.Adam(0.05))
    learned = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            learned.append([np.array(v) for v in model.augmentation.trainable_variables])

    fit(model, epochs=4, callbacks=[Watch()])
    for start, middle, end, last in zip([0.0] * 3, learned[0], learned[2], learned[3]):
        assert np.abs(middle - start).max() > 0.01
        np.testing.assert_array_equal(end, last)
    assert float(model.augmentation.hard) == 1.0
    assert not [layer for layer in model.derive().layers if "policy" in layer.name]


def test_a_policy_for_spectrograms() -> None:
    # Decibels, time by frequency, scaled to [0, 1] and back: shifts and gaps make sense, turns do not.
    rng = np.random.default_rng(0)
    x, y = rng.normal(-40.0, 20.0, (48, 20, 9, 1)).astype("float32"), np.arange(48) % 3
    x[np.arange(48), :, 3 * y] += 60.0
    inputs = keras.Input((20, 9, 1))
    seen = keras.layers.Flatten()(keras.layers.Rescaling(0.02, 0.8)(inputs))
    own = RelaxedPolicy(("Identity", "TranslateXRel", "TranslateYRel", "Cutout"), seed=0)
    model = SearchModel(keras.Model(inputs, keras.layers.Dense(3)(seen)), augmentation=own, schedule=SEARCH, seed=0)
    fit(model, x, y, held_out=0.25)
    assert np.abs(np.asarray(model.policy()["strengths"]) - 0.5).max() > 0
    np.testing.assert_allclose(model.derive().predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("seed", [0, 1])
def test_choices_and_dropout_are_drawn_alike_on_both_sides(seed: int) -> None:
    model = search_model(augmentation=policy(), hyperparameters=None, relaxation=OneHotSample(), seed=seed)
    x, weights = X[:5].astype("float32") / 255, model.network.trainable_variables
    batch = Augmented(x, Y[:5])
    nothing = [tf.zeros(w.shape) for w in weights]
    small = [tf.constant(1e-3 * np.ones(w.shape, "float32")) for w in weights]
    model.compile()
    np.testing.assert_array_equal(model._agreement(batch, nothing, weights)[0][0], np.zeros(5))
    one, same = (model._agreement(batch, small, weights)[0][0] for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_measuring_it_leaves_the_rest_of_the_step_as_it_is() -> None:
    # Both make the held-out pass, which draws dropout of its own: for a learning rate that stays where it is.
    rate = [LearningRate(0.05, space="raw")]
    both = [
        SearchModel(users_model(), augmentation=own, hyperparameters=rate, schedule=SEARCH, seed=0)
        for own in (policy(("Identity",)), policy(("Identity",), direction="adversarial"))
    ]
    for model in both:
        still = keras.optimizers.SGD(0.0)
        model.compile(keras.optimizers.SGD(0.05), hyperparameter_optimizer=still)
        fit(model)
    for one, other in zip(both[0].network.weights, both[1].network.weights):
        np.testing.assert_array_equal(one, other)


def test_it_is_learned_in_steps_that_are_due_while_the_search_lasts() -> None:
    every = Schedule(search_fraction=0.5, warmup_fraction=0.0, hyperparameters_every=3)
    model = SearchModel(users_model(), augmentation=policy(), schedule=every, seed=0)
    model.compile()
    history = fit(model, epochs=4)
    assert int(model.augmentation_optimizer.iterations) == 3  # of eight steps of search: the 1st, 4th and 7th
    assert "held_out_loss" in history
    assert np.abs(np.asarray(model.policy()["probabilities"]) - 0.25).max() > 1e-5


def test_with_hyperparameters_and_an_architecture() -> None:
    model = search_model(augmentation=policy(), schedule=SEARCH)
    fit(model)
    assert np.abs(np.asarray(model.policy()["probabilities"]) - 0.25).max() > 1e-5
    assert model.hyperparameters()["learning_rate"] != pytest.approx(0.05, rel=1e-6)


def test_twice_the_same_seed_is_twice_the_same_search() -> None:
    models = [search_model(space=TinySpace(normalize=False), augmentation=policy(), schedule=SEARCH) for _ in range(2)]
    assert fit(models[0]) == fit(models[1])
    assert_same(weights_of(models[0]), weights_of(models[1]))


def test_without_held_out_examples_it_says_so() -> None:
    model = SearchModel(users_model(), augmentation=policy(), seed=0)
    with pytest.raises(ValueError, match="Something must be held out"):
        fit(model, held_out=None)


def test_what_destroys_labels_becomes_rare_where_an_adversary_would_seek_it() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(256) % 3
    x = (0.15 + 0.3 * y[:, None, None, None] + 0.1 * rng.random((256, 8, 8, 1))).astype("float32")  # how bright
    shares = {}
    for direction in ("held_out", "adversarial"):
        own = policy(("Identity", "Invert", "Contrast", "FlipX"), direction=direction)
        model = SearchModel(users_model(), augmentation=own, schedule=SEARCH, seed=0)
        model.compile(keras.optimizers.SGD(0.05), augmentation_optimizer=keras.optimizers.Adam(0.05))
        fit(model, x, y, epochs=6, held_out=0.5)
        probabilities = np.asarray(model.policy()["probabilities"])
        shares[direction] = float(probabilities.sum(0)[1] + probabilities.sum(1)[1]) / 2
    assert shares["held_out"] < 0.15 < 0.25 < shares["adversarial"]


def test_agreement_in_half_precision() -> None:
    model = SearchModel(users_model(), augmentation=policy(), schedule=SEARCH, seed=0, dtype="mixed_bfloat16")
    outputs = tf.cast(tf.random.normal((5, 3), seed=0), "bfloat16")
    model.compile()
    (losses,) = model._per_example_losses(Y[:5], outputs)
    assert losses.dtype == "float32"
    (exact,) = model._per_example_losses(Y[:5], tf.cast(outputs, "float32"))
    np.testing.assert_array_equal(losses, exact)
