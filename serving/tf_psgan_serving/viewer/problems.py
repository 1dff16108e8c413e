"""Errors of the HTTP API: RFC 9457 problems, whose `detail` is one line with the thing, its value and the remedy."""

import json
import re
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from tf_psgan_serving.errors import ServingError, printable

MEDIA_TYPE = "application/problem+json"
MOST_TEXT = 500
"""Characters of a detail."""

_STATUS = {
    "INVALID_ARGUMENT": 400,
    "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 503,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_TEXT = {
    502: "the server of models answers wrongly; its operator finds the reason in the viewer's log.",
    503: "the server of models cannot be reached; try again.",
    504: "the server of models did not answer in time; try again, or request a smaller picture.",
}
_FITS = re.compile(r"the nearest extent that fits: (\d{1,6})x(\d{1,6})")


class Problem(Exception):
    """A request that cannot be answered with a picture.

    Args:
      status: of HTTP.
      detail: one line for people.
      more: further members of the problem.
    """

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, printable(detail)[:MOST_TEXT], more

    def response(self) -> Response:
        """The problem as a response, which is not cached."""
        headers = {"Cache-Control": "no-store"} | ({"Retry-After": "1"} if self.status == 503 else {})
        about = {"type": "about:blank", "title": HTTPStatus(self.status).phrase, "status": self.status}
        content = json.dumps(about | {"detail": self.detail} | self.more)
        return Response(content, self.status, headers, MEDIA_TYPE)


def of_server(error: ServingError, target: str) -> Problem:
    """The problem for an error of the server of models.

    A message about the request is passed on. Other messages may tell of the server's inside and are not. Where a
    seamless tile does not fit the texture's waves, `fits` names the nearest height and width that do.
    """
    status = _STATUS.get(error.code, 502)
    if status >= 500:
        return Problem(status, _TEXT[status])
    detail = str(error).removeprefix(f"{target}: ").removeprefix(f"{error.code}: ")
    found = _FITS.search(detail)
    fits = {"fits": {"height": int(found[1]), "width": int(found[2])}} if found else {}
    return Problem(status, detail, **fits)
