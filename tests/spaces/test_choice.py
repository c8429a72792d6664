import numpy as np
import pytest

from keras_dha.spaces import Choice

# Two inputs with two operations each; "none" may take weight, and is never kept.
NODE = Choice("node", ("0/none", "0/conv", "1/none", "1/conv"), groups=(0, 0, 1, 1), excluded=("0/none", "1/none"))


def test_top_is_the_largest_score() -> None:
    assert Choice("op", ("a", "b", "c")).top([1.0, 3.0, 2.0]).tolist() == [1]


def test_top_keeps_the_order_of_the_options() -> None:
    assert Choice("op", ("a", "b", "c"), keep=2).top([1.0, 2.0, 3.0]).tolist() == [1, 2]


def test_top_gives_ties_to_the_first_option() -> None:
    assert Choice("op", ("a", "b", "c"), keep=2).top([0.0, 0.0, 0.0]).tolist() == [0, 1]


def test_top_takes_one_of_a_group() -> None:
    choice = Choice("node", ("0/a", "0/b", "1/a", "1/b"), keep=2, groups=(0, 0, 1, 1))
    assert choice.top([9.0, 8.0, 1.0, 2.0]).tolist() == [0, 3]


def test_top_leaves_excluded_options_out() -> None:
    assert NODE.top([9.0, 1.0, 8.0, 2.0]).tolist() == [3]
    assert NODE.allowed.tolist() == [False, True, False, True]


def test_nan_is_never_the_top() -> None:
    assert Choice("op", ("a", "b")).top(np.array([np.nan, -5.0])).tolist() == [1]


def test_without_groups_each_option_stands_alone() -> None:
    assert Choice("op", ("a", "b", "c")).group_numbers == (0, 1, 2)


@pytest.mark.parametrize("options", [(), ("a", "a")])
def test_options_must_differ(options: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"'op' must be at least one name, all different. Received: options=\("):
        Choice("op", options)


def test_excluded_options_must_be_options() -> None:
    with pytest.raises(ValueError, match=r"Received: excluded=\('c',\), options=\('a', 'b'\). Remove \['c'\]"):
        Choice("op", ("a", "b"), excluded=("c",))


def test_one_group_number_for_each_option() -> None:
    with pytest.raises(ValueError, match=r"Received: groups=\(0,\)"):
        Choice("op", ("a", "b"), groups=(0,))


@pytest.mark.parametrize("capacities", [(1.0,), (1.0, -1.0), (1.0, float("nan")), (1.0, float("inf"))])
def test_one_capacity_for_each_option(capacities: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"one capacity an option, .* Received: capacities=\(1.0"):
        Choice("op", ("a", "b"), capacities=capacities)


@pytest.mark.parametrize("keep", [0, 3])
def test_keep_must_be_possible(keep: int) -> None:
    with pytest.raises(ValueError, match=f"between 1 and 2 options .* Received: keep={keep}"):
        Choice("node", NODE.options, keep=keep, groups=NODE.groups, excluded=NODE.excluded)


def test_a_group_of_excluded_options_cannot_be_kept() -> None:
    with pytest.raises(ValueError, match="between 1 and 1 options"):
        Choice("node", ("0/conv", "1/none"), keep=2, groups=(0, 1), excluded=("1/none",))


@pytest.mark.parametrize("at_least", [0, 2])
def test_the_fewest_are_at_least_one_and_no_more_than_keep(at_least: int) -> None:
    with pytest.raises(ValueError, match=f"Received: at_least={at_least}, keep=1. Give at_least=None to keep 1"):
        Choice("op", ("a", "b"), at_least=at_least)


def test_the_fewest_are_all_unless_said_otherwise() -> None:
    assert Choice("op", ("a", "b", "c"), keep=2).fewest == 2
    assert Choice("op", ("a", "b", "c"), keep=2, at_least=1).fewest == 1


def test_a_nested_option_holds_those_before_it() -> None:
    kernel = Choice("kernel", ("3", "5", "7"), nested=True)
    assert kernel.parts([1]).tolist() == [True, True, False]
    assert Choice("op", ("a", "b"), keep=1).parts([1]).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"keep one, and exclude none. Received: keep=2"):
        Choice("kernel", ("3", "5"), keep=2, nested=True)


@pytest.mark.parametrize(
    ("at_least", "multiple_of", "numbers"),
    [(None, 1, (10,)), (8, 1, (8, 9, 10)), (1, 4, (4, 8, 10)), (5, 5, (5, 10)), (1, 16, (10,)), (10, 4, (10,))],
)
def test_the_number_kept_is_a_multiple_or_all(at_least: int | None, multiple_of: int, numbers: tuple[int, ...]) -> None:
    choice = Choice("width", tuple("abcdefghij"), keep=10, at_least=at_least, multiple_of=multiple_of)
    assert choice.numbers == numbers
    assert choice.fewest == numbers[0]


@pytest.mark.parametrize("arguments", [{"multiple_of": 0}, {"multiple_of": 2, "groups": (0, 1)}])
def test_multiples_are_of_options_that_stand_alone(arguments: dict) -> None:
    with pytest.raises(ValueError, match=f"Received: multiple_of={arguments['multiple_of']}"):
        Choice("width", ("a", "b"), keep=2, at_least=1, **arguments)
