//! Filters of searches: `name LIKE 'house%' AND tag.task = 'price'`.

use larder_server::extend::Failure;

/// The most bytes of a filter.
const MOST_BYTES: usize = 4_000;

/// Conditions that all hold.
#[derive(Debug, Default)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug)]
struct Condition {
    field: Field,
    comparison: Comparison,
}

#[derive(Debug, PartialEq)]
enum Field {
    Known(String),
    Tag(String),
}

#[derive(Debug, PartialEq)]
enum Comparison {
    Equal(String),
    Unequal(String),
    Like(String),
    AnyCaseLike(String),
    In(Vec<String>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(String),
}

impl Filter {
    /// Parses a filter whose fields are `fields` and tags.
    pub(super) fn parse(text: &str, fields: &[&str]) -> Result<Self, Failure> {
        let invalid = |reason: &str| {
            let message = format!(
                "cannot search: the filter {reason}; its fields are {} and tag.KEY, its operators \
                 =, !=, LIKE, ILIKE and IN, joined by AND",
                fields.join(", ")
            );
            Failure::bad_request(message)
        };
        if text.len() > MOST_BYTES {
            return Err(invalid("is longer than 4,000 bytes"));
        }
        let tokens = tokens(text).ok_or_else(|| invalid("cannot be read"))?;
        let mut rest = tokens.into_iter().peekable();
        let mut conditions = Vec::new();
        while rest.peek().is_some() {
            if !conditions.is_empty() && !is_word(rest.next().as_ref(), "AND") {
                return Err(invalid("has conditions that AND does not join"));
            }
            let field = match rest.next() {
                Some(Token::Word(word)) => field(&word, fields),
                _ => None,
            };
            let field = field.ok_or_else(|| invalid("has an unknown field"))?;
            let comparison = comparison(&mut rest);
            let comparison = comparison.ok_or_else(|| invalid("has a comparison that is none"))?;
            conditions.push(Condition { field, comparison });
        }
        Ok(Self(conditions))
    }

    /// Returns the value that a field must have, if the filter says so.
    pub(super) fn equal(&self, field: &str) -> Option<&str> {
        self.0.iter().find_map(|condition| match (&condition.field, &condition.comparison) {
            (Field::Known(known), Comparison::Equal(value)) if known == field => {
                Some(value.as_str())
            }
            _ => None,
        })
    }

    /// Returns whether all conditions hold. A tag that is not there is unequal to every text.
    pub(super) fn matches(
        &self,
        field: impl Fn(&str) -> String,
        tag: impl Fn(&str) -> Option<String>,
    ) -> bool {
        self.0.iter().all(|condition| {
            let value = match &condition.field {
                Field::Known(known) => Some(field(known)),
                Field::Tag(key) => tag(key),
            };
            let is = |holds: &dyn Fn(&str) -> bool| value.as_deref().is_some_and(holds);
            match &condition.comparison {
                Comparison::Equal(other) => is(&|it| it == other),
                Comparison::Unequal(other) => !is(&|it| it == other),
                Comparison::Like(pattern) => is(&|it| like(it, pattern)),
                Comparison::AnyCaseLike(pattern) => {
                    is(&|it| like(&it.to_lowercase(), &pattern.to_lowercase()))
                }
                Comparison::In(all) => is(&|it| all.iter().any(|other| other == it)),
            }
        })
    }
}

fn is_word(token: Option<&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Word(it)) if it.eq_ignore_ascii_case(word))
}

fn field(word: &str, fields: &[&str]) -> Option<Field> {
    if let Some((of, key)) = word.split_once('.')
        && ["tag", "tags"].contains(&of.to_ascii_lowercase().as_str())
    {
        return (!key.is_empty()).then(|| Field::Tag(key.to_owned()));
    }
    fields.contains(&word).then(|| Field::Known(word.to_owned()))
}

fn comparison(rest: &mut impl Iterator<Item = Token>) -> Option<Comparison> {
    let operator = match rest.next()? {
        Token::Sign(sign) => sign,
        Token::Word(word) => word.to_ascii_uppercase(),
        Token::Text(_) => return None,
    };
    if operator == "IN" {
        let mut all = Vec::new();
        (rest.next()? == Token::Sign("(".into())).then_some(())?;
        loop {
            match (rest.next()?, rest.next()?) {
                (Token::Text(text), Token::Sign(sign)) if sign == "," => all.push(text),
                (Token::Text(text), Token::Sign(sign)) if sign == ")" => {
                    all.push(text);
                    return Some(Comparison::In(all));
                }
                _ => return None,
            }
        }
    }
    let value = match rest.next()? {
        Token::Text(text) => text,
        Token::Word(word) if word.bytes().all(|b| b.is_ascii_digit()) => word,
        _ => return None,
    };
    Some(match operator.as_str() {
        "=" => Comparison::Equal(value),
        "!=" => Comparison::Unequal(value),
        "LIKE" => Comparison::Like(value),
        "ILIKE" => Comparison::AnyCaseLike(value),
        _ => return None,
    })
}

/// Splits a filter into words, quoted texts and signs. A word may have parts in back quotes or double quotes.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let (mut rest, mut tokens) = (text.trim_start(), Vec::new());
    while let Some(first) = rest.chars().next() {
        match first {
            '\'' => {
                let (inside, after) = rest[1..].split_once('\'')?;
                tokens.push(Token::Text(inside.to_owned()));
                rest = after;
            }
            '"' if !matches!(tokens.last(), None | Some(Token::Word(_))) => {
                let (inside, after) = rest[1..].split_once('"')?;
                tokens.push(Token::Text(inside.to_owned()));
                rest = after;
            }
            '(' | ')' | ',' | '=' => {
                tokens.push(Token::Sign(first.to_string()));
                rest = &rest[1..];
            }
            '!' => {
                rest = rest.strip_prefix("!=")?;
                tokens.push(Token::Sign("!=".into()));
            }
            _ => {
                let (word, after) = word(rest)?;
                tokens.push(Token::Word(word));
                rest = after;
            }
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

fn word(text: &str) -> Option<(String, &str)> {
    let (mut word, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        match first {
            '`' | '"' => {
                let (inside, after) = rest[1..].split_once(first)?;
                word.push_str(inside);
                rest = after;
            }
            _ if first.is_alphanumeric() || "._-/".contains(first) => {
                word.push(first);
                rest = &rest[first.len_utf8()..];
            }
            _ => break,
        }
    }
    (!word.is_empty()).then_some((word, rest))
}

/// Returns whether a text has a pattern of SQL: `%` is any text, `_` any character.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where the last `%` stands, and what it has taken so far.
    let mut last = None;
    while at < text.len() {
        match pattern.get(of) {
            Some('%') => {
                last = Some((of, at));
                of += 1;
            }
            Some(c) if *c == '_' || *c == text[at] => (at, of) = (at + 1, of + 1),
            _ => match &mut last {
                Some((star, taken)) => {
                    *taken += 1;
                    (at, of) = (*taken, *star + 1);
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|c| *c == '%')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn is(filter: &str, name: &str, tags: &[(&str, &str)]) -> bool {
        let tag = |key: &str| tags.iter().find(|it| it.0 == key).map(|it| it.1.to_owned());
        Filter::parse(filter, &["name"]).unwrap().matches(|_| name.to_owned(), tag)
    }

    #[test]
    fn filters_are_what_mlflow_documents() {
        assert!(is("", "a", &[]) && is("name = 'a'", "a", &[]) && !is("name = 'a'", "b", &[]));
        assert!(is("name LIKE 'house%'", "house~price", &[]));
        assert!(!is("name LIKE 'House%'", "house~price", &[]));
        assert!(is("name ILIKE 'House%' and name != 'x'", "house~price", &[]));
        assert!(is("name LIKE '%e%p_ice'", "house~price", &[]));
        assert!(!is("name LIKE '%e%p_ce'", "house~price", &[]));
        assert!(is("tags.task = 'x' AND name = \"a\"", "a", &[("task", "x")]));
        assert!(is("tag.`mlflow.prompt.is_prompt` != 'true'", "a", &[]));
        assert!(!is("tag.\"a b\" != 'true'", "a", &[("a b", "true")]));
        assert!(is("name IN ('a', 'b')", "b", &[]) && !is("name IN ('a','b')", "c", &[]));
        let filter = Filter::parse("name='a'", &["name"]).unwrap();
        assert_eq!(filter.equal("name"), Some("a"));
    }

    #[test]
    fn other_filters_are_refused() {
        for bad in [
            "name",
            "name =",
            "name = 'a",
            "name = a",
            "other = 'a'",
            "name = 'a' OR name = 'b'",
            "name = 'a' name = 'b'",
            "name < 'a'",
            "name IN 'a'",
            "name IN ('a'",
            "tag. = 'x'",
            "!name = 'a'",
            "= 'a'",
            "name = 'a' AND",
            "AND",
            "name IN ()",
            "ä",
        ] {
            assert!(Filter::parse(bad, &["name"]).is_err(), "{bad}");
        }
        assert!(Filter::parse(&"x".repeat(5_000), &["name"]).is_err());
    }

    #[test]
    fn a_pattern_takes_linear_time() {
        assert!(!like(&"a".repeat(2_000), &("%a".repeat(500) + "b")));
    }
}
