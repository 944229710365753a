//! Searching versions.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::annotations::Annotations;
use super::{Larder, VersionInfo};
use crate::error::Result;
use crate::name::{Identifier, TagName, VersionNumber};
use crate::query::{Facts, Filter, Glob, Query, Sort};
use crate::record::{self, NameRecord, VersionRecord};
use crate::store::StoreExt;

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

impl Larder {
    /// Returns the versions that match `query`, lazily if sorted by name.
    ///
    /// A damaged record is an error item; the others follow. `skip` and `take` select a page.
    ///
    /// ```
    /// use larder_core::Registry;
    /// use larder_core::search::Query;
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
    /// [`Error::Corrupt`](crate::Error::Corrupt); [`Error::NewerFormat`](crate::Error::NewerFormat);
    /// [`Error::Store`](crate::Error::Store).
    pub fn search(
        &self,
        query: &Query,
    ) -> Result<Box<dyn Iterator<Item = Result<SearchHit>> + '_>> {
        let tags = match &query.filter {
            Some(filter) if filter.needs_tags() => self.tags_by_version(query)?,
            _ => Tags::new(),
        };
        let found = self.filtered(query.clone(), tags);
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

    fn filtered(&self, query: Query, tags: Tags) -> impl Iterator<Item = Result<SearchHit>> + '_ {
        let needed = query.filter.as_ref().is_some_and(Filter::needs_notes);
        let notes = needed || query.notes || matches!(query.sort, Sort::Metric(_));
        let mut versions = self.candidates(&query);
        let now = self.now().as_system_time();
        let batches = std::iter::from_fn(move || {
            let batch: Vec<_> = versions.by_ref().take(BATCH).collect();
            (!batch.is_empty()).then(|| {
                if notes { self.with_annotations(batch) } else { without_annotations(batch) }
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
    fn candidates(&self, query: &Query) -> Box<dyn Iterator<Item = Result<VersionInfo>> + '_> {
        let (names, all) = (query.names.clone(), query.all);
        let prefix = prefix(record::NAMES, query);
        let heads = self.store.records(prefix).filter_map(move |found| {
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
            let every: Box<dyn Iterator<Item = Result<VersionInfo>> + '_> = match found {
                Ok((name, _)) => Box::new(self.versions_below(name)),
                Err(error) => Box::new(std::iter::once(Err(error))),
            };
            every
        }))
    }

    /// Returns the versions of a name that are not removed, oldest first.
    fn versions_below(&self, name: Identifier) -> impl Iterator<Item = Result<VersionInfo>> + '_ {
        self.store.records(record::versions_of(&name)).filter_map(move |found| {
            let read = |(key, found)| {
                let version: VersionRecord = record::read(&key, &found)?;
                Ok(version.removed.is_none().then(|| VersionInfo::new(&name, &version)))
            };
            found.and_then(read).transpose()
        })
    }

    /// Reads the tags of all names that may match.
    fn tags_by_version(&self, query: &Query) -> Result<Tags> {
        let mut tags = Tags::new();
        for found in self.tags_below(prefix(record::TAGS, query)) {
            let (name, tag) = found?;
            tags.entry((name, tag.version)).or_default().push(tag.tag);
        }
        Ok(tags)
    }

    fn with_annotations(&self, batch: Vec<Result<VersionInfo>>) -> Vec<Result<SearchHit>> {
        let key = |version: &VersionInfo| (version.identifier.clone(), version.version);
        let keys: Vec<_> = batch.iter().flatten().map(key).collect();
        match self.annotations_of(&keys) {
            Ok(annotations) => {
                let mut annotations = annotations.into_iter();
                let mut found = |version| {
                    let annotations = annotations.next().transpose()?;
                    Ok(SearchHit { version, annotations })
                };
                batch.into_iter().map(|version| version.and_then(&mut found)).collect()
            }
            Err(error) => vec![Err(error)],
        }
    }
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
