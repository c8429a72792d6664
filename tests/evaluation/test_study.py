import json

import pytest
from tiny_space import TinySpace, images, recipe

from keras_dha.data.sources import Source
from keras_dha.evaluation import EvaluationData, Protocol, SearchStudy, summary_of
from keras_dha.evaluation import study as module
from keras_dha.evaluation.protocol import SEARCHES
from keras_dha.spaces import DenseSpace, NASBench201Space


class KilledError(Exception):
    """A kill."""


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setitem(SEARCHES, "dha", lambda: recipe(augmentation=None))


def study(folder, **changes):
    x, y = images(60)
    data = EvaluationData.of(Source("bars", x, y, x, y, ("a", "b", "c")))
    arguments = {"protocol": Protocol(epochs=2, batch_size=16), "num_random": 2, "seeds": (1,), **changes}
    return SearchStudy(TinySpace(), data, ("dha",), folder, **arguments)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_everything_is_trained_once_and_goes_on_after_a_kill(tmp_path, monkeypatch):
    said = []
    options = {"again": 1, "plain": True, "sizes": {"same": TinySpace()}}
    whole = study(tmp_path / "whole").run(**options, progress=said.append)
    assert [line.split(", ")[1] for line in said] == [f"{number} of 10" for number in range(1, 11)]
    counts = {group: [run["name"] for run in runs] for group, runs in whole.items()}
    assert counts == {
        "random": ["random_0", "random_1"],
        "search": ["dha_1"],
        "retrained": ["dha_1"],
        "plain": ["dha_1", "random_0", "random_1"],
        "size": ["random_0_same", "random_1_same"],
        "again": ["random_0"],
    }
    assert not list((tmp_path / "whole" / "unfinished").iterdir())
    search = whole["search"][0]
    assert sorted(search["supernet"]) == ["random_0", "random_1"]
    assert search["fine_tuned"]["epochs"] == 1
    assert len(search["curve"]) == 2
    assert whole["retrained"][0]["decisions"] == search["decisions"]
    assert whole["plain"][1]["protocol"]["tricks"] is False
    assert whole["size"][0]["test"] == whole["random"][0]["test"]  # the same space is the same training
    json.dumps(summary_of(whole))

    killed = tmp_path / "killed"
    made = []

    def figures(self, *arguments):
        made.append(arguments)
        if len(made) == 2:
            raise KilledError
        return before(self, *arguments)

    before = SearchStudy._figures
    monkeypatch.setattr(module.SearchStudy, "_figures", figures)
    with pytest.raises(KilledError):
        study(killed).run()
    told = []
    again = study(killed).run(progress=told.append)
    assert told == ["random random_1, 2 of 4", "search dha_1, 3 of 4", "retrained dha_1, 4 of 4"]
    for group in ("random", "search", "retrained"):
        for first, second in zip(whole[group], again[group], strict=True):
            assert {**first, "seconds": 0, "fine_tuned": 0} == {**second, "seconds": 0, "fine_tuned": 0}


def test_a_size_must_have_the_same_choices(tmp_path):
    other = NASBench201Space((8, 8, 1), 3, channels=2, cells_per_stage=1)
    with pytest.raises(ValueError, match="Received: 'cells_9', with 6 choices, not the 2 of the space"):
        study(tmp_path).run(sizes={"cells_9": other})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"num_random": 1}, "Received: num_random=1"),
        ({"seeds": (1, 1)}, r"seeds=\[1, 1\]"),
        ({"seeds": ()}, r"seeds=\[\]"),
    ],
)
def test_wrong_numbers_are_refused(tmp_path, wrong, told):
    with pytest.raises(ValueError, match=told):
        study(tmp_path, **wrong)


@pytest.mark.parametrize("recipes", [(), ("dha", "dha"), ("random",)])
def test_recipes_must_be_known_and_different(tmp_path, recipes):
    with pytest.raises(ValueError, match="Received: "):
        SearchStudy(TinySpace(), study(tmp_path).data, recipes, tmp_path)


def test_networks_of_numbers_have_no_accuracy(tmp_path):
    data = study(tmp_path).data
    with pytest.raises(ValueError, match="Received: DenseSpace, classifies=False, num_classes=2"):
        SearchStudy(DenseSpace((3,), 2), data, ("dha",), tmp_path)


def test_random_architectures_depend_on_the_seed_alone(tmp_path):
    first, second = study(tmp_path, num_random=3), study(tmp_path, num_random=2)
    assert list(first.networks.values())[:2] == list(second.networks.values())
    assert study(tmp_path, num_random=8, seed=1).networks != study(tmp_path, num_random=8).networks
