//! Many clients of one server, and several servers of one larder.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use larder::Error;
use larder::maintenance::{GcOptions, LarderMaintenance};
use larder_access::Role;
use larder_tests::crowd::apply_while_another_collects;

use super::served::{Served, larder_of, open};
use super::{assert_whole, noise, parcel};

/// Number of clients.
const CLIENTS: u64 = 8;

fn rounds(default: u64) -> u64 {
    std::env::var("LARDER_ROUNDS").map_or(default, |rounds| rounds.parse().unwrap())
}

/// Lets clients, spread over `urls`, apply to one name and to one of their own, beside a collector.
fn crowd(served: &Served, urls: &[String]) {
    let rounds = rounds(25);
    let tokens: Vec<_> = (0..CLIENTS)
        .map(|client| served.user(&format!("client-{client}"), Role::Writer, "*"))
        .collect();
    let ended = AtomicBool::new(false);
    let collector = larder_of(open(&urls[0], served.token()));
    let (shared, collections) = thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            let mut collections = 0;
            while !ended.load(Ordering::Relaxed) {
                let options = GcOptions::new().grace(Duration::from_secs(2));
                match collector.maintenance().gc(&options) {
                    Ok(_) => collections += 1,
                    Err(Error::Conflict { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
                thread::sleep(Duration::from_millis(100));
            }
            collections
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (url, token) = (&urls[client as usize % urls.len()], &tokens[client as usize]);
                scope.spawn(move || {
                    let larder = larder_of(open(url, token));
                    let mut made = Vec::new();
                    for round in 0..rounds {
                        let number = client * 1_000_000 + round;
                        let size = if round % 9 == 0 { 300_000 } else { 50 };
                        let content: Vec<u8> =
                            noise(size).iter().map(|byte| byte ^ number as u8).collect();
                        let applied = larder.apply("shared", &parcel(number, content)).unwrap();
                        assert!(applied.is_created(), "each is another");
                        made.push(applied.version().version.get());
                        let own = format!("own/{client}");
                        larder.apply(own.as_str(), &parcel(round, noise(60))).unwrap();
                    }
                    made
                })
            })
            .collect();
        let shared: Vec<u64> =
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        ended.store(true, Ordering::Relaxed);
        (shared, collecting.join().unwrap())
    });
    let distinct: BTreeSet<_> = shared.iter().copied().collect();
    assert_eq!(distinct.len(), shared.len(), "no number was given twice");
    assert!(distinct.into_iter().eq(1..=CLIENTS * rounds), "none was lost or made twice");
    let larder = served.client();
    let there = larder.versions("shared").unwrap();
    assert_eq!(there.len() as u64, CLIENTS * rounds);
    for client in 0..CLIENTS {
        let own = format!("own/{client}");
        assert_eq!(larder.versions(own.as_str()).unwrap().len() as u64, rounds);
    }
    assert!(collections > 0, "the collector came to its end");
    assert_whole(&larder);
    eprintln!("{} versions, {collections} collections", 2 * CLIENTS * rounds);
}

#[test]
fn eight_clients_apply_while_another_collects() {
    let served = Served::at("memory:");
    crowd(&served, &[served.server.url()]);
}

#[test]
fn eight_clients_of_two_servers_apply_while_another_collects() {
    let place = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", place.path().join("larder.db").display());
    let (first, second) = (Served::at(&url), Served::at(&url));
    assert_eq!(second.server.first_token(), None, "the first one made the administrator");
    crowd(&first, &[first.server.url(), second.server.url()]);
}

#[test]
fn four_processes_apply_while_this_one_collects() {
    let place = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", place.path().join("larder.db").display());
    let served = Served::with(&url, |options| options.authenticate(false));
    apply_while_another_collects(env!("CARGO_BIN_EXE_worker"), &served.server.url(), 25);
}
