import numpy as np
from keras import ops

from keras_dha.relaxations import Softmax
from keras_dha.spaces import Choice

NODE = Choice("node", ("0/a", "0/b", "1/a", "1/b"), keep=1, groups=(0, 0, 1, 1))


def built(choice, **arguments):
    relaxation = Softmax(**arguments).for_choice(choice)
    relaxation.build()
    return relaxation


def test_softmax_over_all_options_of_a_choice_without_groups():
    relaxation = built(Choice("c", ("a", "b")), scale=2.0)
    np.testing.assert_allclose(relaxation(np.log([1.0, 3.0]) / 2), [0.25, 0.75], rtol=1e-6)


def test_softmax_per_group():
    relaxation = built(NODE)
    logits = np.log([1.0, 3.0, 5.0, 5.0])
    np.testing.assert_allclose(relaxation(logits), [0.25, 0.75, 0.5, 0.5])
    np.testing.assert_allclose(relaxation.probabilities(logits), [0.125, 0.375, 0.25, 0.25])


def test_harden_ranks_probabilities_not_logits():
    # Group 1 has the larger logits, group 0 the surer option.
    np.testing.assert_array_equal(built(NODE).harden(np.log([1.0, 3.0, 5.0, 5.0])), [0, 1, 0, 0])


def test_harden_tells_near_certain_options_apart():
    # Both probabilities round to 1 in float32.
    np.testing.assert_array_equal(built(NODE).harden([0.0, 40.0, 50.0, 0.0]), [0, 0, 1, 0])


def test_an_option_alone_in_its_group_is_sure_to_win_it():
    choice = Choice("c", ("0/a", "0/b", "1/a"), groups=(0, 0, 1))
    np.testing.assert_array_equal(built(choice).harden([9.0, 0.0, 0.0]), [0, 0, 1])


def test_soft_tends_to_hard_as_the_scale_grows():
    logits, distances = np.array([0.0, 1.0, 0.3, 0.1]), []
    for scale in (1.0, 10.0, 100.0):
        relaxation = built(Choice("c", ("0/a", "0/b", "1/a", "1/b"), keep=2, groups=(0, 0, 1, 1)), scale=scale)
        distances.append(float(ops.max(ops.abs(relaxation(logits) - relaxation.harden(logits)))))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-6
