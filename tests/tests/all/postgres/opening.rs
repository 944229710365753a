//! Errors of opening a database, the tables it creates; secrets are never shown.

use std::thread;

use larder::store::PostgresStore;
use larder::{Error, Registry};
use larder_tests::Doubler;
use larder_tests::errors::{message, refused};
use larder_tests::postgres::{SECRET, Server};

fn refusal(url: &str) -> Error {
    PostgresStore::open(&url.parse().unwrap()).expect_err("it is refused")
}

/// Asserts that a place is refused for a reason that names `fact`.
#[track_caller]
fn is_refused(url: &str, fact: &str) {
    let error = refusal(url);
    assert!(refused(&error).1.contains(fact), "{error}");
}

/// Asserts that the database, or the way to it, failed, and that the error names `facts`.
#[track_caller]
fn is_failed(error: &Error, facts: &[&str]) {
    let said = message(error);
    assert!(matches!(error, Error::Store { .. }), "{said}");
    assert!(facts.iter().all(|fact| said.contains(fact)), "{facts:?} are not in {said}");
}

#[test]
fn many_that_open_an_empty_database_at_once_make_one_larder() {
    let server = Server::start();
    let url = server.url("fresh");
    thread::scope(|scope| {
        for n in 0..8 {
            let url = &url;
            scope.spawn(move || {
                let larder = larder::open(url).unwrap();
                larder.apply(format!("doubler/{n}"), &Doubler { factor: 2.0 }).unwrap();
            });
        }
    });
    assert_eq!(larder::open(&url).unwrap().list().count(), 8);
    assert_eq!(server.sql("select format from fresh.larder"), "1");
}

#[test]
fn the_first_writers_and_readers_of_a_database_all_succeed() {
    let server = Server::start();
    crate::first_writers::open_at_once(9, (0..4).map(|at| server.url(&format!("fresh{at}"))));
}

#[test]
fn who_asks_whether_a_larder_is_there_makes_none() {
    let server = Server::start();
    let registry = Registry::linked().unwrap();
    let is_there = |schema: &str| registry.is_there(&server.url(schema).parse().unwrap());
    assert!(!is_there("fresh").unwrap());
    assert_eq!(server.sql("select count(*) from pg_namespace where nspname = 'fresh'"), "0");
    server.sql("create schema empty");
    assert!(!is_there("empty").unwrap());
    larder::open(&server.url("fresh")).unwrap();
    assert!(is_there("fresh").unwrap());
    server.sql("create schema photos; create table photos.cats (name text)");
    assert!(is_there("photos").unwrap(), "who opens it is told what is there");
    let wrong = server.url("fresh").replace(SECRET, "guessed");
    let error = registry.is_there(&wrong.parse().unwrap()).unwrap_err();
    is_failed(&error, &["28P01", "password"]);
}

#[test]
fn a_schema_of_something_else_or_of_a_later_larder_is_refused_and_left_alone() {
    let server = Server::start();
    server.sql("create schema photos; create table photos.cats (name text)");
    is_refused(&server.url("photos"), "`photos`");
    assert_eq!(server.sql("select count(*) from pg_tables where schemaname = 'photos'"), "1");

    // One that another made, and that is empty, is as good as none.
    server.sql("create schema ready");
    drop(PostgresStore::open(&server.url("ready").parse().unwrap()).unwrap());

    server.sql("update ready.larder set format = 7");
    let error = PostgresStore::open(&server.url("ready").parse().unwrap()).unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 7, known: 1, .. }), "{error}");
    server.sql("update ready.larder set format = 0");
    let error = PostgresStore::open(&server.url("ready").parse().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");

    server.sql("create schema twin; create table twin.larder (format text)");
    is_refused(&server.url("twin"), "`twin`");

    server.sql("create database latin encoding 'LATIN1' locale 'C' template template0");
    is_refused(&server.url("x").replace("/larder?", "/latin?"), "LATIN1");
}

#[test]
fn whoever_may_only_read_reads() {
    let server = Server::start();
    let url = server.url("shown");
    larder::open(&url).unwrap().apply("doubler", &Doubler { factor: 2.0 }).unwrap();
    server.sql(&format!(
        "create role reader login password '{SECRET}'; grant usage on schema shown to reader; \
         grant select on all tables in schema shown to reader"
    ));
    let larder = larder::open(&url.replace("//larder:", "//reader:")).unwrap();
    assert_eq!(larder.load::<Doubler>("doubler").unwrap().factor, 2.0);
    let error = larder.apply("doubler", &Doubler { factor: 3.0 }).unwrap_err();
    is_failed(&error, &["42501", "privilege"]);
}

#[test]
fn errors_say_what_was_attempted_and_what_to_do() {
    let server = Server::start();
    let url = server.url("team");
    let error = refusal(&url.replace("/larder?", "/lader?"));
    is_failed(&error, &["postgres://127.0.0.1:", "\"lader\"", "3D000", "`createdb`"]);
    is_failed(&refusal(&url.replace(SECRET, "guessed")), &["28P01", "password"]);
    let error = refusal("postgres://ann:secret@127.0.0.1:9/x?retries=0");
    is_failed(&error, &["postgres://127.0.0.1:9", "host"]);
    assert!(!message(&error).contains("secret"), "{error:?}");
}

#[test]
fn secrets_are_never_shown() {
    let server = Server::start();
    let url = server.url("team");
    let larder = larder::open(&url).unwrap();
    let shown = larder.store().url();
    assert_eq!(shown, url.replace(&format!("larder:{SECRET}@"), ""));
    for text in [shown, format!("{:?}", larder.store())] {
        assert!(!text.contains(SECRET), "{text}");
    }
    let wrong = url.replace("schema=", "scheme=");
    let nobody = url.replace("//larder:", "//nobody:");
    let closed = format!("postgres://larder:{SECRET}@127.0.0.1:9/x?retries=0");
    for url in [wrong, nobody, closed] {
        let said = message(&refusal(&url));
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn a_database_is_used_from_inside_an_async_program() {
    let server = Server::start();
    let url = server.url("async");
    let use_it = |name: &'static str| {
        let url = url.clone();
        async move {
            let larder = larder::open(&url).unwrap();
            larder.apply(name, &Doubler { factor: 2.0 }).unwrap();
            larder.load::<Doubler>(name).unwrap().factor
        }
    };
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(one.block_on(use_it("one")), 2.0);
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    assert_eq!(many.block_on(async { tokio::spawn(use_it("many")).await.unwrap() }), 2.0);
}

#[test]
fn a_pool_has_no_more_connections_than_it_was_given() {
    let server = Server::start_with(&["max_connections=12"]);
    let larder = larder::open(&format!("{}&pool=2", server.url("pool"))).unwrap();
    thread::scope(|scope| {
        for n in 0..16 {
            let larder = &larder;
            scope.spawn(move || {
                larder.apply(format!("doubler/{n}"), &Doubler { factor: 2.0 }).unwrap();
            });
        }
    });
    let count = "select count(*) from pg_stat_activity where application_name = 'larder'";
    assert_eq!(server.sql(count), "2");
}

#[test]
fn tls_is_used_as_the_url_asks_for_it() {
    let server = Server::start_with_tls();
    let open = |options: &str| {
        let url = format!("{}{options}", server.url("tls"));
        PostgresStore::open(&url.parse().unwrap())
    };
    let encrypted = "select count(*) from pg_stat_ssl s join pg_stat_activity a using (pid) \
                     where ssl and application_name = 'larder'";
    for (options, count) in [("", "1"), ("&sslmode=require", "1"), ("&sslmode=disable", "0")] {
        let store = open(options).unwrap();
        server.until(encrypted, count);
        drop(store);
        server
            .until("select count(*) from pg_stat_activity where application_name = 'larder'", "0");
    }
    // Its certificate is one that nobody knows; with it at hand it is that of 127.0.0.1, and not of localhost.
    is_failed(&open("&sslmode=verify-full").unwrap_err(), &["UnknownIssuer"]);
    let roots = server.folder().join("server.crt");
    let verified = format!("&sslmode=verify-full&sslrootcert={}", roots.display());
    let store = open(&verified).unwrap();
    server.until(encrypted, "1");
    drop(store);
    let url = format!("{}{verified}", server.url("tls").replace("127.0.0.1", "localhost"));
    is_failed(&refusal(&url), &["certificate", "\"localhost\""]);
    // A server without TLS.
    let plain = Server::start();
    let url = format!("{}&sslmode=require", plain.url("tls"));
    is_failed(&refusal(&url), &["TLS"]);
}
