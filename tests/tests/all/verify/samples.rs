//! A larder with a record of each kind.

use std::sync::Arc;
use std::time::Duration;

use larder::access::{AuditEntry, LarderAccess, Role, Subject, TokenOptions};
use larder::bytes::Bytes;
use larder::files::drafts::{Draft, DraftContent, DraftId, DraftKind, LarderDrafts};
use larder::jobs::{Event, JobContext, LarderJobs, Trigger, TriggerTable, trigger_table};
use larder::maintenance::{GcOptions, LarderMaintenance};
use larder::prelude::*;
use larder::serving::{DeployOptions, Deployer, LarderDeployments, Serving, ServingOptions};
use larder::store::{
    Action, Composite, Digest, MemoryStore, RecordKey, RecordKind, StoreExt, Timestamp, TreePath,
};
use larder::versions::AnnotationsChange;
use larder::{Identifier, Registry};

use super::own_kind::review;
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

/// A larder with a record of a kind.
pub(super) struct Sample {
    pub(super) larder: Larder,
    pub(super) key: RecordKey,
    /// Keys of no record of the kind that begin as its keys do.
    pub(super) foreign: Vec<String>,
    /// True if `verify` can detect that the record is missing.
    pub(super) is_missed: bool,
}

pub(super) fn key(text: &str) -> RecordKey {
    RecordKey::new(text).unwrap()
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
fn access() -> Larder {
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
fn deployments() -> Larder {
    let larder = larder::open("memory:").unwrap();
    larder.apply("doubler", &Doubler).unwrap();
    larder.deploy("doubler", &DeployOptions::new()).unwrap();
    let serving = Serving::start(&larder, &ServingOptions::new()).unwrap();
    let deployer = Deployer::start(&serving).unwrap();
    assert!(deployer.settle(Duration::from_secs(20)) && deployer.is_ready());
    larder
}

/// A logged model with a file, and a name of which something is said.
fn drafts() -> Larder {
    let larder = versions();
    let id = DraftId::new("m-1").unwrap();
    let now = Timestamp::new(std::time::SystemTime::now());
    let draft = Draft::new(DraftKind::Model, "model", "Default", now);
    larder.drafts().create(&id, &draft).unwrap();
    let content = Bytes::from("weights");
    let (digest, size) = (Digest::of(&content), content.len() as u64);
    larder.store().put_blob(&digest, content).unwrap();
    let files = [
        ("config", DraftContent::Bytes("config".into())),
        ("a/weights.bin", DraftContent::Stored(digest, size)),
    ];
    for (path, content) in files {
        assert!(larder.drafts().add_file(&id, &TreePath::new(path).unwrap(), &content).unwrap());
    }
    let name = Identifier::new("held").unwrap();
    larder.drafts().describe(&name, |about| about.description = Some("kept".into())).unwrap();
    larder
}

/// The sample of a kind: a new kind needs one here.
pub(super) fn sample(kind: &RecordKind) -> Sample {
    let larder = match kind.name() {
        "name" | "version" | "digest" | "tag" | "move" | "annotations" | "user" | "garbage"
        | "exclusive" => versions(),
        "job" | "queue" | "log" | "made" | "cron" => jobs(),
        "deployment" => deployments(),
        "draft" | "about" => drafts(),
        "review" => {
            let larder = versions();
            review(&larder, "held");
            larder
        }
        "principal" | "group" | "token" | "grant" | "policy" | "audit" | "audit-head" => access(),
        "joined" => {
            let [records, blobs] = [(), ()].map(|()| Arc::new(MemoryStore::new()));
            let store = Composite::new(records, blobs).unwrap();
            Larder::new(Arc::new(store), Registry::linked().unwrap())
        }
        other => panic!("there is no sample of the kind {other}: add it here"),
    };
    let key = larder
        .store()
        .list_records(kind.prefix(), None, 1)
        .unwrap()
        .pop()
        .unwrap_or_else(|| panic!("the sample has no record of the kind {}", kind.name()))
        .0;
    let text = key.as_str();
    let unpadded = || text.replacen("@0", "@", 1);
    let foreign = match kind.name() {
        "name" | "cron" | "deployment" | "about" => vec![format!("{text}/@1")],
        "version" | "annotations" | "review" => vec![unpadded(), format!("{text}/@1")],
        "digest" | "user" => vec![format!("{text}0"), text[..text.len() - 10].to_owned() + "1"],
        "tag" => vec!["tags/held/@9".into(), "tags/held/@latest".into(), format!("{text}/@1")],
        "move" => vec![text.replacen("@000", "@", 1), "moves/held/@9/@0000000001".into()],
        "garbage" => vec!["gc/@12".into(), format!("{text}/@1")],
        "job" | "log" | "made" => vec![unpadded(), format!("{text}/@1")],
        "queue" => vec!["queue/@1".into(), format!("{text}0")],
        "principal" | "group" => vec![format!("{text}/@1"), text.replace('@', "@-")],
        "draft" => vec![format!("{text}/@1"), text.replace('@', "@-"), "drafts/1".into()],
        "token" | "grant" => vec![format!("{text}0"), format!("{text}/@1")],
        "policy" => vec![unpadded(), "policies/@0000000000".into()],
        "audit" => vec![unpadded(), "audit/@0000000000".into()],
        "audit-head" => vec!["audit-head/@1".into()],
        "joined" => vec!["joined/other".into()],
        "exclusive" => vec!["exclusive/other".into(), "exclusive/gc/@1".into()],
        other => panic!("there are no foreign keys of the kind {other}: add them here"),
    };
    let is_missed = matches!(
        kind.name(),
        "name"
            | "version"
            | "digest"
            | "move"
            | "user"
            | "job"
            | "group"
            | "policy"
            | "audit"
            | "audit-head"
    );
    Sample { larder, key, foreign, is_missed }
}
