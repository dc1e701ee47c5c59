"""The front door: the command line, nothing else. What a command needs is imported when it runs."""

import argparse
import gc
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TypeAlias

VERSION = "0.1.0"
DEMO_LEADS = 2_500
LANGUAGES = ("en", "sv", "de", "pt", "nb", "zh")
Command = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_QUIET = {
    "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin while they wait make training fifty times slower on a busy machine
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # `--json -` owns standard output
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # of copying a file of 200 kB
}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 ok, 1 refused with a reason, 2 usage."""
    arguments = _parser().parse_args(argv)
    _prepare()
    from data.contract import DataError

    run: Command = arguments.run
    try:
        return run(arguments)
    except (BrokenPipeError, SystemExit) as error:  # `leadscore models | head` is no mistake, though rich makes it an exit
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (DataError, KeyboardInterrupt, ModuleNotFoundError, OSError) as error:
        print(_told(error), file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 - a stack trace is no answer
        print(_unforeseen(error), file=sys.stderr)
        return 1


def _prepare() -> None:
    """Libraries read their settings when they are imported, which has not happened yet. Warnings are for who wrote the code: `-W` shows them."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    gc.set_threshold(50_000, 20, 100)  # imports make objects that stay: looking through them again and again is a tenth of the start


def _told(error: BaseException) -> str:
    match error:
        case KeyboardInterrupt():
            return "stopped before it was done."
        case ModuleNotFoundError():
            extra = "cluster" if error.name in ("dask", "distributed") else "train"
            return f"this command needs {error.name}, which is not installed here. Install it with: pip install 'leadscore[{extra}]'"
        case OSError(filename=str(name), strerror=str(why)):
            return f"{name} can't be used: {why}. Check that it is there, that it may be written, and that the disk has room."
    return str(error)


def _unforeseen(error: Exception) -> str:
    """What can't be the user's doing; the trace goes to a file, for whoever mends it."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="leadscore-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write("".join(traceback.format_exception(error)))
    return f"this is a fault in leadscore itself ({type(error).__name__}: {error}). Please report it, with the details in {file.name}."


def _whole(low: int, high: int) -> Callable[[str], int]:
    """What reads an option's whole number from `low` to `high`."""

    def number(text: str) -> int:
        if not text.lstrip("-").isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"must be a whole number from {low:,} to {high:,}; got {text!r}")
        return int(text)

    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "leadscore", description="How likely a lead becomes a prospect, and a prospect an opportunity; why; and what to do next."
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (
        _demo,
        _sample,
        _validate,
        _train,
        _evaluate,
        _score,
        _report,
        _ingest,
        _serve,
        _retrain,
        _worker,
        _models,
        _promote,
        _rollback,
        _replay,
        _keys,
    ):
        add(commands)
    return parser


_SEED = _whole(0, 2**31 - 1)


def _command(commands: Commands, name: str, help_: str, run: Command) -> argparse.ArgumentParser:
    added = commands.add_parser(name, help=help_, description=help_[:1].upper() + help_[1:] + ".")
    added.set_defaults(run=run)
    return added


def _demo(commands: Commands) -> None:
    added = _command(commands, "demo", "sample world -> train -> serve, with the pages open", demo)
    added.add_argument("--port", type=_whole(1, 65_535), default=8000)
    added.add_argument("--leads", type=_whole(500, 1_000_000), default=DEMO_LEADS, help=f"size of the sample world (default {DEMO_LEADS:,})")


def _sample(commands: Commands) -> None:
    added = _command(commands, "sample", "write a made-up CRM with a known truth, as a dataset", sample)
    added.add_argument("out", metavar="OUT", help="the folder to write")
    added.add_argument("--leads", type=_whole(1, 1_000_000), default=12_000, help="how many (default 12,000)")
    added.add_argument("--seed", type=_SEED, default=0, help="the same seed makes the same world (default 0)")


def _seconds(text: str) -> float:
    if not text.replace(".", "", 1).isdecimal() or not 0 < float(text) <= 7 * 86_400:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, more than 0 and at most a week; got {text!r}")
    return float(text)


def _trials(text: str) -> tuple[int, ...]:
    number = _whole(0, 100_000)
    return tuple(number(part.strip()) for part in text.split(","))


def _dataset(added: argparse.ArgumentParser, flat: bool = False) -> None:
    told = "a folder of CSV or Parquet tables" + (", or one flat file with a row per lead" if flat else "")
    added.add_argument("dataset", metavar="DATASET", help=told)
    added.add_argument("--mapping", metavar="M", help="mapping.toml that names another system's files and columns")
    added.add_argument("--config", metavar="FILE", help="funnel.toml (default: LEADSCORE_HOME/funnel.toml, if there)")


def _validate(commands: Commands) -> None:
    added = _command(commands, "validate", "check a dataset and list everything that is wrong with it", validate)
    _dataset(added, flat=True)
    added.add_argument("--json", metavar="FILE", help="write the report as JSON, too; - for standard output")


def _train(commands: Commands) -> None:
    added = _command(commands, "train", "train the funnel's models, record them in MLflow, promote them if they are better", train)
    _dataset(added, flat=True)
    _flat(added)
    _tuning(added)
    _promotion(added)
    _cluster(added)
    added.add_argument("--seed", type=_SEED, default=0, help="the same data and seed make the same models (default 0)")
    added.add_argument("--json", metavar="FILE", help="write the report as JSON, too; - for standard output")


def _flat(added: argparse.ArgumentParser) -> None:
    flat = added.add_argument_group("flat files", "one CSV or Parquet file with a row per lead and no times")
    flat.add_argument("--outcome", metavar="COL", help="the column that says how each lead ended: yes or no, won or lost, 1 or 0")
    flat.add_argument("--id", metavar="COL", help="the column that names the lead (default: one that is called like an id, else the row's number)")
    flat.add_argument("--group", metavar="COL", help="the company or person whose rows belong together: none is both learned from and measured on")
    flat.add_argument("--ordered", action="store_true", help="the rows are in order of time: the last fifth measures (default: a random fifth)")


def _tuning(added: argparse.ArgumentParser) -> None:
    budget = added.add_mutually_exclusive_group()
    budget.add_argument("--time-budget", type=_seconds, metavar="SECONDS", help="tune LightGBM for so long, all transitions together (default: not)")
    budget.add_argument(
        "--trials", type=_trials, metavar="N", help="tune with exactly so many trials; a list such as 12,9,7 gives each model its own"
    )


def _cluster(added: argparse.ArgumentParser) -> None:
    added.add_argument("--cluster", metavar="URL", help="work on the Dask cluster of this scheduler, such as tcp://scheduler:8786 (default: here)")


def _evaluate(commands: Commands) -> None:
    added = _command(commands, "evaluate", "judge a version on what came after its training, and say whether to retrain", evaluate)
    _dataset(added)
    added.add_argument("--version", metavar="V", help="the bundle version (default: the champion)")
    added.add_argument("--json", metavar="FILE", help="write the verdict as JSON, too; - for standard output")


def _score(commands: Commands) -> None:
    added = _command(commands, "score", "score every open lead of a dataset", score)
    _dataset(added, flat=True)
    added.add_argument("--out", metavar="FILE", required=True, help=".csv or .parquet")
    added.add_argument("--as-of", metavar="T", help="the instant of knowledge, ISO-8601 (default: the end of the data)")
    added.add_argument("--version", metavar="V", help="the bundle version (default: the champion)")
    _cluster(added)


def _report(commands: Commands) -> None:
    added = _command(commands, "report", "write funnel, ideal customer profile, losses and model as one page to send", report)
    _dataset(added)
    added.add_argument("--out", metavar="DIR", required=True, help="the folder to write it into")
    added.add_argument("--version", metavar="V", help="the bundle version (default: the champion)")
    added.add_argument("--language", choices=LANGUAGES, default="en", help="default en")


def _ingest(commands: Commands) -> None:
    added = _command(commands, "ingest", "load a dataset into the operational store; again loads only what is new", ingest)
    _dataset(added)


def _retrain(commands: Commands) -> None:
    added = _command(commands, "retrain", "train on what the operational store holds, and promote if better", retrain)
    added.add_argument("--since", metavar="T", help="only leads created at or after this instant, ISO-8601; a date alone is its end (default: all)")
    _promotion(added)
    added.add_argument("--job", metavar="ID", help=argparse.SUPPRESS)


def _promotion(added: argparse.ArgumentParser) -> None:
    added.add_argument(
        "--promote", choices=("auto", "always", "never"), default="auto", help="auto (default): only if better than the champion beyond noise"
    )


def _worker(commands: Commands) -> None:
    _command(commands, "worker", "run jobs, the schedule, rescoring and webhooks until told to stop", worker)


def _replay(commands: Commands) -> None:
    added = _command(commands, "replay", "give a score of the ledger again, from the same row and the same bundle", replay)
    added.add_argument("score_id", metavar="SCORE_ID")
    added.add_argument("--json", metavar="FILE", help="write the whole judgement as JSON, too; - for standard output")


def _serve(commands: Commands) -> None:
    added = _command(commands, "serve", "answer over HTTP", serve)
    added.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1: this machine only)")
    added.add_argument("--port", type=_whole(0, 65_535), default=8000, help="default 8000; 0 takes a free one")
    added.add_argument("--workers", type=_whole(1, 64), default=1, help="processes that answer on the one port (default 1)")


def _models(commands: Commands) -> None:
    _command(commands, "models", "list the trained versions", models)


def _promote(commands: Commands) -> None:
    added = _command(commands, "promote", "make a version the champion, for the whole funnel", promote)
    added.add_argument("version", metavar="VERSION")


def _rollback(commands: Commands) -> None:
    _command(commands, "rollback", "go back to the champion before", rollback)


def _keys(commands: Commands) -> None:
    added = _command(commands, "keys", "create, list and revoke API keys", keys)
    actions = added.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    create = actions.add_parser("create", help="make a key; it is shown once")
    create.add_argument(
        "--scope", action="append", metavar="SCOPE", help="score, ingest, read, operate or admin; may be repeated (default: score, read)"
    )
    create.add_argument("--owner")
    create.add_argument("--name", default="")
    actions.add_parser("list", help="list every key, without its secret")
    actions.add_parser("revoke", help="end a key at once").add_argument("id", type=int)


def demo(arguments: argparse.Namespace) -> int:
    from serving.server import check_free
    from serving.server import serve as run

    check_free(arguments.port)
    from data.home import clock
    from training.commands import demo as prepare

    folder = prepare(arguments.leads, clock())
    from serving import demo as past

    past.tell_counts(past.play(folder, clock()))
    past.tell_what_to_try(arguments.port)
    past.open_when_ready(arguments.port)
    return run(port=arguments.port)


def sample(arguments: argparse.Namespace) -> int:
    from training.commands import sample as run

    return run(arguments.out, arguments.leads, arguments.seed)


def validate(arguments: argparse.Namespace) -> int:
    from training.commands import validate as run

    return run(arguments.dataset, arguments.config, arguments.mapping, arguments.json)


def train(arguments: argparse.Namespace) -> int:
    from training.commands import flat_columns
    from training.commands import train as run
    from training.tuning import Tuning

    flat = flat_columns(arguments.outcome, arguments.id, arguments.group, arguments.ordered)
    tuning = Tuning(arguments.time_budget, arguments.trials)
    where = (arguments.dataset, arguments.config, arguments.mapping)
    return run(*where, arguments.promote, arguments.seed, arguments.json, flat, tuning, arguments.cluster)


def evaluate(arguments: argparse.Namespace) -> int:
    from training.evaluating import evaluate as run

    return run(arguments.dataset, arguments.config, arguments.mapping, arguments.version, arguments.json)


def score(arguments: argparse.Namespace) -> int:
    from serving.commands import score as run

    where = (arguments.dataset, arguments.config, arguments.mapping)
    return run(*where, arguments.out, arguments.as_of, arguments.version, arguments.cluster)


def report(arguments: argparse.Namespace) -> int:
    from serving.reporting import report as run

    return run(arguments.dataset, arguments.config, arguments.mapping, arguments.out, arguments.version, arguments.language)


def ingest(arguments: argparse.Namespace) -> int:
    from data.ingesting import ingest as run

    return run(arguments.dataset, arguments.config, arguments.mapping)


def retrain(arguments: argparse.Namespace) -> int:
    from training.retraining import retrain as run

    return run(arguments.since, arguments.promote, arguments.job)


def worker(_: argparse.Namespace) -> int:
    from serving.worker import run

    return run()


def replay(arguments: argparse.Namespace) -> int:
    from serving.replay import replay as run

    return run(arguments.score_id, arguments.json)


def serve(arguments: argparse.Namespace) -> int:
    from serving.server import serve as run

    return run(arguments.host, arguments.port, arguments.workers)


def models(_: argparse.Namespace) -> int:
    from registry.commands import models as run

    return run()


def promote(arguments: argparse.Namespace) -> int:
    from registry.commands import promote as run

    return run(arguments.version)


def rollback(_: argparse.Namespace) -> int:
    from registry.commands import rollback as run

    return run()


def keys(arguments: argparse.Namespace) -> int:
    from serving import keys as run

    if arguments.action == "create":
        return run.create(arguments.scope or ["score", "read"], arguments.owner, arguments.name)
    return run.list_all() if arguments.action == "list" else run.revoke(arguments.id)


if __name__ == "__main__":
    sys.exit(main())
