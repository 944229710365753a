//! Annotations: the changeable description, labels and metrics of a version.

use std::collections::BTreeMap;

use larder_records::Reference;
use serde::Serialize;

use super::Larder;
use super::locks::{refuse_locked_name, refuse_locked_version};
use crate::error::{Error, Result};
use crate::name::{Identifier, VersionNumber};
use crate::record::{self, AnnotationsRecord, NameRecord, VersionRecord};
use crate::store::{Outcome, Transaction};
use crate::store::{Record, RecordKey};
use crate::time::Timestamp;

/// The most bytes of a description.
const MOST_DESCRIPTION: usize = 4096;
/// The most labels of a version, and the most metrics.
const MOST_ENTRIES: usize = 64;
/// The most bytes of the name of a label or metric.
const MOST_KEY: usize = 200;
/// The most bytes of a label's value.
const MOST_VALUE: usize = 1000;

/// The annotations of a version. They may change; the version does not.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Annotations {
    /// A description for people.
    pub description: Option<String>,
    /// Texts by name, such as `team`.
    pub labels: BTreeMap<String, String>,
    /// Numbers by name, such as `accuracy`; never NaN or infinite.
    pub metrics: BTreeMap<String, f64>,
    /// When the version was locked, if it is.
    pub locked: Option<Timestamp>,
}

impl Annotations {
    fn new(record: AnnotationsRecord) -> Self {
        let AnnotationsRecord { description, labels, metrics, locked, .. } = record;
        Self { description, labels, metrics, locked }
    }

    fn into_record(self) -> AnnotationsRecord {
        AnnotationsRecord::new(self.description, self.labels, self.metrics, self.locked)
    }
}

/// A change of [`Annotations`], by entry: concurrent changes of other entries are kept.
///
/// Names of labels and metrics start with an ASCII letter or digit, followed by those and `. _ - /`, up to 200 bytes.
/// Limits: 1,000 bytes a label, 4,096 a description, 64 labels, 64 metrics.
///
/// ```
/// use larder_core::versions::AnnotationsChange;
///
/// let change = AnnotationsChange::new()
///     .description("trained on the harvest of 2026")
///     .label("team", "wine")
///     .metric("accuracy", 0.93)
///     .remove_label("draft");
/// # let _ = change;
/// ```
#[derive(Debug, Clone, Default)]
pub struct AnnotationsChange {
    description: Option<Option<String>>,
    labels: BTreeMap<String, Option<String>>,
    metrics: BTreeMap<String, Option<f64>>,
}

impl AnnotationsChange {
    /// Returns an empty change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the description.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(Some(text.into()));
        self
    }

    /// Removes the description.
    #[must_use]
    pub fn remove_description(mut self) -> Self {
        self.description = Some(None);
        self
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes a label, if there is one.
    #[must_use]
    pub fn remove_label(mut self, name: impl Into<String>) -> Self {
        self.labels.insert(name.into(), None);
        self
    }

    /// Sets a metric.
    #[must_use]
    pub fn metric(mut self, name: impl Into<String>, value: f64) -> Self {
        self.metrics.insert(name.into(), Some(value));
        self
    }

    /// Removes a metric, if there is one.
    #[must_use]
    pub fn remove_metric(mut self, name: impl Into<String>) -> Self {
        self.metrics.insert(name.into(), None);
        self
    }

    /// Returns true if it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.description.is_none() && self.labels.is_empty() && self.metrics.is_empty()
    }

    /// Checks the limits of names and values.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn check(&self) -> Result<()> {
        if let Some(Some(text)) = &self.description
            && text.len() > MOST_DESCRIPTION
        {
            return Err(Error::invalid("description", text, "it is longer than 4,096 bytes"));
        }
        for (name, value) in &self.labels {
            check_key("name of a label", name)?;
            if let Some(value) = value
                && value.len() > MOST_VALUE
            {
                let reason = format!("the label `{name}` is longer than 1,000 bytes");
                return Err(Error::invalid("label", value, reason));
            }
        }
        for (name, value) in &self.metrics {
            check_key("name of a metric", name)?;
            if let Some(value) = value
                && !value.is_finite()
            {
                let reason = format!("the metric `{name}` is to be a finite number");
                return Err(Error::invalid("metric", &value.to_string(), reason));
            }
        }
        Ok(())
    }

    /// Returns the record of a new version, if it has any.
    pub(super) fn of_new(&self, name: &Identifier) -> Result<Option<AnnotationsRecord>> {
        let mut annotations = Annotations::default();
        self.make(&mut annotations);
        refuse_too_many(|| format!("annotate a new version of {name}"), &annotations)?;
        Ok((annotations != Annotations::default()).then(|| annotations.into_record()))
    }

    fn make(&self, annotations: &mut Annotations) {
        if let Some(description) = &self.description {
            annotations.description.clone_from(description);
        }
        for (name, value) in &self.labels {
            set(&mut annotations.labels, name, value.clone());
        }
        for (name, value) in &self.metrics {
            set(&mut annotations.metrics, name, *value);
        }
    }
}

fn set<T>(entries: &mut BTreeMap<String, T>, name: &str, value: Option<T>) {
    match value {
        Some(value) => entries.insert(name.to_owned(), value),
        None => entries.remove(name),
    };
}

fn check_key(what: &'static str, name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if name.len() > MOST_KEY {
        return Err(Error::invalid(what, name, "it is longer than 200 bytes"));
    }
    if !begins || !name.bytes().all(allowed) {
        let reason = "it begins with a letter or a digit and goes on with those and . _ - /";
        return Err(Error::invalid(what, name, reason));
    }
    Ok(())
}

/// A version and its annotations, for a change of these.
pub(super) struct AnnotatedVersion {
    pub(super) version: VersionRecord,
    pub(super) annotations: Annotations,
}

impl Larder {
    /// Returns the annotations of a version.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`]; [`Error::Corrupt`]; [`Error::Store`].
    pub fn annotations(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Annotations> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let version = self.find(&reference)?.version;
        let annotations = self.annotations_of(&[(reference.identifier().clone(), version)])?.pop();
        Ok(annotations.transpose()?.unwrap_or_default())
    }

    /// Changes the annotations of a version, and returns all of them.
    ///
    /// Concurrent changes of other entries are kept.
    ///
    /// ```
    /// # fn example(larder: &larder_core::Larder) -> larder_core::Result<()> {
    /// use larder_core::versions::AnnotationsChange;
    ///
    /// larder.annotate("wine@1", &AnnotationsChange::new().label("team", "cellar").metric("f1", 0.93))?;
    /// assert_eq!(larder.annotations("wine@1")?.metrics["f1"], 0.93);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidName`] for names or values beyond the limits; [`Error::NotFound`]; [`Error::Blocked`] while the
    /// version or its name is locked, or for more than 64 labels or metrics; [`Error::Conflict`];
    /// [`Error::Store`].
    pub fn annotate(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        change: &AnnotationsChange,
    ) -> Result<Annotations> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        change.check()?;
        let name = reference.identifier();
        let head_key = record::name_key(name)?;
        self.transact(format_args!("the notes of {reference}"), |tx| {
            let what = || format!("annotate {reference}");
            if let Some(head) = tx.read::<NameRecord>(&head_key)? {
                refuse_locked_name(name, &head, what)?;
            }
            tx.require(head_key.clone())?;
            let mut is_changed = false;
            let annotated = self.change_annotations(tx, &reference, |annotated| {
                refuse_locked_version(
                    name,
                    annotated.version.version,
                    &annotated.annotations,
                    what,
                )?;
                let old = annotated.annotations.clone();
                change.make(&mut annotated.annotations);
                is_changed = annotated.annotations != old;
                refuse_too_many(what, &annotated.annotations)
            })?;
            Ok(match is_changed {
                true => Outcome::Commit(annotated.annotations),
                false => Outcome::Done(annotated.annotations),
            })
        })
    }

    /// Adds the changes that write the annotations of a version, if `change` changes them and the version is not removed.
    pub(super) fn change_annotations(
        &self,
        tx: &mut Transaction<'_>,
        reference: &Reference,
        change: impl FnOnce(&mut AnnotatedVersion) -> Result<()>,
    ) -> Result<AnnotatedVersion> {
        let name = reference.identifier();
        let number = self.find(reference)?.version;
        let version_key = record::version_key(name, number)?;
        let annotations_key = record::annotations_key(name, number)?;
        let [version, annotations] = tx.get_each([&version_key, &annotations_key])?;
        let Some(version) = version else { return Err(self.not_found(reference)) };
        let read: VersionRecord = record::read(&version_key, &version)?;
        if read.removed.is_some() {
            return Err(self.not_found(reference));
        }
        let mut annotated = AnnotatedVersion {
            version: read,
            annotations: read_annotations(&annotations_key, annotations.as_ref())?,
        };
        let old = annotated.annotations.clone();
        change(&mut annotated)?;
        if annotated.annotations == old {
            return Ok(annotated);
        }
        // A removal of the version changes its record.
        tx.require(version_key)?;
        tx.put(annotations_key, &annotated.annotations.clone().into_record())?;
        Ok(annotated)
    }

    /// Returns the annotations of versions, in their order.
    pub(super) fn annotations_of(
        &self,
        versions: &[(Identifier, VersionNumber)],
    ) -> Result<Vec<Result<Annotations>>> {
        let keys = versions.iter().map(|(name, number)| record::annotations_key(name, *number));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let found = self.store.get_records(&keys)?;
        let read = |(key, found): (_, Option<Record>)| read_annotations(key, found.as_ref());
        Ok(keys.iter().zip(found).map(read).collect())
    }
}

/// Decodes the annotations of a version; a missing record holds none.
///
/// # Errors
/// [`Error::Corrupt`]; [`Error::NewerFormat`].
pub fn read_annotations(key: &RecordKey, found: Option<&Record>) -> Result<Annotations> {
    match found {
        Some(found) => Ok(Annotations::new(record::read(key, found)?)),
        None => Ok(Annotations::default()),
    }
}

fn refuse_too_many(action: impl Fn() -> String, annotations: &Annotations) -> Result<()> {
    let full = [("labels", annotations.labels.len()), ("metrics", annotations.metrics.len())];
    match full.into_iter().find(|(_, number)| *number > MOST_ENTRIES) {
        None => Ok(()),
        Some((kind, number)) => Err(Error::Refused {
            action: action(),
            reason: format!("it would have {number} {kind}, more than 64; remove some first"),
        }),
    }
}
