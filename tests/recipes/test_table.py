from source_files import ROOT

from keras_dha.recipes.table import as_markdown


def test_docs_methods_has_the_table_of_the_code() -> None:
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert as_markdown() in text, "Put what `python -m keras_dha.recipes.table` prints into docs/methods.md."
