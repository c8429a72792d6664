import subprocess
import sys
import types

import numpy as np
import pytest

from keras_dha.data import DataError, Source, load

IMAGES = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2)
LABELS = np.array([0, 1] * 5)


def save(tmp_path, **arrays):
    np.savez(tmp_path / "toy.npz", **arrays)
    return f"npz:{tmp_path / 'toy.npz'}"


def test_digits():
    pytest.importorskip("sklearn")
    source = load("digits")
    assert (source.x_train.shape, source.x_test.shape) == ((1438, 8, 8, 1), (359, 8, 8, 1))
    assert (source.x_train.dtype, source.x_train.min(), source.x_train.max()) == (np.float32, 0.0, 16.0)
    assert (source.input_shape, source.num_classes, source.class_names[9]) == ((8, 8, 1), 10, "9")
    assert source.test_is_cut
    shares = np.bincount(source.y_test) / np.bincount(np.concatenate([source.y_train, source.y_test]))
    assert (abs(shares - 0.2) < 0.01).all()
    assert np.array_equal(load("digits").x_test, source.x_test)


@pytest.mark.parametrize(
    ("spec", "module", "package"),
    [("digits", "sklearn.datasets", "scikit-learn"), ("tfds:mnist", "tensorflow_datasets", "tensorflow-datasets")],
)
def test_a_missing_package(monkeypatch, spec, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        DataError, match=rf"needs the package {package}. Received: .*pip install 'keras_dha\[datasets\]"
    ):
        load(spec)


def test_npz_with_a_test_part(tmp_path):
    source = load(save(tmp_path, x_train=IMAGES, y_train=LABELS[:, None], x_test=IMAGES[:2], y_test=LABELS[:2]))
    assert source.name == "toy"
    assert (source.x_train.shape, source.y_train.shape) == ((10, 2, 2, 1), (10,))
    assert (source.x_test.shape, source.test_is_cut, source.class_names) == ((2, 2, 2, 1), False, ("0", "1"))


def test_npz_without_a_test_part(tmp_path):
    spec = save(tmp_path, x_train=IMAGES, y_train=LABELS)
    source = load(spec)
    assert source.test_is_cut
    assert (len(source.x_train), len(source.x_test), sorted(source.y_test)) == (8, 2, [0, 1])
    pictures = {image.tobytes() for image in source.x_train} | {image.tobytes() for image in source.x_test}
    assert pictures == {image.tobytes() for image in IMAGES}
    assert load(spec, test_fraction=None).x_test is None


@pytest.mark.parametrize("dtype", [">f8", ">u2"])
def test_npz_of_the_other_byte_order(tmp_path, dtype):
    """Trained to the end, and then could not be exported: TensorFlow knows no dtype '>f8'."""
    arrays = {"x_train": IMAGES.astype(dtype), "y_train": LABELS.astype(">i8")}
    source = load(save(tmp_path, **arrays, x_test=IMAGES.astype(dtype[1:]), y_test=LABELS))
    assert {part.dtype.str for part in (source.x_train, source.x_test)} == {"<" + dtype[1:]}
    assert np.array_equal(source.x_train[..., 0], IMAGES)


def test_npz_too_small_to_cut_a_test_part(tmp_path):
    with pytest.raises(DataError, match=r"Add examples, or give a test part: x_test and y_test, or the folder test/"):
        load(save(tmp_path, x_train=IMAGES[:2], y_train=LABELS[:2]))


def test_npz_with_names_of_classes(tmp_path):
    names = np.array(["cat", "dog", "emu"])
    source = load(save(tmp_path, x_train=IMAGES, y_train=LABELS * 2, class_names=names))
    assert (source.class_names, source.num_classes) == (("cat", "dog", "emu"), 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": IMAGES}, r"Received: .*toy.npz with \['x'\]"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES}, "x_test and y_test or neither"),
        ({"x_train": IMAGES, "y_train": LABELS[:9]}, r"Received: \{'x_train': 10, 'y_train': 9\}"),
        ({"x_train": IMAGES[:0], "y_train": LABELS[:0]}, "Received: y_train with 0 examples"),
        ({"x_train": IMAGES[:, 0, 0], "y_train": LABELS}, r"Received: x_train with shape=\(10,\)"),
        ({"x_train": IMAGES * np.nan, "y_train": LABELS}, "Received: x_train with nan"),
        ({"x_train": IMAGES, "y_train": LABELS + 1}, "Received: y_train with labels up to 2, but none is 0"),
        ({"x_train": IMAGES, "y_train": LABELS * 0}, "Received: y_train with only the label 0"),
        ({"x_train": IMAGES, "y_train": LABELS.astype(str)}, "Received: y_train with dtype=<U"),
        ({"x_train": IMAGES, "y_train": LABELS, "class_names": np.array(["a"])}, "Received: y_train with the label 1"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, :1], "y_test": LABELS},
            r"x_train and x_test must have the same shape. Received: x_train: shape=\(2, 2, 1\)",
        ),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES / 1.0, "y_test": LABELS},
            "x_train and x_test must have the same dtype. Received: x_train: .*uint8; x_test: .*float64",
        ),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS + 1},
            "Received: y_test with the label 2",
        ),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        load(save(tmp_path, **arrays))


def test_a_truncated_file(tmp_path):
    save(tmp_path, x_train=IMAGES, y_train=LABELS)
    whole = (tmp_path / "toy.npz").read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 5):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"must be a whole .npz file of plain arrays. Received: .*cut.npz"):
            load(f"npz:{tmp_path / 'cut.npz'}")


def test_a_file_with_a_flipped_byte(tmp_path):
    save(tmp_path, x_train=IMAGES, y_train=LABELS)
    data = bytearray((tmp_path / "toy.npz").read_bytes())
    data[data.index(IMAGES.tobytes())] ^= 1
    (tmp_path / "toy.npz").write_bytes(data)
    with pytest.raises(DataError, match="CRC"):
        load(f"npz:{tmp_path / 'toy.npz'}")


def test_pickled_objects_are_not_loaded(tmp_path):
    images = np.empty(2, object)
    images[:] = [np.zeros((2, 2)), np.zeros((2, 3))]
    with pytest.raises(DataError, match="allow_pickle=False"):
        load(save(tmp_path, x_train=images, y_train=np.array([0, 1])))


def test_a_npy_file(tmp_path):
    np.save(tmp_path / "one.npy", IMAGES)
    with pytest.raises(DataError, match=r"must hold named arrays. Received: .*one.npy"):
        load(f"npz:{tmp_path / 'one.npy'}")


@pytest.mark.parametrize("spec", ["", "mnist", "npz:", "digits:1", "csv:a"])
def test_an_unknown_source(spec):
    with pytest.raises(DataError, match=f"one of: digits, npz:FILE.*Received: '{spec}'"):
        load(spec)


def test_a_path_that_does_not_exist():
    with pytest.raises(DataError, match=r"must be a file that exists. Received: no/such.npz"):
        load("npz:no/such.npz")
    with pytest.raises(DataError, match=r"must be a folder that exists. Received: no/such"):
        load("dir:no/such")


class ClassLabel:
    names = ("a", "b")


def fake_tfds(parts, supervised_keys=("image", "label")):
    def builder(name):
        if name == "nothing":
            raise RuntimeError("no such dataset")
        features = {"image": object(), "label": ClassLabel(), "species": ClassLabel(), "age": object()}
        return types.SimpleNamespace(info=types.SimpleNamespace(features=features, supervised_keys=supervised_keys))

    def load(name, **kwargs):
        assert parts is not None, "downloaded"
        return parts

    module = types.ModuleType("tensorflow_datasets")
    module.builder, module.load, module.as_numpy = builder, load, lambda part: part
    module.features = types.SimpleNamespace(ClassLabel=ClassLabel)
    return module


def test_tfds(monkeypatch):
    parts = {"train": (IMAGES[..., None], LABELS), "test": (IMAGES[:2, ..., None], LABELS[:2]), "more": None}
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake_tfds(parts))
    source = load("tfds:toy")
    assert (source.name, source.class_names, len(source.x_test)) == ("toy", ("a", "b"), 2)
    with pytest.raises(DataError, match=r"Received: nothing \(no such dataset\)"):
        load("tfds:nothing")


def test_tfds_whose_label_has_another_name(monkeypatch):
    """Ended in a KeyError after the download."""
    parts = {"train": (IMAGES[..., None], LABELS)}
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake_tfds(parts, ("image", "species")))
    assert load("tfds:toy").class_names == ("a", "b")


@pytest.mark.parametrize("keys", [None, ("image", "age"), ("image", ("label", "species"))])
def test_tfds_without_classes_is_refused_before_the_download(monkeypatch, keys):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake_tfds(None, keys))
    with pytest.raises(DataError, match=r"a ClassLabel. Received: toy with supervised_keys="):
        load("tfds:toy")


def test_tfds_without_a_training_part(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake_tfds({"all": None}))
    with pytest.raises(DataError, match=r"a part named train. Received: toy with \['all'\]"):
        load("tfds:toy")


def test_a_source_checks_its_arrays():
    with pytest.raises(DataError, match=r"Received: \{'x_train': 10, 'y_train': 9\}"):
        Source("toy", IMAGES, LABELS[:9], None, None, ("a", "b"))


def test_sources_load_neither_keras_nor_tensorflow(tmp_path):
    spec = save(tmp_path, x_train=IMAGES, y_train=LABELS)
    code = f"import sys, keras_dha.data as d; d.load({spec!r}); print({{'keras', 'tensorflow'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
