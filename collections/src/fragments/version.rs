//! One version of a collection in fragments.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_cast::cast;
use arrow_schema::{DataType, Field as ArrowField};
use larder_core::{Error, Result, VersionInfo};

use super::merge::is_small;
use super::scan::Scanner;
use super::{delta, lookup};
use crate::engine::{Delta, EngineVersion, Layout, RowBatch, RowBatches, Scan, VectorPart};
use crate::error::arrow_error;
use crate::fragment::{Fragment, FragmentCache, Rows};
use crate::key::Key;
use crate::schema::{Schema, adapt};
use crate::snapshot::Snapshot;

/// One version of a collection in fragments. Cheap to clone.
#[derive(Clone)]
pub struct FragmentVersion(Arc<State>);

struct State {
    info: VersionInfo,
    snapshot: Snapshot,
    cache: FragmentCache,
}

impl FragmentVersion {
    pub(super) fn new(info: VersionInfo, snapshot: Snapshot, cache: FragmentCache) -> Self {
        Self(Arc::new(State { info, snapshot, cache }))
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.0.snapshot
    }

    /// Reads the fragment at a position of the manifest's list.
    pub(crate) fn load(&self, at: usize) -> Result<Rows> {
        let fragment = &self.snapshot().fragments[at];
        load(fragment, at, &self.0.cache, &self.0.info)
    }
}

/// Reads a fragment; errors name it.
fn load(fragment: &Fragment, at: usize, cache: &FragmentCache, info: &VersionInfo) -> Result<Rows> {
    fragment.load(cache, || {
        let digest =
            fragment.data.digest().map_or_else(String::new, |it| format!(" ({})", it.short()));
        format!(
            "fragment {} of {}{digest}, which holds rows {} to {}",
            at + 1,
            info.reference(),
            fragment.first_id,
            fragment.last_id
        )
    })
}

impl EngineVersion for FragmentVersion {
    fn info(&self) -> &VersionInfo {
        &self.0.info
    }

    fn schema(&self) -> &Schema {
        &self.snapshot().schema
    }

    fn key(&self) -> Option<&str> {
        self.snapshot().key.as_deref()
    }

    fn valid_permille(&self) -> u16 {
        self.snapshot().valid_permille
    }

    fn rows(&self) -> u64 {
        self.snapshot().rows
    }

    fn layout(&self) -> Layout {
        let fragments = &self.snapshot().fragments;
        Layout {
            fragments: fragments.len() as u64,
            small_fragments: fragments.iter().filter(|it| is_small(it)).count() as u64,
            deleted_rows: fragments.iter().map(|it| it.rows - it.live()).sum(),
            bytes: fragments.iter().map(Fragment::size).sum(),
        }
    }

    fn scan(&self, scan: &Scan) -> Result<RowBatches> {
        Ok(Box::new(Scanner::new(self, scan)?))
    }

    fn take(&self, ids: &[u64], columns: Option<&[String]>) -> Result<RowBatch> {
        lookup::take(self, ids, columns)
    }

    fn find_keys(&self, keys: &[Key]) -> Result<Vec<Option<u64>>> {
        lookup::find_keys(self, keys)
    }

    fn delta(&self, from: &dyn EngineVersion) -> Result<Delta> {
        let Some(from) = from.as_any().downcast_ref::<Self>() else {
            return Err(Error::Refused {
                action: format!(
                    "compare {} with {}",
                    self.info().reference(),
                    from.info().reference()
                ),
                reason: "they are kept by different engines".into(),
            });
        };
        delta::delta(from, self)
    }

    fn vectors(&self, field: &str) -> Result<Box<dyn Iterator<Item = Result<VectorPart>> + Send>> {
        let at = self.schema().position(field)?;
        let kind = &self.schema().fields()[at].kind;
        let target = match kind.arrow() {
            DataType::FixedSizeList(item, length) if item.data_type().is_floating() => {
                DataType::FixedSizeList(
                    Arc::new(ArrowField::new("item", DataType::Float32, false)),
                    *length,
                )
            }
            _ => {
                let reason =
                    format!("it is a {kind}, and not a vector of numbers, such as vector<384>");
                return Err(Error::invalid("field", field, reason));
            }
        };
        let version = self.clone();
        let parts = 0..self.snapshot().fragments.len();
        Ok(Box::new(parts.map(move |part| {
            let rows = version.load(part)?;
            let mut vectors = adapt(&rows.batch, version.schema(), &[at])?.remove(0);
            if *vectors.data_type() != target {
                vectors =
                    cast(&vectors, &target).map_err(|error| arrow_error("read vectors", error))?;
            }
            let vectors = vectors.as_fixed_size_list().clone();
            Ok(VectorPart { ids: rows.ids.array(0, rows.len()), live: rows.live, vectors })
        })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl fmt::Debug for FragmentVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FragmentVersion({})", self.info().reference())
    }
}
