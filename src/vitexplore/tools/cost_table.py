"""What a scale costs, as a table for people: measured, extrapolated, and on a GPU estimated from FLOPs."""

import pandas as pd

from vitexplore.scale import Scale
from vitexplore.tools.costs import THREADS
from vitexplore.tools.estimate import TERAFLOPS, asked, cost_of, size_of

HEAD = ("experiment", "models", "images", "measured on", "seconds, measured", "hours, extrapolated", "GB, measured")
HEAD += ("GPU minutes, estimated",)


def extrapolated(costs: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """A row for each experiment of ``scale`` and each of its models: experiment, model, ``images`` that the scale
    reads, ``gpu_minutes`` (at TERAFLOPS); of ``costs`` (see costs.py) ``measured``, ``seconds``, ``peak_mb``; from
    these the ``teraflops`` of what was measured, and ``hours`` for as many passes as the scale takes. NaN where
    ``costs`` has no such row."""
    sizes, rows = {name: size_of(model) for name, model in scale.models.items()}, []
    for entry in scale.registry.values():
        for name in scale.taking_part(entry.name):
            flops, _, side = sizes[name]
            cost, images = cost_of(scale, entry, name, side), getattr(asked(scale, entry), "images", 0)
            rows.append((entry.name, name, images, cost.passes, flops / 1e12))
    table = pd.DataFrame(rows, columns=["experiment", "model", "images", "whole", "each"])
    table = table.merge(costs.drop(columns="images"), how="left", on=["experiment", "model"])
    return table.assign(
        hours=table["seconds"] * table["whole"] / table["passes"] / 3600,
        gpu_minutes=table["whole"] * table["each"] / TERAFLOPS / 60,
        teraflops=table["passes"] * table["each"],
    )


def costs_table(costs: pd.DataFrame, scale: Scale) -> str:
    """In markdown: a row for each experiment of ``scale``, with empty cells for what ``costs`` has not of all its
    models, and one of all; then how fast the cores were."""
    table = extrapolated(costs, scale)
    parts = [(name, mine) for name, mine in table.groupby("experiment", sort=False)]
    lines = [f"| {' | '.join(HEAD)} |", "| --- | ---: | ---: | --- |" + " ---: |" * 4]
    lines += [_line(name, mine, f"{mine['images'].iloc[0]:,}", _measured_on(mine)) for name, mine in parts]
    lines.append(_line("all", table, "", ""))
    if table["seconds"].notna().all():
        speed = 1000 * table["teraflops"].sum() / table["seconds"].sum()
        lines += ["", f"The {THREADS} cores did {speed:.0f} GFLOP/s meanwhile."]
    return "\n".join(lines)


def _line(name: str, mine: pd.DataFrame, images: str, measured_on: str) -> str:
    numbers = [
        _cell(mine["seconds"].sum(skipna=False), ",.0f"),
        _cell(mine["hours"].sum(skipna=False), ".1f"),
        _cell(mine["peak_mb"].max(skipna=False) / 1000, ".1f"),
        _cell(mine["gpu_minutes"].sum(), ".1f"),
    ]
    return f"| {name} | {mine['model'].nunique()} | {images} | {measured_on} | {' | '.join(numbers)} |"


def _measured_on(mine: pd.DataFrame) -> str:
    return "" if mine["measured"].isna().any() else mine["measured"].iloc[0]


def _cell(number: float, form: str) -> str:
    return "" if pd.isna(number) else format(number, form)
