//! The first start, and what a server refuses to be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use larder::client::Endpoint;
use larder::server::Server;
use larder::{Error, Registry};
use larder_tests::{Doubler, http};

use super::{Serving, options};

#[test]
fn the_first_start_creates_an_administrator_and_the_second_none() {
    let serving = Serving::start();
    assert_eq!(serving.get("/metrics", Some(&serving.admin)).status, 200);
    let second = Server::start(serving.larder.clone(), &options()).unwrap();
    assert_eq!(second.first_token(), None);
    // Any number of servers may stand on one larder.
    let token = Some(serving.admin.as_str());
    assert_eq!(
        http::send(second.address().unwrap(), "GET", "/whoami", token, &[], b"").status,
        200
    );
}

#[test]
fn a_server_without_tokens_stays_on_this_machine() {
    let open = Serving::with(&options().authenticate(false));
    assert_eq!(open.server.first_token(), None);
    assert_eq!(open.get("/metrics", None).status, 200);
    let beyond = options().authenticate(false).listen("0.0.0.0:0".parse().unwrap());
    let error = Server::start(open.larder.clone(), &beyond).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

/// A socket needs no port, and only its owner may open it.
#[cfg(unix)]
#[test]
fn models_are_served_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let place = format!("unix:{}", folder.path().join("larder.sock").display());
    let larder = Registry::linked().unwrap().open("memory:").unwrap();
    larder.apply("price", &Doubler { factor: 2.0 }).unwrap();
    let here = options().listen(place.parse().unwrap());
    let server = Server::start(larder.clone(), &here).unwrap();
    assert_eq!((server.url(), server.address()), (place.clone(), None));
    let token = server.first_token().unwrap();
    let endpoint: Endpoint<f64, f64> = Endpoint::new(&place, "price").unwrap();
    let error = endpoint.with_token("larder_QZ0").unwrap().predict(&1.5).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    let endpoint: Endpoint<f64, f64> = Endpoint::new(&place, "price").unwrap();
    assert_eq!(endpoint.with_token(token).unwrap().predict(&1.5).unwrap(), 3.0);
    let second = Server::start(larder, &here).unwrap_err();
    assert!(matches!(second, Error::Store { .. }), "{second}");
    server.stop();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let serving = Serving::start();
    let taken = options().listen(serving.address().into());
    let error = Server::start(serving.larder.clone(), &taken).unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error}");
}

#[test]
fn slow_and_endless_heads_are_cut_off() {
    let serving = Serving::start();
    let endless = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let answer = http::raw(serving.address(), endless.as_bytes());
    assert!(answer.is_none_or(|answer| answer.status == 431));
    let many = "a: b\r\n".repeat(1_000);
    let answer =
        http::raw(serving.address(), format!("GET /livez HTTP/1.1\r\n{many}\r\n").as_bytes());
    assert!(answer.is_none_or(|answer| answer.status == 431));

    let started = Instant::now();
    let mut slow = TcpStream::connect(serving.address()).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    slow.write_all(b"GET /livez HT").unwrap();
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    // Others are served meanwhile.
    assert_eq!(serving.get("/livez", None).status, 200);
}

#[test]
fn a_stopped_server_answers_no_more() {
    let serving = Serving::start();
    let address = serving.address();
    serving.server.stop();
    assert!(TcpStream::connect(address).is_err());
}
