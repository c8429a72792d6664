"""Imports go one way, and heavy packages come in only where they are the point."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from source_files import PACKAGE, ROOT, imports, name_of, parse, pyproject, python_files

SOURCES = python_files("keras_dha")
CORE = {"keras", "numpy", "tensorflow"}
DISTRIBUTIONS = {"sklearn": "scikit-learn"}  # where a module is not called as its package is, up to - and _
AT_THE_TOP = {"tuners": {"keras-tuner"}}  # folder -> what it is nothing without; it says which extra has it
TENSORFLOW_FILES = (
    "architecture_step.py",
    "commands/team.py",
    "control/learned_dynamics.py",
    "costs/runtimes.py",
    "data/",
    "differentiated_model.py",
    "distributed_model.py",
    "exports.py",
    "hypergradients/curvature.py",
    "hypergradients/forward_mode.py",
    "hypergradients/one_step.py",
    "hyperparameter_step.py",
    "layers/batch_normalization.py",
    "layers/branch.py",
    "layers/shared_graphs.py",
    "policy_step.py",
    "search_trainer.py",
)


def layers() -> dict[str, int]:
    """File or folder of the package -> its place in the numbered list of docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split("## Folders, and the direction of imports")[1].split("\n## ")[0]
    places: dict[str, int] = {}
    for number, line in re.findall(r"^(\d+)\. (.*)$", section, flags=re.MULTILINE):
        places.update({name.rstrip("/"): int(number) for name in re.findall(r"`(\w+(?:/|\.py))`", line)})
    return places


def layer_of(path: Path) -> str:
    """The file or folder of the package that `path` belongs to, as the list in docs/architecture.md writes it."""
    return path.relative_to(PACKAGE).parts[0]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_file_has_its_place_in_docs_architecture(path: Path) -> None:
    assert layer_of(path) in {"__init__.py", *layers()}, (
        f"{name_of(path)} has no place in the numbered list of docs/architecture.md. Add it where its imports allow."
    )


@pytest.mark.parametrize("path", [path for path in SOURCES if path != PACKAGE / "__init__.py"], ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    places = layers()
    here = places[layer_of(path)]
    for module, _, line in imports(parse(path)):
        parts = module.split(".")
        if parts[0] != "keras_dha" or module == "keras_dha.__version__":
            continue
        first = "".join(parts[1:2])
        there = [places[name] for name in (first, f"{first}.py") if name in places]
        assert there, f"{name_of(path)}:{line} imports {module}. Name the file it means, or __version__."
        assert there[0] <= here, (
            f"{name_of(path)}:{line} imports {module}, which stands after it in docs/architecture.md. Move what is "
            "needed to an earlier folder, or hand it in as an argument."
        )


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_tensorflow_is_imported_only_where_it_is_the_point(path: Path) -> None:
    lines = [line for module, _, line in imports(parse(path)) if module.split(".")[0] == "tensorflow"]
    below = path.relative_to(PACKAGE).as_posix()
    assert not lines or below.startswith(TENSORFLOW_FILES), (
        f"{name_of(path)}:{lines[0]} imports tensorflow. Use keras.ops, so that it works on every backend of Keras; if "
        "TensorFlow is the point, add the file to TENSORFLOW_FILES and to docs/architecture.md."
    )


@pytest.mark.parametrize("path", python_files("keras_dha", "tests", "tutorials", "benchmarks"), ids=name_of)
def test_nothing_private_of_keras_or_tensorflow_is_imported(path: Path) -> None:
    private = ("keras.src", "keras_tuner.src", "tensorflow.python")
    for module, _, line in imports(parse(path)):
        assert not f"{module}.".startswith(tuple(f"{name}." for name in private)), (
            f"{name_of(path)}:{line} imports {module}, which may vanish in any release. Use the public name."
        )


def distributions(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].replace("_", "-") for requirement in requirements}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_package_is_declared_and_optional_ones_are_imported_late(path: Path) -> None:
    project = pyproject()["project"]
    core = distributions(project["dependencies"])
    optional = set().union(*(distributions(names) for names in project["optional-dependencies"].values()))
    for module, at_top, line in imports(parse(path)):
        top = module.split(".")[0]
        if top in sys.stdlib_module_names or top == "keras_dha":
            continue
        name = DISTRIBUTIONS.get(top, top.replace("_", "-"))
        assert name in core | optional, f"{name_of(path)}:{line} imports {top}. Declare {name} in pyproject.toml."
        assert name in core | AT_THE_TOP.get(layer_of(path), set()) or not at_top, (
            f"{name_of(path)}:{line} imports {top}, which is optional, when the file is loaded. Import it in the "
            "function that needs it, with an ImportError that names the extra to install."
        )


def test_the_core_dependencies_are_the_three_that_are_needed_everywhere() -> None:
    assert distributions(pyproject()["project"]["dependencies"]) == CORE


def modules_after(code: str) -> set[str]:
    """Which of TensorFlow, Keras, NumPy and KerasTuner a fresh process has loaded after `code`."""
    names = {"tensorflow", "keras", "numpy", "keras_tuner"}
    check = f"import sys; print(*({names} & set(sys.modules)), sep=',', file=sys.stderr)"
    program = f"import atexit\natexit.register(lambda: exec({check!r}))\n{code}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in done.stderr.strip().splitlines()[-1].split(",") if name} if done.stderr.strip() else set()


def test_the_probe_sees_a_loaded_module() -> None:
    assert modules_after("import numpy") == {"numpy"}


def test_import_keras_dha_loads_nothing_heavy() -> None:
    assert modules_after("import keras_dha") == set()


@pytest.mark.parametrize(
    "arguments", [["--help"], *([command, "--help"] for command in ("search", "tune", "report", "export"))]
)
def test_help_loads_neither_tensorflow_nor_keras(arguments: list[str]) -> None:
    code = f"import sys; sys.argv = ['keras-dha', *{arguments}]\nfrom keras_dha import cli\nsys.exit(cli.main())"
    assert not modules_after(code) & {"tensorflow", "keras"}


@pytest.mark.parametrize(
    "order", ["import keras; import keras_dha", "import keras_dha; import keras; keras_dha.SearchModel"]
)
def test_keras_knows_the_classes(order: str) -> None:
    code = f"{order}\nassert keras.saving.get_registered_object('keras_dha>SearchModel')"
    assert modules_after(code) == {"tensorflow", "keras", "numpy"}


def test_only_tuners_load_keras_tuner() -> None:
    code = "import keras_dha; keras_dha.SearchModel; from keras_dha import cli"
    assert "keras_tuner" not in modules_after(code)
    assert "keras_tuner" in modules_after("import keras_dha; keras_dha.tuners")


def test_tuners_name_the_extra_that_they_lack() -> None:
    code = "import sys; sys.modules['keras_tuner'] = None\nimport keras_dha; keras_dha.tuners"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ImportError: keras_dha.tuners needs KerasTuner: pip install 'keras-dha[tuner]'." in done.stderr


def seconds_of_imports() -> tuple[float, float]:
    """Seconds that a fresh process takes for `import keras`, and then for everything that keras_dha registers."""
    code = (
        "import time\nstart = time.perf_counter()\nimport keras\nmiddle = time.perf_counter()\nimport keras_dha\n"
        "keras_dha.SearchModel\nprint(middle - start, time.perf_counter() - middle)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    first, second = done.stdout.split()
    return float(first), float(second)


@pytest.mark.slow
def test_import_keras_dha_adds_at_most_a_tenth_to_import_keras() -> None:
    measured = [seconds_of_imports() for _ in range(3)]  # the least disturbed of three counts
    assert min(ours / keras for keras, ours in measured) <= 0.1, measured
