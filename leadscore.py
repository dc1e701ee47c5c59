"""The front door: the command line, nothing else. What a command needs is imported when it runs."""

import argparse
import sys
from collections.abc import Callable, Sequence

VERSION = "0.1.0"
Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 ok, 1 refused with a reason, 2 usage."""
    arguments = _parser().parse_args(argv)
    from data.contract import DataError

    run: Command = arguments.run
    try:
        return run(arguments)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `leadscore models | head` is no mistake
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("leadscore", description="How likely a lead becomes a prospect, and a prospect an opportunity; why; and what to do next.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_demo, _sample, _validate, _train, _score, _serve, _models, _promote, _rollback, _keys):
        add(commands)
    return parser


Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(commands: Commands, name: str, help_: str, run: Command) -> argparse.ArgumentParser:
    added = commands.add_parser(name, help=help_, description=help_[:1].upper() + help_[1:] + ".")
    added.set_defaults(run=run)
    return added


def _demo(commands: Commands) -> None:
    added = _command(commands, "demo", "sample world -> train -> serve, in one command", demo)
    added.add_argument("--port", type=int, default=8000)
    added.add_argument("--leads", type=int, default=4_000, help="size of the sample world (default 4,000)")


def _sample(commands: Commands) -> None:
    added = _command(commands, "sample", "write a made-up CRM with a known truth, as a dataset", sample)
    added.add_argument("out", metavar="OUT", help="the folder to write")
    added.add_argument("--leads", type=int, default=12_000)
    added.add_argument("--seed", type=int, default=0)


def _dataset(added: argparse.ArgumentParser) -> None:
    added.add_argument("dataset", metavar="DATASET", help="a folder of CSV or Parquet tables")
    added.add_argument("--mapping", metavar="M", help="mapping.toml that names another system's files and columns")
    added.add_argument("--config", metavar="FILE", help="funnel.toml (default: LEADSCORE_HOME/funnel.toml, if there)")


def _validate(commands: Commands) -> None:
    added = _command(commands, "validate", "check a dataset and list everything that is wrong with it", validate)
    _dataset(added)
    added.add_argument("--json", metavar="FILE", help="write the report as JSON, too; - for standard output")


def _train(commands: Commands) -> None:
    added = _command(commands, "train", "train the funnel's models, record them in MLflow, promote them if they are better", train)
    _dataset(added)
    added.add_argument("--promote", choices=("auto", "always", "never"), default="auto")
    added.add_argument("--seed", type=int, default=0)
    added.add_argument("--json", metavar="FILE", help="write the report as JSON, too; - for standard output")


def _score(commands: Commands) -> None:
    added = _command(commands, "score", "score every open lead of a dataset", score)
    _dataset(added)
    added.add_argument("--out", metavar="FILE", required=True, help=".csv or .parquet")
    added.add_argument("--as-of", metavar="T", help="the instant of knowledge, ISO-8601 (default: the end of the data)")
    added.add_argument("--version", metavar="V", help="the bundle version (default: the champion)")


def _serve(commands: Commands) -> None:
    added = _command(commands, "serve", "answer over HTTP", serve)
    added.add_argument("--host", default="127.0.0.1")
    added.add_argument("--port", type=int, default=8000)
    added.add_argument("--workers", type=int, default=1)


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
    create.add_argument("--scope", action="append", metavar="SCOPE", help="score, ingest, read, operate or admin; may be repeated (default: score, read)")
    create.add_argument("--owner")
    create.add_argument("--name", default="")
    actions.add_parser("list", help="list every key, without its secret")
    actions.add_parser("revoke", help="end a key at once").add_argument("id", type=int)


def demo(arguments: argparse.Namespace) -> int:
    from serving.server import serve as run
    from training.commands import demo as prepare

    prepare(arguments.leads, arguments.port)
    return run(port=arguments.port)


def sample(arguments: argparse.Namespace) -> int:
    from training.commands import sample as run

    return run(arguments.out, arguments.leads, arguments.seed)


def validate(arguments: argparse.Namespace) -> int:
    from training.commands import validate as run

    return run(arguments.dataset, arguments.config, arguments.mapping, arguments.json)


def train(arguments: argparse.Namespace) -> int:
    from training.commands import train as run

    return run(arguments.dataset, arguments.config, arguments.mapping, arguments.promote, arguments.seed, arguments.json)


def score(arguments: argparse.Namespace) -> int:
    from serving.commands import score as run

    return run(arguments.dataset, arguments.config, arguments.mapping, arguments.out, arguments.as_of, arguments.version)


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
