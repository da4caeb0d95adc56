use super::*;
use async_trait::async_trait;
use berth_blocks::resolution::ResolveError;

/// A registry that can be down, and counts its questions.
#[derive(Default)]
struct Registry {
    answer: Mutex<Option<Vec<SocketAddr>>>,
    asked: Mutex<usize>,
    silent: AtomicBool,
}

#[async_trait]
impl Resolver for Registry {
    async fn resolve(&self, _target: &Target) -> Result<Vec<SocketAddr>, ResolveError> {
        *self.asked.lock() += 1;
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let answer = self.answer.lock().clone();
        answer.ok_or_else(|| ResolveError("the registry is down".to_owned()))
    }
}

impl Registry {
    fn says(&self, ports: Option<&[u16]>) {
        *self.answer.lock() = ports.map(|ports| ports.iter().map(|port| address(*port)).collect());
    }

    fn asked(&self) -> usize {
        *self.asked.lock()
    }
}

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn inventory() -> Target {
    Target {
        namespace: "shop".parse().unwrap(),
        app: "inventory".parse().unwrap(),
    }
}

fn directory() -> (Arc<Registry>, Directory) {
    let registry = Arc::new(Registry::default());
    let directory = Directory::new(registry.clone(), &LIMITS());
    (registry, directory)
}

const LIMITS: fn() -> ClientLimits = ClientLimits::default;

async fn ports(directory: &Directory) -> Result<Vec<u16>, String> {
    let hosts = directory.look_up(&inventory()).await?.0;
    Ok(hosts.iter().map(|host| host.address.port()).collect())
}

/// Lets tasks in the background run.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

async fn age() {
    tokio::time::advance(LIMITS().resolution_ttl).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_for_a_while_and_is_renewed_in_the_background() {
    let (registry, directory) = directory();
    registry.says(Some(&[1, 2, 2]));
    for _ in 0..3 {
        assert_eq!(ports(&directory).await, Ok(vec![1, 2]));
    }
    assert_eq!(registry.asked(), 1);
    registry.says(Some(&[2, 3]));
    age().await;
    assert_eq!(ports(&directory).await, Ok(vec![1, 2]), "nobody waits");
    settle().await;
    assert_eq!(ports(&directory).await, Ok(vec![2, 3]));
    assert_eq!(registry.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_last_known_answer_counts_while_the_registry_is_down() {
    let (registry, directory) = directory();
    registry.says(Some(&[1]));
    assert_eq!(ports(&directory).await, Ok(vec![1]));
    registry.says(None);
    for _ in 0..100 {
        age().await;
        assert_eq!(ports(&directory).await, Ok(vec![1]));
        settle().await;
    }
    registry.says(Some(&[2]));
    age().await;
    ports(&directory).await.unwrap();
    settle().await;
    assert_eq!(ports(&directory).await, Ok(vec![2]));
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_never_answered_is_an_error_in_bounded_time() {
    let (registry, directory) = directory();
    assert_eq!(
        ports(&directory).await,
        Err("resolving app `inventory`: the registry is down".to_owned())
    );
    registry.silent.store(true, Ordering::Relaxed);
    assert_eq!(
        ports(&directory).await,
        Err("resolving app `inventory`: no answer in time".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_share_one_question() {
    let (registry, directory) = directory();
    registry.says(Some(&[1]));
    let asks = (0..50).map(|_| ports(&directory));
    let answers = futures::future::join_all(asks).await;
    assert!(answers.iter().all(|answer| *answer == Ok(vec![1])));
    assert_eq!(registry.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_app_without_hosts_is_asked_for_again_before_it_is_given_up() {
    let (registry, directory) = directory();
    registry.says(Some(&[]));
    assert_eq!(ports(&directory).await, Ok(vec![]));
    registry.says(Some(&[1]));
    age().await;
    assert_eq!(ports(&directory).await, Ok(vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stays_keeps_what_is_known_of_it() {
    let (registry, directory) = directory();
    registry.says(Some(&[1, 2]));
    directory.look_up(&inventory()).await.unwrap().0[0].failed();
    registry.says(Some(&[1, 3]));
    directory.doubt(&inventory());
    ports(&directory).await.unwrap();
    settle().await;
    let hosts = directory.look_up(&inventory()).await.unwrap().0;
    assert_eq!(hosts[1].address.port(), 3);
    assert!(!hosts[0].is_in() && hosts[1].is_in());
}

#[tokio::test(start_paused = true)]
async fn apps_that_nobody_asks_for_any_more_are_forgotten() {
    let (registry, directory) = directory();
    registry.says(Some(&[1]));
    for number in 0..APPS_MAX + 10 {
        let target = Target {
            app: format!("app{number}").parse().unwrap(),
            ..inventory()
        };
        directory.look_up(&target).await.unwrap();
    }
    assert_eq!(directory.apps.lock().len(), APPS_MAX);
}
