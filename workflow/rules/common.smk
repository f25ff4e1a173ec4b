import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

BASE = Path(workflow.basedir)
# jobs run in the environment that Snakemake runs in, whether or not it is activated
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]), PYTHONPATH=str(BASE / "src")
)

try:
    from vitexplore.config import check_config, experiments_of, spec_of
    from vitexplore.errors import InputError
    from vitexplore.provenance import code_hash
except ModuleNotFoundError as error:
    raise WorkflowError(f"{error}; install the package first: pip install --no-deps -e .") from None

try:
    check_config(config, BASE / "workflow/schemas/scale.schema.yaml")
except InputError as error:
    raise WorkflowError(str(error)) from None

OUT = f"results/{config['scale']}"
PHOTOS = config["data"]["kind"] == "photos"
BOXES = config.get("boxes", "")
DATA = f"{OUT}/data/images.parquet"
DATA_FIGURE = "photos" if PHOTOS else "scenes"
WEIGHTS = "src/vitexplore/models/weights"

# folders of visualizations, and the parts of a scale that ask for them
VISUALIZED = {"visualizations": "visualize", "variants": "variants", "ablation": "ablation"}

# each claim's experiment, and the figures that its analysis draws; the rest of the paper's claims await theirs
CLAIMS = {
    "ffn_over_qkv": ("visualize", ["ffn_over_qkv", "ffn_over_qkv_ours", "ffn_over_qkv_scores"]),
    "depth_progression": None,
    "variants": ("variants", ["variants"]),
    "augmentations": ("ablation", ["augmentations", "augmentations_scores"]),
    "maps_localize": ("localization", ["maps_localize"]),
    "local_until_last": ("locality", ["local_until_last"]),
    "isolated_cls": ("token_mixing", ["isolated_cls"]),
    "head_on_patches": ("token_mixing", ["head_on_patches"]),
    "learned_pooling": None,
    "background": ("background", ["background"]),
    "low_pass": None,
    "language_concepts": None,
}


wildcard_constraints:
    model="[a-z0-9_]+",
    claim="[a-z_]+",
    depth="early|middle|late",
    recipe="lab_[a-z_]+",
    purpose="visualizations|variants|ablation",


def takes_part(experiment):
    """Names of the models that `experiment` runs on; those that need boxes run on none without."""
    if PHOTOS and not BOXES and experiment in ("localization", "background"):
        return []
    return [name for name, model in config["models"].items() if experiment in experiments_of(model)]


def spec(name):
    return json.dumps(spec_of(name, config["models"][name]))


def code(module):
    """For a rule's params: changes with the module's text and with all that it imports of the package."""
    return code_hash(module)


def budget(experiment, key):
    return config[experiment][key]


def folders(source):
    """The photographs' folder and their boxes', as options."""
    options = ["--photos", config["images" if source == "data" else "validation"]]
    return shlex.join(options + (["--boxes", BOXES] if BOXES and source == "data" else []))


def folder_state(source):
    """When pictures or boxes were last added or taken away, class by class."""
    roots = [Path(config["images" if source == "data" else "validation"]), Path(BOXES or "no boxes")]
    return [str(entry.stat().st_mtime) for root in roots if root.is_dir() for entry in sorted(root.iterdir())]


def images_of(experiment):
    """The data set of an experiment: Table 1 is about the validation images where the scale names them."""
    return f"{OUT}/validation/images.parquet" if experiment == "token_mixing" and config.get("validation") else DATA


def weights_of(name):
    """A model's weight files as inputs: another file under the same name reruns what read it."""
    model = config["models"][name]
    weights = model.get("weights", "pretrained")
    if weights not in ("pretrained", "random"):
        return [] if weights.startswith("package:") else [weights]
    if model["source"] != "lab" or weights == "random":
        return []
    stem = f"{WEIGHTS}/{model['architecture']}_s{model.get('seed', 0)}"
    return [f"{stem}.safetensors", f"{stem}.json"]


def training_curves_of():
    """The training curves of the scale's lab models."""
    weights = [path for name in config["models"] for path in weights_of(name) if path.startswith(WEIGHTS)]
    return sorted({path.replace(".json", ".csv") for path in weights if path.endswith(".json")})


def options(wildcards):
    """What an experiment's budget has beside `images` is an option of its command."""
    extra = {key: value for key, value in config[wildcards.experiment].items() if key != "images"}
    return " ".join(f"--{key} {value}" for key, value in extra.items())


def collected(name):
    """The kinds of sites whose most activating images are wanted: ffn alone for a model that is there as a variant."""
    wanted = set(experiments_of(config["models"][name]))
    return "ffn" if wanted == {"collect", "variants"} else "ffn query key value channel"


def judge_of(model):
    return config["judges"].get(model)


def judge_embeddings(wildcards):
    judge = judge_of(wildcards.model)
    return [f"{OUT}/activations/{judge}_embeddings.parquet", *weights_of(judge)] if judge else []


def judge_options(wildcards, input):
    judge = judge_of(wildcards.model)
    return f"--judge {shlex.quote(spec(judge))} --embeddings {input.judge[0]}" if judge else ""


def visualize_options(wildcards):
    """What a scale asks to be visualized for one of the three purposes."""
    wanted = config[VISUALIZED[wildcards.purpose]]
    words = ["--images", wanted["images"], "--features", wanted["features"], "--recipes", json.dumps(wanted["recipes"])]
    words += ["--sites", *wanted["sites"]] if "sites" in wanted else []
    words += ["--left-out", *wanted["left_out"]] if "left_out" in wanted else []
    return shlex.join([str(word) for word in [*words, "--seeds", wanted["seeds"]]])


def tables_of(experiment):
    """The tables of an experiment at this scale, one a model (and depth, for visualizations)."""
    models = takes_part(experiment)
    for folder, name in VISUALIZED.items():
        if name == experiment and models:
            depths = budget(experiment, "depths")
            return expand(f"{OUT}/{folder}/{{model}}_{{depth}}.parquet", model=models, depth=depths)
    return expand(f"{OUT}/{experiment}/{{model}}.parquet", model=models)


TESTED = [claim for claim in CLAIMS if claim in config["claims"] and tables_of(CLAIMS[claim][0])]


def results():
    """All that `rule all` wants."""
    visualized, depths = takes_part("visualize"), budget("visualize", "depths")
    figures = [DATA_FIGURE] if PHOTOS else [DATA_FIGURE, "training"]
    figures += [f"visualizations_{model}_{depth}" for model in visualized for depth in depths]
    figures += [f"top_images_{model}" for model in visualized]
    figures += [
        f"background_feature_{model}"
        for model in takes_part("localization")
        if config["models"][model]["family"] == "vit"
    ]
    tables = [f"{OUT}/claims.csv", f"{OUT}/claims.md"]
    if takes_part("background"):
        tables.append(f"{OUT}/tables/background.csv")
    return tables + [f"{OUT}/figures/{figure}.png" for figure in figures]
