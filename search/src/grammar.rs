//! The grammar of filters: conditions joined by `and`, `or`, `not` and parentheses.
//!
//! ```text
//! any     = all, { "or", all }
//! all     = one, { "and", one }
//! one     = "not", one | "(", any, ")" | condition
//! ```
//!
//! For crates with conditions of their own: [`parse`] takes the parser of one condition.

use std::borrow::Cow;

use larder_core::{Error, Result};
use winnow::Parser;
use winnow::ascii::{Caseless, multispace0};
use winnow::combinator::{alt, not, opt, preceded, terminated};
use winnow::error::EmptyError;
use winnow::token::{one_of, take_while};

/// The maximum nesting of parentheses and `not`.
const MOST_DEPTH: usize = 64;

/// Conditions joined by `and`, `or` and `not`.
#[derive(Debug, Clone, PartialEq)]
pub enum Logic<C> {
    /// At least one of them holds.
    Any(Vec<Self>),
    /// All of them hold.
    All(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A condition.
    One(C),
}

impl<C> Logic<C> {
    /// Returns the logic of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut all = match self {
            Self::All(all) => all,
            one => vec![one],
        };
        all.push(other);
        Self::All(all)
    }

    /// Returns whether it holds, if `test` says whether a condition does.
    pub fn holds(&self, test: &impl Fn(&C) -> bool) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.holds(test)),
            Self::All(parts) => parts.iter().all(|part| part.holds(test)),
            Self::Not(part) => !part.holds(test),
            Self::One(condition) => test(condition),
        }
    }

    /// Passes each condition to `visit`, in order.
    ///
    /// # Errors
    /// The first of `visit`.
    pub fn try_each<E>(&self, visit: &mut impl FnMut(&C) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Any(parts) | Self::All(parts) => {
                parts.iter().try_for_each(|part| part.try_each(visit))
            }
            Self::Not(part) => part.try_each(visit),
            Self::One(condition) => visit(condition),
        }
    }

    /// Returns the same logic of other conditions.
    ///
    /// # Errors
    /// The first of `change`.
    pub fn try_map<D, E>(
        &self,
        change: &mut impl FnMut(&C) -> Result<D, E>,
    ) -> Result<Logic<D>, E> {
        let mut all = |parts: &[Self]| -> Result<Vec<Logic<D>>, E> {
            parts.iter().map(|part| part.try_map(change)).collect()
        };
        Ok(match self {
            Self::Any(parts) => Logic::Any(all(parts)?),
            Self::All(parts) => Logic::All(all(parts)?),
            Self::Not(part) => Logic::Not(Box::new(part.try_map(change)?)),
            Self::One(condition) => Logic::One(change(condition)?),
        })
    }

    /// Returns whether a condition is one that `is_wanted` accepts.
    pub fn mentions(&self, is_wanted: &impl Fn(&C) -> bool) -> bool {
        let mut look = |condition: &C| if is_wanted(condition) { Err(()) } else { Ok(()) };
        self.try_each(&mut look).is_err()
    }
}

/// A comparison of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=` or `==`
    Equal,
    /// `!=` or `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Compares two values.
    pub fn holds<T: PartialOrd>(self, one: T, two: T) -> bool {
        match self {
            Self::Equal => one == two,
            Self::NotEqual => one != two,
            Self::Less => one < two,
            Self::LessOrEqual => one <= two,
            Self::Greater => one > two,
            Self::GreaterOrEqual => one >= two,
        }
    }

    /// Returns true for `=` and `!=`.
    pub fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }
}

/// The token that the parser expected where it failed.
#[derive(Debug)]
pub struct Unexpected(Cow<'static, str>);

/// The result of a parser.
pub type Parsed<T> = Result<T, Unexpected>;

/// Fails at the current position, where something else was expected.
///
/// # Errors
/// Always.
pub fn unexpected<T>(expected: impl Into<Cow<'static, str>>) -> Parsed<T> {
    Err(Unexpected(expected.into()))
}

/// The rest of a filter. A copy is the place to go back to.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    rest: &'a str,
    is_name: fn(char) -> bool,
}

impl<'a> Input<'a> {
    /// Takes what a parser accepts after spaces.
    fn take<T>(&mut self, parser: impl Parser<&'a str, T, EmptyError>) -> Option<T> {
        opt(preceded(multispace0, parser)).parse_next(&mut self.rest).ok().flatten()
    }

    /// Takes a keyword in any case that is not the start of a longer name.
    pub fn word(&mut self, keyword: &'static str) -> bool {
        let is_name = self.is_name;
        self.take(terminated(Caseless(keyword), not(one_of(is_name)))).is_some()
    }

    /// Takes a symbol.
    pub fn symbol(&mut self, symbol: &'static str) -> bool {
        self.take(symbol).is_some()
    }

    /// Takes a comparison.
    pub fn comparison(&mut self) -> Option<Comparison> {
        self.take(alt((
            alt(("<=".value(Comparison::LessOrEqual), ">=".value(Comparison::GreaterOrEqual))),
            alt(("!=".value(Comparison::NotEqual), "<>".value(Comparison::NotEqual))),
            alt(("==".value(Comparison::Equal), "=".value(Comparison::Equal))),
            alt(("<".value(Comparison::Less), ">".value(Comparison::Greater))),
        )))
    }

    /// Takes a name, a number or a time, which may be empty.
    pub fn name(&mut self) -> &'a str {
        let is_name = self.is_name;
        self.take(take_while(0.., is_name)).unwrap_or_default()
    }

    /// Takes what stands before the next `end`.
    pub fn until(&mut self, end: char) -> Option<&'a str> {
        let (found, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(found)
    }

    /// Takes a text in quotes, in which `\` escapes; `None` if no quote comes next.
    ///
    /// # Errors
    /// [`Unexpected`] if it does not end.
    pub fn text(&mut self) -> Parsed<Option<String>> {
        let start = *self;
        let Some(quote) = self.take(one_of(['"', '\''])) else { return Ok(None) };
        let mut text = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => text.extend(chars.next()),
                c if c == quote => {
                    self.rest = chars.as_str();
                    return Ok(Some(text));
                }
                c => text.push(c),
            }
        }
        *self = start;
        unexpected(format!("a text that ends in {quote}"))
    }
}

/// The rules of a kind of filters.
#[derive(Debug, Clone, Copy)]
pub struct Rules<C> {
    /// The maximum length in bytes.
    pub most_bytes: usize,
    /// Characters of names, numbers and times.
    pub is_name: fn(char) -> bool,
    /// The parser of one condition.
    pub condition: fn(&mut Input<'_>) -> Parsed<C>,
}

/// Parses a filter.
///
/// # Errors
/// [`Error::InvalidName`] with the column, what stands there, and what was expected.
pub fn parse<C>(text: &str, rules: Rules<C>) -> Result<Logic<C>> {
    let most = rules.most_bytes;
    if text.len() > most {
        let reason = format!("it is longer than {},{:03} bytes", most / 1_000, most % 1_000);
        return Err(Error::invalid("filter", text, reason));
    }
    let mut input = Input { rest: text, is_name: rules.is_name };
    let parsed = any(&mut input, &rules, 0);
    let rest = input.rest.trim_start();
    let Unexpected(expected) = match parsed {
        Ok(logic) if rest.is_empty() => return Ok(logic),
        Ok(_) => Unexpected("`and`, `or` or the end".into()),
        Err(error) => error,
    };
    let column = text[..text.len() - rest.len()].chars().count() + 1;
    let found = match rest.split([' ', '\t', '\n', '(', ')']).next() {
        Some("") if !rest.is_empty() => format!("`{rest:.1}`"),
        Some("") | None => "the end".to_owned(),
        Some(word) => format!("`{word:.40}`"),
    };
    Err(Error::invalid("filter", text, format!("at column {column}, {found}: expected {expected}")))
}

fn any<C>(input: &mut Input<'_>, rules: &Rules<C>, depth: usize) -> Parsed<Logic<C>> {
    let mut parts = vec![all(input, rules, depth)?];
    while input.word("or") {
        parts.push(all(input, rules, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Logic::Any(parts) })
}

fn all<C>(input: &mut Input<'_>, rules: &Rules<C>, depth: usize) -> Parsed<Logic<C>> {
    let mut parts = vec![one(input, rules, depth)?];
    while input.word("and") {
        parts.push(one(input, rules, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Logic::All(parts) })
}

fn one<C>(input: &mut Input<'_>, rules: &Rules<C>, depth: usize) -> Parsed<Logic<C>> {
    if depth > MOST_DEPTH {
        return unexpected("fewer than 64 parentheses and `not` in each other");
    }
    if input.word("not") {
        return Ok(Logic::Not(Box::new(one(input, rules, depth + 1)?)));
    }
    if input.symbol("(") {
        let inner = any(input, rules, depth + 1)?;
        return if input.symbol(")") { Ok(inner) } else { unexpected("`and`, `or` or `)`") };
    }
    (rules.condition)(input).map(Logic::One)
}
