"""``consensus calibration``: fit a snapshot before anything is deployed."""

from __future__ import annotations

import typer

from consensus.cli.calibration_report import report
from consensus.cli.certify import certify
from consensus.cli.fit import fit
from consensus.cli.forget import forget
from consensus.cli.rollback import rollback
from consensus.cli.verify import verify

app = typer.Typer(help="Fit, certify, report, verify, roll back, forget.", rich_markup_mode=None, no_args_is_help=True)


app.command()(certify)
app.command()(fit)
app.command()(report)
app.command()(verify)
app.command()(rollback)
app.command()(forget)


@app.callback()
def root() -> None:
    """Commands on snapshots."""
