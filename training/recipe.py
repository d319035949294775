"""A training recipe: every choice that shapes the weights, in one TOML file (``training/recipes/``)."""

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.errors import problems

_LARGEST = 1024
"""The largest input that a served model may have, pixels."""


class RecipeError(ValueError):
    """The recipe is not usable, or not the one of a run; the message says why."""


class Augmentation(BaseModel):
    """Probabilities (0..1) and ranges of the training augmentations; see :mod:`training.synthesis.augment`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crop_area: tuple[float, float] = Field((0.25, 1.0), description="share of the picture that a crop keeps")
    crop_aspect: tuple[float, float] = Field((0.6, 1.67), description="stretch of a crop's aspect ratio")
    whole: float = Field(0.25, description="probability that the whole picture is kept instead of a crop")
    mirror: float = 0.5
    upside_down: float = 0.05
    quarter_turn: float = 0.12
    tilt: float = Field(0.3, description="probability of a rotation by at most 20 degrees")
    background: float = Field(0.35, description="probability of replacing a plain background")
    colour: float = Field(0.8, description="probability of brightness, contrast, saturation and white balance")
    grey: float = 0.05
    overlay: float = Field(0.25, description="probability of text, banners or badges drawn over the picture")
    border: float = Field(0.1, description="probability of a plain border around the picture")
    screenshot: float = Field(0.05, description="probability of a screenshot of an app that shows the picture")
    blur: float = 0.15
    resample: float = Field(0.25, description="probability of shrinking and enlarging again")
    jpeg: float = Field(0.5, description="probability of JPEG compression, quality 30 to 95")
    collage: float = Field(0.0, description="probability of becoming one of four tiles, the others without product")


class Kernel(BaseModel):
    """The kernel head that is fitted after the last epoch, see :mod:`training.fitting.kernel`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    levels: dict[str, float] = Field(
        default_factory=lambda: {"top": 1.0},
        description="parts of the trunk, and the weight of the mean squared difference of their features",
    )
    landmarks: int = Field(1400, ge=1, description="training photos whose features are kept with the weights")
    strength: float = Field(100.0, gt=0, description="weight of the losses against the squared norm")
    weights: dict[str, float] = Field(
        default_factory=dict, description="weight of a source's photos in the fit, `source/product` its products' alone"
    )
    collages: int = Field(
        0, ge=0, description="collages of four photos for the fit, see training/synthesis/collages.py"
    )
    collage_weight: float = Field(0.2, gt=0, description="weight of each of their quarters")
    decorated: int = Field(
        0, ge=0, description="photos without products that the fit has as screenshots and under writing too"
    )
    decorated_weight: float = Field(0.1, gt=0, description="weight of each of their windows")
    decorated_product_weight: float = Field(
        0.0, ge=0, description="weight of the photos of products as screenshots and under writing; 0: none"
    )
    middles: bool = Field(False, description="fit to the middle quarters of pictures of less weight too")
    size: int = Field(0, ge=0, le=_LARGEST, description="input size of the final network, pixels; 0: as trained")
    folds: int = Field(
        0,
        ge=0,
        description="0: fitted on train, calibrated on val; 2 or more: both, see training/fitting/crossfit.py",
    )


class Recipe(BaseModel):
    """All settings of one training run. Rates are per optimiser step; sizes in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "own"
    seed: int = Field(1, ge=0)
    trunk: str = Field("tf_efficientnet_lite0", description="timm model name, or torchvision:<model>")
    trunk_weights: str = Field("", description="path or URL of a state dict; empty: the library's own weights")
    size: int = Field(256, ge=32, le=_LARGEST)
    frozen_stages: int = Field(3, ge=0, description="stages of the trunk that are not trained, after the stem")
    pooling: Literal["mean", "lse"] = "lse"
    sharpness: float = Field(1.0, gt=0, description="r of the log-sum-exp pooling; 0 would be the mean")
    dropout: float = Field(0.2, ge=0, le=1)
    epochs: int = Field(20, ge=0)
    runs: int = Field(1, ge=1, description="runs with seeds of their own whose weights are averaged at the end")
    epoch_size: int = Field(3200, ge=1, description="photos drawn per epoch")
    batch: int = Field(32, ge=1)
    product_share: float = Field(0.3, ge=0, le=1, description="share of draws that show a product")
    rare_power: float = Field(0.5, description="a category is drawn in proportion to (its photos) ** rare_power")
    group_shares: dict[str, float] = Field(
        default_factory=lambda: {"listing": 0.45, "lookalike": 0.35, "live_animal": 0.2},
        description="how the other draws are shared between the groups of negatives",
    )
    mining: float = Field(
        0.0, ge=0, le=1, description="share of the negative draws taken from those that score highest, from epoch 2 on"
    )
    trunk_rate: float = 3e-4
    head_rate: float = 2e-3
    weight_decay: float = 0.03
    warmup_epochs: float = Field(1.0, ge=0)
    ema_decay: float = Field(0.998, ge=0, le=1, description="decay of the averaged weights, per step")
    label_smoothing: float = Field(0.0, ge=0, le=1)
    kind_weight: float = Field(0.0, ge=0, description="weight of the auxiliary loss that names the photo's kind")
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    interpolation: float = Field(
        1.0, ge=0, le=1, description="share of the fine-tuned trunk in the final one; the rest is the pretrained one"
    )
    kernel: Kernel | None = Field(None, description="the kernel head fitted last; without: keep the trained head")
    leave_out_sources: tuple[str, ...] = ()
    merge: dict[str, str] = Field(default_factory=dict, description="categories merged into another, old = new")
    categories: dict[str, Literal["core", "experimental"]] = Field(
        min_length=1, description="category ids in output order"
    )
    augmentation: Augmentation = Field(default_factory=lambda: Augmentation.model_validate({}))

    @model_validator(mode="after")
    def _values_fit_together(self) -> Self:
        if lost := sorted(set(self.merge.values()) - set(self.categories)):
            raise ValueError(f"merge names what is not in categories: {', '.join(lost)}")
        if lost := sorted(set(self.group_shares) - {"listing", "lookalike", "live_animal"}):
            raise ValueError(f"group_shares names what is no group: {', '.join(lost)}")
        if self.kernel and self.kernel.folds == 1:
            raise ValueError("folds is 0, or 2 and more")
        if self.kernel and 0 < self.kernel.size < 32:
            raise ValueError("the kernel's size is 0, or 32 and more")
        return self


def load_recipe(path: Path, **changes: object) -> Recipe:
    """Read a recipe; ``changes`` that are not None replace its values. Raises :class:`RecipeError`."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        values.update({key: value for key, value in changes.items() if value is not None})
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"the recipe {path} cannot be used: {problems(error)}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"the recipe {path} cannot be used: {error}") from error
