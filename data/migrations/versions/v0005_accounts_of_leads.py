"""Who ever stood at an account is found without reading every change."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOVED = "object = 'lead' AND field = 'account_id'"


def upgrade() -> None:
    """Make the index."""
    op.create_index("changes_account", "changes", ["object", "field", "value"], sqlite_where=sa.text(_MOVED), postgresql_where=sa.text(_MOVED))
