//! Screens show what the user may read, and the navigation what it may open.

use std::time::{Duration, Instant};

use larder_access::{LarderAccess, Role, Subject};
use larder_tests::page_rows;

use super::super::served::Served;
use super::Browser;
use super::rows::{filled, links};

#[test]
fn rows_outputs_and_models_are_shown_to_who_may_read_them() {
    let served = filled();
    let access = served.larder.access();
    let screens = ["collection", "schema", "changes", "listeners", "near", "media"];
    let stranger = served.user("ann", Role::User, "house/*");
    let mut stranger = Browser::signed_in(&served, &stranger);
    for screen in screens {
        let path = format!("/ui/{screen}/shop/reviews?version=3&row=0&field=photo");
        let answer = stranger.get(&path);
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
        assert!(answer.text().contains("Not allowed"));
    }
    assert!(!stranger.get("/ui/collections").text().contains("shop/reviews"));
    assert!(!stranger.get("/ui").text().contains("href=\"/ui/collections\""));

    // Rows alone: outputs, listeners and indexes are other names.
    let narrow = served.user("ben", Role::User, "shop/reviews");
    let mut narrow = Browser::signed_in(&served, &narrow);
    let text = narrow.get("/ui/collection/shop/reviews").text();
    assert!(text.contains("Broken when") && !text.contains("_outputs."), "{text}");
    assert!(!text.contains("Search by meaning") && !text.contains("/ui/near/"), "{text}");
    let models = narrow.get("/ui/listeners/shop/reviews").text();
    assert!(!models.contains("meaning") && !models.contains("shop/learner"), "{models}");
    assert!(!narrow.get("/ui/schema/shop/reviews").text().contains("cosine"));
    assert_eq!(narrow.get("/ui/near/shop/reviews?text=late").status, 404);

    // A search by meaning runs a model.
    let viewer = served.user("eve", Role::Viewer, "shop/*");
    let mut viewer = Browser::signed_in(&served, &viewer);
    let text = viewer.get("/ui/collection/shop/reviews").text();
    assert!(text.contains("_outputs.meaning") && !text.contains("Search by meaning"), "{text}");
    let denied = viewer.get("/ui/near/shop/reviews?index=meaning&text=late");
    assert_eq!(denied.status, 403, "{}", denied.text());
    assert!(denied.text().contains("cannot predict"), "{}", denied.text());
    assert_eq!(viewer.get("/ui/near/shop/reviews?index=meaning&row=1").status, 200);
    access.grant(&Subject::user("eve").unwrap(), Role::User, "shop/meaning").unwrap();
    let since = Instant::now();
    while viewer.get("/ui/near/shop/reviews?index=meaning&text=late").status != 200 {
        assert!(since.elapsed().as_secs() < 5, "a grant is noticed within a second");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_navigation_shows_what_the_user_may_open() {
    let served = Served::at("memory:");
    let mut admin = Browser::signed_in(&served, served.token());
    let entries = |text: &str| {
        let (_, rest) = text.split_once("<nav aria-label=\"Main\">").unwrap();
        links(rest.split("</nav>").next().unwrap(), "/ui")
    };
    let all = ["/ui", "/ui/jobs", "/ui/deployments", "/ui/access", "/ui/audit", "/ui/tokens"];
    assert_eq!(entries(&admin.get("/ui").text()), all);
    page_rows::fill(&served.larder).unwrap();
    let since = Instant::now();
    while !admin.get("/ui").text().contains("href=\"/ui/collections\"") {
        assert!(since.elapsed().as_secs() < 20, "a larder with collections says so");
        std::thread::sleep(Duration::from_millis(100));
    }
    let viewer = served.user("eve", Role::Viewer, "shop/*");
    let mut viewer = Browser::signed_in(&served, &viewer);
    let some = ["/ui", "/ui/collections", "/ui/jobs", "/ui/tokens"];
    assert_eq!(entries(&viewer.get("/ui").text()), some);
    for entry in some {
        assert_eq!(viewer.get(entry).status, 200, "{entry}");
    }
    // Also on a page that refuses something, and one that is not there.
    for (path, status) in [("/ui/deployments", 403), ("/ui/name/other", 403), ("/ui/nothing", 404)]
    {
        let answer = viewer.get(path);
        assert_eq!(
            (answer.status, entries(&answer.text())),
            (status, some.map(str::to_owned).into())
        );
    }
}
