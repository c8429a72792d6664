import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_dha.relaxations import subsets
from keras_dha.spaces import Choice

PAIRS = Choice("c", ("0/a", "0/b", "1/a", "1/b", "2/a"), keep=2, groups=(0, 0, 1, 1, 2), excluded=("1/b",))
THREE = Choice("c", ("a", "b", "c", "d"), keep=3)
P = np.log([0.4, 0.3, 0.2, 0.05, 0.05])


def by_hand(p, choice, kept):
    """Sum over the orders of the product of p over what is left."""
    total, groups = 0.0, np.array(choice.group_numbers)
    for order in itertools.permutations(kept):
        left, product = choice.allowed.copy(), 1.0
        for i in order:
            product *= p[i] / p[left].sum()
            left &= groups != groups[i]
        total += product
    return total


@pytest.mark.parametrize("choice", [PAIRS, THREE, Choice("c", ("a", "b", "c"))], ids=["groups", "three", "one"])
def test_top_is_the_choice_s_own_top(choice):
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.integers(0, 4, len(choice.options)).astype("float32")  # with ties
        expected = np.zeros(len(scores))
        expected[choice.top(scores)] = 1
        np.testing.assert_array_equal(subsets.top(ops.convert_to_tensor(scores), choice), expected)


def test_top_keeps_allowed_options_even_at_minus_infinity():
    choice = Choice("c", ("a", "b"), excluded=("a",))
    np.testing.assert_array_equal(subsets.top(ops.convert_to_tensor([5.0, -np.inf]), choice), [0, 1])


def test_distribution_leaves_out_the_excluded_and_keeps_a_floor():
    log_p = subsets.log_distribution(ops.convert_to_tensor([100.0, 0.0, 0.0, 200.0, 0.0]), PAIRS, exploration=0.4)
    np.testing.assert_allclose(ops.exp(log_p), [0.7, 0.1, 0.1, 0.0, 0.1], atol=1e-6)


@pytest.mark.parametrize("choice", [PAIRS, THREE], ids=["groups", "three"])
def test_probability_of_a_set_is_the_sum_over_orders_and_sums_to_one(choice):
    n = len(choice.options)
    log_p = subsets.log_distribution(ops.convert_to_tensor(P[:n]), choice)
    p, total = ops.convert_to_numpy(ops.exp(log_p)), 0.0
    for kept in itertools.combinations(range(n), choice.keep):
        if not choice.allowed[list(kept)].all() or len({choice.group_numbers[i] for i in kept}) < choice.keep:
            continue
        mask = np.zeros(n)
        mask[list(kept)] = 1
        probability = float(ops.exp(subsets.log_probability(log_p, ops.convert_to_tensor(mask), choice)))
        assert probability == pytest.approx(by_hand(p, choice, kept), rel=1e-9)
        total += probability
    assert total == pytest.approx(1.0, rel=1e-9)


def test_draws_have_that_probability():
    # 20,000 draws: a frequency is off by more than 5 standard deviations (0.018) once in a million runs.
    seed, num_draws = keras.random.SeedGenerator(1), 20_000
    log_p = subsets.log_distribution(ops.convert_to_tensor(P.astype("float32")), PAIRS)

    @tf.function
    def frequencies():
        def body(_, counts):
            kept = subsets.draw(log_p, PAIRS, seed=seed)
            return counts + kept[:, None] * kept[None, :]

        return ops.fori_loop(0, num_draws, body, ops.zeros((5, 5))) / num_draws

    found = ops.convert_to_numpy(frequencies())
    p = np.exp(ops.convert_to_numpy(log_p))
    for i, j in itertools.combinations(range(5), 2):
        possible = PAIRS.allowed[[i, j]].all() and PAIRS.group_numbers[i] != PAIRS.group_numbers[j]
        expected = by_hand(p, PAIRS, (i, j)) if possible else 0.0
        assert found[i, j] == pytest.approx(expected, abs=0.018 if possible else 0)


def test_too_many_options_to_draw():
    with pytest.raises(ValueError, match="Received: keep=7"):
        subsets.check_drawable(Choice("c", tuple("abcdefgh"), keep=7))
