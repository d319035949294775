"""The console command ``faunalens``.

``serve`` and ``scan`` live here, groups of commands in :mod:`service.commands`. Those of the training package are entry
points, so that the service never imports it.
"""

import contextlib
import errno
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

from service import __version__
from service.commands.audit import audit
from service.commands.decisions import decisions
from service.commands.evidence import evidence
from service.commands.keys import keys
from service.commands.stopping import stop
from service.errors import StartError
from service.settings import load_settings

if TYPE_CHECKING:
    from service.scanning.scan import Tally

_GROUP = "faunalens.commands"
_STANDARD_ERROR = 2
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_FILE = click.Path(dir_okay=False, path_type=Path)


class _Commands(click.Group):
    """Adds the commands that installed packages offer under the entry point group ``faunalens.commands``."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """As click's; output that cannot be written, on a full disk, say, ends a command with a sentence and 1."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.filename or error.errno not in _FULL:
                raise
            _give_up(f"the output cannot be written: {error.strerror}")

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(point.name for point in entry_points(group=_GROUP))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for point in entry_points(group=_GROUP, name=cmd_name):
            command: click.Command = point.load()
            return command
        return None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="faunalens")
def main() -> None:
    """Recognise wildlife products in the photos of online listings."""
    _open_standard_streams()


main.add_command(keys)
main.add_command(audit)
main.add_command(evidence)
main.add_command(decisions)


@main.command()
@click.option("--host", help="Address to listen on (FAUNALENS_HOST, default 127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on (FAUNALENS_PORT, default 8000).")
def serve(host: str | None, port: int | None) -> None:
    """Start the HTTP service.

    Every setting is an environment variable FAUNALENS_*; see docs/settings.md. The API page is at /docs. API keys are
    required, see `faunalens keys`, unless FAUNALENS_AUTH=off says otherwise.
    Exit code 3: the service could not start, and the message says why. 1: requests were cut off at
    the end.
    """
    if hasattr(signal, "SIGHUP"):
        # it asks for the model to be loaded, which it is about to be; it would end a process that does not listen yet
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # as SIGTERM: a KeyboardInterrupt is lost in some of the imports, and the service would go on
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from service.server import run

    try:
        sys.exit(run(load_settings(host=host, port=port)))
    except StartError as error:
        stop(str(error))


@main.command()
@click.argument("paths", nargs=-1)
@click.option(
    "--format", "kind", type=click.Choice(["jsonl", "csv", "table"]), help="Default: table on a terminal, else jsonl."
)
@click.option("--output", type=_FILE, help="Write records here instead of standard output.")
@click.option("--resume", "resumed", type=_FILE, help="Go on with an interrupted run: append to this JSON-lines file.")
@click.option("--policy", help="Name of the policy (default: FAUNALENS_POLICY, or 'default').")
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    help="Pictures worked on at once (default: FAUNALENS_THREADS, or all cores).",
)
@click.option("--tolerate-truncated", is_flag=True, help="Judge files that break off as far as they go; mark them.")
def scan(
    paths: tuple[str, ...],
    kind: str | None,
    output: Path | None,
    resumed: Path | None,
    policy: str | None,
    threads: int | None,
    tolerate_truncated: bool,
) -> None:
    """Judge files and folders; print one record a file.

    PATHS are files, folders (walked recursively; endings of any case; hidden entries skipped), tar and zip archives
    (streamed, not unpacked), or s3://bucket/prefix and gs://bucket/prefix (the same). Without PATHS, or with "-", paths
    are read from standard input, one a line. Records are the endpoint's answers plus "file"; a file that cannot be
    judged becomes a record with "error" and ends no run.

    Exit code: 0 nothing found, 4 findings, 8 failures, 12 both, 1 records could not be written, 2 wrong usage,
    3 could not start. With --resume it counts what was recorded before, too.
    """
    from service.detector import Detector
    from service.runtime.providers import pictures_at_once
    from service.scanning import scan as bulk
    from service.scanning.entries import LeftOut
    from service.scanning.records import WRITERS
    from service.scanning.sources import expand

    if resumed and (output or kind not in (None, "jsonl")):
        raise click.UsageError("--resume names the output itself and writes jsonl")
    _check_paths(paths)
    try:
        settings = load_settings(policy=policy, threads=threads)
        detector = Detector(settings)
    except StartError as error:
        stop(str(error))
    tally, left_out = bulk.Tally(), LeftOut()
    file = resumed or output
    advice = "; go on with --resume" if file and kind in (None, "jsonl") else ""
    given = bulk.lines_of_stdin() if paths in ((), ("-",)) else iter(paths)
    on_terminal = not file and sys.stdout is not None and sys.stdout.isatty()
    with _writing(advice), bulk.alone(file):
        wanted = bulk.unrecorded(bulk.resume(resumed, tally) if resumed else Counter())
        files = expand(bulk.find_files(given, left_out), wanted, settings.max_bytes, left_out)
        with _output(file, append=bool(resumed)) as stream, _progress(not on_terminal) as step:
            writer = WRITERS[kind or ("table" if on_terminal else "jsonl")](stream, detector.contract.ids)
            workers = pictures_at_once(settings.providers, settings.threads)
            for record in bulk.scan(detector, detector.policy(None), files, workers, tolerate_truncated):
                writer.write(record)
                tally.add(record)
                step(tally)
    counts = f"{tally.priority} priority, {tally.review} review, {tally.clear} clear, {tally.failures} failed"
    click.echo("\n".join(filter(None, (counts, str(left_out)))), err=True)
    sys.exit(tally.exit_code)


def _check_paths(paths: tuple[str, ...]) -> None:
    """Raises :class:`click.UsageError` where nothing is named to be scanned, or what cannot be read."""
    from service.scanning.objects import unread_scheme

    if not paths and sys.stdin.isatty():
        raise click.UsageError("give files or folders, or paths on standard input")
    for reason in filter(None, map(unread_scheme, paths)):
        raise click.UsageError(reason)


def _open_standard_streams() -> None:
    """Where standard input, output or error is closed, open the null device in its place.

    The next file or connection would get its number, and log lines would be written into that.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(opened)


@contextlib.contextmanager
def _writing(advice: str) -> Iterator[None]:
    """A full disk, say, ends the run with a sentence and ``advice``; what was written stays.

    So does a path that cannot be meant.
    """
    try:
        yield
    except StartError as error:
        stop(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        _give_up(f"the records cannot be written: {error.strerror}{advice}")


def _give_up(reason: str) -> NoReturn:
    """End with 1: what standard output did not take would fail once more at the end, with a code of Python's own."""
    click.echo(f"faunalens: {reason}", err=True)
    with contextlib.suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


@contextlib.contextmanager
def _output(path: Path | None, append: bool) -> Iterator[IO[str]]:
    if path is None:
        if sys.stdout is None:
            raise StartError("standard output is closed: name a file with --output")
        # records are UTF-8, whatever the locale
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        yield sys.stdout
        return
    try:
        stream = path.open("a" if append else "w", encoding="utf-8", newline="")
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}") from error
    with stream:
        yield stream


@contextlib.contextmanager
def _progress(wanted: bool) -> Iterator["Callable[[Tally], None]"]:
    """A progress line on standard error, when ``wanted`` and that is a terminal."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not (wanted and console.is_terminal)) as progress:
        task = progress.add_task("scanning", total=None)
        yield lambda tally: progress.update(
            task, advance=1, description=f"{tally.priority} priority, {tally.review} review, {tally.failures} failed"
        )


if __name__ == "__main__":
    main()
