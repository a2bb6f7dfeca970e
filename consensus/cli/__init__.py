"""The command line. One file per command, imported only when that command runs, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "demo": "Run the whole loop on an embedded broker with simulated models: no key, no account.",
    "worker": "Consume requests and rulings, publish verdicts.",
    "gateway": "Serve gRPC.",
    "calibrator": "Ingest signals and outcomes, refit, publish snapshots.",
    "decide": "Decide JSONL requests without Kafka.",
    "evaluate": "Measure panel and methods on recorded answers.",
    "explain": "Tell the whole story of one decision.",
    "topics": "Create and check the topics.",
    "dead-letters": "List and replay dead letters.",
    "calibration": "Fit, inspect and publish snapshots.",
    "hold": "Stop a class from accepting, or release it.",
    "store": "Migrate the store.",
    "models": "Show the configured models.",
    "doctor": "Call every model once, look at broker, topics and store.",
    "config": "Check the configuration, print its schema.",
}


class Commands(TyperGroup):
    """Top-level group that imports a command's module when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"consensus.cli.{cmd_name.replace('-', '_')}")
        return typer.main.get_command(module.app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=Commands,
    name="consensus",
    help="Multi-model consensus and arbitration for decisions that are too expensive to get wrong.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)


@app.callback()
def root() -> None:
    """Options come after the command."""


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 failed, 2 wrong use or configuration."""
    from consensus.errors import ConfigError, ConsensusError

    try:
        app()
    except ConfigError as error:
        sys.exit(_complain(str(error), 2))
    except ConsensusError as error:
        sys.exit(_complain(f"{type(error).__name__}: {error}", 1))
    except KeyboardInterrupt:
        sys.exit(_complain("interrupted", 130))


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"consensus: {message}\n")
    return code
