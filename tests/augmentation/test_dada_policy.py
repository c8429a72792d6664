import json
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha import roles
from keras_dha.augmentation import DADAPolicy, load

MANY = np.random.default_rng(1).random((20_000, 2, 2, 1), "float32")
THREE = ("Invert", "Identity", "FlipX")


def with_numbers(policy: DADAPolicy, seed: int = 0) -> DADAPolicy:
    rng = np.random.default_rng(seed)
    for variable in (policy.choice, policy.probability, policy.strength):
        variable.assign(rng.normal(size=variable.shape))
    return policy


def test_all_pairs_of_two_operations_are_there() -> None:
    policy = DADAPolicy()
    assert len(policy.operations) == 15
    assert policy.pairs.shape == (105, 2)
    assert (policy.pairs[:, 0] < policy.pairs[:, 1]).all()
    assert {roles.role_of(variable) for variable in policy.trainable_variables} == {roles.AUGMENTATION}
    assert float(policy.entropy()) == pytest.approx(np.log(105), rel=1e-5)


def test_pairs_and_whether_they_happen_are_drawn_as_learned() -> None:
    policy = with_numbers(DADAPolicy(THREE, seed=0))
    out, draws = policy.augment(MANY)
    pair, happens = np.asarray(draws["pair"]), np.asarray(draws["happens"])
    learned = policy.policy()
    np.testing.assert_allclose(pair.mean(axis=0), learned["choices"], atol=0.02)
    for i in range(3):
        np.testing.assert_allclose(happens[pair[:, i] == 1].mean(axis=0), learned["probabilities"][i], atol=0.03)
    done = [(pair @ (policy.pairs == k) * happens).sum(axis=1) > 0 for k in (0, 2)]
    expected = np.where(done[0][:, None, None, None], 1 - MANY, MANY)
    expected = np.where(done[1][:, None, None, None], expected[:, :, ::-1], expected)
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_choices_and_probabilities_get_the_gradient_of_the_mean_signal() -> None:
    # Three pairs of operations whose signal is known: the exact gradient is a sum over all that can be drawn.
    worth = np.array([[0.0, 1.0], [-1.0, 2.0], [3.0, 0.5]], "float32")  # of each operation of each pair, if it happens
    policy = with_numbers(DADAPolicy(THREE, direction="cooperative", seed=0))
    for control in policy._controls:
        for variable in control:
            variable.assign(0.2 * np.random.default_rng(5).normal(size=variable.shape))
    draws = policy.augment(MANY)[1]
    signal = np.sum(np.asarray(draws["pair"]) @ worth * np.asarray(draws["happens"]), axis=1)
    learned = [policy.choice, policy.probability]
    with tf.GradientTape() as tape:
        loss = policy.loss(draws, tf.constant(signal, "float32"))
    found = tape.gradient(loss, learned)
    with tf.GradientTape() as tape:
        exact = tf.reduce_sum(tf.nn.softmax(policy.choice)[:, None] * tf.sigmoid(policy.probability) * worth)
    for one, other in zip(found, tape.gradient(exact, learned)):
        np.testing.assert_allclose(one, other, atol=0.06)
        assert np.abs(other).max() > 0.2


def test_the_control_variates_are_fitted_to_the_signal() -> None:
    policy = with_numbers(DADAPolicy(THREE, direction="adversarial", seed=0))
    optimizer, misfits = keras.optimizers.Adam(0.02), []
    controls = [variable for control in policy._controls for variable in control]
    for _ in range(150):
        draws = policy.augment(MANY[:64])[1]
        signal = 2.0 + np.asarray(draws["pair"]) @ np.array([0.0, 1.0, 3.0], "float32")
        with tf.GradientTape() as tape:
            loss = policy.loss(draws, signal)
        optimizer.apply(tape.gradient(loss, controls), controls)
        misfits.append(float(loss + np.mean(signal)))
    assert np.mean(misfits[-10:]) < 0.2 * np.mean(misfits[:10])


def test_strengths_learn_through_the_images_that_they_made() -> None:
    policy = DADAPolicy(("Brightness", "Rotate", "Invert"), seed=0)
    assert policy.learns_through_images
    x = np.random.default_rng(0).random((32, 6, 5, 3), "float32")
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(policy.augment(x)[0] ** 2)
    slope = np.asarray(tf.convert_to_tensor(tape.gradient(value, policy.strength)))
    assert np.abs(slope[:, 0]).min() > 0  # brightness, brightness, rotate
    assert slope[1, 1] == slope[2, 1] == 0  # invert has no strength
    assert slope[0, 1] != 0


def test_what_it_learned_comes_back_from_a_file(tmp_path: Any) -> None:
    policy = with_numbers(DADAPolicy(THREE, direction="adversarial", temperature=0.3, seed=0))
    (tmp_path / "policy.json").write_text(json.dumps(policy.policy()))
    loaded = load(tmp_path / "policy.json", seed=0)
    np.testing.assert_allclose(loaded(MANY[:64]), policy(MANY[:64]), atol=1e-5)
    again, before = loaded.policy(), policy.policy()
    for name in ("choices", "probabilities", "strengths"):
        np.testing.assert_allclose(again.pop(name), before.pop(name), rtol=1e-4)
    assert again == before


def test_what_it_learned_in_words() -> None:
    policy = DADAPolicy(("Rotate", "Invert", "Cutout"), initial_strength=0.25)
    policy.choice.assign(np.log([0.2, 0.7, 0.1]))
    assert policy.sentences(1) == [
        "One of 3 pairs for each image; the most probable, and how often they happen:",
        "Rotate of strength 0.25 (50%), then Cutout of strength 0.25 (50%): 70.00% of the images.",
    ]


def test_two_operations_are_one_pair() -> None:
    policy = DADAPolicy(("Invert", "FlipX"), seed=0)
    draws = policy.augment(MANY[:16])[1]
    assert np.isfinite(float(policy.loss(draws, np.arange(16.0))))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operations": ("Invert",)}, "operations must be at least two. Received"),
        ({"temperature": 0.0}, "temperature must be positive. Received"),
        ({"direction": "up"}, "direction must be one of .* Received: direction='up'"),
        ({"initial_probability": 0.0}, "initial_probability must be between 0 and 1. Received"),
        ({"initial_strength": 1.0}, "initial_strength must be between 0 and 1. Received"),
        ({"units": 0}, "units must be at least 1. Received"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DADAPolicy(**{"operations": THREE, **arguments})


def test_a_wrong_file() -> None:
    with pytest.raises(ValueError, match="A policy's choices must sum to 1"):
        load({**DADAPolicy(THREE).policy(), "choices": [0.5, 0.5, 0.5]})
