//! A component with triggers, as its users see it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::ApplyOptions;
use larder::jobs::{Event, JobContext, JobStatus, JobsQuery, Trigger, Worker};
use larder::prelude::*;
use larder::versions::RemoveOptions;
use larder::{BoxError, Error, HookContext, HookResult, Hooks, triggers};
use larder_tests::errors::{invalid, refused};

use super::{Plain, larder as plain_larder, plain, statuses};

/// The calls of the components, by name.
static DONE: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn done(by: &str) -> Vec<String> {
    let done = DONE.lock().unwrap();
    done.iter()
        .filter_map(|line| line.strip_prefix(by)?.strip_prefix(' '))
        .map(str::to_owned)
        .collect()
}

#[derive(Debug, Clone, Serialize, Deserialize, Component)]
#[component(tag = "jobs/notifier", hooks)]
struct Notifier {
    name: String,
    d: Option<String>,
}

impl Notifier {
    fn did(&self, what: &str) {
        DONE.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

impl Hooks for Notifier {
    fn setup(&self, _: &HookContext) -> HookResult {
        self.did("setup");
        Ok(())
    }

    fn on_create(&self, _: &HookContext) -> HookResult {
        self.did("on_create");
        match self.d.as_deref() {
            Some("refused") if done(&self.name).len() == 1 => Err("not yet".into()),
            _ => Ok(()),
        }
    }

    fn cleanup(&self, _: &HookContext) -> HookResult {
        self.did("cleanup");
        Ok(())
    }
}

#[triggers]
impl Notifier {
    #[trigger(apply, outputs)]
    fn start(&self, job: &JobContext) -> Result<String, BoxError> {
        job.progress(0.5, "half");
        self.did("start");
        Ok(format!("started by {}", job.id().name()))
    }

    #[trigger(apply, depends_on = "start", requires = "d")]
    fn go(&self, job: &JobContext) -> larder::Result<()> {
        job.log(job.output::<String>("start")?);
        self.did("go");
        Ok(())
    }

    #[trigger(remove)]
    fn gone(&self, _: &JobContext) -> Result<(), BoxError> {
        self.did("gone");
        Ok(())
    }

    #[trigger(event("call"), outputs)]
    fn call(&self, job: &JobContext) -> larder::Result<Option<u32>> {
        Ok(job.payload::<Option<u32>>()?.map(|number| number * 2))
    }
}

#[test]
fn triggers_run_in_order_as_jobs_after_one_setup_and_a_method_stays_a_method() {
    let larder = larder::open("memory:").unwrap();
    let notifier = Notifier { name: "full".into(), d: Some("x".into()) };
    let applied = larder.apply("a", &notifier).unwrap();
    assert_eq!(done("full"), ["on_create"], "nothing runs before somebody runs it");
    assert_eq!(statuses(&larder), ["start: pending", "go: pending"]);

    let jobs = larder.jobs().wait(&applied).unwrap();
    assert_eq!(done("full"), ["on_create", "setup", "start", "go"]);
    let [start, go] = &jobs[..] else { panic!("{jobs:?}") };
    assert_eq!((start.status, go.status), (JobStatus::Succeeded, JobStatus::Succeeded));
    assert_eq!(start.output.as_ref().unwrap().get(), r#""started by a""#);
    assert_eq!((start.fraction, start.message.as_deref()), (Some(0.5), Some("half")));
    assert_eq!(go.depends_on["start"], start.id);
    assert_eq!((go.attempt, go.failures, go.losses), (1, 0, 0));
    assert!(go.started.unwrap() >= start.finished.unwrap());
    let log = larder.jobs().log(&go.id).unwrap();
    assert_eq!((log.len(), log[0].text.as_str(), log[0].attempt), (1, "started by a", 1));

    // What is over is waited for at once, and runs no second time.
    assert_eq!(larder.jobs().wait(&applied).unwrap().len(), 2);
    assert!(!larder.apply("a", &notifier).unwrap().is_created());
    assert_eq!(larder.jobs().wait(&larder.apply("a", &notifier).unwrap()).unwrap().len(), 2);
    assert_eq!(done("full").len(), 4);
    assert_eq!(larder.jobs().list(&JobsQuery::new()).count(), 2);

    larder.remove("a").unwrap();
    assert_eq!(Worker::new(&larder).drain().unwrap(), 1);
    assert_eq!(done("full")[4..], ["cleanup", "setup", "gone"]);
}

#[test]
fn what_requires_a_field_that_is_not_set_is_skipped() {
    let larder = larder::open("memory:").unwrap();
    let applied = larder.apply("a", &Notifier { name: "bare".into(), d: None }).unwrap();
    let jobs = larder.jobs().wait(&applied).unwrap();
    assert_eq!((jobs[0].status, jobs[1].status), (JobStatus::Succeeded, JobStatus::Skipped));
    assert_eq!(jobs[1].error, ["it requires `d`, which is not set"]);
    assert_eq!((jobs[1].attempt, jobs[1].started), (0, None));
    assert_eq!(done("bare"), ["on_create", "setup", "start"]);
}

#[test]
fn jobs_begin_when_the_version_is_ready_and_not_before() {
    let larder = larder::open("memory:").unwrap();
    let notifier = Notifier { name: "late".into(), d: Some("refused".into()) };
    let error = larder.apply("a", &notifier).unwrap_err();
    assert!(matches!(error, Error::Hook { .. }), "{error}");
    assert_eq!(statuses(&larder), [""; 0]);
    let applied = larder.apply("a", &notifier).unwrap();
    assert_eq!(applied.version().version.get(), 1);
    assert_eq!(larder.jobs().wait(&applied).unwrap().len(), 2);
    assert_eq!(done("late"), ["on_create", "on_create", "setup", "start", "go"]);
}

#[test]
fn an_event_of_ones_own_is_fired_with_what_it_carries() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("a", &Notifier { name: "fired".into(), d: None }).unwrap();
    let fired = larder.jobs().fire("a", "call", 21).unwrap();
    let jobs = larder.jobs().wait(&fired).unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].output.as_ref().unwrap().get(), "42");
    assert_eq!(jobs[0].event, "call");
    let jobs = larder.jobs().wait(&larder.jobs().fire("a@1", "call", ()).unwrap()).unwrap();
    assert_eq!(jobs[0].output.as_ref().unwrap().get(), "null");

    // Of another type than the trigger wants.
    let fired = larder.jobs().fire("a", "call", "text").unwrap();
    let error = larder.jobs().wait(&fired).unwrap_err();
    assert!(matches!(error, Error::Job { status: JobStatus::Failed, .. }), "{error}");

    let error = larder.jobs().fire("a", "cal", ()).unwrap_err();
    assert!(refused(&error).1.contains("`call`"), "the events that there are: {error}");
    let error = larder.jobs().fire("a", "apply", ()).unwrap_err();
    assert!(matches!(error, Error::InvalidName { what: "event", .. }), "{error}");
    let error = larder.jobs().fire("b", "call", ()).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let large = "x".repeat(70_000);
    let error = larder.jobs().fire("a", "call", large).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[test]
fn a_failure_keeps_its_causes_and_is_tried_again_as_often_as_is_said() {
    let tries = std::sync::Arc::new(AtomicU32::new(0));
    let counted = tries.clone();
    let larder = plain_larder(vec![
        Trigger::new("flaky", move |_: &Plain, job: &JobContext| {
            job.log(format!("attempt {}", job.attempt()));
            match counted.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Error::predict("the cask leaks")),
                1 => panic!("the cellar burns"),
                _ => Ok(()),
            }
        })
        .on(Event::Apply)
        .retries(2),
        Trigger::new("bad", |_: &Plain, _: &JobContext| Err::<(), _>(Error::predict("corked")))
            .on(Event::Apply),
    ]);
    let error = larder.jobs().wait(&larder.apply("a", &plain(1)).unwrap()).unwrap_err();
    let Error::Job { trigger, status, .. } = &error else { panic!("{error}") };
    assert_eq!((trigger.as_str(), *status), ("bad", JobStatus::Failed));
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.source().unwrap().to_string(), "corked");

    let jobs: Vec<_> = larder.jobs().list(&JobsQuery::new()).map(Result::unwrap).collect();
    let [flaky, bad] = &jobs[..] else { panic!("{jobs:?}") };
    assert_eq!((flaky.status, flaky.attempt, flaky.failures), (JobStatus::Succeeded, 3, 2));
    assert_eq!((bad.status, bad.attempt, bad.failures), (JobStatus::Failed, 1, 1));
    assert_eq!((bad.error.len(), bad.error[1].as_str()), (2, "corked"), "{:?}", bad.error);
    let log = larder.jobs().log(&flaky.id).unwrap();
    let said: Vec<_> = log.iter().map(|line| (line.attempt, line.text.as_str())).collect();
    assert_eq!(said, [(1, "attempt 1"), (2, "attempt 2"), (3, "attempt 3")]);
}

#[test]
fn a_larder_without_triggers_makes_no_jobs() {
    let larder = plain_larder(vec![
        Trigger::new("t", |_: &Plain, _: &JobContext| Ok::<_, String>(()))
            .on(Event::Apply)
            .on(Event::Remove),
    ]);
    let options = ApplyOptions::new().triggers(false);
    larder.apply_with("a", &plain(1), &options).unwrap();
    larder.remove_with("a", &RemoveOptions::new().triggers(false)).unwrap();
    assert_eq!(statuses(&larder), [""; 0]);
    larder.apply("a", &plain(1)).unwrap();
    assert_eq!(statuses(&larder), ["t: pending"]);
}

#[test]
fn outputs_and_lines_are_bounded() {
    let larder = plain_larder(vec![
        Trigger::with_output("large", |_: &Plain, _: &JobContext| {
            Ok::<_, String>("x".repeat(70_000))
        })
        .on(Event::Apply)
        .retries(5),
        Trigger::new("loud", |_: &Plain, job: &JobContext| {
            (0..3_000).for_each(|n| job.log(format!("{n} {}", "é".repeat(1_000))));
            job.progress(f64::NAN, "x".repeat(5_000));
            Ok::<_, String>(())
        })
        .on(Event::Apply),
    ]);
    let error = larder.jobs().wait(&larder.apply("a", &plain(1)).unwrap()).unwrap_err();
    let Error::Job { trigger, status, .. } = &error else { panic!("{error}") };
    assert_eq!((trigger.as_str(), *status), ("large", JobStatus::Failed));
    let jobs: Vec<_> = larder.jobs().list(&JobsQuery::new()).map(Result::unwrap).collect();
    assert_eq!(jobs[0].attempt, 1, "the same output is as large the next time");
    assert!(jobs[0].error[0].contains("65536"), "{:?}", jobs[0].error);
    let log = larder.jobs().log(&jobs[1].id).unwrap();
    assert_eq!(log.len(), 1_000);
    assert!(log.iter().all(|line| line.text.len() <= 1_000 && line.text.ends_with('…')));
    assert_eq!(jobs[1].fraction, Some(0.0));
    assert!(jobs[1].message.as_ref().unwrap().len() <= 1_000);
}

#[test]
fn jobs_of_types_that_are_not_linked_in_are_listed_and_left_alone() {
    let larder = plain_larder(vec![
        Trigger::new("t", |_: &Plain, _: &JobContext| Ok::<_, String>(())).on(Event::Apply),
    ]);
    let applied = larder.apply("a", &plain(1)).unwrap();
    let stranger = Larder::new(larder.store().clone(), larder::Registry::new());
    assert_eq!(statuses(&stranger), ["t: pending"]);
    assert_eq!(Worker::new(&stranger).drain().unwrap(), 0);
    let error = stranger.jobs().wait(&applied).unwrap_err();
    assert!(matches!(error, Error::NotLinked { .. }), "{error}");
    assert_eq!(statuses(&stranger), ["t: pending"]);
    larder.jobs().wait(&applied).unwrap();
}

#[test]
fn triggers_that_cannot_be_are_refused_with_the_reason() {
    use larder::jobs::TriggerTable;
    let on = |name: &str| {
        Trigger::new(name, |_: &Plain, _: &JobContext| Ok::<_, String>(())).on(Event::Apply)
    };
    for (triggers, fact) in [
        (vec![on("a").depends_on("b")], "not exist"),
        (vec![on("a"), on("a")], "another"),
        (
            vec![on("a").depends_on("c"), on("b").depends_on("a"), on("c").depends_on("b")],
            "`a` -> `c` -> `b` -> `a`",
        ),
        (vec![on("a").depends_on("a")], "`a` -> `a`"),
        (
            vec![
                on("a").depends_on("b"),
                Trigger::new("b", |_: &Plain, _: &JobContext| Ok::<_, String>(())),
            ],
            "event",
        ),
    ] {
        let error = TriggerTable::new(triggers).unwrap_err();
        assert!(invalid(&error).contains(fact), "{error}");
    }
    let mut registry = larder::Registry::new();
    registry.register(larder::jobs::triggers::<Notifier>()).unwrap();
    let error = registry.register(larder::jobs::triggers::<Notifier>()).unwrap_err();
    assert!(matches!(error, Error::Duplicate { .. }), "{error}");
}
