from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_dha.costs import BlockCost, multiply_adds, parameters
from keras_dha.derivation import FixedChooser, inherit_weights
from keras_dha.relaxations import NormThreshold, OneHotSample, Relaxation, Softmax
from keras_dha.spaces import MobileNetSpace
from keras_dha.supernet import Supernet

SMALL: dict[str, Any] = {"channels": 4, "widths": (1.5, 2.5), "repeats": 2, "expansions": (2, 3, 6)}


def space(**arguments: Any) -> MobileNetSpace:
    return MobileNetSpace((16, 15, 3), 10, **{**SMALL, "ratios": (0.0, 0.1, 0.25), **arguments})


def shaken(network: keras.Model) -> None:
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if not layer.name.startswith("choice_weights"):
            layer.set_weights([w + rng.uniform(0.05, 0.3, w.shape) for w in layer.get_weights()])


@pytest.mark.parametrize("relaxation", [NormThreshold(seed=0), Softmax(), OneHotSample(seed=0)], ids=lambda r: r.name)
def test_the_supernet_is_the_derived_network(relaxation: Relaxation) -> None:
    own = space()
    supernet = Supernet(own, relaxation)
    shaken(supernet.network)
    x = np.random.default_rng(1).normal(size=(4, 16, 15, 3)).astype("float32")
    for seed in range(3):
        decisions = own.random_decisions(seed=seed)
        for name, (option,) in decisions.items():
            part = supernet.relaxations[name]
            part.logits.assign(np.zeros(part.logits.shape))
            part.decide([part.choice.options.index(option)])
            if type(part) is Softmax:
                part.logits.assign(200.0 * part.logits)
        assert supernet.decisions() == decisions
        chooser = FixedChooser(decisions)
        derived = own.build(chooser)
        inherit_weights(
            supernet.network, supernet.kept_branches(), chooser.whole(derived), chooser.branches, supernet.acting
        )
        smaller = own.without_closed(derived)
        for training in (False,) if relaxation.sparse else (False, True):  # with statistics of the batch, too
            expected = ops.convert_to_numpy(supernet.network(x, training=training)[0])
            got = ops.convert_to_numpy(smaller(x, training=training))
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
        assert not any("channel_mask" in layer.name for layer in smaller.layers)


def test_gates_hear_of_the_task_about_as_loudly_as_they_matter() -> None:
    """Where gates stand behind the normalization; gates on kernels do not: their slopes are 100 times too small."""
    own = MobileNetSpace((8, 8, 1), 3, channels=4, widths=(2.0,), repeats=3, kernels=(3, 5), ratios=(0.0, 0.25))
    supernet = Supernet(own, NormThreshold())
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 8, 8, 1)).astype("float32"), rng.integers(0, 3, 32)
    parts = supernet.relaxations
    thresholds = [part.logits.value for part in parts.values()]

    def loss_and_slopes(off: str | None) -> tuple[float, dict[str, float]]:
        """The loss without a part, and its slopes by all parts, if sizes are 1 and slopes of sigmoids those at 1."""
        for name, part in parts.items():
            part.logits.assign(part._sizes() + (1.0 if name == off else -1.0))
        with tf.GradientTape() as tape:
            outputs = supernet.network(x, training=True)[0]
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, outputs, from_logits=True))
        slope = np.exp(-1.0) / (1.0 + np.exp(-1.0)) ** 2
        slopes = {name: -float(g[0]) / slope for name, g in zip(parts, tape.gradient(loss, thresholds))}
        return float(loss), slopes

    found: dict[str, list[tuple[float, float, float]]] = {}
    whole, slopes = loss_and_slopes(None)
    for name in parts:
        without, slopes_without = loss_and_slopes(name)
        row = (abs(whole - without), abs(slopes[name]), abs(slopes_without[name]))
        found.setdefault(name.split("_")[-1], []).append(row)
    for kind, rows in found.items():
        effect, on, off = np.mean(rows, axis=0)
        assert effect / 40 < on < 40 * effect, (kind, rows)
        assert effect / 40 < off < 40 * effect, (kind, rows)


def test_a_layer_that_is_left_out_is_gone() -> None:
    own = space()
    largest = {choice.name: choice.options[-1] for choice in own.choices()}
    without = own.without_closed(own.build(FixedChooser({**largest, "layer_1_repeat": "0"})))
    whole = own.without_closed(own.build(FixedChooser(largest)))
    assert len(without.layers) < len(whole.layers) - 8
    assert without.count_params() < whole.count_params()


def test_pictures_are_halved_to_a_few_rows() -> None:
    sides = {}
    for side in (28, 32, 64, 224):
        network = MobileNetSpace((side, side, 3), 10, channels=2, repeats=1).build(FixedChooser(_first(side)))
        last = next(layer for layer in network.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
        sides[side] = last.input.shape[1]
    assert sides == {28: 7, 32: 4, 64: 4, 224: 7}


def _first(side: int) -> dict[str, str]:
    own = MobileNetSpace((side, side, 3), 10, channels=2, repeats=1)
    return {choice.name: choice.options[0] for choice in own.choices()}


@pytest.mark.parametrize("cost", [multiply_adds, parameters])
def test_costs_are_a_sum_over_layers(cost: Any) -> None:
    own = space(expansions=(3, 6), ratios=(0.0, 0.25), kernels=(3, 5))
    blocks = BlockCost.measure(own, cost)
    for seed in range(3):
        decisions = own.random_decisions(seed=seed)
        network = own.without_closed(own.build(FixedChooser(decisions)))
        assert blocks.of(decisions) == pytest.approx(cost(network), rel=1e-9)


def test_without_excitation_nobody_asks_for_it() -> None:
    assert not any("excitation" in choice.name for choice in space(ratios=(0.0,)).choices())


def test_it_survives_its_config() -> None:
    again = MobileNetSpace.from_config(space().get_config())
    assert again.choices() == space().choices()
    assert again.get_config() == space().get_config()


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"widths": ()}, "widths"),
        ({"kernels": (3, 4)}, "kernels"),
        ({"expansions": (6, 3)}, "kernels"),
        ({"ratios": (0.5, 0.1)}, "ratios"),
    ],
)
def test_sizes_are_checked(arguments: dict[str, Any], received: str) -> None:
    with pytest.raises(ValueError, match=f"Received: {received}="):
        space(**arguments)
