//! Store URLs: `scheme:rest?option=value`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use crate::error::{Error, Result};

/// The URL of a store: `sqlite:models.db`, `fs:models`, `memory:`.
///
/// Text without a scheme is a path: of an SQLite file if it ends in `.db`, `.sqlite` or `.sqlite3`, otherwise of a
/// folder. Options follow a `?` as `name=value`, joined by `&`. A scheme may be written in capitals. Text that looks like a
/// URL is never a path; write `./` before a path that does.
///
/// A URL may contain secrets. `Display`, `Debug` and errors print `***` for the user and password before an `@`, and for
/// the value of every option, because only the store knows which options are secret. Where a URL is written wrongly, they
/// print `…` for what may be a secret.
///
/// ```
/// use larder_store::StoreUrl;
///
/// let url: StoreUrl = "models/larder.db".parse()?;
/// assert_eq!(url.to_string(), "sqlite:models/larder.db");
///
/// let url: StoreUrl = "postgres://ann:secret@db.example.com/larder?pool=4".parse()?;
/// assert_eq!(url.to_string(), "postgres://***@db.example.com/larder?pool=***");
/// assert_eq!(url.rest(), "//ann:secret@db.example.com/larder"); // for the store
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    scheme: String,
    rest: String,
    options: BTreeMap<String, String>,
}

impl StoreUrl {
    /// Returns the scheme: the text before the first `:`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the text between the scheme and the options, including secrets.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// Returns the text between the scheme and the options as a path on this machine.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if it is empty, or looks like a user with a password.
    pub fn path(&self) -> Result<&Path> {
        match self.rest.strip_prefix("//").unwrap_or(&self.rest) {
            "" => Err(self.refused("a path is missing after the scheme")),
            path if is_suspicious(path) => Err(self.refused(NO_PATH)),
            path => Ok(Path::new(path)),
        }
    }

    /// Checks that every option is one of `known`, so that a misspelt one is not ignored.
    ///
    /// # Errors
    /// [`Error::InvalidName`] with the unknown option and the known ones.
    pub fn allow_options(&self, known: &[&str]) -> Result<()> {
        match self.options.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let known = match known.is_empty() {
                    true => "this store has no options".to_owned(),
                    false => format!("known options: {}", known.join(", ")),
                };
                let unknown = match self.is_printable(name) {
                    true => format!("unknown option `{name}`"),
                    false => "unknown option".to_owned(),
                };
                Err(self.refused(format!("{unknown}; {known}")))
            }
        }
    }

    /// Returns the value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Decodes percent-encoding in a part of a URL.
    ///
    /// ```
    /// use larder_store::StoreUrl;
    ///
    /// assert_eq!(StoreUrl::decode("s%40cret")?, "s@cret");
    /// # Ok::<(), larder_store::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a `%` without two digits and for bytes that are not UTF-8. The text is not repeated.
    pub fn decode(text: &str) -> Result<String> {
        let decoded = percent_encoding::percent_decode_str(text);
        // The crate leaves a `%` without digits as it is.
        let is_encoded = text.split('%').skip(1).all(|part| {
            part.as_bytes().get(..2).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
        });
        match decoded.decode_utf8() {
            Ok(decoded) if is_encoded => Ok(decoded.into_owned()),
            _ => Err(Error::invalid(
                WHAT,
                "…",
                "a `%` must be followed by two hex digits; write `%25` for the character itself",
            )),
        }
    }

    /// Encodes `text` as the value of an option. The inverse of [`decode`](StoreUrl::decode).
    pub fn encode(text: &str) -> String {
        utf8_percent_encode(text, SPECIAL).to_string()
    }

    /// Returns true if a part that was cut off behind a `#` may belong to a secret: this has a host or options.
    pub fn may_hold_secrets(&self) -> bool {
        self.rest.starts_with("//") || !self.options.is_empty() || self.may_be_credentials()
    }

    /// Returns this URL without an option, and the value of the option.
    pub fn split_off(&self, name: &str) -> (Self, Option<String>) {
        let mut url = self.clone();
        let value = url.options.remove(name);
        (url, value)
    }

    /// Returns the error of a URL that a store cannot use, without secrets.
    pub fn refused(&self, reason: impl Into<String>) -> Error {
        Error::invalid(WHAT, &self.place(), reason)
    }

    /// Returns true if the text before the first `:` may be a user, and the text after it a password and a host.
    ///
    /// Then the scheme is as secret as the rest, unless a store is known by it.
    pub fn may_be_credentials(&self) -> bool {
        !self.is_path() && !self.rest.starts_with("//") && self.rest.contains(['@', '#'])
    }

    fn is_path(&self) -> bool {
        ["file", "fs", "sqlite"].contains(&self.scheme.as_str())
    }

    /// Returns the URL without options and secrets.
    fn place(&self) -> String {
        let Self { scheme, rest, .. } = self;
        if self.may_be_credentials() {
            return "…".to_owned();
        }
        // The `?` may belong to a password, and the `@` may end it.
        if self.options.values().any(|value| value.contains('@')) {
            return format!("{scheme}:…");
        }
        let Some(place) = rest.strip_prefix("//") else {
            // Without its `//`, a user and a password may stand in the place of the host.
            let decoded = percent_encoding::percent_decode_str(rest).decode_utf8_lossy();
            let has_user = NETWORKED.contains(&scheme.as_str()) && decoded.contains([':', '@']);
            let shown = if has_user || is_suspicious(rest) { "…" } else { rest };
            return format!("{scheme}:{shown}");
        };
        let has_no_host = !self.is_path() && place.starts_with('/') && place.contains('@');
        let url = Url::parse(&format!("{scheme}://{place}"));
        let Some(url) = url.ok().filter(|_| !has_no_host) else {
            return format!("{scheme}://…");
        };
        if url.fragment().is_some_and(|it| !self.is_path() || it.contains('@')) {
            return format!("{scheme}://…");
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if self.has_misplaced_secret(&url, has_user) {
            return format!("{scheme}://…");
        }
        match place.split_once('@') {
            Some(_) if has_user => {
                let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
                let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
                format!("{scheme}://***@{host}{path}")
            }
            _ => format!("{scheme}://{place}"),
        }
    }

    /// Returns true if the path may be the rest of a user with a password, whose first part was parsed as a host or a
    /// port.
    ///
    /// The path of a URL with a host holds no `@` and no `:` unless it was written wrongly, but for rare prefixes, which
    /// are not printed either.
    fn has_misplaced_secret(&self, url: &Url, has_user: bool) -> bool {
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
        if !self.is_path() {
            return path.contains(['@', ':']);
        }
        path.rsplit_once('@').is_some_and(|(before, _)| {
            has_user || url.port().is_some() || before.contains(':') || before.contains("//")
        })
    }

    /// Returns true if an option's name can be printed. A misplaced secret has other characters, or is the end of a
    /// password with a `?`, and then an `@` follows.
    fn is_printable(&self, name: &str) -> bool {
        let is_word = name.bytes().all(|b| b.is_ascii_lowercase() || b"_-".contains(&b));
        is_word && name.len() <= 24 && !self.options.values().any(|value| value.contains('@'))
    }
}

/// Schemes whose URLs have a host or a bucket after `//`.
const NETWORKED: [&str; 8] = ["az", "gs", "http", "https", "nats", "postgres", "postgresql", "s3"];

const WHAT: &str = "store URL";
const NO_PATH: &str = "it looks like a URL, but begins with no scheme; begin with one, such as `sqlite:`, or write `./` \
                       before a path";
/// The characters that are encoded in the value of an option.
const SPECIAL: &AsciiSet = &CONTROLS.add(b'%').add(b'&').add(b'#');

impl std::str::FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        if place.is_empty() {
            let reason = "empty; write a path or a URL such as `sqlite:larder.db`";
            return Err(Error::invalid(WHAT, place, reason));
        }
        let (scheme, rest) = match place.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
            _ if is_suspicious(text) => return Err(Error::invalid(WHAT, "…", NO_PATH)),
            _ => (scheme_of_path(place).to_owned(), place),
        };
        let mut url = Self { scheme, rest: rest.into(), options: BTreeMap::new() };
        if place.contains('\0') {
            return Err(url.refused("a URL cannot contain a NUL character"));
        }
        let authority = rest.strip_prefix("//").filter(|place| !place.starts_with('/'));
        if authority.is_some_and(|place| place.contains('#')) {
            // The text after it may be the rest of a password, and so may the text before it.
            let reason = "a store URL has no fragment; write `%23` for the character `#`";
            return Err(Error::invalid(WHAT, &format!("{}://…", url.scheme), reason));
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or_default();
            if !is_option(name) {
                // It may be the rest of a password, so neither it nor the text before it is repeated.
                let reason = "options after `?` are `name=value`, joined by `&`; in a user name or \
                              password write `%3F` for `?` and `%26` for `&`";
                return Err(Error::invalid(WHAT, &format!("{}:…", url.scheme), reason));
            }
            if url.options.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(url.refused("an option is given twice"));
            }
        }
        Ok(url)
    }
}

/// A scheme has at least two characters, so a drive letter is not one.
fn is_scheme(text: &str) -> bool {
    let first = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    first && text.len() > 1 && text.bytes().all(fits)
}

/// Returns whether text that should be a path looks like a URL, or like a user with a password.
fn is_suspicious(path: &str) -> bool {
    let is_explicit = ["/", "./", "../", "~/"].iter().any(|start| path.starts_with(start))
        && !path.starts_with("//");
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let before_at = path.rsplit_once('@').map_or("", |(before, _)| before);
    let has_user = before_at.contains(':') || before_at.contains("//");
    let has_key = path.split_once('#').is_some_and(|(_, key)| key.contains('='));
    path.contains("://") || !is_explicit && (has_user || has_key)
}

fn is_option(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn scheme_of_path(path: &str) -> &'static str {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("db" | "sqlite" | "sqlite3") => "sqlite",
        _ => "fs",
    }
}

/// The URL without secrets.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        for (at, name) in self.options.keys().enumerate() {
            let name = if self.is_printable(name) { name } else { "…" };
            write!(f, "{}{name}=***", if at == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

/// The URL without secrets.
impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

impl TryFrom<&str> for StoreUrl {
    type Error = Error;
    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&String> for StoreUrl {
    type Error = Error;
    fn try_from(text: &String) -> Result<Self> {
        text.parse()
    }
}

impl From<&StoreUrl> for StoreUrl {
    fn from(url: &StoreUrl) -> Self {
        url.clone()
    }
}
