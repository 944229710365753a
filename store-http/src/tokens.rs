//! Tokens: of the environment, or kept for the user in a private file.
//!
//! The file is `larder/tokens.json` in the user's configuration folder (`$XDG_CONFIG_HOME`, else `~/.config`): an object from
//! the origin of a server, such as `https://larder.example.com`, to its token. Only the user may read it.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use larder_store::runtime::wait;
use larder_store::{Error, Result, StoreUrl};
use url::Url;

use crate::config::{self, ServerLocation};
use crate::connection::Connection;

/// The environment variable that holds a token.
pub const VARIABLE: &str = "LARDER_TOKEN";
/// Maximum size in bytes of the file and of a token.
const MAX_FILE: u64 = 1 << 20;
const MAX_TOKEN: usize = 16 << 10;

type Tokens = BTreeMap<String, String>;

/// Returns the file of the user's tokens.
///
/// # Errors
/// [`Error::Refused`] if neither `XDG_CONFIG_HOME` nor `HOME` is set.
pub fn file() -> Result<PathBuf> {
    let folder = |name: &str| {
        let folder = env::var_os(name).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let folder = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    match folder {
        Some(folder) => Ok(folder.join("larder/tokens.json")),
        None => Err(Error::Refused {
            action: "find the file of tokens".into(),
            reason: format!("neither XDG_CONFIG_HOME nor HOME is set; set {VARIABLE} instead"),
        }),
    }
}

/// A change of the user's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The scheme, host and port of the server.
    pub origin: String,
    /// The file was changed.
    pub is_new: bool,
}

/// Asks the server of `url` whose token this is. Returns `None` if it asks for no token.
///
/// # Errors
/// [`Error::Denied`] for a token that the server does not accept; those of [`HttpStore::open`](crate::HttpStore::open).
pub fn owner(url: &StoreUrl, token: &str) -> Result<Option<String>> {
    check(token)?;
    let place = ServerLocation { token: Some(token.to_owned()), ..config::read(url)? };
    let server = Connection::new(place)?;
    wait(async move { server.whoami().await })
}

/// Keeps `token` for the server of `url`.
///
/// # Errors
/// [`Error::InvalidName`] for a URL of no server; [`Error::Refused`] for text that is no token; [`Error::Store`].
pub fn save(url: &StoreUrl, token: &str) -> Result<Kept> {
    let origin = origin_of(url)?;
    check(token)?;
    let put = |tokens: &mut Tokens| drop(tokens.insert(origin.clone(), token.to_owned()));
    let is_new = change(&file()?, put)?;
    Ok(Kept { origin, is_new })
}

/// Forgets the token for the server of `url`.
///
/// # Errors
/// Those of [`save`].
pub fn remove(url: &StoreUrl) -> Result<Kept> {
    let origin = origin_of(url)?;
    let is_new = change(&file()?, |tokens| drop(tokens.remove(&origin)))?;
    Ok(Kept { origin, is_new })
}

/// Returns the token that is kept for the server of `url`.
pub(crate) fn kept(url: &StoreUrl) -> Result<Option<String>> {
    Ok(read(&file()?)?.remove(&origin_of(url)?))
}

/// Returns the token for a server: of the environment, else of the file.
pub(crate) fn find(server: &Url) -> Result<Option<String>> {
    if let Some(token) = of_environment()? {
        return Ok(Some(token));
    }
    // Without a home there is no file, and the server may need no token.
    match file() {
        Ok(file) => Ok(read(&file)?.remove(&origin(server))),
        Err(_) => Ok(None),
    }
}

/// Returns the token of the environment.
pub(crate) fn of_environment() -> Result<Option<String>> {
    match env::var(VARIABLE) {
        Ok(token) if !token.is_empty() => check(&token).map(|()| Some(token)),
        Err(env::VarError::NotUnicode(_)) => Err(refused("it has other characters than a token")),
        _ => Ok(None),
    }
}

/// Returns the scheme, host and port of a server.
fn origin(server: &Url) -> String {
    server.origin().ascii_serialization()
}

fn origin_of(url: &StoreUrl) -> Result<String> {
    Ok(origin(&config::server_of(url)?))
}

/// Checks that a token can be sent in a header.
pub(crate) fn check(token: &str) -> Result<()> {
    let is_printable = token.bytes().all(|b| b.is_ascii_graphic());
    match is_printable && (1..=MAX_TOKEN).contains(&token.len()) {
        true => Ok(()),
        false => Err(refused("it is empty, too long, or has other characters than a token")),
    }
}

fn refused(reason: &str) -> Error {
    Error::Refused { action: "use the token".into(), reason: reason.into() }
}

fn read(file: &Path) -> Result<Tokens> {
    let action = || format!("read the tokens in {}", file.display());
    let failed = |error: io::Error| Error::store(action(), error);
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tokens::new()),
        Err(error) => return Err(failed(error)),
    };
    refuse_shared(file, &opened)?;
    let mut text = String::new();
    opened.take(MAX_FILE).read_to_string(&mut text).map_err(failed)?;
    // The reason of the parser may repeat a token.
    serde_json::from_str(&text).map_err(|_| {
        let reason = "it is no JSON object of tokens; remove it, and log in again";
        Error::store(action(), reason)
    })
}

/// Refuses a file that other users can read.
#[cfg(unix)]
fn refuse_shared(file: &Path, opened: &File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let action = || format!("read the tokens in {}", file.display());
    let metadata = opened.metadata().map_err(|error| Error::store(action(), error))?;
    match metadata.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => {
            let reason = format!(
                "other users can read or change it; run `chmod 600 {}`, and replace tokens that they may have seen",
                file.display()
            );
            Err(Error::Refused { action: action(), reason })
        }
    }
}

#[cfg(not(unix))]
fn refuse_shared(_: &Path, _: &File) -> Result<()> {
    Ok(())
}

/// Changes the file as a whole. Returns whether anything was changed.
fn change(file: &Path, change: impl FnOnce(&mut Tokens)) -> Result<bool> {
    let mut tokens = read(file)?;
    let before = tokens.clone();
    change(&mut tokens);
    if tokens == before {
        return Ok(false);
    }
    write(file, &tokens)
        .map_err(|error| Error::store(format!("write {}", file.display()), error))?;
    Ok(true)
}

fn write(file: &Path, tokens: &Tokens) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A temporary file has mode 0600.
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut new, tokens)?;
    new.write_all(b"\n")?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    larder_store::files::sync_dir(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_by_origin_in_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config/larder/tokens.json");
        assert_eq!(read(&file).unwrap(), Tokens::new());
        let put = |it: &mut Tokens| drop(it.insert("https://a".into(), "larder_1".into()));
        assert!(change(&file, put).unwrap());
        assert!(!change(&file, put).unwrap());
        assert_eq!(read(&file).unwrap()["https://a"], "larder_1");
        assert!(!change(&file, |tokens| drop(tokens.remove("https://b"))).unwrap());
        assert!(change(&file, |tokens| drop(tokens.remove("https://a"))).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.json");
        write(&file, &Tokens::from([("https://a".into(), "larder_QZ0".into())])).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let said = read(&file).unwrap_err().to_string();
            assert!(said.contains("chmod 600") && !said.contains("QZ0"), "{said}");
        }
    }

    #[test]
    fn a_broken_file_is_refused_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.json");
        write(&file, &Tokens::new()).unwrap();
        for text in ["larder_QZ0", "{\"https://a\": larder_QZ0}", "[\"larder_QZ0\"]"] {
            fs::write(&file, text).unwrap();
            let said = format!("{:?}", read(&file).unwrap_err());
            assert!(said.contains("log in") && !said.contains("QZ0"), "{said}");
        }
    }

    #[test]
    fn a_token_is_one_word() {
        assert!(check("larder_abc.DEF-123").is_ok());
        for wrong in ["", "larder_QZ0 x", "larder_QZ0\n", "lärder_QZ0", &"x".repeat(1 << 20)] {
            assert!(!check(wrong).unwrap_err().to_string().contains("QZ0"));
        }
    }

    #[test]
    fn the_origin_has_no_path_and_no_default_port() {
        let origin = |url: &str| origin_of(&url.parse().unwrap()).unwrap();
        assert_eq!(origin("https://Larder.example.com:443/team"), "https://larder.example.com");
        assert_eq!(origin("http://127.0.0.1:7420"), "http://127.0.0.1:7420");
    }
}
