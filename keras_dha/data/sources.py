"""Data sets by name, for the command line and for quick trials. Nothing heavy is loaded before it is needed."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from keras_dha.data import checks
from keras_dha.data.checks import DataError
from keras_dha.data.image_folder import read_image_folder
from keras_dha.data.split import content_hashes, stratified_split
from keras_dha.npz_file import UNREADABLE, read_npz

_SPLIT_SEED = 0  # a constant: everybody who names a data set has the same test part
_KNOWN = "digits, npz:FILE, dir:FOLDER, tfds:NAME"


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set for classification.

    Args:
        name: What it is called in reports.
        x_train: Inputs, `(num_examples, ...)`; images `(num_examples, height, width, channels)`.
        y_train: Labels from 0, `(num_examples,)`, integers.
        x_test: Like `x_train`, or None.
        y_test: Like `y_train`, or None.
        class_names: One name a class.
        test_is_cut: Whether the test part was cut from the training data, because the source came without one.

    Raises:
        DataError: If the arrays do not fit one another.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray | None
    y_test: np.ndarray | None
    class_names: tuple[str, ...]
    test_is_cut: bool = False

    def __post_init__(self) -> None:
        _check_part("x_train", self.x_train, "y_train", self.y_train)
        checks.check_classes("y_train", np.unique(self.y_train).tolist(), len(self.y_train), self.num_classes)
        if self.x_test is None or self.y_test is None:
            return
        _check_part("x_test", self.x_test, "y_test", self.y_test)
        checks.check_label_range("y_test", np.unique(self.y_test).tolist(), self.num_classes)
        shapes = [self.x_train.shape[1:], self.x_test.shape[1:]]
        checks.check_same_format(("x_train", "x_test"), shapes, [self.x_train.dtype, self.x_test.dtype])

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.x_train.shape[1:]

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)


def load(spec: str, *, test_fraction: float | None = 0.2) -> Source:
    """Reads a data set.

    - `"digits"`: 1,797 images of 8x8x1, float32 from 0 to 16, 10 classes; comes with scikit-learn, no download.
    - `"npz:FILE"`: arrays `x_train`, `y_train`, and optionally `x_test`, `y_test`, `class_names`. Images without a
      channel axis get one.
    - `"dir:FOLDER"`: one folder of PNG or JPEG files a class, or `train` and `test` above such folders.
    - `"tfds:NAME"`: the parts `train` and `test` of a data set of tensorflow_datasets, which may download it.

    Args:
        spec: One of the above.
        test_fraction: How much of each class of the training data becomes the test part if the source has none;
            None leaves it without one. The cut is the same each time.

    Returns:
        The data, checked.

    Raises:
        DataError: If there is no such data, it cannot be read, or it cannot be learned from.

    Example:

    ```python
    source = keras_dha.data.load("digits")
    model.fit(source.x_train, source.y_train)
    ```
    """
    kind, _, rest = spec.partition(":")
    readers = {"npz": _read_npz, "dir": _read_folder, "tfds": _read_tfds}
    if spec == "digits":
        source = _read_digits()
    elif kind in readers and rest:
        source = readers[kind](rest)
    else:
        raise DataError(f"The data must be one of: {_KNOWN}. Received: {spec!r}. Write it as one of these.")
    return source if source.x_test is not None or test_fraction is None else _cut_test(source, test_fraction)


def _check_part(x_name: str, x: np.ndarray, y_name: str, y: np.ndarray) -> None:
    checks.check_numbers(x_name, x)
    checks.check_numbers(y_name, y)
    if x.ndim < 2:
        raise DataError(
            f"Inputs must have an axis of examples and one of values. Received: {x_name} with shape={x.shape}. Give "
            "images as (num_examples, height, width, channels)."
        )
    checks.check_not_empty(x_name, len(x))
    checks.check_same_length({x_name: len(x), y_name: len(y)})
    checks.check_finite(x_name, x)
    checks.check_integer_labels(y_name, y)


def _cut_test(source: Source, fraction: float) -> Source:
    train, test = stratified_split(
        len(source.x_train),
        fraction,
        classes=source.y_train,
        hashes=content_hashes([source.x_train]),
        seed=_SPLIT_SEED,
        remedy="give a test part: x_test and y_test, or the folder test/",
    )
    return dataclasses.replace(
        source,
        x_train=source.x_train[train],
        y_train=source.y_train[train],
        x_test=source.x_train[test],
        y_test=source.y_train[test],
        test_is_cut=True,
    )


def _missing(package: str, spec: str, error: ImportError) -> DataError:
    return DataError(
        f"The data {spec!r} needs the package {package}. Received: {error}. Run: pip install 'keras_dha[datasets]'"
    )


def _read_digits() -> Source:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise _missing("scikit-learn", "digits", error) from error
    bunch = load_digits()
    images = bunch.images.astype(np.float32)[..., np.newaxis]
    return Source("digits", images, bunch.target.astype(np.int32), None, None, tuple("0123456789"))


def _read_npz(file: str) -> Source:
    path = Path(file).expanduser()
    checks.check_exists(path)
    try:
        arrays = read_npz(path)
    except UNREADABLE as error:
        raise DataError(
            f"The file must be a whole .npz file of plain arrays. Received: {path} ({error}). Write it with "
            "np.savez_compressed(file, x_train=..., y_train=...), images of one size stacked."
        ) from error
    if arrays is None:
        raise DataError(
            f"The file must hold named arrays. Received: {path}, which holds one array. Write it with "
            "np.savez_compressed(file, x_train=..., y_train=...)."
        )
    return _from_arrays(path, arrays)


def _from_arrays(path: Path, arrays: dict[str, np.ndarray]) -> Source:
    missing = [name for name in ("x_train", "y_train") if name not in arrays]
    if missing or ("x_test" in arrays) != ("y_test" in arrays):
        raise DataError(
            "The file must have x_train and y_train, and x_test and y_test or neither of them. Received: "
            f"{path} with {sorted(arrays)}. Rename or add the arrays."
        )
    # TensorFlow has no name for a dtype of the other byte order.
    arrays = {name: array.astype(array.dtype.newbyteorder("="), copy=False) for name, array in arrays.items()}
    x = {name: arrays[name] for name in ("x_train", "x_test") if name in arrays}
    x = {name: array[..., np.newaxis] if array.ndim == 3 else array for name, array in x.items()}
    y = {name: arrays[name] for name in ("y_train", "y_test") if name in arrays}
    y = {name: array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array for name, array in y.items()}
    for name, labels in y.items():
        checks.check_integer_labels(name, labels)
        y[name] = labels.astype(np.int32)
    classes = np.unique(y["y_train"]).tolist()
    checks.check_not_empty("y_train", len(classes))
    if "class_names" in arrays:
        names = tuple(str(name) for name in arrays["class_names"].ravel())
    else:
        checks.check_classes("y_train", classes, len(y["y_train"]))
        names = tuple(str(label) for label in classes)
    return Source(path.stem, x["x_train"], y["y_train"], x.get("x_test"), y.get("y_test"), names)


def _read_folder(folder: str) -> Source:
    path = Path(folder).expanduser()
    checks.check_exists(path, folder=True)
    (x_train, y_train), test, names = read_image_folder(path)
    x_test, y_test = test if test is not None else (None, None)
    return Source(path.resolve().name, x_train, y_train, x_test, y_test, names)


def _read_tfds(name: str) -> Source:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise _missing("tensorflow-datasets", f"tfds:{name}", error) from error
    try:
        info = tfds.builder(name).info
        label = _label_of(info)  # known before the download
        classes = label.names if isinstance(label, tfds.features.ClassLabel) else None
        parts = {} if classes is None else tfds.load(name, batch_size=-1, as_supervised=True)
    except Exception as error:  # tfds has no common class for what goes wrong in its builders and downloads
        raise DataError(
            f"The data must be a data set of images and labels of tensorflow_datasets. Received: {name} ({error}). See "
            "tfds.list_builders() for the names."
        ) from error
    if classes is None:
        raise DataError(
            "The data set must have images and, as its label, a ClassLabel. Received: "
            f"{name} with supervised_keys={info.supervised_keys}. Choose another one."
        )
    if "train" not in parts:
        raise DataError(
            f"The data set must have a part named train. Received: {name} with {sorted(parts)}. Choose another one."
        )
    arrays = {part: tfds.as_numpy(parts[part]) for part in ("train", "test") if part in parts}
    x_train, y_train = arrays["train"]
    x_test, y_test = arrays.get("test", (None, None))
    return Source(name, x_train, y_train, x_test, y_test, tuple(classes))


def _label_of(info: Any) -> Any:
    """The feature of a data set of tensorflow_datasets that is to be predicted; None if it is not just one."""
    key = info.supervised_keys[-1] if info.supervised_keys else None
    return info.features[key] if isinstance(key, str) else None
