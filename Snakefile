# From images and models to verdicts. Usage: snakemake --cores N [--configfile workflow/scales/SCALE.yaml]
from snakemake.utils import min_version

min_version("9.27")

if "scale" not in config:

    # what a file or the command line says besides is merged into it
    configfile: f"{workflow.current_basedir}/workflow/scales/lab.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/downloads.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/planted.smk"
include: "workflow/rules/emergence.smk"
include: "workflow/rules/bench.smk"
include: "workflow/rules/atlas.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        GRAPH.results(),
        ATLAS,
