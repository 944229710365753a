//! Larders in a Postgres database, on a real server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use larder::{PostgresStore, Store};
use larder_testkit::all_store_laws;
use larder_tests::postgres::Server;

#[test]
fn the_postgres_store_keeps_every_law() {
    let server = Server::start();
    let url = server.url("laws").parse().unwrap();
    all_store_laws(&|| Arc::new(PostgresStore::open(&url).unwrap()) as Arc<dyn Store>);
}
