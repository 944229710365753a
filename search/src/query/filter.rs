//! Filters of queries.

use std::str::FromStr;
use std::time::SystemTime;

use super::{Glob, parse};
use crate::grammar::{Comparison, Logic};
use larder_core::VersionInfo;
use larder_core::store::{TagName, TypeTag};
use larder_core::versions::Annotations;
use larder_core::{Error, Result};

/// A condition on versions.
///
/// ```text
/// metrics.accuracy > 0.9 and labels.team = "cellar" and not (size >= 10MB or age > 7d)
/// ```
///
/// Comparisons are joined by `and`, `or`, `not` and parentheses; `not` binds tightest, `or` loosest.
///
/// | field | compared with | by |
/// | --- | --- | --- |
/// | `name`, `type`, `tag`, `description`, `labels.NAME` | a text in quotes, `"…"` or `'…'` | `=` `!=`, and `like`, a [`Glob`] |
/// | `version`, `metrics.NAME` | a number | `=` `!=` `<` `<=` `>` `>=` |
/// | `size` | bytes: `812`, `10kB`, `1.5MB`, `4GiB` | the same |
/// | `age` | a duration: `7d`, `1h 30m` in quotes or `1h30m` | the same |
/// | `created` | a day or a time: `2026-11-21`, `2026-11-21T08:30:00Z` | the same |
/// | `locked` | nothing: `has locked` | |
///
/// `has FIELD` tests presence. A comparison with a missing label, metric, tag or description is false, also with `!=`;
/// with several tags, one match is enough. In quotes, `\` escapes a quote or a `\`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Expression);

/// A parsed filter.
pub(super) type Expression = Logic<Condition>;

/// A condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Has(Field),
    Is(Field, String),
    IsNot(Field, String),
    Like(Field, Glob),
    Number(Field, Comparison, f64),
}

/// A field of a version.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    Name,
    Type,
    Tag,
    Description,
    Label(String),
    Version,
    Metric(String),
    Size,
    Age,
    Created,
    Locked,
}

/// A version to filter.
pub(crate) struct Facts<'a> {
    pub(crate) version: &'a VersionInfo,
    pub(crate) tags: &'a [TagName],
    pub(crate) notes: &'a Annotations,
    pub(crate) now: SystemTime,
}

impl Filter {
    /// Matches versions of this type.
    pub fn has_type(tag: &TypeTag) -> Self {
        Self(Logic::One(Condition::Is(Field::Type, tag.to_string())))
    }

    /// Matches versions with this tag.
    pub fn has_tag(tag: &TagName) -> Self {
        Self(Logic::One(Condition::Is(Field::Tag, tag.to_string())))
    }

    /// Matches versions with this label.
    pub fn has_label(name: impl Into<String>) -> Self {
        Self(Logic::One(Condition::Has(Field::Label(name.into()))))
    }

    /// Matches versions whose label `name` has this value.
    pub fn label_is(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self(Logic::One(Condition::Is(Field::Label(name.into()), value.into())))
    }

    /// Matches versions that match both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0))
    }

    pub(crate) fn accepts(&self, facts: &Facts<'_>) -> bool {
        self.0.holds(&|condition| condition.holds(facts))
    }

    pub(crate) fn needs_notes(&self) -> bool {
        self.0.mentions(&|condition| {
            let field = condition.field();
            matches!(field, Field::Label(_) | Field::Metric(_) | Field::Description | Field::Locked)
        })
    }

    pub(crate) fn needs_tags(&self) -> bool {
        self.0.mentions(&|condition| *condition.field() == Field::Tag)
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse::filter(text).map(Self)
    }
}

impl Condition {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Has(field) => !field.texts(facts).is_empty() || field.number(facts).is_some(),
            Self::Is(field, value) => field.texts(facts).contains(&value.as_str()),
            Self::IsNot(field, value) => {
                let texts = field.texts(facts);
                !texts.is_empty() && !texts.contains(&value.as_str())
            }
            Self::Like(field, glob) => field.texts(facts).iter().any(|text| glob.matches(text)),
            Self::Number(field, comparison, value) => {
                field.number(facts).is_some_and(|found| comparison.holds(found, *value))
            }
        }
    }

    fn field(&self) -> &Field {
        match self {
            Self::Has(field)
            | Self::Is(field, _)
            | Self::IsNot(field, _)
            | Self::Like(field, _)
            | Self::Number(field, _, _) => field,
        }
    }
}

impl Field {
    /// Returns the values of a text field; none if it is missing.
    fn texts<'a>(&self, facts: &Facts<'a>) -> Vec<&'a str> {
        match self {
            Self::Name => vec![facts.version.identifier.as_str()],
            Self::Type => vec![facts.version.type_tag.as_str()],
            Self::Tag => facts.tags.iter().map(TagName::as_str).collect(),
            Self::Description => facts.notes.description.as_deref().into_iter().collect(),
            Self::Label(name) => {
                facts.notes.labels.get(name).map(String::as_str).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the value of a numeric field, in bytes or seconds, if it is present.
    fn number(&self, facts: &Facts<'_>) -> Option<f64> {
        let created = facts.version.created.as_system_time();
        match self {
            Self::Version => Some(facts.version.version.get() as f64),
            Self::Metric(name) => facts.notes.metrics.get(name).copied(),
            Self::Size => Some(facts.version.size as f64),
            Self::Age => Some(seconds(facts.now) - seconds(created)),
            Self::Created => Some(seconds(created)),
            Self::Locked => facts.notes.locked.map(|time| seconds(time.as_system_time())),
            _ => None,
        }
    }
}

/// Seconds since 1970; earlier times are not stored.
pub(super) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
