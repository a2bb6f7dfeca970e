"""The gateway's gRPC server: services, health, reflection, limits, life cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from calibration.snapshot import Snapshot
from consensus.errors import ConfigError
from consensus.kafka.client import Client
from consensus.metrics import Metrics
from consensus.policy import Policy
from consensus.rpc.calibration_service import CalibrationService, Listed
from consensus.rpc.consensus_service import ConsensusService, Known
from consensus.rpc.edge import Edge
from consensus.rpc.review_service import ReviewService
from consensus.settings import GrpcSettings
from protos.consensus.v1.calibration_service_pb2_grpc import add_CalibrationServiceServicer_to_server
from protos.consensus.v1.consensus_service_pb2_grpc import add_ConsensusServiceServicer_to_server
from protos.consensus.v1.review_service_pb2_grpc import add_ReviewServiceServicer_to_server

SERVICES = tuple(f"consensus.v1.{noun}Service" for noun in ("Consensus", "Review", "Calibration"))
NOT_WAITING = 100
"""Concurrent calls allowed beyond those that may wait: health, reflection, GetVerdict."""
ROOM = 8
"""grpc itself cuts messages off at this multiple of the limit; below it the answer names the field."""


class Server:
    """``start`` listens and answers; ``drain`` says so to health checks, lets calls end within the grace, and closes.

    ``interceptors`` stand before everything else, in order: this is where callers are told apart.
    """

    def __init__(
        self,
        settings: GrpcSettings,
        metrics: Metrics,
        client: Client,
        *,
        known: Known,
        alarms: Listed,
        policies: Mapping[str, Policy],
        snapshot: Callable[[], Snapshot | None],
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        self._settings = settings
        self._server = grpc.aio.server(
            interceptors=[*interceptors, Edge(settings.max_message_bytes, metrics)],
            options=_options(settings),
            maximum_concurrent_rpcs=settings.max_waiting + NOT_WAITING,
        )
        self._health = health.aio.HealthServicer()
        decisions = ConsensusService(client, known, policies, max_deadline_ms=settings.max_deadline_ms)
        add_ConsensusServiceServicer_to_server(decisions, self._server)
        add_ReviewServiceServicer_to_server(ReviewService(), self._server)
        add_CalibrationServiceServicer_to_server(CalibrationService(client, snapshot, alarms), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)

    async def start(self) -> int:
        """Listen and serve; returns the port. Raises ConfigError when the address cannot be bound."""
        try:
            port = self._server.add_insecure_port(self._settings.listen)
        except RuntimeError:
            raise ConfigError("grpc.listen", f"{self._settings.listen} cannot be bound: choose another port") from None
        await self._server.start()
        for service in ("", *SERVICES):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def drain(self) -> None:
        """Refuse new calls, give those that wait the grace, then end them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._settings.stop_grace_s)


def _options(settings: GrpcSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes * ROOM),
        # Two gateways on one port would share its calls at random.
        ("grpc.so_reuseport", 0),
    ]
