//! A server that is killed in the middle of its work, again and again.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{assert_whole, noise, parcel};

/// Number of kills, unless `LARDER_KILLS` says another.
const KILLS: u64 = 20;
/// Number of clients.
const CLIENTS: u64 = 3;

/// Starts a server as a process, without tokens, and returns its URL.
pub(crate) fn serve(url: &str, address: &str) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["serve", url, address])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (server, line.trim().to_owned())
}

#[test]
fn what_a_killed_server_acknowledged_is_there_once() {
    let kills = std::env::var("LARDER_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", place.path().join("larder.db").display());
    let (mut server, at) = serve(&url, "127.0.0.1:0");
    let address = at.strip_prefix("http://").unwrap().to_owned();
    let at = format!("{at}?retries=20");
    let ended = AtomicBool::new(false);
    let acknowledged = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (at, ended) = (&at, &ended);
                scope.spawn(move || {
                    let larder = larder::open(at).unwrap();
                    let mut acknowledged = BTreeMap::new();
                    for round in 0.. {
                        if ended.load(Ordering::Relaxed) {
                            break;
                        }
                        let size = if round % 7 == 0 { 400_000 } else { 100 };
                        let number = client * 1_000_000 + round;
                        let content: Vec<u8> =
                            noise(size).iter().map(|byte| byte ^ number as u8).collect();
                        let applied = larder.apply("shared", &parcel(number, content)).unwrap();
                        assert!(applied.is_created(), "each is another");
                        let version = applied.version();
                        acknowledged.insert(version.version.get(), version.digest);
                    }
                    acknowledged
                })
            })
            .collect();
        for kill in 0..kills {
            thread::sleep(Duration::from_millis(120 + kill * 79 % 200));
            server.kill().unwrap();
            server.wait().unwrap();
            (server, _) = serve(&url, &address);
        }
        thread::sleep(Duration::from_millis(300));
        ended.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for client in clients {
            for (number, digest) in client.join().unwrap() {
                assert_eq!(all.insert(number, digest), None, "{number} was given twice");
            }
        }
        all
    });
    let larder = larder::open(&at).unwrap();
    let there: BTreeMap<_, _> = larder
        .versions("shared")
        .unwrap()
        .into_iter()
        .map(|version| (version.version.get(), version.digest))
        .collect();
    assert!(acknowledged.len() as u64 > kills, "{} versions", acknowledged.len());
    assert_eq!(there, acknowledged, "none is lost, and none was made twice");
    assert_whole(&larder);
    eprintln!("{} versions, {kills} kills", there.len());
    server.kill().unwrap();
    server.wait().unwrap();
}
