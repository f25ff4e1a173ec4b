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
    from vitexplore.config import check_config, claims_of, experiments_of, groups_of, spec_of
    from vitexplore.data.layouts import folder_state as state_of
    from vitexplore.errors import InputError
    from vitexplore.provenance import code_hash
except ModuleNotFoundError as error:
    raise WorkflowError(f"{error}; install the package first: pip install --no-deps -e .") from None

try:
    check_config(config, BASE / "workflow/schemas/scale.schema.yaml")
    # each claim's experiment, and the figures that its analysis draws
    ANALYSED = claims_of(BASE / "analyses", BASE / "workflow/schemas/claim.schema.yaml")
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

# the claims table: the paper's claims in its order, those that await their analysis too; then any other, by name
OF_PAPER = ["ffn_over_qkv", "depth_progression", "variants", "augmentations", "maps_localize", "local_until_last"]
OF_PAPER += ["isolated_cls", "head_on_patches", "learned_pooling", "background", "low_pass", "language_concepts"]
CLAIMS = dict.fromkeys(OF_PAPER) | ANALYSED


wildcard_constraints:
    model="[a-z0-9_]+",
    claim="[a-z_]+",
    depth="early|middle|late",
    recipe="lab_[a-z_]+",
    seed="[0-9]+",
    purpose="visualizations|variants|ablation",


def takes_part(experiment):
    """Names of the models that `experiment` runs on: none without a budget, nor without the boxes that some need."""
    if experiment not in config:
        return []
    if PHOTOS and not BOXES and experiment in ("localization", "background"):
        return []
    return [name for name, model in config["models"].items() if experiment in experiments_of(model)]


def downloaded(model):
    """The file that the rule `prefetch_model` makes of a model's published weights; none for a model without."""
    if model["source"] == "lab" or model.get("weights", "pretrained") != "pretrained":
        return []
    name = "_".join([model["source"], *Path(model["architecture"]).parts])
    return [f"{config.get('weights', 'weights')}/{name}.safetensors"]


def published_spec(published):
    """The model whose weights `prefetch_model` saves under this name."""
    for name, model in config["models"].items():
        if any(Path(path).stem == published for path in downloaded(model)):
            return json.dumps(spec_of(name, model))
    raise WorkflowError(f"no model of this scale has published weights {published}")


def spec(name):
    """The model as its jobs want it: nothing but `prefetch_model` reads weights from the network."""
    model = config["models"][name]
    files = downloaded(model)
    return json.dumps(spec_of(name, model | {"weights": files[0]} if files else model))


def code(module):
    """For a rule's params: changes with the module's text and with all that it imports of the package."""
    return code_hash(module)


def budget(experiment, key):
    return config[experiment][key]


def read_by_index(source):
    """What `index` reads, by option. `labels` is for the validation photographs where the scale names them."""
    read = {"--photos": config["images" if source == "data" else "validation"]}
    if BOXES and source == "data":
        read["--boxes"] = BOXES
    if config.get("labels") and source == ("validation" if config.get("validation") else "data"):
        read["--labels"] = config["labels"]
    return read


def folders(source):
    """What `index` reads, and how much it is to find there, as options."""
    wanted = config.get("expected", {})
    counts = {"--expected": wanted.get(source), "--classes": wanted.get("classes")}
    given = read_by_index(source) | {option: str(count) for option, count in counts.items() if count}
    return shlex.join(word for pair in given.items() for word in pair)


def folder_state(source):
    """When that last changed (see `vitexplore.data.layouts.folder_state`)."""
    return state_of(map(Path, read_by_index(source).values()))


def images_of(experiment):
    """The data set of an experiment: Table 1 and Fig. 14 are about the validation images where the scale names them."""
    of_validation = experiment in ("token_mixing", "low_pass") and config.get("validation")
    return f"{OUT}/validation/images.parquet" if of_validation else DATA


def weights_of(name):
    """A model's weight files as inputs: another file under the same name reruns what read it."""
    model = config["models"][name]
    weights = model.get("weights", "pretrained")
    if files := downloaded(model):
        return files
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
    """The kinds of sites whose most activating images are wanted: ffn alone where no other is visualized."""
    wanted = set(experiments_of(config["models"][name]))
    return "ffn" if "visualize" not in wanted else "ffn query key value channel"


def shards_of(wildcards):
    """The parts of the data that `collect` merges; none where one job does it all."""
    shards, path = budget("collect", "shards"), f"{OUT}/activations/shards/{{model}}_{{shard}}.npz"
    return expand(path, model=wildcards.model, shard=range(shards)) if shards > 1 else []


def top_of(wildcards):
    """The most activating images of a model that takes part in `collect`; else none."""
    taking_part = wildcards.model in takes_part("collect")
    return expand(rules.collect.output.top, model=wildcards.model) if taking_part else []


def top_options(wildcards, input):
    found = f"--top-images {budget('collect', 'images')} --k {budget('collect', 'k')}"
    return f"--top {input.top}" if input.top else found


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


def depths_of(model, experiment):
    return config["models"][model].get("depths", budget(experiment, "depths"))


def groups(experiment):
    """The models of each of an experiment's tables, by the table's name. `features` is the other table of `concepts`."""
    return groups_of(config["models"], takes_part("concepts" if experiment == "features" else experiment))


def members(experiment, model):
    """The models of one table; a name that leads no group has a table of its own, for those who ask for it."""
    return groups(experiment).get(model, [model])


def table_of(experiment, model):
    """The table that has a model's rows."""
    leader = next((leader for leader, beside in groups(experiment).items() if model in beside), model)
    return f"{OUT}/{experiment}/{leader}.parquet"


def tables_of(experiment):
    """The tables of an experiment at this scale: one a group of models or, for visualizations, a model and depth."""
    models = takes_part(experiment)
    for folder, name in VISUALIZED.items():
        if name == experiment and models:
            return [f"{OUT}/{folder}/{model}_{depth}.parquet" for model in models for depth in depths_of(model, name)]
    return expand(f"{OUT}/{experiment}/{{model}}.parquet", model=groups(experiment))


def random(model):
    return config["models"][model].get("weights") == "random"


def explained():
    """Models whose features are shown with what they mean."""
    return [model for model in takes_part("concepts") if model in takes_part("visualize") and not random(model)]


def lab_clips():
    return [model for model in takes_part("concepts") if config["models"][model]["architecture"].startswith("lab_clip")]


TESTED = [claim for claim in CLAIMS if claim in config["claims"] and tables_of(CLAIMS[claim][0])]


def results():
    """All that `rule all` wants."""
    visualized = takes_part("visualize")
    figures = [DATA_FIGURE] if PHOTOS else [DATA_FIGURE, "training"]
    figures += [f"visualizations_{model}_{depth}" for model in visualized for depth in depths_of(model, "visualize")]
    figures += [f"top_images_{model}" for model in visualized]
    figures += [
        f"background_feature_{model}"
        for model in takes_part("localization")
        if model in visualized and config["models"][model]["family"] == "vit"
    ]
    figures += [f"{what}_{model}" for model in explained() for what in ("depth", "concepts")]
    figures += ["zero_shot"] if lab_clips() else []
    tables = [f"{OUT}/claims.csv", f"{OUT}/claims.md"]
    tables += [f"{OUT}/tables/{name}.csv" for name in ("background", "low_pass") if takes_part(name)]
    return tables + [f"{OUT}/figures/{figure}.png" for figure in figures]
