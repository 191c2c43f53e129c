"""What of a caption is in the picture: planted errors of each kind move their own number and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from genbench.data.sets import _scene
from genbench.data.sets._scene import COLOURS, Description, Seen
from genbench.data.sets.shapes import Shapes
from genbench.errors import DataError, UsageError
from genbench.estimate import Estimate, clustered_share_interval, wilson_interval
from genbench.metrics import attribute_accuracy

RIGHT = dict.fromkeys(attribute_accuracy.metric.reports, 1.0) | {"binding_errors": 0.0}
CIRCLE, SQUARE = Seen("circle", "red", "large"), Seen("square", "blue", "small")
ASKED = Description((CIRCLE, SQUARE), "left of")


def measure(shown: list[Description], asked: list[Description]) -> dict[str, Estimate]:
    return attribute_accuracy.compute(shown=shown, asked=asked)


def of_one(shown: Description, asked: Description = ASKED) -> dict[str, float | None]:
    return {name: estimate.value for name, estimate in measure([shown], [asked]).items()}


def scenes(n: int = 1000) -> list[Description]:
    return _scene.scenes("test", range(n)).descriptions()


def test_drawn_pictures_of_their_own_captions_are_perfect() -> None:
    asked = [Shapes.understand(caption) for caption in Shapes().captions("test")]
    shown = Shapes.describe(Shapes().images("test").read_all())
    assert {name: float(estimate) for name, estimate in measure(shown, asked).items()} == RIGHT


def test_wrong_captions_lower_it_linearly() -> None:
    asked = scenes()
    other = [asked[(i + 1) % len(asked)] for i in range(len(asked))]
    values = []
    for dose in (0, 250, 500, 750, 1000):
        found = measure([*other[:dose], *asked[dose:]], asked)
        values.append(float(found["caption_accuracy"]))
        assert float(found["shape_accuracy"]) > float(found["caption_accuracy"]) or dose == 0
    assert values[0] == 1
    assert values[-1] < 0.02
    for value, dose in zip(values, (0, 0.25, 0.5, 0.75, 1), strict=True):
        assert value == pytest.approx(1 - dose * (1 - values[-1]), abs=0.02)


def test_swapped_colours_are_errors_of_binding_and_of_nothing_else() -> None:
    asked = scenes()
    both = [i for i, scene in enumerate(asked) if len(scene.objects) == 2 and attribute_accuracy._can_be_bound_wrongly(scene)]
    for dose in (0, len(both) // 2, len(both)):
        shown = list(asked)
        for place in both[:dose]:
            main, other = asked[place].objects
            swapped = (replace(main, colour=other.colour), replace(other, colour=main.colour))
            shown[place] = replace(asked[place], objects=swapped)
        found = {name: float(estimate) for name, estimate in measure(shown, asked).items()}
        assert found.pop("binding_errors") == pytest.approx(dose / len(both))
        assert found.pop("caption_accuracy") == pytest.approx(1 - dose / len(asked))
        assert set(found.values()) == {1.0}


def test_each_attribute_moves_its_own_number() -> None:
    asked = scenes()

    def without(attribute: str) -> list[Description]:
        return [replace(scene, objects=tuple(replace(seen, **{attribute: None}) for seen in scene.objects)) for scene in asked]

    planted = {f"{attribute}_accuracy": without(attribute) for attribute in ("shape", "colour", "size")}
    planted["relation_accuracy"] = [replace(scene, relation=None) for scene in asked]
    for name, shown in planted.items():
        found = {reported: float(estimate) for reported, estimate in measure(shown, asked).items()}
        moved = {reported for reported, value in found.items() if value != RIGHT[reported]}
        assert moved == {name, "caption_accuracy"}
        assert found[name] == 0


def test_objects_are_matched_with_those_of_the_caption() -> None:
    """The caption of two objects says nothing of sizes; seen from the other object, left is right."""
    exchanged = Description((replace(SQUARE, size="large"), replace(CIRCLE, size="small")), "right of")
    right = RIGHT | {"size_accuracy": None}
    assert of_one(exchanged) == right
    assert of_one(replace(exchanged, relation="left of")) == right | {"relation_accuracy": 0, "caption_accuracy": 0}
    alike = Description((Seen("circle", "red", "large"), Seen("circle", "blue", "small")), "above")
    swapped = Description((Seen("circle", "blue", "large"), Seen("circle", "red", "small")), "above")
    found = of_one(swapped, alike)
    assert found["binding_errors"] is None  # two circles: exchanging their colours is exchanging their places
    assert (found["colour_accuracy"], found["relation_accuracy"]) == (1, 0)


def test_what_cannot_be_told_is_wrong() -> None:
    nothing = of_one(Description(()))
    assert nothing == dict.fromkeys(RIGHT, 0.0) | {"size_accuracy": None}
    unclear = of_one(Description((replace(CIRCLE, shape=None), SQUARE), None))
    assert unclear["shape_accuracy"] == unclear["relation_accuracy"] == unclear["caption_accuracy"] == 0
    assert unclear["colour_accuracy"] == 1
    missing = of_one(Description((CIRCLE,)))
    assert missing["shape_accuracy"] == missing["colour_accuracy"] == missing["relation_accuracy"] == 0
    extra = of_one(ASKED, Description((CIRCLE,)))
    assert extra["shape_accuracy"] == extra["size_accuracy"] == extra["caption_accuracy"] == 0


def test_what_no_caption_asks_for_has_no_value_and_a_reason() -> None:
    found = measure([ASKED], [ASKED])
    assert found["size_accuracy"].value is None
    assert found["size_accuracy"].reason == "no caption asks for it"
    assert found["size_accuracy"].n == 0


def distinct() -> list[Description]:
    return [
        Description((Seen(shape, colour, "large"), Seen(other, "red", "small")), relation)
        for shape in _scene.SHAPES
        for colour in COLOURS
        for other in _scene.SHAPES
        for relation in _scene.RELATIONS
    ]


def test_different_captions_have_wilsons_interval() -> None:
    asked = distinct()
    shown = [Description(()) if place % 4 == 0 else scene for place, scene in enumerate(asked)]
    estimate = measure(shown, asked)["shape_accuracy"]
    assert (float(estimate), estimate.n, estimate.method) == (0.75, 384, "binomial")
    low, high = wilson_interval(0.75, 384)
    assert estimate.ci == pytest.approx((low, high), rel=2e-3)
    perfect = measure(asked, asked)["shape_accuracy"]
    assert perfect.ci == wilson_interval(1.0, 384)


def test_pictures_of_one_caption_are_one_group() -> None:
    """All ten pictures of a caption right, or all wrong: the error is that of the captions."""
    asked = [scene for scene in distinct() for _ in range(10)]
    shown = [Description(()) if place // 10 % 4 == 0 else scene for place, scene in enumerate(asked)]
    estimate = measure(shown, asked)["shape_accuracy"]
    assert estimate.method == "clusters"
    assert estimate.ci == pytest.approx(wilson_interval(0.75, 384), rel=2e-3)
    few = [scene for scene in distinct()[:4] for _ in range(10)]
    shown = [Description(()) if place < 10 else scene for place, scene in enumerate(few)]
    four = measure(shown, few)["shape_accuracy"]
    assert four.ci == clustered_share_interval(0.75, 0.25, 4)  # three of four prompts
    assert four.ci[0] < wilson_interval(0.75, 3)[0]
    one = measure([ASKED] * 50, [ASKED] * 50)["shape_accuracy"]
    assert one.se is None


def test_refusals() -> None:
    with pytest.raises(UsageError, match="1 pictures and 2 captions"):
        measure([ASKED], [ASKED, ASKED])
    with pytest.raises(DataError, match="at least 1 picture"):
        measure([], [])
