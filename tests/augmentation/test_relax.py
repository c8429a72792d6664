from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_dha.augmentation.relax import choice_given, event_given, relax_surrogate, relaxed_choice, relaxed_event

DRAWS = 20_000
LOGITS = np.array([0.3, -0.8, 1.1], "float32")
VALUES = np.array([2.0, -1.0, 0.5], "float32")


def noise(shape: Any, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1e-6, 1 - 1e-6, shape).astype("float32")


def gumbel(shape: Any, seed: int) -> np.ndarray:
    return -np.log(-np.log(noise(shape, seed)))


def bump(z: Any) -> Any:
    """Some function of a relaxed draw."""
    return ops.sum(np.array([1.0, 0.2, -0.7], "float32") * ops.softmax(z / 0.5), axis=-1) ** 2


def test_a_choice_given_the_draw_is_distributed_as_the_choice() -> None:
    z = np.asarray(relaxed_choice(np.tile(LOGITS, (DRAWS, 1)), gumbel((DRAWS, 3), 0)))
    drawn = np.eye(3, dtype="float32")[z.argmax(-1)]
    given = np.asarray(choice_given(np.tile(LOGITS, (DRAWS, 1)), drawn, noise((DRAWS, 3), 1)))
    np.testing.assert_array_equal(given.argmax(-1), z.argmax(-1))
    for quantile in (0.1, 0.5, 0.9):
        np.testing.assert_allclose(np.quantile(given, quantile, 0), np.quantile(z, quantile, 0), atol=0.06)
    np.testing.assert_allclose(np.corrcoef(given.T), np.corrcoef(z.T), atol=0.04)


@pytest.mark.parametrize("logit", [-1.5, 0.0, 2.0])
def test_an_event_given_whether_it_happens_is_distributed_as_the_event(logit: float) -> None:
    u, logits = noise(DRAWS, 0), np.full(DRAWS, logit, "float32")
    z = np.asarray(relaxed_event(logits, np.log(u) - np.log1p(-u)))
    given = np.asarray(event_given(logits, (z > 0).astype("float32"), noise(DRAWS, 1)))
    assert ((given > 0) == (z > 0)).mean() > 0.9999
    for quantile in (0.1, 0.5, 0.9):
        assert np.quantile(given, quantile) == pytest.approx(np.quantile(z, quantile), abs=0.08)


def choice_gradients(control: Any) -> np.ndarray:
    """The estimate of each draw."""
    logits = tf.Variable(np.tile(LOGITS, (DRAWS, 1)))
    with tf.GradientTape() as tape:
        z = relaxed_choice(logits, gumbel((DRAWS, 3), 0))
        drawn = tf.one_hot(tf.argmax(z, -1), 3)
        given = choice_given(logits, drawn, noise((DRAWS, 3), 1))
        log_probability = tf.reduce_sum(drawn * ops.log_softmax(logits, -1), -1)
        loss = relax_surrogate(tf.linalg.matvec(drawn, VALUES), log_probability, control(z), control(given))
    return np.asarray(tape.gradient(loss, logits))


def event_gradients(control: Any, offset: float = -1.0, probability_logit: float = 0.4) -> np.ndarray:
    logits, u = tf.Variable(np.full(DRAWS, probability_logit, "float32")), noise(DRAWS, 0)
    with tf.GradientTape() as tape:
        z = relaxed_event(logits, np.log(u) - np.log1p(-u))
        happens = tf.cast(z > 0, "float32")
        given = event_given(logits, happens, noise(DRAWS, 1))
        log_probability = -ops.softplus(tf.where(happens > 0.5, -logits, logits))
        loss = relax_surrogate(3.0 * happens + offset, log_probability, control(z), control(given))
    return np.asarray(tape.gradient(loss, logits))


def test_the_estimate_of_a_choice_is_unbiased_whatever_the_control_variate() -> None:
    p = np.exp(LOGITS) / np.exp(LOGITS).sum()
    exact = p * (VALUES - p @ VALUES)
    for control in (bump, lambda z: 0.0 * z[:, 0], lambda z: 5.0 * bump(z) - 1.0):
        found = choice_gradients(control)
        error = found.std(axis=0) / np.sqrt(DRAWS)
        assert (np.abs(found.mean(axis=0) - exact) < 4 * error).all()


def test_the_estimate_of_an_event_is_unbiased_whatever_the_control_variate() -> None:
    p = 1 / (1 + np.exp(-0.4))
    for control in (lambda z: ops.sigmoid(z / 0.5) ** 2, lambda z: 0.0 * z, lambda z: ops.tanh(z) - 4.0):
        found = event_gradients(control)
        assert abs(found.mean() - 3.0 * p * (1 - p)) < 4 * found.std() / np.sqrt(DRAWS)


def test_a_fitted_control_variate_lowers_the_variance() -> None:
    score = choice_gradients(lambda z: 0.0 * z[:, 0]).var(axis=0).sum()
    fitted = choice_gradients(lambda z: tf.linalg.matvec(ops.softmax(z / 0.5), VALUES)).var(axis=0).sum()
    assert fitted < 0.6 * score
    score = event_gradients(lambda z: 0.0 * z, offset=4.0).var()
    assert event_gradients(lambda z: 3.0 * ops.sigmoid(z / 0.5) + 4.0, offset=4.0).var() < 0.6 * score
