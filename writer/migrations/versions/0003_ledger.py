"""What became of each boot's events, and stored batches folded into ranges."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_count",
        sa.Column("edge", sa.Text(), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column("site_digest", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("edge", "boot", "site_digest", "outcome"),
        comment="what became of each boot's events, counted by the commits that decided it",
    )
    _columns_of_boot()
    _put_batches()


def _columns_of_boot() -> None:
    for name, comment in (
        ("counted_to", "edge_count holds every acknowledged batch up to this number"),
        ("folded_events", "events of the batches in stored"),
        ("uncounted_events", "of these, events that edge_count does not hold"),
    ):
        op.add_column(
            "boot",
            sa.Column(
                name,
                sa.BigInteger(),
                server_default=sa.text("0"),
                nullable=False,
                comment=comment,
            ),
        )
    for name, comment in (
        ("aside", "numbers of entries set aside whole, as their plain headers say"),
        ("lost", "acknowledged numbers that are nowhere"),
    ):
        op.add_column(
            "boot",
            sa.Column(
                name,
                INT8MULTIRANGE(),
                server_default=sa.text("'{}'::int8multirange"),
                nullable=False,
                comment=comment,
            ),
        )


def _put_batches() -> None:
    # A fold may take a row away while an insert of the same number waits for it. So the ranges
    # are looked at by a statement of its own, after the insert: it sees what that waited for.
    op.execute("""
CREATE FUNCTION put_batches(
    own_commit bigint, edges text[], boots bigint[], seqs bigint[], ns integer[]
) RETURNS TABLE (new_edge text, new_boot bigint, new_seq bigint) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO batch (edge, boot, seq, n, commit_no)
    SELECT a.edge, a.boot, a.seq, a.n, own_commit
    FROM unnest(edges, boots, seqs, ns) AS a (edge, boot, seq, n)
    ORDER BY a.edge, a.boot, a.seq
    ON CONFLICT DO NOTHING;
    DELETE FROM batch b USING unnest(edges, boots, seqs) AS a (edge, boot, seq), boot f
    WHERE b.edge = a.edge AND b.boot = a.boot AND b.seq = a.seq AND b.commit_no = own_commit
      AND f.edge = a.edge AND f.boot = a.boot AND f.stored @> a.seq;
    RETURN QUERY
    SELECT b.edge, b.boot, b.seq
    FROM unnest(edges, boots, seqs) AS a (edge, boot, seq) JOIN batch b USING (edge, boot, seq)
    WHERE b.commit_no = own_commit;
END
$$
""")
