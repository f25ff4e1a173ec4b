"""Tables in which a claim is true, or false, by construction."""

import io

import numpy as np
import pandas as pd
from PIL import Image

from vitexplore.statistics.intervals import RESAMPLES
from vitexplore.statistics.splits import GROUPS

IMAGES = 400


def about(model, family, random=False, **columns):
    frame = pd.DataFrame(columns)
    named = {"model": model, "family": family, "architecture": f"lab/lab_{family}", "training_seed": 0}
    named |= {"device": "cpu", "dtype": "float32", "libraries": "torch 2", "input_size": 64, "photographs": False}
    return frame.assign(**named, random_weights=random, classes=16, weights=f"hash_of_{model}")


def ranks(rng, accuracy, count=IMAGES):
    """Ranks among 16 classes whose top-1 and top-2 accuracy are both ``accuracy``."""
    return np.where(rng.random(count) < accuracy, 0, 9).astype(np.int16)


def background_table(vit, cnn, blurred=None, images=IMAGES):
    """``vit``, ``cnn``: accuracy on full, foreground, background, or several such; ``blurred``: the ViT's where the
    fill is a blur. The mean image gets one answer for all, as it does from any model: the labels, in turn, decide."""
    rng = np.random.default_rng(0)
    frames = []
    for family, every in (("vit", vit), ("cnn", cnn)):
        for number, accuracies in enumerate(every if isinstance(every[0], tuple) else [every]):
            answers = {("full", "", ""): ranks(rng, accuracies[0], images)}
            answers["mean_image", "", ""] = np.arange(images) % 16
            for fill in ("black", "mean", "blur"):
                kept = blurred if blurred and fill == "blur" and family == "vit" else accuracies
                for condition, accuracy in zip(("foreground", "background"), kept[1:], strict=True):
                    answers[condition, fill, "boxes"] = ranks(rng, accuracy, images)
            common = {"image": np.arange(images), "size": "own", "cropped": 0.0}
            name = f"{family}_{number}" if number else family
            frames += [
                about(name, family, condition=condition, fill=fill, along=along, rank=rank, **common)
                for (condition, fill, along), rank in answers.items()
            ]
    return pd.concat(frames)


def low_pass_table(vit, cnn, cnn_gaussian=None, whole=0.98):
    """``vit``, ``cnn``: accuracy at each of four strengths, the weakest filter last; ``whole``: unfiltered."""
    rng = np.random.default_rng(0)
    frames = []
    for family, course in (("vit", vit), ("cnn", cnn)):
        for filter in ("none", "disc", "gaussian"):
            curve = cnn_gaussian if cnn_gaussian and (family, filter) == ("cnn", "gaussian") else course
            levels = {0.0: whole} if filter == "none" else dict(zip((0.05, 0.1, 0.3, 0.5), curve, strict=True))
            for strength, accuracy in levels.items():
                columns = {"filter": filter, "strength": strength, "size": "own", "image": np.arange(IMAGES)}
                others = ranks(rng, 1 / 16)
                frames.append(about(family, family, rank=ranks(rng, accuracy), rank_permuted=others, **columns))
    return pd.concat(frames)


def pooling_table(trained, random, positions=64, silent=(), pooled=None, natural=0.9):
    """``trained``, ``random``: by block entropy, R2 and the share of its writes that is common to all positions;
    ``silent``: blocks that write next to nothing; ``pooled``: by block, accuracy with the mean in the place of
    attention and with each token for itself (for None the first keeps as much more as ``trained`` is); without
    ``natural`` accuracy the model does not tell the classes."""
    rng = np.random.default_rng(0)
    frames = []
    for model, course in (("vit", trained), ("vit_random", random)):
        for block, value in enumerate(course):
            total = rng.uniform(1, 2, IMAGES)
            write = total * (1e-5 if block in silent and model == "vit" else 1)
            common = write * (value + (1 - value) / positions)
            values = {"write": write, "write_common": common, "stream": 10 * total, "positions": 0 * total + positions}
            for query in ("cls", "patches"):
                values[f"entropy_{query}"] = value + rng.normal(0, 0.02, IMAGES)
                values |= {f"residual_{query}": (1 - value) * total, f"total_{query}": total}
            if natural:
                uniform, unmixed = pooled[block] if pooled else (0.1 + 0.8 * value, 0.1)
                right = {"uniform": uniform, "unmixed": unmixed} | ({"natural": natural} if block == 0 else {})
                values |= {name: (rng.random(IMAGES) < rate).astype(float) for name, rate in right.items()}
            for name, column in values.items():
                columns = {"block": block, "measure": name, "image": np.arange(IMAGES), "value": column}
                frames.append(about(model, "vit", model == "vit_random", **columns))
    return pd.concat(frames)


def token_table(isolated, patches, mean_patch, exchanged, grid=(2, 2), alone=0.1, before=1 / 16):
    """``isolated``: accuracy for each k; ``alone``: with the patches dropped before the last block; the others' at each
    position, with the third a little above the mean; ``before``: before the last block."""
    rng = np.random.default_rng(0)
    scores = {("isolated_cls", k): accuracy for k, accuracy in enumerate(isolated)}
    scores |= {("cls_only", k): 1 / 16 for k in range(len(isolated) - 2)}
    scores |= {("cls_only", len(isolated) - 2): alone, ("cls_only", len(isolated) - 1): isolated[0]}
    scores["head_on_random_patch", 0] = scores["head_on_mean_token", 0] = mean_patch
    for at in range(grid[0] * grid[1]):
        scores["head_on_patch", at] = patches + (0.08 if at == 2 else 0)
        scores["exchanged_patch", at] = exchanged
        scores["head_on_patch_before", at], scores["exchanged_patch_before", at] = before, 1 / 16
    scores["head_on_mean_patch", 0] = mean_patch
    rows = [{"surgery": surgery, "at": at, "rank": ranks(rng, a)} for (surgery, at), a in scores.items()]
    rows.append({"surgery": "natural", "at": 0, "rank": rows[0]["rank"]})
    return about("vit", "vit", **pd.DataFrame(rows)).assign(grid_height=grid[0], grid_width=grid[1])


def locality_table(trained, random):
    """The same course over blocks for every measure, turned round for those that fall."""
    rng = np.random.default_rng(0)
    frames = []
    for model, course in (("vit", trained), ("vit_random", random)):
        for measure in ("uniformity", "cosine", "stays", "position"):
            for block, value in enumerate(course):
                level = value if measure in ("uniformity", "cosine") else 1 - value
                values = level + rng.normal(0, 0.02, IMAGES)
                columns = {"block": block, "measure": measure, "image": np.arange(IMAGES), "value": values}
                frames.append(about(model, "vit", model == "vit_random", **columns))
    return pd.concat(frames)


CLASSES = 4  # of the objects in maps_tables


def maps_tables(trained, random=0.5, pixels=0.6, good=20, own_class=False):
    """4 blocks of 20 features and, apart, 5 maps of the pixels: AUROCs of their maps, of the first ``good`` ones of
    each block, half of them with the other sign; with ``own_class`` each on the images of one class alone. Every tenth
    image cannot be used. Images show CLASSES classes in turn."""
    rng, shown = np.random.default_rng(0), np.arange(IMAGES) % CLASSES

    def rows(quality, names, own_class=False):
        found = []
        for block in range(4):
            for number, name in enumerate(names):
                sign, reads = (1 if number % 2 else -1), quality if number < good else 0.5
                finds = np.where(shown == number % CLASSES, reads, 0.5) if own_class else np.full(IMAGES, reads)
                own = 0.5 + sign * (finds - 0.5) + rng.normal(0, 0.05, IMAGES)
                other = rng.normal(0.5, 0.05, IMAGES)
                own[::10] = other[::10] = np.nan
                found.append({"block": block, "name": name, "auroc": own, "control": other})
        return pd.DataFrame(found)

    models = (("vit", False, trained), ("vit_random", True, random))
    features = [
        about(m, "vit", r, **rows(q, range(20), own_class and not r).rename(columns={"name": "feature"}))
        for m, r, q in models
    ]
    kinds = ("variance", "brightness", "saturation", "edges", "centre")
    trivial = [about(m, "vit", r, **rows(pixels, kinds).rename(columns={"name": "map"})) for m, r, _ in models]
    classes = [f"class {number}" for number in shown]
    images = [about(m, "vit", r, image=np.arange(IMAGES)).assign(**{"class": classes}) for m, r, _ in models]
    return pd.concat(features), pd.concat(trivial), pd.concat(images)


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


def scored(rng, identification, features=12, **columns):
    """Rows of the table `visualize` with this identification; the ceiling is 0.9, another's picture is at chance."""
    filler = dict.fromkeys(
        ("high_frequency", "path_agreement", "interpretability", "seed_agreement", "percentile"), 0.5
    )
    return {
        **filler,
        "site": "ffn",
        "feature": np.arange(features),
        "block": 4,
        "depth": "middle",
        "variant": "paper",
        "natural": 1.0,
        "score": 2.0,
        "score_other": 0.1,
        "dead": False,
        "ceiling": 0.9,
        "ceiling_low": 0.88,
        "identification_natural": 0.9,
        "identification_other": np.clip(rng.normal(0.5, 0.05, features), 0, 1),
        "identification": np.clip(rng.normal(identification, 0.05, features), 0, 1),
        "picture": [png()] * features,
        **columns,
    }


def visualization_table(ffn, qkv, energy_gap=0.2, **columns):
    """``ffn`` and ``qkv``: identification; ``energy_gap``: high-frequency share of q, k, v over ffn's."""
    rng = np.random.default_rng(0)
    frames = []
    for site in ("query", "key", "value", "ffn"):
        for block, depth in enumerate(("early", "middle", "late")):
            energy = rng.normal(0.3 + (energy_gap if site != "ffn" else 0), 0.02, 12)
            mine = scored(
                rng, ffn if site == "ffn" else qkv, site=site, block=block, depth=depth, high_frequency=energy
            )
            frames.append(about("vit", "vit", **mine | columns))
    return pd.concat(frames, ignore_index=True)


def undrawn(table, rows=slice(None)):
    """``table`` whose ``rows`` were not visualized, for the judge cannot tell their features apart."""
    table = table.copy()
    table.loc[rows, ["score", "score_other", "identification", "identification_other", "high_frequency"]] = np.nan
    table.loc[rows, "ceiling_low"] = 0.5
    table.loc[rows, "picture"] = None
    return table


def variants_table(identification, own, other, **columns):
    """``own``, ``other``: activation by a feature's own picture and by the next one's, the best image's being 1."""
    rng = np.random.default_rng(0)
    frames = [
        about(family, "vit", **scored(rng, identification, score=own, score_other=other) | columns)
        for family in ("swin", "pit")
    ]
    return pd.concat(frames, ignore_index=True)


ENDS = ("", "+nothing", "+jitter", "+colour_shift", "+gaussian", "-tv", "-jitter", "-colour_shift", "-gaussian")
ENDS += ("-ensembling",)


def ablation_table(loss, other_loss=0.0, alone=None, **columns):
    """``loss``: identification that each variant loses against the whole recipe, ``alone`` those with one augmentation
    alone; ``other_loss``: that of another feature's picture."""
    rng, frames = np.random.default_rng(0), []
    for end in ENDS:
        lost = (loss if alone is None or end in ("+nothing",) else alone) * bool(end)
        mine = scored(rng, 0.8 - lost, features=40, variant=f"released{end}")
        mine["identification_other"] = mine["identification_other"] - other_loss * bool(end)
        frames.append(about("vit", "vit", **mine | columns))
    return pd.concat(frames, ignore_index=True)


GRADUAL, SUDDEN = np.linspace(0.1, 0.9, 8), np.array([0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.22, 0.9])


def placements(rng, auroc, shows):
    """DeLong's placements of this AUROC, for images that show a concept and others."""
    placed = np.clip(rng.normal(auroc, 0.1, len(shows)), 0, 1)
    for kind in (shows, ~shows):
        placed[kind] += auroc - placed[kind].mean()
    return placed


NAMES = ("many", "before and after", "from above", "at night"), ("animal", "plant", "tool", "vehicle")


def concept_table(clip, vit, shuffled, pixel=0.55, categories=None, answered=0.95, coded=None):
    """Held-out AUROC of each model's best feature for each concept, and of the best pixel statistic; ``categories``:
    CLIP's for categories, where that differs; ``answered``: AUROC by prompt; ``coded``: the concepts that CLIP codes so
    well, all for None, the others as the label model does."""
    concepts = [(name, "caption", 1) for name in NAMES[0]] + [(name, "category", 2) for name in NAMES[1]]
    frames, images = [], np.arange(IMAGES)
    for model, family, auroc in (("clip", "clip", clip), ("clip_shuffled", "clip", shuffled), ("vit", "vit", vit)):
        rows = []
        for name, kind, folds in concepts:
            own = categories if categories is not None and (model, kind) == ("clip", "category") else auroc
            if model == "clip" and coded is not None and name not in coded:
                own = vit
            for fold in range(folds):
                rng, shows = np.random.default_rng(fold), images % 4 == fold
                choice = np.zeros(RESAMPLES, dtype=np.int16)
                row = {"concept": name, "kind": kind, "fold": fold, "block": 3, "best": 5, "held_out": own}
                row |= {"placed": placements(rng, own, shows), "shows": shows, "held_images": images, "choice": choice}
                row |= {"positives": shows.sum(), "others": (~shows).sum(), "pixel_choice": choice}
                row |= {"pixel": "mean R", "pixel_held_out": pixel, "pixel_placed": placements(rng, pixel, shows)}
                rows.append(row | {"answered": answered, "coded": 3, "features": 2048})
        frames.append(about(model, family, **pd.DataFrame(rows)).assign(architecture=f"lab/lab_{model}"))
    return pd.concat(frames, ignore_index=True)


EVEN = np.linspace(0.05, 1, 9)  # a course that rises evenly


def depth_table(of_class=EVEN, simple=None, random=None, cnn=EVEN, bits=1.0, images_a_class=125.0):
    """By block, the mean bits that features tell of the class, and of hue and orientation (``simple``: most at the
    first block), each with noise; of a ViT, of the same with ``random`` weights (as much in all blocks) and of a
    CNN."""
    rng, blocks = np.random.default_rng(0), len(of_class)
    simple = np.linspace(1, 0.5, blocks) if simple is None else simple
    flat = np.full(blocks, 0.2) if random is None else random
    frames = []
    for model, family, course, early in (("vit", "vit", of_class, simple), ("vit_random", "vit", flat, flat),
                                         ("cnn", "cnn", cnn, simple)):  # fmt: skip
        block = np.repeat(np.arange(blocks), 30)
        columns = {"block": block, "feature": np.tile(np.arange(30), blocks)}
        columns |= {"explained_by": "class", "purity_class": 0.5}
        for factor, values in (("class", course), ("hue", early), ("orientation", early)):
            told = bits * (np.asarray(values)[block] + 0.05 * rng.normal(size=len(block)))
            columns[f"information_{factor}"] = told
            columns[f"{factor}_without"] = list(told[:, None] + rng.normal(0, 0.003 * bits, (len(block), GROUPS)))
        made = about(model, family, model == "vit_random", **columns)
        frames.append(made.assign(images=2000, images_a_class=images_a_class))
    return pd.concat(frames, ignore_index=True)
