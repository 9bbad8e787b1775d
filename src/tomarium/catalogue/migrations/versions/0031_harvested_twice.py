"""What tells which harvested items are the same record, and which of them is shown.

Those that were harvested before are told apart by the next harvest that lists them.
"""

import sqlalchemy as sa
from alembic import op

from tomarium.catalogue.harvested_twice import same_of

revision = "0031"
down_revision = "0030"

AT_ONCE = 1000


def upgrade() -> None:
    """Add the columns, and tell what every item is known by."""
    for name in ("same", "shown_by"):
        op.add_column("harvested", sa.Column(name, sa.Text, nullable=False, server_default=""))
    kept = sa.table("harvested", sa.column("id"), sa.column("item", sa.JSON), sa.column("same"))
    last = ""
    while True:
        wanted = sa.select(kept.c.id, kept.c.item).where(kept.c.id > last).order_by(kept.c.id).limit(AT_ONCE)
        rows = op.get_bind().execute(wanted).all()
        if not rows:
            break
        last = rows[-1].id
        told = [{"at": row.id, "told": same_of(row.item)} for row in rows]
        changed = sa.update(kept).where(kept.c.id == sa.bindparam("at")).values(same=sa.bindparam("told"))
        op.get_bind().execute(changed, told)
    for name in ("same", "shown_by"):
        op.create_index(f"harvested_{name}", "harvested", [name])


def downgrade() -> None:
    """Forget which are the same; those that were not shown are shown once the index is made anew."""
    for name in ("same", "shown_by"):
        op.drop_index(f"harvested_{name}", "harvested")
        op.drop_column("harvested", name)
