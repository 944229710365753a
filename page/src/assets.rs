//! The style sheet, the script and the icon. They are part of the program.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use larder_server::extend::{Context, Failure, Guard, Route};

const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/page.mjs");
const ICON: &str = include_str!("assets/icon.svg");

/// Changes with the files, so that browsers may keep them.
pub(crate) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all = [STYLE, SCRIPT, ICON].concat();
    blake3::hash(all.as_bytes()).to_hex()[..12].to_owned()
});

pub(crate) fn routes() -> Vec<Route> {
    let route = |path, content_type: &'static str, text: &'static str| {
        let answer = move |_: Context, _: String, _: Request| async move {
            Ok::<Response, Failure>(serve(content_type, text))
        };
        Route::new(Method::GET, path, Guard::Public, answer)
    };
    vec![
        route("/ui/static/page.css", "text/css; charset=utf-8", STYLE),
        route("/ui/static/page.mjs", "text/javascript; charset=utf-8", SCRIPT),
        route("/ui/static/icon.svg", "image/svg+xml", ICON),
    ]
}

fn serve(content_type: &'static str, text: &'static str) -> Response {
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    let content_type = HeaderValue::from_static(content_type);
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, kept)], text).into_response()
}
