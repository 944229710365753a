//! Tags, and predictions.

use larder_access::{LarderAccess, Outcome, Role};

use super::{Browser, filled};

#[test]
fn tags_are_set_moved_and_removed_and_the_log_says_so() {
    let served = filled();
    let access = served.larder.access();
    let ben = served.user("ben", Role::Writer, "house/*");
    let mut ben = Browser::signed_in(&served, &ben);
    let page = "/ui/name/house/price";
    let number = |tag: &str| {
        let tags = served.larder.tags().of("house/price").unwrap();
        tags.iter().find(|it| it.tag.as_str() == tag).map(|it| (it.version.get(), it.by.clone()))
    };
    let done = ben.send(page, "/ui/tag/house/price", &[("tag", "new"), ("version", "2")]);
    assert_eq!((done.status, done.header("location")), (303, Some("/ui/name/house/price#tags")));
    assert_eq!(number("new"), Some((2, Some("ben".into()))));
    let fields = [("tag", "new"), ("version", "4"), ("from", "2")];
    assert_eq!(ben.send(page, "/ui/tag/house/price", &fields).status, 303);
    // The form was shown before the tag moved.
    let stale = ben.send(page, "/ui/tag/house/price", &fields);
    assert_eq!(stale.status, 409, "{}", stale.text());
    let fields = [("tag", "stable"), ("version", "1"), ("from", "2")];
    let refused = ben.send(page, "/ui/tag/house/price", &fields);
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("protected"), "{}", refused.text());
    let forced = [&fields[..], &[("force", "1")]].concat();
    assert_eq!(ben.send(page, "/ui/tag/house/price", &forced).status, 303);
    assert_eq!(number("stable"), Some((1, Some("ben".into()))));
    let fields = [("tag", "new"), ("from", "4")];
    assert_eq!(ben.send(page, "/ui/untag/house/price", &fields).status, 303);
    assert_eq!(number("new"), None);
    for bad in [&[("tag", "latest"), ("version", "1")][..], &[("tag", ""), ("version", "1")]] {
        assert_eq!(ben.send(page, "/ui/tag/house/price", bad).status, 400, "{bad:?}");
    }
    let mut admin = Browser::signed_in(&served, served.token());
    let log = admin.get("/ui/audit").text();
    assert!(log.contains("`house/price:new`") && log.contains("grant writer to user:ben"), "{log}");
    let (entries, older) = access.audit_before(None, 3).unwrap();
    assert!(entries.len() >= 3 && older.is_some());
    assert!(entries.windows(2).all(|pair| pair[0].at >= pair[1].at), "newest first");
    assert!(entries.iter().all(|entry| entry.outcome == Outcome::Allowed));
    let all: Vec<_> = access.audit(None).map(Result::unwrap).collect();
    let (mut read, mut before) = (Vec::new(), None);
    loop {
        let (entries, older) = access.audit_before(before, 1).unwrap();
        read.extend(entries);
        before = older;
        if before.is_none() {
            break;
        }
    }
    read.reverse();
    assert_eq!(read, all);
}

#[test]
fn predictions_are_tried_with_a_form_from_the_signature() {
    let served = filled();
    let mut admin = Browser::signed_in(&served, served.token());
    let page = "/ui/try/house/price@3";
    let text = admin.get(page).text();
    for field in ["in.area", "in.rooms", "in.garden", "in.street", "in.kind"] {
        assert!(text.contains(&format!("name=\"{field}\"")), "{field} in {text}");
    }
    assert!(text.contains("In square metres.") && text.contains("Flat"), "{text}");
    let fields =
        [("in.area", "100"), ("in.rooms", "4"), ("in.street", "Elm"), ("in.kind", "\"House\"")];
    let answer = admin.send(page, page, &fields);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // 2 + 3 / 8 for a square metre, one half for a room.
    assert!(answer.text().contains("239.5") && answer.text().contains(" ms"), "{}", answer.text());
    assert!(answer.text().contains("value=\"100\""), "what was typed stays");
    let wrong = admin.send(page, page, &[("in.area", "wide"), ("in.rooms", "4")]);
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("cannot read the field `area`"), "{}", wrong.text());
    let missing = admin.send(page, page, &[("in.area", "1")]);
    assert_eq!(missing.status, 422, "{}", missing.text());
    assert!(missing.text().contains("missing field"), "{}", missing.text());
    // The example that is kept with the model.
    let page = "/ui/try/house/digits";
    let text = admin.get(page).text();
    assert!(text.contains("kept with the model") && text.contains("[1.0, 1.0]"), "{text}");
    let answer = admin.send(page, page, &[("input", "[1.0, 1.0]")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(admin.get("/ui/try/house/script").status, 422, "no model");
}
