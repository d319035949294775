import click

from service.commands.decisions import export_label_studio
from service.store.states import ReviewState


def test_photos_of_every_state_can_be_exported() -> None:
    (option,) = (found for found in export_label_studio.params if found.name == "state")
    assert isinstance(option.type, click.Choice)
    assert {*option.type.choices} == {*ReviewState, "all"}
