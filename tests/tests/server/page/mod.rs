//! The web page, as a browser without scripts reads it.

mod actions;
mod lists;
mod rights;
mod rows;
mod sessions;

use larder_access::Role;
use larder_tests::http::{self, Answer};
use larder_tests::page::{HOSTILE, fill};

use super::served::Served;

/// A browser: it keeps cookies, and sends what a form says.
struct Browser<'a> {
    served: &'a Served,
    cookies: String,
}

impl<'a> Browser<'a> {
    fn new(served: &'a Served) -> Self {
        Self { served, cookies: String::new() }
    }

    /// Signs in by pasting a token.
    fn signed_in(served: &'a Served, token: &str) -> Self {
        let mut browser = Self::new(served);
        let answer = browser.post("/ui/signin", &[("token", token), ("next", "/ui/jobs")]);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/ui/jobs")));
        browser
    }

    fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut headers = headers.to_vec();
        let cookies = self.cookies.clone();
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        let address = self.served.server.address().unwrap();
        let answer = http::send(address, method, path, None, &headers, body.as_bytes());
        for line in answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            assert!(line.contains("; httponly; samesite=strict;"), "{line}");
            self.cookies = line.split(';').next().unwrap().to_owned();
        }
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        let answer = self.ask("GET", path, &[], "");
        checked(path, &answer);
        answer
    }

    /// Sends a form as a page of the server does.
    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = self.served.server.url();
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("origin", origin.as_str())];
        let answer = self.ask("POST", path, &headers, &form(fields));
        checked(path, &answer);
        answer
    }

    /// The token of the forms of a page.
    fn form_token(&mut self, path: &str) -> String {
        let text = self.get(path).text();
        let (_, rest) = text.split_once("name=\"form_token\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// Sends a form with the token of the page that it is on.
    fn send(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.form_token(page);
        self.post(path, &[fields, &[("form_token", &token)]].concat())
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    let coded = |text: &str| -> String { text.bytes().map(|b| format!("%{b:02x}")).collect() };
    let pairs = fields.iter().map(|(key, value)| format!("{}={}", coded(key), coded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Checks what holds of every answer of the page.
fn checked(path: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'self';"), "{path}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
    assert_eq!(answer.header("x-frame-options"), Some("deny"), "{path}");
    if answer.header("content-type") != Some("text/html; charset=utf-8") {
        return;
    }
    let text = answer.text();
    assert!(text.starts_with("<!doctype html>\n<html lang=\"en\">"), "{path}: {text}");
    assert_eq!(text.matches("<h1").count(), 1, "{path}");
    // Scripts and styles come from the server's own files, and nothing that was stored is markup.
    assert_eq!(text.matches("<script").count(), 1, "{path}: {text}");
    assert!(!text.contains("<style") && !text.contains(" style="), "{path}");
    assert!(!text.contains("javascript:"), "{path}");
    assert!(!text.contains("onerror=\"alert") && !text.contains('\u{202e}'), "{path}: {text}");
    for (at, _) in text.match_indices("<img") {
        let (own, preview) =
            ("<img src=\"/ui/static/icon.svg", "<img class=\"preview\" src=\"/ui/media/");
        assert!(text[at..].starts_with(own) || text[at..].starts_with(preview), "{path}");
    }
    assert!(answer.body.len() < 100_000, "{path}: {} bytes", answer.body.len());
}

fn filled() -> Served {
    let served = Served::at("memory:");
    fill(&served.larder).unwrap();
    served
}

/// The job of `house/street` that a trigger made.
fn job(served: &Served, trigger: &str) -> String {
    use larder::jobs::{JobsQuery, LarderJobs};

    let jobs = served.larder.jobs();
    let found = jobs.list(&JobsQuery::new()).map(Result::unwrap);
    found.into_iter().find(|job| job.trigger == trigger).unwrap().id.to_string()
}

#[test]
fn every_screen_says_what_there_is() {
    let served = filled();
    let mut admin = Browser::signed_in(&served, served.token());
    let (train, fail) = (job(&served, "train"), job(&served, "fail"));
    let digest = served.larder.show("house/price@3").unwrap().version.digest.to_string();
    let screens: [(&str, &[&str]); 18] = [
        (
            "/ui",
            &["Names", "house/digits", "house/price", "house/script", "tests/price", "Sign out"],
        ),
        (
            "/ui?where=metrics.accuracy+%3E+0.8&all=1",
            &["house/price", "metrics.accuracy &#62; 0.8"],
        ),
        (
            "/ui/name/house/price",
            &[
                "5 versions",
                ">prod</span> is",
                "protected",
                "History of prod",
                "grant admin to user:admin on *",
            ],
        ),
        (
            "/ui/version/house/price@3",
            &[
                &digest,
                "layer.weight",
                "F32",
                "12",
                "area: float64",
                "larder::open(",
                "Authorization: Bearer $LARDER_TOKEN",
                "accuracy",
                "house/street@1",
            ],
        ),
        ("/ui/version/house/price:prod", &["house/price@3"]),
        ("/ui/version/house/digits", &["Inputs", "float32"]),
        ("/ui/version/house/script", &["page.html"]),
        (
            "/ui/diff/house/price?old=1&new=2",
            &["per_area", "2.125", "2.25", "metric accuracy", "changed"],
        ),
        ("/ui/diff/house/price?old=2&new=2", &["They are the same"]),
        ("/ui/metrics/house/price", &["<svg", "accuracy over 4 versions", "loss", "cellar"]),
        ("/ui/lineage/house/street@1", &["<svg", "house/price@3", "Made of", "house/street@2"]),
        ("/ui/lineage/house/street@2", &["house/street@1", &train]),
        ("/ui/jobs", &["train", "fail", "succeeded", "failed"]),
        (&format!("/ui/job/{train}"), &["succeeded", "Output", "house/street@1"]),
        (&format!("/ui/job/{fail}"), &["failed", "Error", "Payload"]),
        ("/ui/deployments", &["price", "house/price:prod"]),
        ("/ui/access", &["admin", "Grants", "Policies"]),
        ("/ui/access/house/price", &["grant admin to user:admin on *", "administer"]),
    ];
    for (path, facts) in screens {
        let answer = admin.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        for fact in facts {
            assert!(answer.text().contains(fact), "{path}: no `{fact}` in {}", answer.text());
        }
    }
    let tokens = admin.get("/ui/tokens").text();
    assert!(tokens.contains("first token") && tokens.contains("this session"), "{tokens}");
    assert!(!tokens.contains(served.token()), "a secret is never shown");
    let home = admin.get("/");
    assert_eq!((home.status, home.header("location")), (303, Some("/ui")));
}

#[test]
fn stored_text_stays_text() {
    let served = filled();
    let mut admin = Browser::signed_in(&served, served.token());
    // `checked` looks for markup on each of them.
    for path in [
        "/ui/version/house/price@5",
        "/ui/diff/house/price?old=4&new=5",
        "/ui/metrics/house/price",
        "/ui/version/house/script",
        "/ui/jobs",
        &format!("/ui/job/{}", job(&served, "train")),
        &format!("/ui/job/{}", job(&served, "fail")),
    ] {
        let text = admin.get(path).text();
        let is_shown = text.contains("alert(&#39;larder&#39;)") || path.ends_with("script");
        assert!(is_shown, "{path}: {text}");
    }
    for path in ["/ui?names=%3Cscript%3Ealert(1)%3C/script%3E", "/ui?where=%3Cscript%3E%22'"] {
        let answer = admin.get(path);
        assert!(answer.text().contains("&#60;script&#62;"), "{}", answer.text());
    }
    let wrong = admin.get("/ui/name/%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert_eq!(wrong.status, 400);
    // An output that is markup.
    let input = format!("{{\"area\":1,\"rooms\":1,\"street\":{HOSTILE:?},\"kind\":\"Flat\"}}");
    let input = input.replace("\\u{202e}", "\\u202e").replace("\\'", "'");
    let page = "/ui/try/house/price@3";
    let answer = admin.send(page, page, &[("input", &input)]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("alert(&#39;larder&#39;)"));
}

#[test]
fn what_is_denied_is_a_page_and_what_may_not_be_read_is_not_there() {
    let served = filled();
    let ann = served.user("ann", Role::User, "house/price");
    let mut ann = Browser::signed_in(&served, &ann);
    let list = ann.get("/ui").text();
    assert!(list.contains("house/price") && !list.contains("house/digits"), "{list}");
    let name = ann.get("/ui/name/house/price").text();
    assert!(!name.contains("Set tag") && name.contains("no grant lets ann tag"), "{name}");
    assert!(!name.contains("/ui/access"));
    // A user of the version that may not be read is left out.
    assert!(!ann.get("/ui/version/house/price@3").text().contains("house/street"));
    assert!(!ann.get("/ui/lineage/house/price@3").text().contains("house/street"));
    for path in [
        "/ui/name/house/digits",
        "/ui/version/house/digits",
        "/ui/diff/house/price?old=1&new=house/digits@1",
        "/ui/try/house/digits",
        "/ui/access",
        "/ui/access/house/price",
        "/ui/audit",
        &format!("/ui/job/{}", job(&served, "train")),
    ] {
        let answer = ann.get(path);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("Not allowed"), "{}", answer.text());
    }
    let token = ann.form_token("/ui/try/house/price@3");
    let answer = ann
        .post("/ui/tag/house/price", &[("form_token", &token), ("tag", "prod"), ("version", "1")]);
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(served.larder.show("house/price:prod").unwrap().version.version.get(), 3);
    for path in ["/ui/nothing", "/ui/name/house/none", "/ui/version/house/price@99"] {
        let mut admin = Browser::signed_in(&served, served.token());
        let answer = admin.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(answer.text().contains("Not found"));
    }
}
