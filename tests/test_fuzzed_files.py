"""Files of any content are read, or refused, and nothing else happens: the same few thousand cases in each run."""

import json
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as numpy_strategies
import numpy as np
import pytest
from file_readers import JSON_READERS, READERS, REFUSES, archive
from hostile_data import changed, places
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Numbers near infinity are clipped, or drawn as nothing, where they are no error.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

few = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # one folder for all cases of a test
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def read(name: str, content: bytes, folder: Path) -> Any:
    """What was read, or None if that was refused; the file is all that there is."""
    reader = READERS[name]
    path = folder / reader.file
    path.write_bytes(content)
    found, told = None, ""
    try:
        found = reader.read(path)
    except REFUSES as error:
        told = str(error)
    assert found is not None or told
    assert [entry.name for entry in folder.iterdir()] == [reader.file]
    return found


@pytest.mark.parametrize("name", READERS)
def test_a_good_file_is_read(name, tmp_path):
    assert read(name, READERS[name].good, tmp_path) is not None


@pytest.mark.parametrize("name", JSON_READERS)
@few
@given(drawn=st.data())
def test_other_values_in_a_good_file(name, tmp_path, drawn):
    spoilt = json.loads(READERS[name].good)
    for _ in range(drawn.draw(st.integers(1, 3))):
        place = drawn.draw(st.sampled_from(list(places(spoilt))))
        spoilt = changed(spoilt, place, drawn.draw(PLAIN))
    read(name, json.dumps(spoilt).encode(), tmp_path)


@pytest.mark.parametrize("name", JSON_READERS)
@few
@given(value=PLAIN)
def test_any_json(name, tmp_path, value):
    read(name, json.dumps(value).encode(), tmp_path)


@pytest.mark.parametrize("name", READERS)
@few
@given(content=st.binary(max_size=200), start=st.integers(0, 2000))
def test_any_bytes(name, tmp_path, content, start):
    good = READERS[name].good
    start = min(start, len(good))
    read(name, good[:start] + content + good[start + len(content) :], tmp_path)


ARRAYS = numpy_strategies.arrays(
    dtype=numpy_strategies.scalar_dtypes() | numpy_strategies.unicode_string_dtypes(max_len=4),
    shape=numpy_strategies.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


@few
@given(arrays=st.dictionaries(st.sampled_from(["x_train", "y_train", "x_test", "y_test", "class_names"]), ARRAYS))
def test_any_arrays_are_data_or_are_refused(tmp_path, arrays):
    found = read("data", archive(**arrays), tmp_path)
    if found is not None:
        assert len(found.x_train) == len(found.y_train)
        assert np.min(found.y_train) >= 0
        assert np.max(found.y_train) < found.num_classes


@pytest.mark.parametrize(("least", "most"), [(0, 1), (-3, 300)])
def test_labels_are_classes_or_are_refused(tmp_path, least, most):
    read_as = []

    @few
    @given(labels=numpy_strategies.arrays(np.int64, st.integers(1, 30), elements=st.integers(least, most)))
    def check(labels):
        images = np.arange(4 * len(labels), dtype=np.uint8).reshape(-1, 2, 2, 1)  # alike ones would be refused
        found = read("data", archive(x_train=images, y_train=labels), tmp_path)
        if found is not None:
            read_as.append(found.num_classes)
            assert set(found.y_train) | set(found.y_test) == set(range(found.num_classes))
            assert len(found.y_train) + len(found.y_test) == len(labels)

    check()
    assert most > 1 or set(read_as) == {2}  # not all are refused
