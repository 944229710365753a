//! Many processes on one bucket.

use larder_tests::crowd;

use super::server;

#[test]
fn four_processes_lose_no_version_and_get_none_twice_while_another_collects() {
    let server = server();
    crowd::apply_while_another_collects(env!("CARGO_BIN_EXE_worker"), &server.url("shared"), 15);
}
