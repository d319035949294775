import pytest

from service.commands.stopping import stopping
from service.errors import ErrorCode, FaunalensError, StartError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ModuleNotFoundError("gone", name="alembic"),
            "alembic is not installed: in a checkout of Faunalens, pip install '.[review]'",
        ),
        (StartError("there is no store"), "there is no store"),
        (FaunalensError(ErrorCode.STORE_UNAVAILABLE, "It is away."), "It is away."),
        (PermissionError(13, "Permission denied", "/store"), "/store cannot be used: Permission denied"),
    ],
)
def test_what_the_user_can_mend_is_told(error: Exception, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, stopping():
        raise error
    assert ended.value.code == 3 and capsys.readouterr().err == f"faunalens: {told}\n"


def test_a_module_of_our_own_that_is_missing_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError), stopping():
        raise ModuleNotFoundError("gone", name="service.gone")
