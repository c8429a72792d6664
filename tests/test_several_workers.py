"""Two processes on one machine train one model, as the replicas of one process do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from several_workers import fit, plain, run_workers
from tiny_space import assert_same, search_model


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return run_workers(Path(tmp_path_factory.mktemp("workers")))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "drawn"])
def test_all_workers_end_with_the_same(found: list[dict[str, Any]], name: str) -> None:
    first, second = (one[name] for one in found)
    assert_same(first["weights"], second["weights"])
    assert all(first[key] == second[key] for key in ("history", "evaluated", "decisions", "derived"))
    np.testing.assert_allclose(first["predicted"], first["derived"], rtol=1e-5, atol=1e-6)  # in order


@pytest.mark.slow
def test_they_compute_what_replicas_of_one_process_do(found: list[dict[str, Any]]) -> None:
    one_process = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    with one_process.scope():
        model = plain()
    expected, two = fit(model), found[0]["plain"]
    assert two["decisions"] == expected["decisions"]
    for name in ("history", "evaluated"):
        assert two[name].keys() == expected[name].keys()
        for key, value in expected[name].items():
            np.testing.assert_allclose(two[name][key], value, rtol=1e-4, atol=1e-5, err_msg=key)
    assert_same(two["weights"], expected["weights"], rtol=1e-4)


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras_dha.argument_checks.on_several_workers", lambda strategy: True)


def test_workers_need_a_seed(several: None) -> None:
    with pytest.raises(ValueError, match=r"must have a seed.*Received: seed=None. Give SearchModel a seed, the same"):
        search_model(seed=None)


def test_and_no_clock_of_their_own(several: None) -> None:
    with pytest.raises(ValueError, match=r"as long as its epochs.*Received: time_budget=60"):
        search_model().fit(np.zeros((4, 8, 8, 1)), np.zeros(4), time_budget=60)
