//! `collection impute`: trains a model of a field that is sometimes missing.

use larder::collections::{Filter, Fold, LarderListeners};
use larder::training::{Imputer, TrainReport, TrainingData};
use larder::{Error, Identifier, Larder};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::commands::job_args::JobArgs;
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Trains a model that imputes a field from the other fields of its row
///
/// A text or a truth value is imputed by decision trees, a number by a linear model. A job trains it on a fold, compares it
/// with the most frequent value or the mean on the other fold, and publishes it. `collection attach` with `--fills` uses it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    collection: Qualified<Identifier>,
    /// The field: a number, a text or a truth value
    #[arg(value_name = "FIELD")]
    field: String,
    /// The name of the model, such as `shop/price`
    #[arg(long, value_name = "NAME")]
    name: Identifier,
    /// The fields to learn from, with commas; by default all others
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    from: Vec<String>,
    /// Only rows that match, such as 'price < 10'
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
    /// The fold to train on; the other one validates
    #[arg(long, default_value = "train")]
    fold: Fold,
    /// The seed of the order of rows
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Train again, in a job, whenever this many rows have changed
    #[arg(long, value_name = "ROWS")]
    every: Option<u64>,
    #[command(flatten)]
    jobs: JobArgs,
}

#[derive(Serialize)]
struct Document<'a> {
    outcome: Outcome,
    collection: &'a Identifier,
    field: &'a str,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trained: Option<TrainReport>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let larder = args.jobs.of(larder, output)?;
    let version = super::collection(&larder, &args.collection)?.latest()?;
    let from: Vec<&str> = args.from.iter().map(|field| field.trim()).collect();
    for field in from.iter().copied().chain([args.field.as_str()]) {
        version.schema().field(field)?;
    }
    let mut data = TrainingData::new(Identifier::from(&args.collection)).seed(args.seed);
    data.fold = args.fold.to_string();
    data.every = args.every;
    if let Some(filter) = &args.filter {
        // A filter that cannot be read is reported before there is a job.
        filter.parse::<Filter>()?;
        data = data.filter(filter);
    }
    let imputer = Imputer::new(data, &args.field);
    let imputer = if from.is_empty() { imputer } else { imputer.from_fields(from) };
    let applied = larder.apply(args.name.clone(), &imputer)?;
    let jobs = args.jobs.wait(&larder, &applied)?;
    if args.every.is_some() {
        larder.listeners(&*args.collection)?.watch(args.name.clone(), "retrain")?;
    }
    let report = jobs.as_ref().and_then(|jobs| jobs.iter().find_map(|job| job.output.as_deref()));
    let report: Option<TrainReport> = report
        .map(|report| serde_json::from_str(report.get()))
        .transpose()
        .map_err(|error| Error::internal(format!("the report of a training: {error}")))?;
    let model = match &report {
        Some(report) => report.version.clone(),
        None => applied.version().reference().to_string(),
    };
    let outcome = Outcome::changed(applied.is_created());
    let (collection, field) = (&*args.collection, &*args.field);
    if output.is_json() {
        let trained = report;
        return Ok(output.document(Document { outcome, collection, field, model, trained })?);
    }
    if output.is_quiet() {
        return Ok(output.line(&model)?);
    }
    let field = text::clean(field);
    let Some(report) = report else {
        output.line(&format!("{model} is to impute {field} of {collection}"))?;
        output.say("a job was created; `larder work` runs it, or `--wait`");
        return Ok(());
    };
    let rows = text::count(report.rows, "row");
    output.line(&format!("{model} imputes {field} of {collection}, trained on {rows}"))?;
    let metric = |(name, value): (&String, &f64)| [name.clone(), format!("{value:.4}")];
    Ok(output.table(["METRIC", "ON THE OTHER FOLD"], report.metrics.iter().map(metric))?)
}
