//! The outputs of a listener row by row.

use larder_core::Result;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Listeners;
use super::outputs::OutputStatus;
use larder_collections::{RowBatch, Scan};

/// The output of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutputRow {
    /// The id of the row.
    pub row: u64,
    /// The key of the row, if the collection has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// The status.
    pub status: OutputStatus,
    /// The output; null if there is none.
    pub output: Value,
    /// Why the model failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The digest of the model that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// True if the output stands in for a field that is null.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub imputed: bool,
}

impl Listeners {
    /// Passes the outputs of a listener for all rows of the collection to `visit`, until it returns `false`.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if there is no such listener; those of `visit`;
    /// [`Error::Corrupt`](larder_core::Error::Corrupt); [`Error::Store`](larder_core::Error::Store).
    pub fn for_each_output<E: From<larder_core::Error>>(
        &self,
        name: &str,
        mut visit: impl FnMut(OutputRow) -> Result<bool, E>,
    ) -> Result<(), E> {
        let reader = self.reader_of(&[name])?;
        let version = self.newest()?;
        let key: Vec<String> = version.key().map(str::to_owned).into_iter().collect();
        for batch in version.scan(&Scan::new().columns(key.clone()))? {
            let batch = batch?;
            let rows = batch.ids.values();
            let Some(column) = reader.columns(rows)?.into_iter().next() else { return Ok(()) };
            for (at, row) in rows.iter().enumerate() {
                let status = column.statuses[at];
                let row = OutputRow {
                    row: *row,
                    key: key
                        .first()
                        .map(|_| larder_collections::value_of(batch.rows.column(0), at)),
                    status,
                    output: column.json(at),
                    error: column.errors[at].clone(),
                    model: column.models[at].map(|digest| digest.short()),
                    imputed: column.fills.is_some() && status == OutputStatus::Ok,
                };
                if !visit(row)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Listeners {
    /// Returns rows of the newest version as JSON, by id, with their outputs in `_outputs`; those that are gone are left out.
    ///
    /// # Errors
    /// [`Error::NotFound`](larder_core::Error::NotFound); [`Error::Corrupt`](larder_core::Error::Corrupt);
    /// [`Error::Store`](larder_core::Error::Store).
    pub fn rows(&self, ids: &[u64]) -> Result<Vec<Map<String, Value>>> {
        let batch = self.take(ids, false)?;
        Ok((0..batch.ids.len()).map(|at| larder_collections::row_of(&batch.rows, at)).collect())
    }

    /// Returns rows of the newest version by id, with the column `_outputs`, or one for each listener if `is_flat`; those that
    /// are gone are left out.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn take(&self, ids: &[u64], is_flat: bool) -> Result<RowBatch> {
        let version = self.newest()?;
        let reader = self.reader()?;
        let reader = if is_flat { reader.flat() } else { reader };
        reader.extend(version.take(ids, None)?)
    }
}
