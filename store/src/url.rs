//! Store URLs: `scheme:rest?option=value`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};

/// The URL of a store: `sqlite:models.db`, `fs:models`, `memory:`.
///
/// Text without a scheme is a path: of an SQLite file if it ends in `.db`, `.sqlite` or `.sqlite3`, otherwise of a
/// folder. Options follow a `?` as `name=value`, joined by `&`.
///
/// A URL may contain secrets. `Display`, `Debug` and errors print `***` for the user and password before an `@`, and for
/// the value of every option, because only the store knows which options are secret.
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
    /// [`Error::InvalidName`] if it is empty.
    pub fn path(&self) -> Result<&Path> {
        match self.rest.strip_prefix("//").unwrap_or(&self.rest) {
            "" => Err(self.refused("a path is missing after the scheme")),
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
            Some(name) if known.is_empty() => {
                Err(self.refused(format!("unknown option `{name}`; this store has no options")))
            }
            Some(name) => {
                let known = known.join(", ");
                Err(self.refused(format!("unknown option `{name}`; known options: {known}")))
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
        let refused = || {
            Error::invalid(
                WHAT,
                "…",
                "a `%` must be followed by two hex digits; write `%25` for the character itself",
            )
        };
        let (first, rest) = match text.split_once('%') {
            Some((first, rest)) => (first, rest.split('%')),
            None => return Ok(text.to_owned()),
        };
        let mut bytes = first.as_bytes().to_vec();
        for part in rest {
            let (digits, after) = part.split_at_checked(2).ok_or_else(refused)?;
            let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or_else(refused)?);
            bytes.extend_from_slice(after.as_bytes());
        }
        String::from_utf8(bytes).map_err(|_| refused())
    }

    /// Encodes `text` as the value of an option. The inverse of [`decode`](StoreUrl::decode).
    pub fn encode(text: &str) -> String {
        let special = |c: char| "%&#".contains(c) || c.is_ascii_control();
        let encoded = |c: char| match special(c) {
            true => format!("%{:02X}", u32::from(c)),
            false => c.to_string(),
        };
        text.chars().map(encoded).collect()
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

    /// Returns the URL without options and secrets.
    fn place(&self) -> String {
        format!("{}:{}", self.scheme, masked(&self.rest))
    }
}

const WHAT: &str = "store URL";

impl std::str::FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        if place.is_empty() {
            let reason = "empty; write a path or a URL such as `sqlite:larder.db`";
            return Err(Error::invalid(WHAT, place, reason));
        }
        let (scheme, rest) = match place.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            _ => (scheme_of_path(place), place),
        };
        let mut url = Self { scheme: scheme.into(), rest: rest.into(), options: BTreeMap::new() };
        if place.contains('\0') {
            return Err(url.refused("a URL cannot contain a NUL character"));
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if !is_option(name) {
                // It may be the rest of a password, so neither it nor the text before it is repeated.
                let reason = "options after `?` are `name=value`, joined by `&`; in a user name or \
                              password write `%3F` for `?` and `%26` for `&`";
                return Err(Error::invalid(WHAT, &format!("{scheme}:…"), reason));
            }
            if url.options.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(url.refused(format!("the option `{name}` is given twice")));
            }
        }
        Ok(url)
    }
}

/// A scheme has at least two letters, so a drive letter is not one.
fn is_scheme(text: &str) -> bool {
    let first = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    first && text.len() > 1 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn is_option(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Returns `//***@host/path` for `//user:password@host/path`.
fn masked(rest: &str) -> Cow<'_, str> {
    let Some(place) = rest.strip_prefix("//") else { return rest.into() };
    if let Some((user, host)) = place.rsplit_once('@')
        // A password may contain a `/` that was not encoded. Without a `:` the `/` belongs to a path.
        && (user.contains(':') || !user.contains('/'))
    {
        return format!("//***@{host}").into();
    }
    // Text in place of the port is a password whose rest was parsed as something else.
    match place.split_once(':') {
        Some((host, port)) if !host.contains('/') && !is_port(port) => {
            format!("//{host}:***").into()
        }
        _ => rest.into(),
    }
}

fn is_port(text: &str) -> bool {
    let port = text.split('/').next().unwrap_or_default();
    port.bytes().all(|b| b.is_ascii_digit())
}

fn scheme_of_path(path: &str) -> &'static str {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str());
    match ending {
        Some("db" | "sqlite" | "sqlite3") => "sqlite",
        _ => "fs",
    }
}

/// The URL without secrets.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        for (at, name) in self.options.keys().enumerate() {
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
