"""The penalty on cells whose nodes need not be read; numbers of TopoNAS 5 are for other sets, so the model is ours."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_dha
from keras_dha.penalties import PassiveAggressive
from keras_dha.relaxations import Relaxation, Topology
from keras_dha.spaces import Choice, DARTSSpace


def cell(*, nodes: int = 2, may_be_empty: bool = False) -> dict[str, Relaxation]:
    """Relaxations of a cell's nodes, with one operation, and of its output."""
    choices = []
    for node in range(nodes):
        options = tuple(f"{i}/{op}" for i in range(node + 2) for op in ("none", "conv"))
        groups = tuple(i for i in range(node + 2) for _ in range(2))
        excluded = () if may_be_empty else options[::2]
        choices.append(Choice(f"normal_node_{node}", options, keep=2, groups=groups, excluded=excluded))
    options = tuple(f"{i}/{op}" for i in range(nodes) for op in ("read", "none"))
    choices.append(Choice("normal_output", options, keep=nodes, groups=tuple(i for i in range(nodes) for _ in "rn")))
    made = {choice.name: Topology(seed=0).for_choice(choice) for choice in choices}
    for relaxation in made.values():
        relaxation.build()
    return made


def prefer(relaxation: Relaxation, *options: str, by: float = 2.0) -> None:
    values = relaxation.logits.numpy()
    values[[relaxation.choice.options.index(option) for option in options]] += by
    relaxation.logits.assign(values)


def value_and_gradients(parts: dict[str, Relaxation], penalty: Any = None) -> tuple[float, dict[str, np.ndarray]]:
    penalty = penalty or PassiveAggressive(1.0)
    variables = [part.logits for part in parts.values()]
    with tf.GradientTape() as tape:
        value = penalty.value(parts, 0.5)
    gradients = tape.gradient(value, variables)
    zeros = [np.zeros(v.shape) if g is None else g.numpy() for g, v in zip(gradients, variables, strict=True)]
    return float(value), dict(zip(parts, zeros, strict=True))


def test_a_valid_topology_costs_nothing_and_moves_nothing() -> None:
    value, gradients = value_and_gradients(cell())
    assert value == 0.0
    assert not any(gradient.any() for gradient in gradients.values())


def test_without_a_learned_output_there_is_nothing_to_act_on() -> None:
    parts = cell()
    del parts["normal_output"]
    assert value_and_gradients(parts)[0] == 0.0


def unread() -> dict[str, Relaxation]:
    """Node 0 (number 2) is read neither by node 1 nor by the output."""
    parts = cell()
    prefer(parts["normal_output"], "0/none")
    beta = parts["normal_node_1"].logits.numpy()
    beta[6:] = [2.0, 0.0, 0.0]  # sets 01, 02, 12
    parts["normal_node_1"].logits.assign(beta)
    return parts


def test_a_node_that_is_not_read_is_charged_the_probability_of_that() -> None:
    parts = unread()
    p = np.exp([2.0, 0.0, 0.0]) / np.exp([2.0, 0.0, 0.0]).sum()
    read = 1.0 / (1.0 + np.exp(2.0))  # by the output
    by_node = (p[1] + p[2]) * 0.5  # half of it with `none`
    value, gradients = value_and_gradients(parts)
    assert value == pytest.approx((1 - by_node) * (1 - read), rel=1e-5)
    assert gradients["normal_output"].any()
    assert gradients["normal_node_1"].any()
    assert not gradients["normal_node_0"].any()


def test_where_the_number_of_inputs_is_learned_the_probability_is_that_of_their_sets() -> None:
    parts = cell()
    prefer(parts["normal_output"], "0/none")
    node = Topology(seed=0).for_choice(dataclasses.replace(parts["normal_node_1"].choice, at_least=1))
    node.build()
    beta = np.array([0.0, 2.0, 0.0, 0.0, 0.0, 0.0])  # sets 0, 1, 2, 01, 02, 12
    node.logits.assign([*[0.0] * 6, *beta])
    p = np.exp(beta) / np.exp(beta).sum()
    by_node = (p[2] + p[4] + p[5]) * 0.5  # half of it with `none`
    value, _ = value_and_gradients({**parts, "normal_node_1": node})
    assert value == pytest.approx((1 - by_node) * (1 - 1.0 / (1.0 + np.exp(2.0))), rel=1e-5)


def test_plain_descent_of_the_penalty_makes_the_topology_valid() -> None:
    parts, penalty = unread(), PassiveAggressive(1.0)
    for _step in range(200):
        value, gradients = value_and_gradients(parts, penalty)
        if value == 0.0:
            break
        for name, part in parts.items():
            part.logits.assign_sub(0.5 * gradients[name])
    assert value == 0.0


def test_a_node_that_may_be_empty_is_emptied_instead() -> None:
    parts = cell(nodes=1, may_be_empty=True)
    prefer(parts["normal_output"], "0/none")
    prefer(parts["normal_node_0"], "0/conv", by=1.0)
    prefer(parts["normal_node_0"], "1/none", by=1.0)
    value, gradients = value_and_gradients(parts)
    assert value == pytest.approx(1 - (1 - 0.7310586) * (1 - 0.2689414), rel=1e-4)  # sigmoids of 1 and -1
    assert not gradients["normal_output"].any()
    assert gradients["normal_node_0"].any()


def test_a_node_without_inputs_that_is_read_is_charged_too() -> None:
    parts = cell(nodes=1, may_be_empty=True)
    prefer(parts["normal_node_0"], "0/none", "1/none")
    value, gradients = value_and_gradients(parts)
    assert value == pytest.approx(0.5, rel=1e-5)
    assert gradients["normal_output"].any()


def test_absent_on_both_sides_is_valid() -> None:
    parts = cell(nodes=1, may_be_empty=True)
    prefer(parts["normal_node_0"], "0/none", "1/none")
    prefer(parts["normal_output"], "0/none")
    assert value_and_gradients(parts)[0] == 0.0


def test_a_search_with_a_learned_output_derives_without_what_nobody_reads() -> None:
    space = DARTSSpace((8, 8, 1), 4, channels=2, cells=3, nodes=2, learned_output=True)
    names = [choice.name for choice in space.choices()]
    assert names[:3] == ["normal_node_0", "normal_node_1", "normal_output"]
    x = np.random.default_rng(0).integers(0, 255, (32, 8, 8, 1)).astype("uint8")
    model = keras_dha.SearchModel(space, keras_dha.recipes.toponas(), seed=0)
    for kind in ("normal", "reduce"):
        prefer(model.supernet.relaxations[f"{kind}_output"], "0/none", by=50.0)
        beta = model.supernet.relaxations[f"{kind}_node_1"]
        beta.logits.assign([*[0.0] * 24, 50.0, 0.0, 0.0])  # inputs 0 and 1: node 0 is not read
    model.compile(architecture_optimizer=keras.optimizers.SGD(0.0))
    model.fit(x, np.arange(32) % 4, batch_size=8, epochs=2, verbose=0)
    assert model.decisions()["normal_output"] == ("0/none", "1/read")
    final = model.derive()
    np.testing.assert_allclose(final.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    whole = DARTSSpace((8, 8, 1), 4, channels=2, cells=3, nodes=2)
    kept = {name: options for name, options in model.decisions().items() if not name.endswith("_output")}
    full = keras_dha.SearchModel(whole, decisions=kept, seed=0)
    assert final.count_params() < full.derive().count_params()
    assert set(DARTSSpace.to_genotype(model.decisions())) == {"normal", "reduce"}
