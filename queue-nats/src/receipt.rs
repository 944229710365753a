//! What the server is told of an id that it brought.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use larder_jobs::Receipt;

use larder_core::store::runtime;

/// Tells the server what becomes of a job. Nobody waits for that: a word that is lost means that the id comes again.
pub(crate) struct NatsReceipt(Arc<Message>);

impl NatsReceipt {
    pub(crate) fn new(message: Message) -> Self {
        Self(Arc::new(message))
    }

    fn tell(&self, kind: AckKind) {
        let message = Arc::clone(&self.0);
        runtime::spawn(async move {
            let _ = message.ack_with(kind).await;
        });
    }
}

impl Receipt for NatsReceipt {
    fn extend(&mut self) {
        self.tell(AckKind::Progress);
    }

    fn ack(self: Box<Self>) {
        self.tell(AckKind::Ack);
    }

    fn retry_after(self: Box<Self>, delay: Duration) {
        self.tell(AckKind::Nak(Some(delay)));
    }
}

impl fmt::Debug for NatsReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NatsReceipt")
    }
}
