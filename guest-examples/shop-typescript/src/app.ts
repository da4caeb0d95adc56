// order-service: takes orders and keeps carts.
//
// | request | what happens |
// |---|---|
// | `POST /orders` | reserve the stock, save the order, announce it; safe to send again |
// | `GET /orders/{id}` | the order |
// | `PUT`, `GET /carts/{userId}` | a cart that lives for an hour |
// | `PATCH /carts/{userId}` | merge changes into it, unless somebody else was faster |

import * as carts from "./carts";
import { answer, id, unmatched } from "./http";
import * as orders from "./orders";

async function route(request: Request): Promise<Response> {
  const path = new URL(request.url).pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const [collection = "", name = "", ...rest] = path;
  if (rest.length > 0) throw unmatched(request);
  switch (`${request.method} /${collection}${path.length > 1 ? "/{id}" : ""}`) {
    case "POST /orders": return orders.place(request);
    case "GET /orders/{id}": return orders.show(id("orderId", name));
    case "PUT /carts/{id}": return carts.put(id("userId", name), request);
    case "GET /carts/{id}": return carts.show(id("userId", name));
    case "PATCH /carts/{id}": return carts.patch(id("userId", name), request);
    default: throw unmatched(request);
  }
}

export default { fetch: (request: Request) => answer(request, route) };
