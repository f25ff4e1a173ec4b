"""Text becomes the objectives that it reads like."""

import pytest

from vitexplore.errors import InputError
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import Site
from vitexplore.models.spec import ModelSpec
from vitexplore.visualize.expression import objectives
from vitexplore.visualize.objective import Channels, Combined, Logits, channel, ffn, logit


@pytest.fixture(scope="module")
def cnn() -> Model:
    return load(ModelSpec("cnn", "lab", "lab_cnn", "cnn", "random"))


SINGLE = {
    "ffn:6:0:4": {"ffn_6": Channels(Site("ffn", 6), (0, 1, 2, 3))},
    " ffn:6:3,17 ": {"ffn_6": Channels(Site("ffn", 6), (3, 17))},
    "attention_out:0,2:5": {f"attention_out_{b}": Channels(Site("attention_out", b), (5,)) for b in (0, 2)},
    "ffn::0:2": {f"ffn_{b}": Channels(Site("ffn", b), (0, 1)) for b in range(8)},
    "block:7::": {"block_7": Channels(Site("block", 7), tuple(range(64)))},
    "ffn:6:0:2@37": {"ffn_6_at_37": Channels(Site("ffn", 6), (0, 1), 37)},
    "logit:7": {"logit": Logits((7,))},
    "logit:14:": {"logit": Logits((14, 15))},
}


@pytest.mark.parametrize("text", SINGLE)
def test_a_term_is_the_channels_of_each_block_or_the_logits(shared_vit, text):
    assert objectives(shared_vit, text) == SINGLE[text]


def test_channels_of_a_cnn(cnn):
    assert objectives(cnn, "channel:1:0:2") == {"channel_1": Channels(Site("channel", 1), (0, 1))}


SUMS = {
    "0.2*ffn:6:4 + 0.8 * ffn:6:9 - logit:7": (
        "0.2_ffn_6_4_plus_0.8_ffn_6_9_minus_logit_7",
        0.2 * ffn(6, 4) + 0.8 * ffn(6, 9) - logit(7),
    ),
    "ffn:6:0:2-.5*ffn:2:3,5@37": (
        "ffn_6_0_2_minus_0.5_ffn_2_3-5_at_37",
        ffn(6, 0, 1) - 0.5 * ffn(2, 3, 5, position=37),
    ),
    "-ffn:6:0:2": ("minus_ffn_6_0_2", -ffn(6, 0, 1)),
    "2*ffn:6:0": ("2_ffn_6_0", 2 * ffn(6, 0)),
    "ffn:6:0:3 - logit:7": ("ffn_6_0_3_minus_logit_7", ffn(6, 0, 1, 2) - logit(7)),
}


@pytest.mark.parametrize("text", SUMS)
def test_a_sum_is_one_objective_by_a_name_that_a_file_may_have(shared_vit, text):
    name, expected = SUMS[text]
    assert objectives(shared_vit, text) == {name: expected}


def test_a_sum_of_channels_of_a_cnn(cnn):
    found = objectives(cnn, "channel:1:4 + channel:2:9")
    assert found == {"channel_1_4_plus_channel_2_9": Combined((1, 1), (channel(1, 4), channel(2, 9)))}


WRONG = {
    "ffn:6:0 ffn:7:0": r"^objective 'ffn:6:0 ffn:7:0' is not understood; write ffn:6:0:16, ",
    "ffn:6:0 +": r"^objective 'ffn:6:0 \+' is not understood; write ffn:6:0:16, ",
    "ffn:6:0 * 2": r"^objective 'ffn:6:0 \* 2' is not understood; write .*, 0.2\*channel:13:4 \+ 0.8",
    "ffn:6:0 - 2*": r"^objective 'ffn:6:0 - 2\*' is not understood; write ffn:6:0:16, ",
    "1e-3*ffn:6:0": r"^objective '1e' is not understood; write ffn:6:0:16, ",
    "ffn:6:0 - 2": r"^objective '2' is not understood; write ffn:6:0:16, ",
    "ffn::0 - logit:7": r"^objective 'ffn::0' is of 8 blocks; a term of a sum is of one block$",
    "ffn:6:0:3 - ffn:2:0:2": r"^terms of 2 and 3 features do not add up: ",
    "ffn:6:0 - logit:16": r"^classes of 'logit:16': '16': there are 0 to 15$",
    "": r"^objective '' is not understood; write ffn:6:0:16, ",
    "ffn": r"^objective 'ffn' is not understood; write ffn:6:0:16, ",
    "ffn 6:0": r"^objective 'ffn 6:0' is not understood; write ffn:6:0:16, ",
    "ffn:6:0@": r"^objective 'ffn:6:0@' is not understood; write ffn:6:0:16, ",
    "ffn:6": r"^objective 'ffn:6' names no channels; write ffn:6:0:16, ",
    "logit:3@2": r"^objective 'logit:3@2': class logits have neither positions nor directions$",
    "fnn:6:0": r"^m has no site 'fnn'; it has ffn, query, key, ",
    "ffn:8:0": r"^blocks of 'ffn:8:0': '8': there are 0 to 7$",
    "ffn:6:256": r"^channels of 'ffn:6:256': '256': there are 0 to 255$",
    "ffn:6:0:1:2": r"^channels of 'ffn:6:0:1:2': '0:1:2': write 5, or 0:12, or 0,5,11$",
    "ffn:6:": r"^channels of 'ffn:6:': '': write 5, or 0:12, or 0,5,11$",
    "logit:16": r"^classes of 'logit:16': '16': there are 0 to 15$",
    "ffn:6:0@64": r"^there are positions 0 to 63, not 64$",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_understood_or_not_there_is_named(shared_vit, text):
    with pytest.raises(InputError, match=WRONG[text]):
        objectives(shared_vit, text)
