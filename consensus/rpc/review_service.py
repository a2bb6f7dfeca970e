"""ReviewService: the queue is on Kafka. Tasks are read from the reviews topic, rulings go to the rulings topic."""

from __future__ import annotations

from typing import NoReturn

from consensus.rpc.status import Context
from protos.consensus.v1 import review_service_pb2 as api
from protos.consensus.v1.review_service_pb2_grpc import ReviewServiceServicer


class ReviewService(ReviewServiceServicer):
    """Answers UNIMPLEMENTED and says where the queue is."""

    async def ListTasks(self, request: api.ListTasksRequest, context: Context) -> api.ListTasksResponse:
        _elsewhere()

    async def ClaimTask(self, request: api.ClaimTaskRequest, context: Context) -> api.ClaimTaskResponse:
        _elsewhere()

    async def RenewClaim(self, request: api.RenewClaimRequest, context: Context) -> api.RenewClaimResponse:
        _elsewhere()

    async def ReleaseTask(self, request: api.ReleaseTaskRequest, context: Context) -> api.ReleaseTaskResponse:
        _elsewhere()

    async def SubmitRuling(self, request: api.SubmitRulingRequest, context: Context) -> api.SubmitRulingResponse:
        _elsewhere()


def _elsewhere() -> NoReturn:
    raise NotImplementedError("read tasks from the reviews topic and produce rulings to the rulings topic")
