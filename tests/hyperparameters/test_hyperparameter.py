"""The contract of all hyper-parameters."""

import importlib
import json
import pkgutil
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_dha.hyperparameters as folder
from keras_dha import roles
from keras_dha.hyperparameters import (
    HYPERPARAMETERS,
    Hyperparameter,
    LearningRate,
    LossHyperparameter,
    WeightDecay,
    WeightStep,
)

EACH = pytest.mark.parametrize("cls", HYPERPARAMETERS)
SPACE = pytest.mark.parametrize("space", ["log", "logit", "raw"])
TO_THETA = {"log": np.log, "logit": lambda value: np.log(value / (1 - value)), "raw": lambda value: value}
CLOSED_FORM = [cls for cls in HYPERPARAMETERS if cls.has_closed_form]


def test_every_hyperparameter_is_listed():
    for info in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"keras_dha.hyperparameters.{info.name}")
    below = {*Hyperparameter.__subclasses__(), *LossHyperparameter.__subclasses__()} - {LossHyperparameter}
    ours = {cls for cls in below if cls.__module__.startswith("keras_dha.")}
    assert ours == set(HYPERPARAMETERS), "Add it to HYPERPARAMETERS in keras_dha/hyperparameters/__init__.py."


@EACH
@SPACE
def test_value_and_its_one_variable(cls, space):
    part = cls(0.02, bounds=(0.01, 0.1), space=space)
    assert float(part.value()) == pytest.approx(0.02)
    assert part.trainable_variables == [part.theta]
    assert roles.role_of(part.theta) == roles.HYPERPARAMETER
    assert float(part.theta.numpy()) == pytest.approx(TO_THETA[space](0.02))


@EACH
@SPACE
def test_the_value_never_leaves_the_bounds_and_project_brings_theta_back(cls, space):
    part = cls(0.02, bounds=(0.01, 0.1), space=space)
    assert not bool(part.at_bound())
    for push, bound in ((5.0, 0.1), (-9.0, 0.01)):
        part.theta.assign_add(push)
        assert float(part.value()) == pytest.approx(bound)
        tf.function(part.project)()
        assert float(part.value()) == pytest.approx(bound)
        assert float(part.theta.numpy()) == pytest.approx(TO_THETA[space](bound))
        assert bool(part.at_bound())


def test_names_do_not_count_the_models_of_a_session():
    """The second model of a process called its learned rate learning_rate_1."""
    assert [LearningRate().name for _ in range(2)] == ["learning_rate"] * 2
    assert [WeightDecay().name, WeightDecay(name="shrinkage").name] == ["weight_decay", "shrinkage"]


@pytest.mark.parametrize("cls", CLOSED_FORM)
def test_raw_space_divides_by_the_value(cls):
    values = ([np.full((2, 2), value)] for value in (1.0, 3.0, 2.9))
    step = WeightStep([keras.Variable(np.zeros((2, 2)))], *values, learning_rate=0.5)
    log, raw = (cls(0.02, bounds=(0.01, 0.1), space=space) for space in ("log", "raw"))
    assert float(log.hypergradient(step)) != 0
    assert float(raw.hypergradient(step)) == pytest.approx(float(log.hypergradient(step)) / 0.02)


@EACH
def test_assign_takes_natural_units_and_stops_at_the_bounds(cls):
    part = cls(0.02, bounds=(0.01, 0.05))
    for value, expected in ((0.03, 0.03), (0.06, 0.05), (0.001, 0.01)):
        part.assign(value)
        assert float(part.value()) == pytest.approx(expected)


# Keras saves variables with a call that NumPy 2 does not like.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@EACH
@SPACE
def test_config_and_weights_survive(cls, space, tmp_path):
    part = cls(0.02, bounds=(0.01, 0.1), space=space, name="part")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(part)))
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == part.get_config()
    part.assign(0.07)
    inputs = keras.Input((1,))
    for layer, action in ((part, "save_weights"), (again, "load_weights")):
        model = keras.Model(inputs, inputs)
        model.part = layer
        getattr(model, action)(tmp_path / "w.weights.h5")
    assert float(again.value()) == pytest.approx(0.07)


@EACH
def test_two_replicas_project_alike(cls):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        part = cls(0.02, bounds=(0.01, 0.1))
        part.theta.assign(5.0)

    @tf.function
    def step():
        def replica():
            part.project()
            return tf.identity(part.value())

        return strategy.run(replica)

    np.testing.assert_allclose(step().values, [0.1, 0.1], rtol=1e-6)


@EACH
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.5, 0.5), (1.0, 0.1), (0.1, float("inf")), (0.1,)])
def test_wrong_bounds(cls, bounds):
    with pytest.raises(ValueError, match=re.escape(f"Received: bounds={bounds}")):
        cls(0.5, bounds=bounds, space="log")


@EACH
def test_wrong_initial_value_and_space(cls):
    with pytest.raises(ValueError, match=r"Received: initial=2\.0"):
        cls(2.0, bounds=(0.1, 1.0), space="log")
    with pytest.raises(ValueError, match="Received: space='square'"):
        cls(0.5, bounds=(0.1, 1.0), space="square")


@EACH
def test_a_share_lies_below_1(cls):
    with pytest.raises(ValueError, match=re.escape("0 < low < high < 1. Received: bounds=(0.1, 1.0)")):
        cls(0.5, bounds=(0.1, 1.0), space="logit")


@EACH
@SPACE
def test_the_value_has_a_slope_also_at_its_bounds(cls, space):
    """A clip would have none where rounding takes the value over its bound, and it would stay there for good."""
    part = cls(0.02, bounds=(0.01, 0.1), space=space)
    for value in (0.01, 0.03, 0.1):
        part.assign(value)
        with tf.GradientTape() as tape:
            found = part.value()
        assert float(tape.gradient(found, part.theta.value)) == pytest.approx(float(part.slope()), rel=1e-5)
    part.theta.assign_add(1e-6)
    with tf.GradientTape() as tape:
        found = part.value()
    assert float(tape.gradient(found, part.theta.value)) > 0


@EACH
def test_a_spike_is_cut_and_what_is_no_number_counts_for_nothing(cls):
    part = cls(0.02, bounds=(0.01, 0.1), space="log", max_step=0.1)
    for gradient, expected in ((2.0, 2.0), (-1e6, -20.0), (3.0, 3.0)):
        part.usual.assign(2.0)
        found, finite = part.guarded(tf.constant(gradient))
        assert float(found) == expected
        assert bool(finite)
    part.remember(tf.constant(-4.0), True)
    assert float(part.usual.numpy()) == pytest.approx(0.9 * 2.0 + 0.1 * 4.0)
    for nothing in (np.nan, np.inf):
        found, finite = part.guarded(tf.constant(nothing, tf.float32))
        assert float(found) == 0.0
        assert not bool(finite)
        part.remember(found, finite)
        assert float(part.usual.numpy()) == pytest.approx(2.2)


@EACH
def test_a_step_is_limited(cls):
    part = cls(0.05, bounds=(0.01, 0.1), space="log", max_step=0.1)
    before = tf.constant(part.theta.numpy())
    for push, moved in ((0.05, 0.05), (-3.0, -0.1)):
        part.theta.assign(before + push)
        part.limit(before)
        assert float(part.theta.numpy() - before) == pytest.approx(moved, rel=1e-4)
    free = cls(0.05, bounds=(0.01, 0.1), space="log", max_step=None)
    free.theta.assign_add(0.5)
    free.limit(before)
    assert float(free.value()) == pytest.approx(0.05 * np.exp(0.5), rel=1e-4)
    with pytest.raises(ValueError, match=r"Received: max_step=0\.0"):
        cls(0.05, bounds=(0.01, 0.1), max_step=0.0)


def test_where():
    layer = keras.layers.Dense(2, name="head")
    layer.build((None, 3))
    other = keras.layers.Dense(2, name="head_2")
    other.build((None, 3))
    part = LearningRate(where=layer)
    assert [part.acts_on(weight) for weight in (layer.kernel, layer.bias, other.kernel)] == [True, True, False]
    assert part.name == "learning_rate_head"
    both = WeightDecay(where=["head/", "bias$"])
    assert [both.acts_on(weight) for weight in (layer.kernel, other.kernel, other.bias)] == [True, False, True]
    assert LearningRate.from_config(part.get_config()).acts_on(layer.kernel)
    with pytest.raises(ValueError, match=r"Received: where='\('"):
        LearningRate(where="(")
    with pytest.raises(ValueError, match="Received: where=3"):
        LearningRate(where=3)
