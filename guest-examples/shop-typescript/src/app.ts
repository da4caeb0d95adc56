// order-service: takes orders and keeps carts.
//
// | request | what happens |
// |---|---|
// | `POST /orders` | reserve the stock, save the order, announce it; safe to send again |
// | `GET /orders/{id}` | the order |
// | `PUT`, `GET /carts/{userId}` | a cart that lives for an hour |
// | `PATCH /carts/{userId}` | merge changes into it, unless somebody else was faster |
// | `POST /sagas` | takes an order by a workflow: 202, and the same again for the same `orderId` |
// | `GET /sagas/{orderId}` | how far it has come |
// | `POST /sagas/{orderId}/approve` | lets a large order go on, which waits for that |
// | `DELETE /sagas/{orderId}` | cancels it, and undoes what was done |
// | `GET /sagas/{orderId}/ledger` | what was done in the world, and how often |
// | `GET /reviews/{id}` | a review, which came as a message on the topic `reviews` |

import "./activities";
import * as carts from "./carts";
import { answer, id, unmatched } from "./http";
import * as orders from "./orders";
import * as reviews from "./reviews";
import * as sagas from "./sagas";

async function route(request: Request): Promise<Response> {
  const [collection = "", name, ...rest] = new URL(request.url).pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const place = [collection, ...(name === undefined ? [] : ["{id}"]), ...rest].join("/");
  const orderId = () => id("orderId", name ?? "");
  const userId = () => id("userId", name ?? "");
  switch (`${request.method} /${place}`) {
    case "POST /orders": return orders.place(request);
    case "GET /orders/{id}": return orders.show(orderId());
    case "PUT /carts/{id}": return carts.put(userId(), request);
    case "GET /carts/{id}": return carts.show(userId());
    case "PATCH /carts/{id}": return carts.patch(userId(), request);
    case "POST /sagas": return sagas.start(request);
    case "GET /sagas/{id}": return sagas.show(orderId());
    case "DELETE /sagas/{id}": return sagas.cancel(orderId());
    case "GET /sagas/{id}/ledger": return sagas.ledger(orderId());
    case "GET /reviews/{id}": return reviews.show(id("reviewId", name ?? ""));
    case "POST /sagas/{id}/approve": return sagas.approve(orderId());
    default: throw unmatched(request);
  }
}

export default { fetch: (request: Request) => answer(request, route) };
