//! No route answers who is not signed in, or may not do it.

use larder::server::{RouteInfo, routes};
use larder_tests::http::{self, Answer};

use super::Serving;

/// The routes that need no token: they tell nothing about the larder.
const PUBLIC: [&str; 6] =
    ["/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/ping", "/version"];
/// The routes by which somebody signs in. A server without single sign-on says so.
const SIGN_IN: [&str; 3] = ["/login", "/login/callback", "/login/device"];
/// The routes that need a token, but no grant: they are about the token's owner.
const SIGNED_IN: [&str; 5] =
    ["/logout", "/whoami", "/api/whoami-v2", "/api/validate-yaml", "/api/3.0/mlflow/server-info"];

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

#[test]
fn every_route_needs_a_token_and_a_grant() {
    let serving = Serving::start();
    let nobody = serving.user("nobody", &[]);
    let routes = routes();
    assert!(routes.len() >= 6, "{routes:?}");
    for route in &routes {
        let (public, signed_in) = (PUBLIC.contains(&route.path), SIGNED_IN.contains(&route.path));
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
        let found = (route.needs.as_str(), without.status, with.status);
        assert_eq!(found, expected, "{route:?}: {} {}", without.text(), with.text());
        if without.status == 401 {
            assert_eq!(without.code(), "unauthorized", "{route:?}");
            assert_eq!(without.header("www-authenticate"), Some("bearer"));
        }
        if with.status == 403 {
            assert_eq!(with.code(), "forbidden", "{route:?}");
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
    for path in ["/", "/secret", "/%2e%2e/whoami", "//whoami", "/whoami/", "/WHOAMI", "/%00"] {
        assert_eq!(serving.get(path, None).status, 401, "{path}");
        assert_eq!(serving.get(path, Some(&serving.admin)).status, 404, "{path}");
    }
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
