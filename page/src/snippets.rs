//! Lines to copy: how a program uses a version.

use axum::http::HeaderMap;
use larder_core::Reference;
use larder_core::extend::TypeEntry;
use larder_core::store::TypeTag;
use larder_server::extend::Context;

/// A text to copy.
#[derive(Debug)]
pub(crate) struct Snippet {
    pub(crate) title: &'static str,
    pub(crate) text: String,
}

/// Returns the snippets for a version: a model also predicts, and a collection has rows.
pub(crate) fn snippets(
    context: &Context,
    headers: &HeaderMap,
    reference: &Reference,
    type_tag: &TypeTag,
    entry: Option<&TypeEntry>,
    is_model: bool,
) -> Vec<Snippet> {
    let is_local = context.is_local();
    let url = match is_local {
        true => context.larder().store().url().to_string(),
        false => context.url(headers),
    };
    let store = format!("larder --store {}", quoted(&url));
    if type_tag.as_str() == "larder/collection" {
        let shell =
            format!("{store} collection find {reference}\n{store} collection status {reference}");
        let rust = format!(
            "let larder = larder::open({url:?})?;\nlet reference: larder::Reference = \"{reference}\".parse()?;\n\
             let rows = larder.untyped_collection(reference.identifier().clone())?;\n\
             let version = rows.select(reference.selector().clone())?;"
        );
        return vec![
            Snippet { title: "Command line", text: shell },
            Snippet { title: "Rust", text: rust },
        ];
    }
    let rust_type = entry.map(TypeEntry::rust_type).unwrap_or("MyComponent");
    let rust_type = rust_type.rsplit("::").next().unwrap_or(rust_type);
    let mut shell = format!("{store} show {reference}\n{store} get {reference}");
    if is_model {
        shell = format!("echo '{{…}}' | {store} predict {reference}\n{shell}");
    }
    let load = match entry {
        Some(_) => format!("let it = larder.load::<{rust_type}>(\"{reference}\")?;"),
        None => format!("let it = larder.load_component(\"{reference}\")?;"),
    };
    let mut rust = format!("let larder = larder::open({url:?})?;\n{load}");
    if is_model {
        rust += &format!(
            "\nlet model = larder.load_model(\"{reference}\")?;\nlet output = model.predict_json(r#\"{{…}}\"#)?;"
        );
    }
    let mut all =
        vec![Snippet { title: "Command line", text: shell }, Snippet { title: "Rust", text: rust }];
    if is_model && !is_local {
        let bearer = context.has_authentication();
        all.push(Snippet { title: "Python", text: python(&url, reference, bearer) });
        all.push(Snippet { title: "curl", text: curl(&url, reference, bearer) });
    }
    all
}

fn python(url: &str, reference: &Reference, bearer: bool) -> String {
    let (import, header) = match bearer {
        true => (
            "import json, os, urllib.request",
            "\n    headers={\"Authorization\": \"Bearer \" + os.environ[\"LARDER_TOKEN\"], \"Content-Type\": \"application/json\"},",
        ),
        false => (
            "import json, urllib.request",
            "\n    headers={\"Content-Type\": \"application/json\"},",
        ),
    };
    format!(
        "{import}\n\nrequest = urllib.request.Request(\n    \"{url}/predict/{reference}\",\n    \
         data=json.dumps({{\"input\": …}}).encode(),{header}\n)\n\
         print(json.load(urllib.request.urlopen(request))[\"output\"])"
    )
}

fn curl(url: &str, reference: &Reference, bearer: bool) -> String {
    let header = match bearer {
        true => "-H \"Authorization: Bearer $LARDER_TOKEN\" ",
        false => "",
    };
    format!(
        "curl {header}-H 'Content-Type: application/json' \\\n     -d '{{\"input\": …}}' {}",
        quoted(&format!("{url}/predict/{reference}"))
    )
}

/// Quotes a text for a shell, if it has to be.
fn quoted(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/:@._-".contains(&b);
    match text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_one_word() {
        assert_eq!(quoted("sqlite:larder.db"), "sqlite:larder.db");
        assert_eq!(quoted("fs:my larder"), "'fs:my larder'");
        assert_eq!(quoted("fs:it's $HOME"), r"'fs:it'\''s $HOME'");
    }
}
