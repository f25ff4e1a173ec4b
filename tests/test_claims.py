"""Each claim's analysis finds what was planted in its table, and nothing where nothing was."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from vitexplore.claims import text as texts  # pytest would take its function `tested` for a test
from vitexplore.claims.check import check
from vitexplore.claims.decide import COLUMNS, Measured, NotTested, not_tested, pooled, run_analysis, statement_rows
from vitexplore.claims.render import claims_table, to_caption, to_markdown
from vitexplore.claims.text import ORDER, Claim, claims_in_order, read_claim
from vitexplore.claims.write import write_claim, write_claims
from vitexplore.errors import InputError
from vitexplore.graph import Graph
from vitexplore.scale import parse
from vitexplore.stats import RESAMPLES

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "workflow/schemas/claim.schema.yaml"
CLAIMS = sorted(path.parent.name for path in ROOT.glob("analyses/*/claim.yaml"))
IMAGES = 400


def claim_of(name):
    return read_claim(ROOT / "analyses" / name, SCHEMA)


def verdict_of(name, table):
    claim = claim_of(name)
    return statement_rows(claim, run_analysis(claim, table), "lab")[0]["verdict"]


def about(model, family, random=False, **columns):
    frame = pd.DataFrame(columns)
    named = {"model": model, "family": family, "architecture": f"lab/lab_{family}", "training_seed": 0}
    return frame.assign(**named, random_weights=random, classes=16)


def ranks(rng, accuracy, count=IMAGES):
    """Ranks among 16 classes whose top-1 and top-2 accuracy are both ``accuracy``."""
    return np.where(rng.random(count) < accuracy, 0, 9).astype(np.int16)


def background_table(vit, cnn, blurred=None):
    """``vit``, ``cnn``: accuracy on full, foreground, background; ``blurred``: the ViT's where the fill is a blur. The
    mean image gets one answer for all, as it does from any model: the labels, in turn, decide."""
    rng = np.random.default_rng(0)
    answers = {}
    for family, accuracies in (("vit", vit), ("cnn", cnn)):
        answers[family, "full", "", ""] = ranks(rng, accuracies[0])
        answers[family, "mean_image", "", ""] = np.arange(IMAGES) % 16
        for fill in ("black", "mean", "blur"):
            kept = blurred if blurred and fill == "blur" and family == "vit" else accuracies
            for condition, accuracy in zip(("foreground", "background"), kept[1:], strict=True):
                answers[family, condition, fill, "boxes"] = ranks(rng, accuracy)
    common = {"image": np.arange(IMAGES), "size": "own", "cropped": 0.0}
    return pd.concat(
        about(family, family, condition=condition, fill=fill, along=along, rank=rank, **common)
        for (family, condition, fill, along), rank in answers.items()
    )


def low_pass_table(vit, cnn, cnn_gaussian=None):
    """``vit``, ``cnn``: accuracy at each of four strengths, the weakest filter last; 0.98 unfiltered."""
    rng = np.random.default_rng(0)
    frames = []
    for family, course in (("vit", vit), ("cnn", cnn)):
        for filter in ("none", "disc", "gaussian"):
            curve = cnn_gaussian if cnn_gaussian and (family, filter) == ("cnn", "gaussian") else course
            levels = {0.0: 0.98} if filter == "none" else dict(zip((0.05, 0.1, 0.3, 0.5), curve, strict=True))
            for strength, accuracy in levels.items():
                columns = {"filter": filter, "strength": strength, "size": "own", "image": np.arange(IMAGES)}
                others = ranks(rng, 1 / 16)
                frames.append(about(family, family, rank=ranks(rng, accuracy), rank_permuted=others, **columns))
    return pd.concat(frames)


def pooling_table(trained, random):
    """``trained``, ``random``: entropy by block, which R2 follows."""
    rng = np.random.default_rng(0)
    frames = []
    for model, course in (("vit", trained), ("vit_random", random)):
        for block, value in enumerate(course):
            total = rng.uniform(1, 2, IMAGES)
            for query in ("cls", "patches"):
                values = {
                    "entropy": value + rng.normal(0, 0.02, IMAGES),
                    "residual": (1 - value) * total,
                    "total": total,
                }
                for name, column in values.items():
                    columns = {
                        "block": block,
                        "measure": f"{name}_{query}",
                        "image": np.arange(IMAGES),
                        "value": column,
                    }
                    frames.append(about(model, "vit", model == "vit_random", **columns))
    return pd.concat(frames)


def token_table(isolated, patches, mean_patch, exchanged, random_patches=1 / 16, grid=(2, 2)):
    """``isolated``: accuracy for each k; the others' at each position, with the third a little above the mean."""
    rng = np.random.default_rng(0)
    frames = []
    for model, is_random in (("vit", False), ("vit_random", True)):
        scores = {("isolated_cls", k): 1 / 16 if is_random else a for k, a in enumerate(isolated)}
        scores["cls_only", 0] = 1 / 16
        scores["head_on_random_patch", 0] = scores["head_on_mean_token", 0] = 1 / 16 if is_random else mean_patch
        for at in range(grid[0] * grid[1]):
            scores["head_on_patch", at] = random_patches if is_random else patches + (0.08 if at == 2 else 0)
            scores["exchanged_patch", at] = exchanged
        scores["head_on_mean_patch", 0] = random_patches if is_random else mean_patch
        frames += [
            about(model, "vit", is_random, surgery=s, at=at, image=np.arange(IMAGES), rank=ranks(rng, a))
            for (s, at), a in scores.items()
        ]
    table = pd.concat(frames).assign(grid_height=grid[0], grid_width=grid[1])
    natural = table[(table["surgery"] == "isolated_cls") & (table["at"] == 0)]
    return pd.concat([natural.assign(surgery="natural"), table])


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


def maps_table(quality):
    """4 blocks of 20 features; ``quality``: AUROC of the good features' own maps, half of them with the other sign."""
    rng = np.random.default_rng(0)
    frames = []
    for block in range(4):
        signs = np.where(np.arange(20) % 2, 1, -1)
        own = 0.5 + signs * (quality - 0.5) + rng.normal(0, 0.05, (IMAGES, 20))
        columns = {
            "block": block,
            "feature": np.tile(np.arange(20), IMAGES),
            "image": np.repeat(np.arange(IMAGES), 20),
            "auroc": own.reshape(-1),
            "control": rng.normal(0.5, 0.05, IMAGES * 20),
        }
        frames.append(about("vit", "vit", **columns))
    return pd.concat(frames)


def visualization_table(ffn, qkv, random_ffn, energy_gap):
    """``ffn`` and ``qkv``: identification; ``energy_gap``: high-frequency share of q, k, v over ffn's."""
    rng = np.random.default_rng(0)
    frames = []
    for model, is_random in (("vit", False), ("vit_random", True)):
        for site in ("query", "key", "value", "ffn"):
            for block, depth in enumerate(("early", "middle", "late")):
                level = (random_ffn if is_random else ffn) if site == "ffn" else qkv
                energy = 0.3 + (energy_gap if site != "ffn" and not is_random else 0)
                columns = {
                    "site": site,
                    "variant": "paper",
                    "percentile": 0.9,
                    "path_agreement": 0.5,
                    "interpretability": 0.9,
                    "block": block,
                    "depth": depth,
                    "feature": np.arange(12),
                    "score": 1.0,
                    "natural": 0.5,
                    "identification_natural": 0.9,
                    "identification": np.clip(rng.normal(level, 0.05, 12), 0, 1),
                    "high_frequency": rng.normal(energy, 0.02, 12),
                    "picture": [png()] * 12,
                }
                frames.append(about(model, "vit", is_random, **columns))
    return pd.concat(frames)


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


def scored(rng, identification, **columns):
    """Twelve features' rows of the table `visualize` with this identification."""
    filler = dict.fromkeys(
        ("high_frequency", "path_agreement", "interpretability", "seed_agreement", "percentile"), 0.5
    )
    return {
        **filler,
        "feature": np.arange(12),
        "block": 4,
        "variant": "paper",
        "natural": 1.0,
        "score": 2.0,
        "score_other": 0.1,
        "identification_natural": 0.9,
        "identification": np.clip(rng.normal(identification, 0.05, 12), 0, 1),
        "picture": [png()] * 12,
        **columns,
    }


def variants_table(identification, random, own, other):
    """``own``, ``other``: activation by a feature's own picture and by the next one's, the best image's being 1."""
    rng = np.random.default_rng(0)
    frames = [
        about(f"{family}{suffix}", "vit", bool(suffix), **scored(rng, level, score=own, score_other=other))
        for family in ("swin", "pit")
        for suffix, level in (("", identification), ("_random", random))
    ]
    return pd.concat(frames)


def ablation_table(loss, random_loss):
    """``loss``: identification lost with each part."""
    rng, frames = np.random.default_rng(0), []
    for model, is_random in (("vit", False), ("vit_random", True)):
        for recipe in ("paper", "released"):
            for part in ("", "tv", "jitter", "colour_shift", "gaussian", "ensembling"):
                level = 0.8 - (random_loss if is_random else loss) * bool(part)
                variant = f"{recipe}-{part}" if part else recipe
                frames.append(about(model, "vit", is_random, **scored(rng, level, variant=variant)))
    return pd.concat(frames)


GRADUAL, SUDDEN = np.linspace(0.1, 0.9, 8), np.array([0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.22, 0.9])


def concept_table(clip, vit, shuffled, categories=None):
    """How many of each block's 256 features code each caption's concept in the three models; ``categories``: how many
    code each category in CLIP, where that differs."""
    concepts = [(name, "caption", 1) for name in ("many", "before and after", "from above", "at night")]
    concepts += [(name, "category", 2) for name in ("animal", "plant", "tool", "vehicle")]
    rows = []
    for model, family, coded in (("clip", "clip", clip), ("clip_shuffled", "clip", shuffled), ("vit", "vit", vit)):
        mine = []
        for name, kind, folds in concepts:
            count = categories if categories is not None and (model, kind) == ("clip", "category") else coded
            resamples = np.random.default_rng(0).binomial(256, count / 256, size=(4, folds, RESAMPLES))
            for block in range(4):
                for fold in range(folds):
                    row = {
                        "block": block,
                        "concept": name,
                        "kind": kind,
                        "fold": fold,
                        "features": 256,
                        "coded": count,
                        "threshold": 0.9,
                    }
                    row |= {"resamples": resamples[block, fold], "best": 3, "found": 0.95 - 0.01 * block}
                    mine.append(row | {"held_out": 0.94, "deviation": 0.01, "positives": 100, "others": 400})
        rows.append(about(model, family, **pd.DataFrame(mine).to_dict("list")))
        rows[-1]["architecture"] = f"lab/lab_{model}"
    return pd.concat(rows, ignore_index=True)


def depth_table(slope, random_slope):
    """By ``slope``, information on the class rises and that on texture falls from block to block of eight."""
    rng = np.random.default_rng(0)
    rows = []
    for model, rise, random in (("vit", slope, False), ("vit_random", random_slope, True)):
        block = np.repeat(np.arange(8), 30)
        columns = {"block": block, "feature": np.tile(np.arange(30), 8), "explained_by": "class", "purity_class": 0.5}
        columns["information_class"] = 0.1 * rise * block + 0.2 * rng.random(240)
        columns["information_texture"] = -0.1 * rise * block + 0.2 * rng.random(240)
        rows.append(about(model, "vit", random, **columns))
    return pd.concat(rows, ignore_index=True)


PLANTED = [
    ("background", background_table((0.98, 0.9, 0.4), (0.98, 0.7, 0.2)), "reproduced"),
    ("background", background_table((0.98, 0.7, 0.2), (0.98, 0.9, 0.4)), "not reproduced"),
    ("background", background_table((0.98, 0.9, 0.2), (0.98, 0.7, 0.4)), "partly"),
    (
        "background",
        background_table((0.98, 0.9, 0.4), (0.98, 0.7, 0.2), (0.98, 0.6, 0.1)),
        "partly",
    ),  # the fill decides
    ("low_pass", low_pass_table((0.3, 0.6, 0.9, 0.98), (0.1, 0.3, 0.6, 0.9)), "reproduced"),
    ("low_pass", low_pass_table((0.1, 0.3, 0.6, 0.9), (0.3, 0.6, 0.9, 0.98)), "not reproduced"),
    ("low_pass", low_pass_table((0.3, 0.6, 0.9, 0.98), (0.1, 0.3, 0.6, 0.9), (0.6, 0.9, 0.98, 0.98)), "partly"),
    ("learned_pooling", pooling_table((0.2, 0.3, 0.3, 0.9), (0.2, 0.3, 0.45, 0.4)), "reproduced"),
    ("learned_pooling", pooling_table((0.2, 0.9, 0.3, 0.4), (0.2, 0.3, 0.45, 0.4)), "not reproduced"),
    ("learned_pooling", pooling_table((0.2, 0.3, 0.3, 0.9), (0.2, 0.3, 0.3, 0.9)), "not reproduced"),  # so does chance
    ("isolated_cls", token_table((0.9, 0.9, 0.9, 0.88, 0.06), 0.5, 0.5, 0.06), "reproduced"),
    ("isolated_cls", token_table((0.9, 0.5, 0.3, 0.1, 0.06), 0.5, 0.5, 0.06), "not reproduced"),
    ("isolated_cls", token_table((0.9, 0.9, 0.9, 0.88, 0.88), 0.5, 0.5, 0.06), "not reproduced"),  # control passes
    ("head_on_patches", token_table((0.9, 0.5), 0.85, 0.88, 0.06), "reproduced"),
    ("head_on_patches", token_table((0.9, 0.5), 0.3, 0.3, 0.06), "not reproduced"),
    ("head_on_patches", token_table((0.9, 0.5), 0.85, 0.88, 0.85), "partly"),  # exchanged patches know it too
    ("local_until_last", locality_table(SUDDEN, GRADUAL), "reproduced"),
    ("local_until_last", locality_table(GRADUAL, GRADUAL), "not reproduced"),
    ("local_until_last", locality_table(SUDDEN, SUDDEN), "not reproduced"),  # so does a random network
    ("maps_localize", maps_table(0.9), "reproduced"),
    ("maps_localize", maps_table(0.5), "not reproduced"),
    ("ffn_over_qkv", visualization_table(0.95, 0.6, 0.6, 0.2), "reproduced"),
    ("ffn_over_qkv", visualization_table(0.6, 0.6, 0.6, 0.0), "not reproduced"),
    ("ffn_over_qkv", visualization_table(0.95, 0.6, 0.95, 0.2), "partly"),  # random weights do as well
    ("variants", variants_table(0.9, 0.5, 2.0, 0.1), "reproduced"),
    ("variants", variants_table(0.5, 0.5, 0.5, 0.1), "not reproduced"),
    ("variants", variants_table(0.9, 0.9, 2.0, 0.1), "partly"),  # a judge names random networks' features as well
    ("variants", variants_table(0.9, 0.5, 2.0, 2.0), "partly"),  # any picture drives any feature
    ("language_concepts", concept_table(40, 0, 0), "reproduced"),
    ("language_concepts", concept_table(0, 0, 0), "not reproduced"),
    ("language_concepts", concept_table(40, 40, 0), "not reproduced"),  # labels do as well
    ("language_concepts", concept_table(40, 0, 40), "not reproduced"),  # so do other images' captions
    ("language_concepts", concept_table(40, 0, 0, categories=0), "partly"),
    ("depth_progression", depth_table(1, 0), "reproduced"),
    ("depth_progression", depth_table(0, 0), "not reproduced"),
    ("depth_progression", depth_table(-1, 0), "not reproduced"),
    ("depth_progression", depth_table(1, 1), "not reproduced"),  # so does a random network
    ("augmentations", ablation_table(0.3, 0.0), "reproduced"),
    ("augmentations", ablation_table(-0.1, 0.0), "not reproduced"),
    ("augmentations", ablation_table(0.3, 0.3), "not reproduced"),  # so do random weights
]


@pytest.mark.parametrize(("name", "table", "verdict"), PLANTED, ids=[f"{n}-{v}" for n, _, v in PLANTED])
def test_analysis_finds_what_was_planted(name, table, verdict):
    assert verdict_of(name, table) == verdict


def test_every_claim_is_planted_both_ways():
    found = {(name, verdict) for name, _, verdict in PLANTED}
    assert {(name, v) for name in CLAIMS for v in ("reproduced", "not reproduced")} <= found


@pytest.mark.parametrize("name", CLAIMS)
def test_claim_without_its_models_is_not_tested(name):
    table = next(table for planted, table, _ in PLANTED if planted == name)
    with pytest.raises(NotTested):
        run_analysis(claim_of(name), table.assign(family="cnn", random_weights=False))


@pytest.mark.parametrize("name", CLAIMS)
def test_expectations_are_of_statements_that_the_claim_makes(name):
    claim = claim_of(name)
    for scale, expected in claim.text["expected"].items():
        assert set(expected["values"]) == set(claim.statements), scale


def test_background_paper_numbers_follow_from_table_2():
    table = pd.read_csv(ROOT / "analyses/background/reference.csv")
    vit = table["model"].str.startswith("vit")
    for statement, column in (
        ("background_alone", "norm_background_top5"),
        ("foreground_alone", "norm_foreground_top5"),
    ):
        gap = (table.loc[vit, column].mean() - table.loc[~vit, column].mean()) / 100
        assert claim_of("background").statements[statement]["paper"] == pytest.approx(gap, abs=5e-4)


def test_token_mixing_paper_numbers_follow_from_table_1():
    mixing = pd.read_csv(ROOT / "analyses/head_on_patches/reference.csv").set_index(["model", "measure"])["top1"]
    base = mixing["vit_base_patch16_384"]
    isolated = pd.read_csv(ROOT / "analyses/isolated_cls/isolating_cls.csv")
    at = isolated.set_index("cls_inserted_before_block")["top1"]
    chance = 0.1
    for claim, statement, top1 in (
        ("head_on_patches", "mean_position", base["patch_average"]),
        ("head_on_patches", "best_position", base["patch_maximum"]),
        ("head_on_patches", "mean_patch", base["head_on_mean_of_patches"]),
        ("isolated_cls", "last_block", at[11]),
        ("isolated_cls", "half_way", at[6]),
    ):
        share = (top1 - chance) / (base["natural"] - chance)
        assert claim_of(claim).statements[statement]["paper"] == pytest.approx(share, abs=6e-4)


def test_values_are_compared_at_paper_scale_only():
    claim = claim_of("isolated_cls")
    table = token_table((0.9, 0.9, 0.9, 0.88, 0.06), 0.5, 0.5, 0.06)
    assert {row["compared"] for row in statement_rows(claim, run_analysis(claim, table), "lab")} == {"direction"}
    assert {row["compared"] for row in statement_rows(claim, run_analysis(claim, table), "paper")} == {"direction"}
    table["model"] = table["model"].replace("vit", "vit_b16")  # whose number the paper prints
    paper = statement_rows(claim, run_analysis(claim, table), "paper")[0]
    assert paper["compared"] == "value"
    assert paper["difference"] == pytest.approx(paper["measured"] - 0.934)


def test_a_statement_holds_only_if_it_holds_for_each_training_seed():
    good, bad = low_pass_table((0.3, 0.6, 0.9, 0.98), (0.1, 0.3, 0.6, 0.9)), low_pass_table((0.3,) * 4, (0.9,) * 4)
    seeds = [good, good.assign(training_seed=1), bad.assign(training_seed=2)]
    named = [table.assign(model=table["model"] + f"_s{seed}") for seed, table in enumerate(seeds)]
    claim = claim_of("low_pass")
    two = statement_rows(claim, run_analysis(claim, pd.concat(named[:2])), "lab")
    assert [row["holds"] for row in two] == ["holds", "holds"]
    assert two[0]["each"].startswith("seed 0 0.") and ", seed 1 0." in two[0]["each"]
    three = statement_rows(claim, run_analysis(claim, pd.concat(named)), "lab")
    assert [row["holds"] for row in three] == ["fails", "fails"]
    assert three[0]["measured"] < 0 < two[0]["measured"]  # the least favourable is shown


def test_table_lists_what_was_not_tested_and_counts_chance(tmp_path):
    claim = claim_of("maps_localize")
    rows = statement_rows(claim, run_analysis(claim, maps_table(0.9)), "lab")
    (tmp_path / "a.json").write_text(json.dumps(rows))
    table = claims_table([tmp_path / "a.json"], [not_tested("variants", "no run at this scale")])
    assert list(table.columns) == COLUMNS
    assert list(table["verdict"]) == ["reproduced", "", "not tested"]
    markdown = to_markdown(table)
    assert "2 statements; about 0.1 of them" in markdown
    assert "| variants | no run at this scale |" in markdown
    caption = to_caption(claim, rows)
    assert "reproduced" in caption and f"{rows[0]['measured']:.3f}" in caption


def test_claim_yaml_with_an_unknown_key_is_refused(tmp_path):
    text = yaml.safe_load((ROOT / "analyses/background/claim.yaml").read_text())
    (tmp_path / "claim.yaml").write_text(yaml.safe_dump(text | {"verdict": "reproduced"}))
    with pytest.raises(InputError, match="verdict"):
        read_claim(tmp_path, SCHEMA)


def test_analysis_that_leaves_a_statement_out_is_refused(tmp_path):
    claim = claim_of("background")
    (tmp_path / "claim.yaml").write_text((claim.folder / "claim.yaml").read_text())
    (tmp_path / "analysis.py").write_text(
        "import pandas as pd\nfrom vitexplore.claims.decide import Analysis\n"
        "def analyse(table):\n    return Analysis({}, pd.DataFrame())\n"
    )
    with pytest.raises(InputError, match="same statements"):
        run_analysis(read_claim(tmp_path, SCHEMA), pd.DataFrame())


NAMED = [
    ("deit", "timm/deit_base", False, 0, "deit"),
    ("deit_s16", "timm/deit_small", False, 0, "deit_s16"),  # no 16th training seed of deit
    ("first", "lab/lab_vit", False, 0, "first"),
    ("second", "lab/lab_vit", False, 1, "first"),
    ("random", "lab/lab_vit", True, 1, "random"),
    ("other", "lab/lab_vit", False, 0, "other"),  # other weights, not another seed
]


def test_training_seeds_are_told_by_columns_and_not_by_names():
    models = pd.DataFrame(NAMED, columns=["model", "architecture", "random_weights", "training_seed", "pooled"])
    assert list(pooled(models)["model"]) == list(models["pooled"])
    summary = pd.DataFrame({"model": ["second", "deit_s16"], "value": [1, 2]})
    assert pooled(models, summary).to_dict("list") == {"model": ["first", "deit_s16"], "value": [1, 2]}


def test_depth_progression_has_a_panel_for_each_model_of_the_first_training_seed():
    vit, random = (mine for _, mine in depth_table(1, 0).groupby("model"))
    others = [
        vit.assign(model=model, architecture=architecture, training_seed=seed)
        for model, architecture, is_random, seed, _ in NAMED
        if not is_random
    ]
    figure = run_analysis(claim_of("depth_progression"), pd.concat([*others, random])).figures["depth_progression"]
    assert [axis.get_title() for axis in figure.axes] == ["deit", "deit_s16", "first", "other", "vit_random"]


def test_the_map_of_positions_has_the_models_grid():
    table = token_table((0.9, 0.5), 0.5, 0.5, 0.06, grid=(5, 7))
    at = table["surgery"].eq("head_on_patch") & ~table["random_weights"]
    table.loc[at, "rank"] = np.where(table.loc[at, "at"] == 9, 0, 9).astype(np.int16)
    picture = run_analysis(claim_of("head_on_patches"), table).figures["head_on_patches"].axes[0].images[0].get_array()
    assert picture.shape == (5, 7)
    assert picture[1, 2] == 100 and picture.sum() == 100


def test_language_concepts_shows_models_of_any_name():
    table = concept_table(40, 0, 0)
    table["model"] = table["model"].replace("clip", "clip_rn50")
    figure = run_analysis(claim_of("language_concepts"), table).figures["language_concepts"]
    shown = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert shown == ["clip_shuffled", "vit", "clip_rn50"]


# --- which claims a scale tests, and what is written of them


def graph_of(claims, **experiments) -> Graph:
    vit = {"source": "lab", "architecture": "lab_vit", "family": "vit"}
    models = {"vit": vit, "vit_random": vit | {"weights": "random", "beside": "vit"}}
    scale = {"scale": "made", "data": {"kind": "scenes"}, "models": models, "claims": claims}
    return Graph(parse(scale | {"experiments": experiments}), ROOT)


def test_the_papers_claims_come_in_its_order():
    claims = claims_in_order(ROOT / "analyses")
    assert tuple(claims) == ORDER and set(ORDER) == set(CLAIMS)
    assert (claims["depth_progression"].experiment, claims["depth_progression"].table) == ("concepts", "features")
    assert claims["low_pass"].table == "low_pass"


def test_a_claim_that_awaits_its_analysis_is_listed_and_others_follow(tmp_path):
    text = yaml.safe_load((ROOT / "analyses/variants/claim.yaml").read_text())
    for name in ("my_claim", "variants"):
        (tmp_path / "analyses" / name).mkdir(parents=True)
        (tmp_path / "analyses" / name / "claim.yaml").write_text(yaml.safe_dump(text))
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    claims = claims_in_order(tmp_path / "analyses")
    assert tuple(claims) == (*ORDER, "my_claim")
    assert [name for name, claim in claims.items() if claim] == ["variants", "my_claim"]


def test_a_claim_is_tested_where_the_scale_names_it_and_makes_its_table():
    claims = claims_in_order(ROOT / "analyses")
    named = ["low_pass", "local_until_last", "isolated_cls"]
    assert texts.tested(graph_of(named, locality={}, low_pass={}), claims) == ["local_until_last", "low_pass"]
    assert texts.tested(graph_of(["low_pass"], locality={}, low_pass={}), claims) == ["low_pass"]


def test_a_claim_that_does_not_exist_is_refused():
    graph = graph_of(["low_pass", "low_pas"], low_pass={})
    with pytest.raises(InputError, match=r"claims\.1: 'low_pas' is not one of analyses/\*; did you mean low_pass\?"):
        texts.tested(graph, claims_in_order(ROOT / "analyses"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"experiment": "localty"}, "no experiment makes a table 'localty'"),
        ({"experiment": "locality", "table": "features"}, "the table 'features' is made by concepts, not locality"),
    ],
)
def test_a_claim_about_a_table_that_is_not_made_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        texts.tested(graph_of(["mine"], locality={}), {"mine": Claim(ROOT / "analyses/mine", text)})


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A scale about one claim, whose table is made, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    graph = graph_of(["local_until_last"], locality={})
    (path,) = graph.tables("locality")
    path.parent.mkdir(parents=True)
    locality_table(SUDDEN, GRADUAL).to_parquet(path)
    return graph


def test_a_claims_files_are_written(written):
    write_claim(written, "local_until_last")
    write_claims(written)
    rows = json.loads((written.out / "claims/local_until_last.json").read_text())
    assert rows[0]["verdict"] == "reproduced"
    assert "Verdict: **reproduced**" in (written.out / "claims/local_until_last.rst").read_text()
    summary = pd.read_csv(written.summary("claim_local_until_last"))
    assert list(summary) == ["model", "measure", "block", "mean", "n"]
    assert written.figure("local_until_last").exists()
    table = pd.read_csv(written.out / "claims.csv")
    others = [name for name in ORDER if name != "local_until_last"]
    assert list(table["claim"].unique()) == ["local_until_last", *others]
    assert (table[table["claim"] == "low_pass"]["statement"] == "no run at this scale").all()
    assert "| low_pass | no run at this scale |" in (written.out / "claims.md").read_text()


def test_a_claim_without_its_models_has_all_its_files(written):
    (path,) = written.tables("locality")
    pd.read_parquet(path).assign(random_weights=False).to_parquet(path)
    write_claim(written, "local_until_last")
    (row,) = json.loads((written.out / "claims/local_until_last.json").read_text())
    assert row["verdict"] == "not tested" and row["statement"].startswith("needs a ViT classifier")
    assert list(pd.read_csv(written.summary("claim_local_until_last"))) == ["not_tested"]
    assert written.figure("local_until_last").exists()


@pytest.mark.parametrize(("change", "code"), [(0.0, 0), (0.5, 1), (np.nan, 2)])
def test_check_says_by_its_code_what_differs(tmp_path, capsys, change, code):
    rows = [
        {"claim": name, "statement": statement, "measured": want["value"], "values": None}
        for name, claim in claims_in_order(ROOT / "analyses").items()
        for statement, want in claim.text["expected"]["smoke"]["values"].items()
    ]
    rows[3]["measured"] += change
    pd.DataFrame(rows).to_csv(tmp_path / "claims.csv", index=False)
    assert check(tmp_path / "claims.csv", ROOT / "analyses", "smoke") == code
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(rows)
    assert said[3].startswith(("same ", "DRIFTED", "MISSING")[code])


def test_check_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such table; run the scale first"):
        check(tmp_path / "claims.csv", ROOT / "analyses", "smoke")
    pd.DataFrame(columns=["claim", "statement", "measured", "values"]).to_csv(tmp_path / "claims.csv", index=False)
    with pytest.raises(InputError, match="no claim expects anything at scale 'nowhere'"):
        check(tmp_path / "claims.csv", ROOT / "analyses", "nowhere")


def test_not_finite_number_is_never_a_verdict():
    from vitexplore.stats import Estimate, decide

    broken = Measured({"vit": Estimate(np.nan, np.nan, np.nan, "3 images")}, Estimate(0, 0, 0, ""))
    with pytest.raises(ValueError, match="not finite"):
        decide(list(broken.estimates.values()), broken.control, "above", 0.5)
