//! Types with triggers.

use larder::ApplyOptions;
use larder::jobs::LarderJobs;
use larder::jobs::{JobContext, JobsQuery};
use larder::maintenance::LarderMaintenance;
use larder::triggers;

use super::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/triggered")]
struct Triggered {
    number: u32,
    d: Option<String>,
}

#[triggers]
impl Triggered {
    #[trigger(apply)]
    fn start(&self, _: &JobContext) -> larder::Result<()> {
        Ok(())
    }

    #[trigger(apply, depends_on = "start", requires = "d")]
    fn go(&self, _: &JobContext) -> larder::Result<()> {
        Ok(())
    }

    #[trigger(apply, depends_on = "go")]
    fn after(&self, _: &JobContext) -> larder::Result<()> {
        Ok(())
    }

    #[trigger(remove)]
    fn end(&self, _: &JobContext) -> larder::Result<()> {
        Ok(())
    }
}

#[test]
fn a_plan_says_which_jobs_would_be_made_and_which_of_them_skipped() {
    let larder = larder();
    let jobs = |larder: &Larder, number, d: Option<&str>| -> Vec<(String, Option<String>)> {
        let plan = larder.plan("triggered", &Triggered { number, d: d.map(Into::into) }).unwrap();
        plan.jobs.into_iter().map(|job| (job.trigger, job.skipped)).collect()
    };
    let all = [("start", None), ("go", None), ("after", None)].map(|(job, why)| (job.into(), why));
    assert_eq!(jobs(&larder, 1, Some("x")), all);
    let without = jobs(&larder, 1, None);
    let skipped: Vec<_> = without.iter().map(|(_, why)| why.as_deref()).collect();
    assert_eq!(skipped, [None, Some("`d` is not set"), Some("`go` would be skipped")]);
    let quiet = ApplyOptions::new().triggers(false);
    let plan = larder.plan_with("triggered", &Triggered { number: 1, d: None }, &quiet).unwrap();
    assert_eq!(plan.jobs, []);
    assert_eq!(larder.jobs().list(&JobsQuery::new()).count(), 0);

    // What was planned is what runs.
    let applied = larder.apply("triggered", &Triggered { number: 1, d: None }).unwrap();
    let ran = larder.jobs().wait(&applied).unwrap();
    let ran: Vec<_> = ran.iter().map(|job| (&*job.trigger, job.status.to_string())).collect();
    assert_eq!(
        ran,
        [("start", "succeeded"), ("go", "skipped"), ("after", "skipped")]
            .map(|(job, status)| (job, status.to_owned()))
    );
    assert_eq!(jobs(&larder, 1, None), [], "nothing would be written");
}
