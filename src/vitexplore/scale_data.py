"""What a scale looks at: scenes, or photographs and what is known of them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vitexplore.data.scenes import SPLITS

Split = Literal[tuple(SPLITS)]
DATA, VALIDATION = "data", "validation"  # where the index of a scale's photographs lies
OF_IMAGENET9 = "background"  # the experiment that reads the backgrounds challenge
NINE = 9  # its classes


class Part(BaseModel):
    """A part of a scale file: fixed once read, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Part):
    """What is looked at: ``count`` scenes of a ``split``, or photographs. ``splits``: experiments that look at scenes
    of another split, each with that split."""

    kind: Literal["scenes", "photos"]
    split: Split = "test"
    count: Annotated[int, Field(ge=16)] = 2000
    splits: dict[str, Split] = {}


Labels = Annotated[str | None, Field(description="classes of photographs that lie flat, in a file")]
Boxes = Annotated[str | None, Field(description="folder of Pascal VOC files, or Kaggle's CSV; may be left out")]
Instances = Annotated[str | None, Field(description="COCO's instances_*.json, where images is COCO's folder")]
Captions = Annotated[str | None, Field(description="COCO's captions_*.json, beside instances")]
PerClass = Annotated[
    int | None, Field(ge=1, description="pictures of each class at most, the first by name; all if left out")
]


class Photographs(Part):
    """A folder of photographs, and what is known of them. Each place is a path, or ``download:NAME/PATH``: inside the
    public file NAME of workflow/downloads.yaml, as it is unpacked."""

    images: Annotated[
        str, Field(description="as of the scale; of imagenet9 the folder that holds original, only_fg and so on")
    ]
    kind: Annotated[Literal["photos", "imagenet9"], Field(description="imagenet9: the backgrounds challenge")] = (
        "photos"
    )
    labels: Labels = None
    boxes: Boxes = None
    instances: Instances = None
    captions: Captions = None
    expected: Annotated[
        int | None, Field(ge=1, description="how many pictures there are; unchecked where left out")
    ] = None
    classes: Annotated[int | None, Field(ge=1, le=1000, description="and of how many classes")] = None
    images_per_class: PerClass = None

    @property
    def has_boxes(self) -> bool:
        return bool(self.boxes or self.instances)

    @property
    def has_labels(self) -> bool:
        return not self.instances


class PhotoSet(Photographs):
    """Further photographs, for some experiments."""

    experiments: Annotated[
        tuple[str, ...], Field(min_length=1, description="those that look at these photographs, and at no others")
    ]


class Expected(Part):
    """How many pictures ``images`` and ``validation`` hold, and of how many classes; unchecked where left out."""

    data: Annotated[int, Field(ge=1)] | None = None
    validation: Annotated[int, Field(ge=1)] | None = None
    classes: Annotated[int, Field(ge=1, le=1000)] | None = None
