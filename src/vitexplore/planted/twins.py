"""The twins of each claim: how the tables of one are made, that the claim's analysis is given."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, one_hot

from vitexplore.claims.instrument import WEIGHTS
from vitexplore.data.filters import disc, filtered
from vitexplore.data.loading import Loader, preprocess, unnormalised
from vitexplore.measures.background import Views, views_of
from vitexplore.measures.factors import concepts_of
from vitexplore.measures.localization import as_image
from vitexplore.measures.trivial_maps import TRIVIAL, trivial_maps
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site, channels, sites
from vitexplore.planted.constraints import CONSTRAINTS, scale_writing
from vitexplore.planted.lab import Lab, as_job_writes, lab_model, normal, shown
from vitexplore.planted.oracle import Known, Plant, as_role, plant_answers, plant_features
from vitexplore.planted.pictures import Shown
from vitexplore.visualize.recipes import DEPTHS
from vitexplore.visualize.study import block_sites

Tables = list[pd.DataFrame]
PATCH = 8  # pixels that the experiment `locality` exchanges
WIDTH = 256  # features of each block
LOCALIZATION = ("localization", "trivial_maps")
LOCALITY = ("local_until_last", "learned_pooling")
PARTS = ("tv", "jitter", "colour_shift", "gaussian", "ensembling", "noise_alone")
HALF = 0.5  # of the features


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


def trained(name: str, gain: float = 1.0) -> Model:
    """A trained twin of `lab_vit`; ``gain`` scales what the last block's attention writes."""
    model = lab_model("vit", name, weights=str(WEIGHTS / f"{name}.safetensors"))
    scale_writing(model.trunk.blocks[-1], gain)
    return model


def located(claim: str, name: str, model: Callable[[], Model], strength: float = 1.0) -> Twin:
    """Of a claim on the table `locality`."""

    def tables(lab: Lab) -> Tables:
        loader, options = lab.loader(), {"images": lab.budget.images, "patch": PATCH}
        mine = lab.once(("locality", name, strength), lambda: lab.rows("locality", model(), loader, **options))
        both = (mine, lab.of_random("locality", loader, **options))
        return [pd.concat([each["locality"] for each in both], ignore_index=True)]

    return Twin(claim, name, tables, strength)


def mixed(claim: str, name: str) -> Twin:
    """Of a claim on the table `token_mixing`."""

    def tables(lab: Lab) -> Tables:
        loader = lab.loader(preprocessing="paper")
        return [lab.rows("token_mixing", trained(name), loader, images=lab.budget.images)["token_mixing"]]

    return Twin(claim, name, tables)


def noise_network(model: Model, loader: Loader, positions: int, planted: Mapping[int, Tensor]) -> Model:
    """``model`` with noise for features, but for what is ``planted``: by block [n, positions or 1, channels], in the
    place of the first channels, with noise of 1 over it. What it knows of images beside that is taken away."""
    kind, plants = model.feature_site, []
    for block in range(sites(model)[kind]):
        site = Site(kind, block)
        acts = normal(len(loader), positions, channels(model, site), seed=block)
        if block in planted:
            acts[..., : planted[block].shape[2]] += planted[block]
        plants.append(Plant(site, acts))
    return plant_features(model, Known(shown(model, loader)), plants)


def maps(name: str, strength: float, values: Callable[[Loader, Model], Tensor]) -> Twin:
    """A channel in the middle of a `lab_vit` is ``strength`` times ``values``, [n, positions]."""

    def tables(lab: Lab) -> Tables:
        loader = lab.loader("textured").with_boxes().sample(lab.budget.images)
        model = lab_model("vit", name)
        found = strength * values(loader, model)
        middle = sites(model)["ffn"] // 2
        noise_network(model, loader, found.shape[1], {middle: found[..., None]})
        options = {"images": len(loader), "features": WIDTH}
        both = (lab.rows("localization", model, loader, **options), lab.of_random("localization", loader, **options))
        return [pd.concat([each[table] for each in both], ignore_index=True) for table in LOCALIZATION]

    return Twin("maps_localize", name, tables, strength)


def of_mask(loader: Loader, model: Model) -> Tensor:
    """The share of each position that the object covers."""
    transform = preprocess(unnormalised(model.spec), loader.preprocessing)
    masks = torch.stack([transform(as_image(loader.images.mask(index)))[0] for index in loader.indices])
    return adaptive_avg_pool2d(masks[:, None], model.trunk.patch_embed.grid_size).flatten(1)


def of_contrast(loader: Loader, model: Model) -> Tensor:
    """The variance of each position's pixels, over its standard deviation."""
    pixels = torch.stack([loader.pictures(unnormalised(model.spec))(index) for index in loader.indices])
    found = trivial_maps(pixels, model.trunk.patch_embed.grid_size)[..., TRIVIAL.index("variance")]
    return found / found.std()


def coded(name: str, course: Callable[[int], np.ndarray]) -> Twin:
    """A ViT and a CNN each of whose features is larger on one class; by how much, in units of its noise, is
    ``course(blocks)`` by block."""

    def tables(lab: Lab) -> Tables:
        loader, rows = lab.loader("unlinked"), []
        for architecture in ("vit", "cnn"):
            model = lab_model(architecture, f"{name}_{architecture}")
            kind = model.feature_site
            strengths = course(sites(model)[kind])
            classes = torch.from_numpy(loader.images.labels[loader.indices])
            own = one_hot(classes).float()
            planted = {}
            for block, strength in enumerate(strengths):
                width = channels(model, Site(kind, block))
                planted[block] = strength * own[:, None, torch.arange(width) % own.shape[1]]
            noise_network(model, loader, 1, planted)
            rows.append(rows_of(lab, "features", model, loader))
        rows.append(lab.of_random("features", loader, images=len(loader), **lab.given["features"])["features"])
        return [pd.concat(rows, ignore_index=True)]

    return Twin("depth_progression", name, tables)


def rows_of(lab: Lab, experiment: str, model: Model, loader: Loader) -> pd.DataFrame:
    """The table of `features` or `concepts` that is named like the experiment."""
    return lab.rows(experiment, model, loader, images=len(loader), **lab.given[experiment])[experiment]


def told(name: str, clip: float, label_model: float) -> Twin:
    """A CLIP and a label model of which a channel each codes every concept, this much above its noise."""

    def tables(lab: Lab) -> Tables:
        loader, rows = lab.loader("unlinked"), []
        concepts = {c.name: c.positive for c in concepts_of(loader.images, loader.indices)}
        shows = torch.from_numpy(np.stack(list(concepts.values()), axis=1)).float()[:, None]
        control = lab_model("clip", "clip_shuffled", architecture="lab_clip_shuffled")
        for model, strength in ((lab_model("clip"), clip), (lab_model("vit"), label_model), (control, 0.0)):
            noise_network(model, loader, 1, {sites(model)["ffn"] // 2: strength * shows})
            rows.append(rows_of(lab, "concepts", model, loader))
        return [pd.concat(rows, ignore_index=True)]

    return Twin("language_concepts", name, tables, clip)


def readers(name: str, vit: tuple[float, float], cnn: tuple[float, float]) -> Twin:
    """Two readers, of which it is given on which share of the images they know the class from the background alone,
    and from the foreground alone; they know it of all full images."""

    def tables(lab: Lab) -> Tables:
        loader, rows = lab.loader(preprocessing="paper").with_boxes().sample(lab.budget.images), []
        for family, known in (("vit", vit), ("cnn", cnn)):
            model = as_role(lab_model("cnn"), f"{name}_{family}", family)
            read = reader(model, loader, {"background": known[0], "foreground": known[1], "full": 1.0})
            rows.append(lab.rows("background", read, loader, images=len(loader), common_size=0)["background"])
        return [pd.concat(rows, ignore_index=True)]

    return Twin("background", name, tables, vit[0])


def reader(model: Model, loader: Loader, known: Mapping[str, float]) -> Model:
    """``model`` that answers the class on this share of the views of each condition, and else another class."""
    views = views_of(loader.images)
    make = Views(loader.images, preprocess(model.spec, loader.preprocessing), views)
    images = torch.stack([make(index) for index in loader.indices]).flatten(0, 1)
    labels = torch.from_numpy(loader.images.labels[loader.indices])
    classes = len(loader.images.classes)
    rng = np.random.default_rng(0)
    luck = torch.from_numpy(rng.random((len(loader), 1)))  # the same in all views: who knows less knows part of it
    knows = luck < torch.tensor([known[view.condition] for view in views])
    wrong = (labels + torch.from_numpy(rng.integers(2, classes - 1, len(labels)))) % classes
    answers = torch.where(knows, labels[:, None], wrong[:, None])
    logits = one_hot(answers.flatten(), classes).float()
    return plant_answers(model, Known(images), logits)


def filtering(name: str, vit: float | None, cnn: float | None) -> Twin:
    """The lab's ViT in both places, behind an ideal low-pass of this cut-off (a share of Nyquist), or none."""

    def tables(lab: Lab) -> Tables:
        loader, rows = lab.loader(), []
        for family, cutoff in (("vit", vit), ("cnn", cnn)):
            model = as_role(lab_model("vit"), f"{name}_{family}", family)
            if cutoff is not None:
                blind_to_detail(model.module, disc(model.spec.input_size, cutoff))
            rows.append(lab.rows("low_pass", model, loader, images=lab.budget.images, common_size=0)["low_pass"])
        return [pd.concat(rows, ignore_index=True)]

    return Twin("low_pass", name, tables, vit or 0.0)


def blind_to_detail(module: nn.Module, gain: Tensor) -> None:
    module.register_forward_pre_hook(lambda _module, inputs: (filtered(inputs[0], gain),))


def pictured(claim: str, name: str, cells: Callable[[Lab], Iterable[pd.DataFrame]], strength: float = 1.0) -> Twin:
    """Of a claim on visualizations: known pictures in their place."""
    return Twin(claim, name, lambda lab: [pd.concat(cells(lab), ignore_index=True)], strength)


def of_sites(lab: Lab, ffn: float, others: float) -> Iterable[pd.DataFrame]:
    """The lab's ViTs of all seeds, since one has but 64 queries, keys and values a block: a share of the features of
    `ffn`, and of query, key and value, has a picture of its own."""
    for seed, depth in product(range(3), DEPTHS):
        model = lab_model("vit", f"vit_s{seed}", seed=seed)
        for site in block_sites(model, depth, ("query", "key", "value", "ffn")):
            right = ffn if site.kind == "ffn" else others
            yield drawn(lab, model, site, right, "paper", depth)


def of_families(lab: Lab, right: float) -> Iterable[pd.DataFrame]:
    """The same of one site of each family of transformers."""
    for architecture in ("deit", "coat", "convit", "pit", "swin", "twins"):
        model = lab_model(architecture)
        (site,) = block_sites(model, "middle", ("ffn",))
        yield drawn(lab, model, site, right, "paper", "middle")


def of_recipes(lab: Lab, whole: float, less: float) -> Iterable[pd.DataFrame]:
    """The same of the whole recipes, and of all that lack a part."""
    model = lab_model("vit")
    (site,) = block_sites(model, "middle", ("ffn",))
    cells = {right: drawn(lab, model, site, right, "", "middle") for right in {whole, less}}
    for recipe in ("paper", "released"):
        yield cells[whole].assign(variant=recipe)
        for part in PARTS:
            yield cells[less].assign(variant=f"{recipe}-{part}")


def drawn(lab: Lab, model: Model, site: Site, right: float, variant: str, depth: str) -> pd.DataFrame:
    def prepare() -> Shown:
        return Shown(model, site, lab.loader().sample(lab.budget.images), lab.judge)

    table = lab.once((model.spec.name, site), prepare).table(lab.budget.features, right, variant, depth)
    return as_job_writes(table, model, "own")


def of_claim(claim: str) -> list[Twin]:
    """The twins of a claim, and steps of its ladder; none where it has none."""
    return [twin for twin in TWINS if twin.claim == claim]


def in_part(twins: Iterable[Twin]) -> list[Twin]:
    return [replace(twin, in_part=True) for twin in twins]


TRAINED = tuple(CONSTRAINTS)
GAINS = (0.5, 0.25, 0.125, 0.0625)
TWINS = (
    *(located(claim, name, partial(trained, name)) for claim in LOCALITY for name in TRAINED),
    *in_part(located("local_until_last", "late_all", partial(trained, "late_all", gain), gain) for gain in GAINS),
    *(mixed("isolated_cls", name) for name in TRAINED),
    *(mixed("head_on_patches", name) for name in ("late_all", "late_cls")),
    maps("reads_mask", 8.0, of_mask),
    *in_part(maps("reads_mask", strength, of_mask) for strength in (4.0, 2.0, 1.0)),
    maps("reads_contrast", 8.0, of_contrast),
    maps("reads_nothing", 0.0, of_mask),
    coded("rising", lambda blocks: np.linspace(0, 3, blocks)),
    coded("falling", lambda blocks: np.linspace(3, 0, blocks)),
    coded("even", lambda blocks: np.full(blocks, 1.5)),
    told("clip_alone", 4.0, 0.0),
    *in_part([told("clip_alone", 1.0, 0.0)]),
    told("both", 4.0, 4.0),
    told("neither", 0.0, 0.0),
    told("label_model_alone", 0.0, 4.0),
    readers("vit_reads_more", (0.5, 0.95), (0.3, 0.85)),
    readers("cnn_reads_more", (0.3, 0.85), (0.5, 0.95)),
    readers("same_readers", (0.4, 0.9), (0.4, 0.9)),
    filtering("coarse_vit", 1 / 4, None),
    *in_part([filtering("coarse_vit", 1 / 2, None)]),
    filtering("coarse_cnn", None, 1 / 4),
    filtering("same_network", None, None),
    pictured("ffn_over_qkv", "ffn_alone", partial(of_sites, ffn=1.0, others=0.0)),
    *in_part([pictured("ffn_over_qkv", "ffn_alone", partial(of_sites, ffn=HALF, others=0.0), HALF)]),
    pictured("ffn_over_qkv", "qkv_alone", partial(of_sites, ffn=0.0, others=1.0)),
    pictured("ffn_over_qkv", "all_right", partial(of_sites, ffn=1.0, others=1.0)),
    pictured("variants", "right", partial(of_families, right=1.0)),
    *in_part([pictured("variants", "right", partial(of_families, right=HALF), HALF)]),
    pictured("variants", "wrong", partial(of_families, right=0.0)),
    pictured("augmentations", "whole_alone", partial(of_recipes, whole=1.0, less=0.0)),
    *in_part([pictured("augmentations", "whole_alone", partial(of_recipes, whole=HALF, less=0.0), HALF)]),
    pictured("augmentations", "less_alone", partial(of_recipes, whole=0.0, less=1.0)),
    pictured("augmentations", "all_right", partial(of_recipes, whole=1.0, less=1.0)),
)
