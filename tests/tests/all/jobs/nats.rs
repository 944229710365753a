//! Jobs that a queue brings, on a real NATS server.

use larder::jobs::LarderJobs;
use larder::jobs::RegistryJobs;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::jobs::{Delivery, JobId, JobQueue, JobStatus, NatsQueue, Worker};
use larder::store::ItemKind;
use larder::{Error, StoreUrl};
use larder_tests::nats::{SECRET, Server};

use super::*;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

fn open(url: &str) -> larder::Result<NatsQueue> {
    NatsQueue::open(&url.parse::<StoreUrl>()?)
}

fn id(number: u32) -> JobId {
    format!("wine/quality@7/019aa1b2c3d4-9f8e7d6c5b4a-{number:04x}").parse().unwrap()
}

/// The ids delivered to a worker within a time.
fn next(queue: &NatsQueue, most: usize, wait: Duration) -> Vec<Delivery> {
    queue.next(&larder(Vec::new()).jobs(), most, wait).unwrap()
}

/// Receives `count` deliveries, which may take long on a busy machine.
fn gather(queue: &NatsQueue, count: usize) -> Vec<Delivery> {
    let mut gathered = Vec::new();
    until("all are brought", || {
        gathered.extend(next(queue, count - gathered.len(), SHORT));
        gathered.len() == count
    });
    gathered
}

fn ids(deliveries: &[Delivery]) -> Vec<JobId> {
    deliveries.iter().map(|delivery| delivery.job.clone()).collect()
}

fn done(deliveries: Vec<Delivery>) {
    deliveries.into_iter().for_each(|delivery| delivery.receipt.unwrap().ack());
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_queue_brings_each_id_to_one_worker_and_forgets_it_when_it_is_done() {
    let server = Server::start();
    let queues = [open(&server.url("wine")).unwrap(), open(&server.url("wine")).unwrap()];
    let other = open(&server.url("beer")).unwrap();
    queues[0].submit(&[]).unwrap();
    queues[0].submit(&[id(1), id(2), id(3)]).unwrap();
    assert_eq!(queues[1].len().unwrap(), 3);
    let [first, second] = [gather(&queues[0], 2), gather(&queues[1], 1)];
    assert_eq!((ids(&first), ids(&second)), (vec![id(1), id(2)], vec![id(3)]));
    assert!(next(&queues[0], 9, Duration::ZERO).is_empty() && next(&other, 9, SHORT).is_empty());
    done(first);
    done(second);
    until("the queue forgets them", || queues[0].is_empty().unwrap());
}

#[test]
fn who_asks_an_empty_queue_waits_as_long_as_it_said() {
    let server = Server::start();
    let queue = open(&server.url("wine")).unwrap();
    for wait in [Duration::ZERO, SHORT] {
        let begun = Instant::now();
        assert!(next(&queue, 9, wait).is_empty());
        let took = begun.elapsed();
        assert!(took >= wait && took < wait + Duration::from_secs(3), "{wait:?}: {took:?}");
    }
}

#[test]
fn who_waits_is_woken_by_the_first_id() {
    let server = Server::start();
    let queue = open(&server.url("wine")).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = Instant::now();
            (ids(&next(&queue, 9, LONG)), begun.elapsed())
        });
        thread::sleep(SHORT);
        open(&server.url("wine")).unwrap().submit(&[id(1)]).unwrap();
        let (brought, after) = waiting.join().unwrap();
        assert_eq!(brought, [id(1)]);
        assert!(after >= SHORT / 2 && after < LONG / 2, "{after:?}");
    });
}

#[test]
fn an_id_comes_again_when_its_worker_says_nothing_or_asks_for_that() {
    let server = Server::start();
    let said = (0..5).any(|attempt| comes_again(&server, attempt));
    assert!(said, "the machine stood still in each attempt");
}

/// Runs the test once; returns false if the machine paused for too long to tell.
fn comes_again(server: &Server, attempt: u32) -> bool {
    const ACK_WAIT: Duration = Duration::from_secs(5);
    const STANDS_STILL: Duration = Duration::from_secs(2);
    let options = format!("attempt{attempt}&ack_wait={}s", ACK_WAIT.as_secs());
    let queue = open(&server.url(&options)).unwrap();
    queue.submit(&[id(1), id(2), id(3)]).unwrap();
    let mut heard = Instant::now();
    let [silent, later, busy] = gather(&queue, 3).try_into().unwrap();
    drop(silent);
    later.receipt.unwrap().retry_after(Duration::from_millis(100));
    let retried = gather(&queue, 1);
    if heard.elapsed() > STANDS_STILL {
        return false;
    }
    assert_eq!(ids(&retried), [id(2)]);
    // The receipt is extended for longer than `ACK_WAIT`.
    let mut receipt = busy.receipt.unwrap();
    let (begun, mut stood_still, mut again) = (Instant::now(), false, BTreeSet::new());
    until("those of which nothing was said come again", || {
        receipt.extend();
        stood_still |= heard.elapsed() > STANDS_STILL;
        heard = Instant::now();
        again.extend(ids(&next(&queue, 3, Duration::from_millis(100))));
        stood_still || (again.len() >= 2 && begun.elapsed() > ACK_WAIT + ACK_WAIT / 2)
    });
    if !stood_still {
        assert_eq!(again, BTreeSet::from([id(1), id(2)]));
    }
    !stood_still
}

#[test]
fn what_is_found_again_and_again_is_queued_once() {
    let server = Server::start();
    let queue = open(&server.url("wine")).unwrap();
    for _ in 0..5 {
        queue.resubmit(&[id(1), id(2)]).unwrap();
    }
    assert_eq!(queue.len().unwrap(), 2);
    // What is to run again now is queued at once.
    queue.submit(&[id(1)]).unwrap();
    assert_eq!(queue.len().unwrap(), 3);
}

#[test]
fn many_ids_are_submitted_at_once() {
    let server = Server::start();
    let queue = open(&server.url("wine")).unwrap();
    let all: Vec<_> = (0..5_000).map(id).collect();
    queue.submit(&all).unwrap();
    assert_eq!(queue.len().unwrap(), 5_000);
    let mut brought = Vec::new();
    while brought.len() < 5_000 {
        let some = next(&queue, 1_000, LONG);
        brought.extend(ids(&some));
        done(some);
    }
    brought.sort();
    assert_eq!(brought, all);
}

#[test]
fn a_queue_that_lost_everything_is_made_anew() {
    let mut server = Server::start();
    let queue = open(&server.url("wine")).unwrap();
    queue.submit(&[id(1)]).unwrap();
    server.crash();
    let begun = Instant::now();
    let error = queue.submit(&[id(2)]).unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "who applies does not wait for it: {:?}",
        begun.elapsed()
    );
    server.start_again();
    until("it is connected to again", || queue.submit(&[id(2)]).is_ok());
    // What it was given just before it was killed may be lost, but nothing else; the jobs' records are the truth.
    let mut brought = Vec::new();
    until("what it took since is brought", || {
        let some = queue.next(&larder(Vec::new()).jobs(), 9, SHORT).unwrap_or_default();
        brought.extend(ids(&some));
        done(some);
        brought.contains(&id(2))
    });
    assert!(brought.iter().all(|brought| [id(1), id(2)].contains(brought)), "{brought:?}");
    server.stop();
    server.wipe();
    server.start_again();
    until("it takes ids again", || queue.submit(&[id(3)]).is_ok());
    let mut brought = Vec::new();
    until("it brings ids again", || {
        let some = queue.next(&larder(Vec::new()).jobs(), 9, SHORT).unwrap_or_default();
        brought.extend(ids(&some));
        done(some);
        brought == [id(3)]
    });
}

#[test]
fn a_queue_is_used_from_within_an_async_program() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let queue = open(&server.url("wine")).unwrap();
        queue.submit(&[id(1)]).unwrap();
        done(gather(&queue, 1));
    });
}

#[test]
fn a_server_that_lets_nobody_in_or_is_not_there_is_told_without_secrets() {
    let server = Server::start_with_password();
    open(&server.url("wine")).unwrap().submit(&[id(1)]).unwrap();
    let port = server.port();
    let wrong = "a-wrong-secret";
    for url in [
        format!("nats://ann:{wrong}@127.0.0.1:{port}"),
        format!("nats://127.0.0.1:{port}?token={wrong}"),
        format!("nats://127.0.0.1:{port}"),
        "nats://127.0.0.1:1?stream=wine".into(),
        format!("nats://127.0.0.1:{port}?credentials=/nowhere/{port}"),
    ] {
        let error = open(&url).unwrap_err();
        assert!(matches!(error, Error::Store { .. }), "{error}");
        let told = format!("{error} {error:?}");
        assert!(!told.contains(wrong), "{told}");
        assert!(told.contains("127.0.0.1"), "{told}");
    }
    let queue = open(&server.url("wine")).unwrap();
    let told = format!("{queue:?} {}", queue.url());
    assert!(!told.contains(SECRET) && !told.contains("ann"), "{told}");
}

#[test]
fn a_scheme_that_is_none_of_a_queue_says_which_there_are() {
    let registry = Registry::linked().unwrap();
    let error = registry.open_queue(&"amqp://host".parse().unwrap()).unwrap_err();
    let Error::NotLinked { kind: ItemKind::Queue, known, .. } = &error else { panic!("{error}") };
    assert!(known.contains(&"nats".to_owned()), "{known:?}");
}

/// A larder whose jobs are counted, and its queue.
fn counted(url: &str, runs: &Arc<AtomicU64>) -> (Larder, Arc<NatsQueue>) {
    let runs = Arc::clone(runs);
    let trigger = Trigger::new("count", move |_: &Plain, _: &larder::jobs::JobContext| {
        runs.fetch_add(1, Ordering::SeqCst);
        Ok::<_, larder::BoxError>(())
    });
    let queue = Arc::new(open(url).unwrap());
    (larder(vec![trigger.on(larder::jobs::Event::Apply)]).with_queue(queue.clone()), queue)
}

/// A worker that has threads to spare asks for more, and must not wait for that when a job ends.
#[test]
fn a_chain_of_jobs_runs_at_once_link_by_link() {
    let server = Server::start();
    let ok = |_: &Plain, _: &larder::jobs::JobContext| Ok::<_, larder::BoxError>(());
    let chain = (0..8).map(|at| {
        let trigger = Trigger::new(format!("job{at}"), ok).on(larder::jobs::Event::Apply);
        if at == 0 { trigger } else { trigger.depends_on(format!("job{}", at - 1)) }
    });
    let queue = Arc::new(open(&server.url("wine")).unwrap());
    let larder = larder(chain.collect()).with_queue(queue);
    larder.apply("chain", &plain(1)).unwrap();
    let begun = Instant::now();
    assert_eq!(Worker::new(&larder).concurrency(4).drain().unwrap(), 8);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn jobs_go_on_while_the_queue_is_away_and_when_it_lost_them() {
    let mut server = Server::start();
    let runs = Arc::default();
    let (larder, queue) = counted(&server.url("wine"), &runs);
    let troubled = Arc::new(AtomicBool::new(false));
    let seen = troubled.clone();
    let worker = Worker::new(&larder).on_error(move |_| seen.store(true, Ordering::SeqCst));
    let worker = worker.spawn().unwrap();
    let run = |count: u64, what: &str| {
        larder.apply(format!("plain/{count}"), &plain(count)).unwrap();
        until(what, || runs.load(Ordering::SeqCst) == count);
    };
    run(1, "the queue brings the first");
    assert!(!troubled.load(Ordering::SeqCst));
    server.crash();
    run(2, "the second is found in the larder");
    assert!(troubled.load(Ordering::SeqCst));
    server.wipe();
    server.start_again();
    run(3, "the third is brought or found");
    worker.stop().unwrap();
    assert_eq!(larder.jobs().list(&JobsQuery::new().status(JobStatus::Succeeded)).count(), 3);

    // An id that is lost is found by a worker that looks around.
    until("the queue is back", || queue.is_empty().unwrap_or(false));
    larder
        .clone()
        .with_queue(Arc::new(larder::jobs::InProcess::new()))
        .apply("lost", &plain(9))
        .unwrap();
    assert!(queue.is_empty().unwrap());
    let worker = Worker::new(&larder).spawn().unwrap();
    until("it is submitted again", || runs.load(Ordering::SeqCst) == 4);
    worker.stop().unwrap();
    until("the queue is drained", || queue.is_empty().unwrap());
}

#[test]
fn jobs_of_killed_workers_on_a_queue_that_is_restarted_have_their_effect_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("larder.db").display());
    let mut server = Server::start();
    let queue_url = server.url("crew&ack_wait=1s");
    let queue = open(&queue_url).unwrap();
    super::processes::survives_kills(&url, folder.path(), Some(&queue_url), |killed| {
        if killed % 10 == 5 {
            server.stop();
            server.start_again();
        }
    });
    // Workers that died could not say that their jobs are done; whoever is brought them finds that they are over.
    let larder = larder::open(&url).unwrap().with_queue(Arc::new(queue.clone()));
    let worker = Worker::new(&larder).lease(larder_tests::crew::LEASE).spawn().unwrap();
    until("the queue is drained", || queue.is_empty().unwrap_or(false));
    worker.stop().unwrap();
}
