//! The grammar of filters, which is that of searches.
//!
//! ```text
//! any     = all, { "or", all }
//! all     = one, { "and", one }
//! one     = "not", one | "(", any, ")" | "has", field | field, operator, value
//! ```

use std::borrow::Cow;

use larder_core::{Error, Result};
use winnow::Parser;
use winnow::ascii::{Caseless, multispace0};
use winnow::combinator::{alt, not, opt, preceded, terminated};
use winnow::error::ParserError;
use winnow::stream::Stream;
use winnow::token::{one_of, take_while};

use super::{Expression, Literal, Operator};

/// The maximum length of a filter in bytes.
const MOST_BYTES: usize = 65_536;
/// The maximum nesting of parentheses and `not`.
const MOST_DEPTH: usize = 64;

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

fn unexpected<T>(expected: impl Into<Cow<'static, str>>) -> Parsed<T> {
    Err(Unexpected { expected: expected.into() })
}

pub(super) fn filter(text: &str) -> Result<Expression> {
    if text.len() > MOST_BYTES {
        return Err(Error::invalid("filter", text, "it is longer than 65,536 bytes"));
    }
    let parsed = terminated(|input: &mut &str| any(input, 0), multispace0).parse(text);
    parsed.map_err(|error| {
        let at = error.offset();
        let rest = text[at..].trim_start();
        let column = text[..text.len() - rest.len()].chars().count() + 1;
        let found = match rest.split([' ', '\t', '\n', '(', ')']).next() {
            Some("") if rest.is_empty() => "the end".to_owned(),
            Some("") => format!("`{rest:.1}`"),
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
    let start = input.checkpoint();
    if opt(word("has")).parse_next(input)?.is_some() {
        if let Ok(field) = field(input) {
            return Ok(Expression::Has(field));
        }
        // A field that is called `has`.
        input.reset(&start);
    }
    comparison(input)
}

fn comparison(input: &mut &str) -> Parsed<Expression> {
    let field = field(input)?;
    if opt(word("like")).parse_next(input)?.is_some() {
        return match literal(input)? {
            Literal::Text(pattern) => Ok(Expression::Like(field, pattern)),
            _ => unexpected("a pattern in quotes after `like`"),
        };
    }
    let operators = alt((
        symbol("<=").value(Operator::LessOrEqual),
        symbol(">=").value(Operator::GreaterOrEqual),
        symbol("!=").value(Operator::NotEqual),
        symbol("<>").value(Operator::NotEqual),
        symbol("==").value(Operator::Equal),
        symbol("=").value(Operator::Equal),
        symbol("<").value(Operator::Less),
        symbol(">").value(Operator::Greater),
    ));
    let Some(operator) = opt(operators).parse_next(input)? else {
        return unexpected("`=`, `!=`, `<`, `<=`, `>`, `>=` or `like`");
    };
    Ok(Expression::Compare(field, operator, literal(input)?))
}

/// A case-insensitive keyword that is not the start of a longer name.
fn word<'i>(keyword: &'static str) -> impl Parser<&'i str, &'i str, Unexpected> {
    let keyword = terminated(Caseless(keyword).value(keyword), not(one_of(is_name)));
    preceded(multispace0, keyword)
}

fn symbol<'i>(symbol: &'static str) -> impl Parser<&'i str, &'i str, Unexpected> {
    preceded(multispace0, symbol)
}

/// Characters of field names, numbers and times.
fn is_name(c: char) -> bool {
    c.is_alphanumeric() || "._-/:+$".contains(c)
}

/// A name, or any text between backticks.
fn field(input: &mut &str) -> Parsed<String> {
    let start = input.checkpoint();
    if opt(symbol("`")).parse_next(input)?.is_some() {
        if let Some((name, rest)) = input.split_once('`')
            && !name.is_empty()
        {
            *input = rest;
            return Ok(name.to_owned());
        }
        input.reset(&start);
        return unexpected("a field that ends in a backtick");
    }
    let name: &str = preceded(multispace0, take_while(0.., is_name)).parse_next(input)?;
    if name.is_empty() {
        input.reset(&start);
        return unexpected("a field, `not`, `has` or `(`");
    }
    Ok(name.to_owned())
}

/// A text in quotes, or a number, a date, `true` or `false` without.
fn literal(input: &mut &str) -> Parsed<Literal> {
    let start = input.checkpoint();
    let Some(quote) = opt(alt((symbol("\""), symbol("'")))).parse_next(input)? else {
        let plain: &str = preceded(multispace0, take_while(0.., is_name)).parse_next(input)?;
        return match plain {
            "" => {
                input.reset(&start);
                unexpected("a number, a date, `true`, `false`, or a text in quotes")
            }
            plain if plain.eq_ignore_ascii_case("null") => {
                input.reset(&start);
                unexpected("a value; write `not has FIELD` for fields that are null")
            }
            plain => Ok(Literal::Plain(plain.to_owned())),
        };
    };
    let mut text = String::new();
    let mut chars = input.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            c if quote.starts_with(c) => {
                *input = chars.as_str();
                return Ok(Literal::Text(text));
            }
            c => text.push(c),
        }
    }
    input.reset(&start);
    unexpected(format!("a text that ends in {quote}"))
}
