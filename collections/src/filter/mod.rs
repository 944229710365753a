//! Filters of rows.

mod bind;
mod evaluate;
mod parse;

use std::fmt;
use std::str::FromStr;

use larder_core::{Error, Result};
use larder_search::grammar::{Comparison, Logic};

pub use bind::Bound;

/// A condition on rows.
///
/// ```text
/// price < 10 and (name like "p*" or not has sold) and made >= 2026-01-01
/// ```
///
/// Comparisons are joined by `and`, `or`, `not` and parentheses; `not` binds tightest, `or` loosest. The grammar is that of
/// searches for versions.
///
/// | field | compared with | by |
/// | --- | --- | --- |
/// | numbers, decimals | a number | `=` `!=` `<` `<=` `>` `>=` |
/// | text | a text in quotes, `"…"` or `'…'` | the same, and `like`, where `*` stands for any characters and `?` for one |
/// | `bool` | `true`, `false` | `=` `!=` |
/// | dates and times | `2026-11-21`, `2026-11-21T08:30:00Z` | as numbers |
/// | bytes | a text in quotes, in Base64 | `=` `!=` |
///
/// `has FIELD` tests that a field is not null. A comparison with null is false, also with `!=`. `a.b` is the field `b` of the
/// struct `a`; a name with other characters stands between backticks. In quotes, `\` escapes a quote or a `\`.
///
/// ```
/// use larder_collections::Filter;
///
/// let filter: Filter = "price < 10 and name = 'pear'".parse()?;
/// # let _ = filter;
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(pub(crate) Logic<Condition>);

/// A condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Has(String),
    Like(String, String),
    Compare(String, Comparison, Literal),
}

impl Condition {
    fn field(&self) -> &str {
        match self {
            Self::Has(field) | Self::Like(field, _) | Self::Compare(field, ..) => field,
        }
    }
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// In quotes.
    Text(String),
    /// Without quotes: a number, a date, `true` or `false`.
    Plain(String),
}

impl Literal {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Plain(text) => text,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Plain(text) => f.write_str(text),
        }
    }
}

impl Filter {
    /// Matches rows that match both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0))
    }

    /// Matches rows in which `field` equals `text`.
    pub fn text_is(field: impl Into<String>, text: impl Into<String>) -> Self {
        let text = Literal::Text(text.into());
        Self(Logic::One(Condition::Compare(field.into(), Comparison::Equal, text)))
    }

    /// Matches rows in which `field` is not null.
    pub fn has(field: impl Into<String>) -> Self {
        Self(Logic::One(Condition::Has(field.into())))
    }

    /// Matches rows that this filter does not match.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "a word of the grammar")]
    pub fn not(self) -> Self {
        Self(Logic::Not(Box::new(self.0)))
    }

    /// Returns whether it compares a field whose name `is_wanted` accepts. The field `b` of the struct `a` is `a.b`.
    pub fn mentions(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        self.0.mentions(&|condition| is_wanted(condition.field()))
    }

    /// Divides it into the part whose fields `is_first` all accepts, and the rest; rows match if they match both.
    pub fn split(self, is_first: impl Fn(&str) -> bool) -> (Option<Self>, Option<Self>) {
        let parts = match self.0 {
            Logic::All(parts) => parts,
            one => vec![one],
        };
        let is_rest = |part: &Logic<Condition>| part.mentions(&|it| !is_first(it.field()));
        let (rest, first): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_rest);
        let joined = |parts: Vec<_>| (!parts.is_empty()).then_some(Self(Logic::All(parts)));
        (joined(first), joined(rest))
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse::filter(text).map(Self)
    }
}

#[cfg(test)]
mod tests;
