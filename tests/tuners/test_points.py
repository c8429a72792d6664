import keras_tuner
import numpy as np
import pytest
from oracle_runs import continuous, twelve_points

from keras_dha.tuners import Points, key_of
from keras_dha.tuners.points import nearest, options_of


def test_all_points_of_a_conditional_space() -> None:
    points = list(Points(twelve_points()).every())
    assert len(points) == len(set(map(key_of, points))) == 12
    assert sum("size" in point for point in points) == 8  # two sizes of a convolution, none of pooling
    assert all(("size" in point) == (point["op"] == "conv") for point in points)


def test_up_to_a_limit() -> None:
    points = Points(twelve_points())
    assert len(points.up_to(12) or []) == 12
    assert points.up_to(11) is None
    assert Points(continuous()).up_to(10**9) is None


def test_a_continuous_space_cannot_be_listed() -> None:
    with pytest.raises(ValueError, match=r"Received: the continuous hyper-parameters \['rate'\]"):
        list(Points(continuous()).every())


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda hp: hp.Int("n", 1, 7, step=3), [1, 4, 7]),
        (lambda hp: hp.Int("n", 1, 8, step=2, sampling="log"), [1, 2, 4, 8]),
        (lambda hp: hp.Int("n", 1, 4, sampling="log"), range(1, 5)),
        (lambda hp: hp.Float("n", 0.0, 1.0, step=0.5), [0.0, 0.5, 1.0]),
        (lambda hp: hp.Float("n", 1.0, 1.0), [1.0]),
        (lambda hp: hp.Float("n", 0.0, 1.0), None),
        (lambda hp: hp.Boolean("n"), [True, False]),
        (lambda hp: hp.Fixed("n", "x"), ["x"]),
    ],
)
def test_options(make: object, expected: object) -> None:
    hp = keras_tuner.HyperParameters()
    make(hp)
    assert options_of(hp.space[0]) == expected


def test_random_points_are_uniform_and_whole() -> None:
    points, rng = Points(twelve_points()), np.random.default_rng(0)
    drawn = [points.random(rng) for _ in range(400)]
    assert {key_of(point) for point in drawn} == {key_of(point) for point in points.every()}
    assert 160 < sum(point["op"] == "conv" for point in drawn) < 240  # 4 standard deviations


def test_neighbours_are_all_changes_of_one_hyper_parameter_each_once() -> None:
    points = Points(twelve_points())
    here = {"op": "conv", "size": 1, "bias": True, "rate": 0.1, "version": 3}
    found = list(points.neighbours(here, np.random.default_rng(0)))
    assert sorted(map(key_of, found)) == sorted(
        map(key_of, [
            {"op": "pool", "bias": True, "rate": 0.1, "version": 3},
            {**here, "size": 2}, {**here, "bias": False}, {**here, "rate": 0.2},
        ])
    )  # fmt: skip


def test_a_neighbour_gets_what_becomes_active() -> None:
    here = {"op": "pool", "bias": True, "rate": 0.1, "version": 3}
    found = [p for p in Points(twelve_points()).neighbours(here, np.random.default_rng(0)) if p["op"] == "conv"]
    assert [point["size"] in (1, 2) for point in found] == [True]


def test_the_first_neighbour_changes_each_hyper_parameter_equally_often() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("many", list(range(100)))
    hp.Choice("few", [0, 1])
    rng = np.random.default_rng(0)
    changed = [next(Points(hp).neighbours({"many": 0, "few": 0}, rng))["few"] for _ in range(200)]
    assert 70 < sum(changed) < 130  # 4 standard deviations


def test_continuous_neighbours_stay_in_range() -> None:
    here = {"rate": 1.0, "size": 64, "op": "conv"}
    found = list(Points(continuous()).neighbours(here, np.random.default_rng(0)))
    assert {"pool"} <= {point["op"] for point in found}
    assert all(1e-4 <= point["rate"] <= 1.0 and 1 <= point["size"] <= 64 for point in found)


def test_ranges_of_many_numbers_are_drawn_from() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Int("n", 1, 10**9, sampling="log")
    points, rng = Points(hp), np.random.default_rng(0)
    assert len(list(points.neighbours({"n": 5}, rng))) <= 20
    assert points.up_to(50_000) is None
    assert 1 <= points.random(rng)["n"] <= 10**9


def test_the_last_unseen_point_is_found() -> None:
    points, rng = Points(twelve_points()), np.random.default_rng(0)
    every = list(points.every())
    assert points.unseen({key_of(point) for point in every[:-1]}, rng) == every[-1]
    assert points.unseen(set(map(key_of, every)), rng) is None


def test_parents_come_first_in_whatever_order_they_are_given() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("parent", ["a", "b"])
    with hp.conditional_scope("parent", ["a"]):
        hp.Int("child", 1, 2)
        with hp.conditional_scope("child", [2]):
            hp.Int("grandchild", 1, 2)
    turned = keras_tuner.HyperParameters.from_config({"space": hp.get_config()["space"][::-1], "values": {}})
    assert [known.name for known in Points(turned).space] == ["parent", "child", "grandchild"]
    assert len(list(Points(turned).every())) == 4  # a-1, a-2-1, a-2-2, b


def test_one_name_with_two_conditions_is_one_value() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("op", ["conv", "pool"])
    hp.Choice("size", [3, 5], parent_name="op", parent_values=["conv"])
    hp.Choice("size", [2], parent_name="op", parent_values=["pool"])
    assert [tuple(point.values()) for point in Points(hp).every()] == [("conv", 3), ("conv", 5), ("pool", 2)]
    assert Points(hp).clean({"op": "pool", "size": 5}) == {"op": "pool", "size": 2}


def test_clean_mends_what_32_bits_lose() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("rate", [0.1, 0.2])
    hp.Float("decay", 0.0, 1.0)
    found = Points(hp).clean({"rate": float(np.float32(0.1)), "decay": 1.0000001, "gone": 3})
    assert found == {"rate": 0.1, "decay": 1.0}
    assert nearest(hp.space[0], [0.1, 0.2], 0.15) is None  # another number is not a rounding


def test_missing_values_are_defaults() -> None:
    assert Points(twelve_points()).clean({}) == {"op": "conv", "size": 1, "bias": False, "rate": 0.1, "version": 3}


def test_keys_ignore_order_and_what_32_bits_lose() -> None:
    assert key_of({"a": 1, "b": 0.1}) == key_of({"b": float(np.float32(0.1)), "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})
