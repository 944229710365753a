//! Filters of rows.

mod bind;
mod evaluate;
mod parse;

use std::fmt;
use std::str::FromStr;

use larder_core::{Error, Result};

pub(crate) use bind::Bound;

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
pub struct Filter(pub(crate) Expression);

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Not(Box<Expression>),
    Has(String),
    Like(String, String),
    Compare(String, Operator, Literal),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
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
        let mut all = match self.0 {
            Expression::All(all) => all,
            one => vec![one],
        };
        all.push(other.0);
        Self(Expression::All(all))
    }

    /// Matches rows in which `field` equals `text`.
    pub fn text_is(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self(Expression::Compare(field.into(), Operator::Equal, Literal::Text(text.into())))
    }

    /// Matches rows in which `field` is not null.
    pub fn has(field: impl Into<String>) -> Self {
        Self(Expression::Has(field.into()))
    }

    /// Matches rows that this filter does not match.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "a word of the grammar")]
    pub fn not(self) -> Self {
        Self(Expression::Not(Box::new(self.0)))
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse::filter(text).map(Self)
    }
}
