//! Finding rows: order, limit, pages.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, UInt64Array};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_select::concat::{concat, concat_batches};
use larder_core::store::VersionNumber;
use larder_core::{Error, Result};

use super::{CollectionVersion, UntypedCollection};
use crate::engine::{RowBatch, RowBatches, Scan};
use crate::error::arrow_error;
use crate::filter::Filter;
use crate::schema::batch_of;

/// Number of rows that are read by id at a time.
const STEP: usize = 8_192;

/// A search for rows.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Find {
    /// The scan.
    pub scan: Scan,
    /// The order; that of the insertion if empty.
    pub order: Vec<Order>,
    /// Maximum number of rows.
    pub limit: Option<u64>,
    /// Rows to leave out first.
    pub skip: u64,
}

impl Find {
    /// Finds the rows of a scan.
    pub fn new(scan: Scan) -> Self {
        Self { scan, ..Self::default() }
    }

    /// Adds a condition.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.scan = self.scan.filter(filter);
        self
    }

    /// Sorts by a field after the others.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order.push(order);
        self
    }

    /// Sets the maximum number of rows.
    #[must_use]
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Leaves out the first rows.
    #[must_use]
    pub fn skip(mut self, rows: u64) -> Self {
        self.skip = rows;
        self
    }
}

impl From<Scan> for Find {
    fn from(scan: Scan) -> Self {
        Self::new(scan)
    }
}

/// A field to sort by: `price`, or `-price` for the largest first. Nulls come last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The field.
    pub field: String,
    /// True for the largest first.
    pub descending: bool,
}

impl FromStr for Order {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (field, descending) = match text.strip_prefix('-') {
            Some(field) => (field, true),
            None => (text, false),
        };
        match field {
            "" => Err(Error::invalid("order", text, "it is a field, or `-` and a field")),
            field => Ok(Self { field: field.to_owned(), descending }),
        }
    }
}

/// The place where a page ends: a version, and a position in what was found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    version: VersionNumber,
    /// The id after the last row, if rows come in the order of their ids; otherwise the number of rows before.
    position: u64,
    is_id: bool,
}

impl Cursor {
    /// Returns the place before the first row of `find`.
    pub fn start(version: &CollectionVersion, find: &Find) -> Self {
        let is_id = find.order.is_empty();
        Self { version: version.info().version, position: if is_id { 0 } else { find.skip }, is_id }
    }

    /// Returns the version whose rows follow.
    pub fn version(&self) -> VersionNumber {
        self.version
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_id { "i" } else { "n" };
        write!(f, "{}{kind}{}", self.version.get(), self.position)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let at = text.find(['i', 'n'])?;
            let version = VersionNumber::new(text[..at].parse().ok()?)?;
            let position = text[at + 1..].parse().ok()?;
            Some(Self { version, position, is_id: text[at..].starts_with('i') })
        };
        parse().ok_or_else(|| Error::invalid("cursor", text, "take it from the page before"))
    }
}

/// A page of rows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page {
    /// The version that was read.
    pub version: CollectionVersion,
    /// The rows.
    pub rows: RowBatch,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<Cursor>,
}

impl UntypedCollection {
    /// Returns a page of `find`, which must have a limit, after another page. All pages are of one version, whatever is
    /// written meanwhile.
    ///
    /// # Errors
    /// As [`CollectionVersion::page`].
    pub fn page(&self, find: &Find, after: Option<&Cursor>) -> Result<Page> {
        let version = match after {
            Some(cursor) => self.at(cursor.version)?,
            None => self.latest()?,
        };
        version.page(find, after)
    }
}

impl CollectionVersion {
    /// Returns a page of `find`, which must have a limit, after another page of this version.
    ///
    /// # Errors
    /// As [`scan`](CollectionVersion::scan); [`Error::InvalidName`] for a cursor of another version or order.
    pub fn page(&self, find: &Find, after: Option<&Cursor>) -> Result<Page> {
        let by_id = find.order.is_empty();
        let mut find = find.clone();
        if let Some(cursor) = after {
            let reason = match cursor {
                cursor if cursor.version != self.info().version => "it belongs to another version",
                cursor if cursor.is_id != by_id => "it belongs to a search in another order",
                _ => "",
            };
            if !reason.is_empty() {
                return Err(Error::invalid("cursor", &cursor.to_string(), reason));
            }
            match by_id {
                true => {
                    let end = find.scan.ids.as_ref().map_or(u64::MAX, |ids| ids.end);
                    find.scan.ids = Some(cursor.position..end);
                    find.skip = 0;
                }
                false => find.skip = cursor.position,
            }
        }
        let limit = find.limit.unwrap_or(STEP as u64);
        // One more shows whether there is a next page.
        find.limit = Some(limit.saturating_add(1));
        let batches = self.find(&find)?.collect::<Result<Vec<_>>>()?;
        let schema = match batches.first() {
            Some(batch) => batch.rows.schema(),
            None => self.projected(&find.scan)?,
        };
        let ids: UInt64Array =
            batches.iter().flat_map(|batch| batch.ids.values().iter().copied()).collect();
        let rows = concat_batches(&schema, batches.iter().map(|batch| &batch.rows))
            .map_err(|error| arrow_error("read a page", error))?;
        let shown = usize::try_from(limit).unwrap_or(usize::MAX).min(ids.len());
        let next = (shown < ids.len()).then(|| Cursor {
            version: self.info().version,
            position: if by_id { ids.value(shown) } else { find.skip + shown as u64 },
            is_id: by_id,
        });
        let rows = RowBatch { ids: ids.slice(0, shown), rows: rows.slice(0, shown) };
        Ok(Page { version: self.clone(), rows, next })
    }

    /// Finds rows.
    ///
    /// Without an order, rows are read as the iterator advances. With one and a limit, a limited number is in memory;
    /// without a limit, the fields of the order and the ids of all rows that match.
    ///
    /// # Errors
    /// As [`scan`](CollectionVersion::scan).
    pub fn find(&self, find: &Find) -> Result<RowBatches> {
        let limit = find.limit.unwrap_or(u64::MAX);
        if find.order.is_empty() {
            let batches = self.scan(&find.scan)?;
            return Ok(Box::new(Limited { batches, skip: find.skip, left: limit }));
        }
        let ids = self.sorted_ids(find)?;
        let skip = usize::try_from(find.skip).unwrap_or(usize::MAX).min(ids.len());
        let end =
            usize::try_from(find.skip.saturating_add(limit)).unwrap_or(usize::MAX).min(ids.len());
        let ids = ids[skip..end].to_vec();
        let (version, columns) = (self.clone(), find.scan.columns.clone());
        let steps = (0..ids.len()).step_by(STEP);
        Ok(Box::new(steps.map(move |start| {
            let end = ids.len().min(start + STEP);
            version.take(&ids[start..end], columns.as_deref())
        })))
    }

    /// Returns the ids of the rows that match, sorted; no more than are wanted.
    fn sorted_ids(&self, find: &Find) -> Result<Vec<u64>> {
        let names: Vec<String> = find.order.iter().map(|order| order.field.clone()).collect();
        for name in &names {
            let field = self.schema().field(name)?;
            if field.kind.arrow().is_nested() {
                let reason = format!("rows are not sorted by a {}", field.kind);
                return Err(Error::invalid("order", name, reason));
            }
        }
        let mut unique = names.clone();
        unique.dedup();
        let wanted = find.limit.map(|limit| limit.saturating_add(find.skip));
        let wanted = wanted.map(|wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
        let scan = Scan { columns: Some(names), ..find.scan.clone() };
        let failed = |error| arrow_error("sort rows", error);
        let mut best: Option<RowBatch> = None;
        let mut waiting: Vec<RowBatch> = Vec::new();
        let mut rows = 0;
        let sort = |waiting: &mut Vec<RowBatch>, best: &mut Option<RowBatch>| -> Result<()> {
            let all: Vec<RowBatch> = best.take().into_iter().chain(waiting.drain(..)).collect();
            let Some(first) = all.first() else { return Ok(()) };
            let schema = first.rows.schema();
            let ids: Vec<&dyn Array> = all.iter().map(|batch| &batch.ids as &dyn Array).collect();
            let ids = concat(&ids).map_err(failed)?;
            let columns = (0..schema.fields().len()).map(|at| {
                let parts: Vec<&dyn Array> =
                    all.iter().map(|batch| &**batch.rows.column(at)).collect();
                concat(&parts).map_err(failed)
            });
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let mut by: Vec<SortColumn> = columns
                .iter()
                .zip(&find.order)
                .map(|(values, order)| SortColumn {
                    values: Arc::clone(values),
                    options: Some(SortOptions { descending: order.descending, nulls_first: false }),
                })
                .collect();
            by.push(SortColumn { values: Arc::clone(&ids), options: None });
            let order = lexsort_to_indices(&by, wanted).map_err(failed)?;
            let take =
                |values: &dyn Array| arrow_select::take::take(values, &order, None).map_err(failed);
            let sorted = columns.iter().map(|column| take(column)).collect::<Result<Vec<_>>>()?;
            let ids = UInt64Array::from(take(&ids)?.to_data());
            let rows: RecordBatch = batch_of(&schema, sorted, ids.len())?;
            *best = Some(RowBatch { ids, rows });
            Ok(())
        };
        for batch in self.scan(&scan)? {
            let batch = batch?;
            rows += batch.ids.len();
            waiting.push(batch);
            // Sorted now and then, so that few rows wait.
            if wanted.is_some_and(|wanted| rows > wanted.saturating_mul(4).max(8 * STEP)) {
                sort(&mut waiting, &mut best)?;
                rows = best.as_ref().map_or(0, |best| best.ids.len());
            }
        }
        sort(&mut waiting, &mut best)?;
        Ok(best.map_or_else(Vec::new, |best| best.ids.values().to_vec()))
    }
}

/// Leaves out the first rows, and stops after a number of them.
struct Limited {
    batches: RowBatches,
    skip: u64,
    left: u64,
}

impl Iterator for Limited {
    type Item = Result<RowBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.left == 0 {
                return None;
            }
            let batch = match self.batches.next()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            };
            let skipped = self.skip.min(batch.ids.len() as u64);
            self.skip -= skipped;
            let rest = (batch.ids.len() as u64 - skipped).min(self.left);
            if rest == 0 {
                continue;
            }
            self.left -= rest;
            let (start, length) = (skipped as usize, rest as usize);
            let (ids, rows) = (batch.ids.slice(start, length), batch.rows.slice(start, length));
            return Some(Ok(RowBatch { ids, rows }));
        }
    }
}
