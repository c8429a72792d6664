import itertools
import math

import numpy as np
import pytest

from keras_dha.evaluation import best_and_last, kendall_tau, random_search, repeated_training


@pytest.mark.parametrize(
    ("second", "tau"),
    [
        ([1, 2, 3, 4], 1.0),
        ([4, 3, 2, 1], -1.0),
        ([1, 2, 4, 3], 4 / 6),  # five pairs agree, one does not
        ([1, 1, 2, 3], 5 / math.sqrt(6 * 5)),  # a tie counts for no side
        ([2, 1, 1, 2], 0.0),
    ],
)
def test_tau_by_hand(second, tau):
    assert kendall_tau([1, 2, 3, 4], second) == pytest.approx(tau)
    assert kendall_tau(second, [1, 2, 3, 4]) == pytest.approx(tau)


def test_tau_with_ties_on_both_sides():
    # Pairs: (0, 1) tied in the first, (1, 2) in the second, (0, 2) agrees.
    assert kendall_tau([1, 1, 2], [1, 2, 2]) == pytest.approx(1 / math.sqrt(2 * 2))


def test_equal_numbers_are_no_order():
    assert math.isnan(kendall_tau([1, 1], [1, 2]))


@pytest.mark.parametrize(("first", "second"), [([1], [1]), ([1, 2], [1, 2, 3]), ([1, np.nan], [1, 2])])
def test_numbers_that_do_not_fit_are_refused(first, second):
    with pytest.raises(ValueError, match="Received:"):
        kendall_tau(first, second)


def test_two_trainings_of_the_same_networks():
    found = repeated_training([0.5, 0.6, 0.7], [0.5, 0.8, 0.6])
    assert (found.tau, found.mean_change, found.largest_change) == pytest.approx((1 / 3, 0.1, 0.2))


def test_best_and_last_epoch():
    assert best_and_last([0.5, 0.75, 0.75, 0.7]) == {"best": 0.75, "last": 0.7, "epoch": 2}
    with pytest.raises(ValueError, match=r"Received: curve=\[\]"):
        best_and_last([])


def test_random_search_is_the_mean_over_all_sets():
    rng = np.random.default_rng(0)
    selection, reported = rng.permutation(6).astype(float), rng.random(6)
    for trials, found in enumerate(random_search(selection, reported), start=1):
        sets = itertools.combinations(range(6), trials)
        best = [reported[max(one, key=lambda i: selection[i])] for one in sets]
        assert found == pytest.approx(np.mean(best))


def test_of_equally_good_ones_random_search_takes_the_mean():
    assert random_search([1, 1, 0], [0.5, 0.75, 0.25]) == pytest.approx([0.5, 0.625, 0.625])
