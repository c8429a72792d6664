import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from keras_dha.tuners.workers import CHIEF, Workers

# Notes what it is told; workers then run for a moment, the chief until it is ended.
PROGRAM = """
import json, os, pathlib, sys, time
name = os.environ["KERASTUNER_TUNER_ID"]
told = {key: os.environ.get(key) for key in ("KERASTUNER_ORACLE_PORT", "CUDA_VISIBLE_DEVICES")}
with open(pathlib.Path(sys.argv[1]) / (name + ".jsonl"), "a") as file:
    file.write(json.dumps(told) + chr(10))
print("I am", name, flush=True)
if sys.argv[2] == name:
    sys.exit(3)
time.sleep(60 if name == "chief" else 0.5)
"""


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def notes(folder: Path, name: str) -> list[dict]:
    path = folder / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def command(folder: Path, broken: str = "nobody") -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(folder), broken]


def test_each_is_told_who_it_is_and_where_the_chief_is(tmp_path: Path) -> None:
    with Workers(command(tmp_path), 2, logs=tmp_path / "logs", devices=["5", "7"]) as workers:
        workers.run()
    (chief,), (first,), (second,) = (notes(tmp_path, name) for name in (CHIEF, "worker0", "worker1"))
    assert chief["KERASTUNER_ORACLE_PORT"] == first["KERASTUNER_ORACLE_PORT"] == second["KERASTUNER_ORACLE_PORT"]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in (chief, first, second)] == ["", "5", "7"]
    assert "I am worker1" in (tmp_path / "logs" / "worker1.log").read_text()
    assert workers.deaths == {CHIEF: 0, "worker0": 0, "worker1": 0}
    assert all(process.poll() is not None for process in workers.processes.values())


@pytest.mark.parametrize("name", [CHIEF, "worker1"])
def test_one_that_is_killed_is_replaced_under_its_name(tmp_path: Path, name: str) -> None:
    with Workers(command(tmp_path), 2, logs=tmp_path / "logs") as workers:
        killed = []

        def watch() -> None:
            if not killed and notes(tmp_path, name):
                killed.append(workers.processes[name].pid)
                workers.processes[name].send_signal(signal.SIGKILL)

        workers.run(watch)
    assert killed
    assert workers.deaths[name] == 1
    if name != CHIEF:  # which may be told to end before it can write
        assert len(notes(tmp_path, name)) == 2


def test_one_that_dies_too_often_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    message = r"'worker0' must not die more than 2 times\. Received: exit code 3.*I am worker0"
    with (
        Workers(command(tmp_path, "worker0"), 1, logs=tmp_path / "logs", max_deaths=2) as workers,
        pytest.raises(RuntimeError, match=message),
    ):
        workers.run()
    assert len(notes(tmp_path, "worker0")) == 3
    assert workers.processes[CHIEF].poll() is not None


def test_an_exception_ends_all(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Workers(command(tmp_path), 1, logs=tmp_path / "logs") as workers:
        raise KeyboardInterrupt
    assert all(process.poll() is not None for process in workers.processes.values())
    assert time.monotonic() - started < 30


@pytest.mark.skipif(len(cores()) < 2, reason="needs two cores to share out")
def test_workers_share_out_the_cores(tmp_path: Path) -> None:
    with Workers(command(tmp_path), 2, logs=tmp_path / "logs") as workers:
        assert [os.sched_getaffinity(workers.processes[f"worker{i}"].pid) for i in (0, 1)] == [
            set(cores()[i::2]) for i in (0, 1)
        ]


@pytest.mark.parametrize(
    ("given", "received"), [({"num_workers": 0}, "num_workers=0"), ({"devices": []}, r"devices=\[\]")]
)
def test_wrong_arguments(given: dict, received: str) -> None:
    with pytest.raises(ValueError, match=f"Received: {received}"):
        Workers(["true"], logs="nowhere", **given)
