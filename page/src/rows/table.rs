//! Rows as a table: a column for each field, and for the outputs of each listener.

use std::collections::HashMap;

use arrow_array::Array;
use larder_collections::{CollectionVersion, Field, RowBatch};
use larder_core::Identifier;
use larder_core::store::VersionNumber;
use larder_listeners::{Listeners, OutputColumn, OutputStatus};
use larder_server::extend::{Context, Failure};

use super::cell::{Budget, Text, folded, text};
use super::handles::Handle;
use super::media::{Media, holds_bytes};
use crate::view::plain;

/// The heading of a column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// The type, or what the outputs are of.
    pub(super) kind: String,
    pub(super) is_number: bool,
}

/// A value beside a row.
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// `None` for null.
    pub(super) text: Option<Text>,
    pub(super) media: Option<Media>,
    /// For an output, its status and the look of that; none if it is up to date.
    pub(super) status: Option<(&'static str, &'static str)>,
    /// Why there is no output.
    pub(super) error: Option<Text>,
    pub(super) is_number: bool,
}

impl Cell {
    /// True if its text needs a wide column.
    pub(super) fn is_wide(&self) -> bool {
        let long =
            |text: &Option<Text>| text.as_ref().is_some_and(|text| text.short.chars().count() > 20);
        long(&self.text) || long(&self.error) || self.media.is_some()
    }
}

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: u64,
    /// How near it is, in a search by meaning.
    pub(super) score: Option<String>,
    pub(super) cells: Vec<Cell>,
}

/// Rows with their columns.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    pub(super) has_scores: bool,
}

/// Returns the outputs of the listeners that the user may read for rows of the newest version.
pub(super) fn outputs(
    context: &Context,
    handle: &Handle,
    ids: &[u64],
) -> Result<Vec<OutputColumn>, Failure> {
    let models: &Listeners = &handle.models;
    let mut names = models.names()?;
    names.retain(|name| handle.may_read(context, "outputs", name));
    if names.is_empty() || ids.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(models.reader_of(&names)?.columns(ids)?)
}

impl Table {
    /// Makes the table of rows of a version and the outputs beside them.
    pub(super) fn new(
        version: &CollectionVersion,
        batch: &RowBatch,
        outputs: &[OutputColumn],
        scores: Option<&HashMap<u64, f32>>,
    ) -> Result<Self, Failure> {
        let (name, number) = (&version.info().identifier, version.info().version);
        let fields = batch.rows.schema();
        let fields = fields.fields().iter().map(|field| version.schema().field(field.name()));
        let fields = fields.collect::<larder_core::Result<Vec<&Field>>>()?;
        let mut columns: Vec<Column> = fields
            .iter()
            .map(|field| Column {
                name: plain(&field.name),
                kind: format!("{}{}", field.kind, if field.nullable { "?" } else { "" }),
                is_number: field.kind.arrow().is_numeric(),
            })
            .collect();
        columns.extend(outputs.iter().map(|output| Column {
            name: format!("_outputs.{}", output.name),
            kind: match &output.fills {
                Some(field) => format!("for {}", plain(field)),
                None => "output".into(),
            },
            is_number: output.values.data_type().is_numeric(),
        }));
        let mut budget = Budget::new();
        let row = |at: usize| {
            let id = batch.ids.value(at);
            let of_fields = fields.iter().zip(batch.rows.columns());
            let of_fields = of_fields.map(|(field, array)| {
                of_field(name, number, field, id, (&**array, at), &mut budget)
            });
            let mut cells: Vec<Cell> = of_fields.collect();
            cells.extend(outputs.iter().map(|output| of_output(output, at, &mut budget)));
            let score = scores.and_then(|scores| scores.get(&id));
            Row { id, score: score.map(|score| format!("{score:.4}")), cells }
        };
        let rows = (0..batch.ids.len()).map(row).collect();
        Ok(Self { columns, rows, has_scores: scores.is_some() })
    }
}

fn of_field(
    name: &Identifier,
    version: VersionNumber,
    field: &Field,
    id: u64,
    (array, at): (&dyn Array, usize),
    budget: &mut Budget,
) -> Cell {
    if holds_bytes(array.data_type()) {
        let media = Media::of(name, version, field, id, (array, at));
        return Cell { media, ..Cell::default() };
    }
    let is_number = array.data_type().is_numeric();
    Cell { text: text(array, at, budget), is_number, ..Cell::default() }
}

fn of_output(output: &OutputColumn, at: usize, budget: &mut Budget) -> Cell {
    let status = match output.statuses[at] {
        OutputStatus::Ok => None,
        OutputStatus::Failed => Some(("failed", "bad")),
        OutputStatus::Stale => Some(("stale", "warn")),
        OutputStatus::Missing => Some(("missing", "warn")),
        OutputStatus::Empty => Some(("no input", "")),
        other => Some((other.as_str(), "warn")),
    };
    Cell {
        text: text(&output.values, at, budget),
        status,
        error: output.errors[at].as_ref().map(|error| folded(error, false, budget)),
        is_number: output.values.data_type().is_numeric(),
        ..Cell::default()
    }
}
