"""The checklist of all recipes for docs/multimodal.md: `python -m keras_dha.diagnostics.checklist_table` prints it."""

from keras_dha.diagnostics.checklist import QUESTIONS, Answer, human_intervention
from keras_dha.recipes import OF_MODELS, RECIPES


def as_markdown() -> str:
    """The checklist of all recipes: a Markdown table of a recipe a line, then the questions, and the evidence."""
    answers = {name: human_intervention(make()) for name, make in {**RECIPES, **OF_MODELS}.items()}
    lines = [("recipe", *QUESTIONS), ("---",) * (len(QUESTIONS) + 1)]
    lines += [(f"`{name}`", *(found[key].value for key in QUESTIONS)) for name, found in answers.items()]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{_evidence(answers)}"


def _evidence(answers: dict[str, dict[str, Answer]]) -> str:
    """For each question what its answers rest on, recipes with the same evidence together."""
    lines = []
    for key, question in QUESTIONS.items():
        groups: dict[Answer, list[str]] = {}
        for name, found in answers.items():
            groups.setdefault(found[key], []).append(name)
        lines.append(f"- {key}: {question.text} Less to do, or better known: {question.wanted}.")
        for answer, names in groups.items():
            who = "all" if len(names) == len(answers) else ", ".join(f"`{name}`" for name in names)
            lines.append(f"  - {who}: {answer.value}, {answer.evidence}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(as_markdown())
