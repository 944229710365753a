#![allow(clippy::unwrap_used)]

use super::*;

fn parsed(text: &str) -> Filter {
    text.parse().unwrap()
}

#[test]
fn a_filter_of_rows_has_the_grammar_of_searches() {
    assert_eq!(
        parsed("not a=1 AND b <> 'x' or has c"),
        parsed("((not (a == 1)) and b != \"x\") or has c")
    );
    assert_eq!(
        parsed("`a name` like 'p*'").0,
        Logic::One(Condition::Like("a name".into(), "p*".into()))
    );
    assert!(parsed("has = 1").mentions(|name| name == "has"), "a field that is called `has`");
    assert!(parsed("größe > 2.5").mentions(|name| name == "größe"));
}

#[test]
fn what_cannot_be_read_is_refused_where_it_stands() {
    let cases = [
        ("", "at column 1, the end:", "a field, `not`, `has` or `(`"),
        ("price <", "at column 8, the end:", "a number, a date"),
        ("price < 10 name = 'x'", "at column 12, `name`:", "`and`, `or` or the end"),
        ("price ~ 10", "at column 7, `~`:", "`like`"),
        ("price = null", "at column 9, `null`:", "not has FIELD"),
        ("name = 'pear", "at column 8, `'pear`:", "a text that ends in '"),
        ("name like pear", "at column 15, the end:", "a pattern in quotes"),
        ("`price < 10", "at column 1, `\x60price`:", "a backtick"),
        ("(price < 10", "at column 12, the end:", "`and`, `or` or `)`"),
    ];
    for (text, place, expected) in cases {
        let reason = match text.parse::<Filter>() {
            Err(Error::InvalidName { what: "filter", reason, .. }) => reason,
            other => panic!("{text} is {other:?}"),
        };
        assert!(reason.starts_with(place) && reason.contains(expected), "{text}: {reason}");
    }
    let long = " ".repeat(70_000).parse::<Filter>().unwrap_err().to_string();
    assert!(long.contains("longer than 65,536 bytes"), "{long}");
}

#[test]
fn a_filter_is_divided_by_its_fields() {
    let is_first = |name: &str| !name.starts_with('_');
    let both = parsed("a = 1 and (_b = 2 or a = 3) and has c");
    let (first, rest) = both.split(is_first);
    assert_eq!(first, Some(parsed("a = 1 and has c")));
    assert!(rest.unwrap().mentions(|name| name == "_b"));
    assert_eq!(parsed("_a = 1 or b = 2").split(is_first).0, None);
    assert_eq!(parsed("a = 1").split(is_first).1, None);
}
