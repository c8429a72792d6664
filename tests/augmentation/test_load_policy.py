import json

import numpy as np
import pytest

from keras_dha.augmentation import Crop, PairPolicy, RandAugment, TrivialAugment, load

IMAGES = np.random.default_rng(0).random((16, 6, 5, 3), "float32")
POLICIES = [
    PairPolicy(("Rotate", "Invert"), base=(Crop(2),), seed=0),
    RandAugment(("Rotate", "Invert"), num_layers=3, strength=0.2, fill=0.1, seed=0),
    TrivialAugment(("Rotate", "Cutout"), mapping="released", seed=0),
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
def test_a_file_is_the_policy_again(policy, tmp_path) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(policy.policy()))
    for source in (tmp_path / "policy.json", str(tmp_path / "policy.json"), policy.policy()):
        loaded = load(source, seed=0)
        assert type(loaded) is type(policy)
        assert loaded.policy() == policy.policy()
        fresh = type(policy).from_config(policy.get_config())
        np.testing.assert_array_equal(loaded(IMAGES), fresh(IMAGES))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be JSON"),
        ("{", "must be JSON"),
        ("{}", "an empty one in"),
        ("[1]", "kind='list'"),
        ('{"version": 1}', "kind=None"),
        ('{"version": 1, "kind": "AutoAugment"}', "kind='AutoAugment'"),
        ('{"version": 9, "kind": "RandAugment"}', "version=9"),
        ('{"version": 1, "kind": "RandAugment"}', "missing="),
    ],
)
def test_wrong_files(text: str, message: str, tmp_path) -> None:
    (tmp_path / "policy.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "policy.json")


def test_no_file(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "policy.json")


def test_another_kind_says_what_finds_it() -> None:
    with pytest.raises(ValueError, match=r"keras_dha\.augmentation\.load finds"):
        RandAugment.from_policy(TrivialAugment().policy())
