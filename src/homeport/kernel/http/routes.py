"""The routes of an app, taken out of its routers as they are."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from homeport.kernel.http.openapi import operation_id


def routes_of(routers: Iterable[APIRouter]) -> list[BaseRoute]:
    """Every route of `routers`, for `FastAPI(routes=...)`.

    `include_router` would make each of them anew, models and all, when the first request comes by,
    and look for every request in one router after the other. What it could add (a prefix, tags,
    dependencies) our routers have themselves.
    """
    routes = [route for router in routers for route in router.routes]
    for route in routes:
        if isinstance(route, APIRoute):
            route.operation_id = operation_id(route)
    return routes
