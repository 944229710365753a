//! Waiting for jobs, and seeing how far they are.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use larder::jobs::{Event, JobContext, JobStatus, Trigger, TriggerTable};
use larder::prelude::*;
use larder::store::MemoryStore;
use larder::{BoxError, Error, Item, Registry};

use super::{Plain, larder, plain};

/// A component that refers to another one.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "jobs/parent")]
struct Parent {
    child: Ref<Plain>,
}

#[test]
fn who_waits_for_a_component_waits_for_what_it_refers_to() {
    let (sender, receiver) = channel::<Result<(), BoxError>>();
    let receiver = Mutex::new(receiver);
    let mut registry = Registry::new();
    let of_child = move |_: &Plain, _: &JobContext| {
        receiver.lock().unwrap_or_else(PoisonError::into_inner).recv()?
    };
    let of_parent = |_: &Parent, _: &JobContext| Ok::<_, String>(());
    for item in [
        Item::component::<Plain>(),
        Item::component::<Parent>(),
        larder::jobs::trigger_table(
            TriggerTable::new(vec![Trigger::new("child", of_child).on(Event::Apply)]).unwrap(),
        ),
        larder::jobs::trigger_table(
            TriggerTable::new(vec![Trigger::new("parent", of_parent).on(Event::Apply)]).unwrap(),
        ),
    ] {
        registry.register(item).unwrap();
    }
    let larder = Larder::new(Arc::new(MemoryStore::new()), registry);
    let parent = |number| Parent { child: Ref::new("child", plain(number)).unwrap() };
    let told = |jobs: &[larder::jobs::JobInfo]| {
        jobs.iter().map(|job| format!("{}: {}", job.id.name(), job.trigger)).collect::<Vec<_>>()
    };

    let plan = larder.plan("parent", &parent(1)).unwrap();
    let planned: Vec<_> =
        plan.jobs.iter().map(|job| format!("{}: {}", job.name, job.trigger)).collect();
    assert_eq!(planned, ["child: child", "parent: parent"]);

    let applied = larder.apply("parent", &parent(1)).unwrap();
    sender.send(Ok(())).unwrap();
    let ran = larder.jobs().wait(&applied).unwrap();
    assert!(ran.iter().all(|job| job.status == JobStatus::Succeeded));
    assert_eq!(told(&ran), ["parent: parent", "child: child"]);

    // A child that is there makes no job again.
    let again = Parent { child: Ref::to("child@1").unwrap() };
    let plan = larder.plan("other", &again).unwrap();
    assert_eq!(plan.jobs.iter().map(|job| job.trigger.as_str()).collect::<Vec<_>>(), ["parent"]);
    larder.jobs().wait(&larder.apply("other", &again).unwrap()).unwrap();

    // What fails in a child is told to who waits for the parent.
    sender.send(Err("it is cold".into())).unwrap();
    let applied = larder.apply("parent", &parent(2)).unwrap();
    let error = larder.jobs().wait(&applied).unwrap_err();
    let Error::Job { job, status: JobStatus::Failed, .. } = &error else { panic!("{error}") };
    assert!(job.starts_with("child@2/"), "{job}");
}

#[test]
fn who_waits_is_told_how_far_jobs_are() {
    let (sender, receiver) = channel::<()>();
    let receiver = Mutex::new(receiver);
    let slow = move |_: &Plain, job: &JobContext| {
        job.progress(0.25, "it begins");
        // It goes on when that was seen.
        let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.recv_timeout(Duration::from_secs(60))
    };
    let ok = |_: &Plain, _: &JobContext| Ok::<_, String>(());
    let larder = larder(vec![
        Trigger::new("slow", slow).on(Event::Apply),
        Trigger::new("after", ok).on(Event::Apply).depends_on("slow"),
    ]);
    let applied = larder.apply("a", &plain(1)).unwrap();
    let mut seen = Vec::new();
    let jobs = larder.jobs().wait_with(&applied, |jobs| {
        let state = |job: &larder::jobs::JobInfo| (job.status, job.fraction, job.message.clone());
        let states: Vec<_> = jobs.iter().map(state).collect();
        if states[0].1 == Some(0.25) {
            let _ = sender.send(());
        }
        assert_ne!(seen.last(), Some(&states), "it is told of changes only");
        seen.push(states);
    });
    assert_eq!(jobs.unwrap().len(), 2);
    let pending = (JobStatus::Pending, None, None);
    assert_eq!(seen[0], [pending.clone(), pending.clone()]);
    let begun = (JobStatus::Running, Some(0.25), Some("it begins".to_owned()));
    assert!(seen.contains(&vec![begun, pending]), "{seen:?}");
}
