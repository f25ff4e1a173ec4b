"""Each deciding statement once more, from its sentence in claim.yaml alone: slow, obvious, and apart from analyses/.

``STATEMENTS[claim][statement](*tables)`` gives the value of each comparison by name; of what is said of every model, by
model and comparison; of what is counted, by item."""

import itertools
from statistics import fmean

import numpy as np


def chance_of(table, k=1):
    return k / table["classes"].iloc[0]


def trained(table, family="vit"):
    rows = table[(table["family"] == family) & ~table["random_weights"]]
    return {name: rows[rows["model"] == name] for name in rows["model"].unique()}


# --- visualizations


def judged(rows, column="identification"):
    return [0.5 if dead else value for dead, value in zip(rows["dead"], rows[column], strict=True)]


def site_mean(rows, site):
    mine = rows[rows["site"] == site]
    return fmean(fmean(judged(mine[mine["depth"] == depth])) for depth in mine["depth"].unique())


def ffn_over(site):
    def value(table):
        return {"": fmean(site_mean(rows, "ffn") - site_mean(rows, site) for rows in trained(table).values())}

    return value


def below_ceiling(table):
    each = [
        fmean(a - b for a, b in zip(judged(rows), rows["identification_natural"], strict=True))
        for rows in trained(table).values()
    ]
    return {"": fmean(each)}


def whole_over(end):
    def value(table):
        gains = []
        for rows in trained(table).values():
            by = {v: rows[rows["variant"] == v].set_index("feature") for v in ("released", f"released{end}")}
            whole, other = (dict(zip(mine.index, judged(mine), strict=True)) for mine in by.values())
            gains.append(fmean(whole[feature] - other[feature] for feature in whole))
        return {"": fmean(gains)}

    return value


# --- depth


def course(rows, factor):
    blocks = sorted(rows["block"].unique())
    return [fmean(rows.loc[rows["block"] == block, f"information_{factor}"]) for block in blocks]


def thirds(values):
    size, more = divmod(len(values), 3)
    ends = [0, size + (more > 0), 2 * size + (more > 0) + (more > 1), len(values)]
    return [fmean(values[a:b]) for a, b in itertools.pairwise(ends)]


def class_rises(table):
    found = {}
    for name, rows in trained(table).items():
        low, middle, high = thirds(course(rows, "class"))
        top = max(low, middle, high)
        found[name, "first to middle third"] = (middle - low) / top
        found[name, "middle to last third"] = (high - middle) / top
    return found


def reaches(values, level):
    """The block, between two of them by a straight line, at which the highest value so far passes a level."""
    before = None
    for place, value in enumerate(values):
        if value >= level:
            return place if before is None else place - 1 + (level - before) / (value - before)
        before = value if before is None else max(before, value)
    raise AssertionError


def rises_at(values):
    return fmean(reaches(values, percent / 100 * max(values)) for percent in range(25, 76)) / (len(values) - 1)


def comes_first(factor):
    def value(table):
        each = [rises_at(course(m, "class")) - rises_at(course(m, factor)) for m in trained(table).values()]
        return {"": fmean(each)}

    return value


# --- maps


def split(count):
    """The halves that the project draws once and for all."""
    order = np.random.default_rng(0).permutation(count)
    return sorted(order[: count // 2]), sorted(order[count // 2 :])


def best_map(aurocs, images):
    """``aurocs``: a list of maps, each an AUROC by image. The best by its mean on one half, either sign, on the
    other."""
    chosen_on, scored_on = ([images[i] for i in half] for half in split(len(images)))
    maps = [list(each) for each in aurocs]
    maps += [[1 - value for value in each] for each in maps]
    best = max(maps, key=lambda each: fmean(each[i] for i in chosen_on))
    return fmean(best[i] for i in scored_on)


def best_maps(table, trivial, images):
    vits, random = trained(table), table[table["random_weights"]]
    inner = {name: rows[rows["block"] < rows["block"].max()] for name, rows in (vits | {"random": random}).items()}
    pixels = {name: trivial[trivial["model"] == rows["model"].iloc[0]] for name, rows in inner.items()}
    shown = images[images["model"] == next(iter(vits))]["class"].tolist()
    columns = [x for rows in (*inner.values(), *pixels.values()) for c in ("auroc", "control") for x in rows[c]]
    usable = [i for i in range(len(shown)) if not any(np.isnan(column[i]) for column in columns)]
    over = {"pixels": [], "random weights": []}
    for vit in vits:
        by_class = {"pixels": [], "random weights": []}
        for name in sorted(set(shown)):
            mine = [i for i in usable if shown[i] == name]
            if len(mine) < 10:
                continue
            own = best_map(inner[vit]["auroc"], mine)
            by_class["pixels"].append(own - best_map(pixels[next(iter(vits))]["auroc"], mine))
            by_class["random weights"].append(own - best_map(inner["random"]["auroc"], mine))
        for baseline, each in by_class.items():
            over[baseline].append(fmean(each))
    return {baseline: fmean(each) for baseline, each in over.items()}


# --- tokens


def uniformity(rows):
    mine = rows[rows["measure"] == "uniformity"]
    return [fmean(mine.loc[mine["block"] == block, "value"]) for block in sorted(mine["block"].unique())]


def last_step(table):
    each = []
    for rows in trained(table).values():
        y = uniformity(rows)
        *inner, last = [after - before for before, after in itertools.pairwise(y)]
        each.append(last - max(inner))
    return {"": fmean(each)}


def half_of_the_range(table):
    courses = [uniformity(rows) for rows in trained(table).values()]
    return {"": fmean((y[-1] - y[-2]) / (max(y[1:]) - min(y[1:])) for y in courses)}


def top1(rows, surgery, at=None):
    mine = rows[rows["surgery"] == surgery]
    mine = mine if at is None else mine[mine["at"] == at]
    return fmean(fmean(rank == 0 for rank in ranks) for ranks in mine["rank"])


def share(accuracy, rows):
    chance = chance_of(rows)
    return (accuracy - chance) / (top1(rows, "natural") - chance)


def of_vits(value):
    return lambda table: {"": fmean(value(rows) for rows in trained(table).values())}


def blocks(rows):
    return rows.loc[rows["surgery"] == "isolated_cls", "at"].max()


def joined_last(rows):
    return share(top1(rows, "isolated_cls", blocks(rows) - 1), rows)


def alone_last(rows):
    return share(top1(rows, "cls_only", blocks(rows) - 1), rows)


def mean_position(rows):
    return share(top1(rows, "head_on_patch"), rows)


def last_block_does(rows):
    return mean_position(rows) - share(top1(rows, "head_on_patch_before"), rows)


def best_position(rows):
    mine = rows[rows["surgery"] == "head_on_patch"].sort_values("at")
    chosen_on, scored_on = split(len(mine["rank"].iloc[0]))
    best = max(mine["rank"], key=lambda ranks: fmean(ranks[i] == 0 for i in chosen_on))
    natural, chance = rows[rows["surgery"] == "natural"]["rank"].iloc[0], chance_of(rows)
    there, whole = (fmean(ranks[i] == 0 for i in scored_on) for ranks in (best, natural))
    return (there - chance) / (whole - chance)


def pooled_answer(table):
    each = []
    for rows in trained(table).values():
        mean = rows.groupby(["measure", "block"])["value"].mean()
        natural = mean["natural", 0] - chance_of(rows)
        last = rows["block"].max()
        share = [(mean["uniform", b] - mean["unmixed", b]) / natural for b in range(last + 1)]
        each.append(share[-1] - max(0, *share[1:-1]))
    return {"": fmean(each)}


# --- families


def kept(rows, condition, fill, k):
    def above(condition, fill):
        mine = rows[(rows["condition"] == condition) & (rows["fill"] == fill) & (rows["along"] != "pixels")]
        return fmean(rank < k for rank in mine["rank"]) - chance_of(rows, k)

    return above(condition, fill) / above("full", "")


def alone(condition):
    def value(table):
        k = 5 if table["classes"].iloc[0] >= 100 else 2
        own = {
            name: kept(rows, condition, "black", k) for f in ("vit", "cnn") for name, rows in trained(table, f).items()
        }
        pairs = itertools.product(trained(table), trained(table, "cnn"))
        return {(f"{vit} over {cnn}", ""): own[vit] - own[cnn] for vit, cnn in pairs}

    return value


def ideal(table):
    chance, found = chance_of(table), {}
    networks = trained(table) | trained(table, "cnn")

    def hits(name, filter, strength=None):
        rows = networks[name]
        rows = rows[rows["filter"] == filter]
        rows = rows if strength is None else rows[rows["strength"] == strength]
        return (rows.sort_values("image")["rank"] == 0).to_numpy()

    def left(name, strength):
        return (hits(name, "disc", strength).mean() - chance) / (hits(name, "none").mean() - chance)

    for strength in sorted(table.loc[table["filter"] == "disc", "strength"].unique()):
        for pair in itertools.product(trained(table), trained(table, "cnn")):
            vit, cnn = (left(name, strength) for name in pair)
            if min(vit, cnn) >= 0.95 or max(vit, cnn) <= 0.05:
                continue
            found[" over ".join(pair), f"cut-off 1/{1 / strength:.0f}"] = vit - cnn
    return found


def concepts(table):
    """CLIP's excess over the pixels, less the label model's, by concept."""

    def excess(rows):
        folds = []
        for row in rows.to_dict("records"):

            def auroc(placed, shows=row["shows"]):
                return fmean(value for value, show in zip(placed, shows, strict=False) if show)

            own, pixels = auroc(row["placed"]), auroc(row["pixel_placed"])
            folds.append(max(own - max(pixels, 0.5), 0))
        return fmean(folds)

    clips = trained(table[table["architecture"] != "lab/lab_clip_shuffled"], "clip")
    found = {}
    for concept in table["concept"].unique():
        of = [
            fmean(excess(rows[rows["concept"] == concept]) for rows in models.values())
            for models in (clips, trained(table))
        ]
        found[concept] = of[0] - of[1]
    return found


STATEMENTS = {
    "ffn_over_qkv": {f"over_{site}": ffn_over(site) for site in ("query", "key", "value")},
    "depth_progression": {
        "class_rises": class_rises,
        "hue_first": comes_first("hue"),
        "orientation_first": comes_first("orientation"),
    },
    "variants": {"identification": below_ceiling},
    "augmentations": {
        "bare": whole_over("+nothing"),
        "over_jitter": whole_over("+jitter"),
        "over_colour_shift": whole_over("+colour_shift"),
        "over_gaussian": whole_over("+gaussian"),
    },
    "maps_localize": {"best_maps": best_maps},
    "local_until_last": {"last_step": last_step, "half_of_the_range": half_of_the_range},
    "isolated_cls": {"last_block": of_vits(joined_last), "cls_waits": of_vits(alone_last)},
    "head_on_patches": {
        "mean_position": of_vits(mean_position),
        "best_position": of_vits(best_position),
        "last_block": of_vits(last_block_does),
    },
    "learned_pooling": {"pooled_answer": pooled_answer},
    "background": {"background_alone": alone("background"), "foreground_alone": alone("foreground")},
    "low_pass": {"ideal": ideal},
    "language_concepts": {"concepts": concepts},
}
