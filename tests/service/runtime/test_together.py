import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from service.classifier import Classifier
from service.contract import load_contract
from service.detector import PLAIN_MODEL, shipped_weights
from service.runtime.together import Outputs, Pixels, Together, _Part


class Network:
    """Doubles and squares its input, and raises ``error`` for 255; the first call waits for the gate."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.sizes: list[int] = []
        self.gate = threading.Event()

    def __call__(self, pixels: Pixels) -> Outputs:
        self.sizes.append(len(pixels))
        assert self.gate.wait(30)
        values = pixels.astype(np.float32)
        if self.error and values.max() == 255:
            raise self.error
        return [values * 2, values**2]


def calls(network: Network, values: list[list[int]], most: int = 4) -> list["Future[Outputs]"]:
    """Make the first call, and the others, in their order, while it runs."""
    together = Together(network, most)
    pool = ThreadPoolExecutor(len(values))
    futures = []
    for number, value in enumerate(values):
        futures.append(pool.submit(together, np.array(value, np.uint8)))
        arrived: Callable[[], int] = lambda: len(network.sizes) + len(together._gathering)  # noqa: E731
        while arrived() < number + 1:
            time.sleep(0.001)
    network.gate.set()
    pool.shutdown(wait=True)
    return futures


def test_what_waits_is_taken_together_and_each_gets_its_own() -> None:
    network = Network()
    values = [[1], [2], [3, 4], [5], [6], [7]]
    for value, future in zip(values, calls(network, values), strict=True):
        doubled, squared = future.result()
        assert doubled.tolist() == [2 * x for x in value] and squared.tolist() == [x * x for x in value]
        assert doubled.base is None and squared.base is None, "what is kept of it keeps nothing of the others"
    assert network.sizes == [1, 4, 2]


def test_a_batch_is_filled_up_to_a_power_of_two() -> None:
    network = Network()
    calls(network, [[1], [2], [3], [4]])
    assert network.sizes == [1, 4]


@pytest.mark.parametrize("error", [ValueError("white"), SystemExit("white")])
def test_an_error_reaches_everybody_in_its_batch_and_nobody_else(error: BaseException) -> None:
    network = Network(error)
    futures = calls(network, [[1], [2], [255], [3]], most=2)
    for future in futures[1:3]:
        with pytest.raises(type(error), match="white"):
            future.result()
    assert futures[0].result()[0].tolist() == [2] and futures[3].result()[0].tolist() == [6]


def test_whose_turn_it_is_calls_until_its_own_is_done() -> None:
    """Who came first is not always the one who gets the turn."""
    network = Network()
    network.gate.set()
    together = Together(network, 1)
    before = _Part(np.array([3], np.uint8))
    together._gathering.append(before)
    assert together(np.array([4], np.uint8))[0].tolist() == [8]
    assert before.outputs is not None and before.outputs[0].tolist() == [6]


def test_the_network_gives_the_same_scores_in_a_batch() -> None:
    contract = load_contract(shipped_weights() / PLAIN_MODEL)
    classifier = Classifier(contract, shipped_weights())
    size = contract.preprocessing.size
    pictures = np.random.default_rng(0).integers(0, 256, (3, 1, size, size, 3)).astype(np.uint8)
    alone = [classifier.run(picture).probabilities for picture in pictures]
    classifier._infer = Together(classifier._infer, 32)
    with ThreadPoolExecutor(3) as pool:
        shared = [scores.probabilities for scores in pool.map(classifier.run, pictures)]
    np.testing.assert_allclose(shared, alone, atol=1e-5)
