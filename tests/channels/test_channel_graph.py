import ast
import re
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_dha.channels import ChannelGraph, flattened

Found = list[tuple[int, tuple[str, ...]]]


def conv(x: Any, name: str, filters: int = 4, **arguments: Any) -> Any:
    return layers.Conv2D(filters, 3, padding="same", name=name, **arguments)(x)


def head(x: Any) -> Any:
    return layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(x))


def widths_of(build: Any, shape: tuple[int | None, ...] = (8, 8, 3), **arguments: Any) -> Found:
    inputs = keras.Input(shape)
    widths = ChannelGraph(keras.Model(inputs, build(inputs)), **arguments).widths()
    assert all(width.name == width.layers[0] for width in widths)
    return [(len(width.numbers), width.layers) for width in widths]


def two(kind: type[keras.layers.Layer], **arguments: Any) -> Any:
    return lambda x: head(kind(**arguments)([conv(x, "a"), conv(x, "b")]))


def squeezed(x: Any) -> Any:
    x = conv(x, "a")
    y = layers.Dense(2, name="squeeze")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return head(layers.Multiply()([x, layers.Dense(4, name="excite")(y)]))


def inverted(x: Any) -> Any:
    y = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depthwise")(conv(x, "expand", 6))
    return head(layers.Add()([conv(x, "stem", 5), conv(y, "project", 5)]))


def joined(x: Any) -> Any:
    parts = layers.Concatenate()([conv(x, "a", 2), conv(x, "b", 3)])
    return head(layers.Add()([parts, conv(x, "c", 5)]))


def called_twice(x: Any) -> Any:
    layer = layers.Conv2D(4, 3, padding="same", name="shared")
    return head(layer(layers.ReLU()(layer(conv(x, "first")))))


def one_for_all(x: Any) -> Any:
    return head(layers.Multiply()([conv(x, "a"), conv(x, "attention", 1, activation="sigmoid")]))


def before(layer: keras.layers.Layer) -> Any:
    return lambda x: head(conv(layer(conv(x, "a")), "b"))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        pytest.param(lambda x: head(conv(conv(x, "a", 4), "b", 5)), [(4, ("a",)), (5, ("b",))], id="chain"),
        pytest.param(two(layers.Add), [(4, ("a", "b"))], id="sum"),
        pytest.param(two(layers.Maximum), [(4, ("a", "b"))], id="maximum"),
        pytest.param(two(layers.Concatenate), [(4, ("a",)), (4, ("b",))], id="concatenation"),
        pytest.param(two(layers.Concatenate, axis=1), [(4, ("a", "b"))], id="concatenation of rows"),
        pytest.param(squeezed, [(4, ("a", "excite")), (2, ("squeeze",))], id="squeeze-excitation"),
        pytest.param(inverted, [(6, ("expand", "depthwise")), (5, ("stem", "project"))], id="depthwise"),
        pytest.param(joined, [(2, ("a", "c")), (3, ("b", "c"))], id="sum with a concatenation"),
        pytest.param(called_twice, [(4, ("first", "shared"))], id="layer called twice"),
        pytest.param(one_for_all, [(4, ("a",))], id="one channel for all"),
        pytest.param(lambda x: head(conv(x, "a") + 1.0), [(4, ("a",))], id="sum with a number"),
        pytest.param(lambda x: head(conv(x, "a") + np.ones((1, 4))), [], id="sum with numbers"),
        pytest.param(lambda x: head(conv(x, "a") / 2.0), [(4, ("a",))], id="divided by a number"),
        pytest.param(lambda x: head(conv(x, "a") / conv(x, "b")), [], id="divided by a tensor"),
        pytest.param(lambda x: head(1.0 / conv(x, "a")), [], id="divisor"),
        pytest.param(lambda x: conv(x, "a"), [], id="outputs"),
        pytest.param(lambda x: head(layers.Add()([x, conv(x, "a", 3)])), [], id="inputs"),
        pytest.param(
            lambda x: head(layers.DepthwiseConv2D(3, depth_multiplier=4)(x)), [], id="inputs, again and again"
        ),
        pytest.param(lambda x: head(conv(x, "a", activation="softmax")), [], id="fused softmax"),
        pytest.param(before(layers.Softmax()), [(4, ("b",))], id="softmax"),
        pytest.param(before(layers.LayerNormalization()), [(4, ("b",))], id="layer normalization"),
        pytest.param(before(layers.Permute((3, 1, 2))), [(4, ("b",))], id="channels moved"),
        pytest.param(before(layers.Reshape((8, 16, 2))), [(4, ("b",))], id="channels cut"),
        pytest.param(before(layers.Conv2D(6, 1, groups=2, name="g")), [(4, ("b",))], id="groups"),
    ],
)
def test_which_channels_go_together(build: Any, expected: Found) -> None:
    assert widths_of(build) == expected


def test_widths_of_other_axes() -> None:
    for axes, kind in enumerate((layers.Conv1D, layers.Conv2D, layers.Conv3D), 1):
        made = [kind(n, 1, name=name) for n, name in ((3, "a"), (2, "b"))]
        assert widths_of(lambda x, made=made: layers.Dense(2)(made[1](made[0](x))), (4,) * axes + (1,)) == [
            (3, ("a",)),
            (2, ("b",)),
        ]


def test_several_inputs_and_outputs() -> None:
    inputs = {"image": keras.Input((8, 8, 3), name="image"), "table": keras.Input((3,), name="table")}
    x = layers.Dense(3, name="b")(layers.Flatten()(conv(inputs["image"], "a", 2)))
    y = layers.Dense(3, name="c")(layers.Dense(5, name="d")(inputs["table"]))
    outputs = {"sum": layers.Dense(2)(layers.Add()([x, y])), "hidden": layers.ReLU()(layers.Dense(4, name="e")(y))}
    graph = ChannelGraph(keras.Model(inputs, outputs))
    assert [(len(width.numbers), width.layers) for width in graph.widths()] == [
        (2, ("a",)),
        (5, ("d",)),
        (3, ("b", "c")),
    ]
    assert not any(graph.free(tensor).any() for tensor in (*inputs.values(), *outputs.values()))


def test_a_width_has_a_number_a_channel() -> None:
    inputs = keras.Input((2, 1, 3))
    a = layers.Conv2D(2, 1, name="a")(inputs)
    flat = layers.Flatten()(a)
    graph = ChannelGraph(keras.Model(inputs, layers.Dense(1)(flat)))
    (width,) = graph.widths()
    first, second = width.numbers
    assert graph.channels(a).tolist() == [first, second]
    assert graph.channels(flat).tolist() == [first, second, first, second]
    assert graph.free(flat).all()
    assert not graph.free(inputs).any()


def test_a_depth_multiplier_repeats_each_channel() -> None:
    inputs = keras.Input((4, 4, 3))
    a = layers.Conv2D(2, 1)(inputs)
    b = layers.DepthwiseConv2D(1, depth_multiplier=2)(a)
    graph = ChannelGraph(keras.Model(inputs, head(b)))
    first, second = graph.channels(a)
    assert graph.channels(b).tolist() == [first, first, second, second]


@pytest.mark.parametrize("size", [None, 8])
def test_sizes_may_be_unknown(size: int | None) -> None:
    assert widths_of(squeezed, (size, size, 3)) == [(4, ("a", "excite")), (2, ("squeeze",))]


@keras.saving.register_keras_serializable(package="tests")
class Doubled(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return 2.0 * inputs


def with_unknown(layer: keras.layers.Layer) -> Any:
    return lambda x: layers.Dense(2)(layers.Dense(4, name="b")(layer(layers.Conv1D(4, 1, name="a")(x))))


@pytest.mark.parametrize("layer", [Doubled(name="odd (1)"), layers.LSTM(3, name="odd (1)")])
def test_unknown_layers_must_be_excluded(layer: keras.layers.Layer) -> None:
    said = rf"Received: {type(layer).__name__} 'odd \(1\)'; it is of a kind whose channels are not known"
    with pytest.raises(ValueError, match=said) as caught:
        widths_of(with_unknown(layer), (5, 2))
    advice = ast.literal_eval(re.findall(r"with exclude=('.*'), or", str(caught.value))[0])
    for exclude in (advice, "odd.*", ["nothing", r"odd \(1\)"], layer, [layer]):
        assert widths_of(with_unknown(layer), (5, 2), exclude=exclude) == [(4, ("b",))]


def test_excluded_layers_of_known_kinds_keep_their_own_channels() -> None:
    def both(x: Any) -> Any:
        return head(conv(conv(conv(x, "a"), "b"), "c"))

    assert widths_of(both, exclude="^b$") == [(4, ("a",)), (4, ("c",))]
    assert widths_of(both, exclude="^[ab]$") == [(4, ("c",))]
    assert widths_of(two(layers.Add), exclude="^b$") == []


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (layers.Conv2D(4, 1, data_format="channels_first", name="odd"), "not on the last axis .*channels_first"),
        (layers.AveragePooling2D(1, data_format="channels_first", name="odd"), "not on the last axis .*channels_first"),
        (layers.BatchNormalization(axis=1, name="odd"), r"another axis than the last one \(axis=1\)"),
    ],
)
def test_channels_are_on_the_last_axis(layer: keras.layers.Layer, said: str) -> None:
    with pytest.raises(ValueError, match=rf"Received: {type(layer).__name__} 'odd'; .*{said}.*exclude='odd'"):
        widths_of(before(layer))
    assert widths_of(before(layer), exclude="odd.*") == [(4, ("b",))]


@pytest.mark.parametrize(("exclude", "said"), [("a(", r"exclude='a\('"), ([3], r"exclude=\[3\]")])
def test_what_excludes_is_a_regular_expression(exclude: Any, said: str) -> None:
    with pytest.raises(ValueError, match=rf"names of layers, regular expressions, or layers\. Received: {said}"):
        widths_of(squeezed, exclude=exclude)


def test_models_in_a_model_must_be_flattened() -> None:
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, head(keras.Sequential([layers.Conv2D(4, 1, name="a")], name="inner")(inputs)))
    with pytest.raises(ValueError, match="Received: Sequential 'inner'"):
        ChannelGraph(model)
    assert [width.name for width in ChannelGraph(flattened(model)).widths()] == ["a"]


@pytest.mark.parametrize(("kind", "expected"), [("parameters", 3 * 4 + 4 + 4 * 2 + 2), ("multiply_adds", 64 * 12 + 8)])
def test_terms_count_the_channels(kind: str, expected: float) -> None:
    inputs = keras.Input((8, 8, 3))
    graph = ChannelGraph(keras.Model(inputs, head(layers.Conv2D(4, 1)(inputs))))
    counts = [(t.factor, *(1 if n is None else len(n) for n in (t.inputs, t.outputs))) for t in graph.terms(kind)]
    assert np.prod(counts, axis=1).sum() == expected
