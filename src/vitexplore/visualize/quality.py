"""How good a visualization is, as numbers.

``identification``: does a model other than the visualized one recognise which feature a visualization
belongs to? ``high_frequency_share``: how much of a picture is noise to the eye.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

SAME = 1e-6  # similarities as near as this are a tie: equal sets differ by a matrix product's rounding


def identification(pictures_fc: Tensor, exemplars_gkc: Tensor, own: Tensor) -> Tensor:
    """Rank AUROC of each visualization among the exemplar sets of its layer: the share of the other
    features' sets that are less similar to it than its own set is, ties counting half; 0.5 is chance.
    ``pictures_fc``: the judge's embeddings of the visualizations; ``exemplars_gkc``: of the k most
    activating images of every feature of the layer; ``own`` int64 [f]: the set of each visualization.
    Similarity is the cosine with the set's mean direction (after the human forced-choice task of Borowski
    et al. 2021, section 3, with a model as judge)."""
    sets_gc = normalize(normalize(exemplars_gkc, dim=2).mean(1), dim=1)
    similarity_fg = normalize(pictures_fc, dim=1) @ sets_gc.T
    mine = similarity_fg.gather(1, own[:, None])
    others = torch.ones_like(similarity_fg, dtype=torch.bool).scatter(1, own[:, None], False)
    lead = mine - similarity_fg
    wins = (lead > SAME).double() + 0.5 * (lead.abs() <= SAME)
    return (wins * others).sum(1) / others.sum(1)


def high_frequency_share(images: Tensor) -> Tensor:
    """Share of the spectral energy (mean left out, over channels) above 1/4 of Nyquist, radially: [f] from
    [f, c, h, w]."""
    h, w = images.shape[-2:]
    energy = torch.fft.fft2(images).abs().pow(2).sum(1)
    fy, fx = torch.fft.fftfreq(h)[:, None], torch.fft.fftfreq(w)[None, :]
    radius = torch.sqrt(fy**2 + fx**2)  # cycles a pixel; Nyquist is 0.5
    energy[:, 0, 0] = 0
    return (energy * (radius > 0.125)).sum((1, 2)) / energy.sum((1, 2)).clamp_min(1e-30)
