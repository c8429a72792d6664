import pytest

from keras_dha import cli
from keras_dha.commands import CommandError
from keras_dha.commands.latency import latency
from keras_dha.costs import LatencyTable

TINY = {"input_shape": (8, 8, 1), "classes": 2, "channels": 2, "cells": 1}


@pytest.fixture
def asked(monkeypatch):
    """The space that was to be measured; nothing is."""
    seen = {}

    def measure(space, *, runtime, progress):
        seen.update(space=space, runtime=runtime, progress=progress)
        return LatencyTable({}, runtime=runtime, agreement=[(1.0, 1.0), (1.25, 1.5)])

    monkeypatch.setattr(LatencyTable, "measure", measure)
    return seen


def test_options_reach_the_space(tmp_path, asked):
    told = latency("mobile_net", tmp_path / "table.json", runtime="saved_model", quiet=True, **TINY)
    space = asked["space"]
    assert (space.input_shape, space.num_classes, space.channels, space.repeats) == ((8, 8, 1), 2, 2, 1)
    assert asked["runtime"] == "saved_model"
    assert asked["progress"] is None
    assert "MobileNetSpace((8, 8, 1), 2, channels=2, repeats=1) takes 1.25 ms." in told
    assert LatencyTable.load(tmp_path / "table.json").runtime == "saved_model"


def test_defaults_are_those_of_the_command_line(tmp_path, asked):
    arguments = cli.parser().parse_args(["latency", "--space", "darts", "--out", str(tmp_path / "t.json")])
    cli._latency(arguments)
    space = asked["space"]
    assert (space.input_shape, space.num_classes, space.channels, space.cells) == ((32, 32, 3), 10, 16, 5)
    assert asked["runtime"] == "litert"
    assert asked["progress"] is not None


@pytest.mark.parametrize("name", ["table.json", "table.txt"])
def test_a_file_that_exists_or_is_of_another_kind_is_left_alone(tmp_path, asked, name):
    if name == "table.json":
        (tmp_path / name).write_text("mine")
    with pytest.raises(CommandError, match=r"--out must be a new name that ends with \.json. Received: .*table"):
        latency("darts", tmp_path / name)
    assert not asked
    assert [path.read_text() for path in tmp_path.iterdir()] in ([], ["mine"])


def test_a_place_that_cannot_be_written_to_is_said_before_measuring(tmp_path, asked):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="must be written into a folder"):
        latency("darts", tmp_path / "file" / "table.json")
    assert not asked


def test_what_the_space_refuses_is_bad_input(tmp_path, asked):
    with pytest.raises(CommandError, match="Received"):
        latency("nas_bench_201", tmp_path / "table.json", **{**TINY, "input_shape": (0, 8, 1)})
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_bad_input(tmp_path, monkeypatch):
    def measure(*args, **kwargs):
        raise ImportError("LiteRT must be installed. Received: no package. Run: pip install 'keras-dha[litert]'")

    monkeypatch.setattr(LatencyTable, "measure", measure)
    with pytest.raises(CommandError, match="pip install"):
        latency("darts", tmp_path / "table.json")
    assert list(tmp_path.iterdir()) == []
