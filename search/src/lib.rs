//! Searching versions by names, labels, metrics and more.
//!
//! [`LarderSearch::search`] returns the versions that a [`Query`] matches.

pub mod grammar;
mod query;

use std::cmp::Ordering;
use std::collections::HashMap;

use larder_core::extend::{Records, read_annotations};
use larder_core::record::{self, NameRecord, TagRecord, VersionRecord};
use larder_core::store::{Record, RecordKey, StoreExt, TagName, VersionNumber};
use larder_core::versions::Annotations;
use larder_core::{Identifier, Larder, Result, VersionInfo};

use crate::query::Facts;
pub use crate::query::{Filter, Glob, Query, Sort};

/// Number of versions whose annotations are read at once.
const BATCH: usize = 500;

/// A hit of a search.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SearchHit {
    /// The version.
    pub version: VersionInfo,
    /// Its annotations, if the query needs or requests them.
    pub annotations: Option<Annotations>,
}

/// Tags by version.
type Tags = HashMap<(Identifier, VersionNumber), Vec<TagName>>;

/// Adds search to [`Larder`].
pub trait LarderSearch {
    /// Returns the versions that match `query`, lazily if sorted by name.
    ///
    /// A damaged record is an error item; the others follow. `skip` and `take` select a page.
    ///
    /// ```
    /// use larder_core::Registry;
    /// use larder_search::{LarderSearch, Query};
    ///
    /// let larder = Registry::linked()?.open("memory:")?;
    /// let query = Query::new().names("wine/*").filter("age < 7d".parse()?);
    /// for found in larder.search(&query)?.take(10) {
    ///     println!("{}", found?.version.identifier);
    /// }
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`](larder_core::Error::Corrupt); [`Error::NewerFormat`](larder_core::Error::NewerFormat);
    /// [`Error::Store`](larder_core::Error::Store).
    fn search(&self, query: &Query) -> Result<Box<dyn Iterator<Item = Result<SearchHit>> + '_>>;
}

impl LarderSearch for Larder {
    fn search(&self, query: &Query) -> Result<Box<dyn Iterator<Item = Result<SearchHit>> + '_>> {
        let tags = match &query.filter {
            Some(filter) if filter.needs_tags() => tags_by_version(self, query)?,
            _ => Tags::new(),
        };
        let found = filtered(self, query.clone(), tags);
        if query.sort == Sort::Name && !query.reverse {
            return Ok(Box::new(found));
        }
        let (mut sound, mut failed) = (Vec::new(), Vec::new());
        for found in found {
            match found {
                Ok(found) => sound.push(found),
                Err(error) => failed.push(Err(error)),
            }
        }
        sound.sort_by(|a, b| compare(a, b, query));
        Ok(Box::new(sound.into_iter().map(Ok).chain(failed)))
    }
}

fn filtered(
    larder: &Larder,
    query: Query,
    tags: Tags,
) -> impl Iterator<Item = Result<SearchHit>> + '_ {
    let needed = query.filter.as_ref().is_some_and(Filter::needs_notes);
    let notes = needed || query.notes || matches!(query.sort, Sort::Metric(_));
    let mut versions = candidates(larder, &query);
    let now = larder.now().as_system_time();
    let batches = std::iter::from_fn(move || {
        let batch: Vec<_> = versions.by_ref().take(BATCH).collect();
        (!batch.is_empty()).then(|| {
            if notes { with_annotations(larder, batch) } else { without_annotations(batch) }
        })
    });
    batches.flatten().filter(move |found| match (found, &query.filter) {
        (Ok(found), Some(filter)) => {
            let version = &found.version;
            let key = (version.identifier.clone(), version.version);
            let (none, silent) = (Vec::new(), Annotations::default());
            filter.accepts(&Facts {
                version,
                tags: tags.get(&key).unwrap_or(&none),
                notes: found.annotations.as_ref().unwrap_or(&silent),
                now,
            })
        }
        _ => true,
    })
}

/// Returns the versions whose names match, sorted by name.
fn candidates<'a>(
    larder: &'a Larder,
    query: &Query,
) -> Box<dyn Iterator<Item = Result<VersionInfo>> + 'a> {
    let (names, all) = (query.names.clone(), query.all);
    let prefix = prefix(record::NAMES, query);
    let heads = heads(larder, prefix, query.start.as_ref()).filter_map(move |found| {
        let read = |(key, found)| {
            let name = record::name_in(&key)?;
            if names.as_ref().is_some_and(|glob| !glob.matches(name.as_str())) {
                return Ok(None);
            }
            let head: NameRecord = record::read(&key, &found)?;
            Ok(head.latest.map(|latest| (name, latest)))
        };
        found.and_then(read).transpose()
    });
    let newest = move |found: Result<(Identifier, VersionRecord)>| {
        found.map(|(name, latest)| VersionInfo::new(&name, &latest))
    };
    if !all {
        return Box::new(heads.map(newest));
    }
    Box::new(heads.flat_map(move |found| {
        let every: Box<dyn Iterator<Item = Result<VersionInfo>> + 'a> = match found {
            Ok((name, _)) => Box::new(versions_below(larder, name)),
            Err(error) => Box::new(std::iter::once(Err(error))),
        };
        every
    }))
}

/// Returns the records of names below a prefix, from the name `start` on.
fn heads<'a>(
    larder: &'a Larder,
    prefix: String,
    start: Option<&Identifier>,
) -> Box<dyn Iterator<Item = Result<(RecordKey, Record)>> + 'a> {
    let Some(start) = start else { return Box::new(larder.store().known_records(prefix)) };
    let first = record::name_key(start).and_then(|key| {
        let found = match key.as_str().starts_with(&prefix) {
            true => larder.store().get_record(&key)?,
            false => None,
        };
        Ok((key, found))
    });
    match first {
        Ok((key, found)) => {
            let first = found.map(|found| Ok((key.clone(), found)));
            Box::new(first.into_iter().chain(larder.store().known_records_after(prefix, key)))
        }
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}

/// Returns the versions of a name that are not removed, oldest first.
fn versions_below(
    larder: &Larder,
    name: Identifier,
) -> impl Iterator<Item = Result<VersionInfo>> + '_ {
    larder.store().known_records(record::versions_of(&name)).filter_map(move |found| {
        let read = |(key, found)| {
            let version: VersionRecord = record::read(&key, &found)?;
            Ok(version.removed.is_none().then(|| VersionInfo::new(&name, &version)))
        };
        found.and_then(read).transpose()
    })
}

/// Reads the tags of all names that may match.
fn tags_by_version(larder: &Larder, query: &Query) -> Result<Tags> {
    let mut tags = Tags::new();
    for found in larder.store().known_records(prefix(record::TAGS, query)) {
        let (key, found) = found?;
        let (name, tag) = record::tag_in(&key)?;
        let record: TagRecord = record::read(&key, &found)?;
        tags.entry((name, record.version)).or_default().push(tag);
    }
    Ok(tags)
}

fn with_annotations(larder: &Larder, batch: Vec<Result<VersionInfo>>) -> Vec<Result<SearchHit>> {
    let key = |version: &VersionInfo| record::annotations_key(&version.identifier, version.version);
    let found = batch.iter().flatten().map(key).collect::<Result<Vec<_>>>().and_then(|keys| {
        let records = larder.store().get_records(&keys)?;
        Ok(keys.into_iter().zip(records))
    });
    let mut found = match found {
        Ok(found) => found,
        Err(error) => return vec![Err(error)],
    };
    let mut hit = |version| {
        let read = |(key, record): (_, Option<_>)| read_annotations(&key, record.as_ref());
        let annotations = found.next().map(read).transpose()?;
        Ok(SearchHit { version, annotations })
    };
    batch.into_iter().map(|version| version.and_then(&mut hit)).collect()
}

fn without_annotations(batch: Vec<Result<VersionInfo>>) -> Vec<Result<SearchHit>> {
    let found = |version| SearchHit { version, annotations: None };
    batch.into_iter().map(|version| version.map(found)).collect()
}

/// Returns the key prefix of all names that may match.
fn prefix(kind: &str, query: &Query) -> String {
    format!("{kind}{}", query.names.as_ref().map_or("", Glob::beginning))
}

fn compare(a: &SearchHit, b: &SearchHit, query: &Query) -> Ordering {
    let turned = |order: Ordering| if query.reverse { order.reverse() } else { order };
    let by_name = || {
        let place = |found: &SearchHit| (found.version.identifier.clone(), found.version.version);
        place(a).cmp(&place(b))
    };
    match &query.sort {
        Sort::Name => turned(by_name()),
        Sort::Version => turned(a.version.version.cmp(&b.version.version)).then_with(by_name),
        Sort::Created => turned(a.version.created.cmp(&b.version.created)).then_with(by_name),
        Sort::Size => turned(a.version.size.cmp(&b.version.size)).then_with(by_name),
        Sort::Metric(name) => {
            let metric = |found: &SearchHit| found.annotations.as_ref()?.metrics.get(name).copied();
            let order = match (metric(a), metric(b)) {
                (Some(a), Some(b)) => turned(a.total_cmp(&b)),
                // Hits with the metric come first, also in reverse.
                (a, b) => b.is_some().cmp(&a.is_some()),
            };
            order.then_with(by_name)
        }
    }
}
