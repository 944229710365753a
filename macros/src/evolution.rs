//! Schema evolution of a type: version, migrations and aliases.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, LitInt, LitStr, Path, Result, Token, parenthesized};

use crate::component::check_tag;

#[derive(Default)]
pub(crate) struct Evolution {
    version: Option<LitInt>,
    /// Migration functions by the version they migrate from.
    migrations: BTreeMap<u32, (LitInt, Path)>,
    aliases: Vec<LitStr>,
}

/// `1 = "path::to::function"`
struct Migration {
    from: LitInt,
    function: Path,
}

impl Parse for Migration {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let from = input.parse()?;
        input.parse::<Token![=]>()?;
        let function: LitStr = input.parse()?;
        Ok(Self { from, function: function.parse_with(Path::parse_mod_style)? })
    }
}

impl Evolution {
    /// Parses `version`, `migrate_from` or `alias`; returns `false` for any other option.
    pub(crate) fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        if meta.path.is_ident("version") {
            if self.version.is_some() {
                return Err(meta.error("duplicate option `version`"));
            }
            let version: LitInt = meta.value()?.parse()?;
            number(&version)?;
            self.version = Some(version);
        } else if meta.path.is_ident("migrate_from") {
            let list;
            parenthesized!(list in meta.input);
            for Migration { from, function } in
                Punctuated::<Migration, Token![,]>::parse_terminated(&list)?
            {
                let old = number(&from)?;
                if self.migrations.contains_key(&old) {
                    return Err(Error::new(from.span(), "duplicate migration from this version"));
                }
                self.migrations.insert(old, (from, function));
            }
        } else if meta.path.is_ident("alias") {
            let alias: LitStr = meta.value()?.parse()?;
            check_tag(&alias)?;
            if self.aliases.iter().any(|known| known.value() == alias.value()) {
                return Err(Error::new(alias.span(), "duplicate alias"));
            }
            self.aliases.push(alias);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    pub(crate) fn has_aliases(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// Validates the options together.
    pub(crate) fn check(&self, tag: &LitStr) -> Result<()> {
        if let Some(alias) = self.aliases.iter().find(|alias| alias.value() == tag.value()) {
            return Err(Error::new(
                alias.span(),
                "the alias equals the tag: an alias is a former tag of the type",
            ));
        }
        let version = self.version.as_ref().map_or(Ok(1), number)?;
        match self.migrations.range(version..).next() {
            Some((_, (from, _))) => Err(Error::new(
                from.span(),
                format!(
                    "cannot migrate from this version: it must be below the type's version {version}"
                ),
            )),
            None => Ok(()),
        }
    }

    /// Returns the items for `impl Component`.
    pub(crate) fn component_items(&self) -> Option<TokenStream> {
        let version = self.version.as_ref()?;
        Some(quote!(fn type_version(&self) -> u32 { #version }))
    }

    /// Returns the items for `impl ComponentType`.
    pub(crate) fn type_items(&self, larder: &Path) -> TokenStream {
        let version = self.version.as_ref().map(|version| quote!(const VERSION: u32 = #version;));
        let aliases = (!self.aliases.is_empty()).then(|| {
            let aliases = &self.aliases;
            quote!(const ALIASES: &'static [&'static str] = &[#(#aliases),*];)
        });
        let migrate = (!self.migrations.is_empty()).then(|| {
            let migrations = self.migrations.values().map(|(old, function)| {
                quote_spanned! {function.span()=>
                    #old => #larder::__private::migrate::<_, Self, _>(fields, #function),
                }
            });
            quote! {
                fn migrate(
                    version: u32,
                    fields: &mut dyn #larder::__private::erased_serde::Deserializer<'_>,
                ) -> ::core::result::Result<Self, #larder::__private::erased_serde::Error> {
                    match version {
                        #(#migrations)*
                        _ => ::core::result::Result::Err(
                            #larder::__private::no_migration::<Self>(version),
                        ),
                    }
                }
            }
        });
        quote!(#version #aliases #migrate)
    }
}

fn number(literal: &LitInt) -> Result<u32> {
    match literal.base10_parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err(Error::new(literal.span(), "invalid version: versions start at 1")),
    }
}
