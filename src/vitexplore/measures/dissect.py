"""Words for features (soft-WPMI, the best of the measures of CLIP-Dissect: Oikarinen and Weng 2023, section 3), and a
judge's answers about images."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from scipy.special import logsumexp, softmax

from vitexplore.data.captions import factor_prompts
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.data.words import common_words
from vitexplore.measures.factors import has_factors, prompts_of
from vitexplore.models.heads import text_embeddings
from vitexplore.models.registry import Model, embed

TOP, ONE_OF = 100, 50  # images that stand for a feature, and of how many each is one at least
SOFTNESS = 0.1  # of the judge's own scale of logits: the article's factor of 10 for OpenAI's CLIPs, whose scale is 100
FIRST, LAST = 0.998, 0.97  # how surely the most activating image is one of the feature's, and the last of TOP
SHOWN = 3  # words a feature


@torch.no_grad()
def judged(judge: Model, loader: Loader, prompts: Mapping[str, list[str]]) -> np.ndarray:
    """The logits, float [n, w], of ``judge``, a CLIP, of the images for words, each with the texts that stand for it:
    cosines of mean embeddings times the judge's own scale."""
    texts = text_embeddings(judge, list(prompts.values()))
    likeness = [embed(judge, pictures.to(judge.device)) @ texts for _, pictures in loader.batches(judge.spec)]
    return (judge.module.logit_scale.exp() * torch.cat(likeness)).cpu().numpy()


def words_of(images: ImageSet, count: int) -> dict[str, list[str]]:
    """Words that may name a feature, each with the texts that stand for it: what captions of scenes say; for
    photographs the ``count`` most common words, bare (as CLIP-Dissect has them)."""
    if has_factors(images):
        return joined(factor_prompts())
    return {word: [word] for word in common_words(count)}


def joined(factors: Mapping[str, Mapping[str, list[str]]]) -> dict[str, list[str]]:
    """The values of all ``factors``, each with its texts."""
    return {word: texts for values in factors.values() for word, texts in values.items()}


def answers(judge: Model, loader: Loader) -> dict[str, np.ndarray]:
    """By word of ``prompts_of`` these images, how much ``judge`` says that each one shows it, float [n]: see
    ``contrasted``."""
    factors = prompts_of(loader.images)
    return contrasted(judged(judge, loader, joined(factors)), factors)


def contrasted(logits_nw: np.ndarray, factors: Mapping[str, Mapping[str, list[str]]]) -> dict[str, np.ndarray]:
    """By word, its logit less the mean of those of the other words of the same factor, where there are some: float
    [n]. ``logits_nw``: of the words of all ``factors``, in their order."""
    plain = dict(zip(joined(factors), logits_nw.T, strict=True))
    found = {}
    for values in factors.values():
        for word in values:
            others = [plain[other] for other in values if other != word]
            found[word] = plain[word] - np.mean(others, axis=0) if others else plain[word]
    return found


def soft_wpmi(acts_nf: np.ndarray, logits_nw: np.ndarray) -> np.ndarray:
    """How much more probable each word is of the images of a feature than of those of the others, float64 [f, w].
    ``logits_nw``: a judge's, the cosines of its image and word embeddings times its scale. With p(word | image) the
    softmax of SOFTNESS times those and p(image in feature) falling from FIRST to LAST over the TOP images: the sum over
    these of log(1 + p(image in feature) (p(word | image) - 1)), less the log of its mean over all features."""
    words_nw = softmax(SOFTNESS * logits_nw, axis=1)
    top = min(TOP, -(-len(acts_nf) // ONE_OF))
    member_k = np.linspace(FIRST, LAST, top)[:, None]
    order_kf = np.argsort(-acts_nf, axis=0, kind="stable")[:top]
    given_fw = np.stack([np.log1p(member_k * (words_nw[images] - 1)).sum(0) for images in order_kf.T])
    return given_fw - (logsumexp(given_fw, axis=0) - np.log(len(given_fw)))


def labels(scores_fw: np.ndarray, words: list[str]) -> pd.DataFrame:
    """The SHOWN best words of each feature: ``word_1`` with ``score_1``, and so on."""
    order = np.argsort(-scores_fw, axis=1, kind="stable")[:, :SHOWN]
    columns = {}
    for rank in range(order.shape[1]):
        columns[f"word_{rank + 1}"] = np.array(words)[order[:, rank]]
        columns[f"score_{rank + 1}"] = np.take_along_axis(scores_fw, order[:, [rank]], 1)[:, 0]
    return pd.DataFrame(columns)
