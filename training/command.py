"""The training commands' way to fail: a sentence where the user can mend it, instead of a traceback."""

from typing import Any

import click

from service.errors import FaunalensError, StartError, how_to_get
from training.photos.manifest import ManifestError
from training.recipe import RecipeError

_OURS = ("service", "training")


class TrainingCommand(click.Command):
    """A command whose photos, recipe, model, disk or installation may not be usable: exit code 1 and the reason."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if not error.name or error.name.startswith(_OURS):
                raise
            raise click.ClickException(f"{error.name} is not installed: {how_to_get('training')}") from error
        except BrokenPipeError:
            raise
        except (FaunalensError, ManifestError, OSError, RecipeError, StartError) as error:
            # what a process that reads photos raises comes with its traceback before the sentence
            raise click.ClickException(str(error).rpartition("ManifestError: ")[2].strip()) from error
