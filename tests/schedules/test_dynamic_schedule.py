import keras
import numpy as np
import pytest

from keras_dha.schedules import DynamicSchedule


@pytest.mark.parametrize("weight_steps", [1.0, 5.0, 10.0])
def test_the_share_of_architecture_steps_calibrates_itself(weight_steps: float) -> None:  # DARTS-PRIME 1
    schedule = DynamicSchedule(warmup_fraction=0.0, weight_steps=weight_steps)
    rng, state, moved = np.random.default_rng(0), schedule.initial_state(), []
    numbers = np.sqrt(np.exp(0.5 * rng.standard_normal(4000)))
    for step, number in enumerate(numbers.astype("float32")):
        due = bool(schedule.architecture_due(np.float32(0.1), step, state))
        moved.append(due)
        state = {k: np.float32(v) for k, v in schedule.next_state(state, [np.array([number])], np.array(due)).items()}
    assert not moved[0]
    assert np.mean(moved[400:]) == pytest.approx(1 / (1 + weight_steps), rel=0.02)


def test_the_fisher_trace_is_of_all_weights_and_starts_at_the_first() -> None:
    schedule = DynamicSchedule(rate=0.25)
    state = schedule.next_state(
        schedule.initial_state(), [np.float32([3.0, 4.0]), np.float32([[1.0]])], np.array(False)
    )
    assert float(state["fisher_trace"]) == 26.0
    state = schedule.next_state(state, [np.float32([0.0])], np.array(True))
    assert float(state["fisher_trace"]) == 19.5
    assert float(state["threshold"]) == pytest.approx(1.05 * 1.05**-10)


def test_the_architecture_rests_in_the_warm_up() -> None:
    schedule, state = DynamicSchedule(warmup_fraction=0.1), {"fisher_trace": 0.5, "threshold": 1.0}
    assert [bool(schedule.architecture_due(np.float32(p), 3, state)) for p in (0.05, 0.15)] == [False, True]


def test_round_trip_and_wrong_arguments() -> None:
    schedule = DynamicSchedule(weight_steps=3.0, search_fraction=0.5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again.get_config() == schedule.get_config()
    with pytest.raises(ValueError, match=r"Received: weight_steps=0.0, factor=1.05, rate=0.2"):
        DynamicSchedule(weight_steps=0.0)
