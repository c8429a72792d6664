from pathlib import Path

import keras
import numpy as np
import pytest

from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Decisions, NASBench201Space

ALL_3X3 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
ALL_SKIP = ALL_3X3.replace("nor_conv_3x3", "skip_connect")
ALL_NONE = ALL_3X3.replace("nor_conv_3x3", "none")
# Two convolutions in a row, and a skip connection around them.
RESNET_LIKE = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
MIXED = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|none~0|skip_connect~1|nor_conv_1x1~2|"

DATA = Path(__file__).parents[3] / "shared" / "data" / "nasbench201.npz"


def built(architecture: str, num_classes: int = 10, **sizes: int) -> keras.Model:
    space = NASBench201Space((8, 8, 3), num_classes, **sizes)
    return space.build(FixedChooser(space.decisions_from_string(architecture)))


def num_trainable(model: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize(
    ("architecture", "num_3x3", "num_1x1"), [(ALL_3X3, 6, 0), (ALL_SKIP, 0, 0), (RESNET_LIKE, 2, 0), (MIXED, 1, 2)]
)
def test_parameters_are_the_benchmarks(architecture: str, num_3x3: int, num_1x1: int) -> None:
    assert num_trainable(built(architecture)) == 243_040 * num_3x3 + 28_000 * num_1x1 + 73_306


def test_parameters_with_100_classes() -> None:
    assert num_trainable(built(ALL_SKIP, num_classes=100)) == 79_156


@pytest.mark.skipif(not DATA.is_file(), reason="needs ../shared/data/nasbench201.npz, which is not part of the project")
@pytest.mark.parametrize("index", [0, 6111, 9930])
def test_parameters_of_a_row_of_the_benchmark(index: int) -> None:
    table = np.load(DATA)
    names = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    edges = ("1_from_0", "2_from_0", "2_from_1", "3_from_0", "3_from_1", "3_from_2")
    kept = {f"edge_{edge}": names[op] for edge, op in zip(edges, table["ops"][index])}
    millions = num_trainable(built(NASBench201Space.to_string(kept))) / 1e6
    assert millions == pytest.approx(float(table["params_m_cifar10"][index]), rel=1e-6)


@pytest.mark.parametrize("architecture", [ALL_3X3, ALL_SKIP, ALL_NONE, RESNET_LIKE, MIXED])
def test_known_networks_give_finite_logits(architecture: str) -> None:
    model = built(architecture, channels=4, cells_per_stage=1)
    logits = model(np.random.default_rng(0).random((2, 8, 8, 3), "float32"), training=True)
    assert np.isfinite(logits).all()


def test_without_a_path_the_picture_is_not_seen() -> None:
    model = built(ALL_NONE, channels=4, cells_per_stage=1)
    logits = np.array(model(np.random.default_rng(0).random((2, 8, 8, 3), "float32")))
    np.testing.assert_array_equal(logits[0], logits[1])


def test_four_skip_paths_carry_the_input_four_times() -> None:
    # 0-3, 0-1-3, 0-2-3, 0-1-2-3: without stem and reduction a cell of skip connections is 4 * x.
    space = NASBench201Space((2, 2, 1), 2, channels=1, cells_per_stage=1, stages=1)
    inputs = keras.Input((2, 2, 1))
    cell = keras.Model(inputs, space._cell(FixedChooser(space.decisions_from_string(ALL_SKIP)), 1, inputs))
    np.testing.assert_array_equal(cell(np.full((1, 2, 2, 1), 3.0)), np.full((1, 2, 2, 1), 12.0))


def test_names_of_choices() -> None:
    choices = NASBench201Space((4, 4, 1), 2, channels=1, cells_per_stage=1, stages=1).choices()
    assert [choice.name for choice in choices] == [
        *("edge_1_from_0", "edge_2_from_0", "edge_2_from_1"),
        *("edge_3_from_0", "edge_3_from_1", "edge_3_from_2"),
    ]
    NASBench201Space.decisions_from_string(MIXED).validate(choices)


def test_from_string() -> None:
    assert NASBench201Space.decisions_from_string(MIXED) == Decisions(
        {
            "edge_1_from_0": "nor_conv_3x3",
            "edge_2_from_0": "avg_pool_3x3",
            "edge_2_from_1": "nor_conv_1x1",
            "edge_3_from_0": "none",
            "edge_3_from_1": "skip_connect",
            "edge_3_from_2": "nor_conv_1x1",
        }
    )


@pytest.mark.parametrize("architecture", [ALL_3X3, ALL_NONE, MIXED])
def test_string_and_back(architecture: str) -> None:
    assert NASBench201Space.to_string(NASBench201Space.decisions_from_string(architecture)) == architecture


@pytest.mark.parametrize(
    "architecture",
    [
        "",
        "|nor_conv_3x3~0|",  # one node
        MIXED + "+|none~0|",  # four
        MIXED.replace("none~0|", ""),  # an edge too few
        MIXED.replace("none~0|", "none~0|none~0|"),  # too many
        MIXED.replace("nor_conv_1x1~1", "nor_conv_1x1~0"),  # the same input twice
        MIXED.replace("nor_conv_3x3~0", "nor_conv_3x3~1"),  # an input that comes later
        MIXED[1:],
        MIXED[:-1],
        MIXED + "\n",
    ],
)
def test_from_a_string_of_another_form(architecture: str) -> None:
    with pytest.raises(ValueError, match="must name one operation for each of the edges") as error:
        NASBench201Space.decisions_from_string(architecture)
    assert f"Received: architecture={architecture!r}" in str(error.value)


def test_from_a_string_with_an_unknown_operation() -> None:
    with pytest.raises(ValueError, match=r"'edge_3_from_0' must keep 1 of .* Received: \['nor_conv_7x7'\]"):
        NASBench201Space.decisions_from_string(MIXED.replace("none~0", "nor_conv_7x7~0"))


def test_to_string_of_decisions_of_another_space() -> None:
    with pytest.raises(ValueError, match=r"unknown=\['edge'\]"):
        NASBench201Space.to_string({"edge": "none"})
