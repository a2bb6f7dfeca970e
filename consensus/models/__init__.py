"""Models behind one method, `Model.ask`, with limits, retries, metering and recording as its wrappers."""

from consensus.models.build import build, wrap
from consensus.models.member import Member, close
from consensus.models.protocol import Budget, CallLog, MemoryLog, Model, Prompt, template_hash
from consensus.models.retrying import Retries

__all__ = [
    "Budget",
    "CallLog",
    "Member",
    "MemoryLog",
    "Model",
    "Prompt",
    "Retries",
    "build",
    "close",
    "template_hash",
    "wrap",
]
