"""The HTTP interface of a served run, and its page.

    GET  /             the page                   POST /v1/rank      history and candidates -> best first
    GET  /docs         this interface             POST /v1/predict   records -> P(Yes)
    GET  /health       200 while it works         POST /v1/score     SGLang's scoring API
    GET  /metrics      for Prometheus             GET  /v1/...       what the page needs: run, catalogue, a real user

`service` computes the answers. What a client got wrong is said in one sentence, as everywhere.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from likely._version import __version__
from likely.errors import LikelyError
from likely.serving.bodies import (
    CatalogueAnswer,
    HeldOutAnswer,
    PredictAnswer,
    PredictBody,
    Problem,
    RankAnswer,
    RankBody,
    RunAnswer,
    ScoreAnswer,
    ScoreBody,
)
from likely.serving.guard import BodyLimit, Key, SafeHeaders
from likely.serving.line import FullError
from likely.serving.measures import MeasureRequests, Measures
from likely.serving.served import Served
from likely.serving.service import Service, TooMuchError

T = TypeVar("T")

STATIC = Path(__file__).parent / "static"
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The key is missing or wrong."},
    413: {"model": Problem, "description": "More than the server takes at once."},
    422: {"model": Problem, "description": "Something in the request is wrong."},
    503: {"model": Problem, "description": "All places are taken; Retry-After says when to come again."},
}
PATHS = frozenset({"/", "/docs", "/health", "/metrics", "/v1/rank", "/v1/predict", "/v1/score"})
PATHS |= {"/v1/run", "/v1/catalogue", "/v1/held-out"}
CLIENT_LEFT = 499


def make_app(served: Served, api_key: str | None = None) -> FastAPI:
    """Return the app of a run; `served` is loaded.

    Args:
        served: the run.
        api_key: asked of everybody who wants more than the page and /health; nobody is asked where it is None.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = app.state.service = Service(served)
        working = asyncio.create_task(service.line.work())
        yield
        service.close()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    about = "One history and many candidates cost little more than one candidate: what they share is computed once."
    app = FastAPI(title="likely", version=__version__, description=about, lifespan=lifespan, docs_url=None)
    app.router.redirect_slashes = False
    measures = app.state.measures = Measures()
    app.include_router(_open_router())
    app.include_router(_model_router(), dependencies=[Depends(Key(api_key))])
    app.include_router(_page_router(), dependencies=[Depends(Key(api_key))])
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_exception_handler(LikelyError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_body)
    app.add_exception_handler(status.HTTP_400_BAD_REQUEST, _refuse_unread)
    app.add_middleware(BodyLimit, most=served.limits.body_bytes)
    app.add_middleware(SafeHeaders)
    app.add_middleware(MeasureRequests, measures=measures, paths=PATHS)
    return app


def _open_router() -> APIRouter:
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @router.get("/docs", include_in_schema=False)
    def docs() -> FileResponse:
        return FileResponse(STATIC / "docs.html")

    @router.get("/health")
    def health() -> dict[str, str]:
        """Say that the server works."""
        return {"status": "ok"}

    return router


def _model_router() -> APIRouter:
    """Return what asks the model."""
    router = APIRouter(responses=REFUSALS)

    @router.post("/v1/rank", response_model=RankAnswer)
    async def rank(request: Request, body: RankBody) -> Any:
        """Rank candidates for a history by P(Yes), best first."""
        return await _costed(request, _service(request).rank(body))

    @router.post("/v1/predict", response_model=PredictAnswer)
    async def predict(request: Request, body: PredictBody) -> Any:
        """Return P(Yes) of records."""
        return await _costed(request, _service(request).predict(body))

    @router.post("/v1/score", response_model=ScoreAnswer)
    async def score(request: Request, body: ScoreBody) -> Any:
        """Return probabilities of tokens after a query and each of several items, as SGLang does."""
        return await _unless_gone(request, _service(request).score(body))

    @router.get("/metrics", response_class=Response)
    def metrics(request: Request) -> Response:
        """Return the counters in Prometheus' format."""
        measures: Measures = request.app.state.measures
        measures.under_way.set(_service(request).line.taken)
        return Response(measures.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _page_router() -> APIRouter:
    """Return what the page asks beside rankings."""
    router = APIRouter(responses={401: REFUSALS[401], 422: REFUSALS[422]})

    @router.get("/v1/run")
    def run(request: Request) -> RunAnswer:
        """Say which run is served, and what it can do."""
        return _service(request).served.describe()

    @router.get("/v1/catalogue")
    def catalogue(
        request: Request,
        text: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=100)] = 10,
    ) -> CatalogueAnswer:
        """Search the catalogue's titles; the most rated come first."""
        catalogue = _service(request).served.catalogue
        if catalogue is None:
            raise LikelyError("This run has no catalogue; prepare its records again and train, or send candidates.")
        return CatalogueAnswer(found=catalogue.search(text, limit))

    @router.get("/v1/held-out")
    def held_out(request: Request, place: Annotated[float, Query(ge=0, lt=1)] = 0) -> HeldOutAnswer:
        """Return a real user of the run's test rows: the first one after a place of the file, from 0 to 1."""
        served = _service(request).served
        if served.held_out is None:
            raise LikelyError("The run's test rows are not here; start the server in the folder it was trained in.")
        user = served.held_out.user(place)
        return HeldOutAnswer(user=user.user, history=user.history, candidates=user.candidates, liked=user.liked)

    return router


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _costed(request: Request, work: Awaitable[Any]) -> Any:
    """Wait for an answer and count what it took."""
    answer = await _unless_gone(request, work)
    if isinstance(answer, RankAnswer | PredictAnswer):
        request.app.state.measures.add(answer.cost)
    return answer


async def _unless_gone(request: Request, work: Awaitable[T]) -> T | Response:
    """Wait for an answer as long as the client does; where it leaves, the work is given up and its place is free."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else Response(status_code=CLIENT_LEFT)
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    """Say in one sentence what is wrong."""
    if isinstance(error, FullError):
        return JSONResponse({"detail": str(error)}, status.HTTP_503_SERVICE_UNAVAILABLE, {"Retry-After": "1"})
    too_much = isinstance(error, TooMuchError)
    code = status.HTTP_413_CONTENT_TOO_LARGE if too_much else status.HTTP_422_UNPROCESSABLE_CONTENT
    return JSONResponse({"detail": str(error)}, code)


async def _refuse_body(request: Request, error: Exception) -> JSONResponse:
    """Say what is wrong with the form of a request: the first fault."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    if first["type"] == "json_invalid":
        said = f"The body is not JSON (character {place}: {first['ctx']['error']})"
    else:
        said = f"{place or 'The body'}: {first['msg'].lower()}"
    sentence = f"{said}; /docs shows what to send."
    return JSONResponse({"detail": sentence}, status.HTTP_422_UNPROCESSABLE_CONTENT)


async def _refuse_unread(request: Request, error: Exception) -> JSONResponse:
    """Say why JSON, or what is sent as such, cannot be read at all; FastAPI knows it as a fault without a name."""
    reasons = {RecursionError: "it is nested too deeply", UnicodeDecodeError: "it is not UTF-8 text"}
    reasons[ValueError] = "it holds a number that is too long"  # more than 4,300 digits
    reason = reasons.get(type(error.__cause__), "it did not arrive whole")
    sentence = f"The body cannot be read: {reason}; /docs shows what to send."
    return JSONResponse({"detail": sentence}, status.HTTP_422_UNPROCESSABLE_CONTENT)
