//! Each store operation and each kind of record needs its permission.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use larder::collections::{Insert, LarderCollections, LarderListeners};
use larder::jobs::{JobsQuery, LarderJobs};
use larder::store::with_causes;
use larder::store::{Change, Digest, Expected, RecordKey, RecordKind, StoreExt};
use larder::{Error, Larder};
use larder_access::{LarderAccess, Role, Subject, TokenOptions};
use larder_tests::Doubler;
use larder_tests::errors::message;

use super::served::{Served, larder_of, open};

fn status(served: &Served, method: &str, path: &str, token: Option<&str>) -> u16 {
    let mut line = TcpStream::connect(served.server.address().unwrap()).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let token = token.unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{token}content-length: 0\r\n\r\n");
    line.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 64];
    let read = line.read(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn every_store_route_asks_for_a_token_and_a_permission() {
    let served = Served::at("memory:");
    let access = served.larder.access();
    access.add_user("nobody", &[]).unwrap();
    let nobody = access.create_token("nobody", &TokenOptions::new()).unwrap().secret;
    let routes: Vec<_> =
        larder_server::routes().into_iter().filter(|it| it.path.starts_with("/store/")).collect();
    assert_eq!(routes.len(), 11);
    for route in routes {
        let path = route.path.replace("{digest}", &Digest::of(b"x").to_hex());
        let status = |token| status(&served, &route.method, &path, token);
        assert_eq!(status(None), 401, "{} {path} without a token", route.method);
        assert_eq!(status(Some("larder_wrong")), 401, "{} {path} with a wrong one", route.method);
        assert_eq!(status(Some(&nobody)), 403, "{} {path} without permission", route.method);
    }
}

/// For each kind that the server links: nobody without a grant writes, removes or reads one of its records.
#[test]
fn every_kind_of_record_is_guarded() {
    let served = Served::at("memory:");
    let access = served.larder.access();
    // One that may write something, so that it gets past the routes.
    let other = served.client_of("other", Role::Writer, "other");
    let nothing = access.create_token("admin", &TokenOptions::new().scope(Role::Viewer, "x"));
    let narrow = larder_of(open(&served.server.url(), &nothing.unwrap().secret));
    let admin = served.client();
    admin.apply("wine", &Doubler { factor: 1.0 }).unwrap();
    admin.apply("wine", &Doubler { factor: 2.0 }).unwrap();
    admin.tag("wine@1", "prod").unwrap();
    admin.tag("wine@2", "prod").unwrap();
    let change = larder::versions::AnnotationsChange::new().description("sound");
    admin.annotate("wine@1", &change).unwrap();
    let mut guarded = 0;
    let all: Vec<_> = served.larder.store().records("").map(Result::unwrap).collect();
    for (key, found) in all {
        let kind = RecordKind::of(&key).unwrap();
        // Every writer may read and release the lock of the collector; another test is about it.
        if kind.name() == "exclusive" {
            continue;
        }
        let same = found.value.clone();
        let mut changed = same.to_vec();
        changed.push(b' ');
        let put = |value: Vec<u8>, expected| Change::PutRecord {
            key: key.clone(),
            value: value.into(),
            expected,
        };
        let remove = Change::RemoveRecord { key: key.clone(), expected: Expected::Anything };
        for larder in [&other, &narrow] {
            let store = larder.store();
            for change in [put(changed.clone(), Expected::Anything), remove.clone()] {
                let done = store.commit(&[change]);
                assert!(matches!(done, Err(Error::Denied { .. })), "{kind:?}: {done:?}");
            }
            let error = store.get_record(&key).unwrap_err();
            assert!(matches!(error, Error::Denied { .. }), "{kind:?}: {}", with_causes(&error));
            assert_eq!(store.list_records(key.as_str(), None, 5).unwrap(), [], "{kind:?}");
        }
        assert!(served.larder.store().get_record(&key).unwrap().is_some());
        guarded += 1;
    }
    assert!(guarded > 10, "{guarded} records");
}

#[test]
fn a_token_ends_at_once_when_it_is_revoked() {
    let served = Served::at("memory:");
    let client = served.client();
    let access = served.larder.access();
    let token = access.create_token("admin", &TokenOptions::new()).unwrap();
    let other = larder_of(open(&served.server.url(), &token.secret));
    assert_eq!(other.list().count(), 0);
    // Through the server, so that it forgets what it read a moment ago.
    client.access().revoke(&token.info.id).unwrap();
    let error = other.list().next().unwrap().unwrap_err();
    let said = message(&error);
    assert!(matches!(error, Error::Denied { .. }) && said.contains("revoked"), "{said}");
    assert!(!said.contains(&token.secret));
}

#[test]
fn changes_over_the_store_are_in_the_audit_log() {
    let served = Served::at("memory:");
    let larder: Larder = served.client_of("ann", Role::Writer, "wine");
    larder.apply("wine", &Doubler { factor: 1.0 }).unwrap();
    larder.tag("wine", "prod").unwrap();
    assert!(larder.apply("beer", &Doubler { factor: 1.0 }).is_err());
    served.client().access().add_user("ben", &[]).unwrap();
    let access = served.larder.access();
    drop(served.server);
    let entries: Vec<_> = access.audit(None).map(Result::unwrap).collect();
    let lines: Vec<_> = entries
        .iter()
        .map(|it| {
            let who = it.principal.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{who} {} {} {:?}", it.action, it.resource, it.outcome)
        })
        .collect();
    for line in [
        "ann write `wine` Allowed",
        "ann tag `wine:prod` Allowed",
        "admin administer the larder Allowed",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line} is not in {lines:#?}");
    }
    let denied = lines.iter().any(|it| it.starts_with("ann ") && it.ends_with("`beer` Denied"));
    assert!(denied, "{lines:#?}");
    assert_eq!(access.verify_audit().unwrap().faults, []);
}

/// A key that names no principal's record.
#[test]
fn a_page_without_a_readable_record_is_not_the_end() {
    let served = Served::at("memory:");
    let admin = served.client();
    for number in 0..150 {
        admin.apply(format!("a/{number:03}").as_str(), &Doubler { factor: 1.0 }).unwrap();
    }
    admin.apply("z", &Doubler { factor: 1.0 }).unwrap();
    let reader = served.client_of("reader", Role::Viewer, "z");
    let after = RecordKey::new("names/a").unwrap();
    // Pages of 3, of which the server looks at 8 for each answer.
    let found = reader.store().list_records("names/", Some(&after), 3).unwrap();
    assert_eq!(found.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["names/z"]);
    let names: Vec<_> = reader.list().map(|it| it.unwrap().identifier.to_string()).collect();
    assert_eq!(names, ["z"]);
}

/// The jobs of what watches a collection are part of the commit of its rows.
#[test]
fn rows_of_a_collection_that_is_watched_need_the_permission_to_run_the_component() {
    let served = Served::at("memory:");
    let admin = served.client();
    let insert = |larder: &Larder, id: u64| {
        let row = serde_json::json!({ "id": id }).as_object().cloned().unwrap();
        let rows = larder.untyped_collection("shop/rows").unwrap();
        rows.insert_json([Ok(row)], Insert::new().key("id")).map(|done| done.version.rows())
    };
    insert(&admin, 0).unwrap();
    admin.apply("lab/street", &larder_tests::page::Street { models: Vec::new() }).unwrap();
    admin.listeners("shop/rows").unwrap().watch("lab/street", "fail").unwrap();
    let clerk = served.client_of("clerk", Role::Writer, "shop/*");
    let refused = message(&insert(&clerk, 1).unwrap_err());
    assert!(refused.contains("lab/street"), "{refused}");
    assert_eq!(admin.untyped_collection("shop/rows").unwrap().latest().unwrap().rows(), 1);
    let token = served.user("ann", Role::Writer, "shop/*");
    let access = served.larder.access();
    access.grant(&Subject::user("ann").unwrap(), Role::Writer, "lab/street").unwrap();
    let ann = larder_of(open(&served.server.url(), &token));
    assert_eq!(insert(&ann, 1).unwrap(), 2);
    let jobs = admin.jobs();
    let jobs = jobs.list(&JobsQuery::new().name("lab/street".parse().unwrap()));
    assert_eq!(jobs.map(Result::unwrap).filter(|job| job.event == "fail").count(), 1);
}
