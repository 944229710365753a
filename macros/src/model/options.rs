//! Options of `#[objectmodel(…)]` and `#[codemodel(…)]`.

use std::env;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::meta::{self, ParseNestedMeta};
use syn::parse::Parser;
use syn::{Error, Ident, LitInt, LitStr, Path, Result, parse_quote};

use crate::component::{check_tag, flag};

#[derive(Default)]
pub(super) struct Options {
    pub(super) tag: Option<LitStr>,
    pub(super) num_workers: Option<LitInt>,
    pub(super) method: Option<LitStr>,
    pub(super) hooks: bool,
    larder: Option<Path>,
}

impl Options {
    pub(super) fn parse(tokens: TokenStream) -> Result<Self> {
        let mut options = Self::default();
        meta::parser(|meta| options.read(&meta)).parse2(tokens)?;
        Ok(options)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("tag") {
            once(meta, "tag", &mut self.tag, |meta| {
                let tag = meta.value()?.parse()?;
                check_tag(&tag)?;
                Ok(tag)
            })
        } else if meta.path.is_ident("num_workers") {
            once(meta, "num_workers", &mut self.num_workers, |meta| {
                let number: LitInt = meta.value()?.parse()?;
                match number.base10_parse::<usize>() {
                    Ok(1..) => Ok(number),
                    _ => Err(Error::new(
                        number.span(),
                        "invalid number of workers: expected an integer of at least 1",
                    )),
                }
            })
        } else if meta.path.is_ident("method") {
            once(meta, "method", &mut self.method, |meta| meta.value()?.parse())
        } else if meta.path.is_ident("hooks") {
            flag(meta, "hooks", &mut self.hooks)
        } else if meta.path.is_ident("crate") {
            once(meta, "crate", &mut self.larder, |meta| meta.value()?.call(Path::parse_mod_style))
        } else {
            Err(meta.error(
                "unknown option: expected `tag = \"…\"`, `num_workers = …`, `method = \"…\"`, `hooks` or `crate = …`",
            ))
        }
    }

    pub(super) fn larder(&self) -> Path {
        self.larder.clone().unwrap_or_else(|| parse_quote!(::larder))
    }

    /// Returns the given tag, or `package/function`.
    pub(super) fn tag_of_function(&self, name: &Ident) -> Result<LitStr> {
        if let Some(tag) = &self.tag {
            return Ok(tag.clone());
        }
        let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
        let tag = LitStr::new(&format!("{package}/{}", name.unraw()), name.span());
        check_tag(&tag).map_err(|_| {
            let made = tag.value();
            Error::new(
                name.span(),
                format!("the default tag {made:?} is invalid: add `tag = \"acme/name\"`"),
            )
        })?;
        Ok(tag)
    }
}

fn once<T>(
    meta: &ParseNestedMeta<'_>,
    name: &str,
    option: &mut Option<T>,
    read: impl FnOnce(&ParseNestedMeta<'_>) -> Result<T>,
) -> Result<()> {
    if option.is_some() {
        return Err(meta.error(format!("duplicate option `{name}`")));
    }
    *option = Some(read(meta)?);
    Ok(())
}
