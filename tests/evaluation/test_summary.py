import json

import pytest

from keras_dha.evaluation import summary_of

PROTOCOL = {"epochs": 2, "tricks": True}


def run(name, test, **others):
    found = {"name": name, "test": test, "validation": test, "protocol": PROTOCOL, "seconds": 10.0}
    return {**found, "epoch": {"best": test + 0.01, "last": test, "epoch": 1}, **others}


@pytest.fixture
def found():
    chance = [run("random_0", 0.4), run("random_1", 0.5), run("random_2", 0.6)]
    supernet = {"random_0": 0.1, "random_1": 0.3, "random_2": 0.2}
    search = run("dha_0", 0.7, recipe="dha", supernet=supernet, fine_tuned={"test": 0.75}, seconds=30.0)
    return {"random": chance, "search": [search], "retrained": [run("dha_0", 0.65, recipe="dha")]}


def test_the_figures_of_a_recipe(found):
    summary = summary_of(found)
    dha = summary["recipes"]["dha"]
    assert dha["improvement"]["against_mean"] == pytest.approx(30.0)
    assert dha["ready_minus_random"] == pytest.approx(20.0)
    assert (dha["ready"]["mean"], dha["fine_tuned"]["mean"], dha["retrained"]["mean"]) == (0.7, 0.75, 0.65)
    assert dha["supernet_tau"] == pytest.approx([1 / 3])
    assert (dha["seconds"], dha["random_seconds"]) == (30.0, 10.0)
    assert summary["random_search"] == pytest.approx([0.5, (0.5 + 0.6 + 0.6) / 3, 0.6])
    assert summary["training"]["best_minus_last"] == pytest.approx(0.01)
    json.dumps(summary, allow_nan=False)


def test_what_was_not_asked_for_is_not_there(found):
    assert not {"plain", "again", "size"} & set(summary_of(found))


def test_other_trainings_are_compared_in_pairs(found):
    plain = {"epochs": 2, "tricks": False}
    found["plain"] = [run("random_0", 0.5, protocol=plain), run("dha_0", 0.6, recipe="dha", protocol=plain)]
    found["again"] = [run("random_0", 0.5), run("random_1", 0.4), run("random_2", 0.6)]
    found["size"] = [run("random_0_cells_2", 0.5, size="cells_2")]
    summary = summary_of(found)
    assert summary["plain"]["improvement"]["dha"]["against_mean"] == pytest.approx(20.0)
    assert summary["again"]["tau"] == pytest.approx(1 / 3)
    assert summary["again"]["mean_change"] == pytest.approx(0.2 / 3)
    assert "tau" not in summary["size"]["cells_2"]  # one network has no order


def test_runs_of_two_protocols_are_no_group(found):
    found["retrained"].append(run("dha_1", 0.9, recipe="dha", protocol={"epochs": 600}))
    with pytest.raises(ValueError, match="in the group 'retrained'"):
        summary_of(found)


def test_a_supernet_without_an_order_has_no_tau(found):
    found["search"][0]["supernet"] = {"random_0": 0.1, "random_1": 0.1, "random_2": 0.1}
    assert summary_of(found)["recipes"]["dha"]["supernet_tau"] == [None]
