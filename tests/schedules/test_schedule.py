from typing import Any

import keras
import numpy as np
import pytest

from keras_dha.schedules import Schedule


def test_the_search_is_the_first_part() -> None:
    schedule = Schedule(search_fraction=0.25)
    assert [schedule.searching(p) for p in (0.0, 0.24, 0.25, 1.0)] == [True, True, False, False]
    assert Schedule(search_fraction=1.0).searching(0.999)


def test_the_architecture_rests_at_first() -> None:
    schedule = Schedule(warmup_fraction=0.1)
    assert [bool(schedule.architecture_moves(keras.ops.convert_to_tensor(p))) for p in (0.05, 0.2)] == [False, True]


def test_the_architecture_may_rest_once_more() -> None:
    schedule = Schedule(search_fraction=0.7, warmup_fraction=0.15, rest=(0.3, 0.5))
    moves = [bool(schedule.architecture_moves(np.float32(p))) for p in (0.1, 0.2, 0.4, 0.6)]
    assert moves == [False, True, False, True]


def test_the_architecture_may_move_seldom() -> None:
    schedule, open_, shut = Schedule(warmup_fraction=0.1, architecture_every=3), np.float32(0.5), np.float32(0.0)
    assert [bool(schedule.architecture_due(open_, np.int64(step), {})) for step in range(4)] == [
        True,
        False,
        False,
        True,
    ]
    assert not bool(schedule.architecture_due(shut, np.int64(0), {}))


def test_the_rate_is_lowered_while_settling() -> None:
    schedule = Schedule(search_fraction=0.5)
    factors = [float(schedule.learning_rate_factor(keras.ops.convert_to_tensor(p))) for p in (0.0, 0.5, 0.75, 1.0)]
    np.testing.assert_allclose(factors, [1.0, 1.0, 0.5, 0.0], atol=1e-6)
    assert float(Schedule(anneal=None).learning_rate_factor(keras.ops.convert_to_tensor(1.0))) == 1.0


def test_the_rate_may_stay_for_a_while_after_the_search() -> None:
    schedule = Schedule(search_fraction=0.2, anneal_from=0.5)
    factors = [float(schedule.learning_rate_factor(keras.ops.convert_to_tensor(p))) for p in (0.2, 0.5, 0.75, 1.0)]
    np.testing.assert_allclose(factors, [1.0, 1.0, 0.5, 0.0], atol=1e-6)


def test_steps_of_hyperparameters_shrink_over_the_search() -> None:
    schedule = Schedule(search_fraction=0.5, hyperparameter_steps=0.01)
    factors = [float(schedule.hyperparameter_factor(keras.ops.convert_to_tensor(p))) for p in (0.0, 0.25, 0.5, 1.0)]
    np.testing.assert_allclose(factors, [1.0, 0.1, 0.01, 0.01], rtol=1e-5)
    assert float(Schedule().hyperparameter_factor(keras.ops.convert_to_tensor(0.2))) == 1.0


def test_round_trip() -> None:
    config = {"search_fraction": 0.5, "warmup_fraction": 0.25, "architecture_every": 2, "anneal": None}
    config |= {"hyperparameters_every": 3, "rest": [0.3, 0.4], "hyperparameter_steps": 0.5, "weights_rest": True}
    config |= {"anneal_from": None}
    for each in (config, config | {"anneal": "cosine", "anneal_from": 0.75}):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(Schedule(**each)))
        assert again.get_config() == each


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"search_fraction": 0.0}, "search_fraction=0.0"),
        ({"search_fraction": 1.5}, "search_fraction=1.5"),
        ({"search_fraction": float("nan")}, "search_fraction=nan"),
        ({"warmup_fraction": -0.1}, "warmup_fraction=-0.1"),
        ({"search_fraction": 0.2, "warmup_fraction": 0.3}, "warmup_fraction=0.3"),
        ({"hyperparameters_every": 0}, "hyperparameters_every=0"),
        ({"search_fraction": 0.5, "rest": (0.4, 0.3)}, r"rest=\(0.4, 0.3\)"),
        ({"search_fraction": 0.5, "rest": (0.4, 0.6)}, r"rest=\(0.4, 0.6\)"),
        ({"search_fraction": 0.5, "rest": (0.4,)}, r"rest=\(0.4,\)"),
        ({"anneal": "linear"}, "anneal='linear'"),
        ({"hyperparameter_steps": 0.0}, "hyperparameter_steps=0.0"),
        ({"search_fraction": 0.5, "anneal_from": 0.4}, "anneal_from=0.4"),
        ({"anneal_from": 1.0}, "anneal_from=1.0"),
        ({"anneal": None, "anneal_from": 0.5}, "anneal=None"),
        ({"anneal_from": float("nan")}, "anneal_from=nan"),
    ],
)
def test_numbers_out_of_range(arguments: dict[str, Any], received: str) -> None:
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        Schedule(**arguments)
