import csv
import json

import numpy as np
import pytest

from keras_dha import cli
from keras_dha.commands import CommandError, CommandInterrupted
from keras_dha.commands import evaluate as module
from keras_dha.commands.evaluate import evaluate
from keras_dha.commands.evaluate_options import EvaluateOptions
from keras_dha.data.sources import Source
from keras_dha.evaluation import SearchStudy

TINY = {"data": ("tiny",), "channels": 2, "cells": 1, "epochs": 2, "batch_size": 4, "random": 2, "seeds": (0, 1)}


def trained(name, test, **others):
    epoch = {"best": test, "last": test, "epoch": 2}
    protocol = {"recipe": "dha", "tricks": True, "epochs": 2, "batch_size": 4, "seed": 0}
    found = {"name": name, "validation": test, "test": test, "parameters": 6, "seconds": 2.0, "epoch": epoch}
    return {**found, "protocol": protocol, **others}


@pytest.fixture
def asked(monkeypatch):
    """Trainings take no time: random architectures are right in a half, searches in three quarters."""
    x = np.zeros((20, 8, 8, 1), np.float32) + np.arange(20).reshape(20, 1, 1, 1)
    calls = []

    def run(self, *, again, plain, sizes, progress):
        calls.append({"study": self, "again": again, "plain": plain, "sizes": sizes})
        chance = [trained(f"random_{i}", 0.5) for i in range(len(self.networks))]
        names = [(recipe, seed) for recipe in self.recipes for seed in self.seeds]
        own = {"supernet": {run["name"]: 0.5 for run in chance}, "fine_tuned": {"test": 0.75}}
        search = [trained(f"{recipe}_{seed}", 0.75, recipe=recipe, **own) for recipe, seed in names]
        retrained = [trained(f"{recipe}_{seed}", 0.75, recipe=recipe) for recipe, seed in names]
        return {"random": chance, "search": search, "retrained": retrained, "plain": [], "again": [], "size": []}

    monkeypatch.setattr(SearchStudy, "run", run)
    monkeypatch.setattr(
        module, "load_data", lambda options: Source("tiny", x, np.arange(20) % 2, x, np.arange(20) % 2, ("a", "b"))
    )
    return calls


def run(tmp_path, *, resume=False, **others):
    return evaluate(EvaluateOptions(**{**TINY, **others}), str(tmp_path / "e"), resume=resume, quiet=True)


def test_each_space_is_a_study_with_a_table_and_a_page(asked, tmp_path):
    told = run(tmp_path, spaces=("nas_bench_201", "darts"), cells=3, recipes=("dha", "dsnas"), again=1, depths=(4,))
    assert "tiny_darts: dsnas +50.00 % over random" in told
    assert [type(call["study"].space).__name__ for call in asked] == ["NASBench201Space", "DARTSSpace"]
    assert [(call["again"], list(call["sizes"])) for call in asked] == [(1, ["cells_4"])] * 2
    result = json.loads((tmp_path / "e" / "result.json").read_text())
    assert [study["recipes"]["dha"]["improvement"]["against_median"] for study in result["studies"]] == [50.0, 50.0]
    assert result["studies"][0]["examples"] == {"train": 16, "validation": 4, "test": 20}
    assert result["seconds"]["trainings"] == 40.0
    with (tmp_path / "e" / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows if row["study"] == "tiny_darts"][:3] == ["random_0", "random_1", "dha_0"]
    page = (tmp_path / "e" / "report.html").read_text()
    assert page.count("<img") == 4
    assert "+50.00 %" in page
    assert not (tmp_path / "e" / ".search").exists()
    assert "nothing to go on with" in run(tmp_path, resume=True)


def test_defaults_are_said_in_the_command(asked, tmp_path):
    run(tmp_path)
    command = json.loads((tmp_path / "e" / "result.json").read_text())["command"]
    assert command.endswith(
        "--data tiny --spaces nas_bench_201 --recipes dha --protocol dha --channels 2 --cells 1 --epochs 2 "
        "--batch-size 4 --random 2 --seeds 0 1 --training-seed 0 --again 0"
    )


def test_an_interrupted_evaluation_goes_on_with_the_same_options(asked, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:

        def stop(self, **kwargs):
            raise KeyboardInterrupt

        patch.setattr(SearchStudy, "run", stop)
        with pytest.raises(CommandInterrupted, match=r"To go on: keras-dha evaluate --out .* --resume"):
            run(tmp_path)
    with pytest.raises(CommandError, match="which holds an unfinished run"):
        run(tmp_path)
    with pytest.raises(CommandError, match=r"Received: \{'epochs': 3\}, before \{'epochs': 2\}"):
        run(tmp_path, resume=True, epochs=3)
    assert "+50.00 %" in evaluate(EvaluateOptions(), str(tmp_path / "e"), resume=True, quiet=True)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"recipes": ("tune",)}, r"Received: \['tune'\]"),
        ({"protocol": "nothing"}, "Received: recipe='nothing'"),
        ({"random": 1}, "Received: num_random=1"),
        ({"spaces": ("mobile_net",), "cells": 2, "depths": (1,)}, "Leave this size out"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_written(asked, tmp_path, wrong, told):
    with pytest.raises(CommandError, match=told):
        run(tmp_path, **wrong)
    assert not asked
    assert not (tmp_path / "e").exists()


def test_data_must_be_given(capsys, tmp_path):
    assert cli.main(["evaluate", "--out", str(tmp_path / "e")]) == 2
    assert "Received: no --data" in capsys.readouterr().err


def test_the_command_line_hands_everything_on(monkeypatch, tmp_path, capsys):
    got = []
    monkeypatch.setattr(module, "evaluate", lambda options, out, **others: got.append((options, out, others)) or "done")
    words = [
        "evaluate",
        "--data",
        "a",
        "b",
        "--out",
        "o",
        "--depths",
        "1",
        "2",
        "--without-tricks",
        "--seeds",
        "0",
        "7",
    ]
    assert cli.main(words) == 0
    options, out, others = got[0]
    assert (options.data, options.depths, options.seeds, options.without_tricks) == (("a", "b"), (1, 2), (0, 7), True)
    assert (out, others) == ("o", {"resume": False, "quiet": False})
    assert EvaluateOptions.of(json.loads(json.dumps(options.to_dict()))) == options
