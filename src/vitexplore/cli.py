"""The command line. Each command is a module of ``vitexplore.commands`` with ``configure`` and ``run``."""

import argparse
import importlib
import logging
import sys
from pathlib import Path

from rich.logging import RichHandler

from vitexplore.errors import InputError

COMMANDS = {
    "scenes": "render scenes of the lab's world",
    "contact_sheet": "draw some images of a data set",
    "index": "list a folder of photographs in ImageNet's layout",
    "train": "train a model of the lab",
    "promote": "ship trained lab models with the package",
    "prefetch": "download a model's weights into a file",
    "convert": "convert a ViT's weights from ONNX",
    "curves": "join the training curves of the lab's models",
    "embed": "describe images by a judge model",
    "collect": "find the images that activate each feature most",
    "collect_shard": "make the first pass of collect over one part of the data",
    "top_images": "find and draw the images that activate some features most, with their maps",
    "top_images_figure": "draw what collect found",
    "visualize": "optimize images that show what features respond to",
    "visualize_sites": "visualize and score features of one depth's sites",
    "background_feature": "show the feature that answers to the background",
    "visualization_sheets": "draw what visualize_sites made",
    "models": "list the models that have names",
    "locality": "measure how local positions stay, block by block",
    "localization": "compare activation maps with object masks",
    "token_mixing": "isolate CLS; put the head on each patch",
    "background": "measure accuracy on foregrounds and backgrounds",
    "low_pass": "measure accuracy on low-pass filtered images",
    "concepts": "test features for concepts and name them",
    "concept_features": "show features by depth, and those that code concepts best",
    "zero_shot": "ask the lab's CLIPs about the scenes by prompts",
    "accuracy_table": "join the accuracies of several models",
    "claim": "decide one claim from an experiment's tables",
    "claims": "join the claims' decisions to one table",
    "check": "compare the claims' numbers with what is expected",
    "estimate": "estimate what a scale asks of a machine",
    "reference": "keep a finished run's claims and figures in results/reference",
    "replicate": "run a scale from end to end",
    "report": "write the HTML report of a finished run",
    "bench_visualize": "time the visualization engine against the naive way",
    "bench_collect": "time the collection of activations against the bare forward pass",
    "bench_token_mixing": "time the isolation of CLS with and without a shared prefix",
    "budget": "compare cheaper visualization recipes with the full one",
}


def main() -> None:
    """Exit codes: 0 done; 2 wrong input, in one line on the terminal and in the log; 1 a defect, with its
    traceback in the log; ``check`` has its own."""
    parser = argparse.ArgumentParser(prog="vitexplore", description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, help="write what happens to this file instead of the terminal")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((name for word in sys.argv[1:] if (name := word.replace("-", "_")) in COMMANDS), None)
    for name, summary in COMMANDS.items():
        aliases = [name.replace("_", "-")] if "_" in name else []
        command = commands.add_parser(name, help=summary, description=summary, aliases=aliases)
        if name == chosen:  # only the command that runs is imported: each job starts in its own process
            module = importlib.import_module(f"vitexplore.commands.{name}")
            module.configure(command)
            command.set_defaults(run=module.run)
    args = parser.parse_args()
    _log_to(args.log)
    try:
        sys.exit(args.run(args))
    except Exception as error:
        expected = isinstance(error, InputError | FloatingPointError | OSError)
        kind = "" if expected else f"{type(error).__name__}: "
        line = f"error: {args.command}: {kind}{error}".replace("\n", " ")
        if args.log or not expected:  # a defect leaves its traceback where it can be reported from
            logging.getLogger("vitexplore").error(line, exc_info=not expected)
        print(line, file=sys.stderr)  # noqa: T201
        sys.exit(2 if expected else 1)


def _log_to(path: Path | None) -> None:
    handler: logging.Handler = RichHandler(show_path=False)
    handler.setFormatter(logging.Formatter("%(message)s"))
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, mode="w")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
