"""What is said of the images that an atlas shows."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from vitexplore.data.images import ImageSet
from vitexplore.figures.captions import class_of

SHARED = 0.8  # of a feature's top images: what as many have in common, it is found by
SHORTEST = 4  # letters of a word of a caption that says something


@dataclass(frozen=True, eq=False)
class Images:
    """``images``: the set among which the most activating ones were found."""

    images: ImageSet

    def told(self, index: int) -> str:
        """An image's class and caption, those that it has, or else its name."""
        texts = class_of(self.images, index), self.images.caption(index)
        return ": ".join(filter(None, texts)) or str(self.images.table["name"].iloc[index])

    def shared(self, indices: Iterable[int]) -> str:
        """What at least SHARED of these images have in common: class, factors of a scene, words of captions."""
        every = [self._words(int(index)) for index in indices]
        counts = Counter(word for words in every for word in words)
        return ", ".join(word for word, count in counts.most_common() if count >= SHARED * len(every))

    @cache  # noqa: B019  (of one atlas, each image is asked for by many features)
    def _words(self, index: int) -> set[str]:
        words = {class_of(self.images, index), *(values[index] for values in self._factors.values())} - {""}
        if not self._factors:  # captions of scenes say the same
            words |= set(re.findall(rf"[a-z]{{{SHORTEST},}}", (self.images.caption(index) or "").lower()))
        return words

    @cached_property
    def _factors(self) -> dict[str, np.ndarray]:
        from vitexplore.measures.factors import factors_of, has_factors  # which import torch

        return factors_of(self.images, np.arange(len(self.images))) if has_factors(self.images) else {}
