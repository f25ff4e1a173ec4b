"""A scale from end to end: the workflow, the report, the claims table. After a crash it goes on by itself."""

import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from rich.console import Console
from rich.markdown import Markdown

from vitexplore.claims.page import ATLAS
from vitexplore.errors import InputError
from vitexplore.folder_lock import held
from vitexplore.tools.orphans import end, end_orphans, recorded, refuse_beside_another
from vitexplore.tools.report import results_folder, snakemake_command, write_report

LAST = 6  # lines of Snakemake's output that say why it did not start
STATE = Path(".snakemake")
ALWAYS = ("--rerun-incomplete", "--scheduler", "greedy")
PAUSE = 0.2  # seconds between looks at Snakemake
LOOK = 60.0  # seconds between looks at its jobs
LATELY = 20.0  # seconds in which a job at work says how far it is
INTERRUPTED = 128 + signal.SIGINT  # as shells have it


def replicate(
    configfiles: Sequence[Path], config: Sequence[str], cores: str | None = None, profile: Path | None = None
) -> int:
    """Run a scale in the current folder; Snakemake's exit code, or 130 after SIGINT or SIGTERM. What an earlier run
    that was killed left behind, its jobs and its lock, goes first. Raises InputError where another run is at work in
    the folder."""
    console, began = Console(soft_wrap=True, highlight=False), time.time()
    command, folder = snakemake_command(configfiles, config), results_folder(configfiles, config)
    words = ["--profile", str(profile)] if profile else []
    words += ["--cores", cores or "all"] if cores or not profile else []
    if code := run_workflow(command, words, folder, console):
        return code
    report = write_report(configfiles, config)
    console.print(Markdown((folder / "claims.md").read_text()))
    console.print(f"Done in {(time.time() - began) / 60:.1f} minutes. Report: {report}")
    console.print(f"Claims: {folder / 'claims.html'}")
    if (folder / ATLAS).exists():
        console.print(f"Atlas: {folder / ATLAS}")
    return 0


def run_workflow(command: Sequence[str], words: Sequence[str], folder: Path, console: Console) -> int:
    """Run Snakemake in the current folder and show its progress, or its first error. ``command``: the start of a
    Snakemake command; ``words``: what follows it, targets too; ``folder``: where the results go. The exit code is that
    of `replicate`, and so is what it raises."""
    began = time.time()
    try:
        with held(STATE / "vitexplore"), _ended_by_signals():
            recover(command)
            code, last = _run([*command, *ALWAYS, *words], folder / "logs", console)
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on from here")
        return INTERRUPTED
    if code:
        console.print(first_error(folder / "logs", began) or "".join(last).rstrip(), markup=False)
    return code


def run_claims(files: Sequence[Path], folder: Path, claims: Sequence[str], cores: str) -> int:
    """Run the workflow of the scale of ``files``, whose results go to ``folder``, until ``claims`` are decided; the
    exit code."""
    targets = [str(folder / "claims" / f"{claim}.json") for claim in claims]
    command = snakemake_command(files, [])
    return run_workflow(command, ["--cores", cores, *targets], folder, Console(soft_wrap=True, highlight=False))


def recover(command: Sequence[str]) -> None:
    """End what an earlier run of the current folder left behind, and unlock the folder. ``command``: the start of a
    Snakemake command. Raises InputError where another run is at work here, or the folder stays locked."""
    refuse_beside_another(Path())
    end_orphans(Path())
    if not any((STATE / "locks").glob("*")):
        return
    done = subprocess.run([*command, "--cores", "1", "--unlock"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"this folder cannot be unlocked: {(done.stdout + done.stderr).strip().splitlines()[-1]}")


def _run(command: Sequence[str], logs: Path, console: Console) -> tuple[int, deque[str]]:
    """Run Snakemake, show its progress and that of its jobs, from ``logs``; its exit code and last lines. However this
    ends, neither Snakemake nor its jobs go on."""
    last: deque[str] = deque(maxlen=LAST)
    stopping = threading.Event()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        watcher = threading.Thread(target=_watch, args=(running, stopping, logs, console))
        watcher.start()
        try:
            with recorded(Path(), running.pid):
                for line in progress(remember(running.stdout, last)):
                    console.print(line, markup=False)
        except BaseException:
            stopping.set()
            deque(running.stdout, maxlen=0)  # read on, or Snakemake stands still at a full pipe
            raise
        finally:
            watcher.join()
    return running.returncode, last


def _watch(running: subprocess.Popen, stopping: threading.Event, logs: Path, console: Console) -> None:
    """Wait for Snakemake, and say now and then how far its jobs are; end it and them once ``stopping`` is set. Then end
    the jobs that outlive it: they hold the pipe that is read, and would write into the next run's outputs."""
    looked = time.monotonic()
    while running.poll() is None:
        time.sleep(PAUSE)
        if time.monotonic() - looked > LOOK:
            looked = time.monotonic()
            for line in at_work(logs, time.time()):
                console.print(f"  {line}", markup=False)
        if stopping.is_set():
            running.terminate()  # it starts no more jobs, and waits for those that run: SIGINT does no more
            with suppress(psutil.Error):
                end(psutil.Process(running.pid).children(recursive=True))
    end_orphans(Path())


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the program as Ctrl-C does: by KeyboardInterrupt."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def progress(lines: Iterable[str], clock=time.monotonic) -> Iterator[str]:
    """From Snakemake's output, a line for each job that starts: how many are done, the time left at the pace so
    far, the rule and its wildcards. Errors of jobs pass through."""
    began, done, total, rule = clock(), 0, 0, ""
    for line in lines:
        if found := re.match(r"total\s+(\d+)", line):
            total = int(found[1])
        elif found := re.match(r"(\d+) of \d+ steps", line):
            done = int(found[1])
        elif found := re.match(r"(?:local)?rule (\w+):", line):
            rule = found[1]
        elif line.startswith("error: "):
            yield line.rstrip()
        elif rule and line.startswith("    resources:"):  # the last that Snakemake says of a job that starts
            minutes = (clock() - began) / 60
            left = f"about {minutes / done * (total - done):.1f} min left" if done else "starting"
            yield f"[{done}/{total} done, {left}] {rule}"
            rule = ""
        elif rule and (found := re.match(r"\s+wildcards: (.+)", line)):
            rule += " " + " ".join(part.partition("=")[2] for part in found[1].split(", "))


def at_work(logs: Path, now: float) -> list[str]:
    """What the jobs whose logs lie in ``logs`` said lately of the time that is left, a line for each; ``now`` in
    seconds since 1970."""
    fresh = [path for path in sorted(logs.glob("*.log")) if now - path.stat().st_mtime < LATELY]
    said = {path.stem: re.findall(r"^[\d:]+ (.+ s left)$", path.read_text(), re.MULTILINE) for path in fresh}
    return [f"{job}: {lines[-1]}" for job, lines in said.items() if lines]


def remember(lines: Iterable[str], last: deque[str]) -> Iterator[str]:
    """Pass ``lines`` on; ``last`` keeps what Snakemake said in the end, should no job have failed."""
    for line in lines:
        last.append(line)
        yield line


def first_error(logs: Path, since: float) -> str | None:
    """The earliest error line that a job of this run has left in its log."""
    fresh = sorted((path.stat().st_mtime, path) for path in logs.glob("*.log") if path.stat().st_mtime >= since)
    for _, path in fresh:
        for line in path.read_text().splitlines():
            if "error: " in line:
                return line[line.index("error: ") :]
    return None
