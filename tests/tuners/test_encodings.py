import keras_tuner
import numpy as np
import pytest
from oracle_runs import twelve_points

from keras_dha.spaces import NASBench201Space
from keras_dha.tuners import CellPaths, OneHot, Points

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]


def cells() -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    for target in range(1, 4):
        for source in range(target):
            hp.Choice(f"edge_{target}_from_{source}", OPERATIONS)
    return hp


def cell(text: str) -> dict[str, str]:
    return {name: kept[0] for name, kept in NASBench201Space.decisions_from_string(text).items()}


def paths(*texts: str) -> np.ndarray:
    return CellPaths.of_nas_bench_201(one_hot=False).encode(Points(cells()), [cell(text) for text in texts])


def test_one_hot_of_every_kind() -> None:
    points = [
        {"op": "conv", "size": 2, "bias": True, "rate": 0.1, "version": 3},
        {"op": "pool", "bias": False, "rate": 0.2, "version": 3},
    ]
    rows = OneHot().encode(Points(twelve_points()), points)
    # conv, pool; whether there is a size, and which; bias; rate. What is fixed says nothing.
    np.testing.assert_allclose(rows, [[1, 0, 1, 0.75, 0.75, 0.25], [0, 1, 0, 0, 0.25, 0.75]])


def test_one_hot_of_cells_is_thirty_columns_with_six_ones() -> None:
    every = list(Points(cells()).every())
    rows = OneHot().encode(Points(cells()), every[::500])
    assert rows.shape[1] == 30
    assert (rows.sum(axis=1) == 6).all()


def test_different_points_have_different_rows() -> None:
    every = list(Points(twelve_points()).every())
    assert len(np.unique(OneHot().encode(Points(twelve_points()), every), axis=0)) == 12


def test_equal_cells_have_equal_paths() -> None:
    by_the_first = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
    by_the_second = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|avg_pool_3x3~1|skip_connect~2|"  # with a dead edge
    another = "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
    rows = paths(by_the_first, by_the_second, another)
    np.testing.assert_array_equal(rows[0], rows[1])
    assert rows.sum(axis=1).tolist() == [1, 1, 1]
    assert (rows[0] != rows[2]).any()


def test_a_cell_without_a_path_is_zero_and_all_skips_are_four_empty_ones() -> None:
    nothing = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    skips = nothing.replace("none", "skip_connect")
    rows = paths(nothing, skips)
    assert rows[0].sum() == 0
    assert (rows[1, 0], rows[1].sum()) == (4, 4)


def test_the_order_of_operations_counts() -> None:
    first = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|"
    second = "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"
    assert (paths(first)[0] != paths(second)[0]).any()


def test_number_of_paths() -> None:
    """1 + 3 + 9 + 27 sequences of up to three of three operations."""
    every = list(Points(cells()).every())
    assert CellPaths.of_nas_bench_201(one_hot=False).encode(Points(cells()), every[:3]).shape == (3, 40)
    assert CellPaths.of_nas_bench_201().encode(Points(cells()), every[:3]).shape == (3, 70)


def test_edges_lead_forward() -> None:
    with pytest.raises(ValueError, match=r"Received: edges=\{'a': \(1, 0\)\}"):
        CellPaths({"a": (1, 0)})
