//! A server that is killed in the middle of its work, again and again.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::serving::{DeployOptions, LarderDeployments};
use larder_tests::{Doubler, http};

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

/// Asks a deployment, and returns the status; `None` while there is no whole answer. One that succeeded must be right.
fn predict(address: SocketAddr, name: &str) -> Option<u16> {
    let body = "{\"input\":4}";
    let request = format!(
        "POST /predict/{name} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = http::raw(address, request.as_bytes())?;
    if answer.header("content-length") != Some(&*answer.body.len().to_string()) {
        return None;
    }
    if answer.status == 200 {
        assert_eq!(answer.text(), "{\"output\":12.0}", "{name}");
    }
    Some(answer.status)
}

/// Waits until each deployment serves again.
fn wait_for(address: SocketAddr, names: &[String]) {
    let started = Instant::now();
    for name in names {
        while predict(address, name) != Some(200) {
            assert!(started.elapsed() < Duration::from_secs(20), "{name} did not come back");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn what_a_killed_server_acknowledged_is_there_once() {
    let kills = std::env::var("LARDER_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", place.path().join("larder.db").display());
    let (mut server, at) = serve(&url, "127.0.0.1:0");
    let address: SocketAddr = at.strip_prefix("http://").unwrap().parse().unwrap();
    let at = format!("{at}?retries=20");
    let operator = larder::open(&at).unwrap();
    operator.apply("model", &Doubler { factor: 3.0 }).unwrap();
    operator.tag("model@1", "prod").unwrap();
    let mut deployments = Vec::new();
    let ended = AtomicBool::new(false);
    let (acknowledged, answered) = thread::scope(|scope| {
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
        let asking = scope.spawn(|| {
            let mut answered = 0_u64;
            while !ended.load(Ordering::Relaxed) {
                match predict(address, "serves/0") {
                    Some(200) => answered += 1,
                    // It is being killed, or loads.
                    None | Some(404 | 503) => thread::sleep(Duration::from_millis(1)),
                    Some(status) => panic!("a prediction got the status {status}"),
                }
            }
            answered
        });
        for kill in 0..kills {
            // A deployment now and then, which is acknowledged just before a kill.
            let deploys = (kill % 5 == 0).then(|| format!("serves/{}", kill / 5));
            thread::sleep(Duration::from_millis(120 + kill * 79 % 200));
            if let Some(name) = deploys {
                let named = DeployOptions::new().name(name.parse().unwrap());
                operator.deploy("model:prod", &named).unwrap();
                deployments.push(name);
            }
            server.kill().unwrap();
            server.wait().unwrap();
            (server, _) = serve(&url, &address.to_string());
            wait_for(address, &deployments);
        }
        thread::sleep(Duration::from_millis(300));
        ended.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for client in clients {
            for (number, digest) in client.join().unwrap() {
                assert_eq!(all.insert(number, digest), None, "{number} was given twice");
            }
        }
        (all, asking.join().unwrap())
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
    assert!(answered > kills, "{answered} predictions");
    eprintln!(
        "{} versions, {answered} predictions, {} deployments, {kills} kills",
        there.len(),
        deployments.len()
    );
    server.kill().unwrap();
    server.wait().unwrap();
}
