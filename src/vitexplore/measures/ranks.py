"""Where the true class stands among a model's logits: the one number every accuracy comes from."""

import torch
from torch import Tensor


def rank_of_truth(logits: Tensor, labels: Tensor) -> Tensor:
    """int16 [...]: how many classes stand before the true one; 0 is a top-1 hit, below 5 a top-5 hit.
    ``logits`` float [..., classes], ``labels`` int64, broadcast against the leading axes. Classes of equal
    logit stand in their order, so that a constant output is at chance, not perfect. Raises
    FloatingPointError for logits that are not finite."""
    if not torch.isfinite(logits).all():
        raise FloatingPointError("logits are not finite")
    labels = labels.expand(logits.shape[:-1])[..., None]
    true = logits.gather(-1, labels)
    order = torch.arange(logits.shape[-1], device=logits.device)
    before = (logits > true) | ((logits == true) & (order < labels))
    return before.sum(-1).to(torch.int16)
