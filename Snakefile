# From images and models to verdicts. Usage: snakemake --cores N [--configfile workflow/scales/SCALE.yaml]
from snakemake.utils import min_version

min_version("9.27")

if not workflow.config_settings.configfiles:

    # only here, for Snakemake merges several configuration files into one another
    configfile: "workflow/scales/lab.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/visualize.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/concepts.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/bench.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        results(),
