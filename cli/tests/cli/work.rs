//! `work`, with a queue.

use insta::assert_snapshot;

use crate::test_dir::everywhere;

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_queue_that_cannot_be_is_told_without_secrets() {
    let printed = everywhere(|dir| {
        let work = |queue: &str| dir.plain(&["work", "--drain", "--queue", queue]);
        dir.filled();
        let secret = "a-secret";
        let nobody = work(&format!("nats://ann:{secret}@127.0.0.1:1?stream=wine"));
        let unknown = work(&format!("amqp://ann:{secret}@127.0.0.1:1"));
        let option = work(&format!("nats://ann:{secret}@127.0.0.1:1?streams={secret}"));
        let printed = [nobody, unknown, option].concat();
        assert!(!printed.contains(secret), "{printed}");
        printed
    });
    assert_snapshot!(printed, @r#"
    exit 1
    --- stderr
    error: cannot connect to nats://127.0.0.1:1?stream=wine
      caused by: IO error: Connection refused (os error 111)
      caused by: Connection refused (os error 111)
    exit 6
    --- stderr
    error: cannot use amqp://***@127.0.0.1:1: this program has no queue scheme `amqp`; it has nats:, tls:
    exit 2
    --- stderr
    error: cannot use "nats://***@127.0.0.1:1" as a store URL: unknown option `streams`; known options: stream, ack_wait, replicas, tls, ca, credentials, token
    "#);
}

#[test]
fn without_a_queue_what_is_there_is_found() {
    let printed = everywhere(|dir| dir.filled().plain(&["work", "--drain"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stderr
    0 jobs done
    "#);
}
