import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from source_files import ROOT

sys.path.append(str(ROOT / "benchmarks"))
query_efficiency = importlib.import_module("query_efficiency")
Benchmark, search, table = query_efficiency.Benchmark, query_efficiency.search, query_efficiency.table


@pytest.fixture
def benchmark_of(monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    folder = ROOT.parent / "shared" / "data"
    if not (folder / "nasbench201.npz").is_file():
        pytest.skip("needs ../shared/data/nasbench201.npz, which is not part of the project")
    monkeypatch.setenv("KERAS_DHA_DATA", str(folder))
    return Benchmark("cifar10")


def test_labels_are_one_run_of_each_network(benchmark_of: Benchmark) -> None:
    labels = benchmark_of.labels(0)
    assert np.isfinite(labels).all()
    assert (labels[:, None] == benchmark_of.validation).any(axis=1).all()
    columns = (labels[:, None] == benchmark_of.validation).mean(axis=0)
    assert columns == pytest.approx([0.41, 0.41, 0.17], abs=0.05)  # 8,169 have three runs; some runs are equal
    assert (labels != benchmark_of.labels(1)).any()


def test_two_cells_of_cifar10_tie(benchmark_of: Benchmark) -> None:
    assert benchmark_of.best == {6111, 13714}


def test_a_short_search(benchmark_of: Benchmark) -> None:
    found = search(benchmark_of, query_efficiency.oracles()["evolution 50 / 10"], 0, 60)
    assert (found["queries"], found["repeated"], len(found["regret"])) == (60, 0, 1)
    assert found["regret"][0] >= 0.0
    assert found == {**search(benchmark_of, query_efficiency.oracles()["evolution 50 / 10"], 0, 60),
                     "seconds": found["seconds"], "slowest": found["slowest"]}  # fmt: skip


def test_a_miss_counts_as_the_cap() -> None:
    line = {"data": "d", "method": "m", "queries": 400, "regret": [0.5], "seconds": 0.1, "slowest": 0.2}
    printed = table([{**line, "hit": 100}, {**line, "hit": None}]).splitlines()[-1]
    assert printed == "| d | m | 2 | 0.50 by 400 | 250 ± 150 | 100 | 0.50 | - | - | - | 0.100 (0.20) |"


def test_runs_that_are_done_are_read(tmp_path: Path) -> None:
    assert query_efficiency.read(str(tmp_path / "none.jsonl")) == []
