"""Kinds of inputs: what their blocks keep, how they come together, and what fusions compute."""

import keras
import numpy as np
import pytest

from keras_dha.spaces.modalities import MODALITIES, fusions, joined, joint_kind, largest_size

SHAPES = {"image": (5, 4, 3), "sequence": (6, 3), "table": (7,)}


@pytest.mark.parametrize("kind", MODALITIES)
def test_blocks_keep_positions_and_pools_halve_them_rounding_up(kind: str) -> None:
    modality, x = MODALITIES[kind], keras.Input(SHAPES[kind])
    positions = x.shape[1:-1]
    for blocks in (modality.blocks(2), modality.residuals(x.shape[-1])):
        channels = {make()(x).shape[-1] for make in blocks.values()}
        assert {make()(x).shape[1:-1] for make in blocks.values()} == {positions}
        assert len(channels) == 1
    halved = tuple(-(-size // 2) for size in positions)
    assert {make()(x).shape[1:-1] for make in modality.pools().values()} == ({halved} if positions else set())
    assert {make()(x).shape for make in modality.features(9).values()} == {(None, 9)}


def test_the_start_adds_the_axis_of_channels_and_normalizes_each_channel() -> None:
    x = keras.Input((2, 2))
    start = keras.Model(x, MODALITIES["image"].start(x))
    values = np.arange(24, dtype="float32").reshape(6, 2, 2) * 100 - 3.0
    found = keras.ops.convert_to_numpy(start(values, training=True))
    assert found.shape == (6, 2, 2, 1)
    assert found.mean() == pytest.approx(0.0, abs=1e-5)
    assert found.std() == pytest.approx(1.0, abs=1e-4)


def test_columns_of_a_table_are_normalized_each_by_itself() -> None:
    x = keras.Input((2,))
    start = keras.Model(x, MODALITIES["table"].start(x))
    found = keras.ops.convert_to_numpy(start(np.array([[0.0, 1000.0], [2.0, 3000.0]]), training=True))
    np.testing.assert_allclose(found, [[-1.0, -1.0], [1.0, 1.0]], atol=1e-4)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["table", "image", "sequence"], "image"),
        (["table", "sequence"], "sequence"),
        (["table", "table"], "table"),
    ],
)
def test_a_joint_network_has_the_richest_kind(kinds: list[str], expected: str) -> None:
    assert joint_kind(kinds) == expected


@pytest.mark.parametrize(
    ("shapes", "kinds", "expected"),
    [
        ([(4, 6, 1), (5, 3, 2)], ["image", "image"], (5, 6)),
        ([(4, 6, 1), (9, 2), (7,)], ["image", "sequence", "table"], (4, 6)),
        ([(4, 2), (9, 3), (7,)], ["sequence", "sequence", "table"], (9,)),
        ([(4,), (7,)], ["table", "table"], ()),
    ],
)
def test_parts_come_to_the_largest_size_of_the_joint_kind(shapes: list, kinds: list[str], expected: tuple) -> None:
    inputs = [keras.Input(shape) for shape in shapes]
    kind = joint_kind(kinds)
    size = largest_size([x for x, own in zip(inputs, kinds) if own == kind])
    x = joined(inputs, kinds, kind, size, 3)
    assert x.shape[1:] == (*expected, 3 * len(shapes))
    model = keras.Model(inputs, x)
    assert np.isfinite(model([np.ones((2, *shape), "float32") for shape in shapes])).all()


@pytest.mark.parametrize(("kind", "size"), [("sequence", (3,)), ("image", (3, 2))])
def test_a_table_is_the_same_at_each_position(kind: str, size: tuple[int, ...]) -> None:
    x = keras.Input((2,))
    model = keras.Model(x, getattr(MODALITIES["table"], f"to_{kind}")(x, size))
    found = keras.ops.convert_to_numpy(model(np.array([[1.0, 2.0]])))
    np.testing.assert_array_equal(found, np.broadcast_to([1.0, 2.0], (1, *size, 2)))


def test_a_sequence_is_an_image_of_equal_columns() -> None:
    x = keras.Input((3, 1))
    model = keras.Model(x, MODALITIES["sequence"].to_image(x, (3, 2)))
    found = keras.ops.convert_to_numpy(model(np.array([[[1.0], [2.0], [3.0]]])))[0, ..., 0]
    np.testing.assert_allclose(found, [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])


def fused(name: str, value: np.ndarray, number: int) -> tuple[keras.Model, np.ndarray]:
    x = keras.Input(value.shape[1:])
    model = keras.Model(x, fusions(number)[name]()(x))
    return model, keras.ops.convert_to_numpy(model(value))


@pytest.mark.parametrize(("name", "expected"), [("sum", [[9.0, 12.0]]), ("product", [[15.0, 48.0]])])
def test_what_sum_and_product_are(name: str, expected: list) -> None:
    _, found = fused(name, np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]), 3)
    np.testing.assert_allclose(found, expected)


def test_parts_of_an_image_are_channels_of_each_pixel() -> None:
    value = np.random.default_rng(0).normal(size=(2, 3, 4, 6)).astype("float32")
    _, found = fused("sum", value, 2)
    np.testing.assert_allclose(found, value[..., :3] + value[..., 3:], rtol=1e-5)


def test_gates_that_are_half_open_give_half_the_sum() -> None:
    value = np.array([[1.0, 2.0, 3.0, 4.0]], "float32")
    model, _ = fused("gated", value, 2)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    np.testing.assert_allclose(model(value), [[2.0, 3.0]])


def test_concat_is_a_dense_layer_on_all_parts() -> None:
    value = np.array([[1.0, 2.0, 3.0, 4.0]], "float32")
    model, _ = fused("concat", value, 2)
    model.set_weights([np.array([[1.0, 0.0], [0.0, 0.0], [10.0, 0.0], [0.0, 1.0]])])
    np.testing.assert_allclose(model(value), [[31.0, 4.0]])
