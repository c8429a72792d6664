import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_dha.relaxations import AnnealedScale, GumbelSoftmax
from keras_dha.spaces import Choice

LOGITS = np.log([0.5, 0.3, 0.2]).astype("float32")


def built(**arguments):
    relaxation = GumbelSoftmax(seed=0, **arguments).for_choice(Choice("c", ("a", "b", "c")))
    relaxation.build()
    return relaxation


@pytest.mark.parametrize(("hard", "scale"), [(False, 1.0), (False, 20.0), (True, 0.1)])
def test_the_largest_is_an_option_as_often_as_the_softmax_says(hard, scale):  # GDAS frequencies
    relaxation = built(hard=hard, scale=scale)
    draw = tf.function(lambda: relaxation(LOGITS, training=True))
    largest = np.bincount([int(ops.argmax(draw())) for _ in range(2000)], minlength=3) / 2000
    # 2,000 draws: off by 0.056, 5 standard deviations, less than once in a million runs.
    np.testing.assert_allclose(largest, [0.5, 0.3, 0.2], atol=0.056)
    np.testing.assert_allclose(relaxation.probabilities(LOGITS), [0.5, 0.3, 0.2], rtol=1e-5)


def test_without_training_there_is_no_noise():
    np.testing.assert_allclose(built(scale=2.0)(LOGITS), np.array([25, 9, 4]) / 38, rtol=1e-5)
    np.testing.assert_array_equal(built(hard=True)(LOGITS), [1, 0, 0])


def test_a_soft_draw_hardens_with_the_scale():
    largest = [float(ops.max(built(scale=scale)(LOGITS, training=True))) for scale in (1.0, 10.0, 1000.0)]
    assert largest[0] < largest[1] < largest[2]
    assert largest[2] > 0.999


def test_a_hard_draw_has_the_gradient_of_the_soft_one():
    slopes = np.array([1.0, 2.0, 4.0], "float32")
    hard, soft = built(hard=True), built(hard=False)
    gradients = []
    for relaxation in (hard, soft):
        logits = tf.constant(LOGITS)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            weights = relaxation(logits, training=True)  # the same seed: the same noise
            kept = ops.stop_gradient(ops.one_hot(ops.argmax(weights), 3))
            loss = ops.sum(slopes * weights * (1.0 if relaxation is hard else kept))
        gradients.append(tape.gradient(loss, logits).numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-4)


def test_an_annealed_scale_is_one_over_its_temperature():
    linear, geometric = AnnealedScale(10.0, 0.1), AnnealedScale(1.0, 0.01, geometric=True)
    assert [float(linear(share)) for share in (0.0, 0.5, 1.0)] == pytest.approx([0.1, 1 / 5.05, 10.0])
    assert [float(geometric(share)) for share in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 10.0, 100.0], rel=1e-5)
    with pytest.raises(ValueError, match=r"Received: start=1.0, end=0.0"):
        AnnealedScale(1.0, 0.0)


def test_the_share_of_the_search_moves_an_annealed_scale():
    relaxation = built(scale=AnnealedScale(1.0, 0.5))
    relaxation.step(1.0)
    np.testing.assert_allclose(relaxation(LOGITS), np.array([25, 9, 4]) / 38, rtol=1e-5)
