//! `collection index` and `collection like`: nearest vectors.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use larder::collections::arrow_array::{ArrayRef, Float32Array, RecordBatch};
use larder::collections::arrow_schema::{DataType, Field, Schema};
use larder::collections::formats::RowWriter;
use larder::collections::{
    Filter, Fold, FoundRow, IndexOptions, LarderListeners, Like, ListenerStatus, Measure, RowBatch,
    SearchQuery, Unindexed, row_of,
};
use larder::jobs::WaitTarget;
use larder::{Error, Identifier, Larder, Reference};
use serde::Serialize;
use serde_json::{Map, Value};

use super::find::table_of;
use super::{attach, file_format};
use crate::command_error::{CommandError, Exit};
use crate::commands::job_args::JobArgs;
use crate::complete;
use crate::global::Format;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Creates an index of the vectors of a field, or of the outputs of a listener
///
/// Searches compare every vector, so what they find is exact. Jobs keep the index up to date.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    collection: Qualified<Identifier>,
    /// The field, or the name of a listener
    #[arg(value_name = "FIELD")]
    field: String,
    /// The name of the index; by default that of the field
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The measure of nearness: `cosine`, `dot` or `l2`
    #[arg(long, default_value = "cosine")]
    measure: Measure,
    /// A model whose vectors may be searched for too
    #[arg(long, value_name = "REF", add = complete::references())]
    compatible: Vec<Reference>,
    /// Create the index without running its job here
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    #[command(flatten)]
    jobs: JobArgs,
}

/// Finds the rows whose vectors are nearest to a vector, a value or a row
#[derive(clap::Args)]
pub(crate) struct LikeArgs {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    collection: Qualified<Identifier>,
    /// The index, or its field
    #[arg(value_name = "INDEX")]
    index: String,
    /// A vector in JSON, or an input of the index's model: JSON or a text
    #[arg(value_name = "VALUE", required_unless_present_any = ["row", "file"], allow_negative_numbers = true)]
    value: Option<String>,
    /// A file whose bytes are an input of the index's model, such as an image
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["value", "row"])]
    file: Option<PathBuf>,
    /// Compare with this row, by its id
    #[arg(long, value_name = "ID", conflicts_with = "value")]
    row: Option<u64>,
    /// The number of rows
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
    /// Only rows that match, such as 'price < 10'; `_outputs.NAME` and `_status.NAME` are fields too
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<Filter>,
    /// Only rows of a fold: `train` or `valid`
    #[arg(long)]
    fold: Option<Fold>,
    /// Make the vector of the value by this model, which the index declares as compatible
    #[arg(long, value_name = "REF", add = complete::references())]
    model: Option<Reference>,
    /// Leave out rows that are not indexed yet, and report how many
    #[arg(long)]
    indexed_only: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    outcome: Outcome,
    collection: &'a Identifier,
    index: String,
    #[serde(flatten)]
    status: Option<&'a ListenerStatus>,
}

#[derive(Serialize)]
struct Found<'a> {
    collection: &'a Identifier,
    measure: Measure,
    left_out: u64,
    rows: Vec<Map<String, Value>>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let larder = args.jobs.of(larder, output)?;
    let listeners = larder.listeners(&*args.collection)?;
    let mut options = IndexOptions::new().measure(args.measure);
    if let Some(name) = &args.name {
        options = options.name(name);
    }
    for model in &args.compatible {
        options = options.compatible(model.clone());
    }
    let created = listeners.index(&args.field, &options)?;
    if !args.no_wait {
        let jobs: WaitTarget = (&created.applied).into();
        crate::progress::wait(&larder, jobs)?;
    }
    let status = listeners.index_status_of(&created.name)?;
    let version = created.applied.version();
    let is_new = created.applied.is_created();
    if output.is_json() {
        return Ok(output.document(Document {
            outcome: if is_new { Outcome::Created } else { Outcome::Unchanged },
            collection: &args.collection,
            index: version.reference().to_string(),
            status: status.as_ref(),
        })?);
    }
    if output.is_quiet() {
        return Ok(output.references([version])?);
    }
    let done = if is_new { "" } else { "unchanged: " };
    let (name, key, measure) = (&created.name, created.key.join(", "), args.measure);
    let collection = &*args.collection;
    output.line(&format!(
        "{done}{name} indexes {} of {collection} by {measure}",
        text::clean(&key)
    ))?;
    if let Some(status) = status {
        attach::report(&status, &args.collection, output);
        if status.failed > 0 {
            output.say("some vectors are of another length, or have a number that is not finite; they are never found");
        }
    }
    Ok(())
}

pub(crate) fn like(
    args: &LikeArgs,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    let like = match (&args.value, args.row, &args.file) {
        (_, Some(row), _) => Like::Row(row),
        (Some(value), None, _) => value_of(value, args.model.is_some())?,
        (None, None, Some(path)) => {
            let bytes = std::fs::read(path);
            Like::Bytes(bytes.map_err(|error| CommandError::reading(path.display(), &error))?)
        }
        (None, None, None) => {
            return Err(CommandError::new(Exit::Usage, "cannot search: no value was given"));
        }
    };
    let mut query = SearchQuery::new(like, args.n);
    if let Some(filter) = &args.filter {
        query = query.filter(filter.clone());
    }
    if let Some(fold) = args.fold {
        query = query.fold(fold);
    }
    if let Some(model) = &args.model {
        query = query.model(model.clone());
    }
    if args.indexed_only {
        query = query.unindexed(Unindexed::Report);
    }
    let listeners = larder.listeners(&*args.collection)?;
    let result = listeners.search(&args.index, &query)?;
    let ids: Vec<u64> = result.found.iter().map(|found| found.row).collect();
    let batch = with_scores(listeners.take(&ids, output.format() == Format::Text)?, &result.found)?;
    if let Some(format) = file_format(output.format()) {
        let mut writer = RowWriter::new(Vec::new(), format, batch.schema_ref())?;
        writer.write(&batch)?;
        return Ok(output.bytes(&writer.finish()?)?);
    }
    let (measure, left_out) = (result.measure, result.left_out);
    if output.is_json() {
        let rows = (0..batch.num_rows()).map(|at| row_of(&batch, at)).collect();
        return Ok(output.document(Found {
            collection: &args.collection,
            measure,
            left_out,
            rows,
        })?);
    }
    if output.is_quiet() {
        return Ok(ids.iter().try_for_each(|id| output.line(&id.to_string()))?);
    }
    let (heading, cells) = table_of(&batch);
    output.wide_table(heading, cells)?;
    if left_out > 0 {
        let rows = text::count(left_out, "row");
        output.say(format_args!("{rows} left out: not indexed yet"));
    }
    Ok(())
}

/// Adds the scores as the column `_score`.
fn with_scores(batch: RowBatch, found: &[FoundRow]) -> Result<RecordBatch, CommandError> {
    let scores: HashMap<u64, f32> = found.iter().map(|found| (found.row, found.score)).collect();
    let score = |row: &u64| scores.get(row).copied();
    let scores: Float32Array = batch.ids.values().iter().map(score).collect();
    let field = Arc::new(Field::new("_score", DataType::Float32, true));
    let fields = std::iter::once(&field).chain(batch.rows.schema_ref().fields());
    let schema = Schema::new(fields.cloned().collect::<Vec<_>>());
    let scores: ArrayRef = Arc::new(scores);
    let columns = std::iter::once(&scores).chain(batch.rows.columns()).cloned().collect();
    RecordBatch::try_new(Arc::new(schema), columns)
        .map_err(|error| Error::store("add scores to rows", error).into())
}

/// Reads a vector, a JSON value or a text.
fn value_of(text: &str, has_model: bool) -> Result<Like, CommandError> {
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let is_number = |value: &Value| value.is_number() || value.as_str().is_some_and(is_special);
    match &value {
        Value::Array(items) if !has_model && !items.is_empty() && items.iter().all(is_number) => {
            let number = |item: &Value| match item {
                Value::Number(number) => number.as_f64().map(|number| number as f32),
                item => item.as_str().and_then(|text| text.parse().ok()),
            };
            let numbers: Option<Vec<f32>> = items.iter().map(number).collect();
            numbers.map(Like::Vector).ok_or_else(|| {
                CommandError::new(
                    Exit::Usage,
                    "cannot read the vector: it has a number that is too large",
                )
            })
        }
        // JSON has no NaN.
        _ if text.trim_start().starts_with('[') && !value.is_array() => {
            let message = format!("cannot read {text} as a vector: it is not JSON");
            Err(CommandError::new(Exit::Usage, message)
                .with_hint("a vector is like `[0.1, 2.5]`, of finite numbers"))
        }
        _ => Ok(Like::Value(value)),
    }
}

fn is_special(text: &str) -> bool {
    ["NaN", "Infinity", "-Infinity"].contains(&text)
}
