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
