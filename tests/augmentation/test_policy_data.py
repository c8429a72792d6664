import json

import numpy as np
import pytest

from keras_dha.augmentation import Crop, HorizontalFlip, PairPolicy


def learned():
    policy = PairPolicy(("Rotate", "Solarize"), base=(Crop(2), HorizontalFlip()), fill=(0.1, 0.2, 0.3), seed=0)
    policy.logits.assign(np.log([[0.4, 0.3], [0.2, 0.1]]))
    policy.set_phase(settled=True)
    return policy


def test_through_json_and_back():
    data = json.loads(json.dumps(learned().policy()))
    again = PairPolicy.from_policy(data, seed=0)
    assert {**again.policy(), "probabilities": 0} == {**learned().policy(), "probabilities": 0}
    np.testing.assert_allclose(again.probabilities(), [[0.4, 0.3], [0.2, 0.1]], rtol=1e-5)
    assert [augmentation.get_config() for augmentation in again.base] == [
        {"padding": 2, "mode": "reflect"},
        {"rate": 0.5},
    ]
    assert float(again.magnitude) == 10.0
    images = np.random.default_rng(0).random((16, 6, 6, 3), "float32")
    np.testing.assert_allclose(again.augment(images)[0], learned().augment(images)[0], atol=1e-5)


def test_a_pair_without_probability_stays_so():
    data = {**learned().policy(), "probabilities": [[1.0, 0.0], [0.0, 0.0]]}
    np.testing.assert_allclose(PairPolicy.from_policy(data).probabilities(), [[1.0, 0.0], [0.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version=2"),
        ({"operations": ["Rotate", "Twist"]}, r"unknown=\['Twist'\]"),
        ({"probabilities": [[0.5, 0.5]]}, r"Received: shape=\(1, 2\)"),
        ({"probabilities": [[0.5], [0.5, 0.5]]}, r"numbers of shape \(2, 2\)"),
        ({"probabilities": [["a", "b"], [0, 1]]}, r"numbers of shape \(2, 2\)"),
        ({"probabilities": [[1.0, 1.0], [0.0, 0.0]]}, r"sum=2\.0"),
        ({"probabilities": [[2.0, -1.0], [0.0, 0.0]]}, r"min=-1\.0"),
        ({"probabilities": [[float("nan"), 1.0], [0.0, 0.0]]}, "sum=nan"),
        ({"magnitudes": {"search": 1.0}}, r"magnitudes=\{'search': 1\.0\}"),
        ({"mapping": "hard"}, "mapping='hard'"),
        ({"base": [{"name": "os>system", "config": {}}]}, "os>system"),
        ({"base": ["Crop"]}, "base entry 'Crop'"),
    ],
)
def test_wrong_data(change, message):
    with pytest.raises(ValueError, match=message):
        PairPolicy.from_policy({**learned().policy(), **change})


def test_incomplete_data():
    data = learned().policy()
    del data["fill"]
    with pytest.raises(ValueError, match=r"missing=\['fill'\]"):
        PairPolicy.from_policy(data)
    with pytest.raises(ValueError, match="Received: list"):
        PairPolicy.from_policy([])
