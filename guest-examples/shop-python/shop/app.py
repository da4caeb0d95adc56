"""order-service: takes orders and keeps carts. A WSGI application, and workflows.

| request | what happens |
|---|---|
| `POST /orders` | reserve the stock, save the order, announce it; safe to send again |
| `GET /orders/{id}` | the order |
| `PUT`, `GET /carts/{userId}` | a cart that lives for an hour |
| `PATCH /carts/{userId}` | merge changes into it, unless somebody else was faster |
| `POST /sagas` | takes an order by a workflow: 202, and the same again for the same `orderId` |
| `GET /sagas/{orderId}` | how far it has come |
| `POST /sagas/{orderId}/approve` | lets a large order go on, which waits for that |
| `DELETE /sagas/{orderId}` | cancels it, and undoes what was done |
| `GET /sagas/{orderId}/ledger` | what was done in the world, and how often |
| `GET /reviews/{id}` | a review, which came as a message on the topic `reviews` |
"""

from . import activities, carts, orders, reviews, sagas
from .field import read_id
from .web import Answer, Request, answer, unmatched

activities.runtime.start()
reviews.messages.run()


def route(request: Request) -> Answer:
    collection, name, *rest = [*request.segments, "", ""][: max(2, len(request.segments))]
    place = "/".join([collection, *(["{id}"] if name else []), *rest])
    order_id = lambda: read_id("orderId", name)  # noqa: E731
    user_id = lambda: read_id("userId", name)  # noqa: E731
    match f"{request.verb} /{place}":
        case "POST /orders":
            return orders.place(request)
        case "GET /orders/{id}":
            return orders.show(order_id())
        case "PUT /carts/{id}":
            return carts.put(user_id(), request)
        case "GET /carts/{id}":
            return carts.show(user_id())
        case "PATCH /carts/{id}":
            return carts.patch(user_id(), request)
        case "POST /sagas":
            return sagas.start(request)
        case "GET /sagas/{id}":
            return sagas.show(order_id())
        case "DELETE /sagas/{id}":
            return sagas.cancel(order_id())
        case "GET /sagas/{id}/ledger":
            return sagas.ledger(order_id())
        case "POST /sagas/{id}/approve":
            return sagas.approve(order_id())
        case "GET /reviews/{id}":
            return reviews.show(read_id("reviewId", name))
    raise unmatched(request)


def application(environ, start_response):
    return answer(environ, start_response, route)
