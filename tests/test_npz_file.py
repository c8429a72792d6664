import zipfile

import numpy as np
import pytest

from keras_dha.npz_file import UNREADABLE, read_npz


def test_arrays_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.array(["cat"]))
    arrays = read_npz(tmp_path / "a.npz")
    assert {name: array.tolist() for name, array in arrays.items()} == {"x": [0, 1, 2], "y": ["cat"]}


def test_one_array_without_a_name(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    assert read_npz(tmp_path / "a.npy") is None


@pytest.mark.parametrize("size", [0, 1, 10, 100, 250, -5])
def test_a_file_that_is_cut_off(tmp_path, size):
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(300))
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:size])
    with pytest.raises(UNREADABLE):
        read_npz(tmp_path / "a.npz")


def test_a_member_that_is_no_array(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("notes.txt", "mine")
    with pytest.raises(ValueError, match=r"must hold arrays only. Received: .*a\.npz, with \['notes\.txt'\]"):
        read_npz(tmp_path / "a.npz")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UNREADABLE):
        read_npz(tmp_path / "a.npz")
