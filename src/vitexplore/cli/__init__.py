"""The command line: commands for people (people.py), and the jobs that the workflow's rules call (jobs.py)."""

import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter
from rich.console import Console
from rich.logging import RichHandler

from vitexplore.cli.people import COMMANDS
from vitexplore.errors import InputError
from vitexplore.provenance import versions

NAME = "vitexplore"
EXPECTED = (InputError, FloatingPointError, OSError, CycloptsError)
Words = Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]
Log = Annotated[Path | None, Parameter(help="write what happens to this file instead of the terminal")]


def commands(jobs: bool) -> App:
    """All commands; those of ``job`` only on demand, for they import pandas."""
    app = App(
        NAME,
        help="What do vision transformers learn? Pictures of features, and the paper's claims measured.",
        help_epilogue=f"`{NAME} COMMAND --help` says more of a command, with an example.",
        help_format="markdown",
        version=_version,
    )
    app["--help"].group = app["--version"].group = Group("Other", sort_key=len(COMMANDS))
    for number, (title, members) in enumerate(COMMANDS.items()):
        group = Group(title, sort_key=number)
        for order, (command, example) in enumerate(members.items()):
            app.command(command, group=group, sort_key=order, help_epilogue=f"Example:\n\n    {NAME} {example}")
    job = App("job", help="Run one job of the workflow, as its rules do.", group=app["--help"].group)
    app.command(job)
    if jobs:
        from vitexplore.cli.jobs import JOBS

        for command in JOBS:
            job.command(command)
    return app


def _version() -> str:
    return f"{NAME} {version(NAME)} ({versions()})"


def main() -> None:
    """Exit codes: 0 done; 2 wrong input, in one line on the terminal and in the log; 1 a defect, with its traceback in
    the log; ``check`` and ``replicate`` have their own."""
    app = commands(jobs="job" in sys.argv[1:])

    @app.meta.default
    def launch(*words: Words, log: Log = None) -> int | None:
        _log_to(log)
        try:
            if words[:1] == ("job",):
                return _job(app, words)
            return app(words, result_action="return_value", exit_on_error=False, print_error=False)
        except Exception as error:
            return _told(error, " ".join(app.parse_commands(words)[0]), bool(log))

    try:
        sys.exit(app.meta(result_action="return_value", exit_on_error=False))
    except CycloptsError:  # of --log itself; what is wrong is on the terminal
        sys.exit(2)


def _job(app: App, words: Sequence[str]) -> int | None:
    """Run a job, recorded while it runs: a run that is killed leaves it behind."""
    from vitexplore.tools.orphans import recorded

    with recorded(Path()):
        return app(words, result_action="return_value", exit_on_error=False, print_error=False)


def _told(error: Exception, command: str, logged: bool) -> int:
    """Say what went wrong; the exit code."""
    expected = isinstance(error, EXPECTED)
    kind = "" if expected else f"{type(error).__name__}: "
    mend = f" See `{' '.join([NAME, *command.split()])} --help`." if isinstance(error, CycloptsError) else ""
    line = " ".join(f"error: {command or NAME}: {kind}{error}{mend}".split("\n"))
    if logged or not expected:  # a defect leaves its traceback where it can be reported from
        logging.getLogger(NAME).error(line, exc_info=not expected)
    sys.stderr.write(f"{line}\n")
    return 2 if expected else 1


def _log_to(path: Path | None) -> None:
    handler: logging.Handler = RichHandler(show_path=False, console=Console(stderr=True))
    handler.setFormatter(logging.Formatter("%(message)s"))
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, mode="w")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for library in ("httpx", "fontTools"):
        logging.getLogger(library).setLevel(logging.WARNING)
