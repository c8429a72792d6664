"""Every recipe has an answer to every question, and evidence that is true of the code."""

import keras
import pytest
from tiny_space import TinySpace

from keras_dha import SearchModel
from keras_dha.augmentation import Crop, PairPolicy
from keras_dha.diagnostics import QUESTIONS, Answer, human_intervention
from keras_dha.hyperparameters import LearningRate, WeightDecay
from keras_dha.recipes import OF_MODELS, RECIPES, darts, dha

ALL = {**RECIPES, **OF_MODELS}


@pytest.mark.parametrize("name", ALL)
def test_every_field_of_every_recipe_is_filled_with_evidence(name: str) -> None:
    found = human_intervention(ALL[name]())
    assert set(found) == set(QUESTIONS)
    for answer in found.values():
        assert answer.value in ("yes", "no")
        assert len(answer.evidence.split()) >= 2
    assert all(question.text.endswith("?") and question.wanted in ("yes", "no") for question in QUESTIONS.values())


def test_answers_follow_the_parts_of_the_recipe() -> None:
    plain = human_intervention(darts())
    assert plain["learning_rate"] == Answer("yes", "0.025 of the recipe's SGD")
    parts = (LearningRate(0.1, bounds=(0.01, 1.0)), WeightDecay(5e-4, bounds=(5e-5, 5e-3)))
    learned = human_intervention(darts().replace(hyperparameters=parts, augmentation=PairPolicy(("Identity",))))
    assert learned["learning_rate"] == Answer("no", "learned between 0.01 and 1")
    assert learned["weight_decay"] == Answer("no", "learned between 5e-05 and 0.005")
    assert learned["augmentation"] == Answer("no", "`PairPolicy` is learned")
    fixed = darts().replace(augmentation=PairPolicy(("Identity",), base=(Crop(),)))
    assert human_intervention(fixed)["augmentation"] == Answer("yes", "`PairPolicy` is learned, but Crop is fixed")


def test_the_end_of_the_search_is_the_schedules() -> None:
    assert "search_fraction=0.2 of it" in human_intervention(dha())["stopping"].evidence


def test_what_is_said_of_reports_is_true() -> None:
    model = SearchModel(TinySpace(), darts())  # without a seed, one is drawn
    assert isinstance(model.get_config()["seed"], int)
    assert isinstance(model.seconds, keras.Variable)
    assert any(variable is model.seconds for variable in model.variables)


@pytest.mark.parametrize(("value", "evidence"), [("maybe", "it depends"), ("yes", " ")])
def test_an_answer_is_yes_or_no_with_evidence(value: str, evidence: str) -> None:
    with pytest.raises(ValueError, match=f"Received: value='{value}', evidence='{evidence}'"):
        Answer(value, evidence)
