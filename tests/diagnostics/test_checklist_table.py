from source_files import ROOT

from keras_dha.diagnostics import QUESTIONS, human_intervention
from keras_dha.diagnostics.checklist_table import as_markdown
from keras_dha.recipes import OF_MODELS, RECIPES


def test_docs_multimodal_has_the_table_of_the_code() -> None:
    text = (ROOT / "docs" / "multimodal.md").read_text(encoding="utf-8")
    assert as_markdown() in text, (
        "Put what `python -m keras_dha.diagnostics.checklist_table` prints into docs/multimodal.md."
    )


def test_a_line_a_recipe_and_all_evidence() -> None:
    text = as_markdown()
    for name, make in {**RECIPES, **OF_MODELS}.items():
        found = human_intervention(make())
        assert f"| `{name}` | {' | '.join(answer.value for answer in found.values())} |" in text
        assert all(answer.evidence in text for answer in found.values())
    assert all(f"- {key}: {question.text}" in text for key, question in QUESTIONS.items())
