//! Every request ends exactly once, whatever happens to it; and a store that is gone comes back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use larder::serving::{DeployOptions, LarderDeployments, Outcome, Ticket};
use larder::store::{Blob, Change, Committed, Digest, MemoryStore, Record, RecordKey, Store};
use larder::{Registry, VersionInfo};

use super::*;

/// A request of each kind in turn.
fn request(at: u64) -> Request {
    match at % 8 {
        0 => ask("sleep:1"),
        1 => ask("fail"),
        2 => ask("panic"),
        3 => Request::json("[1"),
        4 => Request::json_rows(r#"[{"x": 1}, {"x": 2}]"#),
        5 => ask("none").within(Duration::ZERO),
        6 => ask("sleep:2").within(Duration::from_millis(1)),
        _ => ask("none"),
    }
}

#[test]
fn every_request_ends_exactly_once_and_is_counted_once() {
    const CLIENTS: u64 = 8;
    const EACH: u64 = 500;
    let larder = larder_with(2);
    let serving = start(&larder, &options().waiting(20));
    let models = [model(&serving, "probe@1"), model(&serving, "probe@2")];
    let called = Arc::new(AtomicU64::new(0));
    let double = Arc::new(AtomicU64::new(0));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (serving, models, called, double) = (&serving, &models, &called, &double);
            scope.spawn(move || {
                let mut tickets: Vec<Ticket> = Vec::new();
                for at in 0..EACH {
                    let (called, double) = (Arc::clone(called), Arc::clone(double));
                    let once = AtomicBool::new(false);
                    let model = &models[(at % 2) as usize];
                    let ticket = serving.submit(model, request(client + at), move |_| {
                        called.fetch_add(1, Ordering::SeqCst);
                        if once.swap(true, Ordering::SeqCst) {
                            double.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                    if at % 5 == 0 {
                        ticket.cancel();
                    } else {
                        tickets.push(ticket);
                    }
                    if at % 16 == 0 {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
                tickets.iter().step_by(7).for_each(Ticket::cancel);
            });
        }
    });
    assert!(serving.stop(Duration::from_secs(60)), "all ended");
    let count = |outcome| models.iter().map(|model| model.metrics().requests(outcome)).sum::<u64>();
    let ended: u64 = Outcome::ALL.into_iter().map(count).sum();
    assert_eq!(ended, CLIENTS * EACH, "each request has one outcome");
    let cancelled = count(Outcome::Cancelled);
    assert_eq!(called.load(Ordering::SeqCst) + cancelled, CLIENTS * EACH);
    assert_eq!(double.load(Ordering::SeqCst), 0);
    for outcome in [Outcome::Succeeded, Outcome::Busy, Outcome::Cancelled] {
        assert!(count(outcome) > 0, "{outcome:?}");
    }
    eventually("nothing is lost", || serving.workers().1 == 0);
}

/// A store that can be switched off.
#[derive(Debug, Default)]
pub(crate) struct Flaky {
    store: MemoryStore,
    pub(crate) is_gone: AtomicBool,
}

impl Flaky {
    fn reached(&self) -> Result<&MemoryStore> {
        match self.is_gone.load(Ordering::SeqCst) {
            true => Err(Error::store("reach the store", "it is switched off")),
            false => Ok(&self.store),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Flaky {
    larder_tests::delegate!(store: url capabilities write_blob stat_blobs list_blobs);
    larder_tests::delegate!(store: remove_blobs remove_unfinished);

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        self.reached()?.read_blobs(digests)
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.reached()?.get_records(keys)
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        self.reached()?.list_records(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        self.reached()?.commit(changes)
    }
}

#[test]
fn while_the_store_is_gone_what_is_loaded_serves_and_it_comes_back_by_itself() {
    let store = Arc::new(Flaky::default());
    let larder = Larder::new(Arc::clone(&store) as Arc<dyn Store>, Registry::linked().unwrap());
    let version = |number: f64| -> VersionInfo {
        larder.apply("probe", &probe(number)).unwrap().version().clone()
    };
    let first = version(1.0);
    larder.deploy("probe", &DeployOptions::new()).unwrap();
    let server = serve(&larder);
    assert!(server.deployer.is_ready());
    store.is_gone.store(true, Ordering::SeqCst);
    server.settle();
    assert!(server.deployer.store_fault().unwrap().contains("switched off"));
    assert_eq!(server.asks("probe").unwrap(), 1.0);
    assert!(server.serving.pool().loaded(&first).is_some());
    eventually("it is not ready", || !server.deployer.is_ready());
    let reason = server.deployer.not_ready().unwrap();
    assert!(reason.contains("not answer"), "{reason}");
    assert_eq!(server.asks("probe").unwrap(), 1.0);
    store.is_gone.store(false, Ordering::SeqCst);
    version(2.0);
    eventually("it is ready", || server.deployer.is_ready());
    eventually("it follows", || server.asks("probe").unwrap() == 2.0);
    assert_eq!(server.deployer.store_fault(), None);
}
