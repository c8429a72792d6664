from typing import Any

import keras
import numpy as np
import pytest

import keras_dha
from keras_dha.derivation import FixedChooser
from keras_dha.relaxations import EdgeSoftmax
from keras_dha.spaces import DARTSSpace, Decisions
from keras_dha.supernet import RelaxedChooser

# "DARTS_V2" of the published code.
NORMAL = [
    *[("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1)],
    *[("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)],
]
REDUCE = [
    *[("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1)],
    *[("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1)],
]
PAIR = [("skip_connect", 0), ("dil_conv_5x5", 1)]


def built(genotype: dict, shape: tuple[int, int, int] = (8, 8, 3), **sizes: int) -> keras.Model:
    return DARTSSpace(shape, 10, **sizes).build(FixedChooser(DARTSSpace.decisions_from_genotype(**genotype)))


def num_trainable(model: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def test_the_published_network_has_the_published_size() -> None:
    model = built({"normal": NORMAL, "reduce": REDUCE}, channels=36, cells=20)
    assert num_trainable(model) == 3_349_342  # "3.3 M" in the paper


def test_parameters_counted_by_hand() -> None:
    # Cells 0 (normal, 1 channel), 1 and 2 (reduction, 2 and 4 channels); one node, two inputs, all skip connections.
    model = built(
        {"normal": [("skip_connect", 0), ("skip_connect", 1)], "reduce": [("skip_connect", 0), ("skip_connect", 1)]},
        channels=1,
        cells=3,
        nodes=1,
    )
    stem = 3 * 3 * 3 * 3 + 2 * 3
    cell_0 = 2 * (3 * 1 + 2 * 1)  # two 1x1 convolutions from the stem's 3 channels
    cell_1 = (
        (3 * 2 + 2 * 2) + (1 * 2 + 2 * 2) + 2 * (2 * 2 + 2 * 2)
    )  # from the stem and cell 0; two factorized reductions
    cell_2 = (1 * 4 + 2 * 4) + (2 * 4 + 2 * 4) + 2 * (4 * 4 + 2 * 4)  # from cells 0 (factorized) and 1; two reductions
    assert num_trainable(model) == stem + cell_0 + cell_1 + cell_2 + (4 * 10 + 10)


@pytest.mark.parametrize("shape", [(8, 8, 3), (7, 5, 3)])
def test_a_published_cell_gives_finite_logits(shape: tuple[int, int, int]) -> None:
    model = built({"normal": NORMAL, "reduce": REDUCE}, shape, channels=2, cells=4)
    assert np.isfinite(model(np.ones((2, *shape), "float32"), training=True)).all()


def test_cells_of_a_kind_share_their_decisions() -> None:
    chooser = FixedChooser(DARTSSpace.decisions_from_genotype(normal=PAIR, reduce=PAIR))
    DARTSSpace((8, 8, 1), 2, channels=1, cells=6, nodes=1).build(chooser)
    kinds = [name for name, option, _ in chooser.branches if option == "0/skip_connect"]
    normal, reduce = "normal_node_0", "reduce_node_0"
    assert kinds == [normal, normal, reduce, normal, reduce, normal]  # cells 6 // 3 and 2 * 6 // 3


def test_pictures_are_halved_by_reduction_cells_only() -> None:
    chooser = FixedChooser(DARTSSpace.decisions_from_genotype(normal=PAIR, reduce=PAIR))
    DARTSSpace((8, 8, 1), 2, channels=1, cells=6, nodes=1).build(chooser)
    sides = [layer.output.shape[1:] for _, option, layer in chooser.branches if option == "1/dil_conv_5x5"]
    assert sides == [(8, 8, 1), (8, 8, 1), (4, 4, 2), (4, 4, 2), (2, 2, 4), (2, 2, 4)]


def test_a_cell_is_the_concatenation_of_its_nodes() -> None:
    space = DARTSSpace((4, 4, 1), 2, channels=1, cells=3, nodes=2)
    skips = [("skip_connect", 0), ("skip_connect", 1), ("skip_connect", 1), ("skip_connect", 2)]
    chooser = FixedChooser(space.decisions_from_genotype(normal=skips, reduce=skips))
    first, second = keras.Input((1, 1, 1)), keras.Input((1, 1, 1))
    cell = keras.Model([first, second], space._cell(chooser, False, 1, [first, second]))
    output = cell([np.full((1, 1, 1, 1), 1.0), np.full((1, 1, 1, 1), 10.0)])
    np.testing.assert_array_equal(np.ravel(output), [11.0, 21.0])  # 1 + 10, 10 + 11


def partial_cell(reduce: bool, pairs: list, shape: tuple[int, int, int], k: int = 2) -> keras.Model:
    """A cell of one node and K = 2, on two inputs."""
    space = DARTSSpace((8, 8, 1), 2, channels=shape[-1], cells=3, nodes=1, partial_channels=k)
    chooser = FixedChooser(space.decisions_from_genotype(normal=pairs, reduce=pairs))
    inputs = [keras.Input(shape), keras.Input(shape)]
    return keras.Model(inputs, space._cell(chooser, reduce, shape[-1], inputs))


def test_channels_that_do_not_pass_the_operations_pass_by() -> None:  # the PC-DARTS property of cell_spaces
    pictures = [np.random.default_rng(i).normal(size=(2, 4, 4, 8)).astype("float32") for i in range(2)]
    output = partial_cell(False, [("sep_conv_3x3", 0), ("dil_conv_3x3", 1)], (4, 4, 8), k=4)(pictures)
    # Shuffled in four groups: of (j, g) -> 4 j + g, group 0 passed the operations, groups 1 to 3 passed by.
    unshuffled = np.reshape(output, (2, 4, 4, 2, 4)).swapaxes(3, 4).reshape(2, 4, 4, 8)
    np.testing.assert_allclose(unshuffled[..., 2:], (pictures[0] + pictures[1])[..., 2:], rtol=1e-6)
    assert not np.allclose(unshuffled[..., :2], (pictures[0] + pictures[1])[..., :2])


def test_what_passes_by_a_reduction_is_halved_by_max_pooling() -> None:
    picture = np.arange(5 * 4 * 2, dtype="float32").reshape(1, 5, 4, 2)
    output = partial_cell(True, [("max_pool_3x3", 0), ("max_pool_3x3", 1)], (5, 4, 2))([picture, picture])
    assert output.shape == (1, 3, 2, 2)
    last = np.pad(picture[0, :, :, 1], ((0, 1), (0, 0)), constant_values=-np.inf).reshape(3, 2, 2, 2).max((1, 3))
    np.testing.assert_array_equal(output[0, :, :, 1], 2 * last)


def test_partial_channels_are_searched_and_derived() -> None:
    space = DARTSSpace((8, 8, 3), 4, channels=4, cells=3, nodes=2, partial_channels=2)
    x = np.random.default_rng(0).integers(0, 255, (32, 8, 8, 3)).astype("uint8")
    model = keras_dha.SearchModel(space, keras_dha.recipes.pc_darts(), seed=0)
    model.fit(x, np.arange(32) % 4, batch_size=8, epochs=2, verbose=0)
    np.testing.assert_allclose(model.derive().predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def test_what_passes_by_has_the_weight_of_its_input_in_the_search() -> None:
    space = DARTSSpace((4, 4, 1), 2, channels=2, cells=3, nodes=1, partial_channels=2)
    chooser = RelaxedChooser(EdgeSoftmax())
    inputs = [keras.Input((4, 4, 2)), keras.Input((4, 4, 2))]
    cell = keras.Model(inputs, space._cell(chooser, False, 2, inputs))
    (relaxation,) = chooser.relaxations.values()
    relaxation.logits.assign([*[0.0] * 16, np.log(3.0), 0.0])
    output = cell([np.full((1, 4, 4, 2), 4.0), np.full((1, 4, 4, 2), 8.0)], training=False)
    np.testing.assert_allclose(output[..., 1], np.full((1, 4, 4), 0.75 * 4 + 0.25 * 8), rtol=1e-5)


def test_partial_channels_divide_the_channels() -> None:
    with pytest.raises(ValueError, match="Received: channels=6, partial_channels=4"):
        DARTSSpace((8, 8, 1), 2, channels=6, partial_channels=4)


def test_three_cells_are_needed_for_both_kinds() -> None:
    with pytest.raises(ValueError, match=r"cells must be an integer, 3 or more. Received: cells=2"):
        DARTSSpace((8, 8, 1), 2, cells=2)


def test_from_genotype() -> None:
    decisions = DARTSSpace.decisions_from_genotype(normal=PAIR, reduce=[("avg_pool_3x3", 1), ("max_pool_3x3", 0)])
    assert decisions == Decisions(
        {"normal_node_0": ["0/skip_connect", "1/dil_conv_5x5"], "reduce_node_0": ["0/max_pool_3x3", "1/avg_pool_3x3"]}
    )


def test_decisions_from_a_genotype_are_valid() -> None:
    decisions = DARTSSpace.decisions_from_genotype(normal=NORMAL, reduce=REDUCE)
    decisions.validate(DARTSSpace((4, 4, 1), 2, channels=1, cells=3).choices())


def test_genotype_and_back() -> None:
    decisions = DARTSSpace.decisions_from_genotype(normal=NORMAL, reduce=REDUCE)
    genotype = DARTSSpace.to_genotype(decisions)
    assert DARTSSpace.decisions_from_genotype(**genotype) == decisions
    assert genotype["normal"][4:6] == [("skip_connect", 0), ("sep_conv_3x3", 1)]  # in the order of the inputs


@pytest.mark.parametrize(
    "pairs",
    [
        [("sep_conv_7x7", 0), ("skip_connect", 1)],  # unknown operation
        [("none", 0), ("skip_connect", 1)],  # never kept
        [("skip_connect", 0), ("dil_conv_5x5", 0)],  # the same input twice
        [("skip_connect", 0), ("dil_conv_5x5", 2)],  # an input that comes later
        [("skip_connect", 0), ("dil_conv_5x5", -1)],
        [("skip_connect", 0), ("dil_conv_5x5", "1")],
        [(0, "skip_connect"), (1, "skip_connect")],
        ["skip_connect", "skip_connect"],
    ],
)
def test_a_node_that_is_not_of_the_space(pairs: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"two pairs of an operation and an input, .* at reduce node 0") as error:
        DARTSSpace.decisions_from_genotype(normal=PAIR, reduce=pairs)
    assert f"Received: {pairs}." in str(error.value)


@pytest.mark.parametrize(("normal", "reduce"), [(PAIR, []), ([], []), (PAIR[:1], PAIR[:1]), (PAIR * 2, PAIR)])
def test_cells_of_different_length(normal: list, reduce: list) -> None:
    with pytest.raises(ValueError, match=f"Received: {len(normal)} pairs in normal, {len(reduce)} in reduce"):
        DARTSSpace.decisions_from_genotype(normal=normal, reduce=reduce)


@pytest.mark.parametrize(
    "decisions",
    [
        {"edge": "none"},
        {"normal_node_0": ["0/skip_connect", "1/skip_connect"]},
        {"normal_node_0": ["0/skip_connect"], "reduce_node_0": ["0/skip_connect", "1/skip_connect"]},
    ],
)
def test_genotype_of_decisions_of_another_space(decisions: dict) -> None:
    with pytest.raises(ValueError, match=r"Decisions of a DARTSSpace must keep two options .* Received: Decisions"):
        DARTSSpace.to_genotype(decisions)


@pytest.mark.parametrize("option", ["skip_connect", "x/skip_connect", "0/none", "1/skip_connect"])
def test_genotype_of_unknown_options(option: str) -> None:
    kept = {"normal_node_0": [option, "1/skip_connect"], "reduce_node_0": ["0/skip_connect", "1/skip_connect"]}
    with pytest.raises(ValueError, match=r"at normal node 0. Received: "):
        DARTSSpace.to_genotype(kept)


def test_the_number_of_inputs_may_be_free() -> None:
    choices = DARTSSpace((8, 8, 1), 2, channels=1, cells=3, nodes=3, node_inputs=(1, 3)).choices()
    assert [(c.fewest, c.keep) for c in choices] == [(1, 2), (1, 3), (1, 3)] * 2


@pytest.mark.parametrize("node_inputs", [(0, 2), (3, 2), (2,), (1, 2.5), (True, 2)])
def test_the_numbers_of_inputs_must_be_in_order(node_inputs: Any) -> None:
    with pytest.raises(ValueError, match=r"node_inputs must be two integers, .* Received: node_inputs=\("):
        DARTSSpace((8, 8, 1), 2, channels=1, cells=3, node_inputs=node_inputs)


def test_a_learned_number_of_inputs_is_derived() -> None:
    space = DARTSSpace((8, 8, 1), 4, channels=2, cells=3, nodes=2, node_inputs=(1, 3))
    x = np.random.default_rng(0).integers(0, 255, (32, 8, 8, 1)).astype("uint8")
    model = keras_dha.SearchModel(space, keras_dha.recipes.toponas(), seed=0)
    for kind, size in (("normal", 1), ("reduce", 3)):
        relaxation = model.supernet.relaxations[f"{kind}_node_1"]
        sets = np.where(relaxation._sizes == size, 50.0, 0.0)
        relaxation.logits.assign([*[0.0] * 24, *sets])
    model.compile(architecture_optimizer=keras.optimizers.SGD(0.0))
    model.fit(x, np.arange(32) % 4, batch_size=8, epochs=2, verbose=0)
    assert [len(model.decisions()[f"{kind}_node_1"]) for kind in ("normal", "reduce")] == [1, 3]
    final = model.derive()
    np.testing.assert_allclose(final.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
