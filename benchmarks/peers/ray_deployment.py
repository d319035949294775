"""Ray Serve, by its image example: the raw body; ``PEER_TUNED=1``: one replica a core, each on one core."""

import signal

import ray
from ray import serve
from recipe import CORES, PORT, TUNED, Recipe
from starlette.requests import Request


@serve.deployment(num_replicas=CORES if TUNED else 1, ray_actor_options={"num_cpus": 0.5})
class Photos:
    """A replica."""

    def __init__(self) -> None:
        self.recipe = Recipe(threads=1 if TUNED else 0)

    async def __call__(self, request: Request) -> dict[str, float]:
        """The body is the photo."""
        if request.method == "GET":
            return {}
        return self.recipe.scores(self.recipe.pixels(await request.body()))


if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=CORES, log_to_driver=False)
    serve.start(http_options={"port": PORT})
    serve.run(Photos.bind(), route_prefix="/predict")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()
