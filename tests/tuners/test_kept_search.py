"""A folder of a search that goes on, and folders of something else."""

import pytest

from keras_dha.spaces import Choice
from keras_dha.tuners.kept_search import KeptSearch
from keras_dha.tuners.space_pruning import Pruning, SpacePruning

SETTINGS = {"seed": 0, "choices": {"edge": ["conv", "pool", "skip"]}, "margin": 0.25}


def rounds():
    choices = [Choice("edge", ("conv", "pool", "skip"))]
    return SpacePruning(choices, lambda alive: 10 * len(alive["edge"]), 20, pruning=Pruning(4, 2), seed=0)


def ended():
    pruning = rounds()
    while not pruning.done:
        path = pruning.propose()
        pruning.observe(path, float(path["edge"] != ("skip",)))
    return pruning


def test_nothing_is_taken_up_before_pruning_has_ended(tmp_path):
    fresh = rounds()
    assert KeptSearch(tmp_path / "kept", SETTINGS).take_up(fresh) == {}
    assert fresh.get_state() == rounds().get_state()


def test_the_end_of_pruning_is_taken_up(tmp_path):
    kept, pruning = KeptSearch(tmp_path / "kept", SETTINGS), ended()
    kept.paths.write_bytes(b"weights")
    kept.keep_pruned(pruning, {"paths": 7})
    assert not kept.paths.exists()
    found = rounds()
    assert KeptSearch(tmp_path / "kept", SETTINGS).take_up(found) == {"paths": 7}
    assert found.done
    assert found.get_state() == pruning.get_state()


@pytest.mark.parametrize("name", SETTINGS)
def test_another_search_is_refused_by_what_differs(tmp_path, name):
    KeptSearch(tmp_path, SETTINGS)
    with pytest.raises(ValueError, match=rf"another {name} than in .*settings\.json"):
        KeptSearch(tmp_path, {**SETTINGS, name: 3})


def test_tuples_are_the_lists_that_json_makes_of_them(tmp_path):
    KeptSearch(tmp_path, {"sizes": (3, 5)})
    KeptSearch(tmp_path, {"sizes": [3, 5]})


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00"])
def test_damaged_settings_are_refused(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ValueError, match=r"whole files that a search wrote\. Received: .*settings\.json"):
        KeptSearch(tmp_path, SETTINGS)


@pytest.mark.parametrize("text", ["[]", "3", '"x"'])
def test_settings_of_another_kind_are_refused(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ValueError, match="another choices, margin, seed than"):
        KeptSearch(tmp_path, SETTINGS)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rounds": {}}', '{"rounds": 3, "measured": {}}', "[" * 100_000])
def test_a_damaged_end_of_pruning_is_refused(tmp_path, text):
    kept = KeptSearch(tmp_path, SETTINGS)
    (tmp_path / "pruned.json").write_text(text)
    with pytest.raises(ValueError, match=r"whole files that a search wrote\. Received: .*pruned\.json"):
        kept.take_up(rounds())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_an_end_of_pruning_that_is_cut_off_is_refused(tmp_path, share):
    kept = KeptSearch(tmp_path, SETTINGS)
    kept.keep_pruned(ended(), {})
    whole = (tmp_path / "pruned.json").read_text()
    (tmp_path / "pruned.json").write_text(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="whole files that a search wrote"):
        kept.take_up(rounds())
