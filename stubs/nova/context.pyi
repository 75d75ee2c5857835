class RequestContext:
    request_id: str
    user_id: str | None
    project_id: str | None
