//! Searching an index.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use larder_core::{Error, Result};
use serde::Serialize;

use super::query::{Like, SearchQuery};
use super::{SearchResult, Unindexed};
use crate::listeners::outputs::{Outputs, View};
use crate::listeners::source::{Changes, Source};
use crate::listeners::vectors::{vectors_of, width_of};
use crate::listeners::{Kind, Listener, Listeners, Work};
use crate::nearest::{Candidates, Hit, Measure, Segment, nearest};
use larder_collections::{CollectionVersion, Scan};

/// A row that a search found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Found {
    /// The id of the row.
    pub row: u64,
    /// The cosine, the inner product or the distance.
    pub score: f32,
}

impl Listeners {
    /// Finds the rows whose vectors are nearest to a vector, a value or a row. Every vector is compared.
    ///
    /// `name` is that of the index, or of the field or the listener that it indexes.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such index, for a vector of another length, with NaN or of another model;
    /// [`Error::InvalidName`] for a filter on an unknown field; the errors of the model; [`Error::Corrupt`];
    /// [`Error::Store`].
    pub fn search(&self, name: &str, query: &SearchQuery) -> Result<SearchResult> {
        let index = self.index_named(name)?;
        let (source, outputs) = self.vectors_in(&index)?;
        let changes = source.changes(self.larder(), &index, &outputs)?;
        let Work::Index { measure, .. } = &index.work else {
            return Err(Error::internal(format!("{name} is no index")));
        };
        let search = Search {
            listeners: self,
            index: &index,
            source,
            outputs,
            changes,
            query,
            measure: *measure,
        };
        search.run()
    }

    /// Opens what an index reads, and its vectors with the model that made them.
    pub(super) fn vectors_in(&self, index: &Listener) -> Result<(Source, Outputs)> {
        let (source, outputs) = self.open(index)?.ok_or_else(|| self.no_collection())?;
        let mut outputs = outputs.unwrap_or_else(|| Outputs::new(index, source.version()));
        if outputs.fragments.is_empty() {
            outputs.model = source.upstream_model(index);
        }
        Ok((source, outputs))
    }

    /// Returns the index of a name, or of the field or listener that it indexes.
    fn index_named(&self, name: &str) -> Result<Listener> {
        let by_name = self.find(Kind::Index, name).map(|(_, index)| index);
        if let Ok(index) = by_name {
            return Ok(index);
        }
        let full = format!("{}{name}", crate::listeners::OUTPUTS);
        let is_of = |index: &Listener| matches!(&*index.key, [key] if *key == name || *key == full);
        let all = self.of_kind(Kind::Index)?;
        let mut matching = all.into_iter().map(|(_, index)| index).filter(is_of);
        match (matching.next(), matching.next()) {
            (Some(index), None) => Ok(index),
            (Some(one), Some(two)) => Err(Error::Refused {
                action: format!("search `{name}` of {}", self.collection()),
                reason: format!(
                    "it has several indexes, such as `{}` and `{}`; name one",
                    one.name, two.name
                ),
            }),
            _ => by_name,
        }
    }
}

pub(super) struct Search<'a> {
    listeners: &'a Listeners,
    pub(super) index: &'a Listener,
    pub(super) source: Source,
    pub(super) outputs: Outputs,
    pub(super) changes: Changes,
    pub(super) query: &'a SearchQuery,
    pub(super) measure: Measure,
}

/// The rows that may be found.
pub(super) enum Allowed {
    All,
    /// Ascending.
    Rows(Vec<u64>),
}

impl Allowed {
    pub(super) fn has(&self, row: u64) -> bool {
        match self {
            Self::All => true,
            Self::Rows(rows) => rows.binary_search(&row).is_ok(),
        }
    }
}

impl Search<'_> {
    pub(super) fn refused(&self, reason: String) -> Error {
        let Listener { name, collection, .. } = self.index;
        Error::Refused { action: format!("search the index `{name}` of {collection}"), reason }
    }

    fn run(&self) -> Result<SearchResult> {
        let vector = self.vector()?;
        if let Some(bad) = vector.iter().find(|number| !number.is_finite()) {
            return Err(
                self.refused(format!("the vector has a {bad}, which is not near to anything"))
            );
        }
        if vector.is_empty() {
            return Err(self.refused("the vector has no numbers".into()));
        }
        if let Some(width) = width_of(&self.outputs.column)
            && vector.len() != width
        {
            return Err(self.refused(format!(
                "the vector has {} numbers, and the index {width}",
                vector.len()
            )));
        }
        let allowed = self.allowed()?;
        let mut hits = self.in_fragments(&vector, &allowed)?;
        // Vectors of two models are never compared.
        let made_by = self.source.upstream_model(self.index).map(|model| model.digest);
        let unindexed = match made_by == self.outputs.digest() {
            true => self.query.unindexed,
            false => Unindexed::Report,
        };
        let (fresh, left_out) = match unindexed {
            Unindexed::Search => (self.not_indexed(&vector, &allowed)?, 0),
            Unindexed::Report => (Vec::new(), self.count_not_indexed(&allowed)?),
        };
        hits.extend(fresh);
        let found = self.best(hits);
        Ok(SearchResult { found, measure: self.measure, left_out })
    }

    /// Returns the best of what several searches found.
    fn best(&self, mut hits: Vec<Hit>) -> Vec<Found> {
        let less_is_nearer = self.measure == Measure::L2;
        hits.sort_by(|one, two| {
            let by_score = one.score.total_cmp(&two.score);
            let by_score = if less_is_nearer { by_score } else { by_score.reverse() };
            by_score.then(one.row.cmp(&two.row))
        });
        hits.truncate(self.query.n);
        hits.into_iter().map(|Hit { row, score, .. }| Found { row, score }).collect()
    }

    /// Returns the vector to compare with.
    fn vector(&self) -> Result<Vec<f32>> {
        match &self.query.like {
            Like::Vector(vector) => {
                if let Some(model) = &self.query.model {
                    return Err(self.refused(format!("a vector was given, so {model} makes none")));
                }
                let made_by = self.query.made_by.as_ref();
                if let Some(other) = made_by.filter(|it| Some(it.digest) != self.outputs.digest()) {
                    return Err(self.refused(format!(
                        "its vectors are not of {other}, which made the vector; search again"
                    )));
                }
                Ok(vector.clone())
            }
            Like::Value(value) => {
                let made_by = self.outputs.model.as_ref();
                self.listeners.vector_of(self.index, made_by, value, self.query.model.as_ref())
            }
            Like::Bytes(bytes) => {
                let made_by = self.outputs.model.as_ref();
                let model = self.query.model.as_ref();
                self.listeners.vector_of_bytes(self.index, made_by, bytes, model)
            }
            Like::Row(row) => {
                let chunk = self.source.take(self.index, &[*row])?;
                let is_empty =
                    chunk.empty(self.index.takes_null()).into_iter().all(|is_empty| is_empty);
                let column = chunk.columns.first().filter(|_| !is_empty && !chunk.rows.is_empty());
                let Some((_, column)) = column else {
                    return Err(
                        self.refused(format!("the row {row} is not there, or has no vector"))
                    );
                };
                let mut kind = self.outputs.column.clone();
                let predicted = vectors_of(column, &mut kind)?;
                if let Some((_, reason)) = predicted.failures.first() {
                    return Err(self.refused(reason.clone()));
                }
                let vectors = predicted.values.as_fixed_size_list();
                Ok(vectors.values().as_primitive::<Float32Type>().values().to_vec())
            }
        }
    }

    /// Returns the rows that match the filter, before anything is compared.
    fn allowed(&self) -> Result<Allowed> {
        let SearchQuery { filter, fold, .. } = self.query;
        if filter.is_none() && fold.is_none() {
            return Ok(Allowed::All);
        }
        let mut scan = Scan::new().columns(Vec::<String>::new());
        if let Some(filter) = filter {
            scan = scan.filter(filter.clone());
        }
        if let Some(fold) = fold {
            scan = scan.fold(*fold);
        }
        let mut rows = Vec::new();
        let version = CollectionVersion::new(Arc::clone(self.source.collection()));
        let version = self.listeners.version_for(&scan.clone().into(), &version)?;
        for batch in version.scan(&scan)? {
            rows.extend_from_slice(batch?.ids.values());
        }
        Ok(Allowed::Rows(rows))
    }

    /// Returns the row that is not to be found: that which is compared with.
    pub(super) fn itself(&self) -> Option<u64> {
        match self.query.like {
            Like::Row(row) => Some(row),
            _ => None,
        }
    }

    /// Searches the fragments of the index.
    fn in_fragments(&self, vector: &[f32], allowed: &Allowed) -> Result<Vec<Hit>> {
        let view = View::new(
            &self.outputs,
            format!("the index `{}`", self.index.name),
            self.source.cache(),
        );
        let dirty: HashSet<u64> = self
            .changes
            .changed
            .iter()
            .chain(&self.changes.deleted)
            .copied()
            .chain(self.itself())
            .collect();
        let mut chosen = Vec::new();
        for (at, stored) in self.outputs.fragments.iter().enumerate() {
            let fragment = view.fragment(at)?;
            let vectors = fragment.values().as_fixed_size_list_opt();
            let is_current = stored.model == self.outputs.digest();
            // A fragment without vectors holds rows that failed before the first vector.
            let Some(vectors) = vectors
                .filter(|vectors| is_current && vectors.value_length() as usize == vector.len())
            else {
                continue;
            };
            let Some(numbers) = vectors.values().as_primitive_opt::<Float32Type>() else {
                continue;
            };
            let from = vectors.value_offset(0) as usize;
            let numbers = numbers.values().get(from..from + vectors.len() * vector.len());
            let numbers = numbers.ok_or_else(|| Error::internal("vectors end too early"))?;
            chosen.push((at, fragment, numbers, view.replaced(at)?));
        }
        let mut positions = Vec::new();
        for (_, fragment, _, replaced) in &chosen {
            positions.push(positions_of(
                fragment.rows(),
                fragment.codes(),
                replaced,
                &dirty,
                allowed,
            ));
        }
        let segments: Vec<_> = chosen
            .iter()
            .zip(&positions)
            .map(|((_, fragment, vectors, _), positions)| Segment {
                rows: fragment.rows(),
                vectors,
                candidates: match positions {
                    Positions::Except(positions) if positions.is_empty() => Candidates::All,
                    Positions::Except(positions) => Candidates::Except(positions),
                    Positions::Only(positions) => Candidates::Only(positions),
                },
            })
            .collect();
        Ok(nearest(&segments, vector, self.measure, self.query.n, self.query.threads))
    }
}

enum Positions {
    Except(Vec<u32>),
    Only(Vec<u32>),
}

/// Returns the positions of a fragment that are compared. Both `rows` and `replaced` ascend.
fn positions_of(
    rows: &[u64],
    codes: &[u8],
    replaced: &[u32],
    dirty: &HashSet<u64>,
    allowed: &Allowed,
) -> Positions {
    let is_out = |at: usize| {
        codes[at] != 0
            || (!replaced.is_empty() && replaced.binary_search(&(at as u32)).is_ok())
            || (!dirty.is_empty() && dirty.contains(&rows[at]))
    };
    match allowed {
        Allowed::All => Positions::Except(
            (0..rows.len()).filter(|at| is_out(*at)).map(|at| at as u32).collect(),
        ),
        Allowed::Rows(wanted) => {
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
                return Positions::Only(Vec::new());
            };
            let start = wanted.partition_point(|row| row < first);
            let end = wanted.partition_point(|row| row <= last);
            let mut from = 0;
            let mut only = Vec::new();
            for row in &wanted[start..end] {
                // Ids mostly follow each other, so the place is near.
                let guess = usize::try_from(row - first).unwrap_or(usize::MAX);
                let at = match rows.get(guess) {
                    Some(found) if found == row => Ok(guess),
                    _ => rows[from..].binary_search(row).map(|at| from + at),
                };
                match at {
                    Ok(at) => {
                        from = at + 1;
                        if !is_out(at) {
                            only.push(at as u32);
                        }
                    }
                    Err(at) => from += at,
                }
            }
            Positions::Only(only)
        }
    }
}
