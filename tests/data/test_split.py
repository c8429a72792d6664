import numpy as np
import pytest

from keras_dha.data.checks import DataError
from keras_dha.data.split import content_hashes, held_out_by_hash, stratified_split


def test_equal_rows_have_equal_hashes_and_others_do_not():
    array = np.array([[1, 2], [2, 1], [1, 2]])
    hashes = content_hashes([array])
    assert hashes[0] == hashes[2] != hashes[1]
    assert content_hashes([array], seed=1)[0] != hashes[0]


def test_a_hash_sees_every_array_and_no_memory_layout():
    a, b = np.arange(4), np.arange(4)[::-1]
    assert (content_hashes([a, b]) != content_hashes([a, a])).all()
    pictures = np.arange(12.0).reshape(2, 2, 3)
    assert (content_hashes([pictures]) == content_hashes([np.asfortranarray(pictures)])).all()


def test_hashes_are_the_same_in_every_process():
    assert content_hashes([np.array([7], np.int32)]).tolist() == [3584644612529117715]


def test_a_fraction_of_hashes_is_held_out():
    hashes = content_hashes([np.arange(10_000)])
    # Binomial(10000, 0.2) has a standard deviation of 40: wrong with probability 6e-7.
    assert abs(held_out_by_hash(hashes, 0.2).sum() - 2000) < 200


def test_each_class_gives_its_share():
    classes = np.repeat([0, 1, 2], [50, 30, 20])
    rest, cut = stratified_split(100, 0.2, classes=classes)
    assert np.bincount(classes[cut]).tolist() == [10, 6, 4]
    assert np.array_equal(np.sort(np.concatenate([rest, cut])), np.arange(100))


def test_the_split_is_a_function_of_the_seed():
    first, again, other = (stratified_split(100, 0.2, seed=seed)[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_equal_examples_stay_together():
    values = np.arange(60) // 3  # 20 different examples, each three times
    rest, cut = stratified_split(60, 0.2, hashes=content_hashes([values]))
    assert len(cut) == 12
    assert not set(values[rest]) & set(values[cut])


def test_hashes_without_duplicates_change_nothing():
    plain, hashed = (stratified_split(50, 0.2, hashes=hashes)[1] for hashes in (None, content_hashes([np.arange(50)])))
    assert np.array_equal(plain, hashed)


def test_a_part_would_be_empty():
    with pytest.raises(DataError, match=r"Received: 2 examples, 2 of them different, fraction=0\.2, which cuts 0 off"):
        stratified_split(2, 0.2)
    with pytest.raises(DataError, match=r"Add examples, or change held_out\."):
        stratified_split(2, 0.2, remedy="change held_out")
    with pytest.raises(DataError, match="Received: 9 examples, 1 of them different"):
        stratified_split(9, 0.5, hashes=np.zeros(9, np.uint64))
