//! A component that trains a model in a job and publishes it.
//!
//! ```sh
//! cargo run --example retrain
//! cargo run --example retrain -- larder.db
//! ```
//!
//! `apply` creates two jobs. `train` fits a tree to four fifths of 1,599 wines and publishes it as a new version.
//! `validate` runs after it, stores the accuracy on the held-out wines as a metric of that version, and tags it
//! `candidate` if it is the best so far.
//!
//! This program runs the jobs itself with `wait`; a worker on another machine could run them too: see `docs/jobs.md`.
#![allow(clippy::print_stdout)]

use std::error::Error;

use larder::jobs::JobContext;
use larder::prelude::*;
use larder::store::TagName;
use larder::versions::AnnotationsChange;
use larder::versions::Selector;
use larder::{BoxError, Reference, triggers};
use linfa::Dataset;
use linfa::traits::{Fit, Predict as _};
use linfa_trees::DecisionTree;
use ndarray::{Axis, Ix1};

/// Every fifth wine is held out.
const HELD_BACK: usize = 5;
const METRIC: &str = "accuracy";

/// Parameters of a tree, and the trained tree.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/wine-classifier")]
struct Classifier {
    max_depth: usize,
    tree: Option<Artifact<DecisionTree<f64, usize>>>,
}

/// Returns the training wines, or the held-out ones.
fn wines(held_back: bool) -> Dataset<f64, usize, Ix1> {
    let wines = linfa_datasets::winequality();
    let rows: Vec<usize> =
        (0..wines.targets.len()).filter(|i| (i % HELD_BACK == 0) == held_back).collect();
    Dataset::new(wines.records.select(Axis(0), &rows), wines.targets.select(Axis(0), &rows))
}

#[triggers]
impl Classifier {
    /// Trains the tree; returns the version for `validate`.
    #[trigger(apply, outputs, retries = 2, timeout = "10min")]
    fn train(&self, job: &JobContext) -> Result<u64, BoxError> {
        let wines = wines(false);
        job.log(format!(
            "fitting to {} wines, {} levels deep",
            wines.targets.len(),
            self.max_depth
        ));
        let tree = DecisionTree::params().max_depth(Some(self.max_depth)).fit(&wines)?;
        job.progress(0.9, "publishing the tree");
        // Publishes one version, even if the job is retried.
        let published =
            job.publish(&Self { max_depth: self.max_depth, tree: Some(tree.into()) })?;
        Ok(published.version().version.get())
    }

    /// Measures the accuracy of the trained tree.
    #[trigger(apply, depends_on = "train", outputs, retries = 2)]
    fn validate(&self, job: &JobContext) -> Result<Report, BoxError> {
        let (larder, name) = (job.larder(), job.id().name());
        let trained: Reference = format!("{name}@{}", job.output::<u64>("train")?).parse()?;
        let classifier: Self = larder.load(trained.clone())?;
        let tree = classifier.tree.as_ref().ok_or("the tree is not trained")?.get()?;
        let wines = wines(true);
        let predicted = tree.predict(&wines.records);
        let correct =
            predicted.iter().zip(&wines.targets).filter(|(class, target)| class == target);
        let accuracy = correct.count() as f64 / wines.targets.len() as f64;
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

/// Result of `validate`.
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
        let applied = larder.apply("wine/classifier", &Classifier { max_depth, tree: None })?;
        // Runs the jobs in this process until both are finished.
        for job in larder.jobs().wait(&applied)? {
            let (Some(output), "validate") = (&job.output, job.trigger.as_str()) else { continue };
            let Report { version, accuracy, is_better } = serde_json::from_str(output.get())?;
            let result = if is_better { "the new candidate" } else { "not better" };
            println!(
                "{max_depth} levels: {version} has an accuracy of {:.1} %, {result}",
                100.0 * accuracy
            );
        }
    }
    let best = larder.show("wine/classifier:candidate")?;
    let (reference, accuracy) = (best.version.reference(), best.annotations.metrics[METRIC]);
    let by = best.version.job.ok_or("the version was not published by a job")?;
    println!(
        "{reference} is the best, with {accuracy:.3}; published by a job of {}@{}",
        by.name(),
        by.version().get()
    );
    Ok(())
}
