import os
import subprocess
import sys

import pytest
from source_files import ROOT

from keras_dha import cli
from keras_dha.commands import CommandError, CommandInterrupted


@pytest.fixture
def run_raises(monkeypatch):
    def install(error):
        def command(given):
            raise error

        monkeypatch.setitem(cli._COMMANDS, "report", command)

    return install


def test_bad_input_is_one_paragraph_and_exit_code_2(run_raises, capsys):
    run_raises(CommandError("x must be 1.\n  Received: x=2. Give 1."))
    assert cli.main(["report", "run"]) == 2
    assert capsys.readouterr().err == "keras-dha: error: x must be 1. Received: x=2. Give 1.\n"


def test_a_training_that_does_not_stay_finite_is_told_without_a_traceback(run_raises, capsys):
    run_raises(FloatingPointError("All numbers must be finite."))
    assert cli.main(["report", "run"]) == 2
    assert capsys.readouterr().err == "keras-dha: error: All numbers must be finite.\n"


def test_an_interrupt_says_how_to_go_on_and_exits_with_130(run_raises, capsys):
    run_raises(CommandInterrupted("To go on: keras-dha ..."))
    assert cli.main(["report", "run"]) == 130
    assert "To go on: keras-dha ..." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["search", "--out", "run"], "Interrupted before training began; nothing was written."),
        (["search", "--out", "run", "--resume"], "what was kept still is. To go on, give the same command again."),
        (["report", "run"], "Interrupted. To do it after all, give the same command again."),
        (["export", "run"], "Interrupted. To do it after all, give the same command again."),
    ],
)
def test_an_early_interrupt_says_what_is_true_of_the_command(monkeypatch, capsys, arguments, told):
    def command(given):
        raise KeyboardInterrupt

    monkeypatch.setitem(cli._COMMANDS, arguments[0], command)
    assert cli.main(arguments) == 130
    assert told in capsys.readouterr().err


def test_an_export_that_the_disk_refuses_is_bad_input(monkeypatch, capsys):
    def export(run, format, to):
        raise OSError(28, "No space left on device", "run/saved_model")

    monkeypatch.setattr("keras_dha.commands.export.export", export)
    assert cli.main(["export", "run"]) == 2
    error = capsys.readouterr().err
    assert "Received: [Errno 28] No space left on device: 'run/saved_model'. Give another name by --to." in error


def test_a_mistake_of_ours_keeps_its_traceback(run_raises):
    run_raises(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(["report", "run"])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["search", "--data", "digits"],
        ["search", "--data", "digits", "--out", "x", "--epochs", "0"],
        ["search", "--data", "digits", "--out", "x", "--time-budget", "nan"],
        ["search", "--data", "digits", "--out", "x", "--time-budget", "-1"],
        ["search", "--data", "digits", "--out", "x", "--seed", "-1"],
        ["search", "--data", "digits", "--out", "x", "--batch-size", "2.5"],
        ["search", "--data", "digits", "--out", "x", "--space", "nope"],
        ["export", "run", "--format", "nope"],
    ],
)
def test_a_wrong_command_line_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit_info:
        cli.main(arguments)
    assert exit_info.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_numbers_are_read():
    numbers = ["--epochs", "3", "--time-budget", "1.5", "--batch-size", "8", "--seed", "0", "--flip"]
    given = cli.parser().parse_args(["search", "--data", "digits", "--out", "x", *numbers])
    assert (given.epochs, given.time_budget, given.batch_size, given.seed, given.flip) == (3, 1.5, 8, 0, True)


def test_a_new_search_without_data_is_bad_input(tmp_path, capsys):
    assert cli.main(["search", "--out", str(tmp_path / "run")]) == 2
    assert "Received: no --data" in capsys.readouterr().err


def test_report_of_no_run_is_bad_input(tmp_path, capsys):
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "Give the --out folder" in capsys.readouterr().err


def test_export_of_no_run_is_bad_input(tmp_path, capsys):
    assert cli.main(["export", str(tmp_path)]) == 2
    assert "Received: " in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out.startswith("keras-dha ")


def command(*arguments, **options):
    words = [sys.executable, "-m", "keras_dha", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=600, **options)


@pytest.mark.slow
def test_digits_from_command_to_report(tmp_path):
    small = ["--channels", "2", "--epochs", "2", "--batch-size", "256", "--quiet"]
    done = command("search", "--data", "digits", "--out", "run", *small, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = {"model.keras", "saved_model", "decisions.json", "policy.json", "result.json", "history.csv"}
    assert expected | {"report.html", "samples.npz"} <= {path.name for path in (tmp_path / "run").iterdir()}
    assert not (tmp_path / "run" / ".search").exists()
    again = command("search", "--data", "digits", "--out", "run", cwd=tmp_path)
    assert again.returncode == 2
    assert "finished run" in again.stderr
    assert "Traceback" not in again.stderr
    (tmp_path / "run" / "report.html").unlink()
    assert command("report", "run", cwd=tmp_path).returncode == 0
    assert (tmp_path / "run" / "report.html").exists()
