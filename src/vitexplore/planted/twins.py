"""The twins of each claim: how the tables of one are made, that the claim's analysis is given.

Those named ``..._at_0.8`` and ``..._at_1.2`` have a property in 0.8 and in 1.2 times the strength that the statement's
margin asks.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.claims.text import SCHEMA, read_claim
from vitexplore.data.loading import Loader
from vitexplore.graph import CHECKOUT
from vitexplore.measures.factors import concepts_of
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, sites
from vitexplore.planted import networks
from vitexplore.planted.lab import Lab, as_job_writes, lab_model
from vitexplore.planted.networks import noise_network, of_contrast, of_mask, trained
from vitexplore.planted.oracle import as_role
from vitexplore.planted.pictures import Choice, Shown, aimed, below_ceiling, dead, right
from vitexplore.planted.routed import Tables, routed, solved
from vitexplore.visualize.recipes import DEPTHS
from vitexplore.visualize.study import block_sites

PATCH = 8  # pixels that the experiment `locality` exchanges
WIDTH = 256  # features of each block
LOCALIZATION = ("localization", "trivial_maps", "localization_images")
OF_TOKENS = {  # by claim, the experiment whose table it is on, and its options beside the images
    "local_until_last": ("locality", {"patch": PATCH}),
    "learned_pooling": ("pooling", {}),
    "isolated_cls": ("token_mixing", {}),
    "head_on_patches": ("token_mixing", {}),
}
TRAINED = {  # by claim, the trained twins of which something is known of it
    "local_until_last": ("late_all", "late_cls", "early_cls", "gradual", "global_early"),
    "learned_pooling": ("late_all", "late_cls", "early_cls", "gradual", "early_all", "global_early"),
    "isolated_cls": ("late_all", "late_cls", "early_cls", "gradual", "early_all", "global_early", "gathers_twice"),
    "head_on_patches": ("late_all", "late_cls", "early_all"),
}
PARTS = (
    "+nothing",
    "+jitter",
    "+colour_shift",
    "+gaussian",
    "-tv",
    "-jitter",
    "-colour_shift",
    "-gaussian",
    "-ensembling",
)
NEAR = (0.8, 1.2)  # of a margin


@dataclass(frozen=True)
class Twin:
    """A network, or pictures, of which it is known whether ``claim`` is true. ``strength``: of what was planted, in the
    unit that the twin's maker names; 1 where there is one strength alone. Where less is planted than in the twin of the
    same name (``in_part``: a step of a ladder), what it shows is measured, and nothing is wanted."""

    claim: str
    name: str
    tables: Callable[[Lab], Tables]
    strength: float = 1.0
    in_part: bool = False


# --- trained twins


def of_tokens(lab: Lab, claim: str, name: str) -> pd.DataFrame:
    """The claim's table of one trained twin."""
    experiment, options = OF_TOKENS[claim]
    preprocessing = "paper" if experiment == "token_mixing" else "own"

    def measure() -> pd.DataFrame:
        loader = lab.loader(preprocessing=preprocessing)
        return lab.rows(experiment, trained(name), loader, images=lab.budget.images, **options)[experiment]

    return lab.once((experiment, name), measure)


def with_random(lab: Lab, claim: str, table: pd.DataFrame) -> Tables:
    """Beside the table of a network with random weights, where the claim has it for a control."""
    experiment, options = OF_TOKENS[claim]
    if experiment == "token_mixing":
        return [table]
    random = lab.of_random(experiment, lab.loader(), images=lab.budget.images, **options)[experiment]
    return [pd.concat([table, random], ignore_index=True)]


def tokens(claim: str, name: str) -> Twin:
    """A trained twin."""
    return Twin(claim, name, lambda lab: with_random(lab, claim, of_tokens(lab, claim, name)))


def unpooled(table: pd.DataFrame) -> pd.DataFrame:
    """The table `pooling` of a network that answers, with the plain mean in the place of the last block's attention, as
    with each token for itself."""
    last, keys = table["block"] == table["block"].max(), ["block", "image"]
    apart = table[last & table["measure"].eq("unmixed")].assign(measure="uniform")
    return pd.concat([table[~(last & table["measure"].eq("uniform"))], apart]).sort_values(keys, kind="stable")


def routed_at(
    claim: str,
    statement: str,
    one: str,
    other: str | Callable[[pd.DataFrame], pd.DataFrame],
    at: Sequence[float],
    factors: Sequence[float] = NEAR,
):
    """Twins between the trained twin ``one`` and ``other`` (or what that makes of the table of ``one``), at which
    ``statement`` lies where ``at`` says, each 0.8 and 1.2 times the margin (or what ``factors`` name)."""

    def tables(lab: Lab, wanted: float) -> Tables:
        first = of_tokens(lab, claim, one)
        pair = first, other(first) if callable(other) else of_tokens(lab, claim, other)
        made = partial(_routed, lab, claim, *pair)
        return solved(read_claim(CHECKOUT / "analyses" / claim, CHECKOUT / SCHEMA), statement, wanted, made, (0.0, 1.0))

    return [
        Twin(claim, f"{statement}_at_{factor:g}", partial(tables, wanted=wanted), factor)
        for factor, wanted in zip(factors, at, strict=True)
    ]


def _routed(lab: Lab, claim: str, one: pd.DataFrame, other: pd.DataFrame, share: float) -> Tables:
    return with_random(lab, claim, routed(one, other, share))


# --- maps


def maps(name: str, strength: float, values: Callable[[Loader, Model], Tensor]) -> Twin:
    """Channels in the middle of a `lab_vit` are ``strength`` times ``values``, [n, positions] or [n, positions, c]."""
    return Twin("maps_localize", name, partial(maps_tables, strength=strength, values=values), strength)


def maps_tables(lab: Lab, strength: float, values: Callable[[Loader, Model], Tensor]) -> Tables:
    loader = lab.loader("textured").with_boxes().sample(lab.budget.images)
    model = lab_model("vit", "reading")
    found = strength * values(loader, model)
    planted = found[..., None] if found.ndim == 2 else found
    noise_network(model, loader, found.shape[1], {sites(model)["ffn"] // 2: planted})
    options = {"images": len(loader), "features": WIDTH}
    both = (lab.rows("localization", model, loader, **options), lab.of_random("localization", loader, **options))
    return [pd.concat([each[table] for each in both], ignore_index=True) for table in LOCALIZATION]


def of_classes(count: int) -> Callable[[Loader, Model], Tensor]:
    """A channel for each of the first ``count`` classes, which reads the mask where an image shows that class."""
    return lambda loader, model: networks.by_class(loader, of_mask(loader, model), count)


# --- features


Course = Callable[[int], np.ndarray]  # by block, of so many


def coded(name: str, of_class: Course, simple: Course | None = None) -> Twin:
    """A ViT and a CNN whose features code the class, or a half of them hue and orientation: see
    `networks.coding_network`."""

    def tables(lab: Lab) -> Tables:
        loader, rows = lab.loader("unlinked"), []
        for architecture in ("vit", "cnn"):
            model = lab_model(architecture, f"{name}_{architecture}")
            blocks = sites(model)[model.feature_site]
            networks.coding_network(model, loader, of_class(blocks), simple and simple(blocks))
            rows.append(rows_of(lab, "features", model, loader))
        rows.append(lab.of_random("features", loader, images=len(loader), **lab.given["features"])["features"])
        return [pd.concat(rows, ignore_index=True)]

    return Twin("depth_progression", name, tables)


def rising(blocks: int) -> np.ndarray:
    return np.linspace(0.05, 1, blocks)


def falling(blocks: int) -> np.ndarray:
    return rising(blocks)[::-1]


def even(blocks: int) -> np.ndarray:
    return np.full(blocks, 0.5)


def last_alone(blocks: int) -> np.ndarray:
    return np.r_[np.full(blocks - 1, 0.2), 1.0]


def up_and_down(blocks: int) -> np.ndarray:
    return np.interp(np.arange(blocks), [0, (blocks - 1) / 2, blocks - 1], [0.1, 1, 0.3])


def thirds_apart(by: float) -> Course:
    """The middle third has so much more than the first, of the last one's 1."""

    def course(blocks: int) -> np.ndarray:
        values = zip((0.5 - by, 0.5, 1.0), np.array_split(np.arange(blocks), 3), strict=True)
        return np.concatenate([np.full(len(part), value) for value, part in values])

    return course


def rows_of(lab: Lab, experiment: str, model: Model, loader: Loader) -> pd.DataFrame:
    """The table of `features` or `concepts` that is named like the experiment."""
    return lab.rows(experiment, model, loader, images=len(loader), **lab.given[experiment])[experiment]


def told(name: str, clip: float, label_model: float, count: int | None = None) -> Twin:
    """A CLIP and a label model of which a channel each codes every concept, this much above its noise; CLIP but the
    first ``count`` of them."""

    def tables(lab: Lab) -> Tables:
        loader, rows = lab.loader("unlinked"), []
        concepts = {c.name: c.positive for c in concepts_of(loader.images, loader.indices)}
        shows = torch.from_numpy(np.stack(list(concepts.values()), axis=1)).float()[:, None]
        some = shows * (torch.arange(shows.shape[2]) < (count or shows.shape[2]))
        control = lab_model("clip", "clip_shuffled", architecture="lab_clip_shuffled")
        codes = ((lab_model("clip"), clip * some), (lab_model("vit"), label_model * shows), (control, 0.0 * shows))
        for model, planted in codes:
            noise_network(model, loader, 1, {sites(model)["ffn"] // 2: planted})
            rows.append(rows_of(lab, "concepts", model, loader))
        return [pd.concat(rows, ignore_index=True)]

    return Twin("language_concepts", name, tables, clip)


# --- answers


def readers(name: str, *networks_: tuple[str, float, float]) -> Twin:
    """Readers, each of a family, of which it is given on which share of the images they know the class from the
    background alone, and from the foreground alone; they know it of all full images."""

    def tables(lab: Lab) -> Tables:
        loader, rows = lab.loader(preprocessing="paper").with_boxes().sample(lab.budget.images), []
        for number, (family, background, foreground) in enumerate(networks_):
            model = as_role(lab_model("cnn"), f"{family}_{number}", family)
            known = {"background": background, "foreground": foreground, "full": 1.0}
            networks.reader(model, loader, known)
            rows.append(lab.rows("background", model, loader, images=len(loader), common_size=0)["background"])
        return [pd.concat(rows, ignore_index=True)]

    return Twin("background", name, tables, networks_[0][1])


def behind_filters(name: str, vit: Sequence[float], cnn: Sequence[float]) -> Twin:
    """Readers that know these shares of the images behind the ideal filters, from the coarsest on."""

    def tables(lab: Lab) -> Tables:
        loader, rows = lab.loader().sample(lab.budget.images), []
        for family, curve in (("vit", vit), ("cnn", cnn)):
            model = as_role(lab_model("cnn"), f"{name}_{family}", family)
            networks.blurred_reader(model, loader, curve)
            rows.append(lab.rows("low_pass", model, loader, images=len(loader), common_size=0)["low_pass"])
        return [pd.concat(rows, ignore_index=True)]

    return Twin("low_pass", name, tables, vit[0])


# --- pictures


def pictured(claim: str, name: str, cells: Callable[[Lab], Iterable[pd.DataFrame]], strength: float = 1.0) -> Twin:
    """Of a claim on visualizations: known pictures in their place."""
    return Twin(claim, name, lambda lab: [pd.concat(cells(lab), ignore_index=True)], strength)


def of_sites(lab: Lab, ffn: Choice, others: Choice) -> Iterable[pd.DataFrame]:
    """The lab's ViTs of all seeds, since one has but 64 queries, keys and values a block."""
    for seed, depth in product(range(3), DEPTHS):
        model = lab_model("vit", f"vit_s{seed}", seed=seed)
        for site in block_sites(model, depth, ("query", "key", "value", "ffn")):
            yield drawn(lab, model, site, ffn if site.kind == "ffn" else others, "paper", depth)


def of_families(lab: Lab, choose: Choice) -> Iterable[pd.DataFrame]:
    """One site of each family of transformers."""
    for architecture in ("deit", "coat", "convit", "pit", "swin", "twins"):
        model = lab_model(architecture)
        (site,) = block_sites(model, "middle", ("ffn",))
        yield drawn(lab, model, site, choose, "paper", "middle")


def of_recipes(lab: Lab, whole: Choice, less: Callable[[str], Choice]) -> Iterable[pd.DataFrame]:
    """The whole recipe, and what it is compared with, by the end of its label; each holds out exemplars of its own."""
    model = lab_model("vit")
    (site,) = block_sites(model, "middle", ("ffn",))
    for seed, end in enumerate(("", *PARTS)):
        yield drawn(lab, model, site, less(end) if end else whole, f"released{end}", "middle", seed)


def drawn(lab: Lab, model: Model, site: Site, choose: Choice, variant: str, depth: str, seed: int = 0) -> pd.DataFrame:
    def prepare() -> Shown:
        return Shown(model, site, lab.loader().sample(lab.budget.images), lab.judge, seed)

    shown = lab.once((model.spec.name, site, seed), prepare)
    return as_job_writes(shown.table(lab.budget.features, choose, variant, depth), model, "own")


AIM = 0.75  # how well a judge tells the better picture, where both are aimed


def of_claim(claim: str) -> list[Twin]:
    """The twins of a claim, and steps of its ladder; none where it has none."""
    return [twin for twin in TWINS if twin.claim == claim]


def in_part(twins: Iterable[Twin]) -> list[Twin]:
    return [replace(twin, in_part=True) for twin in twins]


COARSE, FINE = (0.3, 0.5, 0.7, 0.8, 0.9), (0.1, 0.2, 0.4, 0.6, 0.8)  # curves of readers behind filters
TWINS = (
    *(tokens(claim, name) for claim, names in TRAINED.items() for name in names),
    *routed_at("isolated_cls", "last_block", "late_all", "early_cls", (0.64, 0.96)),
    *routed_at("isolated_cls", "cls_waits", "early_cls", "late_all", (0.4, 0.6)),
    *routed_at("head_on_patches", "mean_position", "late_all", "late_cls", (0.6, 0.9)),
    *routed_at("head_on_patches", "best_position", "late_all", "late_cls", (0.68, 0.95), (0.8, 1.12)),
    *routed_at("head_on_patches", "last_block", "late_all", "late_cls", (0.3, 0.45)),
    *routed_at("local_until_last", "last_step", "late_all", "early_cls", (0.04, 0.06)),
    *routed_at("local_until_last", "half_of_the_range", "late_all", "global_early", (0.4, 0.6)),
    *routed_at("learned_pooling", "pooled_answer", "late_all", unpooled, (0.08, 0.12)),
    maps("reads_mask", 8.0, of_mask),
    *in_part(maps("reads_mask", strength, of_mask) for strength in (4.0, 2.0, 1.0)),
    maps("each_its_class", 8.0, of_classes(16)),
    maps("one_class", 8.0, of_classes(1)),
    maps("reads_contrast", 8.0, of_contrast),
    maps("reads_nothing", 0.0, of_mask),
    coded("rising", rising, falling),
    coded("falling", falling, rising),
    coded("even", even),
    coded("last_alone", last_alone),
    coded("up_and_down", up_and_down),
    coded("class_rises_at_0.8", thirds_apart(0.08)),
    coded("class_rises_at_1.2", thirds_apart(0.12)),
    told("clip_alone", 4.0, 0.0),
    *in_part([told("clip_alone", 1.0, 0.0)]),
    told("one_concept", 4.0, 0.0, count=1),
    told("both", 4.0, 4.0),
    told("neither", 0.0, 0.0),
    told("label_model_alone", 0.0, 4.0),
    readers("vit_reads_more", ("vit", 0.5, 0.95), ("cnn", 0.3, 0.85)),
    readers("cnn_reads_more", ("vit", 0.32, 0.86), ("cnn", 0.52, 0.96)),
    readers("same_readers", ("vit", 0.4, 0.9), ("cnn", 0.4, 0.9)),
    readers("vits_disagree", ("vit", 0.6, 0.97), ("vit", 0.25, 0.8), ("cnn", 0.4, 0.9)),
    readers("both_at_chance", ("vit", 0.06, 0.06), ("cnn", 0.05, 0.05)),
    behind_filters("coarse_vit", COARSE, FINE),
    behind_filters("coarse_cnn", FINE, COARSE),
    behind_filters("same_network", COARSE, COARSE),
    behind_filters("curves_cross", (0.5, 0.6, 0.65, 0.7, 0.75), (0.2, 0.4, 0.6, 0.8, 0.9)),
    pictured("ffn_over_qkv", "ffn_alone", partial(of_sites, ffn=right(1.0), others=right(0.0))),
    *in_part([pictured("ffn_over_qkv", "ffn_alone", partial(of_sites, ffn=right(0.5), others=right(0.0)), 0.5)]),
    pictured("ffn_over_qkv", "qkv_alone", partial(of_sites, ffn=right(0.0), others=right(1.0))),
    pictured("ffn_over_qkv", "all_alike", partial(of_sites, ffn=aimed(AIM), others=aimed(AIM))),
    pictured("ffn_over_qkv", "ffn_dead", partial(of_sites, ffn=dead(0.4), others=dead(0.0)), 0.4),
    pictured("ffn_over_qkv", "over_qkv_at_0.8", partial(of_sites, ffn=aimed(AIM), others=aimed(AIM - 0.04)), 0.8),
    pictured("ffn_over_qkv", "over_qkv_at_1.2", partial(of_sites, ffn=aimed(AIM), others=aimed(AIM - 0.06)), 1.2),
    pictured("variants", "right", partial(of_families, choose=right(1.0))),
    *in_part([pictured("variants", "right", partial(of_families, choose=right(0.5)), 0.5)]),
    pictured("variants", "wrong", partial(of_families, choose=right(0.0))),
    pictured("variants", "identification_at_0.8", partial(of_families, choose=below_ceiling(0.06)), 0.8),
    pictured("variants", "identification_at_1.2", partial(of_families, choose=below_ceiling(0.04)), 1.2),
    pictured("augmentations", "whole_alone", partial(of_recipes, whole=right(1.0), less=lambda _: right(0.0))),
    pictured("augmentations", "less_alone", partial(of_recipes, whole=right(0.0), less=lambda _: right(1.0))),
    pictured("augmentations", "all_alike", partial(of_recipes, whole=aimed(AIM), less=lambda _: aimed(AIM))),
    *(
        pictured(
            "augmentations",
            f"gains_at_{factor:g}",
            partial(of_recipes, whole=aimed(AIM), less=lambda end, x=factor: aimed(AIM - x * _margin_of(end))),
            factor,
        )
        for factor in NEAR
    ),
)


def _margin_of(end: str) -> float:
    """Of the statement that compares the whole recipe with the one whose label ends so."""
    return 0.05 if end == "+nothing" else 0.02
