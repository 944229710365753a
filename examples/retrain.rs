//! A component that trains itself: applied as a recipe, it publishes the model that it makes of it.
//!
//! ```sh
//! cargo run --example retrain
//! cargo run --example retrain -- larder.db
//! ```
//!
//! `apply` lets two jobs run. `train` fits a tree to four fifths of 1,599 real wines and publishes it as a new version,
//! which says which job made it. `validate` waits for it, judges the wines that were held back, keeps the accuracy with
//! the version, and tags it `candidate` if no version was better so far. Whoever judges wine loads
//! `wine/judge:candidate`.
//!
//! The jobs are records in the larder. This program runs them itself, by `wait`; a worker on another machine could as
//! well: see `docs/jobs.md`.
#![allow(clippy::print_stdout)]

use std::error::Error;

use larder::jobs::JobContext;
use larder::prelude::*;
use larder::store::TagName;
use larder::versions::AnnotationsChange;
use larder::{BoxError, Reference, Selector, triggers};
use linfa::Dataset;
use linfa::traits::{Fit, Predict as _};
use linfa_trees::DecisionTree;
use ndarray::{Axis, Ix1};

/// Every fifth wine is held back.
const HELD_BACK: usize = 5;
const METRIC: &str = "accuracy";

/// How a tree is made; and the tree, once it is.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/wine-judge")]
struct Judge {
    max_depth: usize,
    tree: Option<Artifact<DecisionTree<f64, usize>>>,
}

/// The wines that are for training, or those that are held back.
fn wines(held_back: bool) -> Dataset<f64, usize, Ix1> {
    let wines = linfa_datasets::winequality();
    let rows: Vec<usize> =
        (0..wines.targets.len()).filter(|i| (i % HELD_BACK == 0) == held_back).collect();
    Dataset::new(wines.records.select(Axis(0), &rows), wines.targets.select(Axis(0), &rows))
}

#[triggers]
impl Judge {
    /// Makes the tree. What it returns, `validate` reads.
    #[trigger(apply, outputs, retries = 2, timeout = "10min")]
    fn train(&self, job: &JobContext) -> Result<u64, BoxError> {
        let wines = wines(false);
        job.log(format!(
            "fitting to {} wines, {} levels deep",
            wines.targets.len(),
            self.max_depth
        ));
        let tree = DecisionTree::params().max_depth(Some(self.max_depth)).fit(&wines)?;
        job.progress(0.9, "keeping the tree");
        // However often this is tried, it publishes one version.
        let published =
            job.publish(&Self { max_depth: self.max_depth, tree: Some(tree.into()) })?;
        Ok(published.version().version.get())
    }

    /// Judges the judge.
    #[trigger(apply, depends_on = "train", outputs, retries = 2)]
    fn validate(&self, job: &JobContext) -> Result<Report, BoxError> {
        let (larder, name) = (job.larder(), job.id().name());
        let trained: Reference = format!("{name}@{}", job.output::<u64>("train")?).parse()?;
        let judge: Self = larder.load(trained.clone())?;
        let tree = judge.tree.as_ref().ok_or("it was not trained")?.get()?;
        let wines = wines(true);
        let judged = tree.predict(&wines.records);
        let right = judged.iter().zip(&wines.targets).filter(|(judged, is)| judged == is).count();
        let accuracy = right as f64 / wines.targets.len() as f64;
        larder.annotate(trained.clone(), &AnnotationsChange::new().metric(METRIC, accuracy))?;

        let candidate = TagName::new("candidate")?;
        let best = Reference::new(name.clone(), Selector::Tag(candidate.clone()));
        let before = match larder.annotations(best) {
            Ok(notes) => notes.metrics.get(METRIC).copied(),
            Err(larder::Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let is_better = before.is_none_or(|before| accuracy > before);
        if is_better {
            larder.tag(trained.clone(), candidate)?;
        }
        Ok(Report { version: trained.to_string(), accuracy, is_better })
    }
}

/// What `validate` found.
#[derive(Serialize, Deserialize)]
struct Report {
    version: String,
    accuracy: f64,
    is_better: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let store = std::env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let larder = larder::open(store.as_str())?;
    for max_depth in [3, 9, 1] {
        let applied = larder.apply("wine/judge", &Judge { max_depth, tree: None })?;
        // Runs the jobs here, and waits until both are over.
        for job in larder.jobs().wait(&applied)? {
            let (Some(output), "validate") = (&job.output, job.trigger.as_str()) else { continue };
            let Report { version, accuracy, is_better } = serde_json::from_str(output.get())?;
            let so = if is_better { "is the candidate now" } else { "is no better" };
            println!(
                "{max_depth} levels: {version} judges {:.1} % rightly, and {so}",
                100.0 * accuracy
            );
        }
    }
    let best = larder.show("wine/judge:candidate")?;
    let (reference, accuracy) = (best.version.reference(), best.annotations.metrics[METRIC]);
    let by = best.version.job.ok_or("nobody published it")?;
    println!(
        "{reference} is the best, with {accuracy:.3}; a job of {}@{} made it",
        by.name(),
        by.version().get()
    );
    Ok(())
}
