//! URLs as people mistype them: no secret is printed, and none becomes the name of a file.

use std::collections::BTreeSet;

use larder::{QualifiedReference, Registry, StoreUrl};

/// Two parts of a secret, with something in between that means something in a URL.
const PARTS: [&str; 2] = ["Qz7KEY", "Xk8KEY"];
const BETWEEN: [&str; 16] =
    ["", "/", "@", ":", "?", "#", "%", "%zz", "&", "=", "?a=", "&a=", " ", "//", "\\", "@@"];
/// Digits before a `/` could be a port.
const FIRST: [&str; 2] = ["", "12"];

/// URLs as they should be written, but for a secret in a strange place.
const URLS: [&str; 18] = [
    "s3://SECRET:SECRET@bucket/prefix",
    "s3://bucket/SECRET@prefix",
    "s3://bucket/SECRET:SECRET@prefix",
    "s3://SECRET/SECRET@bucket",
    "postgres:/ann:SECRET@host/db",
    "https//ann:SECRET@host",
    "s3://bucket/prefix?secret_access_key=SECRET",
    "s3://bucket/prefix?blobs=s3://SECRET:SECRET@bucket",
    "s3://bucket/prefix#secret_access_key=SECRET",
    "postgres://ann:SECRET@host/db",
    "postgres://ann:SECRET@host:5432/db?pool=4",
    "postgres://ann:SECRET@[::1]/db",
    "postgres://ann@host/db?password=SECRET",
    "nats://ann:SECRET@a:4222,b:4222",
    "https://ann:SECRET@host/team",
    "ann:SECRET@host.db",
    "sqlite://ann:SECRET@host/larder.db",
    "fs://ann:SECRET@host/larder",
];

/// Ways to mistype a URL.
fn mistyped(url: &str) -> Vec<String> {
    let (scheme, rest) = url.split_once(':').unwrap();
    let place = rest.trim_start_matches('/');
    let mut typed = vec![url.to_owned(), url.to_ascii_uppercase()];
    for colon in
        ["://", ":/", ":", ":///", "//", "/", ";//", "", ":\\\\", "%3A//", " ://", "://://"]
    {
        typed.push(format!("{scheme}{colon}{place}"));
    }
    for before in ["", " ", "x", "1", "./", "/", "+", "ä", "fs:", "http://", "%"] {
        typed.push(format!("{before}{scheme}://{place}"));
    }
    typed.extend(["://", "//", ":", "@", ""].map(|start| format!("{start}{place}")));
    typed.push(format!("{scheme}+tls://{place}"));
    typed.push(format!("{scheme}s://{place}"));
    typed.push(format!("{scheme}_x://{place}"));
    typed
}

/// Returns the part of the secret that a text contains, in any spelling.
fn shows(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    PARTS.iter().any(|part| said.contains(&part.to_ascii_lowercase()))
}

/// Returns true if a mistyped URL is only a path with a strange name: it has neither a password nor the mark of a URL.
fn is_a_path(text: &str) -> bool {
    let place = text.split('?').next().unwrap_or_default();
    let lower = place.to_ascii_lowercase();
    let schemes = ["fs:", "sqlite:"].iter().filter(|scheme| lower.starts_with(**scheme));
    let place = &place[schemes.map(|scheme| scheme.len()).sum::<usize>()..];
    let place = if place.starts_with("///") { &place[2..] } else { place };
    let before_at = place.rsplit_once('@').map_or("", |(before, _)| before);
    let is_absolute = place.starts_with('/') && !place.starts_with("//");
    !place.contains("://")
        && !place.contains("%3A//")
        && (is_absolute || !(before_at.contains(':') || before_at.contains("//")))
}

#[test]
fn a_mistyped_url_shows_no_secret_and_names_no_file() {
    let registry = Registry::linked().unwrap();
    let known: BTreeSet<_> = registry.schemes().map(|(scheme, _)| scheme).collect();
    let (mut paths, mut refused, mut foreign) = (0, 0, 0);
    for url in URLS {
        for text in mistyped(url) {
            for secret in FIRST.iter().flat_map(|first| {
                BETWEEN.map(|between| format!("{first}{}{between}{}", PARTS[0], PARTS[1]))
            }) {
                let text = text.replace("SECRET", &secret);
                if is_a_path(&text) && !text.contains('?') {
                    continue;
                }
                let mut said = Vec::new();
                match text.parse::<StoreUrl>() {
                    Err(error) => {
                        refused += 1;
                        said.push(format!("{error} {error:?}"));
                    }
                    Ok(parsed) => {
                        said.push(format!("{parsed} {parsed:?}"));
                        said.push(format!(
                            "{} {:?}",
                            parsed.refused("no"),
                            parsed.allow_options(&["size"])
                        ));
                        if !known.contains(parsed.scheme()) {
                            foreign += 1;
                            let error = registry.open_store(&parsed).unwrap_err();
                            said.push(format!("{error} {error:?}"));
                        }
                        let has_options = parsed.allow_options(&[]).is_err();
                        if ["fs", "sqlite"].contains(&parsed.scheme()) && !has_options {
                            paths += 1;
                            match parsed.path() {
                                Ok(path) => said.push(path.display().to_string()),
                                Err(error) => said.push(format!("{error} {error:?}")),
                            }
                        }
                    }
                }
                match format!("{text}#wine:prod").parse::<QualifiedReference>() {
                    Ok(reference) => said.push(format!("{reference} {reference:?}")),
                    Err(error) => said.push(format!("{error} {error:?}")),
                }
                for said in said {
                    assert!(!shows(&said), "{text} is printed as {said}");
                }
            }
        }
    }
    assert!(paths > 100 && refused > 100 && foreign > 100, "{paths} {refused} {foreign}");
}

#[test]
fn a_secret_without_an_at_sign_is_not_shown_where_a_host_or_a_prefix_stands() {
    for text in [
        "s3:KEY:SECRET/bucket",
        "s3://key:SECRET/bucket",
        "s3://bucket/key:SECRET",
        "gs://bucket/key%3ASECRET",
        "az://bucket/SECRET%40container",
        "postgres:ann:SECRET",
        "postgres://host/db:SECRET",
        "NATS:ann:SECRET",
    ] {
        let said = match text.parse::<StoreUrl>() {
            Ok(url) => format!("{url} {url:?} {}", url.refused("no")),
            Err(error) => format!("{error}"),
        };
        assert!(!said.contains("SECRET"), "{text} is printed as {said}");
    }
    for text in ["s3://bucket/team/prefix", "postgres://host:5432/db"] {
        assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), text);
    }
}

#[test]
fn what_looks_like_a_url_is_no_folder() {
    let registry = Registry::linked().unwrap();
    for text in [
        "Postgress://host/db",
        "s4://bucket",
        "x_y://bucket",
        " s3://bucket",
        "HTTPS://host/x",
        "what:ever",
    ] {
        let opened = text.parse::<StoreUrl>().and_then(|url| registry.open_store(&url));
        let error = opened.map(drop).unwrap_err();
        assert!(
            matches!(error, larder::Error::NotLinked { .. } | larder::Error::InvalidName { .. }),
            "{text}: {error:?}"
        );
    }
    for (text, scheme) in [
        ("FS:shelf", "fs"),
        ("SQLite:x.db", "sqlite"),
        ("MEMORY:", "memory"),
        ("shelf.DB", "sqlite"),
        ("shelf.SQLite3", "sqlite"),
        ("./what:ever", "fs"),
        ("./https://host", "https"),
        ("C/D:x", "fs"),
    ] {
        match text.parse::<StoreUrl>() {
            Ok(url) => assert_eq!(url.scheme(), scheme, "{text}"),
            Err(error) => assert_eq!(scheme, "https", "{text}: {error}"),
        }
    }
}
