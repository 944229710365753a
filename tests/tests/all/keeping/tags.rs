//! Tags: conditions, protection, history.

use larder::store::Remedy;
use larder::versions::TagOptions;
use larder::{Error, Larder, Reference};

use super::{
    THREADS, apply, assert_blocked, assert_refused, everywhere, larder, race, record, set_record,
};

fn version(reference: &str) -> Reference {
    reference.parse().unwrap()
}

/// The history of `wine:prod`: the number of each move, and the version.
fn history(larder: &Larder) -> Vec<(u64, Option<u64>)> {
    let moves = larder.tags().history("wine", "prod").unwrap();
    moves.iter().map(|line| (line.number, line.version.map(|version| version.get()))).collect()
}

#[test]
fn a_tag_moves_from_where_it_is_expected_and_from_nowhere_else() {
    let larder = larder();
    apply(&larder, "wine", 3);
    apply(&larder, "beer", 1);
    let only_new = TagOptions::new().only_new(true);
    larder.tags().set("wine@1", "prod", &only_new).unwrap();
    assert_refused(larder.tags().set("wine@2", "prod", &only_new), "v1, not nothing");
    let from_1 = TagOptions::new().from(version("wine@1"));
    larder.tags().set("wine@2", "prod", &from_1).unwrap();
    assert_refused(larder.tags().set("wine@3", "prod", &from_1), "v2, not v1");
    assert_refused(larder.tags().set("wine@3", "new", &from_1), "nothing, not v1");
    assert_refused(larder.tags().remove("wine", "prod", &from_1), "v2, not v1");
    let from_beer = TagOptions::new().from(version("beer@1"));
    let error = larder.tags().set("wine@1", "prod", &from_beer).unwrap_err();
    assert!(matches!(error, Error::InvalidName { .. }), "{error:?}");
    assert_eq!(history(&larder), [(1, Some(1)), (2, Some(2))]);
}

#[test]
fn a_tag_that_is_set_where_it_is_already_is_not_written_again() {
    let larder = larder();
    apply(&larder, "wine", 1);
    larder.tag("wine@1", "prod").unwrap();
    let before: Vec<_> = larder.store().list_records("", None, 100).unwrap();
    larder.tag("wine", "prod").unwrap();
    assert_eq!(larder.store().list_records("", None, 100).unwrap(), before);
}

#[test]
fn a_protected_tag_is_moved_removed_and_unprotected_by_force_only() {
    let larder = larder();
    apply(&larder, "wine", 2);
    larder.tags().set("wine@1", "prod", &TagOptions::new().protected(true)).unwrap();
    for refused in [
        larder.tag("wine@2", "prod").map(drop),
        larder.tags().set("wine@1", "prod", &TagOptions::new().protected(false)).map(drop),
        larder.untag("wine", "prod"),
    ] {
        assert_blocked(refused, Remedy::Force);
    }
    larder.tag("wine@1", "prod").unwrap();
    larder.tags().set("wine@2", "prod", &TagOptions::new().force(true)).unwrap();
    let tags = larder.tags().of("wine").unwrap();
    assert!(tags[0].protected && tags[0].version.get() == 2, "it is still protected: {tags:?}");
    larder.tags().set("wine@2", "prod", &TagOptions::new().protected(false).force(true)).unwrap();
    larder.untag("wine", "prod").unwrap();
    assert_eq!(history(&larder), [(1, Some(1)), (2, Some(2)), (3, None)]);
    // Protection is no move, and may come later.
    larder.tag("wine@1", "prod").unwrap();
    larder.tags().set("wine@1", "prod", &TagOptions::new().protected(true)).unwrap();
    assert_blocked(larder.untag("wine", "prod"), Remedy::Force);
    larder.tags().remove("wine", "prod", &TagOptions::new().force(true)).unwrap();
    assert_eq!(history(&larder)[3..], [(4, Some(1)), (5, None)]);
}

#[test]
fn the_history_says_who_moved_a_tag_where_and_when_and_goes_on_after_its_removal() {
    let larder = larder();
    apply(&larder, "wine", 2);
    let ann = larder.clone().with_author("ann");
    ann.tag("wine@1", "prod").unwrap();
    larder.tag("wine@2", "prod").unwrap();
    ann.untag("wine", "prod").unwrap();
    larder.clone().with_author("bob").tag("wine@1", "prod").unwrap();
    let said: Vec<_> = larder
        .tags()
        .history("wine", "prod")
        .unwrap()
        .into_iter()
        .map(|line| (line.number, line.version.map(|version| version.get()), line.by))
        .collect();
    let by = |name: &str| Some(name.to_owned());
    assert_eq!(
        said,
        [
            (1, Some(1), by("ann")),
            (2, Some(2), None),
            (3, None, by("ann")),
            (4, Some(1), by("bob"))
        ]
    );
    let [last] = &larder.tags().of("wine").unwrap()[..] else { panic!("one tag") };
    assert_eq!(
        (last.by.clone(), last.moved.to_string()),
        (by("bob"), "2027-01-15T08:00:00.123Z".into())
    );
    let error = larder.tags().history("wine", "never").unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let nobody = larder.clone().with_author("");
    let error = nobody.tag("wine@2", "prod").unwrap_err();
    assert!(matches!(error, Error::InvalidName { what: "author", .. }), "{error:?}");
}

#[test]
fn the_last_move_is_in_the_history_even_if_its_line_was_never_written() {
    let larder = larder();
    apply(&larder, "wine", 2);
    larder.tag("wine@1", "prod").unwrap();
    larder.tag("wine@2", "prod").unwrap();
    let line = "moves/wine/@prod/@0000000002";
    assert_eq!(
        record(&larder, line).unwrap(),
        r#"{"larder":1,"version":2,"moved":"2027-01-15T08:00:00.123Z"}"#
    );
    set_record(&larder, line, None);
    assert_eq!(history(&larder), [(1, Some(1)), (2, Some(2))]);
    larder.untag("wine", "prod").unwrap();
    assert_eq!(history(&larder), [(1, Some(1)), (2, Some(2)), (3, None)], "it was written then");
}

#[test]
fn a_tag_that_the_first_larders_wrote_is_read_and_its_place_is_kept() {
    let larder = larder();
    apply(&larder, "wine", 2);
    let old = r#"{"larder":1,"version":1,"moved":"2026-01-15T08:00:00.123Z"}"#;
    set_record(&larder, "tags/wine/@prod", Some(old));
    assert_eq!(larder.show("wine:prod").unwrap().version.version.get(), 1);
    assert_eq!(history(&larder), [(1, Some(1))]);
    larder.tag("wine@2", "prod").unwrap();
    let moves = larder.tags().history("wine", "prod").unwrap();
    assert_eq!(history(&larder), [(1, Some(1)), (2, Some(2))]);
    assert_eq!(moves[0].moved.to_string(), "2026-01-15T08:00:00.123Z");
}

#[test]
fn of_many_who_move_a_tag_from_one_place_exactly_one_does() {
    const STEPS: usize = 10;
    everywhere(|open| {
        apply(&open(), "wine", STEPS as u64 + 1);
        open().tag("wine@1", "prod").unwrap();
        let won = race(THREADS, |thread| {
            let larder = open().with_author(format!("thread {thread}"));
            let step = |step: &usize| {
                let from = TagOptions::new().from(version(&format!("wine@{step}")));
                // Who comes too early waits until the tag is there.
                while larder.tags().of("wine").unwrap()[0].version.get() < *step as u64 {
                    std::thread::yield_now();
                }
                match larder.tags().set(format!("wine@{}", step + 1), "prod", &from) {
                    Ok(_) => true,
                    Err(Error::Refused { .. }) => false,
                    Err(error) => panic!("{error:?}"),
                }
            };
            (1..=STEPS).filter(step).collect::<Vec<_>>()
        });
        let moves = open().tags().history("wine", "prod").unwrap();
        assert_eq!(moves.len(), STEPS + 1, "every move has its line");
        for (step, line) in moves.iter().enumerate().skip(1) {
            assert_eq!(line.number as usize, step + 1);
            assert_eq!(line.version.unwrap().get() as usize, step + 1);
            let winners: Vec<_> =
                (0..THREADS).filter(|thread| won[*thread].contains(&step)).collect();
            assert_eq!(winners.len(), 1, "step {step}");
            assert_eq!(line.by, Some(format!("thread {}", winners[0])));
        }
    });
}

#[test]
fn a_version_is_tagged_or_removed_and_never_both() {
    everywhere(|open| {
        apply(&open(), "wine", 21);
        let ends = race(2, |thread| {
            let larder = open();
            let each = |number: u64| match thread {
                0 => larder.tag(format!("wine@{number}"), format!("t{number}")).map(drop),
                _ => larder.remove(format!("wine@{number}")).map(drop),
            };
            (1..=20).map(each).collect::<Vec<_>>()
        });
        for (number, (tagged, removed)) in (1..).zip(ends[0].iter().zip(&ends[1])) {
            match (tagged, removed) {
                (Ok(()), Err(Error::Blocked { .. })) | (Err(Error::NotFound { .. }), Ok(())) => {}
                other => panic!("version {number}: {other:?}"),
            }
        }
        for tag in open().tags().of("wine").unwrap() {
            let shown = open().show(format!("wine:{}", tag.tag)).unwrap();
            assert_eq!(shown.version.version, tag.version, "a tag names what is there");
        }
    });
}
