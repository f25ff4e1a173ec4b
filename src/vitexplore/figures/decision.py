"""A claim's deciding statements as intervals, beside what was wanted: the figure from which its words can be read."""

import textwrap
from collections.abc import Mapping, Sequence, Set
from math import isfinite
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitexplore.figures import plots
from vitexplore.figures.style import COLOURS, style

WIDTH, LINE, HEAD, FOOT = 8.5, 0.23, 0.62, 0.75  # inches: width, height of a row, of a panel's title, below all
LETTERS, LABEL = 107, 0.9  # of a title's line; of such a letter, the width of a label's
WANTED = COLOURS[0]


@style()
def draw(text: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Figure:
    """A panel for each statement that decides the claim of claim.yaml's ``text``: ``rows`` as in claims.csv, the
    claim's first. In each a line for what was measured, and one for each model, pair of models, class or concept."""
    head, *rest = rows
    statements = {each["id"]: each for each in text["statements"]}
    deciding = [mine for mine in _by_statement(rest) if mine[0]["role"] == "paper"]
    panels = [(mine, lines) for mine in deciding if (lines := _lines(mine, statements[mine[0]["statement"]]))]
    title = textwrap.fill(f"{text['title']}: {head['word']}", int(LETTERS * 0.8))
    if not panels:
        why = next((row["why"] for row in rest if row["why"]), "")
        return plots.message(f"{title}: {why}")
    heights = [HEAD + LINE * len(lines) for _, lines in panels]
    figure = Figure(figsize=(WIDTH, sum(heights) + FOOT), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (mine, lines) in zip(axes, panels, strict=True):
        _panel(axis, statements[mine[0]["statement"]], mine, lines)
    figure.suptitle(title, fontsize=12, weight="bold", x=0.01, ha="left")
    shown = [mine[0] for mine, _ in panels]
    others = [f"{mine[0]['statement']}: {mine[0]['word']}" for mine in deciding if mine[0] not in shown]
    beside = f"Without a number: {', '.join(others)}" if others else ""
    _legend(figure, [statements[first["statement"]] | dict(first) for first in shown], beside)
    return figure


def _by_statement(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["statement"], []).append(row)
    return list(found.values())


def _lines(mine: Sequence[Mapping[str, Any]], statement: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows that can be drawn: of what is counted its items alone, the most first."""
    first, *others = mine
    lines = sorted(others, key=lambda row: -row["measured"]) if "item" in statement else [first, *others]
    return [row for row in lines if all(isfinite(row[end]) for end in ("measured", "low", "high"))]


def _panel(
    axis: Axes, statement: Mapping[str, Any], mine: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]
) -> None:
    first, margin = mine[0], lines[0]["margin"]
    for place, row in enumerate(lines):
        whole = row is first
        colour = "black" if whole else COLOURS[0] if row["word"] in ("seen", "reproduced") else "0.45"
        axis.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=3 if whole else 1.5)
        axis.plot([row["measured"]], [place], "o", color=colour, markersize=7 if whole else 4.5)
    if lines[0] is first and first["control"] is not None and isfinite(first["control"]):
        axis.plot([first["control_low"], first["control_high"]], [0.32, 0.32], color="0.6", linewidth=1.5)
        axis.plot([first["control"]], [0.32], "o", color="0.6", markerfacecolor="white", markersize=5)
    axis.axvline(margin, color="black", linestyle="--", linewidth=1)
    for theirs, marker in ((first["paper"], "v"), (statement.get("released"), "^")):
        if theirs is not None:
            axis.plot([theirs], [0], marker, color=COLOURS[3], markersize=8)
    axis.margins(x=0.06)
    low, high = axis.get_xlim()
    ends = (margin, max(high, margin)) if first["direction"] == "above" else (min(low, margin), margin)
    axis.axvspan(*ends, color=WANTED, alpha=0.1, linewidth=0)
    axis.set_xlim(min(low, margin), max(high, margin))
    each = {row["model"] for row in mine[1:]}
    names = [_name(row, first, each) for row in lines]
    axis.set_yticks(range(len(lines)), names, fontsize=9)
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.tick_params(axis="x", labelsize=9)
    axis.grid(visible=False, axis="y")
    counted = "" if lines[0] is first else f" ({first['low']:.0f} of {first['n']} surely)"
    letters = LETTERS - int(LABEL * max(map(len, names)))
    axis.set_title(textwrap.fill(f"{statement['says']}{counted}: {first['word']}", letters), fontsize=10, loc="left")


def _name(row: Mapping[str, Any], first: Mapping[str, Any], each: Set[str]) -> str:
    """A line's label; ``each``: the names of those that are shown one by one."""
    if row is not first:
        return f"{row['model']}: {row['word']}" if row["word"] else row["model"]
    if (row["comparison"] or "").partition(", ")[0] in each:  # said of every one: the least is shown
        return f"least: {row['comparison']}"
    models = row["model"].split()
    whole = models[0] if len(models) == 1 else "all together"
    return f"{whole}, {row['comparison']}" if row["comparison"] else whole


def _legend(figure: Figure, shown: Sequence[Mapping[str, Any]], beside: str) -> None:
    axis = figure.axes[0]
    handles = [axis.plot([], [], "o-", color="black", linewidth=3, label="measured, 95%")[0]]
    if any(row["control"] is not None and isfinite(row["control"]) and "item" not in row for row in shown):
        handles += axis.plot([], [], "o-", color="0.6", markerfacecolor="white", label="control")
    handles += axis.plot([], [], "--", color="black", label="margin (wanted: shaded)")
    if any(row["paper"] for row in shown):
        handles += axis.plot([], [], "v", color=COLOURS[3], linestyle="", label="in the paper, its own models")
    if any(row.get("released") for row in shown):
        handles += axis.plot([], [], "^", color=COLOURS[3], linestyle="", label="in its released log")
    how = {"frameon": False, "fontsize": 9, "title_fontsize": 9, "columnspacing": 1.2}
    figure.legend(handles=handles, loc="outside lower center", ncols=5, title=beside or None, **how)
