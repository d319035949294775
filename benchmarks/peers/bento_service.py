"""BentoML, by its image example: the photo as an upload of type Image.

``PEER_TUNED=1``: the raw body, one worker a core.
"""

from pathlib import Path
from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import ContentType
from PIL import Image
from recipe import CORES, TUNED, Recipe

if TUNED:

    @bentoml.service(workers=CORES, threads=1)
    class Photos:
        """One process a core, each on one core."""

        def __init__(self) -> None:
            self.recipe = Recipe(threads=1)

        @bentoml.api
        def predict(self, photo: Annotated[Path, ContentType("image/jpeg")], /) -> dict[str, float]:
            """The body is the photo."""
            return self.recipe.scores(self.recipe.pixels(photo.read_bytes()))

else:

    @bentoml.service
    class Photos:  # type: ignore[no-redef]
        """One call of the network on all cores."""

        def __init__(self) -> None:
            self.recipe = Recipe(threads=0)

        @bentoml.api
        def predict(self, file: Image.Image) -> dict[str, float]:
            """BentoML opens the upload; the same decoder settings are applied to it."""
            size = self.recipe.size
            file.draft(None, (size, size))
            rgb = file.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, reducing_gap=self.recipe.gap)
            return self.recipe.scores(np.asarray(rgb))
