"""Pictures of features by recipes less each of their parts, and by their noise alone (paper section 3 and appendix)."""

from vitexplore.experiments.visualize import entry

EXPERIMENT = entry("ablation", named_only=True)
