//! `serve`, `login` and `logout`, and a larder behind a server.

use std::io::{BufRead, BufReader};
use std::process::Child;

use serde_json::Value;

use crate::test_dir::{PLAIN, TestDir};

/// A server that ends with the test.
struct Serving {
    process: Child,
    url: String,
    token: Option<String>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(dir: &TestDir, options: &[&str]) -> Serving {
    let words = ["serve", "--listen", "127.0.0.1:0", "--format", "json"];
    let mut process = dir.command(PLAIN, &[&words, options].concat()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(process.stdout.take().unwrap());
    let started = loop {
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended after {line:?}");
        if let Ok(started) = serde_json::from_str::<Value>(&line) {
            break started;
        }
    };
    let text = |key: &str| started[key].as_str().map(str::to_owned);
    Serving { process, url: text("url").unwrap(), token: text("token") }
}

#[test]
fn a_token_is_tried_kept_used_and_forgotten() {
    let dir = TestDir::new("sqlite:larder.db");
    dir.filled();
    let server = serve(&dir, &[]);
    let (url, token) = (&*server.url, server.token.as_deref().unwrap());
    let say = |words: &[&str], input: &str| {
        let printed = dir.run(dir.command(PLAIN, words), input.as_bytes());
        assert!(!printed.contains(token), "{printed}");
        printed.replace(url, "URL")
    };
    let list = ["--store", url, "list", "--quiet"];
    let said = say(&list, "");
    assert!(said.starts_with("exit 7") || said.contains("the server asks for a token"), "{said}");
    let said = say(&["login", url], "larder_wrong\n");
    assert!(said.contains("error: cannot sign in at URL: the token is not valid"), "{said}");
    let said = say(&["login", url], "two words\n");
    assert!(said.contains("error: cannot use the token"), "{said}");

    let said = say(&["login", url], &format!("{token}\n"));
    assert_eq!(said, "exit 0\n--- stdout\nsigned in at URL as admin\n");
    let said = say(&["login", url, "--format", "json"], token);
    let document = said.strip_prefix("exit 0\n--- stdout\n").unwrap();
    let document: Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["outcome"], "unchanged");
    assert_eq!((&document["server"], &document["user"]), (&"URL".into(), &"admin".into()));

    let said = say(&list, "");
    assert!(said.starts_with("exit 0") && said.contains("wine/price"), "{said}");
    dir.write("notes.txt", "dry");
    assert!(say(&["--store", url, "put", "notes", "notes.txt"], "").starts_with("exit 0"));
    assert!(dir.plain(&["show", "notes"]).starts_with("exit 0"), "it is in the larder itself");
    assert!(say(&["--store", url, "verify"], "").starts_with("exit 0"));
    let said = say(&["copy", "--all", "--store", url, "fs:other"], "");
    assert!(said.starts_with("exit 0"), "{said}");

    let said = say(&["logout", url], "");
    assert_eq!(said, "exit 0\n--- stdout\nforgot the token for URL\n");
    let said = say(&["logout", url], "");
    assert_eq!(said, "exit 0\n--- stdout\nunchanged: there is no token for URL\n");
    let said = say(&list, "");
    assert!(said.contains("the server asks for a token"), "{said}");
}

#[test]
fn a_server_without_tokens_needs_no_login() {
    let dir = TestDir::new("fs:data_dir");
    dir.filled();
    let server = serve(&dir, &["--no-auth"]);
    assert_eq!(server.token, None);
    let printed = dir.plain(&["--store", &server.url, "list", "--quiet"]);
    assert!(printed.starts_with("exit 0") && printed.contains("wine/price"), "{printed}");
    let printed = dir.run(dir.command(PLAIN, &["login", &server.url]), b"larder_x");
    assert!(printed.contains("which asks for no token"), "{printed}");
}

#[test]
fn the_page_of_this_machine_is_opened_by_the_link_that_is_printed() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    let dir = TestDir::new("sqlite:larder.db");
    let none = dir.plain(&["ui", "--no-open"]);
    assert!(none.starts_with("exit 3") && none.contains("there is no larder"), "{none}");
    dir.filled();
    let mut process = dir.command(PLAIN, &["ui", "--no-open"]).spawn().unwrap();
    let mut link = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut link).unwrap();
    let server = Serving { process, url: link.trim().to_owned(), token: None };
    let (address, path) = server.url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    assert!(address.starts_with("127.0.0.1:") && path.starts_with("ui/enter/"), "{link}");
    let ask = |path: &str, cookie: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "GET /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncookie: {cookie}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("ui", "").starts_with("HTTP/1.1 401"));
    let entered = ask(path, "");
    assert!(entered.starts_with("HTTP/1.1 303"), "{entered}");
    let cookie = entered.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let list = ask("ui", cookie);
    assert!(list.starts_with("HTTP/1.1 200") && list.contains("wine/price"), "{list}");
    assert!(ask(path, "").starts_with("HTTP/1.1 404"), "the link works once");
}
