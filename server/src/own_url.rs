//! The URL of this server, as its clients know it.

use axum::http::{HeaderMap, HeaderName, header};

use crate::context::Context;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Returns the URL by which the client reached the server. A proxy in front may say more.
pub(crate) fn own_url(context: &Context, headers: &HeaderMap) -> String {
    let text = |name: HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
    let plain = |extra: &'static [u8]| {
        move |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
    };
    let options = &context.app.options;
    let host = text(header::HOST).filter(|host| !host.is_empty()).filter(plain(b".-:[]"));
    let host = host.unwrap_or("localhost");
    if !options.behind_proxy {
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        return format!("{scheme}://{host}");
    }
    let scheme = if text(FORWARDED_PROTO) == Some("http") { "http" } else { "https" };
    let prefix = text(FORWARDED_PREFIX).filter(plain(b"/._-")).unwrap_or_default();
    format!("{scheme}://{host}{}", prefix.trim_end_matches('/'))
}
