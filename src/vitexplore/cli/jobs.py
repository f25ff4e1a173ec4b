"""The jobs that the workflow's rules call: `vitexplore job NAME`. Each is one call of the library."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from vitexplore.cli.options import Device, Threads
from vitexplore.errors import InputError
from vitexplore.graph import Graph
from vitexplore.scale import read
from vitexplore.scale_data import Split

ScaleFile = Annotated[Path, Parameter(help="a scale file")]
Workers = Annotated[int, Parameter(help="processes that read or render images; 0 for none beside the job itself")]
Bench = Literal["visualize", "collect", "token_mixing", "claims"]


def experiment(
    name: Annotated[str, Parameter(help="one of `vitexplore experiments`")],
    group: Annotated[str, Parameter(help="a model of the scale, with those that stand beside it")],
    /,
    *,
    scale: ScaleFile,
    threads: Threads = 1,
    batch: Annotated[int, Parameter(help="images at once")] = 100,
    workers: Workers = 0,
    device: Device = "auto",
) -> None:
    """Measure an experiment on the models of a group; its tables go to results/SCALE/TABLE/GROUP.parquet."""
    from vitexplore.job import How, run
    from vitexplore.models.registry import pick_device
    from vitexplore.threads import use_threads

    use_threads(threads)
    run(Graph(read(scale)), name, group, How(pick_device(device), batch, workers))


def figure(name: Annotated[str, Parameter(help="a module of vitexplore/figures")], /, *, scale: ScaleFile) -> None:
    """Draw all figures of a kind from finished tables."""
    from vitexplore.figures import write

    write(name, Graph(read(scale)))


def scenes(split: Split, /, *, scale: ScaleFile, workers: Workers = 1) -> None:
    """Render as many scenes of a split as the scale wants."""
    from vitexplore.data.scene_sets import write_scenes

    graph = Graph(read(scale))
    write_scenes(split, graph.scale.data.count, workers, graph.scenes_folder(split))


def index(
    source: Annotated[str, Parameter(help="data, validation, or one of the scale's sets")],
    /,
    *,
    scale: ScaleFile,
    broken: Annotated[Path, Parameter(help="CSV of pictures that cannot be read")],
    workers: Workers = 1,
) -> None:
    """List the scale's photographs, with their classes and boxes."""
    from vitexplore.data.index import write_index

    graph = Graph(read(scale))
    if source not in graph.sources():
        raise InputError(f"{scale}: no photographs {source!r}; there are {', '.join(graph.sources())}")
    write_index(**graph.index_arguments(source), out=graph.out / source, broken=broken, workers=workers)


def claim(name: Annotated[str, Parameter(help="a folder of analyses/")], /, *, scale: ScaleFile) -> None:
    """Decide a claim from its tables, and draw its figures."""
    from vitexplore.claims.write import write_claim

    write_claim(Graph(read(scale)), name)


def claims(*, scale: ScaleFile) -> None:
    """Join the claims' decisions to one table and one page."""
    from vitexplore.claims.join import write_claims

    write_claims(Graph(read(scale)))


def atlas(*, scale: ScaleFile) -> None:
    """Write the pages on which a person walks through a finished run's features."""
    from vitexplore.atlas.write import write_atlas

    write_atlas(Graph(read(scale)))


def train(recipe: str, seed: int, /, *, out: Path, workers: Workers = 1, device: Device = "cpu") -> None:
    """Train a model of the lab; goes on from its last epoch when it was interrupted."""
    from vitexplore.models.registry import pick_device
    from vitexplore.tools.train import train_recipe

    train_recipe(recipe, seed, workers, out, pick_device(device))


def twin(name: str, /, *, out: Path, workers: Workers = 1) -> None:
    """Train a twin of the lab's ViT, which has a claim's property, or lacks it, by construction."""
    from vitexplore.planted.train import train_twin

    train_twin(name, max(workers, 1), out)


def instrument(
    name: Annotated[str, Parameter(help="a folder of analyses/")], /, *, analyses: Path, out: Path, threads: Threads = 1
) -> None:
    """Try a claim's instrument on its twins."""
    from vitexplore.claims.text import SCHEMA, read_claim
    from vitexplore.planted.table import write
    from vitexplore.threads import use_threads

    use_threads(threads)
    write(read_claim(analyses / name, analyses.parent / SCHEMA), out)


def instruments(*parts: Path, analyses: Path, out: Path, figure: Path) -> None:
    """Join what all claims' twins showed to one table, and draw it."""
    from vitexplore.claims.text import claims_in_order
    from vitexplore.planted.table import join

    claims = {name: claim for name, claim in claims_in_order(analyses).items() if claim}
    join(claims, parts, out, figure)


def emerge(weights: Path, /, *, analyses: Path, out: Path, threads: Threads = 1) -> None:
    """Measure the claims on tokens on a ViT of the lab of any size."""
    from vitexplore.claims.text import claims_in_order
    from vitexplore.threads import use_threads
    from vitexplore.tools.emergence import write

    use_threads(threads)
    write(weights, claims_in_order(analyses), out)


def emerged(*parts: Path, analyses: Path, out: Path, figure: Path) -> None:
    """Join what ViTs of all sizes showed to one table, and draw it."""
    from vitexplore.claims.text import claims_in_order
    from vitexplore.tools.emergence import join

    join(claims_in_order(analyses), parts, out, figure)


def promote(*folders: Path) -> None:
    """Ship trained lab models with the package."""
    from vitexplore.tools.promote import promote

    promote(folders)


def prefetch(
    published: Annotated[str, Parameter(help="the file's name, without suffix, in the scale's folder of weights")],
    /,
    *,
    scale: ScaleFile,
) -> None:
    """Download a model's weights into a file of their own."""
    from vitexplore.tools.prefetch import prefetch

    graph = Graph(read(scale))
    for name, model in graph.scale.models.items():
        if model.published and graph.published(name).stem == published:
            return prefetch(model.spec, graph.published(name))
    raise InputError(f"no model of {scale} has published weights {published}")


def download(name: Annotated[str, Parameter(help="one of the scale's downloads")], /, *, scale: ScaleFile) -> None:
    """Download a public file, check it, and unpack it."""
    from vitexplore.data.downloads import download

    graph = Graph(read(scale))
    download(graph.downloads[name], Path(graph.scale.store), graph.scale.mirror)


def bench(name: Bench, /, *, out: Path, bars: Path, threads: Threads = 1, device: Device = "cpu") -> None:
    """Time a part of the suite against the obvious way to do the same."""
    from importlib import import_module

    import_module(f"vitexplore.tools.bench_{name}").bench(device=device, threads=threads, out=out, bars=bars)


def alive(*, scale: ScaleFile, out: Path, bars: Path, threads: Threads = 1) -> None:
    """Count the features of real networks that recipe `fast` does not reach."""
    from vitexplore.tools.bench_alive import bench

    bench(Graph(read(scale)), threads, out, bars)


def peers(*, scale: ScaleFile, out: Path, bars: Path, sheet: Path, threads: Threads = 1) -> None:
    """Draw the same features with other libraries and with this one, and compare pictures and costs."""
    from vitexplore.tools.bench_peers import bench

    bench(Graph(read(scale)), threads, out, bars, sheet)


def stand_ins(*, scale: ScaleFile, workers: Workers = 1) -> None:
    """List the scale's photographs, in the place of its other sets too."""
    from vitexplore.tools.costs import reduced
    from vitexplore.tools.stand_ins import write_stand_ins

    write_stand_ins(Graph(reduced(read(scale))), max(workers, 1))


def cost(
    experiment: Annotated[str, Parameter(help="one of `vitexplore experiments`")],
    model: Annotated[str, Parameter(help="a model of the scale that takes part")],
    /,
    *,
    scale: ScaleFile,
    out: Path,
) -> None:
    """Measure time and memory of an experiment on a model, with random weights and on few images."""
    from vitexplore.tools.costs import measure

    measure(read(scale), experiment, model, out)


def costs(*parts: Path, out: Path) -> None:
    """Join what all experiments and models cost to one table."""
    from vitexplore.tools.costs import join

    join(parts, out)


def budget(*, out: Path, threads: Threads = 1) -> None:
    """Compare cheaper visualization recipes with the full one."""
    from vitexplore.tools.budget import budget

    budget(device="cpu", threads=threads, out=out)


def calibration(
    *, out: Path, workers: Workers = 1, simulations: Annotated[int, Parameter(help="tables of each kind")] = 2000
) -> None:
    """Count on made tables how often the rule that makes words of intervals errs."""
    from vitexplore.io import write_atomically
    from vitexplore.statistics.calibration import calibration

    table = calibration(simulations, max(workers, 1))
    write_atomically(out, lambda path: table.to_csv(path, index=False, float_format="%.4g"))


JOBS = (
    experiment,
    figure,
    scenes,
    index,
    claim,
    claims,
    atlas,
    train,
    twin,
    instrument,
    instruments,
    emerge,
    emerged,
    promote,
    prefetch,
    download,
    bench,
    alive,
    peers,
    stand_ins,
    cost,
    costs,
    budget,
    calibration,
)
