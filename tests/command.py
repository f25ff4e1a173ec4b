"""Commands of vitexplore in this process, on one thread as all tests."""

from vitexplore.cli import commands


def call(command: str, options: dict[str, object], *arguments: str) -> None:
    words = [command, *arguments, *(str(word) for option in options.items() for word in option)]
    run, given, _ = commands(jobs=False).parse_args(words, exit_on_error=False, print_error=False)
    run(*given.args, **given.kwargs)


def on_one_thread(command: str, options: dict[str, object], *arguments: str) -> None:
    call(command, {"--threads": 1, "--device": "cpu", **options}, *arguments)
