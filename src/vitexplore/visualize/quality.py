"""How good a visualization is, as numbers. No model runs here: a caller brings activations and embeddings.

Of the picture alone: ``high_frequency_share``, how much of it is noise to the eye. By the visualized model:
``relative_activation``, does it drive the feature as natural images do; ``path_agreement``, does the network process
it as it does them. By another model, the judge: ``identification``, is the feature recognised; ``seed_agreement``, do
seeds show the same thing; ``machine_interpretability``, do pictures tell which image activates the feature;
``kernel_distance``, does it look natural; ``transferability``, does the judge's most similar feature answer too.

None is enough alone. A network can be changed so that it treats natural images as before, and what drives a feature
beyond them is something else (Geirhos et al. 2023, "Don't trust your eyes: on the (un)reliability of feature
visualizations"). Of pictures of such a feature, by silent units or by a fooling circuit, ``relative_activation`` is
higher than of an honest network's, and ``kernel_distance`` is the same. What sees it: ``path_agreement``,
``kernel_distance_of_sets``, and ``identification`` and ``transferability``, which are no higher than on another
feature's picture (tests/test_fooling.py).
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

SAME = 1e-6  # similarities as near as this are a tie: equal sets differ by a matrix product's rounding


def identification(pictures_fc: Tensor, exemplars_gkc: Tensor, own: Tensor) -> Tensor:
    """Rank AUROC of each visualization among the exemplar sets of its layer: the share of the other
    features' sets that are less similar to it than its own set is, ties counting half: float64 [f] in [0, 1], 0.5 is
    chance. ``pictures_fc``: the judge's embeddings of the visualizations; ``exemplars_gkc``: of the k most
    activating images of every feature of the layer; ``own`` int64 [f]: the set of each visualization.
    Similarity is the cosine with the set's mean direction (after the human forced-choice task of Borowski
    et al. 2021, section 3, with a model as judge). Raises FloatingPointError for embeddings that are not finite."""
    sets_gc = normalize(_directions(exemplars_gkc).mean(1), dim=1)
    similarity_fg = _directions(pictures_fc) @ sets_gc.T
    return _share_of_others(_wins(similarity_fg.gather(1, own[:, None]) - similarity_fg))


def natural_identification(exemplars_gkc: Tensor) -> Tensor:
    """What a real image reaches in ``identification``, known before anything is visualized: each of a feature's
    exemplars in turn in its visualization's place, held out of its own set, as the exemplars of that rank are of all
    others: the mean over ranks, float64 [g] in [0, 1]. ``exemplars_gkc``: as there, of at least two images each. Its
    mean is the ceiling of a layer, by this judge. Raises FloatingPointError for embeddings that are not finite."""
    own, ranks = torch.arange(len(exemplars_gkc), device=exemplars_gkc.device), range(exemplars_gkc.shape[1])
    told = [
        identification(exemplars_gkc[:, rank], exemplars_gkc[:, [each for each in ranks if each != rank]], own)
        for rank in ranks
    ]
    return torch.stack(told).mean(0)


def high_frequency_share(images: Tensor) -> Tensor:
    """Share of the spectral energy (mean left out, over channels) above 1/4 of Nyquist, radially: float64 [f] in
    [0, 1] from [f, c, h, w]; 0 for a flat picture. White noise has 0.95. Our number for the paper's section 3, which
    calls the visualizations of queries, keys and values high-frequency by eye."""
    energy, radius = _spectrum(images)
    return (energy * (radius > 0.25)).sum((1, 2)) / energy.sum((1, 2)).clamp_min(1e-30)


def spectral_centroid(images: Tensor) -> Tensor:
    """Mean frequency of the spectral energy (mean left out, over channels), in shares of Nyquist, radially: float64 [f]
    in [0, sqrt(2)] from [f, c, h, w]; 0 for a flat picture. White noise has 0.77."""
    energy, radius = _spectrum(images)
    return (energy * radius).sum((1, 2)) / energy.sum((1, 2)).clamp_min(1e-30)


def _spectrum(images: Tensor) -> tuple[Tensor, Tensor]:
    """Energy [f, h, w] over channels, without the mean, and the frequency of each place [h, w] in shares of Nyquist."""
    images = images.double()  # in float32 the rounding of a flat picture's transform would be its only energy
    h, w = images.shape[-2:]
    waves = torch.fft.fft2(images - images.mean((2, 3), keepdim=True))
    energy = (waves.real.square() + waves.imag.square()).sum(1)
    energy[:, 0, 0] = 0
    fy, fx = (2 * torch.fft.fftfreq(side, device=images.device) for side in (h, w))
    return energy, torch.sqrt(fy[:, None] ** 2 + fx**2)


def relative_activation(score_f: Tensor, natural_fn: Tensor) -> tuple[Tensor, Tensor]:
    """Clean activation of each visualization, ``score_f``, beside natural images', ``natural_fn``: its ratio to
    the best one's, and its percentile: the share of natural images that score less, ties counting half. Both float64
    [f]; the percentile lies in [0, 1], and takes ``natural_fn`` of all images or of a random part of them, not of
    the most activating alone. Our own measures, of whether a visualization drives its feature at all.

    The percentile is the robust number: no rising change of scale alters it. The ratio (1: as strong as the best
    image) says by how much, but only on a scale on which 0 is silence. It is NaN where the best image scores 0 or
    less, as it can before a nonlinearity: there a stronger visualization would have the smaller ratio. Queries, keys
    and values have no such 0, whatever their sign: compare percentiles. Raises FloatingPointError for scores that
    are not finite."""
    score_f, natural_fn = _finite(score_f), _finite(natural_fn)
    best = natural_fn.amax(1)
    ratio = torch.where(best > 0, score_f / best, torch.nan)
    return ratio, _wins(score_f[:, None] - natural_fn, tie=0).mean(1)


def seed_agreement(pictures_sfc: Tensor) -> Tensor:
    """Do visualizations of one feature from several seeds show the same thing? Rank AUROC: the share of
    comparisons in which two seeds of the feature are more alike than the feature under one seed is to another
    feature under another, ties counting half: float64 [f] in [0, 1], 0.5 is chance. ``pictures_sfc``: the
    judge's embeddings, s seeds; alike is the cosine. Both sides of a comparison cross seeds, so that a start which all
    features of a seed share counts for neither. Our own measure. Raises ValueError for fewer than two seeds or
    features, FloatingPointError for embeddings that are not finite."""
    seeds, features = pictures_sfc.shape[:2]
    if seeds < 2 or features < 2:
        raise ValueError(f"two seeds and two features are needed, not {seeds} and {features}")
    directions = _directions(pictures_sfc)
    crossing = ~torch.eye(seeds, dtype=torch.bool, device=directions.device)
    similarity_fgp = torch.einsum("afc,bgc->fgab", directions, directions)[:, :, crossing]
    same_fp = similarity_fgp.diagonal().T
    return _share_of_others(_wins(same_fp[:, None, :, None] - similarity_fgp[:, :, None, :]).mean((2, 3)))


def machine_interpretability(
    positives_frc: Tensor, negatives_frc: Tensor, strong_fqc: Tensor, weak_fqc: Tensor
) -> Tensor:
    """How often the judge, shown what activates a feature and what does not, tells which of two images
    activates it more: float64 [f] in [0, 1], 0.5 is chance. All are the judge's embeddings: ``positives_frc`` of
    visualizations or of the most activating images, ``negatives_frc`` of visualizations of the negated feature or of
    the least activating images, ``strong_fqc`` and ``weak_fqc`` of query images, which must not be among
    the references.

    The machine interpretability score of Zimmermann, Klindt and Brendel 2024 ("Measuring Mechanistic
    Interpretability at Scale Without Humans"): a query's evidence is its mean similarity to the positives less that
    to the negatives, and the judge picks the query of more evidence. Two differences. They average
    sigmoid(alpha * difference of evidence), alpha fitted to human answers for DreamSim's similarities; it would mean
    nothing for another judge, so this is the limit of a large alpha, the accuracy of the choice itself, ties
    counting half. And they draw references anew for each pair of queries, where here every strong query
    meets every weak one before the same references. Similarity is the cosine. Raises FloatingPointError for embeddings
    that are not finite."""
    towards_fc = _directions(positives_frc).mean(1) - _directions(negatives_frc).mean(1)
    strong_fq, weak_fq = (torch.einsum("fqc,fc->fq", _directions(q), towards_fc) for q in (strong_fqc, weak_fqc))
    return _wins(strong_fq[:, :, None] - weak_fq[:, None, :]).mean((1, 2))


def path_agreement(visualization_fc: Tensor, natural_fkc: Tensor) -> Tensor:
    """Does a layer process a visualization as it does the feature's natural images? Mean rank correlation
    (Spearman, over channels) of the visualization with them, on a scale on which 1 is that of the feature's natural
    images with each other, each left out in turn, and 0 theirs with other features' images: float64 [f], unbounded;
    below 0, less alike than images of different features are. NaN where a feature's natural images are no more alike
    than that, as in a layer that knows nothing of the feature; near there the number is noise.

    After Geirhos et al. 2023 ("Don't trust your eyes: on the (un)reliability of feature visualizations", the
    comparison of processing paths), who compare classes over the layers of a network; we have not had their formula
    to check the scale by. ``visualization_fc``, ``natural_fkc``: activations of one layer's c channels for each
    feature's visualization and its k most activating images. An image in two features' sets makes those look alike.
    Activations that are all equal have no ranks, and correlate 0 with anything. Raises ValueError for fewer than
    two features or images of each, FloatingPointError for activations that are not finite."""
    features, k = natural_fkc.shape[:2]
    if features < 2 or k < 2:
        raise ValueError(f"two features and two images of each are needed, not {features} and {k}")
    shown_fc, images_fkc = (normalize(_centred_ranks(_finite(a)), dim=-1) for a in (visualization_fc, natural_fkc))
    own_fc = images_fkc.sum(1)  # a mean of correlations is a product of sums
    others_fc = own_fc.sum(0) - own_fc
    shown = (shown_fc * own_fc).sum(1) / k
    same = (own_fc.square().sum(1) - images_fkc.square().sum((1, 2))) / (k * (k - 1))
    different = (own_fc * others_fc).sum(1) / (k * k * (features - 1))
    room = same - different
    return torch.where(room > SAME, (shown - different) / room, torch.nan)


def kernel_distance(pictures_fc: Tensor, natural_nc: Tensor) -> Tensor:
    """How far from natural images each picture lies, to a network: its squared distance from their mean in the space of
    the kernel k(x, y) = ((cos(x, y) + 1) / 2)^3, that is 1 - 2 mean_j k(x, y_j) + mean_{i != j} k(y_i, y_j): float64
    [f]. ``pictures_fc``, ``natural_nc`` are embeddings by another network: no other network's distances compare with
    these. A picture must not be among the natural images.

    The kernel is that of the Kernel Inception Distance (Binkowski et al. 2018, "Demystifying MMD GANs", section 4), of
    the embeddings' directions. With their lengths it calls bland pictures natural, for these have short embeddings: by
    EfficientNet-Lite0 a grey image then lies at 0.10, photographs at 0.47.

    Read it beside ``natural_kernel_distance``: natural images lie around their mean, not at it. Raises ValueError for
    fewer than two natural images, FloatingPointError for embeddings that are not finite."""
    _enough(natural_nc, 2)
    pictures_fc, natural_nc = _directions(pictures_fc), _directions(natural_nc)
    return 1 - 2 * _kernel(pictures_fc, natural_nc).mean(1) + _mean_of_pairs(natural_nc)


def natural_kernel_distance(natural_nc: Tensor) -> Tensor:
    """What natural images reach in ``kernel_distance``: each one's distance from the mean of the others: float64 [n].
    Raises ValueError for fewer than three, FloatingPointError for embeddings that are not finite."""
    _enough(natural_nc, 3)
    natural_nc = _directions(natural_nc)
    kernel_nn = _kernel(natural_nc, natural_nc)
    n, own_n = len(kernel_nn), kernel_nn.diagonal()
    others_n = kernel_nn.sum(1) - own_n
    rest_n = others_n.sum() - 2 * others_n  # pairs of which neither is the image
    return own_n - 2 * others_n / (n - 1) + rest_n / ((n - 1) * (n - 2))


def kernel_distance_of_sets(pictures_fc: Tensor, natural_nc: Tensor) -> float:
    """The kernel distance between all pictures and natural images, as KID is between Inception's features (see
    ``kernel_distance``): the unbiased estimate of the squared maximum mean discrepancy. Other natural images have about
    0, above or below. Pictures that are all alike are far off, however natural each may be. Raises ValueError for
    fewer than two of either, FloatingPointError for embeddings that are not finite."""
    _enough(natural_nc, 2)
    _enough(pictures_fc, 2)
    pictures_fc, natural_nc = _directions(pictures_fc), _directions(natural_nc)
    across = _kernel(pictures_fc, natural_nc).mean()
    return float(_mean_of_pairs(pictures_fc) - 2 * across + _mean_of_pairs(natural_nc))


def partners(natural_nf: Tensor, natural_ng: Tensor) -> Tensor:
    """For each feature of one model the most similar one of another: int64 [f], that whose activations on the same n
    natural images, ``natural_nf`` and ``natural_ng``, correlate most with its own (Pearson's, as Li et al. 2016,
    "Convergent Learning", section 3, and Dravid et al. 2023, "Rosetta Neurons", have it). A feature that is the same on
    all images correlates 0 with any. Raises FloatingPointError for activations that are not finite."""
    one_nf, other_ng = (normalize(_centred(_finite(a)), dim=0) for a in (natural_nf, natural_ng))
    return (one_nf.T @ other_ng).argmax(1)


def transferability(natural_nf: Tensor, natural_ng: Tensor, shown_fg: Tensor) -> Tensor:
    """Does a visualization drive another model's most similar feature too? The percentile (see ``relative_activation``)
    of the feature's partner on it: float64 [f] in [0, 1]. ``shown_fg``: the other model's g features on each
    visualization; the rest as in ``partners``. NaN for a feature that is the same on all natural images: it has no
    partner. Our own measure.

    A natural image that knows nothing of the feature has 0.5. Pictures unlike natural images may drive all of the other
    model's features at once: compare with the percentile on another feature's picture. With the best of many
    features on few images the partner is chance in part: on 60 photographs, a held-out photograph that activates a
    ViT-S/14's ffn feature most has 0.70, 0.63 and 0.55 (blocks 2, 6, 10) by EfficientNet-Lite0's features at the same
    relative depth, another feature's 0.50; by its embedding's features 0.39, 0.41 and 0.37 beside 0.37. Raises
    FloatingPointError for activations that are not finite."""
    own = partners(natural_nf, natural_ng)
    _, percentile = relative_activation(_finite(shown_fg).gather(1, own[:, None])[:, 0], natural_ng[:, own].T)
    return percentile.where(natural_nf.amax(0) > natural_nf.amin(0), torch.nan)


def _finite(values: Tensor) -> Tensor:
    if not torch.isfinite(values).all():
        raise FloatingPointError("embeddings or activations are not finite")
    return values.double()


def _directions(embeddings: Tensor) -> Tensor:
    """Embeddings [..., c] at length 1."""
    return normalize(_finite(embeddings), dim=-1)


def _enough(embeddings: Tensor, least: int) -> None:
    if len(embeddings) < least:
        raise ValueError(f"a kernel distance needs {least} images or more, not {len(embeddings)}")


def _kernel(one_nc: Tensor, other_mc: Tensor) -> Tensor:
    """Of directions: [n, m] in [0, 1]."""
    return ((one_nc @ other_mc.T + 1) / 2) ** 3


def _mean_of_pairs(embeddings_nc: Tensor) -> Tensor:
    """Mean kernel of two different ones."""
    kernel_nn, n = _kernel(embeddings_nc, embeddings_nc), len(embeddings_nc)
    return (kernel_nn.sum() - kernel_nn.trace()) / (n * (n - 1))


def _centred(values_nf: Tensor) -> Tensor:
    """Less the mean over n; exactly 0 where all are equal, which rounding would not leave."""
    return (values_nf - values_nf.mean(0)).where(values_nf.amax(0) > values_nf.amin(0), 0.0)


def _wins(lead: Tensor, tie: float = SAME) -> Tensor:
    """1 where the first of two leads the second, 0.5 where they tie, 0 where it trails."""
    return (lead > tie).double() + 0.5 * (lead.abs() <= tie)


def _share_of_others(wins_fg: Tensor) -> Tensor:
    """Mean over others: in each row one column is the feature's own, a tie with itself, which is left out."""
    return (wins_fg.sum(1) - 0.5) / (wins_fg.shape[1] - 1)


def _centred_ranks(values: Tensor) -> Tensor:
    """Along the last axis, how many values are smaller less how many are larger: ranks, ties sharing the mean of
    theirs, times 2, less their mean."""
    values = values.contiguous()  # searchsorted warns of others
    ordered = values.sort(-1).values
    smaller = torch.searchsorted(ordered, values)
    larger = values.shape[-1] - torch.searchsorted(ordered, values, right=True)
    return (smaller - larger).double()
