"""README and docs/: their blocks of code, their commands, and how test_docs_run.py runs these."""

import re
from pathlib import Path

from project import ROOT

README = ROOT / "README.md"
DOCS = ROOT / "docs"
ADDING = DOCS / "adding.md"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
ENVIRONMENT = "changes the environment that the tests run in"
# commands that test_docs_run.py leaves out, by how they start, and why
NOT_RUN = {
    "source ": ENVIRONMENT,
    "conda env create ": ENVIRONMENT,
    "pip install ": ENVIRONMENT,
    "vitexplore replicate": "runs a whole scale; test_workflow.py does",
    "vitexplore report": "needs a finished run; test_workflow.py has one",
    "vitexplore instrument ": "runs the workflow on a checkpoint; test_instrument.py does",
    "vitexplore assess ": "runs the workflow on a model; test_assess.py does",
    "vitexplore convert ": "needs an ONNX file; test_convert.py makes one",
    "snakemake --cores 1 --unlock": "needs a folder that a killed run left locked; test_workflow.py has one",
    "snakemake --executor slurm ": "needs Slurm",
}


def blocks(page: Path | str, language: str) -> list[str]:
    """The fenced blocks of a page, or of a part of one, in ``language``."""
    text = page if isinstance(page, str) else page.read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(*pages: Path) -> list[str]:
    """Each command of the bash blocks of ``pages`` once, without comments, on one line."""
    lines = re.sub(r"\s*\\\n\s*", " ", "".join(block for page in pages for block in blocks(page, "bash"))).splitlines()
    return list(dict.fromkeys(filter(None, (re.sub(r"\s*(^|\s)#.*", "", line) for line in lines))))


def listed(command: str) -> bool:
    """Whether NOT_RUN has it."""
    return command.startswith(tuple(NOT_RUN))


def of_the_workflow(command: str) -> bool:
    return command.startswith("snakemake ")


def way_to_run(command: str) -> str | None:
    """What a test runs in its place: workflows dry, pictures with a step of their recipe. None for a command of
    another kind."""
    if of_the_workflow(command) or command.startswith("make "):
        return f"{command} --dry-run"
    if command.startswith("vitexplore visualize "):
        return f"{command} --steps 1"
    return command if command.startswith("vitexplore ") else None
