import numpy as np
import pytest
import tensorflow as tf

from keras_dha.data.array_part import ArrayPart
from keras_dha.data.checks import DataError
from keras_dha.data.cut import cut_arrays, cut_dataset, given_part
from keras_dha.data.data_summary import SummaryBuilder
from keras_dha.data.dataset_part import DatasetPart

ELEMENT = (np.arange(20.0)[:, None], np.arange(20) % 2)


def dataset():
    return tf.data.Dataset.from_tensor_slices(ELEMENT).batch(5)


def test_arrays_are_cut_by_class():
    cut = cut_arrays(ELEMENT, 0.2, 0, shuffle=True, num_classes=None)
    assert ELEMENT[1][cut.held_out_indices].sum() == 2
    assert cut.num_held_out == 4
    assert cut.train.settled_indices.tolist() == list(range(20))


def test_a_part_without_examples_says_which_argument_to_change():
    with pytest.raises(DataError, match=r"Add examples, or change held_out\."):
        cut_arrays((ELEMENT[0][:4], ELEMENT[1][:4]), 0.1, 0, shuffle=True, num_classes=None)


def test_unlabelled_examples_are_cut_all_the_same():
    cut = cut_arrays((ELEMENT[0], ELEMENT[0]), 0.2, 0, shuffle=True, num_classes=1)
    assert (cut.builder.label_kind, cut.num_held_out) == ("other", 4)


@pytest.mark.parametrize(
    ("fraction", "limit", "kind"), [(0.2, 10_000, ArrayPart), (0.2, 10, DatasetPart), (None, 10_000, DatasetPart)]
)
def test_a_dataset_is_kept_only_to_be_cut_and_if_it_fits(fraction, limit, kind):
    cut = cut_dataset(dataset(), fraction, 0, shuffle=True, num_classes=None, max_bytes_in_memory=limit)
    assert isinstance(cut.train, kind)
    assert (cut.batch_size, cut.builder.num_examples, cut.train_indices) == (5, 20, None)


@pytest.mark.parametrize(("data", "kind"), [(ELEMENT, ArrayPart), (list(ELEMENT), ArrayPart), (dataset(), DatasetPart)])
def test_a_held_out_part_given_apart(data, kind):
    like = SummaryBuilder(num_classes=2)
    like.update(ELEMENT[0].astype(np.float64 if kind is DatasetPart else np.float32), ELEMENT[1])
    part, size = given_part("held_out", data, 0, shuffle=True, like=like)
    assert isinstance(part, kind)
    assert size == 20


def test_a_held_out_part_may_lack_classes_but_not_have_others():
    like = SummaryBuilder(num_classes=2)
    like.update(ELEMENT[0].astype(np.float32), ELEMENT[1])
    assert given_part("held_out", (ELEMENT[0][:1], [0]), 0, shuffle=True, like=like)[1] == 1
    with pytest.raises(DataError, match="Received: held_out y with the label 2"):
        given_part("held_out", (ELEMENT[0], ELEMENT[1] + 1), 0, shuffle=True, like=like)
