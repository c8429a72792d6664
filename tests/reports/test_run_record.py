import numpy as np
import pytest

from keras_dha.reports import RunRecord, write_report
from keras_dha.reports.run_record import read_history
from keras_dha.write_file import write_json, write_text


@pytest.fixture
def folder(tmp_path):
    write_json(tmp_path / "result.json", {"seed": 3})
    write_json(tmp_path / "decisions.json", {"edge_1_from_0": ["skip"]})
    write_json(tmp_path / "policy.json", {})
    write_json(tmp_path / "details.json", {"probabilities": {"edge_1_from_0": {"skip": 1.0}}, "policy_before": None})
    write_text(tmp_path / "history.csv", "epoch,loss,val_loss\n1,2.5,\n2,1.5,nan\n")
    return tmp_path


def test_load_reads_what_a_run_left(folder):
    record = RunRecord.load(folder)
    assert record.result == {"seed": 3}
    assert record.decisions == {"edge_1_from_0": ["skip"]}
    assert record.policy_after is None
    assert record.samples == {}
    np.testing.assert_array_equal(record.history["loss"], [2.5, 1.5])
    assert np.isnan(record.history["val_loss"]).all()


def test_a_result_in_hand_goes_before_the_file(folder):
    (folder / "result.json").unlink()
    assert RunRecord.load(folder, {"seed": 4}).result == {"seed": 4}


def test_write_report_writes_one_whole_file(folder):
    write_report(folder)
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert not list(folder.glob("partial.*"))


@pytest.mark.parametrize("name", ["result.json", "details.json", "decisions.json", "policy.json", "history.csv"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"must hold .*{name}.*Received: .*{name}"):
        RunRecord.load(folder)


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_a_broken_file_is_named(folder, text):
    (folder / "result.json").write_text(text)
    with pytest.raises(ValueError, match=r"result.json of a run must be .*Received: "):
        RunRecord.load(folder)


def test_broken_samples_are_named(folder):
    (folder / "samples.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"Received: .*samples.npz"):
        RunRecord.load(folder)


def write_samples(folder):
    np.savez(folder / "samples.npz", originals=np.arange(64, dtype=np.uint8))
    return (folder / "samples.npz").read_bytes()


def test_truncated_samples_are_named(folder):
    """Ended in zipfile.BadZipFile."""
    whole = write_samples(folder)
    for size in (0, 10, len(whole) // 2, len(whole) - 5):
        (folder / "samples.npz").write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"must be a NumPy archive. Received: .*samples.npz"):
            RunRecord.load(folder)


def test_samples_with_a_flipped_byte_are_named(folder):
    data = bytearray(write_samples(folder))
    data[data.index(bytes(range(64)))] ^= 1
    (folder / "samples.npz").write_bytes(data)
    with pytest.raises(ValueError, match=r"must be a NumPy archive. Received: .*samples.npz"):
        RunRecord.load(folder)


def test_an_empty_history_has_no_columns(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n")
    assert read_history(tmp_path / "history.csv") == {}
