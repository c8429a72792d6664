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
from keras_dha.hyperparameters import HYPERPARAMETERS, Hyperparameter, LearningRate, WeightDecay, WeightStep

EACH = pytest.mark.parametrize("cls", HYPERPARAMETERS)
SPACE = pytest.mark.parametrize("space", ["log", "raw"])


def test_every_hyperparameter_is_listed():
    for info in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"keras_dha.hyperparameters.{info.name}")
    ours = {cls for cls in Hyperparameter.__subclasses__() if cls.__module__.startswith("keras_dha.")}
    assert ours == set(HYPERPARAMETERS), "Add it to HYPERPARAMETERS in keras_dha/hyperparameters/__init__.py."


@EACH
@SPACE
def test_value_and_its_one_variable(cls, space):
    part = cls(0.02, bounds=(0.01, 0.1), space=space)
    assert float(part.value()) == pytest.approx(0.02)
    assert part.trainable_variables == [part.theta]
    assert roles.role_of(part.theta) == roles.HYPERPARAMETER
    assert float(part.theta.numpy()) == pytest.approx(np.log(0.02) if space == "log" else 0.02)


@EACH
@SPACE
def test_the_value_never_leaves_the_bounds_and_project_brings_theta_back(cls, space):
    part = cls(0.02, bounds=(0.01, 0.1), space=space)
    assert not bool(part.at_bound())
    for push, bound in ((10.0, 0.1), (-10.0, 0.01)):
        part.theta.assign_add(push)
        assert float(part.value()) == pytest.approx(bound)
        tf.function(part.project)()
        assert float(part.value()) == pytest.approx(bound)
        assert float(part.theta.numpy()) == pytest.approx(np.log(bound) if space == "log" else bound)
        assert bool(part.at_bound())


def test_names_do_not_count_the_models_of_a_session():
    """The second model of a process called its learned rate learning_rate_1."""
    assert [LearningRate().name for _ in range(2)] == ["learning_rate"] * 2
    assert [WeightDecay().name, WeightDecay(name="shrinkage").name] == ["weight_decay", "shrinkage"]


@EACH
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
        cls(0.5, bounds=bounds)


@EACH
def test_wrong_initial_value_and_space(cls):
    with pytest.raises(ValueError, match=r"Received: initial=2\.0"):
        cls(2.0, bounds=(0.1, 1.0))
    with pytest.raises(ValueError, match="Received: space='square'"):
        cls(0.5, bounds=(0.1, 1.0), space="square")
