"""How many decoder processes there are, and what becomes of each."""

import signal

from service.decoding.decoders import Bounds, Decoders
from service.imaging import Limits


def test_there_are_as_many_as_were_asked_for_and_each_starts_when_it_is_needed() -> None:
    made = Decoders(2, Limits(), Bounds())
    with made._process() as one:
        assert made._idle.queue == [None]
        with made._process() as other:
            assert one.popen.pid != other.popen.pid and made._idle.empty()
    assert made._idle.queue == [other, one]
    made.close()
    assert one.popen.returncode == other.popen.returncode == -signal.SIGKILL
