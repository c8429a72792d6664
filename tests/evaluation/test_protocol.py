import numpy as np
import pytest
from tiny_space import TinySpace, images

from keras_dha.data import DataError
from keras_dha.data.sources import Source
from keras_dha.evaluation import EvaluationData, Protocol
from keras_dha.evaluation.protocol import accuracy
from keras_dha.roles import HYPERPARAMETER, WEIGHT, role_of


class Says:
    """A classifier that says what it is told."""

    def __init__(self, classes):
        self.classes = classes

    def predict(self, x, **kwargs):
        return np.eye(3)[self.classes]


def source(**changes):
    x, y = images(60)
    return Source(
        **{"name": "d", "x_train": x, "y_train": y, "x_test": x, "y_test": y, "class_names": "abc", **changes}
    )


def test_the_parts_share_no_example_and_keep_the_classes():
    data = EvaluationData.of(source(), validation=0.2)
    assert data.sizes() == {"train": 48, "validation": 12, "test": 60}
    assert np.bincount(data.validation[1]).tolist() == [4, 4, 4]
    train, validation = ({row.tobytes() for row in part[0]} for part in (data.train, data.validation))
    assert not train & validation
    again = EvaluationData.of(source(), validation=0.2)
    assert np.array_equal(again.validation[0], data.validation[0])


def test_without_a_test_part_there_is_no_evaluation():
    with pytest.raises(DataError, match="Received: d, without one"):
        EvaluationData.of(source(x_test=None, y_test=None))


def test_a_protocol_trains_fixed_architectures_with_or_without_tricks():
    space = TinySpace()
    decisions = space.random_decisions(seed=0)
    model = Protocol(seed=3).model(space, decisions)
    assert model.decisions() == decisions
    assert model.seed == 3
    assert {role_of(variable) for variable in model.trainable_variables} >= {WEIGHT, HYPERPARAMETER}
    plain = Protocol(tricks=False).model(space, decisions)
    assert plain.augmentation is None
    assert {role_of(variable) for variable in plain.trainable_variables} == {WEIGHT}


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": -1}, {"seed": -1}, {"recipe": "tune"}])
def test_a_wrong_protocol_is_refused(wrong):
    with pytest.raises(ValueError, match=f"Received: .*{next(iter(wrong.values()))}"):
        Protocol(**wrong)


def test_accuracy_counts_the_right_ones():
    assert accuracy(Says([0, 1, 2, 2]), (np.zeros(4), np.array([0, 1, 1, 2]))) == 0.75
