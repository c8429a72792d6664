import pytest

from keras_dha.evaluation import best_practices

STUDY = {"data": "digits", "space": "NASBench201Space", "num_random": 8, "seeds": [0], "protocol": {}}


def kept(*studies):
    return [practice.kept for practice in best_practices(studies)]


def test_a_small_study_keeps_few():
    assert kept(STUDY) == [False, True, False, False, False, None, True, True]


def test_what_a_study_does_counts():
    whole = {**STUDY, "seeds": [0, 1], "plain": {}, "size": {}, "again": {}}
    assert kept(whole, {**whole, "data": "fashion"}) == [True, True, True, True, True, None, True, True]


def test_each_has_evidence():
    assert all(practice.evidence for practice in best_practices([STUDY]))
    assert best_practices([STUDY])[2].to_dict()["evidence"] == "only digits; give --data several"


def test_nothing_is_no_study():
    with pytest.raises(ValueError, match="Received: none"):
        best_practices([])
