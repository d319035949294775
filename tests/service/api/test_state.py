import contextlib

import pytest

from service.api.state import State
from service.errors import ErrorCode, FaunalensError
from service.settings import Settings


def test_one_client_leaves_places_for_others() -> None:
    state = State(Settings(auth="off"))
    with contextlib.ExitStack() as held:

        def taken(flow: str) -> bool:
            try:
                held.enter_context(state.place("uploads", 4, flow))
            except FaunalensError as error:
                assert error.code is ErrorCode.OVERLOADED
                return False
            return True

        assert [taken("a") for _ in range(4)] == [True, True, True, False]
        assert [taken("b"), taken("c")] == [True, False] and state.uploads == 4
    assert state.uploads == state.watchers == 0 and not state._held
    with pytest.raises(ValueError, match="why"), state.place("watchers", 1, "a"):
        raise ValueError("why")
    assert state.watchers == 0
    state.close()
