//! The conditions of filters on rows. They use the grammar of searches.

use larder_core::Result;
use larder_search::grammar::{Input, Logic, Parsed, Rules, parse, unexpected};

use super::{Condition, Literal};

pub(super) fn filter(text: &str) -> Result<Logic<Condition>> {
    parse(text, Rules { most_bytes: 65_536, is_name, condition })
}

fn condition(input: &mut Input<'_>) -> Parsed<Condition> {
    let start = *input;
    if input.word("has") {
        if let Ok(field) = field(input) {
            return Ok(Condition::Has(field));
        }
        // A field that is called `has`.
        *input = start;
    }
    let field = field(input)?;
    if input.word("like") {
        return match literal(input)? {
            Literal::Text(pattern) => Ok(Condition::Like(field, pattern)),
            Literal::Plain(_) => unexpected("a pattern in quotes after `like`"),
        };
    }
    let Some(comparison) = input.comparison() else {
        return unexpected("`=`, `!=`, `<`, `<=`, `>`, `>=` or `like`");
    };
    Ok(Condition::Compare(field, comparison, literal(input)?))
}

/// Characters of field names, numbers and times.
fn is_name(c: char) -> bool {
    c.is_alphanumeric() || "._-/:+$".contains(c)
}

/// A name, or any text between backticks.
fn field(input: &mut Input<'_>) -> Parsed<String> {
    let start = *input;
    if input.symbol("`") {
        if let Some(name) = input.until('`').filter(|name| !name.is_empty()) {
            return Ok(name.to_owned());
        }
        *input = start;
        return unexpected("a field that ends in a backtick");
    }
    match input.name() {
        "" => unexpected("a field, `not`, `has` or `(`"),
        name => Ok(name.to_owned()),
    }
}

/// A text in quotes, or a number, a date, `true` or `false` without.
fn literal(input: &mut Input<'_>) -> Parsed<Literal> {
    if let Some(text) = input.text()? {
        return Ok(Literal::Text(text));
    }
    let start = *input;
    match input.name() {
        "" => unexpected("a number, a date, `true`, `false`, or a text in quotes"),
        plain if plain.eq_ignore_ascii_case("null") => {
            *input = start;
            unexpected("a value; write `not has FIELD` for fields that are null")
        }
        plain => Ok(Literal::Plain(plain.to_owned())),
    }
}
