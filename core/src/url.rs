//! Store URLs: `scheme:rest?option=value`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};

/// Where a store is: `sqlite:models.db`, `fs:models`, `memory:`.
///
/// A text without a scheme is a path: of an SQLite file if it ends in `.db`, `.sqlite` or `.sqlite3`,
/// else of a folder. Options follow a `?` as `name=value`, joined by `&`.
///
/// ```
/// use larder_core::StoreUrl;
///
/// let url: StoreUrl = "models/larder.db".parse()?;
/// assert_eq!(url.to_string(), "sqlite:models/larder.db");
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreUrl {
    scheme: String,
    rest: String,
    options: BTreeMap<String, String>,
}

impl StoreUrl {
    /// What stands before the first `:`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the scheme and the options.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// What stands between the scheme and the options, as a path on this machine.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if it is empty.
    pub fn path(&self) -> Result<&Path> {
        match self.rest.strip_prefix("//").unwrap_or(&self.rest) {
            "" => Err(self.refused("a path is missing after the scheme")),
            path => Ok(Path::new(path)),
        }
    }

    /// Refuses every option whose name is not among `known`, so that a misspelt one is not ignored.
    ///
    /// # Errors
    /// [`Error::InvalidName`] with the name and the known ones.
    pub fn allow_options(&self, known: &[&str]) -> Result<()> {
        match self.options.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) if known.is_empty() => {
                Err(self.refused(format!("the option `{name}` is unknown; there are none")))
            }
            Some(name) => {
                let known = known.join(", ");
                Err(self.refused(format!("the option `{name}` is unknown; there are: {known}")))
            }
        }
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// The error of a URL that its store cannot take; values of options are not repeated in it.
    pub fn refused(&self, reason: impl Into<String>) -> Error {
        Error::invalid("store URL", &format!("{}:{}", self.scheme, self.rest), reason)
    }
}

impl std::str::FromStr for StoreUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        if place.is_empty() {
            let reason = "it is empty; give a path or a URL such as `sqlite:larder.db`";
            return Err(Error::invalid("store URL", text, reason));
        }
        let (scheme, rest) = match place.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            _ => (scheme_of_path(place), place),
        };
        let mut options = BTreeMap::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if options.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(Error::invalid(
                    "store URL",
                    place,
                    format!("the option `{name}` is given twice"),
                ));
            }
        }
        let url = Self { scheme: scheme.into(), rest: rest.into(), options };
        if place.contains('\0') {
            return Err(url.refused("it holds a NUL character"));
        }
        Ok(url)
    }
}

/// Two letters at least, so that a drive letter is none.
fn is_scheme(text: &str) -> bool {
    let first = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    first && text.len() > 1 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn scheme_of_path(path: &str) -> &'static str {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str());
    match ending {
        Some("db" | "sqlite" | "sqlite3") => "sqlite",
        _ => "fs",
    }
}

/// The place without the options, which may hold secrets.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.rest)
    }
}
