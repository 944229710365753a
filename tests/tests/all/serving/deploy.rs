//! Deployments as records.

use larder::maintenance::{CopyOptions, GcOptions, LarderMaintenance};
use larder::serving::{CanaryOptions, DeployOptions, DeployOutcome, LarderDeployments};
use larder::store::{Change, Committed, Expected, RecordKey, RecordKind, StoreExt};
use larder::versions::RemoveOptions;
use larder::{Reference, Registry, Selection};
use larder_tests::errors;

use super::*;

fn deploy(larder: &Larder, reference: &str, options: &DeployOptions) -> Result<DeployOutcome> {
    larder.deploy(reference, options).map(|deployed| deployed.outcome)
}

#[test]
fn to_deploy_the_same_again_changes_nothing() {
    let larder = larder_with(2).with_author("ada");
    let options = DeployOptions::new().name(name("house/price"));
    let first = larder.deploy("probe", &options).unwrap();
    assert_eq!(first.outcome, DeployOutcome::Created);
    assert_eq!(first.deployment.by.as_deref(), Some("ada"));
    let again = larder.deploy("probe:latest", &options).unwrap();
    assert_eq!(again.outcome, DeployOutcome::Unchanged);
    assert_eq!(again.deployment, first.deployment);
    assert_eq!(deploy(&larder, "probe@1", &options).unwrap(), DeployOutcome::Changed);
    let changed = larder.deployment("house/price").unwrap();
    assert_eq!(changed.created, first.deployment.created);
    assert_eq!(changed.reference.to_string(), "probe@1");
    assert_eq!(
        events(&larder, "house/price"),
        [(EventKind::Deployed, 2), (EventKind::Deployed, 1)]
    );
    assert_eq!(deploy(&larder, "probe", &DeployOptions::new()).unwrap(), DeployOutcome::Created);
    let all = larder.deployments().unwrap();
    assert_eq!(all.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["house/price", "probe"]);
    assert!(larder.undeploy("probe").unwrap());
    assert!(!larder.undeploy("probe").unwrap());
    assert_eq!(larder.deployments().unwrap().len(), 1);
}

#[test]
fn a_canary_with_the_same_rules_goes_on_and_one_that_is_not_given_ends() {
    let larder = larder_with(2);
    let canary = CanaryOptions::new("probe@2".parse().unwrap()).share(0.25);
    let with = DeployOptions::new().canary(canary.clone());
    let first = larder.deploy("probe@1", &with).unwrap().deployment.canary.unwrap();
    assert_eq!((first.share, first.max_p90), (0.25, None));
    assert_eq!(deploy(&larder, "probe@1", &with).unwrap(), DeployOutcome::Unchanged);
    let other = DeployOptions::new().canary(canary.max_p90(Duration::from_micros(1_500)));
    assert_eq!(deploy(&larder, "probe@1", &other).unwrap(), DeployOutcome::Changed);
    let found = larder.deployment("probe").unwrap().canary.unwrap();
    assert_eq!(found.max_p90, Some(Duration::from_micros(1_500)));
    deploy(&larder, "probe@1", &DeployOptions::new()).unwrap();
    assert_eq!(larder.deployment("probe").unwrap().canary, None);
}

#[test]
fn what_cannot_serve_is_refused() {
    let larder = larder_with(1);
    larder.apply("stone", &Stone { weight: 7 }).unwrap();
    let plain = DeployOptions::new();
    let refused =
        |reference: &str, options: &DeployOptions| deploy(&larder, reference, options).unwrap_err();
    assert!(matches!(refused("stone", &plain), Error::NotAModel { .. }));
    let Error::NotFound { similar, .. } = refused("probes", &plain) else { panic!() };
    assert_eq!(similar, ["probe"]);
    assert!(matches!(refused("probe@9", &plain), Error::NotFound { .. }));
    assert!(matches!(refused("probe:none", &plain), Error::NotFound { .. }));
    let canary = |reference: &str| CanaryOptions::new(reference.parse::<Reference>().unwrap());
    for canary in [canary("stone"), canary("probe@3"), canary("probe").share(1.5)] {
        refused("probe", &plain.clone().canary(canary));
    }
    let nan = canary("probe").max_error_rate(f64::NAN);
    let error = refused("probe", &plain.clone().canary(nan));
    let Error::InvalidName { what: "error rate", text, .. } = &error else { panic!("{error:?}") };
    assert_eq!(text, "NaN");
    assert!(larder.deployments().unwrap().is_empty());
    deploy(&larder, "probe", &plain.clone().name(name("house/price"))).unwrap();
    let Error::NotFound { similar, .. } = larder.deployment("price").unwrap_err() else { panic!() };
    assert_eq!(similar, ["house/price"]);
}

#[test]
fn a_type_that_is_not_linked_in_is_left_to_the_servers() {
    let larder = larder_with(1);
    let bare = Larder::new(Arc::clone(larder.store()), Registry::new());
    assert_eq!(deploy(&bare, "probe", &DeployOptions::new()).unwrap(), DeployOutcome::Created);
    let server = serve(&larder);
    assert_eq!(server.asks("probe").unwrap(), 1.0);
}

#[test]
fn waiting_ends_when_a_server_serves_and_says_why_it_does_not() {
    let larder = larder_with(1);
    deploy(&larder, "probe", &DeployOptions::new()).unwrap();
    let wait = |millis| larder.wait_deployed("probe", Duration::from_millis(millis));
    let error = wait(50).unwrap_err();
    let (_, reason) = errors::refused(&error);
    assert!(reason.contains(" 0 s ") && reason.contains("probe@1"), "{reason}");
    let server = serve(&larder);
    let found = wait(20_000).unwrap();
    assert_eq!(found.serving.unwrap().reference().to_string(), "probe@1");
    larder.apply("probe", &Probe { number: 2.0, is_broken: true }).unwrap();
    let error = wait(20_000).unwrap_err();
    assert!(errors::refused(&error).1.contains("it is broken"), "{error}");
    assert_eq!(server.asks("probe").unwrap(), 1.0);
}

#[test]
fn what_serves_is_kept_from_gc_and_serves_after_a_restart() {
    let larder = larder_with(2);
    larder.tag("probe@1", "prod").unwrap();
    deploy(&larder, "probe:prod", &DeployOptions::new()).unwrap();
    drop(serve(&larder));
    larder.tag("probe@2", "prod").unwrap();
    larder.remove_with("probe@1", &RemoveOptions::new()).unwrap();
    let gc = GcOptions::new().grace(Duration::ZERO).exclusive(true);
    for _ in 0..2 {
        larder.maintenance().gc(&gc).unwrap();
    }
    let findings = larder.maintenance().verify(Selection::All).unwrap().findings;
    assert!(findings.is_empty(), "{findings:?}");
    // The version that is to serve cannot: what served before goes on.
    larder.apply("probe", &Probe { number: 3.0, is_broken: true }).unwrap();
    larder.tag("probe@3", "prod").unwrap();
    let server = serve(&larder);
    assert_eq!(server.asks("probe").unwrap(), 1.0);
    assert!(server.reason("probe").contains("it is broken"), "{}", server.reason("probe"));
    // Without the deployment nothing keeps it.
    assert!(larder.undeploy("probe").unwrap());
    for _ in 0..2 {
        larder.maintenance().gc(&gc).unwrap();
    }
    let version = larder.maintenance().removed("probe").unwrap().remove(0).version;
    let kept = larder.store().stat_blobs(&[version.digest]).unwrap();
    assert!(kept[0].is_none(), "its manifest was collected");
}

#[test]
fn a_copy_serves_nothing() {
    let larder = larder_with(1);
    deploy(&larder, "probe", &DeployOptions::new()).unwrap();
    let target = larder::open("memory:").unwrap();
    larder.maintenance().copy(Selection::All, &target, &CopyOptions::new()).unwrap();
    assert_eq!(target.versions("probe").unwrap().len(), 1);
    assert!(target.deployments().unwrap().is_empty());
    assert_eq!(target.store().records("deployments/").count(), 0);
}

#[test]
fn the_kind_says_who_may_deploy() {
    use larder::store::Action;

    let key = RecordKey::new("deployments/house/price").unwrap();
    let kind = RecordKind::of(&key).unwrap();
    assert_eq!(kind.owner(&key).unwrap(), Some(name("house/price")));
    let access = kind.access_rule();
    assert_eq!((access.read, access.write), (Action::Read, Action::Deploy));
}

#[test]
fn a_damaged_record_costs_its_own_deployment() {
    let larder = larder_with(1);
    for deployment in ["good", "bad"] {
        deploy(&larder, "probe", &DeployOptions::new().name(name(deployment))).unwrap();
    }
    let key = RecordKey::new("deployments/bad").unwrap();
    let value = "{\"larder\":1,\"unknown\":true}".into();
    let change = Change::PutRecord { key, value, expected: Expected::Anything };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
    let server = serve(&larder);
    assert_eq!(server.asks("good").unwrap(), 1.0);
    assert!(server.asks("bad").is_err());
    assert!(server.reason("bad").contains("deployments/bad"), "{}", server.reason("bad"));
    assert!(server.deployer.is_ready(), "it failed with a reason");
}
