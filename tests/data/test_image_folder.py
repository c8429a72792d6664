import numpy as np
import pytest
import tensorflow as tf

from keras_dha.data import DataError, load
from keras_dha.data.image_folder import read_image_folder


def write(path, channels=1, size=(2, 3), value=7):
    path.parent.mkdir(parents=True, exist_ok=True)
    encode = tf.io.encode_png if path.suffix.lower() == ".png" else tf.io.encode_jpeg
    path.write_bytes(encode(tf.fill([*size, channels], tf.cast(value, tf.uint8))).numpy())


@pytest.fixture
def folder(tmp_path):
    for name in ("dog", "cat"):
        for i in range(5):
            write(tmp_path / name / f"{i}.png", value=10 * i + len(name))
    return tmp_path


def test_one_folder_a_class(folder):
    (folder / "dog" / "notes.txt").write_text("not an image")
    write(folder / ".hidden" / "0.png")
    (images, labels), test, names = read_image_folder(folder)
    assert (images.shape, images.dtype, names, test) == ((10, 2, 3, 1), np.uint8, ("cat", "dog"), None)
    assert labels.tolist() == [0] * 5 + [1] * 5
    assert images[:5, 0, 0, 0].tolist() == [3, 13, 23, 33, 43]


def test_load_cuts_a_test_part(folder):
    source = load(f"dir:{folder}")
    assert (source.name, source.test_is_cut, source.class_names) == (folder.name, True, ("cat", "dog"))
    assert (len(source.x_train), sorted(source.y_test)) == (8, [0, 1])


def test_folders_train_and_test(tmp_path):
    for part, value in (("train", 1), ("test", 2)):
        for name in ("a", "b"):
            write(tmp_path / part / name / "0.PNG", value=value)
    source = load(f"dir:{tmp_path}")
    assert (source.x_train.max(), source.x_test.min(), source.y_test.tolist()) == (1, 2, [0, 1])
    assert not source.test_is_cut


@pytest.mark.parametrize(("channels", "expected"), [(1, 1), (2, 1), (3, 3), (4, 3)])
def test_transparency_is_dropped(tmp_path, channels, expected):
    write(tmp_path / "a" / "0.png", channels)
    (images, _), _, _ = read_image_folder(tmp_path)
    assert images.shape == (1, 2, 3, expected)


def test_gray_among_colour_becomes_colour(tmp_path):
    write(tmp_path / "a" / "0.png", 1, value=9)
    write(tmp_path / "a" / "1.jpg", 3)
    (images, _), _, _ = read_image_folder(tmp_path)
    assert images.shape == (2, 2, 3, 3)
    assert images[0].min() == images[0].max() == 9


def test_images_of_several_sizes(folder):
    write(folder / "cat" / "9.png", size=(3, 3))
    with pytest.raises(DataError, match=r"Received: 2 sizes, among them \(2, 3\) and \(3, 3\)"):
        load(f"dir:{folder}")


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_truncated_image(folder, ending):
    path = folder / "cat" / f"bad.{ending}"
    write(path, channels=3)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=rf"a whole PNG or JPEG file. Received: .*bad.{ending}"):
        load(f"dir:{folder}")


def test_a_folder_without_classes(tmp_path):
    with pytest.raises(DataError, match=r"one folder of images a class. Received: .*, without folders"):
        load(f"dir:{tmp_path}")


def test_a_class_without_images(folder):
    (folder / "emu").mkdir()
    with pytest.raises(DataError, match=r"Each class must have images ending in .*Received: .*emu, with none"):
        load(f"dir:{folder}")


@pytest.mark.parametrize(
    ("paths", "what"),
    [
        (["train/a", "validation/a"], "Rename validation to test, or give dir:ROOT/train."),
        (["train/a", "val/a"], "Rename val to test, or give dir:ROOT/train."),
        (["Train/a", "Test/a"], "Rename Train to train and Test to test, or give dir:ROOT/Train."),
        (["train/a", "train/b"], "Give dir:ROOT/train."),
        (["train", "val"], "Rename val to test, or give dir:ROOT/train."),
        (["pets/a", "pets/b"], "Move the images of pets right below it, or give dir:ROOT/pets."),
    ],
)
def test_folders_that_are_no_classes(tmp_path, paths, what):
    """Called for removing the folder, which may hold the only copy of the data."""
    for path in paths:
        write(tmp_path / path / "0.png")
    names = sorted({path.split("/")[0] for path in paths})
    with pytest.raises(DataError) as error_info:
        load(f"dir:{tmp_path}")
    assert str(error_info.value) == (
        "The folder must hold one folder of images a class, or train/ and test/ above them. "
        f"Received: {tmp_path} with {names}. {what.replace('ROOT', str(tmp_path))}"
    )


def test_folders_of_folders_below_train(tmp_path):
    for path in ("train/pets/a", "test/pets/a"):
        write(tmp_path / path / "0.png")
    with pytest.raises(DataError, match=r"Received: .*train with \['pets'\]. Move the images of pets right below it"):
        load(f"dir:{tmp_path}")


def test_a_class_may_be_called_train(tmp_path):
    for name in ("bus", "train"):
        write(tmp_path / name / "0.png")
    assert read_image_folder(tmp_path)[2] == ("bus", "train")


def test_a_class_that_is_only_in_the_test_part(tmp_path):
    for path in ("train/a", "train/b", "test/a", "test/c"):
        write(tmp_path / path / "0.png")
    with pytest.raises(DataError, match=r"Received: .*c, with the classes \['a', 'b'\]"):
        load(f"dir:{tmp_path}")
