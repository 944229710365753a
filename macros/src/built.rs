//! Build information of the calling crate: its features and the digest of its lock file.

use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path as SynPath;

/// Returns an expression of type `Built`, with `larder` as the path of the crate.
pub(crate) fn built(larder: &SynPath) -> TokenStream {
    let folder = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let features = folder.as_deref().and_then(features).map(|names| {
        quote!(::core::option::Option::Some(&[#((#names, ::core::cfg!(feature = #names))),*]))
    });
    let lock = folder.as_deref().and_then(lockfile).map(|(path, digest)| {
        quote! {{
            // Makes the lock file a dependency of the build.
            const _: &[u8] = ::core::include_bytes!(#path);
            ::core::option::Option::Some(#digest)
        }}
    });
    let none = || quote!(::core::option::Option::None);
    let (features, lock) = (features.unwrap_or_else(none), lock.unwrap_or_else(none));
    quote!(#larder::__private::Built { features: #features, lockfile: #lock })
}

/// Returns the features of a crate, except `default`.
fn features(folder: &Path) -> Option<Vec<String>> {
    let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse().ok()?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let names = features.into_iter().flat_map(|features| features.keys().cloned());
    Some(names.filter(|name| name != "default").collect())
}

/// Returns the path of the workspace's lock file and its BLAKE3 digest; `None` for a crate from a registry.
fn lockfile(folder: &Path) -> Option<(String, String)> {
    if folder.join(".cargo-ok").exists() {
        return None;
    }
    let path =
        folder.ancestors().map(|folder| folder.join("Cargo.lock")).find(|path| path.is_file())?;
    let digest = blake3::hash(&fs::read(&path).ok()?);
    Some((path.to_str()?.to_owned(), format!("b3:{}", digest.to_hex())))
}
