//! Where a database is and who asks: from the URL and the environment.

use std::env;
use std::fmt;
use std::time::Duration;

use larder_core::{Result, StoreUrl};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls;

/// The options of URLs. None of them is a secret.
const OPTIONS: [&str; 6] = ["host", "pool", "retries", "schema", "sslmode", "sslrootcert"];
/// The schema that holds the tables, unless the URL names another.
const SCHEMA: &str = "larder";
/// How many connections one handle has at most, unless the URL says otherwise.
const POOL: usize = 8;
/// How often something is tried again that may pass, unless the URL says otherwise: for about ten seconds.
const RETRIES: u32 = 7;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// When a connection on which nothing comes is asked whether it is alive, and how long it may take to answer.
const ALIVE: Duration = Duration::from_secs(30);

/// What is known of a database before it is asked.
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

/// The other parts hold a password.
impl fmt::Debug for DatabaseLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabaseLocation").field(&self.url).finish()
    }
}

/// Reads a URL. Options that are unknown are refused by name.
pub(crate) fn read(url: &StoreUrl) -> Result<DatabaseLocation> {
    url.allow_options(&OPTIONS)?;
    let place = url.rest().strip_prefix("//");
    let place = place.ok_or_else(|| missing(url))?;
    // A password may hold an `@` that nobody encoded.
    let (who, place) = place.rsplit_once('@').unwrap_or(("", place));
    let (user, password) = match who.split_once(':') {
        Some((user, password)) => (user, Some(StoreUrl::decode(password)?)),
        None => (who, None),
    };
    let (address, database) = place.split_once('/').unwrap_or((place, ""));
    let database = StoreUrl::decode(database)?;
    if database.is_empty() || database.contains('/') {
        return Err(missing(url));
    }
    let from_env = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let user = match StoreUrl::decode(user)? {
        user if user.is_empty() => from_env("PGUSER")
            .or_else(|| from_env("USER"))
            .ok_or_else(|| url.refused("a user is missing: `//USER@HOST/DATABASE`, or PGUSER"))?,
        user => user,
    };
    let (host, port) = split(url, address)?;

    let (ssl_mode, tls) = tls::read(url)?;
    let mut config = Config::new();
    config.user(user.as_str()).dbname(database.as_str()).port(port).ssl_mode(ssl_mode);
    config.application_name("larder").connect_timeout(CONNECT);
    config.keepalives_idle(ALIVE).keepalives_interval(ALIVE / 6).keepalives_retries(6);
    config.tcp_user_timeout(2 * ALIVE);
    match (url.option("host"), host) {
        (Some(folder), "") if folder.starts_with('/') => config.host_path(folder),
        (Some(_), _) => {
            let reason =
                "the option `host` is the folder of a socket, and the URL's own host is empty";
            return Err(url.refused(reason));
        }
        (None, "") => config.host("localhost"),
        (None, host) => config.host(host),
    };
    if let Some(password) = password.or_else(|| from_env("PGPASSWORD")) {
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

fn missing(url: &StoreUrl) -> larder_core::Error {
    url.refused("a database is missing: `//USER:PASSWORD@HOST:PORT/DATABASE`")
}

/// Host and port; a host of IPv6 stands in brackets.
fn split<'a>(url: &StoreUrl, address: &'a str) -> Result<(&'a str, u16)> {
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    match port.map_or(Ok(5432), str::parse) {
        Ok(port) => Ok((host, port)),
        Err(_) => Err(url.refused("after the host and a `:` stands the port, a number to 65535")),
    }
}

fn schema(url: &StoreUrl) -> Result<String> {
    let schema = url.option("schema").unwrap_or(SCHEMA);
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let begins = schema.starts_with(|first: char| first.is_ascii_lowercase());
    if schema.len() > 60 || !begins || !schema.bytes().all(fits) || schema.starts_with("pg_") {
        let reason = "the option `schema` has 1 to 60 of a-z, 0-9 and _, begins with a letter and not with pg_";
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

/// The URL without its user part, all of which may hold a secret.
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
    use tokio_postgres::config::Host;

    use super::*;

    fn place(url: &str) -> DatabaseLocation {
        read(&url.parse().unwrap()).unwrap()
    }

    fn refusal(url: &str) -> String {
        read(&url.parse().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn a_url_says_who_and_where() {
        let place = place("postgres://ann:s%40c%2Fret@shelf:6543/models?schema=team&pool=3");
        assert_eq!(place.config.get_user(), Some("ann"));
        assert_eq!(place.config.get_password(), Some(&b"s@c/ret"[..]));
        assert_eq!(place.config.get_hosts(), [Host::Tcp("shelf".into())]);
        assert_eq!(place.config.get_ports(), [6543]);
        assert_eq!(place.config.get_dbname(), Some("models"));
        assert_eq!((place.schema.as_str(), place.pool, place.retries), ("team", 3, RETRIES));
        assert_eq!(place.url, "postgres://shelf:6543/models?pool=3&schema=team");
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
        let said = refusal("postgres://ann:secret@shelf/x?poool=3");
        assert!(said.contains("the option `poool` is unknown; there are: host, pool"), "{said}");
        for (url, part) in [
            ("postgres:x", "a database is missing"),
            ("postgres://ann:secret@shelf", "a database is missing"),
            ("postgres://ann:secret@shelf:many/x", "the port"),
            ("postgres://ann:secret@shelf/x?pool=0", "a number from 1 to 100"),
            ("postgres://ann:secret@shelf/x?retries=-1", "a number from 0 to 20"),
            ("postgres://ann:secret@shelf/x?schema=Team", "the option `schema`"),
            ("postgres://ann:secret@shelf/x?schema=pg_temp", "the option `schema`"),
            ("postgres://ann:secret@shelf/x?sslmode=on", "disable, prefer, require, verify-full"),
            ("postgres://ann:secret@shelf/x?sslrootcert=a.pem", "needs `sslmode=verify-full`"),
            ("postgres://ann:secret@shelf/x?host=/run", "the option `host`"),
        ] {
            let said = refusal(url);
            assert!(said.contains(part), "{url}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
