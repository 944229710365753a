//! Screens of collections.

use std::collections::BTreeSet;

use larder::collections::{Fold, LarderCollections, Scan};
use larder_tests::http::Answer;
use larder_tests::page::HOSTILE;
use larder_tests::page_rows::{self, PAGE, PNG, ROWS, SVG};

use super::super::served::Served;
use super::Browser;

pub(super) fn filled() -> Served {
    let served = Served::at("memory:");
    page_rows::fill(&served.larder).unwrap();
    served
}

/// The links of a page that begin so.
pub(super) fn links(text: &str, start: &str) -> Vec<String> {
    let before = format!("href=\"{start}");
    let after = text.split(&before).skip(1);
    let link = |rest: &str| format!("{start}{}", rest.split('"').next().unwrap());
    after.map(|rest| link(rest).replace("&#38;", "&").replace("&amp;", "&")).collect()
}

fn shows(answer: &Answer, path: &str, facts: &[&str]) {
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    for fact in facts {
        assert!(answer.text().contains(fact), "{path}: no `{fact}` in {}", answer.text());
    }
}

#[test]
fn every_screen_of_a_collection_says_what_there_is() {
    let served = filled();
    let mut admin = Browser::signed_in(&served, served.token());
    let screens: [(&str, &[&str]); 11] = [
        (
            "/ui/collections",
            &[
                "shop/reviews",
                ">60</td>",
                "shop/empty",
                ">0</td>",
                "Last write",
                "Version 3 of shop/reviews",
            ],
        ),
        ("/ui/collections?names=rev", &["shop/reviews"]),
        (
            "/ui/collection/shop/reviews",
            &[
                "60 rows",
                "Broken when it came, number 1.",
                "_outputs.meaning",
                "_outputs.echo",
                "vector&#60;float32, 64&#62;",
                "64 numbers: 0.125, 1.125, 2.125, 3.125 …",
                "[&#34;wine&#34;, &#34;lot 1&#34;]",
                "image/svg+xml, 78 B",
                "stale",
                "failed",
                "missing",
                "Search by meaning",
                "rel=\"next\"",
                ">null</span>",
            ],
        ),
        (
            "/ui/collection/shop/reviews?version=1",
            &["shop/reviews@1", "60 rows", "Version 3</a> is the newest", "It came late, number 4"],
        ),
        ("/ui/collection/shop/empty", &["0 rows", "No rows."]),
        (
            "/ui/schema/shop/reviews",
            &[
                "<code>id</code> <span class=\"badge\">key</span>",
                "struct&#60;media_type: text, bytes: bytes&#62;?",
                "image/svg+xml",
                "train 90 %, valid 10 %",
                "fragment",
                "meaning",
                "cosine of 3 numbers",
                "cosine of 64 numbers",
            ],
        ),
        (
            "/ui/changes/shop/reviews",
            &["3 versions", "first", "Inserted", "Rows of version 2", ">61</td>", ">60</td>"],
        ),
        (
            "/ui/listeners/shop/reviews",
            &[
                "shop/meaning",
                "paused",
                "list&#60;float32&#62;",
                "/ui/jobs?name=shop/reviews.listeners/meaning",
                "shop/learner@1",
                "version 1</a>",
            ],
        ),
        ("/ui/name/shop/reviews", &["/ui/collection/shop/reviews\"", "/ui/changes/shop/reviews"]),
        (
            "/ui/version/shop/reviews@1",
            &[
                "/ui/collection/shop/reviews?version=1",
                "shop/learner@1",
                "collection find shop/reviews@1",
            ],
        ),
        (
            "/ui/version/shop/learner@1",
            &["href=\"/ui/collection/shop/reviews?version=1\">shop/reviews@1"],
        ),
    ];
    for (path, facts) in screens {
        shows(&admin.get(path), path, facts);
    }
    // A model leads to the collections that it listens to, and so does the listener.
    let path = "/ui/version/shop/meaning@1";
    shows(&admin.get(path), path, &["href=\"/ui/listeners/shop/reviews\""]);
    let path = "/ui/version/shop/reviews.listeners/meaning@1";
    shows(&admin.get(path), path, &["href=\"/ui/collection/shop/reviews\""]);
    let list = admin.get("/ui/collections?names=rev").text();
    assert!(!list.contains("shop/empty"), "{list}");
    // What is no collection has no such screens, and no links to them.
    for path in ["collection", "schema", "changes", "listeners", "near"] {
        let path = format!("/ui/{path}/shop/meaning");
        let answer = admin.get(&path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    assert!(!admin.get("/ui/name/shop/meaning").text().contains("/ui/collection/"));
    let counts = admin.get("/ui/changes/shop/reviews").text();
    let cells = |number: &str| {
        let (_, row) = counts.split_once(&format!("Rows of version {number}\"")).unwrap();
        let row = row.split("</tr>").next().unwrap();
        let cells = row.split("<td class=\"number\">").skip(1);
        cells.map(|it| it.split('<').next().unwrap().parse().unwrap()).collect::<Vec<u64>>()
    };
    assert_eq!(cells("1"), [ROWS, ROWS, 0, 0]);
    assert_eq!(cells("2"), [ROWS + 1, 1, 1, 0]);
    assert_eq!(cells("3"), [ROWS, 0, 0, 1]);
}

#[test]
fn rows_are_filtered_sorted_and_read_page_by_page() {
    let served = filled();
    let mut admin = Browser::signed_in(&served, served.token());
    let rows = |text: &str| text.matches("find rows like it").count();
    let latest = served.larder.untyped_collection("shop/reviews").unwrap().latest().unwrap();
    let valid = latest.count(&Scan::new().fold(Fold::Valid)).unwrap() as usize;
    assert!((1..20).contains(&valid), "{valid}");
    for (question, expected) in [
        ("?where=stars+%3E+4&limit=100", 10),
        ("?where=text+like+%22*late*%22+and+id+%3C+20", 4),
        ("?fold=valid&limit=100", valid),
        ("?order=-id&limit=10", 10),
        ("?where=id+%3D+9999", 0),
    ] {
        let answer = admin.get(&format!("/ui/collection/shop/reviews{question}"));
        assert_eq!(answer.status, 200, "{question}: {}", answer.text());
        assert_eq!(rows(&answer.text()), expected, "{question}: {}", answer.text());
    }
    let some = admin.get("/ui/collection/shop/reviews?fields=stars,id&order=-id&limit=10").text();
    assert!(some.contains(">61</td>") && !some.contains("number 61."), "{some}");
    for order in ["", "&order=-id", "&order=text"] {
        let mut path = format!("/ui/collection/shop/reviews?limit=25{order}");
        let (mut seen, mut pages) = (BTreeSet::new(), 0);
        loop {
            let text = admin.get(&path).text();
            pages += 1;
            seen.extend(links(&text, "/ui/near/shop/reviews?"));
            let next = links(&text, "/ui/collection/shop/reviews?limit=")
                .into_iter()
                .chain(links(&text, "/ui/collection/shop/reviews?order"))
                .chain(links(&text, "/ui/collection/shop/reviews?after"))
                .find(|link| {
                    text.contains(&format!("{}\" rel=\"next\"", link.replace('&', "&#38;")))
                });
            match next {
                Some(next) => path = next,
                None => break,
            }
        }
        assert_eq!((pages, seen.len()), (3, ROWS as usize), "{order}");
    }
    // What cannot be used is said beside its field.
    for (question, field, reason) in [
        ("?where=stars+%3E", "where", "cannot"),
        ("?where=star+%3E+4", "where", "did you mean `stars`?"),
        ("?where=%3Cscript%3E", "where", "&#60;script&#62;"),
        ("?order=price", "order", "no such field"),
        ("?fields=id,starz", "fields", "did you mean `stars`?"),
    ] {
        let answer = admin.get(&format!("/ui/collection/shop/reviews{question}"));
        let text = answer.text();
        assert_eq!(answer.status, 400, "{question}: {text}");
        assert!(
            text.contains(&format!("aria-describedby=\"{field}-error\"")),
            "{question}: {text}"
        );
        let (_, error) = text.split_once(&format!("id=\"{field}-error\" role=\"alert\">")).unwrap();
        assert!(error.split("</p>").next().unwrap().contains(reason), "{question}: {text}");
    }
    for question in
        ["?version=0", "?version=x", "?after=nothing", "?fold=other", "?order=id&after=1i5"]
    {
        let answer = admin.get(&format!("/ui/collection/shop/reviews{question}"));
        assert_eq!(answer.status, 400, "{question}: {}", answer.text());
    }
    assert_eq!(admin.get("/ui/collection/shop/reviews?version=99").status, 404);
}

#[test]
fn values_names_outputs_and_failures_stay_text() {
    let served = filled();
    let mut admin = Browser::signed_in(&served, served.token());
    // `checked` looks for markup on each of them.
    for path in [
        "/ui/collection/shop/reviews",
        "/ui/collection/shop/reviews?where=id+%3D+9",
        "/ui/schema/shop/reviews",
        "/ui/near/shop/reviews?index=taste&row=8",
        "/ui/near/shop/reviews?index=meaning&text=%3Cscript%3Ealert(%27larder%27)",
        "/ui/near/shop/reviews?index=meaning&text=illegible",
        "/ui/listeners/shop/reviews",
        "/ui/changes/shop/reviews",
    ] {
        let answer = admin.get(path);
        assert!([200, 422].contains(&answer.status), "{path}: {}", answer.text());
        let is_plain = path.contains("listeners") || path.contains("changes");
        let text = answer.text();
        assert!(is_plain || text.contains("alert(&#39;larder&#39;)"), "{path}: {text}");
    }
    let row = admin.get("/ui/collection/shop/reviews?where=id+%3D+9").text();
    // The value, the output that repeats it, and the name of the field.
    assert!(row.matches("&#60;script&#62;alert").count() >= 4, "{row}");
    assert!(row.contains("\\u{202e}") && !row.contains(HOSTILE), "{row}");
    // A long value is folded, and cut.
    assert!(row.contains("<details class=\"fold\">") && row.contains("…</pre>"), "{row}");
    let failed = admin.get("/ui/collection/shop/reviews?where=id+%3D+10").text();
    assert!(failed.contains("class=\"failed\"") && failed.contains("9 items: "), "{failed}");
}

#[test]
fn only_raster_images_are_sent_as_images_and_the_rest_is_downloaded() {
    let served = filled();
    let mut admin = Browser::signed_in(&served, served.token());
    let text = admin.get("/ui/collection/shop/reviews").text();
    let images: Vec<_> = text.split("<img class=\"preview\" src=\"").skip(1).collect();
    // Two PNGs, one of which says that it is HTML, and two GIFs.
    assert_eq!(images.len(), 4, "{text}");
    for (at, image) in images.iter().enumerate() {
        let path = image.split('"').next().unwrap().replace("&#38;", "&");
        let answer = admin.ask("GET", &path, &[], "");
        let kind = if at < 2 { "image/png" } else { "image/gif" };
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-disposition"), Some("inline"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("sandbox") && policy.starts_with("default-src 'none'"), "{policy}");
        if at < 2 {
            assert_eq!(answer.body, PNG);
        }
    }
    let of =
        |row: u64, field: &str| format!("/ui/media/shop/reviews?version=3&row={row}&field={field}");
    for (row, field, bytes) in [(1, "photo", SVG), (2, "photo", PAGE), (6, "scan", SVG)] {
        let path = of(row, field);
        let shown = admin.get(&path);
        assert_eq!(shown.status, 415, "{path}");
        assert!(!shown.text().contains("alert("), "{}", shown.text());
        let answer = admin.ask("GET", &format!("{path}&download=1"), &[], "");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        let disposition = answer.header("content-disposition").unwrap();
        assert!(disposition.starts_with("attachment; filename=\"shop_reviews-"), "{disposition}");
        assert!(answer.header("content-security-policy").unwrap().contains("sandbox"));
        assert_eq!(answer.body, bytes.as_bytes());
        assert!(text.contains(&format!("{}&#38;download=1", path.replace('&', "&#38;"))), "{path}");
    }
    for (path, status) in [
        (of(0, "text"), 404),
        (of(0, "scan"), 404),
        (of(999, "photo"), 404),
        (of(0, "photos"), 400),
        ("/ui/media/shop/reviews?field=photo".into(), 400),
        ("/ui/media/shop/meaning?row=0&field=words".into(), 404),
    ] {
        assert_eq!(admin.get(&path).status, status, "{path}");
    }
}

#[test]
fn rows_are_found_by_meaning() {
    let served = filled();
    let mut admin = Browser::signed_in(&served, served.token());
    let path = "/ui/near/shop/reviews?text=when+was+it+late";
    let answer = admin.get(path);
    shows(&answer, path, &["Nearest rows", "By the index meaning", "shop/meaning@1 read the text"]);
    let text = answer.text();
    let table = text.split_once("<tbody>").unwrap().1;
    let first: Vec<_> = table.split("</tr>").take(10).collect();
    assert!(first.iter().all(|row| row.contains("It came late")), "{table}");
    assert!(first[0].contains("1.0000"), "{table}");
    // The row that changed since the index was filled is found by what it says now.
    let all = "/ui/near/shop/reviews?text=late&where=id+%3D+12";
    shows(&admin.get(all), all, &["and nobody answers"]);
    let like = "/ui/near/shop/reviews?index=meaning&row=1";
    let answer = admin.get(like);
    shows(&answer, like, &["like row 1", "Good wine"]);
    assert!(!answer.text().contains("read the text"));
    for (question, status) in [
        ("?text=late&where=stars+%3E", 400),
        ("?text=late&where=star+%3E+1", 400),
        ("?text=illegible", 422),
        ("?text=late&index=nothing", 404),
        ("?text=late&index=taste", 422),
        ("?row=999", 409),
        ("?row=x", 400),
    ] {
        let answer = admin.get(&format!("/ui/near/shop/reviews{question}"));
        assert_eq!(answer.status, status, "{question}: {}", answer.text());
    }
    assert_eq!(admin.get("/ui/near/shop/empty?text=x").status, 404);
}
