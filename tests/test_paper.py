"""Measured numbers beside the paper's: only its own weights can agree with it."""

import pandas as pd
import pytest

from vitexplore.claims.paper import OTHER, OTHER_IMAGES, agreement, beside_paper


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "reference.csv"
    path.write_text("model,block,printed\nvit_base_patch16_384,0,84.2\nvit_base_patch16_384,1,80.0\nresnet50,0,70.0\n")
    return path


def measured(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["architecture", "block", "top1"]).assign(n=IMAGES)


IMAGES = 50_000
B16 = "timm/vit_base_patch16_384.orig_in21k_ft_in1k"


def test_a_number_agrees_within_the_tolerance(reference):
    table = measured((B16, 0, 84.69), (B16, 1, 80.51))
    found = beside_paper(table, reference, ["block"], {"top1": "printed"}, 0.5, IMAGES)
    assert list(found["agrees_top1"]) == ["yes", "no"]
    assert found["difference_top1"].tolist() == pytest.approx([0.49, 0.51])
    assert found["paper_top1"].tolist() == [84.2, 80.0]
    assert agreement(found) == "1 of 2"


def test_other_weights_of_the_same_architecture_are_shown_without_a_verdict(reference):
    table = measured(("timm/vit_base_patch16_384.augreg_in21k_ft_in1k", 0, 84.2), ("timm/resnet50.a1_in1k", 0, 70.0))
    found = beside_paper(table, reference, ["block"], {"top1": "printed"}, 0.5, IMAGES)
    assert list(found["agrees_top1"]) == [OTHER, OTHER]
    assert found["difference_top1"].tolist() == [0, 0]
    assert agreement(found) == ""


def test_random_weights_stand_beside_no_number_of_the_paper(reference):
    found = beside_paper(
        measured(("timm/vit_base_patch16_384", 0, 0.1)), reference, ["block"], {"top1": "printed"}, 0.5, IMAGES
    )
    assert found["paper_top1"].isna().all() and found["agrees_top1"].item() == ""


def test_what_the_paper_does_not_print_stays_empty(reference):
    found = beside_paper(
        measured(("lab/lab_vit", 0, 90.0), (B16, 7, 1.0)), reference, ["block"], {"top1": "printed"}, 1, IMAGES
    )
    assert list(found["agrees_top1"]) == ["", ""]
    assert found["paper_top1"].isna().all() and len(found) == 2
    assert agreement(found) == ""


def test_a_model_without_such_a_column_is_compared_by_name_alone(reference):
    reference.write_text("model,printed\nmobilenet_v2,96.0\n")
    found = beside_paper(
        measured(("torchvision/mobilenet_v2.IMAGENET1K_V1", 3, 96.5)), reference, [], {"top1": "printed"}, 1, IMAGES
    )
    assert found["agrees_top1"].item() == "yes"


def test_numbers_of_fewer_images_are_shown_without_a_verdict(reference):
    table = measured((B16, 0, 84.2), (B16, 0, 84.2), (B16, 0, 84.2)).assign(n=[1000, IMAGES - 10, IMAGES])
    found = beside_paper(table, reference, ["block"], {"top1": "printed"}, 0.5, IMAGES)
    assert list(found["agrees_top1"]) == [OTHER_IMAGES, "yes", "yes"]  # a few pictures may be broken
    assert found["difference_top1"].tolist() == [0, 0, 0]
    assert agreement(found) == "2 of 2"
