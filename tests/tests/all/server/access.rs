//! Tokens: what signs in, what does not, and from when on.

use std::thread;
use std::time::Duration;

use larder::access::{LarderAccess, Outcome, Role, TokenOptions};
use larder_tests::http;

use super::Serving;

#[test]
fn a_token_says_who_its_owner_is() {
    let serving = Serving::start();
    let ann = serving.user("ann", &[(Role::Writer, "house/*")]);
    let answer = serving.get("/whoami", Some(&ann));
    assert_eq!(answer.status, 200);
    let who = answer.json();
    assert_eq!(who["name"], "ann");
    assert_eq!(who["grants"][0]["names"], "house/*");
    assert!(!answer.text().contains(&ann), "the secret is not repeated");
}

#[test]
fn what_is_no_valid_token_is_refused_and_not_repeated() {
    let serving = Serving::start();
    let ann = serving.user("ann", &[]);
    let other = serving.user("ben", &[]);
    // The id of one token and the secret of another, with the right checksum, is none either.
    let mixed = format!("{}{}", &ann[..24], &other[24..]);
    let scheme = |value: &str| {
        let headers = [("authorization", value)];
        http::send(serving.address(), "GET", "/whoami", None, &headers, b"")
    };
    for bad in ["", "larder_", "larder_00_00", &mixed, &ann[..ann.len() - 1], "ünknown"] {
        let answer = serving.get("/whoami", Some(bad));
        assert_eq!(answer.status, 401, "{bad}: {}", answer.text());
        assert!(bad.len() < 8 || !answer.text().contains(bad), "{}", answer.text());
    }
    for bad in [ann.as_str(), &format!("Basic {ann}"), "Bearer"] {
        assert_eq!(scheme(bad).status, 401, "{bad}");
    }
    assert_eq!(scheme(&format!("bearer {ann}")).status, 200);
}

#[test]
fn two_tokens_and_a_token_in_the_url_are_refused() {
    let serving = Serving::start();
    let (ann, admin) = (serving.user("ann", &[]), serving.admin.clone());
    let second = format!("Bearer {admin}");
    let headers = [("authorization", second.as_str())];
    let answer = http::send(serving.address(), "GET", "/whoami", Some(&ann), &headers, b"");
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
    for path in [
        format!("/whoami?token={ann}"),
        format!("/whoami?access_token={ann}"),
        format!("/whoami?q={ann}"),
        format!("/{ann}"),
    ] {
        for token in [None, Some(ann.as_str())] {
            let answer = serving.get(&path, token);
            assert_eq!(answer.status, 400, "{path}");
            assert!(!answer.text().contains(&ann[7..]), "{}", answer.text());
        }
    }
}

#[test]
fn revoked_expired_and_orphaned_tokens_end() {
    let serving = Serving::start();
    let access = serving.larder.access();
    let status = |token: &str| serving.get("/whoami", Some(token)).status;

    let ann = serving.user("ann", &[]);
    assert_eq!(status(&ann), 200);
    let id = access.tokens(None).unwrap().into_iter().find(|it| it.owner.as_str() == "ann");
    assert!(access.revoke(&id.unwrap().id).unwrap());
    // The larder was changed beside the server, which looks once a second.
    thread::sleep(Duration::from_millis(1_100));
    assert_eq!(status(&ann), 401);

    let short = TokenOptions::new().lifetime(Some(Duration::from_millis(200)));
    let short = access.create_token("ann", &short).unwrap().secret;
    thread::sleep(Duration::from_millis(250));
    assert_eq!(status(&short), 401);

    let other = access.create_token("ann", &TokenOptions::new()).unwrap().secret;
    assert_eq!(status(&other), 200);
    access.remove_user("ann").unwrap();
    thread::sleep(Duration::from_millis(1_100));
    assert_eq!(status(&other), 401);
}

#[test]
fn denials_are_logged_with_their_reason() {
    let serving = Serving::start();
    let ann = serving.user("ann", &[(Role::Viewer, "house/*")]);
    let answer = serving.get("/metrics", Some(&ann));
    assert_eq!(answer.status, 403);
    let request = answer.header("x-request-id").unwrap().to_owned();
    let larder = serving.larder.clone();
    serving.server.stop();
    let access = larder.access();
    let entries: Vec<_> = access.audit(None).collect::<Result<_, _>>().unwrap();
    let entry = entries.iter().find(|entry| entry.request == request).unwrap();
    assert_eq!(entry.principal.as_ref().map(|it| it.as_str()), Some("ann"));
    assert_eq!((entry.outcome, entry.action.as_str()), (Outcome::Denied, "read"));
    assert_eq!(entry.because, "no grant lets ann read the larder");
    let report = access.verify_audit().unwrap();
    assert_eq!((report.faults.len(), report.entries), (0, entries.len() as u64));
}
