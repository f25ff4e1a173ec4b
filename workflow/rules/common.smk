# The scale, and what it asks for: GRAPH (src/vitexplore/graph.py) knows all jobs and paths.
import os
import sys
from hashlib import sha256
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

# where the shipped files lie, seen from the folder in which Snakemake runs
ROOT = Path(os.path.relpath(Path(str(workflow.current_basedir)).parents[1]))
SOURCE = str((ROOT / "src").resolve())

sys.path.insert(0, SOURCE)
# jobs run in the environment that Snakemake runs in, whether or not it is activated, and on this checkout
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]), PYTHONPATH=SOURCE)

from vitexplore.atlas import tables as atlas_tables
from vitexplore.claims import instrument as claim_instruments
from vitexplore.claims import text as claim_texts
from vitexplore.claims.tested import tested
from vitexplore.code_hash import code_hash
from vitexplore.data.layouts import folder_state
from vitexplore.errors import InputError
from vitexplore.graph import Graph
from vitexplore.io import write_text
from vitexplore.scale import parse as parse_scale

try:
    GRAPH = Graph(parse_scale(config, [Path(path) for path in workflow.config_settings.configfiles]), ROOT)
    DOWNLOADS = GRAPH.downloads
    CLAIMS = claim_texts.claims_in_order(ROOT / "analyses")
    TESTED = tested(GRAPH, CLAIMS)
except InputError as error:
    raise WorkflowError(str(error)) from None

# the scale as all files and the command line together say it: what jobs read
_merged = yaml.safe_dump(dict(config), sort_keys=False)
SCALE = Path(".snakemake/scales") / f"{GRAPH.scale.scale}-{sha256(_merged.encode()).hexdigest()[:12]}.yaml"
if not SCALE.exists():
    write_text(SCALE, _merged)

OUT = str(GRAPH.out)
ATLAS = [atlas_tables.folder(GRAPH)] if atlas_tables.models(GRAPH) else []
WEIGHTS = GRAPH.shipped_weights


wildcard_constraints:
    model="[a-z0-9_]+",
    group="[a-z0-9_]+",
    recipe="lab_[a-z0-9_]+",
    seed="[0-9]+",


def scale_file(wildcards, output):
    """Where a job reads the scale. The unused `output` keeps Snakemake from comparing this path with the last run's:
    only `asked` triggers a rerun."""
    return SCALE


def code(module):
    """For a rule's params: changes with the meaning of the module's code and of all that it imports of the package."""
    return code_hash(module)
