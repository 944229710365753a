//! Progress bars on the terminal.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use larder::Larder;
use larder::extend::progress::Progress;
use larder::jobs::LarderJobs;
use larder::jobs::{JobId, JobInfo, JobStatus, WaitTarget};

use crate::text;

/// The delay before a bar appears.
const DELAY: Duration = Duration::from_millis(250);

/// A task in progress.
struct Work {
    task: &'static str,
    begun: Instant,
    bar: Option<ProgressBar>,
}

/// Adds a progress bar to the larder, if stderr is a terminal.
pub(crate) fn with_bar(larder: Larder) -> Larder {
    if !anstream::stderr().is_terminal() {
        return larder;
    }
    let work: Mutex<Option<Work>> = Mutex::new(None);
    larder.with_progress(move |progress| {
        let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
        follow(&mut work, progress);
    })
}

fn follow(work: &mut Option<Work>, progress: Progress) {
    if work.as_ref().is_none_or(|work| work.task != progress.task) {
        *work = Some(Work { task: progress.task, begun: Instant::now(), bar: None });
    }
    let Some(Work { begun, bar, .. }) = work else { return };
    if progress.total.is_some_and(|total| progress.done >= total) {
        // Clears its line before anything else is printed.
        *work = None;
    } else if begun.elapsed() >= DELAY {
        let bar = bar.get_or_insert_with(|| new_bar(progress, *begun));
        bar.set_position(progress.done);
    }
}

fn new_bar(progress: Progress, begun: Instant) -> ProgressBar {
    let bar = match progress.total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    let template = match progress.total {
        Some(_) => "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{msg} {spinner} {bytes}, {bytes_per_sec}",
    };
    bar.set_style(style(template));
    bar.set_message(progress.task);
    bar.with_elapsed(begun.elapsed()).with_finish(ProgressFinish::AndClear)
}

/// Runs jobs and waits for them, with a bar for each running job if stderr is a terminal.
pub(crate) fn wait(larder: &Larder, jobs: impl Into<WaitTarget>) -> larder::Result<Vec<JobInfo>> {
    if !anstream::stderr().is_terminal() {
        return larder.jobs().wait(jobs);
    }
    let mut bars = JobBars::new(ProgressDrawTarget::stderr());
    larder.jobs().wait_with(jobs, |jobs| bars.show(jobs))
}

/// A line for all jobs, and one for each running job.
struct JobBars {
    lines: MultiProgress,
    all: ProgressBar,
    running: HashMap<JobId, ProgressBar>,
}

impl JobBars {
    fn new(target: ProgressDrawTarget) -> Self {
        let lines = MultiProgress::with_draw_target(target);
        let all = lines.add(ProgressBar::no_length());
        all.set_style(style("{pos} of {len} jobs finished"));
        Self { lines, all, running: HashMap::new() }
    }

    fn show(&mut self, jobs: &[JobInfo]) {
        let runs = |job: &&JobInfo| job.status == JobStatus::Running;
        self.all.set_length(jobs.len() as u64);
        self.all.set_position(jobs.iter().filter(|job| job.status.is_over()).count() as u64);
        self.running.retain(|id, bar| {
            let still = jobs.iter().filter(runs).any(|job| job.id == *id);
            if !still {
                bar.finish_and_clear();
                self.lines.remove(bar);
            }
            still
        });
        for job in jobs.iter().filter(runs) {
            let bar = self.running.entry(job.id.clone()).or_insert_with(|| {
                let bar = self.lines.add(ProgressBar::new(100));
                bar.set_prefix(format!("{}@{} {}", job.name, job.version.get(), job.trigger));
                bar
            });
            bar.set_style(match job.fraction {
                Some(_) => style("{prefix} [{bar:30}] {pos}% {wide_msg}"),
                None => style("{prefix} {wide_msg}"),
            });
            bar.set_message(text::clean(job.message.as_deref().unwrap_or_default()).into_owned());
            bar.set_position((job.fraction.unwrap_or_default().clamp(0.0, 1.0) * 100.0) as u64);
        }
    }
}

impl Drop for JobBars {
    fn drop(&mut self) {
        // The next output replaces the bars.
        let _ = self.lines.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use indicatif::{InMemoryTerm, TermLike as _};
    use larder::jobs::{Event, JobContext, Trigger, TriggerTable};
    use larder::prelude::*;
    use larder::{Item, Registry};

    use super::*;

    #[derive(Serialize, Deserialize, Component)]
    #[component(tag = "progress/slow")]
    struct Slow;

    #[test]
    fn each_running_job_has_a_line_that_is_cleared_at_its_end() {
        let (seen, wait_for_it) = channel();
        let wait_for_it = Mutex::new(wait_for_it);
        let slow = move |_: &Slow, job: &JobContext| {
            job.progress(0.4, "it\u{1b}cooks");
            wait_for_it.lock().unwrap().recv_timeout(Duration::from_secs(60))
        };
        let mut registry = Registry::new();
        let table = TriggerTable::new(vec![Trigger::new("cook", slow).on(Event::Apply)]).unwrap();
        for item in [Item::component::<Slow>(), larder::jobs::trigger_table(table)] {
            registry.register(item).unwrap();
        }
        let larder = Larder::new(std::sync::Arc::new(larder::store::MemoryStore::new()), registry);
        let applied = larder.apply("soup", &Slow).unwrap();

        let term = InMemoryTerm::new(10, 80);
        let mut bars = JobBars::new(ProgressDrawTarget::term_like(Box::new(term.clone())));
        let mut shown = String::new();
        larder
            .jobs()
            .wait_with(&applied, |jobs| {
                bars.show(jobs);
                if jobs[0].fraction.is_some() && shown.is_empty() {
                    term.flush().unwrap();
                    shown = term.contents();
                    seen.send(()).unwrap();
                }
            })
            .unwrap();
        let lines: Vec<_> = shown.lines().map(str::trim_end).collect();
        let bar =
            format!("soup@1 cook [{}>{}] 40% it\\u{{1b}}cooks", "=".repeat(12), " ".repeat(17));
        assert_eq!(lines, ["0 of 1 jobs finished", &bar]);
        drop(bars);
        assert_eq!(term.contents(), "");
    }
}
