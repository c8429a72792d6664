import numpy as np

from keras_dha.relaxations import Sigmoid
from keras_dha.spaces import Choice


def test_options_do_not_compete():
    relaxation = Sigmoid().for_choice(Choice("c", ("a", "b", "c")))
    relaxation.build()
    before, after = (relaxation(np.array([0.0, 1.0, x], "float32")).numpy() for x in (0.0, 9.0))
    np.testing.assert_allclose(before[:2], [0.5, 1 / (1 + np.exp(-1.0))], rtol=1e-6)
    np.testing.assert_array_equal(before[:2], after[:2])
