//! Single sign-on, against a real provider of OpenID Connect.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use larder::access::{LarderAccess, Outcome, Role, Subject};
use larder::server::{OidcOptions, Server};
use larder_tests::oidc::{Browser, Page, Provider, attribute};
use serde_json::{Value, json};

use super::{Serving, options};

/// The name of the user `ann` of the provider.
const ANN: &str = "ann-example.com";

/// A provider, and a server that trusts it.
struct Trusting {
    provider: Provider,
    serving: Serving,
}

impl Trusting {
    fn start() -> Self {
        Self::with(false, "larder", |oidc| oidc.create_users(true))
    }

    fn with(thin: bool, client: &str, set: impl FnOnce(OidcOptions) -> OidcOptions) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        let redirect = format!("http://{address}/login/callback");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let provider = Provider::start(target, &redirect, thin);
        drop(free);
        let oidc = set(OidcOptions::new(&provider.issuer, client));
        let serving = Serving::with(&options().listen(address.into()).oidc(oidc));
        Self { provider, serving }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.serving.address())
    }

    /// Signs in at the provider, and returns the way back.
    fn way_back(&self, browser: &mut Browser, user: &str, page: &str) -> String {
        let led = browser.sign_in(&self.provider, self.url(&format!("/login{page}")), user);
        led.location().unwrap_or_else(|| panic!("{led:?}")).to_owned()
    }

    /// Signs in, and returns the page at the end.
    fn sign_in(&self, browser: &mut Browser, user: &str) -> Page {
        let back = self.way_back(browser, user, "");
        browser.get(&back)
    }

    /// What a token says, and is changed to.
    fn payload(&self, change: Value) -> Value {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let mut payload = json!({
            "iss": self.provider.issuer, "aud": "larder", "sub": "ann", "iat": now, "exp": now + 300,
            "email": "ann@example.com", "groups": ["ml"],
        });
        for (key, value) in change.as_object().unwrap() {
            match value {
                Value::Null => payload.as_object_mut().unwrap().remove(key),
                value => payload.as_object_mut().unwrap().insert(key.clone(), value.clone()),
            };
        }
        payload
    }

    /// A token of the key with its name, as the provider signs them.
    fn token(&self, change: Value) -> String {
        let header = json!({ "alg": "RS256", "kid": self.provider.keys()["rsa"] });
        self.provider.sign("rsa", &header, &self.payload(change))
    }

    fn status(&self, token: &str) -> u16 {
        self.serving.get("/whoami", Some(token)).status
    }
}

fn names(groups: &Value) -> BTreeSet<&str> {
    groups.as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn the_page_is_opened_and_left_by_single_sign_on() {
    let trusting = Trusting::start();
    let access = trusting.serving.larder.access();
    access.grant(&Subject::Everyone, Role::Viewer, "*").unwrap();
    let (mut browser, jobs) = (Browser::default(), trusting.url("/ui/jobs"));
    let asked = browser.get(&jobs);
    assert!(asked.status == 401 && asked.body.contains("/login?next=%2Fui%2Fjobs"), "{asked:?}");
    let back = trusting.way_back(&mut browser, "ann", "?next=%2Fui%2Fjobs");
    assert_eq!(browser.get(&back).location(), Some("/ui/jobs"));
    let page = browser.get(&jobs);
    assert!(page.status == 200 && page.body.contains(ANN), "{page:?}");
    let token = attribute(&page.body, "name=\"form_token\" value=\"").unwrap();
    let headers = format!("origin: {}\r\n", trusting.url(""));
    let body = format!("form_token={token}");
    let out = browser.send(&trusting.url("/ui/signout"), "POST", &headers, &body);
    assert_eq!((out.status, out.location()), (303, Some("/ui/signin")), "{out:?}");
    assert_eq!(browser.get(&jobs).status, 401);
}

#[test]
fn a_browser_signs_in_has_the_grants_of_its_groups_and_signs_out() {
    let trusting = Trusting::start();
    let access = trusting.serving.larder.access();
    access.add_group("ml").unwrap();
    access.grant(&Subject::group("ml").unwrap(), Role::Viewer, "*").unwrap();
    let mut browser = Browser::default();
    let end = trusting.sign_in(&mut browser, "ann");
    assert_eq!((end.status, end.location()), (303, Some("/whoami")), "{end:?}");
    let session = end.headers("set-cookie").find(|it| it.starts_with("larder_session=")).unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"] {
        assert!(session.contains(part), "{session}");
    }
    let who: Value = serde_json::from_str(&browser.get(&trusting.url("/whoami")).body).unwrap();
    assert_eq!(who["name"], ANN);
    // The larder does not know the other group of the provider.
    assert_eq!(names(&who["groups"]), BTreeSet::from(["ml"]));
    assert_eq!(browser.get(&trusting.url("/metrics")).status, 200);
    // The groups are of the session, not of the user.
    let users = access.users().unwrap();
    let ann = users.iter().find(|user| user.name.as_str() == ANN).unwrap();
    assert!(ann.groups.is_empty());

    // Any server of the larder accepts the session.
    let oidc = OidcOptions::new(&trusting.provider.issuer, "larder");
    let second = Server::start(trusting.serving.larder.clone(), &options().oidc(oidc)).unwrap();
    let cookie = session.split(';').next().unwrap();
    let headers = format!("cookie: {cookie}\r\n");
    let url = format!("{}/whoami", second.url());
    assert_eq!(Browser::default().send(&url, "GET", &headers, "").status, 200);

    // A page of another site changes nothing.
    let logout = trusting.url("/logout");
    let evil = browser.send(&logout, "POST", "origin: https://evil.example.com\r\n", "");
    assert_eq!(evil.status, 403, "{evil:?}");
    let out = browser.post(&logout, "");
    assert_eq!((out.status, out.body.as_str()), (200, "{\"revoked\":true}"));
    assert_eq!(browser.get(&trusting.url("/whoami")).status, 401);
    let again = Browser::default().send(&trusting.url("/whoami"), "GET", &headers, "");
    assert_eq!(again.status, 401, "the token is revoked, not only the cookie");

    trusting.serving.server.stop();
    let entries: Vec<_> = access.audit(None).collect::<Result<_, _>>().unwrap();
    let entry = entries.iter().find(|entry| entry.action == "sign in").unwrap();
    assert_eq!(entry.outcome, Outcome::Allowed);
    assert_eq!(entry.principal.as_ref().map(|it| it.as_str()), Some(ANN));
    assert!(entry.token.is_some() && entry.because == trusting.provider.issuer);
}

#[test]
fn a_client_with_a_secret_and_a_provider_with_thin_tokens() {
    let trusting = Trusting::with(true, "larder-web", |oidc| {
        oidc.client_secret("secret of larder + web").create_users(true)
    });
    let mut browser = Browser::default();
    let back = trusting.way_back(&mut browser, "ann", "?next=/deployments");
    let end = browser.get(&back);
    assert_eq!((end.status, end.location()), (303, Some("/deployments")), "{end:?}");
    let who: Value = serde_json::from_str(&browser.get(&trusting.url("/whoami")).body).unwrap();
    assert_eq!(who["name"], ANN);
}

#[test]
fn an_answer_to_another_question_signs_nobody_in() {
    let trusting = Trusting::start();
    let (mut ann, mut eve) = (Browser::default(), Browser::default());
    let back = trusting.way_back(&mut ann, "ann", "");
    // Somebody else's browser has begun no sign-in, or another one.
    assert_eq!(eve.get(&back).status, 400);
    trusting.way_back(&mut eve, "eve", "");
    assert_eq!(eve.get(&back).status, 400);
    let state = back.find("state=").unwrap();
    let mut forged = back.clone();
    forged.replace_range(state + 6..state + 8, "00");
    assert_eq!(ann.get(&forged).status, 400);
    let other = back.replace("&iss=", "&iss=http%3A%2F%2Fother&x=");
    assert_eq!(ann.get(&other).status, 400, "{other}");
    let code = back.find("code=").unwrap();
    let mut wrong = back.clone();
    wrong.replace_range(code + 5..code + 9, "0000");
    assert_eq!(ann.get(&wrong).status, 401);
    // A code holds once.
    assert_eq!(ann.get(&back).status, 303);
    assert_eq!(ann.get(&back).status, 400);
}

#[test]
fn who_is_unknown_unverified_or_somebody_else_is_denied() {
    let trusting = Trusting::with(false, "larder", |oidc| oidc);
    let access = trusting.serving.larder.access();
    let denied = trusting.sign_in(&mut Browser::default(), "ann");
    assert_eq!(denied.status, 401);
    assert!(denied.body.contains("ann-example.com"), "{}", denied.body);
    access.add_user(ANN, &[]).unwrap();
    assert_eq!(trusting.sign_in(&mut Browser::default(), "ann").status, 303);
    // The provider gives the address, which maps to the same name, to somebody else.
    let other = trusting.token(json!({ "sub": "another ann" }));
    assert_eq!(trusting.status(&other), 401);
    let other = trusting.token(json!({ "sub": "another ann", "email": "ann+example.com" }));
    assert_eq!(trusting.status(&other), 401);
    access.add_user("eve-example.com", &[]).unwrap();
    let unverified = trusting.sign_in(&mut Browser::default(), "eve");
    assert_eq!(unverified.status, 401);
    assert!(unverified.body.contains("verified"), "{}", unverified.body);
}

#[test]
fn services_sign_in_by_tokens_of_the_provider() {
    let trusting = Trusting::with(false, "larder", |oidc| {
        oidc.audience("larder-services").user_claim("email").user_claim("client_id")
    });
    let access = trusting.serving.larder.access();
    access.add_service("shop", &[]).unwrap();
    access.grant(&Subject::user("shop").unwrap(), Role::Viewer, "*").unwrap();
    let secret = "authorization: Basic c2hvcDpzZWNyZXQrb2YrdGhlK3Nob3A=\r\n";
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let asked = "grant_type=client_credentials&resource=urn:larder";
    let given = trusting.provider.post("/token", &format!("{secret}{form}"), asked);
    let given: Value = serde_json::from_str(&given.body).unwrap();
    let token = given["access_token"].as_str().unwrap();
    let who = trusting.serving.get("/whoami", Some(token));
    assert_eq!((who.status, &who.json()["name"]), (200, &json!("shop")), "{}", who.text());
    assert_eq!(trusting.serving.get("/metrics", Some(token)).status, 200);
    access.remove_user("shop").unwrap();
    thread::sleep(Duration::from_millis(1_100));
    assert_eq!(trusting.status(token), 401);
}

#[test]
fn tokens_that_nobody_should_believe_are_refused() {
    let trusting = Trusting::start();
    let keys = trusting.provider.keys();
    let now = trusting.payload(json!({}))["iat"].as_u64().unwrap();
    let good = trusting.token(json!({}));
    assert_eq!(trusting.status(&good), 200);
    let ec = json!({ "alg": "ES256", "kid": keys["ec"] });
    assert_eq!(
        trusting.status(&trusting.provider.sign("ec", &ec, &trusting.payload(json!({})))),
        200
    );

    let signed =
        |by: &str, header: Value| trusting.provider.sign(by, &header, &trusting.payload(json!({})));
    for (what, token) in [
        ("no algorithm", signed("nobody", json!({ "alg": "none", "kid": keys["rsa"] }))),
        ("an algorithm in other letters", signed("nobody", json!({ "alg": "nOnE" }))),
        (
            "the public key as a secret",
            signed("public", json!({ "alg": "HS256", "kid": keys["rsa"] })),
        ),
        ("the same without a key", signed("public", json!({ "alg": "HS256" }))),
        ("a key of nobody", signed("stranger", json!({ "alg": "RS256", "kid": keys["rsa"] }))),
        ("an unknown key", signed("rsa", json!({ "alg": "RS256", "kid": "unknown" }))),
        ("a key of another kind", signed("rsa", json!({ "alg": "RS256", "kid": keys["ec"] }))),
        ("another algorithm", signed("rsa", json!({ "alg": "ES256", "kid": keys["rsa"] }))),
        (
            "a critical extension",
            signed("rsa", json!({ "alg": "RS256", "kid": keys["rsa"], "crit": ["b64"] })),
        ),
        ("another audience", trusting.token(json!({ "aud": "shop" }))),
        ("other audiences", trusting.token(json!({ "aud": ["shop", "larder2"] }))),
        ("no audience", trusting.token(json!({ "aud": null }))),
        ("another issuer", trusting.token(json!({ "iss": "http://127.0.0.1:1" }))),
        ("no issuer", trusting.token(json!({ "iss": null }))),
        ("the past", trusting.token(json!({ "exp": now - 60 }))),
        ("no end", trusting.token(json!({ "exp": null }))),
        ("an end of text", trusting.token(json!({ "exp": "tomorrow" }))),
        ("the future", trusting.token(json!({ "nbf": now + 600 }))),
        ("no subject", trusting.token(json!({ "sub": null }))),
        ("a changed body", good.replacen(".ey", ".eZ", 1)),
        ("no signature", good.rsplit_once('.').map(|(text, _)| format!("{text}.")).unwrap()),
        ("a part too many", format!("{good}.x")),
        ("a token that is too long", trusting.token(json!({ "x": "x".repeat(20 << 10) }))),
    ] {
        let answer = trusting.serving.get("/whoami", Some(&token));
        assert_eq!((answer.status, &*answer.code()), (401, "unauthorized"), "{what}");
        assert!(!answer.text().contains("ann@"), "{what}: {}", answer.text());
    }
}

#[test]
fn new_keys_of_the_provider_are_found_and_old_ones_end() {
    let trusting = Trusting::start();
    let old = trusting.token(json!({}));
    assert_eq!(trusting.status(&old), 200);
    trusting.provider.rotate();
    // The server asks for keys once in three seconds at most.
    thread::sleep(Duration::from_millis(3_100));
    let new = trusting.token(json!({}));
    assert_eq!(trusting.status(&new), 200);
    assert_eq!(trusting.status(&old), 401);
}

#[test]
fn a_provider_that_is_gone_stops_nobody_with_a_token_of_the_larder() {
    let Trusting { provider, serving } = Trusting::start();
    drop(provider);
    let token = Some(serving.admin.as_str());
    assert_eq!(serving.get("/whoami", token).status, 200);
    let answer = serving.get("/login", None);
    assert_eq!((answer.status, &*answer.code()), (503, "unavailable"));
}

#[test]
fn a_command_line_signs_in_on_any_device() {
    let trusting = Trusting::start();
    let home = tempfile::tempdir().unwrap();
    let url = trusting.url("");
    let larder = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_command_line"));
        command.args(words).current_dir(&home).env("XDG_CONFIG_HOME", home.path());
        command.env_remove("LARDER_TOKEN").env_remove("LARDER_STORE").env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let said = |words: &[&str]| {
        let output = larder(words).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).unwrap().replace(&url, "URL")
    };
    let mut login = larder(&["login", &url]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(login.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let page = line.split(' ').nth(1).unwrap_or_else(|| panic!("{line:?}"));
    assert!(page.starts_with(&trusting.provider.issuer), "{line}");
    Browser::default().approve(&trusting.provider, page, "ann");
    let mut out = String::new();
    login.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(login.wait().unwrap().success(), "{out}");
    assert_eq!(out.replace(&url, "URL"), format!("signed in at URL as {ANN}\n"));

    let access = trusting.serving.larder.access();
    access.grant(&Subject::user(ANN).unwrap(), Role::Writer, "house/*").unwrap();
    thread::sleep(Duration::from_millis(1_100));
    assert_eq!(said(&["whoami", "--store", &url]), format!("{ANN}\nwriter on house/*\n"));
    assert_eq!(said(&["logout", &url]), "signed out of URL; the token is revoked\n");
    assert_eq!(said(&["logout", &url]), "unchanged: there is no token for URL\n");
    let tokens = access.tokens(None).unwrap();
    let token = tokens.iter().find(|token| token.label == "command line").unwrap();
    assert!(token.revoked.is_some() && token.owner.as_str() == ANN);
}

#[test]
fn an_identity_token_is_changed_while_it_is_new() {
    let trusting = Trusting::start();
    let give = |token: &str| {
        let body = json!({ "id_token": token }).to_string();
        trusting.serving.post("/login/device", None, &body)
    };
    let now = trusting.payload(json!({}))["iat"].as_u64().unwrap();
    let answer = give(&trusting.token(json!({})));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(trusting.status(&token), 200);
    for (what, token) in [
        ("an old one", trusting.token(json!({ "iat": now - 3_600 }))),
        ("one without a time", trusting.token(json!({ "iat": null }))),
        ("one for a service", trusting.token(json!({ "aud": "larder-services" }))),
        ("one of the larder", token.clone()),
    ] {
        assert_eq!(give(&token).status, 401, "{what}");
    }
    assert_eq!(trusting.serving.post("/login/device", None, "{}").status, 400);
    let bomb = "x".repeat(100 << 10);
    assert_eq!(trusting.serving.post("/login/device", None, &bomb).status, 413);
}

#[test]
fn a_server_refuses_a_provider_that_others_could_stand_in_for() {
    let serving = Serving::start();
    let start = |options| Server::start(serving.larder.clone(), &options).map(drop);
    let oidc = |issuer: &str| OidcOptions::new(issuer, "larder");
    assert!(start(options().oidc(oidc("http://id.example.com"))).is_err());
    assert!(start(options().oidc(oidc("https://id.example.com")).authenticate(false)).is_err());
    let beyond = SocketAddr::from(([0, 0, 0, 0], 0));
    let beyond = options().listen(beyond.into()).behind_proxy(true);
    assert!(start(beyond.clone().oidc(oidc("https://id"))).is_err());
    let public = oidc("https://id").public_url("http://larder.example.com");
    assert!(start(beyond.clone().oidc(public)).is_err());
    assert!(
        start(beyond.oidc(oidc("https://id").public_url("https://larder.example.com"))).is_ok()
    );
}
