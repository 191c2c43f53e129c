"""The study as a web application on this machine: FastAPI hands out questions and takes answers, SQLite keeps them.

The page learns image names that say nothing and no answer. What a vote means is looked up here, from study, rater and question.
An answer is acknowledged after it is on disk; the page sends it, under the same identifier, until that happens. One that can
never be kept gets a status below 500, and the page stops sending.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from genbench.errors import first_mistake, missing_extra
from genbench.study.collect import RATER, collect_page
from genbench.study.document import IMAGES, Study
from genbench.study.store import Store
from genbench.study.turns import Turn, for_page, turns_of, vote_of

try:
    from fastapi import FastAPI, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
except ModuleNotFoundError as error:
    raise missing_extra("fastapi", "study") from error

LARGEST = 4096  # bytes of an answer; ours have 200
HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest stands in the page, with its nonce
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
DAY = "private, max-age=86400, immutable"

Rater = Annotated[str, StringConstraints(pattern=RATER)]


class Asking(BaseModel):
    """Who begins or goes on."""

    rater: Rater


class Answer(BaseModel):
    """What the page sends. id: made by the page, the same whenever it is sent again."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    study: Annotated[str, StringConstraints(max_length=200)]
    rater: Rater
    question: Annotated[str, StringConstraints(max_length=200)]
    choice: Literal["left", "right", "tie"]
    seconds: Annotated[float, Field(ge=0, le=1e7)]


def create_app(study: Study, folder: Path, store: Store, hosts: Collection[str] | None = None) -> FastAPI:
    """The application of one study, whose images lie in `folder`.

    hosts: names under which it may be asked, in lower case and without ports; None for any.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    turns = functools.lru_cache(maxsize=1024)(lambda rater: {turn.question.id: turn for turn in turns_of(study, rater)})
    _add_guards(app, hosts)

    @app.get("/")
    def start() -> HTMLResponse:
        return HTMLResponse(collect_page(study, {}, served=True))

    @app.get("/api/session")
    def session(rater: str = "") -> dict[str, Any]:
        asking = _checked(Asking, {"rater": rater})
        shown = [for_page(turn) for turn in turns(asking.rater).values()]
        return {"study": study.id, "turns": shown, "answered": store.answered(asking.rater)}

    @app.post("/api/votes")
    async def votes(request: Request) -> dict[str, bool]:
        answer = _checked(Answer, await _body(request))
        if answer.study != study.id:
            raise HTTPException(409, "this is another study than the one that the page belongs to; reload the page")
        turn = turns(answer.rater).get(answer.question)
        if turn is None:
            raise HTTPException(404, "there is no such question")
        return {"kept": await run_in_threadpool(store.add, _vote(study, turn, answer))}

    @app.get("/images/{file}")
    def image(file: str) -> FileResponse:
        if file not in study.image_files:  # a name from the document, never a path from outside
            raise HTTPException(404, "there is no such image")
        return FileResponse(folder / IMAGES / file, media_type="image/png", headers={"Cache-Control": DAY})

    return app


def _vote(study: Study, turn: Turn, answer: Answer) -> Any:
    if answer.choice == "tie" and not study.ties:
        raise HTTPException(422, "choice: this study has no ties")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    seconds = round(answer.seconds, 3)
    return vote_of(study, turn, id=answer.id, rater=answer.rater, choice=answer.choice, seconds=seconds, time=now)


def _checked(model: type[Any], content: bytes | dict[str, Any]) -> Any:
    """What was sent, as a model. Raises HTTPException naming the first thing that is wrong."""
    try:
        return model.model_validate_json(content) if isinstance(content, bytes) else model.model_validate(content)
    except ValidationError as error:
        raise HTTPException(422, first_mistake(error, "content")) from error


async def _body(request: Request) -> bytes:
    """The content of a request of JSON, of at most LARGEST bytes."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send JSON, as application/json")  # which another site's page cannot do unasked
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST:
            raise HTTPException(413, f"an answer has at most {LARGEST} bytes")
    return content


def _add_guards(app: FastAPI, hosts: Collection[str] | None) -> None:
    """Headers on everything, errors as JSON, and no requests that other sites make through a visitor's browser."""

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if hosts is not None and _host_name(host) not in hosts:
            # Another site's name may point here too, and then its page would count as this server's own.
            response: Response = _error(403, "the server is not known under this name; --allow-host tells it one")
        elif origin not in (None, f"http://{host}", f"https://{host}"):
            response = _error(403, "requests come from the study's own page")
        else:
            response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return _error(error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _error(422, str(error.errors()[0]["msg"]))

    @app.exception_handler(sqlite3.Error)
    async def not_kept(request: Request, error: sqlite3.Error) -> JSONResponse:
        return _error(503, f"the answer could not be kept: {error}")


def _host_name(host: str) -> str | None:
    """Of the header `Host`, without its port: "[::1]:8765" -> "::1". None where it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _error(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status_code=status)
