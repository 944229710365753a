//! The conditions of filters on versions.

use super::Glob;
use super::filter::{Condition, Expression, Field, seconds};
use crate::grammar::{Comparison, Input, Parsed, Rules, parse, unexpected};
use larder_core::Result;
use larder_core::store::VersionNumber;
use larder_core::store::parse_size;

const FIELDS: &str = "a field: name, version, type, tag, size, age, created, description, labels.NAME, \
                      metrics.NAME, or `has locked`";

pub(super) fn filter(text: &str) -> Result<Expression> {
    parse(text, Rules { most_bytes: 4_096, is_name, condition })
}

fn condition(input: &mut Input<'_>) -> Parsed<Condition> {
    if input.word("has") {
        return Ok(Condition::Has(field(input)?));
    }
    let start = *input;
    let field = field(input)?;
    match &field {
        Field::Locked => {
            *input = start;
            unexpected("`has locked`: it is compared with nothing")
        }
        Field::Name | Field::Type | Field::Tag | Field::Description | Field::Label(_) => {
            let start = *input;
            let is_like = input.word("like");
            let comparison = if is_like { None } else { input.comparison() };
            if !is_like && !comparison.is_some_and(Comparison::is_equality) {
                *input = start;
                return unexpected("`=`, `!=` or `like`, as for every text");
            }
            let Some(value) = input.text()? else { return unexpected("a text in quotes") };
            Ok(match comparison {
                None => Condition::Like(field, Glob::new(value)),
                Some(Comparison::Equal) => Condition::Is(field, value),
                Some(_) => Condition::IsNot(field, value),
            })
        }
        Field::Version | Field::Metric(_) | Field::Size | Field::Age | Field::Created => {
            let Some(comparison) = input.comparison() else {
                return unexpected("`=`, `!=`, `<`, `<=`, `>` or `>=`");
            };
            let value = number(input, &field)?;
            Ok(Condition::Number(field, comparison, value))
        }
    }
}

/// Characters of field names, numbers, sizes, durations and times.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-/:+".contains(c)
}

fn field(input: &mut Input<'_>) -> Parsed<Field> {
    let start = *input;
    let name = input.name();
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
                *input = start;
                return unexpected(FIELDS);
            }
        },
    })
}

/// A number in the unit of the field, quoted or not.
fn number(input: &mut Input<'_>, field: &Field) -> Parsed<f64> {
    let start = *input;
    let written = match input.text()? {
        Some(quoted) => quoted,
        None => input.name().to_owned(),
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
            *input = start;
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

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
