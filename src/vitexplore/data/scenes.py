"""The lab's world: rendered scenes whose every factor is known.

``sample`` draws a scene's factors from (split, index); ``draw`` turns a scene into pixels, mask and
boxes. Both are deterministic, so a split is the same whoever draws it and in however many processes.
Class, colour, stripes, time, viewpoint and arrangement are independent of each other; background and
texture are linked to the class at the rates below, as in photographs. Two splits are probes, on which nothing is
trained: in ``unlinked`` these two are independent as well; in ``textured`` the ground is besides as textured as the
objects (see ``textures.stones``), so that where a picture varies does not tell where its objects are.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vitexplore.data.backgrounds import BACKGROUNDS, paint_ground, paint_sky
from vitexplore.data.shapes import CLASSES, shape
from vitexplore.data.textures import CONTRAST, PATTERNED, TEXTURES, stones, texture_field

WORLD = 1  # a change of anything below makes a new world: other data, other models, other numbers

SIZE = 64  # pixels, height and width
SUPERSAMPLE = 4
SPLITS = {"train": 0, "easy": 1, "validation": 2, "test": 3, "unlinked": 4, "textured": 5}
PROBES = ("unlinked", "textured")

CATEGORIES = ("vehicle", "animal", "plant", "tool")
COLOURS = {
    "red": (0.86, 0.16, 0.14),
    "orange": (0.95, 0.55, 0.12),
    "yellow": (0.95, 0.87, 0.22),
    "green": (0.22, 0.68, 0.26),
    "cyan": (0.25, 0.80, 0.82),
    "blue": (0.18, 0.34, 0.86),
    "purple": (0.56, 0.24, 0.74),
    "pink": (0.96, 0.58, 0.76),
}
ARRANGEMENTS = ("single", "group", "before_after")
ARRANGEMENT_SHARES = (0.6, 0.2, 0.2)
BACKGROUND_LINK = 0.5  # share of scenes whose background is drawn as the class's own
TEXTURE_LINK = 0.4
NIGHT_SHARE = 0.4
CATEGORY_WORD_SHARE = 0.25  # captions that say "vehicle" where others say "car"
OUTLINE = (0.07, 0.06, 0.08)
NIGHT_TINT = (0.50, 0.53, 0.72)


@dataclass(frozen=True)
class Placement:
    """Where one object stands: centre and radius in pixels, angle in radians, flip -1 or 1."""

    x: float
    y: float
    radius: float
    angle: float
    flip: int


@dataclass(frozen=True)
class Scene:
    """Every factor of one image. ``label`` indexes CLASSES; ``noise`` seeds what no factor fixes;
    ``ground_texture``, "" for none, lies on the stones of the ground."""

    label: int
    background: str
    texture: str
    colour: str
    arrangement: str
    above: bool
    night: bool
    striped: bool
    category_word: bool
    easy: bool
    placements: tuple[Placement, ...]
    noise: int
    ground_texture: str = ""

    @property
    def name(self) -> str:
        return CLASSES[self.label]

    @property
    def category(self) -> str:
        return category_of(self.label)

    @property
    def count(self) -> int:
        """How many objects there are; the two panels of "before and after" show one."""
        return len(self.placements) if self.arrangement == "group" else 1


@dataclass(frozen=True)
class Picture:
    """``pixels`` uint8 [SIZE, SIZE, 3], ``mask`` bool [SIZE, SIZE] of all objects, ``boxes`` float
    [objects, 4] as left, top, right, bottom in pixels, right and bottom exclusive."""

    pixels: np.ndarray
    mask: np.ndarray
    boxes: np.ndarray


def category_of(label: int) -> str:
    return CATEGORIES[label // (len(CLASSES) // len(CATEGORIES))]


def home_background(label: int) -> str:
    """The background that class ``label`` is linked to; two classes of different categories share one."""
    return tuple(BACKGROUNDS)[label % len(BACKGROUNDS)]


def home_texture(label: int) -> str:
    return TEXTURES[(3 * label + label // len(TEXTURES)) % len(TEXTURES)]


def sample(split: str, index: int) -> Scene:
    """Scene ``index`` of ``split`` (a key of SPLITS). Classes take turns, so a split is balanced."""
    rng = np.random.default_rng([WORLD, SPLITS[split], index])
    label = index % len(CLASSES)
    easy = split == "easy"
    background_link, texture_link = (0.0, 0.0) if split in PROBES else (BACKGROUND_LINK, TEXTURE_LINK)
    linked_background, linked_texture = rng.random() < background_link, rng.random() < texture_link
    background = home_background(label) if linked_background else str(rng.choice(tuple(BACKGROUNDS)))
    texture = home_texture(label) if linked_texture else str(rng.choice(TEXTURES))
    arrangement = "single" if easy else str(rng.choice(ARRANGEMENTS, p=ARRANGEMENT_SHARES))
    above = bool(rng.random() < 0.5)
    return Scene(
        label=label,
        background=background,
        texture=texture,
        colour=str(rng.choice(tuple(COLOURS))),
        arrangement=arrangement,
        above=above,
        night=bool(rng.random() < NIGHT_SHARE) and not easy,
        striped=bool(rng.random() < 0.5) and not easy,
        category_word=bool(rng.random() < CATEGORY_WORD_SHARE),
        easy=easy,
        placements=_place(rng, arrangement, above),
        noise=int(rng.integers(2**31)),
        ground_texture=str(rng.choice(PATTERNED)) if split == "textured" else "",
    )


def _place(rng: np.random.Generator, arrangement: str, above: bool) -> tuple[Placement, ...]:
    tilt = 0.5 if above else 0.15

    def pose() -> tuple[float, int]:
        return float(rng.uniform(-tilt, tilt)), int(rng.choice((-1, 1)))

    if arrangement == "single":
        radius = SIZE * rng.uniform(0.28, 0.44)
        slack = SIZE / 2 - 0.85 * radius
        return (Placement(*(SIZE / 2 + rng.uniform(-slack, slack, 2)), radius, *pose()),)
    if arrangement == "before_after":
        angle, flip = pose()
        small, large = SIZE * rng.uniform(0.14, 0.16), SIZE * rng.uniform(0.21, 0.24)
        y = SIZE * rng.uniform(0.42, 0.62)
        return (Placement(SIZE / 4, y, small, angle, flip), Placement(3 * SIZE / 4, y, large, angle, flip))
    cells = rng.permutation(4)[: int(rng.integers(3, 5))]
    angle, flip = pose()
    placements = []
    for cell in cells:
        radius = SIZE * rng.uniform(0.17, 0.22)
        x = SIZE * (cell % 2 + 0.5) / 2 + rng.uniform(-2, 2)
        y = SIZE * (cell // 2 + 0.5) / 2 + rng.uniform(-2, 2)
        placements.append(Placement(x, y, radius, angle + float(rng.uniform(-0.15, 0.15)), flip))
    return tuple(placements)


def draw(scene: Scene) -> Picture:
    """Render ``scene``."""
    rng = np.random.default_rng(scene.noise)
    colour = np.clip(np.asarray(COLOURS[scene.colour]) + rng.uniform(-0.06, 0.06, 3), 0, 1)
    paint, body, masks = _draw_objects(scene, colour)
    cover = np.minimum(np.sum(masks, axis=0), 1.0)[..., None]
    image = _draw_background(scene, rng)
    image *= 1 - _shadow(scene, cover)
    image = image * (1 - cover) + _fill(scene, paint, body[..., None], colour, rng)
    if scene.arrangement == "before_after":
        middle = SIZE // 2
        image[:, middle - 1 : middle + 1] = 0.95
        cover[:, middle - 1 : middle + 1] = 0.0
    if scene.night:
        image = image * NIGHT_TINT
    pixels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    boxes = np.asarray([_box(mask >= 0.5) for mask in masks], dtype=np.float32)
    return Picture(pixels, cover[..., 0] >= 0.5, boxes)


def _draw_objects(scene: Scene, colour: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Premultiplied colour [h, w, 3], coverage of the parts inside the outline [h, w], and each
    object's coverage [h, w], outline included; all 0 to 1."""
    side = SIZE * SUPERSAMPLE
    tones = {"body": colour, "dark": colour * 0.45, "light": 0.45 * colour + 0.55}
    canvas = Image.new("RGB", (side, side))
    painter = ImageDraw.Draw(canvas)
    inside = Image.new("L", (side, side))
    inside_painter = ImageDraw.Draw(inside)
    masks = []
    for number, placement in enumerate(scene.placements):
        before = scene.arrangement == "before_after" and number == 0
        mask = Image.new("L", (side, side))
        mask_painter = ImageDraw.Draw(mask)
        width = round(SUPERSAMPLE * (1.6 if scene.arrangement == "single" else 1.1))
        outlines = [
            [tuple(point) for point in _into_frame(part.points, placement) * SUPERSAMPLE] for part in shape(scene.name)
        ]
        for points in outlines:
            ring = [*points, points[0], points[1]]
            painter.line(ring, fill=_rgb(OUTLINE), width=2 * width, joint="curve")
            mask_painter.line(ring, fill=255, width=2 * width, joint="curve")
        for part, points in zip(shape(scene.name), outlines, strict=True):
            tone = 0.5 * tones[part.tone] + 0.4 if before else tones[part.tone]
            painter.polygon(points, fill=_rgb(tone))
            mask_painter.polygon(points, fill=255)
            inside_painter.polygon(points, fill=255)
        masks.append(np.asarray(mask.reduce(SUPERSAMPLE), dtype=np.float64) / 255)
    paint = np.asarray(canvas.reduce(SUPERSAMPLE), dtype=np.float64) / 255
    return paint, np.asarray(inside.reduce(SUPERSAMPLE), dtype=np.float64) / 255, masks


def _into_frame(points: np.ndarray, placement: Placement) -> np.ndarray:
    cosine, sine = np.cos(placement.angle), np.sin(placement.angle)
    turned = (points * (placement.flip, 1)) @ np.array([[cosine, sine], [-sine, cosine]])
    return turned * placement.radius + (placement.x, placement.y)


def _rgb(colour: np.ndarray | tuple) -> tuple[int, ...]:
    return tuple(round(255 * channel) for channel in colour)


def _draw_background(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Ground everywhere when seen from above; sky over a horizon when seen from the side. Stones where the ground is
    textured."""
    ground = paint_ground(scene.background, rng, SIZE)
    if scene.easy:
        return np.broadcast_to(ground.mean(axis=(0, 1)), ground.shape).copy()
    if not scene.above:
        horizon = int(rng.integers(round(0.28 * SIZE), round(0.5 * SIZE)))
        ground[:horizon] = paint_sky(scene.background, rng, SIZE)[:horizon]
    if scene.ground_texture:
        ground = stones(ground, scene.ground_texture, rng)
    return ground


def _shadow(scene: Scene, cover: np.ndarray) -> np.ndarray:
    """Darkening of the background, 0 to 1 [h, w, 1]: cast beside the object, or under its foot."""
    if scene.above:
        return 0.45 * np.roll(cover, (3, 3), axis=(0, 1))
    shadow = np.zeros((SIZE, SIZE))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for placement in scene.placements:
        foot = placement.y + 0.85 * placement.radius
        distance = ((columns - placement.x) / (0.9 * placement.radius)) ** 2
        distance += ((rows - foot) / (0.25 * placement.radius)) ** 2
        shadow = np.maximum(shadow, 0.5 * (distance < 1))
    return shadow[..., None]


def _fill(
    scene: Scene, paint: np.ndarray, body: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Stripes, then texture, laid over the inside of the objects."""
    u, v = _object_coordinates(scene)
    if scene.striped:
        period = 9.0 if scene.arrangement == "single" else 6.0
        stripe = (np.mod(u + v, 2 * period / 2**0.5) < period / 2**0.5)[..., None] * body * 0.75
        paint = paint * (1 - stripe) + stripe * (0.25 + 0.75 * (1 - colour))
    return paint * (1 + CONTRAST * body * texture_field(scene.texture, u, v, rng)[..., None])


def _object_coordinates(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Pixel distances along each object's own axes [h, w], every pixel belonging to the nearest object."""
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    x = np.stack([columns - p.x for p in scene.placements])
    y = np.stack([rows - p.y for p in scene.placements])
    nearest = np.argmin(x**2 + y**2, axis=0)[None]
    cosine = np.array([np.cos(p.angle) for p in scene.placements])[nearest[0]]
    sine = np.array([np.sin(p.angle) for p in scene.placements])[nearest[0]]
    x, y = np.take_along_axis(x, nearest, 0)[0], np.take_along_axis(y, nearest, 0)[0]
    return cosine * x + sine * y, cosine * y - sine * x


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _draw_range(split: str, start: int, stop: int) -> list[Picture]:
    return [draw(sample(split, index)) for index in range(start, stop)]


def draw_split(split: str, count: int, workers: int = 1) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The first ``count`` scenes of ``split``: pixels uint8 [n, SIZE, SIZE, 3], masks bool
    [n, SIZE, SIZE], boxes as a list of [objects, 4]. The result does not depend on ``workers``."""
    starts = range(0, count, 250)
    stops = [min(start + 250, count) for start in starts]
    if workers == 1:
        chunks = [_draw_range(split, *span) for span in zip(starts, stops, strict=True)]
    else:
        with ProcessPoolExecutor(workers) as pool:
            chunks = list(pool.map(_draw_range, [split] * len(stops), starts, stops))
    pictures = [picture for chunk in chunks for picture in chunk]
    return (
        np.stack([p.pixels for p in pictures]),
        np.stack([p.mask for p in pictures]),
        [p.boxes for p in pictures],
    )
