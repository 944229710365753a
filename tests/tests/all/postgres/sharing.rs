//! Many processes on one database.

use larder_tests::crowd;
use larder_tests::postgres::Server;

#[test]
fn four_processes_lose_no_version_and_get_none_twice_while_another_collects() {
    let server = Server::start();
    crowd::apply_while_another_collects(env!("CARGO_BIN_EXE_worker"), &server.url("shared"), 200);
}
