"""PostgreSQL's index of words over a table of short rows, with what a search asks of a record."""

from alembic import op

from tomarium.catalogue import postgresql_texts

revision = "0030"
down_revision = "0029"

OLD_INDEX = (
    "CREATE INDEX record_text_words ON record_text USING gin (record_words(title, keywords, rest, whole))"
)


def upgrade() -> None:
    """Make the table and the index, within the one transaction."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("SET LOCAL maintenance_work_mem = '256MB'")
    op.execute("DROP INDEX record_text_words")
    for made in (
        postgresql_texts.MAKE_BRIEF,
        postgresql_texts.MAKE_WORDS_OF,
        postgresql_texts.FILL_BRIEF,
        *postgresql_texts.MAKE_INDEXES,
    ):
        op.execute(made.format("record_text"))
    op.execute("ANALYZE record_text_brief")


def downgrade() -> None:
    """Make the index of the texts themselves again."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP TABLE record_text_brief")
    op.execute("DROP FUNCTION record_text_words")
    op.execute(OLD_INDEX)
