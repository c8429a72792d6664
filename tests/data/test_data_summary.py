import dataclasses

import numpy as np
import pytest

from keras_dha.data.checks import DataError
from keras_dha.data.data_summary import ArraySpec, SummaryBuilder


def build(x, y, num_classes=None, weight=None):
    builder = SummaryBuilder(num_classes)
    builder.update(x, y, weight)
    builder.measure(x)
    builder.check()
    return builder.summary()


X = np.array([[0.0, 2.0], [4.0, 2.0]], np.float32)


def test_numbers_of_two_examples():
    summary = build(X, np.array([0, 1]))
    assert dataclasses.asdict(summary) == {
        "num_examples": 2,
        "num_held_out": 0,
        "inputs": {"shape": (2,), "dtype": "float32"},
        "labels": {"shape": (), "dtype": "int64"},
        "label_kind": "integer",
        "num_classes": 2,
        "minimum": 0.0,
        "maximum": 4.0,
        "mean": (2.0, 2.0),
        "std": (2.0, 0.0),
        "dtype": "float32",
    }


def test_batches_add_up_to_the_whole():
    images = np.random.default_rng(0).normal(100.0, 1.0, (30, 4, 4, 3))
    whole, parts = SummaryBuilder(), SummaryBuilder()
    whole.measure(images)
    for batch in np.split(images, [1, 7, 7, 20]):
        parts.measure(batch)
    for builder in (whole, parts):
        builder.update(images, np.arange(30) % 2)
        np.testing.assert_allclose(builder.summary().mean, images.mean(axis=(0, 1, 2)))
        np.testing.assert_allclose(builder.summary().std, images.std(axis=(0, 1, 2)))


@pytest.mark.parametrize(
    ("labels", "num_classes", "kind", "found"),
    [
        (np.array([0, 1]), 5, "integer", 5),
        (np.array([[0], [1]]), None, "integer", 2),
        (np.array([0.0, 1.0]), 2, "integer", 2),
        (np.array([0.0, 1.0]), None, "other", None),
        (np.array([0.5, -1.0]), 1, "other", None),
        (np.eye(2), None, "one_hot", 2),
        (np.array([[0.9, 0.1], [0.2, 0.8]]), 2, "one_hot", 2),
        (np.array([[1, 1], [0, 1]]), 2, "other", None),
        (np.zeros((2, 3, 3)), 2, "other", None),
        ({"a": np.array([0, 1]), "b": np.array([0, 1])}, 2, "other", None),
    ],
)
def test_kinds_of_labels(labels, num_classes, kind, found):
    x = np.concatenate([X, X])
    y = {k: np.tile(v, 2) for k, v in labels.items()} if isinstance(labels, dict) else np.concatenate([labels, labels])
    if num_classes == 5:
        x, y = np.concatenate([x, X]), np.concatenate([y, labels])
    summary = build(x, y, num_classes)
    assert (summary.label_kind, summary.num_classes) == (kind, found)


def test_one_batch_of_other_labels_makes_all_other():
    builder = SummaryBuilder()
    builder.update(X, np.eye(2))
    builder.update(X, np.ones((2, 2)))
    builder.update(X, np.eye(2))
    assert builder.summary().label_kind == "other"


def test_a_structure_has_specs_but_no_moments():
    summary = build({"a": X, "b": X[:, :1]}, np.array([0, 1]))
    assert summary.inputs == {"a": ArraySpec((2,), "float32"), "b": ArraySpec((1,), "float32")}
    assert (summary.mean, summary.minimum, summary.dtype) == (None, None, None)


@pytest.mark.parametrize(
    ("x", "y", "num_classes", "message"),
    [
        (X[:0], np.array([], int), None, "Received: x with 0 examples"),
        (X, np.array([0, 1, 1]), None, r"Received: \{'x': 2, 'y': 3\}"),
        (X, np.array([0, 0]), None, "only the label 0"),
        (X, np.array([0, 9]), 2, "with the label 9"),
        (X, np.array([0, 1]), 3, "y with 2 examples, num_classes=3"),
        (X, np.array([0.5, 1]), 2, r"with the label 0\.5"),
        (X, np.array(["a", "b"]), None, "y with dtype=<U1"),
        (X, np.eye(2), 3, r"num_classes=3 columns. Received: y with shape=\(2, 2\)"),
        (X * np.nan, np.array([0, 1]), None, "x with nan in example 0"),
        (X, np.array([0.5, np.inf]), None, "y with inf in example 1"),
    ],
)
def test_what_cannot_be_trained_on(x, y, num_classes, message):
    with pytest.raises(DataError, match=message):
        build(x, y, num_classes)


def test_batches_that_differ():
    builder = SummaryBuilder()
    builder.update(X, np.array([0, 1]))
    with pytest.raises(DataError, match=r"2 sizes, among them \(1,\) and \(2,\)"):
        builder.update(X[:, :1], np.array([0, 1]))
    with pytest.raises(DataError, match=r"same structure and dtypes. Received: x with"):
        builder.update(X.astype(np.uint8), np.array([0, 1]))
