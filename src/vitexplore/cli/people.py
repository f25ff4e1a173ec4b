"""The commands for people. Each imports what it needs when it runs, for torch takes seconds."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

from vitexplore.cli.options import CORES, Config, ConfigFiles, Device, Threads
from vitexplore.errors import InputError
from vitexplore.visualize.recipes import FAST, RECIPES

if TYPE_CHECKING:
    from vitexplore.models.registry import Model


ModelName = Annotated[
    str, Parameter(help="lab/vit, packaged/vit_s_focus, resnet50, timm/TAG, ...; see `vitexplore models`")
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Build:
    """How a model is built, and where it runs."""

    checkpoint: Annotated[
        str, Parameter(show_default=False, help="your own weights: a safetensors file, or a plain state dict")
    ] = ""
    size: Annotated[int, Parameter(show_default=False, help="pixels of a side; the model's own if left out")] = 0
    device: Device = "auto"
    threads: Threads = CORES

    def load(self, name: str) -> "Model":
        from vitexplore.models.catalogue import named
        from vitexplore.models.registry import load, pick_device
        from vitexplore.threads import use_threads

        use_threads(self.threads)
        changes = {"weights": self.checkpoint, "input_size": self.size}
        given = {key: value for key, value in changes.items() if value}
        return load(named(name, **given), pick_device(self.device))


BUILD = Build()


def visualize(
    model: ModelName,
    expression: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="SITE:BLOCKS:FEATURES, such as ffn:6:0:16, channel:13:3,17, ffn:6:5@37, or logit:207",
        ),
    ],
    /,
    *,
    build: Build = BUILD,
    directions: Annotated[
        Path | None, Parameter(help="an .npy of vectors [n, channels]; the features of EXPRESSION pick among them")
    ] = None,
    recipe: Annotated[
        Literal[tuple(RECIPES)], Parameter(help="two of ours, the paper's, or its released code's")
    ] = FAST.name,
    images: Annotated[
        Path | None, Parameter(help="folder of pictures: those that activate a feature most stand beside it")
    ] = None,
    start: Annotated[Path | None, Parameter(help="an image that all pictures begin with, in place of noise")] = None,
    near: Annotated[
        float, Parameter(help="weight that keeps them like it, as the block halfway to the feature sees both")
    ] = 0,
    transparent: Annotated[
        bool, Parameter(negative="", help="RGBA: what a feature does not respond to is transparent")
    ] = False,
    steps: Annotated[int | None, Parameter(help="in place of the recipe's")] = None,
    copies: Annotated[int | None, Parameter(help="augmented copies a step, in place of the recipe's")] = None,
    seed: Annotated[int, Parameter(help="of the first pixels and of the augmentations")] = 0,
    batch: Annotated[int | None, Parameter(help="features at once; as many as fit the free memory if left out")] = None,
    out: Annotated[
        Path | None, Parameter(show_default=False, help="folder; pictures/MODEL_EXPRESSION if left out")
    ] = None,
) -> None:
    """Optimize images that show what features respond to.

    Writes a PNG for each feature, sheet.png, features.parquet (scores), losses.parquet and recipe.json. A run that was
    interrupted goes on when it is started again in the same way.
    """
    from vitexplore.data.photos import folder_of_photos
    from vitexplore.tools.pictures import folder_for, read_directions, visualized
    from vitexplore.visualize.accentuate import start_from
    from vitexplore.visualize.expression import objectives
    from vitexplore.visualize.recipes import recipe_for

    built = build.load(model)
    if any(number is not None and number < 1 for number in (steps, copies, batch)):
        raise InputError("--steps, --copies and --batch must be at least 1")
    changes = {key: value for key, value in (("steps", steps), ("copies", copies)) if value is not None}
    way = recipe_for(recipe, built.spec, **changes)
    wanted = objectives(built, expression, read_directions(directions) if directions else None)
    weights = f" ({Path(build.checkpoint).name})" if build.checkpoint else ""
    title = f"{built.spec.name}{weights}, {expression}{f', from {start.name}' if start else ''}"
    begin = start_from(built, start, near)
    photos = folder_of_photos(images) if images else None
    folder = out or folder_for(model, expression)
    sheet = visualized(built, wanted, way, folder, seed, batch, title, photos, begin, transparent)
    sys.stdout.write(f"{sheet}\n")


def top_images(
    model: ModelName,
    expression: Annotated[str, Parameter(help="SITE:BLOCK:FEATURES, such as ffn:5:0:8 or channel:13:3,17")],
    /,
    *,
    build: Build = BUILD,
    images: Annotated[Path | None, Parameter(help="folder of pictures, searched through")] = None,
    scenes: Annotated[int | None, Parameter(help="in place of it: how many of the lab's test scenes to render")] = None,
    k: Annotated[int, Parameter(help="images for each feature")] = 8,
    batch: Annotated[int, Parameter(help="images at once")] = 32,
    out: Annotated[
        Path | None, Parameter(show_default=False, help="folder; top_images/MODEL_EXPRESSION if left out")
    ] = None,
) -> None:
    """Find the images that activate features most, and draw them with the features' maps.

    Writes top.parquet (feature, rank, image, score) and top.png.
    """
    from vitexplore.data.photos import folder_of_photos
    from vitexplore.data.scene_sets import scene_set
    from vitexplore.tools.pictures import channels_in, folder_for, top_images

    if (images is None) == (scenes is None):
        raise InputError("name either --images DIR or --scenes NUMBER")
    if k < 1 or (scenes is not None and scenes < 1):
        raise InputError("--k and --scenes must be at least 1")
    built = build.load(model)
    wanted = channels_in(built, expression)
    shown = folder_of_photos(images) if images else scene_set("test", scenes)
    sheet = top_images(built, shown, wanted, k, batch, out or folder_for(model, expression, "top_images"))
    sys.stdout.write(f"{sheet}\n")


def replicate(
    *,
    configfile: ConfigFiles = (),
    config: Config = (),
    cores: Annotated[str | None, Parameter(help="how many; all, or as the profile says, if left out")] = None,
    profile: Annotated[Path | None, Parameter(help="a folder of workflow/profiles: how to run, not what")] = None,
) -> int:
    """Run a scale from end to end: the workflow, the report, the claims table."""
    from vitexplore.tools.replicate import replicate

    return replicate(configfile, config, cores, profile)


def report(*, configfile: ConfigFiles = (), config: Config = ()) -> None:
    """Write the HTML report of a finished run."""
    from vitexplore.tools.report import write_report

    sys.stdout.write(f"{write_report(configfile, config)}\n")


def check(
    table: Annotated[Path, Parameter(help="results/SCALE/claims.csv")],
    /,
    *,
    scale: Annotated[str, Parameter(help="the scale's name")],
    analyses: Annotated[Path, Parameter(help="folder of the claims")] = Path("analyses"),
) -> int:
    """Compare a run's numbers with the expected ones.

    Exits with 1 when a number drifted beyond its tolerance, with 2 when one is missing, with 0 otherwise.
    """
    from vitexplore.claims.check import check

    return check(table, analyses, scale)


def instrument(
    *,
    checkpoint: Annotated[Path, Parameter(help="weights: a safetensors file, or a plain state dict")],
    architecture: Annotated[str, Parameter(help="lab_vit, or another of the lab's")] = "lab_vit",
    claims: Annotated[list[str], Parameter(consume_multiple=True, negative="", help="folders of analyses/")],
    cores: Annotated[int, Parameter(show_default=False, help="how many; all if left out")] = CORES,
    out: Annotated[Path | None, Parameter(help="CSV of the rows; printed alone if left out")] = None,
) -> None:
    """Decide claims on a network of your own, in the place of the lab's: a row for each statement.

    `snakemake instrument` does the same for networks that are built to have a claim's property, or to lack it.
    """
    from vitexplore.io import write_atomically
    from vitexplore.tools.instrument import on_checkpoint

    table = on_checkpoint(checkpoint, architecture, claims, str(cores))
    if out:
        write_atomically(out, lambda path: table.to_csv(path, index=False, float_format="%.4g"))
    sys.stdout.write(f"{table.to_string(index=False, float_format='%.3g')}\n")


def assess(
    model: ModelName,
    /,
    *,
    against: Annotated[
        str, Parameter(show_default=False, help="a model of another family, for the claims that compare families")
    ] = "",
    images: Annotated[
        Path | None, Parameter(help="folder of photographs as <WordNet id>/*.JPEG; the lab's models need none")
    ] = None,
    boxes: Annotated[Path | None, Parameter(help="their objects' boxes; claims about objects need them")] = None,
    checkpoint: Annotated[
        str, Parameter(show_default=False, help="MODEL's weights: a safetensors file, or a plain state dict")
    ] = "",
    size: Annotated[int, Parameter(show_default=False, help="MODEL's pixels of a side; its own if left out")] = 0,
    cores: Annotated[int, Parameter(show_default=False, help="how many; all if left out")] = CORES,
) -> int:
    """Decide the paper's claims on any model: those that suit it.

    Prints a row for each statement and writes results/assess/MODEL/claims.json, an entry for the leaderboard. A claim
    that compares families gives a model by itself a number and no word. A run that was interrupted goes on when it is
    started again in the same way.
    """
    from vitexplore.models.catalogue import named
    from vitexplore.tools.assess import Asked, assess

    given = {key: value for key, value in (("weights", checkpoint), ("input_size", size)) if value}
    other = named(against) if against else None
    return assess(Asked(named(model, **given), other, images, boxes), str(cores))


def leaderboard(
    *,
    check: Annotated[bool, Parameter(negative="", help="write nothing; say what is not as it must be")] = False,
) -> int:
    """Check the leaderboard's entries, results/leaderboard/entries/*.json, and bring its table and pages up to date.

    Exits with 1 when an entry is wrong or, with --check, when a file is not what the entries say.
    """
    from vitexplore.tools.leaderboard import KEPT, PAGE, update

    return update(KEPT, (PAGE,), check)


def keep(
    finished: Annotated[Path, Parameter(help="results/SCALE of a finished run; or OUT, whose pages are written anew")],
    /,
    *,
    out: Annotated[Path, Parameter(help="folder to keep it in")],
    pages: Annotated[
        list[Path],
        Parameter(
            consume_multiple=(1, None),
            negative="",
            show_default=False,
            help="bring the generated blocks of these files up to date; none if left out",
        ),
    ] = (),
    figures: Annotated[bool, Parameter(help="the figures too")] = True,
) -> None:
    """Copy a finished run's claims, tables and figures to a folder, or renew what follows from those kept there."""
    from vitexplore.tools.reference import keep

    keep(finished, out, pages, figures)


def figures(
    *folders: Annotated[Path, Parameter(help="results/SCALE of a finished run, or what `keep` kept of it")],
    front: Annotated[
        Path | None, Parameter(show_default=False, help="PNG: features by depth of the networks of all FOLDERS")
    ] = None,
) -> None:
    """Draw the paper's figures and tables from FOLDER/tables/paper.

    Writes FOLDER/figures/paper/*.pdf and *.png, and their list, FOLDER/figures/paper.csv.
    """
    from vitexplore.figures.paper.draw import draw, draw_front

    if not folders:
        raise InputError("name at least one folder of results, such as results/lab")
    for folder in folders:
        sys.stdout.write(f"{draw(folder)}\n")
    if front:
        draw_front(folders, front)
        sys.stdout.write(f"{front}\n")


def convert(
    *,
    source: Annotated[str, Parameter(help="an ONNX file, or package:NAME/FILE for one inside a package")],
    architecture: Annotated[str, Parameter(help="timm's name of the ViT that it holds")],
    out: Annotated[Path, Parameter(help="safetensors; the record goes beside it, as JSON")],
) -> None:
    """Convert a ViT's weights from ONNX, and compare what both compute."""
    from vitexplore.tools.convert import convert

    convert(source, architecture, out)


def spectrum(
    images: Annotated[Path, Parameter(help="folder of photographs, searched through")],
    /,
    *,
    side: Annotated[int, Parameter(help="pixels that photographs are resized to")] = 256,
    out: Annotated[Path, Parameter(help="safetensors; the record goes beside it, as JSON")],
) -> None:
    """Average the magnitude spectra of photographs, as MACO uses them."""
    from vitexplore.tools.spectrum import spectrum

    spectrum(images, side, out)


def models(*, like: Annotated[str, Parameter(show_default=False, help="only names that contain this")] = "") -> None:
    """List the models that have names, with their family, input size and sites."""
    from rich.table import Table

    from vitexplore.models.catalogue import catalogue

    found = catalogue()
    table = Table("name", "family", "pixels", "blocks", "sites")
    for row in found[found["name"].str.contains(like, regex=False)].itertuples():
        table.add_row(row.name, row.family, str(row.input_size), str(row.blocks), row.sites)
    console = Console()
    console.print(table, width=console.width if console.is_terminal else 160)


def experiments(
    *,
    json: Annotated[bool, Parameter(negative="", help="for programs, with what an image costs")] = False,
) -> None:
    """List the experiments, with their tables and options."""
    from vitexplore.tools.listing import as_json, as_text

    sys.stdout.write(as_json() if json else as_text())


def estimate(
    scale: Annotated[Path, Parameter(help="a scale file")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="CSV: a row an experiment")] = None,
    page: Annotated[Path | None, Parameter(help="bring the table of this page up to date")] = None,
) -> None:
    """Estimate what a scale asks of a machine; nothing is run."""
    from vitexplore.io import write_atomically, write_text
    from vitexplore.scale import read
    from vitexplore.tools.blocks import with_table
    from vitexplore.tools.estimate import estimate, to_markdown

    table = estimate(read(scale))
    if out:
        write_atomically(out, lambda path: table.to_csv(path, index=False, float_format="%.4f"))
    if page:
        write_text(page, with_table(page.read_text(), "estimates", to_markdown(table)))
    sys.stdout.write(f"{table.to_string(index=False, float_format='%.3g')}\n")


# each with an example, by what they are for
COMMANDS = {
    "See features": {
        visualize: "visualize packaged/vit_s_focus ffn:6:0:16",
        top_images: "top-images lab/vit ffn:5:0:8 --scenes 500",
    },
    "Run the suite": {
        replicate: "replicate --configfile workflow/scales/photos.yaml --config images=photos",
        report: "report --configfile workflow/scales/photos.yaml --config images=photos",
        check: "check results/lab/claims.csv --scale lab",
        instrument: "instrument --checkpoint mine.safetensors --claims local_until_last learned_pooling",
        assess: "assess resnet50 --against deit_small_patch16_224 --images photos/images --boxes photos/boxes",
        leaderboard: "leaderboard --check",
        keep: "keep results/lab --out results/reference/lab --no-figures",
        figures: "figures results/reference",
        convert: "convert --source mine.onnx --architecture vit_small_patch14_dinov2 --out mine.safetensors",
        spectrum: "spectrum photographs --side 256 --out mine.safetensors",
    },
    "Look things up": {
        models: "models --like swin",
        experiments: "experiments --json",
        estimate: "estimate workflow/scales/paper.yaml --out estimates.csv",
    },
}
