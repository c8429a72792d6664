import numpy as np
import pytest

from keras_dha.relaxations import EdgeSoftmax, Softmax
from keras_dha.spaces import Choice

NODE = Choice(
    "node", ("0/none", "0/a", "1/none", "1/a", "2/none", "2/a"), keep=2, groups=(0, 0, 1, 1, 2, 2), excluded=("0/none",)
)


def built(choice, **arguments):
    relaxation = EdgeSoftmax(**arguments).for_choice(choice)
    relaxation.build()
    return relaxation


def test_a_weight_is_the_share_of_the_operation_times_the_share_of_the_input():
    relaxation = built(NODE)
    alpha, beta = np.log([1.0, 3.0, 1.0, 1.0, 4.0, 1.0]), np.log([1.0, 2.0, 1.0])
    weights = relaxation(np.concatenate([alpha, beta]).astype("float32")).numpy()
    expected = [0.25 / 4, 0.75 / 4, 0.5 / 2, 0.5 / 2, 0.8 / 4, 0.2 / 4]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.sum() == pytest.approx(1.0, abs=1e-6)


def test_the_options_of_largest_weight_are_kept_one_an_input():
    relaxation = built(NODE)
    # On its own input 0/a is surest, but its input is nearly not read.
    logits = np.array([0, 9, 0, 1, 2, 0, -5, 0, 0.5], "float32")
    kept = [NODE.options[i] for i in np.flatnonzero(relaxation.harden(logits))]
    assert kept == ["1/a", "2/none"]


def test_of_equal_inputs_those_with_the_surest_operation_are_kept():
    logits = np.array([0, 4, 0, 5, 0, 6, 0, 0, 0], "float32")
    assert built(NODE).harden(logits).numpy().tolist() == [0, 0, 0, 1, 0, 1]


def test_the_scale_acts_on_inputs_only():
    logits = np.array([1, 0, 0, 0, 0, 0, 0, 1, 0], "float32")
    plain, cold = built(NODE)(logits).numpy(), built(NODE, scale=20.0)(logits).numpy()
    assert cold[2:4].sum() > 0.99
    assert plain[0] / plain[1] == pytest.approx(cold[0] / cold[1], rel=1e-4)


def test_without_groups_it_is_a_softmax():
    choice, logits = Choice("c", ("a", "b")), np.array([0.0, 1.0], "float32")
    softmax = Softmax().for_choice(choice)
    softmax.build()
    np.testing.assert_allclose(built(choice)(logits), softmax(logits), rtol=1e-6)


def test_an_open_number_is_not_learned() -> None:
    options = ("0/a", "0/b", "1/a", "1/b", "2/a", "2/b")
    choice = Choice("node", options, keep=2, groups=(0, 0, 1, 1, 2, 2), at_least=1)
    relaxation = EdgeSoftmax().for_choice(choice)
    relaxation.build()
    assert relaxation.logits.shape == (6 + 3,)
    assert int(np.sum(relaxation.harden(relaxation.logits))) == 2
    assert float(relaxation.expected_number(relaxation.logits)) == 2.0
