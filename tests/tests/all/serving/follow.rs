//! Servers that follow deployments.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use larder::serving::{DeployOptions, LarderDeployments, ServeError};
use larder::store::Remedy;

use super::*;

fn deploy(larder: &Larder, reference: &str) {
    larder.deploy(reference, &DeployOptions::new().name(name("it"))).unwrap();
}

#[test]
fn a_tag_that_moves_back_and_forth_fails_no_request() {
    let larder = larder_with(2);
    larder.tag("probe@1", "prod").unwrap();
    deploy(&larder, "probe:prod");
    let server = serve(&larder);
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let seen = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (server, stop, answered) = (&server, &stop, &answered);
                scope.spawn(move || {
                    let mut seen = [0_u64; 3];
                    while !stop.load(Ordering::SeqCst) {
                        let route = server.deployer.route(&name("it")).unwrap();
                        let act = if client == 0 { "sleep:3" } else { "none" };
                        let answer = route.request(ask(act)).wait().unwrap();
                        let version = answer.version.version.get();
                        assert_eq!(number(Ok(answer)), version as f64, "its own version");
                        seen[version as usize] += 1;
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    seen
                })
            })
            .collect();
        for turn in 0..20 {
            let version = if turn % 2 == 0 { 2 } else { 1 };
            larder.tag(format!("probe@{version}"), "prod").unwrap();
            server.settle();
            assert_eq!(server.asks("it").unwrap(), f64::from(version));
            let before = answered.load(Ordering::SeqCst);
            eventually("requests run", || answered.load(Ordering::SeqCst) > before + 5);
        }
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    for version in [1, 2] {
        assert!(seen.iter().all(|seen| seen[version] > 0), "{seen:?}");
    }
    let serving = larder.deployment("it").unwrap().serving.unwrap();
    assert_eq!(serving.version.get(), 1);
    let status = server.deployer.status().remove(0);
    assert_eq!(status.serving.unwrap().failures, 0);
}

#[test]
fn a_number_is_pinned_and_a_name_alone_is_followed() {
    let larder = larder_with(1);
    let named = |deployment| DeployOptions::new().name(name(deployment));
    larder.deploy("probe@1", &named("pinned")).unwrap();
    larder.deploy("probe", &named("followed")).unwrap();
    let server = serve(&larder);
    larder.apply("probe", &probe(2.0)).unwrap();
    server.settle();
    assert_eq!(server.asks("pinned").unwrap(), 1.0);
    assert_eq!(server.asks("followed").unwrap(), 2.0);
    assert_eq!(
        events(&larder, "followed"),
        [(EventKind::Deployed, 1), (EventKind::Serving, 1), (EventKind::Serving, 2)]
    );
}

#[test]
fn a_changed_signature_is_refused_unless_allowed() {
    let larder = larder_with(1);
    deploy(&larder, "probe");
    let server = serve(&larder);
    larder.apply("probe", &Shouter { mark: "!".into() }).unwrap();
    for _ in 0..3 {
        server.settle();
    }
    assert_eq!(server.asks("it").unwrap(), 1.0, "the old version serves");
    let reason = server.reason("it");
    assert!(reason.starts_with("probe@2: ") && reason.contains("signature"), "{reason}");
    assert!(reason.contains("probe@1"), "{reason}");
    let expected = [(EventKind::Deployed, 1), (EventKind::Serving, 1), (EventKind::Refused, 2)];
    assert_eq!(events(&larder, "it"), expected, "it is written down once");
    let error = larder.deploy("probe@2", &DeployOptions::new().name(name("it"))).unwrap_err();
    let is_blocked = matches!(error, Error::Blocked { remedy: Remedy::AllowSignatureChange, .. });
    assert!(is_blocked, "{error:?}");
    // A server that starts anew refuses it too.
    drop(server);
    let server = serve(&larder);
    assert_eq!(server.asks("it").unwrap(), 1.0);
    assert_eq!(events(&larder, "it"), expected);
    let allowed = DeployOptions::new().name(name("it")).allow_signature_change(true);
    larder.deploy("probe", &allowed).unwrap();
    server.settle();
    let route = server.deployer.route(&name("it")).unwrap();
    let answer = route.predict(Request::json("\"hey\"")).unwrap();
    assert_eq!(answer.output, Output::Json("\"HEY!\"".into()));
}

#[test]
fn a_broken_version_leaves_the_old_one_serving_and_is_written_down_once() {
    let larder = larder_with(1);
    deploy(&larder, "probe");
    let (one, other) = (serve(&larder), serve(&larder));
    larder.apply("probe", &Probe { number: 2.0, is_broken: true }).unwrap();
    larder.apply("stone", &Stone { weight: 1 }).unwrap();
    for server in [&one, &other, &one, &other] {
        server.settle();
        assert_eq!(server.asks("it").unwrap(), 1.0);
        assert!(server.reason("it").contains("warm"), "{}", server.reason("it"));
        assert!(server.deployer.is_ready());
    }
    let expected = [(EventKind::Deployed, 1), (EventKind::Serving, 1), (EventKind::Failed, 2)];
    assert_eq!(events(&larder, "it"), expected);
    let reason = larder.deployment("it").unwrap().events.remove(2).reason.unwrap();
    assert!(reason.contains("warm") && reason.ends_with(": it is broken"), "{reason}");
    // The next version is fine.
    larder.apply("probe", &probe(3.0)).unwrap();
    for server in [&one, &other] {
        server.settle();
        assert_eq!(server.asks("it").unwrap(), 3.0);
        assert_eq!(server.reason("it"), "");
    }
}

#[test]
fn a_first_version_that_is_broken_is_not_ready_and_says_why() {
    let larder = larder_with(0);
    larder.apply("probe", &Probe { number: 1.0, is_broken: true }).unwrap();
    deploy(&larder, "probe");
    let server = serve(&larder);
    let error = server.asks("it").unwrap_err();
    assert!(
        matches!(&error, ServeError::NotReady { reason, .. } if reason.contains("broken")),
        "{error}"
    );
    assert!(!server.deployer.status()[0].is_ready);
    assert!(server.deployer.is_ready(), "all have been tried");
    let error = server.asks("unknown").unwrap_err();
    assert!(
        matches!(&error, ServeError::NotReady { reason, .. } if reason.contains("no such")),
        "{error}"
    );
}

#[test]
fn two_servers_serve_one_larder_and_write_each_change_once() {
    let larder = larder_with(1);
    deploy(&larder, "probe");
    let servers = [serve(&larder), serve(&larder)];
    for version in 2..=10 {
        larder.apply("probe", &probe(f64::from(version))).unwrap();
        for server in &servers {
            server.settle();
            assert_eq!(server.asks("it").unwrap(), f64::from(version));
        }
    }
    let mut expected = vec![(EventKind::Deployed, 1)];
    expected.extend((1..=10).map(|version| (EventKind::Serving, version)));
    assert_eq!(events(&larder, "it"), expected);
}

#[test]
fn an_undeployed_name_is_gone_and_its_running_requests_end() {
    let larder = larder_with(1);
    deploy(&larder, "probe");
    let server = serve(&larder);
    let pending = server.deployer.route(&name("it")).unwrap().request(ask("gate:undeployed"));
    larder.undeploy("it").unwrap();
    server.settle();
    assert!(server.asks("it").is_err());
    assert!(server.deployer.status().is_empty());
    open_gate("undeployed");
    assert_eq!(number(pending.wait()), 1.0);
    deploy(&larder, "probe");
    server.settle();
    assert_eq!(server.asks("it").unwrap(), 1.0);
}

#[test]
fn a_name_that_is_deployed_anew_is_not_bound_to_the_old_signature() {
    let larder = larder_with(1);
    larder.apply("shouter", &Shouter { mark: "!".into() }).unwrap();
    deploy(&larder, "probe");
    let server = serve(&larder);
    assert!(larder.undeploy("it").unwrap());
    deploy(&larder, "shouter");
    server.settle();
    let answer = server.deployer.route(&name("it")).unwrap().predict(Request::json("\"a\""));
    assert_eq!(answer.unwrap().output, Output::Json("\"A!\"".into()));
    assert_eq!(server.reason("it"), "");
}

#[test]
fn a_deployed_model_is_loaded_beyond_the_memory_bound() {
    let larder = larder_with(1);
    deploy(&larder, "probe");
    let serving = start(&larder, &options().memory(1));
    let deployer = Deployer::start(&serving).unwrap();
    assert!(deployer.settle(Duration::from_secs(20)));
    assert!(deployer.is_ready());
    let route = deployer.route(&name("it")).unwrap();
    assert_eq!(number(route.predict(ask("none"))), 1.0);
    let other = larder.apply("other", &probe(2.0)).unwrap().version().clone();
    assert!(matches!(serving.pool().get(&other), Err(ServeError::Full { .. })));
}

#[test]
fn a_tag_that_is_gone_leaves_the_old_version_serving() {
    let larder = larder_with(1);
    larder.tag("probe@1", "prod").unwrap();
    deploy(&larder, "probe:prod");
    let server = serve(&larder);
    larder.untag("probe", "prod").unwrap();
    server.settle();
    assert_eq!(server.asks("it").unwrap(), 1.0);
    assert!(server.reason("it").contains("probe:prod"), "{}", server.reason("it"));
    assert_eq!(server.deployer.store_fault(), None);
    drop(server);
    let server = serve(&larder);
    assert_eq!(server.asks("it").unwrap(), 1.0, "also after a restart");
}

#[test]
fn a_stuck_model_is_not_ready() {
    let larder = larder_with(1);
    deploy(&larder, "probe");
    let server = serve(&larder);
    let model = server.deployer.endpoint(&name("it")).unwrap().model().unwrap();
    for lost in 1..=3 {
        let request = ask("gate:not ready").within(Duration::from_millis(20));
        server.serving.request(&model, request).wait().unwrap_err();
        eventually("its worker is lost", || model.lost() == lost);
    }
    let status = server.deployer.status().remove(0);
    assert!(!status.is_ready);
    assert!(status.reason.unwrap().contains("3 of its predictions"));
    open_gate("not ready");
    eventually("it is ready again", || server.deployer.status()[0].is_ready);
}

#[test]
fn servers_of_the_process_that_deploys_are_told() {
    let larder = larder_with(1);
    let options = options().poll(Duration::from_secs(3_600));
    let serving = start(&larder, &options);
    let deployer = Deployer::start(&serving).unwrap();
    eventually("it looked once", || deployer.is_ready());
    deploy(&larder, "probe");
    eventually("it serves", || deployer.route(&name("it")).is_ok());
    larder.undeploy("it").unwrap();
    eventually("it serves no more", || deployer.endpoint(&name("it")).is_none());
}
