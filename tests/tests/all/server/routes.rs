//! No route answers who is not signed in, or may not do it.

use larder::server::{RouteInfo, routes};
use larder_tests::http::{self, Answer};

use super::Serving;

/// The routes that need no token: they tell nothing about the larder.
const PUBLIC: [&str; 12] = [
    "/livez",
    "/readyz",
    "/v2/health/live",
    "/v2/health/ready",
    "/ping",
    "/version",
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
    "/ui/signin",
    "/ui/static/page.css",
    "/ui/static/page.mjs",
    "/ui/static/icon.svg",
];
/// The routes by which somebody signs in. A server without single sign-on says so.
const SIGN_IN: [&str; 3] = ["/login", "/login/callback", "/login/device"];
/// The routes that need a token, but no grant: they are about the token's owner.
const SIGNED_IN: [&str; 6] = [
    "/logout",
    "/ui/tokens",
    "/whoami",
    "/api/whoami-v2",
    "/api/validate-yaml",
    "/api/3.0/mlflow/server-info",
];
/// Public routes of the page that answer otherwise: one leads to the page, a form of another site is refused, a link was never made.
const OF_PAGE: [(&str, &str, u16); 3] =
    [("GET", "/", 303), ("POST", "/ui/signin", 403), ("GET", "/ui/enter/{*rest}", 404)];
/// A form that needs a token, but no grant. What no page of the server sent is refused.
const SIGN_OUT: &str = "/ui/signout";

/// A path of a route, with names in the places of its parameters.
fn path(route: &RouteInfo) -> String {
    let part = |part: &str| match part {
        "{*rest}" if route.path.starts_with("/mlflow") => "wine~quality/invocations".to_owned(),
        "{*rest}" => "wine/quality".to_owned(),
        part if part.starts_with('{') => "00".repeat(32),
        part => part.to_owned(),
    };
    route.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn ask(serving: &Serving, route: &RouteInfo, token: Option<&str>) -> Answer {
    let body: &[u8] = if route.method == "GET" { b"" } else { b"{}" };
    http::send(serving.address(), &route.method, &path(route), token, &[], body)
}

/// The status, also of an answer over gRPC.
fn status(answer: &Answer) -> u16 {
    match answer.header("grpc-status") {
        Some("16") => 401,
        Some("7") => 403,
        _ => answer.status,
    }
}

#[test]
fn every_route_needs_a_token_and_a_grant() {
    let serving = Serving::start();
    let nobody = serving.user("nobody", &[]);
    let routes = routes();
    assert!(routes.len() >= 6, "{routes:?}");
    for route in &routes {
        let (public, signed_in) = (PUBLIC.contains(&route.path), SIGNED_IN.contains(&route.path));
        let of_page = OF_PAGE.iter().find(|it| (it.0, it.1) == (&*route.method, route.path));
        if let Some((_, _, status)) = of_page {
            assert_eq!((ask(&serving, route, None).status, &*route.needs), (*status, "public"));
            continue;
        }
        if route.path == SIGN_OUT {
            let statuses = [None, Some(nobody.as_str())].map(|it| ask(&serving, route, it).status);
            assert_eq!((statuses, &*route.needs), ([401, 403], "signed in"));
            continue;
        }
        if SIGN_IN.contains(&route.path) {
            for token in [None, Some(nobody.as_str())] {
                let answer = ask(&serving, route, token);
                assert_eq!((answer.status, &*answer.code()), (404, "not_found"), "{route:?}");
            }
            assert_eq!(route.needs, "public");
            continue;
        }
        let expected = match (public, signed_in) {
            (true, _) => ("public", 200, 200),
            (_, true) => ("signed in", 401, 200),
            _ => (route.needs.as_str(), 401, 403),
        };
        let without = ask(&serving, route, None);
        let with = ask(&serving, route, Some(&nobody));
        let found = (route.needs.as_str(), status(&without), status(&with));
        assert_eq!(found, expected, "{route:?}: {} {}", without.text(), with.text());
        // Statuses of gRPC are headers, without a body.
        if without.header("grpc-status").is_some() {
            continue;
        }
        // Of the page, failures are pages.
        let is_page = route.path.starts_with("/ui");
        if without.status == 401 {
            assert_eq!(without.header("www-authenticate"), Some("bearer"));
            match is_page {
                true => assert!(without.text().contains("<h1>Sign in</h1>"), "{route:?}"),
                false => assert_eq!(without.code(), "unauthorized", "{route:?}"),
            }
        }
        if with.status == 403 {
            match is_page {
                true => assert!(with.text().contains("<h1>Not allowed</h1>"), "{route:?}"),
                false => assert_eq!(with.code(), "forbidden", "{route:?}"),
            }
        }
    }
}

#[test]
fn other_methods_and_paths_tell_nothing_without_a_token() {
    let serving = Serving::start();
    for route in routes() {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            let known = |it: &RouteInfo| it.path == route.path && it.method == method;
            if routes().iter().any(known) {
                continue;
            }
            let answer = http::send(serving.address(), method, &path(&route), None, &[], b"");
            assert_eq!(answer.status, 401, "{method} {}", route.path);
            let token = Some(serving.admin.as_str());
            let answer = http::send(serving.address(), method, &path(&route), token, &[], b"");
            assert_eq!(answer.status, 405, "{method} {}", route.path);
        }
    }
    for path in [
        "/secret",
        "/ui/",
        "/ui/secret",
        "/%2e%2e/whoami",
        "//whoami",
        "/whoami/",
        "/WHOAMI",
        "/%00",
    ] {
        assert_eq!(serving.get(path, None).status, 401, "{path}");
        assert_eq!(serving.get(path, Some(&serving.admin)).status, 404, "{path}");
    }
}

#[test]
fn a_whole_url_as_the_target_is_the_same_request() {
    let serving = Serving::start();
    for target in ["/whoami", "http://larder.example/whoami", "HTTP://LARDER.EXAMPLE/whoami"] {
        assert_eq!(serving.get(target, None).status, 401, "{target}");
        assert_eq!(serving.get(target, Some(&serving.admin)).status, 200, "{target}");
    }
    assert_eq!(serving.get("HTTP://larder.example/secret", None).status, 401);
}

#[test]
fn methods_of_a_path_are_told_with_a_token_and_head_has_no_body() {
    let serving = Serving::start();
    let ask = |method, path, token| http::send(serving.address(), method, path, token, &[], b"");
    let token = Some(serving.admin.as_str());
    let answer = ask("DELETE", "/whoami", token);
    assert_eq!((answer.status, answer.header("allow")), (405, Some("get,head")));
    let answer = ask("DELETE", "/whoami", None);
    assert_eq!((answer.status, answer.header("allow")), (401, None));
    let (get, head) = (ask("GET", "/whoami", token), ask("HEAD", "/whoami", token));
    assert_eq!((get.status, head.status), (200, 200));
    assert_eq!(head.header("content-length"), Some(&*get.body.len().to_string()));
    assert!(head.body.is_empty() && !get.body.is_empty());
    let answer = ask("POST", "/predict/%ff", token);
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
}

#[test]
fn every_answer_has_the_id_of_its_request() {
    let serving = Serving::start();
    let ids = [("x-request-id", "mine-1"), ("traceparent", "00-0af7-00f0-01")];
    let answer = http::send(serving.address(), "GET", "/livez", None, &ids, b"");
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    assert_eq!(answer.header("traceparent"), Some("00-0af7-00f0-01"));
    // An id that could forge a line of the log is replaced.
    let forged = [("x-request-id", "a b\tc")];
    let answer = http::send(serving.address(), "GET", "/whoami", None, &forged, b"");
    let id = answer.header("x-request-id").unwrap();
    assert_eq!((id.len(), answer.json()["error"]["request_id"].as_str()), (32, Some(id)));
}
