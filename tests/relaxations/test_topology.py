import dataclasses

import numpy as np
import pytest

from keras_dha.relaxations import Softmax, Topology
from keras_dha.spaces import Choice


def node(num_inputs: int, keep: int = 2) -> Choice:
    options = tuple(f"{i}/{op}" for i in range(num_inputs) for op in ("none", "a", "b"))
    groups = tuple(i for i in range(num_inputs) for _ in range(3))
    return Choice("node", options, keep=keep, groups=groups, excluded=options[::3])


def built(choice, **arguments):
    relaxation = Topology(**arguments).for_choice(choice)
    relaxation.build()
    return relaxation


@pytest.mark.parametrize(("num_inputs", "num_sets"), [(2, 1), (3, 3), (4, 6), (5, 10)])
def test_sets_are_all_pairs_and_probabilities_of_inputs_sum_to_two(num_inputs, num_sets):  # TopoNAS 1, 2
    relaxation = built(node(num_inputs))
    assert relaxation.logits.shape == (3 * num_inputs + (num_sets if num_sets > 1 else 0),)
    assert len({tuple(row) for row in relaxation._members}) == num_sets
    logits = np.random.default_rng(0).standard_normal(relaxation.logits.shape).astype("float32")
    q = relaxation.edge_probabilities(logits).numpy()[::3]
    assert q.sum() == pytest.approx(2.0, abs=1e-5)
    assert ((q >= 0) & (q <= 1 + 1e-6)).all()
    if num_inputs == 2:
        np.testing.assert_allclose(q, [1.0, 1.0], rtol=1e-6)


def test_at_a_low_temperature_a_gap_of_a_fifth_decides():  # TopoNAS 3
    relaxation = built(node(5), scale=1 / 0.02)
    logits = np.zeros(25, "float32")
    logits[15 + 4] = 0.2  # the pairs are 01 02 03 04 12 ...
    np.testing.assert_allclose(relaxation.edge_probabilities(logits)[::3], [0, 1, 1, 0, 0], atol=0.02)


def test_the_likeliest_set_is_kept_with_its_best_operations():
    relaxation = built(node(3))
    alpha = np.array([9, 1, 2, 0, 5, 6, 0, 2, 1], "float32")  # the loudest operations are on input 1
    logits = np.concatenate([alpha, [0.0, 1.0, 0.0]])  # pairs 01, 02, 12
    kept = [relaxation.choice.options[i] for i in np.flatnonzero(relaxation.harden(logits))]
    assert kept == ["0/b", "2/a"]


def test_without_groups_it_is_a_softmax():
    choice, logits = Choice("c", ("a", "b")), np.array([0.0, 1.0], "float32")
    softmax = Softmax().for_choice(choice)
    softmax.build()
    np.testing.assert_allclose(built(choice)(logits), softmax(logits), rtol=1e-6)


def test_too_many_sets():
    options = tuple(f"{i}/a" for i in range(40))
    choice = Choice("node", options, keep=10, groups=tuple(range(40)))
    with pytest.raises(ValueError, match="Received: 847660528 sets of 10 of 40 inputs in 'node'"):
        built(choice)


def up_to(num_inputs: int, keep: int) -> Choice:
    return dataclasses.replace(node(num_inputs, keep), at_least=1)


@pytest.mark.parametrize(("num_inputs", "num_sets"), [(2, 3), (3, 6), (4, 10), (5, 15)])
def test_sets_of_one_or_two_inputs(num_inputs, num_sets):  # TopoNAS 2
    assert len({tuple(row) for row in built(up_to(num_inputs, 2))._members}) == num_sets


@pytest.mark.parametrize(("num_inputs", "num_sets"), [(2, 3), (3, 7), (4, 15), (5, 31)])
def test_sets_of_any_number_of_inputs(num_inputs, num_sets):  # TopoNAS 2
    assert len({tuple(row) for row in built(up_to(num_inputs, num_inputs))._members}) == num_sets


def test_where_the_likeliest_set_is_small_no_more_is_kept():
    relaxation = built(up_to(3, 2))
    logits = np.zeros(9 + 6, "float32")
    logits[3:6], logits[9 + 1] = [9, 1, 2], 5.0  # the sets are 0 1 2 01 02 12
    assert [relaxation.choice.options[i] for i in np.flatnonzero(relaxation.harden(logits))] == ["1/b"]


def test_the_expected_number_of_inputs_is_the_sum_of_their_probabilities():
    relaxation = built(up_to(4, 3))
    logits = np.random.default_rng(0).standard_normal(relaxation.logits.shape).astype("float32")
    number = float(relaxation.expected_number(logits))
    assert 1.0 < number < 3.0
    assert float(relaxation.edge_probabilities(logits)[::3].numpy().sum()) == pytest.approx(number, rel=1e-5)
    assert float(relaxation.probabilities(logits).numpy().sum()) == pytest.approx(1.0, rel=1e-5)
