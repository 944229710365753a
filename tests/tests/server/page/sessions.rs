//! Sign-in, sign-out, and forms that other sites send.

use std::time::{Duration, Instant};

use larder_access::{LarderAccess, Role};
use larder_server::{ServerOptions, routes};
use larder_tests::http;
use larder_tests::page::{NAMES, fill};

use super::super::served::Served;
use super::{Browser, checked, filled, form};

#[test]
fn forged_forms_are_refused() {
    let served = filled();
    let mut admin = Browser::signed_in(&served, served.token());
    let (mut other, page) = (Browser::signed_in(&served, served.token()), "/ui/name/house/price");
    let token = admin.form_token(page);
    let foreign = other.form_token(page);
    assert_ne!(token, foreign);
    let fields = |token: &str| form(&[("tag", "evil"), ("version", "1"), ("form_token", token)]);
    let own = served.server.url();
    let ways: [(&[(&str, &str)], &str); 7] = [
        (&[("origin", "https://evil.example.com")], &token),
        (&[("origin", "null")], &token),
        (&[("origin", &own), ("sec-fetch-site", "cross-site")], &token),
        (&[("origin", &own), ("sec-fetch-site", "same-site")], &token),
        (&[], &token),
        (&[("origin", &own)], ""),
        (&[("origin", &own)], &foreign),
    ];
    for (headers, token) in ways {
        for path in ["/ui/tag/house/price", "/ui/untag/house/price", "/ui/signout"] {
            let answer = admin.ask("POST", path, headers, &fields(token));
            assert_eq!(answer.status, 403, "{path} {headers:?}: {}", answer.text());
            checked(path, &answer);
        }
        let path = "/ui/try/house/price@3";
        assert_eq!(admin.ask("POST", path, headers, &fields(token)).status, 403, "{headers:?}");
    }
    for headers in [&[][..], &[("origin", "https://evil.example.com")]] {
        let body = form(&[("token", served.token())]);
        let answer = Browser::new(&served).ask("POST", "/ui/signin", headers, &body);
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{headers:?}");
    }
    let tags = served.larder.tags().of("house/price").unwrap();
    assert!(tags.iter().all(|tag| tag.tag.as_str() != "evil"));
    // The session is still there, and the same form is taken from the page itself.
    let headers = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    let answer = admin.ask("POST", "/ui/tag/house/price", &headers, &fields(&token));
    assert_eq!(answer.status, 303, "{}", answer.text());
}

#[test]
fn a_session_is_for_the_page_and_ends() {
    let served = filled();
    let mut nobody = Browser::new(&served);
    let asked = nobody.get("/ui/name/house/price?before=3");
    assert_eq!(asked.status, 401);
    let text = asked.text();
    assert!(text.contains("type=\"password\"") && !text.contains("5 versions"), "{text}");
    assert!(text.contains("value=\"/ui/name/house/price?before=3\""), "{text}");
    for wrong in ["", "larder_wrong", served.token().get(..20).unwrap()] {
        let answer = nobody.post("/ui/signin", &[("token", wrong)]);
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{wrong}");
    }
    // A token never stands in a URL.
    let path = format!("/ui/signin?token={}", served.token());
    assert_eq!(nobody.get(&path).status, 400);

    let access = served.larder.access();
    let secret = served.user("ann", Role::Viewer, "*");
    let mut ann = Browser::signed_in(&served, &secret);
    assert!(!ann.cookies.contains(&secret.to_lowercase()));
    // The cookie opens the page, and nothing else.
    for path in ["/whoami", "/store/records?prefix=names/", "/models/house/price", "/metrics"] {
        let cookies = ann.cookies.clone();
        let headers = [("cookie", cookies.as_str())];
        let answer = http::send(served.server.address().unwrap(), "GET", path, None, &headers, b"");
        assert_eq!(answer.status, 401, "{path}");
    }
    let kept = ann.cookies.clone();
    let out = ann.send("/ui", "/ui/signout", &[]);
    assert_eq!((out.status, out.header("location")), (303, Some("/ui/signin")));
    ann.cookies = kept;
    assert_eq!(ann.get("/ui").status, 401, "the session is over, whatever the browser keeps");

    let mut ann = Browser::signed_in(&served, &secret);
    assert_eq!(ann.get("/ui").status, 200);
    let id =
        access.tokens(None).unwrap().into_iter().find(|it| it.owner.as_str() == "ann").unwrap();
    access.revoke(&id.id).unwrap();
    let since = Instant::now();
    while ann.get("/ui").status == 200 {
        assert!(since.elapsed() < Duration::from_secs(5), "a revoked token ends its sessions");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_page_of_this_machine_opens_by_a_link_that_works_once() {
    let served = Served::with("memory:", |_| ServerOptions::local());
    fill(&served.larder).unwrap();
    let link = served.server.local_link().unwrap();
    let path = link.strip_prefix(&served.server.url()).unwrap().to_owned();
    let mut stranger = Browser::new(&served);
    for path in ["/ui", "/ui/name/house/price", "/ui/enter/00", "/whoami", "/store", "/nothing"] {
        let answer = stranger.ask("GET", path, &[], "");
        assert!([401, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.text().contains("5 versions"));
    }
    for route in routes() {
        if route.needs == "public" {
            continue;
        }
        let path = route.path.replace("{*rest}", "house/price").replace("{digest}", "00");
        let answer = stranger.ask(&route.method, &path, &[], "");
        // The status of gRPC is a header.
        let is_refused = answer.status == 401 || answer.header("grpc-status") == Some("16");
        assert!(is_refused, "{} {path}: {}", route.method, answer.status);
    }
    let mut user = Browser::new(&served);
    let entered = user.get(&path);
    assert_eq!((entered.status, entered.header("location")), (303, Some("/ui")));
    assert_eq!(stranger.get(&path).status, 404, "once");
    assert!(served.server.local_link().is_none());
    let list = user.get("/ui").text();
    assert!(NAMES.iter().all(|name| list.contains(name)), "{list}");
    let page = "/ui/name/house/price";
    let done = user.send(page, "/ui/tag/house/price", &[("tag", "mine"), ("version", "1")]);
    assert_eq!(done.status, 303, "{}", done.text());
    let text = user.get("/ui/version/house/price@3").text();
    assert!(text.contains("larder --store memory:"), "{text}");
    assert!(user.get("/ui/deployments").text().contains("larder serve"));
    // It changes nothing by itself: no user, no token, no deployment that says that it serves.
    assert!(!served.larder.access().is_set_up().unwrap());
}
