//! Reads the location of a database and the credentials from the URL and the environment.

use std::env;
use std::fmt;
use std::time::Duration;

use larder_store::{Result, StoreUrl};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls;

/// The options of URLs. None of them is secret.
const OPTIONS: [&str; 6] = ["host", "pool", "retries", "schema", "sslmode", "sslrootcert"];
/// Default schema of the tables.
const SCHEMA: &str = "larder";
/// Default maximum number of connections of one handle.
const POOL: usize = 8;
/// Default number of retries after a transient failure: about ten seconds.
const RETRIES: u32 = 7;
/// The characters of a user and a password that would end them.
const SEPARATORS: &AsciiSet = &CONTROLS.add(b'/').add(b'@').add(b'?').add(b'#');
/// Timeout for connecting.
const CONNECT: Duration = Duration::from_secs(10);
/// Idle time before keepalive probes, and the time allowed for an answer.
const ALIVE: Duration = Duration::from_secs(30);

/// The location of a database, and how to connect to it.
#[derive(Clone)]
pub(crate) struct DatabaseLocation {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
    pub(crate) schema: String,
    pub(crate) pool: usize,
    pub(crate) retries: u32,
    /// The URL without secrets.
    pub(crate) url: String,
}

/// Omits the other fields, which contain a password.
impl fmt::Debug for DatabaseLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabaseLocation").field(&self.url).finish()
    }
}

/// Parses a URL. Refuses unknown options by name.
pub(crate) fn read(url: &StoreUrl) -> Result<DatabaseLocation> {
    url.allow_options(&OPTIONS)?;
    let place = url.rest().strip_prefix("//").ok_or_else(|| missing(url))?;
    // A password may contain characters that were not encoded.
    let (who, place) = place.rsplit_once('@').unwrap_or(("", place));
    StoreUrl::decode(who)?;
    let who = utf8_percent_encode(who, SEPARATORS);
    let (address, database) = place.split_once('/').unwrap_or((place, ""));
    let at = if address.starts_with(':') { "localhost" } else { "" };
    // The reason may repeat a part of the password.
    let mut config: Config = format!("postgres://{who}@{at}{place}").parse().map_err(|_| {
        url.refused("the host is `HOST:PORT`, where the port is a number up to 65535")
    })?;
    if config.get_hosts().len() > 1 {
        return Err(url.refused("name one host"));
    }
    if StoreUrl::decode(database)?.contains('/') || config.get_dbname().is_none() {
        return Err(missing(url));
    }
    let from_env = |name| env::var(name).ok().filter(|value| !value.is_empty());
    if config.get_user().is_none_or(str::is_empty) {
        let user = from_env("PGUSER").or_else(|| from_env("USER"));
        config.user(
            user.ok_or_else(|| {
                url.refused("a user is missing: `//USER@HOST/DATABASE`, or PGUSER")
            })?,
        );
    }

    let (ssl_mode, tls) = tls::read(url)?;
    config.ssl_mode(ssl_mode);
    config.application_name("larder").connect_timeout(CONNECT);
    config.keepalives_idle(ALIVE).keepalives_interval(ALIVE / 6).keepalives_retries(6);
    config.tcp_user_timeout(2 * ALIVE);
    match (url.option("host"), config.get_hosts().is_empty()) {
        (Some(folder), true) if folder.starts_with('/') => config.host_path(folder),
        (Some(_), _) => {
            let reason = "the option `host` must be the absolute path of a socket folder, and the host before the database must be empty";
            return Err(url.refused(reason));
        }
        (None, true) => config.host("localhost"),
        (None, false) => &mut config,
    };
    if config.get_password().is_none()
        && let Some(password) = from_env("PGPASSWORD")
    {
        config.password(password);
    }
    Ok(DatabaseLocation {
        config,
        tls,
        schema: schema(url)?,
        pool: number(url, "pool", 1, 100)?.unwrap_or(POOL),
        retries: number(url, "retries", 0, 20)?.unwrap_or(RETRIES),
        url: shown(url, address),
    })
}

fn missing(url: &StoreUrl) -> larder_store::Error {
    url.refused("a database is missing: `//USER:PASSWORD@HOST:PORT/DATABASE`")
}

fn schema(url: &StoreUrl) -> Result<String> {
    let schema = url.option("schema").unwrap_or(SCHEMA);
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let begins = schema.starts_with(|first: char| first.is_ascii_lowercase());
    if schema.len() > 60 || !begins || !schema.bytes().all(fits) || schema.starts_with("pg_") {
        let reason = "the option `schema` must have 1 to 60 of a-z, 0-9 and _, begin with a letter and not with pg_";
        return Err(url.refused(reason));
    }
    Ok(schema.to_owned())
}

fn number<T>(url: &StoreUrl, name: &str, least: T, most: T) -> Result<Option<T>>
where
    T: std::str::FromStr + PartialOrd + fmt::Display,
{
    match url.option(name).map(str::parse) {
        None => Ok(None),
        Some(Ok(number)) if least <= number && number <= most => Ok(Some(number)),
        Some(_) => {
            Err(url.refused(format!("the option `{name}` is a number from {least} to {most}")))
        }
    }
}

/// Returns the URL without the user and password, either of which may be secret.
fn shown(url: &StoreUrl, address: &str) -> String {
    let database = url.rest().rsplit('/').next().unwrap_or_default();
    let place = format!("{}://{address}/{database}", url.scheme());
    let given = OPTIONS.iter().filter_map(|name| Some(format!("{name}={}", url.option(name)?)));
    let options: Vec<_> = given.collect();
    if options.is_empty() { place } else { format!("{place}?{}", options.join("&")) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use larder_store::Error;
    use tokio_postgres::config::Host;

    use super::*;

    fn place(url: &str) -> DatabaseLocation {
        read(&url.parse().unwrap()).unwrap()
    }

    fn refusal(url: &str) -> String {
        match read(&url.parse().unwrap()).unwrap_err() {
            error @ Error::InvalidName { .. } => error.to_string(),
            error => panic!("{error:?}"),
        }
    }

    #[test]
    fn a_url_says_who_and_where() {
        let place =
            place("postgres://ann:s%40c%2Fret@db.example.com:6543/models?schema=team&pool=3");
        assert_eq!(place.config.get_user(), Some("ann"));
        assert_eq!(place.config.get_password(), Some(&b"s@c/ret"[..]));
        assert_eq!(place.config.get_hosts(), [Host::Tcp("db.example.com".into())]);
        assert_eq!(place.config.get_ports(), [6543]);
        assert_eq!(place.config.get_dbname(), Some("models"));
        assert_eq!((place.schema.as_str(), place.pool, place.retries), ("team", 3, RETRIES));
        assert_eq!(place.url, "postgres://db.example.com:6543/models?pool=3&schema=team");
        assert_eq!(format!("{place:?}"), format!("DatabaseLocation({:?})", place.url));
    }

    #[test]
    fn hosts_are_names_addresses_and_folders() {
        let host = |url: &str| place(url).config.get_hosts().to_vec();
        assert_eq!(host("postgres://ann@[::1]:5/x"), [Host::Tcp("::1".into())]);
        assert_eq!(host("postgres://ann@/x"), [Host::Tcp("localhost".into())]);
        let folder = Host::Unix("/run/pg".into());
        assert_eq!(host("postgresql://ann@/x?host=/run/pg"), [folder]);
    }

    #[test]
    fn what_cannot_be_is_refused_and_no_password_is_repeated() {
        for (url, part) in [
            ("postgres://ann:secret@db.example.com/x?poool=3", "`poool`"),
            ("postgres://ann:secret@db.example.com/x?poool=3", "host, pool"),
            ("postgres:x", "database"),
            ("postgres://ann:secret@db.example.com", "database"),
            ("postgres://ann:secret@db.example.com:many/x", "port"),
            ("postgres://ann:secret@db.example.com/x?pool=0", "`pool`"),
            ("postgres://ann:secret@db.example.com/x?retries=-1", "`retries`"),
            ("postgres://ann:secret@db.example.com/x?schema=Team", "`schema`"),
            ("postgres://ann:secret@db.example.com/x?schema=pg_temp", "`schema`"),
            (
                "postgres://ann:secret@db.example.com/x?sslmode=on",
                "disable, prefer, require, verify-full",
            ),
            ("postgres://ann:secret@db.example.com/x?sslrootcert=a.pem", "`sslmode=verify-full`"),
            ("postgres://ann:secret@db.example.com/x?host=/run", "`host`"),
        ] {
            let said = refusal(url);
            assert!(said.contains(part), "{url}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn no_secret_is_printed_and_one_with_separators_is_understood() {
        let between = ["", "/", "@", ":", "%", "%zz", "?", "?a=", "&", "#", "[", " "];
        let urls = [
            "postgres://ann:SECRET@host/db",
            "Postgres://ann:SECRET@host:many/db",
            "postgres://ann:SECRET@host",
            "postgres://ann:SECRET@h1,h2/db",
            "postgres://SECRET@host/db?pool=0",
            "postgres:/ann:SECRET@host/db",
            "postgres:ann:SECRET@host/db",
            "postgres://host/db?password=SECRET",
            "postgres://host/db#password=SECRET",
            "postgres://ann:SECRET",
        ];
        for url in urls {
            for url in between.map(|between| url.replace("SECRET", &format!("QZ0{between}XK0"))) {
                // A user, a password and a host.
                if url == "postgres://ann:QZ0@XK0" {
                    continue;
                }
                let said = match url.parse::<StoreUrl>() {
                    Err(error) => format!("{error} {error:?}"),
                    Ok(parsed) => match read(&parsed) {
                        Err(error) => format!("{parsed} {parsed:?} {error} {error:?}"),
                        Ok(place) => format!("{parsed} {parsed:?} {place:?}"),
                    },
                };
                let said = said.to_ascii_lowercase();
                assert!(!said.contains("qz0") && !said.contains("xk0"), "{url}: {said}");
            }
        }
        for password in ["s@cret", "s/cret", "s:cret"] {
            let place = place(&format!("postgres://ann:{password}@host/db"));
            assert_eq!(place.config.get_password(), Some(password.as_bytes()));
            assert_eq!(place.config.get_hosts(), [Host::Tcp("host".into())]);
        }
    }
}
