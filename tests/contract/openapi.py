"""The contract as an OpenAPI 3.1 document, with the answers that departures allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .departures import DEPARTURES, Departure
from .document import ANYTHING, JSON, NOTHING, OPTIONAL, Contract, Operation, Schema, contract, is_array, schema_of

# What the response to a creation leads to: the id in it, and the operations that take it.
LINKS = {
    "createChat": ("chat_id", "$response.body#/data/id", ["getChat", "sendChatMessage", "listChatMessages"]),
    "createContact": (
        "id",
        "$response.body#/data/id",
        ["getContact", "patchContact", "updateContact", "deleteContact"],
    ),
    "createWebhookSubscription": (
        "webhook_subscription_id",
        "$response.body#/webhook_subscription/id",
        ["updateWebhookSubscription", "deleteWebhookSubscription"],
    ),
    "reactToChatMessage": ("reaction_id", "$response.body#/data/id", ["getChatMessageReaction"]),
    "sendChatMessage": ("chat_message_id", "$response.body#/data/id", ["reactToChatMessage"]),
}


def openapi() -> Schema:
    """Spell the whole contract."""
    given = contract()
    paths: dict[str, Any] = {}
    for operation in given.operations.values():
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(given, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Linq Partner API v2", "version": "2"},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": given.schemas,
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": given.token_header}},
        },
    }


def _operation(given: Contract, operation: Operation) -> Schema:
    spelled: Schema = {
        "operationId": operation.name,
        "parameters": [*_ids(operation), *_query(operation)],
        "responses": {
            str(status): _answer(operation, status, schema) for status, schema in sorted(_answers(operation).items())
        },
    }
    if operation.bodies:
        content = {kind: {"schema": {"$ref": schema_of(schema)["$ref"]}} for kind, schema in operation.bodies.items()}
        spelled["requestBody"] = {"required": True, "content": content}
    return spelled


def _ids(operation: Operation) -> Iterator[Schema]:
    for name in operation.ids:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}


def _query(operation: Operation) -> Iterator[Schema]:
    for name, kind in operation.query.items():
        parameter = {
            "name": name.removesuffix(OPTIONAL),
            "in": "query",
            "required": not name.endswith(OPTIONAL),
            "schema": schema_of(kind),
        }
        yield {**parameter, "style": "form", "explode": True} if is_array(kind) else parameter


def _answers(operation: Operation) -> dict[int, str]:
    """Give what is documented, and what a departure adds."""
    added = {one.status: operation.error for one in DEPARTURES if one.status and _adds_status(one, operation)}
    return {**added, **operation.answers}


def _adds_status(departure: Departure, operation: Operation) -> bool:
    return "answer.status" in departure.where and operation.name in departure.operations


def _answer(operation: Operation, status: int, schema: str) -> Schema:
    spelled: Schema = {"description": f"{status} of {operation.name}"}
    if schema not in (NOTHING, ANYTHING):
        spelled["content"] = {JSON: {"schema": schema_of(schema)}}
    if status < 300 and operation.name in LINKS:
        spelled["links"] = dict(_links(operation))
    return spelled


def _links(operation: Operation) -> Iterator[tuple[str, Schema]]:
    name, expression, targets = LINKS[operation.name]
    for target in targets:
        yield f"{operation.name}To{target}", {"operationId": target, "parameters": {name: expression}}
