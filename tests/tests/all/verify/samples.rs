//! Larders with records of every kind.

use std::time::Duration;

use larder::Registry;
use larder::access::{AuditEntry, LarderAccess, Role, Subject, TokenOptions};
use larder::jobs::{Event, JobContext, LarderJobs, Trigger, TriggerTable, trigger_table};
use larder::maintenance::{GcOptions, LarderMaintenance};
use larder::prelude::*;
use larder::serving::{DeployOptions, Deployer, LarderDeployments, Serving, ServingOptions};
use larder::store::{Action, Timestamp};
use larder::versions::AnnotationsChange;

use crate::jobs::{Plain, plain};

/// Refers to a component.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/kinds/box")]
struct Holder {
    held: Ref<Held>,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/kinds/held")]
struct Held(u64);

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/kinds/doubler", model)]
struct Doubler;

impl Predict for Doubler {
    type Input = f64;
    type Output = f64;

    fn predict(&self, x: f64) -> larder::Result<f64> {
        Ok(2.0 * x)
    }
}

/// Two versions, a child, tags with a history, annotations and garbage.
pub(super) fn versions() -> Larder {
    let larder = larder::open("memory:").unwrap();
    larder.apply("held", &Held(1)).unwrap();
    larder.apply("held", &Held(2)).unwrap();
    larder.apply("holder", &Holder { held: Ref::to("held").unwrap() }).unwrap();
    for reference in ["held@1", "held@2"] {
        larder.tag(reference, "prod").unwrap();
    }
    let change = AnnotationsChange::new().description("sound");
    larder.annotate("held@1", &change).unwrap();
    larder.apply("zone", &Held(3)).unwrap();
    larder.remove("zone@1").unwrap();
    let at_once = GcOptions::new().grace(Duration::ZERO).exclusive(true);
    larder.maintenance().gc(&at_once).unwrap();
    larder
}

/// Two jobs, one of which depends on the other, says something and publishes a version; and a schedule.
pub(super) fn jobs() -> Larder {
    let triggers = vec![
        Trigger::new("first", |it: &Plain, job: &JobContext| {
            job.log("it runs");
            job.publish(&plain(it.number + 1)).map(drop)
        })
        .on(Event::Apply),
        Trigger::new("second", |_: &Plain, _: &JobContext| Ok::<_, String>(()))
            .on(Event::Apply)
            .depends_on("first"),
        Trigger::new("daily", |_: &Plain, _: &JobContext| Ok::<_, String>(()))
            .on(Event::cron("0 0 * * *").unwrap()),
    ];
    let mut registry = Registry::linked().unwrap();
    registry.register(trigger_table(TriggerTable::new(triggers).unwrap())).unwrap();
    let larder = registry.open("memory:").unwrap();
    larder.jobs().wait(&larder.apply("a", &plain(1)).unwrap()).unwrap();
    // The jobs of another version wait: their records are in the queue.
    larder.apply("b", &plain(7)).unwrap();
    larder
}

/// A user in a group, with a token, a grant, policies and a log.
pub(super) fn access() -> Larder {
    let larder = larder::open("memory:").unwrap();
    let access = larder.access();
    access.add_group("ml").unwrap();
    access.add_user("ann", &["ml"]).unwrap();
    access.create_token("ann", &TokenOptions::new()).unwrap();
    access.grant(&Subject::group("ml").unwrap(), Role::Writer, "held").unwrap();
    for text in ["permit(principal, action, resource);", "forbid(principal, action, resource);"] {
        access.set_policies(text).unwrap();
    }
    let now = Timestamp::new(std::time::SystemTime::now());
    access.append_audit(&[AuditEntry::new(now, Action::Write, "held")]).unwrap();
    larder
}

/// A version that a server serves.
pub(super) fn deployments() -> Larder {
    let larder = larder::open("memory:").unwrap();
    larder.apply("doubler", &Doubler).unwrap();
    larder.deploy("doubler", &DeployOptions::new()).unwrap();
    let serving = Serving::start(&larder, &ServingOptions::new()).unwrap();
    let deployer = Deployer::start(&serving).unwrap();
    assert!(deployer.settle(Duration::from_secs(20)) && deployer.is_ready());
    larder
}
