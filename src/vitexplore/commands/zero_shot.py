"""Ask the lab's CLIPs about each factor of the scenes, by prompts."""

import argparse
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore import plots
from vitexplore.commands.common import add_data, add_models, data_of, models_of
from vitexplore.data.images import spread
from vitexplore.experiments.zero_shot import zero_shot_table
from vitexplore.io import write_atomically


def configure(parser: argparse.ArgumentParser) -> None:
    add_models(parser)
    add_data(parser)
    parser.add_argument(
        "--out", type=Path, required=True, help="CSV: model, factor, accuracy, low, high, chance, images"
    )
    parser.add_argument("--figure", type=Path, required=True)


def run(args: argparse.Namespace) -> None:
    images, _ = data_of(args)
    indices = spread(len(images), args.images)
    tables = []
    for model in models_of(args):
        found = zero_shot_table(model, images, indices, args.preprocessing, args.batch, args.workers)
        found.insert(0, "model", model.spec.name)
        tables.append(found)
    table = pd.concat(tables, ignore_index=True)
    write_atomically(args.out, lambda path: table.to_csv(path, index=False, float_format="%.4f"))
    plots.save(draw(table), args.figure)


def draw(table: pd.DataFrame) -> Figure:
    """Bars a factor, and a mark at chance."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axis = figure.subplots()
    sns.barplot(table, x="factor", y="accuracy", hue="model", errorbar=None, ax=axis)
    for place, factor in enumerate(table["factor"].unique()):
        chance = table.loc[table["factor"] == factor, "chance"].iloc[0]
        axis.hlines(chance, place - 0.42, place + 0.42, color="black", label="chance" if place == 0 else None)
    axis.set(title="What CLIP answers by prompt", xlabel="", ylabel="zero-shot accuracy", ylim=(0, 1))
    axis.legend(title=None, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
