"""What a kind of scene is: what is put on the stage and its label. Every product has a harmless twin."""

from __future__ import annotations

from dataclasses import dataclass

from training.scenes.placers import Placer


@dataclass(frozen=True)
class Kind:
    """One kind of scene.

    family: shared by a product and its twin; with the seed it fixes camera, light and floor. label: class of the
    product, or `none`. group: `product` or `lookalike`. span: width of the view in units. variants: what can be shown.
    loose: many small things, of which some may lie outside the picture. floors: floors or grounds to choose from
    instead of floors.FLOORS.
    """

    name: str
    family: str
    label: str
    group: str
    span: float
    variants: dict[str, Placer]
    loose: bool = False
    floors: tuple[str, ...] = ()


def pair(
    name: str,
    label: str,
    span: float,
    product: dict[str, Placer],
    twin: dict[str, Placer],
    floors: tuple[str, ...] = (),
) -> list[Kind]:
    """A product and its twin, whose family is the product's name."""
    return [
        Kind(name, name, label, "product", span, product, floors=floors),
        Kind(f"{name}_twin", name, "none", "lookalike", span, twin, floors=floors),
    ]
