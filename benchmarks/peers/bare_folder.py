"""The practical limit of a bulk run: read, decode and infer every file of a folder once, on all cores.

Usage: ``bare_folder.py FOLDER``; prints photos, seconds and processor seconds as one JSON object.
"""

import json
import sys
import threading
import time
from pathlib import Path

from recipe import CORES, Recipe


def main() -> None:
    """Go through the folder once."""
    files = sorted(Path(sys.argv[1]).iterdir())
    recipe = Recipe(threads=1)
    recipe.scores(recipe.pixels(files[0].read_bytes()))
    left = iter(files)

    def work() -> None:
        # next() on a list's iterator is atomic under the GIL
        for path in left:
            recipe.scores(recipe.pixels(path.read_bytes()))

    threads = [threading.Thread(target=work) for _ in range(CORES)]
    before, started = time.process_time(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, cpu = time.monotonic() - started, time.process_time() - before
    print(json.dumps({"photos": len(files), "seconds": seconds, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main()
