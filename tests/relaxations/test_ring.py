"""When a superkernel keeps its ring: the more the task needs it, the dearer it may be (single path, a small model)."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_dha.relaxations import NormThreshold
from keras_dha.spaces import Choice

MIDDLE = np.pad(np.ones((3, 3), "float32"), 1).reshape(25, 1)
RING = 1.0 - MIDDLE
STEPS = 400


def share_of_steps_with_ring(needed: float, weight: float) -> float:
    """Fits kernels of 8 channels to ones whose ring is `needed` times as large; a ring costs `weight * log(1.6)`."""
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(2, 25, 8)).astype("float32")
    teacher = (MIDDLE + needed * RING) * normal[0]
    kernel = keras.Variable(0.28 * normal[1])
    relaxation = NormThreshold(seed=0).for_choice(Choice("kernel", ("3", "5"), nested=True))
    relaxation.watch(lambda: tf.sqrt(tf.reduce_sum((kernel.value * RING) ** 2) / (16 * 8)))
    relaxation.build()
    variables = [kernel, relaxation.logits]
    optimizer = keras.optimizers.RMSprop(0.02)
    optimizer.build(variables)

    @tf.function
    def step(patches: tf.Tensor, noise: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as task:
            ring = relaxation(relaxation.logits)[1]
            error = tf.einsum("bkc,kc->bc", patches, kernel.value * (MIDDLE + ring * RING) - teacher) - noise
            loss = tf.reduce_mean(error**2)
        with tf.GradientTape() as pull:
            cost = weight * tf.math.log(1.0 + 0.6 * relaxation.shares(relaxation.logits)[1])
        gradients = task.gradient(loss, [variable.value for variable in variables])
        pulled = pull.gradient(cost, relaxation.logits.value)
        optimizer.apply_gradients([(gradients[0], kernel), (gradients[1] + pulled, relaxation.logits)])
        relaxation.step(share)
        relaxation.project()
        return ring

    relaxation.project()
    kept = []
    for number in range(STEPS):
        patches, noise = rng.normal(size=(256, 25, 8)), 0.1 * rng.normal(size=(256, 8))
        given = (tf.cast(value, "float32") for value in (patches, noise, number / STEPS))
        kept.append(float(step(*given)))
    return float(np.mean(kept[STEPS // 2 :]))


@pytest.mark.slow
def test_a_ring_stays_while_it_is_needed_more_than_it_costs() -> None:
    weights, needs = (0.05, 0.5, 50.0), (0.05, 0.3, 1.0)
    found = np.array([[share_of_steps_with_ring(needed, weight) for weight in weights] for needed in needs])
    assert np.all(np.diff(found, axis=0) >= -0.05), found  # along rising need
    assert np.all(np.diff(found, axis=1) <= 0.05), found  # along rising cost
    assert found[0, 2] < 0.1
    assert found[2, :2].min() > 0.9
