//! Spans of a small world, compared as trees.

use super::*;
use parking_lot::Mutex;
use std::sync::Arc;

/// Keeps what ends.
#[derive(Default)]
struct Kept(Mutex<Vec<Arc<SpanRecord>>>);

impl Sink for Kept {
    fn take(&self, span: &Arc<SpanRecord>) {
        self.0.lock().push(span.clone());
    }
}

impl Kept {
    /// One line per span: `app kind name`, siblings in the order in which they ended.
    fn trees(&self) -> String {
        let spans = self.0.lock();
        let is_root = |span: &&Arc<SpanRecord>| {
            let known = |id: [u8; 8]| spans.iter().any(|own| own.context.span_id_bytes() == id);
            !span.parent.is_some_and(known)
        };
        spans
            .iter()
            .filter(is_root)
            .map(|root| tree(root, &spans, 0))
            .collect()
    }

    fn traces(&self) -> usize {
        let spans = self.0.lock();
        let mut ids: Vec<_> = spans.iter().map(|span| span.context.trace_id()).collect();
        ids.sort();
        ids.dedup();
        ids.len()
    }
}

fn tree(span: &SpanRecord, all: &[Arc<SpanRecord>], depth: usize) -> String {
    let mark = if span.status == Status::Unset {
        ""
    } else {
        " !"
    };
    let (app, kind) = (&span.service.name, span.kind.name());
    let own = format!("{}{app} {kind} {}{mark}\n", "  ".repeat(depth), span.name);
    let id = Some(span.context.span_id_bytes());
    let below = all.iter().filter(|other| other.parent == id);
    let below: String = below.map(|child| tree(child, all, depth + 1)).collect();
    [own, below].concat()
}

fn app(kept: &Arc<Kept>, name: &str, rate: f64) -> Tracer {
    let service = Service {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    };
    let sinks: Arc<[Arc<dyn Sink>]> = Arc::new([kept.clone() as Arc<dyn Sink>]);
    let tracer = Tracer::off();
    tracer.record_with(Some(Arc::new(Recorder::new(
        service,
        Sampler::of_rate(rate),
        sinks,
    ))));
    tracer
}

/// `orders` serves a request: it reads, asks `stock`, and publishes to `mail`, which fails once.
fn order(origin: Origin, kept: &Arc<Kept>, rate: f64) {
    let [orders, stock, mail] = ["orders", "stock", "mail"].map(|name| app(kept, name, rate));
    let (trace, _request) = orders.enter(origin, SpanKind::Server, "POST");
    drop(trace.span(SpanKind::Client, || "state.get".into()));
    let call = trace.span(SpanKind::Client, || "invoke stock".into());
    let callee = stock.enter(trace.inside(&call).origin(), SpanKind::Server, "POST");
    drop(callee.0.span(SpanKind::Client, || "state.set".into()));
    drop(callee.1);
    drop(call);
    let published = trace.span(SpanKind::Producer, || "publish".into());
    let message = trace.inside(&published).origin();
    drop(published);
    for attempt in 1..=2 {
        let (_, span) = mail.enter(message.clone(), SpanKind::Consumer, "deliver");
        if attempt == 1 {
            span.fail("retry", || "retry".to_owned());
        }
    }
}

#[test]
fn an_order_is_one_tree_and_a_redelivery_a_sibling() {
    let kept = Arc::new(Kept::default());
    order(Origin::default(), &kept, 1.0);
    assert_eq!(
        kept.trees(),
        "\
orders server POST
  orders client state.get
  orders client invoke stock
    stock server POST
      stock client state.set
  orders producer publish
    mail consumer deliver !
    mail consumer deliver
"
    );
    assert_eq!(kept.traces(), 1);
}

#[test]
fn who_calls_decides_for_all_that_it_leads_to() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0";
    let kept = Arc::new(Kept::default());
    order(Origin::of_texts(&format!("{PARENT}0"), "", ""), &kept, 1.0);
    assert_eq!(kept.trees(), "");
    order(Origin::of_texts(&format!("{PARENT}1"), "", ""), &kept, 0.0);
    assert_eq!(kept.trees().lines().count(), 8);
    let kept = Arc::new(Kept::default());
    order(Origin::default(), &kept, 0.0);
    assert_eq!(kept.trees(), "");
}

#[test]
fn nobody_records_until_a_recorder_is_there() {
    let kept = Arc::new(Kept::default());
    let tracer = Tracer::off();
    let (trace, span) = tracer.enter(Origin::default(), SpanKind::Server, "GET");
    assert!(!span.is_recorded() && !trace.is_recorded());
    // Nobody has decided against it: whoever is called may record.
    assert!(trace.context().is_sampled());
    let other = app(&kept, "orders", 1.0);
    tracer.record_with(other.recorder());
    drop(tracer.enter(Origin::default(), SpanKind::Server, "GET"));
    assert_eq!(kept.trees(), "orders server GET\n");
    tracer.record_with(None);
    drop(tracer.enter(Origin::default(), SpanKind::Server, "GET"));
    assert_eq!(kept.traces(), 1);
}

#[test]
fn spans_of_the_app_itself_hold_what_it_does_meanwhile() {
    let kept = Arc::new(Kept::default());
    let (trace, request) =
        app(&kept, "orders", 1.0).enter(Origin::default(), SpanKind::Server, "POST");
    let outer = trace.open("pack".to_owned());
    trace.set("parcels", 2_i64);
    let inner = trace.open("seal".to_owned());
    drop(trace.span(SpanKind::Client, || "state.get".into()));
    trace.close(inner);
    drop(trace.span(SpanKind::Client, || "state.set".into()));
    trace.close(outer);
    // Forgotten by the app: it ends with its request.
    let forgotten = trace.open("forgotten".to_owned());
    drop(request);
    drop(forgotten);
    trace.set("late", "nobody sees it");
    assert_eq!(
        kept.trees(),
        "\
orders server POST
  orders internal pack
    orders internal seal
      orders client state.get
    orders client state.set
  orders internal forgotten
"
    );
    let spans = kept.0.lock();
    let pack = spans.iter().find(|span| span.name == "pack").unwrap();
    assert_eq!(pack.attributes, [("parcels".into(), Value::Int(2))]);
}

#[test]
fn a_span_has_bounds() {
    let kept = Arc::new(Kept::default());
    let (trace, request) =
        app(&kept, "orders", 1.0).enter(Origin::default(), SpanKind::Server, "POST");
    for number in 0..limits::ATTRIBUTES_MAX + 5 {
        trace.set(format!("key-{number}"), "ä".repeat(limits::VALUE_BYTES_MAX));
    }
    for _ in 0..limits::EVENTS_MAX + 2 {
        trace.add_event("again".to_owned(), Vec::new());
    }
    let open: Vec<_> = (0..limits::OPEN_MAX + 3)
        .map(|_| trace.open("open".to_owned()))
        .collect();
    assert_eq!(
        open.iter().filter(|span| span.is_recorded()).count(),
        limits::OPEN_MAX
    );
    drop(request);
    let spans = kept.0.lock();
    let request = spans.iter().find(|span| span.name == "POST").unwrap();
    assert_eq!(request.events.len(), limits::EVENTS_MAX);
    let Some((_, Value::Text(text))) = request.attributes.first() else {
        panic!("{request:?}");
    };
    assert_eq!(text.len(), limits::VALUE_BYTES_MAX);
    assert_eq!(request.left_out, 5 + 2 + 3);
}
