//! notification-service: tells customers that their order was taken, once, however often the message comes.
//!
//! `subscriptions.yaml` subscribes it to the topic `orders`; each message arrives at `handle`.
//! `GET /notifications/{orderId}` shows what was sent.

mod notification;

use notification::{Announced, Notification};
use shop_kit::{Documents, Failure, Reply, attempts, if_absent, if_unchanged, serve, won};
use wit::exports::{
    berth::pubsub::subscriber::{Delivery, Guest as Subscriber, Outcome},
    wasi::http::incoming_handler::{Guest as HttpService, IncomingRequest, ResponseOutparam},
};

mod wit {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package shop:notification-service;

            world notification-service {
                import berth:state/store@0.1.0;
                export berth:pubsub/subscriber@0.1.0;
                export wasi:http/incoming-handler@0.2.12;
            }
        ",
        world: "shop:notification-service/notification-service",
        with: {
            "wasi:http/types@0.2.12": shop_kit::wit::wasi::http::types,
            "berth:state/store@0.1.0": shop_kit::wit::berth::state::store,
        },
        generate_all,
    });
}

struct NotificationService;
wit::export!(NotificationService with_types_in wit);

impl Subscriber for NotificationService {
    fn handle(delivery: Delivery) -> Outcome {
        let order: Announced = match serde_json::from_slice(&delivery.event.data) {
            Ok(order) => order,
            Err(error) => {
                eprintln!(
                    "event {} holds no order and never will: {error}",
                    delivery.event.id
                );
                return Outcome::Drop;
            }
        };
        match notify(&order) {
            Ok(notification) if notification.sent == 1 => Outcome::Success,
            Ok(_) => Outcome::Retry,
            Err(failure) => {
                eprintln!("order {} must wait: {failure}", order.order_id);
                Outcome::Retry
            }
        }
    }
}

impl HttpService for NotificationService {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        serve(request, response, |request| {
            match (request.verb(), request.path().as_slice()) {
                ("GET", ["notifications", id]) => show(request.id("orderId", id)?),
                _ => Err(request.unmatched()),
            }
        })
    }
}

/// Counts the delivery and sends the notification if that has not happened yet.
fn notify(order: &Announced) -> Result<Notification, Failure> {
    let key = key(&order.order_id);
    let documents = Documents::open("statestore")?;
    for _ in attempts() {
        let (known, options) = match documents.find::<Notification>(&key)? {
            Some(known) => (known.value, if_unchanged(known.etag)),
            None => (Notification::none(&order.order_id), if_absent()),
        };
        let first = known.sent == 0;
        let notification = known.delivered(order);
        if won(documents.save(&key, &notification, options))? {
            // The record decides; a real shop would hand the mail to its provider with the order ID as the key
            // that makes a repeated mail one mail.
            if first && notification.sent == 1 {
                println!("told {} about order {}", order.customer_id, order.order_id);
            }
            return Ok(notification);
        }
    }
    Err(Failure::unavailable(
        "the same message is being handled elsewhere",
    ))
}

fn show(order_id: String) -> Result<Reply, Failure> {
    let known = Documents::open("statestore")?.find(&key(&order_id))?;
    let notification = known.map_or_else(|| Notification::none(&order_id), |known| known.value);
    Ok(Reply::json(200, &notification))
}

fn key(order_id: &str) -> String {
    format!("notification-{order_id}")
}
