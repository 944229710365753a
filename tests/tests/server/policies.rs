//! Policies, behind a server.

use std::thread;
use std::time::Duration;

use larder::Error;
use larder::store::{Change, Expected, RecordKey};
use larder_access::{LarderAccess, Outcome, Role};
use larder_tests::Doubler;
use larder_tests::errors::message;

use super::served::Served;

const PROTECT: &str = r#"
@id("protect-prod")
forbid(principal, action == Action::"tag", resource)
when { context has tag && context.tag == "prod" }
unless { principal in Group::"release" };
"#;

/// Waits until servers have read what was changed beside them.
fn noticed() {
    thread::sleep(Duration::from_millis(1_100));
}

#[test]
fn a_policy_guards_a_tag_from_everybody_but_a_group() {
    let served = Served::at("memory:");
    let access = served.larder.access();
    access.add_group("release").unwrap();
    access.set_policies(PROTECT).unwrap();
    let (ann, ben) =
        (served.client_of("ann", Role::Writer, "*"), served.client_of("ben", Role::Writer, "*"));
    access.set_member("release", "ben", true).unwrap();
    noticed();
    ann.apply("house/price", &Doubler { factor: 1.0 }).unwrap();
    ann.tag("house/price", "dev").unwrap();
    let error = ann.tag("house/price", "prod").unwrap_err();
    let said = message(&error);
    assert!(matches!(error, Error::Denied { .. }), "{said}");
    assert!(said.contains("protect-prod") && said.contains("ann"), "{said}");
    ben.tag("house/price", "prod").unwrap();
    assert!(ann.untag("house/price", "prod").is_err(), "nor removes it");
    ben.untag("house/price", "prod").unwrap();

    drop(served.server);
    let entries: Vec<_> = access.audit(None).map(Result::unwrap).collect();
    let denied = entries.iter().find(|it| it.outcome == Outcome::Denied).unwrap();
    assert_eq!((&*denied.action, &*denied.resource), ("tag", "`house/price:prod`"));
    assert!(denied.because.contains("protect-prod of version 1"), "{}", denied.because);
}

#[test]
fn a_policy_permits_what_nobody_granted() {
    let served = Served::at("memory:");
    let access = served.larder.access();
    let ann = served.client_of("ann", Role::Viewer, "nothing");
    served.client().apply("house/price", &Doubler { factor: 1.0 }).unwrap();
    assert!(ann.load::<Doubler>("house/price").is_err());
    let permit =
        r#"permit(principal == User::"ann", action == Action::"read", resource in Name::"house");"#;
    access.set_policies(permit).unwrap();
    noticed();
    assert_eq!(ann.load::<Doubler>("house/price").unwrap().factor, 1.0);
    let names: Vec<_> = ann.list().map(|it| it.unwrap().identifier.to_string()).collect();
    assert_eq!(names, ["house/price"]);
    assert!(ann.apply("house/price", &Doubler { factor: 2.0 }).is_err());
    access.set_policies("").unwrap();
    noticed();
    assert!(ann.load::<Doubler>("house/price").is_err());
}

#[test]
fn a_client_writes_no_policies_that_lock_everybody_out() {
    let served = Served::at("memory:");
    let admin = served.client();
    admin.access().set_policies(PROTECT).unwrap();
    let store = admin.store();
    let first = RecordKey::new("policies/@0000000001").unwrap();
    let second = RecordKey::new("policies/@0000000002").unwrap();
    let record = store.get_records(std::slice::from_ref(&first)).unwrap().pop().unwrap().unwrap();
    let text = String::from_utf8(record.value.to_vec()).unwrap();
    let put = |key: &RecordKey, value: String| Change::PutRecord {
        key: key.clone(),
        value: value.into(),
        expected: Expected::Anything,
    };
    for (what, change) in [
        ("a text that is no policy", put(&second, text.replace("forbid(", "forbud("))),
        ("a type that nobody knows", put(&second, text.replace("Group::", "Team::"))),
        ("another text of a version", put(&first, text.replace("release", "others"))),
        (
            "a version after none",
            put(&RecordKey::new("policies/@0000000009").unwrap(), text.clone()),
        ),
        ("no version", Change::RemoveRecord { key: first.clone(), expected: Expected::Anything }),
    ] {
        let done = store.commit(&[change]);
        assert!(done.is_err(), "{what}: {done:?}");
    }
    let ann = served.client_of("ann", Role::Admin, "house/*");
    assert!(ann.access().set_policies("permit(principal, action, resource);").is_err());
    let (version, is_new) = admin.access().set_policies(PROTECT).unwrap();
    assert_eq!((version.number, is_new), (1, false));
}
