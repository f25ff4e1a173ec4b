"""Pictures of features by recipes whose parts are left out in turn (paper section 3 and appendix)."""

from vitexplore.experiments.visualize import entry

EXPERIMENT = entry("ablation", named_only=True)
