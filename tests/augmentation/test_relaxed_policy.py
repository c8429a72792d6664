import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from keras_dha import roles
from keras_dha.augmentation import TRANSFORMS, RelaxedPolicy, load

IMAGES = np.random.default_rng(0).random((8, 6, 5, 3), "float32")
MANY = np.random.default_rng(1).random((4000, 2, 2, 1), "float32")
TONES = ("Brightness", "Contrast", "Invert", "Identity")


def with_choices(policy: RelaxedPolicy, *, scale: float = 1.0, seed: int = 0) -> RelaxedPolicy:
    rng = np.random.default_rng(seed)
    for variable in policy.trainable_variables:
        variable.assign(scale * rng.normal(size=variable.shape))
    return policy


def test_choice_probability_and_strength_are_learned() -> None:
    policy = RelaxedPolicy(TONES, num_sub_policies=3, num_operations=2)
    assert [variable.name for variable in policy.trainable_variables] == ["choice", "probability", "strength"]
    assert {roles.role_of(variable) for variable in policy.trainable_variables} == {roles.AUGMENTATION}
    assert all(tuple(variable.shape) == (3, 2, 4) for variable in policy.trainable_variables)


def test_it_draws_single_operations_once_it_is_settled() -> None:
    policy = RelaxedPolicy(("Invert", "Identity", "FlipX"), num_operations=1, seed=0)
    policy.choice.assign([[[1.0, 0.0, 0.5]]])
    policy.probability.assign([[[2.0, 0.0, 0.0]]])
    policy.set_phase(settled=True)
    out = np.asarray(policy(MANY))
    inverted = np.isclose(out, 1 - MANY, atol=1e-6).all(axis=(1, 2, 3)).mean()
    share = np.exp(1.0) / (np.exp(1.0) + 1.0 + np.exp(0.5)) / (1 + np.exp(-2.0))
    assert abs(inverted - share) < 0.03
    flipped = np.isclose(out, MANY[:, :, ::-1], atol=1e-6).all(axis=(1, 2, 3)).mean()
    assert abs(flipped - 0.5 * np.exp(0.5) / (np.exp(1.0) + 1.0 + np.exp(0.5))) < 0.03
    assert abs((np.isclose(out, MANY, atol=1e-6).all(axis=(1, 2, 3))).mean() + inverted + flipped - 1.0) < 1e-3


def test_it_draws_single_operations_in_steps_in_which_it_does_not_learn() -> None:
    both = [with_choices(RelaxedPolicy(TONES, seed=0)) for _ in range(2)]
    both[1].set_phase(settled=True)
    waiting, settled = both[0].augment(IMAGES, learns=tf.constant(False))[0], both[1].augment(IMAGES)[0]
    np.testing.assert_array_equal(waiting, settled)
    assert np.abs(np.asarray(both[0].augment(IMAGES, learns=tf.constant(True))[0]) - settled).max() > 0.01


@pytest.mark.parametrize("num_operations", [1, 2, 3])
def test_cold_mixtures_are_single_operations(num_operations: int) -> None:
    cold = {"choice_temperature": 1e-4, "probability_temperature": 1e-4}
    both = [with_choices(RelaxedPolicy(TONES, num_operations=num_operations, seed=0, **cold)) for _ in range(2)]
    both[1].set_phase(settled=True)
    mixed, single = (np.asarray(policy.augment(IMAGES)[0]) for policy in both)
    np.testing.assert_allclose(mixed, single, atol=1e-5)
    assert (np.abs(single - IMAGES).max(axis=(1, 2, 3)) > 0.01).any()


def test_a_cold_mixture_turns_images_as_a_single_operation_does() -> None:
    cold = {"choice_temperature": 1e-4, "probability_temperature": 1e-4, "num_operations": 1}
    both = [with_choices(RelaxedPolicy(("Rotate", "ShearX", "FlipY"), seed=0, **cold)) for _ in range(2)]
    both[1].set_phase(settled=True)
    mixed, single = (np.asarray(policy.augment(IMAGES)[0]) for policy in both)
    np.testing.assert_allclose(mixed, single, atol=1e-4)


def test_without_a_temperature_the_weights_are_those_of_the_choice() -> None:
    arguments = {"choice_temperature": None, "initial_probability": 1 - 1e-7, "probability_temperature": 1e-3}
    policy = RelaxedPolicy(("Invert", "Identity"), num_operations=1, seed=0, **arguments)
    policy.choice.assign([[[np.log(0.3), np.log(0.7)]]])
    np.testing.assert_allclose(policy.augment(IMAGES)[0], 0.3 * (1 - IMAGES) + 0.7 * IMAGES, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, None])
def test_gradients_are_those_of_the_images(temperature: float | None) -> None:
    upstream = np.random.default_rng(2).normal(size=IMAGES.shape).astype("float32")
    arguments = {"num_sub_policies": 2, "choice_temperature": temperature, "probability_temperature": 0.5}

    def policy() -> RelaxedPolicy:
        return with_choices(RelaxedPolicy(("Brightness", "Rotate", "Contrast"), seed=0, **arguments), scale=0.5)

    def value(layer: RelaxedPolicy) -> Any:
        return tf.reduce_sum(layer.augment(IMAGES)[0] * upstream)

    one = policy()
    with tf.GradientTape() as tape:
        found = value(one)
    gradients = tape.gradient(found, one.trainable_variables)
    rng, width = np.random.default_rng(3), 1e-2
    for number, gradient in enumerate(gradients):
        direction = rng.choice([-1.0, 1.0], gradient.shape)
        sides = []
        for sign in (1.0, -1.0):
            moved = policy()
            moved.trainable_variables[number].assign_add(sign * width * direction)
            sides.append(float(value(moved)))
        secant = (sides[0] - sides[1]) / (2 * width)
        assert float(np.sum(gradient * direction)) == pytest.approx(secant, rel=0.05, abs=0.02)


def test_every_transform_can_be_part_of_it() -> None:
    policy = RelaxedPolicy(tuple(sorted(TRANSFORMS)), seed=0)
    with tf.GradientTape() as tape:
        out = policy.augment(IMAGES)[0]
        loss = tf.reduce_sum(out**2)
    assert out.shape == IMAGES.shape
    assert 0.0 <= np.min(out) <= np.max(out) <= 1.0
    *_, strength = tape.gradient(loss, policy.trainable_variables)
    moves = {name for name, slope in zip(policy.operations, np.abs(strength).sum(axis=(0, 1))) if slope > 0}
    assert moves == {name for name in TRANSFORMS if TRANSFORMS[name].strength_gradient is not None}


def test_sub_policies_are_drawn_alike_and_begin_apart() -> None:
    policy = RelaxedPolicy(TONES, num_sub_policies=4, seed=0)
    _, draws = policy.augment(MANY)
    assert abs(np.bincount(np.asarray(draws["sub_policy"])) - 1000).max() < 120
    assert np.asarray(policy.choice).std() > 0.1
    assert not np.asarray(RelaxedPolicy(TONES).choice).any()


@pytest.mark.parametrize(("direction", "sign"), [("adversarial", -1.0), ("cooperative", 1.0)])
def test_the_loss_is_the_mean_of_the_signal(direction: str, sign: float) -> None:
    policy = RelaxedPolicy(TONES, direction=direction)
    assert policy.learns_from == "training"
    assert float(policy.loss({}, np.array([1.0, 2.0, 6.0], "float32"))) == pytest.approx(3.0 * sign)


def test_the_scale_of_the_agreement_does_not_matter() -> None:
    policy, values = RelaxedPolicy(TONES), np.array([1.0, -2.0, 6.0], "float32")
    assert policy.learns_from == "held_out"
    assert float(policy.loss({}, values)) == pytest.approx(float(policy.loss({}, 1e-6 * values)), rel=1e-5)
    assert float(policy.loss({}, values)) == pytest.approx(-np.mean(values) / np.std(values), rel=1e-5)
    assert np.isfinite(float(policy.loss({}, np.zeros(3, "float32"))))


def test_entropy_is_that_of_the_choices() -> None:
    assert float(RelaxedPolicy(TONES, num_operations=3).entropy()) == pytest.approx(3 * np.log(4), rel=1e-5)


def test_what_it_learned_comes_back_from_a_file(tmp_path: Any) -> None:
    arguments = {"num_sub_policies": 2, "choice_temperature": None, "direction": "adversarial", "fill": 0.25}
    policy = with_choices(RelaxedPolicy(TONES, seed=0, **arguments))
    (tmp_path / "policy.json").write_text(json.dumps(policy.policy()))
    loaded = load(tmp_path / "policy.json", seed=0)
    policy.set_phase(settled=True)
    np.testing.assert_allclose(loaded(IMAGES), policy(IMAGES), atol=1e-5)
    again, before = loaded.policy(), policy.policy()
    for name in ("choices", "probabilities", "strengths"):
        np.testing.assert_allclose(again.pop(name), before.pop(name), rtol=1e-4)
    assert again == before


def test_what_it_learned_in_words() -> None:
    policy = RelaxedPolicy(("Rotate", "Invert"), num_sub_policies=2, initial_strength=0.25, initial_probability=0.5)
    policy.choice.assign(np.log([[[0.9, 0.1], [0.5, 0.5]], [[0.5, 0.5], [0.2, 0.8]]]))
    assert policy.sentences(2) == [
        "Up to 2 of 2 operations for each image by one of 2 sub-policies; the most frequent:",
        "Rotate of strength 0.25: operation 1 of sub-policy 1, 22.50% of the images.",
        "Invert: operation 2 of sub-policy 2, 20.00% of the images.",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_sub_policies": 0}, "num_sub_policies must be at least 1. Received"),
        ({"num_operations": 0}, "num_operations must be at least 1. Received"),
        ({"choice_temperature": 0.0}, "choice_temperature must be positive, or None. Received"),
        ({"probability_temperature": float("nan")}, "probability_temperature must be positive. Received"),
        ({"direction": "up"}, "direction must be one of .* Received: direction='up'"),
        ({"initial_strength": 1.0}, "initial_strength must be between 0 and 1. Received"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RelaxedPolicy(TONES, **arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choices": None}, "A policy's choices must be numbers in"),
        ({"strengths": [[[0.5, 0.5, 2.0, 0.5]] * 2]}, "A policy's strengths must be numbers in"),
        ({"probabilities": [[[0.5] * 3] * 2]}, "A policy's probabilities must be numbers in .* shape=\\(1, 2, 3\\)"),
        ({"choices": [[[0.5] * 4] * 2]}, "A policy's choices must sum to 1"),
    ],
)
def test_wrong_files(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load({**RelaxedPolicy(TONES).policy(), **change})
