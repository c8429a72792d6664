import keras
import numpy as np
import pytest

from keras_dha.augmentation.random_stream import ReplicaStream, fresh_seed, stream_seed


def test_a_seed_for_each_use():
    seeds = [stream_seed(seed, use) for seed in range(20) for use in ("pair", "sign", "base_Crop_0")]
    assert len(set(seeds)) == 60
    assert stream_seed(3, "pair") == stream_seed(3, "pair")
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_no_seed_follows_keras():
    keras.utils.set_random_seed(5)
    first = fresh_seed(None)
    assert fresh_seed(None) != first
    keras.utils.set_random_seed(5)
    assert fresh_seed(None) == first
    assert fresh_seed(7) == 7


@pytest.mark.parametrize("seed", [-1, 1.0, True, "0"])
def test_wrong_seed(seed):
    with pytest.raises(ValueError, match=f"seed={seed!r}"):
        fresh_seed(seed)


def numbers(replica, step=0):
    source = keras.random.SeedGenerator(1)
    for _ in range(step):
        source.next()
    return np.asarray(keras.random.uniform((4,), seed=ReplicaStream(source, replica)))


def test_replicas_draw_other_numbers_and_replica_0_those_of_the_source():
    np.testing.assert_array_equal(numbers(0), keras.random.uniform((4,), seed=keras.random.SeedGenerator(1)))
    drawn = [tuple(numbers(replica, step)) for replica in range(3) for step in range(3)]
    assert len(set(drawn)) == 9


def test_the_state_is_that_of_the_source():
    source = keras.random.SeedGenerator(1)
    keras.random.uniform((4,), seed=ReplicaStream(source, 1))
    np.testing.assert_array_equal(source.state, [1, 1])
