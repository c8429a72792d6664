"""How a command ends when it does not succeed."""

import contextlib
from collections.abc import Iterator


class CommandError(Exception):
    """Bad input: the command line prints the message, without a traceback, and exits with code 2."""


class CommandInterrupted(KeyboardInterrupt):
    """Ctrl-C, with a message that says how to go on; exit code 130."""


@contextlib.contextmanager
def resumable(told: str, command: str) -> Iterator[None]:
    """Turns Ctrl-C into a `CommandInterrupted` that says what is kept, and the command that goes on."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise CommandInterrupted(f"Interrupted; {told} To go on: {command} --resume") from error


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """Turns what bad input raises before training starts into a `CommandError` with the same message."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        raise CommandError(str(error)) from error
