//! How far a command is: a bar on the terminal, for what takes more than a moment.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use larder::{Larder, Progress};

/// What is over sooner is not worth a bar.
const PATIENCE: Duration = Duration::from_millis(250);

/// A piece of work that is under way.
struct Work {
    task: &'static str,
    begun: Instant,
    bar: Option<ProgressBar>,
}

/// The same larder, whose progress is shown where stderr is a terminal.
pub(crate) fn shown(larder: Larder) -> Larder {
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
        // Its line is cleared before anything else is printed.
        *work = None;
    } else if begun.elapsed() >= PATIENCE {
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
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar.set_message(progress.task);
    bar.with_elapsed(begun.elapsed()).with_finish(ProgressFinish::AndClear)
}
