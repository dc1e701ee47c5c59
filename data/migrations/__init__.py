"""The store's schema, step by step: `versions/` holds one file for each step, in the order of their numbers.

A new step: change `data/schema.py`, add `versions/vNNNN_name.py` after the last one, and raise HEAD. A test holds all three to each other.
"""

from pathlib import Path

import sqlalchemy as sa

from data.contract import DataError

__all__ = ["HEAD", "upgrade", "version_of"]

HEAD = "0005"
_BEFORE_MIGRATIONS = "0001"


def version_of(connection: sa.Connection) -> str | None:
    """The step that the database stands at; None where none was ever taken."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def upgrade(connection: sa.Connection) -> None:
    """Take the database to HEAD inside the transaction of `connection`. DataError for one that a newer program has taken further.

    One that was made before there were migrations keeps what it holds.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    standing = version_of(connection)
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    if standing is not None and standing not in known:
        raise DataError(f"the store is at version {standing}, this program knows those up to {HEAD}: a newer leadscore made it. Install that one.")
    if standing is None and sa.inspect(connection).has_table("bundles"):
        command.stamp(config, _BEFORE_MIGRATIONS)
    command.upgrade(config, "head")
