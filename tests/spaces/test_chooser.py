from typing import Any

import keras
import numpy as np
import pytest

from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Choice, Chooser
from keras_dha.spaces.chooser import as_layer


class Recorder(Chooser):
    """Answers with what it was asked."""

    def _answer_op(self, choice: Choice, options: Any, x: Any) -> Any:
        return ("op", choice.name, x)

    def _answer_node(self, choice: Choice, options: Any, inputs: list[Any]) -> Any:
        return ("node", choice.name, inputs)


TWO_OPS = {"conv": lambda: keras.layers.Conv2D(2, 1), "skip": keras.layers.Identity}
TWO_NODE_OPS = {"conv": lambda i: keras.layers.Conv2D(2, 1), "none": lambda i: keras.layers.Rescaling(0.0)}


def test_op_asks_one_choice() -> None:
    chooser = Recorder()
    assert chooser.op("edge", TWO_OPS, excluded=["skip"])("x") == ("op", "edge", "x")
    assert chooser.choices == {"edge": Choice("edge", ("conv", "skip"), excluded=("skip",))}


def test_node_names_options_by_input_and_operation() -> None:
    chooser = Recorder()
    assert chooser.node("sum", TWO_NODE_OPS, keep=2, excluded=("none",))(("a", "b", "c")) == (
        "node",
        "sum",
        ["a", "b", "c"],
    )
    assert chooser.choices["sum"] == Choice(
        "sum",
        ("0/conv", "0/none", "1/conv", "1/none", "2/conv", "2/none"),
        keep=2,
        groups=(0, 0, 1, 1, 2, 2),
        excluded=("0/none", "1/none", "2/none"),
    )


def test_a_node_keeps_no_more_than_it_has_inputs() -> None:
    chooser = Recorder()
    chooser.node("sum", TWO_NODE_OPS, keep=2)(["a"])
    assert chooser.choices["sum"].keep == 1


def test_a_tensor_is_a_node_that_keeps_one_input() -> None:
    chooser = Recorder()
    assert chooser.tensor("place", {"early": "a", "late": "b"}) == ("node", "place", ["a", "b"])
    assert chooser.choices["place"] == Choice("place", ("0/early", "1/late"))
    assert chooser.tensor("place", {"early": "c", "late": "c"}) == ("node", "place", ["c", "c"])  # the same decision
    sizes = {"late": 1, "early": 2}
    chooser.tensor("read", {"early": "a", "late": "b"}, capacities=sizes)
    assert chooser.choices["read"].capacities == (2.0, 1.0)
    with pytest.raises(ValueError, match=r"'read' must be .* Received: capacities of \['late'\], options \['early', "):
        chooser.tensor("read", {"early": "a", "late": "b"}, capacities={"late": 1})


def test_what_only_other_tensors_need_is_not_derived() -> None:
    x = keras.Input((1,))
    tensors = {"twice": keras.layers.Rescaling(2.0)(x), "thrice": keras.layers.Rescaling(3.0)(x)}
    model = keras.Model(x, FixedChooser({"place": "1/thrice"}).tensor("place", tensors))
    np.testing.assert_array_equal(model(np.array([[1.0]])), [[3.0]])
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Rescaling", "Identity"]


def test_the_same_name_is_the_same_decision() -> None:
    chooser = Recorder()
    chooser.op("edge", TWO_OPS)
    chooser.op("edge", {"conv": keras.layers.Identity, "skip": keras.layers.Identity})  # other layers, same question
    assert list(chooser.choices) == ["edge"]


def test_the_same_name_with_other_options() -> None:
    chooser = Recorder()
    chooser.op("edge", TWO_OPS)
    with pytest.raises(ValueError, match=r"asked twice .* Received: Choice\(name='edge', options=\('conv',\)"):
        chooser.op("edge", {"conv": keras.layers.Identity})


def test_the_same_name_with_other_inputs() -> None:
    chooser = Recorder()
    node = chooser.node("sum", TWO_NODE_OPS)
    node(["a", "b"])
    with pytest.raises(ValueError, match="asked twice"):
        node(["a", "b", "c"])


def test_a_misspelt_excluded_operation_of_a_node() -> None:
    with pytest.raises(
        ValueError, match=r"'sum' must be operations. Received: excluded=\('nnoe',\).* Remove \['nnoe'\]"
    ):
        Recorder().node("sum", TWO_NODE_OPS, excluded=("nnoe",))


def test_a_layer_is_its_own_layer() -> None:
    layer = keras.layers.Conv2D(2, 1)
    assert as_layer(layer, keras.Input((4, 4, 1))) is layer


def test_a_function_becomes_a_model_of_its_layers() -> None:
    def twice(x: Any) -> Any:
        return keras.layers.Rescaling(2.0)(keras.layers.ReLU()(x))

    layer = as_layer(twice, keras.Input((3,)))
    np.testing.assert_array_equal(layer(np.array([[-1.0, 1.0, 2.0]])), [[0.0, 2.0, 4.0]])
    assert [type(inner).__name__ for inner in layer.layers] == ["InputLayer", "ReLU", "Rescaling"]


def test_a_function_of_a_half_precision_tensor() -> None:
    layer = as_layer(lambda x: keras.layers.ReLU(dtype="float16")(x), keras.Input((3,), dtype="float16"))
    assert layer.input.dtype == "float16"
