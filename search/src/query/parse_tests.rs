#![allow(clippy::unwrap_used)]

use super::*;
use crate::grammar::Logic;
use larder_core::Error;

fn parsed(text: &str) -> Expression {
    filter(text).unwrap()
}

fn refused(text: &str) -> String {
    match filter(text) {
        Err(Error::InvalidName { what: "filter", reason, .. }) => reason,
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn not_binds_more_than_and_and_and_more_than_or() {
    assert_eq!(
        parsed("not version = 1 and version = 2 or version = 3"),
        parsed("((not (version = 1)) and (version = 2)) or (version = 3)")
    );
    assert_ne!(
        parsed("version = 1 and (version = 2 or version = 3)"),
        parsed("version = 1 and version = 2 or version = 3")
    );
}

#[test]
fn keywords_are_written_in_any_case_and_spaces_where_one_likes() {
    assert_eq!(
        parsed("NOT(version=1)AND has locked Or name LIKE'a*'"),
        parsed(" not ( version = 1 ) and has locked or name like \"a*\" ")
    );
}

#[test]
fn a_name_that_begins_like_a_keyword_is_a_name() {
    assert_eq!(
        parsed("has labels.or and has metrics.not-yet/f1"),
        Logic::All(vec![
            Logic::One(Condition::Has(Field::Label("or".into()))),
            Logic::One(Condition::Has(Field::Metric("not-yet/f1".into()))),
        ])
    );
    assert!(refused("version = 1 orange").contains("`orange`"));
}

#[test]
fn numbers_have_the_units_of_what_they_count() {
    let number = |text: &str| match parsed(text) {
        Logic::One(Condition::Number(_, _, number)) => number,
        other => panic!("{other:?}"),
    };
    assert_eq!(number("size < 10MB"), 10e6);
    assert_eq!(number("size < 1.5KiB"), 1536.0);
    assert_eq!(number("size < 812"), 812.0);
    assert_eq!(number("age < 7d"), 7.0 * 86400.0);
    assert_eq!(number("age < '1h 30m'"), 5400.0);
    assert_eq!(number("created >= 1970-01-02"), 86400.0);
    assert_eq!(number("created >= \"1970-01-02T00:00:01Z\""), 86401.0);
    assert_eq!(number("metrics.loss <= -1.5e-3"), -0.0015);
    assert_eq!(number("version = v7"), 7.0);
}

#[test]
fn texts_stand_in_either_quotes_and_keep_what_is_escaped() {
    let text = |text: &str| match parsed(text) {
        Logic::One(Condition::Is(_, text)) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(text("labels.a = \"it's\""), "it's");
    assert_eq!(text(r#"labels.a = 'it\'s \"b\" \\'"#), r#"it's "b" \"#);
    assert_eq!(text("labels.a = ''"), "");
}

#[test]
fn what_cannot_be_read_is_refused_where_it_stands() {
    let cases = [
        ("", "at column 1, the end:", "a field"),
        ("accuracy > 0.9", "at column 1, `accuracy`:", "metrics.NAME"),
        ("size < 1 and labels. = 'x'", "at column 14, `labels.`:", "labels.NAME"),
        ("metrics.a > high", "at column 13, `high`:", "a number"),
        ("metrics.a > NaN", "at column 13, `NaN`:", "a number"),
        ("size < 10 parsecs", "at column 11, `parsecs`:", "`and`, `or` or the end"),
        ("size < 10parsecs", "at column 8, `10parsecs`:", "a number of bytes"),
        ("size < -1", "at column 8, `-1`:", "a number of bytes"),
        ("age < soon", "at column 7, `soon`:", "a duration"),
        ("created < monday", "at column 11, `monday`:", "a day or a time"),
        ("version = 0", "at column 11, `0`:", "a version number"),
        ("name = wine", "at column 8, `wine`:", "a text in quotes"),
        ("name = \"wine", "at column 8, `\"wine`:", "a text that ends in \""),
        ("labels.a < 'b'", "at column 10, `<`:", "`=`, `!=` or `like`"),
        ("metrics.a like 'b'", "at column 11, `like`:", "`<=`"),
        ("locked = 'x'", "at column 1, `locked`:", "`has locked`"),
        ("(version = 1", "at column 13, the end:", "`)`"),
        ("version = 1)", "at column 12, `)`:", "`and`, `or` or the end"),
        ("name = 'größe' und", "at column 16, `und`:", "`and`, `or` or the end"),
        ("version = 1 and", "at column 16, the end:", "a field"),
        ("not", "at column 4, the end:", "a field"),
    ];
    for (text, place, expected) in cases {
        let reason = refused(text);
        assert!(reason.starts_with(place) && reason.contains(expected), "{text}: {reason}");
    }
}

#[test]
fn what_is_too_deep_or_too_long_is_refused() {
    for deep in ["(".repeat(2_000), "not ".repeat(1_000)] {
        assert!(refused(&deep).contains("fewer than 64"), "{}", refused(&deep));
    }
    assert!(parsed(&("(".repeat(60) + "version = 1" + &")".repeat(60))) == parsed("version = 1"));
    assert!(refused(&" ".repeat(5_000)).contains("4,096 bytes"));
}
