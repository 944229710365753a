//! A real provider of OpenID Connect on loopback, and a browser without a screen.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::npm::{ADVICE, with_package};

const PROGRAM: &str = include_str!("../oidc/provider.mjs");
/// The package, which npm installs once.
const PACKAGE: &str = "oidc-provider@9.13.3";

/// A provider. Dropping it ends the process.
#[derive(Debug)]
pub struct Provider {
    /// Its URL.
    pub issuer: String,
    process: Child,
    /// Open as long as the provider: it writes notices there.
    _said: BufReader<ChildStdout>,
}

#[allow(clippy::unwrap_used, clippy::expect_used)]
impl Provider {
    /// Starts a provider whose clients come back to `redirect`. `target` keeps the package. With `thin`, its identity tokens say
    /// no more than who it is.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(target: &Path, redirect: &str, thin: bool) -> Self {
        let folder = with_package(target, "oidc-provider", PACKAGE, PROGRAM);
        let mut process = Command::new("node")
            .arg(folder.join("main.mjs"))
            .env("REDIRECT_URI", redirect)
            .env("THIN_ID_TOKENS", if thin { "1" } else { "0" })
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(ADVICE);
        let mut issuer = String::new();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        said.read_line(&mut issuer).unwrap();
        let issuer = issuer.trim().to_owned();
        assert!(issuer.starts_with("http://"), "the provider does not start: {issuer:?}");
        Self { issuer, process, _said: said }
    }

    /// Asks the provider, without cookies.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn post(&self, path: &str, headers: &str, body: &str) -> Page {
        request(&format!("{}{path}", self.issuer), "POST", headers, body)
    }

    /// Signs a token: `by` is `rsa`, `ec`, `stranger` (a key that it does not have), `public` or `nobody`.
    pub fn sign(&self, by: &str, header: &Value, payload: &Value) -> String {
        let what = serde_json::json!({ "by": by, "header": header, "payload": payload });
        self.post("/test/sign", "", &what.to_string()).body
    }

    /// The names of its keys.
    pub fn keys(&self) -> Value {
        serde_json::from_str(&self.post("/test/keys", "", "").body).unwrap()
    }

    /// Replaces its keys, and returns the names of the new ones.
    pub fn rotate(&self) -> Value {
        serde_json::from_str(&self.post("/test/rotate", "", "").body).unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An answer, with its head as it was sent.
#[derive(Debug, Clone)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// The head.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Page {
    /// The values of a header.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.head.lines().filter_map(move |line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Where it leads to, if it is a redirect.
    pub fn location(&self) -> Option<&str> {
        self.headers("location").next()
    }
}

/// A browser that keeps cookies and follows redirects.
#[derive(Debug, Default)]
pub struct Browser {
    /// By host and name.
    cookies: BTreeMap<(String, String), String>,
}

#[allow(clippy::unwrap_used)]
impl Browser {
    /// Gets a page. Redirects are not followed.
    pub fn get(&mut self, url: &str) -> Page {
        self.send(url, "GET", "", "")
    }

    /// Sends a form.
    pub fn post(&mut self, url: &str, form: &str) -> Page {
        self.send(url, "POST", "content-type: application/x-www-form-urlencoded\r\n", form)
    }

    /// Sends a request with the cookies of its host, and keeps those of the answer.
    pub fn send(&mut self, url: &str, method: &str, headers: &str, body: &str) -> Page {
        let host = host(url).to_owned();
        let of_host = self.cookies.iter().filter(|((of, _), _)| *of == host);
        let cookies: Vec<_> = of_host.map(|((_, name), value)| format!("{name}={value}")).collect();
        let cookies = match cookies.is_empty() {
            true => String::new(),
            false => format!("cookie: {}\r\n", cookies.join("; ")),
        };
        let page = request(url, method, &(cookies + headers), body);
        for cookie in page.headers("set-cookie") {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap_or_default();
            let key = (host.clone(), name.to_owned());
            match value {
                "" => self.cookies.remove(&key),
                value => self.cookies.insert(key, value.to_owned()),
            };
        }
        page
    }

    /// Follows redirects until a page of another host than the provider's, or one that is none. Forms of the provider are
    /// filled in for `user`.
    ///
    /// # Panics
    /// If it goes on without end.
    pub fn sign_in(&mut self, provider: &Provider, mut url: String, user: &str) -> Page {
        for _ in 0..20 {
            let mut page = self.get(&url);
            if page.status == 200 && page.body.contains("name=\"prompt\"") {
                let action = attribute(&page.body, "action=\"").unwrap();
                let prompt = attribute(&page.body, "name=\"prompt\" value=\"").unwrap();
                let action = absolute(&url, action);
                page = self.post(&action, &format!("prompt={prompt}&login={user}&password=x"));
            }
            match page.location() {
                Some(next) => url = absolute(&url, next),
                None => return page,
            }
            if host(&url) != host(&provider.issuer) {
                return page;
            }
        }
        panic!("the provider leads nowhere: {url}");
    }

    /// Lets the command line go on that shows `page`, as `user`.
    ///
    /// # Panics
    /// If the provider refuses it.
    pub fn approve(&mut self, provider: &Provider, page: &str, user: &str) {
        let asked = self.get(page);
        let field = |name: &str| {
            let before = format!("name=\"{name}\" value=\"");
            attribute(&asked.body, &before).unwrap_or_else(|| panic!("{asked:?}")).to_owned()
        };
        let form = format!("xsrf={}&user_code={}&confirm=yes", field("xsrf"), field("user_code"));
        let device = format!("{}/device", provider.issuer);
        let confirmed = self.post(&device, &form);
        let next =
            absolute(&device, confirmed.location().unwrap_or_else(|| panic!("{confirmed:?}")));
        let done = self.sign_in(provider, next, user);
        assert!(done.body.contains("Sign-in Success"), "{done:?}");
    }
}

/// The value of an attribute in a page.
pub fn attribute<'a>(page: &'a str, before: &str) -> Option<&'a str> {
    page.split_once(before)?.1.split('"').next()
}

/// The URL of a link on a page.
pub fn absolute(page: &str, link: &str) -> String {
    match link.starts_with('/') {
        true => format!("http://{}{link}", host(page)),
        false => link.to_owned(),
    }
}

fn host(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    rest.split(['/', '?']).next().unwrap_or_default()
}

#[allow(clippy::unwrap_used)]
fn request(url: &str, method: &str, headers: &str, body: &str) -> Page {
    let host = host(url);
    let path = url.strip_prefix("http://").unwrap().strip_prefix(host).unwrap();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let address: SocketAddr = host.parse().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: {host}\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Page { status, head: head.to_owned(), body: body.to_owned() }
}
