//! Acknowledgement of a delivered job id.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use larder_jobs::Receipt;

use larder_core::store::runtime;

/// Acknowledges a job in the background; if an acknowledgement is lost, the id is redelivered.
pub(crate) struct NatsReceipt(Arc<Message>);

impl NatsReceipt {
    pub(crate) fn new(message: Message) -> Self {
        Self(Arc::new(message))
    }

    fn acknowledge(&self, kind: AckKind) {
        let message = Arc::clone(&self.0);
        runtime::spawn(async move {
            let _ = message.ack_with(kind).await;
        });
    }
}

impl Receipt for NatsReceipt {
    fn extend(&mut self) {
        self.acknowledge(AckKind::Progress);
    }

    fn ack(self: Box<Self>) {
        self.acknowledge(AckKind::Ack);
    }

    fn retry_after(self: Box<Self>, delay: Duration) {
        self.acknowledge(AckKind::Nak(Some(delay)));
    }
}

impl fmt::Debug for NatsReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NatsReceipt")
    }
}
