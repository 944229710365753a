//! Canaries: a share of the requests, then a verdict.

use larder::serving::{CanaryOptions, DeployOptions, LarderDeployments};

use super::*;

fn canary(reference: &str) -> CanaryOptions {
    let canary = CanaryOptions::new(reference.parse().unwrap());
    canary.share(0.5).interval(Duration::from_millis(20)).min_requests(10)
}

fn deploy(larder: &Larder, canary: CanaryOptions) {
    let options = DeployOptions::new().name(name("it")).canary(canary);
    larder.deploy("probe@1", &options).unwrap();
}

/// Sends requests, and returns how many each version answered or failed to.
fn ask_often(server: &Server, act: impl Fn(u64) -> String, times: usize) -> [usize; 3] {
    let mut counts = [0; 3];
    for _ in 0..times {
        let route = server.deployer.route(&name("it")).unwrap();
        let version = route.model().version().version.get();
        counts[version as usize] += 1;
        let _ = route.request(ask(&act(version))).wait();
    }
    counts
}

#[test]
fn a_canary_gets_exactly_its_share() {
    for (share, expected) in [(0.0, 0), (0.1, 20), (0.25, 50), (1.0, 200)] {
        let larder = larder_with(2);
        deploy(&larder, canary("probe@2").share(share).interval(Duration::from_secs(3600)));
        let server = serve(&larder);
        let counts = ask_often(&server, |_| "none".into(), 200);
        assert_eq!(counts, [0, 200 - expected, expected], "share {share}");
        let status = server.deployer.status().remove(0);
        let canary = status.canary.unwrap();
        assert_eq!(canary.version.unwrap().requests, expected as u64);
        assert_eq!(status.serving.unwrap().requests, 200 - expected as u64);
    }
}

#[test]
fn a_sound_canary_takes_over_and_says_why() {
    let larder = larder_with(2);
    deploy(&larder, canary("probe@2").max_p90(Duration::from_secs(5)));
    let server = serve(&larder);
    ask_often(&server, |_| "none".into(), 40);
    eventually("it takes over", || {
        server.settle();
        server.asks("it").unwrap() == 2.0 && server.asks("it").unwrap() == 2.0
    });
    let found = larder.deployment("it").unwrap();
    assert_eq!(found.reference.to_string(), "probe@2");
    assert_eq!(found.canary, None);
    assert_eq!(found.serving.unwrap().version.get(), 2);
    assert_eq!(
        events(&larder, "it"),
        [(EventKind::Deployed, 1), (EventKind::Serving, 1), (EventKind::Promoted, 2)]
    );
    let reason = found.events.last().unwrap().reason.clone().unwrap();
    assert!(reason.starts_with("0 of ") && reason.contains(" 5s"), "{reason}");
}

#[test]
fn a_canary_that_fails_is_rolled_back_and_says_why() {
    let larder = larder_with(2);
    deploy(&larder, canary("probe@2"));
    let server = serve(&larder);
    let act = |version| if version == 2 { "fail".to_owned() } else { "none".to_owned() };
    ask_often(&server, act, 40);
    eventually("it is rolled back", || {
        server.settle();
        larder.deployment("it").unwrap().canary.is_none()
    });
    assert_eq!(ask_often(&server, |_| "none".into(), 20), [0, 20, 0]);
    let found = larder.deployment("it").unwrap();
    assert_eq!(found.reference.to_string(), "probe@1");
    assert_eq!(found.serving.unwrap().version.get(), 1);
    let last = found.events.last().unwrap();
    assert_eq!(last.event, EventKind::RolledBack);
    let reason = last.reason.clone().unwrap();
    assert!(reason.starts_with("20 of 20 ") && reason.contains("1 %"), "{reason}");
}

#[test]
fn a_slow_canary_is_rolled_back() {
    let larder = larder_with(2);
    deploy(&larder, canary("probe@2").max_p90(Duration::from_millis(5)));
    let server = serve(&larder);
    let act = |version| if version == 2 { "sleep:8".to_owned() } else { "none".to_owned() };
    ask_often(&server, act, 30);
    eventually("it is rolled back", || {
        server.settle();
        larder.deployment("it").unwrap().canary.is_none()
    });
    let last = larder.deployment("it").unwrap().events.pop().unwrap();
    assert_eq!(last.event, EventKind::RolledBack);
    assert!(last.reason.unwrap().contains("10 %"));
}

#[test]
fn there_is_no_verdict_before_enough_requests_and_bad_inputs_do_not_count() {
    let larder = larder_with(2);
    deploy(&larder, canary("probe@2").min_requests(8));
    let server = serve(&larder);
    for _ in 0..40 {
        let route = server.deployer.route(&name("it")).unwrap();
        route.request(Request::json("[]")).wait().unwrap_err();
    }
    ask_often(&server, |_| "none".into(), 10);
    std::thread::sleep(Duration::from_millis(100));
    server.settle();
    assert!(larder.deployment("it").unwrap().canary.is_some(), "five are too few");
    ask_often(&server, |_| "none".into(), 10);
    eventually("it takes over", || {
        server.settle();
        larder.deployment("it").unwrap().reference.to_string() == "probe@2"
    });
}

#[test]
fn servers_agree_on_one_verdict() {
    let larder = larder_with(2);
    deploy(&larder, canary("probe@2"));
    let servers = [serve(&larder), serve(&larder)];
    for server in &servers {
        ask_often(server, |_| "none".into(), 30);
    }
    for server in &servers {
        eventually("it takes over everywhere", || {
            server.settle();
            server.asks("it").unwrap() == 2.0 && server.asks("it").unwrap() == 2.0
        });
    }
    let verdicts =
        events(&larder, "it").into_iter().filter(|(event, _)| *event == EventKind::Promoted);
    assert_eq!(verdicts.count(), 1);
}

#[test]
fn a_canary_that_cannot_serve_gets_no_requests() {
    let larder = larder_with(1);
    larder.apply("probe", &Probe { number: 2.0, is_broken: true }).unwrap();
    larder.apply("shouter", &Shouter { mark: "?".into() }).unwrap();
    for (reference, event, reason) in [
        ("probe@2", EventKind::Failed, "it is broken"),
        ("shouter", EventKind::Refused, "signature"),
    ] {
        let options = DeployOptions::new().name(name("it")).canary(canary(reference));
        larder.undeploy("it").unwrap();
        larder.deploy("probe@1", &options).unwrap();
        let server = serve(&larder);
        assert_eq!(ask_often(&server, |_| "none".into(), 20), [0, 20, 0]);
        let canary = server.deployer.status().remove(0).canary.unwrap();
        assert!(canary.version.is_none());
        assert!(canary.reason.unwrap().contains(reason));
        server.settle();
        assert_eq!(events(&larder, "it").iter().filter(|(it, _)| *it == event).count(), 1);
        assert!(server.reason("it").is_empty(), "what serves is fine");
    }
}
