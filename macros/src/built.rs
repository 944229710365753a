//! How the crate that is being compiled is built, as far as a macro can see: its features, and the versions
//! that its program is locked to.

use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path as SynPath;

/// An expression of the type `Built`, at `larder`.
pub(crate) fn built(larder: &SynPath) -> TokenStream {
    let folder = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let features = folder.as_deref().and_then(features).map(|names| {
        quote!(::core::option::Option::Some(&[#((#names, ::core::cfg!(feature = #names))),*]))
    });
    let lock = folder.as_deref().and_then(lockfile).map(|(path, digest)| {
        quote! {{
            // So that the compiler knows what this was made of.
            const _: &[u8] = ::core::include_bytes!(#path);
            ::core::option::Option::Some(#digest)
        }}
    });
    let none = || quote!(::core::option::Option::None);
    let (features, lock) = (features.unwrap_or_else(none), lock.unwrap_or_else(none));
    quote!(#larder::__private::Built { features: #features, lockfile: #lock })
}

/// The features that a crate says it has, but for the set of those that are on by themselves.
fn features(folder: &Path) -> Option<Vec<String>> {
    let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse().ok()?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let names = features.into_iter().flat_map(|features| features.keys().cloned());
    Some(names.filter(|name| name != "default").collect())
}

/// The lock file of the program that a crate is built for, and its BLAKE3 digest. A crate out of a registry
/// has none: what was locked when it was published is of no use to anyone.
fn lockfile(folder: &Path) -> Option<(String, String)> {
    if folder.join(".cargo-ok").exists() {
        return None;
    }
    let path =
        folder.ancestors().map(|folder| folder.join("Cargo.lock")).find(|path| path.is_file())?;
    let digest = blake3::hash(&fs::read(&path).ok()?);
    Some((path.to_str()?.to_owned(), format!("b3:{}", digest.to_hex())))
}
