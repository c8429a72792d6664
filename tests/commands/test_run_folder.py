import pytest

from keras_dha.commands import CommandError
from keras_dha.commands.run_folder import RunFolder, replace_folder


def test_a_new_and_an_empty_folder_are_free(tmp_path):
    RunFolder(tmp_path).check_free()
    RunFolder(tmp_path / "a" / "b").check_free()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "what"), [("result.json", "a finished run"), ("run.json", "an unfinished run"), ("x", "other files")]
)
def test_a_folder_in_use_is_not_free(tmp_path, name, what):
    (tmp_path / name).write_text("{}")
    with pytest.raises(CommandError, match=f"Received: {tmp_path}, which holds {what}"):
        RunFolder(tmp_path).check_free()


def test_a_file_is_not_free(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="which is a file"):
        RunFolder(tmp_path / "file").check_free()
    with pytest.raises(CommandError, match="cannot be written to"):
        RunFolder(tmp_path / "file" / "run").check_free()


def test_a_run_is_unfinished_until_its_result_is_there(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.begin({"arguments": {"seed": 1}})
    assert folder.unfinished
    assert folder.read_run() == {"arguments": {"seed": 1}}
    folder.finish({"seed": 1})
    assert folder.finished
    assert not folder.unfinished
    assert not folder.working.exists()


def test_begin_can_be_taken_back(tmp_path):
    undo = RunFolder(tmp_path / "a" / "run").begin({})
    undo()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{", "{}", '{"arguments": 3}'])
def test_a_broken_run_file_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(CommandError, match=f"readable run.json. Received: {tmp_path}"):
        RunFolder(tmp_path).read_run()


def test_replace_folder_leaves_nothing_of_the_old_one(tmp_path):
    for name in ("new", "target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("")
    replace_folder(tmp_path / "new", tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["new"]
