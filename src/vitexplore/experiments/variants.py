"""Pictures of features of the appendix's families: DeiT, CoaT, ConViT, PiT, Swin, Twins."""

from vitexplore.experiments.visualize import entry

EXPERIMENT = entry("variants", named_only=True)
