class RequestContext:
    request_id: str
    user_id: str | None
    project_id: str | None

def get_admin_context(read_deleted: str = "no") -> RequestContext: ...
