//! Queries for versions.

mod filter;
mod glob;
mod parse;

use std::str::FromStr;

pub use filter::Filter;
pub use glob::Glob;

pub(crate) use filter::Facts;

use larder_core::{Error, Identifier, Result};

/// Selects and sorts the versions that [`search`](crate::LarderSearch::search) returns.
///
/// ```
/// use larder_search::Query;
///
/// let query = Query::new()
///     .names("wine/*")
///     .filter("metrics.accuracy > 0.9 and labels.team = \"cellar\"".parse()?)
///     .sort("metrics.accuracy".parse()?)
///     .reverse();
/// # let _ = query;
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub(crate) names: Option<Glob>,
    pub(crate) start: Option<Identifier>,
    pub(crate) filter: Option<Filter>,
    pub(crate) all: bool,
    pub(crate) notes: bool,
    pub(crate) sort: Sort,
    pub(crate) reverse: bool,
}

impl Query {
    /// Selects the newest version of every name, sorted by name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects names that match a pattern.
    #[must_use]
    pub fn names(mut self, glob: impl Into<Glob>) -> Self {
        self.names = Some(glob.into());
        self
    }

    /// Leaves out the names before `name`, without reading them: for a page that continues another.
    #[must_use]
    pub fn starting_at(mut self, name: Identifier) -> Self {
        self.start = Some(name);
        self
    }

    /// Adds a filter; versions must match all filters.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter {
            Some(before) => before.and(filter),
            None => filter,
        });
        self
    }

    /// Selects every version, not only the newest.
    #[must_use]
    pub fn all_versions(mut self) -> Self {
        self.all = true;
        self
    }

    /// Also reads annotations, which takes longer.
    #[must_use]
    pub fn with_notes(mut self) -> Self {
        self.notes = true;
        self
    }

    /// Sets the sort order.
    #[must_use]
    pub fn sort(mut self, sort: Sort) -> Self {
        self.sort = sort;
        self
    }

    /// Reverses the order; versions without the metric stay last.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }
}

/// A sort order: `name`, `version`, `created`, `size` or `metrics.NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sort {
    /// By name, then by version number.
    #[default]
    Name,
    /// By version number.
    Version,
    /// Oldest first.
    Created,
    /// Smallest first.
    Size,
    /// By a metric, smallest first; versions without it come last.
    Metric(String),
}

impl FromStr for Sort {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "name" => Ok(Self::Name),
            "version" => Ok(Self::Version),
            "created" => Ok(Self::Created),
            "size" => Ok(Self::Size),
            _ => match text.strip_prefix("metrics.") {
                Some(metric) if !metric.is_empty() => Ok(Self::Metric(metric.to_owned())),
                _ => {
                    let known = "there are: name, version, created, size, metrics.NAME";
                    Err(Error::invalid("order", text, known))
                }
            },
        }
    }
}
