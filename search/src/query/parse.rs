//! The grammar of filters.
//!
//! ```text
//! any     = all, { "or", all }
//! all     = one, { "and", one }
//! one     = "not", one | "(", any, ")" | "has", field | field, operator, value
//! ```

use std::borrow::Cow;

use winnow::Parser;
use winnow::ascii::{Caseless, multispace0};
use winnow::combinator::{alt, not, opt, preceded, terminated};
use winnow::error::ParserError;
use winnow::stream::Stream;
use winnow::token::{one_of, take_while};

use super::Glob;
use super::filter::{Expression, Field, Order, seconds};
use larder_core::store::VersionNumber;
use larder_core::store::parse_size;
use larder_core::{Error, Result};

/// The maximum length of a filter in bytes.
const MOST_BYTES: usize = 4096;
/// The maximum nesting of parentheses and `not`.
const MOST_DEPTH: usize = 64;

const FIELDS: &str = "a field: name, version, type, tag, size, age, created, description, labels.NAME, \
                      metrics.NAME, or `has locked`";

/// The expected token at the position of an error.
#[derive(Debug)]
struct Unexpected {
    expected: Cow<'static, str>,
}

impl ParserError<&str> for Unexpected {
    type Inner = Self;

    /// Only the parser of the end fails without an expectation.
    fn from_input(_: &&str) -> Self {
        Self { expected: "`and`, `or` or the end".into() }
    }

    fn into_inner(self) -> std::result::Result<Self, Self> {
        Ok(self)
    }
}

type Parsed<T> = std::result::Result<T, Unexpected>;

pub(super) fn filter(text: &str) -> Result<Expression> {
    if text.len() > MOST_BYTES {
        return Err(Error::invalid("filter", text, "it is longer than 4,096 bytes"));
    }
    let parsed = terminated(|input: &mut &str| any(input, 0), multispace0).parse(text);
    parsed.map_err(|error| {
        let at = error.offset();
        let rest = text[at..].trim_start();
        let column = text[..text.len() - rest.len()].chars().count() + 1;
        let found = match rest.split([' ', '\t', '\n', '(', ')']).next() {
            Some("") if rest.is_empty() => "the end".to_owned(),
            Some("") => format!("`{:.1}`", rest),
            Some(word) => format!("`{word:.40}`"),
            None => "the end".to_owned(),
        };
        let expected = &error.inner().expected;
        Error::invalid("filter", text, format!("at column {column}, {found}: expected {expected}"))
    })
}

fn any(input: &mut &str, depth: usize) -> Parsed<Expression> {
    let mut parts = vec![all(input, depth)?];
    while opt(word("or")).parse_next(input)?.is_some() {
        parts.push(all(input, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
}

fn all(input: &mut &str, depth: usize) -> Parsed<Expression> {
    let mut parts = vec![one(input, depth)?];
    while opt(word("and")).parse_next(input)?.is_some() {
        parts.push(one(input, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
}

fn one(input: &mut &str, depth: usize) -> Parsed<Expression> {
    if depth > MOST_DEPTH {
        return unexpected("fewer than 64 parentheses and `not` in each other");
    }
    if opt(word("not")).parse_next(input)?.is_some() {
        return Ok(Expression::Not(Box::new(one(input, depth + 1)?)));
    }
    if opt(symbol("(")).parse_next(input)?.is_some() {
        let inner = any(input, depth + 1)?;
        return match opt(symbol(")")).parse_next(input)? {
            Some(_) => Ok(inner),
            None => unexpected("`and`, `or` or `)`"),
        };
    }
    if opt(word("has")).parse_next(input)?.is_some() {
        return Ok(Expression::Has(field(input)?));
    }
    comparison(input)
}

fn comparison(input: &mut &str) -> Parsed<Expression> {
    let start = input.checkpoint();
    let field = field(input)?;
    match &field {
        Field::Locked => {
            input.reset(&start);
            unexpected("`has locked`: it is compared with nothing")
        }
        Field::Name | Field::Type | Field::Tag | Field::Description | Field::Label(_) => {
            let operators = alt((symbol("!="), symbol("="), word("like")));
            let Some(operator) = opt(operators).parse_next(input)? else {
                return unexpected("`=`, `!=` or `like`, as for every text");
            };
            let value = text(input)?;
            Ok(match operator {
                "=" => Expression::Is(field, value),
                "!=" => Expression::IsNot(field, value),
                _ => Expression::Like(field, Glob::new(value)),
            })
        }
        Field::Version | Field::Metric(_) | Field::Size | Field::Age | Field::Created => {
            let operators = alt((
                symbol("<=").value(Order::LessOrEqual),
                symbol(">=").value(Order::GreaterOrEqual),
                symbol("!=").value(Order::NotEqual),
                symbol("=").value(Order::Equal),
                symbol("<").value(Order::Less),
                symbol(">").value(Order::Greater),
            ));
            let Some(order) = opt(operators).parse_next(input)? else {
                return unexpected("`=`, `!=`, `<`, `<=`, `>` or `>=`");
            };
            let value = number(input, &field)?;
            Ok(Expression::Number(field, order, value))
        }
    }
}

/// A case-insensitive keyword that is not the start of a longer name.
fn word<'i>(keyword: &'static str) -> impl Parser<&'i str, &'i str, Unexpected> {
    let keyword = terminated(Caseless(keyword).value(keyword), not(one_of(is_name)));
    preceded(multispace0, keyword)
}

fn symbol<'i>(symbol: &'static str) -> impl Parser<&'i str, &'i str, Unexpected> {
    preceded(multispace0, symbol)
}

/// Characters of field names, numbers, sizes, durations and times.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-/:+".contains(c)
}

fn field(input: &mut &str) -> Parsed<Field> {
    let start = input.checkpoint();
    let name: &str = preceded(multispace0, take_while(0.., is_name)).parse_next(input)?;
    Ok(match name {
        "name" => Field::Name,
        "type" => Field::Type,
        "tag" => Field::Tag,
        "description" => Field::Description,
        "version" => Field::Version,
        "size" => Field::Size,
        "age" => Field::Age,
        "created" => Field::Created,
        "locked" => Field::Locked,
        _ => match name.split_once('.') {
            Some(("labels", label)) if !label.is_empty() => Field::Label(label.to_owned()),
            Some(("metrics", metric)) if !metric.is_empty() => Field::Metric(metric.to_owned()),
            _ => {
                input.reset(&start);
                return unexpected(FIELDS);
            }
        },
    })
}

/// A text in quotes.
fn text(input: &mut &str) -> Parsed<String> {
    let start = input.checkpoint();
    let Some(quote) = opt(alt((symbol("\""), symbol("'")))).parse_next(input)? else {
        return unexpected("a text in quotes");
    };
    let mut text = String::new();
    let mut chars = input.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            c if quote.starts_with(c) => {
                *input = chars.as_str();
                return Ok(text);
            }
            c => text.push(c),
        }
    }
    input.reset(&start);
    unexpected(format!("a text that ends in {quote}"))
}

/// A number in the unit of the field, quoted or not.
fn number(input: &mut &str, field: &Field) -> Parsed<f64> {
    let start = input.checkpoint();
    let quoted = opt(preceded(multispace0, one_of(['"', '\'']))).parse_next(input)?.is_some();
    input.reset(&start);
    let written = match quoted {
        true => text(input)?,
        false => {
            let plain = preceded(multispace0, take_while(0.., is_name));
            let mut plain = plain.map(|written: &str| written.to_owned());
            plain.parse_next(input)?
        }
    };
    let (value, expected) = match field {
        Field::Size => (
            parse_size(&written).map(|bytes| bytes as f64),
            "a number of bytes, such as 10MB or 4GiB",
        ),
        Field::Age => (
            humantime::parse_duration(&written).ok().map(|age| age.as_secs_f64()),
            "a duration, such as 7d or 1h30m",
        ),
        Field::Created => {
            (time(&written), "a day or a time, such as 2026-11-21 or 2026-11-21T08:30:00Z")
        }
        Field::Version => {
            let number = written.strip_prefix('v').unwrap_or(&written).parse().ok();
            (number.and_then(VersionNumber::new).map(|n| n.get() as f64), "a version number")
        }
        _ => {
            let number: Option<f64> = written.parse().ok();
            (number.filter(|number| number.is_finite()), "a number")
        }
    };
    match value {
        Some(value) => Ok(value),
        None => {
            input.reset(&start);
            unexpected(expected)
        }
    }
}

/// A time in UTC; a date means its first instant.
fn time(text: &str) -> Option<f64> {
    let time = humantime::parse_rfc3339_weak(text)
        .or_else(|_| humantime::parse_rfc3339_weak(&format!("{text}T00:00:00Z")));
    time.ok().map(seconds)
}

fn unexpected<T>(expected: impl Into<Cow<'static, str>>) -> Parsed<T> {
    Err(Unexpected { expected: expected.into() })
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
