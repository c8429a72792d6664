"""The contract that every penalty keeps, and what each of them computes."""

import importlib
import json
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_dha.penalties as folder
from keras_dha.penalties import (
    ADMM,
    PENALTIES,
    Budget,
    CostTarget,
    ExpectedCost,
    LogCost,
    OpenChannels,
    PassiveAggressive,
    Penalty,
    Proximity,
    ZeroOne,
)
from keras_dha.relaxations import Clipped, Relaxation, Sigmoid, Softmax
from keras_dha.spaces import Choice

TEMPLATES = [ZeroOne(), Proximity(), Proximity(squared=True), ADMM(every=1), ADMM(squared=True)]
TEMPLATES += [PassiveAggressive(), OpenChannels()]
OF_COSTS = [CostTarget(max_multiply_adds=0.5), ExpectedCost()]  # tests/penalties/test_cost_target.py
OF_COSTS += [Budget(max_parameters=0.5), LogCost(0.1)]  # tests/penalties/test_budget.py
NODE = Choice("node/0", ("0/a", "0/b", "1/a", "1/b"), keep=1, groups=(0, 0, 1, 1))


def relaxations(kind: type[Relaxation] = Softmax, logits: list[float] | None = None) -> dict[str, Relaxation]:
    choices = {"edge": Choice("edge", ("a", "b")), "node/0": NODE}
    made = {name: kind(seed=0).for_choice(choice) for name, choice in choices.items()}
    for relaxation in made.values():
        relaxation.build()
        if logits is not None:
            relaxation.logits.assign(logits[: len(relaxation.choice.options)])
    return made


def clone(penalty: Penalty) -> Penalty:
    return keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(penalty))))


def test_every_penalty_is_listed_and_tested() -> None:
    for info in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"keras_dha.penalties.{info.name}")
    ours = {cls for cls in Penalty.__subclasses__() if cls.__module__.startswith("keras_dha.")}
    assert ours == set(PENALTIES), "Add the new class to PENALTIES in keras_dha/penalties/__init__.py."
    assert {type(template) for template in TEMPLATES + OF_COSTS} == set(PENALTIES), "Add it to TEMPLATES here."


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kind", [Softmax, Sigmoid, Clipped])
def test_a_finite_scalar_with_a_finite_gradient(template: Penalty, kind: type[Relaxation]) -> None:
    for logits in (None, [1.0, 0.0, 0.0, 0.0], [50.0, -50.0, -50.0, -50.0]):
        penalty, parts = clone(template), relaxations(kind, logits)
        penalty.prepare(parts)
        variables = [part.logits for part in parts.values()]
        with tf.GradientTape() as tape:
            value = penalty.value(parts, 0.5)
        assert value.shape == ()
        assert np.isfinite(float(value))
        for gradient in tape.gradient(value, variables):
            assert gradient is None or np.isfinite(gradient).all()
        penalty.step(parts, np.array(True))
        assert np.isfinite(float(penalty.value(parts, 0.5)))


@pytest.mark.parametrize("template", TEMPLATES + OF_COSTS)
def test_config_survives_json(template: Penalty) -> None:
    assert clone(template).get_config() == template.get_config()


def test_nothing_is_trained_in_a_penalty() -> None:
    penalty = ADMM()
    penalty.prepare(relaxations())
    assert penalty.trainable_variables == []
    assert len(penalty.variables) == 5


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Received: weight=-1\.0"):
        Proximity(-1.0)
    with pytest.raises(ValueError, match="Received: every=0"):
        ADMM(every=0)


def test_zero_one_is_0_in_the_middle_and_lowest_at_the_ends() -> None:
    assert float(ZeroOne(8.0).value(relaxations(Sigmoid), 0.0)) == 0.0
    assert float(ZeroOne(8.0).value(relaxations(Sigmoid, [99.0, -99.0, -99.0, 99.0]), 0.0)) == -2.0


def test_proximity_grows_with_the_share_of_the_search() -> None:
    # edge: 2 * (1/2)^2; node: group 0 keeps its first option, all four weights are 1/2.
    distance = (2 * 0.25 + 4 * 0.25) ** 0.5
    found = [float(Proximity(2.0).value(relaxations(), share)) for share in (0.0, 0.5, 1.0)]
    assert found == pytest.approx([0.0, 0.5 * distance, distance], rel=1e-5)
    assert float(Proximity(2.0, squared=True).value(relaxations(), 1.0)) == pytest.approx(distance**2, rel=1e-5)


def test_proximity_alone_leads_to_what_was_on_top() -> None:
    parts = relaxations(Clipped, [0.26, 0.25, 0.24, 0.25])
    penalty, optimizer = Proximity(1.0), keras.optimizers.SGD(0.05)
    variables = [part.logits for part in parts.values()]
    for _ in range(100):
        with tf.GradientTape() as tape:
            value = penalty.value(parts, 1.0)
        optimizer.apply(tape.gradient(value, variables), variables)
        for part in parts.values():
            part.project()
    for part in parts.values():
        np.testing.assert_allclose(part(part.logits), [1.0, 0.0, 0.0, 0.0][: len(part.choice.options)], atol=0.05)


def test_admm_starts_at_the_weights_and_moves_its_copy_seldom() -> None:
    penalty, parts = ADMM(2.0, every=2, squared=True), relaxations()
    penalty.prepare(parts)
    assert float(penalty.value(parts, 0.0)) == pytest.approx(0.0, abs=1e-9)
    penalty.step(parts, np.array(False))
    penalty.step(parts, np.array(True))
    assert penalty.copies["edge"].numpy().tolist() == [0.5, 0.5]
    penalty.step(parts, np.array(True))
    assert penalty.copies["edge"].numpy().tolist() == [1.0, 0.0]
    assert penalty.duals["edge"].numpy().tolist() == [-0.5, 0.5]
    # w - Z + U: edge (-1, 1); node: Z = (1, 0, 0, 0), U = w - Z, so twice (-1/2, 1/2, 1/2, 1/2).
    assert float(penalty.value(parts, 0.0)) == pytest.approx(2.0 + 4.0)
