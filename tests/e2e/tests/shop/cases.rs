//! The shop: every route, every status. No case knows which backends it runs on.

use anyhow::Result;
use berth_e2e::{Answer, Client, Host, Load, eventually, order, timely};
use futures::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Hands every case to a macro that makes tests of them.
macro_rules! each_case {
    ($tests:ident! { $($place:tt)* }) => {
        $tests! { $($place)*;
            an_order_is_answered_stored_and_announced,
            an_order_without_an_id_gets_one,
            the_same_order_twenty_times_at_once_is_one_order,
            an_invalid_order_is_told_which_field,
            what_is_out_of_stock_is_never_sold,
            an_order_of_two_skus_takes_both_or_none,
            a_cart_is_replaced_merged_and_guarded_by_its_etag,
            of_two_patches_at_once_one_may_lose_but_no_change_is_lost,
            the_message_of_a_poison_customer_ends_in_the_audit,
            a_customer_is_told_once_however_often_the_message_comes,
            what_is_for_other_apps_is_not_for_the_outside,
            what_no_app_does_is_not_found,
            a_crowd_of_orders_adds_up,
        }
    };
}
pub(crate) use each_case;

/// What the OpenAPI document says of every answer that is no success.
fn assert_error(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(answer.status, status.as_u16(), "{answer}");
    assert_eq!(answer.json()["error"], code, "{answer}");
    assert!(answer.json()["message"].is_string(), "{answer}");
    assert_eq!(answer.header("content-type"), "application/json");
}

async fn stock(shop: &Client, sku: &str, qty: u64) -> Result<()> {
    let answer = shop
        .put(&format!("/inventory/{sku}"), &json!({ "qty": qty }))
        .await?;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "sku": sku, "qty": qty }))
    );
    Ok(())
}

async fn left(shop: &Client, sku: &str) -> Result<Value> {
    Ok(shop.get(&format!("/inventory/{sku}")).await?.json()["qty"].clone())
}

pub async fn an_order_is_answered_stored_and_announced(host: &Host) -> Result<()> {
    let shop = host.client();
    stock(shop, "tea", 10).await?;

    let placed = shop.post("/orders", &order("one", "ada", "tea", 2)).await?;
    let mut expected = order("one", "ada", "tea", 2);
    expected["status"] = json!("confirmed");
    assert_eq!(placed.status, 201, "{placed}");
    assert_eq!(placed.json(), expected);
    assert_eq!(placed.header("content-type"), "application/json");

    let stored = shop.get("/orders/one").await?;
    assert_eq!((stored.status, stored.json()), (200, expected));
    assert_eq!(left(shop, "tea").await?, 8);
    let told = shop
        .get_until("/notifications/one", |answer| answer.json()["sent"] == 1)
        .await?;
    assert_eq!(
        told.json(),
        json!({ "orderId": "one", "sent": 1, "deliveries": 1 })
    );
    assert_error(
        &shop.get("/orders/two").await?,
        StatusCode::NOT_FOUND,
        "not-found",
    );
    assert_error(
        &shop.get("/inventory/coffee").await?,
        StatusCode::NOT_FOUND,
        "not-found",
    );
    Ok(())
}

pub async fn an_order_without_an_id_gets_one(host: &Host) -> Result<()> {
    stock(host.client(), "tea", 10).await?;
    let mut asked = order("", "ada", "tea", 1);
    asked
        .as_object_mut()
        .expect("an order is an object")
        .remove("orderId");
    let placed = host.client().post("/orders", &asked).await?;
    assert_eq!(placed.status, 201, "{placed}");
    let body = placed.json();
    let id = body["orderId"].as_str().expect("an order ID");
    assert_eq!(
        host.client().get(&format!("/orders/{id}")).await?.json(),
        body
    );
    Ok(())
}

pub async fn the_same_order_twenty_times_at_once_is_one_order(host: &Host) -> Result<()> {
    let shop = host.client();
    stock(shop, "tea", 100).await?;
    let again = order("same", "ada", "tea", 3);
    let answers: Vec<_> = stream::iter(0..20)
        .map(|_| shop.post("/orders", &again))
        .buffer_unordered(20)
        .collect()
        .await;
    for answer in answers {
        let answer = answer?;
        // Whoever lost against the others is told to come again.
        assert!([201, 503].contains(&answer.status), "{answer}");
    }
    let answer = shop
        .post("/orders", &order("same", "bob", "tea", 50))
        .await?;
    assert_eq!(
        (answer.status, &answer.json()["customerId"]),
        (201, &json!("ada")),
        "{answer}"
    );
    assert_eq!(left(shop, "tea").await?, 97);
    shop.get_until("/notifications/same", |answer| answer.json()["sent"] == 1)
        .await?;
    Ok(())
}

pub async fn an_invalid_order_is_told_which_field(host: &Host) -> Result<()> {
    stock(host.client(), "tea", 10).await?;
    let wrong = [
        ("orderId", json!("a b"), "orderId"),
        ("orderId", json!(7), "orderId"),
        ("customerId", json!(""), "customerId"),
        ("customerId", Value::Null, "customerId"),
        ("items", json!([]), "items"),
        ("items", json!([{ "sku": "tea", "qty": 0 }]), "items[0].qty"),
        (
            "items",
            json!([{ "sku": "tea", "qty": 1 }, { "qty": 1 }]),
            "items[1].sku",
        ),
        ("totalCents", json!(-1), "totalCents"),
        ("totalCents", json!("1"), "totalCents"),
    ];
    for (name, value, field) in wrong {
        let mut body = order("wrong", "ada", "tea", 1);
        body[name] = value;
        let answer = host.client().post("/orders", &body).await?;
        assert_error(&answer, StatusCode::BAD_REQUEST, "invalid");
        assert_eq!(answer.json()["field"], field, "{answer}");
    }
    for body in ["", "{", "[]", "null"] {
        let request = host.client().request(Method::POST, "/orders").body(body);
        let answer = Answer::to(request).await?;
        assert_error(&answer, StatusCode::BAD_REQUEST, "invalid");
        assert_eq!(answer.json()["field"], "body", "{answer}");
    }
    for path in [
        "/orders/a%20b",
        "/carts/a%7C%7Cb",
        "/inventory/%2F",
        "/notifications/%20",
    ] {
        assert_error(
            &host.client().get(path).await?,
            StatusCode::BAD_REQUEST,
            "invalid",
        );
    }
    for qty in [json!(-1), json!(1.5), json!("3"), Value::Null] {
        let answer = host
            .client()
            .put("/inventory/tea", &json!({ "qty": qty }))
            .await?;
        assert_error(&answer, StatusCode::BAD_REQUEST, "invalid");
        assert_eq!(answer.json()["field"], "qty", "{answer}");
    }
    // The guest answers before it has read all of it, which is the end of the connection.
    let large = host
        .client()
        .request(Method::POST, "/orders")
        .header("connection", "close")
        .body(vec![b' '; 2 << 20]);
    assert_error(
        &Answer::to(large).await?,
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
    );
    assert_eq!(left(host.client(), "tea").await?, 10);
    Ok(())
}

pub async fn what_is_out_of_stock_is_never_sold(host: &Host) -> Result<()> {
    const STOCK: u64 = 20;
    let shop = host.client();
    stock(shop, "tea", STOCK).await?;
    let place = async |number: u64| loop {
        let answer = shop
            .post(
                "/orders",
                &order(&format!("rush-{number}"), "ada", "tea", 3),
            )
            .await?;
        if answer.status != 503 {
            return anyhow::Ok(answer);
        }
    };
    let answers: Vec<_> = stream::iter(0..40)
        .map(place)
        .buffer_unordered(8)
        .collect()
        .await;
    let mut statuses = BTreeMap::new();
    for answer in answers {
        let answer = answer?;
        *statuses.entry(answer.status).or_insert(0) += 1;
        if answer.status == 409 {
            assert_error(&answer, StatusCode::CONFLICT, "out-of-stock");
            let body = answer.json();
            assert_eq!(
                (&body["sku"], &body["wanted"], &body["left"]),
                (&json!("tea"), &json!(3), &json!(2))
            );
        }
    }
    assert_eq!(statuses, BTreeMap::from([(201, 6), (409, 34)]));
    assert_eq!(left(shop, "tea").await?, 2);
    Ok(())
}

pub async fn an_order_of_two_skus_takes_both_or_none(host: &Host) -> Result<()> {
    let shop = host.client();
    stock(shop, "tea", 5).await?;
    stock(shop, "cup", 1).await?;
    let mut both = order("both", "ada", "tea", 2);
    both["items"] = json!([{ "sku": "tea", "qty": 2 }, { "sku": "cup", "qty": 2 }]);
    assert_error(
        &shop.post("/orders", &both).await?,
        StatusCode::CONFLICT,
        "out-of-stock",
    );
    assert_eq!(
        (left(shop, "tea").await?, left(shop, "cup").await?),
        (json!(5), json!(1))
    );
    assert_error(
        &shop.get("/orders/both").await?,
        StatusCode::NOT_FOUND,
        "not-found",
    );
    stock(shop, "cup", 2).await?;
    assert_eq!(shop.post("/orders", &both).await?.status, 201);
    assert_eq!(
        (left(shop, "tea").await?, left(shop, "cup").await?),
        (json!(3), json!(0))
    );
    Ok(())
}

pub async fn a_cart_is_replaced_merged_and_guarded_by_its_etag(host: &Host) -> Result<()> {
    let shop = host.client();
    assert_error(
        &shop.get("/carts/ada").await?,
        StatusCode::NOT_FOUND,
        "not-found",
    );
    assert_error(
        &patch(shop, "*", &json!({})).await?,
        StatusCode::NOT_FOUND,
        "not-found",
    );

    let cart = json!({ "items": [{ "sku": "tea", "qty": 1 }], "note": "soon" });
    let put = shop.put("/carts/ada", &cart).await?;
    assert_eq!((put.status, put.json()), (200, cart));
    let shown = shop.get("/carts/ada").await?;
    let first = shown.header("etag").to_owned();
    assert!(
        first.len() > 2 && first.starts_with('"') && first.ends_with('"'),
        "{first}"
    );

    let merged = patch(shop, &first, &json!({ "note": null, "gift": true })).await?;
    let expected = json!({ "items": [{ "sku": "tea", "qty": 1 }], "gift": true });
    assert_eq!(
        (merged.status, merged.json()),
        (200, expected.clone()),
        "{merged}"
    );
    assert_error(
        &patch(shop, &first, &json!({ "gift": false })).await?,
        StatusCode::CONFLICT,
        "conflict",
    );
    let kept = shop.get("/carts/ada").await?;
    assert_eq!(kept.json(), expected);
    assert_ne!(kept.header("etag"), first);

    // The last writer wins, whatever is there.
    assert_eq!(shop.put("/carts/ada", &json!({})).await?.json(), json!({}));
    assert_error(
        &shop.put("/carts/ada", &json!([1])).await?,
        StatusCode::BAD_REQUEST,
        "invalid",
    );
    assert_eq!(shop.get("/carts/ada").await?.json(), json!({}));
    Ok(())
}

async fn patch(shop: &Client, etag: &str, changes: &Value) -> Result<Answer> {
    let request = shop
        .request(Method::PATCH, "/carts/ada")
        .header("if-match", etag);
    Answer::to(request.json(changes)).await
}

pub async fn of_two_patches_at_once_one_may_lose_but_no_change_is_lost(host: &Host) -> Result<()> {
    let shop = host.client();
    shop.put("/carts/ada", &json!({})).await?;
    let answers: Vec<_> = stream::iter(0..20)
        .map(async |number| {
            let change = json!({ format!("line-{number}"): number });
            let request = shop.request(Method::PATCH, "/carts/ada").json(&change);
            Answer::to(request).await
        })
        .buffer_unordered(10)
        .collect()
        .await;
    let mut won = 0;
    for answer in answers {
        match answer? {
            answer if answer.status == 200 => won += 1,
            answer => assert_error(&answer, StatusCode::CONFLICT, "conflict"),
        }
    }
    let cart = shop.get("/carts/ada").await?.json();
    let lines = cart.as_object().map_or(0, serde_json::Map::len);
    assert!(
        won >= 1 && lines == won,
        "{won} patches won, the cart is {cart}"
    );
    Ok(())
}

pub async fn the_message_of_a_poison_customer_ends_in_the_audit(host: &Host) -> Result<()> {
    let shop = host.client();
    stock(shop, "tea", 10).await?;
    assert_eq!(shop.get("/audit").await?.json(), json!([]));
    assert_eq!(
        shop.post("/orders", &order("bad", "poison", "tea", 1))
            .await?
            .status,
        201
    );
    assert_eq!(
        shop.post("/orders", &order("good", "ada", "tea", 1))
            .await?
            .status,
        201
    );

    let audit = shop
        .get_until("/audit", |answer| answer.json() != json!([]))
        .await?;
    assert_eq!(audit.json().as_array().map(Vec::len), Some(1), "{audit}");
    let entry = &audit.json()[0];
    assert_eq!(
        (&entry["id"], &entry["orderId"]),
        (&json!("order-bad"), &json!("bad")),
        "{audit}"
    );
    assert_eq!(entry["topic"], "orders", "{audit}");
    assert!(entry["time"].is_string(), "{audit}");
    // The first delivery and the three retries of resiliency.yaml.
    let told = shop.get("/notifications/bad").await?;
    assert_eq!(
        told.json(),
        json!({ "orderId": "bad", "sent": 0, "deliveries": 4 })
    );
    shop.get_until("/notifications/good", |answer| answer.json()["sent"] == 1)
        .await?;
    Ok(())
}

pub async fn a_customer_is_told_once_however_often_the_message_comes(host: &Host) -> Result<()> {
    let shop = host.client();
    stock(shop, "tea", 10).await?;
    let placed = shop
        .post("/orders", &order("twice", "ada", "tea", 1))
        .await?;
    for _ in 0..3 {
        let path = "/publish/pubsub/orders?app=order-service";
        let published = host.admin().post(path, &placed.json()).await?;
        assert_eq!(published.status, 204, "{published}");
    }
    let told = shop
        .get_until("/notifications/twice", |answer| {
            answer.json()["deliveries"] == 4
        })
        .await?;
    assert_eq!(told.json()["sent"], 1, "{told}");
    let logged = host.log();
    let told = logged
        .iter()
        .filter(|record| record.message() == "told ada about order twice");
    assert_eq!(told.count(), 1);
    Ok(())
}

pub async fn what_is_for_other_apps_is_not_for_the_outside(host: &Host) -> Result<()> {
    let shop = host.client();
    stock(shop, "tea", 10).await?;
    let reservation = json!({ "orderId": "forged", "items": [{ "sku": "tea", "qty": 1 }] });
    let event =
        json!({ "id": "forged", "specversion": "1.0", "source": "x", "type": "y", "data": {} });
    let private = [
        ("/reserve", &reservation),
        ("/release", &reservation),
        ("/inventory/../reserve", &reservation),
        ("/%72eserve", &reservation),
        ("//reserve", &reservation),
        ("/dead-letters", &event),
        ("/audit/../dead-letters", &event),
        ("/order-confirmed", &event),
        ("/", &event),
        ("/no-such-app", &event),
    ];
    for (path, body) in private {
        let answer = shop.post(path, body).await?;
        assert_eq!(
            (answer.status, answer.reason()),
            (404, "no-route"),
            "{path}: {answer}"
        );
    }
    assert_eq!(left(shop, "tea").await?, 10);
    assert_eq!(shop.get("/audit").await?.json(), json!([]));
    // The same methods, by invocation.
    let reserved = host
        .admin()
        .post("/invoke/inventory-service/reserve", &reservation)
        .await?;
    assert_eq!(reserved.status, 200, "{reserved}");
    assert_eq!(left(shop, "tea").await?, 9);
    for _ in 0..2 {
        let released = host
            .admin()
            .post("/invoke/inventory-service/release", &reservation)
            .await?;
        assert_eq!(
            (released.status, &released.json()["status"]),
            (200, &json!("released"))
        );
        assert_eq!(left(shop, "tea").await?, 10);
    }
    assert_error(
        &shop
            .post("/orders", &order("forged", "ada", "tea", 1))
            .await?,
        StatusCode::CONFLICT,
        "released",
    );
    Ok(())
}

pub async fn what_no_app_does_is_not_found(host: &Host) -> Result<()> {
    for (method, path) in [
        (Method::DELETE, "/orders/one"),
        (Method::GET, "/orders"),
        (Method::POST, "/inventory/tea"),
        (Method::PUT, "/audit"),
        (Method::GET, "/notifications"),
        (Method::GET, "/orders/one/items"),
    ] {
        let answer = Answer::to(host.client().request(method.clone(), path)).await?;
        assert_error(&answer, StatusCode::NOT_FOUND, "not-found");
        assert_eq!(
            answer.reason(),
            "",
            "{method} {path} was answered by the host"
        );
    }
    Ok(())
}

pub async fn a_crowd_of_orders_adds_up(host: &Host) -> Result<()> {
    let load = Load {
        prefix: "crowd",
        orders: 300,
        skus: 20,
        concurrency: 32,
    };
    load.stock_up(host.client()).await?;
    let tally = Arc::default();
    load.place(host.client(), &tally).await?;
    load.verify(host.client()).await?;
    assert_eq!(tally.acknowledged(), 300);
    eventually("all messages are done", timely(), async || {
        let depths = host
            .admin()
            .get("/depths")
            .await
            .map_err(|error| format!("{error:#}"))?;
        let topics = depths.json()["topics"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let done = topics
            .iter()
            .all(|topic| topic["waiting"] == 0 && topic["inFlight"] == 0);
        done.then_some(()).ok_or_else(|| depths.to_string())
    })
    .await
}
