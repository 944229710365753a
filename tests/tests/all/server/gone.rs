//! A server whose store goes away, and one that ends.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use larder::access::Role;
use larder::prelude::*;
use larder::serving::{DeployOptions, LarderDeployments};
use larder::{Larder, Registry};
use larder_server::Server;
use larder_tests::{Doubler, http};

use super::{Serving, options};
use crate::serving::ends::Flaky;

/// A model that takes its time.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/server/slow", model)]
struct Slow;

impl Predict for Slow {
    type Input = u64;
    type Output = u64;

    fn predict(&self, millis: u64) -> larder::Result<u64> {
        thread::sleep(Duration::from_millis(millis));
        Ok(millis)
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn while_the_store_is_gone_answers_are_503_and_it_comes_back_by_itself() {
    let store = Arc::new(Flaky::default());
    let larder = Larder::new(Arc::clone(&store) as _, Registry::linked().unwrap());
    let server = Server::start(larder.clone(), &options()).unwrap();
    let admin = server.first_token().unwrap().to_owned();
    let serving = Serving { larder, server, admin };
    serving.larder.apply("loaded", &Doubler { factor: 2.0 }).unwrap();
    serving.larder.apply("other", &Doubler { factor: 3.0 }).unwrap();
    serving.larder.deploy("loaded", &DeployOptions::new()).unwrap();
    let ann = serving.user("ann", &[(Role::User, "*")]);
    // The server sees the deployment within a second, and loads it.
    let asks = || serving.ask("/predict/loaded", "{\"input\": 1}").status == 200;
    until("it serves", || serving.get("/readyz", None).status == 200 && asks());

    store.is_gone.store(true, Ordering::SeqCst);
    until("it is not ready", || serving.get("/readyz", None).status == 503);
    assert_eq!(serving.get("/livez", None).status, 200);
    // A token that was not seen lately cannot be looked up; a model that is not loaded cannot be read.
    for token in [&ann, &serving.admin] {
        let answer = serving.post("/predict/other", Some(token), "{\"input\": 1}");
        assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"), "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert!(!answer.text().contains("switched off"), "the cause is for the log: {answer:?}");
    }

    store.is_gone.store(false, Ordering::SeqCst);
    until("it is ready again", || serving.get("/readyz", None).status == 200);
    until("it reads again", || serving.ask("/predict/other", "{\"input\": 1}").status == 200);
    let answer = serving.post("/predict/loaded", Some(&ann), "{\"input\": 1}");
    assert_eq!(answer.text(), "{\"output\":2.0}");
}

#[test]
fn a_request_that_is_open_is_answered_before_the_end() {
    let serving = Serving::start();
    serving.larder.apply("slow", &Slow).unwrap();
    assert_eq!(serving.ask("/predict/slow", "{\"input\":0}").status, 200);
    let (address, token) = (serving.address(), serving.admin.clone());
    let asking = thread::spawn(move || {
        let body = b"{\"input\":1500}";
        http::send(address, "POST", "/predict/slow", Some(&token), &[], body)
    });
    thread::sleep(Duration::from_millis(400));
    serving.server.stop();
    let answer = asking.join().unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"output\":1500}"));
    assert!(TcpStream::connect(address).is_err());
}
