"""Images in folders, one folder a class."""

from pathlib import Path

import numpy as np

from keras_dha.data.checks import DataError, check_one_size

_ENDINGS = {".png", ".jpg", ".jpeg"}
_NAMES_OF_TEST = ("test", "validation", "valid", "val")
Part = tuple[np.ndarray, np.ndarray]


def read_image_folder(folder: Path) -> tuple[Part, Part | None, tuple[str, ...]]:
    """Reads all PNG and JPEG files below `folder`, decoded by TensorFlow.

    Args:
        folder: Has one folder a class, or `train` and `test` above such folders. Other files are left alone.

    Returns:
        The training part and the test part, if there is one: images, uint8 `(num_examples, height, width, channels)`,
        gray if all are, without transparency; labels, int32 `(num_examples,)`. And the names of the classes, sorted.

    Raises:
        DataError: If there are no images, a file cannot be decoded, or images have several sizes.
    """
    is_split = (folder / "train").is_dir() and (folder / "test").is_dir()
    roots = [folder / "train", folder / "test"] if is_split else [folder]
    names = tuple(path.name for path in _class_folders(roots[0]))
    if not is_split and "train" in names and any(name in names for name in _NAMES_OF_TEST):
        raise _wrong_layout(folder, names, "train")
    parts = [_files(root, names) for root in roots]
    images = _as_one_array([_decode(file) for files, _ in parts for file in files], folder)
    train_size = len(parts[0][0])
    test = (images[train_size:], parts[1][1]) if is_split else None
    return (images[:train_size], parts[0][1]), test, names


def _class_folders(root: Path) -> list[Path]:
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise DataError(
            f"There must be one folder of images a class. Received: {root}, without folders. Sort the images into "
            f"folders such as {root / 'cat'}."
        )
    return folders


def _files(root: Path, names: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    """Image files below `root` and their labels."""
    files: list[Path] = []
    labels: list[int] = []
    for folder in _class_folders(root):
        if folder.name not in names:
            raise DataError(
                f"Each class of the test part must be in the training part. Received: {folder}, with the classes "
                f"{list(names)}. Rename the folder, or move it away."
            )
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS and path.name[0] != ".")
        if not found and any(path.is_dir() and path.name[0] != "." for path in folder.iterdir()):
            raise _wrong_layout(root, names, folder.name)
        if not found:
            raise DataError(
                f"Each class must have images ending in {', '.join(sorted(_ENDINGS))}. Received: {folder}, with none. "
                "Add images, convert others, or move the folder away."
            )
        files += found
        labels += [names.index(folder.name)] * len(found)
    return files, np.array(labels, np.int32)


def _wrong_layout(root: Path, names: tuple[str, ...], nested: str) -> DataError:
    """What to say if `nested`, one of `names` below `root`, is no class but stands above classes."""
    train = next((name for name in names if name.lower() == "train"), None)
    test = next((name for name in names if name.lower() in _NAMES_OF_TEST), None)
    if train is None:
        what = f"Move the images of {nested} right below it, or give dir:{root / nested}."
    else:
        wanted = ((train, "train"), (test, "test"))
        renames = " and ".join(f"{name} to {new}" for name, new in wanted if name is not None and name != new)
        what = f"Rename {renames}, or give dir:{root / train}." if test is not None else f"Give dir:{root / train}."
    return DataError(
        f"The folder must hold one folder of images a class, or train/ and test/ above them. Received: {root} with "
        f"{list(names)}. {what}"
    )


def _decode(file: Path) -> np.ndarray:
    """One image, with 1 or 3 channels."""
    import tensorflow as tf

    try:
        image = tf.io.decode_image(file.read_bytes(), expand_animations=False).numpy()
    except (OSError, tf.errors.OpError) as error:
        raise DataError(
            f"Each image must be a whole PNG or JPEG file. Received: {file} ({error}). Repair or remove it."
        ) from error
    return image if image.shape[-1] % 2 else image[..., :-1]  # 2 or 4 channels: the last one is transparency


def _as_one_array(images: list[np.ndarray], folder: Path) -> np.ndarray:
    check_one_size(str(folder), [image.shape[:2] for image in images])
    channels = max(image.shape[-1] for image in images)
    return np.stack([np.broadcast_to(image, (*image.shape[:2], channels)) for image in images])
