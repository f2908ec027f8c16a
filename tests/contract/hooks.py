"""For schemathesis: what would only take time."""

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """Of an ended job, no event comes any more, and who asks for one waits as long as he said."""
    query = case.query or {}
    later = "after" in query or case.operation.path.endswith("/history")
    wait = query.get("wait")
    if later and str(wait).isdigit() and 1 < int(wait) <= 300:
        case.query["wait"] = type(wait)(1)
