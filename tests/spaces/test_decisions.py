import dataclasses
from pathlib import Path

import pytest

from keras_dha.spaces import Choice, Decisions

EDGE = Choice("edge", ("conv", "skip", "none"), excluded=("none",))
NODE = Choice("node", ("0/conv", "0/skip", "1/conv", "1/skip"), keep=2, groups=(0, 0, 1, 1))
KEPT = {"edge": "conv", "node": ["0/skip", "1/conv"]}


def test_a_mapping_of_tuples() -> None:
    decisions = Decisions(KEPT)
    assert dict(decisions) == {"edge": ("conv",), "node": ("0/skip", "1/conv")}
    assert len(decisions) == 2
    assert repr(decisions) == "Decisions({'edge': ('conv',), 'node': ('0/skip', '1/conv')})"


def test_decisions_of_decisions_are_equal() -> None:
    assert Decisions(Decisions(KEPT)) == Decisions(KEPT)


def test_later_changes_of_the_source_change_nothing() -> None:
    kept = {"node": ["0/skip", "1/conv"]}
    decisions = Decisions(kept)
    kept["node"].append("1/skip")
    assert decisions["node"] == ("0/skip", "1/conv")


def test_json_and_back() -> None:
    assert Decisions.from_json(Decisions(KEPT).to_json()) == Decisions(KEPT)


def test_file_and_back(tmp_path: Path) -> None:
    path = tmp_path / "decisions.json"
    Decisions(KEPT).save(path)
    Decisions(KEPT).save(str(path))  # over an existing file
    assert Decisions.load(path) == Decisions(KEPT)
    assert [file.name for file in tmp_path.iterdir()] == ["decisions.json"]


def test_valid_decisions_come_back() -> None:
    decisions = Decisions(KEPT)
    assert decisions.validate([EDGE, NODE]) is decisions


@pytest.mark.parametrize("kept", [["edge"], None, "edge"])
def test_not_a_mapping(kept: object) -> None:
    with pytest.raises(ValueError, match=r"must be a mapping .* Received: kept="):
        Decisions(kept)


@pytest.mark.parametrize("kept", [{"edge": 1}, {1: "conv"}, {"edge": [1]}, {"edge": None}, {"edge": {"conv": 1}}])
def test_not_names(kept: dict) -> None:
    name, value = next(iter(kept.items()))
    with pytest.raises(ValueError, match=f"Received: {name!r}=") as error:
        Decisions(kept)
    assert repr(value) in str(error.value)


def test_missing_and_unknown_choices() -> None:
    with pytest.raises(ValueError, match=r"Received: missing=\['node'\], unknown=\['nod'\]"):
        Decisions({"edge": "conv", "nod": ["0/skip", "1/conv"]}).validate([EDGE, NODE])


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (EDGE, ["pool"]),  # unknown
        (EDGE, ["none"]),  # excluded
        (EDGE, []),  # too few
        (EDGE, ["conv", "skip"]),  # too many
        (EDGE, ["conv", "conv"]),  # twice
        (NODE, ["0/conv", "0/skip"]),  # of one input
        (NODE, ["0/conv"]),  # too few
    ],
)
def test_an_answer_that_does_not_fit(choice: Choice, kept: list[str]) -> None:
    with pytest.raises(ValueError, match=f"The choice '{choice.name}' must keep {choice.keep} of") as error:
        Decisions({choice.name: kept}).validate([choice])
    assert f"Received: {kept}." in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_not_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a JSON object. Received: "):
        Decisions.from_json(text)


def test_json_of_something_else() -> None:
    with pytest.raises(ValueError, match=r"Received: kept=\[1\]"):
        Decisions.from_json("[1]")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        Decisions.load(tmp_path / "nowhere.json")


def test_where_the_number_is_free_fewer_may_be_kept() -> None:
    choice = dataclasses.replace(NODE, at_least=1)
    for kept in (["1/conv"], ["0/skip", "1/conv"]):
        Decisions({"node": kept}).validate([choice])
    for kept in ([], ["0/conv", "0/skip"]):
        with pytest.raises(ValueError, match="'node' must keep 1 to 2 of"):
            Decisions({"node": kept}).validate([choice])
