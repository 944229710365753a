//! Jobs for processes that are killed: each has an effect that must be there once, in the end.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::Duration;

use larder::jobs::{JobContext, Worker};
use larder::prelude::*;
use larder::{BoxError, triggers};

/// Lease of the workers of [`work`].
pub const LEASE: Duration = Duration::from_millis(600);

/// A component with four jobs: `first`, then `left` and `right`, then `last`. Each publishes a version.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/crew")]
pub struct Crew {
    /// The job that made it; empty for the first version.
    pub by: String,
    /// The process.
    pub process: u32,
    /// The folder in which jobs report that they run.
    pub folder: PathBuf,
}

#[triggers]
impl Crew {
    #[trigger(apply, outputs, retries = 3)]
    fn first(&self, job: &JobContext) -> Result<u32, BoxError> {
        self.publish(job).map(|()| 1)
    }

    #[trigger(apply, depends_on = "first", outputs, retries = 3)]
    fn left(&self, job: &JobContext) -> Result<u32, BoxError> {
        self.publish(job)?;
        Ok(job.output::<u32>("first")? + 10)
    }

    #[trigger(apply, depends_on = "first", outputs, retries = 3)]
    fn right(&self, job: &JobContext) -> Result<u32, BoxError> {
        self.publish(job)?;
        Ok(job.output::<u32>("first")? + 20)
    }

    #[trigger(apply, depends_on = ["left", "right"], outputs, retries = 3)]
    fn last(&self, job: &JobContext) -> Result<u32, BoxError> {
        self.publish(job)?;
        Ok(job.output::<u32>("left")? + job.output::<u32>("right")?)
    }
}

impl Crew {
    /// Publishes what only this process and this job make.
    fn publish(&self, job: &JobContext) -> Result<(), BoxError> {
        let mine = self.folder.join(job.id().to_string().replace('/', "-"));
        match fs::read_to_string(&mine) {
            Ok(other) if is_alive(&other) => {
                fs::write(self.folder.join("two-at-once"), format!("{} {other}", job.id()))?;
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        fs::write(&mine, process::id().to_string())?;
        thread::sleep(Duration::from_millis(3));
        let by = job.trigger().to_owned();
        job.publish(&Self { by, process: process::id(), folder: self.folder.clone() })?;
        thread::sleep(Duration::from_millis(3));
        Ok(fs::remove_file(&mine)?)
    }
}

/// Returns true if the process exists.
fn is_alive(process: &str) -> bool {
    let number: Result<u32, _> = process.parse();
    number.is_ok_and(|number| PathBuf::from(format!("/proc/{number}/stat")).exists())
}

/// Runs jobs until the process is killed.
///
/// # Errors
/// If the store fails again and again.
pub fn work(larder: Larder) -> Result<(), Box<dyn std::error::Error>> {
    Ok(Worker::new(&larder).concurrency(4).lease(LEASE).run(|| false)?)
}
