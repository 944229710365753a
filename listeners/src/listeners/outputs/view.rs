//! Reading outputs.

use std::cell::OnceCell;

use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_schema::DataType;
use larder_core::store::{Corruption, Digest};
use larder_core::{Error, Result};

use super::columns::Columns;
use super::rows::{DELETED, Fingerprint};
use super::{OutputFragment, OutputStatus, Outputs, RowState};
use larder_collections::extend::FragmentCache;
use larder_collections::extend::arrow_error;

/// The fragments of outputs, read when they are needed.
pub(crate) struct View<'a> {
    outputs: &'a Outputs,
    what: String,
    cache: &'a FragmentCache,
    /// The model of up-to-date outputs.
    model: Option<Digest>,
    fragments: Vec<OnceCell<Fragment>>,
}

/// A fragment in memory.
pub(crate) struct Fragment {
    columns: Columns,
    /// The version of the collection that has the inputs, if it is stored; 0 if it is not known.
    seen: u64,
}

/// The place of a row's newest output.
#[derive(Debug, Clone, Copy)]
struct Place {
    fragment: usize,
    at: usize,
}

/// The output of a row.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) state: RowState,
    pub(crate) error: Option<String>,
    pub(crate) model: Option<Digest>,
}

impl Fragment {
    pub(crate) fn rows(&self) -> &[u64] {
        &self.columns.rows
    }

    pub(crate) fn codes(&self) -> &[u8] {
        &self.columns.codes
    }

    pub(crate) fn values(&self) -> &ArrayRef {
        &self.columns.values
    }

    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    fn input(&self, at: usize) -> Option<Fingerprint> {
        self.columns.inputs.as_ref().map(|inputs| inputs.value(at).try_into().unwrap_or_default())
    }

    fn error(&self, at: usize) -> Option<String> {
        let errors = &self.columns.errors;
        errors.is_valid(at).then(|| errors.value(at).to_owned())
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(outputs: &'a Outputs, what: String, cache: &'a FragmentCache) -> Self {
        let fragments = outputs.fragments.iter().map(|_| OnceCell::new()).collect();
        Self { outputs, what, cache, model: outputs.digest(), fragments }
    }

    /// Returns a fragment, checked.
    pub(crate) fn fragment(&self, at: usize) -> Result<&Fragment> {
        let cell = self.fragments.get(at).ok_or_else(|| Error::internal("no such fragment"))?;
        if let Some(fragment) = cell.get() {
            return Ok(fragment);
        }
        let stored = &self.outputs.fragments[at];
        let fragment = read(stored, self.cache, || format!("fragment {at} of {}", self.what))?;
        Ok(cell.get_or_init(|| fragment))
    }

    /// Returns the number of fragments.
    pub(crate) fn len(&self) -> usize {
        self.fragments.len()
    }

    fn place(&self, row: u64) -> Result<Option<Place>> {
        for (fragment, stored) in self.outputs.fragments.iter().enumerate().rev() {
            if row < stored.first || row > stored.last {
                continue;
            }
            if let Ok(at) = self.fragment(fragment)?.rows().binary_search(&row) {
                return Ok(Some(Place { fragment, at }));
            }
        }
        Ok(None)
    }

    /// Returns whether a fragment may have rows of a range.
    pub(crate) fn reaches(&self, first: u64, last: u64) -> bool {
        self.outputs.fragments.iter().any(|stored| first <= stored.last && last >= stored.first)
    }

    /// Returns the state of a row, if it was reached.
    pub(crate) fn state(&self, row: u64) -> Result<Option<RowState>> {
        self.place(row)?.map(|place| self.state_at(place)).transpose()
    }

    fn state_at(&self, Place { fragment, at }: Place) -> Result<RowState> {
        let is_current = self.outputs.fragments[fragment].model == self.model;
        let fragment = self.fragment(fragment)?;
        let code = fragment.codes()[at];
        Ok(RowState {
            status: OutputStatus::of_code(code).filter(|_| code != DELETED),
            input: fragment.input(at),
            seen: fragment.seen,
            is_current,
        })
    }

    /// Returns the outputs of rows, in their order, and the column of their values.
    pub(crate) fn find(&self, rows: &[u64]) -> Result<(Vec<Option<Found>>, ArrayRef)> {
        let column = self.outputs.column.as_ref().map(|column| column.arrow());
        let column = column.cloned().unwrap_or(DataType::Null);
        let mut found = Vec::with_capacity(rows.len());
        // Array 0 has the null of rows without a value.
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let place = self.place(*row)?;
            let output = match place {
                Some(place) => {
                    let fragment = self.fragment(place.fragment)?;
                    Some(Found {
                        state: self.state_at(place)?,
                        error: fragment.error(place.at),
                        model: self.outputs.fragments[place.fragment].model,
                    })
                }
                None => None,
            };
            // Outputs of a former model may have another type.
            let place = match place {
                Some(place) if *self.fragment(place.fragment)?.values().data_type() == column => {
                    Some(place)
                }
                _ => None,
            };
            places.push(place.map_or((0, 0), |place| (place.fragment + 1, place.at)));
            found.push(output);
        }
        let null = new_null_array(&column, 1);
        let mut used: Vec<usize> = places.iter().map(|(array, _)| *array).collect();
        used.sort_unstable();
        used.dedup();
        let mut arrays: Vec<&dyn Array> = Vec::with_capacity(used.len());
        for array in &used {
            arrays.push(match array {
                0 => &null,
                array => self.fragment(array - 1)?.values(),
            });
        }
        for (array, _) in &mut places {
            *array = used.binary_search(array).unwrap_or_default();
        }
        let values = match &*arrays {
            [] => new_null_array(&column, 0),
            arrays => arrow_select::interleave::interleave(arrays, &places)
                .map_err(|error| arrow_error("collect outputs", error))?,
        };
        Ok((found, values))
    }

    /// Returns the positions in a fragment that later fragments replace, ascending.
    pub(crate) fn replaced(&self, at: usize) -> Result<Vec<u32>> {
        let stored = &self.outputs.fragments[at];
        let mut replaced = Vec::new();
        for (later, other) in self.outputs.fragments.iter().enumerate().skip(at + 1) {
            if other.last < stored.first || other.first > stored.last {
                continue;
            }
            let rows = self.fragment(at)?.rows();
            for row in self.fragment(later)?.rows() {
                if let Ok(position) = rows.binary_search(row) {
                    replaced.push(position as u32);
                }
            }
        }
        replaced.sort_unstable();
        replaced.dedup();
        Ok(replaced)
    }
}

/// Reads and checks a fragment.
pub(super) fn read(
    stored: &OutputFragment,
    cache: &FragmentCache,
    what: impl Fn() -> String,
) -> Result<Fragment> {
    let batch = cache.batch(&stored.data, &what)?;
    let fault = |reason: &str| Err(Error::corrupt(what(), Corruption::Unreadable(reason.into())));
    let Some(columns) = Columns::of(&batch, stored) else {
        return fault("its columns are not those of outputs");
    };
    let fragment = Fragment { columns, seen: stored.seen.unwrap_or_default() };
    let rows = fragment.rows();
    let ends = (rows.first().copied(), rows.last().copied());
    if !rows.is_sorted_by(|one, two| one < two)
        || rows.len() as u64 != stored.rows
        || ends != (Some(stored.first), Some(stored.last))
    {
        return fault("its rows are not those that its version names");
    }
    Ok(fragment)
}
