import itertools

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_dha.relaxations import OneHotSample
from keras_dha.spaces import Choice

ABC = Choice("c", ("a", "b", "c"))
LOGITS = np.log([0.5, 0.3, 0.2])


def built(choice=ABC, **arguments):
    relaxation = OneHotSample(**{"seed": 0, **arguments}).for_choice(choice)
    relaxation.build()
    return relaxation


def force_draws(monkeypatch, *positions):
    """The next draws take these options."""
    queue = iter(positions)
    one_hot = lambda log_p, choice, seed: ops.one_hot(next(queue), len(choice.options), dtype=log_p.dtype)  # noqa: E731
    monkeypatch.setattr("keras_dha.relaxations.subsets.draw", one_hot)


def mean_gradient(monkeypatch, relaxations, logits, loss):
    """The expected gradient of `loss` in the logits of two choices, by enumeration of all draws, and the exact one."""
    estimate, variables = np.zeros_like(logits), [tf.Variable(row) for row in logits]
    with tf.GradientTape() as exact_tape:
        p = [relaxation.probabilities(v) for relaxation, v in zip(relaxations, variables)]
        outcomes = list(itertools.product(range(3), repeat=2))
        values = [loss([ops.one_hot(k, 3, dtype=p[0].dtype) for k in outcome]) for outcome in outcomes]
        chances = [p[0][first] * p[1][second] for first, second in outcomes]
        expected = sum(chance * value for chance, value in zip(chances, values))
    for outcome, chance in zip(outcomes, chances):
        force_draws(monkeypatch, *outcome)
        with tf.GradientTape() as tape:
            weights = [relaxation(v, training=True) for relaxation, v in zip(relaxations, variables)]
            value = loss(weights)
            score = sum(r.log_probability(v, w) for r, v, w in zip(relaxations, variables, weights))
            value = value + tf.stop_gradient(value) * score
        estimate += float(chance) * np.array(tape.gradient(value, variables))
    return estimate, np.array(exact_tape.gradient(expected, variables))


@pytest.mark.parametrize("exploration", [0.0, 0.4])
def test_frequencies_are_the_probabilities(exploration):
    # 20,000 draws; off by 0.018, more than 5 standard deviations, less than once in a million runs.
    relaxation, num_draws = built(exploration=exploration), 20_000
    logits = ops.convert_to_tensor(LOGITS, dtype="float32")

    @tf.function
    def count():
        body = lambda _, total: total + relaxation(logits, training=True)  # noqa: E731
        return ops.fori_loop(0, num_draws, body, ops.zeros((3,)))

    expected = (1 - exploration) * np.array([0.5, 0.3, 0.2]) + exploration / 3
    np.testing.assert_allclose(relaxation.probabilities(logits), expected, rtol=1e-6)
    np.testing.assert_allclose(count() / num_draws, expected, atol=0.018)


def test_log_probability_of_one_option_and_its_gradient():
    relaxation, logits = built(), tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        value = relaxation.log_probability(logits, np.array([0.0, 1.0, 0.0]))
    assert float(value) == pytest.approx(np.log(0.3))
    np.testing.assert_allclose(tape.gradient(value, logits), [-0.5, 0.7, -0.2])


@pytest.mark.parametrize(("estimator", "factor"), [("credit", 1.0), ("straight_through", 0.3)])
def test_gradient_of_the_weights(monkeypatch, estimator, factor):
    relaxation, logits = built(estimator=estimator), tf.Variable(LOGITS)
    force_draws(monkeypatch, 1)
    with tf.GradientTape() as tape:
        weights = relaxation(logits, training=True)
        loss = ops.sum(np.array([7.0, 10.0, 9.0]) * weights)
    np.testing.assert_array_equal(weights, [0, 1, 0])
    # C = 10; credit: C * (onehot - p), rows of which sum to 0 (C2); straight-through: p_k times that.
    np.testing.assert_allclose(tape.gradient(loss, logits), factor * 10 * np.array([-0.5, 0.7, -0.2]))
    assert float(relaxation.log_probability(logits, weights)) == 0.0


def test_the_weights_of_the_score_estimator_carry_no_gradient():
    relaxation = built()
    with tf.GradientTape() as tape:
        weights = relaxation(relaxation.logits, training=True)
    assert tape.gradient(weights, relaxation.logits.value) is None


def linear(z):
    return ops.sum(np.array([1.0, -2.0, 0.5]) * z[0]) + ops.sum(np.array([0.3, 1.0, -1.0]) * z[1])


def softplus(z):
    return ops.softplus(linear(z))


@pytest.mark.parametrize("exploration", [0.0, 0.3])
def test_credit_is_unbiased_for_losses_linear_in_the_weights(monkeypatch, exploration):  # C1, C2
    relaxations = [built(estimator="credit", exploration=exploration) for _ in range(2)]
    estimate, exact = mean_gradient(monkeypatch, relaxations, np.array([LOGITS, -LOGITS]), linear)
    np.testing.assert_allclose(estimate, exact, atol=1e-12)
    np.testing.assert_allclose(estimate.sum(axis=1), 0, atol=1e-12)


def test_credit_of_a_nonlinear_loss_points_right_with_another_length(monkeypatch):  # C8
    relaxations = [built(estimator="credit") for _ in range(2)]
    estimate, exact = mean_gradient(monkeypatch, relaxations, np.array([LOGITS, -LOGITS]), softplus)
    cosine = np.sum(estimate * exact) / np.linalg.norm(estimate) / np.linalg.norm(exact)
    assert cosine > 0.99
    assert abs(np.linalg.norm(estimate) / np.linalg.norm(exact) - 1) > 0.05


def test_score_is_unbiased_for_every_loss(monkeypatch):
    relaxations = [built() for _ in range(2)]
    estimate, exact = mean_gradient(monkeypatch, relaxations, np.array([LOGITS, -LOGITS]), softplus)
    np.testing.assert_allclose(estimate, exact, atol=1e-12)


@pytest.mark.parametrize("estimator", ["score", "credit", "straight_through"])
def test_a_harmful_option_falls_below_uniform(estimator):  # C5
    relaxation, logits = built(estimator=estimator), tf.Variable(np.zeros(3, "float32"))
    losses = np.array([0.0, 1.0, 0.0], "float32")
    for _ in range(50):
        with tf.GradientTape() as tape:
            weights = relaxation(logits, training=True)
            loss = ops.sum(losses * weights)
            loss = loss + tf.stop_gradient(loss) * relaxation.log_probability(logits, weights)
        gradient = tape.gradient(loss, logits)
        logits.assign_sub(0.5 * gradient)
    assert float(relaxation.probabilities(logits)[1]) < 0.2


def test_a_clear_lead_freezes_the_choice():  # C4
    relaxation = built(freeze_margin=0.3)
    relaxation.logits.assign(LOGITS)  # 0.5 - 0.3
    relaxation.on_epoch_end()
    assert not relaxation.settled
    relaxation.logits.assign(np.log([0.1, 0.6, 0.3]))
    relaxation.on_epoch_end()
    assert relaxation.settled
    for _ in range(20):
        weights = relaxation(relaxation.logits, training=True)
        np.testing.assert_array_equal(weights, [0, 1, 0])
        assert float(relaxation.log_probability(relaxation.logits, weights)) == 0.0


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"estimator": "reinforce"}, "estimator='reinforce'"),
        ({"exploration": 1.0}, "exploration=1.0"),
        ({"freeze_margin": 0.0}, "freeze_margin=0.0"),
    ],
)
def test_wrong_arguments_are_named(arguments, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        OneHotSample(**arguments)


def test_too_many_options_to_draw():
    with pytest.raises(ValueError, match="Received: keep=7"):
        built(Choice("c", tuple("abcdefgh"), keep=7))
