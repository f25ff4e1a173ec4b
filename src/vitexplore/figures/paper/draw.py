"""Draw the paper's figures from ``tables/paper`` of a folder of results, and from nothing else."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.errors import InputError
from vitexplore.figures.paper import depth
from vitexplore.figures.paper.items import ITEMS, Data
from vitexplore.figures.paper.tiles import Tiles
from vitexplore.figures.plots import PNG
from vitexplore.figures.style import style
from vitexplore.io import write_atomically

DATA, FIGURES = Path("tables/paper"), Path("figures/paper")
COLUMNS = ["item", "file", "claim", "table", "note", "shows"]
DPI, FRONT_DPI = 200, 232
PDF = {"CreationDate": None}  # so that the same figure is the same bytes


def draw(results: Path) -> Path:
    """Draw each item of the folder ``results`` (results/<scale> or what was kept of it) as PDF and PNG in
    figures/paper, and list them in figures/paper.csv, whose path is returned: item, file, claim, table, note (why
    there is no file), shows (what the paper's does). Raises InputError where there is no data."""
    notes, rows = _notes(results), []
    for name, item in ITEMS.items():
        drawn = item.within or name
        table, pdf, note = DATA / f"{drawn}.csv", FIGURES / f"{drawn}.pdf", notes[drawn]
        there = (results / table).exists()
        if there and item.within:
            note = f"drawn with {ITEMS[item.within].where}"
        elif there:
            with style(in_print=True):
                _save(item.draw(read(results / table)), results / pdf)
        files = {"file": pdf if there else "", "table": table if there else ""}
        rows.append({"item": name, "claim": " ".join(item.claims), "note": note, "shows": item.shows, **files})
    index = results / "figures" / "paper.csv"
    write_atomically(index, lambda path: pd.DataFrame(rows)[COLUMNS].to_csv(path, index=False))
    return index


def _notes(results: Path) -> dict[str, str]:
    path = results / DATA / "items.csv"
    if not path.exists():
        raise InputError(f"{path}: no such file; finish a run first")
    return pd.read_csv(path, keep_default_na=False).set_index("item")["note"].to_dict()


def read(table: Path) -> Data:
    """An item's data: tiles where a PNG lies beside its CSV."""
    return Tiles.read(table) if table.with_suffix(".png").exists() else pd.read_csv(table)


def _save(figure: Figure, pdf: Path) -> None:
    write_atomically(pdf, lambda path: figure.savefig(path, metadata=PDF))
    write_atomically(pdf.with_suffix(".png"), lambda path: figure.savefig(path, dpi=DPI, metadata=PNG))


def draw_front(folders: Sequence[Path], png: Path) -> None:
    """Features by depth of the networks of all ``folders``, one above the other, in one PNG. Raises InputError where
    one has no data of Fig. 1."""
    tables = [folder / DATA / "fig1.csv" for folder in folders]
    for table in tables:
        if not table.exists():
            raise InputError(f"{table}: no such file; name folders of runs that visualize features")
    with style(in_print=True):
        figure = depth.draw_front([Tiles.read(table) for table in tables])
        write_atomically(png, lambda path: figure.savefig(path, dpi=FRONT_DPI, metadata=PNG))
