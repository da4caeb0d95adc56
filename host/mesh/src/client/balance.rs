//! Which host gets a request: the cheaper of two that are picked at random.
//!
//! Two choices keep load even without a view of all hosts, and do not send everybody to the one that looks best
//! (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).

use super::host::Host;
use rand::RngExt;
use std::sync::Arc;

/// Picks one that was not tried yet. Hosts that are out come last, when no other is left: an app whose hosts all failed a
/// moment ago may be back, and one more refusal costs little.
pub(super) fn pick(hosts: &[Arc<Host>], tried: impl Fn(&Host) -> bool) -> Option<Arc<Host>> {
    let fresh = || hosts.iter().filter(|host| !tried(host));
    let healthy: Vec<&Arc<Host>> = fresh().filter(|host| host.is_in()).collect();
    let candidates = if healthy.is_empty() {
        fresh().collect()
    } else {
        healthy
    };
    let count = candidates.len();
    if count <= 1 {
        return candidates.first().map(|host| Arc::clone(host));
    }
    let mut random = rand::rng();
    let first = random.random_range(0..count);
    // Any other one.
    let second = (first + random.random_range(1..count)) % count;
    let (first, second) = (candidates.get(first)?, candidates.get(second)?);
    let cheaper = if first.cost() <= second.cost() {
        first
    } else {
        second
    };
    Some(Arc::clone(cheaper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn hosts(count: u16) -> Vec<Arc<Host>> {
        (1..=count)
            .map(|port| Arc::new(Host::new(([127, 0, 0, 1], port).into())))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_is_out_gets_nothing_while_others_are_left() {
        let hosts = hosts(3);
        hosts[0].failed();
        for _ in 0..200 {
            assert_ne!(pick(&hosts, |_| false).unwrap().address, hosts[0].address);
        }
        let others = |host: &Host| host.address != hosts[0].address;
        let last = pick(&hosts, others).unwrap();
        assert_eq!(last.address, hosts[0].address, "the others were tried");
        hosts[1].failed();
        hosts[2].failed();
        assert!(pick(&hosts, |_| false).is_some(), "all are out");
        assert!(pick(&[], |_| false).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn load_is_even_between_equals() {
        let hosts = hosts(4);
        for host in &hosts {
            host.answered(Duration::from_millis(1));
        }
        for _ in 0..4000 {
            pick(&hosts, |_| false).unwrap().begin();
        }
        for host in &hosts {
            let share = host.cost() / hosts[0].cost();
            assert!((0.9..1.1).contains(&share), "{share}");
        }
    }
}
