"""What every oracle of the folder must do; one that is not listed in oracle_runs.py fails."""

import json
import math
from pathlib import Path

import keras_tuner
import pytest
from oracle_runs import ORACLES, begin, continuous, end, make, run, score, twelve_points

import keras_dha.tuners
from keras_dha.tuners import PointOracle, Points, key_of

everyone = pytest.mark.parametrize("name", list(ORACLES))


def test_every_public_oracle_is_tested() -> None:
    public = [getattr(keras_dha.tuners, name) for name in keras_dha.tuners.__all__]
    kinds = {kind for kind in public if isinstance(kind, type) and issubclass(kind, PointOracle)} - {PointOracle}
    assert kinds == {type(oracle(hyperparameters=twelve_points())) for oracle in ORACLES.values()}


@everyone
@pytest.mark.parametrize("space", [twelve_points, continuous])
def test_the_same_seed_gives_the_same_sequence_and_another_another(name: str, space: object, tmp_path: Path) -> None:
    first, second, other = (
        run(make(name, tmp_path / str(i), space=space(), seed=seed), trials=9) for i, seed in enumerate((0, 0, 1))
    )
    assert first == second  # also of the seed 0, which KerasTuner takes for none
    assert first != other


@everyone
def test_each_point_once_and_then_the_end(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path)
    asked = run(oracle)
    assert sorted(map(key_of, asked)) == sorted(map(key_of, Points(twelve_points()).every()))
    assert len(asked) == 12
    assert begin(oracle).status == "STOPPED"


@everyone
def test_no_more_than_max_trials(name: str, tmp_path: Path) -> None:
    assert len(run(make(name, tmp_path, max_trials=6))) == 6


@everyone
@pytest.mark.parametrize("space", [twelve_points, continuous])
@pytest.mark.parametrize("killed_at", [2, 7])
def test_after_a_kill_it_goes_on_as_if_there_had_been_none(
    name: str, space: object, killed_at: int, tmp_path: Path
) -> None:
    expected = run(make(name, tmp_path / "whole", space=space()), trials=11)
    oracle = make(name, tmp_path / "killed", space=space())
    before = run(oracle, trials=killed_at)
    begin(oracle)  # a trial that the kill interrupts
    resumed = make(name, tmp_path / "killed", space=space(), seed=5)
    resumed.reload()
    assert before + run(resumed, trials=11 - killed_at) == expected
    assert len(resumed.trials) == 11


@everyone
def test_a_trial_that_the_kill_cut_off_before_the_state_was_written_comes_again(name: str, tmp_path: Path) -> None:
    expected = run(make(name, tmp_path / "whole"), trials=7)
    oracle = make(name, tmp_path / "killed")
    run(oracle, trials=6)
    state = (tmp_path / "killed" / "project" / "oracle.json").read_text()
    begin(oracle)
    (tmp_path / "killed" / "project" / "oracle.json").write_text(state)  # its own file is there, though
    resumed = make(name, tmp_path / "killed")
    resumed.reload()
    assert run(resumed, trials=1) == expected[6:]
    assert len(resumed.trials) == 7


@everyone
def test_the_state_is_json_and_comes_back(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path / "first")
    run(oracle, trials=7)
    state = json.loads(json.dumps(oracle.get_state()))
    copy = make(name, tmp_path / "second", seed=7)
    copy.trials = oracle.trials
    copy.set_state(json.loads(json.dumps(state)))  # KerasTuner changes what it is given
    again = json.loads(json.dumps(copy.get_state()))
    for each in (state, again):
        each["tried_so_far"].sort()
    assert again == state
    assert copy.populate_space("7") == oracle.populate_space("7")


@everyone
def test_a_trial_that_has_just_ended_is_not_run_again(name: str, tmp_path: Path) -> None:
    """KerasTuner 1.4.8 writes the state before it takes the trial off those that run."""
    run(make(name, tmp_path), trials=5)
    resumed = make(name, tmp_path)
    resumed.reload()
    assert begin(resumed).trial_id == "0005"


@everyone
def test_a_trial_that_is_to_be_tried_again_is_so_once_after_a_kill(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path, max_retries_per_trial=1)
    end(oracle, begin(oracle), status="INVALID")
    resumed = make(name, tmp_path, max_retries_per_trial=1)
    resumed.reload()
    assert [begin(resumed, worker).trial_id for worker in "ab"] == ["0000", "0001"]


@everyone
@pytest.mark.filterwarnings(
    "ignore:All-NaN axis encountered:RuntimeWarning"
)  # KerasTuner looks for the best of one NaN
def test_failed_trials_are_recorded_and_survived(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path, max_consecutive_failed_trials=20)
    seen = set()
    for number in range(12):
        trial = begin(oracle)
        seen.add(key_of(trial.hyperparameters.values))
        kinds = {0: ("INVALID", None), 1: ("COMPLETED", math.nan), 2: ("COMPLETED", math.inf), 5: ("FAILED", None)}
        status, value = kinds.get(number, ("COMPLETED", None))
        end(oracle, trial, value, status)
    assert len(seen) == 12
    statuses = [trial.status for trial in oracle.trials.values()]
    assert statuses == ["FAILED"] * 3 + ["COMPLETED"] * 2 + ["FAILED"] + ["COMPLETED"] * 6
    assert begin(oracle).status == "STOPPED"
    assert oracle.get_best_trials()[0].score == max(
        score(trial.hyperparameters.values) for trial in oracle.trials.values() if trial.status == "COMPLETED"
    )


@everyone
def test_nothing_but_failures_is_survived(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path, max_consecutive_failed_trials=20)
    keys = set()
    for _ in range(12):
        trial = begin(oracle)
        keys.add(key_of(trial.hyperparameters.values))
        end(oracle, trial, status="FAILED")
    assert len(keys) == 12


@everyone
def test_an_invalid_trial_is_tried_again_if_that_was_asked_for(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path, max_retries_per_trial=1)
    first = begin(oracle)
    end(oracle, first, status="INVALID")
    again = begin(oracle)
    assert (again.trial_id, again.hyperparameters.values) == (first.trial_id, first.hyperparameters.values)


@everyone
def test_two_workers_never_wait_nor_get_the_same(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path)
    asked, running = [], {}
    for turn in range(12):
        worker = ("a", "b", "c")[turn % 3]
        if worker in running:
            end(oracle, running.pop(worker))
        trial = running[worker] = begin(oracle, worker)
        assert trial.status == "RUNNING"
        asked.append(key_of(trial.hyperparameters.values))
    assert len(set(asked)) == 12
    assert begin(oracle, "d").status == "STOPPED"


@everyone
def test_many_workers_may_ask_before_any_score_is_there(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path)
    trials = [begin(oracle, f"worker {i}") for i in range(12)]
    assert len({key_of(trial.hyperparameters.values) for trial in trials}) == 12


@everyone
def test_what_messages_round_is_the_same_point(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path)
    keys = []
    for _ in range(12):
        trial = begin(oracle)
        keys.append(key_of(trial.hyperparameters.values))
        trial.hyperparameters.values["rate"] = float(f"{trial.hyperparameters.values['rate']:.8f}") + 3e-9  # 32 bits
        end(oracle, trial)
    assert len(set(keys)) == 12


@everyone
def test_less_is_better_if_the_objective_says_so(name: str, tmp_path: Path) -> None:
    oracle = ORACLES[name](keras_tuner.Objective("score", "min"), None, hyperparameters=twelve_points(), seed=0)
    oracle.verbose = 0
    oracle._set_project_dir(tmp_path, "project")
    run(oracle, trials=5)
    values, scores = oracle.finished()
    assert scores.tolist() == pytest.approx([-score(point) for point in values])


@everyone
def test_a_search_whose_first_trial_says_what_there_is(name: str, tmp_path: Path) -> None:
    oracle = make(name, tmp_path, space=keras_tuner.HyperParameters())
    first = begin(oracle, "a")
    assert first.hyperparameters.values == {}
    assert begin(oracle, "b").status == "IDLE"  # nobody knows yet what may be asked
    first.hyperparameters.Choice("op", ["conv", "pool", "skip"])
    oracle.update_trial(first.trial_id, {"score": 1.0})
    first.status = "COMPLETED"
    oracle.end_trial(first)
    asked = {first.hyperparameters.get("op")}
    for _ in range(2):
        trial = begin(oracle, "b")
        asked.add(trial.hyperparameters.get("op"))
        oracle.update_trial(trial.trial_id, {"score": 1.0})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert asked == {"conv", "pool", "skip"}
    assert begin(oracle, "b").status == "STOPPED"


@everyone
def test_it_learns(name: str, tmp_path: Path) -> None:
    """Twenty random trials sum up to 330 with a deviation of 80, so that chance does this once in three thousand."""
    scores = [score(values) for values in run(make(name, tmp_path, space=continuous()), trials=40)]
    assert sum(scores[20:]) > 600.0


@everyone
def test_as_the_oracle_of_a_tuner(name: str, tmp_path: Path) -> None:
    class Lookup(keras_tuner.Tuner):
        def run_trial(self, trial: object, *_: object, **__: object) -> dict[str, float]:
            return {"score": score(trial.hyperparameters.values)}

    oracle = make(name, tmp_path, max_trials=5)
    tuner = Lookup(oracle, directory=tmp_path, project_name="tuner")
    tuner.search(verbose=0)
    assert len(oracle.end_order) == 5
    assert score(tuner.get_best_hyperparameters()[0].values) == oracle.get_best_trials()[0].score
