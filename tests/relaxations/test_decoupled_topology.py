import numpy as np
import pytest

from keras_dha.relaxations import DecoupledTopology
from keras_dha.spaces import Choice

OPERATIONS = ("none", "skip", "sep", "dil")


def node(num_inputs: int) -> Choice:
    options = tuple(f"{i}/{op}" for i in range(num_inputs) for op in OPERATIONS)
    groups = tuple(i for i in range(num_inputs) for _ in OPERATIONS)
    return Choice("node", options, keep=2, groups=groups, excluded=options[::4])


def built(choice=None, **arguments):
    relaxation = DecoupledTopology(**arguments).for_choice(choice or node(3))
    relaxation.build()
    return relaxation


def logits(alpha=(0.0,) * 12, balance=(0.0,) * 12, beta=(0.0,) * 3):
    return np.array([*alpha, *balance, *beta], "float32")


ALPHA = [0, 1, 2, 0, 1, 0, 0, 1, 0, 1, 1, 0]  # best: skip and sep; none and dil; skip and sep


def test_at_first_each_input_has_two_softmaxes():  # "each edge's 8 weights sum to 2"
    weights = built()(logits(alpha=[0, np.log(3), 0, np.log(4)] * 3)).numpy().reshape(3, 4)
    np.testing.assert_allclose(weights, [[0.25, 0.75, 0.2, 0.8]] * 3, rtol=1e-5)


def test_then_the_best_of_each_group_is_left_for_good():
    relaxation = built()
    relaxation.logits.assign(logits(alpha=ALPHA))
    relaxation.step(0.3)
    assert not bool(relaxation.pruned.numpy())
    relaxation.step(0.5)
    expected = [[0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0]]
    assert relaxation.left.numpy().reshape(3, 4).astype(int).tolist() == expected
    relaxation.logits.assign(logits(alpha=[-a for a in ALPHA]))
    relaxation.step(0.6)
    assert relaxation.left.numpy().reshape(3, 4).astype(int).tolist() == expected
    weights = relaxation(relaxation.logits).numpy().reshape(3, 4)
    np.testing.assert_allclose(weights, np.array(expected) / 2 * 2 / 3, rtol=1e-5)  # half of q = 2 / 3


def test_sets_get_colder_in_the_last_part():
    relaxation = built()
    temperatures = []
    for share in (0.5, 5 / 7, 1.0):
        relaxation.step(share)
        q = relaxation.edge_probabilities(logits(beta=(0.01, 0.0, 0.0))).numpy()[::4]
        p = (q.sum() / 2) - q[2]  # of the set of inputs 0 and 1
        temperatures.append(0.01 / np.log(2 * p / (1 - p)))
    np.testing.assert_allclose(temperatures, [1.0, 10.0, 0.02], rtol=0.02)


def test_the_likeliest_set_is_kept_with_the_better_of_what_is_left():
    relaxation = built()
    relaxation.logits.assign(logits(alpha=ALPHA, balance=[0, 5, 1, 0, 0, 0, 0, -1, 0, 2, 3, 0], beta=(0, 1, 2)))
    relaxation.step(0.5)
    kept = [relaxation.choice.options[i] for i in np.flatnonzero(relaxation.harden(relaxation.logits))]
    assert kept == ["1/dil", "2/sep"]  # `none` is left on input 1, and is not kept


def test_a_choice_without_groups_has_one_input():
    relaxation = built(Choice("edge", ("none", "skip", "conv"), excluded=("none",)))
    assert relaxation(relaxation.logits).numpy().tolist() == [0.5, 0.5, 1.0]
    relaxation.logits.assign([0, 1, 0, 0, 0, 1])
    relaxation.step(0.5)
    np.testing.assert_allclose(relaxation(relaxation.logits), [0, 0, 1], atol=1e-6)
    assert relaxation.harden(relaxation.logits).numpy().tolist() == [0, 0, 1]


@pytest.mark.parametrize("phases", [(0.5,), (0.6, 0.5), (0.0, 0.5), (0.5, 1.0)])
def test_phases_are_shares_in_order(phases):
    with pytest.raises(ValueError, match="Received: phases="):
        DecoupledTopology(phases=phases)
