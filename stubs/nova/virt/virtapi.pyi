from nova.context import RequestContext

class _ReportClient:
    def get_allocations_for_consumer(self, context: RequestContext, consumer: str) -> dict[str, object]: ...

class VirtAPI:
    """The compute manager's, which has the client of Placement."""

    reportclient: _ReportClient
