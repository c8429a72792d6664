"""Files appear whole or not at all."""

import json
from pathlib import Path

import pytest

from keras_dha.write_file import removed_on_failure, whole_file, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_replaces_what_stood_there(tmp_path):
    write_text(tmp_path / "a.csv", "old")
    write_text(tmp_path / "a.csv", "é\n")
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "é\n"
    assert names(tmp_path) == ["a.csv"]


def test_data_that_is_not_plain_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_writer_that_fails_half_way_leaves_the_old_file_and_no_rest(tmp_path, failure):
    write_text(tmp_path / "a.csv", "old")

    def write() -> None:
        with whole_file(tmp_path / "a.csv") as partial:
            partial.write_text("half")
            raise failure("no space left")

    with pytest.raises(failure, match="no space left"):
        write()
    assert names(tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


def test_the_other_name_ends_alike_for_writers_that_look_at_the_ending(tmp_path):
    with whole_file(tmp_path / "model.keras") as partial:
        assert partial.suffix == ".keras"
        partial.write_text("whole")
    assert names(tmp_path) == ["model.keras"]


def test_a_folder_of_which_half_is_written_goes_away(tmp_path):

    def write() -> None:
        with removed_on_failure(tmp_path / "saved_model.partial"):
            (tmp_path / "saved_model.partial" / "variables").mkdir(parents=True)
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write()
    assert names(tmp_path) == []
