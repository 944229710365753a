//! Lists of names.

use std::collections::BTreeSet;
use std::time::Instant;

use super::super::served::Served;
use super::Browser;

#[test]
fn lists_are_filtered_and_read_page_by_page() {
    let served = Served::at("memory:");
    for number in 0..120 {
        let name = format!("many/n{number:03}");
        served.larder.apply(name.as_str(), &larder_tests::Doubler { factor: 1.0 }).unwrap();
    }
    served.larder.apply("other/one", &larder_tests::Doubler { factor: 2.0 }).unwrap();
    for sort in ["", "&sort=created", "&reverse=1"] {
        let mut admin = Browser::signed_in(&served, served.token());
        let (mut path, mut seen) = (format!("/ui?names=many/{sort}"), BTreeSet::new());
        let mut pages = 0;
        loop {
            let text = admin.get(&path).text();
            let before = seen.len();
            seen.extend(text.split("href=\"/ui/name/").skip(1).map(|it| it[..9].to_owned()));
            assert!(seen.len() > before, "{path}");
            pages += 1;
            let Some((_, next)) = text.split_once("Pages\">") else { break };
            let next = next.split("<a href=\"").find(|link| link.contains("rel=\"next\""));
            let Some(next) = next else { break };
            path = next.split('"').next().unwrap().replace("&#38;", "&");
        }
        assert_eq!((pages, seen.len()), (3, 120), "{sort}");
    }
    let mut admin = Browser::signed_in(&served, served.token());
    assert!(admin.get("/ui?names=nothing").text().contains("No versions match"));
    let wrong = admin.get("/ui?where=metrics.a+%3E");
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("role=\"alert\""), "{}", wrong.text());
}

/// Prints how long the first page of a long list takes, with `--nocapture`; `LARDER_NAMES=100000` makes it longer.
#[test]
fn a_long_list_begins_at_once() {
    let served = Served::at("memory:");
    let count = std::env::var("LARDER_NAMES").ok().and_then(|it| it.parse().ok()).unwrap_or(2_000);
    let made = Instant::now();
    larder_tests::page::many(&served.larder, count).unwrap();
    eprintln!("{count} names made in {:?}", made.elapsed());
    let mut admin = Browser::signed_in(&served, served.token());
    let mut times = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        let answer = admin.get("/ui");
        times.push(began.elapsed());
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text().matches("href=\"/ui/name/").count(), 50);
    }
    times.sort();
    let deep = Instant::now();
    let answer = admin.get(&format!("/ui?after=many%2Fn{:07}%401", count - 60));
    assert_eq!(answer.status, 200);
    eprintln!(
        "first page of {count} names: {:?} (median of 20), {:?} at most; a page far down: {:?}",
        times[10],
        times[19],
        deep.elapsed()
    );
}

/// Prints how long pages of a large collection take, with `--nocapture`; `LARDER_ROWS=1000000` makes it larger.
#[test]
fn a_large_collection_begins_at_once() {
    use larder::collections::{LarderCollections, Vector};

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Row {
        id: u64,
        text: String,
        vector: Vector<32>,
    }
    let folder = tempfile::tempdir().unwrap();
    let served = Served::at(&format!("fs:{}", folder.path().join("larder").display()));
    let count = std::env::var("LARDER_ROWS").ok().and_then(|it| it.parse().ok()).unwrap_or(20_000);
    let rows = served.larder.collection::<Row>("many/rows").unwrap().with_key("id");
    let row = |id: u64| Row {
        id,
        text: format!("This is number {id}, which is {} its half.", id / 2),
        vector: Vector::from([id as f32; 32]),
    };
    rows.insert_many((0..count).map(row)).unwrap();
    let mut admin = Browser::signed_in(&served, served.token());
    let last = count - 1;
    for (what, question, shown) in [
        ("first page", String::new(), 25),
        ("far down", format!("?after=1i{}", count - 30), 25),
        ("filtered to one", format!("?where=id+%3D+{last}"), 1),
        ("the largest ids", "?order=-id".into(), 25),
    ] {
        let path = format!("/ui/collection/many/rows{question}");
        let mut times = Vec::new();
        for _ in 0..5 {
            let began = Instant::now();
            let answer = admin.get(&path);
            times.push(began.elapsed());
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.text().matches("<th scope=\"row\"").count(), shown, "{path}");
        }
        let first = times[0];
        times.sort();
        eprintln!("{what} of {count} rows: {:?} (median of 5), {first:?} at first", times[2]);
    }
}
