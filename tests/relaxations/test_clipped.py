import numpy as np

from keras_dha.relaxations import Clipped
from keras_dha.spaces import Choice


def built(*options, **arguments):
    relaxation = Clipped(seed=0).for_choice(Choice("c", options or ("a", "b", "c"), **arguments))
    relaxation.build()
    return relaxation


def test_it_starts_near_equal_shares():
    np.testing.assert_allclose(built().logits.numpy(), 1 / 3, atol=1e-3)


def test_an_option_that_reached_zero_is_dead_for_good():
    relaxation = built()
    relaxation.logits.assign([0.4, -0.1, 1.5])
    relaxation.project()
    np.testing.assert_array_equal(relaxation(relaxation.logits), np.float32([0.4, 0.0, 1.0]))
    relaxation.logits.assign([0.4, 0.8, 1.5])
    np.testing.assert_array_equal(relaxation(relaxation.logits), np.float32([0.4, 0.0, 1.0]))
    relaxation.project()
    assert relaxation.logits.numpy()[1] == 0.0
    assert relaxation.alive.numpy().tolist() == [True, False, True]


def test_what_would_be_kept_never_dies():
    relaxation = built("0/a", "0/b", "1/a", keep=2, groups=(0, 0, 1))
    relaxation.logits.assign([-0.3, -0.1, -0.2])
    relaxation.project()
    np.testing.assert_allclose(relaxation(relaxation.logits), [0.0, 1e-3, 1e-3])
    np.testing.assert_array_equal(relaxation.harden(relaxation.logits), [0, 1, 1])
