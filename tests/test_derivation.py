from typing import Any

import keras
import numpy as np
import pytest

from keras_dha.derivation import FixedChooser
from keras_dha.spaces import Chooser


def times(factor: float) -> Any:
    return lambda *_: keras.layers.Rescaling(factor)


OPS = {"double": times(2.0), "triple": times(3.0), "half": lambda: lambda x: keras.layers.Rescaling(0.5)(x)}
NODE_OPS = {"once": lambda i: keras.layers.Identity(), "tenfold": times(10.0)}


def op_model(chooser: Chooser) -> keras.Model:
    x = keras.Input((1,))
    return keras.Model(x, choose_twice(chooser, x))


def choose_twice(chooser: Chooser, x: Any) -> Any:
    return chooser.op("edge", OPS)(chooser.op("edge", OPS)(x))


def node_model(chooser: Chooser, num_inputs: int = 3) -> keras.Model:
    inputs = [keras.Input((1,)) for _ in range(num_inputs)]
    return keras.Model(inputs, chooser.node("sum", NODE_OPS, keep=2)(inputs))


def at(model: keras.Model, *values: float) -> float:
    inputs = [np.array([[value]], "float32") for value in values]
    return float(model(inputs if isinstance(model.input, list) else inputs[0])[0, 0])


def layers_of(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


@pytest.mark.parametrize(("kept", "expected"), [("double", 4.0), ("triple", 9.0), ("half", 0.25)])
def test_op_is_the_kept_option(kept: str, expected: float) -> None:
    assert at(op_model(FixedChooser({"edge": kept})), 1.0) == expected


def test_only_the_kept_option_is_built() -> None:
    made: list[str] = []
    options = {name: lambda name=name: made.append(name) or keras.layers.Identity() for name in ("a", "b", "c")}
    FixedChooser({"edge": "b"}).op("edge", options)(keras.Input((1,)))
    assert made == ["b"]


def test_node_is_the_sum_of_the_kept_options() -> None:
    model = node_model(FixedChooser({"sum": ["0/tenfold", "2/once"]}))
    assert at(model, 1.0, 100.0, 5.0) == 10.0 + 5.0


def test_a_node_of_one_input_has_no_sum() -> None:
    model = node_model(FixedChooser({"sum": "0/tenfold"}), num_inputs=1)
    assert at(model, 3.0) == 30.0
    assert layers_of(model) == ["Rescaling"]


def test_weights_rescale_the_kept_options() -> None:
    weights = {"sum": {"0/tenfold": 0.5, "2/once": np.float32(3.0), "1/once": 100.0}}  # the last one is not kept
    model = node_model(FixedChooser({"sum": ["0/tenfold", "2/once"]}, weights))
    assert at(model, 1.0, 100.0, 5.0) == 5.0 + 15.0


def test_a_weight_of_one_needs_no_layer() -> None:
    model = node_model(FixedChooser({"sum": ["0/once", "1/once"]}, {"sum": {"0/once": 1.0, "1/once": 2.0}}))
    assert sorted(layers_of(model)) == ["Add", "Identity", "Identity", "Rescaling"]


def test_weights_of_an_op_act_at_every_place() -> None:
    assert at(op_model(FixedChooser({"edge": "triple"}, {"edge": {"triple": 0.5}})), 1.0) == 2.25


def test_branches_in_the_order_of_building() -> None:
    chooser = FixedChooser({"sum": ["2/once", "0/tenfold"], "edge": "half"}, {"edge": {"half": 2.0}})
    op_model(chooser)
    node_model(chooser)
    assert [(name, option) for name, option, _ in chooser.branches] == [
        *[("edge", "half"), ("edge", "half")],
        *[("sum", "0/tenfold"), ("sum", "2/once")],  # in the order of the choice, not of the decision
    ]
    assert [type(layer).__name__ for *_, layer in chooser.branches] == ["Functional"] * 2 + ["Rescaling", "Identity"]
    assert chooser.branches[0][2] is not chooser.branches[1][2]
    assert chooser.branches[2][2].scale == 10.0


def test_a_choice_without_decision() -> None:
    with pytest.raises(ValueError, match=r"must have a decision. Received: none for 'edge', decisions of \['egde'\]"):
        op_model(FixedChooser({"egde": "double"}))


def test_an_unknown_option() -> None:
    with pytest.raises(ValueError, match=r"'edge' must keep 1 of .* Received: \['quadruple'\]"):
        op_model(FixedChooser({"edge": "quadruple"}))


def test_two_options_of_one_input() -> None:
    with pytest.raises(ValueError, match=r"at most one per input. Received: \['0/once', '0/tenfold'\]"):
        node_model(FixedChooser({"sum": ["0/once", "0/tenfold"]}))


def test_weights_of_an_unknown_choice() -> None:
    with pytest.raises(ValueError, match=r"Received: weights of \['sum'\], decisions of \['edge'\]"):
        FixedChooser({"edge": "double"}, {"edge": {}, "sum": {}})


def test_weights_of_an_unknown_option() -> None:
    with pytest.raises(ValueError, match=r"'edge' must be for its options. Received: \['quadruple'\]"):
        op_model(FixedChooser({"edge": "double"}, {"edge": {"quadruple": 4.0}}))


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), "1", None])
def test_a_weight_that_is_no_number(weight: Any) -> None:
    with pytest.raises(ValueError, match=f"must be a finite number. Received: {weight!r} for the option 'double'"):
        FixedChooser({"edge": "double"}, {"edge": {"double": weight}})
