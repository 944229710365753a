//! Searching: filters, orders, pages.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use larder::search::{Filter, LarderSearch, Query};
use larder::store::TypeTag;
use larder::versions::AnnotationsChange;
use larder::{Error, Larder};
use larder_tests::Doubler;
use larder_tests::errors::invalid;

use super::{apply, larder, set_record};

thread_local! {
    /// Days that have passed on the clock of a test, which runs on a thread of its own.
    static DAY: Cell<u64> = const { Cell::new(0) };
}

/// Six versions of four names, a day between each, with notes and tags.
fn cellar() -> Larder {
    let clock = || {
        let day = DAY.get();
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + day * 86_400)
    };
    let larder = larder().with_clock(clock);
    for (day, name) in
        (0..).zip(["wine/red", "wine/red", "wine/white", "wine-list", "beer", "beer"])
    {
        DAY.set(day);
        // More digits, more bytes.
        let factor = 10_f64.powi(day as i32) + 0.5;
        larder.apply(name, &Doubler { factor }).unwrap();
    }
    let change = AnnotationsChange::new;
    larder.annotate("wine/red@1", &change().metric("acc", 0.8).label("team", "cellar")).unwrap();
    larder.annotate("wine/red@2", &change().metric("acc", 0.95).label("team", "cellar")).unwrap();
    larder.annotate("wine/white", &change().metric("acc", 0.9).label("team", "press")).unwrap();
    larder.annotate("beer@2", &change().metric("acc", -1.0).description("a \"dark\" one")).unwrap();
    larder.tag("wine/red@1", "prod").unwrap();
    larder.tag("wine/white@1", "prod").unwrap();
    larder.tag("wine/white@1", "audit").unwrap();
    larder.locks().lock_version("beer@1").unwrap();
    larder
}

fn search(larder: &Larder, query: Query) -> Vec<String> {
    let found = larder.search(&query).unwrap().map(Result::unwrap);
    found.map(|found| found.version.reference().to_string()).collect()
}

/// The versions that match a filter.
fn all(larder: &Larder, filter: &str) -> String {
    search(larder, Query::new().all_versions().filter(filter.parse().unwrap())).join(" ")
}

#[test]
fn without_conditions_it_gives_what_list_gives() {
    let larder = cellar();
    let listed: Vec<_> = larder.list().map(|version| version.unwrap()).collect();
    let found: Vec<_> = larder.search(&Query::new()).unwrap().map(|found| found.unwrap()).collect();
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|found| found.annotations.is_none()), "nobody asked for notes");
    assert_eq!(found.into_iter().map(|found| found.version).collect::<Vec<_>>(), listed);
}

#[test]
fn names_are_found_by_pattern_and_in_order() {
    let larder = cellar();
    let names = |glob: &str| search(&larder, Query::new().names(glob)).join(" ");
    assert_eq!(names("*"), "beer@2 wine-list@1 wine/red@2 wine/white@1");
    assert_eq!(names("wine/*"), "wine/red@2 wine/white@1");
    assert_eq!(names("wine?*t*"), "wine-list@1 wine/white@1");
    assert_eq!(names("beer"), "beer@2");
    assert_eq!(names("bee"), "");
    assert_eq!(names("../*"), "");
    let every = search(&larder, Query::new().names("*e*r*").all_versions());
    assert_eq!(every, ["beer@1", "beer@2", "wine/red@1", "wine/red@2"]);
}

#[test]
fn filters_look_at_every_field() {
    let larder = cellar();
    let cases = [
        ("metrics.acc > 0.9", "wine/red@2"),
        ("metrics.acc >= 0.9", "wine/red@2 wine/white@1"),
        ("metrics.acc != 0.9", "beer@2 wine/red@1 wine/red@2"),
        ("metrics.acc < 0", "beer@2"),
        ("metrics.none > 0 or metrics.none <= 0 or metrics.none != 0", ""),
        ("has metrics.acc and not has labels.team", "beer@2"),
        ("labels.team = 'cellar'", "wine/red@1 wine/red@2"),
        ("labels.team != 'cellar'", "wine/white@1"),
        ("not (labels.team = 'cellar')", "beer@1 beer@2 wine-list@1 wine/white@1"),
        ("labels.team like '*e*'", "wine/red@1 wine/red@2 wine/white@1"),
        ("tag = 'prod'", "wine/red@1 wine/white@1"),
        ("tag = 'prod' and tag = 'audit'", "wine/white@1"),
        ("has tag and name like 'wine/r*'", "wine/red@1"),
        ("description like '*\"dark\"*'", "beer@2"),
        ("has locked", "beer@1"),
        ("type = 'tests/doubler' and version = 2", "beer@2 wine/red@2"),
        ("type = 'tests/doublet'", ""),
        ("age < 36h", "beer@1 beer@2"),
        ("age = 0s", "beer@2"),
        ("age >= 5d", "wine/red@1"),
        ("created < 2027-01-16T00:00:00Z", "wine/red@1"),
        ("created >= 2027-01-20", "beer@2"),
        ("name = 'beer' and (version = 1 or metrics.acc < 0)", "beer@1 beer@2"),
    ];
    for (filter, found) in cases {
        assert_eq!(all(&larder, filter), found, "{filter}");
    }
    let sizes: Vec<_> = larder.list().map(|version| version.unwrap().size).collect();
    let largest = sizes.iter().max().unwrap();
    assert_eq!(all(&larder, &format!("size >= {largest}")), "beer@2");
    assert_eq!(all(&larder, "size < 1kB").split(' ').count(), 6);
}

#[test]
fn only_the_newest_versions_are_filtered_unless_all_are_asked_for() {
    let larder = cellar();
    let filter: Filter = "labels.team = \"cellar\"".parse().unwrap();
    assert_eq!(search(&larder, Query::new().filter(filter.clone())), ["wine/red@2"]);
    let prod = Filter::has_tag(&"prod".parse().unwrap());
    assert_eq!(search(&larder, Query::new().filter(prod.clone())), ["wine/white@1"]);
    let both = Query::new().all_versions().filter(filter).filter(prod);
    assert_eq!(search(&larder, both), ["wine/red@1"]);
}

#[test]
fn filters_without_text_are_the_same_as_those_that_were_written() {
    let wine = TypeTag::new("acme/wine").unwrap();
    let pairs = [
        (Filter::has_type(&wine), "type = 'acme/wine'"),
        (Filter::has_tag(&"prod".parse().unwrap()), "tag = 'prod'"),
        (Filter::has_label("team"), "has labels.team"),
        (Filter::label_is("team", "it's"), "labels.team = \"it's\""),
        (Filter::has_label("a").and(Filter::has_label("b")), "has labels.a and has labels.b"),
    ];
    for (built, written) in pairs {
        assert_eq!(built, written.parse().unwrap());
    }
    assert!(matches!("labels".parse::<Filter>(), Err(Error::InvalidName { what: "filter", .. })));
}

#[test]
fn what_is_found_is_sorted_and_what_lacks_the_metric_comes_last_both_ways() {
    let larder = cellar();
    let sorted = |sort: &str, reverse: bool| {
        let query = Query::new().sort(sort.parse().unwrap());
        search(&larder, if reverse { query.reverse() } else { query }).join(" ")
    };
    assert_eq!(sorted("metrics.acc", false), "beer@2 wine/white@1 wine/red@2 wine-list@1");
    assert_eq!(sorted("metrics.acc", true), "wine/red@2 wine/white@1 beer@2 wine-list@1");
    assert_eq!(sorted("created", false), "wine/red@2 wine/white@1 wine-list@1 beer@2");
    assert_eq!(sorted("size", true), "beer@2 wine-list@1 wine/white@1 wine/red@2");
    assert_eq!(sorted("version", true), "beer@2 wine/red@2 wine-list@1 wine/white@1");
    assert_eq!(sorted("name", true), "wine/white@1 wine/red@2 wine-list@1 beer@2");
    let error = "colour".parse::<larder::search::Sort>().unwrap_err();
    assert!(invalid(&error).contains("name, version, created, size, metrics.NAME"), "{error}");
}

#[test]
fn a_page_is_a_part_of_what_is_found() {
    let larder = larder();
    for number in 0..1_203 {
        larder.apply(format!("n{number:04}"), &Doubler { factor: 1.0 }).unwrap();
    }
    larder.annotate("n1100", &AnnotationsChange::new().metric("acc", 1.0)).unwrap();
    let query = Query::new().filter("not has metrics.acc".parse().unwrap());
    let page: Vec<_> = larder.search(&query).unwrap().skip(1_099).take(2).collect();
    let names: Vec<_> = page.into_iter().map(|found| found.unwrap().version.identifier).collect();
    assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["n1099", "n1101"]);
    assert_eq!(larder.search(&query).unwrap().count(), 1_202);
}

#[test]
fn a_damaged_record_is_an_error_and_hides_no_other() {
    let larder = larder();
    for name in ["a", "b", "c"] {
        apply(&larder, name, 1);
    }
    set_record(&larder, "notes/b/@0000000001", Some("{}"));
    for query in [Query::new().with_notes(), Query::new().with_notes().reverse()] {
        let (sound, damaged): (Vec<_>, Vec<_>) =
            larder.search(&query).unwrap().partition(|found| found.is_ok());
        assert_eq!((sound.len(), damaged.len()), (2, 1));
        let error = damaged.into_iter().next().unwrap().unwrap_err();
        let Error::Corrupt { what, .. } = &error else { panic!("{error:?}") };
        assert!(what.contains("notes/b/"), "{what}");
    }
    assert_eq!(larder.search(&Query::new()).unwrap().filter(|found| found.is_ok()).count(), 3);
}
